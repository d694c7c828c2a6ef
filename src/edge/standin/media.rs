//! Files at the stand-in: uploaded as a form, looked up by id, fetched where the look-up says, and
//! gone after a while, as at Meta's. Reading a form and judging it is pure.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use ring::digest;
use serde_json::{Value, json};

use super::graph::GraphError;
use super::serve::parameter;

/// So many files are remembered; from then on Graph is "overloaded".
const FILES_MAX: usize = 1_000;
/// So many bytes of files.
const BYTES_MAX: usize = 1 << 30;

/// A file that was uploaded, or that a customer sent.
#[derive(Clone)]
pub struct Media {
    /// Its id.
    pub id: String,
    /// The `phone_number_id` it belongs to.
    pub number: String,
    /// Its media type.
    pub mime: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What Meta takes, and how much of it (Meta: media, supported types).
const KINDS: &[(&[&str], usize)] = &[
    (
        &[
            "audio/aac",
            "audio/amr",
            "audio/mpeg",
            "audio/mp4",
            "audio/ogg",
        ],
        16 << 20,
    ),
    (&["image/jpeg", "image/png"], 5 << 20),
    (&["image/webp"], 500 << 10),
    (&["video/mp4", "video/3gpp"], 16 << 20),
    (
        &[
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ],
        100 << 20,
    ),
];

/// The files there are.
#[derive(Default)]
pub(super) struct Files {
    files: HashMap<String, Media>,
    /// Ids of files that were here, of the first so many.
    gone: HashSet<String>,
    /// Where each can be fetched, and until when.
    addresses: HashMap<String, (String, Instant)>,
    bytes: usize,
    serial: u64,
}

impl Files {
    /// Keeps a file and gives it an id.
    pub fn keep(&mut self, number: &str, mime: &str, bytes: Vec<u8>) -> Result<String, GraphError> {
        if self.files.len() >= FILES_MAX || self.bytes + bytes.len() > BYTES_MAX {
            return Err(GraphError::overloaded());
        }
        self.serial += 1;
        self.bytes += bytes.len();
        let id = format!("{}", 1_200_000_000_000_000 + self.serial);
        let media = Media {
            id: id.clone(),
            number: number.to_owned(),
            mime: mime.to_owned(),
            bytes,
        };
        self.files.insert(id.clone(), media);
        Ok(id)
    }

    /// The answer to a look-up, with an address below `base` that is good for so long.
    pub fn look_up(
        &mut self,
        id: &str,
        number: Option<&str>,
        base: &str,
        life: Duration,
    ) -> Option<Value> {
        let media = self.files.get(id)?;
        if number.is_some_and(|number| number != media.number) {
            return None;
        }
        let sha256 = digest::digest(&digest::SHA256, &media.bytes);
        let sha256: String = sha256.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        self.serial += 1;
        let key = format!("{id}-{}", self.serial);
        let url = format!("{base}/attachments/?mid={key}&source=getMedia");
        let answer = json!({"messaging_product": "whatsapp", "url": url, "mime_type": media.mime,
            "sha256": sha256, "file_size": media.bytes.len(), "id": id});
        // Forgotten with the first look-up after their time.
        self.addresses
            .retain(|_, (_, until)| *until > Instant::now());
        self.addresses
            .insert(key, (id.to_owned(), Instant::now() + life));
        Some(answer)
    }

    /// The file at an address that is still good.
    pub fn at(&self, key: &str) -> Option<&Media> {
        let (id, until) = self.addresses.get(key)?;
        (*until > Instant::now()).then(|| self.files.get(id))?
    }

    /// A file by its id.
    pub fn get(&self, id: &str) -> Option<&Media> {
        self.files.get(id)
    }

    /// Forgets a file; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let removed = self.files.remove(id);
        self.bytes -= removed.as_ref().map_or(0, |media| media.bytes.len());
        if removed.is_some() && self.gone.len() < FILES_MAX {
            self.gone.insert(id.to_owned());
        }
        removed.is_some()
    }

