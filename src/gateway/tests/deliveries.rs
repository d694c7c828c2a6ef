//! Events on their way to the app.

use super::*;

#[test]
fn an_event_is_stored_once_however_it_comes_again() {
    let mut bench = Bench::new();
    assert_eq!((bench.write(ANN, None).stored, bench.messages), (1, 1));
    let again = bench.receive(&message(1, ANN, None));
    assert_eq!(
        (again.stored, again.duplicates, again.to_deliver),
        (0, 1, false)
    );
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn a_lane_runs_in_order_and_one_at_a_time_beside_other_lanes() {
    let mut bench = Bench::new();
    for from in [ANN, ANN, BOB] {
        bench.write(from, None);
    }
    let first = bench.deliveries();
    assert_eq!(events(&first), [1, 3]);
    assert_eq!(events(&bench.deliveries()), [0; 0]);
    bench.delivered(&first[0], &done());
    assert_eq!(events(&bench.deliveries()), [2]);
}

#[test]
fn the_lane_waits_for_an_event_that_is_tried_again() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &later(30, false));
    let claimed = bench.claim(QueueKind::Deliver);
    assert!(claimed.work.is_empty());
    assert_eq!(claimed.next_due, Some(bench.now + 30_000));
    bench.now += 30_000;
    let again = bench.deliveries();
    assert_eq!((again[0].event, again[0].attempt), (1, 2));
    assert_eq!(again[0].webhook_id, first.webhook_id);
}

#[test]
fn a_dead_letter_lets_the_lane_go_on_and_a_replay_goes_first() {
    let mut bench = Bench::new();
    (0..3).for_each(|_| _ = bench.write(ANN, None));
    let reason = "no".into();
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &Outcome::Dead { reason });
    let second = bench.deliveries().remove(0);
    let now = bench.now;
    let replayed = bench.database.commit(|tx| inbox::replay(tx, now, 1));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    assert_eq!(events(&bench.deliveries()), [0; 0], "the second still runs");
    bench.delivered(&second, &done());
    let again = bench.deliveries().remove(0);
    assert_eq!((again.event, again.attempt), (1, 1));
    bench.delivered(&again, &done());
    assert_eq!(events(&bench.deliveries()), [3]);
}

#[test]
fn the_end_of_a_delivery_and_its_replies_are_one_commit() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.into()];
    let outcome = Outcome::done(replies);
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    let crashed = bench.database.commit(|tx| {
        gateway.finish_delivery(tx, now, delivery.job, delivery.attempt, &outcome, 0.0)?;
        Err::<(), _>(crate::store::StoreError::Full)
    });
    assert!(crashed.is_err());
    assert_eq!(bench.sends().len(), 0);
    assert_eq!(bench.restart("token").deliveries, 1);
    let again = bench.deliveries().remove(0);
    assert_eq!((again.event, again.attempt), (1, 2));
    bench.delivered(&again, &outcome);
    assert_eq!(bench.sends().len(), 1);
}

#[test]
fn an_answer_that_comes_after_the_attempt_is_over_changes_nothing() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    bench.restart("token");
    let second = bench.deliveries().remove(0);
    bench.delivered(&first, &done());
    bench.write(ANN, None);
    assert_eq!(events(&bench.deliveries()), [0; 0], "the first counted");
    bench.delivered(&second, &done());
    assert_eq!(events(&bench.deliveries()), [2]);
}

#[test]
fn an_app_that_is_down_is_only_probed() {
    let mut bench = Bench::with(Limits {
        bot_concurrency: 20,
        ..Limits::default()
    });
    for n in 0..20 {
        bench.write(&format!("1555010{n:04}"), None);
    }
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &later(0, true));
    }
    let mut attempts = 0;
    for _ in 0..10 * 60 {
        bench.now += 1_000;
        let probes = bench.deliveries();
        attempts += probes.len();
        probes
            .iter()
            .for_each(|probe| bench.delivered(probe, &later(0, true)));
    }
    assert!(
        (15..=25).contains(&attempts),
        "one each half minute: {attempts}"
    );
    bench.now += 30_000;
    let probe = bench.deliveries();
    assert_eq!(probe.len(), 1);
    bench.delivered(&probe[0], &done());
    bench.now += MINUTE;
    assert_eq!(bench.deliveries().len(), 19, "it is back: all go at once");
}

