//! When a rule fits: conditions on one message, the moment, and what is known of the conversation.
//! Only judges; that a message is a customer's is settled before, and what is answered comes after.
//!
//! The text of a message is what the customer wrote or tapped: a text, a caption, the note with an
//! order, the label of a button or list row. Upper and lower case are the same in it, in `match`
//! until `(?-i)`: phones begin every message with a capital.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use regex::{Regex, RegexBuilder};

use super::hours::Hours;
use crate::gateway::Facts;
use crate::wire::event::Event;
use crate::wire::message::{Content, Interactive, Message, Referral};

/// One condition.
pub(super) enum Condition {
    /// Any of these is the text, but for blanks around it; folded.
    Text(Vec<String>),
    /// All words of any of these are in the text; folded.
    Words(Vec<Vec<String>>),
    /// This is found in the text.
    Match(Regex),
    /// Any of these is the id of the button or list row that was tapped, the payload of a
    /// template's button, or the token of the flow that was filled in.
    ReplyId(Vec<String>),
    /// Any of these is what the message is.
    Type(Vec<String>),
    /// The message came by an ad or post, or did not.
    Referred(bool),
    /// Any of these is the id of the ad or post it came by.
    Referral(Vec<String>),
    /// Any of these is the `phone_number_id` it came to.
    Number(Vec<String>),
    /// It is the person's first, or is not.
    FirstContact(bool),
    /// It came late, or did not.
    Stale(bool),
    /// One of these shops is open.
    Open(Vec<Arc<Hours>>),
    /// One of these shops is closed.
    Closed(Vec<Arc<Hours>>),
    /// All of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// None of them.
    Not(Vec<Condition>),
}

/// A message and its moment, prepared once for all rules.
pub(super) struct Case<'m> {
    pub(super) message: &'m Message,
    pub(super) facts: &'m Facts,
    /// In Unix milliseconds.
    pub(super) now: i64,
    number: &'m str,
    text: Option<&'m str>,
    folded: Option<String>,
    words: OnceCell<BTreeSet<String>>,
    pub(super) reply_id: Option<String>,
    /// What a flow or another form was filled in with.
    pub(super) fields: Option<serde_json::Value>,
}

/// What a message may be: Meta's types, those of the replies to interactive messages, and ours for
/// a sound file that was spoken into the phone.
pub(super) const TYPES: [&str; 22] = [
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button_reply",
    "list_reply",
    "nfm_reply",
    "call_permission_reply",
    "button",
    "order",
    "reaction",
    "system",
    "unsupported",
    "request_welcome",
    "edit",
    "revoke",
];

impl<'m> Case<'m> {
    pub(super) fn of(
        event: &'m Event,
        message: &'m Message,
        facts: &'m Facts,
        now: i64,
    ) -> Case<'m> {
        let text = message.text();
        let fields = match &message.content {
            Content::Interactive(Interactive::NfmReply(form)) => form.response(),
            _ => None,
        };
        let token = fields
            .as_ref()
            .and_then(|fields| fields["flow_token"].as_str());
        let number = event.number.as_ref();
        Case {
            message,
            facts,
            now,
            number: number.map_or("", |number| &number.phone_number_id),
            text,
            folded: text.map(folded),
            words: OnceCell::new(),
            reply_id: message.reply_id().or(token).map(str::to_owned),
            fields,
        }
    }

    fn words(&self) -> &BTreeSet<String> {
        let words = || words(self.text.unwrap_or_default()).into_iter().collect();
        self.words.get_or_init(words)
    }

    fn is(&self, type_: &str) -> bool {
        let content = &self.message.content;
        let within = match content {
            Content::Interactive(reply) => reply.kind() == type_,
            Content::Audio(media) => media.voice && type_ == "voice",
            _ => false,
        };
        within || content.kind() == type_
    }

    fn referral(&self) -> Option<&Referral> {
        self.message.referral.as_ref()
    }
}

impl Condition {
    pub(super) fn text(texts: Vec<String>) -> Condition {
        Condition::Text(texts.iter().map(|text| folded(text)).collect())
    }

    pub(super) fn words(texts: &[String]) -> Condition {
        Condition::Words(texts.iter().map(|text| words(text)).collect())
    }

    /// # Errors
    /// What is wrong with the expression, in a line.
    pub(super) fn regex(pattern: &str) -> Result<Condition, String> {
        let regex = RegexBuilder::new(pattern).case_insensitive(true).build();
        regex.map(Condition::Match).map_err(|error| {
            // The last line of several says it; those before point at the place.
            let text = error.to_string();
            let said = text.lines().last().unwrap_or_default();
            said.trim_start_matches("error: ").to_owned()
        })
    }

