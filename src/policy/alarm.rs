//! What needs a person: the one list of causes, and when each is told. Pure.
//!
//! A cause is told once when it begins and once when it is over, however often it
//! is looked for meanwhile; what comes and goes by the minute (an app that
//! restarts, a disk at its limit) must be gone for a while before it is over.

pub mod news;

use super::doctor::{NEW_TOKEN, span};
use news::Notice;

/// A consumer, or Graph, that fails for so long is down and does not just restart.
const DOWN_MS: i64 = 60_000;

/// What comes and goes is over when it did not come again for so long.
const CALM_MS: i64 = 120_000;

/// A token's end is told so long before.
const TOKEN_MS: i64 = 7 * 86_400_000;

/// A disk with less than this, or less than a tenth of a small one, is nearly
/// full. Customers' files are not fetched any more at a quarter of it.
const DISK_SPARE_BYTES: u64 = 1 << 30;

/// What kind of thing needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Sending stands still.
    Halt,
    /// A consumer, or Graph, fails time and again.
    Down,
    /// Work waits too long.
    Waiting,
    /// Events were given up.
    Dead,
    /// Nothing comes in.
    Quiet,
    /// The disk is nearly full.
    Disk,
    /// A token ends soon.
    Token,
    /// Meta says so of a number's or a template's quality.
    Quality,
    /// A template cannot be sent.
    Template,
    /// Meta says so of the account.
    Account,
}

impl Kind {
    const ALL: [Kind; 10] = [
        Kind::Halt,
        Kind::Down,
        Kind::Waiting,
        Kind::Dead,
        Kind::Quiet,
        Kind::Disk,
        Kind::Token,
        Kind::Quality,
        Kind::Template,
        Kind::Account,
    ];

    /// The word that is shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Halt => "halt",
            Kind::Down => "down",
            Kind::Waiting => "waiting",
            Kind::Dead => "dead",
            Kind::Quiet => "quiet",
            Kind::Disk => "disk",
            Kind::Token => "token",
            Kind::Quality => "quality",
            Kind::Template => "template",
            Kind::Account => "account",
        }
    }

    /// The kind a word names.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether its subject may be a phone number, if only the business's own: then
    /// it is not for logs.
    pub fn is_private(self) -> bool {
        matches!(self, Kind::Quality | Kind::Account)
    }

    /// How long it must be gone to be over.
    fn calm_ms(self) -> i64 {
        match self {
            Kind::Down | Kind::Waiting | Kind::Disk => CALM_MS,
            _ => 0,
        }
    }
}

/// Something that needs a person. Kind and subject tell it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What kind of thing.
    pub kind: Kind,
    /// Which one: a consumer, a number, a token's setting, …; may be empty.
    pub subject: String,
    /// What is the matter, in our words: fit for logs.
    pub says: String,
    /// What to do.
    pub mend: String,
}

impl Cause {
    /// Whether both are the same thing, whatever is said of it.
    pub fn is(&self, other: &Cause) -> bool {
        (self.kind, &self.subject) == (other.kind, &other.subject)
    }
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Halts: the scope and whom it met, why, and the mend.
    pub halts: Vec<(String, String, String)>,
    /// Consumers and sending numbers.
    pub queues: Vec<QueueFacts>,
    /// When the newest event came, in Unix milliseconds.
    pub newest_event: Option<i64>,
    /// Whether events came at this time of day before; asked only when it is
    /// quiet.
    pub usual: bool,
    /// Disks that we write to: the folder, free bytes, all bytes.
    pub disks: Vec<(String, u64, u64)>,
    /// What Meta told of numbers, templates and accounts, and when tokens end.
    pub notices: Vec<Notice>,
}

/// A consumer or a sending number.
#[derive(Clone, Debug)]
pub struct QueueFacts {
    /// Its name.
    pub name: String,
    /// It sends; else it hands over.
    pub sends: bool,
    /// It stands still for a halt, which is told by itself.
    pub halted: bool,
    /// Tries are held back: the other side fails.
    pub down: bool,
    /// Since when its oldest job waits, in Unix milliseconds.
    pub oldest: Option<i64>,
    /// Its dead letters, so far as they are counted.
    pub dead: i64,
}

/// From when on it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A job may wait for so long.
    pub waiting_ms: i64,
    /// Nothing may come in for so long; `None`: for ever.
    pub quiet_ms: Option<i64>,
}

/// Everything that needs a person at `now`.
pub fn causes(facts: &Facts, limits: &Limits, now: i64) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (subject, reason, mend) in &facts.halts {
        causes.push(Cause {
            kind: Kind::Halt,
            subject: subject.clone(),
            says: format!("sending is halted: {reason}"),
            mend: mend.clone(),
        });
    }
    for queue in &facts.queues {
        causes.extend(stuck(queue, limits, now));
        if queue.dead > 0 && !queue.sends {
            causes.push(Cause {
                kind: Kind::Dead,
                subject: queue.name.clone(),
                says: "events could not be handed over and are dead letters".into(),
                mend: "wabridge inbox list --state dead shows them; once it is mended: wabridge inbox \
                       replay --dead"
                    .into(),
            });
        }
    }
    causes.extend(quiet(facts, limits, now));
    causes.extend(facts.disks.iter().filter_map(disk));
    let stands = facts.notices.iter().filter_map(|notice| notice.stands(now));
    causes.extend(stands);
    causes
}

