//! Halts: what Graph lets nobody do for a while, and the book of what must stand
//! still for it. Scopes are compared by the test's own arithmetic.
//!
//! Some troubles show only after Graph has taken a message, by a status that says
//! it failed. Those end when a probe has gone out, and not when Graph takes it.

use super::book::{Check, ensure, read};
use super::luck::{Luck, Plan};
use super::meta::{NUMBERS, waba_of};
use super::tokens::{Token, Tokens};
use std::collections::BTreeSet;
use wabridge::policy::verdict::{HaltScope, Verdict};
use wabridge::store::Tx;
use wabridge::store::rows::{JobId, QueueKind, Told};

/// Nothing is probed so soon after it was met, or probed.
const QUIET_MS: i64 = 30_000;

/// Codes that halt, and whom (reference: Meta's error codes page).
const CODES: [(i64, HaltScope); 12] = [
    (0, HaltScope::Token),
    (102, HaltScope::Token),
    (190, HaltScope::Token),
    (10, HaltScope::Number),
    (33, HaltScope::Number),
    (131_037, HaltScope::Number),
    (131_045, HaltScope::Number),
    (133_010, HaltScope::Number),
    (368, HaltScope::Account),
    (131_031, HaltScope::Account),
    (131_042, HaltScope::Account),
    (3, HaltScope::App),
];

/// Those of one number or account: what holds for all leaves nobody to compare with.
const OF_FEW: &[(i64, HaltScope)] = CODES.split_at(3).1.split_at(8).0;

/// Who makes a call, as far as halts are concerned.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub number: &'a str,
    pub token: Token,
    /// The number's account, if the service has heard of it.
    pub waba: Option<&'a str>,
}

impl Caller<'_> {
    fn is_in(&self, scope: HaltScope, subject: &str) -> bool {
        match scope {
            HaltScope::Token => self.token.to_string() == subject,
            HaltScope::Number => self.number == subject,
            HaltScope::Account => self.waba == Some(subject),
            HaltScope::App => true,
        }
    }
}

/// What Graph lets nobody in a scope do.
#[derive(Default)]
pub struct Troubles {
    passing: Vec<Trouble>,
    /// Tokens that are never good again.
    revoked: BTreeSet<Token>,
}

struct Trouble {
    code: i64,
    scope: HaltScope,
    subject: String,
    until: i64,
    /// By what it shows.
    told: Told,
}

impl Troubles {
    /// Once a minute: is there new trouble?
    pub fn minute(&mut self, luck: &mut Luck, plan: &Plan, tokens: &Tokens, now: i64) {
        let faults = &plan.faults;
        self.passing.retain(|trouble| now < trouble.until);
        if luck.chance(faults.halts) {
            let found = match luck.chance(0.5) {
                true => *luck.pick(&CODES),
                false => *luck.pick(OF_FEW),
            };
            let number = *luck.pick(&NUMBERS[..plan.numbers]);
            let token = tokens.of(number);
            match found.1 == HaltScope::Token && luck.chance(faults.new_token) {
                true => _ = self.revoked.insert(token),
                false => self.begins(luck, found, (number, token), Told::ByAnswer, now),
            }
        }
        if luck.chance(faults.halts_late) {
            let found = *luck.pick(OF_FEW);
            let number = *luck.pick(&NUMBERS[..plan.numbers]);
            self.begins(
                luck,
                found,
                (number, tokens.of(number)),
                Told::ByStatus,
                now,
            );
        }
    }

    /// Of whom a number or its token belongs to.
    fn begins(
        &mut self,
        luck: &mut Luck,
        (code, scope): (i64, HaltScope),
        (number, token): (&str, Token),
        told: Told,
        now: i64,
    ) {
        let subject = match scope {
            HaltScope::Token => token.to_string(),
            HaltScope::Number => number.to_owned(),
            HaltScope::Account => waba_of(number).to_owned(),
            HaltScope::App => String::new(),
        };
        let longest = match told {
            Told::ByStatus => 5 * 60_000,
            Told::ByAnswer => 10 * 60_000,
        };
        self.passing.push(Trouble {
            code,
            scope,
            subject,
            until: now + luck.between(10_000, longest),
            told,
        });
    }

    /// What is not for good is over.
    pub fn mend(&mut self) {
        self.passing.clear();
    }

    pub fn revoked(&self) -> &BTreeSet<Token> {
        &self.revoked
    }

    /// The code a call is answered with.
    pub fn meets(&self, caller: Caller<'_>, now: i64) -> Option<i64> {
        match self.revoked.contains(&caller.token) {
            true => Some(190),
            false => self.code(caller, Told::ByAnswer, now),
        }
    }

    /// The code with which a message fails that Graph takes now.
    pub fn shows_later(&self, caller: Caller<'_>, now: i64) -> Option<i64> {
        self.code(caller, Told::ByStatus, now)
    }

