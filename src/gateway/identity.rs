//! Who is who: which conversation an id belongs to, and which conversations turn
//! out to be one person's.
//!
//! A person is known by every id they were seen with: BSUIDs, numbers, and both
//! spellings of a number that has two (wire::phone). Ids are never taken away, so
//! that what was sent to an old number, and what comes late under it, is found. A
//! user name is no id: it can pass to somebody else, and nothing is sent to one.

use super::Gateway;
use super::forget::wish_digest;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{Party, is_bsuid, user_id};
use crate::wire::phone::{self, a_digit_more};

impl Gateway {
    /// The conversation (and lane) of a party, found by any id it is known by;
    /// ids that turn out to be one person's are joined. The best id comes first.
    pub(super) fn conversation(
        &self,
        tx: &Tx<'_>,
        now: i64,
        number: &str,
        party: &Party,
    ) -> Result<ConversationId> {
        match party {
            Party::User(ids) => self.person(tx, now, number, ids),
            Party::Group(id) => self.person(tx, now, number, std::slice::from_ref(id)),
            // Account events name a number or not, as it happens: one lane.
            Party::Account(waba) => self.person(tx, now, "", &[format!("waba:{waba}")]),
        }
    }

    /// The conversation of whoever has these ids, at least one.
    pub(super) fn person(
        &self,
        tx: &Tx<'_>,
        now: i64,
        number: &str,
        ids: &[String],
    ) -> Result<ConversationId> {
        if let Some(conversation) = tx.remembered_person(number, ids) {
            return Ok(conversation);
        }
        let mut known: Vec<ConversationId> = Vec::new();
        let mut new: Vec<&String> = Vec::new();
        for id in ids {
            let found = tx.conversation(number, id)?;
            if found.is_none() {
                new.push(id);
            }
            // Both, although one would do: a file of an earlier version may have a
            // conversation for each.
            for found in found.into_iter().chain(by_other_spelling(tx, number, id)?) {
                if !known.contains(&found) {
                    known.push(found);
                }
            }
        }
        let Some(&conversation) = known.iter().min() else {
            let conversation = begin(tx, now, number, ids)?;
            for id in &ids[1..] {
                tx.insert_alias(number, id, conversation)?;
            }
            return Ok(conversation);
        };
        if known.len() == 1 && new.is_empty() {
            tx.remember_person(number, ids, conversation);
            return Ok(conversation);
        }
        if known.len() > 1 || new.contains(&&ids[0]) {
            tx.rename_conversation(conversation, &ids[0])?;
        }
        for other in known.into_iter().filter(|id| *id != conversation) {
            for queue in tx.merge_conversation(other, conversation, now)? {
                tx.settle_lane(queue, conversation, now)?;
            }
        }
        for id in new {
            tx.insert_alias(number, id, conversation)?;
        }
        Ok(conversation)
    }

    /// The conversation a message goes out in.
    pub(super) fn conversation_with(
        &self,
        tx: &Tx<'_>,
        now: i64,
        number: &str,
        recipient: &str,
    ) -> Result<ConversationId> {
        match known(tx, number, recipient)? {
            Some(conversation) => Ok(conversation),
            None => begin(tx, now, number, &[user_id(recipient)]),
        }
    }

    /// Graph's answer names the recipient by ids of its own: all are one person's.
    /// Only if it is certainly the recipient that is named, since joining two people
    /// cannot be undone.
    pub(super) fn learn_recipient(
        &self,
        tx: &Tx<'_>,
        now: i64,
        message: &Message,
        wa_id: Option<&str>,
        bsuid: Option<&str>,
    ) -> Result<()> {
        let to = user_id(&message.recipient);
        let (wa_id, bsuid) = (wa_id.map(user_id), bsuid.map(user_id));
        let named = match is_bsuid(&to) {
            true => bsuid.as_ref().is_none_or(|bsuid| *bsuid == to),
            false => {
                let is_phone = !to.is_empty() && phone::is_digits(&to);
                let same = |wa_id: &String| *wa_id == to || a_digit_more(wa_id, &to);
                is_phone && wa_id.as_ref().is_none_or(same)
            }
        };
        if !named {
            return Ok(());
        }
        let mut ids: Vec<String> = Vec::with_capacity(3);
        for id in [bsuid, wa_id, Some(to)].into_iter().flatten() {
            if !id.is_empty() && !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.len() > 1 {
            self.person(tx, now, &message.number, &ids)?;
        }
        Ok(())
    }
}

/// A new conversation, known by the first of these ids. Of somebody who was
/// forgotten we may still know that they wanted no marketing.
fn begin(tx: &Tx<'_>, now: i64, number: &str, ids: &[String]) -> Result<ConversationId> {
    let conversation = tx.insert_conversation(number, &ids[0])?;
    for id in ids {
        if tx.is_unwilling(&wish_digest(number, id))? {
            tx.set_marketing_stopped(conversation, Some(now))?;
        }
    }
    Ok(conversation)
}

/// The conversation of whoever is known by this id, however it is written.
pub(super) fn known(tx: &Tx<'_>, number: &str, id: &str) -> Result<Option<ConversationId>> {
    let id = user_id(id);
    match tx.conversation(number, &id)? {
        Some(found) => Ok(Some(found)),
        None => by_other_spelling(tx, number, &id),
    }
}

fn by_other_spelling(tx: &Tx<'_>, number: &str, id: &str) -> Result<Option<ConversationId>> {
    match phone::other_spelling(id) {
        Some(other) => tx.conversation(number, &other),
        None => Ok(None),
    }
}
