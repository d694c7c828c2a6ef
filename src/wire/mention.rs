//! Whether a text of Meta's form names a person: by an id that stands in it as a
//! whole string. What people write in their own words is not looked into.

use super::raw;

/// Shorter ones are no ids of people, and might be any word.
const LEN_MIN: usize = 4;

/// Keys under which an id is the business's own; its account's is an entry's `id`.
const OWN: &[&str] = &["display_phone_number", "phone_number_id"];

/// Whether an id (a phone number in digits, a BSUID, a group's id) stands in a JSON
/// text as a value, a number also with its plus sign.
pub fn names(json: &str, id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if id.len() < LEN_MIN || is_word(id) || !id.bytes().all(plain) {
        return false;
    }
    let mut is_named = false;
    for (at, _) in json.match_indices(id) {
        let (before, after) = (&json[..at], &json[at + id.len()..]);
        let before = before.strip_suffix('+').unwrap_or(before);
        let Some(before) = before.strip_suffix('"').filter(|_| after.starts_with('"')) else {
            continue;
        };
        // Whatever else has the business's own id here means the business: what its owner
        // wrote from the phone has it as `from`.
        if is_own(before) {
            return false;
        }
        is_named |= !is_key(&after[1..]);
    }
    is_named && !is_account(json, id)
}

/// Meta's own words (`text`, `whatsapp`) stand in nearly everything that is stored;
/// an id has more than letters.
fn is_word(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

/// Whether it is the id of the account that a notification came for, which stands
/// in all that comes for the account.
fn is_account(json: &str, id: &str) -> bool {
    let entries = raw::members(json).and_then(|all| raw::get(&all, "entry").map(raw::elements));
    let mut entries = entries.flatten().unwrap_or_default().into_iter();
    entries.any(|entry| raw::members(entry).is_some_and(|entry| raw::text_is(&entry, "id", id)))
}

/// What stands before a value says that it is the business's.
fn is_own(before: &str) -> bool {
    let Some(key) = before.trim_end().strip_suffix(':') else {
        return false;
    };
    let key = key.trim_end();
    OWN.iter().any(|own| {
        let key = key.strip_suffix('"').and_then(|key| key.strip_suffix(own));
        key.is_some_and(|rest| rest.ends_with('"'))
    })
}

fn is_key(after: &str) -> bool {
    after.trim_start().starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "15550100001";

    fn check(json: &str, expected: bool) {
        assert_eq!(names(json, ANN), expected, "{json}");
    }

    #[test]
    fn an_id_that_is_a_value_names_its_person() {
        check(r#"{"from":"15550100001"}"#, true);
        check(r#"{"to": "+15550100001"}"#, true);
        check(r#"["15550100001"]"#, true);
        check(r#"{"a":"15550100001x","b":"15550100001"}"#, true);
    }

    #[test]
    fn part_of_a_text_or_a_key_names_nobody() {
        check(r#"{"body":"call 15550100001"}"#, false);
        check(r#"{"id":"155501000012"}"#, false);
        check(r#"{"id":"115550100001"}"#, false);
        check(r#"{"15550100001":1}"#, false);
        check(r#"{"amount":15550100001}"#, false);
    }

    #[test]
    fn the_business_is_not_the_person() {
        check(r#"{"display_phone_number":"15550100001"}"#, false);
        check(r#"{"display_phone_number" : "+15550100001"}"#, false);
        check(
            r#"{"display_phone_number":"15550100001","from":"15550100001"}"#,
            false,
        );
        check(
            r#"{"from":"15550100001","to":"1","display_phone_number":"15550100001"}"#,
            false,
        );
        check(
            r#"{"display_phone_number":"15550109000","from":"15550100001"}"#,
            true,
        );
    }

    #[test]
    fn the_account_is_not_the_person() {
        check(r#"{"entry":[{"id":"15550100001","changes":[]}]}"#, false);
        check(
            r#"{"entry":[{"changes":[{"id":"x"}], "id" : "15550100001"}]}"#,
            false,
        );
        check(
            r#"{"entry":[{"id":"1","changes":[{"from":"15550100001"}]}]}"#,
            true,
        );
        check(r#"{"other":[{"id":"15550100001"}]}"#, true);
    }

    #[test]
    fn a_word_of_metas_names_nobody() {
        let json = r#"{"messaging_product":"whatsapp","type":"text","language":"en_US"}"#;
        for word in ["whatsapp", "text", "en_US"] {
            assert!(!names(json, word), "{word}");
        }
        assert!(names(r#"{"group_id":"GROUP=="}"#, "GROUP=="));
    }

    #[test]
    fn what_is_no_id_names_nobody() {
        for id in ["", "a", "\",\"", "\\u0031"] {
            assert!(!names(r#"{"a":"a","b":"\u0031"}"#, id), "{id}");
        }
    }
}
