//! Messages that are handed to the bot together.

use super::inbox::Replayed;
use super::*;
use crate::policy::burst::Debounce;
use crate::policy::stale::{OnStale, Stale};
use serde_json::Value;

const SECOND: i64 = 1_000;

/// A bench on which a burst is over after three seconds.
fn debounced() -> Bench {
    debounced_and(Limits::default())
}

fn debounced_and(limits: Limits) -> Bench {
    Bench::with(Limits {
        debounce: Some(Debounce {
            silence_ms: 3 * SECOND,
        }),
        ..limits
    })
}

/// Ann writes, each message so many seconds after the one before it.
fn writes(bench: &mut Bench, pauses: &[i64]) {
    for pause in pauses {
        bench.now += pause * SECOND;
        bench.write(ANN, None);
    }
}

/// The ids of all messages in each envelope that is handed over now.
fn handed(bench: &mut Bench) -> Vec<Vec<String>> {
    bench.deliveries().iter().map(ids).collect()
}

fn ids(delivery: &Delivery) -> Vec<String> {
    let body: Value = serde_json::from_str(&delivery.body).unwrap();
    let value = &body["entry"][0]["changes"][0]["value"];
    let messages = value["messages"].as_array().into_iter().flatten();
    messages
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect()
}

fn wamids(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|n| format!("wamid.{n}")).collect()
}

fn row(bench: &Bench, event: EventId) -> (&'static str, u32, Option<String>) {
    let row = bench.database.read(|tx| inbox::event(tx, event));
    let row = row.unwrap().unwrap();
    (row.state.as_str(), row.attempts, row.error)
}

fn replay(bench: &mut Bench, event: EventId) -> Replayed {
    let now = bench.now;
    let replayed = bench.database.commit(|tx| inbox::replay(tx, now, event));
    replayed.unwrap()
}

#[test]
fn what_is_written_in_one_go_is_one_delivery_once_nothing_more_comes() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 2, 2]);
    let claimed = bench.claim(QueueKind::Deliver);
    assert!(claimed.work.is_empty());
    assert_eq!(claimed.next_due, Some(bench.now + 3 * SECOND));
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    assert_eq!(ids(&burst), wamids(&[1, 2, 3]));
    assert_eq!((burst.attempt, burst.event), (1, 3));
    let contacts = burst.body.matches(r#""contacts":[{"#).count();
    assert_eq!((contacts, burst.body.matches("wa_id").count()), (1, 1));
    bench.delivered(&burst, &done());
    for event in 1..=3 {
        assert_eq!(row(&bench, event), ("done", 1, None));
    }
    assert_eq!(bench.claim(QueueKind::Deliver).next_due, None);
}

#[test]
fn each_persons_messages_are_a_burst_of_their_own() {
    let mut bench = debounced();
    bench.write(ANN, None);
    bench.write(BOB, None);
    bench.write(ANN, None);
    bench.now += 3 * SECOND;
    let mut handed = handed(&mut bench);
    handed.sort();
    assert_eq!(handed, [wamids(&[1, 3]), wamids(&[2])]);
}

#[test]
fn without_the_setting_each_message_goes_alone_at_once() {
    let mut bench = Bench::new();
    writes(&mut bench, &[0, 0]);
    let first = bench.deliveries().remove(0);
    assert_eq!((ids(&first), first.burst.len()), (wamids(&[1]), 0));
    bench.delivered(&first, &done());
    assert_eq!(handed(&mut bench), [wamids(&[2])]);
}

#[test]
fn what_waited_long_becomes_the_same_bursts() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1, 10, 3, 4]);
    bench.now += 600 * SECOND;
    for expected in [wamids(&[1, 2]), wamids(&[3, 4]), wamids(&[5])] {
        let burst = bench.deliveries().remove(0);
        assert_eq!(ids(&burst), expected);
        bench.delivered(&burst, &done());
    }
}

