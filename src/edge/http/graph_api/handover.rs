//! Hand-over by the API: `/vN.M/{number}/handovers/{user}`. GET tells in whose hands
//! a conversation is, POST takes it (`?for=30m`), DELETE gives it back.

use super::super::Answer;
use super::GraphApi;
use super::answers::{handover_json, json_answer, not_allowed, refuse};
use crate::config::span_of_time;
use crate::edge::clock;
use crate::gateway::handover;
use crate::wire::relay::path;
use serde_json::json;
use tiny_http::Method;

impl GraphApi {
    /// Looks a hand-over up, or makes it, of a conversation that `number` has with
    /// `user`; `for_ms` is how long one lasts if the request does not say.
    pub(super) fn handover(
        &self,
        method: &Method,
        (number, user): (String, String),
        query: &str,
        for_ms: i64,
    ) -> Answer {
        let now = clock::now_ms();
        let span = match path::parameter(query, "for") {
            None => for_ms,
            Some(text) => match span_of_time(&text) {
                Some(span) => span.as_millis() as i64,
                None => {
                    let text = "for is not a span of time: write 90s, 15m, 24h or 7d";
                    return refuse(400, 100, text);
                }
            },
        };
        let store = &self.committer;
        let hands = match method {
            Method::Get => store.commit(move |tx| handover::hands(tx, &number, &user)),
            Method::Post => {
                let until = now.saturating_add(span);
                store.commit(move |tx| handover::take(tx, now, &number, &user, until))
            }
            Method::Delete => store.commit(move |tx| handover::give(tx, now, &number, &user)),
            _ => return not_allowed("GET, POST, DELETE"),
        };
        match hands {
            Ok(Some(hands)) => {
                let found = json!({"handover": handover_json(&hands, now)});
                json_answer(200, found.to_string())
            }
            Ok(None) => refuse(404, 100, "this number has no conversation with this person"),
            Err(error) => {
                log::error!("msg=\"a hand-over cannot be stored\" error=\"{error}\"");
                refuse(503, 2, "the store cannot be used now").with("Retry-After", "1")
            }
        }
    }
}
