//! What a handler returns: replies, what is to be remembered, nothing, "not mine",
//! or why it failed.

use crate::wire::compose::Message;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What a handler may return that uses `?`: any error will do, and means that the
/// event comes again later. [`Failure`] says more.
pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// What a handler says to an event.
///
/// Handlers rarely name it: whatever turns into it may be returned.
///
/// | a handler returns | it means |
/// |---|---|
/// | `()` | done, nothing to say |
/// | a [`Message`], a `&str` or a `String` | done, with this reply |
/// | a `Vec`, an array or a tuple of messages | done, with these replies, in this order |
/// | `None` | done, nothing to say; `Some` is what is in it |
/// | [`Answer::hand_over`] and the like of one of these | the same, and a person goes on |
/// | [`Answer::Pass`] | not for this handler: the next is asked |
/// | `Err` of any error | not now: the same event again later |
/// | `Err` of a [`Failure`] | as that says |
///
/// ```
/// use wabridge::{Answer, Message, Result};
///
/// fn price(id: Option<&str>) -> Result<Answer> {
///     let Some(id) = id else {
///         return Ok(Answer::Pass);
///     };
///     let number: u32 = id.parse()?; // whatever fails here is tried again
///     Ok(Message::text(format!("It costs {number}")).into())
/// }
///
/// assert_eq!(Answer::from(price(Some("7"))), Answer::from("It costs 7"));
/// assert_eq!(Answer::from(price(None)), Answer::Pass);
/// assert!(matches!(Answer::from(price(Some("seven"))), Answer::Fail(_)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The event is done.
    Reply {
        /// They go out in this order; none: there is nothing to say. Each goes to
        /// whoever the event is from unless it says [`to`](Message::to) whom. At most
        /// 100.
        messages: Vec<Message>,
        /// What is remembered of the conversation from now on, in the commit that
        /// marks the event as done.
        wishes: Vec<Wish>,
    },
    /// Not for this handler: the next is asked.
    Pass,
    /// It did not work.
    Fail(Failure),
}

/// Something that an answer brings about besides messages, in the conversation that
/// the event is from. As with messages, it happens once, however often the handler
/// runs. Of events about no person nothing comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wish {
    /// See [`Answer::hand_over`].
    HandOver,
    /// See [`Answer::stop_marketing`].
    StopMarketing,
    /// See [`Answer::start_marketing`].
    StartMarketing,
}

impl Answer {
    /// The same, and a person is to go on: no handler is asked about this
    /// conversation's messages and calls for `HANDOVER_FOR`, or until it is given back
    /// (`wabridge give`). What is answered together with this still goes out.
    ///
    /// ```
    /// use wabridge::{Answer, events};
    ///
    /// fn answer(message: &events::Message) -> Answer {
    ///     match message.text() {
    ///         Some("person") => Answer::from("One moment, somebody will write to you").hand_over(),
    ///         _ => Answer::Pass,
    ///     }
    /// }
    /// ```
    ///
    /// Whoever passes an event on and wants this has answered it: nobody else is
    /// asked. Of a failure nothing is remembered.
    pub fn hand_over(self) -> Answer {
        self.wishing(Wish::HandOver)
    }

    /// The same, and the person wants no marketing from this number any more:
    /// marketing templates to them are refused from now on (131050), all else goes out
    /// as before.
    pub fn stop_marketing(self) -> Answer {
        self.wishing(Wish::StopMarketing)
    }

    /// The same, and the person wants marketing again.
    pub fn start_marketing(self) -> Answer {
        self.wishing(Wish::StartMarketing)
    }

    fn wishing(self, wish: Wish) -> Answer {
        let (messages, mut wishes) = match self {
            Answer::Reply { messages, wishes } => (messages, wishes),
            Answer::Pass => (Vec::new(), Vec::new()),
            Answer::Fail(failure) => return Answer::Fail(failure),
        };
        wishes.push(wish);
        Answer::Reply { messages, wishes }
    }

    fn replying(messages: Vec<Message>) -> Answer {
        Answer::Reply {
            messages,
            wishes: Vec::new(),
        }
    }
}

