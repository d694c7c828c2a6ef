//! The customer service window and the order after files, by the real binary:
//! what a caller hears, what Graph gets, what an operator sees.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn, StatusFault};
use wabridge::wire::sample::{self, Sample};

const NUMBER: &str = "106540300000001";
const ANA: &str = "15550107001";
const DAY: i64 = 86_400;

struct Stage {
    place: Place,
    standin: StandIn,
    api: Api,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let standin = graph();
        let mut place = Place::with_graph(&standin, &[&API, settings].concat());
        let api = place.service.api();
        Stage {
            place,
            standin,
            api,
        }
    }

    /// Ana wrote so many seconds ago, and Meta tells it now.
    fn ana_wrote(&self, seconds_ago: i64) {
        let sample = Sample {
            from: ANA,
            id: &sample::wamid(seconds_ago as u64, ANA),
            timestamp: now_s() - seconds_ago,
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        self.place.service.take(&body);
    }

    fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.api
            .call(method, &format!("/v26.0/{NUMBER}/{path}"), body)
    }

    fn send(&self, content: Value) -> (u16, Value) {
        let mut body = json!({"messaging_product": "whatsapp", "to": ANA});
        for (key, value) in content.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.call("POST", "messages", &body.to_string())
    }

    fn window(&self) -> Value {
        let (status, mut answer) = self.call("GET", &format!("windows/{ANA}"), "");
        assert_eq!(status, 200);
        answer["window"].take()
    }

    /// Types of what reached Graph, in order.
    fn types(&self) -> Vec<String> {
        let accepted = self.standin.accepted();
        let types = accepted.iter().map(|a| a.body["type"].as_str());
        types.map(|type_| type_.unwrap().to_owned()).collect()
    }
}

fn text(body: &str) -> Value {
    json!({"type": "text", "text": {"body": body}})
}

#[test]
fn what_comes_too_late_is_refused_at_once_with_graphs_131047() {
    let stage = Stage::new(&[]);
    assert_eq!(
        stage.window(),
        json!({"open": null, "until": null, "kind": "unknown"})
    );
    assert_eq!(stage.send(text("to a stranger")).0, 200, "Graph decides");
    stage.ana_wrote(DAY + 60);
    let window = stage.window();
    assert_eq!(
        (&window["open"], &window["kind"]),
        (&json!(false), &json!("customer_service"))
    );
    let (status, answer) = stage.send(text("too late"));
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!(131_047)),
        "{answer}"
    );
    assert_eq!(answer["error"]["type"], "OAuthException");
    let template =
        json!({"type": "template", "template": {"name": "n", "language": {"code": "en"}}});
    assert_eq!(stage.send(template).0, 200);
    // The command line goes by the same door.
    let args = ["send", "--from", NUMBER, "--to", ANA, "too late as well"];
    let output = stage.place.setup.run(&args);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("24 hours"), "{told}");
    assert_eq!(stage.types(), ["text", "template"]);
    // She writes, and everything goes again.
    stage.ana_wrote(60);
    assert_eq!(stage.window()["open"], true);
    assert_eq!(stage.send(text("in time")).0, 200);
    let shown = stage
        .place
        .setup
        .json(&["window", "+1 (555) 010-7001", "--json"]);
    assert_eq!(shown.len(), 1);
    let (open, number) = (&shown[0]["open"], &shown[0]["number"]);
    assert_eq!((open, number), (&json!(true), &json!(NUMBER)));
    let (status, answer) = stage.call("DELETE", &format!("windows/{ANA}"), "");
    assert_eq!((status, &answer["error"]["code"]), (405, &json!(100)));
}

#[test]
fn a_reply_of_the_app_is_refused_alike() {
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        text => says(
            200,
            json!({"messages": [{"type": "text", "text": {"body": text}}]}).to_string(),
        ),
    });
    let stage = Stage::new(&[("FORWARD_URL", &app.url())]);
    stage.ana_wrote(DAY + 60);
    stage.place.wait_outbox("failed");
    let error = stage.place.outbox_words("error");
    assert!(error.starts_with("131047: "), "{error}");
    assert!(stage.types().is_empty());
}

