//! The Graph-compatible API on the operator's listener: programs written for
//! Graph send through us by changing a base URL, bear our key instead of Meta's
//! token, and gain durability, order, pacing and retries. What is not about
//! messages is passed on (see [`relay`](super::relay)).
//!
//! * `route`: which path is for what
//! * `post`: a message to send
//! * `handover`: in whose hands a conversation is
//! * [`answers`]: in Graph's form

pub mod answers;
mod handover;
mod post;
mod route;

use super::exchange::Exchange;
use super::relay::{Asked, Relay};
use super::respond::Responder;
use super::{Answer, RequestIds, credential, header};
use crate::config::{Config, Secret};
use crate::edge::clock;
use crate::edge::live::{InForce, Live};
use crate::edge::waiting::WaitingRoom;
use crate::gateway::operator;
use crate::gateway::post::is_settled;
use crate::store::Committer;
use crate::wire::notification::key_digest;
use crate::wire::relay::path;
use crate::wire::signature::hex;
use answers::{halt_shown, json_answer, not_allowed, refuse, shown, window_json};
use route::Route;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tiny_http::{Method, Request};

/// The API's settings and where its messages go.
pub struct GraphApi {
    live: Live,
    committer: Committer,
    responder: Responder,
    room: WaitingRoom,
    /// Called after a message was queued.
    queued: Arc<dyn Fn() + Send + Sync>,
    relay: Arc<Relay>,
    ids: RequestIds,
}

impl GraphApi {
    /// An API that stores through `committer`.
    pub fn new(
        live: Live,
        committer: Committer,
        responder: Responder,
        room: WaitingRoom,
        queued: Arc<dyn Fn() + Send + Sync>,
        relay: Arc<Relay>,
    ) -> GraphApi {
        GraphApi {
            live,
            committer,
            responder,
            room,
            queued,
            relay,
            ids: RequestIds::new('a'),
        }
    }

    /// Answers one request, now or when Graph has answered.
    pub fn handle(self: &Arc<Self>, exchange: Exchange) {
        let url = exchange.request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let route = Route::of(path);
        if route == Route::Health {
            let answer = match exchange.request.method() {
                Method::Get => Answer::text(200, "ok"),
                _ => not_allowed("GET"),
            };
            return exchange.answer_unread(answer);
        }
        let live = self.live.now();
        match let_in(&live.config, &exchange.request, query) {
            Ok(caller) => self.serve(&live, exchange, &caller, route, query),
            Err(answer) => exchange.answer_unread(answer),
        }
    }

    /// Answers somebody with a key.
    fn serve(
        self: &Arc<Self>,
        live: &Arc<InForce>,
        exchange: Exchange,
        caller: &Caller,
        route: Route,
        query: &str,
    ) {
        // The path itself may hold a phone number.
        let (id, method) = (
            self.ids.of(&exchange.request),
            exchange.request.method().clone(),
        );
        log::debug!(
            "msg=\"API request\" request={id} method={method} route={}",
            route.as_str()
        );
        let answer = match (method, route) {
            (Method::Post, Route::Messages { number }) => {
                if exchange.is_read() {
                    return self.post(live, exchange, id, &number, caller);
                }
                // It comes as slowly as its caller likes: the few workers that
                // take requests do not wait for it.
                let (api, live, caller) = (Arc::clone(self), Arc::clone(live), caller.clone());
                return exchange.aside(move |exchange| {
                    api.post(&live, exchange, id, &number, &caller);
                });
            }
            (_, Route::Messages { .. }) => not_allowed("POST"),
            (Method::Get, Route::Object { id }) => match self.object(live, &id) {
                Err(answer) | Ok(Some(answer)) => answer,
                Ok(None) if path::is_id(&id) => return self.pass(exchange, vec![id], query),
                Ok(None) => refuse(404, 100, "no message has this id"),
            },
            (Method::Get, Route::File { name }) => {
                return self.relay.pass(exchange, Asked::File(name));
            }
            (Method::Post | Method::Delete, Route::Object { id }) if path::is_id(&id) => {
                return self.pass(exchange, vec![id], query);
            }
            (Method::Get | Method::Post | Method::Delete, Route::Call { parts }) => {
                return self.pass(exchange, parts, query);
            }
            (_, Route::Call { .. }) => not_allowed("GET, POST, DELETE"),
            (Method::Get, Route::Window { number, user }) => self.window(number, user),
            (method, Route::Handover { number, user }) => {
                let for_ms = live.config.limits.handover_ms;
                self.handover(&method, (number, user), query, for_ms)
            }
            (
                _,
                Route::Health | Route::Object { .. } | Route::File { .. } | Route::Window { .. },
            ) => not_allowed("GET"),
            (_, Route::Unknown) => refuse(
                404,
                2500,
                "unknown path: there are /vN.M/{phone_number_id}/messages, /vN.M/{id} and what else Graph has for WhatsApp",
            ),
            (_, Route::Malformed) => refuse(400, 100, "no path of Graph's looks like this"),
        };
        exchange.answer_unread(answer);
    }

