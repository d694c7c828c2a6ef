//! What has become old goes: events and messages that are done with, the oldest
//! first, with their deliveries and files. Each function makes a small step in
//! one commit; whoever calls them does so until there is nothing more, and lets
//! others in between.
//!
//! * What is open stays, however old: a delivery that waits for its app, a message
//!   that a halt keeps. Dead letters and what an operator holds are not open.
//! * What came after something that stays, in the same conversation, stays as
//!   well. So the chains of a conversation (`store::tx::threads`) lose their end,
//!   and have no holes.
//! * The digests by which events are known again stay for
//!   [`upkeep::DIGESTS_KEPT_MS`], whatever becomes of the events.

use crate::policy::clock::Believed;
use crate::policy::upkeep;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use std::collections::BTreeSet;

/// Rows looked at in one step.
const LOOKED_AT: usize = 200;

/// Rows taken out in one step: what a commit of others waits for at most.
pub const REMOVED_AT_ONCE: usize = 100;

/// Digests looked at in one step.
const DIGESTS_AT_ONCE: usize = 1_000;

/// How far a log was looked through, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that went.
    pub removed: usize,
    /// Old ones that stay, because something is still to be done.
    pub kept: usize,
    /// Names of files on disk that may be nobody's any more.
    pub files: Vec<String>,
    /// Where to go on, when there may be more.
    pub after: Option<i64>,
}

/// Takes out some rows of a log that were stored before a time and have not
/// changed since, from those after `after` on.
pub fn step(tx: &Tx<'_>, now: i64, log: Log, after: i64, before: i64) -> Result<Pruned> {
    // What was kept is still there to be asked.
    let choice = choose(tx, (now, before), log, after, |row| row.previous.is_some())?;
    let mut files = Vec::new();
    for id in &choice.old {
        match log {
            Log::Events => files.extend(tx.remove_event(*id)?),
            Log::Messages => tx.remove_message(*id)?,
        }
    }
    Ok(Pruned {
        removed: choice.old.len(),
        kept: choice.kept.len(),
        files,
        after: choice.after,
    })
}

/// What [`step`] would take out. `kept` is what this has found to stay so far.
pub fn rehearse(
    tx: &Tx<'_>,
    now: i64,
    log: Log,
    after: i64,
    before: i64,
    kept: &mut BTreeSet<i64>,
) -> Result<Pruned> {
    let follows = |row: &Aged| {
        row.previous
            .is_some_and(|previous| kept.contains(&previous))
    };
    let choice = choose(tx, (now, before), log, after, follows)?;
    kept.extend(&choice.kept);
    Ok(Pruned {
        removed: choice.old.len(),
        kept: choice.kept.len(),
        files: Vec::new(),
        after: choice.after,
    })
}

struct Choice {
    old: Vec<i64>,
    kept: Vec<i64>,
    after: Option<i64>,
}

/// `follows`: whether a row comes after one that stays; asked in their order.
fn choose(
    tx: &Tx<'_>,
    (now, before): (i64, i64),
    log: Log,
    after: i64,
    follows: impl Fn(&Aged) -> bool,
) -> Result<Choice> {
    let rows = tx.aged(log, after, LOOKED_AT)?;
    let mut choice = Choice {
        old: Vec::new(),
        kept: Vec::new(),
        after: rows
            .last()
            .filter(|_| rows.len() == LOOKED_AT)
            .map(|row| row.id),
    };
    // Within this step nothing is taken out yet.
    let (mut going, mut staying) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let is_young = row.stored_at >= before;
        // They come in the order of their times; one from the future was written
        // by a clock that was wrong, and says nothing of the next.
        if is_young && row.stored_at <= now {
            choice.after = None;
            break;
        }
        let previous = |of: &BTreeSet<i64>| row.previous.is_some_and(|id| of.contains(&id));
        let open = is_young || row.changed_at >= before || row.is_open;
        if open || previous(&staying) || (!previous(&going) && follows(row)) {
            staying.insert(row.id);
            continue;
        }
        choice.old.push(row.id);
        going.insert(row.id);
        if choice.old.len() == REMOVED_AT_ONCE {
            choice.after = Some(row.id);
            break;
        }
    }
    choice.kept = staying.into_iter().collect();
    Ok(choice)
}

/// The time by which the old goes, at `now` by the clock: it may be behind that, for a
/// clock is not believed at once that went ahead while nobody looked.
pub fn believed_now(tx: &Tx<'_>, now: i64) -> Result<i64> {
    let before = match tx.believed_clock()? {
        Some(before) => before,
        None => Believed::at(newest_before(tx, now)?),
    };
    let clock = before.look(now);
    tx.set_believed_clock(&clock)?;
    Ok(clock.now())
}

/// When the newest event came, unless that is to come.
fn newest_before(tx: &Tx<'_>, now: i64) -> Result<i64> {
    let newest = tx.events(EventId::MAX, 1)?;
    let at = newest.first().map(|event| event.received_at);
    Ok(at.map_or(now, |at| at.min(now)))
}

/// What is remembered for a time of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that went.
    pub removed: usize,
    /// The digest after which to go on, when there may be more.
    pub after: Option<Vec<u8>>,
}

/// Forgets digests of events that went long ago, from those after one on. `believed`:
/// [`believed_now`].
pub fn sweep_digests(tx: &Tx<'_>, now: i64, believed: i64, after: &[u8]) -> Result<Swept> {
    let old = tx.newest_event_of(now, believed - upkeep::DIGESTS_KEPT_MS)?;
    let Some(upto) = old else {
        return Ok(Swept::default());
    };
    let (after, removed) = tx.forget_digests(after, upto, DIGESTS_AT_ONCE)?;
    Ok(Swept { removed, after })
}

/// Forgets what idempotency keys made, and Meta's ids of files, when they are
/// good no more at that time ([`believed_now`]). How many, when there may be more.
pub fn sweep_keys(tx: &Tx<'_>, believed: i64) -> Result<usize> {
    let keys = believed - upkeep::AGE_MIN_MS;
    let uploads = believed - upkeep::UPLOADS_KEPT_MS;
    tx.forget_keys(keys, uploads, REMOVED_AT_ONCE)
}

/// Gives free pages back to the disk. Whether there are more.
pub fn give_back(tx: &Tx<'_>) -> Result<bool> {
    let (pages, free) = tx.pages()?;
    let more = upkeep::pages_to_give_back(pages, free);
    if more > 0 {
        tx.give_back(more)?;
    }
    // Fewer than before, unless the file cannot.
    Ok(more > 0 && tx.pages()?.0 < pages)
}
