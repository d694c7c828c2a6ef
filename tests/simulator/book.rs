//! What must have happened, written down from the outside: who said what, which
//! commits went through, which calls were made. Each entry is checked as it is
//! made; what can only be judged in the end is in [`super::rest`].

use super::callers::Request;
use super::consumers::Consumers;
use super::entries::{Arrived, Breadth, Number, Reply, reasons_to_stand};
use super::graph::Call;
use super::halts::{Caller, Halts};
use super::handed::{Entry, Handed, Stored};
use super::hands::Hands;
use super::lanes::{Lane, Lanes};
use super::luck::{Luck, Plan};
use super::meta::{self, Event};
use super::statuses::News;
use super::tokens::{Token, Tokens};
use super::windows::{self, Ends, Told, Ways};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wabridge::config::OnUnknown;
use wabridge::gateway::{BOT, Delivery, Outcome, Posted, Received, Recovered, Sent};
use wabridge::policy::ladder::SendState;
use wabridge::policy::verdict::{Scope, Verdict};
use wabridge::store::Tx;
use wabridge::store::rows::{EventId, JobId, JobState, Message, OutboxId, QueueKind};
use wabridge::wire::notification::{Kind, user_id};

/// A message that came so long after it was written is late.
const STALE_MS: i64 = 60 * 60_000;
/// Graph's code for what only a template may say.
pub const TOO_LATE: i64 = 131_047;

/// The invariant that does not hold, in words.
pub type Check<T = ()> = Result<T, String>;

pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    match holds {
        true => Ok(()),
        false => Err(what()),
    }
}

/// A store that cannot be read is a broken invariant too.
pub fn read<T>(result: wabridge::store::Result<T>) -> Check<T> {
    result.map_err(|error| format!("the store cannot be read: {error}"))
}

pub struct Book {
    pub window_ms: i64,
    pub on_unknown: OnUnknown,
    /// Who gets events, as the process knows it.
    pub consumers: Consumers,
    per_second: u32,
    pub lanes: Lanes,
    hands: Hands,
    /// The service's clock at its last step.
    pub clock: i64,
    told: Told,
    template: bool,
    files_first: bool,
    numbers: BTreeMap<String, Number>,
    pub halts: Halts,
    /// Something concerned all numbers.
    all_may_stand_until: i64,
    /// By Meta's index of the event; `None` until it is stored.
    pub arrived: Vec<Option<Arrived>>,
    /// The events in order of arrival.
    pub arrivals: Vec<usize>,
    pub by_name: HashMap<String, usize>,
    by_event: HashMap<EventId, usize>,
    /// Events that were pruned, or forgotten with their person.
    pub gone: BTreeSet<usize>,
    /// By consumer.
    pub handed: BTreeMap<String, Handed>,
    /// Replies of finished deliveries, in the order of their commits.
    pub replies: Vec<Reply>,
    pub reply_by_name: HashMap<String, usize>,
    reply_by_outbox: HashMap<OutboxId, usize>,
    pub sending: HashMap<JobId, usize>,
}

impl Book {
    pub fn new(plan: &Plan, ways: &Ways, consumers: &Consumers, window_ms: i64) -> Book {
        let handed = consumers.names().map(|name| {
            let debounce = consumers.debounce.filter(|_| name == BOT);
            (name.to_owned(), Handed::new(name, debounce))
        });
        Book {
            window_ms,
            on_unknown: plan.on_unknown,
            handed: handed.collect(),
            consumers: consumers.clone(),
            per_second: plan.per_second,
            lanes: Lanes::default(),
            hands: Hands::default(),
            clock: 0,
            told: Told::default(),
            template: ways.template,
            files_first: ways.files_first,
            numbers: BTreeMap::new(),
            halts: Halts::default(),
            all_may_stand_until: 0,
            arrived: Vec::new(),
            arrivals: Vec::new(),
            by_name: HashMap::new(),
            by_event: HashMap::new(),
            gone: BTreeSet::new(),
            replies: Vec::new(),
            reply_by_name: HashMap::new(),
            reply_by_outbox: HashMap::new(),
            sending: HashMap::new(),
        }
    }

    /// The process has read the settings.
    pub fn settings_are(&mut self, consumers: Consumers) {
        let bot = self.handed.get_mut(BOT).expect("it is always there");
        bot.debounce = consumers.debounce;
        self.consumers = consumers;
    }