    fn pass(&self, exchange: Exchange, parts: Vec<String>, query: &str) {
        let query = path::query(query);
        self.relay.pass(exchange, Asked::Path { parts, query });
    }

    /// Whether anything but a template may be sent to a person.
    fn window(&self, number: String, user: String) -> Answer {
        let found = self
            .committer
            .commit(move |tx| operator::window(tx, clock::now_ms(), &number, &user));
        match found {
            Ok(window) => json_answer(200, json!({"window": window_json(&window)}).to_string()),
            Err(error) => {
                log::error!("msg=\"a window cannot be looked up\" error=\"{error}\"");
                refuse(503, 2, "the store cannot be read now").with("Retry-After", "1")
            }
        }
    }

    /// A message's state, by our id or Graph's, if it is one of ours.
    fn object(&self, live: &InForce, id: &str) -> Result<Option<Answer>, Answer> {
        let (gateway, wanted) = (Arc::clone(&live.gateway), id.to_owned());
        let found = self.committer.commit(move |tx| {
            let message = gateway.find(tx, &wanted)?;
            Ok(match message {
                Some(message) => {
                    let attempts = tx.job_of_outbox(message.id)?.map_or(0, |job| job.attempts);
                    // What is over has nothing to do with a halt.
                    let halt = match is_settled(message.state) {
                        true => None,
                        false => operator::halt_of_number(tx, &message.number)?,
                    };
                    Some((message, attempts, halt))
                }
                None => None,
            })
        });
        match found {
            Ok(found) => Ok(found.map(|(message, attempts, halt)| {
                let mut shown = shown(&message, attempts);
                shown["halt"] = halt.as_ref().map(halt_shown).into();
                json_answer(200, shown.to_string())
            })),
            Err(error) => {
                log::error!("msg=\"a message cannot be looked up\" error=\"{error}\"");
                let answer = refuse(503, 2, "the store cannot be read now");
                Err(answer.with("Retry-After", "1"))
            }
        }
    }
}

/// Who asks.
#[derive(Clone)]
struct Caller {
    /// How long it may be kept waiting for Graph's answer.
    wait: Duration,
    /// The key it bears, as it may be stored.
    key: String,
}

/// Who bears one of the keys; else what they hear.
fn let_in(config: &Config, request: &Request, query: &str) -> Result<Caller, Answer> {
    let Some(api) = &config.api else {
        let text = "there is no API here: set API_KEY to have one";
        return Err(refuse(404, 2500, text));
    };
    let given = given_key(header(request, "Authorization"), query);
    let known = given.and_then(|given| Secret::known(&api.keys, &given));
    match known {
        Some(key) => Ok(Caller {
            wait: api.wait,
            key: key_name(key.expose()),
        }),
        None => {
            let text = "the API key is missing or wrong: send Authorization: Bearer <API_KEY>";
            Err(refuse(401, 190, text))
        }
    }
}

/// In the header, or as a parameter of the query.
fn given_key(authorization: Option<&str>, query: &str) -> Option<String> {
    match authorization {
        // Upload sessions know the second word.
        Some(given) => credential(given, &["bearer", "oauth"]).map(str::to_owned),
        None => path::parameter(query, "access_token"),
    }
}

/// A key as it may be stored.
fn key_name(key: &str) -> String {
    hex(&key_digest(key))
}
