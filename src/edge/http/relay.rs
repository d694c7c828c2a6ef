//! Calls passed on to Graph: files up and down, templates, profiles, and
//! whatever else a number or its account has. Our token goes in, the caller's
//! key comes out, and bodies pass through piece by piece.
//!
//! A file may take minutes, so this has threads of its own, few and with a
//! short queue: neither the webhook nor sends wait for it. What may pass is
//! decided in [`wire::relay`](crate::wire::relay).
//!
//! * [`caller`]: the caller's side, with its body and its answer
//! * `clearance`: whose token a call gets, if any
//! * `streaming`: answers that are written while they come
//! * `stored`: customers' files that we have ourselves

pub mod caller;
mod clearance;
mod stored;
mod streaming;

use super::Answer;
use super::exchange::Exchange;
use super::graph_api::answers::refuse;
use super::under_way::{Counted, UnderWay};
use crate::edge::clock;
use crate::edge::graph::{Answered, CALL, Call, Payload, Target, Unanswered};
use crate::edge::live::{InForce, Live};
use crate::edge::log::Few;
use crate::gateway::marketing;
use crate::store::{Committer, Tx};
use crate::wire::multipart;
use crate::wire::outgoing;
use crate::wire::raw;
use crate::wire::relay::answer::{self, scrub};
use crate::wire::relay::link::{File, Links};
use crate::wire::relay::{form, heads};
use caller::{Caller, Reply, Trouble};
use clearance::{Cleared, Known};
use std::collections::HashMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use streaming::Scrubbed;
use tiny_http::Method;

/// Calls passed on at once. Most wait for Graph or for a slow line.
pub const RELAYS: usize = 16;

/// Calls that wait for one of these to end; more are told to come again.
const WAITING_MAX: usize = 64;

/// A file of 100 MB in this time needs 3 Mbit/s.
const TRANSFER: Duration = Duration::from_secs(300);

/// Meta's largest file has 100 MB (documents), and a form around it.
pub const BODY_BYTES_MAX: u64 = 101 << 20;

/// What is neither a file nor a form in parts is small, and read whole.
const SMALL_BYTES_MAX: usize = 1 << 20;

/// The first part of the paths of files.
pub const FILES: &str = "/files/";

/// Passes calls on.
pub struct Relay {
    waiting: SyncSender<Job>,
    under_way: UnderWay,
    desk: Arc<Desk>,
}

/// What is asked of Graph.
pub enum Asked {
    /// A path of Graph's, by its parts, and its query without credentials.
    Path { parts: Vec<String>, query: String },
    /// A file, by the name we gave it.
    File(String),
}

struct Job {
    exchange: Exchange,
    asked: Asked,
    /// Until it is answered.
    _counted: Counted,
}

impl Relay {
    /// Starts the threads.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn start(live: Live, committer: Committer) -> std::io::Result<Relay> {
        let (waiting, jobs) = sync_channel(WAITING_MAX);
        let desk = Arc::new(Desk::new(live, committer));
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..RELAYS {
            let (desk, jobs) = (Arc::clone(&desk), Arc::clone(&jobs));
            thread::Builder::new()
                .name(format!("relay-{index}"))
                .spawn(move || work(&desk, &jobs))?;
        }
        Ok(Relay {
            waiting,
            under_way: UnderWay::default(),
            desk,
        })
    }

    /// Passes a call on, on a thread of ours. It is answered there.
    pub fn pass(&self, exchange: Exchange, asked: Asked) {
        // Its answer would have to wait for that of the request before it, and
        // a relay with it. On a Unix socket nobody knows.
        let pipelined = !exchange.turn.is_first() && exchange.request.remote_addr().is_some();
        if pipelined {
            let text = "another request of this connection is not answered yet: wait for it";
            return exchange.answer_unread(refuse(503, 2, text));
        }
        let job = Job {
            exchange,
            asked,
            _counted: self.under_way.count(),
        };
        let Err(refused) = self.waiting.try_send(job) else {
            return;
        };
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = refused;
        if let Some(held_back) = self.desk.full.pass(clock::now_ms()) {
            log::warn!("msg=\"too many calls are being passed on to Graph\"{held_back}");
        }
        let text = "too many calls are being passed on to Graph: try again in a moment";
        let answer = refuse(503, 2, text).with("Retry-After", "2");
        job.exchange.answer_unread(answer);
    }

    /// Waits until no call is under way, at most `within`. What still is then
    /// ends with the process, and its caller sees the connection break.
    pub fn wait(&self, within: Duration) {
        self.under_way.wait(within);
    }
}

