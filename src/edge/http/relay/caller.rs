//! The caller of a relayed call: its head, its body as it comes, its answer.
//!
//! tiny_http has no time-outs: reading from a caller may block for ever. A
//! thread of its own reads, so that a slow caller holds no relay longer than
//! the relay waits.

use super::super::exchange::Exchange;
use super::super::{Answer, body, header};
use super::BODY_BYTES_MAX;
use super::streaming::{Broken, Framing, PIECE_BYTES, copy};
use crate::wire::relay::form::Parts;
use crate::wire::relay::heads;
use serde::de::IgnoredAny;
use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tiny_http::{Header, Method, Request, Response, StatusCode};

/// Pieces of a body that a relay holds.
const PIECES: usize = 8;

/// A caller that sends nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(20);

/// How long a body that nobody wants any more may take to be read away, so
/// that its caller hears why.
const DRAIN: Duration = Duration::from_secs(10);

/// Why a caller's body cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Longer than this.
    TooLong(u64),
    /// It ended early.
    Cut,
    /// It did not come.
    Slow,
    /// It is not what its type says.
    Malformed,
    /// Its end could not be told from a break.
    NoLength,
}

/// An answer of Graph's, held whole.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A caller and its request.
pub struct Caller {
    /// GET, POST or DELETE.
    pub method: Method,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// The headers that go on to Graph.
    pub headers: Vec<(String, String)>,
    /// Where the caller reaches us: scheme and host.
    pub origin: String,
    announced: Option<u64>,
    held: Held,
}

enum Held {
    /// Its body is read, or was never there.
    Whole(Box<Exchange>, Vec<u8>),
    /// A thread reads it, and gives it back when the body is through.
    Read {
        pieces: Receiver<Piece>,
        back: Receiver<Box<Exchange>>,
    },
}

enum Piece {
    Bytes(Vec<u8>),
    End,
    Broken,
}