    /// Whether a message may name these files. Ids that were never here pass, for tests that
    /// are about something else.
    pub fn check_message(&self, body: &Value) -> Result<(), GraphError> {
        let Some(object) = body.as_object() else {
            let mut parts = body.as_array().into_iter().flatten();
            return parts.try_for_each(|part| self.check_message(part));
        };
        for (key, value) in object {
            let is_file =
                ["image", "video", "audio", "document", "sticker"].contains(&key.as_str());
            let id = value["id"].as_str().filter(|_| is_file);
            if id.is_some_and(|id| self.gone.contains(id)) {
                let title = format!(
                    "Param {key}['id'] is not a valid whatsapp business account media attachment ID"
                );
                return Err(GraphError::new(400, 100, &title));
            }
            self.check_message(value)?;
        }
        Ok(())
    }
}

/// An upload that is in order: the file's type and content.
pub(super) fn check<'b>(
    content_type: &str,
    query: &str,
    body: &'b [u8],
) -> Result<(String, &'b [u8]), GraphError> {
    let parts = parts(content_type, body)
        .ok_or_else(|| invalid("The body is not a form in parts (multipart/form-data)"))?;
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    let text = |name: &str| part(name).map(|part| String::from_utf8_lossy(part.value));
    // Graph takes a parameter from the query too; whatsapp-api-js has this one there, and leaves the
    // type to the file.
    let product = text("messaging_product").map(Cow::into_owned);
    let product = product.or_else(|| parameter(query, "messaging_product"));
    if product.as_deref() != Some("whatsapp") {
        return Err(required("messaging_product"));
    }
    let file = part("file").ok_or_else(|| required("file"))?;
    let type_ = text("type").unwrap_or_default();
    // Of the two the file's own counts; programs write the kind into the other at times.
    let named = match file.mime.as_str() {
        "" | "application/octet-stream" if type_.is_empty() => return Err(required("type")),
        "" | "application/octet-stream" => type_.as_ref(),
        mime => mime,
    };
    let mime = named.split(';').next().unwrap_or_default().trim();
    let kind = KINDS.iter().find(|(types, _)| types.contains(&mime));
    let Some((_, longest)) = kind else {
        let all = KINDS.iter().flat_map(|(types, _)| *types);
        let all = all.copied().collect::<Vec<_>>().join(", ");
        return Err(invalid(&format!(
            "Param file must be a file with one of the following types: {all}. Received file of \
             type '{mime}'."
        )));
    };
    if file.value.is_empty() {
        return Err(invalid("Param file must not be empty"));
    }
    if file.value.len() > *longest {
        return Err(
            GraphError::new(400, 131_053, "Media upload error").details(format!(
                "The file has {} bytes; {mime} may have {longest}",
                file.value.len()
            )),
        );
    }
    Ok((named.to_owned(), file.value))
}

struct Part<'b> {
    name: String,
    /// `Content-Type`, or nothing.
    mime: String,
    value: &'b [u8],
}

/// The parts of a form; `None` when it is none, or has no end.
fn parts<'b>(content_type: &str, body: &'b [u8]) -> Option<Vec<Part<'b>>> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let boundary = rest.split_once("boundary=")?.1;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let first = &delimiter[2..];
    let mut rest = body.strip_prefix(first).or_else(|| {
        let at = find(body, &delimiter)?;
        Some(&body[at + delimiter.len()..])
    })?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        rest = &rest[head_end + 4..];
        let end = find(rest, &delimiter)?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let disposition = header("content-disposition")?;
        let name = disposition.split(';').find_map(|parameter| {
            let name = parameter.trim().strip_prefix("name=")?;
            Some(name.trim_matches('"').to_owned())
        })?;
        parts.push(Part {
            name,
            mime: header("content-type").unwrap_or_default().to_owned(),
            value: &rest[..end],
        });
        rest = &rest[end + delimiter.len()..];
    }
    Some(parts)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        from += at;
        if text[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
    None
}

