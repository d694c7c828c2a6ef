//! What a handler sees besides the message: the whole event, the envelope, which
//! attempt this is, and the way to what was before.

use super::answer::Result;
use super::past::{Conversation, Entry, Past};
use crate::gateway::delivery::webhook_id;
use crate::handler::{Delivery, Facts};
use crate::store::Reader;
use crate::wire::event::Event;
use crate::wire::message::Message;
use crate::wire::notification::{self, Incoming, Kind};
use std::fmt;
use std::time::Duration;

/// The event that is being handled, and what is known around it.
pub struct Context {
    /// Of a burst the last message.
    event: Event,
    /// The messages before it in its burst, in order.
    earlier: Vec<Event>,
    envelope: String,
    webhook_id: String,
    attempt: u32,
    received_at_ms: i64,
    facts: Facts,
    /// None for an envelope that is nowhere stored.
    past: Option<Past>,
}

impl Context {
    pub(super) fn of_delivery(delivery: &Delivery, past: Option<Reader>) -> Context {
        let (event, earlier) = match delivery.burst.split_last() {
            Some((last, earlier)) => (
                Event::read(&last.body),
                earlier.iter().map(|part| Event::read(&part.body)).collect(),
            ),
            None => (Event::read(&delivery.body), Vec::new()),
        };
        Context {
            past: past.map(|reader| Past {
                reader,
                event: delivery.event,
                now: delivery.started_at,
            }),
            event,
            earlier,
            envelope: delivery.body.clone(),
            webhook_id: delivery.webhook_id.clone(),
            attempt: delivery.attempt,
            received_at_ms: delivery.received_at,
            facts: delivery.facts.clone(),
        }
    }

    /// The context of an envelope that is nowhere stored: for tests of handlers.
    /// It is the first attempt, and there is no past. Several messages in the envelope are a burst,
    /// as with `DEBOUNCE`; of several other events only the first counts.
    ///
    /// ```
    /// use wabridge::{Context, events, Message};
    ///
    /// fn greet(message: &events::Message, context: &Context) -> Option<Message> {
    ///     let name = context.event().sender_name().unwrap_or("you");
    ///     (message.text() == Some("Hi")).then(|| Message::text(format!("Hello {name}")).any())
    /// }
    ///
    /// let context = Context::of_envelope(r#"{"entry": [{"id": "1", "changes": [{
    ///     "field": "messages", "value": {
    ///         "metadata": {"phone_number_id": "42"},
    ///         "contacts": [{"profile": {"name": "Ana"}, "wa_id": "15550107001"}],
    ///         "messages": [{"id": "wamid.A", "from": "15550107001", "timestamp": "1790000000",
    ///                       "type": "text", "text": {"body": "Hi"}}]}}]}]}"#);
    /// let message = context.event().message().unwrap();
    /// assert_eq!(greet(message, &context), Some(Message::text("Hello Ana").any()));
    /// ```
    pub fn of_envelope(envelope: &str) -> Context {
        let events = notification::read(envelope.as_bytes()).unwrap_or_default();
        let is_message = |event: &Incoming| event.kind == Kind::Message;
        let mut burst: Vec<Event> = match events.iter().all(is_message) {
            true => events
                .iter()
                .map(|event| Event::read(&event.body))
                .collect(),
            false => Vec::new(),
        };
        let event = burst.pop().unwrap_or_else(|| Event::read(envelope));
        let key = events.first().map_or("", |event| &event.key);
        Context {
            event,
            earlier: burst,
            envelope: envelope.to_owned(),
            webhook_id: webhook_id(key),
            attempt: 1,
            received_at_ms: 0,
            facts: Facts::default(),
            past: None,
        }
    }

