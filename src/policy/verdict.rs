//! What an answer of the Graph API to `POST /{phone_number_id}/messages` means for the queue.
//!
//! Reads bytes, returns a value: nothing here waits, counts, logs or sends. How many tries have been
//! made and when the next one comes is the caller's business; the codes themselves, each with its
//! meaning and its mend, are data in `codes`.
//!
//! Two rules stand behind every decision. Graph has no idempotency key, so only an explicit refusal
//! *before* processing is safe to repeat; everything else may double a message. And Meta tells
//! clients to branch on `error.code`, not on the HTTP status, subcode or title (Meta: Cloud API
//! error codes page): a 500 can be final (131045), a 400 can be passing (131056), a 401 can have
//! nothing to do with the token (138006), and a 206 can be an error (131201).

mod graph_error;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub use super::codes::explain;
use super::codes::{self, Means, SOME_TRIES};
use crate::wire::retry_after;
pub use graph_error::DETAILS_CHARS_MAX;
use graph_error::{GraphError, text};

/// What Graph answered, or why there is no answer. No `Debug`: the body holds phone numbers.
pub enum Answer<'a> {
    /// An HTTP answer arrived whole.
    Http {
        status: u16,
        /// The header, if it was there and readable; it is bounded here.
        retry_after: Option<Duration>,
        body: &'a [u8],
    },
    /// Connection refused, DNS failure, connect time-out: nothing was sent. The reason goes into
    /// logs, so it must hold no token and no phone number.
    NotSent { reason: String },
    /// The request may have arrived: time-out or reset after it was written. Reason as above.
    Lost { reason: String },
}

/// What the queue should do about a message after one attempt.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Graph took it. Accepted is not sent: the truth comes as a status. `wamid` is `None` for
    /// mark-read and typing, which Graph answers with `{"success":true}`. `wa_id` is absent for
    /// messages sent to a BSUID, `user_id` is absent before 2026.
    Accepted {
        wamid: Option<String>,
        wa_id: Option<String>,
        user_id: Option<String>,
    },
    /// Refused before processing: the same request is safe to repeat. `wait` is the least wait that
    /// Graph or the code asks for; `None` leaves it to the caller's backoff.
    Retry {
        scope: Scope,
        wait: Option<Duration>,
        why: Why,
    },
    /// Refused for good: the same request would be refused again, or repeating it does harm
    /// (131026, 131048, 131049 lower the number's quality).
    Refused { why: Why },
    /// Nothing goes out in this scope until a person mends it. The message itself is innocent and
    /// keeps its place and its attempts.
    Halt { scope: HaltScope, why: Why },
    /// It may have gone out. `tries_max` says how often it may be tried in all before it counts as
    /// failed, `None`: as the settings say. `scope` says who is likely to meet the same trouble, so
    /// that a whole number need not run into it message by message.
    Unknown {
        scope: Scope,
        wait: Option<Duration>,
        tries_max: Option<u32>,
        why: Why,
    },
}

/// Whom a passing trouble concerns: slow or pause just that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This message only.
    Message,
    /// This sender and this recipient. After 131056 wait 4^X seconds, X = 0, 1, 2 … (Meta: Cloud
    /// API error codes page); all other recipients go on, or one chatty customer stops everybody.
    Pair,
    /// All that one `phone_number_id` sends.
    Number,
    /// All numbers of one WhatsApp Business account (WABA).
    Account,
    /// All numbers that send with the same token.
    Token,
    /// All numbers of the Meta app.
    App,
    /// Everything: Graph cannot be reached. The only scope that says nothing of
    /// pace.
    Graph,
}

/// What stands still until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HaltScope {
    /// Every number that uses this token.
    Token,
    /// One `phone_number_id`.
    Number,
    /// All numbers of one WhatsApp Business account (WABA).
    Account,
    /// All numbers of the Meta app.
    App,
}

impl HaltScope {
    const ALL: [HaltScope; 4] = [
        HaltScope::Token,
        HaltScope::Number,
        HaltScope::Account,
        HaltScope::App,
    ];

    /// The word that is shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            HaltScope::Token => "token",
            HaltScope::Number => "number",
            HaltScope::Account => "account",
            HaltScope::App => "app",
        }
    }

    /// The scope a word names.
    pub fn parse(word: &str) -> Option<HaltScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Why it was not accepted. [`fmt::Display`] and [`fmt::Debug`] show only our own words and
/// Meta's codes, fit for logs; Graph's text, which may quote a phone number, is in `details`.
#[derive(Clone, PartialEq, Eq)]
pub struct Why {
    /// Meta's `error.code`; `None` when no Graph error could be read.
    pub code: Option<i64>,
    /// What happened and how to mend it, in our words.
    pub reason: String,
    /// Graph's own explanation, on one line, at most [`DETAILS_CHARS_MAX`] characters. For the
    /// operator's eyes, never for logs.
    pub details: Option<String>,
    /// Meta's support asks for it; safe to log.
    pub fbtrace_id: Option<String>,
}

