//! Who is logged in to the console: what a session's cookie says, how it is
//! signed, and when it ends. Nothing is stored of a session while it lasts; one
//! that was logged out is remembered until it would have ended by itself
//! (`gateway::trail`).
//!
//! A cookie is `1.ID.STARTED.SEEN.SIGNATURE`, signed by HMAC-SHA256 with
//! SESSION_SECRET over all that is before the signature and over the password's
//! hash: another secret or another password ends every session.

use crate::wire::signature::{hex, unhex};
use ring::hmac;
use std::fmt;

/// Without a request for so long a session ends. OWASP's Session Management Cheat
/// Sheet: 15 to 30 minutes where little is at stake in reading.
pub const IDLE_MS: i64 = 30 * 60_000;

/// And it ends after so long in any case: a working day.
pub const LASTS_MS: i64 = 12 * 3_600_000;

/// A browser is known for so long after somebody last logged in in it: longer than
/// any holiday. It opens nothing by itself (policy::attempts).
pub const BROWSER_LASTS_MS: i64 = 90 * 24 * 3_600_000;

/// A cookie is written anew only when it says something older than this: not
/// every answer needs one.
pub const RENEW_AFTER_MS: i64 = 60_000;

/// A time that lies further ahead was written before the clock was set back: then
/// nobody knows how old the session is.
const AHEAD_MAX_MS: i64 = 60_000;

/// Characters of each of SESSION_SECRET's secrets, at least: 128 bits, written in
/// hexadecimal.
pub const SECRET_CHARS_MIN: usize = 32;

/// What is drawn for a session: 128 bits, as OWASP asks for at least 64.
pub const ID_BYTES: usize = 16;

const VERSION: &str = "1";

/// Somebody who is logged in, or about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Drawn at its start.
    pub id: [u8; ID_BYTES],
    /// When it began, in Unix milliseconds.
    pub started: i64,
    /// When a person last asked for something by it.
    pub seen: i64,
}

/// What a cookie is for: one of the one kind is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The bearer has shown the password.
    Operator,
    /// The bearer was shown the page that asks for it.
    Visitor,
    /// Somebody has shown the password in this browser before.
    Browser,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Operator => "operator",
            Purpose::Visitor => "visitor",
            Purpose::Browser => "browser",
        }
    }

    /// For how long it is good, unseen and in all.
    fn lasts_ms(self) -> (i64, i64) {
        match self {
            Purpose::Operator | Purpose::Visitor => (IDLE_MS, LASTS_MS),
            Purpose::Browser => (BROWSER_LASTS_MS, BROWSER_LASTS_MS),
        }
    }
}

/// Why a cookie lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not by us, or by a secret or for a password that are no more.
    Unknown,
    /// Nothing was asked by it for [`IDLE_MS`].
    Idle,
    /// It began [`LASTS_MS`] ago.
    Over,
}

/// Signs cookies and forms. `Debug` hides what with.
#[derive(Clone)]
pub struct Keys {
    keys: Vec<hmac::Key>,
    password: String,
}

impl Session {
    /// A new one. `id` is luck.
    pub fn begin(id: [u8; ID_BYTES], now: i64) -> Session {
        Session {
            id,
            started: now,
            seen: now,
        }
    }

    /// When an operator's is over in any case.
    pub fn over_at(&self) -> i64 {
        self.started.saturating_add(LASTS_MS)
    }

    /// Its id as it is shown: enough to tell it from others.
    pub fn name(&self) -> String {
        hex(&self.id[..4])
    }

    fn standing(&self, purpose: Purpose, now: i64) -> Result<(), Refused> {
        let (idle_ms, lasts_ms) = purpose.lasts_ms();
        let ahead = self.started.max(self.seen) > now.saturating_add(AHEAD_MAX_MS);
        match self {
            _ if ahead || self.seen < self.started => Err(Refused::Unknown),
            _ if now >= self.started.saturating_add(lasts_ms) => Err(Refused::Over),
            _ if now >= self.seen.saturating_add(idle_ms) => Err(Refused::Idle),
            _ => Ok(()),
        }
    }
}

