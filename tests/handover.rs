//! Conversations in a person's hands, and people with several ids, in the real
//! binary: by the command line, by the API, from the phone, by a rule.

mod support;

use serde_json::{Value, json};
use support::*;
use wabridge::edge::standin::StandIn;

const NUMBER: &str = "106540300000001";
const ANA: &str = "15550107001";
const BEN: &str = "15550107002";

const RULES: &str = r#"
[[rule]]
text = "person"
hand_over = true
reply = "One moment."

[[rule]]
text = "stop"
marketing = "stop"
reply = "No more offers."

[[rule]]
reply = "You said {{ text }}"
"#;

struct Stage {
    place: Place,
    standin: StandIn,
    api: Api,
    rules: Folder,
}

impl Stage {
    fn new() -> Stage {
        let (standin, rules) = (graph(), Folder::new());
        let file = rules.path().join("rules.toml");
        std::fs::write(&file, RULES).unwrap();
        let own = [("RULES_FILE", file.to_str().unwrap())];
        let mut place = Place::with_graph(&standin, &[&API[..], &own].concat());
        let api = place.service.api();
        Stage {
            place,
            standin,
            api,
            rules,
        }
    }

    fn call(&self, method: &str, user: &str) -> (u16, Value) {
        self.api
            .call(method, &format!("/v26.0/{NUMBER}/handovers/{user}"), "")
    }

    fn says(&self, n: u64, from: &str, text: &str) {
        self.place.service.take(&text_message(n, from, text));
    }

