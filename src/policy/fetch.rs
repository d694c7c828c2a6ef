//! Fetching a customer's file: what Graph's answers mean for it, and what comes
//! after an attempt. A file has a life of its own at Meta, so its age, not a
//! number of attempts, is what ends a fetch that fails for reasons not its own.

use super::retry::Backoff;
use super::verdict::{self, Answer, Verdict, Why};
use crate::wire::media::{Described, Digest};
use crate::wire::raw;
use crate::wire::retry_after;
use std::time::Duration;

/// Meta keeps a received file for 7 days (Meta: media reference).
pub const LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// Waits between attempts: the first soon, since most failures pass in seconds;
/// the longest well within a file's life.
const FETCH: Backoff = Backoff {
    first_ms: 2_000,
    max_ms: 15 * 60_000,
};

/// Attempts at a file that Graph says is not there: some minutes, in case it
/// only is not there yet.
const GONE_TRIES: u32 = 8;

/// Attempts at a file that comes wrong, or from a wrong place: what was damaged
/// on the way is mended by another attempt, what is wrong at Meta is not.
const WRONG_TRIES: u32 = 4;

/// What came of an attempt to fetch a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// It is on disk.
    Fetched(Stored),
    /// Graph does not know it, or does not show it to this token.
    Gone {
        /// In words.
        reason: String,
    },
    /// It is larger than MEDIA_BYTES_MAX.
    TooLarge {
        /// Its length, as far as it is known.
        bytes: u64,
    },
    /// What came has another digest than Meta told.
    WrongDigest,
    /// The address Graph gave is none of Meta's: nothing was asked there.
    Elsewhere,
    /// Not now.
    Later {
        /// In words.
        reason: String,
        /// The least time to wait, if the other side said so.
        wait: Option<Duration>,
        /// It says something about Meta, the way there, or the disk as a whole:
        /// counts for the breaker.
        down: bool,
    },
}

/// A file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name in MEDIA_DIR.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Its type, as Graph told it.
    pub mime_type: Option<String>,
}

impl Fetch {
    /// Not now, for a reason that others meet too.
    pub fn down(reason: impl Into<String>) -> Fetch {
        Fetch::Later {
            reason: reason.into(),
            wait: None,
            down: true,
        }
    }

    /// Why it is not there; `None` when it is.
    pub fn reason(&self) -> Option<String> {
        Some(match self {
            Fetch::Fetched(_) => return None,
            Fetch::Gone { reason } | Fetch::Later { reason, .. } => reason.clone(),
            Fetch::TooLarge { bytes } => {
                format!("it has {bytes} bytes or more, over MEDIA_BYTES_MAX")
            }
            Fetch::WrongDigest => "what came is not what Meta announced (SHA-256)".into(),
            Fetch::Elsewhere => "Graph named an address that is none of Meta's".into(),
        })
    }
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is there.
    Done,
    /// Another attempt after so many milliseconds.
    Again { wait_ms: i64 },
    /// It is given up.
    Dead,
}

/// What follows from attempt number `attempt` (the first is 1) at a file; `is_over`:
/// it was heard of longer ago than Meta keeps it.
pub fn next(outcome: &Fetch, attempt: u32, is_over: bool, luck: f64) -> Next {
    let (tries_max, wait) = match outcome {
        Fetch::Fetched(_) => return Next::Done,
        Fetch::TooLarge { .. } => return Next::Dead,
        Fetch::Gone { .. } => (GONE_TRIES, None),
        Fetch::WrongDigest | Fetch::Elsewhere => (WRONG_TRIES, None),
        Fetch::Later { wait, .. } => (u32::MAX, *wait),
    };
    if attempt >= tries_max || is_over {
        return Next::Dead;
    }
    let asked = wait.map_or(0, |wait| wait.as_millis() as i64);
    Next::Again {
        wait_ms: FETCH.after(attempt, luck).max(asked),
    }
}

