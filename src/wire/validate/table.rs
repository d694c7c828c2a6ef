//! Meta's limits, as data: one row a place.
//!
//! A row says where, whether something must be there, and what. Paths start where the rows are
//! tried; `[]` stands for every element. Rows stand in the order in which they are tried, a whole
//! before its parts. Each table names the page of Meta's documentation it was taken from.
//!
//! What is left out is left out on purpose: no list of allowed words, because Meta adds to them; no
//! second part of a contact's name, which the page asks for and samples do without; no limit on
//! a template's texts, which depend on what was approved.

/// One place and what is known of it.
pub(super) struct Row {
    pub path: &'static str,
    pub need: Need,
    pub what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// There, and no empty text.
    Must,
    /// There, if only as an empty text.
    Present,
    May,
}

pub(super) enum What {
    /// A string, of at most so many code points.
    Text(Option<usize>),
    /// The same, or a number: ids and codes are written both ways.
    Id(Option<usize>),
    /// A truth value, however it is written.
    Flag,
    Object,
    /// An array of at least and at most so many.
    List(usize, usize),
    /// A number in these bounds, perhaps written as a string.
    Number(f64, f64),
    /// What Graph refuses to find here.
    Nothing,
}

use Need::{May, Must, Present};
use What::{Flag, Id, List, Nothing, Number, Object, Text};

const fn row(path: &'static str, need: Need, what: What) -> Row {
    Row { path, need, what }
}

/// Texts and ids without a limit that Meta states.
const TEXT: What = Text(None);
const ID: What = Id(None);
/// Arrays without such a limit.
const ANY: What = List(0, usize::MAX);

const fn text(max: usize) -> What {
    Text(Some(max))
}

/// Messages API reference: what every message has.
pub(super) const COMMON: &[Row] = &[
    row("messaging_product", May, TEXT),
    row("recipient_type", May, TEXT),
    row("to", May, ID),
    row("recipient", May, ID),
    row("type", May, TEXT),
    row("context", May, Object),
    row("context.message_id", Must, ID),
    row("biz_opaque_callback_data", May, text(512)),
    row("recipient_identity_key_hash", May, TEXT),
];

/// Mark messages as read; Typing indicators.
pub(super) const RECEIPT: &[Row] = &[
    row("messaging_product", May, TEXT),
    row("message_id", Must, ID),
    row("typing_indicator", May, Object),
    row("typing_indicator.type", Must, TEXT),
];

/// Text messages.
pub(super) const TEXTUAL: &[Row] = &[row("body", Must, text(4096)), row("preview_url", May, Flag)];

/// Image, video, audio, document and sticker messages.
pub(super) const MEDIA: &[Row] = &[
    row("id", May, ID),
    row("link", May, TEXT),
    row("caption", May, text(1024)),
    row("filename", May, TEXT),
];

/// Audio messages. Graph: `Unexpected key "caption" on param "audio"`.
pub(super) const AUDIO: &[Row] = &[row("voice", May, Flag), row("caption", May, Nothing)];

/// Location messages; the bounds are those of the globe.
pub(super) const LOCATION: &[Row] = &[
    row("latitude", Must, Number(-90.0, 90.0)),
    row("longitude", Must, Number(-180.0, 180.0)),
    row("name", May, TEXT),
    row("address", May, TEXT),
];

/// Contacts messages; the number of cards is from the messages API reference.
pub(super) const CONTACTS: &[Row] = &[
    row("contacts", Must, List(1, 257)),
    row("contacts[]", May, Object),
    row("contacts[].name", Must, Object),
    row("contacts[].name.formatted_name", Must, TEXT),
    row("contacts[].name.first_name", May, TEXT),
    row("contacts[].name.last_name", May, TEXT),
    row("contacts[].phones", May, ANY),
    row("contacts[].phones[]", May, Object),
    row("contacts[].emails", May, ANY),
    row("contacts[].emails[]", May, Object),
    row("contacts[].urls", May, ANY),
    row("contacts[].urls[]", May, Object),
    row("contacts[].addresses", May, ANY),
    row("contacts[].addresses[]", May, Object),
    row("contacts[].org", May, Object),
    row("contacts[].birthday", May, TEXT),
];

/// Reaction messages. An empty emoji takes the reaction back.
pub(super) const REACTION: &[Row] = &[row("message_id", Must, ID), row("emoji", Present, TEXT)];

/// Groups: pin and unpin messages.
pub(super) const PIN: &[Row] = &[
    row("type", Must, TEXT),
    row("message_id", Must, ID),
    row("expiration_days", May, Number(1.0, 30.0)),
];

