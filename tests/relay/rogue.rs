//! A Graph that misbehaves, and callers that do.

use crate::stage::*;
use crate::support::*;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A Graph that does as a test says: `answer` gets each request's head, its
/// body read away, and the connection.
struct Rogue {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Rogue {
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&heads), Arc::new(answer));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) =
                    (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    while let Some(head) = read_request(&mut stream) {
                        seen.lock().unwrap().push(head.clone());
                        answer(&head, &mut stream);
                    }
                });
            }
        });
        Rogue { url, heads }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<u64>().unwrap())
    });
    let mut body = stream.take(length.unwrap_or(0));
    std::io::copy(&mut body, &mut std::io::sink()).ok()?;
    Some(head)
}

fn write(stream: &mut TcpStream, text: &str) {
    // The other side may be gone.
    let _ = stream.write_all(text.as_bytes());
}

#[test]
fn no_redirect_is_followed_or_passed_on() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = elsewhere.local_addr().unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let graph = Rogue::start(move |_, stream| {
        write(
            stream,
            &format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{there}/\r\nContent-Length: 0\r\n\r\n"
            ),
        );
    });
    let api = Bridge::start(&graph.url, &[]);
    let got = api.bytes("GET", &format!("/v23.0/{NUMBER}/media"), "", b"");
    assert_eq!((got.status, &got.json()["error"]["code"]), (502, &json!(2)));
    assert_eq!(got.header("Location"), None);
    assert!(elsewhere.accept().is_err(), "nobody came");
}

#[test]
fn of_graphs_headers_only_sane_ones_come_back() {
    let graph = Rogue::start(|_, stream| {
        write(
            stream,
            "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\nX-App-Usage: {\"call_count\":1}\r\nServer: proxygen\r\nKeep-Alive: timeout=5\r\nContent-Length: 12\r\n\r\n{\"error\":{}}",
        );
    });
    let api = Bridge::start(&graph.url, &[]);
    let got = api.bytes("GET", &format!("/v23.0/{NUMBER}/media"), "", b"");
    assert_eq!(
        (got.status, got.body.as_slice()),
        (400, &b"{\"error\":{}}"[..])
    );
    assert_eq!(got.header("Retry-After"), Some("7"));
    assert_eq!(got.header("X-App-Usage"), Some("{\"call_count\":1}"));
    for name in ["Set-Cookie", "Keep-Alive"] {
        assert_eq!(got.header(name), None, "{name}");
    }
    let head = graph.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(
        head.starts_with(&format!("get /v26.0/{NUMBER}/media?appsecret_proof=")),
        "{head}"
    );
    assert_eq!(head.matches("authorization:").count(), 1);
}

#[test]
fn our_token_does_not_come_back_in_an_answer_of_any_length() {
    let graph = Rogue::start(|head, stream| {
        let filler = match head.contains("long") {
            true => "x".repeat(3 << 20),
            false => String::new(),
        };
        let body = format!(r#"{{"a":"{filler}{TOKEN}","b":"{TOKEN}"}}"#);
        let length = body.len();
        write(
            stream,
            &format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
    });
    let api = Bridge::start(&graph.url, &[]);
    for (query, least) in [("short", 20), ("long", 3 << 20)] {
        let got = api.bytes("GET", &format!("/v23.0/{NUMBER}/media?{query}"), "", b"");
        assert_eq!(got.status, 200);
        assert!(got.body.len() > least);
        assert!(got.json().is_object(), "its length and form stay");
        assert!(!String::from_utf8_lossy(&got.body).contains(TOKEN));
    }
}

/// Answers a look-up with an address of its own, and the file itself cut.
fn cut_file(head: &str, stream: &mut TcpStream) {
    if head.starts_with("GET /v26.0/") {
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("host: ").or(line.strip_prefix("Host: ")));
        let body = json!({"url": format!("http://{}/file", host.unwrap()), "id": "1"}).to_string();
        let length = body.len();
        return write(
            stream,
            &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
        );
    }
    let part = "x".repeat(60_000);
    write(
        stream,
        &format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{part}"),
    );
    let _ = stream.shutdown(Shutdown::Both);
}

#[test]
fn a_file_that_breaks_off_is_not_passed_off_as_whole() {
    let graph = Rogue::start(cut_file);
    let api = Bridge::start(&graph.url, &[]);
    let address = api.address_of("1200000000000001");
    let got = api.bytes("GET", &address, "", b"");
    assert_eq!(got.header("Content-Length"), Some("100000"));
    assert!(got.body.len() < 100_000, "the connection ended early");
    // A connection that is kept: the chunk after the last one is none.
    let mut stream = api.connect();
    stream
        .write_all(api.head("GET", &address, "").as_bytes())
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let broken = loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Ok(length) = u64::from_str_radix(line.trim(), 16) else {
            break line.clone();
        };
        assert!(length > 0, "it ended as if it were whole");
        let mut chunk = (&mut reader).take(length + 2);
        std::io::copy(&mut chunk, &mut std::io::sink()).unwrap();
    };
    assert_eq!(broken, "broken off\r\n");
}

