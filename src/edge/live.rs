//! What is in force: the settings that may change while the service runs, and
//! what is made of them. Exchanged as one whole, so that nobody ever works by a
//! mixture of old and new; whoever has work asks once and keeps to what it got.

use super::graph::Graph;
use crate::config::Config;
use crate::gateway::{Gateway, Wants};
use crate::handler::Handler;
use std::sync::{Arc, PoisonError, RwLock};

/// Settings, and what is made of them.
pub struct InForce {
    /// As read. What only a restart changes is as it was at the start.
    pub config: Config,
    /// The queue's rules.
    pub gateway: Arc<Gateway>,
    /// Asked in turn for each event.
    pub handlers: Vec<Box<dyn Handler>>,
    /// The client for Graph.
    pub graph: Graph,
}

impl InForce {
    /// Which events these handlers want.
    pub fn wants(handlers: &[Box<dyn Handler>]) -> Wants {
        let wants = handlers.iter().map(|handler| handler.wants());
        wants.max().unwrap_or(Wants::Nothing)
    }
}

/// Where to ask what is in force. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<RwLock<Arc<InForce>>>);

impl Live {
    /// From the start.
    pub fn new(in_force: InForce) -> Live {
        Live(Arc::new(RwLock::new(Arc::new(in_force))))
    }

    /// What is in force now: ask once for each request or job.
    pub fn now(&self) -> Arc<InForce> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// From now on; what was in force until now.
    pub fn replace(&self, in_force: InForce) -> Arc<InForce> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, Arc::new(in_force))
    }
}
