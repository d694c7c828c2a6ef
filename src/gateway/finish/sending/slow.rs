//! Slower, for whom a refusal or an outage concerns: one message, a pair, a
//! number, or all numbers of an account, a token or the app.

use super::{Ending, Sent, at_least};
use crate::policy::breaker::Breaker;
use crate::policy::ladder::SendState;
use crate::policy::retry;
use crate::policy::throttle::Limit;
use crate::policy::verdict::{Scope, Why};
use crate::store::Result;
use crate::store::rows::*;
use std::time::Duration;

impl Ending<'_, '_> {
    /// Refused before processing: the same request again, later.
    pub(super) fn put_off(&self, scope: Scope, wait: Option<Duration>, why: &Why) -> Result<Sent> {
        self.state(SendState::Queued, Some(why))?;
        let backoff = retry::SEND.after(self.job.attempts, self.luck);
        match scope {
            Scope::Message => self.again(at_least(wait, backoff), why),
            Scope::Pair => {
                self.up()?;
                let before = self.tx.pair_refused(self.job.lane)?;
                self.again(at_least(wait, retry::pair_wait_ms(before)), why)
            }
            // The queue waits, so the job need not: it goes first afterwards.
            Scope::Number => {
                self.throttle(scope, Limit::Number, wait)?;
                self.again(0, why)
            }
            Scope::Account | Scope::Token | Scope::App => {
                self.throttle(scope, Limit::Wide, wait)?;
                self.again(0, why)
            }
            Scope::Graph => {
                self.unreachable(at_least(wait, backoff))?;
                self.again(0, why)
            }
        }
    }

    /// Graph may be down for this number. Where it is not just about one
    /// message, the number sends nothing for so long.
    pub(super) fn down(&self, scope: Scope, wait_ms: i64) -> Result<()> {
        let failed = self.queue.breaker.failed(self.now);
        let breaker = match scope {
            Scope::Message | Scope::Pair => failed,
            _ => Breaker {
                closed_until_ms: failed.closed_until_ms.max(self.now + wait_ms),
                ..failed
            },
        };
        self.tx.set_breaker(self.queue.id, breaker)
    }

    /// Graph is down for all numbers.
    fn unreachable(&self, wait_ms: i64) -> Result<()> {
        self.down(Scope::Graph, wait_ms)?;
        self.tx.set_graph_unreachable_at(self.now)?;
        for queue in self.others(Scope::Graph)? {
            let breaker = Breaker {
                closed_until_ms: queue.breaker.closed_until_ms.max(self.now + wait_ms),
                ..queue.breaker
            };
            self.tx.set_breaker(queue.id, breaker)?;
        }
        Ok(())
    }

    /// Graph refuses, so it is there: what it answers is no failure in a row. A
    /// halt it does not end; its probe just did not get through.
    fn up(&self) -> Result<()> {
        match self.queue.breaker.failures == 0 {
            true => Ok(()),
            false => self.tx.set_breaker(self.queue.id, Breaker::WELL),
        }
    }

    /// Everybody in this scope pauses, then goes on slower.
    fn throttle(&self, scope: Scope, limit: Limit, wait: Option<Duration>) -> Result<()> {
        self.up()?;
        let asked_ms = at_least(wait, 0);
        let before = self.queue.throttle;
        let own = before.refused(self.now, limit, asked_ms, self.luck);
        self.tx.set_throttle(self.queue.id, own)?;
        for queue in self.others(scope)? {
            let together = queue.throttle.together(own, self.now);
            self.tx.set_throttle(queue.id, together)?;
        }
        Ok(())
    }

    /// The other numbers in this scope.
    fn others(&self, scope: Scope) -> Result<Vec<Queue>> {
        let own = &self.queue;
        let token = |queue: &Queue| self.gateway.token_digest(&queue.name);
        let includes = |queue: &Queue| match scope {
            Scope::Message | Scope::Pair | Scope::Number => false,
            // Of an account we do not know yet we know no other numbers.
            Scope::Account => own.waba.is_some() && queue.waba == own.waba,
            Scope::Token => token(queue) == token(own),
            Scope::App | Scope::Graph => true,
        };
        let mut queues = self.tx.queues()?;
        queues
            .retain(|queue| queue.kind == QueueKind::Send && queue.id != own.id && includes(queue));
        Ok(queues)
    }
}
