//! What handlers are told about the conversation, and what they want remembered.

use super::*;

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
        .commit(|tx| operator::replay(tx, 0, first.event));
    assert_eq!(replayed.unwrap(), operator::Replayed::Again);
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