fn work(desk: &Desk, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = {
            let jobs = jobs.lock().unwrap_or_else(|e| e.into_inner());
            jobs.recv()
        };
        let Ok(job) = job else { return };
        // A panic drops the request, which answers it 500.
        if catch_unwind(AssertUnwindSafe(|| Clerk::at(desk).serve(job))).is_err() {
            log::error!("msg=\"a relayed call made us panic; it was answered 500\"");
        }
    }
}

/// What relays share.
struct Desk {
    live: Live,
    committer: Committer,
    /// Seals addresses of files. They live five minutes, and one made before a
    /// restart is looked up again; a key of the settings might be known to a
    /// caller.
    key: [u8; 32],
    known: Mutex<HashMap<String, Known>>,
    /// How often a full queue is told, and calls that failed.
    full: Few,
    failed: Few,
}

impl Desk {
    fn new(live: Live, committer: Committer) -> Desk {
        Desk {
            live,
            committer,
            key: clock::random(),
            known: Mutex::default(),
            full: Few::default(),
            failed: Few::default(),
        }
    }
}

/// Serves one call, by the settings that are in force when it begins.
struct Clerk<'d> {
    desk: &'d Desk,
    live: Arc<InForce>,
}

impl<'d> Clerk<'d> {
    fn at(desk: &'d Desk) -> Clerk<'d> {
        let live = desk.live.now();
        Clerk { desk, live }
    }

    fn links(&self) -> Links {
        Links::new(&self.desk.key, &self.live.config.graph_url)
    }

    fn serve(&self, job: Job) {
        let Job {
            exchange,
            asked,
            _counted,
        } = job;
        let caller = match Caller::of(exchange) {
            Ok(caller) => caller,
            Err(refused) => {
                let (exchange, trouble) = *refused;
                return exchange.answer_unread(trouble_answer(trouble));
            }
        };
        match asked {
            Asked::Path { parts, query } => self.path(caller, &parts, &query),
            Asked::File(name) => self.file(caller, &name),
        }
    }

    /// A call of Graph's API.
    fn path(&self, mut caller: Caller, parts: &[String], query: &str) {
        if let ([id], true) = (parts, caller.method == Method::Get) {
            let Some(unanswered) = self.describe_stored(caller, id) else {
                return;
            };
            caller = unanswered;
        }
        let cleared = match self.clear(parts, query) {
            Ok(cleared) => cleared,
            Err(answer) => return caller.answer(answer),
        };
        let joined = parts.join("/");
        let target = match query.is_empty() {
            true => joined,
            false => format!("{joined}?{query}"),
        };
        let way = Way::of(&caller, parts).map_err(trouble_answer);
        let mut answered = way.and_then(|way| self.call(&mut caller, &target, &cleared, way));
        if let ([id], true) = (parts, caller.method == Method::Delete) {
            answered = answered.and_then(|answered| self.delete_stored(answered, id));
        }
        match answered {
            Ok(answered) => self.hand_back(caller, answered, &cleared),
            Err(answer) => caller.answer(answer),
        }
    }

    fn call(
        &self,
        caller: &mut Caller,
        target: &str,
        cleared: &Cleared<'_>,
        way: Way<'_>,
    ) -> Result<Answered, Answer> {
        let headers = caller.headers.clone();
        let method = caller.method.to_string();
        let call = |body, within| {
            self.live.graph.call(Call {
                method: &method,
                target: Target::Path(target),
                token: cleared.token,
                headers: &headers,
                body,
                within,
            })
        };
        let answered = match way {
            Way::Nothing => call(Payload::Nothing, CALL),
            Way::Piecewise { boundary } => {
                let mut body = caller.body(boundary.as_deref());
                let length = body.length();
                let answered = call(Payload::Stream(&mut body, length), TRANSFER);
                // What went wrong at the caller's side is why the call failed.
                if let Some(trouble) = body.trouble {
                    return Err(trouble_answer(trouble));
                }
                answered
            }
            Way::Whole { advertiser } => {
                let body = caller.read_whole(SMALL_BYTES_MAX).map_err(trouble_answer)?;
                let body = form::without_credentials(body, &caller.content_type);
                if let Some(number) = advertiser {
                    self.check_wanted(number, &body)?;
                }
                call(Payload::Whole(&body), CALL)
            }
        };
        answered.map_err(|unanswered| self.failed(&unanswered))
    }

    /// Marketing goes past the outbox here, but not past who wants none.
    fn check_wanted(&self, number: &str, body: &[u8]) -> Result<(), Answer> {
        let body = std::str::from_utf8(body).unwrap_or_default();
        let recipient = raw::members(body).and_then(|parts| outgoing::recipient(&parts));
        let Some(recipient) = recipient else {
            let text = "to: it is not said whom the message is for; write it as a JSON object";
            return Err(refuse(400, 100, text));
        };
        let number = number.to_owned();
        let looked = move |tx: &Tx<'_>| marketing::has_stopped(tx, &number, &recipient);
        match self.desk.committer.commit(looked) {
            Ok(false) => Ok(()),
            Ok(true) => Err(refuse(
                400,
                marketing::STOPPED,
                "the person has stopped marketing messages from this number",
            )),
            Err(error) => {
                log::error!("msg=\"it cannot be read who wants no marketing\" error=\"{error}\"");
                let text = "it cannot be read whether the person wants this: try again later";
                Err(refuse(503, 2, text))
            }
        }
    }

    /// Graph's answer, with addresses that lead to us and without our token.
    fn hand_back(&self, caller: Caller, answered: Answered, cleared: &Cleared<'_>) {
        if let Err(answer) = self.no_redirect(&answered) {
            return caller.answer(answer);
        }
        let Answered {
            status,
            headers,
            length,
            mut body,
        } = answered;
        let headers = passed_back(&headers);
        let mut start = Vec::new();
        let limit = SMALL_BYTES_MAX as u64 + 1;
        if let Err(error) = body.by_ref().take(limit).read_to_end(&mut start) {
            return caller.answer(self.broke_off(&error));
        }
        if start.len() > SMALL_BYTES_MAX {
            let rest = std::io::Cursor::new(start).chain(body);
            let clean = Scrubbed::new(rest, cleared.token.expose());
            return self.stream(caller, status, headers, length, clean);
        }
        let origin = caller.origin.clone();
        let links = self.links();
        let file = |url: &str| {
            let (owner, url) = (cleared.owner.clone(), url.to_owned());
            let name = links.seal(&File { owner, url })?;
            Some(format!("{origin}{FILES}{name}"))
        };
        let page = |url: &str| answer::page(url, &self.live.config.graph_url, &origin);
        let text = std::str::from_utf8(&start).ok();
        let new = text.and_then(|text| answer::rewrite(text, &file, &page));
        let mut body = new.map_or(start, String::into_bytes);
        scrub(&mut body, cleared.token.expose().as_bytes());
        caller.reply(Reply {
            status,
            headers,
            body,
        });
    }

    /// A file, from where Graph said it is.
    fn file(&self, caller: Caller, name: &str) {
        let Some(caller) = self.serve_stored(caller, name) else {
            return;
        };
        let file = self.links().open(name);
        let token = file.as_ref().and_then(|file| self.token(&file.owner));
        let (Some(file), Some(token)) = (file, token) else {
            let text = "no file has this address, or not any more: look it up again by its id";
            return caller.answer(refuse(404, 100, text));
        };
        let answered = self.live.graph.call(Call {
            method: "GET",
            target: Target::Url(&file.url),
            token,
            headers: &caller.headers,
            body: Payload::Nothing,
            within: TRANSFER,
        });
        let answered = match answered {
            Ok(answered) => answered,
            Err(unanswered) => return caller.answer(self.failed(&unanswered)),
        };
        if let Err(answer) = self.no_redirect(&answered) {
            return caller.answer(answer);
        }
        let headers = passed_back(&answered.headers);
        self.stream(
            caller,
            answered.status,
            headers,
            answered.length,
            answered.body,
        );
    }

    fn stream(
        &self,
        caller: Caller,
        status: u16,
        headers: Vec<(String, String)>,
        length: Option<u64>,
        body: impl Read,
    ) {
        if let Err(error) = caller.stream(status, &headers, length, body) {
            self.broke_off(&error);
        }
    }

    /// Redirects lead to other hosts, and our token with them.
    fn no_redirect(&self, answered: &Answered) -> Result<(), Answer> {
        match answered.status {
            300..=399 if answered.status != 304 => {
                let text = "Graph answered with a redirect, which is not followed";
                Err(refuse(502, 2, text))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, unanswered: &Unanswered) -> Answer {
        let (reason, timed_out) = (&unanswered.reason, unanswered.timed_out);
        if let Some(held_back) = self.desk.failed.pass(clock::now_ms()) {
            log::warn!("msg=\"a call could not be passed on\" reason=\"{reason}\"{held_back}");
        }
        match timed_out {
            true => refuse(504, 2, "Graph did not answer in time"),
            false => refuse(502, 2, "Graph could not be reached, or did not answer"),
        }
    }

    fn broke_off(&self, error: &std::io::Error) -> Answer {
        if let Some(held_back) = self.desk.failed.pass(clock::now_ms()) {
            let kind = error.kind();
            log::warn!("msg=\"Graph's answer broke off\" reason=\"{kind}\"{held_back}");
        }
        refuse(502, 2, "Graph's answer broke off")
    }
}

/// How a caller's body goes on to Graph.
enum Way<'p> {
    /// There is none.
    Nothing,
    /// As it comes: a file, or a form in parts with one in it.
    Piecewise { boundary: Option<String> },
    /// When all of it is read: a program's parameters. Marketing for a number is one
    /// such: what is advertised, and to whom, is read before it goes on.
    Whole { advertiser: Option<&'p str> },
}

impl<'p> Way<'p> {
    /// # Errors
    /// When it is to go on as it comes, and its end could not be told from a break.
    fn of(caller: &Caller, path: &'p [String]) -> Result<Way<'p>, Trouble> {
        if caller.method == Method::Get || !caller.has_body() {
            return Ok(Way::Nothing);
        }
        let advertiser = advertiser(path);
        if advertiser.is_some() {
            return Ok(Way::Whole { advertiser });
        }
        // Their bytes are the file itself, whatever they are called.
        let is_upload = path[0].starts_with("upload:");
        let boundary = multipart::boundary(&caller.content_type).filter(|_| !is_upload);
        let is_small = !is_upload && heads::is_small(&caller.content_type);
        match boundary {
            Some(_) => Ok(Way::Piecewise {
                boundary: boundary.map(str::to_owned),
            }),
            None if is_small => Ok(Way::Whole { advertiser: None }),
            None if caller.is_measured() => Ok(Way::Piecewise { boundary: None }),
            None => Err(Trouble::NoLength),
        }
    }
}

/// The number that sends marketing by Graph's path for it (Meta: Marketing
/// Messages API), which takes nothing else.
fn advertiser(path: &[String]) -> Option<&str> {
    match path {
        [number, edge] if edge == "marketing_messages" => Some(number),
        _ => None,
    }
}

fn passed_back(headers: &[(String, String)]) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .filter_map(|(name, value)| heads::to_caller(name, value))
        .collect()
}

fn trouble_answer(trouble: Trouble) -> Answer {
    match trouble {
        Trouble::TooLong(limit) => {
            refuse(413, 100, &format!("the body is over {} MiB", limit >> 20))
        }
        Trouble::Cut => refuse(400, 100, "the body ended before its end"),
        Trouble::Slow => refuse(408, 100, "the body did not come in time"),
        Trouble::Malformed => refuse(400, 100, "the body is not the form its Content-Type says"),
        Trouble::NoLength => refuse(
            411,
            100,
            "send this body with a Content-Length: in chunks its end cannot be told from a break",
        ),
    }
}
