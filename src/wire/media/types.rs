//! Types of files: the ones that WhatsApp knows, how each is recognised, how
//! large it may be, and what it is called on a disk or in a header.

use super::{Digest, Kind};

/// One type of file.
#[derive(Debug, PartialEq, Eq)]
pub struct Type {
    /// Its MIME type, without parameters.
    pub mime: &'static str,
    /// What its files' names end in; the first is what we write.
    extensions: &'static [&'static str],
    /// What it is sent as, unless somebody says otherwise.
    pub kind: Kind,
}

impl Type {
    /// What a file of this type is called at the end.
    pub fn extension(&self) -> &'static str {
        self.extensions[0]
    }
}

/// Types that may be sent (Meta: media reference, *supported media types*), and
/// with them all that a file of ours is ever called or served as: nothing here
/// is run by a browser.
#[rustfmt::skip]
static TYPES: &[Type] = &[
    Type { mime: "image/jpeg", extensions: &["jpg", "jpeg"], kind: Kind::Image },
    Type { mime: "image/png", extensions: &["png"], kind: Kind::Image },
    Type { mime: "image/webp", extensions: &["webp"], kind: Kind::Sticker },
    Type { mime: "audio/aac", extensions: &["aac"], kind: Kind::Audio },
    Type { mime: "audio/amr", extensions: &["amr"], kind: Kind::Audio },
    Type { mime: "audio/mpeg", extensions: &["mp3"], kind: Kind::Audio },
    Type { mime: "audio/mp4", extensions: &["m4a"], kind: Kind::Audio },
    Type { mime: "audio/ogg", extensions: &["ogg", "oga", "opus"], kind: Kind::Audio },
    Type { mime: "video/mp4", extensions: &["mp4", "m4v"], kind: Kind::Video },
    Type { mime: "video/3gpp", extensions: &["3gp", "3gpp"], kind: Kind::Video },
    Type { mime: "text/plain", extensions: &["txt", "csv", "log", "md"], kind: Kind::Document },
    Type { mime: "application/pdf", extensions: &["pdf"], kind: Kind::Document },
    Type { mime: "application/msword", extensions: &["doc"], kind: Kind::Document },
    Type { mime: "application/vnd.ms-excel", extensions: &["xls"], kind: Kind::Document },
    Type { mime: "application/vnd.ms-powerpoint", extensions: &["ppt"], kind: Kind::Document },
    Type { mime: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", extensions: &["docx"], kind: Kind::Document },
    Type { mime: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", extensions: &["xlsx"], kind: Kind::Document },
    Type { mime: "application/vnd.openxmlformats-officedocument.presentationml.presentation", extensions: &["pptx"], kind: Kind::Document },
];

/// How many of a file's first bytes [`recognise`] wants to see.
pub const HEAD_BYTES: usize = 64;

/// The type that a MIME type names, whatever its case and parameters.
pub fn named(mime_type: &str) -> Option<&'static Type> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    TYPES.iter().find(|t| t.mime.eq_ignore_ascii_case(essence))
}

/// The type of a file of this name that begins with these bytes. What it holds
/// counts for more than what it is called.
pub fn recognise(name: &str, head: &[u8]) -> Option<&'static Type> {
    let called = || {
        let (_, extension) = name.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        TYPES
            .iter()
            .find(|t| t.extensions.contains(&extension.as_str()))
    };
    match content(head) {
        Content::Is(mime) => named(mime),
        // The newer Office types are archives, the older ones are alike inside.
        Content::Packed => called().filter(|t| {
            let name = t.extension();
            ["docx", "xlsx", "pptx"].contains(&name)
        }),
        Content::Compound => called().filter(|t| {
            let name = t.extension();
            ["doc", "xls", "ppt"].contains(&name)
        }),
        Content::Text => called().filter(|t| t.mime == "text/plain"),
        Content::Unknown => None,
    }
}

