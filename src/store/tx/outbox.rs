//! Messages on their way out, and idempotency keys.

use super::lists::Span;
use super::*;
use crate::wire::outgoing::is_mark;

impl Tx<'_> {
    /// Puts a message in the outbox; the caller adds its job.
    pub fn insert_message(
        &self,
        message: &NewMessage,
        state: SendState,
        fault: Option<&Fault>,
        now: i64,
    ) -> Result<OutboxId> {
        let said = !is_mark(&message.type_);
        self.execute(
            "INSERT INTO outbox(number, conversation, recipient, type, body, state, error_code,
                                error, created_at, changed_at, cause, previous)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10,
               CASE WHEN ?11 THEN (SELECT last_message FROM conversation WHERE id = ?2) END)",
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
                said,
            ],
        )?;
        let id = self.connection.last_insert_rowid();
        self.count_entered(state);
        if said {
            self.set_last_message(message.conversation, id)?;
        }
        Ok(id)
    }

    /// One message.
    pub fn message(&self, id: OutboxId) -> Result<Option<Message>> {
        let sql = concat!("SELECT ", message_columns!(), " FROM outbox WHERE id = ?1");
        self.row(sql, params![id], message)
    }

    /// The message Graph gave this id, at whichever of its tries.
    pub fn message_by_wamid(&self, wamid: &str) -> Result<Option<Message>> {
        let sql = concat!(
            "SELECT ",
            message_columns!(),
            " FROM outbox WHERE wamid = ?1
              UNION ALL
              SELECT ",
            message_columns!(),
            " FROM outbox WHERE id = (SELECT message FROM other_wamid WHERE wamid = ?1)
              LIMIT 1"
        );
        self.row(sql, params![wamid], message)
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
        self.count_entered(state);
        Ok(())
    }

    /// An attempt has ended, and whether the message went out nobody knows.
    pub fn set_uncertain(&self, id: OutboxId) -> Result<()> {
        self.execute("UPDATE outbox SET uncertain = 1 WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// It is sent again although it may have gone out.
    pub fn count_resent(&self, id: OutboxId) -> Result<()> {
        self.execute(
            "UPDATE outbox SET resent = resent + 1 WHERE id = ?1",
            params![id],
        )?;
        Ok(())
    }

    /// Writes down what goes out in the message's place, or that it goes itself.
    pub fn set_substitute(&self, id: OutboxId, substitute: Option<&str>) -> Result<()> {
        self.execute(
            "UPDATE outbox SET substitute = ?2 WHERE id = ?1",
            params![id, substitute],
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

    /// Remembers what a request with this idempotency key made.
    pub fn insert_idempotent(
        &self,
        digest: &[u8; 16],
        request: &[u8; 16],
        outbox: OutboxId,
        now: i64,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO idempotency(digest, request, outbox, created_at) VALUES(?1, ?2, ?3, ?4)",
            params![digest, request, outbox, now],
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

    /// Writes the id Graph gave the message, if no other message has it. The one that
    /// it had before stays known.
    pub fn set_wamid(&self, id: OutboxId, wamid: &str) -> Result<()> {
        let sql = "SELECT wamid FROM outbox WHERE id = ?1 AND wamid <> ?2";
        let before: Option<String> = self.row(sql, params![id, wamid], |row| row.get(0))?;
        let sql = "UPDATE OR IGNORE outbox SET wamid = ?2 WHERE id = ?1";
        let is_set = self.execute(sql, params![id, wamid])? > 0;
        if let Some(before) = before.filter(|_| is_set) {
            self.execute("DELETE FROM other_wamid WHERE wamid = ?1", params![wamid])?;
            self.add_wamid(id, &before)?;
        }
        Ok(())
    }

    /// Remembers another id that Graph gave the message, if no message has it.
    pub fn add_wamid(&self, id: OutboxId, wamid: &str) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO other_wamid(wamid, message)
             SELECT ?2, ?1 WHERE NOT EXISTS(SELECT 1 FROM outbox WHERE wamid = ?2)",
            params![id, wamid],
        )?;
        Ok(())
    }

    /// Whether it is an id that the message had at another try.
    pub fn is_other_wamid(&self, id: OutboxId, wamid: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM other_wamid WHERE wamid = ?2 AND message = ?1";
        let found: Option<i64> = self.row(sql, params![id, wamid], |row| row.get(0))?;
        Ok(found.is_some())
    }

    /// How many messages are in a state that they do not stay in.
    pub fn messages_waiting(&self, state: SendState) -> Result<i64> {
        let sql = "SELECT count(*) FROM outbox WHERE state = ?1";
        let count = self.row(sql, params![state.as_str()], |row| row.get(0))?;
        Ok(count.unwrap_or(0))
    }

    /// How many messages are in each state.
    pub fn outbox_counts(&self) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state";
        self.rows(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// How many messages of each number were accepted that were queued since a
    /// time, among the newest 100,000.
    pub fn accepted_since(&self, since: i64) -> Result<Vec<(String, i64)>> {
        self.rows(
            "SELECT number, count(*) FROM outbox
             WHERE wamid IS NOT NULL AND id >= ?1 GROUP BY number ORDER BY number",
            params![self.counted_from(Log::Messages, since)?],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// How many events were stored since a time, among the newest 100,000.
    pub fn events_since(&self, since: i64) -> Result<i64> {
        let sql = "SELECT count(*) FROM event WHERE id >= ?1";
        let first = self.counted_from(Log::Events, since)?;
        let count = self.row(sql, params![first], |row| row.get(0))?;
        Ok(count.unwrap_or(0))
    }

    /// The first row written since a time, or the first of the newest that are
    /// counted.
    fn counted_from(&self, log: Log, since: i64) -> Result<i64> {
        let span = Span {
            since: Some(since),
            until: None,
        };
        let (end, first) = self.ends(log, i64::MAX, span)?;
        Ok(first.max(end - COUNTED_MAX))
    }
}

/// Rows that are counted at most.
const COUNTED_MAX: i64 = 100_000;
