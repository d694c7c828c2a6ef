//! Fetching customers' files: looks a file up, downloads it into MEDIA_DIR, and
//! says what came of it. Never retries: the queue does.
//!
//! * [`folder`]: the files on disk, whole ones and those that are being written

pub mod folder;

use super::clock;
use super::dispatch::{Job, claim_from, give_up_spoiled};
use super::graph::{Answered, Call, Graph, Payload, Target};
use super::live::Live;
use super::log::Few;
use super::metrics::Metrics;
use crate::config::Secret;
use crate::gateway::{Claimed, Fetching, Work};
use crate::policy::fetch::{self, Fetch, Stored};
use crate::store::rows::{JobId, QueueKind};
use crate::store::{Committer, Result as StoreResult};
use crate::wire::media::{Described, Digest, hosts, types};
use crate::wire::retry_after;
use folder::{Folder, Unwritten};
use std::borrow::Cow;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Files that are fetched at once. Few: they share the line and the disk with
/// what matters more.
pub const WORKERS: usize = 4;

/// A look-up is a small call.
const LOOK_UP: Duration = Duration::from_secs(30);

/// A whole download, however slowly it trickles: 100 MB in this time need
/// 4 Mbit/s. Its address lives for 5 minutes.
const DOWNLOAD: Duration = Duration::from_secs(240);

/// Redirects that are followed, each to a host of Meta's.
const REDIRECTS_MAX: usize = 3;

/// Graph's answer to a look-up is some hundred bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 16;

/// What is read and written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The jobs that fetch files.
pub struct Fetches {
    /// What is in force.
    pub live: Live,
    /// Where outcomes are committed.
    pub committer: Committer,
    /// MEDIA_DIR.
    pub folder: Arc<Folder>,
    /// The longest file that is fetched.
    pub bytes_max: u64,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How often failures are told.
    pub lines: Few,
}

impl Job for Fetches {
    fn give_up(&self, job: JobId) -> StoreResult<()> {
        give_up_spoiled(&self.live, &self.committer, job)
    }

    fn claim(&self, room: usize) -> StoreResult<Claimed> {
        claim_from(&self.live, &self.committer, QueueKind::Fetch, room)
    }

    fn work(&self, work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
        let Work::Fetch(fetching) = work else {
            unreachable!("the fetch queues hold fetches");
        };
        let live = self.live.now();
        let token = live.config.tokens.of(&fetching.number);
        let fetched = catch_unwind(AssertUnwindSafe(|| {
            self.fetch(&live.graph, &live.config.graph_url, token, &fetching)
        }));
        let outcome = match fetched {
            Ok(Ok(stored)) => Fetch::Fetched(stored),
            Ok(Err(outcome)) => outcome,
            Err(_) => Fetch::down("the fetch panicked"),
        };
        self.metrics.fetched(outcome.reason().is_none());
        self.tell(&fetching, &outcome);
        let (job, attempt) = (fetching.job, fetching.attempt);
        Box::new(move || {
            let (gateway, outcome) = (Arc::clone(&self.live.now().gateway), outcome.clone());
            let (folder, luck) = (Arc::clone(&self.folder), clock::luck());
            self.committer.commit(move |tx| {
                let outcome = still_there(&folder, &outcome);
                gateway.finish_fetch(tx, clock::now_ms(), job, attempt, &outcome, luck)
            })
        })
    }
}

impl Fetches {
    /// One attempt: an address, then what is there.
    fn fetch(
        &self,
        graph: &Graph,
        graph_url: &str,
        token: Option<&Secret>,
        fetching: &Fetching,
    ) -> Result<Stored, Fetch> {
        let token = token.ok_or_else(|| Fetch::down("no token is set for this number"))?;
        let described = look_up(graph, token, &fetching.media_id)?;
        if let Some(bytes) = described.bytes.filter(|bytes| *bytes > self.bytes_max) {
            return Err(Fetch::TooLarge { bytes });
        }
        let answered = download(graph, graph_url, token, &described.url)?;
        if let Some(bytes) = answered.length.filter(|bytes| *bytes > self.bytes_max) {
            return Err(Fetch::TooLarge { bytes });
        }
        self.keep(answered, fetching, described)
    }

