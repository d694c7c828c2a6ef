//! `wabridge inbox list|show|replay|drop`

mod drop;

use super::{Failure, Outcome, View, ids, no_flags, output, view_and_values, visit};
use crate::config::{self, Sources};
use crate::edge::clock;
use crate::gateway::operator::{self, InboxRow, InboxState, MediaRow, Replayed};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Value, json};

pub const HELP: &str = "\
Shows the events that came in and what became of them, and delivers them again.

Usage: wabridge inbox list [--state pending|done|dead] [--limit N] [--json]
       wabridge inbox show ID [--json]
       wabridge inbox replay ID...
       wabridge inbox replay --dead [--limit N]
       wabridge inbox drop --consumer NAME

list    the newest events, oldest of them first (50, or --limit N)
show    one event with its deliveries, its files and Meta's envelope
replay  hands events to your logic again, in their place in the conversation, and tries
        files anew that could not be fetched; --dead takes all that were given up
drop    gives up what waits for an observer that OBSERVERS does not name any more

--json prints one JSON object a line, with: id kind field type key conversation received_at
state attempts error media. It works beside the running service.
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
    if verb == "drop" {
        return drop::run(parser);
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
        "replay" => replay(&view, &values, &flags),
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
    let rows = visit()?.read(|tx| operator::inbox(tx, state, view.limit()))?;
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
            row.error.clone().unwrap_or_default(),
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
        let row = database.read(|tx| operator::inbox_event(tx, id))?;
        let Some(row) = row else {
            return Err(Failure::says(format!("there is no event {id}")));
        };
        match view.json {
            true => output::print(&output::inert_json(&with_body(&json(&row), &row))),
            false => output::print(&people(&row)),
        }
    }
    Ok(())
}

fn replay(view: &View, values: &[String], flags: &[String]) -> Outcome {
    let mut ids = ids(values)?;
    let mut database = visit()?;
    match flags {
        [] if ids.is_empty() => {
            return Err(Failure::Misused("inbox replay needs ids, or --dead".into()));
        }
        [] => {}
        [flag] if flag == "dead" => {
            if !ids.is_empty() {
                return Err(Failure::Misused("give either ids or --dead".into()));
            }
            let limit = view.limit.unwrap_or(usize::MAX >> 1);
            ids = database.read(|tx| operator::dead_letters(tx, limit))?;
        }
        _ => return no_flags(flags),
    }
    let (mut again, mut missing) = (0, Vec::new());
    // In steps: a service beside us waits for each of them.
    for some in ids.chunks(100) {
        let now = clock::now_ms();
        let outcomes = database.commit(|tx| {
            some.iter()
                .map(|id| Ok((*id, operator::replay(tx, now, *id)?)))
                .collect::<crate::store::Result<Vec<_>>>()
        })?;
        for (id, outcome) in outcomes {
            match outcome {
                Replayed::Again => again += 1,
                Replayed::Pending => {
                    output::print(&format!("event {id} is still being delivered\n"))
                }
                Replayed::Missing => missing.push(id),
            }
        }
    }
    let s = if again == 1 { "" } else { "s" };
    output::print(&format!("{again} event{s} will be delivered again\n"));
    match missing.first() {
        None => Ok(()),
        Some(id) => Err(Failure::says(format!("there is no event {id}"))),
    }
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
    })
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

/// The row with its deliveries and Meta's envelope to the letter.
fn with_body(value: &Value, row: &InboxRow) -> String {
    let deliveries: Vec<Value> = row
        .deliveries
        .iter()
        .map(|d| {
            json!({"consumer": d.consumer, "state": d.state.as_str(), "attempts": d.attempts, "error": d.error})
        })
        .collect();
    let mut line = value.to_string();
    line.pop();
    // Line breaks stand only between tokens in JSON: blanks there are the same.
    let body = row.event.body.replace(['\n', '\r'], " ");
    line.push_str(&format!(
        ",\"deliveries\":{},\"body\":{body}}}\n",
        Value::from(deliveries)
    ));
    line
}

fn people(row: &InboxRow) -> String {
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
    for delivery in &row.deliveries {
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
