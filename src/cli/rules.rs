//! `wabridge rules test`: which rule answers a message, and with what.

use super::{Failure, Outcome, output};
use crate::config::{self, Sources};
use crate::edge::clock;
use crate::gateway::{Effect, Facts};
use crate::handler::rules::{Answer, Judged, Rules, Trial, Tried, Untried};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Value, json};
use std::path::PathBuf;

pub const HELP: &str = "\
Tells which rule answers a message and with what, without a service and without sending anything.

Usage: wabridge rules test [TEXT] [--type TYPE] [--reply-id ID] [--from PHONE|BSUID]
                           [--name NAME] [--number PHONE_NUMBER_ID] [--referral AD]
                           [--first-contact] [--resting RULE]... [--at TIME]
                           [--file RULES] [--json]

TEXT             what the customer writes, or the label of what they tap
--type           what they send: text (unless said otherwise), image, voice, location, …
--reply-id       the id of the button or list row they tap
--from, --name   who they are
--number         the business number they write to
--referral       the id of the ad they come by
--first-contact  it is their first message
--resting        a rule with a cooldown has fired already; its name
--at             when, as 2026-12-24T18:30+01:00 or 2026-12-24T18:30[Europe/Berlin] (now)
--file           the rules (RULES_FILE)

Prints the rule, the messages as Graph would get them, and why each rule before it does not fit.
--json prints one JSON object: rule name line messages remembered passed; rule is null when none
fits. What a running service remembers of people is not looked at. Exit code 1 when the file is
wrong or the answer cannot be made.
";

/// What is tried.
#[derive(Default)]
struct Options {
    text: Option<String>,
    type_: Option<String>,
    reply_id: Option<String>,
    from: Option<String>,
    name: Option<String>,
    number: Option<String>,
    referral: Option<String>,
    first_contact: bool,
    resting: Vec<String>,
    at: Option<i64>,
    file: Option<PathBuf>,
    json: bool,
}

pub fn run(mut parser: Parser) -> Outcome {
    match parser.next()? {
        Some(Arg::Value(verb)) if verb == "test" => {}
        _ => return Err(Failure::Misused("rules needs test".into())),
    }
    let options = parse(parser)?;
    let file = options.file.clone().or_else(|| {
        let sources = Sources::of_this_process();
        config::survey(&sources).0.rules
    });
    let Some(file) = file else {
        return Err(Failure::says(
            "there are no rules: name the file with --file, or set RULES_FILE",
        ));
    };
    let rules = Rules::load(&file).map_err(Failure::because)?;
    let now = options.at.unwrap_or_else(clock::now_ms);
    let trial = Trial {
        text: options.text.as_deref().unwrap_or_default(),
        type_: options.type_.as_deref(),
        reply_id: options.reply_id.as_deref(),
        from: options.from.as_deref(),
        name: options.name.as_deref(),
        number: options.number.as_deref(),
        referral: options.referral.as_deref(),
        at: now,
    };
    // For however short a time: it rests at that moment.
    let still = now.saturating_add(1);
    let resting = options.resting.into_iter().map(|name| (name, still));
    let facts = Facts {
        first_contact: options.first_contact,
        resting: resting.collect(),
        ..Facts::default()
    };
    let tried = trial
        .put_to(&rules, &facts)
        .map_err(|untried| match untried {
            Untried::Unknown(text) => Failure::Misused(text),
            Untried::Failed(text) => Failure::says(text),
        })?;
    let Tried { judged, messages } = tried;
    match options.json {
        true => output::json_line(&in_json(&judged, &messages)),
        false => output::print(&in_words(&judged, &messages)),
    }
    Ok(())
}

