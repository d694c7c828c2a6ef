//! All conversations, by their last word or found by name.

use super::*;
use crate::gateway::conversations::{self, Cursor, Row, Standing};
use crate::gateway::found::{self, Wanted};
use crate::gateway::inbox::InboxState;
use crate::gateway::{handover, thread};
use crate::policy::search::Search;
use crate::wire::sample::mix;

impl Bench {
    /// All of them in pages of `limit`, looking `look` rows far for each.
    fn listed(&self, limit: usize, look: i64) -> Vec<ConversationId> {
        let (mut ids, mut from) = (Vec::new(), None::<Cursor>);
        for _ in 0..10_000 {
            let list =
                |tx: &Tx<'_>| conversations::list_within(tx, self.now, None, from, (limit, look));
            let page = self.database.read(list).unwrap();
            assert!(page.rows.len() <= limit);
            ids.extend(page.rows.iter().map(|row| row.id));
            match page.older {
                Some(older) => from = Some(older.to_string().parse().unwrap()),
                None => return ids,
            }
        }
        panic!("the pages have no end");
    }

    fn row(&self, id: ConversationId) -> Row {
        let row = |tx: &Tx<'_>| conversations::row(tx, self.now, id);
        self.database.read(row).unwrap().unwrap()
    }

    fn found(&self, typed: &str) -> Vec<String> {
        let wanted = Wanted {
            search: Search::read(typed),
            ..Wanted::default()
        };
        self.finds(&wanted, 0, 50).0
    }

    /// The people on a page of what is found, and how many there are.
    fn finds(&self, wanted: &Wanted, skip: usize, limit: usize) -> (Vec<String>, usize) {
        let find = |tx: &Tx<'_>| found::find(tx, self.now, wanted, skip, limit);
        let found = self.database.read(find).unwrap();
        let users = found.rows.into_iter().map(|row| row.user);
        (users.collect(), found.all)
    }
}

/// Some people write by one id or another, some turn out to be one, some are
/// answered; the list is what looking at each conversation gives.
#[test]
fn the_list_is_in_the_order_of_last_words_whatever_the_pages() {
    for seed in 0..6 {
        let mut bench = Bench::fast();
        let mut random = seed * 1_000;
        let mut luck = |below: u64| {
            random += 1;
            mix(random) % below
        };
        for _ in 0..80 {
            bench.now += luck(3) as i64;
            let person = luck(9);
            let (phone, bsuid) = (format!("1555010000{person}"), format!("US.{person}"));
            match luck(6) {
                0 => bench.write("", Some(&bsuid)),
                1 => bench.write(&phone, Some(&bsuid)),
                _ => bench.write(&phone, None),
            };
            for delivery in bench.deliveries() {
                let replies =
                    vec![r#"{"type":"text","text":{"body":"hi"}}"#.into(); luck(3) as usize];
                bench.delivered(&delivery, &Outcome::done(replies));
            }
        }
        let all = bench.database.read(|tx| {
            let mut all = Vec::new();
            for id in 1..=30 {
                if let Some((_, _, None)) = tx.conversation_names(id)? {
                    let last = thread::thread(tx, id, None, 1)?.entries.pop().unwrap();
                    let is_message = matches!(last, thread::Entry::Message(_));
                    let row = match &last {
                        thread::Entry::Event(event) => event.id,
                        thread::Entry::Message(message) => message.id,
                    };
                    all.push(((last.at(), is_message, row), id));
                }
            }
            Ok(all)
        });
        let mut all = all.unwrap();
        all.sort();
        let expected: Vec<ConversationId> = all.into_iter().rev().map(|(_, id)| id).collect();
        assert!(expected.len() > 5);
        for (limit, look) in [
            (1, 20_000),
            (3, 20_000),
            (50, 20_000),
            (2, 7),
            (50, 1),
            (1, 1),
        ] {
            let listed = bench.listed(limit, look);
            assert_eq!(listed, expected, "seed {seed}: {limit} in {look}");
        }
    }
}

#[test]
fn a_row_tells_what_became_of_the_last_word_and_in_whose_hands_it_is() {
    let mut bench = Bench::fast();
    bench.write(ANN, None);
    let pending = Standing::Theirs(InboxState::Pending);
    assert_eq!(bench.row(1).standing, pending);
    assert_eq!(
        (bench.row(1).number.as_str(), bench.row(1).user.as_str()),
        (NUMBER, ANN)
    );
    let delivery = bench.deliveries().remove(0);
    assert_eq!(bench.row(1).standing, pending);
    let dead = Outcome::Dead {
        reason: "no".into(),
    };
    bench.delivered(&delivery, &dead);
    assert_eq!(bench.row(1).standing, Standing::Theirs(InboxState::Dead));
    bench.queue(ANN, 1);
    assert_eq!(bench.row(1).standing, Standing::Ours(SendState::Queued));
    let sending = bench.sends().remove(0);
    bench.sent(&sending, &accepted("wamid.out"));
    assert_eq!(bench.row(1).standing, Standing::Ours(SendState::Accepted));
    assert!(bench.row(1).taken.is_none());
    let until = bench.now + MINUTE;
    let take = |tx: &Tx<'_>| handover::take(tx, until - MINUTE, NUMBER, ANN, until);
    bench.database.commit(take).unwrap();
    assert_eq!(bench.row(1).taken.map(|taken| taken.until), Some(until));
    let taken = |bench: &Bench| {
        let wanted = Wanted {
            taken: true,
            ..Wanted::default()
        };
        bench.finds(&wanted, 0, 9).1
    };
    assert_eq!(taken(&bench), 1);
    bench.now = until;
    assert_eq!(taken(&bench), 0);
    assert!(bench.row(1).taken.is_none());
}

#[test]
fn only_conversations_of_the_number_that_is_asked_for_are_listed() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let listed = |number: &str| {
        let list = |tx: &Tx<'_>| conversations::list(tx, bench.now, Some(number), None, 9);
        bench.database.read(list).unwrap().rows.len()
    };
    assert_eq!((listed(NUMBER), listed("1")), (1, 0));
}

