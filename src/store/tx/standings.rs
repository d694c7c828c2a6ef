//! What Meta told of business numbers.

use super::*;
use crate::policy::standing::{Quality, Standing, Throughput};

/// Ids of people that are looked at for one who has said something. When none of these
/// has, it is not known how the number is shown.
const LOOKED_AT: i64 = 100;

impl Tx<'_> {
    /// What was told of a number, named by the digits it is shown by, and when.
    pub fn standing(&self, digits: &str) -> Result<Option<(Standing, i64)>> {
        let sql = "SELECT quality, limited, throughput, told_at FROM standing WHERE digits = ?1";
        self.row(sql, params![digits], |row| {
            let quality: Option<String> = row.get(0)?;
            let throughput: Option<String> = row.get(2)?;
            let standing = Standing {
                quality: quality.as_deref().and_then(Quality::parse),
                limit: row.get(1)?,
                throughput: throughput.as_deref().and_then(Throughput::parse),
            };
            Ok((standing, row.get(3)?))
        })
    }

    /// Writes down what is known of a number now.
    pub fn set_standing(&self, digits: &str, standing: &Standing, now: i64) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO standing(digits, quality, limited, throughput, told_at)
             VALUES(?1, ?2, ?3, ?4, ?5)",
            params![
                digits,
                standing.quality.map(Quality::as_str),
                standing.limit,
                standing.throughput.map(Throughput::as_str),
                now
            ],
        )?;
        Ok(())
    }

    /// An event that was said to a number or by it, of one of its conversations: it
    /// tells how the number is shown.
    pub fn any_event_of_number(&self, number: &str) -> Result<Option<Event>> {
        let sql = "SELECT conversation FROM alias WHERE number = ?1 LIMIT ?2";
        let some = self.rows(sql, params![number, LOOKED_AT], |row| row.get(0))?;
        for conversation in some {
            if let Some(last) = self.talk(conversation)?.last_event
                && let Some(event) = self.event(last)?
            {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}
