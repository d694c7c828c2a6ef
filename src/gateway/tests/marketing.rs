//! Who wants no marketing gets none, and everything else.

use super::*;
use crate::gateway::Post;
use crate::gateway::Posted;

const TEXT: &str = r#"{"type":"text","text":{"body":"hi"},"to":"15550100001"}"#;

fn template(name: &str, to: &str) -> String {
    format!(
        r#"{{"to":"{to}","type":"template","template":{{"name":"{name}","language":{{"code":"en"}}}}}}"#
    )
}

impl Bench {
    /// Ann writes, and this is remembered of her.
    fn wishes(&mut self, effect: Effect) {
        self.write(ANN, None);
        let delivery = self.deliveries().remove(0);
        let effects = vec![effect];
        let replies = Vec::new();
        self.delivered(&delivery, &Outcome::Done { replies, effects });
    }

    /// A caller's message; `None` when it is queued, else the code it is refused with.
    fn refusal(&mut self, body: &str) -> Option<i64> {
        let (gateway, now) = (&self.gateway, self.now);
        let post = Post {
            number: NUMBER.into(),
            body: body.into(),
            idempotency_key: None,
        };
        let posted = self.database.commit(|tx| gateway.post(tx, now, &post));
        let Posted::New(id) = posted.unwrap() else {
            panic!("it was there already");
        };
        let message = self.database.read(|tx| tx.message(id)).unwrap().unwrap();
        message
            .error_code
            .filter(|_| message.state == SendState::Failed)
    }

    /// A template goes out to Bob, and a status prices it so.
    fn prices(&mut self, name: &str, category: &str) {
        assert_eq!(self.refusal(&template(name, BOB)), None);
        for send in self.sends() {
            let wamid = match send.body.contains(BOB) {
                true => format!("w-{name}-{category}"),
                false => format!("w-{}", send.outbox),
            };
            self.sent(&send, &accepted(&wamid));
        }
        let body = format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},"statuses":[{{"id":"w-{name}-{category}","status":"sent","timestamp":"1","recipient_id":"{BOB}","pricing":{{"category":"{category}"}}}}]}}}}]}}]}}"#
        );
        self.receive(&body);
        self.now += MINUTE;
    }

    /// Meta tells that Ann changed her mind in the chat.
    fn prefers(&mut self, value: &str, category: &str) {
        self.messages += 1;
        let n = self.messages;
        let body = format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"user_preferences","value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},"contacts":[{{"wa_id":"{ANN}"}}],"user_preferences":[{{"wa_id":"{ANN}","category":"{category}","value":"{value}","timestamp":{n}}}]}}}}]}}]}}"#
        );
        self.receive(&body);
    }
}

#[test]
fn who_stopped_marketing_gets_all_but_it() {
    let mut bench = Bench::fast();
    bench.wishes(Effect::StopMarketing);
    assert_eq!(bench.refusal(TEXT), None, "an answer");
    assert_eq!(bench.refusal(&template("sale", ANN)), Some(131_050));
    assert_eq!(bench.refusal(&template("sale", BOB)), None, "somebody else");
    bench.wishes(Effect::StartMarketing);
    assert_eq!(bench.refusal(&template("sale", ANN)), None);
}

#[test]
fn what_a_template_is_for_is_learnt_from_its_price() {
    let mut bench = Bench::fast();
    bench.wishes(Effect::StopMarketing);
    for (category, refused) in [
        ("utility", false),
        ("authentication", false),
        ("authentication-international", false),
        ("marketing", true),
        ("marketing_lite", true),
        ("service", true),
        ("referral_conversion", true),
        ("something_new", true),
    ] {
        bench.prices(category, category);
        let code = bench.refusal(&template(category, ANN));
        assert_eq!(code.is_some(), refused, "{category}");
    }
    // Meta can move a template to another category.
    bench.prices("utility", "marketing");
    assert_eq!(bench.refusal(&template("utility", ANN)), Some(131_050));
    bench.prices("utility", "service");
    assert_eq!(bench.refusal(&template("utility", ANN)), Some(131_050));
    bench.prices("marketing", "utility");
    assert_eq!(bench.refusal(&template("marketing", ANN)), None);
}

#[test]
fn templates_named_in_the_settings_are_no_marketing() {
    let mut bench = Bench::with(Limits {
        service_templates: vec!["order".into()],
        ..Limits::default()
    });
    bench.wishes(Effect::StopMarketing);
    assert_eq!(bench.refusal(&template("order", ANN)), None);
    assert_eq!(bench.refusal(&template("orders", ANN)), Some(131_050));
}

#[test]
fn a_template_that_waits_is_refused_when_its_turn_comes() {
    let mut bench = Bench::fast();
    bench.write(ANN, None);
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    assert_eq!(bench.refusal(&template("sale", ANN)), None);
    let send = bench.sends().remove(0);
    bench.sent(&send, &error(131_056, None));
    bench.wishes(Effect::StopMarketing);
    bench.now += 60 * MINUTE;
    assert!(bench.sends().is_empty());
    assert_eq!(bench.outbox(send.outbox).0, SendState::Failed);
}

#[test]
fn meta_tells_of_a_wish_too() {
    let mut bench = Bench::fast();
    bench.write(ANN, None);
    for (value, category, refused) in [
        ("stop", "other_messages", false),
        ("stop", "marketing_messages", true),
        ("new word", "marketing_messages", true),
        ("resume", "marketing_messages", false),
    ] {
        bench.prefers(value, category);
        let code = bench.refusal(&template("sale", ANN));
        assert_eq!(code.is_some(), refused, "{value} {category}");
    }
}
