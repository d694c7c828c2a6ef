//! The real binary and a Graph that cannot be relied on: what is accepted in the end, and how
//! often.
//!
//! Customers of several numbers write, an app says each text back, and the stand-in loses half of
//! all answers, or does all that can go wrong at once while the service is killed again and again.
//! A message may reach its customer twice only if Graph's answer was lost and no status told.

mod support;

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use support::meta::{self, Met};
use support::*;
use wabridge::edge::standin::{
    CallFault, Chance, Delays, Faults, Happening, Options, StandIn, StatusFault,
};
use wabridge::wire::sample::{self, Sample};

const NUMBERS: [&str; 3] = ["106540300000001", "106540300000002", "106540300000003"];
const CUSTOMERS: usize = 20;
const MESSAGES: usize = 6;
const ALL: usize = NUMBERS.len() * CUSTOMERS * MESSAGES;

/// While anything is open Graph is called again within a window; only a machine that stands still
/// takes longer. How many windows it takes in all is luck: lost answers cost one each, one after
/// the other in a lane.
const STILL_MAX: Duration = Duration::from_secs(120);

/// Far more calls than it takes.
const CALLS_MAX: u64 = 20 * ALL as u64;

/// Long enough for a status to arrive on a busy machine.
const RECONCILE_WINDOW: &str = "4s";

#[test]
fn with_half_of_all_answers_lost_each_message_is_accepted_once_and_in_order() {
    let play = Play::new(half_lost());
    play.write_all();
    let met = play.finish();
    let calls = play.standin.tally();
    assert!(calls.lost * 3 > calls.calls, "too few were lost: {calls:?}");
    assert_eq!(met.twice, BTreeMap::new(), "each had its status");
}

#[test]
fn a_message_goes_out_twice_only_when_its_answer_was_lost_and_no_status_came() {
    let silent = StatusFault::Silent;
    let play = Play::new(half_lost().status(Chance::Share(0.3), silent));
    play.write_all();
    let met = play.finish();
    assert!(!met.twice.is_empty(), "nothing was put to the test");
    play.each_double_is_excused(&met);
}

#[test]
fn through_all_faults_at_once_and_kills_nothing_is_lost_and_order_is_kept() {
    let mut play = Play::new(everything());
    let writing = play.start_writing();
    let began = Instant::now();
    while play.kills < 6 || began.elapsed() < Duration::from_secs(6) {
        thread::sleep(Duration::from_millis(900));
        play.service.kill();
        play.service = play.setup.serve_on(&play.socket);
        play.kills += 1;
    }
    for customer in writing {
        customer.join().unwrap();
    }
    play.standin.set_faults(Faults::none());
    let met = play.finish();
    play.each_double_is_excused(&met);
}

/// A quarter before Graph took the message, a third of the rest after.
fn half_lost() -> Faults {
    Faults::none()
        .call(Chance::Share(0.25), CallFault::LostBefore)
        .call(Chance::Share(0.2), CallFault::LostAfter)
        .call(Chance::Share(0.2), CallFault::CutAfter)
}

/// Shares small enough that some hundred messages are through in seconds.
fn everything() -> Faults {
    let calls = [
        CallFault::Throttled,
        CallFault::PairLimited,
        CallFault::TooManyRequests(1),
        CallFault::BadGateway,
        CallFault::Page(200),
        CallFault::PageAfter(504),
        CallFault::LostBefore,
        CallFault::LostAfter,
        CallFault::CutAfter,
        CallFault::StallBefore(Duration::from_millis(700)),
        CallFault::StallAfter(Duration::from_millis(700)),
        CallFault::TrickleAfter(Duration::from_millis(2)),
    ];
    let faults = calls.into_iter().fold(Faults::none(), |all, fault| {
        all.call(Chance::Share(0.02), fault)
    });
    faults
        .status(Chance::Share(0.1), StatusFault::Early)
        .status(
            Chance::Share(0.1),
            StatusFault::Late(Duration::from_millis(500)),
        )
        .status(Chance::Share(0.1), StatusFault::Doubled)
        .status(Chance::Share(0.1), StatusFault::Reversed)
        .status(Chance::Share(0.1), StatusFault::AtOnce)
        .status(Chance::Share(0.05), StatusFault::Silent)
}

/// What the stand-in heard and said of each wamid.
#[derive(Default)]
struct Told {
    /// Whose answer it kept to itself.
    lost: BTreeSet<String>,
    /// Whose status was acknowledged, and when first.
    status: BTreeMap<String, Instant>,
}

struct Play {
    standin: StandIn,
    told: Arc<Mutex<Told>>,
    setup: Setup,
    socket: TcpListener,
    service: Wabridge,
    kills: usize,
    _app: App,
    _folder: Folder,
}

/// What became of it all.
struct Ended {
    /// Texts that were accepted more than once, with the wamids they had.
    twice: BTreeMap<String, Vec<Once>>,
}

/// One time that Graph accepted it.
#[derive(Clone, Debug, PartialEq)]
struct Once {
    wamid: String,
    at: Instant,
}

