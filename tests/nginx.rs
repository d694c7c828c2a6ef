//! The real nginx, by the very file the README tells to use, in front of the
//! real binary: what Meta sends gets through while hostile clients are at it,
//! and while the service behind it is killed.
//!
//! Without nginx these tests say so and pass, except in CI.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::meta::{self, Met};
use support::*;

const CUSTOMERS: usize = 4;

/// Longer than nginx's own time-outs for clients (10 s): slow ones are seen
/// to the end of their stay.
const SIEGE: Duration = Duration::from_secs(12);

/// A slow client writes a byte so often.
const DRIP: Duration = Duration::from_secs(1);

#[test]
fn posts_get_through_while_hostile_clients_are_at_nginx() {
    let Some(site) = Site::start() else { return };
    let over = Arc::new(AtomicBool::new(false));
    let hostile = besiege(site.address, &over);
    let customers = site.customers(&over);
    thread::sleep(SIEGE);
    over.store(true, Ordering::SeqCst);
    let (met, acknowledged) = sum(customers);
    assert_eq!(met.keys().collect::<Vec<_>>(), [&200], "{met:?}");
    for (name, client) in hostile {
        let outcome = client.join().unwrap();
        assert_eq!(outcome, Ok(()), "{name}");
    }
    println!("{acknowledged} posts beside the hostile clients");
    site.has_stored_once(acknowledged);
    let answer = site.get(
        "/webhook?hub.mode=subscribe&hub.verify_token=test-verify-token&hub.challenge=1158201444",
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
    let log = site.log();
    assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
}

#[test]
fn kills_behind_nginx_cost_no_post() {
    kills_cost_no_post(Upstream::Port);
}

#[test]
fn nor_do_they_where_nginx_has_a_unix_socket() {
    kills_cost_no_post(Upstream::Socket);
}

fn kills_cost_no_post(upstream: Upstream) {
    let Some(mut site) = Site::start_at(upstream) else {
        return;
    };
    let over = Arc::new(AtomicBool::new(false));
    let customers = site.customers(&over);
    for kill in 1..=8 {
        let enough = kill * 100;
        wait_until("enough is acknowledged for the next kill", || {
            site.acknowledged.load(Ordering::SeqCst) >= enough
        });
        site.restart();
    }
    over.store(true, Ordering::SeqCst);
    let (met, acknowledged) = sum(customers);
    println!("{acknowledged} posts over 8 kills: {met:?}");
    site.has_stored_once(acknowledged);
}

#[test]
fn the_handshake_the_request_id_and_nothing_but_the_webhook() {
    let Some(mut site) = Site::start() else {
        return;
    };
    let handshake = |token: &str| {
        site.get(&format!(
            "/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444"
        ))
    };
    let answer = handshake(VERIFY_TOKEN);
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
    assert!(
        answer
            .header("Content-Type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert_eq!(handshake("another").status, 403);
    for path in [
        "/",
        "/healthz",
        "/webhook/",
        "/metrics",
        "/v26.0/1/messages",
        "/.env",
    ] {
        let answer = site.get(path);
        assert_eq!(
            (answer.status, answer.header("Server").is_some()),
            (404, true),
            "{path}"
        );
    }
    let unsigned = request(site.address, "POST", "/webhook", &[], b"{}").unwrap();
    assert_eq!(unsigned.status, 401);
    // nginx's own id, not the client's: nobody chooses what stands in our log.
    let forged = [("X-Request-Id", "chosen-by-the-client")];
    let body = text_message(1, "15550107001", "hello");
    assert_eq!(meta::post(site.address, &body, &forged), 200);
    let service = site.service.as_mut().unwrap();
    let line = service.wait_for_log("msg=\"notification stored\"");
    let id = line
        .split("request=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{line}"
    );
}

/// Clients that mean harm or are broken. Each tells whether it was treated as
/// it should.
fn besiege(
    nginx: SocketAddr,
    over: &Arc<AtomicBool>,
) -> Vec<(&'static str, JoinHandle<Result<(), String>>)> {
    type Client = fn(SocketAddr, &AtomicBool) -> Result<(), String>;
    let clients: [(&'static str, usize, Client); 9] = [
        ("a head at a byte a second", 20, |nginx, _| {
            let mut stream = connect(nginx);
            drip(
                &mut stream,
                b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n",
            );
            ended(&mut stream, &["408", ""])
        }),
        ("a body at a byte a second", 20, |nginx, over| {
            let mut stream = connect(nginx);
            write(&mut stream, &head(1_000));
            while !over.load(Ordering::SeqCst) && stream.write_all(b"x").is_ok() {
                thread::sleep(DRIP);
            }
            Ok(())
        }),
        ("a length that lies, then nothing", 20, |nginx, _| {
            let mut stream = connect(nginx);
            write(&mut stream, &head(2_000_000));
            write(&mut stream, b"{");
            ended(&mut stream, &["408", ""])
        }),
        ("an impossible length", 5, |nginx, _| {
            let mut stream = connect(nginx);
            write(&mut stream, &head(100_000_000_000_000));
            ended(&mut stream, &["413"])
        }),
        ("four megabytes", 5, |nginx, _| {
            let mut stream = connect(nginx);
            write(&mut stream, &head(4 << 20));
            write(&mut stream, &vec![b'x'; 4 << 20]);
            ended(&mut stream, &["413", ""])
        }),
        ("garbage", 20, |nginx, _| {
            let mut stream = connect(nginx);
            write(
                &mut stream,
                &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, b'\n', b'\n'],
            );
            ended(&mut stream, &["400"])
        }),
        ("an HTTP/2 preface", 20, |nginx, _| {
            let mut stream = connect(nginx);
            write(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            ended(&mut stream, &["400", "408", ""])
        }),
        ("half closed after half a body", 20, |nginx, _| {
            let mut stream = connect(nginx);
            write(&mut stream, &head(100));
            write(&mut stream, b"{\"object\":");
            let _ = stream.shutdown(Shutdown::Write);
            ended(&mut stream, &["400", "408", ""])
        }),
        ("connections that say nothing", 200, |nginx, over| {
            let _stream = connect(nginx);
            while !over.load(Ordering::SeqCst) {
                thread::sleep(DRIP / 10);
            }
            Ok(())
        }),
    ];
    let mut threads = Vec::new();
    for (name, count, client) in clients {
        for _ in 0..count {
            let over = Arc::clone(over);
            threads.push((name, thread::spawn(move || client(nginx, &over))));
        }
    }
    threads
}

fn connect(nginx: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(nginx).unwrap();
    stream.set_read_timeout(Some(2 * SIEGE)).unwrap();
    stream
}

fn head(length: u64) -> Vec<u8> {
    format!("POST /webhook HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: {length}\r\n\r\n").into()
}

/// What nginx does not want to read it may refuse.
fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(DRIP);
    }
}

/// nginx ends it, with one of these statuses; "" is no answer at all.
fn ended(stream: &mut TcpStream, statuses: &[&str]) -> Result<(), String> {
    let mut answer = Vec::new();
    // A reset is an end too, and may have swept the answer away.
    if let Err(error) = stream.read_to_end(&mut answer)
        && error.kind() == std::io::ErrorKind::WouldBlock
    {
        return Err("it is still open".into());
    }
    let answer = String::from_utf8_lossy(&answer);
    match statuses.contains(&answer.split(' ').nth(1).unwrap_or_default()) {
        true => Ok(()),
        false => Err(answer.into_owned()),
    }
}

fn sum(customers: Vec<JoinHandle<(Met, usize)>>) -> (Met, usize) {
    let (mut met, mut acknowledged) = (Met::new(), 0);
    for customer in customers {
        let (more, count) = customer.join().unwrap();
        meta::add(&mut met, more);
        acknowledged += count;
    }
    (met, acknowledged)
}

/// How nginx reaches the service.
enum Upstream {
    Port,
    Socket,
}

/// nginx, and the service on a socket that outlives it.
struct Site {
    address: SocketAddr,
    acknowledged: Arc<AtomicUsize>,
    setup: Setup,
    socket: OwnedFd,
    service: Option<Wabridge>,
    _nginx: Nginx,
    _folder: Folder,
}

impl Site {
    fn start() -> Option<Site> {
        Site::start_at(Upstream::Port)
    }

    fn start_at(upstream: Upstream) -> Option<Site> {
        let folder = Folder::new();
        let (socket, upstream) = match upstream {
            Upstream::Port => {
                let socket = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = socket.local_addr().unwrap();
                (OwnedFd::from(socket), address.to_string())
            }
            Upstream::Socket => {
                let path = folder.path().join("webhook.sock");
                let socket = UnixListener::bind(&path).unwrap();
                (socket.into(), format!("unix:{}", path.display()))
            }
        };
        let nginx = Nginx::start(folder.path(), &upstream)?;
        let setup = Setup::new(folder.path());
        let service = Some(setup.serve_on(&socket));
        Some(Site {
            address: nginx.address,
            acknowledged: Arc::default(),
            setup,
            socket,
            service,
            _nginx: nginx,
            _folder: folder,
        })
    }

    fn restart(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill();
        }
        self.service = Some(self.setup.serve_on(&self.socket));
    }

    fn get(&self, target: &str) -> Answer {
        request(self.address, "GET", target, &[], b"").unwrap()
    }

    fn log(&self) -> String {
        self.service.as_ref().map_or(String::new(), Wabridge::log)
    }

    /// Customers who write until it is over; each tells what its deliveries
    /// met, and how many were acknowledged.
    fn customers(&self, over: &Arc<AtomicBool>) -> Vec<JoinHandle<(Met, usize)>> {
        (0..CUSTOMERS)
            .map(|customer| {
                let (over, all) = (Arc::clone(over), Arc::clone(&self.acknowledged));
                let nginx = self.address;
                thread::spawn(move || {
                    let (mut met, mut count) = (Met::new(), 0);
                    while !over.load(Ordering::SeqCst) {
                        let n = (count * CUSTOMERS + customer) as u64;
                        let body = text_message(n, &format!("1555010700{customer}"), "hello");
                        meta::add(&mut met, meta::deliver(nginx, &body));
                        count += 1;
                        all.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(5));
                    }
                    (met, count)
                })
            })
            .collect()
    }

    fn has_stored_once(&self, acknowledged: usize) {
        let rows = self
            .setup
            .json(&["inbox", "list", "--json", "--limit", "100000"]);
        let keys: BTreeSet<_> = rows.iter().map(|row| row["key"].to_string()).collect();
        assert_eq!((keys.len(), rows.len()), (acknowledged, acknowledged));
    }
}

