//! Conversations in a person's hands.

use super::*;
use crate::gateway::{Post, Posted, handover};
use crate::policy::handover::By;

const HOUR: i64 = 60 * MINUTE;
const TEXT: &str = r#"{"type":"text","text":{"body":"hi"}}"#;

impl Bench {
    fn takes_over(&mut self, user: &str) {
        let now = self.now;
        let step = |tx: &Tx<'_>| handover::take(tx, now, NUMBER, user, now + HOUR);
        assert!(self.database.commit(step).unwrap().is_some(), "{user}");
    }

    fn gives(&mut self, user: &str) {
        let now = self.now;
        let step = |tx: &Tx<'_>| handover::give(tx, now, NUMBER, user);
        assert!(self.database.commit(step).unwrap().is_some(), "{user}");
    }

    /// The owner answered from the phone, so long ago.
    fn answers(&mut self, to: &str, wamid: &str, ago_ms: i64) -> Received {
        let at = (self.now - ago_ms) / 1_000;
        let body = format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"smb_message_echoes","value":{{"metadata":{{"display_phone_number":"15550109000","phone_number_id":"{NUMBER}"}},"message_echoes":[{{"from":"15550109000","to":"{to}","id":"{wamid}","timestamp":"{at}","type":"text","text":{{"body":"x"}}}}]}}}}]}}]}}"#
        );
        self.receive(&body)
    }

    fn held_by(&self, user: &str) -> Option<By> {
        let hands = |tx: &Tx<'_>| handover::hands(tx, NUMBER, user);
        let hands = self.database.read(hands).unwrap().unwrap_or_default();
        hands.taken_at(self.now).map(|taken| taken.by)
    }

    /// (state, what is said of it) of an event's only delivery.
    fn inbox(&self, event: EventId) -> (inbox::InboxState, String) {
        let row = |tx: &Tx<'_>| inbox::event(tx, event);
        let row = self.database.read(row).unwrap().unwrap();
        (row.state, row.error.unwrap_or_default())
    }

    fn answered(&mut self, delivery: &Delivery, effects: Vec<Effect>) {
        let replies = vec![TEXT.to_owned()];
        self.delivered(delivery, &Outcome::Done { replies, effects });
    }
}

#[test]
fn where_a_person_has_taken_over_a_word_about_marketing_is_kept_and_nothing_else() {
    let mut bench = Bench::new();
    let ears = Ears::new(|envelope, facts, now| {
        assert!(envelope.contains("wamid.") && !facts.marketing_stopped);
        let until = now + HOUR;
        let rule = "rule".into();
        vec![
            Effect::Rest { rule, until },
            Effect::HandOver,
            Effect::StopMarketing,
        ]
    });
    bench.gateway = bench.gateway.clone().with_ears(Some(ears));
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    assert!(!first.facts.marketing_stopped, "the bot is asked itself");
    bench.delivered(&first, &done());
    bench.takes_over(ANN);
    bench.now += HOUR / 2;
    bench.write(ANN, None);
    assert!(bench.deliveries().is_empty());
    assert!(bench.inbox(2).1.starts_with("skipped: "));
    bench.now += HOUR / 2;
    bench.gateway = bench.gateway.clone().with_ears(None);
    bench.write(ANN, None);
    let after = bench.deliveries().remove(0);
    assert!(after.facts.marketing_stopped);
    assert!(after.facts.resting.is_empty());
}

#[test]
fn what_is_wanted_of_a_person_does_nothing_to_an_account() {
    let mut bench = Bench::new();
    bench.gateway.wants = Wants::All;
    let news = sample::notification("template-status", &Sample::default()).unwrap();
    bench.receive(&news);
    let delivery = bench.deliveries().remove(0);
    bench.answered(&delivery, vec![Effect::HandOver, Effect::StopMarketing]);
    let (held, count) = bench.database.read(|tx| handover::held(tx, 0)).unwrap();
    assert_eq!((held.len(), count), (0, 0));
}