impl Play {
    fn new(faults: Faults) -> Play {
        let folder = Folder::new();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let callback = format!("http://{}/webhook", socket.local_addr().unwrap());
        let told: Arc<Mutex<Told>> = Arc::default();
        let hearing = Arc::clone(&told);
        let standin = StandIn::start(Options {
            token: TOKEN.into(),
            app_secret: APP_SECRET.into(),
            callback: Some(callback),
            callback_threads: 8,
            delays: Delays {
                redeliver_max: Duration::from_millis(200),
                ..Delays::default()
            },
            witness: Some(Box::new(move |happening| match happening {
                Happening::Lost { wamid: Some(wamid) } => {
                    hearing.lock().unwrap().lost.insert(wamid.clone());
                }
                Happening::Status { wamid, .. } => {
                    let status = &mut hearing.lock().unwrap().status;
                    status.entry(wamid.clone()).or_insert_with(Instant::now);
                }
                _ => {}
            })),
            ..Options::default()
        })
        .unwrap();
        standin.set_faults(faults);
        let app = App::start(|received| match received.text() {
            "" => says(200, ""),
            text => {
                let reply = json!({"messages": [{"type": "text", "text": {"body": text}}]});
                says(200, reply.to_string())
            }
        });
        let setup = Setup::new(folder.path())
            .set("WHATSAPP_TOKEN", TOKEN)
            .set("GRAPH_API_URL", &standin.url())
            .set("FORWARD_URL", &app.url())
            .set("RATE_PER_NUMBER", "1000")
            .set("RECONCILE_WINDOW", RECONCILE_WINDOW);
        Play {
            service: setup.serve_on(&socket),
            kills: 0,
            standin,
            told,
            setup,
            socket,
            _app: app,
            _folder: folder,
        }
    }

    fn write_all(&self) {
        for customer in self.start_writing() {
            customer.join().unwrap();
        }
    }

    /// Each number's customers write, one number a thread, all customers in turn.
    fn start_writing(&self) -> Vec<thread::JoinHandle<Met>> {
        let address = self.socket.local_addr().unwrap();
        let write = move |number: usize| {
            let mut met = Met::new();
            for message in 0..MESSAGES {
                for customer in 0..CUSTOMERS {
                    let body = notification(number, customer, message);
                    meta::add(&mut met, meta::deliver(address, &body));
                }
            }
            met
        };
        let numbers = 0..NUMBERS.len();
        numbers.map(|n| thread::spawn(move || write(n))).collect()
    }

    /// Waits until nothing is left to do, and sees that every text was accepted, in its order.
    fn finish(&self) -> Ended {
        let (mut calls, mut moved) = (0, Instant::now());
        while self.setup.open_jobs() > 0 || self.standin.accepted().len() < ALL {
            let tally = self.standin.tally();
            if tally.calls > calls {
                (calls, moved) = (tally.calls, Instant::now());
            }
            let goes_on = moved.elapsed() < STILL_MAX && calls < CALLS_MAX;
            assert!(goes_on, "{tally:?}; {}", self.service.log());
            thread::sleep(Duration::from_millis(200));
        }
        println!("Graph met {:?}", self.standin.tally());
        let mut lanes: BTreeMap<(String, String), Vec<(String, Once)>> = BTreeMap::new();
        for accepted in self.standin.accepted() {
            let text = accepted.body["text"]["body"].as_str().unwrap().to_owned();
            let lane = lanes.entry((accepted.number, accepted.to)).or_default();
            let (wamid, at) = (accepted.wamid, accepted.at);
            lane.push((text, Once { wamid, at }));
        }
        let mut twice = BTreeMap::new();
        for (number, id) in NUMBERS.iter().enumerate() {
            for customer in 0..CUSTOMERS {
                let lane = &lanes[&((*id).to_owned(), phone(customer))];
                let mut times: BTreeMap<&str, Vec<Once>> = BTreeMap::new();
                let mut texts: Vec<&str> = Vec::new();
                for (text, once) in lane {
                    times.entry(text).or_default().push(once.clone());
                    texts.push(text);
                }
                // A repeat stands beside what it repeats: the lane waits for it.
                texts.dedup();
                let wrote: Vec<_> = (0..MESSAGES).map(|m| words(number, customer, m)).collect();
                assert_eq!(texts, wrote, "{id} to {customer}");
                let more = times.into_iter().filter(|(_, times)| times.len() > 1);
                twice.extend(more.map(|(text, times)| (text.to_owned(), times)));
            }
        }
        Ended { twice }
    }

    /// Before a message was accepted again its answer was lost (by the stand-in, or because the
    /// process that waited for it was killed), and no status had told.
    fn each_double_is_excused(&self, met: &Ended) {
        let told = self.told.lock().unwrap();
        for (text, times) in &met.twice {
            for pair in times.windows(2) {
                let (first, again) = (&pair[0], &pair[1]);
                let lost = told.lost.contains(&first.wamid) || self.kills > 0;
                assert!(lost, "{text}: the answer was not lost");
                let status = told.status.get(&first.wamid);
                let knew = status.is_some_and(|at| *at < again.at);
                assert!(!knew, "{text}: a status had told");
            }
        }
        println!("{} went out twice, with leave", met.twice.len());
    }
}

fn phone(customer: usize) -> String {
    format!("155501070{customer:02}")
}

fn words(number: usize, customer: usize, message: usize) -> String {
    format!("{number}/{customer}/{message}")
}

fn notification(number: usize, customer: usize, message: usize) -> String {
    let from = phone(customer);
    let n = (number * CUSTOMERS + customer) * MESSAGES + message;
    let sample = Sample {
        number: NUMBERS[number],
        from: &from,
        text: &words(number, customer, message),
        id: &sample::wamid(n as u64, &from),
        timestamp: now_s(),
        ..Sample::default()
    };
    sample::notification("text", &sample).unwrap()
}
