//! Upkeep in the middle of everything: what is old goes, and a person is forgotten.
//! Each time all that is stored is compared with what was stored before: what went
//! had to be old and done with, or theirs; and no thread has a hole.

use super::book::{Book, Check, ensure, read};
use super::lanes::Lane;
use super::luck::Luck;
use super::meta::{Post, name_of};
use super::process::Stepped;
use super::world::{MINUTE, World};
use std::collections::{BTreeMap, BTreeSet};
use wabridge::config::Limits;
use wabridge::gateway::forget::{AT_ONCE, Left, Person, end_jobs};
use wabridge::gateway::thread::{Entry, thread};
use wabridge::gateway::{Gateway, prune};
use wabridge::policy::ladder::SendState;
use wabridge::policy::upkeep::DIGESTS_KEPT_MS;
use wabridge::store::Tx;
use wabridge::store::rows::{
    ConversationId, Event, JobId, JobState, Log, Message, OutboxId, QueueKind,
};
use wabridge::wire::notification::{self, Kind};
use wabridge::wire::outgoing::is_mark;
use wabridge::wire::sample::mix;

const HOUR: i64 = 60 * MINUTE;
/// More rows than any world has.
const ALL: usize = 100_000;

/// What a seed decides about it, by a stream of chance of its own.
pub struct Upkeep {
    luck: Luck,
    /// Looked at once a minute.
    prunes: f64,
    forgets: f64,
    /// `RETENTION_DAYS`, so to speak.
    age_ms: i64,
}

/// All that is stored, by its rows.
struct Rows {
    events: BTreeMap<i64, Event>,
    messages: BTreeMap<OutboxId, Message>,
}

/// What was stored and is not any more.
pub struct Gone {
    /// By Meta's index.
    pub events: BTreeSet<usize>,
    pub messages: BTreeSet<OutboxId>,
}

impl Upkeep {
    pub fn draw(seed: u64) -> Upkeep {
        let mut luck = Luck::new(mix(seed ^ 0x0B_5E55));
        Upkeep {
            prunes: *luck.pick(&[0.0, 0.1, 0.5]),
            forgets: *luck.pick(&[0.0, 0.0, 0.1, 0.4]),
            age_ms: *luck.pick(&[0, 10_000, MINUTE, 10 * MINUTE, 5 * HOUR]),
            luck,
        }
    }
}

impl Rows {
    fn read(tx: &Tx<'_>) -> Check<Rows> {
        let events = read(tx.events_after(0, ALL))?.into_iter();
        let messages = read(tx.messages_after(0, ALL))?.into_iter();
        Ok(Rows {
            events: events.map(|event| (event.id, event)).collect(),
            messages: messages.map(|message| (message.id, message)).collect(),
        })
    }

    fn gone(&self, after: &Rows, book: &Book) -> Gone {
        let events = self.events.values();
        let events = events.filter(|event| !after.events.contains_key(&event.id));
        let messages = self.messages.keys();
        let messages = messages.filter(|id| !after.messages.contains_key(id));
        Gone {
            events: events
                .map(|event| book.by_name[&name_of(&event.body)])
                .collect(),
            messages: messages.copied().collect(),
        }
    }
}

impl World {
    /// Once a minute.
    pub fn keep_up(&mut self) -> Check {
        if self.upkeep.luck.chance(self.upkeep.prunes) {
            self.prune()?;
        }
        match self.upkeep.luck.chance(self.upkeep.forgets) {
            true => self.forget_somebody(),
            false => Ok(()),
        }
    }

    fn rows(&self) -> Check<Rows> {
        read(self.database.read(|tx| Ok(Rows::read(tx))))?
    }

