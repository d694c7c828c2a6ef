//! A piece of what a bubble says, and what such pieces hold.

use serde::Serialize;

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

impl Part {
    /// Its text, when it has one to begin a gist with.
    pub(super) fn text(&self) -> Option<&str> {
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

    /// The key in `words.bubble` of what it is; `None`: text, or what goes with it.
    pub(super) fn key(&self) -> Option<&'static str> {
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
