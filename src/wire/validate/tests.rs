//! What is checked of a message before it is stored. One at each limit is in `limits`,
//! wrong shapes are in `shapes`.

use serde_json::{Value, json};

use super::{check, check_reply, table};
use crate::wire::compose::tests::samples;
use crate::wire::compose::{Message, Parameter};

mod limits;
pub(crate) mod random;
mod shapes;

/// `ok`, or the code and the path.
fn verdict(message: &Value) -> String {
    match check(&message.to_string()) {
        Ok(()) => "ok".into(),
        Err(invalid) => format!("{} {}", invalid.code, invalid.path),
    }
}

/// The first sample of a kind, with somebody to go to.
fn sample(kind: &str) -> Value {
    let mut samples = samples().into_iter();
    let (_, message, _) = samples
        .find(|(name, _, _)| *name == kind)
        .unwrap_or_else(|| panic!("a sample of {kind}"));
    message.to("15550107001").to_value()
}

/// The place at a path such as `a.b[0].c`, made if it is not there.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(value, |value, part| {
        let mut keys = part.split('[');
        let value = &mut value[keys.next().unwrap_or_default()];
        keys.fold(value, |value, index| {
            let index: usize = index.trim_end_matches(']').parse().expect("an index");
            &mut value[index]
        })
    })
}

/// A sample with one place changed is judged so. `null` stands for leaving it out.
fn check_changed(kind: &str, path: &str, value: Value, expected: &str) {
    let mut message = sample(kind);
    *at(&mut message, path) = value.clone();
    assert_eq!(verdict(&message), expected, "{kind}: {path} = {value}");
}

#[test]
fn every_kind_has_a_table_and_a_sample_that_passes() {
    let samples = samples();
    for (kind, message, _) in &samples {
        assert_eq!(check_reply(&message.to_json()), Ok(()), "{kind}");
        let to = message.clone().to("15550107001");
        assert_eq!(check(&to.to_json()), Ok(()), "{kind}");
    }
    let types = "text image video audio document sticker location contacts reaction pin template";
    let kinds = table::INTERACTIVE.iter().map(|(kind, _)| *kind);
    for kind in types.split(' ').chain(kinds) {
        assert!(samples.iter().any(|(name, _, _)| *name == kind), "{kind}");
        // A known kind is looked into: it cannot be empty.
        let mut message = sample(kind);
        let type_ = message["type"].as_str().expect("a type").to_owned();
        message[&type_] = match type_.as_str() {
            "interactive" => json!({"type": kind}),
            _ => json!({}),
        };
        assert_ne!(verdict(&message), "ok", "{kind}");
    }
}

#[test]
fn marks_are_checked_by_their_own_rules() {
    let read = Message::read("wamid.A").to_value();
    let typing = Message::typing("wamid.A").to_value();
    let product = json!("whatsapp");
    for (mark, expected) in [
        (read, "ok"),
        (typing, "ok"),
        (
            json!({"messaging_product": product, "status": "read"}),
            "131008 message_id",
        ),
        (
            json!({"status": "read", "message_id": "w"}),
            "131008 messaging_product",
        ),
        (
            json!({"messaging_product": product, "status": "read", "message_id": "w",
                "typing_indicator": "text"}),
            "100 typing_indicator",
        ),
        (
            json!({"messaging_product": product, "status": "played", "x": 1}),
            "ok",
        ),
    ] {
        assert_eq!(verdict(&mark), expected, "{mark}");
    }
}

