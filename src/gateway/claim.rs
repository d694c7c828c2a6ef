//! `claim`: the attempt is written, then the work is handed out.

use super::delivery::Delivery;
use super::fetch::Fetching;
use super::halts::covers;
use super::sending::Sending;
use super::{Gateway, Wants};
use crate::policy::pacing::Rate;
use crate::policy::priority::{self, Priority};
use crate::policy::share;
use crate::store::rows::*;
use crate::store::{Result, Tx};
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
    /// The job it is of.
    pub fn job(&self) -> JobId {
        match self {
            Work::Deliver(delivery) => delivery.job,
            Work::Send(sending) => sending.job,
            Work::Fetch(fetching) => fetching.job,
        }
    }
}

impl Gateway {
    /// Takes up to `room` jobs of one kind whose time has come. Each counts as
    /// an attempt from here on, whatever happens.
    pub fn claim(&self, tx: &Tx<'_>, now: i64, kind: QueueKind, room: usize) -> Result<Claimed> {
        self.claim_telling(tx, now, kind, room, &|_| ())
    }

    /// The same, and tells of each job before it looks at it, and of none when it has: after
    /// a panic the last told is the one to blame, or it was not over a job.
    pub fn claim_telling(
        &self,
        tx: &Tx<'_>,
        now: i64,
        kind: QueueKind,
        room: usize,
        looks_at: &dyn Fn(Option<JobId>),
    ) -> Result<Claimed> {
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
            looks_at,
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
        workers: Workers<'_>,
        claimed: &mut Claimed,
    ) -> Result<Next> {
        let own = match queue.kind {
            QueueKind::Deliver => self.consumer(queue.id),
            QueueKind::Send | QueueKind::Fetch => None,
        };
        // What waits for a bot that the settings do not name any more waits until there is
        // one again: to hand it to nobody would count as done.
        let nobody = queue.id == self.bot && self.wants == Wants::Nothing;
        if queue.kind == QueueKind::Deliver && (own.is_none() || nobody) {
            return Ok(Next::NEVER);
        }
        let alone = workers.alone && own.is_none();
        let queue = self.as_if_never_set(tx, now, queue)?;
        let queue = &self.with_its_token(tx, queue)?;
        if let Some(closed) = self.closed(tx, now, queue, halts)? {
            return Ok(closed);
        }
        let probing = queue.breaker.probing() || probe_at(halts, queue).is_some();
        let before = claimed.work.len();
        let free = workers.room - before;
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
        let booked_up = self.fill(tx, now, queue, target, workers.looks_at, claimed)?;
        if probing && let Some(work) = claimed.work.get(before) {
            return self.note_probe(tx, now, queue, halts, work.job());
        }
        match booked_up {
            Some(until) => Ok(Next::paused(until)),
            // It has all the workers it may have, and goes on when one is done.
            None if !alone && claimed.work.len() == target => Ok(Next::NEVER),
            None => Ok(Next {
                due: tx.next_due(queue.id)?,
                rest: Rest::UntilAnything,
            }),
        }
    }

    /// What keeps a queue closed now, if anything does.
    fn closed(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        halts: &mut Vec<Halt>,
    ) -> Result<Option<Next>> {
        if queue.kind == QueueKind::Send && queue.token_digest.is_none() {
            self.halt_without_token(tx, now, queue, halts)?;
            return Ok(Some(Next::NEVER));
        }
        let halted = probe_at(halts, queue).filter(|until| *until > now);
        let broken = Some(queue.breaker.closed_until_ms).filter(|until| *until > now);
        let paused = queue.throttle.paused_until(now);
        Ok(halted
            .or(broken)
            .map(Next::closed)
            .or(paused.map(Next::paused)))
    }

    /// Starts what is due, until `target` jobs are claimed. Returns until when the
    /// queue's number has booked as far ahead as it may, if it has.
    fn fill(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        target: usize,
        looks_at: &dyn Fn(Option<JobId>),
        claimed: &mut Claimed,
    ) -> Result<Option<i64>> {
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
                looks_at(Some(job.id));
                let started = self.start(tx, now, &job, &mut pace)?;
                looks_at(None);
                match started {
                    Started::Work(work) => {
                        claimed.work.push(work);
                        let bulk_waits = !waiting.bulk.is_empty();
                        pace.replies = priority::after(pace.replies, priority, bulk_waits);
                    }
                    // It gave way, and there may be others of its kind: they
                    // must not miss a turn for it.
                    Started::NotNow if waiting.none(priority) => break,
                    Started::NotNow => {}
                    Started::Ended(message) => {
                        claimed.ended.push(message);
                        if waiting.none(priority) {
                            break;
                        }
                    }
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
        Ok(booked_up)
    }

    /// One job tries for all whether the trouble is over: nobody else does
    /// meanwhile.
    fn note_probe(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        halts: &mut [Halt],
        job: JobId,
    ) -> Result<Next> {
        let timeout_ms = self.limits.probe_timeout_ms;
        let until = now + timeout_ms;
        for halt in halts.iter_mut().filter(|halt| covers(halt, queue)) {
            halt.probe_at = until;
            halt.probe = Some(job);
            tx.set_halt(halt)?;
        }
        if queue.breaker.probing() {
            tx.set_breaker(queue.id, queue.breaker.probe_started(now, timeout_ms))?;
        }
        Ok(Next::closed(until))
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
pub(super) struct Pace {
    pub rate: Rate,
    pub next_us: i64,
    /// Replies in a row while bulk waited.
    replies: u32,
}

/// Who could do the work.
#[derive(Clone, Copy)]
struct Workers<'l> {
    /// How many have nothing to do, those included who got something in this
    /// claim.
    room: usize,
    /// No other queue is open that may need them.
    alone: bool,
    /// Told of each job before it is looked at, and of none after.
    looks_at: &'l dyn Fn(Option<JobId>),
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

    fn paused(until: i64) -> Next {
        Next {
            due: Some(until),
            rest: Rest::UntilDue,
        }
    }
}

pub(super) fn give_up(tx: &Tx<'_>, now: i64, job: &Job, why: &str) -> Result<Started> {
    tx.end_job(job, JobState::Dead, Some(why), now)?;
    Ok(Started::NotNow)
}

/// When the queue may be probed, if a halt covers it.
fn probe_at(halts: &[Halt], queue: &Queue) -> Option<i64> {
    let halts = halts.iter().filter(|halt| covers(halt, queue));
    halts.map(|halt| halt.probe_at).max()
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
