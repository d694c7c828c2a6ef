//! All conversations: that with the newest last word first, those in a person's
//! hands, or those that are found.

use super::people::Person;
use super::query::Query;
use crate::edge::http::console::visit::{Shown, Visit};
use crate::gateway::conversations::{self, Cursor};
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
    /// More may have been found than are shown.
    is_cut: bool,
    /// The query of the next page.
    older: Option<String>,
    /// This is not the first page.
    is_later: bool,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    let typed = visit.parameter("q").unwrap_or_default();
    let number = visit.parameter("number");
    let taken = visit.parameter("taken").is_some();
    let from = visit.parameter("from").and_then(|from| from.parse().ok());
    let search = Search::read(&typed);
    let now = visit.now;
    let (rows, older, numbers) = visit.read(|tx| {
        let numbers = tx.numbers()?;
        let (rows, older) = if !search.is_empty() {
            (conversations::find(tx, now, &search, SHOWN)?, None)
        } else if taken {
            (conversations::taken(tx, now, SHOWN)?, None)
        } else {
            let page = conversations::list(tx, now, number.as_deref(), from, SHOWN)?;
            (page.rows, page.older)
        };
        Ok((rows, older, numbers))
    })?;
    let number = number.unwrap_or_default();
    let older = older.map(|older: Cursor| {
        let query = Query::default().with("number", &number);
        query.with("from", &older.to_string()).text()
    });
    let facts = Facts {
        typed,
        taken,
        // Account events have none.
        numbers: numbers
            .into_iter()
            .filter(|number| !number.is_empty())
            .collect(),
        is_cut: rows.len() == SHOWN && (taken || !search.is_empty()),
        people: rows.iter().map(|row| Person::of(row, now)).collect(),
        older,
        is_later: from.is_some(),
        number,
    };
    visit.page("conversations.html", facts)
}
