//! What handlers return, who is asked after whom, and what is told at the start.

use super::answer::Again;
use super::*;
use crate::Result as Fallible;
use crate::gateway::{Delivery, Effect, Facts, Part};
use crate::handler::{Handled, Handler as _, Outcome, Wants};
use crate::wire::compose;
use crate::wire::notification::Kind;
use crate::wire::sample::{self, Sample};
use std::time::Duration;

/// Whatever turns into an answer turns into this one.
#[track_caller]
fn check(answer: impl Into<Answer>, expected: &[&str]) {
    let Answer::Reply { messages, .. } = answer.into() else {
        panic!("no reply");
    };
    let types: Vec<_> = messages.iter().map(shown).collect();
    assert_eq!(types, expected);
}

fn shown(message: &compose::Message) -> String {
    let value = message.to_value();
    let text = value["text"]["body"].as_str();
    let kind = value["type"].as_str().or(value["status"].as_str());
    text.or(kind).unwrap_or_default().to_owned()
}

#[test]
fn what_is_returned_becomes_an_answer() {
    let text = compose::Message::text;
    check((), &[]);
    check("a", &["a"]);
    check("a".to_owned(), &["a"]);
    check(text("a"), &["a"]);
    check(text("a").any(), &["a"]);
    check(vec![text("a"), text("b")], &["a", "b"]);
    check([text("a"), text("b")], &["a", "b"]);
    check(Vec::<compose::Message>::new(), &[]);
    check((compose::Message::read("w"), text("a")), &["read", "a"]);
    check(
        (
            compose::Message::read("w"),
            text("a"),
            compose::Message::sticker(compose::Media::id("1")),
        ),
        &["read", "a", "sticker"],
    );
    check(None::<compose::Message>, &[]);
    check(Some("a"), &["a"]);
    check(Ok::<_, Failure>("a"), &["a"]);
    check(Ok::<_, String>(Some(text("a"))), &["a"]);
    check(Ok::<_, std::io::Error>(()), &[]);
}

/// What an error means: the reason, and whether the event comes again.
#[track_caller]
fn check_failure(answer: impl Into<Answer>, reason: &str, again: Again) {
    let Answer::Fail(failure) = answer.into() else {
        panic!("no failure");
    };
    assert_eq!((failure.reason.as_str(), failure.again), (reason, again));
}

#[derive(Debug)]
struct Outer(Failure);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_means_again_unless_it_says_otherwise() {
    let later = Again::Later(None);
    let minute = Duration::from_secs(60);
    let parsed = || -> Fallible<()> {
        "x".parse::<u8>()?;
        Ok(())
    };
    check_failure(parsed(), "invalid digit found in string", later);
    check_failure(Err::<(), _>("no"), "no", later);
    check_failure(Err::<(), _>("no".to_owned()), "no", later);
    check_failure(Err::<(), _>(Failure::retry("no")), "no", later);
    check_failure(Failure::dead("no"), "no", Again::Never);
    check_failure(
        Failure::retry("no").after(minute),
        "no",
        Again::Later(Some(minute)),
    );
    check_failure(Failure::dead("no").after(minute), "no", Again::Never);
    let inside = || -> Fallible<()> { Err(Outer(Failure::dead("no")))? };
    check_failure(inside(), "outer: no", Again::Never);
}

