//! The clock is set back by hours: nothing waits until it is where it was.

use super::*;

const HOURS: i64 = 5 * 60 * MINUTE;

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
