//! Which headers go through, in either direction. Those named here and no
//! others: so none that is for one connection alone (hop-by-hop), no cookie, no
//! address of whoever called, and no key.

/// Longer values are none that a program needs.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// From the caller to Graph. `file_offset` belongs to resumable uploads.
const TO_GRAPH: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "file_offset",
    "if-range",
    "range",
];

/// From Graph to the caller. `Location` is not among them: no redirect is
/// followed, by us or by others on our word.
const TO_CALLER: &[&str] = &[
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "facebook-api-version",
    "last-modified",
    "retry-after",
    "x-app-usage",
    "x-business-use-case-usage",
    "x-fb-debug",
    "x-fb-request-id",
    "x-fb-trace-id",
];

/// A header of a call as it is passed on to Graph.
pub fn to_graph(name: &str, value: &str) -> Option<(String, String)> {
    passed(TO_GRAPH, name, value)
}

/// A header of an answer as it is passed on to the caller.
pub fn to_caller(name: &str, value: &str) -> Option<(String, String)> {
    passed(TO_CALLER, name, value)
}

fn passed(named: &[&str], name: &str, value: &str) -> Option<(String, String)> {
    let known = named.iter().find(|own| name.eq_ignore_ascii_case(own))?;
    // Line breaks above all: they would begin a header, or an answer, of
    // somebody else's choice.
    let is_sane = |b: u8| b == b' ' || b == b'\t' || b.is_ascii_graphic();
    let sane = value.len() <= VALUE_BYTES_MAX && value.bytes().all(is_sane);
    sane.then(|| ((*known).to_owned(), value.to_owned()))
}

/// Whether a body of this type is read whole: a program's parameters.
pub fn is_small(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let small = [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "text/json",
    ];
    small.iter().any(|own| kind.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_that_are_named_go_through() {
        let rows = [
            ("Content-Type", "image/png", true, true),
            ("Range", "bytes=0-9", true, false),
            ("Content-Range", "bytes 0-9/100", false, true),
            ("Retry-After", "7", false, true),
            ("Authorization", "Bearer key", false, false),
            ("Cookie", "a=b", false, false),
            ("Set-Cookie", "a=b", false, false),
            ("Connection", "keep-alive, X-Secret", false, false),
            ("Keep-Alive", "timeout=5", false, false),
            ("Proxy-Authorization", "Basic x", false, false),
            ("Proxy-Authenticate", "Basic", false, false),
            ("TE", "trailers", false, false),
            ("Trailer", "X", false, false),
            ("Transfer-Encoding", "chunked", false, false),
            ("Upgrade", "h2c", false, false),
            ("Content-Length", "5", false, false),
            ("Host", "evil.example", false, false),
            ("Expect", "100-continue", false, false),
            ("Accept-Encoding", "gzip", false, false),
            ("X-Forwarded-For", "10.0.0.1", false, false),
            ("Location", "https://evil.example", false, false),
            ("Content-Type", "a\r\nX-Evil: 1", false, false),
            ("Content-Type", "a\nb", false, false),
            ("Content-Type", "a\0b", false, false),
            ("Content-Type", "täxt", false, false),
        ];
        for (name, value, there, back) in rows {
            assert_eq!(to_graph(name, value).is_some(), there, "{name}: {value}");
            assert_eq!(to_caller(name, value).is_some(), back, "{name}: {value}");
        }
        assert_eq!(to_caller("ETag", &"x".repeat(9_000)), None);
    }
}
