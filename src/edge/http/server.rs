//! A tiny_http server that keeps serving.
//!
//! The listener is ours and is kept. When a server stops accepting (an accept
//! error, or a panic in its accept thread that only a probe from outside can
//! notice), a new server with workers of its own is built on a copy of it; the
//! old one's workers stay for the connections it still has. Servers are leaked
//! and never dropped: on a Unix socket, `Drop` would remove the socket file,
//! systemd's too.

use super::body;
use super::exchange::Exchange;
use super::nudge::Nudges;
use super::probe::Probe;
use crate::config::Listen;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;
use tiny_http::{HTTPVersion, Request, Server};

/// Threads that take requests, a server. More bring little on small machines
/// and cost latency.
const WORKERS: usize = 4;

/// Servers built on one listener in a process's life. Each leaves a few
/// threads behind; a service that needs more is better started anew.
const SERVERS_MAX: usize = 16;

/// A client that does not take its answer for so long loses its connection.
/// Without, it would hold whoever writes to it for ever.
const UNREAD_TIMEOUT_MS: u32 = 5_000;

/// Descriptors that must be free before a server is built anew: the listener's
/// copy, two for the first connection, and one to spare.
const SPARE_DESCRIPTORS: usize = 4;

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A listening socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Socket {
    /// Binds the address. A Unix socket's file that nobody listens on any more
    /// is replaced.
    pub fn bind(listen: &Listen) -> io::Result<Socket> {
        match listen {
            Listen::Tcp(address) => TcpListener::bind(address).map(Socket::Tcp),
            Listen::Unix(path) => {
                let is_socket =
                    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
                let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
                if is_socket && UnixStream::connect(path).is_err_and(refused) {
                    std::fs::remove_file(path)?;
                } else if !is_socket && path.exists() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                UnixListener::bind(path).map(Socket::Unix)
            }
        }
    }

    /// The socket systemd holds for us, if it does.
    pub fn from_systemd() -> io::Result<Option<Socket>> {
        let mut passed = listenfd::ListenFd::from_env();
        if passed.len() == 0 {
            return Ok(None);
        }
        if let Ok(Some(tcp)) = passed.take_tcp_listener(0) {
            return Ok(Some(Socket::Tcp(tcp)));
        }
        Ok(passed.take_unix_listener(0)?.map(Socket::Unix))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<Listen> {
        match self {
            Socket::Tcp(socket) => socket.local_addr().map(Listen::Tcp),
            Socket::Unix(socket) => {
                let address = socket.local_addr()?;
                let path = address.as_pathname().map(Into::into);
                Ok(Listen::Unix(path.unwrap_or_default()))
            }
        }
    }

    /// Whether there are descriptors left to accept with.
    fn can_be_served(&self) -> bool {
        let copy = || match self {
            Socket::Tcp(socket) => socket.try_clone().map(OwnedFd::from),
            Socket::Unix(socket) => socket.try_clone().map(OwnedFd::from),
        };
        let spare: io::Result<Vec<_>> = (0..SPARE_DESCRIPTORS).map(|_| copy()).collect();
        spare.is_ok()
    }

    fn server(&self) -> io::Result<Server> {
        let listener: tiny_http::Listener = match self {
            Socket::Tcp(socket) => {
                // Accepted sockets inherit it. Without, an answer in two
                // writes waits for the client's delayed acknowledgement.
                rustix::net::sockopt::set_tcp_nodelay(socket, true)?;
                rustix::net::sockopt::set_tcp_user_timeout(socket, UNREAD_TIMEOUT_MS)?;
                socket.try_clone()?.into()
            }
            Socket::Unix(socket) => socket.try_clone()?.into(),
        };
        Server::from_listener(listener, None).map_err(io::Error::other)
    }
}

/// What is done with a request.
pub type Handle = Box<dyn Fn(Exchange, &mut Lead<'_>) + Send + Sync>;

/// The right to take the next request, which one worker has. To pass it on wakes
/// another one, so it is kept over what is soon done; before anything that
/// waits for a client or for a commit it must be passed on, or nobody is served
/// meanwhile.
pub struct Lead<'l>(Option<MutexGuard<'l, ()>>);

impl Lead<'_> {
    /// Has another worker take the next request.
    pub fn pass_on(&mut self) {
        self.0 = None;
    }
}

/// A listener that is served.
pub struct HttpServer {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Socket,
    handle: Handle,
    /// Announced lengths up to this are read away, so that the client hears
    /// its 413.
    longest: usize,
    stopping: AtomicBool,
    built: AtomicUsize,
    busy: AtomicUsize,
    current: Mutex<Option<&'static Server>>,
    connections: Connections,
    nudges: Arc<Nudges>,
}

