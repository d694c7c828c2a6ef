//! What Meta thinks of a business number: its quality, to how many people it may
//! write first in a day, how fast it may send. The webhook tells changes alone, and
//! in newer versions only some; Graph tells when it is asked. What was told last
//! stands.

use crate::wire::setup::Number;
use serde_json::Value;

/// The webhook field that tells it.
pub const FIELD: &str = "phone_number_quality_update";

/// The most characters of a word of Meta's.
const WORD_MAX: usize = 40;

/// What is known of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its quality, as far as it was told.
    pub quality: Option<Quality>,
    /// Its limit in Meta's word, such as `TIER_10K`, or a count of people.
    pub limit: Option<String>,
    /// How fast it may send.
    pub throughput: Option<Throughput>,
}

/// A number's quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// `GREEN`, or nothing is wrong with it any more.
    Fine,
    /// `YELLOW`.
    Medium,
    /// `RED`, or flagged: people block or report it.
    Low,
}

impl Quality {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Quality::Fine => "fine",
            Quality::Medium => "medium",
            Quality::Low => "low",
        }
    }

    /// The quality a word names.
    pub fn parse(word: &str) -> Option<Quality> {
        [Quality::Fine, Quality::Medium, Quality::Low]
            .into_iter()
            .find(|quality| quality.as_str() == word)
    }
}

/// How fast a number may send (Meta: throughput).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throughput {
    /// 80 messages a second.
    Standard,
    /// 1,000.
    High,
}

impl Throughput {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Throughput::Standard => "standard",
            Throughput::High => "high",
        }
    }

    /// The throughput a word names.
    pub fn parse(word: &str) -> Option<Throughput> {
        [Throughput::Standard, Throughput::High]
            .into_iter()
            .find(|throughput| throughput.as_str() == word)
    }
}

/// What is known of a number after Graph was asked for it.
pub fn asked(number: &Number, before: Standing) -> Standing {
    let quality = match number.quality.as_deref() {
        Some("GREEN") => Some(Quality::Fine),
        Some("YELLOW") => Some(Quality::Medium),
        Some("RED") => Some(Quality::Low),
        _ => None,
    };
    let throughput = match number.throughput.as_deref() {
        Some("STANDARD") => Some(Throughput::Standard),
        Some("HIGH") => Some(Throughput::High),
        _ => None,
    };
    let limit = number.limit.as_deref().filter(|limit| is_word(limit));
    Standing {
        quality: quality.or(before.quality),
        limit: limit.map(str::to_owned).or(before.limit),
        throughput: throughput.or(before.throughput),
    }
}

/// A display number as it is compared: Meta writes it with and without a plus,
/// blanks and dashes.
pub fn digits(display: &str) -> String {
    display.chars().filter(char::is_ascii_digit).collect()
}

/// The number that an event of the field is about, and what is known of it then;
/// `None` when it names none.
pub fn told(
    envelope: &str,
    before: impl FnOnce(&str) -> Option<Standing>,
) -> Option<(String, Standing)> {
    let envelope: Value = serde_json::from_str(envelope).ok()?;
    let value = &envelope["entry"][0]["changes"][0]["value"];
    let number = digits(value["display_phone_number"].as_str()?);
    if number.is_empty() || number.len() > WORD_MAX {
        return None;
    }
    let mut standing = before(&number).unwrap_or_default();
    match value["event"].as_str().unwrap_or_default() {
        "FLAGGED" => standing.quality = Some(Quality::Low),
        "UNFLAGGED" => standing.quality = Some(Quality::Fine),
        "THROUGHPUT_UPGRADE" => standing.throughput = Some(Throughput::High),
        _ => {}
    }
    let limits = ["max_daily_conversations_per_business", "current_limit"];
    let limit = limits.iter().find_map(|key| word(&value[*key]));
    standing.limit = limit.or(standing.limit);
    Some((number, standing))
}

