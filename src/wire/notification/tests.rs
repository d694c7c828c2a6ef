//! How notifications become events, whatever stands in them. Whom events are about is in
//! `people`, what they tell of marketing in `marketing`.

use super::*;
use Kind::{Call, Message, Other, Status};
use std::collections::HashSet;

mod keys;
mod marketing;
mod opening;
mod people;
mod random;

/// An envelope whose one value has these members.
fn envelope(value: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"7","changes":[{{"field":"messages","value":{{"metadata":{{"display_phone_number":"+1 555-010-9000","phone_number_id":"42"}},{value}}}}}]}}]}}"#
    )
}

/// Reads a notification and tests what holds for each.
fn sound(body: &str) -> Vec<Incoming<'_>> {
    let events = read(body.as_bytes()).unwrap_or_else(|_| panic!("not JSON: {body}"));
    if let [event] = &events[..] {
        assert_eq!(event.body, body, "one event is stored as it came");
    }
    for event in &events {
        let again = read(event.body.as_bytes()).expect("what was cut out is JSON");
        let [again] = &again[..] else {
            panic!("{} events in the body of one: {}", again.len(), event.body);
        };
        assert_eq!(format!("{again:?}"), format!("{event:?}"));
        assert!(event.key.len() <= KEY_BYTES_MAX);
    }
    events
}

/// Events as `kind type`, then the key with any digest as `#`, then the party.
fn check(body: &str, expected: &[&str]) {
    let line = |e: &Incoming<'_>| {
        let is_digest =
            |word: &str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let key = e
            .key
            .split(' ')
            .map(|word| if is_digest(word) { "#" } else { word });
        let key = key.skip(1).collect::<Vec<_>>().join(" ");
        format!(
            "{} {} | {key} | {}",
            e.kind.as_str(),
            e.type_,
            party_text(&e.party)
        )
    };
    let lines: Vec<String> = sound(body).iter().map(line).collect();
    assert_eq!(lines, expected, "{body}");
}

fn party_text(party: &Party) -> String {
    match party {
        Party::User(ids) => ids.join("="),
        Party::Group(id) => format!("group {id}"),
        Party::Account(id) => format!("account {id}"),
    }
}

fn bodies(body: &str) -> Vec<String> {
    let events = sound(body).into_iter();
    events.map(|e| e.body.into_owned()).collect()
}

#[test]
fn each_element_of_each_change_of_each_entry_is_an_event() {
    let body = r#"{"object":"whatsapp_business_account","entry":[
        {"id":"7","time":1,"changes":[
            {"field":"messages","value":{"messages":[
                {"id":"m1","from":"15550100001","type":"text"},
                {"id":"m2","from":"15550100002","type":"image"}]}},
            {"field":"messages","value":{"statuses":[
                {"id":"m0","status":"sent","recipient_id":"15550100001"},
                {"id":"m0","status":"read","recipient_id":"15550100001"}]}},
            {"field":"message_template_status_update","value":{"event":"APPROVED"}}]},
        {"id":"8","changes":[]},
        {"id":8,"changes":[
            {"field":"calls","value":{
                "calls":[{"id":"c1","event":"connect","from":"15550100003"}],
                "statuses":[{"id":"c1","status":"RINGING","type":"call"}],
                "messages":[]}},
            {"field":"history","value":{"messages":[{"id":"m3","type":"audio"}]}}]}]}"#;
    check(
        body,
        &[
            "message text | messages m1 | 15550100001",
            "message image | messages m2 | 15550100002",
            "status sent | messages m0 sent | 15550100001",
            "status read | messages m0 read | 15550100001",
            "other APPROVED | message_template_status_update # | account 7",
            "call connect | calls c1 connect | 15550100003",
            "status RINGING | calls c1 RINGING | account 8",
            "message audio | history m3 | account 8",
        ],
    );
}

