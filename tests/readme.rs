//! What README.md prints is so: its commands and programs run as they are printed
//! (but for ports and folders), its settings, defaults, commands and options are
//! those there are, and its links lead somewhere. The Rust in it is compiled by
//! rustdoc (src/lib.rs).
//!
//! Without the programs that a snippet wants its test says so and passes, except
//! in `tests/all`.

mod support;

#[path = "readme/machine.rs"]
mod machine;
#[path = "readme/words.rs"]
mod words;

use machine::Machine;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use support::*;
use wabridge::wire::signature::HubKeys;

const README: &str = include_str!("../README.md");
const NGINX: &str = include_str!("../systemd/nginx.conf");
const KEY: &str = "key";

/// A fenced block.
struct Block {
    language: &'static str,
    text: &'static str,
    /// The heading it stands under.
    heading: &'static str,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut heading, mut rest) = ("", README);
    while let Some(start) = rest.find("\n```") {
        let (before, fenced) = (&rest[..=start], &rest[start + 4..]);
        let mut heads = before.lines().filter(|line| line.starts_with('#'));
        if let Some(last) = heads.next_back() {
            heading = last.trim_start_matches(['#', ' ']);
        }
        let (language, fenced) = fenced.split_once('\n').unwrap();
        let end = fenced.find("```").expect("an end of the block");
        blocks.push(Block {
            language,
            text: &fenced[..end],
            heading,
        });
        rest = &fenced[end + 3..];
    }
    blocks
}

/// The blocks in a language under a heading.
fn under(heading: &str, language: &str) -> Vec<&'static str> {
    let blocks = blocks().into_iter();
    let found = blocks.filter(|block| block.heading == heading && block.language == language);
    let found: Vec<_> = found.map(|block| block.text).collect();
    assert!(!found.is_empty(), "no {language} under {heading}");
    found
}

/// Whether a snippet's program is here; says so when it is not.
fn have(program: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !there {
        let why = format!("{program} is not installed");
        let required = std::env::var("CLIENTS").is_ok_and(|value| value == "required");
        assert!(!required, "{why}");
        skipped(&why);
    }
    there
}

/// The Node that `tests/clients/install` puts there, or the machine's own.
fn node() -> String {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients/node");
    match installed.exists() {
        true => installed.display().to_string(),
        false => "node".into(),
    }
}

/// A shell in `folder` with `wabridge` in its path, as a reader has it.
fn shell(folder: &Path, script: &str) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_wabridge")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-ec", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", format!("{}:{path}", beside.display()));
    shell
}

/// What it printed; it must end well.
fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{said}");
    text
}

#[test]
fn try_it_with_curl_works_as_printed() {
    if !have("curl") || !have("openssl") {
        return;
    }
    let blocks = under("Try it with curl", "sh");
    let [first, second] = blocks[..] else {
        panic!("two terminals: {blocks:?}");
    };
    let folder = Folder::new();
    // The service stands in for the first terminal's shell, so that its end is ours.
    let first = first.replace("wabridge serve", "exec \"$0\" serve");
    assert!(first.contains("exec"));
    let setup = Setup::new(folder.path())
        .unset("VERIFY_TOKEN")
        .unset("APP_SECRET")
        .unset("DATABASE_URL");
    let service = setup.serve_in_shell(&first, Stdio::null());
    let second = second.replace("127.0.0.1:8080", &service.address.to_string());
    for _ in 0..2 {
        let text = printed(&shell(folder.path(), &second).output().unwrap());
        assert!(text.starts_with("1158201444HTTP/1.1 200 OK"), "{text}");
        let rows = text.lines().filter(|line| line.contains("message"));
        let rows: Vec<_> = rows.filter(|line| line.contains("15550107001")).collect();
        assert_eq!(rows.len(), 1, "stored once: {text}");
    }
}

