//! One notification (one POST of Meta's) becomes the events to be stored.
//!
//! Reading never refuses JSON: what is not understood becomes an event of its
//! own, with its text untouched. Each event carries the envelope narrowed to
//! itself, the key by which a second delivery is recognised, and the party it
//! is about. Nothing here interprets contents; that is [`super::event`].

use super::raw::Cursor;
use envelope::Envelope;
use ring::digest;
use std::borrow::Cow;

mod echoes;
mod element;
mod envelope;
mod marketing;
mod opening;
mod people;
#[cfg(test)]
mod tests;

pub use marketing::{Purpose, wants_marketing};
pub use people::{is_bsuid, user_id};

/// More elements than this in one body are not split: the whole notification
/// is kept as one event. Meta batches at most 1,000 updates
/// (Meta: webhooks overview).
const EVENTS_MAX: usize = 10_000;

/// Splitting repeats what surrounds the elements once for each. A notification
/// whose events would come to more than this is kept whole instead.
const SPLIT_BYTES_MAX: usize = 64 << 20;

/// Longer keys are replaced by their digest, so that an index row stays small.
const KEY_BYTES_MAX: usize = 512;

/// What an event is, as far as the queue cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An element of `messages`.
    Message,
    /// An element of `statuses`.
    Status,
    /// An element of `calls`.
    Call,
    /// A change with none of these.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Message, Kind::Status, Kind::Call, Kind::Other];

    /// Whether it is part of what was said in a conversation.
    pub fn is_said(self) -> bool {
        matches!(self, Kind::Message | Kind::Call)
    }

    /// The word used in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Status => "status",
            Kind::Call => "call",
            Kind::Other => "other",
        }
    }
}

/// Whom an event is about: it is delivered in order with the others of the
/// same party.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// A person: every id by which the notification names them, best first
    /// (BSUID, then `wa_id`, then the phone number as given).
    User(Vec<String>),
    /// A group conversation.
    Group(String),
    /// The account (WABA): template, account and other events without a user.
    Account(String),
}

impl Party {
    /// Whether it is a person named by these ids, in this order.
    pub fn is_user(&self, ids: &[String]) -> bool {
        matches!(self, Party::User(own) if own == ids)
    }
}

/// What a status says about a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFacts {
    /// The id Graph gave the message.
    pub wamid: String,
    /// Meta's word: `sent`, `delivered`, `read`, `played`, `failed`, …
    pub status: String,
    /// `biz_opaque_callback_data`, as the message was sent with it.
    pub opaque: Option<String>,
    /// It speaks of one member of a group, not of the message as a whole.
    pub of_participant: bool,
    /// The errors' codes, for `failed`. The first is not always the telling one.
    pub error_codes: Vec<i64>,
    /// When the free entry point ends that the message was in, in Unix seconds.
    pub free_until: Option<i64>,
    /// What the message is for, by the price Meta put on it.
    pub purpose: Option<Purpose>,
}

/// A person did something that opens the customer service window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When, in Unix seconds, as Meta says.
    pub at: Option<i64>,
    /// They came by an ad or a button on a page.
    pub from_ad: bool,
}

/// An answer that the owner of the number gave from the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Every id by which it names whom it was written to, best first.
    pub ids: Vec<String>,
    /// Its own id.
    pub wamid: Option<String>,
    /// When, in Unix seconds, as Meta says.
    pub at: Option<i64>,
}

/// One event, ready to be stored.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// What it is.
    pub kind: Kind,
    /// The webhook field it came under; empty when Meta left it out.
    pub field: String,
    /// Message type, status, call event, or the change's own event name.
    pub type_: String,
    /// The same for each delivery of the same event, and for no other.
    pub key: String,
    /// `phone_number_id` of the business number; empty when none is named.
    pub number: String,
    /// The WhatsApp Business account it came from (`entry.id`); empty when none
    /// is named.
    pub waba: String,
    /// Whom it is about.
    pub party: Party,
    /// The element's own id (a wamid, mostly), when it has one.
    pub id: Option<String>,
    /// Set for a status of a message (not of a payment or a call).
    pub status: Option<StatusFacts>,
    /// Set when it opens the customer service window.
    pub opening: Option<Opening>,
    /// Ids that it says are one person's, beside those of its party: of each person
    /// the new ones first.
    pub links: Vec<Vec<String>>,
    /// What the owner of the number answered from the phone.
    pub echoes: Vec<Echo>,
    /// The envelope narrowed to this event.
    pub body: Cow<'a, str>,
}

impl Incoming<'_> {
    /// The same, free of the notification's text.
    pub fn into_owned(self) -> Incoming<'static> {
        Incoming {
            body: Cow::Owned(self.body.into_owned()),
            ..self
        }
    }

    /// The key's digest, by which the store finds a duplicate: 128 bits of
    /// SHA-256, so that two different keys never meet in practice.
    pub fn digest(&self) -> [u8; 16] {
        key_digest(&self.key)
    }
}

/// The digest under which an event with this key is stored.
pub fn key_digest(key: &str) -> [u8; 16] {
    let full = digest::digest(&digest::SHA256, key.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&full.as_ref()[..16]);
    short
}

/// The key a message has, of the field that it comes in.
pub fn message_key(field: &str, wamid: &str) -> String {
    bounded(format!("message {field} {wamid}"))
}

/// The key a message's status has. The store looks up statuses that came
/// before Graph's answer by it.
pub fn status_key(field: &str, wamid: &str, status: &str) -> String {
    bounded(format!("status {field} {wamid} {status}"))
}

/// The body is not JSON, so it did not come from Meta as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct NotJson;

/// Reads a notification into its events.
///
/// One event for each element of `value.messages`, `value.statuses` and
/// `value.calls`, whatever the field; one for a change with none of these. A
/// body without the shape of a notification is one event as a whole.
pub fn read(body: &[u8]) -> Result<Vec<Incoming<'_>>, NotJson> {
    let body = std::str::from_utf8(body).map_err(|_| NotJson)?;
    let cursor = Cursor::new(body).ok_or(NotJson)?;
    let events = Envelope::read(cursor).and_then(|envelope| envelope.events(body));
    Ok(events.unwrap_or_else(|| vec![whole(body)]))
}

/// A body we do not understand, kept as one event.
fn whole(body: &str) -> Incoming<'_> {
    Incoming {
        kind: Kind::Other,
        field: String::new(),
        type_: String::new(),
        key: other_key("", &[body]),
        number: String::new(),
        waba: String::new(),
        party: Party::Account(String::new()),
        id: None,
        status: None,
        opening: None,
        links: Vec::new(),
        echoes: Vec::new(),
        body: Cow::Borrowed(body),
    }
}

/// The key of what Meta gives no id: a digest of the parts that make it up.
fn other_key(field: &str, parts: &[&str]) -> String {
    bounded(format!("other {field} {}", digest_hex(parts)))
}

fn bounded(key: String) -> String {
    match key.len() > KEY_BYTES_MAX {
        true => digest_hex(&[&key]),
        false => key,
    }
}

/// 128 bits of SHA-256 over the parts, each preceded by its length so that no
/// two lists of parts look alike.
fn digest_hex(parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    super::signature::hex(&context.finish().as_ref()[..16])
}
