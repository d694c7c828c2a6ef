//! Halts: nothing goes out in a scope until a person mends it. The scope is a
//! token, a number, an account with all its numbers, or the whole app, and so
//! one number that learns of an expired token spares all others the call. One
//! message of one number probes for the whole scope now and then; a new token
//! ends at once what was met with the old one.
//!
//! Some troubles show only after Graph has taken a message, by a status that says
//! it failed: they end when a probe has gone out, not when Graph takes it.

use super::Gateway;
use crate::policy::retry::Backoff;
use crate::policy::verdict::{Failure, HaltScope, Why};
use crate::store::rows::*;
use crate::store::{Result, Tx};

/// Probes of a halt: the first soon, since many are mended in minutes, then
/// seldom, since some matters get worse by being repeated.
const PROBE: Backoff = Backoff {
    first_ms: 60_000,
    max_ms: 15 * 60_000,
};

/// Between the soonest and the latest of a wait. Statuses are no attempts, and
/// nobody else waits for the same time.
const EVEN_LUCK: f64 = 0.5;

/// When to probe for what only a new token ends.
const NO_PROBE: i64 = i64::MAX;

/// Whether a number sends nothing because of this halt.
pub fn covers(halt: &Halt, queue: &Queue) -> bool {
    let subject = Some(halt.subject.as_str());
    queue.kind == QueueKind::Send
        && match halt.scope {
            HaltScope::Token => queue.token_digest.as_deref() == subject,
            HaltScope::Number => queue.name == halt.subject,
            HaltScope::Account => queue.waba.as_deref() == subject,
            HaltScope::App => true,
        }
}

impl Gateway {
    /// The halts in force. What another token has ended is over with this.
    pub(super) fn halts(&self, tx: &Tx<'_>, now: i64) -> Result<Vec<Halt>> {
        let latest = now + self.wait_max_ms();
        let mut halts = Vec::new();
        for mut halt in tx.halts()? {
            // No probe is that far off: the clock was set back. It is written down, since
            // the clock may be set ahead again, and by a little less.
            if halt.probe_at > latest && halt.probe_at < NO_PROBE {
                halt.probe_at = now;
                tx.set_halt(&halt)?;
            }
            match self.is_over(&halt) {
                true => end(tx, now, &halt)?,
                false => halts.push(halt),
            }
        }
        Ok(halts)
    }

    fn is_over(&self, halt: &Halt) -> bool {
        let all = self.tokens.values().chain(&self.common_token);
        match halt.scope {
            HaltScope::Token => all.into_iter().all(|digest| *digest != halt.subject),
            _ => self.token_digest(&halt.number).unwrap_or_default() != halt.token_digest,
        }
    }

    /// A number without a token: halted until it has one.
    pub(super) fn halt_without_token(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        halts: &mut Vec<Halt>,
    ) -> Result<()> {
        if halts.iter().any(|halt| covers(halt, queue)) {
            return Ok(());
        }
        let halt = Halt {
            scope: HaltScope::Number,
            subject: queue.name.clone(),
            number: queue.name.clone(),
            token_digest: String::new(),
            code: None,
            reason:
                "no token is set for this number: set WHATSAPP_TOKEN and reload (SIGHUP) or restart"
                    .into(),
            details: None,
            since: now,
            failures: 0,
            probe_at: NO_PROBE,
            probe: None,
            told: Told::ByAnswer,
        };
        tx.set_halt(&halt)?;
        halts.push(halt);
        Ok(())
    }

