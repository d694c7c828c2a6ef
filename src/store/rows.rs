//! What is stored, as values.

use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::policy::throttle::Throttle;
use crate::policy::verdict::HaltScope;
use crate::wire::media::Digest;
use crate::wire::notification::Kind;

/// A row of `conversation`: also the number of its lane.
pub type ConversationId = i64;
/// A row of `event`.
pub type EventId = i64;
/// A row of `outbox`.
pub type OutboxId = i64;
/// A row of `media`; Meta's own id of a file is a text.
pub type MediaId = i64;
/// A row of `job`.
pub type JobId = i64;
/// A row of `queue`.
pub type QueueId = i64;

/// What the jobs of a queue do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Hand events to a consumer; the queue's name is the consumer's.
    Deliver = 0,
    /// Send messages through Graph; the queue's name is the `phone_number_id`.
    Send = 1,
    /// Fetch files; the queue's name is the `phone_number_id` they came to.
    Fetch = 2,
}

impl QueueKind {
    /// The word used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            QueueKind::Deliver => "deliver",
            QueueKind::Send => "send",
            QueueKind::Fetch => "fetch",
        }
    }
}

/// How much of a queue is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Jobs not ended.
    pub open: i64,
    /// Lanes whose next job waits.
    pub lanes: i64,
    /// Since when the oldest waiting job waits, in Unix milliseconds.
    pub oldest: Option<i64>,
}

/// One consumer, or one sending number.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its row.
    pub id: QueueId,
    /// What its jobs do.
    pub kind: QueueKind,
    /// The consumer's name or the `phone_number_id`.
    pub name: String,
    /// Whether the settings name it, as the last start or reload read them.
    pub served: bool,
    /// When its last halt ended, in Unix milliseconds; 0: never halted.
    pub mended_at: i64,
    /// Whether the other side as a whole is down.
    pub breaker: Breaker,
    /// How many replies went in a row while bulk waited.
    pub replies: u32,
    /// What Graph's refusals for pace left behind.
    pub throttle: Throttle,
    /// The WhatsApp Business account of the number, once a notification told.
    pub waba: Option<String>,
    /// When the number's next send may begin (policy::pacing).
    pub next_us: i64,
    /// Digest of the token the number sent with last; `None` without one.
    pub token_digest: Option<String>,
}

/// Why the sends of a scope wait for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Halt {
    /// What stands still.
    pub scope: HaltScope,
    /// Which one: the token's digest, the `phone_number_id`, the account; empty
    /// for the app.
    pub subject: String,
    /// `phone_number_id` that met it last.
    pub number: String,
    /// Digest of the token it was met with: a new token ends the halt.
    pub token_digest: String,
    /// Meta's error code.
    pub code: Option<i64>,
    /// What happened, a colon, and how to mend it. Fit for logs.
    pub reason: String,
    /// Graph's own explanation, for the operator's eyes.
    pub details: Option<String>,
    /// Since when, in Unix milliseconds.
    pub since: i64,
    /// How often it was met, probes that began it or failed.
    pub failures: u32,
    /// When the next probe may go, in Unix milliseconds.
    pub probe_at: i64,
    /// The job that probes, or did last.
    pub probe: Option<JobId>,
    /// Who told of it, and so who can tell that it is over.
    pub told: Told,
}

/// How a trouble shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Graph refuses the call; one that it takes shows that it is over.
    ByAnswer,
    /// Graph takes the message and a status says later that it failed: only a
    /// message that went out shows that it is over.
    ByStatus,
}

impl Halt {
    /// What happened, and how to mend it.
    pub fn reason_and_mend(&self) -> (&str, &str) {
        self.reason.split_once(": ").unwrap_or((&self.reason, ""))
    }
}

impl std::fmt::Debug for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "Halt({} {}: {})",
            self.scope.as_str(),
            self.subject,
            self.reason
        )
    }
}

