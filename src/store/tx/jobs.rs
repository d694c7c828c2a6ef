//! Jobs and lanes.

use super::super::filing::Place;
use super::*;

/// Of what is due in a queue so many are looked at for the oldest.
const DUE_LOOKED_AT: usize = 100;

impl Tx<'_> {
    /// Adds a job at the end of its lane: due then when the lane is empty, else when
    /// those before it are through.
    pub fn push_job(
        &self,
        queue: QueueId,
        lane: ConversationId,
        event: Option<EventId>,
        outbox: Option<OutboxId>,
        priority: Priority,
        due: i64,
    ) -> Result<JobId> {
        self.append_job(queue, lane, [event, outbox, None], priority, due)
    }

    /// Adds a job for one of an event, a message and a file, in this order.
    pub(super) fn append_job(
        &self,
        queue: QueueId,
        lane: ConversationId,
        [event, outbox, media]: [Option<i64>; 3],
        priority: Priority,
        due: i64,
    ) -> Result<JobId> {
        let is_first = self.recent_in_lane(queue, lane)?.is_none()
            && self.filed_in_lane(queue, lane)?.is_none();
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        let id = jobs.next_id();
        self.execute(
            "INSERT INTO job(id, queue, lane, event, outbox, media, priority, due, not_before)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?8, 0))",
            params![
                id,
                queue,
                lane,
                event,
                outbox,
                media,
                priority as i64,
                is_first.then_some(due)
            ],
        )?;
        jobs.add(self.connection, (queue, lane, id))?;
        Ok(id)
    }

    /// Jobs of a queue and a priority whose time has come, the longest due first.
    pub fn due_jobs(
        &self,
        queue: QueueId,
        priority: Priority,
        now: i64,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE queue = ?1 AND priority = ?2 AND due <= ?3 AND due IS NOT NULL
              ORDER BY due, id LIMIT ?4"
        );
        self.rows(sql, params![queue, priority as i64, now, limit as i64], job)
    }

    /// When the queue's next job is due.
    pub fn next_due(&self, queue: QueueId) -> Result<Option<i64>> {
        let sql = "SELECT min(due) FROM job WHERE queue = ?1 AND priority = ?2 AND due IS NOT NULL";
        let mut next: Option<i64> = None;
        for priority in [Priority::Reply, Priority::Bulk] {
            let due = self.row(sql, params![queue, priority as i64], |row| row.get(0))?;
            next = next.into_iter().chain(due.flatten()).min();
        }
        Ok(next)
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>> {
        let sql = concat!("SELECT ", job_columns!(), " FROM job WHERE id = ?1");
        self.row(sql, params![id], job)
    }

    /// The job that sends a message.
    pub fn job_of_outbox(&self, outbox: OutboxId) -> Result<Option<Job>> {
        let sql = concat!("SELECT ", job_columns!(), " FROM job WHERE outbox = ?1");
        self.row(sql, params![outbox], job)
    }

    /// An attempt begins: counted before anything happens outside.
    pub fn start_job(&self, job: &Job) -> Result<()> {
        self.execute(
            "UPDATE job SET state = 1, due = NULL, attempts = attempts + 1 WHERE id = ?1",
            params![job.id],
        )?;
        self.burst_follows(job)
    }

    /// The attempt is over and the job is tried again, not before a time and
    /// not before its turn: its lane may have become part of another meanwhile.
    pub fn retry_job(
        &self,
        job: &Job,
        now: i64,
        not_before: i64,
        attempts: u32,
        error: Option<&str>,
    ) -> Result<()> {
        self.note_attempt(job, error, now)?;
        self.execute(
            "UPDATE job SET state = 0, due = NULL, not_before = ?2, attempts = ?3, error = ?4
             WHERE id = ?1",
            params![job.id, not_before, attempts, error],
        )?;
        self.burst_follows(job)?;
        self.wake_lane(job.queue, job.lane, now)
    }

    /// The job waits until a time; nothing else about it changes.
    pub fn defer_job(&self, id: JobId, not_before: i64) -> Result<()> {
        self.execute(
            "UPDATE job SET not_before = ?2, due = CASE WHEN due IS NULL THEN NULL ELSE ?2 END
             WHERE id = ?1",
            params![id, not_before],
        )?;
        Ok(())
    }

    /// Jobs of a queue that would be due after `latest` are due at `due`.
    pub fn hasten_jobs(&self, queue: QueueId, latest: i64, due: i64) -> Result<()> {
        // By priority, as the index has them: mostly there is none.
        for priority in [Priority::Reply, Priority::Bulk] {
            self.execute(
                "UPDATE job SET due = ?4, not_before = ?4
                 WHERE queue = ?1 AND priority = ?2 AND due > ?3 AND due IS NOT NULL",
                params![queue, priority as i64, latest, due],
            )?;
        }
        Ok(())
    }

    /// The job ends, with it all that it was handed over with, and the next of its
    /// lane becomes due.
    pub fn end_job(&self, job: &Job, state: JobState, error: Option<&str>, now: i64) -> Result<()> {
        debug_assert!(matches!(state, JobState::Done | JobState::Dead));
        self.note_attempt(job, error, now)?;
        self.execute(
            "UPDATE job SET state = ?2, due = NULL, error = ?3 WHERE id = ?1",
            params![job.id, state as i64, error],
        )?;
        self.leave_lane(job)?;
        self.burst_ends(job, state, error)?;
        self.wake_lane(job.queue, job.lane, now)
    }

    /// Adds a job for an event that came before and is handed over as if it had just come.
    pub fn push_again(
        &self,
        queue: QueueId,
        lane: ConversationId,
        event: EventId,
        now: i64,
    ) -> Result<()> {
        let id = self.push_job(queue, lane, Some(event), None, Priority::Reply, now)?;
        self.execute(
            "UPDATE job SET reopened_at = ?2 WHERE id = ?1",
            params![id, now],
        )?;
        Ok(())
    }

    /// An ended job is to be done again, in the place it had in its lane (which
    /// may have become part of another since), and with it all that it was handed
    /// over with. No other will join them.
    pub fn reopen_job(&self, job: &Job, now: i64) -> Result<()> {
        let mut again = vec![job.id];
        again.extend(self.mates(job)?.iter().map(|mate| mate.id));
        for id in again {
            self.execute(
                "UPDATE job SET state = 0, due = NULL, not_before = 0, attempts = 0, error = NULL,
                                lane = ?2, reopened_at = ?3,
                                burst = CASE WHEN event IS NULL THEN NULL ELSE coalesce(burst, id) END
                 WHERE id = ?1",
                params![id, job.lane, now],
            )?;
            self.execute(
                "INSERT OR IGNORE INTO lane(queue, lane, job) VALUES(?1, ?2, ?3)",
                params![job.queue, job.lane, id],
            )?;
        }
        self.settle_lane(job.queue, job.lane, now)
    }

    /// Jobs came into a lane otherwise than at its end: its first open job, and
    /// no other, becomes due.
    pub fn settle_lane(&self, queue: QueueId, lane: ConversationId, now: i64) -> Result<()> {
        self.file_lane(queue, lane)?;
        // `+due` leads the planner past the index of all that is due, whose size
        // is the number of lanes.
        self.execute(
            "UPDATE job SET due = NULL
             WHERE id IN (SELECT job FROM lane WHERE queue = ?1 AND lane = ?2)
               AND +due IS NOT NULL",
            params![queue, lane],
        )?;
        self.wake_lane(queue, lane, now)
    }

    /// Makes the first open job of a lane due, unless one of the lane runs.
    fn wake_lane(&self, queue: QueueId, lane: ConversationId, now: i64) -> Result<()> {
        let Some(first) = self.first_of_lane(queue, lane)? else {
            return Ok(());
        };
        self.execute(
            "UPDATE job SET due = max(?4, not_before)
             WHERE id = ?3 AND state = 0 AND due IS NULL
               AND NOT EXISTS(SELECT 1 FROM job WHERE state = 1 AND queue = ?1 AND lane = ?2)",
            params![queue, lane, first, now],
        )?;
        Ok(())
    }

    /// How many jobs of a queue are under way.
    pub fn running(&self, queue: QueueId) -> Result<usize> {
        let sql = "SELECT count(*) FROM job WHERE state = 1 AND queue = ?1";
        let count: Option<i64> = self.row(sql, params![queue], |row| row.get(0))?;
        Ok(count.unwrap_or(0) as usize)
    }

    /// The oldest open job of a lane.
    fn first_of_lane(&self, queue: QueueId, lane: ConversationId) -> Result<Option<JobId>> {
        let recent = self.recent_in_lane(queue, lane)?;
        let filed = self.filed_in_lane(queue, lane)?;
        Ok(filed.into_iter().chain(recent).min())
    }

    fn recent_in_lane(&self, queue: QueueId, lane: ConversationId) -> Result<Option<JobId>> {
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        jobs.hold(self.connection)?;
        let (from, to) = whole(queue, lane);
        Ok(jobs.first(from, to).map(|(_, _, id)| id))
    }

    fn filed_in_lane(&self, queue: QueueId, lane: ConversationId) -> Result<Option<JobId>> {
        let sql = "SELECT min(job) FROM lane WHERE queue = ?1 AND lane = ?2";
        let found = self.row(sql, params![queue, lane], |row| row.get(0))?;
        Ok(found.flatten())
    }

    pub(super) fn leave_lane(&self, job: &Job) -> Result<()> {
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        jobs.hold(self.connection)?;
        if !jobs.remove((job.queue, job.lane, job.id)) {
            self.execute(
                "DELETE FROM lane WHERE queue = ?1 AND lane = ?2 AND job = ?3",
                params![job.queue, job.lane, job.id],
            )?;
        }
        Ok(())
    }

    /// From here on the whole lane is in `lane`.
    pub(super) fn file_lane(&self, queue: QueueId, lane: ConversationId) -> Result<()> {
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        jobs.hold(self.connection)?;
        let (from, to) = whole(queue, lane);
        jobs.file(self.connection, from, to)
    }

    /// Jobs whose attempt was under way when the last process ended.
    pub fn running_jobs(&self) -> Result<Vec<Job>> {
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE state = 1 ORDER BY id"
        );
        self.rows(sql, &[], job)
    }

    /// Deliveries that ended, or only dead letters, the oldest first from the one
    /// after `after` on: the job, what went wrong, and when its event was stored.
    pub fn ended_deliveries(
        &self,
        after: JobId,
        only_dead: bool,
        limit: usize,
    ) -> Result<Vec<(Job, Option<String>, i64)>> {
        macro_rules! ended {
            ($states:literal) => {
                concat!(
                    "SELECT ",
                    job_columns!(),
                    ", error, (SELECT received_at FROM event WHERE id = job.event)
                     FROM job WHERE id > ?1 AND ",
                    $states,
                    " AND event IS NOT NULL ORDER BY id LIMIT ?2"
                )
            };
        }
        // Dead letters have an index.
        let sql = match only_dead {
            true => ended!("state = 3"),
            false => ended!("state >= 2"),
        };
        self.rows(sql, params![after, limit as i64], |row| {
            let received_at: Option<i64> = row.get(11)?;
            Ok((job(row)?, row.get(10)?, received_at.unwrap_or_default()))
        })
    }

    /// How much of a queue is not done. Takes the longer the more that is.
    pub fn depth(&self, queue: QueueId) -> Result<Depth> {
        let open = "SELECT (SELECT count(*) FROM lane WHERE queue = ?1) +
               (SELECT count(*) FROM job
                WHERE id > (SELECT upto FROM filed WHERE log = 'job') AND queue = ?1 AND state < 2
                  AND NOT EXISTS(SELECT 1 FROM lane
                                 WHERE queue = job.queue AND lane = job.lane AND job = job.id))";
        let open = self.row(open, params![queue], |row| row.get(0))?;
        // Jobs have their ids in the order in which they came, so that the index of what is due
        // tells which is the oldest, without a look at each. Those done again waited for less
        // than their ids say: beside them are those that are due first.
        let first = "SELECT count(*), min(id) FROM job WHERE queue = ?1 AND due IS NOT NULL";
        let first = self.row(first, params![queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (lanes, first): (i64, Option<JobId>) = first.unwrap_or((0, None));
        let since = concat!("SELECT ", job_waits_since!(), " FROM job WHERE id = ?1");
        let first: Option<Option<i64>> = self.row(since, params![first], |row| row.get(0))?;
        let due_first = self.oldest_of(queue, DUE_LOOKED_AT)?;
        Ok(Depth {
            open: open.unwrap_or(0),
            lanes,
            oldest: [first.flatten(), due_first].into_iter().flatten().min(),
        })
    }

    /// Dead letters of a queue.
    pub fn dead(&self, queue: QueueId) -> Result<i64> {
        let sql = "SELECT count(*) FROM job WHERE state = 3 AND queue = ?1";
        Ok(self
            .row(sql, params![queue], |row| row.get(0))?
            .unwrap_or(0))
    }
}

/// A lane, from its first place to its last.
fn whole(queue: QueueId, lane: ConversationId) -> (Place, Place) {
    ((queue, lane, JobId::MIN), (queue, lane, JobId::MAX))
}
