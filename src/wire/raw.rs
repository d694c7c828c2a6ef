//! JSON read as text: members and elements keep their spelling.
//!
//! Meta's bodies hold things a parsed value cannot hold: 64-bit ids, exponent
//! forms, lone surrogates, keys given twice. What is stored and forwarded must
//! keep them, so narrowing and merging work on slices of the original text.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// One member of an object, in the order of the text.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The key, with escapes decoded.
    pub key: Cow<'a, str>,
    /// The key as written, quotes included.
    key_text: &'a str,
    /// The value as written.
    pub value: &'a str,
}

/// The members of an object, or `None` when `json` is anything else.
pub fn members(json: &str) -> Option<Vec<Member<'_>>> {
    Cursor::new(json)?.members(|_, _, _| {})
}

/// The elements of an array, or `None` when `json` is anything else.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    let found = Cursor::new(json)?.elements(|cursor| elements.push(cursor.since(cursor.at())));
    found.then_some(elements)
}

/// Whether the whole of `json` is one JSON value. Lone surrogates are let
/// through: they are legal in the grammar, and user text cut in two holds them.
pub fn is_json(json: &str) -> bool {
    serde_json::from_str::<&RawValue>(json).is_ok()
}

/// The value of the first member called `key`.
pub fn get<'a>(members: &[Member<'a>], key: &str) -> Option<&'a str> {
    members.iter().find(|m| m.key == key).map(|m| m.value)
}

/// Whether the first member called `key` has this text; see [`text`].
pub fn text_is(members: &[Member<'_>], key: &str, expected: &str) -> bool {
    get_text(members, key).is_some_and(|text| text == expected)
}

/// The text of the first member called `key`; see [`text`].
pub fn get_text<'a>(members: &[Member<'a>], key: &str) -> Option<Cow<'a, str>> {
    get(members, key).and_then(text)
}

/// A string's contents, or a number's or boolean's literal. Meta writes ids and
/// codes now as strings, now as numbers; as text they are the same. Empty
/// strings and everything else are `None`: nothing is known then.
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => Some(string(json)).filter(|s| !s.is_empty()),
        b'-' | b'0'..=b'9' | b't' | b'f' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// The contents of a JSON string literal. One that holds a lone surrogate
/// cannot be decoded and is returned as written, escapes and all.
fn string(literal: &str) -> Cow<'_, str> {
    let inside = literal.strip_prefix('"').unwrap_or(literal);
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    if !literal.contains('\\') {
        return Cow::Borrowed(inside);
    }
    match serde_json::from_str::<String>(literal) {
        Ok(decoded) => Cow::Owned(decoded),
        Err(_) => Cow::Borrowed(inside),
    }
}

