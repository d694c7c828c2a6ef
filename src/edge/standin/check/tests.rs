//! One body of every kind that is right, as Meta's pages show it, and what is wrong with it when
//! one place is changed; and how this reading compares with the bridge's own.

use serde_json::{Value, json};

use super::{Call, check};

mod cross;

/// `ok`, or the code.
fn verdict(body: &Value) -> String {
    match check(body.to_string().as_bytes()) {
        Ok(_) => "ok".into(),
        Err(error) => error.code.to_string(),
    }
}

/// A body of that name that is right.
fn right(name: &str) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "to": "+1 (555) 010-7001"});
    let content = match name {
        "text" => json!({"body": "hi", "preview_url": true}),
        "image" | "video" => json!({"id": "1013", "caption": "c"}),
        "audio" => json!({"id": "1013", "voice": true}),
        "document" => json!({"link": "https://e.test/a", "caption": "c", "filename": "a.pdf"}),
        "sticker" => json!({"id": "1013"}),
        "location" => json!({"latitude": 37.48, "longitude": "-122.14", "name": "n"}),
        "contacts" => json!([{"name": {"formatted_name": "Ana Silva", "first_name": "Ana"},
            "phones": [{"phone": "+1", "type": "WORK", "wa_id": "1"}], "org": {"company": "c"},
            "emails": [{"email": "a@e.test"}], "birthday": "1990-12-31"}]),
        "reaction" => json!({"message_id": "wamid.A", "emoji": "👍🏽"}),
        "pin" => {
            body["recipient_type"] = json!("group");
            body["to"] = json!("R3JvdXA=");
            json!({"type": "pin", "message_id": "wamid.A", "expiration_days": 7})
        }
        "template" => template(),
        _ => interactive(name),
    };
    let type_ = match content["action"].is_object() {
        true => "interactive",
        false => name,
    };
    body["type"] = json!(type_);
    body[type_] = content;
    body
}

fn template() -> Value {
    let text = |text: &str| json!({"type": "text", "text": text});
    let card = |n| {
        json!({"card_index": n, "components": [{"type": "header", "parameters":
            [{"type": "image", "image": {"id": "1"}}]}]})
    };
    json!({"name": "order_update_2", "language": {"code": "en_US", "policy": "deterministic"},
        "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]},
            {"type": "body", "parameters": [text("Ana"),
                {"type": "currency", "currency": {"fallback_value": "$1", "code": "USD",
                    "amount_1000": 1000}},
                {"type": "date_time", "date_time": {"fallback_value": "1 May"}}]},
            {"type": "button", "sub_type": "quick_reply", "index": "0",
                "parameters": [{"type": "payload", "payload": "p"}]},
            {"type": "button", "sub_type": "url", "index": 1, "parameters": [text("881")]},
            {"type": "button", "sub_type": "copy_code", "index": "2",
                "parameters": [{"type": "coupon_code", "coupon_code": "SAVE"}]},
            {"type": "button", "sub_type": "FLOW", "index": "3",
                "parameters": [{"type": "action", "action": {"flow_token": "t"}}]},
            {"type": "carousel", "cards": [card(0), card(1)]},
            {"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer",
                "limited_time_offer": {"expiration_time_ms": 1_790_000_000_000_i64}}]}]})
}

