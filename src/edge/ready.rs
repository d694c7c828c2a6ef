//! Whether the service can do its work now: each part is tried, and what fails is named.

use super::clock;
use super::dispatch::Pulse;
use super::http::server::HttpServer;
use super::metrics::figures::free_bytes;
use crate::store::{Committer, Refused, Result as StoreResult, Step, Tx};
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A commit that takes longer is none that anybody waits for: Meta gives up sooner.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);

/// Less room than this is soon used up: the database's log alone may take 64 MB.
const FREE_BYTES_MIN: u64 = 100 << 20;

/// A report is good for so long: each is a write to the disk, and anybody on this machine may
/// ask.
const GOOD_FOR_US: i64 = 1_000_000;

/// What is tried.
pub struct Ready {
    /// The store.
    pub committer: Committer,
    /// Files and folders whose disks must have room.
    pub on_disk: Vec<PathBuf>,
    /// Those who do the work.
    pub pools: Vec<Pulse>,
    /// The webhook's listener.
    pub listener: Arc<HttpServer>,
    /// What came of it last.
    pub last: Last,
}

/// The last report.
#[derive(Debug, Default)]
pub struct Last {
    /// And until when it is good.
    report: Mutex<Option<(Report, i64)>>,
    /// Held by whoever makes the next one.
    making: Mutex<()>,
}

/// What came of it, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Vec<(&'static str, Result<(), String>)>);

impl Report {
    /// Whether all is well.
    pub fn is_well(&self) -> bool {
        self.0.iter().all(|(_, found)| found.is_ok())
    }

    /// The parts that are not, separated by commas.
    pub fn failed(&self) -> String {
        let failed = self.0.iter().filter(|(_, found)| found.is_err());
        failed.map(|(part, _)| *part).collect::<Vec<_>>().join(",")
    }
}

/// A line for each part.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(part, found)| match found {
            Ok(()) => writeln!(f, "{part}: ok"),
            Err(why) => writeln!(f, "{part}: failed: {why}"),
        })
    }
}

impl Ready {
    /// Tries all of it, unless that was done a moment ago. Whoever asks meanwhile gets the same
    /// report.
    pub fn report(&self) -> Report {
        let making = &self.last.making;
        let _making = making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = self.fresh() {
            return report;
        }
        let report = Report(vec![
            ("store", self.store()),
            ("disk", self.disk()),
            ("workers", alive(&self.pools)),
            ("listener", self.listener()),
        ]);
        *self.last() = Some((report.clone(), clock::monotonic_us() + GOOD_FOR_US));
        report
    }

    /// A report that was made a moment ago, if there is one.
    pub fn fresh(&self) -> Option<Report> {
        let now_us = clock::monotonic_us();
        let last = self.last();
        let fresh = last.as_ref().filter(|(_, until_us)| now_us < *until_us);
        fresh.map(|(report, _)| report.clone())
    }

    /// The last report, however old it is.
    pub fn latest(&self) -> Option<Report> {
        self.last().as_ref().map(|(report, _)| report.clone())
    }

    fn last(&self) -> MutexGuard<'_, Option<(Report, i64)>> {
        let last = &self.last.report;
        last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something can be written for good.
    fn store(&self) -> Result<(), String> {
        let (told, outcome) = sync_channel(1);
        let refused = self.committer.submit(Box::new(Try { told }));
        refused.map_err(|(refused, _)| match refused {
            Refused::Overloaded => "too much waits for it already".to_owned(),
            Refused::Stopped => "it has stopped".to_owned(),
        })?;
        match outcome.recv_timeout(COMMIT_WITHIN) {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("no commit in {} s", COMMIT_WITHIN.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("it has stopped".to_owned()),
        }
    }

    fn disk(&self) -> Result<(), String> {
        for path in &self.on_disk {
            let shown = path.display();
            let free = free_bytes(path).ok_or_else(|| format!("{shown} is not there"))?;
            enough(free).map_err(|left| format!("{left} at {shown}: free some space"))?;
        }
        Ok(())
    }

    fn listener(&self) -> Result<(), String> {
        let probed = self.listener.probe();
        probed.map_err(|error| format!("the webhook does not answer: {error}"))
    }
}

fn alive(pools: &[Pulse]) -> Result<(), String> {
    let lost = pools.iter().find(|pool| pool.ended() > 0);
    lost.map_or(Ok(()), |pool| {
        let (ended, name) = (pool.ended(), pool.name());
        Err(format!(
            "{ended} threads of `{name}` have ended: restart the service"
        ))
    })
}

fn enough(free_bytes: u64) -> Result<(), String> {
    match free_bytes >= FREE_BYTES_MIN {
        true => Ok(()),
        false => Err(format!("{} MB are left", free_bytes >> 20)),
    }
}

/// A commit that says whether it came about.
struct Try {
    told: SyncSender<StoreResult<()>>,
}

impl Step for Try {
    fn run(&mut self, tx: &Tx<'_>) -> StoreResult<()> {
        tx.note_ready(clock::now_ms())
    }

    fn done(self: Box<Self>, outcome: StoreResult<()>) {
        // Nobody waits any more when it took too long.
        let _ = self.told.try_send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::dispatch::{Job, Pool};
    use crate::gateway::{Claimed, Work};
    use crate::store::rows::JobId;

    struct Nothing;

    impl Job for Nothing {
        fn claim(&self, _room: usize) -> StoreResult<Claimed> {
            Ok(Claimed::default())
        }

        fn work(&self, _work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
            Box::new(|| Ok(()))
        }

        fn give_up(&self, _job: JobId) -> StoreResult<()> {
            Ok(())
        }
    }

    #[test]
    fn threads_that_have_ended_are_told() {
        let pool = Pool::start("deliver", 2, Arc::new(Nothing)).unwrap();
        let pulses = [pool.pulse()];
        assert_eq!(alive(&pulses), Ok(()));
        pool.stop();
        while !pool.is_done() {
            std::thread::yield_now();
        }
        let found = alive(&pulses).unwrap_err();
        assert!(
            found.starts_with("3 threads of `deliver` have ended"),
            "{found}"
        );
    }

    #[test]
    fn a_report_names_what_fails() {
        let well = Report(vec![("store", Ok(())), ("disk", Ok(()))]);
        assert!(well.is_well());
        assert_eq!(well.to_string(), "store: ok\ndisk: ok\n");
        let ill = Report(vec![
            ("store", Err("the disk is full".into())),
            ("disk", enough(5 << 20)),
            ("workers", Ok(())),
        ]);
        assert!(!ill.is_well());
        assert_eq!(ill.failed(), "store,disk");
        assert_eq!(
            ill.to_string(),
            "store: failed: the disk is full\ndisk: failed: 5 MB are left\nworkers: ok\n"
        );
        assert_eq!(enough(FREE_BYTES_MIN), Ok(()));
    }
}