#[test]
fn a_burst_stays_as_it_is_however_often_it_is_tried() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1]);
    bench.now += 3 * SECOND;
    let first = bench.deliveries().remove(0);
    // What comes while the app thinks is another one.
    writes(&mut bench, &[0, 0]);
    bench.delivered(&first, &later(1, false));
    assert_eq!(row(&bench, 2), ("pending", 1, Some("later".into())));
    bench.now += MINUTE;
    let again = bench.deliveries().remove(0);
    assert_eq!((again.attempt, ids(&again)), (2, wamids(&[1, 2])));
    assert_eq!(
        (&again.webhook_id, &again.body),
        (&first.webhook_id, &first.body)
    );
    // A crash changes nothing either, nor does a setting.
    bench.limits.debounce = None;
    bench.restart("token");
    bench.now += MINUTE;
    let again = bench.deliveries().remove(0);
    assert_eq!((again.attempt, ids(&again)), (3, wamids(&[1, 2])));
    bench.delivered(&again, &done());
    assert_eq!(handed(&mut bench), [wamids(&[3])]);
}

#[test]
fn a_message_that_was_tried_alone_stays_alone() {
    let mut bench = debounced();
    writes(&mut bench, &[0]);
    bench.now += 3 * SECOND;
    let alone = bench.deliveries().remove(0);
    writes(&mut bench, &[0]);
    bench.delivered(&alone, &later(0, false));
    bench.now += MINUTE;
    let again = bench.deliveries().remove(0);
    assert_eq!(again.webhook_id, alone.webhook_id);
    assert_eq!(ids(&again), wamids(&[1]));
}

#[test]
fn all_of_a_burst_ends_alike_and_comes_again_together() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1, 1]);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    let reason = || "no".into();
    bench.delivered(&burst, &Outcome::Dead { reason: reason() });
    for event in 1..=3 {
        assert_eq!(row(&bench, event), ("dead", 1, Some("no".into())));
    }
    // Each shows what attempts at it got.
    let said = bench.database.read(|tx| tx.attempts(2)).unwrap();
    assert_eq!(said[0].said, "no");
    // Behind it somebody waits already.
    writes(&mut bench, &[0]);
    assert_eq!(replay(&mut bench, 2), Replayed::Again);
    assert_eq!(replay(&mut bench, 1), Replayed::Pending);
    let again = bench.deliveries().remove(0);
    assert_eq!(again.webhook_id, burst.webhook_id);
    assert_eq!((again.attempt, ids(&again)), (1, wamids(&[1, 2, 3])));
    bench.delivered(&again, &done());
    assert!(handed(&mut bench).is_empty());
    bench.now += 3 * SECOND;
    assert_eq!(handed(&mut bench), [wamids(&[4])]);
}

#[test]
fn a_burst_is_given_up_as_a_whole_and_not_while_it_is_under_way() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1]);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    let give_up = |bench: &mut Bench| {
        let now = bench.now;
        let step = |tx: &Tx<'_>| inbox::give_up(tx, now, 2, None);
        bench.database.commit(step).unwrap()
    };
    assert_eq!(give_up(&mut bench), 0);
    bench.delivered(&burst, &later(60, false));
    assert_eq!(give_up(&mut bench), 1);
    for event in 1..=2 {
        let why = "given up by the operator".to_owned();
        assert_eq!(row(&bench, event), ("dead", 1, Some(why)));
    }
    bench.now += 2 * MINUTE;
    assert!(handed(&mut bench).is_empty());
}

#[test]
fn a_message_that_is_replayed_takes_none_with_it_that_waits() {
    let mut bench = Bench::new();
    writes(&mut bench, &[0]);
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &done());
    bench.limits = debounced().limits;
    bench.restart("token");
    writes(&mut bench, &[0]);
    assert_eq!(replay(&mut bench, 1), Replayed::Again);
    bench.now += 3 * SECOND;
    let again = bench.deliveries().remove(0);
    assert_eq!(
        (ids(&again), again.webhook_id),
        (wamids(&[1]), first.webhook_id)
    );
}

