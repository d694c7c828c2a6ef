//! What stands behind the question mark of a list's address: its filter, so that
//! it stays from page to page.

use crate::edge::http::console::visit::Visit;
use crate::store::tx::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Names and values, of which empty ones are left out.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// One more.
    pub fn with(mut self, name: &str, value: &str) -> Query {
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// As it stands in an address, with its question mark; empty when there is
    /// nothing.
    pub fn text(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut written = form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
        written.extend_pairs(&self.0);
        written.finish()
    }
}

/// The days in the parameters `since` and `until`, in UTC; the last one is
/// included. What is no day is left out.
pub fn days(visit: &Visit) -> Span {
    let start = |name: &str, more: i64| {
        let day: Date = visit.parameter(name)?.parse().ok()?;
        let start = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(start.as_millisecond() + more)
    };
    Span {
        since: start("since", 0),
        until: start("until", 24 * 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_out_and_what_is_odd_is_escaped() {
        assert_eq!(Query::default().with("a", "").text(), "");
        let query = Query::default()
            .with("a", "")
            .with("b", "1&2 é")
            .with("c", "x");
        assert_eq!(query.text(), "?b=1%262+%C3%A9&c=x");
    }
}
