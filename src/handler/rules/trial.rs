//! A made-up message to try rules with: what Meta would send if somebody wrote it.

use serde_json::{Value, json};

use super::{Judged, Rules};
use crate::gateway::Facts;
use crate::wire::event::Event;
use crate::wire::outgoing::{self, ReplyTo};
use crate::wire::sample::{self, Sample};

/// A message to try rules with.
#[derive(Clone, Debug, Default)]
pub struct Trial<'t> {
    /// What the customer writes, or the label of what they tap.
    pub text: &'t str,
    /// What the message is, in the words of a rule's `type`; `None`: a text, or a tap on a button
    /// when there is a `reply_id`.
    pub type_: Option<&'t str>,
    /// The id of what is tapped, or the token of a form.
    pub reply_id: Option<&'t str>,
    /// The customer's phone number or BSUID.
    pub from: Option<&'t str>,
    /// The customer's name.
    pub name: Option<&'t str>,
    /// The `phone_number_id` they write to.
    pub number: Option<&'t str>,
    /// The id of the ad they come by.
    pub referral: Option<&'t str>,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// What the rules make of it.
#[derive(Debug)]
pub struct Tried {
    /// Which rule fits, and why those before it do not.
    pub judged: Judged,
    /// The messages it is answered with, as Graph would get them.
    pub messages: Vec<Value>,
}

/// Why nothing comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untried {
    /// Such a message cannot be tried.
    Unknown(String),
    /// The answer cannot be made.
    Failed(String),
}

/// A rule's word for a type, the sample's for it, and where the id of what is tapped stands.
const KINDS: [(&str, &str, Option<&str>); 20] = [
    ("text", "text", None),
    ("image", "image", None),
    ("video", "video", None),
    ("audio", "audio", None),
    ("voice", "audio", None),
    ("document", "document", None),
    ("sticker", "sticker", None),
    ("location", "location", None),
    ("contacts", "contacts", None),
    ("button", "button", Some("/button/payload")),
    (
        "button_reply",
        "button-reply",
        Some("/interactive/button_reply/id"),
    ),
    ("list_reply", "list", Some("/interactive/list_reply/id")),
    (
        "nfm_reply",
        "flow",
        Some("/interactive/nfm_reply/response_json"),
    ),
    ("order", "order", None),
    ("reaction", "reaction", None),
    ("system", "system", None),
    ("unsupported", "unsupported", None),
    ("request_welcome", "request-welcome", None),
    ("edit", "edit", None),
    ("revoke", "revoke", None),
];

/// The types of messages that can be tried.
pub fn triable() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, ..)| *name)
}

impl Trial<'_> {
    /// Puts it to the rules; `facts` is what is known of the conversation.
    ///
    /// # Errors
    /// When such a message cannot be tried, or the answer cannot be made.
    pub fn put_to(&self, rules: &Rules, facts: &Facts) -> Result<Tried, Untried> {
        let envelope = self.envelope().map_err(Untried::Unknown)?;
        let judged = rules.judge(&Event::read(&envelope), facts, self.at);
        let messages = messages(&judged, &envelope).map_err(Untried::Failed)?;
        Ok(Tried { judged, messages })
    }

    /// The envelope of the message, as it would be stored.
    ///
    /// # Errors
    /// What cannot be tried so, and what can.
    pub fn envelope(&self) -> Result<String, String> {
        let implied = match self.reply_id {
            Some(_) => "button_reply",
            None => "text",
        };
        let type_ = self.type_.unwrap_or(implied);
        let Some((_, kind, tapped)) = KINDS.into_iter().find(|(name, ..)| *name == type_) else {
            let known = KINDS.map(|(name, ..)| name).join(" ");
            return Err(format!(
                "messages of type {type_} cannot be tried; there are: {known}"
            ));
        };
        let usual = Sample::default();
        let from = self.from.unwrap_or(usual.from);
        // A BSUID has a country and a dot in front.
        let bsuid = from.contains('.').then_some(from);
        let sample = Sample {
            text: self.text,
            from: if bsuid.is_some() { "" } else { from },
            user_id: bsuid,
            name: self.name.unwrap_or(usual.name),
            number: self.number.unwrap_or(usual.number),
            timestamp: self.at.div_euclid(1_000),
            ..usual
        };
        let envelope = sample::notification(kind, &sample).unwrap_or_default();
        let mut envelope: Value = serde_json::from_str(&envelope).unwrap_or_default();
        let Some(message) = envelope.pointer_mut("/entry/0/changes/0/value/messages/0") else {
            return Err(format!("messages of type {type_} cannot be tried"));
        };
        match (self.reply_id, tapped.and_then(|at| message.pointer_mut(at))) {
            (Some(id), Some(place)) => {
                *place = match kind {
                    "flow" => json!({"flow_token": id}).to_string().into(),
                    _ => id.into(),
                };
            }
            (Some(_), None) => {
                return Err(format!("nothing is tapped in messages of type {type_}"));
            }
            (None, _) => {}
        }
        if type_ == "audio" {
            message["audio"]["voice"] = false.into();
        }
        if let Some(ad) = self.referral {
            message["referral"] = json!({"source_type": "ad", "source_id": ad});
        }
        Ok(sample::wire_json(&envelope))
    }
}

