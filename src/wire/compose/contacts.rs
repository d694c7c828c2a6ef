//! Address cards.

use serde_json::{Map, Value, json};

use super::{Message, kind};
use crate::wire::event::lenient::hide;

impl Message<kind::Contacts> {
    /// One or more address cards.
    ///
    /// ```
    /// use wabridge::compose::{ContactCard, Message};
    ///
    /// let card = ContactCard::new("Ana Silva")
    ///     .phone("+1 555 010 7001", "WORK")
    ///     .email("ana@example.com", "WORK");
    /// assert_eq!(Message::contacts([card]).to_value()["contacts"][0]["phones"][0]["type"], "WORK");
    /// ```
    pub fn contacts(cards: impl IntoIterator<Item = ContactCard>) -> Self {
        let cards = cards.into_iter().map(|card| card.0).collect();
        Message::of_type("contacts", Value::Array(cards))
    }
}

/// One address card.
#[derive(Clone, PartialEq)]
pub struct ContactCard(Value);

hide!(ContactCard);

impl ContactCard {
    /// A person by the name to be shown. It also stands as the first name until
    /// [`names`](ContactCard::names) gives parts: Meta wants one part beside the whole.
    pub fn new(name: impl Into<String>) -> ContactCard {
        let name = name.into();
        ContactCard(json!({"name": {"formatted_name": name, "first_name": name}}))
    }

    /// The parts of the name.
    pub fn names(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.0["name"]["first_name"] = first.into().into();
        self.0["name"]["last_name"] = last.into().into();
        self
    }

    /// A phone number, and what it is: `CELL`, `HOME`, `WORK` or any other word.
    pub fn phone(self, phone: impl Into<String>, type_: impl Into<String>) -> Self {
        self.push(
            "phones",
            json!({"phone": phone.into(), "type": type_.into()}),
        )
    }

    /// A phone number that is on WhatsApp: the card gets a button to write to it.
    pub fn whatsapp(self, phone: impl Into<String>, wa_id: impl Into<String>) -> Self {
        let phone = json!({"phone": phone.into(), "type": "CELL", "wa_id": wa_id.into()});
        self.push("phones", phone)
    }

    /// A mail address, and what it is: `HOME`, `WORK`.
    pub fn email(self, email: impl Into<String>, type_: impl Into<String>) -> Self {
        self.push(
            "emails",
            json!({"email": email.into(), "type": type_.into()}),
        )
    }

    /// A web page, and what it is: `HOME`, `WORK`.
    pub fn url(self, url: impl Into<String>, type_: impl Into<String>) -> Self {
        self.push("urls", json!({"url": url.into(), "type": type_.into()}))
    }

    /// A postal address by its parts: `street`, `city`, `state`, `zip`, `country`,
    /// `country_code`, `type`.
    pub fn address<'a>(self, parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let part = |(key, text): (&str, &str)| (key.to_owned(), Value::from(text));
        let address: Map<String, Value> = parts.into_iter().map(part).collect();
        self.push("addresses", address.into())
    }

    /// Where the person works: `company`, `department`, `title`.
    pub fn org<'a>(mut self, parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (key, text) in parts {
            self.0["org"][key] = text.into();
        }
        self
    }

    /// As `YYYY-MM-DD`.
    pub fn birthday(mut self, day: impl Into<String>) -> Self {
        self.0["birthday"] = day.into().into();
        self
    }

    fn push(mut self, key: &str, value: Value) -> Self {
        match &mut self.0[key] {
            Value::Array(values) => values.push(value),
            absent => *absent = json!([value]),
        }
        self
    }
}
