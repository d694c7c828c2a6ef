//! Customers' files: which of their messages hold one, what Meta does when it is
//! asked for one, and the book of what must have become of each.

use super::book::{Check, ensure, on_disk, read};
use super::luck::{Faults, Luck};
use super::meta::Event;
use super::world::{Act, World};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use wabridge::gateway::Fetching;
use wabridge::policy::fetch::{Fetch, Stored};
use wabridge::store::Tx;
use wabridge::store::rows::{Job, JobId, JobState, QueueKind};
use wabridge::wire::media::{self, Digest};

/// The fewest attempts after which a file may be given up that did not say
/// itself that it never comes.
const TRIES_MIN: u32 = 4;

/// What became of one file.
#[derive(Default)]
struct Entry {
    attempts: u32,
    not_before: i64,
    ended: Option<JobState>,
}

#[derive(Default)]
pub struct Files {
    /// Meta gives no files out before this time.
    down_until: i64,
    /// By Meta's id: those whose event was stored.
    entries: BTreeMap<String, Entry>,
    pub fetching: HashMap<JobId, String>,
    /// Their event is not stored any more.
    gone: BTreeSet<String>,
}

/// Some messages are pictures.
pub fn attach(luck: &mut Luck, event: &mut Event, n: usize) {
    let is_text = event.element["type"] == "text";
    if !is_text || !luck.chance(0.3) {
        return;
    }
    if let Some(element) = event.element.as_object_mut() {
        element.remove("text");
        element.insert("type".into(), json!("image"));
        let id = format!("9{n:015}");
        element.insert("image".into(), json!({"id": id, "mime_type": "image/jpeg"}));
    }
}

impl Files {
    /// Once a minute: does Meta stop giving files out for a while?
    pub fn minute(&mut self, luck: &mut Luck, faults: &Faults, now: i64) {
        if luck.chance(faults.files_down) {
            self.down_until = now + luck.between(20_000, 6 * 60_000);
        }
    }

    pub fn mend(&mut self) {
        self.down_until = 0;
    }

    /// Times that were told before mean nothing any more.
    pub fn clock_was_set(&mut self) {
        self.entries
            .values_mut()
            .for_each(|entry| entry.not_before = 0);
    }

