//! Where values come from, in the order in which they win.

use super::{Problem, Source, table};
use std::collections::BTreeMap;
use std::path::Path;

/// No secret is longer; a larger file is not one.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// All values found, by name. Reading them is separate from judging them, so
/// that tests write values down instead of changing a process's environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    values: BTreeMap<String, String>,
    /// Where those values come from that are not from the environment.
    origins: BTreeMap<String, Source>,
    from_dotenv: Vec<String>,
    /// Whoever runs the service answers itself, without a setting.
    pub(super) answered: bool,
    /// What went wrong while reading.
    pub(super) problems: Vec<Problem>,
}

impl Sources {
    /// The environment of this process, `.env` in the working folder, and
    /// secrets' files.
    pub fn of_this_process() -> Sources {
        let mut sources = Sources::default();
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                sources.values.insert(name, value);
            }
        }
        sources.read_dotenv(Path::new(".env"));
        sources.read_secret_files();
        sources
    }

    /// Values written down.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
        Sources {
            values: pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..Sources::default()
        }
    }

    /// Answers come from elsewhere than the settings: no word that nobody gives
    /// any.
    pub fn answered(mut self) -> Sources {
        self.answered = true;
        self
    }

    /// The value of `name`. A setting left empty counts as not set, except for
    /// a secret, where an empty value is a mistake worth hearing of.
    pub fn value(&self, name: &str) -> Option<String> {
        let value = self.values.get(name)?.trim();
        match value.is_empty() && !table::is_secret(name) {
            true => None,
            false => Some(value.to_owned()),
        }
    }

    /// Where the value of `name` comes from.
    pub fn origin(&self, name: &str) -> Source {
        let origin = self.origins.get(name).cloned();
        origin.unwrap_or(Source::Environment)
    }

    /// Takes back from `running` what only a restart changes, and names what
    /// would have been different.
    pub fn keep_fixed(&mut self, running: &Sources) -> Vec<&'static str> {
        let mut kept = Vec::new();
        for setting in table::settings().filter(|setting| setting.fixed) {
            let name = setting.name;
            let value = |sources: &Sources| {
                let default = setting.default.unwrap_or_default();
                sources.value(name).unwrap_or_else(|| default.to_owned())
            };
            if value(self) != value(running) {
                kept.push(name);
            }
            match running.values.get(name) {
                Some(value) => self.values.insert(name.to_owned(), value.clone()),
                None => self.values.remove(name),
            };
            match running.origins.get(name) {
                Some(origin) => self.origins.insert(name.to_owned(), origin.clone()),
                None => self.origins.remove(name),
            };
        }
        kept
    }

    /// All names that have a value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Names in `.env` that are no settings.
    pub fn unknown_in_dotenv(&self) -> impl Iterator<Item = &str> {
        let names = self.from_dotenv.iter().map(String::as_str);
        names.filter(|name| !table::is_known(name))
    }

    /// Reads secrets named `NAME_FILE`, then systemd's credentials.
    pub fn read_secret_files(&mut self) {
        let credentials = self.values.get("CREDENTIALS_DIRECTORY").cloned();
        let numbered: Vec<String> = self
            .names()
            .filter_map(|name| name.strip_suffix("_FILE"))
            .filter(|name| table::is_secret(name))
            .map(str::to_owned)
            .collect();
        for name in numbered {
            if let Some(path) = self.values.get(&format!("{name}_FILE")).cloned() {
                self.read_secret_file(&name, Path::new(&path));
            }
        }
        let Some(folder) = credentials else { return };
        let Ok(files) = std::fs::read_dir(&folder) else {
            return;
        };
        for file in files.flatten() {
            let Some(name) = file.file_name().to_str().map(str::to_ascii_uppercase) else {
                continue;
            };
            if table::is_secret(&name) {
                self.read_secret_file(&name, &file.path());
            }
        }
    }

    fn read_secret_file(&mut self, name: &str, path: &Path) {
        if self.values.contains_key(name) {
            return;
        }
        match std::fs::read_to_string(path) {
            Ok(text) if text.len() <= SECRET_BYTES_MAX => {
                self.values.insert(name.to_owned(), text.trim().to_owned());
                let origin = Source::File(path.display().to_string());
                self.origins.insert(name.to_owned(), origin);
            }
            Ok(_) => self.problems.push(Problem(format!(
                "the file for {name} ({}) is too long to be a secret",
                path.display()
            ))),
            Err(error) => self.problems.push(Problem(format!(
                "the file for {name} cannot be read ({}): {error}",
                path.display()
            ))),
        }
    }

    /// Adds what `.env` sets and the environment does not. Line by line, so
    /// that a mistake is named by its line, and nothing of its value is said.
    fn read_dotenv(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let text = format!(
                    "{} cannot be read: {error}; whoever runs wabridge must be able to",
                    path.display()
                );
                return self.problems.push(Problem(text));
            }
        };
        for (index, line) in text.lines().enumerate() {
            let read = match would_be_substituted(line) {
                true => None,
                false => dotenvy::from_read_iter(line.as_bytes())
                    .next()
                    .transpose()
                    .ok(),
            };
            match read {
                Some(Some((name, value))) => {
                    self.from_dotenv.push(name.clone());
                    if !self.values.contains_key(&name) {
                        self.origins.insert(name.clone(), Source::Dotenv);
                        self.values.insert(name, value);
                    }
                }
                Some(None) => {}
                None => self.problems.push(Problem(format!(
                    "{} line {} cannot be read: write NAME='value', in single quotes when it \
                     holds blanks, $ or #",
                    path.display(),
                    index + 1
                ))),
            }
        }
    }
}

