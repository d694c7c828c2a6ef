//! Stopping: in order by a signal, at once by a second one, and nothing lost
//! either way.

mod support;

use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults};

/// An app that hangs at its first event, and says so.
fn hanging() -> (App, Receiver<()>, Sender<()>) {
    let (entered, inside) = channel();
    let (open, opened) = channel::<()>();
    let state = Mutex::new(opened);
    let first = AtomicBool::new(true);
    let app = App::start(move |request| {
        if first.swap(false, Ordering::SeqCst) {
            entered.send(()).unwrap();
            let _ = state.lock().unwrap().recv();
        }
        let reply = json!({"messages": [{"text": {"body": request.text()}}]});
        says(200, reply.to_string())
    });
    (app, inside, open)
}

#[test]
fn a_signal_stops_an_idle_service_at_once_with_0() {
    for signal in ["TERM", "INT"] {
        let mut place = Place::new(&[]);
        place.service.take(&text_message(1, "15550107001", "hello"));
        let begun = Instant::now();
        place.service.signal(signal);
        assert_eq!(place.service.wait().code(), Some(0), "{signal}");
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        assert!(place.service.log().contains("msg=\"stopped\""));
        assert_eq!(place.inbox().len(), 1);
    }
}

#[test]
fn a_hanging_app_holds_the_stop_up_for_seconds_only_and_its_event_is_taken_up_again() {
    let (app, inside, _open) = hanging();
    let url = app.url();
    let mut place = Place::new(&[("FORWARD_URL", url.as_str()), ("FORWARD_TIMEOUT", "60s")]);
    place.service.take(&text_message(1, "15550107001", "first"));
    place
        .service
        .take(&text_message(2, "15550107001", "second"));
    inside.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    place.service.signal("TERM");
    assert_eq!(place.service.wait().code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(place.inbox_words("state"), "pending pending");
    place.service = place.setup.serve();
    place.wait_inbox("done done");
    // The first call was received too, but is written down when it is answered.
    assert_eq!(app.texts(), ["first", "second"]);
    assert_eq!(place.inbox_words("attempts"), "2 1");
    assert_eq!(place.outbox().len(), 2);
}

#[test]
fn a_second_signal_ends_at_once() {
    let (app, inside, _open) = hanging();
    let url = app.url();
    let mut place = Place::new(&[("FORWARD_URL", url.as_str()), ("FORWARD_TIMEOUT", "60s")]);
    place.service.take(&text_message(1, "15550107001", "first"));
    inside.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    place.service.signal("INT");
    place.service.wait_for_log("msg=\"stopping");
    place.service.signal("INT");
    assert_eq!(place.service.wait().code(), Some(1));
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    place.service = place.setup.serve();
    place.wait_inbox("done");
}

#[test]
fn what_can_end_in_time_ends_before_the_stop() {
    let (app, inside, open) = hanging();
    let url = app.url();
    let mut place = Place::new(&[("FORWARD_URL", url.as_str())]);
    place.service.take(&text_message(1, "15550107001", "first"));
    place
        .service
        .take(&text_message(2, "15550107001", "second"));
    inside.recv_timeout(PATIENCE).unwrap();
    place.service.signal("TERM");
    place.service.wait_for_log("msg=\"stopping");
    open.send(()).unwrap();
    assert_eq!(place.service.wait().code(), Some(0));
    assert_eq!(place.inbox_words("state"), "done pending");
    assert_eq!(place.outbox_words("state"), "queued", "its reply is stored");
}

#[test]
fn a_hanging_graph_holds_the_stop_up_for_seconds_only_and_nothing_goes_out_twice() {
    let standin = graph();
    let stall = CallFault::StallAfter(Duration::from_secs(60));
    standin.set_faults(Faults::none().call(Chance::Next(1), stall));
    let app = App::start(|request| match request.text() {
        "" => says(200, ""),
        text => says(
            200,
            json!({"messages": [{"text": {"body": text}}]}).to_string(),
        ),
    });
    let (url, api) = (app.url(), standin.url());
    let mut place = Place::new(&[
        ("FORWARD_URL", url.as_str()),
        ("GRAPH_API_URL", api.as_str()),
        ("WHATSAPP_TOKEN", TOKEN),
        ("RECONCILE_WINDOW", "20s"),
    ]);
    place.service.take(&text_message(1, "15550107001", "hello"));
    assert!(standin.wait_accepted(1, PATIENCE));
    place.service.signal("TERM");
    assert_eq!(place.service.wait().code(), Some(0));
    place.service = place.setup.serve();
    standin.set_callback(&place.service.url());
    place.wait_outbox("read");
    assert_eq!(standin.accepted().len(), 1);
}

#[test]
fn under_load_nothing_answered_200_is_lost_by_a_stop() {
    let mut place = Place::new(&[]);
    let address = place.service.address;
    let taken = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4_u64)
            .map(|client| {
                scope.spawn(move || {
                    let mut taken = 0;
                    for n in 0..100_000 {
                        let body = text_message(client * 100_000 + n, "15550107001", "x");
                        let signature = sign(body.as_bytes());
                        let headers = [("X-Hub-Signature-256", signature.as_str())];
                        match request(address, "POST", "/webhook", &headers, body.as_bytes()) {
                            Ok(answer) if answer.status == 200 => taken += 1,
                            // 503 or nothing: Meta delivers it again.
                            _ => return taken,
                        }
                    }
                    taken
                })
            })
            .collect();
        wait_until("some are stored", || place.inbox().len() >= 50);
        place.service.signal("TERM");
        assert_eq!(place.service.wait().code(), Some(0));
        clients
            .into_iter()
            .map(|c| c.join().unwrap())
            .sum::<usize>()
    });
    let stored = place.inbox().len();
    assert!(
        stored >= taken && taken >= 50,
        "{stored} stored, {taken} answered"
    );
}
