//! One person, one conversation: number changes, new BSUIDs, two spellings of a
//! number, and what Graph's answers teach.

use super::*;
use crate::gateway::{Post, Posted};
use crate::policy::window::Window;

/// Ann's next number, and the BSUID she gets with it.
const ANN_NEW: &str = "15550100009";
const ANN_BSUID_NEW: &str = "US.9";
/// Caio's number as Meta writes it, and as his friends do.
const CAIO: &str = "551187654321";
const CAIO_WITH_9: &str = "5511987654321";
const DAY: i64 = 24 * 60 * MINUTE;

fn envelope(field: &str, value: &str) -> String {
    format!(
        r#"{{"entry":[{{"id":"1","changes":[{{"field":"{field}","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},{value}}}}}]}}]}}"#
    )
}

/// Ann has another number; `more` is part of the news.
fn moved(n: u64, more: &str) -> String {
    let value = format!(
        r#""messages":[{{"id":"wamid.moved{n}","from":"{ANN}","type":"system","system":{{"type":"user_changed_number","wa_id":"{ANN_NEW}"{more}}}}}]"#
    );
    envelope("messages", &value)
}

impl Bench {
    fn posts(&mut self, to: &str) -> OutboxId {
        let (gateway, now) = (&self.gateway, self.now);
        let key = match to.starts_with("US.") {
            true => "recipient",
            false => "to",
        };
        let post = Post {
            number: NUMBER.into(),
            body: format!(
                r#"{{"messaging_product":"whatsapp","{key}":"{to}","type":"text","text":{{"body":"hi"}}}}"#
            ),
            idempotency_key: None,
        };
        let posted = self.database.commit(|tx| gateway.post(tx, now, &post));
        match posted.unwrap() {
            Posted::New(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn known(&self, id: &str) -> Option<ConversationId> {
        let look = |tx: &Tx<'_>| super::super::identity::known(tx, NUMBER, id);
        self.database.read(look).unwrap()
    }

    fn check_one(&self, ids: &[&str]) {
        let found: Vec<_> = ids.iter().map(|id| self.known(id)).collect();
        assert!(found[0].is_some(), "{ids:?}");
        assert!(found.iter().all(|id| *id == found[0]), "{ids:?} {found:?}");
    }

    fn named(&self, id: &str) -> String {
        let conversation = self.known(id).unwrap();
        let name = |tx: &Tx<'_>| operator::conversation_name(tx, conversation);
        self.database.read(name).unwrap()
    }
}

#[test]
fn a_new_number_is_the_same_conversation() {
    let mut bench = Bench::new();
    bench.write(ANN, Some(ANN_BSUID));
    bench.receive(&moved(1, &format!(r#","user_id":"{ANN_BSUID_NEW}""#)));
    bench.write(ANN_NEW, Some(ANN_BSUID_NEW));
    // Late, and under the old number.
    bench.write(ANN, None);
    bench.check_one(&[ANN, ANN_BSUID, ANN_NEW, ANN_BSUID_NEW]);
    assert_eq!(bench.named(ANN), format!("{NUMBER}/{ANN_BSUID_NEW}"));
    for event in 1..=4 {
        let delivery = bench.deliveries();
        assert_eq!(events(&delivery), [event]);
        bench.delivered(&delivery[0], &done());
    }
}

#[test]
fn who_wrote_from_the_new_number_first_is_joined_while_both_lanes_work() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(ANN_NEW, None);
    bench.write(ANN_NEW, None);
    let running = bench.deliveries();
    assert_eq!(events(&running), [1, 2], "nobody knows yet");
    bench.receive(&moved(1, ""));
    bench.check_one(&[ANN, ANN_NEW]);
    bench.delivered(&running[1], &done());
    assert!(bench.deliveries().is_empty(), "the first still runs");
    bench.delivered(&running[0], &done());
    for event in [3, 4] {
        let delivery = bench.deliveries();
        assert_eq!(events(&delivery), [event]);
        bench.delivered(&delivery[0], &done());
    }
    // Meta tells it again: nothing happens.
    assert_eq!(bench.receive(&moved(1, "")).duplicates, 1);
    bench.check_one(&[ANN, ANN_NEW]);
}

#[test]
fn a_new_bsuid_is_the_same_conversation() {
    let mut bench = Bench::new();
    bench.write("", Some(ANN_BSUID));
    bench.write("", Some("US.2"));
    let update = format!(
        r#""user_id_update":[{{"user_id":{{"previous":"{ANN_BSUID}","current":"{ANN_BSUID_NEW}"}}}},{{"wa_id":"{BOB}","user_id":{{"previous":"US.2","current":"US.8"}}}}]"#
    );
    bench.receive(&envelope("user_id_update", &update));
    bench.check_one(&[ANN_BSUID, ANN_BSUID_NEW]);
    bench.check_one(&["US.2", "US.8", BOB]);
    assert_ne!(bench.known(ANN_BSUID), bench.known(BOB));
    assert_eq!(bench.named(ANN_BSUID), format!("{NUMBER}/{ANN_BSUID_NEW}"));
}

#[test]
fn a_number_with_two_spellings_is_one_conversation() {
    for (first, second) in [(CAIO, CAIO_WITH_9), (CAIO_WITH_9, CAIO)] {
        let mut bench = Bench::new();
        bench.write(first, None);
        bench.write(second, None);
        bench.check_one(&[CAIO, CAIO_WITH_9, "+55 (11) 98765-4321"]);
        assert_eq!(bench.deliveries().len(), 1);
        let (a, b) = (bench.posts(CAIO), bench.posts("+55 11 98765-4321"));
        let send = bench.sends();
        assert_eq!(send.len(), 1, "one lane");
        assert_eq!(send[0].outbox, a);
        bench.sent(&send[0], &accepted("w1"));
        let send = bench.sends();
        assert_eq!(send[0].outbox, b);
        assert!(
            send[0].body.contains("+55 11 98765-4321"),
            "as it was given"
        );
    }
}

#[test]
fn two_conversations_of_one_number_are_joined_when_it_is_seen_again() {
    let mut bench = Bench::new();
    // As a version that did not know of spellings left it.
    let old = |tx: &Tx<'_>| {
        tx.insert_conversation(NUMBER, CAIO)?;
        tx.insert_conversation(NUMBER, CAIO_WITH_9)
    };
    bench.database.commit(old).unwrap();
    assert_ne!(bench.known(CAIO), bench.known(CAIO_WITH_9));
    bench.write(CAIO_WITH_9, None);
    bench.check_one(&[CAIO, CAIO_WITH_9]);
}

fn named(wa_id: &str, bsuid: Option<&str>) -> Verdict {
    Verdict::Accepted {
        wamid: Some("w1".into()),
        wa_id: (!wa_id.is_empty()).then(|| wa_id.to_owned()),
        user_id: bsuid.map(str::to_owned),
    }
}

#[test]
fn an_answer_of_graph_joins_the_ids_of_whom_it_was_asked_to_write_to() {
    let mut bench = Bench::new();
    bench.write("", Some(ANN_BSUID));
    let delivery = bench.deliveries().remove(0);
    bench.posts(ANN);
    bench.posts(ANN);
    bench.posts(ANN_BSUID);
    let sends = bench.sends();
    assert_eq!(sends.len(), 2, "two lanes, as far as is known");
    bench.sent(&sends[0], &named(ANN, Some(ANN_BSUID)));
    bench.check_one(&[ANN, ANN_BSUID]);
    assert!(bench.sends().is_empty(), "the other lane's still runs");
    bench.sent(&sends[1], &accepted("w2"));
    assert_eq!(bench.sends().len(), 1);
    // What ran in the lane that ended goes on in the one that is left.
    bench.write(ANN, None);
    assert!(bench.deliveries().is_empty());
    bench.delivered(&delivery, &done());
    assert_eq!(events(&bench.deliveries()), [2]);
}

#[test]
fn an_answer_that_names_somebody_else_joins_nobody() {
    for (to, answer) in [
        (BOB, named(ANN, None)),
        (BOB, named(ANN, Some(ANN_BSUID))),
        ("US.2", named(ANN, Some(ANN_BSUID))),
        ("Z3JvdXA=", named(ANN, Some(ANN_BSUID))),
    ] {
        let mut bench = Bench::new();
        bench.write(ANN, Some(ANN_BSUID));
        bench.posts(to);
        let send = bench.sends().remove(0);
        bench.sent(&send, &answer);
        assert_ne!(bench.known(to), bench.known(ANN), "{to}");
        assert_ne!(bench.known(to), bench.known(ANN_BSUID), "{to}");
    }
    // Argentina: the 9 is there or not, and Graph knows.
    let mut bench = Bench::new();
    bench.posts("541123456789");
    let send = bench.sends().remove(0);
    bench.sent(&send, &named("5491123456789", None));
    bench.check_one(&["541123456789", "5491123456789"]);
}

#[test]
fn who_may_have_written_under_an_id_we_cannot_link_is_left_to_graph() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(BOB, Some("US.2"));
    let closed = |bench: &Bench, user: &str| {
        let window = |tx: &Tx<'_>| operator::window(tx, bench.now, NUMBER, user);
        matches!(bench.database.read(window).unwrap(), Window::Closed { .. })
    };
    let start = i64::from(u32::try_from(Sample::default().timestamp).unwrap()) * 1_000;
    bench.now = start + 30 * DAY - 1;
    assert!(closed(&bench, ANN) && closed(&bench, BOB));
    let (ann, bob) = (bench.posts(ANN), bench.posts(BOB));
    assert_eq!(bench.outbox(ann).0, SendState::Failed);
    assert_eq!(bench.outbox(bob).0, SendState::Failed);
    // Ann may have a user name by now, and have written without her number.
    bench.now = start + 30 * DAY;
    bench.write("", Some(ANN_BSUID));
    assert!(!closed(&bench, ANN) && closed(&bench, BOB));
    let (ann, bob) = (bench.posts(ANN), bench.posts(BOB));
    assert_eq!(bench.outbox(ann).0, SendState::Queued);
    assert_eq!(bench.outbox(bob).0, SendState::Failed);
}
