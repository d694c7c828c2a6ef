//! SIGHUP: settings, secrets and rules are read anew in the running service. All
//! of it takes effect or nothing, and no request is lost.

mod support;

use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use support::*;
use wabridge::wire::signature::HubKeys;

const ANA: &str = "15550107001";
const HELLO: &str = "[[rule]]\nreply = \"hello\"\n";

/// A service whose settings are in `.env`, and files beside it.
struct Desk {
    folder: Folder,
    service: Wabridge,
    setup: Setup,
    reloads: AtomicUsize,
}

impl Desk {
    fn new(environment: &[(&str, &str)], files: &[(&str, &str)]) -> Desk {
        let folder = Folder::new();
        let least = Setup::new(folder.path())
            .unset("APP_SECRET")
            .unset("VERIFY_TOKEN")
            .unset("LISTEN");
        let setup = environment
            .iter()
            .fold(least, |setup, (name, value)| setup.set(name, value));
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Desk {
            service: setup.serve(),
            setup,
            folder,
            reloads: AtomicUsize::new(0),
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn lines(&self, part: &str) -> Vec<String> {
        let log = self.service.log();
        let lines = log.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }

    /// Has everything read anew; it goes well.
    fn reload(&self) {
        self.service.signal("HUP");
        let count = self.reloads.fetch_add(1, Ordering::SeqCst) + 1;
        let said = "msg=\"settings and rules read anew\"";
        wait_until(said, || self.lines(said).len() == count);
    }

    /// Has everything read anew; this is wrong with it, says the log.
    fn reload_wrong(&self, parts: &[&str]) {
        self.service.signal("HUP");
        for part in parts {
            let lines = || self.lines("msg=\"settings and rules stay as they were\"");
            wait_until(part, || lines().iter().any(|line| line.contains(part)));
            assert!(lines().iter().all(|line| line.contains("ERROR")));
        }
    }

    /// Handed over by Meta, signed with this secret; the status of the answer.
    fn post(&self, n: u64, secret: &str) -> u16 {
        post(self.service.address, n, secret)
    }

    fn outbox(&self, key: &str) -> String {
        let rows = self.setup.json(&["outbox", "list", "--json"]);
        let words = rows.iter().map(|row| match &row[key] {
            serde_json::Value::String(word) => word.clone(),
            other => other.to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn handshake(&self, token: &str) -> u16 {
        let target =
            format!("/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1");
        self.service.request("GET", &target, &[], b"").status
    }
}

fn post(address: SocketAddr, n: u64, secret: &str) -> u16 {
    let body = text_message(n, ANA, "hi");
    let signature = HubKeys::new([secret]).sign(body.as_bytes()).unwrap();
    let headers = [("X-Hub-Signature-256", signature.as_str())];
    let answer = request(address, "POST", "/webhook", &headers, body.as_bytes());
    answer.expect("an answer").status
}

fn dotenv(lines: &[&str]) -> String {
    let mut text = String::from("LISTEN=127.0.0.1:0\n");
    let named = |name: &str| lines.iter().any(|line| line.starts_with(name));
    for (name, value) in [("VERIFY_TOKEN", VERIFY_TOKEN), ("APP_SECRET", APP_SECRET)] {
        if !named(name) {
            text.push_str(&format!("{name}='{value}'\n"));
        }
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn a_new_token_ends_a_halt_at_once_without_a_restart() {
    let standin = graph();
    standin.set_token("fresh");
    let url = format!("GRAPH_API_URL={}", standin.url());
    let env = dotenv(&[&url, "RULES_FILE=rules.toml", "WHATSAPP_TOKEN_FILE=token"]);
    let desk = Desk::new(
        &[],
        &[
            (".env", &env),
            ("rules.toml", HELLO),
            ("token", "expired\n"),
        ],
    );
    standin.set_callback(&desk.service.url());
    for n in 0..3 {
        assert_eq!(desk.post(n, APP_SECRET), 200);
    }
    wait_until("it is halted", || {
        let status = &desk.setup.json(&["status", "--json"])[0];
        status["queues"].to_string().contains("token")
    });
    wait_for("queued queued queued", || desk.outbox("state"));
    // Still the old one: nothing is tried again for that.
    let calls = standin.tally().calls;
    desk.reload();
    assert_eq!(desk.post(3, APP_SECRET), 200);
    wait_for("queued queued queued queued", || desk.outbox("state"));
    assert_eq!(standin.tally().calls, calls);

    desk.write("token", "fresh\n");
    desk.reload();
    wait_for("read read read read", || desk.outbox("state"));
    assert_eq!(desk.outbox("attempts"), "1 1 1 1");
}

#[test]
fn an_app_secret_is_rotated_under_load_and_no_notification_is_refused() {
    let first = dotenv(&["APP_SECRET=one"]);
    let desk = Desk::new(&[], &[(".env", &first)]);
    let address = desk.service.address;
    let (secret, stop) = (RwLock::new("one"), AtomicBool::new(false));
    let taken = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4_u64)
            .map(|client| {
                let (secret, stop) = (&secret, &stop);
                scope.spawn(move || {
                    let mut taken = 0;
                    while !stop.load(Ordering::SeqCst) {
                        // Held: a secret is not taken away while it is in use.
                        let secret = secret.read().unwrap();
                        let status = post(address, client * 1_000_000 + taken, &secret);
                        assert_eq!(status, 200, "signed with {secret}");
                        taken += 1;
                    }
                    taken
                })
            })
            .collect();
        let stored = || desk.setup.json(&["status", "--json"])[0]["received"]["hour"].clone();
        let some_more = || {
            let before = stored().as_u64().unwrap();
            wait_until("some more came in", || {
                stored().as_u64().unwrap() > before + 20
            });
        };
        some_more();
        desk.write(".env", &dotenv(&["APP_SECRET=two,one"]));
        desk.reload();
        some_more();
        *secret.write().unwrap() = "two";
        some_more();
        desk.write(".env", &dotenv(&["APP_SECRET=two"]));
        desk.reload();
        some_more();
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|c| c.join().unwrap()).sum::<u64>()
    });
    let rows = desk
        .setup
        .json(&["inbox", "list", "--limit", "1000000", "--json"]);
    assert_eq!(rows.len() as u64, taken);
    assert_eq!(desk.post(77, "one"), 401, "the old one is over");
}

#[test]
fn wrong_rules_leave_everything_as_it_was_and_say_what_to_mend() {
    let env = |token: &str| dotenv(&["RULES_FILE=rules.toml", &format!("VERIFY_TOKEN={token}")]);
    let desk = Desk::new(&[], &[(".env", &env("first")), ("rules.toml", HELLO)]);
    desk.write(".env", &env("second"));
    let wrong = "[[rule]]\nreply = \"hello\"\n\n[[rule]]\nreplay = \"again\"\n";
    desk.write("rules.toml", wrong);
    desk.reload_wrong(&["rules.toml line 5: ", "unknown key replay: a rule has"]);
    assert_eq!(
        (desk.handshake("first"), desk.handshake("second")),
        (200, 403)
    );
    assert_eq!(desk.post(1, APP_SECRET), 200);
    wait_for("queued", || desk.outbox("state"));

    desk.write("rules.toml", "[[rule]]\nreply = []\n");
    desk.reload();
    assert_eq!(
        (desk.handshake("first"), desk.handshake("second")),
        (403, 200)
    );
    assert_eq!(desk.post(2, APP_SECRET), 200);
    wait_until("it is dealt with", || desk.setup.open_jobs() == 1);
    assert_eq!(
        desk.outbox("state"),
        "queued",
        "the new rules answer nothing"
    );
}

#[test]
fn a_wrong_setting_leaves_everything_as_it_was() {
    let desk = Desk::new(&[], &[(".env", &dotenv(&["VERIFY_TOKEN=first"]))]);
    desk.write(
        ".env",
        &dotenv(&[
            "VERIFY_TOKEN=second",
            "RATE_PER_NUMBER=0",
            "ON_UNKNOWN=maybe",
        ]),
    );
    desk.reload_wrong(&["RATE_PER_NUMBER=0", "is neither resend nor hold"]);
    assert_eq!(
        (desk.handshake("first"), desk.handshake("second")),
        (200, 403)
    );
}

#[test]
fn what_only_a_restart_changes_is_named_and_stays() {
    let desk = Desk::new(&[], &[(".env", &dotenv(&["VERIFY_TOKEN=first"]))]);
    let changed = [
        ("LISTEN", "127.0.0.1:1"),
        ("DATABASE_URL", "sqlite:elsewhere.db"),
        ("OPERATOR_LISTEN", "0.0.0.0:1"),
        ("SEND_CONCURRENCY", "3"),
        ("ALLOW_UNSIGNED", "true"),
    ];
    let lines: Vec<String> = changed.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.push("VERIFY_TOKEN=second");
    // The environment wins over `.env`: DATABASE_URL is set there.
    let text = dotenv(&lines).replacen("LISTEN=127.0.0.1:0\n", "", 1);
    desk.write(".env", &text);
    for times in 1..=2 {
        desk.reload();
        for (name, _) in changed {
            let line = format!("msg=\"{name} has changed: restart");
            let expected = if name == "DATABASE_URL" { 0 } else { times };
            // They are written after the line that a reload waits for.
            wait_until(&line, || desk.lines(&line).len() >= expected);
            let said = desk.lines(&line);
            assert_eq!(said.len(), expected, "{name}: {said:?}");
            assert!(said.iter().all(|line| line.contains("WARN")), "{said:?}");
        }
    }
    assert_eq!(desk.handshake("second"), 200, "the rest has changed");
    let unsigned = desk.service.request(
        "POST",
        "/webhook",
        &[],
        text_message(1, ANA, "hi").as_bytes(),
    );
    assert_eq!(unsigned.status, 401);
}

#[test]
fn app_keys_and_log_level_change_while_it_runs() {
    let app = || App::start(|_| says(200, ""));
    let (old, new) = (app(), app());
    let env = |app: &App, key: &str, level: &str| {
        dotenv(&[
            &format!("FORWARD_URL={}", app.url()),
            "FORWARD_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            &format!("API_KEY={key}"),
            "OPERATOR_LISTEN=127.0.0.1:0",
            &format!("LOG_LEVEL={level}"),
            "WHATSAPP_TOKEN=t",
        ])
    };
    let mut desk = Desk::new(&[], &[(".env", &env(&old, "old-key", "info"))]);
    let Api { address } = desk.service.api();
    let asks = |key: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str())];
        request(address, "GET", "/v26.0/1", &headers, b"")
            .unwrap()
            .status
    };
    assert_eq!(desk.post(1, APP_SECRET), 200);
    wait_until("the old app has it", || old.texts().len() == 1);
    assert_eq!((asks("old-key"), asks("new-key")), (404, 401));
    assert!(desk.lines("DEBUG").is_empty());

