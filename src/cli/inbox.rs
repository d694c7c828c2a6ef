//! `wabridge inbox list|show|replay|drop`: events that came in, looked at and steered.

mod drop;
mod replay;

use super::{Failure, Outcome, View, ids, no_flags, output, view_and_values, visit};
use crate::config::{self, Sources};
use crate::edge::clock;
use crate::gateway::BOT;
use crate::gateway::inbox::{self, DeliveryRow, Filter, InboxRow, InboxState, MediaRow};
use crate::store::rows::Attempt;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Value, json};

pub const HELP: &str = "\
Shows the events that came in and what became of them, and delivers them again.

Usage: wabridge inbox list [--state pending|done|dead] [--limit N] [--json]
       wabridge inbox show ID [--json]
       wabridge inbox replay ID...
       wabridge inbox replay --dead [--consumer NAME] [--since TIME] [--until TIME]
                [--error TEXT] [--limit N] [--dry-run]
       wabridge inbox replay --consumer NAME --since TIME [--until TIME]
                [--state done|dead] [--error TEXT] [--limit N] [--dry-run]
       wabridge inbox replay --consumer NAME --new --since TIME [--until TIME] ...
       wabridge inbox drop --consumer NAME

list    the newest events, oldest of them first (50, or --limit N)
show    one event with its deliveries and what attempts at them got, its files and Meta's envelope
replay  hands events to your logic again, in their place in the conversation and under the
        same webhook-id, and tries files anew that could not be fetched. By ids: to all who
        got them. --dead: what was given up. --consumer: to the bot, or that observer, alone;
        --since and --until: events that came then (2h ago, 2026-05-31, or RFC 3339);
        --error: where that is in what went wrong; --new: events that the consumer never
        got, because it was not there; --dry-run only counts
drop    gives up what waits for an observer that OBSERVERS does not name any more

--json prints one JSON object a line, with: id kind field type key conversation received_at
state attempts error media deliveries. It works beside the running service.
";

pub fn run(mut parser: Parser) -> Outcome {
    let verb = match parser.next()? {
        Some(Arg::Value(verb)) => verb.string()?,
        _ => {
            return Err(Failure::Misused(
                "inbox needs list, show, replay or drop".into(),
            ));
        }
    };
    match verb.as_str() {
        "replay" => return replay::run(parser),
        "drop" => return drop::run(parser),
        _ => {}
    }
    let (view, values, flags) = view_and_values(&mut parser)?;
    match verb.as_str() {
        "list" => {
            no_flags(&flags)?;
            list(&view, &values)
        }
        "show" => {
            no_flags(&flags)?;
            show(&view, &values)
        }
        other => Err(Failure::Misused(format!(
            "inbox has list, show, replay and drop, not `{other}`"
        ))),
    }
}

