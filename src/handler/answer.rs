//! What an app or a program answers to an event.

use crate::wire::raw;

/// Replies are small; more than this is a mistake.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The elements of `messages` in an answer, each as written. Any other body
/// is fine and says nothing.
pub(super) fn replies(answer: &[u8]) -> Vec<String> {
    std::str::from_utf8(answer)
        .ok()
        .and_then(raw::members)
        .and_then(|members| raw::elements(raw::get(&members, "messages")?))
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_taken_as_written() {
        let cases: [(&str, &[&str]); 7] = [
            (
                r#"{"messages":[{"a":1e2},"x"]}"#,
                &[r#"{"a":1e2}"#, r#""x""#],
            ),
            (r#"{"messages":[]}"#, &[]),
            (r#"{"messages":{}}"#, &[]),
            (r#"{"ok":true}"#, &[]),
            ("EVENT_RECEIVED", &[]),
            ("", &[]),
            ("[1]", &[]),
        ];
        for (answer, expected) in cases {
            assert_eq!(replies(answer.as_bytes()), expected, "{answer}");
        }
        assert!(replies(b"\xff").is_empty());
    }
}
