//! Addresses of files. Graph answers a look-up with an address at Meta's that
//! wants Graph's token; callers have none, so they get an address of ours in
//! its place that holds Meta's, sealed: nobody can have us fetch anything that
//! Graph did not name, with our token least of all.

use crate::wire::signature::hex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Where Meta keeps files (lookaside.fbsbx.com by its documents, at times its
/// delivery network). Our token goes to these and to Graph itself.
const FILE_DOMAINS: &[&str] = &["fbsbx.com", "fbcdn.net", "whatsapp.net"];

/// Longer addresses are none of Meta's, and make a request line too long.
const URL_BYTES_MAX: usize = 4096;

/// Seals addresses and opens them.
pub struct Links {
    key: hmac::Key,
    graph: String,
}

/// What a sealed address holds.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Whose token it wants.
    pub owner: String,
    /// Where it is.
    pub url: String,
}

impl Links {
    /// With this key. Callers must not know it: the key to the API will not do.
    /// `graph` is Graph's base address, which may serve files itself.
    pub fn new(key: &[u8], graph: &str) -> Links {
        let end = graph.find("://").map_or(0, |at| at + 3);
        let host = graph[end..].split('/').next().unwrap_or_default();
        Links {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            graph: graph[..end + host.len()].to_owned(),
        }
    }

    /// The name under which we serve a file; `None` when our token must not go
    /// where it is.
    pub fn seal(&self, file: &File) -> Option<String> {
        if !self.may_fetch(&file.url) {
            return None;
        }
        let held = URL_SAFE_NO_PAD.encode(format!("{} {}", file.owner, file.url));
        let tag = hmac::sign(&self.key, held.as_bytes());
        Some(format!("{held}.{}", hex(&tag.as_ref()[..16])))
    }

    /// The file that a name of ours stands for.
    pub fn open(&self, name: &str) -> Option<File> {
        let (held, tag) = name.split_once('.')?;
        let own = hmac::sign(&self.key, held.as_bytes());
        if !crate::wire::signature::same_secret(&hex(&own.as_ref()[..16]), tag) {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(held).ok()?).ok()?;
        let (owner, url) = text.split_once(' ')?;
        let file = File {
            owner: owner.to_owned(),
            url: url.to_owned(),
        };
        self.may_fetch(&file.url).then_some(file)
    }

    fn may_fetch(&self, url: &str) -> bool {
        let plain = |b: u8| b.is_ascii_graphic() && b != b'\\' && b != b'#';
        if url.len() > URL_BYTES_MAX || !url.bytes().all(plain) {
            return false;
        }
        let own = url.strip_prefix(&self.graph);
        if own.is_some_and(|rest| rest.starts_with('/')) {
            return true;
        }
        let Some(rest) = url.strip_prefix("https://") else {
            return false;
        };
        // Neither a port nor a user's name: Meta's addresses have none.
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        FILE_DOMAINS.iter().any(|domain| {
            let below = host.strip_suffix(domain);
            below.is_some_and(|below| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
                below.ends_with('.') && below.bytes().all(plain)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str) -> File {
        File {
            owner: "106540300000001".into(),
            url: url.into(),
        }
    }

    #[test]
    fn what_graph_named_comes_back_and_nothing_else() {
        let links = Links::new(b"key", "https://graph.facebook.com");
        let named = file("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&hash=x");
        let name = links.seal(&named).unwrap();
        assert_eq!(links.open(&name), Some(named));
        let other = Links::new(b"other", "https://graph.facebook.com");
        let forged = other.seal(&file("https://lookaside.fbsbx.com/x")).unwrap();
        let (held, tag) = name.split_once('.').unwrap();
        for bad in [
            forged,
            held.to_owned(),
            format!("{held}."),
            format!("{held}.{}", tag.to_uppercase().replace('A', "B")),
            format!("{held}A.{tag}"),
            format!("A{held}.{tag}"),
            String::new(),
            ".".into(),
        ] {
            assert_eq!(links.open(&bad), None, "{bad}");
        }
    }

    #[test]
    fn our_token_goes_to_meta_only() {
        let links = Links::new(b"key", "https://graph.facebook.com/base");
        let rows = [
            ("https://lookaside.fbsbx.com/a?b=c", true),
            ("https://scontent.xx.fbcdn.net/a", true),
            ("https://mmg.whatsapp.net/a", true),
            ("https://graph.facebook.com/v26.0/1", true),
            ("https://graph.facebook.com.evil.example/", false),
            ("https://graph.facebook.com@evil.example/", false),
            ("https://fbsbx.com.evil.example/", false),
            ("https://evilfbsbx.com/", false),
            ("https://evil.example/fbsbx.com", false),
            ("https://evil.example?.fbsbx.com", false),
            ("https://evil.example#.fbsbx.com", false),
            ("https://evil.example\\.fbsbx.com", false),
            ("https://a@lookaside.fbsbx.com/", false),
            ("https://evil.example:1@x.fbsbx.com/", false),
            ("https://lookaside.fbsbx.com:8443/", false),
            ("http://lookaside.fbsbx.com/", false),
            ("file:///etc/passwd", false),
            ("https://lookaside.fbsbx.com/a b", false),
            ("https://127.0.0.1/", false),
            ("", false),
        ];
        for (url, expected) in rows {
            assert_eq!(links.seal(&file(url)).is_some(), expected, "{url}");
        }
        let nearby = Links::new(b"key", "http://127.0.0.1:9000");
        assert!(
            nearby
                .seal(&file("http://127.0.0.1:9000/files/1"))
                .is_some()
        );
        assert!(
            nearby
                .seal(&file("http://127.0.0.1:90001/files/1"))
                .is_none()
        );
        assert!(
            nearby
                .seal(&file("http://127.0.0.1:9001/files/1"))
                .is_none()
        );
    }
}
