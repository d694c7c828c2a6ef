//! What makes two events the same, and what a status says.

use super::*;

fn key(value: &str) -> String {
    let body = envelope(value);
    sound(&body)[0].key.clone()
}

#[test]
fn the_same_event_has_the_same_key_in_whatever_company() {
    let elements = [
        (
            "messages",
            r#"{"id":"m1","from":"15550100001","type":"text"}"#,
        ),
        ("messages", r#"{"from":"15550100001","type":"text"}"#),
        ("messages", "7"),
        (
            "statuses",
            r#"{"id":"m1","status":"delivered","recipient_id":"15550100001"}"#,
        ),
        ("statuses", r#"{"id":"m1","x":1}"#),
        ("calls", r#"{"id":"c1","event":"terminate"}"#),
        ("calls", r#"{"id":"c1"}"#),
    ];
    for (list, element) in elements {
        let alone = key(&format!(r#""{list}":[{element}]"#));
        let batch = envelope(&format!(
            r#""contacts":[{{"wa_id":"15550100001"}}],"{list}":[{{"id":"m9","status":"x"}},{element}],"errors":[]"#
        ));
        assert_eq!(sound(&batch)[1].key, alone, "{element}");
    }
    // The rest of a message may be told differently.
    assert_eq!(
        key(r#""messages":[{"id":"m1","image":{"url":"https://example.com/1"}}]"#),
        key(r#""messages":[{"image":{"url":"https://example.com/2"},"id":"m1"}]"#)
    );
    let change = |after: &str| {
        format!(
            r#"{{"entry":[{{"id":"7","time":1,"changes":[{{"field":"f","value":{{"event":"E"}}}}{after}]}}]}}"#
        )
    };
    assert_eq!(
        sound(&change(""))[0].key,
        sound(&change(r#",{"field":"g"}"#))[0].key
    );
}

#[test]
fn different_events_have_different_keys() {
    let status = |more: &str| envelope(&format!(r#""statuses":[{{"id":"m1",{more}}}]"#));
    let change = |waba: &str, time: &str, change: &str| {
        format!(r#"{{"entry":[{{"id":"{waba}","time":{time},"changes":[{{{change}}}]}}]}}"#)
    };
    let rows = [
        envelope(r#""messages":[{"id":"m1"}]"#),
        envelope(r#""messages":[{"id":"m1"}]"#)
            .replace(r#""field":"messages""#, r#""field":"standby""#),
        envelope(r#""messages":[{"id":"m2"}]"#),
        envelope(r#""messages":[{"text":{"body":"a"}}]"#),
        envelope(r#""messages":[{"text":{"body":"b"}}]"#),
        envelope(r#""calls":[{"id":"m1","event":"connect"}]"#),
        envelope(r#""calls":[{"id":"m1","event":"terminate"}]"#),
        status(r#""status":"delivered""#),
        status(r#""status":"read""#),
        status(r#""status":"delivered","recipient_participant_id":"15550100001""#),
        status(r#""status":"delivered","recipient_participant_id":"15550100002""#),
        status(r#""status":"delivered","recipient_participant_user_id":"US.3""#),
        status(r#""status":"pending","payment":{"transaction":{"id":"t1","status":"pending"}}"#),
        status(r#""status":"pending","payment":{"transaction":{"id":"t2","status":"pending"}}"#),
        status(r#""status":"pending","payment":{"transaction":{"id":"t2","status":"failed"}}"#),
        status(r#""status":null,"x":1"#),
        status(r#""status":null,"x":2"#),
        change("7", "1", r#""field":"f","value":{}"#),
        change("8", "1", r#""field":"f","value":{}"#),
        change("7", "2", r#""field":"f","value":{}"#),
        change("7", "1", r#""field":"g","value":{}"#),
        change("7", "1", r#""field":"f","value":{"a":1}"#),
        change("7", "1", r#""field":"f","value":null"#),
        change("7", "1", r#""field":"f","value":null,"x":1"#),
        change("7", "1", r#""field":"f""#),
    ];
    let keys: HashSet<String> = rows.iter().map(|body| sound(body)[0].key.clone()).collect();
    assert_eq!(keys.len(), rows.len());
}

#[test]
fn both_spellings_of_a_participant_make_one_key() {
    let status =
        |key: &str| format!(r#""statuses":[{{"id":"m1","status":"read","{key}":"15550100001"}}]"#);
    assert_eq!(
        key(&status("recipient_participant_id")),
        key(&status("participant_recipient_id"))
    );
}

#[test]
fn a_plain_status_is_found_by_status_key() {
    let long = "m".repeat(10_000);
    for wamid in ["wamid.HBgL+/=", &long] {
        let status = format!(r#""statuses":[{{"id":"{wamid}","status":"sent"}}]"#);
        assert_eq!(key(&status), status_key("messages", wamid, "sent"));
    }
}

#[test]
fn keys_stay_short_and_apart_however_long_the_ids() {
    let long = "x".repeat(100_000);
    let rows = [
        envelope(&format!(r#""messages":[{{"id":"{long}1"}}]"#)),
        envelope(&format!(r#""messages":[{{"id":"{long}2"}}]"#)),
        envelope(&format!(
            r#""statuses":[{{"id":"{long}","status":"sent"}}]"#
        )),
        envelope(&format!(
            r#""statuses":[{{"id":"{long}","status":"sent","recipient_participant_id":"{long}"}}]"#
        )),
        format!(r#"{{"entry":[{{"changes":[{{"field":"{long}","value":{{}}}}]}}]}}"#),
        format!(r#"{{"entry":[{{"changes":[{{"field":"{long}","value":{{"messages":[7]}}}}]}}]}}"#),
    ];
    let keys: HashSet<String> = rows.iter().map(|body| sound(body)[0].key.clone()).collect();
    assert_eq!(keys.len(), rows.len());
}

#[test]
fn a_status_says_what_the_ladder_needs() {
    let facts = |status: &str, opaque: Option<&str>, of_participant, codes: &[i64]| {
        Some(StatusFacts {
            wamid: "m1".into(),
            status: status.into(),
            opaque: opaque.map(Into::into),
            of_participant,
            error_codes: codes.to_vec(),
            free_until: None,
            purpose: None,
        })
    };
    let rows = [
        (r#""status":"sent""#, facts("sent", None, false, &[])),
        (
            r#""status":"new word","biz_opaque_callback_data":"\u006f:1""#,
            facts("new word", Some("o:1"), false, &[]),
        ),
        (
            r#""status":"failed","errors":[{"code":131026}]"#,
            facts("failed", None, false, &[131_026]),
        ),
        (
            r#""status":"failed","errors":[null,{"code":"131026"}]"#,
            facts("failed", None, false, &[131_026]),
        ),
        (
            r#""status":"failed","errors":[{"code":131026},{},{"code":131042}]"#,
            facts("failed", None, false, &[131_026, 131_042]),
        ),
        (
            r#""status":"failed","errors":{}"#,
            facts("failed", None, false, &[]),
        ),
        (
            r#""status":"read","recipient_participant_user_id":"US.1""#,
            facts("read", None, true, &[]),
        ),
        (
            r#""status":"read","recipient_participant_id":null"#,
            facts("read", None, false, &[]),
        ),
        (r#""status":"captured","type":"payment""#, None),
        (r#""status":"RINGING","type":"call""#, None),
        (r#""status":null"#, None),
    ];
    for (status, expected) in rows {
        let body = envelope(&format!(r#""statuses":[{{"id":"m1",{status}}}]"#));
        let events = sound(&body);
        assert_eq!(
            (events[0].kind, &events[0].status),
            (Status, &expected),
            "{status}"
        );
    }
    for (list, kind) in [("messages", Message), ("calls", Call)] {
        let body = envelope(&format!(r#""{list}":[{{"id":"m1","status":"sent"}}]"#));
        assert_eq!(
            (sound(&body)[0].kind, &sound(&body)[0].status),
            (kind, &None)
        );
    }
}
