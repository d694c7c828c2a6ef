//! What was said in a conversation, from the newest back.

use super::*;
use crate::gateway::thread::{Cursor, Entry, before, known, thread};
use crate::policy::window::Window;

impl Bench {
    /// A delivery is answered so often; each commit at a time of its own.
    fn answer(&mut self, replies: usize) {
        let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.to_owned(); replies];
        let delivery = self.deliveries().remove(0);
        self.now += 1;
        self.delivered(&delivery, &Outcome::done(replies));
        self.now += 1;
    }

    /// The whole conversation of an event in pages of `size`: `e` and the id of
    /// an event, `m` and that of a message.
    pub(super) fn thread_of(&self, event: EventId, size: usize) -> String {
        let mut said = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.database.read(|tx| {
                let conversation = tx.event(event)?.unwrap().conversation;
                thread(tx, conversation, cursor.as_ref(), size)
            });
            let page = page.unwrap();
            assert!(page.entries.len() == size || page.older.is_none());
            said.extend(page.entries.iter().map(name));
            let Some(older) = page.older else { break };
            cursor = Some(older.to_string().parse().unwrap());
        }
        said.join(" ")
    }

    fn before(&self, event: EventId, limit: usize) -> String {
        let entries = self.database.read(|tx| before(tx, event, limit)).unwrap();
        entries.iter().map(name).collect::<Vec<_>>().join(" ")
    }
}

fn name(entry: &Entry) -> String {
    match entry {
        Entry::Event(event) => format!("e{}", event.id),
        Entry::Message(message) => format!("m{}", message.id),
    }
}

#[test]
fn a_thread_is_what_both_said_and_nothing_of_others() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.answer(2);
    bench.write(BOB, None);
    bench.answer(1);
    bench.write(ANN, None);
    let sending = bench.sends().remove(0);
    bench.status(&sending, "wamid.out", "delivered", true);
    bench.answer(1);
    for size in [1, 2, 3, 50] {
        assert_eq!(
            bench.thread_of(1, size),
            "m4 e3 m2 m1 e1",
            "pages of {size}"
        );
    }
    assert_eq!(bench.thread_of(2, 50), "m3 e2");
}

#[test]
fn read_marks_are_not_said() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    let replies = [
        r#"{"type":"read"}"#,
        r#"{"type":"text","text":{"body":"hi"}}"#,
    ];
    let replies = replies.map(str::to_owned).to_vec();
    bench.delivered(&delivery, &Outcome::done(replies));
    assert_eq!(bench.thread_of(1, 50), "m2 e1");
}

#[test]
fn before_an_event_is_what_came_before_it_and_what_was_answered_since() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.write(ANN, None);
        bench.now += 1;
    }
    bench.answer(1);
    assert_eq!(bench.before(2, 10), "e1 m1");
    assert_eq!(bench.before(2, 1), "m1");
    assert_eq!(bench.before(1, 10), "m1");
    bench.answer(1);
    assert_eq!(bench.before(3, 10), "e1 e2 m1 m2");
    assert_eq!(bench.before(3, 0), "");
    assert_eq!(bench.before(99, 10), "");
}

#[test]
fn joined_conversations_have_one_thread_whoever_was_joined_to_whom() {
    let mut bench = Bench::new();
    let phones = ["15550100011", "15550100012", "15550100013"];
    for phone in phones {
        bench.write(phone, None);
        bench.answer(1);
    }
    // The second is joined to the first, then the third to both, by an id that
    // each has told before.
    for phone in phones {
        bench.write(phone, Some(ANN_BSUID));
        bench.answer(1);
    }
    for size in [1, 3, 50] {
        let whole = "m6 e6 m5 e5 m4 e4 m3 e3 m2 e2 m1 e1";
        assert_eq!(bench.thread_of(2, size), whole, "pages of {size}");
    }
    let known = bench
        .database
        .read(|tx| known(tx, bench.now, 2))
        .unwrap()
        .unwrap();
    assert_eq!(
        (known.number.as_str(), known.user.as_str()),
        (NUMBER, ANN_BSUID)
    );
    assert_eq!(known.ids, [phones[0], phones[1], phones[2], ANN_BSUID]);
    assert!(matches!(
        known.window,
        Window::Open { .. } | Window::Closed { .. }
    ));
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    for text in ["", "e", "x1", "e1.", "e1..m2", "1", "é1", &"e1.".repeat(40)] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
    assert_eq!(
        "e12.e7.m40".parse::<Cursor>().unwrap().to_string(),
        "e12.e7.m40"
    );
}