    fn code(&self, caller: Caller<'_>, told: Told, now: i64) -> Option<i64> {
        let concerns = |trouble: &&Trouble| {
            let shows = now < trouble.until && trouble.told == told;
            shows && caller.is_in(trouble.scope, &trouble.subject)
        };
        self.passing.iter().find(concerns).map(|found| found.code)
    }
}

/// Whom a code halts.
fn scope_of(code: Option<i64>) -> Option<HaltScope> {
    let found = CODES.iter().find(|(known, _)| Some(*known) == code);
    found.map(|(_, scope)| *scope)
}

/// A halt the service knows of.
#[derive(Debug)]
struct Halt {
    scope: HaltScope,
    subject: String,
    told: Told,
    /// How often it was met.
    failures: u32,
    /// Who met it last, and with which token.
    number: String,
    token: Token,
    /// The one call that may be made meanwhile, or that was the last one.
    probe: Option<JobId>,
    is_under_way: bool,
    /// That call counts as lost, by a clock that was set.
    probe_lost: bool,
    /// Not probed before.
    quiet_until: i64,
}

/// A halt that is over.
struct Ended {
    scope: HaltScope,
    /// Whom it had held up.
    numbers: Vec<String>,
    at: i64,
}

/// The book of halts.
#[derive(Default)]
pub struct Halts {
    known: Vec<Halt>,
    ended: Vec<Ended>,
    /// How often one was met that only statuses told.
    pub met_late: u64,
}

impl Halts {
    /// Whether a number stands still.
    pub fn cover(&self, caller: Caller<'_>, tokens: &Tokens) -> bool {
        let covers = |halt: &&Halt| caller.is_in(halt.scope, &halt.subject);
        self.known
            .iter()
            .filter(covers)
            .any(|h| !is_over(h, tokens))
    }

    /// The service looked at its halts: what another token ends is over, and the
    /// rest is what it knows.
    pub fn looked_at(&mut self, tx: &Tx<'_>, tokens: &Tokens, clock: i64) -> Check {
        self.end(tx, clock, |halt| is_over(halt, tokens))?;
        // A token is stored by its digest.
        let shown = |scope: HaltScope, subject: &str| match scope {
            HaltScope::Token => String::new(),
            _ => subject.to_owned(),
        };
        let mut stored: Vec<_> = read(tx.halts())?
            .into_iter()
            .map(|halt| {
                let subject = shown(halt.scope, &halt.subject);
                (halt.scope.as_str(), subject, halt.failures)
            })
            .collect();
        let known = self.known.iter().map(|halt| {
            let subject = shown(halt.scope, &halt.subject);
            (halt.scope.as_str(), subject, halt.failures)
        });
        let mut known: Vec<_> = known.collect();
        stored.sort();
        known.sort();
        ensure(stored == known, || {
            format!("{stored:?} are halted, and {known:?} were told")
        })
    }

    /// A call begins: during a halt it is the only one.
    pub fn starts(&mut self, name: &str, caller: Caller<'_>, job: JobId, clock: i64) -> Check {
        for halt in &mut self.known {
            if !caller.is_in(halt.scope, &halt.subject) {
                continue;
            }
            ensure(!halt.is_under_way || halt.probe_lost, || {
                format!("`{name}` is a second call during {halt:?}")
            })?;
            ensure(clock >= halt.quiet_until, || {
                format!("`{name}` probes too soon during {halt:?}")
            })?;
            halt.probe = Some(job);
            halt.is_under_way = true;
            halt.probe_lost = false;
            halt.quiet_until = clock + QUIET_MS;
        }
        Ok(())
    }

    /// A call ends with a verdict that counts.
    pub fn ends(
        &mut self,
        tx: &Tx<'_>,
        caller: Caller<'_>,
        (job, is_mark): (JobId, bool),
        verdict: &Verdict,
        clock: i64,
    ) -> Check {
        let probed = |halt: &Halt| halt.probe == Some(job);
        match verdict {
            Verdict::Accepted { .. } | Verdict::Refused { .. } => {
                // A read mark shows that token and app are let in, and no more.
                self.end(tx, clock, |halt| {
                    let lets_in = matches!(halt.scope, HaltScope::Token | HaltScope::App);
                    probed(halt) && halt.told == Told::ByAnswer && (!is_mark || lets_in)
                })?;
                let others = self.known.iter_mut().filter(|halt| probed(halt));
                let later = others.filter(|halt| halt.told == Told::ByStatus);
                later.for_each(|halt| halt.quiet_until = clock + QUIET_MS);
            }
            Verdict::Halt { why, .. } => {
                let scope = scope_of(why.code).expect("simulated codes have a row");
                // Whoever is refused for anything else was let in by the token.
                if scope != HaltScope::Token {
                    self.end(tx, clock, |halt| {
                        probed(halt) && halt.scope == HaltScope::Token
                    })?;
                }
                self.meet(scope, Told::ByAnswer, caller, job, clock);
            }
            Verdict::Retry { .. } | Verdict::Unknown { .. } => {}
        }
        self.over(job);
        Ok(())
    }

