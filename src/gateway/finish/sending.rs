//! The end of an attempt at a send: what Graph's verdict means for the message, its lane, its
//! number, and whatever else sends with the same token or from the same account.

mod slow;

use super::at_least;
use crate::gateway::Gateway;
use crate::gateway::receive::{early_statuses, has_failed};
use crate::gateway::tally::became;
use crate::gateway::uploads;
use crate::policy::breaker::Breaker;
use crate::policy::ladder::{self, SendState};
use crate::policy::retry;
use crate::policy::verdict::{HaltScope, Scope, Verdict, Why};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::outgoing;
use std::time::Duration;

/// Marks (read, typing) are worth little: a few tries.
const MARK_TRIES_MAX: u32 = 3;

/// What Graph made of a message: what `finish_sending` did with a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Done with, well or not.
    Ended,
    /// To be tried again, or waiting for a status.
    Again,
    /// The attempt is not under way any more; nothing was changed.
    Stale,
}

impl Gateway {
    /// Ends an attempt at a send.
    pub fn finish_sending(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: JobId,
        attempt: u32,
        verdict: &Verdict,
        luck: f64,
    ) -> Result<Sent> {
        let Some(job) = self.running(tx, job, attempt)? else {
            return Ok(Sent::Stale);
        };
        let message = match job.outbox {
            Some(id) => tx.message(id)?,
            None => None,
        };
        let (Some(message), Some(queue)) = (message, tx.queue_row(job.queue)?) else {
            tx.end_job(
                &job,
                JobState::Dead,
                Some("the message is not stored any more"),
                now,
            )?;
            return Ok(Sent::Ended);
        };
        let ending = Ending {
            gateway: self,
            tx,
            now,
            luck,
            job,
            message,
            queue,
        };
        // A status came while the call ran: the message is out, whatever the
        // answer says.
        if ending.message.state != SendState::Sending
            && !matches!(verdict, Verdict::Accepted { .. })
        {
            return ending.end(JobState::Done, None);
        }
        match verdict {
            Verdict::Accepted {
                wamid,
                wa_id,
                user_id,
            } => ending.accepted(wamid.as_deref(), wa_id.as_deref(), user_id.as_deref()),
            Verdict::Refused { why } => {
                ending.well()?;
                uploads::refused(tx, &ending.message, why.code)?;
                ending.state(SendState::Failed, Some(why))?;
                ending.end(JobState::Dead, Some(why))
            }
            Verdict::Retry { scope, wait, why } => ending.put_off(*scope, *wait, why),
            Verdict::Halt { scope, why } => ending.halt(*scope, why),
            Verdict::Unknown {
                scope,
                wait,
                tries_max,
                why,
            } => ending.unknown(
                *scope,
                *wait,
                *tries_max,
                self.limits.reconcile_window_ms,
                why,
            ),
        }
    }
}

/// The end of one attempt at a send.
struct Ending<'t, 'c> {
    gateway: &'t Gateway,
    tx: &'t Tx<'c>,
    now: i64,
    luck: f64,
    job: Job,
    message: Message,
    queue: Queue,
}

impl Ending<'_, '_> {
    fn accepted(
        &self,
        wamid: Option<&str>,
        wa_id: Option<&str>,
        bsuid: Option<&str>,
    ) -> Result<Sent> {
        self.well()?;
        let own = self.message.wamid.as_deref();
        let is_its_own = wamid.is_none() || own == wamid;
        let before = match is_its_own {
            true => self.message.state,
            false => self.message.state.beside_a_failure(),
        };
        let mut state = before.merge(SendState::Accepted);
        let mut fault = None;
        if let Some(wamid) = wamid {
            self.tx.pair_accepted(self.job.lane)?;
            // When it went out twice the first id stays: its statuses are settled
            // by it already. One that failed gives way to the next try's.
            match own.is_none() || !before.is_out() {
                true => self.tx.set_wamid(self.message.id, wamid)?,
                false => self.tx.add_wamid(self.message.id, wamid)?,
            }
            let mut early = early_statuses(self.tx, wamid)?;
            // And of both the one counts that did not fail.
            if before.is_out() && !is_its_own && has_failed(&early) {
                early.clear();
            }
            for early in early {
                let said = ladder::of_status(&early.status, early.of_participant);
                state = said.map_or(state, |said| state.merge(said));
                if early.status == "failed" && state == SendState::Failed {
                    let (gateway, message) = (self.gateway, &self.message);
                    fault = Some(gateway.failed(self.tx, self.now, message, &early)?);
                }
            }
        }
        if state.went_out() {
            self.gateway.end_proved(self.tx, self.now, &self.message)?;
        }
        if state != self.message.state {
            self.tx
                .set_message_state(self.message.id, state, fault.as_ref(), self.now)?;
            self.became(state);
        }
        let type_ = &self.message.type_;
        self.gateway
            .note_answer(self.tx, self.job.lane, type_, self.now)?;
        let sent = self.leave_lane(state)?;
        // Last: the job's lane may become part of another by it.
        let (tx, message) = (self.tx, &self.message);
        self.gateway
            .learn_recipient(tx, self.now, message, wa_id, bsuid)?;
        Ok(sent)
    }

