//! An hour in which Graph is away, by a clock that is turned by hand: messages come in before,
//! during and after, and `post`, `claim` and `finish` are driven as the service drives them.
//!
//! Away can mean four things: nobody listens, a proxy says so, Graph says so, or calls end in a
//! time-out (and some of those messages did arrive: their statuses tell).

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use wabridge::config::{Limits, Secret, Tokens};
use wabridge::gateway::{Claimed, Gateway, Post, Sending, Wants, Work};
use wabridge::policy::verdict::{self, Answer, Verdict};
use wabridge::store::rows::{OutboxId, QueueKind};
use wabridge::store::{Database, Tx};
use wabridge::wire::notification;
use wabridge::wire::sample::{self, Recipient, Status, mix};

const NUMBERS: [&str; 3] = ["106540300000001", "106540300000002", "106540300000003"];
const RECIPIENTS: usize = 5;
const START: i64 = 1_790_000_000_000;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Each recipient is written to every minute: 15 messages a minute in all.
const EVERY: i64 = MINUTE;
const BEFORE: i64 = 10 * MINUTE;
const AFTER: i64 = 10 * MINUTE;
const ALL: usize = NUMBERS.len() * RECIPIENTS * ((BEFORE + HOUR + AFTER) / EVERY) as usize;
/// `SEND_CONCURRENCY`'s order of magnitude.
const WORKERS: usize = 8;
const CALL_TIMEOUT: i64 = 30 * SECOND;

/// A number is probed every 30 s at most once its breaker has closed, and every number by itself;
/// before it closes five calls fail, and those under way with them.
const CALLS_MAX: u32 = NUMBERS.len() as u32 * (HOUR / (30 * SECOND)) as u32 + 60;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Away {
    /// Connection refused.
    Refused,
    /// A proxy's page with 503.
    Page,
    /// Graph's own word that it is down: code and HTTP status.
    Says(i64, u16),
    /// Time-outs; one in five arrived all the same.
    Silent,
}

#[test]
fn an_hour_without_connections_loses_and_doubles_nothing() {
    check(Away::Refused);
}

#[test]
fn an_hour_behind_a_proxys_page_loses_and_doubles_nothing() {
    check(Away::Page);
}

#[test]
fn an_hour_of_graph_being_down_loses_and_doubles_nothing() {
    check(Away::Says(2, 503));
    check(Away::Says(131_000, 500));
    check(Away::Says(131_016, 500));
}

#[test]
fn an_hour_of_time_outs_loses_and_doubles_nothing() {
    check(Away::Silent);
}

fn check(away: Away) {
    let mut world = World::new(away);
    world.play();
    let calls = world.calls_while_away;
    println!(
        "{away:?}: {calls} calls while away, drained in {} s",
        world.drained_s()
    );
    assert_eq!(world.accepted.len(), ALL, "{away:?}: accepted in all");
    world.each_once_and_in_order();
    world.at_the_pace();
    assert!(calls <= CALLS_MAX, "{away:?}: {calls} calls while away");
    // The longest lane has an hour's 60 messages: a burst of 45, then one each 6 s, while new
    // ones come; and the first probe may be half a minute late, a time-out's window two more.
    assert!(
        world.drained_s() < 10 * 60,
        "{away:?}: {} s",
        world.drained_s()
    );
}

enum Act {
    Post(usize),
    Look,
    Graph(Sending, i64),
    Answered(Sending, Verdict),
    Status(OutboxId, String),
}

struct Accepted {
    at: i64,
    number: String,
    to: String,
    text: String,
}

struct World {
    away: Away,
    now: i64,
    agenda: BTreeMap<(i64, u64), Act>,
    planned: u64,
    database: Database,
    gateway: Gateway,
    busy: usize,
    look_at: Option<i64>,
    accepted: Vec<Accepted>,
    calls_while_away: u32,
    /// When nothing was left to do after the outage.
    drained_at: Option<i64>,
}

