//! The examples, talked to as a newcomer does: `wabridge demo -- EXAMPLE`, with
//! lines written to it as its customer.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use support::*;

const EXAMPLES: [&str; 3] = ["echo", "menu", "order_status"];

/// Where an example's program is, built as it is now: `cargo test` with the name
/// of a test file builds no examples.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build)[name].clone()
}

fn build() -> BTreeMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--offline", "--profile", "test"]);
    cargo.args(["--message-format", "json"]);
    for name in EXAMPLES {
        cargo.args(["--example", name]);
    }
    // What our own cargo says of this crate would have build scripts run anew.
    for (name, _) in std::env::vars_os() {
        let said = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if said
            .iter()
            .any(|said| name.to_string_lossy().starts_with(said))
        {
            cargo.env_remove(name);
        }
    }
    let output = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let name = line["target"]["name"].as_str()?;
        Some((name.to_owned(), line["executable"].as_str()?.into()))
    });
    lines.collect()
}

/// A conversation with a program at a terminal.
struct Chat {
    _folder: Folder,
    demo: Child,
    input: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
    read: usize,
}

impl Chat {
    fn with(program: &str, arguments: &[&str]) -> Chat {
        let folder = Folder::new();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_wabridge"));
        demo.args(["demo", "--", program]).args(arguments);
        let demo = demo
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut demo = demo.spawn().unwrap();
        let input = demo.stdin.take().unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (said, out) = (Arc::clone(&lines), demo.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                said.lock().unwrap().push(line);
            }
        });
        let mut chat = Chat {
            _folder: folder,
            demo,
            input,
            lines,
            read: 0,
        };
        chat.sees("The bot listens.");
        chat.sees("inbox list");
        chat
    }

    fn example(name: &str) -> Chat {
        Chat::with(program(name).to_str().unwrap(), &[])
    }

    fn writes(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for a line with this part, after those seen before.
    fn sees(&mut self, part: &str) {
        let (lines, from) = (Arc::clone(&self.lines), self.read);
        let find = || {
            let lines = lines.lock().unwrap();
            let found = lines[from..].iter().position(|line| line.contains(part));
            found.map(|at| from + at + 1)
        };
        wait_until(part, || find().is_some());
        self.read = find().unwrap();
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // The demo ends the bot when it is told to end itself.
        let id = self.demo.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.demo.wait();
    }
}

#[test]
fn echo_says_back_what_it_was_told() {
    let mut chat = Chat::example("echo");
    chat.writes("Hello there");
    chat.sees("You ← Hello there");
}

#[test]
fn menu_offers_buttons_and_a_list_and_answers_taps() {
    let mut chat = Chat::example("menu");
    chat.writes("Hi");
    chat.sees("You ← Hello You! What would you like to know?");
    chat.sees("1 Our teas");
    chat.sees("2 Opening hours");
    chat.writes("2");
    chat.sees("You ← Every day from 9 to 18.");
    chat.writes("1");
    chat.sees("You ← Which one?");
    chat.sees("2 Sencha");
    chat.writes("2");
    chat.sees("You ← A pot of Sencha is 3.50.");
}

#[test]
fn order_status_looks_up_over_http_and_answers_with_media() {
    let mut chat = Chat::example("order_status");
    chat.writes("Hi");
    chat.sees("You ← Which order?");
    chat.writes("Where is 4711?");
    chat.sees("You ← (image) Order 4711: on its way.");
    chat.writes("and 4712");
    chat.sees("You ← There is no order 4712.");
    // The shop fails once; what comes after it waits its turn.
    chat.writes("4713");
    chat.writes("4711");
    chat.sees("You ← Order 4713: being packed.");
    chat.sees("You ← (image) Order 4711: on its way.");
}

#[test]
fn a_bot_that_ends_ends_the_demo() {
    let folder = Folder::new();
    let at = folder.path().join("temporary");
    std::fs::create_dir(&at).unwrap();
    let setup = Setup::new(folder.path()).set("TMPDIR", at.to_str().unwrap());
    let ended = setup.run(&["demo", "--", "sh", "-c", "exit 7"]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("`sh -c exit 7` ended: exit status: 7"),
        "{said}"
    );
    let none = setup.run(&["demo", "--", "/nonexistent/bot"]);
    let said = String::from_utf8(none.stderr).unwrap();
    assert!(
        said.contains("/nonexistent/bot cannot be started"),
        "{said}"
    );
    let once = setup.run(&["demo", "--once", "--", "true"]);
    assert_eq!(once.status.code(), Some(2));
    let left = std::fs::read_dir(&at).unwrap().count();
    assert_eq!(left, 0, "folders of demos that are over");
}

#[test]
fn wabridge_itself_is_a_bot_to_the_demo() {
    let folder = Folder::new();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nreply = \"by rule\"\n").unwrap();
    let start = format!("RULES_FILE={} exec \"$0\" serve", rules.display());
    let mut chat = Chat::with("sh", &["-c", &start, env!("CARGO_BIN_EXE_wabridge")]);
    chat.writes("anything");
    chat.sees("You ← by rule");
}
