//! `wabridge inbox replay`: events are handed over again, one or many.

use crate::cli::{Failure, Outcome, ids, output, visit};
use crate::config::{self, Selection, Sources};
use crate::edge::clock;
use crate::gateway::BOT;
use crate::gateway::inbox::{self, Replayed};
use crate::gateway::replay::{self, Ended, Filter, Mode, Step};
use crate::store::rows::{EventId, Queue};
use crate::store::{self, Database, Tx};
use crate::wire::notification::Kind;
use lexopt::{Arg, Parser, ValueExt};

/// In steps: a service beside us waits for each of them.
const AT_ONCE: usize = 200;

/// What stands on the command line.
#[derive(Default)]
struct Options {
    values: Vec<String>,
    consumer: Option<String>,
    filter: Filter,
    new: bool,
    dry_run: bool,
    limit: Option<usize>,
}

pub(super) fn run(parser: Parser) -> Outcome {
    let options = parse(parser)?;
    let ids = ids(&options.values)?;
    misused(&options, &ids)?;
    let mut database = visit()?;
    let mut filter = options.filter.clone();
    let consumer = match &options.consumer {
        Some(name) => Some(named(&database, name)?),
        None => None,
    };
    filter.consumer = consumer.as_ref().map(|queue| queue.id);
    let mode = || match options.dry_run {
        true => Mode::Look,
        false => Mode::Act(clock::now_ms()),
    };
    if !ids.is_empty() && filter == Filter::default() && !options.dry_run {
        return events(&mut database, &ids);
    }
    let mut found = 0;
    if !ids.is_empty() {
        for some in ids.chunks(AT_ONCE) {
            found += database.commit(|tx| {
                some.iter().try_fold(0, |sum, id| {
                    Ok(sum + replay::of_event(tx, mode(), &filter, *id)?)
                })
            })?;
        }
    } else if let (true, Some(queue)) = (options.new, &consumer) {
        let selection = wanted(&queue.name)?;
        let then = (filter.since.unwrap_or(0), filter.until.unwrap_or(i64::MAX));
        found = in_steps(&mut database, options.limit, |tx, after, limit| {
            let whom = (queue.id, &selection);
            replay::never_got(tx, mode(), whom, then, after, limit)
        })?;
    } else {
        found = in_steps(&mut database, options.limit, |tx, after, limit| {
            replay::again(tx, mode(), &filter, after, limit)
        })?;
    }
    let s = if found == 1 { "y" } else { "ies" };
    let (will, again) = match (options.dry_run, options.new) {
        (true, false) => ("would", " again"),
        (true, true) => ("would", ""),
        (false, false) => ("will", " again"),
        (false, true) => ("will", ""),
    };
    output::print(&format!("{found} deliver{s} {will} be made{again}\n"));
    Ok(())
}

