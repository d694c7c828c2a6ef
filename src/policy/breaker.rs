//! When to stop trying for everybody: after several failures in a row the queue
//! closes for a while, then one job probes whether the other side is back.
//! An outage so costs a probe now and then, and no job's attempts.

/// Failures in a row after which the queue closes. One bad message among good
/// ones never gets there, since each success starts the count anew.
const CLOSES_AT: u32 = 5;

/// The first time closed; doubles with each failed probe.
const FIRST_MS: i64 = 1_000;

/// Probes come at least this often: it is how long an app that is back again
/// may have to wait for its first event.
const MAX_MS: i64 = 30_000;

/// What is known of the other side. All zero when all is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// Nothing is tried before this time.
    pub closed_until_ms: i64,
}

impl Breaker {
    /// After a success.
    pub const WELL: Breaker = Breaker {
        failures: 0,
        closed_until_ms: 0,
    };

    /// After a failure that says the other side as a whole may be down.
    pub fn failed(self, now_ms: i64) -> Breaker {
        let failures = self.failures.saturating_add(1);
        let over = failures.saturating_sub(CLOSES_AT).min(30);
        let closes_until = now_ms + FIRST_MS.saturating_mul(1 << over).min(MAX_MS);
        let closed_until_ms = match failures < CLOSES_AT {
            true => self.closed_until_ms,
            // What a probe was given ends with the probe.
            false if self.probing() => closes_until,
            // A pause that the other side asked for is not cut short.
            false => closes_until.max(self.closed_until_ms),
        };
        Breaker {
            failures,
            closed_until_ms,
        }
    }

    /// Whether jobs are held back: only one at a time may try.
    pub fn probing(self) -> bool {
        self.failures >= CLOSES_AT
    }

    /// A probe is on its way: nothing else is tried until it is back, or has
    /// had `timeout_ms` and counts as lost.
    pub fn probe_started(self, now_ms: i64, timeout_ms: i64) -> Breaker {
        Breaker {
            closed_until_ms: now_ms + timeout_ms,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_after_failures_in_a_row_and_doubles_up_to_the_limit() {
        let mut breaker = Breaker::WELL;
        let waits: Vec<i64> = (0..12)
            .map(|_| {
                breaker = breaker.failed(1_000);
                (breaker.closed_until_ms - 1_000).max(0)
            })
            .collect();
        assert_eq!(
            waits,
            [
                0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
            ]
        );
    }

    #[test]
    fn closing_does_not_cut_a_longer_pause_short() {
        let paused = Breaker {
            failures: 4,
            closed_until_ms: 60_000,
        };
        assert_eq!(paused.failed(1_000).closed_until_ms, 60_000);
        let probe = paused.failed(1_000).probe_started(60_000, 30_000);
        assert_eq!(probe.failed(61_000).closed_until_ms, 63_000);
    }

    #[test]
    fn only_a_closed_one_probes() {
        let four = (0..4).fold(Breaker::WELL, |b, _| b.failed(0));
        assert!(!four.probing());
        let five = four.failed(0);
        assert!(five.probing());
        assert_eq!(five.probe_started(5_000, 30_000).closed_until_ms, 35_000);
    }
}
