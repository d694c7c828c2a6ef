//! The caller of a relayed call: its head, its body as it comes, its answer.
//!
//! tiny_http has no time-outs: reading from a caller may block for ever. A
//! thread of its own reads, so that a slow caller holds no relay longer than
//! the relay waits. And an answer that breaks off must not look whole, though
//! tiny_http ends every stream of chunks properly: streams are written here.

use super::super::exchange::Exchange;
use super::super::{Answer, body, header};
use super::{BODY_BYTES_MAX, origin};
use crate::wire::relay::answer::Scrub;
use crate::wire::relay::form::Parts;
use crate::wire::relay::heads;
use serde::de::IgnoredAny;
use std::io::{self, Cursor, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tiny_http::{HTTPVersion, Header, Method, Request, Response, StatusCode};

/// What is read at once; with [`PIECES`], what a relay holds of a body.
const PIECE_BYTES: usize = 16 * 1024;
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

/// How a streamed answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// With the length that was announced. The connection ends after it, early
    /// if need be.
    Length(u64),
    /// Until the connection ends: for HTTP/1.0 without a length.
    Close,
    /// In chunks: the connection is kept, and we cannot end it. A stream that
    /// breaks off gets a chunk that is none, which every client takes for what
    /// it is.
    Chunks,
}

impl Framing {
    fn of(request: &Request, length: Option<u64>) -> Framing {
        let connection = header(request, "Connection")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let old = *request.http_version() <= HTTPVersion(1, 0);
        let ends = connection.contains("close") || old;
        match (ends, length) {
            (true, Some(length)) => Framing::Length(length),
            (true, None) => Framing::Close,
            (false, _) => Framing::Chunks,
        }
    }

    fn head(self, status: u16, headers: &[(String, String)]) -> String {
        let reason = StatusCode(status).default_reason_phrase();
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self {
            Framing::Length(length) => {
                head.push_str(&format!(
                    "Content-Length: {length}\r\nConnection: close\r\n"
                ));
            }
            Framing::Close => head.push_str("Connection: close\r\n"),
            Framing::Chunks => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        head + "\r\n"
    }
}

/// Which side of a stream ended it.
enum Broken {
    Source(io::Error),
    Caller(io::Error),
}

fn copy(
    writer: &mut dyn Write,
    head: &str,
    framing: Framing,
    mut body: impl Read,
) -> Result<(), Broken> {
    writer.write_all(head.as_bytes()).map_err(Broken::Caller)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = match framing {
        Framing::Length(length) => length,
        Framing::Close | Framing::Chunks => u64::MAX,
    };
    loop {
        let read = match body.read(&mut piece) {
            Ok(0) if framing == Framing::Length(0) || !matches!(framing, Framing::Length(_)) => 0,
            Ok(0) if left > 0 => return Err(Broken::Source(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => read,
            Err(error) => {
                if framing == Framing::Chunks {
                    // No length of a chunk.
                    let _ = writer.write_all(b"broken off\r\n");
                }
                let _ = writer.flush();
                return Err(Broken::Source(error));
            }
        };
        left = left.saturating_sub(read as u64);
        let written = match (framing, read) {
            (Framing::Chunks, 0) => writer.write_all(b"0\r\n\r\n"),
            (Framing::Chunks, read) => write!(writer, "{read:x}\r\n")
                .and_then(|()| writer.write_all(&piece[..read]))
                .and_then(|()| writer.write_all(b"\r\n")),
            (_, read) => writer.write_all(&piece[..read]),
        };
        written.map_err(Broken::Caller)?;
        if read == 0 {
            return writer.flush().map_err(Broken::Caller);
        }
    }
}

/// A stream with our token made illegible.
pub struct Scrubbed<R> {
    inner: R,
    scrub: Option<Scrub>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Scrubbed<R> {
    /// `inner` without `secret`.
    pub fn new(inner: R, secret: &str) -> Scrubbed<R> {
        Scrubbed {
            inner,
            scrub: Some(Scrub::new(secret)),
            ready: Vec::new(),
            at: 0,
        }
    }
}

impl<R: Read> Read for Scrubbed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let mut piece = [0; PIECE_BYTES];
            let read = self.inner.read(&mut piece)?;
            match (&mut self.scrub, read) {
                (None, _) => return Ok(0),
                (Some(scrub), 1..) => scrub.pass(&piece[..read], &mut self.ready),
                (scrub, 0) => {
                    if let Some(scrub) = scrub.take() {
                        scrub.end(&mut self.ready);
                    }
                }
            }
        }
        let read = buffer.len().min(self.ready.len() - self.at);
        buffer[..read].copy_from_slice(&self.ready[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}
