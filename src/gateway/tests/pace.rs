//! How fast, and who first.

use super::*;

/// Four numbers: two of one account, one of another, one with its own token.
const FIRST: &str = "1001";
const SISTER: &str = "1002";
const OTHER: &str = "2001";
const OWN_TOKEN: &str = "3001";

fn fleet() -> Bench {
    let mut bench = Bench::new();
    let tokens = Tokens {
        common: Some(Secret::new("token")),
        by_number: [(OWN_TOKEN.to_owned(), Secret::new("own"))].into(),
    };
    let limits = bench.limits.clone();
    let opened = bench
        .database
        .commit(|tx| Gateway::open(tx, limits, Wants::Messages, &tokens));
    bench.gateway = opened.unwrap();
    for number in [FIRST, SISTER, OTHER, OWN_TOKEN] {
        bench.post(number, ANN, "text");
    }
    let accounts = [(FIRST, "1"), (SISTER, "1"), (OTHER, "2"), (OWN_TOKEN, "3")];
    let learn = |tx: &Tx<'_>| {
        let mut all = accounts.iter();
        all.try_for_each(|(number, waba)| tx.learn_waba(number, waba))
    };
    bench.database.commit(learn).unwrap();
    bench
}

impl Bench {
    /// A message handed over by a program.
    fn post(&mut self, number: &str, to: &str, type_: &str) -> OutboxId {
        self.messages += 1;
        let (gateway, now) = (&self.gateway, self.now);
        let post = Post {
            number: number.into(),
            body: format!(
                r#"{{"to":"{to}","type":"{type_}","{type_}":{{"n":{}}}}}"#,
                self.messages
            ),
            idempotency_key: None,
        };
        let posted = self.database.commit(|tx| gateway.post(tx, now, &post));
        match posted.unwrap() {
            Posted::New(outbox) => outbox,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refusal_for_pace_holds_up_just_whom_it_concerns() {
    let cases: [(i64, &[&str]); 5] = [
        (130_429, &[FIRST]),
        (80_007, &[FIRST, SISTER]),
        (17, &[FIRST, SISTER, OTHER]),
        (4, &[FIRST, SISTER, OTHER, OWN_TOKEN]),
        (613, &[FIRST, SISTER, OTHER, OWN_TOKEN]),
    ];
    for (code, pausing) in cases {
        let mut bench = fleet();
        let sends = bench.sends();
        let first = sends.iter().find(|send| send.number == FIRST).unwrap();
        bench.sent(first, &error(code, Some(30)));
        for number in [FIRST, SISTER, OTHER, OWN_TOKEN] {
            bench.post(number, BOB, "text");
        }
        let went = |bench: &mut Bench| -> Vec<String> {
            bench.sends().into_iter().map(|send| send.number).collect()
        };
        bench.now += 29_999;
        let early = went(&mut bench);
        let all = [FIRST, SISTER, OTHER, OWN_TOKEN];
        for number in all {
            let waits = !early.iter().any(|n| n == number);
            assert_eq!(waits, pausing.contains(&number), "{code}: {number}");
        }
        bench.now += 1;
        let late = went(&mut bench);
        assert!(
            pausing.iter().all(|n| late.iter().any(|l| l == n)),
            "{code}: {late:?}"
        );
    }
}

#[test]
fn a_pairs_refusal_holds_up_no_other_pair_and_waits_as_meta_says() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    bench.queue(BOB, 2);
    let sends = bench.sends();
    bench.sent(&sends[0], &error(131_000, None));
    bench.sent(&sends[1], &accepted("w1"));
    assert_eq!(bench.sends().len(), 1, "Bob's second");
    bench.now += bench.limits.reconcile_window_ms;
    // What went wrong before is no refusal of the pair.
    for wait in [1_000, 4_000, 16_000, 64_000] {
        let again = bench.sends().remove(0);
        bench.sent(&again, &error(131_056, None));
        bench.now += wait - 1;
        assert!(bench.sends().is_empty(), "{wait}");
        bench.now += 1;
    }
    let again = bench.sends().remove(0);
    bench.sent(&again, &accepted("w2"));
    bench.queue(ANN, 1);
    let next = bench.sends().remove(0);
    bench.sent(&next, &error(131_056, None));
    bench.now += 1_000;
    assert_eq!(bench.sends().len(), 1, "counted anew after a success");
}

#[test]
fn calls_refused_together_are_one_refusal_and_no_outage() {
    let mut bench = Bench::fast();
    for n in 0..16 {
        bench.post(NUMBER, &format!("1555020{n:04}"), "text");
    }
    let sends = bench.sends();
    assert_eq!(sends.len(), 16);
    for send in &sends {
        bench.sent(send, &error(130_429, None));
    }
    bench.now += 999;
    assert!(bench.sends().is_empty());
    bench.now += 1;
    assert_eq!(bench.sends().len(), 16, "not one probe");
}

#[test]
fn a_number_has_its_own_rate() {
    let mut bench = Bench::new();
    let mut rates = Rates::all(Rate::per_second(1));
    let own = (FIRST.to_owned(), Rate::per_second(1_000));
    rates.by_number.extend([own]);
    bench.limits.rates = rates;
    bench.restart("token");
    for n in 0..50 {
        bench.post(FIRST, &format!("1555020{n:04}"), "text");
        bench.post(SISTER, &format!("1555020{n:04}"), "text");
    }
    let sends = bench.sends();
    let of = |number| sends.iter().filter(|send| send.number == number).count();
    assert_eq!((of(FIRST), of(SISTER)), (50, 1));
}

#[test]
fn the_pace_goes_on_after_a_restart_where_it_was() {
    let mut bench = Bench::with(Limits {
        rates: Rates::all(Rate::per_second(1)),
        ..Limits::default()
    });
    bench.post(NUMBER, ANN, "text");
    bench.post(NUMBER, BOB, "text");
    let first = bench.sends();
    assert_eq!(first.len(), 1);
    bench.restart("token");
    bench.now += 900;
    assert!(bench.sends().is_empty());
    bench.now += 102;
    let second = bench.sends().remove(0);
    assert!(second.start_at >= first[0].start_at + 1_000);
}

/// The recipients in the order in which a number that sends one a second gets
/// to them.
fn order(bench: &mut Bench, count: usize) -> Vec<String> {
    let mut order = Vec::new();
    while order.len() < count {
        for send in bench.sends() {
            let body: serde_json::Value = serde_json::from_str(&send.body).unwrap();
            order.push(body["to"].as_str().unwrap().to_owned());
            let wamid = format!("w{}", send.outbox);
            bench.sent(&send, &accepted(&wamid));
        }
        bench.now += 500;
    }
    order
}

fn slow() -> Bench {
    Bench::with(Limits {
        rates: Rates::all(Rate::per_second(1)),
        ..Limits::default()
    })
}

#[test]
fn replies_go_before_bulk_which_gets_one_in_five() {
    let mut bench = slow();
    for n in 0..4 {
        bench.post(NUMBER, &format!("1555090{n:04}"), "template");
    }
    for n in 0..10 {
        bench.queue(&format!("1555020{n:04}"), 1);
    }
    let order = order(&mut bench, 14);
    let kinds: String = order
        .iter()
        .map(|to| if to.starts_with("1555090") { 'b' } else { 'r' })
        .collect();
    // Each claim books one: the count is kept between them.
    assert_eq!(kinds, "rrrrbrrrrbrrbb");
}

#[test]
fn bulk_that_ends_without_a_call_takes_no_turn_from_the_rest() {
    let mut bench = Bench::with(Limits {
        rates: Rates::all(Rate::per_second(1)),
        send_age_max_ms: MINUTE,
        ..Limits::default()
    });
    bench.post(NUMBER, "15550900000", "template");
    bench.now += MINUTE + 1;
    bench.post(NUMBER, "15550900001", "template");
    for n in 0..5 {
        bench.queue(&format!("1555020{n:04}"), 1);
    }
    // One worker is free each time: nobody looks at more than goes.
    let mut fifth = None;
    for _ in 0..5 {
        bench.now += 1_000;
        let (gateway, now) = (&bench.gateway, bench.now);
        let claim = |tx: &Tx<'_>| gateway.claim(tx, now, QueueKind::Send, 1);
        fifth = bench.database.commit(claim).unwrap().work.pop();
    }
    let Some(Work::Send(fifth)) = fifth else {
        panic!("nothing went");
    };
    assert!(fifth.body.contains("15550900001"));
}

#[test]
fn a_program_answers_before_bulk_whoever_waits() {
    let mut bench = slow();
    bench.write(ANN, None);
    for n in 0..6 {
        bench.post(NUMBER, &format!("1555090{n:04}"), "text");
    }
    bench.post(NUMBER, ANN, "text");
    bench.post(NUMBER, BOB, "text");
    let order = order(&mut bench, 8);
    assert_eq!(order[0], ANN, "she wrote");
    assert_eq!(order[7], BOB, "he did not");
}

#[test]
fn a_lane_keeps_its_order_whatever_is_in_it() {
    let mut bench = slow();
    bench.post(NUMBER, ANN, "template");
    bench.queue(ANN, 1);
    bench.queue(BOB, 1);
    let order = order(&mut bench, 3);
    assert_eq!(order, [BOB, ANN, ANN]);
    let sent = |id| bench.outbox(id).0;
    assert_eq!(
        (sent(1), sent(2)),
        (SendState::Accepted, SendState::Accepted)
    );
}

#[test]
fn a_number_whose_calls_hang_leaves_workers_to_the_others() {
    let mut bench = Bench::fast();
    bench.post(SISTER, ANN, "text");
    bench.post(OTHER, ANN, "text");
    assert_eq!(bench.sends().len(), 2);
    for n in 0..300 {
        bench.post(FIRST, &format!("1555020{n:04}"), "text");
    }
    let mut under_way = 2;
    for _ in 0..20 {
        let (gateway, now) = (&bench.gateway, bench.now);
        let room = 32 - under_way;
        let step = |tx: &Tx<'_>| gateway.claim(tx, now, QueueKind::Send, room);
        let claimed = bench.database.commit(step).unwrap();
        under_way += claimed.work.len();
        bench.now += 50;
    }
    assert_eq!(under_way, 2 + 20, "two thirds of what was free");
    bench.post(SISTER, BOB, "text");
    let (gateway, now) = (&bench.gateway, bench.now);
    let step = |tx: &Tx<'_>| gateway.claim(tx, now, QueueKind::Send, 32 - under_way);
    let claimed = bench.database.commit(step).unwrap();
    assert_eq!(claimed.work.len(), 1, "at once");
}

/// Numbers that look random, the same each time.
fn scattered(mut x: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 33) % below
    }
}

