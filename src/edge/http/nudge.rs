//! Connections that tiny_http leaves waiting, and how they are found a thread.
//!
//! tiny_http serves each connection on a thread of its pool, and counts a
//! thread as free until it has woken: of connections that come close together
//! some are queued behind threads that are taken already, and stay there until
//! another connection *ends*. Probes that keep theirs open would wait for
//! ever. So, while requests come, we open connections and end them at once:
//! the thread that one was given to looks at the queue next.

use super::probe::Probe;
use super::server::Socket;
use crate::config::Listen;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// How far apart. One costs about as much as a request.
const EACH: Duration = Duration::from_millis(20);

/// How many follow the last request. A connection found by one brings its
/// request, and more of them.
const AFTER: usize = 10;

/// How long one waits to be ended. Longer, and it is queued itself, which is
/// as good, or nobody accepts.
const PATIENCE: Duration = Duration::from_millis(250);

/// In a row that were not ended: then nobody accepts, and those left in the
/// listener's backlog would only be in the way of its recovery. tiny_http
/// keeps so many threads waiting.
const UNSERVED_MAX: usize = 4;

/// What the workers tell the thread that nudges.
#[derive(Default)]
pub struct Nudges {
    taken: AtomicUsize,
    resting: AtomicBool,
    ended: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Nudges {
    /// Starts the thread for this listener.
    ///
    /// # Errors
    /// When its address cannot be read, or no thread be started.
    pub fn start(socket: &Socket) -> io::Result<Arc<Nudges>> {
        let address = socket.address()?;
        let nudges = Arc::new(Nudges::default());
        let own = Arc::clone(&nudges);
        let started = thread::Builder::new()
            .name("http-nudge".to_owned())
            .spawn(move || own.work(&address))?;
        let _ = nudges.thread.set(started.thread().clone());
        Ok(nudges)
    }

    /// A request was taken.
    pub fn taken(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        // A plain read first: under load this is asked for each request.
        if self.resting.load(Ordering::SeqCst) && self.resting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// No more nudges.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn work(&self, address: &Listen) {
        let mut seen = 0;
        while !self.ended.load(Ordering::SeqCst) {
            self.resting.store(true, Ordering::SeqCst);
            if self.taken.load(Ordering::SeqCst) == seen {
                // Woken for nothing, it finds nothing new and rests again.
                thread::park();
            }
            self.resting.store(false, Ordering::SeqCst);
            self.round(address, &mut seen);
        }
    }

    /// Nudges until no requests have come for a while, or nobody accepts.
    fn round(&self, address: &Listen, seen: &mut usize) {
        let (mut quiet, mut unserved) = (0, 0);
        while quiet < AFTER && unserved < UNSERVED_MAX && !self.ended.load(Ordering::SeqCst) {
            thread::sleep(EACH);
            let taken = self.taken.load(Ordering::SeqCst);
            quiet = if taken == *seen { quiet + 1 } else { 0 };
            *seen = taken;
            match Probe::connect(address, PATIENCE).and_then(Probe::leave) {
                Ok(()) => unserved = 0,
                Err(_) => unserved += 1,
            }
        }
    }
}
