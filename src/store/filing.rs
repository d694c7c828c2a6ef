//! Two tables are asked for keys that fall all over them: `seen` (a digest →
//! its event) and `lane` (the open jobs of a lane, in order). Kept row by row,
//! each event would change a page of its own in both, and with much in the
//! store these pages are most of what is written. So rows are *filed* there
//! later, many neighbours together:
//!
//! * What is new stands in its log alone (`event`, `job`: tables written at
//!   their end) and, so that it is found, in the memory of the process that
//!   wrote it: [`Recent`].
//! * When there is much of it, a *pass* goes through it in the order of its
//!   index: each row that is added files the next two. A page is changed once
//!   for many rows, and no commit takes longer than others.
//! * `filed` says up to which row a log is filed for certain. Rows behind that
//!   may be filed or not; to file one again changes nothing.
//!
//! So an index and the rows behind `filed` are always the whole, and memory only
//! saves reading those rows again. Whoever does not hold them in memory files
//! them before it looks ([`Recent::hold`]), all at once, which nobody has to do
//! twice: a process that has just started, after a crash or not; a visitor
//! beside the service; the service when a visitor has committed; anybody whose
//! transaction was undone. A live service whose jobs are soon done never has
//! one in `lane`.
//!
//! A lane that changes otherwise than at its end (two become one, a job is
//! opened again) is filed first, and the rest is SQL on `lane`.
//!
//! What events leave in their conversations' rows is filed in much the same way:
//! [`talks`].

mod filter;
mod known;
mod talks;

use super::Result;
use super::rows::*;
use filter::Filter;
use known::Known;
use rusqlite::{Connection, ToSql, params};
use std::collections::BTreeSet;
use std::ops::Bound;
use talks::Talks;

/// How long rows are held back.
#[derive(Clone, Copy, Debug)]
pub struct Filing {
    /// Rows of a log that are held in memory before a pass begins. The more there
    /// are, the more of them meet in one page of the index.
    pub most: usize,
    /// Once no commit has added so many for a while: rows that each adds and files
    /// together.
    pub at_least: usize,
}

impl Filing {
    /// Of `seen` and `lane`: each row takes about 40 bytes.
    const LOGS: Filing = Filing {
        most: 64 * 1024,
        at_least: 0,
    };

    /// Of conversations. Who looks reads what is not filed from the events, so it
    /// is less, and nothing unless some thousand events come each second.
    const TALKS: Filing = Filing {
        most: 16 * 1024,
        at_least: 8,
    };
}

/// Rows behind `filed` before a pass begins, in multiples of those in memory:
/// jobs that have ended are forgotten, and would be read again after a start.
const BEHIND_MAX: usize = 4;

/// Rows filed for each one added, while a pass is under way: more than one, so
/// that the pass ends.
const FILED_FOR_ONE: usize = 2;

/// A row of a log, as its index orders it.
pub(super) trait Row: Copy + Ord {
    /// The log's name in `filed`.
    const LOG: &'static str;
    /// The name in `filed` of its ids that were given.
    const IDS: &'static str;
    /// The log's newest row.
    const NEWEST: &'static str;
    /// Files what is behind a row of the log.
    const FILE_REST: &'static str;

    /// Its row in the log.
    fn id(self) -> i64;

    /// Puts it in the index, unless it is there.
    fn file(self, connection: &Connection) -> Result<()>;
}

/// An event by its digest.
pub(super) type Seen = ([u8; 16], EventId);

impl Row for Seen {
    const LOG: &'static str = "event";
    const IDS: &'static str = "event ids";
    const NEWEST: &'static str = "SELECT max(id) FROM event";
    const FILE_REST: &'static str = "INSERT OR IGNORE INTO seen(digest, event)
        SELECT digest, id FROM event WHERE id > ?1 ORDER BY digest";

    fn id(self) -> i64 {
        self.1
    }