/// Template messages; the length of a name is from the template management pages.
pub(super) const TEMPLATE: &[Row] = &[
    row("name", Must, text(512)),
    row("language", Must, Object),
    row("language.code", Must, TEXT),
    row("language.policy", May, TEXT),
    row("components", May, ANY),
];

/// Template messages: one component, of the message or of a card.
pub(super) const COMPONENT: &[Row] = &[
    row("type", Must, TEXT),
    row("parameters", May, ANY),
    row("parameters[]", May, Object),
    row("parameters[].type", Must, TEXT),
    row("parameters[].parameter_name", May, TEXT),
];

/// Template messages: a button. A template has at most ten, so an index ends at 9.
pub(super) const TEMPLATE_BUTTON: &[Row] = &[
    row("sub_type", Must, TEXT),
    row("index", Must, Number(0.0, 9.0)),
];

/// Carousel templates.
pub(super) const TEMPLATE_CARDS: &[Row] = &[
    row("cards", Must, List(1, 10)),
    row("cards[]", May, Object),
    row("cards[].card_index", Must, Number(0.0, 9.0)),
    row("cards[].components", May, ANY),
];

/// Template messages: what a parameter must bring along, by its type.
pub(super) const PARAMETERS: &[(&str, &[Row])] = &[
    ("text", &[row("text", Must, TEXT)]),
    (
        "currency",
        &[
            row("currency", Must, Object),
            row("currency.fallback_value", Must, TEXT),
            row("currency.code", Must, TEXT),
            row(
                "currency.amount_1000",
                Must,
                Number(f64::NEG_INFINITY, f64::INFINITY),
            ),
        ],
    ),
    (
        "date_time",
        &[
            row("date_time", Must, Object),
            row("date_time.fallback_value", Must, TEXT),
        ],
    ),
    ("image", &[row("image", Must, Object)]),
    ("video", &[row("video", Must, Object)]),
    ("document", &[row("document", Must, Object)]),
    ("location", &[row("location", Must, Object)]),
    (
        "product",
        &[
            row("product", Must, Object),
            row("product.product_retailer_id", Must, ID),
        ],
    ),
    ("payload", &[row("payload", Present, ID)]),
    // Twenty since 2025, fifteen before.
    ("coupon_code", &[row("coupon_code", Must, Id(Some(20)))]),
    ("action", &[row("action", Must, Object)]),
    (
        "limited_time_offer",
        &[row("limited_time_offer", Must, Object)],
    ),
];

/// Interactive messages: what stands above the action, for the kinds in [`INTERACTIVE`].
pub(super) const FRAME: &[Row] = &[
    row("header", May, Object),
    row("header.type", Must, TEXT),
    row("body", May, Object),
    row("footer", May, Object),
    row("footer.text", Must, text(60)),
    row("action", Must, Object),
];

/// Interactive messages: a header of type `text`.
pub(super) const HEADER_TEXT: &[Row] = &[row("text", Must, text(60))];

/// What is an object; no path, the place itself.
pub(super) const OBJECT: &[Row] = &[row("", Must, Object)];

/// Interactive messages: the key the rest depends on.
pub(super) const INTERACTIVE_TYPE: &[Row] = &[row("type", Must, TEXT)];

/// The body of most kinds.
const BODY: Row = row("body", Must, Object);
const BODY_TEXT: Row = row("body.text", Must, text(1024));
const ACTION_NAME: Row = row("action.name", Must, TEXT);
const PARAMETERS_OBJECT: Row = row("action.parameters", Must, Object);