    /// A notification with these events, in this order, was committed.
    pub fn received(
        &mut self,
        tx: &Tx<'_>,
        events: &[Event],
        order: &[usize],
        received: Received,
        tokens: &Tokens,
        now: i64,
    ) -> Check {
        self.arrived.resize_with(events.len(), || None);
        let mut new = 0;
        for &index in order {
            let event = &events[index];
            let lane = self.lanes.join(&event.number, &event.ids, now);
            if self.arrived[index].is_some() {
                continue;
            }
            new += 1;
            if event.opens_a_window() {
                let at = event.written_at().expect("Meta tells the time");
                let by_ad = event.element["referral"].is_object();
                self.told.wrote(lane, at, by_ad);
            }
            if let Some(echo) = &event.echo {
                // What went out through us is nobody's answer.
                let own = read(tx.message_by_wamid(&echo.wamid))?.is_some();
                let gone = |reply: &Reply| reply.gone && reply.wamids.contains(&echo.wamid);
                let gone = self.replies.iter().any(gone);
                ensure(own || gone || !echo.is_ours, || {
                    format!("{} is not known", echo.wamid)
                })?;
                if !own {
                    self.hands.answered(&self.lanes, lane, echo.at, self.clock);
                }
            }
            self.arrivals.push(index);
            self.by_name.insert(event.name.clone(), index);
            let consumers = &self.consumers;
            let wanted = |(name, _): &(&String, &mut Handed)| consumers.wants(name, event.kind);
            for (_, handed) in self.handed.iter_mut().filter(wanted) {
                handed.entries.insert(index, Entry::default());
            }
            let written_at = event.written_at().filter(|_| event.is_said());
            self.arrived[index] = Some(Arrived {
                name: event.name.clone(),
                kind: event.kind,
                said: event.is_said(),
                number: event.number.clone(),
                wamid: event.wamid.clone(),
                lane,
                received_at: self.clock,
                stale: written_at.is_some_and(|at| self.clock - at > STALE_MS),
            });
            if let Some(of) = &event.status
                && let Some(&reply) = self.reply_by_outbox.get(&of.outbox)
                && !self.replies[reply].gone
            {
                let reply = &mut self.replies[reply];
                let is_known = of.marked || reply.progress.ids().any(|id| *id == of.wamid);
                let counts = is_known && !reply.spent.contains(&of.wamid);
                reply.told(of);
                if counts && !reply.answers {
                    reply.answers = true;
                    self.told
                        .sent(&self.lanes, reply.lane, reply.claimed_at, now);
                }
                reply.still_climbs(&read(tx.message(of.outbox))?)?;
                let news = reply.progress.told(of, self.clock);
                let token = tokens.of(&reply.number);
                self.heard_of(tx, self.reply_by_outbox[&of.outbox], token, news)?;
            }
        }
        let counted = (received.stored as usize, received.duplicates as usize);
        ensure(counted == (new, order.len() - new), || {
            let old = order.len() - new;
            format!("{new} new events and {old} known ones were received as {received:?}")
        })
    }

    /// What became of a message that concerns more than it.
    fn heard_of(&mut self, tx: &Tx<'_>, place: usize, token: Token, news: Option<News>) -> Check {
        let Reply { number, job, .. } = &self.replies[place];
        let (Some(news), Some(job)) = (news, *job) else {
            return Ok(());
        };
        let waba = waba(tx, number)?;
        let caller = Caller {
            number,
            token,
            waba: waba.as_deref(),
        };
        let (halts, clock) = (&mut self.halts, self.clock);
        match news {
            News::WentOut => halts.went_out(tx, job, clock),
            News::Failed { code, since } => {
                halts.failed_late(tx, caller, job, (code, since), clock)
            }
        }
    }

    /// An operator takes a conversation until then, or gives it back.
    pub fn taken_over(&mut self, number: &str, user: &str, until: Option<i64>, clock: i64) {
        let lane = self.lanes.of(number, user);
        match until {
            Some(until) => self.hands.take(&self.lanes, lane, until),
            None => self.hands.give(&self.lanes, lane, clock),
        }
    }

    fn is_taken(&self, lane: Lane) -> bool {
        self.hands.have(&self.lanes, lane, self.clock)
    }