#[test]
fn what_says_nothing_is_no_event() {
    let rows = [
        r#"{"entry":[]}"#,
        r#"{"entry":[{}]}"#,
        r#"{"entry":[{"id":"7","time":1}]}"#,
        r#"{"entry":[{"id":"7","changes":[]}]}"#,
        r#"{"entry":[{"id":"7","changes":[ ]},{"id":"7","changes":null}]}"#,
        r#"{"object":"whatsapp_business_account","entry":[{"id":"7","time":1,"changed_fields":["messages"]}]}"#,
    ];
    for body in rows {
        check(body, &[]);
    }
}

#[test]
fn json_of_another_shape_is_one_event() {
    let rows = [
        "[]",
        "1",
        "-1e400",
        "null",
        "true",
        r#""a""#,
        r#""\ud83d""#,
        "{}",
        " {} ",
        "[[[{}]]]",
        r#"{"entry":{}}"#,
        r#"{"entry":null}"#,
        r#"{"entry":"x"}"#,
        r#"{"entries":[]}"#,
        r#"{"entry":[null]}"#,
        r#"{"entry":[1]}"#,
        r#"{"entry":[[]]}"#,
        r#"{"entry":["x"]}"#,
    ];
    for body in rows {
        check(body, &["other  |  # | account "]);
    }
    // The account is known when the entry is an object.
    for entry in [
        r#""changes":{}"#,
        r#""changes":"x""#,
        r#""messaging":[{"x":1}]"#,
    ] {
        let body = format!(r#"{{"entry":[{{"id":7,{entry}}}]}}"#);
        check(&body, &["other  |  # | account 7"]);
    }
    // And the field, when there is a change.
    for value in [
        "",
        r#","value":null"#,
        r#","value":{}"#,
        r#","value":[]"#,
        r#","value":[{}]"#,
        r#","value":1"#,
        r#","value":{"messages":[]}"#,
        r#","value":{"messages":{}}"#,
        r#","value":{"messages":null}"#,
        r#","value":{"statuses":"x","calls":7}"#,
        r#","value":{"messages":{"0":{"id":"m1"}}}"#,
    ] {
        let body = format!(r#"{{"entry":[{{"id":"7","changes":[{{"field":"f"{value}}}]}}]}}"#);
        let events = sound(&body);
        assert_eq!((events.len(), events[0].kind), (1, Other), "{body}");
        assert_eq!(
            (&*events[0].field, &events[0].party),
            ("f", &Party::Account("7".into()))
        );
    }
}

#[test]
fn what_is_odd_does_not_spoil_its_neighbours() {
    check(
        r#"{"entry":[1,{"changes":[null,{"field":"f","value":null},
            {"value":{"messages":[null,7,"x",[],{"id":"m1","type":"text"}]}}]},null]}"#,
        &[
            "other  |  # | account ",
            "other  |  # | account ",
            "other  | f # | account ",
            "message  |  # | account ",
            "message  |  # | account ",
            "message  |  # | account ",
            "message  |  # | account ",
            "message text |  m1 | account ",
            "other  |  # | account ",
        ],
    );
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    let rows: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{} {}",
        b"nul",
        b"01",
        b"[1,]",
        b"{\"a\":1,}",
        b"{\"a\" 1}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"\"tab\there\"",
        b"a=1&b=2",
    ];
    for body in rows {
        assert_eq!(read(body).err(), Some(NotJson), "{}", body.escape_ascii());
    }
    let whole = envelope(r#""messages":[{"id":"m1","text":{"body":"\ud83d\ude42"}}]"#);
    for cut in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_narrowed_body_keeps_everything_around_its_event_as_written() {
    let body = "{ \"object\" : \"whatsapp_business_account\", \"\\u0065ntry\":[ {\"id\": 90071992547409931234,\
        \"new\":{\"a\":[1.50, 1E+3]},\"changes\":[ {\"v\\u0061lue\": {\"x\\ud83d\":\"\\udc00 \\/\",\
        \"messages\": [ {\"id\":\"m1\", \"n\": -0.0}, {\"id\":\"m2\",\"id\":\"m3\"} ],\
        \"errors\":[{\"code\":1e2}], \"statuses\":[{\"id\":\"m1\",\"status\":\"sent\"}]},\
        \"field\":\"messages\",\"later\":null}, {\"field\":\"other\", \"value\" : { } } ]}],\n\"tail\":\"\u{e9}\"}\n";
    let head = r#"{"object":"whatsapp_business_account","\u0065ntry":[{"id":90071992547409931234,"new":{"a":[1.50, 1E+3]},"changes":["#;
    let value = r#"{"v\u0061lue":{"x\ud83d":"\udc00 \/","#;
    let rest = r#"},"field":"messages","later":null}"#;
    let tail = "]}],\"tail\":\"\u{e9}\"}";
    let errors = r#""errors":[{"code":1e2}]"#;
    let expected = [
        format!(r#"{head}{value}"messages":[{{"id":"m1", "n": -0.0}}],{errors}{rest}{tail}"#),
        format!(r#"{head}{value}"messages":[{{"id":"m2","id":"m3"}}],{errors}{rest}{tail}"#),
        format!(r#"{head}{value}{errors},"statuses":[{{"id":"m1","status":"sent"}}]{rest}{tail}"#),
        format!(r#"{head}{{"field":"other", "value" : {{ }} }}{tail}"#),
    ];
    assert_eq!(bodies(body), expected);
}

#[test]
fn keys_given_twice_lose_nothing() {
    let body = r#"{"entry":[{"changes":[{"field":"a"}],"changes":[{"field":"b"}]}],
        "entry":[{"changes":[{"field":"c","value":{"messages":[{"id":"m1"}],"messages":[{"id":"m2"}],
        "contacts":[{"wa_id":"1"}],"contacts":[{"wa_id":"2"}]},"value":7}]}],"entry":null}"#;
    let value = |inside: &str| {
        format!(
            r#"{{"entry":[{{"changes":[{{"field":"c","value":{{{inside}}},"value":7}}]}}],"entry":null}}"#
        )
    };
    let expected = [
        r#"{"entry":[{"changes":[{"field":"a"}]}],"entry":null}"#.to_owned(),
        r#"{"entry":[{"changes":[{"field":"b"}]}],"entry":null}"#.to_owned(),
        value(r#""messages":[{"id":"m1"}],"contacts":[{"wa_id":"1"}],"contacts":[{"wa_id":"2"}]"#),
        value(r#""messages":[{"id":"m2"}]"#),
    ];
    assert_eq!(bodies(body), expected);
}

#[test]
fn field_and_number_are_found_where_meta_puts_them() {
    let rows = [
        (
            r#"{"entry":[{"changes":[{"value":{"messages":[{}]},"field":"a"}],"field":"b"}],"field":"c"}"#,
            "a",
            "",
        ),
        (
            r#"{"entry":[{"changes":[{"value":{"event":"X"}}],"field":"b","object":"o"}]}"#,
            "b",
            "",
        ),
        (
            r#"{"entry":[{"changes":[{"field":"","value":{}}]}],"field":"c"}"#,
            "c",
            "",
        ),
        (
            r#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":42}}}]}]}"#,
            "",
            "42",
        ),
        (
            r#"{"entry":[{"changes":[{"value":{"recipient":{"phone_number_id":"42"}}}]}]}"#,
            "",
            "42",
        ),
        (
            r#"{"entry":[{"changes":[{"value":{"metadata":null,"calls":[{}]}}]}]}"#,
            "",
            "",
        ),
        (
            r#"{"entry":[{"changes":[{"value":{"metadata":["42"],"calls":[{}]}}]}]}"#,
            "",
            "",
        ),
    ];
    for (body, field, number) in rows {
        let events = sound(body);
        assert_eq!(
            (&*events[0].field, &*events[0].number),
            (field, number),
            "{body}"
        );
    }
}

#[test]
fn a_change_is_called_by_its_own_word_or_by_what_it_holds() {
    let rows = [
        (r#""event":"APPROVED","type":"x""#, "APPROVED"),
        (r#""type":"control_passed""#, "control_passed"),
        (
            r#""event":null,"contacts":[],"user_actions":[{}]"#,
            "user_actions",
        ),
        (r#""errors":[{"code":1}]"#, "errors"),
        (r#""messages":{}"#, ""),
    ];
    for (value, type_) in rows {
        assert_eq!(sound(&envelope(value))[0].type_, type_, "{value}");
    }
}

#[test]
fn a_message_without_type_is_called_by_its_content() {
    let rows = [
        (r#""type":"text","image":{}"#, "text"),
        (r#""type":"not yet known""#, "not yet known"),
        (r#""id":"m1","interactive":{}"#, "interactive"),
        (r#""type":null,"context":{},"order":{}"#, "order"),
        (r#""id":"m1","voice":{}"#, "voice"),
        (r#""id":"m1""#, ""),
    ];
    for (message, type_) in rows {
        assert_eq!(
            sound(&envelope(&format!(r#""messages":[{{{message}}}]"#)))[0].type_,
            type_
        );
    }
}

#[test]
fn depth_is_no_danger() {
    let deep = format!("{}{}", r#"{"a":["#.repeat(10_000), "]}".repeat(10_000));
    for value in [
        format!(r#""messages":[{{"id":"m1","new":{deep}}},{{"id":"m2"}}]"#),
        format!(r#""messages":[{deep},{deep}]"#),
        format!(r#""contacts":[{deep}],"messages":[{{"id":"m1"}},{{"id":"m2"}}]"#),
        format!(r#""metadata":{deep},"calls":[1,2]"#),
    ] {
        assert_eq!(sound(&envelope(&value)).len(), 2);
    }
    let entries = format!(r#"{{"entry":[{deep},{{"changes":[{deep}]}}]}}"#);
    assert_eq!(sound(&entries).len(), 2);
    assert_eq!(sound(&deep).len(), 1);
    assert!(read(&deep.as_bytes()[1..]).is_err());
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

#[test]
fn metas_largest_batch_is_split_however_it_is_nested() {
    let message = |n| format!(r#"{{"id":"m{n}","from":"1555010{n:04}"}}"#);
    let contact = |n| {
        format!(
            r#"{{"profile":{{"name":"Robin Sample"}},"wa_id":"1555010{:04}"}}"#,
            999 - n
        )
    };
    let stranger =
        |n| format!(r#"{{"profile":{{"name":"Robin Sample"}},"wa_id":"1555990{n:04}"}}"#);
    let entry = |n| {
        let body = envelope(&format!(
            r#""contacts":[{}],"messages":[{}]"#,
            contact(999 - n),
            message(n)
        ));
        let start = body.find(r#"{"id":"7""#).unwrap();
        body[start..body.len() - 2].to_owned()
    };
    let messages = list(1_000, message);
    for body in [
        envelope(&format!(
            r#""contacts":[{}],"messages":[{messages}]"#,
            list(1_000, contact)
        )),
        envelope(&format!(
            r#""contacts":[{}],"messages":[{messages}]"#,
            list(1_000, stranger)
        )),
        format!(r#"{{"entry":[{}]}}"#, list(1_000, entry)),
    ] {
        let events = sound(&body);
        assert_eq!(events.len(), 1_000);
        assert!(
            events
                .iter()
                .enumerate()
                .all(|(n, e)| e.key == format!("message messages m{n}"))
        );
    }
}

#[test]
fn what_would_grow_beyond_bounds_is_kept_whole() {
    let many = envelope(&format!(
        r#""messages":[{}]"#,
        list(EVENTS_MAX + 1, |n| n.to_string())
    ));
    let padding = "x".repeat(SPLIT_BYTES_MAX / 100);
    let large = envelope(&format!(
        r#""messages":[{}],"x":"{padding}""#,
        list(100, |n| n.to_string())
    ));
    for body in [many, large] {
        check(&body, &["other  |  # | account "]);
    }
}
