//! When to try again: exponential backoff with jitter.

/// How the waits of one kind of job grow.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first wait, before jitter.
    pub first_ms: i64,
    /// No wait is longer.
    pub max_ms: i64,
}

/// Deliveries to the business's app: it is usually on the same machine and
/// comes back within seconds of a deploy, so the longest wait is a minute.
pub const DELIVERY: Backoff = Backoff {
    first_ms: 1_000,
    max_ms: 60_000,
};

/// Sends that Graph refused before processing. Meta: "exponential back-off".
pub const SEND: Backoff = Backoff {
    first_ms: 1_000,
    max_ms: 5 * 60_000,
};

impl Backoff {
    /// The wait after `attempt` (the first is 1) failed. `luck` spreads the
    /// waits over the upper half of the interval, so that many jobs that
    /// failed together do not come back together.
    pub fn after(&self, attempt: u32, luck: f64) -> i64 {
        let doublings = attempt.saturating_sub(1).min(30);
        let full = self
            .first_ms
            .saturating_mul(1 << doublings)
            .min(self.max_ms);
        full / 2 + (full as f64 / 2.0 * luck) as i64
    }
}

/// The wait for a pair that is over its limit and was so `before` times in a
/// row: 4^X seconds, X = 0, 1, 2, … (Meta: error 131056), up to about 17
/// minutes.
pub fn pair_wait_ms(before: u32) -> i64 {
    1_000 << (2 * before.min(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_jitter_stays_in_the_upper_half() {
        let cases = [
            (1, 1_000),
            (2, 2_000),
            (3, 4_000),
            (6, 32_000),
            (7, 60_000),
            (99, 60_000),
        ];
        for (attempt, full) in cases {
            assert_eq!(DELIVERY.after(attempt, 0.0), full / 2, "attempt {attempt}");
            let most = DELIVERY.after(attempt, 0.999_999);
            assert!(
                most > full * 9 / 10 && most <= full,
                "attempt {attempt}: {most}"
            );
        }
    }

    #[test]
    fn a_pair_waits_as_meta_says() {
        let waits: Vec<i64> = (0..8).map(pair_wait_ms).collect();
        assert_eq!(
            waits,
            [
                1_000, 4_000, 16_000, 64_000, 256_000, 1_024_000, 1_024_000, 1_024_000
            ]
        );
    }
}