/// One of each kind; named twice where two shapes differ.
fn interactive(name: &str) -> Value {
    let row = |id: &str| json!({"id": id, "title": "t", "description": "d"});
    let link =
        json!({"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://e.test"}});
    let image = json!({"type": "image", "image": {"id": "1"}});
    let linked = |n| json!({"card_index": n, "type": "cta_url", "header": image, "action": link});
    let tapped = |n| {
        let reply = json!({"type": "quick_reply", "quick_reply": {"id": "i", "title": "t"}});
        json!({"card_index": n, "header": image, "body": {"text": "a\nb\nc"},
            "action": {"buttons": [reply]}})
    };
    let sold = |n| {
        json!({"card_index": n, "type": "product",
            "action": {"product_retailer_id": "p", "catalog_id": "c"}})
    };
    let action = match name {
        "button" => json!({"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Yes"}},
            {"type": "reply", "reply": {"id": "2", "title": "No"}}]}),
        "list" => json!({"button": "Menu", "sections": [
            {"title": "A", "rows": [row("1"), row("2")]}, {"title": "B", "rows": [row("3")]}]}),
        "cta_url" => link.clone(),
        "flow" => json!({"name": "flow", "parameters": {"flow_message_version": "3",
            "flow_id": "1", "flow_cta": "Book", "mode": "draft", "flow_token": "t",
            "flow_action": "navigate", "flow_action_payload": {"screen": "S"}}}),
        "product" => json!({"catalog_id": "c", "product_retailer_id": "p"}),
        "product_list" => json!({"catalog_id": "c", "sections": [
            {"title": "A", "product_items": [{"product_retailer_id": "p"}]}]}),
        "catalog_message" => json!({"name": "catalog_message",
            "parameters": {"thumbnail_product_retailer_id": "p"}}),
        "location_request_message" => json!({"name": "send_location"}),
        "address_message" => json!({"name": "address_message", "parameters": {"country": "IN"}}),
        "carousel" => json!({"cards": [linked(0), linked(1)]}),
        "carousel of buttons" => json!({"cards": [tapped(0), tapped(1)]}),
        "carousel of products" => json!({"cards": [sold(0), sold(1)]}),
        "voice_call" => json!({"name": "voice_call",
            "parameters": {"display_text": "Call", "ttl_minutes": 100, "payload": "p"}}),
        "call_permission_request" => json!({"name": "call_permission_request"}),
        "contact_request" => json!({"name": "request_contact_info"}),
        "order_details" => json!({"name": "review_and_pay", "parameters": {"reference_id": "1"}}),
        "order_status" => json!({"name": "review_order", "parameters": {"reference_id": "1"}}),
        other => panic!("no body called {other}"),
    };
    let kind = name.split(' ').next().unwrap_or_default();
    let mut whole = json!({"type": kind, "body": {"text": "b"}, "action": action});
    match kind {
        "list" | "product_list" => whole["header"] = json!({"type": "text", "text": "h"}),
        "button" => whole["header"] = image,
        _ => {}
    }
    if kind != "carousel" {
        whole["footer"] = json!({"text": "f"});
    }
    whole
}

const NAMES: &[&str] = &[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "pin",
    "template",
    "button",
    "list",
    "cta_url",
    "flow",
    "product",
    "product_list",
    "catalog_message",
    "location_request_message",
    "address_message",
    "carousel",
    "carousel of buttons",
    "carousel of products",
    "voice_call",
    "call_permission_request",
    "contact_request",
    "order_details",
    "order_status",
];

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
fn the_plain_types_are_checked() {
    let long = |n| json!("é".repeat(n));
    check_rows(vec![
        ("text", "/text", json!("hi"), "100"),
        ("text", "/text", json!(null), "131008"),
        ("text", "/text/body", json!(""), "131008"),
        ("text", "/text/body", json!(1), "100"),
        ("text", "/text/body", long(4096), "ok"),
        ("text", "/text/body", long(4097), "100"),
        ("text", "/text/preview_url", json!("yes"), "100"),
        ("image", "/image/caption", long(1024), "ok"),
        ("image", "/image/caption", long(1025), "100"),
        ("video", "/video/caption", long(1025), "100"),
        ("document", "/document/caption", long(1025), "100"),
        ("image", "/image/link", json!("https://e.test"), "131009"),
        ("image", "/image/id", json!(null), "131008"),
        ("image", "/image/id", json!(1013), "ok"),
        ("image", "/image/filename", json!("a.png"), "100"),
        ("image", "/image/voice", json!(true), "100"),
        ("image", "/image", json!({"link": "HTTPS://E.test/i"}), "ok"),
        ("image", "/image", json!({"link": "file:///etc"}), "131009"),
        ("image", "/image", json!([]), "100"),
        ("document", "/document/filename", json!(7), "100"),
        ("audio", "/audio/caption", json!("c"), "100"),
        ("audio", "/audio/voice", json!("maybe"), "100"),
        ("sticker", "/sticker/caption", json!("c"), "100"),
        ("location", "/location/latitude", json!(90.1), "131009"),
        ("location", "/location/latitude", json!(null), "131008"),
        ("location", "/location/longitude", json!("-180"), "ok"),
        ("location", "/location/longitude", json!(180.1), "131009"),
        ("location", "/location/longitude", json!("x"), "131009"),
        ("location", "/location/longitude", json!([]), "100"),
        ("location", "/location/name", json!(1), "100"),
        ("pin", "/pin/type", json!("unpin"), "ok"),
        ("pin", "/pin/type", json!("nail"), "100"),
        ("pin", "/pin/message_id", json!(null), "131008"),
        ("pin", "/pin/expiration_days", json!(31), "131009"),
        ("pin", "/pin/expiration_days", json!(0), "131009"),
        ("pin", "/recipient_type", json!(null), "131009"),
    ]);
}

