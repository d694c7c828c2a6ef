//! A browser for the console, as far as forms and cookies go, and a service with
//! a password.

use super::{Answer, Place, request};
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub const PASSWORD: &str = "four words are enough";

/// Of [`PASSWORD`], with few rounds: tests log in often.
pub const HASH: &str =
    "pbkdf2-sha256:100000:AAECAwQFBgcICQoLDA0ODw:9+WKhfakcTvp2xEZh4nRo/kU1PPJCp1jfa3BP4SQTuk";

pub const SECRET: &str = "a-secret-for-sessions-a-secret-for-sessions";

/// A service with a console.
pub struct Stage {
    pub place: Place,
    pub address: SocketAddr,
}

impl Stage {
    /// With these settings besides.
    pub fn new(settings: &[(&str, &str)]) -> Stage {
        let own = [
            ("CONSOLE_PASSWORD_HASH", HASH),
            ("SESSION_SECRET", SECRET),
            ("OPERATOR_LISTEN", "127.0.0.1:0"),
        ];
        let mut place = Place::new(&[&own, settings].concat());
        let address = address(&mut place);
        Stage { place, address }
    }

    /// Ends it as a crash would, and starts it with these settings changed.
    pub fn restart(&mut self, settings: &[(&str, &str)]) {
        let setup = self.place.setup.clone();
        let changed = settings
            .iter()
            .fold(setup, |setup, (name, value)| setup.set(name, value));
        self.place.setup = changed;
        self.place.crash();
        self.address = address(&mut self.place);
    }

    pub fn browser(&self) -> Browser {
        Browser::at(self.address)
    }

    pub fn logged_in(&self) -> Browser {
        let mut browser = self.browser();
        browser.get("/console/login");
        let answer = browser.send("/console/login", &[("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser.get("/console");
        browser
    }
}

fn address(place: &mut Place) -> SocketAddr {
    let line = place.service.wait_for_log("msg=\"serving the console\"");
    let listen = line.split("listen=").nth(1).unwrap();
    listen.split(' ').next().unwrap().parse().unwrap()
}

/// Keeps cookies, and the token of the last form it saw.
#[derive(Clone)]
pub struct Browser {
    pub address: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    pub token: String,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
}

impl Browser {
    /// A new one, that knows nothing yet.
    pub fn at(address: SocketAddr) -> Browser {
        Browser {
            address,
            cookies: BTreeMap::new(),
            token: String::new(),
            headers: Vec::new(),
        }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// As the script asks for what is live.
    pub fn poll(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[("X-Wabridge-Live", "1")], b"")
    }

    /// Sends a form with the token that it saw last.
    pub fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", &self.token);
        form.extend_pairs(fields);
        let body = form.finish();
        let type_ = ("Content-Type", "application/x-www-form-urlencoded");
        self.ask("POST", path, &[type_], body.as_bytes())
    }

    pub fn ask(&mut self, method: &str, path: &str, own: &[(&str, &str)], body: &[u8]) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let cookies = cookies.join("; ");
        let headers = self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let mut headers: Vec<(&str, &str)> = headers.chain(own.iter().copied()).collect();
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let answer = request(self.address, method, path, &headers, body).expect("an answer");
        for line in answer.head.lines() {
            let Some(cookie) = line.strip_prefix("Set-Cookie: ") else {
                continue;
            };
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.into(), value.into()),
            };
        }
        let field = "name=\"token\" value=\"";
        if let Some(token) = answer.body.split(field).nth(1) {
            self.token = token.split('"').next().unwrap().into();
        }
        answer
    }
}
