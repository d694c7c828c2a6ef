//! Whether a file may be sent, and the form in which it goes to Graph
//! (Meta: media reference, *upload media*).

use super::types::{self, Type};
use super::{Kind, is_id};
use crate::wire::raw;
use std::fmt;

/// A file that may be sent, as far as can be known here.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    /// What it is.
    pub is: &'static Type,
    /// What it is sent as.
    pub kind: Kind,
}

/// Why a file is not sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is nothing in it.
    Empty,
    /// It is of no type that WhatsApp takes.
    Unknown,
    /// It is, but not as this.
    OtherKind {
        /// What it is.
        is: &'static Type,
        /// What it should be sent as.
        wanted: Kind,
    },
    /// It is too long.
    TooLarge {
        /// What it should be sent as.
        kind: Kind,
        /// Its length.
        bytes: u64,
        /// The most it may have.
        bytes_max: u64,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unfit::Empty => f.write_str("is empty: WhatsApp takes no empty files"),
            Unfit::Unknown => f.write_str(
                "is of no type that WhatsApp takes: send JPEG, PNG, WebP, MP4, 3GP, AAC, AMR, MP3, \
                 M4A, OGG, PDF, Word, Excel, PowerPoint, or text whose name ends in .txt",
            ),
            Unfit::OtherKind { is, wanted } => write!(
                f,
                "is {}, which is not sent as {}: leave out --as, or use --as {}{}",
                is.mime,
                wanted.as_str(),
                is.kind.as_str(),
                match is.kind {
                    Kind::Document => "",
                    _ => " or --as document",
                }
            ),
            Unfit::TooLarge {
                kind,
                bytes,
                bytes_max,
            } => write!(
                f,
                "has {bytes} bytes, and WhatsApp takes {bytes_max} of this kind ({}): make it smaller",
                kind.as_str()
            ),
        }
    }
}

impl std::error::Error for Unfit {}

/// Whether a file of this name and length that begins with these bytes (of
/// [`types::HEAD_BYTES`], if it has so many) may be sent, as `wanted` or as
/// what it is. Meta has the last word: pictures and sounds are not looked into.
///
/// # Errors
/// Why not, with the mend.
pub fn judge(name: &str, head: &[u8], bytes: u64, wanted: Option<Kind>) -> Result<Fit, Unfit> {
    if bytes == 0 {
        return Err(Unfit::Empty);
    }
    let is = types::recognise(name, head).ok_or(Unfit::Unknown)?;
    let kind = wanted.unwrap_or(is.kind);
    if !types::fits(is, kind) {
        return Err(Unfit::OtherKind { is, wanted: kind });
    }
    let bytes_max = types::bytes_max(kind, types::is_animated(head));
    match bytes > bytes_max {
        true => Err(Unfit::TooLarge {
            kind,
            bytes,
            bytes_max,
        }),
        false => Ok(Fit { is, kind }),
    }
}

/// A form in parts: what stands before the file and after it.
#[derive(Debug)]
pub struct Form {
    /// `Content-Type` of the whole.
    pub content_type: String,
    /// Before the file.
    pub head: String,
    /// After it.
    pub tail: String,
}

/// The form for a file of this type. `boundary` must not stand in the file, so
/// nobody can have guessed it. The file's own name stays here: people see the
/// one in the message, and a name could break out of its header.
pub fn form(is: &Type, boundary: &str) -> Form {
    let field = |name: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n")
    };
    let (mime, extension) = (is.mime, is.extension());
    Form {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        head: format!(
            "{}whatsapp\r\n{}{mime}\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"file.{extension}\"\r\n\
             Content-Type: {mime}\r\n\r\n",
            field("messaging_product"),
            field("type"),
        ),
        tail: format!("\r\n--{boundary}--\r\n"),
    }
}

