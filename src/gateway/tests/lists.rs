//! What an operator is shown of the inbox and the outbox.

use super::*;
use crate::store::tx::{EventFilter, MessageFilter};
use inbox::{Filter, InboxState};

#[test]
fn dead_letters_are_found_by_their_index_and_by_what_went_wrong() {
    let mut bench = Bench::fast();
    for n in 0..6 {
        bench.write(&format!("1555010000{n}"), None);
        let delivery = bench.deliveries().remove(0);
        let reason = match n % 2 {
            0 => "HTTP 404: no such page",
            _ => "HTTP 410: gone",
        };
        let outcome = match n {
            4 => Outcome::done(Vec::new()),
            _ => Outcome::Dead {
                reason: reason.into(),
            },
        };
        bench.delivered(&delivery, &outcome);
    }
    let pages = |filter: &Filter, limit: usize| {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let look = |tx: &Tx<'_>| inbox::page(tx, filter, from, limit);
            let page = bench.database.read(look).unwrap();
            assert!(page.rows.len() <= limit);
            all.extend(page.rows.iter().map(|row| row.event.id));
            match page.older {
                Some(older) => from = Some(older),
                None => return all,
            }
        }
    };
    let dead = Filter::in_state(Some(InboxState::Dead));
    let with = |error: &str| Filter {
        error: Some(error.into()),
        ..dead.clone()
    };
    for limit in [1, 2, 50] {
        assert_eq!(pages(&dead, limit), [6, 4, 3, 2, 1]);
        assert_eq!(pages(&with("Http 404"), limit), [3, 1]);
        assert_eq!(pages(&with("GONE"), limit), [6, 4, 2]);
        assert_eq!(pages(&with("500"), limit), [0; 0]);
        assert_eq!(pages(&Filter::default(), limit), [6, 5, 4, 3, 2, 1]);
    }
    let none = Filter {
        of: EventFilter {
            number: Some("1".into()),
            ..dead.of.clone()
        },
        error: None,
    };
    assert_eq!(pages(&none, 2), [0; 0]);
}

#[test]
fn a_list_has_the_newest_and_the_oldest_of_them_first() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.write(ANN, None);
    }
    let newest = |tx: &Tx<'_>| inbox::newest(tx, &Filter::default(), 3);
    let rows = bench.database.read(newest).unwrap();
    let ids: Vec<EventId> = rows.iter().map(|row| row.event.id).collect();
    assert_eq!(ids, [3, 4, 5]);
    let none = |tx: &Tx<'_>| outbox::newest(tx, &MessageFilter::default(), 3);
    assert!(bench.database.read(none).unwrap().is_empty());
}
