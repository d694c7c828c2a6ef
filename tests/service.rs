//! A program with wabridge in it, by its own handlers: what `wabridge::Service`
//! promises. The program is this test binary once more, as the test `bot` below.

mod support;

use std::io::Write as _;
use std::path::PathBuf;
use support::*;
use wabridge::edge::standin::{Accepted, Delays, Options, StandIn};
use wabridge::{Answer, Context, Entry, Failure, Message, Service, events};

const ANA: &str = "15550107001";

/// Set in the process that is the bot: a file for what its handlers did besides
/// answering.
const DIARY: &str = "TEST_DIARY";

/// The bot. As a test of its own it has nothing to do.
#[test]
fn bot() {
    if std::env::var_os(DIARY).is_none() {
        return;
    }
    let served = Service::from_env().and_then(|service| {
        service
            .on_message(answer)
            .on_status(|status, context| {
                note(&format!("status {:?} {}", status.status, context.attempt()));
                Answer::Pass
            })
            .run()
    });
    served.unwrap();
}

fn note(line: &str) {
    let path = std::env::var_os(DIARY).unwrap();
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path);
    writeln!(file.unwrap(), "{line}").unwrap();
}

fn answer(message: &events::Message, context: &Context) -> wabridge::Result<Answer> {
    let text = message.text().unwrap_or_default();
    note(&format!(
        "{text} {} {}",
        context.attempt(),
        context.webhook_id()
    ));
    Ok(match (text, context.attempt()) {
        ("panic", 1) => panic!("Ana's secret words"),
        ("error", 1) => return Err("Ana's order".into()),
        ("die", 1) => std::process::exit(9),
        ("dead", _) => return Err(Failure::dead("Ana's order").into()),
        ("pass", _) => Answer::Pass,
        ("person", _) => Answer::from("one moment").hand_over(),
        ("stop", _) => Answer::from("no offers").stop_marketing(),
        ("start", _) => Answer::Pass.start_marketing(),
        ("offers?", _) => context.is_marketing_stopped().to_string().into(),
        ("who", _) => who(context)?.into(),
        ("history", _) => {
            let entries = context.history(100)?;
            let texts = entries.iter().map(|entry| match entry {
                Entry::Received { .. } => format!("<{}", entry.text().unwrap_or_default()),
                Entry::Sent { .. } => format!(">{}", entry.text().unwrap_or_default()),
            });
            texts.collect::<Vec<_>>().join(" ").into()
        }
        _ => {
            log::info!("an answer is given");
            (
                message.mark_read(),
                message.reply(Message::text(format!("re {text}"))),
            )
                .into()
        }
    })
}

fn who(context: &Context) -> wabridge::Result<String> {
    let known = context.conversation()?.ok_or("nobody")?;
    let minutes = known.window_left().map(|left| left.as_secs() / 60);
    let name = known.name.unwrap_or_default();
    Ok(format!(
        "{name} {:?} {minutes:?} {}",
        known.ids, known.number
    ))
}

/// The bot between Graph and a customer.
struct Desk {
    setup: Setup,
    service: Wabridge,
    standin: StandIn,
    folder: Folder,
    written: u64,
}

impl Desk {
    fn new(settings: &[(&str, &str)]) -> Desk {
        let folder = Folder::new();
        let standin = StandIn::start(Options {
            token: TOKEN.into(),
            app_secret: APP_SECRET.into(),
            delays: Delays {
                sent: std::time::Duration::ZERO,
                ..Delays::default()
            },
            ..Options::default()
        });
        let standin = standin.unwrap();
        let diary = folder.path().join("diary");
        let setup = Setup::new(folder.path())
            .set("WHATSAPP_TOKEN", TOKEN)
            .set("GRAPH_API_URL", &standin.url())
            .set(DIARY, diary.to_str().unwrap());
        let setup = settings
            .iter()
            .fold(setup, |setup, (name, value)| setup.set(name, value));
        let service = start(&setup);
        standin.set_callback(&service.url());
        Desk {
            service,
            setup,
            standin,
            folder,
            written: 0,
        }
    }

    fn restart(&mut self) {
        self.service.wait();
        self.service = start(&self.setup);
        self.standin.set_callback(&self.service.url());
    }

    fn writes(&mut self, text: &str) {
        self.written += 1;
        self.service.take(&text_message(self.written, ANA, text));
    }

    /// What ends the service, perhaps before its 200 is written: it is stored all the same.
    fn writes_last(&mut self, text: &str) {
        self.written += 1;
        let body = text_message(self.written, ANA, text);
        if let Ok(answer) = self.service.post_at_its_end(&body) {
            assert_eq!(answer.status, 200);
        }
    }

    /// What Ana got, once it is so much.
    fn got(&self, count: usize) -> Vec<Accepted> {
        wait_until("the answers", || self.standin.accepted().len() >= count);
        self.standin.accepted()
    }

