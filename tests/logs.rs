//! What a log line must never hold (invariant 9), checked on a whole run of
//! the real binary in which much goes wrong; and what each line must hold.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use support::*;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wabridge::edge::standin::{CallFault, Chance, Faults, Options, StandIn, StatusFault};
use wabridge::wire::sample::{self, Sample};
use wabridge::wire::signature::HubKeys;

const CUSTOMER: &str = "15550107311";
const OTHER: &str = "15550107322";
const NAME: &str = "Zqname Zqfamily";
const BSUID: &str = "US.13491208655302741918";
const SHOP: &str = "15550109933";

/// Secrets, by the settings they are for.
const SECRETS: [(&str, &str); 7] = [
    ("VERIFY_TOKEN", "zqverify-1,zqverify-2"),
    ("APP_SECRET", "zqapp-1,zqapp-2"),
    ("WHATSAPP_TOKEN", "zqtoken-1"),
    (
        "FORWARD_SECRET",
        "whsec_enFmb3J3YXJkLXpxZm9yd2FyZC16cWZvcndhcmQ=",
    ),
    ("API_KEY", "zqapi-1,zqapi-2"),
    ("METRICS_KEY", "zqmetrics-1"),
    ("SESSION_SECRET", "zqsession-zqsession-zqsession-zqsession"),
];

fn message(n: u64, kind: &str, text: &str) -> String {
    let sample = Sample {
        timestamp: now_s(),
        from: CUSTOMER,
        user_id: Some(BSUID),
        name: NAME,
        text,
        display: SHOP,
        id: &sample::wamid(n, CUSTOMER),
        ..Sample::default()
    };
    sample::notification(kind, &sample).unwrap()
}