#[test]
fn a_template_takes_the_place_of_what_comes_too_late() {
    let stage = Stage::new(&[("WINDOW_TEMPLATE", "we_answered/en_US/text")]);
    stage.ana_wrote(DAY + 60);
    let (status, answer) = stage.send(text("first line\n\nsecond"));
    assert_eq!(status, 200, "{answer}");
    let accepted = stage.standin.accepted().remove(0);
    let template = &accepted.body["template"];
    assert_eq!(template["name"], "we_answered");
    let gap = &template["components"][0]["parameters"][0]["text"];
    assert_eq!(gap, "first line second");
    let row = stage
        .place
        .setup
        .json(&["outbox", "show", "1", "--json"])
        .remove(0);
    assert_eq!(row["body"]["text"]["body"], "first line\n\nsecond");
    assert_eq!(row["substitute"]["template"]["name"], "we_answered");
    assert_eq!(
        (&row["type"], &row["sent_as"]),
        (&json!("text"), &json!("template"))
    );
}

#[test]
fn what_follows_a_file_waits_for_its_status() {
    let stage = Stage::new(&[("KEEP_MEDIA_ORDER", "true")]);
    let late = StatusFault::Late(Duration::from_millis(1_500));
    stage
        .standin
        .set_faults(Faults::none().status(Chance::Next(1), late));
    let image = json!({"type": "image", "image": {"link": "https://example.com/a.png"}});
    assert_eq!(stage.send(image).0, 200);
    assert_eq!(stage.send(text("below it")).0, 200);
    let [file, below]: [Instant; 2] = stage
        .standin
        .accepted()
        .iter()
        .map(|a| a.at)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    // The stand-in sends no status of the file before this.
    assert!(below - file >= Duration::from_millis(1_500));
    assert_eq!(stage.types(), ["image", "text"]);
}

#[test]
fn a_file_without_a_status_holds_the_rest_up_for_seconds_only() {
    let stage = Stage::new(&[("KEEP_MEDIA_ORDER", "true")]);
    stage
        .standin
        .set_faults(Faults::none().status(Chance::Always, StatusFault::Silent));
    let sticker = json!({"type": "sticker", "sticker": {"link": "https://example.com/a.webp"}});
    assert_eq!(stage.send(sticker).0, 200);
    stage.send(text("below it"));
    assert!(stage.standin.wait_accepted(2, PATIENCE));
    assert_eq!(stage.types(), ["sticker", "text"]);
}

/// What a caller hears who waits for a message that Graph puts off.
fn waits_for_what_is_put_off(stage: &Stage) -> (u16, Value) {
    let always = Faults::none().call(Chance::Always, CallFault::PairLimited);
    stage.standin.set_faults(always);
    stage.send(text("put off"))
}

#[test]
fn a_caller_who_waits_hears_that_the_window_closed_in_the_meantime() {
    let stage = Stage::new(&[("API_WAIT", "60s")]);
    // Ten seconds before Meta's end it is over; a slow machine may be later than that.
    for left in [2, 4, 8, 16] {
        stage.ana_wrote(DAY - 10 - left);
        let calls = stage.standin.tally().calls;
        let (status, answer) = waits_for_what_is_put_off(&stage);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(131_047)),
            "{answer}"
        );
        if stage.standin.tally().calls > calls {
            return assert!(stage.types().is_empty());
        }
    }
    panic!("it was always too late before the first attempt");
}

#[test]
fn a_caller_who_waits_hears_that_the_message_grew_too_old() {
    let stage = Stage::new(&[("API_WAIT", "60s"), ("SEND_MAX_AGE", "1s")]);
    let (status, answer) = waits_for_what_is_put_off(&stage);
    assert_eq!(status, 400, "{answer}");
    let told = answer["error"]["message"].as_str().unwrap();
    assert!(told.contains("SEND_MAX_AGE"), "{told}");
    assert!(stage.types().is_empty());
}
