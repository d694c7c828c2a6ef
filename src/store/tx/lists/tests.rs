//! Pages, one after the other, have each row that a filter takes, once.

use super::super::tests::assert_bounded;
use super::*;
use crate::store::Database;

#[test]
fn no_list_walks_over_a_table_or_sorts_one() {
    let all = [EVENTS, DEAD, MESSAGES, MESSAGES_IN_STATE, FLOOR];
    all.iter()
        .chain(&[OF_EVENTS.first, OF_EVENTS.last, OF_EVENTS.since])
        .chain(&[OF_MESSAGES.first, OF_MESSAGES.last, OF_MESSAGES.since])
        .for_each(|sql| assert_bounded(sql));
}

/// Events 1 to 60, stored a second apart: of two numbers, five conversations
/// and all kinds; some with deliveries to two consumers in each state. Messages
/// likewise.
fn full() -> Database {
    let mut database = Database::in_memory().unwrap();
    let fill = |tx: &Tx<'_>| {
        for id in 1..=5 {
            tx.insert_conversation(["7", "8"][id % 2], &format!("u{id}"))?;
        }
        for id in 1..=60_i64 {
            tx.execute(
                "INSERT INTO event(id, digest, kind, field, type, key, conversation,
                                   received_at, body)
                 VALUES(?1, ?1, ?1 % 4, '', '', '', 1 + ?1 % 5, ?1 * 1000, '{}')",
                params![id],
            )?;
            for (queue, state) in [(1, id % 7), (2, id % 11)] {
                if state < 4 {
                    tx.execute(
                        "INSERT INTO job(queue, lane, event, state) VALUES(?1, 1, ?2, ?3)",
                        params![queue, id, state],
                    )?;
                }
            }
            let states = ["queued", "failed", "read"];
            tx.execute(
                "INSERT INTO outbox(id, number, conversation, recipient, type, body, state,
                                    error_code, created_at, changed_at)
                 VALUES(?1, ?2, 1 + ?1 % 5, '', ?3, '{}', ?4, ?5, ?1 * 1000, 0)",
                params![
                    id,
                    ["7", "8"][id as usize % 2],
                    ["text", "image"][id as usize % 2],
                    states[id as usize % 3],
                    id % 4
                ],
            )?;
        }
        Ok(())
    };
    database.commit(fill).unwrap();
    database
}

/// All pages one after the other have the rows that `expected` picks, each once.
fn check<T>(
    page: impl Fn(i64, usize, usize) -> Found<T>,
    id: impl Fn(&T) -> i64,
    expected: impl Fn(i64) -> bool,
    what: &str,
) {
    let expected: Vec<i64> = (1..=60).rev().filter(|id| expected(*id)).collect();
    for (limit, look) in [(1, 1), (1, 100), (3, 7), (7, 3), (100, 100)] {
        let (mut found, mut from, mut pages) = (Vec::new(), i64::MAX, 0);
        loop {
            let page = page(from, limit, look);
            assert!(page.rows.len() <= limit, "{what}");
            found.extend(page.rows.iter().map(&id));
            pages += 1;
            match page.older {
                Some(older) if pages < 100 => from = older,
                _ => break,
            }
        }
        assert_eq!(found, expected, "{what}, {limit} of {look}");
    }
}

