//! The service: opens the store, starts the threads, watches over them, and
//! stops in order.

use super::alarms::Alarms;
use super::dispatch::{Job, Pool};
use super::gate::Gate;
use super::graph::{Called, Graph, RootsError};
use super::http::console::Console;
use super::http::graph_api::{self, GraphApi};
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
use super::{clock, systemd};
use crate::config::{self, Config, Listen};
use crate::gateway::{Claimed, Gateway, Outcome, Received, Sent, Work};
use crate::handler::{self, Handler};
use crate::policy::verdict::{Answer, Verdict};
use crate::store::rows::{Message, QueueKind};
use crate::store::{Access, Committer, Database, Result as StoreResult, StoreError};
use crate::wire::raw;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long jobs that are under way may take to end after a stop. Whatever is
/// still open then is taken up at the next start.
const DRAIN: Duration = Duration::from_secs(3);

/// How long handlers that are told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often the watchdog makes a request, unless systemd wants it oftener.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// How soon it asks again after a probe that failed.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// Announced lengths up to this are read away, so that the client hears its
/// 413: nginx lets no notification of more than 3 MiB through.
const LONGEST_NOTIFICATION: usize = 64 << 20;

/// The same for files, of which 100 MB may pass: a caller that means to send a
/// whole film should hear that it is too long.
const LONGEST_FILE: usize = 4 << 30;

/// Failed probes in a row after which the listener is built anew.
const PROBES_FAILED_MAX: u32 = 3;

/// Why the service does not start.
#[derive(Debug)]
pub enum StartError {
    /// The database cannot be used.
    Store(StoreError),
    /// The address cannot be listened on.
    Listen {
        setting: &'static str,
        address: String,
        source: io::Error,
    },
    /// Graph cannot be called with these certificates.
    Roots(RootsError),
    /// MEDIA_DIR cannot be used.
    Folder { path: String, source: io::Error },
    /// Threads cannot be started.
    Threads(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StartError::Store(error) => error.fmt(f),
            StartError::Roots(error) => error.fmt(f),
            StartError::Listen {
                setting,
                address,
                source,
            } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{setting}: {address} is in use by another process: stop it, or set another {setting}"
                )
            }
            StartError::Listen {
                setting, address, ..
            } => {
                write!(f, "{setting}: cannot listen on {address}")
            }
            StartError::Folder { path, .. } => write!(
                f,
                "MEDIA_DIR: {path} cannot be made or written: check that its parent folder exists and that we may write there"
            ),
            StartError::Threads(_) => f.write_str("threads cannot be started"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Store(error) => std::error::Error::source(error),
            StartError::Roots(error) => std::error::Error::source(error),
            StartError::Listen { source, .. }
            | StartError::Folder { source, .. }
            | StartError::Threads(source) => Some(source),
        }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> StartError {
        StartError::Store(error)
    }
}

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
                .spawn(move || watch(listeners, &stopping))
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

/// Asks the listener from outside, as a client would: nothing inside tells
/// when tiny_http has silently stopped accepting.
fn watch(listeners: Vec<Arc<HttpServer>>, stopping: &AtomicBool) {
    let every = systemd::watchdog_interval().map_or(PROBE_EVERY, |wanted| wanted.min(PROBE_EVERY));
    let mut failed = vec![0; listeners.len()];
    while !stopping.load(Ordering::SeqCst) {
        for (http, failed) in listeners.iter().zip(&mut failed) {
            probe(http, failed);
        }
        let well = failed.iter().all(|failed| *failed == 0);
        if well {
            systemd::notify("WATCHDOG=1");
        }
        thread::park_timeout(if well { every } else { every.min(PROBE_AGAIN) });
    }
}

/// Asks one listener, and builds it anew when it has failed too often.
fn probe(http: &HttpServer, failed: &mut u32) {
    let Err(error) = http.probe() else {
        *failed = 0;
        return;
    };
    *failed += 1;
    log::warn!("msg=\"the listener does not answer\" failed={failed} error=\"{error}\"");
    if *failed < PROBES_FAILED_MAX {
        return;
    }
    *failed = 0;
    log::error!("msg=\"building the listener anew\"");
    if let Err(error) = http.rebuild() {
        log::error!("msg=\"it cannot be built; ending, to be started again\" error=\"{error}\"");
        std::process::exit(1);
    }
}

/// Deliveries to the business's logic.
struct Deliver {
    live: Live,
    committer: Committer,
    replies_queued: Box<dyn Fn() + Send + Sync>,
    metrics: Arc<Metrics>,
    lines: Arc<Few>,
}

impl Job for Deliver {
    fn claim(&self, room: usize) -> StoreResult<Claimed> {
        claim(&self.live, &self.committer, QueueKind::Deliver, room)
    }

