//! A request taken from a listener, until it is answered. Whoever has it answers it: at once,
//! or from a thread of its own where its body or its reader may take long.

use super::server::Turn;
use super::{Answer, body, header};
use std::thread;
use tiny_http::Request;

/// Bodies up to this length tiny_http has read before we see the request, unless
/// the client waits to be asked for it or wants another protocol.
const READ_ALREADY: usize = 1024;

/// A request and its place on the connection.
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// Held until the request is answered.
    pub turn: Turn,
}

impl Exchange {
    /// Answers it. Its body must be read, or be small.
    pub fn answer(self, answer: Answer) {
        let Exchange { request, turn } = self;
        answer.send(request);
        drop(turn);
    }

    /// Whether all of its body is in memory, or it has none.
    pub fn is_read(&self) -> bool {
        let upgrades = |value: &str| value.to_ascii_lowercase().contains("upgrade");
        let waits = header(&self.request, "Expect").is_some()
            || header(&self.request, "Connection").is_some_and(upgrades);
        let chunked = header(&self.request, "Transfer-Encoding").is_some();
        let length = self.request.body_length().unwrap_or(0);
        !chunked && (length == 0 || (length <= READ_ALREADY && !waits))
    }

    /// Does something with it on a thread of its own. tiny_http has one for each
    /// connection too, so there are at most twice as many.
    pub fn aside(self, work: impl FnOnce(Exchange) + Send + 'static) {
        let thread = thread::Builder::new().name("caller".into());
        if let Err(error) = thread.spawn(move || work(self)) {
            // The request was dropped, and with that answered 500.
            log::error!("msg=\"a thread cannot be started\" error=\"{error}\"");
        }
    }

    /// Answers it whatever its body holds, once that is out of the way: aside, if
    /// it can take long to come.
    pub fn answer_unread(self, answer: Answer) {
        let finish = move |mut exchange: Exchange| {
            body::discard(&mut exchange.request);
            exchange.answer(answer);
        };
        match self.is_read() {
            true => finish(self),
            false => self.aside(finish),
        }
    }
}
