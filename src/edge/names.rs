//! Learns what people are called, a little behind the events, while there is a
//! console to look for them.

use super::live::Live;
use super::threads;
use crate::gateway::names::{self, Learned};
use crate::store::rows::EventId;
use crate::store::{Committer, Reader, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

/// How often it is looked whether there are new events.
const EVERY: Duration = Duration::from_secs(1);

/// The pause between two steps while there are more: it shares the disk and the
/// processors with what matters more.
const BETWEEN: Duration = Duration::from_millis(20);

/// Events without news before it is written down how far was looked: those behind
/// that are looked through again after a start.
const UNWRITTEN_MAX: EventId = 5_000;

/// The thread that learns. Dropping it ends the thread, soon after.
pub struct Names(Arc<AtomicBool>);

impl Names {
    /// Starts it.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(live: Live, reader: Reader, committer: Committer) -> io::Result<Names> {
        let ended = Arc::new(AtomicBool::new(false));
        let names = Names(Arc::clone(&ended));
        let mut learner = Learner {
            reader,
            committer,
            looked: None,
            written: 0,
        };
        thread::Builder::new().name("names".into()).spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let wanted = live.now().config.console.is_some();
                let step = || if wanted { learner.step() } else { Ok(false) };
                thread::sleep(match threads::round("names", step) {
                    Some(Ok(true)) => BETWEEN,
                    // What is wrong with the store others tell.
                    Some(Ok(false) | Err(_)) | None => EVERY,
                });
            }
        })?;
        Ok(names)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Learner {
    reader: Reader,
    committer: Committer,
    /// Up to which event was looked.
    looked: Option<EventId>,
    /// Up to which event it is written down.
    written: EventId,
}

impl Learner {
    /// Whether there is more.
    fn step(&mut self) -> Result<bool> {
        let looked = match self.looked {
            Some(looked) => looked,
            None => {
                self.written = self.reader.read(|tx| tx.names_learned())?;
                self.written
            }
        };
        let learned = self.reader.read(|tx| names::look(tx, looked))?;
        let (upto, more) = (learned.upto, learned.more);
        if learned.is_news() || upto - self.written >= UNWRITTEN_MAX {
            self.keep(learned)?;
            self.written = upto;
        }
        self.looked = Some(upto);
        Ok(more)
    }

    fn keep(&self, learned: Learned) -> Result<()> {
        self.committer.commit(move |tx| names::keep(tx, &learned))
    }
}
