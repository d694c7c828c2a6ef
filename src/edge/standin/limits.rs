//! Meta's limits, as the stand-in keeps them when it is told to: pace of a pair and of a number,
//! and the customer service window. Pure: the time comes in.
//!
//! How Meta counts is published in words only. A pair: one message each 6 seconds, bursts of 45
//! that are paid back in the time they would have taken. A number: so many messages a second, in
//! and out together. A window: 24 hours from the customer's last message.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::{Message, To};
use super::graph::GraphError;

/// Which of Meta's limits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// 131056 to a pair that is over its pace.
    pub pairs: bool,
    /// 130429 to a number that has had so many messages, in and out, within a second.
    pub per_second: Option<u32>,
    /// What is no template and goes out with the window closed is accepted, then `failed` with
    /// 131047, as Meta does it. Open are the windows of customers whose messages the stand-in
    /// delivered, or was told of.
    pub windows: bool,
}

impl Limits {
    /// As Meta keeps them for a number of the standard level: 80 a second.
    pub const AS_META: Limits = Limits {
        pairs: true,
        per_second: Some(80),
        windows: true,
    };
}

const PAIR_EACH: Duration = Duration::from_secs(6);
const PAIR_BURST: u32 = 45;
const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(24 * 3_600);
/// So many pairs and windows are kept; one more forgets all that are over.
const KEPT_MAX: usize = 100_000;

/// A business number and a customer's id.
type Pair = (String, String);

/// What was counted.
#[derive(Default)]
pub(super) struct Meters {
    /// Until when a pair's burst is paid back.
    pairs: HashMap<Pair, Instant>,
    numbers: HashMap<String, VecDeque<Instant>>,
    /// When the customer wrote last.
    wrote: HashMap<Pair, Instant>,
}

/// A message within the pace.
#[derive(Debug, PartialEq)]
pub(super) enum Window {
    Open,
    Closed,
}

impl Meters {
    /// Counts a message that would be accepted, or says what it is refused with. What is refused
    /// does not count.
    pub fn admit(
        &mut self,
        limits: &Limits,
        number: &str,
        message: &Message,
        now: Instant,
    ) -> Result<Window, GraphError> {
        let pair = (number.to_owned(), message.to.id().to_owned());
        let paid = self.pairs.get(&pair).map_or(now, |paid| *paid.max(&now));
        if limits.pairs && paid + PAIR_EACH > now + PAIR_EACH * PAIR_BURST {
            return Err(GraphError::pair_limited());
        }
        let within = self.of_number(number, now);
        if limits
            .per_second
            .is_some_and(|max| within.len() >= max as usize)
        {
            return Err(GraphError::throttled());
        }
        within.push_back(now);
        forget(&mut self.pairs, |paid| *paid > now);
        self.pairs.insert(pair.clone(), paid + PAIR_EACH);
        let always = message.kind == "template" || matches!(message.to, To::Group(_));
        let wrote = self.wrote.get(&pair);
        let open = wrote.is_some_and(|at| now.duration_since(*at) < WINDOW);
        Ok(match always || open || !limits.windows {
            true => Window::Open,
            false => Window::Closed,
        })
    }

    /// A customer wrote to a number.
    pub fn wrote(&mut self, number: &str, user: &str, at: Instant) {
        forget(&mut self.wrote, |wrote| {
            at.saturating_duration_since(*wrote) < WINDOW
        });
        let pair = (number.to_owned(), user.to_owned());
        let last = self.wrote.entry(pair).or_insert(at);
        *last = at.max(*last);
    }

    /// A notification was delivered: its messages count, and open windows.
    pub fn delivered(&mut self, notification: &str, now: Instant) {
        let body: Value = serde_json::from_str(notification).unwrap_or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for change in list(&body["entry"])
            .iter()
            .flat_map(|e| list(&e["changes"]))
        {
            let value = &change["value"];
            let Some(number) = value["metadata"]["phone_number_id"].as_str() else {
                continue;
            };
            for message in list(&value["messages"]) {
                self.of_number(number, now).push_back(now);
                for key in ["from", "from_user_id"] {
                    if let Some(user) = message[key].as_str() {
                        self.wrote(number, user, now);
                    }
                }
            }
        }
    }

