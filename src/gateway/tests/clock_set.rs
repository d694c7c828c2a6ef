//! The clock is set back by hours: nothing waits until it is where it was. Or it is set
//! ahead by a year: nothing is given up that is not old, and nothing forgotten.

use super::*;
use crate::gateway::prune;
use crate::policy::stale::{OnStale, Stale};

const HOURS: i64 = 5 * 60 * MINUTE;
const DAY: i64 = 24 * 60 * MINUTE;
const YEAR: i64 = 365 * DAY;

impl Bench {
    /// While the service looks on.
    fn set_ahead(&mut self, by: i64) {
        self.now += by;
        let now = self.now;
        let step = |tx: &Tx<'_>| crate::gateway::clock_set::note_set_ahead(tx, now);
        self.database.commit(step).unwrap();
    }
}

#[test]
fn what_was_due_before_the_clock_was_set_back_is_delivered() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(BOB, None);
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &later(60, false));
    bench.now -= HOURS;
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn what_was_to_be_sent_waits_for_one_window_and_is_sent() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    bench.queue(BOB, 1);
    for send in bench.sends() {
        bench.sent(&send, &lost());
    }
    bench.now -= HOURS;
    assert!(bench.sends().is_empty(), "a status may still come");
    bench.now += bench.limits.reconcile_window_ms;
    assert_eq!(bench.sends().len(), 2);
}

#[test]
fn a_closed_breaker_a_throttle_and_a_halt_open_again() {
    let rows = [lost(), error(4, Some(3_600)), error(131_042, None)];
    for answer in rows {
        let mut bench = Bench::new();
        for n in 0..6 {
            bench.queue(&format!("1555010{n:04}"), 1);
        }
        for send in bench.sends() {
            bench.sent(&send, &answer);
        }
        bench.now -= HOURS;
        assert!(bench.sends().is_empty(), "{answer:?}");
        bench.now += bench.limits.reconcile_window_ms;
        assert!(!bench.sends().is_empty(), "{answer:?}");
    }
}

/// The probe waited until the clock was where it had been once.
#[test]
fn a_halt_is_probed_when_the_clock_was_set_back_and_a_little_less_ahead_again() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &error(131_042, None));
    bench.now -= HOURS;
    assert!(bench.sends().is_empty());
    bench.now += HOURS - 30 * MINUTE;
    assert_eq!(bench.sends().len(), 1);
}

#[test]
fn what_was_to_be_sent_when_the_clock_was_set_ahead_is_sent_and_expires_later() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    bench.set_ahead(YEAR);
    let first = bench.sends().remove(0);
    bench.sent(&first, &accepted("w1"));
    bench.restart("token");
    bench.now += bench.limits.send_age_max_ms;
    let second = bench.sends().remove(0);
    bench.sent(&second, &error(131_056, None));
    bench.now += MINUTE;
    assert!(
        bench.sends().is_empty(),
        "it has certainly waited for as long as it may"
    );
    assert_eq!(bench.outbox(second.outbox).0, SendState::Failed);
}

/// A machine that started with its clock hours behind, after a crash amid a call: the
/// message was sent again when the clock was right, though its status was on its way.
#[test]
fn what_may_have_gone_out_waits_for_a_whole_window_after_the_clock_was_set_ahead() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let first = bench.sends().remove(0);
    bench.restart("token");
    bench.set_ahead(HOURS);
    assert!(bench.sends().is_empty(), "the window has just begun");
    bench.now += bench.limits.reconcile_window_ms - 1;
    assert!(bench.sends().is_empty());
    bench.now += 1;
    let again = bench.sends().remove(0);
    assert_eq!((again.outbox, again.resent), (first.outbox, true));
}

/// Where nothing goes out twice, or the tries are used up, it ended at once, and it was said
/// that no status came.
#[test]
fn what_is_not_sent_again_waits_for_that_window_before_it_ends() {
    let failed = error(131_000, None);
    let rows = [
        (OnUnknown::Hold, lost(), SendState::Held),
        (OnUnknown::Resend, failed, SendState::Failed),
    ];
    for (on_unknown, answer, end) in rows {
        let mut bench = Bench::with(Limits {
            on_unknown,
            ..Limits::default()
        });
        let window = bench.limits.reconcile_window_ms;
        bench.queue(ANN, 1);
        loop {
            let send = bench.sends().remove(0);
            bench.sent(&send, &answer);
            let message = bench.database.read(|tx| tx.message(send.outbox));
            let tries_max = message.unwrap().unwrap().tries_max;
            if tries_max.is_none_or(|max| send.attempt >= max) {
                break;
            }
            bench.now += window;
        }
        bench.set_ahead(HOURS);
        assert!(bench.sends().is_empty());
        bench.now += window - 1;
        assert!(bench.sends().is_empty());
        assert_eq!(bench.outbox(1).0, SendState::Unknown, "{end:?}");
        bench.now += 1;
        assert!(bench.sends().is_empty());
        assert_eq!(bench.outbox(1).0, end);
    }
}

