//! The waiting room: callers of the API who want to hear what Graph answered.
//! No thread waits with them; whoever learns the answer gives it, and one
//! thread sends those away whose time is up.

use super::http::Answer;
use super::http::respond::Later;
use super::threads;
use crate::store::rows::OutboxId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Callers who may wait at once. More get their 202 at once.
const WAITING_MAX: usize = 10_000;

/// How exactly the end of a wait is kept.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who waits, by message.
#[derive(Clone, Default)]
pub struct WaitingRoom(Arc<Mutex<HashMap<OutboxId, Vec<Waiting>>>>);

struct Waiting {
    until: Instant,
    later: Later,
    /// The answer when the time is up.
    pending: Answer,
}

impl WaitingRoom {
    /// An empty room, and the thread that ends waits.
    pub fn start() -> std::io::Result<WaitingRoom> {
        let room = WaitingRoom::default();
        let own = room.clone();
        thread::Builder::new()
            .name("waiting".into())
            .spawn(move || {
                loop {
                    thread::sleep(LOOK_EVERY);
                    let over = |waiting: &Waiting| waiting.until <= Instant::now();
                    threads::round("waiting", || own.send_away(over));
                }
            })?;
        Ok(room)
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<OutboxId, Vec<Waiting>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Waits for a message's outcome, at most `wait`.
    pub fn enter(&self, outbox: OutboxId, wait: Duration, later: Later, pending: Answer) {
        let mut rows = self.rows();
        if rows.len() >= WAITING_MAX {
            drop(rows);
            return later.answer(pending);
        }
        rows.entry(outbox).or_default().push(Waiting {
            until: Instant::now() + wait,
            later,
            pending,
        });
    }

    /// Tells everybody who waits for this message.
    pub fn settle(&self, outbox: OutboxId, answer: &Answer) {
        let waiting = self.rows().remove(&outbox);
        for one in waiting.into_iter().flatten() {
            one.later.answer(answer.clone());
        }
    }

    /// Everybody gets the answer for now: the service stops.
    pub fn close(&self) {
        self.send_away(|_| true);
    }

    fn send_away(&self, is_over: impl Fn(&Waiting) -> bool) {
        let mut over = Vec::new();
        self.rows().retain(|_, waiting| {
            over.extend(waiting.extract_if(.., |one| is_over(one)));
            !waiting.is_empty()
        });
        for one in over {
            one.later.answer(one.pending);
        }
    }
}
