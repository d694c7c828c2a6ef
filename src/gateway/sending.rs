//! Sendings: a message on its way to Graph, from the outbox on.

use super::Gateway;
use super::claim::{Pace, Started, Work, give_up};
use super::clock_set::is_older;
use super::tally::became;
use super::window::Admission;
use crate::config::OnUnknown;
use crate::policy::ladder::SendState;
use crate::policy::pacing;
use crate::policy::priority::Priority;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::outgoing;

/// A message on its way to Graph.
#[derive(Clone)]
pub struct Sending {
    /// The job, for `finish`.
    pub job: JobId,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// The message.
    pub outbox: OutboxId,
    /// The event that it answers.
    pub cause: Option<EventId>,
    /// `phone_number_id` it goes out from.
    pub number: String,
    /// The call must not begin before, in Unix milliseconds: a moment ahead, at
    /// most [`pacing::LEAD_MS`].
    pub start_at: i64,
    /// It may have gone out already, and nobody knows: this may double it.
    pub resent: bool,
    /// The body for Graph, our mark in it.
    pub body: String,
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "Sending(outbox {}, attempt {})",
            self.outbox, self.attempt
        )
    }
}

impl Gateway {
    /// Puts a message in the outbox and in its lane, or says there at once why it
    /// cannot go out. `known` is its priority where that is decided; else whether
    /// its customer waits decides.
    pub fn queue_message(
        &self,
        tx: &Tx<'_>,
        now: i64,
        message: &NewMessage,
        known: Option<Priority>,
    ) -> Result<OutboxId> {
        let priority = match known {
            Some(priority) => priority,
            None if outgoing::is_mark(&message.type_) => Priority::Reply,
            None => {
                let waiting = tx.waiting(message.conversation)?;
                waiting.priority(now, message.type_ == "template")
            }
        };
        // A template is put in its place at the attempt: the person may have written
        // again by then.
        let admission = self.admit(tx, now, message.conversation, &message.type_, &message.body)?;
        let fault = match admission {
            Admission::Refused(fault) => Some(fault),
            Admission::AsItIs | Admission::As(_) => None,
        };
        if fault.is_none() && priority == Priority::Reply && !outgoing::is_mark(&message.type_) {
            tx.set_answered_at(message.conversation, now)?;
        }
        let state = match fault {
            Some(_) => SendState::Failed,
            None => SendState::Queued,
        };
        let id = tx.insert_message(message, state, fault.as_ref(), now)?;
        became(tx, now, &message.type_, SendState::Queued, state);
        let queue = tx.queue(QueueKind::Send, &message.number)?;
        let job = tx.push_job(queue, message.conversation, None, Some(id), priority, now)?;
        // Its job stays, for an operator who wants it sent after all.
        if let (Some(fault), Some(job)) = (fault, tx.job(job)?) {
            tx.end_job(&job, JobState::Dead, Some(&fault.text), now)?;
        }
        Ok(id)
    }

    pub(super) fn start_sending(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: &Job,
        outbox: OutboxId,
        pace: &mut Pace,
    ) -> Result<Started> {
        let Some(message) = tx.message(outbox)? else {
            return give_up(tx, now, job, "the message is not stored any more");
        };
        let substitute = match self.fate(tx, now, job, &message)? {
            Fate::Goes { substitute } => substitute,
            Fate::Ends(state, fault) => return end_uncalled(tx, now, job, &message, state, &fault),
            Fate::IsOut => {
                tx.end_job(job, JobState::Done, None, now)?;
                return Ok(Started::NotNow);
            }
            Fate::Waits { until } => {
                tx.defer_job(job.id, until)?;
                return Ok(Started::NotNow);
            }
        };
        let now_us = now * 1_000;
        let mark = outgoing::is_mark(&message.type_);
        let pair = match mark {
            true => None,
            false => match pacing::PAIR.take(tx.pair_full_at_us(job.lane)?, now_us) {
                Ok(full_at) => Some(full_at),
                Err(ready_at) => {
                    tx.defer_job(job.id, to_ms(ready_at))?;
                    return Ok(Started::NotNow);
                }
            },
        };
        let start_at = match pace.rate.book(pace.next_us, now_us) {
            Ok(booked) => {
                pace.next_us = booked.next_us;
                to_ms(booked.start_us)
            }
            Err(again) => return Ok(Started::BookedUp(to_ms(again))),
        };
        if let Some(full_at) = pair {
            tx.set_pair_full_at_us(job.lane, full_at)?;
        }
        tx.start_job(job)?;
        tx.set_message_state(outbox, SendState::Sending, None, now)?;
        if message.uncertain {
            tx.count_resent(outbox)?;
        }
        if substitute != message.substitute {
            tx.set_substitute(outbox, substitute.as_deref())?;
        }
        let body = match mark {
            true => message.body.clone(),
            false => outgoing::marked(
                substitute.as_ref().unwrap_or(&message.body),
                &self.mark(&message),
            ),
        };
        Ok(Started::Work(Work::Send(Sending {
            job: job.id,
            attempt: job.attempts + 1,
            outbox,
            cause: message.cause,
            number: message.number,
            start_at,
            resent: message.uncertain,
            body,
        })))
    }

