//! The operator's console: pages drawn on the server, on the operator's listener.
//!
//! * [`routes`]: which page and which action stands where
//! * [`desk`]: one request of somebody: who it is, what they get
//! * [`login`]: in and out
//! * [`visit`]: what a page is given
//! * [`form`]: what a form holds
//! * [`render`]: templates and words
//! * [`reply`]: answers, with the headers that keep browsers in bounds
//! * [`chart`]: figures as bars
//! * [`assets`]: style, script, icon
//! * [`bubble`]: what is drawn of something said
//! * [`pages`]: the pages
//!
//! Pages have two threads of their own and a short queue, so that neither slow
//! pages nor passwords being checked hold up the API's few workers. What takes long,
//! such as a file that goes up to Graph, is done beside them ([`routes::Doer`]).
//!
//! # Adding a page
//!
//! 1. A template `templates/NAME.html` that begins with `{% extends
//!    "layout.html" %}`, added to the list in [`render`]. It has a block `title`
//!    and a block `main`. What stands in a block `live` is fetched anew every few
//!    seconds: put `<div data-live>{% block live %}…{% endblock %}</div>` around
//!    what changes, and forms with fields to fill in outside of it. Elements with
//!    an `id` keep their state over that.
//! 2. Its words in `words.toml`: a template reads `{{ words.NAME.title }}`, and
//!    `{{ words.NAME.waits | fill(n=3) }}` puts 3 in the place of `{n}`. Nothing
//!    that a person reads stands anywhere else.
//! 3. A function `fn show(visit: &Visit) -> Shown` in `pages/NAME.rs`, which reads
//!    by [`Visit::read`] and ends with [`Visit::page`]; its facts are a `Serialize`
//!    struct. Everything is escaped; filters: `bdi` for any text of strangers,
//!    `moment` for a time in Unix milliseconds, `ago` and `span` for milliseconds.
//! 4. A row in [`routes::PAGES`] (`{}` in a path stands for any one part, see
//!    [`Visit::part`]), and in [`routes::SECTIONS`] if it belongs in the navigation.
//!
//! # Adding an action
//!
//! Whatever changes something is a form with `method="post"` and the field
//! `{{ token }}` in it, a row in [`routes::ACTIONS`], and a function `fn act(visit:
//! &Visit, form: &Form) -> Shown`; `long` in the place of `action` if it calls Graph
//! or makes many commits. It changes things by [`Visit::change`] alone,
//! which writes down who did it in the same commit, and ends with [`Visit::go`],
//! which leads to a page, with a notice from `words.notices` if one is named. The
//! token, where the form comes from and the session are checked before.

pub mod assets;
pub mod bubble;
pub mod chart;
pub mod desk;
pub mod form;
pub mod login;
pub mod pages;
pub mod render;
pub mod reply;
pub mod routes;
pub mod visit;

pub use form::Form;
pub use visit::{Shown, Trouble, Visit};

use super::body;
use super::exchange::Exchange;
use super::seats::{Seat, Seats};
use super::under_way::{Counted, UnderWay};
use crate::edge::live::Live;
use crate::edge::names::Names;
use crate::edge::threads;
use crate::store::{Committer, Reader};
use desk::{Asked, Changed, Desk};
use reply::Reply;
use routes::Doer;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The first part of every path of the console.
pub const ROOT: &str = "/console";

/// Threads that draw pages.
const WORKERS: usize = 2;

/// Requests that wait for one of them; more are told to come again. A page of
/// pictures asks for some dozens at once.
const WAITING_MAX: usize = 64;

/// What takes long, at once. Each may hold a file of 16 MiB.
const LONG_MAX: usize = 4;

/// Serves the console.
pub struct Console {
    desk: Arc<Desk>,
    waiting: SyncSender<Job>,
    long: Seats,
    under_way: UnderWay,
    _names: Names,
}

struct Job {
    exchange: Exchange,
    asked: Asked,
    counted: Counted,
}

