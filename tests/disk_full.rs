//! A full disk under the real binary: nothing is acknowledged that is not
//! stored, the service goes on serving, and when there is room again it goes
//! on by itself, with nothing lost and nothing done twice.
//!
//! The disk is a small tmpfs. Mounting one needs root; without, these tests
//! say so and pass.

mod support;

use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use support::*;
use wabridge::edge::standin::{Options, StandIn};

/// Without the filler, room for the write-ahead log at its longest (8 MB, see
/// store::database) and for what is written back from it.
const DISK: &str = "size=32m";

/// What the filler leaves: the service works, and meets the end soon.
const LEFT_BYTES: u64 = 300 * 1024;

/// Messages the app is at work on meanwhile: more outcomes than a full disk
/// has any room for.
const HELD: usize = 8;

/// An answer that takes longer is a hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn a_full_disk_is_answered_503_and_everything_goes_on_when_there_is_room() {
    let folder = Folder::new();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let standin = StandIn::start(Options {
        token: TOKEN.into(),
        app_secret: APP_SECRET.into(),
        ..Options::default()
    })
    .unwrap();
    let logic = Arc::new(Logic::default());
    let app = Arc::clone(&logic);
    let app = App::start(move |received| app.answer(received));
    let setup = Setup::new(&disk.path)
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &standin.url())
        .set("FORWARD_URL", &app.url())
        .set("FORWARD_CONCURRENCY", &HELD.to_string())
        .set("FORWARD_TIMEOUT", "60s")
        .set("RATE_PER_NUMBER", "1000")
        .set("METRICS_KEY", "key")
        .set("OPERATOR_LISTEN", "127.0.0.1:0")
        .set("LOG_LEVEL", "debug");
    let mut service = setup.serve();
    let line = service.wait_for_log("msg=\"serving figures\"");
    let operator = line.split("listen=").nth(1).unwrap();
    let operator = operator.split(' ').next().unwrap().parse().unwrap();
    let bearer = [("Authorization", "Bearer key")];
    let page = |path| request(operator, "GET", path, &bearer, b"").unwrap();
    standin.set_callback(&service.url());

    let mut posts = Posts::default();
    posts.post(&service, "while there is room");
    assert!(standin.wait_accepted(1, PATIENCE) && standin.wait_statuses(PATIENCE));

    // The app is at work on these when the disk gets full.
    for _ in 0..HELD {
        posts.post(&service, "held");
    }
    wait_until("the app is given them", || {
        logic.times_given("held") == HELD
    });
    disk.fill(LEFT_BYTES);
    let refused = posts.until_refused(&service);
    assert_eq!(refused.header("Retry-After"), Some("5"), "{}", refused.head);
    disk.fill(0);

    // Nothing hangs, and reading goes on. A refused commit has left a little
    // room in the log, which another may still use.
    while posts.refused < 20 {
        posts.until_refused(&service);
    }
    let health = service.request("GET", "/healthz", &[], b"");
    assert_eq!(health.status, 200);
    let ready = page("/readyz");
    assert_eq!(ready.status, 503);
    assert!(
        ready.body.contains("disk: failed: 0 MB are left at"),
        "{}",
        ready.body
    );
    assert!(
        ready.body.contains("workers: ok\nlistener: ok\n"),
        "{}",
        ready.body
    );
    let figures = page("/metrics").body;
    let free = figures
        .lines()
        .find_map(|line| line.strip_prefix("wabridge_disk_free_bytes "));
    let free: u64 = free.unwrap().parse().unwrap();
    assert!(free < 1 << 20, "{free}");
    assert!(
        !figures.contains("wabridge_failed_commits_total 0\n"),
        "{figures}"
    );
    let rows = setup.json(&["inbox", "list", "--json"]);
    assert!(!rows.is_empty());

    // What the app has answered cannot be stored, and is not forgotten.
    logic.let_go();
    service
        .wait_for_log("msg=\"an outcome cannot be stored; trying again\" error=\"the disk is full");
    assert!(service.child.try_wait().unwrap().is_none());

    disk.empty();
    wait_until("posts are acknowledged again", || {
        posts
            .try_post(&service, "after the filler was deleted")
            .status
            == 200
    });
    let stored = posts.acknowledged.len();
    assert!(
        standin.wait_accepted(stored, PATIENCE),
        "{} of {stored}: {}",
        standin.accepted().len(),
        service.log()
    );
    assert!(
        standin.wait_statuses(PATIENCE),
        "{:?} {}",
        standin.tally(),
        service.log()
    );
    wait_until("nothing is left to do", || setup.open_jobs() == 0);

    let answers: Vec<String> = standin
        .accepted()
        .iter()
        .map(|accepted| accepted.body["text"]["body"].as_str().unwrap().to_owned())
        .collect();
    posts.each_answered_once(&answers);
    assert_eq!(
        logic.times_given("held"),
        HELD,
        "the app's answer was forgotten"
    );
    let log = service.log();
    assert!(!log.contains("panic"), "{log}");
    for line in log.lines().filter(|l| l.contains("ERROR")) {
        let known = line.contains("the disk is full");
        assert!(known, "an error that says something else: {line}");
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_on_a_full_disk_is_there_after_it() {
    let folder = Folder::new();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let setup = Setup::new(&disk.path);
    let mut service = setup.serve();
    let mut posts = Posts::default();
    disk.fill(LEFT_BYTES);
    posts.until_refused(&service);
    disk.fill(0);
    posts.try_post(&service, "into the full disk");
    service.kill();

    disk.empty();
    let service = setup.serve();
    posts.post(&service, "after the filler was deleted");
    let rows = setup.json(&["inbox", "list", "--json", "--limit", "100000"]);
    assert_eq!(rows.len(), posts.acknowledged.len());
}

#[test]
fn a_start_on_a_full_disk_says_so() {
    let folder = Folder::new();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let setup = Setup::new(&disk.path);
    // Room for nothing, not for the log's index, not for the tables.
    for left in [0, 16 * 1024, 64 * 1024] {
        disk.fill(left);
        let output = setup.run(&["serve"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{left}: {said}");
        assert!(
            said.contains("the disk is full: free some space"),
            "{left}: {said}"
        );
        disk.empty();
    }
    setup.serve();
}

#[test]
fn a_full_disk_of_files_holds_up_nothing_else_and_they_come_when_there_is_room() {
    const NUMBER: &str = "106540300000001";
    let folder = Folder::new();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let standin = graph();
    let setup = Setup::new(folder.path())
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("GRAPH_API_URL", &standin.url())
        .set("MEDIA_DIR", &disk.path.join("files").to_string_lossy());
    let mut service = setup.serve();
    let picture = |n: u64, bytes: usize| {
        let content = [b"\xFF\xD8\xFF\xE0".as_slice(), &vec![n as u8; bytes]].concat();
        let id = standin.add_media(NUMBER, "image/jpeg", content);
        json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
            "field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
            "messages": [{"from": "15550107001", "id": format!("wamid.file{n}"),
                "timestamp": "1790000000", "type": "image", "image": {"id": id}}]}}]}]})
        .to_string()
    };
    let file = |n: usize| setup.json(&["inbox", "list", "--json"])[n]["media"][0].clone();
    let kept = || {
        let names = fs::read_dir(disk.path.join("files")).unwrap();
        let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".partial").count()
    };
    let partial = || {
        fs::read_dir(disk.path.join("files/.partial"))
            .unwrap()
            .count()
    };
    let no_room = "the disk of MEDIA_DIR is full, or nearly: free some space";

    // A tenth is left, as a file is begun: it is not kept in the middle either.
    disk.fill(disk.size() / 10 + 1024 * 1024);
    service.take(&picture(1, 6 * 1024 * 1024));
    wait_until("the first is refused room", || file(0)["error"] == no_room);
    // Less is left: none is begun.
    disk.fill(LEFT_BYTES);
    service.take(&picture(2, 1_000));
    service.take(&text_message(3, "15550107002", "hello"));
    assert_eq!(service.request("GET", "/healthz", &[], b"").status, 200);
    wait_until("the second waits", || {
        let (first, second) = (file(0), file(1));
        let attempts = |file: &serde_json::Value| file["attempts"].as_i64().unwrap();
        assert!(first["state"] == "pending" && second["state"] == "pending");
        attempts(&first) + attempts(&second) >= 3
    });
    assert_eq!((kept(), disk.free() >= LEFT_BYTES), (0, true));
    wait_until("nothing half is left", || partial() == 0);

    disk.empty();
    // So that the test need not wait for the longest pause.
    service.kill();
    let service = setup.serve();
    wait_until("both are there", || kept() == 2 && partial() == 0);
    wait_until("both are known", || {
        file(0)["state"] == "fetched" && file(1)["state"] == "fetched"
    });
    assert!(!service.log().contains("panic"), "{}", service.log());
}

