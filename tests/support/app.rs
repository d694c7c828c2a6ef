//! The business's app behind the service: remembers what it gets, answers by a
//! closure, and can be away.

use super::PATIENCE;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What an app gets.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    pub raw: String,
}

impl Received {
    /// What the customer wrote.
    pub fn text(&self) -> &str {
        let value = &self.body["entry"][0]["changes"][0]["value"];
        value["messages"][0]["text"]["body"]
            .as_str()
            .unwrap_or_default()
    }
}

/// How an app answers: status, body, headers. Status 0: it hangs up.
pub type AppAnswer = (u16, String, Vec<(&'static str, String)>);

/// An answer without headers.
pub fn says(status: u16, body: impl Into<String>) -> AppAnswer {
    (status, body.into(), Vec::new())
}

/// An HTTP app behind the service; remembers what it got, answers by a closure.
pub struct App {
    pub address: SocketAddr,
    state: Arc<(Mutex<Vec<Received>>, Condvar)>,
}

impl App {
    pub fn start(answer: impl Fn(&Received) -> AppAnswer + Send + Sync + 'static) -> App {
        Away::new().back(answer)
    }

    fn serve(
        listener: std::net::TcpListener,
        answer: impl Fn(&Received) -> AppAnswer + Send + Sync + 'static,
    ) -> App {
        let address = listener.local_addr().unwrap();
        let state: Arc<(Mutex<Vec<Received>>, Condvar)> = Arc::default();
        let answer = Arc::new(answer);
        let getting = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, answer) = (Arc::clone(&getting), Arc::clone(&answer));
                std::thread::spawn(move || serve_app(stream, &state, &*answer));
            }
        });
        App { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The texts it got, in order.
    pub fn texts(&self) -> Vec<String> {
        let received = self.received();
        received.iter().map(|r| r.text().to_owned()).collect()
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.0.lock().unwrap().clone()
    }

    /// Waits until at least `count` requests have come.
    pub fn wait(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        let mut got = self.state.0.lock().unwrap();
        while got.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} came", got.len());
            got = self
                .state
                .1
                .wait_timeout(got, Duration::from_millis(50))
                .unwrap()
                .0;
        }
        got.clone()
    }
}

/// An app that is down: its port is taken and refuses connections.
pub struct Away(std::os::fd::OwnedFd);

impl Away {
    pub fn new() -> Away {
        use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Away(socket)
    }

    pub fn url(&self) -> String {
        let address = rustix::net::getsockname(&self.0).unwrap();
        let address = SocketAddr::try_from(address).unwrap();
        format!("http://{address}/hook")
    }

    /// Up again, on the same port.
    pub fn back(self, answer: impl Fn(&Received) -> AppAnswer + Send + Sync + 'static) -> App {
        rustix::net::listen(&self.0, 128).unwrap();
        App::serve(self.0.into(), answer)
    }
}

fn serve_app(
    stream: TcpStream,
    state: &(Mutex<Vec<Received>>, Condvar),
    answer: &(dyn Fn(&Received) -> AppAnswer + Send + Sync),
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers
            .get("content-length")
            .and_then(|l| l.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let raw = String::from_utf8_lossy(&body).into_owned();
        let received = Received {
            headers,
            body: serde_json::from_str(&raw).unwrap_or(Value::Null),
            raw,
        };
        let (status, body, headers) = answer(&received);
        state.0.lock().unwrap().push(received);
        state.1.notify_all();
        if status == 0 {
            return None;
        }
        let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .ok()?;
    }
}
