//! Reading JSON that is almost what its writer promised: a number for a string, a string for a
//! number, null for nothing. Every function answers `None` (or an empty list) instead of failing.

use std::borrow::Cow;

use serde_json::Value;

/// Seconds that would lie in the year 5138; whatever is larger was written in milliseconds, as
/// some of Meta's webhooks do.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Declares a record of optional texts and its lenient reading. `a: "x" | "y"` takes the first of
/// the keys that holds something. Its `Debug` shows no value: such records are a person's words.
macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident : $($key:literal)|+,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<String>,)*
        }

        impl $name {
            pub(crate) fn read(value: &serde_json::Value) -> $name {
                $name {
                    $($field: $crate::wire::event::lenient::text_of(value, &[$($key),+]),)*
                }
            }
        }

        $crate::wire::event::lenient::hide!($name);
    };
}

/// Gives types a `Debug` that shows their name and nothing they hold.
macro_rules! hide {
    ($($name:ident),+ $(,)?) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

pub(crate) use {hide, record};

/// The text under `key`, which may be empty. Numbers become the digits they were written with.
pub(crate) fn words(value: &Value, key: &str) -> Option<String> {
    match &value[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text under `key` unless it is empty: Meta leaves a key out, sets it to null and sets it to
/// `""` for the same reason.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    words(value, key).filter(|text| !text.is_empty())
}

/// The text under the first of `keys` that holds one.
pub(crate) fn text_of(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| text(value, key))
}

pub(crate) fn integer(value: &Value, key: &str) -> Option<i64> {
    match &value[key] {
        // `as` saturates, and a count or code beyond i64 means nothing anyhow.
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|f| f as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Unix seconds.
pub(crate) fn seconds(value: &Value, key: &str) -> Option<i64> {
    let time = integer(value, key)?;
    Some(if time > SECONDS_MAX {
        time / 1_000
    } else {
        time
    })
}

pub(crate) fn decimal(value: &Value, key: &str) -> Option<f64> {
    match &value[key] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|f: &f64| f.is_finite()),
        _ => None,
    }
}

pub(crate) fn flag(value: &Value, key: &str) -> Option<bool> {
    match &value[key] {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_i64().map(|n| n != 0),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        _ => None,
    }
}

/// The object under `key`, if there is one with something in it.
pub(crate) fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let found = &value[key];
    found
        .as_object()
        .is_some_and(|o| !o.is_empty())
        .then_some(found)
}

/// The elements under `key`; an object standing where a list should is taken as its one element.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match &value[key] {
        Value::Array(items) => items,
        one @ Value::Object(keys) if !keys.is_empty() => std::slice::from_ref(one),
        _ => &[],
    }
}

/// The objects under `key`, read one by one; what is no object is passed over.
pub(crate) fn records<T>(value: &Value, key: &str, read: fn(&Value) -> T) -> Vec<T> {
    let elements = list(value, key)
        .iter()
        .filter(|element| element.is_object());
    elements.map(read).collect()
}

/// Replaces every lone half of a surrogate pair (`\ud83d` without its `\ude00`) by `\ufffd`.
///
/// Meta writes characters beyond ASCII as `\uXXXX`, and an emoji cut in two by a length limit
/// leaves half a pair, which serde_json rightly refuses. The text comes back as it was, without a
/// copy, when there is nothing to mend.
pub(crate) fn repair_surrogates(json: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0; // bytes of `json` that `mended` stands for
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        at += found;
        match (surrogate(json, at), surrogate(json, at + 6)) {
            (Some(Half::High), Some(Half::Low)) => at += 12,
            (Some(_), _) => {
                mended.push_str(&json[copied..at]);
                mended.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            // Both characters of an escape at once, so that the second `\` of `\\u` opens nothing.
            (None, _) => at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[copied..]);
    Cow::Owned(mended)
}

enum Half {
    High,
    Low,
}

/// Which half of a pair the escape at byte `at` is, if an escape stands there and is one.
fn surrogate(json: &str, at: usize) -> Option<Half> {
    let digits = json.as_bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
    match [
        digits[0].to_ascii_lowercase(),
        digits[1].to_ascii_lowercase(),
    ] {
        _ if !digits.iter().all(u8::is_ascii_hexdigit) => None,
        [b'd', b'8' | b'9' | b'a' | b'b'] => Some(Half::High),
        [b'd', b'c' | b'd' | b'e' | b'f'] => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_halves_are_replaced_and_nothing_else_changes() {
        for (json, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00 \u00e9""#, r#""\uD83D\uDE00 \u00e9""#),
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\ude00 cut""#, r#""\ufffd cut""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            (r#""\ud83dé""#, r#""\ufffdé""#),
            // A backslash that was itself escaped: the text says \ud83d in letters.
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            // Broken in other ways: left for the parser to refuse.
            (r#""\u+83d""#, r#""\u+83d""#),
            (r#""\ud8"#, r#""\ud8"#),
            (r#""\é\"#, r#""\é\"#),
            (r#""\ud83d\ude0"#, r#""\ufffd\ude0"#),
        ] {
            let repaired = repair_surrogates(json);
            assert_eq!(repaired, expected);
            assert_eq!(
                matches!(repaired, Cow::Borrowed(_)),
                json == expected,
                "{json}"
            );
        }
    }

    #[test]
    fn swapped_types_are_read_and_wrong_ones_are_absent() {
        let value: Value = serde_json::from_str(
            r#"{"s": "12", "n": 12, "big": 9007199254740993, "f": 7.5, "b": true, "bs": "False",
                "null": null, "empty": "", "ms": 1790000000123, "list": [1], "object": {"a": 1}}"#,
        )
        .expect("the test's own JSON");
        let read = |key| (text(&value, key), integer(&value, key), flag(&value, key));
        let some = |text: &str| Some(text.to_owned());
        for (key, expected) in [
            ("s", (some("12"), Some(12), None)),
            ("n", (some("12"), Some(12), Some(true))),
            (
                "big",
                (
                    some("9007199254740993"),
                    Some(9_007_199_254_740_993),
                    Some(true),
                ),
            ),
            ("f", (some("7.5"), Some(7), None)),
            ("b", (None, None, Some(true))),
            ("bs", (some("False"), None, Some(false))),
            ("null", (None, None, None)),
            ("empty", (None, None, None)),
            ("absent", (None, None, None)),
            ("list", (None, None, None)),
            ("object", (None, None, None)),
        ] {
            assert_eq!(read(key), expected, "{key}");
        }
        assert_eq!(seconds(&value, "ms"), Some(1_790_000_000));
        assert_eq!(decimal(&value, "s"), Some(12.0));
        assert_eq!(
            (list(&value, "list").len(), list(&value, "object").len()),
            (1, 1)
        );
        assert_eq!(
            (list(&value, "null").len(), object(&value, "list")),
            (0, None)
        );
    }
}