    /// After a claim: what it passed over, because a person has the conversation.
    pub fn passed_over(&mut self, tx: &Tx<'_>) -> Check {
        let mut over = Vec::new();
        for stored in read(tx.events(i64::MAX, usize::MAX >> 1))? {
            let known = self.by_event.entry(stored.id);
            let index = *known.or_insert_with(|| self.by_name[&meta::name_of(&stored.body)]);
            let event = self.arrived(index);
            let jobs = read(tx.deliveries(stored.id))?;
            let mut jobs = jobs.iter().filter(|(_, consumer, _)| consumer == BOT);
            let done = jobs.any(|(job, ..)| job.state == JobState::Done);
            let bot = &self.handed[BOT];
            let open = bot.entries.get(&index).is_some_and(|e| e.ended.is_none());
            if !done || !open || bot.under_way.values().flatten().any(|i| *i == index) {
                continue;
            }
            let of_customer = stored.kind == Kind::Message;
            ensure(of_customer && self.is_taken(event.lane), || {
                format!("{} is passed over, and nobody has it in hand", event.name)
            })?;
            over.push(index);
        }
        let place = |index: &usize| self.arrivals.iter().position(|i| i == index);
        over.sort_by_key(place);
        let stored = Stored {
            arrived: &self.arrived,
            arrivals: &self.arrivals,
            by_name: &self.by_name,
            lanes: &self.lanes,
        };
        let bot = self.handed.get_mut(BOT).expect("it is always there");
        bot.passed_over(&stored, &over);
        Ok(())
    }

    /// A delivery was claimed, and the claim is on disk.
    pub fn claimed_delivery(&mut self, tx: &Tx<'_>, delivery: &Delivery, now: i64) -> Check {
        on_disk(tx, delivery.job, delivery.attempt)?;
        let consumer = delivery.consumer();
        let stored = Stored {
            arrived: &self.arrived,
            arrivals: &self.arrivals,
            by_name: &self.by_name,
            lanes: &self.lanes,
        };
        let handed = self.handed.get_mut(consumer);
        let handed = handed.ok_or_else(|| format!("there is no {consumer}"))?;
        let members = handed.claimed(&stored, delivery, (now, self.clock))?;
        let (most, under_way) = (self.consumers.concurrency(consumer), handed.under_way.len());
        ensure(under_way <= most, || {
            format!("{consumer} has {under_way} deliveries at once, and may have {most}")
        })?;
        let event = self.arrived(members[0]);
        let free = consumer != BOT || delivery.kind != Kind::Message || !self.is_taken(event.lane);
        ensure(free, || {
            format!("{} goes to the app and a person has it in hand", event.name)
        })
    }

    /// The end of a delivery was committed, and its replies with it.
    pub fn finished_delivery(
        &mut self,
        tx: &Tx<'_>,
        delivery: &Delivery,
        outcome: &Outcome,
        now: i64,
    ) -> Check {
        let consumer = delivery.consumer();
        let handed = self.handed.get_mut(consumer).expect("it was claimed");
        let members = handed.finished(delivery.job, outcome, now);
        let Outcome::Done { replies, .. } = outcome else {
            return Ok(());
        };
        // What answers a burst answers its last message.
        let event = self.arrived(*members.last().expect("there is one"));
        // A person took the conversation while the app thought; and nobody listens
        // to what an observer says.
        let unheard = consumer != BOT || self.is_taken(event.lane);
        let new: Vec<Reply> = replies
            .iter()
            .filter(|_| !unheard)
            .map(|reply| Reply::new(reply, event))
            .collect();
        for reply in new {
            let place = self.replies.len();
            self.reply_by_name.insert(reply.name.clone(), place);
            self.replies.push(reply);
            self.queued(tx, place, now)?;
        }
        Ok(())
    }

    /// A message is in the outbox, in this place: to be sent, or too late.
    fn queued(&mut self, tx: &Tx<'_>, place: usize, now: i64) -> Check {
        // Rows are numbered from 1, and no number is given twice.
        let message = read(tx.message(place as i64 + 1))?;
        match message.filter(|message| message.state == SendState::Failed) {
            Some(message) => self.ended_here(&message, now),
            None => Ok(()),
        }
    }