    /// The event, typed. Of messages that came in a burst the last.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The messages that are handed over together, the oldest first: with `DEBOUNCE`
    /// those that the person wrote in one go; without it the one message. None for
    /// what is no message.
    ///
    /// One answer answers them all.
    ///
    /// ```
    /// use wabridge::{Context, events};
    ///
    /// fn question(_: &events::Message, context: &Context) -> String {
    ///     let texts: Vec<&str> = context.messages().filter_map(|m| m.text()).collect();
    ///     texts.join("\n")
    /// }
    ///
    /// let context = Context::of_envelope(r#"{"entry": [{"id": "1", "changes": [{
    ///     "field": "messages", "value": {
    ///         "metadata": {"phone_number_id": "42"},
    ///         "contacts": [{"profile": {"name": "Ana"}, "wa_id": "15550107001"}],
    ///         "messages": [{"id": "wamid.A", "from": "15550107001", "timestamp": "1790000000",
    ///                       "type": "text", "text": {"body": "Hi"}},
    ///                      {"id": "wamid.B", "from": "15550107001", "timestamp": "1790000002",
    ///                       "type": "text", "text": {"body": "are you open?"}}]}}]}]}"#);
    /// let last = context.event().message().unwrap();
    /// assert_eq!(last.text(), Some("are you open?"));
    /// assert_eq!(question(last, &context), "Hi\nare you open?");
    /// ```
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        let all = self.earlier.iter().chain([&self.event]);
        all.filter_map(Event::message)
    }

    /// The same as Meta sent it, to the letter: JSON with exactly this event in
    /// it, or with all messages of the burst.
    pub fn envelope(&self) -> &str {
        &self.envelope
    }

    /// What this event (or burst) is called, the same at every attempt and replay and
    /// for no other: the key for whatever must not be done twice.
    pub fn webhook_id(&self) -> &str {
        &self.webhook_id
    }

    /// Which attempt this is. The first is 1; a later one means that a handler
    /// failed, the process ended, or the operator wants the event replayed.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the event was stored here, in Unix milliseconds. When the customer
    /// wrote, its message says; Meta delivers up to days later.
    pub fn received_at_ms(&self) -> i64 {
        self.received_at_ms
    }

    /// Whether this is the first message that the person ever sent to this number;
    /// still so when the event is tried again or replayed.
    pub fn is_first_contact(&self) -> bool {
        self.facts.first_contact
    }

    /// How old the message was when it came, if that was too old (`STALE_AFTER`):
    /// Meta delivers for days what it could not deliver before, and what was asked
    /// yesterday may not want today's answer. `None` with `ON_STALE=deliver`.
    pub fn stale(&self) -> Option<Duration> {
        let age_ms = self.facts.stale_ms?;
        Some(Duration::from_millis(age_ms.try_into().ok()?))
    }

    /// Whether the person wants no marketing from this number: marketing
    /// templates are refused, answers are not.
    pub fn is_marketing_stopped(&self) -> bool {
        self.facts.marketing_stopped
    }

    /// The person the event is about: how they are known, and for how long they
    /// may be written to. None when the event is about no person.
    ///
    /// # Errors
    /// When the database cannot be read: then, with `?`, the event comes again.
    pub fn conversation(&self) -> Result<Option<Conversation>> {
        match &self.past {
            Some(past) => past.conversation(&self.event),
            None => Ok(None),
        }
    }

    /// What was said in the conversation before this event (of a burst: before its last
    /// message, so that the others are among it), and what was answered
    /// since, the oldest first: the newest `limit` of it, at most 100. Read marks
    /// are left out.
    ///
    /// ```
    /// # use wabridge::{Context, Entry, Result};
    /// # fn f(context: &Context) -> Result<Vec<(&'static str, String)>> {
    /// let mut transcript = Vec::new();
    /// for entry in context.history(20)? {
    ///     let role = match &entry {
    ///         Entry::Received { .. } => "user",
    ///         Entry::Sent { .. } => "assistant",
    ///     };
    ///     transcript.extend(entry.text().map(|text| (role, text)));
    /// }
    /// # Ok(transcript)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As of [`Context::conversation`].
    pub fn history(&self, limit: usize) -> Result<Vec<Entry>> {
        match &self.past {
            Some(past) => past.entries(limit),
            None => Ok(Vec::new()),
        }
    }

    /// The business's number that the event is about, as Graph names it
    /// (`phone_number_id`).
    pub fn number(&self) -> Option<&str> {
        let number = self.event.number.as_ref();
        number.map(|number| number.phone_number_id.as_str())
    }
}

/// Prints nothing that a person wrote.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Context")
            .field("webhook_id", &self.webhook_id)
            .field("attempt", &self.attempt)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}
