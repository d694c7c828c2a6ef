//! What opens the customer service window.

use super::*;

/// What the only event of such a value says: its time, and `ad`.
fn check(field: &str, value: &str, expected: &str) {
    let body = envelope(value).replace(r#""field":"messages""#, &format!(r#""field":"{field}""#));
    let events = sound(&body);
    let shown = match events[0].opening {
        None => "nothing".to_owned(),
        Some(opening) => format!(
            "{:?}{}",
            opening.at.unwrap_or(-1),
            if opening.from_ad { " ad" } else { "" }
        ),
    };
    assert_eq!(shown, expected, "{field}: {value}");
}

#[test]
fn whatever_a_person_does_opens_it() {
    for type_ in [
        "text",
        "image",
        "reaction",
        "unsupported",
        "request_welcome",
        "edit",
        "new",
    ] {
        let message = format!(r#""messages":[{{"from":"1","timestamp":"9","type":"{type_}"}}]"#);
        check("messages", &message, "9");
    }
    check(
        "messages",
        r#""messages":[{"from":"1","timestamp":9}]"#,
        "9",
    );
    check("messages", r#""messages":[{"from":"1"}]"#, "-1");
    check("", r#""messages":[{"from":"1","timestamp":"9"}]"#, "9");
    check(
        "messages",
        r#""messages":[{"from":"1","timestamp":"9","referral":{"source_type":"ad"}}]"#,
        "9 ad",
    );
    check(
        "messages",
        r#""messages":[{"from":"1","timestamp":"9","referral":null}]"#,
        "9",
    );
    for event in ["connect", "terminate"] {
        let call =
            format!(r#""calls":[{{"id":"c","event":"{event}","from":"1","timestamp":"9"}}]"#);
        check("calls", &call, "9");
    }
    check(
        "calls",
        r#""statuses":[{"id":"c","type":"call","status":"ACCEPTED","timestamp":"9","recipient_id":"1"}]"#,
        "9",
    );
}

#[test]
fn what_is_not_the_persons_doing_opens_nothing() {
    let message = r#""messages":[{"from":"1","timestamp":"9","type":"text"}]"#;
    for field in ["history", "standby", "smb_message_echoes"] {
        check(field, message, "nothing");
    }
    let values = [
        r#""messages":[{"from":"1","timestamp":"9","type":"system"}]"#,
        // Our own number, as the metadata spells it.
        r#""messages":[{"from":"15550109000","to":"1","timestamp":"9","type":"text"}]"#,
        r#""calls":[{"id":"c","event":"connect","direction":"BUSINESS_INITIATED","to":"1"}]"#,
        r#""calls":[{"id":"c","event":"call_recording_available","from":"1","timestamp":"9"}]"#,
        r#""statuses":[{"id":"w","status":"read","timestamp":"9","recipient_id":"1"}]"#,
        r#""statuses":[{"id":"c","type":"call","status":"RINGING","timestamp":"9"}]"#,
        r#""message_echoes":[{"from":"15550109000","to":"1","timestamp":"9"}]"#,
        r#""contacts":[{"wa_id":"1"}],"user_preferences":[{"wa_id":"1","timestamp":9}]"#,
    ];
    for value in values {
        check("messages", value, "nothing");
    }
}

#[test]
fn a_status_tells_the_end_of_a_free_entry_point_and_of_nothing_else() {
    let rows = [
        (
            r#""expiration_timestamp":"9","origin":{"type":"referral_conversion"}"#,
            Some(9),
        ),
        (
            r#""expiration_timestamp":9,"origin":{"type":"referral_conversion"}"#,
            Some(9),
        ),
        (
            r#""expiration_timestamp":"9","origin":{"type":"service"}"#,
            None,
        ),
        (r#""expiration_timestamp":"9""#, None),
        (r#""origin":{"type":"referral_conversion"}"#, None),
    ];
    for (conversation, expected) in rows {
        let body = envelope(&format!(
            r#""statuses":[{{"id":"w","status":"sent","conversation":{{{conversation}}}}}]"#
        ));
        let facts = sound(&body)[0].status.clone().unwrap();
        assert_eq!(facts.free_until, expected, "{conversation}");
    }
}
