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
//! **When a rule fits.** When all its conditions do (`condition`): `text`, `match`, `reply_id`.
//! A rule without any fits everything a customer says to us: text, files, places, address cards,
//! orders, taps and filled-in forms. It leaves alone what is not said to us or not said at all
//! (reactions, edits and deletions, system messages, permissions to call, what Meta does not pass
//! on or we don't know), and it does not talk into groups, where people write to each other.
//!
//! **What is answered.** Cloud API message objects, their strings filled in (`template`). What
//! the customer wrote is a value and never a template, and JSON is made from values, so no name or
//! text can change more than the place it is put in.
//!
//! All mistakes in the file are found when it is loaded (`file`), with line, rule and mend.

mod condition;
mod file;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Delivery, Handled, Handler, Outcome, Wants};
use crate::wire::event::Event;
use crate::wire::message::{Content, Interactive, Message};
use crate::wire::notification::Kind;
use condition::{Condition, Said};
use template::{Reply, Templates, Values};

pub use template::Unfilled;

/// No one writes so many rules by hand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The rules of one file. Cheap to clone.
#[derive(Clone)]
pub struct Rules(Arc<Loaded>);

struct Loaded {
    rules: Vec<Rule>,
    templates: Templates,
}

/// A condition and what is answered when it holds.
struct Rule {
    /// All must hold; none: everything said to us.
    conditions: Vec<Condition>,
    replies: Vec<Reply>,
}

/// What the rules make of an event.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The rule that fits, counted from 1.
    pub rule: usize,
    /// Cloud API message objects in the order in which they go out.
    pub replies: Result<Vec<String>, Unfilled>,
}

/// One mistake in a rules file: where and what it is, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// The rule, counted from 1; none for a mistake outside of rules.
    pub rule: Option<usize>,
    /// In words.
    pub text: String,
}

/// Why there are no rules. Its text has a line for each mistake.
#[derive(Debug)]
pub enum RulesError {
    /// The file is not there, or we may not read it.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is longer than 1 MiB.
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not what a rules file should be.
    Wrong {
        /// The file.
        path: PathBuf,
        /// Every mistake found.
        problems: Vec<Problem>,
    },
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

    /// What the first rule that fits answers; `None` if none does.
    pub fn answer(&self, event: &Event) -> Option<Answer> {
        let message = event.message()?;
        if event.field != "messages" || event.is_own() {
            return None;
        }
        let said = Said::of(message);
        let mut rules = self.0.rules.iter();
        let index = rules.position(|rule| rule.fits(message, &said))?;
        let rule = &self.0.rules[index];
        let values = Values::of(event, message, rule.captured(&said));
        Some(Answer {
            rule: index + 1,
            replies: self.0.templates.fill(&rule.replies, &values),
        })
    }
}

impl Rule {
    fn fits(&self, message: &Message, said: &Said) -> bool {
        match self.conditions.is_empty() {
            true => message.group_id.is_none() && is_said_to_us(&message.content),
            false => self.conditions.iter().all(|c| c.fits(said)),
        }
    }

    fn captured(&self, said: &Said) -> Vec<(String, String)> {
        self.conditions
            .iter()
            .flat_map(|c| c.captured(said))
            .collect()
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
    fn wants(&self) -> Wants {
        Wants::Messages
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        if delivery.kind != Kind::Message || delivery.field != "messages" {
            return Handled::No;
        }
        let Some(Answer { rule, replies }) = self.answer(&Event::read(&delivery.body)) else {
            return Handled::No;
        };
        Handled::Yes(match replies {
            Ok(replies) => Outcome::done(replies),
            // Another attempt would find the same.
            Err(unfilled) => Outcome::Dead {
                reason: format!("RULES_FILE: the reply of rule {rule} {unfilled}").into(),
            },
        })
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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(rule) = self.rule {
            write!(f, "rule {rule}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulesError::Unreadable { path, .. } => {
                write!(f, "the rules file {} cannot be read", path.display())
            }
            RulesError::TooLong { path } => {
                let mib = FILE_BYTES_MAX / 1024 / 1024;
                write!(
                    f,
                    "{} is longer than {mib} MiB: that is no rules file",
                    path.display()
                )
            }
            RulesError::Wrong { path, problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    let end = if index == 0 { "" } else { "\n" };
                    write!(f, "{end}{} {problem}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for RulesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RulesError::Unreadable { error, .. } => Some(error),
            RulesError::TooLong { .. } | RulesError::Wrong { .. } => None,
        }
    }
}

/// The line, counted from 1, in which a byte stands.
fn line_at(text: &[u8], at: usize) -> usize {
    let before = &text[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
