//! The process: its starts and deaths, and each of its steps, committed, undone
//! or committed and never heard of.

use super::app::App;
use super::book::{Check, ensure, read};
use super::graph::{self, Call};
use super::hands::HANDOVER_MS;
use super::meta::Post;
use super::rest::ALL;
use super::turns::Due;
use super::world::{Act, MINUTE, World};
use wabridge::config::{Limits, Rates};
use wabridge::gateway::Sent;
use wabridge::gateway::inbox::{self, Replayed};
use wabridge::gateway::{BOT, Delivery, Gateway, Outcome, Work};
use wabridge::policy::pacing::Rate;
use wabridge::policy::priority::Priority;
use wabridge::policy::verdict::Verdict;
use wabridge::store::rows::{Queue, QueueId, QueueKind};
use wabridge::store::{StoreError, Tx};
use wabridge::wire::media::Kinds;
use wabridge::wire::notification;
use wabridge::wire::substitute::Substitute;

const DAY: i64 = 24 * 60 * MINUTE;
/// Longer than a number's pace and a full disk keep a job that is due waiting.
const OVERSLEPT_MS: i64 = 3_000;
/// The longest that anything waits: as long as Graph or an app may ask for.
const WAIT_MAX_MS: i64 = 60 * MINUTE;
/// The longest between two probes of a halt, the lost ones included.
const PROBED_FOR_MS: i64 = 17 * MINUTE;

/// What became of a step.
pub struct Stepped<T> {
    /// What it returned, if it was committed.
    pub value: Option<T>,
    /// The process dies now: nobody is told.
    pub dies: bool,
}

impl World {
    pub fn start(&mut self) -> Check {
        self.life += 1;
        let (limits, tokens) = (self.limits(), self.tokens.clone());
        let consumers = self.consumers.clone();
        let (wants, now, clock) = (self.plan.wants, self.now, self.clock());
        let started = self.step(|_, tx| {
            let gateway = Gateway::open(tx, limits, wants, &tokens.settings())?;
            let recovered = gateway.recover(tx, clock)?;
            Ok((gateway, recovered))
        })?;
        if let Some((gateway, recovered)) = started.value {
            self.note(|| format!("start: {recovered:?}"));
            self.book.recovered(recovered, now)?;
            self.files.recovered(recovered.fetches)?;
            self.loaded = tokens;
            self.book.settings_are(consumers);
            self.gateway = Some(gateway);
            self.wake_soon(QueueKind::Deliver, now);
            self.wake_soon(QueueKind::Send, now);
            self.wake_soon(QueueKind::Fetch, now);
        } else if !started.dies {
            self.at(1_000, Act::Start);
        }
        self.die_if(started.dies);
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits {
            rates: Rates::all(Rate::per_second(self.plan.per_second)),
            on_unknown: self.plan.on_unknown,
            handover_ms: HANDOVER_MS,
            bot_concurrency: self.consumers.concurrency(BOT),
            observers: self.consumers.limits(),
            debounce: self.consumers.debounce,
            // Age ends nothing here: what is given up must have another reason.
            delivery_age_max_ms: 10 * DAY,
            send_age_max_ms: 10 * DAY,
            window_template: self.ways.template.then(|| {
                Substitute::parse("late/en_US/text").expect("it is a template with a gap")
            }),
            media_order_wait_ms: self.ways.file_wait_ms(),
            media_kinds: Kinds::parse("all").expect("it is a word"),
            ..Limits::default()
        }
    }

    /// SIGHUP: the settings are read anew. Calls under way keep the old ones.
    pub fn reload(&mut self) {
        if self.gateway.is_none() {
            return;
        }
        let (limits, settings) = (self.limits(), self.tokens.settings());
        let wants = self.plan.wants;
        let anew = self.database.commit(|tx| {
            let gateway = Gateway::open(tx, limits, wants, &settings)?;
            gateway.note_consumers(tx)?;
            Ok(gateway)
        });
        let anew = anew.expect("memory is never full");
        self.note(|| "the settings are read anew".into());
        self.gateway = Some(anew);
        self.loaded = self.tokens.clone();
        self.book.settings_are(self.consumers.clone());
        self.wake_soon(QueueKind::Send, self.now);
        self.wake_soon(QueueKind::Deliver, self.now);
    }

    pub fn die_if(&mut self, dies: bool) {
        if dies {
            self.die("in this step");
        }
    }

