//! The real binary under load, killed with SIGKILL again and again: what was
//! acknowledged reaches the app in order, and is answered at Graph exactly once.
//!
//! Customers write one message after another, each delivered as Meta does it:
//! until a 200, and now and then once more after it. The app fails and hangs
//! now and then, and Graph's answers get lost now and then. Kills come by the
//! count of acknowledged messages, so that each meets the service at work.

mod support;

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::meta::{self, Met};
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Delays, Faults, Options, StandIn, StatusFault};

const CUSTOMERS: usize = 6;

/// Below 45, the burst that one recipient may be sent (131056): the answers
/// are to come without waiting for Meta's pace.
const MESSAGES: usize = 40;

const KILLS: usize = 12;

/// Between a customer's messages, so that answers and statuses are under way
/// too when a kill comes.
const PAUSE: Duration = Duration::from_millis(50);

/// Long enough for the stand-in to bring a status to a service that is back.
const RECONCILE_WINDOW: &str = "3s";

#[test]
fn kills_lose_and_repeat_nothing_when_the_service_binds_its_port_anew() {
    let address = quiet_port();
    let listen = address.to_string();
    check(address, &|setup| {
        setup.clone().set("LISTEN", &listen).serve()
    });
}

#[test]
fn kills_lose_and_repeat_nothing_when_systemd_holds_the_socket() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    check(socket.local_addr().unwrap(), &|setup| {
        setup.serve_on(&socket)
    });
}

fn check(address: SocketAddr, start: &dyn Fn(&Setup) -> Wabridge) {
    let folder = Folder::new();
    let standin = standin(address);
    let seen = Arc::new(Seen::default());
    let app = {
        let seen = Arc::clone(&seen);
        App::start(move |received| seen.answer(received))
    };
    let setup = Setup::new(folder.path())
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &standin.url())
        .set("FORWARD_URL", &app.url())
        .set("FORWARD_TIMEOUT", "1s")
        .set("RATE_PER_NUMBER", "1000")
        .set("RECONCILE_WINDOW", RECONCILE_WINDOW);

    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut service = start(&setup);
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|customer| {
            let acknowledged = Arc::clone(&acknowledged);
            thread::spawn(move || write_all(customer, address, &acknowledged))
        })
        .collect();
    for kill in 1..=KILLS {
        let enough = CUSTOMERS * MESSAGES * kill / (KILLS + 1);
        wait_until("enough is acknowledged for the next kill", || {
            acknowledged.load(Ordering::SeqCst) >= enough
        });
        service.kill();
        service = start(&setup);
    }
    let mut met = Met::new();
    for customer in customers {
        meta::add(&mut met, customer.join().unwrap());
    }
    println!("deliveries met {met:?}; Graph met {:?}", standin.tally());

    let all = CUSTOMERS * MESSAGES;
    assert!(
        standin.wait_accepted(all, PATIENCE),
        "{} of {all} answers went out; {}",
        standin.accepted().len(),
        service.log()
    );
    assert!(standin.wait_statuses(PATIENCE), "{:?}", standin.tally());
    wait_until("nothing is left to do", || setup.open_jobs() == 0);
    seen.in_order();
    answered_once(&standin);
    stored_and_done(&setup);
}

/// Graph, its statuses going to the service wherever it is in its life.
fn standin(callback: SocketAddr) -> StandIn {
    let standin = StandIn::start(Options {
        token: TOKEN.into(),
        app_secret: APP_SECRET.into(),
        callback: Some(format!("http://{callback}/webhook")),
        delays: Delays {
            redeliver_max: Duration::from_millis(200),
            ..Delays::default()
        },
        ..Options::default()
    })
    .unwrap();
    standin.set_faults(
        Faults::none()
            .call(Chance::Share(0.04), CallFault::LostAfter)
            .call(Chance::Share(0.02), CallFault::LostBefore)
            .status(Chance::Share(0.1), StatusFault::Doubled)
            .status(Chance::Share(0.1), StatusFault::Early),
    );
    standin
}

