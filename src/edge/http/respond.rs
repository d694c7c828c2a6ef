//! Who writes an answer that had to wait for a commit.
//!
//! The store thread writes to no socket: a client that does not read would
//! stop everybody. One responder thread does it, for requests that are first
//! of their connection; the others are answered by the workers that took them,
//! which wait, so that no pair of pipelined requests can lock the responder.

use super::Answer;
use super::exchange::Exchange;
use crate::edge::threads;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

/// Hands requests and their answers to the responder thread.
#[derive(Clone)]
pub struct Responder {
    answers: Sender<Message>,
}

enum Message {
    Answer(Box<Exchange>, Answer),
    /// Everything before it is written.
    Flush(SyncSender<()>),
}

impl Responder {
    /// Starts the thread. It ends when the last `Responder` is gone.
    pub fn start() -> std::io::Result<Responder> {
        let (answers, waiting) = channel();
        threads::start("respond", move || write_all(&waiting))?;
        Ok(Responder { answers })
    }

    /// Waits until the answers known so far are written, at most `within`.
    pub fn flush(&self, within: Duration) {
        let (done, written) = sync_channel(1);
        if self.answers.send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }

    /// Prepares the answer to a request that will be known later. `Later` is for
    /// whoever will know, `Waiting`, if there is one, for the worker.
    pub fn later(&self, exchange: Exchange) -> (Later, Option<Waiting>) {
        if exchange.turn.is_first() {
            let later = Later::Responder(Box::new(exchange), self.clone());
            return (later, None);
        }
        let (known, answer) = sync_channel(1);
        (Later::Worker(known), Some(Waiting { exchange, answer }))
    }
}

/// What a worker has left to do for a request.
pub struct Waiting {
    exchange: Exchange,
    answer: Receiver<Answer>,
}

impl Waiting {
    /// Waits until the answer is known, and answers.
    pub fn finish(self) {
        if let Ok(answer) = self.answer.recv() {
            self.exchange.answer(answer);
        }
    }
}

/// A request that is to be answered. Dropped without an answer, it is
/// answered 500.
pub enum Later {
    /// By the responder.
    Responder(Box<Exchange>, Responder),
    /// By the worker that waits at the other end.
    Worker(SyncSender<Answer>),
}

impl Later {
    /// Answers, without blocking.
    pub fn answer(self, answer: Answer) {
        match self {
            Later::Responder(exchange, responder) => {
                // Fails only when the process is ending.
                let _ = responder.answers.send(Message::Answer(exchange, answer));
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
            // Whatever is wrong with one answer: nobody would get theirs any more.
            Message::Answer(exchange, answer) => {
                if catch_unwind(AssertUnwindSafe(|| exchange.answer(answer))).is_err() {
                    log::error!("msg=\"an answer made us panic\"");
                }
            }
            Message::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}