    fn work(&self, work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
        let Work::Deliver(delivery) = work else {
            unreachable!("the delivery queues hold deliveries");
        };
        let (live, began_us) = (self.live.now(), clock::monotonic_us());
        let handled = catch_unwind(AssertUnwindSafe(|| {
            let Some(name) = &delivery.observer else {
                return handler::handle(&live.handlers, &delivery);
            };
            match live.observers.get(name) {
                Some(observer) => observer.deliver(&delivery),
                // It was taken out a moment ago; its deliveries wait for it.
                None => Outcome::Retry {
                    reason: "OBSERVERS does not name it any more".into(),
                    wait: None,
                    down: false,
                },
            }
        }));
        let outcome = handled.unwrap_or_else(|_| Outcome::Retry {
            reason: "the handler panicked".into(),
            wait: None,
            down: false,
        });
        self.metrics
            .handled(delivery.consumer(), &outcome, began_us);
        self.tell(&delivery, &outcome);
        let (job, attempt) = (delivery.job, delivery.attempt);
        let replies = matches!(&outcome, Outcome::Done { replies, .. } if !replies.is_empty());
        Box::new(move || {
            let (gateway, outcome, luck) =
                (Arc::clone(&live.gateway), outcome.clone(), clock::luck());
            self.committer.commit(move |tx| {
                gateway.finish_delivery(tx, clock::now_ms(), job, attempt, &outcome, luck)
            })?;
            if replies {
                (self.replies_queued)();
            }
            Ok(())
        })
    }
}

impl Deliver {
    fn tell(&self, delivery: &crate::gateway::Delivery, outcome: &Outcome) {
        let (event, job, attempt) = (delivery.events(), delivery.job, delivery.attempt);
        let to = delivery.consumer();
        let (what, reason) = match outcome {
            Outcome::Done { replies, .. } => {
                let replies = replies.len();
                log::debug!(
                    "msg=\"event delivered\" event={event} job={job} consumer={to} attempt={attempt} replies={replies}"
                );
                return;
            }
            Outcome::Retry { reason, .. } => ("event not delivered; trying again later", reason),
            Outcome::Dead { reason } => ("event not delivered; it is a dead letter", reason),
        };
        if let Some(held_back) = self.lines.pass(clock::now_ms()) {
            log::warn!(
                "msg=\"{what}\" event={event} job={job} consumer={to} attempt={attempt} reason=\"{reason}\"{held_back}"
            );
        }
    }
}

/// Sends through Graph.
struct Sends {
    live: Live,
    gate: Gate,
    committer: Committer,
    room: WaitingRoom,
    metrics: Arc<Metrics>,
    /// One for each kind of verdict that is told, one for repeats, and one for
    /// what ends without a call.
    lines: [Few; 6],
}

impl Job for Sends {
    fn claim(&self, room: usize) -> StoreResult<Claimed> {
        let claimed = claim(&self.live, &self.committer, QueueKind::Send, room)?;
        for message in &claimed.ended {
            self.tell_ended(message);
            self.room
                .settle(message.id, &graph_api::ended(message, None));
        }
        Ok(claimed)
    }

    fn work(&self, work: Work) -> Box<dyn FnMut() -> StoreResult<()> + '_> {
        let Work::Send(sending) = work else {
            unreachable!("the send queues hold sends");
        };
        let live = self.live.now();
        let rate = live.config.limits.rates.of(&sending.number);
        self.gate.pass(&sending, rate);
        self.tell_resent(&sending);
        let live = self.live.now();
        let called = catch_unwind(AssertUnwindSafe(|| live.graph.send(&sending)));
        // How far the call got nobody knows.
        let Called { verdict, answer } = called.unwrap_or_else(|_| {
            let reason = "the call panicked".to_owned();
            Called::without_answer(&Answer::Lost { reason })
        });
        self.metrics.judged(&sending.number, &verdict);
        self.tell(&sending, &verdict);
        let (job, attempt, outbox) = (sending.job, sending.attempt, sending.outbox);
        let answer = match &verdict {
            // A proxy's page is not Graph's answer.
            Verdict::Accepted { .. } | Verdict::Refused { .. } => {
                answer.filter(|(_, body)| raw::members(body).is_some())
            }
            // The caller is told later how it ended.
            _ => None,
        };
        Box::new(move || {
            // By what the call was made with: that its token was refused says
            // nothing about one that has come since.
            let (gateway, verdict, luck) =
                (Arc::clone(&live.gateway), verdict.clone(), clock::luck());
            let kept = answer.clone();
            let ended = self.committer.commit(move |tx| {
                if let Some((status, body)) = &kept {
                    tx.set_answer(outbox, *status, body)?;
                }
                let now = clock::now_ms();
                match gateway.finish_sending(tx, now, job, attempt, &verdict, luck)? {
                    Sent::Ended => tx.message(outbox),
                    Sent::Again | Sent::Stale => Ok(None),
                }
            })?;
            if let Some(message) = ended {
                self.room
                    .settle(outbox, &graph_api::ended(&message, answer.clone()));
            }
            Ok(())
        })
    }
}

