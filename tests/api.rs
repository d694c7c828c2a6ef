//! The Graph-compatible API of the real binary, against the stand-in for Graph.

mod support;

use serde_json::{Value, json};
use std::io::BufReader;
use std::net::TcpStream;
use std::time::Duration;
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn};

const NUMBER: &str = "106540300000001";

struct Stage {
    place: Place,
    standin: StandIn,
    api: Api,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let standin = graph();
        let keys = format!("other-key, {API_KEY}");
        let own = [
            ("API_KEY", keys.as_str()),
            ("OPERATOR_LISTEN", "127.0.0.1:0"),
            ("RECONCILE_WINDOW", "2s"),
        ];
        let mut place = Place::with_graph(&standin, &[&own, settings].concat());
        let api = place.service.api();
        Stage {
            place,
            standin,
            api,
        }
    }

    fn send(&self, text: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let body = json!({"messaging_product": "whatsapp", "to": "+1 555 010 7001",
            "type": "text", "text": {"body": text}});
        self.api.call_with(
            "POST",
            &format!("/v23.0/{NUMBER}/messages"),
            headers,
            &body.to_string(),
        )
    }

    fn has_queued_nothing(&self) {
        let rows = self.place.setup.json(&["outbox", "list", "--json"]);
        assert!(rows.is_empty(), "{rows:?}");
    }
}

#[test]
fn a_message_is_sent_and_graphs_own_answer_comes_back() {
    let stage = Stage::new(&[]);
    let (status, answer) = stage.send("hello", &[]);
    assert_eq!(status, 200, "{answer}");
    let accepted = stage.standin.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(answer["messages"][0]["id"], accepted[0].wamid.as_str());
    assert_eq!(answer["contacts"][0]["wa_id"], "15550107001");
    let wamid = &accepted[0].wamid;
    wait_until("read", || {
        let (status, shown) = stage.api.call("GET", &format!("/v23.0/{wamid}"), "");
        assert_eq!(status, 200);
        shown["state"] == "read"
    });
}

#[test]
fn who_bears_no_key_gets_graphs_401_and_nothing_is_stored() {
    let stage = Stage::new(&[]);
    let path = format!("/v23.0/{NUMBER}/messages");
    for headers in [
        &[][..],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", API_KEY)],
    ] {
        let answer = request(stage.api.address, "POST", &path, headers, b"{}").unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["code"]), (401, &json!(190)));
        assert_eq!(body["error"]["type"], "OAuthException");
    }
    stage.has_queued_nothing();
    // The API is not on the webhook's listener, nor the webhook on the API's.
    assert_eq!(
        stage
            .place
            .service
            .request("POST", &path, &[], b"{}")
            .status,
        404
    );
    assert_eq!(stage.api.call("POST", "/webhook", "{}").0, 404);
}

#[test]
fn respond_async_answers_at_once_with_an_id_to_ask_by() {
    let stage = Stage::new(&[]);
    let (status, answer) = stage.send("later", &[("Prefer", "respond-async")]);
    assert_eq!(status, 202, "{answer}");
    let contact = json!({"input": "+1 555 010 7001", "wa_id": "15550107001"});
    assert_eq!(answer["contacts"], json!([contact]));
    let id = answer["messages"][0]["id"].as_str().unwrap();
    wait_until("accepted", || {
        let (_, shown) = stage.api.call("GET", &format!("/v26.0/{id}"), "");
        shown["wamid"].is_string()
    });
}

#[test]
fn the_same_idempotency_key_makes_one_message() {
    let stage = Stage::new(&[]);
    let key = [("Idempotency-Key", "order-17")];
    let first = stage.send("once", &key);
    let second = stage.send("once", &key);
    assert_eq!(first, second);
    assert_eq!(stage.standin.accepted().len(), 1);
    let (status, answer) = stage.send("something else", &key);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(stage.standin.accepted().len(), 1);
}

#[test]
fn graphs_refusal_is_passed_on_as_it_is() {
    let stage = Stage::new(&[]);
    let refused = CallFault::Refused(400, 131_030, "not on the list".into());
    stage
        .standin
        .set_faults(Faults::none().call(Chance::Next(1), refused));
    let (status, answer) = stage.send("hello", &[]);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!(131_030)),
        "{answer}"
    );
}

