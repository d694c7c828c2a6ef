//! What came and went, counted by the minute, for the charts of the console.
//!
//! Counting must cost the commits that count next to nothing. So counts are kept
//! in memory and written by one statement in a commit that happens anyway: the
//! first after a second, or one that is asked to ([`super::Tx::write_tally`]). What
//! a crash takes with it is a second's counts, and never an event.

use super::Result;
use rusqlite::{Connection, params};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A customer's message came.
    Received,
    /// The bot answered one.
    Answered,
    /// Graph took a message of ours.
    Sent,
    /// A message of ours will not arrive.
    Failed,
}

impl Counted {
    /// All, in the order of their columns.
    pub const ALL: [Counted; 4] = [
        Counted::Received,
        Counted::Answered,
        Counted::Sent,
        Counted::Failed,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Counted::Received => "received",
            Counted::Answered => "answered",
            Counted::Sent => "sent",
            Counted::Failed => "failed",
        }
    }
}

/// How often each was counted, in the order of [`Counted::ALL`].
pub type Counts = [i64; 4];

/// A minute of Unix time, and its counts.
pub type Minute = (i64, Counts);

/// Counts are written when they are so old.
const WRITE_AFTER_MS: i64 = 1_000;

/// Minutes that are kept: the last week's, and the rest of the one before.
const KEPT_MINUTES: i64 = 8 * 24 * 60;

/// Counts that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of commits that are over.
    waiting: Vec<Minute>,
    /// Of the transaction that is open.
    open: Vec<Minute>,
    /// The time of the newest count, and that of the newest count written.
    newest_ms: i64,
    written_ms: i64,
    /// They are to be written now.
    is_wanted: bool,
    /// The open transaction has written all of them.
    is_written: bool,
}

impl Tally {
    /// Counts one at a time in Unix milliseconds.
    pub(super) fn count(&mut self, what: Counted, at: i64) {
        self.newest_ms = at;
        let mut counts = Counts::default();
        counts[what as usize] = 1;
        add(&mut self.open, &(at.div_euclid(60_000), counts));
    }

    /// Has the open transaction write them.
    pub(super) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Comes last in a transaction: writes what there is, if it is time to.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<()> {
        let nothing = self.waiting.is_empty() && self.open.is_empty();
        // A clock that was set back makes it time too.
        let age = (self.newest_ms - self.written_ms).unsigned_abs();
        let is_time = self.is_wanted || age >= WRITE_AFTER_MS as u64;
        if nothing || !is_time {
            return Ok(());
        }
        let mut all = self.waiting.clone();
        self.open.iter().for_each(|minute| add(&mut all, minute));
        let mut upsert = connection.prepare_cached(
            "INSERT INTO tally(minute, received, answered, sent, failed) VALUES(?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(minute) DO UPDATE SET
               received = received + ?2, answered = answered + ?3, sent = sent + ?4,
               failed = failed + ?5",
        )?;
        for (minute, [received, answered, sent, failed]) in &all {
            upsert.execute(params![minute, received, answered, sent, failed])?;
        }
        let oldest = self.newest_ms.div_euclid(60_000) - KEPT_MINUTES;
        let mut forget = connection.prepare_cached("DELETE FROM tally WHERE minute < ?1")?;
        forget.execute(params![oldest])?;
        self.is_written = true;
        Ok(())
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        match self.is_written {
            true => {
                self.waiting.clear();
                self.written_ms = self.newest_ms;
            }
            false => {
                let open = std::mem::take(&mut self.open);
                open.iter()
                    .for_each(|minute| add(&mut self.waiting, minute));
            }
        }
        self.forget();
    }

    /// The transaction is undone, or over.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.is_wanted = false;
        self.is_written = false;
    }
}

/// There are one or two minutes, since they are written every second.
fn add(minutes: &mut Vec<Minute>, (minute, counts): &Minute) {
    let known = minutes.iter_mut().rev().find(|(known, _)| known == minute);
    match known {
        Some((_, sums)) => sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n),
        None => minutes.push((*minute, *counts)),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::tally::Counted::*;
    use crate::store::{Database, Result, StoreError, Tx};

    fn written(tx: &Tx<'_>) -> Result<()> {
        tx.write_tally();
        Ok(())
    }

    fn minutes(database: &Database) -> Vec<(i64, [i64; 4])> {
        database.read(|tx| tx.tally_since(0)).unwrap()
    }

    #[test]
    fn counts_are_written_by_the_first_commit_after_a_second() {
        let mut database = Database::in_memory().unwrap();
        let count = |database: &mut Database, at| {
            let step = move |tx: &Tx<'_>| {
                tx.count(Received, at);
                Ok(())
            };
            database.commit(step).unwrap();
        };
        count(&mut database, 60_000);
        assert_eq!(minutes(&database), [(1, [1, 0, 0, 0])], "at once at first");
        count(&mut database, 60_500);
        count(&mut database, 60_999);
        assert_eq!(minutes(&database), [(1, [1, 0, 0, 0])], "they wait");
        count(&mut database, 61_000);
        assert_eq!(minutes(&database), [(1, [4, 0, 0, 0])]);
        count(&mut database, 61_100);
        database.commit(written).unwrap();
        assert_eq!(minutes(&database), [(1, [5, 0, 0, 0])], "when asked to");
        count(&mut database, 60_000 - 5_000);
        let set_back = [(0, [1, 0, 0, 0]), (1, [5, 0, 0, 0])];
        assert_eq!(
            minutes(&database),
            set_back,
            "or when the clock was set back"
        );
    }

    #[test]
    fn what_is_undone_is_not_counted() {
        let mut database = Database::in_memory().unwrap();
        let failing = |tx: &Tx<'_>| -> Result<()> {
            tx.count(Sent, 60_000);
            tx.write_tally();
            Err(StoreError::Bug("planted".into()))
        };
        assert!(database.commit(failing).is_err());
        let counting = |tx: &Tx<'_>| {
            tx.count(Failed, 60_000);
            tx.count(Failed, 120_000);
            tx.count(Answered, 120_001);
            Ok(())
        };
        database.commit(counting).unwrap();
        assert!(database.commit(failing).is_err());
        database.commit(written).unwrap();
        let expected = [(1, [0, 0, 0, 1]), (2, [0, 1, 0, 1])];
        assert_eq!(minutes(&database), expected);
    }

    #[test]
    fn what_is_older_than_the_charts_is_forgotten() {
        let mut database = Database::in_memory().unwrap();
        for day in 0..20 {
            let step = move |tx: &Tx<'_>| {
                tx.count(Received, day * 86_400_000);
                Ok(())
            };
            database.commit(step).unwrap();
        }
        let days: Vec<i64> = minutes(&database).iter().map(|(m, _)| m / 1_440).collect();
        assert_eq!(days, (11..20).collect::<Vec<_>>());
    }
}
