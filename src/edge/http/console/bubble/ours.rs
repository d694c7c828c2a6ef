//! What went out, or is to: message objects of every type, and how far they got.

use super::theirs::{self, plain, raw};
use super::web;
use super::{About, Bubble, Button, Fate, File, PARTS_MAX, Part, Section, Shown, Side};
use crate::policy::codes;
use crate::policy::ladder::SendState;
use crate::store::rows::Message;
use crate::wire::message::{self, Content};
use serde_json::Value;

/// A message with how far it got.
pub fn bubble(message: &Message) -> Bubble {
    let (id, more) = (
        format!("m{}", message.id),
        format!("/outbox/{}", message.id),
    );
    let side = match message.cause {
        Some(_) => Side::Bot,
        None => Side::Ours,
    };
    let mut bubble = Bubble::new(id, more, side, message.created_at);
    bubble.wamid = message.wamid.clone();
    bubble.fate = Some(fate(message));
    let sent = message.substitute.as_ref().unwrap_or(&message.body);
    let Ok(body) = serde_json::from_str::<Value>(sent) else {
        bubble.parts.push(Part::Raw {
            kind: message.type_.clone(),
            json: sent.clone(),
        });
        return bubble;
    };
    let quoted = body["context"]["message_id"].as_str();
    bubble.about = quoted.map(|wamid| About::Quote {
        wamid: wamid.to_owned(),
    });
    if let Some(wamid) = body["reaction"]["message_id"].as_str() {
        let emoji = body["reaction"]["emoji"].as_str().unwrap_or_default();
        bubble.about = Some(About::Reaction {
            wamid: wamid.to_owned(),
            emoji: Some(emoji.to_owned()).filter(|emoji| !emoji.is_empty()),
        });
    }
    bubble.parts = parts(&body);
    bubble
}

/// How far a message got, and why no further.
pub fn fate(message: &Message) -> Fate {
    let key = message.state.as_str();
    let is_bad = matches!(message.state, SendState::Failed | SendState::Held);
    let explained = || {
        message
            .error_code
            .and_then(codes::explain)
            .map(str::to_owned)
    };
    let ended_well = message.state.is_out() && message.state != SendState::Failed;
    Fate {
        key,
        is_bad,
        code: message.error_code.filter(|_| !ended_well),
        why: message
            .error
            .clone()
            .or_else(explained)
            .filter(|_| !ended_well),
        is_replaced: message.substitute.is_some(),
    }
}

fn parts(body: &Value) -> Vec<Part> {
    let kind = body["type"].as_str().unwrap_or("text");
    let payload = &body[kind];
    match kind {
        "interactive" => interactive(payload),
        "template" => template(payload),
        "image" | "video" | "audio" | "document" | "sticker" => vec![file(kind, payload)],
        _ => match message::Message::read(body).content {
            Content::Other { kind, .. } => vec![raw(&kind, payload)],
            content => theirs::parts(&content, &[]),
        },
    }
}

/// A file that Meta has from us, or that lies somewhere on the web: there is none
/// to be shown here.
fn file(kind: &str, payload: &Value) -> Part {
    let text = |key: &str| payload[key].as_str().map(str::to_owned);
    let link = text("link");
    Part::File(File {
        kind: known(kind),
        shown: match link {
            Some(_) => Shown::Linked,
            None => Shown::Unkept,
        },
        href: link.as_deref().and_then(web),
        mime_type: None,
        filename: text("filename"),
        bytes: None,
        caption: text("caption"),
        why: None,
    })
}

fn known(kind: &str) -> &'static str {
    match kind {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        "sticker" => "sticker",
        _ => "document",
    }
}

fn interactive(payload: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    head(&payload["header"], &mut parts);
    if let Some(text) = payload["body"]["text"].as_str() {
        parts.push(Part::Text { text: text.into() });
    }
    if let Some(text) = payload["footer"]["text"].as_str() {
        parts.push(Part::Foot { text: text.into() });
    }
    let action = &payload["action"];
    let kind = payload["type"].as_str().unwrap_or_default();
    parts.extend(match kind {
        "button" => vec![Part::Buttons {
            buttons: replies(action),
        }],
        "list" => vec![
            buttons([(action["button"].as_str(), None)]),
            Part::List {
                sections: sections(action),
            },
        ],
        "cta_url" => {
            let parameters = &action["parameters"];
            vec![buttons([(
                parameters["display_text"].as_str(),
                parameters["url"].as_str(),
            )])]
        }
        "flow" => {
            let parameters = &action["parameters"];
            let flow = parameters["flow_id"]
                .as_str()
                .or(parameters["flow_name"].as_str());
            vec![buttons([(parameters["flow_cta"].as_str(), flow)])]
        }
        "product" => vec![products([&action["product_retailer_id"]])],
        "product_list" => sections_of_products(action),
        "catalog_message" => vec![note("catalog")],
        "location_request_message" => vec![note("location_request")],
        "address_message" => vec![note("address_request")],
        "call_permission_request" => vec![note("call_permission_request")],
        "voice_call" => {
            let label = action["parameters"]["display_text"].as_str();
            vec![buttons([(label, None)])]
        }
        "carousel" => cards(action),
        _ => vec![raw(kind, action)],
    });
    parts
}

