//! Address cards a user shares: `message.contacts`, which has nothing to do with the
//! `value.contacts` that names the sender.

use serde_json::Value;

use crate::wire::event::lenient::{hide, object, record, records, text};

/// One shared address card (Meta: webhooks, *contacts messages* reference).
#[derive(Clone, Default, PartialEq)]
pub struct Card {
    /// Absent when the user shares the own number through a request button.
    pub name: Option<CardName>,
    /// Phone numbers.
    pub phones: Vec<CardPhone>,
    /// Mail addresses.
    pub emails: Vec<CardEmail>,
    /// Postal addresses.
    pub addresses: Vec<CardAddress>,
    /// Where the person works.
    pub org: Option<CardOrg>,
    /// Web pages.
    pub urls: Vec<CardUrl>,
    /// `YYYY-MM-DD`, as the sender's phone has it.
    pub birthday: Option<String>,
    /// The card as a vCard.
    pub vcard: Option<String>,
    /// `contact_request` if it answers a request of the business, `other` if not.
    pub origin: Option<String>,
}

record! {
    /// A name, whole and in parts.
    pub struct CardName {
        /// The whole name as it is to be shown.
        formatted_name: "formatted_name",
        /// Given name.
        first_name: "first_name",
        /// Family name.
        last_name: "last_name",
        /// Middle name.
        middle_name: "middle_name",
        /// Such as `Dr.`.
        prefix: "prefix",
        /// Such as `Jr.`.
        suffix: "suffix",
    }
}

record! {
    /// A phone number on a card.
    pub struct CardPhone {
        /// As the sender's phone writes it.
        phone: "phone",
        /// The WhatsApp account, if the number has one.
        wa_id: "wa_id",
        /// Meta's `type`: `CELL`, `HOME`, `WORK`, or the sender's own word.
        kind: "type",
    }
}

record! {
    /// A mail address on a card.
    pub struct CardEmail {
        /// The address.
        email: "email",
        /// Meta's `type`: `HOME`, `WORK`, or the sender's own word.
        kind: "type",
    }
}

record! {
    /// A postal address on a card.
    pub struct CardAddress {
        /// Street and number.
        street: "street",
        /// City.
        city: "city",
        /// State or province.
        state: "state",
        /// Postal code.
        zip: "zip",
        /// Country, by name.
        country: "country",
        /// ISO 3166, two letters, in either case.
        country_code: "country_code",
        /// Meta's `type`: `HOME`, `WORK`, or the sender's own word.
        kind: "type",
    }
}

record! {
    /// An employer on a card.
    pub struct CardOrg {
        /// Company.
        company: "company",
        /// Department.
        department: "department",
        /// Job title.
        title: "title",
    }
}

record! {
    /// A web page on a card.
    pub struct CardUrl {
        /// The address.
        url: "url",
        /// Meta's `type`: `HOME`, `WORK`, or the sender's own word.
        kind: "type",
    }
}

hide!(Card);

impl Card {
    /// Reads the cards of a message; elements that are no objects are passed over.
    pub(super) fn read_list(message: &Value) -> Vec<Card> {
        // The first drafts of the reference put the origin on the message.
        let origin = text(message, "origin");
        let mut cards = records(message, "contacts", Card::read);
        for card in &mut cards {
            card.origin = card.origin.take().or_else(|| origin.clone());
        }
        cards
    }

    fn read(card: &Value) -> Card {
        Card {
            name: object(card, "name").map(CardName::read),
            phones: records(card, "phones", CardPhone::read),
            emails: records(card, "emails", CardEmail::read),
            addresses: records(card, "addresses", CardAddress::read),
            org: object(card, "org").map(CardOrg::read),
            urls: records(card, "urls", CardUrl::read),
            birthday: text(card, "birthday"),
            vcard: text(card, "vcard"),
            origin: text(card, "origin"),
        }
    }
}
