//! `receive`: an event is stored, and what follows from it, in one commit.

use super::Gateway;
use super::operator::resolve;
use super::standing;
use super::tally::became;
use super::uploads;
use super::window::opened;
use crate::policy::ladder::{self, SendState};
use crate::policy::priority::Priority;
use crate::policy::talk::{Turn, is_written};
use crate::policy::verdict;
use crate::store::rows::*;
use crate::store::tally::Counted;
use crate::store::{Result, Tx};
use crate::wire::notification::{self, Incoming, Kind, StatusFacts, key_digest, status_key};

/// What came of a notification's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Events that were new.
    pub stored: u32,
    /// The same by kind, in the order of [`Kind`].
    pub kinds: [u32; Kind::ALL.len()],
    /// The first of them; the others have the ids after it.
    pub first: Option<EventId>,
    /// The message of ours that the last status told of.
    pub about: Option<OutboxId>,
    /// Events that were there already.
    pub duplicates: u32,
    /// There is something to deliver.
    pub to_deliver: bool,
    /// There are files to fetch.
    pub to_fetch: bool,
    /// A message was settled, so its lane may go on, or a halt is over.
    pub to_send: bool,
}

impl Gateway {
    /// Stores events and queues their deliveries; a status also settles the
    /// message it is about. What was stored before changes nothing.
    pub fn receive(&self, tx: &Tx<'_>, now: i64, events: &[Incoming<'_>]) -> Result<Received> {
        let mut received = Received::default();
        let mut told = ("", "");
        for event in events {
            // First: its party may be one of these people. Mostly it is the only one.
            let written_to = event.echoes.iter().map(|echo| &echo.ids);
            let others = event.links.iter().chain(written_to);
            for ids in others.filter(|ids| !event.party.is_user(ids)) {
                self.person(tx, now, &event.number, ids)?;
            }
            let conversation = self.conversation(tx, now, &event.number, &event.party)?;
            let before = tx.talk(conversation)?;
            let previous = before.last_event.filter(|_| event.kind.is_said());
            let seen = opened(event, now);
            let Some(id) = tx.insert_event(event, conversation, previous, seen, now)? else {
                received.duplicates += 1;
                continue;
            };
            received.stored += 1;
            received.kinds[event.kind as usize] += 1;
            received.first.get_or_insert(id);
            // Once for all events of a notification, which mostly has one number.
            let tells = (event.number.as_str(), event.waba.as_str());
            if tells != told && !event.number.is_empty() && !event.waba.is_empty() {
                tx.learn_waba(&event.number, &event.waba)?;
                told = tells;
            }
            let talk = before.after(&Turn {
                event: id,
                kind: event.kind,
                field: &event.field,
                type_: &event.type_,
                at: now,
                seen,
            });
            if talk != before {
                tx.set_talk(conversation, talk);
            }
            if is_written(event.kind, &event.field) {
                tx.count(Counted::Received, now);
            }
            self.note_preference(tx, now, conversation, event)?;
            self.note_answers(tx, now, event)?;
            standing::note(tx, now, event)?;
            if let Some(facts) = &event.status {
                self.apply_status(tx, now, facts, &mut received)?;
            }
            received.to_fetch |= self.queue_files(tx, now, id, &event.number, &event.body)?;
            let of = (event.kind, event.field.as_str());
            received.to_deliver |= self.queue_copies(tx, now, conversation, id, of)?;
            if self.wants.includes(event.kind) {
                let priority = Priority::Reply;
                let due = self.due_at(event, now);
                let job = tx.push_job(self.bot, conversation, Some(id), None, priority, due)?;
                let Some(why) = self.skipped(tx, now, event)? else {
                    received.to_deliver = true;
                    continue;
                };
                // The job stays, for an operator who wants it handed over after all.
                if let Some(job) = tx.job(job)? {
                    tx.end_job(&job, JobState::Done, Some(&why), now)?;
                }
            }
        }
        Ok(received)
    }

    /// Moves a message of ours up the ladder. A lane that waited for this goes on.
    fn apply_status(
        &self,
        tx: &Tx<'_>,
        now: i64,
        facts: &StatusFacts,
        received: &mut Received,
    ) -> Result<()> {
        // Sent by another app or by hand, or pruned; or Graph's answer with
        // the wamid is still to come: `finish` looks for this event then.
        let Some(message) = self.told_of(tx, facts)? else {
            return Ok(());
        };
        received.about = Some(message.id);
        self.learn_purpose(tx, &message, facts.purpose)?;
        // One that has an id and is not out failed, and an operator has it sent
        // again: what comes late about that try says nothing of the next one.
        let is_its_own = message.wamid.as_deref() == Some(&facts.wamid);
        let before = match is_its_own {
            true => message.state,
            false => message.state.beside_a_failure(),
        };
        let is_out = before.is_out();
        if !is_out && is_its_own {
            return Ok(());
        }
        // Statuses that came before and without our mark are stored by now:
        // only this one tells whose they are.
        let mut all = match is_its_own {
            true => Vec::new(),
            false => early_statuses(tx, &facts.wamid)?,
        };
        all.push(facts.clone());
        let is_out_by_another = is_out && !is_its_own && message.wamid.is_some();
        if is_out_by_another {
            tx.add_wamid(message.id, &facts.wamid)?;
        }
        // It went out twice, and the one that did not fail counts. Or one failed, and an
        // operator had it sent again.
        let is_former = !is_its_own && tx.is_other_wamid(message.id, &facts.wamid)?;
        if is_former && has_failed(&all) {
            return Ok(());
        }
        if !is_its_own && !is_out_by_another {
            tx.set_wamid(message.id, &facts.wamid)?;
            let lane = resolve(tx, message.conversation)?;
            self.note_answer(tx, lane, &message.type_, message.changed_at)?;
        }
        // Whatever else they say, they prove that Graph took the message.
        let said = all.iter().map(|facts| {
            let said = ladder::of_status(&facts.status, facts.of_participant);
            said.unwrap_or(SendState::Accepted)
        });
        let merged = said.fold(before, SendState::merge);
        if merged != before {
            let failed = all.iter().find(|facts| facts.status == "failed");
            let failed = failed.filter(|_| merged == SendState::Failed);
            let fault = match failed {
                Some(facts) => Some(self.failed(tx, now, &message, facts)?),
                None => None,
            };
            if merged.went_out() {
                received.to_send |= self.end_proved(tx, now, &message)?;
            }
            // Of two ids it has the one that got further.
            if is_out_by_another {
                tx.set_wamid(message.id, &facts.wamid)?;
            }
            tx.set_message_state(message.id, merged, fault.as_ref(), now)?;
            became(tx, now, &message.type_, before, merged);
        }
        // Accepted already, and no further: a file that the next message waits for.
        if message.state == SendState::Accepted && merged == SendState::Accepted {
            return Ok(());
        }
        // A status proves that the message went out: nothing is left to do.
        let waiting = tx
            .job_of_outbox(message.id)?
            .filter(|j| j.state == JobState::Waiting);
        if let Some(job) = &waiting {
            tx.end_job(job, JobState::Done, None, now)?;
        }
        received.to_send |= waiting.is_some();
        Ok(())
    }

    /// The message of ours that a status is about.
    fn told_of(&self, tx: &Tx<'_>, facts: &StatusFacts) -> Result<Option<Message>> {
        let marked = match &facts.opaque {
            Some(opaque) => self.marked(tx, opaque)?,
            None => None,
        };
        match marked {
            Some(message) => Ok(Some(message)),
            None => tx.message_by_wamid(&facts.wamid),
        }
    }

    /// Meta could not deliver a message it had accepted: why, and what follows
    /// for other messages.
    pub(super) fn failed(
        &self,
        tx: &Tx<'_>,
        now: i64,
        message: &Message,
        facts: &StatusFacts,
    ) -> Result<Fault> {
        let failure = verdict::failed_status(&facts.error_codes);
        uploads::refused(tx, message, failure.code)?;
        self.meet_halt_late(tx, now, message, &failure)?;
        Ok(Fault {
            code: failure.code,
            text: failure.reason.to_owned(),
        })
    }
}

/// Whether what was told of one id says that it does not arrive.
pub(super) fn has_failed(told: &[StatusFacts]) -> bool {
    let mut said = told
        .iter()
        .map(|facts| ladder::of_status(&facts.status, facts.of_participant));
    said.any(|said| said == Some(SendState::Failed))
}

/// Statuses that came before Graph's answer, or before a status with our mark:
/// found by the key they would have.
pub(super) fn early_statuses(tx: &Tx<'_>, wamid: &str) -> Result<Vec<StatusFacts>> {
    let mut found = Vec::new();
    for word in ["sent", "delivered", "read", "played", "failed"] {
        let digest = key_digest(&status_key("messages", wamid, word));
        let Some(event) = tx.event_by_digest(&digest)? else {
            continue;
        };
        let facts = notification::read(event.body.as_bytes())
            .ok()
            .and_then(|events| events.into_iter().next()?.status);
        found.extend(facts);
    }
    Ok(found)
}
