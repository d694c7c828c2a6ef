//! Conversations that are looked for: by what was typed, by who has them in hand, by the
//! business's number; a page at a time. Free functions: the console reads beside the
//! running service.

use super::conversations::{self, Row};
use super::operator::resolve;
use super::thread::joined;
use crate::policy::search::{self, Search};
use crate::store::rows::ConversationId;
use crate::store::{Result, Tx};
use std::cmp::Reverse;

/// Conversations that one search looks at. It takes some hundredths of a second; who has
/// more of them types more.
pub const LOOKED_AT_MAX: usize = 1_000;

/// Business numbers that one search looks at.
const NUMBERS_MAX: usize = 100;

/// What is looked for. Each part narrows it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What was typed; nothing asks for nothing.
    pub search: Search,
    /// Those in a person's hands.
    pub taken: bool,
    /// Those of a business number, by its `phone_number_id`.
    pub number: Option<String>,
}

impl Wanted {
    /// Whether all conversations are wanted, or those of a number: then there is nothing to
    /// look for, and [`conversations::list`] has them.
    pub fn is_all(&self) -> bool {
        self.search.is_empty() && !self.taken
    }
}

/// Some of those that were found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// That with the newest last word first; when nothing was typed, that which is given
    /// back first.
    pub rows: Vec<Row>,
    /// How many were found in all.
    pub all: usize,
    /// No more than [`LOOKED_AT_MAX`] were looked at, and there may be others.
    pub is_cut: bool,
}

/// Conversations that are looked for, `limit` at most, without the first `skip`.
pub fn find(tx: &Tx<'_>, now: i64, wanted: &Wanted, skip: usize, limit: usize) -> Result<Found> {
    let (candidates, is_cut) = match wanted.search.is_empty() {
        true => taken(tx, now, wanted)?,
        false => typed(tx, now, wanted)?,
    };
    let mut found = Found {
        all: candidates.len(),
        is_cut,
        rows: Vec::new(),
    };
    for id in candidates.into_iter().skip(skip).take(limit) {
        found.rows.extend(conversations::row(tx, now, id)?);
    }
    Ok(found)
}

type Candidates = (Vec<ConversationId>, bool);

fn taken(tx: &Tx<'_>, now: i64, wanted: &Wanted) -> Result<Candidates> {
    let mut ids = Vec::new();
    if !wanted.taken {
        return Ok((ids, false));
    }
    let taken = tx.taken(now, LOOKED_AT_MAX)?;
    let is_cut = taken.len() == LOOKED_AT_MAX;
    for (id, _) in taken {
        if is_of(tx, id, wanted)? {
            ids.push(id);
        }
    }
    Ok((ids, is_cut))
}

fn typed(tx: &Tx<'_>, now: i64, wanted: &Wanted) -> Result<Candidates> {
    let (ids, is_cut) = by_search(tx, wanted)?;
    let mut said = Vec::new();
    for id in ids {
        let is_in_hand = !wanted.taken || tx.hands(id)?.taken_at(now).is_some();
        if is_in_hand && is_of(tx, id, wanted)? {
            said.push((last_said(tx, id)?, id));
        }
    }
    said.sort_by_key(|last| Reverse(*last));
    Ok((said.into_iter().map(|(_, id)| id).collect(), is_cut))
}

/// Those whose ids or names begin with what was typed, each once.
fn by_search(tx: &Tx<'_>, wanted: &Wanted) -> Result<Candidates> {
    let search = &wanted.search;
    let mut ids: Vec<ConversationId> = Vec::new();
    let mut is_cut = false;
    if let Some(start) = &search.id {
        let numbers = match &wanted.number {
            Some(number) => vec![number.clone()],
            None => tx.numbers()?,
        };
        for number in numbers.iter().take(NUMBERS_MAX) {
            let found = tx.by_id(number, start, LOOKED_AT_MAX)?;
            is_cut |= found.len() == LOOKED_AT_MAX;
            ids.extend(found);
        }
    }
    // The longest is what fewest have.
    let longest = search.words.iter().max_by_key(|word| word.chars().count());
    if let Some(longest) = longest {
        let found = tx.by_word(longest, LOOKED_AT_MAX)?;
        is_cut |= found.len() == LOOKED_AT_MAX;
        for id in found {
            // By one word alone they were found already.
            if search.words.len() == 1 || fits(tx, id, search)? {
                ids.push(id);
            }
        }
    }
    for id in &mut ids {
        *id = resolve(tx, *id)?;
    }
    ids.sort_unstable();
    ids.dedup();
    is_cut |= ids.len() > LOOKED_AT_MAX;
    ids.truncate(LOOKED_AT_MAX);
    Ok((ids, is_cut))
}

/// Whether a person's name has all words that were typed.
fn fits(tx: &Tx<'_>, id: ConversationId, search: &Search) -> Result<bool> {
    let person = tx.person(id)?.unwrap_or_default();
    let words = search::words(&format!("{} {}", person.name, person.username));
    Ok(search.fits(&words))
}

fn is_of(tx: &Tx<'_>, id: ConversationId, wanted: &Wanted) -> Result<bool> {
    let Some(wanted) = &wanted.number else {
        return Ok(true);
    };
    let names = tx.conversation_names(id)?;
    Ok(names.is_some_and(|(number, ..)| number == *wanted))
}

/// When the last word of a conversation was said, with all that were joined to it.
fn last_said(tx: &Tx<'_>, id: ConversationId) -> Result<Option<i64>> {
    let mut last = None;
    for id in joined(tx, id)? {
        last = last.max(tx.last_said(id)?);
    }
    Ok(last)
}
