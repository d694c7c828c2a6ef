//! How often a password may be tried: by each who tries, so that whoever guesses
//! waits ever longer; and by all strange addresses together, so that many of them
//! bring little.
//!
//! The latter must not lock the operator out, for whom somebody with many addresses
//! could leave no try. So it does not count for who can be told from them: a browser
//! in which somebody logged in before, by its cookie, which holds through a restart
//! (OWASP: "Slow Down Online Guessing Attacks with Device Cookies"); an address where
//! somebody was right before; and who comes from this machine itself. Each of these
//! is one, and waits for its own mistakes. What is remembered has a bound; a restart
//! forgets it.
//!
//! Times are milliseconds of a clock that nobody sets: one that is set back would
//! lock the operator out.

use super::session::ID_BYTES;
use std::collections::HashMap;
// Addresses as values: `core` has no sockets.
use core::net::{IpAddr, Ipv6Addr};

/// Mistakes that cost nothing: people mistype.
const FREE: u32 = 4;

/// The wait after the first mistake that costs; each further one doubles it.
const FIRST_WAIT_MS: i64 = 2_000;

/// The longest wait.
const WAIT_MAX_MS: i64 = 15 * 60_000;

/// An address that made no mistake for so long begins anew.
const FORGOTTEN_AFTER_MS: i64 = 3_600_000;

/// Mistakes of all addresses together that may come at once, and how long it
/// takes until one more may: 2,880 a day, of which none guesses a password of
/// twelve characters.
const TOGETHER: i64 = 60;
const TOGETHER_EVERY_MS: i64 = 30_000;

/// Those remembered who made mistakes. When there are more, the one that was quiet
/// longest is forgotten: what all may do together bounds it still.
const REMEMBERED_MAX: usize = 1_000;

/// Places remembered where somebody was right.
const KNOWN_MAX: usize = 100;

/// Where somebody asks from. Whoever has one IPv6 address has all of its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(IpAddr);

impl Place {
    /// Of this address.
    pub fn of(address: IpAddr) -> Place {
        let address = match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
        };
        Place(address)
    }
}

/// Who tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A browser in which somebody logged in before: nobody else has its cookie.
    Browser([u8; ID_BYTES]),
    /// Somebody who comes from this machine itself, such as by a tunnel.
    Here,
    /// Somebody at this address.
    At(Place),
}

/// Whether a password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Try,
    /// Not before so many milliseconds have passed.
    Wait(i64),
}

/// The mistakes so far.
#[derive(Debug, Default)]
pub struct Attempts {
    of: HashMap<Who, Mistakes>,
    /// Where somebody was right, the last one last.
    known: Vec<Place>,
    /// When all are back at no mistake together; in the past: they are.
    well_at: i64,
}

#[derive(Clone, Copy, Debug)]
struct Mistakes {
    count: u32,
    last: i64,
}

impl Mistakes {
    fn wait_until(self) -> i64 {
        let costly = self.count.saturating_sub(FREE);
        match costly {
            0 => self.last,
            _ => {
                let doubled = FIRST_WAIT_MS.saturating_mul(1 << (costly - 1).min(20));
                self.last.saturating_add(doubled.min(WAIT_MAX_MS))
            }
        }
    }

    fn is_forgotten(self, now: i64) -> bool {
        now >= self.last.saturating_add(FORGOTTEN_AFTER_MS)
    }
}

impl Attempts {
    /// Whether somebody may try.
    pub fn ask(&self, who: Who, now: i64) -> Answer {
        let own = self.of.get(&who);
        let own = own.filter(|mistakes| !mistakes.is_forgotten(now));
        let own_until = own.map_or(now, |mistakes| mistakes.wait_until());
        let all_until = match self.is_strange(who) {
            true => self.well_at - (TOGETHER - 1) * TOGETHER_EVERY_MS,
            false => now,
        };
        match own_until.max(all_until) - now {
            wait if wait > 0 => Answer::Wait(wait),
            _ => Answer::Try,
        }
    }

    fn is_strange(&self, who: Who) -> bool {
        match who {
            Who::Browser(_) | Who::Here => false,
            Who::At(place) => !self.known.contains(&place),
        }
    }

    /// Somebody was wrong.
    pub fn wrong(&mut self, who: Who, now: i64) {
        if self.is_strange(who) {
            let full_at = now.saturating_add(TOGETHER * TOGETHER_EVERY_MS);
            self.well_at = (self.well_at.max(now) + TOGETHER_EVERY_MS).min(full_at);
        }
        self.of.retain(|_, mistakes| !mistakes.is_forgotten(now));
        if self.of.len() >= REMEMBERED_MAX && !self.of.contains_key(&who) {
            let quietest = self.of.iter().min_by_key(|(_, mistakes)| mistakes.last);
            if let Some(quietest) = quietest.map(|(who, _)| *who) {
                self.of.remove(&quietest);
            }
        }
        let mistakes = self.of.entry(who).or_insert(Mistakes {
            count: 0,
            last: now,
        });
        mistakes.count = mistakes.count.saturating_add(1);
        mistakes.last = now;
    }

