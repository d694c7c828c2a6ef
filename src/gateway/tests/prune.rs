//! What has become old goes, and nothing else.

use super::*;
use crate::gateway::prune::{self, Pruned, REMOVED_AT_ONCE};
use crate::policy::upkeep::DIGESTS_KEPT_MS;
use std::collections::BTreeSet;

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const CAROL: &str = "15550100003";

impl Bench {
    fn prune_step(&mut self, log: Log, after: i64, before: i64) -> Pruned {
        let now = self.now;
        let step = |tx: &Tx<'_>| prune::step(tx, now, log, after, before);
        self.database.commit(step).unwrap()
    }

    /// All of one log that was stored before a time: how many went, how many stay.
    fn prune(&mut self, log: Log, before: i64) -> (usize, usize) {
        let (mut all, mut after) = ((0, 0), Some(0));
        while let Some(from) = after {
            let pruned = self.prune_step(log, from, before);
            all = (all.0 + pruned.removed, all.1 + pruned.kept);
            after = pruned.after;
        }
        all
    }

    fn rehearse(&self, log: Log, before: i64) -> (usize, usize) {
        let (mut all, mut after, mut kept) = ((0, 0), Some(0), BTreeSet::new());
        while let Some(from) = after {
            let now = self.now;
            let look = |tx: &Tx<'_>| prune::rehearse(tx, now, log, from, before, &mut kept);
            let pruned = self.database.read(look).unwrap();
            all = (all.0 + pruned.removed, all.1 + pruned.kept);
            after = pruned.after;
        }
        all
    }

    fn stored_events(&self) -> Vec<EventId> {
        let events = self.database.read(|tx| tx.events_after(0, 10_000)).unwrap();
        events.iter().map(|event| event.id).collect()
    }

    /// Somebody writes, and it is done with.
    fn write_and_deliver(&mut self, phone: &str) {
        self.write(phone, None);
        for delivery in self.deliveries() {
            self.delivered(&delivery, &done());
        }
    }

    fn sweep(&mut self) -> usize {
        let (now, mut all, mut after) = (self.now, 0, Some(Vec::new()));
        while let Some(from) = after {
            let step = |tx: &Tx<'_>| prune::sweep_digests(tx, now, now, &from);
            let swept = self.database.commit(step).unwrap();
            all += swept.removed;
            after = swept.after;
        }
        all
    }
}

#[test]
fn what_is_done_with_goes_and_what_is_open_stays() {
    let mut bench = Bench::new();
    bench.write_and_deliver(ANN);
    bench.write(BOB, None);
    let late = bench.deliveries().remove(0);
    bench.delivered(&late, &later(3_600, false));
    bench.write(CAROL, None);
    let dead = bench.deliveries().remove(0);
    bench.delivered(
        &dead,
        &Outcome::Dead {
            reason: "no".into(),
        },
    );
    let before = bench.now + 1;
    bench.now += 30 * MINUTE;
    bench.write_and_deliver(ANN);
    assert_eq!(bench.rehearse(Log::Events, before), (2, 1));
    assert_eq!(bench.prune(Log::Events, before), (2, 1));
    assert_eq!(
        bench.stored_events(),
        [2, 4],
        "Bob's waits, and one is young"
    );
    assert_eq!(bench.prune(Log::Events, before), (0, 1));
    bench.now += HOUR;
    assert_eq!(bench.deliveries()[0].event, 2);
}

#[test]
fn a_conversation_loses_its_end_and_gets_no_hole() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.write_and_deliver(ANN);
    }
    bench.write(ANN, None);
    let open = bench.deliveries().remove(0);
    for _ in 0..300 {
        bench.write(ANN, None);
        bench.write_and_deliver(BOB);
    }
    bench.now += DAY;
    let before = bench.now;
    assert_eq!(bench.rehearse(Log::Events, before), (303, 301));
    assert_eq!(bench.prune(Log::Events, before), (303, 301));
    let thread = bench.thread_of(open.event, 1_000);
    assert_eq!(thread.split(' ').count(), 301, "{thread}");
    assert!(thread.ends_with(" e4"), "{thread}");
    // It ends, and so do those that waited for it: all may go.
    bench.delivered(&open, &done());
    for _ in 0..300 {
        let next = bench.deliveries().remove(0);
        bench.delivered(&next, &done());
    }
    assert_eq!(bench.rehearse(Log::Events, before), (301, 0));
    assert_eq!(bench.prune(Log::Events, before), (301, 0));
    bench.write(ANN, None);
    let newest = bench.stored_events();
    assert_eq!(bench.thread_of(newest[0], 10), format!("e{}", newest[0]));
}

#[test]
fn messages_go_when_they_are_old_and_have_not_changed_since() {
    let mut bench = Bench::fast();
    bench.queue(ANN, 3);
    let first = bench.sends().remove(0);
    bench.sent(&first, &accepted("wamid.1"));
    let second = bench.sends().remove(0);
    bench.sent(&second, &accepted("wamid.2"));
    let before = bench.now + 1;
    bench.now += HOUR;
    // It is read an hour later; the third still waits for its turn.
    bench.status(&second, "wamid.2", "read", true);
    assert_eq!(bench.prune(Log::Messages, before), (1, 2));
    assert_eq!(bench.outbox(second.outbox).0, SendState::Read);
    let gone = bench.database.read(|tx| tx.message(first.outbox));
    assert!(gone.unwrap().is_none());
    bench.status(&first, "wamid.1", "read", true);
    let third = bench.sends().remove(0);
    bench.sent(&third, &accepted("wamid.3"));
    bench.now += DAY;
    assert_eq!(bench.prune(Log::Messages, bench.now), (2, 0));
}

