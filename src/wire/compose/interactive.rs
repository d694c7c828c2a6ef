//! Messages the user answers with a tap: `"type":"interactive"`.
//!
//! Buttons, lists and links are here; the other kinds, from forms and products to requests and
//! carousels, are in the submodules, a file each.

use serde_json::{Value, json};

use super::{Media, Message, kind};
use crate::wire::event::lenient::hide;

mod asking;
mod carousel;
mod flow;
mod products;

pub use carousel::CarouselCard;
pub use flow::Flow;
pub(super) use products::product_section;

/// What stands above the text.
#[derive(Clone, PartialEq)]
pub struct Header(Value);

/// A button that answers for the user.
#[derive(Clone, PartialEq)]
pub struct Button {
    id: String,
    title: String,
}

/// One line of a list.
#[derive(Clone, PartialEq)]
pub struct Row(Value);

hide!(Header, Button, Row);

impl<K> Message<K> {
    fn interactive(kind: &str, body: Option<String>, action: Value) -> Message<K> {
        let mut interactive = json!({"type": kind});
        if let Some(body) = body {
            interactive["body"] = json!({"text": body});
        }
        interactive["action"] = action;
        Message::of_type("interactive", interactive)
    }

    fn action(&mut self) -> &mut Value {
        &mut self.content()["action"]
    }
}

impl<K: kind::Headed> Message<K> {
    /// What stands above the text: a text, or a [`Header`] with a file. Lists take a text only.
    pub fn header(mut self, header: impl Into<Header>) -> Self {
        self.content()["header"] = header.into().0;
        self
    }
}

impl<K: kind::Footed> Message<K> {
    /// The small print below the text.
    pub fn footer(mut self, text: impl Into<String>) -> Self {
        self.content()["footer"] = json!({"text": text.into()});
        self
    }
}

impl Message<kind::Buttons> {
    /// One to three reply buttons, each an id for you and a title for the user.
    ///
    /// ```
    /// use wabridge::compose::{Header, Media, Message};
    ///
    /// let question = Message::buttons("A table for two?", [("yes", "Yes"), ("no", "No")])
    ///     .header(Header::image(Media::id("1013")))
    ///     .footer("Free until noon");
    /// let action = &question.to_value()["interactive"]["action"];
    /// assert_eq!(action["buttons"][0]["reply"]["title"], "Yes");
    /// ```
    pub fn buttons<B: Into<Button>>(
        body: impl Into<String>,
        buttons: impl IntoIterator<Item = B>,
    ) -> Self {
        let buttons: Vec<Value> = replies("reply", buttons);
        Message::interactive("button", Some(body.into()), json!({"buttons": buttons}))
    }
}

impl Message<kind::List> {
    /// A menu that opens with a button. Rows come from [`rows`](Message::rows) or, under titles,
    /// from [`section`](Message::section); there can be ten in all.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// let days = Message::list("Which day?", "Choose").rows([("mon", "Monday"), ("tue", "Tuesday")]);
    /// let meals = Message::list("What would you like?", "Menu")
    ///     .section("Soups", [("1", "Tomato", "with basil"), ("2", "Onion", "with cheese")])
    ///     .section("Drinks", [("3", "Water", "still or sparkling")]);
    /// let sections = &meals.to_value()["interactive"]["action"]["sections"];
    /// assert_eq!(sections[1]["rows"][0]["description"], "still or sparkling");
    /// ```
    pub fn list(body: impl Into<String>, button: impl Into<String>) -> Self {
        let action = json!({"button": button.into(), "sections": []});
        Message::interactive("list", Some(body.into()), action)
    }

    /// All rows in one section without a title.
    pub fn rows<R: Into<Row>>(self, rows: impl IntoIterator<Item = R>) -> Self {
        self.push(json!({"rows": values(rows)}))
    }

    /// One more section.
    pub fn section<R: Into<Row>>(
        self,
        title: impl Into<String>,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        self.push(json!({"title": title.into(), "rows": values(rows)}))
    }

    fn push(mut self, section: Value) -> Self {
        if let Value::Array(sections) = &mut self.action()["sections"] {
            sections.push(section);
        }
        self
    }
}

impl Message<kind::CtaUrl> {
    /// A button that opens a link.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// let shop = Message::cta_url("We are open.", "Visit us", "https://example.com").header("News");
    /// assert_eq!(shop.to_value()["interactive"]["header"]["text"], "News");
    /// ```
    pub fn cta_url(
        body: impl Into<String>,
        display_text: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Message::interactive("cta_url", Some(body.into()), cta_url(display_text, url))
    }
}

impl Header {
    /// A text.
    pub fn text(text: impl Into<String>) -> Header {
        Header(json!({"type": "text", "text": text.into()}))
    }

    /// A picture.
    pub fn image(image: Media) -> Header {
        Header(json!({"type": "image", "image": image.into_value()}))
    }

    /// A film.
    pub fn video(video: Media) -> Header {
        Header(json!({"type": "video", "video": video.into_value()}))
    }

    /// A document.
    pub fn document(document: Media) -> Header {
        Header(json!({"type": "document", "document": document.into_value()}))
    }
}

impl<T: Into<String>> From<T> for Header {
    fn from(text: T) -> Header {
        Header::text(text)
    }
}

impl Button {
    /// What comes back when it is tapped, and what it says.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Button {
        Button {
            id: id.into(),
            title: title.into(),
        }
    }
}

impl<I: Into<String>, T: Into<String>> From<(I, T)> for Button {
    fn from((id, title): (I, T)) -> Button {
        Button::new(id, title)
    }
}

impl Row {
    /// What comes back when it is chosen, and what it says.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Row {
        Row(json!({"id": id.into(), "title": title.into()}))
    }

    /// A second line.
    pub fn description(mut self, text: impl Into<String>) -> Row {
        self.0["description"] = text.into().into();
        self
    }
}

impl<I: Into<String>, T: Into<String>> From<(I, T)> for Row {
    fn from((id, title): (I, T)) -> Row {
        Row::new(id, title)
    }
}

impl<I: Into<String>, T: Into<String>, D: Into<String>> From<(I, T, D)> for Row {
    fn from((id, title, description): (I, T, D)) -> Row {
        Row::new(id, title).description(description)
    }
}

fn values<R: Into<Row>>(rows: impl IntoIterator<Item = R>) -> Vec<Value> {
    rows.into_iter().map(|row| row.into().0).collect()
}

/// Reply buttons. In a carousel's card they are called `quick_reply`, elsewhere `reply`.
fn replies<B: Into<Button>>(name: &str, buttons: impl IntoIterator<Item = B>) -> Vec<Value> {
    let button = |button: B| {
        let Button { id, title } = button.into();
        let mut value = json!({"type": name});
        value[name] = json!({"id": id, "title": title});
        value
    };
    buttons.into_iter().map(button).collect()
}

fn cta_url(display_text: impl Into<String>, url: impl Into<String>) -> Value {
    let parameters = json!({"display_text": display_text.into(), "url": url.into()});
    json!({"name": "cta_url", "parameters": parameters})
}
