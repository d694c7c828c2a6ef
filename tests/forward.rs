//! The app behind the service: what it receives, and what its answers do.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use support::*;
use wabridge::edge::standin::StandIn;
use wabridge::wire::signature::{HubKeys, StandardKey};

const ANA: &str = "15550107001";
const BEN: &str = "15550107002";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// A service in front of an app.
fn before(app: &str, settings: &[(&str, &str)]) -> Place {
    let mut all = vec![("FORWARD_URL", app)];
    all.extend(settings);
    Place::new(&all)
}

/// The same, with a stand-in for Graph behind it.
fn between(app: &App, settings: &[(&str, &str)]) -> (Place, StandIn) {
    let standin = graph();
    let app = app.url();
    let own = [("FORWARD_URL", app.as_str())];
    let place = Place::with_graph(&standin, &[&own, settings].concat());
    (place, standin)
}

fn replies(messages: Value) -> AppAnswer {
    says(200, json!({"messages": messages}).to_string())
}

/// Answers the first `count` events like this, later ones 200.
fn at_first(count: usize, answer: AppAnswer) -> impl Fn(&Received) -> AppAnswer {
    let seen = AtomicUsize::new(0);
    move |_| match seen.fetch_add(1, Ordering::SeqCst) < count {
        true => answer.clone(),
        false => says(200, ""),
    }
}

#[test]
fn the_app_gets_metas_envelope_of_one_event_signed_as_meta_does() {
    let app = App::start(|_| says(200, "EVENT_RECEIVED"));
    let place = before(&app.url(), &[("APP_SECRET", "test-app-secret,older")]);
    let one = text_message(1, ANA, "first é/");
    place.service.take(&one);
    // Conversations have no order among them, so it goes first by itself.
    app.wait(1);
    let both: Value = serde_json::from_str(&text_message(2, ANA, "second")).unwrap();
    let third: Value = serde_json::from_str(&text_message(3, BEN, "third")).unwrap();
    let mut both = both;
    both["entry"]
        .as_array_mut()
        .unwrap()
        .push(third["entry"][0].clone());
    place.service.take(&both.to_string());
    let received = app.wait(3);
    for request in &received {
        let messages = &request.body["entry"][0]["changes"][0]["value"]["messages"];
        assert_eq!(request.body["entry"].as_array().unwrap().len(), 1);
        assert_eq!(messages.as_array().unwrap().len(), 1);
        let keys = HubKeys::new([APP_SECRET]);
        assert!(keys.verify(
            &request.headers["x-hub-signature-256"],
            request.raw.as_bytes()
        ));
        assert_eq!(request.headers["content-type"], "application/json");
        assert!(!request.headers.contains_key("webhook-signature"));
    }
    assert_eq!(received[0].raw, one, "one event is forwarded to the letter");
    let texts: BTreeSet<_> = app.texts().into_iter().collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    place.wait_inbox("done done done");
}

#[test]
fn the_id_is_the_same_on_each_attempt_and_on_replay_and_its_signature_verifies() {
    let app = App::start(at_first(1, says(429, "")));
    let place = before(&app.url(), &[("FORWARD_SECRET", SECRET)]);
    place.service.take(&text_message(1, ANA, "hello"));
    app.wait(2);
    place.wait_inbox("done");
    let id = place.inbox()[0]["id"].to_string();
    assert!(place.setup.run(&["inbox", "replay", &id]).status.success());
    place.service.take(&text_message(2, ANA, "another"));
    let received = app.wait(4);
    let key = StandardKey::parse(SECRET).unwrap();
    for request in &received {
        let id = &request.headers["webhook-id"];
        let timestamp = request.headers["webhook-timestamp"].parse().unwrap();
        let expected = key.sign(id, timestamp, request.raw.as_bytes());
        assert_eq!(request.headers["webhook-signature"], expected);
    }
    let ids = |text: &str| -> BTreeSet<String> {
        let of = received.iter().filter(|r| r.text() == text);
        of.map(|r| r.headers["webhook-id"].clone()).collect()
    };
    assert_eq!((ids("hello").len(), ids("another").len()), (1, 1));
    assert_ne!(ids("hello"), ids("another"));
}

