//! How long the console's pages take with much in the store: `cargo bench --bench pages`, with a
//! number after `--` for another store than one of a million events.
//!
//! The store is filled through the gateway, the service is the real binary, and each page is asked
//! for several times, one request after the other. A page that is given is looked at by nothing but
//! its status: what is on it the tests know.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};
use support::Folder;
use support::console::{Browser, Stage};
use wabridge::config::{Limits, Tokens};
use wabridge::gateway::{Gateway, Wants};
use wabridge::policy::ladder::SendState;
use wabridge::policy::priority::Priority;
use wabridge::store::rows::{Fault, JobState, NewMessage, QueueKind};
use wabridge::store::{Access, Database, Tx};
use wabridge::wire::notification;
use wabridge::wire::sample::{self, Sample, mix};

const NUMBER: &str = "106540300000001";
/// Events of one commit while the store is filled.
const AT_ONCE: u64 = 1_000;
/// How often each page is asked for.
const TURNS: usize = 15;

/// Longer than it takes on the slowest machine.
const LEARNED_WITHIN: Duration = Duration::from_secs(3_600);

/// Who writes: a few write much, most now and then.
const CUSTOMERS: u64 = 20_000;

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let events: u64 = numbers.next().unwrap_or(1_000_000);
    let folder = Folder::new();
    let database = folder.path().join("wabridge.db");
    let began = Instant::now();
    fill(&database, events);
    let size = std::fs::metadata(&database).map_or(0, |file| file.len());
    eprintln!(
        "{events} events, {} MB, filled in {:?}",
        size >> 20,
        began.elapsed()
    );
    let path = database.to_string_lossy().into_owned();
    let stage = Stage::new(&[("DATABASE_URL", &path), ("RETENTION_DAYS", "0")]);
    let mut browser = stage.logged_in();
    let began = Instant::now();
    // The last of them.
    let last = format!("/console/conversations?q=Zoe{events}");
    while !browser.get(&last).body.contains("class=\"people\"") {
        assert!(began.elapsed() < LEARNED_WITHIN, "names are never learned");
        std::thread::sleep(Duration::from_millis(250));
    }
    eprintln!("names learned after {:?}", began.elapsed());
    println!("{:>9} {:>9} {:>9}  page", "median ms", "worst ms", "KiB");
    for path in pages(&mut browser, events) {
        measure(&mut browser, &path);
    }
}

/// What is asked for: lists and their later pages, filters that fit much, little and nothing.
fn pages(browser: &mut Browser, events: u64) -> Vec<String> {
    let mut pages: Vec<String> = [
        "",
        "/conversations",
        "/conversations?q=Ana",
        "/conversations?q=Zoe",
        "/conversations?q=1555",
        "/conversations?q=nobody",
        "/conversations?taken=1",
        "/conversations/1",
        "/conversations/5000",
        "/inbox",
        "/inbox?state=dead",
        "/inbox?state=dead&error=HTTP+410",
        "/inbox?state=pending",
        "/inbox?kind=call",
        "/inbox?conversation=1",
        "/inbox?number=1",
        "/inbox?consumer=bot",
        "/inbox?since=2026-01-02&until=2026-01-02",
        "/outbox",
        "/outbox?state=failed",
        "/outbox?state=failed&code=131047",
        "/outbox?state=held",
        "/outbox?state=read&conversation=1",
        "/outbox?type=sticker",
        "/outbox/7",
        "/trail",
    ]
    .map(str::to_owned)
    .into();
    pages.push(format!("/inbox/{}", events / 2));
    for list in [
        "/conversations",
        "/conversations/1",
        "/inbox",
        "/inbox?kind=call",
        "/outbox",
    ] {
        pages.extend(later(browser, list, 3));
    }
    pages
}

/// The page so many pages after another, if there are so many.
fn later(browser: &mut Browser, list: &str, pages: usize) -> Option<String> {
    let mut path = list.to_owned();
    for _ in 0..pages {
        let body = browser.get(&format!("/console{path}")).body;
        let link = ["\" rel=\"next\"", "\" rel=\"prev\""];
        let before = link.iter().find_map(|link| body.split_once(link))?.0;
        let href = before.rsplit("href=\"").next()?;
        let href = href.replace("&#x2f;", "/").replace("&amp;", "&");
        path = href.strip_prefix("/console")?.to_owned();
    }
    Some(path)
}

