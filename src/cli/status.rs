//! `wabridge status`: how the whole is doing, for people and as JSON.

use super::{Failure, Outcome, no_flags, output, view_and_values, visit};
use crate::edge::clock;
use crate::gateway::handover::Held;
use crate::gateway::operator::{self, QueueStatus, Rates, Status};
use crate::policy::alarm::Alarm;
use crate::store::rows::Halt;
use lexopt::Parser;
use serde_json::{Map, Value, json};

pub const HELP: &str = "\
Tells how it is going: what waits, since when, how much came and went, what is halted, and what
needs a person (alarms).

Usage: wabridge status [--json]

--json prints one JSON object. It works beside the running service.
";

/// Conversations in a person's hands that are listed for people.
const TAKEN_SHOWN: usize = 10;

pub fn run(mut parser: Parser) -> Outcome {
    let (view, values, flags) = view_and_values(&mut parser)?;
    no_flags(&flags)?;
    if let Some(value) = values.first() {
        return Err(Failure::Misused(format!("unexpected argument `{value}`")));
    }
    let now = clock::now_ms();
    let looked =
        visit()?.read_one_moment(|tx| Ok((operator::status(tx, now)?, operator::rates(tx, now)?)));
    let (status, rates) = looked?;
    match view.json {
        true => output::json_line(&json(&status, &rates, now)),
        false => people(&status, &rates, now),
    }
    Ok(())
}

fn kind(queue: &QueueStatus) -> &'static str {
    queue.queue.kind.as_str()
}

/// How long the oldest job has waited.
fn age_s(queue: &QueueStatus, now: i64) -> Option<i64> {
    queue.oldest.map(|since| (now - since).max(0) / 1_000)
}

fn trouble(status: &Status, queue: &QueueStatus, now: i64) -> String {
    if !queue.queue.served {
        let name = output::inert(&queue.queue.name);
        return format!(
            "not in OBSERVERS any more: name it again, or: wabridge inbox drop --consumer {name}"
        );
    }
    if let Some(halt) = status.halt_of(&queue.queue) {
        return format!("halted ({}): {}", halt.scope.as_str(), halt.reason);
    }
    let breaker = queue.queue.breaker;
    let wait_s = (breaker.closed_until_ms - now + 999) / 1_000;
    match (breaker.probing(), wait_s > 0) {
        (true, _) => format!(
            "down: {} failures in a row; trying again in {}s",
            breaker.failures,
            wait_s.max(0)
        ),
        (false, true) => format!("slowed for {wait_s}s"),
        (false, false) => String::new(),
    }
}

fn halt_json(status: &Status, halt: &Halt) -> Value {
    let (reason, mend) = halt.reason_and_mend();
    json!({
        "scope": halt.scope.as_str(),
        "numbers": status.halted(halt).collect::<Vec<_>>(),
        "since": clock::rfc3339(halt.since),
        "code": halt.code,
        "reason": reason,
        "mend": mend,
        "details": halt.details,
    })
}

fn alarm_json(alarm: &Alarm) -> Value {
    let cause = &alarm.cause;
    json!({
        "alarm": cause.kind.as_str(),
        "subject": cause.subject,
        "since": clock::rfc3339(alarm.since),
        "says": cause.says,
        "mend": cause.mend,
    })
}

fn taken_json(held: &Held) -> Value {
    json!({
        "conversation": held.conversation,
        "by": held.taken.by.as_str(),
        "since": clock::rfc3339(held.taken.since),
        "until": clock::rfc3339(held.taken.until),
    })
}