#[test]
fn a_caller_that_leaves_in_the_middle_leaves_nothing_behind() {
    let graph = standin();
    let api = Bridge::start(&graph.url(), &[]);
    let (content_type, form) = form("image/png", &noise(100_000), "");
    let media = format!("/v23.0/{NUMBER}/media");
    let length = format!("Content-Length: {}\r\n{content_type}", form.len());
    let chunked = format!("Transfer-Encoding: chunked\r\n{content_type}");
    let mut half_a_chunk = b"10000\r\n".to_vec();
    half_a_chunk.extend_from_slice(&form[..40_000]);
    for (head, sent) in [(&length, &form[..50_000]), (&chunked, &half_a_chunk)] {
        let mut stream = api.connect();
        stream
            .write_all(api.head("POST", &media, head).as_bytes())
            .unwrap();
        stream.write_all(sent).unwrap();
        drop(stream);
    }
    // A file that nobody reads to its end.
    let id = graph.add_media(NUMBER, "video/mp4", noise(16 << 20));
    let address = api.address_of(&id);
    let mut stream = api.connect();
    stream
        .write_all(api.head("GET", &address, "").as_bytes())
        .unwrap();
    stream.read_exact(&mut [0; 1_000]).unwrap();
    drop(stream);
    for _ in 0..20 {
        assert_eq!(api.upload("image/png", b"bytes").0, 200);
    }
    let uploads = graph
        .calls()
        .into_iter()
        .filter(|call| call.method == "POST");
    assert_eq!(uploads.count(), 20, "no half file arrived");
}

#[test]
fn a_graph_that_does_not_answer_holds_up_neither_sends_nor_the_webhook() {
    let graph = Rogue::start(|head, stream| {
        if !head.contains("/messages") {
            std::thread::sleep(Duration::from_secs(60));
        }
        let body = r#"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.A"}]}"#;
        write(
            stream,
            &format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
    });
    let api = Bridge::start(&graph.url, &[]);
    let target = format!("/v23.0/{NUMBER}/media");
    let head = api.head("GET", &target, "Connection: close\r\n");
    let mut waiting: Vec<TcpStream> = Vec::new();
    // 16 relays and 64 that wait for one; whoever comes then is refused.
    wait_until("all relays are taken", || {
        while waiting.len() < 16 + 64 {
            let mut stream = api.connect();
            stream.write_all(head.as_bytes()).unwrap();
            waiting.push(stream);
        }
        let mut stream = api.connect();
        let patience = Some(Duration::from_millis(500));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let full = answer.starts_with("HTTP/1.1 503 ");
        assert!(!full || answer.contains("Retry-After: "), "{answer}");
        // It may have come before one of the others.
        waiting.push(stream);
        full
    });
    assert_eq!(api.send("15550107001"), 200);
    assert_eq!(
        api.service
            .post(&text_message(1, "15550107001", "hi"))
            .status,
        200
    );
    drop(waiting);
}

#[test]
fn callers_that_are_slow_hold_up_neither_sends_nor_the_webhook() {
    let graph = standin();
    let api = Bridge::start(&graph.url(), &[]);
    let media = format!("/v23.0/{NUMBER}/media");
    let (content_type, form) = form("image/png", &noise(100_000), "");
    let head = format!("Content-Length: {}\r\n{content_type}", form.len());
    let slow: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = api.connect();
            stream
                .write_all(api.head("POST", &media, &head).as_bytes())
                .unwrap();
            stream.write_all(&form[..30_000]).unwrap();
            stream
        })
        .collect();
    // Without a key as well.
    let nobody: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = api.connect();
            write!(stream, "POST {media} HTTP/1.1\r\nHost: x\r\n{head}\r\nsome").unwrap();
            stream
        })
        .collect();
    assert_eq!(api.send("15550107001"), 200);
    assert_eq!(
        api.service
            .post(&text_message(1, "15550107001", "hi"))
            .status,
        200
    );
    drop((slow, nobody));
}
