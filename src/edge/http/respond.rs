//! Who writes an answer that had to wait for a commit.
//!
//! The store thread writes to no socket: a client that does not read would
//! stop everybody. One responder thread does it, for requests that are first
//! of their connection; the others are answered by the workers that took them,
//! which wait, so that no pair of pipelined requests can lock the responder.

use super::Answer;
use super::server::Taken;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// Hands requests and their answers to the responder thread.
#[derive(Clone)]
pub struct Responder {
    answers: Sender<Message>,
}

enum Message {
    Answer(Box<Taken>, Answer),
    /// Everything before it is written.
    Flush(SyncSender<()>),
}

impl Responder {
    /// Starts the thread. It ends when the last `Responder` is gone.
    pub fn start() -> std::io::Result<Responder> {
        let (answers, waiting) = channel();
        thread::Builder::new()
            .name("respond".into())
            .spawn(move || write_all(&waiting))?;
        Ok(Responder { answers })
    }

    /// Waits until the answers known so far are written, at most `within`.
    pub fn flush(&self, within: Duration) {
        let (done, written) = sync_channel(1);
        if self.answers.send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }

    /// Prepares the answer to a request that will be known later. `Later` is
    /// for whoever will know; the closure blocks the worker if it must.
    pub fn later(&self, taken: Taken) -> (Later, impl FnOnce()) {
        if taken.turn.is_first() {
            let later = Later::Responder(Box::new(taken), self.clone());
            return (later, Waiting::Nothing.run());
        }
        let (known, answer) = sync_channel(1);
        (
            Later::Worker(known),
            Waiting::Answer(Box::new(taken), answer).run(),
        )
    }
}

/// What a worker has left to do for a request.
enum Waiting {
    Nothing,
    Answer(Box<Taken>, Receiver<Answer>),
}

impl Waiting {
    fn run(self) -> impl FnOnce() {
        move || {
            if let Waiting::Answer(taken, answer) = self
                && let Ok(answer) = answer.recv()
            {
                let Taken { request, turn } = *taken;
                answer.send(request);
                drop(turn);
            }
        }
    }
}

/// A request that is to be answered. Dropped without an answer, it is
/// answered 500.
pub enum Later {
    /// By the responder.
    Responder(Box<Taken>, Responder),
    /// By the worker that waits at the other end.
    Worker(SyncSender<Answer>),
}

impl Later {
    /// Answers, without blocking.
    pub fn answer(self, answer: Answer) {
        match self {
            Later::Responder(taken, responder) => {
                // Fails only when the process is ending.
                let _ = responder.answers.send(Message::Answer(taken, answer));
            }
            Later::Worker(known) => {
                let _ = known.try_send(answer);
            }
        }
    }
}

fn write_all(waiting: &Receiver<Message>) {
    for message in waiting {
        match message {
            Message::Answer(taken, answer) => {
                let Taken { request, turn } = *taken;
                answer.send(request);
                drop(turn);
            }
            Message::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}
