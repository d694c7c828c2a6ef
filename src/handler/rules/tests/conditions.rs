//! Every condition, what combines them, and what a rule leaves behind.

use super::*;

#[test]
fn words_are_found_in_any_order_and_whole() {
    check_fits(
        "words = 'opening hours'",
        &["Opening hours?", "HOURS... of opening", "hours\nopening"],
        &["opening", "openings hours", "openinghours"],
    );
    check_fits(
        "words = ['refund', 'money back']",
        &["refund!", "I want my money back", "back, money"],
        &["money", "refunds"],
    );
    check_fits("words = \"don't\"", &["I don't", "DON’T"], &["dont"]);
    check_fits("words = 'größe 42'", &["GRÖßE: 42"], &["größe 421"]);
    check_fits("words = 'नमस्ते'", &["नमस्ते दुनिया"], &["नमस"]);
}

#[test]
fn keys_are_joined_by_and_and_any_all_not_do_the_rest() {
    check_fits(
        "words = 'order'\nnot = { words = 'cancel' }",
        &["my order"],
        &["cancel my order", "cancel"],
    );
    check_fits(
        "any = [{ text = 'hi' }, { match = '^good', words = 'day' }]",
        &["hi", "good day"],
        &["good", "a good day", "day"],
    );
    check_fits("any = { text = 'hi' }", &["hi"], &["ho"]);
    check_fits(
        "all = [{ any = [{ words = 'a' }, { words = 'b' }] }, { any = [{ words = 'c' }, { words = 'd' }] }]",
        &["a c", "b d", "d a"],
        &["a b", "c d"],
    );
    check_fits(
        "not = [{ text = 'a' }, { text = 'b' }]",
        &["c"],
        &["a", "b"],
    );
    check_fits("not = { not = { text = 'a' } }", &["a"], &["b"]);
    check_fits(
        "not = { any = [{ text = 'a' }, { all = [{ words = 'b' }, { words = 'c' }] }] }",
        &["b", "c"],
        &["a", "c b"],
    );
}

/// One rule with this condition fits samples of these kinds and no others.
fn check_kinds(condition: &str, expected: &str) {
    let rules = rules(&format!("[[rule]]\n{condition}\nreply = 'x'"));
    let fitting: Vec<&str> = KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(|kind| answer(&rules, &sample_event(kind, &Sample::default())).is_some())
        .collect();
    assert_eq!(fitting.join(" "), expected, "{condition}");
}

#[test]
fn a_type_is_metas_or_that_of_a_reply() {
    check_kinds("type = 'image'", "image");
    check_kinds(
        "type = ['reaction', 'request_welcome', 'location']",
        "location reaction request-welcome",
    );
    check_kinds("type = 'interactive'", "list button-reply flow");
    check_kinds("type = 'list_reply'", "list");
    check_kinds("type = 'nfm_reply'", "flow");
    check_kinds("type = 'button'", "button");
    // Without it, only what is said to us; so also here.
    check_kinds(
        "not = { type = ['text', 'interactive'] }",
        "image video audio document sticker location contacts button order",
    );
    let voice = |voice: bool| {
        message(&format!(
            r#"{{"id": "m", "from": "1", "type": "audio", "audio": {{"id": "1", "voice": {voice}}}}}"#
        ))
    };
    let by_voice = rules("[[rule]]\ntype = 'voice'\nreply = 'x'");
    assert!(answer(&by_voice, &voice(true)).is_some());
    assert!(answer(&by_voice, &voice(false)).is_none());
    let by_audio = rules("[[rule]]\ntype = 'audio'\nreply = 'x'");
    assert!(answer(&by_audio, &voice(true)).is_some());
}

/// Whether a rule with this condition fits this element of `messages` to number 42.
fn check_message(condition: &str, element: &str, fits: bool) {
    let rules = rules(&format!("[[rule]]\n{condition}\nreply = 'x'"));
    let found = answer(&rules, &message(element)).is_some();
    assert_eq!(found, fits, "{condition} and {element}");
}

#[test]
fn ads_and_numbers_are_conditions() {
    let plain = r#"{"id": "m", "from": "1", "type": "text", "text": {"body": "a"}}"#;
    let by_ad = plain.replace(
        r#""id""#,
        r#""referral": {"source_type": "ad", "source_id": "77"}, "id""#,
    );
    for (condition, of_plain, of_ad) in [
        ("referral = true", false, true),
        ("referral = false", true, false),
        ("referral = '77'", false, true),
        ("referral = ['76', '77']", false, true),
        ("referral = '76'", false, false),
        ("not = { referral = true }", true, false),
        ("number = '42'", true, true),
        ("number = ['41', '43']", false, false),
    ] {
        check_message(condition, plain, of_plain);
        check_message(condition, &by_ad, of_ad);
    }
}

