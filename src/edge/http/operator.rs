//! The operator's listener: the console and the API for sending, each at paths of
//! its own. Nothing of it is reachable from the webhook's listener.

use super::console::Console;
use super::graph_api::GraphApi;
use super::server::Taken;
use std::sync::Arc;

/// What is served there.
pub struct Operator {
    /// The API for sending.
    pub api: Arc<GraphApi>,
    /// The operator's pages.
    pub console: Arc<Console>,
}

impl Operator {
    /// Answers one request, or has it answered.
    pub fn handle(&self, mut taken: Taken) {
        taken.turn.settle();
        let url = taken.request.url();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        match Console::is_at(path) {
            true => self.console.handle(taken),
            false => self.api.handle(taken),
        }
    }
}
