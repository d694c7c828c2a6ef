//! All conversations: that with the newest last word first, or those that are looked
//! for.

use super::people::Person;
use super::query::Query;
use crate::edge::http::console::visit::{Shown, Visit};
use crate::gateway::conversations::{self, Cursor};
use crate::gateway::found::{self, Found, LOOKED_AT_MAX, Wanted};
use crate::policy::search::Search;
use serde::Serialize;

/// Conversations on one page.
const SHOWN: usize = 50;

#[derive(Serialize)]
struct Facts {
    /// What was typed into the search.
    typed: String,
    /// The number whose conversations are asked for.
    number: String,
    /// Only those in a person's hands.
    taken: bool,
    numbers: Vec<String>,
    people: Vec<Person>,
    /// How many were found; `None` when nothing was looked for.
    found: Option<usize>,
    /// No more than so many were looked at, and there may be others.
    looked_at_max: Option<usize>,
    /// The query of the next page.
    older: Option<String>,
    /// This is not the first page.
    is_later: bool,
    /// The query of the first page.
    back: String,
}

/// Some conversations, and where to go on.
struct Page {
    rows: Vec<conversations::Row>,
    older: Option<String>,
    found: Option<usize>,
    is_cut: bool,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    let typed = visit.parameter("q").unwrap_or_default();
    let wanted = Wanted {
        search: Search::read(&typed),
        taken: visit.parameter("taken").is_some(),
        number: visit.parameter("number"),
    };
    let from = visit.parameter("from");
    let (page, numbers) = visit.read(|tx| {
        // What was typed may be nothing that can be looked for, such as a smiley.
        let is_nothing = wanted.search.is_empty() && !typed.trim().is_empty();
        let page = match wanted.is_all() && !is_nothing {
            true => {
                let from: Option<Cursor> = from.as_ref().and_then(|from| from.parse().ok());
                let number = wanted.number.as_deref();
                let page = conversations::list(tx, visit.now, number, from, SHOWN)?;
                Page {
                    older: page.older.map(|older| older.to_string()),
                    rows: page.rows,
                    found: None,
                    is_cut: false,
                }
            }
            false => {
                // So many stand on earlier pages.
                let skip = from.as_ref().and_then(|from| from.parse().ok());
                let skip: usize = skip.unwrap_or(0);
                let found = match is_nothing {
                    true => Found::default(),
                    false => found::find(tx, visit.now, &wanted, skip, SHOWN)?,
                };
                let next = skip.saturating_add(SHOWN);
                Page {
                    older: (next < found.all).then(|| next.to_string()),
                    rows: found.rows,
                    found: Some(found.all),
                    is_cut: found.is_cut,
                }
            }
        };
        Ok((page, tx.numbers()?))
    })?;
    let number = wanted.number.clone().unwrap_or_default();
    let back = Query::default()
        .with("q", &typed)
        .with("number", &number)
        .with("taken", if wanted.taken { "1" } else { "" });
    let facts = Facts {
        found: page.found,
        taken: wanted.taken,
        // Account events have none.
        numbers: numbers
            .into_iter()
            .filter(|number| !number.is_empty())
            .collect(),
        people: page
            .rows
            .iter()
            .map(|row| Person::of(row, visit.now))
            .collect(),
        looked_at_max: page.is_cut.then_some(LOOKED_AT_MAX),
        older: page
            .older
            .map(|older| back.clone().with("from", &older).text()),
        is_later: from.is_some(),
        back: back.text(),
        number,
        typed,
    };
    visit.page("conversations.html", facts)
}
