//! One element of `messages`, `statuses` or `calls`: what it is, what makes it
//! the same event when it comes again, and what a status says.

use super::super::raw::{self, Member};
use super::marketing;
use super::opening;
use super::people::{PARTICIPANT_KEYS, is_of_participant};
use super::{Kind, StatusFacts, bounded, digest_hex, message_key, status_key};
use crate::wire::message::CONTENTS;
use std::borrow::Cow;

/// The element's own word for what it is: message type, status, call event.
pub(super) fn type_of<'a>(kind: Kind, members: &[Member<'a>]) -> Cow<'a, str> {
    let said = match kind {
        Kind::Message => raw::get_text(members, "type").or_else(|| content(members)),
        Kind::Status => raw::get_text(members, "status"),
        Kind::Call | Kind::Other => {
            raw::get_text(members, "event").or_else(|| raw::get_text(members, "status"))
        }
    };
    said.unwrap_or_default()
}

/// Meta's call-permission sample has no `type`; its content's name serves.
fn content<'a>(members: &[Member<'a>]) -> Option<Cow<'a, str>> {
    let content = |m: &&Member<'a>| CONTENTS.contains(&m.key.as_ref());
    members.iter().find(content).map(|m| m.key.clone())
}

/// The key of an element. Without an id, or without the word that tells two
/// events of one id apart, only a digest of its text is safe.
pub(super) fn key(
    kind: Kind,
    type_: &str,
    field: &str,
    waba: &str,
    text: &str,
    members: &[Member<'_>],
) -> String {
    let key = match raw::get_text(members, "id") {
        Some(id) if kind == Kind::Message => message_key(field, &id),
        Some(id) if kind == Kind::Status && !type_.is_empty() => {
            one_status_key(field, &id, type_, members)
        }
        Some(id) if kind == Kind::Call && !type_.is_empty() => format!("call {field} {id} {type_}"),
        _ => format!("{} {field} {}", kind.as_str(), digest_hex(&[waba, text])),
    };
    bounded(key)
}

/// A message has one `delivered` of each member of its group, and a payment
/// status is about one try to pay.
fn one_status_key(field: &str, wamid: &str, status: &str, members: &[Member<'_>]) -> String {
    let mut key = status_key(field, wamid, status);
    let mut add = |members: &[Member<'_>], part: &str| {
        if let Some(text) = raw::get_text(members, part) {
            key.push(' ');
            key.push_str(&text);
        }
    };
    for participant in PARTICIPANT_KEYS {
        add(members, participant);
    }
    let payment = raw::get(members, "payment").and_then(raw::members);
    let transaction = payment.and_then(|payment| raw::members(raw::get(&payment, "transaction")?));
    for part in ["id", "status"] {
        add(transaction.as_deref().unwrap_or_default(), part);
    }
    key
}

/// Errors of one status that are looked at; Meta sends one or two.
const ERRORS_MAX: usize = 8;

/// Statuses of payments and calls share the list, not the meaning.
pub(super) fn status_facts(members: &[Member<'_>]) -> Option<StatusFacts> {
    let type_is = |type_| raw::text_is(members, "type", type_);
    if type_is("payment") || type_is("call") {
        return None;
    }
    let errors = raw::get(members, "errors").and_then(raw::elements);
    let error_codes = errors.iter().flatten().filter_map(|error| {
        let error = raw::members(error)?;
        raw::get_text(&error, "code")?.parse().ok()
    });
    Some(StatusFacts {
        wamid: raw::get_text(members, "id")?.into_owned(),
        status: raw::get_text(members, "status")?.into_owned(),
        opaque: raw::get_text(members, "biz_opaque_callback_data").map(Cow::into_owned),
        of_participant: is_of_participant(members),
        error_codes: error_codes.take(ERRORS_MAX).collect(),
        free_until: opening::free_until(members),
        purpose: marketing::purpose(members),
    })
}
