//! A place in a body: what stands there, and what Graph says when it is not as it should be.
//!
//! Codes: 131008 for what is missing, 131009 for a value that is not valid, 100 for a wrong type,
//! a word that is not known, a key that is not allowed and a text that is too long.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::super::graph::GraphError;

pub(super) type Checked<T = ()> = Result<T, GraphError>;

/// A value and where it stands, as Graph writes it: `interactive['action']['buttons'][0]`.
/// Null is as good as not there.
#[derive(Clone)]
pub(super) struct At<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    pub fn top(value: &'a Value) -> At<'a> {
        let path = String::new();
        At { value, path }
    }

    pub fn key(&self, key: &str) -> At<'a> {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}['{key}']"),
        };
        At {
            value: &self.value[key],
            path,
        }
    }

    pub fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    /// Absent, or an empty text.
    pub fn is_empty(&self) -> bool {
        self.is_absent() || self.value == ""
    }

    pub fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// An object that must be there.
    pub fn object(&self) -> Checked<&Self> {
        match self.value {
            Value::Object(_) => Ok(self),
            Value::Null => Err(self.missing()),
            _ => Err(self.must("be a JSON object")),
        }
    }

    /// An array that must be there and hold so many.
    pub fn items(&self, count: RangeInclusive<usize>) -> Checked<Vec<At<'a>>> {
        let items = match self.value {
            Value::Array(items) => items,
            Value::Null => return Err(self.missing()),
            _ => return Err(self.must("be an array")),
        };
        if !count.contains(&items.len()) {
            let (min, max) = (count.start(), count.end());
            let found = items.len();
            return Err(self.invalid(&format!(
                "has {found} elements. Min allowed: {min}, Max allowed: {max}"
            )));
        }
        let item = |(index, value)| At {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// The same for one that may be left out.
    pub fn optional_items(&self) -> Checked<Vec<At<'a>>> {
        match self.is_absent() {
            true => Ok(Vec::new()),
            false => self.items(0..=usize::MAX),
        }
    }

    /// A string of at most so many characters, if there is one.
    pub fn optional(&self, max: Option<usize>) -> Checked<&'a str> {
        let text = match self.value {
            Value::Null => "",
            Value::String(text) => text,
            _ => return Err(self.must("be a string")),
        };
        match max {
            Some(max) if text.chars().count() > max => {
                Err(self.must(&format!("be at most {max} characters long")))
            }
            _ => Ok(text),
        }
    }

    /// A string that must be there and say something.
    pub fn required(&self, max: Option<usize>) -> Checked<&'a str> {
        match self.is_empty() {
            true => Err(self.missing()),
            false => self.optional(max),
        }
    }

    /// An id that must be there: a string, or a number as some clients write it.
    pub fn id(&self, max: Option<usize>) -> Checked<String> {
        match self.value {
            Value::Number(number) => Ok(number.to_string()),
            _ => self.required(max).map(str::to_owned),
        }
    }

    /// An id that may be left out.
    pub fn optional_id(&self) -> Checked {
        match self.is_empty() {
            true => Ok(()),
            false => self.id(None).map(drop),
        }
    }

    /// One of these words, in capitals or not, as it stands in `words`.
    pub fn word(&self, words: &[&'static str]) -> Checked<&'static str> {
        let found = self.required_word()?;
        let known = words.iter().find(|word| word.eq_ignore_ascii_case(found));
        known.copied().ok_or_else(|| {
            let words = words.join(", ").to_uppercase();
            self.must(&format!("be one of {{{words}}}"))
        })
    }

    /// One of these words, if there is any.
    pub fn optional_word(&self, words: &[&'static str]) -> Checked {
        match self.is_empty() {
            true => self.optional(None).map(drop),
            false => self.word(words).map(drop),
        }
    }

    fn required_word(&self) -> Checked<&'a str> {
        match self.value {
            Value::Null => Err(self.missing()),
            Value::String(word) if word.is_empty() => Err(self.missing()),
            Value::String(word) => Ok(word),
            _ => Err(self.must("be a string")),
        }
    }

    /// A number in these bounds, or a string that writes one.
    pub fn number(&self, bounds: RangeInclusive<f64>) -> Checked<f64> {
        let number = match self.value {
            _ if self.is_empty() => return Err(self.missing()),
            Value::Number(number) => number.as_f64(),
            Value::String(digits) => digits.trim().parse().ok(),
            _ => return Err(self.must("be a number")),
        };
        number
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                let (min, max) = (bounds.start(), bounds.end());
                self.invalid(&format!("must be a number from {min} to {max}"))
            })
    }

    /// A number in these bounds, if there is any.
    pub fn optional_number(&self, bounds: RangeInclusive<f64>) -> Checked {
        match self.is_empty() {
            true => Ok(()),
            false => self.number(bounds).map(drop),
        }
    }

    /// True or false, or a string that says so, if there is any.
    pub fn optional_flag(&self) -> Checked {
        match self.value {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::String(word) if ["true", "false"].contains(&word.as_str()) => Ok(()),
            _ => Err(self.must("be a boolean")),
        }
    }

    /// Nothing may stand here.
    pub fn unexpected(&self) -> Checked {
        match self.is_absent() {
            true => Ok(()),
            false => {
                let title = format!("Unexpected key on param: {}.", self.path);
                Err(GraphError::new(400, 100, &title))
            }
        }
    }

    pub fn missing(&self) -> GraphError {
        GraphError::new(400, 131_008, "Required parameter is missing")
            .details(format!("{} is required", self.path))
    }

    pub fn invalid(&self, what: &str) -> GraphError {
        GraphError::new(400, 131_009, "Parameter value is not valid")
            .details(format!("{}: {what}", self.path))
    }

    fn must(&self, what: &str) -> GraphError {
        GraphError::new(400, 100, &format!("Param {} must {what}.", self.path))
    }
}

/// None stands twice under `key`; those without it do not count.
pub(super) fn unique(places: &[At], key: &str) -> Checked {
    let values: Vec<At> = places.iter().map(|place| place.key(key)).collect();
    for (index, place) in values.iter().enumerate() {
        let before = values[..index]
            .iter()
            .any(|other| other.value == place.value);
        if before && !place.is_empty() {
            return Err(place.invalid("must be unique"));
        }
    }
    Ok(())
}
