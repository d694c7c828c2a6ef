//! What comes back from Graph: addresses in it lead to us where they would
//! want Graph's token, and the token itself is not in it.

use super::path;
use crate::wire::raw::{self, Edit};

/// An answer's JSON, with the addresses in it that callers follow leading to
/// us: `file` gives ours for a file, `page` for the next or previous page of a
/// list. `None` when there is nothing to change.
pub fn rewrite(
    body: &str,
    file: &dyn Fn(&str) -> Option<String>,
    page: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let members = raw::members(body)?;
    let wanted = |key: &str| key == "url" || key == "paging";
    if !members.iter().any(|member| wanted(&member.key)) {
        return None;
    }
    Some(raw::rewrite(&members, |_, member| {
        let new = match &*member.key {
            "url" => address(member.value, file),
            "paging" => raw::members(member.value).map(|pages| {
                raw::rewrite(&pages, |_, page_of| match &*page_of.key {
                    "next" | "previous" => {
                        address(page_of.value, page).map_or(Edit::Keep, Edit::Replace)
                    }
                    _ => Edit::Keep,
                })
            }),
            _ => None,
        };
        new.map_or(Edit::Keep, Edit::Replace)
    }))
}

fn address(value: &str, ours: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = raw::text(value).filter(|_| value.starts_with('"'))?;
    ours(&text).map(|new| raw::quote(&new))
}

/// Our address for a page of a list: Graph's has its own host in it, and the
/// token. `None` when it is none of Graph's.
pub fn page(url: &str, graph: &str, ours: &str) -> Option<String> {
    let rest = url
        .strip_prefix(graph)
        .filter(|rest| rest.starts_with('/'))?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = path::query(query);
    Some(match query.is_empty() {
        true => format!("{ours}{path}"),
        false => format!("{ours}{path}?{query}"),
    })
}

/// A stream in which a secret is made illegible wherever it stands, byte for
/// byte, so that the length stays what was announced.
pub struct Scrub {
    secret: Vec<u8>,
    held: Vec<u8>,
}

impl Scrub {
    /// Against `secret`, which is not empty.
    pub fn new(secret: &str) -> Scrub {
        Scrub {
            secret: secret.as_bytes().to_vec(),
            held: Vec::new(),
        }
    }

    /// Takes a piece and adds to `out` what can go on: what may be the
    /// beginning of the secret waits for the rest of it.
    pub fn pass(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        scrub(&mut self.held, &self.secret);
        let clean = self.held.len().saturating_sub(self.secret.len() - 1);
        out.extend(self.held.drain(..clean));
    }

    /// The end: what waited goes on.
    pub fn end(mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

/// Makes a secret illegible wherever it stands.
pub fn scrub(bytes: &mut [u8], secret: &[u8]) {
    let Some(first) = secret.first() else { return };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| b == first) {
        from += at;
        if bytes[from..].starts_with(secret) {
            bytes[from..from + secret.len()].fill(b'x');
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = "https://graph.facebook.com";
    const OURS: &str = "http://127.0.0.1:8081";

    fn check(body: &str, expected: Option<&str>) {
        let file = |url: &str| {
            url.contains("fbsbx")
                .then(|| format!("{OURS}/files/sealed"))
        };
        let page = |url: &str| page(url, GRAPH, OURS);
        assert_eq!(rewrite(body, &file, &page).as_deref(), expected);
    }

    #[test]
    fn addresses_that_want_the_token_lead_to_us() {
        check(
            r#"{"url":"https:\/\/lookaside.fbsbx.com\/a?b=1","file_size":12345678901234567890,"id":"1"}"#,
            Some(
                r#"{"url":"http://127.0.0.1:8081/files/sealed","file_size":12345678901234567890,"id":"1"}"#,
            ),
        );
        check(
            r#"{"data":[1.0],"paging":{"cursors":{"after":"x"},"next":"https:\/\/graph.facebook.com\/v26.0\/1\/flows?access_token=EAAG&limit=1&after=x"}}"#,
            Some(
                r#"{"data":[1.0],"paging":{"cursors":{"after":"x"},"next":"http://127.0.0.1:8081/v26.0/1/flows?limit=1&after=x"}}"#,
            ),
        );
        check(
            r#"{"url":"https://elsewhere.example"}"#,
            Some(r#"{"url":"https://elsewhere.example"}"#),
        );
        check(r#"{"url":7,"paging":[]}"#, Some(r#"{"url":7,"paging":[]}"#));
        check(r#"{"success":true}"#, None);
        check("[1]", None);
        check("not json", None);
        assert_eq!(page("https://graph.facebook.com.evil/", GRAPH, OURS), None);
    }

    #[test]
    fn a_secret_is_nowhere_however_it_is_cut() {
        let text = "EAAGsecret EAAGsecre EAEAAGsecretEAAGsecret the rest EAAG";
        let expected = "xxxxxxxxxx EAAGsecre EAxxxxxxxxxxxxxxxxxxxx the rest EAAG";
        for size in [1, 2, 3, 7, 10, 11, 64] {
            let (mut stream, mut out) = (Scrub::new("EAAGsecret"), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                stream.pass(piece, &mut out);
            }
            stream.end(&mut out);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out, expected, "{size} bytes at a time");
        }
    }
}
