//! Envelopes of one event, read as handlers see them: whole, odd, or half-broken.

use super::*;
use crate::wire::message::Content;
use crate::wire::status::StatusName;

fn envelope(field: &str, value: &str) -> String {
    format!(
        r#"{{"object": "whatsapp_business_account", "entry": [{{"id": "210", "time": 1790000000,
            "changes": [{{"value": {value}, "field": "{field}"}}]}}]}}"#
    )
}

fn read(value: &str) -> Event {
    Event::read(&envelope("messages", value))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The kind and the id or name of what happened.
fn summary(event: &Event) -> (&str, &str) {
    match &event.kind {
        EventKind::Message(message) => ("message", &message.id),
        EventKind::Status(status) => ("status", &status.id),
        EventKind::Call(call) => ("call", &call.id),
        EventKind::Change(change) => ("change", change.event.as_deref().unwrap_or("")),
    }
}

#[test]
fn every_event_is_of_the_kind_its_value_says() {
    for (value, expected) in [
        (r#"{"messages": [{"id": "m"}]}"#, ("message", "m")),
        (
            r#"{"messages": [{"id": 12345678901234567}]}"#,
            ("message", "12345678901234567"),
        ),
        (r#"{"messages": [null]}"#, ("message", "")),
        (
            r#"{"statuses": [{"id": "s"}], "errors": [{"code": 1}]}"#,
            ("status", "s"),
        ),
        (
            r#"{"messages": [], "statuses": [{"id": "s"}]}"#,
            ("status", "s"),
        ),
        (
            r#"{"messages": null, "calls": [{"id": "c"}]}"#,
            ("call", "c"),
        ),
        (r#"{"messages": {"id": "no list"}}"#, ("change", "")),
        (r#"{"event": "APPROVED"}"#, ("change", "APPROVED")),
        (
            r#"{"decision": "REJECTED", "reason": null}"#,
            ("change", "REJECTED"),
        ),
        (
            r#"{"type": "control_passed"}"#,
            ("change", "control_passed"),
        ),
        (
            r#"{"groups": [{"type": "group_create"}]}"#,
            ("change", "group_create"),
        ),
        (
            r#"{"user_actions": [{"action_type": "click"}]}"#,
            ("change", "click"),
        ),
        (
            r#"{"automatic_events": [{"event_name": "Purchase"}]}"#,
            ("change", "Purchase"),
        ),
        (
            r#"{"standby": {"messages": [{"id": "theirs"}]}}"#,
            ("change", ""),
        ),
        (r#"{"errors": [{"code": 131000}]}"#, ("change", "")),
        ("{}", ("change", "")),
        ("null", ("change", "")),
        (r#""text""#, ("change", "")),
        ("[]", ("change", "")),
    ] {
        assert_eq!(summary(&read(value)), expected, "{value}");
    }
}

#[test]
fn the_envelope_is_read_wherever_meta_puts_its_keys() {
    for (envelope, field, waba_id, time) in [
        (
            r#"{"entry": [{"id": "1", "time": 5, "changes": [{"field": "f", "value": {}}]}]}"#,
            "f",
            "1",
            Some(5),
        ),
        (
            r#"{"entry": [{"id": 1, "time": "5", "changes": [{"field": "f"}]}]}"#,
            "f",
            "1",
            Some(5),
        ),
        (
            r#"{"entry": [{"id": "0", "time": 1790000000123, "changes": [{}]}]}"#,
            "",
            "0",
            Some(1_790_000_000),
        ),
        (
            r#"{"entry": [{"id": "1", "field": "f", "changes": [{"value": {}}]}]}"#,
            "f",
            "1",
            None,
        ),
        (
            r#"{"field": "f", "entry": [{"changes": [{"value": null}]}]}"#,
            "f",
            "",
            None,
        ),
        (
            r#"{"entry": [{"id": "1", "changed_fields": ["f"]}]}"#,
            "",
            "1",
            None,
        ),
        (r#"{"entry": [{"changes": [7]}]}"#, "", "", None),
        (r#"{"entry": [null]}"#, "", "", None),
        (r#"{"entry": []}"#, "", "", None),
        (r#"{"entry": {"id": "1"}}"#, "", "", None),
        ("[]", "", "", None),
        ("no JSON", "", "", None),
        ("", "", "", None),
    ] {
        let event = Event::read(envelope);
        assert_eq!(
            (event.field.as_str(), event.waba_id.as_str(), event.time),
            (field, waba_id, time),
            "{envelope}"
        );
    }
}

#[test]
fn the_number_is_read_from_metadata_or_the_recipient() {
    let number = |display| {
        Some(Number {
            phone_number_id: "109".into(),
            display_phone_number: display,
        })
    };
    for (value, expected) in [
        (
            r#"{"metadata": {"phone_number_id": "109", "display_phone_number": "+1 555"}}"#,
            number(some("+1 555")),
        ),
        (r#"{"metadata": {"phone_number_id": 109}}"#, number(None)),
        (
            r#"{"recipient": {"phone_number_id": "109"}, "type": "control_passed"}"#,
            number(None),
        ),
        (r#"{"metadata": {"display_phone_number": "1555"}}"#, None),
        (r#"{"metadata": null}"#, None),
        (r#"{"metadata": "109"}"#, None),
    ] {
        assert_eq!(read(value).number, expected, "{value}");
    }
}

const NORA: &str = r#"{"profile": {"name": "Nora"}, "wa_id": "15550201001"}"#;
const BEN: &str = r#"{"profile": {"name": "Ben"}, "wa_id": "15550201002", "user_id": "US.2"}"#;
const KIT: &str = r#"{"profile": {"username": "@kit"}, "user_id": "US.3"}"#;

#[test]
fn the_contact_is_the_one_the_event_is_about() {
    let mexican = r#"{"profile": {"name": "Luz"}, "wa_id": "525550201005"}"#;
    let nameless = r#"{"profile": {"name": "X"}}"#;
    // [contacts], list, its element, who it is about
    for (contacts, list, element, expected) in [
        (
            &[NORA, BEN][..],
            "messages",
            r#"{"from": "15550201002"}"#,
            "Ben",
        ),
        (
            &[NORA, BEN],
            "messages",
            r#"{"from": "+1 555-020-1001"}"#,
            "Nora",
        ),
        (
            &[NORA, BEN],
            "messages",
            r#"{"from_user_id": "US.2"}"#,
            "Ben",
        ),
        (&[NORA, BEN], "messages", r#"{"from": "15550201009"}"#, ""),
        (
            &[NORA, KIT],
            "messages",
            r#"{"from_user_id": "US.3"}"#,
            "kit",
        ),
        (
            &[NORA, mexican],
            "messages",
            r#"{"from": "5215550201005"}"#,
            "Luz",
        ),
        (&[KIT], "messages", r#"{"from": "15550201001"}"#, "kit"),
        (&[nameless], "messages", r#"{"from": "15550201001"}"#, "X"),
        (
            &[nameless, nameless],
            "messages",
            r#"{"from": "15550201001"}"#,
            "",
        ),
        // Another's contact, from a notification that held a system message beside a text.
        (
            &[NORA],
            "messages",
            r#"{"from": "15550201002", "type": "system"}"#,
            "",
        ),
        (&[KIT], "messages", r#"{"from_user_id": "US.4"}"#, ""),
        // The business itself wrote: the contact is whom it wrote to.
        (&[NORA], "messages", r#"{"from": "15550100101"}"#, "Nora"),
        (
            &[BEN, NORA],
            "messages",
            r#"{"from": "15550100101", "to": "15550201001"}"#,
            "Nora",
        ),
        (
            &[NORA, BEN],
            "statuses",
            r#"{"recipient_id": "15550201002"}"#,
            "Ben",
        ),
        (
            &[NORA, BEN],
            "statuses",
            r#"{"recipient_user_id": "US.2"}"#,
            "Ben",
        ),
        (
            &[NORA, BEN],
            "statuses",
            r#"{"recipient_id": "g", "recipient_participant_id": "15550201001"}"#,
            "Nora",
        ),
        (
            &[NORA, BEN],
            "calls",
            r#"{"from": "15550100101", "to": "15550201001"}"#,
            "Nora",
        ),
        (&[KIT], "user_preferences", r#"{"user_id": "US.3"}"#, "kit"),
        (
            &[NORA, KIT],
            "user_preferences",
            r#"{"user_id": "US.3"}"#,
            "",
        ),
        (&[], "messages", r#"{"from": "15550201001"}"#, ""),
        (
            &["null", "7", "{}"],
            "messages",
            r#"{"from": "15550201001"}"#,
            "",
        ),
    ] {
        let event = read(&format!(
            r#"{{"metadata": {{"phone_number_id": "1", "display_phone_number": "+1 555-010-0101"}},
                "contacts": [{}], "{list}": [{element}]}}"#,
            contacts.join(",")
        ));
        let contact = event.contact.unwrap_or_default();
        assert_eq!(
            contact.name.or(contact.username).unwrap_or_default(),
            expected,
            "{contacts:?} {element}"
        );
    }
}

#[test]
fn only_users_are_senders() {
    for (list, element, own, sender) in [
        (
            "messages",
            r#"{"from": "15550201001"}"#,
            false,
            Some("Nora"),
        ),
        ("messages", r#"{"from": "15550100101"}"#, true, None),
        ("calls", r#"{"from": "15550201001"}"#, false, Some("Nora")),
        (
            "calls",
            r#"{"from": "15550100101", "to": "15550201001"}"#,
            true,
            None,
        ),
        (
            "statuses",
            r#"{"recipient_id": "15550201001"}"#,
            false,
            None,
        ),
        ("groups", "{}", false, None),
    ] {
        let event = read(&format!(
            r#"{{"metadata": {{"phone_number_id": "1", "display_phone_number": "+1 555-010-0101"}},
                "contacts": [{NORA}], "{list}": [{element}]}}"#
        ));
        assert_eq!(
            (event.is_own(), event.sender_name()),
            (own, sender),
            "{list} {element}"
        );
    }
}

#[test]
fn a_contact_is_read_whole() {
    let event = read(
        r#"{"contacts": [{"profile": {"name": "Nora", "username": "@nora.f", "extra": {}},
            "wa_id": 15550201001, "user_id": "US.1", "parent_user_id": "US.ENT.1",
            "identity_key_hash": "h="}], "messages": [{"from": "15550201001"}]}"#,
    );
    let expected = Contact {
        name: some("Nora"),
        username: some("nora.f"),
        wa_id: some("15550201001"),
        user_id: some("US.1"),
        parent_user_id: some("US.ENT.1"),
        identity_key_hash: some("h="),
    };
    assert_eq!(event.contact, Some(expected));
}

#[test]
fn calls_are_read_in_old_and_new_shapes() {
    let media = |id: &str| {
        Some(Media {
            id: id.into(),
            ..Media::default()
        })
    };
    let call = || Call::read(&Value::Null);
    for (element, expected) in [
        (
            r#"{"id": "wacid.A", "from": 15550201001, "to": "15550100101", "event": "connect",
                "timestamp": "1790000600", "direction": "USER_INITIATED", "deeplink_payload": "d",
                "cta_payload": "c", "session": {"sdp_type": "offer", "sdp": "v=0\r\n"}}"#,
            Call {
                id: "wacid.A".into(),
                event: "connect".into(),
                timestamp: Some(1_790_000_600),
                from: some("15550201001"),
                to: some("15550100101"),
                direction: some("USER_INITIATED"),
                sdp_type: some("offer"),
                sdp: some("v=0\r\n"),
                deeplink_payload: some("d"),
                cta_payload: some("c"),
                ..call()
            },
        ),
        (
            r#"{"connection": {"webrtc": {"sdp": "v=0"}}}"#,
            Call {
                sdp: some("v=0"),
                ..call()
            },
        ),
        (
            r#"{"event": "terminate", "status": "Completed", "start_time": "1", "end_time": 3,
                "duration": "2", "biz_opaque_callback_data": "x"}"#,
            Call {
                event: "terminate".into(),
                status: some("COMPLETED"),
                start_time: Some(1),
                end_time: Some(3),
                duration: Some(2),
                biz_opaque_callback_data: some("x"),
                ..call()
            },
        ),
        (
            r#"{"status": ["FAILED"]}"#,
            Call {
                status: some("FAILED"),
                ..call()
            },
        ),
        (
            r#"{"from_user_id": "US.1", "to_user_id": "US.2", "call_recording": {"audio": {"id": "a"}},
                "call_transcript": {"document": {"id": "d"}}}"#,
            Call {
                from_user_id: some("US.1"),
                to_user_id: some("US.2"),
                recording: media("a"),
                transcript: media("d"),
                ..call()
            },
        ),
        (
            r#"{"session": "x", "call_recording": [], "status": {}, "duration": null}"#,
            call(),
        ),
        ("[1]", call()),
    ] {
        let event = read(&format!(r#"{{"calls": [{element}]}}"#));
        // `==` rather than assert_eq!: Call prints little of itself.
        assert!(event.kind == EventKind::Call(expected), "{element}");
    }
}

#[test]
fn what_stands_beside_the_event_is_read_too() {
    let event = read(
        r#"{"errors": [{"code": "131000"}], "messages": [{"id": "m"}],
            "conversation_context": {"type": "summary", "summary": {"text": "wants a refund"}}}"#,
    );
    assert_eq!(
        event.errors.first().and_then(|error| error.code),
        Some(131_000)
    );
    assert_eq!(event.conversation_summary, some("wants a refund"));
    assert!(event.message().is_some() && event.status().is_none());
}

#[test]
fn a_change_keeps_its_value_and_its_long_numbers() {
    let event =
        read(r#"{"event": "APPROVED", "message_template_id": 9007199254740993, "x": {"y": null}}"#);
    let EventKind::Change(change) = event.kind else {
        panic!("a change")
    };
    assert_eq!(
        change.value.to_string(),
        r#"{"event":"APPROVED","message_template_id":9007199254740993,"x":{"y":null}}"#
    );
}

#[test]
fn half_an_emoji_does_not_lose_the_message() {
    let event =
        read(r#"{"messages": [{"id": "m", "type": "text", "text": {"body": "hi \ud83d"}}]}"#);
    assert_eq!(event.message().and_then(Message::text), Some("hi \u{fffd}"));
}

#[test]
fn json_too_deep_to_read_is_an_event_all_the_same() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let event = read(&format!(r#"{{"messages": [{{"id": "m", "x": {deep}}}]}}"#));
    assert_eq!(
        event.kind,
        EventKind::Change(Change {
            event: None,
            value: Value::Null
        })
    );
}

#[test]
fn debug_shows_ids_and_kinds_and_nobodys_words_or_numbers() {
    let envelope = |part: &str| {
        format!(
            r#"{{"metadata": {{"phone_number_id": "109", "display_phone_number": "15559999999"}},
                "contacts": [{{"profile": {{"name": "secret"}}, "wa_id": "15559999999"}}],
                "conversation_context": {{"summary": {{"text": "secret"}}}}, {part}}}"#
        )
    };
    for (part, shown) in [
        (
            r#""messages": [{"id": "ID", "from": "15559999999", "type": "text", "text": {"body": "secret"}}]"#,
            "text",
        ),
        (
            r#""messages": [{"id": "ID", "type": "new", "new": "secret"}]"#,
            "new",
        ),
        (
            r#""statuses": [{"id": "ID", "status": "sent", "recipient_id": "15559999999"}]"#,
            "Sent",
        ),
        (
            r#""calls": [{"id": "ID", "event": "connect", "from": "15559999999", "session": {"sdp": "secret"}}]"#,
            "connect",
        ),
        (r#""event": "ID", "note": "secret""#, "Change"),
    ] {
        let event = read(&envelope(part));
        let text = format!("{event:?} {:?} {:?}", event.contact, event.number);
        assert!(
            text.contains("ID") && text.contains(shown) && text.contains("109"),
            "{text}"
        );
        assert!(!text.contains("secret") && !text.contains("1555"), "{text}");
    }
}

#[test]
fn messages_and_statuses_of_any_field_are_typed() {
    let history = Event::read(&envelope(
        "history",
        r#"{"messages": [{"type": "text", "text": {"body": "b"}}]}"#,
    ));
    assert_eq!(history.field, "history");
    assert!(
        history
            .message()
            .is_some_and(|m| m.content == Content::Text { body: "b".into() })
    );
    let call = Event::read(&envelope(
        "calls",
        r#"{"statuses": [{"status": "RINGING", "type": "call"}]}"#,
    ));
    assert!(
        call.status()
            .is_some_and(|status| status.status == StatusName::Ringing)
    );
}