    /// Graph halts what this job's number belongs to. Only the first call that
    /// meets it and its probes tell anything new: calls that were under way
    /// when it began come back with the same answer.
    pub(super) fn meet_halt(
        &self,
        tx: &Tx<'_>,
        now: i64,
        queue: &Queue,
        job: JobId,
        (scope, told, why): (HaltScope, Told, &Why),
        luck: f64,
    ) -> Result<()> {
        let token_digest = self.token_digest(&queue.name).unwrap_or_default();
        let (scope, subject) = match (scope, &queue.waba) {
            (HaltScope::Token, _) => (HaltScope::Token, token_digest),
            (HaltScope::App, _) => (HaltScope::App, ""),
            (HaltScope::Account, Some(waba)) => (HaltScope::Account, waba.as_str()),
            // An account no notification has named yet: at least this number.
            (HaltScope::Account | HaltScope::Number, _) => (HaltScope::Number, queue.name.as_str()),
        };
        let halts = tx.halts()?;
        // Whoever is refused for anything else was let in with this token.
        let let_in = scope != HaltScope::Token && why.code.is_some();
        let ended =
            |halt: &&Halt| let_in && halt.scope == HaltScope::Token && halt.probe == Some(job);
        for halt in halts.iter().filter(ended) {
            end(tx, now, halt)?;
        }
        let known = halts
            .iter()
            .find(|halt| halt.scope == scope && halt.subject == subject);
        if known.is_some_and(|halt| halt.probe != Some(job)) {
            return Ok(());
        }
        let failures = known.map_or(1, |halt| halt.failures.saturating_add(1));
        tx.set_halt(&Halt {
            scope,
            subject: subject.to_owned(),
            number: queue.name.clone(),
            token_digest: token_digest.to_owned(),
            code: why.code,
            reason: why.reason.clone(),
            details: why.details.clone(),
            since: known.map_or(now, |halt| halt.since),
            failures,
            probe_at: now + PROBE.after(failures, luck),
            probe: None,
            told: known.map_or(told, |halt| halt.told),
        })
    }

    /// A status says that a message failed which Graph had taken: payment and
    /// accounts show like that. Statuses come late, many for one trouble: only a
    /// message that was sent since the last mend, and went no further, tells news.
    pub(super) fn meet_halt_late(
        &self,
        tx: &Tx<'_>,
        now: i64,
        message: &Message,
        failure: &Failure,
    ) -> Result<()> {
        let Some(scope) = failure.halt.filter(|_| !message.state.went_out()) else {
            return Ok(());
        };
        let queue = tx.queue(QueueKind::Send, &message.number)?;
        let (Some(queue), Some(job)) = (tx.queue_row(queue)?, tx.job_of_outbox(message.id)?) else {
            return Ok(());
        };
        // A mend to come: the clock was set back.
        if message.changed_at < queue.mended_at && queue.mended_at <= now {
            return Ok(());
        }
        let met = (scope, Told::ByStatus, &failure.why());
        self.meet_halt(tx, now, &queue, job.id, met, EVEN_LUCK)
    }

    /// Graph took a probe: what it probed for is over, unless its status is to say
    /// that. A read mark shows that token and app are let in, not that messages go
    /// out.
    pub(super) fn end_probed(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: JobId,
        is_mark: bool,
        luck: f64,
    ) -> Result<()> {
        let probed = |halt: &Halt| halt.probe == Some(job);
        for mut halt in tx.halts()?.into_iter().filter(probed) {
            let lets_in = matches!(halt.scope, HaltScope::Token | HaltScope::App);
            match halt.told {
                Told::ByAnswer if !is_mark || lets_in => end(tx, now, &halt)?,
                Told::ByAnswer => {}
                // If no status comes, the next probe does.
                Told::ByStatus => {
                    halt.probe_at = now + PROBE.after(halt.failures, luck);
                    tx.set_halt(&halt)?;
                }
            }
        }
        Ok(())
    }

    /// A message has gone out. If it was a probe, what it probed for is over.
    /// Returns whether there was such a halt.
    pub(super) fn end_proved(&self, tx: &Tx<'_>, now: i64, message: &Message) -> Result<bool> {
        let halts = tx.halts()?;
        if halts.is_empty() {
            return Ok(false);
        }
        let job = tx.job_of_outbox(message.id)?.map(|job| job.id);
        let mut ended = false;
        for halt in halts.iter().filter(|halt| halt.probe.is_some()) {
            if halt.told == Told::ByStatus && halt.probe == job {
                end(tx, now, halt)?;
                ended = true;
            }
        }
        Ok(ended)
    }
}

/// Ends a halt for all numbers that stand still for it.
fn end(tx: &Tx<'_>, now: i64, halt: &Halt) -> Result<()> {
    for queue in tx.queues()?.iter().filter(|queue| covers(halt, queue)) {
        tx.set_mended_at(queue.id, now)?;
    }
    tx.end_halt(halt.scope, &halt.subject)
}
