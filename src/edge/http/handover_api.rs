//! Hand-over by the API: `/vN.M/{number}/handovers/{user}`. GET tells in whose hands
//! a conversation is, POST takes it (`?for=30m`), DELETE gives it back.

use crate::config::span_of_time;
use crate::edge::clock;
use crate::gateway::handover;
use crate::policy::handover::Hands;
use crate::store::{Committer, Result};
use crate::wire::relay::path;
use serde_json::{Value, json};
use tiny_http::Method;

/// Why a hand-over is not answered.
pub(super) enum Refused {
    /// `for` is no span of time.
    Span,
    /// The number knows nobody by this id.
    Nobody,
    /// Another method.
    Method,
}

/// Looks a hand-over up, or makes it, of a conversation that `number` has with
/// `user`; `for_ms` is how long one lasts if the request does not say.
pub(super) fn answer(
    committer: &Committer,
    method: &Method,
    (number, user): (String, String),
    query: &str,
    for_ms: i64,
) -> Result<std::result::Result<Value, Refused>> {
    let now = clock::now_ms();
    let span = match path::parameter(query, "for") {
        None => for_ms,
        Some(text) => match span_of_time(&text) {
            Some(span) => span.as_millis() as i64,
            None => return Ok(Err(Refused::Span)),
        },
    };
    let hands = match method {
        Method::Get => committer.commit(move |tx| handover::hands(tx, &number, &user))?,
        Method::Post => committer
            .commit(move |tx| handover::take(tx, now, &number, &user, now.saturating_add(span)))?,
        Method::Delete => committer.commit(move |tx| handover::give(tx, now, &number, &user))?,
        _ => return Ok(Err(Refused::Method)),
    };
    Ok(match hands {
        Some(hands) => Ok(json!({"handover": handover_json(&hands, now)})),
        None => Err(Refused::Nobody),
    })
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
