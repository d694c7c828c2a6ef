//! For programs that watch over the service, on the operator's listener: `/metrics` for
//! Prometheus, and `/readyz`, which tries whether all parts do their work.

use super::exchange::Exchange;
use super::{Answer, body, credential, header};
use crate::config::{Config, Secret};
use crate::edge::clock;
use crate::edge::live::Live;
use crate::edge::log::Few;
use crate::edge::metrics::Metrics;
use crate::edge::metrics::figures::{Files, Looks};
use crate::edge::metrics::page::{CONTENT_TYPE, Page};
use crate::edge::metrics::process::Process;
use crate::edge::ready::Ready;
use std::path::PathBuf;
use std::sync::Arc;
use tiny_http::Method;

/// What is shown, and where it comes from.
pub struct Monitor {
    live: Live,
    metrics: Arc<Metrics>,
    database: PathBuf,
    looks: Looks,
    ready: Ready,
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
            lines: Few::default(),
        }
    }

    /// Whether a path is one of these.
    pub fn is_at(path: &str) -> bool {
        matches!(path, "/metrics" | "/readyz")
    }

    /// Answers one request, on a thread of its own: looking into the store or trying a disk may
    /// take a while, and the few workers do not wait for that.
    pub fn handle(self: &Arc<Self>, exchange: Exchange) {
        let own = Arc::clone(self);
        exchange.aside(move |mut exchange| {
            body::discard(&mut exchange.request);
            let url = exchange.request.url();
            let answer = match (exchange.request.method(), url.split('?').next()) {
                (Method::Get, Some("/readyz")) => own.readiness(),
                (Method::Get, _) => {
                    let authorization = header(&exchange.request, "Authorization");
                    match may_read(&own.live.now().config, authorization) {
                        true => own.page(),
                        false => Answer::text(401, "send Authorization: Bearer <METRICS_KEY>\n")
                            .with("WWW-Authenticate", "Bearer"),
                    }
                }
                _ => Answer::text(405, "only GET\n").with("Allow", "GET"),
            };
            exchange.answer(answer.with("Cache-Control", "no-store"));
        });
    }

    fn readiness(&self) -> Answer {
        let report = self.ready.report();
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

/// Whether a caller bears a key to the figures. Who may send may read them too.
fn may_read(config: &Config, authorization: Option<&str>) -> bool {
    let given = authorization.and_then(|given| credential(given, &["bearer"]));
    let keys = config.api.iter().flat_map(|api| &api.keys);
    let keys = keys.chain(&config.metrics_keys);
    given.is_some_and(|given| Secret::known(keys, given).is_some())
}
