//! Halts: what Graph lets nobody do for a while, and the book of what must stand
//! still for it. Scopes are compared by the test's own arithmetic.

use super::book::{Check, ensure};
use super::luck::{Faults, Luck};
use super::meta::{NUMBERS, WABAS};
use super::tokens::{Token, Tokens};
use std::collections::BTreeSet;
use wabridge::policy::verdict::{HaltScope, Verdict};
use wabridge::store::rows::JobId;

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

/// What Graph refuses to all in a scope.
#[derive(Default)]
pub struct Troubles {
    passing: Vec<(i64, HaltScope, String, i64)>,
    /// Tokens that are never good again.
    revoked: BTreeSet<Token>,
}

impl Troubles {
    /// Once a minute: is there new trouble?
    pub fn minute(&mut self, luck: &mut Luck, faults: &Faults, tokens: &Tokens, now: i64) {
        self.passing.retain(|(.., until)| now < *until);
        if !luck.chance(faults.halts) {
            return;
        }
        let (code, scope) = *luck.pick(&CODES);
        let number = *luck.pick(&NUMBERS);
        let token = tokens.of(number);
        if scope == HaltScope::Token && luck.chance(faults.new_token) {
            self.revoked.insert(token);
            return;
        }
        let subject = match scope {
            HaltScope::Token => token.to_string(),
            HaltScope::Number => number.to_owned(),
            HaltScope::Account => (*luck.pick(&WABAS)).to_owned(),
            HaltScope::App => String::new(),
        };
        let until = now + luck.between(10_000, 10 * 60_000);
        self.passing.push((code, scope, subject, until));
    }

    /// What is not for good is over.
    pub fn mend(&mut self) {
        self.passing.clear();
    }

    pub fn revoked(&self) -> &BTreeSet<Token> {
        &self.revoked
    }

    /// The code a call meets.
    pub fn meets(&self, caller: Caller<'_>, now: i64) -> Option<i64> {
        if self.revoked.contains(&caller.token) {
            return Some(190);
        }
        let concerns = |(_, scope, subject, until): &&(i64, HaltScope, String, i64)| {
            now < *until && caller.is_in(*scope, subject)
        };
        self.passing.iter().find(concerns).map(|(code, ..)| *code)
    }
}

/// A halt the service knows of.
#[derive(Debug)]
struct Halt {
    scope: HaltScope,
    subject: String,
    /// Who met it last, and with which token.
    number: String,
    token: Token,
    /// The one call that may be made meanwhile, when it is under way.
    probe: Option<JobId>,
    /// That call counts as lost, by a clock that was set.
    probe_lost: bool,
}

/// The book of halts.
#[derive(Default)]
pub struct Halts(Vec<Halt>);

impl Halts {
    /// Whether a number stands still.
    pub fn cover(&self, caller: Caller<'_>, tokens: &Tokens) -> bool {
        let covers = |halt: &&Halt| caller.is_in(halt.scope, &halt.subject);
        self.0.iter().filter(covers).any(|h| !is_over(h, tokens))
    }

    /// The service looks at its halts: what another token ends is over.
    pub fn looked_at(&mut self, tokens: &Tokens) {
        self.0.retain(|halt| !is_over(halt, tokens));
    }

    /// A call begins: during a halt it is the only one.
    pub fn starts(&mut self, name: &str, caller: Caller<'_>, job: JobId) -> Check {
        for halt in &mut self.0 {
            if !caller.is_in(halt.scope, &halt.subject) {
                continue;
            }
            ensure(halt.probe.is_none() || halt.probe_lost, || {
                format!("`{name}` is a second call during {halt:?}")
            })?;
            halt.probe = Some(job);
            halt.probe_lost = false;
        }
        Ok(())
    }

    /// A call ends with a verdict that counts.
    pub fn ends(&mut self, caller: Caller<'_>, job: JobId, is_mark: bool, verdict: &Verdict) {
        let (probed, met): (&dyn Fn(&Halt) -> bool, _) = match verdict {
            // A read mark shows that token and app are let in, and no more.
            Verdict::Accepted { .. } | Verdict::Refused { .. } => (
                &|halt| !is_mark || matches!(halt.scope, HaltScope::Token | HaltScope::App),
                None,
            ),
            Verdict::Halt { why, .. } => {
                let code = CODES.iter().find(|(code, _)| why.code == Some(*code));
                let scope = code.expect("simulated codes have a row").1;
                // Whoever is refused for anything else was let in by the token.
                match scope {
                    HaltScope::Token => (&|_| false, Some(scope)),
                    _ => (&|halt| halt.scope == HaltScope::Token, Some(scope)),
                }
            }
            Verdict::Retry { .. } | Verdict::Unknown { .. } => (&|_| false, None),
        };
        self.0
            .retain(|halt| halt.probe != Some(job) || !probed(halt));
        if let Some(scope) = met {
            self.meet(scope, caller, job);
        }
        self.over(job);
    }

    /// The call is over, whatever came of it.
    pub fn over(&mut self, job: JobId) {
        for halt in self.0.iter_mut().filter(|halt| halt.probe == Some(job)) {
            halt.probe = None;
        }
    }

    fn meet(&mut self, scope: HaltScope, caller: Caller<'_>, job: JobId) {
        let (scope, subject) = match (scope, caller.waba) {
            (HaltScope::Token, _) => (scope, caller.token.to_string()),
            (HaltScope::App, _) => (scope, String::new()),
            (HaltScope::Account, Some(waba)) => (scope, waba.to_owned()),
            // Of an unknown account the number itself is all that is known.
            _ => (HaltScope::Number, caller.number.to_owned()),
        };
        let same = |halt: &Halt| halt.scope == scope && halt.subject == subject;
        match self.0.iter().find(|halt| same(halt)) {
            Some(known) if known.probe != Some(job) => return,
            _ => self.0.retain(|halt| !same(halt)),
        }
        self.0.push(Halt {
            scope,
            subject,
            number: caller.number.to_owned(),
            token: caller.token,
            probe: None,
            probe_lost: false,
        });
    }

    /// After a start nothing is under way.
    pub fn recovered(&mut self) {
        self.0.iter_mut().for_each(|halt| halt.probe = None);
    }

    /// A clock that is set may count a probe as lost.
    pub fn clock_was_set(&mut self) {
        self.0.iter_mut().for_each(|halt| halt.probe_lost = true);
    }
}

fn is_over(halt: &Halt, tokens: &Tokens) -> bool {
    match halt.scope {
        HaltScope::Token => tokens.all().all(|token| token.to_string() != halt.subject),
        _ => tokens.of(&halt.number) != halt.token,
    }
}
