//! The `Retry-After` header: how long the other side asks us to wait; and dates as
//! headers have them.

use std::time::{Duration, SystemTime};

/// The longest wait that is believed. Graph counts its calls in windows of one
/// rolling hour, so a longer one is a mistake, and must not park the queue for a
/// year; while an app's lasts, a conversation stands still.
pub const MAX: Duration = Duration::from_secs(60 * 60);

/// The wait asked for, by a number of seconds or a date (RFC 9110 §10.2.3), at
/// most [`MAX`] and none for a date that has passed; `None` when it is neither.
/// `now_ms` is in Unix milliseconds.
pub fn read(header: &str, now_ms: i64) -> Option<Duration> {
    let text = header.trim();
    let wait = match !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number can hold are a long wait all the same.
        true => text.parse().map_or(MAX, Duration::from_secs),
        false => {
            let now_ms = u64::try_from(now_ms).unwrap_or(0);
            date(text)?.saturating_sub(Duration::from_millis(now_ms))
        }
    };
    Some(wait.min(MAX))
}

/// A date as headers have it (RFC 9110 §5.6.7), since the beginning of Unix time.
pub fn date(text: &str) -> Option<Duration> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_number_of_seconds_or_a_date() {
        let now_ms = 784_111_777_250; // 1994-11-06 08:49:37.25
        let cases = [
            ("7", Some(7_000)),
            (" 7 ", Some(7_000)),
            ("0", Some(0)),
            ("3600", Some(3_600_000)),
            ("3601", Some(3_600_000)),
            ("99999999999999999999999999", Some(3_600_000)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(29_750)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(29_750)),
            ("Sun Nov  6 08:50:07 1994", Some(29_750)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(3_600_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3_600_000)),
            ("", None),
            ("-7", None),
            ("7.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:50:07 +0100", None),
            ("Sun, 36 Nov 1994 08:50:07 GMT", None),
        ];
        for (text, expected) in cases {
            let wait_ms = read(text, now_ms).map(|wait| wait.as_millis());
            assert_eq!(wait_ms, expected, "{text:?}");
        }
        let clock_before_1970 = read("Thu, 01 Jan 1970 00:00:09 GMT", -5_000);
        assert_eq!(clock_before_1970, Some(Duration::from_secs(9)));
    }
}
