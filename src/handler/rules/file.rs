//! From the text of a rules file to rules. All mistakes are collected, each with its line, rule
//! and mend; of a file that is no TOML only those that make it so.

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::Condition;
use super::template::{Node, PLACEHOLDERS, Reply, Templates, Values};
use super::{Loaded, Problem, Rule, line_at};
use crate::wire::validate;

/// The keys of a rule.
const KEYS: &str = "text, match, reply_id, reply";

/// Replies to one message; more would only annoy, and Meta slows a pair down after 45.
const REPLIES_MAX: usize = 20;

/// Mistakes told at once; whoever has more mends these first.
const PROBLEMS_MAX: usize = 50;

/// # Errors
/// All mistakes, in the order of lines.
pub(super) fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    let mut reader = Reader {
        text,
        rule: None,
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
        true => Ok(Loaded { rules, templates }),
        false => Err(problems),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The rule being read, counted from 1.
    rule: Option<usize>,
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
        let mut rules = Vec::new();
        for (key, value) in root {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("rule", DeValue::Array(list)) => rules = self.rules(list),
                ("rule", _) => self.problem(
                    key.span(),
                    "there can be many rules: begin each with [[rule]], in two pairs of brackets",
                ),
                (other, _) => self.problem(
                    key.span(),
                    format!("unknown key {other}: a rules file has [[rule]] and nothing else"),
                ),
            }
        }
        rules
    }

    fn rules(&mut self, list: &[Spanned<DeValue>]) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (index, value) in list.iter().enumerate() {
            self.rule = Some(index + 1);
            let DeValue::Table(table) = value.get_ref() else {
                self.problem(value.span(), "a rule is a table: begin it with [[rule]]");
                continue;
            };
            // By its keys: conditions that could not be read are conditions.
            let fits_all = table.keys().all(|key| key.get_ref() == "reply");
            if fits_all && index + 1 < list.len() {
                self.problem(
                    value.span(),
                    "it has no condition and so leaves nothing to the rules after it: \
                     move it to the end, or give it text, match or reply_id",
                );
            }
            rules.push(self.one_rule(value.span(), table));
        }
        self.rule = None;
        rules
    }

    fn one_rule(&mut self, span: Range<usize>, table: &DeTable) -> Rule {
        let mut conditions = Vec::new();
        let mut regex = None;
        let mut reply = None;
        for (key, value) in table {
            let key_span = key.span();
            match key.get_ref().as_ref() {
                "text" => conditions.push(Condition::text(self.texts("text", value))),
                "match" => regex = Some(self.regex(value)),
                "reply_id" => conditions.push(Condition::ReplyId(self.texts("reply_id", value))),
                "reply" => reply = Some(value),
                other => self.problem(key_span, format!("unknown key {other}: a rule has {KEYS}")),
            }
        }
        let readable = !matches!(regex, Some(None));
        conditions.extend(regex.flatten());
        let own = conditions.iter().flat_map(Condition::placeholders);
        let known = PLACEHOLDERS.map(str::to_owned).into_iter().chain(own);
        self.known = readable.then(|| known.collect());
        let replies = match reply {
            Some(value) => self.replies(value),
            None => {
                self.problem(
                    span,
                    "it has no reply: write reply = \"…\", or reply = [] to answer nothing",
                );
                Vec::new()
            }
        };
        Rule {
            conditions,
            replies,
        }
    }

    /// One text or several.
    fn texts(&mut self, key: &str, value: &Spanned<DeValue>) -> Vec<String> {
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

    fn regex(&mut self, value: &Spanned<DeValue>) -> Option<Condition> {
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

    fn replies(&mut self, value: &Spanned<DeValue>) -> Vec<Reply> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.as_ref(),
            _ => std::slice::from_ref(value),
        };
        if list.len() > REPLIES_MAX {
            self.problem(
                value.span(),
                format!(
                    "{} replies to one message are too many: at most {REPLIES_MAX}",
                    list.len()
                ),
            );
        }
        list.iter().map(|one| self.reply(one)).collect()
    }

    fn reply(&mut self, value: &Spanned<DeValue>) -> Reply {
        match value.get_ref() {
            DeValue::String(text) => {
                if text.trim().is_empty() {
                    self.problem(
                        value.span(),
                        "the reply is empty: write reply = [] to answer nothing",
                    );
                }
                let body = self.string(value.span(), text);
                Reply(Node::Table(vec![
                    ("type".into(), Node::Fixed("text".into())),
                    ("text".into(), Node::Table(vec![("body".into(), body)])),
                ]))
            }
            DeValue::Table(table) => {
                let before = self.problems.len();
                self.check_type(value.span(), table);
                let reply = Reply(self.node(value));
                if self.problems.len() == before {
                    self.check_sendable(value.span(), &reply);
                }
                reply
            }
            other => {
                self.problem(
                    value.span(),
                    format!(
                        "a reply is a text or a message object, and this is {}",
                        kind(other)
                    ),
                );
                Reply(Node::Fixed(Value::Null))
            }
        }
    }

    /// What Graph is known to refuse is a mistake now, not when a customer writes.
    fn check_sendable(&mut self, span: Range<usize>, reply: &Reply) {
        let known = self.known.iter().flatten();
        let values = Values::from_pairs(known.map(|name| (&**name, "Robin")));
        let filled = self.templates.fill(std::slice::from_ref(reply), &values);
        for object in filled.unwrap_or_default() {
            if let Err(invalid) = validate::check_reply(&object) {
                let text = format!("Graph would refuse the reply: {}", invalid.details);
                self.problem(span.clone(), text);
            }
        }
    }

    /// A message object has a member named like its type; only our own two have not.
    fn check_type(&mut self, span: Range<usize>, reply: &DeTable) {
        let member = |name: &str| {
            let found = reply.iter().find(|(key, _)| key.get_ref() == name);
            found.map(|(_, value)| value)
        };
        let Some(type_) = member("type") else {
            self.problem(
                span,
                "the reply has no type: add one, such as type = \"text\", or write just a text",
            );
            return;
        };
        let DeValue::String(name) = type_.get_ref() else {
            self.problem(type_.span(), "the type of a reply is a text");
            return;
        };
        if matches!(name.as_ref(), "read" | "typing") {
            return;
        }
        match member(name).map(|content| (content.span(), content.get_ref())) {
            Some((_, DeValue::Table(_) | DeValue::Array(_))) => {}
            Some((span, other)) => self.problem(
                span,
                format!(
                    "{name} is a table with the message's content, and this is {}",
                    kind(other)
                ),
            ),
            None => self.problem(
                type_.span(),
                format!("the reply is of type \"{name}\" but has no {name}: add {name} = {{ … }}"),
            ),
        }
    }

    fn node(&mut self, value: &Spanned<DeValue>) -> Node {
        let number = match value.get_ref() {
            DeValue::String(text) => return self.string(value.span(), text),
            DeValue::Boolean(truth) => return Node::Fixed(Value::Bool(*truth)),
            DeValue::Array(list) => {
                return Node::List(list.iter().map(|one| self.node(one)).collect());
            }
            DeValue::Table(table) => {
                let members = table
                    .iter()
                    .map(|(key, one)| (key.get_ref().to_string(), self.node(one)));
                return Node::Table(members.collect());
            }
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(Number::from),
            DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64),
            DeValue::Datetime(_) => None,
        };
        match number {
            Some(number) => Node::Fixed(Value::Number(number)),
            None => {
                self.problem(
                    value.span(),
                    format!(
                        "JSON has no such value: write {} in quotes",
                        kind(value.get_ref())
                    ),
                );
                Node::Fixed(Value::Null)
            }
        }
    }

    fn string(&mut self, span: Range<usize>, text: &str) -> Node {
        // Any name does that no other template has.
        let name = format!("at {}", span.start);
        match self.templates.add(name, text, self.known.as_deref()) {
            Ok(node) => node,
            Err(error) => {
                self.problem(span, format!("in the reply: {error}"));
                Node::Fixed(Value::Null)
            }
        }
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