/// Decides what an answer means. Total: every answer has a verdict.
pub fn read(answer: &Answer<'_>) -> Verdict {
    match answer {
        Answer::Http {
            status,
            retry_after,
            body,
        } => read_http(*status, retry_after.map(|w| w.min(retry_after::MAX)), body),
        Answer::NotSent { reason } => Verdict::Retry {
            scope: Scope::Graph,
            wait: None,
            why: Why::ours(format!(
                "Graph could not be reached, nothing was sent: {reason}"
            )),
        },
        Answer::Lost { reason } => Verdict::Unknown {
            scope: Scope::Message,
            wait: None,
            tries_max: None,
            why: Why::ours(format!(
                "no answer from Graph, the message may have gone out: {reason}"
            )),
        },
    }
}

/// What a `failed` status says. The message is over either way: it has its wamid, and a repeat
/// would be a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The most telling of Meta's codes.
    pub code: Option<i64>,
    /// What happened and how to mend it, in our words.
    pub reason: &'static str,
    /// The trouble is not this message's alone (131042, payment, comes mostly this way). Statuses
    /// can be late: one about a message from before the last mend must not halt again.
    pub halt: Option<HaltScope>,
}

impl Failure {
    /// As the answer to a call would have said it.
    pub fn why(&self) -> Why {
        Why {
            code: self.code,
            ..Why::ours(self.reason.to_owned())
        }
    }
}

/// Reads the codes in `statuses[].errors`. There can be several, and the first is not always the
/// telling one: what halts is picked before what refuses, a known code before a vague one.
pub fn failed_status(codes: &[i64]) -> Failure {
    let known = |code: i64| codes::find(code, None);
    let code = codes
        .iter()
        .copied()
        .min_by_key(|code| vagueness(*code, known(*code)));
    let found = code.and_then(known);
    Failure {
        code,
        reason: match (found, code) {
            (Some((_, reason)), _) => reason,
            (None, Some(_)) => {
                "Meta reports a failure with an error code this version does not know: read the \
                 details, and look the code up in Meta's list of error codes"
            }
            (None, None) => "Meta could not deliver it",
        },
        halt: match found {
            Some((Means::Halt(scope), _)) => Some(scope),
            _ => None,
        },
    }
}

/// How little a code says; the least first.
fn vagueness(code: i64, known: Option<(Means, &str)>) -> u8 {
    match known {
        // A refusal, but Meta's word for "something about this message".
        _ if code == 135000 => 4,
        Some((Means::Halt(_), _)) => 0,
        Some((Means::Refused, _)) => 1,
        Some((Means::Retry(..), _)) => 2,
        None => 3,
        Some((Means::Unknown(..), _)) => 4,
    }
}

fn read_http(status: u16, wait: Option<Duration>, body: &[u8]) -> Verdict {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let success = (200..=299).contains(&status);
    // A wamid comes before all else: a message with an id exists, whatever stands beside it.
    if success && let Some(wamid) = text(&body["messages"][0]["id"]) {
        let contact = &body["contacts"][0];
        return Verdict::Accepted {
            wamid: Some(wamid.to_owned()),
            wa_id: text(&contact["wa_id"]).map(str::to_owned),
            user_id: text(&contact["user_id"]).map(str::to_owned),
        };
    }
    if let Some(error) = GraphError::of_body(status, &body) {
        return match error.known() {
            Some((means, reason)) => by_code(means, wait, error.why(reason.to_owned())),
            None => by_class(status, wait, error),
        };
    }
    if success && body["success"] == Value::Bool(true) {
        return Verdict::Accepted {
            wamid: None,
            wa_id: None,
            user_id: None,
        };
    }
    without_graph(status, wait)
}

fn by_code(means: Means, asked: Option<Duration>, why: Why) -> Verdict {
    // Graph's wish can lengthen what the code calls for, not shorten it.
    let longer = |secs: u64| asked.max((secs > 0).then(|| Duration::from_secs(secs)));
    match means {
        Means::Retry(scope, secs) => Verdict::Retry {
            scope,
            wait: longer(secs),
            why,
        },
        Means::Unknown(scope, tries, secs) => Verdict::Unknown {
            scope,
            wait: longer(secs),
            tries_max: Some(tries),
            why,
        },
        Means::Refused => Verdict::Refused { why },
        Means::Halt(scope) => Verdict::Halt { scope, why },
    }
}

