//! What can be known to be wrong with a message before it is sent.
//!
//! A message that Graph would refuse is refused here, at once and with the place and the limit
//! named, instead of after its turn in the queue. Only what Meta documents is checked: a type or a
//! key we do not know passes untouched, since Meta adds some several times a year, and so does
//! whatever Meta's pages leave open. Lengths are counted in code points, the more generous of the
//! ways in which Meta may count.
//!
//! The limits are data, in `table`; what a row of a table cannot say is in `rules`. What is
//! refused never repeats what the message says, so it is fit for logs.
//!
//! ```
//! use wabridge::wire::validate;
//!
//! let four = r#"{"messaging_product":"whatsapp","to":"15550107001","type":"interactive",
//!     "interactive":{"type":"button","body":{"text":"?"},"action":{"buttons":[{},{},{},{}]}}}"#;
//! let invalid = validate::check(four).unwrap_err();
//! assert_eq!(invalid.details, "interactive.action.buttons: at most 3, found 4");
//! assert_eq!(invalid.code, 131009);
//! ```

use std::fmt;

use serde_json::{Value, json};

use super::event::repair_surrogates;
use super::raw;

mod place;
mod rules;
mod table;
#[cfg(test)]
pub(crate) mod tests;

/// Graph: a parameter of the wrong shape, one that is not supported, or too long.
const PARAMETER: i64 = 100;
/// Graph: a required parameter is missing.
const MISSING: i64 = 131_008;
/// Graph: a parameter's value is not valid.
const VALUE: i64 = 131_009;

/// Why a message cannot be sent as it is: the first thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Graph's code: 100 (shape or length), 131008 (missing), 131009 (not a valid value).
    pub code: i64,
    /// The place, such as `interactive.action.buttons[0].reply.title`; empty for the whole.
    pub path: String,
    /// The place and what is wrong there, without anything the message says.
    pub details: String,
}

/// Checks a message object, or a read mark, as it is posted to `/{phone_number_id}/messages`.
///
/// # Errors
/// What Graph would refuse it for.
pub fn check(json: &str) -> Result<(), Invalid> {
    match read(json)? {
        Some(message) => rules::posted(&message),
        None => Ok(()),
    }
}

/// Checks an answer to an event, which need not say to whom: one element of an app's `messages`,
/// or what [`compose`](super::compose) builds.
///
/// ```
/// use wabridge::wire::{compose::Message, validate};
///
/// let hello = Message::text("hi").to_json();
/// assert!(validate::check_reply(&hello).is_ok());
/// assert_eq!(validate::check(&hello).unwrap_err().path, "to");
/// ```
///
/// # Errors
/// What Graph would refuse it for.
pub fn check_reply(json: &str) -> Result<(), Invalid> {
    match read(json)? {
        Some(message) => rules::content(&message),
        None => Ok(()),
    }
}

/// The object in the text. `None` for one that is JSON but that we cannot hold, being nested too
/// deep or having numbers too large: that is for Graph to judge.
fn read(json: &str) -> Result<Option<Value>, Invalid> {
    match serde_json::from_str(&repair_surrogates(json)) {
        Ok(message @ Value::Object(_)) => Ok(Some(spelled_out(message))),
        Err(_) if raw::is_json(json) && raw::members(json).is_some() => Ok(None),
        _ => Err(Invalid::new(PARAMETER, "", "the body is not a JSON object")),
    }
}

/// With the content as it is meant: Graph also takes it as a JSON text, as in form posts (Graph API:
/// complex parameters), and whatsapp-api-js writes its contacts so.
fn spelled_out(mut message: Value) -> Value {
    let type_ = message["type"].as_str().unwrap_or("text").to_owned();
    let text = message.get(&type_).and_then(Value::as_str);
    if let Some(Ok(content @ (Value::Object(_) | Value::Array(_)))) = text.map(serde_json::from_str)
    {
        message[type_] = content;
    }
    message
}

impl Invalid {
    fn new(code: i64, path: &str, what: impl fmt::Display) -> Invalid {
        let details = match path {
            "" => what.to_string(),
            path => format!("{path}: {what}"),
        };
        Invalid {
            code,
            path: path.to_owned(),
            details,
        }
    }

    fn missing(path: &str) -> Invalid {
        Invalid::new(MISSING, path, "required")
    }

    fn value(path: &str, what: impl fmt::Display) -> Invalid {
        Invalid::new(VALUE, path, what)
    }

    /// Graph's words for the code.
    fn title(&self) -> &'static str {
        match self.code {
            MISSING => "Required parameter is missing",
            VALUE => "Parameter value is not valid",
            _ => "Invalid parameter",
        }
    }

    /// The answer Graph would give, to be sent with status 400. It has no `fbtrace_id`: Graph was
    /// not asked, and Meta's support could not find it.
    pub fn envelope(&self) -> String {
        let error = json!({
            "message": format!("(#{}) {}", self.code, self.title()),
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details},
        });
        json!({"error": error}).to_string()
    }
}

/// One line without anything a person wrote.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(#{}) {}", self.code, self.details)
    }
}

impl std::error::Error for Invalid {}
