//! `wabridge window`: how long anything but a template may be sent to a person.

use super::{Failure, Outcome, output, visit};
use crate::edge::clock;
use crate::edge::http::graph_api::answers::window_json;
use crate::gateway::operator;
use crate::policy::window::Window;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Value, json};

pub const HELP: &str = "\
Tells how long anything but a template may still be sent to a person.

Usage: wabridge window USER [--number PHONE_NUMBER_ID] [--json]

USER      a phone number with country code, or a BSUID such as US.1349...
--number  from this business number only; else from each that knows the person

open     until then: the person wrote or called within 24 hours (customer_service), or came by an ad
         and was answered (free_entry_point)
closed   since then: only templates go out, until the person writes again
unknown  nothing was seen of this person: messages are sent, and Graph decides

--json prints one JSON object a line, with: number open until kind. It works beside the running
service.
";

pub fn run(mut parser: Parser) -> Outcome {
    let (mut user, mut number, mut as_json) = (None, None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("number") => number = Some(parser.value()?.string()?),
            Arg::Long("json") => as_json = true,
            Arg::Value(value) if user.is_none() => user = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let user = user.ok_or_else(|| {
        Failure::Misused("window needs a USER: a phone number or a BSUID".to_owned())
    })?;
    let now = clock::now_ms();
    let windows = visit()?.read(|tx| match &number {
        Some(number) => {
            let window = operator::window(tx, now, number, &user)?;
            Ok(vec![(number.clone(), window)])
        }
        None => operator::windows(tx, now, &user),
    })?;
    if windows.is_empty() && !as_json {
        output::print("unknown: no number has seen anything of this person\n");
    }
    for (number, window) in &windows {
        match as_json {
            true => output::json_line(&line(number, window)),
            false => output::print(&format!("{}  {}\n", output::inert(number), said(window))),
        }
    }
    Ok(())
}

fn said(window: &Window) -> String {
    match window {
        Window::Unknown => "unknown".into(),
        Window::Open { until, kind } => {
            format!("open until {} ({})", clock::rfc3339(*until), kind.as_str())
        }
        Window::Closed { since, kind } => {
            format!(
                "closed since {} ({})",
                clock::rfc3339(*since),
                kind.as_str()
            )
        }
    }
}

/// As the API shows it, and from which number.
fn line(number: &str, window: &Window) -> Value {
    let mut line = window_json(window);
    line["number"] = json!(number);
    line
}
