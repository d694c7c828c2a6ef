//! As much HTTP/1.1 as the stand-in needs: one thread a connection on loopback, keep-alive, bodies
//! by `Content-Length` or in chunks, and full control over answers that never come.
//!
//! tiny_http serves the bridge itself; here it would be in the way, since it answers 500 to a
//! request that is dropped and leaves connections waiting in a burst. Not for the internet.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longer bodies are answered 413. Graph's own messages are a few KiB …
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// … and its largest files 100 MB, with a form around them.
const FILE_BYTES_MAX: usize = 101 << 20;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Each is a thread; a client with more than this many at once is closed on.
const CONNECTIONS_MAX: usize = 512;
/// Well above the 15 s for which ureq keeps an idle connection: so the client ends it, and no
/// request meets a connection that is just closing.
const IDLE_MAX: Duration = Duration::from_secs(90);
/// What is read and thrown away after a refusal, so that closing does not reset the answer away.
const LINGER_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;
const LINGER: Duration = Duration::from_millis(500);
/// The longest between two bytes of a trickle: a thread that sleeps cannot be stopped.
const TRICKLE_MAX: Duration = Duration::from_secs(1);
/// How long `drop` waits for threads that are at work.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// A request, its body read.
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The token that its sender bears.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer.
pub(super) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(status: u16, body: String) -> Self {
        Answer {
            status,
            content_type: "application/json; charset=UTF-8".into(),
            headers: Vec::new(),
            body: body.into_bytes(),
        }
    }

    fn bytes(&self, close: bool) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if close {
            head += "Connection: close\r\n";
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What becomes of a request.
pub(super) enum Reply {
    /// The usual.
    Answer(Answer),
    /// The connection closes, nothing written.
    Nothing,
    /// Half of the answer, then the connection closes.
    Half(Answer),
    /// The answer byte by byte, so far apart.
    Trickle(Answer, Duration),
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server. Dropping it closes every connection and ends its threads.
pub(super) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Box<Handler>,
    stopping: AtomicBool,
    open: Mutex<HashMap<u64, TcpStream>>,
    closed: Condvar,
}

impl Server {
    /// Serves on a loopback port; 0 takes a free one.
    pub fn start(
        port: u16,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            closed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new()
            .name("standin-accept".into())
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Server { addr, shared })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Nothing else wakes a thread in `accept`.
        drop(TcpStream::connect_timeout(&self.addr, STOP_WAIT));
        let deadline = Instant::now() + STOP_WAIT;
        let mut open = self.shared.open();
        for stream in open.values() {
            // Wakes a thread in `read`. An error means that the client was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
        while !open.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.closed.wait_timeout(open, left);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for id in 0.. {
        let accepted = listener.accept();
        if shared.stopping() {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Descriptors used up, as a rule: wait for some to come back rather than spin.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let mut open = shared.open();
        if open.len() >= CONNECTIONS_MAX {
            continue;
        }
        let Ok(copy) = stream.try_clone() else {
            continue;
        };
        open.insert(id, copy);
        drop(open);
        let slot = Slot {
            id,
            shared: Arc::clone(shared),
        };
        // When no thread can be had the closure is dropped, and with it stream and slot.
        let _ = thread::Builder::new()
            .name("standin-connection".into())
            .spawn(move || {
                // Whatever went wrong is the client's to notice: it sees the connection close.
                let _ = connection(stream, &slot.shared);
            });
    }
}

/// A place among the open connections, given back even when the thread panics.
struct Slot {
    id: u64,
    shared: Arc<Shared>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(stream) = self.shared.open().remove(&self.id) {
            // The copy kept here would hold the connection open otherwise.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.closed.notify_all();
    }
}

fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_MAX))?;
    stream.set_write_timeout(Some(IDLE_MAX))?;
    let mut buffer = Vec::new();
    while !shared.stopping() {
        let request = match read_request(&mut stream, &mut buffer)? {
            Incoming::Request(request) => request,
            Incoming::End => break,
            Incoming::Refused(status) => {
                let body = format!("{{\"error\":{{\"message\":\"{}\"}}}}", reason(status));
                stream.write_all(&Answer::json(status, body).bytes(true))?;
                return linger(&mut stream);
            }
        };
        let close = request
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        match (shared.handler)(&request) {
            Reply::Answer(answer) => stream.write_all(&answer.bytes(close))?,
            Reply::Nothing => break,
            Reply::Trickle(answer, gap) => {
                for byte in answer.bytes(close) {
                    if shared.stopping() {
                        return Ok(());
                    }
                    stream.write_all(&[byte])?;
                    thread::sleep(gap.min(TRICKLE_MAX));
                }
            }
            Reply::Half(answer) => {
                let bytes = answer.bytes(close);
                // Cut in the body: the status is there to see, what it says is not.
                stream.write_all(&bytes[..bytes.len() - answer.body.len() / 2])?;
                break;
            }
        }
        if close {
            break;
        }
    }
    Ok(())
}

