//! The webhook: Meta's handshake, and notifications that are stored before
//! they are answered.

use super::exchange::Exchange;
use super::respond::{Later, Responder};
use super::server::Lead;
use super::{Answer, RequestIds, body, header};
use crate::config::{Config, Secret};
use crate::edge::clock;
use crate::edge::live::{InForce, Live};
use crate::edge::log::Few;
use crate::edge::metrics::{Metrics, Receipt};
use crate::gateway::{Gateway, Received};
use crate::store::{Committer, Refused, Result, Step, StoreError, Tx};
use crate::wire::handshake;
use crate::wire::notification::{self, Incoming};
use std::sync::Arc;
use tiny_http::{Method, Request};

/// Meta: webhooks overview, "payloads can be up to 3 MB".
pub const BODY_BYTES_MAX: usize = 3 << 20;

/// Asked to wait this many seconds when we cannot store; Meta has its own
/// schedule, other senders may listen.
const RETRY_AFTER: &str = "5";

/// No challenge of Meta's is near this long.
const CHALLENGE_BYTES_MAX: usize = 4_096;

/// The webhook's settings and where its events go.
pub struct Webhook {
    live: Live,
    committer: Committer,
    responder: Responder,
    /// Called after a commit that left something to do.
    wake: Arc<dyn Fn(&Received) + Send + Sync>,
    ids: RequestIds,
    metrics: Arc<Metrics>,
    lines: Arc<Lines>,
}

impl Webhook {
    /// A webhook that stores through `committer`.
    pub fn new(
        live: Live,
        committer: Committer,
        responder: Responder,
        wake: Arc<dyn Fn(&Received) + Send + Sync>,
        metrics: Arc<Metrics>,
    ) -> Webhook {
        Webhook {
            live,
            committer,
            responder,
            wake,
            ids: RequestIds::new('r'),
            metrics,
            lines: Arc::default(),
        }
    }

    /// Answers one request, now or after its commit.
    pub fn handle(&self, mut exchange: Exchange, lead: &mut Lead<'_>) {
        let url = exchange.request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let live = self.live.now();
        let webhook = path == live.config.webhook_path;
        if webhook && *exchange.request.method() == Method::Post {
            return self.receive(&live, exchange, lead);
        }
        lead.pass_on();
        let answer = match (exchange.request.method(), path) {
            (Method::Get, _) if webhook => {
                self.handshake(&live.config, &self.ids.of(&exchange.request), query)
            }
            (Method::Get, "/healthz") => Answer::text(200, "ok"),
            (_, "/healthz") => Answer::text(405, "only GET\n").with("Allow", "GET"),
            _ if webhook => Answer::text(405, "only GET and POST\n").with("Allow", "GET, POST"),
            _ => Answer::text(404, "not found\n"),
        };
        body::discard(&mut exchange.request);
        exchange.answer(answer);
    }

    /// Meta: "Create a webhook endpoint", verification requests. The challenge
    /// goes back untouched, as plain text: as HTML it could carry a script.
    fn handshake(&self, config: &Config, id: &str, query: &str) -> Answer {
        let value = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let parts = (
            value("hub.mode"),
            value("hub.verify_token"),
            value("hub.challenge"),
        );
        let (Some(mode), Some(token), Some(challenge)) = parts else {
            let text = "hub.mode, hub.verify_token and hub.challenge are needed\n";
            return Answer::text(400, text);
        };
        if challenge.len() > CHALLENGE_BYTES_MAX {
            return Answer::text(400, "hub.challenge is too long\n");
        }
        let tokens = config.verify_tokens.iter().map(Secret::expose);
        if mode == "subscribe"
            && let Some(answer) = handshake::answered(tokens, &token, &challenge)
        {
            log::debug!("msg=\"a check asked whether this is us\" request={id}");
            return Answer::text(200, answer);
        }
        let known = Secret::known(&config.verify_tokens, &token);
        if mode != "subscribe" || known.is_none() {
            self.refused("handshake", id, "wrong verify token or mode");
            return Answer::text(403, "wrong verify token or mode\n");
        }
        log::info!("msg=\"handshake answered\" request={id}");
        Answer::text(200, challenge)
    }

    fn receive(&self, live: &InForce, mut exchange: Exchange, lead: &mut Lead<'_>) {
        let began_us = clock::monotonic_us();
        let id = self.ids.of(&exchange.request);
        if !exchange.is_read() {
            lead.pass_on();
        }
        let events = match self.events(live, &mut exchange.request, &id) {
            Ok(events) => events,
            Err(answer) => {
                lead.pass_on();
                return exchange.answer(answer);
            }
        };
        let (later, wait) = self.responder.later(exchange);
        let step = Box::new(Receive {
            gateway: Arc::clone(&live.gateway),
            wake: Arc::clone(&self.wake),
            lines: Arc::clone(&self.lines),
            metrics: Arc::clone(&self.metrics),
            began_us,
            id,
            events,
            received: Received::default(),
            later,
        });
        if let Err((refused, step)) = self.committer.submit(step) {
            step.done(Err(match refused {
                Refused::Overloaded => StoreError::Busy,
                Refused::Stopped => StoreError::Bug("the service is stopping".into()),
            }));
        }
        if let Some(wait) = wait {
            lead.pass_on();
            wait.finish();
        }
    }

