//! Rules in the real binary: what `rules test` tells of them, and what a service
//! remembers of people between their messages.

mod support;

use serde_json::Value;
use support::*;

const RULES: &str = r#"
[hours.shop]
timezone = "Europe/Berlin"
mon-fri = "9-18"
holidays = ["12-25"]

[[rule]]
text = "stop"
marketing = "stop"
reply = "Bye, {{ name }}."

[[rule]]
name = "greeting"
first_contact = true
reply = "Welcome!"

[[rule]]
name = "closed"
closed = "shop"
cooldown = "8h"
reply = ["We are closed.", "Back soon."]

[[rule]]
reply_id = "hours"
reply = []

[[rule]]
type = "voice"
reply = { type = "reaction", reaction = { message_id = "{{ id }}", emoji = "👂" } }
"#;

/// What `rules test` prints with these arguments.
fn check(args: &[&str], code: i32, said: &[&str]) {
    let folder = Folder::new();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    let setup = Setup::new(folder.path()).set("RULES_FILE", rules.to_str().unwrap());
    let args: Vec<&str> = ["rules", "test"].iter().chain(args).copied().collect();
    let output = setup.run(&args);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args:?}: {stdout}{stderr}"
    );
    for part in said {
        let heard = format!("{stdout}{stderr}");
        assert!(heard.contains(part), "{args:?} lacks {part}: {heard}");
    }
    assert!(
        !folder.path().join("wabridge.db").exists(),
        "it makes no database"
    );
}

/// A Monday on which the shop is open, the same day at night, and Christmas.
const DAY: &str = "2026-11-23T12:00+01:00";
const NIGHT: &str = "2026-11-23T19:00[Europe/Berlin]";
const CHRISTMAS: &str = "2026-12-25T11:00:00Z";

#[test]
fn rules_are_tried_in_words() {
    check(
        &["STOP", "--name", "Kit \u{1b}[2J", "--at", DAY],
        0,
        &[
            "rule 1 in line 7 fits and answers:",
            "\"to\": \"15550107001\"",
            "Bye, Kit \\u001b[2J.",
            "no marketing templates any more",
        ],
    );
    check(
        &["hi", "--first-contact", "--from", "US.1"],
        0,
        &[
            "rule 2 \"greeting\" in line 12 fits",
            "\"recipient\": \"US.1\"",
            "does not fit: rule 1 (text)\n",
        ],
    );
    for at in [NIGHT, CHRISTMAS] {
        check(
            &["hi", "--at", at],
            0,
            &[
                "rule 3 \"closed\"",
                "Back soon.",
                "it rests for this person until 2026-",
            ],
        );
    }
    check(
        &["hi", "--at", NIGHT, "--resting", "closed"],
        0,
        &[
            "no rule fits",
            "rule 1 (text), rule 2 (first_contact), rule 3 (cooldown), rule 4 (reply_id), rule 5 (type)",
        ],
    );
    check(
        &["--reply-id", "hours", "--at", DAY],
        0,
        &["rule 4 in line 23 fits and answers nothing"],
    );
    check(
        &["--type", "voice", "--at", DAY],
        0,
        &["rule 5", "\"reaction\""],
    );
    check(&["hi", "--at", DAY], 0, &["no rule fits"]);
}

#[test]
fn rules_are_tried_in_json() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("other.toml"), RULES).unwrap();
    let setup = Setup::new(folder.path());
    let file = folder.path().join("other.toml");
    let test = [
        "rules",
        "test",
        "--json",
        "--file",
        file.to_str().unwrap(),
        "--at",
        NIGHT,
    ];
    let answers = |more: &[&str]| setup.json(&[&test, more].concat()).remove(0);
    let closed = answers(&["hi"]);
    assert_eq!(closed["rule"], 3);
    assert_eq!(closed["name"], "closed");
    assert_eq!(closed["line"], 17);
    assert_eq!(closed["messages"][1]["text"]["body"], "Back soon.");
    assert_eq!(closed["messages"][1]["messaging_product"], "whatsapp");
    assert_eq!(
        closed["remembered"][0]["rests_until"],
        "2026-11-24T02:00:00.000Z"
    );
    assert_eq!(
        closed["passed"][0],
        serde_json::json!({"rule": 1, "why": "text"})
    );
    let stop = answers(&["stop"]);
    assert_eq!(
        stop["remembered"],
        serde_json::json!([{"marketing": "stop"}])
    );
    let none = answers(&["hi", "--resting", "closed"]);
    assert!(none["rule"].is_null() && none["messages"] == serde_json::json!([]));
}