/// Graph's error with a code we have no row for: new numbers appear several times a year, and then
/// the HTTP class and `is_transient` are all there is. 429 comes first: a refusal for pace was not
/// processed, whatever else it says.
fn by_class(status: u16, wait: Option<Duration>, error: GraphError) -> Verdict {
    let transient = error.is_transient;
    let why = |what: &str| {
        error.why(format!(
            "{what} (HTTP {status}, an error code this version does not know): read the details, \
             and look the code up in Meta's list of error codes"
        ))
    };
    match status {
        408 | 429 => Verdict::Retry {
            scope: pace_scope(status),
            wait,
            why: why("Graph put the message off"),
        },
        401 if !transient => Verdict::Halt {
            scope: HaltScope::Number,
            why: why("Graph does not let this number send"),
        },
        400..=499 if !transient => Verdict::Refused {
            why: why("Graph refused the message"),
        },
        _ => Verdict::Unknown {
            scope: Scope::Message,
            wait,
            tries_max: Some(SOME_TRIES),
            why: why("Graph failed, the message may have gone out"),
        },
    }
}

/// No Graph error and no sign of acceptance: a proxy's page, an empty body, half a body.
///
/// A 4xx or 3xx of this kind never came from the Messages API, so nothing was processed. What would
/// meet every message alike is a mistake in the way to Graph and halts, so that a wrong
/// `GRAPH_API_URL` cannot turn a queue into dead letters. What hangs on this very request is
/// refused. The rest may be a firewall's opinion on one text, or a passing whim: halting would let
/// one message stop all, refusing would lose it, so it is tried again as often as settings allow.
fn without_graph(status: u16, wait: Option<Duration>) -> Verdict {
    let why = |what: &str| {
        Why::ours(format!(
            "{what} (HTTP {status} without an answer from Graph)"
        ))
    };
    match status {
        300..=399 | 404 | 405 | 407 => Verdict::Halt {
            scope: HaltScope::App,
            why: why(
                "something that is not Graph answers: correct GRAPH_API_URL, or the proxy on the way",
            ),
        },
        401 => Verdict::Halt {
            scope: HaltScope::Number,
            why: why("not let in: check WHATSAPP_TOKEN, GRAPH_API_URL, and any proxy on the way"),
        },
        408 | 429 => Verdict::Retry {
            scope: pace_scope(status),
            wait,
            why: why("put off before it reached Graph, nothing was sent"),
        },
        // Too large, too long, malformed: the same bytes would be refused again.
        400 | 411 | 413 | 414 | 415 | 422 | 431 => Verdict::Refused {
            why: why("refused on the way to Graph: make the message smaller or simpler"),
        },
        400..=499 => Verdict::Retry {
            scope: Scope::Message,
            wait,
            why: why(
                "refused on the way to Graph, nothing was sent: look at the proxy or firewall",
            ),
        },
        _ => Verdict::Unknown {
            scope: Scope::Message,
            wait,
            tries_max: None,
            why: why("neither a message id nor an error came back, the message may have gone out"),
        },
    }
}

/// 429 without a code that says more is counted per app; 408 is one slow request.
fn pace_scope(status: u16) -> Scope {
    match status {
        429 => Scope::App,
        _ => Scope::Message,
    }
}

impl Verdict {
    /// The word for it in figures.
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Accepted { .. } => "accepted",
            Verdict::Retry { .. } => "retry",
            Verdict::Refused { .. } => "refused",
            Verdict::Halt { .. } => "halt",
            Verdict::Unknown { .. } => "unknown",
        }
    }

    /// Why it was not accepted; `None` when it was.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Verdict::Accepted { .. } => None,
            Verdict::Retry { why, .. }
            | Verdict::Refused { why }
            | Verdict::Halt { why, .. }
            | Verdict::Unknown { why, .. } => Some(why),
        }
    }
}

/// Hides the ids of an accepted message: a `wa_id` is a phone number, and a wamid holds one in
/// base64.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accepted { wamid, .. } => match wamid {
                Some(_) => write!(f, "Accepted(with a wamid)"),
                None => write!(f, "Accepted(without a wamid)"),
            },
            Verdict::Retry { scope, wait, why } => write!(f, "Retry({scope:?}, {wait:?}, {why})"),
            Verdict::Refused { why } => write!(f, "Refused({why})"),
            Verdict::Halt { scope, why } => write!(f, "Halt({scope:?}, {why})"),
            Verdict::Unknown {
                scope,
                wait,
                tries_max,
                why,
            } => write!(f, "Unknown({scope:?}, {wait:?}, {tries_max:?}, {why})"),
        }
    }
}

impl Why {
    fn ours(reason: String) -> Why {
        Why {
            code: None,
            reason,
            details: None,
            fbtrace_id: None,
        }
    }

    /// Our reason and, after a dash, Graph's explanation: for the console and the stored row. May
    /// hold a phone number; a log takes [`Why::reason`].
    pub fn with_details(&self) -> String {
        match &self.details {
            Some(details) => format!("{} — {details}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The code and our reason: fit for logs.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// As [`fmt::Display`]: a derived one would show `details`.
impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
