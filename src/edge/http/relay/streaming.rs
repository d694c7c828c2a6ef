//! Answers that are written while they come. One that breaks off must not look whole, and
//! tiny_http ends every stream of chunks properly: so streams are written here.

use super::super::header;
use crate::wire::relay::answer::Scrub;
use std::io::{self, Read, Write};
use tiny_http::{HTTPVersion, Request, StatusCode};

/// What is read at once.
pub(super) const PIECE_BYTES: usize = 16 * 1024;

/// How a streamed answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
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
    /// As the caller can read it.
    pub fn of(request: &Request, length: Option<u64>) -> Framing {
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

    /// The answer's head.
    pub fn head(self, status: u16, headers: &[(String, String)]) -> String {
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
pub(super) enum Broken {
    Source(io::Error),
    Caller(io::Error),
}

/// Writes an answer while it comes.
pub(super) fn copy(
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
pub(super) struct Scrubbed<R> {
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
