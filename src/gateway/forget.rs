//! A person is forgotten: every event and message of theirs, with its deliveries
//! and files; what names them elsewhere (a message in a group, a contact that
//! somebody shared); and their conversation, with its ids, window, hand-over and
//! rests. What operators did with it is told without their name. In small steps, of
//! which the last takes the conversation: whoever is interrupted finds the person
//! still there, and begins again.
//!
//! 1. [`Person::find`], and [`end_jobs`] until none is open: nothing more is
//!    delivered or sent.
//! 2. [`Person::look`] through each log, and [`Person::remove`] what is theirs.
//! 3. [`Person::leave`]: what came meanwhile, and the conversation.
//!
//! Two things stay, as digests that tell nothing to somebody who does not know
//! the id: by which an event is known when Meta delivers it again, for nine days;
//! and that the person wanted no marketing, since who is forgotten must not be
//! sent any because of it.

use super::identity::known;
use super::operator::conversation_name;
use crate::store::rows::*;
use crate::store::{Result, Tx};
use crate::wire::mention;
use crate::wire::notification::{key_digest, user_id};
use crate::wire::phone::other_spelling;
use std::collections::BTreeSet;

/// Jobs ended, or rows taken out, in one step.
pub const AT_ONCE: usize = 100;

/// Rows looked at in one step.
const LOOKED_AT: usize = 500;

/// Events looked at to close the gap in another conversation's chain. In a longer
/// one what is older is not shown any more; it is stored all the same.
const CHAIN_MAX: usize = 10_000;

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    number: Option<String>,
    user: String,
    /// Theirs, those included that became part of another.
    conversations: BTreeSet<ConversationId>,
    /// As lists show them.
    pub names: Vec<String>,
    /// Every id they were seen with.
    ids: BTreeSet<String>,
}

/// What a log holds of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its rows.
    pub ids: Vec<i64>,
    /// The last row that was looked at.
    pub upto: i64,
    /// There may be more after that.
    pub more: bool,
}

/// What was taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Events.
    pub events: usize,
    /// Messages on their way out, sent or not.
    pub messages: usize,
    /// Deliveries, sends and fetches that had not ended.
    pub open: usize,
    /// Names of files on disk that may be nobody's any more.
    pub files: Vec<String>,
}

impl Removed {
    /// This too.
    pub fn add(&mut self, other: Removed) {
        self.events += other.events;
        self.messages += other.messages;
        self.open += other.open;
        self.files.extend(other.files);
    }
}

/// How the last step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing is known of the person any more.
    Forgotten(Removed),
    /// Much came meanwhile: go on looking. What was taken out by this step.
    NotYet(Removed),
    /// They are known by other conversations now: begin again.
    Changed,
}

impl Person {
    /// Whoever has this id, and is known by it to a number, or to any of them. One
    /// who is known to none may still be named: who wrote in groups alone.
    pub fn find(tx: &Tx<'_>, number: Option<&str>, user: &str) -> Result<Person> {
        let numbers = match number {
            Some(number) => vec![number.to_owned()],
            None => tx.numbers()?,
        };
        let mut person = Person {
            number: number.map(str::to_owned),
            user: user.to_owned(),
            conversations: BTreeSet::new(),
            names: Vec::new(),
            ids: BTreeSet::from([user_id(user)]),
        };
        for number in numbers.iter().filter(|number| !number.is_empty()) {
            if let Some(root) = known(tx, number, user)? {
                person.is_with(tx, root)?;
            }
        }
        let others = person.ids.iter().filter_map(|id| other_spelling(id));
        let others: Vec<String> = others.collect();
        person.ids.extend(others);
        Ok(person)
    }

