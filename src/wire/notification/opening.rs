//! What an element says about the customer service window: that the person did
//! something which opens it, or how long a free entry point lasts.

use super::super::raw::{self, Member};
use super::{Kind, Opening};

/// Whether the person wrote or called, so that everything may be sent to them for
/// a while (Meta: customer service windows). Whatever they do counts, a reaction
/// or something Meta cannot show too. Left out is what only looks like it: what
/// the business did itself, news about the person (`system`), and what comes
/// under other fields: histories, and copies for an app that does not answer.
pub(super) fn of(
    kind: Kind,
    type_: &str,
    field: &str,
    is_ours: bool,
    members: &[Member<'_>],
) -> Option<Opening> {
    let opens = match kind {
        // Meta's samples leave the field out now and then.
        Kind::Message => matches!(field, "messages" | "") && !is_ours && type_ != "system",
        // `terminate` comes with the same call, should `connect` be lost.
        Kind::Call => !is_ours && matches!(type_, "connect" | "terminate"),
        // The person took our call.
        Kind::Status => {
            raw::text_is(members, "type", "call") && type_.eq_ignore_ascii_case("accepted")
        }
        Kind::Other => false,
    };
    opens.then(|| Opening {
        at: raw::get_text(members, "timestamp").and_then(|at| at.parse().ok()),
        from_ad: kind == Kind::Message
            && raw::get(members, "referral").is_some_and(|ad| ad.starts_with('{')),
    })
}

/// The end of a free entry point's window, in Unix seconds, as a status of a
/// message in it tells (Meta: webhooks, status messages).
pub(super) fn free_until(members: &[Member<'_>]) -> Option<i64> {
    let conversation = raw::get(members, "conversation").and_then(raw::members)?;
    let origin = raw::get(&conversation, "origin").and_then(raw::members)?;
    raw::text_is(&origin, "type", "referral_conversion")
        .then(|| {
            raw::get_text(&conversation, "expiration_timestamp")?
                .parse()
                .ok()
        })
        .flatten()
}
