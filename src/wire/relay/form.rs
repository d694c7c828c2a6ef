//! Bodies of callers, with their credentials taken out: JSON and forms that
//! are read whole, and forms in parts that pass through piece by piece.

use super::{CREDENTIALS, is_credential, path};
use crate::wire::multipart::find;
use crate::wire::raw::{self, Edit};

/// Heads of parts have a line or three.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// A body that was read whole, without the caller's credentials. One that is no text
/// holds no parameters that Graph could read.
pub fn without_credentials(body: Vec<u8>, content_type: &str) -> Vec<u8> {
    let Ok(text) = String::from_utf8(body) else {
        return Vec::new();
    };
    let is_form = content_type
        .to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded");
    match is_form {
        true => urlencoded(&text).into_bytes(),
        false => json(&text).into_bytes(),
    }
}

/// A JSON object without the caller's credentials; anything else as it is.
fn json(body: &str) -> String {
    match raw::members(body) {
        Some(members) if members.iter().any(|member| is_credential(&member.key)) => {
            raw::rewrite(&members, |_, member| match is_credential(&member.key) {
                true => Edit::Drop,
                false => Edit::Keep,
            })
        }
        _ => body.to_owned(),
    }
}

/// A form (`application/x-www-form-urlencoded`) without them.
fn urlencoded(body: &str) -> String {
    path::query(body)
}

/// Why a form in parts cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A part's head does not end.
    EndlessHead,
    /// It ended before its last part did.
    Cut,
}

/// A form in parts (`multipart/form-data`, RFC 7578) on its way through. A part
/// that is one of the caller's credentials goes on under a name and with a
/// value of x's: nothing is added or taken away, so its announced length stays
/// true and none of it has to be held.
pub struct Parts {
    /// A line break, two dashes and the boundary.
    delimiter: Vec<u8>,
    held: Vec<u8>,
    at: At,
    /// Bytes at the front of what is held that nobody sent.
    ours: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a part's value, or before the first part.
    Value {
        hidden: bool,
    },
    /// Behind a delimiter: the end, or a part's head.
    Delimiter,
    Head,
    End,
}

impl Parts {
    /// A form whose parts are separated by `boundary`.
    pub fn new(boundary: &str) -> Parts {
        Parts {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter may stand at the very beginning.
            held: b"\r\n".to_vec(),
            ours: 2,
            at: At::Value { hidden: false },
        }
    }

    /// Takes a piece and adds to `out` what can go on.
    pub fn pass(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let start = out.len();
        self.held.extend_from_slice(piece);
        while self.step(out)? {}
        self.take_back(start, out);
        Ok(())
    }

    /// The end of the body: the last part must have ended before.
    pub fn end(mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let start = out.len();
        out.append(&mut self.held);
        self.take_back(start, out);
        match self.at {
            At::End => Ok(()),
            _ => Err(Malformed::Cut),
        }
    }

    fn take_back(&mut self, start: usize, out: &mut Vec<u8>) {
        let ours = self.ours.min(out.len() - start);
        self.ours -= ours;
        out.drain(start..start + ours);
    }

    /// Whether there may be more to do with what is held.
    fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, Malformed> {
        match self.at {
            At::Value { hidden } => Ok(self.value(hidden, out)),
            At::Delimiter if self.held.len() < 2 => Ok(false),
            At::Delimiter => {
                self.at = match self.held.starts_with(b"--") {
                    true => At::End,
                    false => At::Head,
                };
                Ok(true)
            }
            At::Head => self.head(out),
            At::End => {
                out.append(&mut self.held);
                Ok(false)
            }
        }
    }

    fn value(&mut self, hidden: bool, out: &mut Vec<u8>) -> bool {
        let found = find(&self.held, &self.delimiter);
        // The beginning of a delimiter waits for the rest of it.
        let keep = self.delimiter.len() - 1;
        let end = found.unwrap_or_else(|| self.held.len().saturating_sub(keep));
        let start = out.len();
        out.extend(self.held.drain(..end));
        if hidden {
            out[start..].fill(b'x');
        }
        if found.is_some() {
            out.extend(self.held.drain(..self.delimiter.len()));
            self.at = At::Delimiter;
        }
        found.is_some()
    }

    fn head(&mut self, out: &mut Vec<u8>) -> Result<bool, Malformed> {
        let Some(at) = find(&self.held, b"\r\n\r\n") else {
            return match self.held.len() > HEAD_BYTES_MAX {
                true => Err(Malformed::EndlessHead),
                false => Ok(false),
            };
        };
        let end = at + 4;
        let hidden = hide_name(&mut self.held[..end]);
        out.extend(self.held.drain(..end));
        self.at = At::Value { hidden };
        Ok(true)
    }
}