    fn texts(&self, count: usize) -> Vec<String> {
        let got = self.got(count).into_iter();
        got.map(|message| message.body["text"]["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Lines of the diary that begin so.
    fn did(&self, first: &str) -> Vec<String> {
        let diary = std::fs::read_to_string(self.folder.path().join("diary"));
        let diary = diary.unwrap_or_default();
        let lines = diary.lines().filter(|line| line.starts_with(first));
        lines.map(str::to_owned).collect()
    }
}

fn start(setup: &Setup) -> Wabridge {
    let program: PathBuf = std::env::current_exe().unwrap();
    setup.serve_program(&program, &["--exact", "bot", "--nocapture"])
}

#[test]
fn a_handlers_answers_quote_mark_and_are_logged() {
    let mut desk = Desk::new(&[]);
    desk.writes("hello");
    let got = desk.got(1);
    assert_eq!(got[0].body["text"]["body"], "re hello");
    assert!(got[0].body["context"]["message_id"].is_string());
    wait_until("the read mark", || desk.standin.receipts().len() == 1);
    wait_until("the statuses", || desk.did("status Read 1").len() == 1);
    desk.service.wait_for_log("an answer is given");
    desk.service.signal("TERM");
    assert!(desk.service.wait().success());
}

#[test]
fn what_fails_comes_again_and_is_answered_once_in_order() {
    let mut desk = Desk::new(&[]);
    for text in ["panic", "error", "last"] {
        desk.writes(text);
    }
    assert_eq!(desk.texts(3), ["re panic", "re error", "re last"]);
    for text in ["panic", "error"] {
        let did = desk.did(text);
        let ids: Vec<_> = did.iter().map(|line| line.split(' ').nth(2)).collect();
        assert_eq!(did.len(), 2, "{did:?}");
        assert_eq!(ids[0], ids[1], "the same id at each attempt");
    }
    let log = desk.service.log();
    assert!(log.contains("msg=\"panic\" at=tests/service.rs"), "{log}");
    assert!(log.contains("reason=\"the handler failed\""), "{log}");
    assert!(!log.contains("Ana"), "{log}");
}

#[test]
fn a_process_that_ends_within_a_handler_answers_once() {
    let mut desk = Desk::new(&[]);
    desk.writes_last("die");
    desk.restart();
    desk.writes("after");
    assert_eq!(desk.texts(2), ["re die", "re after"]);
    assert_eq!(desk.did("die").len(), 2);
}

#[test]
fn a_dead_letter_tells_the_operator_why() {
    let mut desk = Desk::new(&[]);
    desk.writes("dead");
    desk.writes("after");
    assert_eq!(desk.texts(1), ["re after"]);
    let rows = desk
        .setup
        .json(&["inbox", "list", "--state", "dead", "--json"]);
    let error = rows[0]["error"].as_str().unwrap();
    assert_eq!(error, "the handler failed: Ana's order");
}

#[test]
fn a_handler_can_want_a_person_and_keep_a_word_about_marketing() {
    let mut desk = Desk::new(&[]);
    for text in ["offers?", "stop", "offers?", "start", "offers?"] {
        desk.writes(text);
    }
    assert_eq!(desk.texts(4), ["false", "no offers", "true", "false"]);
    desk.writes("person");
    assert_eq!(desk.texts(5)[4], "one moment");
    desk.writes("unheard");
    let skipped = || {
        let rows = desk.setup.json(&["inbox", "list", "--json"]);
        let mut errors = rows.iter().filter_map(|row| row["error"].as_str());
        errors.any(|error| error.contains("taken over (bot)"))
    };
    wait_until("it to be passed over", skipped);
    assert!(desk.did("unheard").is_empty());
}

#[test]
fn rules_come_first_the_app_last_and_handlers_stay_at_a_reload() {
    let app = App::start(|received| match received.text() {
        "pass" => says(
            200,
            r#"{"messages":[{"type":"text","text":{"body":"by the app"}}]}"#,
        ),
        _ => says(200, ""),
    });
    let folder = Folder::new();
    let rules = folder.path().join("rules.toml");
    let rule = |reply: &str| format!("[[rule]]\ntext = \"rule\"\nreply = \"{reply}\"\n");
    std::fs::write(&rules, rule("by rule")).unwrap();
    let mut desk = Desk::new(&[
        ("RULES_FILE", rules.to_str().unwrap()),
        ("FORWARD_URL", &app.url()),
    ]);
    for text in ["rule", "hello", "pass"] {
        desk.writes(text);
    }
    assert_eq!(desk.texts(3), ["by rule", "re hello", "by the app"]);
    std::fs::write(&rules, rule("anew")).unwrap();
    desk.service.signal("HUP");
    desk.service.wait_for_log("settings and rules read anew");
    for text in ["rule", "hello"] {
        desk.writes(text);
    }
    assert_eq!(desk.texts(5)[3..], ["anew", "re hello"]);
}

#[test]
fn a_handler_knows_whom_it_talks_to_and_what_was_said() {
    let mut desk = Desk::new(&[]);
    for text in ["one", "two", "who", "history"] {
        desk.writes(text);
    }
    let texts = desk.texts(4);
    let number = desk.got(4)[0].number.clone();
    let known = &texts[2];
    assert!(known.contains(ANA) && known.ends_with(&number), "{known}");
    // Each in its turn: what was written before, and what was answered to that.
    let mut said: Vec<_> = texts[3]
        .split(" >")
        .flat_map(|part| part.split(" <"))
        .collect();
    said.sort_unstable();
    let who = texts[2].clone();
    for part in ["re one", "re two", &who] {
        assert!(texts[3].contains(part), "{said:?}");
    }
    assert!(texts[3].starts_with("<one"), "{}", texts[3]);
    assert!(!texts[3].contains("history"));
}

#[test]
fn mistakes_are_told_by_main_all_at_once() {
    let error: wabridge::Error = Service::with([("LISTEN", "here")]).err().unwrap();
    let said = format!("{error:?}");
    for part in [
        "3 problems",
        "LISTEN",
        "APP_SECRET is not set",
        "VERIFY_TOKEN is not set",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let _: &dyn std::error::Error = &error;
}