#[test]
fn a_caller_waits_no_longer_than_api_wait_and_the_message_goes_out_later() {
    let stage = Stage::new(&[("API_WAIT", "1s")]);
    let stalled = CallFault::StallAfter(Duration::from_secs(4));
    stage
        .standin
        .set_faults(Faults::none().call(Chance::Next(1), stalled));
    let (status, answer) = stage.send("slow", &[]);
    assert_eq!(status, 202, "{answer}");
    let id = answer["messages"][0]["id"].as_str().unwrap().to_owned();
    wait_until("sent", || {
        let (_, shown) = stage.api.call("GET", &format!("/v26.0/{id}"), "");
        shown["wamid"].is_string()
    });
    assert_eq!(stage.standin.accepted().len(), 1);
}

#[test]
fn read_marks_are_passed_on() {
    let stage = Stage::new(&[]);
    let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X",
        "typing_indicator": {"type": "text"}});
    let path = format!("/v23.0/{NUMBER}/messages");
    let (status, answer) = stage.api.call("POST", &path, &body.to_string());
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    assert!(stage.standin.receipts()[0].typing);
    // As soon as it is stored, too: a library looks for nothing but the success.
    let at_once = [("Prefer", "respond-async")];
    let (status, answer) = stage
        .api
        .call_with("POST", &path, &at_once, &body.to_string());
    assert_eq!((status, &answer["success"]), (202, &json!(true)));
}

#[test]
fn bad_requests_are_refused_in_graphs_envelope() {
    let stage = Stage::new(&[]);
    let path = format!("/v23.0/{NUMBER}/messages");
    let cases = [
        ("POST", path.as_str(), "not json", 400),
        ("POST", &path, "[]", 400),
        (
            "POST",
            &path,
            r#"{"messaging_product":"whatsapp","to":"1","type":"text"}"#,
            400,
        ),
        ("GET", &path, "", 405),
        ("GET", "/v23.0/999", "", 404),
        ("GET", "/v23.0/wamid.unknown", "", 404),
        ("GET", "/nothing", "", 404),
        ("DELETE", "/v23.0/1", "", 405),
    ];
    for (method, path, body, expected) in cases {
        let (status, answer) = stage.api.call(method, path, body);
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["error"]["code"].is_i64(), "{answer}");
    }
    stage.has_queued_nothing();
}

#[test]
fn many_callers_at_once_are_all_answered_and_each_message_goes_out_once() {
    let stage = Stage::new(&[("RATE_PER_NUMBER", "1000")]);
    std::thread::scope(|scope| {
        for n in 0..40 {
            let stage = &stage;
            scope.spawn(move || {
                let body = json!({"messaging_product": "whatsapp", "to": format!("1555010{n:04}"),
                    "type": "text", "text": {"body": format!("message {n}")}});
                let path = format!("/v23.0/{NUMBER}/messages");
                let (status, answer) = stage.api.call("POST", &path, &body.to_string());
                assert_eq!(status, 200, "{answer}");
            });
        }
    });
    assert_eq!(stage.standin.accepted().len(), 40);
}

/// More than the listener has workers.
const SLOW: usize = 8;

#[test]
fn slow_callers_keep_nobody_else_waiting() {
    let stage = Stage::new(&[]);
    let text = "slow ".repeat(500);
    let body = json!({"messaging_product": "whatsapp", "to": "15550100009", "type": "text",
        "text": {"body": text}})
    .to_string();
    let mut slow: Vec<Wire<TcpStream>> = (0..SLOW)
        .map(|_| {
            let stream = TcpStream::connect(stage.api.address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut wire = Wire(BufReader::new(stream));
            let length = body.len();
            wire.send(format!(
                "POST /v23.0/{NUMBER}/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Expect: 100-continue\r\nAuthorization: Bearer {API_KEY}\r\n\
                 Content-Length: {length}\r\n\r\n"
            ));
            // Somebody reads it, and is kept waiting.
            assert_eq!(wire.answer().unwrap().status, 100);
            wire.send(&body[..body.len() / 2]);
            wire
        })
        .collect();
    // Several, since which worker takes a request is luck.
    for n in 0..SLOW {
        assert_eq!(stage.send(&format!("quick {n}"), &[]).0, 200);
    }
    for wire in &mut slow {
        wire.send(&body[body.len() / 2..]);
        let answer = wire.answer().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