impl Keys {
    /// From SESSION_SECRET's parts, the first of which signs, and the password's
    /// hash.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>, password_hash: &str) -> Keys {
        let secrets = secrets.into_iter();
        Keys {
            keys: secrets
                .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
                .collect(),
            password: password_hash.to_owned(),
        }
    }

    /// The cookie's value for a session.
    pub fn cookie(&self, purpose: Purpose, session: &Session) -> String {
        let claims = claims(session);
        let signature = self.sign(&self.signed(purpose.as_str(), &claims));
        format!("{claims}.{signature}")
    }

    /// The session that a cookie's value is of.
    ///
    /// # Errors
    /// Why it is of none.
    pub fn session(&self, purpose: Purpose, cookie: &str, now: i64) -> Result<Session, Refused> {
        let (said, signature) = cookie.rsplit_once('.').ok_or(Refused::Unknown)?;
        let session = read_claims(said).ok_or(Refused::Unknown)?;
        match self.verify(&self.signed(purpose.as_str(), said), signature) {
            true => session.standing(purpose, now).map(|()| session),
            false => Err(Refused::Unknown),
        }
    }

    /// What a form shows to be one of ours, made for this session and no other.
    pub fn form_token(&self, session: &Session) -> String {
        self.sign(&self.signed("form", &hex(&session.id)))
    }

    /// Whether a form shows that.
    pub fn is_form_token(&self, session: &Session, token: &str) -> bool {
        self.verify(&self.signed("form", &hex(&session.id)), token)
    }

    /// The purpose is signed too, so that no signature is good for another one.
    fn signed(&self, purpose: &str, what: &str) -> String {
        format!("wabridge console {purpose}\n{}\n{what}", self.password)
    }

    fn sign(&self, text: &str) -> String {
        let key = self.keys.first();
        let tag = key.map(|key| hmac::sign(key, text.as_bytes()));
        tag.map_or_else(String::new, |tag| hex(tag.as_ref()))
    }

    /// In constant time, by any of the keys.
    fn verify(&self, text: &str, signature: &str) -> bool {
        let Some(tag) = unhex(signature) else {
            return false;
        };
        let mut keys = self.keys.iter();
        keys.any(|key| hmac::verify(key, text.as_bytes(), &tag).is_ok())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "({} secrets)", self.keys.len())
    }
}

fn claims(session: &Session) -> String {
    let Session { id, started, seen } = session;
    format!("{VERSION}.{}.{started}.{seen}", hex(id))
}

