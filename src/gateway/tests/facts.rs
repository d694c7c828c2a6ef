//! What handlers are told about the conversation, and what they want remembered.

use super::*;
use crate::policy::stale::{OnStale, Stale};

/// The delivery of somebody's next message.
fn next(bench: &mut Bench, phone: &str, bsuid: Option<&str>) -> Delivery {
    bench.write(phone, bsuid);
    bench.deliveries().remove(0)
}

fn remembers(bench: &mut Bench, delivery: &Delivery, effects: &[Effect]) {
    let outcome = Outcome::Done {
        replies: Vec::new(),
        effects: effects.to_vec(),
    };
    bench.delivered(delivery, &outcome);
}

fn rest(rule: &str, until: i64) -> Effect {
    Effect::Rest {
        rule: rule.into(),
        until,
    }
}

fn resting(delivery: &Delivery) -> Vec<(&str, i64)> {
    let resting = delivery.facts.resting.iter();
    resting.map(|(rule, until)| (&**rule, *until)).collect()
}

/// A bench on which messages are late after an hour.
fn late(then: OnStale) -> Bench {
    Bench::with(Limits {
        stale: Some(Stale {
            after_ms: 60 * MINUTE,
            then,
        }),
        ..Limits::default()
    })
}

/// A message that was written some minutes before it comes.
fn written(bench: &mut Bench, kind: &str, minutes: i64) -> Received {
    bench.messages += 1;
    let sample = Sample {
        number: NUMBER,
        from: ANN,
        id: &format!("wamid.{}", bench.messages),
        timestamp: (bench.now - minutes * MINUTE) / 1_000,
        ..Sample::default()
    };
    bench.receive(&sample::notification(kind, &sample).unwrap())
}

#[test]
fn how_late_a_message_came_is_told_and_does_not_change_while_it_waits_here() {
    let mut bench = late(OnStale::Mark);
    for (minutes, stale) in [(0, None), (59, None), (61, Some(61 * MINUTE))] {
        assert!(written(&mut bench, "text", minutes).to_deliver);
        let first = bench.deliveries().remove(0);
        assert_eq!(first.facts.stale_ms, stale, "{minutes}");
        bench.delivered(&first, &later(0, false));
        bench.now += 600 * MINUTE;
        let again = bench.deliveries().remove(0);
        assert_eq!((again.attempt, again.facts.stale_ms), (2, stale));
        bench.delivered(&again, &done());
    }
    let mut bench = Bench::with(Limits {
        stale: None,
        ..Limits::default()
    });
    written(&mut bench, "text", 61);
    assert_eq!(bench.deliveries()[0].facts.stale_ms, None);
}

#[test]
fn observers_are_told_too() {
    let mut limits = late(OnStale::Mark).limits;
    limits.observers = vec![crate::config::ObserverLimits {
        name: "copy".into(),
        selection: crate::config::Selection::all(),
        concurrency: 1,
        age_max_ms: 600 * MINUTE,
    }];
    let mut bench = Bench::with(limits);
    written(&mut bench, "text", 61);
    let both = bench.deliveries();
    assert_eq!(both.len(), 2);
    for delivery in both {
        assert_eq!(delivery.facts.stale_ms, Some(61 * MINUTE));
    }
}

#[test]
fn a_message_that_came_too_late_is_skipped_and_only_an_operator_has_it_handed_over() {
    let mut bench = late(OnStale::Skip);
    written(&mut bench, "text", 0);
    let before = bench.deliveries().remove(0);
    let skipped = written(&mut bench, "text", 125);
    assert_eq!((skipped.stored, skipped.to_deliver), (1, false));
    written(&mut bench, "text", 1);
    bench.delivered(&before, &done());
    let after = bench.deliveries().remove(0);
    assert_eq!(after.event, 3, "the lane goes on without it");
    bench.delivered(&after, &done());
    assert!(bench.deliveries().is_empty());
    let row = bench.database.read(|tx| inbox::event(tx, 2));
    let row = row.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.attempts), ("done", 0));
    let why = row.error.unwrap();
    assert!(why.contains("125 min after it was written"), "{why}");
    let replayed = bench.database.commit(|tx| inbox::replay(tx, 0, 2));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    let replayed = bench.deliveries().remove(0);
    assert_eq!(replayed.facts.stale_ms, Some(125 * MINUTE));
}

