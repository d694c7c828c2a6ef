//! What an operator sees and steers: lists, replays, depths. Free functions:
//! the command line uses them beside a running service.

use super::BOT;
use super::halts::covers;
use super::handover::{self, Held};
use super::identity::known;
use super::window::window_of;
use crate::policy::ladder::SendState;
use crate::policy::priority::Priority;
use crate::policy::window::Window;
use crate::store::rows::*;
use crate::store::{Result, Tx};

/// Events looked through for one list, at most: a rare state must not cost a
/// walk over everything that was ever stored.
const SCANNED_MAX: usize = 200_000;

const PAGE: usize = 500;

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

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InboxState {
    /// Nothing is left to do.
    Done,
    /// Being delivered, or to be.
    Pending,
    /// Given up for at least one consumer.
    Dead,
}

impl InboxState {
    /// The word used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            InboxState::Done => "done",
            InboxState::Pending => "pending",
            InboxState::Dead => "dead",
        }
    }

    /// The state a word names.
    pub fn parse(word: &str) -> Option<InboxState> {
        [InboxState::Done, InboxState::Pending, InboxState::Dead]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// The newest events (in one state, if asked), oldest of them first.
pub fn inbox(tx: &Tx<'_>, state: Option<InboxState>, limit: usize) -> Result<Vec<InboxRow>> {
    let mut rows = Vec::new();
    let (mut before, mut scanned) = (i64::MAX, 0);
    while rows.len() < limit && scanned < SCANNED_MAX {
        let page = tx.events(before, PAGE.min(limit.max(1)))?;
        let Some(last) = page.last() else { break };
        before = last.id;
        scanned += page.len();
        for event in page {
            let row = inbox_row(tx, event)?;
            if state.is_none_or(|wanted| wanted == row.state) && rows.len() < limit {
                rows.push(row);
            }
        }
    }
    rows.reverse();
    Ok(rows)
}

/// One event.
pub fn inbox_event(tx: &Tx<'_>, id: EventId) -> Result<Option<InboxRow>> {
    match tx.event(id)? {
        Some(event) => inbox_row(tx, event).map(Some),
        None => Ok(None),
    }
}

fn inbox_row(tx: &Tx<'_>, event: Event) -> Result<InboxRow> {
    let deliveries: Vec<DeliveryRow> = tx
        .deliveries(event.id)?
        .into_iter()
        .map(|(job, consumer, error)| DeliveryRow {
            consumer,
            state: match job.state {
                JobState::Waiting | JobState::Running => InboxState::Pending,
                JobState::Done => InboxState::Done,
                JobState::Dead => InboxState::Dead,
            },
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

/// `number/user`, by the names the conversation has now.
pub fn conversation_name(tx: &Tx<'_>, id: ConversationId) -> Result<String> {
    let names = tx.conversation_names(resolve(tx, id)?)?;
    Ok(names.map_or_else(String::new, |(number, user, _)| format!("{number}/{user}")))
}

/// The conversation that a merged one lives on in.
pub(super) fn resolve(tx: &Tx<'_>, mut id: ConversationId) -> Result<ConversationId> {
    // Merges always go to an older conversation, so this ends.
    while let Some((_, _, Some(into))) = tx.conversation_names(id)? {
        id = into;
    }
    Ok(id)
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

/// Delivers an event again, in its place in the conversation's order. One that
/// nobody was there for when it came goes to the bot. Files of it that were
/// given up are tried anew.
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
        tx.push_job(bot, lane, Some(id), None, Priority::Reply, now)?;
        return Ok(Replayed::Again);
    }
    let ended = |job: &Job| matches!(job.state, JobState::Done | JobState::Dead);
    let mut replayed = Replayed::Pending;
    for (job, ..) in jobs.into_iter().filter(|(job, ..)| ended(job)) {
        tx.reopen_job(&Job { lane, ..job }, now)?;
        replayed = Replayed::Again;
    }
    Ok(replayed)
}

/// Events with dead letters, the oldest first.
pub fn dead_letters(tx: &Tx<'_>, limit: usize) -> Result<Vec<EventId>> {
    let jobs = tx.dead_deliveries(limit)?;
    Ok(jobs.into_iter().filter_map(|job| job.event).collect())
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

/// A message and how often it was tried.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// As stored.
    pub message: Message,
    /// Attempts at sending it.
    pub attempts: u32,
}

/// The newest messages (in one state, if asked), oldest of them first.
pub fn outbox(tx: &Tx<'_>, state: Option<SendState>, limit: usize) -> Result<Vec<OutboxRow>> {
    let mut rows = Vec::new();
    let (mut before, mut scanned) = (i64::MAX, 0);
    while rows.len() < limit && scanned < SCANNED_MAX {
        let page = tx.messages(before, PAGE.min(limit.max(1)))?;
        let Some(last) = page.last() else { break };
        before = last.id;
        scanned += page.len();
        for message in page {
            if state.is_none_or(|wanted| wanted == message.state) && rows.len() < limit {
                rows.push(outbox_row(tx, message)?);
            }
        }
    }
    rows.reverse();
    Ok(rows)
}

/// One message.
pub fn outbox_message(tx: &Tx<'_>, id: OutboxId) -> Result<Option<OutboxRow>> {
    match tx.message(id)? {
        Some(message) => outbox_row(tx, message).map(Some),
        None => Ok(None),
    }
}

fn outbox_row(tx: &Tx<'_>, message: Message) -> Result<OutboxRow> {
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
pub fn retry_message(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
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
pub fn hold_message(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
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
pub fn cancel_message(tx: &Tx<'_>, now: i64, id: OutboxId) -> Result<Steered> {
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

/// Whether anything but a template may be sent from `number` to a person, who is
/// named by any id they are known by, at `now`.
pub fn window(tx: &Tx<'_>, now: i64, number: &str, user: &str) -> Result<Window> {
    match known(tx, number, user)? {
        Some(conversation) => window_of(tx, now, conversation),
        None => Ok(Window::Unknown),
    }
}

/// The same for every number that knows the person.
pub fn windows(tx: &Tx<'_>, now: i64, user: &str) -> Result<Vec<(String, Window)>> {
    let mut windows = Vec::new();
    for number in tx.numbers()? {
        if let Some(conversation) = known(tx, &number, user)? {
            windows.push((number, window_of(tx, now, conversation)?));
        }
    }
    Ok(windows)
}

/// How one queue is doing.
#[derive(Clone, Debug)]
pub struct QueueStatus {
    /// The queue.
    pub queue: Queue,
    /// Jobs not ended.
    pub open: i64,
    /// Since when the oldest of them waits, in Unix milliseconds.
    pub oldest: Option<i64>,
    /// Dead letters.
    pub dead: i64,
}

impl Status {
    /// The halt that a queue stands still for; the longest one of several.
    pub fn halt_of(&self, queue: &Queue) -> Option<&Halt> {
        self.halts.iter().find(|halt| covers(halt, queue))
    }

    /// The numbers that stand still for a halt.
    pub fn halted<'s>(&'s self, halt: &'s Halt) -> impl Iterator<Item = &'s str> {
        let queues = self.queues.iter().map(|status| &status.queue);
        let covered = queues.filter(move |queue| covers(halt, queue));
        covered.map(|queue| queue.name.as_str())
    }
}

/// The halt that a number stands still for, as the last claim saw its token.
pub fn halt_of_number(tx: &Tx<'_>, number: &str) -> Result<Option<Halt>> {
    let halts = tx.halts()?;
    if halts.is_empty() {
        return Ok(None);
    }
    let queues = tx.queues()?;
    let own = queues
        .iter()
        .find(|queue| queue.kind == QueueKind::Send && queue.name == number);
    let halt = own.and_then(|own| halts.into_iter().find(|halt| covers(halt, own)));
    Ok(halt)
}

/// How the whole is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// Each consumer and each sending number.
    pub queues: Vec<QueueStatus>,
    /// What stands still until a person acts, the longest first.
    pub halts: Vec<Halt>,
    /// Conversations in a person's hands, those that end first (100 at most), and
    /// how many there are.
    pub taken: (Vec<Held>, i64),
    /// Messages by state.
    pub outbox: Vec<(String, i64)>,
    /// Events stored in the last minute and the last hour (of the newest
    /// 100,000).
    pub received: [i64; 2],
    /// Messages accepted in the last hour, by number (of the newest 100,000).
    pub accepted: Vec<(String, i64)>,
}

/// How the whole is doing at `now`.
pub fn status(tx: &Tx<'_>, now: i64) -> Result<Status> {
    let mut queues = Vec::new();
    for queue in tx.queues()? {
        let (open, oldest) = tx.depth(queue.id)?;
        queues.push(QueueStatus {
            open,
            oldest,
            dead: tx.dead(queue.id)?,
            queue,
        });
    }
    Ok(Status {
        queues,
        halts: tx.halts()?,
        taken: handover::held(tx, now)?,
        outbox: tx.outbox_counts()?,
        received: [
            tx.events_since(now - 60_000)?,
            tx.events_since(now - 3_600_000)?,
        ],
        accepted: tx.accepted_since(now - 3_600_000)?,
    })
}
