//! What a user sent: one element of `value.messages`, typed.
//!
//! Only reads, and reads whatever comes: a message of an unknown type, or of a known one without
//! what gives it meaning, is [`Content::Other`] with everything Meta sent in it.

use std::fmt;

use serde_json::Value;

use super::event::lenient::{decimal, flag, hide, object, record, seconds, text, words};
use super::status::ReportedError;

mod answers;
mod cards;
mod replies;
#[cfg(test)]
mod tests;

pub use cards::{Card, CardAddress, CardEmail, CardName, CardOrg, CardPhone, CardUrl};
pub use replies::{CallPermissionReply, Interactive, NfmReply, Order, OrderItem};

/// One element of `value.messages` (Meta: webhooks, *messages* reference).
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The `wamid`; opaque, of no fixed length. Empty if Meta left it out.
    pub id: String,
    /// When it was sent, in Unix seconds.
    pub timestamp: Option<i64>,
    /// The sender's phone number; absent for a user known only by BSUID. Do not parse it.
    pub from: Option<String>,
    /// The sender's BSUID, the business-scoped user id (Meta: business-scoped user IDs).
    pub from_user_id: Option<String>,
    /// The sender's parent BSUID, for portfolios that Meta linked.
    pub from_parent_user_id: Option<String>,
    /// The recipient, in echoes of what the business itself wrote on its phone.
    pub to: Option<String>,
    /// The recipient's BSUID, in such echoes.
    pub to_user_id: Option<String>,
    /// The group it was written in; an answer goes there.
    pub group_id: Option<String>,
    /// What it answers or where it was forwarded from.
    pub context: Option<Context>,
    /// The ad or post whose click opened the chat; on the first message only.
    pub referral: Option<Referral>,
    /// Why it cannot be shown.
    pub errors: Vec<ReportedError>,
    /// What it says.
    pub content: Content,
}

/// What a message says, by Meta's `type` (Meta: webhooks, *messages* reference).
#[derive(Clone, PartialEq)]
pub enum Content {
    /// Typed text.
    Text {
        /// The text.
        body: String,
    },
    /// A picture.
    Image(Media),
    /// A film.
    Video(Media),
    /// A sound file or, with [`Media::voice`], a voice note. Also what older versions call `voice`.
    Audio(Media),
    /// Any file.
    Document(Media),
    /// A sticker.
    Sticker(Media),
    /// A place.
    Location(Location),
    /// Shared address cards, at least one.
    Contacts(Vec<Card>),
    /// A choice made, or a form filled in, in an interactive message of the business.
    Interactive(Interactive),
    /// A tap on a template's quick-reply button.
    Button {
        /// What the template attached to the button.
        payload: Option<String>,
        /// What the button says.
        text: Option<String>,
    },
    /// A reaction, or its removal.
    Reaction {
        /// The message reacted to.
        message_id: String,
        /// `None`: the reaction was taken back.
        emoji: Option<String>,
    },
    /// A cart from the catalog.
    Order(Order),
    /// Not written by the user: the user's number or id changed. [`Message::from`] is the old one.
    System(System),
    /// Something the Cloud API does not pass on (polls, view-once, files that are too big); see
    /// [`Message::errors`]. Also what older versions call `unknown`.
    Unsupported {
        /// What it was, such as `poll_creation`, if Meta tells.
        kind: Option<String>,
    },
    /// The user opened the chat for the first time. Opens the customer service window.
    RequestWelcome,
    /// A disappearing message of older versions, without its content.
    Ephemeral,
    /// A file in a synchronised history; it follows in another notification.
    MediaPlaceholder,
    /// A message was changed; only where the business also uses the WhatsApp Business app.
    Edit {
        /// The message as it was.
        original_message_id: String,
        /// What it says now.
        content: Box<Content>,
    },
    /// A message was deleted for everyone.
    Revoke {
        /// The deleted message.
        original_message_id: String,
    },
    /// A type we don't know, or one we know in a shape we don't.
    Other {
        /// Meta's `type`; empty if there was none.
        kind: String,
        /// The whole element of `messages`.
        value: Value,
    },
}

/// A file. Its bytes are fetched with its id, within 7 days (Meta: media reference).
#[derive(Clone, Default, PartialEq)]
pub struct Media {
    /// The media id.
    pub id: String,
    /// Such as `audio/ogg; codecs=opus`.
    pub mime_type: Option<String>,
    /// The hash: base64 as a rule, hexadecimal in synchronised histories.
    pub sha256: Option<String>,
    /// What the sender wrote below it.
    pub caption: Option<String>,
    /// The sender's name for a document. Any text at all: not to be used as a path.
    pub filename: Option<String>,
    /// A link that lives for minutes and needs the access token.
    pub url: Option<String>,
    /// A voice note rather than a sound file.
    pub voice: bool,
    /// A sticker that moves.
    pub animated: bool,
}

