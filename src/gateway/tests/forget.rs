//! A person is forgotten, and nobody else.

use super::*;
use crate::gateway::forget::{Left, Person, Removed, end_jobs};
use crate::gateway::marketing::{has_stopped, set_wishes};
use crate::gateway::{Post, Posted};
use crate::policy::burst::Debounce;
use crate::store::rows::NewDeed;
use crate::wire::notification::key_digest;

const TEXT: &str = r#"{"type":"text","text":{"body":"hi"}}"#;
const OTHER_NUMBER: &str = "106540300000002";

impl Bench {
    fn person(&self, number: Option<&str>, user: &str) -> Person {
        let find = |tx: &Tx<'_>| Person::find(tx, number, user);
        self.database.read(find).unwrap()
    }

    fn end_jobs(&mut self, person: &Person, limit: usize) -> usize {
        let now = self.now;
        let step = |tx: &Tx<'_>| end_jobs(tx, now, person, limit);
        self.database.commit(step).unwrap()
    }

    /// All steps but the last. Returns how far it has looked.
    fn begin_to_forget(&mut self, person: &Person) -> ([i64; 2], Removed) {
        let (now, mut all) = (self.now, Removed::default());
        while self.end_jobs(person, 2) == 2 {}
        let upto = [Log::Events, Log::Messages].map(|log| {
            let mut after = 0;
            loop {
                let look = |tx: &Tx<'_>| person.look(tx, log, after);
                let found = self.database.read(look).unwrap();
                let remove = |tx: &Tx<'_>| person.remove(tx, now, log, &found.ids);
                all.add(self.database.commit(remove).unwrap());
                after = found.upto;
                if !found.more {
                    return after;
                }
            }
        });
        (upto, all)
    }

    fn leave(&mut self, person: &Person, [events, messages]: [i64; 2]) -> Left {
        let now = self.now;
        let step = |tx: &Tx<'_>| person.leave(tx, now, events, messages);
        self.database.commit(step).unwrap()
    }

    /// Returns (events, messages) that went.
    fn forget(&mut self, number: Option<&str>, user: &str) -> (usize, usize) {
        let person = self.person(number, user);
        let (upto, mut removed) = self.begin_to_forget(&person);
        match self.leave(&person, upto) {
            Left::Forgotten(last) => removed.add(last),
            other => panic!("{other:?}"),
        }
        assert!(self.person(number, user).names.is_empty());
        assert_eq!(self.database.damage().unwrap(), Vec::<String>::new());
        (removed.events, removed.messages)
    }

    /// Everything that is stored of events, messages, jobs and people, as text.
    fn everything(&self) -> String {
        let look = |tx: &Tx<'_>| {
            let mut all = String::new();
            for event in tx.events_after(0, 10_000)? {
                all += &format!("{} {}\n", event.body, event.key);
                all += &format!("{:?}\n", tx.conversation_names(event.conversation)?);
            }
            for message in tx.messages_after(0, 10_000)? {
                all += &format!(
                    "{} {} {:?}\n",
                    message.body, message.recipient, message.wamid
                );
            }
            for id in 0..100 {
                all += &format!("{:?} {:?}\n", tx.conversation_names(id)?, tx.ids_of(id)?);
                all += &format!("{:?}\n", tx.job(id)?.map(|job| job.lane));
            }
            Ok(all)
        };
        self.database.read(look).unwrap()
    }

    fn say_in_group(&mut self, n: u64, from: &str) {
        let body =
            message(n, from, None).replacen(r#""from""#, r#""group_id":"GROUP==","from""#, 1);
        assert!(body.contains("GROUP=="));
        self.receive(&body);
        for delivery in self.deliveries() {
            self.delivered(&delivery, &done());
        }
    }

    fn post_with_key(&mut self, to: &str, key: &str) -> Posted {
        let post = Post {
            number: NUMBER.into(),
            body: format!(r#"{{"to":"{to}","type":"text","text":{{"body":"hi"}}}}"#),
            idempotency_key: Some(key.into()),
        };
        let (gateway, now) = (&self.gateway, self.now);
        self.database
            .commit(|tx| gateway.post(tx, now, &post))
            .unwrap()
    }
}

fn in_group(n: u64, from: &str) -> String {
    let said = message(n, from, None);
    let body = said.replacen(r#""from""#, r#""group_id":"GROUP==","from""#, 1);
    assert_ne!(said, body);
    body
}

#[test]
fn nothing_is_left_of_a_person_and_all_of_others() {
    let mut bench = Bench::fast();
    bench.write(ANN, None);
    bench.write(BOB, None);
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &Outcome::done(vec![TEXT.into()]));
    }
    for (n, send) in bench.sends().iter().enumerate() {
        bench.sent(send, &accepted(&format!("wamid.out{n}")));
        bench.status(send, &format!("wamid.out{n}"), "read", true);
    }
    // Her other id comes later, with a conversation of its own first.
    bench.write("", Some(ANN_BSUID));
    bench.write(ANN, Some(ANN_BSUID));
    bench.post_with_key(ANN, "key");
    let person = bench.person(None, ANN_BSUID);
    assert_eq!(person.names, [format!("{NUMBER}/{ANN_BSUID}")]);
    // Statuses in these tests all name her.
    assert_eq!(bench.forget(None, ANN_BSUID), (5, 2));
    let before = bench.database.read(|tx| tx.conversation(NUMBER, BOB));
    let before = before.unwrap().unwrap();
    let left = bench.everything();
    bench.write(ANN, None);
    let anew = bench.database.read(|tx| tx.conversation(NUMBER, ANN));
    assert_eq!(anew.unwrap(), Some(before + 2), "no id is given twice");
    for id in [ANN, ANN_BSUID] {
        assert!(!left.contains(id), "{id} in {left}");
    }
    assert!(left.contains(BOB));
}

