//! Conversations as lists and threads show them.

use crate::edge::http::console::bubble::{Fate, Gist, Side, ours, theirs};
use crate::gateway::conversations::{Row, Standing};
use crate::gateway::thread::Entry;
use crate::policy::window;
use crate::store::rows::InboxState;
use serde::Serialize;

/// A conversation.
#[derive(Serialize)]
pub struct Person {
    /// Its row.
    pub id: i64,
    /// The business's number, by its `phone_number_id`.
    pub number: String,
    /// The id by which the user is known best.
    pub user: String,
    /// The name they gave; empty when none is known.
    pub name: String,
    /// The user name; empty when none is known.
    pub username: String,
    /// How its last word begins.
    pub gist: Gist,
    /// Who said it.
    pub side: Option<Side>,
    /// When, in Unix milliseconds.
    pub at: Option<i64>,
    /// What became of it.
    pub fate: Option<Fate>,
    /// Whether anything but a template may be sent.
    pub window: Window,
    /// The hand-over in force.
    pub taken: Option<Taken>,
}

/// The customer service window.
#[derive(Serialize)]
pub struct Window {
    /// A key of `words.window`.
    pub key: &'static str,
    /// What is left of it, in milliseconds.
    pub left_ms: Option<i64>,
    /// When it ends or ended.
    pub end: Option<i64>,
}

/// A hand-over.
#[derive(Serialize)]
pub struct Taken {
    /// A key of `words.hands`.
    pub by: &'static str,
    /// Since when.
    pub since: i64,
    /// Until when.
    pub until: i64,
    /// For how long still, in milliseconds.
    pub left_ms: i64,
}

impl Person {
    /// As a list shows it at `now`.
    pub fn of(row: &Row, now: i64) -> Person {
        let bubble = match &row.last {
            Some(Entry::Event(event)) => Some(theirs::sketched(event)),
            Some(Entry::Message(message)) => Some(ours::bubble(message)),
            None => None,
        };
        let fate = match (row.standing, &bubble) {
            (Standing::Theirs(InboxState::Pending), _) => Some(Fate {
                key: "pending",
                ..Fate::default()
            }),
            (Standing::Theirs(InboxState::Dead), _) => Some(Fate {
                key: "dead",
                is_bad: true,
                ..Fate::default()
            }),
            (Standing::Ours(_), Some(bubble)) => bubble.fate.clone(),
            _ => None,
        };
        let name = row.name.clone().unwrap_or_default();
        Person {
            id: row.id,
            number: row.number.clone(),
            user: row.user.clone(),
            name: name.name,
            username: name.username,
            gist: bubble
                .as_ref()
                .map(|bubble| bubble.gist())
                .unwrap_or_default(),
            side: bubble.as_ref().map(|bubble| bubble.side),
            at: row.last.as_ref().map(Entry::at),
            fate,
            window: Window::of(row.window, now),
            taken: row.taken.map(|taken| Taken {
                by: taken.by.as_str(),
                since: taken.since,
                until: taken.until,
                left_ms: taken.until.saturating_sub(now).max(0),
            }),
        }
    }
}

impl Window {
    /// At `now`.
    pub fn of(window: window::Window, now: i64) -> Window {
        match window {
            window::Window::Unknown => Window {
                key: "unknown",
                left_ms: None,
                end: None,
            },
            window::Window::Open { until, .. } => Window {
                key: "open",
                left_ms: Some(until.saturating_sub(now).max(0)),
                end: Some(until),
            },
            window::Window::Closed { since, .. } => Window {
                key: "closed",
                left_ms: None,
                end: Some(since),
            },
        }
    }
}