/// Whether a line's value holds a `$` outside single quotes: dotenvy would put
/// another value, mostly none, in its place, and a secret would silently be a
/// shorter one.
fn would_be_substituted(line: &str) -> bool {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let comment = line.trim_start().starts_with('#');
    !comment && !value.starts_with('\'') && value.contains('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("wabridge-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn the_environment_wins_over_dotenv_and_a_broken_line_is_named_without_its_value() {
        let folder = folder("dotenv");
        let path = folder.join(".env");
        std::fs::write(
            &path,
            "# note\nLISTEN=a\nAPP_SECRET='p$w'\nVERIFY_TOKEN=hush hush\nNONSENSE=1\nSESSION_SECRET=hu$sh\n",
        )
        .unwrap();
        let mut sources = Sources::from_pairs([("LISTEN", "b")]);
        sources.read_dotenv(&path);
        assert_eq!(sources.value("LISTEN").as_deref(), Some("b"));
        assert_eq!(sources.origin("LISTEN"), Source::Environment);
        assert_eq!(sources.origin("APP_SECRET"), Source::Dotenv);
        assert_eq!(sources.value("APP_SECRET").as_deref(), Some("p$w"));
        let problem = &sources.problems[0].0;
        assert!(
            problem.contains("line 4") && !problem.contains("hush"),
            "{problem}"
        );
        assert!(sources.problems[1].0.contains("line 6"), "a $ would vanish");
        assert_eq!(
            sources.unknown_in_dotenv().collect::<Vec<_>>(),
            ["NONSENSE"]
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_secret_comes_from_its_file_or_from_systemds_credentials() {
        let folder = folder("secrets");
        std::fs::write(folder.join("one"), "from-file\n").unwrap();
        std::fs::write(folder.join("app_secret"), "from-credentials\n").unwrap();
        std::fs::write(folder.join("LISTEN"), "not a secret").unwrap();
        let at = folder.to_str().unwrap();
        let one = folder.join("one");
        let mut sources = Sources::from_pairs([
            ("CREDENTIALS_DIRECTORY", at),
            ("VERIFY_TOKEN_FILE", one.to_str().unwrap()),
            ("WHATSAPP_TOKEN_123_FILE", one.to_str().unwrap()),
            ("SESSION_SECRET_FILE", "/nonexistent/file"),
        ]);
        sources.read_secret_files();
        assert_eq!(sources.value("VERIFY_TOKEN").as_deref(), Some("from-file"));
        assert_eq!(
            sources.value("WHATSAPP_TOKEN_123").as_deref(),
            Some("from-file")
        );
        assert_eq!(
            sources.value("APP_SECRET").as_deref(),
            Some("from-credentials")
        );
        assert_eq!(sources.value("LISTEN"), None);
        let file = Source::File(one.display().to_string());
        assert_eq!(sources.origin("VERIFY_TOKEN"), file);
        assert!(sources.problems[0].0.contains("SESSION_SECRET"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