#[test]
fn contacts_are_checked() {
    let card = right("contacts")["contacts"][0].clone();
    let cards = |n: usize| json!(vec![card.clone(); n]);
    check_rows(vec![
        ("contacts", "/contacts", json!([]), "131009"),
        ("contacts", "/contacts", json!({}), "100"),
        (
            "contacts",
            "/contacts",
            json!(json!([card]).to_string()),
            "ok",
        ),
        ("contacts", "/contacts", json!("[]"), "131009"),
        ("contacts", "/contacts", json!("Ana"), "100"),
        ("contacts", "/contacts", json!(null), "131008"),
        ("contacts", "/contacts", cards(257), "ok"),
        ("contacts", "/contacts", cards(258), "131009"),
        ("contacts", "/contacts/0", json!("Ana"), "100"),
        ("contacts", "/contacts/0/name", json!(null), "131008"),
        (
            "contacts",
            "/contacts/0/name/formatted_name",
            json!(null),
            "131008",
        ),
        (
            "contacts",
            "/contacts/0/name/first_name",
            json!(null),
            "131009",
        ),
        ("contacts", "/contacts/0/name/first_name", json!(1), "100"),
        ("contacts", "/contacts/0/phones", json!("+1"), "100"),
        ("contacts", "/contacts/0/phones/0", json!("+1"), "100"),
        ("contacts", "/contacts/0/phones/0/phone", json!([]), "100"),
        ("contacts", "/contacts/0/emails/0/email", json!({}), "100"),
        ("contacts", "/contacts/0/urls", json!([{"url": []}]), "100"),
        (
            "contacts",
            "/contacts/0/addresses",
            json!([{"city": {}}]),
            "100",
        ),
        ("contacts", "/contacts/0/org", json!("c"), "100"),
        ("contacts", "/contacts/0/org/title", json!(1), "100"),
        (
            "contacts",
            "/contacts/0/birthday",
            json!("31.12.1990"),
            "131009",
        ),
        (
            "contacts",
            "/contacts/0/birthday",
            json!("1990-1-1"),
            "131009",
        ),
    ]);
}

#[test]
fn a_reaction_is_one_emoji_or_none() {
    let rows = [
        ("", "ok"),
        ("😀", "ok"),
        ("👍🏽", "ok"),
        ("❤️", "ok"),
        ("👨‍👩‍👧‍👦", "ok"),
        ("🇧🇷", "ok"),
        ("1️⃣", "ok"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "ok"),
        ("😀😀", "131009"),
        ("🇧🇷🇧🇷", "131009"),
        ("😀 ", "131009"),
        ("ok", "131009"),
        ("é", "131009"),
        (":-)", "131009"),
    ];
    for (emoji, expected) in rows {
        let rows = vec![("reaction", "/reaction/emoji", json!(emoji), expected)];
        check_rows(rows);
    }
    check_rows(vec![
        ("reaction", "/reaction/emoji", json!(null), "131008"),
        ("reaction", "/reaction/emoji", json!(1), "100"),
        ("reaction", "/reaction/message_id", json!(null), "131008"),
    ]);
}

