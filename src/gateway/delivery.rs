//! Deliveries: an event, or the messages of a burst, on its way to a consumer.

use super::Gateway;
use super::bursts::Turn;
use super::claim::{Started, Work, give_up};
use super::clock_set::is_older;
use super::facts::Facts;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{Kind, key_digest};
use crate::wire::{join, outgoing, signature};
use std::sync::Arc;

/// What a consumer gets at once. Of a burst, what is said of one event is said of
/// its last message.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The job, for `finish`.
    pub job: JobId,
    /// The observer it is for; `None`: what answers.
    pub observer: Option<Arc<str>>,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// The event.
    pub event: EventId,
    /// The same on every attempt and replay: an app can recognise a repetition.
    pub webhook_id: String,
    /// What the event is.
    pub kind: Kind,
    /// The webhook field it came under.
    pub field: String,
    /// Message type, status, call event or the change's event.
    pub type_: String,
    /// When it was stored, in Unix milliseconds.
    pub received_at: i64,
    /// When this attempt began, in Unix milliseconds.
    pub started_at: i64,
    /// What is known about its conversation.
    pub facts: Facts,
    /// The Meta envelope narrowed to it, or to the messages of the burst.
    pub body: String,
    /// The messages of a burst, in order; none when an event goes alone.
    pub burst: Vec<Part>,
}

/// A message of a burst.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The event.
    pub event: EventId,
    /// What it has in [`Delivery::webhook_id`] when it goes alone.
    pub webhook_id: String,
    /// The message's type.
    pub type_: String,
    /// When it was stored, in Unix milliseconds.
    pub received_at: i64,
    /// As in [`Facts`].
    pub first_contact: bool,
    /// As in [`Facts`].
    pub stale_ms: Option<i64>,
    /// The Meta envelope narrowed to it.
    pub body: String,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "Delivery(event {}, attempt {})",
            self.events(),
            self.attempt
        )
    }
}

impl Delivery {
    /// The events in it, for a line of the log: `7`, or `7,8,9`.
    pub fn events(&self) -> String {
        if self.burst.is_empty() {
            return self.event.to_string();
        }
        let ids = self.burst.iter().map(|part| part.event.to_string());
        ids.collect::<Vec<_>>().join(",")
    }

    /// Of a burst only the messages in these places, at least one.
    pub fn only(&self, places: &[usize]) -> Option<Delivery> {
        let parts = places.iter().map(|place| self.burst.get(*place).cloned());
        self.clone().of(parts.collect::<Option<_>>()?)
    }

    /// The same with these messages in it, at least one.
    fn of(self, burst: Vec<Part>) -> Option<Delivery> {
        let last = burst.last()?;
        let bodies: Vec<&str> = burst.iter().map(|part| part.body.as_str()).collect();
        // Another for each set of messages: it stands for what is in the body.
        let ids: Vec<&str> = burst.iter().map(|part| part.webhook_id.as_str()).collect();
        let (body, webhook_id) = match burst.len() {
            1 => (last.body.clone(), last.webhook_id.clone()),
            _ => (join::join(&bodies)?, webhook_id(&ids.join(" "))),
        };
        Some(Delivery {
            event: last.event,
            webhook_id,
            type_: last.type_.clone(),
            received_at: last.received_at,
            facts: Facts {
                first_contact: burst.iter().any(|part| part.first_contact),
                stale_ms: burst.iter().filter_map(|part| part.stale_ms).max(),
                ..self.facts
            },
            body,
            burst,
            ..self
        })
    }
}

impl Gateway {
    pub(super) fn start_delivery(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: &Job,
        event: EventId,
    ) -> Result<Started> {
        let Some(event) = tx.event(event)? else {
            return give_up(tx, now, job, "the event is not stored any more");
        };
        let Some(consumer) = self.consumer(job.queue) else {
            // Only what `claim_queue` has looked for gets here.
            return Ok(Started::NotNow);
        };
        let (job, mates) = match self.turn(tx, now, job, &event)? {
            Turn::Now(job, mates) => (job, mates),
            Turn::NotBefore(at) => {
                tx.defer_job(job.id, at)?;
                return Ok(Started::NotNow);
            }
        };
        let newest = mates.iter().map(|mate| mate.received_at);
        let since = job.open_since(newest.fold(event.received_at, i64::max), now);
        if job.attempts > 0 && is_older(tx, now, consumer.age_max_ms, since)? {
            return give_up(tx, now, &job, &consumer.too_old());
        }
        if let Some(why) = self.not_for_the_bot(tx, now, &job, event.kind)? {
            for event in [&event].into_iter().chain(&mates) {
                self.overhear(tx, now, job.lane, event)?;
            }
            tx.end_job(&job, JobState::Done, Some(&why), now)?;
            return Ok(Started::NotNow);
        }
        tx.start_job(&job)?;
        let facts = match self.answers(&job) {
            true => self.facts(tx, job.lane, &event)?,
            false => Facts {
                stale_ms: self.stale_ms(&event),
                ..Facts::default()
            },
        };
        let parts = match mates.is_empty() {
            true => Vec::new(),
            false => self.parts(tx, job.lane, [vec![event.clone()], mates].concat())?,
        };
        let body = match event.kind {
            Kind::Status => self.without_mark(tx, event.body)?,
            _ => event.body,
        };
        let alone = Delivery {
            job: job.id,
            observer: consumer.observer,
            attempt: job.attempts + 1,
            event: event.id,
            webhook_id: webhook_id(&event.key),
            kind: event.kind,
            field: event.field,
            type_: event.type_,
            received_at: event.received_at,
            started_at: now,
            facts,
            body,
            burst: Vec::new(),
        };
        if parts.is_empty() {
            return Ok(Started::Work(Work::Deliver(alone)));
        }
        match alone.of(parts) {
            Some(together) => Ok(Started::Work(Work::Deliver(together))),
            // They fitted when they became a burst.
            None => give_up(tx, now, &job, "its messages do not fit in one envelope"),
        }
    }

    fn parts(&self, tx: &Tx<'_>, lane: ConversationId, events: Vec<Event>) -> Result<Vec<Part>> {
        let part = |event: Event| {
            let facts = self.facts(tx, lane, &event)?;
            Ok(Part {
                event: event.id,
                webhook_id: webhook_id(&event.key),
                type_: event.type_,
                received_at: event.received_at,
                first_contact: facts.first_contact,
                stale_ms: facts.stale_ms,
                body: event.body,
            })
        };
        events.into_iter().map(part).collect()
    }

    /// A status as the app expects it: our mark is replaced by what the app
    /// itself had written there.
    fn without_mark(&self, tx: &Tx<'_>, body: String) -> Result<String> {
        if !body.contains(&self.mark_prefix) {
            return Ok(body);
        }
        let events = crate::wire::notification::read(body.as_bytes());
        let facts = events
            .ok()
            .and_then(|events| events.into_iter().next()?.status);
        let opaque = facts.and_then(|facts| facts.opaque);
        let Some(mark) = opaque.filter(|opaque| opaque.starts_with(&self.mark_prefix)) else {
            return Ok(body);
        };
        let marked = self.marked(tx, &mark)?;
        let own = marked.and_then(|message| outgoing::own_opaque(&message.body));
        Ok(outgoing::unmarked(&body, own.as_deref()).unwrap_or(body))
    }
}

/// What a consumer recognises an event by, whatever the attempt.
pub fn webhook_id(key: &str) -> String {
    format!("msg_{}", signature::hex(&key_digest(key)))
}
