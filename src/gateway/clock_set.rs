//! A clock that was set.
//!
//! * Back by hours: times that were written before lie in a future that nobody
//!   meant. Every wait has a limit, so what is to wait for longer gives it away. (A
//!   number's pace and a pair's bucket see it by themselves, `policy::pacing`; smaller
//!   steps are waited out.)
//! * Ahead: what is open seems to be older than it is. The service sees it happen
//!   (`policy::clock`), and how old something is counts from then on.

use super::Gateway;
use crate::policy::breaker::Breaker;
use crate::policy::throttle::Throttle;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::retry_after;

/// The clock was set ahead at this time of its own, under the eyes of the service.
pub fn note_set_ahead(tx: &Tx<'_>, at: i64) -> Result<()> {
    match tx.clock_set_ahead_at()? == Some(at) {
        true => Ok(()),
        false => tx.set_clock_set_ahead_at(at),
    }
}

/// Whether something of this time is certainly older than that.
pub(super) fn is_older(tx: &Tx<'_>, now: i64, than_ms: i64, at: i64) -> Result<bool> {
    if now.saturating_sub(at) <= than_ms {
        return Ok(false);
    }
    // Asked seldom: of what will be given up.
    Ok(!was_set_ahead(tx, now, than_ms)?)
}

/// Whether the clock was set ahead so long ago or later: then it is not certain that so
/// much time has passed since anything.
pub(super) fn was_set_ahead(tx: &Tx<'_>, now: i64, within_ms: i64) -> Result<bool> {
    let set_at = tx.clock_set_ahead_at()?;
    // One to come: it was set back again since.
    Ok(set_at.is_some_and(|set_at| set_at <= now && now - set_at <= within_ms))
}

impl Gateway {
    /// The longest wait that is ever written.
    pub(super) fn wait_max_ms(&self) -> i64 {
        let asked = retry_after::MAX.as_millis() as i64;
        let limits = [
            self.limits.reconcile_window_ms,
            self.limits.probe_timeout_ms,
        ];
        limits.into_iter().fold(asked, i64::max)
    }

    /// The queue as it would be if the clock had always been right: closed no
    /// longer than anything is, and its jobs due. A send waits for a status once
    /// more, since it may have gone out before.
    pub(super) fn as_if_never_set(&self, tx: &Tx<'_>, now: i64, queue: &Queue) -> Result<Queue> {
        let latest = now + self.wait_max_ms();
        let due = match queue.kind {
            QueueKind::Send => now + self.limits.reconcile_window_ms,
            QueueKind::Deliver | QueueKind::Fetch => now,
        };
        tx.hasten_jobs(queue.id, latest, due)?;
        let mut queue = queue.clone();
        if queue.breaker.closed_until_ms > latest {
            queue.breaker = Breaker {
                closed_until_ms: 0,
                ..queue.breaker
            };
            tx.set_breaker(queue.id, queue.breaker)?;
        }
        if queue.throttle.until_ms > latest {
            queue.throttle = Throttle::NONE;
            tx.set_throttle(queue.id, queue.throttle)?;
        }
        Ok(queue)
    }
}
