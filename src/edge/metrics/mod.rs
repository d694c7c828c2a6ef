//! What the service counts about itself, for Prometheus.
//!
//! Counting costs a few atomic additions, on the path of a webhook too: no lock and no look-up
//! by a label. Where labels are looked up (a call of the business's logic, a call to Graph),
//! much more has just been waited for. Labels have few values: never a person's.
//!
//! * [`page`]: the names of it all, and the text
//! * [`histogram`], `labelled`: how it is counted
//! * [`figures`]: what only the store knows, looked up now and then
//! * [`process`]: what the system knows of the process

pub mod figures;
pub mod histogram;
mod labelled;
pub mod page;
pub mod process;

pub use histogram::Histogram;
pub use labelled::Labelled;

use super::clock;
use crate::gateway::{Outcome, Received};
use crate::policy::ladder::SendState;
use crate::policy::verdict::Verdict;
use crate::store::committer::{Commit, Watch};
use crate::wire::notification::Kind;
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;

/// What came of a request to the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Something in it was new, and is stored.
    Stored,
    /// All of it was known.
    Duplicate,
    /// There is no event in it.
    Empty,
    /// The signature is missing or wrong.
    Unsigned,
    /// It cannot be read.
    Malformed,
    /// It is too long.
    TooLong,
    /// It could not be stored.
    NotStored,
}

impl Receipt {
    /// All of them, in order.
    pub const ALL: [Receipt; 7] = [
        Receipt::Stored,
        Receipt::Duplicate,
        Receipt::Empty,
        Receipt::Unsigned,
        Receipt::Malformed,
        Receipt::TooLong,
        Receipt::NotStored,
    ];

    /// The word on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Receipt::Stored => "stored",
            Receipt::Duplicate => "duplicate",
            Receipt::Empty => "empty",
            Receipt::Unsigned => "unsigned",
            Receipt::Malformed => "malformed",
            Receipt::TooLong => "too_long",
            Receipt::NotStored => "not_stored",
        }
    }
}

/// A call to Graph, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallFor {
    /// A message goes out.
    Send,
    /// All else: files, calls that are passed on.
    Other,
}

impl CallFor {
    /// The word on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            CallFor::Send => "send",
            CallFor::Other => "other",
        }
    }
}

/// Whom a call of the business's logic was for, and what came of it.
type Handled = (String, &'static str);

/// The number that sends, what Graph's answer meant, and its code.
type Judged = (String, &'static str, Option<i64>);

/// All that is counted since the process began.
pub struct Metrics {
    /// Unix time of the start, in milliseconds.
    pub started_at_ms: i64,
    /// Requests to the webhook, by [`Receipt`].
    receipts: [Counter; Receipt::ALL.len()],
    /// How long it took to store them.
    acknowledged: Histogram,
    /// New events, by [`Kind`].
    events: [Counter; Kind::ALL.len()],
    duplicates: Counter,
    handled: Labelled<Handled, Histogram>,
    called: Labelled<(CallFor, &'static str), Histogram>,
    verdicts: Labelled<Judged, Counter>,
    fetched: Labelled<&'static str, Counter>,
    /// How long the disk took for a commit.
    synced: Histogram,
    /// How many steps it held.
    batches: Histogram,
    commits_failed: Counter,
    /// Messages that came into a state, by [`SendState`].
    messages: [Counter; SendState::ALL.len()],
}

/// From 0.1 ms to 10 s: a commit on a fast disk, and an app that takes its time.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Steps in a commit: up to the committer's limit.
const STEPS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            started_at_ms: clock::now_ms(),
            receipts: Default::default(),
            acknowledged: Histogram::of_seconds(SECONDS),
            events: Default::default(),
            duplicates: Counter::default(),
            handled: Labelled::default(),
            called: Labelled::default(),
            verdicts: Labelled::default(),
            fetched: Labelled::default(),
            synced: Histogram::of_seconds(SECONDS),
            batches: Histogram::of_numbers(STEPS),
            commits_failed: Counter::default(),
            messages: Default::default(),
        }
    }
}

impl Metrics {
    /// A request to the webhook was answered.
    pub fn answered(&self, receipt: Receipt) {
        self.receipts[receipt as usize].inc();
    }

    /// A notification is stored, which began to come at `since_us` of the clock that nobody sets.
    pub fn stored(&self, received: &Received, since_us: i64) {
        self.acknowledged.observe(clock::monotonic_us() - since_us);
        self.answered(match received.stored {
            0 => Receipt::Duplicate,
            _ => Receipt::Stored,
        });
        for (counter, new) in self.events.iter().zip(received.kinds) {
            if new > 0 {
                counter.inc_by(u64::from(new));
            }
        }
        self.duplicates.inc_by(u64::from(received.duplicates));
    }

    /// A consumer was called at `since_us`, and this came of it.
    pub fn handled(&self, consumer: &str, outcome: &Outcome, since_us: i64) {
        let outcome = match outcome {
            Outcome::Done { .. } => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead { .. } => "dead",
        };
        let key = (consumer.to_owned(), outcome);
        let histogram = self.handled.of(key, || Histogram::of_seconds(SECONDS));
        histogram.observe(clock::monotonic_us() - since_us);
    }

    /// Graph was called at `since_us`, and this came of it.
    pub fn called(&self, call: CallFor, outcome: &'static str, since_us: i64) {
        let histogram = self
            .called
            .of((call, outcome), || Histogram::of_seconds(SECONDS));
        histogram.observe(clock::monotonic_us() - since_us);
    }

    /// What Graph said to a message from a number.
    pub fn judged(&self, number: &str, verdict: &Verdict) {
        let code = verdict.why().and_then(|why| why.code);
        let key = (number.to_owned(), verdict.as_str(), code);
        self.verdicts.of(key, Counter::default).inc();
    }

    /// An attempt to fetch a file is over.
    pub fn fetched(&self, well: bool) {
        let outcome = if well { "fetched" } else { "failed" };
        self.fetched.of(outcome, Counter::default).inc();
    }
}

/// Looks on from the store thread.
pub struct Commits {
    metrics: Arc<Metrics>,
    syncing_us: i64,
}

impl Commits {
    /// Counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Commits {
        Commits {
            metrics,
            syncing_us: 0,
        }
    }
}

impl Watch for Commits {
    fn syncing(&mut self) {
        self.syncing_us = clock::monotonic_us();
    }

    fn committed(&mut self, commit: &Commit) {
        let metrics = &self.metrics;
        metrics
            .synced
            .observe(clock::monotonic_us() - self.syncing_us);
        metrics.batches.observe(commit.steps as i64);
        for (counter, entered) in metrics.messages.iter().zip(commit.entered) {
            if entered > 0 {
                counter.inc_by(u64::from(entered));
            }
        }
    }

    fn failed(&mut self) {
        self.metrics.commits_failed.inc();
    }
}