    /// Writes what comes aside, and gives it its name when it is whole and what
    /// Meta announced.
    fn keep(
        &self,
        mut answered: Answered,
        fetching: &Fetching,
        described: Described,
    ) -> Result<Stored, Fetch> {
        let mut partial = self.folder.begin(fetching.media).map_err(unwritten)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = answered.body.read(&mut piece);
            match read
                .map_err(|error| Fetch::down(format!("the download broke off: {}", error.kind())))?
            {
                0 => break,
                read => partial.write(&piece[..read]).map_err(unwritten)?,
            }
            if partial.bytes() > self.bytes_max {
                let bytes = partial.bytes();
                return Err(Fetch::TooLarge { bytes });
            }
        }
        let short = |length: u64| partial.bytes() < length;
        if described.bytes.or(answered.length).is_some_and(short) {
            return Err(Fetch::down("the download ended early"));
        }
        let sha256 = partial.digest();
        if !is_announced(&sha256, [described.sha256, fetching.sha256]) {
            return Err(Fetch::WrongDigest);
        }
        let mime_type = described.mime_type.or_else(|| fetching.mime_type.clone());
        let file = types::stored_name(&sha256, mime_type.as_deref());
        let bytes = partial.bytes();
        partial.keep(&file).map_err(unwritten)?;
        Ok(Stored {
            file,
            bytes,
            sha256,
            mime_type,
        })
    }

    fn tell(&self, fetching: &Fetching, outcome: &Fetch) {
        let (media, attempt) = (fetching.media, fetching.attempt);
        let Some(reason) = outcome.reason() else {
            log::debug!("msg=\"file fetched\" media={media} attempt={attempt}");
            return;
        };
        if let Some(held_back) = self.lines.pass(clock::now_ms()) {
            log::warn!(
                "msg=\"file not fetched\" media={media} attempt={attempt} reason=\"{reason}\"{held_back}"
            );
        }
    }
}

/// Another with the same content may have been removed since the file came
/// (edge::upkeep): asked within the commit, the answer holds.
fn still_there<'o>(folder: &Folder, outcome: &'o Fetch) -> Cow<'o, Fetch> {
    match outcome {
        Fetch::Fetched(stored) if !folder.has(&stored.file) => Cow::Owned(Fetch::Later {
            reason: "the file was removed with another of the same content".into(),
            wait: None,
            down: false,
        }),
        _ => Cow::Borrowed(outcome),
    }
}

/// Meta announces a digest in the event and another time in the look-up. What
/// has one of them came whole: no damage has that digest by accident. Where
/// none was announced there is nothing to compare.
fn is_announced(found: &Digest, announced: [Option<Digest>; 2]) -> bool {
    let mut announced = announced.into_iter().flatten().peekable();
    announced.peek().is_none() || announced.any(|digest| digest == *found)
}

fn look_up(graph: &Graph, token: &Secret, media_id: &str) -> Result<Described, Fetch> {
    let answered = graph.call(Call {
        method: "GET",
        target: Target::Path(media_id),
        token,
        headers: &[],
        body: Payload::Nothing,
        within: LOOK_UP,
    });
    let answered = answered.map_err(|unanswered| fetch::unanswered(&unanswered.reason))?;
    let (status, wait) = (answered.status, retry_after(&answered));
    let mut body = Vec::new();
    let read = answered.body.take(ANSWER_BYTES_MAX).read_to_end(&mut body);
    read.map_err(|_| fetch::unanswered("the answer broke off"))?;
    fetch::looked_up(status, wait, &body)
}

/// The answer that brings a file, from Meta's hosts only: each gets our token.
fn download(graph: &Graph, graph_url: &str, token: &Secret, url: &str) -> Result<Answered, Fetch> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        if !hosts::is_metas(&url, graph_url) {
            return Err(Fetch::Elsewhere);
        }
        let answered = graph.call(Call {
            method: "GET",
            target: Target::Url(&url),
            token,
            headers: &[],
            body: Payload::Nothing,
            within: DOWNLOAD,
        });
        let answered = answered.map_err(|unanswered| fetch::unanswered(&unanswered.reason))?;
        match (answered.status, answered.header("location")) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => url = location.to_owned(),
            (status, _) => {
                fetch::downloads(status, retry_after(&answered))?;
                return Ok(answered);
            }
        }
    }
    Err(Fetch::Elsewhere)
}

fn retry_after(answered: &Answered) -> Option<Duration> {
    retry_after::read(answered.header("retry-after")?, clock::now_ms())
}

/// A disk that is full or broken is everybody's trouble, and none of the file's.
fn unwritten(unwritten: Unwritten) -> Fetch {
    Fetch::down(unwritten.to_string())
}