#[test]
fn the_bot_gets_nothing_of_a_conversation_that_is_taken_and_others_go_on() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(BOB, None);
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &done());
    }
    bench.takes_over(ANN);
    for from in [ANN, BOB, ANN] {
        bench.write(from, None);
    }
    assert_eq!(events(&bench.deliveries()), [4]);
    for skipped in [3, 5] {
        let (state, said) = bench.inbox(skipped);
        assert_eq!(state, inbox::InboxState::Done);
        assert_eq!(said, "skipped: the conversation is taken over (operator)");
    }
    // Not handed over later, unless an operator wants it.
    bench.gives(ANN);
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    assert_eq!(delivery.event, 6);
    bench.delivered(&delivery, &done());
    let replayed = bench.database.commit(|tx| inbox::replay(tx, 0, 3));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    assert_eq!(events(&bench.deliveries()), [3]);
}

#[test]
fn it_is_decided_when_the_turn_comes_and_not_at_the_arrival() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write(ANN, None);
    let first = bench.deliveries().remove(0);
    bench.takes_over(ANN);
    bench.delivered(&first, &later(0, false));
    bench.now += MINUTE;
    assert!(bench.deliveries().is_empty(), "both came before");
    assert!(bench.inbox(1).1.starts_with("skipped"));
    // What came just before the end and has its turn after it is the bot's.
    bench.takes_over(ANN);
    bench.write(ANN, None);
    bench.now += HOUR;
    assert_eq!(events(&bench.deliveries()), [3]);
}

#[test]
fn what_the_bot_said_before_goes_out_and_what_it_says_too_late_does_not() {
    let mut bench = Bench::new();
    bench.queue(ANN, 2);
    bench.write(ANN, None);
    let thinking = bench.deliveries().remove(0);
    bench.takes_over(ANN);
    bench.answered(&thinking, Vec::new());
    let said = "its replies were not sent: the conversation is taken over (operator)";
    assert_eq!(
        bench.inbox(thinking.event),
        (inbox::InboxState::Done, said.into())
    );
    for sent in 1..=2 {
        let send = bench.sends().remove(0);
        bench.sent(&send, &accepted(&format!("w{sent}")));
    }
    assert!(bench.sends().is_empty());
    // Other programs know what they do.
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    let body = format!(
        r#"{{"messaging_product":"whatsapp","to":"{ANN}","type":"text","text":{{"body":"x"}}}}"#
    );
    let post = Post {
        number: NUMBER.into(),
        body,
        idempotency_key: None,
    };
    let posted = bench.database.commit(|tx| gateway.post(tx, now, &post));
    assert!(matches!(posted.unwrap(), Posted::New(_)));
    assert_eq!(bench.sends().len(), 1);
}

#[test]
fn an_answer_from_the_phone_takes_it_and_each_further_one_renews_it() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    bench.answers(ANN, "w1", 0);
    assert_eq!(bench.held_by(ANN), Some(By::Phone));
    bench.now += HOUR - 1;
    bench.answers(ANN, "w2", 0);
    bench.now += HOUR - 2_000;
    assert_eq!(bench.held_by(ANN), Some(By::Phone));
    bench.now += 2_000;
    assert_eq!(bench.held_by(ANN), None);
    bench.write(ANN, None);
    assert_eq!(bench.deliveries().len(), 1);
    // Told hours late.
    bench.answers(ANN, "w3", HOUR);
    assert_eq!(bench.held_by(ANN), None);
    assert_eq!(bench.held_by(BOB), None);
}

#[test]
fn meta_telling_again_what_was_given_back_takes_nothing() {
    let mut bench = Bench::new();
    bench.answers(ANN, "w1", 0);
    bench.now += MINUTE;
    bench.gives(ANN);
    assert_eq!(bench.held_by(ANN), None);
    bench.now += 1_000;
    assert_eq!(bench.answers(ANN, "w1", MINUTE + 1_000).duplicates, 1);
    bench.answers(ANN, "w2", 2_000);
    assert_eq!(bench.held_by(ANN), None);
    bench.answers(ANN, "w3", 0);
    assert_eq!(bench.held_by(ANN), Some(By::Phone));
}

#[test]
fn an_echo_of_what_we_sent_takes_nothing() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let send = bench.sends().remove(0);
    bench.sent(&send, &accepted("w1"));
    bench.answers(ANN, "w1", 0);
    assert_eq!(bench.held_by(ANN), None);
}

