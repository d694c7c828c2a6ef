//! The settings as they are in force: each with where it comes from, secrets
//! masked.

use super::table::{self, GROUPS, Setting};
use super::{Reader, Sources};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The environment, or the program that wabridge is in.
    Environment,
    /// `.env` in the working folder.
    Dotenv,
    /// The file that `NAME_FILE` names, or one of systemd's credentials.
    File(String),
}

/// A value as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is none.
    Nothing,
    /// As it is.
    Value(String),
    /// A secret, and how many it is.
    Hidden(usize),
}

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its name in the environment.
    pub name: String,
    /// What it is for; empty for one of a number's or an observer's own.
    pub help: &'static str,
    /// The heading it stands under.
    pub group: &'static str,
    /// Its value.
    pub value: Shown,
    /// Where from.
    pub source: Source,
    /// Changed by a restart only.
    pub fixed: bool,
}

impl Reader<'_> {
    /// All settings in the order of the table, and behind those what is a single
    /// number's or observer's own.
    pub(super) fn effective(&self) -> Vec<Effective> {
        let sources = self.sources;
        let listed = GROUPS.iter().flat_map(|(group, settings)| {
            let settings = settings.iter();
            settings.map(|setting| in_force(sources, group, setting))
        });
        let own = sources.names().filter(|name| {
            let names_file = name.ends_with("_FILE") && !table::is_secret(name);
            table::is_known(name) && !names_file && table::settings().all(|s| s.name != *name)
        });
        let own = own.map(|name| Effective {
            name: name.to_owned(),
            help: "",
            group: "",
            value: shown(name, sources.value(name), table::is_secret(name)),
            source: sources.origin(name),
            fixed: false,
        });
        listed.chain(own).collect()
    }
}

fn in_force(sources: &Sources, group: &'static str, setting: &Setting) -> Effective {
    let set = sources.value(setting.name);
    let source = match set {
        Some(_) => sources.origin(setting.name),
        None => Source::Default,
    };
    let default = setting.default.filter(|default| !default.is_empty());
    Effective {
        name: setting.name.to_owned(),
        help: setting.help,
        group,
        value: shown(
            setting.name,
            set.or(default.map(str::to_owned)),
            setting.secret,
        ),
        source,
        fixed: setting.fixed,
    }
}

fn shown(name: &str, value: Option<String>, secret: bool) -> Shown {
    match value {
        None => Shown::Nothing,
        Some(value) if secret => Shown::Hidden(value.split(',').count()),
        Some(value) if name == ALERT_URL => Shown::Value(host_of(&value)),
        Some(value) => Shown::Value(without_query(value)),
    }
}

/// The path of a chat's webhook is all that one needs to write there.
const ALERT_URL: &str = "ALERT_URL";

fn host_of(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host.len() < rest.len() {
        true => format!("{scheme}://{host}/…"),
        false => address.to_owned(),
    }
}

/// An address's query may hold a key of somebody's.
fn without_query(value: String) -> String {
    let is_address = value.starts_with("http://") || value.starts_with("https://");
    match value.split_once('?').filter(|_| is_address) {
        Some((address, _)) => format!("{address}?…"),
        None => value,
    }
}
