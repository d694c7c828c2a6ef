//! `recover`: after a start, what a crash between two steps means for what it interrupted.

use super::Gateway;
use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::policy::retry::DELIVERY;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::outgoing;

/// What a start found under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Deliveries to be repeated.
    pub deliveries: usize,
    /// Fetches of files to be repeated.
    pub fetches: usize,
    /// Sends that were being made.
    pub sends: usize,
    /// Messages waiting for a status that tells whether they went out.
    pub unknown: usize,
}

impl Gateway {
    /// After a start: attempts that were under way when the last process ended
    /// are over. A delivery is repeated at once. A send may have reached Graph,
    /// so it waits for a status; the window starts anew for all of these, since
    /// statuses could not arrive while nobody listened.
    pub fn recover(&self, tx: &Tx<'_>, now: i64) -> Result<Recovered> {
        self.note_consumers(tx)?;
        let mut recovered = Recovered::default();
        for job in tx.running_jobs()? {
            match (job.outbox, job.media) {
                (Some(outbox), _) => {
                    recovered.sends += 1;
                    self.interrupted(tx, now, &job, outbox)?;
                }
                (None, Some(_)) => {
                    recovered.fetches += 1;
                    repeat(tx, now, &job)?;
                }
                (None, None) => {
                    recovered.deliveries += 1;
                    repeat(tx, now, &job)?;
                }
            }
        }
        for outbox in tx.messages_in(SendState::Unknown)? {
            let job = tx.job_of_outbox(outbox)?;
            if let Some(job) = job.filter(|job| job.state == JobState::Waiting) {
                recovered.unknown += 1;
                tx.defer_job(job.id, self.window_ends(now))?;
            }
        }
        // A restart is often how an operator mends the app, or the way to Meta:
        // look at once.
        for queue in tx.queues()?.iter().filter(|q| q.kind != QueueKind::Send) {
            let breaker = Breaker {
                closed_until_ms: 0,
                ..queue.breaker
            };
            tx.set_breaker(queue.id, breaker)?;
        }
        Ok(recovered)
    }

    /// A send that was being made.
    fn interrupted(&self, tx: &Tx<'_>, now: i64, job: &Job, outbox: OutboxId) -> Result<()> {
        match tx.message(outbox)? {
            // A status has settled it.
            Some(message) if message.state != SendState::Sending => {
                tx.end_job(job, JobState::Done, None, now)
            }
            Some(message) if outgoing::is_mark(&message.type_) => {
                tx.set_message_state(outbox, SendState::Queued, None, now)?;
                tx.retry_job(job, now, now, job.attempts, None)
            }
            _ => {
                let fault = Fault {
                    code: None,
                    text: "interrupted by a restart while Graph was being called".into(),
                };
                tx.set_message_state(outbox, SendState::Unknown, Some(&fault), now)?;
                tx.set_uncertain(outbox)?;
                let later = self.window_ends(now);
                tx.retry_job(job, now, later, job.attempts, Some(&fault.text))
            }
        }
    }

    /// Until when a status may still come.
    fn window_ends(&self, now: i64) -> i64 {
        now + self.limits.reconcile_window_ms
    }
}

/// A delivery or a fetch, once more: at once, unless it was interrupted before. One
/// that ends the process each time must not do so at full speed.
fn repeat(tx: &Tx<'_>, now: i64, job: &Job) -> Result<()> {
    let wait = match job.attempts {
        0 | 1 => 0,
        attempts => DELIVERY.after(attempts, 0.0),
    };
    let why = "interrupted by a restart";
    tx.retry_job(job, now, now + wait, job.attempts, Some(why))
}
