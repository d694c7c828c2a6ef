//! When a rule fits, as it stands in the file.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ACTIONS, Reader, kind};
use crate::handler::rules::condition::{Condition, TYPES};
use crate::handler::rules::hours::Hours;
use crate::handler::rules::template::PLACEHOLDERS;

/// The keys of conditions.
const CONDITIONS: &str = "text, words, match, reply_id, type, referral, number, first_contact, \
                          stale, open, closed, any, all, not";

/// Conditions within conditions: deeper, nobody understands them.
const DEPTH_MAX: usize = 5;

impl Reader<'_> {
    /// One key of a rule that is no action; `None` if it is not right.
    pub(super) fn condition(
        &mut self,
        key_span: Range<usize>,
        key: &str,
        value: &Spanned<DeValue>,
    ) -> Option<Condition> {
        self.condition_at(0, key_span, key, value)
    }

    fn condition_at(
        &mut self,
        depth: usize,
        key_span: Range<usize>,
        key: &str,
        value: &Spanned<DeValue>,
    ) -> Option<Condition> {
        Some(match key {
            "text" => Condition::text(self.texts(key, value)),
            "words" => self.words(value)?,
            "match" => self.regex(value)?,
            "reply_id" => Condition::ReplyId(self.texts(key, value)),
            "type" => Condition::Type(self.types(value)),
            "number" => Condition::Number(self.numbers(value)),
            "referral" => match value.get_ref() {
                DeValue::Boolean(wanted) => Condition::Referred(*wanted),
                _ => Condition::Referral(self.texts(key, value)),
            },
            "first_contact" => Condition::FirstContact(self.yes_or_no(key, value)?),
            "stale" => Condition::Stale(self.yes_or_no(key, value)?),
            "open" => Condition::Open(self.shops(key, value)),
            "closed" => Condition::Closed(self.shops(key, value)),
            "any" => Condition::Any(self.branches(depth, key, value)),
            "all" => Condition::All(self.branches(depth, key, value)),
            "not" => Condition::Not(self.branches(depth, key, value)),
            other => {
                let has = match depth {
                    0 => format!(
                        "a rule has {}, and as conditions {CONDITIONS}",
                        ACTIONS.join(", ")
                    ),
                    _ => format!("a condition is one of {CONDITIONS}"),
                };
                self.problem(key_span, format!("unknown key {other}: {has}"));
                return None;
            }
        })
    }

    fn yes_or_no(&mut self, key: &str, value: &Spanned<DeValue>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(wanted) => Some(*wanted),
            other => {
                let text = format!("{key} is true or false, and this is {}", kind(other));
                self.problem(value.span(), text);
                None
            }
        }
    }

    /// The tables of `any`, `all` and `not`: one, or a list of them.
    fn branches(&mut self, depth: usize, key: &str, value: &Spanned<DeValue>) -> Vec<Condition> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.as_ref(),
            _ => std::slice::from_ref(value),
        };
        if depth == DEPTH_MAX {
            let text = format!("{key} is nested too deep: at most {DEPTH_MAX} in one another");
            self.problem(value.span(), text);
            return Vec::new();
        }
        if list.is_empty() {
            let text = format!("{key} is an empty list: put conditions in it, or leave it out");
            self.problem(value.span(), text);
        }
        let mut branches = Vec::new();
        for one in list {
            match one.get_ref() {
                DeValue::Table(table) => branches.push(self.branch(depth, key, one.span(), table)),
                other => {
                    let text = format!(
                        "{key} takes conditions in braces, as in {key} = [{{ text = \"hi\" }}, {{ words = \"good day\" }}], and this is {}",
                        kind(other)
                    );
                    self.problem(one.span(), text);
                }
            }
        }
        branches
    }

    fn branch(
        &mut self,
        depth: usize,
        key: &str,
        span: Range<usize>,
        table: &DeTable,
    ) -> Condition {
        if table.is_empty() {
            let text = format!("{key} has empty braces: put a condition in them");
            self.problem(span, text);
        }
        let mut conditions = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            conditions.extend(self.condition_at(depth + 1, key.span(), name, value));
        }
        match conditions.len() {
            1 => conditions.remove(0),
            _ => Condition::All(conditions),
        }
    }

    /// One text or several.
    pub(super) fn texts(&mut self, key: &str, value: &Spanned<DeValue>) -> Vec<String> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.as_ref(),
            _ => std::slice::from_ref(value),
        };
        if list.is_empty() {
            self.problem(
                value.span(),
                format!("{key} is an empty list, so the rule never fits"),
            );
        }
        let mut texts = Vec::new();
        for one in list {
            match one.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => {
                    texts.push(text.clone().into_owned());
                }
                DeValue::String(_) => {
                    self.problem(
                        one.span(),
                        format!("{key} is empty: leave it out for a rule that always fits"),
                    );
                }
                other => self.problem(
                    one.span(),
                    format!(
                        "{key} is a text or a list of texts, and this is {}",
                        kind(other)
                    ),
                ),
            }
        }
        texts
    }

    fn words(&mut self, value: &Spanned<DeValue>) -> Option<Condition> {
        let texts = self.texts("words", value);
        let condition = Condition::words(&texts);
        let Condition::Words(sets) = &condition else {
            return None;
        };
        if sets.iter().any(Vec::is_empty) {
            let text =
                "there is no word in it: words are letters and digits; for others there is match";
            self.problem(value.span(), text);
            return None;
        }
        Some(condition)
    }

    fn types(&mut self, value: &Spanned<DeValue>) -> Vec<String> {
        let types = self.texts("type", value);
        for unknown in types
            .iter()
            .filter(|type_| !TYPES.contains(&type_.as_str()))
        {
            let text = format!(
                "there are no messages of type `{unknown}`: there are {}",
                TYPES.join(", ")
            );
            self.problem(value.span(), text);
        }
        types
    }

    fn numbers(&mut self, value: &Spanned<DeValue>) -> Vec<String> {
        let numbers = self.texts("number", value);
        let is_id = |id: &&String| id.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(other) = numbers.iter().find(|id| !is_id(id)) {
            let text = format!(
                "`{other}` is no phone_number_id: those are digits only, from WhatsApp Manager or API Setup"
            );
            self.problem(value.span(), text);
        }
        numbers
    }

    fn shops(&mut self, key: &str, value: &Spanned<DeValue>) -> Vec<Arc<Hours>> {
        if let DeValue::Boolean(_) = value.get_ref() {
            let text = format!(
                "{key} takes the name of hours, as in {key} = \"shop\" for [hours.shop]; the opposite of open is closed"
            );
            self.problem(value.span(), text);
            return Vec::new();
        }
        let mut shops = Vec::new();
        for name in self.texts(key, value) {
            match self.hours.get(&name) {
                Some(shop) => shops.push(Arc::clone(shop)),
                None => {
                    let known: Vec<&str> = self.hours.keys().map(String::as_str).collect();
                    let text = match known.is_empty() {
                        true => format!("there are no [hours.{name}]: add them to the file"),
                        false => format!(
                            "there are no [hours.{name}]: there are {}",
                            known.join(", ")
                        ),
                    };
                    self.problem(value.span(), text);
                }
            }
        }
        shops
    }

    fn regex(&mut self, value: &Spanned<DeValue>) -> Option<Condition> {
        let found = self.expression(value);
        if found.is_none() {
            // Its groups are not known.
            self.known = None;
        }
        found
    }

    fn expression(&mut self, value: &Spanned<DeValue>) -> Option<Condition> {
        let DeValue::String(pattern) = value.get_ref() else {
            let text = format!(
                "match is a regular expression in quotes, and this is {}",
                kind(value.get_ref())
            );
            self.problem(value.span(), text);
            return None;
        };
        if pattern.trim().is_empty() {
            self.problem(
                value.span(),
                "match is empty: leave it out for a rule that always fits",
            );
            return None;
        }
        match Condition::regex(pattern) {
            Ok(condition) => {
                let hidden = condition.placeholders().into_iter();
                for name in hidden.filter(|name| PLACEHOLDERS.contains(&&**name)) {
                    self.problem(
                        value.span(),
                        format!("the group {name} would hide the placeholder of that name: call it something else"),
                    );
                }
                Some(condition)
            }
            Err(error) => {
                self.problem(
                    value.span(),
                    format!("match is not a regular expression: {error}"),
                );
                None
            }
        }
    }
}
