//! Log lines: a sentence and its fields, on standard error.
//!
//! Never in a line: text, names, phone numbers, tokens, signatures, bodies,
//! and wamids (a wamid holds the phone number). Events, messages and requests
//! are named by our own ids.

use log::LevelFilter;
use simplelog::{ConfigBuilder, WriteLogger};
use std::io::{LineWriter, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the lines are ours to write: a program that has wabridge as its
/// library may have a logger of its own, and then the level is its own too.
static OURS: AtomicBool = AtomicBool::new(false);

/// Starts logging at `level`, what wabridge says and what these other `crates`
/// do. Where there is a logger already, that one stays.
pub fn start(level: LevelFilter, crates: &[&'static str]) {
    let mut config = ConfigBuilder::new();
    config
        .set_time_format_rfc3339()
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        // Libraries may log headers and bodies at debug.
        .add_filter_allow_str("wabridge");
    for name in crates {
        config.add_filter_allow_str(name);
    }
    // The journal has times of its own.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        config.set_time_level(LevelFilter::Off);
    }
    // Unbuffered it would make two dozen write calls a line.
    let lines = LineWriter::new(stderr());
    // It lets everything through: the level is `log`'s own, which can change.
    if WriteLogger::init(LevelFilter::Trace, config.build(), lines).is_ok() {
        OURS.store(true, Ordering::SeqCst);
        set_level(level);
    }
}

/// Logs at `level` from now on.
pub fn set_level(level: LevelFilter) {
    if OURS.load(Ordering::SeqCst) {
        log::set_max_level(level);
    }
}

/// A panic's own words may hold a customer's: from now on only its place is
/// logged.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        log::error!("msg=\"panic\" at={}", place.unwrap_or_default());
    }));
}

/// Lets a few lines a second through at `info` and tells how many it held
/// back: one line a webhook is what a newcomer wants to see, and would drown
/// the journal under load. One for each kind of line: what is frequent must not
/// hold back what is not.
pub struct Few {
    state: Mutex<(i64, u32, u64)>,
}

/// Lines a second.
const A_FEW: u32 = 5;

impl Default for Few {
    fn default() -> Few {
        Few {
            state: Mutex::new((0, 0, 0)),
        }
    }
}

impl Few {
    /// Whether a line may be written at `now_ms`; then a field for its end that
    /// says how many were held back since the last one, or nothing.
    pub fn pass(&self, now_ms: i64) -> Option<String> {
        let held_back = self.count(now_ms)?;
        Some(match held_back {
            0 => String::new(),
            n => format!(" held_back={n}"),
        })
    }

    fn count(&self, now_ms: i64) -> Option<u64> {
        let second = now_ms / 1_000;
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if state.0 != second {
            (state.0, state.1) = (second, 0);
        }
        state.1 += 1;
        if state.1 > A_FEW {
            state.2 += 1;
            return None;
        }
        Some(std::mem::take(&mut state.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_a_second_and_the_rest_is_counted() {
        let few = Few::default();
        let passed: Vec<_> = (0..8).map(|_| few.count(1_500)).collect();
        assert_eq!(passed[..5], [Some(0); 5]);
        assert_eq!(passed[5..], [None; 3]);
        assert_eq!(few.count(2_000), Some(3));
        assert_eq!(few.count(2_001), Some(0));
    }
}
