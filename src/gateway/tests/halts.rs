//! Halts by scope: a token, a number, an account, the app.

use super::*;
use crate::store::rows::Halt;

const TWO: &str = "106540300000002";
const THREE: &str = "106540300000003";
/// The accounts of the three numbers.
const WABAS: [(&str, &str); 3] = [(NUMBER, "1"), (TWO, "1"), (THREE, "2")];

/// Three numbers: the first two of one account, the last two by one token.
fn three() -> Bench {
    let mut bench = Bench::new();
    tokens(&mut bench, "own", "common");
    for (number, waba) in WABAS {
        for to in [ANN, BOB] {
            post(&mut bench, number, to);
        }
        let learn = |tx: &Tx<'_>| tx.learn_waba(number, waba);
        bench.database.commit(learn).unwrap();
    }
    bench
}

fn tokens(bench: &mut Bench, own: &str, common: &str) {
    let tokens = Tokens {
        common: Some(Secret::new(common)),
        by_number: [(NUMBER.to_owned(), Secret::new(own))].into(),
    };
    let limits = bench.limits.clone();
    let reload = |tx: &Tx<'_>| Gateway::open(tx, limits, Wants::Messages, &tokens);
    bench.gateway = bench.database.commit(reload).unwrap();
}

fn post(bench: &mut Bench, number: &str, to: &str) {
    let (gateway, now) = (&bench.gateway, bench.now);
    let post = Post {
        number: number.into(),
        body: format!(r#"{{"to":"{to}","type":"text","text":{{"body":"hi"}}}}"#),
        idempotency_key: None,
    };
    let step = |tx: &Tx<'_>| gateway.post(tx, now, &post);
    bench.database.commit(step).unwrap();
}

fn halts(bench: &Bench) -> Vec<Halt> {
    bench.database.read(|tx| tx.halts()).unwrap()
}

/// The numbers that are claimed for, in order.
fn sending(bench: &mut Bench) -> Vec<Sending> {
    let mut sends = bench.sends();
    sends.sort_by_key(|send| send.outbox);
    sends
}

fn numbers(sends: &[Sending]) -> Vec<&str> {
    let mut numbers: Vec<&str> = sends.iter().map(|send| send.number.as_str()).collect();
    numbers.dedup();
    numbers
}

/// This code is met by `number`: which of the three stand still for it.
fn check(code: i64, number: &str, still: &[&str], scope: &str) {
    let mut bench = three();
    // One worker, so that nothing else is under way when the halt begins.
    let all = sending(&mut bench);
    let met = all.iter().find(|send| send.number == number).unwrap();
    bench.sent(met, &error(code, None));
    for send in all.iter().filter(|send| send.job != met.job) {
        bench.sent(send, &graph(503, "", None));
    }
    // Another message for each: who may send does so at once.
    for (number, _) in WABAS {
        post(&mut bench, number, "15550109999");
    }
    let go = sending(&mut bench);
    let stand: Vec<&str> = WABAS
        .iter()
        .map(|(number, _)| *number)
        .filter(|number| !numbers(&go).contains(number))
        .collect();
    assert_eq!(stand, still, "{code}");
    let halt = halts(&bench).remove(0);
    assert_eq!((halt.scope.as_str(), halt.code), (scope, Some(code)));
    let (reason, mend) = halt.reason_and_mend();
    assert!(!reason.is_empty() && !mend.is_empty(), "{code}: {halt:?}");
    assert_eq!(bench.outbox(met.outbox), (SendState::Queued, 0), "{code}");
}

#[test]
fn a_code_halts_its_scope_and_no_more() {
    for code in [0, 102, 190] {
        check(code, TWO, &[TWO, THREE], "token");
        check(code, NUMBER, &[NUMBER], "token");
    }
    for code in [
        10, 33, 200, 299, 131_005, 131_037, 131_045, 133_000, 133_006, 133_010,
    ] {
        check(code, TWO, &[TWO], "number");
    }
    for code in [368, 131_031, 131_042] {
        check(code, TWO, &[NUMBER, TWO], "account");
        check(code, THREE, &[THREE], "account");
    }
    check(3, THREE, &[NUMBER, TWO, THREE], "app");
}

#[test]
fn one_message_probes_for_all_numbers_of_a_token_and_ends_the_halt_for_all() {
    let mut bench = three();
    let all = sending(&mut bench);
    let by_common = |send: &&Sending| send.number != NUMBER;
    for send in all.iter().filter(by_common) {
        bench.sent(send, &error(190, None));
    }
    assert_eq!(halts(&bench).len(), 1);
    assert_eq!(halts(&bench)[0].failures, 1, "four answers, one halt");
    for (send, n) in all.iter().filter(|send| !by_common(send)).zip(1..) {
        bench.sent(send, &accepted(&format!("w{n}")));
    }
    let mut failures = 1;
    for _ in 0..4 {
        assert!(bench.sends().is_empty());
        bench.now += 15 * MINUTE;
        let probes = bench.sends();
        assert_eq!(
            probes.len(),
            1,
            "one for the token, not one for each number"
        );
        assert_eq!(probes[0].attempt, 1, "no attempt is burnt");
        bench.sent(&probes[0], &error(190, None));
        failures += 1;
        assert_eq!(halts(&bench)[0].failures, failures);
    }
    bench.now += 15 * MINUTE;
    let probe = bench.sends().remove(0);
    bench.sent(&probe, &accepted("w9"));
    assert!(halts(&bench).is_empty());
    assert_eq!(numbers(&sending(&mut bench)), [TWO, THREE]);
}

#[test]
fn a_call_from_before_the_halt_does_not_end_it() {
    let mut bench = three();
    let all = sending(&mut bench);
    bench.sent(&all[2], &error(368, None));
    bench.sent(&all[3], &accepted("w1"));
    bench.sent(&all[0], &accepted("w2"));
    assert_eq!(halts(&bench).len(), 1);
    assert!(bench.sends().is_empty());
}

#[test]
fn another_token_ends_what_was_met_with_the_old_one_and_nothing_else() {
    let mut bench = three();
    let all = sending(&mut bench);
    bench.sent(&all[0], &error(131_042, None));
    bench.sent(&all[4], &error(190, None));
    for at in [1, 2, 3, 5] {
        bench.sent(&all[at], &lost());
    }
    assert_eq!(halts(&bench).len(), 2);
    tokens(&mut bench, "own", "new");
    assert_eq!(numbers(&sending(&mut bench)), [THREE]);
    assert_eq!(halts(&bench)[0].scope.as_str(), "account");
    tokens(&mut bench, "also new", "new");
    assert_eq!(numbers(&sending(&mut bench)), [NUMBER]);
    assert!(halts(&bench).is_empty());
}

#[test]
fn a_refusal_by_an_old_token_says_nothing_about_the_new_one() {
    let mut bench = three();
    let all = sending(&mut bench);
    let old = bench.gateway.clone();
    tokens(&mut bench, "own", "new");
    let now = bench.now;
    let finish = |tx: &Tx<'_>| {
        let (job, attempt) = (all[2].job, all[2].attempt);
        old.finish_sending(tx, now, job, attempt, &error(190, None), 0.0)
    };
    bench.database.commit(finish).unwrap();
    assert_eq!(sending(&mut bench)[0].outbox, all[2].outbox);
    assert!(halts(&bench).is_empty());
}

