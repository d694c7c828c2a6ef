//! Apps that get a copy of events beside the one that answers.

mod support;

use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use support::*;
use wabridge::wire::signature::{HubKeys, StandardKey};

const ANA: &str = "15550107001";
const BEN: &str = "15550107002";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// What `inbox show` tells of an event's deliveries: consumer to state.
fn deliveries(setup: &Setup, event: i64) -> Value {
    let shown = &setup.json(&["inbox", "show", &event.to_string(), "--json"])[0];
    let all = shown["deliveries"].as_array().unwrap().iter();
    all.map(|d| {
        (
            d["consumer"].as_str().unwrap().to_owned(),
            d["state"].clone(),
        )
    })
    .collect::<serde_json::Map<_, _>>()
    .into()
}

fn queue(setup: &Setup, name: &str) -> Value {
    let status = setup.json(&["status", "--json"]).remove(0);
    let queues = status["queues"].as_array().unwrap();
    let found = queues.iter().find(|queue| queue["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

fn texts_of(received: &[Received], from: &str) -> Vec<String> {
    let value = |r: &Received| r.body["entry"][0]["changes"][0]["value"].clone();
    let of = received
        .iter()
        .filter(|r| value(r)["messages"][0]["from"] == from);
    of.map(|r| r.text().to_owned()).collect()
}

#[test]
fn an_observer_gets_signed_copies_and_its_answers_are_not_sent() {
    let standin = graph();
    let bot = App::start(|_| says(200, r#"{"messages":[{"text":{"body":"from the bot"}}]}"#));
    let crm = App::start(|_| says(200, r#"{"messages":[{"text":{"body":"from the crm"}}]}"#));
    let (bot_url, crm_url, graph_url) = (bot.url(), crm.url(), standin.url());
    let place = Place::new(&[
        ("FORWARD_URL", &bot_url),
        ("OBSERVERS", "crm"),
        ("OBSERVER_CRM_URL", &crm_url),
        ("OBSERVER_CRM_SECRET", SECRET),
        ("GRAPH_API_URL", &graph_url),
        ("WHATSAPP_TOKEN", TOKEN),
    ]);
    let body = text_message(1, ANA, "hello");
    place.service.take(&body);
    let copy = crm.wait(1).remove(0);
    let own = bot.wait(1).remove(0);
    assert_eq!(
        (copy.raw.as_str(), own.raw.as_str()),
        (body.as_str(), body.as_str())
    );
    assert_eq!(copy.headers["webhook-id"], own.headers["webhook-id"]);
    let keys = HubKeys::new([APP_SECRET]);
    assert!(keys.verify(&copy.headers["x-hub-signature-256"], copy.raw.as_bytes()));
    let timestamp = copy.headers["webhook-timestamp"].parse().unwrap();
    let id = &copy.headers["webhook-id"];
    let expected = StandardKey::parse(SECRET)
        .unwrap()
        .sign(id, timestamp, copy.raw.as_bytes());
    assert_eq!(copy.headers["webhook-signature"], expected);
    assert!(!own.headers.contains_key("webhook-signature"));
    assert!(standin.wait_accepted(1, PATIENCE));
    place.wait_inbox("done");
    assert_eq!(
        deliveries(&place.setup, 1),
        json!({"bot": "done", "crm": "done"})
    );
    assert_eq!(place.outbox().len(), 1);
    assert_eq!(standin.accepted()[0].body["text"]["body"], "from the bot");
}

#[test]
fn one_that_hangs_and_one_that_is_down_keep_neither_the_app_nor_each_other_waiting() {
    let open = AtomicBool::new(false);
    let open: &'static AtomicBool = Box::leak(Box::new(open));
    let bot = App::start(|_| says(200, ""));
    let slow = App::start(move |_| {
        while !open.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        says(200, "")
    });
    let well = App::start(|_| says(200, "x".repeat(300_000)));
    let away = Away::new();
    let urls = [bot.url(), slow.url(), away.url(), well.url()];
    let place = Place::new(&[
        ("FORWARD_URL", &urls[0]),
        ("FORWARD_CONCURRENCY", "2"),
        ("OBSERVERS", "slow,down,well"),
        ("OBSERVER_SLOW_URL", &urls[1]),
        ("OBSERVER_SLOW_TIMEOUT", "1h"),
        ("OBSERVER_DOWN_URL", &urls[2]),
        ("OBSERVER_WELL_URL", &urls[3]),
    ]);
    let n = 40;
    for i in 0..n {
        let from = if i % 2 == 0 { ANA } else { BEN };
        place.service.take(&text_message(i, from, &i.to_string()));
    }
    // All of them, while both others have had nothing.
    for app in [&bot, &well] {
        let received = app.wait(n as usize);
        for (from, first) in [(ANA, 0), (BEN, 1)] {
            let expected: Vec<String> = (first..n).step_by(2).map(|i| i.to_string()).collect();
            assert_eq!(texts_of(&received, from), expected);
        }
    }
    assert_eq!(slow.received().len(), 0);
    assert_eq!(queue(&place.setup, "slow")["open"], n);
    assert_eq!(queue(&place.setup, "down")["open"], n);
    // And they get theirs, in order, when they can.
    open.store(true, Ordering::SeqCst);
    let back = away.back(|_| says(200, ""));
    for app in [&slow, &back] {
        let received = app.wait(n as usize);
        for (from, first) in [(ANA, 0), (BEN, 1)] {
            let expected: Vec<String> = (first..n).step_by(2).map(|i| i.to_string()).collect();
            assert_eq!(texts_of(&received, from), expected);
        }
    }
    wait_until("nothing is open", || place.setup.open_jobs() == 0);
}

#[test]
fn an_observer_gets_the_statuses_that_nobody_answers() {
    let standin = graph();
    let crm = App::start(|_| says(200, ""));
    let (crm_url, graph_url) = (crm.url(), standin.url());
    let folder = Folder::new();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nreply = \"hello\"\n").unwrap();
    let setup = Setup::new(folder.path())
        .set("RULES_FILE", rules.to_str().unwrap())
        .set("OBSERVERS", "crm")
        .set("OBSERVER_CRM_URL", &crm_url)
        .set("OBSERVER_CRM_KINDS", "status")
        .set("GRAPH_API_URL", &graph_url)
        .set("WHATSAPP_TOKEN", TOKEN);
    let service = setup.serve();
    standin.set_callback(&service.url());
    service.take(&text_message(1, ANA, "hello"));
    let received = crm.wait(3);
    let words: Vec<_> = received
        .iter()
        .map(|r| r.body["entry"][0]["changes"][0]["value"]["statuses"][0]["status"].clone())
        .collect();
    assert!(
        words.iter().all(Value::is_string),
        "statuses and nothing else: {words:?}"
    );
    assert_eq!(deliveries(&setup, 1), json!({"bot": "done"}));
    assert_eq!(deliveries(&setup, 2), json!({"crm": "done"}));
}

#[test]
fn sighup_adds_and_removes_observers_and_what_is_open_waits_for_its_observer() {
    let folder = Folder::new();
    let write = |lines: &[&str]| {
        let text = format!("OBSERVERS={}\n{}\n", lines[0], lines[1..].join("\n"));
        std::fs::write(folder.path().join(".env"), text).unwrap();
    };
    write(&[""]);
    let setup = Setup::new(folder.path());
    let service = setup.serve();
    let reloads = || {
        service
            .log()
            .matches("msg=\"settings and rules read anew\"")
            .count()
    };
    let reload = |count: usize| {
        service.signal("HUP");
        wait_until("it is read anew", || reloads() == count);
    };
    service.take(&text_message(1, ANA, "before"));
    let (crm, away) = (App::start(|_| says(200, "")), Away::new());
    let urls = [
        format!("OBSERVER_CRM_URL={}", crm.url()),
        format!("OBSERVER_ARCHIVE_URL={}", away.url()),
    ];
    write(&["crm,archive", &urls[0], &urls[1]]);
    reload(1);
    service.take(&text_message(2, ANA, "both"));
    assert_eq!(
        crm.wait(1)[0].text(),
        "both",
        "what came before is not for it"
    );
    wait_until("it was tried", || queue(&setup, "archive")["open"] == 1);
    let refused = setup.run(&["inbox", "drop", "--consumer", "archive"]);
    assert!(!refused.status.success());
    write(&["crm", &urls[0], &urls[1]]);
    reload(2);
    service.take(&text_message(3, ANA, "one"));
    assert_eq!(crm.wait(2)[1].text(), "one");
    let archive = queue(&setup, "archive");
    assert_eq!(
        (&archive["open"], &archive["served"]),
        (&json!(1), &json!(false))
    );
    let told = String::from_utf8(setup.run(&["status"]).stdout).unwrap();
    assert!(told.contains("not in OBSERVERS any more"), "{told}");
    // It comes back, and gets what was left for it.
    let archive = away.back(|_| says(200, ""));
    write(&["crm,archive", &urls[0], &urls[1]]);
    reload(3);
    assert_eq!(archive.wait(1)[0].text(), "both");
    service.take(&text_message(4, ANA, "again"));
    assert_eq!(archive.wait(2)[1].text(), "again");
}

#[test]
fn what_is_left_for_a_removed_observer_can_be_dropped() {
    let away = Away::new();
    let url = away.url();
    let settings = [("OBSERVERS", "crm"), ("OBSERVER_CRM_URL", url.as_str())];
    let mut place = Place::new(&settings);
    for n in 0..5 {
        place
            .service
            .take(&text_message(n, if n < 3 { ANA } else { BEN }, "hi"));
    }
    wait_until("they are there", || queue(&place.setup, "crm")["open"] == 5);
    place.service.kill();
    let setup = place.setup.clone().unset("OBSERVERS");
    let _service = setup.serve();
    let dropped = setup.run(&["inbox", "drop", "--consumer", "crm"]);
    let said = String::from_utf8(dropped.stdout).unwrap();
    assert_eq!(said, "5 deliveries to crm are dead letters now\n");
    assert_eq!(queue(&setup, "crm")["open"], 0);
    assert_eq!(deliveries(&setup, 1), json!({"crm": "dead"}));
    let unknown = setup.run(&["inbox", "drop", "--consumer", "crn"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("crn") && !unknown.status.success(), "{said}");
}

#[test]
fn what_one_observer_missed_is_replayed_to_it_alone_and_in_order() {
    let refuses = AtomicBool::new(true);
    let refuses: &'static AtomicBool = Box::leak(Box::new(refuses));
    let bot = App::start(|_| says(200, ""));
    let crm = App::start(move |_| match refuses.load(Ordering::SeqCst) {
        true => says(422, ""),
        false => says(200, ""),
    });
    let urls = [bot.url(), crm.url()];
    let place = Place::new(&[
        ("FORWARD_URL", &urls[0]),
        ("OBSERVERS", "crm"),
        ("OBSERVER_CRM_URL", &urls[1]),
    ]);
    let replay = |arguments: &[&str]| {
        let output = place.setup.run(&[&["inbox", "replay"], arguments].concat());
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).unwrap()
    };
    for n in 0..6 {
        place.service.take(&text_message(n, ANA, &n.to_string()));
    }
    bot.wait(6);
    place.wait_inbox(&["dead"; 6].join(" "));
    refuses.store(false, Ordering::SeqCst);
    let listed = String::from_utf8(place.setup.run(&["inbox", "list"]).stdout).unwrap();
    assert!(
        listed.contains("crm: the observer crm refused it with 422"),
        "{listed}"
    );
    assert!(replay(&["--error", "no such"]).starts_with("0 deliveries"));
    let would = replay(&["--dead", "--since", "1h", "--dry-run"]);
    assert_eq!(would, "6 deliveries would be made again\n");
    assert_eq!(
        replay(&["--error", "422", "--limit", "2"]),
        "2 deliveries will be made again\n"
    );
    crm.wait(8);
    assert_eq!(replay(&["--dead"]), "4 deliveries will be made again\n");
    let expected: Vec<String> = (0..6).map(|n| n.to_string()).collect();
    assert_eq!(texts_of(&crm.wait(12)[6..], ANA), expected);
    place.wait_inbox(&["done"; 6].join(" "));
    let again = replay(&["--consumer", "crm", "--since", "1h"]);
    assert_eq!(again, "6 deliveries will be made again\n");
    let received = crm.wait(18);
    assert_eq!(texts_of(&received[12..], ANA), expected);
    assert_eq!(
        received[0].headers["webhook-id"],
        received[12].headers["webhook-id"]
    );
    assert_eq!(bot.received().len(), 6, "the app had its own");
    let misuses: [(&[&str], &str); 6] = [
        (&["--consumer", "crm"], "--since TIME"),
        (&["--since", "1h"], "name one --consumer"),
        (&["--consumer", "crn", "--since", "1h"], "no consumer crn"),
        (&["--new", "--since", "1h"], "--new needs"),
        (&["--dead", "--since", "noon"], "is no time"),
        (
            &["--consumer", "crm", "--new", "--since", "1h", "--dead"],
            "never got",
        ),
    ];
    for (arguments, part) in misuses {
        let said = replay(arguments);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let new = replay(&["--consumer", "crm", "--new", "--since", "2020-01-01"]);
    assert_eq!(new, "0 deliveries will be made\n");
}