fn parse(mut parser: Parser) -> Result<Options, Failure> {
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        let place = match arg {
            Arg::Long("type") => &mut options.type_,
            Arg::Long("reply-id") => &mut options.reply_id,
            Arg::Long("from") => &mut options.from,
            Arg::Long("name") => &mut options.name,
            Arg::Long("number") => &mut options.number,
            Arg::Long("referral") => &mut options.referral,
            Arg::Long("first-contact") => {
                options.first_contact = true;
                continue;
            }
            Arg::Long("resting") => {
                options.resting.push(parser.value()?.string()?);
                continue;
            }
            Arg::Long("at") => {
                options.at = Some(time(&parser.value()?.string()?)?);
                continue;
            }
            Arg::Long("file") => {
                options.file = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("json") => {
                options.json = true;
                continue;
            }
            Arg::Value(text) if options.text.is_none() => {
                options.text = Some(text.string()?);
                continue;
            }
            other => return Err(other.unexpected().into()),
        };
        *place = Some(parser.value()?.string()?);
    }
    Ok(options)
}

/// A moment in Unix milliseconds: with its distance from UTC, or with its zone.
fn time(text: &str) -> Result<i64, Failure> {
    let by_zone = || text.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp());
    let found = text.parse::<jiff::Timestamp>().or_else(|_| by_zone());
    found.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        Failure::Misused(format!(
            "--at {text} is no moment: write 2026-12-24T18:30+01:00, or 2026-12-24T18:30[Europe/Berlin]"
        ))
    })
}

fn in_json(judged: &Judged, messages: &[Value]) -> Value {
    let passed = judged.passed.iter().enumerate();
    let passed: Vec<Value> = passed
        .map(|(index, why)| json!({"rule": index + 1, "why": why}))
        .collect();
    let answer = judged.answer.as_ref();
    let remembered = answer.map_or(&[][..], |answer| &answer.effects);
    let remembered: Vec<Value> = remembered
        .iter()
        .map(|effect| match effect {
            Effect::Rest { until, .. } => json!({"rests_until": clock::rfc3339(*until)}),
            Effect::StopMarketing => json!({"marketing": "stop"}),
            Effect::StartMarketing => json!({"marketing": "start"}),
            Effect::HandOver => json!({"hand_over": true}),
        })
        .collect();
    json!({
        "rule": answer.map(|answer| answer.rule),
        "name": answer.and_then(|answer| answer.name.as_deref()),
        "line": answer.map(|answer| answer.line),
        "messages": messages,
        "remembered": remembered,
        "passed": passed,
    })
}

fn in_words(judged: &Judged, messages: &[Value]) -> String {
    let mut text = match &judged.answer {
        Some(answer) => answered(answer, messages),
        None => {
            "no rule fits: the message goes on to your program or app, if there is one\n".into()
        }
    };
    if !judged.passed.is_empty() {
        text.push_str("does not fit:");
        for (index, why) in judged.passed.iter().enumerate() {
            let end = if index == 0 { "" } else { "," };
            text.push_str(&format!("{end} rule {} ({why})", index + 1));
        }
        text.push('\n');
    }
    text
}

fn answered(answer: &Answer, messages: &[Value]) -> String {
    let name = answer.name.as_deref().map(|name| format!(" \"{name}\""));
    let mut text = format!(
        "rule {}{} in line {} fits",
        answer.rule,
        output::inert(&name.unwrap_or_default()),
        answer.line
    );
    text.push_str(match messages.len() {
        0 => " and answers nothing\n",
        _ => " and answers:\n",
    });
    for message in messages {
        let json = serde_json::to_string_pretty(message).unwrap_or_default();
        text.push_str(&output::inert_json(&json));
        text.push('\n');
    }
    for effect in &answer.effects {
        text.push_str(&match effect {
            Effect::Rest { until, .. } => {
                format!(
                    "it rests for this person until {}\n",
                    clock::rfc3339(*until)
                )
            }
            Effect::StopMarketing => "this person gets no marketing templates any more\n".into(),
            Effect::StartMarketing => "this person gets marketing templates again\n".into(),
            Effect::HandOver => {
                "the conversation is handed over to a person for HANDOVER_FOR\n".into()
            }
        });
    }
    text
}
