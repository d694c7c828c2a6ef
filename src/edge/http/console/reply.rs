//! Answers of the console, with the headers that keep a browser in bounds: no
//! script but ours, no framing, no guessing of types, nothing kept.

use std::fs::File;
use std::io::{Cursor, Read};
use tiny_http::{Header, Request, Response, StatusCode};

/// Nothing is loaded from anywhere but here, and nothing inline is run.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     media-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'";

/// On each answer that does not say otherwise. The referrer goes to ourselves:
/// without any, browsers hide a form's origin from us too.
const BOUNDS: &[(&str, &str)] = &[
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=()",
    ),
    ("Cache-Control", "no-store"),
];

/// An answer, ready to be written.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Text(String),
    Fixed(&'static str),
    File(File, u64),
}

impl Reply {
    /// A page.
    pub fn page(status: u16, html: String) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type", "text/html; charset=utf-8".into())],
            body: Body::Text(html),
        }
    }

    /// Plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type", "text/plain; charset=utf-8".into())],
            body: Body::Text(text.into()),
        }
    }

    /// What is built in and changes with the version alone.
    pub fn fixed(content_type: &'static str, text: &'static str) -> Reply {
        Reply {
            status: 200,
            headers: vec![("Content-Type", content_type.into())],
            body: Body::Fixed(text),
        }
    }

    /// A file of `length` bytes. The headers say what it is.
    pub fn file(file: File, length: u64) -> Reply {
        Reply {
            status: 200,
            headers: Vec::new(),
            body: Body::File(file, length),
        }
    }

    /// To another page, which is asked for by GET.
    pub fn see(path: &str) -> Reply {
        Reply {
            status: 303,
            headers: vec![("Location", path.to_owned())],
            body: Body::Fixed(""),
        }
    }

    /// One more header, in the place of the usual one of this name. Foreign text
    /// may be in its value: one that cannot be written is left out.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether it sets a cookie.
    pub fn sets_cookies(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "Set-Cookie")
    }

    /// Whether a reader may take long to read it.
    pub fn is_long(&self) -> bool {
        matches!(self.body, Body::File(..))
    }

    /// Writes it. A client that is gone does not need it.
    pub fn send(self, request: Request) {
        let own = |name: &str| self.headers.iter().any(|(own, _)| *own == name);
        let bounds = BOUNDS.iter().filter(|(name, _)| !own(name));
        let bounds = bounds.filter_map(|(name, value)| written(name, value));
        let own = self.headers.iter();
        let own = own.filter_map(|(name, value)| written(name, value));
        let headers: Vec<Header> = own.chain(bounds).collect();
        let (body, length): (Box<dyn Read + Send>, u64) = match self.body {
            Body::Text(text) => {
                let length = text.len() as u64;
                (Box::new(Cursor::new(text.into_bytes())), length)
            }
            Body::Fixed(text) => (Box::new(text.as_bytes()), text.len() as u64),
            Body::File(file, length) => (Box::new(file.take(length)), length),
        };
        let length = usize::try_from(length).ok();
        let response = Response::new(StatusCode(self.status), headers, body, length, None)
            .with_chunked_threshold(usize::MAX);
        if let Err(error) = request.respond(response) {
            log::debug!("msg=\"a client left before its answer\" error=\"{error}\"");
        }
    }
}

/// tiny_http lets line breaks through in values.
fn written(name: &str, value: &str) -> Option<Header> {
    let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let header = plain.then(|| Header::from_bytes(name, value));
    header.and_then(Result::ok)
}
