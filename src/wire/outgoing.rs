//! A Cloud API message object on its way out: what an app's reply lacks is
//! filled in, and our own mark is put on it for Graph.

use super::notification::{self, Kind, Party, is_bsuid};
use super::raw::{self, Edit, Step, members, quote, with_member};
use serde_json::Value;
use std::borrow::Cow;

/// The key that travels to Meta and comes back in every status of the message
/// (Meta: messages reference, at most 512 characters).
const OPAQUE: &str = "biz_opaque_callback_data";

/// A message ready for the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `to`, or the BSUID in `recipient`.
    pub recipient: String,
    /// The message type, or `read` or `typing`.
    pub type_: String,
    /// The whole object.
    pub body: String,
}

/// Where a reply goes that does not say so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// `phone_number_id` the event came in on.
    pub number: String,
    /// The account of that number; empty when the event does not say.
    pub waba: String,
    address: Option<Address>,
    /// The message answered, for read marks and the typing sign.
    message_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Phone(String),
    Bsuid(String),
    Group(String),
}

impl ReplyTo {
    /// From a business number to a person, by any id.
    pub fn person(number: &str, user: &str) -> ReplyTo {
        ReplyTo {
            number: number.to_owned(),
            waba: String::new(),
            address: Some(match is_bsuid(user) {
                true => Address::Bsuid(user.to_owned()),
                false => Address::Phone(user.to_owned()),
            }),
            message_id: None,
        }
    }

    /// Reads it from a stored event's body.
    pub fn of(body: &str) -> Option<ReplyTo> {
        let event = notification::read(body.as_bytes())
            .ok()?
            .into_iter()
            .next()?;
        let address = match event.party {
            Party::Group(id) => Some(Address::Group(id)),
            // Who has told of a new number is not at the old one any more.
            Party::User(_) if event.links.len() == 1 => {
                let ids = event.links.concat();
                match ids.iter().find(|id| is_phone(id)) {
                    Some(phone) => Some(Address::Phone(phone.clone())),
                    None => ids.into_iter().next().map(Address::Bsuid),
                }
            }
            // Ids are listed best first and the number as the message gave it
            // last: that one reaches people whose wa_id differs from it.
            Party::User(ids) => match ids.iter().rfind(|id| is_phone(id)) {
                Some(phone) => Some(Address::Phone(phone.clone())),
                None => ids.into_iter().next().map(Address::Bsuid),
            },
            Party::Account(_) => None,
        };
        Some(ReplyTo {
            number: event.number,
            waba: event.waba,
            address,
            message_id: event.id.filter(|_| event.kind == Kind::Message),
        })
    }
}

/// Completes one element of an app's `messages` list.
///
/// # Errors
/// What is wrong with it, in words for whoever wrote the app.
pub fn reply(element: &str, reply_to: &ReplyTo) -> Result<Outgoing, String> {
    let parts = members(element).ok_or("a reply must be a JSON object")?;
    if reply_to.number.is_empty() {
        return Err("the event names no phone_number_id to answer from".into());
    }
    let type_ = match raw::get_text(&parts, "status").as_deref() {
        // Graph's own form of a mark.
        Some("read") if raw::get(&parts, "typing_indicator").is_some() => Some("typing".into()),
        Some("read") => Some("read".into()),
        _ => raw::get_text(&parts, "type").map(Cow::into_owned),
    };
    if let Some(type_ @ ("read" | "typing")) = type_.as_deref() {
        return mark(type_, &parts, reply_to);
    }
    let mut body = element.to_owned();
    let set = |body: &mut String, key: &str, value: &str| {
        let present = members(body).is_some_and(|parts| raw::get(&parts, key).is_some());
        if !present {
            *body = with_member(&members(body).unwrap_or_default(), key, &quote(value));
        }
    };
    set(&mut body, "messaging_product", "whatsapp");
    let own = recipient(&parts);
    let recipient = match (own, &reply_to.address) {
        (Some(own), _) => own,
        (None, None) => return Err("the event has no sender, so a reply must say `to` whom".into()),
        (None, Some(address)) => {
            let (key, value, kind) = match address {
                Address::Phone(phone) => ("to", phone, "individual"),
                Address::Bsuid(bsuid) => ("recipient", bsuid, "individual"),
                Address::Group(group) => ("to", group, "group"),
            };
            set(&mut body, "recipient_type", kind);
            set(&mut body, key, value);
            value.clone()
        }
    };
    set(&mut body, "recipient_type", "individual");
    Ok(Outgoing {
        recipient,
        // Graph's own default (Meta: messages reference).
        type_: type_.unwrap_or_else(|| "text".into()),
        body,
    })
}

