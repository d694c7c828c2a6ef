//! Messages on their way out: what Graph answers or fails to answer, and what
//! its statuses say, against the stand-in for Graph.

mod support;

use serde_json::json;
use std::time::Duration;
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn, StatusFault};
use wabridge::wire::sample::{self, Recipient, Sample, Status};

const ANA: &str = "15550107001";
const BEN: &str = "15550107002";

/// A service whose app says each text back, and the stand-in it sends by.
struct Echo {
    place: Place,
    standin: StandIn,
    _app: App,
}

impl Echo {
    fn new(faults: Faults, settings: &[(&str, &str)]) -> Echo {
        let app = App::start(|request| match request.text() {
            "" => says(200, ""),
            text => {
                let reply = json!({"messages": [{"type": "text", "text": {"body": text}}]});
                says(200, reply.to_string())
            }
        });
        let standin = graph();
        standin.set_faults(faults);
        let forward = app.url();
        let own = [
            ("FORWARD_URL", forward.as_str()),
            ("RECONCILE_WINDOW", "2s"),
        ];
        let place = Place::with_graph(&standin, &[&own, settings].concat());
        Echo {
            place,
            standin,
            _app: app,
        }
    }

    /// A customer writes, so that the same text goes out to them.
    fn send(&self, n: u64, to: &str, text: &str) {
        self.place.service.take(&text_message(n, to, text));
    }

    /// What customers have got, in order.
    fn said(&self) -> Vec<String> {
        let accepted = self.standin.accepted();
        let texts = accepted.iter().map(|a| a.body["text"]["body"].as_str());
        texts.map(|text| text.unwrap_or("?").to_owned()).collect()
    }

    /// A status of Meta's, by hand.
    fn status(&self, wamid: &str, to: &str, status: &str, error: Option<(i64, &str)>) {
        let plain = Sample::default();
        let body = sample::status(&Status {
            number: plain.number,
            display: plain.display,
            waba: plain.waba,
            wamid,
            status,
            recipient: Recipient::Phone(to),
            user_id: None,
            opaque: None,
            error,
            timestamp: 1_790_000_000,
        });
        self.place.service.take(&body);
    }

    fn restart(&mut self, name: &str, value: &str) {
        self.place.setup = self.place.setup.clone().set(name, value);
        self.place.crash();
        self.standin.set_callback(&self.place.service.url());
    }
}

fn calls(faults: &[CallFault]) -> Faults {
    let faults = faults.iter().cloned();
    faults.fold(Faults::none(), |all, fault| {
        all.call(Chance::Next(1), fault)
    })
}

#[test]
fn statuses_move_a_message_up_and_never_back() {
    let echo = Echo::new(
        Faults::none().status(Chance::Always, StatusFault::Silent),
        &[],
    );
    let cases: [(&[&str], &str); 11] = [
        (&[], "accepted"),
        (&["sent"], "sent"),
        (&["sent", "delivered"], "delivered"),
        (&["sent", "delivered", "read"], "read"),
        (&["read", "delivered", "sent"], "read"),
        (&["delivered", "sent"], "delivered"),
        (
            &["sent", "sent", "delivered", "delivered", "sent"],
            "delivered",
        ),
        (&["delivered", "played", "read"], "read"),
        (&["failed", "sent"], "failed"),
        (&["sent", "failed"], "failed"),
        (&["warning", "something new"], "accepted"),
    ];
    for (n, (statuses, expected)) in cases.into_iter().enumerate() {
        let to = format!("155501072{n:02}");
        echo.send(n as u64, &to, "hello");
        assert!(echo.standin.wait_accepted(n + 1, PATIENCE));
        wait_until("it is accepted", || {
            echo.place.outbox()[n]["state"] == "accepted"
        });
        let wamid = &echo.standin.accepted()[n].wamid;
        for status in statuses {
            let error = (*status == "failed").then_some((131_026, "Message undeliverable"));
            echo.status(wamid, &to, status, error);
        }
        let row = &echo.place.outbox()[n];
        assert_eq!(row["state"], expected, "{statuses:?}");
        assert_eq!(row["wamid"], wamid.as_str());
        let error = row["error"].as_str().unwrap_or_default();
        assert_eq!(
            error.starts_with("131026: "),
            expected == "failed",
            "{error}"
        );
    }
}