/// So many messages wait; the service looks for work when it happens to, and is
/// started anew now and then. Calls begin at the number's rate, and no second of
/// them all holds more.
fn goes_at(per_second: u32, seconds: i64) {
    let rate = per_second as usize;
    let mut bench = Bench::with(Limits {
        rates: Rates::all(Rate::per_second(per_second)),
        ..Limits::default()
    });
    for n in 0..=rate * seconds as usize {
        bench.post(NUMBER, &format!("1555{n:07}"), "text");
    }
    let mut luck = scattered(u64::from(per_second));
    let (begun, mut starts) = (bench.now, Vec::new());
    while bench.now < begun + seconds * 1_000 {
        for send in bench.sends() {
            starts.push(send.start_at);
            let wamid = format!("w{}", send.outbox);
            bench.sent(&send, &accepted(&wamid));
        }
        bench.now += 1 + luck(8) as i64;
        if luck(500) == 0 {
            bench.restart("token");
        }
    }
    starts.retain(|at| *at < begun + seconds * 1_000);
    let share = starts.len() as f64 / (rate as f64 * seconds as f64);
    assert!((0.99..=1.0).contains(&share), "{share} of {per_second}/s");
    for ends in starts.windows(rate + 1) {
        assert!(ends[rate] - ends[0] >= 1_000, "a burst at {}", ends[0]);
    }
}

#[test]
fn a_minute_at_80_a_second_is_even_also_over_restarts() {
    goes_at(80, 60);
}

#[test]
fn a_thousand_a_second_go_out_evenly_too() {
    goes_at(1_000, 5);
}
