//! Hands events to a program: the envelope on standard input, replies on
//! standard output, and the exit code says what became of it. No shell, none of
//! our settings in its environment, and an end to how long it may take.

mod process;

use super::answer::{ANSWER_BYTES_MAX, replies};
use super::{Delivery, Handled, Handler, Outcome, Reason, Wants};
use crate::config;
use crate::gateway::finish::outcome::DETAILS_CHARS_MAX;
use crate::wire::notification::Kind;
use process::{End, Limits, Ran};
use rustix::fs::{Access, access};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// "Temporary failure": the one code besides 0 that `sysexits.h` has a meaning
/// for which fits every program.
const EX_TEMPFAIL: i32 = 75;

/// A program.
pub struct CommandHandler {
    command: config::Command,
    /// The service ends.
    stopping: AtomicBool,
    /// It was said that answers are no JSON.
    told_no_json: AtomicBool,
}

/// Why a program cannot be run.
#[derive(Debug)]
pub enum CommandError {
    /// There is none of this name.
    Missing { program: String, path: String },
    /// It is there, but no program.
    NotExecutable { program: String },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            CommandError::Missing { program, .. } if program.contains('/') => write!(
                f,
                "HANDLER_COMMAND: there is no {program}: write the program's path, best from / on"
            ),
            CommandError::Missing { program, path } => write!(
                f,
                "HANDLER_COMMAND: there is no program {program} in {path}: write its path"
            ),
            CommandError::NotExecutable { program } => write!(
                f,
                "HANDLER_COMMAND: {program} is no program that we may run: chmod a+rx {program}, or write \
                 what runs it first, such as python3 {program}"
            ),
        }
    }
}

impl std::error::Error for CommandError {}

impl CommandHandler {
    /// The program these settings name.
    ///
    /// # Errors
    /// When there is no such program now.
    pub fn new(command: &config::Command) -> Result<CommandHandler, CommandError> {
        find(&command.program, &command.path)?;
        Ok(CommandHandler {
            command: command.clone(),
            stopping: AtomicBool::new(false),
            told_no_json: AtomicBool::new(false),
        })
    }

    /// What it is told besides the event: nothing that somebody else can choose,
    /// since values of the environment are looked at by much that should not.
    fn prepared(&self, delivery: &Delivery) -> Command {
        let mut command = Command::new(&self.command.program);
        command
            .args(&self.command.arguments)
            .env_clear()
            .env("PATH", &self.command.path)
            .envs(self.command.environment.iter().cloned())
            .env("WABRIDGE_WEBHOOK_ID", &delivery.webhook_id)
            .env("WABRIDGE_ATTEMPT", delivery.attempt.to_string())
            .env("WABRIDGE_KIND", kind(delivery).as_str());
        if let Some(age_ms) = delivery.facts.stale_ms {
            command.env("WABRIDGE_STALE", (age_ms / 1_000).to_string());
        }
        command
    }

    /// Standard error is for whoever looks for a mistake; it may hold anything.
    fn tell(&self, delivery: &Delivery, ran: &Ran) {
        if !ran.said.is_empty() {
            log::debug!(
                "msg=\"the command wrote to standard error\" event={} attempt={} said=\"{}\"",
                delivery.event,
                delivery.attempt,
                String::from_utf8_lossy(&ran.said).trim_end().escape_debug()
            );
        }
        let no_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&ran.answer).is_err();
        if is_done(ran.end)
            && !ran.answer.trim_ascii().is_empty()
            && no_json()
            && !self.told_no_json.swap(true, Ordering::Relaxed)
        {
            log::warn!(
                "msg=\"the command's answer is no JSON, so it is no reply; what is not an answer belongs on standard error (said once)\" event={}",
                delivery.event
            );
        }
    }
}

impl Handler for CommandHandler {
    fn wants(&self) -> Wants {
        match self.command.kinds.iter().all(|kind| *kind == Kind::Message) {
            true => Wants::Messages,
            false => Wants::All,
        }
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        if !self.command.kinds.contains(&kind(delivery)) {
            return Handled::No;
        }
        let limits = Limits {
            time: self.command.timeout,
            answer_bytes: ANSWER_BYTES_MAX,
        };
        let mut command = self.prepared(delivery);
        let ran = process::run(
            &mut command,
            delivery.body.as_bytes(),
            &limits,
            &self.stopping,
        );
        Handled::Yes(match ran {
            Ok(ran) => {
                self.tell(delivery, &ran);
                outcome(&ran)
            }
            Err(error) => Outcome::Retry {
                reason: format!("the command cannot be started: {error}").into(),
                wait: None,
                down: true,
            },
        })
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

/// What an event counts as. Messages under other fields are not for us to answer:
/// an old one of a history, or one that another app has in hand.
fn kind(delivery: &Delivery) -> Kind {
    match delivery.kind {
        Kind::Message if delivery.field != "messages" => Kind::Other,
        kind => kind,
    }
}

fn is_done(end: End) -> bool {
    matches!(end, End::Exited(status) if status.success())
}

/// What an end means for the event. The operator is told what the program said.
fn outcome(ran: &Ran) -> Outcome {
    let because = |why: String| Reason::with_details(why, last_words(&ran.said));
    let again = |why: &str, down| Outcome::Retry {
        reason: because(why.into()),
        wait: None,
        down,
    };
    let never = |why: String| Outcome::Dead {
        reason: because(why),
    };
    match ran.end {
        End::Exited(status) => match (status.code(), status.signal()) {
            (Some(0), _) => Outcome::done(replies(&ran.answer)),
            (Some(EX_TEMPFAIL), _) => again("the command asks for it again (exit code 75)", true),
            (Some(code), _) => never(format!("the command failed with exit code {code}")),
            (None, signal) => again(
                &format!("the command was ended by signal {}", signal.unwrap_or(0)),
                false,
            ),
        },
        End::TookTooLong => again("the command took longer than HANDLER_TIMEOUT", true),
        End::WroteTooMuch => never("the command's answer is over 1 MiB".into()),
        End::Stopped => again("the command was ended with the service", false),
        End::Lost => again(
            "the command's exit code was not kept: start wabridge from something that does not \
             ignore SIGCHLD",
            true,
        ),
    }
}

/// The end of what a program said, where it says why it failed.
fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    let over = said.chars().count().saturating_sub(DETAILS_CHARS_MAX);
    said.chars().skip(over).collect()
}

/// Looks for a program as it is done when it is run.
fn find(program: &str, path: &str) -> Result<(), CommandError> {
    let places: Vec<PathBuf> = match program.contains('/') {
        true => vec![PathBuf::from(program)],
        false => path
            .split(':')
            .map(|at| Path::new(at).join(program))
            .collect(),
    };
    let is_file = |place: &&PathBuf| place.is_file();
    let mut there = places.iter().filter(is_file).peekable();
    if there.peek().is_none() {
        return Err(CommandError::Missing {
            program: program.to_owned(),
            path: path.to_owned(),
        });
    }
    match there.any(|place| access(place, Access::EXEC_OK).is_ok()) {
        true => Ok(()),
        false => Err(CommandError::NotExecutable {
            program: program.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
