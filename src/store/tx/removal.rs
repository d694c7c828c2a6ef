//! What is taken out of the store, each row with all that hangs on it. Who may go
//! is decided elsewhere; here nothing open is left behind, and no id is given a
//! second time.

use super::*;
use crate::store::filing::Seen;

macro_rules! aged {
    ($table:literal, $at:literal, $changed:literal, $open:literal) => {
        concat!(
            "SELECT id, ",
            $at,
            ", ",
            $changed,
            ", CASE WHEN EXISTS(SELECT 1 FROM ",
            $table,
            " AS older WHERE older.id = own.previous) THEN own.previous END, ",
            $open,
            " FROM ",
            $table,
            " AS own WHERE id > ?1 ORDER BY id LIMIT ?2"
        )
    };
}

const AGED_EVENTS: &str = aged!(
    "event",
    "received_at",
    "received_at",
    "EXISTS(SELECT 1 FROM job WHERE job.event = own.id AND state < 2)
     OR EXISTS(SELECT 1 FROM media CROSS JOIN job ON job.media = media.id
               WHERE media.event = own.id AND state < 2)"
);

const AGED_MESSAGES: &str = aged!(
    "outbox",
    "created_at",
    "changed_at",
    "EXISTS(SELECT 1 FROM job WHERE job.outbox = own.id AND state < 2)"
);

const JOBS_OF_EVENT: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM job WHERE event = ?1
      UNION ALL
      SELECT ",
    job_columns!(),
    " FROM job WHERE media IN (SELECT id FROM media WHERE event = ?1)"
);

/// Made in one moment with its message; so the index by age finds it.
const KEY_OF_MESSAGE: &str = "DELETE FROM idempotency
    WHERE created_at = (SELECT created_at FROM outbox WHERE id = ?1) AND outbox = ?1";

const DIGESTS: &str = "SELECT digest, event FROM seen WHERE digest > ?1 ORDER BY digest LIMIT ?2";

const OLD_KEYS: &str = "DELETE FROM idempotency WHERE digest IN
    (SELECT digest FROM idempotency WHERE created_at < ?1 LIMIT ?2)";

const OLD_UPLOADS: &str = "DELETE FROM upload WHERE (number, sha256, mime_type) IN
    (SELECT number, sha256, mime_type FROM upload WHERE created_at < ?1 LIMIT ?2)";

const WAMIDS_OF_MESSAGE: &str = "DELETE FROM other_wamid WHERE message = ?1";

const IS_NAMED: &str = "SELECT 1 FROM media WHERE file = ?1 LIMIT 1";