#[test]
fn a_message_that_came_hours_late_says_so_in_a_header() {
    let app = App::start(|_| says(200, ""));
    let place = before(&app.url(), &[]);
    let (now, then) = (now_s(), now_s() - 7_200);
    let late = text_message(1, ANA, "late").replace(&now.to_string(), &then.to_string());
    assert!(late.contains(&then.to_string()));
    place.service.take(&late);
    place.service.take(&text_message(2, ANA, "in time"));
    for request in app.wait(2) {
        let age = request.headers.get("x-wabridge-stale");
        let age: Option<i64> = age.map(|age| age.parse().unwrap());
        match request.text() {
            "late" => assert!((7_200..7_300).contains(&age.unwrap()), "{age:?}"),
            _ => assert_eq!(age, None),
        }
    }
}

#[test]
fn replies_are_filled_in_and_sent_in_order() {
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        text => replies(json!([
            {"type": "typing"},
            {"type": "text", "text": {"body": format!("1 {text}")}},
            {"messaging_product": "whatsapp", "recipient_type": "individual", "to": BEN,
             "type": "text", "text": {"body": "2", "preview_url": true}},
            {"text": {"body": "3"}, "context": {"message_id": "wamid.X"}},
            {"type": "read"},
        ])),
    });
    let (place, standin) = between(&app, &[]);
    place.service.take(&text_message(1, ANA, "hello"));
    assert!(standin.wait_accepted(3, PATIENCE));
    wait_until("both marks are there", || standin.receipts().len() == 2);
    let accepted = standin.accepted();
    let body_of = |text: &str| {
        let found = accepted.iter().find(|a| a.body["text"]["body"] == text);
        found
            .unwrap_or_else(|| panic!("{text} was not sent"))
            .body
            .clone()
    };
    for (text, to) in [("1 hello", ANA), ("2", BEN), ("3", ANA)] {
        let body = body_of(text);
        assert_eq!(body["messaging_product"], "whatsapp");
        assert_eq!(body["recipient_type"], "individual");
        assert_eq!(body["to"], to);
    }
    assert_eq!(body_of("3")["context"]["message_id"], "wamid.X");
    assert_eq!(body_of("2")["text"]["preview_url"], true);
    let to_ana: Vec<_> = accepted.iter().filter(|a| a.to == ANA).collect();
    assert_eq!(to_ana[0].body["text"]["body"], "1 hello");
    let receipts = standin.receipts();
    assert_eq!((receipts[0].typing, receipts[1].typing), (true, false));
    assert_eq!(receipts[0].message_id, receipts[1].message_id);
    assert!(standin.wait_statuses(PATIENCE));
    assert_eq!(place.outbox_words("type"), "typing text text text read");
}

#[test]
fn a_reply_that_cannot_be_is_kept_as_failed_and_the_rest_go_out() {
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        _ => replies(json!([7, {"type": "text", "text": {"body": "good"}}, {"type": "text"}])),
    });
    let (place, standin) = between(&app, &[]);
    place.service.take(&text_message(1, ANA, "hello"));
    assert!(standin.wait_accepted(1, PATIENCE));
    wait_until("the bad ones are marked", || {
        place.outbox_words("state").matches("failed").count() == 2
    });
    assert_eq!(standin.accepted()[0].body["text"]["body"], "good");
    assert_eq!(standin.accepted().len(), 1);
}

#[test]
fn any_2xx_with_any_body_is_done() {
    let bodies = [
        "",
        "EVENT_RECEIVED",
        "{}",
        "[]",
        "{\"messages\":{}}",
        "{\"messages\":null}",
        "\u{1}",
        "{",
    ];
    for status in [200, 201, 202, 204, 299] {
        let app = App::start(move |request| {
            let index: usize = request.text().parse().unwrap();
            says(status, if status == 204 { "" } else { bodies[index] })
        });
        let place = before(&app.url(), &[]);
        for index in 0..bodies.len() {
            place
                .service
                .take(&text_message(index as u64, ANA, &index.to_string()));
        }
        place.wait_inbox(&["done"; 8].join(" "));
        assert_eq!(app.received().len(), bodies.len(), "{status}");
        assert_eq!(place.outbox().len(), 0);
    }
}

