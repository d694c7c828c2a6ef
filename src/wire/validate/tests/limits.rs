//! Each limit: at it a message passes, one beyond it is refused at the right place.

use serde_json::{Value, json};

use super::super::table::{self, Row, What};
use super::{at, sample, verdict};
use crate::wire::compose::{CarouselCard, Header, Media, Message};

/// The longest texts: (sample, path, code points).
const TEXTS: &[(&str, &str, usize)] = &[
    ("text", "biz_opaque_callback_data", 512),
    ("text", "text.body", 4096),
    ("image", "image.caption", 1024),
    ("video", "video.caption", 1024),
    ("document", "document.caption", 1024),
    ("template", "template.name", 512),
    (
        "copy_code",
        "template.components[0].parameters[0].coupon_code",
        20,
    ),
    ("button", "interactive.body.text", 1024),
    ("button", "interactive.footer.text", 60),
    ("button", "interactive.action.buttons[0].reply.id", 256),
    ("button", "interactive.action.buttons[0].reply.title", 20),
    ("list", "interactive.header.text", 60),
    ("list", "interactive.body.text", 4096),
    ("list", "interactive.action.button", 20),
    ("list", "interactive.action.sections[1].title", 24),
    ("list", "interactive.action.sections[1].rows[0].id", 200),
    ("list", "interactive.action.sections[1].rows[0].title", 24),
    (
        "list",
        "interactive.action.sections[1].rows[0].description",
        72,
    ),
    ("cta_url", "interactive.body.text", 1024),
    ("cta_url", "interactive.action.parameters.display_text", 20),
    ("flow", "interactive.body.text", 1024),
    ("flow", "interactive.action.parameters.flow_cta", 30),
    ("product", "interactive.body.text", 1024),
    ("product_list", "interactive.header.text", 60),
    ("product_list", "interactive.body.text", 1024),
    ("product_list", "interactive.action.sections[0].title", 24),
    ("catalog_message", "interactive.body.text", 1024),
    ("location_request_message", "interactive.body.text", 1024),
    ("address_message", "interactive.body.text", 1024),
    ("carousel", "interactive.body.text", 1024),
    ("carousel", "interactive.action.cards[0].body.text", 160),
    (
        "carousel",
        "interactive.action.cards[0].action.parameters.display_text",
        20,
    ),
    (
        "replies",
        "interactive.action.cards[1].action.buttons[0].quick_reply.id",
        256,
    ),
    (
        "replies",
        "interactive.action.cards[1].action.buttons[0].quick_reply.title",
        20,
    ),
    ("voice_call", "interactive.body.text", 1024),
    (
        "voice_call",
        "interactive.action.parameters.display_text",
        20,
    ),
    ("call_permission_request", "interactive.body.text", 1024),
    ("contact_request", "interactive.body.text", 1024),
];

/// Numbers: (sample, path, least, greatest).
const NUMBERS: &[(&str, &str, i64, i64)] = &[
    ("location", "location.latitude", -90, 90),
    ("location", "location.longitude", -180, 180),
    ("pin", "pin.expiration_days", 1, 30),
    ("copy_code", "template.components[0].index", 0, 9),
    (
        "template_cards",
        "template.components[0].cards[0].card_index",
        0,
        9,
    ),
    ("carousel", "interactive.action.cards[0].card_index", 0, 9),
    (
        "voice_call",
        "interactive.action.parameters.ttl_minutes",
        1,
        43_200,
    ),
];

/// One element of a list, of those that differ from each other.
type Element = fn(usize) -> Value;

/// Lists: (sample, path, least, greatest, element).
const LISTS: &[(&str, &str, usize, usize, Element)] = &[
    (
        "contacts",
        "contacts",
        1,
        257,
        |_| json!({"name": {"formatted_name": "Ana"}}),
    ),
    (
        "button",
        "interactive.action.buttons",
        1,
        3,
        |n| json!({"type": "reply", "reply": {"id": n.to_string(), "title": n.to_string()}}),
    ),
    (
        "list",
        "interactive.action.sections",
        1,
        10,
        |n| json!({"title": "t", "rows": [list_row(n)]}),
    ),
    (
        "one_section",
        "interactive.action.sections[0].rows",
        1,
        10,
        list_row,
    ),
    (
        "product_list",
        "interactive.action.sections",
        1,
        10,
        |_| json!({"title": "t", "product_items": [{"product_retailer_id": "sku"}]}),
    ),
    (
        "product_list",
        "interactive.action.sections[0].product_items",
        1,
        30,
        |n| json!({"product_retailer_id": n.to_string()}),
    ),
    ("carousel", "interactive.action.cards", 2, 10, |n| {
        json!({"card_index": n, "type": "product",
            "action": {"catalog_id": "194", "product_retailer_id": "sku"}})
    }),
    (
        "template_cards",
        "template.components[0].cards",
        1,
        10,
        |n| json!({"card_index": n}),
    ),
];

fn list_row(n: usize) -> Value {
    json!({"id": n.to_string(), "title": "row"})
}

/// Samples by kind, and some by names of our own.
fn base(name: &str) -> Value {
    let message = match name {
        "copy_code" => Message::template("n", "en").button_copy_code(0, "c").any(),
        "template_cards" => Message::template("n", "en")
            .cards([Default::default()])
            .any(),
        "one_section" => Message::list("b", "Choose").rows([("1", "a")]).any(),
        "replies" => {
            let header = || Header::image(Media::id("1"));
            let card = || CarouselCard::replies(header(), [("1", "a")]);
            Message::carousel("b", [card(), card()]).any()
        }
        kind => return sample(kind),
    };
    message.to("1").to_value()
}

