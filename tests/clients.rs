//! Real client libraries, unmodified, between a customer and the business: programs written with
//! them as their users write them (`tests/clients`) send through the service and receive from it,
//! against the stand-in for Graph.
//!
//! `tests/clients/install` puts the libraries into a folder under `target`. Where they are not
//! installed the tests are skipped, and say so; with `CLIENTS=required` they fail.

mod support;

#[path = "clients/program.rs"]
mod program;

use program::{KEY, Program, is_installed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use support::*;
use wabridge::edge::standin::{Accepted, CallFault, Chance, Faults, StandIn};
use wabridge::wire::sample::{self, Sample};

const NUMBER: &str = "106540300000001";
const CUSTOMER: &str = "15550107001";

/// A service between the stand-in and programs.
struct Stage {
    place: Place,
    standin: StandIn,
    /// Where the API is, without a version.
    api: String,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let standin = graph();
        let own = [("API_KEY", KEY), ("OPERATOR_LISTEN", "127.0.0.1:0")];
        let mut place = Place::with_graph(&standin, &[&own, settings].concat());
        let api = format!("http://{}", place.service.api().address);
        Stage {
            place,
            standin,
            api,
        }
    }

    /// A program that gets the events of a new service, and can call its API.
    fn behind(program: &str, own: &[(&str, &str)], settings: &[(&str, &str)]) -> (Stage, Program) {
        let mut program = Program::start(program, &[], own);
        let app = format!("http://127.0.0.1:{}/hook", program.fact()["port"]);
        let mut all = vec![("FORWARD_URL", app.as_str())];
        all.extend(settings);
        let stage = Stage::new(&all);
        program.tell(&stage.api);
        (stage, program)
    }

    /// The customer's `n`th message comes, signed as Meta signs.
    fn write(&self, n: u64, kind: &str, text: &str, about: Option<&str>) {
        let sample = Sample {
            from: CUSTOMER,
            user_id: Some(&sample::bsuid(CUSTOMER)),
            name: "Zoë Ødegård",
            text,
            id: &sample::wamid(n, CUSTOMER),
            timestamp: now_s(),
            about,
            ..Sample::default()
        };
        let notification = sample::notification(kind, &sample).unwrap();
        // Samples have ids of their own for what is tapped.
        let notification = notification.replace("button-1", "tea");
        self.standin.deliver(&notification).unwrap();
    }

    /// Plays these kinds of message with a program, and gives what it said of each.
    fn play(&self, program: &str, kinds: &[&str], key: &str) -> Vec<Value> {
        let file = self.place.folder.path().join("cup.jpg");
        if !file.exists() {
            std::fs::write(&file, picture()).unwrap();
        }
        let settings = [
            ("API", self.api.as_str()),
            ("API_KEY", key),
            ("FILE", file.to_str().unwrap()),
        ];
        Program::start(program, kinds, &settings).finish()
    }
}

/// The kinds of message that every library knows, and what has to reach Graph of each.
fn messages() -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
    let earlier = sample::wamid(1, CUSTOMER);
    let question = |kind: &str| {
        vec![
            ("/type", json!("interactive")),
            ("/interactive/type", json!(kind)),
            ("/interactive/body/text", json!("Tea or coffee?")),
        ]
    };
    let mut buttons = question("button");
    buttons.push(("/interactive/action/buttons/1/reply/id", json!("coffee")));
    let mut list = question("list");
    list.push((
        "/interactive/action/sections/0/rows/1/title",
        json!("Coffee"),
    ));
    vec![
        ("text", vec![("/text/body", json!("Grüße ☕"))]),
        (
            "reply",
            vec![
                ("/text/body", json!("Yes")),
                ("/context/message_id", json!(earlier)),
            ],
        ),
        (
            "image by id",
            vec![
                ("/image/id", json!("1234567")),
                ("/image/caption", json!("A cup")),
            ],
        ),
        (
            "image by link",
            vec![("/image/link", json!("https://shop.example/cup.jpg"))],
        ),
        ("buttons", buttons),
        ("list", list),
        (
            "template",
            vec![
                ("/template/name", json!("order_ready")),
                ("/template/language/code", json!("en_US")),
                ("/template/components/0/parameters/0/text", json!("17")),
            ],
        ),
        (
            "reaction",
            vec![
                ("/reaction/emoji", json!("👍")),
                ("/reaction/message_id", json!(earlier)),
            ],
        ),
        (
            "location",
            vec![
                ("/location/longitude", json!(-0.125)),
                ("/location/address", json!("1 High Street")),
            ],
        ),
        (
            "contacts",
            vec![("/contacts/0/name/formatted_name", json!("Robin Sample"))],
        ),
    ]
}