/// The id in Graph's answer to an upload.
pub fn read_id(body: &[u8]) -> Option<String> {
    let parts = raw::members(std::str::from_utf8(body).ok()?)?;
    let id = raw::get_text(&parts, "id")?.into_owned();
    is_id(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0";
    const WEBP: &[u8] = b"RIFF\x00\x00\x00\x00WEBPVP8 ";
    const MOVES: &[u8] = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0A\x00\x00\x00\x02";

    fn check(name: &str, head: &[u8], bytes: u64, wanted: &str, expected: &str) {
        let said = match judge(name, head, bytes, Kind::parse(wanted)) {
            Ok(fit) => format!("{} {}", fit.kind.as_str(), fit.is.mime),
            Err(unfit) => unfit.to_string(),
        };
        let holds = match expected.contains('/') {
            true => said == expected,
            false => said.contains(expected),
        };
        assert!(
            holds,
            "{name}, {bytes} bytes, as {wanted}: {said:?} for {expected:?}"
        );
    }

    #[test]
    fn a_file_is_sent_as_what_it_is_or_as_a_document() {
        check("a.jpg", JPEG, 9, "", "image image/jpeg");
        check("a.jpg", JPEG, 9, "document", "document image/jpeg");
        check("a.jpg", JPEG, 9, "image", "image image/jpeg");
        check("a.jpg", JPEG, 9, "video", "leave out --as");
        check("a.jpg", JPEG, 9, "sticker", "--as image or --as document");
        check("a.webp", WEBP, 9, "", "sticker image/webp");
        check("a.webp", WEBP, 9, "image", "--as sticker or");
        check("a.pdf", b"%PDF-1.7", 9, "image", "use --as document");
        check("a.ogg", b"OggS", 9, "", "audio audio/ogg");
        check("a.txt", b"Hi", 2, "", "document text/plain");
        check("a.exe", b"MZ\x90\x00", 4, "document", "no type that");
        check("a.jpg", b"<html>", 6, "", "no type that");
        check("a.jpg", b"", 0, "", "is empty");
    }

    #[test]
    fn a_file_has_the_length_of_its_kind_at_most() {
        const MB: u64 = 1 << 20;
        let rows: &[(&str, &[u8], u64, &str)] = &[
            ("a.jpg", JPEG, 5 * MB, ""),
            ("a.jpg", JPEG, 100 * MB, "document"),
            ("a.mp4", b"\0\0\0\x18ftypisom", 16 * MB, ""),
            ("a.ogg", b"OggS", 16 * MB, ""),
            ("a.pdf", b"%PDF-1.7", 100 * MB, ""),
            ("a.webp", WEBP, 100 << 10, ""),
            ("a.webp", MOVES, 500 << 10, ""),
        ];
        for (name, head, longest, wanted) in rows {
            assert!(judge(name, head, *longest, Kind::parse(wanted)).is_ok());
            let more = format!("{} bytes, and WhatsApp takes {longest}", longest + 1);
            check(name, head, longest + 1, wanted, &more);
        }
    }

    #[test]
    fn a_form_has_its_parts_and_nothing_of_the_files_name() {
        let is = types::named("image/jpeg").unwrap();
        let form = form(is, "b7");
        assert_eq!(form.content_type, "multipart/form-data; boundary=b7");
        assert_eq!(
            form.head + "JPEG" + &form.tail,
            "--b7\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
             --b7\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage/jpeg\r\n\
             --b7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\nJPEG\r\n--b7--\r\n"
        );
    }

    #[test]
    fn an_id_is_read_when_it_is_one() {
        let rows = [
            (r#"{"id":"1200000000000001"}"#, Some("1200000000000001")),
            (r#"{"id":1200000000000001}"#, Some("1200000000000001")),
            (r#"{"id":"../me"}"#, None),
            (r#"{"id":""}"#, None),
            (r#"{"success":true}"#, None),
            ("<html>", None),
        ];
        for (body, expected) in rows {
            assert_eq!(read_id(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
