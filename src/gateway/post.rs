//! `post`: a message handed over by a caller of the API or the command line,
//! stored in the outbox; the same request with the same idempotency key makes
//! one message.

use super::Gateway;
use super::operator::resolve;
use crate::policy::ladder::SendState;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::key_digest;
use crate::wire::outgoing;
use crate::wire::raw;

/// A message to be sent, as the caller gave it.
#[derive(Clone)]
pub struct Post {
    /// `phone_number_id` it goes out from.
    pub number: String,
    /// The Cloud API message object, or a read mark.
    pub body: String,
    /// The caller's own key for this request, made unique to the caller.
    pub idempotency_key: Option<String>,
}

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is in the outbox.
    New(OutboxId),
    /// It was there already.
    Again(OutboxId),
    /// The key was used for another request.
    Conflict,
}

impl Gateway {
    /// Puts a message in the outbox and its lane.
    pub fn post(&self, tx: &Tx<'_>, now: i64, post: &Post) -> Result<Posted> {
        let request = key_digest(&format!("{} {}", post.number, post.body));
        let key = post.idempotency_key.as_deref().map(key_digest);
        if let Some(key) = &key
            && let Some((outbox, before)) = tx.idempotent(key)?
        {
            return Ok(match before == request {
                true => Posted::Again(outbox),
                false => Posted::Conflict,
            });
        }
        let message = self.read_post(tx, now, post)?;
        let outbox = self.queue_message(tx, now, &message, None)?;
        if let Some(key) = &key {
            tx.insert_idempotent(key, &request, outbox, now)?;
        }
        Ok(Posted::New(outbox))
    }

    fn read_post(&self, tx: &Tx<'_>, now: i64, post: &Post) -> Result<NewMessage> {
        let parts = raw::members(&post.body).unwrap_or_default();
        let text = |key| raw::get_text(&parts, key).map(std::borrow::Cow::into_owned);
        let marked = text("message_id").filter(|_| text("status").is_some_and(|s| s == "read"));
        let (type_, recipient, conversation) = match &marked {
            Some(wamid) => {
                let type_ = match raw::get(&parts, "typing_indicator") {
                    Some(_) => "typing",
                    None => "read",
                };
                // In the lane of the conversation it is about.
                let key = key_digest(&format!("message messages {wamid}"));
                let conversation = match tx.event_by_digest(&key)? {
                    Some(event) => resolve(tx, event.conversation)?,
                    None => self.person(tx, now, &post.number, &[lane_of_marks(&key)])?,
                };
                (type_.to_owned(), String::new(), conversation)
            }
            None => {
                let recipient = outgoing::recipient(&parts).unwrap_or_default();
                let conversation = self.conversation_with(tx, now, &post.number, &recipient)?;
                (
                    text("type").unwrap_or_else(|| "text".into()),
                    recipient,
                    conversation,
                )
            }
        };
        Ok(NewMessage {
            number: post.number.clone(),
            conversation,
            recipient,
            type_,
            body: post.body.clone(),
            cause: None,
        })
    }

    /// The message that an id given out to callers names: ours or Graph's.
    pub fn find(&self, tx: &Tx<'_>, id: &str) -> Result<Option<Message>> {
        if let Ok(outbox) = id.parse() {
            return tx.message(outbox);
        }
        match self.marked(tx, id)? {
            Some(message) => Ok(Some(message)),
            None => tx.message_by_wamid(id),
        }
    }
}

/// Lanes for marks on messages that are not stored (any more): enough for them to go
/// side by side. One for each message would stay for ever, under an id in which the
/// person's number is.
const LANES_OF_MARKS: u8 = 32;

/// The id of such a lane, for a message's digest.
fn lane_of_marks(message: &[u8; 16]) -> String {
    format!("marks:{}", message[0] % LANES_OF_MARKS)
}

/// Whether nothing more is to be learned by waiting: Graph has answered, or
/// the message ended without.
pub fn is_settled(state: SendState) -> bool {
    !matches!(
        state,
        SendState::Queued | SendState::Sending | SendState::Unknown
    )
}
