//! Group commit: one thread owns the database and commits for everybody.
//!
//! A step that arrives while a commit is under way waits for the next one,
//! together with all others that came meanwhile: one disk sync serves them all.
//! There is no timer; a lone step is committed at once.

use super::tx::Entered;
use super::write_back::WriteBack;
use super::{Database, Result, StoreError, Tx};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Steps waiting for the store. A webhook that finds it full is answered 503,
/// and Meta delivers it again: better than a queue that only grows.
const WAITING_MAX: usize = 1_024;

/// Steps in one commit. Bounds how long the first of them waits for the rest.
const BATCH_MAX: usize = 256;

/// Nobody has come for so long: there is room for what commits held back.
const QUIET: Duration = Duration::from_millis(100);

/// Something to be committed, and to be told about it.
pub trait Step: Send {
    /// Reads and writes. May run again from the start when a commit that holds
    /// it has failed because of another step, so it must not keep what it did
    /// from the first time.
    fn run(&mut self, tx: &Tx<'_>) -> Result<()>;

    /// Told once, after the commit or the failure. Must not block: everybody
    /// waits for this thread.
    fn done(self: Box<Self>, outcome: Result<()>);
}

/// A commit that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Steps that shared it.
    pub steps: usize,
    /// How many messages came into each state by it.
    pub entered: Entered,
}

/// Looks on while the store thread works. Must not block.
pub trait Watch: Send {
    /// All steps have run: they are being written to the disk.
    fn syncing(&mut self) {}

    /// They are on disk.
    fn committed(&mut self, _commit: &Commit) {}

    /// They are not, and are undone. Steps that may not be to blame are tried again, each by
    /// itself.
    fn failed(&mut self) {}
}

/// Nobody looks on.
impl Watch for () {}

/// The store cannot take the step now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many steps wait already.
    Overloaded,
    /// The store has stopped.
    Stopped,
}

/// Hands steps to the store thread.
#[derive(Clone)]
pub struct Committer {
    steps: SyncSender<Message>,
}

enum Message {
    Step(Box<dyn Step>),
    Stop,
}

impl Committer {
    /// Starts the store thread on an open database. The thread ends after
    /// [`Committer::stop`], or when the last `Committer` is gone.
    pub fn start(
        database: Database,
        watch: impl Watch + 'static,
    ) -> std::io::Result<(Committer, JoinHandle<()>)> {
        let (steps, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || commit_all(database, &waiting, watch))?;
        Ok((Committer { steps }, thread))
    }

    /// Hands a step over without waiting.
    pub fn submit(&self, step: Box<dyn Step>) -> std::result::Result<(), (Refused, Box<dyn Step>)> {
        let sent = self.steps.try_send(Message::Step(step));
        sent.map_err(|error| match error {
            TrySendError::Full(Message::Step(step)) => (Refused::Overloaded, step),
            TrySendError::Disconnected(Message::Step(step)) => (Refused::Stopped, step),
            TrySendError::Full(Message::Stop) | TrySendError::Disconnected(Message::Stop) => {
                unreachable!("a step comes back as a step")
            }
        })
    }

    /// Ends the store thread after the steps handed over so far, and closes
    /// the database.
    pub fn stop(&self) {
        // Fails only when it has ended already.
        let _ = self.steps.send(Message::Stop);
    }

    /// Runs a closure as a step and waits for its commit.
    pub fn commit<T: Send + 'static>(
        &self,
        run: impl FnMut(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, committed) = sync_channel(1);
        let step = Box::new(Waited {
            run,
            value: None,
            answer,
        });
        // Blocks while the store is full: these callers are few and our own.
        let stopped = || StoreError::Bug("the store thread has stopped".into());
        let sent = self.steps.send(Message::Step(step));
        sent.map_err(|_| stopped())?;
        committed.recv().map_err(|_| stopped())?
    }
}

/// A step whose caller waits for it.
struct Waited<T, F> {
    run: F,
    value: Option<T>,
    answer: SyncSender<Result<T>>,
}

impl<T: Send, F: FnMut(&Tx<'_>) -> Result<T> + Send> Step for Waited<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
        self.value = Some((self.run)(tx)?);
        Ok(())
    }

    fn done(self: Box<Self>, outcome: Result<()>) {
        let missing = || StoreError::Bug("committed without a value".into());
        let Waited { value, answer, .. } = *self;
        let value = outcome.and_then(|()| value.ok_or_else(missing));
        // A caller that is gone does not need the answer.
        let _ = answer.try_send(value);
    }
}

fn commit_all(database: Database, waiting: &Receiver<Message>, mut watch: impl Watch) {
    // Dropped before the database: the last connection to close tidies up.
    let write_back = database.path().and_then(|path| WriteBack::start(path).ok());
    if let Err(error) = database.take_up_rest() {
        log::debug!("msg=\"filing failed; it comes with the first commit\" error=\"{error}\"");
    }
    let mut batch: Vec<Box<dyn Step>> = Vec::with_capacity(BATCH_MAX);
    let mut stopped = false;
    while !stopped {
        let Some(first) = next(&database, waiting) else {
            return;
        };
        for message in std::iter::once(first).chain(waiting.try_iter()) {
            match message {
                Message::Step(step) => batch.push(step),
                Message::Stop => stopped = true,
            }
            if stopped || batch.len() == BATCH_MAX {
                break;
            }
        }
        let steps = batch.len();
        commit_batch(&database, &mut batch, &mut watch);
        if let Some(write_back) = &write_back {
            write_back.committed(steps);
        }
    }
}

