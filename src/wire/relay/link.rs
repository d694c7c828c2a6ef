//! Addresses of files. Graph answers a look-up with an address at Meta's that
//! wants Graph's token; callers have none, so they get an address of ours in
//! its place that holds Meta's, sealed: nobody can have us fetch anything that
//! Graph did not name, with our token least of all.

use crate::wire::media::hosts;
use crate::wire::signature::hex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

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
        Links {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            graph: graph.to_owned(),
        }
    }

    /// The name under which we serve a file; `None` when our token must not go
    /// where it is.
    pub fn seal(&self, file: &File) -> Option<String> {
        if !hosts::is_metas(&file.url, &self.graph) {
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
        hosts::is_metas(&file.url, &self.graph).then_some(file)
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
    fn what_is_not_metas_is_neither_sealed_nor_opened() {
        let links = Links::new(b"key", "https://graph.facebook.com/base");
        for (url, expected) in [
            ("https://lookaside.fbsbx.com/a?b=c", true),
            ("https://graph.facebook.com/v26.0/1", true),
            ("https://evil.example/", false),
            ("http://lookaside.fbsbx.com/", false),
        ] {
            assert_eq!(links.seal(&file(url)).is_some(), expected, "{url}");
        }
        // Sealed while another Graph was set.
        let nearby = Links::new(b"key", "http://127.0.0.1:9000");
        let name = nearby.seal(&file("http://127.0.0.1:9000/files/1")).unwrap();
        assert_eq!(links.open(&name), None);
    }
}
