//! What a rule answers: message objects in which every string may have placeholders, filled in
//! with what the customer wrote.
//!
//! The language is minijinja's, kept small: `{{ … }}` with a few filters, and `{% if %}`. Without
//! loops a template takes no more steps than it is long. An unknown name is an error and never
//! empty, and nothing is escaped: what is filled in is a string inside of a JSON value.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters};
use serde_json::{Map, Value};

use super::condition::Case;
use crate::wire::event::Event;

/// The body of a text message (Meta: text messages, at most 4096 characters). Emoji may count as
/// two there, so they do here.
const TEXT_UNITS_MAX: usize = 4096;

/// What one placeholder holds; more than fits into any message is cut off.
const VALUE_CHARS_MAX: usize = 4096;

/// Fields of one form; forms of WhatsApp have a few dozen.
const FIELDS_MAX: usize = 500;

/// One filled-in string. Meta takes nothing near that.
const FILLED_BYTES_MAX: usize = 256 * 1024;

/// What every rule can fill in.
pub(super) const PLACEHOLDERS: [&str; 6] = ["name", "text", "from", "id", "reply_id", FIELDS];

/// What a form was filled in with: `{{ fields.email }}`. The form is not known when the rules are
/// read, so a field it does not have is empty.
const FIELDS: &str = "fields";

const FILTERS: &str =
    "capitalize, default, first, last, length, lower, split, title, trim, truncate, upper";

const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "raw", "endraw"];

/// A message object with placeholders.
pub(super) struct Reply(pub(super) Node);

/// A JSON value with placeholders.
pub(super) enum Node {
    /// None in it.
    Fixed(Value),
    /// A string with placeholders: the name of its template.
    Template(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// The compiled strings of all replies.
pub(super) struct Templates(Environment<'static>);

/// A reply could not be filled in. Says nothing of what was to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfilled(ErrorKind);

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ErrorKind::WriteFailure => f.write_str("becomes too long"),
            kind => write!(f, "cannot be filled in: {kind}"),
        }
    }
}

impl std::error::Error for Unfilled {}

/// What the placeholders stand for.
pub(super) struct Values(minijinja::Value);

impl Values {
    /// Whatever a message lacks is empty.
    pub(super) fn of(event: &Event, case: &Case, more: Vec<(String, String)>) -> Values {
        let message = case.message;
        let common = [
            ("name", event.sender_name()),
            ("text", message.text()),
            ("from", message.from.as_deref()),
            ("id", Some(message.id.as_str())),
            ("reply_id", case.reply_id.as_deref()),
        ];
        let common = common.map(|(name, value)| (name, value.unwrap_or_default()));
        let more = more.iter().map(|(name, value)| (&**name, &**value));
        let mut values = Values::strings(common.into_iter().chain(more));
        let fields = Fields::of(case.fields.as_ref());
        values.insert(FIELDS.into(), minijinja::Value::from_object(fields));
        Values(values.into())
    }

    /// Every placeholder holds this.
    pub(super) fn sample(known: &[String], sample: &str) -> Values {
        let strings = known.iter().filter(|name| *name != FIELDS);
        let mut values = Values::strings(strings.map(|name| (&**name, sample)));
        let fields = minijinja::Value::from_object(Fields {
            any: sample.to_owned(),
            ..Fields::default()
        });
        values.insert(FIELDS.into(), fields);
        Values(values.into())
    }

    fn strings<'v>(
        pairs: impl Iterator<Item = (&'v str, &'v str)>,
    ) -> BTreeMap<String, minijinja::Value> {
        let held = |value| minijinja::Value::from(first_chars(value, VALUE_CHARS_MAX));
        pairs
            .map(|(name, value)| (name.to_owned(), held(value)))
            .collect()
    }
}

/// The fields of a form, each as a text.
#[derive(Default)]
struct Fields {
    known: BTreeMap<String, String>,
    /// What all others hold.
    any: String,
}

impl Fields {
    fn of(form: Option<&Value>) -> Fields {
        let form = form.and_then(Value::as_object).into_iter().flatten();
        let text = |value: &Value| match value {
            Value::String(text) => first_chars(text, VALUE_CHARS_MAX),
            Value::Null => String::new(),
            other => first_chars(&other.to_string(), VALUE_CHARS_MAX),
        };
        Fields {
            known: form
                .take(FIELDS_MAX)
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            any: String::new(),
        }
    }
}

/// Prints none: people filled them in.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.known.len())
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let found = key.as_str().and_then(|name| self.known.get(name));
        Some(found.unwrap_or(&self.any).as_str().into())
    }
}

impl Templates {
    pub(super) fn new() -> Templates {
        let mut env = Environment::empty();
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.add_filter("capitalize", filters::capitalize);
        env.add_filter("default", filters::default);
        env.add_filter("first", first);
        env.add_filter("last", last);
        env.add_filter("length", filters::length);
        env.add_filter("lower", filters::lower);
        env.add_filter("split", filters::split);
        env.add_filter("title", filters::title);
        env.add_filter("trim", filters::trim);
        env.add_filter("truncate", truncate);
        env.add_filter("upper", filters::upper);
        Templates(env)
    }

