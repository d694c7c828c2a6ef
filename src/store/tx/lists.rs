//! Pages of what is stored, the newest first, for an operator's eyes. A page
//! looks through so many rows and no more, whatever it finds there, and says
//! where the next one goes on: what is rare costs no walk over everything.

use super::*;

/// Which events are looked for. Each part narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of these conversations, which are one person's.
    pub conversations: Option<Vec<ConversationId>>,
    /// To this business number.
    pub number: Option<String>,
    /// With a delivery to this consumer, whose state alone counts then.
    pub consumer: Option<QueueId>,
    /// Standing so.
    pub state: Option<InboxState>,
    /// Stored then.
    pub stored: Span,
}

/// Which messages are looked for. Each part narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Standing so.
    pub state: Option<SendState>,
    /// Of this type.
    pub type_: Option<String>,
    /// Of these conversations, which are one person's.
    pub conversations: Option<Vec<ConversationId>>,
    /// From this business number.
    pub number: Option<String>,
    /// That met this code of Meta's last.
    pub code: Option<i64>,
    /// Queued then.
    pub queued: Span,
}

/// From a time on and before another, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub since: Option<i64>,
    /// Before that.
    pub until: Option<i64>,
}

/// What was found in so many rows.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The newest first.
    pub rows: Vec<T>,
    /// Where to go on: the row before this one. `None` at the end.
    pub older: Option<i64>,
}

const EVENTS: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM event AS e
      WHERE id < ?1 AND id >= ?2
        AND (?3 IS NULL OR kind = ?3)
        AND received_at >= ?4 AND received_at < ?5
        AND (?6 IS NULL OR conversation IN (SELECT value FROM json_each(?6)))
        AND (?7 IS NULL OR
             (SELECT number FROM conversation AS c WHERE c.id = e.conversation) = ?7)
        AND (?8 IS NULL OR EXISTS(SELECT 1 FROM job WHERE job.event = e.id AND job.queue = ?8))
        AND (?9 IS NULL OR ?9 = coalesce(
             (SELECT max(CASE job.state WHEN 2 THEN 0 WHEN 3 THEN 2 ELSE 1 END)
              FROM job WHERE job.event = e.id AND (?8 IS NULL OR job.queue = ?8)), 0))
      ORDER BY id DESC LIMIT ?10"
);

const DEAD: &str = "SELECT id, event, error FROM job
    WHERE state = 3 AND id < ?1 AND event IS NOT NULL ORDER BY id DESC LIMIT ?2";

macro_rules! messages {
    ($of:literal) => {
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM outbox ",
            $of,
            " AND id < ?1 AND id >= ?2
              AND (?4 IS NULL OR type = ?4)
              AND created_at >= ?5 AND created_at < ?6
              AND (?7 IS NULL OR conversation IN (SELECT value FROM json_each(?7)))
              AND (?8 IS NULL OR number = ?8)
              AND (?9 IS NULL OR error_code = ?9)
              ORDER BY id DESC LIMIT ?10"
        )
    };
}
const MESSAGES: &str = messages!("WHERE ?3 IS NULL");
const MESSAGES_IN_STATE: &str = messages!("INDEXED BY outbox_state WHERE state = ?3");

const FLOOR: &str = "SELECT id FROM outbox INDEXED BY outbox_state
    WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3";

/// How a log is asked from where to where it goes, and when a row of it was written.
struct Asks {
    first: &'static str,
    last: &'static str,
    since: &'static str,
}

const OF_EVENTS: Asks = Asks {
    first: "SELECT min(id) FROM event",
    last: "SELECT max(id) FROM event",
    since: "SELECT id, received_at FROM event WHERE id >= ?1 ORDER BY id LIMIT 1",
};

const OF_MESSAGES: Asks = Asks {
    first: "SELECT min(id) FROM outbox",
    last: "SELECT max(id) FROM outbox",
    since: "SELECT id, created_at FROM outbox WHERE id >= ?1 ORDER BY id LIMIT 1",
};

impl Asks {
    fn of(log: Log) -> Asks {
        match log {
            Log::Events => OF_EVENTS,
            Log::Messages => OF_MESSAGES,
        }
    }
}