impl World {
    fn new(away: Away) -> World {
        let mut database = Database::in_memory().unwrap();
        let tokens = Tokens {
            common: Some(Secret::new("token")),
            ..Tokens::default()
        };
        let open = |tx: &Tx<'_>| Gateway::open(tx, Limits::default(), Wants::Nothing, &tokens);
        let gateway = database.commit(open).unwrap();
        let mut world = World {
            away,
            now: START,
            agenda: BTreeMap::new(),
            planned: 0,
            database,
            gateway,
            busy: 0,
            look_at: None,
            accepted: Vec::new(),
            calls_while_away: 0,
            drained_at: None,
        };
        for n in 0..ALL {
            let per_round = NUMBERS.len() * RECIPIENTS;
            let round = (n / per_round) as i64;
            let within = (n % per_round) as i64 * EVERY / per_round as i64;
            world.at(round * EVERY + within, Act::Post(n));
        }
        world
    }

    fn is_away(&self) -> bool {
        (START + BEFORE..START + BEFORE + HOUR).contains(&self.now)
    }

    fn drained_s(&self) -> i64 {
        let back = START + BEFORE + HOUR;
        self.drained_at.map_or(i64::MAX, |at| (at - back) / SECOND)
    }

    fn at(&mut self, after_ms: i64, act: Act) {
        self.planned += 1;
        self.agenda.insert((self.now + after_ms, self.planned), act);
    }

    fn play(&mut self) {
        let end = START + BEFORE + HOUR + AFTER + HOUR;
        while let Some(((now, _), act)) = self.agenda.pop_first() {
            assert!(now < end, "{:?}: never drained", self.away);
            self.now = now;
            match act {
                Act::Post(n) => self.post(n),
                Act::Look if self.look_at == Some(now) => {
                    self.look_at = None;
                    self.look();
                }
                Act::Look => {}
                Act::Graph(sending, began) => self.graph(sending, began),
                Act::Answered(sending, verdict) => self.finish(&sending, &verdict),
                Act::Status(outbox, wamid) => self.status(outbox, &wamid),
            }
            self.note_drained();
        }
    }

    fn note_drained(&mut self) {
        let over = self.now >= START + BEFORE + HOUR;
        if over && self.drained_at.is_none() && self.busy == 0 {
            let queues = self.database.read(|tx| {
                let queues = tx.queues()?;
                queues
                    .iter()
                    .map(|queue| Ok(tx.depth(queue.id)?.open))
                    .sum()
            });
            let open: wabridge::store::Result<i64> = queues;
            self.drained_at = (open.unwrap() == 0).then_some(self.now);
        }
    }

    fn post(&mut self, n: usize) {
        let number = NUMBERS[n % NUMBERS.len()].to_owned();
        let to = format!("155501070{:02}", n / NUMBERS.len() % RECIPIENTS);
        let body = json!({"messaging_product": "whatsapp", "to": to, "type": "text",
            "text": {"body": n.to_string()}})
        .to_string();
        let post = Post {
            number,
            body,
            idempotency_key: None,
        };
        let (gateway, now) = (&self.gateway, self.now);
        self.database
            .commit(|tx| gateway.post(tx, now, &post))
            .unwrap();
        self.look_soon(now);
    }

    fn look_soon(&mut self, at: i64) {
        if self.look_at.is_none_or(|planned| at < planned) {
            self.look_at = Some(at);
            self.at((at - self.now).max(0), Act::Look);
        }
    }

    fn look(&mut self) {
        let room = WORKERS - self.busy;
        if room == 0 {
            return;
        }
        let (gateway, now) = (&self.gateway, self.now);
        let claim = |tx: &Tx<'_>| gateway.claim(tx, now, QueueKind::Send, room);
        let Claimed { work, next_due, .. } = self.database.commit(claim).unwrap();
        let full = work.len() == room;
        for one in work {
            let Work::Send(sending) = one else {
                unreachable!("nobody wants deliveries")
            };
            self.busy += 1;
            self.calls_while_away += u32::from(self.is_away());
            self.at(20, Act::Graph(sending, now));
        }
        match next_due {
            Some(due) if !full => self.look_soon(due.max(now + 1)),
            _ => {}
        }
    }

