//! One request of somebody: who it is, whether they may, and what they get.

use super::form::Form;
use super::login::{self, Door};
use super::render::Render;
use super::reply::Reply;
use super::routes::{self, ACTIONS, Action, Doer, PAGES, Page};
use super::visit::{Shown, Trouble, Visit};
use super::{ROOT, assets};
use crate::config;
use crate::edge::clock;
use crate::edge::http::header;
use crate::edge::live::{InForce, Live};
use crate::gateway::trail;
use crate::policy::session::{Purpose, RENEW_AFTER_MS, Session};
use crate::store::{Committer, Reader, StoreError};
use std::net::IpAddr;
use std::sync::Arc;
use tiny_http::{Method, Request};

/// A password's form is short, and anybody may send it.
const LOGIN_BYTES_MAX: usize = 4 * 1024;

/// Called after something was changed.
pub type Changed = Arc<dyn Fn() + Send + Sync>;

/// What all requests share.
pub struct Desk {
    changed: Changed,
    live: Live,
    committer: Committer,
    render: Render,
    door: Door,
    /// For a look at who comes, before their form is read.
    peephole: Reader,
}

/// What is asked for.
pub struct Asked {
    method: Method,
    /// Below the console's root.
    path: String,
    query: String,
    to: To,
    /// Where it comes from.
    pub(super) asker: Asker,
    /// Read later.
    pub(super) body: Vec<u8>,
}

/// Where a request comes from.
pub(super) struct Asker {
    /// The browser's address, as the proxy tells it.
    pub ip: IpAddr,
    /// From this machine itself: no proxy tells of anybody else.
    pub is_here: bool,
    /// The proxy was reached by TLS.
    pub by_tls: bool,
    /// A form that was sent from one of our own pages, as far as the browser tells.
    pub from_here: bool,
    /// The script asks, not a person.
    pub is_poll: bool,
}

