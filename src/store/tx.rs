//! The operations inside one transaction: small, named for what they do, and
//! each of a cost that does not grow with what is stored.

use super::Result;
use super::rows::*;
use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::wire::notification::{Incoming, Kind};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

macro_rules! event_columns {
    () => {
        "id, kind, field, type, key, conversation, received_at, body"
    };
}
macro_rules! job_columns {
    () => {
        "id, queue, lane, event, outbox, state, attempts"
    };
}
macro_rules! message_columns {
    () => {
        "id, number, conversation, recipient, type, body, state, wamid, error_code, error,
         tries_max, created_at, changed_at, cause"
    };
}
/// The open transaction.
pub struct Tx<'c> {
    connection: &'c Connection,
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Tx<'c> {
        Tx { connection }
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

    /// What this database is told apart from others by, in ids that travel.
    pub fn instance(&self) -> Result<String> {
        let sql = "SELECT value FROM meta WHERE name = 'instance'";
        Ok(self.row(sql, &[], |row| row.get(0))?.unwrap_or_default())
    }
}

/// Conversations.
impl Tx<'_> {
    /// The conversation in which `number` knows `user` under this id.
    pub fn conversation(&self, number: &str, user: &str) -> Result<Option<ConversationId>> {
        self.row(
            "SELECT conversation FROM alias WHERE number = ?1 AND user = ?2",
            params![number, user],
            |row| row.get(0),
        )
    }

    /// A new conversation, known by `user`.
    pub fn insert_conversation(&self, number: &str, user: &str) -> Result<ConversationId> {
        self.execute(
            "INSERT INTO conversation(number, user) VALUES(?1, ?2)",
            params![number, user],
        )?;
        let id = self.connection.last_insert_rowid();
        self.insert_alias(number, user, id)?;
        Ok(id)
    }

    /// One more id by which the conversation's user is known.
    pub fn insert_alias(&self, number: &str, user: &str, id: ConversationId) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO alias(number, user, conversation) VALUES(?1, ?2, ?3)",
            params![number, user, id],
        )?;
        Ok(())
    }

    /// The user's better name: shown, and kept when ids are added.
    pub fn rename_conversation(&self, id: ConversationId, user: &str) -> Result<()> {
        self.execute(
            "UPDATE conversation SET user = ?2 WHERE id = ?1",
            params![id, user],
        )?;
        Ok(())
    }

    /// Two conversations turn out to be one: `from` ends, its ids and its open
    /// jobs go over to `into`, and what both were sent of late counts together
    /// for the pair's pace. The caller settles the lanes. Returns the queues
    /// whose lanes were touched.
    pub fn merge_conversation(
        &self,
        from: ConversationId,
        into: ConversationId,
        now: i64,
    ) -> Result<Vec<QueueId>> {
        let now_us = now * 1_000;
        let owed_us = (self.pair_full_at_us(from)? - now_us).max(0);
        let full_at_us = self.pair_full_at_us(into)?.max(now_us) + owed_us;
        self.set_pair_full_at_us(into, full_at_us)?;
        self.execute(
            "UPDATE conversation SET merged_into = ?2 WHERE id = ?1",
            params![from, into],
        )?;
        self.execute(
            "UPDATE alias SET conversation = ?2 WHERE conversation = ?1",
            params![from, into],
        )?;
        let queues = self.rows("SELECT id FROM queue", &[], |row| row.get(0))?;
        let mut touched = Vec::new();
        for queue in queues {
            let moved = self.execute(
                "UPDATE job SET lane = ?3 WHERE queue = ?1 AND lane = ?2 AND state < 2",
                params![queue, from, into],
            )?;
            if moved > 0 {
                touched.push(queue);
            }
        }
        Ok(touched)
    }

    /// The number and user a conversation was first known by, and the one it
    /// was merged into.
    pub fn conversation_names(
        &self,
        id: ConversationId,
    ) -> Result<Option<(String, String, Option<ConversationId>)>> {
        self.row(
            "SELECT number, user, merged_into FROM conversation WHERE id = ?1",
            params![id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
    }

    /// The pair's token bucket.
    pub fn pair_full_at_us(&self, id: ConversationId) -> Result<i64> {
        let sql = "SELECT pair_full_at_us FROM conversation WHERE id = ?1";
        Ok(self.row(sql, params![id], |row| row.get(0))?.unwrap_or(0))
    }

    /// Writes the pair's token bucket.
    pub fn set_pair_full_at_us(&self, id: ConversationId, full_at_us: i64) -> Result<()> {
        self.execute(
            "UPDATE conversation SET pair_full_at_us = ?2 WHERE id = ?1",
            params![id, full_at_us],
        )?;
        Ok(())
    }
}

/// Events.
impl Tx<'_> {
    /// Stores an event, unless it is there already.
    pub fn insert_event(
        &self,
        event: &Incoming<'_>,
        conversation: ConversationId,
        now: i64,
    ) -> Result<Option<EventId>> {
        let inserted = self.execute(
            "INSERT INTO event(digest, kind, field, type, key, conversation, received_at, body)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(digest) DO NOTHING",
            params![
                event.digest(),
                event.kind as i64,
                event.field,
                event.type_,
                event.key,
                conversation,
                now,
                event.body,
            ],
        )?;
        Ok((inserted == 1).then(|| self.connection.last_insert_rowid()))
    }

    /// The event with this digest.
    pub fn event_by_digest(&self, digest: &[u8; 16]) -> Result<Option<Event>> {
        let sql = concat!("SELECT ", event_columns!(), " FROM event WHERE digest = ?1");
        self.row(sql, params![digest], event)
    }

    /// One event.
    pub fn event(&self, id: EventId) -> Result<Option<Event>> {
        let sql = concat!("SELECT ", event_columns!(), " FROM event WHERE id = ?1");
        self.row(sql, params![id], event)
    }

    /// Events, the newest first, from those older than `before` on.
    pub fn events(&self, before: EventId, limit: usize) -> Result<Vec<Event>> {
        let sql = concat!(
            "SELECT ",
            event_columns!(),
            " FROM event WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
        );
        self.rows(sql, params![before, limit as i64], event)
    }

    /// The deliveries of an event, one a consumer.
    pub fn deliveries(&self, event: EventId) -> Result<Vec<(Job, String, Option<String>)>> {
        self.rows(
            concat!(
                "SELECT ",
                job_columns!(),
                ", (SELECT name FROM queue WHERE id = job.queue), error
                 FROM job WHERE event = ?1 ORDER BY id"
            ),
            params![event],
            |row| Ok((job(row)?, row.get(7)?, row.get(8)?)),
        )
    }
}