/// A run in which all sorts of things happen; the log, and what must not be in
/// it.
fn run(level: &str, further: &[(&str, &str)]) -> (String, BTreeSet<String>) {
    let failing = AtomicBool::new(true);
    let app = App::start(move |request| match request.text() {
        "" => says(200, ""),
        "zqtext refuse" => says(422, "zqbody is refused"),
        "zqtext fail" if failing.swap(false, Ordering::SeqCst) => (
            503,
            "zqbody fails".into(),
            vec![("X-Trouble", "zqhead".into())],
        ),
        "zqtext junk" => says(200, "{\"messages\":[\"zqreply\",{\"type\":\"zqreply\"},7]}"),
        text => {
            let to = json!({"to": OTHER, "text": {"body": format!("zqreply {text}")},
                "biz_opaque_callback_data": "zqopaque"});
            says(200, json!({"messages": [{"type": "read"}, to]}).to_string())
        }
    });
    let standin = StandIn::start(Options {
        token: "zqtoken-1".into(),
        app_secret: "zqapp-1".into(),
        ..Options::default()
    });
    let standin = standin.unwrap();
    let details = format!("zqdetails for {OTHER} and +1 555 010 7322");
    let refused = |code| CallFault::Refused(400, code, details.clone());
    let faults = [
        refused(131_051),
        refused(987_654),
        refused(190),
        CallFault::Throttled,
        CallFault::LostAfter,
        CallFault::BadGateway,
    ];
    let all = Faults::none().status(
        Chance::Next(1),
        StatusFault::Failed(131_026, details.clone()),
    );
    standin.set_faults(
        faults
            .into_iter()
            .fold(all, |all, fault| all.call(Chance::Next(1), fault)),
    );
    let forward = format!("{}?key=zqurlkey", app.url());
    let url = standin.url();
    let mut settings = vec![
        ("LOG_LEVEL", level),
        ("FORWARD_URL", forward.as_str()),
        ("GRAPH_API_URL", url.as_str()),
        ("RECONCILE_WINDOW", "1s"),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
    ];
    settings.extend(SECRETS);
    settings.extend(further);
    let mut place = Place::new(&settings);
    standin.set_callback(&place.service.url());
    ask_the_operators_listener(&mut place.service);

    let sign = |body: &str| HubKeys::new(["zqapp-2"]).sign(body.as_bytes()).unwrap();
    let post = |id: &str, signature: &str, body: &str| {
        let headers = [("X-Hub-Signature-256", signature), ("X-Request-Id", id)];
        let service = &place.service;
        service
            .request("POST", "/webhook", &headers, body.as_bytes())
            .status
    };
    let mut wamids = 0;
    for (text, id) in [
        ("zqtext refuse", "0123456789abcdef0123456789abcdef"),
        ("zqtext junk", "short"),
        ("zqtext one", "zqid with blanks"),
        ("zqtext two", "zqid\" msg=\"forged"),
        ("zqtext three", "zqid-\u{1b}[31m"),
        ("zqtext fail", "5f0c8a52-6f0e-4f39-9c37-0a4c3a7d2f10"),
    ] {
        wamids += 1;
        let body = message(wamids, "text", text);
        assert_eq!(post(id, &sign(&body), &body), 200);
    }
    for kind in sample::KINDS {
        wamids += 1;
        let body = message(wamids, kind.name, "zqtext of a kind");
        assert_eq!(post("", &sign(&body), &body), 200);
    }
    let body = message(900, "text", "zqtext forged");
    let wrong = HubKeys::new(["zqwrong"]).sign(body.as_bytes()).unwrap();
    assert_eq!(post("refused-00000001", &wrong, &body), 401);
    assert_eq!(post("", "zqsignature", &body), 401);
    let junk = format!("{{\"zqjunk\": {CUSTOMER}");
    assert_eq!(post("", &sign(&junk), &junk), 400);
    for token in ["zqverify-2", "zqverify-wrong"] {
        let query =
            format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=zqchallenge");
        let headers = [("X-Request-Id", "handshake-0001")];
        let target = format!("/webhook?{query}");
        let answer = place.service.request("GET", &target, &headers, b"");
        assert_eq!(answer.status == 200, token == "zqverify-2");
    }
    let other = place.service.request("GET", "/zqpath?zqquery=1", &[], b"");
    assert_eq!(other.status, 404);

    wait_until("all sorts of things have happened", || {
        let tally = standin.tally();
        tally.refused >= 3 && place.queue("deliver")["dead"].as_i64() >= Some(1)
    });
    // The expired token halted it; a restart with another one resumes.
    let mut log = stopped(&mut place.service);
    standin.set_token("zqtoken-new");
    place.setup = place.setup.clone().set("WHATSAPP_TOKEN", "zqtoken-new");
    place.service = place.setup.serve();
    standin.set_callback(&place.service.url());
    wait_until("the other faults have happened", || {
        let tally = standin.tally();
        tally.lost >= 1 && tally.refused >= 5 && tally.accepted >= 3
    });
    log.push_str(&stopped(&mut place.service));

    let mut forbidden: BTreeSet<String> = [
        "zq",
        "Zq",
        CUSTOMER,
        OTHER,
        SHOP,
        "555 010 7322",
        "5550107322",
        BSUID,
        "wamid.",
        "sha256=",
        "whsec_",
        "enFmb3J3YXJk",
        "v1,",
    ]
    .map(str::to_owned)
    .into();
    for sent in standin.accepted() {
        forbidden.insert(sent.wamid);
    }
    for row in place.inbox() {
        forbidden.insert(row["key"].as_str().unwrap().to_owned());
        forbidden.insert(row["conversation"].as_str().unwrap().to_owned());
    }
    (log, forbidden)
}