    /// A message ended without a call.
    pub fn ended_here(&mut self, message: &Message, now: i64) -> Check {
        let place = message.id as usize - 1;
        let ends = self.told.ends(&self.lanes, self.replies[place].lane);
        let reply = &mut self.replies[place];
        reply.progress.changed(self.clock);
        if (message.state, message.error_code) != (SendState::Failed, Some(TOO_LATE)) {
            return Ok(());
        }
        reply.outbox = Some(message.id);
        reply.too_late = true;
        reply.unknown_since = None;
        ensure(!reply.is_mark && !self.template, || {
            format!("`{}` needs no window, or has its template", reply.name)
        })?;
        windows::check_refusal(&reply.name, ends, now)
    }

    /// When the window ends of whom a call goes to, as far as we know.
    pub fn window_of(&self, call: &Call) -> Option<Ends> {
        let place = self.reply_by_outbox[&call.sending.outbox];
        self.told.ends(&self.lanes, self.replies[place].lane)
    }

    /// A request was committed: one message for all with the same key.
    pub fn posted(&mut self, tx: &Tx<'_>, request: &Request, posted: Posted, now: i64) -> Check {
        let name = &request.name;
        let known = self.reply_by_name.get(name).copied();
        match (posted, known) {
            (Posted::New(outbox), None) if !request.foreign => {
                let place = self.new_post(request, outbox);
                self.queued(tx, place, now)
            }
            // With the message went what its key had made.
            (Posted::New(outbox), Some(place)) if !request.foreign && self.replies[place].gone => {
                let place = self.new_post(request, outbox);
                self.queued(tx, place, now)
            }
            (Posted::Again(outbox), Some(place)) if !request.foreign => {
                let made = self.replies[place].outbox;
                ensure(made == Some(outbox), || {
                    format!("`{name}` was {made:?} and is {outbox} now")
                })
            }
            (Posted::Conflict, Some(_)) if request.foreign => Ok(()),
            _ => Err(format!("`{name}` is posted: {posted:?}, {known:?}")),
        }
    }

    /// The place of a message that was never posted before.
    fn new_post(&mut self, request: &Request, outbox: OutboxId) -> usize {
        let (name, id) = (&request.name, user_id(&request.to));
        let lane = self.lanes.of(request.number, &id);
        let place = self.replies.len();
        self.reply_by_name.insert(name.clone(), place);
        let reply = Reply::posted(name, request.number, lane, outbox);
        self.replies.push(reply);
        place
    }

    /// An operator did something with a message, which is now in this state.
    pub fn steered(&mut self, message: OutboxId, state: SendState) {
        let reply = &mut self.replies[message as usize - 1];
        reply.outbox = Some(message);
        if state == SendState::Queued {
            return reply.is_retried(self.clock);
        }
        reply.progress.changed(self.clock);
        reply.stopped = Some(state);
        reply.unknown_since = None;
    }

    /// The service's clock was set: waits may end early, and only that.
    pub fn clock_was_set(&mut self, forth: bool) {
        self.handed.values_mut().for_each(Handed::clock_was_set);
        for reply in &mut self.replies {
            reply.not_before = 0;
            if forth && reply.unknown_since.is_some() {
                reply.unknown_since = Some(0);
            }
        }
        self.lanes.clock_was_set();
        self.numbers.values_mut().for_each(Number::clock_was_set);
        self.halts.clock_was_set();
    }

    /// An operator wants the event of this stored body delivered again, to all who
    /// got it. The events that come with it, itself among them.
    pub fn replayed(&mut self, body: &str) -> BTreeSet<usize> {
        let index = self.by_name[&meta::name_of(body)];
        let handed = self.handed.values_mut();
        let again = handed.flat_map(|handed| handed.replayed(index));
        again.chain([index]).collect()
    }

