//! What Meta told of business numbers.

use super::*;
use crate::policy::standing::{Quality, Standing, Throughput};

/// Conversations of late that are looked at for one of a number's.
const LOOKED_AT: usize = 100;

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

    /// An event that was said to a number or by it, of whichever conversation: it
    /// tells how the number is shown.
    pub fn any_event_of_number(&self, number: &str) -> Result<Option<Event>> {
        let sql = "SELECT event.id FROM alias
                   JOIN conversation ON conversation.id = alias.conversation
                   JOIN event ON event.id = conversation.last_event
                   WHERE alias.number = ?1 LIMIT 1";
        if let Some(filed) = self.row(sql, params![number], |row| row.get(0))? {
            return self.event(filed);
        }
        // Nobody's yet: it is among those that are not filed.
        for word in self.last_events(EventId::MAX, 0, LOOKED_AT)? {
            let names = self.conversation_names(word.conversation)?;
            if names.is_some_and(|(of, ..)| of == number) {
                return self.event(word.id);
            }
        }
        Ok(None)
    }
}