#[test]
fn some_answers_mean_again_later_and_the_lane_keeps_its_order() {
    for status in [0, 301, 408, 429, 500, 502, 503] {
        let failing = AtomicBool::new(true);
        let app = App::start(move |request| match request.text() {
            "first" if failing.swap(false, Ordering::SeqCst) => says(status, "{\"messages\":[{}]}"),
            _ => says(200, ""),
        });
        let place = before(&app.url(), &[]);
        for (n, text) in ["first", "second", "third"].iter().enumerate() {
            place.service.take(&text_message(n as u64, ANA, text));
        }
        place.wait_inbox("done done done");
        assert_eq!(
            app.texts(),
            ["first", "first", "second", "third"],
            "{status}"
        );
        assert_eq!(place.inbox_words("attempts"), "2 1 1");
        assert_eq!(place.outbox().len(), 0);
    }
}

#[test]
fn retry_after_is_waited_for_while_other_lanes_go_on() {
    check_retry_after(|| "3".into());
    // The seconds of a date are whole: it is up to one less than it says.
    check_retry_after(|| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(4)));
}

fn check_retry_after(header: fn() -> String) {
    let limited = move || -> AppAnswer { (429, String::new(), vec![("Retry-After", header())]) };
    let times = Arc::new(Mutex::new(Vec::new()));
    let (clock, first) = (Arc::clone(&times), AtomicBool::new(true));
    let app = App::start(move |request| {
        if request.text() == "wait" {
            clock.lock().unwrap().push(std::time::Instant::now());
        }
        match request.text() == "wait" && first.swap(false, Ordering::SeqCst) {
            true => limited(),
            false => says(200, ""),
        }
    });
    let place = before(&app.url(), &[]);
    place.service.take(&text_message(1, ANA, "wait"));
    place.service.take(&text_message(2, ANA, "behind"));
    app.wait(1);
    for n in 0..5 {
        place
            .service
            .take(&text_message(10 + n, BEN, &n.to_string()));
    }
    place.wait_inbox("done done done done done done done");
    let texts = app.texts();
    assert_eq!(texts, ["wait", "0", "1", "2", "3", "4", "wait", "behind"]);
    let times = times.lock().unwrap();
    assert!((times[1] - times[0]).as_millis() >= 2_900);
}

#[test]
fn a_slow_app_times_out_and_gets_it_again() {
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let first = AtomicBool::new(true);
    let app = App::start(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            let _ = opened.lock().unwrap().recv();
        }
        says(200, "")
    });
    let place = before(&app.url(), &[("FORWARD_TIMEOUT", "1s")]);
    place.service.take(&text_message(1, ANA, "hello"));
    place.wait_inbox("done");
    assert_eq!(place.inbox_words("attempts"), "2");
    drop(open);
}

#[test]
fn other_refusals_are_dead_letters_and_the_lane_goes_on() {
    let app = App::start(|request| match request.text().parse() {
        Ok(status) => says(status, "no"),
        Err(_) => says(200, ""),
    });
    let place = before(&app.url(), &[]);
    for (n, text) in ["400", "401", "403", "404", "410", "422", "fine"]
        .iter()
        .enumerate()
    {
        place.service.take(&text_message(n as u64, ANA, text));
    }
    place.wait_inbox("dead dead dead dead dead dead done");
    assert_eq!(place.inbox_words("attempts"), "1 1 1 1 1 1 1");
    let rows = place.inbox();
    assert!(rows[0]["error"].as_str().unwrap().contains("400"));
    assert_eq!(place.queue("deliver")["dead"], 6);
}