    /// The service does it, or somebody beside it; either may be interrupted.
    fn prune(&mut self) -> Check {
        let before = self.rows()?;
        let (now, limit) = (self.clock(), self.clock() - self.upkeep.age_ms);
        let inside = self.gateway.is_some() && self.upkeep.luck.chance(0.5);
        let mut dies = false;
        for log in [Log::Events, Log::Messages] {
            let mut after = Some(0);
            while let Some(from) = after.filter(|_| !dies) {
                let run = |tx: &Tx<'_>| prune::step(tx, now, log, from, limit);
                let stepped = match inside {
                    true => self.step(|_, tx| run(tx))?,
                    false => self.step_beside(run)?,
                };
                after = stepped.value.and_then(|pruned| pruned.after);
                dies = stepped.dies;
            }
        }
        let after = self.rows()?;
        let gone = before.gone(&after, &self.book);
        self.tally.pruned += (gone.events.len() + gone.messages.len()) as u64;
        self.note(|| {
            let (events, messages) = (gone.events.len(), gone.messages.len());
            format!("{events} events and {messages} messages are pruned")
        });
        for index in &gone.events {
            self.book.may_go(*index)?;
            let element = self.meta.events[*index].element.to_string();
            self.files.go(&element, true)?;
        }
        for event in before.events.values() {
            let is_gone = !after.events.contains_key(&event.id);
            ensure(!is_gone || event.received_at < limit, || {
                format!("{} was pruned and is young", name_of(&event.body))
            })?;
        }
        for id in &gone.messages {
            let message = &before.messages[id];
            use SendState::{Queued, Sending, Unknown};
            let is_open = matches!(message.state, Queued | Sending | Unknown);
            ensure(!is_open && message.changed_at < limit, || {
                format!("message {id} was pruned: {message:?}")
            })?;
        }
        self.book.went(&gone);
        self.unread_statuses_are_lost(&gone);
        self.no_thread_has_a_hole()?;
        self.die_if(dies && inside);
        Ok(())
    }

    /// A status without our mark that comes before Graph's answer is read when that
    /// comes. These ages are so short that it may have gone before.
    fn unread_statuses_are_lost(&mut self, gone: &Gone) {
        for index in &gone.events {
            let of = self.meta.events[*index].status.as_ref();
            if let Some(of) = of {
                let replies = self.book.replies.iter_mut();
                replies.for_each(|reply| reply.progress.forgets(of));
            }
            let Some(of) = of.filter(|of| !of.marked) else {
                continue;
            };
            for reply in &mut self.book.replies {
                if reply.outbox == Some(of.outbox) && reply.wamid.as_ref() != Some(&of.wamid) {
                    let statuses = reply.statuses.iter_mut();
                    let lost = statuses.filter(|s| s.0 == of.wamid && s.1 == of.word);
                    lost.for_each(|status| status.0 = "gone".into());
                }
            }
        }
    }