/// What has to do with people and keys there, well and not.
fn ask_the_operators_listener(service: &mut Wabridge) {
    let line = service.wait_for_log("serving the API");
    let address = line.split("listen").nth(1).unwrap();
    let address: String = address
        .chars()
        .filter(|c| ".:".contains(*c) || c.is_ascii_digit())
        .collect();
    let address = address.trim_matches(':').parse().unwrap();
    let number = "106540300000001";
    let message = json!({"messaging_product": "whatsapp", "to": OTHER, "type": "text",
        "text": {"body": "zqtext by the API"}});
    let body = message.to_string();
    let posted = format!("/v26.0/{number}/messages");
    let window = format!("/v26.0/{number}/windows/{OTHER}");
    for (method, path, key, body) in [
        ("POST", posted.as_str(), "zqapi-2", body.as_str()),
        ("POST", &posted, "zqapi-2", "{\"to\":\"zqnobody\"}"),
        ("POST", &posted, "zqguess", &body),
        ("GET", &window, "zqapi-1", ""),
        ("GET", "/v26.0/wamid.zqid", "zqapi-1", ""),
        ("GET", "/metrics", "zqmetrics-1", ""),
        ("GET", "/metrics", "zqguess", ""),
        ("GET", "/zqpath", "zqapi-1", ""),
    ] {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Prefer", "respond-async"),
        ];
        request(address, method, path, &headers, body.as_bytes()).unwrap();
    }
}

fn stopped(service: &mut Wabridge) -> String {
    service.signal("TERM");
    assert_eq!(service.wait().code(), Some(0));
    service.log()
}

fn check(level: &str) -> String {
    let (log, forbidden) = run(level, &[]);
    for line in log.lines() {
        for word in &forbidden {
            assert!(!line.contains(word.as_str()), "{word:?} in: {line}");
        }
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(OffsetDateTime::parse(time, &Rfc3339).is_ok(), "{line}");
        assert!(time.ends_with('Z') && rest.starts_with('['), "{line}");
        assert!(rest.contains("] msg=\""), "{line}");
        let of_webhook = ["msg=\"notification", "msg=\"handshake"];
        if of_webhook.iter().any(|msg| rest.contains(msg)) {
            assert!(rest.contains(" request="), "{line}");
        }
    }
    log
}

