//! What people are called, and how they are found by it; and conversations in the
//! order of their last word.

use super::*;

const SAID_AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event WHERE id > ?1 AND id <= ?2 AND kind IN (0, 2) ORDER BY id"
);

const PERSON: &str = "SELECT name, username FROM person WHERE conversation = ?1";

const BY_WORD: &str = "SELECT conversation FROM word
    WHERE word >= ?1 AND word < ?2 ORDER BY word, conversation LIMIT ?3";

const BY_ID: &str = "SELECT conversation FROM alias
    WHERE number = ?1 AND user >= ?2 AND user < ?3 ORDER BY user LIMIT ?4";

const LAST_SAID: &str = "SELECT nullif(max(
      coalesce((SELECT received_at FROM event WHERE id = ?2), 0),
      coalesce((SELECT created_at FROM outbox WHERE id = c.last_message), 0)), 0)
    FROM conversation AS c WHERE c.id = ?1";

/// The last words of conversations alone: the others are passed over without
/// being read.
const LAST_EVENTS: &str = "SELECT e.id, e.conversation, e.received_at
    FROM event AS e CROSS JOIN conversation AS c ON c.id = e.conversation AND c.last_event = e.id
    WHERE e.id < ?1 AND e.id >= ?2 AND e.kind IN (0, 2) ORDER BY e.id DESC LIMIT ?3";

const LAST_MESSAGES: &str = "SELECT o.id, o.conversation, o.created_at
    FROM outbox AS o CROSS JOIN conversation AS c
      ON c.id = o.conversation AND c.last_message = o.id
    WHERE o.id < ?1 AND o.id >= ?2 ORDER BY o.id DESC LIMIT ?3";

/// The last word in one of a conversation's chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWord {
    /// The event or message.
    pub id: i64,
    /// Its conversation.
    pub conversation: ConversationId,
    /// When we had it, in Unix milliseconds.
    pub at: i64,
}

impl Tx<'_> {
    /// Up to which event names were learned.
    pub fn names_learned(&self) -> Result<EventId> {
        let sql = "SELECT upto FROM filed WHERE log = 'name'";
        Ok(self.row(sql, &[], |row| row.get(0))?.unwrap_or(0))
    }

    /// Names were learned up to this event.
    pub fn set_names_learned(&self, upto: EventId) -> Result<()> {
        let sql = "UPDATE filed SET upto = ?1 WHERE log = 'name'";
        self.execute(sql, params![upto])?;
        Ok(())
    }

    /// Messages and calls among the events after one up to another, the oldest
    /// first.
    pub fn said_between(&self, after: EventId, upto: EventId) -> Result<Vec<Event>> {
        self.rows(SAID_AFTER, params![after, upto], event)
    }

    /// The newest event.
    pub fn newest_event(&self) -> Result<EventId> {
        let sql = "SELECT max(id) FROM event";
        let newest = self.row(sql, &[], |row| row.get::<_, Option<i64>>(0))?;
        Ok(newest.flatten().unwrap_or(0))
    }

    /// What a conversation's person is called, if it is known.
    pub fn person(&self, id: ConversationId) -> Result<Option<PersonName>> {
        self.row(PERSON, params![id], |row| {
            Ok(PersonName {
                name: row.get(0)?,
                username: row.get(1)?,
            })
        })
    }

    /// A conversation's person is called so, and found by these words.
    pub fn set_person(
        &self,
        id: ConversationId,
        person: &PersonName,
        words: &[String],
    ) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO person(conversation, name, username) VALUES(?1, ?2, ?3)",
            params![id, person.name, person.username],
        )?;
        self.execute("DELETE FROM word WHERE conversation = ?1", params![id])?;
        for word in words {
            self.execute(
                "INSERT OR IGNORE INTO word(word, conversation) VALUES(?1, ?2)",
                params![word, id],
            )?;
        }
        Ok(())
    }

    /// Nobody remembers what a conversation's person is called.
    pub fn forget_person(&self, id: ConversationId) -> Result<()> {
        self.execute("DELETE FROM person WHERE conversation = ?1", params![id])?;
        self.execute("DELETE FROM word WHERE conversation = ?1", params![id])?;
        Ok(())
    }

    /// Conversations of people with a word in their name that begins so.
    pub fn by_word(&self, start: &str, limit: usize) -> Result<Vec<ConversationId>> {
        let params = params![start, after(start), limit as i64];
        self.rows(BY_WORD, params, |row| row.get(0))
    }

    /// Conversations of a number with people who have an id that begins so.
    pub fn by_id(&self, number: &str, start: &str, limit: usize) -> Result<Vec<ConversationId>> {
        let params = params![number, start, after(start), limit as i64];
        self.rows(BY_ID, params, |row| row.get(0))
    }

    /// When the last word in a conversation's own chains was said, in Unix milliseconds.
    pub fn last_said(&self, id: ConversationId) -> Result<Option<i64>> {
        let last_event = self.talk(id)?.last_event;
        let said = self.row(LAST_SAID, params![id, last_event], |row| row.get(0))?;
        Ok(said.flatten())
    }

    /// Events that are the last of their conversation, the newest first, among
    /// those older than `before` from `floor` on.
    pub fn last_events(&self, before: i64, floor: i64, limit: usize) -> Result<Vec<LastWord>> {
        let talks = &mut self.unfiled.borrow_mut().talks;
        talks.hold(self.connection)?;
        let unfiled = talks.last_events(before, floor);
        let mut words = self.words_at(unfiled.into_iter().take(limit))?;
        // Of those in memory the rows say less.
        let (mut filed, mut read) = (Vec::new(), before);
        while filed.len() < limit {
            let params = params![read, floor, limit as i64];
            let found = self.rows(LAST_EVENTS, params, last_word)?;
            let Some(last) = found.last() else { break };
            read = last.id;
            let all_filed = |word: &LastWord| !talks.is_unfiled(word.conversation);
            filed.extend(found.into_iter().filter(all_filed));
        }
        words.append(&mut filed);
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.id));
        words.truncate(limit);
        Ok(words)
    }

    fn words_at(
        &self,
        events: impl Iterator<Item = (EventId, ConversationId)>,
    ) -> Result<Vec<LastWord>> {
        let sql = "SELECT id, ?2, received_at FROM event WHERE id = ?1";
        let read = |(event, of)| self.row(sql, params![event, of], last_word);
        events.filter_map(|event| read(event).transpose()).collect()
    }

    /// The same of messages.
    pub fn last_messages(&self, before: i64, floor: i64, limit: usize) -> Result<Vec<LastWord>> {
        self.rows(
            LAST_MESSAGES,
            params![before, floor, limit as i64],
            last_word,
        )
    }

    /// The newest message.
    pub fn newest_message(&self) -> Result<OutboxId> {
        let sql = "SELECT max(id) FROM outbox";
        let newest = self.row(sql, &[], |row| row.get::<_, Option<i64>>(0))?;
        Ok(newest.flatten().unwrap_or(0))
    }
}

