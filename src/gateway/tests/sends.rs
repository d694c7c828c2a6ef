//! Messages on their way to Graph.

use super::*;

#[test]
fn a_lost_answer_waits_for_the_window_and_then_goes_out_again() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    let first = bench.sends().remove(0);
    assert_eq!(bench.sent(&first, &lost()), Sent::Again);
    assert_eq!(bench.outbox(first.outbox), (SendState::Unknown, 1));
    let claimed = bench.claim(QueueKind::Send);
    assert!(claimed.work.is_empty(), "the next one must not overtake it");
    let window = bench.limits.reconcile_window_ms;
    assert_eq!(claimed.next_due, Some(bench.now + window));
    bench.now += window;
    let again = bench.sends().remove(0);
    assert_eq!((again.outbox, again.attempt), (first.outbox, 2));
}

#[test]
fn a_status_settles_a_lost_answer_and_the_lane_goes_on() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    let first = bench.sends().remove(0);
    bench.sent(&first, &lost());
    assert!(bench.status(&first, "w1", "delivered", true).to_send);
    assert_eq!(bench.outbox(first.outbox), (SendState::Delivered, 1));
    assert_eq!(bench.sends()[0].outbox, first.outbox + 1);
    assert!(!bench.status(&first, "w1", "sent", true).to_send);
    assert_eq!(bench.outbox(first.outbox).0, SendState::Delivered);
}

#[test]
fn on_unknown_hold_sends_nothing_twice() {
    let mut bench = Bench::with(Limits {
        on_unknown: OnUnknown::Hold,
        ..Limits::default()
    });
    bench.queue(ANN, 2);
    let first = bench.sends().remove(0);
    bench.sent(&first, &lost());
    bench.now += bench.limits.reconcile_window_ms;
    assert_eq!(bench.sends()[0].outbox, first.outbox + 1);
    assert_eq!(bench.outbox(first.outbox).0, SendState::Held);
}

#[test]
fn the_window_starts_anew_after_a_restart() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    bench.queue(BOB, 1);
    let sends = bench.sends();
    bench.sent(&sends[0], &lost());
    // The other call is under way when the process ends.
    bench.now += bench.limits.reconcile_window_ms - 1;
    let recovered = bench.restart("token");
    assert_eq!((recovered.sends, recovered.unknown), (1, 2));
    bench.now += bench.limits.reconcile_window_ms - 1;
    assert!(bench.sends().is_empty());
    bench.now += 1;
    assert_eq!(bench.sends().len(), 2);
}

#[test]
fn a_status_without_our_mark_that_beats_graphs_answer_is_applied() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.status(&send, "w1", "delivered", false);
    bench.status(&send, "w1", "sent", false);
    assert_eq!(bench.outbox(send.outbox).0, SendState::Sending);
    bench.sent(&send, &accepted("w1"));
    assert_eq!(bench.outbox(send.outbox).0, SendState::Delivered);
}

#[test]
fn a_status_that_beats_graphs_answer_outranks_it() {
    for answer in [
        lost(),
        error(131_026, None),
        error(190, None),
        accepted("w1"),
    ] {
        let mut bench = Bench::new();
        bench.queue(ANN, 1);
        let send = bench.sends().remove(0);
        bench.status(&send, "w1", "read", true);
        assert_eq!(bench.sent(&send, &answer), Sent::Ended, "{answer:?}");
        assert_eq!(bench.outbox(send.outbox).0, SendState::Read, "{answer:?}");
        bench.now += 60 * MINUTE;
        assert!(bench.sends().is_empty(), "{answer:?}");
    }
}

#[test]
fn what_graph_answers_decides_when_the_message_is_tried_again() {
    let window = Limits::default().reconcile_window_ms;
    let rows = [
        (accepted("w"), SendState::Accepted, None),
        (error(131_026, None), SendState::Failed, None),
        (error(131_056, None), SendState::Queued, Some(1_000)),
        (error(131_056, Some(40)), SendState::Queued, Some(40_000)),
        (error(130_429, Some(40)), SendState::Queued, Some(40_000)),
        (error(4, None), SendState::Queued, Some(2_500)),
        (error(131_000, None), SendState::Unknown, Some(window)),
        (lost(), SendState::Unknown, Some(window)),
        (error(190, None), SendState::Queued, Some(30_000)),
    ];
    for (answer, state, wait) in rows {
        let mut bench = Bench::new();
        bench.queue(ANN, 1);
        let send = bench.sends().remove(0);
        bench.sent(&send, &answer);
        assert_eq!(bench.outbox(send.outbox).0, state, "{answer:?}");
        let next = bench.claim(QueueKind::Send).next_due;
        assert_eq!(next.map(|due| due - bench.now), wait, "{answer:?}");
    }
}

#[test]
fn an_error_of_graphs_own_is_tried_three_times_in_all() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    for attempt in 1..=3 {
        let send = bench.sends().remove(0);
        assert_eq!((send.outbox, send.attempt), (1, attempt));
        bench.sent(&send, &error(131_000, None));
        bench.now += bench.limits.reconcile_window_ms;
    }
    assert_eq!(bench.sends()[0].outbox, 2);
    assert_eq!(bench.outbox(1).0, SendState::Failed);
}

