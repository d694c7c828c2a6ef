//! The command line: one file a verb.

mod backup;
mod check;
mod demo;
mod findings;
mod folders;
mod forget;
mod handover;
mod hash_password;
mod inbox;
mod marketing;
mod outbox;
mod output;
mod prune;
mod register;
mod rules;
mod send;
mod serve;
mod simulate;
mod status;
mod window;

use crate::config::{Problem, Sources, listing};
use crate::service::Chain;
use crate::store::{Access, Database, StoreError};
use lexopt::{Arg, Parser, ValueExt};
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// One verb: its name, a line for the overview, its help, and what runs it.
struct Command {
    name: &'static str,
    summary: &'static str,
    help: fn() -> String,
    run: fn(Parser) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        summary: "run the service (also without a command)",
        help: || serve::HELP.into(),
        run: serve::run,
    },
    Command {
        name: "demo",
        summary: "the whole loop on this machine, no account needed",
        help: || demo::HELP.into(),
        run: demo::run,
    },
    Command {
        name: "check",
        summary: "what is wrong here, or at Meta (--online), and how to mend it",
        help: || check::HELP.into(),
        run: check::run,
    },
    Command {
        name: "register",
        summary: "has Meta send notifications here: address and subscriptions",
        help: || register::HELP.into(),
        run: register::run,
    },
    Command {
        name: "rules",
        summary: "which rule answers a message, and with what: test",
        help: || rules::HELP.into(),
        run: rules::run,
    },
    Command {
        name: "simulate",
        summary: "send signed sample notifications, as Meta would",
        help: simulate::help,
        run: simulate::run,
    },
    Command {
        name: "send",
        summary: "send a message through the running service",
        help: || send::HELP.into(),
        run: send::run,
    },
    Command {
        name: "inbox",
        summary: "events that came in: list, show, replay, drop",
        help: || inbox::HELP.into(),
        run: inbox::run,
    },
    Command {
        name: "outbox",
        summary: "messages that go out: list, show, retry, hold, cancel",
        help: || outbox::HELP.into(),
        run: outbox::run,
    },
    Command {
        name: "window",
        summary: "how long anything but a template may be sent to a person",
        help: || window::HELP.into(),
        run: window::run,
    },
    Command {
        name: "take",
        summary: "take a conversation over from your rules or app",
        help: || handover::TAKE_HELP.into(),
        run: handover::take,
    },
    Command {
        name: "give",
        summary: "give a conversation back to them",
        help: || handover::GIVE_HELP.into(),
        run: handover::give,
    },
    Command {
        name: "status",
        summary: "depths, oldest, rates, halts",
        help: || status::HELP.into(),
        run: status::run,
    },
    Command {
        name: "backup",
        summary: "a copy of the database, while the service runs",
        help: || backup::HELP.into(),
        run: backup::run,
    },
    Command {
        name: "prune",
        summary: "take out what is old and done with: by hand, now",
        help: || prune::HELP.into(),
        run: prune::run,
    },
    Command {
        name: "forget",
        summary: "take everything about a person out",
        help: || forget::HELP.into(),
        run: forget::run,
    },
    Command {
        name: "marketing",
        summary: "whether a person wants marketing: stop, start",
        help: || marketing::HELP.into(),
        run: marketing::run,
    },
    Command {
        name: "hash-password",
        summary: "the hash of the operator page's password",
        help: || hash_password::HELP.into(),
        run: hash_password::run,
    },
];

/// How a verb ends when it does not end well.
enum Failure {
    /// The arguments are off: exit code 2.
    Misused(String),
    /// It did not work: exit code 1. What went wrong has been said, or is said
    /// by this.
    Failed(Option<Box<dyn Error>>),
}

type Outcome = Result<(), Failure>;

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Failure {
        Failure::Misused(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Failed(Some(Box::new(error)))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Failed(Some(Box::new(error)))
    }
}

impl Failure {
    fn because(error: impl Error + 'static) -> Failure {
        Failure::Failed(Some(Box::new(error)))
    }