#[test]
fn only_what_a_customer_wrote_can_come_too_late() {
    let mut bench = late(OnStale::Skip);
    bench.gateway.wants = Wants::All;
    for kind in ["call", "status-read", "template-status"] {
        assert!(written(&mut bench, kind, 600).to_deliver, "{kind}");
    }
    for delivery in bench.deliveries() {
        assert_eq!(delivery.facts.stale_ms, None);
    }
}

#[test]
fn the_first_message_is_first_contact_however_often_it_is_tried() {
    let mut bench = Bench::new();
    let first = next(&mut bench, ANN, None);
    assert!(first.facts.first_contact);
    bench.delivered(&first, &later(0, false));
    bench.now += MINUTE;
    let again = bench.deliveries().remove(0);
    assert_eq!((again.attempt, again.facts.first_contact), (2, true));
    bench.delivered(&again, &done());
    let second = next(&mut bench, ANN, None);
    assert!(!second.facts.first_contact);
    assert!(next(&mut bench, BOB, None).facts.first_contact);
    bench.delivered(&second, &done());
    let replayed = bench
        .database
        .commit(|tx| inbox::replay(tx, 0, first.event));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    assert!(bench.deliveries().remove(0).facts.first_contact);
}

#[test]
fn who_only_reacted_has_not_turned_to_us_yet() {
    let mut bench = Bench::new();
    for kind in ["reaction", "system", "unsupported"] {
        let sample = Sample {
            number: NUMBER,
            from: ANN,
            id: kind,
            ..Sample::default()
        };
        bench.receive(&sample::notification(kind, &sample).unwrap());
        let delivery = bench.deliveries().remove(0);
        assert!(!delivery.facts.first_contact, "{kind}");
        bench.delivered(&delivery, &done());
    }
    assert!(next(&mut bench, ANN, None).facts.first_contact);
}

#[test]
fn effects_are_told_with_the_next_message_of_that_conversation_only() {
    let mut bench = Bench::new();
    let first = next(&mut bench, ANN, None);
    assert_eq!(first.facts.resting.len(), 0);
    let until = bench.now + MINUTE;
    remembers(
        &mut bench,
        &first,
        &[rest("a", until), Effect::StopMarketing],
    );
    let second = next(&mut bench, ANN, None);
    assert_eq!(resting(&second), [("a", until)]);
    assert!(second.facts.marketing_stopped);
    let other = next(&mut bench, BOB, None);
    assert_eq!(resting(&other), []);
    assert!(!other.facts.marketing_stopped);
    // What is over is forgotten with the next that comes.
    bench.now = until;
    let later = until + MINUTE;
    remembers(
        &mut bench,
        &second,
        &[rest("b", later), Effect::StartMarketing],
    );
    let third = next(&mut bench, ANN, None);
    assert_eq!(resting(&third), [("b", later)]);
    assert!(!third.facts.marketing_stopped);
}

#[test]
fn effects_are_in_the_commit_that_ends_the_delivery() {
    let mut bench = Bench::new();
    let first = next(&mut bench, ANN, None);
    let outcome = Outcome::Done {
        replies: Vec::new(),
        effects: vec![Effect::StopMarketing],
    };
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    let crashed = bench.database.commit(|tx| {
        gateway.finish_delivery(tx, now, first.job, first.attempt, &outcome, 0.0)?;
        Err::<(), _>(crate::store::StoreError::Full)
    });
    assert!(crashed.is_err());
    bench.restart("token");
    let again = bench.deliveries().remove(0);
    assert!(!again.facts.marketing_stopped);
    // An answer of the attempt that the crash ended changes nothing either.
    bench.delivered(&first, &outcome);
    bench.delivered(&again, &done());
    assert!(!next(&mut bench, ANN, None).facts.marketing_stopped);
}

#[test]
fn of_two_ids_of_one_person_all_is_remembered() {
    let mut bench = Bench::new();
    let by_phone = next(&mut bench, ANN, None);
    let by_bsuid = next(&mut bench, "", Some(ANN_BSUID));
    let until = bench.now + MINUTE;
    remembers(
        &mut bench,
        &by_phone,
        &[rest("a", until), rest("b", until + 2)],
    );
    remembers(
        &mut bench,
        &by_bsuid,
        &[
            rest("b", until + 1),
            rest("c", until),
            Effect::StopMarketing,
        ],
    );
    let joined = next(&mut bench, ANN, Some(ANN_BSUID));
    assert_eq!(
        resting(&joined),
        [("a", until), ("b", until + 2), ("c", until)]
    );
    assert!(joined.facts.marketing_stopped);
    assert!(!joined.facts.first_contact);
}
