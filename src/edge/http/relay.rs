//! Calls passed on to Graph: files up and down, templates, profiles, and
//! whatever else a number or its account has. Our token goes in, the caller's
//! key comes out, and bodies pass through piece by piece.
//!
//! A file may take minutes, so this has threads of its own, few and with a
//! short queue: neither the webhook nor sends wait for it. What may pass is
//! decided in [`wire::relay`](crate::wire::relay).
//!
//! * here: the threads, and their queue
//! * `clerk`: one call, from the caller to Graph and back
//! * [`caller`]: the caller's side, with its body and its answer
//! * `clearance`: whose token a call gets, if any
//! * `streaming`: answers that are written while they come
//! * `stored`: customers' files that we have ourselves

pub mod caller;
mod clearance;
mod clerk;
mod stored;
mod streaming;

use super::Answer;
use super::exchange::Exchange;
use super::graph_api::answers::refuse;
use super::under_way::{Counted, UnderWay};
use crate::edge::clock;
use crate::edge::live::Live;
use crate::edge::log::Few;
use crate::store::Committer;
use caller::Trouble;
use clearance::Known;
use clerk::Clerk;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Calls passed on at once. Most wait for Graph or for a slow line.
pub const RELAYS: usize = 16;

/// Calls that wait for one of these to end; more are told to come again.
const WAITING_MAX: usize = 64;

/// Meta's largest file has 100 MB (documents), and a form around it.
pub const BODY_BYTES_MAX: u64 = 101 << 20;

/// What is neither a file nor a form in parts is small, and read whole.
const SMALL_BYTES_MAX: usize = 1 << 20;

/// The first part of the paths of files.
pub const FILES: &str = "/files/";

/// Passes calls on.
pub struct Relay {
    waiting: SyncSender<Job>,
    under_way: UnderWay,
    desk: Arc<Desk>,
}

/// What is asked of Graph.
pub enum Asked {
    /// A path of Graph's, by its parts, and its query without credentials.
    Path { parts: Vec<String>, query: String },
    /// A file, by the name we gave it.
    File(String),
}

struct Job {
    exchange: Exchange,
    asked: Asked,
    /// Until it is answered.
    _counted: Counted,
}

impl Relay {
    /// Starts the threads.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn start(live: Live, committer: Committer) -> std::io::Result<Relay> {
        let (waiting, jobs) = sync_channel(WAITING_MAX);
        let desk = Arc::new(Desk::new(live, committer));
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..RELAYS {
            let (desk, jobs) = (Arc::clone(&desk), Arc::clone(&jobs));
            thread::Builder::new()
                .name(format!("relay-{index}"))
                .spawn(move || work(&desk, &jobs))?;
        }
        Ok(Relay {
            waiting,
            under_way: UnderWay::default(),
            desk,
        })
    }

    /// Passes a call on, on a thread of ours. It is answered there.
    pub fn pass(&self, exchange: Exchange, asked: Asked) {
        // Its answer would have to wait for that of the request before it, and
        // a relay with it. On a Unix socket nobody knows.
        let pipelined = !exchange.turn.is_first() && exchange.request.remote_addr().is_some();
        if pipelined {
            let text = "another request of this connection is not answered yet: wait for it";
            return exchange.answer_unread(refuse(503, 2, text));
        }
        let job = Job {
            exchange,
            asked,
            _counted: self.under_way.count(),
        };
        let Err(refused) = self.waiting.try_send(job) else {
            return;
        };
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = refused;
        if let Some(held_back) = self.desk.full.pass(clock::now_ms()) {
            log::warn!("msg=\"too many calls are being passed on to Graph\"{held_back}");
        }
        let text = "too many calls are being passed on to Graph: try again in a moment";
        let answer = refuse(503, 2, text).with("Retry-After", "2");
        job.exchange.answer_unread(answer);
    }

    /// Waits until no call is under way, at most `within`. What still is then
    /// ends with the process, and its caller sees the connection break.
    pub fn wait(&self, within: Duration) {
        self.under_way.wait(within);
    }
}

fn work(desk: &Desk, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = {
            let jobs = jobs.lock().unwrap_or_else(|e| e.into_inner());
            jobs.recv()
        };
        let Ok(job) = job else { return };
        // A panic drops the request, which answers it 500.
        if catch_unwind(AssertUnwindSafe(|| Clerk::at(desk).serve(job))).is_err() {
            log::error!("msg=\"a relayed call made us panic; it was answered 500\"");
        }
    }
}

/// What relays share.
struct Desk {
    live: Live,
    committer: Committer,
    /// Seals addresses of files. They live five minutes, and one made before a
    /// restart is looked up again; a key of the settings might be known to a
    /// caller.
    key: [u8; 32],
    known: Mutex<HashMap<String, Known>>,
    /// How often a full queue is told, and calls that failed.
    full: Few,
    failed: Few,
}

impl Desk {
    fn new(live: Live, committer: Committer) -> Desk {
        Desk {
            live,
            committer,
            key: clock::random(),
            known: Mutex::default(),
            full: Few::default(),
            failed: Few::default(),
        }
    }
}

fn trouble_answer(trouble: Trouble) -> Answer {
    match trouble {
        Trouble::TooLong(limit) => {
            refuse(413, 100, &format!("the body is over {} MiB", limit >> 20))
        }
        Trouble::Cut => refuse(400, 100, "the body ended before its end"),
        Trouble::Slow => refuse(408, 100, "the body did not come in time"),
        Trouble::Malformed => refuse(400, 100, "the body is not the form its Content-Type says"),
        Trouble::NoLength => refuse(
            411,
            100,
            "send this body with a Content-Length: in chunks its end cannot be told from a break",
        ),
    }
}
