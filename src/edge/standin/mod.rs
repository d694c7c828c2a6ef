//! A stand-in for Graph on this machine, for `wabridge demo` and for tests that run the whole loop.
//!
//! It listens on a loopback port, takes `POST /v{N}.{M}/{phone_number_id}/messages` as Graph does
//! (token, checks, error envelopes, wamids), keeps files, knows what client libraries ask for of
//! numbers and accounts, and delivers signed statuses to the callback as Meta
//! does: again and again until a 200. Faults can be set at any time. What it accepted it remembers
//! in order, so that a test can say what customers would have seen.
//!
//! It plays the other side: it has its own clock, threads and dice, retries on its own, and uses
//! nothing of the bridge but the sample formats. It is a test tool and not for the internet.
//!
//! * `check`: which bodies are in order (pure)
//! * `graph`: answers and errors (pure)
//! * `faults`: what goes wrong and when (pure)
//! * `limits`: pace and windows, as Meta keeps them (pure)
//! * `hooks`: one signed POST to the callback
//! * `http`: the small server
//! * `serve`: from a request to its answer
//! * `app`: what the app subscribes to, and where notifications go
//! * `rest`: calls that are not about messages
//! * `media`: files
//! * `post`: the queue of statuses and the threads that deliver them
//! * `seen`: what it has seen and done

mod app;
mod check;
mod faults;
mod graph;
mod hooks;
mod http;
mod limits;
mod media;
mod post;
mod rest;
mod seen;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use app::App;
pub use faults::{CallFault, Chance, Delays, Faults, StatusFault};
pub use limits::Limits;
pub use media::Media;
pub use seen::{Accepted, CallSeen, Choice, ChoiceKind, Happening, Receipt, Tally, Undelivered};

use faults::Dice;

/// How long [`StandIn::deliver`] goes on trying.
const DELIVER_WITHIN: Duration = Duration::from_secs(60);
/// How long dropping waits for threads that are in the middle of a callback.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Hears what happens, on the thread on which it happens: it should be quick, and may ask the
/// stand-in anything.
pub type Witness = Box<dyn Fn(&Happening) + Send + Sync>;

/// A business number the stand-in knows.
#[derive(Clone)]
pub struct Number {
    /// Its `phone_number_id`.
    pub id: String,
    /// As a person reads it.
    pub display: String,
    /// Its WhatsApp Business Account.
    pub waba: String,
}

/// How a stand-in is set up.
pub struct Options {
    /// The loopback port; 0 takes a free one.
    pub port: u16,
    /// The token that callers must bear.
    pub token: String,
    /// What notifications are signed with.
    pub app_secret: String,
    /// Calls without `appsecret_proof` are refused; one that is wrong is at any time.
    pub needs_proof: bool,
    /// How long a file can be fetched at the address that a look-up gave.
    pub media_url_life: Duration,
    /// Where notifications go. May be set later ([`StandIn::set_callback`]): they wait.
    pub callback: Option<String>,
    /// The numbers it knows. None: every number is known.
    pub numbers: Vec<Number>,
    /// When statuses come and come again.
    pub delays: Delays,
    /// Which of Meta's limits it keeps; none, unless said.
    pub limits: Limits,
    /// How long a callback may take to answer.
    pub callback_timeout: Duration,
    /// How many threads deliver statuses: how many callbacks run at once.
    pub callback_threads: usize,
    /// Seed of wamids and faults.
    pub seed: u64,
    /// Hears what happens.
    pub witness: Option<Witness>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            port: 0,
            token: "standin-token".into(),
            app_secret: "standin-secret".into(),
            needs_proof: false,
            // Meta: media, "valid for 5 minutes".
            media_url_life: Duration::from_secs(300),
            callback: None,
            numbers: Vec::new(),
            delays: Delays::default(),
            limits: Limits::default(),
            callback_timeout: Duration::from_secs(5),
            callback_threads: 4,
            seed: 1,
            witness: None,
        }
    }
}

/// A running stand-in. Dropping it closes its port and ends its threads; statuses not yet
/// acknowledged are lost with it.
pub struct StandIn {
    inner: Arc<Inner>,
    server: http::Server,
}

struct Inner {
    hooks: hooks::Hooks,
    numbers: Vec<Number>,
    app_secret: String,
    needs_proof: bool,
    media_url_life: Duration,
    delays: Delays,
    limits: Limits,
    seed: u64,
    witness: Option<Witness>,
    state: Mutex<State>,
    /// Notified at every change of the state that somebody may be waiting for.
    changed: Condvar,
}

struct State {
    token: String,
    callback: Option<String>,
    app: App,
    faults: Faults,
    /// Since when those are in force.
    faults_since: Instant,
    meters: limits::Meters,
    dice: Dice,
    accepted: Vec<Accepted>,
    receipts: Vec<Receipt>,
    calls: Vec<CallSeen>,
    files: media::Files,
    tally: Tally,
    queue: post::Queue,
    stopping: bool,
}

