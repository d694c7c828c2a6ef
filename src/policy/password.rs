//! Whether a password is the one whose hash stands in `CONSOLE_PASSWORD_HASH`,
//! and how such a hash is made: PBKDF2 with HMAC-SHA256 (RFC 8018), with the
//! number of rounds that OWASP's Password Storage Cheat Sheet asks for.
//!
//! The text form is `pbkdf2-sha256:ROUNDS:SALT:HASH`, in base64. There is no
//! `$` in it on purpose, unlike in the form crypt(3) uses: `.env` files, shells
//! and compose files would each take that for the name of a variable.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::{digest, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;

/// Rounds of a new hash. OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(600_000 - 1);

/// Bytes of salt. NIST SP 800-132 asks for 16 at least.
pub const SALT_BYTES: usize = 16;

/// Characters a password has at least: OWASP and NIST ask for more than eight
/// where nothing but the password protects.
pub const CHARS_MIN: usize = 12;

/// Characters a password has at most: hashing more only costs time.
pub const CHARS_MAX: usize = 256;

/// Fewer rounds than this are a mistake, or a hash from long ago.
const ROUNDS_MIN: u32 = 100_000;

/// More would hold a worker for seconds at each login.
const ROUNDS_MAX: u32 = 10_000_000;

const SCHEME: &str = "pbkdf2-sha256";

/// The hash of a password. `Debug` hides it: who has it can try passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    rounds: NonZeroU32,
    salt: [u8; SALT_BYTES],
    hash: [u8; digest::SHA256_OUTPUT_LEN],
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Fewer than [`CHARS_MIN`] characters.
    TooShort,
    /// More than [`CHARS_MAX`] characters.
    TooLong,
}

impl PasswordHash {
    /// Hashes a new password. `salt` is luck, another one each time.
    ///
    /// # Errors
    /// When the password is too short or too long.
    pub fn new(password: &str, salt: [u8; SALT_BYTES]) -> Result<PasswordHash, Unfit> {
        match password.chars().count() {
            count if count < CHARS_MIN => Err(Unfit::TooShort),
            count if count > CHARS_MAX => Err(Unfit::TooLong),
            _ => Ok(PasswordHash::derive(password, ROUNDS, salt)),
        }
    }

    fn derive(password: &str, rounds: NonZeroU32, salt: [u8; SALT_BYTES]) -> PasswordHash {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        let sha256 = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(sha256, rounds, &salt, password.as_bytes(), &mut hash);
        PasswordHash { rounds, salt, hash }
    }

    /// Reads the text form; `None` when it is not one.
    pub fn parse(text: &str) -> Option<PasswordHash> {
        let mut parts = text.trim().split(':');
        let (scheme, rounds) = (parts.next()?, parts.next()?);
        let (salt, hash) = (parts.next()?, parts.next()?);
        let rounds: u32 = rounds.parse().ok()?;
        let known = scheme == SCHEME && (ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds);
        if !known || parts.next().is_some() {
            return None;
        }
        Some(PasswordHash {
            rounds: NonZeroU32::new(rounds)?,
            salt: STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?,
            hash: STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?,
        })
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let (salt, hash) = (
            STANDARD_NO_PAD.encode(self.salt),
            STANDARD_NO_PAD.encode(self.hash),
        );
        format!("{SCHEME}:{}:{salt}:{hash}", self.rounds)
    }

    /// Whether it is the hash of this password, compared in constant time. Takes
    /// some tenths of a second, which is its purpose.
    pub fn is_of(&self, password: &str) -> bool {
        if password.chars().count() > CHARS_MAX {
            return false;
        }
        let sha256 = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::verify(
            sha256,
            self.rounds,
            &self.salt,
            password.as_bytes(),
            &self.hash,
        )
        .is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(password hash)")
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unfit::TooShort => write!(
                f,
                "the password is too short: take {CHARS_MIN} characters or more, such as four words"
            ),
            Unfit::TooLong => write!(
                f,
                "the password is too long: take {CHARS_MAX} characters at most"
            ),
        }
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS_FEW: NonZeroU32 = NonZeroU32::new(ROUNDS_MIN).unwrap();

    #[test]
    fn a_hash_knows_its_password_and_no_other_also_from_its_text() {
        let hash = PasswordHash::derive("correct horse battery", ROUNDS_FEW, [7; SALT_BYTES]);
        let read = PasswordHash::parse(&format!(" {}\n", hash.to_text())).unwrap();
        assert_eq!(read, hash);
        assert!(read.is_of("correct horse battery"));
        for wrong in ["", "correct horse batterY", "correct horse battery "] {
            assert!(!read.is_of(wrong), "{wrong}");
        }
    }

    /// Made with Python: hashlib.pbkdf2_hmac("sha256", b"four words are enough",
    /// bytes(range(16)), 100_000).
    #[test]
    fn other_implementations_come_to_the_same() {
        let text = "pbkdf2-sha256:100000:AAECAwQFBgcICQoLDA0ODw:9+WKhfakcTvp2xEZh4nRo/kU1PPJCp1jfa3BP4SQTuk";
        assert!(
            PasswordHash::parse(text)
                .unwrap()
                .is_of("four words are enough")
        );
    }

    #[test]
    fn short_and_endless_passwords_are_not_taken() {
        let make = |count| PasswordHash::new(&"ä".repeat(count), [0; SALT_BYTES]).map(|_| ());
        assert_eq!(make(CHARS_MIN - 1), Err(Unfit::TooShort));
        assert_eq!(make(CHARS_MIN), Ok(()));
        assert_eq!(make(CHARS_MAX + 1), Err(Unfit::TooLong));
    }

    #[test]
    fn what_is_no_hash_is_not_read() {
        let good = PasswordHash::derive("x", ROUNDS_FEW, [1; SALT_BYTES]).to_text();
        assert!(PasswordHash::parse(&good).is_some());
        let (front, _) = good.rsplit_once(':').unwrap();
        for bad in [
            "",
            "hunter2",
            front,
            &good.replace("sha256", "sha1"),
            &good.replace("100000", "99999"),
            &good.replace("100000", "10000001"),
            &good.replace("100000", "-1"),
            &format!("{good}:x"),
            &format!("{front}:AAAA"),
            &good.replace(':', "$"),
        ] {
            assert!(PasswordHash::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let hash = PasswordHash::derive("x", ROUNDS_FEW, [1; SALT_BYTES]);
        assert_eq!(format!("{hash:?}"), "(password hash)");
        assert!(!hash.to_text().contains('$'));
    }
}