#[test]
fn what_only_seems_to_come_late_since_the_clock_was_set_ahead_is_answered() {
    let mut bench = Bench::with(Limits {
        stale: Some(Stale {
            after_ms: 60 * MINUTE,
            then: OnStale::Skip,
        }),
        ..Limits::default()
    });
    let write = |bench: &mut Bench, n: u64, minutes_ago: i64| {
        let id = format!("wamid.{n}");
        let sample = Sample {
            number: NUMBER,
            from: ANN,
            id: &id,
            timestamp: (bench.now - minutes_ago * MINUTE) / 1_000,
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        bench.receive(&body).to_deliver
    };
    assert!(write(&mut bench, 1, 0));
    bench.set_ahead(HOURS);
    // Written just now, by Meta's clock, while ours is hours ahead.
    assert!(write(&mut bench, 2, 5 * 60));
    bench.now += HOURS;
    assert!(!write(&mut bench, 3, 2 * 60), "nobody has set it since");
}

#[test]
fn what_was_to_be_delivered_when_the_clock_was_set_ahead_is_no_dead_letter() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    bench.delivered(&first, &later(1, false));
    bench.set_ahead(YEAR);
    let again = bench.deliveries().remove(0);
    assert_eq!(again.attempt, 2);
    bench.delivered(&again, &later(1, false));
    bench.now += bench.limits.delivery_age_max_ms + 1;
    assert!(bench.deliveries().is_empty(), "given up");
}

#[test]
fn a_window_that_only_seems_to_be_closed_is_left_to_graph() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    bench.set_ahead(2 * DAY);
    assert_eq!(bench.sends().len(), 1);
    bench.queue(BOB, 1);
    bench.now += DAY + 1;
    assert!(bench.sends().is_empty(), "closed for certain");
    assert_eq!(bench.outbox(2).0, SendState::Failed);
}

#[test]
fn a_clock_that_was_set_back_again_was_not_set_ahead() {
    let mut bench = Bench::new();
    bench.set_ahead(YEAR);
    bench.now -= YEAR;
    bench.queue(ANN, 1);
    bench.now += bench.limits.send_age_max_ms + 1;
    assert!(bench.sends().is_empty());
    assert_eq!(bench.outbox(1).0, SendState::Failed);
}

#[test]
fn what_is_old_by_a_clock_that_went_ahead_unseen_is_so_after_three_days() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let look = |bench: &mut Bench| {
        let now = bench.now;
        let step = |tx: &Tx<'_>| prune::believed_now(tx, now);
        bench.database.commit(step).unwrap()
    };
    // Nobody looked before, and the newest event tells when it was.
    let start = bench.now;
    bench.now += YEAR;
    assert_eq!(look(&mut bench), start);
    for hour in 1..=72 {
        bench.now += 60 * MINUTE;
        assert_eq!(look(&mut bench), start + hour * 60 * MINUTE);
    }
    bench.now += 60 * MINUTE;
    assert_eq!(look(&mut bench), bench.now);
}

#[test]
fn a_hand_over_that_began_in_a_far_future_is_over() {
    for (back, over) in [(HOURS, false), (YEAR, true)] {
        let mut bench = Bench::new();
        bench.write(ANN, None);
        bench.now += YEAR;
        let (now, until) = (bench.now, bench.now + DAY);
        let take = |tx: &Tx<'_>| crate::gateway::handover::take(tx, now, NUMBER, ANN, until);
        bench.database.commit(take).unwrap();
        bench.now -= back;
        let held = |tx: &Tx<'_>| Ok(crate::gateway::handover::held(tx, now - back)?.1);
        assert_eq!(bench.database.read(held).unwrap() == 0, over);
        assert_eq!(bench.deliveries().len() == 1, over);
    }
}
