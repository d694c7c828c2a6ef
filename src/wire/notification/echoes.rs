//! What the owner of a number wrote on the phone, where the WhatsApp Business app
//! and the API share a number (Meta: coexistence, `smb_message_echoes`).

use super::super::message::says_something;
use super::super::raw::{self, Member};
use super::{Echo, Party, people};

/// The field that brings them. `history` brings old ones under the same name, and
/// `message_echoes` those of other programs: neither is a person who answers now.
pub(super) const FIELD: &str = "smb_message_echoes";

/// The echoes in a value, and the person all of them were written to if it is one.
pub(super) fn read(value: &[Member<'_>]) -> (Vec<Echo>, Option<Party>) {
    let list = raw::get(value, "message_echoes").and_then(raw::elements);
    let mut echoes = Vec::new();
    let mut parties = Vec::new();
    for echo in list.unwrap_or_default() {
        let Some(members) = raw::members(echo) else {
            continue;
        };
        let Some(ids) = people::of_echo(&members) else {
            continue;
        };
        parties.push(ids.clone());
        let type_ = raw::get_text(&members, "type").unwrap_or_default();
        if says_something(&type_) {
            echoes.push(Echo {
                ids,
                wamid: raw::get_text(&members, "id").map(|id| id.into_owned()),
                at: raw::get_text(&members, "timestamp").and_then(|at| at.parse().ok()),
            });
        }
    }
    parties.dedup();
    let party = match parties.len() {
        1 => parties.pop().map(Party::User),
        _ => None,
    };
    (echoes, party)
}
