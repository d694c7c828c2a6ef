//! The Graph-compatible API on the operator's listener: programs written for
//! Graph send through us by changing a base URL, bear our key instead of Meta's
//! token, and gain durability, order, pacing and retries. What is not about
//! messages is passed on (see [`relay`](super::relay)).

use super::exchange::Exchange;
use super::handover_api::{self, Refused};
use super::relay::{Asked, FILES, Relay};
use super::respond::{Later, Responder};
use super::{Answer, RequestIds, body, credential, header};
use crate::config::{Config, Secret};
use crate::edge::clock;
use crate::edge::live::{InForce, Live};
use crate::edge::waiting::WaitingRoom;
use crate::gateway::operator;
use crate::gateway::post::is_settled;
use crate::gateway::{Gateway, Post, Posted};
use crate::policy::window::Window;
use crate::store::rows::{Halt, Message};
use crate::store::{Committer, Result, Step, Tx};
use crate::wire::notification::{is_bsuid, key_digest, user_id};
use crate::wire::raw;
use crate::wire::relay::path::{self, BadPath};
use crate::wire::signature::hex;
use crate::wire::validate;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tiny_http::Method;

/// Message objects are small: a list or carousel comes to some kilobytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Standard practice for the header (IETF draft): keys are ids, not documents.
const IDEMPOTENCY_KEY_MAX: usize = 255;

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

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Health,
    Messages { number: String },
    Object { id: String },
    Call { parts: Vec<String> },
    File { name: String },
    Window { number: String, user: String },
    Handover { number: String, user: String },
    Unknown,
    Malformed,
}

