//! A clock that was set back by hours: times that were written before lie in a
//! future that nobody meant. Every wait has a limit, so what is to wait for
//! longer gives it away. (A number's pace and a pair's bucket see it by
//! themselves, `policy::pacing`; smaller steps are waited out.)

use super::Gateway;
use crate::policy::breaker::Breaker;
use crate::policy::throttle::Throttle;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::retry_after;

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
