//! Messages that go out, and what became of them: a list with filters, one message
//! with all that is known of it, and sending again, holding and taking back.

use super::inbox::{Try, back_to, conversations, subject};
use super::query::{Query, days};
use crate::edge::http::console::Form;
use crate::edge::http::console::bubble::{Fate, Gist, ours};
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::gateway::outbox::{self, OutboxRow, Steered};
use crate::policy::ladder::SendState;
use crate::store::rows::{ConversationId, OutboxId};
use crate::store::tx::MessageFilter;
use crate::store::{Result, Tx};
use serde::Serialize;

/// Messages on one page.
const SHOWN: usize = 50;

/// Messages changed in one commit: everybody's commits wait for it.
const AT_ONCE: usize = 200;

/// Messages of one code that one request changes; whoever has more asks again.
const ALL_MAX: usize = 5_000;

#[derive(Default, Serialize)]
struct Asked {
    state: String,
    #[serde(rename = "type")]
    type_: String,
    number: String,
    conversation: String,
    code: String,
    since: String,
    until: String,
}

#[derive(Serialize)]
struct Facts {
    asked: Asked,
    states: Vec<&'static str>,
    numbers: Vec<String>,
    rows: Vec<Row>,
    older: Option<String>,
    is_later: bool,
    /// Failed messages of one code are asked for: all can be sent again.
    retries_all: bool,
    /// The query of this list, without the page.
    back: String,
    done: Option<usize>,
}

/// A row of the list.
#[derive(Serialize)]
struct Row {
    id: OutboxId,
    at: i64,
    changed_at: i64,
    number: String,
    recipient: String,
    conversation: ConversationId,
    type_: String,
    state: &'static str,
    gist: Gist,
    fate: Fate,
    attempts: u32,
    /// What can be done with it.
    can: Can,
}

/// What an operator can do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Can {
    retry: bool,
    hold: bool,
    cancel: bool,
}

impl Can {
    /// By its state, as `gateway::outbox` allows it.
    fn of(state: SendState) -> Can {
        use SendState::{Cancelled, Failed, Held, Queued, Unknown};
        Can {
            retry: matches!(state, Held | Failed | Cancelled | Unknown),
            hold: matches!(state, Queued | Unknown),
            cancel: matches!(state, Queued | Held | Unknown),
        }
    }
}

impl From<&OutboxRow> for Row {
    fn from(row: &OutboxRow) -> Row {
        let message = &row.message;
        Row {
            id: message.id,
            at: message.created_at,
            changed_at: message.changed_at,
            number: message.number.clone(),
            recipient: message.recipient.clone(),
            conversation: message.conversation,
            type_: message.type_.clone(),
            state: message.state.as_str(),
            gist: ours::bubble(message).gist(),
            fate: ours::fate(message),
            attempts: row.attempts,
            can: Can::of(message.state),
        }
    }
}

impl Asked {
    fn of(visit: &Visit) -> Asked {
        let text = |name| visit.parameter(name).unwrap_or_default();
        Asked {
            state: text("state"),
            type_: text("type"),
            number: text("number"),
            conversation: text("conversation"),
            code: text("code"),
            since: text("since"),
            until: text("until"),
        }
    }

    fn query(&self) -> Query {
        Query::default()
            .with("state", &self.state)
            .with("type", &self.type_)
            .with("number", &self.number)
            .with("conversation", &self.conversation)
            .with("code", &self.code)
            .with("since", &self.since)
            .with("until", &self.until)
    }

    fn filter(&self, tx: &Tx<'_>, visit: &Visit) -> Result<MessageFilter> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(MessageFilter {
            state: SendState::parse(&self.state),
            type_: some(&self.type_),
            conversations: conversations(tx, &self.conversation)?,
            number: some(&self.number),
            code: self.code.parse().ok(),
            queued: days(visit),
        })
    }
}

/// Draws the list.
pub fn show(visit: &Visit) -> Shown {
    let asked = Asked::of(visit);
    let from = visit.parameter("from").and_then(|from| from.parse().ok());
    let (page, numbers) = visit.read(|tx| {
        let filter = asked.filter(tx, visit)?;
        Ok((outbox::page(tx, &filter, from, SHOWN)?, tx.numbers()?))
    })?;
    let facts = Facts {
        states: SendState::ALL.iter().map(|state| state.as_str()).collect(),
        numbers: numbers
            .into_iter()
            .filter(|number| !number.is_empty())
            .collect(),
        rows: page.rows.iter().map(Row::from).collect(),
        older: page
            .older
            .map(|older| asked.query().with("from", &older.to_string()).text()),
        is_later: from.is_some(),
        retries_all: SendState::parse(&asked.state) == Some(SendState::Failed)
            && asked.code.parse::<i64>().is_ok(),
        back: asked.query().text(),
        done: visit.parameter("done").and_then(|done| done.parse().ok()),
        asked,
    };
    visit.page("outbox.html", facts)
}