#[test]
fn a_rule_that_names_nothing_said_leaves_alone_what_is_not_said_to_us() {
    let reaction = r#"{"id": "m", "from": "1", "type": "reaction", "reaction": {"message_id": "x", "emoji": "y"}}"#;
    let in_group =
        r#"{"id": "m", "from": "1", "group_id": "G", "type": "text", "text": {"body": "a"}}"#;
    for (condition, of_reaction, of_group) in [
        ("number = '42'", false, false),
        ("first_contact = false", false, false),
        ("not = { text = 'b' }", false, false),
        (
            "any = [{ number = '42' }, { type = 'reaction' }]",
            false,
            false,
        ),
        ("type = 'reaction'", true, false),
        ("number = '42'\ntype = ['reaction', 'text']", true, true),
        ("any = [{ text = 'a' }, { type = 'reaction' }]", true, true),
        ("text = 'a'\nmarketing = 'stop'", false, false),
    ] {
        check_message(condition, reaction, of_reaction);
        check_message(condition, in_group, of_group);
    }
}

#[test]
fn a_flow_is_known_by_its_token_and_its_fields_are_placeholders() {
    let flow = |response: &str| {
        let response = Value::from(response);
        message(&format!(
            r#"{{"id": "m", "from": "1", "type": "interactive", "interactive": {{"type": "nfm_reply",
                "nfm_reply": {{"name": "flow", "body": "Sent", "response_json": {response}}}}}}}"#
        ))
    };
    let rules = rules(
        "[[rule]]\nreply_id = 'booking'\n\
         reply = '{{ fields.day }}|{{ fields.people }}|{{ fields.wishes }}|{{ fields[\"a b\"] }}|{{ fields.none or \"-\" }}|{{ reply_id }}'",
    );
    let filled = flow(
        r#"{"flow_token": "booking", "day": "{{ name }}", "people": 4, "wishes": ["x", true], "a b": null}"#,
    );
    assert_eq!(
        body(&rules, &filled),
        r#"{{ name }}|4|["x",true]||-|booking"#
    );
    for response in [
        r#"{"flow_token": "other"}"#,
        "[]",
        "no JSON",
        r#"{"flow_token": 5}"#,
    ] {
        assert_eq!(answer(&rules, &flow(response)), None, "{response}");
    }
}

#[test]
fn what_any_of_several_expressions_found_can_be_filled_in() {
    let rules = rules(
        "[[rule]]\nany = [{ match = 'order (?<order>\\d+)' }, { match = 'bill (?<bill>\\d+)' }, { text = 'hi' }]\n\
         reply = '{{ order }}/{{ bill }}/{{ m1 }}'",
    );
    for (text, expected) in [
        ("order 7", "7//7"),
        ("bill 8", "/8/8"),
        ("order 7 bill 8", "7//7"),
        ("hi", "//"),
    ] {
        assert_eq!(body(&rules, &said(text)), expected, "{text}");
    }
}

#[test]
fn what_came_late_can_be_answered_otherwise() {
    let rules = rules(
        "[[rule]]\nstale = true\nreply = 'Sorry for the wait'\n\
         [[rule]]\nstale = false\nwords = 'a'\nreply = 'Hello'",
    );
    for (stale_ms, rule) in [(None, 2), (Some(7_200_000), 1)] {
        let facts = Facts {
            stale_ms,
            ..Facts::default()
        };
        let answer = rules.answer(&said("a"), &facts, 0);
        assert_eq!(answer.map(|answer| answer.rule), Some(rule), "{stale_ms:?}");
    }
}

