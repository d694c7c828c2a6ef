//! `POST /vN.M/{number}/messages`: read, checked, stored, and answered when Graph has, when the
//! wait is over, or at once.

use super::super::exchange::Exchange;
use super::super::respond::Later;
use super::super::{Answer, body, header};
use super::answers::{ended, halt_shown, json_answer, pending, refuse};
use super::{Caller, GraphApi};
use crate::edge::clock;
use crate::edge::live::InForce;
use crate::edge::waiting::WaitingRoom;
use crate::gateway::operator;
use crate::gateway::post::is_settled;
use crate::gateway::{Gateway, Post, Posted};
use crate::store::rows::{Halt, Message};
use crate::store::{Result, Step, StoreError, Tx};
use crate::wire::raw;
use crate::wire::validate;
use std::sync::Arc;
use std::time::Duration;

/// Message objects are small: a list or carousel comes to some kilobytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Standard practice for the header (IETF draft): keys are ids, not documents.
const IDEMPOTENCY_KEY_MAX: usize = 255;

impl GraphApi {
    /// Stores a message, and has its caller answered.
    pub(super) fn post(
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
            step.done(Err(StoreError::Busy));
        }
        if let Some(wait) = wait {
            wait.finish();
        }
    }
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
