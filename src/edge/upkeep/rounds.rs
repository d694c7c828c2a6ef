//! What the service does by itself: a round every ten minutes, and once a day
//! what takes longer.

use super::{Inside, Passed, Upkeep};
use crate::edge::clock;
use crate::edge::live::Live;
use crate::edge::threads;
use crate::policy::upkeep as policy;
use crate::store::{Committer, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A start has more important things to do.
const FIRST: Duration = Duration::from_secs(5);

/// Rounds between two of those that also look through all digests and files.
const ROUNDS_A_DAY: u32 = (24 * 3_600 / policy::ROUND_EVERY.as_secs()) as u32;

/// The thread that does it.
pub struct Rounds {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rounds {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(live: Live, committer: Committer) -> std::io::Result<Rounds> {
        let config = &live.now().config;
        let steps = Inside::new(committer, &config.database);
        let stopping = Arc::clone(&steps.stopping);
        let media = config.media.as_ref().map(|media| media.folder.as_path());
        let upkeep = Upkeep::new(steps, media);
        let thread = thread::Builder::new()
            .name("upkeep".into())
            .spawn(move || rounds(&live, upkeep))?;
        Ok(Rounds {
            stopping,
            thread: Some(thread),
        })
    }

    /// Ends it, after the step that is under way.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic: it only asks the store.
            let _ = thread.join();
        }
    }
}

fn rounds(live: &Live, mut upkeep: Upkeep<Inside>) {
    let stopping = Arc::clone(&upkeep.steps.stopping);
    let wait = |for_: Duration| {
        let until = clock::monotonic_us() + for_.as_micros() as i64;
        while !stopping.load(Ordering::SeqCst) {
            let left = u64::try_from(until - clock::monotonic_us()).unwrap_or(0);
            if left == 0 {
                return true;
            }
            thread::park_timeout(Duration::from_micros(left));
        }
        false
    };
    let (mut number, mut every) = (0, FIRST);
    while wait(every) {
        every = policy::ROUND_EVERY;
        let retention_ms = live.now().config.retention_ms;
        match threads::round("upkeep", || round(&mut upkeep, retention_ms, number)) {
            Some(Ok(passed)) => tell(&passed),
            // Whoever has work for the store says what is wrong with it.
            Some(Err(error)) => {
                log::warn!("msg=\"upkeep was broken off; trying again later\" error=\"{error}\"");
            }
            None => {}
        }
        number = (number + 1) % ROUNDS_A_DAY;
    }
}

fn round(upkeep: &mut Upkeep<Inside>, retention_ms: Option<i64>, number: u32) -> Result<Passed> {
    let now = upkeep.believed_now()?;
    upkeep.give_up_files(now)?;
    let mut passed = match retention_ms {
        Some(age) => upkeep.prune(now - age)?,
        None => Passed::default(),
    };
    upkeep.sweep_keys(now)?;
    if number == 0 {
        upkeep.sweep_digests(now)?;
        passed.files += upkeep.sweep_folder()?;
    }
    upkeep.give_back()?;
    Ok(passed)
}

fn tell(passed: &Passed) {
    let Passed {
        events,
        messages,
        files,
        kept,
    } = passed;
    if events + messages + files > 0 {
        log::info!(
            "msg=\"what was older than RETENTION_DAYS is gone\" events={events} messages={messages} files={files} kept={kept}"
        );
    }
}
