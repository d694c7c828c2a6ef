//! What is drawn of something said: its parts as values for a template, whatever
//! kind it is. Pure: what stands in the store goes in, what a page shows comes
//! out. Words are the page's; here are their keys.
//!
//! * [`theirs`]: what came in
//! * [`ours`]: what went out

pub mod ours;
#[cfg(test)]
mod tests;
pub mod theirs;

use super::ROOT;
use serde::Serialize;

/// Parts, rows and answers of one bubble that are drawn: Meta allows fewer.
const PARTS_MAX: usize = 100;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The person.
    Theirs,
    /// An operator, or a program through the API.
    Ours,
    /// What answers to what comes in: rules, a program, an app.
    Bot,
    /// The business, on its phone.
    Phone,
    /// Nobody: news of Meta's.
    News,
}

impl Side {
    /// Whether two are one to WhatsApp: of one's reactions to a message only the last
    /// counts.
    fn is_one_with(self, other: Side) -> bool {
        let is_business = |side| matches!(side, Side::Ours | Side::Bot | Side::Phone);
        self == other || (is_business(self) && is_business(other))
    }
}

/// Something said, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bubble {
    /// What it is called in the page: `e12` or `m40`.
    pub id: String,
    /// Where more of it stands, below the console's root.
    pub more: String,
    /// Who said it.
    pub side: Side,
    /// When we had it, in Unix milliseconds.
    pub at: i64,
    /// The member of a group who said it.
    pub author: Option<String>,
    /// It was passed on.
    pub is_forwarded: bool,
    /// What it answers.
    pub quote: Option<Quote>,
    /// The ad or post that led here.
    pub ad: Option<Ad>,
    /// What it says.
    pub parts: Vec<Part>,
    /// Emojis on it.
    pub reactions: Vec<Reaction>,
    /// It was changed, or deleted for everyone, later on.
    pub later: Option<Later>,
    /// What became of it.
    pub fate: Option<Fate>,
    /// The id by which others of Meta's objects name it.
    #[serde(skip)]
    pub wamid: Option<String>,
    /// What it does to another, which is named by its id.
    #[serde(skip)]
    pub about: Option<About>,
}

/// What is done to another message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An emoji is put on it, or taken off.
    Reaction {
        /// The other message.
        wamid: String,
        /// `None`: taken off.
        emoji: Option<String>,
    },
    /// It is answered.
    Quote {
        /// The other message.
        wamid: String,
    },
    /// It says something else now.
    Edit {
        /// The other message.
        wamid: String,
    },
    /// It was deleted for everyone.
    Revoke {
        /// The other message.
        wamid: String,
    },
}

impl About {
    /// The other message.
    pub fn wamid(&self) -> &str {
        match self {
            About::Reaction { wamid, .. }
            | About::Quote { wamid }
            | About::Edit { wamid }
            | About::Revoke { wamid } => wamid,
        }
    }
}

/// An emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// What was put there.
    pub emoji: String,
    /// By whom.
    pub side: Side,
    /// By which member of a group.
    pub author: Option<String>,
}

/// What a message answers, changes or reacts to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// Where it stands, on this page or another; `None` when it is not kept here.
    pub href: Option<String>,
    /// Who said it, if that is known.
    pub side: Option<Side>,
    /// How it begins.
    pub gist: Gist,
}

/// An ad or post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ad {
    /// Its headline.
    pub headline: Option<String>,
    /// Its text.
    pub body: Option<String>,
    /// Its address, when that is one of the web.
    pub href: Option<String>,
}

/// What happened to a message after it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Later {
    /// It says something else now.
    Edited,
    /// It was deleted for everyone.
    Deleted,
}

/// What became of something said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// A key of `words.fate`.
    pub key: &'static str,
    /// A person should look.
    pub is_bad: bool,
    /// Meta's error code.
    pub code: Option<i64>,
    /// Why, in words.
    pub why: Option<String>,
    /// A template went out in its place.
    pub is_replaced: bool,
}