/// `text` as a JSON string literal.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes an object again, member by member. `edit` says what becomes of each:
/// kept as written, given another value, or left out.
pub fn rewrite<'a>(
    members: &[Member<'a>],
    mut edit: impl FnMut(usize, &Member<'a>) -> Edit,
) -> String {
    let mut out = String::from("{");
    for (index, member) in members.iter().enumerate() {
        let edit = edit(index, member);
        let value = match &edit {
            Edit::Keep => member.value,
            Edit::Replace(value) => value,
            Edit::Drop => continue,
        };
        push_member(&mut out, member.key_text, value);
    }
    out.push('}');
    out
}

/// One step into a JSON text, for [`edit_at`].
#[derive(Clone, Copy, Debug)]
pub enum Step<'k> {
    /// The first member of this name.
    Member(&'k str),
    /// The first element.
    First,
}

/// `json` with the value at `path` replaced by what `edit` makes of it, all
/// else as written. `None` when there is no such place.
pub fn edit_at(
    json: &str,
    path: &[Step<'_>],
    edit: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let Some((step, rest)) = path.split_first() else {
        return edit(json);
    };
    match step {
        Step::Member(key) => {
            let members = members(json)?;
            let inner = edit_at(get(&members, key)?, rest, edit)?;
            Some(with_member(&members, key, &inner))
        }
        Step::First => {
            let mut elements: Vec<Cow<'_, str>> =
                elements(json)?.into_iter().map(Cow::Borrowed).collect();
            let first = elements.first_mut()?;
            *first = Cow::Owned(edit_at(first, rest, edit)?);
            Some(format!("[{}]", elements.join(",")))
        }
    }
}

/// What [`rewrite`] does with one member.
pub enum Edit {
    /// Left as written.
    Keep,
    /// The same key with this JSON value.
    Replace(String),
    /// Left out.
    Drop,
}

/// An object's text with the member `key` (a plain name) set to `value` (JSON):
/// in its place when it is there, at the end when it is not.
pub fn with_member(members: &[Member<'_>], key: &str, value: &str) -> String {
    let mut set = false;
    let mut out = rewrite(members, |_, m| {
        if m.key != key {
            return Edit::Keep;
        }
        if std::mem::replace(&mut set, true) {
            return Edit::Drop;
        }
        Edit::Replace(value.to_owned())
    });
    if !set {
        out.pop();
        push_member(&mut out, &quote(key), value);
        out.push('}');
    }
    out
}

fn push_member(out: &mut String, key_text: &str, value: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    out.push_str(key_text);
    out.push(':');
    out.push_str(value);
}

/// A walk from front to back through a text that is JSON, which it checked at
/// the start. A caller looks into the values it cares about on the way, so that
/// no part of a deep text is gone through once for each level. The rest is
/// passed over, however deep, without recursion.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Before the value, or `None` when `json` is not one JSON value.
    pub fn new(json: &'a str) -> Option<Cursor<'a>> {
        is_json(json).then(|| {
            let mut cursor = Cursor { text: json, at: 0 };
            cursor.space();
            cursor
        })
    }

    /// Where it stands, for [`Cursor::since`].
    pub fn at(&self) -> usize {
        self.at
    }

    /// The text of the value that begins at `start`, whether it was looked into
    /// or not. The cursor stands behind it then.
    pub fn since(&mut self, start: usize) -> &'a str {
        if self.at == start {
            self.pass();
        }
        &self.text[start..self.at]
    }

    /// Passes an object. `look` is given each member's place and key, and the
    /// cursor before its value. `None`, without a move, at any other value.
    pub fn members(
        &mut self,
        mut look: impl FnMut(usize, &str, &mut Self),
    ) -> Option<Vec<Member<'a>>> {
        if !self.enter(b'{') {
            return None;
        }
        let mut members = Vec::with_capacity(8);
        while self.more() {
            let key_text = self.since(self.at);
            let key = string(key_text);
            self.space();
            self.at += 1; // the colon
            self.space();
            let start = self.at;
            look(members.len(), &key, self);
            members.push(Member {
                key,
                key_text,
                value: self.since(start),
            });
        }
        Some(members)
    }

    /// Passes an array. `look` is given the cursor before each element. False,
    /// without a move, at any other value.
    pub fn elements(&mut self, mut look: impl FnMut(&mut Self)) -> bool {
        if !self.enter(b'[') {
            return false;
        }
        while self.more() {
            let start = self.at;
            look(self);
            self.since(start);
        }
        true
    }

    fn enter(&mut self, bracket: u8) -> bool {
        // Not `self.at += usize::from(found)`: rustc 1.95 (LLVM 22) makes wrong
        // code of that at opt-level 2, and members run over the end.
        if self.text.as_bytes()[self.at] != bracket {
            return false;
        }
        self.at += 1;
        true
    }

    /// Moves to the next item of an object or array, or out of it at its end.
    fn more(&mut self) -> bool {
        self.space();
        match self.text.as_bytes()[self.at] {
            b'}' | b']' => {
                self.at += 1;
                false
            }
            b',' => {
                self.at += 1;
                self.space();
                true
            }
            _ => true,
        }
    }

    fn space(&mut self) {
        self.go_to(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    /// Passes one value.
    fn pass(&mut self) {
        match self.text.as_bytes()[self.at] {
            b'"' => self.pass_string(),
            b'{' | b'[' => self.pass_brackets(),
            _ => self.go_to(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n')),
        }
    }

    fn pass_brackets(&mut self) {
        let mut depth = 0_usize;
        loop {
            self.go_to(|b| matches!(b, b'"' | b'{' | b'[' | b'}' | b']'));
            match self.text.as_bytes()[self.at] {
                b'"' => {
                    self.pass_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn pass_string(&mut self) {
        self.at += 1;
        loop {
            self.go_to(|b| matches!(b, b'"' | b'\\'));
            if self.text.as_bytes()[self.at] == b'"' {
                self.at += 1;
                return;
            }
            self.at += 2; // the backslash and what it escapes
        }
    }

    fn go_to(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|&b| wanted(b)).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_survives() {
        let json = r#"{ "a": 1e3, "\u0062":"\ud83d", "a" : [1, 2.50], "n":90071992547409931234 }"#;
        let members = members(json).unwrap();
        assert_eq!(
            rewrite(&members, |_, _| Edit::Keep),
            r#"{"a":1e3,"\u0062":"\ud83d","a":[1, 2.50],"n":90071992547409931234}"#
        );
        assert_eq!(members[1].key, "b");
    }

    #[test]
    fn text_reads_strings_and_literals() {
        let cases = [
            (r#""x""#, Some("x")),
            (r#""\u0041\/b""#, Some("A/b")),
            (r#""cut \ud83d""#, Some(r"cut \ud83d")),
            ("12345678901234567890", Some("12345678901234567890")),
            ("true", Some("true")),
            (r#""""#, None),
            ("null", None),
            ("[1]", None),
            ("{}", None),
        ];
        for (json, expected) in cases {
            assert_eq!(text(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn members_and_elements_refuse_other_shapes() {
        for json in ["[]", "1", "null", "\"a\"", "{", "{} x", ""] {
            assert!(members(json).is_none(), "{json}");
        }
        for json in ["{}", "1", "null", "[1", "[1] 2"] {
            assert!(elements(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_member_is_set_in_place_or_at_the_end() {
        let cases = [
            (r#"{"a":1,"b":2}"#, r#"{"a":9,"b":2}"#),
            (r#"{"b":2}"#, r#"{"b":2,"a":9}"#),
            ("{}", r#"{"a":9}"#),
            (r#"{"a":1,"c":0,"a":2}"#, r#"{"a":9,"c":0}"#),
        ];
        for (json, expected) in cases {
            assert_eq!(with_member(&members(json).unwrap(), "a", "9"), expected);
        }
    }

    #[test]
    fn a_cursor_finds_the_same_texts_whether_it_looks_inside_or_not() {
        let json =
            " {\"a\" : [ 1,\"]}\\\"\\\\\" ,{ } ,[[ ]] ], \"\":{\"b\":-1.5e3 ,\"c\":null}\n} ";
        let expected = [
            ("a", "[ 1,\"]}\\\"\\\\\" ,{ } ,[[ ]] ]"),
            ("", "{\"b\":-1.5e3 ,\"c\":null}"),
        ];
        let mut inside = Vec::new();
        let looked = Cursor::new(json)
            .unwrap()
            .members(|at, key, cursor| match at {
                0 => assert!(cursor.elements(|cursor| inside.push(cursor.since(cursor.at())))),
                _ => {
                    let members = cursor.members(|_, _, _| {}).unwrap();
                    inside.extend(members.iter().map(|m| m.value));
                    assert_eq!(key, "");
                }
            });
        for members in [looked, members(json)] {
            let members = members.unwrap();
            let found: Vec<_> = members.iter().map(|m| (&*m.key, m.value)).collect();
            assert_eq!(found, expected);
        }
        let values = ["1", "\"]}\\\"\\\\\"", "{ }", "[[ ]]", "-1.5e3", "null"];
        assert_eq!(inside, values);
    }

    #[test]
    fn a_cursor_passes_a_whole_text() {
        for json in [
            "{}",
            "[]",
            "0",
            "\"\"",
            "null",
            "[[],{}]",
            "{\"a\":{}}",
            "\"\\\\\"",
        ] {
            for around in ["", " ", "\n\t"] {
                let text = format!("{around}{json}{around}");
                let mut cursor = Cursor::new(&text).unwrap();
                assert_eq!(cursor.since(cursor.at()), json);
            }
        }
        assert!(Cursor::new("[").is_none());
    }
}