#[test]
fn statuses_in_any_order_end_in_read() {
    for fault in [
        StatusFault::Early,
        StatusFault::Doubled,
        StatusFault::Reversed,
        StatusFault::AtOnce,
    ] {
        let faults = Faults::none().status(Chance::Always, fault.clone());
        let echo = Echo::new(faults, &[]);
        for n in 0..3 {
            echo.send(n, ANA, "hello");
        }
        echo.place.wait_outbox("read read read");
        assert_eq!(echo.standin.accepted().len(), 3, "{fault:?}");
        assert_eq!(echo.place.outbox_words("attempts"), "1 1 1");
    }
}

#[test]
fn a_status_that_comes_before_graphs_answer_is_kept_and_applied() {
    let stalled = calls(&[CallFault::StallAfter(Duration::from_secs(2))]);
    let echo = Echo::new(stalled.status(Chance::Always, StatusFault::Silent), &[]);
    echo.send(1, ANA, "hello");
    assert!(echo.standin.wait_accepted(1, PATIENCE));
    // Without our mark: the wamid alone tells, and we do not know it yet.
    let wamid = echo.standin.accepted()[0].wamid.clone();
    echo.status(&wamid, ANA, "delivered", None);
    assert_eq!(echo.place.outbox_words("state"), "sending");
    echo.place.wait_outbox("delivered");
}

#[test]
fn a_failed_status_keeps_its_code_and_says_what_it_means() {
    for (code, words) in [(131_047, "24 hours"), (131_026, "WhatsApp"), (999_999, "")] {
        let failed = StatusFault::Failed(code, "Some title".into());
        let echo = Echo::new(Faults::none().status(Chance::Always, failed), &[]);
        echo.send(1, ANA, "hello");
        echo.place.wait_outbox("failed");
        let error = echo.place.outbox()[0]["error"].as_str().unwrap().to_owned();
        assert!(
            error.starts_with(&code.to_string()) && error.contains(words),
            "{error}"
        );
        assert_eq!(echo.standin.accepted().len(), 1);
    }
}

#[test]
fn what_graph_refuses_has_failed_and_the_lane_goes_on() {
    let refused = CallFault::Refused(400, 131_051, "Unsupported message type".into());
    let echo = Echo::new(calls(&[refused]), &[]);
    echo.send(1, ANA, "refused");
    echo.send(2, ANA, "fine");
    echo.place.wait_outbox("failed read");
    let row = &echo.place.outbox()[0];
    assert!(row["error"].as_str().unwrap().starts_with("131051: "));
    assert_eq!((&row["wamid"], &row["attempts"]), (&json!(null), &json!(1)));
    assert_eq!(echo.said(), ["fine"]);
}

#[test]
fn throttled_messages_go_out_later_once_and_in_order() {
    for fault in [
        CallFault::Throttled,
        CallFault::PairLimited,
        CallFault::TooManyRequests(1),
    ] {
        let echo = Echo::new(calls(std::slice::from_ref(&fault)), &[]);
        for (n, text) in ["a", "b", "c"].iter().enumerate() {
            echo.send(n as u64, ANA, text);
        }
        echo.place.wait_outbox("read read read");
        assert_eq!(echo.said(), ["a", "b", "c"], "{fault:?}");
        assert_eq!(echo.place.outbox_words("attempts"), "2 1 1");
    }
}

#[test]
fn a_pair_that_is_limited_does_not_hold_up_others() {
    let echo = Echo::new(calls(&[CallFault::PairLimited]), &[]);
    echo.send(1, ANA, "limited");
    wait_until("it was refused", || echo.standin.tally().refused == 1);
    echo.send(2, BEN, "free");
    echo.place.wait_outbox("read read");
    assert_eq!(echo.said(), ["free", "limited"]);
}

