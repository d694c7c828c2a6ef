//! Looks now and then for what needs a person, says it, and tells ALERT_URL. One
//! thread, beside everything else: what it looks at is read beside the thread
//! that commits, and nothing is written while nothing changes.

mod post;

use super::clock;
use super::doctor::{NUMBERS_MAX, number_state, token_ends};
use super::live::{InForce, Live};
use super::log::Few;
use super::threads;
use crate::config::{Config, Secret};
use crate::gateway::alarms::{self, View};
use crate::gateway::known;
use crate::gateway::standing;
use crate::policy::alarm::{Alarm, Cause, Change};
use crate::store::{Committer, Reader, Result};
use crate::wire::setup::{self, Number};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it looks. A person does not act within seconds, but is glad to see
/// soon that a mend helped.
const LOOK: Duration = Duration::from_secs(3);

/// How often Graph is asked when tokens end and how numbers are: both change in
/// days.
const GRAPH_EVERY_US: i64 = 12 * 3_600 * 1_000_000;

/// The first time some while after the start, which has enough to do; after a
/// reload at once, since that is how a token is exchanged.
const GRAPH_FIRST_US: i64 = 60 * 1_000_000;

/// With a Graph that hangs it asks no longer than this: alarms wait meanwhile.
const GRAPH_WITHIN_US: i64 = 30 * 1_000_000;

/// Alerts told in one go, before it is looked again.
const ALERTS_MAX: usize = 20;

/// The running thread.
pub struct Alarms {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Alarms {
    /// Starts looking.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(live: Live, committer: Committer) -> std::io::Result<Alarms> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut watch = Watch {
            reader: Reader::of(live.now().config.database.clone()),
            by: Arc::downgrade(&live.now()),
            graph_at_us: clock::monotonic_us() + GRAPH_FIRST_US,
            live,
            committer,
            lines: Few::default(),
            stopping: Arc::clone(&stopping),
        };
        let thread = thread::Builder::new()
            .name("alarms".into())
            .spawn(move || {
                while !watch.stopping.load(Ordering::SeqCst) {
                    threads::round("alarms", || watch.round());
                    thread::park_timeout(LOOK);
                }
            })?;
        Ok(Alarms { stopping, thread })
    }

    /// It looks no more. An alert that is being told may still arrive, and then
    /// arrives again after the next start, under the same id.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
    }
}

struct Watch {
    live: Live,
    committer: Committer,
    reader: Reader,
    /// By which settings Graph was asked last.
    by: Weak<InForce>,
    /// When it is asked again.
    graph_at_us: i64,
    lines: Few,
    stopping: Arc<AtomicBool>,
}

impl Watch {
    fn round(&mut self) {
        let live = self.live.now();
        if self.graph_is_due(&live) {
            let noted = self.ask_graph(&live);
            self.said_if_failed(
                "what Graph tells of tokens and numbers cannot be noted",
                noted,
            );
        }
        let looked = self.look(&live.config);
        self.said_if_failed("alarms cannot be looked for", looked);
        let told = self.tell(&live.config);
        self.said_if_failed("alerts cannot be looked up", told);
    }

    fn said_if_failed(&self, what: &str, outcome: Result<()>) {
        // The store ends before this thread does.
        if let Err(error) = outcome
            && !self.stopping.load(Ordering::SeqCst)
            && let Some(held_back) = self.lines.pass(clock::now_ms())
        {
            log::warn!("msg=\"{what}\" error=\"{error}\"{held_back}");
        }
    }

    fn look(&self, config: &Config) -> Result<()> {
        let (now, view) = (clock::now_ms(), view(config));
        if !self.reader.read(|tx| alarms::is_due(tx, now, &view))? {
            return Ok(());
        }
        let changes = self
            .committer
            .commit(move |tx| alarms::look(tx, now, &view))?;
        changes.iter().for_each(say);
        Ok(())
    }

    /// Tells what is due, one after the other: what comes later is not told first.
    fn tell(&self, config: &Config) -> Result<()> {
        for _ in 0..ALERTS_MAX {
            let now = clock::now_ms();
            let next =
                |tx: &crate::store::Tx<'_>| Ok((alarms::next_alert(tx, now)?, tx.instance()?));
            let (Some(alert), instance) = self.reader.read(next)? else {
                return Ok(());
            };
            let Some(url) = &config.alarms.url else {
                return self.committer.commit(alarms::forget_alerts);
            };
            let outcome = post::tell(url, &config.alarms, &alert, &instance);
            let heard = outcome.is_ok();
            let given_up = self.committer.commit(move |tx| {
                alarms::alert_told(tx, clock::now_ms(), &alert, heard, clock::luck())
            })?;
            if let Err(reason) = outcome {
                let what = match given_up {
                    true => "an alert is given up: ALERT_URL has not taken it for days",
                    false => "ALERT_URL has not taken an alert; trying again later",
                };
                if let Some(held_back) = self.lines.pass(clock::now_ms()) {
                    log::warn!("msg=\"{what}\" reason=\"{reason}\"{held_back}");
                }
                return Ok(());
            }
        }
        Ok(())
    }

