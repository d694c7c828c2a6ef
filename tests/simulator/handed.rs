//! What one consumer was handed: each event that is for it until it ended, the
//! lanes in order, and bursts that stay what they are.

use super::book::{Check, ensure};
use super::entries::Arrived;
use super::lanes::{Lane, Lanes};
use super::meta;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wabridge::gateway::{Delivery, Outcome};
use wabridge::policy::burst::Debounce;
use wabridge::store::rows::{JobId, JobState};
use wabridge::wire::notification::Kind;

/// The most messages in a burst.
const BURST_MAX: usize = 20;
/// A burst lasts so many silences at most, and never longer than that.
const SILENCES_MAX: i64 = 10;
const BURST_MS_MAX: i64 = 5 * 60_000;

/// What is stored, as consumers see it.
pub struct Stored<'b> {
    pub arrived: &'b [Option<Arrived>],
    /// In order of arrival.
    pub arrivals: &'b [usize],
    pub by_name: &'b HashMap<String, usize>,
    pub lanes: &'b Lanes,
}

impl Stored<'_> {
    fn of(&self, index: usize) -> &Arrived {
        self.arrived[index].as_ref().expect("it is in `arrivals`")
    }

    fn lane(&self, index: usize) -> Lane {
        self.lanes.root(self.of(index).lane)
    }

    /// The events in an envelope.
    pub fn members(&self, body: &str) -> Check<Vec<usize>> {
        let names = meta::names_of(body).into_iter();
        names
            .map(|name| {
                let known = self.by_name.get(&name).copied();
                known.ok_or_else(|| format!("{name} is delivered and was never received"))
            })
            .collect()
    }
}

/// An event that is for a consumer.
#[derive(Default)]
pub struct Entry {
    pub ended: Option<JobState>,
    attempts: u32,
    not_before: i64,
    /// Since its first attempt: what it goes with, itself included.
    burst: Vec<usize>,
}

/// One consumer's.
pub struct Handed {
    name: String,
    /// As the process knows it.
    pub debounce: Option<Debounce>,
    /// By Meta's index of the event.
    pub entries: BTreeMap<usize, Entry>,
    pub under_way: HashMap<JobId, Vec<usize>>,
    /// How often in a row it was down.
    pub failures: u32,
}

impl Handed {
    pub fn new(name: &str, debounce: Option<Debounce>) -> Handed {
        Handed {
            name: name.to_owned(),
            debounce,
            entries: BTreeMap::new(),
            under_way: HashMap::new(),
            failures: 0,
        }
    }

    /// A delivery was claimed, and the claim is on disk.
    pub fn claimed(
        &mut self,
        stored: &Stored<'_>,
        delivery: &Delivery,
        (now, clock): (i64, i64),
    ) -> Check<Vec<usize>> {
        let members = stored.members(&delivery.body)?;
        let first = members[0];
        let (lane, to) = (stored.lane(first), &self.name);
        let name = |index: usize| &stored.of(index).name;
        for member in &members {
            ensure(stored.lane(*member) == lane, || {
                format!("{} and {} go together to {to}", name(first), name(*member))
            })?;
        }
        for earlier in stored.arrivals.iter().take_while(|i| **i != first) {
            let waits = self.is_open(*earlier) && stored.lane(*earlier) == lane;
            ensure(!waits, || {
                format!("{} overtakes {} to {to}", name(first), name(*earlier))
            })?;
        }
        for other in self.under_way.values().flatten() {
            ensure(stored.lane(*other) != lane, || {
                let (one, other) = (name(first), name(*other));
                format!("{one} and {other} run at once in one lane to {to}")
            })?;
        }
        let known = self.entries.get(&first).map(|entry| &entry.burst);
        match known.filter(|burst| !burst.is_empty()) {
            Some(burst) => ensure(*burst == members, || {
                format!(
                    "{} went with {burst:?} to {to}, and now it is {members:?}",
                    name(first)
                )
            })?,
            None => self.is_right(stored, &members, clock)?,
        }
        for member in &members {
            let entry = self.entries.get_mut(member);
            let entry = entry.filter(|entry| entry.ended.is_none()).ok_or_else(|| {
                format!(
                    "{} goes to {to} again after it ended, or unasked",
                    name(*member)
                )
            })?;
            entry.attempts += 1;
            let (counted, called) = (entry.attempts, delivery.attempt);
            ensure(called == counted, || {
                format!(
                    "{} to {to}: attempt {counted} is called {called}",
                    name(*member)
                )
            })?;
            ensure(now >= entry.not_before, || {
                format!("{} goes to {to} before it is due", name(*member))
            })?;
            entry.burst.clone_from(&members);
        }
        self.under_way.insert(delivery.job, members.clone());
        Ok(members)
    }

