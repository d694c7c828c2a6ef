//! Messages to send, put together in Rust: a builder for every type of the Cloud API.
//!
//! What comes out is Meta's own message object, without `to` unless it was given; an answer to an
//! event gets its recipient from the event. Nothing is checked here: whether a text is too long or
//! a button too many is said by [`validate`](super::validate), in one place for every sender.
//!
//! ```
//! use wabridge::compose::{Media, Message, Parameter};
//!
//! let hello = Message::text("hi");
//! assert_eq!(
//!     hello.to_json(),
//!     r#"{"messaging_product":"whatsapp","type":"text","text":{"body":"hi"}}"#
//! );
//!
//! // Each kind has the methods that make sense for it, and all can say to whom.
//! let answers = [
//!     Message::image(Media::link("https://example.com/menu.png")).caption("Today").any(),
//!     Message::buttons("A table for two?", [("yes", "Yes"), ("no", "No")]).any(),
//!     Message::template("order_update", "en_US").body([Parameter::text("Ana")]).any(),
//!     Message::text("Thank you").reply_to("wamid.A").to("+1 555 010 7001").any(),
//! ];
//! assert_eq!(answers[3].to_value()["context"]["message_id"], "wamid.A");
//! ```
//!
//! * here: text, reaction, pin, read marks, typing, and what all messages share
//! * [`media`]: files and places
//! * [`contacts`]: address cards
//! * [`interactive`]: buttons, lists, links, flows, products, carousels, requests
//! * [`template`]: templates with every kind of component

use std::fmt;
use std::marker::PhantomData;

use serde_json::{Map, Value, json};

pub mod contacts;
pub mod interactive;
pub mod kind;
pub mod media;
pub mod template;
#[cfg(test)]
pub(crate) mod tests;

pub use contacts::ContactCard;
pub use interactive::{Button, CarouselCard, Flow, Header, Row};
pub use media::Media;
pub use template::{Parameter, TemplateCard};

/// A message object. `K` is what it is, one of [`kind`], and decides which methods it has.
#[derive(Clone, PartialEq)]
pub struct Message<K = kind::Any> {
    /// Always an object.
    object: Value,
    kind: PhantomData<K>,
}

impl<K> Message<K> {
    fn whole(object: Value) -> Message<K> {
        Message {
            object,
            kind: PhantomData,
        }
    }

    fn of_type(type_: &str, content: Value) -> Message<K> {
        let mut object = json!({"messaging_product": "whatsapp", "type": type_});
        object[type_] = content;
        Message::whole(object)
    }

    /// What stands under the name of the type.
    fn content(&mut self) -> &mut Value {
        let type_ = self.object["type"].as_str().unwrap_or("text").to_owned();
        &mut self.object[type_]
    }

    /// The same message with its kind forgotten, so that several fit in one list.
    pub fn any(self) -> Message {
        Message::whole(self.object)
    }

    /// The object that is posted.
    pub fn to_value(&self) -> Value {
        self.object.clone()
    }

    /// The text that is posted.
    pub fn to_json(&self) -> String {
        self.object.to_string()
    }
}

/// For what all messages have in common, whatever they say.
impl<K: kind::Sent> Message<K> {
    /// To this phone number, with country code.
    pub fn to(self, phone: impl Into<String>) -> Self {
        self.with("to", phone.into())
    }

    /// To the user with this BSUID, the business-scoped user id.
    pub fn to_user(self, bsuid: impl Into<String>) -> Self {
        self.with("recipient", bsuid.into())
    }

    /// To this group.
    pub fn to_group(self, group_id: impl Into<String>) -> Self {
        self.with("recipient_type", "group")
            .with("to", group_id.into())
    }

    /// Quotes an earlier message. Not shown with templates, and not for reactions.
    pub fn reply_to(self, wamid: impl Into<String>) -> Self {
        self.with("context", json!({"message_id": wamid.into()}))
    }

    /// A word of your own that comes back in every status of this message.
    pub fn callback_data(self, data: impl Into<String>) -> Self {
        self.with("biz_opaque_callback_data", data.into())
    }

    /// Sent only while the user's identity is the one with this hash.
    pub fn identity_key_hash(self, hash: impl Into<String>) -> Self {
        self.with("recipient_identity_key_hash", hash.into())
    }

    /// Any other key of the message object, for what has no method here.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.object[key] = value.into();
        self
    }
}

impl Message {
    /// A message object from elsewhere, taken as it is.
    pub fn object(object: Map<String, Value>) -> Message {
        Message::whole(object.into())
    }
}

impl Message<kind::Text> {
    /// Text, formatted as in WhatsApp: `*bold*`, `_italic_`.
    pub fn text(body: impl Into<String>) -> Self {
        Message::of_type("text", json!({"body": body.into()}))
    }

    /// Shows a preview of the first link in the text.
    pub fn preview_url(mut self) -> Self {
        self.content()["preview_url"] = true.into();
        self
    }
}

impl Message<kind::Reaction> {
    /// One emoji on a message.
    pub fn reaction(wamid: impl Into<String>, emoji: impl Into<String>) -> Self {
        let reaction = json!({"message_id": wamid.into(), "emoji": emoji.into()});
        Message::of_type("reaction", reaction)
    }

    /// Takes the reaction to a message back.
    pub fn unreact(wamid: impl Into<String>) -> Self {
        Message::reaction(wamid, "")
    }
}

impl Message<kind::Pin> {
    /// Pins a message of a group for 1 to 30 days.
    pub fn pin(wamid: impl Into<String>, days: u8) -> Self {
        let pin = json!({"type": "pin", "message_id": wamid.into(), "expiration_days": days});
        Message::of_type("pin", pin)
    }

    /// Unpins it.
    pub fn unpin(wamid: impl Into<String>) -> Self {
        let pin = json!({"type": "unpin", "message_id": wamid.into()});
        Message::of_type("pin", pin)
    }
}

impl Message<kind::Mark> {
    /// Marks a message of the user, and those before it, as read.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// assert_eq!(
    ///     Message::read("wamid.A").to_json(),
    ///     r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.A"}"#
    /// );
    /// ```
    pub fn read(wamid: impl Into<String>) -> Self {
        let wamid = wamid.into();
        Message::whole(json!({
            "messaging_product": "whatsapp", "status": "read", "message_id": wamid,
        }))
    }

    /// Marks it as read and shows that an answer is being written, for 25 seconds at most or
    /// until the answer comes.
    pub fn typing(wamid: impl Into<String>) -> Self {
        let mut mark = Message::read(wamid);
        mark.object["typing_indicator"] = json!({"type": "text"});
        mark
    }
}

impl<K> From<Message<K>> for Value {
    fn from(message: Message<K>) -> Value {
        message.object
    }
}

/// Shows the type and nothing a person wrote.
impl<K> fmt::Debug for Message<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("type", &self.object["type"].as_str())
            .finish_non_exhaustive()
    }
}
