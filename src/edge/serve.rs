//! The service: opens the store, starts the threads, goes on by other settings,
//! and stops in order.
//!
//! * `error`: why it does not start
//! * `listeners`: where it is reached, and what is served there
//! * `pools`: threads for what is queued; `jobs`: what they do
//! * `watchdog`: whether the listeners still answer
//! * `signals`: what ends the service, or has it read its settings again

mod error;
mod jobs;
mod listeners;
mod pools;
mod signals;
mod watchdog;

pub use error::StartError;
pub use signals::{listen_for_signals, run_until_signal};

use super::alarms::Alarms;
use super::clock;
use super::dispatch::Pool;
use super::graph::{Graph, RootsError};
use super::http::relay::RELAYS;
use super::http::respond::Responder;
use super::http::server::HttpServer;
use super::live::{InForce, Live};
use super::log as log_lines;
use super::metrics::{Commits, Metrics};
use super::upkeep::rounds::Rounds;
use super::waiting::WaitingRoom;
use crate::config::{Config, Listen};
use crate::gateway::Gateway;
use crate::handler::Handler;
use crate::store::{Access, Committer, Database};
use listeners::{OperatorSide, Sockets};
use pools::Pools;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long jobs that are under way may take to end after a stop. Whatever is
/// still open then is taken up at the next start.
const DRAIN: Duration = Duration::from_secs(3);

/// How long handlers that are told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the parts of a running service share.
struct Shared {
    live: Live,
    committer: Committer,
    responder: Responder,
    room: WaitingRoom,
    metrics: Arc<Metrics>,
}

/// A running service.
pub struct Running {
    shared: Shared,
    /// What was in force before a reload, while jobs still go by it.
    retired: Mutex<Vec<Weak<InForce>>>,
    store_thread: JoinHandle<()>,
    http: Arc<HttpServer>,
    operator: Option<OperatorSide>,
    pools: Pools,
    rounds: Rounds,
    stopping: Arc<AtomicBool>,
    watchdog: JoinHandle<()>,
    alarms: Alarms,
    address: Listen,
}

impl Running {
    /// Starts the service. `handlers` are asked in turn for each event.
    ///
    /// # Errors
    /// When the database, an address or MEDIA_DIR cannot be used, Graph cannot be
    /// called with these certificates, or threads cannot be started.
    pub fn start(config: &Config, handlers: Vec<Box<dyn Handler>>) -> Result<Running, StartError> {
        raise_descriptor_limit();
        let mut database = Database::open(&config.database, Access::Serve)?;
        // First: nothing is taken up by a process that cannot serve.
        let metrics = Arc::new(Metrics::default());
        let graph = client(config, &metrics).map_err(StartError::Roots)?;
        let sockets = Sockets::open(config)?;
        let folder = config.media.as_ref().map(pools::open_folder).transpose()?;

        let gateway = open_queue(&mut database, config, &handlers)?;
        let commits = Commits::new(Arc::clone(&metrics));
        let (committer, store_thread) = threads(Committer::start(database, commits))?;
        let store_thread = threads(super::threads::watch(store_thread))?;
        let shared = Shared {
            live: Live::new(InForce {
                observers: InForce::observers(config),
                config: config.clone(),
                gateway: Arc::new(gateway),
                handlers,
                graph,
            }),
            committer,
            responder: threads(Responder::start())?,
            room: threads(WaitingRoom::start())?,
            metrics,
        };
        let pools = Pools::start(&shared, config, folder)?;
        let address = sockets.address(config);
        let (http, operator) = sockets.serve_webhook(&shared, &pools)?;
        let operator = operator.map(|socket| OperatorSide::start(socket, &shared, &pools, &http));
        let operator = operator.transpose()?;

        let (live, committer) = (&shared.live, &shared.committer);
        let rounds = threads(Rounds::start(live.clone(), committer.clone()))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let operators = operator.iter().map(|operator| &operator.http);
        let listeners = [&http].into_iter().chain(operators).cloned().collect();
        let watchdog = threads(watchdog::start(listeners, Arc::clone(&stopping)))?;
        let alarms = threads(Alarms::start(live.clone(), committer.clone()))?;
        Ok(Running {
            shared,
            retired: Mutex::default(),
            store_thread,
            http,
            operator,
            pools,
            rounds,
            stopping,
            watchdog,
            alarms,
            address,
        })
    }

    /// Where the webhook is reached.
    pub fn address(&self) -> &Listen {
        &self.address
    }

    /// Where the API and the console are reached, when there is either.
    pub fn operator_address(&self) -> Option<Listen> {
        let operator = self.operator.as_ref();
        operator.and_then(|operator| operator.http.address().ok())
    }

