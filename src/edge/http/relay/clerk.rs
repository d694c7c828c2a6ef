//! One call that is passed on: what goes to Graph, and what comes back.

use super::caller::{Caller, Reply, Trouble};
use super::clearance::Cleared;
use super::streaming::Scrubbed;
use super::{Answer, Asked, Desk, FILES, Job, SMALL_BYTES_MAX, refuse, trouble_answer};
use crate::edge::clock;
use crate::edge::graph::{Answered, CALL, Call, Payload, Target, Unanswered};
use crate::edge::live::InForce;
use crate::gateway::marketing;
use crate::store::Tx;
use crate::wire::multipart;
use crate::wire::outgoing;
use crate::wire::raw;
use crate::wire::relay::answer::{self, scrub};
use crate::wire::relay::link::{File, Links};
use crate::wire::relay::{form, heads};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tiny_http::Method;

/// A file of 100 MB in this time needs 3 Mbit/s.
const TRANSFER: Duration = Duration::from_secs(300);

/// Serves one call, by the settings that are in force when it begins.
pub(super) struct Clerk<'d> {
    pub(super) desk: &'d Desk,
    pub(super) live: Arc<InForce>,
}

impl<'d> Clerk<'d> {
    /// By the settings as they are now.
    pub(super) fn at(desk: &'d Desk) -> Clerk<'d> {
        let live = desk.live.now();
        Clerk { desk, live }
    }

    /// Addresses that lead to us, of files at Graph.
    fn links(&self) -> Links {
        Links::new(&self.desk.key, &self.live.config.graph_url)
    }

    /// Answers it, whatever comes.
    pub(super) fn serve(&self, job: Job) {
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

    /// Writes an answer while it comes.
    pub(super) fn stream(
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

    /// What is said when the rest of an answer does not come.
    pub(super) fn broke_off(&self, error: &std::io::Error) -> Answer {
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