#[test]
fn what_is_open_ends_and_others_go_on() {
    let mut bench = Bench::fast();
    for _ in 0..3 {
        bench.write(ANN, None);
    }
    bench.write(BOB, None);
    let running = bench.deliveries();
    assert_eq!(running.len(), 2, "one of each");
    bench.queue(CAROL, 2);
    let sending = bench.sends();
    let carol = bench.person(None, CAROL);
    assert_eq!(bench.end_jobs(&carol, 100), 2);
    assert_eq!(bench.forget(None, CAROL), (1, 2));
    assert_eq!(bench.forget(None, ANN), (3, 0));
    // What comes of it changes nothing any more.
    assert_eq!(bench.sent(&sending[0], &accepted("wamid.x")), Sent::Stale);
    let said = Outcome::done(vec![TEXT.into()]);
    for delivery in &running {
        bench.delivered(delivery, &said);
    }
    let sends = bench.sends();
    assert_eq!(sends.len(), 1);
    assert!(sends[0].body.contains(BOB));
    assert!(bench.deliveries().is_empty());
    // Whoever comes next has a lane of their own, and it goes.
    bench.write(ANN, None);
    assert_eq!(bench.deliveries().len(), 1);
}

const CAROL: &str = "15550100003";

#[test]
fn what_names_a_person_in_a_group_goes_and_its_thread_has_no_hole() {
    let mut bench = Bench::new();
    for (n, from) in [ANN, BOB, ANN, BOB, ANN].iter().enumerate() {
        bench.say_in_group(20 + n as u64, from);
    }
    bench.write(ANN, None);
    assert_eq!(bench.forget(None, ANN), (4, 0));
    assert!(!bench.everything().contains(ANN));
    assert_eq!(bench.thread_of(2, 10), "e4 e2");
    bench.say_in_group(30, BOB);
    assert_eq!(bench.thread_of(2, 10), "e7 e4 e2");
}

#[test]
fn another_number_may_remember_a_person() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let body = message(50, ANN, None).replace(NUMBER, OTHER_NUMBER);
    bench.receive(&body);
    assert_eq!(bench.person(None, ANN).names.len(), 2);
    assert_eq!(bench.forget(Some(NUMBER), ANN), (1, 0));
    let there = bench.person(None, ANN);
    assert_eq!(there.names, [format!("{OTHER_NUMBER}/{ANN}")]);
    assert_eq!(bench.deliveries().len(), 1);
    assert_eq!(bench.forget(None, ANN), (1, 0));
}

#[test]
fn who_wanted_no_marketing_gets_none_after_it() {
    for (stops, expected) in [(true, true), (false, false)] {
        let mut bench = Bench::new();
        bench.write(ANN, Some(ANN_BSUID));
        let now = bench.now;
        let wish = |stops| move |tx: &Tx<'_>| set_wishes(tx, now, Some(NUMBER), ANN, stops);
        bench.database.commit(wish(true)).unwrap();
        bench.database.commit(wish(stops)).unwrap();
        bench.forget(None, ANN);
        bench.post_with_key(ANN_BSUID, "key");
        let has = |tx: &Tx<'_>| has_stopped(tx, NUMBER, ANN_BSUID);
        assert_eq!(bench.database.read(has).unwrap(), expected, "{stops}");
        bench.post_with_key(BOB, "key2");
        let has = |tx: &Tx<'_>| has_stopped(tx, NUMBER, BOB);
        assert!(!bench.database.read(has).unwrap());
    }
}

