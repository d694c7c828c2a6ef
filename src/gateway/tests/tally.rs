//! What is counted for the charts.

use super::*;
use crate::gateway::tally;

fn written(tx: &Tx<'_>) -> crate::store::Result<()> {
    tx.write_tally();
    Ok(())
}

/// Received, answered, sent, failed: all that was counted so far.
fn check(bench: &mut Bench, expected: [i64; 4]) {
    bench.database.commit(written).unwrap();
    let now = bench.now;
    let counted = bench.database.read(|tx| tally::counted(tx, now)).unwrap();
    let sum = |what: usize| counted.iter().map(|(_, counts)| counts[what]).sum::<i64>();
    assert_eq!([0, 1, 2, 3].map(sum), expected);
}

#[test]
fn each_message_is_counted_once_whatever_is_told_of_it() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    check(&mut bench, [1, 1, 0, 0]);
    let body = message(1, ANN, None);
    bench.receive(&body);
    check(&mut bench, [1, 1, 0, 0]);
    let first = bench.sends().remove(0);
    bench.sent(&first, &accepted("w1"));
    check(&mut bench, [1, 1, 1, 0]);
    for word in ["sent", "delivered", "read", "delivered"] {
        bench.status(&first, "w1", word, true);
    }
    check(&mut bench, [1, 1, 1, 0]);
    let second = bench.sends().remove(0);
    bench.status(&second, "w2", "delivered", true);
    bench.sent(&second, &accepted("w2"));
    check(&mut bench, [1, 1, 2, 0]);
}

#[test]
fn what_will_not_arrive_is_counted_when_it_is_known() {
    let mut bench = Bench::new();
    bench.queue(ANN, 3);
    let refused = bench.sends().remove(0);
    bench.sent(&refused, &error(131_026, None));
    check(&mut bench, [1, 1, 0, 1]);
    let failed = bench.sends().remove(0);
    bench.sent(&failed, &accepted("w1"));
    bench.status(&failed, "w1", "failed", true);
    bench.status(&failed, "w1", "failed", true);
    check(&mut bench, [1, 1, 1, 2]);
    let later = bench.sends().remove(0);
    bench.sent(&later, &error(130_429, None));
    check(&mut bench, [1, 1, 1, 2]);
}

#[test]
fn an_event_that_gets_no_answer_is_not_answered() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &later(1, false));
    bench.now += MINUTE;
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    check(&mut bench, [1, 0, 0, 0]);
}
