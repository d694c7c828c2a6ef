//! Statuses in each of the shapes Meta has given them.

use super::*;

fn read(json: &str) -> Status {
    Status::read(&serde_json::from_str(json).expect("the test's own JSON"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_status_is_named_and_tied_to_what_it_is_about() {
    for (json, status, subject) in [
        (
            r#"{"id": "w", "status": "sent"}"#,
            StatusName::Sent,
            Subject::Message,
        ),
        (
            r#"{"status": "delivered", "type": "message"}"#,
            StatusName::Delivered,
            Subject::Message,
        ),
        (r#"{"status": "READ"}"#, StatusName::Read, Subject::Message),
        (
            r#"{"status": "played"}"#,
            StatusName::Played,
            Subject::Message,
        ),
        (
            r#"{"status": "deleted"}"#,
            StatusName::Deleted,
            Subject::Message,
        ),
        (
            r#"{"status": "warning"}"#,
            StatusName::Warning,
            Subject::Message,
        ),
        (
            r#"{"status": "failed", "errors": []}"#,
            StatusName::Failed,
            Subject::Message,
        ),
        (
            r#"{"status": "failed", "type": "payment"}"#,
            StatusName::Failed,
            Subject::Payment,
        ),
        (
            r#"{"status": "pending", "payment": {"currency": "INR"}}"#,
            StatusName::Pending,
            Subject::Payment,
        ),
        (
            r#"{"status": "captured", "type": "payment"}"#,
            StatusName::Captured,
            Subject::Payment,
        ),
        (
            r#"{"status": "RINGING", "type": "call"}"#,
            StatusName::Ringing,
            Subject::Call,
        ),
        (
            r#"{"id": "wacid.A", "status": "ACCEPTED"}"#,
            StatusName::Accepted,
            Subject::Call,
        ),
        (
            r#"{"status": "Rejected", "type": "call"}"#,
            StatusName::Rejected,
            Subject::Call,
        ),
        (
            r#"{"status": "Melted", "type": "ice"}"#,
            StatusName::Other("Melted".into()),
            Subject::Other("ice".into()),
        ),
        (
            r#"{"status": null}"#,
            StatusName::Other(String::new()),
            Subject::Message,
        ),
        (
            r#"{"status": 7}"#,
            StatusName::Other("7".into()),
            Subject::Message,
        ),
        (
            r#"["sent"]"#,
            StatusName::Other(String::new()),
            Subject::Message,
        ),
        ("null", StatusName::Other(String::new()), Subject::Message),
    ] {
        let read = read(json);
        assert_eq!((read.status, read.subject), (status, subject), "{json}");
    }
}

#[test]
fn a_known_status_is_written_as_it_is_read() {
    for word in [
        "sent",
        "delivered",
        "read",
        "played",
        "failed",
        "deleted",
        "warning",
        "pending",
        "captured",
        "ringing",
        "accepted",
        "rejected",
        "Melted",
    ] {
        let name = StatusName::read(word.to_owned());
        assert_eq!(name.as_str(), word);
        assert_eq!(matches!(name, StatusName::Other(_)), word == "Melted");
    }
}

#[test]
fn recipients_are_found_in_every_spelling() {
    // [recipient_id, user, parent, participant, its user, its parent]
    for (json, expected) in [
        (r#"{"recipient_id": "1555"}"#, ["1555", "", "", "", "", ""]),
        (
            r#"{"recipient_id": 1555, "recipient_user_id": null}"#,
            ["1555", "", "", "", "", ""],
        ),
        (
            r#"{"message": {"recipient_id": "1555"}}"#,
            ["1555", "", "", "", "", ""],
        ),
        (
            r#"{"recipient_user_id": "US.1", "recipient_parent_user_id": "US.ENT.1"}"#,
            ["", "US.1", "US.ENT.1", "", "", ""],
        ),
        (
            r#"{"parent_recipient_user_id": "US.ENT.1"}"#,
            ["", "", "US.ENT.1", "", "", ""],
        ),
        (
            r#"{"parent_user_id": "US.ENT.1"}"#,
            ["", "", "US.ENT.1", "", "", ""],
        ),
        (
            r#"{"recipient_id": "g", "recipient_participant_id": "1555"}"#,
            ["g", "", "", "1555", "", ""],
        ),
        (
            r#"{"recipient_id": "g", "participant_recipient_id": "1555"}"#,
            ["g", "", "", "1555", "", ""],
        ),
        (
            r#"{"recipient_participant_user_id": "US.1", "recipient_participant_parent_user_id": "US.ENT.1"}"#,
            ["", "", "", "", "US.1", "US.ENT.1"],
        ),
    ] {
        let s = read(json);
        let read = [
            s.recipient_id,
            s.recipient_user_id,
            s.recipient_parent_user_id,
            s.recipient_participant_id,
            s.recipient_participant_user_id,
            s.recipient_participant_parent_user_id,
        ];
        assert_eq!(read.map(Option::unwrap_or_default), expected, "{json}");
    }
    assert!(read(r#"{"recipient_type": "group"}"#).to_group);
    assert!(!read(r#"{"recipient_type": "individual"}"#).to_group);
}

#[test]
fn prices_are_read_where_meta_prints_them() {
    let pmp = Pricing {
        billable: Some(true),
        pricing_model: some("PMP"),
        kind: some("regular"),
        category: some("marketing"),
    };
    let group = Pricing {
        billable: Some(true),
        category: some("group_utility"),
        ..Pricing::default()
    };
    for (json, expected) in [
        (
            r#"{"pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"}}"#,
            Some(pmp),
        ),
        (
            r#"{"conversation": {"id": "c", "pricing": {"billable": "true", "category": "group_utility"}}}"#,
            Some(group),
        ),
        (r#"{"pricing": null}"#, None),
        (r#"{"pricing": "free"}"#, None),
        ("{}", None),
    ] {
        assert_eq!(read(json).pricing, expected, "{json}");
    }
}

#[test]
fn conversations_are_read_in_the_shapes_of_all_versions() {
    let with = |expiration_timestamp, origin| {
        Some(Conversation {
            id: some("c"),
            expiration_timestamp,
            origin,
        })
    };
    for (json, expected) in [
        (
            r#"{"conversation": {"id": "c", "expiration_timestamp": "1790086500", "origin": {"type": "marketing"}}}"#,
            with(Some(1_790_086_500), some("marketing")),
        ),
        (
            r#"{"conversation": {"id": "c", "expiration_timestamp": 1719086400, "origin": {"type": "service"}}}"#,
            with(Some(1_719_086_400), some("service")),
        ),
        (
            r#"{"conversation": {"id": "c", "origin": "service"}}"#,
            with(None, None),
        ),
        (r#"{"conversation": "c"}"#, None),
        ("{}", None),
    ] {
        assert_eq!(read(json).conversation, expected, "{json}");
    }
}

#[test]
fn errors_are_read_in_every_shape() {
    let error = |code, title: &str, details: &str| ReportedError {
        code,
        title: some(title),
        message: None,
        details: some(details),
        href: None,
    };
    for (json, expected) in [
        (
            r#"{"errors": [{"code": 131026, "title": "Undeliverable", "error_data": {"details": "d"}}]}"#,
            vec![error(Some(131_026), "Undeliverable", "d")],
        ),
        (
            r#"{"errors": [{"code": "130501", "title": "t", "details": "flat"}, null, "x"]}"#,
            vec![error(Some(130_501), "t", "flat")],
        ),
        (
            r#"{"errors": {"code": "odd", "title": "t", "error_data": "no object", "details": "d"}}"#,
            vec![error(None, "t", "d")],
        ),
        (r#"{"errors": null}"#, vec![]),
        (r#"{"errors": "x"}"#, vec![]),
    ] {
        assert_eq!(read(json).errors, expected, "{json}");
    }
}

#[test]
fn a_payment_keeps_what_is_not_typed() {
    let status = read(
        r#"{"status": "failed", "type": "payment", "payment": {"reference_id": "ref-1",
            "amount": {"value": 2100, "offset": "100"}, "currency": "INR",
            "transaction": {"id": "txn", "status": "failed", "error": {"code": "BAD_CVV"}},
            "refunds": [1]}}"#,
    );
    let payment = status.payment.expect("a payment");
    assert_eq!(
        (payment.amount, payment.amount_offset),
        (Some(2_100), Some(100))
    );
    assert_eq!(payment.reference_id, some("ref-1"));
    assert_eq!(payment.transaction_status, some("failed"));
    assert_eq!(payment.error_code, some("BAD_CVV"));
    assert_eq!(payment.value["refunds"][0], 1);
}

#[test]
fn debug_shows_no_recipient() {
    let status = read(
        r#"{"id": "wamid.A", "status": "failed", "recipient_id": "15550201001",
            "recipient_user_id": "US.secret", "biz_opaque_callback_data": "secret",
            "errors": [{"code": 1, "title": "t", "error_data": {"details": "secret"}}],
            "payment": {"reference_id": "secret"}}"#,
    );
    let shown = format!("{status:?} {:?}", status.payment);
    assert!(
        shown.contains("wamid.A") && shown.contains("Failed"),
        "{shown}"
    );
    assert!(
        !shown.contains("1555") && !shown.contains("secret"),
        "{shown}"
    );
}
