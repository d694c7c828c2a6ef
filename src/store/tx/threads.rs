//! What was said in a conversation, from the newest back: each event and each
//! message knows the one before it. An index by conversation would tell the same,
//! and would cost each commit a page of its own somewhere in the file.

use super::*;

impl Tx<'_> {
    /// Where a conversation's chains begin; `None` when there is no such one.
    pub fn thread_ends(&self, id: ConversationId) -> Result<Option<ThreadEnds>> {
        let last_event = self.talk(id)?.last_event;
        let sql = "SELECT last_message, joined, next_joined FROM conversation WHERE id = ?1";
        self.row(sql, params![id], |row| {
            Ok(ThreadEnds {
                last_event,
                last_message: row.get(0)?,
                joined: row.get(1)?,
                next_joined: row.get(2)?,
            })
        })
    }

    /// An event, and the one before it in its conversation.
    pub fn event_in_thread(&self, id: EventId) -> Result<Option<(Event, Option<EventId>)>> {
        let sql = concat!(
            "SELECT ",
            event_columns!(),
            ", previous FROM event WHERE id = ?1"
        );
        self.row(sql, params![id], |row| {
            Ok((event(row)?, row.get("previous")?))
        })
    }

    /// A message, and the one before it in its conversation.
    pub fn message_in_thread(&self, id: OutboxId) -> Result<Option<(Message, Option<OutboxId>)>> {
        let sql = concat!(
            "SELECT ",
            message_columns!(),
            ", previous FROM outbox WHERE id = ?1"
        );
        self.row(sql, params![id], |row| {
            Ok((message(row)?, row.get("previous")?))
        })
    }

    /// Ids by which a conversation's user is known, no more than `limit`.
    pub fn user_ids(&self, id: ConversationId, limit: usize) -> Result<Vec<String>> {
        let sql = "SELECT user FROM alias WHERE conversation = ?1 ORDER BY user LIMIT ?2";
        self.rows(sql, params![id, limit as i64], |row| row.get(0))
    }

    /// The newest message of a conversation's thread is this one.
    pub(super) fn set_last_message(&self, id: ConversationId, message: OutboxId) -> Result<()> {
        self.execute(
            "UPDATE conversation SET last_message = ?2 WHERE id = ?1",
            params![id, message],
        )?;
        Ok(())
    }

    /// Two conversations turn out to be one: the thread of `from` stays as it is,
    /// and is found from `into`.
    pub(super) fn join_thread(&self, from: ConversationId, into: ConversationId) -> Result<()> {
        self.execute(
            "UPDATE conversation SET next_joined =
               (SELECT joined FROM conversation WHERE id = ?2) WHERE id = ?1",
            params![from, into],
        )?;
        self.execute(
            "UPDATE conversation SET joined = ?1 WHERE id = ?2",
            params![from, into],
        )?;
        Ok(())
    }
}