/// A port to come back to: none that outgoing connections are given meanwhile.
fn quiet_port() -> SocketAddr {
    let first = 12_000 + (std::process::id() % 15_000) as u16;
    (first..32_000)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}

fn phone(customer: usize) -> String {
    format!("1555010700{customer}")
}

fn words(customer: usize, message: usize) -> String {
    format!("{customer}/{message}")
}

/// One customer's messages: the next when the one before is acknowledged.
fn write_all(customer: usize, address: SocketAddr, acknowledged: &AtomicUsize) -> Met {
    let from = phone(customer);
    let mut met = Met::new();
    for message in 0..MESSAGES {
        let n = (customer * MESSAGES + message) as u64;
        let body = text_message(n, &from, &words(customer, message));
        meta::add(&mut met, meta::deliver(address, &body));
        acknowledged.fetch_add(1, Ordering::SeqCst);
        if message % 7 == customer {
            meta::add(&mut met, meta::deliver(address, &body));
        }
        thread::sleep(PAUSE);
    }
    met
}

/// What the app was given: each customer's texts, by their first delivery.
#[derive(Default)]
struct Seen {
    texts: Mutex<BTreeMap<String, Vec<String>>>,
    calls: AtomicUsize,
}

impl Seen {
    /// Noted before anything goes wrong with the answer.
    fn answer(&self, received: &Received) -> AppAnswer {
        let message = &received.body["entry"][0]["changes"][0]["value"]["messages"][0];
        let (Some(from), Some(text)) = (message["from"].as_str(), message["text"]["body"].as_str())
        else {
            return (200, String::new(), vec![]);
        };
        let mut texts = self.texts.lock().unwrap();
        let of_customer = texts.entry(from.to_owned()).or_default();
        if !of_customer.iter().any(|seen| seen == text) {
            of_customer.push(text.to_owned());
        }
        drop(texts);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call % 29 == 11 {
            return (503, String::new(), vec![]);
        }
        if call % 61 == 37 {
            // Longer than FORWARD_TIMEOUT: the answer comes to nobody.
            thread::sleep(Duration::from_millis(1_200));
        }
        let reply = json!({"messages": [{"type": "text", "text": {"body": format!("re {text}")}}]});
        (200, reply.to_string(), vec![])
    }

    /// Nothing is missing, and first deliveries came as the customer wrote.
    fn in_order(&self) {
        let texts = self.texts.lock().unwrap();
        for customer in 0..CUSTOMERS {
            let wrote: Vec<_> = (0..MESSAGES).map(|m| words(customer, m)).collect();
            assert_eq!(texts[&phone(customer)], wrote);
        }
    }
}

/// What each customer would read: one answer to each message, in order.
fn answered_once(standin: &StandIn) {
    let mut read: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for accepted in standin.accepted() {
        let text = accepted.body["text"]["body"].as_str().unwrap().to_owned();
        read.entry(accepted.to).or_default().push(text);
    }
    for customer in 0..CUSTOMERS {
        let answers: Vec<_> = (0..MESSAGES)
            .map(|m| format!("re {}", words(customer, m)))
            .collect();
        assert_eq!(read[&phone(customer)], answers);
    }
}

/// The store tells the same: each event once and done, each answer read.
fn stored_and_done(setup: &Setup) {
    let all = CUSTOMERS * MESSAGES;
    let inbox = setup.json(&["inbox", "list", "--json", "--limit", "100000"]);
    let keys: BTreeSet<_> = inbox.iter().map(|row| row["key"].to_string()).collect();
    assert_eq!(keys.len(), inbox.len(), "an event is stored twice");
    let messages = inbox.iter().filter(|row| row["kind"] == "message").count();
    assert_eq!((messages, inbox.len()), (all, all + 3 * all));
    let open: Vec<_> = inbox.iter().filter(|row| row["state"] != "done").collect();
    assert!(open.is_empty(), "{open:?}");

    let outbox = setup.json(&["outbox", "list", "--json", "--limit", "100000"]);
    assert_eq!(outbox.len(), all);
    let unread: Vec<_> = outbox.iter().filter(|row| row["state"] != "read").collect();
    assert!(unread.is_empty(), "{unread:?}");
}
