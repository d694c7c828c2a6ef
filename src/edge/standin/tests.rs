//! The stand-in as its callers see it: over real loopback sockets, with ureq on one side and a
//! callback that says what to answer on the other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::http::{Answer, Reply, Request, Server};
use super::*;
use crate::wire::sample::{Sample, notification};

/// Long enough for any machine; nothing waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);
const NUMBER: &str = "106540300000001";

/// A callback that passes on what it gets and answers the statuses it was given, then 200.
struct Callback {
    server: Server,
    got: Receiver<(String, Value)>,
}

impl Callback {
    fn start(answers: &[u16]) -> Callback {
        let mut answers = VecDeque::from(answers.to_vec());
        let (tell, got) = channel();
        let rest = Mutex::new(move || answers.pop_front().unwrap_or(200));
        let server = Server::start(0, move |request: &Request| {
            let signature = request.header("x-hub-signature-256").unwrap_or_default();
            let body = serde_json::from_slice(&request.body).unwrap();
            // The test may have looked away already.
            let _ = tell.send((signature.to_owned(), body));
            match rest.lock().unwrap()() {
                0 => Reply::Nothing,
                status => Reply::Answer(Answer::json(status, String::new())),
            }
        });
        let server = server.unwrap();
        Callback { server, got }
    }

    fn url(&self) -> String {
        format!("http://{}/webhook", self.server.addr())
    }

    /// The next notification's first status.
    fn status(&self) -> Value {
        let (_, body) = self.got.recv_timeout(PATIENCE).expect("a status comes");
        body["entry"][0]["changes"][0]["value"]["statuses"][0].clone()
    }

    fn words(&self, count: usize) -> String {
        let words = (0..count).map(|_| self.status()["status"].as_str().unwrap().to_owned());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Statuses follow one another at once.
fn swift() -> Options {
    let delays = Delays {
        sent: Duration::ZERO,
        delivered: Duration::ZERO,
        read: Duration::ZERO,
        redeliver_first: Duration::from_millis(1),
        redeliver_max: Duration::from_millis(20),
    };
    Options {
        delays,
        ..Options::default()
    }
}

fn pair(answers: &[u16]) -> (StandIn, Callback) {
    let callback = Callback::start(answers);
    let standin = StandIn::start(Options {
        callback: Some(callback.url()),
        ..swift()
    });
    (standin.unwrap(), callback)
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .proxy(None);
    config.build().into()
}

fn text(body: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": "+1 555 010 7001", "type": "text",
        "text": {"body": body}, "biz_opaque_callback_data": "out/7"})
}

/// HTTP status and body, or what ureq says.
fn post(agent: &ureq::Agent, url: &str, body: &Value) -> Result<(u16, String), ureq::Error> {
    let mut answer = agent
        .post(url)
        .header("Authorization", "Bearer standin-token")
        .header("Content-Type", "application/json")
        .send(body.to_string())?;
    let text = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), text))
}

fn get(standin: &StandIn, path: &str) -> (u16, Value) {
    let mut answer = agent()
        .get(standin.url() + path)
        .header("Authorization", "Bearer standin-token")
        .call()
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&text).unwrap(),
    )
}

fn messages(standin: &StandIn) -> String {
    format!("{}/v25.0/{NUMBER}/messages", standin.url())
}

fn send(standin: &StandIn, body: &Value) -> Result<(u16, String), ureq::Error> {
    post(&agent(), &messages(standin), body)
}

fn code(answer: &(u16, String)) -> (u16, i64) {
    let body: Value = serde_json::from_str(&answer.1).unwrap();
    (answer.0, body["error"]["code"].as_i64().unwrap())
}

