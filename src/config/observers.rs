//! `OBSERVERS`: apps that get a copy of events, each with settings of its own.

use super::{Forward, Reader, table};
use crate::wire::notification::Kind;
use crate::wire::signature::StandardKey;
use std::sync::Arc;
use std::time::Duration;

/// Each has threads and connections of its own.
const OBSERVERS_MAX: usize = 16;

const NAME_CHARS_MAX: usize = 32;

/// The name of the consumer that answers: no observer's.
const TAKEN: &str = "bot";

/// What the names of an observer's own settings begin with.
const PREFIX: &str = "OBSERVER_";

/// What they end in. None is the end of another.
const SUFFIXES: [&str; 6] = [
    "_URL",
    "_SECRET",
    "_KINDS",
    "_TIMEOUT",
    "_CONCURRENCY",
    "_MAX_AGE",
];

/// An app that gets a copy of events, and whose answers say nothing.
#[derive(Clone, Debug)]
pub struct Observer {
    /// Where it is and how it is called.
    pub app: Forward,
    /// What the queue decides by.
    pub limits: ObserverLimits,
}

/// What the queue has to know of an observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserverLimits {
    /// As in `OBSERVERS`.
    pub name: Arc<str>,
    /// Which events it gets.
    pub selection: Selection,
    /// How many events it gets at once.
    pub concurrency: usize,
    /// Older events become dead letters.
    pub age_max_ms: i64,
}

/// Some events: those of these kinds, and those under these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What the event is.
    pub kinds: Vec<Kind>,
    /// The webhook field it came under.
    pub fields: Vec<String>,
}

impl Selection {
    /// All events.
    pub fn all() -> Selection {
        Selection {
            kinds: Kind::ALL.into(),
            fields: Vec::new(),
        }
    }

    /// Whether an event is one of these.
    pub fn includes(&self, kind: Kind, field: &str) -> bool {
        self.kinds.contains(&kind) || self.fields.iter().any(|own| own == field)
    }

    /// `all`, or kinds and `field:NAME`, separated by commas. The word that is
    /// neither when there is one.
    fn parse(text: &str) -> Result<Selection, String> {
        let mut selection = Selection::default();
        for word in text.split(',').map(str::trim) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
            let field = word.strip_prefix("field:");
            let plain = |field: &&str| {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                !field.is_empty() && field.bytes().all(plain)
            };
            match (word, kind, field.filter(plain)) {
                ("all", ..) => selection.kinds.extend(Kind::ALL),
                (_, Some(kind), _) => selection.kinds.push(kind),
                (_, None, Some(field)) => selection.fields.push(field.to_owned()),
                _ => return Err(word.to_owned()),
            }
        }
        Ok(selection)
    }
}

/// What holds for an observer that has no value of its own.
pub(super) struct Defaults {
    pub timeout: Duration,
    pub concurrency: usize,
    pub age_max_ms: i64,
    pub allow_private: bool,
}

impl Reader<'_> {
    /// The observers, in the order of `OBSERVERS`.
    pub(super) fn observers(&mut self, defaults: &Defaults) -> Vec<Observer> {
        let text = self.value("OBSERVERS");
        let mut names: Vec<&str> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let mistake = match name {
                _ if !is_name(name) => {
                    "is no name: use small letters, digits and _, 32 at most, beginning with a letter"
                }
                TAKEN => "is how what answers is called: choose another name",
                _ if names.contains(&name) => "stands there twice: take one out",
                _ => {
                    names.push(name);
                    continue;
                }
            };
            self.problem(format!("OBSERVERS={text}: {name:?} {mistake}"));
        }
        if names.len() > OBSERVERS_MAX {
            self.problem(format!(
                "OBSERVERS names {}, and there may be {OBSERVERS_MAX}: have one of your own apps pass events on",
                names.len()
            ));
            names.truncate(OBSERVERS_MAX);
        }
        let read = |name: &&str| self.observer(name, defaults);
        names.iter().filter_map(read).collect()
    }

    fn observer(&mut self, name: &str, defaults: &Defaults) -> Option<Observer> {
        let own = |suffix: &str| format!("{PREFIX}{}{suffix}", name.to_ascii_uppercase());
        let is_set = |reader: &Reader<'_>, name: &str| reader.sources.value(name).is_some();
        let timeout = match own("_TIMEOUT") {
            name if is_set(self, &name) => self.seconds(&name),
            _ => defaults.timeout,
        };
        let concurrency = match own("_CONCURRENCY") {
            name if is_set(self, &name) => self.number(&name, 1, 256) as usize,
            _ => defaults.concurrency,
        };
        let age_max_ms = match own("_MAX_AGE") {
            name if is_set(self, &name) => self.seconds(&name).as_millis() as i64,
            _ => defaults.age_max_ms,
        };
        let selection = self.selection(&own("_KINDS"));
        let key = self.standard_key(&own("_SECRET"));
        let url = own("_URL");
        if !is_set(self, &url) {
            self.problem(format!(
                "{url} is not set, and OBSERVERS names {name}: write its address, or take {name} out of OBSERVERS"
            ));
            return None;
        }
        self.url(&url)?;
        Some(Observer {
            app: Forward {
                url: self.value(&url),
                key,
                timeout,
                concurrency,
                allow_private: defaults.allow_private,
            },
            limits: ObserverLimits {
                name: name.into(),
                selection,
                concurrency,
                age_max_ms,
            },
        })
    }

    fn selection(&mut self, name: &str) -> Selection {
        let Some(text) = self.sources.value(name) else {
            return Selection::all();
        };
        Selection::parse(&text).unwrap_or_else(|word| {
            self.problem(format!(
                "{name}={text}: {word:?} is no kind of event: write all, or some of message, status, \
                 call, other and field:NAME (such as field:account_update), separated by commas"
            ));
            Selection::default()
        })
    }

    /// A secret of the Standard Webhooks specification.
    pub(super) fn standard_key(&mut self, name: &str) -> Option<StandardKey> {
        let secret = self.sources.value(name)?;
        let key = StandardKey::parse(&secret);
        if key.is_none() {
            let mend = table::find("FORWARD_SECRET").mend;
            self.problem(format!("{name} is not a Standard Webhooks secret: {mend}"));
        }
        key
    }

    /// An observer's own settings that nothing reads.
    pub(super) fn unread_observers(&self, observers: &[Observer]) -> Vec<String> {
        let names = self.sources.names().filter(|name| is_own(name));
        let unread = names.filter(|name| {
            let rest = &name[PREFIX.len()..];
            !observers.iter().any(|observer| {
                let own = observer.limits.name.to_ascii_uppercase();
                let suffix = rest.strip_prefix(&own);
                suffix.is_some_and(|suffix| {
                    SUFFIXES.contains(&suffix.strip_suffix("_FILE").unwrap_or(suffix))
                })
            })
        });
        unread
            .map(|name| format!("{name} is set, and OBSERVERS names no such observer"))
            .collect()
    }
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(plain)
}

/// Whether `name` is an observer's own setting.
pub(super) fn is_own(name: &str) -> bool {
    let of = name.strip_prefix(PREFIX);
    let of = of.map(|rest| rest.strip_suffix("_FILE").unwrap_or(rest));
    let of = of.and_then(|rest| SUFFIXES.iter().find_map(|end| rest.strip_suffix(end)));
    of.is_some_and(|of| is_name(&of.to_ascii_lowercase()))
}

/// Whether it is an observer's secret.
pub(super) fn is_own_secret(name: &str) -> bool {
    is_own(name) && name.ends_with("_SECRET")
}
