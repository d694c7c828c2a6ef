//! What operators did, and which of their sessions were ended.

use super::*;

impl Tx<'_> {
    /// Writes down what somebody did, and forgets what is older than the newest
    /// `kept`.
    pub fn insert_deed(&self, deed: &NewDeed<'_>, kept: i64) -> Result<()> {
        let NewDeed {
            at,
            session,
            address,
            action,
            subject,
        } = deed;
        self.execute(
            "INSERT INTO trail(at, session, address, action, subject) VALUES(?1, ?2, ?3, ?4, ?5)",
            params![at, session, address, action, subject],
        )?;
        let oldest = self.connection.last_insert_rowid() - kept;
        self.execute("DELETE FROM trail WHERE id <= ?1", params![oldest])?;
        Ok(())
    }

    /// What was done before a deed, the newest first.
    pub fn deeds(&self, before: i64, limit: usize) -> Result<Vec<Deed>> {
        let sql = "SELECT id, at, session, address, action, subject FROM trail
                   WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        self.rows(sql, params![before, limit as i64], |row| {
            Ok(Deed {
                id: row.get(0)?,
                at: row.get(1)?,
                session: row.get(2)?,
                address: row.get(3)?,
                action: row.get(4)?,
                subject: row.get(5)?,
            })
        })
    }

    /// Writes down that a session is over, which would otherwise last until
    /// `over_at`; forgets those that would not last any more at `now`.
    pub fn end_session(&self, id: &[u8], over_at: i64, now: i64) -> Result<()> {
        self.execute(
            "DELETE FROM ended_session WHERE over_at <= ?1",
            params![now],
        )?;
        self.execute(
            "INSERT OR IGNORE INTO ended_session(id, over_at) VALUES(?1, ?2)",
            params![id, over_at],
        )?;
        Ok(())
    }

    /// Deeds that concerned somebody with this id do not tell whom.
    pub fn forget_subject(&self, id: &str) -> Result<()> {
        self.execute(
            "UPDATE trail SET subject = 'forgotten'
             WHERE subject = ?1 OR subject LIKE '%/' || ?1",
            params![id],
        )?;
        Ok(())
    }

    /// Whether a session was ended.
    pub fn is_session_ended(&self, id: &[u8]) -> Result<bool> {
        let sql = "SELECT 1 FROM ended_session WHERE id = ?1";
        Ok(self.row(sql, params![id], |_| Ok(()))?.is_some())
    }
}
