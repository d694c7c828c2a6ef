//! The operations inside one transaction: small, named for what they do, and
//! each of a cost that does not grow with what is stored.

use super::Result;
use super::filing::Unfiled;
use super::rows::*;
use super::tally::{Counted, Minute, Tally};
use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::policy::priority::{Priority, Waiting};
use crate::policy::talk::Talk;
use crate::policy::throttle::Throttle;
use crate::policy::verdict::HaltScope;
use crate::policy::window::Seen;
use crate::wire::notification::{Incoming, Kind, Purpose};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use std::cell::{Cell, RefCell};

macro_rules! event_columns {
    () => {
        "id, kind, field, type, key, conversation, received_at, body"
    };
}
macro_rules! queue_columns {
    () => {
        "id, kind, name, failures, closed_until, full_at_us, waba, token_digest,
         throttled_until, throttle_hits, throttle_share, replies_in_a_row, served,
         mended_at"
    };
}
macro_rules! job_columns {
    () => {
        "id, queue, lane, event, outbox, state, attempts, media, burst, reopened_at"
    };
}
/// Since when a job waits: what an operator wants done again, from then on.
macro_rules! job_waits_since {
    () => {
        "max(coalesce(reopened_at, 0), coalesce(
           (SELECT received_at FROM event WHERE id = job.event),
           (SELECT created_at FROM outbox WHERE id = job.outbox),
           (SELECT created_at FROM media WHERE id = job.media)))"
    };
}
macro_rules! message_columns {
    () => {
        "id, number, conversation, recipient, type, body, state, wamid, error_code, error,
         tries_max, created_at, changed_at, cause, uncertain, resent, substitute"
    };
}
// After the macros, which they use.
mod alarms;
mod attempts;
mod bursts;
mod clock;
mod contact;
mod conversations;
mod events;
mod hands;
mod jobs;
mod lists;
mod media;
mod names;
mod outbox;
mod queues;
mod removal;
mod standings;
mod threads;
mod trail;

#[cfg(test)]
mod tests;

pub use lists::{EventFilter, Found, MessageFilter, Span};
pub use names::LastWord;

pub use alarms::Alert;

/// The open transaction.
pub struct Tx<'c> {
    connection: &'c Connection,
    unfiled: &'c RefCell<Unfiled>,
    entered: &'c Cell<Entered>,
    tally: &'c RefCell<Tally>,
}

/// How many messages came into each state, in the order of [`SendState`].
pub type Entered = [u32; SendState::ALL.len()];

impl<'c> Tx<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        unfiled: &'c RefCell<Unfiled>,
        entered: &'c Cell<Entered>,
        tally: &'c RefCell<Tally>,
    ) -> Tx<'c> {
        Tx {
            connection,
            unfiled,
            entered,
            tally,
        }
    }

    /// A message came into a state, if this is committed.
    fn count_entered(&self, state: SendState) {
        let mut entered = self.entered.get();
        entered[state as usize] += 1;
        self.entered.set(entered);
    }

    fn execute(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    fn row<T>(
        &self,
        sql: &str,
        params: &[&dyn ToSql],
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params, read).optional()?)
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: &[&dyn ToSql],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes down that somebody has tried whether anything can be written.
    pub fn note_ready(&self, now: i64) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO meta(name, value) VALUES('tried_at', ?1)",
            params![now.to_string()],
        )?;
        Ok(())
    }

    fn meta_number(&self, name: &str) -> Result<Option<i64>> {
        let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?1";
        self.row(sql, params![name], |row| row.get(0))
    }

    fn set_meta_number(&self, name: &str, value: i64) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)",
            params![name, value.to_string()],
        )?;
        Ok(())
    }

    /// Counts one at a time in Unix milliseconds, for the charts.
    pub fn count(&self, what: Counted, at: i64) {
        self.tally.borrow_mut().count(what, at);
    }

    /// Has this transaction write all that was counted.
    pub fn write_tally(&self) {
        self.tally.borrow_mut().want();
    }

    /// What was counted and written, from a minute of Unix time on.
    pub fn tally_since(&self, minute: i64) -> Result<Vec<Minute>> {
        let sql = "SELECT minute, received, answered, sent, failed FROM tally
                   WHERE minute >= ?1 ORDER BY minute";
        self.rows(sql, params![minute], |row| {
            let counts = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((row.get(0)?, counts))
        })
    }

    /// What this database is told apart from others by, in ids that travel.
    pub fn instance(&self) -> Result<String> {
        let sql = "SELECT value FROM meta WHERE name = 'instance'";
        Ok(self.row(sql, &[], |row| row.get(0))?.unwrap_or_default())
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.get(0)?,
        kind: kind(row.get(1)?),
        field: row.get(2)?,
        type_: row.get(3)?,
        key: row.get(4)?,
        conversation: row.get(5)?,
        received_at: row.get(6)?,
        body: row.get(7)?,
    })
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        queue: row.get(1)?,
        lane: row.get(2)?,
        event: row.get(3)?,
        outbox: row.get(4)?,
        state: JobState::from_sql(row.get(5)?),
        attempts: row.get(6)?,
        media: row.get(7)?,
        burst: row.get(8)?,
        reopened_at: row.get(9)?,
    })
}

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: row.get(0)?,
        kind: match row.get::<_, i64>(1)? {
            0 => QueueKind::Deliver,
            1 => QueueKind::Send,
            _ => QueueKind::Fetch,
        },
        name: row.get(2)?,
        breaker: Breaker {
            failures: row.get(3)?,
            closed_until_ms: row.get(4)?,
        },
        next_us: row.get(5)?,
        replies: row.get(11)?,
        served: row.get(12)?,
        mended_at: row.get(13)?,
        waba: row.get(6)?,
        token_digest: row.get(7)?,
        throttle: Throttle {
            until_ms: row.get(8)?,
            hits: row.get(9)?,
            share: row.get(10)?,
        },
    })
}

fn halt(row: &Row<'_>) -> rusqlite::Result<Halt> {
    let scope: String = row.get(0)?;
    Ok(Halt {
        // One this version does not know is the number's that met it.
        scope: HaltScope::parse(&scope).unwrap_or(HaltScope::Number),
        subject: row.get(1)?,
        number: row.get(2)?,
        token_digest: row.get(3)?,
        code: row.get(4)?,
        reason: row.get(5)?,
        details: row.get(6)?,
        since: row.get(7)?,
        failures: row.get(8)?,
        probe_at: row.get(9)?,
        probe: row.get(10)?,
        told: match row.get(11)? {
            true => Told::ByStatus,
            false => Told::ByAnswer,
        },
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let state: String = row.get(6)?;
    Ok(Message {
        id: row.get(0)?,
        number: row.get(1)?,
        conversation: row.get(2)?,
        recipient: row.get(3)?,
        type_: row.get(4)?,
        body: row.get(5)?,
        // A state this version does not know is left for the operator.
        state: SendState::parse(&state).unwrap_or(SendState::Held),
        wamid: row.get(7)?,
        error_code: row.get(8)?,
        error: row.get(9)?,
        tries_max: row.get(10)?,
        created_at: row.get(11)?,
        changed_at: row.get(12)?,
        cause: row.get(13)?,
        uncertain: row.get(14)?,
        resent: row.get(15)?,
        substitute: row.get(16)?,
    })
}
