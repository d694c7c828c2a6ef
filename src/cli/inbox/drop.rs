//! `wabridge inbox drop`: what waits for an observer that is gone is given up.

use crate::cli::{Failure, Outcome, output, visit};
use crate::edge::clock;
use crate::gateway::inbox::{self, Dropped};
use lexopt::{Arg, Parser, ValueExt};

/// In steps: a service beside us waits for each of them.
const AT_ONCE: usize = 200;

pub(super) fn run(mut parser: Parser) -> Outcome {
    let mut consumer = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("consumer") => consumer = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(consumer) = consumer else {
        let text = "inbox drop needs --consumer NAME; `wabridge status` names them";
        return Err(Failure::Misused(text.into()));
    };
    let mut database = visit()?;
    let mut dropped = 0;
    loop {
        let now = clock::now_ms();
        let step = database.commit(|tx| inbox::drop_deliveries(tx, now, &consumer, AT_ONCE))?;
        match step {
            Dropped::Some(0) => break,
            Dropped::Some(more) => dropped += more,
            Dropped::Served => {
                return Err(Failure::says(format!(
                    "{consumer} gets its events: take it out of OBSERVERS first, and have the service read that (systemctl reload)"
                )));
            }
            Dropped::Missing => {
                return Err(Failure::says(format!(
                    "there is no consumer {consumer}: `wabridge status` names them"
                )));
            }
        }
    }
    let (s, are) = if dropped == 1 {
        ("y", "is a dead letter")
    } else {
        ("ies", "are dead letters")
    };
    output::print(&format!("{dropped} deliver{s} to {consumer} {are} now\n"));
    Ok(())
}