#[test]
fn at_info_no_line_holds_a_secret_a_text_a_name_or_a_number() {
    let log = check("info");
    for told in [
        "request=0123456789abcdef0123456789abcdef",
        "msg=\"handshake answered\" request=handshake-0001",
        "event not delivered",
        "sending halted until someone acts",
        "code=131051",
        "code=987654",
        "fbtrace_id=A",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

#[test]
fn at_debug_neither() {
    let log = check("debug");
    for told in [
        "request=5f0c8a52-6f0e-4f39-9c37-0a4c3a7d2f10",
        "msg=\"notification stored\"",
        "msg=\"event delivered\"",
        "msg=\"message accepted\"",
        "msg=\"API request\" request=a1 method=POST route=messages",
        "msg=\"message stored\" request=a1 outbox=1",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

#[test]
fn at_trace_neither() {
    check("trace");
}

#[test]
fn under_the_journal_lines_have_no_time_of_their_own() {
    let (log, _) = run("info", &[("JOURNAL_STREAM", "9:1234")]);
    for line in log.lines() {
        let level = ["[INFO] ", "[WARN] ", "[ERROR] "];
        assert!(level.iter().any(|l| line.starts_with(l)), "{line}");
    }
}

/// As [`check`], for lines of JSON: each is an object, and knows where it comes from.
fn check_json(level: &str) -> Vec<Value> {
    let (log, forbidden) = run(level, &[("LOG_FORMAT", "json")]);
    let read = |line: &str| {
        for word in &forbidden {
            assert!(!line.contains(word.as_str()), "{word:?} in: {line}");
        }
        let object: Value = serde_json::from_str(line).expect(line);
        let text = |key: &str| object[key].as_str().expect(line).to_owned();
        assert!(
            OffsetDateTime::parse(&text("time"), &Rfc3339).is_ok(),
            "{line}"
        );
        assert!(["error", "warn", "info", "debug", "trace"].contains(&text("level").as_str()));
        assert!(text("module").starts_with("wabridge"), "{line}");
        assert!(!text("msg").contains('='), "fields are members: {line}");
        object
    };
    log.lines().map(read).collect()
}

#[test]
fn as_json_at_info_neither() {
    let lines = check_json("info");
    let told = |msg: &str| lines.iter().find(|line| line["msg"] == msg).cloned();
    let stored = told("notification stored").unwrap();
    assert_eq!(stored["request"], "0123456789abcdef0123456789abcdef");
    assert_eq!(stored["stored"], 1);
    let halted = told("sending halted until someone acts").unwrap();
    assert_eq!(
        (&halted["level"], halted["outbox"].is_i64()),
        (&"error".into(), true)
    );
}

#[test]
fn ids_lead_from_a_webhook_to_what_it_brought_about() {
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        text => says(
            200,
            json!({"messages": [{"text": {"body": text}}]}).to_string(),
        ),
    });
    let standin = graph();
    let settings = [
        ("LOG_LEVEL", "debug"),
        ("LOG_FORMAT", "json"),
        ("FORWARD_URL", &app.url()),
    ];
    let mut place = Place::with_graph(&standin, &settings);
    let body = message(1, "text", "hello");
    let (signature, id) = (
        sign(body.as_bytes()),
        "5f0c8a52-6f0e-4f39-9c37-0a4c3a7d2f10",
    );
    let headers = [
        ("X-Hub-Signature-256", signature.as_str()),
        ("X-Request-Id", id),
    ];
    let answer = place
        .service
        .request("POST", "/webhook", &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    place.service.wait_for_log("\"outbox\":1,\"stored\":1");
    place.service.wait_for_log("message accepted");

    let log = place.service.log();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let find = |msg: &str, key: &str, value: Value| {
        let found = lines.iter().find(|l| l["msg"] == msg && l[key] == value);
        found.unwrap_or_else(|| panic!("no {msg:?} with {key}={value}: {log}"))
    };
    let event = &find("notification stored", "request", id.into())["event"];
    let delivered = find("event delivered", "event", event.clone());
    assert_eq!(
        (&delivered["consumer"], &delivered["replies"]),
        (&json!("bot"), &json!(1))
    );
    let accepted = find("message accepted", "event", event.clone());
    assert_ne!(accepted["job"], delivered["job"]);
    let status = find("notification stored", "outbox", accepted["outbox"].clone());
    assert_eq!(status["kind"], "status");
}

#[test]
fn as_json_at_trace_neither() {
    check_json("trace");
}

#[test]
fn each_module_has_the_level_that_is_set_for_it() {
    let level = "info,wabridge::edge=warn,wabridge::edge::http=debug";
    let lines = check_json(level);
    let levels = |is_of: &dyn Fn(&str) -> bool| -> BTreeSet<&str> {
        let of = lines
            .iter()
            .filter(|line| is_of(line["module"].as_str().unwrap()));
        of.map(|line| line["level"].as_str().unwrap()).collect()
    };
    let http = levels(&|module| module.starts_with("wabridge::edge::http"));
    assert!(http.contains("info") && http.contains("debug"), "{http:?}");
    let edge = levels(&|module| {
        module.starts_with("wabridge::edge") && !module.starts_with("wabridge::edge::http")
    });
    assert_eq!(edge, ["error", "warn"].into());
    assert_eq!(
        levels(&|module| module == "wabridge::service"),
        ["info"].into()
    );
}

#[test]
fn a_flood_of_refusals_is_counted_not_listed() {
    let mut place = Place::new(&[]);
    for n in 0..200 {
        let target = match n % 2 {
            0 => "/webhook?hub.mode=subscribe&hub.verify_token=no&hub.challenge=1",
            _ => "/webhook",
        };
        let method = if n % 2 == 0 { "GET" } else { "POST" };
        let answer = place.service.request(method, target, &[], b"{}");
        assert!(matches!(answer.status, 401 | 403));
    }
    let log = stopped(&mut place.service);
    let lines = log.matches(" refused\"").count();
    assert!((5..150).contains(&lines), "{lines} lines");
}