#[test]
fn an_expired_token_halts_sending_not_receiving_and_a_new_one_resumes() {
    let mut echo = Echo::new(Faults::none().expired(), &[]);
    for n in 0..3 {
        echo.send(n, ANA, &n.to_string());
    }
    wait_until("the halt shows", || {
        let queue = echo.place.queue("send");
        queue["halt"].is_string() && queue["open"] == 3
    });
    let queue = echo.place.queue("send");
    assert!(queue["halt"].as_str().unwrap().contains("token"), "{queue}");
    let text = String::from_utf8(echo.place.setup.run(&["status"]).stdout).unwrap();
    assert!(text.contains("halted (token)"), "{text}");
    echo.send(3, BEN, "3");
    echo.place.wait_inbox("done done done done");
    // Another token, not yet the right one: halted again.
    echo.restart("WHATSAPP_TOKEN", "also-wrong");
    wait_until("it was tried", || {
        echo.standin.tally().calls >= 2 && echo.place.queue("send")["halt"].is_string()
    });
    echo.place.wait_outbox("queued queued queued queued");
    echo.standin.set_faults(Faults::none());
    echo.standin.set_token("fresh");
    echo.restart("WHATSAPP_TOKEN", "fresh");
    echo.place.wait_outbox("read read read read");
    let to_ana: Vec<_> = echo.said().into_iter().filter(|text| text != "3").collect();
    assert_eq!(to_ana, ["0", "1", "2"]);
    assert_eq!(echo.place.outbox_words("attempts"), "1 1 1 1");
    assert!(echo.place.queue("send")["halt"].is_null());
}

#[test]
fn a_lost_answer_is_settled_by_a_status_or_the_message_is_sent_again() {
    for (fault, silent) in [
        (CallFault::LostBefore, false),
        (CallFault::LostAfter, false),
        (CallFault::CutAfter, false),
        (CallFault::LostBefore, true),
        (CallFault::ServerError, false),
        (CallFault::BadGateway, false),
    ] {
        // The second loses its answer for sure: by the time it is through, a
        // repeat of the first would have come.
        let mut faults = calls(&[fault.clone(), CallFault::LostBefore]);
        if silent {
            faults = faults.status(Chance::Always, StatusFault::Silent);
        }
        let echo = Echo::new(faults, &[("RECONCILE_WINDOW", "1s")]);
        echo.send(1, ANA, "first");
        let settled = if silent { "accepted" } else { "read" };
        echo.place.wait_outbox(settled);
        echo.send(2, ANA, "second");
        echo.place.wait_outbox(&format!("{settled} {settled}"));
        assert_eq!(echo.said(), ["first", "second"], "{fault:?}");
    }
}

#[test]
fn only_a_lost_answer_and_no_status_sends_twice() {
    let faults = calls(&[CallFault::LostAfter]).status(Chance::Next(1), StatusFault::Silent);
    let echo = Echo::new(faults, &[("RECONCILE_WINDOW", "1s")]);
    echo.send(1, ANA, "hello");
    echo.place.wait_outbox("read");
    assert_eq!(echo.said(), ["hello", "hello"]);
    assert_eq!(echo.place.outbox_words("attempts"), "2");
}

#[test]
fn on_unknown_hold_leaves_it_to_the_operator_and_the_lane_goes_on() {
    let settings = [("ON_UNKNOWN", "hold"), ("RECONCILE_WINDOW", "1s")];
    let echo = Echo::new(calls(&[CallFault::LostBefore]), &settings);
    echo.send(1, ANA, "lost");
    echo.send(2, ANA, "next");
    echo.place.wait_outbox("held read");
    assert_eq!(echo.said(), ["next"]);
    let error = echo.place.outbox()[0]["error"].to_string();
    assert!(error.contains("may have gone out"), "{error}");
    let status = String::from_utf8(echo.place.setup.run(&["status"]).stdout).unwrap();
    assert!(status.contains("for you to decide"), "{status}");

    let steer = |verb: &str| echo.place.setup.run(&["outbox", verb, "1"]).status.code();
    assert_eq!(steer("cancel"), Some(0));
    assert_eq!(echo.place.outbox_words("state"), "cancelled read");
    assert_eq!(steer("cancel"), Some(1), "it is cancelled already");
    assert_eq!(steer("retry"), Some(0));
    echo.place.wait_outbox("read read");
    assert_eq!(steer("retry"), Some(1), "it has been read");
    assert_eq!(echo.said(), ["next", "lost"]);
}

