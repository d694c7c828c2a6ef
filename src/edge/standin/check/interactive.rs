//! Interactive messages: header, body, footer, and what each kind does.

use std::ops::RangeInclusive;

use super::at::{At, Checked, unique};
use super::content::file;

const KINDS: &[&str] = &[
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
    "voice_call",
    "call_permission_request",
    "contact_request",
    "order_details",
    "order_status",
];

pub(super) fn check(interactive: &At) -> Checked {
    let kind = interactive.key("type").word(KINDS)?;
    frame(interactive, kind)?;
    let action = interactive.key("action");
    action.object()?;
    match kind {
        "button" => buttons(&action),
        "list" => list(&action),
        "cta_url" => cta_url(&action),
        "flow" => flow(&action),
        "product" => product(&action),
        "product_list" => product_list(&action),
        "catalog_message" => catalog(&action),
        "location_request_message" => named(&action, "send_location"),
        "address_message" => address(&action),
        "carousel" => carousel(&action),
        "voice_call" => voice_call(&action),
        "call_permission_request" => named(&action, "call_permission_request"),
        "contact_request" => named(&action, "request_contact_info"),
        "order_details" => order(&action, "review_and_pay"),
        _ => order(&action, "review_order"),
    }
}

/// What stands around the action.
fn frame(interactive: &At, kind: &str) -> Checked {
    let (header, body, footer) = (
        interactive.key("header"),
        interactive.key("body"),
        interactive.key("footer"),
    );
    match kind {
        "product" => header.unexpected()?,
        "carousel" => {
            header.unexpected()?;
            footer.unexpected()?;
        }
        "product_list" => drop(header.object()?),
        _ => {}
    }
    if !header.is_absent() {
        let kinds: &[&'static str] = match kind {
            "list" | "product_list" => &["text"],
            _ => &["text", "image", "video", "document"],
        };
        check_header(&header, kinds)?;
    }
    // A product speaks for itself, and so does the question whether one may call.
    let may_lack = ["product", "call_permission_request"].contains(&kind);
    if !body.is_absent() || !may_lack {
        let max = if kind == "list" { 4096 } else { 1024 };
        body.object()?.key("text").required(Some(max))?;
    }
    if !footer.is_absent() {
        footer.object()?.key("text").required(Some(60))?;
    }
    Ok(())
}

fn check_header(header: &At, kinds: &[&'static str]) -> Checked {
    match header.object()?.key("type").word(kinds)? {
        "text" => header.key("text").required(Some(60)).map(drop),
        kind => file(&header.key(kind)),
    }
}

/// The action's name says again what it is.
fn named(action: &At, name: &'static str) -> Checked {
    action.key("name").word(&[name]).map(drop)
}

/// One to three.
fn buttons(action: &At) -> Checked {
    let mut replies = Vec::new();
    for button in action.key("buttons").items(1..=3)? {
        button.object()?.key("type").optional_word(&["reply"])?;
        let reply = button.key("reply");
        reply_button(&reply)?;
        replies.push(reply);
    }
    unique(&replies, "id")?;
    unique(&replies, "title")
}

fn reply_button(reply: &At) -> Checked {
    reply.object()?.key("id").id(Some(256))?;
    reply.key("title").required(Some(20)).map(drop)
}

/// Ten rows in all, in at most ten sections.
fn list(action: &At) -> Checked {
    action.key("button").required(Some(20))?;
    let rows = sections(action, "rows", 1..=10)?;
    for row in &rows {
        row.object()?.key("id").id(Some(200))?;
        row.key("title").required(Some(24))?;
        row.key("description").optional(Some(72))?;
    }
    unique(&rows, "id")
}

/// What all sections together hold.
fn sections<'a>(action: &At<'a>, key: &str, in_all: RangeInclusive<usize>) -> Checked<Vec<At<'a>>> {
    let place = action.key("sections");
    let sections = place.items(1..=10)?;
    let mut all = Vec::new();
    for section in &sections {
        let title = section.object()?.key("title");
        match sections.len() {
            1 => drop(title.optional(Some(24))?),
            _ => drop(title.required(Some(24))?),
        }
        all.extend(section.key(key).items(1..=*in_all.end())?);
    }
    match in_all.contains(&all.len()) {
        true => Ok(all),
        false => Err(place.invalid(&format!("{} {key} in total", all.len()))),
    }
}

fn cta_url(action: &At) -> Checked {
    named(action, "cta_url")?;
    link_button(&action.key("parameters"))
}

