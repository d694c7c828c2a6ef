//! What a handler gets to see: one event, typed.
//!
//! [`Event::read`] takes the envelope of exactly one event, as it is stored and forwarded, and
//! never fails: what is missing or misshapen is absent, what is unknown is kept as JSON. It does
//! not split, verify or de-duplicate, and the envelope's text stays the record of what Meta sent.
//!
//! Meta's `type` is called `kind` here, `type` being a word of Rust's own.

use std::fmt;

use serde_json::Value;

use super::message::{Media, Message};
use super::status::{ReportedError, Status};

pub(crate) mod lenient;
#[cfg(test)]
mod tests;

use lenient::{hide, integer, object, records, seconds, text, text_of};

pub(crate) use lenient::repair_surrogates;

/// One event out of a notification (Meta: webhooks overview).
#[derive(Clone, PartialEq)]
pub struct Event {
    /// The webhook field it came under: `messages` as a rule, but `history` brings messages too.
    /// Empty if there was none.
    pub field: String,
    /// The WhatsApp Business Account; for a few account events the portfolio, or `0`.
    pub waba_id: String,
    /// When Meta noticed, in Unix seconds; absent on messages, statuses and calls, which have a
    /// time of their own.
    pub time: Option<i64>,
    /// The business's number it is about; absent for events of the account as a whole.
    pub number: Option<Number>,
    /// The person it is about: who wrote, called, or was written to. Absent for system messages,
    /// failed statuses, and wherever the notification's contacts name somebody else.
    pub contact: Option<Contact>,
    /// Trouble of the account or app rather than of one message.
    pub errors: Vec<ReportedError>,
    /// What Meta's own agent says about the chat it hands over.
    pub conversation_summary: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A user sent something.
    Message(Message),
    /// Something sent by the business came further, or failed.
    Status(Status),
    /// A call began, ended, or was recorded.
    Call(Call),
    /// Anything else: templates, accounts, groups, preferences, and all we don't know.
    Change(Change),
}

/// A phone number of the business.
#[derive(Clone, PartialEq)]
pub struct Number {
    /// What Graph calls it by.
    pub phone_number_id: String,
    /// What people call; written with or without `+`, blanks and dashes.
    pub display_phone_number: Option<String>,
}

/// A person, as `value.contacts` has it (Meta: webhooks, *messages* reference; business-scoped user
/// IDs).
#[derive(Clone, Default, PartialEq)]
pub struct Contact {
    /// The name the person gave in WhatsApp: any text at all.
    pub name: Option<String>,
    /// The user name, without the `@` that Meta writes before it in places.
    pub username: Option<String>,
    /// The WhatsApp account. In Brazil and Mexico it can differ by a digit from `from`.
    pub wa_id: Option<String>,
    /// The BSUID.
    pub user_id: Option<String>,
    /// The parent BSUID.
    pub parent_user_id: Option<String>,
    /// Changes when the person moves to another device; only with Meta's identity check on.
    pub identity_key_hash: Option<String>,
}

/// One element of `value.calls` (Meta: calling, webhooks). Whether a call rings or is accepted
/// comes as a [`Status`], permission to call as a [`Message`].
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The `wacid`.
    pub id: String,
    /// `connect`, `terminate`, `call_recording_available`, …
    pub event: String,
    /// When, in Unix seconds.
    pub timestamp: Option<i64>,
    /// The caller's number.
    pub from: Option<String>,
    /// The caller's BSUID.
    pub from_user_id: Option<String>,
    /// The called number.
    pub to: Option<String>,
    /// The called user's BSUID.
    pub to_user_id: Option<String>,
    /// `USER_INITIATED` or `BUSINESS_INITIATED`.
    pub direction: Option<String>,
    /// How it ended, in upper case: `COMPLETED` or `FAILED`.
    pub status: Option<String>,
    /// When it was picked up, in Unix seconds.
    pub start_time: Option<i64>,
    /// When it ended, in Unix seconds; only if it was picked up.
    pub end_time: Option<i64>,
    /// How long it was, in seconds; only if it was picked up.
    pub duration: Option<i64>,
    /// `offer` or `answer`.
    pub sdp_type: Option<String>,
    /// The session description, for a WebRTC stack. Several kilobytes.
    pub sdp: Option<String>,
    /// What the business put in the call link.
    pub deeplink_payload: Option<String>,
    /// What the business attached to the call button.
    pub cta_payload: Option<String>,
    /// What the business gave along when it called.
    pub biz_opaque_callback_data: Option<String>,
    /// The recording.
    pub recording: Option<Media>,
    /// The transcript.
    pub transcript: Option<Media>,
}

