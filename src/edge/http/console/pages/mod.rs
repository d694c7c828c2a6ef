//! The pages, one file each.

pub mod conversations;
pub mod inbox;
pub mod media;
pub mod outbox;
pub mod overview;
mod people;
mod query;
pub mod rules;
pub mod settings;
pub mod thread;
pub mod trail;
