//! What the service's pools do: hand events over, and send.

use crate::edge::clock;
use crate::edge::dispatch::{Job, claim_from, give_up_spoiled};
use crate::edge::gate::Gate;
use crate::edge::graph::Called;
use crate::edge::http::graph_api::answers;
use crate::edge::live::Live;
use crate::edge::log::Few;
use crate::edge::metrics::Metrics;
use crate::edge::waiting::WaitingRoom;
use crate::gateway::{Claimed, Delivery, Outcome, Sending, Sent, Work};
use crate::handler;
use crate::policy::verdict::{Answer, Verdict};
use crate::store::rows::{JobId, Message, QueueKind};
use crate::store::{Committer, Result as StoreResult};
use crate::wire::raw;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Deliveries to the business's logic.
pub(super) struct Deliver {
    pub(super) live: Live,
    pub(super) committer: Committer,
    pub(super) replies_queued: Box<dyn Fn() + Send + Sync>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lines: Arc<Few>,
}

impl Job for Deliver {
    fn give_up(&self, job: JobId) -> StoreResult<()> {
        give_up_spoiled(&self.live, &self.committer, job)
    }

    fn claim(&self, room: usize) -> StoreResult<Claimed> {
        claim_from(&self.live, &self.committer, QueueKind::Deliver, room)
    }

    fn work(&self, work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
        let Work::Deliver(delivery) = work else {
            unreachable!("the delivery queues hold deliveries");
        };
        let (live, began_us) = (self.live.now(), clock::monotonic_us());
        let handled = catch_unwind(AssertUnwindSafe(|| {
            let Some(name) = &delivery.observer else {
                return handler::handle(&live.handlers, &delivery);
            };
            match live.observers.get(name) {
                Some(observer) => observer.deliver(&delivery),
                // It was taken out a moment ago; its deliveries wait for it.
                None => Outcome::Retry {
                    reason: "OBSERVERS does not name it any more".into(),
                    wait: None,
                    down: false,
                },
            }
        }));
        let outcome = handled.unwrap_or_else(|_| Outcome::Retry {
            reason: "the handler panicked".into(),
            wait: None,
            down: false,
        });
        self.metrics
            .handled(delivery.consumer(), &outcome, began_us);
        self.tell(&delivery, &outcome);
        let (job, attempt) = (delivery.job, delivery.attempt);
        let replies = matches!(&outcome, Outcome::Done { replies, .. } if !replies.is_empty());
        Box::new(move || {
            let (gateway, outcome, luck) =
                (Arc::clone(&live.gateway), outcome.clone(), clock::luck());
            self.committer.commit(move |tx| {
                gateway.finish_delivery(tx, clock::now_ms(), job, attempt, &outcome, luck)
            })?;
            if replies {
                (self.replies_queued)();
            }
            Ok(())
        })
    }
}

impl Deliver {
    fn tell(&self, delivery: &Delivery, outcome: &Outcome) {
        let (event, job, attempt) = (delivery.events(), delivery.job, delivery.attempt);
        let to = delivery.consumer();
        let (what, reason) = match outcome {
            Outcome::Done { replies, .. } => {
                let replies = replies.len();
                log::debug!(
                    "msg=\"event delivered\" event={event} job={job} consumer={to} attempt={attempt} replies={replies}"
                );
                return;
            }
            Outcome::Retry { reason, .. } => ("event not delivered; trying again later", reason),
            Outcome::Dead { reason } => ("event not delivered; it is a dead letter", reason),
        };
        if let Some(held_back) = self.lines.pass(clock::now_ms()) {
            log::warn!(
                "msg=\"{what}\" event={event} job={job} consumer={to} attempt={attempt} reason=\"{reason}\"{held_back}"
            );
        }
    }
}

/// Sends through Graph.
pub(super) struct Sends {
    pub(super) live: Live,
    pub(super) gate: Gate,
    pub(super) committer: Committer,
    pub(super) room: WaitingRoom,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lines: Lines,
}

/// What is told of sends, each held back by itself: one trouble must not hide another.
#[derive(Default)]
pub(super) struct Lines {
    put_off: Few,
    refused: Few,
    halted: Few,
    unknown: Few,
    resent: Few,
    /// What ends without a call.
    uncalled: Few,
}

impl Job for Sends {
    fn give_up(&self, job: JobId) -> StoreResult<()> {
        give_up_spoiled(&self.live, &self.committer, job)
    }

    fn claim(&self, room: usize) -> StoreResult<Claimed> {
        let claimed = claim_from(&self.live, &self.committer, QueueKind::Send, room)?;
        for message in &claimed.ended {
            self.tell_ended(message);
            self.room.settle(message.id, &answers::ended(message, None));
        }
        Ok(claimed)
    }

