//! What must be there, and of which JSON type.

use serde_json::{Value, json};

use super::{check_changed, verdict};
use crate::wire::compose::Message;

#[test]
fn what_is_missing_is_named() {
    for (kind, path, expected) in [
        ("text", "messaging_product", "131008 messaging_product"),
        ("text", "to", "131008 to"),
        ("text", "text", "131008 text"),
        ("text", "text.body", "131008 text.body"),
        ("image", "image", "131008 image"),
        ("image", "image.id", "131008 image"),
        ("video", "video.link", "131008 video"),
        ("location", "location.latitude", "131008 location.latitude"),
        ("location", "location.name", "ok"),
        ("contacts", "contacts", "131008 contacts"),
        ("contacts", "contacts[1].name", "131008 contacts[1].name"),
        (
            "contacts",
            "contacts[0].name.formatted_name",
            "131008 contacts[0].name.formatted_name",
        ),
        (
            "reaction",
            "reaction.message_id",
            "131008 reaction.message_id",
        ),
        ("reaction", "reaction.emoji", "131008 reaction.emoji"),
        ("pin", "pin.message_id", "131008 pin.message_id"),
        ("pin", "pin.type", "131008 pin.type"),
        ("template", "template.name", "131008 template.name"),
        ("template", "template.language", "131008 template.language"),
        (
            "template",
            "template.language.code",
            "131008 template.language.code",
        ),
        ("button", "interactive.type", "131008 interactive.type"),
        ("button", "interactive.body", "131008 interactive.body"),
        (
            "button",
            "interactive.footer.text",
            "131008 interactive.footer.text",
        ),
        ("button", "interactive.header", "ok"),
        (
            "button",
            "interactive.header.type",
            "131008 interactive.header.type",
        ),
        (
            "button",
            "interactive.header.document",
            "131008 interactive.header.document",
        ),
        (
            "button",
            "interactive.header.document.id",
            "131008 interactive.header.document",
        ),
        ("button", "interactive.action", "131008 interactive.action"),
        ("button", "interactive.action.buttons[0].type", "ok"),
        (
            "button",
            "interactive.action.buttons[0].reply",
            "131008 interactive.action.buttons[0].reply",
        ),
        (
            "list",
            "interactive.action.button",
            "131008 interactive.action.button",
        ),
        (
            "list",
            "interactive.action.sections[1].title",
            "131008 interactive.action.sections[1].title",
        ),
        (
            "list",
            "interactive.action.sections[0].rows[0].id",
            "131008 interactive.action.sections[0].rows[0].id",
        ),
        (
            "list",
            "interactive.action.sections[0].rows[0].description",
            "ok",
        ),
        (
            "cta_url",
            "interactive.action.parameters.url",
            "131008 interactive.action.parameters.url",
        ),
        (
            "flow",
            "interactive.action.parameters.flow_id",
            "131008 interactive.action.parameters.flow_id",
        ),
        ("product", "interactive.body", "ok"),
        (
            "product",
            "interactive.action.catalog_id",
            "131008 interactive.action.catalog_id",
        ),
        (
            "product_list",
            "interactive.header",
            "131008 interactive.header",
        ),
        ("catalog_message", "interactive.action.parameters", "ok"),
        ("carousel", "interactive.body", "131008 interactive.body"),
        (
            "carousel",
            "interactive.action.cards[1].header",
            "131008 interactive.action.cards[1].header",
        ),
        (
            "carousel",
            "interactive.action.cards[1].action.parameters",
            "131008 interactive.action.cards[1].action.parameters",
        ),
        ("carousel", "interactive.action.cards[1].type", "ok"),
    ] {
        check_changed(kind, path, Value::Null, expected);
    }
}

