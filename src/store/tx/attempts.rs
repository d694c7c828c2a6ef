//! What attempts at jobs got.

use super::*;

/// Attempts kept of one job: the newest.
const KEPT: i64 = 50;

/// Those at a burst are its first job's.
const OF_JOB: &str = "SELECT attempt, ended_at, said FROM attempt
    WHERE job = coalesce((SELECT burst FROM job WHERE id = ?1), ?1) ORDER BY id";

impl Tx<'_> {
    /// An attempt that is under way ends with this; one that ends well says
    /// nothing, and costs nothing.
    pub(super) fn note_attempt(&self, job: &Job, said: Option<&str>, now: i64) -> Result<()> {
        let Some(said) = said.filter(|_| job.state == JobState::Running) else {
            return Ok(());
        };
        self.execute(
            "INSERT INTO attempt(job, attempt, ended_at, said) VALUES(?1, ?2, ?3, ?4)",
            params![job.id, job.attempts, now, said],
        )?;
        self.execute(
            "DELETE FROM attempt WHERE job = ?1 AND id <=
               (SELECT id FROM attempt WHERE job = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            params![job.id, KEPT],
        )?;
        Ok(())
    }

    /// What attempts at a job got that did not end well, the oldest first; the
    /// newest 50 of them.
    pub fn attempts(&self, job: JobId) -> Result<Vec<Attempt>> {
        self.rows(OF_JOB, params![job], |row| {
            Ok(Attempt {
                attempt: row.get(0)?,
                ended_at: row.get(1)?,
                said: row.get(2)?,
            })
        })
    }

    /// The job that sends a message, and what attempts at it got.
    pub fn attempts_at_message(&self, outbox: OutboxId) -> Result<Vec<Attempt>> {
        match self.job_of_outbox(outbox)? {
            Some(job) => self.attempts(job.id),
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_bounded;
    use super::*;
    use crate::store::Database;

    #[test]
    fn what_attempts_got_is_found_by_their_job() {
        assert_bounded(OF_JOB);
    }

    #[test]
    fn of_many_attempts_the_newest_are_kept() {
        let mut database = Database::in_memory().unwrap();
        let made = |tx: &Tx<'_>| {
            let queue = tx.queue(QueueKind::Deliver, "bot")?;
            let ids =
                [1, 2].map(|lane| tx.push_job(queue, lane, Some(1), None, Priority::Reply, 0));
            let [one, other] = ids;
            Ok((one?, other?))
        };
        let (one, other) = database.commit(made).unwrap();
        let fail = |database: &mut Database, job, now, said: Option<&str>| {
            let step = |tx: &Tx<'_>| {
                tx.start_job(&tx.job(job)?.expect("it was made above"))?;
                let job = tx.job(job)?.expect("it was made above");
                tx.retry_job(&job, now, now, job.attempts, said)
            };
            database.commit(step).unwrap();
        };
        fail(&mut database, other, 1, Some("HTTP 500"));
        for now in 1..=KEPT + 9 {
            fail(&mut database, one, now, Some("HTTP 503"));
            fail(&mut database, one, now, None);
        }
        let of = |job| database.read(|tx| tx.attempts(job)).unwrap();
        let times: Vec<i64> = of(one).iter().map(|attempt| attempt.ended_at).collect();
        assert_eq!(times, (10..=KEPT + 9).collect::<Vec<_>>());
        assert_eq!(of(one).last().unwrap().attempt, 2 * (KEPT as u32 + 9) - 1);
        let expected = Attempt {
            attempt: 1,
            ended_at: 1,
            said: "HTTP 500".into(),
        };
        assert_eq!(of(other), [expected]);
    }

    #[test]
    fn who_gives_up_a_job_that_does_not_run_makes_no_attempt() {
        let mut database = Database::in_memory().unwrap();
        let step = |tx: &Tx<'_>| {
            let queue = tx.queue(QueueKind::Deliver, "bot")?;
            let id = tx.push_job(queue, 1, Some(1), None, Priority::Reply, 0)?;
            let job = tx.job(id)?.expect("it was made above");
            tx.end_job(&job, JobState::Dead, Some("dropped"), 5)?;
            tx.attempts(id)
        };
        assert_eq!(database.commit(step).unwrap(), []);
    }
}