/// Where a job stands. States below `Done` are open: they hold up their lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// To be done, or to be done again.
    Waiting = 0,
    /// An attempt is under way.
    Running = 1,
    /// Done.
    Done = 2,
    /// Given up: a dead letter.
    Dead = 3,
}

impl JobState {
    /// What it means for the event it delivers.
    pub fn of_event(self) -> InboxState {
        match self {
            JobState::Waiting | JobState::Running => InboxState::Pending,
            JobState::Done => InboxState::Done,
            JobState::Dead => InboxState::Dead,
        }
    }

    pub(super) fn from_sql(number: i64) -> JobState {
        match number {
            0 => JobState::Waiting,
            1 => JobState::Running,
            2 => JobState::Done,
            _ => JobState::Dead,
        }
    }
}

/// One piece of work.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its row.
    pub id: JobId,
    /// The queue it is in.
    pub queue: QueueId,
    /// The conversation it must keep order with.
    pub lane: ConversationId,
    /// The event to deliver.
    pub event: Option<EventId>,
    /// The message to send.
    pub outbox: Option<OutboxId>,
    /// The file to fetch.
    pub media: Option<MediaId>,
    /// Where it stands.
    pub state: JobState,
    /// How often it was started.
    pub attempts: u32,
    /// The first job of the burst that it is handed over with, as it was when the
    /// burst was made; its own id when it goes alone whatever comes.
    pub burst: Option<JobId>,
    /// When an operator had it done again last, in Unix milliseconds.
    pub reopened_at: Option<i64>,
}

impl Job {
    /// Since when it counts how old its work is, which came at that time: what an operator
    /// wants done again is as if it had just come.
    pub fn open_since(&self, at: i64, now: i64) -> i64 {
        // One to come: the clock was set back.
        let again = self.reopened_at.filter(|again| *again <= now);
        again.map_or(at, |again| again.max(at))
    }
}

/// An attempt at a job that did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The how-manyth it was, counted anew after a replay.
    pub attempt: u32,
    /// When it ended, in Unix milliseconds.
    pub ended_at: i64,
    /// What it got.
    pub said: String,
}

/// What a person is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonName {
    /// The name they gave in WhatsApp: any text at all. May be empty.
    pub name: String,
    /// The user name. May be empty.
    pub username: String,
}

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its row, in order of arrival.
    pub id: EventId,
    /// What it is.
    pub kind: Kind,
    /// The webhook field it came under.
    pub field: String,
    /// Message type, status, call event or the change's event.
    pub type_: String,
    /// What duplicates are found by.
    pub key: String,
    /// Its conversation.
    pub conversation: ConversationId,
    /// When it was stored, in Unix milliseconds.
    pub received_at: i64,
    /// The envelope narrowed to it.
    pub body: String,
}

/// Where an event stands: all its deliveries together, the worst off first to
/// be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InboxState {
    /// Nothing is left to do.
    Done = 0,
    /// Being delivered, or to be.
    Pending = 1,
    /// Given up for at least one consumer.
    Dead = 2,
}

impl InboxState {
    /// All of them.
    pub const ALL: [InboxState; 3] = [InboxState::Done, InboxState::Pending, InboxState::Dead];

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
        InboxState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// What is remembered of a conversation between its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The first message the person wrote; 0 when it is only known that there
    /// was one.
    pub first_message: Option<EventId>,
    /// Since when the person wants no marketing, in Unix milliseconds.
    pub marketing_stopped_at: Option<i64>,
}

/// Where what was said in a conversation is found.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadEnds {
    /// The newest event of its thread.
    pub last_event: Option<EventId>,
    /// The newest message of its thread.
    pub last_message: Option<OutboxId>,
    /// The conversation that was joined to it last.
    pub joined: Option<ConversationId>,
    /// The one that was joined before this one to the same.
    pub next_joined: Option<ConversationId>,
}

/// A table that is written at its end, in the order of time, and whose rows go by their
/// age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// What came in.
    Events,
    /// What goes out.
    Messages,
}

