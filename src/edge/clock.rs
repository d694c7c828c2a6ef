//! The only place that reads a clock or draws luck.

use crate::policy::clock::Watch;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        // A clock set before 1970: times are wrong either way.
        Err(_) => 0,
    }
}

/// Unix time in milliseconds, and when the clock was last set ahead under the eyes of
/// this process, by its own new time: seen by whoever asks here, so ask often.
pub fn watched_now_ms() -> (i64, Option<i64>) {
    static WATCH: Mutex<Option<Watch>> = Mutex::new(None);
    let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    // Goes on while the machine sleeps, so that to wake is not to be set ahead.
    let steady = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let steady_ms = steady.tv_sec * 1_000 + steady.tv_nsec / 1_000_000;
    let now = now_ms();
    (now, watch.get_or_insert_default().look(now, steady_ms))
}

/// Sleeps until a time in Unix milliseconds, but never longer than `most`: the
/// clock may have been set back since the time was told.
pub fn sleep_until(ms: i64, most: Duration) {
    let wait_ms = u64::try_from(ms.saturating_sub(now_ms())).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(wait_ms).min(most));
}

/// Sleeps until a time of [`monotonic_us`], but never longer than `most`.
pub fn sleep_until_us(us: i64, most: Duration) {
    let wait_us = u64::try_from(us.saturating_sub(monotonic_us())).unwrap_or(0);
    std::thread::sleep(Duration::from_micros(wait_us).min(most));
}

/// Microseconds of the clock that nobody sets (`CLOCK_MONOTONIC`), as systemd
/// counts them.
pub fn monotonic_us() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// A number in `0.0..1.0`.
pub fn luck() -> f64 {
    let bytes: [u8; 4] = random();
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// Bytes nobody can guess.
///
/// # Panics
/// When the system has no randomness: nothing secret could be made then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("the system gives random bytes");
    bytes
}

/// A time in Unix milliseconds as RFC 3339 in UTC, always of the same length.
pub fn rfc3339(ms: i64) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) else {
        return ms.to_string();
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc3339() {
        assert_eq!(rfc3339(1_790_000_000_000), "2026-09-21T14:13:20.000Z");
        assert_eq!(rfc3339(1_790_000_000_120), "2026-09-21T14:13:20.120Z");
        assert_eq!(rfc3339(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn luck_is_a_share() {
        assert!((0..1_000).map(|_| luck()).all(|l| (0.0..1.0).contains(&l)));
    }
}
