//! Jobs that are one delivery: a burst. Its first job stands for all in its lane;
//! the others wait behind it, start, fail and end with it, and are opened again
//! with it.

use super::*;

impl Tx<'_> {
    /// These jobs are one burst from now on, the first of them being `first`.
    pub fn set_burst(&self, first: JobId, members: &[JobId]) -> Result<()> {
        for id in members {
            self.execute(
                "UPDATE job SET burst = ?2 WHERE id = ?1",
                params![id, first],
            )?;
        }
        Ok(())
    }

    /// What a job is handed over with, in order, without itself.
    pub fn mates(&self, job: &Job) -> Result<Vec<Job>> {
        let Some(burst) = job.burst else {
            return Ok(Vec::new());
        };
        let sql = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE burst = ?1 AND id <> ?2 ORDER BY id"
        );
        self.rows(sql, params![burst, job.id], super::job)
    }

    /// The open jobs behind one in its lane, in order.
    pub fn behind(&self, job: &Job, limit: usize) -> Result<Vec<Job>> {
        let mut ids = self.recent_behind(job, limit)?;
        let sql = "SELECT job FROM lane WHERE queue = ?1 AND lane = ?2 AND job > ?3
                   ORDER BY job LIMIT ?4";
        let filed = params![job.queue, job.lane, job.id, limit as i64];
        ids.extend(self.rows(sql, filed, |row| row.get::<_, JobId>(0))?);
        ids.sort_unstable();
        ids.truncate(limit);
        let jobs = ids.into_iter().map(|id| self.job(id));
        Ok(jobs
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn recent_behind(&self, job: &Job, limit: usize) -> Result<Vec<JobId>> {
        let jobs = &mut self.unfiled.borrow_mut().jobs;
        jobs.hold(self.connection)?;
        let from = (job.queue, job.lane, job.id + 1);
        let to = (job.queue, job.lane, JobId::MAX);
        let places = jobs.some(from, to, limit).into_iter();
        Ok(places.map(|(_, _, id)| id).collect())
    }

    /// Its mates stand where the job stands.
    pub(super) fn burst_follows(&self, job: &Job) -> Result<()> {
        if let Some(burst) = job.burst {
            self.execute(
                "UPDATE job SET (attempts, error) = (SELECT attempts, error FROM job WHERE id = ?2)
                 WHERE burst = ?1 AND id <> ?2 AND state < 2",
                params![burst, job.id],
            )?;
        }
        Ok(())
    }

    /// Its mates end as the job ends.
    pub(super) fn burst_ends(&self, job: &Job, state: JobState, error: Option<&str>) -> Result<()> {
        for mate in self.mates(job)? {
            if matches!(mate.state, JobState::Waiting | JobState::Running) {
                self.execute(
                    "UPDATE job SET state = ?2, due = NULL, error = ?3 WHERE id = ?1",
                    params![mate.id, state as i64, error],
                )?;
                self.leave_lane(&mate)?;
            }
        }
        Ok(())
    }
}
