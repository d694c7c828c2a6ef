//! For programs that watch over the service, on the operator's listener: `/metrics` for
//! Prometheus, and `/readyz`, which tries whether all parts do their work.

use super::exchange::Exchange;
use super::seats::Seats;
use super::{Answer, credential, header};
use crate::config::{Config, Secret};
use crate::edge::clock;
use crate::edge::live::Live;
use crate::edge::log::Few;
use crate::edge::metrics::Metrics;
use crate::edge::metrics::figures::{Files, Looks};
use crate::edge::metrics::page::{CONTENT_TYPE, Page};
use crate::edge::metrics::process::Process;
use crate::edge::ready::{Ready, Report};
use std::path::PathBuf;
use std::sync::Arc;
use tiny_http::{Method, Request};

/// Who look at once. Others wait for the same look, or get what was seen last.
const LOOKS_MAX: usize = 8;

/// What is shown, and where it comes from.
pub struct Monitor {
    live: Live,
    metrics: Arc<Metrics>,
    database: PathBuf,
    looks: Looks,
    ready: Ready,
    looking: Seats,
    lines: Few,
}

impl Monitor {
    /// Of a running service.
    pub fn new(live: Live, metrics: Arc<Metrics>, ready: Ready) -> Monitor {
        let database = live.now().config.database.clone();
        Monitor {
            looks: Looks::into(&database),
            live,
            metrics,
            database,
            ready,
            looking: Seats::new(LOOKS_MAX),
            lines: Few::default(),
        }
    }

    /// Whether a path is one of these.
    pub fn is_at(path: &str) -> bool {
        matches!(path, "/metrics" | "/readyz")
    }

    /// Answers one request. Looking into the store or trying a disk may take a while: a thread of
    /// its own does it, of which there are few, since anybody on this machine may ask.
    pub fn handle(self: &Arc<Self>, exchange: Exchange) {
        if !exchange.is_read() {
            return exchange.answer_unread(Answer::text(400, "send no body\n"));
        }
        let known = match asked(&exchange.request) {
            Ok(Asked::Readiness) => self.ready.fresh().map(|report| self.readiness(&report)),
            Ok(Asked::Page) => self.refused(&exchange.request),
            Err(refused) => Some(refused),
        };
        if let Some(answer) = known {
            return send(exchange, answer);
        }
        let Some(seat) = self.looking.take() else {
            let latest = self.ready.latest();
            let latest = latest.filter(|_| asked(&exchange.request) == Ok(Asked::Readiness));
            let answer = latest.map(|report| self.readiness(&report));
            let busy = || Answer::text(503, "too many look at once: try again\n");
            return send(
                exchange,
                answer.unwrap_or_else(busy).with("Retry-After", "1"),
            );
        };
        let own = Arc::clone(self);
        exchange.aside(move |exchange| {
            let answer = match asked(&exchange.request) {
                Ok(Asked::Readiness) => own.readiness(&own.ready.report()),
                Ok(Asked::Page) => own.page(),
                Err(refused) => refused,
            };
            drop(seat);
            send(exchange, answer);
        });
    }

    /// Why a caller may not read the figures; `None`: they may.
    fn refused(&self, request: &Request) -> Option<Answer> {
        let authorization = header(request, "Authorization");
        match may_read(&self.live.now().config, authorization) {
            true => None,
            false => Some(
                Answer::text(401, "send Authorization: Bearer <METRICS_KEY>\n")
                    .with("WWW-Authenticate", "Bearer"),
            ),
        }
    }

    fn readiness(&self, report: &Report) -> Answer {
        if report.is_well() {
            return Answer::text(200, report.to_string());
        }
        if let Some(held_back) = self.lines.pass(clock::now_ms()) {
            let failed = report.failed();
            log::warn!("msg=\"not ready\" failed={failed}{held_back}");
        }
        Answer::text(503, report.to_string())
    }

    fn page(&self) -> Answer {
        let figures = self.looks.figures().map_err(|error| {
            if let Some(held_back) = self.lines.pass(clock::now_ms()) {
                log::warn!("msg=\"figures cannot be looked up\" error=\"{error}\"{held_back}");
            }
        });
        let page = Page {
            metrics: Arc::clone(&self.metrics),
            figures: figures.ok(),
            files: Files::of(&self.database),
            process: Process::now(),
        };
        match page.text() {
            Ok(body) => Answer {
                status: 200,
                headers: vec![("Content-Type", CONTENT_TYPE)],
                body,
            },
            Err(error) => Answer::text(500, format!("{error}\n")),
        }
    }
}

/// What one asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Readiness,
    Page,
}

fn asked(request: &Request) -> Result<Asked, Answer> {
    match (request.method(), request.url().split('?').next()) {
        (Method::Get, Some("/readyz")) => Ok(Asked::Readiness),
        (Method::Get, _) => Ok(Asked::Page),
        _ => Err(Answer::text(405, "only GET\n").with("Allow", "GET")),
    }
}

/// Answers a request whose body is in memory.
fn send(exchange: Exchange, answer: Answer) {
    exchange.answer(answer.with("Cache-Control", "no-store"));
}

/// Whether a caller bears a key to the figures. Who may send may read them too.
fn may_read(config: &Config, authorization: Option<&str>) -> bool {
    let given = authorization.and_then(|given| credential(given, &["bearer"]));
    let keys = config.api.iter().flat_map(|api| &api.keys);
    let keys = keys.chain(&config.metrics_keys);
    given.is_some_and(|given| Secret::known(keys, given).is_some())
}