impl Console {
    /// Starts its threads. `changed` is called after an operator changed something.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn start(live: Live, committer: Committer, changed: Changed) -> io::Result<Console> {
        let reader = Reader::of(live.now().config.database.clone());
        let names = Names::start(live.clone(), reader, committer.clone())?;
        let desk = Arc::new(Desk::new(live, committer, changed));
        let (waiting, jobs) = sync_channel(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..WORKERS {
            let (desk, jobs) = (Arc::clone(&desk), Arc::clone(&jobs));
            thread::Builder::new()
                .name(format!("console-{index}"))
                .spawn(move || work(&desk, &jobs))?;
        }
        Ok(Console {
            desk,
            waiting,
            long: Seats::new(LONG_MAX),
            under_way: UnderWay::default(),
            _names: names,
        })
    }

    /// Whether a path is the console's.
    pub fn is_at(path: &str) -> bool {
        let rest = path.strip_prefix(ROOT);
        path == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers one request, or has it answered.
    pub fn handle(self: &Arc<Self>, exchange: Exchange) {
        let asked = match self.desk.ask(&exchange.request) {
            Ok(asked) => asked,
            Err(reply) => return finish(exchange, reply),
        };
        let console = Arc::clone(self);
        match asked.doer() {
            Doer::Aside => match self.long.take() {
                Some(seat) => exchange.aside(move |it| console.do_here(it, asked, seat)),
                None => {
                    let busy = self.desk.sorry(503, "busy");
                    finish(exchange, busy.with("Retry-After", "5"));
                }
            },
            Doer::Desk if exchange.is_read() => self.pass_on(exchange, asked),
            // It comes as slowly as its sender likes: nobody else waits for it.
            Doer::Desk => exchange.aside(move |it| console.pass_on(it, asked)),
        }
    }

    /// Waits until what was asked is answered, at most `within`.
    pub fn wait(&self, within: Duration) {
        self.under_way.wait(within);
    }

    /// Reads the form and leaves the rest to those who draw pages.
    fn pass_on(&self, exchange: Exchange, asked: Asked) {
        let Some(job) = self.read(exchange, asked) else {
            return;
        };
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.waiting.try_send(job)
        {
            let reply = Reply::text(503, "too much is asked at once: try again in a moment");
            send(job.exchange, reply.with("Retry-After", "1"));
        }
    }

    /// Reads the form and does what it asks for.
    fn do_here(&self, exchange: Exchange, asked: Asked, seat: Seat) {
        if let Some(job) = self.read(exchange, asked) {
            answer(&self.desk, &self.desk.reader(), job);
        }
        drop(seat);
    }

    /// A request with its form; `None` when there is none, which is said.
    fn read(&self, mut exchange: Exchange, mut asked: Asked) -> Option<Job> {
        match body::read(&mut exchange.request, asked.body_bytes_max()) {
            Ok(body) => asked.body = body,
            Err(body::Unread::TooLong) => {
                send(exchange, Reply::text(413, "this form is too long"));
                return None;
            }
            Err(body::Unread::Broken) => {
                send(exchange, Reply::text(400, "the form cannot be read"));
                return None;
            }
        }
        Some(Job {
            exchange,
            asked,
            counted: self.under_way.count(),
        })
    }
}

fn work(desk: &Desk, jobs: &Mutex<Receiver<Job>>) {
    let reader = desk.reader();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // Nobody sends any more: the service is gone.
        let Ok(job) = job else { return };
        threads::round("console", || answer(desk, &reader, job));
    }
}

fn answer(desk: &Desk, reader: &Reader, job: Job) {
    let Job {
        exchange,
        asked,
        counted,
    } = job;
    let drawn = AssertUnwindSafe(|| desk.answer(reader, &exchange.request, &asked));
    let reply = catch_unwind(drawn).unwrap_or_else(|_| {
        log::error!("msg=\"a page of the console made us panic; it was answered 500\"");
        Reply::text(500, "this page cannot be shown: a bug of ours")
    });
    if reply.is_long() {
        // Its reader takes it as slowly as they like.
        exchange.aside(move |exchange| {
            send(exchange, reply);
            drop(counted);
        });
    } else {
        send(exchange, reply);
    }
}

fn send(exchange: Exchange, reply: Reply) {
    let Exchange { request, turn } = exchange;
    reply.send(request);
    drop(turn);
}

/// Answers a request whose form nobody wants: it is not held, and read away on a thread
/// of its own when that can take long.
fn finish(exchange: Exchange, reply: Reply) {
    if exchange.is_read() {
        return send(exchange, reply);
    }
    exchange.aside(move |mut exchange| {
        body::discard(&mut exchange.request);
        send(exchange, reply);
    });
}