#[test]
fn the_apis_curl_lines_work_as_printed() {
    if !have("curl") {
        return;
    }
    let standin = graph();
    let mut place = Place::new(&[
        ("GRAPH_API_URL", &standin.url()),
        ("WHATSAPP_TOKEN", TOKEN),
        ("API_KEY", KEY),
        ("METRICS_KEY", "metrics"),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
    ]);
    let hello = text_message(1, "15550107001", "hello");
    place.service.take(&hello);
    let line = place.service.wait_for_log("msg=\"serving the API\"");
    let operator = line.split("listen=").nth(1).unwrap().to_owned();
    let curl = |script: &str| {
        let script = script.replace("127.0.0.1:8081", &operator);
        let mut shell = shell(place.folder.path(), &script);
        let shell = shell.env("API_KEY", KEY).env("METRICS_KEY", "metrics");
        printed(&shell.output().unwrap())
    };
    let sent: Value =
        serde_json::from_str(&curl(under("Sending from your own programs", "sh")[0])).unwrap();
    let wamid = sent["messages"][0]["id"].as_str().unwrap();
    assert!(wamid.starts_with("wamid."), "{sent}");
    let accepted = standin.accepted();
    assert_eq!(accepted[0].body["text"]["body"], "Your order is ready");

    let windows = under("The 24-hour window", "sh")[0];
    let promised = windows.lines().find_map(|line| line.strip_prefix("# "));
    let promised: Value = serde_json::from_str(promised.unwrap()).unwrap();
    let window: Value = serde_json::from_str(&curl(windows)).unwrap();
    let keys = |of: &Value| -> Vec<String> {
        let window = of["window"].as_object().unwrap();
        window.keys().cloned().collect()
    };
    assert_eq!(keys(&window), keys(&promised));
    assert_eq!(window["window"]["kind"], promised["window"]["kind"]);

    let metrics = curl(under("Figures and alerts", "sh")[0]);
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[test]
fn the_rules_are_taken_and_answer_as_they_say() {
    let folder = Folder::new();
    for (index, rules) in under("Rules", "toml").into_iter().enumerate() {
        let file = folder.path().join("rules.toml");
        std::fs::write(&file, rules).unwrap();
        let check = format!("wabridge rules test hello --file {}", file.display());
        printed(&shell(folder.path(), &check).output().unwrap());
        assert_eq!(index, 0, "the tries below are of one file");
    }
    for line in under("Rules", "sh")[0].lines() {
        printed(&shell(folder.path(), line).output().unwrap());
    }
    let answer = |text: &str| {
        let at = "--at '2026-11-23T10:00[Europe/Berlin]' --name Kit --file rules.toml";
        let test = format!("wabridge rules test '{text}' {at}");
        printed(&shell(folder.path(), &test).output().unwrap())
    };
    assert!(answer("where is ORDER 4711?").contains("Order 4711 is on its way, Kit."));
    assert!(answer("your opening hours?").contains("We are open from 9 to 18."));
    assert!(answer("Unsubscribe").contains("no marketing"));
    assert!(answer("well").contains("did not understand"));
}

#[test]
fn mistakes_in_rules_are_told_as_printed() {
    let folder = Folder::new();
    let rules = r#"hours.shop = { timezone = "UTC", daily = "9-18" }
[[rule]]
text = "hi"
reply = "Hello"
[[rule]]
match = "("
reply = "What?"
[[rule]]
closed = "shp"
reply = "Later."
"#;
    std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
    let tried = shell(folder.path(), "wabridge rules test hi --file rules.toml");
    let said = { tried }.output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    for line in under("Rules", "text")[0].lines() {
        assert!(said.contains(line), "not {line:?} but {said}");
    }
}

#[test]
fn the_program_answers() {
    if !have("python3") {
        return;
    }
    let folder = Folder::new();
    let program = folder.path().join("handler.py");
    std::fs::write(&program, under("A program", "python")[0]).unwrap();
    let command = format!("python3 {}", program.display());
    let place = Place::new(&[("HANDLER_COMMAND", &command)]);
    check_answer(&place);
}

#[test]
fn the_app_answers_what_is_signed_and_nothing_else() {
    if !have("python3") {
        return;
    }
    let app = PythonApp::start(under("An app", "python")[0]);
    let place = Place::new(&[("FORWARD_URL", &app.url)]);
    check_answer(&place);
    let address = app.url.trim_start_matches("http://").parse().unwrap();
    let forged = [("X-Hub-Signature-256", "sha256=00")];
    let answer = request(address, "POST", "/", &forged, b"{}").unwrap();
    assert_eq!(answer.status, 401);
}

/// A text is answered by what it said.
fn check_answer(place: &Place) {
    place
        .service
        .take(&text_message(1, "15550107001", "Grüße ☕"));
    place.wait_inbox("done");
    let shown = place.setup.json(&["outbox", "show", "1", "--json"]);
    assert_eq!(shown[0]["body"]["text"]["body"], "You said: Grüße ☕");
    assert_eq!(shown[0]["type"], "text");
}

/// The app of README in a process of its own; ended when dropped.
struct PythonApp {
    child: Child,
    url: String,
}

impl PythonApp {
    fn start(source: &str) -> PythonApp {
        assert!(source.contains("3000"));
        loop {
            // Freed again at once: should somebody else take it meanwhile, the app
            // ends, and another port is tried.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let source = source.replace("3000", &address.port().to_string());
            let mut python = Command::new("python3");
            python.args(["-c", &source]).env("APP_SECRET", APP_SECRET);
            let python = python.stdin(Stdio::null()).stderr(Stdio::null());
            let mut app = PythonApp {
                child: python.spawn().unwrap(),
                url: format!("http://{address}"),
            };
            let (mut ended, child) = (false, &mut app.child);
            wait_until("the app listens, or has ended", || {
                ended = child.try_wait().unwrap().is_some();
                ended || TcpStream::connect(address).is_ok()
            });
            if !ended {
                return app;
            }
        }
    }
}

impl Drop for PythonApp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_apps_answer_is_read_as_it_says() {
    let answer = under("An app", "json")[0];
    let app = App::start(move |_| says(200, answer));
    let place = Place::new(&[("FORWARD_URL", &app.url())]);
    place.service.take(&text_message(1, "15550107001", "hello"));
    place.wait_inbox("done");
    assert_eq!(place.outbox_words("type"), "text read");
}

#[test]
fn other_snippets_are_well_formed() {
    let folder = Folder::new();
    let node = node();
    for block in blocks() {
        let check: &[&str] = match block.language {
            "json" => {
                serde_json::from_str::<Value>(block.text).expect(block.heading);
                continue;
            }
            "python" => &["python3", "-m", "py_compile", "it.py"],
            "js" => &[&node, "--check", "it.mjs"],
            "sh" => &["sh", "-n", "it.sh"],
            "toml" | "nginx" | "text" | "ini" | "rust,no_run" => continue,
            other => panic!("a block without a test: {other:?} under {}", block.heading),
        };
        let file = folder.path().join(check.last().unwrap());
        std::fs::write(file, block.text).unwrap();
        if check[0] == "sh" || have(check[0]) {
            let mut command = Command::new(check[0]);
            let checked = command.args(&check[1..]).current_dir(folder.path());
            let checked = checked.output().unwrap();
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{}: {said}", block.heading);
        }
    }
}

#[test]
fn nginxs_location_is_the_one_that_is_tested() {
    let lines = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            code.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        lines.filter(|line| !line.is_empty()).collect()
    };
    let file = lines(NGINX);
    let printed = lines(under("nginx", "nginx")[0]);
    let unknown: Vec<_> = printed.difference(&file).collect();
    assert!(unknown.is_empty(), "not in systemd/nginx.conf: {unknown:?}");
    let from = NGINX.find("location = /webhook").unwrap();
    let location = lines(&NGINX[from..from + NGINX[from..].find('}').unwrap()]);
    let missing: Vec<_> = location.difference(&printed).collect();
    assert!(missing.is_empty(), "not in README: {missing:?}");
}

