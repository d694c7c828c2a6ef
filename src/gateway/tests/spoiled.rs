//! What we panic over costs one event or one message.

use super::*;
use crate::store::{Committer, StoreError};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// The words of Ann's that are our bug.
const SPOILED: &str = "wamid.1\"";

/// Nobody who wrote later was answered: each claim panicked over the first.
#[test]
fn an_event_that_a_claim_panics_over_is_a_dead_letter_and_all_others_go_on() {
    let mut bench = Bench::new();
    for from in [ANN, ANN, BOB] {
        bench.write(from, None);
    }
    let (now, until) = (bench.now, bench.now + MINUTE);
    let take = |tx: &Tx<'_>| crate::gateway::handover::take(tx, now, NUMBER, ANN, until);
    bench.database.commit(take).unwrap();
    // The rules hear what is said to a person, within the claim.
    let ears = Ears::new(|body, _, _| match body.contains(SPOILED) {
        true => panic!("planted"),
        false => Vec::new(),
    });
    let gateway = Arc::new(bench.gateway.clone().with_ears(Some(ears)));
    let (committer, thread) = Committer::start(bench.database, ()).unwrap();
    let claim = || {
        let (gateway, last) = (Arc::clone(&gateway), Arc::new(Mutex::new(None)));
        let looked_at = Arc::clone(&last);
        let claimed = committer.commit(move |tx| {
            let looks_at = |job| *looked_at.lock().unwrap() = job;
            gateway.claim_telling(tx, now, QueueKind::Deliver, 100, &looks_at)
        });
        let last = *last.lock().unwrap();
        (claimed, last)
    };
    let (claimed, spoiled) = claim();
    assert!(matches!(claimed, Err(StoreError::Panicked)));
    let spoiled = spoiled.expect("it was over a job");
    let gives_up = Arc::clone(&gateway);
    let given_up = committer.commit(move |tx| gives_up.give_up_spoiled(tx, now, spoiled));
    given_up.unwrap();
    let work = claim().0.unwrap().work;
    let events: Vec<_> = work
        .iter()
        .map(|work| match work {
            Work::Deliver(delivery) => delivery.event,
            _ => unreachable!("only deliveries were claimed"),
        })
        .collect();
    assert_eq!(events, [3], "the second is a person's to answer");
    let letters = committer.commit(|tx| tx.dead_before(i64::MAX, 9)).unwrap();
    let letters: Vec<_> = letters.iter().map(|(_, event, _)| *event).collect();
    assert_eq!(letters, [1]);
    drop(committer);
    thread.join().unwrap();
}

#[test]
fn a_message_that_we_panic_over_is_held_and_its_lane_goes_on() {
    let mut bench = Bench::new();
    bench.queue(ANN, 3);
    let give_up = |bench: &mut Bench, job| {
        let (gateway, now) = (&bench.gateway, bench.now);
        let step = |tx: &Tx<'_>| gateway.give_up_spoiled(tx, now, job);
        bench.database.commit(step).unwrap();
    };
    let text = |bench: &Bench, id| {
        let row = bench.database.read(|tx| tx.message(id)).unwrap().unwrap();
        (row.state, row.uncertain, row.error.unwrap_or_default())
    };
    // What came of the call could not be written down.
    let first = bench.sends().remove(0);
    give_up(&mut bench, first.job);
    let (state, uncertain, why) = text(&bench, 1);
    assert_eq!((state, uncertain), (SendState::Held, true));
    assert!(why.ends_with("it may have gone out"), "{why}");
    // One that was not begun.
    let second = bench.database.read(|tx| tx.job_of_outbox(2));
    give_up(&mut bench, second.unwrap().unwrap().id);
    let (state, uncertain, _) = text(&bench, 2);
    assert_eq!((state, uncertain), (SendState::Held, false));
    let third = bench.sends().remove(0);
    assert_eq!(third.outbox, 3);
    // It went out meanwhile.
    bench.status(&third, "w3", "delivered", true);
    give_up(&mut bench, third.job);
    assert_eq!(text(&bench, 3).0, SendState::Delivered);
}

/// A claim that panicked over no job, as at its commit, gave up the last one it had looked
/// at, which was sound.
#[test]
fn a_claim_tells_of_each_job_before_it_looks_at_it_and_of_none_when_it_has() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(BOB, None);
    let (gateway, now, told) = (&bench.gateway, bench.now, RefCell::new(Vec::new()));
    let step = |tx: &Tx<'_>| {
        let looks_at = |job| told.borrow_mut().push(job);
        gateway.claim_telling(tx, now, QueueKind::Deliver, 100, &looks_at)
    };
    let claimed = bench.database.commit(step).unwrap();
    let jobs = claimed.work.iter().map(Work::job);
    let each: Vec<_> = jobs.flat_map(|job| [Some(job), None]).collect();
    assert_eq!(each.len(), 4);
    assert_eq!(*told.borrow(), each);
}
