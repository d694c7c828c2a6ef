//! What needs a person, as it is noticed in the store and told once.

use super::*;
use crate::gateway::alarms::{self, View};
use crate::policy::alarm::{self, Change, news};
use serde_json::json;

const DAY: i64 = 24 * 60 * MINUTE;

fn view(alerts: bool) -> View {
    View {
        limits: alarm::Limits {
            waiting_ms: 30 * MINUTE,
            quiet_ms: Some(60 * MINUTE),
        },
        disks: Vec::new(),
        alerts,
    }
}

impl Bench {
    /// What a look changes, as `raise kind subject`, and whether it was announced.
    fn look(&mut self, alerts: bool) -> Vec<String> {
        let (now, view) = (self.now, view(alerts));
        let due = self
            .database
            .read(|tx| alarms::is_due(tx, now, &view))
            .unwrap();
        let changes = self
            .database
            .commit(|tx| alarms::look(tx, now, &view))
            .unwrap();
        assert!(
            due || changes.is_empty(),
            "nobody would have looked: {changes:?}"
        );
        let said = |change: &Change| match change {
            Change::Raise(cause) => format!("raise {} {}", cause.kind.as_str(), cause.subject),
            Change::Over(alarm) => {
                format!("over {} {}", alarm.cause.kind.as_str(), alarm.cause.subject)
            }
            other => format!("{other:?}"),
        };
        changes.iter().map(said).collect()
    }

    /// The next alert, as `raised|over kind`, told or in vain.
    fn alert(&mut self, heard: bool) -> String {
        let now = self.now;
        let step = |tx: &Tx<'_>| {
            let Some(alert) = alarms::next_alert(tx, now)? else {
                return Ok("nothing".into());
            };
            let given_up = alarms::alert_told(tx, now, &alert, heard, 0.0)?;
            let what = if alert.over_at.is_some() {
                "over"
            } else {
                "raised"
            };
            let end = if given_up { ", given up" } else { "" };
            Ok(format!("{what} {}{end}", alert.cause.kind.as_str()))
        };
        self.database.commit(step).unwrap()
    }

    fn told(&mut self, field: &str, value: serde_json::Value) {
        self.messages += 1;
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "102",
            "time": self.messages, "changes": [{"field": field, "value": value}]}]});
        self.receive(&body.to_string());
    }
}

fn refuse(bench: &mut Bench) {
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    let dead = Outcome::Dead {
        reason: "no".into(),
    };
    bench.delivered(&delivery, &dead);
}

#[test]
fn dead_letters_are_told_once_also_across_a_restart_and_again_when_replayed() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(true), [] as [&str; 0]);
    refuse(&mut bench);
    assert_eq!(bench.look(true), ["raise dead bot"]);
    refuse(&mut bench);
    bench.restart("token");
    assert_eq!(bench.look(true), [] as [&str; 0]);
    assert_eq!(bench.alert(true), "raised dead");
    assert_eq!(bench.alert(true), "nothing");
    let now = bench.now;
    let step = |tx: &Tx<'_>| {
        for (_, event, _) in tx.dead_before(i64::MAX, 9)? {
            inbox::replay(tx, now, event)?;
        }
        Ok(())
    };
    bench.database.commit(step).unwrap();
    assert_eq!(bench.look(true), ["over dead bot"]);
    assert_eq!(bench.alert(true), "over dead");
}

/// Events of days ago had been alarmed of the moment somebody had them handed over again.
#[test]
fn what_is_replayed_or_retried_waits_from_then_on() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &error(131_026, None));
    refuse(&mut bench);
    bench.now += 3 * DAY;
    bench.write(BOB, None);
    let written_at = bench.now;
    bench.now += 20 * MINUTE;
    let (now, outbox) = (bench.now, send.outbox);
    let step = |tx: &Tx<'_>| {
        for (_, event, _) in tx.dead_before(i64::MAX, 9)? {
            inbox::replay(tx, now, event)?;
        }
        outbox::retry(tx, now, outbox)
    };
    bench.database.commit(step).unwrap();
    let waits = |change: &String| change.starts_with("raise waiting");
    assert!(
        !bench.look(true).iter().any(waits),
        "20 minutes are allowed"
    );
    let queues = bench.database.read(operator::queues).unwrap();
    let oldest = |kind| queues.iter().find(|q| q.queue.kind == kind).unwrap().oldest;
    let found = [QueueKind::Deliver, QueueKind::Send].map(oldest);
    assert_eq!(found, [Some(written_at), Some(now)]);
    bench.now += 11 * MINUTE;
    let raised: Vec<_> = bench.look(true).into_iter().filter(waits).collect();
    assert_eq!(raised, ["raise waiting bot"], "what was written meanwhile");
}

#[test]
fn a_halt_is_told_and_is_over_with_a_new_token() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &error(190, None));
    assert_eq!(bench.look(true), [format!("raise halt token of {NUMBER}")]);
    let standing = bench.database.read(alarms::standing).unwrap();
    assert!(!standing[0].cause.mend.is_empty());
    // It waits for long, and that is no second cause.
    bench.now += DAY;
    assert_eq!(bench.look(true), ["raise quiet "]);
    bench.restart("another");
    bench.claim(QueueKind::Send);
    let over = bench.look(true);
    assert!(
        over.contains(&format!("over halt token of {NUMBER}")),
        "{over:?}"
    );
}