enum To {
    Login,
    Page(&'static Page, Vec<String>),
    Action(&'static Action, Vec<String>),
}

impl Asked {
    /// The query, as it was sent.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// How long a body may be.
    pub fn body_bytes_max(&self) -> usize {
        match &self.to {
            To::Login => LOGIN_BYTES_MAX,
            To::Page(..) => 0,
            To::Action(action, _) => action.body_bytes_max,
        }
    }

    /// Who answers it.
    pub fn doer(&self) -> Doer {
        match &self.to {
            To::Action(action, _) => action.doer,
            To::Login | To::Page(..) => Doer::Desk,
        }
    }
}

impl Desk {
    /// A desk on this store.
    pub fn new(live: Live, committer: Committer, changed: Changed) -> Desk {
        Desk {
            peephole: Reader::of(live.now().config.database.clone()),
            changed,
            live,
            committer,
            render: Render::built_in(),
            door: Door::default(),
        }
    }

    /// Says that there may be something to deliver or to send.
    pub(super) fn changed(&self) {
        (self.changed)();
    }

    /// A way to read for one who answers: of several who share one, each waits for
    /// the one before.
    pub fn reader(&self) -> Reader {
        Reader::of(self.live.now().config.database.clone())
    }

    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(super) fn render(&self) -> &Render {
        &self.render
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    /// What a request asks for, or what it gets at once.
    pub fn ask(&self, request: &Request) -> Result<Asked, Reply> {
        let live = self.live.now();
        let method = match request.method() {
            // The body is left out by whoever writes the answer.
            Method::Head => Method::Get,
            method => method.clone(),
        };
        if live.config.console.is_none() {
            return Err(Reply::text(404, self.render.words("off")));
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        let path = match path.strip_prefix(ROOT) {
            Some(below) => below.strip_suffix('/').unwrap_or(below),
            None => return Err(Reply::see(ROOT)),
        };
        if method == Method::Get
            && let Some(asset) = assets::at(path)
        {
            return Err(asset);
        }
        let to = match method {
            _ if path == "/login" => To::Login,
            Method::Get => routes::find(PAGES, |page| page.path, path)
                .map(|(page, parts)| To::Page(page, parts))
                .ok_or_else(|| self.sorry(404, "not_found"))?,
            Method::Post => routes::find(ACTIONS, |action| action.path, path)
                .map(|(action, parts)| To::Action(action, parts))
                .ok_or_else(|| self.sorry(404, "not_found"))?,
            _ => return Err(self.sorry(405, "no_method").with("Allow", "GET, POST")),
        };
        let asked = Asked {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            to,
            asker: asker(request),
            body: Vec::new(),
        };
        // Nobody has us hold a long form, or takes a seat, before we know who it is.
        if asked.body_bytes_max() > LOGIN_BYTES_MAX {
            let session = session_now(&self.peephole, &live, request, clock::now_ms());
            match session {
                Ok(Some(_)) if asked.asker.from_here => {}
                Ok(Some(_)) => return Err(self.sorry(403, "from_elsewhere")),
                Ok(None) => return Err(self.who_are_you(&asked)),
                Err(error) => return Err(self.trouble(&Trouble::Store(error))),
            }
        }
        Ok(asked)
    }

    /// The answer to a request whose body is read.
    pub fn answer(&self, reader: &Reader, request: &Request, asked: &Asked) -> Reply {
        let shown = self.shown(reader, request, asked);
        shown.unwrap_or_else(|trouble| self.trouble(&trouble))
    }

    fn shown(&self, reader: &Reader, request: &Request, asked: &Asked) -> Shown {
        let (live, now) = (self.live.now(), clock::now_ms());
        let Some(console) = &live.config.console else {
            return Ok(Reply::text(404, self.render.words("off")));
        };
        let session = session_now(reader, &live, request, now)?;
        let content_type = header(request, "Content-Type").unwrap_or_default();
        let form = Form::read(content_type, &asked.body);
        let (parts, to) = match &asked.to {
            To::Login => {
                let form = (asked.method == Method::Post).then_some(&form);
                return login::enter(self, console, request, asked, session.is_some(), form);
            }
            To::Page(page, parts) => (parts, Ok(page)),
            To::Action(action, parts) => (parts, Err(action)),
        };
        let Some(session) = session else {
            return Ok(self.who_are_you(asked));
        };
        let visit = Visit {
            desk: self,
            reader,
            live: Arc::clone(&live),
            now,
            session,
            address: asked.asker.ip.to_string(),
            parts: parts.clone(),
            query: asked.query.clone(),
            path: asked.path.clone(),
            is_poll: asked.asker.is_poll,
            by_tls: asked.asker.by_tls,
        };
        let reply = match to {
            Ok(page) => (page.show)(&visit)?,
            Err(_) if !asked.asker.from_here => self.sorry(403, "from_elsewhere"),
            Err(_) if !console.sessions.is_form_token(&session, form.get("token")) => {
                self.sorry(403, "no_token")
            }
            Err(action) => (action.act)(&visit, &form)?,
        };
        // What the script asks for by itself keeps nobody logged in.
        let renewed = now - session.seen > RENEW_AFTER_MS && !asked.asker.is_poll;
        Ok(match renewed && !reply.sets_cookies() {
            true => {
                let seen = Session {
                    seen: now,
                    ..session
                };
                let cookie = console.sessions.cookie(Purpose::Operator, &seen);
                login::set_cookie(reply, Purpose::Operator, &cookie, asked.asker.by_tls)
            }
            false => reply,
        })
    }

    /// For somebody who is not logged in, or not any more.
    fn who_are_you(&self, asked: &Asked) -> Reply {
        match (&asked.to, asked.asker.is_poll) {
            (To::Page(..), false) => {
                let mut next = asked.path.clone();
                if !asked.query.is_empty() {
                    next.push_str(&format!("?{}", asked.query));
                }
                Reply::see(&login::address(&next))
            }
            _ => self.sorry(401, "not_logged_in"),
        }
    }

    fn trouble(&self, trouble: &Trouble) -> Reply {
        match trouble {
            Trouble::NotFound => self.sorry(404, "not_found"),
            Trouble::Bad(key) => self.sorry(400, key),
            Trouble::Store(error) => {
                log::error!("msg=\"the console cannot use the store\" error=\"{error}\"");
                self.sorry(503, "store").with("Retry-After", "5")
            }
            Trouble::Template(error) => {
                // Its details may hold what was to be shown.
                log::error!(
                    "msg=\"a page of the console cannot be drawn\" template={} line={} kind=\"{}\"",
                    error.name().unwrap_or_default(),
                    error.line().unwrap_or_default(),
                    error.kind()
                );
                self.sorry(500, "template")
            }
        }
    }

    /// A page that says why there is none.
    pub(super) fn sorry(&self, status: u16, key: &str) -> Reply {
        let facts = minijinja::context! { key, status };
        match self.render.page("sorry.html", facts) {
            Ok(html) => Reply::page(status, html),
            Err(_) => Reply::text(status, key),
        }
    }
}

/// Whose session it is, when it was not ended.
fn session_now(
    reader: &Reader,
    live: &InForce,
    request: &Request,
    now: i64,
) -> Result<Option<Session>, StoreError> {
    let Some(session) = session_of(live, request, now) else {
        return Ok(None);
    };
    let ended = reader.read(|tx| trail::is_ended(tx, &session))?;
    Ok((!ended).then_some(session))
}

/// Whose session it is by the cookie alone.
fn session_of(live: &InForce, request: &Request, now: i64) -> Option<Session> {
    let config::Console { sessions, .. } = live.config.console.as_ref()?;
    let mut cookies = login::cookies(request, Purpose::Operator);
    cookies.find_map(|cookie| sessions.session(Purpose::Operator, cookie, now).ok())
}

fn asker(request: &Request) -> Asker {
    let peer = request.remote_addr().map(|address| address.ip());
    // A socket file has no addresses, and only this machine reaches it.
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let told = |name| header(request, name).filter(|_| peer.is_loopback());
    let forwarded = || told("X-Forwarded-For")?.rsplit(',').next();
    let told_ip = told("X-Real-IP").or_else(forwarded);
    let ip = told_ip.and_then(|ip| ip.trim().parse().ok());
    Asker {
        ip: ip.unwrap_or(peer),
        is_here: peer.is_loopback() && told_ip.is_none(),
        by_tls: told("X-Forwarded-Proto").is_some_and(|by| by.eq_ignore_ascii_case("https")),
        from_here: from_here(
            header(request, "Sec-Fetch-Site"),
            header(request, "Origin"),
            header(request, "Host"),
        ),
        is_poll: header(request, "X-Wabridge-Live").is_some(),
    }
}

/// Whether a form was sent from one of our own pages, by what the browser tells.
/// Whoever tells nothing is no browser of today, and has to show the form's token
/// all the same.
fn from_here(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> bool {
    match (site, origin) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == host
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_from_our_own_pages() {
        let cases = [
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("https://a.example"), true),
            (Some("same-site"), Some("https://a.example"), false),
            (Some("cross-site"), Some("https://a.example"), false),
            (Some("none"), None, false),
            (None, Some("https://a.example"), true),
            (None, Some("http://a.example"), true),
            (None, Some("https://b.example"), false),
            (None, Some("https://a.example:8443"), false),
            (None, Some("null"), false),
            (None, None, true),
        ];
        for (site, origin, expected) in cases {
            let found = from_here(site, origin, Some("a.example"));
            assert_eq!(found, expected, "{site:?} {origin:?}");
        }
        assert!(!from_here(None, Some("null"), None));
    }
}
