//! The plain types, with one place changed.

use serde_json::json;

use super::bodies::right;
use super::check_rows;

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
