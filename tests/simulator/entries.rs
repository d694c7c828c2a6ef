//! The entries of the book: an event, a reply and a number, each with the rules
//! it must keep by itself.

use super::book::{Check, ensure, read};
use super::graph::{self, Call};
use super::lanes::Lane;
use super::statuses::{Progress, StatusOf};
use super::windows::FILE_WAIT;
use std::collections::VecDeque;
use wabridge::config::OnUnknown;
use wabridge::policy::ladder::SendState;
use wabridge::policy::verdict::{Scope, Verdict};
use wabridge::store::Tx;
use wabridge::store::rows::{JobId, JobState, Message, OutboxId};
use wabridge::wire::notification::Kind;

/// How far ahead of its time a send is claimed at most.
const LEAD_MS: i64 = 100;

/// An event that is stored.
pub struct Arrived {
    pub name: String,
    pub kind: Kind,
    /// A person said it to us.
    pub said: bool,
    pub number: String,
    pub wamid: String,
    pub lane: Lane,
    /// By the service's clock.
    pub received_at: i64,
    /// It came so late that it is told.
    pub stale: bool,
}

/// A message that must go out, or be given up for a known reason.
pub struct Reply {
    pub name: String,
    pub is_mark: bool,
    /// Where it stands in the outbox, from its first attempt on.
    pub outbox: Option<OutboxId>,
    /// What sends it, from then on.
    pub job: Option<JobId>,
    /// How far it is, as far as it was told.
    pub progress: Progress,
    pub number: String,
    pub lane: Lane,
    pub attempts: u32,
    pub calls: u32,
    pub not_before: i64,
    /// The last attempt may have gone out: since when we wait for a status.
    pub unknown_since: Option<i64>,
    /// Attempts whose answer never came.
    pub answers_lost: u32,
    /// A status with our mark is stored.
    pub settled: bool,
    pub statuses: Vec<(String, &'static str, bool)>,
    /// Graph took it and we know.
    pub accepted: bool,
    pub refused: bool,
    /// Graph's answer limited how often it is tried.
    pub limited: bool,
    /// An operator took it back or holds it.
    pub stopped: Option<SendState>,
    /// How often an operator had it sent again that Graph had taken before.
    pub again: usize,
    /// Ids of tries that failed and were followed by another.
    pub spent: Vec<String>,
    /// What was told of those.
    pub of_spent: Vec<&'static str>,
    /// It was refused here: only a template may go out.
    pub too_late: bool,
    /// When the last attempt was claimed.
    pub claimed_at: i64,
    /// What Graph called it when it took it.
    pub wamid: Option<String>,
    /// Since when Meta gets a file ready that we know it has.
    pub file_since: Option<i64>,
    /// It counts as an answer to who came by an ad.
    pub answers: bool,
    /// Ids Graph gave it: more than one if it went out twice.
    pub wamids: Vec<String>,
    pub rung: u8,
    /// Under which of these it stood there.
    rung_of: Option<String>,
    /// It was pruned, or forgotten with its recipient.
    pub gone: bool,
}

/// One business number.
pub struct Number {
    per_second: usize,
    /// When the sends of the last second begin.
    pace: VecDeque<i64>,
    /// Graph asked for a pause.
    pub paused_until: i64,
    /// It has reason to stand still for so long at most.
    pub may_stand_until: i64,
}

/// Whom an answer may make stand still.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    Number,
    All,
}

/// For how long an answer is reason enough to stand still. What concerns one
/// message or one pair is none; failures in a row are, for half a minute.
pub fn reasons_to_stand(verdict: &Verdict, breadth: Breadth) -> i64 {
    let ms = |wait: &Option<std::time::Duration>| wait.map_or(0, |wait| wait.as_millis() as i64);
    match (verdict, breadth) {
        (Verdict::Retry { scope, wait, .. }, _) => match (scope, breadth) {
            (Scope::Message | Scope::Pair, _) | (Scope::Number, Breadth::All) => 0,
            (Scope::Number, Breadth::Number) => ms(wait).max(1_000),
            _ => ms(wait).max(5 * 60_000),
        },
        (Verdict::Unknown { wait, .. }, Breadth::Number) => ms(wait).max(30_000),
        _ => 0,
    }
}

/// How far a message got; the test's own ladder.
pub fn rung(state: &str) -> u8 {
    match state {
        "accepted" => 1,
        "sent" => 2,
        "delivered" => 3,
        "read" => 4,
        "failed" => 5,
        _ => 0,
    }
}

