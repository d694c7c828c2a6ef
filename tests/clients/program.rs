//! Programs written with client libraries: where the libraries are, and a program at work.

use super::support::{APP_SECRET, PATIENCE, VERIFY_TOKEN, skipped};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use wabridge::wire::sample;

/// The key that programs bear.
pub const KEY: &str = "test-api-key";

/// Where `tests/clients/install` puts the libraries.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients")
}

/// Whether the libraries are there. Says so when they are not; fails when they must be.
pub fn is_installed() -> bool {
    let installed = folder().join("installed").exists();
    if !installed {
        let why = "the client libraries are not installed: run tests/clients/install";
        let required = std::env::var("CLIENTS").is_ok_and(|value| value == "required");
        assert!(!required, "{why}");
        skipped(why);
    }
    installed
}

/// The programs, beside the libraries: Node looks for packages from where a program lies.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let programs = folder().join("programs");
        std::fs::create_dir_all(&programs).unwrap();
        for entry in std::fs::read_dir(sources).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "py" || e == "mjs") {
                std::fs::copy(&path, programs.join(path.file_name().unwrap())).unwrap();
            }
        }
        programs
    })
}

/// A program at work: it says facts, one JSON line each. Killed when dropped.
pub struct Program {
    name: String,
    child: Child,
    stdin: ChildStdin,
    facts: Receiver<Value>,
    /// Gives what the program wrote to standard error.
    complaints: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts a program of `tests/clients` by its name.
    pub fn start(name: &str, args: &[&str], settings: &[(&str, &str)]) -> Program {
        let language = match name.ends_with(".py") {
            true => "python/bin/python",
            false => "node",
        };
        let mut child = Command::new(folder().join(language))
            .arg(programs().join(name))
            .args(args)
            .env_clear()
            .envs([
                ("NUMBER", super::NUMBER),
                ("CUSTOMER", super::CUSTOMER),
                ("APP_SECRET", APP_SECRET),
                ("VERIFY_TOKEN", VERIFY_TOKEN),
                ("API_KEY", KEY),
                ("EARLIER", &sample::wamid(1, super::CUSTOMER)),
            ])
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, facts) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Libraries print as well.
                if let Ok(fact @ Value::Object(_)) = serde_json::from_str(&line) {
                    let _ = tell.send(fact);
                }
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Program {
            name: name.to_owned(),
            stdin: child.stdin.take().unwrap(),
            child,
            facts,
            complaints: Some(complaints),
        }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next fact.
    pub fn fact(&mut self) -> Value {
        match self.facts.recv_timeout(PATIENCE) {
            Ok(fact) => fact,
            Err(RecvTimeoutError::Timeout) => self.fail("says nothing"),
            Err(RecvTimeoutError::Disconnected) => self.fail("ended"),
        }
    }

    /// The facts it has said so far.
    pub fn said(&self) -> impl Iterator<Item = Value> {
        self.facts.try_iter()
    }

    /// Waits for its good end and gives the facts it had left.
    pub fn finish(mut self) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut facts = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.facts.recv_timeout(left) {
                Ok(fact) => facts.push(fact),
                Err(RecvTimeoutError::Timeout) => self.fail("does not end"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.child.wait().unwrap().success() {
            true => facts,
            false => self.fail("failed"),
        }
    }

    fn fail(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let complaints = self.complaints.take().map(JoinHandle::join);
        let complaints = complaints.and_then(Result::ok).unwrap_or_default();
        panic!("{} {what}: {complaints}", self.name);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
