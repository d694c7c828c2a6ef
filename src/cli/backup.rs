//! `wabridge backup`: a copy of the database, whole and closed, while the service runs.

use super::{Failure, Outcome, output, visit};
use lexopt::{Arg, Parser};
use std::path::{Path, PathBuf};

pub const HELP: &str = "\
Copies the database into a new file, beside the running service, and reads the copy through.

Usage: wabridge backup [--force] FILE

--force  replace FILE when it is there already

The copy holds everything that was committed when it began. It takes its name when it is whole, so
FILE is never half a backup. It holds every message: it is readable by its owner alone.

To go back to it: stop the service, put the file in the database's place, remove the files with
-wal and -shm at the end that stand beside it, and start the service.
";

pub fn run(parser: Parser) -> Outcome {
    let (to, force) = parse(parser)?;
    if to.is_dir() {
        return Err(Failure::says(format!(
            "{} is a folder: name a file in it",
            to.display()
        )));
    }
    if to.exists() && !force {
        return Err(Failure::says(format!(
            "{} is there already: give another name, or --force to replace it",
            to.display()
        )));
    }
    let database = visit()?;
    if is_same(&to, database.path()) {
        return Err(Failure::says(format!(
            "{} is the database itself: give another name",
            to.display()
        )));
    }
    let copied = database.copy_to(&to)?;
    output::print(&format!(
        "{}: {} KiB, {} events, {} messages; read through and sound\n",
        to.display(),
        copied.bytes / 1024,
        copied.events,
        copied.messages
    ));
    Ok(())
}

fn parse(mut parser: Parser) -> Result<(PathBuf, bool), Failure> {
    let (mut to, mut force) = (None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("force") => force = true,
            Arg::Value(path) if to.is_none() && !path.is_empty() => to = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let to = to.ok_or_else(|| Failure::Misused("backup needs the FILE to write to".into()))?;
    Ok((to, force))
}

/// Also by another name: a link would overwrite the database as well.
fn is_same(a: &Path, b: Option<&Path>) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    b.is_some_and(|b| real(a).is_some_and(|a| Some(a) == real(b)))
}
