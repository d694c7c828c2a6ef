//! wabridge stands between Meta's WhatsApp Cloud API and a business's own
//! logic. Meta delivers a webhook; wabridge verifies it, stores it durably, and
//! only then answers 200. Each conversation's events reach the logic in order,
//! once each, however often anything crashed; what the logic answers goes out
//! through the Graph API once and in order; what became of it comes back and is
//! kept.
//!
//! The logic can be rules in a file, an app behind an address, or, with this
//! library, Rust: a whole service in one file.
//!
//! ```no_run
//! use wabridge::events::{self, StatusName};
//! use wabridge::{Context, Failure, Message, Result, Service};
//!
//! fn main() -> Result<(), wabridge::Error> {
//!     Service::from_env()?
//!         .on_message(answer)
//!         .on_status(|status, context| {
//!             if status.status == StatusName::Failed {
//!                 log::warn!("{}: not delivered", context.webhook_id());
//!             }
//!         })
//!         .run()
//! }
//!
//! fn answer(message: &events::Message, context: &Context) -> Result<Vec<Message>> {
//!     // Taps on buttons come back with the id that the button had.
//!     if message.reply_id() == Some("hours") {
//!         return Ok(vec![message.reply(Message::text("We are open from 9 to 18.")).any()]);
//!     }
//!     // What fails here is tried again later, this conversation waiting.
//!     let orders = std::fs::read_to_string("orders.txt")?;
//!     let Some(text) = message.text() else {
//!         return Err(Failure::dead("not a text").into()); // or never
//!     };
//!     if let Some(order) = orders.lines().find(|line| line.starts_with(text)) {
//!         return Ok(vec![message.mark_read().any(), Message::text(order).any()]);
//!     }
//!     let name = context.event().sender_name().unwrap_or("there");
//!     let menu = Message::buttons(format!("Hello {name}! What is it?"), [("hours", "Opening hours")]);
//!     Ok(vec![menu.any()])
//! }
//! ```
//!
//! The settings are those of `wabridge serve`; `wabridge demo -- cargo run` starts
//! such a program without an account, and you write to it as its customer. Start
//! here:
//!
//! * [`Service`]: building and running it, and what is certain
//! * [`Handler`] and [`Context`]: what your logic gets, the conversation's past among
//!   it; [`Answer`]: what it returns
//! * [`events`]: what Meta tells, typed
//! * [`Message`] and [`compose`]: messages of every type, to be sent
//!
//! Nothing else is for programs to use: other modules are public for the tests
//! and the benches alone, and change at any time.
//!
//! # The code, from the outside in
//!
//! * `cli`: the command line, one file a verb
//! * `service`: the service as a library
//! * `edge`: what touches the world: HTTP, Graph, threads, clock, log
//! * `handler`: the business's logic: rules, a program, an HTTP app
//! * `gateway`: the queue: `receive`, `claim`, `finish`
//! * `store`: the only SQL, and the thread that commits for everybody
//! * `policy`: decisions about time and failure, pure
//! * `wire`: Meta's formats, pure
//! * `config`: the settings
//!
//! Each may use those below it, never those above; `wire` and `policy` know no
//! clock, no log and no I/O.
//!
//! # The one idea
//!
//! Everything that can be lost is a *job* in a *lane*. A lane is strictly
//! ordered and has at most one job running; different lanes run in parallel.
//! `gateway`'s three steps take the time as an argument and make one commit
//! each; between `claim` and `finish`, and only there, the outside world is
//! touched, and what came of it returns as a value. So a simulator can run days
//! of crashes in a second.
//!
//! # What always holds
//!
//! 1. 200 only after the commit that holds the notification's events.
//! 2. An event is recorded once, and delivered until it is done or a dead letter.
//! 3. A lane's jobs run in order, one at a time.
//! 4. "Delivered" and the replies it led to are one commit.
//! 5. The attempt is on disk before the call.
//! 6. A message goes out twice only if Graph's answer was lost and no status
//!    came within the window.
//! 7. A status never goes back; one that comes early is kept and applied.
//! 8. What is not understood is kept, shown and forwarded.
//! 9. No secret, text, name or phone number in a log line at `info`; tokens
//!    never at any level.
//! 10. The webhook listener serves the webhook and nothing else.
//! 11. Every queue, body, wait and list has a limit, and meeting it is a clear
//!     answer.

#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod edge;
#[doc(hidden)]
pub mod gateway;
#[doc(hidden)]
pub mod handler;
#[doc(hidden)]
pub mod policy;
mod service;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod wire;

pub use policy::ladder::SendState;
pub use policy::window::{Kind as WindowKind, Window};
pub use service::{
    Answer, Context, Conversation, Entry, Error, Failure, Handler, Result, Service, Wish,
};
pub use wire::compose::{self, Message};

/// What Meta tells, typed: one [`Event`](events::Event) for each webhook element.
///
/// Nothing that Meta sends is refused: what is missing or misshapen is absent,
/// and what is unknown is there as JSON.
pub mod events {
    pub use crate::wire::event::{Call, Change, Contact, Event, EventKind, Number};
    pub use crate::wire::message::{
        CallPermissionReply, Card, CardAddress, CardEmail, CardName, CardOrg, CardPhone, CardUrl,
        Content, Interactive, Location, Media, Message, NfmReply, Order, OrderItem, Referral,
        System,
    };
    // Under a name that tells it from what a handler gets.
    pub use crate::wire::message::Context as MessageContext;
    pub use crate::wire::status::{
        Conversation, Payment, Pricing, ReportedError, Status, StatusName, Subject,
    };
}

/// The Rust of README.md, compiled as its readers would.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
