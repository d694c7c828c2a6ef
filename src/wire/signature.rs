//! Signatures over message bodies: Meta's `X-Hub-Signature-256`, which we check
//! and make, and the Standard Webhooks specification, which we make.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use std::fmt;

/// Keys for one purpose, ready for use. Several are accepted so that a secret
/// can be rotated; the first one signs.
#[derive(Clone)]
pub struct HubKeys(Vec<hmac::Key>);

impl HubKeys {
    /// Keys made from app secrets. Without any, nothing verifies.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> HubKeys {
        HubKeys(
            secrets
                .into_iter()
                .map(|s| hmac::Key::new(hmac::HMAC_SHA256, s.as_bytes()))
                .collect(),
        )
    }

    /// Whether there is any key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `header` (`sha256=` and 64 hex digits) signs `body` with one of
    /// the keys, compared in constant time.
    /// Meta: webhooks, "Validate payloads".
    pub fn verify(&self, header: &str, body: &[u8]) -> bool {
        let Some(tag) = header.trim().strip_prefix("sha256=").and_then(unhex) else {
            return false;
        };
        self.0
            .iter()
            .any(|key| hmac::verify(key, body, &tag).is_ok())
    }

    /// The header's value for `body`, by the first key.
    pub fn sign(&self, body: &[u8]) -> Option<String> {
        let tag = hmac::sign(self.0.first()?, body);
        Some(format!("sha256={}", hex(tag.as_ref())))
    }

    /// `appsecret_proof` for calls with this access token: shows Graph that who
    /// bears the token knows the app's secret, by the first key.
    /// Meta: Graph API, "Secure requests".
    pub fn proof(&self, token: &str) -> Option<String> {
        let tag = hmac::sign(self.0.first()?, token.as_bytes());
        Some(hex(tag.as_ref()))
    }
}

impl fmt::Debug for HubKeys {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "({} secrets)", self.0.len())
    }
}

/// A Standard Webhooks signing key (`whsec_` and base64).
#[derive(Clone)]
pub struct StandardKey(hmac::Key);

impl StandardKey {
    /// Reads a secret of the form `whsec_<base64>`; `None` when it is not one
    /// or is shorter than the 24 bytes the specification asks for.
    pub fn parse(secret: &str) -> Option<StandardKey> {
        let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        (bytes.len() >= 24).then(|| StandardKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The `webhook-signature` header for a message id, a Unix time in seconds
    /// and a body. Standard Webhooks 1.0, "Signature scheme".
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

impl fmt::Debug for StandardKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Whether two secrets are the same, in a time that does not tell where they
/// differ: their digests are compared.
pub fn same_secret(a: &str, b: &str) -> bool {
    digest::digest(&digest::SHA256, a.as_bytes()).as_ref()
        == digest::digest(&digest::SHA256, b.as_bytes()).as_ref()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
    out
}

/// The bytes of hexadecimal digits; `None` when it is none.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_secrets_verifies_and_the_first_signs() {
        let body = br#"{"object":"whatsapp_business_account"}"#;
        let old = HubKeys::new(["old"]).sign(body).unwrap();
        let new = HubKeys::new(["new"]).sign(body).unwrap();
        let keys = HubKeys::new(["new", "old"]);
        assert!(keys.verify(&old, body));
        assert!(keys.verify(&new, body));
        assert_eq!(keys.sign(body).unwrap(), new);
        assert!(!keys.verify(&HubKeys::new(["other"]).sign(body).unwrap(), body));
    }

    #[test]
    fn a_known_signature_verifies_and_damage_does_not() {
        // RFC 4231, test case 2.
        let keys = HubKeys::new(["Jefe"]);
        let body = b"what do ya want for nothing?";
        let good = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(keys.verify(good, body));
        assert!(keys.verify(&good.to_uppercase().replace("SHA256=", "sha256="), body));
        for bad in [
            "",
            "sha256=",
            "sha1=5bdcc146",
            &good[..70],
            &good.replace("5b", "zz"),
            &good.replace("5b", "5c"),
        ] {
            assert!(!keys.verify(bad, body), "{bad}");
        }
        assert!(!HubKeys::new([]).verify(good, body));
        let proof = keys.proof("what do ya want for nothing?").unwrap();
        assert_eq!(proof, good["sha256=".len()..]);
        assert_eq!(HubKeys::new([]).proof("token"), None);
    }

    #[test]
    fn standard_webhooks_signature_is_the_specifications_example() {
        // The example of the specification's own test suites.
        let key = StandardKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(StandardKey::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_none());
        assert!(StandardKey::parse("whsec_AAAA").is_none());
    }
}
