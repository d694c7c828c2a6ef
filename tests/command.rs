//! The program that is run for each event: what it is given, what its end does,
//! and that nothing is left of it.

mod support;

use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::*;
use wabridge::edge::standin::StandIn;

const ANA: &str = "15550107001";
const BEN: &str = "15550107002";

/// A shell script that is run for each event; `$FOLDER` is the test's folder.
/// It is read by a shell that is named, not run by its own name: while tests
/// start processes all the time, the latter may fail as "text file busy".
fn written(folder: &Path, script: &str) -> String {
    let path = folder.join("handler.sh");
    let script = format!("FOLDER='{}'\n{script}\n", folder.display());
    std::fs::write(&path, script).unwrap();
    format!("sh '{}'", path.display())
}

/// A service with that script, and a stand-in for Graph.
struct Stage {
    place: Place,
    standin: StandIn,
}

impl Stage {
    fn new(script: &str, settings: &[(&str, &str)]) -> Stage {
        let folder = Folder::new();
        let standin = graph();
        let least = Setup::new(folder.path())
            .set("HANDLER_COMMAND", &written(folder.path(), script))
            .set("GRAPH_API_URL", &standin.url())
            .set("WHATSAPP_TOKEN", TOKEN)
            .set("PATH", &std::env::var("PATH").unwrap());
        let setup = settings
            .iter()
            .fold(least, |setup, (name, value)| setup.set(name, value));
        let place = Place {
            service: setup.serve(),
            setup,
            folder,
        };
        standin.set_callback(&place.service.url());
        Stage { place, standin }
    }

    fn take(&self, n: u64, from: &str, text: &str) -> String {
        let body = text_message(n, from, text);
        self.place.service.take(&body);
        body
    }

    /// What a script has written, or nothing yet.
    fn read(&self, name: &str) -> String {
        let path = self.place.folder.path().join(name);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn errors(&self) -> Vec<String> {
        let rows = self.place.inbox();
        let error = |row: &Value| row["error"].as_str().unwrap_or_default().to_owned();
        rows.iter().map(error).collect()
    }

    /// Waits until a process whose number a script has written is gone.
    fn wait_gone(&self, name: &str) {
        let pid = self.read(name).trim().to_owned();
        assert!(!pid.is_empty(), "{name} names no process");
        let stat = format!("/proc/{pid}/stat");
        let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        wait_until("it is gone", || !runs());
    }
}

#[test]
fn it_reads_the_event_and_what_it_writes_is_sent_in_order() {
    let stage = Stage::new(
        r#"cat > "$FOLDER/event"; echo run >> "$FOLDER/runs"
        echo '{"messages":[{"type":"read"},{"text":{"body":"1"}},{"text":{"body":"2"}}]}'"#,
        &[],
    );
    let body = stage.take(1, ANA, "first é/");
    assert!(stage.standin.wait_accepted(2, PATIENCE));
    assert_eq!(stage.read("event"), body);
    let accepted = stage.standin.accepted();
    let said: Vec<_> = accepted.iter().map(|a| &a.body["text"]["body"]).collect();
    assert_eq!(said, ["1", "2"]);
    assert!(accepted.iter().all(|a| a.to == ANA));
    assert!(stage.standin.wait_statuses(PATIENCE));
    stage.place.wait_outbox("accepted read read");
    // It is run for messages: not for the statuses, nor for what another app has in hand.
    let standby =
        text_message(2, BEN, "hello").replace(r#""field":"messages""#, r#""field":"standby""#);
    assert!(standby.contains("standby"));
    stage.place.service.take(&standby);
    wait_until("all is done", || {
        let states = stage.place.inbox_words("state");
        states.split(' ').all(|state| state == "done")
    });
    assert_eq!(stage.read("runs"), "run\n");
}

#[test]
fn it_is_run_for_other_events_where_that_is_asked_for() {
    let stage = Stage::new(
        r#"echo "$WABRIDGE_KIND" >> "$FOLDER/kinds"
        case $WABRIDGE_KIND in message) echo '{"messages":[{"text":{"body":"1"}}]}';; esac"#,
        &[("HANDLER_KINDS", "all")],
    );
    stage.take(1, ANA, "hello");
    assert!(stage.standin.wait_statuses(PATIENCE));
    stage
        .place
        .service
        .take(&notification("template-status", 2));
    stage.place.wait_inbox("done done done done done");
    let kinds = stage.read("kinds");
    let mut kinds: Vec<&str> = kinds.lines().collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["message", "other", "status", "status", "status"]);
}

