//! Two ids of one person: their lanes become one, in which nothing overtakes,
//! nothing runs beside another, and no job forgets why it waited. The simulator
//! found each of these broken.

use super::*;

#[test]
fn two_ids_of_one_person_become_one_lane_in_order() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    bench.write("", Some(ANN_BSUID));
    bench.write(ANN, Some(ANN_BSUID));
    for event in 1..=5 {
        let delivery = bench.deliveries();
        assert_eq!(events(&delivery), [event]);
        bench.delivered(&delivery[0], &done());
    }
}

#[test]
fn a_joined_lane_starts_nothing_while_jobs_of_either_half_run() {
    for outcome in [done(), later(0, false)] {
        let mut bench = Bench::new();
        bench.write(ANN, None);
        bench.write("", Some(ANN_BSUID));
        let running = bench.deliveries();
        assert_eq!(events(&running), [1, 2], "nobody knows yet");
        bench.write(ANN, Some(ANN_BSUID));
        bench.delivered(&running[1], &outcome);
        bench.now += MINUTE;
        assert_eq!(events(&bench.deliveries()), [0; 0], "the first still runs");
        bench.delivered(&running[0], &later(0, false));
        bench.now += MINUTE;
        assert_eq!(events(&bench.deliveries()), [1], "and goes first");
        bench.restart("token");
        bench.now += MINUTE;
        assert_eq!(events(&bench.deliveries()), [1]);
    }
}

#[test]
fn attempts_of_both_halves_of_a_lane_do_not_resume_together_after_a_restart() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    assert_eq!(bench.deliveries().len(), 2);
    bench.write(ANN, Some(ANN_BSUID));
    assert_eq!(bench.restart("token").deliveries, 2);
    assert_eq!(events(&bench.deliveries()), [1]);
}

#[test]
fn a_lane_that_is_joined_still_waits_for_its_window_and_its_backoff() {
    // The one who waits is in the older half, then in the younger.
    for (waits, other) in [
        ((ANN, None), ("", Some(ANN_BSUID))),
        (("", Some(ANN_BSUID)), (ANN, None)),
    ] {
        let mut bench = Bench::new();
        let text = r#"{"type":"text","text":{"body":"hi"}}"#;
        bench.write(ANN, None);
        bench.write("", Some(ANN_BSUID));
        let (phone, bsuid) = waits;
        bench.write(phone, bsuid);
        for delivery in bench.deliveries() {
            let asks = delivery.body.contains(ANN) == (other.0 != ANN);
            let replies = if asks {
                vec![text.to_owned()]
            } else {
                Vec::new()
            };
            bench.delivered(&delivery, &Outcome::done(replies));
        }
        let send = bench.sends().remove(0);
        bench.sent(&send, &lost());
        let delivery = bench.deliveries().remove(0);
        bench.delivered(&delivery, &later(100, false));

        bench.write(ANN, Some(ANN_BSUID));
        bench.now += 100_000 - 1;
        assert!(bench.deliveries().is_empty(), "the backoff is forgotten");
        bench.now += 1;
        assert_eq!(bench.deliveries().len(), 1);
        bench.now += 20_000 - 1;
        assert!(bench.sends().is_empty(), "the window is forgotten");
        bench.now += 1;
        assert_eq!(bench.sends().len(), 1);
    }
}

#[test]
fn what_a_person_was_sent_under_two_ids_counts_together() {
    let mut bench = Bench::fast();
    bench.queue(ANN, 30);
    bench.write("", Some(ANN_BSUID));
    let delivery = bench.deliveries().remove(0);
    let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.to_owned(); 30];
    bench.delivered(&delivery, &Outcome::done(replies));
    let mut sent = 0;
    for _ in 0..20 {
        for send in bench.sends() {
            sent += 1;
            bench.sent(&send, &accepted(&format!("w{sent}")));
        }
    }
    assert_eq!(sent, 40);
    bench.write(ANN, Some(ANN_BSUID));
    while let Some(send) = bench.sends().pop() {
        sent += 1;
        bench.sent(&send, &accepted(&format!("w{sent}")));
    }
    assert_eq!(sent, 45);
}
