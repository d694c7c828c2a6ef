//! Silences of a day and more, and what hangs on them: who may be sent what, in
//! truth, as Meta knows it, and as far as it was told to us. Also the order after
//! files. The arithmetic is the simulator's own: it keeps every fact and looks at
//! all of them each time, where the gateway keeps three times a conversation.

use super::book::{Check, ensure};
use super::graph::Call;
use super::lanes::{Lane, Lanes};
use super::luck::{Luck, Plan};
use wabridge::wire::sample::mix;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How long a free entry point lasts.
const FREE: i64 = 72 * HOUR;
/// We stop so long before Meta.
const MARGIN: i64 = 10_000;
/// The most a message waits for the file before it.
pub const FILE_WAIT: i64 = 5_000;

/// What a seed decides about all this, by a stream of chance of its own.
#[derive(Default)]
pub struct Ways {
    /// After so long of a busy time, so long nobody does anything.
    silences: Vec<(i64, i64)>,
    /// `WINDOW_TEMPLATE`.
    pub template: bool,
    /// `KEEP_MEDIA_ORDER`.
    pub files_first: bool,
    /// Some of what goes out are files.
    pub files: bool,
    /// A customer's message comes by an ad.
    pub by_ad: f64,
    /// Meta brings a customer's message hours late.
    pub late: f64,
    /// Meta delivers hours later what it delivered before.
    pub again: f64,
}

impl Ways {
    pub fn draw(seed: u64, plan: &mut Plan) -> Ways {
        let (luck, busy_ms) = (&mut Luck::new(mix(!seed)), plan.span_ms);
        let mut ways = Ways {
            files: luck.chance(0.6),
            ..Ways::default()
        };
        // By a clock that is set nobody can tell how long anything lasts.
        if plan.faults.clock_set > 0.0 {
            return ways;
        }
        ways.files_first = luck.chance(0.7);
        if luck.chance(0.5) {
            // The person may have written again since.
            plan.faults.retries = plan.faults.retries.max(0.3);
            let times = 1 + luck.below(2);
            ways.silences = (0..times)
                .map(|_| (luck.between(busy_ms / 4, busy_ms), silence(luck, busy_ms)))
                .collect();
            ways.template = luck.chance(0.4);
            ways.by_ad = *luck.pick(&[0.0, 0.3]);
            ways.late = *luck.pick(&[0.0, 0.3]);
            ways.again = *luck.pick(&[0.0, 0.5]);
        }
        ways
    }

    /// Whether people fall silent here. Only then does Graph mind.
    pub fn are_silent(&self) -> bool {
        !self.silences.is_empty()
    }

    /// When something happens that comes after so long of a busy time.
    pub fn when(&self, busy: i64) -> i64 {
        let before = self.silences.iter().filter(|(at, _)| *at <= busy);
        busy + before.map(|(_, length)| length).sum::<i64>()
    }

    /// When a customer writes: mostly before the silences.
    pub fn writes(&self, luck: &mut Luck, busy_ms: i64) -> i64 {
        let first = self.silences.iter().map(|(at, _)| *at).min();
        match first.filter(|_| luck.chance(0.7)) {
            Some(first) => luck.between(0, first),
            None => self.when(luck.between(0, busy_ms)),
        }
    }

    /// Whether the nth message that goes out is a file.
    pub fn is_file(&self, n: u64) -> bool {
        self.files && mix(n).is_multiple_of(3)
    }

    pub fn file_wait_ms(&self) -> Option<i64> {
        self.files_first.then_some(FILE_WAIT)
    }
}

/// Mostly such that windows close in the busy time that follows.
fn silence(luck: &mut Luck, busy_ms: i64) -> i64 {
    match luck.below(4) {
        0 => luck.between(HOUR, 40 * HOUR),
        1 => luck.between(FREE - busy_ms, FREE),
        _ => luck.between(DAY - busy_ms, DAY),
    }
}

/// What a person did and what they were sent, as Meta knows it.
#[derive(Clone, Default)]
pub struct Person {
    /// When they wrote, and whether they came by an ad.
    pub wrote: Vec<(i64, bool)>,
    /// When Graph took a message to them.
    pub sent: Vec<i64>,
}

impl Person {
    /// Whether Meta takes anything but a template for them.
    pub fn is_open(&self, now: i64) -> bool {
        self.wrote.iter().any(|(at, by_ad)| {
            let answer = self
                .sent
                .iter()
                .find(|sent| (*at..=at + DAY).contains(sent));
            let free = answer.filter(|_| *by_ad);
            now < at + DAY || free.is_some_and(|sent| now < sent + FREE)
        })
    }
}

/// Something that a window hangs on, committed.
enum Fact {
    /// A person wrote, by Meta's time.
    Wrote { at: i64, by_ad: bool },
    /// Graph took a message to them in this time, as was known of these things they
    /// had written.
    Sent {
        from: i64,
        to: i64,
        after: Vec<usize>,
    },
    /// Graph may have taken one in this time, and nobody said so.
    MayHaveSent { from: i64, to: i64 },
}