fn json(status: &Status, rates: &Rates, now: i64) -> Value {
    let queues: Vec<Value> = status
        .queues
        .iter()
        .map(|queue| {
            json!({
                "kind": kind(queue),
                "name": queue.queue.name,
                "open": queue.open,
                "oldest_seconds": age_s(queue, now),
                "dead": queue.dead,
                "served": queue.queue.served,
                "halt": status.halt_of(&queue.queue).map(|halt| &halt.reason),
                "failures": queue.queue.breaker.failures,
            })
        })
        .collect();
    let counts = |pairs: &[(String, i64)]| -> Map<String, Value> {
        pairs
            .iter()
            .map(|(name, count)| (name.clone(), (*count).into()))
            .collect()
    };
    json!({
        "queues": queues,
        "alarms": status.alarms.iter().map(alarm_json).collect::<Vec<_>>(),
        "halts": status.halts.iter().map(|halt| halt_json(status, halt)).collect::<Vec<_>>(),
        "taken": {
            "count": status.taken.1,
            "conversations": status.taken.0.iter().map(taken_json).collect::<Vec<_>>(),
        },
        "outbox": counts(&status.outbox),
        "received": {"minute": rates.received[0], "hour": rates.received[1]},
        "accepted": {"hour": counts(&rates.accepted)},
    })
}

fn alarm_text(alarm: &Alarm) -> String {
    let cause = &alarm.cause;
    let about = match cause.subject.is_empty() {
        true => String::new(),
        false => format!(" ({})", cause.subject),
    };
    format!(
        "ALARM     {}{about} since {}; to mend it: {}",
        cause.says,
        clock::rfc3339(alarm.since),
        cause.mend
    )
}

fn people(status: &Status, rates: &Rates, now: i64) {
    let [minute, hour] = rates.received;
    output::print(&format!(
        "received  {minute} in the last minute, {hour} in the last hour\n"
    ));
    for (number, accepted) in &rates.accepted {
        output::print(&format!(
            "accepted  {accepted} in the last hour from {}\n",
            output::inert(number)
        ));
    }
    let outbox: Vec<String> = status
        .outbox
        .iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    if !outbox.is_empty() {
        output::print(&format!("outbox    {}\n", outbox.join(", ")));
    }
    if status.outbox.iter().any(|(state, _)| state == "held") {
        output::print("held      for you to decide: wabridge outbox list --state held\n");
    }
    let (taken, count) = &status.taken;
    for held in taken.iter().take(TAKEN_SHOWN) {
        let until = clock::rfc3339(held.taken.until);
        output::print(&output::inert(&format!(
            "taken     {} by {} until {until}",
            held.conversation,
            held.taken.by.as_str(),
        )));
        output::print("\n");
    }
    if *count > TAKEN_SHOWN as i64 {
        let more = count - TAKEN_SHOWN as i64;
        output::print(&format!("taken     {more} more: wabridge status --json\n"));
    }
    for alarm in &status.alarms {
        output::print(&output::inert(&alarm_text(alarm)));
        output::print("\n");
    }
    for halt in &status.halts {
        let (reason, mend) = halt.reason_and_mend();
        let details = halt
            .details
            .as_deref()
            .map_or_else(String::new, |d| format!(" — {d}"));
        let numbers: Vec<&str> = status.halted(halt).collect();
        output::print(&output::inert(&format!(
            "halted    {} since {}: {reason}{details}; to mend it: {mend} (numbers: {})",
            halt.scope.as_str(),
            clock::rfc3339(halt.since),
            numbers.join(", "),
        )));
        output::print("\n");
    }
    output::print("\n");
    let cells = |queue: &QueueStatus| {
        vec![
            kind(queue).to_owned(),
            queue.queue.name.clone(),
            queue.open.to_string(),
            age_s(queue, now)
                .map(|s| format!("{s}s"))
                .unwrap_or_default(),
            queue.dead.to_string(),
            trouble(status, queue, now),
        ]
    };
    let heads = ["QUEUE", "NAME", "OPEN", "OLDEST", "DEAD", "TROUBLE"];
    // An observer that was taken out is of interest while something is open.
    let told = |queue: &&QueueStatus| queue.queue.served || queue.open > 0;
    let rows = status.queues.iter().filter(told).map(cells);
    output::table(&heads, &rows.collect::<Vec<_>>());
}
