//! Messages that may have gone out: repeated, held, settled.

use super::*;
use crate::store::Access;
use outbox::Steered;

fn row(bench: &Bench, id: OutboxId) -> Message {
    bench.database.read(|tx| tx.message(id)).unwrap().unwrap()
}

fn steer(
    bench: &mut Bench,
    step: fn(&Tx<'_>, i64, OutboxId) -> crate::store::Result<Steered>,
) -> Steered {
    let now = bench.now;
    bench.database.commit(|tx| step(tx, now, 1)).unwrap()
}

#[test]
fn what_is_sent_again_without_knowing_is_marked() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let first = bench.sends().remove(0);
    assert!(!first.resent);
    bench.sent(&first, &lost());
    assert_eq!(row(&bench, 1).resent, 0, "not yet");
    bench.now += bench.limits.reconcile_window_ms;
    let again = bench.sends().remove(0);
    assert!(again.resent);
    bench.sent(&again, &accepted("w1"));
    assert_eq!(row(&bench, 1).resent, 1);
}

#[test]
fn a_crash_in_a_call_and_an_operators_retry_count_too() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    bench.sends();
    bench.restart("token");
    assert_eq!(steer(&mut bench, outbox::hold), Steered::Done);
    assert!(row(&bench, 1).error.unwrap().contains("may have gone out"));
    assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
    assert!(bench.sends().remove(0).resent);
    assert_eq!(row(&bench, 1).resent, 1);
}

#[test]
fn what_was_put_off_or_halted_is_not_sent_twice() {
    for answer in [error(130_429, None), error(131_056, None), error(190, None)] {
        let mut bench = Bench::new();
        bench.queue(ANN, 1);
        let first = bench.sends().remove(0);
        bench.sent(&first, &answer);
        bench.now += 60 * MINUTE;
        assert!(!bench.sends().remove(0).resent, "{answer:?}");
    }
}

#[test]
fn a_held_message_lets_its_lane_go_on_and_keeps_its_place_for_a_retry() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    assert_eq!(steer(&mut bench, outbox::hold), Steered::Done);
    assert_eq!(
        steer(&mut bench, outbox::hold),
        Steered::NotNow(SendState::Held)
    );
    let second = bench.sends().remove(0);
    assert_eq!(second.outbox, 2);
    assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
    assert!(bench.sends().is_empty(), "one at a time");
    bench.sent(&second, &accepted("w2"));
    assert_eq!(bench.sends()[0].outbox, 1);
}

/// The README says so of what came too late for the window, and it failed at once by its
/// age.
#[test]
fn what_is_retried_is_tried_for_as_long_as_if_it_had_just_come() {
    let age = 12 * 60 * MINUTE;
    let mut bench = Bench::with(Limits {
        send_age_max_ms: age,
        ..Limits::default()
    });
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &error(131_047, None));
    assert_eq!(bench.outbox(1).0, SendState::Failed);
    bench.now += 3 * age;
    let written_again = Sample {
        number: NUMBER,
        from: ANN,
        id: "wamid.again",
        timestamp: bench.now / 1_000,
        ..Sample::default()
    };
    bench.receive(&sample::notification("text", &written_again).unwrap());
    assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
    let again = bench.sends().remove(0);
    bench.sent(&again, &error(131_056, None));
    bench.now += age;
    let again = bench.sends().remove(0);
    bench.sent(&again, &error(131_056, None));
    bench.now += MINUTE;
    assert!(bench.sends().is_empty(), "too old again");
    assert_eq!(bench.outbox(1).0, SendState::Failed);
}

#[test]
fn what_is_on_its_way_or_over_cannot_be_held() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    let sending = Steered::NotNow(SendState::Sending);
    assert_eq!(steer(&mut bench, outbox::hold), sending);
    bench.sent(&send, &accepted("w1"));
    let accepted = Steered::NotNow(SendState::Accepted);
    assert_eq!(steer(&mut bench, outbox::hold), accepted);
}

#[test]
fn a_marked_status_brings_in_those_that_came_before_it_without_our_mark() {
    for (early, expected) in [
        ("delivered", SendState::Delivered),
        ("failed", SendState::Failed),
    ] {
        let mut bench = Bench::new();
        bench.queue(ANN, 1);
        let send = bench.sends().remove(0);
        bench.sent(&send, &lost());
        bench.status(&send, "w1", early, false);
        assert_eq!(bench.outbox(1).0, SendState::Unknown);
        bench.status(&send, "w1", "sent", true);
        assert_eq!(bench.outbox(1).0, expected);
    }
}

#[test]
fn a_message_whose_call_is_under_way_is_not_retried_beside_it() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.status(&send, "w1", "failed", true);
    let steered = steer(&mut bench, outbox::retry);
    assert_eq!(steered, Steered::NotNow(SendState::Failed));
    assert_eq!(bench.sent(&send, &lost()), Sent::Ended);
    assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
    assert_eq!(bench.sends().remove(0).attempt, 1);
}