    /// Everything in memory is gone; what was sent out goes on without us.
    pub fn die(&mut self, when: &str) {
        if self.gateway.is_none() && when != "in this step" {
            return;
        }
        self.note(|| format!("the process dies {when}"));
        self.tally.crashes += 1;
        self.gateway = None;
        let anew = self.operator.beside().expect("memory needs no file");
        self.database = anew.with_filing(self.plan.filing);
        self.life += 1;
        self.wakes = [None; 3];
        if !self.resting && self.luck.chance(self.plan.faults.reloads) {
            self.tokens.change(&mut self.luck);
            self.consumers.change(&mut self.luck);
        }
        let down = match self.luck.chance(0.3) {
            true => self.luck.between(MINUTE, 10 * MINUTE),
            false => self.luck.between(100, 20_000),
        };
        self.at(if self.resting { 1_000 } else { down }, Act::Start);
    }

    /// Runs one step in one commit; the process may die in it.
    pub fn step<T>(
        &mut self,
        run: impl FnOnce(Option<&Gateway>, &Tx<'_>) -> wabridge::store::Result<T>,
    ) -> Check<Stepped<T>> {
        let (luck, faults) = (&mut self.luck, &self.plan.faults);
        let full = luck.chance(faults.disk_full);
        let dies = luck.chance(faults.dies_in_step);
        let undone = full || (dies && luck.chance(0.5));
        let gateway = self.gateway.as_ref();
        self.book.clock = self.now + self.skew;
        let outcome = self.database.commit(|tx| {
            let value = run(gateway, tx)?;
            match undone {
                // Everything was written, and none of it may stay.
                true => Err(StoreError::Full),
                false => Ok(value),
            }
        });
        match outcome {
            Ok(value) => Ok(Stepped {
                value: Some(value),
                dies,
            }),
            Err(StoreError::Full) if undone => {
                self.note(|| "  this step is undone".into());
                Ok(Stepped { value: None, dies })
            }
            Err(error) => Err(format!("a step failed: {error}")),
        }
    }

    /// An operator's step, made beside the process, whether or not that runs.
    pub fn step_beside<T>(
        &mut self,
        run: impl FnOnce(&Tx<'_>) -> wabridge::store::Result<T>,
    ) -> Check<Stepped<T>> {
        std::mem::swap(&mut self.database, &mut self.operator);
        let stepped = self.step(|_, tx| run(tx));
        std::mem::swap(&mut self.database, &mut self.operator);
        stepped
    }

    /// A notification comes in. Only a committed one is answered with 200.
    pub fn post(&mut self, post: Post) -> Check {
        let (body, order) = self.meta.body(&post);
        let mut answered = false;
        if self.gateway.is_some() {
            let events = notification::read(body.as_bytes()).map_err(|_| "not JSON")?;
            let (now, clock) = (self.now, self.clock());
            let stepped = self.step(|gateway, tx| {
                let gateway = gateway.expect("looked at above");
                gateway.receive(tx, clock, &events)
            })?;
            if let Some(received) = stepped.value {
                let names = order.iter().map(|i| self.meta.events[*i].name.as_str());
                let names: Vec<&str> = names.collect();
                let line = format!("receive {}", names.join(", "));
                self.note(|| line);
                let (book, meta) = (&mut self.book, &self.meta);
                read(self.database.read(|tx| {
                    let tokens = &self.loaded;
                    Ok(book.received(tx, &meta.events, &order, received, tokens, now))
                }))??;
                if received.to_deliver {
                    self.wake_soon(QueueKind::Deliver, now);
                }
                let stored = order.iter().map(|index| &self.meta.events[*index]);
                self.files.received(stored);
                if received.to_fetch {
                    self.wake_soon(QueueKind::Fetch, now);
                }
                if received.to_send {
                    self.wake_soon(QueueKind::Send, now);
                }
                answered = !stepped.dies && !self.luck.chance(self.plan.faults.answer_lost);
            }
            self.die_if(stepped.dies);
        }
        let once_more = answered && self.luck.chance(self.plan.faults.redelivered);
        if !answered || once_more {
            let again = answered && self.ways.again > 0.0 && self.luck.chance(self.ways.again);
            for (wait, post) in self.meta.again(&mut self.luck, &self.plan.faults, post) {
                let wait = if again { self.hours() } else { wait };
                self.at(wait, Act::Post(post));
            }
        }
        Ok(())
    }

    pub fn wake_soon(&mut self, kind: QueueKind, at: i64) {
        let wake = &mut self.wakes[kind as usize];
        if wake.is_none_or(|planned| at < planned) {
            *wake = Some(at);
            self.at(at - self.now, Act::Wake(kind));
        }
    }

    /// The workers look for jobs until there are none or all hands are full.
    pub fn wake(&mut self, kind: QueueKind) -> Check {
        if self.wakes[kind as usize] != Some(self.now) {
            return Ok(());
        }
        self.wakes[kind as usize] = None;
        for _ in 0..100 {
            let room = self.room(kind);
            if room == 0 || self.gateway.is_none() {
                return Ok(());
            }
            let (now, clock) = (self.now, self.clock());
            let before = self.due_to_send()?;
            let claimed = self.step(|gateway, tx| {
                let gateway = gateway.expect("looked at above");
                gateway.claim(tx, clock, kind, room)
            })?;
            let Some(found) = claimed.value else {
                self.wake_soon(kind, now + 1_000);
                self.die_if(claimed.dies);
                return Ok(());
            };
            for message in &found.ended {
                self.note(|| format!("message {} ends without a call", message.id));
                self.book.ended_here(message, now)?;
            }
            if kind == QueueKind::Send {
                let (halts, tokens) = (&mut self.book.halts, &self.loaded);
                let look = |tx: &Tx<'_>| Ok(halts.looked_at(tx, tokens, clock));
                read(self.database.read(look))??;
            }
            ensure(found.work.len() <= room, || "more work than room".into())?;
            self.each_in_its_turn(&before, &found.work)?;
            if kind == QueueKind::Deliver {
                let book = &mut self.book;
                read(self.database.read(|tx| Ok(book.passed_over(tx))))??;
            }
            for work in found.work {
                self.begin(work, claimed.dies)?;
            }
            self.die_if(claimed.dies);
            match found.next_due.map(|due| due - self.skew) {
                None => return Ok(()),
                Some(due) if due > now && self.gateway.is_some() => {
                    // It looks again each second. Only for what waits as long as nothing
                    // may, since the clock was set back, does that matter.
                    let far = due - now > WAIT_MAX_MS;
                    self.wake_soon(kind, if far { now + 1_000 } else { due });
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        Err("claim finds no work and says that there is some".into())
    }

    /// What each sending number has that is due.
    fn due_to_send(&self) -> Check<Vec<(Queue, Due)>> {
        let now = self.clock();
        read(self.database.read(|tx| {
            let queues = tx.queues()?.into_iter();
            let sends = queues.filter(|queue| queue.kind == QueueKind::Send);
            sends
                .map(|queue| Ok((queue.clone(), Due::read(tx, queue.id, now)?)))
                .collect()
        }))
    }

    fn each_in_its_turn(&mut self, before: &[(Queue, Due)], work: &[Work]) -> Check {
        for ((queue, before), (_, after)) in before.iter().zip(&self.due_to_send()?) {
            let of_number = work.iter().filter_map(|work| match work {
                Work::Send(sending) if sending.number == queue.name => {
                    let body = serde_json::from_str(&sending.body).expect("it is JSON");
                    Some((sending.job, graph::name_of(&body)))
                }
                _ => None,
            });
            let went: Vec<_> = of_number.collect();
            let turns = self.turns.entry(queue.id).or_default();
            turns.went(before, after, &went)?;
        }
        Ok(())
    }

    /// An attempt is written; now it is made, unless the process just died.
    fn begin(&mut self, work: Work, dead: bool) -> Check {
        let (now, life) = (self.now, self.life);
        match work {
            Work::Deliver(delivery) => {
                self.note(|| format!("{} gets {delivery:?}", delivery.consumer()));
                self.tally.bursts += u64::from(delivery.burst.len() > 1);
                self.tally.copies += u64::from(delivery.observer.is_some());
                let book = &mut self.book;
                read(
                    self.database
                        .read(|tx| Ok(book.claimed_delivery(tx, &delivery, now))),
                )??;
                if !dead {
                    let takes = App::takes_ms(&mut self.luck);
                    self.at(takes, Act::AppAnswers { delivery, life });
                }
            }
            Work::Fetch(fetching) => return self.begin_fetch(fetching, dead),
            Work::Send(sending) => {
                let token = self.loaded.of(&sending.number);
                let gateway = self.gateway.clone().expect("it has just claimed");
                let call = Call::new(sending, token, gateway, life);
                self.tally.templates += u64::from(call.is_substitute());
                self.note(|| format!("send `{}` {:?}", call.name(), call.sending));
                let start_at = call.sending.start_at - self.skew;
                let book = &mut self.book;
                read(
                    self.database
                        .read(|tx| Ok(book.claimed_send(tx, &call, start_at, now))),
                )??;
                if !dead {
                    let takes = start_at - now + self.luck.between(5, 100);
                    self.at(takes, Act::GraphTakes(call));
                }
            }
        }
        Ok(())
    }

    pub fn finish_delivery(&mut self, delivery: Delivery, outcome: Outcome) -> Check {
        let (now, clock, luck) = (self.now, self.clock(), self.luck.unit());
        let finished = self.step(|gateway, tx| {
            let gateway = gateway.expect("its life is not over");
            gateway.finish_delivery(tx, clock, delivery.job, delivery.attempt, &outcome, luck)
        })?;
        if finished.value.is_none() && !finished.dies {
            let life = self.life;
            self.at(
                1_000,
                Act::AppAnswered {
                    delivery,
                    outcome,
                    life,
                },
            );
            return Ok(());
        }
        let under_way = &self.book.handed[delivery.consumer()].under_way;
        let forgotten = !under_way.contains_key(&delivery.job);
        if finished.value.is_some() && !forgotten {
            self.note(|| format!("{} ends {delivery:?}: {outcome:?}", delivery.consumer()));
            let book = &mut self.book;
            let entry = |tx: &Tx<'_>| Ok(book.finished_delivery(tx, &delivery, &outcome, now));
            read(self.database.read(entry))??;
            self.wake_soon(QueueKind::Deliver, now);
            self.wake_soon(QueueKind::Send, now);
        }
        self.die_if(finished.dies);
        Ok(())
    }

    pub fn finish_sending(&mut self, call: Call, verdict: Verdict) -> Check {
        let (now, clock, luck) = (self.now, self.clock(), self.luck.unit());
        let (job, attempt) = (call.sending.job, call.sending.attempt);
        let finished = self.step(|_, tx| {
            let gateway = &call.gateway;
            gateway.finish_sending(tx, clock, job, attempt, &verdict, luck)
        })?;
        let Some(sent) = finished.value else {
            match finished.dies {
                true => self.die_if(true),
                false => self.at(1_000, Act::GraphAnswered { call, verdict }),
            }
            return Ok(());
        };
        self.note(|| format!("`{}` ends, {sent:?}: {verdict:?}", call.name()));
        if !self.book.sending.contains_key(&job) {
            self.die_if(finished.dies);
            return ensure(sent == Sent::Stale, || {
                format!("`{}` was forgotten and came to something", call.name())
            });
        }
        let book = &mut self.book;
        let entry = |tx: &Tx<'_>| Ok(book.finished_send(tx, &call, &verdict, sent, now));
        read(self.database.read(entry))??;
        self.wake_soon(QueueKind::Send, now);
        self.die_if(finished.dies);
        Ok(())
    }

    /// An operator does, whether or not the service runs.
    pub fn replay_a_dead_letter(&mut self) -> Check {
        let (now, clock) = (self.now, self.clock());
        let replayed = self.step_beside(|tx| {
            // The oldest.
            let Some((_, event, _)) = tx.dead_before(i64::MAX, ALL)?.pop() else {
                return Ok(None);
            };
            ensure_again(inbox::replay(tx, clock, event)?)?;
            tx.event(event)
        })?;
        if let Some(event) = replayed.value.flatten() {
            self.note(|| format!("replay event {}", event.id));
            for index in self.book.replayed(&event.body) {
                let element = self.meta.events[index].element.to_string();
                self.files.replayed(&element);
            }
            self.wake_soon(QueueKind::Fetch, now);
            self.wake_soon(QueueKind::Deliver, now);
        }
        Ok(())
    }

    /// A job that is due while a worker is free is claimed, or its time is
    /// known: nobody may wait for an alarm that was never set. And a number
    /// stands still only if something was heard that is reason enough.
    pub fn nobody_oversleeps(&self) -> Check {
        if self.gateway.is_none() {
            return Ok(());
        }
        let clock = self.clock();
        let queues = read(self.database.read(|tx| tx.queues()))?;
        for queue in &queues {
            let (kind, name) = (queue.kind, &queue.name);
            // By the book, not by what is stored: nobody stands still without reason.
            let halted = kind == QueueKind::Send
                && self
                    .book
                    .is_halted(name, queue.waba.as_deref(), &self.loaded);
            if let Some(handed) = self.book.handed.get(name) {
                let (stored, told) = (queue.breaker.failures, handed.failures);
                ensure(stored == told, || {
                    format!("{name} was down {told} times in a row, {stored} are written")
                })?;
            }
            let paused_until = queue.throttle.paused_until(clock).unwrap_or(clock);
            let closed_until = paused_until.max(queue.breaker.closed_until_ms);
            if closed_until > clock || queue.breaker.probing() {
                let well = kind == QueueKind::Send && !queue.breaker.probing() && !halted;
                let known = self.book.may_stand_until(name) + self.skew;
                // What was written by another clock is no reason of Graph's.
                ensure(!well || self.skew != 0 || closed_until <= known, || {
                    format!("{name} stands still for nothing")
                })?;
                continue;
            }
            let mut free = self.room(kind);
            if kind == QueueKind::Deliver {
                let most = self.book.consumers.concurrency(name);
                let held = read(self.database.read(|tx| tx.running(queue.id)))?;
                free = free.min(most.saturating_sub(held));
            }
            let alone = queues.iter().filter(|other| other.kind == kind).count() < 2;
            let held = read(self.database.read(|tx| tx.running(queue.id)))?;
            // It may go on when one of those under way ends, which is an alarm
            // of its own: none is free, or it has its share, two for each that
            // it leaves to others.
            let shares = kind != QueueKind::Deliver && !alone;
            if free == 0 || (shares && held >= 2 * free) {
                continue;
            }
            let due = read(self.database.read(|tx| tx.next_due(queue.id)))?;
            let soon = self.now + OVERSLEPT_MS;
            let will_look = self.wakes[kind as usize].is_some_and(|wake| wake <= soon);
            let far = due.is_some_and(|due| !will_look && due - clock > WAIT_MAX_MS);
            ensure(!far, || {
                let (due, wake) = (due.unwrap_or(0) - clock, self.wakes[kind as usize]);
                let wake = wake.map(|wake| wake - self.now);
                format!("a job of {name} ({kind:?}) is due in {due} ms, looked for in {wake:?}")
            })?;
            // After a refusal for pace a number is slow for a while.
            let slow = clock < queue.throttle.until_ms + MINUTE;
            let patience = match (halted, slow) {
                (true, _) => PROBED_FOR_MS,
                (_, true) => MINUTE,
                (..) => OVERSLEPT_MS,
            };
            if kind == QueueKind::Deliver {
                self.nobody_waits_for_more_for_ever(queue.id)?;
            }
            let awake = |due: i64| {
                let latest = due.max(clock) - self.skew + patience;
                self.wakes[kind as usize].is_some_and(|wake| wake <= latest)
            };
            ensure(due.is_none_or(awake), || {
                let (due, wake) = (due.unwrap_or(0) - clock, self.wakes[kind as usize]);
                let wake = wake.map(|wake| wake - self.now);
                format!("a job of {name} ({kind:?}) is due in {due} ms and looked for in {wake:?}")
            })?;
        }
        Ok(())
    }

    /// A burst has an end: what was not tried yet is due by then.
    fn nobody_waits_for_more_for_ever(&self, queue: QueueId) -> Check {
        // By a clock that was set nobody can tell. What waits already need not hear that
        // it may go earlier now.
        let silence_ms = self.book.consumers.silence_ms_max;
        let Some(silence_ms) = silence_ms.filter(|_| self.skew == 0) else {
            return Ok(());
        };
        let most = (10 * silence_ms).min(5 * MINUTE);
        let late = read(self.database.read(|tx| {
            let due_by = |time| tx.due_jobs(queue, Priority::Reply, time, 1_000);
            for job in due_by(i64::MAX)?.iter().filter(|job| job.attempts == 0) {
                let event = job.event.map_or(Ok(None), |event| tx.event(event))?;
                let received_at = event.map_or(0, |event| event.received_at);
                let in_time = due_by(self.now.max(received_at + most))?;
                if !in_time.iter().any(|other| other.id == job.id) {
                    return Ok(Some(job.id));
                }
            }
            Ok(None)
        }))?;
        ensure(late.is_none(), || {
            format!("job {late:?} waits for more for too long")
        })
    }

    fn room(&self, kind: QueueKind) -> usize {
        let busy = match kind {
            QueueKind::Deliver => {
                let handed = self.book.handed.values();
                handed.map(|handed| handed.under_way.len()).sum()
            }
            QueueKind::Send => self.book.sending.len(),
            QueueKind::Fetch => self.files.fetching.len(),
        };
        let workers = match kind {
            QueueKind::Deliver => self.book.consumers.workers(),
            QueueKind::Send | QueueKind::Fetch => self.plan.room[kind as usize],
        };
        workers.saturating_sub(busy)
    }
}

fn ensure_again(replayed: Replayed) -> wabridge::store::Result<()> {
    match replayed {
        Replayed::Again => Ok(()),
        other => Err(StoreError::Bug(format!(
            "a dead letter's replay: {other:?}"
        ))),
    }
}