    /// The next message of the lane may go: at once, or after a file when Meta has
    /// it ready. Until then the job stays first of its lane. A status ends it, and
    /// so does its time, since nothing is left to be sent.
    fn leave_lane(&self, state: SendState) -> Result<Sent> {
        let sent = self.message.substitute.as_ref();
        let waits = |wait: &i64| {
            *wait > 0
                && state == SendState::Accepted
                && outgoing::has_media(sent.unwrap_or(&self.message.body))
        };
        match self.gateway.limits.media_order_wait_ms.filter(waits) {
            Some(wait) => {
                let due = self.now + wait;
                self.tx
                    .retry_job(&self.job, self.now, due, self.job.attempts, None)?;
            }
            None => self.tx.end_job(&self.job, JobState::Done, None, self.now)?,
        }
        Ok(Sent::Ended)
    }

    /// May have gone out: a status will tell, or nothing for the whole window.
    fn unknown(
        &self,
        scope: Scope,
        wait: Option<Duration>,
        tries_max: Option<u32>,
        window_ms: i64,
        why: &Why,
    ) -> Result<Sent> {
        if outgoing::is_mark(&self.message.type_) {
            self.down(scope, 0)?;
            if self.job.attempts >= MARK_TRIES_MAX {
                self.state(SendState::Failed, Some(why))?;
                return self.end(JobState::Dead, Some(why));
            }
            self.state(SendState::Queued, Some(why))?;
            return self.again(retry::SEND.after(self.job.attempts, self.luck), why);
        }
        self.down(scope, at_least(wait, 0))?;
        self.state(SendState::Unknown, Some(why))?;
        self.tx.set_uncertain(self.message.id)?;
        // Counted from the first try that may have gone out: being put off
        // before that doubles nothing.
        let earlier = self.job.attempts - 1;
        let tries_max = tries_max.map(|max| max + earlier);
        let tries_max = self.message.tries_max.or(tries_max);
        // Nor does a try count that failed with all others: the trouble is Graph's, and an hour
        // of it would use up the tries of each message that probes whether it is over.
        let outage = self.queue.breaker.failed(self.now).probing();
        let tries_max = tries_max.map(|max| max.saturating_add(u32::from(outage)));
        self.tx.set_tries_max(self.message.id, tries_max)?;
        self.again(at_least(wait, window_ms), why)
    }

    /// Nothing goes out until someone acts. The message keeps its place, and
    /// the attempt does not count.
    fn halt(&self, scope: HaltScope, why: &Why) -> Result<Sent> {
        let (gateway, job) = (self.gateway, self.job.id);
        let met = (scope, Told::ByAnswer, why);
        gateway.meet_halt(self.tx, self.now, &self.queue, job, met, self.luck)?;
        self.state(SendState::Queued, Some(why))?;
        let attempts = self.job.attempts.saturating_sub(1);
        let why = why.with_details();
        self.tx
            .retry_job(&self.job, self.now, self.now, attempts, Some(&why))?;
        Ok(Sent::Again)
    }

    /// Graph answers: the outage is over, and the halt that this call probed.
    /// A pause that Graph asked for is not, unless this call was the probe after
    /// it: calls that began before the pause still come back.
    fn well(&self) -> Result<()> {
        let is_mark = outgoing::is_mark(&self.message.type_);
        let (gateway, job) = (self.gateway, self.job.id);
        gateway.end_probed(self.tx, self.now, job, is_mark, self.luck)?;
        let before = self.queue.breaker;
        let after = match before.probing() {
            true => Breaker::WELL,
            false => Breaker {
                failures: 0,
                ..before
            },
        };
        match before == after {
            true => Ok(()),
            false => self.tx.set_breaker(self.queue.id, after),
        }
    }

    fn state(&self, state: SendState, why: Option<&Why>) -> Result<()> {
        let fault = why.map(|why| Fault {
            code: why.code,
            text: why.with_details(),
        });
        self.became(state);
        self.tx
            .set_message_state(self.message.id, state, fault.as_ref(), self.now)
    }

    fn became(&self, state: SendState) {
        let Message {
            type_,
            state: before,
            ..
        } = &self.message;
        became(self.tx, self.now, type_, *before, state);
    }

    fn again(&self, wait_ms: i64, why: &Why) -> Result<Sent> {
        let due = self.now + wait_ms;
        let why = why.with_details();
        self.tx
            .retry_job(&self.job, self.now, due, self.job.attempts, Some(&why))?;
        Ok(Sent::Again)
    }

    fn end(&self, state: JobState, why: Option<&Why>) -> Result<Sent> {
        let error = why.map(Why::with_details);
        self.tx
            .end_job(&self.job, state, error.as_deref(), self.now)?;
        Ok(Sent::Ended)
    }
}
