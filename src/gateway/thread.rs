//! What was said in a conversation: the user's messages and calls, and ours, from
//! the newest back, a page at a time. Free functions: a handler, the operator's
//! page and the command line read beside the running service.
//!
//! Each event and each message knows the one before it (`store::tx::threads`). A
//! conversation that others were joined to has their chains too; so a page is
//! the merge of a few chains, and costs the rows it shows, whatever else is
//! stored.

use super::operator::resolve;
use crate::policy::window::Window;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{key_digest, message_key};
use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// Conversations joined into one that are looked through. One person has a few
/// ids at most.
const JOINED_MAX: usize = 16;

/// Ids of one person that are told.
const IDS_MAX: usize = 16;

/// Rows that are looked at for what came before an event: more may have come
/// since, if the handler is behind.
const LOOKED_AT_MAX: usize = 1_000;

/// The fields in which messages come: of customers, and of the business on its phone.
const SAID_IN: [&str; 2] = ["messages", "smb_message_echoes"];

/// Whom a conversation is with.
#[derive(Clone, Debug)]
pub struct Known {
    /// The business's number, by its `phone_number_id`.
    pub number: String,
    /// The id by which the user is known best.
    pub user: String,
    /// All of them, no more than 16.
    pub ids: Vec<String>,
    /// Whether anything but a template may be sent now.
    pub window: Window,
}

/// Something said.
#[derive(Clone, Debug)]
pub enum Entry {
    /// By the user; or by the business on its phone, in an echo.
    Event(Event),
    /// By us.
    Message(Message),
}

/// Some entries, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What was said.
    pub entries: Vec<Entry>,
    /// Where to go on, if there is more.
    pub older: Option<Cursor>,
}

/// Where a page begins: the next row of each chain. Travels as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    events: Vec<EventId>,
    messages: Vec<OutboxId>,
}

impl Entry {
    /// When we had it, in Unix milliseconds.
    pub fn at(&self) -> i64 {
        self.order().0
    }

    /// When we had it, in Unix milliseconds; then what is older comes first. Of
    /// one moment, an answer came after what it answers.
    fn order(&self) -> (i64, bool, i64) {
        match self {
            Entry::Event(event) => (event.received_at, false, event.id),
            Entry::Message(message) => (message.created_at, true, message.id),
        }
    }
}

/// Whom the conversation of an event is with, at `now`.
pub fn known(tx: &Tx<'_>, now: i64, event: EventId) -> Result<Option<Known>> {
    let Some(event) = tx.event(event)? else {
        return Ok(None);
    };
    let conversation = resolve(tx, event.conversation)?;
    let Some((number, user, _)) = tx.conversation_names(conversation)? else {
        return Ok(None);
    };
    Ok(Some(Known {
        number,
        user,
        ids: tx.user_ids(conversation, IDS_MAX)?,
        window: tx.seen_of(conversation)?.window(now),
    }))
}

/// What was said in a conversation before an event came, and what we have said
/// since, the oldest first: the newest `limit` of it.
pub fn before(tx: &Tx<'_>, event: EventId, limit: usize) -> Result<Vec<Entry>> {
    let Some(event) = tx.event(event)? else {
        return Ok(Vec::new());
    };
    let earlier = |entry: &Entry| match entry {
        Entry::Event(other) => other.id < event.id,
        Entry::Message(_) => true,
    };
    let chains = Chains::newest(tx, event.conversation)?.take(LOOKED_AT_MAX);
    let mut found = Vec::new();
    for entry in chains {
        let entry = entry?;
        if found.len() >= limit {
            break;
        }
        if earlier(&entry) {
            found.push(entry);
        }
    }
    found.reverse();
    Ok(found)
}

/// What was said in a conversation, from the newest back, or from where another
/// page ended.
pub fn thread(
    tx: &Tx<'_>,
    conversation: ConversationId,
    from: Option<&Cursor>,
    limit: usize,
) -> Result<Page> {
    let mut chains = match from {
        Some(cursor) => Chains::at(tx, cursor)?,
        None => Chains::newest(tx, conversation)?,
    };
    let entries: Result<Vec<Entry>> = chains.by_ref().take(limit).collect();
    Ok(Page {
        entries: entries?,
        older: chains.cursor(),
    })
}

