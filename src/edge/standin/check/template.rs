//! Templates: which components there are, and what may fill their gaps. Whether a template of that
//! name was approved, and with how many gaps, the stand-in does not know.

use super::super::graph::GraphError;
use super::at::{At, Checked, unique};
use super::content::{file, location};

pub(super) fn check(template: &At) -> Checked {
    let name = template.key("name");
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.required(Some(512))?.chars().all(letters) {
        return Err(not_found(name.text().unwrap_or_default()));
    }
    let language = template.key("language");
    language.object()?.key("code").required(None)?;
    language.key("policy").optional_word(&["deterministic"])?;
    let components = template.key("components").optional_items()?;
    check_components(&components, true)
}

/// No template has such a name, since none could be made.
fn not_found(name: &str) -> GraphError {
    GraphError::new(
        404,
        132_001,
        "Template name does not exist in the translation",
    )
    .details(format!("template name ({name}) does not exist"))
}

/// The components of a template or, without a carousel among them, of one of its cards.
fn check_components(components: &[At], whole: bool) -> Checked {
    let kinds: &[&'static str] = match whole {
        true => &["header", "body", "button", "carousel", "limited_time_offer"],
        false => &["header", "body", "button"],
    };
    let mut buttons = Vec::new();
    for component in components {
        match component.object()?.key("type").word(kinds)? {
            "header" => {
                let parameters = component.key("parameters");
                let parameters = parameters.items(0..=1)?;
                parameters.iter().try_for_each(|p| parameter(p, HEADER))?;
            }
            "body" => body(&component.key("parameters").optional_items()?)?,
            "button" => {
                button(component)?;
                buttons.push(component.clone());
            }
            "carousel" => cards(component)?,
            _ => {
                let parameters = component.key("parameters").items(1..=1)?;
                parameter(&parameters[0], &["limited_time_offer"])?;
            }
        }
    }
    unique(&buttons, "index")
}

const HEADER: &[&str] = &["text", "image", "video", "document", "location", "product"];

/// Body parameters: by position or by name, not mixed. Money and dates are known by position in
/// Meta's own example of names, so only texts are looked at.
fn body(parameters: &[At]) -> Checked {
    let (mut texts, mut named) = (0, 0);
    for one in parameters {
        // Media in the text of a card are Meta's own example in the carousel pages; elsewhere
        // they do not fit what was approved, which only Meta can see.
        let kinds = &[
            "text",
            "currency",
            "date_time",
            "image",
            "video",
            "document",
        ];
        parameter(one, kinds)?;
        if !one.key("text").is_absent() {
            texts += 1;
            named += usize::from(!one.key("parameter_name").is_empty());
        }
    }
    match named == 0 || named == texts {
        true => Ok(()),
        false => Err(mismatch(
            "parameters are named or in order, not both in one component",
        )),
    }
}

/// A button's kind and what its parameters may be.
const BUTTONS: &[(&str, &[&str])] = &[
    ("quick_reply", &["payload", "text"]),
    ("url", &["text"]),
    ("copy_code", &["coupon_code"]),
    ("flow", &["action"]),
    ("catalog", &["action"]),
    ("mpm", &["action"]),
    ("order_details", &["action"]),
    ("voice_call", &["ttl_minutes", "payload"]),
];

fn button(component: &At) -> Checked {
    let kinds: Vec<&'static str> = BUTTONS.iter().map(|(kind, _)| *kind).collect();
    let kind = component.key("sub_type").word(&kinds)?;
    // A template has ten buttons at most.
    component.key("index").number(0.0..=9.0)?;
    let of_kind = BUTTONS.iter().find(|(known, _)| *known == kind);
    let allowed = of_kind.map_or(&[][..], |(_, allowed)| allowed);
    let parameters = component.key("parameters").optional_items()?;
    parameters.iter().try_for_each(|p| parameter(p, allowed))
}

fn cards(component: &At) -> Checked {
    let cards = component.key("cards").items(1..=10)?;
    for card in &cards {
        card.object()?.key("card_index").number(0.0..=9.0)?;
        check_components(&card.key("components").optional_items()?, false)?;
    }
    unique(&cards, "card_index")
}

fn parameter(parameter: &At, kinds: &[&'static str]) -> Checked {
    parameter.object()?.key("parameter_name").optional(None)?;
    let kind = parameter.key("type").word(kinds)?;
    let content = parameter.key(kind);
    match kind {
        "text" => fill(&content),
        "payload" if content.is_absent() => Err(content.missing()),
        "payload" => content.optional_id(),
        "coupon_code" => content.id(Some(20)).map(drop),
        "ttl_minutes" => content.number(1.0..=43_200.0).map(drop),
        "currency" => {
            fill(&content.object()?.key("fallback_value"))?;
            content.key("code").required(None)?;
            let any = f64::NEG_INFINITY..=f64::INFINITY;
            content.key("amount_1000").number(any).map(drop)
        }
        "date_time" => fill(&content.object()?.key("fallback_value")),
        "location" => location(&content),
        "product" => {
            let id = content.object()?.key("product_retailer_id");
            id.id(None).map(drop)
        }
        "action" => content.object().map(drop),
        "limited_time_offer" => {
            let end = content.object()?.key("expiration_time_ms");
            end.number(0.0..=f64::MAX).map(drop)
        }
        _ => file(&content),
    }
}

/// A text that is put into another: on one line, and without gaps of its own.
fn fill(text: &At) -> Checked {
    let said = text.required(None)?;
    match said.contains(['\n', '\t']) || said.contains("     ") {
        true => Err(GraphError::new(
            400,
            132_018,
            "There is an issue with the parameters in your template",
        )
        .details(
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        )),
        false => Ok(()),
    }
}

fn mismatch(details: &str) -> GraphError {
    let title = "Parameter format does not match format in the created template";
    GraphError::new(400, 132_012, title).details(details)
}
