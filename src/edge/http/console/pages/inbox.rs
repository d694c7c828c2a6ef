//! Events that came in, and what became of them: a list with filters, one event
//! with all that is known of it, and replaying, giving up and dropping.

use super::query::{Query, days};
use crate::edge::http::console::Form;
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::gateway::inbox::{self, Dropped, Filter, InboxRow, InboxState};
use crate::gateway::replay::{self, Ended, Mode};
use crate::store::rows::{Attempt, ConversationId, EventId, Queue, QueueId, QueueKind};
use crate::store::tx::EventFilter;
use crate::store::{Result, Tx};
use crate::wire::notification::Kind;
use serde::Serialize;

/// Events on one page.
const SHOWN: usize = 50;

/// Events changed in one commit: everybody's commits wait for it.
const AT_ONCE: usize = 200;

/// Steps of one request; whoever has more asks again.
const STEPS_MAX: usize = 100;

/// What the list is narrowed to, as the form shows it.
#[derive(Default, Serialize)]
struct Asked {
    state: String,
    kind: String,
    number: String,
    consumer: String,
    conversation: String,
    since: String,
    until: String,
    error: String,
}

#[derive(Serialize)]
struct Facts {
    asked: Asked,
    states: Vec<&'static str>,
    kinds: Vec<&'static str>,
    numbers: Vec<String>,
    consumers: Vec<String>,
    /// Consumers that the settings do not name any more.
    unserved: Vec<String>,
    rows: Vec<Row>,
    /// The query of the next page.
    older: Option<String>,
    is_later: bool,
    /// Dead letters of one error are asked for: all of them can be replayed.
    replays_all: bool,
    /// The query of this list, without the page.
    back: String,
    /// How many the last action changed.
    done: Option<usize>,
}

/// A row of the list.
#[derive(Serialize)]
struct Row {
    id: EventId,
    at: i64,
    kind: &'static str,
    field: String,
    type_: String,
    conversation: ConversationId,
    name: String,
    state: &'static str,
    attempts: u32,
    error: Option<String>,
}

impl From<&InboxRow> for Row {
    fn from(row: &InboxRow) -> Row {
        Row {
            id: row.event.id,
            at: row.event.received_at,
            kind: row.event.kind.as_str(),
            field: row.event.field.clone(),
            type_: row.event.type_.clone(),
            conversation: row.event.conversation,
            name: row.conversation.clone(),
            state: row.state.as_str(),
            attempts: row.attempts,
            error: row.error.clone(),
        }
    }
}

impl Asked {
    fn of(visit: &Visit) -> Asked {
        let text = |name| visit.parameter(name).unwrap_or_default();
        Asked {
            state: text("state"),
            kind: text("kind"),
            number: text("number"),
            consumer: text("consumer"),
            conversation: text("conversation"),
            since: text("since"),
            until: text("until"),
            error: text("error"),
        }
    }

    fn query(&self) -> Query {
        Query::default()
            .with("state", &self.state)
            .with("kind", &self.kind)
            .with("number", &self.number)
            .with("consumer", &self.consumer)
            .with("conversation", &self.conversation)
            .with("since", &self.since)
            .with("until", &self.until)
            .with("error", &self.error)
    }

    fn filter(&self, tx: &Tx<'_>, visit: &Visit) -> Result<Filter> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.kind);
        Ok(Filter {
            of: EventFilter {
                kind,
                conversations: conversations(tx, &self.conversation)?,
                number: some(&self.number),
                consumer: match some(&self.consumer) {
                    // Nobody has a delivery to a queue of no row.
                    Some(name) => Some(replay::consumer(tx, &name)?.map_or(0, |queue| queue.id)),
                    None => None,
                },
                state: InboxState::parse(&self.state),
                stored: days(visit),
            },
            error: some(&self.error),
        })
    }
}

/// All conversations that are one person's with the one of this id.
pub fn conversations(tx: &Tx<'_>, id: &str) -> Result<Option<Vec<ConversationId>>> {
    match id.parse() {
        Ok(id) => crate::gateway::thread::joined(tx, id).map(Some),
        Err(_) => Ok(None),
    }
}

