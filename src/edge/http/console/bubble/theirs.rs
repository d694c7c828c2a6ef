//! What came in: customers' messages of every type, calls, and what the business
//! wrote on its phone.

use super::{About, Ad, Bubble, Card, Fate, File, Item, PARTS_MAX, Part, Place, Shown, Side};
use super::{map, web};
use crate::gateway::inbox::{InboxRow, MediaRow, MediaState};
use crate::store::rows::{Event, InboxState};
use crate::wire::event::{self, Call, EventKind};
use crate::wire::message::{
    self, CallPermissionReply, Content, Interactive, Location, Media, Message, NfmReply, Order,
};
use serde_json::Value;

/// An event, drawn without what became of it and without its files: for quotes and
/// lists.
pub fn sketched(event: &Event) -> Bubble {
    drawn(event, &[])
}

/// An event with what became of it.
pub fn bubble(row: &InboxRow) -> Bubble {
    let fate = match row.state {
        InboxState::Done => row.error.as_ref().map(|why| Fate {
            key: "passed_over",
            why: Some(why.clone()),
            ..Fate::default()
        }),
        InboxState::Pending => Some(Fate {
            key: "pending",
            why: row.error.clone(),
            ..Fate::default()
        }),
        InboxState::Dead => Some(Fate {
            key: "dead",
            is_bad: true,
            why: row.error.clone(),
            ..Fate::default()
        }),
    };
    Bubble {
        fate,
        ..drawn(&row.event, &row.media)
    }
}

fn drawn(event: &Event, files: &[MediaRow]) -> Bubble {
    let read = event::Event::read(&event.body);
    let side = match (&read.kind, read.is_own()) {
        (_, true) => Side::Phone,
        (EventKind::Message(message), _) if matches!(message.content, Content::System(_)) => {
            Side::News
        }
        (EventKind::Message(_) | EventKind::Call(_), _) => Side::Theirs,
        _ => Side::News,
    };
    let (id, more) = (format!("e{}", event.id), format!("/inbox/{}", event.id));
    let mut bubble = Bubble::new(id, more, side, event.received_at);
    match &read.kind {
        EventKind::Message(message) => {
            if message.group_id.is_some() {
                bubble.author = read.sender_name().map(str::to_owned);
            }
            said(message, files, &mut bubble);
        }
        EventKind::Call(call) => bubble.parts.push(called(call)),
        EventKind::Status(_) | EventKind::Change(_) => bubble.parts.push(Part::Note {
            key: "news",
            text: Some(event.type_.clone()),
        }),
    }
    bubble
}

fn said(message: &Message, files: &[MediaRow], bubble: &mut Bubble) {
    bubble.wamid = Some(message.id.clone()).filter(|id| !id.is_empty());
    if let Some(context) = &message.context {
        bubble.is_forwarded = context.forwarded || context.frequently_forwarded;
        let answered = context.id.clone();
        bubble.about = answered.map(|wamid| About::Quote { wamid });
    }
    bubble.ad = message.referral.as_ref().map(|referral| Ad {
        headline: referral.headline.clone(),
        body: referral.body.clone(),
        href: referral.source_url.as_deref().and_then(web),
    });
    if let Some(about) = about(&message.content) {
        bubble.about = Some(about);
    }
    bubble.parts = parts(&message.content, files);
    let told = message.errors.iter().filter_map(|error| {
        let details = error.details.as_ref().or(error.message.as_ref());
        details.or(error.title.as_ref()).cloned()
    });
    if let Some(text) = told.into_iter().next() {
        bubble.parts.push(Part::Foot { text });
    }
}

fn about(content: &Content) -> Option<About> {
    match content {
        Content::Reaction { message_id, emoji } => Some(About::Reaction {
            wamid: message_id.clone(),
            emoji: emoji.clone(),
        }),
        Content::Edit {
            original_message_id,
            ..
        } => Some(About::Edit {
            wamid: original_message_id.clone(),
        }),
        Content::Revoke {
            original_message_id,
        } => Some(About::Revoke {
            wamid: original_message_id.clone(),
        }),
        _ => None,
    }
}