    fn file(self, connection: &Connection) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO seen(digest, event) VALUES(?1, ?2)";
        execute(connection, sql, params![self.0, self.1])
    }
}

/// An open job's place.
pub(super) type Place = (QueueId, ConversationId, JobId);

impl Row for Place {
    const LOG: &'static str = "job";
    const IDS: &'static str = "job ids";
    const NEWEST: &'static str = "SELECT max(id) FROM job";
    const FILE_REST: &'static str = "INSERT OR IGNORE INTO lane(queue, lane, job)
        SELECT queue, lane, id FROM job WHERE id > ?1 AND state < 2 ORDER BY queue, lane, id";

    fn id(self) -> i64 {
        self.2
    }

    fn file(self, connection: &Connection) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO lane(queue, lane, job) VALUES(?1, ?2, ?3)";
        execute(connection, sql, params![self.0, self.1, self.2])
    }
}

/// The rows of one log that are not filed.
pub(super) struct Recent<R> {
    rows: BTreeSet<R>,
    /// Whether `rows` is what it should be. If not, the other fields mean
    /// nothing.
    held: bool,
    filed: i64,
    newest: i64,
    pass: Option<Pass<R>>,
    most: usize,
}

/// Files all rows up to one, in order.
struct Pass<R> {
    upto: i64,
    after: Option<R>,
}

impl<R: Row> Recent<R> {
    /// Begins with nothing in memory, where at most so many rows are to be.
    pub(super) fn new(most: usize) -> Recent<R> {
        Recent {
            rows: BTreeSet::new(),
            held: false,
            filed: 0,
            newest: 0,
            pass: None,
            most,
        }
    }

    /// What is in memory may not be what is in the tables any more.
    pub(super) fn forget(&mut self) {
        *self = Recent::new(self.most);
    }

    /// Makes sure that each row of the log is filed or in memory.
    pub(super) fn hold(&mut self, connection: &Connection) -> Result<()> {
        if self.held {
            return Ok(());
        }
        let sql = "SELECT upto FROM filed WHERE log = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let filed: i64 = statement.query_row([R::LOG], |row| row.get(0))?;
        let given: i64 = statement.query_row([R::IDS], |row| row.get(0))?;
        let mut statement = connection.prepare_cached(R::NEWEST)?;
        let newest: Option<i64> = statement.query_row([], |row| row.get(0))?;
        // Below these when the newest rows were deleted.
        self.newest = newest.unwrap_or(0).max(filed).max(given);
        if self.newest > filed {
            execute(connection, R::FILE_REST, params![filed])?;
            self.set_upto(connection, R::LOG, self.newest)?;
        }
        (self.filed, self.held) = (self.newest, true);
        Ok(())
    }

    /// The id of the log's next row.
    pub(super) fn next_id(&self) -> i64 {
        debug_assert!(self.held);
        self.newest + 1
    }

    /// The first row in memory from one up to another.
    pub(super) fn first(&self, from: R, to: R) -> Option<R> {
        debug_assert!(self.held);
        self.rows.range(from..=to).next().copied()
    }

    /// The first rows in memory from one up to another.
    pub(super) fn some(&self, from: R, to: R, limit: usize) -> Vec<R> {
        debug_assert!(self.held);
        self.rows.range(from..=to).take(limit).copied().collect()
    }

    /// A row was written at the log's end.
    pub(super) fn add(&mut self, connection: &Connection, row: R) -> Result<()> {
        debug_assert!(self.held && row.id() > self.newest);
        self.newest = row.id();
        self.rows.insert(row);
        let behind = (self.newest - self.filed) as usize;
        if self.pass.is_none() && (self.rows.len() > self.most || behind > self.most * BEHIND_MAX) {
            self.pass = Some(Pass {
                upto: self.newest,
                after: None,
            });
        }
        (0..FILED_FOR_ONE).try_for_each(|_| self.file_next(connection))
    }