    /// Whether these are what must go together, and it is time.
    fn is_right(&self, stored: &Stored<'_>, members: &[usize], clock: i64) -> Check {
        let (first, last) = (stored.of(members[0]), stored.of(members[members.len() - 1]));
        let (name, together) = (&first.name, members.len());
        let Some(debounce) = self.debounce.filter(|_| first.said) else {
            return ensure(together == 1, || {
                format!("{name} is no part of a burst to {}", self.name)
            });
        };
        let silence = debounce.silence_ms;
        let longest = longest(debounce);
        let joins = |before, next| joins(debounce, first, before, next);
        ensure(together <= BURST_MAX, || {
            format!("{together} go with {name}")
        })?;
        for pair in members.windows(2) {
            let [before, next] = [stored.of(pair[0]), stored.of(pair[1])];
            ensure(joins(before, next) && self.is_new(pair[1]), || {
                format!("{} is in one burst with {}", next.name, before.name)
            })?;
        }
        let place = |index| stored.arrivals.iter().position(|i| *i == index);
        let from = place(members[0]).expect("it arrived");
        let lane = stored.lane(members[0]);
        let behind = stored.arrivals[from + 1..].iter().copied().filter(|index| {
            let waits = self.is_open(*index) && stored.lane(*index) == lane;
            waits && stored.of(*index).kind != Kind::Status
        });
        let behind: Vec<usize> = behind.collect();
        ensure(behind.starts_with(&members[1..]), || {
            format!("the burst of {name} leaves out {behind:?}, it is {members:?}")
        })?;
        let next = behind.get(together - 1).copied();
        let is_next = |index: usize| joins(last, stored.of(index)) && self.is_new(index);
        let left = next.filter(|index| together < BURST_MAX && is_next(*index));
        ensure(left.is_none(), || {
            format!("{left:?} is left behind by the burst of {name}")
        })?;
        let until = (last.received_at + silence).min(first.received_at + longest);
        let set_back = |index: &usize| stored.of(*index).received_at > clock;
        let over = clock >= until || together == BURST_MAX || next.is_some();
        ensure(over || members.iter().any(set_back), || {
            format!("{name} is handed over and more may come")
        })
    }

    /// These ended without being handed over, in the order in which they came. What
    /// is one burst stays one, should they be wanted after all.
    pub fn passed_over(&mut self, stored: &Stored<'_>, over: &[usize]) {
        let mut bursts: Vec<Vec<usize>> = Vec::new();
        for &index in over {
            let (next, lane) = (stored.of(index), stored.lane(index));
            let of_lane = |burst: &&mut Vec<usize>| stored.lane(burst[0]) == lane;
            let newest = bursts.iter_mut().rev().find(of_lane);
            let fits = |burst: &Vec<usize>| {
                let (first, before) = (stored.of(burst[0]), stored.of(burst[burst.len() - 1]));
                let in_time = |debounce| first.said && joins(debounce, first, before, next);
                burst.len() < BURST_MAX && self.debounce.is_some_and(in_time)
            };
            match newest.filter(|burst| fits(burst) && self.is_new(index)) {
                Some(burst) => burst.push(index),
                None => bursts.push(vec![index]),
            }
        }
        for burst in bursts {
            for index in &burst {
                let entry = self.entries.entry(*index).or_default();
                entry.ended = Some(JobState::Done);
                if entry.burst.is_empty() {
                    entry.burst.clone_from(&burst);
                }
            }
        }
    }

    fn is_open(&self, index: usize) -> bool {
        let entry = self.entries.get(&index);
        entry.is_some_and(|entry| entry.ended.is_none())
    }

    fn is_new(&self, index: usize) -> bool {
        let entry = self.entries.get(&index);
        entry.is_some_and(|entry| entry.burst.is_empty())
    }

    /// The end of a delivery was committed. The events in it.
    pub fn finished(&mut self, job: JobId, outcome: &Outcome, now: i64) -> Vec<usize> {
        let members = self.under_way.remove(&job).expect("it was claimed");
        self.failures = match outcome {
            Outcome::Retry { down: true, .. } => self.failures + 1,
            _ => 0,
        };
        for member in &members {
            let entry = self.entries.get_mut(member).expect("it was claimed");
            match outcome {
                Outcome::Retry { wait, .. } => {
                    entry.not_before = now + wait.map_or(0, |wait| wait.as_millis() as i64);
                }
                Outcome::Dead { .. } => entry.ended = Some(JobState::Dead),
                Outcome::Done { .. } => entry.ended = Some(JobState::Done),
            }
        }
        members
    }

    /// An operator wants an event delivered again, if it ended. What comes with it.
    pub fn replayed(&mut self, index: usize) -> Vec<usize> {
        let entry = self.entries.get(&index);
        let Some(entry) = entry.filter(|entry| entry.ended.is_some()) else {
            return Vec::new();
        };
        let mut members = entry.burst.clone();
        if members.is_empty() {
            members.push(index);
        }
        for member in &members {
            let entry = self
                .entries
                .get_mut(member)
                .expect("it went with the other");
            *entry = Entry {
                // Whatever waits beside it, it goes as it went, or alone.
                burst: members.clone(),
                ..Entry::default()
            };
        }
        members
    }

    /// These events are not stored any more: what went with them goes without.
    pub fn went(&mut self, gone: &BTreeSet<usize>) {
        for entry in self.entries.values_mut() {
            entry.burst.retain(|member| !gone.contains(member));
        }
    }

    /// The process is up again; what was under way is over.
    pub fn recovered(&mut self) {
        for member in self.under_way.drain().flat_map(|(_, members)| members) {
            let entry = self.entries.get_mut(&member).expect("it was claimed");
            entry.not_before = 0;
        }
    }

    /// The service's clock was set: waits may end early.
    pub fn clock_was_set(&mut self) {
        let entries = self.entries.values_mut();
        entries.for_each(|entry| entry.not_before = 0);
    }
}

/// The longest that a burst lasts.
fn longest(debounce: Debounce) -> i64 {
    (debounce.silence_ms * SILENCES_MAX).min(BURST_MS_MAX)
}

/// Whether a message goes with the one before it, in the burst of the first.
fn joins(debounce: Debounce, first: &Arrived, before: &Arrived, next: &Arrived) -> bool {
    next.said
        && next.stale == first.stale
        && next.received_at - before.received_at <= debounce.silence_ms
        && next.received_at - first.received_at <= longest(debounce)
}
