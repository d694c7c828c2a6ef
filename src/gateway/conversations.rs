//! All conversations: in the order of their last word, a page at a time. Those that
//! are looked for: [`found`](super::found). Free functions: the console reads beside
//! the running service.
//!
//! There is no index by last activity, which would cost each message that comes a
//! page of its own somewhere in the file. A conversation knows the newest of its
//! events and messages, so the list is a walk back over both logs that stops where
//! a row is the last word of its conversation.

use super::operator::resolve;
use super::thread::{self, Entry};
use super::window::window_of;
use crate::policy::handover::Taken;
use crate::policy::ladder::SendState;
use crate::policy::window::Window;
use crate::store::rows::*;
use crate::store::tx::LastWord;
use crate::store::{Result, Tx};
use crate::wire::outgoing::ReplyTo;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// Rows of each log walked over for one page. It takes some hundredths of a
/// second; who wants more goes on from there.
const LOOK: i64 = 20_000;

/// Last words read at once.
const AT_ONCE: usize = 50;

/// Entries looked through for somebody's newest message.
const LOOKED_AT: usize = 50;

/// One conversation in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The conversation.
    pub id: ConversationId,
    /// The business's number, by its `phone_number_id`.
    pub number: String,
    /// The id by which the user is known best.
    pub user: String,
    /// What the person is called, if it is known.
    pub name: Option<PersonName>,
    /// What was said last; `None` when it is not stored any more.
    pub last: Option<Entry>,
    /// What became of that.
    pub standing: Standing,
    /// Whether anything but a template may be sent now.
    pub window: Window,
    /// The hand-over in force.
    pub taken: Option<Taken>,
}

/// What became of the last word. A lane is in order: when its last is done with,
/// all is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Theirs, and its deliveries stand so.
    Theirs(InboxState),
    /// Ours, and it stands so.
    Ours(SendState),
    /// There is nothing.
    Silent,
}

/// Some conversations.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// That with the newest last word first.
    pub rows: Vec<Row>,
    /// Where to go on, if there may be more.
    pub older: Option<Cursor>,
}

/// Where a page begins: before this event and this message. Travels as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    event: EventId,
    message: OutboxId,
}

/// Conversations by their last word, the newest first, `limit` at most; of one
/// business number, if asked.
pub fn list(
    tx: &Tx<'_>,
    now: i64,
    number: Option<&str>,
    from: Option<Cursor>,
    limit: usize,
) -> Result<Page> {
    list_within(tx, now, number, from, (limit, LOOK))
}

pub(super) fn list_within(
    tx: &Tx<'_>,
    now: i64,
    number: Option<&str>,
    from: Option<Cursor>,
    (limit, look): (usize, i64),
) -> Result<Page> {
    let mut walk = Walk::new(tx, from, look)?;
    let mut page = Page::default();
    while page.rows.len() < limit
        && let Some(word) = walk.next()?
    {
        let id = resolve(tx, word.conversation)?;
        let last = thread::thread(tx, id, None, 1)?.entries.pop();
        // Of conversations that were joined only one has the last word of all.
        if !last.as_ref().is_some_and(|last| word.is(last)) {
            continue;
        }
        let Some(row) = row_with(tx, now, id, last)? else {
            continue;
        };
        if number.is_none_or(|number| row.number == number) {
            page.rows.push(row);
        }
    }
    page.older = walk.cursor();
    Ok(page)
}

/// One conversation; `None` when there is no such one, or it lives on in another.
pub fn row(tx: &Tx<'_>, now: i64, id: ConversationId) -> Result<Option<Row>> {
    let last = thread::thread(tx, id, None, 1)?.entries.pop();
    row_with(tx, now, id, last)
}

fn row_with(tx: &Tx<'_>, now: i64, id: ConversationId, last: Option<Entry>) -> Result<Option<Row>> {
    let Some((number, user, None)) = tx.conversation_names(id)? else {
        return Ok(None);
    };
    let standing = match &last {
        None => Standing::Silent,
        Some(Entry::Message(message)) => Standing::Ours(message.state),
        Some(Entry::Event(event)) => {
            let jobs = tx.deliveries(event.id)?;
            let states = jobs.iter().map(|(job, ..)| job.state.of_event());
            Standing::Theirs(states.max().unwrap_or(InboxState::Done))
        }
    };
    Ok(Some(Row {
        id,
        number,
        user,
        name: tx.person(id)?,
        last,
        standing,
        window: window_of(tx, now, id)?,
        taken: tx.hands(id)?.taken_at(now),
    }))
}

