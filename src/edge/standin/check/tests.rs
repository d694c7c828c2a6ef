//! What is wrong with a right body when one place is changed; and how this reading compares with
//! the bridge's own. Here: what every message has.

mod bodies;
mod content;
mod cross;
mod interactive;
mod template;

use serde_json::{Value, json};

use super::{Call, check};
use bodies::{NAMES, right};

/// `ok`, or the code.
fn verdict(body: &Value) -> String {
    match check(body.to_string().as_bytes()) {
        Ok(_) => "ok".into(),
        Err(error) => error.code.to_string(),
    }
}

#[test]
fn a_right_body_of_every_kind_is_taken() {
    for name in NAMES {
        assert_eq!(verdict(&right(name)), "ok", "{name}");
        let mut to_user = right(name);
        to_user["recipient"] = to_user["to"].take();
        let expected = if *name == "pin" { "100" } else { "ok" };
        assert_eq!(verdict(&to_user), expected, "{name} to a user");
    }
}

/// Sets one place (null: leaves it out), which need not be there before.
fn change(body: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("a place to change");
    match parent {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        _ => parent[key] = value,
    }
}

/// A right body with one place changed is judged so.
fn check_rows(rows: Vec<(&str, &str, Value, &str)>) {
    for (name, pointer, value, expected) in rows {
        let mut body = right(name);
        change(&mut body, pointer, value.clone());
        let shown: String = value.to_string().chars().take(60).collect();
        assert_eq!(verdict(&body), expected, "{name}: {pointer} = {shown}");
    }
}

#[test]
fn what_every_message_has_is_checked() {
    check_rows(vec![
        ("text", "/messaging_product", json!("sms"), "100"),
        ("text", "/messaging_product", json!(null), "100"),
        ("text", "/type", json!(null), "ok"),
        ("text", "/type", json!("voice"), "100"),
        ("text", "/type", json!(7), "100"),
        ("text", "/type", json!("image"), "131008"),
        ("text", "/recipient_type", json!("individual"), "ok"),
        ("text", "/recipient_type", json!("group"), "ok"),
        ("text", "/recipient_type", json!("crowd"), "100"),
        ("text", "/to", json!(null), "100"),
        ("text", "/to", json!(""), "100"),
        ("text", "/to", json!(15_550_107_001_u64), "ok"),
        ("text", "/to", json!("nobody"), "131009"),
        ("text", "/to", json!("123456"), "131009"),
        ("text", "/to", json!("1234567890123456"), "131009"),
        ("text", "/to", json!(["15550107001"]), "100"),
        ("text", "/context", json!({"message_id": "wamid.X"}), "ok"),
        ("text", "/context", json!({}), "131008"),
        ("text", "/context", json!("wamid.X"), "100"),
        (
            "reaction",
            "/context",
            json!({"message_id": "wamid.X"}),
            "131009",
        ),
        (
            "text",
            "/biz_opaque_callback_data",
            json!("é".repeat(512)),
            "ok",
        ),
        (
            "text",
            "/biz_opaque_callback_data",
            json!("é".repeat(513)),
            "100",
        ),
        ("text", "/biz_opaque_callback_data", json!({}), "100"),
        ("text", "/recipient_identity_key_hash", json!("h"), "ok"),
        ("text", "/recipient_identity_key_hash", json!(1), "100"),
        ("text", "/x_new", json!([1]), "ok"),
    ]);
    for broken in ["", "[]", "{\"to\":", "\"text\""] {
        assert_eq!(check(broken.as_bytes()).unwrap_err().code, 100, "{broken}");
    }
}

#[test]
fn marks_are_read_and_checked() {
    let mark = |rest: Value| {
        let mut body = json!({"messaging_product": "whatsapp"});
        for (key, value) in rest.as_object().expect("an object") {
            body[key] = value.clone();
        }
        match check(body.to_string().as_bytes()) {
            Ok((Call::Receipt { typing, .. }, _)) => format!("typing {typing}"),
            Ok(_) => "a message".into(),
            Err(error) => error.code.to_string(),
        }
    };
    let typing = |type_: &str| json!({"status": "read", "message_id": "w", "typing_indicator": {"type": type_}});
    let rows = [
        (
            json!({"status": "read", "message_id": "wamid.X"}),
            "typing false",
        ),
        (typing("text"), "typing true"),
        (typing("song"), "100"),
        (json!({"status": "read"}), "131008"),
        (json!({"status": "read", "message_id": {}}), "100"),
        (json!({"status": "seen", "message_id": "wamid.X"}), "100"),
        (
            json!({"status": "read", "message_id": "w", "typing_indicator": true}),
            "100",
        ),
    ];
    for (body, expected) in rows {
        assert_eq!(mark(body.clone()), expected, "{body}");
    }
}
