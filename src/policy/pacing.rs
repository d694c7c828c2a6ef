//! How fast Meta lets us send: a number's rate and a pair's token bucket, each
//! kept as one time. It fits in a column, is written in the same commit as the
//! attempt, and means the same after a restart.
//!
//! A number's sends are *booked*: a claim gives each the time at which it
//! begins, a little ahead, and the worker waits for it. So the pace does not
//! hang on how long a commit takes, and needs no burst to make up for it.

use std::collections::VecDeque;

/// How far ahead of its time a send may be booked. Longer than a commit on a
/// slow disk, so that the next sends are booked before the last ones are due;
/// short, since what is booked goes before a reply that comes in now, and is
/// of unknown outcome after a crash.
pub const LEAD_MS: i64 = 100;
const LEAD_US: i64 = LEAD_MS * 1_000;

/// No booking reaches further: it is more than the interval at 1 a second and
/// the slowest share of it (policy::throttle).
const FAR_US: i64 = 60 * 1_000_000;

/// A second's worth of sends is spread over this much more than a second.
/// Threads and networks deliver a call a moment late, and the next one not:
/// by so much calls may move together before a second at Graph's end holds
/// more than Meta allows.
const JITTER_US: i64 = 4_000;

/// What a second is for calls that begin: a little of [`JITTER_US`] is left for
/// the way to Graph, and most of it to catch up by.
const SECOND_US: i64 = 1_000_000 + JITTER_US / 4;

/// How fast one number sends.
///
/// Meta: throughput of 80 messages a second for a number, 1,000 for some, 20
/// for those shared with the app; over what span it is measured is not said, so
/// we keep it over every second (our inference). There is no burst: sends of a
/// number begin at even distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_us: i64,
}

/// A send's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// When it may begin, in Unix microseconds.
    pub start_us: i64,
    /// When the number's next one may.
    pub next_us: i64,
}

impl Rate {
    /// At most `per_second` messages in any second.
    pub fn per_second(per_second: u32) -> Rate {
        let per_second = i64::from(per_second.max(1));
        Rate {
            interval_us: (1_000_000 + JITTER_US + per_second - 1) / per_second,
        }
    }

    /// The most that may begin in a second.
    pub fn in_a_second(self) -> usize {
        let most = (1_000_000 + JITTER_US + self.interval_us / 2) / self.interval_us;
        usize::try_from(most.max(1)).unwrap_or(1)
    }

    /// A part of this rate.
    pub fn share(self, part: i64, whole: i64) -> Rate {
        Rate {
            interval_us: self.interval_us * whole / part.max(1),
        }
    }

    /// Books a time for one send of a number whose next may begin at `next_us`;
    /// or, as an error, when to come again: a batch is worth booking then.
    pub fn book(self, next_us: i64, now_us: i64) -> Result<Booked, i64> {
        let start_us = match next_us > now_us + FAR_US {
            // The clock was set back, which must not silence the number.
            true => now_us,
            false => next_us.max(now_us),
        };
        if start_us > now_us + LEAD_US {
            return Err(start_us - LEAD_US / 2);
        }
        let next_us = start_us + self.interval_us;
        Ok(Booked { start_us, next_us })
    }

    /// How many could be booked now, at most `most`.
    pub fn room(self, next_us: i64, now_us: i64, most: usize) -> usize {
        let mut next_us = next_us;
        let mut room = 0;
        while room < most
            && let Ok(booked) = self.book(next_us, now_us)
        {
            next_us = booked.next_us;
            room += 1;
        }
        room
    }
}

/// When a number's last calls really began. Threads that come late, since
/// the machine had other things to do, come all at once, and would make a second
/// hold more than Meta allows; those that would be too many wait a moment more.
///
/// Not stored: after a restart nothing is booked that could come late.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    /// In order, in microseconds of any clock that is not set; as many as may
    /// begin in a second.
    last_us: VecDeque<i64>,
}

