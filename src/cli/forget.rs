//! `wabridge forget`: everything about a person goes.

use super::prune::media_folder;
use super::{Failure, Outcome, output, visit};
use crate::config::{self, Sources};
use crate::edge::upkeep::{Forgotten, Upkeep, Visitor};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

pub const HELP: &str = "\
Takes everything about a person out of the database and MEDIA_DIR.

Usage: wabridge forget USER|CONVERSATION --yes [--number PHONE_NUMBER_ID] [--json]

USER          a phone number with country code, or a BSUID such as US.1349...
CONVERSATION  number/user, as inbox list shows it
--yes         do it; without it, only says what would go
--number      of this business number only; else of each that knows the person
--json        one JSON object: conversations events messages open files

What goes: their events and messages, and what names them elsewhere (in a group, in a contact that
somebody shared), with deliveries, dead letters, idempotency keys and files; and their conversation
with all its ids, its window, hand-over and rests. What is open ends: it is neither delivered nor
sent. What is deleted is overwritten.

What stays, as digests that tell nothing to somebody who does not know the id: that they wanted no
marketing; and for 9 days by which of its events Meta's repetitions are known. What your app and
backups hold is yours to delete, and what Meta sends of the person later is stored anew.

It works beside the running service. Interrupted, it can be repeated.
";

pub fn run(mut parser: Parser) -> Outcome {
    let (mut user, mut number, mut yes, mut as_json) = (None, None, false, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("yes") => yes = true,
            Arg::Long("json") => as_json = true,
            Arg::Long("number") => number = Some(parser.value()?.string()?),
            Arg::Value(value) if user.is_none() => user = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let user = user.ok_or_else(|| {
        Failure::Misused("forget needs a USER: a phone number or a BSUID".to_owned())
    })?;
    // As lists show it; no id of a person has a slash.
    let (number, user) = match user.split_once('/') {
        Some((of, user)) => (number.or(Some(of.to_owned())), user.to_owned()),
        None => (number, user),
    };
    let (config, _) = config::survey(&Sources::of_this_process());
    let database = visit()?;
    let media = media_folder(&config, &database)?;
    let mut upkeep = Upkeep::new(Visitor(database), media);
    let forgotten = match yes {
        true => upkeep.forget(number.as_deref(), &user)?,
        false => upkeep.survey(number.as_deref(), &user)?,
    };
    let Some(forgotten) = forgotten else {
        return Err(Failure::says(
            "nothing is known of this person: they have neither written nor been sent anything",
        ));
    };
    match as_json {
        true => tell_json(&forgotten),
        false => tell(&forgotten, yes),
    }
    if yes {
        upkeep.give_back()?;
        return Ok(());
    }
    Err(Failure::says("nothing was taken out: say --yes to do it"))
}

fn tell_json(forgotten: &Forgotten) {
    let removed = &forgotten.removed;
    output::json_line(&json!({
        "conversations": forgotten.conversations,
        "events": removed.events,
        "messages": removed.messages,
        "open": removed.open,
        "files": forgotten.files,
    }));
}

fn tell(forgotten: &Forgotten, done: bool) {
    for name in &forgotten.conversations {
        output::print(&format!("{}\n", output::inert(name)));
    }
    let removed = &forgotten.removed;
    let (events, messages) = (removed.events, removed.messages);
    if !done {
        return output::print(&format!(
            "{events} events and {messages} messages would go, with their files\n"
        ));
    }
    let (open, files) = (removed.open, forgotten.files);
    output::print(&format!(
        "{events} events, {messages} messages and {files} files are gone; {open} of them were still open\n"
    ));
    if !forgotten.log_emptied {
        output::print(
            "the log beside the database may hold some of it until it is written anew: somebody reads there; run wabridge forget for anybody later, or restart the service\n",
        );
    }
}