#[test]
fn a_message_is_accepted_and_its_statuses_come_signed_and_in_turn() {
    let (standin, callback) = pair(&[]);
    let (http, answer) = send(&standin, &text("hi")).unwrap();
    assert_eq!(http, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["contacts"][0]["wa_id"], "15550107001");
    assert_eq!(answer["contacts"][0]["input"], "+1 555 010 7001");
    let accepted = standin.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(answer["messages"][0]["id"], accepted[0].wamid.as_str());
    assert_eq!(
        (accepted[0].number.as_str(), accepted[0].to.as_str()),
        (NUMBER, "15550107001")
    );
    assert_eq!(accepted[0].body, text("hi"));

    for word in ["sent", "delivered", "read"] {
        let (signature, body) = callback.got.recv_timeout(PATIENCE).unwrap();
        let digits = signature.strip_prefix("sha256=").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let status = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
        assert_eq!(status["status"], word);
        assert_eq!(status["id"], accepted[0].wamid.as_str());
        assert_eq!(status["recipient_id"], "15550107001");
        assert_eq!(status["biz_opaque_callback_data"], "out/7");
    }
    assert!(standin.wait_statuses(PATIENCE));
    let expected = Tally {
        calls: 1,
        accepted: 1,
        statuses: 3,
        ..Tally::default()
    };
    assert_eq!(standin.tally(), expected);
}

#[test]
fn what_is_not_acknowledged_comes_again_the_same() {
    // 201 is no 200, and no answer is none.
    let (standin, callback) = pair(&[503, 201, 0, 200]);
    send(&standin, &text("hi")).unwrap();
    let first = callback.got.recv_timeout(PATIENCE).unwrap();
    for _ in 0..3 {
        assert_eq!(callback.got.recv_timeout(PATIENCE).unwrap(), first);
    }
    assert_eq!(callback.words(2), "delivered read");
    assert!(standin.wait_statuses(PATIENCE));
    assert_eq!(standin.tally().redelivered, 3);
}

#[test]
fn statuses_wait_for_a_callback_to_be_set() {
    let standin = StandIn::start(swift()).unwrap();
    send(&standin, &text("hi")).unwrap();
    assert!(!standin.wait_statuses(Duration::from_millis(5)));
    let callback = Callback::start(&[]);
    standin.set_callback(&callback.url());
    assert_eq!(callback.words(3), "sent delivered read");
}

#[test]
fn faults_of_statuses_happen() {
    let failed = StatusFault::Failed(131_026, "Message undeliverable".into());
    let rows = [
        (StatusFault::Reversed, "read delivered sent"),
        (
            StatusFault::Doubled,
            "sent sent delivered delivered read read",
        ),
        (failed, "failed"),
    ];
    for (fault, expected) in rows {
        let (standin, callback) = pair(&[]);
        standin.set_faults(Faults::none().status(Chance::Always, fault));
        send(&standin, &text("hi")).unwrap();
        assert_eq!(callback.words(expected.split(' ').count()), expected);
        assert!(standin.wait_statuses(PATIENCE));
        assert!(callback.got.try_recv().is_err(), "more than {expected}");
    }
    let (standin, _callback) = pair(&[]);
    standin.set_faults(Faults::none().status(Chance::Always, StatusFault::Silent));
    send(&standin, &text("hi")).unwrap();
    assert!(standin.wait_statuses(Duration::ZERO));
    assert_eq!(standin.tally().statuses, 0);
}

#[test]
fn an_early_status_is_there_before_the_answer() {
    let callback = Callback::start(&[]);
    let mut options = swift();
    options.callback = Some(callback.url());
    options.delays.sent = Duration::from_secs(3_600);
    options.delays.delivered = Duration::from_secs(3_600);
    let standin = StandIn::start(options).unwrap();
    standin.set_faults(Faults::none().status(Chance::Always, StatusFault::Early));
    send(&standin, &text("hi")).unwrap();
    assert_eq!(
        callback.got.try_recv().unwrap().1["object"],
        "whatsapp_business_account"
    );
    assert_eq!(standin.tally().statuses, 1);
}

