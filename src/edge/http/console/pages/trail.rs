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
    /// Where that stands, below the console's root.
    href: Option<String>,
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
        href: href(&deed.action, &deed.subject),
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

/// The page of what a deed was done to, if that was one thing that has a page.
fn href(action: &str, subject: &str) -> Option<String> {
    let list = match action {
        "send" | "send_file" | "mark_read" | "take" | "give" => "conversations",
        "replay" | "give_up" => "inbox",
        "retry" | "hold" | "cancel" => "outbox",
        _ => return None,
    };
    let id: i64 = subject.parse().ok()?;
    Some(format!("/{list}/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: &str, subject: &str, expected: Option<&str>) {
        assert_eq!(href(action, subject).as_deref(), expected, "{action}");
    }

    #[test]
    fn what_one_thing_was_done_to_is_linked() {
        check("take", "7", Some("/conversations/7"));
        check("replay", "7", Some("/inbox/7"));
        check("cancel", "7", Some("/outbox/7"));
        check("cancel", "7 8 9", None);
        check("take", "forgotten", None);
        check("replay_all", "404", None);
        check("login", "", None);
    }
}
