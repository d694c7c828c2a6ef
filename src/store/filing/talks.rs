//! What events have left in their conversations' rows ([`Talk`]) is filed late as
//! well: with many conversations each event would change a page of its own.
//!
//! What a row lacks is in the events behind `filed`, each of which says what it
//! leaves, and in memory. To go through them once more changes nothing, so whoever
//! does not hold it in memory reads them ([`Talks::hold`]), also to look only.
//! While little comes it is filed with the next few commits ([`Filing::at_least`]), or
//! when there are none.

use super::{FILED_FOR_ONE, Filing, execute};
use crate::policy::talk::{Talk, Turn};
use crate::policy::window::Seen;
use crate::store::Result;
use crate::store::rows::*;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// The log's name in `filed`.
const LOG: &str = "talk";

const BEHIND: &str = "SELECT id, conversation, kind, field, type, received_at,
           opened_at, entered_at, free_until
    FROM event WHERE id > ?1 ORDER BY id";

const OF_ROW: &str = "SELECT last_event, first_message, wrote_at,
           opened_at, entered_at, free_until
    FROM conversation WHERE id = ?1";

const FILE: &str = "UPDATE conversation SET last_event = ?2, first_message = ?3, wrote_at = ?4,
           opened_at = ?5, entered_at = ?6, free_until = ?7 WHERE id = ?1";

/// Commits in a row with room for filing, before it is used. One among large ones
/// comes about by chance, and to file a few rows then is to change a page for each.
const CALM_AFTER: u32 = 32;

/// What is not in the conversations' rows.
pub(in crate::store) struct Talks {
    rows: BTreeMap<ConversationId, Talk>,
    /// Whether `rows` is what it should be. If not, the other fields mean
    /// nothing.
    held: bool,
    /// All events up to this one have left in the rows what they leave.
    filed: EventId,
    newest: EventId,
    /// Events that came in this transaction.
    came: usize,
    /// Transactions in a row that few events came in.
    calm: u32,
    pass: Option<Pass>,
    filing: Filing,
}

/// Files all conversations in memory, in order.
struct Pass {
    /// The newest event when it began.
    upto: EventId,
    next: ConversationId,
}

impl Talks {
    /// Begins with nothing in memory.
    pub(super) fn new(filing: Filing) -> Talks {
        Talks {
            rows: BTreeMap::new(),
            held: false,
            filed: 0,
            newest: 0,
            came: 0,
            calm: 0,
            pass: None,
            filing,
        }
    }

    /// What is in memory may not be what is in the tables any more.
    pub(super) fn forget(&mut self) {
        *self = Talks::new(self.filing);
    }

    /// A transaction has begun.
    pub(super) fn begin(&mut self) {
        self.came = 0;
    }

    /// Makes sure that what each event left is in its conversation's row or in
    /// memory.
    pub(in crate::store) fn hold(&mut self, connection: &Connection) -> Result<()> {
        if self.held {
            return Ok(());
        }
        let mut statement = connection.prepare_cached("SELECT upto FROM filed WHERE log = ?1")?;
        self.filed = statement.query_row([LOG], |row| row.get(0))?;
        self.newest = self.filed;
        let mut statement = connection.prepare_cached(BEHIND)?;
        let mut behind = statement.query([self.filed])?;
        while let Some(row) = behind.next()? {
            let conversation = row.get(1)?;
            let before = match self.rows.get(&conversation) {
                Some(talk) => *talk,
                None => of_row(connection, conversation)?,
            };
            let turn = turn(row)?;
            self.newest = turn.event;
            let talk = before.after(&turn);
            if talk != before {
                self.rows.insert(conversation, talk);
            }
        }
        self.held = true;
        Ok(())
    }

    /// What a conversation's events have left.
    pub(in crate::store) fn talk(
        &mut self,
        connection: &Connection,
        id: ConversationId,
    ) -> Result<Talk> {
        self.hold(connection)?;
        match self.rows.get(&id) {
            Some(talk) => Ok(*talk),
            None => of_row(connection, id),
        }
    }

    /// An event was written at the log's end. What it leaves comes with
    /// [`Talks::set`].
    pub(in crate::store) fn came(&mut self, connection: &Connection, event: EventId) -> Result<()> {
        debug_assert!(self.held && event > self.newest);
        // What the event itself leaves is not in memory yet.
        if self.newest - self.filed >= self.filing.most as i64 {
            self.begin_pass();
        }
        self.newest = event;
        self.came += 1;
        (0..FILED_FOR_ONE).try_for_each(|_| self.file_next(connection))
    }

    /// A conversation's events have left this.
    pub(in crate::store) fn set(&mut self, id: ConversationId, talk: Talk) {
        debug_assert!(self.held);
        self.rows.insert(id, talk);
    }

