//! What an operator writes, before it is a message.

use crate::edge::http::console::Form;
use crate::wire::compose::{Message, Parameter};
use crate::wire::outgoing::{self, ReplyTo};
use crate::wire::validate;
use serde::Serialize;

/// The fields of the forms below a thread, as they were filled in, and what is
/// wrong with them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Draft {
    /// Which form it was: `text`, `template`, `file`; empty when none.
    pub form: &'static str,
    /// The text, or a file's caption.
    pub text: String,
    /// The template's name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// What fills its gaps, a line each.
    pub parameters: String,
    /// What is wrong, in words.
    pub problem: Option<String>,
    /// The same, as a key of `words.reply`.
    pub problem_key: Option<&'static str>,
    /// The form's own name.
    pub once: String,
}

impl Draft {
    /// A form that was sent.
    pub fn read(kind: &'static str, form: &Form) -> Draft {
        // Browsers end lines with both.
        let text = |name| form.get(name).replace("\r\n", "\n");
        Draft {
            form: kind,
            text: text("text").trim_end().to_owned(),
            name: text("name").trim().to_owned(),
            language: text("language").trim().to_owned(),
            parameters: text("parameters"),
            problem: None,
            problem_key: None,
            once: text("once"),
        }
    }

    /// It cannot be sent as it is.
    pub fn refused(self, problem: impl Into<String>) -> Draft {
        Draft {
            problem: Some(problem.into()),
            ..self
        }
    }

    /// The text as a message, without whom it is for.
    pub fn text_message(&self) -> String {
        Message::text(self.text.as_str()).to_json()
    }

    /// The template as a message, without whom it is for. A line of the parameters
    /// is `value`, or `name=value` where all are.
    pub fn template_message(&self) -> String {
        let lines: Vec<&str> = self.parameters.lines().map(str::trim).collect();
        let lines = lines.into_iter().filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        let named: Option<Vec<(&str, &str)>> = lines.iter().map(|line| named(line)).collect();
        let parameters: Vec<Parameter> = match named {
            Some(named) => named
                .into_iter()
                .map(|(name, value)| Parameter::text(value).named(name))
                .collect(),
            None => lines.into_iter().map(Parameter::text).collect(),
        };
        let message = Message::template(self.name.as_str(), self.language.as_str());
        match parameters.is_empty() {
            true => message.to_json(),
            false => message.body(parameters).to_json(),
        }
    }
}

/// `order=881`: named as Meta names parameters.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(known);
    (is_name && !value.is_empty()).then_some((name, value))
}

/// A message with whom it is for.
///
/// # Errors
/// What Graph would refuse it for, in words.
pub fn addressed(message: &str, reply_to: &ReplyTo) -> Result<String, String> {
    let body = outgoing::reply(message, reply_to)?.body;
    match validate::check(&body) {
        Ok(()) => Ok(body),
        Err(invalid) => Err(invalid.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn template(parameters: &str) -> Value {
        let draft = Draft {
            name: "order_update".into(),
            language: "en_US".into(),
            parameters: parameters.into(),
            ..Draft::default()
        };
        let message: Value = serde_json::from_str(&draft.template_message()).unwrap();
        message["template"]["components"][0]["parameters"].clone()
    }

    #[test]
    fn the_gaps_of_a_template_are_filled_in_order_or_by_name() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let named =
            |name: &str, text: &str| json!({"type": "text", "parameter_name": name, "text": text});
        let cases = [
            ("", Value::Null),
            (" \r\n\r\n", Value::Null),
            ("Ana\n\n 881 \n", json!([text("Ana"), text("881")])),
            (
                "order=881\nname = Ana",
                json!([named("order", "881"), named("name", "Ana")]),
            ),
            // One line that is no name makes all of them texts.
            ("a=b\nAna", json!([text("a=b"), text("Ana")])),
            ("2+2=4", json!([text("2+2=4")])),
        ];
        for (parameters, expected) in cases {
            assert_eq!(template(parameters), expected, "{parameters:?}");
        }
    }

    #[test]
    fn a_message_goes_to_its_person_or_says_what_is_wrong() {
        let person = ReplyTo::person("106540300000001", "15550107001");
        let text = |text: &str| {
            Draft {
                text: text.into(),
                ..Draft::default()
            }
            .text_message()
        };
        let body = addressed(&text("hi"), &person).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["to"], &body["text"]["body"]),
            (&json!("15550107001"), &json!("hi"))
        );
        let bsuid = ReplyTo::person("106540300000001", "US.1");
        let body: Value = serde_json::from_str(&addressed(&text("hi"), &bsuid).unwrap()).unwrap();
        assert_eq!(body["recipient"], "US.1");
        assert!(addressed(&text(""), &person).is_err());
        assert!(
            addressed(&text(&"x".repeat(4_097)), &person)
                .unwrap_err()
                .contains("4096")
        );
    }
}