/// What a message says; `files` are those that were kept of it.
pub(super) fn parts(content: &Content, files: &[MediaRow]) -> Vec<Part> {
    match content {
        Content::Text { body } => vec![text(body)],
        Content::Image(media) => vec![file("image", media, files)],
        Content::Video(media) => vec![file("video", media, files)],
        Content::Audio(media) if media.voice => vec![file("voice", media, files)],
        Content::Audio(media) => vec![file("audio", media, files)],
        Content::Document(media) => vec![file("document", media, files)],
        Content::Sticker(media) => vec![file("sticker", media, files)],
        Content::Location(location) => vec![Part::Place(place(location))],
        Content::Contacts(cards) => {
            let cards = cards.iter().take(PARTS_MAX);
            cards.map(|one| Part::Card(card(one))).collect()
        }
        Content::Interactive(reply) => vec![interactive(reply)],
        Content::Button { payload, text } => vec![Part::Choice {
            title: text.clone().or(payload.clone()).unwrap_or_default(),
            description: None,
            id: payload.clone(),
        }],
        Content::Reaction { emoji, .. } => vec![match emoji {
            Some(emoji) => note("reacted", Some(emoji.clone())),
            None => note("unreacted", None),
        }],
        Content::Order(cart) => order(cart),
        Content::System(system) => {
            vec![note("system", system.body.clone().or(system.kind.clone()))]
        }
        Content::Unsupported { kind } => vec![note("unsupported", kind.clone())],
        Content::RequestWelcome => vec![note("welcome", None)],
        Content::Ephemeral => vec![note("ephemeral", None)],
        Content::MediaPlaceholder => vec![note("placeholder", None)],
        Content::Edit { content, .. } => {
            let mut parts = parts(content, files);
            parts.push(note("edit", None));
            parts
        }
        Content::Revoke { .. } => vec![note("revoke", None)],
        Content::Other { kind, value } => vec![raw(kind, value)],
    }
}

fn text(text: &str) -> Part {
    Part::Text {
        text: text.to_owned(),
    }
}

fn note(key: &'static str, text: Option<String>) -> Part {
    Part::Note { key, text }
}

