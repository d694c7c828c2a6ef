//! Random notifications, and random damage to them, against a reader made of
//! serde's own parts.

use super::*;
use crate::wire::sample::mix;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt::{self, Write};

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 += 1;
        (mix(self.0) % n as u64) as usize
    }

    fn one_of<'x>(&mut self, choices: &[&'x str]) -> &'x str {
        choices[self.below(choices.len())]
    }
}

const LEAVES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0.0",
    "1e400",
    "12345678901234567890123",
    "1.50E-3",
    "\"\"",
    "\"\\ud83d\"",
    "\"a\\\\\"",
    "\"\\\"}]{[,:\"",
    "\"\u{5d0}\u{1f642}\"",
    "\"\\/\\u00e9\"",
    "{}",
    "[]",
    "[ ]",
];
const KEYS: &[&str] = &[
    "id", "from", "field", "type", "status", "value", "entry", "messages", "statuses", "contacts",
    "errors", "metadata", "wa_id", "user_id", "x", "\\ud83d", "\\u0069d", "a\\\"b", "",
];
const PEOPLE: &[&str] = &[
    "15550100001",
    "15550100002",
    "15550100003",
    "155550100003",
    "US.1",
];

/// What was written, besides the text itself.
#[derive(Default)]
struct Written {
    text: String,
    /// Field, kind and text of each element.
    elements: Vec<(String, Kind, String)>,
    /// Changes with no element.
    others: usize,
}

impl Random {
    fn space(&mut self) -> &'static str {
        self.one_of(&["", "", "", " ", "\n\t", " \r\n "])
    }

    fn value(&mut self, depth: usize) -> String {
        let count = self.below(4);
        let mut parts = Vec::new();
        match self.below(if depth == 0 { 1 } else { 3 }) {
            0 => self.one_of(LEAVES).to_owned(),
            1 => {
                parts.extend((0..count).map(|_| self.value(depth - 1)));
                self.wrap("[", parts, "]")
            }
            _ => {
                for _ in 0..count {
                    let key = self.one_of(KEYS);
                    parts.push(format!("\"{key}\":{}", self.value(depth - 1)));
                }
                self.wrap("{", parts, "}")
            }
        }
    }

    /// Parts in any order, with space between them.
    fn wrap(&mut self, open: &str, parts: Vec<String>, close: &str) -> String {
        let mut out = format!("{open}{}", self.space());
        for (index, part) in parts.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}{}{part}{}", self.space(), self.space()).unwrap();
        }
        out + close
    }

    fn object(&mut self, mut parts: Vec<String>) -> String {
        for n in 0..self.below(3) {
            parts.push(format!("\"unknown{n}\":{}", self.value(3)));
        }
        for last in (1..parts.len()).rev() {
            parts.swap(last, self.below(last + 1));
        }
        self.wrap("{", parts, "}")
    }

    fn element(&mut self, unique: usize) -> String {
        let mut parts = vec![format!("\"unique\":{unique}")];
        for key in [
            "from",
            "recipient_id",
            "from_user_id",
            "recipient_participant_id",
            "status",
            "event",
        ] {
            if self.below(2) == 0 {
                parts.push(format!("\"{key}\":\"{}\"", self.one_of(PEOPLE)));
            }
        }
        if self.below(4) > 0 {
            parts.push(format!("\"id\" : \"wamid.{unique}\""));
        }
        self.object(parts)
    }

    fn change(&mut self, written: &mut Written) -> String {
        let field = self
            .one_of(&["messages", "history", "calls", "new"])
            .to_owned();
        let mut parts = Vec::new();
        let before = written.elements.len();
        for (list, kind) in [
            ("messages", Message),
            ("statuses", Status),
            ("calls", Call),
            ("messages", Message),
        ] {
            if self.below(2) == 0 {
                continue;
            }
            let mut elements = Vec::new();
            for _ in 0..self.below(4) {
                let element = self.element(written.elements.len());
                elements.push(element.clone());
                written.elements.push((field.clone(), kind, element));
            }
            parts.push(format!("\"{list}\":{}", self.wrap("[", elements, "]")));
        }
        written.others += usize::from(written.elements.len() == before);
        let mut contacts = Vec::new();
        for _ in 0..self.below(4) {
            let (phone, user) = (self.one_of(PEOPLE), self.one_of(PEOPLE));
            contacts.push(self.object(vec![
                format!("\"wa_id\":\"{phone}\""),
                format!("\"user_id\":\"{user}\""),
            ]));
        }
        parts.push(format!("\"contacts\":{}", self.wrap("[", contacts, "]")));
        let value = self.object(parts);
        self.object(vec![
            format!("\"field\":\"{field}\""),
            format!("\"value\": {value}"),
        ])
    }

    fn notification(&mut self) -> Written {
        let mut written = Written::default();
        let mut entries = Vec::new();
        for _ in 0..self.below(4) {
            let changes = (0..1 + self.below(3))
                .map(|_| self.change(&mut written))
                .collect();
            let changes = self.wrap("[", changes, "]");
            entries.push(self.object(vec![
                "\"id\":\"7\"".into(),
                format!("\"changes\":{changes}"),
            ]));
        }
        let entries = self.wrap("[", entries, "]");
        written.text = self.object(vec![
            "\"object\":\"o\"".into(),
            format!("\"entry\":{entries}"),
        ]);
        written
    }

    fn damage(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..1 + self.below(3) {
            let (a, b) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 40));
            match self.below(4) {
                0 => drop(bytes.drain(a..b)),
                1 => drop(bytes.splice(a..a, bytes[a..b].to_vec())),
                2 => drop(bytes.splice(a..b, self.value(2).into_bytes())),
                _ => {
                    let sign =
                        self.one_of(&["{", "}", "[", "]", ",", ":", "\"", "\\", "1", "\0", " "]);
                    drop(bytes.splice(a..a, sign.bytes()));
                }
            }
        }
        bytes
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    for seed in 0..500 {
        let written = Random(seed << 20).notification();
        let events = sound(&written.text);
        assert_eq!(
            events.len(),
            written.elements.len() + written.others,
            "{}",
            written.text
        );
        for (field, kind, text) in &written.elements {
            let mut holders = events.iter().filter(|e| e.body.contains(&**text));
            let event = holders
                .next()
                .unwrap_or_else(|| panic!("{text} lost of {}", written.text));
            assert!(holders.next().is_none(), "{text} twice of {}", written.text);
            assert_eq!((event.kind, &event.field), (*kind, field));
            let list = ["messages", "statuses", "calls"][*kind as usize];
            let alone = format!(
                r#"{{"entry":[{{"id":7,"changes":[{{"field":"{field}","value":{{"{list}":[{text}]}}}}]}}]}}"#
            );
            assert_eq!(event.key, sound(&alone)[0].key);
        }
    }
}

