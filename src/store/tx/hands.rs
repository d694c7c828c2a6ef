//! In whose hands conversations are.

use super::*;
use crate::policy::clock::FAR_MS;
use crate::policy::handover::{By, Hands, Taken};

impl Tx<'_> {
    /// In whose hands a conversation is.
    pub fn hands(&self, id: ConversationId) -> Result<Hands> {
        let sql = "SELECT taken_by, taken_since, taken_until, given_at FROM conversation
                   WHERE id = ?1";
        let hands = self.row(sql, params![id], |row| {
            Ok(Hands {
                taken: taken(row, 0)?,
                given_at: row.get(3)?,
            })
        })?;
        Ok(hands.unwrap_or_default())
    }

    /// Writes in whose hands a conversation is.
    pub fn set_hands(&self, id: ConversationId, hands: Hands) -> Result<()> {
        let taken = hands.taken;
        self.execute(
            "UPDATE conversation SET taken_by = ?2, taken_since = ?3, taken_until = ?4,
                                     given_at = ?5
             WHERE id = ?1",
            params![
                id,
                taken.map(|taken| taken.by.as_str()),
                taken.map(|taken| taken.since),
                taken.map(|taken| taken.until),
                hands.given_at
            ],
        )?;
        Ok(())
    }

    /// Conversations in a person's hands, those that end first.
    pub fn taken(&self, now: i64, limit: usize) -> Result<Vec<(ConversationId, Taken)>> {
        let sql = "SELECT taken_by, taken_since, taken_until, id FROM conversation
                   WHERE taken_until > ?1 AND taken_since <= ?2 AND merged_into IS NULL
                   ORDER BY taken_until, id LIMIT ?3";
        let begun = now + FAR_MS;
        let rows = self.rows(sql, params![now, begun, limit as i64], |row| {
            Ok((row.get(3)?, taken(row, 0)?))
        })?;
        let known = rows.into_iter();
        Ok(known.filter_map(|(id, taken)| Some((id, taken?))).collect())
    }

    /// How many conversations are in a person's hands.
    pub fn taken_count(&self, now: i64) -> Result<i64> {
        let sql = "SELECT count(*) FROM conversation
                   WHERE taken_until > ?1 AND taken_since <= ?2 AND merged_into IS NULL";
        let begun = now + FAR_MS;
        let count = self.row(sql, params![now, begun], |row| row.get(0))?;
        Ok(count.unwrap_or(0))
    }
}

fn taken(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Taken>> {
    let by: Option<String> = row.get(at)?;
    let (since, until): (Option<i64>, Option<i64>) = (row.get(at + 1)?, row.get(at + 2)?);
    let by = by.as_deref().and_then(By::parse);
    Ok(by
        .zip(since)
        .zip(until)
        .map(|((by, since), until)| Taken { by, since, until }))
}
