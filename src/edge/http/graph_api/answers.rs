//! Answers in Graph's form, so that programs written for Graph understand them, and what of
//! ours they hold: the command line shows a window or a message in the same words.

use super::super::Answer;
use crate::edge::clock;
use crate::policy::handover::Hands;
use crate::policy::window::Window;
use crate::store::rows::{Halt, Message};
use crate::wire::notification::{is_bsuid, user_id};
use crate::wire::signature::hex;
use serde_json::{Value, json};

/// An error in Graph's envelope (Meta: error codes page).
pub fn refuse(status: u16, code: i64, details: &str) -> Answer {
    let trace = hex(&clock::random::<8>());
    let body = json!({"error": {
        "message": format!("(#{code}) {details}"),
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": format!("wabridge-{trace}"),
    }});
    json_answer(status, body.to_string())
}

/// Another method than those that a path has.
pub(super) fn not_allowed(methods: &'static str) -> Answer {
    refuse(405, 100, &format!("only {methods} here")).with("Allow", methods)
}

/// In the form of Graph's own answer, so that a library finds an id where it
/// looks for one: ours, by which the message can be asked for.
pub(super) fn pending(message: &Message) -> Value {
    let id = json!({"id": message.id.to_string(), "message_status": "queued"});
    match message.recipient.as_str() {
        // A read mark, which Graph answers with its success alone.
        "" => json!({"success": true, "messages": [id]}),
        recipient => json!({
            "messaging_product": "whatsapp",
            "contacts": [contact(recipient)],
            "messages": [id],
        }),
    }
}

/// The recipient as Graph's answer names it; libraries look for either key.
fn contact(recipient: &str) -> Value {
    let id = user_id(recipient);
    let key = match is_bsuid(&id) {
        true => "user_id",
        // Groups too have their id here.
        false => "wa_id",
    };
    json!({"input": recipient, key: id})
}

/// The answer for a message that ended without an answer of Graph's.
fn settled(message: &Message) -> Answer {
    match (&message.wamid, &message.error) {
        (Some(wamid), _) => json_answer(
            200,
            json!({
                "messaging_product": "whatsapp",
                "contacts": [contact(&message.recipient)],
                "messages": [{"id": wamid}],
            })
            .to_string(),
        ),
        (None, error) => {
            let code = message.error_code.unwrap_or(131_000);
            refuse(
                400,
                code,
                error.as_deref().unwrap_or("the message was not sent"),
            )
        }
    }
}

/// Why nothing goes out, for a caller. Graph's own text is the operator's.
pub(super) fn halt_shown(halt: &Halt) -> Value {
    let (reason, mend) = halt.reason_and_mend();
    json!({
        "scope": halt.scope.as_str(),
        "since": clock::rfc3339(halt.since),
        "code": halt.code,
        "reason": reason,
        "mend": mend,
    })
}

/// A message with all that a program may ask about it.
pub(super) fn shown(message: &Message, attempts: u32) -> Value {
    let error = message
        .error
        .as_ref()
        .map(|text| json!({"code": message.error_code, "message": text}));
    json!({
        "id": message.wamid.clone().unwrap_or_else(|| message.id.to_string()),
        "outbox_id": message.id.to_string(),
        "wamid": message.wamid,
        "state": message.state.as_str(),
        "phone_number_id": message.number,
        "to": message.recipient,
        "type": message.type_,
        "sent_as": message.substitute.as_ref().map(|_| "template"),
        "attempts": attempts,
        "created_at": clock::rfc3339(message.created_at),
        "changed_at": clock::rfc3339(message.changed_at),
        "error": error,
    })
}

/// Whether a window is open, when it ends or ended, and what keeps or kept it so;
/// `null` where nothing is known.
pub fn window_json(window: &Window) -> Value {
    let (open, until, kind) = match window {
        Window::Unknown => (None, None, "unknown"),
        Window::Open { until, kind } => (Some(true), Some(until), kind.as_str()),
        Window::Closed { since, kind } => (Some(false), Some(since), kind.as_str()),
    };
    let until = until.map(|until| clock::rfc3339(*until));
    json!({"open": open, "until": until, "kind": kind})
}

/// The answer for whoever waited for a message: Graph's own, or one in its
/// form when Graph gave none.
pub fn ended(message: &Message, answer: Option<(u16, String)>) -> Answer {
    match answer {
        Some((status, body)) => json_answer(status, body),
        None => settled(message),
    }
}

/// An answer that holds JSON.
pub(super) fn json_answer(status: u16, body: String) -> Answer {
    Answer {
        status,
        headers: vec![("Content-Type", "application/json")],
        body,
    }
}

/// In whose hands a conversation is at `now`.
pub fn handover_json(hands: &Hands, now: i64) -> Value {
    match hands.taken_at(now) {
        Some(taken) => json!({
            "taken": true,
            "by": taken.by.as_str(),
            "since": clock::rfc3339(taken.since),
            "until": clock::rfc3339(taken.until),
        }),
        None => json!({"taken": false, "by": null, "since": null, "until": null}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_named_by_the_key_that_graph_has_for_it() {
        let cases = [
            ("15550107001", "wa_id", "15550107001"),
            ("+1 (555) 010-7001", "wa_id", "15550107001"),
            (
                "US.13491208655302741918",
                "user_id",
                "US.13491208655302741918",
            ),
            (
                "US.ENT.11815799212886844830",
                "user_id",
                "US.ENT.11815799212886844830",
            ),
            ("Y2FwaV9ncm91cDox==", "wa_id", "Y2FwaV9ncm91cDox=="),
        ];
        for (recipient, key, id) in cases {
            let expected = json!({"input": recipient, key: id});
            assert_eq!(contact(recipient), expected);
        }
    }
}
