//! In and out: the page that asks for the password, the cookies, and how often a
//! password may be tried.

use super::ROOT;
use super::desk::{Asked, Desk};
use super::form::Form;
use super::reply::Reply;
use super::visit::{self, Shown, Visit};
use crate::config;
use crate::edge::clock;
use crate::edge::http::header;
use crate::edge::log::Few;
use crate::gateway::trail;
use crate::policy::attempts::{Answer, Attempts, Place, Who};
use crate::policy::session::{BROWSER_LASTS_MS, Purpose, Session};
use crate::store::rows::NewDeed;
use minijinja::context;
use std::sync::{Mutex, TryLockError};
use tiny_http::Request;

/// Who may come in. To check a password takes some tenths of a second of one
/// processor, on purpose: one is checked at a time.
#[derive(Default)]
pub struct Door {
    attempts: Mutex<Attempts>,
    lines: Few,
}

/// How it went.
enum Tried {
    Right,
    Wrong,
    /// Not looked at: again in so many milliseconds.
    Wait(i64),
}

impl Door {
    fn try_password(&self, console: &config::Console, who: Who, password: &str) -> Tried {
        let mut attempts = match self.attempts.try_lock() {
            Ok(attempts) => attempts,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // Somebody's is being checked.
            Err(TryLockError::WouldBlock) => return Tried::Wait(1_000),
        };
        let now = clock::monotonic_us() / 1_000;
        if let Answer::Wait(wait) = attempts.ask(who, now) {
            return Tried::Wait(wait);
        }
        match console.password.is_of(password) {
            true => {
                attempts.right(who);
                Tried::Right
            }
            false => {
                attempts.wrong(who, now);
                Tried::Wrong
            }
        }
    }
}

/// The page that asks for the password, and what comes of one.
pub(super) fn enter(
    desk: &Desk,
    console: &config::Console,
    request: &Request,
    asked: &Asked,
    is_in: bool,
    form: Option<&Form>,
) -> Shown {
    let now = clock::now_ms();
    let next = match form {
        Some(form) => form.get("next").to_owned(),
        None => query_parameter(asked.query(), "next"),
    };
    let next = if is_ours(&next) { next } else { String::new() };
    let borne = |purpose| {
        let mut cookies = cookies(request, purpose);
        cookies.find_map(|cookie| console.sessions.session(purpose, cookie, now).ok())
    };
    let visitor = borne(Purpose::Visitor);
    let Some(form) = form else {
        if is_in {
            return Ok(Reply::see(&visit::address(&next, None)));
        }
        let notice = query_parameter(asked.query(), "notice");
        return page(desk, console, asked, visitor, 200, (&next, &notice, None));
    };
    let token = form.get("token");
    let shown = visitor.is_some_and(|visitor| console.sessions.is_form_token(&visitor, token));
    if !asked.asker.from_here || !shown {
        return page(
            desk,
            console,
            asked,
            visitor,
            403,
            (&next, "try_again", None),
        );
    }
    let browser = borne(Purpose::Browser);
    let who = match &browser {
        Some(browser) => Who::Browser(browser.id),
        None if asked.asker.is_here => Who::Here,
        None => Who::At(Place::of(asked.asker.ip)),
    };
    match desk.door().try_password(console, who, form.get("password")) {
        Tried::Right => {
            let session = Session::begin(clock::random(), now);
            let (name, address) = (session.name(), asked.asker.ip.to_string());
            desk.committer().commit(move |tx| {
                let deed = NewDeed {
                    at: now,
                    session: &name,
                    address: &address,
                    action: "login",
                    subject: "",
                };
                trail::record(tx, &deed)
            })?;
            log::info!(
                "msg=\"somebody logged in to the console\" session={}",
                session.name()
            );
            let cookie = console.sessions.cookie(Purpose::Operator, &session);
            let reply = Reply::see(&visit::address(&next, None));
            let reply = set_cookie(reply, Purpose::Operator, &cookie, asked.asker.by_tls);
            let id = browser.map_or_else(clock::random, |browser| browser.id);
            let known = Session::begin(id, now);
            let cookie = console.sessions.cookie(Purpose::Browser, &known);
            let reply = set_cookie(reply, Purpose::Browser, &cookie, asked.asker.by_tls);
            Ok(set_cookie(reply, Purpose::Visitor, "", asked.asker.by_tls))
        }
        Tried::Wrong => {
            if let Some(held_back) = desk.door().lines.pass(now) {
                log::warn!("msg=\"a wrong password for the console\"{held_back}");
            }
            page(
                desk,
                console,
                asked,
                visitor,
                403,
                (&next, "wrong_password", None),
            )
        }
        Tried::Wait(wait) => {
            let seconds = (wait + 999) / 1_000;
            let facts = (next.as_str(), "too_often", Some(seconds * 1_000));
            let reply = page(desk, console, asked, visitor, 429, facts)?;
            Ok(reply.with("Retry-After", seconds.to_string()))
        }
    }
}