#[test]
fn it_sees_a_few_facts_and_none_of_our_secrets_or_files() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new();
    let script = r#"env > "$FOLDER/env"; ls -l /proc/self/fd > "$FOLDER/fds"; pwd > "$FOLDER/pwd"
        echo $0 "$@" > "$FOLDER/args""#;
    let command = format!(
        "{} one 'two words' \"\" last",
        written(folder.path(), script)
    );
    let path = std::env::var("PATH").unwrap();
    let setup = Setup::new(folder.path())
        .set("HANDLER_COMMAND", &command)
        .set("WHATSAPP_TOKEN", TOKEN)
        .set("SESSION_SECRET", "0123456789abcdef0123456789abcdef")
        .set("HOME", "/root")
        .set("TZ", "America/Lima")
        .set("PATH", &path);
    let service = setup.serve_on(&socket);
    service.take(&text_message(1, ANA, "hello"));
    let place = Place {
        service,
        setup,
        folder,
    };
    place.wait_inbox("done");
    let read = |name: &str| std::fs::read_to_string(place.folder.path().join(name)).unwrap();
    let environment = read("env");
    let mut names: Vec<&str> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        // The shell's own.
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    names.sort_unstable();
    let facts = ["ATTEMPT", "KIND", "WEBHOOK_ID"].map(|name| format!("WABRIDGE_{name}"));
    let expected: Vec<&str> = ["LANG", "PATH", "TZ"]
        .into_iter()
        .chain(facts.iter().map(String::as_str))
        .collect();
    assert_eq!(names, expected, "{environment}");
    for line in [
        "LANG=C.UTF-8",
        "TZ=America/Lima",
        "WABRIDGE_ATTEMPT=1",
        "WABRIDGE_KIND=message",
    ] {
        assert!(
            environment.lines().any(|found| found == line),
            "{environment}"
        );
    }
    assert!(environment.contains("WABRIDGE_WEBHOOK_ID=msg_"));
    for secret in [APP_SECRET, VERIFY_TOKEN, TOKEN, "0123456789abcdef"] {
        assert!(!environment.contains(secret), "{environment}");
    }
    // What the service was given itself may be there too; what it has opened is not.
    let fds = read("fds");
    assert!(fds.contains(" 0 -> pipe:"), "{fds}");
    for ours in ["socket:", "wabridge.db", "anon_inode"] {
        assert!(!fds.contains(ours), "{fds}");
    }
    let here = std::fs::canonicalize(place.folder.path()).unwrap();
    assert_eq!(read("pwd").trim(), here.to_string_lossy());
    assert!(read("args").ends_with("handler.sh one two words  last\n"));
}

#[test]
fn each_exit_does_what_is_promised_and_says_why() {
    let stage = Stage::new(
        r#"case $(cat) in
            *'"done"'*) exit 0;;
            *'"later"'*) echo "no database" >&2; test $WABRIDGE_ATTEMPT -gt 1 || exit 75;;
            *'"killed"'*) test $WABRIDGE_ATTEMPT -gt 1 || kill -KILL $$;;
            *'"never"'*) echo "no such order" >&2; exit 3;;
            *'"garbage"'*) echo "hello";;
            *) exit 4;;
        esac"#,
        &[],
    );
    for (n, text) in ["done", "later", "killed", "never", "garbage"]
        .iter()
        .enumerate()
    {
        stage.take(n as u64, ANA, text);
    }
    stage.place.wait_inbox("done done done dead done");
    assert_eq!(stage.place.inbox_words("attempts"), "1 2 2 1 1");
    let error = &stage.errors()[3];
    assert_eq!(error, "the command failed with exit code 3: no such order");
    let log = stage.place.service.log();
    assert!(
        log.contains("exit code 3") && log.contains("by signal 9"),
        "{log}"
    );
    assert!(log.contains("the command's answer is no JSON"), "{log}");
    assert!(
        !log.contains("no such order") && !log.contains("no database"),
        "{log}"
    );
    assert_eq!(stage.place.outbox().len(), 0);
}

#[test]
fn where_exit_codes_are_not_kept_the_log_says_what_to_mend() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path())
        .set("HANDLER_COMMAND", "sh -c 'exit 0'")
        .set("PATH", &std::env::var("PATH").unwrap());
    // Not every shell lets that signal be ignored.
    let script = r#"exec bash -c "trap '' CHLD; exec \"\$0\" serve" "$0""#;
    let mut service = setup.serve_in_shell(script, std::process::Stdio::null());
    service.take(&text_message(1, ANA, "hello"));
    let line = service.wait_for_log("event not delivered");
    assert!(line.contains("ignore SIGCHLD"), "{line}");
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_it_started() {
    let stage = Stage::new(
        r#"test $WABRIDGE_ATTEMPT -gt 1 && exit 0
        trap '' TERM
        echo $$ > "$FOLDER/pid"
        (trap '' TERM; sleep 600 & echo $! > "$FOLDER/grandchild"; wait)"#,
        &[("HANDLER_TIMEOUT", "1s")],
    );
    stage.take(1, ANA, "hello");
    stage.place.wait_inbox("done");
    assert_eq!(stage.place.inbox_words("attempts"), "2");
    assert!(stage.place.service.log().contains("HANDLER_TIMEOUT"));
    stage.wait_gone("pid");
    stage.wait_gone("grandchild");
}