fn word(value: &Value) -> Option<String> {
    let word = match value {
        Value::String(word) => word.clone(),
        Value::Number(count) => count.to_string(),
        _ => return None,
    };
    is_word(&word).then_some(word)
}

fn is_word(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    !word.is_empty() && word.len() <= WORD_MAX && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: &str) -> String {
        format!(r#"{{"entry":[{{"changes":[{{"field":"{FIELD}","value":{value}}}]}}]}}"#)
    }

    /// What is known after these values.
    fn check(values: &[&str], quality: Option<Quality>, limit: Option<&str>, is_fast: bool) {
        let throughput = is_fast.then_some(Throughput::High);
        let mut known = None;
        for value in values {
            let (number, standing) = told(&event(value), |_| known.clone()).unwrap();
            assert_eq!(number, "15550100101");
            known = Some(standing);
        }
        let expected = Standing {
            quality,
            limit: limit.map(str::to_owned),
            throughput,
        };
        assert_eq!(known, Some(expected), "{values:?}");
    }

    #[test]
    fn what_was_told_last_stands() {
        let flagged = r#"{"display_phone_number":"+1 555-010-0101","event":"FLAGGED","current_limit":"TIER_1K"}"#;
        let unflagged = r#"{"display_phone_number":"15550100101","event":"UNFLAGGED"}"#;
        let upgrade = r#"{"display_phone_number":"15550100101","event":"THROUGHPUT_UPGRADE",
                          "current_limit":"TIER_10K","max_daily_conversations_per_business":"TIER_UNLIMITED"}"#;
        let count = r#"{"display_phone_number":"15550100101","event":"ONBOARDING",
                        "max_daily_conversations_per_business":2000}"#;
        check(&[flagged], Some(Quality::Low), Some("TIER_1K"), false);
        check(
            &[flagged, unflagged],
            Some(Quality::Fine),
            Some("TIER_1K"),
            false,
        );
        check(&[upgrade], None, Some("TIER_UNLIMITED"), true);
        check(
            &[upgrade, flagged],
            Some(Quality::Low),
            Some("TIER_1K"),
            true,
        );
        check(&[count], None, Some("2000"), false);
    }

    #[test]
    fn what_graph_tells_when_asked_stands_too_and_what_it_does_not_stays() {
        let number = |quality: &str, throughput: &str, limit: &str| {
            let some = |word: &str| (!word.is_empty()).then(|| word.to_owned());
            Number {
                quality: some(quality),
                throughput: some(throughput),
                limit: some(limit),
                ..Number::default()
            }
        };
        let first = asked(&number("RED", "HIGH", "TIER_2K"), Standing::default());
        let expected = Standing {
            quality: Some(Quality::Low),
            limit: Some("TIER_2K".into()),
            throughput: Some(Throughput::High),
        };
        assert_eq!(first, expected);
        let odd = number("NA", "NOT_APPLICABLE", "<b>");
        assert_eq!(asked(&odd, first.clone()), first);
        let second = asked(&number("YELLOW", "STANDARD", ""), first);
        assert_eq!(second.quality, Some(Quality::Medium));
        assert_eq!(second.throughput, Some(Throughput::Standard));
        assert_eq!(second.limit.as_deref(), Some("TIER_2K"));
    }

    #[test]
    fn words_that_are_none_of_metas_are_left_out() {
        for limit in ["\"\"", "\"<b>\"", "null", "{}", &format!("\"{:0>99}\"", 1)] {
            let value =
                format!(r#"{{"display_phone_number":"15550100101","current_limit":{limit}}}"#);
            check(&[&value], None, None, false);
        }
    }

    #[test]
    fn an_event_that_names_no_number_says_nothing() {
        for value in ["{}", r#"{"display_phone_number":"x"}"#, "[]", "null"] {
            assert_eq!(told(&event(value), |_| None), None, "{value}");
        }
        assert_eq!(told("{", |_| None), None);
    }
}
