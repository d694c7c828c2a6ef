//! The inbox as an operator sees and steers it: events with what became of them,
//! a page at a time; replaying and dropping. Free functions: the command line and
//! the console use them beside a running service.

use super::BOT;
use super::lists::{self, LOOK};
use super::operator::{conversation_name, resolve};
use super::replay::reopen;
use crate::policy::priority::Priority;
use crate::store::rows::*;
use crate::store::tx::{EventFilter, Found};
use crate::store::{Result, Tx};

pub use crate::store::rows::InboxState;

/// Dead letters looked through in one step.
const DEAD_LOOK: usize = 2_000;

/// Which events are shown. Each part narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What is asked of the event and its deliveries.
    pub of: EventFilter,
    /// With this in what went wrong, in large letters or small; of dead letters
    /// alone.
    pub error: Option<String>,
}

/// An event and what became of it.
#[derive(Clone, Debug)]
pub struct InboxRow {
    /// As stored.
    pub event: Event,
    /// `number/user`.
    pub conversation: String,
    /// All its deliveries together.
    pub state: InboxState,
    /// Attempts of the delivery that counts (the worst off).
    pub attempts: u32,
    /// What went wrong with it last.
    pub error: Option<String>,
    /// One a consumer.
    pub deliveries: Vec<DeliveryRow>,
    /// The files it names, of the kinds that are fetched.
    pub media: Vec<MediaRow>,
}

/// One delivery of an event.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// Its job.
    pub job: JobId,
    /// The consumer's queue.
    pub queue: QueueId,
    /// The consumer's name.
    pub consumer: String,
    /// Where it stands.
    pub state: InboxState,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last.
    pub error: Option<String>,
}

/// A file of an event.
#[derive(Clone, Debug)]
pub struct MediaRow {
    /// As stored.
    pub media: Media,
    /// Where it stands.
    pub state: MediaState,
    /// How often it was tried to fetch it.
    pub attempts: u32,
    /// What went wrong last.
    pub error: Option<String>,
}

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaState {
    /// Being fetched, or to be.
    Pending,
    /// In MEDIA_DIR.
    Fetched,
    /// Given up.
    Failed,
    /// Fetched once, and deleted by a caller of the API.
    Deleted,
}

impl MediaState {
    /// The word used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaState::Pending => "pending",
            MediaState::Fetched => "fetched",
            MediaState::Failed => "failed",
            MediaState::Deleted => "deleted",
        }
    }
}

impl Filter {
    /// Those in this state.
    pub fn in_state(state: Option<InboxState>) -> Filter {
        let of = EventFilter {
            state,
            ..EventFilter::default()
        };
        Filter { of, error: None }
    }

    fn takes(&self, error: Option<&str>) -> bool {
        let part = self.error.as_ref().map(|part| part.to_lowercase());
        part.is_none_or(|part| error.unwrap_or_default().to_lowercase().contains(&part))
    }
}

/// Events, the newest first, `limit` at most, from where another page ended. Dead
/// letters are found by their index; all others among the next 20,000 events.
pub fn page(
    tx: &Tx<'_>,
    filter: &Filter,
    from: Option<i64>,
    limit: usize,
) -> Result<Found<InboxRow>> {
    let from = from.unwrap_or(i64::MAX);
    let found = match filter.of.state == Some(InboxState::Dead) || filter.error.is_some() {
        true => dead_page(tx, filter, from, limit)?,
        false => tx.find_events(&filter.of, from, limit, LOOK)?,
    };
    let rows: Result<Vec<InboxRow>> = found.rows.into_iter().map(|e| row(tx, e)).collect();
    Ok(Found {
        rows: rows?,
        older: found.older,
    })
}

/// Events with dead letters. A place among them is a job.
fn dead_page(
    tx: &Tx<'_>,
    filter: &Filter,
    mut before: JobId,
    limit: usize,
) -> Result<Found<Event>> {
    let of = EventFilter {
        state: Some(InboxState::Dead),
        ..filter.of.clone()
    };
    let dead = tx.dead_before(before, DEAD_LOOK)?;
    let more = dead.len() == DEAD_LOOK;
    let mut rows: Vec<Event> = Vec::new();
    for (job, id, error) in dead {
        if rows.len() >= limit {
            return Ok(Found {
                rows,
                older: Some(before),
            });
        }
        before = job;
        // One event may be several consumers' dead letter.
        if !filter.takes(error.as_deref()) || rows.iter().any(|event| event.id == id) {
            continue;
        }
        rows.extend(tx.find_events(&of, id + 1, 1, 1)?.rows);
    }
    Ok(Found {
        rows,
        older: more.then_some(before),
    })
}

/// The newest events that a filter takes, oldest of them first, among the newest
/// 200,000.
pub fn newest(tx: &Tx<'_>, filter: &Filter, limit: usize) -> Result<Vec<InboxRow>> {
    lists::newest(limit, |from, more| page(tx, filter, from, more))
}

/// One event.
pub fn event(tx: &Tx<'_>, id: EventId) -> Result<Option<InboxRow>> {
    match tx.event(id)? {
        Some(event) => row(tx, event).map(Some),
        None => Ok(None),
    }
}

