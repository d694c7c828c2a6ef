//! Customers' files: what an event names is fetched before Meta forgets it. Each
//! file is a lane of its own, so they come in parallel and none waits for
//! another; a number's files share its breaker.

use super::Gateway;
use super::claim::{Started, Work, give_up};
use super::clock_set::is_older;
use crate::policy::breaker::Breaker;
use crate::policy::fetch::{self, Fetch, Next};
use crate::policy::priority::Priority;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::media::{self, Digest, Kind};

/// Why a file is given up by its age.
const TOO_OLD: &str = "could not be fetched within the 7 days for which Meta keeps it";

/// A file on its way to us.
#[derive(Clone, Debug)]
pub struct Fetching {
    /// The job, for `finish`.
    pub job: JobId,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// The file's row.
    pub media: MediaId,
    /// Meta's id for it: safe in a path.
    pub media_id: String,
    /// `phone_number_id` it came to, whose token may read it.
    pub number: String,
    /// The type the event gave.
    pub mime_type: Option<String>,
    /// The digest the event gave.
    pub sha256: Option<Digest>,
}

impl Gateway {
    /// Queues the fetching of an event's files, those of the wanted kinds.
    /// Returns whether there are any.
    pub(super) fn queue_files(
        &self,
        tx: &Tx<'_>,
        now: i64,
        event: EventId,
        number: &str,
        body: &str,
    ) -> Result<bool> {
        if self.limits.media_kinds.is_empty() {
            return Ok(false);
        }
        let wanted = |kind: Kind| self.limits.media_kinds.has(kind);
        let files = media::attachments(body);
        let mut any = false;
        for file in files.iter().filter(|file| wanted(file.kind)) {
            let queue = tx.queue(QueueKind::Fetch, number)?;
            let media = tx.insert_media(event, number, file, now)?;
            tx.push_fetch(queue, media, now)?;
            any = true;
        }
        Ok(any)
    }

    pub(super) fn start_fetch(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: &Job,
        media: MediaId,
    ) -> Result<Started> {
        let Some(media) = tx.media(media)? else {
            return give_up(tx, now, job, "the file's event is not stored any more");
        };
        if job.attempts > 0 && is_older(tx, now, fetch::LIFE_MS, media.created_at)? {
            return give_up(tx, now, job, TOO_OLD);
        }
        tx.start_job(job)?;
        Ok(Started::Work(Work::Fetch(Fetching {
            job: job.id,
            attempt: job.attempts + 1,
            media: media.id,
            media_id: media.media_id,
            number: media.number,
            mime_type: media.mime_type,
            sha256: media.sha256,
        })))
    }

    /// Ends an attempt at a file. That it is on disk and that it needs not be
    /// fetched any more is one commit.
    pub fn finish_fetch(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: JobId,
        attempt: u32,
        outcome: &Fetch,
        luck: f64,
    ) -> Result<()> {
        let Some(job) = self.running(tx, job, attempt)? else {
            return Ok(());
        };
        let media = match job.media {
            Some(id) => tx.media(id)?,
            None => None,
        };
        let Some(media) = media else {
            let why = "the file's event is not stored any more";
            return tx.end_job(&job, JobState::Dead, Some(why), now);
        };
        let why = outcome.reason();
        let is_over = is_older(tx, now, fetch::LIFE_MS, media.created_at)?;
        match fetch::next(outcome, job.attempts, is_over, luck) {
            Next::Done => tx.end_job(&job, JobState::Done, None, now)?,
            Next::Dead => tx.end_job(&job, JobState::Dead, why.as_deref(), now)?,
            Next::Again { wait_ms } => {
                tx.retry_job(&job, now, now + wait_ms, job.attempts, why.as_deref())?;
            }
        }
        if let Fetch::Fetched(stored) = outcome {
            tx.set_fetched(media.id, stored, now)?;
        }
        self.note_fetches_health(tx, now, &job, outcome)
    }

    /// Whatever Graph said of one file proves that it answers.
    fn note_fetches_health(&self, tx: &Tx<'_>, now: i64, job: &Job, outcome: &Fetch) -> Result<()> {
        let Some(queue) = tx.queue_row(job.queue)? else {
            return Ok(());
        };
        let after = match outcome {
            Fetch::Later {
                down: true, wait, ..
            } => {
                let asked = wait.map_or(0, |wait| now + wait.as_millis() as i64);
                let failed = queue.breaker.failed(now);
                Breaker {
                    closed_until_ms: failed.closed_until_ms.max(asked),
                    ..failed
                }
            }
            // It says nothing of the others, good or bad.
            Fetch::Later { down: false, .. } => return Ok(()),
            _ => Breaker::WELL,
        };
        match after == queue.breaker {
            true => Ok(()),
            false => tx.set_breaker(queue.id, after),
        }
    }
}

/// Gives up files that Meta does not have any more at this time, also when nobody
/// fetches files since MEDIA_DIR was taken out: their events would stay for ever. How
/// many, `limit` at most of each number.
pub fn give_up_old(tx: &Tx<'_>, now: i64, limit: usize) -> Result<usize> {
    let queues = tx.queues()?.into_iter();
    let mut given_up = 0;
    for queue in queues.filter(|queue| queue.kind == QueueKind::Fetch) {
        for job in tx.due_jobs(queue.id, Priority::Reply, i64::MAX, limit)? {
            let media = job.media.map_or(Ok(None), |media| tx.media(media))?;
            if media.is_none_or(|media| now - media.created_at > fetch::LIFE_MS) {
                give_up(tx, now, &job, TOO_OLD)?;
                given_up += 1;
            }
        }
    }
    Ok(given_up)
}
