//! The handler for `RULES_FILE`: a TOML file of rules, each a condition and what is answered.
//!
//! ```toml
//! [[rule]]
//! match = 'order\s+(?<number>\d+)'
//! reply = "Order {{ number }} is on its way, {{ name or 'friend' }}."
//! ```
//!
//! **Who is answered.** Customers' messages under the field `messages`; never our own, nor a
//! history, a status or a call. The first rule that fits answers, and nobody else is asked; when
//! none fits, the next handler is.
//!
//! **When a rule fits.** When all its conditions do (`condition`), and it does not rest: after it
//! fired, a rule with a `cooldown` leaves that conversation to the rules after it for so long. A
//! rule whose conditions do not name what is said (or that has none) fits only what is said to us:
//! text, files, places, address cards, orders, taps and filled-in forms. It leaves alone what is
//! not said to us or not said at all (reactions, edits and deletions, system messages, permissions
//! to call, what Meta does not pass on or we don't know), and it does not talk into groups, where
//! people write to each other.
//!
//! **What is answered.** Cloud API message objects, their strings filled in (`template`). What
//! the customer wrote is a value and never a template, and JSON is made from values, so no name or
//! text can change more than the place it is put in.
//!
//! **A burst** (`DEBOUNCE`) is judged message by message, as if each had come alone: what one of them
//! leaves behind, such as a rule that rests, holds for the next. Those that no rule takes go on to the
//! next handler together; after a rule that hands over, nobody is asked any more.
//!
//! **Where a person has taken over** nobody is answered, but what a rule with `marketing` hears is
//! kept.
//!
//! All mistakes in the file are found when it is loaded (`file`), with line, rule and mend.

mod condition;
mod error;
mod file;
mod hours;
mod template;
#[cfg(test)]
mod tests;
mod trial;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::{Delivery, Ears, Effect, Facts, Handled, Handler, Outcome, Wants};
use crate::wire::event::Event;
use crate::wire::message::{Content, Interactive};
use crate::wire::notification::Kind;
use condition::{Case, Condition};
use template::{Reply, Templates, Values};

pub use error::{Problem, RulesError};
pub use template::Unfilled;
pub use trial::{Trial, Tried, Untried, triable};

/// No one writes so many rules by hand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The rules of one file. Cheap to clone.
#[derive(Clone)]
pub struct Rules(Arc<Loaded>);

struct Loaded {
    rules: Vec<Rule>,
    templates: Templates,
    /// Of the file's text.
    digest: [u8; 16],
}

/// A condition and what is done when it holds.
struct Rule {
    name: Option<String>,
    /// What it is remembered by in a conversation: its name, or what its conditions make.
    key: String,
    /// In the file, counted from 1.
    line: usize,
    /// All must hold; none: everything said to us.
    conditions: Vec<Condition>,
    replies: Vec<Reply>,
    /// How long it rests in a conversation after it fired there.
    cooldown_ms: Option<i64>,
    /// What it makes of the person's wish for marketing.
    marketing: Option<Effect>,
    /// A person is to go on.
    hand_over: bool,
}

/// What the rules make of an event.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The rule that fits, counted from 1.
    pub rule: usize,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// What is to be remembered about the conversation.
    pub effects: Vec<Effect>,
    /// Cloud API message objects in the order in which they go out.
    pub replies: Result<Vec<String>, Unfilled>,
}

/// How a message goes through the rules.
#[derive(Debug, Default)]
pub struct Judged {
    /// What the first rule that fits answers.
    pub answer: Option<Answer>,
    /// Why each rule before it does not fit: the key of its first condition that does not hold,
    /// `cooldown` while it rests, or a word of why it is not asked.
    pub passed: Vec<&'static str>,
}

/// A rule, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'r> {
    /// Counted from 1.
    pub rule: usize,
    /// Its name, if it has one.
    pub name: Option<&'r str>,
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// The keys of its conditions.
    pub conditions: Vec<&'static str>,
    /// How many messages it answers with.
    pub replies: usize,
    /// How long it rests in a conversation after it fired there.
    pub cooldown_ms: Option<i64>,
    /// A person is to go on.
    pub hand_over: bool,
}

