//! What statuses and preferences tell of marketing.

use super::*;

/// What the message was for of which this status tells.
fn check_purpose(status: &str, expected: Option<Purpose>) {
    let body = format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"statuses":[{{"id":"m","status":"sent"{status}}}]}}}}]}}]}}"#
    );
    let events = read(body.as_bytes()).unwrap();
    let facts = events[0].status.as_ref().unwrap();
    assert_eq!(facts.purpose, expected, "{status}");
}

#[test]
fn the_price_of_a_message_tells_what_it_is_for() {
    use Purpose::{Marketing, Service};
    for (category, expected) in [
        ("marketing", Some(Marketing)),
        ("marketing_lite", Some(Marketing)),
        ("utility", Some(Service)),
        ("authentication", Some(Service)),
        ("authentication-international", Some(Service)),
        ("service", None),
        ("referral_conversion", None),
        ("", None),
    ] {
        let pricing = format!(r#","pricing":{{"billable":true,"category":"{category}"}}"#);
        check_purpose(&pricing, expected);
    }
    check_purpose("", None);
    check_purpose(r#","pricing":null"#, None);
    check_purpose(r#","pricing":{"category":5}"#, None);
}

/// What `user_preferences` of this content tells of the wish for marketing.
fn check_wish(preferences: &str, expected: Option<bool>) {
    let body = format!(
        r#"{{"entry":[{{"changes":[{{"field":"user_preferences","value":{{"user_preferences":{preferences}}}}}]}}]}}"#
    );
    assert_eq!(wants_marketing(&body), expected, "{preferences}");
}

#[test]
fn a_preference_tells_whether_marketing_is_wanted() {
    for (preferences, expected) in [
        (
            r#"[{"category":"marketing_messages","value":"stop","timestamp":1}]"#,
            Some(false),
        ),
        (
            r#"[{"category":"marketing_messages","value":"resume"}]"#,
            Some(true),
        ),
        (
            r#"[{"category":"marketing_messages","value":"pause"}]"#,
            None,
        ),
        (r#"[{"category":"other","value":"stop"}]"#, None),
        (r#"[{"value":"stop"}]"#, None),
        ("[]", None),
        ("{}", None),
        ("null", None),
    ] {
        check_wish(preferences, expected);
    }
    for body in [
        "",
        "[]",
        "{}",
        r#"{"entry":[]}"#,
        r#"{"entry":[{"changes":[{}]}]}"#,
    ] {
        assert_eq!(wants_marketing(body), None, "{body}");
    }
}
