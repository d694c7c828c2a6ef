//! What stands under the name of a plain type.

use super::at::{At, Checked};
use super::{To, interactive, template};

/// Contacts in one message (messages API reference).
const CONTACTS_MAX: usize = 257;

pub(super) fn check(top: &At, kind: &str, to: &To) -> Checked {
    let content = top.key(kind);
    if kind == "contacts" {
        let cards = content.items(1..=CONTACTS_MAX)?;
        return cards.iter().try_for_each(contact);
    }
    content.object()?;
    match kind {
        "text" => {
            content.key("body").required(Some(4096))?;
            content.key("preview_url").optional_flag()
        }
        "image" | "video" | "audio" | "document" | "sticker" => media(&content, kind),
        "location" => location(&content),
        "reaction" => reaction(&content),
        "pin" => pin(&content, to),
        "template" => template::check(&content),
        _ => interactive::check(&content),
    }
}

/// A file of a kind: what goes with it differs.
fn media(media: &At, kind: &str) -> Checked {
    file(media)?;
    match kind {
        // A sound has no text below it, and neither has a sticker.
        "audio" | "sticker" => media.key("caption").unexpected()?,
        _ => drop(media.key("caption").optional(Some(1024))?),
    }
    match kind {
        "document" => drop(media.key("filename").optional(None)?),
        _ => media.key("filename").unexpected()?,
    }
    match kind {
        "audio" => media.key("voice").optional_flag(),
        _ => media.key("voice").unexpected(),
    }
}

/// Uploaded or on the web: exactly one of `id` and `link`.
pub(super) fn file(media: &At) -> Checked {
    media.object()?;
    let (id, link) = (media.key("id"), media.key("link"));
    match (id.is_empty(), link.is_empty()) {
        (true, true) => return Err(id.missing()),
        (false, false) => return Err(media.invalid("must have one of id and link, not both")),
        (false, true) => drop(id.id(None)?),
        (true, false) => {
            let url = link.required(None)?.trim_start().to_ascii_lowercase();
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(link.invalid("not a web address"));
            }
        }
    }
    // What is given beside it is a string, if only an empty one.
    id.optional_id()?;
    link.optional(None).map(drop)
}

pub(super) fn location(place: &At) -> Checked {
    place.object()?;
    place.key("latitude").number(-90.0..=90.0)?;
    place.key("longitude").number(-180.0..=180.0)?;
    place.key("name").optional(None)?;
    place.key("address").optional(None).map(drop)
}

/// Parts of a name, one of which stands beside the whole (Meta: contacts messages).
const NAME_PARTS: &[&str] = &["first_name", "last_name", "middle_name", "suffix", "prefix"];

/// A card's lists and the texts in their elements.
const CARD_LISTS: &[(&str, &[&str])] = &[
    ("phones", &["phone", "type", "wa_id"]),
    ("emails", &["email", "type"]),
    ("urls", &["url", "type"]),
    (
        "addresses",
        &[
            "street",
            "city",
            "state",
            "zip",
            "country",
            "country_code",
            "type",
        ],
    ),
];

fn contact(card: &At) -> Checked {
    let name = card.object()?.key("name");
    name.object()?.key("formatted_name").required(None)?;
    let mut parts = 0;
    for part in NAME_PARTS {
        parts += usize::from(!name.key(part).optional(None)?.is_empty());
    }
    if parts == 0 {
        let what = "needs one part of the name beside formatted_name";
        return Err(name.invalid(what));
    }
    for (list, keys) in CARD_LISTS {
        for entry in card.key(list).optional_items()? {
            entry.object()?;
            keys.iter()
                .try_for_each(|key| entry.key(key).optional_id())?;
        }
    }
    let org = card.key("org");
    if !org.is_absent() {
        org.object()?;
        for key in ["company", "department", "title"] {
            org.key(key).optional(None)?;
        }
    }
    birthday(&card.key("birthday"))
}

/// `YYYY-MM-DD`.
fn birthday(day: &At) -> Checked {
    let text = day.optional(None)?;
    let digits =
        |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [""] => Ok(()),
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => Ok(()),
        _ => Err(day.invalid("must be YYYY-MM-DD")),
    }
}

fn reaction(reaction: &At) -> Checked {
    reaction.key("message_id").id(None)?;
    let emoji = reaction.key("emoji");
    if emoji.is_absent() {
        return Err(emoji.missing());
    }
    // An empty one takes the reaction back.
    match is_one_emoji_at_most(emoji.optional(None)?) {
        true => Ok(()),
        false => Err(emoji.invalid("must be one emoji")),
    }
}

/// As far as can be said without a table of all emoji: nothing that is a letter, and one picture,
/// whatever is joined to it or colours it.
fn is_one_emoji_at_most(text: &str) -> bool {
    const JOINER: char = '\u{200d}';
    let is_flag = |c| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    // Variation selectors, the frame of a keycap, skin tones, and the tags of regional flags.
    let decorates = |c| {
        matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}'
            | '\u{e0020}'..='\u{e007f}')
    };
    let (mut pictures, mut flags, mut joined) = (0, 0, false);
    for c in text.chars() {
        if c.is_alphabetic() && !is_flag(c) || c.is_whitespace() || c.is_control() {
            return false;
        }
        if is_flag(c) {
            flags += 1;
        } else if c != JOINER && !decorates(c) && !joined {
            pictures += 1;
        }
        joined = c == JOINER;
    }
    // A flag is two letters of its own alphabet.
    pictures + (flags + 1) / 2 <= 1
}

fn pin(pin: &At, to: &To) -> Checked {
    pin.key("type").word(&["pin", "unpin"])?;
    pin.key("message_id").id(None)?;
    pin.key("expiration_days").optional_number(1.0..=30.0)?;
    match to {
        To::Group(_) => Ok(()),
        _ => Err(pin.invalid("messages are pinned in groups only")),
    }
}
