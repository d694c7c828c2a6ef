//! Who gets events: the bot, which answers, and observers, which get a copy and
//! come and go with the settings.

use super::luck::{Luck, Plan};
use wabridge::config::{ObserverLimits, Selection};
use wabridge::gateway::{BOT, Wants};
use wabridge::policy::burst::Debounce;
use wabridge::wire::notification::Kind;
use wabridge::wire::sample::mix;

const DAY: i64 = 24 * 60 * 60_000;

/// Those the settings name, and what each wants.
#[derive(Clone)]
pub struct Consumers {
    wants: Wants,
    bot_concurrency: usize,
    observers: Vec<Observer>,
    /// `DEBOUNCE`.
    pub debounce: Option<Debounce>,
    /// The longest that it was.
    pub silence_ms_max: Option<i64>,
    /// The operator has the bot wait for more for another time: looked at once a minute.
    pub waits_otherwise: f64,
}

#[derive(Clone)]
struct Observer {
    limits: ObserverLimits,
    /// The settings name it just now.
    served: bool,
}

impl Consumers {
    /// By a stream of chance of their own.
    pub fn draw(seed: u64, plan: &Plan) -> Consumers {
        let luck = &mut Luck::new(mix(seed ^ 0xC0_FFEE));
        let in_pieces = luck.chance(0.5).then(|| debounce(luck));
        let observers = match luck.chance(0.4) {
            true => 1 + luck.below(2),
            false => 0,
        };
        let mut observer = |n: usize| {
            let selection = match luck.below(3) {
                0 => vec![Kind::Message],
                1 => vec![Kind::Status, Kind::Other],
                _ => Kind::ALL.into(),
            };
            Observer {
                limits: ObserverLimits {
                    name: ["crm", "archive"][n].into(),
                    selection: Selection {
                        kinds: selection,
                        fields: Vec::new(),
                    },
                    concurrency: 1 + luck.below(3),
                    age_max_ms: 10 * DAY,
                },
                served: luck.chance(0.8),
            }
        };
        Consumers {
            wants: plan.wants,
            bot_concurrency: plan.room[0],
            observers: (0..observers).map(&mut observer).collect(),
            silence_ms_max: in_pieces.map(|debounce| debounce.silence_ms),
            waits_otherwise: match in_pieces {
                Some(_) => *luck.pick(&[0.0, 0.5]),
                None => 0.0,
            },
            debounce: in_pieces,
        }
    }

    /// Whether people write in pieces here, which the bot is to get in one.
    pub fn in_pieces(&self) -> bool {
        self.silence_ms_max.is_some()
    }

    /// All there are, whether or not they are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let observers = self.observers.iter().map(|one| &*one.limits.name);
        [BOT].into_iter().chain(observers)
    }

    /// For the queue: those that are named.
    pub fn limits(&self) -> Vec<ObserverLimits> {
        let served = self.observers.iter().filter(|one| one.served);
        served.map(|one| one.limits.clone()).collect()
    }

    /// Whether an event of this kind that comes now is for one.
    pub fn wants(&self, name: &str, kind: Kind) -> bool {
        match self.observer(name) {
            Some(one) => one.served && one.limits.selection.includes(kind, ""),
            None => self.wants == Wants::All || kind == Kind::Message,
        }
    }

    /// How many deliveries one may have under way; none while it is not named.
    pub fn concurrency(&self, name: &str) -> usize {
        match self.observer(name) {
            Some(one) if one.served => one.limits.concurrency,
            Some(_) => 0,
            None => self.bot_concurrency,
        }
    }

    /// How many threads there are for all of them.
    pub fn workers(&self) -> usize {
        self.names().map(|name| self.concurrency(name)).sum()
    }

    /// Somebody has written. With `DEBOUNCE` people go on, after these pauses each:
    /// mostly not at all, often with a few messages, now and then with more than
    /// one burst holds, or for longer.
    pub fn pauses(&self, luck: &mut Luck) -> Vec<i64> {
        let Some(Debounce { silence_ms }) = self.debounce else {
            return Vec::new();
        };
        let (count, least, most) = match luck.below(60) {
            0 => (24, 0, silence_ms / 4),
            1..=2 => (16, silence_ms / 2, silence_ms),
            3..=18 => (1 + luck.below(4), 0, silence_ms * 6 / 5),
            _ => (0, 0, 0),
        };
        (0..count).map(|_| luck.between(least, most)).collect()
    }

    /// The operator takes one out of the settings, or puts it back.
    pub fn change(&mut self, luck: &mut Luck) {
        if !self.observers.is_empty() {
            let one = luck.below(self.observers.len());
            self.observers[one].served ^= true;
        }
    }

    /// The operator has the bot wait for more for longer, or not so long, or not at all.
    pub fn wait_otherwise(&mut self, luck: &mut Luck) {
        self.debounce = luck.chance(0.8).then(|| debounce(luck));
        let silence_ms = self.debounce.map(|debounce| debounce.silence_ms);
        self.silence_ms_max = self.silence_ms_max.max(silence_ms);
    }

    /// All are in the settings again.
    pub fn all_served(&mut self) {
        self.observers.iter_mut().for_each(|one| one.served = true);
    }

    fn observer(&self, name: &str) -> Option<&Observer> {
        self.observers.iter().find(|one| &*one.limits.name == name)
    }
}

fn debounce(luck: &mut Luck) -> Debounce {
    Debounce {
        silence_ms: *luck.pick(&[1_000, 5_000, 20_000, 60_000]),
    }
}
