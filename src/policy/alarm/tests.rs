//! Facts in, alarms out; then when each is told, once and again when it is over.

use super::news::{News, read};
use super::*;
use serde_json::{Value, json};

const NOW: i64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
const LIMITS: Limits = Limits {
    waiting_ms: 30 * MINUTE,
    quiet_ms: Some(60 * MINUTE),
};

fn queue(name: &str, sends: bool) -> QueueFacts {
    QueueFacts {
        name: name.into(),
        sends,
        halted: false,
        down: false,
        oldest: None,
        dead: 0,
    }
}

/// A bot and a number that have nothing to do.
fn well() -> Facts {
    Facts {
        queues: vec![queue("bot", false), queue("106", true)],
        newest_event: Some(NOW - MINUTE),
        usual: true,
        disks: vec![("/data".into(), 50 << 30, 100 << 30)],
        ..Facts::default()
    }
}

/// The causes when that is so, as `kind subject`, and a part of what the first
/// says or advises.
fn check(spoil: impl Fn(&mut Facts), expected: &[&str], part: &str) {
    let mut facts = well();
    spoil(&mut facts);
    let causes = causes(&facts, &LIMITS, NOW);
    let named = causes
        .iter()
        .map(|c| format!("{} {}", c.kind.as_str(), c.subject));
    assert_eq!(named.collect::<Vec<_>>(), expected);
    let said = causes
        .first()
        .map(|cause| format!("{} {}", cause.says, cause.mend));
    let said = said.unwrap_or_default();
    assert!(said.contains(part), "no {part:?} in {said:?}");
}

#[test]
fn when_all_is_well_nobody_is_called() {
    check(|_| {}, &[], "");
    check(|facts| facts.newest_event = None, &[], "");
}

#[test]
fn each_cause_is_found_with_its_mend() {
    check(
        |facts| {
            let halt = ("token of 106", "the token has ended", "make a new one");
            facts.halts = vec![(halt.0.into(), halt.1.into(), halt.2.into())];
            facts.queues[1].halted = true;
            facts.queues[1].oldest = Some(NOW - DAY);
        },
        &["halt token of 106"],
        "sending is halted: the token has ended make a new one",
    );
    check(
        |facts| facts.queues[0].dead = 3,
        &["dead bot"],
        "inbox replay --dead",
    );
    // A message that was not sent is not a dead letter: whoever sent it was told.
    check(|facts| facts.queues[1].dead = 3, &[], "");
    for (free, all, expected) in [
        (2_u64 << 30, 100 << 30, &[] as &[&str]),
        (1 << 30, 100 << 30, &[]),
        ((1 << 30) - 1, 100 << 30, &["disk /data"]),
        (200 << 20, 1 << 30, &[]),
        (100 << 20, 1 << 30, &["disk /data"]),
    ] {
        check(
            |facts| facts.disks[0] = ("/data".into(), free, all),
            expected,
            "",
        );
    }
}

#[test]
fn an_outage_is_told_when_work_waits_and_other_waits_when_they_are_long() {
    let waits = |at: usize, down: bool, ms: i64| {
        move |facts: &mut Facts| {
            facts.queues[at].down = down;
            facts.queues[at].oldest = Some(NOW - ms);
        }
    };
    check(waits(0, true, MINUTE), &[], "");
    check(
        waits(0, true, MINUTE + 1),
        &["down bot"],
        "cannot be handed over",
    );
    check(waits(1, true, 2 * MINUTE), &["down 106"], "check --online");
    check(waits(0, false, 30 * MINUTE), &[], "");
    check(
        waits(0, false, 31 * MINUTE),
        &["waiting bot"],
        "waits for 31 minutes",
    );
    check(
        waits(1, false, 31 * MINUTE),
        &["waiting 106"],
        "RATE_PER_NUMBER",
    );
    check(|facts| facts.queues[0].down = true, &[], "");
}

#[test]
fn quiet_is_an_alarm_only_where_it_is_not_usual() {
    let quiet = |usual: bool, ms: i64| {
        move |facts: &mut Facts| {
            facts.newest_event = Some(NOW - ms);
            facts.usual = usual;
        }
    };
    check(quiet(true, 60 * MINUTE), &[], "");
    check(quiet(true, 61 * MINUTE), &["quiet "], "check --online");
    check(quiet(false, 61 * MINUTE), &[], "");
    let never = Limits {
        quiet_ms: None,
        ..LIMITS
    };
    let mut facts = well();
    facts.newest_event = Some(NOW - 100 * DAY);
    assert_eq!(causes(&facts, &never, NOW), []);
}

