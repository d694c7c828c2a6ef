//! `wabridge check`

use super::{Chain, Failure, Outcome, output};
use crate::config::{self, Config, Listen, Sources, table};
use crate::edge::clock;
use crate::edge::graph::Graph;
use crate::edge::http::server::Socket;
use crate::handler::command::CommandHandler;
use crate::handler::rules::Rules;
use crate::store::{Access, Database};
use lexopt::Parser;
use std::path::Path;

pub const HELP: &str = "\
Tells what is wrong with the settings, the rules and the database, and how to mend each.

Usage: wabridge check

It changes nothing, and can run beside the service. Exit code 0 when the service would start,
1 when it would not.
";

/// Larger files are not read through: it would take minutes.
const READ_THROUGH_MAX: u64 = 256 << 20;

pub fn run(mut parser: Parser) -> Outcome {
    if let Some(arg) = parser.next()? {
        return Err(arg.unexpected().into());
    }
    let sources = Sources::of_this_process();
    let config = match config::load(&sources) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                wrong(&problem.to_string());
            }
            return Err(Failure::Failed(None));
        }
    };
    fine(&format!("settings: {} set", set_names(&sources)));
    for warning in &config.warnings {
        output::print(&format!("note   {warning}\n"));
    }
    let sound = [
        certificates(&config),
        rules(&config),
        command(&config),
        observers(&config),
        database(&config.database),
        listener("LISTEN", &config.listen),
        config
            .api
            .as_ref()
            .is_none_or(|api| listener("OPERATOR_LISTEN", &api.listen)),
    ];
    match sound.iter().all(|sound| *sound) {
        true => Ok(()),
        false => Err(Failure::Failed(None)),
    }
}

fn set_names(sources: &Sources) -> String {
    let names = sources.names().filter(|name| table::is_known(name));
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => "none".into(),
        false => names.join(" "),
    }
}

fn certificates(config: &Config) -> bool {
    match (Graph::new(config, 1), &config.root_certificates) {
        (Ok(_), None) => true,
        (Ok(_), Some(path)) => fine(&format!("certificates: {}", path.display())),
        (Err(error), _) => wrong(&Chain(&error).to_string()),
    }
}

fn rules(config: &Config) -> bool {
    let Some(path) = &config.rules else {
        return true;
    };
    match Rules::load(path) {
        Ok(rules) => fine(&format!("rules: {} in {}", rules.len(), path.display())),
        Err(error) => wrong(&Chain(&error).to_string()),
    }
}

fn command(config: &Config) -> bool {
    let Some(command) = &config.command else {
        return true;
    };
    match CommandHandler::new(command) {
        Ok(_) => fine(&format!("command: {}", command.program)),
        Err(error) => wrong(&Chain(&error).to_string()),
    }
}

fn observers(config: &Config) -> bool {
    let observers = config.observers.iter();
    let names: Vec<String> = observers.map(|one| one.limits.name.to_string()).collect();
    names.is_empty() || fine(&format!("observers: {}", names.join(", ")))
}

fn database(path: &Path) -> bool {
    if !path.exists() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        return match folder.is_dir() {
            true => fine(&format!(
                "database: {} will be made at the first start",
                path.display()
            )),
            false => wrong(&format!(
                "database: there is no folder {}: make it, or set DATABASE_URL",
                folder.display()
            )),
        };
    }
    let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
    let damage =
        Database::open(path, Access::Visit).and_then(|database| match size <= READ_THROUGH_MAX {
            true => database.damage(),
            false => Ok(Vec::new()),
        });
    match damage {
        Ok(damage) if damage.is_empty() => {
            note_halts(path);
            fine(&format!(
                "database: {} ({} KiB)",
                path.display(),
                size / 1024
            ))
        }
        Ok(damage) => wrong(&format!(
            "database: {} is damaged: put back a copy, or start with another file; SQLite says: {}",
            path.display(),
            damage.join("; ")
        )),
        Err(error) => wrong(&format!("database: {}", Chain(&error))),
    }
}

/// Sending may be halted; the service starts all the same.
fn note_halts(path: &Path) {
    let halts = Database::open(path, Access::Visit).and_then(|found| found.read(|tx| tx.halts()));
    for halt in halts.unwrap_or_default() {
        let (reason, mend) = halt.reason_and_mend();
        output::print(&format!(
            "note   sending is halted ({}) since {}: {}; to mend it: {}\n",
            halt.scope.as_str(),
            clock::rfc3339(halt.since),
            output::inert(reason),
            output::inert(mend),
        ));
    }
}

fn listener(setting: &str, listen: &Listen) -> bool {
    if matches!(listen, Listen::Unix(_)) {
        return fine(&format!("{setting}: {listen}"));
    }
    match Socket::bind(listen) {
        Ok(_) => fine(&format!("{setting}: {listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => fine(&format!(
            "{setting}: {listen} is in use: by the running service, or by something else"
        )),
        Err(error) => wrong(&format!(
            "{setting}: {listen} cannot be used: {error}; set another {setting}"
        )),
    }
}

fn fine(text: &str) -> bool {
    output::print(&format!("ok     {text}\n"));
    true
}

/// Several mistakes, one a line, are marked each.
fn wrong(text: &str) -> bool {
    for line in text.lines() {
        output::print(&format!("wrong  {line}\n"));
    }
    false
}
