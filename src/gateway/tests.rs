//! One small test for each rule of the queue. Worlds in which everything goes
//! wrong at once are the simulator's (`tests/simulator.rs`); what it found has a
//! test with a name here. This file holds what the tests stand on.

mod alarms;
mod bursts;
mod clock_set;
mod consumers;
mod conversations;
mod deliveries;
mod facts;
mod fetches;
mod forget;
mod halts;
mod handover;
mod identity;
mod joined;
mod lists;
mod marketing;
mod names;
mod pace;
mod prune;
mod sends;
mod spoiled;
mod standing;
mod status;
mod tally;
mod thread;
mod unknown;
mod uploads;
mod window;

use super::*;
use crate::config::{Limits, OnUnknown, Rates, Secret, Tokens};
use crate::policy::fetch::Fetch;
use crate::policy::ladder::SendState;
use crate::policy::pacing::Rate;
use crate::policy::verdict::{self, Answer, Verdict};
use crate::store::{Database, Filing};
use crate::wire::notification;
use crate::wire::sample::{self, Recipient, Sample, Status};
use std::time::Duration;

const NUMBER: &str = "106540300000001";
const ANN: &str = "15550100001";
const BOB: &str = "15550100002";
/// Ann's other id.
const ANN_BSUID: &str = "US.1";
const MINUTE: i64 = 60_000;

/// A gateway on a database, and a clock that a test turns by hand.
struct Bench {
    database: Database,
    gateway: Gateway,
    limits: Limits,
    now: i64,
    messages: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Limits::default())
    }

    fn with(limits: Limits) -> Bench {
        // As under load: whoever looks must find what is not filed yet.
        let filing = Filing {
            most: 10_000,
            at_least: 0,
        };
        let database = Database::in_memory().unwrap().with_filing(filing);
        Bench::on(database, limits)
    }

    fn on(mut database: Database, limits: Limits) -> Bench {
        let opened = database.commit(|tx| open(tx, &limits, "token"));
        Bench {
            gateway: opened.unwrap(),
            database,
            limits,
            now: 1_790_000_000_000,
            messages: 0,
        }
    }

    /// With a number that may send 100 at once.
    fn fast() -> Bench {
        Bench::with(Limits {
            rates: Rates::all(Rate::per_second(1_000)),
            ..Limits::default()
        })
    }

    fn restart(&mut self, token: &str) -> Recovered {
        let (limits, now) = (self.limits.clone(), self.now);
        let step = |tx: &Tx<'_>| {
            let gateway = open(tx, &limits, token)?;
            let recovered = gateway.recover(tx, now)?;
            Ok((gateway, recovered))
        };
        let (gateway, recovered) = self.database.commit(step).unwrap();
        self.gateway = gateway;
        recovered
    }

    fn receive(&mut self, body: &str) -> Received {
        let (gateway, now) = (&self.gateway, self.now);
        let events = notification::read(body.as_bytes()).unwrap();
        let step = |tx: &Tx<'_>| gateway.receive(tx, now, &events);
        self.database.commit(step).unwrap()
    }

    /// A message from somebody, by one id or both.
    fn write(&mut self, phone: &str, bsuid: Option<&str>) -> Received {
        self.messages += 1;
        let body = message(self.messages, phone, bsuid);
        self.receive(&body)
    }

    fn claim(&mut self, kind: QueueKind) -> Claimed {
        let (gateway, now) = (&self.gateway, self.now);
        let step = |tx: &Tx<'_>| gateway.claim(tx, now, kind, 100);
        self.database.commit(step).unwrap()
    }

    fn deliveries(&mut self) -> Vec<Delivery> {
        let work = self.claim(QueueKind::Deliver).work.into_iter();
        work.map(|work| match work {
            Work::Deliver(delivery) => delivery,
            _ => unreachable!("only deliveries were claimed"),
        })
        .collect()
    }

    fn sends(&mut self) -> Vec<Sending> {
        let work = self.claim(QueueKind::Send).work.into_iter();
        work.map(|work| match work {
            Work::Send(sending) => sending,
            _ => unreachable!("only sends were claimed"),
        })
        .collect()
    }

    fn fetches(&mut self) -> Vec<Fetching> {
        let work = self.claim(QueueKind::Fetch).work.into_iter();
        work.map(|work| match work {
            Work::Fetch(fetching) => fetching,
            _ => unreachable!("only fetches were claimed"),
        })
        .collect()
    }

    fn fetched(&mut self, fetching: &Fetching, outcome: &Fetch) {
        let (gateway, now, job, attempt) =
            (&self.gateway, self.now, fetching.job, fetching.attempt);
        let step = |tx: &Tx<'_>| gateway.finish_fetch(tx, now, job, attempt, outcome, 0.0);
        self.database.commit(step).unwrap();
    }

    fn delivered(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let (gateway, now, job, attempt) =
            (&self.gateway, self.now, delivery.job, delivery.attempt);
        let step = |tx: &Tx<'_>| gateway.finish_delivery(tx, now, job, attempt, outcome, 0.0);
        self.database.commit(step).unwrap();
    }

    fn sent(&mut self, sending: &Sending, verdict: &Verdict) -> Sent {
        let (gateway, now, job, attempt) = (&self.gateway, self.now, sending.job, sending.attempt);
        let step = |tx: &Tx<'_>| gateway.finish_sending(tx, now, job, attempt, verdict, 0.0);
        self.database.commit(step).unwrap()
    }

    /// Puts messages to somebody in the outbox: what an app answers to one.
    fn queue(&mut self, to: &str, count: usize) {
        self.write(to, None);
        let replies = vec![r#"{"type":"text","text":{"body":"hi"}}"#.to_owned(); count];
        let delivery = self.deliveries().remove(0);
        self.delivered(&delivery, &Outcome::done(replies));
    }

    /// A status of a message, with our mark or without.
    fn status(&mut self, sending: &Sending, wamid: &str, word: &str, marked: bool) -> Received {
        let mark = marked.then(|| self.mark(sending.outbox));
        self.status_with(mark.as_deref(), wamid, word)
    }

    fn status_with(&mut self, mark: Option<&str>, wamid: &str, word: &str) -> Received {
        let body = sample::status(&Status {
            number: NUMBER,
            display: "15550109000",
            waba: "1",
            wamid,
            status: word,
            recipient: Recipient::Phone(ANN),
            user_id: None,
            opaque: mark,
            error: None,
            timestamp: 1,
        });
        self.receive(&body)
    }

    fn mark(&self, outbox: OutboxId) -> String {
        let message = self.database.read(|tx| tx.message(outbox)).unwrap();
        match message {
            Some(message) => self.gateway.mark(&message),
            None => format!("{}{outbox}.0", self.gateway.mark_prefix),
        }
    }

    /// (state of the message, attempts at it)
    fn outbox(&self, id: OutboxId) -> (SendState, u32) {
        let row = |tx: &Tx<'_>| outbox::message(tx, id);
        let row = self.database.read(row).unwrap().unwrap();
        (row.message.state, row.attempts)
    }
}

