//! The queue of statuses, the threads that bring them to the callback, and the redelivery of what
//! was not acknowledged.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::check::To;
use super::faults::Step;
use super::{Happening, Inner, Number, Undelivered};
use crate::wire::sample::{self, Recipient};

/// What waits for the callback.
#[derive(Default)]
pub(super) struct Queue {
    jobs: BinaryHeap<Reverse<Job>>,
    /// Statuses not yet acknowledged, those at work and those still to come included.
    pub pending: usize,
    /// Threads that deliver.
    pub threads: usize,
}

/// An accepted message, as far as its statuses need it.
pub(super) struct Sent {
    pub number: Number,
    pub wamid: String,
    pub to: To,
    pub opaque: Option<String>,
}

/// Statuses of one message, the first of which is due.
pub(super) struct Job {
    due: Instant,
    sent: Arc<Sent>,
    /// Never empty.
    steps: VecDeque<Step>,
    attempt: u32,
    /// Made at the first attempt: a redelivery is the same bytes.
    body: Option<String>,
}

impl Job {
    /// The jobs that bring these statuses: one after another, or each on its own.
    pub fn all(sent: Arc<Sent>, steps: Vec<Step>, in_turn: bool) -> Vec<Job> {
        let jobs: Vec<VecDeque<Step>> = match steps.len() {
            0 => Vec::new(),
            _ if in_turn => vec![steps.into()],
            _ => steps.into_iter().map(|step| [step].into()).collect(),
        };
        jobs.into_iter()
            .map(|steps| Job {
                due: Instant::now() + steps[0].after,
                sent: Arc::clone(&sent),
                steps,
                attempt: 1,
                body: None,
            })
            .collect()
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Job {}

/// Starts one thread that delivers until the stand-in stops.
pub(super) fn start(inner: &Arc<Inner>) -> io::Result<()> {
    let counted = Counted(Arc::clone(inner));
    inner.state().queue.threads += 1;
    thread::Builder::new()
        .name("standin-callback".into())
        .spawn(move || {
            while let Some(job) = counted.0.next_job() {
                counted.0.bring(job);
            }
        })
        .map(drop)
}

/// Counts its thread out, also when a witness panicked or the thread never started.
struct Counted(Arc<Inner>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.state().queue.threads -= 1;
        self.0.changed.notify_all();
    }
}

impl Inner {
    /// Takes the statuses of a message that was just accepted. Early: the first is attempted
    /// here, before the caller answers the send.
    pub(super) fn schedule(&self, jobs: Vec<Job>, early: bool) {
        let mut jobs = jobs.into_iter();
        if early && let Some(first) = jobs.next() {
            self.bring(first);
        }
        let mut state = self.state();
        state.queue.jobs.extend(jobs.map(Reverse));
        drop(state);
        self.changed.notify_all();
    }

    /// Delivers on the calling thread until acknowledged or out of time.
    pub(super) fn deliver(&self, body: &str, within: Duration) -> Result<u32, Undelivered> {
        let deadline = Instant::now() + within;
        for attempts in 1.. {
            let left = deadline.saturating_duration_since(Instant::now());
            let Err(why) = self.post(body, left) else {
                self.state().meters.delivered(body, Instant::now());
                return Ok(attempts);
            };
            self.not_acknowledged(attempts, &why);
            let wait = self.delays.again_after(attempts);
            let left = deadline.saturating_duration_since(Instant::now());
            if wait >= left || self.wait(wait, |state| state.stopping) {
                return Err(Undelivered { attempts, why });
            }
        }
        unreachable!("the backoff uses up the time before a u32 is counted through")
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        while !state.stopping {
            let now = Instant::now();
            let wait = match state.queue.jobs.peek() {
                Some(Reverse(job)) if job.due <= now => {
                    return state.queue.jobs.pop().map(|Reverse(job)| job);
                }
                Some(Reverse(job)) => job.due - now,
                // Whoever adds a job notifies.
                None => Duration::from_secs(3_600),
            };
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// One attempt at the job's first status, and what follows from it.
    fn bring(&self, mut job: Job) {
        let body = job.body.take();
        let body = body.unwrap_or_else(|| status(&job.sent, &job.steps[0]));
        match self.post(&body, Duration::MAX) {
            Ok(()) => self.acknowledged(job, body),
            Err(why) => {
                self.not_acknowledged(job.attempt, &why);
                job.due = Instant::now() + self.delays.again_after(job.attempt);
                job.attempt = job.attempt.saturating_add(1);
                job.body = Some(body);
                self.state().queue.jobs.push(Reverse(job));
            }
        }
        self.changed.notify_all();
    }

    fn acknowledged(&self, mut job: Job, body: String) {
        let Some(step) = job.steps.pop_front() else {
            unreachable!("a job has a step: see `Job::all`")
        };
        // Told before it counts as settled, so that whoever waits for that has heard it all.
        self.tell(Happening::Status {
            wamid: job.sent.wamid.clone(),
            status: step.status,
            attempt: job.attempt,
        });
        let mut state = self.state();
        state.tally.statuses += 1;
        state.queue.pending -= 1;
        if let Some(next) = job.steps.front() {
            job.due = Instant::now() + next.after;
            job.attempt = 1;
            // A status that comes twice is the same bytes twice.
            job.body = (next.status == step.status).then_some(body);
            state.queue.jobs.push(Reverse(job));
        }
    }

    fn not_acknowledged(&self, attempt: u32, why: &str) {
        self.state().tally.redelivered += 1;
        self.tell(Happening::NotAcknowledged {
            attempt,
            why: why.to_owned(),
        });
    }

    fn post(&self, body: &str, within: Duration) -> Result<(), String> {
        let callback = self.callback_of(body)?;
        self.hooks.post(&callback, body, within)
    }
}

fn status(sent: &Sent, step: &Step) -> String {
    let user_id = match &sent.to {
        To::Phone(digits) => Some(sample::bsuid(digits)),
        To::User(_) | To::Group(_) => None,
    };
    let recipient = match &sent.to {
        To::Phone(digits) => Recipient::Phone(digits),
        To::User(user_id) => Recipient::User(user_id),
        To::Group(group_id) => Recipient::Group(group_id),
    };
    sample::status(&sample::Status {
        number: &sent.number.id,
        display: &sent.number.display,
        waba: &sent.number.waba,
        wamid: &sent.wamid,
        status: step.status,
        recipient,
        user_id: user_id.as_deref(),
        opaque: sent.opaque.as_deref(),
        error: step
            .error
            .as_ref()
            .map(|(code, title)| (*code, title.as_str())),
        timestamp: unix_seconds(),
    })
}

/// Meta's clock, not the bridge's: a test may give the bridge another time.
fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}
