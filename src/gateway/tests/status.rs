//! What `wabridge status` tells.

use super::*;
use crate::gateway::operator;

/// Events of the last minute and hour, and messages accepted in the last hour.
fn check(bench: &Bench, received: [i64; 2], accepted: i64) {
    let now = bench.now;
    let rates = bench.database.read(|tx| operator::rates(tx, now)).unwrap();
    let sent: i64 = rates.accepted.iter().map(|(_, count)| count).sum();
    assert_eq!((rates.received, sent), (received, accepted));
}

#[test]
fn what_came_and_went_lately_is_counted_from_its_time_on() {
    let mut bench = Bench::fast();
    check(&bench, [0, 0], 0);
    for n in 0..7 {
        bench.queue(&format!("1555010000{n}"), 1);
        let sending = bench.sends().remove(0);
        bench.sent(&sending, &accepted(&format!("w{n}")));
        bench.now += 20 * MINUTE;
    }
    // 20, 40 and 60 minutes ago.
    check(&bench, [0, 3], 3);
    bench.write(ANN, None);
    check(&bench, [1, 4], 3);
    bench.now += MINUTE + 1;
    check(&bench, [0, 3], 2);
    bench.now += 60 * MINUTE;
    check(&bench, [0, 0], 0);
}
