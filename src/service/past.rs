//! What a handler can look up about the conversation: whom it is with, and what
//! was said. Read when it is asked for, and no more than is asked for.

use super::answer::Result;
use crate::gateway::thread;
use crate::policy::ladder::SendState;
use crate::policy::window::Window;
use crate::store::Reader;
use crate::store::rows::EventId;
use crate::wire::compose::Message;
use crate::wire::event::Event;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// Entries told at once.
const ENTRIES_MAX: usize = 100;

/// Entries looked through for a name.
const NAME_WITHIN: usize = 20;

/// Whom a conversation is with.
#[derive(Clone)]
#[non_exhaustive]
pub struct Conversation {
    /// The business's number, as Graph names it (`phone_number_id`).
    pub number: String,
    /// The id by which the person is known best: the BSUID, else the `wa_id`; or
    /// that of the group.
    pub user: String,
    /// All ids by which this person is known, at most 16.
    pub ids: Vec<String>,
    /// The name the person gave in WhatsApp, as told last: any text at all.
    pub name: Option<String>,
    /// Whether anything but a template may be sent.
    pub window: Window,
    now: i64,
}

impl Conversation {
    /// How long anything but a template may still be sent, from the moment this
    /// attempt began. Zero: not any more. None: nobody can know, since the person
    /// was not heard of yet, or it is a group.
    pub fn window_left(&self) -> Option<Duration> {
        match self.window {
            Window::Unknown => None,
            Window::Closed { .. } => Some(Duration::ZERO),
            Window::Open { until, .. } => Some(Duration::from_millis(
                until.saturating_sub(self.now).max(0) as u64,
            )),
        }
    }
}

/// Something said in a conversation.
#[derive(Clone)]
pub enum Entry {
    /// A message or call of the customer's; or of the business on its phone, when
    /// [`is_own`](Event::is_own) says so.
    Received {
        /// When it was stored here, in Unix milliseconds.
        at_ms: i64,
        /// What it was.
        event: Box<Event>,
    },
    /// A message sent from here.
    Sent {
        /// When it was stored here, in Unix milliseconds.
        at_ms: i64,
        /// What it says.
        message: Message,
        /// How far it got.
        state: SendState,
        /// Graph's id for it, once it took it.
        wamid: Option<String>,
    },
}

impl Entry {
    /// What it says in words, if it does: text, caption, what was tapped, the text
    /// above buttons.
    pub fn text(&self) -> Option<String> {
        match self {
            Entry::Received { event, .. } => event.message()?.text().map(str::to_owned),
            Entry::Sent { message, .. } => {
                let object = message.to_value();
                let content = &object[object["type"].as_str()?];
                let texts = [
                    &content["body"],
                    &content["caption"],
                    &content["body"]["text"],
                ];
                let text = texts.into_iter().find_map(Value::as_str);
                text.map(str::to_owned)
            }
        }
    }
}

/// Where the past of an event is.
#[derive(Clone)]
pub(super) struct Past {
    pub reader: Reader,
    pub event: EventId,
    /// When the attempt began, in Unix milliseconds.
    pub now: i64,
}

impl Past {
    pub fn conversation(&self, event: &Event) -> Result<Option<Conversation>> {
        let known = self
            .reader
            .read(|tx| thread::known(tx, self.now, self.event))?;
        // Events of an account have a lane too, though no person.
        let Some(known) = known.filter(|known| !known.number.is_empty()) else {
            return Ok(None);
        };
        let name = match name_of(event) {
            Some(name) => Some(name),
            None => {
                let entries = self.entries(NAME_WITHIN)?;
                let mut names = entries.iter().rev().filter_map(|entry| match entry {
                    Entry::Received { event, .. } => name_of(event),
                    Entry::Sent { .. } => None,
                });
                names.next()
            }
        };
        Ok(Some(Conversation {
            number: known.number,
            user: known.user,
            ids: known.ids,
            name,
            window: known.window,
            now: self.now,
        }))
    }

    pub fn entries(&self, limit: usize) -> Result<Vec<Entry>> {
        let limit = limit.min(ENTRIES_MAX);
        let rows = self
            .reader
            .read(|tx| thread::before(tx, self.event, limit))?;
        Ok(rows.into_iter().map(entry).collect())
    }
}

fn name_of(event: &Event) -> Option<String> {
    event.sender_name().map(str::to_owned)
}

fn entry(row: thread::Entry) -> Entry {
    match row {
        thread::Entry::Event(row) => Entry::Received {
            at_ms: row.received_at,
            event: Box::new(Event::read(&row.body)),
        },
        thread::Entry::Message(row) => Entry::Sent {
            at_ms: row.created_at,
            // What an app answered that is no object was kept, and failed.
            message: Message::object(
                serde_json::from_str(&row.body).unwrap_or_else(|_| Map::new()),
            ),
            state: row.state,
            wamid: row.wamid,
        },
    }
}

/// Prints nothing that a person wrote, nor who they are.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("number", &self.number)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Prints what kind of thing was said, and not what.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Entry::Received { at_ms, event } => f
                .debug_struct("Received")
                .field("at_ms", at_ms)
                .field("event", event)
                .finish(),
            Entry::Sent {
                at_ms,
                message,
                state,
                ..
            } => f
                .debug_struct("Sent")
                .field("at_ms", at_ms)
                .field("message", message)
                .field("state", state)
                .finish_non_exhaustive(),
        }
    }
}
