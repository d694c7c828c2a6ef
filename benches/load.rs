//! The load generator of `tests/bench`: signed WhatsApp notifications over keep-alive connections,
//! and one line of JSON that says how they were answered.
//!
//! One thread and a closed loop: each connection sends its next request when the answer to its last
//! has come. Every message is new (its own wamid, the current time), so the server cannot take it
//! for a duplicate. It judges nothing but the status: 200 is good, all else is an error.

#[path = "run.rs"]
mod run;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use run::run;

const USAGE: &str = "\
usage: load --to HOST:PORT --secret APP_SECRET [options]

  --seconds S              measure for so long (10); with --count: give up after so long
  --warmup S               load before measuring (0.5; with --count 0)
  --connections N          (64)
  --count N                instead of a time: stop after N good answers
  --messages-per-body M    (1)
  --customers N            how many customers the messages come from (5000)";

/// tiny_http leaves some connections of a burst unanswered, so they are opened one by one.
const OPEN_EVERY: Duration = Duration::from_millis(3);
/// Without an answer for so long a connection counts as starved and is opened anew.
const STARVED_AFTER: Duration = Duration::from_secs(5);
const REOPEN_AFTER: Duration = Duration::from_millis(100);
/// How often the connections are looked through for one that is to be opened or has starved.
const LOOK_AFTER: Duration = Duration::from_millis(1);
const ANSWER_BYTES_MAX: usize = 64 << 10;

fn main() -> ExitCode {
    run("load", USAGE, Options::from_args(), |options| {
        Load::new(options).and_then(Load::run)
    })
}

struct Options {
    to: SocketAddr,
    secret: String,
    seconds: Duration,
    warmup: Duration,
    connections: usize,
    count: Option<u64>,
    messages_per_body: u32,
    customers: u64,
}

impl Options {
    fn from_args() -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut to, mut secret, mut warmup_s, mut count) = (None, None, None, None);
        let (mut seconds, mut connections) = (10.0, 64);
        let (mut messages_per_body, mut customers) = (1, 5_000);
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("to") => to = Some(args.value()?.parse()?),
                Long("secret") => secret = Some(args.value()?.string()?),
                Long("seconds") => seconds = args.value()?.parse()?,
                Long("warmup") => warmup_s = Some(args.value()?.parse()?),
                Long("connections") => connections = args.value()?.parse()?,
                Long("count") => count = Some(args.value()?.parse()?),
                Long("messages-per-body") => messages_per_body = args.value()?.parse()?,
                Long("customers") => customers = args.value()?.parse()?,
                _ => return Err(arg.unexpected()),
            }
        }
        if connections == 0 || messages_per_body == 0 || customers == 0 {
            return Err("a number of connections, messages or customers cannot be 0".into());
        }
        let warmup_s = warmup_s.unwrap_or(if count.is_some() { 0.0 } else { 0.5 });
        Ok(Options {
            to: to.ok_or("--to is missing")?,
            secret: secret.ok_or("--secret is missing")?,
            seconds: Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
            warmup: Duration::try_from_secs_f64(warmup_s).map_err(|error| error.to_string())?,
            connections,
            count,
            messages_per_body,
            customers,
        })
    }
}

/// The run: the connections, the requests to come, and what is counted.
struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    notifications: Notifications,
    options: Options,
    started: Instant,
    measure_from: Instant,
    measure_until: Instant,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    latencies_us: Vec<u32>,
    /// Good answers in the measured time; those that came after it count for the latency only.
    answered: u64,
    answered_last: Option<Instant>,
    good: u64,
    errors: u64,
    starved: u64,
    /// What the first error was: a count alone is hard to mend.
    first_error: Option<String>,
}

