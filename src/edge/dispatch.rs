//! Jobs from the queue to worker threads and back: claim, do, finish.

use super::clock;
use super::live::Live;
use super::threads;
use crate::gateway::{self, Claimed, Work, clock_set};
use crate::store::rows::{JobId, QueueKind};
use crate::store::{Committer, Result, StoreError, Tx};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The command line writes to the same file and cannot wake us, so look again
/// at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After the store failed: a full disk does not get better by asking often.
const STORE_FAILED: Duration = Duration::from_secs(1);

/// Where jobs come from, and where they are done. The two halves meet only
/// through the queue.
pub trait Job: Send + Sync {
    /// Claims up to `room` jobs, committed when it returns.
    fn claim(&self, room: usize) -> Result<Claimed>;

    /// Does the work and returns what commits its outcome. That is called
    /// again until it succeeds.
    fn work(&self, work: Work) -> Box<dyn FnMut() -> Result<()> + '_>;

    /// Ends a job over which we panicked: its lane, and all others, go on without it. It
    /// tells in the log when we panic over that too.
    fn give_up(&self, job: JobId) -> Result<()>;
}

/// Claims jobs of one kind by the settings in force.
pub(super) fn claim_from(
    live: &Live,
    committer: &Committer,
    kind: QueueKind,
    room: usize,
) -> Result<Claimed> {
    let gateway = Arc::clone(&live.now().gateway);
    let looked_at = Arc::new(Mutex::new(None));
    let last = Arc::clone(&looked_at);
    let claimed = committer.commit(move |tx| {
        let looks_at = |job| *lock(&last) = job;
        // It runs once more, alone, when it panicked among others.
        looks_at(None);
        let (now, set_ahead_at) = clock::watched_now_ms();
        // Before anything is given up because it seems old.
        if let Some(at) = set_ahead_at {
            clock_set::note_set_ahead(tx, at)?;
        }
        gateway.claim_telling(tx, now, kind, room, &looks_at)
    });
    let last = *lock(&looked_at);
    if let (Err(StoreError::Panicked), Some(job)) = (&claimed, last) {
        // Each claim would panic over it again.
        give_up_spoiled(live, committer, job)?;
    }
    claimed
}

/// Ends a job over which we panicked, and tells of it in the log, also when we panic over
/// that.
pub(super) fn give_up_spoiled(live: &Live, committer: &Committer, job: JobId) -> Result<()> {
    let gateway = Arc::clone(&live.now().gateway);
    let give_up = move |tx: &Tx<'_>| gateway.give_up_spoiled(tx, clock::now_ms(), job);
    let given_up = committer.commit(give_up);
    match given_up {
        Ok(true) => log::error!(
            "msg=\"we panicked over a job, a bug of wabridge's; it is given up\" job={job}"
        ),
        Err(StoreError::Panicked) => log::error!(
            "msg=\"we panicked over a job and over giving it up, a bug of wabridge's; \
             what comes after it waits\" job={job}"
        ),
        Ok(false) | Err(_) => {}
    }
    given_up.map(|_| ())
}

/// Threads that do the jobs of one kind.
pub struct Pool {
    name: String,
    job: Arc<dyn Job>,
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

/// The workers, after the one that claims for them.
type Threads = Mutex<Vec<thread::JoinHandle<()>>>;

/// Tells whether a pool's threads are alive.
pub struct Pulse {
    name: String,
    threads: Arc<Threads>,
}

impl Pulse {
    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many threads have ended. None does before the pool is stopped.
    pub fn ended(&self) -> usize {
        let threads = lock(&self.threads);
        threads.iter().filter(|thread| thread.is_finished()).count()
    }
}

/// Tells a pool that there may be something to do.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// There may be something to do.
    pub fn wake(&self) {
        let mut state = self.0.state();
        if !state.woken {
            state.woken = true;
            self.0.claimer.notify_one();
        }
    }

    /// Also what was closed may be open now.
    pub fn look_again(&self) {
        self.0.state().reopened = true;
        self.0.claimer.notify_one();
    }
}

struct Shared {
    state: Mutex<State>,
    /// Waited on by the thread that claims.
    claimer: Condvar,
    /// Waited on by the workers.
    workers: Condvar,
}

