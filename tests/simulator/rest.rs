//! What must be true when the faults are over and everything has drained.

use super::book::{Book, Check, ensure, read};
use super::entries::{Reply, rung};
use super::graph;
use super::meta::{Event, name_of};
use std::collections::{BTreeMap, HashMap};
use wabridge::config::OnUnknown;
use wabridge::policy::ladder::SendState;
use wabridge::store::rows::{JobState, Message};
use wabridge::store::tx::MessageFilter;
use wabridge::store::{Result, Tx};

/// More rows than any world has.
pub const ALL: usize = 100_000;

pub fn check(book: &Book, events: &[Event], tx: &Tx<'_>) -> Check {
    nothing_waits(book, tx)?;
    each_event_is_stored_once(book, events, tx)?;
    each_event_was_dealt_with(book, tx)?;
    let outbox = outbox(tx)?;
    each_reply_is_in_the_outbox_once_and_in_order(book, &outbox)?;
    let kept = book.replies.iter().filter(|reply| !reply.gone);
    for (reply, message) in kept.zip(&outbox) {
        the_message_is_where_it_must_be(book, reply, message)?;
    }
    Ok(())
}

fn nothing_waits(book: &Book, tx: &Tx<'_>) -> Check {
    for queue in read(tx.queues())? {
        let open = read(tx.depth(queue.id))?.open;
        ensure(open == 0, || {
            let (name, closed) = (&queue.name, queue.breaker);
            format!("{open} jobs of {name} wait for ever ({closed:?})")
        })?;
    }
    // A halt may stand still when there is nothing left to probe with.
    let handed = book.handed.values();
    let delivering: usize = handed.map(|handed| handed.under_way.len()).sum();
    let running = delivering + book.sending.len();
    ensure(running == 0, || format!("{running} attempts never ended"))
}

fn each_event_is_stored_once(book: &Book, events: &[Event], tx: &Tx<'_>) -> Check {
    let mut stored: BTreeMap<String, u32> = BTreeMap::new();
    for event in read(tx.events(i64::MAX, ALL))? {
        *stored.entry(name_of(&event.body)).or_default() += 1;
    }
    for (index, event) in events.iter().enumerate() {
        let times = stored.remove(&event.name).unwrap_or(0);
        let expected = u32::from(!book.gone.contains(&index));
        ensure(times == expected, || {
            format!("{} is stored {times} times", event.name)
        })?;
    }
    ensure(stored.is_empty(), || {
        format!("stored and never sent by Meta: {stored:?}")
    })
}

fn each_event_was_dealt_with(book: &Book, tx: &Tx<'_>) -> Check {
    let mut jobs: HashMap<String, BTreeMap<String, JobState>> = HashMap::new();
    for event in read(tx.events(i64::MAX, ALL))? {
        let deliveries = read(tx.deliveries(event.id))?.into_iter();
        let mut states = BTreeMap::new();
        for (job, consumer, _) in deliveries {
            let other = states.insert(consumer, job.state);
            ensure(other.is_none(), || "an event goes to one twice".into())?;
        }
        jobs.insert(name_of(&event.body), states);
    }
    for (index, event) in book.arrived.iter().enumerate() {
        let Some(event) = event.as_ref().filter(|_| !book.gone.contains(&index)) else {
            continue;
        };
        let mut expected = BTreeMap::new();
        for (consumer, handed) in &book.handed {
            if let Some(entry) = handed.entries.get(&index) {
                let ended = entry.ended.unwrap_or(JobState::Waiting);
                expected.insert(consumer.clone(), ended);
            }
        }
        let found = jobs.remove(&event.name).unwrap_or_default();
        let all_ended = expected.values().all(|state| *state != JobState::Waiting);
        ensure(found == expected && all_ended, || {
            let name = &event.name;
            format!("deliveries of {name}: {found:?} stored, {expected:?} made")
        })?;
    }
    Ok(())
}

/// So many, the newest first.
pub fn newest_messages(tx: &Tx<'_>, limit: usize) -> Result<Vec<Message>> {
    let found = tx.find_messages(&MessageFilter::default(), i64::MAX, limit, ALL)?;
    Ok(found.rows)
}

/// The oldest first.
fn outbox(tx: &Tx<'_>) -> Check<Vec<Message>> {
    let mut messages = read(newest_messages(tx, ALL))?;
    messages.reverse();
    Ok(messages)
}

fn each_reply_is_in_the_outbox_once_and_in_order(book: &Book, outbox: &[Message]) -> Check {
    let name = |message: &Message| {
        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap_or_default();
        graph::name_of(&body)
    };
    let stored: Vec<String> = outbox.iter().map(name).collect();
    let kept = book.replies.iter().filter(|reply| !reply.gone);
    let expected: Vec<&str> = kept.map(|r| r.name.as_str()).collect();
    let differs = (0..stored.len().max(expected.len()))
        .find(|i| stored.get(*i).map(String::as_str) != expected.get(*i).copied());
    ensure(differs.is_none(), || {
        let at = differs.unwrap_or_default();
        let (found, wanted) = (stored.get(at), expected.get(at));
        format!("row {at} of the outbox is {found:?}, the app answered {wanted:?}")
    })
}

fn the_message_is_where_it_must_be(book: &Book, reply: &Reply, message: &Message) -> Check {
    let (name, state) = (&reply.name, message.state.as_str());
    let wamid = message.wamid.as_deref();
    let known = wamid.is_none_or(|id| reply.wamids.iter().any(|w| w == id));
    ensure(known, || format!("`{name}` has a wamid Graph never gave"))?;
    let told = reply.told_rung(wamid);
    let all = reply
        .statuses
        .iter()
        .map(|s| s.1)
        .chain(reply.of_spent.iter().copied());
    let most = all.map(rung).max().unwrap_or(0);
    let out = rung(state) > 0 && state != "failed";
    // Tries that failed, and were followed by an operator's, do not count.
    let mut tries = reply.wamids.iter();
    let reached = tries.any(|wamid| !reply.spent.contains(wamid));
    ensure(!out || reached, || {
        format!("`{name}` is {state} and did not reach Graph")
    })?;
    let given_up = match state {
        "failed" => {
            let lost = reply.is_mark && reply.answers_lost > 0;
            reply.refused || reply.limited || reply.too_late || lost
        }
        "cancelled" => reply.stopped == Some(SendState::Cancelled),
        "held" if reply.stopped == Some(SendState::Held) => true,
        "held" => book.on_unknown == OnUnknown::Hold && reply.answers_lost > 0 && told.is_none(),
        _ => false,
    };
    let least = told.unwrap_or(0).max(u8::from(reply.accepted)).max(1);
    let there = (least..=most.max(least)).contains(&rung(state));
    ensure((given_up && told.is_none()) || there, || {
        format!("`{name}` is {state}; statuses: {:?}", reply.statuses)
    })?;
    let hold = book.on_unknown == OnUnknown::Hold && !reply.is_mark;
    ensure(!hold || reply.wamids.len() <= 1 + reply.again, || {
        format!("`{name}` went out twice with ON_UNKNOWN=hold")
    })
}