    fn says(text: impl Into<String>) -> Failure {
        Failure::Failed(Some(text.into().into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Misused(text) => f.write_str(text),
            Failure::Failed(Some(error)) => Chain(&**error).fmt(f),
            Failure::Failed(None) => f.write_str("it has been said why"),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let mut helped = String::new();
    match dispatch(Parser::from_env(), &mut helped) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Misused(text)) => {
            eprintln!("wabridge: {text}\nTry: wabridge {helped}--help");
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            if let Some(error) = error {
                eprintln!("wabridge: {}", Chain(&*error));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs what the arguments ask for. `helped` becomes what `--help` is to follow for
/// help with it.
fn dispatch(mut parser: Parser, helped: &mut String) -> Outcome {
    let name = match parser.next()? {
        None => return serve::run(parser),
        Some(Arg::Short('h') | Arg::Long("help")) => {
            output::print(&overview());
            return Ok(());
        }
        Some(Arg::Short('V') | Arg::Long("version")) => {
            output::print(concat!("wabridge ", env!("CARGO_PKG_VERSION"), "\n"));
            return Ok(());
        }
        Some(Arg::Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    if name == "help" {
        let topic = match parser.next()? {
            Some(Arg::Value(topic)) => Some(topic.string()?),
            _ => None,
        };
        let text = match topic {
            Some(topic) => (find(&topic)?.help)(),
            None => overview(),
        };
        output::print(&text);
        return Ok(());
    }
    let command = find(&name)?;
    *helped = format!("{name} ");
    // Asked for anywhere in the line, help comes before anything is done.
    let asks = |arg: &std::ffi::OsString| arg == "--help" || arg == "-h";
    if parser.raw_args()?.as_slice().iter().any(asks) {
        output::print(&(command.help)());
        return Ok(());
    }
    (command.run)(parser)
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    let found = COMMANDS.iter().find(|command| command.name == name);
    found.ok_or_else(|| Failure::Misused(format!("there is no command `{name}`")))
}

fn overview() -> String {
    let mut text = String::from(
        "wabridge stands between Meta's WhatsApp Cloud API and your own logic: every message is\n\
         stored before Meta hears 200, handed over in order and once, and answered once.\n\n\
         Usage: wabridge [COMMAND] [OPTIONS]\n\nCommands:\n",
    );
    for command in COMMANDS {
        text.push_str(&format!("  {:<13} {}\n", command.name, command.summary));
    }
    text.push_str(
        "\nEach command explains itself with --help. New here? Run: wabridge demo\n\n\
         Settings come from the environment, then from .env in the working folder. A secret may\n\
         also be in a file named by NAME_FILE, or come from systemd's LoadCredential.\n",
    );
    text.push_str(&listing::help());
    text
}

/// Says what is wrong with the settings, all of it.
fn problems_said(problems: &[Problem]) -> Failure {
    let s = if problems.len() == 1 { "" } else { "s" };
    eprintln!("wabridge: {} problem{s} with the settings:", problems.len());
    for problem in problems {
        eprintln!("  - {problem}");
    }
    Failure::Failed(None)
}

/// The database that the settings name, to look into.
///
/// # Errors
/// When there is none yet: looking must not make one in the wrong place.
fn visit() -> Result<Database, Failure> {
    let sources = Sources::of_this_process();
    let path = crate::config::database(&sources).map_err(|problem| problems_said(&[problem]))?;
    if !path.exists() {
        let path = std::path::absolute(&path).unwrap_or(path);
        return Err(Failure::says(format!(
            "there is no database at {}: it is made by `wabridge serve`; set DATABASE_URL if it \
             is elsewhere (systemd's: sudo wabridgectl)",
            path.display()
        )));
    }
    Ok(Database::open(&path, Access::Visit)?)
}

/// The options that `list`, `show` and `status` share.
#[derive(Default)]
struct View {
    json: bool,
    limit: Option<usize>,
    state: Option<String>,
}

impl View {
    /// Takes an option if it is one of these.
    fn take(&mut self, arg: &Arg<'_>) -> Option<ViewOption> {
        match arg {
            Arg::Long("json") => {
                self.json = true;
                Some(ViewOption::Done)
            }
            Arg::Long("limit") | Arg::Short('n') => Some(ViewOption::Limit),
            Arg::Long("state") => Some(ViewOption::State),
            _ => None,
        }
    }

    fn parse(&mut self, option: &ViewOption, parser: &mut Parser) -> Outcome {
        match option {
            ViewOption::Done => {}
            ViewOption::Limit => self.limit = Some(count("--limit", parser)?),
            ViewOption::State => self.state = Some(parser.value()?.string()?),
        }
        Ok(())
    }

    fn limit(&self) -> usize {
        self.limit.unwrap_or(50)
    }
}

enum ViewOption {
    Done,
    Limit,
    State,
}

/// The rest of the arguments of a verb with sub-verbs: view options and values.
fn view_and_values(parser: &mut Parser) -> Result<(View, Vec<String>, Vec<String>), Failure> {
    let (mut view, mut values, mut flags) = (View::default(), Vec::new(), Vec::new());
    while let Some(arg) = parser.next()? {
        let option = view.take(&arg);
        match (option, arg) {
            (Some(option), _) => view.parse(&option, parser)?,
            (None, Arg::Value(value)) => values.push(value.string()?),
            (None, Arg::Long(flag)) => flags.push(flag.to_owned()),
            (None, other) => return Err(other.unexpected().into()),
        }
    }
    Ok((view, values, flags))
}

/// The whole number that an option is given.
fn count(option: &str, parser: &mut Parser) -> Result<usize, Failure> {
    let text = parser.value()?.string()?;
    let misused = |_| Failure::Misused(format!("{option} {text}: write a whole number"));
    text.parse().map_err(misused)
}

/// Ids given on the command line.
fn ids(values: &[String]) -> Result<Vec<i64>, Failure> {
    let parse = |value: &String| {
        let misused = || Failure::Misused(format!("`{value}` is not an id: ids are whole numbers"));
        value.parse().map_err(|_| misused())
    };
    values.iter().map(parse).collect()
}

/// No flags beyond those known.
fn no_flags(flags: &[String]) -> Outcome {
    match flags.first() {
        None => Ok(()),
        Some(flag) => Err(Failure::Misused(format!("invalid option '--{flag}'"))),
    }
}
