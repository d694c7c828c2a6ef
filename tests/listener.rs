//! The listener of the real binary: connections that are kept, pipelined,
//! never read, full of junk, or too many; Unix sockets and sockets that are
//! passed in. Behind nginx most of this never comes; the service must survive
//! it anyway.

mod support;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::*;

/// A post on a connection of its own, answered in the end by a service that
/// may just be recovering.
fn served(service: &Wabridge, n: u64) {
    let post = signed_post(&text_message(n, "15550107009", "others"));
    wait_until("others are served", || {
        let Ok(stream) = TcpStream::connect(service.address) else {
            return false;
        };
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let mut wire = Wire(std::io::BufReader::new(stream));
        wire.send(&post);
        wire.answer().is_some_and(|answer| answer.status == 200)
    });
}

fn resident_mib(service: &Wabridge) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib / 1_024
}

#[test]
fn pipelined_requests_are_answered_in_order_and_none_is_lost() {
    let place = Place::new(&[]);
    let mut all = String::new();
    let mut expected = Vec::new();
    for n in 0..50 {
        let body = text_message(n, &format!("155501070{:02}", n % 7), "one of many");
        let challenge = format!(
            "GET /webhook?hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge={n} HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        let (request, status, answer) = match n % 5 {
            0 => (challenge, 200, n.to_string()),
            1 => (
                signed_post(&body).replace("sha256=", "sha256=0"),
                401,
                "the signature is wrong\n".into(),
            ),
            _ => (signed_post(&body), 200, String::new()),
        };
        all.push_str(&request);
        expected.push((status, answer));
    }
    let mut wire = place.service.connect();
    wire.send(all);
    for (index, expected) in expected.into_iter().enumerate() {
        let answer = wire.answer().expect("an answer");
        assert_eq!((answer.status, answer.body), expected, "request {index}");
    }
    assert_eq!(place.inbox().len(), 30);
    served(&place.service, 1_000);
}

#[test]
fn several_pipelining_clients_do_not_lock_each_other() {
    let place = Place::new(&[]);
    std::thread::scope(|scope| {
        for client in 0..4 {
            let mut wire = place.service.connect();
            scope.spawn(move || {
                let posts: String = (0..50)
                    .map(|n| signed_post(&text_message(client * 100 + n, "15550107001", "x")))
                    .collect();
                wire.send(posts);
                for _ in 0..50 {
                    assert_eq!(wire.answer().expect("an answer").status, 200);
                }
            });
        }
    });
    assert_eq!(place.inbox().len(), 200);
}

#[test]
fn a_client_that_pipelines_and_never_reads_does_not_stop_others() {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let place = Place::new(&[]);
    let greedy = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    // A small window, so that the answers soon have nowhere to go.
    sockopt::set_socket_recv_buffer_size(&greedy, 4_096).unwrap();
    connect(&greedy, &place.service.address).unwrap();
    let greedy = TcpStream::from(greedy);
    greedy
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let post = signed_post(&text_message(1, "15550107001", "greedy"));
    let get = "GET /webhook?hub.mode=subscribe&hub.verify_token=test-verify-token&hub.challenge=";
    let get = format!("{get}{} HTTP/1.1\r\nHost: x\r\n\r\n", "1".repeat(4_000));
    let some = format!("{}{post}", get.repeat(20));
    for _ in 0..300 {
        // Refused once the service has had enough of it.
        if (&greedy).write_all(some.as_bytes()).is_err() {
            break;
        }
    }
    for n in 0..3 {
        served(&place.service, n + 10);
    }
    drop(greedy);
    served(&place.service, 20);
    let log = place.service.log();
    assert!(!log.contains("anew"), "only the watchdog helped: {log}");
}

