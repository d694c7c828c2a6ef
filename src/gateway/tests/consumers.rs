//! Several consumers of the same events.

use super::*;
use crate::config::{ObserverLimits, Selection};
use inbox::Dropped;
use replay::{Ended, Filter, Mode};

fn observer(name: &str, concurrency: usize, selection: Selection) -> ObserverLimits {
    ObserverLimits {
        name: name.into(),
        selection,
        concurrency,
        age_max_ms: 3_600_000,
    }
}

fn bench(observers: &[ObserverLimits]) -> Bench {
    Bench::with(Limits {
        observers: observers.to_vec(),
        ..Limits::default()
    })
}

fn crm() -> ObserverLimits {
    observer("crm", 2, Selection::all())
}

/// What was handed out: to whom, which event.
fn handed(deliveries: &[Delivery]) -> Vec<(&str, EventId)> {
    let mut handed: Vec<_> = deliveries.iter().map(|d| (d.consumer(), d.event)).collect();
    handed.sort_unstable();
    handed
}

fn of<'d>(deliveries: &'d [Delivery], consumer: &str) -> &'d Delivery {
    deliveries
        .iter()
        .find(|d| d.consumer() == consumer)
        .unwrap()
}

impl Bench {
    fn reload(&mut self, observers: &[ObserverLimits]) {
        self.limits.observers = observers.to_vec();
        let limits = &self.limits;
        let reload = |tx: &Tx<'_>| {
            let gateway = open(tx, limits, "token")?;
            gateway.note_consumers(tx)?;
            Ok(gateway)
        };
        self.gateway = self.database.commit(reload).unwrap();
    }

    fn dropped(&mut self, consumer: &str) -> Dropped {
        let now = self.now;
        let step = |tx: &Tx<'_>| inbox::drop_deliveries(tx, now, consumer, 100);
        self.database.commit(step).unwrap()
    }

    fn open_of(&self, consumer: &str) -> i64 {
        let status = self.database.read(|tx| operator::status(tx, self.now));
        let queues = status.unwrap().queues;
        let found = queues.iter().find(|q| q.queue.name == consumer);
        found.unwrap().open
    }
}

#[test]
fn each_consumer_gets_each_event_in_a_lane_of_its_own() {
    let mut bench = bench(&[crm()]);
    (0..2).for_each(|_| _ = bench.write(ANN, None));
    let first = bench.deliveries();
    assert_eq!(handed(&first), [("bot", 1), ("crm", 1)]);
    assert_eq!(first[0].webhook_id, first[1].webhook_id);
    bench.delivered(of(&first, "bot"), &done());
    assert_eq!(handed(&bench.deliveries()), [("bot", 2)]);
    bench.delivered(of(&first, "crm"), &done());
    assert_eq!(handed(&bench.deliveries()), [("crm", 2)]);
}

#[test]
fn an_observer_gets_the_kinds_and_fields_it_wants() {
    let statuses = Selection {
        kinds: vec![Kind::Status],
        fields: Vec::new(),
    };
    let field = Selection {
        kinds: Vec::new(),
        fields: vec!["messages".into()],
    };
    let mut bench = bench(&[
        observer("statuses", 1, statuses),
        observer("all_of_field", 1, field),
    ]);
    bench.write(ANN, None);
    let first = bench.deliveries();
    assert_eq!(handed(&first), [("all_of_field", 1), ("bot", 1)]);
    let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.to_owned()];
    for delivery in &first {
        bench.delivered(delivery, &Outcome::done(replies.clone()));
    }
    let sending = bench.sends().remove(0);
    let status = bench.status(&sending, "wamid.out", "sent", true);
    assert!(status.to_deliver);
    let second = bench.deliveries();
    assert_eq!(handed(&second), [("all_of_field", 2), ("statuses", 2)]);
    let of_other_field = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[
        {"field":"account_update","value":{"event":"VERIFIED_ACCOUNT"}}]}]}"#;
    let other = bench.receive(of_other_field);
    assert_eq!((other.stored, other.to_deliver), (1, false));
}