    /// The call is over, whatever came of it.
    pub fn over(&mut self, job: JobId) {
        let probed = self.known.iter_mut().filter(|halt| halt.probe == Some(job));
        probed.for_each(|halt| halt.is_under_way = false);
    }

    /// A message failed that Graph had taken, and it had stood where it stood since
    /// then. What is from before the last mend is no news.
    pub fn failed_late(
        &mut self,
        tx: &Tx<'_>,
        caller: Caller<'_>,
        job: JobId,
        (code, since): (i64, i64),
        clock: i64,
    ) -> Check {
        let Some(scope) = scope_of(Some(code)) else {
            return Ok(());
        };
        let later = |ended: &&Ended| since < ended.at;
        let mut ended = self.ended.iter().filter(later);
        let holds = |ended: &Ended| ended.numbers.iter().any(|n| n == caller.number);
        let is_old = ended.clone().any(holds);
        // With which token a number was known to send then we do not know.
        let may_be_old = ended.any(|ended| ended.scope == HaltScope::Token);
        let (scope, subject) = subject_of(scope, caller);
        let stored = || {
            let stored = read(tx.halts())?;
            let same = |halt: &&wabridge::store::rows::Halt| {
                (halt.scope, halt.subject.as_str()) == (scope, subject.as_str())
            };
            Ok::<_, String>(stored.iter().find(same).map(|halt| halt.failures))
        };
        if is_old || (may_be_old && stored()?.is_none()) {
            return Ok(());
        }
        self.met_late += u64::from(self.meet(scope, Told::ByStatus, caller, job, clock));
        if may_be_old
            && let Some(failures) = stored()?
            && let Some(halt) = self.find(scope, &subject)
        {
            halt.failures = failures;
        }
        Ok(())
    }

    /// A message has left Meta: what it probed for by its status is over.
    pub fn went_out(&mut self, tx: &Tx<'_>, job: JobId, clock: i64) -> Check {
        self.end(tx, clock, |halt| {
            halt.told == Told::ByStatus && halt.probe == Some(job)
        })
    }

    fn find(&mut self, scope: HaltScope, subject: &str) -> Option<&mut Halt> {
        let mut known = self.known.iter_mut();
        known.find(|halt| halt.scope == scope && halt.subject == subject)
    }

    /// Whether it is news: of a halt that is known only its probe tells anything.
    fn meet(
        &mut self,
        scope: HaltScope,
        told: Told,
        caller: Caller<'_>,
        job: JobId,
        clock: i64,
    ) -> bool {
        let (scope, subject) = subject_of(scope, caller);
        let mut halt = Halt {
            scope,
            subject,
            told,
            failures: 1,
            number: caller.number.to_owned(),
            token: caller.token,
            probe: None,
            is_under_way: false,
            probe_lost: false,
            quiet_until: clock + QUIET_MS,
        };
        match self.find(scope, &halt.subject) {
            Some(known) if known.probe != Some(job) => return false,
            Some(known) => {
                halt.failures += known.failures;
                halt.told = known.told;
                *known = halt;
            }
            None => self.known.push(halt),
        }
        true
    }

    /// These halts are over.
    fn end(&mut self, tx: &Tx<'_>, at: i64, is_over: impl Fn(&Halt) -> bool) -> Check {
        let Some(place) = self.known.iter().position(&is_over) else {
            return Ok(());
        };
        let halt = self.known.remove(place);
        let queues = read(tx.queues())?.into_iter();
        let held_up = queues.filter(|queue| {
            let is_in = match halt.scope {
                HaltScope::Token => false,
                HaltScope::Number => queue.name == halt.subject,
                HaltScope::Account => queue.waba.as_ref() == Some(&halt.subject),
                HaltScope::App => true,
            };
            queue.kind == QueueKind::Send && is_in
        });
        self.ended.push(Ended {
            scope: halt.scope,
            numbers: held_up.map(|queue| queue.name).collect(),
            at,
        });
        self.end(tx, at, is_over)
    }

    /// After a start nothing is under way.
    pub fn recovered(&mut self) {
        let all = self.known.iter_mut();
        all.for_each(|halt| halt.is_under_way = false);
    }

    /// A clock that is set may count a probe as lost.
    pub fn clock_was_set(&mut self) {
        for halt in &mut self.known {
            halt.probe_lost = true;
            halt.quiet_until = i64::MIN;
        }
    }
}

/// What stands still, as far as is known.
fn subject_of(scope: HaltScope, caller: Caller<'_>) -> (HaltScope, String) {
    match (scope, caller.waba) {
        (HaltScope::Token, _) => (scope, caller.token.to_string()),
        (HaltScope::App, _) => (scope, String::new()),
        (HaltScope::Account, Some(waba)) => (scope, waba.to_owned()),
        // Of an unknown account the number itself is all that is known.
        _ => (HaltScope::Number, caller.number.to_owned()),
    }
}

fn is_over(halt: &Halt, tokens: &Tokens) -> bool {
    match halt.scope {
        HaltScope::Token => tokens.all().all(|token| token.to_string() != halt.subject),
        _ => tokens.of(&halt.number) != halt.token,
    }
}
