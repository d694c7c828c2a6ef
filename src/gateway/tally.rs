//! What came and went over the last hour, day and week.

use crate::policy::ladder::SendState;
use crate::store::tally::{Counted, Counts, Minute};
use crate::store::{Result, Tx};
use crate::wire::outgoing;

/// A stretch of time that is drawn: up to now, in bars of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// How many bars.
    pub bars: usize,
    /// How many minutes each is of.
    pub minutes: i64,
}

/// By the minute.
pub const HOUR: Stretch = Stretch {
    bars: 60,
    minutes: 1,
};

/// By the half hour.
pub const DAY: Stretch = Stretch {
    bars: 48,
    minutes: 30,
};

/// By three hours.
pub const WEEK: Stretch = Stretch {
    bars: 56,
    minutes: 180,
};

impl Stretch {
    /// The counts of each bar, the oldest first; the last bar ends with the
    /// minute of `now`.
    pub fn bars(self, counted: &[Minute], now: i64) -> Vec<Counts> {
        let mut bars = vec![Counts::default(); self.bars];
        let end = now.div_euclid(60_000) + 1;
        for (minute, counts) in counted {
            // A clock that was set back leaves counts in the future.
            let back = (end - 1 - minute).max(-1).div_euclid(self.minutes);
            let bar = usize::try_from(back).ok().filter(|back| *back < self.bars);
            if let Some(back) = bar {
                let sums = bars[self.bars - 1 - back].iter_mut();
                sums.zip(counts).for_each(|(sum, n)| *sum += n);
            }
        }
        bars
    }
}

/// What was counted in the minutes of the longest stretch. What waits in the
/// memory of the service is not among it unless it was written before
/// ([`Tx::write_tally`]).
pub fn counted(tx: &Tx<'_>, now: i64) -> Result<Vec<Minute>> {
    let first = now.div_euclid(60_000) - WEEK.bars as i64 * WEEK.minutes;
    tx.tally_since(first)
}

/// Counts what became of a message of ours, if that is news: a read mark is none.
pub(super) fn became(tx: &Tx<'_>, now: i64, type_: &str, before: SendState, after: SendState) {
    if outgoing::is_mark(type_) {
        return;
    }
    match after {
        SendState::Failed if before != SendState::Failed => tx.count(Counted::Failed, now),
        after if after.is_out() && !before.is_out() => tx.count(Counted::Sent, now),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;
    const MINUTE: i64 = NOW / 60_000;

    /// Which bar, counted back from the newest, a minute so long ago is in.
    fn check(stretch: Stretch, minutes_ago: i64, expected: Option<usize>) {
        let counted = [(MINUTE - minutes_ago, [1, 0, 0, 2])];
        let bars = stretch.bars(&counted, NOW);
        assert_eq!(bars.len(), stretch.bars);
        let found = bars.iter().rev().position(|bar| *bar == [1, 0, 0, 2]);
        assert_eq!(found, expected, "{stretch:?} {minutes_ago}");
    }

    #[test]
    fn each_minute_is_in_its_bar() {
        check(HOUR, 0, Some(0));
        check(HOUR, 1, Some(1));
        check(HOUR, 59, Some(59));
        check(HOUR, 60, None);
        check(HOUR, -1, None);
        check(DAY, 29, Some(0));
        check(DAY, 30, Some(1));
        check(DAY, 24 * 60 - 1, Some(47));
        check(DAY, 24 * 60, None);
        check(WEEK, 179, Some(0));
        check(WEEK, 7 * 24 * 60 - 1, Some(55));
        check(WEEK, 7 * 24 * 60, None);
        check(WEEK, -5, None);
    }

    #[test]
    fn minutes_of_a_bar_are_added_up() {
        let counted = [(MINUTE - 2, [1, 2, 3, 4]), (MINUTE - 1, [1, 0, 0, 0])];
        let bars = DAY.bars(&counted, NOW);
        assert_eq!(bars[47], [2, 2, 3, 4]);
        assert_eq!(bars[..47], vec![[0; 4]; 47]);
    }
}