/// What we were told, in the order of the commits.
#[derive(Default)]
pub struct Told(Vec<(Lane, Fact)>);

/// When a window that we know of ends, at the earliest and at the latest: what we
/// sent reached Graph some time within its attempt.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    least: i64,
    most: i64,
    /// For Graph at the earliest: it may have counted from a message before those that
    /// we know it took.
    graphs_least: i64,
}

impl Told {
    pub fn wrote(&mut self, lane: Lane, at: i64, by_ad: bool) {
        self.0.push((lane, Fact::Wrote { at, by_ad }));
    }

    pub fn sent(&mut self, lanes: &Lanes, lane: Lane, from: i64, to: i64) {
        let of_lane = |other: Lane| lanes.root(other) == lanes.root(lane);
        let facts = self.0.iter().enumerate();
        let after = facts.filter(|(_, (other, _))| of_lane(*other));
        let after = after.map(|(place, _)| place).collect();
        self.0.push((lane, Fact::Sent { from, to, after }));
    }

    pub fn may_have_sent(&mut self, lane: Lane, from: i64, to: i64) {
        self.0.push((lane, Fact::MayHaveSent { from, to }));
    }

    /// `None` when nobody of this lane was ever heard.
    pub fn ends(&self, lanes: &Lanes, lane: Lane) -> Option<Ends> {
        let lane = lanes.root(lane);
        let facts = self.0.iter().enumerate();
        let facts = facts.filter(|(_, (of, _))| lanes.root(*of) == lane);
        let facts: Vec<(usize, &Fact)> = facts.map(|(n, (_, fact))| (n, fact)).collect();
        let mut ends: Option<Ends> = None;
        for (place, fact) in &facts {
            let Fact::Wrote { at, by_ad } = fact else {
                continue;
            };
            let mut own = Ends {
                least: at + DAY,
                most: at + DAY,
                graphs_least: at + DAY,
            };
            if *by_ad {
                own.with_answers(*at, &facts, *place);
            }
            let before = ends.unwrap_or(own);
            ends = Some(Ends {
                least: before.least.max(own.least),
                most: before.most.max(own.most),
                graphs_least: before.graphs_least.max(own.graphs_least),
            });
        }
        ends
    }
}

impl Ends {
    /// A click at that time, which stands at that place among the facts, is
    /// answered by the first message after it. When that one was sent before we
    /// heard of the click, we need not know that it was an answer, and may take
    /// the next one for it; so too when it went to the other id of somebody who was
    /// not known to be one person then.
    fn with_answers(&mut self, click: i64, facts: &[(usize, &Fact)], place: usize) {
        let answers = facts.iter().filter_map(|(_, fact)| match fact {
            Fact::Sent { from, to, after } if *to >= click && *from <= click + DAY => {
                Some((*from, *to, after.contains(&place)))
            }
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        let known = answers.iter().find(|(.., after)| *after);
        for (_, to, _) in answers.first().into_iter().chain(known) {
            self.most = self.most.max(to + FREE);
        }
        if let Some((from, to, true)) = answers.first()
            && (click..=click + DAY).contains(from)
            && *to <= click + DAY
        {
            self.least = self.least.max(from + FREE);
            let unheard = facts.iter().filter_map(|(_, fact)| match fact {
                Fact::MayHaveSent { from, to } if *to >= click => Some(*from.max(&click)),
                _ => None,
            });
            let first = unheard.chain([*from]).min().unwrap_or(*from);
            self.graphs_least = self.graphs_least.max(first + FREE);
        }
    }

    /// Not before our margin, at the latest that can be meant.
    fn is_surely_over(&self, now: i64) -> bool {
        now >= self.most - MARGIN
    }

    fn is_surely_open(&self, now: i64) -> bool {
        now < self.least - MARGIN
    }
}

/// A message may go out like this.
pub fn check_call(call: &Call, ends: Option<Ends>, uncertain: bool, now: i64) -> Check {
    let name = call.name();
    match call.is_substitute() {
        // What may have gone out goes out again as it was.
        true => ensure(
            uncertain || ends.is_some_and(|ends| !ends.is_surely_open(now)),
            || format!("a template goes out for `{name}` in an open window: {ends:?}"),
        ),
        false => {
            let over = ends.is_some_and(|ends| ends.is_surely_over(now));
            ensure(!over || !call.needs_window(), || {
                format!("`{name}` goes out in a closed window: {ends:?}")
            })
        }
    }
}

/// A message was refused here as too late.
pub fn check_refusal(name: &str, ends: Option<Ends>, now: i64) -> Check {
    ensure(ends.is_some_and(|ends| !ends.is_surely_open(now)), || {
        format!("`{name}` is too late in a window that is not closed: {ends:?}")
    })
}

/// Graph found a message too late.
pub fn check_graphs_refusal(call: &Call, ends: Option<Ends>, now: i64) -> Check {
    ensure(ends.is_none_or(|ends| now >= ends.graphs_least), || {
        format!("`{}` is too late by Graph alone: {ends:?}", call.name())
    })
}
