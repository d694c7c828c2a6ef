//! What is in force: the settings that may change while the service runs, and
//! what is made of them. Exchanged as one whole, so that nobody ever works by a
//! mixture of old and new; whoever has work asks once and keeps to what it got.

use super::graph::Graph;
use crate::config::Config;
use crate::gateway::{Gateway, Wants};
use crate::handler::forward::ForwardHandler;
use crate::handler::{Ears, Handler};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Settings, and what is made of them.
pub struct InForce {
    /// As read. What only a restart changes is as it was at the start.
    pub config: Config,
    /// The queue's rules.
    pub gateway: Arc<Gateway>,
    /// Asked in turn for each event.
    pub handlers: Vec<Box<dyn Handler>>,
    /// Who gets a copy of events, by name.
    pub observers: BTreeMap<Arc<str>, ForwardHandler>,
    /// The client for Graph.
    pub graph: Graph,
}

impl InForce {
    /// Clients for the observers that the settings name.
    pub fn observers(config: &Config) -> BTreeMap<Arc<str>, ForwardHandler> {
        let observers = config.observers.iter();
        observers
            .map(|observer| {
                let client = ForwardHandler::observer(observer, &config.hub_keys);
                (Arc::clone(&observer.limits.name), client)
            })
            .collect()
    }

    /// How many events may be handed over at once, to all consumers together.
    pub fn deliveries_max(config: &Config) -> usize {
        let observers = config.observers.iter();
        let copies: usize = observers.map(|observer| observer.limits.concurrency).sum();
        config.forward_concurrency + copies
    }

    /// Which events these handlers want.
    pub fn wants(handlers: &[Box<dyn Handler>]) -> Wants {
        let wants = handlers.iter().map(|handler| handler.wants());
        wants.max().unwrap_or(Wants::Nothing)
    }

    /// Who of them listens where nobody is asked: the first, as he is asked first.
    pub fn ears(handlers: &[Box<dyn Handler>]) -> Option<Ears> {
        handlers.iter().find_map(|handler| handler.ears())
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