enum Content {
    Is(&'static str),
    Packed,
    Compound,
    Text,
    Unknown,
}

fn content(head: &[u8]) -> Content {
    let at = |from: usize, bytes: &[u8]| head.get(from..).is_some_and(|h| h.starts_with(bytes));
    // An MPEG audio frame: eleven bits set, then layer III; ADTS has layer 0.
    let frame = |mask: u8, value: u8| head.len() > 1 && head[0] == 0xFF && head[1] & mask == value;
    let brand = || head.get(8..12).unwrap_or_default();
    match () {
        () if at(0, b"\xFF\xD8\xFF") => Content::Is("image/jpeg"),
        () if at(0, b"\x89PNG\r\n\x1A\n") => Content::Is("image/png"),
        () if at(0, b"RIFF") && at(8, b"WEBP") => Content::Is("image/webp"),
        () if at(0, b"%PDF-") => Content::Is("application/pdf"),
        () if at(0, b"OggS") => Content::Is("audio/ogg"),
        () if at(0, b"#!AMR") => Content::Is("audio/amr"),
        () if at(0, b"ID3") => Content::Is("audio/mpeg"),
        () if frame(0xF6, 0xF0) => Content::Is("audio/aac"),
        () if frame(0xE6, 0xE2) => Content::Is("audio/mpeg"),
        () if at(4, b"ftyp") && brand().starts_with(b"M4A") => Content::Is("audio/mp4"),
        () if at(4, b"ftyp") && brand().starts_with(b"3g") => Content::Is("video/3gpp"),
        () if at(4, b"ftyp") && !brand().starts_with(b"qt") => Content::Is("video/mp4"),
        () if at(0, b"PK\x03\x04") => Content::Packed,
        () if at(0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") => Content::Compound,
        () if is_text(head) => Content::Text,
        () => Content::Unknown,
    }
}

/// UTF-8, perhaps cut off in a character at the end, without the controls that
/// no text has.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => head.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    let control = |b: &u8| *b < 0x20 && !b"\t\n\r\x0C".contains(b);
    !head[..valid].iter().any(control)
}

/// Whether a WebP moves: its extended header says so (bit 1 of the flags).
pub fn is_animated(head: &[u8]) -> bool {
    head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|flags| flags & 0x02 != 0)
}

/// Types that one can be sent as: its own, and any file as a document.
pub fn fits(t: &Type, kind: Kind) -> bool {
    t.kind == kind || kind == Kind::Document
}

/// The most bytes of a file that is sent (Meta: media reference). Its "KB" and
/// "MB" are read as the larger of what they may mean: Meta has the last word.
pub fn bytes_max(kind: Kind, animated: bool) -> u64 {
    const KB: u64 = 1 << 10;
    const MB: u64 = 1 << 20;
    match kind {
        Kind::Image => 5 * MB,
        Kind::Video | Kind::Audio => 16 * MB,
        Kind::Document => 100 * MB,
        Kind::Sticker if animated => 500 * KB,
        Kind::Sticker => 100 * KB,
    }
}

/// What a fetched file is called on disk: by its content, with the end of a
/// known type or none. The same content is one file, and nothing that came from
/// outside is in the name.
pub fn stored_name(digest: &Digest, mime_type: Option<&str>) -> String {
    match mime_type.and_then(named) {
        Some(t) => format!("{}.{}", digest.hex(), t.extension()),
        None => digest.hex(),
    }
}

/// What a file is served as: a known type that no browser runs, or just bytes.
pub fn served_type(mime_type: Option<&str>) -> &'static str {
    match mime_type.and_then(named) {
        // As text a browser might guess what it is.
        None => "application/octet-stream",
        Some(t) => t.mime,
    }
}

/// The longest name that a header carries.
const NAME_CHARS_MAX: usize = 120;

/// `Content-Disposition` for a file that the sender called `filename`: to be
/// saved, never shown. Only ASCII that is harmless in a header and on a disk is
/// left; the whole name follows percent-encoded (RFC 6266, RFC 8187).
pub fn disposition(filename: Option<&str>, media_id: &str, mime_type: Option<&str>) -> String {
    let given = filename.map(saved_name).filter(|name| !name.is_empty());
    let name = given.unwrap_or_else(|| match mime_type.and_then(named) {
        Some(t) => format!("{media_id}.{}", t.extension()),
        None => media_id.to_owned(),
    });
    let harmless = |c: char| c.is_ascii_alphanumeric() || " ._-()".contains(c);
    let ascii: String = name
        .chars()
        .map(|c| if harmless(c) { c } else { '_' })
        .collect();
    let mut header = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        header.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            match byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                true => header.push(char::from(byte)),
                false => header.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    header
}

/// The name under which a document of this type is shown to whom it is sent. Its
/// end tells the phone what opens it, so it gets one where it has none.
pub fn shown_name(given: &str, t: &Type) -> String {
    let name = saved_name(given);
    match (name.is_empty(), name.contains('.')) {
        (true, _) => format!("document.{}", t.extension()),
        (false, true) => name,
        (false, false) => format!("{name}.{}", t.extension()),
    }
}

/// A sender's name for a file without what could mislead whoever saves it:
/// folders, controls, characters that turn the direction of writing around, a
/// dot in front. Its end, which says the type, stays.
fn saved_name(filename: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: Vec<char> = last
        .chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .collect();
    let from = clean.len().saturating_sub(NAME_CHARS_MAX);
    let name: String = clean[from..].iter().collect();
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
        .to_owned()
}