/// What Graph's answer to a look-up (`GET /{media-id}`) says.
///
/// # Errors
/// What the attempt came to, when it names no address.
pub fn looked_up(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Result<Described, Fetch> {
    if status == 200
        && let Some(described) = Described::read(body)
    {
        return Ok(described);
    }
    if is_unknown_object(body) {
        let reason = "Graph does not know it any more, or the token may not read it";
        return Err(Fetch::Gone {
            reason: reason.into(),
        });
    }
    Err(by_verdict(&Answer::Http {
        status,
        retry_after,
        body,
    }))
}

/// What the answer to the download itself says, by its status.
///
/// # Errors
/// What the attempt came to, when it does not bring the file.
pub fn downloads(status: u16, retry_after: Option<Duration>) -> Result<(), Fetch> {
    let later = |reason: &str, down| Fetch::Later {
        reason: format!("{reason} (HTTP {status})"),
        wait: retry_after.map(|wait| wait.min(retry_after::MAX)),
        down,
    };
    Err(match status {
        200 => return Ok(()),
        // The address lived for five minutes; the next attempt asks for another.
        401 | 403 | 404 | 410 => later("the address has expired", false),
        429 | 500.. => later("Meta does not give files out just now", true),
        _ => later("Meta did not give the file out", false),
    })
}

/// A call without an answer.
pub fn unanswered(reason: &str) -> Fetch {
    Fetch::down(format!("Graph could not be reached: {reason}"))
}

/// Graph's "does not exist, or you may not see it" (Meta: Graph API error
/// handling, code 100).
pub fn is_unknown_object(body: &[u8]) -> bool {
    let code = || {
        let members = raw::members(std::str::from_utf8(body).ok()?)?;
        let error = raw::members(raw::get(&members, "error")?)?;
        raw::get_text(&error, "code").map(|code| code == "100")
    };
    code().unwrap_or(false)
}

/// For what is not a file's own, Graph's codes mean what they mean for sends.
fn by_verdict(answer: &Answer<'_>) -> Fetch {
    let down = |wait: Option<Duration>, why: &Why| Fetch::Later {
        reason: why.reason.clone(),
        wait,
        down: true,
    };
    match verdict::read(answer) {
        Verdict::Accepted { .. } => Fetch::Later {
            reason: "Graph's answer names no address".into(),
            wait: None,
            down: false,
        },
        Verdict::Refused { why } => Fetch::Gone { reason: why.reason },
        Verdict::Retry { wait, why, .. } | Verdict::Unknown { wait, why, .. } => down(wait, &why),
        Verdict::Halt { why, .. } => down(None, &why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> Fetch {
        let reason = String::new();
        Fetch::Gone { reason }
    }

    #[test]
    fn what_follows_from_an_attempt() {
        let stored = Stored {
            file: "x".into(),
            bytes: 1,
            sha256: Digest([0; 32]),
            mime_type: None,
        };
        let later = |wait: Option<u64>| Fetch::Later {
            reason: String::new(),
            wait: wait.map(Duration::from_secs),
            down: false,
        };
        let again = |wait_ms| Next::Again { wait_ms };
        let cases = [
            (Fetch::Fetched(stored), 1, false, Next::Done),
            (Fetch::TooLarge { bytes: 9 }, 1, false, Next::Dead),
            (gone(), 1, false, again(1_000)),
            (gone(), 7, false, again(64_000)),
            (gone(), 8, false, Next::Dead),
            (Fetch::WrongDigest, 3, false, again(4_000)),
            (Fetch::WrongDigest, 4, false, Next::Dead),
            (Fetch::Elsewhere, 4, false, Next::Dead),
            // As long as Meta keeps it, however often it failed.
            (later(None), 500, false, again(450_000)),
            (later(Some(1_800)), 500, false, again(1_800_000)),
            (later(Some(1)), 1, false, again(1_000)),
            (later(None), 1, true, Next::Dead),
        ];
        for (outcome, attempt, is_over, expected) in cases {
            let found = next(&outcome, attempt, is_over, 0.0);
            assert_eq!(found, expected, "{outcome:?}, attempt {attempt}");
        }
    }

    /// `gone`, `down` or `later`, and the wait.
    fn word(fetch: &Fetch) -> String {
        match fetch {
            Fetch::Gone { .. } => "gone".into(),
            Fetch::Later { wait, down, .. } => {
                let word = if *down { "down" } else { "later" };
                let wait = wait.map(|wait| format!(" {}s", wait.as_secs()));
                format!("{word}{}", wait.unwrap_or_default())
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn graphs_answers_to_a_look_up() {
        let error = |code: i64, subcode: i64| {
            format!(r#"{{"error":{{"code":{code},"error_subcode":{subcode}}}}}"#)
        };
        let cases = [
            (
                200,
                None,
                r#"{"url":"https://x/"}"#.to_owned(),
                "https://x/",
            ),
            (200, None, r#"{"id":"1"}"#.into(), "down"),
            (200, None, r#"{"success":true}"#.into(), "later"),
            (400, None, error(100, 33), "gone"),
            (404, None, error(100, 0), "gone"),
            (401, None, error(190, 463), "down"),
            (403, None, error(10, 0), "down"),
            (400, Some(9), error(4, 0), "down 9s"),
            (400, None, error(80_007, 0), "down"),
            (429, Some(30), String::new(), "down 30s"),
            (429, Some(1 << 40), String::new(), "down 3600s"),
            (400, None, error(131_052, 0), "gone"),
            (500, None, error(131_000, 0), "down"),
            (502, None, "<html>".into(), "down"),
            (302, None, String::new(), "down"),
        ];
        for (status, after, body, expected) in cases {
            let found = looked_up(status, after.map(Duration::from_secs), body.as_bytes());
            let found = found.map_or_else(|fetch| word(&fetch), |described| described.url);
            assert_eq!(found, expected, "{status} {body}");
        }
    }

    #[test]
    fn answers_to_a_download() {
        let cases = [
            (200, "comes"),
            (204, "later"),
            (206, "later"),
            (401, "later"),
            (404, "later"),
            (429, "down"),
            (500, "down"),
            (503, "down"),
        ];
        for (status, expected) in cases {
            let found = downloads(status, None);
            let found = found.map_or_else(|fetch| word(&fetch), |()| "comes".into());
            assert_eq!(found, expected, "{status}");
        }
        let asked = downloads(503, Some(Duration::from_secs(7))).unwrap_err();
        assert_eq!(word(&asked), "down 7s");
    }
}