/// An event with neither message, status nor call; [`Event::field`] says what kind.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// The name within the field, where Meta gives one: `APPROVED`, `DISABLED_UPDATE`,
    /// `group_create`, …
    pub event: Option<String>,
    /// `changes[].value` as Meta sent it.
    pub value: Value,
}

hide!(Contact);

impl Event {
    /// Reads the envelope of one event. Text that is no JSON, or is nested deeper than
    /// serde_json goes (127 levels), becomes a change of no field with the value null.
    pub fn read(envelope: &str) -> Event {
        let mut root: Value =
            serde_json::from_str(&repair_surrogates(envelope)).unwrap_or_default();
        let mut entry = take_first(&mut root, "entry");
        let mut change = take_first(&mut entry, "changes");
        let value = change.get_mut("value").map(Value::take).unwrap_or_default();

        // Two of Meta's samples print the field beside the changes instead of inside.
        let field = [&change, &entry, &root]
            .into_iter()
            .find_map(|holder| text(holder, "field"));
        let number = Number::read(&value);
        let contacts = records(&value, "contacts", Contact::read);
        let errors = ReportedError::read_list(&value);
        let summary = text(&value["conversation_context"]["summary"], "text");
        let kind = EventKind::read(value);
        let contact = pick(contacts, &kind, number.as_ref());
        Event {
            field: field.unwrap_or_default(),
            waba_id: text(&entry, "id").unwrap_or_default(),
            time: seconds(&entry, "time"),
            number,
            contact,
            errors,
            conversation_summary: summary,
            kind,
        }
    }