enum Incoming {
    Request(Request),
    End,
    Refused(u16),
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Incoming> {
    let head_len = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Ok(Incoming::Refused(431));
        }
        if !read_more(stream, buffer)? {
            return Ok(Incoming::End);
        }
    };
    let Some(mut request) = parse_head(&buffer[..head_len]) else {
        return Ok(Incoming::Refused(400));
    };
    let longest = match request.path.ends_with("/media") || request.path.contains("/upload:") {
        true => FILE_BYTES_MAX,
        false => BODY_BYTES_MAX,
    };
    let chunked = request.header("transfer-encoding").is_some();
    let length = match request.header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= longest => length,
        Some(Ok(_)) => return Ok(Incoming::Refused(413)),
        Some(Err(_)) => return Ok(Incoming::Refused(400)),
    };
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    buffer.drain(..head_len);
    if chunked {
        return read_chunks(stream, buffer, request, longest);
    }
    buffer.reserve(length.saturating_sub(buffer.len()));
    while buffer.len() < length {
        if !read_more(stream, buffer)? {
            return Ok(Incoming::End);
        }
    }
    request.body = buffer[..length].to_vec();
    buffer.drain(..length);
    Ok(Incoming::Request(request))
}

/// A body in chunks, without trailers.
fn read_chunks(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    mut request: Request,
    longest: usize,
) -> io::Result<Incoming> {
    loop {
        let line_end = loop {
            if let Some(at) = buffer.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            if !read_more(stream, buffer)? {
                return Ok(Incoming::End);
            }
        };
        let line = std::str::from_utf8(&buffer[..line_end]).unwrap_or_default();
        let length = line.split(';').next().unwrap_or_default().trim();
        let Ok(length) = usize::from_str_radix(length, 16) else {
            return Ok(Incoming::Refused(400));
        };
        if request.body.len().saturating_add(length) > longest {
            return Ok(Incoming::Refused(413));
        }
        let end = line_end + 2 + length;
        while buffer.len() < end + 2 {
            if !read_more(stream, buffer)? {
                return Ok(Incoming::End);
            }
        }
        request.body.extend_from_slice(&buffer[line_end + 2..end]);
        buffer.drain(..end + 2);
        if length == 0 {
            return Ok(Incoming::Request(request));
        }
    }
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 << 10];
    let n = stream.read(&mut piece)?;
    buffer.extend_from_slice(&piece[..n]);
    Ok(n > 0)
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    if !words.next()?.starts_with("HTTP/1.") || words.next().is_some() {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    })
}

/// Closing with unread bytes resets the connection, and the client may lose the answer with it.
fn linger(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LINGER))?;
    let deadline = Instant::now() + LINGER;
    let (mut piece, mut total) = ([0; 16 << 10], 0);
    while total < LINGER_BYTES_MAX && Instant::now() < deadline {
        match stream.read(&mut piece)? {
            0 => break,
            n => total += n,
        }
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Something",
    }
}