#[test]
fn faults_of_calls_are_what_a_client_meets() {
    let refused = CallFault::Refused(403, 368, "Temporarily blocked".into());
    let rows = [
        (CallFault::Throttled, 400, 130_429),
        (CallFault::PairLimited, 400, 131_056),
        (CallFault::TooManyRequests(9), 429, 613),
        (CallFault::ServerError, 500, 131_000),
        (refused, 403, 368),
    ];
    let (standin, _callback) = pair(&[]);
    for (fault, http, number) in rows {
        standin.set_faults(Faults::none().call(Chance::Next(1), fault));
        assert_eq!(code(&send(&standin, &text("hi")).unwrap()), (http, number));
    }
    for (fault, status, accepted) in [
        (CallFault::BadGateway, 502, 0),
        (CallFault::Page(200), 200, 0),
        (CallFault::PageAfter(504), 504, 1),
    ] {
        standin.set_faults(Faults::none().call(Chance::Next(1), fault));
        let (http, page) = send(&standin, &text("hi")).unwrap();
        assert!(http == status && page.starts_with("<html>"));
        assert_eq!(standin.accepted().len(), accepted);
    }
    assert_eq!(standin.tally().refused, 8);
    assert_eq!(
        send(&standin, &text("hi")).unwrap().0,
        200,
        "faults are used up"
    );
}

#[test]
fn a_lost_answer_is_no_answer() {
    let rows = [
        (CallFault::LostBefore, 0),
        (CallFault::LostAfter, 1),
        (CallFault::CutAfter, 1),
    ];
    for (fault, accepted) in rows {
        let (standin, callback) = pair(&[]);
        standin.set_faults(Faults::none().call(Chance::Always, fault.clone()));
        let error = send(&standin, &text("hi")).expect_err("no answer is read");
        assert!(matches!(error, ureq::Error::Io(_)), "{fault:?}: {error:?}");
        assert_eq!(standin.accepted().len(), accepted, "{fault:?}");
        assert_eq!(standin.tally().lost, 1);
        // What was accepted goes its way all the same.
        assert_eq!(
            callback.words(3 * accepted),
            ["", "sent delivered read"][accepted]
        );
    }
}

#[test]
fn a_stalled_answer_times_out_at_the_client() {
    let hour = Duration::from_secs(3_600);
    let rows = [
        (CallFault::StallBefore(hour), 0),
        (CallFault::StallAfter(hour), 1),
    ];
    for (fault, accepted) in rows {
        let (standin, _callback) = pair(&[]);
        standin.set_faults(Faults::none().call(Chance::Always, fault));
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_millis(300)));
        let impatient: ureq::Agent = config.proxy(None).build().into();
        let error = post(&impatient, &messages(&standin), &text("hi")).unwrap_err();
        assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");
        assert!(standin.wait_accepted(accepted, PATIENCE));
        assert_eq!(standin.accepted().len(), accepted);
        // Dropping ends the stall: the test would take an hour otherwise.
    }
}

#[test]
fn a_trickled_answer_comes_in_the_end_or_never() {
    let (standin, _callback) = pair(&[]);
    for (gap, comes) in [(Duration::ZERO, true), (Duration::from_secs(1), false)] {
        standin.set_faults(Faults::none().call(Chance::Always, CallFault::TrickleAfter(gap)));
        let patience = if comes {
            PATIENCE
        } else {
            Duration::from_millis(300)
        };
        let config = ureq::Agent::config_builder().timeout_global(Some(patience));
        let agent: ureq::Agent = config.proxy(None).build().into();
        let answer = post(&agent, &messages(&standin), &text("hi"));
        assert_eq!(answer.is_ok(), comes, "{gap:?}");
    }
    assert_eq!(standin.accepted().len(), 2);
}

