//! The service: opens the store, starts the threads, goes on by other settings,
//! and stops in order.
//!
//! * `error`: why it does not start
//! * `jobs`: what the pools of threads do
//! * `watchdog`: whether the listeners still answer
//! * `signals`: what ends the service, or has it read its settings again

mod error;
mod jobs;
mod signals;
mod watchdog;

pub use error::StartError;
pub use signals::{listen_for_signals, run_until_signal};

use super::alarms::Alarms;
use super::clock;
use super::dispatch::Pool;
use super::gate::Gate;
use super::graph::{Graph, RootsError};
use super::http::console::Console;
use super::http::graph_api::GraphApi;
use super::http::monitor::Monitor;
use super::http::operator::Operator;
use super::http::relay::{RELAYS, Relay};
use super::http::respond::Responder;
use super::http::server::{HttpServer, Socket};
use super::http::webhook::Webhook;
use super::live::{InForce, Live};
use super::log::{self as log_lines, Few};
use super::media::folder::Folder;
use super::media::{self, Fetches};
use super::metrics::{Commits, Metrics};
use super::ready::Ready;
use super::upkeep::rounds::Rounds;
use super::waiting::WaitingRoom;
use crate::config::{self, Config, Listen};
use crate::gateway::{Gateway, Received};
use crate::handler::Handler;
use crate::store::{Access, Committer, Database};
use jobs::{Deliver, Sends};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long jobs that are under way may take to end after a stop. Whatever is
/// still open then is taken up at the next start.
const DRAIN: Duration = Duration::from_secs(3);

/// How long handlers that are told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Announced lengths up to this are read away, so that the client hears its
/// 413: nginx lets no notification of more than 3 MiB through.
const LONGEST_NOTIFICATION: usize = 64 << 20;

/// The same for files, of which 100 MB may pass: a caller that means to send a
/// whole film should hear that it is too long.
const LONGEST_FILE: usize = 4 << 30;

/// Which of a service's pools delivers.
const DELIVER: usize = 0;

/// A running service.
pub struct Running {
    live: Live,
    metrics: Arc<Metrics>,
    /// What was in force before a reload, while jobs still go by it.
    retired: Mutex<Vec<Weak<InForce>>>,
    http: Arc<HttpServer>,
    committer: Committer,
    store_thread: JoinHandle<()>,
    responder: Responder,
    room: WaitingRoom,
    operator: Option<Arc<HttpServer>>,
    relay: Option<Arc<Relay>>,
    console: Option<Arc<Console>>,
    pools: Vec<Pool>,
    rounds: Rounds,
    stopping: Arc<AtomicBool>,
    watchdog: JoinHandle<()>,
    alarms: Alarms,
    address: Listen,
}

impl Running {
    /// Starts the service. `handlers` are asked in turn for each event.
    pub fn start(config: &Config, handlers: Vec<Box<dyn Handler>>) -> Result<Running, StartError> {
        raise_descriptor_limit();
        let database = Database::open(&config.database, Access::Serve)?;
        Running::start_on(database, config, handlers)
    }

