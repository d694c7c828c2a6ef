//! Interactive messages, with one place changed.

use serde_json::{Value, json};

use super::bodies::right;
use super::check_rows;

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
