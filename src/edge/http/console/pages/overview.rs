//! Whether all is well, in one glance.

use crate::edge::http::console::visit::{Shown, Visit};
use crate::gateway::operator::{self, QueueStatus, Status};
use crate::gateway::{standing, tally};
use crate::policy::alarm;
use crate::policy::standing::{Quality, Throughput};
use crate::store::rows::QueueKind;
use crate::store::tally::{Counted, Minute};
use serde::Serialize;

#[derive(Serialize)]
struct Facts {
    charts: Vec<Chart>,
    /// Nothing stands still or was given up.
    is_well: bool,
    halts: Vec<Halt>,
    alarms: Vec<Alarm>,
    queues: Vec<Queue>,
    numbers: Vec<Number>,
    outbox: Vec<(String, i64)>,
    taken: i64,
    warnings: Vec<String>,
}

/// One thing that is counted.
#[derive(Serialize)]
struct Chart {
    /// A key of `words.overview.charts`.
    what: &'static str,
    stretches: Vec<Stretch>,
}

/// Its counts over a stretch of time.
#[derive(Serialize)]
struct Stretch {
    /// A key of `words.overview.stretches`.
    over: &'static str,
    all: i64,
    most: i64,
    counts: Vec<i64>,
}

/// Something that stands still until a person acts.
#[derive(Serialize)]
struct Halt {
    scope: &'static str,
    since: i64,
    reason: String,
    mend: String,
    details: Option<String>,
    numbers: Vec<String>,
}

/// Anything else that needs a person (policy::alarm).
#[derive(Serialize)]
struct Alarm {
    /// May be empty.
    subject: String,
    since: i64,
    says: String,
    mend: String,
}

/// A number that sends.
#[derive(Serialize)]
struct Number {
    id: String,
    /// As people see it.
    display: Option<String>,
    /// A key of `words.overview.qualities`.
    quality: &'static str,
    limit: Option<String>,
    /// A key of `words.overview.throughputs`.
    throughput: &'static str,
    /// How many messages may begin in a second by our settings, and now.
    rate: usize,
    pace: usize,
    told_at: Option<i64>,
}

#[derive(Serialize)]
struct Queue {
    kind: &'static str,
    name: String,
    open: i64,
    oldest_ms: Option<i64>,
    dead: i64,
    /// Its dead letters need a person.
    is_dead_bad: bool,
    served: bool,
    is_halted: bool,
    /// Failures in a row, while it is tried now and then only.
    failures: Option<u32>,
    /// It is not tried for so long.
    paused_ms: Option<i64>,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    // What was counted a moment ago waits in the memory of the thread that commits.
    visit.refresh(|tx| {
        tx.write_tally();
        Ok(())
    })?;
    let now = visit.now;
    let (status, counted, numbers) = visit.read(|tx| {
        let status = operator::status(tx, now)?;
        Ok((status, tally::counted(tx, now)?, standing::numbers(tx)?))
    })?;
    let numbers = numbers.into_iter();
    let facts = Facts {
        numbers: numbers.map(|number| shown_number(number, visit)).collect(),
        ..facts(&status, charts(&counted, now), visit)
    };
    visit.page("overview.html", facts)
}

fn charts(counted: &[Minute], now: i64) -> Vec<Chart> {
    let stretches = [
        ("hour", tally::HOUR),
        ("day", tally::DAY),
        ("week", tally::WEEK),
    ];
    let drawn = stretches.map(|(over, stretch)| (over, stretch.bars(counted, now)));
    let of = |what: Counted| {
        let stretches = drawn.iter().map(|(over, bars)| {
            let counts: Vec<i64> = bars.iter().map(|bar| bar[what as usize]).collect();
            Stretch {
                over,
                all: counts.iter().sum(),
                most: counts.iter().copied().max().unwrap_or(0),
                counts,
            }
        });
        Chart {
            what: what.as_str(),
            stretches: stretches.collect(),
        }
    };
    Counted::ALL.map(of).into()
}

fn facts(status: &Status, charts: Vec<Chart>, visit: &Visit) -> Facts {
    let queues = status.queues.iter();
    let queues: Vec<Queue> = queues
        .filter(|queue| queue.queue.served || queue.open > 0)
        .map(|queue| shown(queue, status, visit.now))
        .collect();
    let well = |queue: &Queue| !queue.is_dead_bad && queue.failures.is_none() && queue.served;
    let held = status.outbox.iter().any(|(state, _)| state == "held");
    Facts {
        charts,
        is_well: status.halts.is_empty()
            && status.alarms.is_empty()
            && !held
            && queues.iter().all(well),
        halts: status
            .halts
            .iter()
            .map(|halt| shown_halt(halt, status))
            .collect(),
        // Halts stand above, with all that is known of them.
        alarms: status
            .alarms
            .iter()
            .filter(|alarm| alarm.cause.kind != alarm::Kind::Halt)
            .map(shown_alarm)
            .collect(),
        queues,
        numbers: Vec::new(),
        outbox: status.outbox.clone(),
        taken: status.taken.1,
        warnings: visit.live.config.warnings.clone(),
    }
}

fn shown_halt(halt: &crate::store::rows::Halt, status: &Status) -> Halt {
    let (reason, mend) = halt.reason_and_mend();
    Halt {
        scope: halt.scope.as_str(),
        since: halt.since,
        reason: reason.to_owned(),
        mend: mend.to_owned(),
        details: halt.details.clone(),
        numbers: status.halted(halt).map(str::to_owned).collect(),
    }
}

fn shown_alarm(alarm: &alarm::Alarm) -> Alarm {
    let cause = alarm.cause.clone();
    Alarm {
        subject: cause.subject,
        since: alarm.since,
        says: cause.says,
        mend: cause.mend,
    }
}

fn shown_number(number: standing::Number, visit: &Visit) -> Number {
    let rate = visit.live.config.limits.rates.of(&number.queue.name);
    let pace = number.queue.throttle.pace(rate, visit.now);
    let told_at = number.told.as_ref().map(|(_, at)| *at);
    let told = number.told.map(|(standing, _)| standing);
    let told = told.unwrap_or_default();
    Number {
        id: number.queue.name,
        display: number.display,
        quality: told.quality.map_or("unknown", Quality::as_str),
        limit: told.limit,
        throughput: told.throughput.map_or("unknown", Throughput::as_str),
        rate: rate.in_a_second(),
        pace: pace.in_a_second(),
        told_at,
    }
}

fn shown(status: &QueueStatus, of: &Status, now: i64) -> Queue {
    let queue = &status.queue;
    let wait = queue.breaker.closed_until_ms - now;
    Queue {
        kind: match queue.kind {
            QueueKind::Deliver => "deliver",
            QueueKind::Send => "send",
            QueueKind::Fetch => "fetch",
        },
        name: queue.name.clone(),
        open: status.open,
        oldest_ms: status.oldest.map(|since| (now - since).max(0)),
        dead: status.dead,
        // Whoever sent a message that did not go out was told (policy::alarm).
        is_dead_bad: queue.kind != QueueKind::Send && status.dead > 0,
        served: queue.served,
        is_halted: of.halt_of(queue).is_some(),
        failures: queue.breaker.probing().then_some(queue.breaker.failures),
        paused_ms: (wait > 0).then_some(wait),
    }
}
