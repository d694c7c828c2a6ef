//! The outbox as an operator sees and steers it: messages with what became of
//! them, a page at a time; sending again, holding, taking back. Free functions: the
//! command line and the console use them beside a running service.

use super::lists::{self, LOOK};
use super::operator::resolve;
use crate::policy::ladder::SendState;
use crate::store::rows::*;
use crate::store::tx::{Found, MessageFilter};
use crate::store::{Result, Tx};

/// A message and how often it was tried.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// As stored.
    pub message: Message,
    /// Attempts at sending it.
    pub attempts: u32,
}

/// Messages that a filter takes, the newest first, `limit` at most, from where
/// another page ended: among the next 20,000 in the state that is asked for, or of
/// all.
pub fn page(
    tx: &Tx<'_>,
    filter: &MessageFilter,
    from: Option<OutboxId>,
    limit: usize,
) -> Result<Found<OutboxRow>> {
    let found = tx.find_messages(filter, from.unwrap_or(i64::MAX), limit, LOOK)?;
    let rows: Result<Vec<OutboxRow>> = found.rows.into_iter().map(|m| row(tx, m)).collect();
    Ok(Found {
        rows: rows?,
        older: found.older,
    })
}

/// The newest messages that a filter takes, oldest of them first, among the newest
/// 200,000.
pub fn newest(tx: &Tx<'_>, filter: &MessageFilter, limit: usize) -> Result<Vec<OutboxRow>> {
    lists::newest(limit, |from, more| page(tx, filter, from, more))
}

/// One message.
pub fn message(tx: &Tx<'_>, id: OutboxId) -> Result<Option<OutboxRow>> {
    match tx.message(id)? {
        Some(message) => row(tx, message).map(Some),
        None => Ok(None),
    }
}

fn row(tx: &Tx<'_>, message: Message) -> Result<OutboxRow> {
    let attempts = tx.job_of_outbox(message.id)?.map_or(0, |job| job.attempts);
    Ok(OutboxRow { message, attempts })
}

/// What an operator's word did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steered {
    /// As asked.
    Done,
    /// Its state does not allow it.
    NotNow(SendState),
    /// No such message.
    Missing,
}

/// Sends a message again that was held, has failed, was cancelled, or waits for
/// a status. One that may have gone out may arrive twice: the operator knows.
pub fn retry(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
    use SendState::{Cancelled, Failed, Held, Unknown};
    let Some(message) = tx.message(id)? else {
        return Ok(Steered::Missing);
    };
    if !matches!(message.state, Held | Failed | Cancelled | Unknown) {
        return Ok(Steered::NotNow(message.state));
    }
    // A reply that could not be read has no job, and would fail again. One that
    // runs has a status already, and its call is not back yet.
    let job = tx.job_of_outbox(id)?;
    let Some(job) = job.filter(|job| job.state != JobState::Running) else {
        return Ok(Steered::NotNow(message.state));
    };
    let lane = resolve(tx, message.conversation)?;
    tx.set_message_state(id, SendState::Queued, None, now)?;
    tx.set_tries_max(id, None)?;
    tx.reopen_job(&Job { lane, ..job }, now)?;
    Ok(Steered::Done)
}

/// Takes a message out until it is retried or cancelled; its lane goes on
/// without it.
pub fn hold(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
    use SendState::{Held, Queued, Unknown};
    let Some(message) = tx.message(id)? else {
        return Ok(Steered::Missing);
    };
    if !matches!(message.state, Queued | Unknown) {
        return Ok(Steered::NotNow(message.state));
    }
    let text = match message.uncertain {
        true => "held by the operator; it may have gone out",
        false => "held by the operator",
    };
    let fault = Fault {
        code: None,
        text: text.into(),
    };
    tx.set_message_state(id, Held, Some(&fault), now)?;
    end_waiting_job(tx, now, id)?;
    Ok(Steered::Done)
}

/// Takes a message back that is not on its way.
pub fn cancel(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
    use SendState::{Cancelled, Held, Queued, Unknown};
    let Some(message) = tx.message(id)? else {
        return Ok(Steered::Missing);
    };
    if !matches!(message.state, Queued | Held | Unknown) {
        return Ok(Steered::NotNow(message.state));
    }
    tx.set_message_state(id, Cancelled, None, now)?;
    end_waiting_job(tx, now, id)?;
    Ok(Steered::Done)
}

fn end_waiting_job(tx: &Tx<'_>, now: i64, outbox: OutboxId) -> Result<()> {
    let job = tx.job_of_outbox(outbox)?;
    match job.filter(|job| job.state == JobState::Waiting) {
        Some(job) => tx.end_job(&job, JobState::Done, None, now),
        None => Ok(()),
    }
}
