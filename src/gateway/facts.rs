//! What a handler is told about the conversation, and what it wants remembered.
//!
//! [`Facts`] are read in the commit that claims a delivery, [`Effect`]s are
//! written in the one that ends it. A lane runs one at a time, so nothing comes
//! between the two, and a crash neither forgets an effect nor repeats it.

use super::Gateway;
use super::clock_set::was_set_ahead;
use crate::policy::clock::FAR_MS;
use crate::policy::stale::{OnStale, Stale};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{self, Incoming, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is known about a delivery's conversation when its attempt begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The event is the first message of this person to this number, and stays
    /// so when it is tried again or replayed.
    pub first_contact: bool,
    /// The person wants no marketing from this number.
    pub marketing_stopped: bool,
    /// How many milliseconds old the message was when it came, if that is too old
    /// (`STALE_AFTER`).
    pub stale_ms: Option<i64>,
    /// Rules that rest in this conversation, and until when in Unix
    /// milliseconds. Some may be over.
    pub resting: BTreeMap<String, i64>,
}

/// Something a handler wants remembered about the conversation, once its
/// delivery is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A rule rests in this conversation.
    Rest {
        /// The name the rule has in [`Facts::resting`].
        rule: String,
        /// In Unix milliseconds.
        until: i64,
    },
    /// The person wants no marketing from this number any more.
    StopMarketing,
    /// The person wants marketing again.
    StartMarketing,
    /// A person is to go on: the bot is silent in the conversation for
    /// `HANDOVER_FOR`. What is answered together with this still goes out.
    HandOver,
}

/// Who listens in a conversation that a person has taken over: nobody answers there,
/// but a word about marketing holds whoever reads it. Asked within a commit, so it
/// only judges.
#[derive(Clone)]
pub struct Ears(Arc<Hears>);

type Hears = dyn Fn(&str, &Facts, i64) -> Vec<Effect> + Send + Sync;

impl Ears {
    /// Who tells from an envelope, the facts and the time what is to be remembered.
    pub fn new(hears: impl Fn(&str, &Facts, i64) -> Vec<Effect> + Send + Sync + 'static) -> Ears {
        Ears(Arc::new(hears))
    }
}

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Ears")
    }
}

impl Effect {
    /// Whether it is what a person said about marketing.
    pub fn is_word(&self) -> bool {
        matches!(self, Effect::StopMarketing | Effect::StartMarketing)
    }
}

impl Facts {
    /// Whether a rule that rests for so long each time rests at `now`. A rest that lasts
    /// far longer than any began by a clock that was wrong.
    pub fn rests(&self, rule: &str, for_ms: i64, now: i64) -> bool {
        let latest = now.saturating_add(for_ms).saturating_add(FAR_MS);
        let until = self.resting.get(rule);
        until.is_some_and(|until| now < *until && *until <= latest)
    }

    /// What is known once these were remembered.
    pub fn remember(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Rest { rule, until } => {
                    self.resting.insert(rule.clone(), *until);
                }
                Effect::StopMarketing => self.marketing_stopped = true,
                Effect::StartMarketing => self.marketing_stopped = false,
                Effect::HandOver => {}
            }
        }
    }
}

impl Gateway {
    /// What is known about the conversation of `lane` as `event` is delivered.
    pub(super) fn facts(&self, tx: &Tx<'_>, lane: ConversationId, event: &Event) -> Result<Facts> {
        let known = tx.contact(lane)?;
        Ok(Facts {
            first_contact: known.first_message == Some(event.id),
            marketing_stopped: known.marketing_stopped_at.is_some(),
            stale_ms: self.stale_ms(event),
            resting: tx.resting(lane)?.into_iter().collect(),
        })
    }

    pub(super) fn stale_ms(&self, event: &Event) -> Option<i64> {
        let stale = self.limits.stale.filter(|_| event.kind == Kind::Message)?;
        let events = notification::read(event.body.as_bytes()).ok()?;
        stale.age_ms(written_at(events.first()?), event.received_at)
    }

    /// Why nobody is to answer a message that comes now, if that is so. One that only
    /// seems to be late, since the clock was set ahead meanwhile, is answered.
    pub(super) fn skipped(
        &self,
        tx: &Tx<'_>,
        now: i64,
        event: &Incoming<'_>,
    ) -> Result<Option<String>> {
        let skip = |stale: &Stale| stale.then == OnStale::Skip;
        let stale = self.limits.stale.filter(skip);
        let age = stale.and_then(|stale| stale.age_ms(written_at(event), now));
        Ok(match age {
            Some(age) if !was_set_ahead(tx, now, age)? => Some(format!(
                "skipped: it came {} min after it was written (STALE_AFTER)",
                age / 60_000
            )),
            _ => None,
        })
    }

    /// A message goes to nobody who answers. What it says of marketing is kept.
    pub(super) fn overhear(
        &self,
        tx: &Tx<'_>,
        now: i64,
        lane: ConversationId,
        event: &Event,
    ) -> Result<()> {
        let Some(Ears(hears)) = self.ears.as_ref().filter(|_| event.kind == Kind::Message) else {
            return Ok(());
        };
        let mut effects = hears(&event.body, &self.facts(tx, lane, event)?, now);
        effects.retain(Effect::is_word);
        self.remember(tx, now, lane, &effects)
    }

    /// Writes what a handler wants remembered.
    pub(super) fn remember(
        &self,
        tx: &Tx<'_>,
        now: i64,
        lane: ConversationId,
        effects: &[Effect],
    ) -> Result<()> {
        let of_person = |effect: &Effect| !matches!(effect, Effect::Rest { .. });
        // Events of an account have a lane too, and nobody in it.
        let number = match effects.iter().any(of_person) {
            true => tx.conversation_names(lane)?,
            false => None,
        };
        let nobody = number.is_some_and(|(number, ..)| number.is_empty());
        for effect in effects {
            match effect {
                Effect::Rest { rule, until } => tx.rest(lane, rule, *until, now)?,
                _ if nobody => {}
                Effect::StopMarketing => tx.set_marketing_stopped(lane, Some(now))?,
                Effect::StartMarketing => tx.set_marketing_stopped(lane, None)?,
                Effect::HandOver => self.hand_over(tx, now, lane)?,
            }
        }
        Ok(())
    }
}

/// When a person wrote a message to us, in Unix seconds; not of calls, nor of what
/// the business wrote itself.
fn written_at(event: &Incoming<'_>) -> Option<i64> {
    event.opening.filter(|_| event.kind == Kind::Message)?.at
}