impl StandIn {
    /// Starts listening. It is ready when this returns.
    pub fn start(options: Options) -> io::Result<StandIn> {
        let state = State {
            token: options.token,
            callback: options.callback,
            app: App::default(),
            faults: Faults::none(),
            faults_since: Instant::now(),
            meters: limits::Meters::default(),
            dice: Dice(options.seed),
            accepted: Vec::new(),
            receipts: Vec::new(),
            calls: Vec::new(),
            files: media::Files::default(),
            tally: Tally::default(),
            queue: post::Queue::default(),
            stopping: false,
        };
        let inner = Arc::new(Inner {
            hooks: hooks::Hooks::new(&options.app_secret, options.callback_timeout),
            numbers: options.numbers,
            app_secret: options.app_secret,
            needs_proof: options.needs_proof,
            media_url_life: options.media_url_life,
            delays: options.delays,
            limits: options.limits,
            seed: options.seed,
            witness: options.witness,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&inner);
        let server = http::Server::start(options.port, move |request| serving.serve(request))?;
        let standin = StandIn { inner, server };
        for _ in 0..options.callback_threads.max(1) {
            post::start(&standin.inner)?;
        }
        Ok(standin)
    }

    /// What `GRAPH_API_URL` should be: scheme, host and port.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// From now on notifications go there, those that wait to be redelivered too.
    pub fn set_callback(&self, url: &str) {
        self.inner.state().callback = Some(url.to_owned());
    }

    /// Where notifications go that no account or number has an address of its own for.
    pub fn callback(&self) -> Option<String> {
        self.inner.state().callback.clone()
    }

    /// Changes how the app is set up.
    pub fn set_app(&self, change: impl FnOnce(&mut App)) {
        change(&mut self.inner.state().app);
    }

    /// How the app is set up.
    pub fn app(&self) -> App {
        self.inner.state().app.clone()
    }

    /// From now on callers must bear that token.
    pub fn set_token(&self, token: &str) {
        self.inner.state().token = token.to_owned();
    }

    /// From now on these faults are in force, and no others.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.inner.state();
        state.faults = faults;
        state.faults_since = Instant::now();
    }

    /// A customer wrote to a number so long ago, though not through this stand-in: it opens the
    /// window and the limits count from then ([`Limits::windows`]).
    pub fn customer_wrote(&self, number: &str, user: &str, ago: Duration) {
        // A machine may have started later than that: the beginning of its clock does as well.
        let now = Instant::now();
        let at = now.checked_sub(ago).unwrap_or(now);
        self.inner.state().meters.wrote(number, user, at);
    }

    /// What was accepted so far, in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.inner.state().accepted.clone()
    }

    /// What was marked as read so far, in order.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.inner.state().receipts.clone()
    }

    /// Calls that were not about messages, in order.
    pub fn calls(&self) -> Vec<CallSeen> {
        self.inner.state().calls.clone()
    }

    /// The file with this id, if it is there.
    pub fn media(&self, id: &str) -> Option<Media> {
        self.inner.state().files.get(id).cloned()
    }

    /// Puts a file there, as when a customer sent one; its id.
    ///
    /// # Panics
    /// When there are too many.
    pub fn add_media(&self, number: &str, mime: &str, bytes: Vec<u8>) -> String {
        let kept = self.inner.state().files.keep(number, mime, bytes);
        kept.unwrap_or_else(|error| panic!("the stand-in takes no more files: {error:?}"))
    }

    /// The file with this id is gone, as after its time or when somebody deleted it; whether it
    /// was there. Messages that name it are refused.
    pub fn remove_media(&self, id: &str) -> bool {
        self.inner.state().files.remove(id)
    }

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        self.inner.state().tally
    }

    /// Waits until at least so many messages were accepted; whether they were in time.
    pub fn wait_accepted(&self, count: usize, within: Duration) -> bool {
        self.inner
            .wait(within, |state| state.accepted.len() >= count)
    }

    /// Waits until every status of every message accepted so far was acknowledged; whether they
    /// were in time.
    pub fn wait_statuses(&self, within: Duration) -> bool {
        self.inner.wait(within, |state| state.queue.pending == 0)
    }

    /// Delivers a notification as Meta does, signed, again until it is acknowledged or a minute
    /// has passed. Returns the number of attempts. For customers' messages: see
    /// [`notification`](crate::wire::sample::notification).
    pub fn deliver(&self, body: &str) -> Result<u32, Undelivered> {
        self.deliver_within(body, DELIVER_WITHIN)
    }

    /// As [`StandIn::deliver`], for so long.
    pub fn deliver_within(&self, body: &str, within: Duration) -> Result<u32, Undelivered> {
        self.inner.deliver(body, within)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.inner.state().stopping = true;
        self.inner.changed.notify_all();
        // A callback that hangs is left to its time-out: its thread ends after us. The server
        // does the same for its connections when it is dropped next.
        self.inner
            .wait_while_stopping(STOP_WAIT, |state| state.queue.threads == 0);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is so, the time is up, or the stand-in stops; whether it is so.
    fn wait(&self, within: Duration, so: impl Fn(&State) -> bool) -> bool {
        self.wait_while_stopping(within, |state| state.stopping || so(state));
        so(&self.state())
    }

    fn wait_while_stopping(&self, within: Duration, so: impl Fn(&State) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), within, |state| !so(state));
        drop(waited);
    }

    fn tell(&self, happening: Happening) {
        if let Some(witness) = &self.witness {
            witness(&happening);
        }
    }
}

#[cfg(test)]
mod tests;