/// The message went by another id by then, and the bot was silenced by its own words.
#[test]
fn an_echo_of_what_failed_and_was_sent_again_takes_nothing() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    for wamid in ["w1", "w2"] {
        let send = bench.sends().remove(0);
        bench.sent(&send, &accepted(wamid));
        bench.status(&send, wamid, "failed", true);
        let retry = |tx: &Tx<'_>| outbox::retry(tx, 0, send.outbox);
        let retried = bench.database.commit(retry).unwrap();
        assert_eq!(retried, outbox::Steered::Done);
    }
    for wamid in ["w1", "w2"] {
        bench.answers(ANN, wamid, 0);
        assert_eq!(bench.held_by(ANN), None, "{wamid}");
    }
}

#[test]
fn the_bot_hands_over_with_an_answer_and_in_one_commit() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    let outcome = Outcome::Done {
        replies: vec![TEXT.into()],
        effects: vec![Effect::HandOver],
    };
    let (gateway, now) = (bench.gateway.clone(), bench.now);
    let crashed = bench.database.commit(|tx| {
        gateway.finish_delivery(tx, now, delivery.job, delivery.attempt, &outcome, 0.0)?;
        Err::<(), _>(crate::store::StoreError::Full)
    });
    assert!(crashed.is_err());
    assert_eq!(bench.held_by(ANN), None);
    bench.delivered(&delivery, &outcome);
    assert_eq!(bench.held_by(ANN), Some(By::Bot));
    assert_eq!(bench.sends().len(), 1, "the answer goes out");
    bench.restart("token");
    bench.write(ANN, None);
    assert!(bench.deliveries().is_empty(), "also after a restart");
    let held = bench.database.read(|tx| handover::held(tx, now)).unwrap();
    assert_eq!(
        (held.1, held.0[0].conversation.as_str()),
        (1, "106540300000001/15550100001")
    );
}

#[test]
fn a_person_is_in_one_hand_under_all_their_ids() {
    let mut bench = Bench::new();
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    for delivery in bench.deliveries() {
        bench.delivered(&delivery, &done());
    }
    bench.takes_over(ANN_BSUID);
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    assert_eq!(delivery.event, 3, "nobody knows yet");
    bench.write(ANN, Some(ANN_BSUID));
    bench.answered(&delivery, Vec::new());
    assert!(bench.sends().is_empty(), "it is known now");
    assert!(bench.deliveries().is_empty());
    assert!(bench.inbox(4).1.starts_with("skipped"));
    let held = bench.database.read(|tx| handover::held(tx, bench.now));
    assert_eq!(held.unwrap().1, 1);
}

#[test]
fn a_bot_that_wants_all_still_gets_statuses() {
    let mut bench = Bench::new();
    let (limits, tokens) = (bench.limits.clone(), Tokens::default());
    let all = |tx: &Tx<'_>| Gateway::open(tx, limits, Wants::All, &tokens);
    bench.gateway = bench.database.commit(all).unwrap();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    bench.takes_over(ANN);
    bench.write(ANN, None);
    let sending = Sending {
        job: 0,
        attempt: 1,
        outbox: 99,
        cause: None,
        number: NUMBER.into(),
        start_at: 0,
        resent: false,
        body: String::new(),
    };
    bench.status(&sending, "w9", "delivered", false);
    let delivery = bench.deliveries();
    assert_eq!(events(&delivery), [3]);
    bench.answered(&delivery[0], Vec::new());
    let (_, said) = bench.inbox(3);
    assert!(said.starts_with("its replies were not sent"), "{said}");
}

#[test]
fn observers_get_what_the_bot_does_not() {
    let observer = crate::config::ObserverLimits {
        name: "crm".into(),
        selection: crate::config::Selection::all(),
        concurrency: 2,
        age_max_ms: HOUR,
    };
    let mut bench = Bench::with(Limits {
        observers: vec![observer],
        ..Limits::default()
    });
    bench.answers(ANN, "w1", 0);
    bench.write(ANN, None);
    for event in [1, 2] {
        let deliveries = bench.deliveries();
        let handed: Vec<_> = deliveries.iter().map(|d| (d.consumer(), d.event)).collect();
        assert_eq!(handed, [("crm", event)]);
        bench.delivered(&deliveries[0], &done());
    }
}
