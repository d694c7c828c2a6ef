//! Messages that are handed over together, and what of them rules leave to the
//! next handler.

use super::*;
use crate::gateway::Part;
use crate::handler::handle;
use crate::wire::join::join;
use std::sync::Mutex;

const RULES: &str = r#"
[[rule]]
words = 'menu'
reply = 'Here it is'
cooldown = '1h'
[[rule]]
words = 'person'
reply = 'One moment'
hand_over = true
[[rule]]
words = 'stop'
marketing = 'stop'
reply = 'No more offers, {{ name }}'
[[rule]]
first_contact = true
words = 'hi'
reply = 'Welcome'
[[rule]]
words = 'broken'
reply = '{% if text == "broken" %}{{ text|nosuch }}{% endif %}'
"#;

/// A burst of these texts; the first is the person's first message.
fn burst(texts: &[&str]) -> Delivery {
    let part = |(n, text): (usize, &&str)| {
        let id = format!("wamid.{n}");
        let sample = Sample {
            text,
            id: &id,
            ..Sample::default()
        };
        Part {
            event: n as i64 + 1,
            webhook_id: id.clone(),
            type_: "text".into(),
            received_at: 0,
            first_contact: n == 0,
            stale_ms: None,
            body: sample::notification("text", &sample).unwrap(),
        }
    };
    let parts: Vec<Part> = texts.iter().enumerate().map(part).collect();
    let bodies: Vec<&str> = parts.iter().map(|part| part.body.as_str()).collect();
    let body = join(&bodies).unwrap();
    Delivery {
        burst: parts,
        ..delivery(Kind::Message, "messages", &body)
    }
}

/// Says what it gets, or that it cannot now.
#[derive(Default)]
struct App {
    got: Mutex<Vec<String>>,
    is_down: bool,
}

impl Handler for &'static App {
    fn wants(&self) -> Wants {
        Wants::All
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
        let messages = &body["entry"][0]["changes"][0]["value"]["messages"];
        let texts = messages.as_array().unwrap().iter();
        let texts: Vec<&str> = texts.map(|m| m["text"]["body"].as_str().unwrap()).collect();
        let texts = texts.join("+");
        self.got.lock().unwrap().push(texts.clone());
        Handled::Yes(match self.is_down {
            true => Outcome::Retry {
                reason: "down".into(),
                wait: None,
                down: true,
            },
            false => Outcome::done(vec![said_text(&format!("app: {texts}"))]),
        })
    }
}

fn said_text(text: &str) -> String {
    json!({"type": "text", "text": {"body": text}}).to_string()
}

/// What is said to these messages, and what the app behind the rules gets.
#[track_caller]
fn check(texts: &[&str], said: &[&str], app_gets: Option<&str>) -> Vec<Effect> {
    let app: &'static App = Box::leak(Box::default());
    let handlers: Vec<Box<dyn Handler>> = vec![Box::new(rules(RULES)), Box::new(app)];
    let Outcome::Done { replies, effects } = handle(&handlers, &burst(texts)) else {
        panic!("{texts:?} is not done");
    };
    let replies: Vec<String> = replies
        .iter()
        .map(|reply| {
            let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
            reply["text"]["body"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(replies, said, "{texts:?}");
    let got = app.got.lock().unwrap();
    assert_eq!(got.first().map(String::as_str), app_gets, "{texts:?}");
    effects
}

#[test]
fn each_message_is_judged_as_if_it_came_alone_and_the_others_go_on_together() {
    check(&["a", "b"], &["app: a+b"], Some("a+b"));
    check(
        &["a", "menu", "b"],
        &["Here it is", "app: a+b"],
        Some("a+b"),
    );
    check(&["menu", "a"], &["Here it is", "app: a"], Some("a"));
    check(&["menu"], &["Here it is"], None);
    check(&["hi", "hi"], &["Welcome", "app: hi"], Some("hi"));
    check(&["a", "hi"], &["app: a+hi"], Some("a+hi"));
}

#[test]
fn what_one_message_leaves_behind_holds_for_the_next() {
    let effects = check(
        &["menu", "a", "the menu"],
        &["Here it is", "app: a+the menu"],
        Some("a+the menu"),
    );
    assert!(matches!(effects[..], [Effect::Rest { .. }]));
    let effects = check(
        &["stop", "menu"],
        &["No more offers, Robin Sample", "Here it is"],
        None,
    );
    assert!(matches!(
        effects[..],
        [Effect::StopMarketing, Effect::Rest { .. }]
    ));
}

#[test]
fn after_a_hand_over_nobody_else_is_asked() {
    let effects = check(
        &["a", "a person please", "menu", "b"],
        &["One moment", "app: a"],
        Some("a"),
    );
    assert_eq!(effects, [Effect::HandOver]);
    // But for what holds whoever reads it.
    let effects = check(&["a person", "stop"], &["One moment"], None);
    assert_eq!(effects, [Effect::HandOver, Effect::StopMarketing]);
}

#[test]
fn rules_listen_for_words_about_marketing_and_for_no_other() {
    let hears = |rules: &Rules, text| {
        let body = &burst(&[text]).body;
        assert!(rules.ears().is_some());
        rules.overhear(&Event::read(body), &Facts::default(), 0)
    };
    let all = rules(RULES);
    assert_eq!(hears(&all, "stop"), [Effect::StopMarketing]);
    for other in ["menu", "a person", "a"] {
        assert_eq!(hears(&all, other), [], "{other}");
    }
    assert!(rules("[[rule]]\nreply = 'a'").ears().is_none());
}

#[test]
fn when_the_app_wants_it_later_all_of_it_comes_later() {
    let app: &'static App = Box::leak(Box::new(App {
        is_down: true,
        ..App::default()
    }));
    let handlers: Vec<Box<dyn Handler>> = vec![Box::new(rules(RULES)), Box::new(app)];
    let outcome = handle(&handlers, &burst(&["menu", "a"]));
    assert!(matches!(outcome, Outcome::Retry { .. }));
    let outcome = handle(&handlers, &burst(&["menu", "broken"]));
    assert!(matches!(outcome, Outcome::Dead { .. }));
}

#[test]
fn other_messages_have_another_webhook_id() {
    let whole = burst(&["a", "b", "c"]);
    let ids = |places: &[usize]| whole.only(places).unwrap().webhook_id;
    let all = ids(&[0, 1, 2]);
    assert_eq!(all, ids(&[0, 1, 2]));
    assert!(all != ids(&[0, 1]) && ids(&[0, 1]) != ids(&[0, 2]));
    // One alone is called as if it had come alone.
    assert_eq!(ids(&[1]), "wamid.1");
    assert_eq!(whole.only(&[1]).unwrap().body, whole.burst[1].body);
    assert_eq!(whole.only(&[]), None);
    assert_eq!(whole.only(&[3]), None);
}
