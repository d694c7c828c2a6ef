//! Who wants no marketing gets none. The wish is remembered for a person and a
//! number: a rule hears it (`marketing = "stop"`), or Meta tells it. From then on
//! templates are refused here with Graph's own code, for every way in alike, when
//! they are queued and again at each attempt; all else goes out as before.
//!
//! What a template is for no message says. It is known from SERVICE_TEMPLATES, or
//! from the category under which Meta priced one that was sent; until then a
//! template is taken for marketing, since a message too few can be mended and a
//! broken wish cannot.

use super::Gateway;
use super::identity::known;
use crate::policy::codes;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{Incoming, Party, Purpose, wants_marketing};
use crate::wire::outgoing;

/// Graph's code for marketing to a person who has stopped it.
pub const STOPPED: i64 = 131_050;

impl Gateway {
    /// Why a message object may not go to somebody who wants no marketing.
    pub(super) fn unwanted(
        &self,
        tx: &Tx<'_>,
        conversation: ConversationId,
        body: &str,
    ) -> Result<Option<Fault>> {
        let Some(template) = outgoing::template_name(body) else {
            return Ok(None);
        };
        if tx.contact(conversation)?.marketing_stopped_at.is_none()
            || self.limits.service_templates.contains(&template)
        {
            return Ok(None);
        }
        let number = tx.conversation_names(conversation)?;
        let number = number.map_or_else(String::new, |(number, ..)| number);
        Ok(match tx.template_purpose(&number, &template)? {
            Some(Purpose::Service) => None,
            Some(Purpose::Marketing) => Some(stopped(None)),
            None => Some(stopped(Some(
                "it is not known to be anything else: if it is, name it in SERVICE_TEMPLATES",
            ))),
        })
    }

    /// A template of ours was priced, and so it is known what it is for.
    pub(super) fn learn_purpose(
        &self,
        tx: &Tx<'_>,
        message: &Message,
        purpose: Option<Purpose>,
    ) -> Result<()> {
        let sent = message.substitute.as_ref().unwrap_or(&message.body);
        match (purpose, outgoing::template_name(sent)) {
            (Some(purpose), Some(template)) => {
                tx.learn_template(&message.number, &template, purpose)
            }
            _ => Ok(()),
        }
    }

    /// Meta tells that a person has stopped marketing in the chat, or wants it
    /// again.
    pub(super) fn note_preference(
        &self,
        tx: &Tx<'_>,
        now: i64,
        conversation: ConversationId,
        event: &Incoming<'_>,
    ) -> Result<()> {
        if event.field != "user_preferences" || !matches!(event.party, Party::User(_)) {
            return Ok(());
        }
        match wants_marketing(&event.body) {
            Some(true) => tx.set_marketing_stopped(conversation, None),
            Some(false) => tx.set_marketing_stopped(conversation, Some(now)),
            None => Ok(()),
        }
    }
}

/// By number, since when a person wants no marketing from it, in Unix
/// milliseconds; of this number alone, or of all that know the person.
pub fn wishes(tx: &Tx<'_>, number: Option<&str>, user: &str) -> Result<Vec<(String, Option<i64>)>> {
    let mut wishes = Vec::new();
    for (number, conversation) in conversations(tx, number, user)? {
        wishes.push((number, tx.contact(conversation)?.marketing_stopped_at));
    }
    Ok(wishes)
}

/// Whether a person whom `number` may know by this id wants no marketing from it.
pub fn has_stopped(tx: &Tx<'_>, number: &str, user: &str) -> Result<bool> {
    let wishes = wishes(tx, Some(number), user)?;
    Ok(wishes.iter().any(|(_, stopped_at)| stopped_at.is_some()))
}

/// The person has told somebody whether they want marketing.
pub fn set_wishes(
    tx: &Tx<'_>,
    now: i64,
    number: Option<&str>,
    user: &str,
    stops: bool,
) -> Result<()> {
    for (_, conversation) in conversations(tx, number, user)? {
        tx.set_marketing_stopped(conversation, stops.then_some(now))?;
    }
    Ok(())
}

fn conversations(
    tx: &Tx<'_>,
    number: Option<&str>,
    user: &str,
) -> Result<Vec<(String, ConversationId)>> {
    let numbers = match number {
        Some(number) => vec![number.to_owned()],
        None => tx.numbers()?,
    };
    let mut found = Vec::new();
    for number in numbers {
        if let Some(conversation) = known(tx, &number, user)? {
            found.push((number, conversation));
        }
    }
    Ok(found)
}

fn stopped(more: Option<&str>) -> Fault {
    // Nothing was asked of Graph: the words are ours, and the code is its.
    let reason = codes::explain(STOPPED).unwrap_or("the person wants no marketing");
    Fault {
        code: Some(STOPPED),
        text: match more {
            Some(more) => format!("{reason} ({more})"),
            None => reason.to_owned(),
        },
    }
}