/// Queues.
impl Tx<'_> {
    /// The queue of this kind and name, made when there is none.
    pub fn queue(&self, kind: QueueKind, name: &str) -> Result<QueueId> {
        let find = "SELECT id FROM queue WHERE kind = ?1 AND name = ?2";
        let found = self.row(find, params![kind as i64, name], |row| row.get(0))?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.execute(
            "INSERT INTO queue(kind, name) VALUES(?1, ?2)",
            params![kind as i64, name],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// All queues.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        self.rows(
            "SELECT id, kind, name, failures, closed_until, full_at_us, halt, halt_scope, token_digest, halt_since
             FROM queue ORDER BY id",
            &[],
            queue,
        )
    }

    /// One queue.
    pub fn queue_row(&self, id: QueueId) -> Result<Option<Queue>> {
        self.row(
            "SELECT id, kind, name, failures, closed_until, full_at_us, halt, halt_scope, token_digest, halt_since
             FROM queue WHERE id = ?1",
            params![id],
            queue,
        )
    }

    /// Writes a queue's breaker.
    pub fn set_breaker(&self, id: QueueId, breaker: Breaker) -> Result<()> {
        self.execute(
            "UPDATE queue SET failures = ?2, closed_until = ?3 WHERE id = ?1",
            params![id, breaker.failures, breaker.closed_until_ms],
        )?;
        Ok(())
    }

    /// Writes a number's token bucket.
    pub fn set_full_at_us(&self, id: QueueId, full_at_us: i64) -> Result<()> {
        self.execute(
            "UPDATE queue SET full_at_us = ?2 WHERE id = ?1",
            params![id, full_at_us],
        )?;
        Ok(())
    }

    /// Writes or ends a halt.
    pub fn set_halt(&self, id: QueueId, halt: Option<&Halt>) -> Result<()> {
        self.execute(
            "UPDATE queue SET halt = ?2, halt_scope = ?3, token_digest = ?4, halt_since = ?5
             WHERE id = ?1",
            params![
                id,
                halt.map(|h| &h.reason),
                halt.map(|h| &h.scope),
                halt.map(|h| &h.token_digest),
                halt.map(|h| h.since),
            ],
        )?;
        Ok(())
    }
}