#[test]
fn nginx_takes_its_locations() {
    let folder = Folder::new();
    let at = folder.path().display();
    let [console, webhook] = ["The console", "nginx"].map(|heading| under(heading, "nginx")[0]);
    let (upstream, webhook) = webhook.split_at(webhook.find("location").unwrap());
    let main = format!(
        "pid {at}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
         {upstream}server {{\nlisten unix:{at}/socket;\n{webhook}{console}}}\n}}\n"
    );
    let path = folder.path().join("nginx.conf");
    std::fs::write(&path, main).unwrap();
    let programs = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    let Some(program) = programs.into_iter().find(|path| Path::new(path).exists()) else {
        return skipped("nginx is not installed");
    };
    let tried = Command::new(program)
        .arg("-t")
        .arg("-c")
        .arg(&path)
        .output();
    let tried = tried.unwrap();
    let said = String::from_utf8_lossy(&tried.stderr);
    assert!(tried.status.success(), "{said}");
}

#[test]
fn the_ten_minutes_lead_to_a_service_that_answers() {
    if !have("openssl") || !have("curl") {
        return;
    }
    let machine = Machine::new();
    let blocks = under("Ten minutes to a bot that answers", "sh");
    let [binary, secrets, rules, service, register, lists] = blocks[..] else {
        panic!("six steps: {blocks:?}");
    };
    for step in [binary, secrets, rules] {
        machine.run(step);
    }
    let running = machine.serve();
    let here = format!("http://{}", running.address);
    let service = service.replace("https://webhook.example.com", &here);
    let said = machine.run(&service);
    assert!(said.contains("ok     rules: "), "{said}");
    assert!(said.contains("ok     database: "), "{said}");
    assert!(said.ends_with("\n42"), "{said}");
    // What goes to Meta is tried elsewhere (tests/doctor.rs).
    assert!(register.contains("wabridgectl register --url https://"));
    assert!(machine.run(lists).contains("CONVERSATION"));
}

#[test]
fn an_upgrade_can_be_gone_back_on() {
    if !have("openssl") {
        return;
    }
    let machine = Machine::new();
    for step in &under("Ten minutes to a bot that answers", "sh")[..3] {
        machine.run(step);
    }
    let mut running = machine.serve();
    let take = |running: &Wabridge, n: u64| {
        let body = text_message(n, "15550107001", "hello");
        let key = HubKeys::new(["your-app-secret"]);
        let signature = key.sign(body.as_bytes()).unwrap();
        let signed = [("X-Hub-Signature-256", signature.as_str())];
        let answer = running.request("POST", "/webhook", &signed, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let stored = || machine.run("wabridgectl inbox list --json").lines().count();
    take(&running, 1);
    let said = machine.run(under("Upgrades", "sh")[0]);
    assert!(said.contains("1 events"), "{said}");
    running.kill();
    running = machine.serve();
    take(&running, 2);
    assert_eq!(stored(), 2);
    // Killed, it leaves its log beside the file, which must not come in.
    running.kill();
    machine.run(under("Backups", "sh")[0]);
    running = machine.serve();
    assert_eq!(stored(), 1);
    take(&running, 3);
    assert_eq!(stored(), 2);
}