fn list(view: &View, values: &[String]) -> Outcome {
    if let Some(value) = values.first() {
        return Err(Failure::Misused(format!("unexpected argument `{value}`")));
    }
    let state = match &view.state {
        None => None,
        Some(word) => Some(InboxState::parse(word).ok_or_else(|| {
            Failure::Misused(format!("--state {word}: events are pending, done or dead"))
        })?),
    };
    let filter = Filter::in_state(state);
    let rows = visit()?.read(|tx| inbox::newest(tx, &filter, view.limit()))?;
    if view.json {
        rows.iter().for_each(|row| output::json_line(&json(row)));
        return Ok(());
    }
    let cells = |row: &InboxRow| {
        vec![
            row.event.id.to_string(),
            clock::rfc3339(row.event.received_at),
            row.event.kind.as_str().to_owned(),
            row.event.field.clone(),
            row.event.type_.clone(),
            row.conversation.clone(),
            row.state.as_str().to_owned(),
            row.attempts.to_string(),
            error(row),
        ]
    };
    let heads = [
        "ID",
        "RECEIVED",
        "KIND",
        "FIELD",
        "TYPE",
        "CONVERSATION",
        "STATE",
        "TRIES",
        "ERROR",
    ];
    output::table(&heads, &rows.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

fn show(view: &View, values: &[String]) -> Outcome {
    let ids = ids(values)?;
    if ids.is_empty() {
        return Err(Failure::Misused("inbox show needs an event's id".into()));
    }
    let database = visit()?;
    for id in ids {
        let row = database.read(|tx| inbox::event(tx, id))?;
        let Some(row) = row else {
            return Err(Failure::says(format!("there is no event {id}")));
        };
        let tries = row.deliveries.iter().map(|one| one.job);
        let tries: Vec<Vec<Attempt>> = database.read(|tx| {
            let tries = tries.map(|job| tx.attempts(job));
            tries.collect()
        })?;
        match view.json {
            true => {
                let mut shown = json(&row);
                for (index, tries) in tries.iter().enumerate() {
                    shown["deliveries"][index]["tries"] = output::tries_json(tries);
                }
                output::print(&output::inert_json(&with_body(&shown, &row)));
            }
            false => output::print(&people(&row, &tries)),
        }
    }
    Ok(())
}

fn json(row: &InboxRow) -> Value {
    json!({
        "id": row.event.id,
        "kind": row.event.kind.as_str(),
        "field": row.event.field,
        "type": row.event.type_,
        "key": row.event.key,
        "conversation": row.conversation,
        "received_at": clock::rfc3339(row.event.received_at),
        "state": row.state.as_str(),
        "attempts": row.attempts,
        "error": row.error,
        "media": row.media.iter().map(media_json).collect::<Vec<_>>(),
        "deliveries": row.deliveries.iter().map(delivery_json).collect::<Vec<_>>(),
    })
}

fn delivery_json(row: &DeliveryRow) -> Value {
    json!({
        "consumer": row.consumer,
        "state": row.state.as_str(),
        "attempts": row.attempts,
        "error": row.error,
    })
}

/// What went wrong, and for whom when that is not plain.
fn error(row: &InboxRow) -> String {
    let error = row.error.clone().unwrap_or_default();
    let worst = row
        .deliveries
        .iter()
        .find(|d| d.state == row.state && d.error == row.error);
    match worst {
        Some(one) if row.error.is_some() && one.consumer != BOT => {
            format!("{}: {error}", one.consumer)
        }
        _ => error,
    }
}

fn media_json(row: &MediaRow) -> Value {
    json!({
        "media_id": row.media.media_id,
        "kind": row.media.kind,
        "mime_type": row.media.mime_type,
        "filename": row.media.filename,
        "state": row.state.as_str(),
        "attempts": row.attempts,
        "error": row.error,
        "bytes": row.media.bytes,
        "path": path(row),
    })
}

/// Where a fetched file is.
fn path(row: &MediaRow) -> Option<String> {
    let file = row.media.file.as_ref()?;
    let (config, _) = config::survey(&Sources::of_this_process());
    let folder = config.media.map(|media| media.folder).unwrap_or_default();
    Some(folder.join(file).to_string_lossy().into_owned())
}

/// The row with Meta's envelope to the letter.
fn with_body(value: &Value, row: &InboxRow) -> String {
    let mut line = value.to_string();
    line.pop();
    // Line breaks stand only between tokens in JSON: blanks there are the same.
    let body = row.event.body.replace(['\n', '\r'], " ");
    line.push_str(&format!(",\"body\":{body}}}\n"));
    line
}

fn people(row: &InboxRow, tries: &[Vec<Attempt>]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<13}{}\n", output::inert(value)));
        }
    };
    line("event", &row.event.id.to_string());
    line("kind", row.event.kind.as_str());
    line("field", &row.event.field);
    line("type", &row.event.type_);
    line("key", &row.event.key);
    line("conversation", &row.conversation);
    line("received", &clock::rfc3339(row.event.received_at));
    line("state", row.state.as_str());
    for (delivery, attempts) in row.deliveries.iter().zip(tries) {
        let error = delivery
            .error
            .as_deref()
            .map(|e| format!(": {e}"))
            .unwrap_or_default();
        let (state, tries) = (delivery.state.as_str(), delivery.attempts);
        line(
            "delivery",
            &format!("{} {state} after {tries} tries{error}", delivery.consumer),
        );
        for attempt in attempts {
            line("try", &output::attempt(attempt));
        }
    }
    for media in &row.media {
        let rest = match (path(media), &media.error) {
            (Some(path), _) => format!(": {path}"),
            (None, Some(error)) => format!(" after {} tries: {error}", media.attempts),
            (None, None) => String::new(),
        };
        let (kind, id) = (&media.media.kind, &media.media.media_id);
        line(
            "file",
            &format!("{kind} {id} {}{rest}", media.state.as_str()),
        );
    }
    let body = output::inert_json(row.event.body.trim_end());
    text.push_str(&format!("\n{body}\n"));
    text
}