/// That a handler failed, and whether the event comes again.
///
/// Any other error means [`Failure::retry`]; this one is for saying more.
///
/// ```
/// use wabridge::{Failure, Message, Result};
/// use std::time::Duration;
///
/// fn look_up(status: u16) -> Result<Message> {
///     match status {
///         200 => Ok(Message::text("It is on its way").any()),
///         429 => Err(Failure::retry("the shop is busy").after(Duration::from_secs(60)).into()),
///         400 => Err(Failure::dead("the shop does not understand us").into()),
///         _ => Err("the shop is down".into()), // as Failure::retry
///     }
/// }
/// # assert!(look_up(200).is_ok() && look_up(400).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) reason: String,
    pub(super) again: Again,
}

/// Whether an event comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Not before this has passed.
    Later(Option<Duration>),
    Never,
}

impl Failure {
    /// The same event again, with growing waits (from a second to a minute), until
    /// it is older than `FORWARD_MAX_AGE`. Its conversation waits meanwhile,
    /// others go on.
    ///
    /// The reason is shown to the operator (`wabridge inbox show`), not logged.
    pub fn retry(reason: impl Into<String>) -> Failure {
        Failure {
            reason: reason.into(),
            again: Again::Later(None),
        }
    }

    /// Not again before this has passed; an hour at most, as for an app that asks by
    /// `Retry-After`.
    pub fn after(self, wait: Duration) -> Failure {
        Failure {
            again: match self.again {
                Again::Later(_) => Again::Later(Some(wait)),
                Again::Never => Again::Never,
            },
            ..self
        }
    }

    /// Never again: the event becomes a dead letter, which the operator sees
    /// (`wabridge inbox list --state dead`) and can replay. The conversation goes
    /// on.
    pub fn dead(reason: impl Into<String>) -> Failure {
        Failure {
            reason: reason.into(),
            again: Again::Never,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Failure {}

impl From<()> for Answer {
    fn from((): ()) -> Answer {
        Answer::replying(Vec::new())
    }
}

impl<K> From<Message<K>> for Answer {
    fn from(message: Message<K>) -> Answer {
        Answer::replying(vec![message.any()])
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Answer {
        Message::text(text).into()
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Answer {
        Message::text(text).into()
    }
}

impl<K> From<Vec<Message<K>>> for Answer {
    fn from(messages: Vec<Message<K>>) -> Answer {
        Answer::replying(messages.into_iter().map(Message::any).collect())
    }
}

impl<K, const N: usize> From<[Message<K>; N]> for Answer {
    fn from(messages: [Message<K>; N]) -> Answer {
        Answer::replying(messages.into_iter().map(Message::any).collect())
    }
}

/// Of different kinds, such as a read mark and a text.
impl<A, B> From<(Message<A>, Message<B>)> for Answer {
    fn from((a, b): (Message<A>, Message<B>)) -> Answer {
        Answer::replying(vec![a.any(), b.any()])
    }
}

/// Of different kinds.
impl<A, B, C> From<(Message<A>, Message<B>, Message<C>)> for Answer {
    fn from((a, b, c): (Message<A>, Message<B>, Message<C>)) -> Answer {
        Answer::replying(vec![a.any(), b.any(), c.any()])
    }
}

/// `None`: nothing to say, and nobody else is asked.
impl<T: Into<Answer>> From<Option<T>> for Answer {
    fn from(answer: Option<T>) -> Answer {
        answer.map_or(Answer::from(()), Into::into)
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Answer {
        Answer::Fail(failure)
    }
}

/// Any error: the event comes again, unless a [`Failure`] in it says otherwise.
impl<T: Into<Answer>, E: Into<Box<dyn Error + Send + Sync>>> From<Result<T, E>> for Answer {
    fn from(result: Result<T, E>) -> Answer {
        match result {
            Ok(answer) => answer.into(),
            Err(error) => {
                let error: Box<dyn Error + Send + Sync> = error.into();
                Answer::Fail(failure(&*error))
            }
        }
    }
}

/// What an error means: the first [`Failure`] among its causes decides, and all of them
/// are told.
fn failure(error: &(dyn Error + 'static)) -> Failure {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    let own = causes.find_map(|error| error.downcast_ref::<Failure>());
    Failure {
        again: own.map_or(Again::Later(None), |own| own.again),
        reason: super::Chain(error).to_string(),
    }
}
