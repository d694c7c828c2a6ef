//! What a consumer made of an event, and why.

use crate::gateway::facts::Effect;
use std::fmt;
use std::time::Duration;

/// The longest explanation that is kept with a delivery.
pub const DETAILS_CHARS_MAX: usize = 1_000;

/// What a consumer made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Dealt with.
    Done {
        /// Cloud API message objects, in the order in which they go out.
        replies: Vec<String>,
        /// What is to be remembered about the conversation.
        effects: Vec<Effect>,
    },
    /// Not now: the same event again later, not before `wait`.
    Retry {
        /// Why.
        reason: Reason,
        /// The least time to wait, if the consumer said so.
        wait: Option<Duration>,
        /// It says something about the consumer as a whole (refused, timed
        /// out), not about this event: counts for the breaker.
        down: bool,
    },
    /// Never: a dead letter.
    Dead { reason: Reason },
}

/// Why an event was not dealt with: a sentence of ours, which is logged, and
/// what the business's own logic said, which may repeat a customer's words and
/// is for the operator's eyes alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    said: String,
    details: Option<String>,
}

impl Reason {
    /// With what the business's own logic said, cut where it gets too long.
    pub fn with_details(said: impl Into<String>, details: impl Into<String>) -> Reason {
        let mut details = details.into();
        if let Some((end, _)) = details.char_indices().nth(DETAILS_CHARS_MAX) {
            details.truncate(end);
        }
        Reason {
            said: said.into(),
            details: Some(details).filter(|details| !details.is_empty()),
        }
    }

    /// All of it, as it is kept with the delivery.
    pub fn in_full(&self) -> String {
        match &self.details {
            Some(details) => format!("{}: {details}", self.said),
            None => self.said.clone(),
        }
    }
}

impl From<String> for Reason {
    fn from(said: String) -> Reason {
        Reason {
            said,
            details: None,
        }
    }
}

impl From<&str> for Reason {
    fn from(said: &str) -> Reason {
        said.to_owned().into()
    }
}

/// What may be logged.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&self.said, f)
    }
}

impl Outcome {
    /// Dealt with, and nothing is to be remembered.
    pub fn done(replies: Vec<String>) -> Outcome {
        Outcome::Done {
            replies,
            effects: Vec::new(),
        }
    }
}
