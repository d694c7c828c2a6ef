//! Graph's error, as far as it is used.

use super::Why;
use crate::policy::codes::{self, Means};
use serde_json::Value;

/// How much of Graph's own text is kept, in characters: enough for a sentence or two on the console.
pub const DETAILS_CHARS_MAX: usize = 300;

/// `fbtrace_id` has about 23 characters; anything much longer is not one.
const FBTRACE_ID_CHARS_MAX: usize = 64;

/// The parts of `{"error": { … }}`, or of an element of `statuses[].errors`, that are used.
pub(super) struct GraphError {
    code: Option<i64>,
    subcode: Option<i64>,
    details: Option<String>,
    fbtrace_id: Option<String>,
    pub is_transient: bool,
}

impl GraphError {
    /// `None` unless it looks like Graph's: gateways too answer `{"error": …}`, and where they put a
    /// number in it, it is the HTTP status once more.
    pub fn of_body(status: u16, body: &Value) -> Option<GraphError> {
        let error = GraphError::parse(&body["error"]);
        let echo = status >= 400 && error.code == Some(i64::from(status));
        (error.fbtrace_id.is_some() || (error.code.is_some() && !echo)).then_some(error)
    }

    fn parse(raw: &Value) -> GraphError {
        // The best explanation first. `error_data` is a plain string in general Graph errors;
        // `details` stood beside `code` in old statuses.
        let details = [
            &raw["error_data"]["details"],
            &raw["error_data"],
            &raw["details"],
            &raw["error_user_msg"],
            &raw["message"],
            &raw["title"],
        ];
        GraphError {
            code: integer(&raw["code"]),
            subcode: integer(&raw["error_subcode"]),
            details: details.into_iter().find_map(text).map(one_line),
            fbtrace_id: text(&raw["fbtrace_id"])
                .filter(|id| is_trace_id(id))
                .map(str::to_owned),
            is_transient: raw["is_transient"] == Value::Bool(true),
        }
    }

    /// What its code means, if it is one of those we know.
    pub fn known(&self) -> Option<(Means, &'static str)> {
        codes::find(self.code?, self.subcode)
    }

    /// The same, with our words for it.
    pub fn why(&self, reason: String) -> Why {
        Why {
            code: self.code,
            reason,
            details: self.details.clone(),
            fbtrace_id: self.fbtrace_id.clone(),
        }
    }
}

/// A string with something in it.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|s| !s.trim().is_empty())
}

/// Codes are integers, except that some webhook samples of Meta's have them as strings.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(s) => s.trim().parse().ok(),
        other => other.as_i64(),
    }
}

/// Cuts, and takes out line breaks and control characters: a list on a terminal shows it.
fn one_line(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(DETAILS_CHARS_MAX)
        .collect()
}

/// It goes into logs, so it must be what it claims to be.
fn is_trace_id(id: &str) -> bool {
    id.len() <= FBTRACE_ID_CHARS_MAX
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