fn check(name: &str, path: &str, value: Value, expected: &str) {
    let mut message = base(name);
    *at(&mut message, path) = value;
    assert_eq!(verdict(&message), expected, "{name}: {path}");
}

#[test]
fn texts_pass_at_their_limit_and_no_further() {
    // One code point, two UTF-16 units, four bytes.
    let text = |length: usize| Value::from("😀".repeat(length));
    for &(name, path, max) in TEXTS {
        check(name, path, text(max), "ok");
        check(name, path, text(max + 1), &format!("100 {path}"));
    }
}

#[test]
fn numbers_pass_at_their_limits_and_no_further() {
    for &(name, path, min, max) in NUMBERS {
        for (number, fits) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            let refused = format!("131009 {path}");
            let expected = if fits { "ok" } else { &refused };
            let mut message = base(name);
            // Only one index may be what it is.
            if path.contains("cards[0]") {
                at(&mut message, path.rsplit_once("[0]").expect("cards").0)
                    .as_array_mut()
                    .expect("cards")
                    .iter_mut()
                    .for_each(|card| card["card_index"] = 5.into());
            }
            *at(&mut message, path) = number.into();
            assert_eq!(verdict(&message), expected, "{name}: {path} = {number}");
            *at(&mut message, path) = number.to_string().into();
            assert_eq!(verdict(&message), expected, "{name}: {path} = \"{number}\"");
        }
    }
}

#[test]
fn lists_pass_at_their_limits_and_no_further() {
    for &(name, path, min, max, element) in LISTS {
        let list = |length: usize| Value::Array((0..length).map(element).collect());
        let refused = format!("131009 {path}");
        check(name, path, list(min), "ok");
        check(name, path, list(max), "ok");
        check(name, path, list(min - 1), &refused);
        check(name, path, list(max + 1), &refused);
    }
}

#[test]
fn some_limits_hold_for_several_places_together() {
    let sections = |key: &str, lengths: [usize; 2]| {
        let items = |from: usize, length: usize| -> Vec<Value> {
            let item =
                |n: usize| json!({"id": n.to_string(), "title": "t", "product_retailer_id": "s"});
            (from..from + length).map(item).collect()
        };
        let mut sections = json!([{"title": "a"}, {"title": "b"}]);
        sections[0][key] = items(0, lengths[0]).into();
        sections[1][key] = items(lengths[0], lengths[1]).into();
        sections
    };
    let path = "interactive.action.sections";
    let refused = "131009 interactive.action.sections";
    check("list", path, sections("rows", [5, 5]), "ok");
    check("list", path, sections("rows", [5, 6]), refused);
    check(
        "product_list",
        path,
        sections("product_items", [15, 15]),
        "ok",
    );
    check(
        "product_list",
        path,
        sections("product_items", [15, 16]),
        refused,
    );
    let text = "interactive.action.cards[0].body.text";
    check("carousel", text, "a\n\nb".into(), "ok");
    check(
        "carousel",
        text,
        "a\n\n\nb".into(),
        &format!("131009 {text}"),
    );
}

#[test]
fn the_details_name_place_and_limit() {
    let mut message = base("button");
    let button = |n: usize| json!({"reply": {"id": n.to_string(), "title": n.to_string()}});
    *at(&mut message, "interactive.action.buttons") = (0..4).map(button).collect();
    let invalid = super::check(&message.to_string()).unwrap_err();
    assert_eq!(
        invalid.details,
        "interactive.action.buttons: at most 3, found 4"
    );
}

/// A row nobody tries would not be missed.
#[test]
fn every_limit_of_the_tables_is_tried_above() {
    let tried: Vec<(&str, String)> = TEXTS
        .iter()
        .map(|row| (row.0, row.1))
        .chain(NUMBERS.iter().map(|row| (row.0, row.1)))
        .chain(LISTS.iter().map(|row| (row.0, row.1)))
        .map(|(name, path)| (name, path.replace(|c: char| c.is_ascii_digit(), "")))
        .collect();
    let is_tried = |kind: Option<&str>, row: &Row| {
        let kind_fits = |name: &str| match kind {
            Some("carousel") => matches!(name, "carousel" | "replies"),
            Some("list") => matches!(name, "list" | "one_section"),
            Some(kind) => name == kind,
            None => true,
        };
        tried
            .iter()
            .any(|(name, path)| kind_fits(name) && path.ends_with(row.path))
    };
    let shared = [
        table::COMMON,
        table::RECEIPT,
        table::TEXTUAL,
        table::MEDIA,
        table::LOCATION,
        table::CONTACTS,
        table::PIN,
        table::TEMPLATE,
        table::COMPONENT,
        table::TEMPLATE_BUTTON,
        table::TEMPLATE_CARDS,
        table::FRAME,
        table::HEADER_TEXT,
    ];
    let shared = shared.into_iter().map(|rows| (None, rows));
    let parameters = table::PARAMETERS.iter().map(|(_, rows)| (None, *rows));
    let kinds = table::INTERACTIVE
        .iter()
        .map(|(kind, rows)| (Some(*kind), *rows));
    for (kind, rows) in shared.chain(parameters).chain(kinds) {
        for row in rows.iter().filter(|row| is_limited(&row.what)) {
            assert!(is_tried(kind, row), "{kind:?} {}", row.path);
        }
    }
}

fn is_limited(what: &What) -> bool {
    match what {
        What::Text(max) | What::Id(max) => max.is_some(),
        What::List(_, max) => *max < usize::MAX,
        What::Number(min, _) => min.is_finite(),
        _ => false,
    }
}
