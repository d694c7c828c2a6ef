//! The real binary and what stands around it, for black-box tests: a service
//! in a folder of its own, an app behind it, signed posts in front.
//!
//! No fixed ports (all are 0), no order between tests; waits have deadlines
//! and end as soon as what they wait for is there.

#![allow(dead_code, unused_imports)] // each test file uses its own part

mod api;
mod app;
mod http;

pub use api::*;
pub use app::*;
pub use http::*;

pub mod console;
pub mod meta;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wabridge::edge::standin::{Options, StandIn};
use wabridge::wire::sample::{self, Sample};

pub const APP_SECRET: &str = "test-app-secret";
pub const VERIFY_TOKEN: &str = "test-verify-token";
pub const TOKEN: &str = "standin-token";

/// Longer than anything takes on a loaded machine; only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that goes away with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wabridge-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Settings for a service; the environment of the test does not get in.
#[derive(Clone)]
pub struct Setup {
    pub folder: PathBuf,
    pub env: BTreeMap<String, String>,
}

impl Setup {
    /// The least that starts: secrets, a free port, a database in `folder`.
    pub fn new(folder: &Path) -> Setup {
        let database = folder.join("wabridge.db").to_string_lossy().into_owned();
        let setup = Setup {
            folder: folder.to_owned(),
            env: BTreeMap::new(),
        };
        setup
            .set("VERIFY_TOKEN", VERIFY_TOKEN)
            .set("APP_SECRET", APP_SECRET)
            .set("LISTEN", "127.0.0.1:0")
            .set("DATABASE_URL", &database)
    }

    pub fn set(mut self, name: &str, value: &str) -> Setup {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn unset(mut self, name: &str) -> Setup {
        self.env.remove(name);
        self
    }

    /// `wabridge` with these settings and arguments, run to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The JSON lines that `wabridge` prints with these arguments.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(args);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Deliveries and sends that are not done, as `wabridge status` tells.
    pub fn open_jobs(&self) -> i64 {
        let status = &self.json(&["status", "--json"])[0];
        let queues = status["queues"].as_array().unwrap();
        queues.iter().map(|q| q["open"].as_i64().unwrap()).sum()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wabridge"));
        command.args(args);
        self.dress(command)
    }

    fn dress(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Starts `wabridge serve` and waits until it serves.
    pub fn serve(&self) -> Wabridge {
        self.serve_by(self.command(&["serve"]))
    }

    /// Starts the service by a shell, which runs `script` with `$0` as the
    /// binary: for what a process inherits, such as limits and sockets.
    pub fn serve_in_shell(&self, script: &str, stdin: Stdio) -> Wabridge {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_wabridge")]);
        let mut shell = self.dress(shell);
        shell.stdin(stdin);
        self.serve_by(shell)
    }

    /// The same on a socket that outlives it, passed as systemd does: whoever
    /// connects while nothing runs waits for the next start.
    pub fn serve_on(&self, socket: &impl AsFd) -> Wabridge {
        self.serve_in_shell(
            "LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec \"$0\" serve 3<&0 </dev/null",
            socket.as_fd().try_clone_to_owned().unwrap().into(),
        )
    }

    /// Starts another program that is a service: one with wabridge in it.
    pub fn serve_program(&self, program: &Path, args: &[&str]) -> Wabridge {
        let mut command = Command::new(program);
        command.args(args);
        self.serve_by(self.dress(command))
    }

    fn serve_by(&self, mut command: Command) -> Wabridge {
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log: Arc<(Mutex<String>, Condvar)> = Arc::default();
        let writing = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut text = writing.0.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
                writing.1.notify_all();
            }
        });
        let mut service = Wabridge {
            child,
            log,
            reader: Some(reader),
            address: ([127, 0, 0, 1], 0).into(),
            path: self
                .env
                .get("WEBHOOK_PATH")
                .cloned()
                .unwrap_or("/webhook".into()),
        };
        // As text and as JSON.
        let serving = service.wait_for_log("\"serving\"");
        let listen = serving.split("listen").nth(1).unwrap();
        let listen = listen.trim_start_matches(['=', '"', ':']);
        let listen = listen.split([' ', '"']).next().unwrap();
        if let Ok(address) = listen.parse() {
            service.address = address;
        }
        service
    }
}

