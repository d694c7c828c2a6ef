//! What may be sent to a person when, and what waits for a file.

use super::*;
use crate::gateway::{Post, Posted};
use crate::policy::window::{Kind, Window};
use crate::wire::substitute::Substitute;

const HOUR: i64 = 60 * MINUTE;
const TEXT: &str =
    r#"{"messaging_product":"whatsapp","to":"15550100001","type":"text","text":{"body":"hi"}}"#;
const TEMPLATE: &str = r#"{"messaging_product":"whatsapp","to":"15550100001","type":"template","template":{"name":"n","language":{"code":"en"}}}"#;
const IMAGE: &str =
    r#"{"messaging_product":"whatsapp","to":"15550100001","type":"image","image":{"id":"1"}}"#;

fn with_template(setting: &str) -> Bench {
    Bench::with(Limits {
        window_template: Some(Substitute::parse(setting).unwrap()),
        ..Limits::default()
    })
}

fn in_order() -> Bench {
    Bench::with(Limits {
        media_order_wait_ms: Some(5_000),
        ..Limits::default()
    })
}

impl Bench {
    /// Ann writes at this time of Meta's; `more` is part of the message.
    fn hears(&mut self, at: i64, more: &str) {
        self.messages += 1;
        let (n, at) = (self.messages, at / 1_000);
        let body = format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},"messages":[{{"id":"wamid.{n}","from":"{ANN}","timestamp":"{at}","type":"text","text":{{"body":"x"}}{more}}}]}}}}]}}]}}"#
        );
        self.receive(&body);
    }

    fn takes(&mut self, body: &str) -> OutboxId {
        let (gateway, now) = (&self.gateway, self.now);
        let post = Post {
            number: NUMBER.into(),
            body: body.into(),
            idempotency_key: None,
        };
        let posted = self.database.commit(|tx| gateway.post(tx, now, &post));
        match posted.unwrap() {
            Posted::New(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn message(&self, id: OutboxId) -> Message {
        self.database.read(|tx| tx.message(id)).unwrap().unwrap()
    }

    fn window(&self) -> Window {
        let look = |tx: &Tx<'_>| operator::window(tx, self.now, NUMBER, "+1 555 010-0001");
        self.database.read(look).unwrap()
    }
}

fn check_refused(bench: &Bench, id: OutboxId) {
    let message = bench.message(id);
    assert_eq!(
        (message.state, message.error_code),
        (SendState::Failed, Some(131_047))
    );
    assert!(message.error.unwrap().contains("send a template"));
}

#[test]
fn after_24_hours_only_templates_go_out_and_the_refusal_comes_at_once() {
    let mut bench = Bench::new();
    bench.hears(bench.now, "");
    let start = bench.now;
    bench.now = start + 24 * HOUR - 10_001;
    let in_time = bench.takes(TEXT);
    assert_eq!(bench.outbox(in_time).0, SendState::Queued);
    let send = bench.sends().remove(0);
    bench.sent(&send, &accepted("w1"));
    bench.now = start + 24 * HOUR - 10_000;
    let late = bench.takes(TEXT);
    check_refused(&bench, late);
    let template = bench.takes(TEMPLATE);
    let sends = bench.sends();
    assert_eq!((sends.len(), sends[0].outbox), (1, template));
    // An operator has it sent after all, once the person has written again.
    bench.sent(&sends[0], &accepted("w2"));
    bench.hears(bench.now, "");
    let now = bench.now;
    let again = bench.database.commit(|tx| outbox::retry(tx, now, late));
    assert_eq!(again.unwrap(), outbox::Steered::Done);
    assert_eq!(bench.sends()[0].outbox, late);
}

#[test]
fn who_was_never_seen_is_left_to_graph() {
    let mut bench = Bench::new();
    assert_eq!(bench.window(), Window::Unknown);
    let id = bench.takes(TEXT);
    assert_eq!(bench.sends()[0].outbox, id);
}

#[test]
fn a_window_that_closes_before_its_turn_refuses_then_and_the_lane_goes_on() {
    let mut bench = Bench::new();
    bench.hears(bench.now, "");
    bench.now += 23 * HOUR;
    let (first, second) = (bench.takes(TEXT), bench.takes(TEXT));
    let template = bench.takes(TEMPLATE);
    let send = bench.sends().remove(0);
    assert_eq!(send.outbox, first);
    // Put off for two hours.
    bench.sent(&send, &error(131_056, Some(7_200)));
    bench.now += 2 * HOUR;
    assert_eq!(bench.sends()[0].outbox, template);
    check_refused(&bench, first);
    check_refused(&bench, second);
}

#[test]
fn replies_of_an_app_are_refused_as_a_callers_posts_are() {
    let mut bench = Bench::new();
    // Meta brings the message a day and an hour late.
    bench.hears(bench.now - 25 * HOUR, "");
    let delivery = bench.deliveries().remove(0);
    let replies = vec![TEXT.into(), r#"{"type":"read"}"#.into(), TEMPLATE.into()];
    bench.delivered(&delivery, &Outcome::done(replies));
    check_refused(&bench, 1);
    let send = bench.sends().remove(0);
    assert_eq!(send.outbox, 2, "a read mark needs no window");
    bench.sent(&send, &graph(200, r#"{"success":true}"#, None));
    assert_eq!(bench.sends()[0].outbox, 3);
}

#[test]
fn a_late_or_repeated_event_shortens_nothing() {
    let mut bench = Bench::new();
    let start = bench.now;
    bench.hears(start, "");
    bench.now += HOUR;
    bench.hears(start - 20 * HOUR, "");
    bench.messages = 0;
    bench.hears(start - 23 * HOUR, "");
    let until = start + 24 * HOUR - 10_000;
    let kind = Kind::CustomerService;
    assert_eq!(bench.window(), Window::Open { until, kind });
}

#[test]
fn one_persons_ids_share_a_window() {
    let mut bench = Bench::new();
    let start = bench.now;
    bench.hears(start - 30 * HOUR, "");
    bench.write("", Some(ANN_BSUID));
    assert!(matches!(bench.window(), Window::Closed { .. }));
    // Both ids in one notification: one person, who wrote just now.
    bench.now += 23 * HOUR;
    bench.write(ANN, Some(ANN_BSUID));
    assert!(matches!(bench.window(), Window::Open { .. }));
}

#[test]
fn a_groups_window_is_left_to_graph() {
    let mut bench = Bench::new();
    bench.hears(bench.now - 30 * HOUR, r#","group_id":"G==""#);
    let body = TEXT
        .replace(ANN, "G==")
        .replace("\"to\"", r#""recipient_type":"group","to""#);
    let id = bench.takes(&body);
    assert_eq!(bench.sends()[0].outbox, id);
}

#[test]
fn whoever_came_by_an_ad_and_was_answered_can_be_written_to_for_72_hours() {
    let ad = r#","referral":{"source_type":"ad","ctwa_clid":"x"}"#;
    for answered in [true, false] {
        let mut bench = Bench::new();
        bench.hears(bench.now, ad);
        let start = bench.now;
        if answered {
            bench.takes(TEMPLATE);
            let send = bench.sends().remove(0);
            bench.sent(&send, &accepted("w1"));
        }
        bench.now = start + 71 * HOUR;
        let id = bench.takes(TEXT);
        match answered {
            true => assert_eq!(bench.sends()[0].outbox, id),
            false => check_refused(&bench, id),
        }
    }
}

#[test]
fn an_answer_that_only_its_status_proves_counts_as_one() {
    let mut bench = Bench::new();
    bench.hears(bench.now, r#","referral":{"source_type":"ad"}"#);
    bench.takes(TEXT);
    let send = bench.sends().remove(0);
    bench.sent(&send, &lost());
    bench.status(&send, "w1", "sent", true);
    bench.now += 60 * HOUR;
    assert!(matches!(bench.window(), Window::Open { .. }));
}

#[test]
fn the_template_goes_out_in_the_messages_place_and_the_row_keeps_both() {
    let mut bench = with_template("news/en_US/text");
    bench.hears(bench.now - 30 * HOUR, "");
    let id = bench.takes(TEXT);
    let send = bench.sends().remove(0);
    assert_eq!(send.outbox, id);
    let body: serde_json::Value = serde_json::from_str(&send.body).unwrap();
    assert_eq!(body["template"]["name"], "news");
    assert_eq!(
        body["template"]["components"][0]["parameters"][0]["text"],
        "hi"
    );
    assert!(body["biz_opaque_callback_data"].is_string());
    bench.sent(&send, &accepted("w1"));
    let message = bench.message(id);
    assert_eq!(
        (message.body.as_str(), message.state),
        (TEXT, SendState::Accepted)
    );
    assert!(message.substitute.unwrap().contains("\"news\""));
    let image = bench.takes(IMAGE);
    check_refused(&bench, image);
}

#[test]
fn the_message_itself_goes_out_when_the_person_has_written_meanwhile() {
    let mut bench = with_template("news/en_US");
    bench.hears(bench.now - 30 * HOUR, "");
    let id = bench.takes(TEXT);
    let send = bench.sends().remove(0);
    assert!(send.body.contains("\"news\""));
    bench.sent(&send, &error(131_056, None));
    bench.now += MINUTE;
    bench.hears(bench.now, "");
    let send = bench.sends().remove(0);
    assert!(!send.body.contains("\"news\""), "{}", send.body);
    assert_eq!(bench.message(id).substitute, None);
}

#[test]
fn what_may_have_gone_out_goes_out_again_as_it_was() {
    let mut bench = with_template("news/en_US");
    bench.hears(bench.now - 30 * HOUR, "");
    bench.takes(TEXT);
    let send = bench.sends().remove(0);
    bench.sent(&send, &lost());
    bench.hears(bench.now, "");
    bench.now += bench.limits.reconcile_window_ms;
    assert!(bench.sends()[0].body.contains("\"news\""));
}

#[test]
fn what_follows_a_file_waits_for_its_status_and_no_longer_than_that() {
    let rows: [(&[&str], bool); 5] = [
        (&["sent"], true),
        (&["delivered"], true),
        (&["failed"], true),
        (&["warning"], false),
        (&[], false),
    ];
    for (words, goes) in rows {
        for restart in [false, true] {
            let mut bench = in_order();
            bench.takes(IMAGE);
            let next = bench.takes(TEXT);
            let send = bench.sends().remove(0);
            assert_eq!(bench.sent(&send, &accepted("w1")), Sent::Ended);
            bench.now += 1_000;
            assert_eq!(
                bench.claim(QueueKind::Send).next_due,
                Some(bench.now + 4_000)
            );
            if restart {
                bench.restart("token");
            }
            for word in words {
                let received = bench.status(&send, "w1", word, true);
                assert_eq!(received.to_send, goes, "{word}");
            }
            assert_eq!(bench.sends().len(), usize::from(goes), "{words:?}");
            if !goes {
                bench.now += 3_999;
                assert!(bench.sends().is_empty(), "{words:?}");
                bench.now += 1;
                assert_eq!(bench.sends()[0].outbox, next, "{words:?}");
            }
        }
    }
}

#[test]
fn a_status_that_beats_graphs_answer_ends_the_wait_for_a_file() {
    for marked in [true, false] {
        let mut bench = in_order();
        bench.takes(IMAGE);
        let next = bench.takes(TEXT);
        let send = bench.sends().remove(0);
        bench.status(&send, "w1", "sent", marked);
        bench.sent(&send, &accepted("w1"));
        assert_eq!(bench.sends()[0].outbox, next, "marked: {marked}");
    }
}

#[test]
fn a_file_holds_up_nobody_else_and_text_holds_up_nobody() {
    let mut bench = in_order();
    bench.takes(IMAGE);
    bench.takes(IMAGE);
    bench.takes(&TEXT.replace(ANN, BOB));
    bench.takes(&TEXT.replace(ANN, BOB));
    let sends = bench.sends();
    assert_eq!(sends.len(), 2);
    bench.sent(&sends[0], &accepted("w1"));
    bench.sent(&sends[1], &accepted("w2"));
    let next = bench.sends();
    assert_eq!((next.len(), next[0].outbox), (1, 4));
}

#[test]
fn files_wait_for_nothing_when_that_is_not_asked_for() {
    let mut bench = Bench::new();
    bench.takes(IMAGE);
    let next = bench.takes(TEXT);
    let send = bench.sends().remove(0);
    bench.sent(&send, &accepted("w1"));
    assert_eq!(bench.sends()[0].outbox, next);
}