/// What a body says at a place. Some libraries write numbers as texts, and whatsapp-api-js writes a
/// list of contacts as one: Graph takes all of these.
fn said(body: &Value, pointer: &str) -> Value {
    let meant = |value: &Value| match value.as_str().map(serde_json::from_str) {
        Some(Ok(inner @ (Value::Array(_) | Value::Number(_)))) => inner,
        _ => value.clone(),
    };
    let mut body = body.clone();
    if let Some(contacts) = body.get_mut("contacts") {
        *contacts = meant(contacts);
    }
    let found = body.pointer(pointer).unwrap_or(&Value::Null);
    match pointer.starts_with("/location") {
        true => meant(found),
        false => found.clone(),
    }
}

/// Whatever a library sends reaches Graph as meant and in order, and the library gets Graph's ids.
fn check_sends(program: &str, receipts: &[&str]) {
    if !is_installed() {
        return;
    }
    let stage = Stage::new(&[]);
    let expected = messages();
    let mut kinds: Vec<&str> = expected.iter().map(|(kind, _)| *kind).collect();
    let facts = stage.play(program, &kinds, KEY);
    let accepted = stage.standin.accepted();
    assert_eq!(facts.len(), expected.len(), "{facts:?}");
    assert_eq!(accepted.len(), expected.len());
    for ((fact, accepted), (kind, parts)) in facts.iter().zip(&accepted).zip(&expected) {
        assert_eq!(fact["kind"], *kind);
        assert_eq!(fact["gave"], accepted.wamid, "{fact}");
        assert_eq!((&*accepted.number, &*accepted.to), (NUMBER, CUSTOMER));
        for (pointer, value) in parts {
            let found = said(&accepted.body, pointer);
            assert_eq!(found, *value, "{kind}: {pointer} in {}", accepted.body);
        }
    }

    kinds = receipts.to_vec();
    let facts = stage.play(program, &kinds, KEY);
    for (fact, kind) in facts.iter().zip(&kinds) {
        assert_eq!(*fact, json!({"kind": kind, "gave": true}));
    }
    let marks: Vec<bool> = stage.standin.receipts().iter().map(|r| r.typing).collect();
    let typing: Vec<bool> = kinds.iter().map(|kind| *kind == "typing").collect();
    assert_eq!(marks, typing);

    // What is refused here and what is refused there are the library's errors alike.
    let not_listed = CallFault::Refused(400, 131_030, "not on the list".into());
    let faults = Faults::none().call(Chance::Next(1), not_listed);
    stage.standin.set_faults(faults);
    let facts = stage.play(program, &["nowhere", "text"], KEY);
    assert_eq!(facts[0], json!({"kind": "nowhere", "code": 131_009}));
    assert_eq!(facts[1], json!({"kind": "text", "code": 131_030}));
    let facts = stage.play(program, &["text"], "no-key-of-ours");
    assert_eq!(facts, [json!({"kind": "text", "code": 190})]);
    assert_eq!(stage.standin.accepted().len(), expected.len());
}

#[test]
fn pywa_sends() {
    check_sends("pywa_sends.py", &["read", "typing"]);
}

#[test]
fn heyoo_sends() {
    check_sends("heyoo_sends.py", &["read"]);
}

#[test]
fn whatsapp_api_js_sends() {
    check_sends("whatsapp-api-js_sends.mjs", &["read", "typing"]);
}

#[test]
fn kapso_sends() {
    check_sends("kapso_sends.mjs", &["read", "typing"]);
}