/// The page: where it leads, what is to be said, and how long to wait.
fn page(
    desk: &Desk,
    console: &config::Console,
    asked: &Asked,
    visitor: Option<Session>,
    status: u16,
    (next, notice, wait): (&str, &str, Option<i64>),
) -> Shown {
    let visitor = visitor.unwrap_or_else(|| Session::begin(clock::random(), clock::now_ms()));
    let token = console.sessions.form_token(&visitor);
    let facts = context! {
        token => desk.render().token(&token),
        notice,
        next,
        wait,
    };
    let reply = Reply::page(status, desk.render().page("login.html", facts)?);
    let cookie = console.sessions.cookie(Purpose::Visitor, &visitor);
    Ok(set_cookie(
        reply,
        Purpose::Visitor,
        &cookie,
        asked.asker.by_tls,
    ))
}

/// Ends the session.
pub fn end(visit: &Visit, _form: &Form) -> Shown {
    let (session, now) = (visit.session, visit.now);
    visit.change("logout", "", move |tx| {
        trail::end_session(tx, &session, now)
    })?;
    let reply = Reply::see(&visit::address("/login", Some("logged_out")));
    Ok(set_cookie(reply, Purpose::Operator, "", visit.by_tls))
}

/// Where the password is asked for, before a page is shown.
pub(super) fn address(next: &str) -> String {
    match next {
        "" => format!("{ROOT}/login"),
        next => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("{ROOT}/login?next={next}")
        }
    }
}

/// Whether a path below the console's root leads to nowhere else.
fn is_ours(next: &str) -> bool {
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    plain && (next.is_empty() || next.starts_with('/') || next.starts_with('?'))
}

fn query_parameter(query: &str, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

fn cookie_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Operator => "wabridge_session",
        Purpose::Visitor => "wabridge_login",
        Purpose::Browser => "wabridge_browser",
    }
}

/// The values of our cookies of this kind: a browser may send several.
pub(super) fn cookies(request: &Request, purpose: Purpose) -> impl Iterator<Item = &str> {
    let pairs = header(request, "Cookie").unwrap_or_default().split(';');
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(name, value)| (name == cookie_name(purpose)).then_some(value))
}

/// Sets a cookie; an empty one is taken back. It goes to no page of others and into no
/// script, and ends with the browser, unless it is by that that the browser is known.
pub(super) fn set_cookie(reply: Reply, purpose: Purpose, value: &str, by_tls: bool) -> Reply {
    let ended = match purpose {
        _ if value.is_empty() => "; Max-Age=0".to_owned(),
        Purpose::Browser => format!("; Max-Age={}", BROWSER_LASTS_MS / 1_000),
        Purpose::Operator | Purpose::Visitor => String::new(),
    };
    let secure = if by_tls { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path={ROOT}; HttpOnly; SameSite=Strict{ended}{secure}",
        cookie_name(purpose)
    );
    reply.with("Set-Cookie", cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_login_one_stays_here() {
        for (next, expected) in [
            ("", true),
            ("/trail", true),
            ("/trail?before=7", true),
            ("?hours=1", true),
            ("https://evil.example", false),
            (".evil.example", false),
            ("@evil.example", false),
            ("/\\evil.example", false),
            ("/a\r\nSet-Cookie: x", false),
        ] {
            assert_eq!(is_ours(next), expected, "{next}");
        }
    }
}