    fn graph(&mut self, sending: Sending, began: i64) {
        if !self.is_away() {
            let wamid = self.accept(&sending);
            let body = json!({"messages": [{"id": wamid}]}).to_string();
            return self.answer(sending, 100, http(200, &body));
        }
        let (after, verdict) = match self.away {
            Away::Refused => {
                let reason = "connection refused".into();
                (1, verdict::read(&Answer::NotSent { reason }))
            }
            Away::Page => (100, http(503, "<html>busy</html>")),
            Away::Says(code, status) => {
                let error = json!({"error": {"code": code, "message": "as simulated"}});
                (100, http(status, &error.to_string()))
            }
            Away::Silent => {
                if mix(sending.outbox as u64 ^ u64::from(sending.attempt)).is_multiple_of(5) {
                    self.accept(&sending);
                }
                let reason = "timed out".into();
                let left = CALL_TIMEOUT - (self.now - began);
                (left, verdict::read(&Answer::Lost { reason }))
            }
        };
        self.answer(sending, after, verdict);
    }

    fn answer(&mut self, sending: Sending, after: i64, verdict: Verdict) {
        self.at(after, Act::Answered(sending, verdict));
    }

    /// The recipient gets it, and a status comes, before or after the answer.
    fn accept(&mut self, sending: &Sending) -> String {
        let body: Value = serde_json::from_str(&sending.body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let wamid = format!("wamid.{}.{}", sending.outbox, sending.attempt);
        self.accepted.push(Accepted {
            at: self.now,
            number: sending.number.clone(),
            to: text(&body["to"]),
            text: text(&body["text"]["body"]),
        });
        let delay = 50 + (mix(sending.outbox as u64) % 60_000) as i64;
        self.at(delay, Act::Status(sending.outbox, wamid.clone()));
        wamid
    }

    fn finish(&mut self, sending: &Sending, verdict: &Verdict) {
        self.busy -= 1;
        let (gateway, now) = (&self.gateway, self.now);
        let luck = mix(sending.outbox as u64) as f64 / u64::MAX as f64;
        let step = |tx: &Tx<'_>| {
            gateway.finish_sending(tx, now, sending.job, sending.attempt, verdict, luck)
        };
        self.database.commit(step).unwrap();
        self.look_soon(now);
    }

    fn status(&mut self, outbox: OutboxId, wamid: &str) {
        let (gateway, now) = (&self.gateway, self.now);
        let step = |tx: &Tx<'_>| {
            let message = tx.message(outbox)?.expect("it was claimed");
            let mark = format!("wabridge:{}:{outbox}", tx.instance()?);
            let body = sample::status(&Status {
                number: &message.number,
                display: "15550109000",
                waba: "102290100000001",
                wamid,
                status: "delivered",
                recipient: Recipient::Phone(&message.recipient),
                user_id: None,
                opaque: Some(&mark),
                error: None,
                timestamp: now / SECOND,
            });
            let events = notification::read(body.as_bytes()).expect("JSON");
            gateway.receive(tx, now, &events)
        };
        self.database.commit(step).unwrap();
        self.look_soon(now);
    }

    fn each_once_and_in_order(&self) {
        let mut lanes: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for accepted in &self.accepted {
            let lane = lanes.entry((&accepted.number, &accepted.to)).or_default();
            lane.push(accepted.text.parse().unwrap());
        }
        for (lane, texts) in lanes {
            let rising = texts.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(rising, "{:?}: {lane:?} got {texts:?}", self.away);
        }
    }

    /// No faster than 80 a second and the burst of a tenth of that, nor than a pair may.
    fn at_the_pace(&self) {
        let mut by_number: HashMap<&str, Vec<i64>> = HashMap::new();
        let mut by_pair: HashMap<(&str, &str), Vec<i64>> = HashMap::new();
        for accepted in &self.accepted {
            let (number, to) = (accepted.number.as_str(), accepted.to.as_str());
            by_number.entry(number).or_default().push(accepted.at);
            by_pair.entry((number, to)).or_default().push(accepted.at);
        }
        for times in by_number.values() {
            assert!(most_within(times, SECOND) <= 80 + 8, "{:?}", self.away);
        }
        for times in by_pair.values() {
            let most = most_within(times, MINUTE);
            assert!(
                most <= 45 + 10,
                "{:?}: {most} to one in a minute",
                self.away
            );
        }
    }
}

/// The most of these times that lie within any span of that length.
fn most_within(times: &[i64], span: i64) -> usize {
    let within = |(first, time): (usize, &i64)| {
        let later = times[first..].iter();
        later.take_while(|other| *other - time < span).count()
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn http(status: u16, body: &str) -> Verdict {
    verdict::read(&Answer::Http {
        status,
        retry_after: None,
        body: body.as_bytes(),
    })
}
