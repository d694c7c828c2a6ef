//! What operators did, the newest first.

use crate::edge::http::console::visit::{Shown, Visit};
use crate::gateway::trail;
use serde::Serialize;

/// Deeds on one page.
const SHOWN: usize = 100;

#[derive(Serialize)]
struct Facts {
    deeds: Vec<Deed>,
    /// What the next page begins behind, if there is one.
    before: Option<i64>,
}

#[derive(Serialize)]
struct Deed {
    at: i64,
    session: String,
    address: String,
    action: String,
    subject: String,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    let before = visit.parameter("before");
    let before = before.and_then(|before| before.parse().ok());
    let before = before.unwrap_or(i64::MAX);
    let mut found = visit.read(|tx| trail::deeds(tx, before, SHOWN + 1))?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let before = found.last().map(|deed| deed.id).filter(|_| more);
    let deeds = found.into_iter().map(|deed| Deed {
        at: deed.at,
        session: deed.session,
        address: deed.address,
        action: deed.action,
        subject: deed.subject,
    });
    let facts = Facts {
        deeds: deeds.collect(),
        before,
    };
    visit.page("trail.html", facts)
}