#[test]
fn templates_are_checked() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let named = json!({"type": "text", "text": "v", "parameter_name": "n"});
    let nested = json!([{"type": "carousel", "cards": []}]);
    let params = |n: usize, list: Value| (format!("/template/components/{n}/parameters"), list);
    let rows = [
        ("/template/name".into(), json!("n".repeat(512)), "ok"),
        ("/template/name".into(), json!("n".repeat(513)), "100"),
        ("/template/name".into(), json!("Order update"), "132001"),
        ("/template/name".into(), json!(null), "131008"),
        ("/template/language".into(), json!("en"), "100"),
        ("/template/language/code".into(), json!(null), "131008"),
        ("/template/language/policy".into(), json!("fallback"), "100"),
        ("/template/components".into(), json!(null), "ok"),
        ("/template/components".into(), json!({}), "100"),
        ("/template/components/0/type".into(), json!("HEADER"), "ok"),
        ("/template/components/0/type".into(), json!("footer"), "100"),
        ("/template/components/0/type".into(), json!(null), "131008"),
        ("/template/components/3/index".into(), json!(0), "ok"),
        ("/template/components/3/index".into(), json!("0"), "131009"),
        ("/template/components/3/index".into(), json!(10), "131009"),
        (
            "/template/components/3/index".into(),
            json!("one"),
            "131009",
        ),
        ("/template/components/3/index".into(), json!(null), "131008"),
        (
            "/template/components/3/sub_type".into(),
            json!("link"),
            "100",
        ),
        (
            "/template/components/3/sub_type".into(),
            json!(null),
            "131008",
        ),
        ("/template/components/6/cards".into(), json!([]), "131009"),
        ("/template/components/6/cards".into(), json!(null), "131008"),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(0),
            "131009",
        ),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(10),
            "131009",
        ),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(null),
            "131008",
        ),
        (
            "/template/components/6/cards/1/components".into(),
            nested,
            "100",
        ),
    ];
    check_rows(
        rows.iter()
            .map(|(pointer, value, expected): &(String, Value, &str)| {
                ("template", pointer.as_str(), value.clone(), *expected)
            })
            .collect(),
    );
    let rows = [
        (params(0, json!([text("a"), text("b")])), "131009"),
        (
            params(0, json!([{"type": "payload", "payload": "p"}])),
            "100",
        ),
        (params(0, json!([{"type": "image"}])), "131008"),
        (params(0, json!([{"type": "image", "image": {}}])), "131008"),
        (
            params(0, json!([{"type": "product", "product": {}}])),
            "131008",
        ),
        (
            params(
                0,
                json!([{"type": "location", "location": {"latitude": 1}}]),
            ),
            "131008",
        ),
        (params(1, json!([])), "ok"),
        (params(1, json!([named, named])), "ok"),
        (params(1, json!([text("a"), named])), "132012"),
        (params(1, json!([text("")])), "131008"),
        (params(1, json!([text("two\nlines")])), "132018"),
        (params(1, json!([text("a\ttab")])), "132018"),
        (params(1, json!([text("four    blanks")])), "ok"),
        (params(1, json!([text("five     blanks")])), "132018"),
        (params(1, json!([{"text": "no type"}])), "131008"),
        (params(1, json!([{"type": "rhyme"}])), "100"),
        (params(1, json!(["Ana"])), "100"),
        (
            params(
                1,
                json!([{"type": "currency", "currency": {"code": "USD"}}]),
            ),
            "131008",
        ),
        (
            params(1, json!([{"type": "date_time", "date_time": {}}])),
            "131008",
        ),
        (params(2, json!([text("payload by its old name")])), "ok"),
        (params(2, json!([{"type": "payload"}])), "131008"),
        (
            params(3, json!([{"type": "payload", "payload": "p"}])),
            "100",
        ),
        (
            params(
                4,
                json!([{"type": "coupon_code", "coupon_code": "x".repeat(20)}]),
            ),
            "ok",
        ),
        (
            params(
                4,
                json!([{"type": "coupon_code", "coupon_code": "x".repeat(21)}]),
            ),
            "100",
        ),
        (params(5, json!([{"type": "action"}])), "131008"),
        (params(7, json!([])), "131009"),
        (
            params(
                7,
                json!([{"type": "limited_time_offer", "limited_time_offer": {}}]),
            ),
            "131008",
        ),
    ];
    for ((pointer, value), expected) in rows {
        check_rows(vec![("template", &pointer, value, expected)]);
    }
}

#[test]
fn what_stands_around_an_action_is_checked() {
    let long = |n| json!("é".repeat(n));
    let text = |n: usize| json!({"type": "text", "text": "é".repeat(n)});
    check_rows(vec![
        ("button", "/interactive/type", json!("knob"), "100"),
        ("button", "/interactive/type", json!(null), "131008"),
        ("button", "/interactive/action", json!(null), "131008"),
        ("button", "/interactive/body", json!(null), "131008"),
        ("button", "/interactive/body/text", long(1024), "ok"),
        ("button", "/interactive/body/text", long(1025), "100"),
        ("list", "/interactive/body/text", long(4096), "ok"),
        ("list", "/interactive/body/text", long(4097), "100"),
        ("flow", "/interactive/body", json!(null), "131008"),
        ("product", "/interactive/body", json!(null), "ok"),
        ("button", "/interactive/footer/text", long(60), "ok"),
        ("button", "/interactive/footer/text", long(61), "100"),
        ("button", "/interactive/footer/text", json!(null), "131008"),
        ("button", "/interactive/header", text(60), "ok"),
        ("button", "/interactive/header", text(61), "100"),
        (
            "button",
            "/interactive/header",
            json!({"text": "h"}),
            "131008",
        ),
        ("button", "/interactive/header/type", json!("audio"), "100"),
        ("button", "/interactive/header/image", json!({}), "131008"),
        (
            "list",
            "/interactive/header",
            json!({"type": "image", "image": {"id": "1"}}),
            "100",
        ),
        (
            "product_list",
            "/interactive/header/type",
            json!("video"),
            "100",
        ),
        ("product_list", "/interactive/header", json!(null), "131008"),
        ("product", "/interactive/header", text(1), "100"),
        ("carousel", "/interactive/header", text(1), "100"),
        (
            "carousel",
            "/interactive/footer",
            json!({"text": "f"}),
            "100",
        ),
    ]);
}

