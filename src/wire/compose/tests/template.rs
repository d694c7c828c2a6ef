//! Samples of templates: every kind of component and of parameter.

use serde_json::{Value, json};

use super::super::{Media, Message, Parameter, TemplateCard, kind};

fn text(text: &str) -> Parameter {
    Parameter::text(text)
}

/// A template with one component built and written.
fn component(
    add: impl FnOnce(Message<kind::Template>) -> Message<kind::Template>,
    components: Value,
) -> (&'static str, Message, Value) {
    (
        "template",
        add(Message::template("order_update", "en_US")).any(),
        json!({"name": "order_update", "language": {"code": "en_US"}, "components": components}),
    )
}

pub(super) fn templates() -> Vec<(&'static str, Message, Value)> {
    let header = |parameter, written| {
        component(
            |template| template.header(parameter),
            json!([{"type": "header", "parameters": [written]}]),
        )
    };
    let place = json!({"latitude": 1.5, "longitude": 2.5, "name": "n", "address": "a"});
    let product = json!({"product_retailer_id": "sku", "catalog_id": "194"});
    let mut samples = vec![
        (
            "template",
            Message::template("hello", "en").any(),
            json!({"name": "hello", "language": {"code": "en"}}),
        ),
        header(text("t"), json!({"type": "text", "text": "t"})),
        header(
            Parameter::image(Media::id("1")),
            json!({"type": "image", "image": {"id": "1"}}),
        ),
        header(
            Parameter::video(Media::id("1")),
            json!({"type": "video", "video": {"id": "1"}}),
        ),
        header(
            Parameter::document(Media::id("1"), "a.pdf"),
            json!({"type": "document", "document": {"id": "1", "filename": "a.pdf"}}),
        ),
        header(
            Parameter::location(1.5, 2.5, "n", "a"),
            json!({"type": "location", "location": place}),
        ),
        header(
            Parameter::product("194", "sku"),
            json!({"type": "product", "product": product}),
        ),
        component(
            |template| {
                template.body([
                    text("881").named("order_no"),
                    Parameter::currency("$1.00", "USD", 1000),
                    Parameter::date_time("1 May 2026"),
                ])
            },
            json!([{"type": "body", "parameters": [
                {"type": "text", "text": "881", "parameter_name": "order_no"},
                {"type": "currency", "currency":
                    {"fallback_value": "$1.00", "code": "USD", "amount_1000": 1000}},
                {"type": "date_time", "date_time": {"fallback_value": "1 May 2026"}},
            ]}]),
        ),
        component(
            |template| template.limited_time_offer(1_800_000_000_000),
            json!([{"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer",
                "limited_time_offer": {"expiration_time_ms": 1_800_000_000_000_i64}}]}]),
        ),
        component(
            |template| {
                let card = TemplateCard::new()
                    .header(Parameter::image(Media::id("1")))
                    .body([text("t")]);
                template.cards([
                    card.clone().button_quick_reply(0, "p"),
                    card.button_url(0, "u"),
                ])
            },
            json!([{"type": "carousel", "cards": [
                {"card_index": 0, "components": [
                    {"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]},
                    {"type": "body", "parameters": [{"type": "text", "text": "t"}]},
                    {"type": "button", "sub_type": "quick_reply", "index": "0",
                        "parameters": [{"type": "payload", "payload": "p"}]},
                ]},
                {"card_index": 1, "components": [
                    {"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]},
                    {"type": "body", "parameters": [{"type": "text", "text": "t"}]},
                    {"type": "button", "sub_type": "url", "index": "0",
                        "parameters": [{"type": "text", "text": "u"}]},
                ]},
            ]}]),
        ),
        (
            "template",
            Message::one_time_code("code", "en", "1234").any(),
            json!({"name": "code", "language": {"code": "en"}, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "1234"}]},
                {"type": "button", "sub_type": "url", "index": "0",
                    "parameters": [{"type": "text", "text": "1234"}]},
            ]}),
        ),
    ];
    samples.extend(template_buttons());
    samples
}

fn template_buttons() -> Vec<(&'static str, Message, Value)> {
    let button = |sub_type: &str, index: &str, parameters: Value| json!([{"type": "button", "sub_type": sub_type, "index": index, "parameters": parameters}]);
    let action = |action: Value| json!([{"type": "action", "action": action}]);
    vec![
        component(
            |template| template.button_quick_reply(0, "p"),
            button(
                "quick_reply",
                "0",
                json!([{"type": "payload", "payload": "p"}]),
            ),
        ),
        component(
            |template| template.button_url(1, "u"),
            button("url", "1", json!([{"type": "text", "text": "u"}])),
        ),
        component(
            |template| template.button_copy_code(2, "SAVE20"),
            button(
                "copy_code",
                "2",
                json!([{"type": "coupon_code", "coupon_code": "SAVE20"}]),
            ),
        ),
        component(
            |template| template.button_flow(0, "t", Some(json!({"a": 1}))),
            button(
                "flow",
                "0",
                action(json!({"flow_token": "t", "flow_action_data": {"a": 1}})),
            ),
        ),
        component(
            |template| template.button_catalog(0, "sku"),
            button(
                "catalog",
                "0",
                action(json!({"thumbnail_product_retailer_id": "sku"})),
            ),
        ),
        component(
            |template| template.button_products(0, "sku", [("Pots", &["sku", "sku-2"][..])]),
            button(
                "mpm",
                "0",
                action(json!({"thumbnail_product_retailer_id": "sku", "sections": [
                    {"title": "Pots", "product_items": [
                        {"product_retailer_id": "sku"}, {"product_retailer_id": "sku-2"}]},
                ]})),
            ),
        ),
        component(
            |template| template.button_call(0, 60, "p"),
            button(
                "voice_call",
                "0",
                json!([{"type": "ttl_minutes", "ttl_minutes": 60},
                    {"type": "payload", "payload": "p"}]),
            ),
        ),
        component(
            |template| {
                let pay = Parameter::action(json!({"order_details": {}}));
                template.button(
                    "order_details",
                    0,
                    [pay, Parameter::other(json!({"type": "x"}))],
                )
            },
            button(
                "order_details",
                "0",
                json!([{"type": "action", "action": {"order_details": {}}}, {"type": "x"}]),
            ),
        ),
    ]
}