/// A piece of what is said.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "lowercase")]
pub enum Part {
    /// Text.
    Text {
        /// What it says.
        text: String,
    },
    /// A line above, in strong letters.
    Head {
        /// What it says.
        text: String,
    },
    /// Small print below.
    Foot {
        /// What it says.
        text: String,
    },
    /// A file.
    File(File),
    /// A place.
    Place(Place),
    /// An address card.
    Card(Card),
    /// Buttons below a message.
    Buttons {
        /// Each of them.
        buttons: Vec<Button>,
    },
    /// What opens when a list's button is tapped.
    List {
        /// Titles and their rows.
        sections: Vec<Section>,
    },
    /// What was tapped or chosen.
    Choice {
        /// What it says.
        title: String,
        /// Its second line.
        description: Option<String>,
        /// What we attached to it.
        id: Option<String>,
    },
    /// A form filled in, or the gaps of a template.
    Fields {
        /// A key of `words.bubble`: what they are.
        key: &'static str,
        /// The form's or the template's own name.
        name: Option<String>,
        /// Names, which may be empty, and values.
        fields: Vec<(String, String)>,
    },
    /// A cart.
    Order {
        /// Its rows.
        items: Vec<Item>,
    },
    /// A sentence of ours.
    Note {
        /// A key of `words.bubble`.
        key: &'static str,
        /// What Meta or the person says to it.
        text: Option<String>,
    },
    /// What we have no drawing for, as JSON.
    Raw {
        /// What Meta calls it.
        kind: String,
        /// The whole of it.
        json: String,
    },
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// What Meta calls it: `image`, `document`, …; a key of `words.bubble`.
    pub kind: &'static str,
    /// How it is shown.
    pub shown: Shown,
    /// Where it is: below the console's root when we have it, elsewhere when it is
    /// a link.
    pub href: Option<String>,
    /// Its type.
    pub mime_type: Option<String>,
    /// The sender's name for it.
    pub filename: Option<String>,
    /// Its length.
    pub bytes: Option<u64>,
    /// What stands below it.
    pub caption: Option<String>,
    /// Why it is not here.
    pub why: Option<String>,
}

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// As a picture.
    Picture,
    /// As a film.
    Film,
    /// As a sound.
    Sound,
    /// To be saved.
    Saved,
    /// It is being fetched.
    Coming,
    /// It could not be fetched.
    Missing,
    /// It is not kept here.
    Unkept,
    /// It lies somewhere else, and is only named.
    Linked,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Place {
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// Degrees, written out.
    pub coordinates: String,
    /// A map.
    pub href: String,
}

/// An address card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Whose it is.
    pub name: Option<String>,
    /// Numbers, addresses, employers, one a line.
    pub lines: Vec<String>,
}

/// A button.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// Where it leads, or what it does.
    pub to: Option<String>,
}

/// Rows of a list below a title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The title; may be empty.
    pub title: String,
    /// The rows: their first and second lines.
    pub rows: Vec<(String, Option<String>)>,
}

/// A row of a cart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The business's own id of the product.
    pub product: String,
    /// How many.
    pub quantity: Option<i64>,
    /// The price of one, with its currency.
    pub price: Option<String>,
}

impl Bubble {
    fn new(id: String, more: String, side: Side, at: i64) -> Bubble {
        Bubble {
            id,
            more,
            side,
            at,
            author: None,
            is_forwarded: false,
            quote: None,
            ad: None,
            parts: Vec::new(),
            reactions: Vec::new(),
            later: None,
            fate: None,
            wamid: None,
            about: None,
        }
    }

    /// How it begins, for a list or a quote: text of it, or the key in
    /// `words.bubble` of what it is.
    pub fn gist(&self) -> Gist {
        let text = self.parts.iter().find_map(Part::text);
        let key = self.parts.iter().find_map(Part::key);
        Gist {
            key,
            text: text
                .map(|text| shortened(text, GIST_CHARS))
                .unwrap_or_default(),
        }
    }
}

/// How something said begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gist {
    /// A key of `words.bubble`: what it is, when it is not text alone.
    pub key: Option<&'static str>,
    /// Its text; may be empty.
    pub text: String,
}

