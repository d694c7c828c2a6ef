//! What Meta sent.

use super::*;

impl Tx<'_> {
    /// Stores an event, unless it is there already. `previous` is the one before
    /// it in its conversation's thread, `seen` what it alone says of its window.
    pub fn insert_event(
        &self,
        event: &Incoming<'_>,
        conversation: ConversationId,
        previous: Option<EventId>,
        seen: Seen,
        now: i64,
    ) -> Result<Option<EventId>> {
        let digest = event.digest();
        if self.seen(&digest)?.is_some() {
            return Ok(None);
        }
        let unfiled = &mut *self.unfiled.borrow_mut();
        unfiled.talks.hold(self.connection)?;
        let id = unfiled.events.next_id();
        self.execute(
            "INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body,
                               previous, opened_at, entered_at, free_until)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                id,
                digest,
                event.kind as i64,
                event.field,
                event.type_,
                event.key,
                conversation,
                now,
                event.body,
                previous,
                seen.opened_at,
                seen.entered_at,
                seen.free_until,
            ],
        )?;
        unfiled.filter.learn(&digest);
        unfiled.filter.read_some(self.connection)?;
        unfiled.events.add(self.connection, (digest, id))?;
        unfiled.talks.came(self.connection, id)?;
        Ok(Some(id))
    }

    /// The event with this digest.
    pub fn event_by_digest(&self, digest: &[u8; 16]) -> Result<Option<Event>> {
        match self.seen(digest)? {
            Some(id) => self.event(id),
            None => Ok(None),
        }
    }

    fn seen(&self, digest: &[u8; 16]) -> Result<Option<EventId>> {
        let unfiled = &mut *self.unfiled.borrow_mut();
        unfiled.events.hold(self.connection)?;
        let (from, to) = ((*digest, EventId::MIN), (*digest, EventId::MAX));
        if let Some((_, id)) = unfiled.events.first(from, to) {
            return Ok(Some(id));
        }
        if !unfiled.filter.may_have(digest) {
            return Ok(None);
        }
        let sql = "SELECT event FROM seen WHERE digest = ?1";
        self.row(sql, params![digest], |row| row.get(0))
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

    /// Events, the oldest first, from those after `after` on.
    pub fn events_after(&self, after: EventId, limit: usize) -> Result<Vec<Event>> {
        let sql = concat!(
            "SELECT ",
            event_columns!(),
            " FROM event WHERE id > ?1 ORDER BY id LIMIT ?2"
        );
        self.rows(sql, params![after, limit as i64], event)
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
            |row| Ok((job(row)?, row.get(10)?, row.get(11)?)),
        )
    }
}
