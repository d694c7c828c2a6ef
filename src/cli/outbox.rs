//! `wabridge outbox list|show|retry|hold|cancel`: messages that go out, looked at and
//! steered.

use super::{Failure, Outcome, View, ids, no_flags, output, view_and_values, visit};
use crate::edge::clock;
use crate::gateway::outbox::{self, OutboxRow, Steered};
use crate::policy::ladder::SendState;
use crate::store::Tx;
use crate::store::rows::{Attempt, OutboxId};
use crate::store::tx::MessageFilter;
use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Value, json};

pub const HELP: &str = "\
Shows the messages that go out and what became of them, and steers them.

Usage: wabridge outbox list [--state STATE] [--limit N] [--json]
       wabridge outbox show ID [--json]
       wabridge outbox retry ID... | --state STATE
       wabridge outbox hold ID... | --state STATE
       wabridge outbox cancel ID... | --state STATE

list    the newest messages, oldest of them first (50, or --limit N)
show    one message with its body, and what attempts at it got
retry   sends again what was held, has failed, was cancelled, or waits for a status; what may have
        gone out already may arrive twice
hold    takes out what is queued or waits for a status, until it is retried; others go on
cancel  takes back what is queued, held, or waits for a status

With --state, all messages in that state are retried, held or cancelled (--state held, --state
unknown), the oldest first.

States: queued sending unknown accepted sent delivered read failed held cancelled.
unknown: Graph's answer was lost; a status will tell, or it is sent again (ON_UNKNOWN).

--json prints one JSON object a line, with: id number to type state wamid sent_as attempts error
created_at resent. sent_as: template, where WINDOW_TEMPLATE took the message's place. resent: how
often it was sent again although it may have gone out. It works beside the running service.
";

pub fn run(mut parser: Parser) -> Outcome {
    let verb = match parser.next()? {
        Some(Arg::Value(verb)) => verb.string()?,
        _ => {
            return Err(Failure::Misused(
                "outbox needs list, show, retry, hold or cancel".into(),
            ));
        }
    };
    let (view, values, flags) = view_and_values(&mut parser)?;
    no_flags(&flags)?;
    match verb.as_str() {
        "list" => list(&view, &values),
        "show" => show(&view, &values),
        "retry" => steer(&view, &values, &RETRY),
        "hold" => steer(&view, &values, &HOLD),
        "cancel" => steer(&view, &values, &CANCEL),
        other => Err(Failure::Misused(format!(
            "outbox has list, show, retry, hold and cancel, not `{other}`"
        ))),
    }
}