fn parse(mut parser: Parser) -> Result<Options, Failure> {
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(value) => options.values.push(value.string()?),
            Arg::Long("dead") => options.filter.state = Some(Ended::Dead),
            Arg::Long("state") => {
                options.filter.state = Some(match parser.value()?.string()?.as_str() {
                    "done" => Ended::Done,
                    "dead" => Ended::Dead,
                    other => {
                        let text = format!("--state {other}: what is replayed was done or is dead");
                        return Err(Failure::Misused(text));
                    }
                });
            }
            Arg::Long("consumer") => options.consumer = Some(parser.value()?.string()?),
            Arg::Long("since") => options.filter.since = Some(time(&parser.value()?.string()?)?),
            Arg::Long("until") => options.filter.until = Some(time(&parser.value()?.string()?)?),
            Arg::Long("error") => options.filter.error = Some(parser.value()?.string()?),
            Arg::Long("new") => options.new = true,
            Arg::Long("dry-run") => options.dry_run = true,
            Arg::Long("limit") | Arg::Short('n') => {
                options.limit = Some(super::super::count("--limit", &mut parser)?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// What must not be meant: everything at once, by leaving something out.
fn misused(options: &Options, ids: &[EventId]) -> Outcome {
    let filter = &options.filter;
    let narrow = filter.state == Some(Ended::Dead) || filter.error.is_some();
    let times = filter.since.is_some() || filter.until.is_some();
    let text = match options.new {
        true if !ids.is_empty() || narrow || filter.state.is_some() => {
            "--new takes what a consumer never got: give it --consumer and --since alone"
        }
        true if options.consumer.is_none() || filter.since.is_none() => {
            "--new needs --consumer NAME and --since TIME"
        }
        true => return Ok(()),
        false if !ids.is_empty() && (times || options.limit.is_some()) => {
            "give either ids, or --since, --until and --limit"
        }
        false if !ids.is_empty() && options.filter.state == Some(Ended::Dead) => {
            "give either ids or --dead"
        }
        false if !ids.is_empty() || narrow => return Ok(()),
        false if options.consumer.is_some() && filter.since.is_some() => return Ok(()),
        false if options.consumer.is_some() => {
            "what was done is replayed to one consumer with --since TIME; or give --state dead"
        }
        false if times || filter.state.is_some() => {
            "to replay what was done, name one --consumer and --since TIME: its answers go out again"
        }
        false => "inbox replay needs ids, or --dead, or --consumer NAME --since TIME",
    };
    Err(Failure::Misused(text.into()))
}

/// A moment: RFC 3339, a day (in UTC), or how long ago.
fn time(text: &str) -> Result<i64, Failure> {
    if let Some(ago) = config::span_of_time(text) {
        return Ok(clock::now_ms() - ago.as_millis() as i64);
    }
    let day = || text.parse::<jiff::civil::Date>().ok();
    let of_day = || day()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let moment = text.parse::<jiff::Timestamp>().ok();
    let moment = moment.or_else(|| of_day().map(|zoned| zoned.timestamp()));
    moment.map(jiff::Timestamp::as_millisecond).ok_or_else(|| {
        Failure::Misused(format!(
            "`{text}` is no time: write 2h (ago), 2026-05-31 or 2026-05-31T09:00:00Z"
        ))
    })
}

fn named(database: &Database, name: &str) -> Result<Queue, Failure> {
    match database.read(|tx| replay::consumer(tx, name))? {
        Some(queue) if queue.served => Ok(queue),
        Some(_) => Err(Failure::says(format!(
            "the service does not serve {name} any more: name it in OBSERVERS first, and have the service read that (systemctl reload)"
        ))),
        None => Err(Failure::says(format!(
            "there is no consumer {name}: `wabridge status` names them"
        ))),
    }
}

/// Which events a consumer wants by the settings.
fn wanted(name: &str) -> Result<Selection, Failure> {
    let (config, _) = config::survey(&Sources::of_this_process());
    if name == BOT {
        let kinds = match (&config.forward, &config.command) {
            (Some(_), _) => Kind::ALL.into(),
            (None, Some(command)) => command.kinds.clone(),
            (None, None) => vec![Kind::Message],
        };
        let fields = Vec::new();
        return Ok(Selection { kinds, fields });
    }
    let mut observers = config.observers.into_iter();
    let found = observers.find(|one| &*one.limits.name == name);
    found.map(|one| one.limits.selection).ok_or_else(|| {
        Failure::says(format!(
            "the settings here do not name {name} in OBSERVERS, and so not what it wants: run this with the service's settings"
        ))
    })
}

/// Step after step until the end or the limit.
fn in_steps(
    database: &mut Database,
    limit: Option<usize>,
    mut step: impl FnMut(&Tx<'_>, i64, usize) -> store::Result<Step>,
) -> Result<usize, Failure> {
    let limit = limit.unwrap_or(usize::MAX);
    let (mut found, mut after) = (0, 0);
    while found < limit {
        let most = AT_ONCE.min(limit - found);
        let done = database.commit(|tx| step(tx, after, most))?;
        found += done.found;
        match done.next {
            Some(next) => after = next,
            None => break,
        }
    }
    Ok(found)
}

/// Events by their ids, to all that got them.
fn events(database: &mut Database, ids: &[EventId]) -> Outcome {
    let (mut again, mut missing) = (0, Vec::new());
    for some in ids.chunks(AT_ONCE) {
        let now = clock::now_ms();
        let outcomes = database.commit(|tx| {
            some.iter()
                .map(|id| Ok((*id, inbox::replay(tx, now, *id)?)))
                .collect::<store::Result<Vec<_>>>()
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