impl HttpServer {
    /// Starts serving; `handle` runs on worker threads. Requests that announce
    /// more than `longest` bytes are not answered (see [`body::accept`]).
    pub fn start(socket: Socket, longest: usize, handle: Handle) -> io::Result<HttpServer> {
        let nudges = Nudges::start(&socket)?;
        let shared = Arc::new(Shared {
            socket,
            handle,
            longest,
            stopping: AtomicBool::new(false),
            built: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            current: Mutex::new(None),
            connections: Connections::default(),
            nudges,
        });
        build(&shared)?;
        Ok(HttpServer { shared })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<Listen> {
        self.shared.socket.address()
    }

    /// Makes a real request through the listener, as anybody would.
    pub fn probe(&self) -> io::Result<()> {
        let mut probe = Probe::connect(&self.shared.socket.address()?, PROBE_TIMEOUT)?;
        probe.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = [0; 12];
        probe.read_exact(&mut answer)?;
        match &answer[9..] == b"200" {
            true => Ok(()),
            false => Err(io::Error::other("the health page does not answer 200")),
        }
    }

    /// Builds a new server on the kept listener: the old one accepts nothing
    /// any more.
    ///
    /// # Errors
    /// When it cannot be built, or was built too often: the process is better
    /// started anew.
    pub fn rebuild(&self) -> io::Result<()> {
        build(&self.shared)
    }

    /// Takes no more requests and waits until those taken are answered, at
    /// most `within`.
    pub fn stop(&self, within: Duration) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.nudges.end();
        if let Some(server) = *self.shared.current() {
            (0..WORKERS).for_each(|_| server.unblock());
        }
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while waited < within && self.shared.busy.load(Ordering::SeqCst) > 0 {
            thread::sleep(step);
            waited += step;
        }
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Option<&'static Server>> {
        self.current.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn build(shared: &Arc<Shared>) -> io::Result<()> {
    let mut current = shared.current();
    if shared.built.fetch_add(1, Ordering::SeqCst) >= SERVERS_MAX {
        return Err(io::Error::other("the listener failed too often"));
    }
    let server: &'static Server = Box::leak(Box::new(shared.socket.server()?));
    // One server's requests are taken one by one, see `Connections`.
    let taking: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
    for index in 0..WORKERS {
        let shared = Arc::clone(shared);
        thread::Builder::new()
            .name(format!("http-{index}"))
            .spawn(move || work(&shared, server, taking))?;
    }
    *current = Some(server);
    Ok(())
}

fn work(shared: &Arc<Shared>, server: &'static Server, taking: &Mutex<()>) {
    let mut lead = Lead(None);
    loop {
        let guard = lead.0.take();
        let guard = guard.unwrap_or_else(|| taking.lock().unwrap_or_else(|e| e.into_inner()));
        let exchange = match server.recv() {
            Ok(request) => {
                shared.busy.fetch_add(1, Ordering::SeqCst);
                shared.nudges.taken();
                body::accept(request, shared.longest)
                    .map(|request| shared.connections.take(request))
            }
            Err(_) if shared.stopping.load(Ordering::SeqCst) => return,
            Err(error) => {
                drop(guard);
                replace(shared, server, &error);
                continue;
            }
        };
        lead.0 = Some(guard);
        if let Some(exchange) = exchange {
            // A panic drops the request, which answers it 500.
            let handle = AssertUnwindSafe(|| (shared.handle)(exchange, &mut lead));
            if catch_unwind(handle).is_err() {
                log::error!("msg=\"a request made us panic; it was answered 500\"");
            }
        }
        shared.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The server said that it stopped accepting: out of file descriptors, mostly.
fn replace(shared: &Arc<Shared>, server: &'static Server, error: &io::Error) {
    let is_current = shared
        .current()
        .is_some_and(|current| std::ptr::eq(current, server));
    if !is_current {
        return;
    }
    log::error!("msg=\"the listener stopped accepting; building it anew\" error=\"{error}\"");
    // Whatever was used up needs a moment to come back. When it does not, the
    // watchdog's probes fail, and it ends the process.
    loop {
        thread::sleep(Duration::from_millis(200));
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        if shared.socket.can_be_served() {
            break;
        }
    }
    if let Err(error) = build(shared) {
        log::error!(
            "msg=\"the listener cannot be built anew; ending, to be started again\" error=\"{error}\""
        );
        std::process::exit(1);
    }
}

/// Which connections have requests that are not answered yet.
///
/// Answers of one connection go out in the order of its requests: answering
/// the second blocks until the first is answered. Whoever answers for several
/// connections must therefore get only the first unanswered request of each.
/// Requests are taken one by one and counted in that same order, so the count
/// tells.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl Connections {
    fn take(&self, request: Request) -> Exchange {
        let alone = *request.http_version() <= HTTPVersion(1, 0)
            || super::header(&request, "Connection")
                .is_some_and(|v| v.eq_ignore_ascii_case("close"));
        // Unix sockets have no addresses to tell connections by.
        let address = request.remote_addr().copied().filter(|_| !alone);
        let first = match &address {
            None => alone,
            Some(address) => {
                let mut open = self.0.lock().unwrap_or_else(|e| e.into_inner());
                let unanswered = open.entry(*address).or_insert(0);
                *unanswered += 1;
                *unanswered == 1
            }
        };
        let turn = Turn {
            first,
            connection: address.map(|address| (self.clone(), address)),
        };
        Exchange { request, turn }
    }
}

/// Noting an answer takes microseconds, and longer only on a busy machine.
const SETTLE_MS: usize = 50;

/// A request's place among those of its connection; given back when dropped,
/// which must be after the answer.
pub struct Turn {
    first: bool,
    connection: Option<(Connections, SocketAddr)>,
}

impl Turn {
    /// Whether answering blocks on no earlier request.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Waits a moment for the request before it to be given back. A client
    /// that has just read an answer may ask again before we have noted that
    /// the answer is out; only one that does not wait for answers is behind.
    pub fn settle(&mut self) {
        let Some((connections, address)) = self.connection.as_ref().filter(|_| !self.first) else {
            return;
        };
        for _ in 0..SETTLE_MS {
            let open = connections.0.lock().unwrap_or_else(|e| e.into_inner());
            self.first = open.get(address) == Some(&1);
            drop(open);
            if self.first {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((connections, address)) = &self.connection {
            let mut open = connections.0.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(unanswered) = open.get_mut(address) {
                *unanswered -= 1;
                if *unanswered == 0 {
                    open.remove(address);
                }
            }
        }
    }
}
