//! Messages as customers send them, each type from Meta's pages, and what is no such
//! type: typed where it can be, and kept whole where not.

use super::*;
use crate::wire::compose;

fn read(json: &str) -> Message {
    Message::read(&serde_json::from_str(json).expect("the test's own JSON"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn file(id: &str) -> Media {
    Media {
        id: id.into(),
        ..Media::default()
    }
}

fn check(json: &str, expected: Content) {
    // `==` rather than assert_eq!: Content prints nothing but its type.
    let read = read(json).content;
    assert!(
        read == expected,
        "{json}\nwas read as {read:?}, expected {expected:?}, or they differ inside"
    );
}

fn check_interactive(json: &str, expected: Interactive) {
    check(
        &format!(r#"{{"type": "interactive", "interactive": {json}}}"#),
        Content::Interactive(expected),
    );
}

#[test]
fn every_type_of_the_reference_is_typed() {
    for (json, expected) in [
        (
            r#"{"type": "text", "text": {"body": "hi"}}"#,
            Content::Text { body: "hi".into() },
        ),
        (
            r#"{"type": "text", "text": {"body": ""}}"#,
            Content::Text {
                body: String::new(),
            },
        ),
        (
            r#"{"type": "image", "image": {"id": "1", "mime_type": "image/png", "sha256": "a=", "caption": "c", "url": "u"}}"#,
            Content::Image(Media {
                mime_type: some("image/png"),
                sha256: some("a="),
                caption: some("c"),
                url: some("u"),
                ..file("1")
            }),
        ),
        (
            r#"{"type": "video", "video": {"id": "1"}}"#,
            Content::Video(file("1")),
        ),
        (
            r#"{"type": "audio", "audio": {"id": "1", "voice": false}}"#,
            Content::Audio(file("1")),
        ),
        (
            r#"{"type": "audio", "audio": {"id": "1", "voice": true}}"#,
            Content::Audio(Media {
                voice: true,
                ..file("1")
            }),
        ),
        (
            r#"{"type": "voice", "voice": {"id": "1"}}"#,
            Content::Audio(Media {
                voice: true,
                ..file("1")
            }),
        ),
        (
            r#"{"type": "document", "document": {"id": "1", "filename": "../a.pdf"}}"#,
            Content::Document(Media {
                filename: some("../a.pdf"),
                ..file("1")
            }),
        ),
        (
            r#"{"type": "sticker", "sticker": {"id": "1", "animated": true}}"#,
            Content::Sticker(Media {
                animated: true,
                ..file("1")
            }),
        ),
        (
            r#"{"type": "location", "location": {"latitude": 48, "longitude": -11.5, "name": "n", "address": "a", "url": "u"}}"#,
            Content::Location(Location {
                latitude: 48.0,
                longitude: -11.5,
                name: some("n"),
                address: some("a"),
                url: some("u"),
            }),
        ),
        (
            r#"{"type": "button", "button": {"payload": "STOP", "text": "Stop"}}"#,
            Content::Button {
                payload: some("STOP"),
                text: some("Stop"),
            },
        ),
        (
            r#"{"type": "reaction", "reaction": {"message_id": "m", "emoji": "\ud83d\udd25"}}"#,
            Content::Reaction {
                message_id: "m".into(),
                emoji: some("🔥"),
            },
        ),
        (
            r#"{"type": "reaction", "reaction": {"message_id": "m"}}"#,
            Content::Reaction {
                message_id: "m".into(),
                emoji: None,
            },
        ),
        (
            r#"{"type": "reaction", "reaction": {"message_id": "m", "emoji": ""}}"#,
            Content::Reaction {
                message_id: "m".into(),
                emoji: None,
            },
        ),
        (
            r#"{"type": "system", "system": {"body": "b", "type": "user_changed_number", "wa_id": "2"}}"#,
            Content::System(System {
                body: some("b"),
                kind: some("user_changed_number"),
                wa_id: some("2"),
                ..System::default()
            }),
        ),
        (
            r#"{"type": "system", "system": {"type": "customer_changed_number", "new_wa_id": "2", "customer": "1"}}"#,
            Content::System(System {
                kind: some("customer_changed_number"),
                wa_id: some("2"),
                customer: some("1"),
                ..System::default()
            }),
        ),
        (
            r#"{"type": "system", "system": {"type": "user_changed_user_id", "user_id": "US.2", "parent_user_id": "US.ENT.2"}}"#,
            Content::System(System {
                kind: some("user_changed_user_id"),
                user_id: some("US.2"),
                parent_user_id: some("US.ENT.2"),
                ..System::default()
            }),
        ),
        (
            r#"{"type": "unsupported", "unsupported": {"type": "poll_creation"}}"#,
            Content::Unsupported {
                kind: some("poll_creation"),
            },
        ),
        (
            r#"{"type": "unsupported"}"#,
            Content::Unsupported { kind: None },
        ),
        (
            r#"{"type": "unknown", "errors": []}"#,
            Content::Unsupported { kind: None },
        ),
        (r#"{"type": "request_welcome"}"#, Content::RequestWelcome),
        (r#"{"type": "ephemeral"}"#, Content::Ephemeral),
        (
            r#"{"type": "media_placeholder"}"#,
            Content::MediaPlaceholder,
        ),
        (
            r#"{"type": "revoke", "revoke": {"original_message_id": "m"}}"#,
            Content::Revoke {
                original_message_id: "m".into(),
            },
        ),
        (
            r#"{"type": "edit", "edit": {"original_message_id": "m", "message": {"type": "text", "text": {"body": "new"}}}}"#,
            Content::Edit {
                original_message_id: "m".into(),
                content: Box::new(Content::Text { body: "new".into() }),
            },
        ),
        // Without a type, as Meta's calling pages print a message.
        (
            r#"{"text": {"body": "hi"}}"#,
            Content::Text { body: "hi".into() },
        ),
        (
            r#"{"type": null, "image": null, "video": {"id": "1"}}"#,
            Content::Video(file("1")),
        ),
    ] {
        check(json, expected);
    }
}

#[test]
fn strings_and_numbers_may_be_swapped() {
    for (json, expected) in [
        (
            r#"{"type": "text", "text": {"body": 42}}"#,
            Content::Text { body: "42".into() },
        ),
        (
            r#"{"type": "image", "image": {"id": 12345678901234567}}"#,
            Content::Image(file("12345678901234567")),
        ),
        (
            r#"{"type": "audio", "audio": {"id": "1", "voice": "true"}}"#,
            Content::Audio(Media {
                voice: true,
                ..file("1")
            }),
        ),
        (
            r#"{"type": "location", "location": {"latitude": "1.5", "longitude": 1e1, "name": null}}"#,
            Content::Location(Location {
                latitude: 1.5,
                longitude: 10.0,
                ..Location::default()
            }),
        ),
        (
            r#"{"type": "button", "button": {"payload": 7}}"#,
            Content::Button {
                payload: some("7"),
                text: None,
            },
        ),
    ] {
        check(json, expected);
    }
    let message = read(r#"{"id": 1, "timestamp": 1790000000, "from": 15550201001}"#);
    assert_eq!(
        (message.id.as_str(), message.timestamp),
        ("1", Some(1_790_000_000))
    );
    assert_eq!(message.from, some("15550201001"));
}

#[test]
fn what_cannot_be_typed_is_kept_whole() {
    for (kind, json) in [
        (
            "seat_map",
            r#"{"type": "seat_map", "seat_map": {"rows": [1]}}"#,
        ),
        ("", r#"{"id": "m"}"#),
        ("", r#"{"type": "", "errors": []}"#),
        ("", r#"{"type": {"not": "a word"}}"#),
        ("", "null"),
        ("", r#""text""#),
        ("", "[1]"),
        ("text", r#"{"type": "text"}"#),
        ("text", r#"{"type": "text", "text": null}"#),
        ("text", r#"{"type": "text", "text": "hi"}"#),
        ("text", r#"{"type": "text", "text": {"body": {"a": 1}}}"#),
        (
            "image",
            r#"{"type": "image", "image": {"caption": "no id"}}"#,
        ),
        ("sticker", r#"{"type": "sticker", "sticker": ["1"]}"#),
        (
            "location",
            r#"{"type": "location", "location": {"latitude": 1}}"#,
        ),
        (
            "location",
            r#"{"type": "location", "location": {"latitude": "NaN", "longitude": 1}}"#,
        ),
        ("contacts", r#"{"type": "contacts", "contacts": []}"#),
        ("contacts", r#"{"type": "contacts", "contacts": "x"}"#),
        ("interactive", r#"{"type": "interactive"}"#),
        (
            "interactive",
            r#"{"type": "interactive", "interactive": [1]}"#,
        ),
        ("button", r#"{"type": "button", "button": {}}"#),
        (
            "reaction",
            r#"{"type": "reaction", "reaction": {"emoji": "x"}}"#,
        ),
        ("order", r#"{"type": "order", "order": []}"#),
        ("system", r#"{"type": "system", "system": null}"#),
        (
            "edit",
            r#"{"type": "edit", "edit": {"original_message_id": "m"}}"#,
        ),
        ("revoke", r#"{"type": "revoke", "revoke": {}}"#),
    ] {
        let value = serde_json::from_str(json).expect("the test's own JSON");
        check(
            json,
            Content::Other {
                kind: kind.to_owned(),
                value,
            },
        );
    }
}

#[test]
fn interactive_replies_are_typed() {
    let form = |name, body, response_json: &str| {
        Interactive::NfmReply(NfmReply {
            name,
            body,
            response_json: response_json.into(),
        })
    };
    let permission = |is_permanent, expiration_timestamp, response_source| {
        Interactive::CallPermissionReply(CallPermissionReply {
            response: "accept".into(),
            is_permanent,
            expiration_timestamp,
            response_source,
        })
    };
    let other = |kind: &str, json: &str| Interactive::Other {
        kind: kind.into(),
        value: serde_json::from_str(json).expect("the test's own JSON"),
    };
    let unknown = r#"{"type": "seat_map_reply", "seat_map_reply": {"row": 12}}"#;
    let idless = r#"{"type": "button_reply", "button_reply": {"title": "Yes"}}"#;
    for (json, expected) in [
        (
            r#"{"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}"#,
            Interactive::ButtonReply {
                id: "yes".into(),
                title: "Yes".into(),
            },
        ),
        (
            r#"{"type": "list_reply", "list_reply": {"id": 7, "title": "Other", "description": "d"}}"#,
            Interactive::ListReply {
                id: "7".into(),
                title: "Other".into(),
                description: some("d"),
            },
        ),
        (
            r#"{"type": "list_reply", "list_reply": {"id": "row"}}"#,
            Interactive::ListReply {
                id: "row".into(),
                title: String::new(),
                description: None,
            },
        ),
        (
            r#"{"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{\"a\":1}"}}"#,
            form(some("flow"), some("Sent"), r#"{"a":1}"#),
        ),
        (
            r#"{"type": "nfm_reply", "nfm_reply": {"response_json": "[1,2"}}"#,
            form(None, None, "[1,2"),
        ),
        (
            r#"{"type": "nfm_reply", "nfm_reply": {"response_json": {"a": 1}}}"#,
            form(None, None, r#"{"a":1}"#),
        ),
        // Meta's sample of an Indian address has the wrong word for a type.
        (
            r#"{"type": "interactive", "action": {}, "nfm_reply": {"name": "address_message", "response_json": "{}"}}"#,
            form(some("address_message"), None, "{}"),
        ),
        (
            r#"{"type": "call_permission_reply", "call_permission_reply": {"response": "accept", "is_permanent": false,
                "expiration_timestamp": "1790604800", "response_source": "user_action"}}"#,
            permission(false, Some(1_790_604_800), some("user_action")),
        ),
        (
            r#"{"call_permission_reply": {"response": "accept", "is_permanent": true, "expiration_timestamp": 1790604800}}"#,
            permission(true, Some(1_790_604_800), None),
        ),
        (unknown, other("seat_map_reply", unknown)),
        (idless, other("button_reply", idless)),
        (r#"{"x": 1}"#, other("", r#"{"x": 1}"#)),
    ] {
        check_interactive(json, expected);
    }
}

#[test]
fn the_answers_of_a_form_are_parsed_if_they_can_be() {
    for (response_json, expected) in [
        (
            r#"{"flow_token": "t", "n": 3}"#,
            some(r#"{"flow_token":"t","n":3}"#),
        ),
        (r#"["a"]"#, some(r#"["a"]"#)),
        (r#"{"name": "Zo\ud83d"}"#, some("{\"name\":\"Zo\u{fffd}\"}")),
        ("[1,2", None),
        ("", None),
    ] {
        let reply = NfmReply {
            response_json: response_json.into(),
            ..NfmReply::default()
        };
        assert_eq!(
            reply.response().map(|value| value.to_string()),
            expected,
            "{response_json}"
        );
    }
}

#[test]
fn address_cards_are_read_whole_and_in_part() {
    let whole = Card {
        name: Some(CardName {
            formatted_name: some("Dr. Ben Ode Jr."),
            first_name: some("Ben"),
            last_name: some("Ode"),
            middle_name: some("M"),
            prefix: some("Dr."),
            suffix: some("Jr."),
        }),
        phones: vec![
            CardPhone {
                phone: some("+1 555"),
                wa_id: some("1555"),
                kind: some("CELL"),
            },
            CardPhone {
                phone: some("1556"),
                ..CardPhone::default()
            },
        ],
        emails: vec![CardEmail {
            email: some("ben@example.test"),
            kind: some("WORK"),
        }],
        addresses: vec![CardAddress {
            street: some("1 Example Way"),
            city: some("Springfield"),
            state: some("IL"),
            zip: some("62701"),
            country: some("United States"),
            country_code: some("us"),
            kind: some("HOME"),
        }],
        org: Some(CardOrg {
            company: some("Ode Ltd"),
            department: some("R&D"),
            title: some("Lead"),
        }),
        urls: vec![CardUrl {
            url: some("https://example.test"),
            kind: some("WORK"),
        }],
        birthday: some("1990-04-01"),
        vcard: None,
        origin: some("other"),
    };
    let json = r#"{"type": "contacts", "contacts": [{
        "name": {"formatted_name": "Dr. Ben Ode Jr.", "first_name": "Ben", "last_name": "Ode",
            "middle_name": "M", "prefix": "Dr.", "suffix": "Jr."},
        "phones": [{"phone": "+1 555", "wa_id": "1555", "type": "CELL"}, {"phone": 1556}, "1557"],
        "emails": [{"email": "ben@example.test", "type": "WORK"}],
        "addresses": [{"street": "1 Example Way", "city": "Springfield", "state": "IL",
            "zip": 62701, "country": "United States", "country_code": "us", "type": "HOME"}],
        "org": {"company": "Ode Ltd", "department": "R&D", "title": "Lead"},
        "urls": [{"url": "https://example.test", "type": "WORK"}],
        "birthday": "1990-04-01", "origin": "other"}]}"#;
    check(json, Content::Contacts(vec![whole]));

    let own = Card {
        vcard: some("BEGIN:VCARD"),
        origin: some("contact_request"),
        ..Card::default()
    };
    for json in [
        r#"{"type": "contacts", "contacts": [{"vcard": "BEGIN:VCARD", "origin": "contact_request"}]}"#,
        r#"{"type": "contacts", "origin": "contact_request", "contacts": [{"vcard": "BEGIN:VCARD"}]}"#,
        r#"{"type": "contacts", "contacts": {"vcard": "BEGIN:VCARD", "origin": "contact_request",
            "name": {}, "phones": null, "org": [], "emails": "x"}}"#,
    ] {
        check(json, Content::Contacts(vec![own.clone()]));
    }
}

#[test]
fn a_cart_keeps_prices_as_decimal_text() {
    let item = |id: &str, quantity, price: &str| OrderItem {
        product_retailer_id: some(id),
        quantity,
        item_price: some(price),
        currency: some("USD"),
    };
    check(
        r#"{"type": "order", "order": {"catalog_id": 901, "text": "", "product_items": [
            {"product_retailer_id": "A", "quantity": 2, "item_price": 23.99, "currency": "USD"},
            {"product_retailer_id": "B", "quantity": "1", "item_price": 7, "currency": "USD"},
            {"product_retailer_id": "C", "quantity": null, "item_price": "0.10", "currency": "USD"},
            null]}}"#,
        Content::Order(Order {
            catalog_id: some("901"),
            text: None,
            product_items: vec![
                item("A", Some(2), "23.99"),
                item("B", Some(1), "7"),
                item("C", None, "0.10"),
            ],
        }),
    );
}

#[test]
fn text_and_reply_id_are_what_the_user_wrote_or_tapped() {
    for (json, text, reply_id) in [
        (
            r#"{"type": "text", "text": {"body": "hi"}}"#,
            Some("hi"),
            None,
        ),
        (
            r#"{"type": "image", "image": {"id": "1", "caption": "c"}}"#,
            Some("c"),
            None,
        ),
        (
            r#"{"type": "document", "document": {"id": "1", "filename": "f"}}"#,
            None,
            None,
        ),
        (
            r#"{"type": "button", "button": {"payload": "P", "text": "Stop"}}"#,
            Some("Stop"),
            Some("P"),
        ),
        (
            r#"{"interactive": {"button_reply": {"id": "yes", "title": "Yes"}}}"#,
            Some("Yes"),
            Some("yes"),
        ),
        (
            r#"{"interactive": {"list_reply": {"id": "row", "title": ""}}}"#,
            None,
            Some("row"),
        ),
        (
            r#"{"interactive": {"nfm_reply": {"body": "Sent", "response_json": "{}"}}}"#,
            None,
            None,
        ),
        (
            r#"{"type": "order", "order": {"text": "soon please"}}"#,
            Some("soon please"),
            None,
        ),
        (
            r#"{"type": "reaction", "reaction": {"message_id": "m", "emoji": "x"}}"#,
            None,
            None,
        ),
        (
            r#"{"type": "system", "system": {"body": "changed"}}"#,
            None,
            None,
        ),
        (r#"{"type": "new", "text": {"body": "hi"}}"#, None, None),
        (
            r#"{"type": "edit", "edit": {"original_message_id": "m", "message": {"type": "text", "text": {"body": "hi"}}}}"#,
            None,
            None,
        ),
    ] {
        let message = read(json);
        assert_eq!(
            (message.text(), message.reply_id()),
            (text, reply_id),
            "{json}"
        );
    }
}

#[test]
fn what_goes_with_a_message_is_read() {
    let message = read(
        r#"{"id": "m", "from_user_id": "US.1", "from_parent_user_id": "US.ENT.1", "group_id": "g",
            "to": "1556", "to_user_id": "US.2", "type": "text", "text": {"body": "b"},
            "context": {"from": "1555", "id": "q", "forwarded": true, "frequently_forwarded": "true",
                "referred_product": {"catalog_id": 9, "product_retailer_id": "SKU"}},
            "referral": {"source_type": "ad", "source_id": 120, "source_url": "u", "headline": "h",
                "body": "", "media_type": "image", "image_url": "i", "video_url": null,
                "thumbnail_url": "t", "ctwa_clid": "c", "ref": "r"},
            "errors": [{"code": 131051}]}"#,
    );
    assert_eq!(message.from, None);
    assert_eq!(message.from_user_id, some("US.1"));
    assert_eq!(message.from_parent_user_id, some("US.ENT.1"));
    assert_eq!(
        (message.to, message.to_user_id),
        (some("1556"), some("US.2"))
    );
    assert_eq!(message.group_id, some("g"));
    let context = Context {
        from: some("1555"),
        id: some("q"),
        forwarded: true,
        frequently_forwarded: true,
        catalog_id: some("9"),
        product_retailer_id: some("SKU"),
    };
    assert!(message.context == Some(context));
    let referral = Referral {
        source_type: some("ad"),
        source_id: some("120"),
        source_url: some("u"),
        headline: some("h"),
        body: None,
        media_type: some("image"),
        image_url: some("i"),
        video_url: None,
        thumbnail_url: some("t"),
        ctwa_clid: some("c"),
        reference: some("r"),
    };
    assert!(message.referral == Some(referral));
    assert_eq!(
        message.errors.first().and_then(|error| error.code),
        Some(131_051)
    );

    let bare = read(r#"{"context": null, "referral": [], "errors": {}}"#);
    assert!(bare.context.is_none() && bare.referral.is_none() && bare.errors.is_empty());
}

#[test]
fn debug_shows_the_id_and_the_type_only() {
    for (json, shown) in [
        (
            r#"{"id": "ID", "from": "secret", "type": "text", "text": {"body": "secret"}}"#,
            "text",
        ),
        (
            r#"{"id": "ID", "type": "image", "image": {"id": "secret", "caption": "secret"}}"#,
            "image",
        ),
        (
            r#"{"id": "ID", "type": "contacts", "contacts": [{"vcard": "secret"}]}"#,
            "contacts",
        ),
        (
            r#"{"id": "ID", "type": "order", "order": {"text": "secret"}}"#,
            "order",
        ),
        (
            r#"{"id": "ID", "interactive": {"button_reply": {"id": "secret"}}}"#,
            "interactive",
        ),
        (r#"{"id": "ID", "type": "new", "new": "secret"}"#, "new"),
    ] {
        let text = format!("{:?}", read(json));
        assert!(
            text.contains("ID") && text.contains(shown) && !text.contains("secret"),
            "{text}"
        );
    }
    let card = Card {
        vcard: some("secret"),
        ..Card::default()
    };
    let phone = CardPhone {
        phone: some("secret"),
        ..CardPhone::default()
    };
    let system = System {
        body: some("secret"),
        ..System::default()
    };
    let reply = Interactive::NfmReply(NfmReply {
        response_json: "secret".into(),
        ..NfmReply::default()
    });
    let text = format!(
        "{card:?} {phone:?} {system:?} {reply:?} {:?}",
        file("secret")
    );
    assert_eq!(
        text,
        "Card { .. } CardPhone { .. } System { .. } nfm_reply Media { .. }"
    );
}

#[test]
fn answers_name_the_message_they_answer() {
    let message = read(r#"{"id": "wamid.1", "type": "text"}"#);
    let check = |answer: compose::Message, place: &str, expected: Value| {
        let written: Value = serde_json::from_str(&answer.to_json()).unwrap();
        assert_eq!(written.pointer(place), Some(&expected), "{written}");
    };
    let quoted = message.reply(compose::Message::text("yes"));
    check(quoted.any(), "/context/message_id", "wamid.1".into());
    let reaction = serde_json::json!({"message_id": "wamid.1", "emoji": "👍"});
    check(message.react("👍").any(), "/reaction", reaction);
    check(message.mark_read().any(), "/message_id", "wamid.1".into());
    let typing = serde_json::json!({"type": "text"});
    check(message.typing().any(), "/typing_indicator", typing);
}
