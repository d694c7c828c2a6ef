//! `wabridge demo`: the whole loop on this machine, a stand-in in Graph's place.

mod own;

use super::{Failure, Outcome, output};
use crate::config::{self, Config, LogFormat, Sources};
use crate::edge::serve::{Running, listen_for_signals, run_until_signal};
use crate::edge::standin::{Delays, Happening, Number, Options, StandIn, Witness};
use crate::edge::{clock, log as log_lines};
use crate::gateway::{inbox, outbox};
use crate::handler::rules::Rules;
use crate::policy::ladder::SendState;
use crate::policy::password::PasswordHash;
use crate::store::tx::MessageFilter;
use crate::store::{Access, Database};
use crate::wire::outgoing::is_mark;
use crate::wire::sample::{self, Sample};
use crate::wire::signature::hex;
use lexopt::{Arg, Parser};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub const HELP: &str = "\
Shows the whole loop on this machine: customers write, wabridge stores and answers, and a built-in
stand-in for Graph delivers. No account, no settings; nothing leaves this machine.

Usage: wabridge demo [--once]
       wabridge demo -- COMMAND [ARGUMENTS]

Prints the conversation as it happens, addresses to try, and a curl line. Runs until Ctrl-C.

--once      plays one round, checks that every message was answered and every answer was read, and
            exits with 0 or 1
-- COMMAND  a bot of your own: starts that program with the settings to run against the stand-in
            (a program with wabridge in it, or `wabridge serve` with your settings), and you write
            as its customer, a line a message; the number before a button or row taps it
";

/// The bot: the example that ships with wabridge.
const RULES: &str = include_str!("../../examples/rules.toml");

/// What customers write: (who, phone, text).
const SCRIPT: &[(&str, &str, &str)] = &[
    ("Ana", "15550107001", "Hello"),
    ("Ben", "15550107002", "Hi"),
    ("Ana", "15550107001", "menu"),
    ("Chioma", "15550107003", "Where is order 4711?"),
    ("Ben", "15550107002", "Do you have bicycles?"),
    ("Ana", "15550107001", "Opening hours"),
];

/// More rows than a demo ever makes.
const ALL: usize = 100_000;

/// One round must be through by then, on the slowest machine.
const ROUND_MAX: Duration = Duration::from_secs(30);

pub fn run(mut parser: Parser) -> Outcome {
    let mut once = false;
    let mut command = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("once") => once = true,
            // A program's name; what follows is its own.
            Arg::Value(program) => {
                command.push(program);
                command.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    log_lines::start(log::LevelFilter::Warn.into(), LogFormat::Text, &[]);
    if !command.is_empty() {
        return match once {
            true => Err(Failure::Misused(
                "--once plays the demo's own round: leave it out to talk to a bot of yours".into(),
            )),
            false => own::run(&command),
        };
    }
    let stage = Stage::build()?;
    match once {
        true => stage.play_once(),
        false => stage.play_on(),
    }
}

/// A stand-in that knows one number, and delivers at a pace that can be watched.
fn start_standin(token: &str, secret: &str, witness: Witness) -> std::io::Result<StandIn> {
    let sample = Sample::default();
    StandIn::start(Options {
        token: token.into(),
        app_secret: secret.into(),
        numbers: vec![Number {
            id: sample.number.into(),
            display: sample.display.into(),
            waba: sample.waba.into(),
        }],
        delays: Delays {
            sent: Duration::from_millis(150),
            delivered: Duration::from_millis(250),
            read: Duration::from_millis(400),
            ..Delays::default()
        },
        seed: u64::from_le_bytes(clock::random()),
        witness: Some(witness),
        ..Options::default()
    })
}

/// A folder of our own, for the database: gone with the demo, however it ends.
struct Folder(PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that cannot be removed is the temporary folder's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder() -> std::io::Result<Folder> {
    let name = format!("wabridge-demo-{}", hex(&clock::random::<6>()));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder)?;
    Ok(Folder(folder))
}

/// Everything the demo is made of.
struct Stage {
    config: Config,
    standin: Arc<StandIn>,
    service: Mutex<Option<Running>>,
    /// After the service in this list: it goes last.
    _folder: Folder,
    webhook: String,
    /// Where the console is.
    console: String,
    password: String,
    secret: String,
}