    /// Everybody who is stored is found in their thread, from the newest back.
    fn no_thread_has_a_hole(&self) -> Check {
        let rows = self.rows()?;
        let look = |tx: &Tx<'_>| {
            let mut shown: BTreeMap<ConversationId, BTreeSet<(bool, i64)>> = BTreeMap::new();
            let mut is_shown = |conversation, row| -> wabridge::store::Result<bool> {
                if let Some(shown) = shown.get(&conversation) {
                    return Ok(shown.contains(&row));
                }
                let page = thread(tx, conversation, None, ALL)?;
                let entries = page.entries.iter().map(|entry| match entry {
                    Entry::Event(event) => (true, event.id),
                    Entry::Message(message) => (false, message.id),
                });
                let entries: BTreeSet<(bool, i64)> = entries.collect();
                let found = entries.contains(&row);
                shown.insert(conversation, entries);
                Ok(found)
            };
            for event in rows.events.values() {
                let is_said = matches!(event.kind, Kind::Message | Kind::Call);
                if is_said && !is_shown(event.conversation, (true, event.id))? {
                    return Ok(Err(format!("event {} is in no thread", event.id)));
                }
            }
            for message in rows.messages.values().filter(|m| !is_mark(&m.type_)) {
                if !is_shown(message.conversation, (false, message.id))? {
                    return Ok(Err(format!("message {} is in no thread", message.id)));
                }
            }
            Ok(Ok(()))
        };
        read(self.database.read(look))?
    }

    /// Beside the service, whether or not that runs; a step that is undone is made
    /// again.
    fn forget_step<T>(&mut self, run: impl Fn(&Tx<'_>) -> wabridge::store::Result<T>) -> Check<T> {
        loop {
            let Stepped { value, .. } = self.step_beside(&run)?;
            if let Some(value) = value {
                return Ok(value);
            }
        }
    }

    fn forget_somebody(&mut self) -> Check {
        let Some((number, user)) = self.meta.somebody(&mut self.upkeep.luck) else {
            return Ok(());
        };
        let (before, now) = (self.rows()?, self.clock());
        let of = self.upkeep.luck.chance(0.5).then_some(number);
        let person = read(self.operator.read(|tx| Person::find(tx, of, &user)))?;
        let lane = self.book.lane_of(number, &user);
        let mut looked_at = [(Log::Events, 0), (Log::Messages, 0)];
        // Sometimes they were not looked for yet, and all is left to the last step.
        let mut looks = [(); 2].map(|()| !self.upkeep.luck.chance(0.2));
        loop {
            while self.forget_step(|tx| end_jobs(tx, now, &person, AT_ONCE))? == AT_ONCE {}
            for ((log, after), looks) in looked_at.iter_mut().zip(looks) {
                if looks {
                    *after = self.remove_from(*log, *after, &person)?;
                }
            }
            let [(_, events), (_, messages)] = looked_at;
            match self.forget_step(|tx| person.leave(tx, now, events, messages))? {
                Left::Forgotten(_) => break,
                Left::NotYet(_) => looks = [true; 2],
                Left::Changed => return Err("nobody else was there to change it".into()),
            }
        }
        let after = self.rows()?;
        let gone = before.gone(&after, &self.book);
        self.tally.forgotten += 1;
        self.note(|| {
            let (events, messages) = (gone.events.len(), gone.messages.len());
            format!("{user} is forgotten: {events} events and {messages} messages")
        });
        self.only_theirs_is_gone(lane, &before, &after, &gone)?;
        for index in &gone.events {
            let element = self.meta.events[*index].element.to_string();
            self.files.go(&element, false)?;
        }
        self.book.went(&gone);
        self.book.forgotten(lane, &gone);
        self.no_thread_has_a_hole()?;
        for kind in [QueueKind::Deliver, QueueKind::Send, QueueKind::Fetch] {
            self.wake_soon(kind, self.now);
        }
        Ok(())
    }

    /// What a log has of somebody goes, from after a row on. The last row.
    fn remove_from(&mut self, log: Log, mut after: i64, person: &Person) -> Check<i64> {
        let now = self.clock();
        loop {
            let found = read(self.operator.read(|tx| person.look(tx, log, after)))?;
            self.forget_step(|tx| person.remove(tx, now, log, &found.ids))?;
            after = found.upto;
            if !found.more {
                return Ok(after);
            }
        }
    }

    fn only_theirs_is_gone(&self, lane: Lane, before: &Rows, after: &Rows, gone: &Gone) -> Check {
        for event in before.events.values() {
            let index = self.book.by_name[&name_of(&event.body)];
            let theirs = self.book.is_of(lane, index);
            ensure(theirs == gone.events.contains(&index), || {
                format!(
                    "{} is theirs: {theirs}, and {}",
                    name_of(&event.body),
                    "the opposite came of it"
                )
            })?;
        }
        for id in before.messages.keys() {
            let theirs = self.book.is_to(lane, *id);
            ensure(theirs == gone.messages.contains(id), || {
                format!("message {id} is to them: {theirs}, and the opposite came of it")
            })?;
        }
        let new = after.events.len() + after.messages.len();
        let old = before.events.len() + before.messages.len();
        let went = gone.events.len() + gone.messages.len();
        ensure(new + went == old, || "rows were made".into())
    }

    /// When all is at rest: everything may go and nothing is left, and Meta may
    /// deliver all of it again for eight days.
    pub fn everything_goes(&mut self) -> Check {
        let now = self.clock();
        let note = |tx: &Tx<'_>| prune::sweep_digests(tx, now, now, &[]);
        read(self.database.commit(note))?;
        for log in [Log::Events, Log::Messages] {
            let mut after = Some(0);
            while let Some(from) = after {
                let step = |tx: &Tx<'_>| prune::step(tx, now, log, from, i64::MAX);
                after = read(self.database.commit(step))?.after;
            }
        }
        let rows = self.rows()?;
        ensure(rows.events.is_empty() && rows.messages.is_empty(), || {
            format!("{} events stay for nothing", rows.events.len())
        })?;
        self.all_is_known(true)?;
        let later = now + DIGESTS_KEPT_MS - HOUR;
        self.sweep(later)?;
        self.all_is_known(true)?;
        self.sweep(later + 2 * HOUR)?;
        self.all_is_known(false)
    }

    fn sweep(&mut self, now: i64) -> Check {
        // What memory holds is filed first, as after a start.
        self.database = self.operator.beside().expect("memory needs no file");
        let mut after = Some(Vec::new());
        while let Some(from) = after {
            let step = |tx: &Tx<'_>| prune::sweep_digests(tx, now, now, &from);
            after = read(self.database.commit(step))?.after;
        }
        Ok(())
    }

    fn all_is_known(&mut self, known: bool) -> Check {
        let (now, limits) = (self.clock(), Limits::default());
        let (wants, tokens) = (self.plan.wants, self.tokens.settings());
        let arrivals = self.book.arrivals.iter();
        let bodies = arrivals.map(|index| {
            let events = vec![*index];
            self.meta.body(&Post { events, tries: 0 }).0
        });
        let bodies: Vec<String> = bodies.collect();
        let receive = |tx: &Tx<'_>| {
            let gateway = Gateway::open(tx, limits, wants, &tokens)?;
            let mut duplicates = 0;
            for body in &bodies {
                let events = notification::read(body.as_bytes()).expect("it is JSON");
                duplicates += gateway.receive(tx, now, &events)?.duplicates as usize;
            }
            Ok(duplicates)
        };
        let found = read(self.database.commit(receive))?;
        let expected = if known { bodies.len() } else { 0 };
        ensure(found == expected, || {
            format!("of {} events {found} are known again", bodies.len())
        })
    }
}