    fn start_on(
        mut database: Database,
        config: &Config,
        handlers: Vec<Box<dyn Handler>>,
    ) -> Result<Running, StartError> {
        // First: nothing is taken up by a process that cannot serve.
        let metrics = Arc::new(Metrics::default());
        let graph = client(config, &metrics).map_err(StartError::Roots)?;
        let socket = listen(config)?;
        let operator_socket = match &config.operator {
            Some(listen) => Some(bind("OPERATOR_LISTEN", listen)?),
            None => None,
        };
        let folder = match &config.media {
            Some(media) => Some(open_folder(media)?),
            None => None,
        };
        let now = clock::now_ms();
        let (wants, ears) = (InForce::wants(&handlers), InForce::ears(&handlers));
        let (gateway, recovered) = database.commit(|tx| {
            let gateway = Gateway::open(tx, config.limits.clone(), wants, &config.tokens)?;
            let gateway = gateway.with_ears(ears.clone());
            let recovered = gateway.recover(tx, now)?;
            Ok((Arc::new(gateway), recovered))
        })?;
        log::info!(
            "msg=\"store opened\" deliveries_interrupted={} sends_interrupted={} outcomes_unknown={}",
            recovered.deliveries,
            recovered.sends,
            recovered.unknown
        );
        let (committer, store_thread) =
            Committer::start(database, Commits::new(Arc::clone(&metrics)))
                .map_err(StartError::Threads)?;
        let responder = Responder::start().map_err(StartError::Threads)?;

        let live = Live::new(InForce {
            observers: InForce::observers(config),
            config: config.clone(),
            gateway,
            handlers,
            graph,
        });
        let room = WaitingRoom::start().map_err(StartError::Threads)?;
        let send = Arc::new(Sends {
            live: live.clone(),
            gate: Gate::default(),
            committer: committer.clone(),
            room: room.clone(),
            metrics: Arc::clone(&metrics),
            lines: Default::default(),
        });
        let send =
            Pool::start("send", config.send_concurrency, send).map_err(StartError::Threads)?;
        let send_waker = send.waker();
        let deliver = Arc::new(Deliver {
            live: live.clone(),
            committer: committer.clone(),
            replies_queued: Box::new(move || send_waker.wake()),
            metrics: Arc::clone(&metrics),
            lines: Arc::default(),
        });
        let deliver = Pool::start("deliver", InForce::deliveries_max(config), deliver)
            .map_err(StartError::Threads)?;

        let fetch = match config.media.as_ref().zip(folder) {
            Some((media, folder)) => {
                let fetches = Fetches {
                    live: live.clone(),
                    committer: committer.clone(),
                    folder,
                    bytes_max: media.bytes_max,
                    metrics: Arc::clone(&metrics),
                    lines: Few::default(),
                };
                let pool = Pool::start("fetch", media::WORKERS, Arc::new(fetches));
                Some(pool.map_err(StartError::Threads)?)
            }
            None => None,
        };
        let to_fetch = fetch.as_ref().map(Pool::waker);
        let (to_deliver, to_send) = (deliver.waker(), send.waker());
        let wake = move |received: &Received| {
            if received.to_deliver {
                to_deliver.wake();
            }
            if let Some(fetch) = to_fetch.as_ref().filter(|_| received.to_fetch) {
                fetch.wake();
            }
            if received.to_send {
                to_send.wake();
            }
        };
        let webhook = Webhook::new(
            live.clone(),
            committer.clone(),
            responder.clone(),
            Arc::new(wake),
            Arc::clone(&metrics),
        );
        let address = socket.address().unwrap_or(config.listen.clone());
        let handle = Box::new(move |taken| webhook.handle(taken));
        let http = HttpServer::start(socket, LONGEST_NOTIFICATION, handle);
        let http = Arc::new(http.map_err(StartError::Threads)?);

        let (mut relay, mut console) = (None, None);
        let operator = match operator_socket {
            Some(socket) => {
                let waker = send.waker();
                let started = Relay::start(live.clone(), committer.clone());
                let started = relay.insert(Arc::new(started.map_err(StartError::Threads)?));
                let api = Arc::new(GraphApi::new(
                    live.clone(),
                    committer.clone(),
                    responder.clone(),
                    room.clone(),
                    Arc::new(move || waker.wake()),
                    Arc::clone(started),
                ));
                let ready = Ready {
                    committer: committer.clone(),
                    on_disk: on_disk(config),
                    pools: [&deliver, &send]
                        .into_iter()
                        .chain(&fetch)
                        .map(Pool::pulse)
                        .collect(),
                    listener: Arc::clone(&http),
                    last: Mutex::default(),
                };
                let monitor = Monitor::new(live.clone(), Arc::clone(&metrics), ready);
                let (to_deliver, to_send) = (deliver.waker(), send.waker());
                let changed = Arc::new(move || {
                    to_deliver.wake();
                    to_send.wake();
                });
                let pages = Console::start(live.clone(), committer.clone(), changed);
                let pages = console.insert(Arc::new(pages.map_err(StartError::Threads)?));
                let operator = Operator {
                    api,
                    console: Arc::clone(pages),
                    monitor: Arc::new(monitor),
                };
                let handle = Box::new(move |taken| operator.handle(taken));
                let served = HttpServer::start(socket, LONGEST_FILE, handle);
                Some(Arc::new(served.map_err(StartError::Threads)?))
            }
            None => None,
        };

        let rounds = Rounds::start(live.clone(), committer.clone()).map_err(StartError::Threads)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let watchdog = {
            let listeners = std::iter::once(&http)
                .chain(&operator)
                .map(Arc::clone)
                .collect();
            let stopping = Arc::clone(&stopping);
            let thread = thread::Builder::new().name("watchdog".into());
            thread
                .spawn(move || watchdog::watch(listeners, &stopping))
                .map_err(StartError::Threads)?
        };
        let alarms = Alarms::start(live.clone(), committer.clone());
        let alarms = alarms.map_err(StartError::Threads)?;
        Ok(Running {
            live,
            metrics,
            retired: Mutex::default(),
            http,
            committer,
            store_thread,
            responder,
            room,
            operator,
            relay,
            console,
            pools: [deliver, send].into_iter().chain(fetch).collect(),
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
        operator.and_then(|operator| operator.address().ok())
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
        let graph = client(&config, &self.metrics).map_err(StartError::Roots)?;
        log_lines::set_levels(config.log_levels.clone());
        if config.operator.is_some() && self.operator.is_none() {
            log::warn!(
                "msg=\"none of API_KEY, CONSOLE_PASSWORD_HASH and METRICS_KEY was set at the start: what they open is served from the next restart on\""
            );
        }
        let (wants, ears) = (InForce::wants(&handlers), InForce::ears(&handlers));
        let (limits, tokens) = (config.limits.clone(), config.tokens.clone());
        let gateway = self.committer.commit(move |tx| {
            let gateway = Gateway::open(tx, limits.clone(), wants, &tokens)?;
            let gateway = gateway.with_ears(ears.clone());
            gateway.note_consumers(tx)?;
            Ok(gateway)
        })?;
        // More than there were: what a removed observer leaves stays for the next.
        let workers = InForce::deliveries_max(&config);
        self.pools[DELIVER]
            .grow(workers)
            .map_err(StartError::Threads)?;
        let replaced = self.live.replace(InForce {
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
        for in_force in retired.chain([self.live.now()]) {
            in_force.handlers.iter().for_each(|handler| handler.stop());
        }
    }

    fn wait_for_jobs(&self, deadline: Instant) {
        while Instant::now() < deadline && !self.pools.iter().all(Pool::is_done) {
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
            operator.stop(DRAIN);
        }
        if let Some(console) = &self.console {
            console.wait(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(relay) = &self.relay {
            relay.wait(deadline.saturating_duration_since(Instant::now()));
        }
        self.pools.iter().for_each(Pool::stop);
        self.rounds.stop();
        self.wait_for_jobs(deadline);
        if !self.pools.iter().all(Pool::is_done) {
            self.end_handlers();
            self.wait_for_jobs(Instant::now() + LAST_WORDS);
        }
        self.committer.stop();
        let left = deadline.saturating_duration_since(Instant::now());
        let closed = Instant::now() + left.max(Duration::from_secs(1));
        while Instant::now() < closed && !self.store_thread.is_finished() {
            thread::sleep(Duration::from_millis(5));
        }
        self.room.close();
        self.responder.flush(Duration::from_secs(1));
        log::info!("msg=\"stopped\"");
    }
}

/// A client for Graph, with connections for all who call at once.
fn client(config: &Config, metrics: &Arc<Metrics>) -> Result<Graph, RootsError> {
    let graph = Graph::new(config, config.send_concurrency + RELAYS)?;
    Ok(graph.counted_by(Arc::clone(metrics)))
}

/// What grows: each is on a disk that must have room.
fn on_disk(config: &Config) -> Vec<PathBuf> {
    let media = config.media.as_ref().map(|media| media.folder.clone());
    [config.database.clone()].into_iter().chain(media).collect()
}

fn open_folder(media: &config::Media) -> Result<Arc<Folder>, StartError> {
    let opened = Folder::open(&media.folder).map(Arc::new);
    opened.map_err(|source| StartError::Folder {
        path: media.folder.display().to_string(),
        source,
    })
}

fn listen(config: &Config) -> Result<Socket, StartError> {
    let failed = |source| StartError::Listen {
        setting: "LISTEN",
        address: config.listen.to_string(),
        source,
    };
    let Some(socket) = Socket::from_systemd().map_err(failed)? else {
        return bind("LISTEN", &config.listen);
    };
    // What LISTEN may not be, systemd's socket may not be either.
    let address = socket.address().map_err(failed)?;
    match &address {
        Listen::Tcp(tcp)
            if !tcp.ip().is_loopback() && (!config.allow_public || config.allow_unsigned) =>
        {
            Err(StartError::Listen {
                setting: "the socket passed by systemd",
                address: address.to_string(),
                source: io::Error::other(
                    "other machines can reach it: set ListenStream=127.0.0.1:8080, or see ALLOW_PUBLIC_LISTEN",
                ),
            })
        }
        _ => Ok(socket),
    }
}

fn bind(setting: &'static str, address: &Listen) -> Result<Socket, StartError> {
    Socket::bind(address).map_err(|source| StartError::Listen {
        setting,
        address: address.to_string(),
        source,
    })
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
