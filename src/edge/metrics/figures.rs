//! What only the store knows: how much waits, how long, what stands still. Counting what waits
//! takes the longer the more it is, so it is done beside the commits, and seldom enough.

use crate::edge::clock;
use crate::gateway::operator::{self, QueueStatus};
use crate::policy::ladder::SendState;
use crate::store::rows::Halt;
use crate::store::{Reader, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Figures stay good for so many times the time that it took to look them up: however much
/// waits, looking costs a twentieth of one processor at most.
const REST: i64 = 20;

/// States that a message does not stay in for good. Those of messages that are through are not
/// counted, since there are ever more of them.
const WAITING: [SendState; 4] = [
    SendState::Queued,
    SendState::Sending,
    SendState::Unknown,
    SendState::Held,
];

/// What the store knows.
#[derive(Debug)]
pub struct Figures {
    /// Each consumer and each sending number.
    pub queues: Vec<QueueStatus>,
    /// What stands still until a person acts.
    pub halts: Vec<Halt>,
    /// Messages that are not through, by state.
    pub waiting: [(SendState, i64); WAITING.len()],
    /// Conversations in a person's hands.
    pub taken: i64,
}

impl Figures {
    /// Whether a halt holds up this queue.
    pub fn is_halted(&self, queue: &QueueStatus) -> bool {
        operator::halt_of(&self.halts, &queue.queue).is_some()
    }
}

/// Looks figures up, and remembers them for a while.
pub struct Looks {
    reader: Reader,
    last: Mutex<Option<Look>>,
}

struct Look {
    figures: Arc<Figures>,
    /// Until when they are good enough, of the clock that nobody sets.
    until_us: i64,
}

impl Looks {
    /// Into this database.
    pub fn into(path: &Path) -> Looks {
        Looks {
            reader: Reader::of(path),
            last: Mutex::default(),
        }
    }

    /// The figures, as fresh as can be had cheaply.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn figures(&self) -> Result<Arc<Figures>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let began_us = clock::monotonic_us();
        if let Some(look) = last.as_ref().filter(|look| began_us < look.until_us) {
            return Ok(Arc::clone(&look.figures));
        }
        let now = clock::now_ms();
        let figures = Arc::new(self.reader.read(|tx| {
            let mut waiting = WAITING.map(|state| (state, 0));
            for (state, count) in &mut waiting {
                *count = tx.messages_waiting(*state)?;
            }
            Ok(Figures {
                queues: operator::queues(tx)?,
                halts: tx.halts()?,
                waiting,
                taken: tx.taken_count(now)?,
            })
        })?);
        let ended_us = clock::monotonic_us();
        *last = Some(Look {
            figures: Arc::clone(&figures),
            until_us: ended_us + (ended_us - began_us) * REST,
        });
        Ok(figures)
    }
}

/// How large the store's files are, and how much room is left beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The database.
    pub database_bytes: Option<u64>,
    /// What is committed and not yet written back into it.
    pub log_bytes: Option<u64>,
    /// The disk they are on.
    pub disk_bytes: Option<u64>,
    /// Room on it, for those who are not root.
    pub free_bytes: Option<u64>,
}

impl Files {
    /// Of this database, now.
    pub fn of(database: &Path) -> Files {
        let length = |path: &Path| std::fs::metadata(path).ok().map(|file| file.len());
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let disk = rustix::fs::statvfs(database).ok();
        Files {
            database_bytes: length(database),
            log_bytes: length(&PathBuf::from(log)),
            disk_bytes: disk.map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
            free_bytes: free_bytes(database),
        }
    }
}

/// Room on the disk that holds `path`, for those who are not root.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