fn required(name: &str) -> GraphError {
    let title = format!("The parameter {name} is required.");
    GraphError::new(400, 100, &title)
}

fn invalid(details: &str) -> GraphError {
    GraphError::new(400, 100, "Invalid parameter").details(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"b\"";

    fn form(parts: &[(&str, &str)]) -> Vec<u8> {
        let part = |(head, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        (parts.iter().map(part).collect::<String>() + "--b--\r\n").into_bytes()
    }

    const PRODUCT: (&str, &str) = ("name=\"messaging_product\"", "whatsapp");
    const KIND: (&str, &str) = ("name=\"type\"", "image/png");
    const FILE: (&str, &str) = (
        "name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png",
        "bytes",
    );

    #[test]
    fn an_upload_has_what_meta_asks_for() {
        let good = form(&[PRODUCT, KIND, FILE]);
        let (mime, bytes) = check(TYPE, "", &good).map_err(drop).unwrap();
        assert_eq!((mime.as_str(), bytes), ("image/png", &b"bytes"[..]));
        let short = form(&[FILE]);
        assert!(check(TYPE, "messaging_product=whatsapp", &short).is_ok());
        let unnamed = ("name=\"file\"; filename=\"a.png\"", "bytes");
        let exe = (
            "name=\"file\"; filename=\"a\"\r\nContent-Type: application/x-msdownload",
            "bytes",
        );
        let empty = (
            "name=\"file\"; filename=\"a\"\r\nContent-Type: image/png",
            "",
        );
        let big = "x".repeat((5 << 20) + 1);
        let big = (FILE.0, big.as_str());
        let rows = [
            (form(&[KIND, FILE]), 100),
            (
                form(&[("name=\"messaging_product\"", "sms"), KIND, FILE]),
                100,
            ),
            (form(&[PRODUCT, KIND]), 100),
            (form(&[PRODUCT, unnamed]), 100),
            (form(&[PRODUCT, KIND, exe]), 100),
            (form(&[PRODUCT, KIND, empty]), 100),
            (form(&[PRODUCT, KIND, big]), 131_053),
            (form(&[PRODUCT, KIND, FILE])[..60].to_vec(), 100),
            (b"{}".to_vec(), 100),
        ];
        for (body, code) in rows {
            let error = check(TYPE, "", &body).map(drop).unwrap_err();
            assert_eq!((error.http, error.code), (400, code), "{error:?}");
        }
        assert!(check("application/json", "", &form(&[PRODUCT, KIND, FILE])).is_err());
    }

    #[test]
    fn a_file_is_there_by_its_id_until_it_is_deleted_and_at_its_address_for_a_while() {
        let mut files = Files::default();
        let id = files
            .keep("7", "image/png", b"bytes".to_vec())
            .map_err(drop)
            .unwrap();
        let key = |answer: Value| {
            let url = answer["url"].as_str().unwrap().to_owned();
            let (_, key) = url.split_once("mid=").unwrap();
            key.split('&').next().unwrap().to_owned()
        };
        let life = Duration::from_secs(300);
        let found = files.look_up(&id, None, "http://x", life).unwrap();
        assert_eq!(found["file_size"], 5);
        assert_eq!(files.at(&key(found)).unwrap().bytes, b"bytes");
        let short = files
            .look_up(&id, Some("7"), "http://x", Duration::ZERO)
            .unwrap();
        assert!(files.at(&key(short)).is_none(), "its time is over");
        assert!(files.look_up(&id, Some("8"), "http://x", life).is_none());
        let message = json!({"type": "template", "template": {"components": [
            {"parameters": [{"type": "image", "image": {"id": id}}]}]}});
        assert!(files.check_message(&message).is_ok());
        assert!(files.remove(&id) && !files.remove(&id));
        assert_eq!(files.check_message(&message).unwrap_err().code, 100);
        assert!(files.check_message(&json!({"image": {"id": "1"}})).is_ok());
        assert!(files.look_up(&id, None, "http://x", life).is_none());
    }
}