#[test]
fn damage_is_refused_or_read_as_serde_reads_it() {
    let (mut refused, mut kept) = (0, 0);
    for seed in 0..2_500 {
        let mut random = Random(seed << 20);
        let written = random.notification();
        let body = random.damage(&written.text);
        let Ok(json) = serde_json::from_slice::<&RawValue>(&body) else {
            assert_eq!(read(&body).err(), Some(NotJson), "{}", body.escape_ascii());
            refused += 1;
            continue;
        };
        kept += 1;
        let events = sound(std::str::from_utf8(&body).unwrap());
        for (kind, text) in elements(json.get()) {
            let found = |e: &&Incoming<'_>| e.kind == kind && e.body.contains(text);
            assert!(
                events.iter().any(|e| found(&e)),
                "{text} lost of {}",
                json.get()
            );
        }
        let count = |kinds: &[Kind]| events.iter().filter(|e| kinds.contains(&e.kind)).count();
        assert_eq!(
            count(&[Message, Status, Call]),
            elements(json.get()).len(),
            "{}",
            json.get()
        );
    }
    assert!(refused > 200 && kept > 200, "{refused} {kept}");
}

/// The elements of the three lists, found the slow way.
fn elements(json: &str) -> Vec<(Kind, &str)> {
    let under = |json, key| of_key(json, key).into_iter().flat_map(list_of);
    let mut found = Vec::new();
    for change in under(json, "entry").flat_map(|entry| under(entry, "changes")) {
        let value = of_key(change, "value")
            .into_iter()
            .find(|value| value.starts_with('{'));
        for (key, inside) in value.map(pairs).unwrap_or_default() {
            let kind = match key {
                "\"messages\"" => Message,
                "\"statuses\"" => Status,
                "\"calls\"" => Call,
                _ => continue,
            };
            found.extend(list_of(inside).into_iter().map(|element| (kind, element)));
        }
    }
    found
}

fn of_key<'a>(json: &'a str, key: &str) -> Vec<&'a str> {
    let wanted =
        |(found, value): (&str, &'a str)| (found.trim_matches('"') == key).then_some(value);
    pairs(json).into_iter().filter_map(wanted).collect()
}

fn list_of(json: &str) -> Vec<&str> {
    let list = serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default();
    list.into_iter().map(RawValue::get).collect()
}

fn pairs(json: &str) -> Vec<(&str, &str)> {
    struct Pairs<'a>(Vec<(&'a str, &'a str)>);
    struct PairsVisitor;
    impl<'de> Visitor<'de> for PairsVisitor {
        type Value = Pairs<'de>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
            let mut pairs = Vec::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                pairs.push((key.get(), value.get()));
            }
            Ok(Pairs(pairs))
        }
    }
    impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(PairsVisitor)
        }
    }
    serde_json::from_str(json).map_or_else(|_| Vec::new(), |Pairs(pairs)| pairs)
}