/// An event with what became of it.
pub fn row(tx: &Tx<'_>, event: Event) -> Result<InboxRow> {
    let deliveries: Vec<DeliveryRow> = tx
        .deliveries(event.id)?
        .into_iter()
        .map(|(job, consumer, error)| DeliveryRow {
            job: job.id,
            queue: job.queue,
            consumer,
            state: job.state.of_event(),
            attempts: job.attempts,
            error,
        })
        .collect();
    let worst = deliveries
        .iter()
        .max_by_key(|delivery| delivery.state)
        .cloned();
    Ok(InboxRow {
        conversation: conversation_name(tx, event.conversation)?,
        state: worst.as_ref().map_or(InboxState::Done, |worst| worst.state),
        attempts: worst.as_ref().map_or(0, |worst| worst.attempts),
        error: worst.and_then(|worst| worst.error),
        deliveries,
        media: media_rows(tx, event.id)?,
        event,
    })
}

fn media_rows(tx: &Tx<'_>, event: EventId) -> Result<Vec<MediaRow>> {
    let rows = tx.media_of(event)?.into_iter();
    rows.map(|media| {
        let job = tx.job_of_media(media.id)?;
        let state = match &job {
            _ if media.file.is_some() => MediaState::Fetched,
            Some((job, _)) if job.state == JobState::Dead => MediaState::Failed,
            Some((job, _)) if job.state == JobState::Done => MediaState::Deleted,
            _ => MediaState::Pending,
        };
        let (attempts, error) = job.map_or((0, None), |(job, error)| (job.attempts, error));
        Ok(MediaRow {
            media,
            state,
            attempts,
            error,
        })
    })
    .collect()
}

/// What a replay did with one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It will be delivered again.
    Again,
    /// It is still being delivered.
    Pending,
    /// No such event.
    Missing,
}

/// Delivers an event again, in its place in the conversation's order, and with it
/// what it came in a burst with. One that nobody was there for when it came goes to
/// the bot. Files of it that were given up are tried anew.
pub fn replay(tx: &Tx<'_>, now: i64, id: EventId) -> Result<Replayed> {
    let Some(event) = tx.event(id)? else {
        return Ok(Replayed::Missing);
    };
    let lane = resolve(tx, event.conversation)?;
    for file in tx.media_of(id)? {
        if let Some((job, _)) = tx.job_of_media(file.id)?
            && job.state == JobState::Dead
        {
            tx.reopen_job(&job, now)?;
        }
    }
    let jobs = tx.deliveries(id)?;
    if jobs.is_empty() {
        let bot = tx.queue(QueueKind::Deliver, BOT)?;
        tx.push_again(bot, lane, id, now)?;
        return Ok(Replayed::Again);
    }
    let ended = |job: &Job| matches!(job.state, JobState::Done | JobState::Dead);
    let mut replayed = Replayed::Pending;
    for (job, ..) in jobs.into_iter().filter(|(job, ..)| ended(job)) {
        reopen(tx, now, &job)?;
        replayed = Replayed::Again;
    }
    Ok(replayed)
}

/// Gives up the deliveries of an event that wait to be made, or made again: all,
/// or the one to a consumer. They are dead letters then, and their conversation
/// goes on. How many there were.
pub fn give_up(tx: &Tx<'_>, now: i64, id: EventId, consumer: Option<QueueId>) -> Result<usize> {
    let jobs = tx.deliveries(id)?.into_iter().map(|(job, ..)| job);
    let waits = |job: &Job| {
        job.state == JobState::Waiting && consumer.is_none_or(|queue| queue == job.queue)
    };
    let mut given_up = 0;
    for job in jobs.filter(waits) {
        // A burst is under way as its first job is.
        let mates = tx.mates(&job)?;
        if mates.iter().all(|mate| mate.state != JobState::Running) {
            tx.end_job(&job, JobState::Dead, Some("given up by the operator"), now)?;
            given_up += 1;
        }
    }
    Ok(given_up)
}

/// What came of dropping a consumer's deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// So many were; when it is none, there are no more.
    Some(usize),
    /// The settings name the consumer: it gets them.
    Served,
    /// No consumer was ever called so.
    Missing,
}

/// Gives up the deliveries of an observer that the settings do not name any more:
/// the first of up to `limit` conversations. They are dead letters then.
pub fn drop_deliveries(tx: &Tx<'_>, now: i64, consumer: &str, limit: usize) -> Result<Dropped> {
    let queues = tx.queues()?.into_iter();
    let mut named = queues.filter(|queue| queue.name == consumer);
    let Some(queue) = named.find(|queue| queue.kind == QueueKind::Deliver) else {
        return Ok(Dropped::Missing);
    };
    if queue.served {
        return Ok(Dropped::Served);
    }
    let first = tx.due_jobs(queue.id, Priority::Reply, i64::MAX, limit)?;
    for job in &first {
        let why = "dropped by the operator: OBSERVERS did not name it any more";
        tx.end_job(job, JobState::Dead, Some(why), now)?;
    }
    Ok(Dropped::Some(first.len()))
}
