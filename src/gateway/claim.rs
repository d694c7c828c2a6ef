//! `claim`: the attempt is written, then the work is handed out.

use super::Gateway;
use super::delivery::Delivery;
use super::fetch::Fetching;
use super::halts::covers;
use super::tally::became;
use super::window::Admission;
use crate::config::OnUnknown;
use crate::policy::ladder::SendState;
use crate::policy::pacing::{self, Rate};
use crate::policy::priority::{self, Priority};
use crate::policy::share;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::outgoing;
use std::collections::VecDeque;

/// Jobs looked at in one claim. Most are claimed; some only move (too old, or
/// their pair has to wait), and this bounds how many of those one commit holds.
const EXAMINED_MAX: usize = 256;

/// Work handed out, and when to come again.
#[derive(Debug, Default)]
pub struct Claimed {
    /// To be done now, each by itself.
    pub work: Vec<Work>,
    /// Messages that ended here instead, without a call: whoever waits for them
    /// need not wait any longer.
    pub ended: Vec<Message>,
    /// When there is more, in Unix milliseconds; `None` until something new
    /// comes.
    pub next_due: Option<i64>,
    /// What has to happen before there can be more.
    pub rest: Rest,
}

/// What ends the wait for more work; each of them less than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// Something new, the end of a job, or the time in `next_due`.
    #[default]
    UntilAnything,
    /// The end of a job, or the time: all queues are closed.
    UntilEnd,
    /// The time alone: all numbers have booked as far ahead as they may, or
    /// pause.
    UntilDue,
}

/// One attempt at one job.
#[derive(Debug)]
pub enum Work {
    /// Hand an event to a consumer.
    Deliver(Delivery),
    /// Call Graph.
    Send(Sending),
    /// Fetch a file from Meta.
    Fetch(Fetching),
}