#[test]
fn many_replays_open_each_burst_once() {
    use replay::{Filter, Mode, again};
    let mut bench = debounced();
    let start = bench.now;
    writes(&mut bench, &[0, 1, 1, 60]);
    bench.now += 3 * SECOND;
    for _ in 0..2 {
        let burst = bench.deliveries().remove(0);
        bench.delivered(&burst, &done());
    }
    let (now, all) = (bench.now, Filter::default());
    let late = Filter {
        since: Some(start + SECOND),
        ..Filter::default()
    };
    let look = |bench: &Bench, filter: &Filter, after| {
        let found = bench
            .database
            .read(|tx| again(tx, Mode::Look, filter, after, 100));
        found.unwrap().found
    };
    assert_eq!(look(&bench, &all, 0), 2);
    assert_eq!(look(&bench, &late, 0), 2);
    // One step opens the burst, and it is done before the next begins.
    let act = |bench: &mut Bench, after, limit| {
        let step = |tx: &Tx<'_>| again(tx, Mode::Act(now), &late, after, limit);
        bench.database.commit(step).unwrap()
    };
    let step = act(&mut bench, 0, 1);
    assert_eq!(step.found, 1);
    let burst = bench.deliveries().remove(0);
    assert_eq!(ids(&burst), wamids(&[1, 2, 3]));
    bench.delivered(&burst, &done());
    assert_eq!(act(&mut bench, step.next.unwrap(), 100).found, 1);
    assert_eq!(handed(&mut bench), [wamids(&[4])]);
}

#[test]
fn a_status_that_came_between_goes_after_the_burst_and_anything_else_ends_it() {
    let mut bench = debounced();
    bench.gateway.wants = Wants::All;
    let sample = Sample {
        number: NUMBER,
        from: ANN,
        ..Sample::default()
    };
    let mut comes = |kind: &str| bench.receive(&sample::notification(kind, &sample).unwrap());
    let waits = Status {
        number: NUMBER,
        display: "15550109000",
        waba: sample.waba,
        wamid: "wamid.sent",
        status: "read",
        recipient: Recipient::Phone(ANN),
        user_id: None,
        opaque: None,
        error: None,
        timestamp: 1,
    };
    comes("text");
    bench.receive(&sample::status(&waits));
    bench.write(ANN, None);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    assert_eq!(burst.burst.len(), 2);
    bench.delivered(&burst, &done());
    let status = bench.deliveries().remove(0);
    assert_eq!((status.event, status.kind), (2, Kind::Status));
    bench.delivered(&status, &done());
    // A call, and then what it is about.
    bench.write(ANN, None);
    bench.receive(&sample::notification("call", &sample).unwrap());
    bench.write(ANN, None);
    bench.now += 3 * SECOND;
    for expected in [(4, Kind::Message), (5, Kind::Call), (6, Kind::Message)] {
        let next = bench.deliveries().remove(0);
        assert_eq!(
            (next.event, next.kind, next.burst.len()),
            (expected.0, expected.1, 0)
        );
        bench.delivered(&next, &done());
    }
}

#[test]
fn only_what_a_person_says_to_us_waits() {
    let mut bench = debounced();
    bench.gateway.wants = Wants::All;
    for kind in ["status-read", "call", "system", "template-status"] {
        let sample = Sample {
            number: NUMBER,
            from: ANN,
            ..Sample::default()
        };
        bench.receive(&sample::notification(kind, &sample).unwrap());
        let delivery = bench.deliveries().remove(0);
        bench.delivered(&delivery, &done());
    }
    // What the business wrote on its phone is told at once.
    let echo = message(9, ANN, None).replace(r#""field":"messages""#, r#""field":"history""#);
    bench.receive(&echo);
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn a_message_that_came_late_is_no_part_of_what_is_written_now() {
    let mut bench = debounced_and(Limits {
        stale: Some(Stale {
            after_ms: 60 * MINUTE,
            then: OnStale::Mark,
        }),
        ..Limits::default()
    });
    for (n, minutes) in [(1, 90), (2, 70), (3, 0)] {
        let sample = Sample {
            number: NUMBER,
            from: ANN,
            id: &format!("wamid.{n}"),
            timestamp: (bench.now - minutes * MINUTE) / 1_000,
            ..Sample::default()
        };
        bench.receive(&sample::notification("text", &sample).unwrap());
    }
    bench.now += 3 * SECOND;
    let late = bench.deliveries().remove(0);
    assert_eq!(ids(&late), wamids(&[1, 2]));
    assert_eq!(late.facts.stale_ms, Some(90 * MINUTE));
    assert!(late.facts.first_contact);
    let each: Vec<_> = late.burst.iter().map(|part| part.first_contact).collect();
    assert_eq!(each, [true, false]);
    bench.delivered(&late, &done());
    let now = bench.deliveries().remove(0);
    assert_eq!((ids(&now), now.facts.stale_ms), (wamids(&[3]), None));
}

#[test]
fn an_answer_answers_the_last_message() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1]);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    let answers = [r#"{"type":"read"}"#, "no JSON"];
    bench.delivered(&burst, &Outcome::done(answers.map(str::to_owned).into()));
    assert!(bench.sends()[0].body.contains("wamid.2"));
    for id in [1, 2] {
        let row = bench.database.read(|tx| tx.message(id)).unwrap().unwrap();
        assert_eq!(row.cause, Some(2));
    }
}