fn read_claims(text: &str) -> Option<Session> {
    let mut parts = text.split('.');
    let (version, id) = (parts.next()?, parts.next()?);
    let (started, seen) = (parts.next()?, parts.next()?);
    let session = Session {
        id: unhex(id)?.try_into().ok()?,
        started: started.parse().ok()?,
        seen: seen.parse().ok()?,
    };
    (version == VERSION && parts.next().is_none()).then_some(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;
    const OLD: &str = "an old secret of thirty-two or so";
    const NEW: &str = "a new secret of thirty-two or more";
    const HASH: &str = "pbkdf2-sha256:…";

    fn keys(secrets: &[&str]) -> Keys {
        Keys::new(secrets.iter().copied(), HASH)
    }

    fn session() -> Session {
        Session::begin([7; ID_BYTES], NOW)
    }

    /// What a cookie of a session that was last seen so long after its start is
    /// worth so long after its start.
    fn check(seen_after: i64, asked_after: i64, expected: Result<(), Refused>) {
        let keys = keys(&[NEW]);
        let seen = Session {
            seen: NOW + seen_after,
            ..session()
        };
        let cookie = keys.cookie(Purpose::Operator, &seen);
        let found = keys.session(Purpose::Operator, &cookie, NOW + asked_after);
        assert_eq!(found, expected.map(|()| seen), "{seen_after} {asked_after}");
    }

    #[test]
    fn a_session_ends_when_nobody_asks_and_after_its_day() {
        check(0, 0, Ok(()));
        check(0, IDLE_MS - 1, Ok(()));
        check(0, IDLE_MS, Err(Refused::Idle));
        check(IDLE_MS, 2 * IDLE_MS - 1, Ok(()));
        check(IDLE_MS, 2 * IDLE_MS, Err(Refused::Idle));
        check(LASTS_MS - 5, LASTS_MS - 1, Ok(()));
        check(LASTS_MS - 5, LASTS_MS, Err(Refused::Over));
        check(LASTS_MS + 5, LASTS_MS + 9, Err(Refused::Over));
    }

    #[test]
    fn a_browser_is_known_for_long_and_nobody_is_in_by_that() {
        let keys = keys(&[NEW]);
        let cookie = keys.cookie(Purpose::Browser, &session());
        let known = |after: i64| keys.session(Purpose::Browser, &cookie, NOW + after);
        assert_eq!(known(BROWSER_LASTS_MS - 1), Ok(session()));
        assert_eq!(known(BROWSER_LASTS_MS), Err(Refused::Over));
        let found = keys.session(Purpose::Operator, &cookie, NOW);
        assert_eq!(found, Err(Refused::Unknown));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_session_last_longer() {
        check(0, -AHEAD_MAX_MS, Ok(()));
        check(0, -AHEAD_MAX_MS - 1, Err(Refused::Unknown));
        check(2 * IDLE_MS, 0, Err(Refused::Unknown));
        check(-1, 0, Err(Refused::Unknown));
        check(i64::MAX - NOW, 0, Err(Refused::Unknown));
        check(0, i64::MAX - NOW, Err(Refused::Over));
    }

    #[test]
    fn a_secret_is_rotated_by_naming_the_new_one_first() {
        let cookie = keys(&[OLD]).cookie(Purpose::Operator, &session());
        let token = keys(&[OLD]).form_token(&session());
        for (secrets, expected) in [
            (&[OLD][..], true),
            (&[NEW, OLD], true),
            (&[NEW], false),
            (&[], false),
        ] {
            let keys = keys(secrets);
            let found = keys.session(Purpose::Operator, &cookie, NOW);
            assert_eq!(found.is_ok(), expected, "{secrets:?}");
            assert_eq!(keys.is_form_token(&session(), &token), expected);
        }
        let written_anew = keys(&[NEW, OLD]).cookie(Purpose::Operator, &session());
        let alone = keys(&[NEW]).session(Purpose::Operator, &written_anew, NOW);
        assert_eq!(alone, Ok(session()));
    }

    #[test]
    fn another_password_ends_all_sessions() {
        let before = Keys::new([NEW], "one");
        let after = Keys::new([NEW], "another");
        let cookie = before.cookie(Purpose::Operator, &session());
        assert!(before.session(Purpose::Operator, &cookie, NOW).is_ok());
        let found = after.session(Purpose::Operator, &cookie, NOW);
        assert_eq!(found, Err(Refused::Unknown));
    }

    #[test]
    fn nothing_that_is_made_up_or_changed_is_a_session() {
        let keys = keys(&[NEW]);
        let good = keys.cookie(Purpose::Operator, &session());
        assert!(keys.session(Purpose::Operator, &good, NOW).is_ok());
        let id = hex(&[7; ID_BYTES]);
        let (said, signature) = good.rsplit_once('.').unwrap();
        for bad in [
            "",
            ".",
            said,
            &format!("{said}."),
            &format!("{said}.{signature}00"),
            &format!("x{good}"),
            &good.replacen("1.", "2.", 1),
            &good.replacen(&id, &hex(&[8; ID_BYTES]), 1),
            &good.replacen(&NOW.to_string(), &(NOW + 1).to_string(), 1),
            &good.replace(&NOW.to_string(), &(NOW - 1).to_string()),
            &format!("{said}.0.{signature}"),
            &keys.cookie(Purpose::Visitor, &session()),
            &format!("1.{id}.{NOW}.{NOW}.{}", keys.form_token(&session())),
            &"1".repeat(100_000),
        ] {
            let found = keys.session(Purpose::Operator, bad, NOW);
            assert_eq!(found, Err(Refused::Unknown), "{bad}");
        }
    }

    #[test]
    fn a_forms_token_is_good_in_its_session_alone() {
        let keys = keys(&[NEW]);
        let other = Session::begin([8; ID_BYTES], NOW);
        let token = keys.form_token(&session());
        assert!(keys.is_form_token(&session(), &token));
        for (whose, bad) in [
            (session(), ""),
            (session(), "00"),
            (session(), &keys.form_token(&other)),
            (session(), &keys.cookie(Purpose::Operator, &session())),
            (other, &token),
        ] {
            assert!(!keys.is_form_token(&whose, bad), "{bad}");
        }
        // It lasts as long as the session does, whatever was asked meanwhile.
        let later = Session {
            seen: NOW + 5,
            ..session()
        };
        assert!(keys.is_form_token(&later, &token));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", keys(&[OLD, NEW])), "(2 secrets)");
    }
}