/// The rules that answer one message after the other, each so many minutes later, all that they
/// want remembered being so.
fn check_story(text: &str, expected: &[(i64, Option<usize>)]) {
    let rules = rules(text);
    let mut facts = Facts {
        first_contact: true,
        ..Facts::default()
    };
    for (minute, rule) in expected {
        let now = minute * 60_000;
        let answer = rules.answer(&said("a"), &facts, now);
        assert_eq!(
            answer.as_ref().map(|answer| answer.rule),
            *rule,
            "minute {minute}"
        );
        facts.first_contact = false;
        for effect in answer.map(|answer| answer.effects).unwrap_or_default() {
            match effect {
                Effect::Rest { rule, until } => _ = facts.resting.insert(rule, until),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_rule_rests_for_its_cooldown_and_leaves_the_message_to_the_next() {
    check_story(
        "[[rule]]\nfirst_contact = true\nreply = 'x'\n\
         [[rule]]\ncooldown = '1h'\nreply = 'x'\n\
         [[rule]]\nwords = 'a'\nname = 'two'\ncooldown = '90m'\nreply = 'x'\n\
         [[rule]]\nwords = 'a'\ncooldown = '90m'\nreply = 'x'",
        &[
            (0, Some(1)),
            (1, Some(2)),
            (2, Some(3)),
            (3, Some(4)),
            (4, None),
            (60, None),
            (61, Some(2)),
            (92, Some(3)),
            (93, Some(4)),
            (120, None),
            (121, Some(2)),
        ],
    );
}

/// It rested until the year in which the clock had been.
#[test]
fn a_rest_that_began_by_a_clock_far_ahead_is_over() {
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    let rules = rules("[[rule]]\nname = 'once'\ncooldown = '1h'\nreply = 'x'");
    let rests = |until: i64| {
        let facts = Facts {
            resting: [("once".to_owned(), until)].into(),
            ..Facts::default()
        };
        rules.answer(&said("a"), &facts, 0).is_none()
    };
    for (until, expected) in [
        (0, false),
        (1, true),
        (HOUR, true),
        // A step that is waited out: a wrong time zone.
        (13 * HOUR, true),
        (DAY + HOUR, true),
        (DAY + HOUR + 1, false),
        (365 * DAY, false),
        (i64::MAX, false),
    ] {
        assert_eq!(rests(until), expected, "{until}");
    }
}

#[test]
fn a_rest_is_remembered_by_name_or_conditions_wherever_the_rule_stands() {
    let key = |text: &str| {
        let rules = rules(text);
        let answer = rules.answer(&said("a"), &Facts::default(), 0).unwrap();
        match answer.effects.as_slice() {
            [
                Effect::Rest {
                    rule,
                    until: 3_600_000,
                },
            ] => rule.clone(),
            other => panic!("{other:?}"),
        }
    };
    let by_text = key("[[rule]]\ntext = 'a'\ncooldown = '1h'\nreply = 'x'");
    assert_eq!(
        by_text,
        key(
            "[[rule]]\ntext = 'b'\nreply = 'x'\n[[rule]]\nreply = 'y'\ncooldown = '60m'\ntext = 'a'"
        )
    );
    assert_ne!(
        by_text,
        key("[[rule]]\nwords = 'a'\ncooldown = '1h'\nreply = 'x'")
    );
    assert_eq!(
        key("[[rule]]\nname = 'n'\ncooldown = '1h'\nreply = 'x'"),
        "n"
    );
}

#[test]
fn stop_start_and_a_hand_over_are_remembered_with_or_without_an_answer() {
    let rules = rules(
        "[[rule]]\ntext = 'stop'\nmarketing = 'stop'\nreply = 'Bye'\n\
         [[rule]]\ntext = 'start'\nmarketing = 'start'\n\
         [[rule]]\ntext = 'help'\nhand_over = true\nreply = 'One moment'\n\
         [[rule]]\ntext = 'person'\nhand_over = true",
    );
    for (text, effect, replies) in [
        ("STOP", Effect::StopMarketing, 1),
        ("start", Effect::StartMarketing, 0),
        ("help", Effect::HandOver, 1),
        ("person", Effect::HandOver, 0),
    ] {
        let answer = answer(&rules, &said(text)).unwrap();
        assert_eq!(
            (answer.effects, answer.replies.unwrap().len()),
            (vec![effect], replies)
        );
    }
}

#[test]
fn it_is_told_why_the_rules_before_do_not_fit() {
    let rules = rules(
        "[[rule]]\ntext = 'b'\nreply = 'x'\n\
         [[rule]]\ntext = 'a'\nnumber = '1'\nreply = 'x'\n\
         [[rule]]\nname = 'once'\ncooldown = '1h'\nreply = 'x'\n\
         [[rule]]\nname = 'rest'\nreply = 'x'",
    );
    let facts = Facts {
        resting: [("once".to_owned(), 5)].into(),
        ..Facts::default()
    };
    let judged = rules.judge(&said("a"), &facts, 4);
    assert_eq!(judged.passed, ["text", "number", "cooldown"]);
    let answer = judged.answer.unwrap();
    assert_eq!(
        (answer.rule, answer.name.as_deref(), answer.line),
        (4, Some("rest"), 12)
    );
    let reaction = rules.judge(&sample_event("reaction", &Sample::default()), &facts, 4);
    assert_eq!(reaction.answer, None);
    assert_eq!(reaction.passed[2], "nothing is said");
}
