//! With `DEBOUNCE`, what a person writes in one go reaches the bot as one
//! delivery (`policy::burst`).
//!
//! Which messages these are is decided once, in the commit of the first attempt,
//! and stays so at each further one and at a replay: their jobs are one from then
//! on (`store::tx::bursts`). Until that the first of them waits, and with it its
//! lane. A status that came between two messages goes after them; anything else
//! ends the burst. Observers get each event by itself.

use super::Gateway;
use crate::policy::burst::{self, Burst, Debounce, Piece};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::join;
use crate::wire::notification::{self, Incoming, Kind};

/// Jobs looked at behind the first of a burst: its messages, and statuses between
/// them.
const LOOKED_AT_MAX: usize = 5 * burst::MESSAGES_MAX;

/// Whether a delivery begins whose turn in its lane has come.
pub(super) enum Turn {
    /// With it go the messages of these events, if any, in order.
    Now(Job, Vec<Event>),
    /// More may come until then.
    NotBefore(i64),
}

impl Gateway {
    /// When an event that comes now is handed to the bot, if nothing is before it.
    pub(super) fn due_at(&self, event: &Incoming<'_>, now: i64) -> i64 {
        let fits = || event.opening.is_some() && is_message(event.kind, &event.field, &event.body);
        match self.limits.debounce.filter(|_| fits()) {
            Some(debounce) => now.saturating_add(debounce.silence_ms),
            None => now,
        }
    }

    /// Whether the delivery of `event` begins, and what goes with it.
    pub(super) fn turn(&self, tx: &Tx<'_>, now: i64, job: &Job, event: &Event) -> Result<Turn> {
        if job.burst.is_some() {
            let mates = tx.mates(job)?.into_iter().filter_map(|mate| mate.event);
            let events: Vec<_> = mates.map(|mate| tx.event(mate)).collect::<Result<_>>()?;
            return Ok(Turn::Now(
                job.clone(),
                events.into_iter().flatten().collect(),
            ));
        }
        let is_new = self.answers(job) && job.attempts == 0;
        match self.limits.debounce.filter(|_| is_new && is_piece(event)) {
            Some(debounce) => self.burst(tx, now, debounce, job, event),
            None => Ok(Turn::Now(job.clone(), Vec::new())),
        }
    }

    fn burst(
        &self,
        tx: &Tx<'_>,
        now: i64,
        debounce: Debounce,
        job: &Job,
        event: &Event,
    ) -> Result<Turn> {
        let behind = tx.behind(job, LOOKED_AT_MAX)?;
        let mut cut_off = behind.len() == LOOKED_AT_MAX;
        let mut ids = vec![job.id];
        let mut pieces = vec![piece(event)];
        let mut others = Vec::new();
        for next in behind {
            let Some(other) = self.event_of(tx, &next)? else {
                cut_off = true;
                break;
            };
            if other.kind == Kind::Status {
                continue;
            }
            let is_new = next.attempts == 0 && next.burst.is_none();
            if !is_new || !is_piece(&other) || !self.is_like(event, &other) {
                cut_off = true;
                break;
            }
            ids.push(next.id);
            pieces.push(piece(&other));
            others.push(other);
        }
        let count = match debounce.burst(&pieces, cut_off, now) {
            Burst::OpenUntil(at) => return Ok(Turn::NotBefore(at)),
            Burst::Whole(count) => count,
        };
        let mut job = job.clone();
        if count > 1 {
            tx.set_burst(job.id, &ids[..count])?;
            job.burst = Some(job.id);
        }
        others.truncate(count - 1);
        Ok(Turn::Now(job, others))
    }

    fn event_of(&self, tx: &Tx<'_>, job: &Job) -> Result<Option<Event>> {
        job.event.map_or(Ok(None), |event| tx.event(event))
    }

    /// Whether two messages can go in one envelope, and what is told of the one
    /// when it is handed over is true of the other.
    fn is_like(&self, first: &Event, next: &Event) -> bool {
        let is_stale = |event| self.stale_ms(event).is_some();
        join::fits(&first.body, &next.body) && is_stale(first) == is_stale(next)
    }
}

fn piece(event: &Event) -> Piece {
    Piece {
        received_at: event.received_at,
        bytes: event.body.len(),
    }
}

/// Whether a person wrote it to us, and nothing else is in its envelope.
fn is_piece(event: &Event) -> bool {
    let opens = || {
        let events = notification::read(event.body.as_bytes()).ok()?;
        events.first()?.opening
    };
    is_message(event.kind, &event.field, &event.body) && opens().is_some()
}

fn is_message(kind: Kind, field: &str, envelope: &str) -> bool {
    kind == Kind::Message && field == "messages" && join::is_plain(envelope)
}