    /// Compiles a string that can use `known` placeholders, and tries it; only compiles it when
    /// they are not known.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub(super) fn add(
        &mut self,
        name: String,
        text: &str,
        known: Option<&[String]>,
    ) -> Result<Node, String> {
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return Ok(Node::Fixed(text.into()));
        }
        check_statements(text)?;
        let added = self.0.add_template_owned(name.clone(), text.to_owned());
        added.map_err(|error| in_words(&error))?;
        if let Some(known) = known {
            self.check_names(&name, known)?;
            self.check_rendering(&name, known)?;
        }
        Ok(Node::Template(name))
    }

    fn check_rendering(&self, template: &str, known: &[String]) -> Result<(), String> {
        // A customer may have no name, or one of blanks; a group of an expression may be empty.
        for sample in ["Robin", "", " "] {
            let values = Values::sample(known, sample);
            self.render(template, &values).map_err(|error| {
                let when = match sample.trim() {
                    "" => " when the placeholders are blank: try `{{ name or \"you\" }}` or `{% if name %}`",
                    _ => "",
                };
                format!("{}{when}", in_words(&error))
            })?;
        }
        Ok(())
    }

    fn check_names(&self, template: &str, known: &[String]) -> Result<(), String> {
        let names = match self.0.get_template(template) {
            Ok(template) => template.undeclared_variables(false),
            Err(error) => return Err(in_words(&error)),
        };
        let unknown = names.iter().filter(|name| !known.contains(name)).min();
        match unknown {
            Some(name) => Err(format!(
                "there is no placeholder `{name}`: known here are {}",
                known.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// The replies as JSON. A text message that comes out blank is left out.
    pub(super) fn fill(&self, replies: &[Reply], values: &Values) -> Result<Vec<String>, Unfilled> {
        let mut filled = Vec::new();
        for Reply(node) in replies {
            let mut object = self.value(node, values).map_err(|e| Unfilled(e.kind()))?;
            if let Some(body) = text_body(&mut object) {
                if body.trim().is_empty() {
                    continue;
                }
                cut(body, TEXT_UNITS_MAX);
            }
            filled.push(object.to_string());
        }
        Ok(filled)
    }

    fn value(&self, node: &Node, values: &Values) -> Result<Value, Error> {
        Ok(match node {
            Node::Fixed(value) => value.clone(),
            Node::Template(name) => Value::String(self.render(name, values)?),
            Node::List(nodes) => {
                let values = nodes.iter().map(|node| self.value(node, values));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Node::Table(members) => {
                let mut object = Map::new();
                for (key, node) in members {
                    object.insert(key.clone(), self.value(node, values)?);
                }
                Value::Object(object)
            }
        })
    }

    fn render(&self, template: &str, values: &Values) -> Result<String, Error> {
        let mut out = Limited(Vec::new());
        self.0
            .get_template(template)?
            .render_captured_to(values.0.clone(), &mut out)?;
        // Written from strings, in whole ones.
        Ok(String::from_utf8_lossy(&out.0).into_owned())
    }
}

/// Fails when it is full.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.len() + bytes.len() > FILLED_BYTES_MAX {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The filter of that name, but empty where there is nothing: the first word of no words.
fn first(list: &minijinja::Value) -> Result<minijinja::Value, Error> {
    filters::first(list).map(or_empty)
}

/// The filter of that name, but empty where there is nothing.
fn last(list: minijinja::Value) -> Result<minijinja::Value, Error> {
    filters::last(list).map(or_empty)
}

fn or_empty(value: minijinja::Value) -> minijinja::Value {
    match value.is_undefined() {
        true => "".into(),
        false => value,
    }
}

/// The filter of that name: at most so many characters, `…` for what is left out.
fn truncate(text: String, chars_max: usize) -> String {
    match text.chars().nth(chars_max) {
        None => text,
        Some(_) => {
            let mut short = first_chars(&text, chars_max.saturating_sub(1));
            short.push('…');
            short
        }
    }
}

fn first_chars(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => text[..end].to_owned(),
    }
}

fn text_body(object: &mut Value) -> Option<&mut String> {
    match (object["type"] == "text", object.pointer_mut("/text/body")) {
        (true, Some(Value::String(body))) => Some(body),
        _ => None,
    }
}

/// Cuts to a number of UTF-16 units, the last of them `…`.
fn cut(text: &mut String, units_max: usize) {
    if text.encode_utf16().count() <= units_max {
        return;
    }
    let mut units = 1;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > units_max
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        text.push('…');
    }
}

/// Only `if` and its like: a loop could take any time.
fn check_statements(text: &str) -> Result<(), String> {
    for after in text.split("{%").skip(1) {
        let after = after.trim_start_matches(['-', '+']).trim_start();
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = &after[..end.unwrap_or(after.len())];
        if !STATEMENTS.contains(&word) {
            return Err(format!(
                "`{{% {word} %}}` cannot be used in a reply: of statements there are if, elif, else, endif, raw, endraw"
            ));
        }
    }
    Ok(())
}

fn in_words(error: &Error) -> String {
    let detail = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.kind() {
        ErrorKind::UnknownFilter => format!("{detail}; there are {FILTERS}"),
        ErrorKind::WriteFailure => "it becomes longer than 256 KiB".into(),
        _ => detail,
    }
}
