//! What a rule answers, as it stands in the file.

use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, kind};
use crate::handler::rules::template::{Node, Reply, Values};
use crate::wire::validate;

/// Replies to one message; more would only annoy, and Meta slows a pair down after 45.
const REPLIES_MAX: usize = 20;

impl Reader<'_> {
    pub(super) fn replies(&mut self, value: &Spanned<DeValue>) -> Vec<Reply> {
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
        let known = self.known.as_deref().unwrap_or_default();
        let values = Values::sample(known, "Robin");
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