/// Bytes of all values and as many as a photograph has: more than fit into any buffer.
fn picture() -> Vec<u8> {
    let bytes = (0..300_000).flat_map(|n| sample::mix(n).to_le_bytes());
    [0xff, 0xd8, 0xff].into_iter().chain(bytes).collect()
}

/// A file goes up, out, down again unharmed, and away.
fn check_files(program: &str) {
    if !is_installed() {
        return;
    }
    let stage = Stage::new(&[]);
    let facts = stage.play(program, &["file"], KEY);
    let accepted = stage.standin.accepted().remove(0);
    let id = &accepted.body["image"]["id"];
    let gave = json!({"id": id, "sent": accepted.wamid, "same": true, "deleted": true});
    assert_eq!(facts, [json!({"kind": "file", "gave": gave})]);
}

#[test]
fn pywa_sends_and_fetches_files() {
    check_files("pywa_sends.py");
}

#[test]
fn heyoo_sends_and_fetches_files() {
    check_files("heyoo_sends.py");
}

#[test]
fn whatsapp_api_js_sends_and_fetches_files() {
    check_files("whatsapp-api-js_sends.mjs");
}

#[test]
fn kapso_sends_and_fetches_files() {
    check_files("kapso_sends.mjs");
}

/// Calls that are no messages: what Graph says, and that it knows no such file, reaches the library.
#[test]
fn other_calls_are_passed_on_for_each_library() {
    if !is_installed() {
        return;
    }
    let stage = Stage::new(&[]);
    for (program, kinds) in [
        ("pywa_sends.py", &["no file", "block"][..]),
        ("whatsapp-api-js_sends.mjs", &["no file", "block"]),
        ("kapso_sends.mjs", &["no file"]),
    ] {
        let facts = stage.play(program, kinds, KEY);
        let expected = [
            json!({"kind": "no file", "code": 100}),
            json!({"kind": "block", "gave": 1}),
        ];
        assert_eq!(facts, expected[..kinds.len()], "{program}");
    }
}

/// When Graph takes longer than `API_WAIT` the library gets our id, in a form it can read, and the
/// message goes out all the same.
#[test]
fn each_library_can_read_the_answer_for_a_message_that_waits() {
    if !is_installed() {
        return;
    }
    let stage = Stage::new(&[("API_WAIT", "1s")]);
    let programs = [
        "pywa_sends.py",
        "heyoo_sends.py",
        "whatsapp-api-js_sends.mjs",
        "kapso_sends.mjs",
    ];
    for (index, program) in programs.into_iter().enumerate() {
        let slow = CallFault::StallAfter(Duration::from_secs(3));
        let faults = Faults::none().call(Chance::Next(1), slow);
        stage.standin.set_faults(faults);
        let facts = stage.play(program, &["text"], KEY);
        let id = facts[0]["gave"].as_str().expect("an id of ours");
        assert!(id.parse::<u64>().is_ok(), "{program}: {id}");
        assert!(stage.standin.wait_accepted(index + 1, PATIENCE));
        stage.place.wait_outbox(&vec!["read"; index + 1].join(" "));
    }
}

/// From a customer's message to the status of the answer, with no more of a library than its users
/// write: it checks the signature, reads the envelope, answers through the API, and knows the
/// statuses for its own.
fn check_round_trip(program: &str) {
    if !is_installed() {
        return;
    }
    let (stage, mut bot) = Stage::behind(program, &[], &[]);
    let read_by = |bot: &mut Program, id: &str, tracker: &str| {
        for status in ["sent", "delivered", "read"] {
            let expected = json!({"status": status, "of": id, "tracker": tracker});
            assert_eq!(bot.fact(), expected);
        }
    };

    let words = "Olá ☕ \"hi\" </\u{1f600}>";
    stage.write(1, "text", words, None);
    let question = stage.standin_accepted(&mut bot, words);
    assert_eq!(
        question.body["interactive"]["body"]["text"],
        "Zoë Ødegård, tea or coffee?"
    );
    let asked = sample::wamid(1, CUSTOMER);
    assert_eq!(question.body["context"]["message_id"], *asked);
    read_by(&mut bot, &question.wamid, "question");

    stage.write(2, "button-reply", "Tea", Some(&question.wamid));
    let order = stage.standin_accepted(&mut bot, "tea");
    assert_eq!(order.body["text"]["body"], "One Tea.");
    read_by(&mut bot, &order.wamid, "order");

    stage.place.wait_inbox(&["done"; 8].join(" "));
    assert_eq!(stage.standin.accepted().len(), 2);
    let receipts = stage.standin.receipts();
    let marked: Vec<_> = receipts.iter().map(|r| (&r.message_id, r.typing)).collect();
    assert_eq!(marked, [(&asked, true)]);
}

