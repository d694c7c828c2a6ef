//! What a message can be: names for the compiler, without values.
//!
//! A [`Message`](super::Message) carries one of them so that a caption on a location is an error
//! at compile time.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $(: $($marker:ident),+)?;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}
        $($(impl $marker for $name {})+)?
    )+};
}

/// Kinds that go to somebody: all but [`Mark`].
pub trait Sent {}

/// Files that can have a text below them.
pub trait Captioned: Sent {}

/// Interactive kinds that can have a header.
pub trait Headed: Sent {}

/// Interactive kinds that can have a footer.
pub trait Footed: Sent {}

kinds! {
    /// Any kind: what [`Message::any`](super::Message::any) makes of the others.
    Any: Sent;
    /// A read mark, with or without the typing sign. Goes to nobody.
    Mark;
    /// Typed text.
    Text: Sent;
    /// A picture.
    Image: Sent, Captioned;
    /// A film.
    Video: Sent, Captioned;
    /// A sound file or a voice note.
    Audio: Sent;
    /// Any file.
    Document: Sent, Captioned;
    /// A sticker.
    Sticker: Sent;
    /// A place.
    Location: Sent;
    /// Address cards.
    Contacts: Sent;
    /// A reaction, or its removal.
    Reaction: Sent;
    /// A message pinned in a group.
    Pin: Sent;
    /// An approved template.
    Template: Sent;
    /// Interactive: one to three reply buttons.
    Buttons: Sent, Headed, Footed;
    /// Interactive: a menu to choose from.
    List: Sent, Headed, Footed;
    /// Interactive: a button that opens a link.
    CtaUrl: Sent, Headed, Footed;
    /// Interactive: a form.
    Form: Sent, Headed, Footed;
    /// Interactive: one product.
    Product: Sent, Footed;
    /// Interactive: several products.
    ProductList: Sent, Footed;
    /// Interactive: the whole catalog.
    Catalog: Sent, Footed;
    /// Interactive: a request for the user's location.
    LocationRequest: Sent;
    /// Interactive: a request for a postal address.
    AddressRequest: Sent, Headed, Footed;
    /// Interactive: a request for contact details.
    ContactRequest: Sent;
    /// Interactive: a request for permission to call.
    CallPermission: Sent;
    /// Interactive: a button that calls the business.
    VoiceCall: Sent;
    /// Interactive: cards side by side.
    Carousel: Sent;
    /// Interactive: a bill, or news of an order.
    Order: Sent, Headed, Footed;
}
