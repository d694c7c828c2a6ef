//! What people are called, learned from events.

use super::*;
use crate::gateway::names;

impl Bench {
    /// Learns until there is no more. How many steps brought news.
    pub(super) fn learn(&mut self) -> usize {
        let mut news = 0;
        loop {
            let look = |tx: &Tx<'_>| names::look(tx, tx.names_learned()?);
            let learned = self.database.read(look).unwrap();
            news += usize::from(learned.is_news());
            self.database
                .commit(|tx| names::keep(tx, &learned))
                .unwrap();
            if !learned.more {
                return news;
            }
        }
    }

    fn says(&mut self, kind: &str, phone: &str, bsuid: Option<&str>, name: &str) {
        self.messages += 1;
        let sample = Sample {
            number: NUMBER,
            from: phone,
            user_id: bsuid,
            name,
            id: &format!("wamid.{}", self.messages),
            ..Sample::default()
        };
        let body = sample::notification(kind, &sample).unwrap();
        self.receive(&body);
    }

    fn name_of(&self, id: ConversationId) -> Option<String> {
        let person = self.database.read(|tx| tx.person(id)).unwrap();
        person.map(|person| person.name)
    }
}

#[test]
fn names_are_learned_once_and_anew_when_they_change() {
    let mut bench = Bench::new();
    assert_eq!(bench.learn(), 0);
    bench.says("text", ANN, None, "Ana");
    bench.says("text", BOB, None, "Bob");
    assert_eq!(bench.name_of(1), None);
    assert_eq!(bench.learn(), 1);
    assert_eq!(bench.name_of(1).as_deref(), Some("Ana"));
    bench.says("text", ANN, None, "Ana");
    assert_eq!(bench.learn(), 0, "nothing is news");
    bench.says("text", ANN, None, "Eva");
    bench.says("status-sent", BOB, None, "Nobody");
    assert_eq!(bench.learn(), 1);
    assert_eq!(bench.name_of(1).as_deref(), Some("Eva"));
    assert_eq!(bench.name_of(2).as_deref(), Some("Bob"));
}

#[test]
fn many_events_are_learned_in_steps() {
    let mut bench = Bench::new();
    for n in 0..1_200 {
        bench.says("text", ANN, None, &format!("Ana {n}"));
    }
    assert_eq!(bench.learn(), 3);
    assert_eq!(bench.name_of(1).as_deref(), Some("Ana 1199"));
}

#[test]
fn the_name_is_the_one_persons_after_two_became_one() {
    let mut bench = Bench::new();
    bench.says("text", ANN, None, "Ana");
    bench.says("text", "", Some(ANN_BSUID), "Ana by BSUID");
    bench.write(ANN, Some(ANN_BSUID));
    bench.says("text", ANN, Some(ANN_BSUID), "Ana");
    bench.learn();
    assert_eq!(bench.name_of(1).as_deref(), Some("Ana"));
    assert_eq!(bench.name_of(2), None);
}

#[test]
fn what_is_learned_of_somebody_who_is_gone_by_then_is_not_kept() {
    let mut bench = Bench::new();
    bench.says("text", ANN, None, "Ana");
    bench.says("text", "", Some(ANN_BSUID), "Ana by BSUID");
    let learned = bench.database.read(|tx| names::look(tx, 0)).unwrap();
    bench.write(ANN, Some(ANN_BSUID));
    bench
        .database
        .commit(|tx| names::keep(tx, &learned))
        .unwrap();
    assert_eq!(bench.name_of(2), None, "it lives on in the other");
}