/// `sent` came after `failed`, and the retry was never made.
#[test]
fn what_comes_late_about_a_failed_try_does_not_settle_the_next_one() {
    let (mut bench, first) = to_be_retried();
    bench.status(&first, "w1", "sent", true);
    assert_eq!(row(&bench, 1).state, SendState::Queued);
    let again = bench.sends().remove(0);
    bench.sent(&again, &accepted("w2"));
    assert_eq!(row(&bench, 1).wamid.as_deref(), Some("w2"));
    bench.status(&again, "w2", "delivered", false);
    assert_eq!(row(&bench, 1).state, SendState::Delivered);
}

/// A message that failed as `w1`, and that try.
fn to_be_retried() -> (Bench, Sending) {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let first = bench.sends().remove(0);
    bench.sent(&first, &accepted("w1"));
    bench.status(&first, "w1", "failed", true);
    assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
    (bench, first)
}

/// A message that failed as `w1` and is out as `w2`.
fn retried() -> (Bench, Sending) {
    let (mut bench, _) = to_be_retried();
    let again = bench.sends().remove(0);
    bench.sent(&again, &accepted("w2"));
    (bench, again)
}

/// The failed try's `sent` came late, and took the message's id; the failure of the next
/// try was then that of a second message beside one that is out, and nobody saw it.
#[test]
fn what_comes_late_about_a_failed_try_says_nothing_of_the_next_one() {
    for marked in [true, false] {
        let (mut bench, send) = retried();
        bench.status(&send, "w1", "sent", marked);
        let now = row(&bench, 1);
        assert_eq!(now.state, SendState::Accepted);
        assert_eq!(now.wamid.as_deref(), Some("w2"));
        bench.status(&send, "w2", "failed", marked);
        assert_eq!(row(&bench, 1).state, SendState::Failed);
        // Nor of a third.
        assert_eq!(steer(&mut bench, outbox::retry), Steered::Done);
        bench.status(&send, "w1", "delivered", marked);
        assert_eq!(row(&bench, 1).state, SendState::Queued);
    }
}

#[test]
fn a_message_is_found_by_each_id_that_graph_gave_it_until_it_is_removed() {
    let found = |bench: &Bench, wamid: &str| {
        let find = |tx: &Tx<'_>| tx.message_by_wamid(wamid);
        bench.database.read(find).unwrap().map(|message| message.id)
    };
    let (mut failed_before, _) = retried();
    // Its first answer was lost.
    let (mut told_by_status, send, again) = sent_again();
    told_by_status.sent(&again, &accepted("w2"));
    told_by_status.status(&send, "w1", "failed", true);
    let (mut told_by_answer, send, again) = sent_again();
    told_by_answer.status(&send, "w1", "sent", true);
    told_by_answer.sent(&again, &accepted("w2"));
    for bench in [&mut failed_before, &mut told_by_status, &mut told_by_answer] {
        for wamid in ["w1", "w2"] {
            assert_eq!(found(bench, wamid), Some(1), "{wamid}");
        }
        bench.database.commit(|tx| tx.remove_message(1)).unwrap();
        for wamid in ["w1", "w2"] {
            assert_eq!(found(bench, wamid), None, "{wamid}");
        }
    }
}

/// Without our mark it was nobody's.
#[test]
fn a_lost_try_of_whose_id_we_know_arrives_without_our_mark() {
    let (mut bench, send, again) = sent_again();
    bench.status(&send, "w1", "sent", true);
    bench.sent(&again, &accepted("w2"));
    bench.status(&send, "w2", "read", false);
    let now = row(&bench, 1);
    assert_eq!(now.state, SendState::Read);
    assert_eq!(now.wamid.as_deref(), Some("w2"));
    bench.status(&send, "w1", "failed", false);
    assert_eq!(row(&bench, 1).state, SendState::Read);
}