    pub(super) fn fits(&self, case: &Case) -> bool {
        let among = |list: &[String], found: Option<&str>| {
            found.is_some_and(|found| list.iter().any(|one| one == found))
        };
        match self {
            Condition::Text(texts) => among(texts, case.folded.as_deref()),
            Condition::Words(sets) => {
                let holds = |set: &Vec<String>| set.iter().all(|word| case.words().contains(word));
                sets.iter().any(holds)
            }
            Condition::Match(regex) => case.text.is_some_and(|text| regex.is_match(text)),
            Condition::ReplyId(ids) => among(ids, case.reply_id.as_deref()),
            Condition::Type(types) => types.iter().any(|type_| case.is(type_)),
            Condition::Referred(wanted) => case.referral().is_some() == *wanted,
            Condition::Referral(ids) => {
                among(ids, case.referral().and_then(|by| by.source_id.as_deref()))
            }
            Condition::Number(ids) => among(ids, Some(case.number)),
            Condition::FirstContact(wanted) => case.facts.first_contact == *wanted,
            Condition::Stale(wanted) => case.facts.stale_ms.is_some() == *wanted,
            Condition::Open(shops) => shops.iter().any(|shop| shop.open_at(case.now)),
            Condition::Closed(shops) => shops.iter().any(|shop| !shop.open_at(case.now)),
            Condition::All(list) => list.iter().all(|one| one.fits(case)),
            Condition::Any(list) => list.iter().any(|one| one.fits(case)),
            Condition::Not(list) => !list.iter().any(|one| one.fits(case)),
        }
    }

    /// Its key in the file.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Condition::Text(_) => "text",
            Condition::Words(_) => "words",
            Condition::Match(_) => "match",
            Condition::ReplyId(_) => "reply_id",
            Condition::Type(_) => "type",
            Condition::Referred(_) | Condition::Referral(_) => "referral",
            Condition::Number(_) => "number",
            Condition::FirstContact(_) => "first_contact",
            Condition::Stale(_) => "stale",
            Condition::Open(_) => "open",
            Condition::Closed(_) => "closed",
            Condition::All(_) => "all",
            Condition::Any(_) => "any",
            Condition::Not(_) => "not",
        }
    }

    /// Whether it names what was said. A rule that has such a condition takes any message that
    /// fits; one without it only what is said to us.
    pub(super) fn names_what_is_said(&self) -> bool {
        match self {
            Condition::Text(_)
            | Condition::Words(_)
            | Condition::Match(_)
            | Condition::ReplyId(_)
            | Condition::Type(_) => true,
            Condition::All(list) => list.iter().any(Condition::names_what_is_said),
            Condition::Any(list) => list.iter().all(Condition::names_what_is_said),
            Condition::Referred(_)
            | Condition::Referral(_)
            | Condition::Number(_)
            | Condition::FirstContact(_)
            | Condition::Stale(_)
            | Condition::Open(_)
            | Condition::Closed(_)
            | Condition::Not(_) => false,
        }
    }

    /// The names under which [`Condition::captured`] gives its findings.
    pub(super) fn placeholders(&self) -> Vec<String> {
        match self {
            Condition::Match(regex) => names(regex).map(|(_, name)| name).collect(),
            Condition::All(list) | Condition::Any(list) => {
                list.iter().flat_map(Condition::placeholders).collect()
            }
            // What was not found has no groups.
            _ => Vec::new(),
        }
    }

    /// What the groups of an expression hold: by number (`m1`), and by name if they have one. A
    /// group that took no part is empty. Of `any`, those of the first that fits.
    pub(super) fn captured(&self, case: &Case) -> Vec<(String, String)> {
        match self {
            Condition::Match(regex) => {
                let Some(groups) = case.text.and_then(|text| regex.captures(text)) else {
                    return Vec::new();
                };
                let held = |index| groups.get(index).map_or("", |group| group.as_str());
                names(regex)
                    .map(|(index, name)| (name, held(index).to_owned()))
                    .collect()
            }
            Condition::All(list) => list.iter().flat_map(|one| one.captured(case)).collect(),
            Condition::Any(list) => {
                let first = list.iter().find(|one| one.fits(case));
                first.map_or_else(Vec::new, |one| one.captured(case))
            }
            _ => Vec::new(),
        }
    }
}

fn names(regex: &Regex) -> impl Iterator<Item = (usize, String)> {
    let groups = regex.capture_names().enumerate().skip(1);
    groups.flat_map(|(index, name)| {
        let number = (index, format!("m{index}"));
        [Some(number), name.map(|name| (index, name.to_owned()))]
            .into_iter()
            .flatten()
    })
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Letters, marks and digits in a row, folded. What no letter is parts words, so that "don't" is
/// two of them wherever it stands.
fn words(text: &str) -> Vec<String> {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\w+").expect("tests use this expression"));
    let found = WORD.find_iter(text);
    found.map(|word| word.as_str().to_lowercase()).collect()
}