    /// The events of a notification that is Meta's, or what is answered at once.
    fn events(
        &self,
        live: &InForce,
        request: &mut Request,
        id: &str,
    ) -> std::result::Result<Vec<Incoming<'static>>, Answer> {
        let body = body::read(request, BODY_BYTES_MAX).map_err(|unread| match unread {
            body::Unread::TooLong => {
                self.metrics.answered(Receipt::TooLong);
                self.refused("notification", id, "body over 3 MiB");
                Answer::text(413, "the body is over 3 MiB\n")
            }
            body::Unread::Broken => {
                self.metrics.answered(Receipt::Malformed);
                self.refused("notification", id, "body cannot be read");
                Answer::text(400, "the body cannot be read\n")
            }
        })?;
        let signature = header(request, "X-Hub-Signature-256");
        authentic(&live.config, signature, &body).map_err(|reason| {
            self.metrics.answered(Receipt::Unsigned);
            self.refused("notification", id, reason);
            Answer::text(401, format!("{reason}\n"))
        })?;
        let events = notification::read(&body).map_err(|_| {
            self.metrics.answered(Receipt::Malformed);
            self.refused("notification", id, "body is not JSON");
            Answer::text(400, "the body is not JSON\n")
        })?;
        if events.is_empty() {
            self.metrics.answered(Receipt::Empty);
            log::debug!("msg=\"notification without events\" request={id}");
            return Err(Answer::text(200, ""));
        }
        Ok(events.into_iter().map(Incoming::into_owned).collect())
    }

    fn refused(&self, what: &str, id: &str, reason: &str) {
        // Anyone can cause these: not one line each.
        if let Some(held_back) = self.lines.refused.pass(clock::now_ms()) {
            log::warn!("msg=\"{what} refused\" request={id} reason=\"{reason}\"{held_back}");
        }
    }
}

fn authentic(
    config: &Config,
    signature: Option<&str>,
    body: &[u8],
) -> std::result::Result<(), &'static str> {
    match signature {
        None if config.allow_unsigned => Ok(()),
        None => Err("the signature is missing"),
        Some(_) if config.hub_keys.is_empty() => Ok(()),
        Some(signature) if config.hub_keys.verify(signature, body) => Ok(()),
        Some(_) => Err("the signature is wrong"),
    }
}

/// One for each kind of line: what anyone can cause must not hide the rest.
#[derive(Default)]
struct Lines {
    stored: Few,
    refused: Few,
    failed: Few,
}

/// The commit of one notification, which answers it.
struct Receive {
    gateway: Arc<Gateway>,
    wake: Arc<dyn Fn(&Received) + Send + Sync>,
    lines: Arc<Lines>,
    metrics: Arc<Metrics>,
    /// When it began to be read, by the clock that nobody sets.
    began_us: i64,
    id: String,
    events: Vec<Incoming<'static>>,
    received: Received,
    later: Later,
}

impl Step for Receive {
    fn run(&mut self, tx: &Tx<'_>) -> Result<()> {
        self.received = self.gateway.receive(tx, clock::now_ms(), &self.events)?;
        Ok(())
    }

    fn done(self: Box<Self>, outcome: Result<()>) {
        let id = &self.id;
        let answer = match outcome {
            Ok(()) => {
                self.metrics.stored(&self.received, self.began_us);
                match self.lines.stored.pass(clock::now_ms()) {
                    Some(held_back) => log::info!("{}{held_back}", self.line()),
                    None => log::debug!("{}", self.line()),
                }
                Answer::text(200, "")
            }
            Err(error) => {
                self.metrics.answered(Receipt::NotStored);
                if let Some(held_back) = self.lines.failed.pass(clock::now_ms()) {
                    log::error!(
                        "msg=\"notification not stored; Meta will deliver it again\" request={id} error=\"{error}\"{held_back}"
                    );
                }
                Answer::text(503, "cannot be stored now\n").with("Retry-After", RETRY_AFTER)
            }
        };
        let stored = answer.status == 200;
        self.later.answer(answer);
        if stored {
            (self.wake)(&self.received);
        }
    }
}

impl Receive {
    /// What was stored, and the ids under which it goes on.
    fn line(&self) -> String {
        let Received {
            stored, duplicates, ..
        } = self.received;
        let id = &self.id;
        let first = self.events.first();
        let (kind, type_) = first.map_or(("", ""), |e| (e.kind.as_str(), &e.type_));
        let type_ = plain(type_);
        let field = |name, id: Option<i64>| id.map_or(String::new(), |id| format!(" {name}={id}"));
        let event = field("event", self.received.first);
        let about = field("outbox", self.received.about);
        format!(
            "msg=\"notification stored\" request={id}{event}{about} stored={stored} duplicates={duplicates} kind={kind} type={type_}"
        )
    }
}

/// A type name as it may stand in a log line: Meta's own words are plain.
fn plain(word: &str) -> &str {
    let ok = word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if ok { word } else { "?" }
}