/// Letters of a gist.
const GIST_CHARS: usize = 120;

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Part::Text { text } | Part::Head { text } => Some(text),
            Part::File(file) => file.caption.as_deref().or(file.filename.as_deref()),
            Part::Place(place) => place.name.as_deref().or(place.address.as_deref()),
            Part::Card(card) => card.name.as_deref(),
            Part::Choice { title, .. } => Some(title),
            Part::Fields { name, .. } => name.as_deref(),
            Part::Note { text, .. } => text.as_deref(),
            Part::Raw { kind, .. } => Some(kind),
            Part::Foot { .. } | Part::Buttons { .. } | Part::List { .. } | Part::Order { .. } => {
                None
            }
        }
    }

    fn key(&self) -> Option<&'static str> {
        match self {
            Part::File(file) => Some(file.kind),
            Part::Place(_) => Some("location"),
            Part::Card(_) => Some("contact"),
            Part::Choice { .. } => Some("choice"),
            Part::Fields { key, .. } | Part::Note { key, .. } => Some(key),
            Part::Order { .. } => Some("order"),
            Part::Raw { .. } => Some("raw"),
            _ => None,
        }
    }
}

/// Puts reactions on what they are about, marks what was changed or deleted, and
/// finds what is answered, among bubbles in order, the oldest first. A reaction
/// whose message is not among them stays a bubble of its own.
pub fn join(bubbles: Vec<Bubble>) -> Vec<Bubble> {
    let mut joined: Vec<Bubble> = Vec::with_capacity(bubbles.len());
    for mut bubble in bubbles {
        let about = bubble.about.clone();
        let at = |joined: &[Bubble], wamid: &str| {
            let mut known = joined.iter();
            known.position(|other| other.wamid.as_deref() == Some(wamid))
        };
        match about {
            // What did not go out is a message to be looked at, and no reaction.
            Some(About::Reaction { wamid, emoji }) if !bubble.is_bad() => {
                let Some(index) = at(&joined, &wamid) else {
                    joined.push(bubble);
                    continue;
                };
                let on = &mut joined[index].reactions;
                on.retain(|own| !own.side.is_one_with(bubble.side) || own.author != bubble.author);
                on.extend(emoji.map(|emoji| Reaction {
                    emoji,
                    side: bubble.side,
                    author: bubble.author.clone(),
                }));
                continue;
            }
            Some(About::Quote { wamid } | About::Edit { wamid }) => {
                let index = at(&joined, &wamid);
                if let Some(index) = index {
                    if matches!(bubble.about, Some(About::Edit { .. })) {
                        joined[index].later = Some(Later::Edited);
                    }
                    bubble.quote = Some(joined[index].quoted_here());
                }
            }
            Some(About::Revoke { wamid }) => {
                if let Some(index) = at(&joined, &wamid) {
                    joined[index].later = Some(Later::Deleted);
                }
            }
            _ => {}
        }
        joined.push(bubble);
    }
    joined
}

impl Bubble {
    /// As another on the same page quotes it.
    fn quoted_here(&self) -> Quote {
        self.quoted(format!("#{}", self.id))
    }

    /// As one quotes it on whose page it does not stand.
    pub fn quoted_elsewhere(&self) -> Quote {
        self.quoted(format!("{ROOT}{}", self.more))
    }

    fn quoted(&self, href: String) -> Quote {
        Quote {
            href: Some(href),
            side: Some(self.side),
            gist: self.gist(),
        }
    }

    fn is_bad(&self) -> bool {
        self.fate.as_ref().is_some_and(|fate| fate.is_bad)
    }
}

/// The first letters of a text, on one line.
pub fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// An address that may be linked: of the web, with nothing a browser runs.
fn web(address: &str) -> Option<String> {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    (is_web && plain).then(|| address.to_owned())
}

/// A map that shows a place (OpenStreetMap's own form of address).
fn map(latitude: f64, longitude: f64) -> String {
    format!(
        "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}"
    )
}
