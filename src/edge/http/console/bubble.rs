//! What is drawn of something said: its parts as values for a template, whatever
//! kind it is. Pure: what stands in the store goes in, what a page shows comes
//! out. Words are the page's; here are their keys.
//!
//! * here: a bubble
//! * `part`: a piece of what it says: text, a file, buttons, …
//! * [`theirs`]: what came in
//! * [`ours`]: what went out
//! * `join`: what those of one page do to each other

mod join;
pub mod ours;
mod part;
#[cfg(test)]
mod tests;
pub mod theirs;

pub use join::join;
pub use part::{Button, Card, File, Item, Part, Place, Section, Shown};

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
fn shortened(text: &str, most: usize) -> String {
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
