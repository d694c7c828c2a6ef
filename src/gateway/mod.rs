//! The queue: `receive`, `claim`, `finish`. Everything that can be lost passes
//! through here, each step in one commit, the time and the luck as arguments.
//! No clock, socket or thread: the simulator runs days of crashes through these
//! functions in a second.
//!
//! * [`receive`]: an event is stored, and its deliveries with it
//! * [`claim`]: the attempt is written, then the work is handed out
//! * [`finish`]: what came of it, and all that follows, in one commit
//! * `bursts`: messages that are handed over together
//! * [`clock_set`]: the clock was set, back or ahead
//! * `consumers`: who gets events: what answers, and observers
//! * [`delivery`]: an event on its way to a consumer
//! * [`sending`]: a message on its way to Graph
//! * [`facts`]: what handlers are told, and what they want remembered
//! * [`fetch`]: customers' files
//! * [`uploads`]: files that Meta has from us
//! * [`forget`]: a person is forgotten
//! * `identity`: which ids are one person's
//! * [`handover`]: conversations in a person's hands
//! * [`halts`]: what stands still until a person acts
//! * [`known`]: which numbers and accounts were seen
//! * [`post`]: a message handed over by a caller of the API
//! * [`window`]: what may be sent to a person when
//! * [`marketing`]: who wants none gets none
//! * [`conversations`]: all of them, by their last word
//! * [`found`]: those that are looked for
//! * [`names`]: what people are called
//! * [`alarms`]: what needs a person
//! * [`operator`]: how the whole is doing
//! * [`inbox`], [`outbox`]: looking and steering; `lists`: how far they look
//! * [`prune`]: what has become old goes
//! * [`replay`]: replaying many at a time
//! * `spoiled`: what we panicked over
//! * [`standing`]: what Meta thinks of our numbers
//! * [`tally`]: what came and went, in figures
//! * [`thread`]: what was said in a conversation
//! * [`trail`]: what operators did on the console
//!
//! What a crash between two steps means is decided in `recover`.

pub mod alarms;
mod bursts;
pub mod claim;
pub mod clock_set;
mod consumers;
pub mod conversations;
pub mod delivery;
pub mod facts;
pub mod fetch;
pub mod finish;
pub mod forget;
pub mod found;
pub mod halts;
pub mod handover;
mod identity;
pub mod inbox;
pub mod known;
mod lists;
pub mod marketing;
pub mod names;
pub mod operator;
pub mod outbox;
pub mod post;
pub mod prune;
pub mod receive;
mod recover;
pub mod replay;
pub mod sending;
mod spoiled;
pub mod standing;
pub mod tally;
pub mod thread;
pub mod trail;
pub mod uploads;
pub mod window;

pub use claim::{Claimed, Rest, Work};
pub use consumers::BOT;
pub use delivery::{Delivery, Part};
pub use facts::{Ears, Effect, Facts};
pub use fetch::Fetching;
pub use finish::Sent;
pub use finish::outcome::{Outcome, Reason};
pub use post::{Post, Posted};
pub use receive::Received;
pub use recover::Recovered;
pub use sending::Sending;

use crate::config::{Limits, Tokens};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::Kind;
use consumers::Observer;
use ring::digest;
use std::collections::BTreeMap;

/// Which events the bot wants; each of them more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wants {
    /// Nobody is there to answer: events are kept only.
    Nothing,
    /// Customers' messages.
    Messages,
    /// Everything.
    All,
}

impl Wants {
    fn includes(self, kind: Kind) -> bool {
        match self {
            Wants::Nothing => false,
            Wants::Messages => kind == Kind::Message,
            Wants::All => true,
        }
    }
}

/// The queue's rules, ready to be applied to a database.
#[derive(Clone, Debug)]
pub struct Gateway {
    limits: Limits,
    wants: Wants,
    bot: QueueId,
    observers: Vec<Observer>,
    ears: Option<Ears>,
    /// What our marks begin with, in this database and no other.
    mark_prefix: String,
    common_token: Option<String>,
    tokens: BTreeMap<String, String>,
}

impl Gateway {
    /// The queue on a database, for a bot that wants these events and for
    /// sending with these tokens.
    pub fn open(tx: &Tx<'_>, limits: Limits, wants: Wants, tokens: &Tokens) -> Result<Gateway> {
        let fingerprint = |secret: &crate::config::Secret| token_digest(secret.expose());
        let by_number = tokens.by_number.iter();
        Ok(Gateway {
            wants,
            bot: tx.queue(QueueKind::Deliver, BOT)?,
            observers: Observer::all(tx, &limits)?,
            ears: None,
            mark_prefix: format!("wabridge:{}:", tx.instance()?),
            common_token: tokens.common.as_ref().map(fingerprint),
            tokens: by_number
                .map(|(number, token)| (number.clone(), fingerprint(token)))
                .collect(),
            limits,
        })
    }

    /// The same, with somebody who listens where a person has taken over.
    pub fn with_ears(self, ears: Option<Ears>) -> Gateway {
        Gateway { ears, ..self }
    }

    /// Our mark on a message: it comes back in each of its statuses. Its time tells it
    /// from another with the same id: where a backup was put in the database's place,
    /// ids are given again, and Meta still has news of those who had them before.
    fn mark(&self, message: &Message) -> String {
        let Message { id, created_at, .. } = message;
        format!("{}{id}.{created_at}", self.mark_prefix)
    }

    /// The message a mark of ours names, if it is stored.
    fn marked(&self, tx: &Tx<'_>, opaque: &str) -> Result<Option<Message>> {
        let Some(named) = opaque.strip_prefix(&self.mark_prefix) else {
            return Ok(None);
        };
        let (id, created_at) = match named.split_once('.') {
            Some((id, created_at)) => (id, Some(created_at)),
            // As marks were before they had a time.
            None => (named, None),
        };
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        let is_it =
            |message: &Message| created_at.is_none_or(|at| at.parse() == Ok(message.created_at));
        Ok(tx.message(id)?.filter(is_it))
    }

    /// The fingerprint of the token a number sends with.
    fn token_digest(&self, number: &str) -> Option<&str> {
        let own = self.tokens.get(number).or(self.common_token.as_ref());
        own.map(String::as_str)
    }
}

/// A token as it may be stored: enough to see that it changed.
fn token_digest(token: &str) -> String {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    crate::wire::signature::hex(&digest.as_ref()[..8])
}

#[cfg(test)]
mod tests;