/// Whom a message object is for: `to` wins over `recipient` (Meta: BSUIDs).
pub fn recipient(parts: &[raw::Member<'_>]) -> Option<String> {
    ["to", "recipient"]
        .iter()
        .find_map(|key| raw::get_text(parts, key))
        .map(Cow::into_owned)
}

/// `{"type":"read"}` and `{"type":"typing"}` become Graph's read mark, which itself stays one.
fn mark(type_: &str, parts: &[raw::Member<'_>], reply_to: &ReplyTo) -> Result<Outgoing, String> {
    let own = raw::get_text(parts, "message_id").map(Cow::into_owned);
    let Some(id) = own.or_else(|| reply_to.message_id.clone()) else {
        return Err(format!("only a message can be answered with {type_}"));
    };
    let body = match raw::get(parts, "status") {
        // Graph's own form keeps what else it says.
        Some(_) => {
            let whole = with_member(parts, "message_id", &quote(&id));
            let parts = members(&whole).unwrap_or_default();
            with_member(&parts, "messaging_product", &quote("whatsapp"))
        }
        None => {
            let typing = match type_ {
                "typing" => r#","typing_indicator":{"type":"text"}"#,
                _ => "",
            };
            format!(
                r#"{{"messaging_product":"whatsapp","status":"read","message_id":{}{typing}}}"#,
                quote(&id)
            )
        }
    };
    let recipient = match &reply_to.address {
        Some(Address::Phone(id) | Address::Bsuid(id) | Address::Group(id)) => id.clone(),
        None => String::new(),
    };
    Ok(Outgoing {
        recipient,
        type_: type_.to_owned(),
        body,
    })
}

/// Whether a message of this type has no wamid and no statuses, and may be sent
/// twice without harm.
pub fn is_mark(type_: &str) -> bool {
    matches!(type_, "read" | "typing")
}

/// Whether a message of this type reaches a person only within the customer
/// service window. Templates always do; of a type we do not know nothing is known.
pub fn needs_window(type_: &str) -> bool {
    const FREE_FORM: [&str; 10] = [
        "text",
        "image",
        "video",
        "audio",
        "document",
        "sticker",
        "location",
        "contacts",
        "reaction",
        "interactive",
    ];
    FREE_FORM.contains(&type_)
}

/// Whether a message object carries a file, which Meta has to get ready before it
/// goes out, so that what is sent next may overtake it.
pub fn has_media(body: &str) -> bool {
    let Ok(message) = serde_json::from_str::<Value>(body) else {
        return false;
    };
    match message["type"].as_str() {
        // In a header, a card's header, or a parameter of one.
        Some(type_ @ ("template" | "interactive")) => holds_file(&message[type_]),
        type_ => type_.is_some_and(is_file),
    }
}

fn holds_file(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_file),
        Value::Object(members) => {
            let type_ = members.get("type").and_then(Value::as_str);
            type_.is_some_and(is_file) || members.values().any(holds_file)
        }
        _ => false,
    }
}

fn is_file(type_: &str) -> bool {
    const FILES: [&str; 5] = ["image", "video", "audio", "document", "sticker"];
    FILES.iter().any(|file| type_.eq_ignore_ascii_case(file))
}

/// The body with our mark on it, by which a lost answer is made good: statuses
/// bring the mark back.
pub fn marked(body: &str, mark: &str) -> String {
    let parts = members(body).unwrap_or_default();
    with_member(&parts, OPAQUE, &quote(mark))
}

/// The caller's own value of the key we use.
pub fn own_opaque(body: &str) -> Option<String> {
    let parts = members(body)?;
    raw::get_text(&parts, OPAQUE).map(Cow::into_owned)
}

/// The name of the template that a message object is.
pub fn template_name(body: &str) -> Option<String> {
    let parts = members(body)?;
    let template = members(raw::get(&parts, "template")?)?;
    raw::get_text(&template, "name").map(Cow::into_owned)
}

/// A status event as the app expects it: with its own value, or none, in the
/// place of our mark.
pub fn unmarked(event_body: &str, own: Option<&str>) -> Option<String> {
    use Step::{First, Member};
    let path = [
        Member("entry"),
        First,
        Member("changes"),
        First,
        Member("value"),
        Member("statuses"),
        First,
    ];
    raw::edit_at(event_body, &path, &|status| {
        Some(raw::rewrite(&members(status)?, |_, member| match own {
            _ if member.key != OPAQUE => Edit::Keep,
            Some(own) => Edit::Replace(quote(own)),
            None => Edit::Drop,
        }))
    })
}