/// A small file system of its own, gone with the test.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(folder: &Path) -> Option<Disk> {
        let path = folder.join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Disk { path });
        }
        skipped("a full disk: a tmpfs cannot be mounted here; it takes root");
        None
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Fills the disk up, but for so much.
    fn fill(&self, left: u64) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        while self.free() > left && filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn size(&self) -> u64 {
        let all = rustix::fs::statvfs(&self.path).unwrap();
        all.f_blocks * all.f_frsize
    }

    fn free(&self) -> u64 {
        let free = rustix::fs::statvfs(&self.path).unwrap();
        free.f_bavail * free.f_frsize
    }

    fn empty(&self) {
        // Cut first: a process that another test is just starting may hold the
        // file for a moment, and its room with it.
        File::create(self.filler()).unwrap();
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a service that is being killed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Customers' messages, each from a customer of its own, and which of them
/// were acknowledged.
#[derive(Default)]
struct Posts {
    texts: Vec<String>,
    acknowledged: Vec<String>,
    refused: usize,
}

impl Posts {
    /// Must be acknowledged.
    fn post(&mut self, service: &Wabridge, what: &str) {
        let answer = self.try_post(service, what);
        assert_eq!(answer.status, 200, "{what}: {}", service.log());
    }

    fn try_post(&mut self, service: &Wabridge, what: &str) -> Answer {
        let n = self.texts.len() as u64;
        let text = format!("{n} {what}");
        let body = text_message(n, &format!("{}", 15_550_100_000 + n), &text);
        let started = Instant::now();
        let answer = service.post(&body);
        assert!(started.elapsed() < ANSWER_WITHIN, "{:?}", started.elapsed());
        match answer.status {
            200 => self.acknowledged.push(text.clone()),
            503 => self.refused += 1,
            other => panic!("answered {other}: {}", service.log()),
        }
        self.texts.push(text);
        answer
    }

    /// Posts until the disk is full, and returns the first refusal.
    fn until_refused(&mut self, service: &Wabridge) -> Answer {
        loop {
            let answer = self.try_post(service, &"x".repeat(1_000));
            if answer.status == 503 {
                return answer;
            }
            assert!(self.texts.len() < 10_000, "the disk does not get full");
        }
    }

    fn each_answered_once(&self, answers: &[String]) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for answer in answers {
            *counts.entry(answer).or_default() += 1;
        }
        for text in &self.acknowledged {
            let answer = format!("re {text}");
            assert_eq!(counts.remove(answer.as_str()), Some(1), "{text}");
        }
        // One that was refused may be known to nobody.
        assert!(counts.is_empty(), "{counts:?}");
    }
}

/// The app: answers each message with one that names it, but keeps the one
/// called "held" until it is let go.
#[derive(Default)]
struct Logic {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Logic {
    fn answer(&self, received: &Received) -> AppAnswer {
        let message = &received.body["entry"][0]["changes"][0]["value"]["messages"][0];
        let Some(text) = message["text"]["body"].as_str() else {
            return (200, String::new(), vec![]);
        };
        let mut state = self.state.lock().unwrap();
        state.0.push(text.to_owned());
        self.changed.notify_all();
        while text.ends_with("held") && !state.1 {
            state = self.changed.wait(state).unwrap();
        }
        let reply = json!({"messages": [{"type": "text", "text": {"body": format!("re {text}")}}]});
        (200, reply.to_string(), vec![])
    }

    fn let_go(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    fn times_given(&self, what: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.0.iter().filter(|text| text.ends_with(what)).count()
    }
}
