//! Consumers and sending numbers: breaker, bucket, halt.

use super::*;

const UNREACHABLE_AT: &str = "graph_unreachable_at";

impl Tx<'_> {
    /// The queue of this kind and name, made when there is none.
    pub fn queue(&self, kind: QueueKind, name: &str) -> Result<QueueId> {
        let find = "SELECT id FROM queue WHERE kind = ?1 AND name = ?2";
        let found = self.row(find, params![kind as i64, name], |row| row.get(0))?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.execute(
            "INSERT INTO queue(kind, name) VALUES(?1, ?2)",
            params![kind as i64, name],
        )?;
        // It has yet to learn its account.
        self.unfiled.borrow_mut().known.forget_waba(name);
        Ok(self.connection.last_insert_rowid())
    }

    /// All queues.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        let sql = concat!("SELECT ", queue_columns!(), " FROM queue ORDER BY id");
        self.rows(sql, &[], queue)
    }

    /// One queue.
    pub fn queue_row(&self, id: QueueId) -> Result<Option<Queue>> {
        let sql = concat!("SELECT ", queue_columns!(), " FROM queue WHERE id = ?1");
        self.row(sql, params![id], queue)
    }

    /// Writes a queue's breaker.
    pub fn set_breaker(&self, id: QueueId, breaker: Breaker) -> Result<()> {
        self.execute(
            "UPDATE queue SET failures = ?2, closed_until = ?3 WHERE id = ?1",
            params![id, breaker.failures, breaker.closed_until_ms],
        )?;
        Ok(())
    }

    /// Writes down whether the settings name it.
    pub fn set_served(&self, id: QueueId, served: bool) -> Result<()> {
        self.execute(
            "UPDATE queue SET served = ?2 WHERE id = ?1",
            params![id, served],
        )?;
        Ok(())
    }

    /// Writes down to which account a sending number belongs, if that is news.
    pub fn learn_waba(&self, number: &str, waba: &str) -> Result<()> {
        let known = &mut self.unfiled.borrow_mut().known;
        if known.is_of(number, waba) {
            return Ok(());
        }
        self.execute(
            "UPDATE queue SET waba = ?3 WHERE kind = ?1 AND name = ?2 AND waba IS NOT ?3",
            params![QueueKind::Send as i64, number, waba],
        )?;
        known.learn_waba(number, waba);
        Ok(())
    }

    /// Writes when a number's next send may begin, and how many replies went
    /// in a row.
    pub fn set_pace(&self, id: QueueId, next_us: i64, replies: u32) -> Result<()> {
        self.execute(
            "UPDATE queue SET full_at_us = ?2, replies_in_a_row = ?3 WHERE id = ?1",
            params![id, next_us, replies],
        )?;
        Ok(())
    }

    /// Writes what a refusal for pace left behind.
    pub fn set_throttle(&self, id: QueueId, throttle: Throttle) -> Result<()> {
        self.execute(
            "UPDATE queue SET throttled_until = ?2, throttle_hits = ?3, throttle_share = ?4
             WHERE id = ?1",
            params![id, throttle.until_ms, throttle.hits, throttle.share],
        )?;
        Ok(())
    }

    /// When Graph could not be reached last, in Unix milliseconds.
    pub fn graph_unreachable_at(&self) -> Result<Option<i64>> {
        self.meta_number(UNREACHABLE_AT)
    }

    /// Writes down that Graph could not be reached.
    pub fn set_graph_unreachable_at(&self, now: i64) -> Result<()> {
        self.set_meta_number(UNREACHABLE_AT, now)
    }

    /// Writes down the token a number sends with, by its digest.
    pub fn set_token_digest(&self, id: QueueId, digest: Option<&str>) -> Result<()> {
        self.execute(
            "UPDATE queue SET token_digest = ?2 WHERE id = ?1",
            params![id, digest],
        )?;
        Ok(())
    }

    /// All halts, the longest first.
    pub fn halts(&self) -> Result<Vec<Halt>> {
        self.rows(
            "SELECT scope, subject, number, token_digest, code, reason, details, since, failures,
                    probe_at, probe, by_status
             FROM halt ORDER BY since, scope, subject",
            &[],
            halt,
        )
    }

    /// Writes a halt, in the place of what was known of it.
    pub fn set_halt(&self, halt: &Halt) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO halt(scope, subject, number, token_digest, code, reason,
                                         details, since, failures, probe_at, probe,
                                         by_status)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                halt.scope.as_str(),
                halt.subject,
                halt.number,
                halt.token_digest,
                halt.code,
                halt.reason,
                halt.details,
                halt.since,
                halt.failures,
                halt.probe_at,
                halt.probe,
                halt.told == Told::ByStatus,
            ],
        )?;
        Ok(())
    }

    /// A number was halted until then.
    pub fn set_mended_at(&self, id: QueueId, now: i64) -> Result<()> {
        self.execute(
            "UPDATE queue SET mended_at = ?2 WHERE id = ?1",
            params![id, now],
        )?;
        Ok(())
    }

    /// Ends a halt.
    pub fn end_halt(&self, scope: HaltScope, subject: &str) -> Result<()> {
        self.execute(
            "DELETE FROM halt WHERE scope = ?1 AND subject = ?2",
            params![scope.as_str(), subject],
        )?;
        Ok(())
    }
}