impl Begun {
    /// A call is about to begin: returns when it may.
    pub fn next(&mut self, rate: Rate, now_us: i64) -> i64 {
        let most = rate.in_a_second();
        let mut at_us = now_us;
        while self.last_us.len() >= most
            && let Some(earlier) = self.last_us.pop_front()
        {
            at_us = at_us.max(earlier + SECOND_US);
        }
        self.last_us.push_back(at_us);
        at_us
    }
}

/// A token bucket, kept as the time at which it will be full again (the
/// "theoretical arrival time" of the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Time for one token to come back.
    interval_us: i64,
    /// How many may go at once from a full bucket.
    burst: i64,
}

/// Per pair of business number and recipient: one message each 6 seconds, and
/// bursts of up to 45 that are borrowed from the time after them (Meta: "Pair
/// rate limits").
///
/// Meta says that after a burst as much time must pass as it would have taken
/// at the normal pace, and not whether a message in that time is refused when
/// the burst was a small one (unconfirmed). We take it as a bucket: what was
/// borrowed comes back at one each 6 seconds, and a bot that answers with three
/// messages may answer again at once. Should Meta be stricter, its 131056 makes
/// the pair wait (policy::retry).
pub const PAIR: Bucket = Bucket {
    interval_us: 6_000_000,
    burst: 45,
};

