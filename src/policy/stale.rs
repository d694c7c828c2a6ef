//! Messages that come late. Meta delivers anew for days what it could not get rid
//! of, and what was asked yesterday may not want today's answer.

/// What becomes of a message that comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStale {
    /// It is handed over, and whoever gets it is told.
    Mark,
    /// It is kept, and nobody answers.
    Skip,
}

/// From when on a message is late, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// More than this from when it was written until we had it.
    pub after_ms: i64,
    /// What becomes of it.
    pub then: OnStale,
}

impl Stale {
    /// How old a message was when it came, if that is too old; it was written at
    /// this time in Unix seconds, as Meta says. The time that it waits with us
    /// does not count: so it is the same at each attempt and at a replay.
    pub fn age_ms(self, written_at: Option<i64>, received_at: i64) -> Option<i64> {
        let age = received_at.saturating_sub(written_at?.saturating_mul(1_000));
        (age > self.after_ms).then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_what_came_longer_after_it_was_written_than_it_may() {
        let stale = Stale {
            after_ms: 3_600_000,
            then: OnStale::Mark,
        };
        let received_at = 1_790_003_600_999;
        let cases = [
            (Some(1_790_003_600), None),
            (Some(1_790_000_001), None),
            (Some(1_790_000_000), Some(3_600_999)),
            (Some(1_789_000_000), Some(1_003_600_999)),
            // Meta's clock and ours differ, or what it says is no time.
            (Some(1_790_009_999), None),
            (Some(i64::MAX), None),
            (Some(i64::MIN), Some(i64::MAX)),
            (None, None),
        ];
        for (written_at, expected) in cases {
            assert_eq!(
                stale.age_ms(written_at, received_at),
                expected,
                "{written_at:?}"
            );
        }
        let exactly = stale.age_ms(Some(1_790_000_000), 1_790_003_600_000);
        assert_eq!(exactly, None);
    }
}