    /// A send was claimed, and the claim is on disk.
    pub fn claimed_send(&mut self, tx: &Tx<'_>, call: &Call, start_at: i64, now: i64) -> Check {
        let sending = &call.sending;
        on_disk(tx, sending.job, sending.attempt)?;
        let name = call.name();
        let known = self.reply_by_name.get(&name).copied();
        let place = known
            .ok_or_else(|| format!("`{name}` is sent and no finished delivery answered so"))?;
        let lane = self.lanes.root(self.replies[place].lane);
        let number = self.replies[place].number.clone();
        let beside = |other: &Reply| other.number == number && self.lanes.root(other.lane) == lane;
        for other in self.replies[..place].iter().filter(|r| beside(r)) {
            ensure(other.has_ended(tx)?, || {
                format!("`{name}` overtakes `{}`", other.name)
            })?;
            let wamid = other.wamid.as_deref();
            ensure(!other.is_first_to_go(wamid, now), || {
                format!("`{name}` may overtake the file `{}`", other.name)
            })?;
        }
        for other in self.sending.values().map(|other| &self.replies[*other]) {
            ensure(!beside(other), || {
                format!("`{name}` and `{}` are sent at once in one lane", other.name)
            })?;
        }
        if !call.is_mark() {
            let ends = self.told.ends(&self.lanes, lane);
            let uncertain = self.replies[place].answers_lost > 0;
            windows::check_call(call, ends, uncertain, now)?;
            ensure(self.template || !call.is_substitute(), || {
                format!("a template goes out for `{name}` unasked")
            })?;
        }
        let within_pair = call.is_mark() || self.lanes.send(lane, now);
        ensure(within_pair, || format!("`{name}` exceeds the pair's rate"))?;
        let per_second = self.per_second;
        let line = self
            .numbers
            .entry(number.clone())
            .or_insert_with(|| Number::new(per_second));
        line.starts(&name, start_at, now)?;
        let waba = waba(tx, &number)?;
        let caller = call.caller(waba.as_deref());
        self.halts.starts(&name, caller, sending.job, self.clock)?;
        self.reply_by_outbox.insert(sending.outbox, place);
        self.sending.insert(sending.job, place);
        let reply = &mut self.replies[place];
        reply.job = Some(sending.job);
        reply.progress.changed(self.clock);
        reply.starts(call, now, self.window_ms, self.on_unknown)
    }

    /// Graph took a message, whether or not we will hear of it.
    pub fn reached_graph(&mut self, call: &Call, wamid: &str) -> Check {
        let reply = &mut self.replies[self.reply_by_outbox[&call.sending.outbox]];
        reply.wamids.push(wamid.to_owned());
        let allowed = 1 + reply.answers_lost as usize + reply.again;
        ensure(reply.is_mark || reply.wamids.len() <= allowed, || {
            let (name, times) = (&reply.name, reply.wamids.len());
            format!(
                "`{name}` went out {times} times and {} answers were lost",
                allowed - 1
            )
        })
    }

    /// The end of a send was committed.
    pub fn finished_send(
        &mut self,
        tx: &Tx<'_>,
        call: &Call,
        verdict: &Verdict,
        sent: Sent,
        now: i64,
    ) -> Check {
        let place = self
            .sending
            .remove(&call.sending.job)
            .expect("it was claimed");
        let all = reasons_to_stand(verdict, Breadth::All);
        self.all_may_stand_until = self.all_may_stand_until.max(now + all);
        let reply = &mut self.replies[place];
        ensure(sent != Sent::Stale, || {
            format!("the answer for `{}` came to nothing", reply.name)
        })?;
        if let Some(line) = self.numbers.get_mut(&reply.number)
            && !reply.settled
        {
            line.heard(verdict, now);
        }
        // A status was faster: the message is out, and only its acceptance says
        // anything more.
        let job = call.sending.job;
        match reply.settled && !matches!(verdict, Verdict::Accepted { .. }) {
            true => self.halts.over(job),
            false => {
                let waba = waba(tx, &reply.number)?;
                let caller = call.caller(waba.as_deref());
                let (halts, clock) = (&mut self.halts, self.clock);
                halts.ends(tx, caller, (job, reply.is_mark), verdict, clock)?;
            }
        }
        if let Verdict::Retry {
            scope: Scope::App,
            wait,
            ..
        } = verdict
            && !reply.settled
        {
            self.numbers
                .values_mut()
                .for_each(|line| line.pause(*wait, now));
        }
        if let Verdict::Accepted {
            wa_id,
            user_id: bsuid,
            ..
        } = verdict
        {
            let named = [wa_id, bsuid].into_iter().flatten();
            let ids = named.map(String::as_str).chain([call.to()]);
            let ids: Vec<String> = ids.filter(|id| !id.is_empty()).map(user_id).collect();
            if !ids.is_empty() {
                self.lanes.join(&reply.number, &ids, now);
            }
        }
        let message = read(tx.message(call.sending.outbox))?;
        let job = read(tx.job(call.sending.job))?.ok_or("a job is gone")?;
        if let Verdict::Accepted { wamid, .. } = verdict {
            reply.wamid.clone_from(wamid);
            if !call.is_mark() {
                reply.answers = true;
                self.told
                    .sent(&self.lanes, reply.lane, reply.claimed_at, now);
            }
            let waits = self.files_first && call.is_file();
            reply.file_since = waits.then_some(now);
            ensure(waits || job.state == JobState::Done, || {
                format!("`{}` is out and its lane waits", reply.name)
            })?;
        }
        if matches!(verdict, Verdict::Unknown { .. }) && !call.is_mark() {
            let from = reply.claimed_at;
            self.told.may_have_sent(reply.lane, from, now);
        }
        let news = match verdict {
            Verdict::Accepted { wamid, .. } => {
                let wamid = wamid.as_ref();
                wamid.and_then(|wamid| reply.progress.accepted(wamid, self.clock))
            }
            _ if reply.settled => None,
            _ => {
                reply.progress.changed(self.clock);
                None
            }
        };
        reply.heard(call, verdict, now);
        reply.still_climbs(&message)?;
        let burnt = job.attempts;
        ensure(burnt == reply.attempts, || {
            format!(
                "`{}` was tried {} times, {burnt} are written",
                reply.name, reply.attempts
            )
        })?;
        self.heard_of(tx, place, call.token, news)
    }

