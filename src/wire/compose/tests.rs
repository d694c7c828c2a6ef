//! Each builder writes what Meta's pages print. The samples also serve `validate` and
//! the stand-in's checks.

use serde_json::{Value, json};

use super::{ContactCard, Header, Media, Message, Parameter};

mod interactive;
mod template;

fn link() -> Media {
    Media::link("https://example.com/f")
}

/// One message of every kind, by the name of its type or interactive kind, and what stands under
/// that name.
pub(crate) fn samples() -> Vec<(&'static str, Message, Value)> {
    let mut samples = plain();
    samples.extend(template::templates());
    samples.extend(interactive::interactive());
    samples
}

fn plain() -> Vec<(&'static str, Message, Value)> {
    vec![
        (
            "text",
            Message::text("see https://example.com").preview_url().any(),
            json!({"body": "see https://example.com", "preview_url": true}),
        ),
        (
            "image",
            Message::image(Media::id("1013")).caption("c").any(),
            json!({"id": "1013", "caption": "c"}),
        ),
        (
            "video",
            Message::video(link()).caption("c").any(),
            json!({"link": "https://example.com/f", "caption": "c"}),
        ),
        (
            "audio",
            Message::voice(Media::id("1013")).any(),
            json!({"id": "1013", "voice": true}),
        ),
        (
            "document",
            Message::document(link())
                .filename("a.pdf")
                .caption("c")
                .any(),
            json!({"link": "https://example.com/f", "filename": "a.pdf", "caption": "c"}),
        ),
        (
            "sticker",
            Message::sticker(Media::id("1013")).any(),
            json!({"id": "1013"}),
        ),
        (
            "location",
            Message::location(37.5, -122.25)
                .name("n")
                .address("a")
                .any(),
            json!({"latitude": 37.5, "longitude": -122.25, "name": "n", "address": "a"}),
        ),
        ("contacts", contacts().any(), contacts_value()),
        (
            "reaction",
            Message::reaction("wamid.A", "😀").any(),
            json!({"message_id": "wamid.A", "emoji": "😀"}),
        ),
        (
            "reaction",
            Message::unreact("wamid.A").any(),
            json!({"message_id": "wamid.A", "emoji": ""}),
        ),
        (
            "pin",
            Message::pin("wamid.A", 7).any(),
            json!({"type": "pin", "message_id": "wamid.A", "expiration_days": 7}),
        ),
        (
            "pin",
            Message::unpin("wamid.A").any(),
            json!({"type": "unpin", "message_id": "wamid.A"}),
        ),
    ]
}

fn contacts() -> Message<super::kind::Contacts> {
    let ana = ContactCard::new("Ana Silva")
        .names("Ana", "Silva")
        .phone("+1 555 010 7001", "WORK")
        .whatsapp("+1 555 010 7002", "15550107002")
        .email("ana@example.com", "WORK")
        .url("https://example.com", "WORK")
        .address([("street", "1 Main Street"), ("city", "Springfield")])
        .org([("company", "Example"), ("title", "Cook")])
        .birthday("1990-01-31");
    Message::contacts([ana, ContactCard::new("Bo")])
}

fn contacts_value() -> Value {
    json!([
        {
            "name": {"formatted_name": "Ana Silva", "first_name": "Ana", "last_name": "Silva"},
            "phones": [
                {"phone": "+1 555 010 7001", "type": "WORK"},
                {"phone": "+1 555 010 7002", "type": "CELL", "wa_id": "15550107002"},
            ],
            "emails": [{"email": "ana@example.com", "type": "WORK"}],
            "urls": [{"url": "https://example.com", "type": "WORK"}],
            "addresses": [{"street": "1 Main Street", "city": "Springfield"}],
            "org": {"company": "Example", "title": "Cook"},
            "birthday": "1990-01-31",
        },
        {"name": {"formatted_name": "Bo", "first_name": "Bo"}},
    ])
}

#[test]
fn every_kind_is_written_as_in_metas_pages() {
    for (kind, message, content) in samples() {
        let type_ = if content["type"] == kind && kind != "pin" {
            "interactive"
        } else {
            kind
        };
        let mut expected = json!({"messaging_product": "whatsapp", "type": type_});
        expected[type_] = content;
        assert_eq!(message.to_json(), expected.to_string());
    }
}

#[test]
fn what_all_messages_share_stands_beside_the_content() {
    let text = || Message::text("hi");
    for (message, expected) in [
        (text().to("+1 555"), json!({"to": "+1 555"})),
        (text().to_user("US.1"), json!({"recipient": "US.1"})),
        (
            text().to_group("G=="),
            json!({"recipient_type": "group", "to": "G=="}),
        ),
        (
            text().reply_to("wamid.A"),
            json!({"context": {"message_id": "wamid.A"}}),
        ),
        (
            text().callback_data("7"),
            json!({"biz_opaque_callback_data": "7"}),
        ),
        (
            text().identity_key_hash("h"),
            json!({"recipient_identity_key_hash": "h"}),
        ),
        (text().with("new_key", 1), json!({"new_key": 1})),
    ] {
        let mut whole = text().to_value();
        for (key, value) in expected.as_object().expect("an object") {
            whole[key] = value.clone();
        }
        assert_eq!(Value::from(message), whole);
    }
}

#[test]
fn marks_are_read_receipts() {
    assert_eq!(
        Message::typing("wamid.A").to_value(),
        json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.A",
            "typing_indicator": {"type": "text"}})
    );
}

#[test]
fn debug_shows_nothing_a_person_wrote() {
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        Message::text("secret").to("secret"),
        Message::read("secret"),
        Header::text("secret"),
        Parameter::text("secret"),
    );
    assert!(!shown.contains("secret"), "{shown}");
}
