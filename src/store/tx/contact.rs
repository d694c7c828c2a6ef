//! What is remembered of a conversation between its messages: the first of them,
//! rules that rest, and that its person wants no marketing.

use super::*;

impl Tx<'_> {
    /// What is remembered of a conversation.
    pub fn contact(&self, id: ConversationId) -> Result<Contact> {
        let sql = "SELECT marketing_stopped_at FROM conversation WHERE id = ?1";
        let stopped_at = self.row(sql, params![id], |row| row.get(0))?;
        Ok(Contact {
            first_message: self.talk(id)?.first_message,
            marketing_stopped_at: stopped_at.flatten(),
        })
    }

    /// The person wants no marketing since then, or wants it (again).
    pub fn set_marketing_stopped(&self, id: ConversationId, at: Option<i64>) -> Result<()> {
        self.execute(
            "UPDATE conversation SET marketing_stopped_at = ?2 WHERE id = ?1",
            params![id, at],
        )?;
        Ok(())
    }

    /// What a number's template is for, once one was priced.
    pub fn template_purpose(&self, number: &str, template: &str) -> Result<Option<Purpose>> {
        let sql = "SELECT marketing FROM template WHERE number = ?1 AND name = ?2";
        let marketing = self.row(sql, params![number, template], |row| row.get(0))?;
        Ok(marketing.map(|marketing| match marketing {
            true => Purpose::Marketing,
            false => Purpose::Service,
        }))
    }

    /// A template of a number was priced.
    pub fn learn_template(&self, number: &str, template: &str, purpose: Purpose) -> Result<()> {
        self.execute(
            "INSERT INTO template(number, name, marketing) VALUES(?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET marketing = excluded.marketing
             WHERE marketing <> excluded.marketing",
            params![number, template, purpose == Purpose::Marketing],
        )?;
        Ok(())
    }

    /// Rules that rest in a conversation, and until when.
    pub fn resting(&self, id: ConversationId) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT rule, until FROM rest WHERE conversation = ?1 LIMIT ?2";
        self.rows(sql, params![id, RESTING_MAX], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// A rule rests in a conversation; those whose rest is over are forgotten.
    pub fn rest(&self, id: ConversationId, rule: &str, until: i64, now: i64) -> Result<()> {
        self.execute(
            "DELETE FROM rest WHERE conversation = ?1 AND until <= ?2",
            params![id, now],
        )?;
        self.execute(
            "INSERT INTO rest(conversation, rule, until) VALUES(?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET until = excluded.until",
            params![id, rule, until],
        )?;
        Ok(())
    }

    /// Two conversations turn out to be one person's: the first message of both
    /// is theirs, and who stopped marketing in one wants none in the other.
    pub(super) fn merge_contact(&self, from: ConversationId, into: ConversationId) -> Result<()> {
        self.execute(
            "UPDATE conversation SET (first_message, marketing_stopped_at) =
               (SELECT min(first_message), max(marketing_stopped_at)
                FROM conversation WHERE id IN (?1, ?2))
             WHERE id = ?2",
            params![from, into],
        )?;
        self.execute(
            "INSERT INTO rest SELECT ?2, rule, until FROM rest WHERE conversation = ?1
             ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
            params![from, into],
        )?;
        self.execute("DELETE FROM rest WHERE conversation = ?1", params![from])?;
        Ok(())
    }
}

/// A rules file has fewer rules that rest; those of older files end by themselves.
const RESTING_MAX: i64 = 10_000;