impl Route {
    /// The word in log lines.
    fn as_str(&self) -> &'static str {
        match self {
            Route::Health => "health",
            Route::Messages { .. } => "messages",
            Route::Object { .. } => "object",
            Route::Call { .. } => "call",
            Route::File { .. } => "file",
            Route::Window { .. } => "window",
            Route::Handover { .. } => "handover",
            Route::Unknown => "unknown",
            Route::Malformed => "malformed",
        }
    }
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
        let route = route(path);
        if route == Route::Health {
            let answer = match exchange.request.method() {
                Method::Get => Answer::text(200, "ok"),
                _ => not_allowed("GET"),
            };
            return exchange.answer_unread(answer);
        }
        let live = self.live.now();
        if live.config.api.is_none() {
            let text = "there is no API here: set API_KEY to have one";
            return exchange.answer_unread(refuse(404, 2500, text));
        }
        let authorization = header(&exchange.request, "Authorization");
        let Some(caller) = caller(&live.config, authorization, query) else {
            let text = "the API key is missing or wrong: send Authorization: Bearer <API_KEY>";
            return exchange.answer_unread(refuse(401, 190, text));
        };
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
                    return self.post(&live, exchange, id, &number, &caller);
                }
                // It comes as slowly as its caller likes: the few workers that
                // take requests do not wait for it.
                let api = Arc::clone(self);
                return exchange.aside(move |exchange| {
                    api.post(&live, exchange, id, &number, &caller);
                });
            }
            (_, Route::Messages { .. }) => not_allowed("POST"),
            (Method::Get, Route::Object { id }) => match self.object(&live, &id) {
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
                self.handover(&live, &method, (number, user), query)
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

    fn post(
        &self,
        live: &InForce,
        mut exchange: Exchange,
        id: String,
        number: &str,
        caller: &Caller,
    ) {
        let body = match body::read(&mut exchange.request, BODY_BYTES_MAX) {
            Ok(body) => body,
            Err(body::Unread::TooLong) => {
                return exchange.answer(refuse(413, 100, "the body is over 1 MiB"));
            }
            Err(body::Unread::Broken) => {
                return exchange.answer(refuse(400, 100, "the body cannot be read"));
            }
        };
        if live.config.tokens.of(number).is_none() {
            let text = "no token is set for this phone_number_id: set WHATSAPP_TOKEN";
            return exchange.answer(refuse(400, 100, text));
        }
        let (post, at_once) = match read(&exchange, number, caller, body) {
            Ok(read) => read,
            Err(answer) => return exchange.answer(answer),
        };
        // A request behind others on its connection keeps a worker until it is
        // answered, and a few of them would keep all.
        let waits_for_worker = !exchange.turn.is_first();
        let (later, wait) = self.responder.later(exchange);
        let step = Box::new(PostStep {
            gateway: Arc::clone(&live.gateway),
            room: self.room.clone(),
            queued: Arc::clone(&self.queued),
            id,
            post,
            wait: match at_once || waits_for_worker {
                true => Duration::ZERO,
                false => caller.wait,
            },
            found: None,
            later,
        });
        if let Err((_, step)) = self.committer.submit(step) {
            step.done(Err(crate::store::StoreError::Busy));
        }
        wait();
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

    /// In whose hands a conversation is to be, or is.
    fn handover(
        &self,
        live: &InForce,
        method: &Method,
        whose: (String, String),
        query: &str,
    ) -> Answer {
        let for_ms = live.config.limits.handover_ms;
        match handover_api::answer(&self.committer, method, whose, query, for_ms) {
            Ok(Ok(found)) => json_answer(200, found.to_string()),
            Ok(Err(Refused::Span)) => refuse(
                400,
                100,
                "for is not a span of time: write 90s, 15m, 24h or 7d",
            ),
            Ok(Err(Refused::Nobody)) => {
                refuse(404, 100, "this number has no conversation with this person")
            }
            Ok(Err(Refused::Method)) => not_allowed("GET, POST, DELETE"),
            Err(error) => {
                log::error!("msg=\"a hand-over cannot be stored\" error=\"{error}\"");
                refuse(503, 2, "the store cannot be used now").with("Retry-After", "1")
            }
        }
    }

    /// A message's state, by our id or Graph's, if it is one of ours.
    fn object(&self, live: &InForce, id: &str) -> std::result::Result<Option<Answer>, Answer> {
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
struct Caller {
    /// How long it may be kept waiting for Graph's answer.
    wait: Duration,
    /// The key it bears, as it may be stored.
    key: String,
}

/// Who bears one of the keys: in the header, or as a parameter of the query.
fn caller(config: &Config, authorization: Option<&str>, query: &str) -> Option<Caller> {
    let api = config.api.as_ref()?;
    let given = match authorization {
        // Upload sessions know the second word.
        Some(given) => credential(given, &["bearer", "oauth"])?.to_owned(),
        None => path::parameter(query, "access_token")?,
    };
    let known = Secret::known(&api.keys, &given);
    known.map(|own| Caller {
        wait: api.wait,
        key: key_name(own.expose()),
    })
}

/// The message in a request, and whether the caller wants its 202 at once.
fn read(
    exchange: &Exchange,
    number: &str,
    caller: &Caller,
    body: Vec<u8>,
) -> std::result::Result<(Post, bool), Answer> {
    let body = String::from_utf8(body)
        .ok()
        .filter(|body| raw::members(body).is_some());
    let body = body.ok_or_else(|| refuse(400, 100, "the body is not a JSON object"))?;
    validate::check(&body).map_err(|invalid| json_answer(400, invalid.envelope()))?;
    let key = header(&exchange.request, "Idempotency-Key");
    if key.is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX) {
        return Err(refuse(
            400,
            100,
            "Idempotency-Key must have 1 to 255 characters",
        ));
    }
    let at_once = header(&exchange.request, "Prefer").is_some_and(|value| {
        value
            .split(',')
            .any(|p| p.trim().eq_ignore_ascii_case("respond-async"))
    });
    let post = Post {
        number: number.to_owned(),
        body,
        // Two programs may well use the same keys.
        idempotency_key: key.map(|key| format!("{} {key}", caller.key)),
    };
    Ok((post, at_once))
}

fn route(path: &str) -> Route {
    if path == "/healthz" {
        return Route::Health;
    }
    if let Some(name) = path.strip_prefix(FILES) {
        let name = name.to_owned();
        return Route::File { name };
    }
    if let Some(id) = path::wamid(path) {
        return Route::Object { id };
    }
    let mut parts = match path::parts(path) {
        Ok(parts) => parts,
        Err(BadPath::NoVersion) => return Route::Unknown,
        Err(BadPath::Malformed) => return Route::Malformed,
    };
    let is_number = |id: &str| id.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [id] if !id.starts_with("upload:") => Route::Object {
            id: parts.remove(0),
        },
        // However it is written: a message goes through the outbox.
        [id, edge] if edge.eq_ignore_ascii_case("messages") => match is_number(id) {
            true => Route::Messages {
                number: parts.remove(0),
            },
            false => Route::Unknown,
        },
        // One of ours: Graph knows no such edge.
        [id, edge, _] if edge == "windows" && is_number(id) => Route::Window {
            user: parts.remove(2),
            number: parts.remove(0),
        },
        [id, edge, _] if edge == "handovers" && is_number(id) => Route::Handover {
            user: parts.remove(2),
            number: parts.remove(0),
        },
        _ => Route::Call { parts },
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    refuse(405, 100, &format!("only {methods} here")).with("Allow", methods)
}

/// The commit of one message, and its caller's answer or place in the room.
struct PostStep {
    gateway: Arc<Gateway>,
    room: WaitingRoom,
    queued: Arc<dyn Fn() + Send + Sync>,
    /// The request's.
    id: String,
    post: Post,
    wait: Duration,
    found: Option<Found>,
    later: Later,
}

struct Found {
    posted: Posted,
    message: Option<Message>,
    answer: Option<(u16, String)>,
    halt: Option<Halt>,
}

impl Step for PostStep {
    fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
        let posted = self.gateway.post(tx, clock::now_ms(), &self.post)?;
        let (message, answer) = match posted {
            Posted::New(id) | Posted::Again(id) => (tx.message(id)?, tx.answer(id)?),
            Posted::Conflict => (None, None),
        };
        self.found = Some(Found {
            posted,
            message,
            answer,
            halt: operator::halt_of_number(tx, &self.post.number)?,
        });
        Ok(())
    }

    fn done(self: Box<Self>, outcome: Result<()>) {
        let found = match (outcome, self.found) {
            (Ok(()), Some(found)) => found,
            (outcome, _) => {
                if let Err(error) = outcome {
                    log::error!("msg=\"a message cannot be stored\" error=\"{error}\"");
                }
                let answer = refuse(503, 2, "the message cannot be stored now; nothing was sent");
                return self.later.answer(answer.with("Retry-After", "1"));
            }
        };
        let Some(message) = found.message else {
            let text = "this Idempotency-Key was used for another request";
            return self.later.answer(refuse(422, 100, text));
        };
        let (id, outbox) = (&self.id, message.id);
        let again = matches!(found.posted, Posted::Again(_));
        log::debug!("msg=\"message stored\" request={id} outbox={outbox} again={again}");
        if is_settled(message.state) {
            return self.later.answer(ended(&message, found.answer));
        }
        let mut pending = pending(&message);
        if let Some(halt) = &found.halt {
            pending["halt"] = halt_shown(halt);
        }
        let pending = json_answer(202, pending.to_string());
        // Nothing goes out before someone has acted: there is no use in waiting.
        match self.wait.is_zero() || found.halt.is_some() {
            true => self.later.answer(pending),
            // In the room before anybody can learn the answer: the sender is
            // woken afterwards, and a settled message was seen above.
            false => self.room.enter(message.id, self.wait, self.later, pending),
        }
        if matches!(found.posted, Posted::New(_)) {
            (self.queued)();
        }
    }
}

/// In the form of Graph's own answer, so that a library finds an id where it
/// looks for one: ours, by which the message can be asked for.
fn pending(message: &Message) -> serde_json::Value {
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
fn contact(recipient: &str) -> serde_json::Value {
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
fn halt_shown(halt: &Halt) -> serde_json::Value {
    let (reason, mend) = halt.reason_and_mend();
    json!({
        "scope": halt.scope.as_str(),
        "since": clock::rfc3339(halt.since),
        "code": halt.code,
        "reason": reason,
        "mend": mend,
    })
}

fn shown(message: &Message, attempts: u32) -> serde_json::Value {
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
pub fn window_json(window: &Window) -> serde_json::Value {
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

fn json_answer(status: u16, body: String) -> Answer {
    Answer {
        status,
        headers: vec![("Content-Type", "application/json")],
        body,
    }
}

/// A key as it may be stored.
fn key_name(key: &str) -> String {
    hex(&key_digest(key))
}

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

    #[test]
    fn paths_lead_where_graphs_do() {
        let number = |number: &str| Route::Messages {
            number: number.into(),
        };
        let object = |id: &str| Route::Object { id: id.into() };
        let call = |parts: &str| Route::Call {
            parts: parts.split(' ').map(str::to_owned).collect(),
        };
        let cases = [
            ("/v26.0/106540300000001/messages", number("106540300000001")),
            ("/v1.99/7/messages", number("7")),
            ("/v1.99/7/messages/", number("7")),
            ("/v1.99/7/%6dessages", number("7")),
            ("/v1.99/7/Messages", number("7")),
            ("/v26.0/wamid.AbC=", object("wamid.AbC=")),
            ("/v26.0/wamid.Ab%2FC%2B%3D", object("wamid.Ab/C+=")),
            ("/v26.0/wamid.Ab/C+=", object("wamid.Ab/C+=")),
            ("/v26.0/17", object("17")),
            ("/v26.0/17/media", call("17 media")),
            (
                "/v26.0/17/windows/1555",
                Route::Window {
                    number: "17".into(),
                    user: "1555".into(),
                },
            ),
            ("/v26.0/17/windows", call("17 windows")),
            ("/v26.0/1/messages/x", call("1 messages x")),
            ("/v26.0/upload:abc", call("upload:abc")),
            (
                "/files/abc.def",
                Route::File {
                    name: "abc.def".into(),
                },
            ),
            ("/healthz", Route::Health),
            ("/106540300000001/messages", number("106540300000001")),
            ("/1065/messages", Route::Unknown),
            ("/v26/1/messages", Route::Unknown),
            ("/v26.0/me/messages", Route::Unknown),
            ("/v26.0/../messages", Route::Malformed),
            ("/v26.0/", Route::Malformed),
            ("/", Route::Unknown),
            ("/webhook", Route::Unknown),
        ];
        for (path, expected) in cases {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
