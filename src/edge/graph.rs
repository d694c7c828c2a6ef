//! One call to Graph. Never retries: the outbox is the only thing that does.
//!
//! Each call bears the token of the number it is for and, when `APP_SECRET` is
//! set, the proof that we know the app's secret; it has deadlines for the
//! connection, for each read and write, and for the whole, and follows no
//! redirect.
//!
//! * `roots`: whom to trust with TLS

mod roots;

pub(super) use roots::Roots;
pub use roots::RootsError;

use super::clock;
use super::metrics::{CallFor, Metrics};
use crate::config::{Config, Secret, Tokens};
use crate::gateway::Sending;
use crate::handler::forward;
use crate::policy::verdict::{self, Answer, Verdict};
use crate::wire::retry_after;
use crate::wire::signature::HubKeys;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Request;
use ureq::{Agent, Error, Proxy, SendBody, Timeout};

/// A connection to Graph that does not come about in this time will not.
const CONNECT: Duration = Duration::from_secs(5);

/// The whole call. Graph answers within a second or two; a longer wait only
/// keeps a worker from others.
pub const CALL: Duration = Duration::from_secs(30);

/// Nothing read, or nothing taken, for so long is an end, however much of a
/// call's whole time is left.
const STALLED: Duration = Duration::from_secs(20);

/// Graph's answers are a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A client for Graph, shared by all threads that call it.
pub struct Graph {
    agent: Agent,
    base: String,
    tokens: Tokens,
    app: HubKeys,
    metrics: Option<Arc<Metrics>>,
}

/// What came of a call.
pub struct Called {
    /// What it means for the message.
    pub verdict: Verdict,
    /// Graph's answer, HTTP status and body, if there was one.
    pub answer: Option<(u16, String)>,
}

impl Called {
    /// A call without an answer that can be read.
    pub fn without_answer(why: &Answer<'_>) -> Called {
        Called {
            verdict: verdict::read(why),
            answer: None,
        }
    }
}

/// A call made for somebody else.
pub struct Call<'c> {
    /// The method.
    pub method: &'c str,
    /// What is called.
    pub target: Target<'c>,
    /// Our token.
    pub token: &'c Secret,
    /// Further headers; `Content-Length` is not among them.
    pub headers: &'c [(String, String)],
    /// What is sent along.
    pub body: Payload<'c>,
    /// By when it must be over, the reading of its answer included.
    pub within: Duration,
}