#[test]
fn replay_brings_a_dead_letter_back_and_only_it() {
    let broken = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&broken);
    let app = App::start(move |request| match request.text() {
        "bad" | "worse" if now.load(Ordering::SeqCst) => says(422, ""),
        _ => says(200, ""),
    });
    let place = before(&app.url(), &[]);
    for (n, text) in ["bad", "good", "worse"].iter().enumerate() {
        place.service.take(&text_message(n as u64, ANA, text));
    }
    place.wait_inbox("dead done dead");
    broken.store(false, Ordering::SeqCst);
    let id = place.inbox()[0]["id"].to_string();
    let replayed = place.setup.run(&["inbox", "replay", &id]);
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("1 event will"));
    place.wait_inbox("done done dead");
    let replayed = place.setup.run(&["inbox", "replay", "--dead"]);
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("1 delivery will"));
    place.wait_inbox("done done done");
    assert_eq!(app.texts(), ["bad", "good", "worse", "bad", "worse"]);
    let missing = place.setup.run(&["inbox", "replay", "99"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn an_event_that_is_too_old_is_a_dead_letter() {
    let app = App::start(|request| match request.text() {
        "stuck" => says(503, ""),
        _ => says(200, ""),
    });
    let place = before(&app.url(), &[("FORWARD_MAX_AGE", "1s")]);
    place.service.take(&text_message(1, ANA, "stuck"));
    place.service.take(&text_message(2, ANA, "behind"));
    place.wait_inbox("dead done");
    let error = place.inbox()[0]["error"].to_string();
    assert!(error.contains("FORWARD_MAX_AGE"), "{error}");
}

#[test]
fn an_outage_costs_few_attempts_and_everything_arrives_in_order_afterwards() {
    let away = Away::new();
    let place = before(&away.url(), &[("FORWARD_CONCURRENCY", "2")]);
    let people: Vec<String> = (0..10).map(|n| format!("155501071{n:02}")).collect();
    let mut n = 0;
    for round in 0..3 {
        for from in &people {
            n += 1;
            place
                .service
                .take(&text_message(n, from, &round.to_string()));
        }
    }
    wait_until("the breaker opens", || {
        place.queue("deliver")["failures"].as_i64() >= Some(6)
    });
    let attempts = |rows: &[Value]| {
        rows.iter()
            .filter_map(|r| r["attempts"].as_i64())
            .sum::<i64>()
    };
    let tried = attempts(&place.inbox());
    assert!(tried <= 9, "{tried} attempts were burnt");
    let app = away.back(|_| says(200, ""));
    place.wait_inbox(&["done"; 30].join(" "));
    for from in &people {
        let received = app.received();
        let theirs = received.iter().filter(|r| r.raw.contains(from.as_str()));
        let rounds: Vec<&str> = theirs.map(|r| r.text()).collect();
        assert_eq!(rounds, ["0", "1", "2"], "{from}");
    }
}

#[test]
fn rules_are_asked_first_and_the_app_gets_the_rest() {
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        text => replies(json!([{"type": "text", "text": {"body": format!("app: {text}")}}])),
    });
    let rules = Folder::new();
    let path = rules.path().join("rules.toml");
    std::fs::write(&path, "[[rule]]\ntext = \"hi\"\nreply = \"rule: hi\"\n").unwrap();
    let (place, standin) = between(&app, &[("RULES_FILE", path.to_str().unwrap())]);
    place.service.take(&text_message(1, ANA, "Hi"));
    place.service.take(&text_message(2, ANA, "order 7"));
    assert!(standin.wait_accepted(2, PATIENCE));
    let accepted = standin.accepted();
    let said: Vec<_> = accepted
        .iter()
        .map(|a| a.body["text"]["body"].clone())
        .collect();
    assert_eq!(said, ["rule: hi", "app: order 7"]);
    assert!(!app.texts().contains(&"Hi".to_owned()));
}

