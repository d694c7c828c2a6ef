//! Templates: texts that Meta approved, with the gaps filled in.

use serde_json::{Value, json};

use super::{Media, Message, kind};
use crate::wire::event::lenient::hide;

/// What fills one gap of a template.
#[derive(Clone, PartialEq)]
pub struct Parameter(Value);

/// One card of a template's carousel.
#[derive(Clone, Default, PartialEq)]
pub struct TemplateCard(Vec<Value>);

hide!(Parameter, TemplateCard);

impl Message<kind::Template> {
    /// A template by its name and the language it was approved in.
    ///
    /// ```
    /// use wabridge::compose::{Media, Message, Parameter};
    ///
    /// let order = Message::template("order_update", "en_US")
    ///     .header(Parameter::image(Media::id("1013")))
    ///     .body([Parameter::text("Ana"), Parameter::text("881")])
    ///     .button_quick_reply(0, "track-881")
    ///     .button_url(1, "orders/881");
    /// assert_eq!(order.to_value()["template"]["components"][3]["sub_type"], "url");
    /// ```
    pub fn template(name: impl Into<String>, language: impl Into<String>) -> Self {
        let template = json!({"name": name.into(), "language": {"code": language.into()}});
        Message::of_type("template", template)
    }

    /// An authentication template with its one-time code, which stands in the text and on the
    /// button.
    pub fn one_time_code(
        name: impl Into<String>,
        language: impl Into<String>,
        code: impl Into<String>,
    ) -> Self {
        let code = code.into();
        Message::template(name, language)
            .body([Parameter::text(code.as_str())])
            .button_url(0, code)
    }

    /// What fills the header: one text, file, place or product.
    pub fn header(self, parameter: Parameter) -> Self {
        self.component(header(parameter))
    }

    /// What fills the body, in order or by name.
    pub fn body(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.component(body(parameters))
    }

    /// What comes back when the quick-reply button at `index` is tapped.
    pub fn button_quick_reply(self, index: u8, payload: impl Into<String>) -> Self {
        self.button("quick_reply", index, [Parameter::payload(payload)])
    }

    /// The end of the link behind the button at `index`.
    pub fn button_url(self, index: u8, suffix: impl Into<String>) -> Self {
        self.button("url", index, [Parameter::text(suffix)])
    }

    /// The code that the button at `index` copies.
    pub fn button_copy_code(self, index: u8, code: impl Into<String>) -> Self {
        self.button("copy_code", index, [Parameter::coupon_code(code)])
    }

    /// The form behind the button at `index`: the token that comes back with the answers, and what
    /// its first screen is given.
    pub fn button_flow(self, index: u8, token: impl Into<String>, data: Option<Value>) -> Self {
        let mut action = json!({"flow_token": token.into()});
        if let Some(data) = data {
            action["flow_action_data"] = data;
        }
        self.button("flow", index, [Parameter::action(action)])
    }

    /// The catalog behind the button at `index`, with this product's picture.
    pub fn button_catalog(self, index: u8, thumbnail: impl Into<String>) -> Self {
        let action = json!({"thumbnail_product_retailer_id": thumbnail.into()});
        self.button("catalog", index, [Parameter::action(action)])
    }