fn list(view: &View, values: &[String]) -> Outcome {
    if let Some(value) = values.first() {
        return Err(Failure::Misused(format!("unexpected argument `{value}`")));
    }
    let filter = MessageFilter {
        state: wanted(view)?,
        ..MessageFilter::default()
    };
    let rows = visit()?.read(|tx| outbox::newest(tx, &filter, view.limit()))?;
    if view.json {
        rows.iter().for_each(|row| output::json_line(&json(row)));
        return Ok(());
    }
    let cells = |row: &OutboxRow| {
        let message = &row.message;
        vec![
            message.id.to_string(),
            clock::rfc3339(message.created_at),
            message.number.clone(),
            message.recipient.clone(),
            message.type_.clone(),
            message.state.as_str().to_owned(),
            row.attempts.to_string(),
            error(row).unwrap_or_default(),
        ]
    };
    let heads = [
        "ID", "CREATED", "NUMBER", "TO", "TYPE", "STATE", "TRIES", "ERROR",
    ];
    output::table(&heads, &rows.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

fn show(view: &View, values: &[String]) -> Outcome {
    let ids = ids(values)?;
    if ids.is_empty() {
        return Err(Failure::Misused("outbox show needs a message's id".into()));
    }
    let database = visit()?;
    for id in ids {
        let row = database.read(|tx| outbox::message(tx, id))?;
        let Some(row) = row else {
            return Err(Failure::says(format!(
                "there is no message {id} in the outbox"
            )));
        };
        let tries = database.read(|tx| tx.attempts_at_message(id))?;
        match view.json {
            true => output::print(&output::inert_json(&with_body(&row, &tries))),
            false => output::print(&people(&row, &tries)),
        }
    }
    Ok(())
}

/// A way to steer messages.
struct Steering {
    step: fn(&Tx<'_>, i64, OutboxId) -> crate::store::Result<Steered>,
    done: &'static str,
    /// What it is for, said when a message is in another state.
    only: &'static str,
}

const RETRY: Steering = Steering {
    step: outbox::retry,
    done: "will be sent again",
    only: "only what was held, has failed, was cancelled or waits for a status is sent again",
};
const HOLD: Steering = Steering {
    step: outbox::hold,
    done: "is held until it is retried or cancelled",
    only: "only what is queued or waits for a status can be held",
};
const CANCEL: Steering = Steering {
    step: outbox::cancel,
    done: "is cancelled",
    only: "only what is queued, held or waits for a status can be taken back",
};

/// Messages steered in one commit: the service waits for it.
const BATCH: usize = 200;

fn steer(view: &View, values: &[String], steering: &Steering) -> Outcome {
    let ids = ids(values)?;
    let mut database = visit()?;
    let ids = match (wanted(view)?, ids.is_empty()) {
        (None, false) => ids,
        (Some(state), true) => {
            let found = database.read(|tx| tx.messages_in(state))?;
            if found.is_empty() {
                output::print(&format!("no message is {}\n", state.as_str()));
            }
            found
        }
        _ => {
            return Err(Failure::Misused(
                "say which messages: their ids, or --state STATE".into(),
            ));
        }
    };
    let mut refused = Vec::new();
    for ids in ids.chunks(BATCH) {
        let now = clock::now_ms();
        let steered = database.commit(|tx| {
            let each = ids
                .iter()
                .map(|id| Ok((*id, (steering.step)(tx, now, *id)?)));
            each.collect::<crate::store::Result<Vec<_>>>()
        })?;
        for (id, steered) in steered {
            match steered {
                Steered::Done => output::print(&format!("message {id} {}\n", steering.done)),
                Steered::NotNow(state) => refused.push(format!(
                    "message {id} is {}: {}",
                    state.as_str(),
                    steering.only
                )),
                Steered::Missing => refused.push(format!("there is no message {id} in the outbox")),
            }
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::says(refused.join("; "))),
    }
}

/// The state that `--state` names.
fn wanted(view: &View) -> Result<Option<SendState>, Failure> {
    let Some(word) = &view.state else {
        return Ok(None);
    };
    let state = SendState::parse(word).ok_or_else(|| {
        Failure::Misused(format!(
            "--state {word}: messages are queued, sending, unknown, accepted, sent, delivered, \
             read, failed, held or cancelled"
        ))
    })?;
    Ok(Some(state))
}

fn json(row: &OutboxRow) -> Value {
    let message = &row.message;
    json!({
        "id": message.id,
        "number": message.number,
        "to": message.recipient,
        "type": message.type_,
        "state": message.state.as_str(),
        "wamid": message.wamid,
        "sent_as": message.substitute.as_ref().map(|_| "template"),
        "attempts": row.attempts,
        "error": error(row),
        "created_at": clock::rfc3339(message.created_at),
        "resent": message.resent,
    })
}

fn with_body(row: &OutboxRow, tries: &[Attempt]) -> String {
    let message = &row.message;
    let mut shown = json(row);
    shown["tries"] = output::tries_json(tries);
    let mut line = shown.to_string();
    line.pop();
    // Line breaks stand only between tokens in JSON: blanks there are the same.
    let body = message.body.replace(['\n', '\r'], " ");
    let changed_at = clock::rfc3339(message.changed_at);
    let event = Value::from(message.cause);
    // One of ours, on one line.
    let substitute = message.substitute.as_deref().unwrap_or("null");
    line.push_str(&format!(
        ",\"changed_at\":\"{changed_at}\",\"event\":{event},\"body\":{body},\"substitute\":{substitute}}}\n"
    ));
    line
}

fn error(row: &OutboxRow) -> Option<String> {
    let text = row.message.error.as_ref()?;
    Some(match row.message.error_code {
        Some(code) => format!("{code}: {text}"),
        None => text.clone(),
    })
}

fn people(row: &OutboxRow, tries: &[Attempt]) -> String {
    let message = &row.message;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<10}{}\n", output::inert(value)));
        }
    };
    line("message", &message.id.to_string());
    line("number", &message.number);
    line("to", &message.recipient);
    line("type", &message.type_);
    line("state", message.state.as_str());
    line("wamid", message.wamid.as_deref().unwrap_or_default());
    line("tries", &row.attempts.to_string());
    line(
        "resent",
        &match message.resent {
            0 => String::new(),
            times => format!("{times} times without knowing whether it had gone out"),
        },
    );
    line("error", &error(row).unwrap_or_default());
    for attempt in tries {
        line("try", &output::attempt(attempt));
    }
    line("created", &clock::rfc3339(message.created_at));
    line("changed", &clock::rfc3339(message.changed_at));
    line(
        "answers",
        &message
            .cause
            .map(|id| format!("event {id}"))
            .unwrap_or_default(),
    );
    let body = output::inert_json(message.body.trim_end());
    text.push_str(&format!("\n{body}\n"));
    if let Some(substitute) = &message.substitute {
        let substitute = output::inert_json(substitute);
        text.push_str(&format!(
            "\nafter the 24 hours, in its place:\n{substitute}\n"
        ));
    }
    text
}