/// Jobs and lanes.
impl Tx<'_> {
    /// Adds a job at the end of its lane: due at once when the lane is empty,
    /// else when those before it are through.
    pub fn push_job(
        &self,
        queue: QueueId,
        lane: ConversationId,
        event: Option<EventId>,
        outbox: Option<OutboxId>,
        now: i64,
    ) -> Result<JobId> {
        self.execute(
            "INSERT INTO job(queue, lane, event, outbox, due) VALUES(?1, ?2, ?3, ?4,
               CASE WHEN EXISTS(SELECT 1 FROM job WHERE queue = ?1 AND lane = ?2 AND state < 2)
                    THEN NULL ELSE ?5 END)",
            params![queue, lane, event, outbox, now],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Jobs of a queue whose time has come, the longest due first.
    pub fn due_jobs(&self, queue: QueueId, now: i64, limit: usize) -> Result<Vec<Job>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE queue = ?1 AND due <= ?2 AND due IS NOT NULL ORDER BY due, id LIMIT ?3"
        );
        self.rows(sql, params![queue, now, limit as i64], job)
    }

    /// When the queue's next job is due.
    pub fn next_due(&self, queue: QueueId) -> Result<Option<i64>> {
        let sql = "SELECT min(due) FROM job WHERE queue = ?1 AND due IS NOT NULL";
        Ok(self.row(sql, params![queue], |row| row.get(0))?.flatten())
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>> {
        let sql = concat!("SELECT ", job_columns!(), " FROM job WHERE id = ?1");
        self.row(sql, params![id], job)
    }

    /// The job that sends a message.
    pub fn job_of_outbox(&self, outbox: OutboxId) -> Result<Option<Job>> {
        let sql = concat!("SELECT ", job_columns!(), " FROM job WHERE outbox = ?1");
        self.row(sql, params![outbox], job)
    }

    /// An attempt begins: counted before anything happens outside.
    pub fn start_job(&self, id: JobId) -> Result<()> {
        self.execute(
            "UPDATE job SET state = 1, due = NULL, attempts = attempts + 1 WHERE id = ?1",
            params![id],
        )?;
        Ok(())
    }

    /// The attempt is over and the job is tried again, not before a time and
    /// not before its turn: its lane may have become part of another meanwhile.
    pub fn retry_job(
        &self,
        job: &Job,
        now: i64,
        not_before: i64,
        attempts: u32,
        error: Option<&str>,
    ) -> Result<()> {
        self.execute(
            "UPDATE job SET state = 0, due = NULL, not_before = ?2, attempts = ?3, error = ?4
             WHERE id = ?1",
            params![job.id, not_before, attempts, error],
        )?;
        self.wake_lane(job.queue, job.lane, now)
    }

    /// The job waits until a time; nothing else about it changes.
    pub fn defer_job(&self, id: JobId, not_before: i64) -> Result<()> {
        self.execute(
            "UPDATE job SET not_before = ?2, due = CASE WHEN due IS NULL THEN NULL ELSE ?2 END
             WHERE id = ?1",
            params![id, not_before],
        )?;
        Ok(())
    }

    /// The job ends, and the next of its lane becomes due.
    pub fn end_job(&self, job: &Job, state: JobState, error: Option<&str>, now: i64) -> Result<()> {
        debug_assert!(matches!(state, JobState::Done | JobState::Dead));
        self.execute(
            "UPDATE job SET state = ?2, due = NULL, error = ?3 WHERE id = ?1",
            params![job.id, state as i64, error],
        )?;
        self.wake_lane(job.queue, job.lane, now)
    }

    /// An ended job is to be done again, in the place it had in its lane (which
    /// may have become part of another since).
    pub fn reopen_job(&self, job: &Job, now: i64) -> Result<()> {
        self.execute(
            "UPDATE job SET state = 0, due = NULL, not_before = 0, attempts = 0, error = NULL,
                            lane = ?2
             WHERE id = ?1",
            params![job.id, job.lane],
        )?;
        self.settle_lane(job.queue, job.lane, now)
    }

    /// Jobs came into a lane otherwise than at its end: its first open job, and
    /// no other, becomes due.
    pub fn settle_lane(&self, queue: QueueId, lane: ConversationId, now: i64) -> Result<()> {
        // `+due` leads the planner past the index of all that is due, whose size
        // is the number of lanes, to the index of this lane.
        self.execute(
            "UPDATE job SET due = NULL
             WHERE queue = ?1 AND lane = ?2 AND state < 2 AND +due IS NOT NULL",
            params![queue, lane],
        )?;
        self.wake_lane(queue, lane, now)
    }

    /// Makes the first open job of a lane due, unless one of the lane runs.
    fn wake_lane(&self, queue: QueueId, lane: ConversationId, now: i64) -> Result<()> {
        self.execute(
            "UPDATE job SET due = max(?3, not_before)
             WHERE id = (SELECT min(id) FROM job WHERE queue = ?1 AND lane = ?2 AND state < 2)
               AND state = 0 AND due IS NULL
               AND NOT EXISTS(SELECT 1 FROM job WHERE queue = ?1 AND lane = ?2 AND state = 1)",
            params![queue, lane, now],
        )?;
        Ok(())
    }

    /// Jobs whose attempt was under way when the last process ended.
    pub fn running_jobs(&self) -> Result<Vec<Job>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE state = 1 ORDER BY id"
        );
        self.rows(sql, &[], job)
    }

    /// Dead letters of deliveries, the oldest first.
    pub fn dead_deliveries(&self, limit: usize) -> Result<Vec<Job>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE state = 3 AND event IS NOT NULL ORDER BY id LIMIT ?1"
        );
        self.rows(sql, params![limit as i64], job)
    }

    /// Open jobs of a queue, and since when the oldest of them waits: first of
    /// its lane, as the oldest must be.
    pub fn depth(&self, queue: QueueId) -> Result<(i64, Option<i64>)> {
        let open = "SELECT count(*) FROM job WHERE queue = ?1 AND state < 2";
        let open = self.row(open, params![queue], |row| row.get(0))?;
        let oldest = "SELECT min(coalesce(
               (SELECT received_at FROM event WHERE id = job.event),
               (SELECT created_at FROM outbox WHERE id = job.outbox)))
             FROM job WHERE queue = ?1 AND due IS NOT NULL";
        let oldest = self.row(oldest, params![queue], |row| row.get(0))?;
        Ok((open.unwrap_or(0), oldest.flatten()))
    }

    /// Dead letters of a queue.
    pub fn dead(&self, queue: QueueId) -> Result<i64> {
        let sql = "SELECT count(*) FROM job WHERE state = 3 AND queue = ?1";
        Ok(self
            .row(sql, params![queue], |row| row.get(0))?
            .unwrap_or(0))
    }
}