pub(super) fn raw(kind: &str, value: &Value) -> Part {
    Part::Raw {
        kind: kind.to_owned(),
        json: serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

fn file(kind: &'static str, media: &Media, files: &[MediaRow]) -> Part {
    let kept = files.iter().find(|row| row.media.media_id == media.id);
    let shown = match kept.map(|row| row.state) {
        None | Some(MediaState::Deleted) => Shown::Unkept,
        Some(MediaState::Pending) => Shown::Coming,
        Some(MediaState::Failed) => Shown::Missing,
        Some(MediaState::Fetched) => shown_as(kind),
    };
    let href = kept.filter(|row| row.state == MediaState::Fetched);
    Part::File(File {
        kind,
        shown,
        href: href.map(|row| format!("/media/{}", row.media.id)),
        mime_type: kept
            .and_then(|row| row.media.mime_type.clone())
            .or(media.mime_type.clone()),
        filename: media.filename.clone(),
        bytes: kept.and_then(|row| row.media.bytes),
        caption: media.caption.clone(),
        why: kept.and_then(|row| row.error.clone()),
    })
}

fn shown_as(kind: &str) -> Shown {
    match kind {
        "image" | "sticker" => Shown::Picture,
        "video" => Shown::Film,
        "audio" | "voice" => Shown::Sound,
        _ => Shown::Saved,
    }
}

fn place(location: &Location) -> Place {
    let (latitude, longitude) = (location.latitude, location.longitude);
    Place {
        name: location.name.clone(),
        address: location.address.clone(),
        coordinates: format!("{latitude}, {longitude}"),
        href: map(latitude, longitude),
    }
}

fn card(card: &message::Card) -> Card {
    let phones = card
        .phones
        .iter()
        .filter_map(|p| p.phone.clone().or(p.wa_id.clone()));
    let emails = card.emails.iter().filter_map(|email| email.email.clone());
    let addresses = card.addresses.iter().map(|a| {
        let country = a.country.as_ref().or(a.country_code.as_ref());
        let parts = [&a.street, &a.zip, &a.city, &a.state];
        let parts = parts.into_iter().flatten().chain(country);
        parts.cloned().collect::<Vec<_>>().join(", ")
    });
    let org = card.org.iter().flat_map(|org| {
        let parts = [&org.title, &org.department, &org.company];
        parts.into_iter().flatten().cloned()
    });
    let urls = card.urls.iter().filter_map(|url| url.url.clone());
    let lines = phones.chain(emails).chain(addresses).chain(org).chain(urls);
    let lines = lines.chain(card.birthday.clone());
    let whole = |name: &message::CardName| {
        let parts = [&name.first_name, &name.last_name].into_iter().flatten();
        let parts: Vec<String> = parts.cloned().collect();
        name.formatted_name
            .clone()
            .or((!parts.is_empty()).then(|| parts.join(" ")))
    };
    Card {
        name: card.name.as_ref().and_then(whole),
        lines: lines
            .filter(|line| !line.is_empty())
            .take(PARTS_MAX)
            .collect(),
    }
}

fn interactive(reply: &Interactive) -> Part {
    match reply {
        Interactive::ButtonReply { id, title } => Part::Choice {
            title: title.clone(),
            description: None,
            id: Some(id.clone()),
        },
        Interactive::ListReply {
            id,
            title,
            description,
        } => Part::Choice {
            title: title.clone(),
            description: description.clone(),
            id: Some(id.clone()),
        },
        Interactive::NfmReply(form) => filled_in(form),
        Interactive::CallPermissionReply(CallPermissionReply { response, .. }) => {
            let key = match response.as_str() {
                "accept" => "may_call",
                "reject" => "may_not_call",
                _ => "call_permission",
            };
            note(key, None)
        }
        Interactive::Other { kind, value } => raw(kind, value),
    }
}

fn filled_in(form: &NfmReply) -> Part {
    let fields = match form.response() {
        Some(Value::Object(answers)) => {
            let answers = answers.into_iter().filter(|(name, _)| name != "flow_token");
            let answers = answers.map(|(name, value)| (name, plain(&value)));
            answers.take(PARTS_MAX).collect()
        }
        _ => vec![(String::new(), form.response_json.clone())],
    };
    Part::Fields {
        key: "form",
        name: form.body.clone().or(form.name.clone()),
        fields,
    }
}

/// A value as a person reads it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn order(order: &Order) -> Vec<Part> {
    let items = order.product_items.iter().take(PARTS_MAX).map(|item| {
        let currency = item.currency.as_deref().unwrap_or_default();
        let price = item.item_price.as_ref();
        Item {
            product: item.product_retailer_id.clone().unwrap_or_default(),
            quantity: item.quantity,
            price: price.map(|price| format!("{price} {currency}").trim().to_owned()),
        }
    });
    let mut parts = vec![Part::Order {
        items: items.collect(),
    }];
    parts.extend(order.text.as_deref().map(text));
    parts
}

fn called(call: &Call) -> Part {
    let key = match (call.event.as_str(), call.status.as_deref()) {
        ("connect", _) => "call",
        ("terminate", Some("FAILED")) => "call_failed",
        ("terminate", _) => "call_ended",
        ("call_recording_available", _) => "call_recorded",
        _ => "call_news",
    };
    let length = call
        .duration
        .map(|seconds| format!("{}:{:02}", seconds / 60, seconds % 60));
    let other = (key == "call_news").then(|| call.event.clone());
    note(key, length.or(other))
}
