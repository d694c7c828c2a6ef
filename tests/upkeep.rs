//! What is old goes, and who is to be forgotten: by the real binary, within the
//! running service and beside it.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::*;
use wabridge::config::{Limits, Tokens};
use wabridge::gateway::{Gateway, Wants};
use wabridge::store::{Access, Database};
use wabridge::wire::notification;

const NUMBER: &str = "106540300000001";
const ANN: &str = "15550107001";
const BOB: &str = "15550107002";
const ANSWER: &str = r#"{"messages":[{"type":"text","text":{"body":"an answer"}}]}"#;
const DAY_MS: i64 = 24 * 3_600_000;

/// Writes notifications into the database of a service that does not run, as if
/// they had come so many days ago; each is for the bot, or for nobody.
fn came(setup: &Setup, days_ago: i64, wants: Wants, bodies: &[String]) {
    // As a visitor: a program that another test starts would hold the service's lock for
    // a moment longer.
    let mut database = Database::open(&database(setup), Access::Visit).unwrap();
    let now = now_s() * 1_000 - days_ago * DAY_MS;
    let stored = database.commit(|tx| {
        let gateway = Gateway::open(tx, Limits::default(), wants, &Tokens::default())?;
        for body in bodies {
            let events = notification::read(body.as_bytes()).unwrap();
            gateway.receive(tx, now, &events)?;
        }
        Ok(())
    });
    stored.unwrap();
}

fn database(setup: &Setup) -> PathBuf {
    PathBuf::from(&setup.env["DATABASE_URL"])
}

fn texts(from: u64, count: u64, phone: &str) -> Vec<String> {
    let one = |n| text_message(n, phone, "an old word");
    (from..from + count).map(one).collect()
}

/// Everything in the database's file and in the log beside it.
fn bytes(setup: &Setup) -> Vec<u8> {
    let path = database(setup);
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let mut bytes = fs::read(path).unwrap();
    bytes.extend(fs::read(log).unwrap_or_default());
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

fn run(setup: &Setup, args: &[&str], code: i32, said: &str) -> String {
    let output = setup.run(args);
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    assert!(text.contains(said), "{args:?}: {text}");
    text
}

fn picture(n: u64, from: &str) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
        "field": "messages", "value": {"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
        "contacts": [{"wa_id": from, "profile": {"name": "Somebody Nice"}}],
        "messages": [{"from": from, "id": format!("wamid.picture{n}"),
            "timestamp": now_s().to_string(), "type": "image", "image": {"id": n.to_string()}}]}}]}]})
    .to_string()
}

#[test]
fn what_is_older_than_retention_days_goes_while_the_service_runs() {
    let folder = Folder::new();
    let app = App::start(|_| says(200, ""));
    let setup = Setup::new(folder.path())
        .set("FORWARD_URL", &app.url())
        .set("FORWARD_MAX_AGE", "400d")
        .set("RETENTION_DAYS", "30");
    drop(setup.serve());
    came(&setup, 31, Wants::Nothing, &texts(1, 450, ANN));
    came(&setup, 29, Wants::Nothing, &texts(1_000, 3, ANN));
    let mut service = setup.serve();
    service.take(&text_message(2_000, BOB, "now"));
    let said = service.wait_for_log("older than RETENTION_DAYS");
    assert!(
        said.contains("events=450 messages=0 files=0 kept=0"),
        "{said}"
    );
    let rows = setup.json(&["inbox", "list", "--limit", "10000", "--json"]);
    assert_eq!(rows.len(), 4, "{rows:?}");
    // It is known all the same.
    service.take(&texts(1, 1, ANN)[0]);
    let rows = setup.json(&["inbox", "list", "--limit", "10000", "--json"]);
    assert_eq!(rows.len(), 4, "{rows:?}");
}

#[test]
fn pruning_by_hand_leaves_what_is_open_and_keeps_nobody_waiting() {
    let folder = Folder::new();
    let away = Away::new();
    let setup = Setup::new(folder.path())
        .set("FORWARD_URL", &away.url())
        .set("FORWARD_MAX_AGE", "400d")
        .set("RETENTION_DAYS", "0");
    drop(setup.serve());
    came(&setup, 40, Wants::Nothing, &texts(1, 1_500, ANN));
    // The app is not there to take it.
    came(&setup, 40, Wants::Messages, &texts(5_000, 1, BOB));
    came(&setup, 40, Wants::Nothing, &texts(6_000, 1_500, ANN));
    let service = setup.serve();
    run(&setup, &["prune"], 2, "say --older-than");
    run(&setup, &["prune", "--older-than", "1d"], 2, "less than 2d");
    run(&setup, &["prune", "--older-than", "soon"], 2, "30d");
    let month = ["prune", "--older-than", "30d", "--json"];
    let dry = setup.json(&[&month[..], &["--dry-run"]].concat()).remove(0);
    let expected = json!({"events": 3_000, "messages": 0, "files": 0, "kept": 1});
    assert_eq!(dry, expected);
    std::thread::scope(|scope| {
        let pruned = scope.spawn(|| setup.json(&month).remove(0));
        for n in 0..100 {
            service.take(&text_message(10_000 + n, BOB, "now"));
        }
        assert_eq!(pruned.join().unwrap(), expected);
    });
    let rows = setup.json(&["inbox", "list", "--limit", "10000", "--json"]);
    assert_eq!(rows.len(), 101);
    run(&setup, &["check"], 0, "");
}

