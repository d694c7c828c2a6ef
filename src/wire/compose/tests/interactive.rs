//! Samples of interactive messages, a kind each.

use serde_json::{Value, json};

use super::super::{Button, CarouselCard, Flow, Header, Media, Message, Row};
use super::link;

fn picture() -> Header {
    Header::image(Media::id("1013"))
}

pub(super) fn interactive() -> Vec<(&'static str, Message, Value)> {
    let named = |kind: &'static str, message: Message, action: Value| {
        (
            kind,
            message,
            json!({"type": kind, "body": {"text": "b"}, "action": action}),
        )
    };
    let name = |name: &str| json!({"name": name});
    let mut samples = vec![
        (
            "button",
            Message::buttons("b", [("y", "Yes")])
                .header(Header::document(Media::id("1")))
                .footer("f")
                .any(),
            json!({"type": "button", "body": {"text": "b"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
                "header": {"type": "document", "document": {"id": "1"}}, "footer": {"text": "f"}}),
        ),
        (
            "list",
            Message::list("b", "Choose")
                .section("One", [Row::new("1", "a").description("d")])
                .section("Two", [("2", "b")])
                .header("h")
                .any(),
            json!({"type": "list", "body": {"text": "b"},
                "action": {"button": "Choose", "sections": [
                    {"title": "One", "rows": [{"id": "1", "title": "a", "description": "d"}]},
                    {"title": "Two", "rows": [{"id": "2", "title": "b"}]}]},
                "header": {"type": "text", "text": "h"}}),
        ),
        (
            "product",
            Message::product("194", "sku").body("b").footer("f").any(),
            json!({"type": "product",
                "action": {"catalog_id": "194", "product_retailer_id": "sku"},
                "body": {"text": "b"}, "footer": {"text": "f"}}),
        ),
        (
            "product_list",
            Message::product_list("h", "b", "194")
                .section("Pots", ["sku"])
                .any(),
            json!({"type": "product_list", "body": {"text": "b"},
                "action": {"catalog_id": "194", "sections": [
                    {"title": "Pots", "product_items": [{"product_retailer_id": "sku"}]}]},
                "header": {"type": "text", "text": "h"}}),
        ),
    ];
    samples.extend([
        named(
            "list",
            Message::list("b", "Choose").rows([("1", "a", "d")]).any(),
            json!({"button": "Choose", "sections": [
                {"rows": [{"id": "1", "title": "a", "description": "d"}]}]}),
        ),
        named(
            "cta_url",
            Message::cta_url("b", "Look", "https://example.com").any(),
            json!({"name": "cta_url",
                "parameters": {"display_text": "Look", "url": "https://example.com"}}),
        ),
        named(
            "flow",
            Message::flow(
                "b",
                "Book",
                Flow::id("12").token("t").screen("S", json!({})),
            )
            .any(),
            json!({"name": "flow", "parameters": {"flow_message_version": "3", "flow_id": "12",
                "flow_token": "t", "flow_action": "navigate",
                "flow_action_payload": {"screen": "S", "data": {}}, "flow_cta": "Book"}}),
        ),
        named(
            "flow",
            Message::flow("b", "Book", Flow::name("n").draft().data_exchange()).any(),
            json!({"name": "flow", "parameters": {"flow_message_version": "3", "flow_name": "n",
                "mode": "draft", "flow_action": "data_exchange", "flow_cta": "Book"}}),
        ),
        named(
            "catalog_message",
            Message::catalog("b").thumbnail("sku").any(),
            json!({"name": "catalog_message",
                "parameters": {"thumbnail_product_retailer_id": "sku"}}),
        ),
        named(
            "location_request_message",
            Message::location_request("b").any(),
            name("send_location"),
        ),
        named(
            "address_message",
            Message::address_request("b", "IN")
                .parameter("values", json!({"name": "A"}))
                .any(),
            json!({"name": "address_message",
                "parameters": {"country": "IN", "values": {"name": "A"}}}),
        ),
        named(
            "contact_request",
            Message::contact_request("b").any(),
            name("request_contact_info"),
        ),
        named(
            "call_permission_request",
            Message::call_permission_request("b").any(),
            name("call_permission_request"),
        ),
        named(
            "voice_call",
            Message::voice_call("b", "Call")
                .ttl_minutes(60)
                .payload("p")
                .any(),
            json!({"name": "voice_call",
                "parameters": {"display_text": "Call", "ttl_minutes": 60, "payload": "p"}}),
        ),
        named(
            "order_details",
            Message::order_details("b", json!({"currency": "INR"})).any(),
            json!({"name": "review_and_pay", "parameters": {"currency": "INR"}}),
        ),
        named(
            "order_status",
            Message::order_status("b", json!({"reference_id": "1"})).any(),
            json!({"name": "review_order", "parameters": {"reference_id": "1"}}),
        ),
    ]);
    samples.extend(carousels().map(|(message, cards)| named("carousel", message, cards)));
    samples
}

fn carousels() -> [(Message, Value); 3] {
    let header = json!({"type": "image", "image": {"id": "1013"}});
    let film = json!({"type": "video", "video": {"link": "https://example.com/f"}});
    let link_card = CarouselCard::cta_url(picture(), "Look", "https://example.com").body("t");
    let reply_card = |id: &str| CarouselCard::replies(picture(), [Button::new(id, "Yes")]);
    let look = json!({"name": "cta_url",
        "parameters": {"display_text": "Look", "url": "https://example.com"}});
    let reply = |id: &str| json!({"buttons": [{"type": "quick_reply", "quick_reply": {"id": id, "title": "Yes"}}]});
    [
        (
            Message::carousel(
                "b",
                [
                    link_card,
                    CarouselCard::cta_url(Header::video(link()), "Look", "https://example.com"),
                ],
            )
            .any(),
            json!({"cards": [
                {"card_index": 0, "type": "cta_url", "header": header, "action": look,
                    "body": {"text": "t"}},
                {"card_index": 1, "type": "cta_url", "header": film, "action": look},
            ]}),
        ),
        (
            Message::carousel("b", [reply_card("1"), reply_card("2")]).any(),
            json!({"cards": [
                {"card_index": 0, "type": "cta_url", "header": header, "action": reply("1")},
                {"card_index": 1, "type": "cta_url", "header": header, "action": reply("2")},
            ]}),
        ),
        (
            Message::carousel("b", ["a", "b"].map(|sku| CarouselCard::product("194", sku))).any(),
            json!({"cards": [
                {"card_index": 0, "type": "product",
                    "action": {"product_retailer_id": "a", "catalog_id": "194"}},
                {"card_index": 1, "type": "product",
                    "action": {"product_retailer_id": "b", "catalog_id": "194"}},
            ]}),
        ),
    ]
}