#[test]
fn a_burst_is_given_up_when_its_last_message_is_too_old() {
    let mut bench = debounced();
    let age = bench.limits.delivery_age_max_ms;
    writes(&mut bench, &[0, 2]);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    bench.delivered(&burst, &later(0, false));
    bench.now += age - 4 * SECOND;
    let again = bench.deliveries().remove(0);
    bench.delivered(&again, &later(0, false));
    bench.now += MINUTE;
    assert!(bench.deliveries().is_empty());
    for event in [1, 2] {
        assert_eq!(row(&bench, event).0, "dead", "{event}");
    }
}

#[test]
fn a_burst_of_a_conversation_that_a_person_took_is_passed_over() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1]);
    bench.now += 3 * SECOND;
    let burst = bench.deliveries().remove(0);
    let now = bench.now;
    let take =
        |tx: &Tx<'_>| crate::gateway::handover::take(tx, now, NUMBER, ANN, now + 60 * MINUTE);
    bench.database.commit(take).unwrap();
    bench.delivered(&burst, &later(0, false));
    bench.now += MINUTE;
    assert!(bench.deliveries().is_empty());
    for event in [1, 2] {
        let (state, _, why) = row(&bench, event);
        assert_eq!(state, "done");
        assert!(why.unwrap().starts_with("skipped: "));
    }
}

#[test]
fn two_conversations_that_turn_out_to_be_one_keep_their_bursts() {
    let mut bench = debounced();
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    bench.now += 3 * SECOND;
    let bursts = bench.deliveries();
    bench.write(ANN, Some(ANN_BSUID));
    for burst in &bursts {
        bench.delivered(burst, &later(0, false));
    }
    bench.now += MINUTE;
    for expected in [wamids(&[1, 3]), wamids(&[2, 4]), wamids(&[5])] {
        let burst = bench.deliveries().remove(0);
        assert_eq!(ids(&burst), expected);
        bench.delivered(&burst, &done());
    }
    assert_eq!(bench.claim(QueueKind::Deliver).next_due, None);
}

#[test]
fn who_turns_out_to_be_one_with_another_waits_no_less() {
    let mut bench = debounced();
    let until = bench.now + 3 * SECOND;
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    bench.now += SECOND;
    bench.write(ANN, Some(ANN_BSUID));
    let bot = bench.gateway.bot;
    let due = bench.database.read(|tx| tx.next_due(bot)).unwrap();
    assert_eq!(due, Some(until));
    bench.now = until;
    assert!(bench.deliveries().is_empty());
    bench.now += SECOND;
    assert_eq!(handed(&mut bench), [wamids(&[1, 2, 3])]);
}

#[test]
fn a_clock_that_is_set_back_delays_nobody() {
    let mut bench = debounced();
    writes(&mut bench, &[0, 1]);
    bench.now -= 600 * MINUTE;
    assert_eq!(handed(&mut bench), [wamids(&[1, 2])]);
}
