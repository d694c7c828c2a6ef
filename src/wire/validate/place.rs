//! A value within the message together with the way to it, and how one row of a table is tried
//! on it.

use serde_json::Value;

use super::table::{Need, Row, What};
use super::{Invalid, PARAMETER};

pub(super) type Checked<T = ()> = Result<T, Invalid>;

/// A value and its path. What is not there is null, as it is for Graph.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> Place<'a> {
    pub fn top(value: &'a Value) -> Place<'a> {
        let path = String::new();
        Place { value, path }
    }

    /// A member, or what lies further down: `action.parameters`.
    pub fn get(&self, keys: &str) -> Place<'a> {
        keys.split('.').fold(self.clone(), |place, key| Place {
            value: &place.value[key],
            path: match place.path.as_str() {
                "" => key.to_owned(),
                path => format!("{path}.{key}"),
            },
        })
    }

    /// The elements; none if it is no array.
    pub fn items(&self) -> Vec<Place<'a>> {
        let place = |(index, value)| Place {
            value,
            path: format!("{}[{index}]", self.path),
        };
        let items = self.value.as_array().map_or(&[][..], Vec::as_slice);
        items.iter().enumerate().map(place).collect()
    }

    /// Its text, if it is one with something in it.
    pub fn text(&self) -> Option<&'a str> {
        self.value.as_str().filter(|text| !text.is_empty())
    }

    /// Whether there is anything: a null or an empty text is nothing.
    pub fn given(&self) -> bool {
        !self.value.is_null() && self.value.as_str() != Some("")
    }

    /// Whether it is this word; Meta's pages write some in capitals.
    pub fn is(&self, word: &str) -> bool {
        let text = self.value.as_str();
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    /// Tries all rows, in order.
    pub fn check(&self, rows: &[Row]) -> Checked {
        rows.iter().try_for_each(|row| self.walk(row.path, row))
    }

    /// Goes down the path, into every element at `[]`, and tries the row where it ends. A path
    /// that leads nowhere is no mistake: the row of the part that is missing says so if it is.
    fn walk(&self, path: &str, row: &Row) -> Checked {
        let (head, rest) = path
            .split_once('.')
            .map_or((path, None), |(head, rest)| (head, Some(rest)));
        let found = match head.trim_end_matches("[]") {
            "" => self.clone(),
            key => self.get(key),
        };
        let ends = match head.ends_with("[]") {
            true => found.items(),
            false => vec![found],
        };
        ends.iter().try_for_each(|end| match rest {
            None => end.check_one(row),
            Some(rest) if end.value.is_object() => end.walk(rest, row),
            Some(_) => Ok(()),
        })
    }

    fn check_one(&self, row: &Row) -> Checked {
        match row.need {
            Need::Must if !self.given() => return Err(Invalid::missing(&self.path)),
            Need::Present if self.value.is_null() => return Err(Invalid::missing(&self.path)),
            _ if self.value.is_null() => return Ok(()),
            _ => {}
        }
        match &row.what {
            What::Text(max) => self.check_text(*max),
            What::Id(max) if self.value.is_string() => self.check_text(*max),
            What::Id(_) => self.shape(self.value.is_number(), "a string"),
            What::Flag => self.shape(
                !self.value.is_object() && !self.value.is_array(),
                "true or false",
            ),
            What::Object => self.shape(self.value.is_object(), "an object"),
            What::List(min, max) => self.check_list(*min, *max),
            What::Number(min, max) => self.check_number(*min, *max),
            What::Nothing => Err(Invalid::new(PARAMETER, &self.path, "not allowed here")),
        }
    }

    fn check_text(&self, max: Option<usize>) -> Checked {
        let Some(text) = self.value.as_str() else {
            return self.shape(false, "a string");
        };
        let found = text.chars().count();
        match max {
            Some(max) if found > max => {
                let what = format!("at most {max} characters, found {found}");
                Err(Invalid::new(PARAMETER, &self.path, what))
            }
            _ => Ok(()),
        }
    }

    fn check_list(&self, min: usize, max: usize) -> Checked {
        self.shape(self.value.is_array(), "an array")?;
        let found = self.value.as_array().map_or(0, Vec::len);
        if found > max {
            let what = format!("at most {max}, found {found}");
            return Err(Invalid::value(&self.path, what));
        }
        if found < min {
            let what = format!("at least {min}, found {found}");
            return Err(Invalid::value(&self.path, what));
        }
        Ok(())
    }

    /// Meta's pages write numbers as strings too. An empty one counts as left out.
    fn check_number(&self, min: f64, max: f64) -> Checked {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if text.is_empty() => return Ok(()),
            Value::String(text) => text.trim().parse().ok(),
            _ => return self.shape(false, "a number"),
        };
        match number {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ if min.is_infinite() => Err(Invalid::value(&self.path, "must be a number")),
            _ => {
                let what = format!("must be a number from {min} to {max}");
                Err(Invalid::value(&self.path, what))
            }
        }
    }

    fn shape(&self, fits: bool, wanted: &str) -> Checked {
        match fits {
            true => Ok(()),
            false => Err(Invalid::new(
                PARAMETER,
                &self.path,
                format!("must be {wanted}"),
            )),
        }
    }
}
