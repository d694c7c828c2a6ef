//! Upkeep of what is stored: what has become old goes, and so does a person who
//! is to be forgotten. All in small steps, between which others commit, within
//! the service or beside it; and files on disk go with the rows that name them.
//!
//! * [`rounds`]: what the service does by itself
//!
//! A file is taken from MEDIA_DIR in a commit of its own, after the one in which
//! the last row went that named it. A fetch looks in its own commit whether its
//! file is still there. So no row ever names a file that is not, and what a crash
//! leaves behind is found by [`Upkeep::sweep_folder`].

pub mod rounds;

use super::clock;
use super::media::folder;
use crate::gateway::fetch;
use crate::gateway::forget::{self, Left, Person, Removed};
use crate::gateway::prune::{self, Pruned};
use crate::policy::upkeep as policy;
use crate::store::rows::Log;
use crate::store::{Access, Committer, Database, Reader, Result, Tx};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A file that no row names is somebody's for so long: of a fetch that has not
/// committed yet.
const ORPHAN_MS: i64 = 3_600_000;

/// Names of files looked at in one step.
const NAMES_AT_ONCE: usize = 100;

/// How often it is tried to empty the log, with [`LOG_AGAIN`] in between: a
/// reader may be in the way.
const LOG_TRIES: u32 = 50;
const LOG_AGAIN: Duration = Duration::from_millis(100);