#[test]
fn buttons_and_lists_are_checked() {
    let long = |n| json!("é".repeat(n));
    let button =
        |n: usize| json!({"type": "reply", "reply": {"id": n.to_string(), "title": n.to_string()}});
    let buttons = |n| (0..n).map(button).collect::<Value>();
    let rows = |n: usize| {
        (0..n)
            .map(|n| json!({"id": n, "title": "t"}))
            .collect::<Value>()
    };
    let sections = |n: usize| {
        let section = |n| json!({"title": "s", "rows": [{"id": n, "title": "t"}]});
        (0..n).map(section).collect::<Value>()
    };
    let place = "/interactive/action";
    let at = |rest: &str| format!("{place}/{rest}");
    let table = [
        ("button", at("buttons"), buttons(3), "ok"),
        ("button", at("buttons"), buttons(4), "131009"),
        ("button", at("buttons"), buttons(0), "131009"),
        ("button", at("buttons/0/type"), json!("link"), "100"),
        ("button", at("buttons/0/reply"), json!(null), "131008"),
        ("button", at("buttons/1/reply/id"), json!("1"), "131009"),
        (
            "button",
            at("buttons/1/reply/title"),
            json!("Yes"),
            "131009",
        ),
        ("button", at("buttons/1/reply/title"), long(20), "ok"),
        ("button", at("buttons/1/reply/title"), long(21), "100"),
        ("button", at("buttons/1/reply/id"), long(257), "100"),
        ("list", at("button"), long(21), "100"),
        ("list", at("button"), json!(null), "131008"),
        ("list", at("sections"), sections(10), "ok"),
        ("list", at("sections"), sections(11), "131009"),
        ("list", at("sections/0/title"), json!(null), "131008"),
        ("list", at("sections/0/title"), long(25), "100"),
        ("list", at("sections"), json!([{"rows": rows(10)}]), "ok"),
        (
            "list",
            at("sections"),
            json!([{"rows": rows(11)}]),
            "131009",
        ),
        ("list", at("sections/0/rows"), rows(9), "ok"),
        ("list", at("sections/0/rows"), rows(10), "131009"),
        ("list", at("sections/0/rows"), json!([]), "131009"),
        ("list", at("sections/0/rows/1/id"), json!("3"), "131009"),
        ("list", at("sections/0/rows/1/id"), long(201), "100"),
        ("list", at("sections/0/rows/1/title"), long(25), "100"),
        ("list", at("sections/0/rows/1/title"), json!(null), "131008"),
        ("list", at("sections/0/rows/1/description"), long(73), "100"),
    ];
    for (name, pointer, value, expected) in table {
        check_rows(vec![(name, &pointer, value, expected)]);
    }
}