    fn work(&self, work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
        let Work::Send(sending) = work else {
            unreachable!("the send queues hold sends");
        };
        let live = self.live.now();
        let rate = live.config.limits.rates.of(&sending.number);
        self.gate.pass(&sending, rate);
        self.tell_resent(&sending);
        let live = self.live.now();
        let called = catch_unwind(AssertUnwindSafe(|| live.graph.send(&sending)));
        // How far the call got nobody knows.
        let Called { verdict, answer } = called.unwrap_or_else(|_| {
            let reason = "the call panicked".to_owned();
            Called::without_answer(&Answer::Lost { reason })
        });
        self.metrics.judged(&sending.number, &verdict);
        self.tell(&sending, &verdict);
        let (job, attempt, outbox) = (sending.job, sending.attempt, sending.outbox);
        let answer = match &verdict {
            // A proxy's page is not Graph's answer.
            Verdict::Accepted { .. } | Verdict::Refused { .. } => {
                answer.filter(|(_, body)| raw::members(body).is_some())
            }
            // The caller is told later how it ended.
            _ => None,
        };
        Box::new(move || {
            // By what the call was made with: that its token was refused says
            // nothing about one that has come since.
            let (gateway, verdict, luck) =
                (Arc::clone(&live.gateway), verdict.clone(), clock::luck());
            let kept = answer.clone();
            let ended = self.committer.commit(move |tx| {
                if let Some((status, body)) = &kept {
                    tx.set_answer(outbox, *status, body)?;
                }
                let now = clock::now_ms();
                match gateway.finish_sending(tx, now, job, attempt, &verdict, luck)? {
                    Sent::Ended => tx.message(outbox),
                    Sent::Again | Sent::Stale => Ok(None),
                }
            })?;
            if let Some(message) = ended {
                self.room
                    .settle(outbox, &answers::ended(&message, answer.clone()));
            }
            Ok(())
        })
    }
}

impl Sends {
    fn tell_ended(&self, message: &Message) {
        if let Some(held_back) = self.lines.uncalled.pass(clock::now_ms()) {
            let (outbox, reason) = (message.id, message.error.as_deref().unwrap_or_default());
            let code = message.error_code;
            let code = code.map_or_else(String::new, |code| format!(" code={code}"));
            log::warn!(
                "msg=\"message not sent; it ended before the call\" outbox={outbox}{code} reason=\"{reason}\"{held_back}"
            );
        }
    }

    fn tell_resent(&self, sending: &Sending) {
        if sending.resent
            && let Some(held_back) = self.lines.resent.pass(clock::now_ms())
        {
            let ids = ids(sending);
            log::warn!(
                "msg=\"sent again although it may have gone out; it may arrive twice\" {ids}{held_back}"
            );
        }
    }

    fn tell(&self, sending: &Sending, verdict: &Verdict) {
        let (what, lines) = match verdict {
            Verdict::Accepted { .. } => {
                log::debug!("msg=\"message accepted\" {}", ids(sending));
                return;
            }
            Verdict::Retry { .. } => ("send put off", &self.lines.put_off),
            Verdict::Refused { .. } => ("send refused", &self.lines.refused),
            Verdict::Halt { .. } => ("sending halted until someone acts", &self.lines.halted),
            Verdict::Unknown { .. } => (
                "send has no known outcome; waiting for a status",
                &self.lines.unknown,
            ),
        };
        let Some(held_back) = lines.pass(clock::now_ms()) else {
            return;
        };
        let (ids, why) = (ids(sending), verdict.why());
        let code = why
            .and_then(|why| why.code)
            .map_or_else(String::new, |code| format!(" code={code}"));
        let reason = why.map_or("", |why| &why.reason);
        let trace = why.and_then(|why| why.fbtrace_id.as_deref());
        let trace = trace.map_or_else(String::new, |id| format!(" fbtrace_id={id}"));
        let line = format!("msg=\"{what}\" {ids}{code} reason=\"{reason}\"{trace}{held_back}");
        match verdict {
            Verdict::Halt { .. } => log::error!("{line}"),
            _ => log::warn!("{line}"),
        }
    }
}

/// What a send's lines name it by: its message, and the event that this answers.
fn ids(sending: &Sending) -> String {
    let cause = sending.cause;
    let event = cause.map_or(String::new(), |event| format!(" event={event}"));
    let (outbox, job, attempt) = (sending.outbox, sending.job, sending.attempt);
    format!("outbox={outbox}{event} job={job} attempt={attempt}")
}
