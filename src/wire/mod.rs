//! Meta's formats and our values, in both directions. Pure: nothing here reads
//! a clock, logs, or does I/O.
//!
//! * [`raw`]: JSON read as text that keeps its spelling
//! * [`notification`]: one POST becomes the events to be stored
//! * [`event`], [`message`], [`status`]: the typed view of a stored event
//! * [`media`]: files in messages: ids, digests, addresses, types, names
//! * [`mention`]: whether a text names a person
//! * [`multipart`]: a browser's form with a file
//! * [`outgoing`]: a Cloud API message object on its way out
//! * [`substitute`]: the template that goes out in a message's place
//! * [`compose`]: messages to send, put together in Rust
//! * [`validate`]: what can be known to be wrong with a message before it is sent
//! * [`phone`]: numbers that have two spellings
//! * [`join`]: several messages in one envelope
//! * [`relay`]: what of a call and its answer is passed on
//! * [`retry_after`]: how long the other side of a call asks us to wait
//! * [`setup`]: how things are set up at Meta, as Graph tells
//! * [`handshake`]: whether an address leads to us, asked without showing a secret
//! * [`signature`]: `X-Hub-Signature-256` and Standard Webhooks
//! * [`sample`]: notifications as Meta would send them, for trying and testing

pub mod compose;
pub mod event;
pub mod handshake;
pub mod join;
pub mod media;
pub mod mention;
pub mod message;
pub mod multipart;
pub mod notification;
pub mod outgoing;
pub mod phone;
pub mod raw;
pub mod relay;
pub mod retry_after;
pub mod sample;
pub mod setup;
pub mod signature;
pub mod status;
pub mod substitute;
pub mod validate;