    fn answers_from_the_phone(&self, to: &str) {
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
            "field": "smb_message_echoes", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
            "message_echoes": [{"from": "15550109000", "to": to, "id": "wamid.phone",
                "timestamp": now_s().to_string(), "type": "text", "text": {"body": "I am here"}}]}}]}]});
        self.place.service.take(&body.to_string());
    }

    /// Waits until everything was dealt with; then these texts went out.
    fn check_sent(&self, expected: &[&str]) {
        wait_until("nothing waits", || self.place.setup.open_jobs() == 0);
        let accepted = self.standin.accepted();
        let texts = accepted
            .iter()
            .map(|a| a.body["text"]["body"].as_str().unwrap());
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.place.setup.run(args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

#[test]
fn the_operator_takes_a_conversation_and_gives_it_back() {
    let stage = Stage::new();
    let (code, said) = stage.run(&["take", ANA]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("there is no conversation with 15550107001"),
        "{said}"
    );
    assert_eq!(stage.call("POST", ANA).0, 404);
    stage.says(1, ANA, "one");
    stage.check_sent(&["You said one"]);
    let (code, said) = stage.run(&["take", "+1 555 010 7001", "--for", "2d"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("taken until "), "{said}");
    stage.says(2, ANA, "two");
    stage.says(3, BEN, "three");
    stage.check_sent(&["You said one", "You said three"]);
    let (_, status) = stage.run(&["status"]);
    let taken = status.lines().find(|line| line.starts_with("taken "));
    let taken = taken.unwrap_or_else(|| panic!("{status}"));
    let words: Vec<&str> = taken.split_whitespace().collect();
    assert_eq!(words[2..5], ["by", "operator", "until"], "{status}");
    let skipped = &stage
        .place
        .inbox()
        .into_iter()
        .find(|row| row["error"] != Value::Null);
    let skipped = skipped.as_ref().unwrap();
    assert_eq!(skipped["state"], "done");
    assert_eq!(
        skipped["error"],
        "skipped: the conversation is taken over (operator)"
    );
    // By the name that lists give it.
    let (code, said) = stage.run(&["give", words[1], "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let given: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(given["taken"], false);
    stage.says(4, ANA, "four");
    stage.check_sent(&["You said one", "You said three", "You said four"]);
    for misused in [
        &["take"][..],
        &["take", ANA, "--for", "soon"],
        &["give", ANA, "--for", "1h"],
    ] {
        assert_eq!(stage.run(misused).0, Some(2), "{misused:?}");
    }
}

#[test]
fn who_wants_no_marketing_is_heard_whoever_reads_it() {
    let stage = Stage::new();
    stage.says(1, ANA, "one");
    stage.check_sent(&["You said one"]);
    let is_stopped = || {
        let shown = &stage.place.setup.json(&["marketing", ANA, "--json"])[0];
        shown["stopped_at"].is_string()
    };
    assert!(!is_stopped());
    assert_eq!(stage.run(&["take", ANA]).0, Some(0));
    stage.says(2, ANA, "stop");
    stage.says(3, BEN, "stop");
    stage.check_sent(&["You said one", "No more offers."]);
    assert!(is_stopped());
}

#[test]
fn programs_take_and_give_by_the_api_and_a_crash_forgets_nothing() {
    let mut stage = Stage::new();
    stage.says(1, ANA, "one");
    stage.check_sent(&["You said one"]);
    let (status, answer) = stage.call("GET", ANA);
    assert_eq!((status, &answer["handover"]["taken"]), (200, &json!(false)));
    let (status, answer) = stage.call("POST", &format!("{ANA}?for=30m"));
    assert_eq!(
        (status, &answer["handover"]["by"]),
        (200, &json!("operator"))
    );
    assert_eq!(stage.call("POST", &format!("{ANA}?for=soon")).0, 400);
    assert_eq!(stage.call("PUT", ANA).0, 405);
    stage.place.crash();
    stage.api = stage.place.service.api();
    stage.standin.set_callback(&stage.place.service.url());
    assert_eq!(stage.call("GET", ANA).1["handover"]["taken"], true);
    stage.says(2, ANA, "two");
    stage.check_sent(&["You said one"]);
    let (status, answer) = stage.call("DELETE", ANA);
    assert_eq!((status, &answer["handover"]["taken"]), (200, &json!(false)));
    stage.says(3, ANA, "three");
    stage.check_sent(&["You said one", "You said three"]);
}

#[test]
fn the_owner_answers_from_the_phone_and_a_rule_asks_for_a_person() {
    let stage = Stage::new();
    assert!(stage.rules.path().exists());
    stage.says(1, ANA, "one");
    stage.says(2, BEN, "person");
    wait_until("nothing waits", || stage.place.setup.open_jobs() == 0);
    stage.answers_from_the_phone(ANA);
    stage.says(3, ANA, "two");
    stage.says(4, BEN, "anybody there?");
    wait_until("nothing waits", || stage.place.setup.open_jobs() == 0);
    let mut texts: Vec<String> = stage
        .standin
        .accepted()
        .iter()
        .map(|a| a.body["text"]["body"].as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    assert_eq!(texts, ["One moment.", "You said one"]);
    for (user, by) in [(ANA, "phone"), (BEN, "bot")] {
        assert_eq!(stage.call("GET", user).1["handover"]["by"], by, "{user}");
    }
    let (_, status) = stage.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["taken"]["count"], 2);
}

#[test]
fn a_person_who_moves_to_another_number_stays_in_the_hand() {
    let stage = Stage::new();
    let (old, new) = ("5511987654321", "15550107009");
    stage.says(1, old, "one");
    stage.check_sent(&["You said one"]);
    // Statuses name the person too, and those that come later would change the name.
    wait_until("it is read", || stage.place.outbox_words("state") == "read");
    // Taken under the other spelling.
    assert_eq!(stage.call("POST", "551187654321").0, 200);
    let moved = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
        "field": "messages", "value": {"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
        "messages": [{"from": old, "id": "wamid.moved", "timestamp": now_s().to_string(),
            "type": "system", "system": {"type": "user_changed_number", "wa_id": new}}]}}]}]});
    stage.place.service.take(&moved.to_string());
    stage.says(2, new, "two");
    stage.check_sent(&["You said one"]);
    let rows = stage.place.inbox();
    let names: Vec<&Value> = rows
        .iter()
        .filter(|row| row["kind"] == "message")
        .map(|row| &row["conversation"])
        .collect();
    assert_eq!(names, vec![&json!(format!("{NUMBER}/{new}")); 3]);
    assert_eq!(stage.call("DELETE", new).0, 200);
    stage.says(3, new, "three");
    stage.check_sent(&["You said one", "You said three"]);
}