    /// The products behind the button at `index`: sections of a title and its products' ids.
    pub fn button_products<'a>(
        self,
        index: u8,
        thumbnail: impl Into<String>,
        sections: impl IntoIterator<Item = (&'a str, &'a [&'a str])>,
    ) -> Self {
        let sections: Vec<Value> = sections
            .into_iter()
            .map(|(title, ids)| super::interactive::product_section(title, ids.iter().copied()))
            .collect();
        let thumbnail = thumbnail.into();
        let action = json!({"thumbnail_product_retailer_id": thumbnail, "sections": sections});
        self.button("mpm", index, [Parameter::action(action)])
    }

    /// How long the call button at `index` works, and what comes with the call.
    pub fn button_call(self, index: u8, ttl_minutes: u32, payload: impl Into<String>) -> Self {
        let ttl = Parameter(json!({"type": "ttl_minutes", "ttl_minutes": ttl_minutes}));
        self.button("voice_call", index, [ttl, Parameter::payload(payload)])
    }

    /// Any button by Meta's name for it.
    pub fn button(
        self,
        sub_type: &str,
        index: u8,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Self {
        self.component(button(sub_type, index, parameters))
    }

    /// When the offer ends, in Unix milliseconds.
    pub fn limited_time_offer(self, expiration_time_ms: i64) -> Self {
        let offer = json!({"expiration_time_ms": expiration_time_ms});
        let parameter = json!({"type": "limited_time_offer", "limited_time_offer": offer});
        self.component(json!({"type": "limited_time_offer", "parameters": [parameter]}))
    }

    /// The cards, as many as the template was approved with.
    pub fn cards(self, cards: impl IntoIterator<Item = TemplateCard>) -> Self {
        let card = |(index, card): (usize, TemplateCard)| json!({"card_index": index, "components": card.0});
        let cards: Vec<Value> = cards.into_iter().enumerate().map(card).collect();
        self.component(json!({"type": "carousel", "cards": cards}))
    }

    /// Any component, as Meta writes it.
    pub fn component(mut self, component: Value) -> Self {
        match &mut self.content()["components"] {
            Value::Array(components) => components.push(component),
            absent => *absent = json!([component]),
        }
        self
    }
}

impl TemplateCard {
    /// A card without anything to fill in yet.
    pub fn new() -> TemplateCard {
        TemplateCard::default()
    }

    /// Its picture, film or product.
    pub fn header(self, parameter: Parameter) -> Self {
        self.component(header(parameter))
    }

    /// What fills its text.
    pub fn body(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.component(body(parameters))
    }

    /// What comes back when its quick-reply button at `index` is tapped.
    pub fn button_quick_reply(self, index: u8, payload: impl Into<String>) -> Self {
        self.component(button("quick_reply", index, [Parameter::payload(payload)]))
    }

    /// The end of the link behind its button at `index`.
    pub fn button_url(self, index: u8, suffix: impl Into<String>) -> Self {
        self.component(button("url", index, [Parameter::text(suffix)]))
    }

    /// Any component, as Meta writes it.
    pub fn component(mut self, component: Value) -> Self {
        self.0.push(component);
        self
    }
}

impl Parameter {
    /// Text. Meta refuses line breaks, tabs and more than four blanks in a row in it.
    pub fn text(text: impl Into<String>) -> Parameter {
        Parameter(json!({"type": "text", "text": text.into()}))
    }

    /// For a template whose gaps have names: which gap this fills.
    pub fn named(mut self, name: impl Into<String>) -> Parameter {
        self.0["parameter_name"] = name.into().into();
        self
    }

    /// Money: what is shown where it cannot be formatted, the ISO 4217 code, and the amount times
    /// one thousand.
    pub fn currency(
        fallback: impl Into<String>,
        code: impl Into<String>,
        amount_1000: i64,
    ) -> Parameter {
        let (fallback, code) = (fallback.into(), code.into());
        let money = json!({"fallback_value": fallback, "code": code, "amount_1000": amount_1000});
        Parameter(json!({"type": "currency", "currency": money}))
    }

    /// A date and time, as it is to be read.
    pub fn date_time(text: impl Into<String>) -> Parameter {
        Parameter(json!({"type": "date_time", "date_time": {"fallback_value": text.into()}}))
    }

    /// A picture.
    pub fn image(image: Media) -> Parameter {
        Parameter(json!({"type": "image", "image": image.into_value()}))
    }

    /// A film.
    pub fn video(video: Media) -> Parameter {
        Parameter(json!({"type": "video", "video": video.into_value()}))
    }

    /// A document and the name it is shown by.
    pub fn document(document: Media, filename: impl Into<String>) -> Parameter {
        let mut document = document.into_value();
        document["filename"] = filename.into().into();
        Parameter(json!({"type": "document", "document": document}))
    }

    /// A place.
    pub fn location(
        latitude: f64,
        longitude: f64,
        name: impl Into<String>,
        address: impl Into<String>,
    ) -> Parameter {
        let (name, address) = (name.into(), address.into());
        let place = json!({"latitude": latitude, "longitude": longitude, "name": name,
            "address": address});
        Parameter(json!({"type": "location", "location": place}))
    }

    /// A product of a catalog.
    pub fn product(catalog_id: impl Into<String>, retailer_id: impl Into<String>) -> Parameter {
        let (catalog, product) = (catalog_id.into(), retailer_id.into());
        let product = json!({"product_retailer_id": product, "catalog_id": catalog});
        Parameter(json!({"type": "product", "product": product}))
    }

    /// What comes back when a button is tapped.
    pub fn payload(payload: impl Into<String>) -> Parameter {
        Parameter(json!({"type": "payload", "payload": payload.into()}))
    }

    /// The code a button copies.
    pub fn coupon_code(code: impl Into<String>) -> Parameter {
        Parameter(json!({"type": "coupon_code", "coupon_code": code.into()}))
    }

    /// What a flow, catalog, product or order button is given, as Meta writes it.
    pub fn action(action: Value) -> Parameter {
        Parameter(json!({"type": "action", "action": action}))
    }

    /// Any parameter, as Meta writes it.
    pub fn other(parameter: Value) -> Parameter {
        Parameter(parameter)
    }
}

fn header(parameter: Parameter) -> Value {
    json!({"type": "header", "parameters": [parameter.0]})
}

fn body(parameters: impl IntoIterator<Item = Parameter>) -> Value {
    json!({"type": "body", "parameters": values(parameters)})
}

fn button(sub_type: &str, index: u8, parameters: impl IntoIterator<Item = Parameter>) -> Value {
    // As a string: the form in all of Meta's examples; integers are taken as well.
    json!({"type": "button", "sub_type": sub_type, "index": index.to_string(),
        "parameters": values(parameters)})
}

fn values(parameters: impl IntoIterator<Item = Parameter>) -> Vec<Value> {
    parameters
        .into_iter()
        .map(|parameter| parameter.0)
        .collect()
}