    /// Somebody was right: their mistakes were slips.
    pub fn right(&mut self, who: Who) {
        self.of.remove(&who);
        let Who::At(place) = who else { return };
        self.known.retain(|known| *known != place);
        if self.known.len() == KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 5;

    fn place(last: u8) -> Who {
        Who::At(Place::of(IpAddr::from([192, 0, 2, last])))
    }

    fn many(n: usize) -> Who {
        let [.., a, b] = n.to_be_bytes();
        Who::At(Place::of(IpAddr::from([10, 0, a, b])))
    }

    /// How long one waits after so many mistakes, each made as soon as possible.
    #[test]
    fn mistakes_cost_ever_more_up_to_a_bound() {
        let mut attempts = Attempts::default();
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..16 {
            attempts.wrong(place(1), now);
            let wait = match attempts.ask(place(1), now) {
                Answer::Try => 0,
                Answer::Wait(wait) => wait,
            };
            waits.push(wait / 1_000);
            now += wait;
            assert_eq!(attempts.ask(place(1), now), Answer::Try);
        }
        assert_eq!(
            waits,
            [
                0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900
            ]
        );
        assert_eq!(attempts.ask(place(2), now), Answer::Try, "others do not");
    }

    #[test]
    fn who_is_right_or_long_quiet_begins_anew() {
        let mut attempts = Attempts::default();
        let wrong = |attempts: &mut Attempts, times: usize, now| {
            (0..times).for_each(|_| attempts.wrong(place(1), now));
        };
        wrong(&mut attempts, 10, NOW);
        assert_ne!(attempts.ask(place(1), NOW), Answer::Try);
        attempts.right(place(1));
        assert_eq!(attempts.ask(place(1), NOW), Answer::Try);
        wrong(&mut attempts, 10, NOW);
        let later = NOW + FORGOTTEN_AFTER_MS;
        wrong(&mut attempts, FREE as usize, later);
        assert_eq!(attempts.ask(place(1), later), Answer::Try);
    }

    #[test]
    fn all_addresses_together_try_no_more_than_so_often() {
        let mut attempts = Attempts::default();
        let tried = |attempts: &mut Attempts, now: i64| {
            let mut tried = 0;
            for n in 0..5_000 {
                if attempts.ask(many(n), now) == Answer::Try {
                    attempts.wrong(many(n), now);
                    tried += 1;
                }
            }
            tried
        };
        assert_eq!(tried(&mut attempts, NOW), TOGETHER);
        assert_eq!(
            attempts.ask(place(1), NOW),
            Answer::Wait(TOGETHER_EVERY_MS),
            "everybody waits, a moment"
        );
        assert_eq!(tried(&mut attempts, NOW + 2 * TOGETHER_EVERY_MS), 2);
        let rested = NOW + 2 * TOGETHER * TOGETHER_EVERY_MS;
        assert_eq!(tried(&mut attempts, rested), TOGETHER);
    }

    #[test]
    fn many_addresses_do_not_lock_out_who_can_be_told_from_them() {
        let mut attempts = Attempts::default();
        let browser = |id| Who::Browser([id; ID_BYTES]);
        attempts.right(place(1));
        (0..TOGETHER as usize).for_each(|n| attempts.wrong(many(n), NOW));
        assert_ne!(attempts.ask(place(2), NOW), Answer::Try);
        for known in [place(1), browser(1), Who::Here] {
            assert_eq!(attempts.ask(known, NOW), Answer::Try, "{known:?}");
            (0..=FREE).for_each(|_| attempts.wrong(known, NOW));
            let own = Answer::Wait(FIRST_WAIT_MS);
            assert_eq!(attempts.ask(known, NOW), own, "{known:?}: for their own");
        }
        assert_eq!(attempts.ask(browser(2), NOW), Answer::Try);
        (0..2 * KNOWN_MAX).for_each(|n| attempts.right(many(n)));
        assert_eq!(attempts.known.len(), KNOWN_MAX);
    }

    #[test]
    fn who_is_known_takes_no_try_from_strangers() {
        let mut attempts = Attempts::default();
        (0..2 * TOGETHER).for_each(|_| attempts.wrong(Who::Here, NOW));
        assert_eq!(attempts.ask(place(1), NOW), Answer::Try);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_that() {
        let mut attempts = Attempts::default();
        for n in 0..3 * REMEMBERED_MAX {
            attempts.wrong(many(n), NOW + n as i64);
        }
        assert_eq!(attempts.of.len(), REMEMBERED_MAX);
        assert!(attempts.of.contains_key(&many(3 * REMEMBERED_MAX - 1)));
        attempts.wrong(place(1), NOW + 2 * FORGOTTEN_AFTER_MS);
        assert_eq!(attempts.of.len(), 1);
    }

    #[test]
    fn one_network_is_one_place() {
        let v6 = |text: &str| Who::At(Place::of(text.parse().unwrap()));
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:192.0.2.1"), place(1));
        assert_ne!(place(1), place(2));
    }
}
