//! What a table cannot say: which rows go with which message, and what holds between places.

use serde_json::Value;

use super::Invalid;
use super::place::{Checked, Place};
use super::table::{self, CARD_LINE_BREAKS_MAX, LIST_ROWS_MAX, PRODUCTS_MAX};

/// A message object as it is posted: whom it is for, and the rest.
pub(super) fn posted(message: &Value) -> Checked {
    let top = Place::top(message);
    needed(&top.get("messaging_product"))?;
    let mark = top.get("status").given();
    if !mark && !top.get("to").given() && !top.get("recipient").given() {
        let what = "required, or recipient instead";
        return Err(Invalid::new(super::MISSING, "to", what));
    }
    content(message)
}

/// The rest.
pub(super) fn content(message: &Value) -> Checked {
    let top = Place::top(message);
    let status = top.get("status");
    if status.given() {
        // A status other than `read` is one we do not know.
        return match status.is("read") {
            true => top.check(table::RECEIPT).and_then(|()| product(&top)),
            false => Ok(()),
        };
    }
    top.check(table::COMMON)?;
    product(&top)?;
    // Graph's own default (messages API reference).
    let type_ = top.get("type").text().unwrap_or("text");
    if type_ == "contacts" {
        return top.check(table::CONTACTS);
    }
    let Some(rule) = rule(type_) else {
        return Ok(());
    };
    let content = top.get(type_);
    object(&content)?;
    rule(&content)
}

/// The types we know. What is not here passes.
fn rule(type_: &str) -> Option<fn(&Place) -> Checked> {
    Some(match type_ {
        "text" => |text| text.check(table::TEXTUAL),
        "image" | "video" | "document" | "sticker" => media,
        "audio" => |audio| audio.check(table::AUDIO).and_then(|()| media(audio)),
        "location" => |location| location.check(table::LOCATION),
        "reaction" => |reaction| reaction.check(table::REACTION),
        "pin" => |pin| pin.check(table::PIN),
        "template" => template,
        "interactive" => interactive,
        _ => return None,
    })
}

fn product(top: &Place) -> Checked {
    let product = top.get("messaging_product");
    match product.given() && !product.is("whatsapp") {
        true => Err(Invalid::value(&product.path, "must be whatsapp")),
        false => Ok(()),
    }
}

/// A file: uploaded or on the web, not both and not neither.
fn media(media: &Place) -> Checked {
    media.check(table::MEDIA)?;
    let (id, link) = (media.get("id"), media.get("link"));
    match (id.given(), link.text()) {
        (true, Some(_)) => Err(Invalid::value(&media.path, "id or link, not both")),
        (false, None) => Err(Invalid::new(
            super::MISSING,
            &media.path,
            "id or link is required",
        )),
        (_, Some(url)) if !is_web(url) => Err(Invalid::value(
            &link.path,
            "must begin with https:// or http://",
        )),
        _ => Ok(()),
    }
}

