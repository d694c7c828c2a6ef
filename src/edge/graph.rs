//! One call to Graph. Never retries: the outbox is the only thing that does.

use crate::config::{Config, Tokens};
use crate::gateway::Sending;
use crate::policy::verdict::{self, Answer, Verdict};
use std::time::Duration;
use ureq::{Agent, Error, Timeout};

/// A connection to Graph that does not come about in this time will not.
const CONNECT: Duration = Duration::from_secs(5);

/// The whole call. Graph answers within a second or two; a longer wait only
/// keeps a worker from others.
const CALL: Duration = Duration::from_secs(30);

/// Graph's answers are a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A client for Graph, shared by all sender threads.
pub struct Graph {
    agent: Agent,
    base: String,
    tokens: Tokens,
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

impl Graph {
    /// A client by these settings.
    pub fn new(config: &Config) -> Graph {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry the token to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(CALL))
            .max_idle_connections_per_host(config.send_concurrency)
            .max_idle_connections(config.send_concurrency)
            .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Graph {
            agent,
            base: format!("{}/{}", config.graph_url, config.graph_version),
            tokens: config.tokens.clone(),
        }
    }

    /// Sends one message and reads what Graph makes of it.
    pub fn send(&self, sending: &Sending) -> Called {
        let Some(token) = self.tokens.of(&sending.number) else {
            return not_sent("no token is set for this number");
        };
        // It becomes part of the path, next to our token.
        if !sending.number.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return not_sent("the phone_number_id has characters no id has");
        }
        let url = format!("{}/{}/messages", self.base, sending.number);
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
                    .and_then(|text| text.trim().parse().ok())
                    .map(Duration::from_secs);
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
}

/// Whether a failed call cannot have reached the other side.
pub fn nothing_was_sent(error: &Error) -> bool {
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

/// What went wrong with a call, without what was in it.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("connection failed: {}", error.kind()),
        Error::Timeout(at) => format!("time-out ({at})"),
        Error::HostNotFound => "host name not found".into(),
        Error::ConnectionFailed => "connection failed".into(),
        Error::Tls(_) | Error::Rustls(_) => "no secure connection could be made".into(),
        _ => "the call failed".into(),
    }
}

fn not_sent(reason: &str) -> Called {
    let reason = reason.to_owned();
    Called::without_answer(&Answer::NotSent { reason })
}

fn lost(reason: String) -> Called {
    Called::without_answer(&Answer::Lost { reason })
}
