//! `wabridge marketing`: whether a person wants any, shown and set.

use super::{Failure, Outcome, output, visit};
use crate::edge::clock;
use crate::gateway::marketing;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

pub const HELP: &str = "\
Tells whether a person wants marketing, and remembers what they told you elsewhere.

Usage: wabridge marketing USER [stop|start] [--number PHONE_NUMBER_ID] [--json]

USER      a phone number with country code, or a BSUID such as US.1349...
stop      they want none any more: marketing templates to them fail with 131050
start     they want it (again)
--number  for this business number only; else for each that knows the person

A rule does the same by itself when a person writes the words for it (marketing = \"stop\"), unless
somebody has taken the conversation over meanwhile.

--json prints one JSON object a line, with: number stopped_at. It works beside the running service.
";

pub fn run(mut parser: Parser) -> Outcome {
    let (mut user, mut wish, mut number, mut as_json) = (None, None, None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("number") => number = Some(parser.value()?.string()?),
            Arg::Long("json") => as_json = true,
            Arg::Value(value) if user.is_none() => user = Some(value.string()?),
            Arg::Value(value) if wish.is_none() => wish = Some(stops(&value.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let user = user.ok_or_else(|| {
        Failure::Misused("marketing needs a USER: a phone number or a BSUID".to_owned())
    })?;
    let (mut database, now) = (visit()?, clock::now_ms());
    let wishes = database.commit(|tx| {
        if let Some(stops) = wish {
            marketing::set_wishes(tx, now, number.as_deref(), &user, stops)?;
        }
        marketing::wishes(tx, number.as_deref(), &user)
    })?;
    if wishes.is_empty() {
        return Err(Failure::says(
            "no number knows this person: they have neither written nor been sent anything",
        ));
    }
    for (number, stopped_at) in &wishes {
        let stopped_at = stopped_at.map(clock::rfc3339);
        if as_json {
            output::json_line(&json!({"number": number, "stopped_at": stopped_at}));
            continue;
        }
        let said = match stopped_at {
            Some(at) => format!("stopped since {at}"),
            None => "not stopped".into(),
        };
        output::print(&format!("{}  {said}\n", output::inert(number)));
    }
    Ok(())
}

/// Whether a word stops marketing, or starts it.
fn stops(word: &str) -> Result<bool, Failure> {
    match word {
        "stop" => Ok(true),
        "start" => Ok(false),
        other => Err(Failure::Misused(format!(
            "marketing takes stop or start, not `{other}`"
        ))),
    }
}