    /// Until when a number may stand still at most, by what was heard.
    pub fn may_stand_until(&self, number: &str) -> i64 {
        let own = self
            .numbers
            .get(number)
            .map_or(0, |line| line.may_stand_until);
        own.max(self.all_may_stand_until)
    }

    /// The process is up again; what was under way is over.
    pub fn recovered(&mut self, recovered: Recovered, now: i64) -> Check {
        let handed = self.handed.values();
        let delivering: usize = handed.map(|handed| handed.under_way.len()).sum();
        let under_way = (delivering, self.sending.len());
        ensure((recovered.deliveries, recovered.sends) == under_way, || {
            format!("{under_way:?} jobs were under way, {recovered:?} were found")
        })?;
        self.handed.values_mut().for_each(Handed::recovered);
        for (_, place) in self.sending.drain() {
            let reply = &mut self.replies[place];
            if !reply.is_mark {
                let from = reply.claimed_at;
                self.told.may_have_sent(reply.lane, from, now);
            }
            reply.answers_lost += 1;
            reply.progress.changed(self.clock);
            reply.unknown_since = (!reply.is_mark && !reply.settled).then_some(now);
        }
        let waiting = self
            .replies
            .iter_mut()
            .filter_map(|r| r.unknown_since.as_mut());
        waiting.for_each(|since| *since = now);
        self.halts.recovered();
        Ok(())
    }

    /// An id, of which we know, that Graph gave a message of ours.
    pub fn known_wamid(&self, luck: &mut Luck) -> Option<String> {
        let known = self.replies.iter().flat_map(|reply| reply.progress.ids());
        let known: Vec<&String> = known.collect();
        match known.is_empty() {
            true => None,
            false => Some((*luck.pick(&known)).clone()),
        }
    }

    /// Whether a number stands still.
    pub fn is_halted(&self, number: &str, waba: Option<&str>, tokens: &Tokens) -> bool {
        let token = tokens.of(number);
        let caller = Caller {
            number,
            token,
            waba,
        };
        self.halts.cover(caller, tokens)
    }

    pub fn arrived(&self, index: usize) -> &Arrived {
        self.arrived[index].as_ref().expect("it is in `arrivals`")
    }
}

/// A number's account, as far as the service has heard of it.
fn waba(tx: &Tx<'_>, number: &str) -> Check<Option<String>> {
    let mut queues = read(tx.queues())?.into_iter();
    let own = queues.find(|q| q.kind == QueueKind::Send && q.name == number);
    Ok(own.and_then(|queue| queue.waba))
}

/// The attempt is written before anything happens outside.
pub fn on_disk(tx: &Tx<'_>, job: JobId, attempt: u32) -> Check {
    let job = read(tx.job(job))?.ok_or("a claimed job is not stored")?;
    let found = (job.state, job.attempts);
    ensure(found == (JobState::Running, attempt), || {
        format!("attempt {attempt} begins and the store says {found:?}")
    })
}