#[test]
fn a_token_is_told_of_a_week_before_it_ends() {
    let ends = |ms: i64| {
        move |facts: &mut Facts| facts.notices = vec![Notice::of_token("WHATSAPP_TOKEN", NOW + ms)]
    };
    check(ends(8 * DAY), &[], "");
    check(ends(7 * DAY), &["token WHATSAPP_TOKEN"], "ends in 7 days");
    check(ends(-1), &["token WHATSAPP_TOKEN"], "has ended");
}

/// A notification of an account's field, as it is stored.
fn told(field: &str, value: Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102", "time": 1,
        "changes": [{"field": field, "value": value}]}]})
    .to_string()
}

/// What becomes of it: `kind subject`, `over kind subject`, or nothing.
fn check_news(field: &str, value: Value, expected: &str) -> Option<Notice> {
    let body = told(field, value);
    let (said, notice) = match read(&body, NOW) {
        None => (String::new(), None),
        Some(News::Over(kind, subject)) => (format!("over {} {subject}", kind.as_str()), None),
        Some(News::Stands(notice)) => (
            format!("{} {}", notice.kind.as_str(), notice.subject),
            Some(notice),
        ),
    };
    assert_eq!(said, expected, "{body}");
    notice
}

#[test]
fn what_meta_tells_of_templates_stands_until_it_is_taken_back() {
    let status = |event: &str| {
        json!({"event": event, "message_template_id": 1_689_556_908_129_832_i64,
            "message_template_name": "order_update", "message_template_language": "en-US"})
    };
    let field = "message_template_status_update";
    for event in ["PAUSED", "DISABLED", "REJECTED", "FLAGGED"] {
        check_news(field, status(event), "template order_update/en_US");
    }
    for event in ["APPROVED", "REINSTATED", "DELETED"] {
        check_news(field, status(event), "over template order_update/en_US");
    }
    check_news(field, status("PENDING"), "");
    let mut unpaused = status("PAUSED");
    unpaused["other_info"] = json!({"title": "UNPAUSE"});
    check_news(field, unpaused, "over template order_update/en_US");
    let quality = |score: &str| {
        json!({"previous_quality_score": "GREEN", "new_quality_score": score,
            "message_template_name": "a", "message_template_language": "de"})
    };
    let field = "message_template_quality_update";
    check_news(field, quality("RED"), "quality template a/de");
    check_news(field, quality("YELLOW"), "over quality template a/de");
    check_news(field, quality("UNKNOWN"), "");
}

#[test]
fn what_meta_tells_of_numbers_and_accounts_stands_until_it_is_taken_back() {
    let number = |event: &str| json!({"event": event, "display_phone_number": "15550783881"});
    let field = "phone_number_quality_update";
    check_news(field, number("FLAGGED"), "quality 15550783881");
    check_news(field, number("DOWNGRADE"), "quality 15550783881");
    check_news(field, number("UNFLAGGED"), "over quality 15550783881");
    check_news(
        field,
        number("THROUGHPUT_UPGRADE"),
        "over quality 15550783881",
    );
    let field = "account_update";
    let ban =
        |state: Value| json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}});
    check_news(field, ban(json!("DISABLE")), "account 102");
    check_news(field, ban(json!(["SCHEDULE_FOR_DISABLE"])), "account 102");
    check_news(field, ban(json!("REINSTATE")), "over account 102");
    check_news(field, json!({"event": "VERIFIED_ACCOUNT"}), "");
    check_news(field, json!({"event": "ACCOUNT_DELETED"}), "account 102");
    let ends = NOW / 1_000 + 3_600;
    let restricted = json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": [
        {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": ends}]});
    let notice = check_news(field, restricted, "account 102").unwrap();
    assert!(notice.stands(NOW).is_some());
    assert_eq!(notice.until, Some(ends * 1_000));
    assert_eq!(notice.stands(ends * 1_000), None, "it ends by itself");
    let violation =
        json!({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}});
    let notice = check_news(field, violation, "account 102").unwrap();
    assert_eq!(notice.until, Some(NOW + 7 * DAY), "Meta tells no end");
    check_news(
        "account_review_update",
        json!({"decision": "REJECTED"}),
        "account 102",
    );
    check_news(
        "account_review_update",
        json!({"decision": "APPROVED"}),
        "over account 102",
    );
    let alert = |severity: &str, status: &str| {
        json!({"entity_type": "BUSINESS", "entity_id": 506_914, "alert_info": {
            "alert_severity": severity, "alert_status": status, "alert_type": "OBA_REJECTED",
            "alert_description": "call +1 555"}})
    };
    let notice = check_news(
        "account_alerts",
        alert("CRITICAL", "ACTIVE"),
        "account 506914 OBA_REJECTED",
    );
    assert!(
        !notice.unwrap().says.contains("555"),
        "Meta's text is not ours to log"
    );
    check_news("account_alerts", alert("INFORMATIONAL", "ACTIVE"), "");
    check_news(
        "account_alerts",
        alert("CRITICAL", "NONE"),
        "over account 506914 OBA_REJECTED",
    );
    let pin = json!({"event": "PIN_RESET_REQUEST", "display_phone_number": "1555"});
    check_news("security", pin, "account 1555");
}