#[test]
fn what_meta_delivers_again_is_known_and_keys_are_new() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let Posted::New(first) = bench.post_with_key(ANN, "key") else {
        panic!("it was never posted");
    };
    bench.forget(None, ANN);
    assert_eq!(bench.receive(&message(1, ANN, None)).duplicates, 1);
    let key = bench.database.read(|tx| tx.idempotent(&key_digest("key")));
    assert_eq!(key.unwrap(), None);
    let again = bench.post_with_key(ANN, "key");
    assert!(matches!(again, Posted::New(id) if id > first), "{again:?}");
}

#[test]
fn who_writes_meanwhile_is_forgotten_with_it() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let person = bench.person(None, ANN);
    let (upto, _) = bench.begin_to_forget(&person);
    bench.write(ANN, None);
    bench.write(BOB, None);
    let Left::Forgotten(last) = bench.leave(&person, upto) else {
        panic!("one message is not much");
    };
    assert_eq!((last.events, last.open), (1, 1));
    assert!(!bench.everything().contains(ANN));
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn when_much_comes_meanwhile_the_last_step_stays_small() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let person = bench.person(None, ANN);
    let (upto, _) = bench.begin_to_forget(&person);
    for _ in 0..250 {
        bench.write(ANN, None);
    }
    for _ in 0..2 {
        assert!(matches!(bench.leave(&person, upto), Left::NotYet(done) if done.open == 100));
    }
    let Left::NotYet(_) = bench.leave(&person, upto) else {
        panic!("250 events are too many");
    };
    assert_eq!(bench.forget(None, ANN), (250, 0));
}

#[test]
fn who_gets_another_id_meanwhile_is_looked_for_again() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    let person = bench.person(None, ANN);
    let (upto, _) = bench.begin_to_forget(&person);
    bench.write(ANN, Some(ANN_BSUID));
    assert_eq!(bench.leave(&person, upto), Left::Changed);
    bench.forget(None, ANN);
    assert!(!bench.everything().contains(ANN_BSUID));
}

#[test]
fn what_others_said_in_one_go_with_a_person_is_delivered_without_them() {
    for first in [ANN, BOB] {
        let mut bench = Bench::with(Limits {
            debounce: Some(Debounce { silence_ms: 3_000 }),
            ..Limits::default()
        });
        let second = if first == ANN { BOB } else { ANN };
        let bodies = [first, second, BOB].map(|from| (from, in_group(20, from)));
        for (n, (_, body)) in bodies.iter().enumerate() {
            bench.receive(&body.replace("wamid.20", &format!("wamid.2{n}")));
        }
        bench.now += 3_000;
        let burst = bench.deliveries().remove(0);
        assert!(burst.body.contains(ANN) && burst.body.contains(BOB));
        assert_eq!(bench.forget(None, ANN), (1, 0));
        if first == BOB {
            bench.delivered(&burst, &done());
        }
        let left: Vec<Delivery> = (0..2)
            .flat_map(|_| {
                let next = bench.deliveries();
                for delivery in &next {
                    bench.delivered(delivery, &done());
                }
                next
            })
            .collect();
        // What ran is done; what waited for her goes by itself.
        assert_eq!(left.len(), if first == BOB { 0 } else { 2 });
        assert!(left.iter().all(|delivery| !delivery.body.contains(ANN)));
        let open = bench.database.read(|tx| tx.depth(bench.gateway.bot));
        assert_eq!(open.unwrap().open, 0);
    }
}

#[test]
fn what_operators_did_does_not_tell_with_whom() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let about = |subject| NewDeed {
        at: 1,
        session: "s",
        address: "a",
        action: "take",
        subject,
    };
    let subjects = [format!("{NUMBER}/{ANN}"), ANN.into(), "event 7".into()];
    for subject in &subjects {
        bench
            .database
            .commit(|tx| trail::record(tx, &about(subject)))
            .unwrap();
    }
    bench.forget(None, ANN);
    let deeds = bench.database.read(|tx| trail::deeds(tx, 9, 9)).unwrap();
    let told: Vec<&str> = deeds.iter().map(|deed| deed.subject.as_str()).collect();
    assert_eq!(told, ["event 7", "forgotten", "forgotten"]);
}

#[test]
fn what_is_no_persons_id_has_nothing_forgotten() {
    let mut bench = Bench::fast();
    let envelope = message(1, ANN, None);
    let waba = Sample::default().waba;
    assert!(envelope.contains(waba) && envelope.contains("whatsapp"));
    bench.receive(&envelope);
    bench.post_with_key(ANN, "a");
    for nobody in [waba, NUMBER, "whatsapp", "text", "messages"] {
        assert_eq!(bench.forget(None, nobody), (0, 0), "{nobody}");
    }
    assert_eq!(bench.forget(None, ANN), (1, 1));
}