fn is_web(url: &str) -> bool {
    let scheme = url
        .trim_start()
        .split_once("://")
        .map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

fn template(template: &Place) -> Checked {
    template.check(table::TEMPLATE)?;
    components(&template.get("components"))
}

fn components(components: &Place) -> Checked {
    components.items().iter().try_for_each(|component| {
        object(component)?;
        component.check(table::COMPONENT)?;
        let type_ = component.get("type");
        if type_.is("button") {
            component.check(table::TEMPLATE_BUTTON)?;
        }
        if type_.is("carousel") {
            cards(component)?;
        }
        let parameters = component.get("parameters").items();
        parameters.iter().try_for_each(parameter)
    })
}

/// The cards of a template. They hold components in turn, but no further carousel in anything
/// Meta describes; the depth of a value we can read bounds the recursion.
fn cards(component: &Place) -> Checked {
    component.check(table::TEMPLATE_CARDS)?;
    let cards = component.get("cards").items();
    unique(&cards, "card_index")?;
    cards
        .iter()
        .try_for_each(|card| components(&card.get("components")))
}

fn parameter(parameter: &Place) -> Checked {
    let type_ = parameter.get("type").text().unwrap_or_default();
    // Meta's pages write it now small, now in capitals.
    let type_ = type_.to_ascii_lowercase();
    let Some(rows) = table::named(table::PARAMETERS, &type_) else {
        return Ok(());
    };
    parameter.check(rows)?;
    match type_.as_str() {
        kind @ ("image" | "video" | "document") => media(&parameter.get(kind)),
        "location" => parameter.get("location").check(table::LOCATION),
        _ => Ok(()),
    }
}

fn interactive(interactive: &Place) -> Checked {
    interactive.check(table::INTERACTIVE_TYPE)?;
    let kind = interactive.get("type").text().unwrap_or_default();
    let Some(rows) = table::named(table::INTERACTIVE, kind) else {
        return Ok(());
    };
    interactive.check(table::FRAME)?;
    interactive.check(rows)?;
    let action = interactive.get("action");
    header(
        &interactive.get("header"),
        match kind {
            "list" | "product_list" => &["text"],
            _ => HEADERS,
        },
    )?;
    match kind {
        "button" => buttons(&action),
        "list" => list(&action),
        "flow" => flow(&action.get("parameters")),
        "product_list" => sections(&action, "product_items", "products", PRODUCTS_MAX),
        "carousel" => carousel(&action.get("cards").items()),
        _ => Ok(()),
    }
}

/// The headers we know.
const HEADERS: &[&str] = &["text", "image", "video", "document"];

/// A header of one of the `allowed` types, or of one we do not know.
fn header(header: &Place, allowed: &[&str]) -> Checked {
    let type_ = header.get("type");
    let Some(kind) = HEADERS.iter().find(|kind| type_.is(kind)) else {
        return Ok(());
    };
    if !allowed.contains(kind) {
        let what = format!("must be {}", allowed.join(" or "));
        return Err(Invalid::value(&type_.path, what));
    }
    if *kind == "text" {
        return header.check(table::HEADER_TEXT);
    }
    let file = header.get(kind);
    object(&file)?;
    media(&file)
}

fn buttons(action: &Place) -> Checked {
    let buttons = action.get("buttons").items();
    for button in &buttons {
        let type_ = button.get("type");
        if !type_.given() || type_.is("reply") {
            needed(&button.get("reply"))?;
        }
    }
    unique(&buttons, "reply.id")?;
    unique(&buttons, "reply.title")
}

fn list(action: &Place) -> Checked {
    sections(action, "rows", "rows", LIST_ROWS_MAX)?;
    let sections = action.get("sections").items();
    let rows: Vec<Place> = sections
        .iter()
        .flat_map(|section| section.get("rows").items())
        .collect();
    unique(&rows, "id")
}

/// Sections: named when there are several, and not too much in all of them together.
fn sections(action: &Place, key: &str, what: &str, max: usize) -> Checked {
    let place = action.get("sections");
    let sections = place.items();
    if sections.len() > 1 {
        let untitled = sections
            .iter()
            .map(|section| section.get("title"))
            .find(|title| !title.given());
        if let Some(title) = untitled {
            let what = "required with more than one section";
            return Err(Invalid::new(super::MISSING, &title.path, what));
        }
    }
    let found: usize = sections
        .iter()
        .map(|section| section.get(key).items().len())
        .sum();
    if found > max {
        let what = format!("at most {max} {what} in total, found {found}");
        return Err(Invalid::value(&place.path, what));
    }
    Ok(())
}

fn flow(parameters: &Place) -> Checked {
    let id = parameters.get("flow_id");
    match (id.given(), parameters.get("flow_name").given()) {
        (true, true) => Err(Invalid::value(
            &parameters.path,
            "flow_id or flow_name, not both",
        )),
        (false, false) => Err(Invalid::new(
            super::MISSING,
            &id.path,
            "required, or flow_name instead",
        )),
        _ => Ok(()),
    }
}

fn carousel(cards: &[Place]) -> Checked {
    unique(cards, "card_index")?;
    for card in cards {
        alike(&cards[0], card)?;
        header(&card.get("header"), &["image", "video"])?;
        match card.get("type") {
            type_ if type_.is("product") => {
                needed(&card.get("action.catalog_id"))?;
                needed(&card.get("action.product_retailer_id"))?;
            }
            type_ if type_.is("cta_url") => {
                needed(&card.get("header"))?;
                if !card.get("action.buttons").given() {
                    needed(&card.get("action.parameters"))?;
                }
            }
            _ => {}
        }
        line_breaks(&card.get("body.text"))?;
    }
    Ok(())
}

fn line_breaks(text: &Place) -> Checked {
    let found = text.text().unwrap_or_default().matches('\n').count();
    if found > CARD_LINE_BREAKS_MAX {
        let what = format!("at most {CARD_LINE_BREAKS_MAX} line breaks, found {found}");
        return Err(Invalid::value(&text.path, what));
    }
    Ok(())
}

fn needed(place: &Place) -> Checked {
    match place.given() {
        true => Ok(()),
        false => Err(Invalid::missing(&place.path)),
    }
}

/// All cards are of one kind and have as many buttons.
fn alike(first: &Place, card: &Place) -> Checked {
    let type_ = card.get("type");
    let (one, other) = (first.get("type").text(), type_.text());
    if one.is_some() && other.is_some() && one != other {
        return Err(Invalid::value(&type_.path, "all cards must be of one type"));
    }
    let buttons = card.get("action.buttons");
    if first.get("action.buttons").items().len() != buttons.items().len() {
        let what = "all cards must have as many buttons";
        return Err(Invalid::value(&buttons.path, what));
    }
    Ok(())
}

/// Nothing stands twice under `keys`.
fn unique(places: &[Place], keys: &str) -> Checked {
    let values: Vec<Place> = places.iter().map(|place| place.get(keys)).collect();
    let given: Vec<&Place> = values.iter().filter(|place| place.given()).collect();
    let twice = given.iter().enumerate().find(|(index, place)| {
        let before = &given[..*index];
        before.iter().any(|earlier| earlier.value == place.value)
    });
    match twice {
        Some((_, place)) => Err(Invalid::value(&place.path, "must be unique")),
        None => Ok(()),
    }
}

fn object(place: &Place) -> Checked {
    place.check(table::OBJECT)
}
