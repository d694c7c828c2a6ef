//! A Graph that only counts: one thread that takes messages over keep-alive connections, writes down
//! when each came and to whom, and answers each after the same time that it was accepted.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
/// As "nice", for this thread alone.
const HURRY: i32 = -15;
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// A message that was taken.
pub struct Arrival {
    /// When the last of its bytes was read.
    pub at: Instant,
    pub to: String,
}

/// A running one.
pub struct Graph {
    pub address: SocketAddr,
    first: Arc<Mutex<Option<Instant>>>,
    taken: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<Vec<Arrival>>,
}

impl Graph {
    /// Starts one that takes `latency` for each answer.
    pub fn start(latency: Duration) -> io::Result<Graph> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), STOP)?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let first = Arc::new(Mutex::new(None));
        let taken = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        let mut taking = Taking {
            poll,
            listener,
            latency,
            connections: HashMap::new(),
            opened: 0,
            answers: VecDeque::new(),
            arrivals: Vec::new(),
            first: Arc::clone(&first),
            taken: Arc::clone(&taken),
        };
        let stop = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("graph".into());
        let thread = thread.spawn(move || {
            // On a busy machine it must not be the one that is late. Only root may; without, its
            // own lateness is taken for wabridge's.
            let _ = rustix::process::setpriority_process(None, HURRY);
            while !stop.load(Ordering::SeqCst) {
                if let Err(error) = taking.turn() {
                    eprintln!("the counting Graph: {error}");
                    break;
                }
            }
            taking.arrivals
        })?;
        Ok(Graph {
            address,
            first,
            taken,
            stopping,
            waker,
            thread,
        })
    }

    /// When the first call came; `None` when none came for so long.
    pub fn await_first(&self, patience: Duration) -> Option<Instant> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let first = *self.first.lock().expect("nobody panics holding it");
            if first.is_some() {
                return first;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// How many calls have come.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Ends it and tells what came.
    pub fn stop(self) -> Vec<Arrival> {
        self.stopping.store(true, Ordering::SeqCst);
        // It wakes at its next event otherwise.
        let _ = self.waker.wake();
        self.thread.join().unwrap_or_default()
    }
}

struct Taking {
    poll: Poll,
    listener: TcpListener,
    latency: Duration,
    connections: HashMap<usize, Connection>,
    opened: usize,
    /// Whom to answer when; in order, since all wait equally long.
    answers: VecDeque<(Instant, usize)>,
    arrivals: Vec<Arrival>,
    first: Arc<Mutex<Option<Instant>>>,
    taken: Arc<AtomicUsize>,
}

struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    to: String,
}

impl Taking {
    fn turn(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let now = Instant::now();
        let next = self.answers.front().map(|(at, _)| *at - now.min(*at));
        match self.poll.poll(&mut events, next) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => self.accept()?,
                STOP => {}
                Token(n) => self.hear(n),
            }
        }
        self.answer();
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let token = Token(self.opened);
            let registry = self.poll.registry();
            registry.register(&mut socket, token, Interest::READABLE)?;
            let connection = Connection {
                socket,
                request: Vec::new(),
                to: String::new(),
            };
            self.connections.insert(self.opened, connection);
            self.opened += 1;
        }
    }

    fn hear(&mut self, n: usize) {
        let Some(connection) = self.connections.get_mut(&n) else {
            return;
        };
        match connection.read() {
            Ok(None) => {}
            Ok(Some(to)) => {
                let at = Instant::now();
                if self.arrivals.is_empty() {
                    *self.first.lock().expect("nobody panics holding it") = Some(at);
                }
                connection.to.clone_from(&to);
                self.arrivals.push(Arrival { at, to });
                self.taken.store(self.arrivals.len(), Ordering::SeqCst);
                self.answers.push_back((at + self.latency, n));
            }
            Err(_) => drop(self.connections.remove(&n)),
        }
    }

    fn answer(&mut self) {
        let now = Instant::now();
        while let Some((at, n)) = self.answers.front().copied()
            && at <= now
        {
            self.answers.pop_front();
            let Some(connection) = self.connections.get_mut(&n) else {
                continue;
            };
            let to = &connection.to;
            let body = format!(
                r#"{{"messaging_product":"whatsapp","contacts":[{{"input":"{to}","wa_id":"{to}"}}],"messages":[{{"id":"wamid.PACE{to}","message_status":"accepted"}}]}}"#
            );
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
            let answer = format!("{head}{}\r\n\r\n{body}", body.len());
            // A few hundred bytes into an empty buffer of the system: all or nothing.
            if connection.socket.write_all(answer.as_bytes()).is_err() {
                self.connections.remove(&n);
            }
        }
    }
}

impl Connection {
    /// Reads what is there; to whom the message is, when it is complete.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut piece = [0; 4096];
        loop {
            match self.socket.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.request.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
        }
        if self.request.len() > REQUEST_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let text = str::from_utf8(&self.request).map_err(|_| ErrorKind::InvalidData)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Ok(None);
        };
        let headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = lengths
            .next()
            .and_then(|(_, value)| value.trim().parse().ok());
        if body.len() < length.unwrap_or(0) {
            return Ok(None);
        }
        let named = [r#""to":""#, r#""recipient":""#];
        let found = named.iter().find_map(|key| body.split_once(key));
        let (_, after) = found.ok_or(ErrorKind::InvalidData)?;
        let (to, _) = after.split_once('"').ok_or(ErrorKind::InvalidData)?;
        let to = to.to_owned();
        self.request.clear();
        Ok(Some(to))
    }
}