#[test]
fn an_event_too_old_to_be_tried_again_is_a_dead_letter() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.now += 2 * bench.limits.delivery_age_max_ms;
    let late = bench.deliveries().remove(0);
    assert_eq!(late.attempt, 1, "an outage of ours is not held against it");
    bench.delivered(&late, &later(1, false));
    bench.now += MINUTE;
    assert!(bench.deliveries().is_empty());
    let letters = bench.database.read(|tx| tx.dead_before(i64::MAX, 9));
    let events = letters.unwrap().into_iter().map(|(_, event, _)| event);
    assert_eq!(events.collect::<Vec<_>>(), [1]);
}

/// Of a thousand dead letters that were replayed those were dead again on which the app
/// stumbled once.
#[test]
fn what_is_replayed_is_tried_for_as_long_as_if_it_had_just_come() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    let reason = "no".into();
    bench.delivered(&first, &Outcome::Dead { reason });
    check_replayed_for_long(bench);
}

#[test]
fn so_is_what_was_never_handed_over_before() {
    let mut bench = Bench::new();
    bench.receive(&format!(
        r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},"statuses":[{{"id":"wamid.other","status":"sent","timestamp":"1790000000","recipient_id":"{ANN}"}}]}}}}]}}]}}"#
    ));
    assert!(bench.deliveries().is_empty(), "statuses are not wanted");
    check_replayed_for_long(bench);
}

/// Of a bench with one event that nobody waits for.
fn check_replayed_for_long(mut bench: Bench) {
    let age = bench.limits.delivery_age_max_ms;
    bench.now += 3 * age;
    let now = bench.now;
    let replayed = bench.database.commit(|tx| inbox::replay(tx, now, 1));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    for attempt in 1..4 {
        let again = bench.deliveries().remove(0);
        assert_eq!(again.attempt, attempt);
        bench.delivered(&again, &later(1, false));
        bench.now += MINUTE;
    }
    bench.now = now + age + 1;
    assert!(bench.deliveries().is_empty(), "a dead letter again");
    let letters = bench.database.read(|tx| tx.dead_before(i64::MAX, 9));
    assert_eq!(letters.unwrap().len(), 1);
}

/// It was handed over again at once, and again, at full speed.
#[test]
fn a_handler_that_wants_to_wait_for_long_waits_for_an_hour() {
    for secs in [3_601, 6 * 3_600, u64::MAX / 1_000, u64::MAX] {
        let mut bench = Bench::new();
        bench.write(ANN, None);
        let delivery = bench.deliveries().remove(0);
        bench.delivered(&delivery, &later(secs, false));
        bench.now += 1;
        let claimed = bench.claim(QueueKind::Deliver);
        assert!(claimed.work.is_empty(), "{secs} s");
        assert_eq!(claimed.next_due, Some(bench.now - 1 + 60 * MINUTE));
        bench.now += 60 * MINUTE;
        assert_eq!(bench.deliveries().len(), 1, "{secs} s");
    }
}

/// A restart without FORWARD_URL, and all that waited for the app was done with.
#[test]
fn what_waits_for_the_bot_waits_while_there_is_none() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &later(1, true));
    let with_a_bot = bench.gateway.clone();
    bench.gateway.wants = Wants::Nothing;
    bench.now += MINUTE;
    assert!(bench.deliveries().is_empty());
    bench.gateway = with_a_bot;
    assert_eq!(events(&bench.deliveries()), [first.event]);
}