/// Where a call goes.
pub enum Target<'c> {
    /// On Graph: what follows the version in its path, with its query.
    Path(&'c str),
    /// An address that Graph gave us, such as that of a file. Whoever makes the
    /// call answers for it: it gets our token.
    Url(&'c str),
}

/// The body of a call.
pub enum Payload<'c> {
    /// None.
    Nothing,
    /// All of it.
    Whole(&'c [u8]),
    /// Read while it is sent; in chunks when its length is not known.
    Stream(&'c mut dyn Read, Option<u64>),
}

/// An answer whose body is still to be read. Dropped before its end, it takes
/// its connection with it.
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Its headers, as far as they are text.
    pub headers: Vec<(String, String)>,
    /// The length of the body, if it was announced.
    pub length: Option<u64>,
    /// The body. It fails when the other side ends early or the time is up.
    pub body: Box<dyn Read + Send>,
}

impl Answered {
    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Unanswered {
    /// The time was up.
    pub timed_out: bool,
    /// What went wrong, without what was in the call.
    pub reason: String,
}

impl Graph {
    /// A client by these settings, for so many calls at once.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn new(config: &Config, calls: usize) -> Result<Graph, RootsError> {
        let roots = Roots::of(config)?;
        // A proxy of the environment is for what leaves the machine by TLS,
        // which it cannot read. Without TLS Graph is a stand-in nearby.
        let proxy = (!config.graph_is_near())
            .then(Proxy::try_from_env)
            .flatten();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry the token to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(STALLED))
            .timeout_per_write(Some(STALLED))
            .timeout_global(Some(CALL))
            .max_idle_connections_per_host(calls)
            .max_idle_connections(calls)
            .tls_config(roots.tls())
            .proxy(proxy)
            .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Graph {
            agent,
            base: format!("{}/{}", config.graph_url, config.graph_version),
            tokens: config.tokens.clone(),
            app: config.hub_keys.clone(),
            metrics: None,
        })
    }

    /// The same, without the proof that we know the app's secret.
    pub fn unproven(&self) -> Graph {
        Graph {
            agent: self.agent.clone(),
            base: self.base.clone(),
            tokens: self.tokens.clone(),
            app: HubKeys::new([]),
            metrics: self.metrics.clone(),
        }
    }

    /// The same client, whose calls are counted.
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Graph {
        Graph {
            metrics: Some(metrics),
            ..self
        }
    }

    fn count(&self, call: CallFor, outcome: &'static str, since_us: i64) {
        if let Some(metrics) = &self.metrics {
            metrics.called(call, outcome, since_us);
        }
    }

    /// Sends one message and reads what Graph makes of it.
    pub fn send(&self, sending: &Sending) -> Called {
        let began_us = clock::monotonic_us();
        let called = self.post(sending);
        self.count(CallFor::Send, called.verdict.as_str(), began_us);
        called
    }

    fn post(&self, sending: &Sending) -> Called {
        let Some(token) = self.tokens.of(&sending.number) else {
            return not_sent("no token is set for this number");
        };
        // It becomes part of the path, next to our token.
        if !sending.number.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return not_sent("the phone_number_id has characters no id has");
        }
        let url = self.url(&format!("{}/messages", sending.number), token);
        let called = self
            .agent
            .post(&url)
            .header("Authorization", format!("Bearer {}", token.expose()))
            .header("Content-Type", "application/json")
            .send(sending.body.as_bytes());
        match called {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let retry_after = response
                    .headers()
                    .get("Retry-After")
                    .and_then(|value| value.to_str().ok())
                    .and_then(|text| retry_after::read(text, clock::now_ms()));
                let body = response
                    .body_mut()
                    .with_config()
                    .limit(ANSWER_BYTES_MAX)
                    .read_to_vec();
                let Ok(body) = body else {
                    return lost("the answer broke off".into());
                };
                let verdict = verdict::read(&Answer::Http {
                    status,
                    retry_after,
                    body: &body,
                });
                Called {
                    verdict,
                    answer: String::from_utf8(body).ok().map(|body| (status, body)),
                }
            }
            Err(error) if nothing_was_sent(&error) => not_sent(&in_words(&error)),
            Err(error) => lost(in_words(&error)),
        }
    }

    /// Makes somebody else's call with our token and hands back the answer,
    /// unread.
    ///
    /// # Errors
    /// When there is none.
    pub fn call(&self, call: Call<'_>) -> Result<Answered, Unanswered> {
        let url = match call.target {
            Target::Path(path) => self.url(path, call.token),
            Target::Url(url) => url.to_owned(),
        };
        let bearer = format!("Bearer {}", call.token.expose());
        let request = Request::builder()
            .method(call.method)
            .uri(url)
            .header("Authorization", bearer);
        let request = call.headers.iter().fold(request, |request, (name, value)| {
            request.header(name.as_str(), value.as_str())
        });
        let answered = match call.body {
            Payload::Nothing => self.run(request.body(()), call.within),
            Payload::Whole(bytes) => self.run(request.body(bytes), call.within),
            Payload::Stream(reader, length) => {
                let request = match length {
                    Some(length) => request.header("Content-Length", length),
                    None => request,
                };
                self.run(request.body(SendBody::from_reader(reader)), call.within)
            }
        };
        let response = answered.map_err(|error| Unanswered {
            timed_out: matches!(error, Error::Timeout(_)),
            reason: in_words(&error),
        })?;
        let (parts, body) = response.into_parts();
        let text = |value: &ureq::http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = parts.headers.iter();
        Ok(Answered {
            status: parts.status.as_u16(),
            headers: headers
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
                .collect(),
            length: body.content_length(),
            body: Box::new(body.into_reader()),
        })
    }

    fn run(
        &self,
        request: Result<Request<impl ureq::AsSendBody>, ureq::http::Error>,
        within: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, Error> {
        let began_us = clock::monotonic_us();
        let request = self.agent.configure_request(request?);
        let answered = self.agent.run(request.timeout_global(Some(within)).build());
        let outcome = match &answered {
            Ok(response) => class(response.status().as_u16()),
            Err(_) => "no_answer",
        };
        self.count(CallFor::Other, outcome, began_us);
        answered
    }

    /// A path on Graph with the proof that goes with the token.
    fn url(&self, path: &str, token: &Secret) -> String {
        let Some(proof) = self.app.proof(token.expose()) else {
            return format!("{}/{path}", self.base);
        };
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{}/{path}{joint}appsecret_proof={proof}", self.base)
    }
}

/// The class of an HTTP status, in figures.
fn class(status: u16) -> &'static str {
    match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Whether a failed call cannot have reached the other side.
fn nothing_was_sent(error: &Error) -> bool {
    match error {
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::BadUri(_)
        | Error::Http(_)
        | Error::InvalidProxyUrl
        | Error::ConnectProxyFailed(_)
        | Error::Tls(_)
        | Error::Rustls(_)
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        Error::Io(error) if is_distrusted(error) => true,
        Error::Io(error) => {
            use std::io::ErrorKind::{
                ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable,
            };
            matches!(
                error.kind(),
                ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable
            )
        }
        _ => false,
    }
}

/// Whether the other side did not prove who it is. That is settled before the
/// first byte of a request goes out; other faults of TLS can come at any time.
pub(super) fn is_distrusted(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::PeerIncompatible(_))
    )
}

/// What went wrong with a call, without what was in it.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::Io(error) if is_distrusted(error) => "no secure connection could be made".into(),
        Error::Io(error) => format!("connection failed: {}", error.kind()),
        Error::Tls(_) | Error::Rustls(_) => "no secure connection could be made".into(),
        // The rest is as with any app.
        _ => forward::in_words(error),
    }
}

fn not_sent(reason: &str) -> Called {
    let reason = reason.to_owned();
    Called::without_answer(&Answer::NotSent { reason })
}

fn lost(reason: String) -> Called {
    Called::without_answer(&Answer::Lost { reason })
}
