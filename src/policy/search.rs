//! What is typed to find a person: the beginning of an id, or words of a name.

use crate::wire::notification::{is_bsuid, user_id};

/// Words of one name, or of one search, that count.
const WORDS_MAX: usize = 8;

/// Letters of one word that count.
const LETTERS_MAX: usize = 40;

/// Digits before a search is for a number: with fewer it is for half of all.
const DIGITS_MIN: usize = 3;

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What an id begins with, as ids are stored.
    pub id: Option<String>,
    /// What words of the name begin with, all of them.
    pub words: Vec<String>,
}

impl Search {
    /// Reads what was typed: a number however it is written, a BSUID, a user
    /// name, words of a name in large letters or small.
    pub fn read(typed: &str) -> Search {
        Search {
            id: id(typed.trim()),
            words: words(typed),
        }
    }

    /// Whether nothing was typed that can be looked for.
    pub fn is_empty(&self) -> bool {
        self.id.is_none() && self.words.is_empty()
    }

    /// Whether these words have all that is looked for.
    pub fn fits(&self, words: &[String]) -> bool {
        let has = |wanted: &String| words.iter().any(|word| word.starts_with(wanted));
        self.words.iter().all(has)
    }
}

fn id(typed: &str) -> Option<String> {
    let of_number = |c: char| c.is_ascii_digit() || " +-()./\u{a0}".contains(c);
    let digits = typed.chars().filter(char::is_ascii_digit).count();
    if digits >= DIGITS_MIN && typed.chars().all(of_number) {
        return Some(typed.chars().filter(char::is_ascii_digit).collect());
    }
    // `us.1349…`
    let upper = typed.to_ascii_uppercase();
    is_bsuid(&upper).then(|| user_id(&upper).to_string())
}

/// The words by which a name is found: in small letters, without what is neither
/// letter nor digit, each once.
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in name.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
        let word: String = word.chars().take(LETTERS_MAX).collect();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == WORDS_MAX {
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, id: Option<&str>, words: &[&str]) {
        let expected = Search {
            id: id.map(str::to_owned),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        assert_eq!(Search::read(typed), expected, "{typed:?}");
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        check("1555", Some("1555"), &["1555"]);
        check(
            " +1 (555) 010-7001 ",
            Some("15550107001"),
            &["1", "555", "010", "7001"],
        );
        check("+1", None, &["1"]);
    }

    #[test]
    fn bsuids_are_found_in_small_letters_too() {
        check("US.1349", Some("US.1349"), &["us", "1349"]);
        check("us.1349", Some("US.1349"), &["us", "1349"]);
    }

    #[test]
    fn names_are_words_in_small_letters() {
        check("Ana", None, &["ana"]);
        check("@Ana.Silva_99", None, &["ana", "silva", "99"]);
        check("ÉMILE Zola émile", None, &["émile", "zola"]);
        check("王小明", None, &["王小明"]);
        check("\u{202e}<b>Eve</b>", None, &["b", "eve"]);
        check("  😀 ", None, &[]);
        check("", None, &[]);
    }

    #[test]
    fn a_long_name_has_few_and_short_words() {
        let name = format!("{} {}", "x".repeat(900), "a b c d e f g h i j");
        let words = words(&name);
        assert_eq!(words.len(), WORDS_MAX);
        assert_eq!(words[0].len(), LETTERS_MAX);
    }

    #[test]
    fn all_that_is_typed_must_fit() {
        let words = words("Ana Maria Silva");
        for (typed, fits) in [
            ("ana", true),
            ("sil mar", true),
            ("ana x", false),
            ("na", false),
        ] {
            assert_eq!(Search::read(typed).fits(&words), fits, "{typed}");
        }
    }
}