    fn is_with(&mut self, tx: &Tx<'_>, root: ConversationId) -> Result<()> {
        self.names.push(conversation_name(tx, root)?);
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if !self.conversations.insert(id) {
                continue;
            }
            self.ids.extend(tx.ids_of(id)?);
            self.ids
                .extend(tx.conversation_names(id)?.map(|(_, user, _)| user));
            if let Some(ends) = tx.thread_ends(id)? {
                open.extend(ends.joined);
                open.extend(ends.next_joined.filter(|_| id != root));
            }
        }
        Ok(())
    }

    /// Looks through a part of a log, from what comes after a row on.
    pub fn look(&self, tx: &Tx<'_>, log: Log, after: i64) -> Result<Found> {
        let mut found = Found {
            upto: after,
            ..Found::default()
        };
        let rows: Vec<(i64, ConversationId, String)> = match log {
            Log::Events => (tx.events_after(after, LOOKED_AT)?.into_iter())
                .map(|event| (event.id, event.conversation, event.body))
                .collect(),
            Log::Messages => (tx.messages_after(after, LOOKED_AT)?.into_iter())
                .map(|message| (message.id, message.conversation, message.body))
                .collect(),
        };
        found.more = rows.len() == LOOKED_AT;
        for (id, conversation, body) in rows {
            if found.ids.len() == AT_ONCE {
                found.more = true;
                break;
            }
            found.upto = id;
            let is_theirs = self.conversations.contains(&conversation)
                || self.is_named(tx, conversation, &body)?;
            found.ids.extend(is_theirs.then_some(id));
        }
        Ok(found)
    }

    /// Whether something in another's conversation names them, with the number
    /// that is to forget them.
    fn is_named(&self, tx: &Tx<'_>, conversation: ConversationId, body: &str) -> Result<bool> {
        if !self.ids.iter().any(|id| mention::names(body, id)) {
            return Ok(false);
        }
        let Some(number) = &self.number else {
            return Ok(true);
        };
        let of = tx.conversation_names(conversation)?;
        Ok(match of.map(|(of, ..)| of) {
            // What is not of one person is in its account's conversation.
            Some(of) if of.is_empty() => body.contains(&format!("\"{number}\"")),
            Some(of) => of == *number,
            None => false,
        })
    }

    /// Takes rows of a log out that [`Person::look`] found.
    pub fn remove(&self, tx: &Tx<'_>, now: i64, log: Log, ids: &[i64]) -> Result<Removed> {
        let mut removed = Removed::default();
        for id in ids {
            // It may have gone meanwhile, by its age.
            let of = match log {
                Log::Events => tx.event(*id)?.map(|event| event.conversation),
                Log::Messages => tx.message(*id)?.map(|message| message.conversation),
            };
            let Some(conversation) = of else { continue };
            let jobs = match log {
                Log::Events => tx.jobs_of_event(*id)?,
                Log::Messages => tx.job_of_outbox(*id)?.into_iter().collect(),
            };
            let is_anothers = !self.conversations.contains(&conversation);
            for job in jobs.into_iter().filter(is_open) {
                let job = match is_anothers {
                    true => apart(tx, job)?,
                    false => job,
                };
                end(tx, now, &job)?;
                removed.open += 1;
            }
            if is_anothers {
                unchain(tx, log, conversation, *id)?;
            }
            match log {
                Log::Events => {
                    removed.files.extend(tx.remove_event(*id)?);
                    removed.events += 1;
                }
                Log::Messages => {
                    tx.remove_message(*id)?;
                    removed.messages += 1;
                }
            }
        }
        Ok(removed)
    }

    /// The last step: what came after these rows, and then the conversation.
    pub fn leave(&self, tx: &Tx<'_>, now: i64, events: i64, messages: i64) -> Result<Left> {
        let again = Person::find(tx, self.number.as_deref(), &self.user)?;
        if again != *self {
            return Ok(Left::Changed);
        }
        let mut removed = Removed {
            open: end_jobs(tx, now, self, AT_ONCE)?,
            ..Removed::default()
        };
        if removed.open == AT_ONCE {
            return Ok(Left::NotYet(removed));
        }
        for (log, after) in [(Log::Events, events), (Log::Messages, messages)] {
            let found = self.look(tx, log, after)?;
            if found.more {
                return Ok(Left::NotYet(removed));
            }
            removed.add(self.remove(tx, now, log, &found.ids)?);
        }
        for id in &self.conversations {
            self.keep_the_wish(tx, *id)?;
            tx.remove_conversation(*id)?;
        }
        self.ids.iter().try_for_each(|id| tx.forget_subject(id))?;
        Ok(Left::Forgotten(removed))
    }

    fn keep_the_wish(&self, tx: &Tx<'_>, id: ConversationId) -> Result<()> {
        if tx.contact(id)?.marketing_stopped_at.is_none() {
            return Ok(());
        }
        // Of those that became part of another, that one knows better.
        let Some((number, _, None)) = tx.conversation_names(id)? else {
            return Ok(());
        };
        let mut ids = self.ids.iter();
        ids.try_for_each(|id| tx.keep_unwilling(&wish_digest(&number, id)))
    }
}

/// What is kept of somebody who wanted no marketing from a number.
pub(super) fn wish_digest(number: &str, user: &str) -> [u8; 16] {
    key_digest(&format!("no marketing {number} {user}"))
}

/// Ends jobs of a person's that are open, running or not: what comes of an attempt
/// that is under way changes nothing any more. How many; when it is `limit`, there
/// may be more.
pub fn end_jobs(tx: &Tx<'_>, now: i64, person: &Person, limit: usize) -> Result<usize> {
    let mut ended = 0;
    for queue in tx.queues()? {
        for lane in &person.conversations {
            let jobs = tx.open_in_lane(queue.id, *lane, limit - ended)?;
            jobs.iter().try_for_each(|job| end(tx, now, job))?;
            ended += jobs.len();
            if ended == limit {
                return Ok(ended);
            }
        }
    }
    Ok(ended)
}

fn end(tx: &Tx<'_>, now: i64, job: &Job) -> Result<()> {
    tx.end_job(job, JobState::Done, Some("the person was forgotten"), now)
}

/// A job that ends without those it would be handed over with: they go on.
fn apart(tx: &Tx<'_>, job: Job) -> Result<Job> {
    match job.burst {
        Some(first) if first == job.id => {
            for mate in tx.mates(&job)? {
                tx.set_burst(mate.id, &[mate.id])?;
            }
        }
        Some(_) => tx.set_burst(job.id, &[job.id])?,
        None => {}
    }
    Ok(Job {
        burst: Some(job.id),
        ..job
    })
}

fn is_open(job: &Job) -> bool {
    matches!(job.state, JobState::Waiting | JobState::Running)
}

/// Takes a row out of the chain of its conversation, which goes on.
fn unchain(tx: &Tx<'_>, log: Log, conversation: ConversationId, id: i64) -> Result<()> {
    let Some(ends) = tx.thread_ends(conversation)? else {
        return Ok(());
    };
    let newest = match log {
        Log::Events => ends.last_event,
        Log::Messages => ends.last_message,
    };
    let before = tx.before_in_chain(log, id)?;
    if newest == Some(id) {
        return tx.set_chain(log, conversation, before);
    }
    let mut next = newest;
    for _ in 0..CHAIN_MAX {
        // Past it: it was in no chain.
        let Some(at) = next.filter(|at| *at > id) else {
            return Ok(());
        };
        next = tx.before_in_chain(log, at)?;
        if next == Some(id) {
            return tx.set_before_in_chain(log, at, before);
        }
    }
    Ok(())
}
