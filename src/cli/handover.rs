//! `wabridge take` and `wabridge give`: a conversation goes into a person's hands, and
//! back to the bot.

use super::{Failure, Outcome, output, visit};
use crate::config::{self, Sources, span_of_time};
use crate::edge::clock;
use crate::edge::http::graph_api::answers::handover_json;
use crate::gateway::handover;
use crate::policy::handover::Hands;
use crate::store::Tx;
use lexopt::{Arg, Parser, ValueExt};
use std::time::Duration;

pub const TAKE_HELP: &str = "\
Takes a conversation over from your rules, program or app: they get none of its messages for a
while, and say nothing in it.

Usage: wabridge take USER|CONVERSATION [--for TIME] [--number PHONE_NUMBER_ID] [--json]

USER          a phone number with country code, or a BSUID such as US.1349...
CONVERSATION  number/user, as inbox list shows it
--for         until then, for example 30m or 2d; else for HANDOVER_FOR
--number      of this business number, when several know the person

What they had answered before still goes out, and so does what other programs send through the
API. Each answer from the phone (WhatsApp Business app) takes the conversation for HANDOVER_FOR by
itself. `wabridge status` lists what is taken. It works beside the running service.
";

pub const GIVE_HELP: &str = "\
Gives a conversation back to your rules, program or app: they get what comes from now on.

Usage: wabridge give USER|CONVERSATION [--number PHONE_NUMBER_ID] [--json]

USER          a phone number with country code, or a BSUID such as US.1349...
CONVERSATION  number/user, as inbox list shows it
--number      of this business number, when several know the person

What came while it was taken is not handed over later; wabridge inbox replay ID does that. It works
beside the running service.
";

pub fn take(parser: Parser) -> Outcome {
    let args = Args::read(parser, "take")?;
    let span = match args.span {
        Some(span) => span.as_millis() as i64,
        None => {
            let (config, _) = config::survey(&Sources::of_this_process());
            config.limits.handover_ms
        }
    };
    let now = clock::now_ms();
    args.change(|tx, number, user| handover::take(tx, now, number, user, now + span))
}

pub fn give(parser: Parser) -> Outcome {
    let args = Args::read(parser, "give")?;
    if args.span.is_some() {
        return Err(Failure::Misused("give has no --for".into()));
    }
    let now = clock::now_ms();
    args.change(|tx, number, user| handover::give(tx, now, number, user))
}

struct Args {
    user: String,
    number: Option<String>,
    span: Option<Duration>,
    json: bool,
}

impl Args {
    fn read(mut parser: Parser, verb: &str) -> Result<Args, Failure> {
        let (mut user, mut number, mut span, mut json) = (None, None, None, false);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("json") => json = true,
                Arg::Long("number") => number = Some(parser.value()?.string()?),
                Arg::Long("for") => {
                    let text = parser.value()?.string()?;
                    let read = span_of_time(&text);
                    span = Some(read.ok_or_else(|| {
                        Failure::Misused(format!(
                            "--for {text} is not a span of time: write 90s, 15m, 24h or 7d"
                        ))
                    })?);
                }
                Arg::Value(value) if user.is_none() => user = Some(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        let user = user.ok_or_else(|| {
            Failure::Misused(format!("{verb} needs a USER: a phone number or a BSUID"))
        })?;
        // As lists show it; no id of a person has a slash.
        let (of, user) = match user.split_once('/') {
            Some((of, user)) => (Some(of.to_owned()), user.to_owned()),
            None => (None, user),
        };
        Ok(Args {
            user,
            number: number.or(of),
            span,
            json,
        })
    }

    fn change(
        &self,
        change: impl Fn(&Tx<'_>, &str, &str) -> crate::store::Result<Option<Hands>>,
    ) -> Outcome {
        let mut database = visit()?;
        let numbers = match &self.number {
            Some(number) => vec![number.clone()],
            None => database.read(|tx| handover::numbers_of(tx, &self.user))?,
        };
        let nobody = || {
            Failure::says(format!(
                "there is no conversation with {}: inbox list shows those there are",
                self.user
            ))
        };
        let number = match &numbers[..] {
            [] => return Err(nobody()),
            [number] => number,
            several => {
                return Err(Failure::Misused(format!(
                    "several numbers know {}: say --number, one of {}",
                    self.user,
                    several.join(", ")
                )));
            }
        };
        let hands = database.commit(|tx| change(tx, number, &self.user))?;
        let hands = hands.ok_or_else(nobody)?;
        match (self.json, hands.taken) {
            (true, _) => output::json_line(&handover_json(&hands, clock::now_ms())),
            (false, Some(taken)) => output::print(&format!(
                "taken until {}; wabridge give ends it\n",
                clock::rfc3339(taken.until)
            )),
            (false, None) => output::print("given back\n"),
        }
        Ok(())
    }
}
