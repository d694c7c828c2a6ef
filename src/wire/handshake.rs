//! Whether an address leads to a service with our VERIFY_TOKEN, asked without showing the
//! token: Meta's handshake with a proof in the token's place.
//!
//! Meta may have addresses that were set long ago, or by others, and whoever answers there
//! is to learn nothing. The proof is made of the token and of a challenge that was never
//! used before; the answer is made of both as well, so that whoever gives back any
//! challenge does not pass for us.

use super::signature::{hex, same_secret};
use ring::hmac;

/// Tells a proof from a token.
const PREFIX: &str = "wabridge-check:";

/// What stands in the token's place when somebody who knows it asks.
pub fn proof(token: &str, challenge: &str) -> String {
    format!("{PREFIX}{}", tag(token, "ask", challenge))
}

/// What somebody who knows the token answers.
pub fn answer(token: &str, challenge: &str) -> String {
    tag(token, "answer", challenge)
}

/// The answer to what stands in the token's place; `None` when it is no proof of one of
/// these tokens.
pub fn answered<'t>(
    tokens: impl Iterator<Item = &'t str>,
    given: &str,
    challenge: &str,
) -> Option<String> {
    if !given.starts_with(PREFIX) {
        return None;
    }
    let mut proven = tokens.filter(|token| same_secret(&proof(token, challenge), given));
    proven.next().map(|token| answer(token, challenge))
}

fn tag(token: &str, purpose: &str, challenge: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    let text = format!("wabridge check {purpose}\n{challenge}");
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 2] = ["a verify token", "another one"];

    fn check(given: &str, challenge: &str, expected: Option<&str>) {
        let found = answered(OURS.into_iter(), given, challenge);
        let expected = expected.map(|token| answer(token, challenge));
        assert_eq!(found, expected, "{given} {challenge}");
    }

    #[test]
    fn who_knows_a_token_is_answered_by_it_and_nobody_else_is() {
        for token in OURS {
            check(&proof(token, "1158"), "1158", Some(token));
        }
        check(&proof("a stranger's", "1158"), "1158", None);
        check(&proof(OURS[0], "1158"), "1159", None);
        check(OURS[0], "1158", None);
        check(PREFIX, "1158", None);
        check("", "", None);
        let echoed = format!("{PREFIX}{}", answer(OURS[0], "1158"));
        check(&echoed, "1158", None);
    }

    #[test]
    fn neither_shows_the_token_or_is_the_challenge() {
        for said in [proof(OURS[0], "1158"), answer(OURS[0], "1158")] {
            assert!(!said.contains(OURS[0]) && said != "1158", "{said}");
        }
    }
}