#[test]
fn what_cannot_stand_together_is_refused() {
    let button =
        |id: &str, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
    let row = |id: &str| json!({"rows": [{"id": id, "title": "same"}], "title": "t"});
    let text = json!({"type": "text", "text": "t"});
    for (kind, path, value, expected) in [
        (
            "image",
            "image.link",
            json!("https://example.com"),
            "131009 image",
        ),
        ("image", "image.link", json!(""), "ok"),
        (
            "video",
            "video.link",
            json!("ftp://example.com"),
            "131009 video.link",
        ),
        ("video", "video.link", json!("HTTP://example.com"), "ok"),
        ("audio", "audio.caption", json!("c"), "100 audio.caption"),
        (
            "text",
            "messaging_product",
            json!("sms"),
            "131009 messaging_product",
        ),
        (
            "button",
            "interactive.action.buttons",
            json!([button("1", "a"), button("1", "b")]),
            "131009 interactive.action.buttons[1].reply.id",
        ),
        (
            "button",
            "interactive.action.buttons",
            json!([button("1", "a"), button("2", "b"), button("3", "a")]),
            "131009 interactive.action.buttons[2].reply.title",
        ),
        (
            "list",
            "interactive.action.sections",
            json!([row("1"), row("1")]),
            "131009 interactive.action.sections[1].rows[0].id",
        ),
        (
            "list",
            "interactive.action.sections",
            json!([row("1"), row("2")]),
            "ok",
        ),
        (
            "list",
            "interactive.header",
            json!({"type": "image", "image": {"id": "1"}}),
            "131009 interactive.header.type",
        ),
        ("list", "interactive.header", json!({"type": "new"}), "ok"),
        (
            "product",
            "interactive.header",
            text,
            "100 interactive.header",
        ),
        (
            "carousel",
            "interactive.footer",
            json!({"text": "f"}),
            "100 interactive.footer",
        ),
        (
            "carousel",
            "interactive.action.cards[0].header",
            json!({"type": "document", "document": {"id": "1"}}),
            "131009 interactive.action.cards[0].header.type",
        ),
        (
            "carousel",
            "interactive.action.cards[1].type",
            json!("product"),
            "131009 interactive.action.cards[1].type",
        ),
        (
            "carousel",
            "interactive.action.cards[1].card_index",
            json!(0),
            "131009 interactive.action.cards[1].card_index",
        ),
        (
            "carousel",
            "interactive.action.cards[1].action",
            json!({"buttons": [{"type": "quick_reply", "quick_reply": {"id": "1", "title": "a"}}]}),
            "131009 interactive.action.cards[1].action.buttons",
        ),
        (
            "flow",
            "interactive.action.parameters.flow_name",
            json!("n"),
            "131009 interactive.action.parameters",
        ),
    ] {
        check_changed(kind, path, value, expected);
    }
}

#[test]
fn what_we_do_not_know_passes() {
    for (kind, path, value) in [
        ("text", "new_key", json!({"a": [1]})),
        ("text", "type", json!("hologram")),
        ("text", "recipient_type", json!("channel")),
        ("text", "text.new_key", json!(1)),
        ("button", "interactive.type", json!("new_kind")),
        (
            "button",
            "interactive.header",
            json!({"type": "gif", "gif": {}}),
        ),
        (
            "button",
            "interactive.action.buttons[0]",
            json!({"type": "new", "new": 1}),
        ),
        (
            "carousel",
            "interactive.action.cards[0].action.new_key",
            json!(1),
        ),
        ("pin", "pin.type", json!("new")),
    ] {
        check_changed(kind, path, value, "ok");
    }
    // What serde_json cannot hold is still JSON.
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for value in [deep.as_str(), "1e999", r#""cut \ud83d""#] {
        let message = format!(
            r#"{{"messaging_product":"whatsapp","to":"1","text":{{"body":"hi"}},"new":{value}}}"#
        );
        assert_eq!(check(&message), Ok(()), "{message}");
    }
}

#[test]
fn the_type_is_text_unless_said_and_the_recipient_may_be_an_id() {
    let text = json!({"body": "hi"});
    for (message, expected) in [
        (
            json!({"messaging_product": "whatsapp", "to": "1", "text": text}),
            "ok",
        ),
        (
            json!({"messaging_product": "whatsapp", "recipient": "US.1", "text": text}),
            "ok",
        ),
        (
            json!({"messaging_product": "whatsapp", "to": "1", "image": {}}),
            "131008 text",
        ),
        (
            json!({"messaging_product": "whatsapp", "to": "", "text": text}),
            "131008 to",
        ),
    ] {
        assert_eq!(verdict(&message), expected, "{message}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["", "[]", "1", "{\"to\":", "{} {}", "null"] {
        let invalid = check(json).expect_err(json);
        assert_eq!((invalid.code, invalid.path.as_str()), (100, ""), "{json}");
    }
}

#[test]
fn the_envelope_is_graphs_and_repeats_nothing() {
    let message = Message::template("secret", "en")
        .body([Parameter::text("secret"), Parameter::text("")])
        .to("secret");
    let invalid = check(&message.to_json()).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "(#131008) template.components[0].parameters[1].text: required"
    );
    assert_eq!(
        invalid.envelope(),
        concat!(
            r#"{"error":{"message":"(#131008) Required parameter is missing","#,
            r#""type":"OAuthException","code":131008,"error_data":{"#,
            r#""messaging_product":"whatsapp","#,
            r#""details":"template.components[0].parameters[1].text: required"}}}"#
        )
    );
    assert!(!format!("{invalid:?}").contains("secret"));
}
