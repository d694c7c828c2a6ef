//! What a stand-in has seen and done, as tests and the demo are told of it.

use serde_json::Value;
use std::fmt;
use std::time::Instant;

/// A message the stand-in accepted: the customer would see it.
#[derive(Clone)]
pub struct Accepted {
    /// The id it was given, even when the answer that said so was lost.
    pub wamid: String,
    /// The `phone_number_id` it was posted to.
    pub number: String,
    /// The recipient: digits of the phone number, BSUID or group id.
    pub to: String,
    /// The body as it was posted.
    pub body: Value,
    /// When.
    pub at: Instant,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Accepted");
        shown.field("wamid", &self.wamid).finish_non_exhaustive()
    }
}

/// A call that was not about messages, as it came in.
#[derive(Clone)]
pub struct CallSeen {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A customer's message that was marked as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The `phone_number_id` it was posted to.
    pub number: String,
    /// The customer's message.
    pub message_id: String,
    /// Whether typing is to be shown.
    pub typing: bool,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Requests of any kind.
    pub calls: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Requests answered with an error, whether a fault or deserved.
    pub refused: u64,
    /// Requests whose answer was lost or cut on purpose.
    pub lost: u64,
    /// Statuses acknowledged by the callback.
    pub statuses: u64,
    /// Callbacks that were not acknowledged and were, or will be, delivered again.
    pub redelivered: u64,
}

/// A button or a row of a list that the customer could tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which of both.
    pub kind: ChoiceKind,
    /// What comes back when it is tapped.
    pub id: String,
    /// What the customer reads.
    pub title: String,
}

/// What can be tapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceKind {
    /// A reply button.
    Button,
    /// A row of a list.
    Row,
}

/// Something that happened between the bridge and the stand-in.
#[derive(Clone)]
pub enum Happening {
    /// A message was accepted.
    Accepted {
        wamid: String,
        number: String,
        to: String,
        /// `type` of the message.
        kind: String,
        /// What the customer would read, if it has a text, a caption or a body.
        text: Option<String>,
        /// What the customer could tap.
        choices: Vec<Choice>,
    },
    /// A message of the customer's was marked as read.
    Read(Receipt),
    /// A request was refused with Graph's envelope.
    Refused { http: u16, code: i64 },
    /// An answer was lost on purpose; with the wamid if the message had been accepted.
    Lost { wamid: Option<String> },
    /// The callback acknowledged a status, at that attempt.
    Status {
        wamid: String,
        status: &'static str,
        attempt: u32,
    },
    /// A notification was not acknowledged and will be delivered again.
    NotAcknowledged { attempt: u32, why: String },
}

/// A notification the callback did not acknowledge in time.
#[derive(Debug)]
pub struct Undelivered {
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last attempt.
    pub why: String,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not delivered in {} attempts: {}",
            self.attempts, self.why
        )
    }
}

impl std::error::Error for Undelivered {}
