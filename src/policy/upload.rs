//! Files of ours at Meta: what Graph's answer to an upload means, how long the
//! id it gave is good, and which refusals say that it is not.

use super::verdict::{self, Answer, Verdict, Why};
use crate::wire::media::upload;

/// Meta keeps an uploaded file for 30 days (Meta: media reference).
const LIFE_MS: i64 = 30 * DAY_MS;

/// Clocks differ, and Meta may count from the upload's beginning.
const MARGIN_MS: i64 = DAY_MS;

const DAY_MS: i64 = 24 * 3_600_000;

/// An id that was given at this time or later is good for a message that is
/// queued now and may wait for so long before it goes out.
pub fn good_since(now: i64, wait_max_ms: i64) -> i64 {
    now - (LIFE_MS - MARGIN_MS).saturating_sub(wait_max_ms).max(0)
}

/// Whether a refusal with this code may mean that Meta does not have the file
/// (any more). Meta names no code for it. Seen are 100 ("… is not a valid
/// whatsapp business account media attachment ID") and 131009 ("… does not
/// exist or has expired"), which mean other mistakes as well, and 131053 in
/// statuses; wrong guesses cost an upload.
pub fn may_be_gone(code: i64) -> bool {
    matches!(code, 100 | 131_009 | 131_053)
}

/// What Graph's answer to an upload says: the file's id.
///
/// # Errors
/// Why it was not taken, with the mend.
pub fn answered(status: u16, body: &[u8]) -> Result<String, String> {
    if (200..=299).contains(&status)
        && let Some(id) = upload::read_id(body)
    {
        return Ok(id);
    }
    let answer = Answer::Http {
        status,
        retry_after: None,
        body,
    };
    Err(match verdict::read(&answer) {
        Verdict::Accepted { .. } => no_graph(status),
        Verdict::Refused { why } | Verdict::Halt { why, .. } => {
            in_words(status, &why).unwrap_or_else(|| no_graph(status))
        }
        Verdict::Retry { why, .. } | Verdict::Unknown { why, .. } => {
            let said = in_words(status, &why);
            said.map_or_else(
                || no_graph(status),
                |said| format!("{said}; try again later"),
            )
        }
    })
}

/// The verdict's own words for what it does not know speak of messages.
fn in_words(status: u16, why: &Why) -> Option<String> {
    let code = why.code?;
    Some(match (verdict::explain(code), &why.details) {
        (Some(_), _) => why.with_details(),
        (None, Some(details)) => {
            format!("Graph refused it (HTTP {status}, code {code}): {details}")
        }
        (None, None) => format!("Graph refused it (HTTP {status}, code {code})"),
    })
}

fn no_graph(status: u16) -> String {
    format!(
        "what answered is not Graph (HTTP {status}): try again later, and if it goes on look at \
         GRAPH_API_URL and at any proxy on the way"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_brings_an_id_or_says_what_to_do() {
        let error = |code: i64| {
            format!(r#"{{"error":{{"code":{code},"message":"(#{code}) x","fbtrace_id":"A"}}}}"#)
        };
        let rows = [
            (200, r#"{"id":"12"}"#.into(), "12"),
            (400, r#"{"id":"12"}"#.into(), "not Graph (HTTP 400)"),
            (200, r#"{"id":"a/b"}"#.into(), "not Graph (HTTP 200)"),
            (200, r#"{"success":true}"#.into(), "not Graph (HTTP 200)"),
            (502, "<html>".into(), "not Graph (HTTP 502)"),
            (401, error(190), "make a new one"),
            (400, error(131_053), "check link, type and size"),
            (400, error(100), "(#100) x"),
            (503, error(2), "metastatus.com — (#2) x; try again later"),
            (400, error(987_654), "HTTP 400, code 987654): (#987654) x"),
        ];
        for (status, body, expected) in rows {
            let said = match answered(status, body.as_bytes()) {
                Ok(id) => id,
                Err(why) => why,
            };
            assert!(said.contains(expected), "{status} {body}: {said}");
            assert!(!said.contains("message may have"), "{said}");
        }
    }

    #[test]
    fn an_id_is_good_for_29_days_less_the_wait() {
        let now = 100 * DAY_MS;
        let rows = [
            (0, 29),
            (DAY_MS, 28),
            (29 * DAY_MS, 0),
            (60 * DAY_MS, 0),
            (i64::MAX, 0),
        ];
        for (wait, days) in rows {
            assert_eq!(good_since(now, wait), now - days * DAY_MS, "{wait}");
        }
    }

    #[test]
    fn codes_that_may_be_about_the_file() {
        assert!([100, 131_009, 131_053].into_iter().all(may_be_gone));
        assert!(
            ![131_026, 131_047, 190, 131_052]
                .into_iter()
                .any(may_be_gone)
        );
    }
}