    desk.write(".env", &env(&new, "new-key", "debug"));
    desk.reload();
    assert_eq!(desk.post(2, APP_SECRET), 200);
    wait_until("the new app has it", || new.texts().len() == 1);
    assert_eq!((asks("old-key"), asks("new-key")), (401, 404));
    wait_until("debug lines come", || !desk.lines("DEBUG").is_empty());
    assert_eq!(old.texts().len(), 1);
    assert_eq!(json!(new.texts()), json!(["hi"]));
}

#[test]
fn an_event_under_way_ends_by_the_old_settings() {
    let (entered, inside) = std::sync::mpsc::channel();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let old = App::start(move |_| {
        entered.send(()).unwrap();
        let _ = opened.lock().unwrap().recv();
        says(
            200,
            json!({"messages": [{"text": {"body": "old"}}]}).to_string(),
        )
    });
    let env = dotenv(&[&format!("FORWARD_URL={}", old.url())]);
    let desk = Desk::new(&[], &[(".env", &env)]);
    assert_eq!(desk.post(1, APP_SECRET), 200);
    inside.recv_timeout(PATIENCE).unwrap();
    desk.write(".env", &dotenv(&["RULES_FILE=rules.toml"]));
    desk.write("rules.toml", HELLO);
    desk.reload();
    open.send(()).unwrap();
    wait_for("queued", || desk.outbox("state"));
    assert_eq!(desk.post(2, APP_SECRET), 200);
    wait_for("queued queued", || desk.outbox("state"));
    let body = |id: &str| desk.setup.json(&["outbox", "show", id, "--json"]).remove(0);
    assert_eq!(body("1")["body"]["text"]["body"], "old");
    assert_eq!(body("2")["body"]["text"]["body"], "hello");
}
