//! What an operator sees of the whole: depths, halts, windows, and what
//! conversations are called. Free functions: the command line uses them beside a
//! running service. Lists and steering: [`inbox`](super::inbox),
//! [`outbox`](super::outbox).

use super::alarms;
use super::halts::covers;
use super::handover::{self, Held};
use super::identity::known;
use super::window::window_of;
use crate::policy::alarm::Alarm;
use crate::policy::window::Window;
use crate::store::rows::*;
use crate::store::{Result, Tx};

/// `number/user`, by the names the conversation has now.
pub fn conversation_name(tx: &Tx<'_>, id: ConversationId) -> Result<String> {
    let names = tx.conversation_names(resolve(tx, id)?)?;
    Ok(names.map_or_else(String::new, |(number, user, _)| format!("{number}/{user}")))
}

/// The conversation that a merged one lives on in.
pub fn resolve(tx: &Tx<'_>, mut id: ConversationId) -> Result<ConversationId> {
    // Merges always go to an older conversation, so this ends.
    while let Some((_, _, Some(into))) = tx.conversation_names(id)? {
        id = into;
    }
    Ok(id)
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
    /// Lanes that wait for their next job.
    pub lanes: i64,
    /// Jobs under way.
    pub running: usize,
    /// Since when the oldest waiting job waits, in Unix milliseconds.
    pub oldest: Option<i64>,
    /// Dead letters.
    pub dead: i64,
}

/// The halt that a queue stands still for; the longest one of several.
pub fn halt_of<'h>(halts: &'h [Halt], queue: &Queue) -> Option<&'h Halt> {
    halts.iter().find(|halt| covers(halt, queue))
}

impl Status {
    /// The halt that a queue stands still for; the longest one of several.
    pub fn halt_of(&self, queue: &Queue) -> Option<&Halt> {
        halt_of(&self.halts, queue)
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
    /// What needs a person, as the service last saw it, the longest first.
    pub alarms: Vec<Alarm>,
    /// What stands still until a person acts, the longest first.
    pub halts: Vec<Halt>,
    /// Conversations in a person's hands, those that end first (100 at most), and
    /// how many there are.
    pub taken: (Vec<Held>, i64),
    /// Messages by state.
    pub outbox: Vec<(String, i64)>,
}

/// What came and went lately.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Events stored in the last minute and the last hour (of the newest
    /// 100,000).
    pub received: [i64; 2],
    /// Messages accepted in the last hour, by number (of the newest 100,000).
    pub accepted: Vec<(String, i64)>,
}

/// How each queue is doing.
pub fn queues(tx: &Tx<'_>) -> Result<Vec<QueueStatus>> {
    let mut queues = Vec::new();
    for queue in tx.queues()? {
        let depth = tx.depth(queue.id)?;
        queues.push(QueueStatus {
            open: depth.open,
            lanes: depth.lanes,
            running: tx.running(queue.id)?,
            oldest: depth.oldest,
            dead: tx.dead(queue.id)?,
            queue,
        });
    }
    Ok(queues)
}

/// How the whole is doing at `now`.
pub fn status(tx: &Tx<'_>, now: i64) -> Result<Status> {
    Ok(Status {
        queues: queues(tx)?,
        alarms: alarms::standing(tx)?,
        halts: tx.halts()?,
        taken: handover::held(tx, now)?,
        outbox: tx.outbox_counts()?,
    })
}

/// What came and went before `now`.
pub fn rates(tx: &Tx<'_>, now: i64) -> Result<Rates> {
    Ok(Rates {
        received: [
            tx.events_since(now - 60_000)?,
            tx.events_since(now - 3_600_000)?,
        ],
        accepted: tx.accepted_since(now - 3_600_000)?,
    })
}
