//! `wabridge prune`: what is old and done with goes, now and by hand.

use super::{Failure, Outcome, output, visit};
use crate::config::{self, Config, Sources, span_of_time};
use crate::edge::clock;
use crate::edge::upkeep::{Passed, Upkeep, Visitor};
use crate::policy::upkeep::AGE_MIN_MS;
use crate::store::Database;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;
use std::path::Path;

pub const HELP: &str = "\
Takes out events and messages that are done with and old, with their files.

Usage: wabridge prune [--older-than TIME] [--dry-run] [--json]

--older-than  older than this, for example 30d (at least 2d); else than RETENTION_DAYS
--dry-run     say how many would go, and take nothing out
--json        one JSON object: events messages files kept

The service does this by itself, by RETENTION_DAYS. What is still to be delivered or sent stays,
however old, and so does what came after it in the same conversation. Dead letters and messages on
hold go with the rest. Who they were from stays known: wabridge forget takes a person out.

It works beside the running service, in small steps.
";

pub fn run(mut parser: Parser) -> Outcome {
    let (mut older_than, mut dry_run, mut as_json) = (None, false, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("older-than") => older_than = Some(age(&parser.value()?.string()?)?),
            Arg::Long("dry-run") => dry_run = true,
            Arg::Long("json") => as_json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let (config, _) = config::survey(&Sources::of_this_process());
    let Some(age_ms) = older_than.or(config.retention_ms) else {
        let text = "RETENTION_DAYS=0 keeps everything: say --older-than, for example 90d";
        return Err(Failure::Misused(text.into()));
    };
    let before = clock::now_ms() - age_ms;
    let database = visit()?;
    let media = media_folder(&config, &database)?;
    let mut upkeep = Upkeep::new(Visitor(database), media);
    let passed = match dry_run {
        true => upkeep.rehearse(before)?,
        false => {
            let mut passed = upkeep.prune(before)?;
            // Whoever does it by hand has looked at the clock for what is said; not
            // for what guards against doing things twice.
            let now = upkeep.believed_now()?;
            upkeep.sweep_keys(now)?;
            upkeep.sweep_digests(now)?;
            passed.files += upkeep.sweep_folder()?;
            upkeep.give_back()?;
            passed
        }
    };
    tell(&passed, dry_run, as_json);
    Ok(())
}

/// Where customers' files are, if they are fetched.
///
/// # Errors
/// When there are some and the settings do not say where: they would stay.
pub(super) fn media_folder<'c>(
    config: &'c Config,
    database: &Database,
) -> Result<Option<&'c Path>, Failure> {
    match &config.media {
        Some(media) => Ok(Some(&media.folder)),
        None if database.read(|tx| tx.holds_files())? => Err(Failure::says(
            "MEDIA_DIR is not set, and there are customers' files: set it as the service has it \
             (systemd's: sudo wabridgectl)",
        )),
        None => Ok(None),
    }
}

fn age(text: &str) -> Result<i64, Failure> {
    let span = span_of_time(text).map(|span| span.as_millis() as i64);
    match span {
        Some(age_ms) if age_ms >= AGE_MIN_MS => Ok(age_ms),
        Some(_) => Err(Failure::Misused(format!(
            "--older-than {text} is less than 2d: what is younger may be asked for again"
        ))),
        None => Err(Failure::Misused(format!(
            "--older-than {text} is not a span of time: write 30d or 48h"
        ))),
    }
}

fn tell(passed: &Passed, dry_run: bool, as_json: bool) {
    let Passed {
        events,
        messages,
        files,
        kept,
    } = passed;
    if as_json {
        return output::json_line(&json!({
            "events": events, "messages": messages, "files": files, "kept": kept
        }));
    }
    let text = match dry_run {
        true => format!("{events} events and {messages} messages would go, with their files\n"),
        false => format!("{events} events, {messages} messages and {files} files are gone\n"),
    };
    output::print(&text);
    if *kept > 0 {
        output::print(&format!(
            "{kept} old ones stay: something is still to be done, as wabridge status shows\n"
        ));
    }
}
