//! Files and places.

use serde_json::{Value, json};

use super::{Message, kind};
use crate::wire::event::lenient::hide;

/// A file: uploaded before, or somewhere on the web.
#[derive(Clone, PartialEq)]
pub struct Media(Value);

impl Media {
    /// Uploaded to Graph, which gave it this id. It is kept for 30 days.
    pub fn id(id: impl Into<String>) -> Media {
        Media(json!({"id": id.into()}))
    }

    /// Fetched by Meta from this https address, and kept there for 10 minutes.
    pub fn link(link: impl Into<String>) -> Media {
        Media(json!({"link": link.into()}))
    }

    pub(super) fn into_value(self) -> Value {
        self.0
    }
}

hide!(Media);

impl Message<kind::Image> {
    /// A JPEG or PNG picture.
    pub fn image(image: Media) -> Self {
        Message::of_type("image", image.0)
    }
}

impl Message<kind::Video> {
    /// An MP4 or 3GP film.
    pub fn video(video: Media) -> Self {
        Message::of_type("video", video.0)
    }
}

impl Message<kind::Audio> {
    /// A sound file.
    pub fn audio(audio: Media) -> Self {
        Message::of_type("audio", audio.0)
    }

    /// A voice note: OGG with OPUS, one channel.
    pub fn voice(audio: Media) -> Self {
        let mut message = Message::audio(audio);
        message.content()["voice"] = true.into();
        message
    }
}

impl Message<kind::Document> {
    /// Any file, shown by its name.
    ///
    /// ```
    /// use wabridge::compose::{Media, Message};
    ///
    /// let bill = Message::document(Media::id("1013")).filename("bill.pdf").caption("Your bill");
    /// assert_eq!(
    ///     bill.to_value()["document"].to_string(),
    ///     r#"{"id":"1013","filename":"bill.pdf","caption":"Your bill"}"#
    /// );
    /// ```
    pub fn document(document: Media) -> Self {
        Message::of_type("document", document.0)
    }

    /// The name shown; its ending tells the user's phone what opens it.
    pub fn filename(mut self, name: impl Into<String>) -> Self {
        self.content()["filename"] = name.into().into();
        self
    }
}

impl Message<kind::Sticker> {
    /// A WebP sticker.
    pub fn sticker(sticker: Media) -> Self {
        Message::of_type("sticker", sticker.0)
    }
}

impl<K: kind::Captioned> Message<K> {
    /// The text below it.
    pub fn caption(mut self, text: impl Into<String>) -> Self {
        self.content()["caption"] = text.into().into();
        self
    }
}

impl Message<kind::Location> {
    /// A place, in degrees; north and east are positive.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// let here = Message::location(52.5163, 13.3777).name("The gate").address("1 Main Street");
    /// assert_eq!(here.to_value()["location"]["name"], "The gate");
    /// ```
    pub fn location(latitude: f64, longitude: f64) -> Self {
        let place = json!({"latitude": latitude, "longitude": longitude});
        Message::of_type("location", place)
    }

    /// What the place is called.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.content()["name"] = name.into().into();
        self
    }

    /// Its address.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.content()["address"] = address.into().into();
        self
    }
}