/// Draws the list.
pub fn show(visit: &Visit) -> Shown {
    let asked = Asked::of(visit);
    let from = visit.parameter("from").and_then(|from| from.parse().ok());
    let (page, numbers, queues) = visit.read(|tx| {
        let filter = asked.filter(tx, visit)?;
        let page = inbox::page(tx, &filter, from, SHOWN)?;
        Ok((page, tx.numbers()?, tx.queues()?))
    })?;
    let is_consumer = |queue: &&Queue| queue.kind == QueueKind::Deliver;
    let consumers = queues.iter().filter(is_consumer);
    let unserved = consumers.clone().filter(|queue| !queue.served);
    let facts = Facts {
        states: InboxState::ALL.iter().map(|state| state.as_str()).collect(),
        kinds: Kind::ALL.iter().map(|kind| kind.as_str()).collect(),
        numbers: numbers
            .into_iter()
            .filter(|number| !number.is_empty())
            .collect(),
        unserved: unserved.map(|queue| queue.name.clone()).collect(),
        consumers: consumers.map(|queue| queue.name.clone()).collect(),
        rows: page.rows.iter().map(Row::from).collect(),
        older: page
            .older
            .map(|older| asked.query().with("from", &older.to_string()).text()),
        is_later: from.is_some(),
        replays_all: !asked.error.is_empty(),
        back: asked.query().text(),
        done: visit.parameter("done").and_then(|done| done.parse().ok()),
        asked,
    };
    visit.page("inbox.html", facts)
}

#[derive(Serialize)]
struct OneFacts {
    row: Row,
    key: String,
    deliveries: Vec<Delivery>,
    files: Vec<File>,
    body: String,
}

#[derive(Serialize)]
struct Delivery {
    consumer: String,
    queue: QueueId,
    state: &'static str,
    attempts: u32,
    error: Option<String>,
    tries: Vec<Try>,
}

/// What an attempt got.
#[derive(Serialize)]
pub struct Try {
    attempt: u32,
    at: i64,
    said: String,
}

impl From<Attempt> for Try {
    fn from(attempt: Attempt) -> Try {
        Try {
            attempt: attempt.attempt,
            at: attempt.ended_at,
            said: attempt.said,
        }
    }
}

#[derive(Serialize)]
struct File {
    kind: String,
    media_id: String,
    state: &'static str,
    attempts: u32,
    error: Option<String>,
    /// Where it is, when it is here.
    href: Option<String>,
}

/// Draws one event.
pub fn show_one(visit: &Visit) -> Shown {
    let id = visit.id(0)?;
    let found = visit.read(|tx| {
        let Some(row) = inbox::event(tx, id)? else {
            return Ok(None);
        };
        let tries = row
            .deliveries
            .iter()
            .map(|delivery| tx.attempts(delivery.job));
        let tries: Result<Vec<Vec<Attempt>>> = tries.collect();
        Ok(Some((tries?, row)))
    })?;
    let (tries, row) = found.ok_or(Trouble::NotFound)?;
    let deliveries = row.deliveries.iter().zip(tries);
    let deliveries = deliveries.map(|(delivery, tries)| Delivery {
        consumer: delivery.consumer.clone(),
        queue: delivery.queue,
        state: delivery.state.as_str(),
        attempts: delivery.attempts,
        error: delivery.error.clone(),
        tries: tries.into_iter().map(Try::from).collect(),
    });
    let files = row.media.iter().map(|file| File {
        kind: file.media.kind.clone(),
        media_id: file.media.media_id.clone(),
        state: file.state.as_str(),
        attempts: file.attempts,
        error: file.error.clone(),
        href: file
            .media
            .file
            .as_ref()
            .map(|_| format!("/media/{}", file.media.id)),
    });
    let facts = OneFacts {
        deliveries: deliveries.collect(),
        files: files.collect(),
        key: row.event.key.clone(),
        body: row.event.body.clone(),
        row: Row::from(&row),
    };
    visit.page("event.html", facts)
}

/// Replays an event: all its deliveries, or the one to a consumer.
pub fn replay(visit: &Visit, form: &Form) -> Shown {
    let (id, now) = (visit.id(0)?, visit.now);
    let consumer: Option<QueueId> = form.get("queue").parse().ok();
    let again = visit.change("replay", &id.to_string(), move |tx| match consumer {
        None => Ok(inbox::replay(tx, now, id)? == inbox::Replayed::Again),
        Some(_) => {
            let filter = replay::Filter {
                consumer,
                ..replay::Filter::default()
            };
            Ok(replay::of_event(tx, Mode::Act(now), &filter, id)? > 0)
        }
    })?;
    let notice = if again { "replayed" } else { "not_replayed" };
    visit.go(&format!("/inbox/{id}"), Some(notice))
}