#[test]
fn what_graph_tells_of_a_number_when_asked_is_news() {
    let told = |quality: &str, status: &str| {
        let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        let number = crate::wire::setup::Number {
            quality: word(quality),
            status: word(status),
            ..Default::default()
        };
        let news = news::of_number("106", &number, NOW).into_iter();
        let said = news.map(|one| match one {
            News::Over(kind, subject) => format!("over {} {subject}", kind.as_str()),
            News::Stands(notice) => {
                assert!(notice.until > Some(NOW), "it ends when Graph tells no more");
                format!("{} {}", notice.kind.as_str(), notice.subject)
            }
        });
        said.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        told("RED", "CONNECTED"),
        "quality 106, over account number 106"
    );
    assert_eq!(
        told("YELLOW", "BANNED"),
        "over quality 106, account number 106"
    );
    assert_eq!(told("UNKNOWN", "PENDING"), "");
    assert_eq!(told("", ""), "");
}

#[test]
fn what_is_misshapen_is_no_news() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"entry":[{"changes":[{"field":"account_update"}]}]}"#,
    ] {
        assert_eq!(read(body, NOW), None, "{body}");
    }
    let hostile = json!({"event": "PAUSED", "message_template_name": "a\"\n\u{1b}[2J b"});
    check_news("message_template_status_update", hostile, "template a2Jb/");
}

fn cause(kind: Kind, subject: &str) -> Cause {
    Cause {
        kind,
        subject: subject.into(),
        says: "x".into(),
        mend: "y".into(),
    }
}

/// Looks at these times, in minutes, with these causes of one kind there, and
/// what changes each time.
fn check_looks(kind: Kind, looks: &[(i64, bool, &str)]) {
    let mut standing: Vec<Alarm> = Vec::new();
    for (minute, there, expected) in looks {
        let now = NOW + minute * MINUTE;
        let causes: Vec<Cause> = there.then(|| cause(kind, "a")).into_iter().collect();
        let mut said = Vec::new();
        for change in changes(&standing, &causes, true, now) {
            said.push(match change {
                Change::Raise(cause) => {
                    standing.push(Alarm {
                        cause,
                        since: now,
                        gone_at: None,
                        alerted: true,
                    });
                    "raise"
                }
                Change::Gone(_) => {
                    standing[0].gone_at = Some(now);
                    "gone"
                }
                Change::Back(_) => {
                    standing[0].gone_at = None;
                    "back"
                }
                Change::Over(_) => {
                    standing.clear();
                    "over"
                }
                Change::Alert(_) => "alert",
            });
        }
        assert_eq!(said.join(" "), *expected, "at minute {minute}");
    }
}

#[test]
fn a_cause_is_told_once_and_once_when_it_is_over() {
    check_looks(
        Kind::Halt,
        &[
            (0, false, ""),
            (1, true, "raise"),
            (2, true, ""),
            (900, true, ""),
            (901, false, "over"),
            (902, false, ""),
            (903, true, "raise"),
        ],
    );
}

#[test]
fn what_comes_and_goes_is_over_when_it_stays_away() {
    check_looks(
        Kind::Down,
        &[
            (0, true, "raise"),
            (1, false, "gone"),
            (2, true, "back"),
            (3, false, "gone"),
            (4, false, ""),
            (5, false, "over"),
        ],
    );
    // The clock was set back by an hour.
    check_looks(
        Kind::Down,
        &[
            (100, true, "raise"),
            (101, false, "gone"),
            (40, false, "over"),
        ],
    );
}

#[test]
fn who_is_to_be_told_later_hears_what_stands() {
    let standing = |alerted| {
        vec![Alarm {
            cause: cause(Kind::Dead, "bot"),
            since: NOW,
            gone_at: None,
            alerted,
        }]
    };
    let causes = [cause(Kind::Dead, "bot"), cause(Kind::Dead, "crm")];
    let told = |alerted, alerts| changes(&standing(alerted), &causes, alerts, NOW).len();
    assert_eq!(told(false, false), 1, "the other one is new");
    assert_eq!(told(false, true), 2);
    assert_eq!(told(true, true), 1);
    let twice = [cause(Kind::Dead, "crm"), cause(Kind::Dead, "crm")];
    assert_eq!(changes(&[], &twice, true, NOW).len(), 1);
}