#[test]
fn too_long_an_answer_is_a_dead_letter() {
    let stage = Stage::new("cat >/dev/null; cat /dev/zero", &[]);
    stage.take(1, ANA, "hello");
    stage.take(2, BEN, "hello");
    stage.place.wait_inbox("dead dead");
    assert_eq!(stage.errors()[0], "the command's answer is over 1 MiB");
}

#[test]
fn no_more_of_it_run_at_once_than_may() {
    let stage = Stage::new(
        r#"mkdir "$FOLDER/running.$$"
        ls -d "$FOLDER"/running.* | wc -l >> "$FOLDER/counts"
        sleep 0.3
        rmdir "$FOLDER/running.$$""#,
        &[("HANDLER_CONCURRENCY", "2")],
    );
    for n in 0..8 {
        stage.take(n, &format!("155501071{n:02}"), "hello");
    }
    stage.place.wait_inbox(&["done"; 8].join(" "));
    let counts = stage.read("counts");
    let most = counts
        .lines()
        .map(|line| line.trim().parse::<u32>().unwrap());
    assert_eq!(most.max(), Some(2), "{counts}");
}

#[test]
fn one_that_is_gone_is_asked_for_seldom_and_all_is_done_when_it_is_back() {
    let folder = Folder::new();
    let (bot, away) = (folder.path().join("bot"), folder.path().join("away"));
    std::fs::write(&bot, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&bot, std::fs::Permissions::from_mode(0o755)).unwrap();
    let setup = Setup::new(folder.path()).set("HANDLER_COMMAND", "./bot");
    let place = Place {
        service: setup.serve(),
        setup,
        folder,
    };
    std::fs::rename(&bot, &away).unwrap();
    for n in 0..20 {
        place
            .service
            .take(&text_message(n, &format!("155501071{n:02}"), "hello"));
    }
    wait_until("the breaker opens", || {
        place.queue("deliver")["failures"].as_i64() >= Some(6)
    });
    let rows = place.inbox();
    let attempts: i64 = rows.iter().filter_map(|row| row["attempts"].as_i64()).sum();
    assert!(attempts <= 12, "{attempts} attempts were burnt");
    assert!(
        place
            .service
            .log()
            .contains("the command cannot be started")
    );
    std::fs::rename(&away, &bot).unwrap();
    place.wait_inbox(&["done"; 20].join(" "));
}

#[test]
fn a_stop_ends_it_and_its_event_is_taken_up_again() {
    let mut stage = Stage::new(
        r#"test -e "$FOLDER/pid" && exit 0
        trap '' TERM
        echo $$ > "$FOLDER/pid"
        sleep 600"#,
        &[("HANDLER_TIMEOUT", "600s")],
    );
    stage.take(1, ANA, "hello");
    wait_until("it runs", || !stage.read("pid").trim().is_empty());
    // Also when it runs by settings that are no longer in force.
    stage.place.service.signal("HUP");
    stage.place.service.wait_for_log("read anew");
    stage.place.service.signal("TERM");
    assert_eq!(stage.place.service.wait().code(), Some(0));
    stage.wait_gone("pid");
    stage.place.service = stage.place.setup.serve();
    stage.place.wait_inbox("done");
}

#[test]
fn a_crash_runs_it_again_and_its_replies_go_out_once() {
    let mut stage = Stage::new(
        r#"echo "$WABRIDGE_WEBHOOK_ID $WABRIDGE_ATTEMPT" >> "$FOLDER/runs"
        test $WABRIDGE_ATTEMPT -gt 1 || sleep 2
        echo '{"messages":[{"text":{"body":"hi"}}]}'"#,
        &[],
    );
    stage.take(1, ANA, "hello");
    wait_until("it runs", || stage.read("runs").lines().count() == 1);
    stage.place.crash();
    stage.standin.set_callback(&stage.place.service.url());
    assert!(stage.standin.wait_accepted(1, PATIENCE));
    stage.place.wait_outbox("read");
    assert_eq!(stage.standin.accepted().len(), 1);
    let runs = stage.read("runs");
    let ids: Vec<_> = runs.lines().filter_map(|run| run.split_once(' ')).collect();
    assert_eq!(ids.len(), 2, "{runs}");
    assert_eq!(ids[0].0, ids[1].0);
    assert_eq!((ids[0].1, ids[1].1), ("1", "2"));
}