/// The messages as Graph would get them.
fn messages(judged: &Judged, envelope: &str) -> Result<Vec<Value>, String> {
    let Some(answer) = &judged.answer else {
        return Ok(Vec::new());
    };
    let replies = answer.replies.as_ref();
    let replies =
        replies.map_err(|unfilled| format!("the reply of rule {} {unfilled}", answer.rule))?;
    let reply_to = ReplyTo::of(envelope)
        .ok_or("nobody could be answered: name the customer by a phone number or BSUID")?;
    let complete = |reply: &String| {
        let message = outgoing::reply(reply, &reply_to)?;
        serde_json::from_str(&message.body).map_err(|error| error.to_string())
    };
    replies.iter().map(complete).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::rules::{Event, Facts, Rules};

    /// A message of this type is one to the rules too.
    fn check(type_: &str) {
        let rules = format!("[[rule]]\ntype = '{type_}'\nreply = '{{{{ reply_id }}}}'");
        let rules = Rules::parse(&rules).unwrap();
        let trial = Trial {
            text: "a",
            type_: Some(type_),
            ..Trial::default()
        };
        let event = Event::read(&trial.envelope().unwrap());
        assert!(
            rules.answer(&event, &Facts::default(), 0).is_some(),
            "{type_}"
        );
    }

    #[test]
    fn every_type_that_can_be_tried_is_one_to_the_rules() {
        KINDS.iter().for_each(|(type_, ..)| check(type_));
    }

    #[test]
    fn what_is_given_is_in_the_message() {
        let trial = Trial {
            text: "Opening hours",
            reply_id: Some("hours"),
            from: Some("US.1"),
            name: Some("Kit"),
            number: Some("42"),
            referral: Some("77"),
            at: 1_700_000_000_999,
            ..Trial::default()
        };
        let event = Event::read(&trial.envelope().unwrap());
        let message = event.message().unwrap();
        assert_eq!(message.reply_id(), Some("hours"));
        assert_eq!(message.text(), Some("Opening hours"));
        assert_eq!(
            (message.from.as_deref(), message.from_user_id.as_deref()),
            (None, Some("US.1"))
        );
        assert_eq!(message.timestamp, Some(1_700_000_000));
        assert_eq!(event.sender_name(), Some("Kit"));
        assert_eq!(event.number.as_ref().unwrap().phone_number_id, "42");
        let referral = message.referral.as_ref().unwrap();
        assert_eq!(referral.source_id.as_deref(), Some("77"));
    }

    #[test]
    fn what_cannot_be_tried_is_said() {
        for (type_, reply_id, said) in [
            (
                "picture",
                None,
                "messages of type picture cannot be tried; there are: text image",
            ),
            (
                "text",
                Some("a"),
                "nothing is tapped in messages of type text",
            ),
        ] {
            let trial = Trial {
                type_: Some(type_),
                reply_id,
                ..Trial::default()
            };
            let error = trial.envelope().unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
