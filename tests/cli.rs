//! The command line of the real binary: help, exit codes, what goes to stdout
//! and what to stderr, and the shapes of JSON that scripts rely on.

mod support;

use serde_json::Value;
use std::net::TcpListener;
use std::process::{Output, Stdio};
use support::*;
use wabridge::wire::sample::{self, KINDS};

const COMMANDS: [&str; 18] = [
    "send",
    "serve",
    "demo",
    "check",
    "register",
    "rules",
    "simulate",
    "inbox",
    "outbox",
    "window",
    "take",
    "give",
    "status",
    "marketing",
    "backup",
    "prune",
    "forget",
    "hash-password",
];

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder and the settings of a service that does not run.
fn bare() -> (Folder, Setup) {
    let folder = Folder::new();
    let setup = Setup::new(folder.path());
    (folder, setup)
}

/// Runs with these arguments: the exit code, and a part of what is said.
fn check(setup: &Setup, args: &[&str], code: i32, said: &str) {
    let output = setup.run(args);
    let (stdout, stderr) = (out(&output), err(&output));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args:?}: {stdout}{stderr}"
    );
    let heard = if code == 0 { &stdout } else { &stderr };
    assert!(
        heard.contains(said),
        "{args:?} lacks {said:?}: {stdout}{stderr}"
    );
    if code == 2 {
        assert_eq!(stdout, "", "{args:?}");
    }
}

#[test]
fn each_commands_help_says_first_what_it_does() {
    let (_folder, setup) = bare();
    for command in COMMANDS {
        let help = setup.run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        let text = out(&help);
        let first = text.lines().next().unwrap();
        let verb = first.split(' ').next().unwrap();
        assert!(
            verb.ends_with('s') && first.len() > 30,
            "{command}: {first}"
        );
        assert!(
            text.contains(&format!("Usage: wabridge {command}")),
            "{text}"
        );
        assert_eq!(err(&help), "");
        for args in [vec![command, "-h"], vec!["help", command]] {
            assert_eq!(out(&setup.run(&args)), text, "{args:?}");
        }
        // Asked for beside other arguments, help comes before anything is done.
        assert_eq!(out(&setup.run(&[command, "--nonsense", "--help"])), text);
    }
    for args in [["--help"], ["-h"], ["help"]] {
        let text = out(&setup.run(&args));
        for command in COMMANDS {
            assert!(
                text.contains(&format!("\n  {command} ")),
                "{command}: {text}"
            );
        }
        assert!(text.contains("APP_SECRET") && text.contains("FORWARD_URL"));
    }
    check(
        &setup,
        &["--version"],
        0,
        concat!("wabridge ", env!("CARGO_PKG_VERSION"), "\n"),
    );
}

#[test]
fn no_line_of_help_is_longer_than_a_hundred_columns() {
    let (_folder, setup) = bare();
    let each = COMMANDS.map(|command| vec![command, "--help"]);
    for args in each.into_iter().chain([vec!["--help"]]) {
        let help = out(&setup.run(&args));
        let long = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{args:?}");
    }
}

