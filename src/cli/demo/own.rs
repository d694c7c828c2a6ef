//! `wabridge demo -- COMMAND`: somebody's own bot against the stand-in, and who
//! sits at the terminal is its customer.

use super::{Failure, Outcome, folder, output, say, start_standin, tell};
use crate::edge::clock;
use crate::edge::serve::listen_for_signals;
use crate::edge::standin::{Choice, ChoiceKind, Happening, StandIn};
use crate::wire::signature::hex;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{self, BufRead, stdin};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const NAME: &str = "You";
const PHONE: &str = "15550107009";

/// How often it is looked whether the bot listens, or has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often it is looked whether a bot that was told to end has, before it is
/// ended.
const END_LOOKS_MAX: u32 = 100;

/// What the customer could tap in the last message that offered anything.
type Offered = Arc<Mutex<Vec<Choice>>>;

pub fn run(command: &[OsString]) -> Outcome {
    let secret = hex(&clock::random::<16>());
    let token = hex(&clock::random::<16>());
    let offered = Offered::default();
    let (told, hears) = (Arc::clone(&offered), Arc::clone(&offered));
    let witness = Box::new(move |happening: &Happening| narrate(&told, happening));
    let standin = Arc::new(start_standin(&token, &secret, witness)?);
    let address = free_address()?;
    standin.set_callback(&format!("http://{address}/webhook"));
    let folder = folder()?;
    let settings = [
        ("VERIFY_TOKEN", "demo"),
        ("APP_SECRET", &secret),
        ("WHATSAPP_TOKEN", &token),
        ("GRAPH_API_URL", &standin.url()),
        ("LISTEN", &address.to_string()),
        ("WEBHOOK_PATH", "/webhook"),
    ];
    let database = folder.path().join("wabridge.db");
    let mut signals = listen_for_signals()?;
    let mut child = spawn(command, &settings, folder.path())?;
    thread::Builder::new()
        .name("customer".into())
        .spawn(move || {
            while TcpStream::connect(address).is_err() {
                thread::sleep(LOOK_AGAIN);
            }
            converse(&standin, &hears, &database);
        })?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if signals.pending().next().is_some() {
            end(&mut child);
            break None;
        }
        thread::sleep(LOOK_AGAIN);
    };
    match ended {
        None => Ok(()),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::says(ended_badly(command, status))),
    }
}

/// An address that is free now. Another program could take it before the bot
/// does; then the bot says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Starts the bot with these settings; others (RULES_FILE, FORWARD_URL) are as
/// they are around us.
fn spawn(command: &[OsString], settings: &[(&str, &str)], folder: &Path) -> Result<Child, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| {
        Failure::Misused("say which program to start: wabridge demo -- PROGRAM".into())
    })?;
    let mut child = Command::new(program);
    child.args(arguments).stdin(Stdio::null());
    child.envs(settings.iter().copied());
    child.env("DATABASE_URL", folder.join("wabridge.db"));
    if std::env::var_os("LOG_LEVEL").is_none() {
        child.env("LOG_LEVEL", "warn");
    }
    child.spawn().map_err(|error| {
        let program = program.to_string_lossy();
        Failure::says(format!(
            "{} cannot be started: {error}",
            output::inert(&program)
        ))
    })
}

/// What is written here goes to the bot.
fn converse(standin: &StandIn, offered: &Offered, database: &Path) {
    let program = super::as_called(std::env::args_os().next());
    output::print(&format!(
        "The bot listens. Write to it as its customer, a line a message; the number before a button \
         or row taps it. Ctrl-C ends it.\n\nWhat it stores: DATABASE_URL={} {program} inbox list\n\n",
        database.display()
    ));
    for line in stdin().lock().lines() {
        let Ok(line) = line else { return };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let told = match tapped(offered, line) {
            Some(choice) => {
                let kind = match choice.kind {
                    ChoiceKind::Button => "button-reply",
                    ChoiceKind::Row => "list",
                };
                tell(standin, kind, NAME, PHONE, &choice.title, Some(&choice.id))
            }
            None => tell(standin, "text", NAME, PHONE, line, None),
        };
        if let Err(failure) = told {
            say(&format!("{:>8}   {failure}", "Meta"));
        }
    }
}

/// The button or row whose number this is.
fn tapped(offered: &Offered, line: &str) -> Option<Choice> {
    let number: usize = line.parse().ok()?;
    let offered = offered.lock().unwrap_or_else(PoisonError::into_inner);
    offered.get(number.checked_sub(1)?).cloned()
}

fn narrate(offered: &Offered, happening: &Happening) {
    match happening {
        Happening::Accepted {
            kind,
            text,
            choices,
            ..
        } => {
            let text = match text {
                Some(text) if kind == "text" || !choices.is_empty() => text.clone(),
                Some(text) => format!("({kind}) {text}"),
                None => format!("({kind})"),
            };
            say(&format!("{NAME:>8} ← {text}"));
            for (index, choice) in choices.iter().enumerate() {
                say(&format!("{:>12} {}", index + 1, choice.title));
            }
            if !choices.is_empty() {
                *offered.lock().unwrap_or_else(PoisonError::into_inner) = choices.clone();
            }
        }
        Happening::Refused { code, .. } => say(&format!("{:>8}   refused with {code}", "Graph")),
        _ => {}
    }
}

/// Has the bot stop in order, and ends it when it does not.
fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Fails only when it has ended already.
        let _ = kill_process(pid, Signal::TERM);
    }
    for _ in 0..END_LOOKS_MAX {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(LOOK_AGAIN);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn ended_badly(command: &[OsString], status: ExitStatus) -> String {
    let command: Vec<_> = command.iter().map(|part| part.to_string_lossy()).collect();
    format!("`{}` ended: {status}", output::inert(&command.join(" ")))
}
