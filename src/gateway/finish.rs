//! `finish`: what came of an attempt, and all that follows, in one commit. Here: of a
//! delivery, with the replies it led to.
//!
//! * [`outcome`]: what a consumer made of an event
//! * `sending`: what Graph made of a message
//!
//! The end of a fetch is in [`fetch`](super::fetch).

pub mod outcome;
mod sending;

use super::Gateway;
use super::tally::became;
use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::policy::priority::Priority;
use crate::policy::retry;
use crate::store::rows::*;
use crate::store::tally::Counted;
use crate::store::{Result, Tx};
use crate::wire::notification::Kind;
use crate::wire::outgoing::{self, Outgoing, ReplyTo};
use crate::wire::retry_after;
use crate::wire::validate;
use outcome::Outcome;
pub use sending::Sent;
use std::time::Duration;

/// Replies to one event. More is a mistake in the app, and would flood the
/// customer.
const REPLIES_MAX: usize = 100;

impl Gateway {
    /// Ends an attempt at a delivery. The event is done and its replies are in
    /// the outbox in the same commit, or neither.
    pub fn finish_delivery(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: JobId,
        attempt: u32,
        outcome: &Outcome,
        luck: f64,
    ) -> Result<()> {
        let Some(job) = self.running(tx, job, attempt)? else {
            return Ok(());
        };
        let breaker = match tx.queue_row(job.queue)? {
            Some(queue) => queue.breaker,
            None => Breaker::WELL,
        };
        match outcome {
            Outcome::Done { replies, effects } => {
                let too_late = self.too_late_for_the_bot(tx, now, &job, replies)?;
                // An observer has nothing to say.
                if self.answers(&job) {
                    if too_late.is_none() {
                        self.queue_replies(tx, now, &job, replies)?;
                        if !replies.is_empty() {
                            tx.count(Counted::Answered, now);
                        }
                    }
                    self.remember(tx, now, job.lane, effects)?;
                }
                tx.end_job(&job, JobState::Done, too_late.as_deref(), now)?;
            }
            Outcome::Dead { reason } => {
                tx.end_job(&job, JobState::Dead, Some(&reason.in_full()), now)?;
            }
            Outcome::Retry { reason, wait, down } => {
                let wait = at_least(*wait, retry::DELIVERY.after(job.attempts, luck));
                let reason = reason.in_full();
                tx.retry_job(&job, now, now + wait, job.attempts, Some(&reason))?;
                if *down {
                    return tx.set_breaker(job.queue, breaker.failed(now));
                }
            }
        }
        match breaker == Breaker::WELL {
            true => Ok(()),
            false => tx.set_breaker(job.queue, Breaker::WELL),
        }
    }

    fn queue_replies(&self, tx: &Tx<'_>, now: i64, job: &Job, replies: &[String]) -> Result<()> {
        if replies.is_empty() {
            return Ok(());
        }
        // What answers a burst answers its last message: whoever reads that mark has
        // read them all.
        let last = tx.mates(job)?.last().map_or(job.event, |mate| mate.event);
        let event = match last {
            Some(id) => tx.event(id)?,
            None => None,
        };
        let Some((event, reply_to)) = event.and_then(|event| {
            let reply_to = ReplyTo::of(&event.body)?;
            Some((event, reply_to))
        }) else {
            return Ok(());
        };
        let cause = (job.lane, event.id);
        if replies.len() > REPLIES_MAX {
            let text = format!(
                "an answer holds at most {REPLIES_MAX} messages: {} more were not sent",
                replies.len() - REPLIES_MAX
            );
            let fault = Fault { code: None, text };
            self.keep_failed(tx, now, cause, &reply_to, &replies[REPLIES_MAX], &fault)?;
        }
        for reply in replies.iter().take(REPLIES_MAX) {
            match complete(reply, &reply_to) {
                Ok(out) => {
                    let conversation = match out.recipient.is_empty() {
                        true => job.lane,
                        false => {
                            self.conversation_with(tx, now, &reply_to.number, &out.recipient)?
                        }
                    };
                    let message = NewMessage {
                        number: reply_to.number.clone(),
                        conversation,
                        recipient: out.recipient,
                        type_: out.type_,
                        body: out.body,
                        cause: Some(event.id),
                    };
                    self.queue_message(tx, now, &message, reply_or_told(event.kind))?;
                }
                Err(fault) => self.keep_failed(tx, now, cause, &reply_to, reply, &fault)?,
            }
        }
        // A number's first reply makes its queue, after the event that tells.
        match reply_to.waba.is_empty() {
            true => Ok(()),
            false => tx.learn_waba(&reply_to.number, &reply_to.waba),
        }
    }

    /// A reply that cannot be sent is kept where an operator looks for it,
    /// instead of asked for again: the app would give the same answer.
    fn keep_failed(
        &self,
        tx: &Tx<'_>,
        now: i64,
        (lane, cause): (ConversationId, EventId),
        reply_to: &ReplyTo,
        reply: &str,
        fault: &Fault,
    ) -> Result<()> {
        let message = NewMessage {
            number: reply_to.number.clone(),
            conversation: lane,
            recipient: String::new(),
            type_: String::new(),
            body: reply.to_owned(),
            cause: Some(cause),
        };
        tx.insert_message(&message, SendState::Failed, Some(fault), now)?;
        became(
            tx,
            now,
            &message.type_,
            SendState::Queued,
            SendState::Failed,
        );
        Ok(())
    }

    /// The job, if this attempt at it is still under way.
    pub(super) fn running(&self, tx: &Tx<'_>, job: JobId, attempt: u32) -> Result<Option<Job>> {
        let job = tx.job(job)?;
        Ok(job.filter(|job| job.state == JobState::Running && job.attempts == attempt))
    }
}

/// What is caused by a customer's message or call is a reply. What an app says
/// to a status or news of an account has to show by itself that somebody waits.
fn reply_or_told(kind: Kind) -> Option<Priority> {
    matches!(kind, Kind::Message | Kind::Call).then_some(Priority::Reply)
}

/// A reply with all it lacks, or what Graph would refuse it for.
fn complete(reply: &str, reply_to: &ReplyTo) -> std::result::Result<Outgoing, Fault> {
    let out = outgoing::reply(reply, reply_to).map_err(|text| Fault { code: None, text })?;
    validate::check_reply(reply).map_err(|invalid| Fault {
        code: Some(invalid.code),
        text: invalid.details,
    })?;
    Ok(out)
}

/// No longer than is ever waited: what seems to wait longer was written by a clock
/// that was wrong, and would be taken up at once (`clock_set`).
fn at_least(wait: Option<Duration>, backoff_ms: i64) -> i64 {
    let wait = wait.map_or(0, |wait| wait.min(retry_after::MAX).as_millis() as i64);
    wait.max(backoff_ms)
}