/// A running `wabridge serve`; killed when dropped.
pub struct Wabridge {
    pub child: Child,
    pub address: SocketAddr,
    pub path: String,
    log: Arc<(Mutex<String>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Wabridge {
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits for a log line that holds `part`, and returns it.
    pub fn wait_for_log(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().unwrap().is_some();
            if ended {
                self.read_to_end();
            }
            let text = self.log.0.lock().unwrap();
            if let Some(line) = text.lines().find(|line| line.contains(part)) {
                return line.to_owned();
            }
            assert!(
                !ended && Instant::now() < deadline,
                "no {part:?} in the log: {text}"
            );
            drop(self.log.1.wait_timeout(text, Duration::from_millis(50)));
        }
    }

    /// What an ended process wrote last is in the log after this.
    fn read_to_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.read_to_end();
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Posts a signed notification.
    pub fn post(&self, body: &str) -> Answer {
        self.post_at_its_end(body).expect("an answer")
    }

    /// The same to a service that may end before it answers.
    pub fn post_at_its_end(&self, body: &str) -> std::io::Result<Answer> {
        let signature = sign(body.as_bytes());
        let headers = [("X-Hub-Signature-256", signature.as_str())];
        request(self.address, "POST", &self.path, &headers, body.as_bytes())
    }

    /// Posts a signed notification, which must be taken.
    pub fn take(&self, body: &str) {
        let answer = self.post(body);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// A connection to write and read by hand.
    pub fn connect(&self) -> Wire<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire(BufReader::new(stream))
    }

    /// One request on a connection of its own.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        request(self.address, method, target, headers, body).expect("an answer")
    }
}

impl Drop for Wabridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service with little around it.
pub struct Place {
    pub service: Wabridge,
    pub setup: Setup,
    pub folder: Folder,
}

impl Place {
    /// With these settings besides the least that starts.
    pub fn new(settings: &[(&str, &str)]) -> Place {
        let folder = Folder::new();
        let least = Setup::new(folder.path());
        let setup = settings
            .iter()
            .fold(least, |setup, (name, value)| setup.set(name, value));
        Place {
            service: setup.serve(),
            setup,
            folder,
        }
    }

    /// The same with Graph, which calls it back.
    pub fn with_graph(graph: &StandIn, settings: &[(&str, &str)]) -> Place {
        let url = graph.url();
        let own = [("WHATSAPP_TOKEN", TOKEN), ("GRAPH_API_URL", &url)];
        let place = Place::new(&[&own, settings].concat());
        graph.set_callback(&place.service.url());
        place
    }

    /// Ends the service as a crash would, and starts it again.
    pub fn crash(&mut self) {
        self.service.kill();
        self.service = self.setup.serve();
    }

    pub fn inbox(&self) -> Vec<Value> {
        self.setup
            .json(&["inbox", "list", "--limit", "10000", "--json"])
    }

    pub fn outbox(&self) -> Vec<Value> {
        self.setup
            .json(&["outbox", "list", "--limit", "10000", "--json"])
    }

    /// `key` of every row of the inbox, in order, with blanks between.
    pub fn inbox_words(&self, key: &str) -> String {
        words(&self.inbox(), key)
    }

    pub fn outbox_words(&self, key: &str) -> String {
        words(&self.outbox(), key)
    }

    /// Waits until the outbox's states are these.
    pub fn wait_outbox(&self, states: &str) {
        wait_for(states, || self.outbox_words("state"));
    }

    /// Waits until the inbox's states are these.
    pub fn wait_inbox(&self, states: &str) {
        wait_for(states, || self.inbox_words("state"));
    }

    /// `wabridge status --json`: the queue of this kind and name.
    pub fn queue(&self, kind: &str) -> Value {
        let status = self.setup.json(&["status", "--json"]).remove(0);
        let queues = status["queues"].as_array().unwrap();
        let found = queues.iter().find(|queue| queue["kind"] == kind);
        found.cloned().unwrap_or(Value::Null)
    }
}

fn words(rows: &[Value], key: &str) -> String {
    let words = rows.iter().map(|row| match &row[key] {
        Value::String(word) => word.clone(),
        other => other.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Waits until `look` gives `expected`, and says what it gave when it never does.
pub fn wait_for(expected: &str, look: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if seen == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{seen:?} never became {expected:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A stand-in for Graph that knows our token and secret.
pub fn graph() -> StandIn {
    StandIn::start(Options {
        token: TOKEN.into(),
        app_secret: APP_SECRET.into(),
        ..Options::default()
    })
    .unwrap()
}

/// Unix seconds. Whoever wrote long ago can be sent only templates.
pub fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() as i64
}

/// A customer's text message, as Meta would send it; `n` makes its wamid.
pub fn text_message(n: u64, from: &str, text: &str) -> String {
    let sample = Sample {
        from,
        text,
        name: "Test Person",
        id: &sample::wamid(n, from),
        timestamp: now_s(),
        ..Sample::default()
    };
    sample::notification("text", &sample).unwrap()
}

/// Waits until `holds`, looking again often.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says that a test did not run, past the test harness, which shows nothing of
/// a test that passes.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
