//! What Meta says of our messages: when, in which order and how often, and how far
//! each message is by it. The ladder is the simulator's own.

use super::entries::rung;
use super::luck::{Faults, Luck};
use super::world::MINUTE;

/// Something Meta says of a message.
#[derive(Clone)]
pub struct StatusOf {
    pub outbox: i64,
    pub wamid: String,
    pub word: &'static str,
    pub marked: bool,
    /// Why it failed.
    pub code: Option<i64>,
}

/// Meta could not deliver one message.
const UNDELIVERABLE: i64 = 131_026;

/// What will be said of a message that Graph takes, after how long, and with which
/// code.
pub fn plan(
    luck: &mut Luck,
    faults: &Faults,
    fails: Option<Failing>,
) -> Vec<(i64, &'static str, Option<i64>)> {
    let is_shared = matches!(fails, Some(Failing::WithOthers(_)));
    if luck.chance(faults.silent) && !is_shared {
        return Vec::new();
    }
    let fails = fails.or_else(|| {
        luck.chance(faults.failed)
            .then_some(Failing::Alone(UNDELIVERABLE))
    });
    let words: &[&'static str] = match fails {
        Some(Failing::WithOthers(_)) if luck.chance(0.8) => &["failed"],
        Some(Failing::Alone(_)) if luck.chance(0.5) => &["failed"],
        Some(_) => &["sent", "failed"],
        None => &["sent", "delivered", "read"][..1 + luck.below(3)],
    };
    let mut at = match luck.chance(faults.early) {
        true => 0,
        false => luck.between(500, 8_000),
    };
    // Some tell of a trouble when it is mended already.
    let tells_late = is_shared && luck.chance(0.3);
    if tells_late || luck.chance(faults.late) {
        at += luck.between(MINUTE, 20 * MINUTE);
    }
    let mut planned: Vec<(i64, &'static str)> = Vec::new();
    for word in words {
        planned.push((at, word));
        at += luck.between(10, 20_000);
        if luck.chance(faults.doubled) {
            planned.push((at + luck.between(0, MINUTE), word));
        }
    }
    if luck.chance(faults.shuffled) {
        let mut times: Vec<i64> = planned.iter().map(|p| p.0).collect();
        luck.shuffle(&mut times);
        for (entry, time) in planned.iter_mut().zip(times) {
            entry.0 = time;
        }
    }
    let code = |word| fails.filter(|_| word == "failed").map(Failing::code);
    let planned = planned.into_iter();
    planned.map(|(at, word)| (at, word, code(word))).collect()
}

/// Why a message that Graph took does not go out.
#[derive(Clone, Copy)]
pub enum Failing {
    /// For a reason of its own.
    Alone(i64),
    /// With all others of its number or account.
    WithOthers(i64),
}

impl Failing {
    fn code(self) -> i64 {
        match self {
            Failing::Alone(code) | Failing::WithOthers(code) => code,
        }
    }
}

/// How far a message of ours is, as far as it was told.
#[derive(Default)]
pub struct Progress {
    /// The id it goes by.
    wamid: Option<String>,
    /// Others that it is known to have had.
    others: Vec<String>,
    rung: u8,
    /// When it came to be so, by the service's clock.
    since: i64,
    /// All that was told, known then to be about this message or not.
    told: Vec<StatusOf>,
}

/// What a status or an answer tells that concerns more than its message.
#[derive(Clone, Copy)]
pub enum News {
    /// It left Meta.
    WentOut,
    /// Graph took it and it failed, having stood where it stood since then.
    Failed { code: i64, since: i64 },
}

impl Progress {
    /// Something was written about it that is no status.
    pub fn changed(&mut self, clock: i64) {
        self.since = clock;
    }

    /// An operator has it sent again.
    pub fn is_retried(&mut self, clock: i64) {
        self.rung = 0;
        self.since = clock;
    }

    /// All ids that it is known to have, or to have had.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.wamid.iter().chain(&self.others)
    }

    /// A status was stored.
    pub fn told(&mut self, of: &StatusOf, clock: i64) -> Option<News> {
        self.told.push(of.clone());
        let is_its_own = self.wamid.as_ref() == Some(&of.wamid);
        let before = self.beside(is_its_own);
        // Of a try that failed, and that was followed by another.
        let is_spent = is_its_own && before == 0;
        if !(of.marked || self.ids().any(|id| *id == of.wamid)) || is_spent {
            return None;
        }
        let is_first = self.wamid.is_none() || before == 0;
        let from = if is_its_own { self.told.len() - 1 } else { 0 };
        let (rung, code) = self.said_of(&of.wamid, from);
        // Of two that went out the one counts that did not fail; and of one that failed
        // before another try nothing does.
        let is_former = self.others.contains(&of.wamid);
        if rung == 5 && !is_its_own && (!is_first || is_former) {
            self.has_also(&of.wamid);
            return None;
        }
        let news = self.climbs(before, before.max(rung).max(1), code, clock);
        match is_first || (news.is_some() && !is_its_own) {
            true => self.goes_by(&of.wamid),
            false => self.has_also(&of.wamid),
        }
        news
    }

    /// From now on it has this id, and had another before.
    fn goes_by(&mut self, wamid: &str) {
        self.others.extend(self.wamid.replace(wamid.to_owned()));
        self.others.retain(|other| other != wamid);
    }

    fn has_also(&mut self, wamid: &str) {
        if self.ids().all(|id| id != wamid) {
            self.others.push(wamid.to_owned());
        }
    }

    /// Graph's answer has come: what was told before of this id is of this message.
    pub fn accepted(&mut self, wamid: &str, clock: i64) -> Option<News> {
        let is_its_own = self.wamid.as_deref() == Some(wamid);
        let before = self.beside(is_its_own);
        let (rung, code) = match self.said_of(wamid, 0) {
            (5, _) if before > 0 && !is_its_own => (0, None),
            said => said,
        };
        match self.wamid.is_none() || before == 0 {
            true => self.goes_by(wamid),
            false => self.has_also(wamid),
        }
        let reached = before.max(rung).max(1);
        let again = (reached == before).then(|| self.news(reached, code, self.since));
        self.climbs(before, reached, code, clock)
            .or(again.flatten())
    }

    /// How far it is, as far as another id is concerned: a failure is one id's.
    fn beside(&self, is_its_own: bool) -> u8 {
        match self.rung {
            5 if !is_its_own => 0,
            rung => rung,
        }
    }

    /// How far what was told of an id, from that place on, says that it got.
    fn said_of(&self, wamid: &str, from: usize) -> (u8, Option<i64>) {
        let of_it = self.told[from..].iter().filter(|of| of.wamid == wamid);
        let highest = of_it.clone().map(|of| rung(of.word)).max();
        (highest.unwrap_or(0), of_it.filter_map(|of| of.code).next())
    }

    fn climbs(&mut self, before: u8, to: u8, code: Option<i64>, clock: i64) -> Option<News> {
        if to == before {
            return None;
        }
        let news = self.news(to, code, self.since);
        self.rung = to;
        self.since = clock;
        news
    }

    fn news(&self, to: u8, code: Option<i64>, since: i64) -> Option<News> {
        let went_out = |rung: u8| (2..=4).contains(&rung);
        match to {
            to if went_out(to) => Some(News::WentOut),
            5 if !went_out(self.rung) => code.map(|code| News::Failed { code, since }),
            _ => None,
        }
    }

    /// A status is not stored any more.
    pub fn forgets(&mut self, gone: &StatusOf) {
        let same = |of: &StatusOf| of.wamid == gone.wamid && of.word == gone.word;
        self.told.retain(|of| !same(of));
    }
}