    /// Events were committed: from now on their files are owed.
    pub fn received<'e>(&mut self, events: impl Iterator<Item = &'e Event>) {
        for event in events {
            for file in media::attachments(&event.element.to_string()) {
                if !self.gone.contains(&file.id) {
                    self.entries.entry(file.id).or_default();
                }
            }
        }
    }

    fn claimed(&mut self, tx: &Tx<'_>, fetching: &Fetching, now: i64) -> Check {
        on_disk(tx, fetching.job, fetching.attempt)?;
        let id = &fetching.media_id;
        let entry = self.entries.get_mut(id);
        let entry = entry.ok_or_else(|| format!("file {id} was never heard of"))?;
        entry.attempts += 1;
        ensure(entry.ended.is_none(), || format!("file {id} has ended"))?;
        ensure(fetching.attempt == entry.attempts, || {
            format!(
                "file {id}: attempt {} is called {}",
                entry.attempts, fetching.attempt
            )
        })?;
        ensure(now >= entry.not_before, || {
            format!("file {id} is fetched before it is due")
        })?;
        let twice = self.fetching.values().any(|other| other == id);
        ensure(!twice, || format!("file {id} is fetched twice at once"))?;
        self.fetching.insert(fetching.job, id.clone());
        Ok(())
    }

    /// What Meta makes of an attempt.
    fn answer(&self, luck: &mut Luck, faults: &Faults, now: i64) -> Fetch {
        let later = |wait: Option<i64>, down| Fetch::Later {
            reason: "as simulated".into(),
            wait: wait.map(|secs| Duration::from_secs(secs as u64)),
            down,
        };
        if now < self.down_until {
            return later(None, true);
        }
        if luck.chance(faults.file_later) {
            let wait = luck.chance(0.5).then(|| luck.between(1, 90));
            return later(wait, luck.chance(0.5));
        }
        if luck.chance(faults.file_wrong) {
            return match luck.below(4) {
                0 => Fetch::TooLarge { bytes: 1 << 30 },
                1 => Fetch::Elsewhere,
                2 => Fetch::WrongDigest,
                _ => Fetch::Gone {
                    reason: "as simulated".into(),
                },
            };
        }
        Fetch::Fetched(Stored {
            file: "file".into(),
            bytes: 3,
            sha256: Digest([1; 32]),
            mime_type: None,
        })
    }

    fn finished(&mut self, job: &Job, fetching: &Fetching, outcome: &Fetch, now: i64) -> Check {
        let id = self.fetching.remove(&job.id).expect("it was claimed");
        let entry = self.entries.get_mut(&id).expect("it was claimed");
        match job.state {
            JobState::Waiting => {
                let asked = match outcome {
                    Fetch::Later { wait, .. } => wait.map_or(0, |wait| wait.as_millis() as i64),
                    _ => 0,
                };
                entry.not_before = now + asked.max(1);
            }
            JobState::Running => return Err(format!("file {id} is still under way")),
            ended => entry.ended = Some(ended),
        }
        let allowed = match (outcome, job.state) {
            (Fetch::Fetched(_), state) => state == JobState::Done,
            (_, JobState::Done) => false,
            (Fetch::TooLarge { .. }, state) => state == JobState::Dead,
            // These worlds are shorter than a file's life.
            (Fetch::Later { .. }, state) => state == JobState::Waiting,
            (_, JobState::Dead) => fetching.attempt >= TRIES_MIN,
            _ => true,
        };
        ensure(allowed, || {
            format!("file {id} is {:?} after {outcome:?}", job.state)
        })
    }

    /// An operator wants the event of this stored body again, and what could not
    /// be fetched of it.
    pub fn replayed(&mut self, body: &str) {
        for file in media::attachments(body) {
            let given_up = |entry: &&mut Entry| entry.ended == Some(JobState::Dead);
            if let Some(entry) = self.entries.get_mut(&file.id).filter(given_up) {
                *entry = Entry::default();
            }
        }
    }

    /// The files of an event go with it, those alone that have ended if that is so.
    pub fn go(&mut self, element: &str, ended: bool) -> Check {
        for file in media::attachments(element) {
            let entry = self.entries.remove(&file.id);
            let has_ended = entry.is_none_or(|entry| entry.ended.is_some());
            ensure(has_ended || !ended, || {
                format!("file {} went and is still to be fetched", file.id)
            })?;
            self.fetching.retain(|_, other| *other != file.id);
            self.gone.insert(file.id);
        }
        Ok(())
    }

    /// The process is up again; what was under way is over.
    pub fn recovered(&mut self, fetches: usize) -> Check {
        let under_way = self.fetching.len();
        ensure(fetches == under_way, || {
            format!("{under_way} files were under way, {fetches} were found")
        })?;
        for (_, id) in self.fetching.drain() {
            let entry = self.entries.get_mut(&id).expect("it was claimed");
            entry.not_before = 0;
        }
        Ok(())
    }

    /// In the end each file of each event is there, or was given up with reason.
    pub fn check(&self, tx: &Tx<'_>) -> Check {
        let mut stored = 0;
        for event in read(tx.events(i64::MAX, 100_000))? {
            for media in read(tx.media_of(event.id))? {
                stored += 1;
                let entry = self.entries.get(&media.media_id);
                let ended = entry.and_then(|entry| entry.ended);
                let is_there = media.file.is_some();
                ensure(
                    ended.is_some_and(|e| is_there == (e == JobState::Done)),
                    || format!("file {} ended {ended:?}, there: {is_there}", media.media_id),
                )?;
            }
        }
        ensure(stored == self.entries.len(), || {
            format!("{stored} files are stored of {}", self.entries.len())
        })
    }
}

impl World {
    /// An attempt is written; now it is made, unless the process just died.
    pub fn begin_fetch(&mut self, fetching: Fetching, dead: bool) -> Check {
        self.note(|| format!("fetch {fetching:?}"));
        let (now, life, files) = (self.now, self.life, &mut self.files);
        read(
            self.database
                .read(|tx| Ok(files.claimed(tx, &fetching, now))),
        )??;
        if !dead {
            let outcome = self.files.answer(&mut self.luck, &self.plan.faults, now);
            let takes = self.luck.between(50, 60_000);
            let act = Act::Fetched {
                fetching,
                outcome,
                life,
            };
            self.at(takes, act);
        }
        Ok(())
    }

    pub fn finish_fetch(&mut self, fetching: Fetching, outcome: Fetch) -> Check {
        let (now, clock, luck) = (self.now, self.clock(), self.luck.unit());
        let (job, attempt) = (fetching.job, fetching.attempt);
        let finished = self.step(|gateway, tx| {
            let gateway = gateway.expect("its life is not over");
            gateway.finish_fetch(tx, clock, job, attempt, &outcome, luck)
        })?;
        if finished.value.is_none() && !finished.dies {
            let life = self.life;
            let act = Act::Fetched {
                fetching,
                outcome,
                life,
            };
            self.at(1_000, act);
            return Ok(());
        }
        let forgotten = !self.files.fetching.contains_key(&job);
        if finished.value.is_some() && !forgotten {
            self.note(|| format!("{fetching:?} ends: {outcome:?}"));
            let job = read(self.database.read(|tx| tx.job(job)))?.ok_or("a job is gone")?;
            self.files.finished(&job, &fetching, &outcome, now)?;
            self.wake_soon(QueueKind::Fetch, now);
        }
        self.die_if(finished.dies);
        Ok(())
    }
}