#[test]
fn what_meta_tells_stands_until_it_is_taken_back() {
    let mut bench = Bench::new();
    let template = |event: &str| json!({"event": event, "message_template_name": "a", "message_template_language": "en"});
    bench.told("message_template_status_update", template("PAUSED"));
    assert_eq!(bench.look(true), ["raise template a/en"]);
    bench.told("message_template_status_update", template("DISABLED"));
    bench.write(ANN, None);
    assert_eq!(bench.look(true), [] as [&str; 0], "it is the same template");
    bench.told("message_template_status_update", template("APPROVED"));
    assert_eq!(bench.look(true), ["over template a/en"]);
    // Between two looks it was paused and released.
    bench.told("message_template_status_update", template("PAUSED"));
    bench.told("message_template_status_update", template("APPROVED"));
    assert_eq!(bench.look(true), [] as [&str; 0]);
}

#[test]
fn when_tokens_end_is_known_across_restarts_and_forgotten_with_them() {
    let mut bench = Bench::new();
    let ends = bench.now + 3 * DAY;
    let note = |bench: &mut Bench, settings: &[&str], ends: &[(&str, Option<i64>)]| {
        let settings: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
        let ends: Vec<_> = ends.iter().map(|(s, at)| ((*s).to_owned(), *at)).collect();
        let step = |tx: &Tx<'_>| alarms::note_tokens(tx, &settings, &ends);
        bench.database.commit(step).unwrap();
    };
    let (one, two) = ("WHATSAPP_TOKEN", "WHATSAPP_TOKEN_1");
    note(
        &mut bench,
        &[one, two],
        &[(one, Some(ends)), (two, Some(ends))],
    );
    assert_eq!(
        bench.look(true),
        ["raise token WHATSAPP_TOKEN", "raise token WHATSAPP_TOKEN_1"]
    );
    // Graph did not tell this time.
    note(&mut bench, &[one, two], &[]);
    assert_eq!(bench.look(true), [] as [&str; 0]);
    note(&mut bench, &[one], &[(one, None)]);
    assert_eq!(
        bench.look(true),
        ["over token WHATSAPP_TOKEN", "over token WHATSAPP_TOKEN_1"]
    );
}

#[test]
fn quiet_is_told_at_a_time_of_day_at_which_something_used_to_come() {
    let mut bench = Bench::new();
    let begin = bench.now;
    // Three messages a day between 0:00 and 0:30, for nine days.
    for day in 0..9 {
        for n in 0..3 {
            bench.now = begin + day * DAY + n * 10 * MINUTE;
            bench.write(ANN, None);
        }
    }
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &done());
    }
    let mut quiet = |at: i64| {
        bench.now = begin + at;
        let looked = bench.look(true);
        looked
            .iter()
            .any(|change| change.starts_with("raise quiet"))
    };
    assert!(
        !quiet(8 * DAY + 12 * 60 * MINUTE),
        "it is always quiet at noon"
    );
    assert!(!quiet(9 * DAY + 15 * MINUTE), "the span has but begun");
    assert!(quiet(9 * DAY + 50 * MINUTE));
}

#[test]
fn quiet_is_told_where_there_is_nothing_to_compare_with() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    bench.now += 60 * MINUTE;
    assert_eq!(bench.look(true), [] as [&str; 0]);
    bench.now += MINUTE;
    assert_eq!(bench.look(true), ["raise quiet "]);
    bench.write(ANN, None);
    assert_eq!(bench.look(true), ["over quiet "]);
}

#[test]
fn an_alert_is_told_in_turn_again_and_again_and_not_for_ever() {
    let mut bench = Bench::new();
    refuse(&mut bench);
    bench.look(false);
    assert_eq!(bench.alert(true), "nothing", "there is nobody to tell");
    bench.look(true);
    assert_eq!(bench.alert(false), "raised dead", "somebody there is now");
    assert_eq!(bench.alert(false), "nothing", "not at once");
    let mut tries = 0;
    let begin = bench.now;
    while bench.now - begin < 3 * DAY {
        bench.now += 30_000;
        tries += i32::from(bench.alert(false) == "raised dead");
    }
    assert!((500..2_500).contains(&tries), "{tries}");
    bench.now += 10 * MINUTE;
    assert_eq!(bench.alert(false), "raised dead, given up");
    assert_eq!(bench.alert(false), "nothing");
}

#[test]
fn only_so_many_alerts_wait() {
    let mut bench = Bench::new();
    for n in 0..1_100 {
        let paused = json!({"event": "PAUSED", "message_template_name": format!("t{n}")});
        bench.told("message_template_status_update", paused);
    }
    for _ in 0..3 {
        bench.look(true);
    }
    let waiting = std::iter::repeat_with(|| bench.alert(true)).take_while(|said| said != "nothing");
    assert_eq!(waiting.count(), 1_000);
}

#[test]
fn the_fields_that_are_read_are_those_that_are_found() {
    let mut bench = Bench::new();
    for field in news::FIELDS {
        bench.told(field, json!({"event": "x"}));
    }
    bench.told("flows", json!({"event": "x"}));
    bench.write(ANN, None);
    let found = bench.database.read(|tx| tx.news_after(0, 99)).unwrap();
    assert_eq!(found.len(), news::FIELDS.len());
}
