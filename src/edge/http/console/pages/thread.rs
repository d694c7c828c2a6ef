//! One conversation: what was said, with what became of it, and what an operator
//! can say and do.

pub mod act;
pub mod draft;
pub mod file;
pub mod forget;

use super::people::Person;
use super::query::Query;
use crate::edge::clock;
use crate::edge::http::console::bubble::{self, Bubble, Side, ours, theirs};
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::gateway::thread::{Cursor, Entry, Page, said, thread};
use crate::gateway::{conversations, inbox, operator};
use crate::store::rows::ConversationId;
use crate::store::{Result, Tx};
use crate::wire::signature::hex;
use draft::Draft;
use serde::Serialize;

/// Entries on one page.
const SHOWN: usize = 40;

/// Ids of one person that are shown.
const IDS_MAX: usize = 16;

#[derive(Serialize)]
struct Facts {
    person: Person,
    /// Other ids of the person.
    ids: Vec<String>,
    /// Since when they want no marketing.
    stopped_at: Option<i64>,
    /// The oldest first.
    bubbles: Vec<Bubble>,
    /// The query of the page before this one in time.
    older: Option<String>,
    /// This is not the newest page.
    is_later: bool,
    /// A token to send with is set for the number.
    has_token: bool,
    /// Why nothing goes out from the number.
    halt: Option<String>,
    /// The newest message of theirs, to be marked as read.
    to_mark: Option<String>,
    /// A name for what is sent by this page's forms, so that a form that is sent
    /// twice makes one message.
    once: String,
    /// What was being written.
    draft: Draft,
    /// The largest file that can be sent from here, in MiB.
    file_mib_max: usize,
}

struct Gathered {
    row: conversations::Row,
    ids: Vec<String>,
    stopped_at: Option<i64>,
    bubbles: Vec<Bubble>,
    older: Option<Cursor>,
    halt: Option<String>,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    draw(visit, 200, Draft::default())
}

/// Draws it, with what was being written.
fn draw(visit: &Visit, status: u16, draft: Draft) -> Shown {
    let id = visit.id(0)?;
    let from: Option<Cursor> = visit.parameter("from").and_then(|from| from.parse().ok());
    let found = visit.read(|tx| {
        let home = operator::resolve(tx, id)?;
        if home != id {
            return Ok(Err(home));
        }
        gather(tx, visit.now, id, from.as_ref()).map(Ok)
    })?;
    let gathered = match found {
        // Two turned out to be one person.
        Err(home) => return visit.go(&format!("/conversations/{home}"), None),
        Ok(gathered) => gathered.ok_or(Trouble::NotFound)?,
    };
    let theirs = gathered.bubbles.iter().rev();
    let mut theirs = theirs.filter(|bubble| bubble.side == Side::Theirs);
    let facts = Facts {
        has_token: visit.live.config.tokens.of(&gathered.row.number).is_some(),
        person: Person::of(&gathered.row, visit.now),
        ids: gathered.ids,
        stopped_at: gathered.stopped_at,
        to_mark: theirs
            .find_map(|bubble| bubble.wamid.clone())
            .filter(|_| from.is_none()),
        bubbles: gathered.bubbles,
        older: gathered.older.map(|older| {
            let query = Query::default();
            query.with("from", &older.to_string()).text()
        }),
        is_later: from.is_some(),
        halt: gathered.halt,
        once: match draft.once.is_empty() {
            true => hex(&clock::random::<16>()),
            false => draft.once.clone(),
        },
        draft,
        file_mib_max: act::FILE_BYTES_MAX >> 20,
    };
    visit.page_with(status, "thread.html", facts)
}

fn gather(
    tx: &Tx<'_>,
    now: i64,
    id: ConversationId,
    from: Option<&Cursor>,
) -> Result<Option<Gathered>> {
    let Some(row) = conversations::row(tx, now, id)? else {
        return Ok(None);
    };
    let Page { mut entries, older } = thread(tx, id, from, SHOWN)?;
    entries.reverse();
    let mut bubbles = Vec::new();
    for entry in entries {
        bubbles.push(match entry {
            Entry::Event(event) => theirs::bubble(&inbox::row(tx, event)?),
            Entry::Message(message) => ours::bubble(&message),
        });
    }
    let mut bubbles = bubble::join(bubbles);
    for bubble in &mut bubbles {
        fill_quote(tx, bubble)?;
    }
    let halt = operator::halt_of_number(tx, &row.number)?;
    let ids = tx.user_ids(id, IDS_MAX)?;
    Ok(Some(Gathered {
        ids: ids.into_iter().filter(|own| *own != row.user).collect(),
        stopped_at: tx.contact(id)?.marketing_stopped_at,
        bubbles,
        older,
        halt: halt.map(|halt| halt.reason),
        row,
    }))
}

/// What is answered, changed or reacted to and stands on another page.
fn fill_quote(tx: &Tx<'_>, bubble: &mut Bubble) -> Result<()> {
    if let (None, Some(about)) = (&bubble.quote, &bubble.about) {
        let said = said(tx, about.wamid())?.map(|entry| match entry {
            Entry::Event(event) => theirs::sketched(&event),
            Entry::Message(message) => ours::bubble(&message),
        });
        let quote = said.map(|said| said.quoted_elsewhere());
        bubble.quote = Some(quote.unwrap_or_default());
    }
    Ok(())
}
