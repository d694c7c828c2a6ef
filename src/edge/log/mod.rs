//! Log lines: a sentence and its fields, on standard error.
//!
//! Never in a line: text, names, phone numbers, tokens, signatures, bodies,
//! and wamids (a wamid holds the phone number). Events, messages and requests
//! are named by our own ids.
//!
//! simplelog writes them. Which lines there are is decided here, by module: it knows levels
//! for modules only as a list of those that are not written at all, and not while it runs.
//!
//! * `json`: the same lines for programs

mod json;

use super::clock;
use crate::config::{Levels, LogFormat, crate_of};
use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};
use std::io::{LineWriter, Stderr, stderr};
use std::sync::{Mutex, PoisonError, RwLock};

/// The levels in force while the lines are ours to write: a program that has wabridge as its
/// library may have a logger of its own, and then the levels are its own too.
static LEVELS: RwLock<Option<Levels>> = RwLock::new(None);

/// Starts logging at these levels, what wabridge says and what these other `crates` do. Where
/// there is a logger already, that one stays.
pub fn start(levels: Levels, format: LogFormat, crates: &[&'static str]) {
    let lines = Lines::new(format, crates);
    let strange: Vec<_> = levels
        .crates()
        .filter(|name| !lines.is_ours(name))
        .collect();
    let strange = strange.join(", ");
    if log::set_boxed_logger(Box::new(lines)).is_ok() {
        *LEVELS.write().unwrap_or_else(PoisonError::into_inner) = Some(levels.clone());
        set_levels(levels.clone());
        if !strange.is_empty() {
            log::warn!("msg=\"LOG_LEVEL names what nothing is logged of\" crates={strange}");
        }
    }
}

/// Logs at these levels from now on.
pub fn set_levels(levels: Levels) {
    let mut in_force = LEVELS.write().unwrap_or_else(PoisonError::into_inner);
    if in_force.is_some() {
        log::set_max_level(levels.most());
        *in_force = Some(levels);
    }
}

/// What decides which lines there are, around what writes them.
struct Lines {
    format: LogFormat,
    crates: Vec<&'static str>,
    // Unbuffered it would make two dozen write calls a line.
    writer: Box<WriteLogger<LineWriter<Stderr>>>,
}

impl Lines {
    fn new(format: LogFormat, crates: &[&'static str]) -> Lines {
        let mut config = ConfigBuilder::new();
        config
            .set_time_format_rfc3339()
            .set_thread_level(LevelFilter::Off)
            .set_target_level(LevelFilter::Off)
            .set_location_level(LevelFilter::Off);
        // The journal has times of its own, and JSON a place of its own for all of it.
        if format == LogFormat::Json {
            config
                .set_time_level(LevelFilter::Off)
                .set_max_level(LevelFilter::Off);
        } else if std::env::var_os("JOURNAL_STREAM").is_some() {
            config.set_time_level(LevelFilter::Off);
        }
        let out = LineWriter::new(stderr());
        Lines {
            format,
            // Other libraries may log headers and bodies at debug.
            crates: crates.iter().copied().chain(["wabridge"]).collect(),
            writer: WriteLogger::new(LevelFilter::Trace, config.build(), out),
        }
    }

    fn is_ours(&self, module: &str) -> bool {
        self.crates.contains(&crate_of(module))
    }

    /// The line, without what could look like another one.
    fn line(&self, level: Level, module: &str, said: &str) -> String {
        let said = match said.contains(char::is_control) {
            true => said.replace(char::is_control, " "),
            false => said.to_owned(),
        };
        match self.format {
            LogFormat::Text => said,
            LogFormat::Json => json::object(clock::rfc3339(clock::now_ms()), level, module, &said),
        }
    }
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let levels = LEVELS.read().unwrap_or_else(PoisonError::into_inner);
        let levels = levels.as_ref();
        levels.is_some_and(|levels| metadata.level() <= levels.of(metadata.target()))
            && self.is_ours(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let said = record.args().to_string();
            let (level, module) = (record.level(), record.target());
            let line = self.line(level, module, &said);
            let mut written = Record::builder();
            let written = written.level(level).target(module);
            self.writer
                .log(&written.args(format_args!("{line}")).build());
        }
    }

    fn flush(&self) {
        self.writer.flush();
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
