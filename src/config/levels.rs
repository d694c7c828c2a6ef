//! Which lines are logged, and how they are written.

use super::Reader;
use log::LevelFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: a sentence and its fields.
    Text,
    /// For programs: a JSON object a line.
    Json,
}

/// A level for all lines, and others for those of single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    common: LevelFilter,
    /// The longest name first: it is the most particular one.
    modules: Vec<(String, LevelFilter)>,
}

impl From<LevelFilter> for Levels {
    fn from(common: LevelFilter) -> Levels {
        Levels {
            common,
            modules: Vec::new(),
        }
    }
}

impl Levels {
    /// Reads what `LOG_LEVEL` says, such as `info,wabridge::edge=debug`. The error says how
    /// to write it.
    pub fn parse(text: &str) -> Result<Levels, String> {
        let mut levels = Levels::from(LevelFilter::Info);
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (module, level) = match word.split_once('=') {
                Some((module, level)) => (Some(module.trim()), level.trim()),
                None => (None, word),
            };
            let Ok(level) = level.parse() else {
                return Err(format!(
                    "{word} is no level: write error, warn, info, debug, trace or off, and for a \
                     module wabridge::edge=debug"
                ));
            };
            match module {
                None => levels.common = level,
                Some(module) if is_module(module) => levels.modules.push((module.into(), level)),
                Some(module) => {
                    return Err(format!(
                        "{module} is no module's name: write it as Rust does, such as \
                         wabridge::edge=debug"
                    ));
                }
            }
        }
        let shorter_last = |(name, _): &(String, LevelFilter)| std::cmp::Reverse(name.len());
        levels.modules.sort_by_key(shorter_last);
        Ok(levels)
    }

    /// The level of a module's lines.
    pub fn of(&self, module: &str) -> LevelFilter {
        let own = |(name, _): &&(String, LevelFilter)| match module.strip_prefix(name.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with("::"),
            None => false,
        };
        self.modules.iter().find(own).map_or(self.common, |m| m.1)
    }

    /// The level of the most talkative module.
    pub fn most(&self) -> LevelFilter {
        let modules = self.modules.iter().map(|(_, level)| *level);
        modules.fold(self.common, |most, level| most.max(level))
    }

    /// The crates that modules with a level of their own are in.
    pub fn crates(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|(name, _)| crate_of(name))
    }
}

/// The crate that a module is in.
pub fn crate_of(module: &str) -> &str {
    module.split_once("::").map_or(module, |(first, _)| first)
}

fn is_module(name: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    name.split("::").all(is_name)
}

impl Reader<'_> {
    pub(super) fn levels(&mut self) -> Levels {
        let text = self.value("LOG_LEVEL");
        let levels = Levels::parse(&text).unwrap_or_else(|mend| {
            self.problem(format!("LOG_LEVEL={text}: {mend}"));
            LevelFilter::Info.into()
        });
        // A program of one's own has modules of its own; its crates are known later.
        if !self.sources.answered
            && let Some(other) = levels.crates().find(|name| *name != "wabridge")
        {
            self.problem(format!(
                "LOG_LEVEL={text}: nothing is logged of {other}, since libraries log headers and \
                 bodies, and with them tokens: name modules of wabridge"
            ));
        }
        levels
    }

    pub(super) fn log_format(&mut self) -> LogFormat {
        match self.value("LOG_FORMAT").as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                self.problem(format!(
                    "LOG_FORMAT={other} is no format: write text or json"
                ));
                LogFormat::Text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(setting: &str, expected: &[(&str, LevelFilter)]) {
        let levels = Levels::parse(setting).unwrap();
        for (module, level) in expected {
            assert_eq!(levels.of(module), *level, "{setting}: {module}");
        }
    }

    #[test]
    fn the_most_particular_name_decides() {
        use LevelFilter::{Debug, Error, Info, Off, Trace, Warn};
        check("warn", &[("wabridge::edge", Warn), ("other", Warn)]);
        check("", &[("wabridge", Info)]);
        check("DEBUG", &[("wabridge", Debug)]);
        check(
            "wabridge::edge=debug, error ,wabridge::edge::http=off",
            &[
                ("wabridge::edge", Debug),
                ("wabridge::edge::serve", Debug),
                ("wabridge::edge::http", Off),
                ("wabridge::edge::http::webhook", Off),
                ("wabridge::edges", Error),
                ("wabridge::handler", Error),
            ],
        );
        check("off,mybot=trace", &[("mybot", Trace), ("mybots", Off)]);
    }

    #[test]
    fn the_most_talkative_module_is_known() {
        let most = |setting| Levels::parse(setting).unwrap().most();
        assert_eq!(most("info,wabridge::edge=debug"), LevelFilter::Debug);
        assert_eq!(most("info,wabridge::edge=off"), LevelFilter::Info);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mend() {
        for (setting, mend) in [
            ("loud", "write error, warn, info"),
            ("info,wabridge::edge", "wabridge::edge=debug"),
            ("wabridge::edge=loud", "write error, warn, info"),
            ("wabridge:edge=debug", "as Rust does"),
            ("=debug", "as Rust does"),
        ] {
            let error = Levels::parse(setting).unwrap_err();
            assert!(error.contains(mend), "{setting}: {error}");
        }
    }
}