fn last_word(row: &Row<'_>) -> rusqlite::Result<LastWord> {
    Ok(LastWord {
        id: row.get(0)?,
        conversation: row.get(1)?,
        at: row.get(2)?,
    })
}

/// What all that begins so comes before.
fn after(start: &str) -> String {
    format!("{start}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_bounded;
    use super::*;
    use crate::store::Database;

    #[test]
    fn people_are_found_without_a_walk_or_a_sort() {
        let all = [
            SAID_AFTER,
            PERSON,
            BY_WORD,
            BY_ID,
            LAST_SAID,
            LAST_EVENTS,
            LAST_MESSAGES,
        ];
        all.iter().for_each(|sql| assert_bounded(sql));
    }

    #[test]
    fn a_name_is_found_by_the_beginnings_of_its_words_until_it_changes() {
        let mut database = Database::in_memory().unwrap();
        let name = |name: &str| PersonName {
            name: name.into(),
            username: String::new(),
        };
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let fill = |tx: &Tx<'_>| {
            tx.set_person(1, &name("Ana Silva"), &words(&["ana", "silva"]))?;
            tx.set_person(2, &name("Anabel"), &words(&["anabel"]))?;
            tx.set_person(3, &name("An\u{10ffff}"), &words(&["an\u{10ffff}"]))
        };
        database.commit(fill).unwrap();
        let found =
            |database: &Database, start: &str| database.read(|tx| tx.by_word(start, 9)).unwrap();
        assert_eq!(found(&database, "ana"), [1, 2]);
        assert_eq!(found(&database, "sil"), [1]);
        assert_eq!(found(&database, "lva"), [0; 0]);
        let renamed = |tx: &Tx<'_>| tx.set_person(1, &name("Eva"), &words(&["eva"]));
        database.commit(renamed).unwrap();
        assert_eq!(found(&database, "ana"), [2]);
        assert_eq!(found(&database, "e"), [1]);
        database.commit(|tx| tx.forget_person(1)).unwrap();
        assert_eq!(found(&database, "e"), [0; 0]);
        assert_eq!(database.read(|tx| tx.person(1)).unwrap(), None);
        assert_eq!(
            database.read(|tx| tx.person(2)).unwrap(),
            Some(name("Anabel"))
        );
    }
}