#[test]
fn the_other_interactive_kinds_are_checked() {
    let long = |n| json!("é".repeat(n));
    let items = |n: usize| {
        vec![json!({"product_retailer_id": "p"}); n]
            .into_iter()
            .collect::<Value>()
    };
    let at = |rest: &str| format!("/interactive/action/{rest}");
    let p = |rest: &str| at(&format!("parameters/{rest}"));
    let table = [
        ("cta_url", at("name"), json!("url"), "100"),
        ("cta_url", p("display_text"), long(20), "ok"),
        ("cta_url", p("display_text"), long(21), "100"),
        ("cta_url", p("url"), json!(null), "131008"),
        ("flow", p("flow_message_version"), json!("2"), "131009"),
        ("flow", p("flow_message_version"), json!(3), "ok"),
        ("flow", p("flow_name"), json!("n"), "131009"),
        ("flow", p("flow_id"), json!(null), "131008"),
        ("flow", p("flow_cta"), long(30), "ok"),
        ("flow", p("flow_cta"), long(31), "100"),
        ("flow", p("mode"), json!("secret"), "100"),
        ("flow", p("flow_action"), json!("jump"), "100"),
        (
            "flow",
            p("flow_action_payload/screen"),
            json!(null),
            "131008",
        ),
        ("product", at("catalog_id"), json!(null), "131008"),
        ("product", at("product_retailer_id"), json!(null), "131008"),
        ("product_list", at("catalog_id"), json!(null), "131008"),
        (
            "product_list",
            at("sections/0/product_items"),
            items(30),
            "ok",
        ),
        (
            "product_list",
            at("sections/0/product_items"),
            items(31),
            "131009",
        ),
        (
            "product_list",
            at("sections/0/product_items"),
            json!([{}]),
            "131008",
        ),
        ("product_list", at("sections"), json!([]), "131009"),
        ("catalog_message", at("name"), json!(null), "131008"),
        ("catalog_message", at("parameters"), json!(null), "ok"),
        ("catalog_message", at("parameters"), json!([]), "100"),
        (
            "location_request_message",
            at("name"),
            json!("where"),
            "100",
        ),
        ("address_message", p("country"), json!("BR"), "131009"),
        ("address_message", p("country"), json!(null), "131008"),
        ("voice_call", p("display_text"), long(21), "100"),
        ("voice_call", p("ttl_minutes"), json!(43_200), "ok"),
        ("voice_call", p("ttl_minutes"), json!(43_201), "131009"),
        ("voice_call", p("ttl_minutes"), json!(0), "131009"),
        ("call_permission_request", at("name"), json!(null), "131008"),
        ("contact_request", at("name"), json!("contact"), "100"),
        ("order_details", at("parameters"), json!(null), "131008"),
        ("order_status", at("name"), json!("review_and_pay"), "100"),
    ];
    for (name, pointer, value, expected) in table {
        check_rows(vec![(name, &pointer, value, expected)]);
    }
}

#[test]
fn carousels_are_checked() {
    let long = |n| json!("é".repeat(n));
    let card = |name: &str, n: usize| {
        let mut card = right(name)["interactive"]["action"]["cards"][0].take();
        card["card_index"] = json!(n);
        card
    };
    let cards = |n| (0..n).map(|n| card("carousel", n)).collect::<Value>();
    let at = |rest: &str| format!("/interactive/action/{rest}");
    let tap = "cards/0/action/buttons/0/quick_reply";
    let (linked, tapped, sold) = ("carousel", "carousel of buttons", "carousel of products");
    let table = [
        (linked, at("cards"), cards(10), "ok"),
        (linked, at("cards"), cards(1), "131009"),
        (linked, at("cards"), cards(11), "131009"),
        (linked, at("cards/1/card_index"), json!(0), "131009"),
        (linked, at("cards/1/card_index"), json!(null), "131008"),
        (linked, at("cards/1/type"), json!("button"), "100"),
        (linked, at("cards/1"), card(sold, 1), "131009"),
        (linked, at("cards/0/header"), json!(null), "131008"),
        (
            linked,
            at("cards/0/header"),
            json!({"type": "text", "text": "h"}),
            "100",
        ),
        (
            linked,
            at("cards/0/action/parameters"),
            json!(null),
            "131008",
        ),
        (
            linked,
            at("cards/0/action/parameters/display_text"),
            long(21),
            "100",
        ),
        (linked, "/interactive/body".into(), json!(null), "131008"),
        (tapped, at("cards/0/body/text"), long(160), "ok"),
        (tapped, at("cards/0/body/text"), long(161), "100"),
        (
            tapped,
            at("cards/0/body/text"),
            json!("a\nb\nc\nd"),
            "131009",
        ),
        (tapped, at(&format!("{tap}/title")), long(21), "100"),
        (tapped, at(&format!("{tap}/id")), json!(null), "131008"),
        (tapped, at("cards/0/action/buttons"), json!([]), "131009"),
        (sold, at("cards/1/action/catalog_id"), json!(null), "131008"),
        (sold, at("cards/1/action"), json!(null), "131008"),
    ];
    for (name, pointer, value, expected) in table {
        check_rows(vec![(name, &pointer, value, expected)]);
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