    /// Takes a row out of memory. Whether it was there; if not, it is filed.
    pub(super) fn remove(&mut self, row: R) -> bool {
        debug_assert!(self.held);
        self.rows.remove(&row)
    }

    /// Files the rows in memory from one up to another.
    pub(super) fn file(&mut self, connection: &Connection, from: R, to: R) -> Result<()> {
        while let Some(row) = self.first(from, to) {
            row.file(connection)?;
            self.rows.remove(&row);
        }
        Ok(())
    }

    /// One step of the pass that is under way.
    fn file_next(&mut self, connection: &Connection) -> Result<()> {
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        let after = pass.after.map_or(Bound::Unbounded, Bound::Excluded);
        let Some(&row) = self.rows.range((after, Bound::Unbounded)).next() else {
            self.filed = pass.upto;
            self.pass = None;
            return self.set_upto(connection, R::LOG, self.filed);
        };
        pass.after = Some(row);
        // One that came since the pass began is for the next.
        if row.id() <= pass.upto {
            row.file(connection)?;
            self.rows.remove(&row);
        }
        Ok(())
    }

    /// Rows of the log are about to be deleted: their ids are not given again,
    /// not even by a process that does not find them any more.
    pub(super) fn keep_ids(&self, connection: &Connection) -> Result<()> {
        debug_assert!(self.held);
        self.set_upto(connection, R::IDS, self.newest)
    }

    fn set_upto(&self, connection: &Connection, name: &str, upto: i64) -> Result<()> {
        let sql = "UPDATE filed SET upto = ?2 WHERE log = ?1 AND upto < ?2";
        execute(connection, sql, params![name, upto])
    }
}

fn execute(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<()> {
    connection.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

/// What is held in memory beside the tables: what is not filed, and what is
/// asked for often.
pub(super) struct Unfiled {
    pub(super) events: Recent<Seen>,
    /// What is not in `seen`.
    pub(super) filter: Filter,
    pub(super) jobs: Recent<Place>,
    /// What events left in conversations.
    pub(super) talks: Talks,
    /// What is read again and again.
    pub(super) known: Known,
    /// SQLite's count of others' commits when this was last looked at.
    others: Option<i64>,
}

impl Unfiled {
    /// Nothing in memory.
    pub(super) fn new() -> Unfiled {
        Unfiled::with(Filing::LOGS, Filing::TALKS)
    }

    /// Nothing in memory, where all is held back so long.
    pub(super) fn all(filing: Filing) -> Unfiled {
        Unfiled::with(filing, filing)
    }

    fn with(logs: Filing, talks: Filing) -> Unfiled {
        Unfiled {
            events: Recent::new(logs.most),
            filter: Filter::new(),
            jobs: Recent::new(logs.most),
            talks: Talks::new(talks),
            known: Known::default(),
            others: None,
        }
    }

    /// A transaction has begun, or somebody looks. Others may have written before.
    pub(super) fn begin(&mut self, connection: &Connection) -> Result<()> {
        self.talks.begin();
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let others = Some(statement.query_row([], |row| row.get(0))?);
        if self.others != others {
            self.forget();
            self.others = others;
        }
        Ok(())
    }

    /// Makes sure of all at once, so that nobody has to wait for it later.
    pub(super) fn hold(&mut self, connection: &Connection) -> Result<()> {
        self.events.hold(connection)?;
        self.jobs.hold(connection)?;
        self.talks.hold(connection)
    }

    /// The transaction is about to be committed.
    pub(super) fn end(&mut self, connection: &Connection) -> Result<()> {
        self.talks.end(connection)
    }

    /// The transaction was undone, or others have written.
    pub(super) fn forget(&mut self) {
        self.talks.forget();
        self.events.forget();
        self.filter = Filter::new();
        self.jobs.forget();
        self.known = Known::default();
    }
}

#[cfg(test)]
mod tests;
