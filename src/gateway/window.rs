//! The customer service window: what opens it is written down with the event that
//! does, and what may go out is decided here, for every way in alike: when a
//! message is queued, as far as that is known then, and again at each attempt.

use super::Gateway;
use super::clock_set::was_set_ahead;
use crate::policy::codes;
use crate::policy::window::{Seen, Window};
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::notification::{Incoming, Party, is_bsuid};
use crate::wire::outgoing;

/// Graph's code for a message that is no template and comes too late.
const TOO_LATE: i64 = 131_047;

/// How a message may go out.
pub(super) enum Admission {
    /// As it is. Also when we do not know: then Graph decides.
    AsItIs,
    /// As this template.
    As(String),
    /// Not at all.
    Refused(Fault),
}

/// What an event alone says about its conversation's window. Groups are left out:
/// Meta does not say what opens theirs, so theirs stays unknown.
pub(super) fn opened(event: &Incoming<'_>, now: i64) -> Seen {
    let mut seen = Seen::default();
    if !matches!(event.party, Party::User(_)) {
        return seen;
    }
    if let Some(opening) = event.opening {
        seen = seen.heard(opening.at, opening.from_ad, now);
    }
    let free_until = event.status.as_ref().and_then(|status| status.free_until);
    match free_until {
        Some(end) => seen.told_free_until(end, now),
        None => seen,
    }
}

impl Gateway {
    /// Graph took a message at that time: an answer to somebody who came by an ad.
    pub(super) fn note_answer(
        &self,
        tx: &Tx<'_>,
        conversation: ConversationId,
        type_: &str,
        at: i64,
    ) -> Result<()> {
        if outgoing::is_mark(type_) {
            return Ok(());
        }
        let before = tx.seen_of(conversation)?;
        let seen = before.answered(at);
        match seen == before {
            true => Ok(()),
            false => tx.set_seen(conversation, seen),
        }
    }

    /// How a message may go out in a conversation at `now`: within its window, and
    /// only if it is wanted.
    pub(super) fn admit(
        &self,
        tx: &Tx<'_>,
        now: i64,
        conversation: ConversationId,
        type_: &str,
        body: &str,
    ) -> Result<Admission> {
        let admission = self.within_window(tx, now, conversation, type_, body)?;
        let template = match &admission {
            Admission::AsItIs if type_ == "template" => body,
            Admission::As(template) => template,
            Admission::AsItIs | Admission::Refused(_) => return Ok(admission),
        };
        Ok(match self.unwanted(tx, conversation, template)? {
            Some(fault) => Admission::Refused(fault),
            None => admission,
        })
    }

    fn within_window(
        &self,
        tx: &Tx<'_>,
        now: i64,
        conversation: ConversationId,
        type_: &str,
        body: &str,
    ) -> Result<Admission> {
        if !outgoing::needs_window(type_) {
            return Ok(Admission::AsItIs);
        }
        let Window::Closed { .. } = window_of(tx, now, conversation)? else {
            return Ok(Admission::AsItIs);
        };
        let template = self.limits.window_template.as_ref();
        Ok(match template.map(|template| template.instead_of(body)) {
            Some(Some(body)) => Admission::As(body),
            Some(None) => Admission::Refused(too_late(
                "the message has no text for the gap of WINDOW_TEMPLATE",
            )),
            None => Admission::Refused(too_late(
                "WINDOW_TEMPLATE can name one that goes out instead",
            )),
        })
    }
}

/// The window of a conversation at `now`.
pub(super) fn window_of(tx: &Tx<'_>, now: i64, conversation: ConversationId) -> Result<Window> {
    let seen = tx.seen_of(conversation)?;
    let window = seen.window(now);
    if let Window::Closed { kind, .. } = window
        && was_set_ahead(tx, now, kind.lasts_ms())?
    {
        return Ok(Window::Unknown);
    }
    if window == seen.window_by_number(now) {
        return Ok(window);
    }
    let ids = tx.ids_of(conversation)?;
    Ok(match ids.iter().any(|id| is_bsuid(id)) {
        true => window,
        false => seen.window_by_number(now),
    })
}

fn too_late(more: &str) -> Fault {
    // Nothing was asked of Graph: the words are ours, and the code is its.
    let reason = codes::explain(TOO_LATE).unwrap_or("too late for anything but a template");
    Fault {
        code: Some(TOO_LATE),
        text: format!("{reason} ({more})"),
    }
}