#[test]
fn told_to_it_keeps_metas_limits() {
    let callback = Callback::start(&[]);
    let standin = StandIn::start(Options {
        callback: Some(callback.url()),
        limits: Limits::AS_META,
        ..swift()
    })
    .unwrap();
    send(&standin, &text("hi")).unwrap();
    let failed = callback.status();
    assert_eq!(
        (&failed["status"], &failed["errors"][0]["code"]),
        (&json!("failed"), &json!(131_047))
    );
    standin.customer_wrote(NUMBER, "15550107001", Duration::from_secs(1));
    for _ in 1..45 {
        assert_eq!(send(&standin, &text("hi")).unwrap().0, 200);
    }
    assert_eq!(code(&send(&standin, &text("hi")).unwrap()), (400, 131_056));
    assert!(standin.wait_statuses(PATIENCE));
    assert!(
        callback
            .got
            .try_iter()
            .all(|(_, body)| !body.to_string().contains("131047"))
    );
}

#[test]
fn tokens_are_checked_and_expire() {
    let (standin, _callback) = pair(&[]);
    let refused = |standin: &StandIn| code(&send(standin, &text("hi")).unwrap()) == (401, 190);
    standin.set_token("another");
    assert!(refused(&standin));
    standin.set_token("standin-token");
    assert!(!send(&standin, &text("hi")).unwrap().1.contains("error"));
    standin.set_faults(Faults::none().expired());
    assert!(refused(&standin));
    let bare = agent().post(messages(&standin)).send("{}").unwrap();
    assert_eq!(bare.status(), 401);
}

#[test]
fn receipts_succeed_and_are_kept() {
    let (standin, _callback) = pair(&[]);
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X",
        "typing_indicator": {"type": "text"}});
    assert_eq!(
        send(&standin, &read).unwrap(),
        (200, r#"{"success":true}"#.into())
    );
    let (number, message_id) = (NUMBER.to_owned(), "wamid.X".to_owned());
    assert_eq!(
        standin.receipts(),
        [Receipt {
            number,
            message_id,
            typing: true
        }]
    );
    assert!(standin.accepted().is_empty());
}

#[test]
fn objects_and_paths_are_answered_as_by_graph() {
    let number = Number {
        id: "42".into(),
        display: "+1 555-010-9000".into(),
        waba: "77".into(),
    };
    let standin = StandIn::start(Options {
        numbers: vec![number],
        ..Options::default()
    });
    let standin = standin.unwrap();
    let (http, object) = get(&standin, "/v25.0/42");
    assert_eq!(
        (http, &object["display_phone_number"]),
        (200, &json!("+1 555-010-9000"))
    );
    let (_, object) = get(&standin, "/v25.0/42?fields=status,quality_rating");
    assert_eq!(
        object,
        json!({"quality_rating": "GREEN", "status": "CONNECTED", "id": "42"})
    );
    assert_eq!(
        get(&standin, "/v25.0/77/phone_numbers").1["data"][0]["id"],
        "42"
    );
    assert!(get(&standin, "/v25.0/77/subscribed_apps").1["data"][0].is_object());
    let rows = [
        ("/v25.0/43", 400, 100),
        ("/v25.0/78/subscribed_apps", 400, 100),
        ("/v25.0/42/media", 404, 2500),
        ("/42", 404, 2500),
        ("/v25/42", 404, 2500),
        ("/", 404, 2500),
    ];
    for (path, http, code) in rows {
        let (got, body) = get(&standin, path);
        assert_eq!(
            (got, body["error"]["code"].as_i64()),
            (http, Some(code)),
            "{path}"
        );
    }
    let refused = code(&send(&standin, &text("hi")).unwrap());
    assert_eq!(refused, (400, 100), "a number that is not its own");
}

#[test]
fn a_body_too_long_is_answered_and_not_read() {
    let (standin, _callback) = pair(&[]);
    let body = "x".repeat(http::BODY_BYTES_MAX + 1);
    let answer = agent().post(messages(&standin)).send(body).unwrap();
    assert_eq!(answer.status(), 413);
    let answer = send(&standin, &text(&"x".repeat(5_000))).unwrap();
    assert_eq!(code(&answer), (400, 100));
}