/// The next message; `None` when nobody is left who could send one. While nobody
/// does, what was held back is filed.
fn next(database: &Database, waiting: &Receiver<Message>) -> Option<Message> {
    // What fails is not in memory any more, and so it is not tried again and again.
    while database.has_unfiled() {
        match waiting.recv_timeout(QUIET) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = database.file_some() {
                    log::debug!(
                        "msg=\"filing failed; it comes with a later commit\" error=\"{error}\""
                    );
                }
            }
        }
    }
    waiting.recv().ok()
}

fn commit_batch(database: &Database, batch: &mut Vec<Box<dyn Step>>, watch: &mut impl Watch) {
    match commit_together(database, batch, watch) {
        Ok(()) => batch.drain(..).for_each(|step| tell(step, Ok(()))),
        // Nobody's step is to blame.
        Err(error @ (StoreError::Full | StoreError::Disk(_) | StoreError::Busy)) => {
            batch
                .drain(..)
                .for_each(|step| tell(step, Err(repeat(&error))));
        }
        Err(error) if batch.len() == 1 => {
            batch
                .drain(..)
                .for_each(|step| tell(step, Err(repeat(&error))));
        }
        // One of them may be: each by itself, so that the others do not suffer.
        Err(_) => {
            for step in batch.drain(..) {
                commit_batch(database, &mut vec![step], watch);
            }
        }
    }
}

/// A step that panics when told must not end the thread: nobody would be
/// served any more.
fn tell(step: Box<dyn Step>, outcome: Result<()>) {
    if catch_unwind(AssertUnwindSafe(|| step.done(outcome))).is_err() {
        log::error!("msg=\"a step panicked after its commit\"");
    }
}

fn commit_together(
    database: &Database,
    batch: &mut [Box<dyn Step>],
    watch: &mut impl Watch,
) -> Result<()> {
    let run_all = || {
        database.begin()?;
        let tx = database.tx();
        batch.iter_mut().try_for_each(|step| step.run(&tx))?;
        watch.syncing();
        database.end()
    };
    let outcome =
        catch_unwind(AssertUnwindSafe(run_all)).unwrap_or_else(|_| Err(StoreError::Panicked));
    match outcome {
        Ok(()) => watch.committed(&Commit {
            steps: batch.len(),
            entered: database.entered(),
        }),
        Err(_) => {
            database.undo();
            watch.failed();
        }
    }
    outcome
}

/// The same error for another reader: SQLite's errors cannot be cloned.
fn repeat(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Disk(said) => StoreError::Disk(said.clone()),
        StoreError::Busy => StoreError::Busy,
        StoreError::Panicked => StoreError::Panicked,
        StoreError::Sqlite(source) => StoreError::Bug(source.to_string()),
        other => StoreError::Bug(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    struct Probe {
        user: &'static str,
        fails: bool,
        told: std::sync::mpsc::Sender<(&'static str, bool)>,
    }

    impl Step for Probe {
        fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
            tx.insert_conversation("1", self.user)?;
            match self.fails {
                true => panic!("a planted bug"),
                false => Ok(()),
            }
        }
        fn done(self: Box<Self>, outcome: Result<()>) {
            self.told.send((self.user, outcome.is_ok())).unwrap();
        }
    }

    #[test]
    fn a_step_that_fails_takes_nobody_with_it() {
        let (committer, thread) = Committer::start(Database::in_memory().unwrap(), ()).unwrap();
        let (told, heard) = channel();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        for (user, fails) in [("a", false), ("b", true), ("c", false)] {
            let told = told.clone();
            let step = Box::new(Probe { user, fails, told });
            committer.submit(step).ok().unwrap();
        }
        let mut outcomes: Vec<_> = heard.iter().take(3).collect();
        std::panic::set_hook(hook);
        outcomes.sort_unstable();
        assert_eq!(outcomes, [("a", true), ("b", false), ("c", true)]);
        let known = |user: &'static str| {
            committer
                .commit(move |tx| tx.conversation("1", user))
                .unwrap()
        };
        assert!(known("a").is_some() && known("c").is_some());
        assert!(known("b").is_none(), "a failed step left something behind");
        drop(committer);
        thread.join().unwrap();
    }

    #[test]
    fn a_value_comes_back_after_the_commit() {
        let (committer, _thread) = Committer::start(Database::in_memory().unwrap(), ()).unwrap();
        let id = committer
            .commit(|tx| tx.insert_conversation("1", "x"))
            .unwrap();
        assert_eq!(
            committer.commit(|tx| tx.conversation("1", "x")).unwrap(),
            Some(id)
        );
    }
}