/// Gives up what waits of an event.
pub fn give_up(visit: &Visit, form: &Form) -> Shown {
    let (id, now) = (visit.id(0)?, visit.now);
    let consumer: Option<QueueId> = form.get("queue").parse().ok();
    let given_up = visit.change("give_up", &id.to_string(), move |tx| {
        inbox::give_up(tx, now, id, consumer)
    })?;
    let notice = if given_up > 0 {
        "given_up"
    } else {
        "not_given_up"
    };
    visit.go(&format!("/inbox/{id}"), Some(notice))
}

/// What is done with one event; how many of its deliveries it was done with.
type Step = fn(&Tx<'_>, i64, EventId) -> Result<usize>;

/// Replays or gives up the events that are ticked.
pub fn selected(visit: &Visit, form: &Form) -> Shown {
    let ids: Vec<EventId> = form.all("id").filter_map(|id| id.parse().ok()).collect();
    let now = visit.now;
    let (deed, step): (&'static str, Step) = match form.get("do") {
        "give_up" => ("give_up", |tx, now, id| inbox::give_up(tx, now, id, None)),
        _ => ("replay", |tx, now, id| {
            Ok(usize::from(
                inbox::replay(tx, now, id)? == inbox::Replayed::Again,
            ))
        }),
    };
    let mut done = 0;
    for ids in ids.chunks(AT_ONCE) {
        let ids = ids.to_vec();
        done += visit.change(deed, &subject(&ids), move |tx| {
            ids.iter()
                .try_fold(0, |sum, id| Ok(sum + usize::from(step(tx, now, *id)? > 0)))
        })?;
    }
    gone_back(visit, form, done)
}

/// Replays all dead letters with the same in what went wrong.
pub fn all_of_error(visit: &Visit, form: &Form) -> Shown {
    let error = form.get("error").to_owned();
    if error.is_empty() {
        return Err(Trouble::Bad("no_error"));
    }
    let name = form.get("consumer").to_owned();
    let consumer = visit.read(|tx| replay::consumer(tx, &name))?;
    let filter = replay::Filter {
        consumer: consumer.map(|queue| queue.id),
        state: Some(Ended::Dead),
        error: Some(error.clone()),
        ..replay::Filter::default()
    };
    let (mut done, mut after) = (0, 0);
    for _ in 0..STEPS_MAX {
        let (filter, now) = (filter.clone(), visit.now);
        let step = visit.change("replay_all", &error, move |tx| {
            replay::again(tx, Mode::Act(now), &filter, after, AT_ONCE)
        })?;
        done += step.found;
        match step.next {
            Some(next) => after = next,
            None => break,
        }
    }
    gone_back(visit, form, done)
}

/// Gives up all that waits for a consumer that the settings do not name any more.
pub fn drop_consumer(visit: &Visit, form: &Form) -> Shown {
    let consumer = form.get("consumer").to_owned();
    let mut done = 0;
    for _ in 0..STEPS_MAX {
        let (name, now) = (consumer.clone(), visit.now);
        let step = visit.change("drop", &consumer, move |tx| {
            inbox::drop_deliveries(tx, now, &name, AT_ONCE)
        })?;
        match step {
            Dropped::Some(0) => break,
            Dropped::Some(more) => done += more,
            Dropped::Served => return Err(Trouble::Bad("served")),
            Dropped::Missing => return Err(Trouble::NotFound),
        }
    }
    gone_back(visit, form, done)
}

/// Ids as the trail names them: the first, and how many more.
pub fn subject(ids: &[i64]) -> String {
    const NAMED: usize = 10;
    let named: Vec<String> = ids.iter().take(NAMED).map(i64::to_string).collect();
    match ids.len().saturating_sub(NAMED) {
        0 => named.join(" "),
        more => format!("{} +{more}", named.join(" ")),
    }
}

/// To the list the form was on, with how many were changed.
fn gone_back(visit: &Visit, form: &Form, done: usize) -> Shown {
    visit.go(&back_to("/inbox", form, done), None)
}

/// A list's address with the filter that a form brings along in `back`, and how
/// many were changed.
pub fn back_to(list: &str, form: &Form, done: usize) -> String {
    let filter = form.get("back").trim_start_matches('?');
    let kept = form_urlencoded::parse(filter.as_bytes());
    let kept = kept.filter(|(name, _)| name != "done" && name != "notice" && name != "from");
    let query = kept.fold(Query::default(), |query, (name, value)| {
        query.with(&name, &value)
    });
    format!("{list}{}", query.with("done", &done.to_string()).text())
}