#[test]
fn a_wish_that_cannot_be_kept_is_said() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path());
    drop(setup.serve());
    for (args, code) in [
        (&["marketing", "15550107001", "maybe"][..], 2),
        (&["marketing"], 2),
        (&["marketing", "15550107001", "stop"], 1),
    ] {
        assert_eq!(setup.run(args).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn what_cannot_be_tried_is_said() {
    check(
        &["hi", "--at", "noon"],
        2,
        &["--at noon is no moment: write 2026"],
    );
    check(
        &["hi", "--type", "picture"],
        2,
        &["messages of type picture cannot be tried"],
    );
    check(&["hi", "you"], 2, &["you"]);
    check(
        &["hi", "--file", "/nonexistent/rules.toml"],
        1,
        &["cannot be read"],
    );
}

const ANA: &str = "15550107001";

/// Rests, first contact and a wish, in a service that is killed in between.
const STORY: &str = r#"
[[rule]]
text = "stop"
marketing = "stop"
reply = "stopped"

[[rule]]
text = "start"
marketing = "start"
reply = "started"

[[rule]]
first_contact = true
reply = "welcome"

[[rule]]
text = "offer"
reply = { type = "template", template = { name = "sale", language = { code = "en" } } }

[[rule]]
text = "order"
reply = { type = "template", template = { name = "order_update", language = { code = "en" } } }

[[rule]]
name = "once"
cooldown = "1h"
reply = "once"

[[rule]]
reply = "often"
"#;

/// What became of the newest message: its text or template, its state, its code.
fn newest(place: &Place) -> (String, String, Value) {
    let rows = place.outbox();
    let row = rows.last().expect("a message is queued");
    let show = place
        .setup
        .json(&["outbox", "show", &row["id"].to_string(), "--json"]);
    let body = &show[0]["body"];
    let what = body["text"]["body"]
        .as_str()
        .or(body["template"]["name"].as_str());
    (
        what.unwrap_or_default().to_owned(),
        row["state"].as_str().unwrap_or_default().to_owned(),
        row["error"].clone(),
    )
}

#[test]
fn what_rules_remember_survives_the_end_of_the_process_and_a_reload() {
    let standin = graph();
    let url = standin.url();
    let folder = Folder::new();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, STORY).unwrap();
    let mut place = Place::new(&[
        ("RULES_FILE", rules.to_str().unwrap()),
        ("GRAPH_API_URL", &url),
        ("WHATSAPP_TOKEN", TOKEN),
        ("SERVICE_TEMPLATES", "order_update"),
    ]);
    let mut said = 0;
    let mut says = |place: &Place, text: &str| {
        said += 1;
        place.service.take(&text_message(said, ANA, text));
        wait_until("the answer is sent or refused", || {
            let rows = place.outbox();
            let open = |row: &Value| matches!(row["state"].as_str(), Some("queued" | "sending"));
            rows.len() as u64 == said && !rows.iter().any(open)
        });
        newest(place)
    };
    let what = |answer: (String, String, Value)| answer.0;
    assert_eq!(what(says(&place, "hello")), "welcome");
    assert_eq!(what(says(&place, "hello")), "once");
    assert_eq!(what(says(&place, "hello")), "often");
    assert_eq!(what(says(&place, "STOP")), "stopped");
    place.crash();
    assert_eq!(what(says(&place, "hello")), "often", "it rests still");
    let refused = says(&place, "offer");
    assert_eq!(refused.1, "failed");
    assert!(refused.2.to_string().contains("131050"), "{refused:?}");
    let (template, state, _) = says(&place, "order");
    assert_eq!(template, "order_update");
    assert_ne!(state, "failed");

    // Rules are moved and changed; what rests goes on resting, what was wished is kept.
    let added = "[[rule]]\ntext = 'news'\nreply = 'none'\n";
    let changed = STORY.replace("often", "anew");
    std::fs::write(&rules, format!("{added}{changed}")).unwrap();
    place.service.signal("HUP");
    place.service.wait_for_log("settings and rules read anew");
    assert_eq!(what(says(&place, "hello")), "anew");
    // What the operator is told counts as well.
    let operator = |wish: &str| {
        let line = place
            .setup
            .json(&["marketing", "+1 555 010-7001", wish, "--json"])
            .remove(0);
        line["stopped_at"].is_string()
    };
    assert!(!operator("start"));
    assert_ne!(says(&place, "offer").1, "failed");
    assert!(operator("stop"));
    assert_eq!(says(&place, "offer").1, "failed");
    assert_eq!(what(says(&place, "start")), "started");
    let (template, state, _) = says(&place, "offer");
    assert_eq!(template, "sale");
    assert_ne!(state, "failed");
}

#[test]
fn marketing_by_its_own_path_does_not_pass_who_wants_none() {
    let standin = graph();
    let url = standin.url();
    let mut place = Place::new(&[
        ("GRAPH_API_URL", &url),
        ("WHATSAPP_TOKEN", TOKEN),
        ("API_KEY", API_KEY),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
    ]);
    let api = place.service.api();
    place.service.take(&text_message(1, ANA, "hello"));
    place.setup.json(&["marketing", ANA, "stop", "--json"]);
    // Whatever is said of its body's type.
    let refused = |to: &str, type_: &str| {
        let body = format!(
            r#"{{"messaging_product":"whatsapp","to":"{to}","type":"template","template":{{"name":"sale","language":{{"code":"en"}}}}}}"#
        );
        let path = "/v26.0/106540300000001/marketing_messages";
        let (_, answer) = api.call_with("POST", path, &[("Content-Type", type_)], &body);
        answer["error"]["code"] == 131_050
    };
    for type_ in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=a",
    ] {
        assert!(refused("+1 555-010-7001", type_), "{type_}");
    }
    assert!(!refused("15550107009", "application/json"));
}
