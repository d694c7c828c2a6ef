//! Deliveries that are made again, many at a time: by consumer, time, error and
//! state. A delivery keeps its place in its lane, so they come in order; an event
//! keeps its webhook id, so a consumer can tell that it knows it. A burst comes again
//! as a whole, once, whichever of its messages are meant.

use super::operator::resolve;
use crate::config::Selection;
use crate::store::rows::*;
use crate::store::{Result, Tx};

/// Rows looked at in one step, at most: it bounds how long a commit takes.
const LOOKED_AT_MAX: usize = 1_000;

/// Which deliveries are made again. Each part narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those to this one.
    pub consumer: Option<QueueId>,
    /// Those that ended so; `None`: done and dead.
    pub state: Option<Ended>,
    /// Of events that were stored then or later, in Unix milliseconds.
    pub since: Option<i64>,
    /// Of events that were stored before.
    pub until: Option<i64>,
    /// With this in what went wrong, in large letters or small.
    pub error: Option<String>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was taken.
    Done,
    /// It was given up.
    Dead,
}

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Deliveries that will be made again, or would be.
    pub found: usize,
    /// Where the next step begins; `None` after the last.
    pub next: Option<i64>,
}

/// Whether what is found is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only counted.
    Look,
    /// Done, at this time.
    Act(i64),
}

impl Filter {
    fn takes(&self, job: &Job, error: Option<&str>, received_at: i64) -> bool {
        let state = match job.state {
            JobState::Done => Ended::Done,
            JobState::Dead => Ended::Dead,
            JobState::Waiting | JobState::Running => return false,
        };
        let error = error.unwrap_or_default().to_lowercase();
        self.consumer.is_none_or(|queue| queue == job.queue)
            && self.state.is_none_or(|wanted| wanted == state)
            && self.since.is_none_or(|since| received_at >= since)
            && self.until.is_none_or(|until| received_at < until)
            && self
                .error
                .as_ref()
                .is_none_or(|part| error.contains(&part.to_lowercase()))
    }
}

/// Makes deliveries again that ended and that the filter takes, at most `limit`,
/// from the job after `after` on.
pub fn again(tx: &Tx<'_>, mode: Mode, filter: &Filter, after: i64, limit: usize) -> Result<Step> {
    let served = served(tx)?;
    let only_dead = filter.state == Some(Ended::Dead);
    let page = tx.ended_deliveries(after, only_dead, LOOKED_AT_MAX)?;
    let mut step = Step {
        found: 0,
        next: page.last().map(|(job, ..)| job.id),
    };
    for (job, error, received_at) in page {
        if step.found == limit {
            // The one before this was the last that was looked at.
            step.next = Some(job.id - 1);
            break;
        }
        let takes = |job: &Job, received_at| filter.takes(job, error.as_deref(), received_at);
        if served.contains(&job.queue)
            && takes(&job, received_at)
            && !comes_with_another(tx, &job, &takes)?
        {
            step.found += 1;
            if let Mode::Act(now) = mode {
                reopen(tx, now, &job)?;
            }
        }
    }
    Ok(step)
}

/// Makes the ended deliveries of one event again that the filter takes. How many
/// they are.
pub fn of_event(tx: &Tx<'_>, mode: Mode, filter: &Filter, event: EventId) -> Result<usize> {
    let received_at = tx.event(event)?.map_or(0, |event| event.received_at);
    let mut found = 0;
    for (job, _, error) in tx.deliveries(event)? {
        if filter.takes(&job, error.as_deref(), received_at) {
            found += 1;
            if let Mode::Act(now) = mode {
                reopen(tx, now, &job)?;
            }
        }
    }
    Ok(found)
}

/// Gives a consumer the events it never got and that `selection` takes: those
/// stored before it was there, or when it wanted others. At most `limit`, from
/// the event after `after` on. They go behind what waits for it already.
pub fn never_got(
    tx: &Tx<'_>,
    mode: Mode,
    (consumer, selection): (QueueId, &Selection),
    (since, until): (i64, i64),
    after: i64,
    limit: usize,
) -> Result<Step> {
    let page = tx.events_after(after, LOOKED_AT_MAX)?;
    let mut step = Step {
        found: 0,
        next: page.last().map(|event| event.id),
    };
    for event in page {
        if step.found == limit {
            step.next = Some(event.id - 1);
            break;
        }
        let of_then = (since..until).contains(&event.received_at);
        if !of_then || !selection.includes(event.kind, &event.field) {
            continue;
        }
        let jobs = tx.deliveries(event.id)?;
        if jobs.iter().any(|(job, ..)| job.queue == consumer) {
            continue;
        }
        step.found += 1;
        if let Mode::Act(now) = mode {
            let lane = resolve(tx, event.conversation)?;
            tx.push_again(consumer, lane, event.id, now)?;
        }
    }
    Ok(step)
}

/// The queue of a consumer, if there is one of this name.
pub fn consumer(tx: &Tx<'_>, name: &str) -> Result<Option<Queue>> {
    let mut queues = tx.queues()?.into_iter();
    Ok(queues.find(|queue| queue.kind == QueueKind::Deliver && queue.name == name))
}

/// Who gets deliveries: those of others would only wait.
fn served(tx: &Tx<'_>) -> Result<Vec<QueueId>> {
    let queues = tx.queues()?.into_iter();
    Ok(queues
        .filter(|queue| queue.served)
        .map(|queue| queue.id)
        .collect())
}

/// Whether an earlier one of its burst is taken too. They all ended alike.
fn comes_with_another(tx: &Tx<'_>, job: &Job, takes: &impl Fn(&Job, i64) -> bool) -> Result<bool> {
    let earlier = |mate: &Job| mate.id < job.id;
    for mate in tx.mates(job)?.into_iter().filter(earlier) {
        let event = mate.event.map_or(Ok(None), |event| tx.event(event))?;
        if event.is_some_and(|event| takes(&mate, event.received_at)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens an ended delivery again, and files given up of what is in it.
pub(super) fn reopen(tx: &Tx<'_>, now: i64, job: &Job) -> Result<()> {
    let mates = tx.mates(job)?;
    let events = [job].into_iter().chain(&mates).filter_map(|job| job.event);
    for event in events {
        for file in tx.media_of(event)? {
            if let Some((file, _)) = tx.job_of_media(file.id)?
                && file.state == JobState::Dead
            {
                tx.reopen_job(&file, now)?;
            }
        }
    }
    let lane = resolve(tx, job.lane)?;
    tx.reopen_job(
        &Job {
            lane,
            ..job.clone()
        },
        now,
    )
}