#[test]
fn template_components_are_checked() {
    let text = json!({"type": "text", "text": "t"});
    for (component, expected) in [
        (json!({"type": "body", "parameters": [text]}), "ok"),
        (
            json!({"type": "BODY", "parameters": [{"type": "TEXT", "text": "t"}]}),
            "ok",
        ),
        (json!({"type": "body"}), "ok"),
        (json!({"parameters": [text]}), "131008 .type"),
        (json!("body"), "100 "),
        (json!({"type": "body", "parameters": {}}), "100 .parameters"),
        (
            json!({"type": "body", "parameters": ["t"]}),
            "100 .parameters[0]",
        ),
        (
            json!({"type": "body", "parameters": [{"text": "t"}]}),
            "131008 .parameters[0].type",
        ),
        (
            json!({"type": "body", "parameters": [text, {"type": "text", "text": ""}]}),
            "131008 .parameters[1].text",
        ),
        (
            json!({"type": "body", "parameters": [{"type": "text", "text": 881}]}),
            "100 .parameters[0].text",
        ),
        (
            json!({"type": "body", "parameters": [{"type": "currency", "currency": {}}]}),
            "131008 .parameters[0].currency.fallback_value",
        ),
        (
            json!({"type": "header", "parameters": [{"type": "image", "image": {}}]}),
            "131008 .parameters[0].image",
        ),
        (
            json!({"type": "header", "parameters": [{"type": "location", "location": {}}]}),
            "131008 .parameters[0].location.latitude",
        ),
        (json!({"type": "button", "index": 0}), "131008 .sub_type"),
        (
            json!({"type": "button", "sub_type": "url"}),
            "131008 .index",
        ),
        (
            json!({"type": "button", "sub_type": "url", "index": "first"}),
            "131009 .index",
        ),
        (
            json!({"type": "button", "sub_type": "new", "index": "0", "parameters": [{"type": "new"}]}),
            "ok",
        ),
        (json!({"type": "carousel"}), "131008 .cards"),
        (
            json!({"type": "carousel", "cards": [{}]}),
            "131008 .cards[0].card_index",
        ),
        (
            json!({"type": "carousel", "cards": [{"card_index": 0}, {"card_index": 0}]}),
            "131009 .cards[1].card_index",
        ),
        (
            json!({"type": "carousel", "cards": [{"card_index": 0, "components": [{}]}]}),
            "131008 .cards[0].components[0].type",
        ),
        (json!({"type": "new", "anything": 1}), "ok"),
    ] {
        let message = Message::template("n", "en")
            .component(component.clone())
            .to("1");
        let expected = expected.replacen(' ', " template.components[0]", 1);
        assert_eq!(verdict(&message.to_value()), expected, "{component}");
    }
}

#[test]
fn wrong_json_types_are_refused() {
    for (kind, path, value, expected) in [
        ("text", "to", json!({}), "100 to"),
        ("text", "to", json!(15_550_107_001_u64), "ok"),
        ("text", "type", json!(7), "100 type"),
        ("text", "context", json!("wamid.A"), "100 context"),
        ("text", "context", json!({}), "131008 context.message_id"),
        ("text", "text", json!("hi"), "100 text"),
        ("text", "text.body", json!(7), "100 text.body"),
        ("text", "text.preview_url", json!("true"), "ok"),
        (
            "text",
            "text.preview_url",
            json!([]),
            "100 text.preview_url",
        ),
        ("image", "image.id", json!(1013), "ok"),
        ("image", "image.id", json!([1013]), "100 image.id"),
        ("location", "location.latitude", json!("37.5"), "ok"),
        (
            "location",
            "location.latitude",
            json!("north"),
            "131009 location.latitude",
        ),
        (
            "location",
            "location.latitude",
            json!(true),
            "100 location.latitude",
        ),
        ("contacts", "contacts", json!({}), "100 contacts"),
        ("contacts", "contacts[0]", json!("Ana"), "100 contacts[0]"),
        (
            "contacts",
            "contacts[0].phones",
            json!({}),
            "100 contacts[0].phones",
        ),
        (
            "template",
            "template.language",
            json!("en"),
            "100 template.language",
        ),
        (
            "template",
            "template.components",
            json!({}),
            "100 template.components",
        ),
        ("button", "interactive", json!([]), "100 interactive"),
        (
            "button",
            "interactive.type",
            json!(1),
            "100 interactive.type",
        ),
        (
            "button",
            "interactive.header",
            json!("h"),
            "100 interactive.header",
        ),
        (
            "button",
            "interactive.body",
            json!("b"),
            "100 interactive.body",
        ),
        (
            "button",
            "interactive.action.buttons",
            json!({}),
            "100 interactive.action.buttons",
        ),
        (
            "button",
            "interactive.action.buttons[0]",
            json!("Yes"),
            "100 interactive.action.buttons[0]",
        ),
    ] {
        check_changed(kind, path, value, expected);
    }
}

#[test]
fn content_may_be_a_json_text_and_is_looked_into_all_the_same() {
    for (kind, content, expected) in [
        ("text", json!({"body": "hi"}).to_string(), "ok"),
        (
            "text",
            json!({"text": "hi"}).to_string(),
            "131008 text.body",
        ),
        (
            "contacts",
            json!([{"name": {"formatted_name": "A"}}]).to_string(),
            "ok",
        ),
        ("contacts", "[]".into(), "131009 contacts"),
        ("text", "hi".into(), "100 text"),
        ("text", "7".into(), "100 text"),
    ] {
        check_changed(kind, kind, content.into(), expected);
    }
}