/// Where an answer to a conversation's person goes: as their newest message tells,
/// of the last 50 that were said, or else by the id they are known by best.
pub fn reply_to(tx: &Tx<'_>, id: ConversationId) -> Result<Option<ReplyTo>> {
    let Some((number, user, None)) = tx.conversation_names(id)? else {
        return Ok(None);
    };
    let said = thread::thread(tx, id, None, LOOKED_AT)?.entries;
    let theirs = said.iter().find_map(|entry| match entry {
        Entry::Event(event) if event.field == "messages" => ReplyTo::of(&event.body),
        _ => None,
    });
    Ok(Some(
        theirs.unwrap_or_else(|| ReplyTo::person(&number, &user)),
    ))
}

/// A last word, by the log it is in.
#[derive(Clone, Copy)]
enum Word {
    Event(LastWord),
    Message(LastWord),
}

impl Word {
    fn is(&self, entry: &Entry) -> bool {
        match (self, entry) {
            (Word::Event(word), Entry::Event(event)) => word.id == event.id,
            (Word::Message(word), Entry::Message(message)) => word.id == message.id,
            _ => false,
        }
    }
}

impl std::ops::Deref for Word {
    type Target = LastWord;

    fn deref(&self) -> &LastWord {
        match self {
            Word::Event(word) | Word::Message(word) => word,
        }
    }
}

/// The walk back over both logs, by time.
struct Walk<'t, 'c> {
    events: Side<'t, 'c>,
    messages: Side<'t, 'c>,
}

impl<'t, 'c> Walk<'t, 'c> {
    fn new(tx: &'t Tx<'c>, from: Option<Cursor>, far: i64) -> Result<Walk<'t, 'c>> {
        let from = match from {
            Some(from) => from,
            None => Cursor {
                event: tx.newest_event()? + 1,
                message: tx.newest_message()? + 1,
            },
        };
        Ok(Walk {
            events: Side::new(tx, Tx::last_events, from.event, far),
            messages: Side::new(tx, Tx::last_messages, from.message, far),
        })
    }

    /// The next, unless one of the sides has looked far enough: what comes next on
    /// it is not known then.
    fn next(&mut self) -> Result<Option<Word>> {
        let (event, message) = (self.events.peek()?, self.messages.peek()?);
        if self.events.is_tired() || self.messages.is_tired() {
            return Ok(None);
        }
        Ok(match (event, message) {
            // Of one moment, an answer came after what it answers.
            (Some(event), Some(message)) if event.at > message.at => {
                self.events.take().map(Word::Event)
            }
            (_, Some(_)) => self.messages.take().map(Word::Message),
            (Some(_), None) => self.events.take().map(Word::Event),
            (None, None) => None,
        })
    }

    fn cursor(&self) -> Option<Cursor> {
        let ended = self.events.has_ended() && self.messages.has_ended();
        (!ended).then_some(Cursor {
            event: self.events.before,
            message: self.messages.before,
        })
    }
}

type Look<'c> = fn(&Tx<'c>, i64, i64, usize) -> Result<Vec<LastWord>>;

/// One log: what was read ahead, and how far down it may go.
struct Side<'t, 'c> {
    tx: &'t Tx<'c>,
    look: Look<'c>,
    ahead: VecDeque<LastWord>,
    /// All from here on was taken or passed over.
    before: i64,
    /// All from here on was read.
    read: i64,
    floor: i64,
}

impl<'t, 'c> Side<'t, 'c> {
    fn new(tx: &'t Tx<'c>, look: Look<'c>, before: i64, far: i64) -> Side<'t, 'c> {
        Side {
            tx,
            look,
            ahead: VecDeque::new(),
            before,
            read: before,
            floor: (before - far).max(0),
        }
    }

    fn peek(&mut self) -> Result<Option<LastWord>> {
        if self.ahead.is_empty() && self.read > self.floor {
            let found = (self.look)(self.tx, self.read, self.floor, AT_ONCE)?;
            self.read = match found.last() {
                Some(last) if found.len() == AT_ONCE => last.id,
                _ => self.floor,
            };
            self.ahead = found.into();
        }
        if self.ahead.is_empty() {
            self.before = self.read;
        }
        Ok(self.ahead.front().copied())
    }

    fn take(&mut self) -> Option<LastWord> {
        let word = self.ahead.pop_front()?;
        self.before = word.id;
        Some(word)
    }

    fn is_tired(&self) -> bool {
        self.ahead.is_empty() && self.floor > 0
    }

    fn has_ended(&self) -> bool {
        self.ahead.is_empty() && self.read == 0
    }
}

/// `e12.m40`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "e{}.m{}", self.event, self.message)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Cursor, ()> {
        let ids = text
            .strip_prefix('e')
            .and_then(|text| text.split_once(".m"));
        let (event, message) = ids.ok_or(())?;
        let id = |text: &str| text.parse().ok().filter(|id| *id >= 0).ok_or(());
        Ok(Cursor {
            event: id(event)?,
            message: id(message)?,
        })
    }
}