#[test]
fn the_next_of_the_lane_waits_for_the_unknown_one_and_others_do_not() {
    let echo = Echo::new(calls(&[CallFault::LostBefore]), &[]);
    echo.send(1, ANA, "lost");
    wait_until("it is unknown", || {
        echo.place.outbox_words("state") == "unknown"
    });
    echo.send(2, ANA, "behind");
    echo.send(3, BEN, "beside");
    echo.place.wait_outbox("read read read");
    assert_eq!(echo.said(), ["beside", "lost", "behind"]);
}

#[test]
fn a_kill_during_the_call_sends_once_when_a_status_comes() {
    let stalled = calls(&[CallFault::StallAfter(Duration::from_secs(20))]);
    let late = StatusFault::Late(Duration::from_millis(300));
    let mut echo = Echo::new(stalled.status(Chance::Always, late), &[]);
    echo.send(1, ANA, "hello");
    assert!(echo.standin.wait_accepted(1, PATIENCE));
    echo.restart("RECONCILE_WINDOW", "20s");
    echo.send(2, ANA, "next");
    echo.place.wait_outbox("read read");
    assert_eq!(echo.said(), ["hello", "next"]);
}

#[test]
fn a_kill_before_graph_heard_of_it_sends_again_after_the_window() {
    let stalled = calls(&[CallFault::StallAfter(Duration::from_secs(20))]);
    let faults = stalled.status(Chance::Next(1), StatusFault::Silent);
    let mut echo = Echo::new(faults, &[]);
    echo.send(1, ANA, "hello");
    assert!(echo.standin.wait_accepted(1, PATIENCE));
    echo.restart("RECONCILE_WINDOW", "1s");
    echo.place.wait_outbox("read");
    assert_eq!(echo.said(), ["hello", "hello"]);
}

#[test]
fn while_graph_refuses_connections_messages_wait_and_then_go_out() {
    let away = Away::new();
    let url = away.url().replace("/hook", "");
    let echo = Echo::new(Faults::none(), &[("GRAPH_API_URL", &url)]);
    for n in 0..3 {
        echo.send(n, ANA, &n.to_string());
    }
    wait_until("it was tried", || {
        echo.place.queue("send")["failures"].as_i64() >= Some(1)
    });
    echo.place.wait_outbox("queued queued queued");
    let graph = away.back(|request| {
        let text = request.body["text"]["body"].as_str().unwrap();
        let answer = json!({"messages": [{"id": format!("wamid.{text}")}]});
        says(200, answer.to_string())
    });
    echo.place.wait_outbox("accepted accepted accepted");
    assert_eq!(echo.place.outbox_words("wamid"), "wamid.0 wamid.1 wamid.2");
    let got = graph.received();
    assert_eq!(got.len(), 3);
    assert_eq!(got[0].headers["authorization"], format!("Bearer {TOKEN}"));
}

#[test]
fn a_number_sends_no_faster_than_its_rate() {
    let echo = Echo::new(Faults::none(), &[("RATE_PER_NUMBER", "10")]);
    for n in 0..20 {
        echo.send(n, &format!("155501073{n:02}"), "hello");
    }
    assert!(echo.standin.wait_accepted(20, PATIENCE));
    let accepted = echo.standin.accepted();
    let span = accepted[19].at - accepted[0].at;
    assert!(span >= Duration::from_millis(1_700), "{span:?}");
}

#[test]
fn through_a_row_of_faults_each_message_goes_out_once_and_in_order() {
    let faults = calls(&[
        CallFault::Throttled,
        CallFault::LostAfter,
        CallFault::PairLimited,
        CallFault::CutAfter,
        CallFault::TooManyRequests(1),
        CallFault::LostBefore,
    ]);
    let echo = Echo::new(faults.status(Chance::Always, StatusFault::Doubled), &[]);
    let texts: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for (n, text) in texts.iter().enumerate() {
        echo.send(n as u64, ANA, text);
    }
    echo.place.wait_outbox(&["read"; 10].join(" "));
    assert_eq!(echo.said(), texts);
}