impl Bucket {
    /// Takes one token at `now_us` from a bucket that is full at `full_at_us`.
    /// Returns when it will be full after that, or, as an error, when a token
    /// will be there.
    pub fn take(self, full_at_us: i64, now_us: i64) -> Result<i64, i64> {
        let empty = now_us + self.burst * self.interval_us;
        // Emptier than empty, twice where two pairs became one: the clock was
        // set back. One goes, and it counts as empty from now on; waiting would
        // silence the pair until the clock is where it was.
        if full_at_us > empty + self.burst * self.interval_us {
            return Ok(empty);
        }
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

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    /// Books as fast as allowed for `span_us`, by claims that come `late_us`
    /// after they were asked to, and returns the times.
    fn booked(rate: Rate, span_us: i64, late_us: impl Fn(usize) -> i64) -> Vec<i64> {
        let (mut now, mut next, mut starts) = (HOUR, 0, Vec::new());
        let mut claims = 0;
        while now < HOUR + span_us {
            match rate.book(next, now) {
                Ok(booked) => {
                    next = booked.next_us;
                    starts.push(booked.start_us);
                }
                Err(again) => {
                    claims += 1;
                    now = again + late_us(claims);
                }
            }
        }
        starts
    }

    /// The most that begin in any second, of times in order.
    fn worst_second(starts: &[i64]) -> usize {
        let until = |end: i64| starts.partition_point(|t| *t < end);
        let within = |(i, first): (usize, &i64)| until(first + SECOND) - i;
        starts.iter().enumerate().map(within).max().unwrap_or(0)
    }

    #[test]
    fn a_number_holds_its_rate_within_a_hundredth_and_no_second_holds_more() {
        let on_time = |_| 0_i64;
        let late = |claim| (claim as i64 * 7_919) % 45_000;
        for late_us in [&on_time as &dyn Fn(usize) -> i64, &late] {
            for rate in [1, 20, 80, 1_000] {
                let starts = booked(Rate::per_second(rate), 60 * SECOND, late_us);
                let minute = starts.iter().filter(|t| **t < HOUR + 60 * SECOND).count();
                let aim = rate as usize * 60;
                assert!(minute * 100 >= aim * 99, "{rate}/s: {minute} in a minute");
                assert!(minute <= aim, "{rate}/s: {minute} in a minute");
                let worst = worst_second(&starts);
                assert!(worst <= rate as usize, "{rate}/s: {worst} in a second");
            }
        }
    }

    /// A minute at this rate by threads that wake as late as this says of the
    /// time they were to; when their calls begin.
    fn begun(rate: Rate, late_us: impl Fn(i64) -> i64) -> Vec<i64> {
        let mut woken: Vec<i64> = booked(rate, 60 * SECOND, |_| 0)
            .into_iter()
            .map(|start| start + late_us(start - HOUR))
            .collect();
        woken.sort_unstable();
        let mut begun = Begun::default();
        woken.iter().map(|at| begun.next(rate, *at)).collect()
    }

    #[test]
    fn calls_that_come_late_together_make_no_second_hold_more() {
        // The machine stands still for up to 100 ms, once every ten seconds.
        let frozen = |at: i64| (100_000 - (at + 5 * SECOND) % (10 * SECOND)).max(0);
        let noise = |at: i64| at * 7_919 % 4_000;
        for rate in [1, 20, 80, 1_000] {
            let (rate, most) = (Rate::per_second(rate), rate as usize);
            let starts = begun(rate, |at| frozen(at) + noise(at));
            assert!(worst_second(&starts) <= most, "{most}/s");
            let due = booked(rate, 60 * SECOND, |_| 0);
            let later = starts.iter().zip(&due).map(|(start, due)| start - due);
            assert!(later.max().unwrap_or(0) <= 110_000, "{most}/s: catches up");
        }
    }

    #[test]
    fn a_rate_that_is_changed_holds_for_the_next_call() {
        let mut begun = Begun::default();
        for _ in 0..3 {
            assert_eq!(begun.next(Rate::per_second(3), HOUR), HOUR);
        }
        let slower = begun.next(Rate::per_second(1), HOUR);
        assert_eq!(slower, HOUR + SECOND_US);
        assert_eq!(begun.next(Rate::per_second(80), HOUR), HOUR);
    }

    #[test]
    fn time_without_work_is_not_saved_up() {
        let rate = Rate::per_second(80);
        let first = rate.book(0, HOUR).unwrap();
        assert_eq!(first.start_us, HOUR);
        let second = rate.book(first.next_us, HOUR).unwrap();
        assert_eq!(second.start_us - first.start_us, 12_550);
    }

    #[test]
    fn a_claim_books_no_further_than_its_lead_and_comes_again_in_time() {
        for per_second in [1, 5, 80, 1_000] {
            let rate = Rate::per_second(per_second);
            let room = rate.room(0, HOUR, usize::MAX);
            assert_eq!(
                room as i64,
                1 + LEAD_US / rate.interval_us,
                "{per_second}/s"
            );
            let last = HOUR + room as i64 * rate.interval_us;
            let again = rate.book(last, HOUR).unwrap_err();
            assert!((HOUR..last).contains(&again), "{per_second}/s: {again}");
            assert!(rate.book(last, again).is_ok(), "{per_second}/s");
        }
    }

    #[test]
    fn a_clock_set_back_silences_neither_number_nor_pair() {
        let rate = Rate::per_second(1);
        let next_us = rate.book(0, 2 * HOUR).unwrap().next_us;
        assert_eq!(rate.book(next_us, HOUR).unwrap().start_us, HOUR);
        let full_at = PAIR.take(0, 2 * HOUR).unwrap();
        let full_at = PAIR.take(full_at, HOUR).unwrap();
        assert_eq!(PAIR.take(full_at, HOUR), Err(HOUR + 6 * SECOND));
    }

    #[test]
    fn a_pair_bursts_45_and_pays_back() {
        let (mut now, mut full_at, mut sent) = (HOUR, 0, Vec::new());
        while now < HOUR + 600 * SECOND {
            match PAIR.take(full_at, now) {
                Ok(next) => {
                    full_at = next;
                    sent.push(now - HOUR);
                }
                Err(ready_at) => now = ready_at,
            }
        }
        assert_eq!(sent.iter().filter(|at| **at == 0).count(), 45);
        let later: Vec<i64> = (1..100).map(|k| k * 6 * SECOND).collect();
        assert_eq!(sent[45..], later);
    }

    #[test]
    fn an_idle_pair_does_not_save_beyond_its_burst() {
        let full_at = PAIR.take(0, 1).unwrap();
        let later = i64::MAX / 2;
        assert_eq!(PAIR.take(full_at, later), Ok(later + 6 * SECOND));
    }
}