#[test]
fn a_number_without_a_token_is_halted_until_it_has_one() {
    let mut bench = three();
    let none = Tokens::default();
    let limits = bench.limits.clone();
    let reload = |tx: &Tx<'_>| Gateway::open(tx, limits, Wants::Messages, &none);
    bench.gateway = bench.database.commit(reload).unwrap();
    assert!(bench.sends().is_empty());
    assert_eq!(halts(&bench).len(), 3);
    assert!(halts(&bench)[0].reason.contains("set WHATSAPP_TOKEN"));
    bench.now += 60 * MINUTE;
    assert!(bench.sends().is_empty(), "nothing to probe with");
    tokens(&mut bench, "own", "common");
    assert_eq!(numbers(&sending(&mut bench)), [NUMBER, TWO, THREE]);
    assert!(halts(&bench).is_empty());
}

#[test]
fn a_restart_keeps_a_halt_and_a_lost_probe_is_followed_by_another() {
    let mut bench = three();
    let all = sending(&mut bench);
    bench.sent(&all[0], &error(10, None));
    bench.now += 15 * MINUTE;
    let due = |bench: &mut Bench| {
        let sends = sending(bench);
        sends.iter().filter(|send| send.number == NUMBER).count()
    };
    assert_eq!(due(&mut bench), 1);
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    bench
        .database
        .commit(|tx| gateway.recover(tx, now))
        .unwrap();
    assert_eq!(halts(&bench).len(), 1);
    bench.now += 15 * MINUTE;
    assert_eq!(due(&mut bench), 1);
}