    /// Goes on by other settings, as one whole: what is under way ends by the
    /// old ones, what comes next goes by the new ones. Addresses and the database
    /// stay as they are, and so do the numbers of threads, except that new
    /// observers bring their own.
    ///
    /// # Errors
    /// When Graph cannot be called with these certificates, or the store cannot
    /// be written; then nothing has changed.
    pub fn reload(
        &self,
        config: Config,
        handlers: Vec<Box<dyn Handler>>,
    ) -> Result<(), StartError> {
        let graph = client(&config, &self.shared.metrics).map_err(StartError::Roots)?;
        log_lines::set_levels(config.log_levels.clone());
        if config.operator.is_some() && self.operator.is_none() {
            log::warn!(
                "msg=\"none of API_KEY, CONSOLE_PASSWORD_HASH and METRICS_KEY was set at the start: what they open is served from the next restart on\""
            );
        }
        let (wants, ears) = (InForce::wants(&handlers), InForce::ears(&handlers));
        let (limits, tokens) = (config.limits.clone(), config.tokens.clone());
        let gateway = self.shared.committer.commit(move |tx| {
            let gateway = Gateway::open(tx, limits.clone(), wants, &tokens)?;
            let gateway = gateway.with_ears(ears.clone());
            gateway.note_consumers(tx)?;
            Ok(gateway)
        })?;
        // More than there were: what a removed observer leaves stays for the next.
        let workers = InForce::deliveries_max(&config);
        threads(self.pools.deliver.grow(workers))?;
        let replaced = self.shared.live.replace(InForce {
            gateway: Arc::new(gateway),
            observers: InForce::observers(&config),
            handlers,
            graph,
            config,
        });
        self.retire(&replaced);
        // A new token ends a halt, a new address an outage.
        self.pools.iter().for_each(|pool| pool.waker().look_again());
        Ok(())
    }

    /// Remembers what jobs that are under way still work by.
    fn retire(&self, replaced: &Arc<InForce>) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|earlier| earlier.strong_count() > 0);
        retired.push(Arc::downgrade(replaced));
    }

    /// Has handlers end what they are at.
    fn end_handlers(&self) {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let retired = retired.iter().filter_map(Weak::upgrade);
        for in_force in retired.chain([self.shared.live.now()]) {
            in_force.handlers.iter().for_each(|handler| handler.stop());
        }
    }

    fn wait_for_jobs(&self, deadline: Instant) {
        while Instant::now() < deadline && !self.pools.are_done() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops in order: no new requests, then no new jobs; what is under way
    /// ends or is left to be taken up at the next start; then the store closes.
    pub fn stop(mut self) {
        let deadline = Instant::now() + DRAIN;
        self.stopping.store(true, Ordering::SeqCst);
        self.watchdog.thread().unpark();
        self.alarms.stop();
        self.http.stop(DRAIN);
        if let Some(operator) = &self.operator {
            operator.http.stop(DRAIN);
            operator.wait(|| deadline.saturating_duration_since(Instant::now()));
        }
        self.pools.iter().for_each(Pool::stop);
        self.rounds.stop();
        self.wait_for_jobs(deadline);
        if !self.pools.are_done() {
            self.end_handlers();
            self.wait_for_jobs(Instant::now() + LAST_WORDS);
        }
        self.shared.committer.stop();
        let left = deadline.saturating_duration_since(Instant::now());
        let closed = Instant::now() + left.max(Duration::from_secs(1));
        while Instant::now() < closed && !self.store_thread.is_finished() {
            thread::sleep(Duration::from_millis(5));
        }
        self.shared.room.close();
        self.shared.responder.flush(Duration::from_secs(1));
        log::info!("msg=\"stopped\"");
    }
}

/// A client for Graph, with connections for all who call at once.
fn client(config: &Config, metrics: &Arc<Metrics>) -> Result<Graph, RootsError> {
    let graph = Graph::new(config, config.send_concurrency + RELAYS)?;
    Ok(graph.counted_by(Arc::clone(metrics)))
}

/// The queue on the database, with what the last process left behind taken up.
fn open_queue(
    database: &mut Database,
    config: &Config,
    handlers: &[Box<dyn Handler>],
) -> Result<Gateway, StartError> {
    let now = clock::now_ms();
    let (wants, ears) = (InForce::wants(handlers), InForce::ears(handlers));
    let (gateway, recovered) = database.commit(|tx| {
        let gateway = Gateway::open(tx, config.limits.clone(), wants, &config.tokens)?;
        let gateway = gateway.with_ears(ears.clone());
        let recovered = gateway.recover(tx, now)?;
        Ok((gateway, recovered))
    })?;
    log::info!(
        "msg=\"store opened\" deliveries_interrupted={} sends_interrupted={} outcomes_unknown={}",
        recovered.deliveries,
        recovered.sends,
        recovered.unknown
    );
    Ok(gateway)
}

/// Something that starts threads, which can fail.
fn threads<T>(started: io::Result<T>) -> Result<T, StartError> {
    started.map_err(StartError::Threads)
}

/// Each connection takes two descriptors; the usual soft limit of 1,024 is
/// soon used up, and tiny_http does not survive that well.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::warn!("msg=\"the limit of open files cannot be raised\" error=\"{error}\"");
    }
}