/// Settled by a status of the message that had its id before, it was never sent.
#[test]
fn what_is_told_of_a_message_from_after_the_backup_settles_no_other() {
    let folder = std::env::temp_dir().join(format!("wabridge-restored-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let open = |name: &str| Database::open(&folder.join(name), Access::Serve).unwrap();
    let mut bench = Bench::on(open("a.db"), Limits::default());
    bench.database.copy_to(&folder.join("b.db")).unwrap();
    bench.queue(ANN, 1);
    let lost_since = bench.sends().remove(0);
    let mark = bench.mark(lost_since.outbox);

    let mut restored = Bench::on(open("b.db"), Limits::default());
    restored.now += MINUTE;
    restored.queue(BOB, 1);
    restored.status_with(Some(&mark), "w1", "read");
    assert_eq!(restored.outbox(lost_since.outbox), (SendState::Queued, 0));
    assert_eq!(restored.sends()[0].outbox, lost_since.outbox);
    // Marks had no time once.
    let (before, _) = mark.split_once('.').unwrap();
    restored.status_with(Some(before), "w2", "sent");
    assert_eq!(restored.outbox(lost_since.outbox).0, SendState::Sent);
    std::fs::remove_dir_all(folder).unwrap();
}

/// They stayed failed, and whoever looked had them sent again.
#[test]
fn what_was_given_up_without_knowing_went_out_when_a_status_says_so() {
    let tries = [
        // Given up by its tries, by its age, or refused at another try.
        (error(131_000, None), 5, None),
        (lost(), 2, Some(error(131_026, None))),
    ];
    for (answer, most, last) in tries {
        for word in ["sent", "delivered"] {
            let mut bench = Bench::new();
            bench.queue(ANN, 1);
            let mut first = None;
            for n in 1..=most {
                let Some(send) = bench.sends().pop() else {
                    break;
                };
                let answer = last.as_ref().filter(|_| n == most).unwrap_or(&answer);
                bench.sent(&send, answer);
                first.get_or_insert(send);
                bench.now += 60 * MINUTE;
            }
            bench.sends();
            let first = first.unwrap();
            assert_eq!(row(&bench, 1).state, SendState::Failed, "{answer:?}");
            bench.status(&first, "w1", word, true);
            let now = row(&bench, 1);
            assert_eq!(now.state.as_str(), word, "{answer:?}");
            assert_eq!((now.wamid.as_deref(), now.error), (Some("w1"), None));
            bench.status(&first, "w1", "failed", true);
            assert_eq!(row(&bench, 1).state, SendState::Failed, "Meta's word");
            bench.status(&first, "w1", "read", true);
            assert_eq!(row(&bench, 1).state, SendState::Failed, "it ends it");
        }
    }
}

/// A message whose first answer was lost, and its second try, under way.
fn sent_again() -> (Bench, Sending, Sending) {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &lost());
    bench.now += bench.limits.reconcile_window_ms;
    let again = bench.sends().remove(0);
    (bench, send, again)
}

/// Sent twice, and Meta could deliver it only once.
#[test]
fn of_two_that_went_out_the_one_that_arrives_counts() {
    let orders: [&[(&str, &str)]; 3] = [
        &[("w1", "delivered"), ("w2", "failed")],
        &[("w2", "failed"), ("w1", "delivered")],
        &[("w1", "failed"), ("w2", "delivered")],
    ];
    for order in orders {
        let (mut bench, send, again) = sent_again();
        bench.sent(&again, &accepted("w2"));
        for (wamid, word) in order {
            bench.status(&send, wamid, word, true);
        }
        assert_eq!(row(&bench, 1).state, SendState::Delivered, "{order:?}");
    }
}

#[test]
fn a_try_that_graph_takes_after_another_failed_is_under_way() {
    let (mut bench, send, again) = sent_again();
    bench.status(&send, "w1", "failed", true);
    bench.sent(&again, &accepted("w2"));
    let now = row(&bench, 1);
    assert_eq!(
        (now.state, now.wamid.as_deref()),
        (SendState::Accepted, Some("w2"))
    );
    bench.status(&send, "w2", "failed", true);
    assert_eq!(row(&bench, 1).state, SendState::Failed);
}

/// The way to Meta was down: the answer was lost, then nothing could be sent, and no
/// status could come. The moment it was there again the message went out twice.
#[test]
fn what_may_have_gone_out_waits_for_a_window_in_which_graph_was_reached() {
    let mut bench = Bench::fast();
    bench.queue(ANN, 1);
    let window = bench.limits.reconcile_window_ms;
    let first = bench.sends().remove(0);
    bench.sent(&first, &lost());
    bench.now += window;
    let again = bench.sends().remove(0);
    let reason = "connection refused".into();
    bench.sent(&again, &verdict::read(&Answer::NotSent { reason }));
    bench.now += MINUTE;
    bench.queue(BOB, 1);
    let others = bench.sends();
    assert_eq!(others.len(), 1, "what is certain goes on");
    bench.sent(&others[0], &accepted("w2"));
    bench.now += window - MINUTE - 1;
    assert!(bench.sends().is_empty());
    bench.now += 1;
    assert_eq!(bench.sends()[0].outbox, first.outbox);
}

/// The same for one that was about to be held: no status came, but none could.
#[test]
fn what_may_have_gone_out_is_held_after_a_window_in_which_graph_was_reached() {
    let mut bench = Bench::with(Limits {
        on_unknown: OnUnknown::Hold,
        ..Limits::default()
    });
    bench.queue(ANN, 1);
    bench.queue(BOB, 1);
    let window = bench.limits.reconcile_window_ms;
    let sends = bench.sends();
    bench.sent(&sends[0], &lost());
    bench.now += window - 1;
    let reason = "connection refused".into();
    bench.sent(&sends[1], &verdict::read(&Answer::NotSent { reason }));
    bench.now += window - 1;
    bench.sends();
    assert_eq!(row(&bench, sends[0].outbox).state, SendState::Unknown);
    bench.now += 1;
    bench.sends();
    assert_eq!(row(&bench, sends[0].outbox).state, SendState::Held);
}
