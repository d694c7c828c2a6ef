//! Sending a file: it goes to Graph first, unless Meta has it from this number
//! already; its message then goes the way of all others.

use super::act::{back, post_with, reply_to};
use super::draft::{Draft, addressed};
use super::draw;
use crate::edge::http::console::Form;
use crate::edge::http::console::visit::{Shown, Visit};
use crate::edge::upload::Ready;
use crate::wire::media::types;
use crate::wire::outgoing::ReplyTo;

/// Sends one.
pub fn send(visit: &Visit, form: &Form) -> Shown {
    let draft = Draft::read("file", form);
    let Some(file) = form.file("file") else {
        return refused(visit, draft, "no_file");
    };
    let mut ready = match Ready::given(&file.filename, file.bytes.clone()) {
        Ok(ready) => ready,
        Err(unfit) => return draw(visit, 400, draft.refused(unfit.to_string())),
    };
    let caption = Some(draft.text.as_str()).filter(|text| !text.is_empty());
    if caption.is_some() && !ready.takes_caption() {
        return refused(visit, draft, "no_caption");
    }
    let name = types::shown_name(&file.filename, ready.fit.is);
    let reply_to = reply_to(visit)?;
    // Found wrong before anything goes up, whatever its id will be.
    if let Err(problem) = addressed(&ready.message("1", caption, &name), &reply_to) {
        return draw(visit, 400, draft.refused(problem));
    }
    let (sha256, mime) = (ready.sha256, ready.fit.is.mime);
    let (gateway, now, number) = (&visit.live.gateway, visit.now, &reply_to.number);
    let known = visit.read(|tx| gateway.uploaded(tx, now, number, &sha256, mime))?;
    let (media_id, is_new) = match known {
        Some(media_id) => (media_id, false),
        None => match upload(visit, &mut ready, &reply_to) {
            Ok(media_id) => (media_id, true),
            Err(problem) => return draw(visit, 502, draft.refused(problem)),
        },
    };
    let body = match addressed(&ready.message(&media_id, caption, &name), &reply_to) {
        Ok(body) => body,
        Err(problem) => return draw(visit, 400, draft.refused(problem)),
    };
    // Of all that the operator gave: a form that is sent again with another caption is
    // another message. Not of Meta's id: the same file may have gone up twice.
    let written = caption.unwrap_or_default();
    let key = format!("console {} {} {name} {written}", draft.once, sha256.hex());
    let gateway = gateway.clone();
    let number = reply_to.number.clone();
    post_with(
        visit,
        &reply_to,
        "send_file",
        body,
        Some(key),
        move |tx| match is_new {
            true => gateway.keep_upload(tx, now, &number, &sha256, mime, &media_id),
            false => Ok(()),
        },
    )?;
    back(visit, "written")
}

/// Its id at Meta, or why it has none.
fn upload(visit: &Visit, ready: &mut Ready, reply_to: &ReplyTo) -> Result<String, String> {
    let token = visit.live.config.tokens.of(&reply_to.number);
    let token = token.ok_or("no token is set for this number")?;
    let uploaded = ready.upload(&visit.live.graph, token, &reply_to.number);
    uploaded.map_err(|error| error.to_string())
}

fn refused(visit: &Visit, draft: Draft, key: &'static str) -> Shown {
    let draft = Draft {
        problem_key: Some(key),
        ..draft
    };
    draw(visit, 400, draft)
}
