//! Time, and who calls whom. One agenda holds everything that will happen; the
//! earliest entry is next.

use super::app::App;
use super::book::{Book, Check, TOO_LATE, ensure, read};
use super::callers::Request;
use super::consumers::Consumers;
use super::files::{self, Files};
use super::graph::{Call, Graph};
use super::luck::{Faults, Luck, Plan};
use super::meta::{Meta, Post, waba_of};
use super::rest;
use super::statuses::{self, Failing, StatusOf};
use super::tally::Tally;
use super::tokens::Tokens;
use super::turns::Turns;
use super::upkeep::Upkeep;
use super::windows::{self, Ways};
use std::collections::{BTreeMap, VecDeque};
use wabridge::config::Limits;
use wabridge::gateway::{Delivery, Fetching, Gateway, Outcome};
use wabridge::policy::fetch::Fetch;
use wabridge::policy::ladder::SendState;
use wabridge::policy::verdict::Verdict;
use wabridge::store::Database;
use wabridge::store::rows::{QueueId, QueueKind};

pub const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// A clock is set by this much at least: smaller steps are waited out.
const CLOCK_SET_MIN: i64 = 2 * HOUR;
const START: i64 = 1_790_000_000_000;
/// Rest is reached within this long after the last fault, whatever came before:
/// the longest waits are a pair's 17 minutes and a halt's 15, and a lane can
/// have several of them one after the other.
const REST_MAX: i64 = 12 * 60 * MINUTE;
/// A world that does more than this goes round in circles.
const ACTS_MAX: u32 = 100_000;
/// Lines kept for a failure.
const TRACE_LINES: usize = 60;

/// Something that will happen.
pub enum Act {
    Write,
    /// A customer has more to say.
    GoesOn(usize),
    /// Somebody has a message for a customer.
    CallerPosts,
    /// Somebody has one for many.
    Campaign,
    Ask(Request),
    Notify,
    /// Meta brings an event it kept to itself for hours.
    Comes(usize),
    Post(Post),
    /// The workers of one kind look for jobs.
    Wake(QueueKind),
    AppAnswers {
        delivery: Delivery,
        life: u32,
    },
    AppAnswered {
        delivery: Delivery,
        outcome: Outcome,
        life: u32,
    },
    GraphTakes(Call),
    GraphAnswered {
        call: Call,
        verdict: Verdict,
    },
    Status {
        of: StatusOf,
        to: String,
        mark: String,
    },
    Fetched {
        fetching: Fetching,
        outcome: Fetch,
        life: u32,
    },
    Minute,
    Start,
    Rest,
}

/// An invariant that did not hold, and how it came to that.
pub struct Broken {
    pub seed: u64,
    pub what: String,
    pub trace: VecDeque<String>,
}

pub struct World {
    seed: u64,
    aloud: bool,
    pub now: i64,
    pub luck: Luck,
    pub plan: Plan,
    pub ways: Ways,
    agenda: BTreeMap<(i64, u64), Act>,
    planned: u64,
    trace: VecDeque<String>,
    /// The process's own view of the database.
    pub database: Database,
    /// An operator's, who works beside the process.
    pub operator: Database,
    /// `None` while the process is down.
    pub gateway: Option<Gateway>,
    /// Counts the process's lives: what belongs to an earlier one is lost.
    pub life: u32,
    /// How far the service's clock is from the true time, which `now` is.
    pub skew: i64,
    /// How far it ever was.
    skews: Vec<i64>,
    /// Who gets events, by the settings.
    pub consumers: Consumers,
    /// The tokens in the settings.
    pub tokens: Tokens,
    /// Those the process has read.
    pub loaded: Tokens,
    pub wakes: [Option<i64>; 3],
    pub meta: Meta,
    /// By consumer.
    apps: BTreeMap<String, App>,
    graph: Graph,
    pub files: Files,
    pub book: Book,
    pub turns: BTreeMap<QueueId, Turns>,
    pub upkeep: Upkeep,
    /// Requests made to the API.
    pub posts: u64,
    pub tally: Tally,
    pub resting: bool,
}