fn delivery(kind: &str) -> Delivery {
    let sample = Sample::default();
    let body = match kind {
        "echo" => {
            let text = sample::notification("text", &sample).unwrap();
            text.replace(r#""field":"messages""#, r#""field":"smb_message_echoes""#)
        }
        "own" => {
            let from = sample.display;
            sample::notification("text", &Sample { from, ..sample }).unwrap()
        }
        kind => sample::notification(kind, &sample).unwrap(),
    };
    Delivery {
        job: 1,
        observer: None,
        attempt: 2,
        event: 3,
        webhook_id: "msg_1".into(),
        kind: Kind::Message,
        field: "messages".into(),
        type_: String::new(),
        received_at: 4,
        started_at: 5,
        facts: Facts::default(),
        body,
        burst: Vec::new(),
    }
}

fn service() -> Service {
    Service::with([("APP_SECRET", "x"), ("VERIFY_TOKEN", "x")]).unwrap()
}

/// What a service's own handlers make of an event: the texts, or a word.
#[track_caller]
fn check_asked(service: &Service, kind: &str, expected: &str) {
    let said = match service.own.handle(&delivery(kind)) {
        Handled::No => "passed".to_owned(),
        Handled::Partly { .. } => "passed in part".to_owned(),
        Handled::Yes(Outcome::Done { replies, .. }) => {
            let texts = replies.iter().map(|reply| {
                let value: serde_json::Value = serde_json::from_str(reply).unwrap();
                value["text"]["body"].as_str().unwrap().to_owned()
            });
            texts.collect::<Vec<_>>().join(" ")
        }
        Handled::Yes(Outcome::Retry { reason, .. }) => format!("again, {}", reason.in_full()),
        Handled::Yes(Outcome::Dead { reason }) => format!("dead, {}", reason.in_full()),
    };
    assert_eq!(said, expected, "{kind}");
}

#[test]
fn handlers_are_asked_in_order_until_one_answers() {
    let asked = service()
        .on_message(|message, _| match message.text() {
            Some(text) => Answer::from(text),
            None => Answer::Pass,
        })
        .on_status(|status, _| status.id.clone())
        .on_event(|event, context| format!("{} {}", event.field, context.attempt()));
    check_asked(&asked, "text", "Hello from a sample");
    check_asked(&asked, "image", "Hello from a sample");
    check_asked(&asked, "sticker", "messages 2");
    check_asked(&asked, "status-read", Sample::default().id);
    check_asked(
        &asked,
        "template-status",
        "message_template_status_update 2",
    );
    // What the business wrote on its phone is nobody's question.
    check_asked(&asked, "echo", "smb_message_echoes 2");
    check_asked(&asked, "own", "messages 2");
    assert_eq!(asked.own.wants(), Wants::All);
    let only = service().on_message(|_, _| "x");
    assert_eq!(only.own.wants(), Wants::Messages);
    check_asked(&only, "status-read", "passed");
    assert_eq!(only.own.crates(), ["wabridge"]);
}

#[test]
fn an_answer_can_want_a_person_and_keep_a_word_about_marketing() {
    let wishes = |answer: Answer| match answer {
        Answer::Reply { messages, wishes } => (messages.len(), wishes),
        other => panic!("{other:?}"),
    };
    let both = Answer::from("a").hand_over().stop_marketing();
    assert_eq!(wishes(both), (1, vec![Wish::HandOver, Wish::StopMarketing]));
    assert_eq!(
        wishes(Answer::Pass.start_marketing()),
        (0, vec![Wish::StartMarketing])
    );
    let failed = Answer::from(Failure::dead("no")).hand_over();
    check_failure(failed, "no", Again::Never);
    let asked = service().on_message(|_, _| Answer::from("a").hand_over().stop_marketing());
    let Handled::Yes(Outcome::Done { replies, effects }) = asked.own.handle(&delivery("text"))
    else {
        panic!("no answer");
    };
    assert_eq!(replies.len(), 1);
    assert_eq!(effects, [Effect::HandOver, Effect::StopMarketing]);
}

#[test]
fn of_a_burst_the_last_message_is_asked_about_and_all_are_there() {
    let piece = |text| {
        let sample = Sample {
            text,
            ..Sample::default()
        };
        Part {
            event: 1,
            webhook_id: text.into(),
            type_: "text".into(),
            received_at: 0,
            first_contact: false,
            stale_ms: None,
            body: sample::notification("text", &sample).unwrap(),
        }
    };
    let all = Delivery {
        burst: vec![piece("hi"), piece("are you open"), piece("now?")],
        ..delivery("text")
    };
    let asked = service().on_message(|message, context| {
        let texts = context.messages().filter_map(|message| message.text());
        let texts: Vec<&str> = texts.collect();
        format!("{} of {}", message.text().unwrap(), texts.join("+"))
    });
    let Handled::Yes(Outcome::Done { replies, .. }) = asked.own.handle(&all) else {
        panic!("no answer");
    };
    assert_eq!(replies.len(), 1);
    assert!(replies[0].contains("now? of hi+are you open+now?"));
    let alone = service().on_message(|_, context| context.messages().count().to_string());
    check_asked(&alone, "text", "1");
    let status = service().on_status(|_, context| context.messages().count().to_string());
    check_asked(&status, "status-read", "0");
}

#[test]
fn a_failure_is_told_the_operator_and_not_the_log() {
    let asked = service().on_message(|_, _| Err::<(), _>("Ana's order is lost"));
    check_asked(
        &asked,
        "text",
        "again, the handler failed: Ana's order is lost",
    );
    let Handled::Yes(Outcome::Retry { reason, .. }) = asked.own.handle(&delivery("text")) else {
        panic!("no failure");
    };
    assert_eq!(reason.to_string(), "the handler failed");
    assert!(!format!("{reason:?}").contains("Ana"));
}

#[test]
fn every_mistake_in_settings_and_rules_is_told_at_once() {
    let error = Service::with([("APP_SECRET", "x"), ("RULES_FILE", "/nonexistent/r.toml")]);
    let text = format!("{:?}", error.err().unwrap());
    assert!(
        text.starts_with("2 problems with the settings:\n  - VERIFY_TOKEN is not set"),
        "{text}"
    );
    assert!(
        text.contains("\n  - the rules file /nonexistent/r.toml cannot be read: "),
        "{text}"
    );
}

#[test]
fn who_answers_by_itself_is_not_told_that_nobody_answers() {
    let nobody = |service: &Service| {
        let sources = service.settings.read(&service.own);
        let (config, _) = in_full(&sources, &service.own).unwrap();
        config
            .warnings
            .iter()
            .any(|warning| warning.contains("nobody answers"))
    };
    assert!(nobody(&service()));
    assert!(!nobody(&service().on_message(|_, _| ())));
}
