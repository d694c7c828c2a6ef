//! The service's pools of threads: those that hand events over, send, and fetch files.

use super::jobs::{Deliver, Sends};
use super::{Shared, StartError, threads};
use crate::config::{self, Config};
use crate::edge::dispatch::Pool;
use crate::edge::gate::Gate;
use crate::edge::live::InForce;
use crate::edge::log::Few;
use crate::edge::media::folder::Folder;
use crate::edge::media::{self, Fetches};
use std::sync::Arc;

/// All pools.
pub(super) struct Pools {
    pub deliver: Pool,
    pub send: Pool,
    /// If customers' files are kept.
    pub fetch: Option<Pool>,
}

impl Pools {
    /// Starts their threads; `folder` is where files are kept, if they are.
    pub fn start(
        shared: &Shared,
        config: &Config,
        folder: Option<Arc<Folder>>,
    ) -> Result<Pools, StartError> {
        let (live, committer, metrics) = (&shared.live, &shared.committer, &shared.metrics);
        let sends = Sends {
            live: live.clone(),
            gate: Gate::default(),
            committer: committer.clone(),
            room: shared.room.clone(),
            metrics: Arc::clone(metrics),
            lines: Default::default(),
        };
        let send = threads(Pool::start(
            "send",
            config.send_concurrency,
            Arc::new(sends),
        ))?;
        let sender = send.waker();
        let deliveries = Deliver {
            live: live.clone(),
            committer: committer.clone(),
            replies_queued: Box::new(move || sender.wake()),
            metrics: Arc::clone(metrics),
            lines: Arc::default(),
        };
        let workers = InForce::deliveries_max(config);
        let deliver = threads(Pool::start("deliver", workers, Arc::new(deliveries)))?;
        let fetch = match config.media.as_ref().zip(folder) {
            Some((media, folder)) => {
                let fetches = Fetches {
                    live: live.clone(),
                    committer: committer.clone(),
                    folder,
                    bytes_max: media.bytes_max,
                    metrics: Arc::clone(metrics),
                    lines: Few::default(),
                };
                let pool = Pool::start("fetch", media::WORKERS, Arc::new(fetches));
                Some(threads(pool)?)
            }
            None => None,
        };
        Ok(Pools {
            deliver,
            send,
            fetch,
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        [&self.deliver, &self.send].into_iter().chain(&self.fetch)
    }

    pub fn are_done(&self) -> bool {
        self.iter().all(Pool::is_done)
    }
}

/// MEDIA_DIR, ready to be written to.
pub(super) fn open_folder(media: &config::Media) -> Result<Arc<Folder>, StartError> {
    let opened = Folder::open(&media.folder).map(Arc::new);
    opened.map_err(|source| StartError::Folder {
        path: media.folder.display().to_string(),
        source,
    })
}
