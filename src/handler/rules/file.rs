//! From the text of a rules file to rules. All mistakes are collected, each with its line, rule
//! and mend; of a file that is no TOML only those that make it so.

mod conditions;
mod hours;
mod replies;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::Condition;
use super::hours::Hours;
use super::template::{PLACEHOLDERS, Templates};
use super::{Loaded, Problem, Rule, line_at};
use crate::config;
use crate::gateway::Effect;
use crate::wire::notification::key_digest;
use crate::wire::signature::hex;

/// What a rule does when it fits; all other keys of a rule are conditions.
const ACTIONS: [&str; 5] = ["name", "reply", "cooldown", "marketing", "hand_over"];

/// Rules that may have a name of their own; no more can rest in a conversation.
const NAME_CHARS_MAX: usize = 60;

/// Mistakes told at once; whoever has more mends these first.
const PROBLEMS_MAX: usize = 50;

/// # Errors
/// All mistakes, in the order of lines.
pub(super) fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    let mut reader = Reader {
        text,
        rule: None,
        hours: BTreeMap::new(),
        known: None,
        templates: Templates::new(),
        problems: Vec::new(),
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // What most first expressions in double quotes run into.
        let said = match error.message() {
            said if said.contains("escape") => {
                "a backslash in double quotes has a meaning of its own: \
                 use single quotes, as in match = '\\d'"
                    .to_owned()
            }
            said => said.trim().replace('\n', ", "),
        };
        reader.problem(
            error.span().unwrap_or_default(),
            format!("not TOML: {said}"),
        );
    }
    let rules = match errors.is_empty() {
        true => reader.root(root.get_ref()),
        false => Vec::new(),
    };
    let Reader {
        templates,
        mut problems,
        ..
    } = reader;
    problems.sort_by_key(|problem| problem.line);
    match problems.is_empty() {
        true => Ok(Loaded {
            rules,
            templates,
            digest: key_digest(text),
        }),
        false => Err(problems),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The rule being read, counted from 1.
    rule: Option<usize>,
    /// The shops whose hours the file tells, by their names there.
    hours: BTreeMap<String, Arc<Hours>>,
    /// The placeholders it can use; none if its `match` could not be read.
    known: Option<Vec<String>>,
    templates: Templates,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, text: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                line: line_at(self.text.as_bytes(), span.start),
                rule: self.rule,
                text: text.into(),
            });
        }
    }

    fn root(&mut self, root: &DeTable) -> Vec<Rule> {
        let mut rules = None;
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "rule" => rules = Some((key, value)),
                "hours" => self.all_hours(value),
                other => self.problem(
                    key.span(),
                    format!("unknown key {other}: a rules file has [[rule]] and [hours.NAME]"),
                ),
            }
        }
        match rules.map(|(key, value)| (key, value.get_ref())) {
            Some((_, DeValue::Array(list))) => self.rules(list),
            Some((key, _)) => {
                self.problem(
                    key.span(),
                    "there can be many rules: begin each with [[rule]], in two pairs of brackets",
                );
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn rules(&mut self, list: &[Spanned<DeValue>]) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        for (index, value) in list.iter().enumerate() {
            self.rule = Some(index + 1);
            let DeValue::Table(table) = value.get_ref() else {
                self.problem(value.span(), "a rule is a table: begin it with [[rule]]");
                continue;
            };
            // By its keys: conditions that could not be read are conditions, and a rule that
            // rests leaves something to others.
            let fits_all = table.keys().all(|key| {
                key.get_ref() != "cooldown" && ACTIONS.contains(&key.get_ref().as_ref())
            });
            if fits_all && index + 1 < list.len() {
                self.problem(
                    value.span(),
                    "it has no condition and so leaves nothing to the rules after it: \
                     move it to the end, or give it one, such as text, words or match",
                );
            }
            let rule = self.one_rule(value.span(), table);
            self.check_apart(value.span(), &rule, &rules);
            rules.push(rule);
        }
        self.rule = None;
        rules
    }

    /// Rules are told apart by name, and those that rest must be.
    fn check_apart(&mut self, span: Range<usize>, rule: &Rule, before: &[Rule]) {
        let alike = |other: &&Rule| {
            let named = rule.name.is_some() && rule.name == other.name;
            let rests = rule.cooldown_ms.is_some() && other.cooldown_ms.is_some();
            named || (rests && rule.key == other.key)
        };
        let Some(other) = before.iter().find(alike) else {
            return;
        };
        let text = match &rule.name {
            Some(_) => format!(
                "the rule in line {} has the same name: give it another",
                other.line
            ),
            None => format!(
                "the rule in line {} has the same conditions and a cooldown too: give one of them a name = \"…\"",
                other.line
            ),
        };
        self.problem(span, text);
    }

    fn one_rule(&mut self, span: Range<usize>, table: &DeTable) -> Rule {
        let (mut conditions, mut source) = (Vec::new(), String::new());
        let (mut name, mut cooldown_ms, mut marketing) = (None, None, None);
        let (mut reply, mut hand_over) = (None, false);
        self.known = Some(PLACEHOLDERS.map(str::to_owned).into());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.name(value),
                "cooldown" => cooldown_ms = self.cooldown(value),
                "marketing" => marketing = self.marketing(value),
                "hand_over" => hand_over = self.hand_over(value),
                "reply" => reply = Some(value),
                condition => {
                    source.push_str(condition);
                    source.push_str(self.text.get(value.span()).unwrap_or_default());
                    conditions.extend(self.condition(key.span(), condition, value));
                }
            }
        }
        let own = conditions.iter().flat_map(Condition::placeholders);
        if let Some(known) = &mut self.known {
            known.extend(own);
        }
        let replies = match reply {
            Some(value) => self.replies(value),
            None if ["marketing", "hand_over"]
                .iter()
                .any(|key| table.contains_key(*key)) =>
            {
                Vec::new()
            }
            None => {
                self.problem(
                    span.clone(),
                    "it has no reply: write reply = \"…\", or reply = [] to answer nothing",
                );
                Vec::new()
            }
        };
        let key = name
            .clone()
            .unwrap_or_else(|| format!("#{}", hex(&key_digest(&source)[..8])));
        Rule {
            name,
            key,
            line: line_at(self.text.as_bytes(), span.start),
            conditions,
            replies,
            cooldown_ms,
            marketing,
            hand_over,
        }
    }

    fn name(&mut self, value: &Spanned<DeValue>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(name)
                if !name.trim().is_empty()
                    && !name.starts_with('#')
                    && name.chars().count() <= NAME_CHARS_MAX =>
            {
                Some(name.clone().into_owned())
            }
            _ => {
                self.problem(
                    value.span(),
                    format!("name is a text of at most {NAME_CHARS_MAX} characters, and not with # in front"),
                );
                None
            }
        }
    }

    fn cooldown(&mut self, value: &Spanned<DeValue>) -> Option<i64> {
        let span = match value.get_ref() {
            DeValue::String(text) => config::span_of_time(text),
            _ => None,
        };
        if span.is_none() {
            let text = "cooldown is a span of time: write \"90s\", \"15m\", \"24h\" or \"7d\"";
            self.problem(value.span(), text);
        }
        span.map(|span| span.as_millis() as i64)
    }

    fn hand_over(&mut self, value: &Spanned<DeValue>) -> bool {
        if !matches!(value.get_ref(), DeValue::Boolean(true)) {
            let text = "hand_over is true, or is left out";
            self.problem(value.span(), text);
        }
        true
    }

    fn marketing(&mut self, value: &Spanned<DeValue>) -> Option<Effect> {
        let effect = match value.get_ref() {
            DeValue::String(word) if word == "stop" => Some(Effect::StopMarketing),
            DeValue::String(word) if word == "start" => Some(Effect::StartMarketing),
            _ => None,
        };
        if effect.is_none() {
            let text = "marketing is \"stop\" when the person wants none any more, or \"start\"";
            self.problem(value.span(), text);
        }
        effect
    }
}

/// What a value is, in words.
fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