    /// Files one conversation, whose row is about to change otherwise.
    pub(in crate::store) fn file(
        &mut self,
        connection: &Connection,
        id: ConversationId,
    ) -> Result<()> {
        self.hold(connection)?;
        match self.rows.remove(&id) {
            Some(talk) => file(connection, id, &talk),
            None => Ok(()),
        }
    }

    /// Conversations in memory with a last event from `floor` on and before
    /// another, the newest first.
    pub(in crate::store) fn last_events(
        &self,
        before: EventId,
        floor: EventId,
    ) -> Vec<(EventId, ConversationId)> {
        debug_assert!(self.held);
        let rows = self.rows.iter();
        let last = rows.filter_map(|(id, talk)| Some((talk.last_event?, *id)));
        let mut last: Vec<_> = last
            .filter(|(event, _)| (floor..before).contains(event))
            .collect();
        last.sort_unstable_by(|a, b| b.cmp(a));
        last
    }

    /// Whether what a conversation's row says is not all.
    pub(in crate::store) fn is_unfiled(&self, id: ConversationId) -> bool {
        debug_assert!(self.held);
        self.rows.contains_key(&id)
    }

    /// The transaction ends: when few events come, there is room for what came
    /// before them.
    pub(super) fn end(&mut self, connection: &Connection) -> Result<()> {
        let room = self.filing.at_least.saturating_sub(self.came);
        self.calm = if room > 0 {
            self.calm.saturating_add(1)
        } else {
            0
        };
        match self.calm > CALM_AFTER {
            true => self.file_some(connection, room),
            false => Ok(()),
        }
    }

    /// Files so many conversations, if there are.
    pub(in crate::store) fn file_some(
        &mut self,
        connection: &Connection,
        count: usize,
    ) -> Result<()> {
        for _ in 0..count {
            if !self.has_unfiled() {
                break;
            }
            self.begin_pass();
            self.file_next(connection)?;
        }
        Ok(())
    }

    /// Whether there is something to file.
    pub(in crate::store) fn has_unfiled(&self) -> bool {
        self.held && self.newest > self.filed
    }

    /// Whether no more events than the pass of `most` conversations lets come are
    /// to be read after a start.
    #[cfg(test)]
    pub(super) fn is_within(&self, most: i64) -> bool {
        self.newest - self.filed <= 2 * most + 2
    }

    fn begin_pass(&mut self) {
        let upto = self.newest;
        self.pass.get_or_insert(Pass {
            upto,
            next: ConversationId::MIN,
        });
    }

    /// One step of the pass that is under way.
    fn file_next(&mut self, connection: &Connection) -> Result<()> {
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        // A conversation that heard more since the pass began is filed with it.
        if let Some((&id, talk)) = self.rows.range(pass.next..).next() {
            file(connection, id, talk)?;
            pass.next = id + 1;
            self.rows.remove(&id);
        }
        if self.rows.range(pass.next..).next().is_none() {
            self.filed = pass.upto;
            self.pass = None;
            let sql = "UPDATE filed SET upto = ?2 WHERE log = ?1 AND upto < ?2";
            execute(connection, sql, params![LOG, self.filed])?;
        }
        Ok(())
    }
}

fn file(connection: &Connection, id: ConversationId, talk: &Talk) -> Result<()> {
    let seen = &talk.seen;
    let params = params![
        id,
        talk.last_event,
        talk.first_message,
        talk.wrote_at,
        seen.opened_at,
        seen.entered_at,
        seen.free_until,
    ];
    execute(connection, FILE, params)
}

fn of_row(connection: &Connection, id: ConversationId) -> Result<Talk> {
    let mut statement = connection.prepare_cached(OF_ROW)?;
    let talk = statement.query_row([id], |row| {
        Ok(Talk {
            last_event: row.get(0)?,
            first_message: row.get(1)?,
            wrote_at: row.get(2)?,
            seen: seen(row, 3)?,
        })
    });
    Ok(talk.optional()?.unwrap_or_default())
}

fn turn<'a>(row: &'a Row<'_>) -> rusqlite::Result<Turn<'a>> {
    Ok(Turn {
        event: row.get(0)?,
        kind: kind(row.get(2)?),
        field: row.get_ref(3)?.as_str()?,
        type_: row.get_ref(4)?.as_str()?,
        at: row.get(5)?,
        seen: seen(row, 6)?,
    })
}

fn seen(row: &Row<'_>, first: usize) -> rusqlite::Result<Seen> {
    Ok(Seen {
        opened_at: row.get(first)?,
        entered_at: row.get(first + 1)?,
        free_until: row.get(first + 2)?,
    })
}