fn note(key: &'static str) -> Part {
    Part::Note { key, text: None }
}

fn head(header: &Value, parts: &mut Vec<Part>) {
    match header["type"].as_str() {
        Some("text") => parts.push(Part::Head {
            text: header["text"].as_str().unwrap_or_default().into(),
        }),
        Some(kind @ ("image" | "video" | "document")) => parts.push(file(kind, &header[kind])),
        _ => {}
    }
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten().take(PARTS_MAX)
}

fn buttons<const N: usize>(buttons: [(Option<&str>, Option<&str>); N]) -> Part {
    let button = |(label, to): (Option<&str>, Option<&str>)| Button {
        label: label.unwrap_or_default().into(),
        to: to.map(str::to_owned),
    };
    Part::Buttons {
        buttons: buttons.into_iter().map(button).collect(),
    }
}

fn replies(action: &Value) -> Vec<Button> {
    let label = |button: &Value| button["reply"]["title"].as_str().unwrap_or_default().into();
    list(action, "buttons")
        .map(|button| Button {
            label: label(button),
            to: None,
        })
        .collect()
}

fn sections(action: &Value) -> Vec<Section> {
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    list(action, "sections")
        .map(|section| Section {
            title: text(section, "title").unwrap_or_default(),
            rows: list(section, "rows")
                .map(|row| {
                    let title = text(row, "title").unwrap_or_default();
                    (title, text(row, "description"))
                })
                .collect(),
        })
        .collect()
}

fn products<'v>(ids: impl IntoIterator<Item = &'v Value>) -> Part {
    Part::Fields {
        key: "products",
        name: None,
        fields: ids
            .into_iter()
            .map(|id| (String::new(), plain(id)))
            .collect(),
    }
}

fn sections_of_products(action: &Value) -> Vec<Part> {
    let sections = list(action, "sections").map(|section| {
        let items = list(section, "product_items").map(|item| &item["product_retailer_id"]);
        match products(items) {
            Part::Fields { key, fields, .. } => Part::Fields {
                key,
                name: section["title"].as_str().map(str::to_owned),
                fields,
            },
            other => other,
        }
    });
    sections.collect()
}

fn cards(action: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    for card in list(action, "cards") {
        // Cards of products, of links or of reply buttons.
        parts.extend(interactive(card));
    }
    parts.truncate(PARTS_MAX);
    parts
}

/// A template by its name: its text is Meta's, and only its gaps are ours.
fn template(payload: &Value) -> Vec<Part> {
    let language = payload["language"]["code"].as_str().unwrap_or_default();
    let name = payload["name"].as_str().unwrap_or_default();
    let mut fields = Vec::new();
    let mut files = Vec::new();
    for component in list(payload, "components") {
        let kind = component["type"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        for parameter in list(component, "parameters") {
            gap(&kind, parameter, &mut fields, &mut files);
        }
    }
    fields.truncate(PARTS_MAX);
    let mut parts = vec![Part::Fields {
        key: "template",
        name: Some(format!("{name} {language}").trim().to_owned()),
        fields,
    }];
    parts.extend(files);
    parts
}

fn gap(kind: &str, parameter: &Value, fields: &mut Vec<(String, String)>, files: &mut Vec<Part>) {
    let type_ = parameter["type"].as_str().unwrap_or("text");
    if let "image" | "video" | "document" = type_ {
        return files.push(file(type_, &parameter[type_]));
    }
    let named = parameter["parameter_name"].as_str();
    let value = match &parameter[type_] {
        // Currencies and dates say how they read where nothing else is known.
        Value::Object(object) if object.contains_key("fallback_value") => {
            plain(&object["fallback_value"])
        }
        value => plain(value),
    };
    fields.push((named.unwrap_or(kind).to_owned(), value));
}
