//! What people are called. Names stand in the events; they are learned from there
//! a while after, beside the service and not within its commits, since nobody but
//! an operator looks for anybody by name. What was learned is a copy: it is written
//! in steps, and where one was lost it is learned again.

use super::operator::resolve;
use crate::policy::search;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::event::{self, EventKind};
use std::collections::BTreeMap;

/// Events looked through in one step.
const LOOK: i64 = 500;

/// Letters kept of a name.
const LETTERS_MAX: usize = 200;

/// What a step of learning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Names that are news.
    names: BTreeMap<ConversationId, PersonName>,
    /// Up to which event was looked.
    pub upto: EventId,
    /// There are more.
    pub more: bool,
}

impl Learned {
    /// Whether there is something to be written.
    pub fn is_news(&self) -> bool {
        !self.names.is_empty()
    }
}

/// Reads names out of the events after one, and compares them with what is known.
/// Changes nothing.
pub fn look(tx: &Tx<'_>, after: EventId) -> Result<Learned> {
    let newest = tx.newest_event()?;
    let upto = newest.min(after.saturating_add(LOOK));
    let mut learned = Learned {
        names: BTreeMap::new(),
        // Below `after` when the newest events were deleted.
        upto: upto.max(after),
        more: newest > upto,
    };
    for event in tx.said_between(after, upto)? {
        let Some(name) = name_in(&event.body) else {
            continue;
        };
        let conversation = resolve(tx, event.conversation)?;
        learned.names.insert(conversation, name);
    }
    let mut known = Vec::new();
    for (conversation, name) in &learned.names {
        if tx.person(*conversation)?.as_ref() == Some(name) {
            known.push(*conversation);
        }
    }
    learned
        .names
        .retain(|conversation, _| !known.contains(conversation));
    Ok(learned)
}

/// Writes what a step of learning came to.
pub fn keep(tx: &Tx<'_>, learned: &Learned) -> Result<()> {
    for (conversation, name) in &learned.names {
        // Forgotten or joined meanwhile.
        let Some((_, _, None)) = tx.conversation_names(*conversation)? else {
            continue;
        };
        let words = search::words(&format!("{} {}", name.name, name.username));
        tx.set_person(*conversation, name, &words)?;
    }
    tx.set_names_learned(learned.upto)
}

/// What the person who wrote or called is called.
fn name_in(body: &str) -> Option<PersonName> {
    let event = event::Event::read(body);
    // The contact of a message in a group is its member.
    let in_group = matches!(&event.kind, EventKind::Message(message) if message.group_id.is_some());
    if in_group || event.is_own() {
        return None;
    }
    let contact = event.contact?;
    let short = |name: Option<String>| -> String {
        name.unwrap_or_default().chars().take(LETTERS_MAX).collect()
    };
    let name = PersonName {
        name: short(contact.name),
        username: short(contact.username),
    };
    (name != PersonName::default()).then_some(name)
}