impl Stage {
    /// What the program sent for what the customer wrote or tapped.
    fn standin_accepted(&self, bot: &mut Program, got: &str) -> Accepted {
        let fact = bot.fact();
        let sent = self.standin.accepted().pop().expect("a message");
        let expected = json!({"got": got, "sender": CUSTOMER, "sent": sent.wamid});
        assert_eq!(fact, expected);
        sent
    }
}

#[test]
fn pywa_gets_events_answers_and_gets_the_statuses() {
    check_round_trip("pywa_bot.py");
}

#[test]
fn whatsapp_api_js_gets_events_answers_and_gets_the_statuses() {
    check_round_trip("whatsapp-api-js_bot.mjs");
}

#[test]
fn pywa_reads_every_kind_of_event() {
    if !is_installed() {
        return;
    }
    let (stage, bot) = Stage::behind("pywa_bot.py", &[], &[]);
    // pywa looks for the contacts of a failed status, and Meta sends none (BSUID page).
    let kinds = sample::KINDS
        .iter()
        .filter(|kind| kind.name != "status-failed");
    for (n, kind) in kinds.enumerate() {
        stage.write(n as u64, kind.name, "Hello", None);
    }
    wait_until("all are done", || {
        let states = stage.place.inbox_words("state");
        states.split(' ').all(|state| state == "done")
    });
    let complaints: Vec<Value> = bot
        .said()
        .filter(|fact| fact.get("complaint").is_some())
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

const FORWARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// The library takes our signatures of Standard Webhooks, and the app's answer is a reply.
fn check_signatures(program: &str) {
    if !is_installed() {
        return;
    }
    let secret = ("FORWARD_SECRET", FORWARD_SECRET);
    let (stage, mut app) = Stage::behind(program, &[secret], &[secret]);
    stage.write(1, "text", "hello é", None);
    let mut ids = BTreeSet::new();
    // The message, and the three statuses of the reply.
    for got in [json!(["hello é"]), json!([]), json!([]), json!([])] {
        let fact = app.fact();
        assert_eq!(fact["got"], got);
        ids.insert(fact["id"].to_string());
    }
    assert_eq!(ids.len(), 4);
    assert_eq!(stage.standin.accepted()[0].body["text"]["body"], "Grüße");
    stage.place.wait_inbox(&["done"; 4].join(" "));
}

#[test]
fn standardwebhooks_of_python_takes_our_signatures() {
    check_signatures("standardwebhooks_app.py");
}

#[test]
fn standardwebhooks_of_node_takes_our_signatures() {
    check_signatures("standardwebhooks_app.mjs");
}

/// The libraries above do check: with other secrets they refuse what we sign.
#[test]
fn each_library_refuses_a_signature_by_another_secret() {
    if !is_installed() {
        return;
    }
    let other = "whsec_QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD";
    for program in [
        "pywa_bot.py",
        "whatsapp-api-js_bot.mjs",
        "standardwebhooks_app.py",
        "standardwebhooks_app.mjs",
    ] {
        let own = [("APP_SECRET", "another"), ("FORWARD_SECRET", other)];
        let ours = [("FORWARD_SECRET", FORWARD_SECRET)];
        let (stage, _app) = Stage::behind(program, &own, &ours);
        stage.write(1, "text", "hello", None);
        stage.place.wait_inbox("dead");
        assert!(stage.standin.accepted().is_empty(), "{program}");
    }
}
