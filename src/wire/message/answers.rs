//! Answers to a message that name it: quoted, marked, reacted to.

use super::Message;
use crate::wire::compose::{self, kind};

impl Message {
    /// The same message, quoting this one.
    ///
    /// ```
    /// # use wabridge::{events, Message};
    /// # fn f(message: &events::Message) {
    /// let quoted = message.reply(Message::text("Yes, we do"));
    /// # }
    /// ```
    pub fn reply<K: kind::Sent>(&self, answer: compose::Message<K>) -> compose::Message<K> {
        answer.reply_to(self.id.as_str())
    }

    /// An emoji on this message.
    pub fn react(&self, emoji: impl Into<String>) -> compose::Message<kind::Reaction> {
        compose::Message::reaction(self.id.as_str(), emoji)
    }

    /// Marks this message, and those before it, as read: blue ticks.
    pub fn mark_read(&self) -> compose::Message<kind::Mark> {
        compose::Message::read(self.id.as_str())
    }

    /// Marks it as read and shows that an answer is being written.
    pub fn typing(&self) -> compose::Message<kind::Mark> {
        compose::Message::typing(self.id.as_str())
    }
}