impl Tx<'_> {
    /// Rows of a log as far as their age goes, the oldest first, from those after
    /// `after` on.
    pub fn aged(&self, log: Log, after: i64, limit: usize) -> Result<Vec<Aged>> {
        let sql = match log {
            Log::Events => AGED_EVENTS,
            Log::Messages => AGED_MESSAGES,
        };
        self.rows(sql, params![after, limit as i64], aged)
    }

    /// Messages, the oldest first, from those after `after` on.
    pub fn messages_after(&self, after: OutboxId, limit: usize) -> Result<Vec<Message>> {
        let sql = concat!(
            "SELECT ",
            message_columns!(),
            " FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2"
        );
        self.rows(sql, params![after, limit as i64], message)
    }

    /// The jobs of an event: its deliveries, and the fetching of its files.
    pub fn jobs_of_event(&self, event: EventId) -> Result<Vec<Job>> {
        self.rows(JOBS_OF_EVENT, params![event], job)
    }

    /// Open jobs of a lane, the newest first: ended in this order, none of them
    /// becomes due by the end of another.
    pub fn open_in_lane(
        &self,
        queue: QueueId,
        lane: ConversationId,
        limit: usize,
    ) -> Result<Vec<Job>> {
        self.file_lane(queue, lane)?;
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE id IN (SELECT job FROM lane WHERE queue = ?1 AND lane = ?2
                                    ORDER BY job DESC LIMIT ?3) ORDER BY id DESC"
        );
        self.rows(sql, params![queue, lane, limit as i64], job)
    }

    /// Takes an event out, with its deliveries and the rows of its files; the jobs
    /// have ended. Its digest stays, and so it is known again. Returns the names
    /// of its files on disk, which others may name too.
    pub fn remove_event(&self, id: EventId) -> Result<Vec<String>> {
        let sql = "SELECT digest, conversation FROM event WHERE id = ?1";
        let found = self.row(sql, params![id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((digest, conversation)) = found else {
            return Ok(Vec::new());
        };
        // Nobody can ask the event any more what it left.
        self.file_talk(conversation)?;
        debug_assert!(self.jobs_of_event(id)?.iter().all(is_ended));
        self.keep_digest(digest)?;
        self.keep_job_ids()?;
        let media: Vec<(MediaId, Option<String>)> = self.rows(
            "SELECT id, file FROM media WHERE event = ?1",
            params![id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        for job in self.jobs_of_event(id)? {
            self.remove_job(job.id)?;
        }
        if !media.is_empty() {
            self.execute(
                "UPDATE filed SET upto = max(upto, (SELECT max(id) FROM media))
                 WHERE log = 'media ids'",
                &[],
            )?;
            self.execute("DELETE FROM media WHERE event = ?1", params![id])?;
        }
        self.execute("DELETE FROM event WHERE id = ?1", params![id])?;
        Ok(media.into_iter().filter_map(|(_, file)| file).collect())
    }

    /// Takes a message out, with its ids, with its job, which has ended, and with what
    /// its caller's idempotency key made.
    pub fn remove_message(&self, id: OutboxId) -> Result<()> {
        debug_assert!(self.job_of_outbox(id)?.iter().all(is_ended));
        self.keep_job_ids()?;
        self.execute(KEY_OF_MESSAGE, params![id])?;
        if let Some(job) = self.job_of_outbox(id)? {
            self.remove_job(job.id)?;
        }
        self.execute(WAMIDS_OF_MESSAGE, params![id])?;
        self.execute("DELETE FROM outbox WHERE id = ?1", params![id])?;
        Ok(())
    }

    fn remove_job(&self, id: JobId) -> Result<()> {
        self.execute("DELETE FROM attempt WHERE job = ?1", params![id])?;
        self.execute("DELETE FROM job WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// Takes a conversation out: the ids its user is known by, their name, and all
    /// that is remembered between messages.
    pub fn remove_conversation(&self, id: ConversationId) -> Result<()> {
        self.execute(
            "UPDATE filed SET upto = max(upto, (SELECT max(id) FROM conversation))
             WHERE log = 'conversation ids'",
            &[],
        )?;
        self.file_talk(id)?;
        self.forget_person(id)?;
        self.execute("DELETE FROM rest WHERE conversation = ?1", params![id])?;
        self.execute("DELETE FROM alias WHERE conversation = ?1", params![id])?;
        self.unfiled.borrow_mut().known.forget_people();
        self.execute("DELETE FROM conversation WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// The digest is in `seen`, and memory does not hold it any more.
    fn keep_digest(&self, digest: [u8; 16]) -> Result<()> {
        let events = &mut self.unfiled.borrow_mut().events;
        events.hold(self.connection)?;
        let (from, to): (Seen, Seen) = ((digest, EventId::MIN), (digest, EventId::MAX));
        events.file(self.connection, from, to)?;
        events.keep_ids(self.connection)
    }

    fn keep_job_ids(&self) -> Result<()> {
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        jobs.hold(self.connection)?;
        jobs.keep_ids(self.connection)
    }

    /// The row before this one in its conversation's chain.
    pub fn before_in_chain(&self, log: Log, id: i64) -> Result<Option<i64>> {
        let sql = match log {
            Log::Events => "SELECT previous FROM event WHERE id = ?1",
            Log::Messages => "SELECT previous FROM outbox WHERE id = ?1",
        };
        Ok(self.row(sql, params![id], |row| row.get(0))?.flatten())
    }

    /// Writes which row comes before one.
    pub fn set_before_in_chain(&self, log: Log, id: i64, before: Option<i64>) -> Result<()> {
        let sql = match log {
            Log::Events => "UPDATE event SET previous = ?2 WHERE id = ?1",
            Log::Messages => "UPDATE outbox SET previous = ?2 WHERE id = ?1",
        };
        self.execute(sql, params![id, before])?;
        Ok(())
    }

    /// The newest row of a conversation's chain is another one, or none.
    pub fn set_chain(&self, log: Log, id: ConversationId, newest: Option<i64>) -> Result<()> {
        let sql = match log {
            Log::Events => "UPDATE conversation SET last_event = ?2 WHERE id = ?1",
            Log::Messages => "UPDATE conversation SET last_message = ?2 WHERE id = ?1",
        };
        self.file_talk(id)?;
        self.execute(sql, params![id, newest])?;
        Ok(())
    }

    /// Notes which event is the newest now, and returns the newest one of then,
    /// or of the last note before.
    pub fn newest_event_of(&self, now: i64, then: i64) -> Result<Option<EventId>> {
        self.execute(
            // The newest may be gone already.
            "INSERT OR REPLACE INTO newest(at, event)
             SELECT ?1, max(upto, coalesce((SELECT max(id) FROM event), 0))
             FROM filed WHERE log = 'event ids'",
            params![now],
        )?;
        let sql = "SELECT max(event) FROM newest WHERE at <= ?1";
        let event = self.row(sql, params![then], |row| row.get(0))?;
        // Of the notes before, one is enough.
        self.execute(
            "DELETE FROM newest WHERE at < (SELECT max(at) FROM newest WHERE at <= ?1)",
            params![then],
        )?;
        Ok(event.flatten())
    }

    /// Looks through the digests after one, in their order, and forgets those of
    /// events up to one that are not stored any more. Returns the last digest
    /// looked at, when there may be more, and how many were forgotten.
    pub fn forget_digests(
        &self,
        after: &[u8],
        upto: EventId,
        limit: usize,
    ) -> Result<(Option<Vec<u8>>, usize)> {
        let found: Vec<(Vec<u8>, EventId)> =
            self.rows(DIGESTS, params![after, limit as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let mut forgotten = 0;
        for (digest, _) in found.iter().filter(|(_, event)| *event <= upto) {
            forgotten += self.execute(
                "DELETE FROM seen WHERE digest = ?1
                   AND NOT EXISTS(SELECT 1 FROM event WHERE event.id = seen.event)",
                params![digest],
            )?;
        }
        let last = found.last().filter(|_| found.len() == limit);
        Ok((last.map(|(digest, _)| digest.clone()), forgotten))
    }

    /// Forgets what idempotency keys made before one time, and files that were
    /// uploaded before another, a few of each. How many rows these were.
    pub fn forget_keys(&self, keys: i64, uploads: i64, limit: usize) -> Result<usize> {
        let forgotten = self.execute(OLD_KEYS, params![keys, limit as i64])?;
        let more = self.execute(OLD_UPLOADS, params![uploads, limit as i64])?;
        Ok(forgotten + more)
    }

    /// Whether an event names this file on disk.
    pub fn is_named(&self, file: &str) -> Result<bool> {
        let found: Option<i64> = self.row(IS_NAMED, params![file], |row| row.get(0))?;
        Ok(found.is_some())
    }

    /// Somebody of whom only this digest is kept wants no marketing.
    pub fn keep_unwilling(&self, digest: &[u8; 16]) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO unwilling(digest) VALUES(?1)",
            params![digest],
        )?;
        Ok(())
    }

    /// Whether somebody with this digest wanted no marketing.
    pub fn is_unwilling(&self, digest: &[u8; 16]) -> Result<bool> {
        let sql = "SELECT EXISTS(SELECT 1 FROM unwilling WHERE digest = ?1)";
        Ok(self
            .row(sql, params![digest], |row| row.get(0))?
            .unwrap_or(false))
    }

    /// How many pages the file has, and how many of them are free.
    pub fn pages(&self) -> Result<(i64, i64)> {
        let read = |sql| self.row(sql, &[], |row| row.get(0));
        let pages = read("PRAGMA page_count")?.unwrap_or(0);
        Ok((pages, read("PRAGMA freelist_count")?.unwrap_or(0)))
    }

    /// Gives free pages back to the disk, where the file can.
    pub fn give_back(&self, pages: i64) -> Result<()> {
        let sql = format!("PRAGMA incremental_vacuum({pages})");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        // Each row is a page.
        while rows.next()?.is_some() {}
        Ok(())
    }
}

fn aged(row: &Row<'_>) -> rusqlite::Result<Aged> {
    Ok(Aged {
        id: row.get(0)?,
        stored_at: row.get(1)?,
        changed_at: row.get(2)?,
        previous: row.get(3)?,
        is_open: row.get(4)?,
    })
}

fn is_ended(job: &Job) -> bool {
    matches!(job.state, JobState::Done | JobState::Dead)
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_bounded;
    use super::*;
    use crate::store::{Access, Database};
    use crate::wire::notification::read;
    use std::path::Path;

    #[test]
    fn what_is_looked_for_to_be_taken_out_has_an_index() {
        let all = [
            AGED_EVENTS,
            AGED_MESSAGES,
            JOBS_OF_EVENT,
            DIGESTS,
            OLD_KEYS,
            OLD_UPLOADS,
            KEY_OF_MESSAGE,
            WAMIDS_OF_MESSAGE,
            IS_NAMED,
        ];
        all.iter().for_each(|sql| assert_bounded(sql));
    }

    /// Stores events of about 2 KB, so many at once.
    fn fill(database: &mut Database, from: u64, count: u64) {
        let body = |n: u64| {
            let text = "spoke ".repeat(400);
            format!(
                r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{{"id":"{n}","text":{{"body":"{text}"}}}}]}}}}]}}]}}"#
            )
        };
        let step = |tx: &Tx<'_>| {
            for n in from..from + count {
                let body = body(n);
                let event = read(body.as_bytes()).unwrap().remove(0);
                tx.insert_event(&event, 1, None, crate::policy::window::Seen::default(), 0)?;
            }
            Ok(())
        };
        database.commit(step).unwrap();
    }

    fn remove(database: &mut Database, ids: std::ops::RangeInclusive<EventId>) {
        let step = |tx: &Tx<'_>| {
            for id in ids.clone() {
                tx.remove_event(id)?;
            }
            Ok(())
        };
        database.commit(step).unwrap();
    }

    fn bytes(path: &Path) -> u64 {
        std::fs::metadata(path).unwrap().len()
    }

    #[test]
    fn the_file_grows_no_more_when_as_much_goes_as_comes_and_shrinks_when_more_goes() {
        let name = format!("wabridge-removal-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.db");
        let mut database = Database::open(&path, Access::Serve).unwrap();
        fill(&mut database, 0, 2_000);
        assert!(database.empty_log().unwrap());
        let full = bytes(&path);
        for round in 1..=5 {
            let gone = (round - 1) * 500 + 1..=round * 500;
            remove(&mut database, gone);
            fill(&mut database, 10_000 * round as u64, 500);
        }
        assert!(database.empty_log().unwrap());
        assert!(bytes(&path) <= full + full / 20, "{full} {}", bytes(&path));
        remove(&mut database, 1..=10_000);
        let text = std::fs::read(&path).unwrap();
        assert!(text.windows(6).any(|part| part == b"spoke "));
        while database
            .commit(|tx| {
                let (pages, free) = tx.pages()?;
                tx.give_back(free.min(100))?;
                Ok(tx.pages()?.0 < pages)
            })
            .unwrap()
        {}
        assert!(database.empty_log().unwrap());
        assert!(bytes(&path) < full / 5, "{full} {}", bytes(&path));
        let text = std::fs::read(&path).unwrap();
        assert!(!text.windows(6).any(|part| part == b"spoke "));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
