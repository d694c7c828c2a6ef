//! What follows when Graph says "too fast": a pause for everybody it concerns,
//! and after it a slower pace that recovers by itself. Nothing here says that
//! anything is down (policy::breaker): Graph answers, and refuses before
//! processing, so nothing is lost or doubled by waiting.

use super::pacing::Rate;
use super::retry::Backoff;
use crate::wire::retry_after;

/// A number that is over its throughput (130429) pauses for about a second,
/// however often it happens: the halved pace is what helps.
const NUMBER_PAUSE_MS: i64 = 1_000;

/// The limits of accounts, tokens and apps are counted over an hour (Meta:
/// Graph API rate limits). Asking before they clear counts too.
const WIDE: Backoff = Backoff {
    first_ms: 5_000,
    max_ms: 5 * 60_000,
};

/// Without a refusal for so long after a pause, the next one is a first again.
const CALM_MS: i64 = 5 * 60_000;

/// The whole pace is back so long after the pause, from nothing.
const RECOVERY_MS: i64 = 60_000;

/// The pace is never less, in thousandths of the rate.
const SHARE_MIN: i64 = 20;
const WHOLE: i64 = 1_000;

/// Whom a refusal for pace concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// One number's messages a second.
    Number,
    /// Calls of an account, a token or an app an hour.
    Wide,
}

/// What a number knows of refusals for its pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Nothing is sent before this time, in Unix milliseconds.
    pub until_ms: i64,
    /// Refusals of a wide limit in a row, each after the pause of the one before.
    pub hits: u32,
    /// The pace when the pause ends, in thousandths of the rate.
    pub share: i64,
}

impl Throttle {
    /// Never refused.
    pub const NONE: Throttle = Throttle {
        until_ms: 0,
        hits: 0,
        share: WHOLE,
    };

    /// After a refusal. `asked_ms` is the least wait that Graph asks for.
    pub fn refused(self, now_ms: i64, limit: Limit, asked_ms: i64, luck: f64) -> Throttle {
        let asked_until = now_ms + asked_ms.min(retry_after::MAX.as_millis() as i64);
        // Calls that began before the pause come back with the same answer:
        // they tell nothing new.
        if let Some(until_ms) = self.paused_until(now_ms) {
            return Throttle {
                until_ms: until_ms.max(asked_until),
                ..self
            };
        }
        let calm = now_ms - self.until_ms > CALM_MS;
        let (hits, pause_ms) = match limit {
            Limit::Number => (self.hits, NUMBER_PAUSE_MS),
            Limit::Wide => {
                let hits = if calm { 1 } else { self.hits + 1 };
                (hits, WIDE.after(hits, luck))
            }
        };
        Throttle {
            until_ms: asked_until.max(now_ms + pause_ms),
            hits,
            share: (self.share_at(now_ms) / 2).max(SHARE_MIN),
        }
    }

    /// After a refusal of another number that concerns this one as well.
    pub fn together(self, other: Throttle, now_ms: i64) -> Throttle {
        Throttle {
            until_ms: self.until_ms.max(other.until_ms),
            hits: self.hits.max(other.hits),
            share: self.share_at(now_ms).min(other.share),
        }
    }

    /// Until when nothing is sent; `None` when it may be.
    pub fn paused_until(self, now_ms: i64) -> Option<i64> {
        // No pause is longer: the clock was set back.
        let believed = now_ms + retry_after::MAX.as_millis() as i64;
        (now_ms < self.until_ms && self.until_ms <= believed).then_some(self.until_ms)
    }

    /// The pace now.
    pub fn pace(self, rate: Rate, now_ms: i64) -> Rate {
        rate.share(self.share_at(now_ms), WHOLE)
    }

    fn share_at(self, now_ms: i64) -> i64 {
        let since = (now_ms - self.until_ms).clamp(0, RECOVERY_MS);
        (self.share + since * WHOLE / RECOVERY_MS).min(WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000;
    const HOUR: i64 = 3_600 * SECOND;

    #[test]
    fn a_number_pauses_for_a_second_and_goes_on_at_half_its_pace() {
        let throttle = Throttle::NONE.refused(HOUR, Limit::Number, 0, 0.0);
        assert_eq!(throttle.paused_until(HOUR), Some(HOUR + SECOND));
        assert_eq!(throttle.paused_until(HOUR + SECOND), None);
        let full = Rate::per_second(80);
        let pace = |after_s| throttle.pace(full, HOUR + SECOND + after_s * SECOND);
        assert_eq!(pace(0), full.share(1, 2));
        assert_eq!(pace(15), full.share(3, 4));
        assert_eq!(pace(30), full);
    }

    #[test]
    fn calls_that_were_under_way_tell_nothing_new() {
        let first = Throttle::NONE.refused(HOUR, Limit::Wide, 0, 0.0);
        let echo = first.refused(HOUR + 100, Limit::Wide, 0, 0.0);
        assert_eq!(echo, first);
        let longer = first.refused(HOUR + 100, Limit::Wide, 60 * SECOND, 0.0);
        assert_eq!(longer.until_ms, HOUR + 100 + 60 * SECOND);
        assert_eq!((longer.hits, longer.share), (first.hits, first.share));
    }

    #[test]
    fn a_wide_limit_is_asked_ever_more_seldom_until_it_is_calm() {
        let mut throttle = Throttle::NONE;
        let mut waits = Vec::new();
        let mut now = HOUR;
        for _ in 0..8 {
            throttle = throttle.refused(now, Limit::Wide, 0, 0.0);
            waits.push((throttle.until_ms - now) * 2 / SECOND);
            now = throttle.until_ms;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        let calm = throttle.refused(now + CALM_MS + 1, Limit::Wide, 0, 0.0);
        assert_eq!(calm.hits, 1);
    }

    #[test]
    fn what_graph_asks_for_is_honoured_within_bounds() {
        let asked = |ms| Throttle::NONE.refused(0, Limit::Number, ms, 0.0).until_ms;
        assert_eq!(asked(200), NUMBER_PAUSE_MS);
        assert_eq!(asked(30 * SECOND), 30 * SECOND);
        assert_eq!(asked(30 * 24 * HOUR), HOUR);
    }

    #[test]
    fn a_clock_set_back_does_not_make_a_pause_of_it() {
        let throttle = Throttle::NONE.refused(48 * HOUR, Limit::Wide, 0, 0.0);
        assert_eq!(throttle.paused_until(24 * HOUR), None);
    }

    /// A number set to 80/s that Meta allows 20: it must end near 20, neither
    /// running into the limit all the time nor standing still.
    #[test]
    fn a_number_set_too_fast_finds_its_pace() {
        let (mut throttle, mut next_us, mut now) = (Throttle::NONE, 0, HOUR);
        let (mut taken, mut refused) = (Vec::new(), 0);
        let end = HOUR + 600 * SECOND;
        while now < end {
            if let Some(until) = throttle.paused_until(now) {
                now = until;
                continue;
            }
            let pace = throttle.pace(Rate::per_second(80), now);
            let Ok(booked) = pace.book(next_us, now * 1_000) else {
                now += 1;
                continue;
            };
            next_us = booked.next_us;
            now = now.max(booked.start_us / 1_000);
            let second = taken.iter().rev().take_while(|t| **t > now - SECOND);
            match second.count() < 20 {
                true => taken.push(now),
                false => {
                    refused += 1;
                    throttle = throttle.refused(now, Limit::Number, 0, 0.0);
                }
            }
        }
        let per_second = taken.len() / 600;
        assert!((12..=20).contains(&per_second), "{per_second}/s");
        assert!(refused * 50 < taken.len(), "{refused} refused");
    }
}