impl World {
    pub fn new(seed: u64, aloud: bool) -> World {
        let mut luck = Luck::new(seed);
        let mut plan = Plan::draw(&mut luck);
        let tokens = Tokens::draw(&mut luck);
        let window_ms = Limits::default().reconcile_window_ms;
        let ways = Ways::draw(seed, &mut plan);
        let consumers = Consumers::draw(seed, &plan);
        if consumers.in_pieces() {
            // What was one burst stays one.
            plan.faults.app_retries = plan.faults.app_retries.max(0.3);
        }
        let apps = consumers
            .names()
            .map(|name| (name.to_owned(), App::default()));
        let database = Database::in_memory().expect("memory needs no file");
        let operator = database.beside().expect("as above");
        World {
            seed,
            aloud,
            now: START,
            skew: 0,
            skews: vec![0],
            meta: Meta::new(&mut luck, plan.customers, plan.numbers),
            luck,
            agenda: BTreeMap::new(),
            planned: 0,
            trace: VecDeque::new(),
            database: database.with_filing(plan.filing),
            operator: operator.with_filing(plan.filing),
            gateway: None,
            life: 0,
            loaded: tokens.clone(),
            tokens,
            wakes: [None; 3],
            apps: apps.collect(),
            graph: Graph::default(),
            files: Files::default(),
            book: Book::new(&plan, &ways, &consumers, window_ms),
            consumers,
            turns: BTreeMap::new(),
            upkeep: Upkeep::draw(seed),
            posts: 0,
            plan,
            ways,
            tally: Tally::default(),
            resting: false,
        }
    }

    /// Plays the world to its end.
    pub fn play(mut self) -> Result<Tally, Broken> {
        match self.play_all() {
            Ok(()) => {
                let twice = |r: &&super::entries::Reply| !r.is_mark && r.wamids.len() > 1;
                let late = |r: &&super::entries::Reply| r.too_late;
                self.tally.too_late = self.book.replies.iter().filter(late).count() as u64;
                let file = |r: &&super::entries::Reply| r.file_since.is_some();
                self.tally.files = self.book.replies.iter().filter(file).count() as u64;
                self.tally.events = self.meta.events.len() as u64;
                self.tally.late_halts = self.book.halts.met_late;
                self.tally.replies = self.book.replies.len() as u64;
                self.tally.calls = self.book.replies.iter().map(|r| u64::from(r.calls)).sum();
                self.tally.twice = self.book.replies.iter().filter(twice).count() as u64;
                self.tally.seconds = (self.now - START) as u64 / 1_000;
                Ok(self.tally)
            }
            Err(what) => Err(Broken {
                seed: self.seed,
                what,
                trace: self.trace,
            }),
        }
    }

    fn play_all(&mut self) -> Check {
        let busy = self.plan.span_ms;
        let span = self.end() - START;
        self.at(0, Act::Start);
        // Who writes in pieces writes more.
        let in_pieces = self.consumers.in_pieces();
        for _ in 0..self.plan.messages / if in_pieces { 2 } else { 1 } {
            let when = self.ways.writes(&mut self.luck, busy);
            self.at(when, Act::Write);
        }
        let posts = self.plan.posts * if self.ways.are_silent() { 3 } else { 1 };
        for _ in 0..posts {
            let when = self.luck.between(0, busy);
            self.at(self.ways.when(when), Act::CallerPosts);
        }
        let when = self.luck.between(0, busy);
        self.at(self.ways.when(when), Act::Campaign);
        for minute in 1..=busy / MINUTE {
            self.at(self.ways.when(minute * MINUTE), Act::Minute);
        }
        self.at(span, Act::Rest);
        while let Some(((now, _), act)) = self.agenda.pop_first() {
            if now > self.now {
                self.nobody_oversleeps()?;
            }
            self.now = now;
            self.tally.acts += 1;
            ensure(self.tally.acts < ACTS_MAX.into(), || {
                "no end of work".into()
            })?;
            ensure(now - START - span < REST_MAX, || {
                "rest is not reached: something comes up again and again".into()
            })?;
            self.act(act)?;
        }
        read(self.database.read(|tx| {
            let checked = rest::check(&self.book, &self.meta.events, tx);
            Ok(checked.and_then(|()| self.files.check(tx)))
        }))??;
        self.everything_goes()?;
        let damage = read(self.database.damage())?;
        ensure(damage.is_empty(), || damage.join("; "))
    }

    fn act(&mut self, act: Act) -> Check {
        match act {
            Act::Write => self.customer_writes(None),
            Act::GoesOn(who) => self.customer_writes(Some(who)),
            Act::CallerPosts => self.somebody_posts(),
            Act::Campaign => self.campaign(),
            Act::Ask(request) => return self.ask(request),
            Act::Notify => {
                for post in self.meta.posts(&mut self.luck, self.plan.batch) {
                    self.at(0, Act::Post(post));
                }
            }
            Act::Comes(event) => {
                self.meta.brings(event);
                self.notify_soon();
            }
            Act::Post(post) => return self.post(post),
            Act::Wake(kind) => return self.wake(kind),
            Act::AppAnswers { delivery, life } => self.app_answers(delivery, life),
            Act::AppAnswered {
                delivery,
                outcome,
                life,
            } if life == self.life => {
                return self.finish_delivery(delivery, outcome);
            }
            Act::GraphTakes(call) => return self.graph_takes(call),
            Act::GraphAnswered { call, verdict } if call.life == self.life => {
                return self.finish_sending(call, verdict);
            }
            Act::Fetched {
                fetching,
                outcome,
                life,
            } if life == self.life => return self.finish_fetch(fetching, outcome),
            // It was told to a process that is no more.
            Act::AppAnswered { .. } | Act::GraphAnswered { .. } | Act::Fetched { .. } => {}
            Act::Status { of, to, mark } => {
                let (luck, now) = (&mut self.luck, self.now);
                self.meta.status(luck, of, &to, &mark, now);
                self.notify_soon();
            }
            Act::Minute => return self.minute(),
            Act::Start => return self.start(),
            Act::Rest => self.rest(),
        }
        Ok(())
    }

