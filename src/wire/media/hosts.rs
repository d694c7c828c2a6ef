//! Where our token may be shown besides Graph itself: the one list of Meta's
//! hosts, for the files we fetch and for those that callers of the API do.

/// Domains below which Meta serves files: `lookaside.fbsbx.com` by its
/// reference, its delivery networks at times. Not `facebook.com`: what serves
/// files there is Graph, and the rest is no business of our token.
const DOMAINS: &[&str] = &["fbsbx.com", "fbcdn.net", "whatsapp.net"];

/// Longer addresses are none of Meta's, and make a request line too long.
const URL_BYTES_MAX: usize = 4096;

/// Whether our token may be shown at this address: a host of Meta's by TLS on
/// the usual port, or the very server that `graph` (GRAPH_API_URL) names. An
/// answer that was forged must lead to no other machine, least of all to one
/// of our own network.
pub fn is_metas(url: &str, graph: &str) -> bool {
    // Only what every reader of addresses understands alike.
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\\' && b != b'#';
    if url.len() > URL_BYTES_MAX || !url.bytes().all(plain) {
        return false;
    }
    let Some((scheme, authority)) = origin(url) else {
        return false;
    };
    if origin(graph) == Some((scheme, authority)) {
        return true;
    }
    // A user's name or another port would leave something that is in no host.
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let host = host.to_ascii_lowercase();
    let in_a_host = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let is_below = |domain: &&str| {
        let before = host.strip_suffix(*domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    scheme == "https" && host.bytes().all(in_a_host) && DOMAINS.iter().any(is_below)
}

/// Scheme and authority.
fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((scheme, &rest[..end])).filter(|(_, authority)| !authority.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = "https://graph.facebook.com";
    /// A stand-in or a proxy, which serves files itself.
    const NEARBY: &str = "http://127.0.0.1:9000/graph";

    fn check(graph: &str, url: &str, expected: bool) {
        assert_eq!(is_metas(url, graph), expected, "{url}");
    }

    #[test]
    fn our_token_is_shown_to_meta() {
        for url in [
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2",
            "https://LOOKASIDE.fbsbx.com/x",
            "https://lookaside.fbsbx.com:443/x",
            "https://lookaside.fbsbx.com?mid=1",
            "https://scontent.xx.fbcdn.net/v/x",
            "https://mmg.whatsapp.net/x",
            "https://graph.facebook.com/v26.0/1",
        ] {
            check(META, url, true);
        }
        check(NEARBY, "http://127.0.0.1:9000/file/1", true);
    }

    #[test]
    fn our_token_is_shown_to_nobody_else() {
        for url in [
            // Names that look like Meta's.
            "https://evilfbsbx.com/",
            "https://fbsbx.com.evil.example/",
            "https://graph.facebook.com.evil.example/",
            "https://lookaside.fbsbx.com.evil.example/",
            "https://lookaside.fbsbx.com.",
            "https://lookaside-fbsbx.com/",
            "https://lookaside.fbsbx.co/",
            "https://l\u{43e}okaside.fbsbx.com/",
            "https://evil.example%2f.fbsbx.com/",
            // Names of Meta's that stand elsewhere.
            "https://evil.example/lookaside.fbsbx.com",
            "https://evil.example?.fbsbx.com",
            "https://evil.example#.fbsbx.com",
            "https://evil.example\\.fbsbx.com",
            "https://evil.example/\\@lookaside.fbsbx.com",
            "https://evil.example\\@lookaside.fbsbx.com/",
            "https://lookaside.fbsbx.com@evil.example/",
            "https://graph.facebook.com@evil.example/",
            "https://a@lookaside.fbsbx.com/",
            "https://evil.example:1@x.fbsbx.com/",
            "https://evil.example/?u=https://lookaside.fbsbx.com/",
            // Meta's, but another door.
            "http://lookaside.fbsbx.com/",
            "https://lookaside.fbsbx.com:8443/",
            "https://lookaside.fbsbx.com:/",
            "ftp://lookaside.fbsbx.com/",
            "https://www.facebook.com/",
            "https://l.facebook.com/l.php?u=https://evil.example",
            "http://graph.facebook.com/",
            "https://graph.facebook.com:444/",
            // Our own network.
            "https://127.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::1]:443/",
            "https://localhost/",
            "https://0x7f000001/",
            // None at all.
            "file:///etc/passwd",
            "//lookaside.fbsbx.com/x",
            "lookaside.fbsbx.com/x",
            "https:/lookaside.fbsbx.com/x",
            "https:///x",
            "https://.",
            "://x",
            "",
            // What readers of addresses differ about.
            "https://lookaside.fbsbx.com/a b",
            "https://lookaside.fbsbx.com/a#b",
            "https://lookaside.fbsbx.com/x\r\nHost: evil.example",
            "https://lookaside.fbsbx.com\t/x",
            " https://lookaside.fbsbx.com/x",
        ] {
            check(META, url, false);
        }
        for url in [
            "http://127.0.0.1:9001/file/1",
            "http://127.0.0.1:90000/file/1",
            "http://127.0.0.1/file/1",
            "https://127.0.0.1:9000/file/1",
            "http://127.0.0.1:9000@evil.example/",
            "http://127.0.0.1:9000.evil.example/",
            "https://graph.facebook.com/v26.0/1",
        ] {
            check(NEARBY, url, false);
        }
        let long = format!("https://lookaside.fbsbx.com/{}", "x".repeat(URL_BYTES_MAX));
        check(META, &long, false);
    }
}