impl Work {
    fn job(&self) -> JobId {
        match self {
            Work::Deliver(delivery) => delivery.job,
            Work::Send(sending) => sending.job,
            Work::Fetch(fetching) => fetching.job,
        }
    }
}

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
    /// Takes up to `room` jobs of one kind whose time has come. Each counts as
    /// an attempt from here on, whatever happens.
    pub fn claim(&self, tx: &Tx<'_>, now: i64, kind: QueueKind, room: usize) -> Result<Claimed> {
        let queues = tx.queues()?;
        let mut halts = match kind {
            QueueKind::Send => self.halts(tx, now)?,
            QueueKind::Deliver | QueueKind::Fetch => Vec::new(),
        };
        let of_kind = || queues.iter().filter(|queue| queue.kind == kind);
        let mut claimed = Claimed::default();
        let mut rest = None;
        // From another one each time: the first would take every worker for as
        // long as it has a backlog.
        let mut in_turn: Vec<&Queue> = of_kind().collect();
        let turn = now.rem_euclid(in_turn.len().max(1) as i64) as usize;
        in_turn.rotate_left(turn);
        // Others may need workers: this one may not take them all.
        let open = |queue: &&&Queue| !halts.iter().any(|halt| covers(halt, queue));
        let workers = Workers {
            room,
            alone: in_turn.iter().filter(open).count() < 2,
        };
        for queue in in_turn {
            let next = self.claim_queue(tx, now, queue, &mut halts, workers, &mut claimed)?;
            claimed.next_due = earlier(claimed.next_due, next.due);
            rest = rest.min(Some(next.rest)).or(Some(next.rest));
        }
        claimed.rest = rest.unwrap_or_default();
        Ok(claimed)
    }

    /// Returns when this queue has more.
    fn claim_queue(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        halts: &mut Vec<Halt>,
        Workers { room, alone }: Workers,
        claimed: &mut Claimed,
    ) -> Result<Next> {
        let own = match queue.kind {
            QueueKind::Deliver => self.consumer(queue.id),
            QueueKind::Send | QueueKind::Fetch => None,
        };
        if queue.kind == QueueKind::Deliver && own.is_none() {
            return Ok(Next::NEVER);
        }
        let alone = alone && own.is_none();
        let queue = self.as_if_never_set(tx, now, queue)?;
        let queue = &self.with_its_token(tx, queue)?;
        if queue.kind == QueueKind::Send && queue.token_digest.is_none() {
            self.halt_without_token(tx, now, queue, halts)?;
            return Ok(Next::NEVER);
        }
        let halted_until = halts.iter().filter(|halt| covers(halt, queue));
        let halted_until = halted_until.map(|halt| halt.probe_at).max();
        if let Some(until) = halted_until.filter(|until| *until > now) {
            return Ok(Next::closed(until));
        }
        if queue.breaker.closed_until_ms > now {
            return Ok(Next::closed(queue.breaker.closed_until_ms));
        }
        if let Some(until) = queue.throttle.paused_until(now) {
            return Ok(Next {
                due: Some(until),
                rest: Rest::UntilDue,
            });
        }
        let probing = queue.breaker.probing() || halted_until.is_some();
        let before = claimed.work.len();
        let free = room - before;
        let more = match own {
            // There are workers for all that it may hold.
            Some(own) => own
                .concurrency
                .saturating_sub(tx.running(queue.id)?)
                .min(free),
            None if alone => free,
            None => share::more(tx.running(queue.id)?, free),
        };
        let more = if probing { more.min(1) } else { more };
        if more == 0 {
            // Only the end of a job changes that.
            return Ok(Next::NEVER);
        }
        let target = before + more;
        let mut pace = Pace {
            rate: queue.throttle.pace(self.limits.rates.of(&queue.name), now),
            next_us: queue.next_us,
            replies: queue.replies,
        };
        let mut booked_up = None;
        let mut examined = 0;
        while claimed.work.len() < target && examined < EXAMINED_MAX && booked_up.is_none() {
            let mut waiting = Waiting::due(tx, queue, now, target - claimed.work.len(), &pace)?;
            if waiting.is_empty() {
                break;
            }
            while let Some((job, priority)) = waiting.next(pace.replies) {
                if claimed.work.len() >= target {
                    break;
                }
                examined += 1;
                match self.start(tx, now, &job, &mut pace)? {
                    Started::Work(work) => {
                        claimed.work.push(work);
                        let bulk_waits = !waiting.bulk.is_empty();
                        pace.replies = priority::after(pace.replies, priority, bulk_waits);
                    }
                    // It gave way, and there may be others of its kind: they
                    // must not miss a turn for it.
                    Started::NotNow if waiting.none(priority) => break,
                    Started::NotNow => {}
                    Started::Ended(message) => claimed.ended.push(message),
                    Started::BookedUp(until) => {
                        booked_up = Some(until);
                        break;
                    }
                }
            }
        }
        if (pace.next_us, pace.replies) != (queue.next_us, queue.replies) {
            tx.set_pace(queue.id, pace.next_us, pace.replies)?;
        }
        if probing && let Some(work) = claimed.work.get(before) {
            let until = now + self.limits.probe_timeout_ms;
            for halt in halts.iter_mut().filter(|halt| covers(halt, queue)) {
                halt.probe_at = until;
                halt.probe = Some(work.job());
                tx.set_halt(halt)?;
            }
            if queue.breaker.probing() {
                let probe = queue
                    .breaker
                    .probe_started(now, self.limits.probe_timeout_ms);
                tx.set_breaker(queue.id, probe)?;
            }
            return Ok(Next::closed(until));
        }
        match booked_up {
            Some(until) => Ok(Next {
                due: Some(until),
                rest: Rest::UntilDue,
            }),
            // It has all the workers it may have, and goes on when one is done.
            None if !alone && claimed.work.len() == target => Ok(Next::NEVER),
            None => Ok(Next {
                due: tx.next_due(queue.id)?,
                rest: Rest::UntilAnything,
            }),
        }
    }

    /// The queue, and in it by which token its number sends now.
    fn with_its_token(&self, tx: &Tx<'_>, queue: Queue) -> Result<Queue> {
        let digest = match queue.kind {
            QueueKind::Send => self.token_digest(&queue.name),
            QueueKind::Deliver | QueueKind::Fetch => None,
        };
        if queue.token_digest.as_deref() != digest {
            tx.set_token_digest(queue.id, digest)?;
        }
        Ok(Queue {
            token_digest: digest.map(str::to_owned),
            ..queue
        })
    }

    fn start(&self, tx: &Tx<'_>, now: i64, job: &Job, pace: &mut Pace) -> Result<Started> {
        match (job.event, job.outbox, job.media) {
            (Some(event), ..) => self.start_delivery(tx, now, job, event),
            (_, Some(outbox), _) => self.start_sending(tx, now, job, outbox, pace),
            (.., Some(media)) => self.start_fetch(tx, now, job, media),
            (None, None, None) => give_up(tx, now, job, "the job names nothing to do"),
        }
    }

    fn start_sending(
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
        let end_with = |state: SendState, fault: Fault| {
            tx.set_message_state(outbox, state, Some(&fault), now)?;
            became(tx, now, &message.type_, message.state, state);
            tx.end_job(job, JobState::Dead, Some(&fault.text), now)?;
            Ok(match tx.message(outbox)? {
                Some(ended) => Started::Ended(ended),
                None => Started::NotNow,
            })
        };
        let end = |state: SendState, text: &str| {
            let fault = Fault {
                code: message.error_code,
                text: text.into(),
            };
            end_with(state, fault)
        };
        match message.state {
            SendState::Queued => {}
            SendState::Unknown => {
                if message.tries_max.is_some_and(|max| job.attempts >= max) {
                    return end(
                        SendState::Failed,
                        "Graph could not take it, and no status came",
                    );
                }
                if self.limits.on_unknown == OnUnknown::Hold {
                    let text = "Graph's answer was lost and no status came: it may have gone out";
                    return end(SendState::Held, text);
                }
            }
            _ => {
                tx.end_job(job, JobState::Done, None, now)?;
                return Ok(Started::NotNow);
            }
        }
        if now - message.created_at > self.limits.send_age_max_ms {
            return end(SendState::Failed, "could not be sent within SEND_MAX_AGE");
        }
        let mut substitute = message.substitute.clone();
        // What may have gone out goes out again as it was.
        if !message.uncertain || substitute.is_none() {
            substitute = match self.admit(tx, now, job.lane, &message.type_, &message.body)? {
                Admission::AsItIs => None,
                Admission::As(template) => Some(template),
                Admission::Refused(fault) => return end_with(SendState::Failed, fault),
            };
        }
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
            true => message.body,
            false => outgoing::marked(
                substitute.as_ref().unwrap_or(&message.body),
                &self.mark(outbox),
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
}

/// What became of one job that was due.
pub(super) enum Started {
    Work(Work),
    /// It ended or waits; others may go.
    NotNow,
    /// The message ended without a call.
    Ended(Message),
    /// The whole number has booked as far ahead as it may: come again then.
    BookedUp(i64),
}

/// A number's pace while a claim goes on.
struct Pace {
    rate: Rate,
    next_us: i64,
    /// Replies in a row while bulk waited.
    replies: u32,
}

/// Who could do the work.
#[derive(Clone, Copy)]
struct Workers {
    /// How many have nothing to do, those included who got something in this
    /// claim.
    room: usize,
    /// No other queue is open that may need them.
    alone: bool,
}

/// What is due in a queue.
struct Waiting {
    replies: VecDeque<Job>,
    bulk: VecDeque<Job>,
}

impl Waiting {
    /// No more of each priority than can be started.
    fn due(tx: &Tx<'_>, queue: &Queue, now: i64, room: usize, pace: &Pace) -> Result<Waiting> {
        // One at least: the first that has no place any more tells when to come
        // again. Those which only move, and are not started, take another look.
        let limit = match queue.kind {
            QueueKind::Deliver | QueueKind::Fetch => room,
            QueueKind::Send => pace.rate.room(pace.next_us, now * 1_000, room).max(1),
        };
        let due = |priority| tx.due_jobs(queue.id, priority, now, limit);
        Ok(Waiting {
            replies: due(Priority::Reply)?.into(),
            bulk: match queue.kind {
                QueueKind::Deliver | QueueKind::Fetch => VecDeque::new(),
                QueueKind::Send => due(Priority::Bulk)?.into(),
            },
        })
    }

    fn none(&self, of: Priority) -> bool {
        match of {
            Priority::Reply => self.replies.is_empty(),
            Priority::Bulk => self.bulk.is_empty(),
        }
    }

    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.bulk.is_empty()
    }

    fn next(&mut self, replies: u32) -> Option<(Job, Priority)> {
        let next = priority::turn(replies, !self.replies.is_empty(), !self.bulk.is_empty())?;
        let job = match next {
            Priority::Reply => self.replies.pop_front(),
            Priority::Bulk => self.bulk.pop_front(),
        };
        Some((job?, next))
    }
}

/// When a queue has more, and what can change that.
struct Next {
    due: Option<i64>,
    rest: Rest,
}

impl Next {
    /// Nothing goes out before something happens: a token, the end of a job.
    const NEVER: Next = Next {
        due: None,
        rest: Rest::UntilAnything,
    };

    fn closed(until: i64) -> Next {
        Next {
            due: Some(until),
            rest: Rest::UntilEnd,
        }
    }
}

pub(super) fn give_up(tx: &Tx<'_>, now: i64, job: &Job, why: &str) -> Result<Started> {
    tx.end_job(job, JobState::Dead, Some(why), now)?;
    Ok(Started::NotNow)
}

/// Rounded up: a millisecond early would be too early.
fn to_ms(us: i64) -> i64 {
    (us + 999).div_euclid(1_000)
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
