//! When a rule fits: conditions on one message. Only judges; that a message is a customer's is
//! settled before, and what is answered comes after.
//!
//! * `text`: the whole text is this one, or one of these, without regard to case and to blanks
//!   around it.
//! * `match`: a regular expression is found in the text. Case counts only after `(?-i)`: phones
//!   begin every message with a capital.
//! * `reply_id`: a button or list row with this id, or one of these, was tapped; of a template's
//!   button, its payload.
//!
//! The text of a message is what the customer wrote or tapped: a text, a caption, the note with an
//! order, the label of a button or list row.

use regex::{Regex, RegexBuilder};

use crate::wire::message::Message;

/// One condition.
pub(super) enum Condition {
    /// Any of these is the text; folded.
    Text(Vec<String>),
    /// This is found in the text.
    Match(Regex),
    /// Any of these is the id of what was tapped.
    ReplyId(Vec<String>),
}

/// What a message says, prepared once for all rules.
pub(super) struct Said<'m> {
    text: Option<&'m str>,
    folded: Option<String>,
    reply_id: Option<&'m str>,
}

impl<'m> Said<'m> {
    pub(super) fn of(message: &'m Message) -> Said<'m> {
        let text = message.text();
        Said {
            text,
            folded: text.map(folded),
            reply_id: message.reply_id(),
        }
    }
}

impl Condition {
    pub(super) fn text(texts: Vec<String>) -> Condition {
        Condition::Text(texts.iter().map(|text| folded(text)).collect())
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

    pub(super) fn fits(&self, said: &Said) -> bool {
        match self {
            Condition::Text(texts) => said
                .folded
                .as_ref()
                .is_some_and(|text| texts.contains(text)),
            Condition::Match(regex) => said.text.is_some_and(|text| regex.is_match(text)),
            Condition::ReplyId(ids) => said
                .reply_id
                .is_some_and(|id| ids.iter().any(|one| one == id)),
        }
    }

    /// The names under which [`Condition::captured`] gives its findings.
    pub(super) fn placeholders(&self) -> Vec<String> {
        match self {
            Condition::Match(regex) => names(regex).map(|(_, name)| name).collect(),
            Condition::Text(_) | Condition::ReplyId(_) => Vec::new(),
        }
    }

    /// What the groups of an expression hold: by number (`m1`), and by name if they have one. A
    /// group that took no part is empty.
    pub(super) fn captured(&self, said: &Said) -> Vec<(String, String)> {
        let (Condition::Match(regex), Some(text)) = (self, said.text) else {
            return Vec::new();
        };
        let Some(groups) = regex.captures(text) else {
            return Vec::new();
        };
        let held = |index| groups.get(index).map_or("", |group| group.as_str());
        names(regex)
            .map(|(index, name)| (name, held(index).to_owned()))
            .collect()
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
