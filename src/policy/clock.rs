//! Whether the time can be believed. Some machines start with a clock that is years
//! behind and is set right a moment later, and some are set wrong and back again. What
//! cannot be taken back because much time has passed, is not done before the time
//! has certainly passed. (A clock that was set back: gateway::clock_set.)

use super::upkeep::DAY_MS;

/// A clock that gained no more than this over the one that nobody sets is right, or
/// nearly.
const NOTICED_MS: i64 = 60_000;

/// Sees the clock being set ahead, by another that nobody sets, as often as it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Both clocks at the last look.
    last: Option<(i64, i64)>,
    set_ahead_at: Option<i64>,
}

impl Watch {
    /// What both clocks show now, in milliseconds. Returns when the clock was set
    /// ahead last, by its own new time.
    pub fn look(&mut self, now: i64, steady: i64) -> Option<i64> {
        let gained = |(last, last_steady)| (now - last) - (steady - last_steady);
        if self.last.is_some_and(|last| gained(last) > NOTICED_MS) {
            self.set_ahead_at = Some(now);
        }
        self.last = Some((now, steady));
        self.set_ahead_at
    }
}

/// What lies later than it can by more than this was written by a clock that was far
/// ahead. Less is waited out: a clock in the wrong time zone takes nothing back from
/// whoever has just answered.
pub const FAR_MS: i64 = DAY_MS;

/// Nobody looked at the clock for longer: the service was away, or its clock was wrong,
/// and which of both nobody knows.
const GAP_MS: i64 = DAY_MS;

/// After so long the clock is believed: who works with a wrong one notices, since
/// without the right time no certificate of Graph's is good.
const BELIEVED_AFTER_MS: i64 = 3 * DAY_MS;

/// The time by which the old goes: what the clock shows, without what it went ahead
/// while nobody looked, until that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Believed {
    /// What the clock showed at the last look.
    pub seen: i64,
    /// How far it is ahead of what is believed.
    pub ahead_ms: i64,
    /// Since when.
    pub since: i64,
}

impl Believed {
    /// At the first look: the clock was right at that time.
    pub fn at(seen: i64) -> Believed {
        Believed {
            seen,
            ahead_ms: 0,
            since: seen,
        }
    }

    /// The clock shows this now.
    pub fn look(self, now: i64) -> Believed {
        let gained = now - self.seen;
        let (ahead_ms, since) = match gained {
            // Set back: what it was ahead is over, or less.
            i64::MIN..0 => ((self.ahead_ms + gained).max(0), self.since.min(now)),
            GAP_MS.. => (self.ahead_ms + gained, now),
            _ if now - self.since > BELIEVED_AFTER_MS => (0, self.since),
            _ => (self.ahead_ms, self.since),
        };
        Believed {
            seen: now,
            ahead_ms,
            since,
        }
    }

    /// The time that it certainly is.
    pub fn now(self) -> i64 {
        self.seen - self.ahead_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_790_000_000_000;
    const SECOND: i64 = 1_000;
    const HOUR: i64 = 3_600 * SECOND;
    const YEAR: i64 = 365 * DAY_MS;

    #[test]
    fn a_clock_that_is_set_ahead_is_seen_and_one_that_runs_or_is_set_back_is_not() {
        // How far each clock went on between two looks, and whether that is seen.
        let rows = [
            (SECOND, SECOND, false),
            (30 * DAY_MS, 30 * DAY_MS, false),
            (60 * SECOND, 0, false),
            (61 * SECOND, 0, true),
            (YEAR, SECOND, true),
            (-YEAR, SECOND, false),
            (0, HOUR, false),
        ];
        for (clock, steady, seen) in rows {
            let mut watch = Watch::default();
            assert_eq!(watch.look(T, HOUR), None, "there was nothing to compare");
            let expected = seen.then_some(T + clock);
            let found = watch.look(T + clock, HOUR + steady);
            assert_eq!(found, expected, "{clock} {steady}");
            let later = watch.look(T + clock + SECOND, HOUR + steady + SECOND);
            assert_eq!(later, expected, "it is remembered");
        }
    }

    /// The clock shows these times, after T, at looks one after the other; what is
    /// believed at the last, after T.
    #[track_caller]
    fn check(shown: &[i64], expected: i64) {
        let start = Believed::at(T);
        let end = shown
            .iter()
            .fold(start, |believed, at| believed.look(T + at));
        assert_eq!(end.now() - T, expected);
    }

    #[test]
    fn a_clock_that_runs_is_believed() {
        check(&[], 0);
        check(&[HOUR, 2 * HOUR], 2 * HOUR);
        // A night, again and again.
        let nights: Vec<i64> = (1..100).map(|n| n * 20 * HOUR).collect();
        check(&nights, 99 * 20 * HOUR);
    }

    #[test]
    fn a_leap_is_believed_after_three_days() {
        check(&[YEAR], 0);
        check(&[YEAR, YEAR + HOUR], HOUR);
        let hours = |from: i64, count: i64| (0..=count).map(move |n| from + n * HOUR);
        let three_days: Vec<i64> = hours(YEAR, 72).collect();
        check(&three_days, 72 * HOUR);
        let longer: Vec<i64> = hours(YEAR, 73).collect();
        check(&longer, YEAR + 73 * HOUR);
        // Two of them count as one, from the second on.
        let twice: Vec<i64> = hours(YEAR, 50).chain(hours(2 * YEAR, 72)).collect();
        check(&twice, 122 * HOUR);
    }

    #[test]
    fn a_leap_that_is_taken_back_is_over() {
        // Less what nobody can tell: how long it took.
        check(&[YEAR, 0, HOUR], HOUR);
        check(&[YEAR, YEAR + HOUR, 2 * HOUR, 3 * HOUR], 2 * HOUR);
        check(&[YEAR, 30 * DAY_MS], 0);
        check(&[-YEAR, -YEAR + HOUR], -YEAR + HOUR);
        // A machine that starts in the past each time.
        check(&[-YEAR, HOUR, 2 * HOUR], -YEAR + HOUR);
    }
}