/// What was said under an id of Meta's, in whatever conversation.
pub fn said(tx: &Tx<'_>, wamid: &str) -> Result<Option<Entry>> {
    if let Some(message) = tx.message_by_wamid(wamid)? {
        return Ok(Some(Entry::Message(message)));
    }
    for field in SAID_IN {
        let digest = key_digest(&message_key(field, wamid));
        if let Some(event) = tx.event_by_digest(&digest)? {
            return Ok(Some(Entry::Event(event)));
        }
    }
    Ok(None)
}

/// The conversation of this id and all that were joined with it, as far as they
/// are looked through: those of one person.
pub fn joined(tx: &Tx<'_>, conversation: ConversationId) -> Result<Vec<ConversationId>> {
    let (mut all, mut open) = (Vec::new(), vec![resolve(tx, conversation)?]);
    while let Some(id) = open.pop() {
        let Some(ends) = tx.thread_ends(id)? else {
            continue;
        };
        all.push(id);
        if all.len() == JOINED_MAX {
            break;
        }
        open.extend(ends.next_joined);
        open.extend(ends.joined);
    }
    Ok(all)
}

/// The chains of a conversation, each with its newest entry that was not taken
/// and the id of the one before it.
struct Chains<'t, 'c> {
    tx: &'t Tx<'c>,
    heads: Vec<(Entry, Option<i64>)>,
}

impl<'t, 'c> Chains<'t, 'c> {
    fn newest(tx: &'t Tx<'c>, conversation: ConversationId) -> Result<Chains<'t, 'c>> {
        let mut cursor = Cursor {
            events: Vec::new(),
            messages: Vec::new(),
        };
        for id in joined(tx, conversation)? {
            if let Some(ends) = tx.thread_ends(id)? {
                cursor.events.extend(ends.last_event);
                cursor.messages.extend(ends.last_message);
            }
        }
        Chains::at(tx, &cursor)
    }

    fn at(tx: &'t Tx<'c>, cursor: &Cursor) -> Result<Chains<'t, 'c>> {
        let mut heads = Vec::new();
        for id in &cursor.events {
            heads.extend(event(tx, *id)?);
        }
        for id in &cursor.messages {
            heads.extend(message(tx, *id)?);
        }
        Ok(Chains { tx, heads })
    }

    fn cursor(&self) -> Option<Cursor> {
        let mut cursor = Cursor {
            events: Vec::new(),
            messages: Vec::new(),
        };
        for (head, _) in &self.heads {
            match head {
                Entry::Event(event) => cursor.events.push(event.id),
                Entry::Message(message) => cursor.messages.push(message.id),
            }
        }
        (!self.heads.is_empty()).then_some(cursor)
    }

    fn step(&mut self) -> Result<Option<Entry>> {
        let newest = self.heads.iter().enumerate();
        let newest = newest.min_by_key(|(_, (head, _))| Reverse(head.order()));
        let Some((index, _)) = newest else {
            return Ok(None);
        };
        let (entry, previous) = self.heads.swap_remove(index);
        // What is not stored any more ends its chain.
        if let Some(previous) = previous {
            self.heads.extend(match entry {
                Entry::Event(_) => event(self.tx, previous)?,
                Entry::Message(_) => message(self.tx, previous)?,
            });
        }
        Ok(Some(entry))
    }
}

impl Iterator for Chains<'_, '_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        self.step().transpose()
    }
}

type Head = (Entry, Option<i64>);

fn event(tx: &Tx<'_>, id: EventId) -> Result<Option<Head>> {
    let found = tx.event_in_thread(id)?;
    Ok(found.map(|(event, previous)| (Entry::Event(event), previous)))
}

fn message(tx: &Tx<'_>, id: OutboxId) -> Result<Option<Head>> {
    let found = tx.message_in_thread(id)?;
    Ok(found.map(|(message, previous)| (Entry::Message(message), previous)))
}

/// `e12.e7.m40`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let events = self.events.iter().map(|id| ('e', id));
        let messages = self.messages.iter().map(|id| ('m', id));
        for (index, (kind, id)) in events.chain(messages).enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{kind}{id}")?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Cursor, ()> {
        let mut cursor = Cursor {
            events: Vec::new(),
            messages: Vec::new(),
        };
        for part in text.split('.') {
            let (kind, id) = part.split_at_checked(1).ok_or(())?;
            let ids = match kind {
                "e" => &mut cursor.events,
                "m" => &mut cursor.messages,
                _ => return Err(()),
            };
            ids.push(id.parse().map_err(|_| ())?);
            if ids.len() > JOINED_MAX {
                return Err(());
            }
        }
        Ok(cursor)
    }
}