impl QueueFacts {
    /// Since when its oldest job waits, if that is longer than this.
    fn waits(&self, longer_ms: i64, now: i64) -> Option<i64> {
        let waited = now - self.oldest?;
        (waited > longer_ms).then_some(waited)
    }
}

/// Work that does not get done: for an outage, or for no reason that is known.
fn stuck(queue: &QueueFacts, limits: &Limits, now: i64) -> Option<Cause> {
    if queue.halted {
        return None;
    }
    let (kind, waited) = match queue.down {
        true => (Kind::Down, queue.waits(DOWN_MS, now)?),
        false => (Kind::Waiting, queue.waits(limits.waiting_ms, now)?),
    };
    let waited = span(waited / 1_000);
    let (says, mend) = match (kind, queue.sends) {
        (Kind::Down, false) => (
            format!(
                "events cannot be handed over: it fails each time, and the oldest waits for {waited}"
            ),
            "see whether it runs and what it says; events wait, and it goes on by itself \
             (wabridge status tells the failures)",
        ),
        (Kind::Down, true) => (
            format!(
                "nothing is sent: Graph fails each time, and the oldest message waits for {waited}"
            ),
            "see that this machine reaches Graph (wabridge check --online); it goes on by itself",
        ),
        (_, false) => (
            format!("the oldest event waits for {waited}"),
            "wabridge inbox list --state pending tells what is tried and what comes of it; an app that \
             is too slow may take more at once (FORWARD_CONCURRENCY)",
        ),
        (_, true) => (
            format!("the oldest message waits for {waited}"),
            "wabridge outbox list --state queued tells what waits; a number sends RATE_PER_NUMBER a \
             second and no more",
        ),
    };
    Some(Cause {
        kind,
        subject: queue.name.clone(),
        says,
        mend: mend.into(),
    })
}

/// Since when it has been quiet for longer than it may, if it has; whether that
/// is usual is looked up only then.
pub fn quiet_since(newest_event: Option<i64>, limits: &Limits, now: i64) -> Option<i64> {
    let (newest, most) = (newest_event?, limits.quiet_ms?);
    (now - newest > most).then_some(newest)
}

fn quiet(facts: &Facts, limits: &Limits, now: i64) -> Option<Cause> {
    let since = quiet_since(facts.newest_event, limits, now)?;
    if !facts.usual {
        return None;
    }
    Some(Cause {
        kind: Kind::Quiet,
        subject: String::new(),
        says: format!("nothing has come in for {}", span((now - since) / 1_000)),
        mend: "wabridge check --online tells why nothing arrives".into(),
    })
}

fn disk((folder, free, all): &(String, u64, u64)) -> Option<Cause> {
    (*free < DISK_SPARE_BYTES.min(all / 10)).then(|| Cause {
        kind: Kind::Disk,
        subject: folder.clone(),
        says: format!("the disk is nearly full: {} MB are free", free / 1_000_000),
        mend: "make room: when it is full, Meta is answered 503 and nothing is stored".into(),
    })
}

/// A cause that has been noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What it is.
    pub cause: Cause,
    /// Since when it is known, in Unix milliseconds.
    pub since: i64,
    /// Since when it is not there any more, though not over yet.
    pub gone_at: Option<i64>,
    /// Whether it has been told to ALERT_URL.
    pub alerted: bool,
}

/// What changes with a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something new.
    Raise(Cause),
    /// It is not there any more; whether it stays away is to be seen.
    Gone(Cause),
    /// It is there again.
    Back(Cause),
    /// It is over.
    Over(Alarm),
    /// ALERT_URL, which was not set before, is to hear of it.
    Alert(Alarm),
}

/// What a look changes: `causes` there are, of which `standing` were known;
/// `alerts`: there is somebody to tell.
pub fn changes(standing: &[Alarm], causes: &[Cause], alerts: bool, now: i64) -> Vec<Change> {
    let mut changes = Vec::new();
    for alarm in standing {
        let there = causes.iter().any(|cause| cause.is(&alarm.cause));
        let gone_at = alarm.gone_at.unwrap_or(now);
        match there {
            true if alarm.gone_at.is_some() => changes.push(Change::Back(alarm.cause.clone())),
            // A clock that was set back does not keep it for ever.
            false if now - gone_at >= alarm.cause.kind.calm_ms() || now < gone_at => {
                changes.push(Change::Over(alarm.clone()));
                continue;
            }
            false if alarm.gone_at.is_none() => changes.push(Change::Gone(alarm.cause.clone())),
            _ => {}
        }
        if alerts && !alarm.alerted {
            changes.push(Change::Alert(alarm.clone()));
        }
    }
    let known = |cause: &&Cause| standing.iter().any(|alarm| alarm.cause.is(cause));
    for cause in causes.iter().filter(|cause| !known(cause)) {
        // One look has each but once.
        let again = |change: &Change| matches!(change, Change::Raise(other) if other.is(cause));
        if !changes.iter().any(again) {
            changes.push(Change::Raise(cause.clone()));
        }
    }
    changes
}

#[cfg(test)]
mod tests;