impl Rules {
    /// Reads a rules file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Rules, RulesError> {
        let unreadable = |error| RulesError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(RulesError::TooLong {
                path: path.to_owned(),
            });
        }
        let rules = match std::str::from_utf8(&bytes) {
            Ok(text) => Rules::parse(text),
            Err(error) => Err(vec![Problem {
                line: line_at(&bytes, error.valid_up_to()),
                rule: None,
                text: "the text is not UTF-8: save the file in that encoding".into(),
            }]),
        };
        rules.map_err(|problems| RulesError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Reads the text of a rules file. One without rules is fine.
    ///
    /// # Errors
    /// All mistakes, in the order of lines.
    pub fn parse(text: &str) -> Result<Rules, Vec<Problem>> {
        Ok(Rules(Arc::new(file::read(text)?)))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.0.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }

    /// Whether both are of the same text.
    pub fn is_same(&self, other: &Rules) -> bool {
        self.0.digest == other.0.digest
    }

    /// All rules, in order.
    pub fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        let rules = self.0.rules.iter().enumerate();
        rules.map(|(index, rule)| Listed {
            rule: index + 1,
            name: rule.name.as_deref(),
            line: rule.line,
            conditions: rule.conditions.iter().map(Condition::key).collect(),
            replies: rule.replies.len(),
            cooldown_ms: rule.cooldown_ms,
            hand_over: rule.hand_over,
        })
    }

    /// What the first rule that fits answers; `None` if none does. `facts` is what is known of the
    /// conversation, `now` the moment in Unix milliseconds.
    pub fn answer(&self, event: &Event, facts: &Facts, now: i64) -> Option<Answer> {
        self.judge(event, facts, now).answer
    }

    /// The same, and why the rules before it do not fit.
    pub fn judge(&self, event: &Event, facts: &Facts, now: i64) -> Judged {
        let mut judged = Judged::default();
        let Some(message) = event.message() else {
            return judged;
        };
        if event.field != "messages" || event.is_own() {
            return judged;
        }
        let case = Case::of(event, message, facts, now);
        for rule in &self.0.rules {
            match rule.hindrance(&case) {
                Some(why) => judged.passed.push(why),
                None => {
                    let index = judged.passed.len() + 1;
                    let values = Values::of(event, &case, rule.captured(&case));
                    let replies = self.0.templates.fill(&rule.replies, &values);
                    judged.answer = Some(rule.answer(index, replies, now));
                    break;
                }
            }
        }
        judged
    }
}

impl Rule {
    /// Why it does not fit: the key of a condition, or a word of what else it lacks.
    fn hindrance(&self, case: &Case) -> Option<&'static str> {
        let named = self.conditions.iter().any(Condition::names_what_is_said);
        let in_group = case.message.group_id.is_some();
        if !named && !is_said_to_us(&case.message.content) {
            return Some("nothing is said");
        }
        // In a group people write to each other, and nobody decides for all of them.
        if in_group && (!named || self.marketing.is_some() || self.hand_over) {
            return Some("group");
        }
        if let Some(unmet) = self.conditions.iter().find(|one| !one.fits(case)) {
            return Some(unmet.key());
        }
        let rests = |cooldown_ms| case.facts.rests(&self.key, cooldown_ms, case.now);
        self.cooldown_ms.is_some_and(rests).then_some("cooldown")
    }

    /// What its conditions found, by the names of all that they can find.
    fn captured(&self, case: &Case) -> Vec<(String, String)> {
        let conditions = || self.conditions.iter();
        let blank = conditions().flat_map(Condition::placeholders);
        let blank = blank.map(|name| (name, String::new()));
        blank
            .chain(conditions().flat_map(|c| c.captured(case)))
            .collect()
    }

    fn answer(&self, index: usize, replies: Result<Vec<String>, Unfilled>, now: i64) -> Answer {
        let rest = self.cooldown_ms.map(|cooldown_ms| Effect::Rest {
            rule: self.key.clone(),
            until: now.saturating_add(cooldown_ms),
        });
        Answer {
            rule: index,
            name: self.name.clone(),
            line: self.line,
            effects: rest
                .into_iter()
                .chain(self.marketing.clone())
                .chain(self.hand_over.then_some(Effect::HandOver))
                .collect(),
            replies,
        }
    }
}