impl Caller {
    /// Takes a request, and begins to read its body if it is long.
    ///
    /// # Errors
    /// When it announces more than may be.
    pub fn of(mut exchange: Exchange) -> Result<Caller, Box<(Exchange, Trouble)>> {
        let request = &exchange.request;
        let announced = request.body_length().map(|length| length as u64);
        if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
            return Err(Box::new((exchange, Trouble::TooLong(BODY_BYTES_MAX))));
        }
        let headers = request.headers().iter();
        let headers = headers
            .filter_map(|h| heads::to_graph(h.field.as_str().as_str(), h.value.as_str()))
            .collect();
        let (method, origin) = (request.method().clone(), origin(request));
        let content_type = header(request, "Content-Type")
            .unwrap_or_default()
            .to_owned();
        let held = match exchange.is_read() {
            true => {
                let mut body = Vec::new();
                // From memory: it cannot fail.
                let _ = exchange.request.as_reader().read_to_end(&mut body);
                Held::Whole(Box::new(exchange), body)
            }
            false => read_aside(exchange),
        };
        Ok(Caller {
            method,
            content_type,
            headers,
            origin,
            announced,
            held,
        })
    }

    /// Whether the end of the body can be told from a break by its length.
    pub fn is_measured(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether anything may come.
    pub fn has_body(&self) -> bool {
        match &self.held {
            Held::Whole(_, body) => !body.is_empty(),
            Held::Read { .. } => true,
        }
    }

    /// The body as it comes, its parts separated by `boundary` if it has any.
    pub fn body(&mut self, boundary: Option<&str>) -> Body<'_> {
        let source = match &mut self.held {
            Held::Whole(_, body) => Source::Whole(std::mem::take(body)),
            Held::Read { pieces, .. } => Source::Pieces(pieces),
        };
        Body {
            source,
            announced: self.announced,
            seen: 0,
            parts: boundary.map(Parts::new),
            ready: Vec::new(),
            at: 0,
            ended: false,
            trouble: None,
        }
    }

    /// All of the body, which has `limit` bytes at most.
    pub fn read_whole(&mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut body = self.body(None);
        let mut read = Vec::new();
        let outcome = Read::take(&mut body, limit as u64 + 1).read_to_end(&mut read);
        if read.len() > limit {
            return Err(Trouble::TooLong(limit as u64));
        }
        match (outcome, body.trouble) {
            (Ok(_), None) => Ok(read),
            // JSON that is whole has not broken off.
            (Err(_), Some(Trouble::NoLength))
                if serde_json::from_slice::<IgnoredAny>(&read).is_ok() =>
            {
                Ok(read)
            }
            (_, trouble) => Err(trouble.unwrap_or(Trouble::Cut)),
        }
    }

    /// Answers, when the body is out of the way.
    pub fn answer(self, answer: Answer) {
        if let Some(exchange) = self.released() {
            exchange.answer(answer);
        }
    }

    /// Passes Graph's answer on.
    pub fn reply(self, reply: Reply) {
        let Some(exchange) = self.released() else {
            return;
        };
        let Exchange { request, turn } = *exchange;
        let length = reply.body.len();
        let headers = reply.headers.iter();
        let headers = headers
            .filter_map(|(name, value)| Header::from_bytes(name.as_str(), value.as_str()).ok())
            .collect();
        let body = Cursor::new(reply.body);
        let response = Response::new(StatusCode(reply.status), headers, body, Some(length), None)
            .with_chunked_threshold(usize::MAX);
        if let Err(error) = request.respond(response) {
            log::debug!("msg=\"a client left before its answer\" error=\"{error}\"");
        }
        drop(turn);
    }

    /// Passes Graph's answer on while it comes.
    ///
    /// # Errors
    /// When it broke off. The caller sees that it did.
    pub fn stream(
        self,
        status: u16,
        headers: &[(String, String)],
        length: Option<u64>,
        body: impl Read,
    ) -> io::Result<()> {
        let Some(exchange) = self.released() else {
            return Ok(());
        };
        let Exchange { request, turn } = *exchange;
        let framing = Framing::of(&request, length);
        let mut writer = request.into_writer();
        let copied = copy(&mut writer, &framing.head(status, headers), framing, body);
        drop(writer);
        drop(turn);
        match copied {
            Err(Broken::Source(error)) => Err(error),
            Err(Broken::Caller(error)) => {
                log::debug!("msg=\"a client left before its answer\" error=\"{error}\"");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The request, its body read. `None` when the caller is too slow: it is
    /// answered by the thread that reads.
    fn released(self) -> Option<Box<Exchange>> {
        match self.held {
            Held::Whole(exchange, _) => Some(exchange),
            Held::Read { pieces, back } => {
                // What still comes is read away.
                drop(pieces);
                back.recv_timeout(DRAIN).ok()
            }
        }
    }
}

fn read_aside(exchange: Exchange) -> Held {
    let (to_relay, pieces) = sync_channel(PIECES);
    let (give_back, back) = sync_channel(1);
    exchange.aside(move |exchange| feed(exchange, &to_relay, &give_back));
    Held::Read { pieces, back }
}

/// Reads a body piece by piece until its end, or until nobody wants it; then
/// the rest is read away and the request given back.
fn feed(mut exchange: Exchange, pieces: &SyncSender<Piece>, back: &SyncSender<Box<Exchange>>) {
    let reader = exchange.request.as_reader();
    let wanted = loop {
        let mut piece = vec![0; PIECE_BYTES];
        let (piece, last) = match reader.read(&mut piece) {
            Ok(0) => (Piece::End, true),
            Ok(read) => {
                piece.truncate(read);
                (Piece::Bytes(piece), false)
            }
            Err(_) => (Piece::Broken, true),
        };
        match (pieces.send(piece), last) {
            (Err(_), _) => break false,
            (Ok(()), true) => break true,
            (Ok(()), false) => {}
        }
    };
    if !wanted {
        body::discard(&mut exchange.request);
    }
    // Nobody waits any more when the caller was too slow.
    if let Err(unwanted) = back.send(Box::new(exchange)) {
        unwanted.0.answer(super::trouble_answer(Trouble::Slow));
    }
}

/// A body as it comes from the caller.
pub struct Body<'c> {
    source: Source<'c>,
    announced: Option<u64>,
    seen: u64,
    parts: Option<Parts>,
    ready: Vec<u8>,
    at: usize,
    ended: bool,
    /// What was wrong with it.
    pub trouble: Option<Trouble>,
}

enum Source<'c> {
    Whole(Vec<u8>),
    Pieces(&'c Receiver<Piece>),
}

impl Body<'_> {
    /// Its length, as far as it is known before.
    pub fn length(&self) -> Option<u64> {
        self.announced
    }

    fn more(&mut self) -> Result<(), Trouble> {
        self.ready.clear();
        self.at = 0;
        let piece = match &mut self.source {
            Source::Whole(body) if body.is_empty() => Piece::End,
            Source::Whole(body) => Piece::Bytes(std::mem::take(body)),
            Source::Pieces(pieces) => match pieces.recv_timeout(STALLED) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) => return Err(Trouble::Slow),
                Err(RecvTimeoutError::Disconnected) => Piece::Broken,
            },
        };
        match piece {
            Piece::Bytes(bytes) => self.take(&bytes),
            Piece::Broken => Err(Trouble::Cut),
            Piece::End => self.end(),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.seen += bytes.len() as u64;
        if self.seen > BODY_BYTES_MAX {
            return Err(Trouble::TooLong(BODY_BYTES_MAX));
        }
        match &mut self.parts {
            Some(parts) => {
                let passed = parts.pass(bytes, &mut self.ready);
                passed.map_err(|_| Trouble::Malformed)
            }
            None => {
                self.ready.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// A caller that breaks off looks like one that has ended: tiny_http tells
    /// neither by a length nor in chunks.
    fn end(&mut self) -> Result<(), Trouble> {
        self.ended = true;
        if self.announced.is_some_and(|length| self.seen < length) {
            return Err(Trouble::Cut);
        }
        match (self.parts.take(), self.announced) {
            (Some(parts), _) => parts.end(&mut self.ready).map_err(|_| Trouble::Cut),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Trouble::NoLength),
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.ended {
            if let Err(trouble) = self.more() {
                self.trouble = Some(trouble);
                return Err(io::Error::other("the caller's body ended early"));
            }
        }
        let read = buffer.len().min(self.ready.len() - self.at);
        buffer[..read].copy_from_slice(&self.ready[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

/// The address by which the caller reaches us, for addresses in answers.
fn origin(request: &Request) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b);
    let host = header(request, "Host").filter(|host| !host.is_empty() && host.bytes().all(plain));
    let scheme = match header(request, "X-Forwarded-Proto") {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}