    /// The number's messages of the last second.
    fn of_number(&mut self, number: &str, now: Instant) -> &mut VecDeque<Instant> {
        let within = self.numbers.entry(number.to_owned()).or_default();
        while within
            .front()
            .is_some_and(|at| now.duration_since(*at) >= SECOND)
        {
            within.pop_front();
        }
        within
    }
}

fn forget(kept: &mut HashMap<Pair, Instant>, still: impl Fn(&Instant) -> bool) {
    if kept.len() >= KEPT_MAX {
        kept.retain(|_, at| still(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "106540300000001";

    fn message(to: &str, kind: &str) -> Message {
        Message {
            to: To::Phone(to.into()),
            input: to.into(),
            kind: kind.into(),
            opaque: None,
        }
    }

    /// What texts at these times meet: `.` accepted, `p` the pair's limit, `n` the number's.
    fn met(
        limits: Limits,
        at_ms: impl IntoIterator<Item = u64>,
        to: impl Fn(usize) -> String,
    ) -> String {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let times = at_ms.into_iter().enumerate();
        let answer = |(n, ms)| {
            let now = start + Duration::from_millis(ms);
            let text = message(&to(n), "text");
            match meters.admit(&limits, NUMBER, &text, now) {
                Ok(_) => '.',
                Err(error) if error.code == 131_056 => 'p',
                Err(error) => {
                    assert_eq!(error.code, 130_429);
                    'n'
                }
            }
        };
        times.map(answer).collect()
    }

    #[test]
    fn a_pair_has_a_burst_of_45_and_pays_it_back() {
        let one = |_| "15550107001".to_owned();
        let limits = Limits {
            pairs: true,
            ..Limits::default()
        };
        let burst = std::iter::repeat_n(0, 46);
        let after = [5_999, 6_000, 6_001, 12_000, 12_001];
        let seen = met(limits, burst.chain(after), one);
        assert_eq!(seen, format!("{}pp.p.p", ".".repeat(45)));
        // Paid back whole: in the time it would have taken.
        let again = 45 * 6_000;
        let twice = std::iter::repeat_n(0, 45).chain(std::iter::repeat_n(again, 46));
        assert_eq!(met(limits, twice, one), format!("{}p", ".".repeat(90)));
        assert_eq!(met(Limits::default(), [0; 60], one), ".".repeat(60));
    }

    #[test]
    fn a_number_has_so_many_in_any_second() {
        let limits = Limits {
            per_second: Some(3),
            ..Limits::default()
        };
        let seen = met(limits, [0, 500, 900, 999, 1_000, 1_001, 1_500], |n| {
            n.to_string()
        });
        assert_eq!(seen, "...n.n.");
    }

    #[test]
    fn a_window_is_open_for_a_day_after_the_customer_wrote() {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let hour = Duration::from_secs(3_600);
        let limits = Limits {
            windows: true,
            ..Limits::default()
        };
        let look = |meters: &mut Meters, to, kind, now| {
            meters
                .admit(&limits, NUMBER, &message(to, kind), now)
                .unwrap()
        };
        assert_eq!(
            look(&mut meters, "15550107001", "text", start),
            Window::Closed
        );
        assert_eq!(
            look(&mut meters, "15550107001", "template", start),
            Window::Open
        );
        let sample = crate::wire::sample::Sample {
            number: NUMBER,
            from: "15550107001",
            ..Default::default()
        };
        let body = crate::wire::sample::notification("text", &sample).unwrap();
        meters.delivered(&body, start);
        for (to, after, expected) in [
            ("15550107001", hour, Window::Open),
            ("15550107001", 23 * hour, Window::Open),
            ("15550107001", 24 * hour, Window::Closed),
            ("15550107002", hour, Window::Closed),
        ] {
            assert_eq!(
                look(&mut meters, to, "text", start + after),
                expected,
                "{to} {after:?}"
            );
        }
    }
}