/// The outbox.
impl Tx<'_> {
    /// Puts a message in the outbox; the caller adds its job.
    pub fn insert_message(
        &self,
        message: &NewMessage,
        state: SendState,
        fault: Option<&Fault>,
        now: i64,
    ) -> Result<OutboxId> {
        self.execute(
            "INSERT INTO outbox(number, conversation, recipient, type, body, state, error_code,
                                error, created_at, changed_at, cause)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)",
            params![
                message.number,
                message.conversation,
                message.recipient,
                message.type_,
                message.body,
                state.as_str(),
                fault.and_then(|f| f.code),
                fault.map(|f| &f.text),
                now,
                message.cause,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// One message.
    pub fn message(&self, id: OutboxId) -> Result<Option<Message>> {
        let sql = concat!("SELECT ", message_columns!(), " FROM outbox WHERE id = ?1");
        self.row(sql, params![id], message)
    }

    /// The message Graph gave this id.
    pub fn message_by_wamid(&self, wamid: &str) -> Result<Option<Message>> {
        let sql = concat!(
            "SELECT ",
            message_columns!(),
            " FROM outbox WHERE wamid = ?1"
        );
        self.row(sql, params![wamid], message)
    }

    /// Messages, the newest first, from those older than `before` on.
    pub fn messages(&self, before: OutboxId, limit: usize) -> Result<Vec<Message>> {
        let sql = concat!(
            "SELECT ",
            message_columns!(),
            " FROM outbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
        );
        self.rows(sql, params![before, limit as i64], message)
    }

    /// Messages in a state, oldest first.
    pub fn messages_in(&self, state: SendState) -> Result<Vec<OutboxId>> {
        let sql = "SELECT id FROM outbox WHERE state = ?1 ORDER BY id";
        self.rows(sql, params![state.as_str()], |row| row.get(0))
    }

    /// Writes a message's state and what went wrong last.
    pub fn set_message_state(
        &self,
        id: OutboxId,
        state: SendState,
        fault: Option<&Fault>,
        now: i64,
    ) -> Result<()> {
        self.execute(
            "UPDATE outbox SET state = ?2, error_code = ?3, error = ?4, changed_at = ?5 WHERE id = ?1",
            params![
                id,
                state.as_str(),
                fault.and_then(|f| f.code),
                fault.map(|f| &f.text),
                now
            ],
        )?;
        Ok(())
    }

    /// Keeps what Graph answered.
    pub fn set_answer(&self, id: OutboxId, status: u16, body: &str) -> Result<()> {
        self.execute(
            "UPDATE outbox SET answer_status = ?2, answer = ?3 WHERE id = ?1",
            params![id, status, body],
        )?;
        Ok(())
    }

    /// What Graph answered last: HTTP status and body.
    pub fn answer(&self, id: OutboxId) -> Result<Option<(u16, String)>> {
        self.row(
            "SELECT answer_status, answer FROM outbox WHERE id = ?1 AND answer IS NOT NULL",
            params![id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// What a request with this idempotency key made, and that request's digest.
    pub fn idempotent(&self, digest: &[u8; 16]) -> Result<Option<(OutboxId, [u8; 16])>> {
        self.row(
            "SELECT outbox, request FROM idempotency WHERE digest = ?1",
            params![digest],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// Remembers what a request with this idempotency key made, and forgets a
    /// few of those made before `old`.
    pub fn insert_idempotent(
        &self,
        digest: &[u8; 16],
        request: &[u8; 16],
        outbox: OutboxId,
        now: i64,
        old: i64,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO idempotency(digest, request, outbox, created_at) VALUES(?1, ?2, ?3, ?4)",
            params![digest, request, outbox, now],
        )?;
        self.execute(
            "DELETE FROM idempotency WHERE digest IN
               (SELECT digest FROM idempotency WHERE created_at < ?1 LIMIT 4)",
            params![old],
        )?;
        Ok(())
    }

    /// Limits how often the message may be tried in all.
    pub fn set_tries_max(&self, id: OutboxId, tries_max: Option<u32>) -> Result<()> {
        self.execute(
            "UPDATE outbox SET tries_max = ?2 WHERE id = ?1",
            params![id, tries_max],
        )?;
        Ok(())
    }

    /// Writes the id Graph gave the message. When the message went out twice
    /// the first id stays: its statuses are settled by it already.
    pub fn set_wamid(&self, id: OutboxId, wamid: &str) -> Result<()> {
        self.execute(
            "UPDATE OR IGNORE outbox SET wamid = ?2 WHERE id = ?1 AND wamid IS NULL",
            params![id, wamid],
        )?;
        Ok(())
    }

    /// How many messages are in each state.
    pub fn outbox_counts(&self) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state";
        self.rows(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// How many messages of a number were accepted since a time.
    pub fn accepted_since(&self, since: i64) -> Result<Vec<(String, i64)>> {
        self.rows(
            "SELECT number, count(*) FROM outbox
             WHERE wamid IS NOT NULL AND id > (SELECT coalesce(max(id), 0) - 100000 FROM outbox)
               AND created_at >= ?1 GROUP BY number ORDER BY number",
            params![since],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// How many events were stored since a time, among the newest 100,000.
    pub fn events_since(&self, since: i64) -> Result<i64> {
        let sql = "SELECT count(*) FROM event
                   WHERE id > (SELECT coalesce(max(id), 0) - 100000 FROM event) AND received_at >= ?1";
        Ok(self
            .row(sql, params![since], |row| row.get(0))?
            .unwrap_or(0))
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.get(0)?,
        kind: match row.get::<_, i64>(1)? {
            0 => Kind::Message,
            1 => Kind::Status,
            2 => Kind::Call,
            _ => Kind::Other,
        },
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
    })
}

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    let halt: Option<String> = row.get(6)?;
    Ok(Queue {
        id: row.get(0)?,
        kind: match row.get::<_, i64>(1)? {
            0 => QueueKind::Deliver,
            _ => QueueKind::Send,
        },
        name: row.get(2)?,
        breaker: Breaker {
            failures: row.get(3)?,
            closed_until_ms: row.get(4)?,
        },
        full_at_us: row.get(5)?,
        halt: match halt {
            Some(reason) => Some(Halt {
                reason,
                scope: row.get(7)?,
                token_digest: row.get(8)?,
                since: row.get(9)?,
            }),
            None => None,
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
    })
}