fn is_phone(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(value: &str) -> String {
        format!(
            r#"{{"entry":[{{"id":"7","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"42"}},{value}}}}}]}}]}}"#
        )
    }

    /// A reply to a message with these keys is completed to `expected`.
    fn check(message: &str, element: &str, expected: &str) {
        let body = envelope(&format!(r#""messages":[{{"id":"wamid.1",{message}}}]"#));
        let reply_to = ReplyTo::of(&body).unwrap();
        assert_eq!(reply_to.number, "42");
        assert_eq!(
            reply(element, &reply_to).unwrap().body,
            expected,
            "{message}"
        );
    }

    #[test]
    fn what_a_reply_lacks_is_filled_in() {
        let text = r#"{"type":"text","text":{"body":"hi"}}"#;
        check(
            r#""from":"15550001""#,
            text,
            r#"{"type":"text","text":{"body":"hi"},"messaging_product":"whatsapp","recipient_type":"individual","to":"15550001"}"#,
        );
        check(
            r#""from_user_id":"US.1""#,
            text,
            r#"{"type":"text","text":{"body":"hi"},"messaging_product":"whatsapp","recipient_type":"individual","recipient":"US.1"}"#,
        );
        check(
            r#""from":"15550001","group_id":"G==""#,
            text,
            r#"{"type":"text","text":{"body":"hi"},"messaging_product":"whatsapp","recipient_type":"group","to":"G=="}"#,
        );
    }

    #[test]
    fn what_a_reply_says_stays_to_the_letter() {
        let own = r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+1 555","type":"location","location":{"latitude":1e1,"x":"\ud83d"}}"#;
        check(r#""from":"15550001""#, own, own);
    }

    #[test]
    fn read_and_typing_become_graphs_read_mark() {
        check(
            r#""from":"1""#,
            r#"{"type":"read"}"#,
            r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.1"}"#,
        );
        check(
            r#""from":"1""#,
            r#"{"type":"typing","message_id":"wamid.0"}"#,
            r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.0","typing_indicator":{"type":"text"}}"#,
        );
    }

    #[test]
    fn a_composed_mark_is_a_reply_as_it_is() {
        use crate::wire::compose::Message;
        for (mark, type_) in [
            (Message::read("wamid.0"), "read"),
            (Message::typing("wamid.0"), "typing"),
        ] {
            let mark = mark.to_json();
            check(r#""from":"1""#, &mark, &mark);
            let new = mark.replacen('{', r#"{"new":1,"#, 1);
            check(r#""from":"1""#, &new, &new);
            let body = envelope(r#""messages":[{"id":"wamid.1","from":"1"}]"#);
            let outgoing = reply(&mark, &ReplyTo::of(&body).unwrap()).unwrap();
            assert_eq!(outgoing.type_, type_);
        }
    }

    #[test]
    fn replies_that_cannot_go_anywhere_say_why() {
        let account = ReplyTo::of(&envelope(r#""event":"X""#)).unwrap();
        let cases = [
            ("[]", "JSON object"),
            (r#"{"type":"text"}"#, "must say `to`"),
            (r#"{"type":"read"}"#, "only a message"),
        ];
        for (element, why) in cases {
            let error = reply(element, &account).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn files_are_found_wherever_they_stand() {
        let rows = [
            (r#"{"type":"image","image":{"id":"1"}}"#, true),
            (
                r#"{"type":"sticker","sticker":{"link":"https://x.test/a"}}"#,
                true,
            ),
            (r#"{"type":"text","text":{"body":"image"}}"#, false),
            (r#"{"text":{"body":"x"}}"#, false),
            (r#"{"type":"location","location":{}}"#, false),
            (
                r#"{"type":"template","template":{"components":[{"type":"header","parameters":[{"type":"image","image":{"id":"1"}}]}]}}"#,
                true,
            ),
            (
                r#"{"type":"template","template":{"components":[{"type":"HEADER","parameters":[{"type":"DOCUMENT"}]}]}}"#,
                true,
            ),
            (
                r#"{"type":"template","template":{"components":[{"type":"body","parameters":[{"type":"text","text":"video"}]}]}}"#,
                false,
            ),
            (
                r#"{"type":"interactive","interactive":{"type":"button","header":{"type":"video","video":{"id":"1"}}}}"#,
                true,
            ),
            (
                r#"{"type":"interactive","interactive":{"type":"carousel","action":{"cards":[{"header":{"type":"image"}}]}}}"#,
                true,
            ),
            (
                r#"{"type":"interactive","interactive":{"type":"button","header":{"type":"text","text":"x"}}}"#,
                false,
            ),
        ];
        for (body, expected) in rows {
            assert_eq!(has_media(body), expected, "{body}");
        }
    }

    #[test]
    fn our_mark_replaces_the_callers_value_and_is_taken_back() {
        let sent = marked(r#"{"a":1,"biz_opaque_callback_data":"mine"}"#, "wb");
        assert_eq!(sent, r#"{"a":1,"biz_opaque_callback_data":"wb"}"#);
        let status = envelope(r#""statuses":[{"id":"w","biz_opaque_callback_data":"wb","x":1}]"#);
        let own = unmarked(&status, Some("mine")).unwrap();
        assert_eq!(own, status.replace("\"wb\"", "\"mine\""));
        let none = unmarked(&status, None).unwrap();
        assert_eq!(
            none,
            status.replace(r#""biz_opaque_callback_data":"wb","#, "")
        );
    }
}