impl Load {
    fn new(options: Options) -> io::Result<Load> {
        let started = Instant::now();
        let opening = OPEN_EVERY * u32::try_from(options.connections).unwrap_or(u32::MAX);
        // When counting bodies, every answer counts from the first connection on.
        let measure_from = match options.count {
            Some(_) => started + options.warmup,
            None => started + opening + options.warmup,
        };
        Ok(Load {
            poll: Poll::new()?,
            connections: (0u32..)
                .take(options.connections)
                .map(|n| Connection::closed_until(started + OPEN_EVERY * n))
                .collect(),
            notifications: Notifications::new(&options)?,
            measure_until: measure_from + options.seconds,
            started,
            measure_from,
            options,
            tally: Tally::default(),
        })
    }

    fn run(mut self) -> io::Result<String> {
        let mut events = Events::with_capacity(1024);
        let mut look_at = self.started;
        loop {
            self.poll.poll(&mut events, Some(LOOK_AFTER)).or_else(|e| {
                let interrupted = e.kind() == ErrorKind::Interrupted;
                if interrupted { Ok(()) } else { Err(e) }
            })?;
            for event in &events {
                self.progress(event.token().0);
            }
            let now = Instant::now();
            if now >= look_at {
                self.look_through(now);
                look_at = now + LOOK_AFTER;
            }
            if self.sending_is_over(now) && self.connections.iter().all(Connection::is_idle) {
                return Ok(self.report());
            }
        }
    }

    fn sending_is_over(&self, now: Instant) -> bool {
        let enough = self.options.count.is_some_and(|n| self.tally.good >= n);
        enough || now >= self.measure_until
    }

    /// Takes one connection as far as it goes without waiting.
    fn progress(&mut self, n: usize) {
        let outcome = self.connections[n].progress();
        let now = Instant::now();
        match outcome {
            Ok(None) => {}
            Ok(Some(answer)) => {
                let sent_at = self.connections[n].sent_at.take().unwrap_or(now);
                self.count(&answer, sent_at, now);
                if answer.close {
                    self.connections[n] = Connection::closed_until(now);
                } else if !self.sending_is_over(now) {
                    self.send_next(n, now);
                }
            }
            Err(error) => self.fail(n, now, error.to_string()),
        }
    }

    fn send_next(&mut self, n: usize, now: Instant) {
        let connection = &mut self.connections[n];
        self.notifications.write_request(&mut connection.request);
        connection.start(now);
        if let Err(error) = connection.flush() {
            self.fail(n, now, error.to_string());
        }
    }

    fn count(&mut self, answer: &Answer, sent_at: Instant, now: Instant) {
        if answer.status != 200 {
            self.tally.error(format!("status {}", answer.status));
            return;
        }
        self.tally.good += 1;
        if sent_at < self.measure_from {
            return;
        }
        let latency_us = u32::try_from((now - sent_at).as_micros()).unwrap_or(u32::MAX);
        self.tally.latencies_us.push(latency_us);
        if now <= self.measure_until {
            self.tally.answered += 1;
            self.tally.answered_last = Some(now);
        }
    }

    fn fail(&mut self, n: usize, now: Instant, what: String) {
        self.tally.error(what);
        self.connections[n] = Connection::closed_until(now + REOPEN_AFTER);
    }

    fn look_through(&mut self, now: Instant) {
        for n in 0..self.connections.len() {
            let connection = &self.connections[n];
            if connection.socket.is_none() {
                if now >= connection.reopen_at && !self.sending_is_over(now) {
                    self.open(n, now);
                }
            } else if connection.has_starved(now) {
                self.tally.starved += 1;
                self.connections[n] = Connection::closed_until(now);
            }
        }
    }

    fn open(&mut self, n: usize, now: Instant) {
        match connect(self.options.to, self.poll.registry(), Token(n)) {
            Ok(socket) => {
                self.connections[n].socket = Some(socket);
                self.send_next(n, now);
            }
            Err(error) => self.fail(n, now, error.to_string()),
        }
    }

