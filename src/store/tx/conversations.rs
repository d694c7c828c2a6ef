//! Conversations and the ids users are known by.

use super::*;

/// Ids of one person that are looked at: some have changed their number a few times.
const IDS_MAX: i64 = 1_000;

impl Tx<'_> {
    /// The conversation in which `number` knows `user` under this id.
    pub fn conversation(&self, number: &str, user: &str) -> Result<Option<ConversationId>> {
        self.row(
            "SELECT conversation FROM alias WHERE number = ?1 AND user = ?2",
            params![number, user],
            |row| row.get(0),
        )
    }

    /// The conversation of whoever was lately found to have all of these ids, and has
    /// them still ([`Tx::remember_person`]).
    pub fn remembered_person(&self, number: &str, ids: &[String]) -> Option<ConversationId> {
        self.unfiled.borrow().known.person(number, ids)
    }

    /// All of these ids lead to this conversation, and to no other.
    pub fn remember_person(&self, number: &str, ids: &[String], id: ConversationId) {
        let known = &mut self.unfiled.borrow_mut().known;
        known.learn_person(number, ids, id);
    }

    /// The business numbers that have conversations.
    pub fn numbers(&self) -> Result<Vec<String>> {
        // From one to the next by the index, past all users of each.
        let next = "SELECT min(number) FROM alias WHERE number > ?1";
        let (mut numbers, mut last) = (Vec::new(), String::new());
        while let Some(number) = self
            .row(next, params![last], |row| row.get::<_, Option<String>>(0))?
            .flatten()
        {
            numbers.push(number.clone());
            last = number;
        }
        Ok(numbers)
    }

    /// A new conversation, known by `user`.
    pub fn insert_conversation(&self, number: &str, user: &str) -> Result<ConversationId> {
        self.execute(
            "INSERT INTO conversation(id, number, user)
             VALUES((SELECT max(upto, coalesce((SELECT max(id) FROM conversation), 0)) + 1
                     FROM filed WHERE log = 'conversation ids'), ?1, ?2)",
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

    /// The ids by which the conversation's user is known.
    pub fn ids_of(&self, id: ConversationId) -> Result<Vec<String>> {
        let sql = "SELECT user FROM alias WHERE conversation = ?1 ORDER BY user LIMIT ?2";
        self.rows(sql, params![id, IDS_MAX], |row| row.get(0))
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
    /// for the pair's pace, what both were seen doing for the window. The caller
    /// settles the lanes. Returns the queues whose lanes were touched.
    pub fn merge_conversation(
        &self,
        from: ConversationId,
        into: ConversationId,
        now: i64,
    ) -> Result<Vec<QueueId>> {
        self.file_talk(from)?;
        self.file_talk(into)?;
        let now_us = now * 1_000;
        let owed_us = (self.pair_full_at_us(from)? - now_us).max(0);
        let full_at_us = self.pair_full_at_us(into)?.max(now_us) + owed_us;
        self.set_pair_full_at_us(into, full_at_us)?;
        self.set_seen(into, self.seen_of(into)?.merge(self.seen_of(from)?))?;
        self.set_hands(into, self.hands(into)?.merge(self.hands(from)?))?;
        self.merge_contact(from, into)?;
        self.join_thread(from, into)?;
        self.execute(
            "UPDATE conversation SET merged_into = ?2 WHERE id = ?1",
            params![from, into],
        )?;
        self.execute(
            "UPDATE alias SET conversation = ?2 WHERE conversation = ?1",
            params![from, into],
        )?;
        self.unfiled.borrow_mut().known.forget_people();
        let queues = self.rows("SELECT id FROM queue", &[], |row| row.get(0))?;
        let mut touched = Vec::new();
        for queue in queues {
            self.file_lane(queue, from)?;
            self.execute(
                "UPDATE job SET lane = ?3
                 WHERE id IN (SELECT job FROM lane WHERE queue = ?1 AND lane = ?2)",
                params![queue, from, into],
            )?;
            let moved = self.execute(
                "UPDATE lane SET lane = ?3 WHERE queue = ?1 AND lane = ?2",
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

    /// What a conversation's events so far have left.
    pub fn talk(&self, id: ConversationId) -> Result<Talk> {
        self.unfiled.borrow_mut().talks.talk(self.connection, id)
    }

    /// What an event that was just stored has changed.
    pub fn set_talk(&self, id: ConversationId, talk: Talk) {
        self.unfiled.borrow_mut().talks.set(id, talk);
    }

    /// The conversation's row has all that its events left there. To be called
    /// before that changes otherwise.
    pub(super) fn file_talk(&self, id: ConversationId) -> Result<()> {
        self.unfiled.borrow_mut().talks.file(self.connection, id)
    }

    /// What the customer service window hangs on.
    pub fn seen_of(&self, id: ConversationId) -> Result<Seen> {
        Ok(self.talk(id)?.seen)
    }

    /// Writes what the customer service window hangs on.
    pub fn set_seen(&self, id: ConversationId, seen: Seen) -> Result<()> {
        self.file_talk(id)?;
        self.execute(
            "UPDATE conversation SET opened_at = ?2, entered_at = ?3, free_until = ?4 WHERE id = ?1",
            params![id, seen.opened_at, seen.entered_at, seen.free_until],
        )?;
        Ok(())
    }

    /// The pair's token bucket.
    pub fn pair_full_at_us(&self, id: ConversationId) -> Result<i64> {
        let sql = "SELECT pair_full_at_us FROM conversation WHERE id = ?1";
        Ok(self.row(sql, params![id], |row| row.get(0))?.unwrap_or(0))
    }

    /// Graph refused the pair for its pace. Returns how often it had before, in a
    /// row.
    pub fn pair_refused(&self, id: ConversationId) -> Result<u32> {
        let sql = "UPDATE conversation SET pair_refused = pair_refused + 1 WHERE id = ?1
                   RETURNING pair_refused - 1";
        Ok(self.row(sql, params![id], |row| row.get(0))?.unwrap_or(0))
    }

    /// Graph took a message to the pair.
    pub fn pair_accepted(&self, id: ConversationId) -> Result<()> {
        self.execute(
            "UPDATE conversation SET pair_refused = 0 WHERE id = ?1 AND pair_refused > 0",
            params![id],
        )?;
        Ok(())
    }

    /// When the customer wrote last, and was answered.
    pub fn waiting(&self, id: ConversationId) -> Result<Waiting> {
        let sql = "SELECT answered_at FROM conversation WHERE id = ?1";
        Ok(Waiting {
            wrote_at: self.talk(id)?.wrote_at,
            answered_at: self.row(sql, params![id], |row| row.get(0))?.unwrap_or(0),
        })
    }

    /// The first answer to what the customer wrote is queued.
    pub fn set_answered_at(&self, id: ConversationId, now: i64) -> Result<()> {
        self.file_talk(id)?;
        self.execute(
            "UPDATE conversation SET answered_at = ?2 WHERE id = ?1 AND answered_at < wrote_at",
            params![id, now],
        )?;
        Ok(())
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