#[test]
fn each_step_is_small_and_others_commit_in_between() {
    let mut bench = Bench::new();
    for n in 0..1_050 {
        bench.write(&format!("1555010{n:04}"), None);
    }
    let mut delivered = 0;
    while delivered < 1_050 {
        for delivery in bench.deliveries() {
            bench.delivered(&delivery, &done());
            delivered += 1;
        }
    }
    bench.now += DAY;
    let (before, mut after, mut steps) = (bench.now, Some(0), Vec::new());
    while let Some(from) = after {
        let pruned = bench.prune_step(Log::Events, from, before);
        steps.push(pruned.removed);
        after = pruned.after;
        let received = bench.write(ANN, None);
        assert_eq!(received.stored, 1);
    }
    assert!(
        steps.iter().all(|step| *step <= REMOVED_AT_ONCE),
        "{steps:?}"
    );
    assert_eq!(steps.iter().sum::<usize>(), 1_050);
    assert_eq!(bench.stored_events().len(), steps.len());
}

#[test]
fn what_meta_delivers_again_is_known_though_it_is_gone() {
    for crash in [false, true] {
        let mut bench = Bench::new();
        bench.write_and_deliver(ANN);
        bench.write_and_deliver(BOB);
        bench.sweep();
        bench.now += 2 * DAY;
        assert_eq!(bench.prune(Log::Events, bench.now), (2, 0));
        if crash {
            bench.database = bench.database.beside().unwrap();
        }
        let again = |bench: &mut Bench| bench.receive(&message(1, ANN, None)).duplicates;
        assert_eq!(again(&mut bench), 1);
        bench.now += 6 * DAY;
        assert_eq!(bench.sweep(), 0);
        assert_eq!(again(&mut bench), 1, "after 8 days");
        bench.now += DAY;
        assert_eq!(bench.sweep(), 2, "after 9 days");
        assert_eq!(again(&mut bench), 0);
    }
}

#[test]
fn digests_go_too_when_no_event_was_left_to_tell_the_time_by() {
    let mut bench = Bench::new();
    bench.write_and_deliver(ANN);
    bench.now += DAY;
    assert_eq!(bench.prune(Log::Events, bench.now), (1, 0));
    assert_eq!(bench.sweep(), 0);
    bench.now += DIGESTS_KEPT_MS;
    assert_eq!(bench.sweep(), 1);
    assert_eq!(bench.receive(&message(1, ANN, None)).stored, 1);
}

#[test]
fn digests_of_what_is_stored_stay_however_old() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.sweep();
    bench.now += 2 * DIGESTS_KEPT_MS;
    // Its row is filed.
    bench.database = bench.database.beside().unwrap();
    bench.write(BOB, None);
    assert_eq!(bench.sweep(), 0);
    assert_eq!(bench.receive(&message(1, ANN, None)).duplicates, 1);
    assert_eq!(bench.database.damage().unwrap(), Vec::<String>::new());
}

#[test]
fn no_id_is_given_twice() {
    for crash in [false, true] {
        let mut bench = Bench::new();
        bench.write_and_deliver(ANN);
        bench.now += DAY;
        assert_eq!(bench.prune(Log::Events, bench.now), (1, 0));
        if crash {
            bench.database = bench.database.beside().unwrap();
        }
        bench.write(BOB, None);
        let next = bench.deliveries().remove(0);
        assert_eq!((next.event, next.job), (2, 2));
    }
}

#[test]
fn what_a_wrong_clock_wrote_keeps_nothing_behind_it() {
    let mut bench = Bench::new();
    bench.now += 400 * DAY;
    bench.write_and_deliver(ANN);
    bench.now -= 400 * DAY;
    bench.write_and_deliver(BOB);
    bench.now += DAY;
    assert_eq!(bench.prune(Log::Events, bench.now), (1, 1));
    assert_eq!(bench.stored_events(), [1]);
}

#[test]
fn files_are_told_and_open_fetches_keep_their_event() {
    let mut bench = Bench::with(Limits {
        media_kinds: crate::wire::media::Kinds::parse("all").unwrap(),
        ..Limits::default()
    });
    for n in 1..=2 {
        bench.send_file("image", n, ANN);
        let delivery = bench.deliveries().remove(0);
        bench.delivered(&delivery, &done());
    }
    let fetch = bench.fetches().remove(0);
    bench.fetched(&fetch, &super::fetches::stored());
    bench.now += DAY;
    let pruned = bench.prune_step(Log::Events, 0, bench.now);
    assert_eq!((pruned.removed, pruned.kept), (1, 1));
    assert_eq!(pruned.files, ["abc.jpg"]);
    let named = bench.database.read(|tx| tx.is_named("abc.jpg"));
    assert!(!named.unwrap());
}