/// Interactive messages by kind, each from the page of its name. `body.text` may be left out
/// where the page does not ask for it.
pub(super) const INTERACTIVE: &[(&str, &[Row])] = &[
    (
        "button",
        &[
            BODY,
            BODY_TEXT,
            row("action.buttons", Must, List(1, 3)),
            row("action.buttons[]", May, Object),
            row("action.buttons[].reply", May, Object),
            row("action.buttons[].reply.id", Must, Id(Some(256))),
            row("action.buttons[].reply.title", Must, text(20)),
        ],
    ),
    (
        "list",
        &[
            BODY,
            row("body.text", Must, text(4096)),
            row("action.button", Must, text(20)),
            row("action.sections", Must, List(1, 10)),
            row("action.sections[]", May, Object),
            row("action.sections[].title", May, text(24)),
            row("action.sections[].rows", Must, List(1, 10)),
            row("action.sections[].rows[]", May, Object),
            row("action.sections[].rows[].id", Must, Id(Some(200))),
            row("action.sections[].rows[].title", Must, text(24)),
            row("action.sections[].rows[].description", May, text(72)),
        ],
    ),
    (
        "cta_url",
        &[
            BODY,
            BODY_TEXT,
            ACTION_NAME,
            PARAMETERS_OBJECT,
            row("action.parameters.display_text", Must, text(20)),
            row("action.parameters.url", Must, TEXT),
        ],
    ),
    (
        "flow",
        &[
            BODY_TEXT,
            ACTION_NAME,
            PARAMETERS_OBJECT,
            row("action.parameters.flow_message_version", Must, ID),
            row("action.parameters.flow_id", May, ID),
            row("action.parameters.flow_name", May, TEXT),
            // Thirty today, twenty on older pages.
            row("action.parameters.flow_cta", Must, text(30)),
            row("action.parameters.mode", May, TEXT),
            row("action.parameters.flow_token", May, TEXT),
            row("action.parameters.flow_action", May, TEXT),
            row("action.parameters.flow_action_payload", May, Object),
            row("action.parameters.flow_action_payload.screen", May, TEXT),
        ],
    ),
    (
        "product",
        &[
            row("header", May, Nothing),
            BODY_TEXT,
            row("action.catalog_id", Must, ID),
            row("action.product_retailer_id", Must, ID),
        ],
    ),
    (
        "product_list",
        &[
            row("header", Must, Object),
            BODY,
            BODY_TEXT,
            row("action.catalog_id", Must, ID),
            row("action.sections", Must, List(1, 10)),
            row("action.sections[]", May, Object),
            row("action.sections[].title", May, text(24)),
            row("action.sections[].product_items", Must, List(1, 30)),
            row("action.sections[].product_items[]", May, Object),
            row(
                "action.sections[].product_items[].product_retailer_id",
                Must,
                ID,
            ),
        ],
    ),
    (
        "catalog_message",
        &[
            BODY,
            BODY_TEXT,
            ACTION_NAME,
            row("action.parameters", May, Object),
            row("action.parameters.thumbnail_product_retailer_id", May, ID),
        ],
    ),
    ("location_request_message", &[BODY, BODY_TEXT, ACTION_NAME]),
    (
        "address_message",
        &[
            BODY_TEXT,
            ACTION_NAME,
            PARAMETERS_OBJECT,
            row("action.parameters.country", Must, TEXT),
        ],
    ),
    (
        "carousel",
        &[
            row("header", May, Nothing),
            row("footer", May, Nothing),
            BODY,
            BODY_TEXT,
            row("action.cards", Must, List(2, 10)),
            row("action.cards[]", May, Object),
            row("action.cards[].card_index", Must, Number(0.0, 9.0)),
            row("action.cards[].type", May, TEXT),
            row("action.cards[].header", May, Object),
            row("action.cards[].header.type", Must, TEXT),
            row("action.cards[].body", May, Object),
            row("action.cards[].body.text", May, text(160)),
            row("action.cards[].action", Must, Object),
            row("action.cards[].action.parameters", May, Object),
            row(
                "action.cards[].action.parameters.display_text",
                Must,
                text(20),
            ),
            row("action.cards[].action.parameters.url", Must, TEXT),
            row("action.cards[].action.buttons", May, List(1, usize::MAX)),
            row("action.cards[].action.buttons[]", May, Object),
            row("action.cards[].action.buttons[].quick_reply", May, Object),
            row(
                "action.cards[].action.buttons[].quick_reply.id",
                Must,
                Id(Some(256)),
            ),
            row(
                "action.cards[].action.buttons[].quick_reply.title",
                Must,
                text(20),
            ),
        ],
    ),
    (
        "voice_call",
        &[
            BODY_TEXT,
            ACTION_NAME,
            row("action.parameters", May, Object),
            row("action.parameters.display_text", May, text(20)),
            row("action.parameters.ttl_minutes", May, Number(1.0, 43_200.0)),
            row("action.parameters.payload", May, TEXT),
        ],
    ),
    ("call_permission_request", &[BODY_TEXT, ACTION_NAME]),
    ("contact_request", &[BODY_TEXT, ACTION_NAME]),
    ("order_details", &[ACTION_NAME, PARAMETERS_OBJECT]),
    ("order_status", &[ACTION_NAME, PARAMETERS_OBJECT]),
];

/// List messages: rows in all sections together.
pub(super) const LIST_ROWS_MAX: usize = 10;

/// Multi-product messages: products in all sections together.
pub(super) const PRODUCTS_MAX: usize = 30;

/// Interactive media carousel messages: line breaks in a card's text.
pub(super) const CARD_LINE_BREAKS_MAX: usize = 2;

/// The rows of this name.
pub(super) fn named(
    table: &'static [(&'static str, &'static [Row])],
    name: &str,
) -> Option<&'static [Row]> {
    let row = table.iter().find(|(own, _)| *own == name);
    row.map(|(_, rows)| *rows)
}
