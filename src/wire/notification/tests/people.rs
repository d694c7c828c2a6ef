//! Who an event is about, and whose contact goes with it.

use super::*;

/// The party of the only event in a value with these members.
fn check_party(value: &str, expected: &str) {
    let body = envelope(value);
    let events = sound(&body);
    assert_eq!(events.len(), 1, "{value}");
    assert_eq!(party_text(&events[0].party), expected, "{value}");
}

#[test]
fn a_user_is_known_by_every_id_the_notification_gives() {
    let rows = [
        (r#""messages":[{"from":"15550100001"}]"#, "15550100001"),
        (r#""messages":[{"from":15550100001}]"#, "15550100001"),
        (
            r#""messages":[{"from":"+1 (555) 010-0001"}]"#,
            "15550100001",
        ),
        (r#""messages":[{"from_user_id":"US.1"}]"#, "US.1"),
        (
            r#""messages":[{"from":"15550100001","from_user_id":"US.1"}]"#,
            "US.1=15550100001",
        ),
        (
            r#""messages":[{"from_user_id":"US.1","from_parent_user_id":"US.ENT.9"}]"#,
            "US.1",
        ),
        (
            r#""messages":[{"from_parent_user_id":"US.ENT.9"}]"#,
            "account 7",
        ),
        (
            r#""messages":[{"from":"","from_user_id":null}]"#,
            "account 7",
        ),
        (
            r#""messages":[{"from":"+","from_user_id":{}}]"#,
            "account 7",
        ),
        (
            r#""messages":[{"from":"US.1"}],"contacts":[{"wa_id":"US.1"}]"#,
            "US.1",
        ),
        (
            r#""messages":[{"from":"15550100001"}],"contacts":[{"wa_id":"15550100001","user_id":"US.1"}]"#,
            "US.1=15550100001",
        ),
        (
            r#""contacts":[{"wa_id":"15550100001","user_id":"US.1"}],"messages":[{"from_user_id":"US.1"}]"#,
            "US.1=15550100001",
        ),
        (
            r#""statuses":[{"status":"read","recipient_id":"15550100001"}]"#,
            "15550100001",
        ),
        (
            r#""statuses":[{"status":"read","recipient_user_id":"US.1"}],"contacts":[{"user_id":"US.1"}]"#,
            "US.1",
        ),
        (
            r#""calls":[{"event":"connect","from":"15550100001","to":"15550109000"}]"#,
            "15550100001",
        ),
        (
            r#""calls":[{"from":"15550109000","to":"15550100001","direction":"BUSINESS_INITIATED"}]"#,
            "15550100001",
        ),
        (
            r#""user_preferences":[{}],"contacts":[{"wa_id":"15550100001"}]"#,
            "15550100001",
        ),
        (
            r#""x":1,"contacts":[{"wa_id":"15550100001"},{"wa_id":"15550100002"}]"#,
            "account 7",
        ),
        (r#""x":1,"contacts":[null]"#, "account 7"),
    ];
    for (value, party) in rows {
        check_party(value, party);
    }
}

#[test]
fn what_the_business_wrote_is_about_whom_it_wrote_to() {
    let rows = [
        (
            r#""messages":[{"from":"15550109000","to":"15550100001","to_user_id":"US.1"}]"#,
            "US.1=15550100001",
        ),
        (
            r#""messages":[{"from":"1 555 010 9000"}],"contacts":[{"wa_id":"15550100001"}]"#,
            "15550100001",
        ),
        (r#""messages":[{"from":"15550109000"}]"#, "account 7"),
        (
            r#""calls":[{"from":"15550109000","to":"15550100001"}]"#,
            "15550100001",
        ),
    ];
    for (value, party) in rows {
        check_party(value, party);
    }
}

#[test]
fn a_group_is_one_conversation() {
    let rows = [
        (
            r#""messages":[{"from":"15550100001","group_id":"G="}],"contacts":[{"wa_id":"15550100001"}]"#,
            "group G=",
        ),
        (
            r#""statuses":[{"recipient_id":"G=","recipient_type":"group"}]"#,
            "group G=",
        ),
        (
            r#""statuses":[{"recipient_id":"G=","recipient_participant_id":"15550100001"}]"#,
            "group G=",
        ),
        (
            r#""statuses":[{"recipient_id":"G=","participant_recipient_id":"15550100001"}]"#,
            "group G=",
        ),
        (
            r#""statuses":[{"recipient_type":"group","recipient_participant_user_id":"US.1"}]"#,
            "US.1",
        ),
        (
            r#""groups":[{"group_id":"G=","type":"group_create"}]"#,
            "group G=",
        ),
        (
            r#""groups":[{"group_id":"G="},{"group_id":"H="}]"#,
            "account 7",
        ),
        (r#""groups":[{"request_id":"1"}]"#, "account 7"),
    ];
    for (value, party) in rows {
        check_party(value, party);
    }
}

/// For each message its party and the contacts in its body.
fn check_contacts(contacts: &str, messages: &str, expected: &[(&str, &str)]) {
    let body = envelope(&format!(
        r#""contacts":[{contacts}],"messages":[{messages}]"#
    ));
    let events = sound(&body);
    let list = |e: &Incoming<'_>| {
        let (_, after) = e.body.split_once(r#""contacts":["#)?;
        Some(after.split_once(']').unwrap().0.to_owned())
    };
    let found: Vec<_> = events
        .iter()
        .map(|e| (party_text(&e.party), list(e).unwrap_or_default()))
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|(party, list)| (&**party, &**list))
        .collect();
    assert_eq!(found, expected, "{contacts} {messages}");
}

#[test]
fn contacts_go_with_the_messages_that_name_them() {
    let a = r#"{"wa_id":"15550100001"}"#;
    let b = r#"{"wa_id":"15550100002","user_id":"US.2"}"#;
    let from_a = r#"{"id":"1","from":"15550100001"}"#;
    let from_b = r#"{"id":"2","from_user_id":"US.2"}"#;
    let both = [("15550100001", a), ("US.2=15550100002", b)];
    check_contacts(&format!("{a},{b}"), &format!("{from_a},{from_b}"), &both);
    check_contacts(&format!("{b},{a}"), &format!("{from_a},{from_b}"), &both);
    // One contact for several messages, and one without any.
    check_contacts(
        b,
        &format!("{from_b},{from_a},{from_b}"),
        &[both[1], ("15550100001", ""), both[1]],
    );
    check_contacts(
        "",
        &format!("{from_a},{from_b}"),
        &[("15550100001", ""), ("US.2", "")],
    );
    // Nobody's contact is not lost.
    let orphaned = format!("{a},{b}");
    check_contacts(
        &format!("{b},{a}"),
        &format!("{from_a},{from_a}"),
        &[("15550100001", &orphaned), both[0]],
    );
}

/// It went with the first message, which was another person's, and was removed with that
/// when they were forgotten.
#[test]
fn a_second_contact_of_a_person_goes_with_their_first_message() {
    let a = r#"{"wa_id":"15550100001"}"#;
    let b = r#"{"user_id":"US.2"}"#;
    let b_also = r#"{"wa_id":"15550100002","user_id":"US.2"}"#;
    let from_a = r#"{"id":"1","from":"15550100001"}"#;
    let from_b = r#"{"id":"2","from_user_id":"US.2"}"#;
    let nobodys = r#"{"id":"3"}"#;
    for second in [b, b_also] {
        let both = format!("{b},{second}");
        check_contacts(
            &format!("{a},{b},{second}"),
            &format!("{from_a},{from_b},{from_b}"),
            &[("15550100001", a), ("US.2", &both), ("US.2", b)],
        );
        // And is not of who names nobody.
        check_contacts(
            &format!("{b},{second}"),
            &format!("{nobodys},{from_b}"),
            &[("account 7", ""), ("US.2", &both)],
        );
    }
}

#[test]
fn a_number_may_differ_from_its_wa_id_by_one_digit() {
    // Brazil, Mexico and Argentina, in numbers nobody has.
    let rows = [
        ("555501001234", "5555901001234"),
        ("5255501001234", "52155501001234"),
        ("5455501001234", "54955501001234"),
    ];
    for (wa_id, from) in rows {
        for (wa_id, from) in [(wa_id, from), (from, wa_id)] {
            let own = format!(r#"{{"wa_id":"{wa_id}"}}"#);
            let message = format!(r#"{{"from":"{from}"}}"#);
            check_contacts(&own, &message, &[(&format!("{wa_id}={from}"), &own)]);
            let other = r#"{"wa_id":"15550100002"}"#;
            check_contacts(
                &format!("{other},{own}"),
                &format!(r#"{message},{{"from":"15550100002"}}"#),
                &[(&format!("{wa_id}={from}"), &own), ("15550100002", other)],
            );
        }
    }
}

#[test]
fn two_people_are_never_taken_for_one() {
    let rows = [
        // Same length, same end.
        (
            r#"{"wa_id":"15550100002"}"#,
            r#"{"from":"25550100002"}"#,
            "25550100002",
        ),
        (
            r#"{"wa_id":"15550100002","user_id":"US.2"}"#,
            r#"{"from":"15550100001"}"#,
            "15550100001",
        ),
        (
            r#"{"wa_id":"15550100001","user_id":"US.2"}"#,
            r#"{"from":"15550100001","from_user_id":"US.1"}"#,
            "US.1=15550100001",
        ),
        (
            r#"{"user_id":"US.2"}"#,
            r#"{"from":"15550100001"}"#,
            "15550100001",
        ),
    ];
    for (contact, message, party) in rows {
        check_contacts(contact, message, &[(party, contact)]);
    }
    // Whoever names nobody can only be the one contact that is left.
    let (a, b) = (r#"{"wa_id":"15550100001"}"#, r#"{"wa_id":"15550100002"}"#);
    check_contacts(
        &format!("{a},{b}"),
        r#"{"from":"15550100001"},{"id":"1"}"#,
        &[("15550100001", a), ("15550100002", b)],
    );
    let both = format!("{a},{b}");
    check_contacts(
        &both,
        r#"{"id":"1"},{"id":"2"}"#,
        &[("account 7", &both), ("account 7", "")],
    );
}

/// The ids that the only event of a value links, people apart by blanks.
fn check_links(value: &str, party: &str, expected: &str) {
    let body = envelope(value);
    let events = sound(&body);
    assert_eq!(events.len(), 1, "{value}");
    assert_eq!(party_text(&events[0].party), party, "{value}");
    let links: Vec<String> = events[0].links.iter().map(|ids| ids.join("=")).collect();
    assert_eq!(links.join(" "), expected, "{value}");
}

#[test]
fn a_system_message_tells_of_a_new_number_or_bsuid() {
    let system = |rest: &str, system: &str| {
        format!(
            r#""messages":[{{"from":"15550100001","type":"system"{rest},"system":{{{system}}}}}]"#
        )
    };
    let old_bsuid = r#","from_user_id":"US.1""#;
    let rows = [
        (
            "",
            r#""type":"user_changed_number","wa_id":"15550100009""#,
            "15550100009=15550100001",
        ),
        (
            old_bsuid,
            r#""type":"user_changed_number","wa_id":"+1 555 010 0009","user_id":"US.9""#,
            "US.9=15550100009=US.1=15550100001",
        ),
        (
            "",
            r#""type":"customer_changed_number","new_wa_id":"15550100009","customer":"15550100001""#,
            "15550100009=15550100001",
        ),
        (
            old_bsuid,
            r#""type":"user_changed_user_id","user_id":"US.9","parent_user_id":"US.ENT.9""#,
            "US.9=US.1=15550100001",
        ),
        // Nothing new, or nothing that is known to be one person's.
        ("", r#""type":"user_changed_number""#, ""),
        (
            "",
            r#""type":"user_changed_number","wa_id":"15550100001""#,
            "",
        ),
        (
            "",
            r#""type":"customer_identity_changed","wa_id":"15550100009""#,
            "",
        ),
        ("", r#""wa_id":"15550100009""#, ""),
        (
            "",
            r#""type":["user_changed_number"],"wa_id":"15550100009""#,
            "",
        ),
    ];
    for (rest, said, expected) in rows {
        let party = match rest {
            "" => "15550100001",
            _ => "US.1=15550100001",
        };
        check_links(&system(rest, said), party, expected);
    }
    let not_system = r#""messages":[{"from":"1","type":"text","system":{"type":"user_changed_number","wa_id":"2"}}]"#;
    check_links(not_system, "1", "");
}

#[test]
fn a_user_id_update_tells_of_new_bsuids() {
    let one = r#"{"wa_id":"15550100001","user_id":{"previous":"US.1","current":"US.9"}}"#;
    let two = r#"{"user_id":{"previous":"US.2","current":"US.8"}}"#;
    let (one_linked, two_linked) = ("US.9=15550100001=US.1", "US.8=US.2");
    let contact = r#""contacts":[{"user_id":"US.9"}],"#;
    for (contacts, updates, party, expected) in [
        ("", one.to_owned(), one_linked, one_linked.to_owned()),
        ("", two.to_owned(), two_linked, two_linked.to_owned()),
        (contact, one.to_owned(), "US.9", one_linked.to_owned()),
        (
            "",
            format!("{one},{two}"),
            "account 7",
            format!("{one_linked} {two_linked}"),
        ),
        (
            "",
            r#"{"user_id":{"current":"US.9"}}"#.into(),
            "account 7",
            String::new(),
        ),
        (
            "",
            r#"{"user_id":"US.9"},null,7"#.into(),
            "account 7",
            String::new(),
        ),
    ] {
        let value = format!(r#"{contacts}"user_id_update":[{updates}]"#);
        check_links(&value, party, &expected);
    }
}

/// What the owner answered from the phone, by the only event of a value under a
/// field: to whom, which, when; and whom the event is about.
fn check_echoes(field: &str, echoes: &str, party: &str, expected: &[&str]) {
    let body = envelope(&format!(r#""message_echoes":[{echoes}]"#))
        .replace(r#""field":"messages""#, &format!(r#""field":"{field}""#));
    let events = sound(&body);
    assert_eq!(events.len(), 1, "{echoes}");
    assert_eq!(party_text(&events[0].party), party, "{echoes}");
    let told = events[0].echoes.iter().map(|echo| {
        let (ids, wamid) = (echo.ids.join("="), echo.wamid.as_deref().unwrap_or("-"));
        format!("{ids} {wamid} {}", echo.at.unwrap_or(-1))
    });
    assert_eq!(told.collect::<Vec<_>>(), expected, "{echoes}");
}

#[test]
fn echoes_tell_whom_the_owner_answered_and_when() {
    let echo = |to: &str, type_: &str| {
        format!(r#"{{"from":"15550109000",{to},"id":"w1","timestamp":"9","type":"{type_}"}}"#)
    };
    let ann = r#""to":"+1 555 010 0001""#;
    let both = r#""to":"15550100001","to_user_id":"US.1""#;
    let field = "smb_message_echoes";
    check_echoes(
        field,
        &echo(ann, "text"),
        "15550100001",
        &["15550100001 w1 9"],
    );
    check_echoes(
        field,
        &echo(both, "image"),
        "US.1=15550100001",
        &["US.1=15550100001 w1 9"],
    );
    let two = format!(
        "{},{}",
        echo(both, "text"),
        echo(r#""to":"15550100002""#, "text")
    );
    let told = ["US.1=15550100001 w1 9", "15550100002 w1 9"];
    check_echoes(field, &two, "account 7", &told);
    // Theirs, and no answer.
    for type_ in ["reaction", "edit", "revoke"] {
        check_echoes(field, &echo(ann, type_), "15550100001", &[]);
    }
    check_echoes(field, &echo(r#""x":1"#, "text"), "account 7", &[]);
    check_echoes(field, r#"{"to":"1","type":"text"}"#, "1", &["1 - -1"]);
    check_echoes(field, "null,7,[]", "account 7", &[]);
    // Old ones, and those of programs.
    for other in ["history", "message_echoes", "standby"] {
        check_echoes(other, &echo(ann, "text"), "account 7", &[]);
    }
}
