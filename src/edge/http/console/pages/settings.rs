//! The settings in force, where each comes from, and secrets masked.

use crate::config::{Effective, Shown as Value, Source};
use crate::edge::http::console::visit::{Shown, Visit};
use serde::Serialize;

#[derive(Serialize)]
struct Facts<'s> {
    groups: Vec<Group<'s>>,
    warnings: &'s [String],
}

#[derive(Serialize)]
struct Group<'s> {
    /// Empty: what is a single number's or observer's own.
    name: &'static str,
    settings: Vec<Setting<'s>>,
}

#[derive(Serialize)]
struct Setting<'s> {
    name: &'s str,
    help: &'static str,
    value: Option<&'s str>,
    /// A secret: how many it is.
    hidden: Option<usize>,
    /// A key of `words.settings.sources`.
    source: &'static str,
    /// The file it is in.
    file: Option<&'s str>,
    fixed: bool,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    let mut groups: Vec<Group> = Vec::new();
    for setting in &visit.live.config.effective {
        match groups.last_mut().filter(|last| last.name == setting.group) {
            Some(last) => last.settings.push(shown(setting)),
            None => groups.push(Group {
                name: setting.group,
                settings: vec![shown(setting)],
            }),
        }
    }
    let warnings = &visit.live.config.warnings;
    visit.page("settings.html", Facts { groups, warnings })
}

fn shown(setting: &Effective) -> Setting<'_> {
    let (value, hidden) = match &setting.value {
        Value::Nothing => (None, None),
        Value::Value(value) => (Some(value.as_str()), None),
        Value::Hidden(count) => (None, Some(*count)),
    };
    let (source, file) = match &setting.source {
        Source::Default => ("default", None),
        Source::Environment => ("environment", None),
        Source::Dotenv => ("dotenv", None),
        Source::File(path) => ("file", Some(path.as_str())),
    };
    Setting {
        name: &setting.name,
        help: setting.help,
        value,
        hidden,
        source,
        file,
        fixed: setting.fixed,
    }
}
