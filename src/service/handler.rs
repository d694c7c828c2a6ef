//! The trait of a program's own logic, closures as such, and how the queue asks
//! them.

use super::answer::{Again, Answer, Failure, Wish};
use super::context::Context;
use crate::handler::{self as chain, Delivery, Effect, Handled, Outcome, Reason, Wants};
use crate::store::Reader;
use crate::wire::event::{Event, EventKind};
use crate::wire::message::Message;
use crate::wire::status::Status;
use std::sync::Arc;

/// Your own logic, where closures are not enough: it has state, wants a name, or
/// is tested by itself.
///
/// It is called for every event: customers' messages, statuses, calls, news of
/// templates and of the account, and whatever Meta thinks of next.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use wabridge::events::{Event, EventKind, StatusName};
/// use wabridge::{Answer, Context, Handler};
///
/// /// Counts what was read. Others answer.
/// #[derive(Default)]
/// struct CountsReads(AtomicU64);
///
/// impl Handler for CountsReads {
///     fn handle(&self, event: &Event, context: &Context) -> Answer {
///         if let EventKind::Status(status) = &event.kind
///             && status.status == StatusName::Read
///             && context.attempt() == 1
///         {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///         Answer::Pass
///     }
/// }
/// ```
///
/// It may run again for the same event, and its answers appear once: see
/// [`Service`](super::Service#what-is-certain).
pub trait Handler: Send + Sync + 'static {
    /// Answers one event. May take its time, up to minutes: only this
    /// conversation waits, as long as threads are left (`FORWARD_CONCURRENCY`).
    fn handle(&self, event: &Event, context: &Context) -> Answer;

    /// Whether anything but customers' messages is worth asking about. `false`
    /// saves the queue the work of handing the rest over.
    fn wants_all(&self) -> bool {
        true
    }
}

pub(super) struct OnMessage<F>(pub F);
pub(super) struct OnStatus<F>(pub F);
pub(super) struct OnEvent<F>(pub F);

impl<F, A> Handler for OnMessage<F>
where
    F: Fn(&Message, &Context) -> A + Send + Sync + 'static,
    A: Into<Answer>,
{
    fn handle(&self, event: &Event, context: &Context) -> Answer {
        match &event.kind {
            EventKind::Message(message) if event.field == "messages" && !event.is_own() => {
                (self.0)(message, context).into()
            }
            _ => Answer::Pass,
        }
    }

    fn wants_all(&self) -> bool {
        false
    }
}

impl<F, A> Handler for OnStatus<F>
where
    F: Fn(&Status, &Context) -> A + Send + Sync + 'static,
    A: Into<Answer>,
{
    fn handle(&self, event: &Event, context: &Context) -> Answer {
        match &event.kind {
            EventKind::Status(status) => (self.0)(status, context).into(),
            _ => Answer::Pass,
        }
    }
}

impl<F, A> Handler for OnEvent<F>
where
    F: Fn(&Event, &Context) -> A + Send + Sync + 'static,
    A: Into<Answer>,
{
    fn handle(&self, event: &Event, context: &Context) -> Answer {
        (self.0)(event, context).into()
    }
}

/// A program's own handlers, in the order in which they are asked. Cheap to
/// clone: they are the same at every reload.
#[derive(Clone, Default)]
pub(super) struct Own {
    handlers: Vec<Arc<dyn Handler>>,
    /// The crates they are from.
    crates: Vec<&'static str>,
    /// Where the past is looked up.
    past: Option<Reader>,
}

impl Own {
    pub fn add(&mut self, handler: Arc<dyn Handler>, type_name: &'static str) {
        self.handlers.push(handler);
        // Type names are for people and may look otherwise one day: then a crate
        // is not known, and its log lines are left out.
        let name = type_name.split("::").next().unwrap_or_default();
        if !name.is_empty() && !self.crates.contains(&name) {
            self.crates.push(name);
        }
    }

    /// The same, with the past in this database.
    pub fn with_past(&self, past: Reader) -> Own {
        Own {
            past: Some(past),
            ..self.clone()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    /// The crates whose log lines are wanted.
    pub fn crates(&self) -> &[&'static str] {
        &self.crates
    }

    fn answer(&self, context: &Context) -> Answer {
        let answers = self.handlers.iter();
        let mut answers = answers.map(|handler| handler.handle(context.event(), context));
        let answer = answers.find(|answer| *answer != Answer::Pass);
        answer.unwrap_or(Answer::Pass)
    }
}

impl chain::Handler for Own {
    fn wants(&self) -> Wants {
        match self.handlers.iter().any(|handler| handler.wants_all()) {
            true => Wants::All,
            false => Wants::Messages,
        }
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        match self.answer(&Context::of_delivery(delivery, self.past.clone())) {
            Answer::Pass => Handled::No,
            Answer::Reply { messages, wishes } => Handled::Yes(Outcome::Done {
                replies: messages.iter().map(|message| message.to_json()).collect(),
                effects: wishes.into_iter().map(effect).collect(),
            }),
            Answer::Fail(failure) => Handled::Yes(failed(failure)),
        }
    }
}

fn effect(wish: Wish) -> Effect {
    match wish {
        Wish::HandOver => Effect::HandOver,
        Wish::StopMarketing => Effect::StopMarketing,
        Wish::StartMarketing => Effect::StartMarketing,
    }
}

/// Of one event, not of the handler as a whole: others are tried all the same.
fn failed(failure: Failure) -> Outcome {
    let reason = Reason::with_details("the handler failed", failure.reason);
    match failure.again {
        Again::Later(wait) => Outcome::Retry {
            reason,
            wait,
            down: false,
        },
        Again::Never => Outcome::Dead { reason },
    }
}
