//! Messages of one conversation in one envelope, as Meta itself puts several into
//! one notification: what an app gets with `DEBOUNCE`.
//!
//! Joined is only what loses nothing by it: envelopes that hold one message, whom
//! it is from, and nothing else.

use super::raw::{self, Step};
use std::borrow::Cow;

/// The way to `value` in an envelope with one event.
const VALUE: [Step<'_>; 5] = [
    Step::Member("entry"),
    Step::First,
    Step::Member("changes"),
    Step::First,
    Step::Member("value"),
];

/// Whether a message may stand in one envelope with another that came before it.
pub fn fits(first: &str, next: &str) -> bool {
    match (Plain::read(first), Plain::read(next)) {
        (Some(first), Some(next)) => first.about == next.about,
        _ => false,
    }
}

/// Whether an envelope holds one message and nothing else.
pub fn is_plain(envelope: &str) -> bool {
    Plain::read(envelope).is_some()
}

/// One envelope with the messages of all, in this order and to the letter; a
/// contact that several name in the same words is in it once. `None` when they do
/// not fit together.
pub fn join(envelopes: &[&str]) -> Option<String> {
    let (first, rest) = envelopes.split_first()?;
    let mut whole = Plain::read(first)?;
    for next in rest {
        let next = Plain::read(next).filter(|next| next.about == whole.about)?;
        whole.messages.extend(next.messages);
        for contact in next.contacts {
            if !whole.contacts.contains(&contact) {
                whole.contacts.push(contact);
            }
        }
    }
    raw::edit_at(first, &VALUE, &|value| {
        let messages = format!("[{}]", whole.messages.join(","));
        let value = raw::with_member(&raw::members(value)?, "messages", &messages);
        if whole.contacts.is_empty() {
            return Some(value);
        }
        let contacts = format!("[{}]", whole.contacts.join(","));
        let members = raw::members(&value)?;
        Some(raw::with_member(&members, "contacts", &contacts))
    })
}

/// An envelope of one message that says nothing else.
struct Plain<'a> {
    about: About<'a>,
    /// As written.
    messages: Vec<&'a str>,
    contacts: Vec<&'a str>,
}

/// What an envelope says of all that is in it.
#[derive(PartialEq)]
struct About<'a> {
    object: Option<Cow<'a, str>>,
    waba: Option<Cow<'a, str>>,
    field: Option<Cow<'a, str>>,
    product: Option<Cow<'a, str>>,
    number: Cow<'a, str>,
}

impl<'a> Plain<'a> {
    fn read(envelope: &'a str) -> Option<Plain<'a>> {
        let [object, entries] = parts(envelope, ["object", "entry"])?;
        let [waba, changes] = parts(only(entries?)?, ["id", "changes"])?;
        let [field, value] = parts(only(changes?)?, ["field", "value"])?;
        let known = ["messaging_product", "metadata", "contacts", "messages"];
        let [product, metadata, contacts, messages] = parts(value?, known)?;
        let number = raw::get_text(&raw::members(metadata?)?, "phone_number_id")?;
        let text = |json: Option<&'a str>| json.and_then(raw::text);
        Some(Plain {
            about: About {
                object: text(object),
                waba: text(waba),
                field: text(field),
                product: text(product),
                number,
            },
            messages: vec![only(messages?)?],
            contacts: match contacts {
                Some(contacts) => raw::elements(contacts)?,
                None => Vec::new(),
            },
        })
    }
}

/// The values of these members of an object that has no others, and none twice.
fn parts<'a, const N: usize>(json: &'a str, keys: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut values = [None; N];
    for member in raw::members(json)? {
        let place = keys.iter().position(|key| member.key == *key)?;
        if values[place].replace(member.value).is_some() {
            return None;
        }
    }
    Some(values)
}

/// The element of an array that has no other.
fn only(json: &str) -> Option<&str> {
    match raw::elements(json)?[..] {
        [element] => Some(element),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = r#"{"wa_id":"1","profile":{"name":"Ann"}}"#;

    /// An envelope, its value with these members beside those that all have.
    fn envelope(members: &str) -> String {
        within(
            r#""id":"7""#,
            &format!(r#""metadata":{{"phone_number_id":"42"}},{members}"#),
        )
    }

    fn within(entry: &str, value: &str) -> String {
        format!(
            r#"{{"object":"o","entry":[{{{entry},"changes":[{{"value":{{"messaging_product":"whatsapp",{value}}},"field":"messages"}}]}}]}}"#
        )
    }

    #[track_caller]
    fn check(envelopes: &[&str], expected: Option<&str>) {
        let envelopes: Vec<String> = envelopes.iter().map(|one| envelope(one)).collect();
        let envelopes: Vec<&str> = envelopes.iter().map(String::as_str).collect();
        assert_eq!(join(&envelopes), expected.map(envelope));
        if let [first, next] = envelopes[..] {
            assert_eq!(fits(first, next), expected.is_some());
        }
    }

    #[test]
    fn messages_stand_in_one_envelope_in_order_and_to_the_letter() {
        check(
            &[r#""messages":[{"a":1e2}]"#],
            Some(r#""messages":[{"a":1e2}]"#),
        );
        check(
            &[
                r#""messages":[{"a":1e2}]"#,
                r#""messages": [ {"b" : "\ud83d"} ]"#,
            ],
            Some(r#""messages":[{"a":1e2},{"b" : "\ud83d"}]"#),
        );
        let written = |who: &str, what: &str| format!(r#""contacts":[{who}],"messages":[{what}]"#);
        let bob = r#"{"wa_id":"2"}"#;
        check(
            &[&written(ANN, "1"), &written(bob, "2"), &written(ANN, "3")],
            Some(&written(&format!("{ANN},{bob}"), "1,2,3")),
        );
        // The first does not say whom it is from.
        check(
            &[r#""messages":[1]"#, &written(ANN, "2")],
            Some(&format!(r#""messages":[1,2],"contacts":[{ANN}]"#)),
        );
    }

    #[test]
    fn what_would_lose_something_is_not_joined() {
        let plain = r#""messages":[1]"#;
        for other in [
            // Several events, or none.
            r#""messages":[1,2]"#,
            r#""messages":[]"#,
            r#""messages":{}"#,
            r#""statuses":[1]"#,
            // Something that concerns more than the message.
            r#""messages":[1],"errors":[]"#,
            r#""messages":[1],"unknown":1"#,
            r#""messages":[1],"messages":[2]"#,
            r#""messages":[1],"contacts":{}"#,
        ] {
            check(&[plain, other], None);
            check(&[other, plain], None);
            assert!(!is_plain(&envelope(other)), "{other}");
        }
        let first = envelope(plain);
        for other in [
            within(
                r#""id":"8""#,
                r#""metadata":{"phone_number_id":"42"},"messages":[1]"#,
            ),
            within(
                r#""id":"7""#,
                r#""metadata":{"phone_number_id":"43"},"messages":[1]"#,
            ),
            within(r#""id":"7""#, r#""messages":[1]"#),
            within(
                r#""id":"7","time":1"#,
                r#""metadata":{"phone_number_id":"42"},"messages":[1]"#,
            ),
            first.replace(r#""field":"messages""#, r#""field":"smb_message_echoes""#),
            first.replace("whatsapp", "instagram"),
            first.replace(r#""object":"o""#, r#""object":"p""#),
            "[]".into(),
            "not JSON".into(),
        ] {
            assert!(!fits(&first, &other), "{other}");
            assert_eq!(join(&[&first, &other]), None, "{other}");
        }
        assert!(fits(&first, &first) && is_plain(&first));
        assert_eq!(join(&[]), None);
    }
}
