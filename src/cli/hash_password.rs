//! `wabridge hash-password`: what CONSOLE_PASSWORD_HASH is set to.

use super::{Failure, Outcome, output};
use crate::edge::clock;
use crate::policy::password::PasswordHash;
use lexopt::Parser;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Read, Stdin, stdin};

pub const HELP: &str = "\
Makes the value of CONSOLE_PASSWORD_HASH from a password: whoever knows the password may log in to
the operator's page.

Usage: wabridge hash-password
       printf %s 'PASSWORD' | wabridge hash-password

Asks for the password twice, without showing it; from a pipe it is read once. Prints the hash and
nothing else. The password is not stored anywhere.
";

/// Longer input is no password.
const INPUT_BYTES_MAX: u64 = 4 * 1024;

pub fn run(mut parser: Parser) -> Outcome {
    if let Some(arg) = parser.next()? {
        return Err(arg.unexpected().into());
    }
    let password = match isatty(stdin()) {
        true => asked_twice()?,
        false => piped()?,
    };
    let hash = PasswordHash::new(&password, clock::random()).map_err(Failure::because)?;
    output::print(&format!("{}\n", hash.to_text()));
    Ok(())
}

fn piped() -> Result<String, Failure> {
    let mut text = String::new();
    stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn asked_twice() -> Result<String, Failure> {
    let _quiet = Quiet::begin(stdin())?;
    let first = asked("Password: ")?;
    match first == asked("Again: ")? {
        true => Ok(first),
        false => Err(Failure::says("the two are not the same: try again")),
    }
}

fn asked(question: &str) -> io::Result<String> {
    // The question is no output: that is the hash alone.
    eprint!("{question}");
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    eprintln!();
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Quiet {
    terminal: Stdin,
    before: Termios,
}

impl Quiet {
    fn begin(terminal: Stdin) -> io::Result<Quiet> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about an error: the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