/// An hour of 503s with code 2 lost each message that had to probe.
#[test]
fn tries_that_fail_with_all_others_do_not_count() {
    let mut bench = Bench::fast();
    for n in 0..5 {
        bench.queue(&format!("1555010{n:04}"), 1);
    }
    let sends = bench.sends();
    for send in &sends {
        bench.sent(send, &error(2, None));
    }
    let last = sends[4].outbox;
    for _ in 0..20 {
        bench.now += bench.limits.reconcile_window_ms;
        for send in bench.sends() {
            bench.sent(&send, &error(2, None));
        }
    }
    bench.now += bench.limits.reconcile_window_ms;
    for send in bench.sends() {
        bench.sent(&send, &accepted(&format!("w{}", send.outbox)));
    }
    for outbox in last - 4..=last {
        let (state, attempts) = bench.outbox(outbox);
        assert_ne!(state, SendState::Failed, "{outbox} after {attempts} tries");
    }
}

#[test]
fn a_halt_burns_no_attempt_probes_alone_and_ends_with_a_new_token() {
    let mut bench = Bench::new();
    for to in [ANN, BOB] {
        bench.queue(to, 1);
    }
    for send in bench.sends() {
        bench.sent(&send, &error(190, None));
    }
    for _ in 0..5 {
        bench.now += 15 * MINUTE;
        let probes = bench.sends();
        assert_eq!((probes.len(), probes[0].attempt), (1, 1));
        bench.sent(&probes[0], &error(190, None));
    }
    bench.restart("token");
    assert!(bench.sends().is_empty(), "the same token halts as before");
    bench.restart("a new token");
    assert_eq!(bench.sends().len(), 2);
}

#[test]
fn a_halt_ends_with_a_probe_that_goes_through() {
    let mut bench = Bench::new();
    for to in [ANN, BOB] {
        bench.queue(to, 1);
    }
    let sends = bench.sends();
    sends
        .iter()
        .for_each(|send| _ = bench.sent(send, &error(190, None)));
    bench.now += 15 * MINUTE;
    let probe = bench.sends().remove(0);
    bench.sent(&probe, &accepted("w1"));
    assert_eq!(bench.sends().len(), 1);
}

#[test]
fn a_pause_graph_asked_for_outlasts_the_answers_of_earlier_calls() {
    let mut bench = Bench::new();
    for to in [ANN, BOB] {
        bench.queue(to, 2);
    }
    let sends = bench.sends();
    bench.sent(&sends[0], &error(130_429, Some(60)));
    bench.sent(&sends[1], &accepted("w1"));
    bench.now += 59_999;
    assert!(bench.sends().is_empty());
    bench.now += 1;
    assert_eq!(bench.sends().len(), 2);
}

#[test]
fn a_pair_gets_45_at_once_and_then_one_each_six_seconds() {
    let mut bench = Bench::fast();
    bench.queue(ANN, 60);
    let mut sent = 0;
    let mut send_all = |bench: &mut Bench| {
        while let Some(send) = bench.sends().pop() {
            sent += 1;
            bench.sent(&send, &accepted(&format!("w{sent}")));
        }
        sent
    };
    assert_eq!(send_all(&mut bench), 45);
    bench.now += 5_999;
    assert_eq!(send_all(&mut bench), 45);
    bench.now += 2;
    assert_eq!(send_all(&mut bench), 46);
}

#[test]
fn a_read_mark_is_repeated_without_a_window_a_few_times() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    let replies = vec![r#"{"type":"read"}"#.into()];
    bench.delivered(&delivery, &Outcome::done(replies));
    for attempt in 1..=3 {
        let send = bench.sends().remove(0);
        assert_eq!(send.attempt, attempt);
        bench.sent(&send, &lost());
        bench.now += MINUTE;
    }
    assert!(bench.sends().is_empty());
}

#[test]
fn a_numbers_account_is_learnt_from_what_comes_in() {
    let waba = |bench: &Bench| {
        let queues = bench.database.read(|tx| tx.queues()).unwrap();
        let send = queues.into_iter().find(|q| q.kind == QueueKind::Send);
        send.and_then(|queue| queue.waba)
    };
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    assert_eq!(waba(&bench).as_deref(), Some(Sample::default().waba));
    let send = bench.sends().remove(0);
    bench.status(&send, "w1", "sent", true);
    assert_eq!(waba(&bench).as_deref(), Some("1"), "its status says 1");
}

/// Each made a conversation, which nothing took out again.
#[test]
fn read_marks_on_messages_we_do_not_know_share_a_few_lanes() {
    let mut bench = Bench::fast();
    let post = |bench: &mut Bench, wamid: &str| {
        let post = Post {
            number: NUMBER.into(),
            body: format!(r#"{{"status":"read","message_id":"{wamid}"}}"#),
            idempotency_key: None,
        };
        let (gateway, now) = (bench.gateway.clone(), bench.now);
        let step = |tx: &Tx<'_>| gateway.post(tx, now, &post);
        bench.database.commit(step).unwrap();
    };
    for n in 0..200 {
        post(&mut bench, &format!("wamid.unknown{n}"));
    }
    let lanes = bench.sends().len();
    assert!((16..=32).contains(&lanes), "{lanes} go side by side");
    bench.write(ANN, None);
    post(&mut bench, "wamid.1");
    let last = bench.database.read(|tx| tx.message(201)).unwrap().unwrap();
    let of_ann = bench.database.read(|tx| tx.conversation(NUMBER, ANN));
    assert_eq!(of_ann.unwrap(), Some(last.conversation));
}