fn open(tx: &Tx<'_>, limits: &Limits, token: &str) -> crate::store::Result<Gateway> {
    let tokens = Tokens {
        common: Some(Secret::new(token)),
        ..Tokens::default()
    };
    Gateway::open(tx, limits.clone(), Wants::Messages, &tokens)
}

fn message(n: u64, phone: &str, bsuid: Option<&str>) -> String {
    let sample = Sample {
        number: NUMBER,
        from: phone,
        user_id: bsuid,
        id: &format!("wamid.{n}"),
        ..Sample::default()
    };
    sample::notification("text", &sample).unwrap()
}

fn events(deliveries: &[Delivery]) -> Vec<EventId> {
    deliveries.iter().map(|d| d.event).collect()
}

fn done() -> Outcome {
    Outcome::done(Vec::new())
}

fn later(secs: u64, down: bool) -> Outcome {
    Outcome::Retry {
        reason: "later".into(),
        wait: Some(Duration::from_secs(secs)),
        down,
    }
}

fn graph(status: u16, body: &str, wait_secs: Option<u64>) -> Verdict {
    verdict::read(&Answer::Http {
        status,
        retry_after: wait_secs.map(Duration::from_secs),
        body: body.as_bytes(),
    })
}

fn accepted(wamid: &str) -> Verdict {
    graph(
        200,
        &format!(r#"{{"messages":[{{"id":"{wamid}"}}]}}"#),
        None,
    )
}

fn error(code: i64, wait_secs: Option<u64>) -> Verdict {
    let body = format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#);
    graph(400, &body, wait_secs)
}

fn lost() -> Verdict {
    let reason = "timed out".into();
    verdict::read(&Answer::Lost { reason })
}