#[test]
fn deliver_returns_when_acknowledged_or_out_of_time() {
    let (standin, callback) = pair(&[503, 0]);
    let body = notification("text", &Sample::default()).unwrap();
    assert_eq!(standin.deliver(&body).unwrap(), 3);
    assert!(
        callback
            .got
            .try_iter()
            .all(|(signature, _)| signature.starts_with("sha256="))
    );
    drop(callback);
    let error = standin
        .deliver_within(&body, Duration::from_millis(50))
        .unwrap_err();
    assert!(
        error.attempts > 1 && error.to_string().contains("did not answer"),
        "{error}"
    );
}

#[test]
fn many_senders_at_once_are_all_served() {
    let (standin, _callback) = pair(&[]);
    let (shared, url) = (agent(), messages(&standin));
    thread::scope(|scope| {
        for sender in 0..64 {
            let (shared, url) = (&shared, &url);
            scope.spawn(move || {
                for n in 0..5 {
                    let answer = post(shared, url, &text(&format!("{sender}/{n}"))).unwrap();
                    assert_eq!(answer.0, 200);
                }
            });
        }
    });
    let accepted = standin.accepted();
    assert_eq!(accepted.len(), 320);
    let wamids: std::collections::HashSet<_> = accepted.iter().map(|one| &one.wamid).collect();
    assert_eq!(wamids.len(), 320);
    // One sender's messages keep their order.
    let of_7: Vec<_> = accepted
        .iter()
        .filter_map(|one| one.body["text"]["body"].as_str()?.strip_prefix("7/"))
        .collect();
    assert_eq!(of_7, ["0", "1", "2", "3", "4"]);
    assert!(standin.wait_statuses(PATIENCE));
    assert_eq!(standin.tally().statuses, 3 * 320);
}

#[test]
fn an_observer_hears_what_happens_in_order() {
    let callback = Callback::start(&[503]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let mut options = swift();
    options.callback = Some(callback.url());
    options.witness = Some(Box::new(move |happening| {
        let line = match happening {
            Happening::Accepted {
                to,
                kind,
                text,
                choices,
                ..
            } => {
                let text = text.as_deref().unwrap_or_default();
                let choices = choices
                    .iter()
                    .map(|c| format!(" {:?} {}={}", c.kind, c.id, c.title));
                format!("{kind} to {to}: {text}{}", choices.collect::<String>())
            }
            Happening::Status {
                status, attempt, ..
            } => format!("{status} at {attempt}"),
            Happening::NotAcknowledged { attempt, why } => format!("{attempt}: {why}"),
            Happening::Refused { http, code } => format!("{http} {code}"),
            Happening::Read(receipt) => format!("read {}", receipt.message_id),
            Happening::Lost { wamid } => format!("lost {}", wamid.is_some()),
        };
        hears.lock().unwrap().push(line);
    }));
    let standin = StandIn::start(options).unwrap();
    send(&standin, &text("hi")).unwrap();
    assert!(standin.wait_statuses(PATIENCE));
    let mut broken = text("hi");
    broken["type"] = json!("smell");
    send(&standin, &broken).unwrap();
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "text to 15550107001: hi",
            "1: the callback answered 503",
            "sent at 2",
            "delivered at 1",
            "read at 1",
            "400 100"
        ]
    );
}

#[test]
fn dropping_does_not_wait_for_a_callback_that_hangs() {
    // The connection is made by the kernel; nobody ever takes it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let standin = StandIn::start(Options {
        callback: Some(format!("http://{}/", listener.local_addr().unwrap())),
        callback_timeout: 4 * PATIENCE,
        ..swift()
    });
    let standin = standin.unwrap();
    send(&standin, &text("hi")).unwrap();
    let since = Instant::now();
    drop(standin);
    assert!(since.elapsed() < PATIENCE);
}