impl Tx<'_> {
    /// Events that the filter takes, `limit` at most, from those older than
    /// `before` on, among the next `look` of all.
    pub fn find_events(
        &self,
        filter: &EventFilter,
        before: EventId,
        limit: usize,
        look: usize,
    ) -> Result<Found<Event>> {
        let (before, oldest) = self.ends(Log::Events, before, filter.stored)?;
        let floor = before.saturating_sub(look as i64).max(oldest);
        let rows = self.rows(
            EVENTS,
            params![
                before,
                floor,
                filter.kind.map(|kind| kind as i64),
                filter.stored.since.unwrap_or(i64::MIN),
                filter.stored.until.unwrap_or(i64::MAX),
                filter.conversations.as_deref().map(list),
                filter.number,
                filter.consumer,
                filter.state.map(|state| state as i64),
                limit as i64,
            ],
            event,
        )?;
        let last = rows.last().map(|event| event.id);
        let older = go_on(last.filter(|_| rows.len() >= limit), floor, oldest);
        Ok(Found { rows, older })
    }

    /// Dead letters of deliveries, the newest first, from the job before `before`
    /// on, no more than `limit`: the job, its event, and what went wrong.
    pub fn dead_before(
        &self,
        before: JobId,
        limit: usize,
    ) -> Result<Vec<(JobId, EventId, Option<String>)>> {
        self.rows(DEAD, params![before, limit as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// Messages that the filter takes, `limit` at most, from those older than
    /// `before` on, among the next `look`: of those in the state, if one is asked
    /// for, else of all.
    pub fn find_messages(
        &self,
        filter: &MessageFilter,
        before: OutboxId,
        limit: usize,
        look: usize,
    ) -> Result<Found<Message>> {
        let (before, oldest) = self.ends(Log::Messages, before, filter.queued)?;
        let floor = match filter.state {
            Some(state) => self.message_floor(state, before, look)?,
            None => before.saturating_sub(look as i64),
        };
        let floor = floor.max(oldest);
        let sql = match filter.state {
            Some(_) => MESSAGES_IN_STATE,
            None => MESSAGES,
        };
        let rows = self.rows(
            sql,
            params![
                before,
                floor,
                filter.state.map(SendState::as_str),
                filter.type_,
                filter.queued.since.unwrap_or(i64::MIN),
                filter.queued.until.unwrap_or(i64::MAX),
                filter.conversations.as_deref().map(list),
                filter.number,
                filter.code,
                limit as i64,
            ],
            message,
        )?;
        let last = rows.last().map(|message| message.id);
        let older = go_on(last.filter(|_| rows.len() >= limit), floor, oldest);
        Ok(Found { rows, older })
    }

    /// The last of the next `look` messages in a state.
    fn message_floor(&self, state: SendState, before: OutboxId, look: usize) -> Result<OutboxId> {
        let last = look.saturating_sub(1) as i64;
        let found = self.row(FLOOR, params![state.as_str(), before, last], |row| {
            row.get(0)
        })?;
        Ok(found.unwrap_or(0))
    }

    /// The row after the newest to look at, and the oldest.
    pub(super) fn ends(&self, log: Log, before: i64, span: Span) -> Result<(i64, i64)> {
        let asks = Asks::of(log);
        let id = |sql| -> Result<i64> {
            let found = self.row(sql, &[], |row| row.get::<_, Option<i64>>(0))?;
            Ok(found.flatten().unwrap_or(0))
        };
        let (first, end) = (id(asks.first)?, id(asks.last)? + 1);
        let (mut before, mut oldest) = (before.min(end), first);
        if let Some(until) = span.until {
            before = before.min(self.first_since(log, until, (first, end))?);
        }
        if let Some(since) = span.since {
            oldest = self.first_since(log, since, (first, end))?;
        }
        Ok((before, oldest))
    }

    /// The first row written at a time or later, found by halves: rows are in the
    /// order of time, as far as the clock went forward.
    fn first_since(&self, log: Log, at: i64, (first, end): (i64, i64)) -> Result<i64> {
        let Asks { since, .. } = Asks::of(log);
        let (mut low, mut high) = (first, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.row(since, params![middle], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            match found {
                Some((id, written)) if written < at => low = id + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

/// Where the next page begins: at the last row of a full one, else where the look
/// ended, unless nothing is older.
fn go_on(last_of_full: Option<i64>, floor: i64, oldest: i64) -> Option<i64> {
    let next = last_of_full.unwrap_or(floor);
    (next > oldest).then_some(next)
}

/// Ids as SQLite reads a list.
fn list(ids: &[ConversationId]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}

#[cfg(test)]
mod tests;