impl Sends {
    fn tell_ended(&self, message: &Message) {
        if let Some(held_back) = self.lines[5].pass(clock::now_ms()) {
            let (outbox, reason) = (message.id, message.error.as_deref().unwrap_or_default());
            let code = message.error_code;
            let code = code.map_or_else(String::new, |code| format!(" code={code}"));
            log::warn!(
                "msg=\"message not sent; it ended before the call\" outbox={outbox}{code} reason=\"{reason}\"{held_back}"
            );
        }
    }

    fn tell_resent(&self, sending: &crate::gateway::Sending) {
        if sending.resent
            && let Some(held_back) = self.lines[4].pass(clock::now_ms())
        {
            let ids = ids(sending);
            log::warn!(
                "msg=\"sent again although it may have gone out; it may arrive twice\" {ids}{held_back}"
            );
        }
    }

    fn tell(&self, sending: &crate::gateway::Sending, verdict: &Verdict) {
        let (what, lines) = match verdict {
            Verdict::Accepted { .. } => {
                log::debug!("msg=\"message accepted\" {}", ids(sending));
                return;
            }
            Verdict::Retry { .. } => ("send put off", &self.lines[0]),
            Verdict::Refused { .. } => ("send refused", &self.lines[1]),
            Verdict::Halt { .. } => ("sending halted until someone acts", &self.lines[2]),
            Verdict::Unknown { .. } => (
                "send has no known outcome; waiting for a status",
                &self.lines[3],
            ),
        };
        let Some(held_back) = lines.pass(clock::now_ms()) else {
            return;
        };
        let (ids, why) = (ids(sending), verdict.why());
        let code = why
            .and_then(|why| why.code)
            .map_or_else(String::new, |code| format!(" code={code}"));
        let reason = why.map_or("", |why| &why.reason);
        let trace = why.and_then(|why| why.fbtrace_id.as_deref()).filter(|id| {
            id.len() <= 64
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        });
        let trace = trace.map_or_else(String::new, |id| format!(" fbtrace_id={id}"));
        let line = format!("msg=\"{what}\" {ids}{code} reason=\"{reason}\"{trace}{held_back}");
        match verdict {
            Verdict::Halt { .. } => log::error!("{line}"),
            _ => log::warn!("{line}"),
        }
    }
}

/// What a send's lines name it by: its message, and the event that this answers.
fn ids(sending: &crate::gateway::Sending) -> String {
    let cause = sending.cause;
    let event = cause.map_or(String::new(), |event| format!(" event={event}"));
    let (outbox, job, attempt) = (sending.outbox, sending.job, sending.attempt);
    format!("outbox={outbox}{event} job={job} attempt={attempt}")
}

fn claim(live: &Live, committer: &Committer, kind: QueueKind, room: usize) -> StoreResult<Claimed> {
    let gateway = Arc::clone(&live.now().gateway);
    committer.commit(move |tx| gateway.claim(tx, clock::now_ms(), kind, room))
}

/// Listens for SIGTERM, SIGINT and SIGHUP. Comes before anybody is told that the
/// service runs: from then on a signal means to stop in order.
///
/// # Errors
/// When signals cannot be listened for.
pub fn listen_for_signals() -> io::Result<Signals> {
    Signals::new([SIGHUP, SIGINT, SIGTERM])
}

/// Runs until a signal comes, then stops; a second signal ends at once. A
/// SIGHUP only calls `reread`.
///
/// # Errors
/// When threads cannot be started.
pub fn run_until_signal(
    running: Running,
    mut signals: Signals,
    mut reread: impl FnMut(&Running),
) -> io::Result<()> {
    let (heard, hear) = mpsc::channel();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if heard.send(signal).is_err() {
                    return;
                }
            }
        })?;
    while hear.recv() == Ok(SIGHUP) {
        reread(&running);
    }
    log::info!("msg=\"stopping; a second signal ends at once\"");
    systemd::notify("STOPPING=1");
    thread::Builder::new().name("hurry".into()).spawn(move || {
        if hear.iter().any(|signal| signal != SIGHUP) {
            std::process::exit(1);
        }
    })?;
    running.stop();
    Ok(())
}