/// Whether an answer is expected at all, whatever it says.
fn is_said_to_us(content: &Content) -> bool {
    match content {
        Content::Text { .. }
        | Content::Image(_)
        | Content::Video(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::Sticker(_)
        | Content::Location(_)
        | Content::Contacts(_)
        | Content::Button { .. }
        | Content::Order(_) => true,
        Content::Interactive(reply) => matches!(
            reply,
            Interactive::ButtonReply { .. }
                | Interactive::ListReply { .. }
                | Interactive::NfmReply(_)
        ),
        Content::Reaction { .. }
        | Content::System(_)
        | Content::Unsupported { .. }
        | Content::RequestWelcome
        | Content::Ephemeral
        | Content::MediaPlaceholder
        | Content::Edit { .. }
        | Content::Revoke { .. }
        | Content::Other { .. } => false,
    }
}

impl Handler for Rules {
    fn rules(&self) -> Option<&Rules> {
        Some(self)
    }

    fn wants(&self) -> Wants {
        Wants::Messages
    }

    fn ears(&self) -> Option<Ears> {
        let rules = self.clone();
        let is_needed = self.0.rules.iter().any(|rule| rule.marketing.is_some());
        is_needed.then(|| {
            Ears::new(move |envelope, facts, now| {
                rules.overhear(&Event::read(envelope), facts, now)
            })
        })
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        if delivery.kind != Kind::Message || delivery.field != "messages" {
            return Handled::No;
        }
        if !delivery.burst.is_empty() {
            return self.handle_burst(delivery);
        }
        let event = Event::read(&delivery.body);
        let Some(answer) = self.answer(&event, &delivery.facts, delivery.started_at) else {
            return Handled::No;
        };
        Handled::Yes(match answer.replies {
            Ok(replies) => Outcome::Done {
                replies,
                effects: answer.effects,
            },
            Err(unfilled) => cannot_be_filled(answer.rule, unfilled),
        })
    }
}

impl Rules {
    /// What a message says of marketing to whoever may not answer it.
    fn overhear(&self, event: &Event, facts: &Facts, now: i64) -> Vec<Effect> {
        let answer = self.answer(event, facts, now);
        let mut effects = answer.map_or_else(Vec::new, |answer| answer.effects);
        effects.retain(Effect::is_word);
        effects
    }

    fn handle_burst(&self, delivery: &Delivery) -> Handled {
        let mut facts = delivery.facts.clone();
        let (mut replies, mut effects, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for (place, part) in delivery.burst.iter().enumerate() {
            facts.first_contact = part.first_contact;
            facts.stale_ms = part.stale_ms;
            let event = Event::read(&part.body);
            // A person goes on from there.
            if effects.contains(&Effect::HandOver) {
                effects.extend(self.overhear(&event, &facts, delivery.started_at));
                continue;
            }
            let Some(answer) = self.answer(&event, &facts, delivery.started_at) else {
                left.push(place);
                continue;
            };
            match answer.replies {
                Ok(said) => replies.extend(said),
                Err(unfilled) => return Handled::Yes(cannot_be_filled(answer.rule, unfilled)),
            }
            facts.remember(&answer.effects);
            effects.extend(answer.effects);
        }
        if left.len() == delivery.burst.len() {
            return Handled::No;
        }
        match delivery.only(&left) {
            Some(left) => Handled::Partly {
                replies,
                effects,
                left: Box::new(left),
            },
            None => Handled::Yes(Outcome::Done { replies, effects }),
        }
    }
}

/// Another attempt would find the same.
fn cannot_be_filled(rule: usize, unfilled: Unfilled) -> Outcome {
    Outcome::Dead {
        reason: format!("RULES_FILE: the reply of rule {rule} {unfilled}").into(),
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rules({})", self.len())
    }
}

/// Prints no reply: they repeat what people said.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("rule", &self.rule)
            .field("replies", &self.replies.as_ref().map(Vec::len))
            .finish()
    }
}

/// The line, counted from 1, in which a byte stands.
fn line_at(text: &[u8], at: usize) -> usize {
    let before = &text[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