struct State {
    /// Something new may be there.
    woken: bool,
    /// A job has ended, or the settings have changed: even what was closed may
    /// be open.
    reopened: bool,
    stopping: bool,
    idle: usize,
    work: VecDeque<Work>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Pool {
    /// Starts `workers` threads, and one that claims for them.
    pub fn start(name: &str, workers: usize, job: Arc<dyn Job>) -> std::io::Result<Pool> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                woken: true,
                reopened: false,
                stopping: false,
                idle: 0,
                work: VecDeque::new(),
            }),
            claimer: Condvar::new(),
            workers: Condvar::new(),
        });
        let (claiming, claims) = (Arc::clone(&shared), Arc::clone(&job));
        let claimer = threads::start(format!("{name}-claim"), move || claim(&claiming, &*claims))?;
        let pool = Pool {
            name: name.to_owned(),
            job,
            shared,
            threads: Arc::new(Mutex::new(vec![claimer])),
        };
        pool.grow(workers)?;
        Ok(pool)
    }

    /// Starts more threads, so that there are `workers`. It has no fewer ever.
    ///
    /// # Errors
    /// When the system has no more; those that were started stay.
    pub fn grow(&self, workers: usize) -> std::io::Result<()> {
        let mut threads = self.threads();
        while threads.len() <= workers {
            let (shared, job) = (Arc::clone(&self.shared), Arc::clone(&self.job));
            let name = format!("{}-{}", self.name, threads.len());
            threads.push(super::threads::start(name, move || work(&shared, &*job))?);
            self.shared.state().idle += 1;
        }
        self.shared.claimer.notify_one();
        Ok(())
    }

    fn threads(&self) -> MutexGuard<'_, Vec<thread::JoinHandle<()>>> {
        lock(&self.threads)
    }

    /// What wakes this pool.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.shared))
    }

    /// What tells whether its threads are alive.
    pub fn pulse(&self) -> Pulse {
        Pulse {
            name: self.name.clone(),
            threads: Arc::clone(&self.threads),
        }
    }

    /// Claims nothing more; what is claimed already is still done.
    pub fn stop(&self) {
        let mut state = self.shared.state();
        state.stopping = true;
        self.shared.claimer.notify_all();
        self.shared.workers.notify_all();
    }

    /// Whether everything under way is through.
    pub fn is_done(&self) -> bool {
        self.threads().iter().all(thread::JoinHandle::is_finished)
    }
}

fn claim(shared: &Shared, job: &dyn Job) {
    let mut rest = Rest {
        until: Instant::now(),
        or: gateway::Rest::UntilAnything,
    };
    while let Some(room) = wait_for_room(shared, rest) {
        rest = match job.claim(room) {
            Ok(claimed) => {
                let all = claimed.work.len() == room;
                hand_out(shared, claimed.work);
                let wait = match claimed.next_due {
                    _ if all => Duration::ZERO,
                    Some(due) => until(due).min(LOOK_AGAIN),
                    None => LOOK_AGAIN,
                };
                Rest {
                    until: Instant::now() + wait,
                    or: claimed.rest,
                }
            }
            Err(error) => {
                log::error!("msg=\"jobs cannot be claimed\" error=\"{error}\"");
                Rest {
                    until: Instant::now() + STORE_FAILED,
                    or: gateway::Rest::UntilEnd,
                }
            }
        };
    }
}

/// How long there is nothing to claim.
#[derive(Clone, Copy)]
struct Rest {
    until: Instant,
    /// What may end it sooner.
    or: gateway::Rest,
}

impl Rest {
    fn is_over(self, state: &State) -> bool {
        let sooner = match self.or {
            gateway::Rest::UntilAnything => state.woken || state.reopened,
            gateway::Rest::UntilEnd => state.reopened,
            gateway::Rest::UntilDue => false,
        };
        sooner || Instant::now() >= self.until
    }
}

/// Waits until it is worth claiming and returns for how many workers; `None`
/// when the pool stops.
fn wait_for_room(shared: &Shared, rest: Rest) -> Option<usize> {
    let mut state = shared.state();
    loop {
        if state.stopping {
            return None;
        }
        if state.idle > 0 && rest.is_over(&state) {
            state.woken = false;
            state.reopened = false;
            return Some(state.idle);
        }
        let left = rest.until.saturating_duration_since(Instant::now());
        let limit = if left.is_zero() { LOOK_AGAIN } else { left };
        let waited = shared.claimer.wait_timeout(state, limit);
        (state, _) = waited.unwrap_or_else(|e| e.into_inner());
    }
}

