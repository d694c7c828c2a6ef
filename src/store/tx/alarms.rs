//! What needs a person: what was noticed, what Meta told, and who is to hear.

use super::*;
use crate::policy::alarm::news::Notice;
use crate::policy::alarm::{Alarm, Cause, Kind as AlarmKind};

/// Word for word what the index event_news is over, so that it is used.
const NEWS: &str = "SELECT id, received_at, body FROM event INDEXED BY event_news
     WHERE kind = 3 AND field IN ('account_alerts', 'account_review_update',
       'account_update', 'message_template_quality_update',
       'message_template_status_update', 'phone_number_quality_update', 'security')
       AND id > ?1
     ORDER BY id LIMIT ?2";

const OLDEST: &str = concat!(
    "SELECT min(",
    job_waits_since!(),
    ") FROM job WHERE id IN (SELECT id FROM job WHERE queue = ?1 AND priority = ?2
       AND due IS NOT NULL ORDER BY due LIMIT ?3)"
);

/// What is to be told to ALERT_URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its row: ids go up, and none is used twice.
    pub id: i64,
    /// Of what.
    pub cause: Cause,
    /// Since when that is, in Unix milliseconds.
    pub since: i64,
    /// When it was over, if it is told that it is.
    pub over_at: Option<i64>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it may be tried next, in Unix milliseconds.
    pub due: i64,
}