/// A running nginx; ended when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// By systemd/nginx.conf, but for the address, the upstream and TLS.
    fn start(folder: &Path, upstream: &str) -> Option<Nginx> {
        let site = include_str!("../systemd/nginx.conf");
        let nginx = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let Some(program) = nginx.into_iter().find(|path| Path::new(path).exists()) else {
            assert!(std::env::var_os("CI").is_none(), "nginx is not installed");
            skipped("nginx is not installed");
            return None;
        };
        // Freed again at once; nginx cannot tell which port it took itself.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let site: String = site
            .lines()
            .filter(|line| !line.contains("listen [::]") && !line.trim().starts_with("ssl_"))
            .map(|line| {
                line.replace("127.0.0.1:8080", upstream)
                    .replace("listen 443 ssl;", &format!("listen {address};"))
                    + "\n"
            })
            .collect();
        let at = folder.display();
        let main = format!(
            "worker_processes 2;\ndaemon off;\npid {at}/nginx.pid;\nerror_log {at}/nginx.log warn;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\naccess_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
             {site}}}\n"
        );
        // Started as root its workers are somebody else, who may not write here.
        let user = if rustix::process::geteuid().is_root() {
            "user root;\n"
        } else {
            ""
        };
        let path = folder.join("nginx.conf");
        std::fs::write(&path, format!("{user}{main}")).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Nginx { child, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let log = std::fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
            assert!(started.elapsed() < PATIENCE, "nginx does not start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM, so that the master takes its workers with it.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let _ = self.child.wait();
    }
}
