//! The operator's listener: the console, the API for sending, and pages for programs
//! that watch over the service, each at paths of its own. Nothing of it is reachable
//! from the webhook's listener.

use super::console::Console;
use super::exchange::Exchange;
use super::graph_api::GraphApi;
use super::monitor::Monitor;
use super::server::Lead;
use std::sync::Arc;

/// What is served there.
pub struct Operator {
    /// The API for sending.
    pub api: Arc<GraphApi>,
    /// The operator's pages.
    pub console: Arc<Console>,
    /// `/metrics` and `/readyz`.
    pub monitor: Arc<Monitor>,
}

impl Operator {
    /// Answers one request, or has it answered.
    pub fn handle(&self, mut exchange: Exchange, lead: &mut Lead<'_>) {
        // Hardly any of it is done without waiting for somebody.
        lead.pass_on();
        exchange.turn.settle();
        let url = exchange.request.url();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        if Monitor::is_at(path) {
            return self.monitor.handle(exchange);
        }
        match Console::is_at(path) {
            true => self.console.handle(exchange),
            false => self.api.handle(exchange),
        }
    }
}
