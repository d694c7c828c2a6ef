//! How fast Meta lets us send: a token bucket kept as one number.
//!
//! The number is the time at which the bucket will be full again (the
//! "theoretical arrival time" of the generic cell rate algorithm). It fits in a
//! column, is written in the same commit as the attempt, and means the same
//! after a restart.

/// A bucket's size and speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Time for one token to come back.
    interval_us: i64,
    /// How many may go at once from a full bucket.
    burst: i64,
}

/// Per pair of business number and recipient: one message each 6 seconds, with
/// bursts of up to 45 that are paid back (Meta: "Pair rate limits").
pub const PAIR: Rate = Rate {
    interval_us: 6_000_000,
    burst: 45,
};

impl Rate {
    /// `per_second` messages, with bursts of a tenth of a second's worth: Meta
    /// counts over short spans, and threads never send at exact distances.
    pub fn per_second(per_second: u32) -> Rate {
        let per_second = i64::from(per_second.max(1));
        Rate {
            interval_us: 1_000_000 / per_second,
            burst: (per_second / 10).max(1),
        }
    }

    /// Takes one token at `now_us` from a bucket that is full at `full_at_us`.
    /// Returns when it will be full after that, or, as an error, when a token
    /// will be there.
    pub fn take(&self, full_at_us: i64, now_us: i64) -> Result<i64, i64> {
        // A bucket is never emptier than empty (twice, where two pairs became
        // one): a clock that was set back must not silence a number.
        let full_at_us = full_at_us.min(now_us + 2 * self.burst * self.interval_us);
        let ready_at = full_at_us - (self.burst - 1) * self.interval_us;
        if ready_at > now_us {
            return Err(ready_at);
        }
        Ok(full_at_us.max(now_us) + self.interval_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as allowed for `span_us` and returns the times.
    fn greedy(rate: Rate, span_us: i64) -> Vec<i64> {
        let (mut now, mut full_at, mut sent) = (1_000_000_000, 0, Vec::new());
        let end = now + span_us;
        while now < end {
            match rate.take(full_at, now) {
                Ok(next) => {
                    full_at = next;
                    sent.push(now);
                }
                Err(ready_at) => now = ready_at,
            }
        }
        sent
    }

    #[test]
    fn a_number_sends_its_rate_over_a_minute() {
        for (rate, expected) in [(80, 4_800), (1_000, 60_000), (1, 60), (20, 1_200)] {
            let sent = greedy(Rate::per_second(rate), 60_000_000).len() as i64;
            let burst = i64::from(rate / 10).max(1);
            assert!(
                (expected..expected + burst).contains(&sent),
                "{rate}/s: {sent}"
            );
        }
    }

    #[test]
    fn a_pair_bursts_45_and_pays_back() {
        let sent = greedy(PAIR, 600_000_000);
        assert_eq!(sent.iter().filter(|t| **t == sent[0]).count(), 45);
        assert_eq!(sent[45] - sent[0], 6_000_000);
        assert_eq!(sent.len(), 45 + 99);
    }

    #[test]
    fn a_clock_set_back_costs_no_more_than_two_bursts() {
        let an_hour_ahead = 3_600_000_000_i64;
        let ready_at = PAIR.take(an_hour_ahead, 0).unwrap_err();
        assert!(ready_at <= 2 * 45 * 6_000_000, "{ready_at}");
    }

    #[test]
    fn an_idle_bucket_does_not_save_beyond_its_burst() {
        let full_at = PAIR.take(0, 1).unwrap();
        assert_eq!(
            PAIR.take(full_at, i64::MAX / 2),
            Ok(i64::MAX / 2 + 6_000_000)
        );
    }
}