#[test]
fn misuse_is_2_and_says_what_is_off() {
    let (_folder, setup) = bare();
    drop(setup.serve());
    let cases: &[(&[&str], &str)] = &[
        (&["nonsense"], "no command `nonsense`\nTry: wabridge --help"),
        (&["help", "nonsense"], "no command `nonsense`"),
        (&["--nonsense"], "--nonsense"),
        (&["serve", "now"], "\"now\"\nTry: wabridge serve --help"),
        (&["serve", "--port", "1"], "--port"),
        (&["check", "--nonsense"], "--nonsense"),
        (&["check", "--waba", "1"], "go with --online"),
        (&["demo", "--once", "bot"], "--once plays the demo's own"),
        (&["status", "--nonsense"], "--nonsense"),
        (&["status", "x"], "unexpected argument `x`"),
        (&["inbox"], "list, show, replay or drop"),
        (&["inbox", "burn"], "not `burn`"),
        (&["inbox", "list", "7"], "unexpected argument `7`"),
        (
            &["inbox", "list", "--state", "odd"],
            "pending, done or dead",
        ),
        (&["inbox", "list", "--limit"], "--limit"),
        (
            &["inbox", "list", "--limit", "many"],
            "--limit many: write a whole number",
        ),
        (&["inbox", "show"], "needs an event's id"),
        (&["inbox", "show", "x"], "`x` is not an id"),
        (&["inbox", "replay"], "needs ids, or --dead"),
        (&["inbox", "replay", "1", "--dead"], "either ids or --dead"),
        (&["inbox", "replay", "--all"], "--all"),
        (
            &["inbox", "replay", "--dead", "-n", "x"],
            "--limit x: write",
        ),
        (&["outbox"], "list, show, retry, hold or cancel"),
        (
            &["outbox", "list", "--state", "odd"],
            "messages are queued, sending",
        ),
        (&["simulate", "--kind", "odd"], "there are: text reply"),
        (&["simulate", "a", "b"], "b"),
        (&["simulate", "--count", "-1"], "--count -1: write"),
        (
            &["simulate", "--url", "host"],
            "write http://HOST:PORT/webhook",
        ),
        (
            &["send", "--from", "1", "--to", "Ana", "hi"],
            "a phone number with country code, or a BSUID",
        ),
    ];
    for (args, said) in cases {
        check(&setup, args, 2, said);
    }
}

#[test]
fn failure_is_1_and_says_how_to_mend_it() {
    let (folder, setup) = bare();
    let closed = Away::new().url();
    check(
        &setup,
        &["inbox", "list"],
        1,
        "it is made by `wabridge serve`",
    );
    check(&setup, &["status"], 1, "set DATABASE_URL");
    assert!(
        !folder.path().join("wabridge.db").exists(),
        "looking made a database"
    );
    check(
        &setup,
        &["simulate", "--url", &closed],
        1,
        "is `wabridge serve` running there?",
    );
    check(
        &setup.clone().unset("APP_SECRET"),
        &["simulate"],
        1,
        "APP_SECRET is not set",
    );
    drop(setup.serve());
    check(&setup, &["inbox", "show", "5"], 1, "no event 5");
    check(&setup, &["outbox", "show", "5"], 1, "no message 5");
    check(&setup, &["inbox", "replay", "5"], 1, "no event 5");
    let cancel = ["outbox", "cancel", "--state", "sent"];
    check(&setup, &cancel, 0, "no message is sent");
    std::fs::write(folder.path().join("it.json"), "Hello").unwrap();
    let send = [
        "send",
        "--from",
        "1",
        "--to",
        "15550107001",
        "--json",
        "it.json",
    ];
    check(&setup, &send, 1, "is not a JSON object such as");
}