#[test]
fn it_is_told_of_a_message_that_came_hours_late_or_not_even_run() {
    let script = r#"echo "${WABRIDGE_STALE:-in time}" >> "$FOLDER/stale""#;
    for (on_stale, expected) in [
        ("mark", "in time\nlate\nin time\n"),
        ("deliver", "in time\nin time\nin time\n"),
        ("skip", "in time\nin time\n"),
    ] {
        let stage = Stage::new(script, &[("ON_STALE", on_stale), ("STALE_AFTER", "2h")]);
        stage.take(1, ANA, "hello");
        let late = text_message(2, ANA, "hello")
            .replace(&now_s().to_string(), &(now_s() - 3 * 3_600).to_string());
        stage.place.service.take(&late);
        stage.take(3, ANA, "hello");
        stage.place.wait_inbox("done done done");
        let told = stage.read("stale");
        let lines = told.lines().map(|line| match line.parse::<i64>() {
            Ok(age) if (10_800..10_900).contains(&age) => "late\n",
            _ if line == "in time" => "in time\n",
            _ => panic!("{line}"),
        });
        assert_eq!(lines.collect::<String>(), expected, "{on_stale}");
        let why = &stage.errors()[1];
        assert_eq!(why.contains("180 min"), on_stale == "skip", "{why}");
    }
}

#[test]
fn rules_are_asked_first_and_it_gets_the_rest() {
    let rules = Folder::new();
    let path = rules.path().join("rules.toml");
    std::fs::write(&path, "[[rule]]\ntext = \"hi\"\nreply = \"rule\"\n").unwrap();
    let stage = Stage::new(
        r#"echo '{"messages":[{"text":{"body":"program"}}]}'"#,
        &[("RULES_FILE", path.to_str().unwrap())],
    );
    stage.take(1, ANA, "Hi");
    stage.take(2, ANA, "order 7");
    assert!(stage.standin.wait_accepted(2, PATIENCE));
    let accepted = stage.standin.accepted();
    let said: Vec<_> = accepted.iter().map(|a| &a.body["text"]["body"]).collect();
    assert_eq!(said, ["rule", "program"]);
}

#[test]
fn what_it_says_is_shown_at_debug_only_and_on_one_line() {
    let stage = Stage::new(
        r#"printf 'Ana wrote "hi"\nfrom 1555\n' >&2"#,
        &[("LOG_LEVEL", "debug")],
    );
    stage.take(1, ANA, "hello");
    stage.place.wait_inbox("done");
    let log = stage.place.service.log();
    let line = log.lines().find(|line| line.contains("Ana wrote")).unwrap();
    assert!(line.contains("DEBUG"), "{line}");
    assert!(
        line.contains(r#"said="Ana wrote \"hi\"\nfrom 1555""#),
        "{line}"
    );
}

#[test]
fn a_program_that_is_not_there_is_said_at_the_start() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path());
    let cases = [
        ("no-such-bot", "there is no program no-such-bot in"),
        ("/no/such/bot", "there is no /no/such/bot"),
        ("bot | tee log", "sh -c"),
    ];
    for (command, said) in cases {
        let setup = setup.clone().set("HANDLER_COMMAND", command);
        for verb in ["serve", "check"] {
            let output = setup.run(&[verb]);
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert_eq!(output.status.code(), Some(1), "{verb} {command}: {text}");
            assert!(text.contains(said), "{verb} {command}: {text}");
        }
    }
    let fine = setup.set("HANDLER_COMMAND", "sh bot.sh").run(&["check"]);
    let text = String::from_utf8_lossy(&fine.stdout).into_owned();
    assert!(
        fine.status.success() && text.contains("ok     command: sh"),
        "{text}"
    );
}

/// The script in `examples` is the first that many will try.
#[test]
fn the_example_answers() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/handler.py");
    let command = format!("python3 '{example}'");
    let stage = Stage::new("", &[("HANDLER_COMMAND", &command)]);
    stage.take(1, ANA, "hello");
    stage.place.service.take(&notification("image", 2));
    assert!(
        stage.standin.wait_accepted(2, PATIENCE),
        "{:?}",
        stage.errors()
    );
    let accepted = stage.standin.accepted();
    let said: Vec<_> = accepted.iter().map(|a| &a.body["text"]["body"]).collect();
    assert_eq!(said, ["You said: hello", "I can read texts only."]);
}

/// A customer's message of another kind.
fn notification(kind: &str, n: u64) -> String {
    use wabridge::wire::sample::{self, Sample};
    let sample = Sample {
        from: ANA,
        id: &sample::wamid(n, ANA),
        timestamp: now_s(),
        ..Sample::default()
    };
    sample::notification(kind, &sample).unwrap()
}
