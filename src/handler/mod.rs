//! The business's own logic, as the queue sees it: an event goes in, an
//! [`Outcome`] comes out. What ships in the box:
//!
//! * [`rules`]: a TOML file of patterns and replies
//! * [`command`]: a program that is run for each event
//! * [`forward`]: an HTTP app that receives what Meta would send it

mod answer;
pub mod command;
pub mod forward;
pub mod rules;

pub use crate::gateway::{Delivery, Ears, Effect, Facts, Outcome, Reason, Wants};

/// Something that deals with events.
///
/// It may be called again for the same event after a crash; the replies it
/// returns are sent once, since they are stored in the same commit that marks
/// the event as done.
pub trait Handler: Send + Sync {
    /// Which events it is worth asking about.
    fn wants(&self) -> Wants;

    /// Deals with one event, or leaves it to the next handler.
    fn handle(&self, delivery: &Delivery) -> Handled;

    /// Who listens where nobody is asked, because a person has taken over.
    fn ears(&self) -> Option<Ears> {
        None
    }

    /// The rules, if it is those: to be looked at.
    fn rules(&self) -> Option<&rules::Rules> {
        None
    }

    /// The service ends, and has waited for as long as it may: what is under way
    /// is to end now. It will be handed over again.
    fn stop(&self) {}
}

/// What a handler made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// This is what came of it.
    Yes(Outcome),
    /// It answers some messages of a burst so, and leaves the others to the next
    /// handler.
    Partly {
        /// As in [`Outcome::Done`].
        replies: Vec<String>,
        /// As in [`Outcome::Done`].
        effects: Vec<Effect>,
        /// The others.
        left: Box<Delivery>,
    },
    /// Not for this handler: the next one is asked.
    No,
}

/// Asks each handler in turn until one deals with the event. When none does,
/// there is nothing to be done about it.
pub fn handle(handlers: &[Box<dyn Handler>], delivery: &Delivery) -> Outcome {
    let (mut said, mut remembered) = (Vec::new(), Vec::new());
    let mut left: Option<Box<Delivery>> = None;
    for handler in handlers {
        match handler.handle(left.as_deref().unwrap_or(delivery)) {
            Handled::No => {}
            Handled::Partly {
                replies,
                effects,
                left: others,
            } => {
                said.extend(replies);
                remembered.extend(effects);
                left = Some(others);
            }
            Handled::Yes(Outcome::Done { replies, effects }) => {
                said.extend(replies);
                remembered.extend(effects);
                break;
            }
            // All of it comes again, or nothing of it is done.
            Handled::Yes(other) => return other,
        }
    }
    Outcome::Done {
        replies: said,
        effects: remembered,
    }
}
