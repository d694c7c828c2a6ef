//! Writes the log back into the database file, beside the commits instead of
//! within them: with a large store the pages to be written lie all over the
//! file, and a commit that writes them keeps everybody waiting.

use super::Result;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the thread looks whether there is enough to write.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Steps committed since the last time that make it worth while: the same
/// pages are changed again and again, and are written once.
const STEPS_MIN: u64 = 2_000;

/// With less to write it is done after so many looks all the same, so that the
/// log of a quiet service does not stay behind.
const LOOKS_MAX: u32 = 100;

/// The thread and what it shares with the committer. Dropping it ends the
/// thread, after the write that is under way.
pub struct WriteBack {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    steps: AtomicU64,
    stopping: AtomicBool,
}

impl WriteBack {
    /// Starts the thread on a connection of its own.
    ///
    /// # Errors
    /// When the file cannot be opened a second time.
    pub fn start(path: &Path) -> Result<WriteBack> {
        let connection = Connection::open(path)?;
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("write-back".into())
            .spawn(move || write_back(&connection, &own));
        // Without the thread, commits write back by themselves.
        Ok(WriteBack {
            shared,
            thread: thread.ok(),
        })
    }

    /// So many steps more were committed.
    pub fn committed(&self, steps: usize) {
        self.shared.steps.fetch_add(steps as u64, Ordering::Relaxed);
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic: it only asks SQLite.
            let _ = thread.join();
        }
    }
}

fn write_back(connection: &Connection, shared: &Shared) {
    let (mut written, mut looks) = (0, 0);
    while !shared.stopping.load(Ordering::SeqCst) {
        thread::park_timeout(LOOK_EVERY);
        let steps = shared.steps.load(Ordering::Relaxed);
        looks += 1;
        if steps - written < STEPS_MIN && (steps == written || looks < LOOKS_MAX) {
            continue;
        }
        (written, looks) = (steps, 0);
        // PASSIVE: takes what is there and waits for nobody.
        let asked = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = asked {
            log::debug!("msg=\"the log was not written back; trying again\" error=\"{error}\"");
        }
    }
}