    // The outsides.

    fn customer_writes(&mut self, who: Option<usize>) {
        let before = self.meta.events.len();
        // Where people take conversations over, they also do so from the phone.
        let takes_over = who.is_none() && self.plan.faults.hands_over > 0.0;
        let from_the_phone = takes_over && self.luck.chance(0.15);
        let written = if from_the_phone {
            let own = match self.luck.chance(0.3) {
                true => self.book.known_wamid(&mut self.luck),
                false => None,
            };
            self.meta.owner_writes(&mut self.luck, own, self.now);
            None
        } else {
            let (luck, now) = (&mut self.luck, self.now);
            self.meta.write(luck, &self.ways, who, now)
        };
        if let (None, Some(who)) = (who, written) {
            self.goes_on(who);
        }
        let n = self.meta.events.len();
        // Nothing may have been written: the last event is known to us by now.
        if let Some(event) = self.meta.events[before..].last_mut() {
            files::attach(&mut self.luck, event, n);
        }
        if self.ways.late > 0.0 && self.luck.chance(self.ways.late) {
            let wait = self.hours();
            if let Some(event) = self.meta.keeps_back() {
                self.at(wait, Act::Comes(event));
            }
        } else if let (None, Some(who)) = (who, written)
            && self.consumers.in_pieces()
        {
            // Who they are is told when they have written under their new id.
            if let Some(event) = self.meta.keeps_back_who_it_is() {
                let wait = self.luck.between(0, 2 * MINUTE);
                self.at(wait, Act::Comes(event));
                for after in [500, 1_000, 1_500] {
                    self.at(after, Act::GoesOn(who));
                }
            }
        }
        self.notify_soon();
    }

    fn goes_on(&mut self, who: usize) {
        let (mut at, left) = (0, self.end() - self.now);
        for pause in self.consumers.pauses(&mut self.luck) {
            at += pause;
            if at < left {
                self.at(at, Act::GoesOn(who));
            }
        }
    }

    /// When the faults end.
    fn end(&self) -> i64 {
        START + self.ways.when(self.plan.span_ms)
    }

    /// So long that windows close meanwhile; until the faults end at most.
    pub fn hours(&mut self) -> i64 {
        let wait = self.luck.between(MINUTE, 30 * 60 * MINUTE);
        wait.min((self.end() - self.now).max(0))
    }

    fn notify_soon(&mut self) {
        let soon = match self.plan.batch > 1 {
            true => self.luck.between(10, 3_000),
            false => 10,
        };
        self.at(soon, Act::Notify);
    }

    fn minute(&mut self) -> Check {
        let (luck, faults, now) = (&mut self.luck, &self.plan.faults, self.now);
        for app in self.apps.values_mut() {
            app.minute(luck, faults, now);
        }
        let troubles = &mut self.graph.troubles;
        troubles.minute(luck, &self.plan, &self.tokens, now);
        self.files.minute(luck, faults, now);
        if luck.chance(faults.dies_between) {
            self.die("between two steps");
        }
        if self.luck.chance(self.plan.faults.reloads) {
            self.tokens.change(&mut self.luck);
            self.consumers.change(&mut self.luck);
            self.reload();
        }
        if self.luck.chance(self.consumers.waits_otherwise) {
            self.consumers.wait_otherwise(&mut self.luck);
            match self.luck.chance(0.8) {
                true => self.reload(),
                false => self.die("to be started anew"),
            }
        }
        if self.luck.chance(self.plan.faults.clock_set) {
            self.set_the_clock();
        }
        let faults = &self.plan.faults;
        for (chance, to) in [
            (faults.takes_back, SendState::Cancelled),
            (faults.holds, SendState::Held),
            (faults.retries, SendState::Queued),
        ] {
            if self.luck.chance(chance) {
                self.somebody_steers(to)?;
            }
        }
        if self.luck.chance(self.plan.faults.hands_over) {
            self.somebody_takes_or_gives()?;
        }
        if self.luck.chance(self.plan.faults.replays) {
            self.replay_a_dead_letter()?;
        }
        self.keep_up()
    }