/// Makes the name in a part's head illegible if it is one of a credential.
fn hide_name(head: &mut [u8]) -> bool {
    let lower = head.to_ascii_lowercase();
    let mut hidden = false;
    for credential in CREDENTIALS {
        let mut from = 0;
        while let Some(at) = find(&lower[from..], credential.as_bytes()) {
            let start = from + at;
            from = start + credential.len();
            let before = lower[..start]
                .strip_suffix(b"\"")
                .unwrap_or(&lower[..start]);
            let named = before.strip_suffix(b"name=").is_some_and(|rest| {
                // Not `filename=`.
                !rest.last().is_some_and(u8::is_ascii_alphanumeric)
            });
            let ends = lower.get(from).is_some_and(|b| b"\"[; \t\r".contains(b));
            if named && ends {
                head[start..from].fill(b'x');
                hidden = true;
            }
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, the same however the form is cut into pieces.
    fn check(form: &str, expected: &str, end: Result<(), Malformed>) {
        for size in [1, 2, 3, 5, 8, 13, 40, 10_000] {
            let mut parts = Parts::new("XX");
            let mut out = Vec::new();
            for piece in form.as_bytes().chunks(size) {
                parts.pass(piece, &mut out).unwrap();
            }
            assert_eq!(parts.end(&mut out), end, "{size} bytes at a time");
            assert_eq!(
                String::from_utf8(out).unwrap(),
                expected,
                "{size} at a time"
            );
        }
    }

    fn form(parts: &[(&str, &str)]) -> String {
        let part = |(head, value): &(&str, &str)| {
            format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        parts.iter().map(part).collect::<String>() + "--XX--\r\n"
    }

    #[test]
    fn a_form_passes_as_it_is() {
        let plain = form(&[
            ("name=\"messaging_product\"", "whatsapp"),
            (
                "name=\"file\"; filename=\"access_token\"",
                "\r\n--X\r\nbinary\r\n\r\n--",
            ),
            ("name=\"my_access_token\"", "a value"),
            ("name=\"access_tokens\"", "a value"),
            ("name=\"empty\"", ""),
        ]);
        check(&plain, &plain, Ok(()));
        let more = format!("a preamble\r\n{plain}an epilogue --XX--");
        check(&more, &more, Ok(()));
        let x = format!("x\r\n{plain}");
        check(&x, &x, Ok(()));
        check("x", "x", Err(Malformed::Cut));
    }

    #[test]
    fn the_callers_credentials_become_illegible_in_place() {
        let rows = [
            "name=\"access_token\"",
            "name=access_token",
            "name=\"ACCESS_TOKEN\"",
            "name=\"appsecret_proof\"",
            "name=\"access_token[]\"",
        ];
        for head in rows {
            let form = form(&[("name=\"a\"", "1"), (head, "the-key"), ("name=\"b\"", "2")]);
            let mut parts = Parts::new("XX");
            let mut out = Vec::new();
            parts.pass(form.as_bytes(), &mut out).unwrap();
            parts.end(&mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.len(), form.len());
            assert!(out.contains("\r\n\r\nxxxxxxx\r\n--XX"), "{out}");
            let lower = out.to_lowercase();
            assert!(
                !lower.contains("access_token") && !lower.contains("proof"),
                "{out}"
            );
            assert!(out.contains("\r\n\r\n1\r\n") && out.contains("\r\n\r\n2\r\n"));
        }
        let value = form(&[("name=\"access_token\"", "a\r\n--X key")]);
        let hidden = form(&[("name=\"xxxxxxxxxxxx\"", "xxxxxxxxxx")]);
        check(&value, &hidden, Ok(()));
    }

    #[test]
    fn a_form_that_was_cut_is_told_from_a_whole_one() {
        let whole = form(&[("name=\"file\"", "some bytes")]);
        for cut in [0, 1, 4, 10, whole.len() - 10, whole.len() - 4] {
            check(&whole[..cut], &whole[..cut], Err(Malformed::Cut));
        }
        let endless = format!("--XX\r\n{}", "x".repeat(HEAD_BYTES_MAX + 9));
        let passed = Parts::new("XX").pass(endless.as_bytes(), &mut Vec::new());
        assert_eq!(passed, Err(Malformed::EndlessHead));
    }

    #[test]
    fn json_and_forms_lose_the_callers_credentials() {
        let rows = [
            (r#"{"a":1.0,"access_token":"key"}"#, r#"{"a":1.0}"#),
            (r#"{"acces\u0073_token":"key"}"#, "{}"),
            (r#"{"a":{"access_token":1}}"#, r#"{"a":{"access_token":1}}"#),
            ("[1]", "[1]"),
            ("not json", "not json"),
        ];
        for (body, expected) in rows {
            assert_eq!(json(body), expected, "{body}");
        }
        assert_eq!(urlencoded("pin=1&access_token=k&x=%26"), "pin=1&x=%26");
    }
}