/// A kind and what stands after it; of a kind that this version does not know,
/// nothing.
fn cause(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Cause>> {
    let kind: String = row.get(at)?;
    let Some(kind) = AlarmKind::parse(&kind) else {
        return Ok(None);
    };
    Ok(Some(Cause {
        kind,
        subject: row.get(at + 1)?,
        says: row.get(at + 2)?,
        mend: row.get(at + 3)?,
    }))
}

impl Tx<'_> {
    /// What needs a person, the longest first.
    pub fn alarms(&self) -> Result<Vec<Alarm>> {
        let sql = "SELECT kind, subject, says, mend, since, gone_at, alerted FROM alarm
                   ORDER BY since, kind, subject";
        let found = self.rows(sql, &[], |row| {
            let (since, gone_at, alerted) = (row.get(4)?, row.get(5)?, row.get(6)?);
            Ok(cause(row, 0)?.map(|cause| Alarm {
                cause,
                since,
                gone_at,
                alerted,
            }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Writes an alarm down, in the place of what was known of the same cause.
    pub fn put_alarm(&self, alarm: &Alarm) -> Result<()> {
        let Cause {
            kind,
            subject,
            says,
            mend,
        } = &alarm.cause;
        self.execute(
            "INSERT OR REPLACE INTO alarm(kind, subject, says, mend, since, gone_at, alerted)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                kind.as_str(),
                subject,
                says,
                mend,
                alarm.since,
                alarm.gone_at,
                alarm.alerted
            ],
        )?;
        Ok(())
    }

    /// It is over.
    pub fn end_alarm(&self, cause: &Cause) -> Result<()> {
        self.execute(
            "DELETE FROM alarm WHERE kind = ?1 AND subject = ?2",
            params![cause.kind.as_str(), cause.subject],
        )?;
        Ok(())
    }

    /// What stands of Meta's news, and when tokens end.
    pub fn notices(&self) -> Result<Vec<Notice>> {
        let sql = "SELECT kind, subject, says, mend, until FROM notice ORDER BY kind, subject";
        let found = self.rows(sql, &[], |row| {
            let until = row.get(4)?;
            Ok(cause(row, 0)?.map(|cause| Notice {
                kind: cause.kind,
                subject: cause.subject,
                says: cause.says,
                mend: cause.mend,
                until,
            }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Writes a notice down, in the place of the one of the same kind and subject.
    pub fn put_notice(&self, notice: &Notice) -> Result<()> {
        let Notice {
            kind,
            subject,
            says,
            mend,
            until,
        } = notice;
        self.execute(
            "INSERT OR REPLACE INTO notice(kind, subject, says, mend, until)
             VALUES(?1, ?2, ?3, ?4, ?5)",
            params![kind.as_str(), subject, says, mend, until],
        )?;
        Ok(())
    }

    /// What stood is over.
    pub fn end_notice(&self, kind: AlarmKind, subject: &str) -> Result<()> {
        self.execute(
            "DELETE FROM notice WHERE kind = ?1 AND subject = ?2",
            params![kind.as_str(), subject],
        )?;
        Ok(())
    }

    /// Up to which event Meta's news are read.
    pub fn news_upto(&self) -> Result<EventId> {
        let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'news_upto'";
        Ok(self.row(sql, &[], |row| row.get(0))?.unwrap_or(0))
    }

    /// They are read up to there.
    pub fn set_news_upto(&self, event: EventId) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO meta VALUES('news_upto', ?1)",
            params![event.to_string()],
        )?;
        Ok(())
    }

    /// Events after this one that hold such news, the oldest first: their ids,
    /// when they came, and what they say.
    pub fn news_after(&self, after: EventId, limit: usize) -> Result<Vec<(EventId, i64, String)>> {
        self.rows(NEWS, params![after, limit as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// Since when the oldest job of a queue waits, of the `looked_at` of each
    /// priority that are due first: it costs the same at any backlog.
    pub fn oldest_of(&self, queue: QueueId, looked_at: usize) -> Result<Option<i64>> {
        let mut oldest: Option<i64> = None;
        for priority in [Priority::Reply, Priority::Bulk] {
            let of = params![queue, priority as i64, looked_at as i64];
            let found = self
                .row(OLDEST, of, |row| row.get::<_, Option<i64>>(0))?
                .flatten();
            oldest = [oldest, found].into_iter().flatten().min();
        }
        Ok(oldest)
    }

    /// Dead letters of a queue; no more than `most` are counted.
    pub fn dead_at_most(&self, queue: QueueId, most: usize) -> Result<i64> {
        let sql = "SELECT count(*) FROM
                   (SELECT 1 FROM job WHERE state = 3 AND queue = ?1 LIMIT ?2)";
        Ok(self
            .row(sql, params![queue, most as i64], |row| row.get(0))?
            .unwrap_or(0))
    }

    /// The first event from this id on, and when it came.
    pub fn event_from(&self, id: EventId) -> Result<Option<(EventId, i64)>> {
        let sql = "SELECT id, received_at FROM event WHERE id >= ?1 ORDER BY id LIMIT 1";
        self.row(sql, params![id], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Has ALERT_URL told of a cause, or of its end.
    pub fn add_alert(
        &self,
        now: i64,
        cause: &Cause,
        since: i64,
        over_at: Option<i64>,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO alert(kind, subject, says, mend, since, over_at, created_at, due)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
            params![
                cause.kind.as_str(),
                cause.subject,
                cause.says,
                cause.mend,
                since,
                over_at,
                now
            ],
        )?;
        Ok(())
    }

    /// Leaves the newest of the alerts that wait.
    pub fn trim_alerts(&self, most: usize) -> Result<()> {
        self.execute(
            "DELETE FROM alert WHERE id <= (SELECT id FROM alert ORDER BY id DESC LIMIT 1 OFFSET ?1)",
            params![most as i64],
        )?;
        Ok(())
    }

    /// The alert that is to be told next.
    pub fn next_alert(&self) -> Result<Option<Alert>> {
        let sql = "SELECT id, since, over_at, created_at, attempts, due, kind, subject, says, mend
                   FROM alert ORDER BY id LIMIT 1";
        let found = self.row(sql, &[], |row| {
            let known = cause(row, 6)?;
            Ok(Alert {
                id: row.get(0)?,
                // One of a later version, told as well as can be.
                cause: known.unwrap_or(Cause {
                    kind: AlarmKind::Account,
                    subject: row.get(7)?,
                    says: row.get(8)?,
                    mend: row.get(9)?,
                }),
                since: row.get(1)?,
                over_at: row.get(2)?,
                created_at: row.get(3)?,
                attempts: row.get(4)?,
                due: row.get(5)?,
            })
        })?;
        Ok(found)
    }

    /// It was tried in vain, and may be tried again then.
    pub fn put_alert_off(&self, id: i64, due: i64) -> Result<()> {
        self.execute(
            "UPDATE alert SET attempts = attempts + 1, due = ?2 WHERE id = ?1",
            params![id, due],
        )?;
        Ok(())
    }

    /// It has been told, or is given up.
    pub fn end_alert(&self, id: i64) -> Result<()> {
        self.execute("DELETE FROM alert WHERE id = ?1", params![id])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_bounded;
    use super::*;

    #[test]
    fn a_look_costs_the_same_at_any_size() {
        assert_bounded(NEWS);
        assert_bounded(OLDEST);
    }
}
