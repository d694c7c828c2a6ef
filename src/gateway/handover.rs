//! Hand-over to a person: a conversation is taken, the bot is silent in it, and
//! what comes meanwhile is kept and goes to everybody but the bot.
//!
//! Whether the bot gets an event is decided when its turn comes, and not when it
//! arrives: what a person has dealt with is not answered hours later, and what
//! waits when a conversation is given back is answered. What the bot had queued
//! before goes out, since its lane may hold the half of an answer.

use super::Gateway;
use super::identity::known;
use crate::policy::handover::{Hands, Taken};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{Incoming, Kind};

/// Hand-overs shown at once.
const SHOWN_MAX: usize = 100;

impl Gateway {
    /// The owner answered from the phone: theirs for a while. Messages that went out
    /// through us are nobody's answer, should Meta tell them in this way too.
    pub(super) fn note_answers(&self, tx: &Tx<'_>, now: i64, event: &Incoming<'_>) -> Result<()> {
        for echo in &event.echoes {
            if let Some(wamid) = &echo.wamid
                && tx.message_by_wamid(wamid)?.is_some()
            {
                continue;
            }
            let conversation = self.person(tx, now, &event.number, &echo.ids)?;
            let before = tx.hands(conversation)?;
            let after = before.answered(echo.at, self.limits.handover_ms, now);
            if after != before {
                tx.set_hands(conversation, after)?;
            }
        }
        Ok(())
    }

    /// The bot wants a person for its conversation.
    pub(super) fn hand_over(&self, tx: &Tx<'_>, now: i64, lane: ConversationId) -> Result<()> {
        let hands = tx.hands(lane)?.wanted(now, self.limits.handover_ms);
        tx.set_hands(lane, hands)
    }

    /// Why the bot does not get an event of a lane at `now`. It gets statuses and
    /// news all the same, to keep its books.
    pub(super) fn not_for_the_bot(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: &Job,
        kind: Kind,
    ) -> Result<Option<String>> {
        let answerable = matches!(kind, Kind::Message | Kind::Call);
        let taken = match answerable && self.answers(job) {
            true => tx.hands(job.lane)?.taken_at(now),
            false => None,
        };
        Ok(taken.map(|taken| format!("skipped: {}", in_hand(&taken))))
    }

    /// Why the bot's answer to an event does not go out: a person took the
    /// conversation while the bot thought.
    pub(super) fn too_late_for_the_bot(
        &self,
        tx: &Tx<'_>,
        now: i64,
        job: &Job,
        replies: &[String],
    ) -> Result<Option<String>> {
        let taken = match self.answers(job) && !replies.is_empty() {
            true => tx.hands(job.lane)?.taken_at(now),
            false => None,
        };
        Ok(taken.map(|taken| format!("its replies were not sent: {}", in_hand(&taken))))
    }
}

fn in_hand(taken: &Taken) -> String {
    format!("the conversation is taken over ({})", taken.by.as_str())
}

/// A conversation in a person's hands.
#[derive(Clone, Debug)]
pub struct Held {
    /// `number/user`.
    pub conversation: String,
    /// Since when, until when.
    pub taken: Taken,
}

/// The person whom a number knows by this id, and in whose hands the conversation
/// is; `None` when the number does not know them.
pub fn hands(tx: &Tx<'_>, number: &str, user: &str) -> Result<Option<Hands>> {
    match known(tx, number, user)? {
        Some(conversation) => tx.hands(conversation).map(Some),
        None => Ok(None),
    }
}

/// A person takes a conversation until then. `None` when the number does not know
/// anybody by this id.
pub fn take(tx: &Tx<'_>, now: i64, number: &str, user: &str, until: i64) -> Result<Option<Hands>> {
    change(tx, number, user, |hands| hands.take(now, until))
}

/// A person who has a conversation answered in it: it stays theirs for so long from
/// now on. One that nobody has stays the bot's.
pub fn renew(tx: &Tx<'_>, now: i64, id: ConversationId, for_ms: i64) -> Result<()> {
    let hands = tx.hands(id)?;
    match hands.taken_at(now) {
        Some(_) => tx.set_hands(id, hands.wanted(now, for_ms)),
        None => Ok(()),
    }
}

/// The bot gets a conversation back.
pub fn give(tx: &Tx<'_>, now: i64, number: &str, user: &str) -> Result<Option<Hands>> {
    change(tx, number, user, |hands| hands.give(now))
}

fn change(
    tx: &Tx<'_>,
    number: &str,
    user: &str,
    change: impl FnOnce(Hands) -> Hands,
) -> Result<Option<Hands>> {
    let Some(conversation) = known(tx, number, user)? else {
        return Ok(None);
    };
    let hands = change(tx.hands(conversation)?);
    tx.set_hands(conversation, hands)?;
    Ok(Some(hands))
}

/// The numbers that know somebody by this id.
pub fn numbers_of(tx: &Tx<'_>, user: &str) -> Result<Vec<String>> {
    let mut numbers = tx.numbers()?;
    let mut all = Vec::new();
    for number in numbers.drain(..).filter(|number| !number.is_empty()) {
        if known(tx, &number, user)?.is_some() {
            all.push(number);
        }
    }
    Ok(all)
}

/// The conversations in a person's hands at `now`, those that end first; and how
/// many there are in all.
pub fn held(tx: &Tx<'_>, now: i64) -> Result<(Vec<Held>, i64)> {
    let mut all = Vec::new();
    for (conversation, taken) in tx.taken(now, SHOWN_MAX)? {
        let conversation = super::operator::conversation_name(tx, conversation)?;
        all.push(Held {
            conversation,
            taken,
        });
    }
    Ok((all, tx.taken_count(now)?))
}