    /// The message, if this is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.kind {
            EventKind::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The status, if this is one.
    pub fn status(&self) -> Option<&Status> {
        match &self.kind {
            EventKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The name of the user who wrote or called; the user name if no other is given.
    pub fn sender_name(&self) -> Option<&str> {
        if matches!(self.kind, EventKind::Status(_) | EventKind::Change(_)) || self.is_own() {
            return None;
        }
        let contact = self.contact.as_ref()?;
        contact.name.as_deref().or(contact.username.as_deref())
    }

    /// The business itself wrote or called: on its phone, where it also uses the WhatsApp Business
    /// app, or from here. There is nobody to answer.
    pub fn is_own(&self) -> bool {
        is_own(&self.kind, self.number.as_ref())
    }
}

/// Prints what kind of event it is and about which number of ours; no person's words or numbers.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("field", &self.field)
            .field("waba_id", &self.waba_id)
            .field("number", &self.number)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl EventKind {
    fn read(value: Value) -> EventKind {
        if let Some(message) = value["messages"].get(0) {
            EventKind::Message(Message::read(message))
        } else if let Some(status) = value["statuses"].get(0) {
            EventKind::Status(Status::read(status))
        } else if let Some(call) = value["calls"].get(0) {
            EventKind::Call(Call::read(call))
        } else {
            EventKind::Change(Change::read(value))
        }
    }

    /// The phone numbers and the BSUIDs by which the user concerned may be named.
    fn people(&self) -> ([Option<&str>; 2], [Option<&str>; 2]) {
        match self {
            EventKind::Message(m) => (
                [m.from.as_deref(), m.to.as_deref()],
                [m.from_user_id.as_deref(), m.to_user_id.as_deref()],
            ),
            EventKind::Status(s) => (
                [
                    s.recipient_participant_id.as_deref(),
                    s.recipient_id.as_deref(),
                ],
                [
                    s.recipient_participant_user_id.as_deref(),
                    s.recipient_user_id.as_deref(),
                ],
            ),
            EventKind::Call(c) => (
                [c.from.as_deref(), c.to.as_deref()],
                [c.from_user_id.as_deref(), c.to_user_id.as_deref()],
            ),
            EventKind::Change(_) => ([None; 2], [None; 2]),
        }
    }
}

impl Number {
    fn read(value: &Value) -> Option<Number> {
        // Handovers have no metadata and name our number as the recipient.
        let metadata = object(value, "metadata").or_else(|| object(value, "recipient"))?;
        Some(Number {
            phone_number_id: text(metadata, "phone_number_id")?,
            display_phone_number: text(metadata, "display_phone_number"),
        })
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Number")
            .field(&self.phone_number_id)
            .finish()
    }
}

impl Contact {
    fn read(contact: &Value) -> Contact {
        let profile = &contact["profile"];
        Contact {
            name: text(profile, "name"),
            username: text(profile, "username").map(|name| name.trim_start_matches('@').to_owned()),
            wa_id: text(contact, "wa_id"),
            user_id: text(contact, "user_id"),
            parent_user_id: text(contact, "parent_user_id"),
            identity_key_hash: text(contact, "identity_key_hash"),
        }
    }
}

impl Call {
    fn read(element: &Value) -> Call {
        // Meta's samples write "Completed", "COMPLETED" and ["COMPLETED"].
        let status = text(element, "status")
            .or_else(|| Some(element["status"].get(0)?.as_str()?.to_owned()));
        Call {
            id: text(element, "id").unwrap_or_default(),
            event: text(element, "event").unwrap_or_default(),
            timestamp: seconds(element, "timestamp"),
            from: text(element, "from"),
            from_user_id: text(element, "from_user_id"),
            to: text(element, "to"),
            to_user_id: text(element, "to_user_id"),
            direction: text(element, "direction"),
            status: status.map(|status| status.to_ascii_uppercase()),
            start_time: seconds(element, "start_time"),
            end_time: seconds(element, "end_time"),
            duration: integer(element, "duration"),
            sdp_type: text(&element["session"], "sdp_type"),
            // Older versions have it in `connection` only.
            sdp: text(&element["session"], "sdp")
                .or_else(|| text(&element["connection"]["webrtc"], "sdp")),
            deeplink_payload: text(element, "deeplink_payload"),
            cta_payload: text(element, "cta_payload"),
            biz_opaque_callback_data: text(element, "biz_opaque_callback_data"),
            recording: Media::read(&element["call_recording"]["audio"]),
            transcript: Media::read(&element["call_transcript"]["document"]),
        }
    }
}

/// Prints no caller and none of the session's addresses.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("event", &self.event)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Change {
    fn read(value: Value) -> Change {
        let event = text_of(&value, &["event", "decision", "type"])
            .or_else(|| text(&value["groups"][0], "type"))
            .or_else(|| text(&value["user_actions"][0], "action_type"))
            .or_else(|| text(&value["automatic_events"][0], "event_name"));
        Change { event, value }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

fn take_first(holder: &mut Value, key: &str) -> Value {
    let first = holder.get_mut(key).and_then(|list| list.get_mut(0));
    first.map(Value::take).unwrap_or_default()
}

/// How many digits from the end make two phone numbers one. Between `from` and `wa_id` Brazil's and
/// Mexico's differ by a digit, but before these.
const TAIL_DIGITS: usize = 8;

/// The contact the event is about. A notification of several events has the contacts of all, in
/// any order, so one is taken only if its ids say so, or if it is the only one and no id denies it.
fn pick(contacts: Vec<Contact>, kind: &EventKind, number: Option<&Number>) -> Option<Contact> {
    let (phones, users) = kind.people();
    let has =
        |ids: &[Option<&str>], id: &Option<String>| id.is_some() && ids.contains(&id.as_deref());
    let tails: Vec<String> = phones.into_iter().flatten().filter_map(tail).collect();
    let alike = |c: &Contact| {
        c.wa_id
            .as_deref()
            .and_then(tail)
            .is_some_and(|t| tails.contains(&t))
    };

    let named = contacts
        .iter()
        .position(|c| has(&users, &c.user_id) || has(&phones, &c.wa_id));
    let found = named.or_else(|| contacts.iter().position(alike));
    let only = || {
        let [contact] = contacts.as_slice() else {
            return None;
        };
        // Of our own message the contact is the recipient, whom the message may not name.
        let denied = contact.user_id.is_some() && users.iter().any(Option::is_some)
            || contact.wa_id.is_some() && phones.iter().any(Option::is_some);
        (!denied || is_own(kind, number)).then_some(0)
    };
    let index = found.or_else(only)?;
    contacts.into_iter().nth(index)
}

fn is_own(kind: &EventKind, number: Option<&Number>) -> bool {
    let from = match kind {
        EventKind::Message(message) => message.from.as_deref(),
        EventKind::Call(call) => call.from.as_deref(),
        EventKind::Status(_) | EventKind::Change(_) => None,
    };
    let ours = number.and_then(|number| number.display_phone_number.as_deref());
    match (from.map(digits), ours.map(digits)) {
        (Some(from), Some(ours)) => from == ours && !from.is_empty(),
        _ => false,
    }
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

fn tail(phone: &str) -> Option<String> {
    let digits = digits(phone);
    let start = digits.len().checked_sub(TAIL_DIGITS)?;
    Some(digits[start..].to_owned())
}