impl Book {
    /// Nobody waits for an event, and it is not under way.
    fn may_go(&self, index: usize) -> Check {
        let name = &self.arrived(index).name;
        for (consumer, handed) in &self.handed {
            let entry = handed.entries.get(&index);
            let open = entry.is_some_and(|entry| entry.ended.is_none());
            ensure(!open, || format!("{name} went and {consumer} waits for it"))?;
        }
        Ok(())
    }

    /// These rows are not stored any more.
    fn went(&mut self, gone: &Gone) {
        self.gone.extend(&gone.events);
        self.handed
            .values_mut()
            .for_each(|handed| handed.went(&gone.events));
        for id in &gone.messages {
            self.replies[*id as usize - 1].gone = true;
        }
    }

    fn lane_of(&mut self, number: &str, user: &str) -> Lane {
        self.lanes.of(number, user)
    }

    fn is_of(&self, lane: Lane, index: usize) -> bool {
        self.lanes.root(self.arrived(index).lane) == lane
    }

    fn is_to(&self, lane: Lane, outbox: OutboxId) -> bool {
        self.lanes.root(self.replies[outbox as usize - 1].lane) == lane
    }

    /// Whether the message of this name went.
    pub fn is_gone(&self, name: &str) -> bool {
        let place = self.reply_by_name.get(name);
        place.is_some_and(|place| self.replies[*place].gone)
    }

    /// What was under way with a person is over, and who they were nobody knows.
    fn forgotten(&mut self, lane: Lane, gone: &Gone) {
        for handed in self.handed.values_mut() {
            let goes = |members: &[usize]| members.iter().any(|index| gone.events.contains(index));
            handed.under_way.retain(|_, members| !goes(members));
            let entries = handed.entries.iter_mut();
            for (_, entry) in entries.filter(|(index, _)| gone.events.contains(index)) {
                entry.ended.get_or_insert(JobState::Done);
            }
        }
        let is_gone = |place: &usize| gone.messages.contains(&(*place as i64 + 1));
        let sending = self.sending.iter().filter(|(_, place)| is_gone(place));
        let over: Vec<JobId> = sending.map(|(job, _)| *job).collect();
        for job in over {
            self.sending.remove(&job);
            self.halts.over(job);
        }
        self.lanes.forget(lane);
    }
}