/// Who makes the steps.
pub trait Steps {
    /// Looks at what is committed, keeping nobody waiting.
    fn read<T>(&mut self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T>;

    /// Makes a step, which may run again from its start.
    fn commit<T: Send + 'static>(
        &mut self,
        step: impl FnMut(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T>;

    /// Writes the log back and empties it. Whether that went through.
    fn empty_log(&mut self) -> Result<bool>;

    /// Whether to leave off.
    fn stopping(&self) -> bool {
        false
    }
}

/// A visitor beside the service, or without one.
pub struct Visitor(pub Database);

impl Steps for Visitor {
    fn read<T>(&mut self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.0.read(look)
    }

    fn commit<T: Send + 'static>(
        &mut self,
        step: impl FnMut(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.commit(step)
    }

    fn empty_log(&mut self) -> Result<bool> {
        self.0.empty_log()
    }
}

/// Within the service.
pub struct Inside {
    committer: Committer,
    path: PathBuf,
    reader: Reader,
    stopping: Arc<AtomicBool>,
}

impl Inside {
    /// With the service's store thread, on its file.
    pub fn new(committer: Committer, path: &Path) -> Inside {
        Inside {
            committer,
            path: path.to_owned(),
            reader: Reader::of(path),
            stopping: Arc::default(),
        }
    }
}

impl Steps for Inside {
    fn read<T>(&mut self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.reader.read(look)
    }

    fn commit<T: Send + 'static>(
        &mut self,
        step: impl FnMut(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.committer.commit(step)
    }

    fn empty_log(&mut self) -> Result<bool> {
        Database::open(&self.path, Access::Visit)?.empty_log()
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// What a pass over the old rows came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Events that went.
    pub events: usize,
    /// Messages that went.
    pub messages: usize,
    /// Files that went.
    pub files: usize,
    /// Old ones that stay: something is still to be done.
    pub kept: usize,
}

/// Who was forgotten.
#[derive(Clone, Debug, Default)]
pub struct Forgotten {
    /// `number/user`, each.
    pub conversations: Vec<String>,
    /// What was taken out.
    pub removed: Removed,
    /// Files on disk that went.
    pub files: usize,
    /// The log beside the database holds nothing of it either. If not, it will
    /// when it is written anew: somebody read for a long time.
    pub log_emptied: bool,
}

/// Upkeep by somebody, and of the files in a folder, if there is one.
pub struct Upkeep<S> {
    steps: S,
    media: Option<PathBuf>,
}

impl<S: Steps> Upkeep<S> {
    /// `media`: MEDIA_DIR.
    pub fn new(steps: S, media: Option<&Path>) -> Upkeep<S> {
        Upkeep {
            steps,
            media: media.map(Path::to_owned),
        }
    }

    /// A step, and a pause that leaves the store to others.
    fn step<T: Send + 'static>(
        &mut self,
        run: impl FnMut(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let began = clock::monotonic_us();
        let value = self.steps.commit(run)?;
        let took = u64::try_from(clock::monotonic_us() - began).unwrap_or(0);
        thread::sleep(policy::pause(Duration::from_micros(took)));
        Ok(value)
    }

    /// The time by which the old goes.
    pub fn believed_now(&mut self) -> Result<i64> {
        self.step(|tx| prune::believed_now(tx, clock::now_ms()))
    }

    /// Gives up files that nobody can fetch any more, by the time that is believed.
    pub fn give_up_files(&mut self, believed: i64) -> Result<()> {
        let run = move |tx: &Tx<'_>| fetch::give_up_old(tx, believed, prune::REMOVED_AT_ONCE);
        while !self.steps.stopping() && self.step(run)? > 0 {}
        Ok(())
    }

    /// Takes out what was stored before a time and is done with.
    pub fn prune(&mut self, before: i64) -> Result<Passed> {
        let mut passed = Passed::default();
        for log in [Log::Events, Log::Messages] {
            let mut after = Some(0);
            while let Some(from) = after.filter(|_| !self.steps.stopping()) {
                let run = move |tx: &Tx<'_>| prune::step(tx, clock::now_ms(), log, from, before);
                let pruned = self.step(run)?;
                passed.files += self.remove_files(&pruned.files)?;
                after = pruned.after;
                passed.add(log, &pruned);
            }
        }
        Ok(passed)
    }

    /// What [`Upkeep::prune`] would take out; files are not counted.
    pub fn rehearse(&mut self, before: i64) -> Result<Passed> {
        let mut passed = Passed::default();
        for log in [Log::Events, Log::Messages] {
            let (mut after, mut kept) = (Some(0), BTreeSet::new());
            while let Some(from) = after {
                let now = clock::now_ms();
                let look = |tx: &Tx<'_>| prune::rehearse(tx, now, log, from, before, &mut kept);
                let pruned = self.steps.read(look)?;
                after = pruned.after;
                passed.add(log, &pruned);
            }
        }
        Ok(passed)
    }

    /// Forgets the digests of events that went long ago, by the time that is believed.
    pub fn sweep_digests(&mut self, believed: i64) -> Result<()> {
        let mut after = Some(Vec::new());
        while let Some(from) = after.filter(|_| !self.steps.stopping()) {
            let run = move |tx: &Tx<'_>| prune::sweep_digests(tx, clock::now_ms(), believed, &from);
            after = self.step(run)?.after;
        }
        Ok(())
    }

    /// Forgets what idempotency keys made, and uploads, long ago, by the time that is
    /// believed.
    pub fn sweep_keys(&mut self, believed: i64) -> Result<()> {
        while !self.steps.stopping() {
            let swept = self.step(move |tx| prune::sweep_keys(tx, believed))?;
            if swept == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Gives free pages of the file back to the disk.
    pub fn give_back(&mut self) -> Result<()> {
        while !self.steps.stopping() && self.step(prune::give_back)? {}
        Ok(())
    }

    /// Removes files that no event names (any more). How many.
    pub fn sweep_folder(&mut self) -> Result<usize> {
        let Some(media) = self.media.clone() else {
            return Ok(0);
        };
        let names = match folder::older_than(&media, clock::now_ms() - ORPHAN_MS) {
            Ok(names) => names,
            Err(error) => {
                log::warn!(
                    "msg=\"MEDIA_DIR cannot be looked through\" error=\"{}\"",
                    error.kind()
                );
                return Ok(0);
            }
        };
        let mut removed = 0;
        for names in names.chunks(NAMES_AT_ONCE) {
            if self.steps.stopping() {
                break;
            }
            let mut orphans = Vec::new();
            self.steps.read(|tx| {
                for name in names {
                    orphans.extend((!tx.is_named(name)?).then(|| name.clone()));
                }
                Ok(())
            })?;
            removed += self.remove_files(&orphans)?;
        }
        Ok(removed)
    }

    /// Removes files that were named by rows that are gone, unless others name
    /// them. How many.
    fn remove_files(&mut self, names: &[String]) -> Result<usize> {
        let Some(media) = self.media.clone() else {
            return Ok(0);
        };
        let mut removed = 0;
        for name in names {
            let (folder, name) = (media.clone(), name.clone());
            let run = move |tx: &Tx<'_>| {
                if tx.is_named(&name)? {
                    return Ok(false);
                }
                if let Err(error) = folder::unlink(&folder, &name) {
                    let kind = error.kind();
                    log::error!(
                        "msg=\"a file that is nobody's any more is still in MEDIA_DIR\" file={name} error=\"{kind}\""
                    );
                    return Ok(false);
                }
                Ok(true)
            };
            removed += usize::from(self.steps.commit(run)?);
        }
        if removed > 0
            && let Err(error) = folder::sync(&media)
        {
            log::warn!(
                "msg=\"MEDIA_DIR cannot be synced\" error=\"{}\"",
                error.kind()
            );
        }
        Ok(removed)
    }

    /// What would be forgotten of a person; `None` when nobody knows them.
    pub fn survey(&mut self, number: Option<&str>, user: &str) -> Result<Option<Forgotten>> {
        let person = self.steps.read(|tx| Person::find(tx, number, user))?;
        let mut removed = Removed::default();
        for log in [Log::Events, Log::Messages] {
            let mut after = Some(0);
            while let Some(from) = after {
                let found = self.steps.read(|tx| person.look(tx, log, from))?;
                after = found.more.then_some(found.upto);
                match log {
                    Log::Events => removed.events += found.ids.len(),
                    Log::Messages => removed.messages += found.ids.len(),
                }
            }
        }
        let would_be = Forgotten {
            conversations: person.names,
            removed,
            files: 0,
            log_emptied: false,
        };
        Ok(would_be.of_somebody())
    }

    /// Forgets a person, of one number or of all; `None` when nobody knows them.
    /// When it fails half-way, or is stopped, the person is still known, and it
    /// can be done again.
    pub fn forget(&mut self, number: Option<&str>, user: &str) -> Result<Option<Forgotten>> {
        let mut so_far = Forgotten::default();
        loop {
            let person = self.steps.read(|tx| Person::find(tx, number, user))?;
            so_far.conversations.clone_from(&person.names);
            if self.forget_person(&Arc::new(person), &mut so_far)? {
                break;
            }
        }
        let Some(mut forgotten) = so_far.of_somebody() else {
            return Ok(None);
        };
        forgotten.log_emptied = self.empty_log()?;
        Ok(Some(forgotten))
    }

    /// Whether they are forgotten; if not, they are known otherwise now.
    fn forget_person(&mut self, person: &Arc<Person>, so_far: &mut Forgotten) -> Result<bool> {
        let mut looked_at = [(Log::Events, 0), (Log::Messages, 0)];
        loop {
            so_far.removed.open += self.end_jobs(person)?;
            for (log, after) in &mut looked_at {
                *after = self.remove_from(*log, *after, person, so_far)?;
            }
            let (of, [(_, events), (_, messages)]) = (Arc::clone(person), looked_at);
            match self.step(move |tx| of.leave(tx, clock::now_ms(), events, messages))? {
                Left::Forgotten(removed) => {
                    self.note(so_far, removed)?;
                    return Ok(true);
                }
                Left::NotYet(removed) => self.note(so_far, removed)?,
                Left::Changed => return Ok(false),
            }
        }
    }

    fn end_jobs(&mut self, person: &Arc<Person>) -> Result<usize> {
        let mut all = 0;
        loop {
            let of = Arc::clone(person);
            let run =
                move |tx: &Tx<'_>| forget::end_jobs(tx, clock::now_ms(), &of, forget::AT_ONCE);
            let ended = self.step(run)?;
            all += ended;
            if ended < forget::AT_ONCE {
                return Ok(all);
            }
        }
    }

    /// Looks through a log from a row on, and takes out what is the person's.
    /// Returns the last row that was looked at.
    fn remove_from(
        &mut self,
        log: Log,
        mut after: i64,
        person: &Arc<Person>,
        so_far: &mut Forgotten,
    ) -> Result<i64> {
        loop {
            let found = self.steps.read(|tx| person.look(tx, log, after))?;
            after = found.upto;
            if !found.ids.is_empty() {
                let (of, ids) = (Arc::clone(person), found.ids);
                let run = move |tx: &Tx<'_>| of.remove(tx, clock::now_ms(), log, &ids);
                let removed = self.step(run)?;
                self.note(so_far, removed)?;
            }
            if !found.more {
                return Ok(after);
            }
        }
    }

    fn note(&mut self, so_far: &mut Forgotten, removed: Removed) -> Result<()> {
        so_far.files += self.remove_files(&removed.files)?;
        so_far.removed.add(removed);
        Ok(())
    }

    fn empty_log(&mut self) -> Result<bool> {
        for _ in 0..LOG_TRIES {
            if self.steps.empty_log()? {
                return Ok(true);
            }
            thread::sleep(LOG_AGAIN);
        }
        Ok(false)
    }
}

impl Forgotten {
    /// Unless nobody was known and nothing found.
    fn of_somebody(self) -> Option<Forgotten> {
        let found = self.removed.events + self.removed.messages;
        (found > 0 || !self.conversations.is_empty()).then_some(self)
    }
}

impl Passed {
    fn add(&mut self, log: Log, pruned: &Pruned) {
        match log {
            Log::Events => self.events += pruned.removed,
            Log::Messages => self.messages += pruned.removed,
        }
        self.kept += pruned.kept;
    }
}