#[test]
fn a_read_mark_that_goes_through_does_not_show_that_messages_do() {
    let mut bench = three();
    let all = sending(&mut bench);
    bench.sent(&all[4], &error(131_042, None));
    for send in all.iter().filter(|send| send.outbox != all[4].outbox) {
        bench.sent(send, &accepted(&format!("w{}", send.outbox)));
    }
    let mark = Post {
        number: THREE.into(),
        body: r#"{"status":"read","message_id":"wamid.1"}"#.into(),
        idempotency_key: None,
    };
    let cancel = |tx: &Tx<'_>| outbox::cancel(tx, 1, all[4].outbox);
    bench.database.commit(cancel).unwrap();
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    bench
        .database
        .commit(|tx| gateway.post(tx, now, &mark))
        .unwrap();
    bench.now += 15 * MINUTE;
    let probe = bench.sends().remove(0);
    bench.sent(&probe, &graph(200, r#"{"success":true}"#, None));
    assert_eq!(halts(&bench).len(), 1);
}

/// What Meta says of a message it had taken; with a code it failed.
fn told(
    bench: &mut Bench,
    sending: &Sending,
    wamid: &str,
    word: &str,
    code: Option<i64>,
) -> Received {
    let mark = bench.mark(sending.outbox);
    let waba = WABAS.iter().find(|(number, _)| *number == sending.number);
    let body = sample::status(&Status {
        number: &sending.number,
        display: "15550109000",
        waba: waba.unwrap().1,
        wamid,
        status: word,
        recipient: Recipient::Phone(ANN),
        user_id: None,
        opaque: Some(&mark),
        error: code.map(|code| (code, "x")),
        timestamp: 1,
    });
    bench.receive(&body)
}

/// All six are taken by Graph; then the first two, of one account, fail late.
fn unpaid() -> (Bench, Vec<Sending>) {
    let mut bench = three();
    let all = sending(&mut bench);
    for (send, n) in all.iter().zip(1..) {
        bench.sent(send, &accepted(&format!("w{n}")));
    }
    for (number, _) in WABAS {
        for to in ["15550109998", "15550109999"] {
            post(&mut bench, number, to);
        }
    }
    for (send, n) in all.iter().take(2).zip(1..) {
        told(&mut bench, send, &format!("w{n}"), "failed", Some(131_042));
    }
    (bench, all)
}

#[test]
fn trouble_that_only_statuses_tell_of_halts_until_a_message_goes_out() {
    let (mut bench, all) = unpaid();
    let halt = halts(&bench).remove(0);
    assert_eq!((halt.scope.as_str(), halt.failures), ("account", 1));
    assert_eq!(bench.outbox(all[0].outbox).0, SendState::Failed);
    let other = sending(&mut bench);
    assert_eq!(numbers(&other), [THREE], "another account goes on");
    // Graph takes the probe as it took the others: that says nothing.
    bench.now += 2 * MINUTE;
    let probe = bench.sends().remove(0);
    bench.sent(&probe, &accepted("p1"));
    assert!(bench.sends().is_empty());
    told(&mut bench, &probe, "p1", "failed", Some(131_042));
    assert_eq!(halts(&bench)[0].failures, 2);
    // No status at all: another probe, later.
    bench.now += 15 * MINUTE;
    let silent = bench.sends().remove(0);
    bench.sent(&silent, &accepted("p2"));
    assert!(bench.sends().is_empty());
    bench.now += 15 * MINUTE;
    let probe = bench.sends().remove(0);
    bench.sent(&probe, &accepted("p3"));
    let received = told(&mut bench, &probe, "p3", "delivered", None);
    assert!(halts(&bench).is_empty());
    assert!(received.to_send, "whoever stood still is told");
    assert_eq!(numbers(&sending(&mut bench)), [TWO]);
}

#[test]
fn a_late_status_of_a_message_from_before_the_mend_halts_nothing() {
    let (mut bench, all) = unpaid();
    bench.now += 15 * MINUTE;
    let mut claimed = bench.sends();
    claimed.retain(|send| send.number != THREE);
    let probe = claimed.remove(0);
    bench.sent(&probe, &accepted("p1"));
    told(&mut bench, &probe, "p1", "sent", None);
    told(&mut bench, &all[2], "w3", "failed", Some(131_042));
    assert_eq!(bench.outbox(all[2].outbox).0, SendState::Failed);
    assert!(halts(&bench).is_empty());
    // One that was taken since is news.
    bench.now += MINUTE;
    let new = sending(&mut bench).remove(0);
    bench.sent(&new, &accepted("n1"));
    told(&mut bench, &new, "n1", "failed", Some(131_042));
    assert_eq!(halts(&bench).len(), 1);
}

#[test]
fn a_status_from_before_graphs_answer_halts_as_well() {
    let mut bench = three();
    let all = sending(&mut bench);
    let unmarked = sample::status(&Status {
        number: NUMBER,
        display: "15550109000",
        waba: "1",
        wamid: "w1",
        status: "failed",
        recipient: Recipient::Phone(ANN),
        user_id: None,
        opaque: None,
        error: Some((131_042, "x")),
        timestamp: 1,
    });
    bench.receive(&unmarked);
    assert!(halts(&bench).is_empty(), "whose it is is not known yet");
    bench.sent(&all[0], &accepted("w1"));
    assert_eq!(halts(&bench)[0].scope.as_str(), "account");
}

#[test]
fn what_concerns_one_message_or_one_that_went_out_halts_nothing() {
    let mut bench = three();
    let all = sending(&mut bench);
    bench.sent(&all[0], &accepted("w1"));
    told(&mut bench, &all[0], "w1", "failed", Some(131_026));
    bench.sent(&all[1], &accepted("w2"));
    told(&mut bench, &all[1], "w2", "sent", None);
    told(&mut bench, &all[1], "w2", "failed", Some(131_042));
    assert!(halts(&bench).is_empty());
}
