//! Halts and the operator's hand on the outbox, with the real binary against
//! the stand-in for Graph.

mod support;

use serde_json::{Value, json};
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn};

const NUMBERS: [&str; 3] = ["106540300000001", "106540300000002", "106540300000003"];

struct Stage {
    place: Place,
    standin: StandIn,
    api: Api,
}

impl Stage {
    fn new(faults: Faults) -> Stage {
        let standin = graph();
        standin.set_faults(faults);
        let own = [("API_WAIT", "1s")];
        let mut place = Place::with_graph(&standin, &[&API[..], &own].concat());
        let api = place.service.api();
        Stage {
            place,
            standin,
            api,
        }
    }

    fn send(&self, number: &str, to: &str) -> (u16, Value) {
        let body = json!({"messaging_product": "whatsapp", "to": to, "type": "text",
            "text": {"body": "hi"}});
        let path = format!("/v23.0/{number}/messages");
        self.api.call("POST", &path, &body.to_string())
    }

    fn steer(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.place.setup.run(&[&["outbox"], args].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

#[test]
fn a_token_that_has_expired_costs_one_call_for_all_its_numbers_and_everybody_is_told() {
    let stage = Stage::new(Faults::none().expired());
    let (status, _) = stage.send(NUMBERS[0], "15550107001");
    assert_eq!(status, 202, "stored, and waiting");
    wait_until("it is halted", || {
        let status = &stage.place.setup.json(&["status", "--json"])[0];
        status["halts"][0]["scope"] == "token"
    });
    for number in NUMBERS {
        let (status, answer) = stage.send(number, "15550107002");
        assert_eq!(status, 202, "{answer}");
    }
    // By now each number has been looked at, and knows by which token it sends.
    wait_until("all stand still", || {
        let status = &stage.place.setup.json(&["status", "--json"])[0];
        status["halts"][0]["numbers"] == json!(NUMBERS)
    });
    assert_eq!(stage.standin.tally().calls, 1);
    let (_, answer) = stage.send(NUMBERS[2], "15550107003");
    assert_eq!(answer["halt"]["scope"], "token", "{answer}");
    assert_eq!(answer["halt"]["code"], 190);
    let mend = answer["halt"]["mend"].as_str().unwrap();
    assert!(mend.contains("make a new one"), "{answer}");
    let id = answer["messages"][0]["id"].as_str().unwrap();
    let (_, shown) = stage.api.call("GET", &format!("/v23.0/{id}"), "");
    assert_eq!(
        (&shown["state"], &shown["halt"]),
        (&json!("queued"), &answer["halt"])
    );
    for (verb, part) in [
        ("status", "halted    token since"),
        ("check", "sending is halted (token)"),
    ] {
        let output = stage.place.setup.run(&[verb]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains(part) && text.contains("make a new one"),
            "{text}"
        );
        assert_eq!(output.status.code(), Some(0));
    }
    assert_eq!(stage.place.outbox_words("attempts"), "0 0 0 0 0");
}

#[test]
fn an_operator_holds_retries_and_cancels_by_id_and_by_state() {
    let stage = Stage::new(Faults::none().expired());
    for to in ["15550107001", "15550107002", "15550107003"] {
        stage.send(NUMBERS[0], to);
    }
    let (code, said) = stage.steer(&["hold", "1", "2", "99"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("message 2 is held until"), "{said}");
    assert!(said.contains("there is no message 99"), "{said}");
    stage.place.wait_outbox("held held queued");
    let (code, said) = stage.steer(&["hold", "1"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("message 1 is held: only what is queued"),
        "{said}"
    );
    assert_eq!(stage.steer(&["cancel", "--state", "queued"]).0, Some(0));
    stage.place.wait_outbox("held held cancelled");
    assert_eq!(stage.steer(&["retry", "--state", "held"]).0, Some(0));
    stage.place.wait_outbox("queued queued cancelled");
    for misused in [
        &["hold"][..],
        &["hold", "1", "--state", "held"],
        &["retry", "--state", "odd"],
    ] {
        assert_eq!(stage.steer(misused).0, Some(2), "{misused:?}");
    }
}

#[test]
fn what_was_sent_again_without_knowing_shows() {
    let standin_faults = Faults::none().call(Chance::Next(1), CallFault::LostBefore);
    let mut stage = Stage::new(standin_faults);
    stage.place.setup = stage.place.setup.clone().set("RECONCILE_WINDOW", "1s");
    stage.place.crash();
    stage.standin.set_callback(&stage.place.service.url());
    stage.api = stage.place.service.api();
    stage.send(NUMBERS[0], "15550107001");
    stage.place.wait_outbox("read");
    assert_eq!(stage.place.outbox()[0]["resent"], 1);
    let line = stage
        .place
        .service
        .wait_for_log("msg=\"sent again although");
    assert!(line.contains("WARN") && line.contains("outbox=1"), "{line}");
}