impl Reply {
    /// What the app answered to an event.
    pub fn new(reply: &str, event: &Arrived) -> Reply {
        let body: serde_json::Value = serde_json::from_str(reply).expect("the app writes JSON");
        let is_mark = body["type"] == "read";
        let name = match is_mark {
            true => format!("read {}", event.wamid),
            false => graph::name_of(&body),
        };
        Reply {
            is_mark,
            ..Reply::named(name, &event.number, event.lane)
        }
    }

    /// What a caller of the API had sent.
    pub fn posted(name: &str, number: &str, lane: Lane, outbox: OutboxId) -> Reply {
        Reply {
            outbox: Some(outbox),
            ..Reply::named(name.to_owned(), number, lane)
        }
    }

    fn named(name: String, number: &str, lane: Lane) -> Reply {
        Reply {
            name,
            is_mark: false,
            outbox: None,
            job: None,
            progress: Progress::default(),
            number: number.to_owned(),
            lane,
            attempts: 0,
            calls: 0,
            not_before: 0,
            unknown_since: None,
            answers_lost: 0,
            settled: false,
            statuses: Vec::new(),
            accepted: false,
            refused: false,
            limited: false,
            stopped: None,
            again: 0,
            spent: Vec::new(),
            of_spent: Vec::new(),
            too_late: false,
            claimed_at: 0,
            wamid: None,
            file_since: None,
            answers: false,
            wamids: Vec::new(),
            rung: 0,
            rung_of: None,
            gone: false,
        }
    }

    pub fn has_ended(&self, tx: &Tx<'_>) -> Check<bool> {
        let Some(outbox) = self.outbox else {
            return Ok(self.gone);
        };
        let job = read(tx.job_of_outbox(outbox))?;
        Ok(job.is_none_or(|job| matches!(job.state, JobState::Done | JobState::Dead)))
    }

    /// Whether Meta may still be getting the file ready.
    pub fn is_first_to_go(&self, wamid: Option<&str>, now: i64) -> bool {
        let told = |s: &(String, &str, bool)| s.2 || Some(s.0.as_str()) == wamid;
        let waits = |since: i64| now < since + FILE_WAIT;
        self.file_since.is_some_and(waits) && !self.statuses.iter().any(told)
    }

    pub fn starts(
        &mut self,
        call: &Call,
        now: i64,
        window_ms: i64,
        on_unknown: OnUnknown,
    ) -> Check {
        let name = &self.name;
        let outbox = *self.outbox.get_or_insert(call.sending.outbox);
        ensure(outbox == call.sending.outbox, || {
            format!("`{name}` is in the outbox twice")
        })?;
        self.attempts += 1;
        self.calls += 1;
        self.claimed_at = now;
        let (attempt, counted) = (call.sending.attempt, self.attempts);
        ensure(attempt == counted, || {
            format!("`{name}`: attempt {counted} is called {attempt}")
        })?;
        ensure(now >= self.not_before, || {
            format!("`{name}` is sent before it is due")
        })?;
        ensure(self.stopped.is_none(), || {
            format!("`{name}` is sent and is {:?} by the operator", self.stopped)
        })?;
        ensure(!self.settled && !self.accepted && !self.refused, || {
            format!("`{name}` is sent again though it is known what became of it")
        })?;
        let Some(since) = self.unknown_since.take() else {
            return Ok(());
        };
        ensure(on_unknown == OnUnknown::Resend, || {
            format!("`{name}` may have gone out and is not held")
        })?;
        ensure(now >= since + window_ms, || {
            let waited = (now - since) / 1_000;
            format!("`{name}` may have gone out and is sent again after {waited} s")
        })
    }

    /// A status was stored.
    pub fn told(&mut self, of: &StatusOf) {
        if self.spent.contains(&of.wamid) {
            return self.of_spent.push(of.word);
        }
        let status = (of.wamid.clone(), of.word, of.marked);
        self.statuses.push(status);
        self.settled |= of.marked;
    }

    /// An operator has it sent again, as if it had never been tried.
    pub fn is_retried(&mut self, clock: i64) {
        self.progress.is_retried(clock);
        let failed = self.statuses.iter().filter(|s| s.1 == "failed");
        self.spent.extend(failed.map(|s| s.0.clone()));
        for (_, word, _) in std::mem::take(&mut self.statuses) {
            self.of_spent.push(word);
        }
        self.again += usize::from(!self.wamids.is_empty());
        self.stopped = None;
        self.attempts = 0;
        self.not_before = 0;
        self.unknown_since = None;
        self.settled = false;
        self.accepted = false;
        self.refused = false;
        self.limited = false;
        self.too_late = false;
        self.file_since = None;
        self.answers = false;
        self.rung = 0;
    }