#[test]
fn one_that_is_down_or_slow_keeps_nobody_waiting() {
    let mut bench = bench(&[crm()]);
    let people: Vec<String> = (0..9).map(|n| format!("1555020000{n}")).collect();
    for person in &people {
        bench.write(person, None);
    }
    let deliveries = bench.deliveries();
    let count = |name: &str| deliveries.iter().filter(|d| d.consumer() == name).count();
    let most = bench.limits.bot_concurrency;
    assert_eq!(
        (count("bot"), count("crm")),
        (most, 2),
        "each as many as it may"
    );
    // Its breaker closes, and only its.
    for attempt in 0..10 {
        bench.now += 600_000 * attempt;
        let mut own: Vec<Delivery> = bench.deliveries();
        own.extend(deliveries.iter().filter(|_| attempt == 0).cloned());
        for delivery in own.iter().filter(|d| d.consumer() == "crm") {
            bench.delivered(delivery, &later(0, true));
        }
        for delivery in own.iter().filter(|d| d.consumer() == "bot") {
            bench.delivered(delivery, &done());
        }
    }
    let queues = bench.database.read(|tx| tx.queues()).unwrap();
    let failing = |name: &str| {
        queues
            .iter()
            .find(|q| q.name == name)
            .unwrap()
            .breaker
            .probing()
    };
    assert_eq!((failing("crm"), failing("bot")), (true, false));
    bench.write(ANN, None);
    assert_eq!(handed(&bench.deliveries())[0], ("bot", 10));
}

#[test]
fn what_an_observer_says_is_not_sent() {
    let mut bench = bench(&[crm()]);
    bench.write(ANN, None);
    let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.to_owned()];
    let deliveries = bench.deliveries();
    bench.delivered(of(&deliveries, "crm"), &Outcome::done(replies.clone()));
    assert_eq!(bench.sends().len(), 0);
    bench.delivered(of(&deliveries, "bot"), &Outcome::done(replies));
    assert_eq!(bench.sends().len(), 1);
}

#[test]
fn an_event_gets_too_old_for_each_by_itself() {
    let mut bench = bench(&[crm()]);
    bench.write(ANN, None);
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &later(0, false));
    }
    bench.now += 2 * 3_600_000;
    assert_eq!(handed(&bench.deliveries()), [("bot", 1)]);
    let row = bench.database.read(|tx| inbox::event(tx, 1));
    let row = row.unwrap().unwrap();
    let crm = row.deliveries.iter().find(|d| d.consumer == "crm").unwrap();
    let error = crm.error.as_deref().unwrap();
    assert!(error.contains("OBSERVER_CRM_MAX_AGE"), "{error}");
}

#[test]
fn who_is_taken_out_leaves_what_is_open_until_it_is_back_or_dropped() {
    let mut bench = bench(&[crm()]);
    (0..3).for_each(|_| _ = bench.write(ANN, None));
    assert_eq!(bench.dropped("crm"), Dropped::Served);
    bench.reload(&[]);
    assert_eq!(handed(&bench.deliveries()), [("bot", 1)]);
    bench.write(ANN, None);
    assert_eq!(bench.open_of("crm"), 3, "nothing new");
    bench.reload(&[crm()]);
    assert_eq!(handed(&bench.deliveries()), [("crm", 1)]);
    bench.reload(&[]);
    // The one that is under way ends by itself.
    assert_eq!(bench.dropped("crm"), Dropped::Some(0));
    bench.restart("token");
    let mut dropped = 0;
    while let Dropped::Some(more @ 1..) = bench.dropped("crm") {
        dropped += more;
    }
    assert_eq!((dropped, bench.open_of("crm")), (3, 0));
    assert_eq!(bench.dropped("nobody"), Dropped::Missing);
    assert_eq!(bench.dropped("bot"), Dropped::Served);
}

/// Ends the deliveries to one consumer, step by step, until there are no more.
fn end_all(bench: &mut Bench, outcome: &Outcome) {
    loop {
        let deliveries = bench.deliveries();
        if deliveries.is_empty() {
            return;
        }
        for delivery in &deliveries {
            bench.delivered(delivery, outcome);
        }
    }
}

impl Bench {
    fn queue_of(&self, name: &str) -> QueueId {
        let found = self.database.read(|tx| replay::consumer(tx, name));
        found.unwrap().unwrap().id
    }

    /// How many a filter finds, in steps of at most `limit`.
    fn replayed(&mut self, mode: Mode, filter: &Filter, limit: usize) -> usize {
        let (mut found, mut after) = (0, 0);
        loop {
            let step = |tx: &Tx<'_>| replay::again(tx, mode, filter, after, limit);
            let done = self.database.commit(step).unwrap();
            assert!(done.found <= limit);
            found += done.found;
            match done.next {
                Some(next) => after = next,
                None => return found,
            }
        }
    }
}