fn measure(browser: &mut Browser, path: &str) {
    let mut times = Vec::new();
    let mut length = 0;
    for _ in 0..TURNS {
        let began = Instant::now();
        let answer = browser.get(&format!("/console{path}"));
        times.push(began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(answer.status, 200, "{path}");
        length = answer.body.len();
    }
    times.sort_by(f64::total_cmp);
    let (median, worst) = (times[TURNS / 2], times[TURNS - 1]);
    println!("{median:9.1} {worst:9.1} {:9}  {path}", length >> 10);
}

/// Messages and statuses, a second apart, of which some are dead letters; and an answer to each
/// third, in different states.
fn fill(path: &Path, events: u64) {
    let mut database = Database::open(path, Access::Serve).unwrap();
    let opened = |tx: &Tx<'_>| {
        let gateway = Gateway::open(tx, Limits::default(), Wants::Nothing, &Tokens::default())?;
        Ok((gateway, tx.queue(QueueKind::Deliver, "bot")?))
    };
    let (gateway, bot) = database.commit(opened).unwrap();
    // Monday, 1 January 2026 (UTC).
    let start = 1_767_225_600_000;
    for from in (0..events).step_by(AT_ONCE as usize) {
        let upto = (from + AT_ONCE).min(events);
        let step = |tx: &Tx<'_>| {
            for n in from..upto {
                let now = start + n as i64 * 1_000;
                let body = notification_of(n, events, now / 1_000);
                let read = notification::read(body.as_bytes()).unwrap();
                gateway.receive(tx, now, &read)?;
                if n.is_multiple_of(6) {
                    answer(tx, now, n, &read[0].number)?;
                }
                if n.is_multiple_of(100) {
                    let id = tx.newest_event()?;
                    let lane = tx.event(id)?.map_or(1, |event| event.conversation);
                    let job = tx.push_job(bot, lane, Some(id), None, Priority::Reply, now)?;
                    let why = if n.is_multiple_of(200) {
                        "HTTP 410"
                    } else {
                        "HTTP 404"
                    };
                    if let Some(job) = tx.job(job)? {
                        tx.end_job(&job, JobState::Dead, Some(why), now)?;
                    }
                }
            }
            Ok(())
        };
        database.commit(step).unwrap();
    }
}

fn notification_of(n: u64, events: u64, timestamp: i64) -> String {
    // The square makes a few of them write often.
    let luck = mix(n) % CUSTOMERS;
    let customer = luck * luck / CUSTOMERS;
    let phone = format!("1555{customer:07}");
    let name = match n + 2 >= events {
        true => format!("Zoe{events}"),
        false => format!(
            "{} Sample {customer}",
            ["Ana", "Ben", "Zoe"][customer as usize % 3]
        ),
    };
    let sample = Sample {
        number: NUMBER,
        from: &phone,
        name: &name,
        text: "Where is my order? I have been waiting for it since Monday, and nobody tells me.",
        id: &sample::wamid(n, &phone),
        timestamp,
        ..Sample::default()
    };
    let kind = if n.is_multiple_of(2) {
        "text"
    } else {
        "status-read"
    };
    sample::notification(kind, &sample).unwrap()
}

fn answer(tx: &Tx<'_>, now: i64, n: u64, number: &str) -> wabridge::store::Result<()> {
    let id = tx.newest_event()?;
    let conversation = tx.event(id)?.map_or(1, |event| event.conversation);
    let message = NewMessage {
        number: number.to_owned(),
        conversation,
        recipient: "15550000000".into(),
        type_: "text".into(),
        body:
            r#"{"type":"text","text":{"body":"It is on its way and will be with you tomorrow."}}"#
                .into(),
        cause: Some(id),
    };
    let fault = Fault {
        code: Some(131_047),
        text: "too late".into(),
    };
    let (state, fault) = match n % 100 {
        0 => (SendState::Failed, Some(&fault)),
        _ => (SendState::Read, None),
    };
    tx.insert_message(&message, state, fault, now).map(drop)
}
