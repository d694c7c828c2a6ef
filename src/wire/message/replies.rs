//! Answers to interactive messages of the business: a tap on a button, a choice from a list, a form
//! filled in, a permission given, a cart.

use std::fmt;

use serde_json::Value;

use crate::wire::event::lenient::{
    flag, hide, integer, object, records, repair_surrogates, seconds, text,
};

/// The answer to an interactive message (Meta: webhooks, *interactive messages* reference).
#[derive(Clone, PartialEq)]
pub enum Interactive {
    /// A tap on a reply button.
    ButtonReply {
        /// The id the business gave the button.
        id: String,
        /// What the button says.
        title: String,
    },
    /// A choice from a list.
    ListReply {
        /// The id the business gave the row.
        id: String,
        /// The row's title.
        title: String,
        /// The row's second line.
        description: Option<String>,
    },
    /// A form filled in: a flow, an address.
    NfmReply(NfmReply),
    /// Whether the business may call.
    CallPermissionReply(CallPermissionReply),
    /// A kind of reply we don't know.
    Other {
        /// Meta's `interactive.type`; empty if there was none.
        kind: String,
        /// The whole `interactive` object.
        value: Value,
    },
}

/// A form as the user sent it (Meta: flows, *response message* webhook).
#[derive(Clone, Default, PartialEq)]
pub struct NfmReply {
    /// `flow`, `address_message`, …
    pub name: Option<String>,
    /// What the chat shows for it.
    pub body: Option<String>,
    /// The answers: JSON inside a string, of the form's own shape. See [`NfmReply::response`].
    pub response_json: String,
}

/// The user's answer to a request to be called (Meta: calling, user call permissions).
#[derive(Clone, Default, PartialEq)]
pub struct CallPermissionReply {
    /// `accept` or `reject`.
    pub response: String,
    /// Until it is taken back.
    pub is_permanent: bool,
    /// When it ends, in Unix seconds.
    pub expiration_timestamp: Option<i64>,
    /// `user_action`, or `automatic` when the user called first.
    pub response_source: Option<String>,
}

/// A cart (Meta: webhooks, *order messages* reference).
#[derive(Clone, Default, PartialEq)]
pub struct Order {
    /// The catalog.
    pub catalog_id: Option<String>,
    /// What the user wrote with it.
    pub text: Option<String>,
    /// What the user wants.
    pub product_items: Vec<OrderItem>,
}

/// A row of a cart.
#[derive(Clone, Default, PartialEq)]
pub struct OrderItem {
    /// The business's own id of the product.
    pub product_retailer_id: Option<String>,
    /// How many.
    pub quantity: Option<i64>,
    /// The price of one, as decimal text: a price has no business in a binary fraction.
    pub item_price: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
}

hide!(NfmReply, CallPermissionReply, Order, OrderItem);

impl Interactive {
    const REPLIES: [&str; 4] = [
        "button_reply",
        "list_reply",
        "nfm_reply",
        "call_permission_reply",
    ];

    pub(super) fn read(value: &Value) -> Interactive {
        // By the reply that is there rather than by the type: Meta's sample of an address reply
        // has "interactive" for its type.
        let known = Interactive::REPLIES
            .into_iter()
            .find_map(|kind| object(value, kind).and_then(|reply| Interactive::typed(kind, reply)));
        known.unwrap_or_else(|| Interactive::Other {
            kind: text(value, "type").unwrap_or_default(),
            value: value.clone(),
        })
    }

    /// `None` if the reply lacks what gives it meaning.
    fn typed(kind: &str, reply: &Value) -> Option<Interactive> {
        let title = text(reply, "title").unwrap_or_default();
        match kind {
            "button_reply" => Some(Interactive::ButtonReply {
                id: text(reply, "id")?,
                title,
            }),
            "list_reply" => Some(Interactive::ListReply {
                id: text(reply, "id")?,
                title,
                description: text(reply, "description"),
            }),
            "nfm_reply" => NfmReply::read(reply).map(Interactive::NfmReply),
            _ => CallPermissionReply::read(reply).map(Interactive::CallPermissionReply),
        }
    }

    /// Meta's `interactive.type`, or for [`Interactive::Other`] whatever stood there.
    pub fn kind(&self) -> &str {
        match self {
            Interactive::ButtonReply { .. } => "button_reply",
            Interactive::ListReply { .. } => "list_reply",
            Interactive::NfmReply(_) => "nfm_reply",
            Interactive::CallPermissionReply(_) => "call_permission_reply",
            Interactive::Other { kind, .. } => kind,
        }
    }
}

/// Prints the type.
impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl NfmReply {
    fn read(reply: &Value) -> Option<NfmReply> {
        let response_json = match &reply["response_json"] {
            Value::Null => return None,
            Value::String(json) => json.clone(),
            unwrapped => unwrapped.to_string(),
        };
        Some(NfmReply {
            name: text(reply, "name"),
            body: text(reply, "body"),
            response_json,
        })
    }

    /// The answers, parsed; `None` if they are not JSON. Their shape is the form's own, an object
    /// with a `flow_token` as a rule. The user's device wrote them: to be checked like any input.
    pub fn response(&self) -> Option<Value> {
        serde_json::from_str(&repair_surrogates(&self.response_json)).ok()
    }
}

impl CallPermissionReply {
    fn read(reply: &Value) -> Option<CallPermissionReply> {
        Some(CallPermissionReply {
            response: text(reply, "response")?,
            is_permanent: flag(reply, "is_permanent").unwrap_or(false),
            expiration_timestamp: seconds(reply, "expiration_timestamp"),
            response_source: text(reply, "response_source"),
        })
    }
}

impl Order {
    pub(super) fn read(order: &Value) -> Order {
        Order {
            catalog_id: text(order, "catalog_id"),
            text: text(order, "text"),
            product_items: records(order, "product_items", OrderItem::read),
        }
    }
}

impl OrderItem {
    fn read(item: &Value) -> OrderItem {
        OrderItem {
            product_retailer_id: text(item, "product_retailer_id"),
            quantity: integer(item, "quantity"),
            item_price: text(item, "item_price"),
            currency: text(item, "currency"),
        }
    }
}
