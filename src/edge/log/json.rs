//! A log line as JSON: what is written as `msg="a sentence" key=value` becomes an object.

use log::Level;
use serde_json::{Map, Value};

/// Fields whose values others make: words, even where they look like numbers.
const WORDS: &[&str] = &[
    "request",
    "fbtrace_id",
    "number",
    "consumer",
    "version",
    "error",
    "reason",
];

/// The object for a line, of `time` (RFC 3339), `level`, `module`, and the line's own fields.
pub fn object(time: String, level: Level, module: &str, line: &str) -> String {
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    let level = level.as_str().to_ascii_lowercase();
    object.insert("level".into(), level.into());
    object.insert("module".into(), module.into());
    for (key, value) in fields(line).unwrap_or_else(|| vec![("msg", Field::Quoted(line))]) {
        object.entry(key).or_insert_with(|| value.as_json(key));
    }
    Value::Object(object).to_string()
}

/// A value, as it stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field<'l> {
    Quoted(&'l str),
    Bare(&'l str),
}

impl Field<'_> {
    fn as_json(self, key: &str) -> Value {
        match self {
            Field::Bare("true") => true.into(),
            Field::Bare("false") => false.into(),
            Field::Bare(text) if !WORDS.contains(&key) => match text.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => text.into(),
            },
            Field::Quoted(text) | Field::Bare(text) => text.into(),
        }
    }
}

/// The fields of a line; `None` when it is not written as ours are.
fn fields(line: &str) -> Option<Vec<(&str, Field<'_>)>> {
    let mut found = Vec::new();
    let mut rest = line;
    // Lines of a handler's own may be anything.
    if !rest.starts_with("msg=\"") {
        return None;
    }
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').filter(|(key, _)| is_key(key))?;
        // Values are not escaped: one ends where the next field begins, whatever quotes and
        // blanks are in it.
        let (value, after) = match value.strip_prefix('"') {
            Some(text) => {
                let (text, after) = until(text, "\" ");
                match after {
                    Some(after) => (Field::Quoted(text), after),
                    None => (Field::Quoted(text.strip_suffix('"')?), ""),
                }
            }
            None => {
                let (text, after) = until(value, " ");
                (Field::Bare(text), after.unwrap_or_default())
            }
        };
        found.push((key, value));
        rest = after;
    }
    Some(found)
}

/// What stands before the first `end` that a field follows, and that field and all after it.
fn until<'l>(text: &'l str, end: &str) -> (&'l str, Option<&'l str>) {
    let follows = |at: &usize| {
        let rest = &text[at + end.len()..];
        rest.split_once('=').is_some_and(|(key, _)| is_key(key))
    };
    match text.match_indices(end).map(|(at, _)| at).find(follows) {
        Some(at) => (&text[..at], Some(&text[at + end.len()..])),
        None => (text, None),
    }
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let object = object("T".into(), Level::Warn, "wabridge::edge", line);
        let head = r#"{"time":"T","level":"warn","module":"wabridge::edge","#;
        assert_eq!(object, format!("{head}{expected}}}"));
    }

    #[test]
    fn each_field_is_a_member() {
        check(r#"msg="serving""#, r#""msg":"serving""#);
        check(
            r#"msg="event delivered" event=17 consumer=bot attempt=1 replies=0"#,
            r#""msg":"event delivered","event":17,"consumer":"bot","attempt":1,"replies":0"#,
        );
        check(
            r#"msg="send refused" outbox=8 reason="no, not = now" fbtrace_id=A12"#,
            r#""msg":"send refused","outbox":8,"reason":"no, not = now","fbtrace_id":"A12""#,
        );
    }

    #[test]
    fn values_that_were_not_escaped_are_taken_whole() {
        check(
            r#"msg="failed" error="near "x": syntax error" held_back=3"#,
            r#""msg":"failed","error":"near \"x\": syntax error","held_back":3"#,
        );
        check(
            r#"msg="serving" database=/a folder/wabridge.db"#,
            r#""msg":"serving","database":"/a folder/wabridge.db""#,
        );
    }

    #[test]
    fn ids_of_others_are_words_even_when_they_are_digits() {
        check(
            r#"msg="stored" request=12345678901234567890 number=106540300000001 event=7"#,
            r#""msg":"stored","request":"12345678901234567890","number":"106540300000001","event":7"#,
        );
    }

    #[test]
    fn a_line_of_another_form_is_its_own_sentence() {
        for line in ["order 17: not delivered", r#"msg="half"#, r#"msg="a" b"#] {
            check(line, &format!(r#""msg":{}"#, Value::from(line)));
        }
    }

    #[test]
    fn no_field_takes_the_place_of_what_every_line_has() {
        check(r#"msg="a" level=3 time=now"#, r#""msg":"a""#);
    }
}
