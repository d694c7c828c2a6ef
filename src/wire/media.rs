//! Files in messages: which an event holds, how their digests are written, and
//! what Graph says of one.
//!
//! * [`types`]: their types and names
//! * [`hosts`]: where Meta keeps them
//! * [`upload`]: whether a file may be sent, and the form that carries it
//!
//! Ids, types and names come from outside, some of them from customers: what
//! leaves this module is checked or made anew.

use super::raw::{self, Cursor, Member};
use super::signature::hex;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::fmt;

pub mod hosts;
#[cfg(test)]
mod tests;
pub mod types;
pub mod upload;

/// Meta's media ids have about 16 digits; far more is not one.
const ID_CHARS_MAX: usize = 128;

/// How deep in an event a file is looked for: in an echo of an edit, in a card
/// of a template, it is at eleven.
const DEPTH_MAX: usize = 24;

/// Files of one event, at most: a synchronised history holds many messages, but
/// few that still have their file.
const FILES_MAX: usize = 2_000;

/// What a file is in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file or voice note.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::Image,
        Kind::Video,
        Kind::Audio,
        Kind::Document,
        Kind::Sticker,
    ];

    /// Meta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Document => "document",
            Kind::Sticker => "sticker",
        }
    }

    /// The kind a word names; `voice` is what older versions call a voice note.
    pub fn parse(word: &str) -> Option<Kind> {
        let named = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
        named.or((word == "voice").then_some(Kind::Audio))
    }
}

/// Which kinds are wanted.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// None at all.
    pub const NONE: Kinds = Kinds(0);

    /// `all`, or some, separated by commas.
    ///
    /// # Errors
    /// The first word that names no kind.
    pub fn parse(text: &str) -> Result<Kinds, String> {
        if text.trim() == "all" {
            return Ok(Kind::ALL.into_iter().fold(Kinds::NONE, Kinds::with));
        }
        text.split(',').try_fold(Kinds::NONE, |kinds, word| {
            let kind = Kind::parse(word.trim()).ok_or_else(|| word.trim().to_owned())?;
            Ok(kinds.with(kind))
        })
    }

    fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u8)
    }

    /// Whether this kind is wanted.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether none is wanted.
    pub fn is_empty(self) -> bool {
        self == Kinds::NONE
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kinds = Kind::ALL.into_iter().filter(|kind| self.has(*kind));
        f.debug_set().entries(kinds).finish()
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// As Meta writes it: base64 in messages, hexadecimal in histories and from
    /// Graph (Meta: webhooks, *messages*; media reference).
    pub fn parse(text: &str) -> Option<Digest> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let text = text.trim();
        let bytes = match text.len() {
            64 => unhex(text)?,
            _ => {
                // The other alphabet of base64 stands for the same bytes.
                let text = text.replace('-', "+").replace('_', "/");
                LENIENT.decode(text).ok()?
            }
        };
        bytes.try_into().ok().map(Digest)
    }

    /// What a SHA-256 has come to.
    pub fn of(sha256: ring::digest::Context) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(sha256.finish().as_ref());
        Digest(bytes)
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok()?;
        // `from_str_radix` takes a sign.
        let plain = pair.iter().all(u8::is_ascii_hexdigit);
        plain.then(|| u8::from_str_radix(digits, 16).ok())?
    };
    pairs.map(byte).collect()
}

/// A file an event names.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Meta's id for it: [`is_id`].
    pub id: String,
    /// What it is in the message.
    pub kind: Kind,
    /// The type the sender's phone gave it.
    pub mime_type: Option<String>,
    /// The sender's name for it: any text at all.
    pub filename: Option<String>,
    /// The digest Meta gave in the event.
    pub sha256: Option<Digest>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.id)
    }
}

/// Whether a text may be a media id: it becomes part of a path, next to our
/// token.
pub fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !text.is_empty() && text.len() <= ID_CHARS_MAX && text.bytes().all(plain)
}

/// The files that an event names by id, wherever in it: in a message, in an
/// echo of one, in a history, in a call's recording.
pub fn attachments(envelope: &str) -> Vec<Attachment> {
    // Most events hold none, and need not be read for that.
    let words = ["image", "video", "audio", "voice", "document", "sticker"];
    let may_hold = |word: &&str| envelope.contains(*word);
    let mut found = Vec::new();
    if words.iter().any(may_hold)
        && let Some(mut cursor) = Cursor::new(envelope)
    {
        gather(&mut cursor, DEPTH_MAX, &mut found);
    }
    found
}

fn gather(cursor: &mut Cursor<'_>, depth: usize, found: &mut Vec<Attachment>) {
    if depth == 0 {
        return;
    }
    let object = cursor.members(|_, key, cursor| match Kind::parse(key) {
        Some(kind) => {
            let parts = cursor.members(|_, _, _| {});
            let new = parts.and_then(|parts| attachment(kind, &parts));
            let new = new.filter(|new| found.iter().all(|old| old.id != new.id));
            found.extend(new.filter(|_| found.len() < FILES_MAX));
        }
        None => gather(cursor, depth - 1, found),
    });
    if object.is_none() {
        cursor.elements(|cursor| gather(cursor, depth - 1, found));
    }
}

fn attachment(kind: Kind, parts: &[Member<'_>]) -> Option<Attachment> {
    let text = |key| raw::get_text(parts, key).map(std::borrow::Cow::into_owned);
    Some(Attachment {
        id: text("id").filter(|id| is_id(id))?,
        kind,
        mime_type: text("mime_type"),
        filename: text("filename"),
        sha256: text("sha256").and_then(|text| Digest::parse(&text)),
    })
}

/// What Graph says of a file (Meta: media reference, *retrieve media URL*).
#[derive(Clone, PartialEq, Eq)]
pub struct Described {
    /// Where it is, for five minutes.
    pub url: String,
    /// Its type.
    pub mime_type: Option<String>,
    /// Its digest.
    pub sha256: Option<Digest>,
    /// Its length in bytes.
    pub bytes: Option<u64>,
}

impl Described {
    /// Reads Graph's answer; `None` when it names no address.
    pub fn read(body: &[u8]) -> Option<Described> {
        let body = std::str::from_utf8(body).ok()?;
        let parts = raw::members(body)?;
        let text = |key| raw::get_text(&parts, key).map(std::borrow::Cow::into_owned);
        Some(Described {
            url: text("url")?,
            mime_type: text("mime_type"),
            sha256: text("sha256").and_then(|text| Digest::parse(&text)),
            bytes: text("file_size").and_then(|text| text.parse().ok()),
        })
    }
}