    fn report(mut self) -> String {
        let latencies_us = &mut self.tally.latencies_us;
        latencies_us.sort_unstable();
        let percentile_ms = |share: f64| {
            let last = latencies_us.len().saturating_sub(1);
            let rank = (latencies_us.len() as f64 * share) as usize;
            latencies_us.get(rank.min(last)).copied().unwrap_or(0) as f64 / 1e3
        };
        let until = match (self.options.count, self.tally.answered_last) {
            (Some(_), Some(last)) => last,
            _ => self.measure_until,
        };
        let seconds = (until - self.measure_from).as_secs_f64();
        serde_json::json!({
            "seconds": round(seconds),
            "good": self.tally.good,
            "rate": round(self.tally.answered as f64 / seconds),
            "p50_ms": percentile_ms(0.5),
            "p99_ms": percentile_ms(0.99),
            "max_ms": percentile_ms(1.0),
            "errors": self.tally.errors,
            "starved": self.tally.starved,
            "first_error": self.tally.first_error,
        })
        .to_string()
    }
}

impl Tally {
    fn error(&mut self, what: String) {
        self.errors += 1;
        self.first_error.get_or_insert(what);
    }
}

fn round(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

fn connect(to: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(to)?;
    socket.set_nodelay(true)?;
    registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(socket)
}

/// One client: at most one request under way.
struct Connection {
    socket: Option<TcpStream>,
    reopen_at: Instant,
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    /// Set while an answer is awaited.
    sent_at: Option<Instant>,
}

impl Connection {
    fn closed_until(reopen_at: Instant) -> Connection {
        Connection {
            socket: None,
            reopen_at,
            request: Vec::new(),
            written: 0,
            answer: Vec::new(),
            sent_at: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.sent_at.is_none()
    }

    fn has_starved(&self, now: Instant) -> bool {
        self.sent_at.is_some_and(|sent| now > sent + STARVED_AFTER)
    }

    fn start(&mut self, now: Instant) {
        self.written = 0;
        self.answer.clear();
        self.sent_at = Some(now);
    }

    /// Writes and reads what can be written and read now; `Some` when the answer is complete.
    fn progress(&mut self) -> io::Result<Option<Answer>> {
        if self.is_idle() {
            return Ok(None);
        }
        self.flush()?;
        let Some(socket) = &mut self.socket else {
            return Ok(None);
        };
        let mut piece = [0; 4096];
        loop {
            match socket.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.answer.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(answer) = Answer::parse(&self.answer)? {
                return Ok(Some(answer));
            }
        }
    }

    /// A connection that is still being made takes nothing yet; its writable event comes here again.
    fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        while self.written < self.request.len() {
            match socket.write(&self.request[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

struct Answer {
    status: u16,
    close: bool,
}

impl Answer {
    /// `None` while it is incomplete. Knows what the measured servers send, not all of HTTP.
    fn parse(bytes: &[u8]) -> io::Result<Option<Answer>> {
        let invalid = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(invalid("answer too long"));
        }
        let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let (head, rest) = bytes.split_at(head_end);
        let body = &rest[4..];
        let head = str::from_utf8(head).map_err(|_| invalid("answer's head is not text"))?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid("answer without a status"))?;
        let (mut length, mut close) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                close = value.eq_ignore_ascii_case("close");
            }
        }
        let complete = match length {
            Some(length) => body.len() >= length,
            // Chunked.
            None => body.ends_with(b"0\r\n\r\n"),
        };
        Ok(complete.then_some(Answer { status, close }))
    }
}

/// A text message as Meta sends it, about 1 KB with its envelope. Words in capitals after `$` are
/// filled in.
const CHANGE: &str = concat!(
    r#"{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","#,
    r#""phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Customer $CUSTOMER"},"#,
    r#""wa_id":"1555$CUSTOMER","user_id":"US.13491208$CUSTOMER"}],"messages":[{"#,
    r#""from":"1555$CUSTOMER","from_user_id":"US.13491208$CUSTOMER","#,
    r#""id":"wamid.HBgLMTU1NTEyMzQ1NjcVAgASGBQz$WAMID","timestamp":"$TIMESTAMP","text":{"body":"#,
    r#""Good morning! I ordered two of the walnut shelves last week (order 48-2291) and only one "#,
    r#"has come. The tracking page says \"delivered\", so I wonder whether the second is on its "#,
    r#"way in a parcel of its own.\n\nCould you look it up, please? If it has been lost I'd rather "#,
    r#"have the oak one instead, in case that is still to be had for the same price. I am at home "#,
    r#"until four today. Thank you \ud83d\ude4f"},"type":"text"}]},"field":"messages"}"#,
);
const ENVELOPE: [&str; 2] = [
    r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":["#,
    "]}]}",
];

enum Piece {
    Text(&'static str),
    Customer,
    Wamid,
    Timestamp,
}

/// Makes the requests: each a signed notification that was never there before.
struct Notifications {
    change: Vec<Piece>,
    key: hmac::Key,
    to: SocketAddr,
    messages_per_body: u32,
    customers: u64,
    /// Sets this run's wamids apart from another's, and seeds the choice of customers.
    run: u64,
    messages: u64,
    body: Vec<u8>,
}

impl Notifications {
    fn new(options: &Options) -> io::Result<Notifications> {
        let mut run = [0; 8];
        let filled = SystemRandom::new().fill(&mut run);
        filled.map_err(|_| io::Error::other("no random numbers to be had"))?;
        Ok(Notifications {
            change: pieces(CHANGE),
            key: hmac::Key::new(hmac::HMAC_SHA256, options.secret.as_bytes()),
            to: options.to,
            messages_per_body: options.messages_per_body,
            customers: options.customers,
            run: u64::from_le_bytes(run),
            messages: 0,
            body: Vec::new(),
        })
    }

    fn write_request(&mut self, request: &mut Vec<u8>) {
        self.write_body();
        let signature = hmac::sign(&self.key, &self.body);
        request.clear();
        request.extend_from_slice(b"POST /webhook HTTP/1.1\r\nHost: ");
        append(request, format_args!("{}\r\n", self.to));
        request.extend_from_slice(b"User-Agent: facebookexternalua\r\nAccept: */*\r\n");
        request.extend_from_slice(b"Content-Type: application/json\r\n");
        append(
            request,
            format_args!("Content-Length: {}\r\n", self.body.len()),
        );
        request.extend_from_slice(b"X-Hub-Signature-256: sha256=");
        for byte in signature.as_ref() {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
            request.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(&self.body);
    }

    fn write_body(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = now.map_or(0, |since| since.as_secs());
        self.body.clear();
        self.body.extend_from_slice(ENVELOPE[0].as_bytes());
        for n in 0..self.messages_per_body {
            if n > 0 {
                self.body.push(b',');
            }
            self.messages += 1;
            let customer = scatter(self.run ^ self.messages) % self.customers;
            for piece in &self.change {
                match piece {
                    Piece::Text(text) => self.body.extend_from_slice(text.as_bytes()),
                    Piece::Customer => append(&mut self.body, format_args!("{customer:07}")),
                    Piece::Timestamp => append(&mut self.body, format_args!("{timestamp}")),
                    Piece::Wamid => append(
                        &mut self.body,
                        format_args!("{:016X}{:010X}A=", self.run, self.messages),
                    ),
                }
            }
        }
        self.body.extend_from_slice(ENVELOPE[1].as_bytes());
    }
}

fn append(bytes: &mut Vec<u8>, text: std::fmt::Arguments) {
    // Writing to a Vec cannot fail.
    let _ = bytes.write_fmt(text);
}

fn pieces(mut template: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some((text, rest)) = template.split_once('$') {
        let word_end = rest.find(|c: char| !c.is_ascii_uppercase());
        let (word, rest) = rest.split_at(word_end.unwrap_or(rest.len()));
        pieces.push(Piece::Text(text));
        pieces.push(match word {
            "CUSTOMER" => Piece::Customer,
            "WAMID" => Piece::Wamid,
            "TIMESTAMP" => Piece::Timestamp,
            _ => panic!("unknown word ${word} in the template"),
        });
        template = rest;
    }
    pieces.push(Piece::Text(template));
    pieces
}

/// SplitMix64: neighbouring numbers come out far apart.
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