impl Stage {
    fn build() -> Result<Stage, Failure> {
        let secret = hex(&clock::random::<16>());
        let token = hex(&clock::random::<16>());
        let folder = folder()?;
        let names: Names = Arc::default();
        let witness = Box::new(move |happening: &Happening| narrate(&names, happening));
        let standin = start_standin(&token, &secret, witness)?;
        let database = folder.path().join("wabridge.db");
        let rules_file = folder.path().join("rules.toml");
        std::fs::write(&rules_file, RULES)?;
        let password = hex(&clock::random::<8>());
        let hash = PasswordHash::new(&password, clock::random()).map_err(Failure::because)?;
        let sources = Sources::from_pairs([
            ("VERIFY_TOKEN", "demo"),
            ("APP_SECRET", &secret),
            ("WHATSAPP_TOKEN", &token),
            ("GRAPH_API_URL", &standin.url()),
            ("LISTEN", "127.0.0.1:0"),
            ("OPERATOR_LISTEN", "127.0.0.1:0"),
            ("SESSION_SECRET", &hex(&clock::random::<32>())),
            ("CONSOLE_PASSWORD_HASH", &hash.to_text()),
            ("DATABASE_URL", &database.to_string_lossy()),
            ("RULES_FILE", &rules_file.to_string_lossy()),
        ]);
        let config = config::load(&sources).map_err(|all| super::problems_said(&all))?;
        let rules = Rules::load(&rules_file).map_err(Failure::because)?;
        let service = Running::start(&config, vec![Box::new(rules)]).map_err(Failure::because)?;
        let webhook = format!("http://{}{}", service.address(), config.webhook_path);
        standin.set_callback(&webhook);
        let operator = service.operator_address();
        let console = operator.map_or(String::new(), |at| format!("http://{at}/console"));
        Ok(Stage {
            config,
            console,
            password,
            standin: Arc::new(standin),
            service: Mutex::new(Some(service)),
            _folder: folder,
            webhook,
            secret,
        })
    }

    /// One round, checked.
    fn play_once(&self) -> Outcome {
        for (name, phone, text) in SCRIPT {
            write_message(&self.standin, name, phone, text)?;
        }
        let answered = self.standin.wait_accepted(SCRIPT.len(), ROUND_MAX);
        let read = answered && self.standin.wait_statuses(ROUND_MAX);
        let verdict = self.verdict();
        self.stop();
        match (read, verdict?) {
            (true, None) => {
                let n = SCRIPT.len();
                output::print(&format!(
                    "\nall well: {n} messages came in, each was answered, each answer was read\n"
                ));
                Ok(())
            }
            (_, Some(trouble)) => Err(Failure::says(trouble)),
            (false, None) => Err(Failure::says("not every message was answered in time")),
        }
    }

    /// What the store says of the round: `None` when all is as it should be.
    fn verdict(&self) -> Result<Option<String>, Failure> {
        let database = Database::open(&self.config.database, Access::Visit)?;
        let events = database.read(|tx| inbox::newest(tx, &inbox::Filter::default(), ALL))?;
        let messages = database.read(|tx| outbox::newest(tx, &MessageFilter::default(), ALL))?;
        let is_message = |row: &&inbox::InboxRow| row.event.type_ == "text";
        let texts: Vec<_> = events.iter().filter(is_message).collect();
        if texts.len() != SCRIPT.len() {
            return Ok(Some(format!(
                "{} messages are stored instead of {}",
                texts.len(),
                SCRIPT.len()
            )));
        }
        for row in texts {
            let answers: Vec<_> = messages
                .iter()
                .filter(|m| m.message.cause == Some(row.event.id) && !is_mark(&m.message.type_))
                .collect();
            if answers.is_empty() {
                return Ok(Some(format!("event {} was not answered", row.event.id)));
            }
            if let Some(open) = answers.iter().find(|m| m.message.state != SendState::Read) {
                let (id, state) = (open.message.id, open.message.state.as_str());
                return Ok(Some(format!("answer {id} is {state}, not read")));
            }
        }
        Ok(None)
    }