#[test]
fn a_filter_takes_what_it_says_and_nothing_else() {
    let mut bench = bench(&[crm()]);
    let start = bench.now;
    for n in 0..4 {
        bench.now = start + n * MINUTE;
        bench.write(if n % 2 == 0 { ANN } else { BOB }, None);
    }
    // The last is open still; before it the CRM took one of three.
    for (n, crm_takes) in [(1, false), (2, true), (3, false)] {
        let mut left = vec!["bot", "crm"];
        while !left.is_empty() {
            for delivery in bench.deliveries() {
                let reason = "Teapot refused it".into();
                let outcome = match delivery.consumer() {
                    _ if delivery.event == 4 => later(0, false),
                    "crm" if delivery.event == n && !crm_takes => Outcome::Dead { reason },
                    "crm" if delivery.event == 3 => Outcome::Dead { reason },
                    _ => done(),
                };
                bench.delivered(&delivery, &outcome);
            }
            left.pop();
        }
    }
    let (crm, bot) = (bench.queue_of("crm"), bench.queue_of("bot"));
    let all = Filter::default();
    let dead = Filter {
        state: Some(Ended::Dead),
        ..all.clone()
    };
    let text = |text: &str| Filter {
        error: Some(text.into()),
        ..all.clone()
    };
    let to = |queue| Filter {
        consumer: Some(queue),
        ..all.clone()
    };
    let cases = [
        (all.clone(), 6),
        (dead.clone(), 2),
        (to(bot), 3),
        (to(crm), 3),
        (text("teapot"), 2),
        (text("coffee"), 0),
        (
            Filter {
                state: Some(Ended::Done),
                ..to(crm)
            },
            1,
        ),
        (
            Filter {
                since: Some(start + MINUTE),
                ..all.clone()
            },
            4,
        ),
        (
            Filter {
                until: Some(start + MINUTE),
                ..all.clone()
            },
            2,
        ),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 100] {
            let found = bench.replayed(Mode::Look, &filter, limit);
            assert_eq!(found, expected, "{filter:?}");
        }
    }
    let now = bench.now;
    assert_eq!(bench.replayed(Mode::Act(now), &dead, 1), 2);
    assert_eq!(bench.replayed(Mode::Look, &dead, 1), 0);
    bench.reload(&[]);
    assert_eq!(
        bench.replayed(Mode::Look, &to(crm), 9),
        0,
        "nobody serves it"
    );
}

#[test]
fn a_replay_to_one_consumer_comes_in_order_before_what_is_newer() {
    let mut bench = bench(&[crm()]);
    (0..4).for_each(|_| _ = bench.write(ANN, None));
    end_all(&mut bench, &done());
    bench.write(ANN, None);
    let filter = Filter {
        consumer: Some(bench.queue_of("crm")),
        since: Some(0),
        ..Filter::default()
    };
    let now = bench.now;
    assert_eq!(bench.replayed(Mode::Act(now), &filter, 2), 4);
    let mut order = Vec::new();
    loop {
        let deliveries = bench.deliveries();
        if deliveries.is_empty() {
            break;
        }
        for delivery in &deliveries {
            order.push((delivery.consumer().to_owned(), delivery.event));
            bench.delivered(delivery, &done());
        }
    }
    let of = |name: &str| -> Vec<EventId> {
        let own = order.iter().filter(|(consumer, _)| consumer == name);
        own.map(|(_, event)| *event).collect()
    };
    assert_eq!((of("crm"), of("bot")), (vec![1, 2, 3, 4, 5], vec![5]));
}

#[test]
fn what_came_before_a_consumer_is_for_it_only_when_asked_for() {
    let mut bench = bench(&[]);
    (0..3).for_each(|_| _ = bench.write(ANN, None));
    end_all(&mut bench, &done());
    bench.reload(&[crm()]);
    bench.write(ANN, None);
    end_all(&mut bench, &done());
    let crm = bench.queue_of("crm");
    let filter = Filter {
        consumer: Some(crm),
        ..Filter::default()
    };
    assert_eq!(bench.replayed(Mode::Look, &filter, 9), 1);
    let never_got = |bench: &mut Bench, mode: Mode| {
        let all = Selection::all();
        let step = |tx: &Tx<'_>| replay::never_got(tx, mode, (crm, &all), (0, i64::MAX), 0, 100);
        bench.database.commit(step).unwrap().found
    };
    let now = bench.now;
    assert_eq!(never_got(&mut bench, Mode::Look), 3);
    assert_eq!(never_got(&mut bench, Mode::Act(now)), 3);
    assert_eq!(never_got(&mut bench, Mode::Act(now)), 0);
    let mut got = Vec::new();
    loop {
        let deliveries = bench.deliveries();
        let Some(delivery) = deliveries.first() else {
            break;
        };
        got.push((delivery.consumer().to_owned(), delivery.event));
        bench.delivered(delivery, &done());
    }
    let expected: Vec<_> = (1..=3).map(|event| ("crm".to_owned(), event)).collect();
    assert_eq!(got, expected);
}