#[test]
fn pages_of_events_have_each_that_the_filter_takes_once() {
    let database = full();
    let all = EventFilter::default();
    let worst = |id: i64, consumer: Option<i64>| {
        let standing = |(queue, state): (i64, i64)| match state {
            _ if consumer.is_some_and(|one| one != queue) => None,
            0 | 1 => Some(InboxState::Pending),
            2 => Some(InboxState::Done),
            3 => Some(InboxState::Dead),
            _ => None,
        };
        [(1, id % 7), (2, id % 11)]
            .into_iter()
            .filter_map(standing)
            .max()
    };
    type Row = (&'static str, EventFilter, Box<dyn Fn(i64) -> bool>);
    let mut rows: Vec<Row> = vec![
        ("all", all.clone(), Box::new(|_| true)),
        (
            "kind",
            EventFilter {
                kind: Some(Kind::Status),
                ..all.clone()
            },
            Box::new(|id| id % 4 == 1),
        ),
        (
            "conversations",
            EventFilter {
                conversations: Some(vec![1, 4]),
                ..all.clone()
            },
            Box::new(|id| id % 5 == 0 || id % 5 == 3),
        ),
        (
            "number",
            EventFilter {
                number: Some("8".into()),
                ..all.clone()
            },
            Box::new(|id| [1, 3, 5].contains(&(1 + id % 5))),
        ),
        (
            "consumer",
            EventFilter {
                consumer: Some(2),
                ..all.clone()
            },
            Box::new(move |id| worst(id, Some(2)).is_some()),
        ),
        (
            "times",
            EventFilter {
                stored: Span {
                    since: Some(10_000),
                    until: Some(20_500),
                },
                ..all.clone()
            },
            Box::new(|id| (10..=20).contains(&id)),
        ),
        (
            "nothing",
            EventFilter {
                number: Some("9".into()),
                ..all.clone()
            },
            Box::new(|_| false),
        ),
    ];
    for state in InboxState::ALL {
        rows.push((
            state.as_str(),
            EventFilter {
                state: Some(state),
                ..all.clone()
            },
            Box::new(move |id| worst(id, None).unwrap_or(InboxState::Done) == state),
        ));
        rows.push((
            state.as_str(),
            EventFilter {
                state: Some(state),
                consumer: Some(1),
                ..all.clone()
            },
            Box::new(move |id| worst(id, Some(1)) == Some(state)),
        ));
    }
    for (what, filter, expected) in rows {
        let page = |from, limit, look| {
            let find = |tx: &Tx<'_>| tx.find_events(&filter, from, limit, look);
            database.read(find).unwrap()
        };
        check(page, |event: &Event| event.id, expected, what);
    }
}

#[test]
fn pages_of_messages_have_each_that_the_filter_takes_once() {
    let database = full();
    let all = MessageFilter::default();
    type Row = (&'static str, MessageFilter, fn(i64) -> bool);
    let rows: [Row; 8] = [
        ("all", all.clone(), |_| true),
        (
            "state",
            MessageFilter {
                state: Some(SendState::Failed),
                ..all.clone()
            },
            |id| id % 3 == 1,
        ),
        (
            "state and number",
            MessageFilter {
                state: Some(SendState::Read),
                number: Some("8".into()),
                ..all.clone()
            },
            |id| id % 6 == 5,
        ),
        (
            "type",
            MessageFilter {
                type_: Some("image".into()),
                ..all.clone()
            },
            |id| id % 2 == 1,
        ),
        (
            "conversations",
            MessageFilter {
                conversations: Some(vec![2]),
                ..all.clone()
            },
            |id| id % 5 == 1,
        ),
        (
            "code and state",
            MessageFilter {
                code: Some(1),
                state: Some(SendState::Queued),
                ..all.clone()
            },
            |id| id % 12 == 9,
        ),
        (
            "times and state",
            MessageFilter {
                state: Some(SendState::Queued),
                queued: Span {
                    since: Some(10_001),
                    until: Some(40_000),
                },
                ..all.clone()
            },
            |id| id % 3 == 0 && (11..40).contains(&id),
        ),
        (
            "nothing",
            MessageFilter {
                state: Some(SendState::Held),
                ..all.clone()
            },
            |_| false,
        ),
    ];
    for (what, filter, expected) in rows {
        let page = |from, limit, look| {
            let find = |tx: &Tx<'_>| tx.find_messages(&filter, from, limit, look);
            database.read(find).unwrap()
        };
        check(page, |message: &Message| message.id, expected, what);
    }
}
