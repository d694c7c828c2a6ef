//! Cards side by side.

use serde_json::{Value, json};

use super::super::{Message, kind};
use super::{Button, Header, cta_url, replies};
use crate::wire::event::lenient::hide;

/// One card.
#[derive(Clone, PartialEq)]
pub struct CarouselCard(Value);

hide!(CarouselCard);

impl Message<kind::Carousel> {
    /// Two to ten cards, all of one kind.
    ///
    /// ```
    /// use wabridge::compose::{CarouselCard, Header, Media, Message};
    ///
    /// let card = |id: &str, url: &str| {
    ///     CarouselCard::cta_url(Header::image(Media::id(id)), "Look", url).body("Fresh today")
    /// };
    /// let message = Message::carousel(
    ///     "New in the shop",
    ///     [card("1013", "https://example.com/a"), card("1014", "https://example.com/b")],
    /// );
    /// let cards = &message.to_value()["interactive"]["action"]["cards"];
    /// assert_eq!(cards[1]["card_index"], 1);
    /// ```
    pub fn carousel(
        body: impl Into<String>,
        cards: impl IntoIterator<Item = CarouselCard>,
    ) -> Self {
        let card = |(index, card): (usize, CarouselCard)| {
            let mut value = json!({"card_index": index});
            if let (Value::Object(value), Value::Object(rest)) = (&mut value, card.0) {
                value.extend(rest);
            }
            value
        };
        let cards: Vec<Value> = cards.into_iter().enumerate().map(card).collect();
        Message::interactive("carousel", Some(body.into()), json!({"cards": cards}))
    }
}

impl CarouselCard {
    /// A picture or film with a button that opens a link.
    pub fn cta_url(
        header: Header,
        display_text: impl Into<String>,
        url: impl Into<String>,
    ) -> CarouselCard {
        let action = cta_url(display_text, url);
        CarouselCard(json!({"type": "cta_url", "header": header.0, "action": action}))
    }

    /// A picture or film with reply buttons, as many on every card.
    pub fn replies<B: Into<Button>>(
        header: Header,
        buttons: impl IntoIterator<Item = B>,
    ) -> CarouselCard {
        let action = json!({"buttons": replies("quick_reply", buttons)});
        // The type is the same for reply buttons (Meta: interactive media carousel messages).
        CarouselCard(json!({"type": "cta_url", "header": header.0, "action": action}))
    }

    /// A product of a catalog.
    pub fn product(catalog_id: impl Into<String>, retailer_id: impl Into<String>) -> CarouselCard {
        let (catalog, product) = (catalog_id.into(), retailer_id.into());
        let action = json!({"product_retailer_id": product, "catalog_id": catalog});
        CarouselCard(json!({"type": "product", "action": action}))
    }

    /// The card's text, of at most two line breaks.
    pub fn body(mut self, text: impl Into<String>) -> CarouselCard {
        self.0["body"] = json!({"text": text.into()});
        self
    }
}
