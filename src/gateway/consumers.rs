//! Who gets events: the bot, which answers, and observers, which get a copy.
//! Each has a queue of its own, with a lane for each conversation, a breaker,
//! and workers that nobody else takes: one that is down or slow holds up nobody.

use super::{Delivery, Gateway};
use crate::config::{Limits, ObserverLimits};
use crate::policy::priority::Priority;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::Kind;
use std::sync::Arc;

/// The name of the consumer that answers.
pub const BOT: &str = "bot";

/// An observer and its queue.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    queue: QueueId,
    limits: ObserverLimits,
}

/// What holds for one consumer's deliveries.
pub(super) struct Consumer {
    /// The observer's name; `None` for the bot.
    pub observer: Option<Arc<str>>,
    /// How many may be under way at once.
    pub concurrency: usize,
    /// Older events are given up.
    pub age_max_ms: i64,
}

impl Consumer {
    /// Why an event that got too old is given up.
    pub fn too_old(&self) -> String {
        let setting = match &self.observer {
            None => "FORWARD_MAX_AGE".to_owned(),
            Some(name) => format!("OBSERVER_{}_MAX_AGE", name.to_ascii_uppercase()),
        };
        format!("could not be delivered within {setting}")
    }
}

impl Observer {
    /// All, with their queues.
    pub fn all(tx: &Tx<'_>, limits: &Limits) -> Result<Vec<Observer>> {
        let observers = limits.observers.iter().map(|limits| {
            Ok(Observer {
                queue: tx.queue(QueueKind::Deliver, &limits.name)?,
                limits: limits.clone(),
            })
        });
        observers.collect()
    }
}

impl Gateway {
    /// Whose deliveries a queue holds; `None` for an observer that the settings
    /// do not name any more. Its deliveries wait until it comes back, or an
    /// operator drops them.
    pub(super) fn consumer(&self, queue: QueueId) -> Option<Consumer> {
        if queue == self.bot {
            return Some(Consumer {
                observer: None,
                concurrency: self.limits.bot_concurrency,
                age_max_ms: self.limits.delivery_age_max_ms,
            });
        }
        let found = self.observers.iter().find(|one| one.queue == queue)?;
        Some(Consumer {
            observer: Some(Arc::clone(&found.limits.name)),
            concurrency: found.limits.concurrency,
            age_max_ms: found.limits.age_max_ms,
        })
    }

    /// Whether what came of a delivery is an answer.
    pub(super) fn answers(&self, job: &Job) -> bool {
        job.queue == self.bot
    }

    /// Queues an event for each observer that wants it. Returns whether there is
    /// one.
    pub(super) fn queue_copies(
        &self,
        tx: &Tx<'_>,
        now: i64,
        conversation: ConversationId,
        event: EventId,
        (kind, field): (Kind, &str),
    ) -> Result<bool> {
        let wants = |one: &&Observer| one.limits.selection.includes(kind, field);
        let mut any = false;
        for observer in self.observers.iter().filter(wants) {
            let queue = observer.queue;
            tx.push_job(queue, conversation, Some(event), None, Priority::Reply, now)?;
            any = true;
        }
        Ok(any)
    }

    /// Writes down who the consumers are now, for whoever looks from outside.
    /// For the service alone: others may read other settings.
    pub fn note_consumers(&self, tx: &Tx<'_>) -> Result<()> {
        let queues = tx.queues()?.into_iter();
        for queue in queues.filter(|queue| queue.kind == QueueKind::Deliver) {
            let served = self.consumer(queue.id).is_some();
            if queue.served != served {
                tx.set_served(queue.id, served)?;
            }
        }
        Ok(())
    }
}

impl Delivery {
    /// Whom it is for.
    pub fn consumer(&self) -> &str {
        self.observer.as_deref().unwrap_or(BOT)
    }
}
