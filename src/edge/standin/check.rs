//! Reads a body posted to `…/messages` as Graph does, and as strictly. Pure.
//!
//! It is a reading of Meta's pages of its own and asks nothing of [`wire`](crate::wire): what the
//! bridge lets through by mistake, or builds wrongly, is to be refused here. Graph knows its types
//! and words, so one that is not named here is refused too, while the bridge passes it on: Meta
//! adds some several times a year. Keys that nobody knows are let through. Lengths are counted in
//! code points. The first thing found is told.
//!
//! * here: what every message has, and whom it is for
//! * `content`: the plain types
//! * `interactive`: each interactive kind
//! * `template`: components and parameters
//! * `at`: a place in the body, and Graph's complaints about it

use std::borrow::Cow;

use serde_json::Value;

use super::graph::GraphError;
use at::{At, Checked};

mod at;
mod content;
mod interactive;
mod template;
#[cfg(test)]
mod tests;

/// A body that is in order.
#[derive(Debug, PartialEq)]
pub(super) enum Call {
    Message(Message),
    /// A message of the customer's marked as read, perhaps with typing shown.
    Receipt {
        message_id: String,
        typing: bool,
    },
}

/// What the stand-in needs of a message to answer it and to report on it.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub to: To,
    /// `to` as it was written.
    pub input: String,
    pub kind: String,
    pub opaque: Option<String>,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum To {
    /// Digits only.
    Phone(String),
    User(String),
    Group(String),
}

impl To {
    pub fn id(&self) -> &str {
        match self {
            To::Phone(id) | To::User(id) | To::Group(id) => id,
        }
    }
}

const TYPES: &[&str] = &[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "template",
    "interactive",
    "pin",
];

/// A phone number has 7 to 15 digits with its country code (E.164); fewer would be a short code.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Reads a body as Graph does: what it asks for, or why it is refused.
pub(super) fn check(body: &[u8]) -> Checked<(Call, Value)> {
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
        return Err(
            GraphError::new(400, 100, "Invalid parameter").details("The body is not a JSON object")
        );
    };
    let top = At::top(&body);
    if top.key("messaging_product").text() != Some("whatsapp") {
        return Err(required("messaging_product"));
    }
    let call = match top.key("status").is_absent() {
        true => Call::Message(message(&body)?),
        false => receipt(&top)?,
    };
    Ok((call, body))
}

fn receipt(top: &At) -> Checked<Call> {
    top.key("status").word(&["read"])?;
    let message_id = top.key("message_id").id(None)?;
    let indicator = top.key("typing_indicator");
    let typing = !indicator.is_absent();
    if typing {
        indicator.object()?.key("type").word(&["text"])?;
    }
    Ok(Call::Receipt { message_id, typing })
}

fn message(body: &Value) -> Checked<Message> {
    let top = At::top(body);
    let (to, input) = recipient(&top)?;
    let kind = match top.key("type").is_absent() {
        true => "text",
        false => top.key("type").word(TYPES)?,
    };
    top.key("biz_opaque_callback_data").optional(Some(512))?;
    top.key("recipient_identity_key_hash").optional(None)?;
    let context = top.key("context");
    if !context.is_absent() {
        context.object()?.key("message_id").id(None)?;
        if kind == "reaction" {
            return Err(context.invalid("a reaction names its message itself"));
        }
    }
    content::check(&At::top(&spelled_out(body, kind)), kind, &to)?;
    Ok(Message {
        to,
        input,
        kind: kind.to_owned(),
        opaque: top
            .key("biz_opaque_callback_data")
            .text()
            .map(str::to_owned),
    })
}

/// With the content as it is meant: Graph also takes it as a JSON text, as in form posts.
fn spelled_out<'a>(body: &'a Value, kind: &str) -> Cow<'a, Value> {
    let content = body.get(kind).and_then(Value::as_str);
    match content.map(serde_json::from_str::<Value>) {
        Some(Ok(content)) => {
            let mut body = body.clone();
            body[kind] = content;
            Cow::Owned(body)
        }
        _ => Cow::Borrowed(body),
    }
}

fn recipient(top: &At) -> Checked<(To, String)> {
    let type_ = top.key("recipient_type");
    let group = !type_.is_absent() && type_.word(&["individual", "group"])? == "group";
    let given = |key| {
        let place = top.key(key);
        match place.is_empty() {
            true => Ok(None),
            false => place.id(None).map(Some),
        }
    };
    // If both are given, `to` wins.
    let (to, recipient) = (given("to")?, given("recipient")?);
    match (to, recipient) {
        (Some(to), _) if group => Ok((To::Group(to.clone()), to)),
        (Some(to), _) => {
            let digits: String = to.chars().filter(char::is_ascii_digit).collect();
            let punctuated = |c: char| c.is_ascii_digit() || "+-() .".contains(c);
            if !PHONE_DIGITS.contains(&digits.len()) || !to.chars().all(punctuated) {
                return Err(top.key("to").invalid("not a phone number"));
            }
            Ok((To::Phone(digits), to))
        }
        (None, Some(_)) if group => Err(required("to")),
        (None, Some(user_id)) => Ok((To::User(user_id.clone()), user_id)),
        (None, None) => Err(required("to")),
    }
}

fn required(name: &str) -> GraphError {
    GraphError::new(400, 100, &format!("The parameter {name} is required."))
}