    /// Round after round until Ctrl-C.
    fn play_on(&self) -> Outcome {
        let signals = listen_for_signals()?;
        self.introduce();
        let standin = Arc::clone(&self.standin);
        thread::Builder::new()
            .name("customers".into())
            .spawn(move || {
                for (name, phone, text) in SCRIPT.iter().cycle() {
                    if write_message(&standin, name, phone, text).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_secs(4));
                }
            })?;
        if let Some(service) = self.service().take() {
            run_until_signal(service, signals, |_| {})?;
        }
        Ok(())
    }

    fn introduce(&self) {
        let body = sample::notification(
            "text",
            &Sample {
                name: "You",
                text: "menu",
                from: "15550107009",
                user_id: Some(&sample::bsuid("15550107009")),
                id: &sample::wamid(u64::from_le_bytes(clock::random()), "15550107009"),
                timestamp: clock::now_ms() / 1_000,
                ..Sample::default()
            },
        )
        .unwrap_or_default();
        let signature = self
            .config
            .hub_keys
            .sign(body.as_bytes())
            .unwrap_or_default();
        let (webhook, secret) = (&self.webhook, &self.secret);
        let (console, password) = (&self.console, &self.password);
        let database = self.config.database.display();
        let health = webhook.replace(&self.config.webhook_path, "/healthz");
        let program = as_called(std::env::args_os().next());
        output::print(&format!(
            "\
The whole loop on this machine. Customers write, wabridge stores and answers by
examples/rules.toml, and a stand-in for Graph delivers. Ctrl-C ends it.

  console   {console} (the password: {password})
  webhook   {webhook}
  health    {health}
  Graph     {} (the stand-in)
  store     {database}

Write something yourself, from another terminal:

  APP_SECRET={secret} {program} simulate \"menu\" --name You --from 15550107009 --url {webhook}

The same with curl (a second time it is a duplicate, answered 200 and not handled again):

  curl -i {webhook} -H 'Content-Type: application/json' \\
    -H 'X-Hub-Signature-256: {signature}' \\
    -d '{body}'

Meta's handshake, and what is stored:

  curl '{webhook}?hub.mode=subscribe&hub.verify_token=demo&hub.challenge=1158201444'
  DATABASE_URL={database} {program} inbox list

",
            self.standin.url()
        ));
    }

    fn stop(&self) {
        if let Some(service) = self.service().take() {
            service.stop();
        }
    }

    fn service(&self) -> MutexGuard<'_, Option<Running>> {
        self.service.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn write_message(standin: &StandIn, name: &str, phone: &str, text: &str) -> Outcome {
    tell(standin, "text", name, phone, text, None)
}

/// A customer sends a message of a kind; of a tap, `text` is what was tapped and
/// `choice` its id.
fn tell(
    standin: &StandIn,
    kind: &str,
    name: &str,
    phone: &str,
    text: &str,
    choice: Option<&str>,
) -> Outcome {
    let sample = Sample {
        name,
        text,
        from: phone,
        user_id: Some(&sample::bsuid(phone)),
        id: &sample::wamid(u64::from_le_bytes(clock::random()), phone),
        timestamp: clock::now_ms() / 1_000,
        choice,
        ..Sample::default()
    };
    say(&format!("{name:>8} → {text}"));
    let body = sample::notification(kind, &sample).unwrap_or_default();
    standin.deliver(&body).map_err(Failure::because)?;
    Ok(())
}

/// Whom a message went to, by wamid.
type Names = Arc<Mutex<HashMap<String, String>>>;

fn narrate(names: &Names, happening: &Happening) {
    match happening {
        Happening::Accepted {
            wamid,
            to,
            kind,
            text,
            ..
        } => {
            let script = SCRIPT.iter().find(|(_, phone, _)| phone == to);
            let name = script.map_or("You", |row| row.0);
            if let Ok(mut names) = names.lock() {
                names.insert(wamid.clone(), name.to_owned());
            }
            let text = text.clone().unwrap_or_else(|| format!("({kind})"));
            say(&format!("{name:>8} ← {text}"));
        }
        Happening::Status { wamid, status, .. } => {
            let name = names
                .lock()
                .ok()
                .and_then(|names| names.get(wamid).cloned());
            say(&format!("{:>8}   {status}", name.unwrap_or_default()));
        }
        Happening::Refused { code, .. } => say(&format!("{:>8}   refused with {code}", "Graph")),
        Happening::Read(_) | Happening::Lost { .. } | Happening::NotAcknowledged { .. } => {}
    }
}

fn say(line: &str) {
    let one_line = line.replace('\n', " / ");
    output::print(&format!("{}\n", output::inert(&one_line)));
}

/// How to call this program again from the same folder: as it was called, since
/// under `cargo run` there is no `wabridge` to be found by name. A path that a
/// shell would take apart is left out.
fn as_called(program: Option<OsString>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    program
        .and_then(|program| program.into_string().ok())
        .filter(|program| !program.is_empty() && program.bytes().all(plain))
        .unwrap_or_else(|| "wabridge".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_try_call_the_program_as_it_was_called() {
        let check = |called: &str, line: &str| {
            assert_eq!(as_called(Some(called.into())), line, "{called:?}");
        };
        check("wabridge", "wabridge");
        check("target/release/wabridge", "target/release/wabridge");
        check("/home/me/my code/wabridge", "wabridge");
        check("$(date)", "wabridge");
        check("", "wabridge");
        assert_eq!(as_called(None), "wabridge");
    }
}