/// A place, in degrees.
#[derive(Clone, Default, PartialEq)]
pub struct Location {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
    /// The name of a known place.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// Its page.
    pub url: Option<String>,
}

record! {
    /// A change of the user's number or id.
    pub struct System {
        /// Meta's `type`: `user_changed_number`, `user_changed_user_id`; older versions:
        /// `customer_changed_number`, `customer_identity_changed`.
        kind: "type",
        /// A sentence for people, with names and numbers in it.
        body: "body",
        /// The new number.
        wa_id: "wa_id" | "new_wa_id",
        /// The new BSUID.
        user_id: "user_id",
        /// The new parent BSUID.
        parent_user_id: "parent_user_id",
        /// The hash of the new device identity, in older versions.
        identity: "identity",
        /// The old number, in older versions.
        customer: "customer",
    }
}

/// What a message answers (Meta: webhooks, *messages* reference, `context`).
#[derive(Clone, Default, PartialEq)]
pub struct Context {
    /// Who wrote the quoted message.
    pub from: Option<String>,
    /// The quoted message. For a call permission it can be the `wacid` of a call.
    pub id: Option<String>,
    /// Forwarded; then as a rule without author and id.
    pub forwarded: bool,
    /// Forwarded more than five times.
    pub frequently_forwarded: bool,
    /// The catalog of the product the user was looking at.
    pub catalog_id: Option<String>,
    /// The product the user was looking at.
    pub product_retailer_id: Option<String>,
}

record! {
    /// The ad or post that led to the chat (Meta: webhooks, *messages* reference, `referral`).
    pub struct Referral {
        /// `ad` or `post`.
        source_type: "source_type",
        /// The ad or post.
        source_id: "source_id",
        /// Its address.
        source_url: "source_url",
        /// Its headline.
        headline: "headline",
        /// Its text.
        body: "body",
        /// `image` or `video`.
        media_type: "media_type",
        /// Its picture.
        image_url: "image_url",
        /// Its film.
        video_url: "video_url",
        /// A small picture of the film.
        thumbnail_url: "thumbnail_url",
        /// The click, for reporting what came of it; absent for ads in Status.
        ctwa_clid: "ctwa_clid",
        /// What the business put in the link.
        reference: "ref",
    }
}

hide!(Media, Location, Context);

impl Message {
    /// Reads one element of `messages`, also of one nested deeper: `standby`, `history` and
    /// `message_echoes` have the same elements.
    pub fn read(element: &Value) -> Message {
        Message {
            id: text(element, "id").unwrap_or_default(),
            timestamp: seconds(element, "timestamp"),
            from: text(element, "from"),
            from_user_id: text(element, "from_user_id"),
            from_parent_user_id: text(element, "from_parent_user_id"),
            to: text(element, "to"),
            to_user_id: text(element, "to_user_id"),
            group_id: text(element, "group_id"),
            context: object(element, "context").map(Context::read),
            referral: object(element, "referral").map(Referral::read),
            errors: ReportedError::read_list(element),
            content: Content::read(element),
        }
    }

    /// See [`Content::text`].
    pub fn text(&self) -> Option<&str> {
        self.content.text()
    }

    /// See [`Content::reply_id`].
    pub fn reply_id(&self) -> Option<&str> {
        self.content.reply_id()
    }
}

/// Whether by a message of this type a person turns to the business. One that is
/// opened, reacted to or deleted says nothing, nor does Meta's own news of them,
/// nor what Meta does not pass on.
pub fn says_something(kind: &str) -> bool {
    !matches!(
        kind,
        "reaction"
            | "system"
            | "unsupported"
            | "unknown"
            | "request_welcome"
            | "ephemeral"
            | "media_placeholder"
            | "edit"
            | "revoke"
    )
}

/// Prints the id and the type: the rest is between the user and the business.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// The keys under which a message's content sits, for messages that come without their type:
/// Meta's calling pages print one such.
pub(super) const CONTENTS: [&str; 17] = [
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
    "system",
    "edit",
    "revoke",
    "unsupported",
];

impl Content {
    fn read(element: &Value) -> Content {
        let kind = text(element, "type").unwrap_or_else(|| {
            let mut payloads = CONTENTS.into_iter();
            payloads
                .find(|key| !element[key].is_null())
                .unwrap_or_default()
                .to_owned()
        });
        Content::typed(&kind, element).unwrap_or_else(|| Content::Other {
            kind,
            value: element.clone(),
        })
    }

