//! `finish`: what came of an attempt, and all that follows, in one commit.

mod slow;

use super::Gateway;
use super::facts::Effect;
use super::receive::early_statuses;
use super::tally::became;
use super::uploads;
use super::window::Admission;
use crate::policy::breaker::Breaker;
use crate::policy::ladder::{self, SendState};
use crate::policy::priority::Priority;
use crate::policy::retry;
use crate::policy::verdict::{HaltScope, Scope, Verdict, Why};
use crate::store::rows::*;
use crate::store::tally::Counted;
use crate::store::{Result, Tx};
use crate::wire::notification::Kind;
use crate::wire::outgoing::{self, Outgoing, ReplyTo};
use crate::wire::validate;
use std::fmt;
use std::time::Duration;

/// What a consumer made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Dealt with.
    Done {
        /// Cloud API message objects, in the order in which they go out.
        replies: Vec<String>,
        /// What is to be remembered about the conversation.
        effects: Vec<Effect>,
    },
    /// Not now: the same event again later, not before `wait`.
    Retry {
        /// Why.
        reason: Reason,
        /// The least time to wait, if the consumer said so.
        wait: Option<Duration>,
        /// It says something about the consumer as a whole (refused, timed
        /// out), not about this event: counts for the breaker.
        down: bool,
    },
    /// Never: a dead letter.
    Dead { reason: Reason },
}

/// Why an event was not dealt with: a sentence of ours, which is logged, and
/// what the business's own logic said, which may repeat a customer's words and
/// is for the operator's eyes alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    said: String,
    details: Option<String>,
}

impl Reason {
    /// With what the business's own logic said, cut where it gets too long.
    pub fn with_details(said: impl Into<String>, details: impl Into<String>) -> Reason {
        let mut details = details.into();
        if let Some((end, _)) = details.char_indices().nth(DETAILS_CHARS_MAX) {
            details.truncate(end);
        }
        Reason {
            said: said.into(),
            details: Some(details).filter(|details| !details.is_empty()),
        }
    }

    /// All of it, as it is kept with the delivery.
    pub fn in_full(&self) -> String {
        match &self.details {
            Some(details) => format!("{}: {details}", self.said),
            None => self.said.clone(),
        }
    }
}

impl From<String> for Reason {
    fn from(said: String) -> Reason {
        Reason {
            said,
            details: None,
        }
    }
}

impl From<&str> for Reason {
    fn from(said: &str) -> Reason {
        said.to_owned().into()
    }
}

/// What may be logged.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&self.said, f)
    }
}

impl Outcome {
    /// Dealt with, and nothing is to be remembered.
    pub fn done(replies: Vec<String>) -> Outcome {
        Outcome::Done {
            replies,
            effects: Vec::new(),
        }
    }
}

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

/// Marks (read, typing) are worth little: a few tries.
const MARK_TRIES_MAX: u32 = 3;

/// The longest explanation that is kept with a delivery.
pub const DETAILS_CHARS_MAX: usize = 1_000;

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

    /// Puts a message in the outbox and in its lane, or says there at once why it
    /// cannot go out.
    /// `known` is its priority where that is decided; else whether its customer
    /// waits decides.
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

    /// The job, if this attempt at it is still under way.
    pub(super) fn running(&self, tx: &Tx<'_>, job: JobId, attempt: u32) -> Result<Option<Job>> {
        let job = tx.job(job)?;
        Ok(job.filter(|job| job.state == JobState::Running && job.attempts == attempt))
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
        let mut state = self.message.state.merge(SendState::Accepted);
        let mut fault = None;
        if let Some(wamid) = wamid {
            self.tx.pair_accepted(self.job.lane)?;
            // When it went out twice the first id stays: its statuses are settled
            // by it already. One that failed gives way to the next try's.
            if self.message.wamid.is_none() || !self.message.state.is_out() {
                self.tx.set_wamid(self.message.id, wamid)?;
            }
            for early in early_statuses(self.tx, wamid)? {
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

fn at_least(wait: Option<Duration>, backoff_ms: i64) -> i64 {
    let wait = wait.map_or(0, |wait| wait.as_millis() as i64);
    wait.max(backoff_ms)
}
