//! What an operator does in a conversation: writes, marks as read, takes it over
//! and gives it back. What is written goes the way of all messages.

use super::draft::{Draft, addressed};
use super::draw;
use crate::edge::http::console::Form;
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::gateway::{Post, conversations, handover};
use crate::store::rows::ConversationId;
use crate::store::{Result, Tx};
use crate::wire::compose::Message;
use crate::wire::outgoing::ReplyTo;
use crate::wire::validate;
use std::sync::Arc;

/// The largest file that is taken by a form: films and sounds that WhatsApp takes
/// have 16 MiB. It is held in memory.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// Sends a text.
pub fn text(visit: &Visit, form: &Form) -> Shown {
    let draft = Draft::read("text", form);
    let message = draft.text_message();
    send(visit, draft, &message)
}

/// Sends a template.
pub fn template(visit: &Visit, form: &Form) -> Shown {
    let draft = Draft::read("template", form);
    let message = draft.template_message();
    send(visit, draft, &message)
}

fn send(visit: &Visit, draft: Draft, message: &str) -> Shown {
    let reply_to = reply_to(visit)?;
    match addressed(message, &reply_to) {
        Err(problem) => draw(visit, 400, draft.refused(problem)),
        Ok(body) => {
            let key = format!("console {} {body}", draft.once);
            post(visit, &reply_to, "send", body, Some(key))?;
            back(visit, "written")
        }
    }
}

/// Marks a message of theirs, and all before it, as read.
pub fn read(visit: &Visit, form: &Form) -> Shown {
    let body = Message::read(form.get("message")).to_json();
    if validate::check(&body).is_err() {
        return Err(Trouble::Bad("no_message"));
    }
    post(visit, &reply_to(visit)?, "mark_read", body, None)?;
    back(visit, "marked")
}

/// Where answers in this conversation go.
pub(super) fn reply_to(visit: &Visit) -> std::result::Result<ReplyTo, Trouble> {
    let id = visit.id(0)?;
    let found = visit.read(|tx| conversations::reply_to(tx, id))?;
    found.ok_or(Trouble::NotFound)
}

/// Puts a message in the outbox. A conversation that is taken over stays so for
/// longer.
pub(super) fn post(
    visit: &Visit,
    reply_to: &ReplyTo,
    deed: &'static str,
    body: String,
    idempotency_key: Option<String>,
) -> std::result::Result<(), Trouble> {
    post_with(visit, reply_to, deed, body, idempotency_key, |_| Ok(()))
}

/// The same, with something more in its commit.
pub(super) fn post_with(
    visit: &Visit,
    reply_to: &ReplyTo,
    deed: &'static str,
    body: String,
    idempotency_key: Option<String>,
    more: impl Fn(&Tx<'_>) -> Result<()> + Send + 'static,
) -> std::result::Result<(), Trouble> {
    let (id, now) = (visit.id(0)?, visit.now);
    let gateway = Arc::clone(&visit.live.gateway);
    let for_ms = visit.live.config.limits.handover_ms;
    let post = Post {
        number: reply_to.number.clone(),
        body,
        idempotency_key,
    };
    visit.change(deed, &id.to_string(), move |tx| {
        more(tx)?;
        // A form that comes twice is one message: the first that came.
        gateway.post(tx, now, &post)?;
        handover::renew(tx, now, id, for_ms)
    })
}

/// Takes the conversation over for `HANDOVER_FOR`.
pub fn take(visit: &Visit, _form: &Form) -> Shown {
    let (now, for_ms) = (visit.now, visit.live.config.limits.handover_ms);
    change_hands(visit, "take", move |tx, number, user| {
        handover::take(tx, now, number, user, now.saturating_add(for_ms)).map(drop)
    })?;
    back(visit, "taken")
}

/// Gives the conversation back to the bot.
pub fn give(visit: &Visit, _form: &Form) -> Shown {
    let now = visit.now;
    change_hands(visit, "give", move |tx, number, user| {
        handover::give(tx, now, number, user).map(drop)
    })?;
    back(visit, "given")
}

fn change_hands(
    visit: &Visit,
    deed: &'static str,
    change: impl Fn(&Tx<'_>, &str, &str) -> Result<()> + Send + 'static,
) -> std::result::Result<(), Trouble> {
    let id: ConversationId = visit.id(0)?;
    let names = visit.read(|tx| tx.conversation_names(id))?;
    let (number, user, _) = names.ok_or(Trouble::NotFound)?;
    visit.change(deed, &id.to_string(), move |tx| change(tx, &number, &user))
}

/// To the conversation's newest.
pub(super) fn back(visit: &Visit, notice: &'static str) -> Shown {
    visit.go(&format!("/conversations/{}", visit.id(0)?), Some(notice))
}
