//! How findings are printed, for people and as JSON lines.

use super::output;
use crate::policy::doctor::{Finding, Level};
use serde_json::json;

/// Prints findings as they come, and remembers whether any was wrong.
pub struct Report {
    json: bool,
    sound: bool,
}

impl Report {
    /// For people, or in JSON lines.
    pub fn new(json: bool) -> Report {
        Report { json, sound: true }
    }

    /// Whether nothing was wrong so far.
    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// Prints one; whether it is not wrong.
    pub fn say(&mut self, finding: &Finding) -> bool {
        let level = finding.level;
        self.sound &= level != Level::Wrong;
        match self.json {
            true => output::json_line(&json!({
                "level": level.as_str(),
                "about": finding.about,
                "says": finding.says,
                "mend": finding.mend,
            })),
            false => output::print(&text(finding)),
        }
        level != Level::Wrong
    }

    /// As it should be.
    pub fn fine(&mut self, about: &str, says: &str) -> bool {
        self.say(&Finding::fine(about, says))
    }

    /// Worth knowing.
    pub fn note(&mut self, about: &str, says: &str) -> bool {
        self.say(&Finding::note(about, says))
    }

    /// To be mended, as its text says; several mistakes, one a line, are marked
    /// each.
    pub fn wrong(&mut self, about: &str, says: &str) -> bool {
        for line in says.lines() {
            self.say(&Finding {
                level: Level::Wrong,
                ..Finding::fine(about, line)
            });
        }
        false
    }
}

fn text(finding: &Finding) -> String {
    let Finding { about, says, .. } = finding;
    let what = match about.is_empty() {
        true => output::inert(says),
        false => output::inert(&format!("{about}: {says}")),
    };
    let mut text = format!("{:<6} {what}\n", finding.level.as_str());
    if let Some(mend) = &finding.mend {
        text.push_str(&format!("       to mend it: {}\n", output::inert(mend)));
    }
    text
}