    pub fn heard(&mut self, call: &Call, verdict: &Verdict, now: i64) {
        self.not_before = 0;
        // A status was faster: whatever the answer says, the message is out.
        let settled = self.settled;
        match verdict {
            Verdict::Accepted { wamid, .. } => {
                self.accepted = true;
                let early = self
                    .statuses
                    .iter()
                    .filter(|s| Some(&s.0) == wamid.as_ref());
                let highest = early.map(|s| rung(s.1)).max();
                self.rung = self.rung.max(1).max(highest.unwrap_or(0));
            }
            _ if settled => {}
            Verdict::Refused { .. } => self.refused = true,
            Verdict::Halt { .. } => self.attempts -= 1,
            Verdict::Retry {
                scope: Scope::Message | Scope::Pair,
                wait,
                ..
            } => {
                self.not_before = now + wait.map_or(0, |wait| wait.as_millis() as i64);
            }
            Verdict::Retry { .. } => {}
            Verdict::Unknown { tries_max, .. } => {
                // A limit once set stays set.
                self.limited |= tries_max.is_some();
                self.unknown_since = (!call.is_mark()).then_some(now);
            }
        }
        self.answers_lost += u32::from(matches!(verdict, Verdict::Unknown { .. }));
    }

    /// How far Meta told that it got, when it has this id: of another that it went out
    /// under as well only what did not fail.
    pub fn told_rung(&self, wamid: Option<&str>) -> Option<u8> {
        let failed = |id: &str| self.statuses.iter().any(|s| s.0 == id && s.1 == "failed");
        let counts =
            |s: &&(String, &str, bool)| Some(s.0.as_str()) == wamid || (s.2 && !failed(&s.0));
        self.statuses.iter().filter(counts).map(|s| rung(s.1)).max()
    }

    /// The stored state never goes back, and is no lower than what is known.
    pub fn still_climbs(&mut self, message: &Option<Message>) -> Check {
        let name = &self.name;
        let message = message
            .as_ref()
            .ok_or_else(|| format!("`{name}` is gone"))?;
        let (state, wamid) = (message.state.as_str(), message.wamid.as_deref());
        let told = self.told_rung(wamid).unwrap_or(0);
        // A failure is that of one id.
        let before = match self.rung == rung("failed") && self.rung_of.as_deref() != wamid {
            true => 0,
            false => self.rung,
        };
        let least = before.max(told);
        ensure(rung(state) >= least, || {
            format!("`{name}` is {state} and was at rung {least} already")
        })?;
        self.rung = rung(state);
        self.rung_of = wamid.map(str::to_owned);
        ensure(
            self.stopped == Some(SendState::Cancelled) || message.state != SendState::Cancelled,
            || format!("`{name}` is cancelled"),
        )
    }
}

impl Number {
    pub fn new(per_second: u32) -> Number {
        Number {
            pace: VecDeque::new(),
            per_second: per_second as usize,
            paused_until: 0,
            may_stand_until: 0,
        }
    }

    pub fn starts(&mut self, name: &str, start_at: i64, now: i64) -> Check {
        ensure((now..=now + LEAD_MS).contains(&start_at), || {
            format!("`{name}` is claimed {} ms ahead", start_at - now)
        })?;
        self.pace.push_back(start_at);
        while self.pace.front().is_some_and(|t| *t <= start_at - 1_000) {
            self.pace.pop_front();
        }
        ensure(self.pace.len() <= self.per_second, || {
            format!("`{name}` exceeds the number's rate")
        })?;
        ensure(now >= self.paused_until, || {
            format!("`{name}` is sent while Graph wants a pause")
        })
    }

    pub fn heard(&mut self, verdict: &Verdict, now: i64) {
        let stand = now + reasons_to_stand(verdict, Breadth::Number);
        self.may_stand_until = self.may_stand_until.max(stand);
        match verdict {
            Verdict::Retry {
                scope: Scope::Message | Scope::Pair | Scope::Graph,
                ..
            } => {}
            Verdict::Retry { wait, .. } => self.pause(*wait, now),
            _ => {}
        }
    }

    pub fn pause(&mut self, wait: Option<std::time::Duration>, now: i64) {
        let wait = wait.map_or(0, |wait| wait.as_millis() as i64);
        self.paused_until = self.paused_until.max(now + wait);
    }

    /// Times that were told before mean nothing any more.
    pub fn clock_was_set(&mut self) {
        self.pace.clear();
        self.paused_until = 0;
    }
}
