//! Chance, all of it from one seed, and what a seed decides beforehand: the size
//! of its world and which faults are on.

use super::meta::NUMBERS;
use wabridge::config::OnUnknown;
use wabridge::gateway::Wants;
use wabridge::store::Filing;
use wabridge::wire::sample::mix;

/// A stream of chance (SplitMix64).
pub struct Luck(u64);

impl Luck {
    pub fn new(seed: u64) -> Luck {
        Luck(mix(seed ^ 0x5EED))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// From `low` up to and without `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(1) as usize) as i64
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A fault's probability: off in half of all seeds.
    fn fault(&mut self, most: f64) -> f64 {
        match self.chance(0.5) {
            true => self.unit() * most,
            false => 0.0,
        }
    }
}

/// A seed for any text (FNV-1a).
pub fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How bad this world is. Probabilities, each at its own occasion.
#[derive(Clone, Default)]
pub struct Faults {
    /// Meta does not hear our 200.
    pub answer_lost: f64,
    /// Meta delivers again what was answered with 200.
    pub redelivered: f64,
    /// A redelivery is cut up otherwise than before.
    pub regrouped: f64,

    /// The process dies in a step: rolled back, or just after the commit.
    pub dies_in_step: f64,
    /// The process dies between two steps, looked at once a minute.
    pub dies_between: f64,
    /// The store cannot commit just now; the process lives on.
    pub disk_full: f64,
    /// A token that is rejected is never good again.
    pub new_token: f64,
    /// The operator changes a token, at a restart or with SIGHUP, looked at
    /// once a minute.
    pub reloads: f64,
    /// The clock is set, hours back or forth, looked at once a minute.
    pub clock_set: f64,

    /// The app wants an event again later.
    pub app_retries: f64,
    /// The app will never want it.
    pub app_gives_up: f64,
    /// The app goes down for minutes, looked at once a minute.
    pub app_down: f64,

    /// An operator has a dead letter delivered again, looked at once a minute.
    pub replays: f64,

    /// An operator takes a message back, holds one, sends one again: looked at
    /// once a minute.
    pub takes_back: f64,
    pub holds: f64,
    pub retries: f64,

    /// Somebody takes a conversation over, or gives it back, looked at once a minute.
    pub hands_over: f64,

    /// Graph refuses a message for good.
    pub refused: f64,
    pub throttled: f64,
    /// No connection: nothing was sent.
    pub unreachable: f64,
    /// 5xx: may have been processed.
    pub errors: f64,
    /// The request or the answer is lost on the way.
    pub lost: f64,
    /// Graph halts a token, a number, an account or the app for a while, looked
    /// at once a minute.
    pub halts: f64,
    /// Graph takes the messages of a number or an account for a while, and statuses tell
    /// that they fail: looked at once a minute.
    pub halts_late: f64,

    /// Statuses come at once, before the answer.
    pub early: f64,
    pub shuffled: f64,
    pub doubled: f64,
    /// Statuses come minutes late.
    pub late: f64,
    /// No status at all.
    pub silent: f64,
    /// Statuses come without our mark.
    pub unmarked: f64,
    pub failed: f64,

    /// Meta gives no files out for minutes, looked at once a minute.
    pub files_down: f64,
    /// A file does not come this time.
    pub file_later: f64,
    /// A file comes wrong, is too large or is not there.
    pub file_wrong: f64,
}

impl Faults {
    fn draw(luck: &mut Luck) -> Faults {
        let clock_set = luck.fault(0.15);
        Faults {
            answer_lost: luck.fault(0.3),
            redelivered: luck.fault(0.5),
            regrouped: luck.fault(1.0),
            dies_in_step: luck.fault(0.04),
            dies_between: luck.fault(0.5),
            disk_full: luck.fault(0.1),
            new_token: luck.fault(1.0),
            reloads: luck.fault(0.3),
            clock_set,
            app_retries: luck.fault(0.5),
            app_gives_up: luck.fault(0.2),
            app_down: luck.fault(0.3),
            replays: luck.fault(0.5),
            takes_back: luck.fault(0.5),
            holds: luck.fault(0.5),
            retries: luck.fault(0.7),
            hands_over: luck.fault(0.8),
            refused: luck.fault(0.2),
            throttled: luck.fault(0.3),
            unreachable: luck.fault(0.2),
            errors: luck.fault(0.3),
            lost: luck.fault(0.4),
            halts: luck.fault(0.6),
            // By a clock that is set nobody can tell what came after the mend.
            halts_late: match clock_set > 0.0 {
                true => 0.0,
                false => luck.unit() * 0.3,
            },
            early: luck.fault(0.8),
            shuffled: luck.fault(1.0),
            doubled: luck.fault(0.6),
            late: luck.fault(0.3),
            silent: luck.fault(0.4),
            unmarked: luck.fault(0.5),
            failed: luck.fault(0.4),
            files_down: luck.fault(0.3),
            file_later: luck.fault(0.5),
            file_wrong: luck.fault(0.5),
        }
    }
}

/// What else a seed decides.
pub struct Plan {
    pub faults: Faults,
    pub customers: usize,
    /// How many of the business's numbers they write to.
    pub numbers: usize,
    pub messages: usize,
    /// Messages posted through the API.
    pub posts: usize,
    /// Templates to people who never wrote, all at once.
    pub campaign: usize,
    /// Customers write, and faults happen, for this long.
    pub span_ms: i64,
    /// `RATE_PER_NUMBER`.
    pub per_second: u32,
    pub on_unknown: OnUnknown,
    pub wants: Wants,
    /// How many deliveries, sends and fetches may run at once.
    pub room: [usize; 3],
    /// How many events Meta likes to put in one notification.
    pub batch: usize,
    /// The longest Graph takes to answer.
    pub graph_ms: i64,
    /// The most replies to one message.
    pub replies: usize,
    /// How long the store holds rows in memory before it files them.
    pub filing: Filing,
}

impl Plan {
    pub fn draw(luck: &mut Luck) -> Plan {
        // A few worlds have one customer who talks faster than a pair may.
        let chatty = luck.chance(0.1);
        // In some many write while many are written to, and there is more to send than may be.
        let campaign = !chatty && luck.chance(0.2);
        Plan {
            faults: Faults::draw(luck),
            customers: match (chatty, campaign) {
                (true, _) => 1,
                (_, true) => 15 + luck.below(10),
                _ => 2 + luck.below(5),
            },
            numbers: 1 + luck.below(NUMBERS.len()),
            messages: match chatty || campaign {
                true => 60,
                false => 15 + luck.below(35),
            },
            campaign: if campaign { 20 + luck.below(30) } else { 0 },
            posts: luck.below(20),
            span_ms: luck.between(1, if chatty || campaign { 4 } else { 25 }) * 60_000,
            per_second: *luck.pick(match (chatty, campaign) {
                (true, _) => &[10, 80],
                (_, true) => &[1, 2],
                _ => &[1, 2, 10, 80],
            }),
            on_unknown: match luck.chance(0.15) {
                true => OnUnknown::Hold,
                false => OnUnknown::Resend,
            },
            wants: match luck.chance(0.3) {
                true => Wants::All,
                false => Wants::Messages,
            },
            room: [1 + luck.below(8), 1 + luck.below(8), 1 + luck.below(4)],
            batch: 1 + luck.below(6),
            graph_ms: if chatty { 200 } else { 3_000 },
            replies: if chatty { 3 } else { 2 },
            filing: Filing {
                most: *luck.pick(&[1, 4, 16, 1_000]),
                at_least: *luck.pick(&[0, 0, 8]),
            },
        }
    }
}