#[test]
fn people_are_found_by_their_ids_and_names() {
    let mut bench = Bench::new();
    for (phone, bsuid, name) in [
        (ANN, Some(ANN_BSUID), "Ana Silva"),
        (BOB, None, "Bob <b>"),
        ("4915100000001", None, "Ana Costa"),
    ] {
        bench.messages += 1;
        let sample = Sample {
            number: NUMBER,
            from: phone,
            user_id: bsuid,
            name,
            id: &format!("wamid.{}", bench.messages),
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        bench.receive(&body);
        bench.now += 1;
    }
    bench.learn();
    let (ana, bob, costa) = (ANN_BSUID, BOB, "4915100000001");
    for (typed, expected) in [
        ("ana", &[costa, ana][..]),
        ("Silva a", &[ana]),
        ("ana x", &[]),
        ("b", &[bob]),
        ("+1 555 010", &[bob, ana]),
        ("us.1", &[ana]),
        ("4915", &[costa]),
        ("99999", &[]),
        ("", &[]),
    ] {
        assert_eq!(bench.found(typed), expected, "{typed}");
    }
}

#[test]
fn what_is_found_is_narrowed_and_comes_a_page_at_a_time() {
    let mut bench = Bench::new();
    for n in 0..5 {
        bench.write(&format!("1555010000{n}"), None);
        bench.now += 1;
    }
    bench.write("15550100001", None);
    let until = bench.now + MINUTE;
    for user in ["15550100003", "15550100002"] {
        let now = bench.now;
        let take = |tx: &Tx<'_>| handover::take(tx, now, NUMBER, user, until);
        bench.database.commit(take).unwrap();
    }
    let check = |typed: &str, taken, number: Option<&str>, page: (usize, usize), expected: &str| {
        let wanted = Wanted {
            search: Search::read(typed),
            taken,
            number: number.map(str::to_owned),
        };
        let (users, all) = bench.finds(&wanted, page.0, page.1);
        let last: Vec<&str> = users.iter().map(|user| &user[10..]).collect();
        let found = format!("{} of {all}", last.join(" "));
        assert_eq!(found, expected, "{typed:?} {taken} {number:?} {page:?}");
    };
    check("1555", false, None, (0, 50), "1 4 3 2 0 of 5");
    check("1555", false, None, (0, 2), "1 4 of 5");
    check("1555", false, None, (2, 2), "3 2 of 5");
    check("1555", false, None, (4, 2), "0 of 5");
    check("1555", false, None, (6, 2), " of 5");
    check("1555", false, Some(NUMBER), (0, 50), "1 4 3 2 0 of 5");
    check("1555", false, Some("1"), (0, 50), " of 0");
    check("1555", true, None, (0, 50), "3 2 of 2");
    check("", true, None, (0, 1), "2 of 2");
    check("", true, None, (1, 9), "3 of 2");
    check("", true, Some("1"), (0, 9), " of 0");
    check("", false, None, (0, 9), " of 0");
}