/// An event or a message, as far as its age goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its row.
    pub id: i64,
    /// When it was stored, in Unix milliseconds.
    pub stored_at: i64,
    /// When it changed last, in Unix milliseconds.
    pub changed_at: i64,
    /// The one before it in its conversation, if that is still stored.
    pub previous: Option<i64>,
    /// Something about it is still to be done.
    pub is_open: bool,
}

/// A message to be put in the outbox.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// `phone_number_id` it goes out from.
    pub number: String,
    /// The pair's lane.
    pub conversation: ConversationId,
    /// `to`, or the BSUID in `recipient`.
    pub recipient: String,
    /// The message type, or `read` or `typing`.
    pub type_: String,
    /// The Cloud API message object.
    pub body: String,
    /// The event it answers.
    pub cause: Option<EventId>,
}

/// A message in the outbox.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its row, which travels as `biz_opaque_callback_data`.
    pub id: OutboxId,
    /// `phone_number_id` it goes out from.
    pub number: String,
    /// The pair's lane.
    pub conversation: ConversationId,
    /// `to`, or the BSUID in `recipient`.
    pub recipient: String,
    /// The message type, or `read` or `typing`.
    pub type_: String,
    /// The Cloud API message object.
    pub body: String,
    /// Where it stands.
    pub state: SendState,
    /// Graph's id for it.
    pub wamid: Option<String>,
    /// The code of what went wrong last.
    pub error_code: Option<i64>,
    /// What went wrong last, in words.
    pub error: Option<String>,
    /// How often it may be tried in all, when Graph's answer set a limit.
    pub tries_max: Option<u32>,
    /// An attempt at it ended without a known outcome.
    pub uncertain: bool,
    /// Attempts that began after such a one: it may have arrived so often more.
    pub resent: u32,
    /// When it was queued, in Unix milliseconds.
    pub created_at: i64,
    /// When its state changed last, in Unix milliseconds.
    pub changed_at: i64,
    /// The event it answers.
    pub cause: Option<EventId>,
    /// The template that went out in its place, as the last attempt sent it.
    pub substitute: Option<String>,
}

/// What went wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Meta's error code, when there is one.
    pub code: Option<i64>,
    /// In words.
    pub text: String,
}

/// A file that an event names.
#[derive(Clone, Debug)]
pub struct Media {
    /// Its row.
    pub id: MediaId,
    /// The event that names it.
    pub event: EventId,
    /// Meta's id for it.
    pub media_id: String,
    /// `phone_number_id` it came to.
    pub number: String,
    /// What it is in the message: `image`, `document`, …
    pub kind: String,
    /// Its type: from the event, then as Graph told it.
    pub mime_type: Option<String>,
    /// The sender's name for it: any text at all.
    pub filename: Option<String>,
    /// What Meta announced, then what the file has.
    pub sha256: Option<Digest>,
    /// Its length, once it was fetched.
    pub bytes: Option<u64>,
    /// Its name in MEDIA_DIR, once it was fetched.
    pub file: Option<String>,
    /// When the event was stored, in Unix milliseconds.
    pub created_at: i64,
}

/// Something an operator did, as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct NewDeed<'d> {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The name of the session it was done in.
    pub session: &'d str,
    /// Where the operator's browser was.
    pub address: &'d str,
    /// What was done, in one word.
    pub action: &'d str,
    /// To what.
    pub subject: &'d str,
}

/// The same as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Its row.
    pub id: i64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The name of the session it was done in.
    pub session: String,
    /// Where the operator's browser was.
    pub address: String,
    /// What was done, in one word.
    pub action: String,
    /// To what.
    pub subject: String,
}

/// What an event is, by the number it is stored with.
pub(super) fn kind(number: i64) -> Kind {
    match number {
        0 => Kind::Message,
        1 => Kind::Status,
        2 => Kind::Call,
        _ => Kind::Other,
    }
}