#[derive(Serialize)]
struct OneFacts {
    row: Row,
    wamid: Option<String>,
    /// The event it answers.
    cause: Option<i64>,
    resent: u32,
    is_uncertain: bool,
    tries: Vec<Try>,
    body: String,
    substitute: Option<String>,
    /// What Graph answered last: the HTTP status and the text.
    answer: Option<(u16, String)>,
}

/// Draws one message.
pub fn show_one(visit: &Visit) -> Shown {
    let id = visit.id(0)?;
    let found = visit.read(|tx| {
        let Some(row) = outbox::message(tx, id)? else {
            return Ok(None);
        };
        Ok(Some((row, tx.attempts_at_message(id)?, tx.answer(id)?)))
    })?;
    let (row, tries, answer) = found.ok_or(Trouble::NotFound)?;
    let shown = Row::from(&row);
    let message = row.message;
    let facts = OneFacts {
        row: shown,
        wamid: message.wamid,
        cause: message.cause,
        resent: message.resent,
        is_uncertain: message.uncertain && !message.state.is_out(),
        tries: tries.into_iter().map(Try::from).collect(),
        body: message.body,
        substitute: message.substitute,
        answer,
    };
    visit.page("message.html", facts)
}

type Step = fn(&Tx<'_>, i64, OutboxId) -> Result<Steered>;

/// What a form's button asks for.
fn asked_for(form: &Form) -> std::result::Result<(&'static str, Step), Trouble> {
    match form.get("do") {
        "retry" => Ok(("retry", outbox::retry)),
        "hold" => Ok(("hold", outbox::hold)),
        "cancel" => Ok(("cancel", outbox::cancel)),
        _ => Err(Trouble::NotFound),
    }
}

/// Steers one message.
pub fn steer(visit: &Visit, form: &Form) -> Shown {
    let (id, now) = (visit.id(0)?, visit.now);
    let (deed, step) = asked_for(form)?;
    let steered = visit.change(deed, &id.to_string(), move |tx| step(tx, now, id))?;
    let notice = match (steered, deed) {
        (Steered::Missing, _) => return Err(Trouble::NotFound),
        (Steered::NotNow(_), _) => "not_now",
        (Steered::Done, "retry") => "retried",
        (Steered::Done, "hold") => "held",
        (Steered::Done, _) => "cancelled",
    };
    visit.go(&format!("/outbox/{id}"), Some(notice))
}

/// Steers the messages that are ticked.
pub fn selected(visit: &Visit, form: &Form) -> Shown {
    let ids: Vec<OutboxId> = form.all("id").filter_map(|id| id.parse().ok()).collect();
    let (deed, step) = asked_for(form)?;
    let done = steer_all(visit, deed, step, &ids)?;
    visit.go(&back_to("/outbox", form, done), None)
}

/// Sends all failed messages of one code again.
pub fn all_of_code(visit: &Visit, form: &Form) -> Shown {
    let code: i64 = form.get("code").parse().map_err(|_| Trouble::NotFound)?;
    let filter = MessageFilter {
        state: Some(SendState::Failed),
        code: Some(code),
        ..MessageFilter::default()
    };
    // All ids first: one that fails again would be found anew.
    let ids = visit.read(|tx| {
        let rows = outbox::newest(tx, &filter, ALL_MAX)?.into_iter();
        Ok(rows.map(|row| row.message.id).collect::<Vec<_>>())
    })?;
    let done = steer_all(visit, "retry", outbox::retry, &ids)?;
    visit.go(&back_to("/outbox", form, done), None)
}

fn steer_all(
    visit: &Visit,
    deed: &'static str,
    step: Step,
    ids: &[OutboxId],
) -> std::result::Result<usize, Trouble> {
    let (mut done, now) = (0, visit.now);
    for ids in ids.chunks(AT_ONCE) {
        let ids = ids.to_vec();
        done += visit.change(deed, &subject(&ids), move |tx| {
            ids.iter().try_fold(0, |sum, id| {
                Ok(sum + usize::from(step(tx, now, *id)? == Steered::Done))
            })
        })?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::priority::Priority;
    use crate::store::Database;
    use crate::store::rows::{NewMessage, QueueKind};

    /// Buttons are shown where the gateway does as they say, and nowhere else.
    #[test]
    fn what_can_be_done_is_what_the_gateway_does() {
        let mut database = Database::in_memory().unwrap();
        for state in SendState::ALL {
            let all: [(bool, Step); 3] = [
                (Can::of(state).retry, outbox::retry),
                (Can::of(state).hold, outbox::hold),
                (Can::of(state).cancel, outbox::cancel),
            ];
            for (can, step) in all {
                let steered = database.commit(|tx| {
                    let message = NewMessage {
                        number: "1".into(),
                        conversation: 1,
                        recipient: "2".into(),
                        type_: "text".into(),
                        body: "{}".into(),
                        cause: None,
                    };
                    let id = tx.insert_message(&message, state, None, 0)?;
                    let queue = tx.queue(QueueKind::Send, "1")?;
                    tx.push_job(queue, 1, None, Some(id), Priority::Reply, 0)?;
                    step(tx, 1, id)
                });
                assert_eq!(steered.unwrap() == Steered::Done, can, "{state:?}");
            }
        }
    }
}