fn link_button(parameters: &At) -> Checked {
    parameters
        .object()?
        .key("display_text")
        .required(Some(20))?;
    parameters.key("url").required(None).map(drop)
}

fn flow(action: &At) -> Checked {
    named(action, "flow")?;
    let parameters = action.key("parameters");
    let version = parameters.object()?.key("flow_message_version");
    if version.id(None)? != "3" {
        return Err(version.invalid("must be 3"));
    }
    let (id, name) = (parameters.key("flow_id"), parameters.key("flow_name"));
    match (id.is_empty(), name.is_empty()) {
        (true, true) => return Err(id.missing()),
        (false, false) => return Err(parameters.invalid("flow_id or flow_name, not both")),
        _ => {}
    }
    id.optional_id()?;
    name.optional(None)?;
    parameters.key("flow_cta").required(Some(30))?;
    parameters
        .key("mode")
        .optional_word(&["published", "draft"])?;
    parameters.key("flow_token").optional(None)?;
    parameters
        .key("flow_action")
        .optional_word(&["navigate", "data_exchange"])?;
    let payload = parameters.key("flow_action_payload");
    match payload.is_absent() {
        true => Ok(()),
        false => payload.object()?.key("screen").required(None).map(drop),
    }
}

fn product(action: &At) -> Checked {
    action.key("catalog_id").id(None)?;
    action.key("product_retailer_id").id(None).map(drop)
}

fn product_list(action: &At) -> Checked {
    action.key("catalog_id").id(None)?;
    let products = sections(action, "product_items", 1..=30)?;
    products.iter().try_for_each(|product| {
        let id = product.object()?.key("product_retailer_id");
        id.id(None).map(drop)
    })
}

fn catalog(action: &At) -> Checked {
    named(action, "catalog_message")?;
    let parameters = action.key("parameters");
    match parameters.is_absent() {
        true => Ok(()),
        false => parameters
            .object()?
            .key("thumbnail_product_retailer_id")
            .optional_id(),
    }
}

/// For users in India only.
fn address(action: &At) -> Checked {
    named(action, "address_message")?;
    let parameters = action.key("parameters");
    let country = parameters.object()?.key("country");
    match country.required(None)? {
        "IN" => Ok(()),
        _ => Err(country.invalid("must be IN")),
    }
}

/// Two to ten cards, all of one kind.
fn carousel(action: &At) -> Checked {
    let cards = action.key("cards").items(2..=10)?;
    let mut first = None;
    for card in &cards {
        card.object()?.key("card_index").number(0.0..=9.0)?;
        let shape = self::card(card)?;
        match *first.get_or_insert(shape) == shape {
            true => {}
            false => return Err(card.invalid("all cards must be of one kind")),
        }
    }
    unique(&cards, "card_index")
}

/// A card's kind and how many reply buttons it has: in these all must agree.
fn card(card: &At) -> Checked<(&'static str, usize)> {
    let kind = match card.key("type").is_empty() {
        true => "",
        false => card.key("type").word(&["cta_url", "product"])?,
    };
    let body = card.key("body");
    if !body.is_absent() {
        let text = body.object()?.key("text");
        if text.optional(Some(160))?.matches('\n').count() > 2 {
            return Err(text.invalid("at most 2 line breaks"));
        }
    }
    let header = card.key("header");
    if !header.is_absent() || kind == "cta_url" {
        check_header(&header, &["image", "video"])?;
    }
    let action = card.key("action");
    action.object()?;
    if kind == "product" {
        product(&action)?;
        return Ok((kind, 0));
    }
    let buttons = action.key("buttons");
    if buttons.is_absent() {
        if kind == "cta_url" {
            cta_url(&action)?;
        }
        return Ok((kind, 0));
    }
    let buttons = buttons.items(1..=usize::MAX)?;
    for button in &buttons {
        button.object()?;
        reply_button(&button.key("quick_reply"))?;
    }
    Ok((kind, buttons.len()))
}

/// A call works for 30 days at most.
fn voice_call(action: &At) -> Checked {
    named(action, "voice_call")?;
    let parameters = action.key("parameters");
    if parameters.is_absent() {
        return Ok(());
    }
    parameters
        .object()?
        .key("display_text")
        .optional(Some(20))?;
    parameters
        .key("ttl_minutes")
        .optional_number(1.0..=43_200.0)?;
    parameters.key("payload").optional(None).map(drop)
}

/// What the parameters hold differs by country and is Meta's payments pages' to say.
fn order(action: &At, name: &'static str) -> Checked {
    named(action, name)?;
    action.key("parameters").object().map(drop)
}