    /// `None` if the type is unknown, or lacks what gives it meaning.
    fn typed(kind: &str, element: &Value) -> Option<Content> {
        let payload = &element[kind];
        Some(match kind {
            "text" => Content::Text {
                body: words(payload, "body")?,
            },
            "image" => Content::Image(Media::read(payload)?),
            "video" => Content::Video(Media::read(payload)?),
            "audio" => Content::Audio(Media::read(payload)?),
            "voice" => Content::Audio(Media {
                voice: true,
                ..Media::read(payload)?
            }),
            "document" => Content::Document(Media::read(payload)?),
            "sticker" => Content::Sticker(Media::read(payload)?),
            "location" => Content::Location(Location::read(payload)?),
            "contacts" => Content::Contacts(filled(Card::read_list(element))?),
            "interactive" => Content::Interactive(Interactive::read(object(element, kind)?)),
            "button" => {
                let (payload, text) = (text(payload, "payload"), text(payload, "text"));
                payload.as_ref().or(text.as_ref())?;
                Content::Button { payload, text }
            }
            "reaction" => Content::Reaction {
                message_id: text(payload, "message_id")?,
                emoji: text(payload, "emoji"),
            },
            "order" => Content::Order(Order::read(object(element, kind)?)),
            "system" => Content::System(System::read(object(element, kind)?)),
            "unsupported" | "unknown" => Content::Unsupported {
                kind: text(payload, "type"),
            },
            "request_welcome" => Content::RequestWelcome,
            "ephemeral" => Content::Ephemeral,
            "media_placeholder" => Content::MediaPlaceholder,
            "edit" => Content::Edit {
                original_message_id: text(payload, "original_message_id")?,
                content: Box::new(Content::read(object(payload, "message")?)),
            },
            "revoke" => Content::Revoke {
                original_message_id: text(payload, "original_message_id")?,
            },
            _ => return None,
        })
    }

    /// Meta's `type`, or for [`Content::Other`] whatever stood there.
    pub fn kind(&self) -> &str {
        match self {
            Content::Text { .. } => "text",
            Content::Image(_) => "image",
            Content::Video(_) => "video",
            Content::Audio(_) => "audio",
            Content::Document(_) => "document",
            Content::Sticker(_) => "sticker",
            Content::Location(_) => "location",
            Content::Contacts(_) => "contacts",
            Content::Interactive(_) => "interactive",
            Content::Button { .. } => "button",
            Content::Reaction { .. } => "reaction",
            Content::Order(_) => "order",
            Content::System(_) => "system",
            Content::Unsupported { .. } => "unsupported",
            Content::RequestWelcome => "request_welcome",
            Content::Ephemeral => "ephemeral",
            Content::MediaPlaceholder => "media_placeholder",
            Content::Edit { .. } => "edit",
            Content::Revoke { .. } => "revoke",
            Content::Other { kind, .. } => kind,
        }
    }

    /// What the user wrote or tapped: the text, the caption, the note with an order, the text of a
    /// button, the title of a reply. An edited message is not said anew: see its own content.
    pub fn text(&self) -> Option<&str> {
        match self {
            Content::Text { body } => Some(body),
            Content::Order(order) => order.text.as_deref(),
            Content::Button { text, .. } => text.as_deref(),
            Content::Interactive(
                Interactive::ButtonReply { title, .. } | Interactive::ListReply { title, .. },
            ) => Some(title)
                .filter(|title| !title.is_empty())
                .map(String::as_str),
            _ => self.media()?.caption.as_deref(),
        }
    }

    /// What the business attached to the button or row that was tapped: the id of a reply button
    /// or list row, the payload of a template's button.
    pub fn reply_id(&self) -> Option<&str> {
        match self {
            Content::Button { payload, .. } => payload.as_deref(),
            Content::Interactive(
                Interactive::ButtonReply { id, .. } | Interactive::ListReply { id, .. },
            ) => Some(id),
            _ => None,
        }
    }

    /// The file of an image, video, audio, document or sticker.
    pub fn media(&self) -> Option<&Media> {
        match self {
            Content::Image(media)
            | Content::Video(media)
            | Content::Audio(media)
            | Content::Document(media)
            | Content::Sticker(media) => Some(media),
            _ => None,
        }
    }
}

/// Prints the type.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Media {
    /// `None` without an id: there is then no file to fetch.
    pub(super) fn read(value: &Value) -> Option<Media> {
        Some(Media {
            id: text(value, "id")?,
            mime_type: text(value, "mime_type"),
            sha256: text(value, "sha256"),
            caption: text(value, "caption"),
            filename: text(value, "filename"),
            url: text(value, "url"),
            voice: flag(value, "voice").unwrap_or(false),
            animated: flag(value, "animated").unwrap_or(false),
        })
    }
}

impl Location {
    fn read(value: &Value) -> Option<Location> {
        Some(Location {
            latitude: decimal(value, "latitude")?,
            longitude: decimal(value, "longitude")?,
            name: text(value, "name"),
            address: text(value, "address"),
            url: text(value, "url"),
        })
    }
}

impl Context {
    fn read(context: &Value) -> Context {
        let product = &context["referred_product"];
        Context {
            from: text(context, "from"),
            id: text(context, "id"),
            forwarded: flag(context, "forwarded").unwrap_or(false),
            frequently_forwarded: flag(context, "frequently_forwarded").unwrap_or(false),
            catalog_id: text(product, "catalog_id"),
            product_retailer_id: text(product, "product_retailer_id"),
        }
    }
}

fn filled<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}