    /// The service's time, in which everything it stores is written.
    pub fn clock(&self) -> i64 {
        self.now + self.skew
    }

    /// Somebody sets the clock, hours forth or back. The service is not told: it
    /// looks at the time again within a second.
    fn set_the_clock(&mut self) {
        let before = self.skew;
        self.skew = self.luck.between(-12 * HOUR, 12 * HOUR) / 2;
        // Also from where it was before that: times are stored that were written then.
        let is_near = |other: &i64| (self.skew - other).abs() < CLOCK_SET_MIN;
        if self.skews.iter().any(is_near) {
            let lowest = self.skews.iter().min();
            self.skew = lowest.expect("it begins with one") - CLOCK_SET_MIN;
        }
        self.skews.push(self.skew);
        let hours = (self.skew - before) as f64 / HOUR as f64;
        self.note(|| format!("the clock is set by {hours:.1} hours"));
        self.book.clock_was_set(self.skew > before);
        self.files.clock_was_set();
        for kind in [QueueKind::Deliver, QueueKind::Send, QueueKind::Fetch] {
            self.wake_soon(kind, self.now + 1_000);
        }
    }

    /// The last fault is over: what passes by itself has passed, and tokens that
    /// are good no more are replaced, with SIGHUP or at a restart.
    fn rest(&mut self) {
        self.note(|| "no more faults".into());
        self.resting = true;
        self.ways.late = 0.0;
        self.ways.again = 0.0;
        self.apps.values_mut().for_each(App::mend);
        self.consumers.all_served();
        self.graph.troubles.mend();
        self.files.mend();
        self.plan.faults = Faults::default();
        self.tokens.replace(self.graph.troubles.revoked());
        match self.luck.chance(0.5) {
            true => self.reload(),
            false => self.die("for the last time"),
        }
    }

    fn app_answers(&mut self, delivery: Delivery, life: u32) {
        let app = self.apps.get_mut(delivery.consumer());
        let outcome = app.expect("each has one").answer(
            &mut self.luck,
            &self.plan,
            &self.ways,
            &delivery,
            self.now,
        );
        let act = Act::AppAnswered {
            delivery,
            outcome,
            life,
        };
        self.at(0, act);
    }

    fn graph_takes(&mut self, call: Call) -> Check {
        // The process died before the request was written, perhaps.
        if call.life != self.life && self.luck.chance(0.5) {
            return Ok(());
        }
        let other_id = self.meta.other_id(call.to());
        let caller = call.caller(Some(waba_of(&call.sending.number)));
        let (luck, now) = (&mut self.luck, self.now);
        let trouble = self.graph.troubles.shows_later(caller, now);
        let minds = self.ways.are_silent() && call.needs_window();
        let too_late = minds && !self.meta.is_open(call.to(), now);
        let answered = self
            .graph
            .take(luck, &self.plan, &call, other_id, too_late, now);
        let fails = match too_late {
            true => Some(Failing::Alone(TOO_LATE)),
            false => trouble.map(Failing::WithOthers),
        };
        if too_late {
            let ends = self.book.window_of(&call);
            windows::check_graphs_refusal(&call, ends, now)?;
        }
        if let Some(wamid) = &answered.wamid {
            self.note(|| format!("  Graph takes `{}`", call.name()));
            self.book.reached_graph(&call, wamid)?;
            if !call.is_mark() {
                if !too_late {
                    self.meta.takes(call.to(), now);
                }
                self.plan_statuses(&call, wamid, fails);
            }
        }
        let verdict = answered.verdict;
        self.at(answered.after_ms, Act::GraphAnswered { call, verdict });
        Ok(())
    }

    fn plan_statuses(&mut self, call: &Call, wamid: &str, fails: Option<Failing>) {
        let (luck, faults) = (&mut self.luck, &self.plan.faults);
        let planned = statuses::plan(luck, faults, fails);
        let marked = !luck.chance(faults.unmarked);
        for (after, word, code) in planned {
            let of = StatusOf {
                outbox: call.sending.outbox,
                wamid: wamid.to_owned(),
                word,
                marked,
                code,
            };
            let (to, mark) = (call.to().to_owned(), call.mark().to_owned());
            self.at(after, Act::Status { of, to, mark });
        }
    }

    pub fn at(&mut self, after_ms: i64, act: Act) {
        self.planned += 1;
        self.agenda.insert((self.now + after_ms, self.planned), act);
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let ms = self.now - START;
        let (h, m, s) = (ms / 3_600_000, ms / MINUTE % 60, ms / 1_000 % 60);
        let line = format!("{h:02}:{m:02}:{s:02}.{:03} {}", ms % 1_000, line());
        if self.aloud {
            println!("{line}");
        }
        if self.trace.len() == TRACE_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }
}