    fn graph_is_due(&self, live: &Arc<InForce>) -> bool {
        let same = std::ptr::eq(self.by.as_ptr(), Arc::as_ptr(live));
        !same || clock::monotonic_us() >= self.graph_at_us
    }

    /// Asks Graph when the tokens end and how the numbers are. What it does not tell
    /// stays as it is known: a token that does not do any more halts sending by
    /// itself.
    fn ask_graph(&mut self, live: &Arc<InForce>) -> Result<()> {
        self.by = Arc::downgrade(live);
        self.graph_at_us = clock::monotonic_us() + GRAPH_EVERY_US;
        let until_us = clock::monotonic_us() + GRAPH_WITHIN_US;
        let all: Vec<(String, &Secret)> = live.config.tokens.by_setting().collect();
        let ends: Vec<(String, Option<i64>)> = all
            .iter()
            .take_while(|_| self.goes_on(until_us))
            .filter_map(|(setting, token)| {
                let ends_s = token_ends(&live.graph, token)?;
                Some((setting.clone(), ends_s.map(|s| s.saturating_mul(1_000))))
            })
            .collect();
        let settings: Vec<String> = all.into_iter().map(|(setting, _)| setting).collect();
        let told = self.numbers(live, until_us)?;
        self.committer.commit(move |tx| {
            alarms::note_numbers(tx, clock::now_ms(), &told)?;
            standing::note_asked(tx, clock::now_ms(), &told)?;
            alarms::note_tokens(tx, &settings, &ends)
        })
    }

    fn goes_on(&self, until_us: i64) -> bool {
        clock::monotonic_us() < until_us && !self.stopping.load(Ordering::SeqCst)
    }

    fn numbers(&self, live: &InForce, until_us: i64) -> Result<Vec<(String, Number)>> {
        let known = self.reader.read(known::known)?.numbers.into_iter();
        let ids = known.map(|(id, _)| id).filter(|id| setup::is_id(id));
        let ids = ids.take(NUMBERS_MAX);
        let told = ids.take_while(|_| self.goes_on(until_us)).filter_map(|id| {
            let token = live.config.tokens.of(&id)?;
            let told = number_state(&live.graph, token, &id)?;
            Some((id, told))
        });
        Ok(told.collect())
    }
}

fn view(config: &Config) -> View {
    let database = config.database.parent().unwrap_or(Path::new("."));
    let folders = [
        Some(database),
        config.media.as_ref().map(|own| own.folder.as_path()),
    ];
    View {
        limits: config.alarms.limits,
        disks: disks(folders.into_iter().flatten()),
        alerts: config.alarms.url.is_some(),
    }
}

/// The disks of these folders: one of them, free bytes, all bytes. Two folders on
/// one disk are one matter; two disks are two, also when they are of one size.
fn disks<'f>(folders: impl Iterator<Item = &'f Path>) -> Vec<(String, u64, u64)> {
    let (mut disks, mut known) = (Vec::new(), Vec::new());
    for folder in folders {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let (Ok(disk), Ok(about)) = (rustix::fs::statvfs(folder), folder.metadata()) else {
            continue;
        };
        if !known.contains(&about.dev()) {
            known.push(about.dev());
            let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            let shown = folder.display().to_string();
            disks.push((shown, bytes(disk.f_bavail), bytes(disk.f_blocks)));
        }
    }
    disks
}

fn say(change: &Change) {
    match change {
        Change::Raise(cause) => log::error!("msg=\"{}\" {}", plain(&cause.says), fields(cause)),
        Change::Over(Alarm { cause, .. }) => {
            log::info!("msg=\"over: {}\" {}", plain(&cause.says), fields(cause));
        }
        Change::Gone(_) | Change::Back(_) | Change::Alert(_) => {}
    }
}

/// What an alarm's lines name it by. A phone number is not shown, also if it is
/// the business's own; `wabridge status` has it.
fn fields(cause: &Cause) -> String {
    let kind = cause.kind.as_str();
    let subject = match cause.subject.is_empty() || cause.kind.is_private() {
        true => String::new(),
        false => format!(" subject=\"{}\"", plain(&cause.subject)),
    };
    format!("alarm={kind}{subject} mend=\"{}\"", plain(&cause.mend))
}

fn plain(text: &str) -> String {
    text.replace('"', "'").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_disks_of_one_size_are_two() {
        let named = |folders: &[&str]| -> Vec<String> {
            let disks = disks(folders.iter().map(|folder| Path::new(*folder)));
            disks.into_iter().map(|(folder, ..)| folder).collect()
        };
        // Both have no blocks at all.
        assert_eq!(named(&["/proc", "/sys"]), ["/proc", "/sys"]);
        assert_eq!(named(&["/proc", "/proc/sys"]), ["/proc"]);
        assert_eq!(named(&["/nowhere", ""]), ["."]);
    }
}
