//! One body of every kind that is right, as Meta's pages show it.

use serde_json::{Value, json};

/// A body of that name that is right.
pub(super) fn right(name: &str) -> Value {
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

/// All names.
pub(super) const NAMES: &[&str] = &[
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
