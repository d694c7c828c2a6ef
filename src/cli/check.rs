//! `wabridge check`: what is wrong with the settings, the rules, the database and, with
//! `--online`, at Meta; each with its mend.

use super::findings::Report;
use super::folders::{Maker, hindrance};
use super::{Chain, Failure, Outcome};
use crate::config::{self, Config, Listen, Sources, table};
use crate::edge::clock;
use crate::edge::doctor::{Doctor, Scope};
use crate::edge::graph::Graph;
use crate::edge::http::server::Socket;
use crate::edge::serve::StartError;
use crate::gateway::known::{self, Known};
use crate::handler::command::CommandHandler;
use crate::handler::rules::Rules;
use crate::policy::doctor::{self, Finding};
use crate::store::{Access, Database, StoreError};
use crate::wire::setup;
use lexopt::{Arg, Parser, ValueExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

pub const HELP: &str = "\
Tells what is wrong with the settings, the rules, the database and the folders that are written to,
and how to mend each.

Usage: wabridge check [--online] [--json] [--waba ID]... [--number PHONE_NUMBER_ID]... [--app ID]

--online  asks Meta as well, for when nothing arrives or nothing is sent: whether the token is valid
          and may do what it must, what the app subscribes to, whether it is attached to the
          account, how the number is; and calls the webhook by the address that Meta has, with the
          handshake (without showing VERIFY_TOKEN) and with a signed notification without events
--waba, --number  looks at these only; otherwise at all that tokens, settings and stored events
          tell of
--app     the app, when no token is valid that would tell
--json    prints one JSON object a line, with: level about says mend

It changes nothing, and can run beside the service. Exit code 0 when nothing is wrong (without
--online: when the service would start), 1 when something is.
";

/// Larger files are not read through: it would take minutes.
const READ_THROUGH_MAX: u64 = 256 << 20;

pub fn run(mut parser: Parser) -> Outcome {
    let (mut online, mut json, mut scope) = (false, false, Scope::default());
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("online") => online = true,
            Arg::Long("json") => json = true,
            Arg::Long("app") => scope.app = Some(id("app", &mut parser)?),
            Arg::Long("waba") => scope.accounts.push(id("waba", &mut parser)?),
            Arg::Long("number") => scope.numbers.push(id("number", &mut parser)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if !online && (scope.app.is_some() || !scope.accounts.is_empty() || !scope.numbers.is_empty()) {
        return Err(Failure::Misused(
            "--waba, --number and --app go with --online".into(),
        ));
    }
    let mut report = Report::new(json);
    let sources = Sources::of_this_process();
    let (config, problems) = config::survey(&sources);
    let report = &mut report;
    for problem in &problems {
        report.wrong("settings", &problem.to_string());
    }
    let well = report.is_sound();
    if well {
        report.fine("settings", &format!("{} set", set_names(&sources)));
    }
    for warning in &config.warnings {
        report.note("settings", warning);
    }
    let authorities = certificates(report, &config);
    rules(report, &config);
    command(report, &config);
    observers(report, &config);
    // A setting that is wrong stands at its default by now, or at none.
    if !config.database.as_os_str().is_empty() {
        database(report, &config.database);
        files(report, &config);
    }
    if well {
        let maker = Maker::of(&config.database);
        listener(report, "LISTEN", &config.listen, maker);
        if let Some(listen) = &config.operator {
            listener(report, "OPERATOR_LISTEN", listen, maker);
        }
    }
    if online && well && authorities {
        meta(report, &config, &scope)?;
    }
    match report.is_sound() {
        true => Ok(()),
        false => Err(Failure::Failed(None)),
    }
}

/// The id that an option is given.
pub fn id(option: &str, parser: &mut Parser) -> Result<String, Failure> {
    let id = parser.value()?.string()?;
    match setup::is_id(&id) {
        true => Ok(id),
        false => Err(Failure::Misused(format!(
            "--{option} {id} is not an id: Meta's have digits only (App Dashboard → WhatsApp → API Setup)"
        ))),
    }
}

/// What Graph and the webhook's own address tell.
fn meta(report: &mut Report, config: &Config, scope: &Scope) -> Outcome {
    let doctor = Doctor::new(config).map_err(Failure::because)?;
    let mut facts = doctor.ask(scope, &known(config)?);
    doctor.call(&mut facts);
    for finding in doctor::findings(&facts) {
        report.say(&finding);
    }
    Ok(())
}

/// What the database has seen of Meta's side, if there is one.
pub fn known(config: &Config) -> Result<Known, Failure> {
    if !config.database.exists() {
        return Ok(Known::default());
    }
    // What is wrong with the file has been said by the check of it.
    let found = Database::open(&config.database, Access::Visit);
    Ok(found
        .and_then(|found| found.read(known::known))
        .unwrap_or_default())
}

fn set_names(sources: &Sources) -> String {
    let names = sources.names().filter(|name| table::is_known(name));
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => "none".into(),
        false => names.join(" "),
    }
}

fn certificates(report: &mut Report, config: &Config) -> bool {
    match (Graph::new(config, 1), &config.root_certificates) {
        (Ok(_), None) => true,
        (Ok(_), Some(path)) => report.fine("certificates", &path.display().to_string()),
        (Err(error), _) => report.wrong("", &Chain(&error).to_string()),
    }
}

fn rules(report: &mut Report, config: &Config) {
    let Some(path) = &config.rules else { return };
    match Rules::load(path) {
        Ok(rules) => report.fine("rules", &format!("{} in {}", rules.len(), path.display())),
        Err(error) => report.wrong("", &Chain(&error).to_string()),
    };
}

fn command(report: &mut Report, config: &Config) {
    let Some(command) = &config.command else {
        return;
    };
    match CommandHandler::new(command) {
        Ok(_) => report.fine("command", &command.program.to_string()),
        Err(error) => report.wrong("", &Chain(&error).to_string()),
    };
}

fn observers(report: &mut Report, config: &Config) {
    let observers = config.observers.iter();
    let names: Vec<String> = observers.map(|one| one.limits.name.to_string()).collect();
    if !names.is_empty() {
        report.fine("observers", &names.join(", "));
    }
}

fn database(report: &mut Report, path: &Path) {
    // Its log and its lock are files beside it.
    if let Some(why) = hindrance(folder_of(path), Maker::of(path)) {
        report.wrong("database", &format!("{why}, or set DATABASE_URL"));
        return;
    }
    if !path.exists() {
        let says = format!("{} will be made at the first start", path.display());
        report.fine("database", &says);
        return;
    }
    let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
    let damage =
        Database::open(path, Access::Visit).and_then(|database| match size <= READ_THROUGH_MAX {
            true => database.damage(),
            false => Ok(Vec::new()),
        });
    match damage {
        Ok(damage) if damage.is_empty() => {
            note_halts(report, path);
            report.fine(
                "database",
                &format!("{} ({} KiB)", path.display(), size / 1024),
            )
        }
        Ok(damage) => report.wrong(
            "database",
            &format!(
                "{} is damaged: put back a copy, or start with another file; SQLite says: {}",
                path.display(),
                damage.join("; ")
            ),
        ),
        // The service mends it when it starts.
        Err(error @ StoreError::Older { .. }) => report.note("database", &error.to_string()),
        Err(error) => report.wrong("database", &Chain(&error).to_string()),
    };
}

/// Where customers' files go; the folder is made when it is not there.
fn files(report: &mut Report, config: &Config) {
    let Some(media) = &config.media else { return };
    let (path, maker) = (&media.folder, Maker::of(&config.database));
    let (folder, says) = match path.exists() {
        true => (path.as_path(), path.display().to_string()),
        false => (
            folder_of(path),
            format!("{} will be made at the first start", path.display()),
        ),
    };
    match hindrance(folder, maker) {
        None => report.fine("MEDIA_DIR", &says),
        Some(why) => report.wrong("MEDIA_DIR", &why),
    };
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Sending may be halted; the service starts all the same.
fn note_halts(report: &mut Report, path: &Path) {
    let halts = Database::open(path, Access::Visit).and_then(|found| found.read(|tx| tx.halts()));
    for halt in halts.unwrap_or_default() {
        let (reason, mend) = halt.reason_and_mend();
        let (scope, since) = (halt.scope.as_str(), clock::rfc3339(halt.since));
        let says = format!("sending is halted ({scope}) since {since}: {reason}");
        report.say(&Finding::note("", says).mended_by(mend));
    }
}

fn listener(report: &mut Report, setting: &'static str, listen: &Listen, maker: Maker) -> bool {
    let is_in_use = format!("{listen} is in use: by the running service, or by something else");
    // To try a path would make it. One that systemd holds may be where only root makes files.
    if let Listen::Unix(path) = listen {
        if UnixStream::connect(path).is_ok() {
            return report.fine(setting, &is_in_use);
        }
        return match hindrance(folder_of(path), maker) {
            None => report.fine(setting, &listen.to_string()),
            Some(why) => report.wrong(setting, &format!("{why}, or set another {setting}")),
        };
    }
    let failed = |source| StartError::Listen {
        setting,
        address: listen.to_string(),
        source,
    };
    match Socket::bind(listen) {
        Ok(_) => report.fine(setting, &format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            report.fine(setting, &is_in_use)
        }
        Err(error) => report.wrong("", &Chain(&failed(error)).to_string()),
    }
}