fn until(due_ms: i64) -> Duration {
    let wait_ms = due_ms.saturating_sub(clock::now_ms());
    // Never quite zero: a due time that has passed while we looked is seen at
    // the next look, without spinning.
    Duration::from_millis(wait_ms.max(1) as u64)
}

fn hand_out(shared: &Shared, work: Vec<Work>) {
    if work.is_empty() {
        return;
    }
    let mut state = shared.state();
    state.idle -= work.len();
    for one in work {
        state.work.push_back(one);
        shared.workers.notify_one();
    }
}

fn work(shared: &Shared, job: &dyn Job) {
    loop {
        let next = {
            let mut state = shared.state();
            loop {
                match state.work.pop_front() {
                    Some(work) => break work,
                    None if state.stopping => return,
                    None => {
                        state = shared
                            .workers
                            .wait(state)
                            .unwrap_or_else(|e| e.into_inner())
                    }
                }
            }
        };
        let id = next.job();
        let mut give_up = || job.give_up(id);
        // A handler's panic is an outcome (see `Job::work` of each kind). What panics
        // here is ours: it would do so again, and its lane waits.
        match catch_unwind(AssertUnwindSafe(|| job.work(next))) {
            Ok(mut finish) => {
                if commit_until_done(shared, &mut finish) == Ended::Panicked {
                    commit_until_done(shared, &mut give_up);
                }
            }
            Err(_) => _ = commit_until_done(shared, &mut give_up),
        }
        let mut state = shared.state();
        state.idle += 1;
        state.reopened = true;
        shared.claimer.notify_one();
    }
}

/// An outcome that cannot be written (disk full) is kept and tried again: what
/// was done outside cannot be undone.
fn commit_until_done(shared: &Shared, finish: &mut dyn FnMut() -> Result<()>) -> Ended {
    loop {
        let error = match finish() {
            Ok(()) => return Ended::Stored,
            Err(StoreError::Panicked) => return Ended::Panicked,
            Err(error) => error,
        };
        log::error!("msg=\"an outcome cannot be stored; trying again\" error=\"{error}\"");
        if shared.state().stopping {
            return Ended::Stopped;
        }
        thread::sleep(STORE_FAILED);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(|e| e.into_inner())
}

/// What became of an outcome that was to be stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Stored,
    /// The service stops first: the next start takes the job up again.
    Stopped,
    /// It would panic again.
    Panicked,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Fetching;
    use std::sync::atomic::{AtomicI64, Ordering};

    const SPOILED: JobId = 7;

    /// There is one job, and we panic over it.
    struct Planted {
        at_work: bool,
        claimed: AtomicI64,
        given_up: Mutex<Vec<JobId>>,
    }

    impl Job for Planted {
        fn claim(&self, _room: usize) -> Result<Claimed> {
            let mut claimed = Claimed::default();
            if self.claimed.fetch_add(1, Ordering::SeqCst) == 0 {
                claimed.work.push(Work::Fetch(Fetching {
                    job: SPOILED,
                    attempt: 1,
                    media: 1,
                    media_id: "1".into(),
                    number: "1".into(),
                    mime_type: None,
                    sha256: None,
                }));
            }
            Ok(claimed)
        }

        fn work(&self, _work: Work) -> Box<dyn FnMut() -> Result<()> + '_> {
            match self.at_work {
                true => panic!("planted"),
                false => Box::new(|| Err(StoreError::Panicked)),
            }
        }

        fn give_up(&self, job: JobId) -> Result<()> {
            self.given_up.lock().unwrap().push(job);
            Ok(())
        }
    }

    /// Its worker tried for ever to store what came of it, or its lane waited for a restart.
    #[test]
    fn a_job_that_we_panic_over_is_given_up_once_and_its_worker_goes_on() {
        for at_work in [true, false] {
            let job = Arc::new(Planted {
                at_work,
                claimed: AtomicI64::new(0),
                given_up: Mutex::default(),
            });
            let pool = Pool::start("planted", 1, Arc::clone(&job) as Arc<dyn Job>).unwrap();
            // The end of a job has more claimed at once.
            while job.claimed.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
            pool.stop();
            while !pool.is_done() {
                thread::yield_now();
            }
            assert_eq!(
                *job.given_up.lock().unwrap(),
                [SPOILED],
                "at work: {at_work}"
            );
        }
    }
}