#[test]
fn all_mistakes_in_the_settings_are_told_at_once() {
    let (_folder, setup) = bare();
    let wrong = setup
        .set("APP_SECRET", "")
        .unset("VERIFY_TOKEN")
        .set("LISTEN", "0.0.0.0:8080")
        .set("FORWARD_URL", "localhost")
        .set("LOG_LEVEL", "loud")
        .set("RECONCILE_WINDOW", "soon")
        .set("DATABASE_URL", "postgres://user:hush@db/x");
    let parts = [
        "6 problems with the settings",
        "APP_SECRET is empty",
        "VERIFY_TOKEN is not set",
        "ALLOW_PUBLIC_LISTEN=true",
        "FORWARD_URL is not an address",
        "LOG_LEVEL=loud",
        "RECONCILE_WINDOW=soon",
        "DATABASE_URL names PostgreSQL",
    ];
    for args in [&["serve"] as &[&str], &["check"], &[]] {
        let output = wrong.run(args);
        let text = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in &parts[1..] {
            assert!(text.contains(part), "{args:?} lacks {part:?}: {text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }
    check(&wrong, &["serve"], 1, "7 problems with the settings");
}

#[test]
fn postgres_is_refused_by_name() {
    let (_folder, setup) = bare();
    for url in ["postgres://u:hush@db/x", "postgresql://db/x"] {
        let setup = setup.clone().set("DATABASE_URL", url);
        for args in [&["serve"] as &[&str], &["inbox", "list"], &["status"]] {
            check(&setup, args, 1, "use sqlite:PATH");
        }
    }
}

#[test]
fn a_dotenv_file_is_read_and_the_environment_wins() {
    let (folder, setup) = bare();
    let dotenv = format!(
        "VERIFY_TOKEN='from file'\nAPP_SECRET={APP_SECRET}\nLOG_LEVEL=loud\nWEBHOOK_PTH=/x\n"
    );
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    let setup = setup.unset("VERIFY_TOKEN").unset("APP_SECRET");
    check(&setup, &["serve"], 1, "LOG_LEVEL=loud");
    let service = setup.set("LOG_LEVEL", "info").serve();
    service.take(&text_message(1, "15550107001", "hello"));
    let query = "/webhook?hub.mode=subscribe&hub.verify_token=from%20file&hub.challenge=1";
    assert_eq!(service.request("GET", query, &[], b"").status, 200);
    assert!(service.log().contains("WEBHOOK_PTH, which is no setting"));
    std::fs::write(folder.path().join(".env"), "A=1\nAPP_SECRET=hush hush\n").unwrap();
    let output = Setup::new(folder.path()).run(&["serve"]);
    assert!(
        err(&output).contains(".env line 2 cannot be read"),
        "{}",
        err(&output)
    );
    assert!(!err(&output).contains("hush"));
}

#[test]
fn check_tells_what_is_fine_and_what_is_wrong() {
    let (folder, setup) = bare();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\ntext = \"hi\"\nreply = \"hello\"\n").unwrap();
    let setup = setup.set("RULES_FILE", rules.to_str().unwrap());
    check(&setup, &["check"], 0, "ok     rules: 1 in");
    check(&setup, &["check"], 0, "will be made at the first start");
    let output = setup.run(&["check"]);
    assert!(!out(&output).contains(APP_SECRET) && !out(&output).contains(VERIFY_TOKEN));
    let service = setup.serve();
    let in_use = setup.clone().set("LISTEN", &service.address.to_string());
    check(&in_use, &["check"], 0, "is in use: by the running service");
    check(&in_use, &["check"], 0, "ok     database");
    std::fs::write(
        &rules,
        "[[rule]]\nmatch = \"(\"\nreply = \"a\"\n[[rule]]\nclosed = \"shp\"\nreply = \"b\"\n",
    )
    .unwrap();
    let wrong = setup.run(&["check"]);
    assert_eq!(wrong.status.code(), Some(1));
    let text = out(&wrong);
    let marked = text.lines().filter(|line| line.starts_with("wrong  "));
    assert_eq!(marked.count(), 2, "each mistake is marked: {text}");
    check(&setup, &["serve"], 1, "rules.toml");
    let all = setup.clone().set("LISTEN", "nowhere").run(&["check"]);
    let text = out(&all);
    for part in ["LISTEN=nowhere", "rules.toml line 5", "ok     database"] {
        assert!(text.contains(part), "at once: {text}");
    }
    let nowhere = setup
        .unset("RULES_FILE")
        .set("DATABASE_URL", "/nonexistent/x.db");
    let wrong = nowhere.run(&["check"]);
    assert!(
        out(&wrong).contains("there is no folder /nonexistent"),
        "{}",
        out(&wrong)
    );
    check(&nowhere, &["serve"], 1, "check that its folder exists");
}

/// Only at the start it was said, and of MEDIA_DIR not before the first file.
#[test]
fn check_tells_of_folders_in_which_the_service_may_not_write_and_leaves_nothing_there() {
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const SERVICE: u32 = 65_534;
    let (folder, setup) = bare();
    let [data, media] = ["data", "media"].map(|name| folder.path().join(name));
    let database = data.join("wabridge.db");
    let media_dir = media.join("files");
    let setup = setup
        .set("DATABASE_URL", database.to_str().unwrap())
        .set("MEDIA_DIR", media_dir.to_str().unwrap());
    let says = |setup: &Setup| {
        let output = setup.run(&["check"]);
        (output.status.code().unwrap(), out(&output))
    };
    let (code, text) = says(&setup);
    assert!(
        code == 1 && text.contains("database: there is no folder"),
        "{text}"
    );
    assert!(text.contains("MEDIA_DIR: there is no folder"), "{text}");
    for folder in [&data, &media] {
        create_dir(folder).unwrap();
    }
    let (code, text) = says(&setup);
    assert!(code == 0 && text.contains("ok     MEDIA_DIR: "), "{text}");
    assert!(data.read_dir().unwrap().next().is_none());
    assert!(media.read_dir().unwrap().next().is_none());
    if !rustix::process::geteuid().is_root() {
        let rights = |mode| {
            for folder in [&data, &media] {
                set_permissions(folder, Permissions::from_mode(mode)).unwrap();
            }
        };
        rights(0o500);
        let (code, text) = says(&setup);
        assert_eq!(
            (code, text.matches("we may not write in").count()),
            (1, 2),
            "{text}"
        );
        rights(0o700);
        return;
    }
    // The service has a user of its own, and the folders are root's.
    let mut command = setup.command(&["check"]);
    let Ok(output) = command.uid(SERVICE).gid(SERVICE).output() else {
        return skipped("check by another user: it may not run the binary");
    };
    assert_eq!(
        out(&output).matches("we may not write in").count(),
        2,
        "{}",
        out(&output)
    );
    // It made the database, and root made MEDIA_DIR.
    drop(setup.serve());
    for path in [&data, &database] {
        chown(path, Some(SERVICE), Some(SERVICE)).unwrap();
    }
    let (code, text) = says(&setup);
    let mend = format!(
        "may not write in {0}: chown {SERVICE} {0}",
        media_dir.display()
    );
    assert!(code == 1 && text.contains(&mend), "{text}");
    chown(&media_dir, Some(SERVICE), Some(SERVICE)).unwrap();
    assert_eq!(says(&setup).0, 0);
    // A Unix socket is fine where the service may make it, or where it is held for it.
    let socket = media.join("webhook.sock");
    let setup = setup.set("LISTEN", &format!("unix:{}", socket.display()));
    let (_, text) = says(&setup);
    assert!(text.contains("or set another LISTEN"), "{text}");
    let _held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (_, text) = says(&setup);
    assert!(text.contains("webhook.sock is in use"), "{text}");
}

#[test]
fn one_service_a_file_and_one_a_port() {
    let place = Place::new(&[]);
    check(
        &place.setup,
        &["serve"],
        1,
        "another `wabridge serve` runs on",
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = place.setup.clone().set("LISTEN", &address);
    let other = other.set("DATABASE_URL", "other.db");
    check(
        &other,
        &["serve"],
        1,
        &format!("cannot listen on {address}: stop the process that listens there"),
    );
    for (listen, mend) in [
        ("unix:/nonexistent/a.sock", "make the folder"),
        ("unix:other.db", "a file that is no socket is there"),
        ("192.0.2.1:8080", "an address that this machine has"),
    ] {
        let elsewhere = other.clone().set("LISTEN", listen);
        let elsewhere = elsewhere.set("ALLOW_PUBLIC_LISTEN", "true");
        check(&elsewhere, &["serve"], 1, mend);
    }
    place.service.take(&text_message(1, "15550107001", "hello"));
}

#[test]
fn a_database_of_a_newer_version_or_no_database_is_refused_and_left_alone() {
    let (folder, setup) = bare();
    drop(setup.serve());
    let path = folder.path().join("wabridge.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    for args in [&["serve"] as &[&str], &["inbox", "list"], &["status"]] {
        check(&setup, args, 1, "schema version 99");
    }
    let junk = folder.path().join("junk.db");
    std::fs::write(
        &junk,
        "this is not a database, and somebody wants to keep it".repeat(50),
    )
    .unwrap();
    let before = std::fs::read(&junk).unwrap();
    let setup = setup.set("DATABASE_URL", junk.to_str().unwrap());
    for args in [&["serve"] as &[&str], &["inbox", "list"], &["status"]] {
        check(&setup, args, 1, "is not a database of wabridge's");
    }
    assert_eq!(std::fs::read(&junk).unwrap(), before);
}

fn keys(row: &Value) -> String {
    let keys: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
    keys.join(" ")
}

fn is_rfc3339(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    let known = &time::format_description::well_known::Rfc3339;
    text.ends_with('Z') && time::OffsetDateTime::parse(text, known).is_ok()
}

#[test]
fn rows_have_the_promised_keys() {
    let standin = graph();
    let (folder, setup) = bare();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nmatch = \".\"\nreply = \"hello\"\n").unwrap();
    let setup = setup
        .set("RULES_FILE", rules.to_str().unwrap())
        .set("GRAPH_API_URL", &standin.url())
        .set("WHATSAPP_TOKEN", TOKEN);
    let service = setup.serve();
    for n in 0..3 {
        service.take(&text_message(n, "15550107001", "hello"));
    }
    wait_for("accepted accepted accepted", || {
        let rows = setup.json(&["outbox", "list", "--json"]);
        let states = rows
            .iter()
            .map(|row| row["state"].as_str().unwrap().to_owned());
        states.collect::<Vec<_>>().join(" ")
    });
    let inbox = setup.json(&["inbox", "list", "--json"]);
    let expected =
        "id kind field type key conversation received_at state attempts error media deliveries";
    assert_eq!(keys(&inbox[0]), expected);
    assert!(is_rfc3339(&inbox[0]["received_at"]));
    assert_eq!(inbox[0]["state"], "done");
    assert_eq!(inbox[0]["conversation"], "106540300000001/15550107001");
    let outbox = setup.json(&["outbox", "list", "--json"]);
    let expected = "id number to type state wamid sent_as attempts error created_at resent";
    assert_eq!(keys(&outbox[0]), expected);
    assert!(is_rfc3339(&outbox[0]["created_at"]));
    assert_eq!(
        (&outbox[0]["to"], &outbox[0]["type"]),
        (&"15550107001".into(), &"text".into())
    );

    for (noun, rows) in [("inbox", inbox), ("outbox", outbox)] {
        let last = setup.json(&[noun, "list", "--json", "--limit", "2"]);
        assert_eq!(last, rows[1..], "the newest, oldest of them first");
        assert_eq!(setup.json(&[noun, "list", "--json", "-n", "0"]).len(), 0);
        let id = rows[0]["id"].to_string();
        let shown = setup.json(&[noun, "show", &id, "--json"]).remove(0);
        assert!(keys(&shown).starts_with(&keys(&rows[0])) && shown["body"].is_object());
        let table = out(&setup.run(&[noun, "list"]));
        assert_eq!(table.lines().count(), 4, "{table}");
    }
    let of_state = |noun, state| {
        setup
            .json(&[noun, "list", "--state", state, "--json"])
            .len()
    };
    assert_eq!(
        (of_state("inbox", "done"), of_state("inbox", "dead")),
        (3, 0)
    );
    assert_eq!(
        (of_state("outbox", "accepted"), of_state("outbox", "read")),
        (3, 0)
    );
    let status = setup.json(&["status", "--json"]).remove(0);
    assert_eq!(
        keys(&status),
        "queues alarms halts taken outbox received accepted"
    );
    assert_eq!(
        keys(&status["queues"][0]),
        "kind name open oldest_seconds dead served halt failures"
    );
    assert_eq!(status["outbox"]["accepted"], 3);
    assert_eq!(status["received"]["minute"], 3);
}

#[test]
fn what_customers_write_cannot_steer_a_terminal() {
    let place = Place::new(&[]);
    let value = r#"{"messages":[{"from":"1\u001b]0;x\u0007","id":"wamid.\u009b2J","type":"t\u001b[2J","a":"?"}]}"#;
    let value = value.replace('?', "\u{9b}31m\u{7f}");
    place.service.take(&format!(
        r#"{{"entry":[{{"id":"1","changes":[{{"field":"a\u001b[31mb","value":{value}}}]}}]}}"#
    ));
    for args in [
        &["inbox", "list"] as &[&str],
        &["inbox", "show", "1"],
        &["inbox", "list", "--json"],
        &["inbox", "show", "1", "--json"],
    ] {
        let text = out(&place.setup.run(args));
        let steering = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(steering, None, "{args:?}: {text:?}");
    }
}

#[test]
fn simulate_sends_every_kind_and_each_is_answered_200() {
    let place = Place::new(&[]);
    let url = place.service.url();
    for kind in KINDS {
        let args = ["simulate", "--kind", kind.name, "--url", &url];
        check(&place.setup, &args, 0, &format!("{} → 200", kind.name));
    }
    let before = place.inbox().len();
    assert!(before >= KINDS.len());
    let here = place
        .setup
        .clone()
        .set("LISTEN", &place.service.address.to_string());
    let args = [
        "simulate",
        "a text",
        "--count",
        "3",
        "--from",
        "15550107005",
        "--name",
        "Zoë",
    ];
    check(&here, &args, 0, "text → 200");
    let rows = place.inbox();
    assert_eq!(rows.len(), before + 3, "each is a new one");
    let whose = format!("/{}", sample::bsuid("15550107005"));
    let conversation = rows[before]["conversation"].as_str().unwrap();
    assert!(conversation.ends_with(&whose), "{conversation}");
    let stranger = place.setup.clone().set("APP_SECRET", "another");
    check(
        &stranger,
        &["simulate", "--url", &url],
        1,
        "1 of 1 were not answered 200",
    );
}

#[test]
fn demo_once_plays_a_round_and_succeeds() {
    let (_folder, setup) = bare();
    check(
        &setup,
        &["demo", "--once"],
        0,
        "all well: 6 messages came in",
    );
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let place = Place::new(&[]);
    for n in 0..300 {
        place.service.take(&text_message(n, "15550107001", "hello"));
    }
    for args in [
        &["inbox", "list", "--limit", "300"] as &[&str],
        &["inbox", "list", "--limit", "300", "--json"],
        &["--help"],
        &["status"],
        &["check"],
    ] {
        let mut command = place.setup.command(args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
        assert_eq!(err(&output), "", "{args:?}");
    }
}

#[test]
fn a_hash_is_made_of_a_password_and_only_of_a_good_one() {
    let hash = |password: &str| {
        let (_folder, setup) = bare();
        let mut command = setup.command(&["hash-password"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, password.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let good = hash("correct horse battery\n");
    assert!(good.status.success(), "{}", err(&good));
    let text = String::from_utf8(good.stdout).unwrap();
    let read = wabridge::policy::password::PasswordHash::parse(&text).unwrap();
    assert!(read.is_of("correct horse battery"));
    assert!(!text.contains("horse"));
    let short = hash("short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(err(&short).contains("12 characters"), "{}", err(&short));
    assert!(short.stdout.is_empty());
}

#[test]
fn a_backup_is_made_beside_the_service_and_serves_in_its_place() {
    let place = Place::new(&[]);
    for n in 0..20 {
        place.service.take(&text_message(n, "15550107001", "hello"));
    }
    let before = place.inbox();
    let copy = place.setup.folder.join("copy.db");
    let name = copy.to_str().unwrap();
    check(&place.setup, &["backup", name], 0, "20 events, 0 messages");
    check(&place.setup, &["backup", name], 1, "--force to replace it");
    place
        .service
        .take(&text_message(99, "15550107001", "later"));
    check(
        &place.setup,
        &["backup", "--force", name],
        0,
        "21 events, 0 messages",
    );
    check(
        &place.setup,
        &["backup", "/nonexistent/b.db"],
        1,
        "the copy",
    );
    check(&place.setup, &["backup", "."], 1, "name a file in it");
    let own = place.setup.folder.join("wabridge.db");
    let own = own.to_str().unwrap();
    check(
        &place.setup,
        &["backup", "--force", own],
        1,
        "is the database itself",
    );
    let there = place.setup.clone().set("DATABASE_URL", name);
    let rows = there.run(&["inbox", "list", "--json"]);
    let rows = out(&rows);
    assert_eq!(rows.lines().count(), before.len() + 1, "{rows}");
    for (row, line) in before.iter().zip(rows.lines()) {
        let copied: Value = serde_json::from_str(line).unwrap();
        assert_eq!(copied["key"], row["key"]);
    }
}