#[test]
fn statuses_carry_the_apps_own_value_and_never_our_mark() {
    let app = App::start(|request| match request.text() {
        "own" => replies(json!([{"type": "text", "text": {"body": "a"},
            "biz_opaque_callback_data": "order/7 \"é\""}])),
        "none" => replies(json!([{"type": "text", "text": {"body": "b"}}])),
        _ => says(200, ""),
    });
    let (place, standin) = between(&app, &[]);
    place.service.take(&text_message(1, ANA, "own"));
    place.service.take(&text_message(2, BEN, "none"));
    assert!(standin.wait_accepted(2, PATIENCE));
    let mut seen = Vec::new();
    for request in app.wait(8) {
        assert!(!request.raw.contains("wabridge:"), "{}", request.raw);
        let keys = HubKeys::new([APP_SECRET]);
        assert!(keys.verify(
            &request.headers["x-hub-signature-256"],
            request.raw.as_bytes()
        ));
        let status = &request.body["entry"][0]["changes"][0]["value"]["statuses"][0];
        if let Some(word) = status["status"].as_str() {
            let own = status.get("biz_opaque_callback_data");
            seen.push((
                status["recipient_id"].to_string(),
                word.to_owned(),
                own.cloned(),
            ));
        }
    }
    for (to, own) in [(ANA, Some(json!("order/7 \"é\""))), (BEN, None)] {
        let to = format!("\"{to}\"");
        let theirs: Vec<_> = seen.iter().filter(|row| row.0 == to).collect();
        let words: Vec<&str> = theirs.iter().map(|row| row.1.as_str()).collect();
        assert_eq!(words, ["sent", "delivered", "read"]);
        assert!(theirs.iter().all(|row| row.2 == own), "{theirs:?}");
    }
}

#[test]
fn a_crash_between_delivery_and_answer_delivers_again_and_replies_once() {
    let (entered, inside) = std::sync::mpsc::channel();
    let (_open, opened) = std::sync::mpsc::channel::<()>();
    let state = Mutex::new((Some(entered), opened));
    let app = App::start(move |request| match request.text() {
        "" => says(200, ""),
        text => {
            let mut state = state.lock().unwrap();
            if let Some(entered) = state.0.take() {
                entered.send(()).unwrap();
                let _ = state.1.recv_timeout(std::time::Duration::from_secs(2));
            }
            replies(json!([{"type": "text", "text": {"body": text}}]))
        }
    });
    let (mut place, standin) = between(&app, &[]);
    place.service.take(&text_message(1, ANA, "hello"));
    inside.recv_timeout(PATIENCE).unwrap();
    place.crash();
    standin.set_callback(&place.service.url());
    assert!(standin.wait_accepted(1, PATIENCE));
    place.wait_outbox("read");
    assert_eq!(standin.accepted().len(), 1);
    let id = |r: &Received| r.headers["webhook-id"].clone();
    let messages: Vec<_> = app
        .received()
        .into_iter()
        .filter(|r| !r.text().is_empty())
        .collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(id(&messages[0]), id(&messages[1]));
}

#[test]
fn with_debounce_the_app_gets_all_that_was_written_in_one_go_at_once() {
    let app = App::start(at_first(1, says(429, "")));
    let observer = App::start(|_| says(200, ""));
    let settings = [
        ("DEBOUNCE", "2s"),
        ("OBSERVERS", "copy"),
        ("OBSERVER_COPY_URL", &observer.url()),
    ];
    let place = before(&app.url(), &settings);
    let pieces = ["hi", "are you open", "tomorrow?"];
    let all: Vec<Value> = pieces
        .iter()
        .enumerate()
        .map(|(n, text)| serde_json::from_str(&text_message(n as u64 + 1, ANA, text)).unwrap())
        .collect();
    let mut post = all[0].clone();
    let entries = all.iter().map(|one| one["entry"][0].clone());
    post["entry"] = entries.collect();
    place.service.take(&post.to_string());
    place.wait_inbox("done done done");
    let received = app.wait(2);
    assert_eq!(received.len(), 2);
    for request in &received {
        let value = &request.body["entry"][0]["changes"][0]["value"];
        let texts: Vec<&str> = value["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["text"]["body"].as_str().unwrap())
            .collect();
        assert_eq!(texts, pieces);
        assert_eq!(value["contacts"].as_array().unwrap().len(), 1);
        let keys = HubKeys::new([APP_SECRET]);
        let signature = &request.headers["x-hub-signature-256"];
        assert!(keys.verify(signature, request.raw.as_bytes()));
    }
    let id = |request: &Received| request.headers["webhook-id"].clone();
    assert_eq!(id(&received[0]), id(&received[1]));
    assert_eq!(observer.wait(3).len(), 3);
}
