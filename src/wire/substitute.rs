//! The template that goes out in the place of a message that may not: after the
//! customer service window has closed, only templates reach a person.

use super::raw::{self, Member, quote};
use super::validate;
use serde_json::Value;
use std::borrow::Cow;

/// A template's body has 1,024 characters in all (Meta: template components), its
/// own words among them; a text that fills a gap is cut below that.
const GAP_CHARS_MAX: usize = 900;

/// The template named by `WINDOW_TEMPLATE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitute {
    name: String,
    language: String,
    /// The blocked message's text fills the body's only gap.
    takes_text: bool,
}

impl Substitute {
    /// Reads `NAME/LANGUAGE` or `NAME/LANGUAGE/text`.
    ///
    /// # Errors
    /// What is wrong with it and how it is written.
    pub fn parse(setting: &str) -> Result<Substitute, String> {
        let wrong = |what: &str| {
            Err(format!(
                "{what}: write NAME/LANGUAGE as in WhatsApp manager, such as we_answered/en_US, or \
                 NAME/LANGUAGE/text for a template with one gap that takes the message's text"
            ))
        };
        let parts: Vec<&str> = setting.split('/').collect();
        let (name, language, takes_text) = match parts[..] {
            [name, language] => (name, language, false),
            [name, language, "text"] => (name, language, true),
            [_, _, _] => return wrong("after the language only /text can stand"),
            _ => return wrong("it names no template and language"),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return wrong("a template's name has only small letters, digits and _");
        }
        let code = |c: char| c.is_ascii_alphabetic() || c == '_';
        if language.len() < 2 || !language.chars().all(code) {
            return wrong("a language is a code such as en_US or de");
        }
        let substitute = Substitute {
            name: name.to_owned(),
            language: language.to_owned(),
            takes_text,
        };
        match validate::check_reply(&substitute.object(&[], Some("text"))) {
            Ok(()) => Ok(substitute),
            Err(invalid) => wrong(&invalid.details),
        }
    }

    /// What goes out in the place of this message object; `None` when the template
    /// wants a text and the message has none.
    pub fn instead_of(&self, message: &str) -> Option<String> {
        let parts = raw::members(message)?;
        let text = match self.takes_text {
            true => Some(in_a_gap(&text_of(message)?)?),
            false => None,
        };
        Some(self.object(&parts, text.as_deref()))
    }

    /// The template's message object, to whom `parts` say.
    fn object(&self, parts: &[Member<'_>], text: Option<&str>) -> String {
        let mut body = String::from(r#"{"messaging_product":"whatsapp""#);
        for key in ["recipient_type", "to", "recipient"] {
            if let Some(value) = raw::get(parts, key) {
                body.push_str(&format!(",\"{key}\":{value}"));
            }
        }
        let components = match text.filter(|_| self.takes_text) {
            None => String::new(),
            Some(text) => format!(
                r#","components":[{{"type":"body","parameters":[{{"type":"text","text":{}}}]}}]"#,
                quote(text)
            ),
        };
        body.push_str(&format!(
            r#","type":"template","template":{{"name":{},"language":{{"code":{}}}{components}}}}}"#,
            quote(&self.name),
            quote(&self.language)
        ));
        body
    }
}

/// What a person would have read of it: its text, caption or body.
fn text_of(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    let type_ = message["type"].as_str().unwrap_or("text");
    let content = match &message[type_] {
        // Some libraries send the content as a JSON text.
        Value::String(inner) => Cow::Owned(serde_json::from_str(inner).ok()?),
        content => Cow::Borrowed(content),
    };
    let said = match type_ {
        "text" => &content["body"],
        "interactive" => &content["body"]["text"],
        _ => &content["caption"],
    };
    said.as_str().map(str::to_owned)
}

/// As a gap can take it: no line breaks, tabs or rows of blanks, which Meta
/// refuses (132012, 132018), and not too long. `None` when nothing is left.
fn in_a_gap(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    Some(match line.char_indices().nth(GAP_CHARS_MAX - 1) {
        Some((end, c)) if end + c.len_utf8() < line.len() => format!("{}…", &line[..end]),
        _ => line,
    })
    .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `setting` puts `expected` in the place of a message; its `template` object.
    fn check(setting: &str, message: &str, expected: Option<&str>) {
        let substitute = Substitute::parse(setting).unwrap();
        let body = substitute.instead_of(message);
        if let Some(body) = &body {
            assert_eq!(validate::check(body), Ok(()), "{body}");
        }
        let template = body.map(|body| {
            let object: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(object["type"], "template");
            let gaps = &object["template"]["components"][0]["parameters"];
            let gap = gaps[0]["text"].as_str().unwrap_or("no gap");
            format!("{} {gap}", object["template"]["name"].as_str().unwrap())
        });
        assert_eq!(template.as_deref(), expected, "{message}");
    }

    const TO: &str = r#""messaging_product":"whatsapp","to":"15550100001""#;

    #[test]
    fn the_template_takes_the_messages_place() {
        let text = format!(r#"{{{TO},"type":"text","text":{{"body":"a\n\nb\t c     d"}}}}"#);
        check("news/en_US", &text, Some("news no gap"));
        check("news/en_US/text", &text, Some("news a b c d"));
        let caption = format!(r#"{{{TO},"type":"image","image":{{"id":"1","caption":"look"}}}}"#);
        check("news/de/text", &caption, Some("news look"));
        let buttons = format!(
            r#"{{{TO},"type":"interactive","interactive":{{"type":"button","body":{{"text":"well?"}}}}}}"#
        );
        check("news/de/text", &buttons, Some("news well?"));
        let untyped = format!(r#"{{{TO},"text":"{{\"body\":\"hi\"}}"}}"#);
        check("news/de/text", &untyped, Some("news hi"));
    }

    #[test]
    fn what_has_no_text_fills_no_gap() {
        for content in [
            r#""type":"sticker","sticker":{"id":"1"}"#,
            r#""type":"image","image":{"id":"1"}"#,
            r#""type":"text","text":{"body":" \n "}"#,
            r#""type":"text""#,
        ] {
            let message = format!("{{{TO},{content}}}");
            check("news/en_US/text", &message, None);
            check("news/en_US", &message, Some("news no gap"));
        }
    }

    #[test]
    fn it_goes_to_whom_the_message_went() {
        let substitute = Substitute::parse("news/en_US").unwrap();
        for to in [
            r#""recipient_type":"individual","to":"+1 555""#,
            r#""recipient":"US.1""#,
        ] {
            let body = substitute.instead_of(&format!("{{{to},\"text\":{{}}}}"));
            assert!(body.as_ref().unwrap().contains(to), "{body:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let fits = "é".repeat(GAP_CHARS_MAX);
        assert_eq!(in_a_gap(&fits).as_ref(), Some(&fits));
        let cut = in_a_gap(&"é".repeat(GAP_CHARS_MAX + 1)).unwrap();
        assert_eq!(cut, format!("{}…", "é".repeat(GAP_CHARS_MAX - 1)));
    }

    #[test]
    fn mistakes_in_the_setting_say_how_it_is_written() {
        let long = format!("{}/en", "n".repeat(513));
        for wrong in [
            "",
            "news",
            "News/en",
            "/en",
            "news/",
            "news/e n",
            "a/b/c",
            "a/b/text/x",
            &long,
        ] {
            let error = Substitute::parse(wrong).unwrap_err();
            assert!(error.contains("write NAME/LANGUAGE"), "{wrong}: {error}");
        }
    }
}
