//! HTTP, served by tiny_http behind a proxy on the same machine.
//!
//! tiny_http is small and quick, and has traps: it stops accepting after one
//! accept error, has no time-outs, trusts `Content-Length`, and starves some
//! connections of a burst. nginx in front (systemd/nginx.conf) shows it only
//! complete, well-formed requests, one a connection. What may still happen is
//! dealt with here:
//!
//! * [`server`]: a listener that survives accept errors and silent death
//! * [`nudge`]: connections that tiny_http leaves waiting
//! * [`body`]: bodies with a limit, lying lengths
//! * [`exchange`]: a request, until it is answered
//! * [`under_way`]: those a stop has to wait for
//! * [`seats`]: how many may be at something at once
//! * [`respond`]: who answers which request, so that nobody waits for ever
//! * [`webhook`]: the webhook itself
//! * [`operator`]: the operator's listener, which has the rest
//! * [`graph_api`]: the API for sending
//! * [`console`]: the operator's pages
//! * [`monitor`]: `/metrics` and `/readyz`, on the operator's listener

pub mod body;
pub mod console;
pub mod exchange;
pub mod graph_api;
pub mod monitor;
pub mod nudge;
pub mod operator;
pub mod probe;
pub mod relay;
pub mod respond;
pub mod seats;
pub mod server;
pub mod under_way;
pub mod webhook;

use std::sync::atomic::{AtomicU64, Ordering};
use tiny_http::{Header, Request, Response, StatusCode};

/// An answer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Further headers, all of them our own constants: tiny_http lets line
    /// breaks through in values, so no foreign text ever goes in here.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type", "text/plain")],
            body: body.into(),
        }
    }

    /// One more header.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Answer {
        self.headers.push((name, value));
        self
    }

    /// Writes it. A client that is gone does not need it.
    pub fn send(self, request: Request) {
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| Header::from_bytes(*name, *value).ok())
            .collect();
        let length = self.body.len();
        let body = std::io::Cursor::new(self.body.into_bytes());
        let response = Response::new(StatusCode(self.status), headers, body, Some(length), None);
        if let Err(error) = request.respond(response) {
            log::debug!("msg=\"a client left before its answer\" error=\"{error}\"");
        }
    }
}

/// The value of a header, if it is there once or more.
pub fn header<'r>(request: &'r Request, name: &'static str) -> Option<&'r str> {
    let mut headers = request.headers().iter();
    let found = headers.find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str())
}

/// What an `Authorization` header holds, if its scheme is one of these.
pub fn credential<'h>(authorization: &'h str, schemes: &[&str]) -> Option<&'h str> {
    let (scheme, given) = authorization.split_once(' ')?;
    let mut schemes = schemes.iter();
    schemes.find(|own| scheme.eq_ignore_ascii_case(own))?;
    Some(given.trim())
}

/// Names for requests in log lines.
pub struct RequestIds {
    prefix: char,
    next: AtomicU64,
}

impl RequestIds {
    /// Ours begin with `prefix`: one for each listener.
    pub fn new(prefix: char) -> RequestIds {
        RequestIds {
            prefix,
            next: AtomicU64::new(1),
        }
    }

    /// nginx's id for the request when it has a harmless form, else our own.
    pub fn of(&self, request: &Request) -> String {
        let harmless = |id: &&str| {
            (8..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        match header(request, "X-Request-Id").filter(harmless) {
            Some(id) => id.to_owned(),
            None => format!(
                "{}{}",
                self.prefix,
                self.next.fetch_add(1, Ordering::Relaxed)
            ),
        }
    }
}