#[test]
fn a_connection_is_used_again() {
    let place = Place::new(&[]);
    let mut wire = place.service.connect();
    for n in 0..5 {
        wire.send(signed_post(&text_message(n, "15550107001", "hello")));
        assert_eq!(wire.answer().unwrap().status, 200);
        wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(wire.answer().unwrap().status, 200);
        wire.send("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(wire.answer().unwrap().status, 401);
        wire.send("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(wire.answer().unwrap().status, 404);
    }
    assert_eq!(place.inbox().len(), 5);
}

/// tiny_http's pool leaves some connections of a burst without a thread until
/// another one ends.
#[test]
fn connections_that_are_opened_at_once_and_kept_are_all_served() {
    let place = Place::new(&[]);
    // The watchdog's probes free one each now and then; that takes minutes.
    let deadline = Instant::now() + PATIENCE;
    let mut wires: Vec<_> = (0..64).map(|_| place.service.connect()).collect();
    for round in 0..2 {
        for (n, wire) in (0..).zip(&mut wires) {
            wire.send(signed_post(&text_message(
                round * 100 + n,
                "15550107001",
                "one of many",
            )));
        }
        for wire in &mut wires {
            assert_eq!(wire.answer().unwrap().status, 200);
            assert!(Instant::now() < deadline, "some wait for others to end");
        }
    }
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let place = Place::new(&[]);
    let mut wire = place.service.connect();
    let post = signed_post(&text_message(1, "15550107001", "old"));
    wire.send(post.replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(wire.answer().unwrap().status, 200);
    assert!(wire.answer().is_none(), "the connection stays open");
    assert_eq!(place.inbox().len(), 1);
}

#[test]
fn a_unix_socket_is_served_and_a_dead_ones_file_replaced() {
    let folder = Folder::new();
    let path = folder.path().join("hook.sock");
    let setup = Setup::new(folder.path()).set("LISTEN", &format!("unix:{}", path.display()));
    for round in 0..2 {
        let mut service = setup.serve();
        for n in 0..3 {
            let mut wire = Wire(std::io::BufReader::new(UnixStream::connect(&path).unwrap()));
            wire.send(signed_post(&text_message(
                round * 10 + n,
                "15550107001",
                "x",
            )));
            assert_eq!(wire.answer().unwrap().status, 200);
        }
        let second = setup
            .clone()
            .set("DATABASE_URL", "other.db")
            .run(&["serve"]);
        assert_eq!(
            second.status.code(),
            Some(1),
            "it took a living one's socket"
        );
        service.kill();
    }
    assert_eq!(setup.json(&["inbox", "list", "--json"]).len(), 6);
}

#[test]
fn a_socket_that_is_passed_in_outlives_the_process() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path()).set("LISTEN", "127.0.0.1:1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = || {
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
        setup.serve_in_shell(script, Stdio::from(socket))
    };
    let mut service = start();
    assert_eq!(service.address, listener.local_addr().unwrap());
    service.take(&text_message(1, "15550107001", "first"));
    service.kill();
    // Nobody serves now; the connection waits in the socket.
    let mut wire = service.connect();
    wire.send(signed_post(&text_message(2, "15550107001", "between")));
    let service = start();
    assert_eq!(wire.answer().unwrap().status, 200);
    service.take(&text_message(3, "15550107001", "after"));
    assert_eq!(setup.json(&["inbox", "list", "--json"]).len(), 3);
}

#[test]
fn a_length_that_lies_costs_nobody_anything() {
    let place = Place::new(&[]);
    let lengths = [
        "4000000",
        "60000000",
        "70000000",
        "4000000000",
        "99999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "0x10",
        "1e9",
        "",
        "10, 10",
    ];
    let mut open = Vec::new();
    for length in lengths {
        let mut wire = place.service.connect();
        wire.send(format!(
            "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{}}"
        ));
        wire.0.get_ref().shutdown(Shutdown::Write).unwrap();
        open.push(wire);
    }
    for n in 0..3 {
        served(&place.service, n);
    }
    assert!(
        resident_mib(&place.service) < 100,
        "{} MiB",
        resident_mib(&place.service)
    );
    assert_eq!(place.inbox().len(), 3);
}

#[test]
fn junk_on_the_socket_is_survived() {
    let mut place = Place::new(&[]);
    let long = "x".repeat(1 << 20);
    let junk: [&[u8]; 18] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\xff\xfe\xfd\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-A: \xc3\xa9\r\n\r\n",
        b"GET / HTTP/1.1\r\nExpect: miracles\r\n\r\n",
        b"GET /webhook?%ff%zz&hub.mode=%&= HTTP/1.1\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nabcde",
        b"POST /webhook HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
        b"POST /webhook HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        long.as_bytes(),
    ];
    for bytes in junk {
        let mut stream = TcpStream::connect(place.service.address).unwrap();
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
    }
    for n in 0..3 {
        served(&place.service, n);
    }
    assert!(place.service.child.try_wait().unwrap().is_none());
    assert_eq!(place.inbox().len(), 3);
}

/// Idle connections take all descriptors of a service that may have `limit`;
/// when they are gone, it serves again.
fn use_up_descriptors(limit: u32) {
    let folder = Folder::new();
    let setup = Setup::new(folder.path());
    let script = format!("ulimit -n {limit}; exec \"$0\" serve");
    let mut service = setup.serve_in_shell(&script, Stdio::null());
    let idle: Vec<_> = (0..limit / 2)
        .map_while(|_| TcpStream::connect(service.address).ok())
        .collect();
    service.wait_for_log("the listener does not answer");
    drop(idle);
    for n in 0..10 {
        served(&service, n);
    }
    let ended = service.child.try_wait().unwrap();
    assert!(ended.is_none(), "{}", service.log());
    assert_eq!(setup.json(&["inbox", "list", "--json"]).len(), 10);
}

// A connection takes two descriptors. The even limit and the odd one meet the
// lack in different places: in one tiny_http reports it, in the other its
// accept thread panics and only the watchdog notices.
#[test]
fn used_up_descriptors_come_back() {
    use_up_descriptors(64);
}

#[test]
fn used_up_descriptors_come_back_from_the_other_half() {
    use_up_descriptors(65);
}

#[test]
fn slow_writers_are_waited_for() {
    let place = Place::new(&[]);
    let post = signed_post(&text_message(1, "15550107001", &"slow ".repeat(500)));
    let mut wire = place.service.connect();
    for piece in post.as_bytes().chunks(64) {
        wire.0.get_mut().write_all(piece).unwrap();
        wire.0.get_mut().flush().unwrap();
        std::thread::yield_now();
    }
    assert_eq!(wire.answer().unwrap().status, 200);
}

/// Somebody sends this much and no more; others are served meanwhile, and not
/// because the listener was built anew.
fn check_others_are_served(begun: &str) {
    let place = Place::new(&[]);
    let mut wire = place.service.connect();
    wire.send(begun);
    for n in 0..3 {
        served(&place.service, n);
    }
    let log = place.service.log();
    assert!(!log.contains("anew"), "{begun}\n{log}");
}

#[test]
fn others_do_not_wait_for_a_body_that_is_late() {
    for headers in [
        "Content-Length: 5000",
        "Content-Length: 5\r\nExpect: 100-continue",
        "Content-Length: 5\r\nConnection: Upgrade",
        "Transfer-Encoding: chunked",
    ] {
        check_others_are_served(&format!(
            "POST /webhook HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n"
        ));
    }
}