#[test]
fn files_go_with_their_messages_unless_another_has_the_same() {
    let graph = graph();
    let folder = Folder::new();
    let setup = Setup::new(folder.path())
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &graph.url())
        .set("MEDIA_DIR", "files");
    let service = setup.serve();
    let ids: Vec<String> = (0..3)
        .map(|n| {
            let content = if n == 0 { b"one" } else { b"two" };
            graph.add_media(NUMBER, "image/jpeg", content.to_vec())
        })
        .collect();
    for (n, from) in [(0, ANN), (1, ANN), (2, BOB)] {
        let id: &String = &ids[n];
        service.take(&picture(id.parse().unwrap(), from));
    }
    let files = || fs::read_dir(folder.path().join("files")).unwrap().count() - 1;
    wait_until("both files are there", || {
        files() == 2 && setup.open_jobs() == 0
    });
    // Who does not say where they are would leave them there.
    let elsewhere = setup.clone().unset("MEDIA_DIR");
    let where_are_they = "MEDIA_DIR is not set, and there are customers' files";
    run(&elsewhere, &["forget", ANN, "--yes"], 1, where_are_they);
    run(&elsewhere, &["prune"], 1, where_are_they);
    let said = run(
        &setup,
        &["forget", ANN, "--yes"],
        0,
        "2 events, 0 messages and 1 files",
    );
    assert!(said.contains("106540300000001/15550107001"), "{said}");
    assert_eq!(files(), 1, "Bob's is the same as one of Ann's");
    run(
        &setup,
        &["forget", BOB, "--yes"],
        0,
        "1 events, 0 messages and 1 files",
    );
    assert_eq!(files(), 0);
}

#[test]
fn nothing_is_left_of_who_was_forgotten() {
    let graph = graph();
    let app = App::start(|_| says(200, ANSWER));
    let folder = Folder::new();
    let setup = Setup::new(folder.path())
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &graph.url())
        .set("FORWARD_URL", &app.url());
    let service = setup.serve();
    for n in 0..30 {
        service.take(&text_message(n, ANN, "a secret word"));
    }
    service.take(&text_message(100, BOB, "another word"));
    wait_until("all is answered", || {
        setup.open_jobs() == 0 && graph.accepted().len() == 31
    });
    let rows = setup
        .json(&["inbox", "list", "--limit", "1000", "--json"])
        .len();
    run(&setup, &["forget", ANN], 1, "say --yes");
    let still = setup
        .json(&["inbox", "list", "--limit", "1000", "--json"])
        .len();
    assert!(still >= rows);
    let said = run(
        &setup,
        &["forget", "+1 555 010 7001", "--yes"],
        0,
        "30 messages",
    );
    assert!(!said.contains("the log beside"), "{said}");
    let bytes = bytes(&setup);
    for gone in [ANN, "a secret word"] {
        assert!(!holds(&bytes, gone), "{gone} is still in the file");
    }
    assert!(holds(&bytes, "another word") && holds(&bytes, BOB));
    run(
        &setup,
        &["forget", ANN, "--yes"],
        1,
        "nothing is known of this person",
    );
    // Life goes on, for both.
    service.take(&text_message(0, ANN, "a secret word"));
    service.take(&text_message(200, ANN, "I am back"));
    wait_until("she is answered again", || graph.accepted().len() == 32);
    run(&setup, &["check"], 0, "");
}

#[test]
fn what_is_open_of_who_is_forgotten_is_neither_delivered_nor_sent() {
    let graph = graph();
    let open = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let (is_open, ask) = (Arc::clone(&open), Arc::clone(&asked));
    let app = App::start(move |_| {
        ask.fetch_add(1, Ordering::SeqCst);
        wait_until("the app may go on", || is_open.load(Ordering::SeqCst));
        says(200, ANSWER)
    });
    let folder = Folder::new();
    let setup = Setup::new(folder.path())
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &graph.url())
        .set("FORWARD_URL", &app.url());
    let service = setup.serve();
    for n in 0..3 {
        service.take(&text_message(n, ANN, "hello"));
    }
    wait_until("the app has the first", || {
        asked.load(Ordering::SeqCst) == 1
    });
    let said = setup.json(&["forget", ANN, "--yes", "--json"]).remove(0);
    let expected: Value = json!({"conversations": [format!("{NUMBER}/{ANN}")],
        "events": 3, "messages": 0, "open": 3, "files": 0});
    assert_eq!(said, expected);
    open.store(true, Ordering::SeqCst);
    service.take(&text_message(10, BOB, "hello"));
    wait_until("Bob is answered", || graph.accepted().len() == 1);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "none of Ann's came after the first"
    );
    // Graph has the answer a moment before its commit.
    wait_until("nothing is open", || setup.open_jobs() == 0);
}