    /// Until when no status may have come only because none could: who did not reach
    /// Graph was not reached by Meta either, most likely. Or because the window only
    /// seems to be over: the clock was set ahead. What may have gone out waits for the
    /// whole window after that.
    fn unheard_until(&self, tx: &Tx<'_>, now: i64) -> Result<Option<i64>> {
        let at = [tx.graph_unreachable_at()?, tx.clock_set_ahead_at()?];
        // One to come: the clock was set back.
        let at = at.into_iter().flatten().filter(|at| *at <= now).max();
        let until = at.map(|at| at + self.limits.reconcile_window_ms);
        Ok(until.filter(|until| *until > now))
    }

    /// What becomes of a message whose turn has come.
    fn fate(&self, tx: &Tx<'_>, now: i64, job: &Job, message: &Message) -> Result<Fate> {
        let ends = |state: SendState, text: &str| {
            let (code, text) = (message.error_code, text.to_owned());
            Ok(Fate::Ends(state, Fault { code, text }))
        };
        let unknown = match message.state {
            SendState::Queued => false,
            SendState::Unknown => true,
            _ => return Ok(Fate::IsOut),
        };
        // Before anything is said of it, as that no status came.
        if message.uncertain
            && let Some(until) = self.unheard_until(tx, now)?
        {
            return Ok(Fate::Waits { until });
        }
        if unknown && message.tries_max.is_some_and(|max| job.attempts >= max) {
            let text = "Graph could not take it, and no status came";
            return ends(SendState::Failed, text);
        }
        if unknown && self.limits.on_unknown == OnUnknown::Hold {
            let text = "Graph's answer was lost and no status came: it may have gone out";
            return ends(SendState::Held, text);
        }
        let since = job.open_since(message.created_at, now);
        if is_older(tx, now, self.limits.send_age_max_ms, since)? {
            return ends(SendState::Failed, "could not be sent within SEND_MAX_AGE");
        }
        // What may have gone out goes out again as it was.
        if message.uncertain && message.substitute.is_some() {
            return Ok(Fate::Goes {
                substitute: message.substitute.clone(),
            });
        }
        let admission = self.admit(tx, now, job.lane, &message.type_, &message.body)?;
        Ok(match admission {
            Admission::AsItIs => Fate::Goes { substitute: None },
            Admission::As(template) => Fate::Goes {
                substitute: Some(template),
            },
            Admission::Refused(fault) => Fate::Ends(SendState::Failed, fault),
        })
    }
}

/// What becomes of a message whose turn has come.
enum Fate {
    /// It goes to Graph, or the template in its place.
    Goes { substitute: Option<String> },
    /// It may be out, and no status could tell so far: one may until then.
    Waits { until: i64 },
    /// It ends so, without a call.
    Ends(SendState, Fault),
    /// It is with Graph already, or over.
    IsOut,
}

fn end_uncalled(
    tx: &Tx<'_>,
    now: i64,
    job: &Job,
    message: &Message,
    state: SendState,
    fault: &Fault,
) -> Result<Started> {
    tx.set_message_state(message.id, state, Some(fault), now)?;
    became(tx, now, &message.type_, message.state, state);
    tx.end_job(job, JobState::Dead, Some(&fault.text), now)?;
    Ok(match tx.message(message.id)? {
        Some(ended) => Started::Ended(ended),
        None => Started::NotNow,
    })
}

/// Rounded up: a millisecond early would be too early.
fn to_ms(us: i64) -> i64 {
    (us + 999).div_euclid(1_000)
}
