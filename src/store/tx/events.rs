//! What Meta sent.

use super::*;

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
            |row| Ok((job(row)?, row.get(8)?, row.get(9)?)),
        )
    }
}
