//! What the measuring programs have in common: options come in, a line of JSON goes out.

use std::fmt::Display;
use std::process::ExitCode;

/// Runs a program called `name`: prints what `measure` found. Exits with 2 when it was misused, and
/// with 1 when nothing could be measured.
pub fn run<O, E: Display>(
    name: &str,
    usage: &str,
    options: Result<O, lexopt::Error>,
    measure: impl FnOnce(O) -> Result<String, E>,
) -> ExitCode {
    let options = match options {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{name}: {error}\n{usage}");
            return ExitCode::from(2);
        }
    };
    match measure(options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
