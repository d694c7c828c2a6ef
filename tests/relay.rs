//! Calls passed on to Graph by the real binary: files, templates, profiles and
//! the rest, against the stand-in for Graph, and against one that misbehaves.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;
use wabridge::edge::standin::{Number, Options, StandIn};

const NUMBER: &str = "106540300000001";
const WABA: &str = "102290100000001";

/// A service whose API is asked.
struct Api {
    service: Wabridge,
    address: SocketAddr,
    _folder: Folder,
}

impl Api {
    fn start(graph: &str, settings: &[(&str, &str)]) -> Api {
        let folder = Folder::new();
        let mut setup = Setup::new(folder.path())
            .set("WHATSAPP_TOKEN", TOKEN)
            .set("GRAPH_API_URL", graph)
            .set("API_KEY", API_KEY)
            .set("OPERATOR_LISTEN", "127.0.0.1:0");
        for (name, value) in settings {
            setup = setup.set(name, value);
        }
        let mut service = setup.serve();
        let address = service.api().address;
        Api {
            service,
            address,
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The head of a request with the key, and whatever else `headers` says.
    fn head(&self, method: &str, target: &str, headers: &str) -> String {
        let address = self.address;
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {API_KEY}\r\n{headers}\r\n"
        )
    }

    /// One request on a connection of its own, read to the end.
    fn bytes(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Got {
        let length = format!("Connection: close\r\nContent-Length: {}\r\n", body.len());
        self.raw(&self.head(method, target, &(length + headers)), body)
    }

    fn raw(&self, head: &str, body: &[u8]) -> Got {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        Got::read(&mut stream)
    }

    fn json(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let headers = "Content-Type: application/json\r\n";
        let got = self.bytes(method, target, headers, body.as_bytes());
        (got.status, got.json())
    }

    fn get(&self, target: &str) -> (u16, Value) {
        self.json("GET", target, "")
    }

    fn upload(&self, mime: &str, bytes: &[u8]) -> (u16, Value) {
        let (content_type, form) = form(mime, bytes, "");
        let target = format!("/v23.0/{NUMBER}/media");
        let got = self.bytes("POST", &target, &content_type, &form);
        (got.status, got.json())
    }

    /// Where we are told to fetch a file, without scheme and host.
    fn address_of(&self, media: &str) -> String {
        let (status, found) = self.get(&format!("/v23.0/{media}"));
        assert_eq!(status, 200, "{found}");
        let url = found["url"].as_str().unwrap();
        let ours = format!("http://{}", self.address);
        url.strip_prefix(&ours).expect(url).to_owned()
    }

    fn send(&self, to: &str) -> u16 {
        let body = json!({"messaging_product": "whatsapp", "to": to, "type": "text",
            "text": {"body": "hello"}});
        self.json(
            "POST",
            &format!("/v23.0/{NUMBER}/messages"),
            &body.to_string(),
        )
        .0
    }

    /// The most memory the process has had, in KiB.
    fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.service.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let digits = line.unwrap().split_whitespace().nth(1).unwrap();
        digits.parse().unwrap()
    }
}

/// An answer, byte for byte.
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn read(stream: &mut TcpStream) -> Got {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let at = at.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&bytes)));
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        Got {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: bytes.split_off(at + 4),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// An upload as a client library writes it: its `Content-Type`, its body.
fn form(mime: &str, bytes: &[u8], more: &str) -> (String, Vec<u8>) {
    let head = |name: &str| format!("--b7\r\nContent-Disposition: form-data; name=\"{name}\"");
    let mut form = format!(
        "{}\r\n\r\nwhatsapp\r\n{}\r\n\r\n{mime}\r\n{more}{}; filename=\"a\"\r\nContent-Type: {mime}\r\n\r\n",
        head("messaging_product"),
        head("type"),
        head("file"),
    )
    .into_bytes();
    form.extend_from_slice(bytes);
    form.extend_from_slice(b"\r\n--b7--\r\n");
    (
        "Content-Type: multipart/form-data; boundary=b7\r\n".into(),
        form,
    )
}

/// Bytes in which a shift or a loss shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn standin() -> StandIn {
    StandIn::start(Options {
        token: TOKEN.into(),
        app_secret: APP_SECRET.into(),
        needs_proof: true,
        numbers: vec![Number {
            id: NUMBER.into(),
            display: "15550109000".into(),
            waba: WABA.into(),
        }],
        ..Options::default()
    })
    .unwrap()
}

/// Every call that reached Graph bore our token and its proof, and nothing of
/// the caller's.
fn check_calls(standin: &StandIn, expected: usize) {
    let calls = standin.calls();
    assert_eq!(calls.len(), expected);
    for call in calls {
        let bearer = format!("Bearer {TOKEN}");
        let borne = call
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let borne: Vec<&str> = borne.map(|(_, value)| value.as_str()).collect();
        assert_eq!(borne, [bearer], "{} {}", call.method, call.path);
        let head = format!("{} {} {:?}", call.path, call.query, call.headers);
        assert!(!head.contains(API_KEY), "{head}");
        let body = String::from_utf8_lossy(&call.body);
        assert!(!body.contains(API_KEY), "{body}");
    }
}

#[test]
fn a_file_goes_up_is_looked_up_comes_down_and_is_deleted() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let bytes = noise(70_000);
    let (status, answer) = api.upload("image/png", &bytes);
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let kept = graph.media(id).unwrap();
    assert_eq!(
        (kept.mime.as_str(), kept.number.as_str()),
        ("image/png", NUMBER)
    );
    assert_eq!(kept.bytes, bytes);

    let found = api.bytes(
        "GET",
        &format!("/v23.0/{id}?phone_number_id={NUMBER}"),
        "",
        b"",
    );
    let text = String::from_utf8(found.body.clone()).unwrap();
    assert!(
        !text.contains(TOKEN) && !text.contains(&graph.addr().to_string()),
        "{text}"
    );
    assert_eq!(found.json()["file_size"], 70_000);
    let address = api.address_of(id);
    let file = api.bytes("GET", &address, "", b"");
    assert_eq!(
        (file.status, file.header("Content-Length")),
        (200, Some("70000"))
    );
    assert_eq!(file.header("Content-Type"), Some("image/png"));
    assert_eq!(file.body, bytes);
    // With a key only, and at no other address.
    let anybody = request(api.address, "GET", &address, &[], b"").unwrap();
    assert_eq!(anybody.status, 401);
    let changed = format!("{}0", &address[..address.len() - 1]);
    let other = format!("{}1", &address[..address.len() - 1]);
    let forged = if changed == address { other } else { changed };
    assert_eq!(api.bytes("GET", &forged, "", b"").status, 404);

    let (status, answer) = api.json("DELETE", &format!("/v23.0/{id}"), "");
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    let (status, answer) = api.get(&format!("/v23.0/{id}"));
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!(100)),
        "Graph's own words"
    );
    check_calls(&graph, 6);
}

#[test]
fn the_callers_key_reaches_graph_in_no_disguise() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let part = format!(
        "--b7\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n{API_KEY}\r\n"
    );
    let (content_type, body) = form("image/png", b"bytes", &part);
    let target = format!("/v23.0/{NUMBER}/media?access_token={API_KEY}");
    let got = api.bytes("POST", &target, &content_type, &body);
    assert_eq!(got.status, 200, "{}", got.json());
    let target = format!("/v23.0/{NUMBER}/whatsapp_business_profile");
    let body = json!({"messaging_product": "whatsapp", "about": "x", "access_token": API_KEY});
    assert_eq!(api.json("POST", &target, &body.to_string()).0, 200);
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nCookie: k=v\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: close, X-Own\r\nX-Own: 1\r\nTE: trailers\r\n";
    let body = format!("access_token={API_KEY}&about=x");
    let head = format!("{headers}Content-Length: {}\r\n", body.len());
    let got = api.raw(&api.head("POST", &target, &head), body.as_bytes());
    assert_eq!(got.status, 200);
    let calls = graph.calls();
    assert_eq!(calls[2].body, b"about=x");
    assert_eq!(
        calls[1].body,
        br#"{"messaging_product":"whatsapp","about":"x"}"#
    );
    for call in &calls {
        let names = call
            .headers
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase());
        let foreign = ["cookie", "x-forwarded-for", "x-own", "te", "expect"];
        let passed: Vec<String> = names
            .filter(|name| foreign.contains(&name.as_str()))
            .collect();
        assert!(passed.is_empty(), "{passed:?}");
    }
    check_calls(&graph, 3);
    // By the query, and by the word that upload sessions use.
    let path = format!("/v23.0/{NUMBER}?fields=status");
    let by_query = request(
        api.address,
        "GET",
        &format!("{path}&access_token={API_KEY}"),
        &[],
        b"",
    );
    assert_eq!(by_query.unwrap().status, 200);
    let oauth = [("Authorization", "OAuth test-api-key")];
    assert_eq!(
        request(api.address, "GET", &path, &oauth, b"")
            .unwrap()
            .status,
        200
    );
    for headers in [
        &[][..],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", "Basic dGVzdA==")],
    ] {
        let got = request(api.address, "GET", &path, headers, b"").unwrap();
        let body: Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!((got.status, &body["error"]["code"]), (401, &json!(190)));
    }
    check_calls(&graph, 5);
}

#[test]
fn other_calls_of_a_number_and_its_account_are_passed_on() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let number = |path: &str| format!("/v23.0/{NUMBER}{path}");
    let account = |path: &str| format!("/v23.0/{WABA}{path}");
    let (status, answer) = api.get(&number("?fields=verified_name"));
    assert_eq!(
        (status, answer),
        (200, json!({"verified_name": "Sample Shop", "id": NUMBER}))
    );
    let (status, answer) = api.get(&account("/phone_numbers"));
    assert_eq!((status, &answer["data"][0]["id"]), (200, &json!(NUMBER)));
    assert_eq!(
        api.get(&number("/whatsapp_business_profile?fields=about"))
            .0,
        200
    );
    let pin = r#"{"messaging_product":"whatsapp","pin":"123456"}"#;
    assert_eq!(
        api.json("POST", &number("/register"), pin).1["success"],
        true
    );
    let users = r#"{"messaging_product":"whatsapp","block_users":[{"user":"1"}]}"#;
    let (status, answer) = api.json("DELETE", &number("/block_users"), users);
    assert_eq!(status, 200);
    assert_eq!(
        answer["block_users"]["removed_users"][0]["input"], "1",
        "a DELETE has a body too"
    );
    let template = r#"{"name":"a","language":"en_US","category":"UTILITY"}"#;
    let (status, answer) = api.json("POST", &account("/message_templates"), template);
    assert_eq!((status, &answer["status"]), (200, &json!("PENDING")));

    // Page by page, each led to by the one before.
    let (mut next, mut names) = (account("/message_templates?limit=12"), Vec::new());
    let mut pages = 0;
    loop {
        let got = api.bytes("GET", &next, "", b"");
        assert!(!String::from_utf8_lossy(&got.body).contains(TOKEN));
        let answer = got.json();
        let rows = answer["data"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["name"].to_string()));
        pages += 1;
        let Some(url) = answer["paging"]["next"].as_str() else {
            break;
        };
        let ours = format!("http://{}", api.address);
        next = url.strip_prefix(&ours).expect(url).to_owned();
    }
    names.sort();
    names.dedup();
    assert_eq!((pages, names.len()), (3, 30));
}

#[test]
fn our_token_is_used_for_whatsapp_alone() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    for path in [
        "/v23.0/me",
        "/v23.0/me/accounts",
        "/v23.0/debug_token?input_token=x",
        "/v23.0/oauth/access_token?client_id=1",
        "/v23.0/act_106540300000001/ads",
        "/v23.0/17/media",
        "/v23.0/999999999999999/feed",
        "/v23.0/999999999999999/accounts",
    ] {
        let (status, answer) = api.get(path);
        let code = answer["error"]["code"].as_i64().unwrap_or_default();
        assert!(
            [(403, 10), (404, 100)].contains(&(status, code)),
            "{path}: {status} {answer}"
        );
    }
    // An edge that we do not know, of a number that Graph knows: its own words.
    let (status, answer) = api.get(&format!("/v23.0/{NUMBER}/something_new"));
    assert_eq!((status, &answer["error"]["code"]), (404, &json!(2500)));
    let asked: Vec<String> = graph.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(
        asked
            .iter()
            .filter(|path| path.ends_with("/feed") || path.ends_with("/me"))
            .count(),
        0,
        "{asked:?}"
    );
    for path in [
        "/v23.0/../me",
        "/v23.0/%2e%2e/me",
        "/v23.0//me",
        "/v23.0/1%2F..%2Fme",
    ] {
        assert_eq!(api.get(path).0, 400, "{path}");
    }
    assert_eq!(api.get("http://evil.example/v23.0/1").0, 404);
    assert_eq!(
        api.json("PUT", &format!("/v23.0/{NUMBER}/media"), "{}").0,
        405
    );
}

#[test]
fn each_number_is_called_with_its_own_token() {
    let graph = standin();
    let own = format!("WHATSAPP_TOKEN_{NUMBER}");
    let api = Api::start(
        &graph.url(),
        &[("WHATSAPP_TOKEN", "common-token"), (&own, TOKEN)],
    );
    let (status, answer) = api.upload("image/png", b"bytes");
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let (status, answer) = api.get(&format!("/v23.0/{id}"));
    assert_eq!(
        (status, &answer["error"]["code"]),
        (401, &json!(190)),
        "the common one"
    );
    let (status, _) = api.get(&format!("/v23.0/{id}?phone_number_id={NUMBER}"));
    assert_eq!(status, 200);

    let settings = [
        ("WHATSAPP_TOKEN_106540300000009", "another-token"),
        (&own, TOKEN),
    ];
    let folder = Folder::new();
    let mut setup = Setup::new(folder.path())
        .set("GRAPH_API_URL", &graph.url())
        .set("API_KEY", API_KEY)
        .set("OPERATOR_LISTEN", "127.0.0.1:0");
    for (name, value) in settings {
        setup = setup.set(name, value);
    }
    let mut service = setup.serve();
    let address = service.api().address;
    let api = Api {
        service,
        address,
        _folder: folder,
    };
    // Nothing says whose it is: found by asking.
    assert_eq!(api.get(&format!("/v23.0/{id}")).0, 200);
}

#[test]
fn large_files_pass_both_ways_in_little_memory() {
    const LENGTH: usize = 60 << 20;
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    assert_eq!(api.upload("image/png", b"bytes").0, 200);
    let before = api.memory_kib();
    let bytes = noise(LENGTH);
    let (status, answer) = api.upload("application/pdf", &bytes);
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    assert!(
        graph.media(id).unwrap().bytes == bytes,
        "it arrived as it was"
    );
    let address = api.address_of(id);
    let file = api.bytes("GET", &address, "", b"");
    assert!(file.body == bytes, "it came back as it was");
    let kept = api.raw(&api.head("GET", &address, "Connection: close\r\n"), b"");
    assert_eq!(kept.body.len(), LENGTH);
    let grown = api.memory_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "memory grew by {grown} KiB");
}

#[test]
fn a_body_in_chunks_passes_when_its_end_can_be_told() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let bytes = noise(50_000);
    let (content_type, form) = form("image/png", &bytes, "");
    let chunks = |body: &[u8]| -> Vec<u8> {
        let chunk = |part: &[u8]| {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.extend_from_slice(part);
            chunk.extend_from_slice(b"\r\n");
            chunk
        };
        body.chunks(7_000).flat_map(chunk).collect()
    };
    let headers = |content_type: &str| {
        format!("Connection: close\r\nTransfer-Encoding: chunked\r\n{content_type}")
    };
    let media = format!("/v23.0/{NUMBER}/media");
    let mut whole = chunks(&form);
    whole.extend_from_slice(b"0\r\n\r\n");
    let got = api.raw(&api.head("POST", &media, &headers(&content_type)), &whole);
    assert_eq!(got.status, 200, "{}", got.json());
    let id = got.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(graph.media(&id).unwrap().bytes, bytes);

    let profile = format!("/v23.0/{NUMBER}/whatsapp_business_profile");
    let json_type = "Content-Type: application/json\r\n";
    let mut body = chunks(br#"{"messaging_product":"whatsapp"}"#);
    body.extend_from_slice(b"0\r\n\r\n");
    let got = api.raw(&api.head("POST", &profile, &headers(json_type)), &body);
    assert_eq!(got.status, 200);
    // A raw file in chunks might be half of one.
    let raw_type = "Content-Type: application/octet-stream\r\n";
    let got = api.raw(&api.head("POST", &media, &headers(raw_type)), &body);
    assert_eq!(got.status, 411);
    assert_eq!(graph.calls().len(), 2);
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let (content_type, form) = form("image/png", b"bytes", "");
    for (target, expected) in [
        (format!("/v23.0/{NUMBER}/media"), 200),
        ("/v23.0/me/x".into(), 403),
    ] {
        let head = format!(
            "Connection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n{content_type}",
            form.len()
        );
        let mut stream = api.connect();
        stream
            .write_all(api.head("POST", &target, &head).as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 100"), "{line}");
        stream.write_all(&form).unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(rest.contains(&format!("HTTP/1.1 {expected}")), "{rest}");
    }
}

#[test]
fn what_is_too_long_is_refused_and_hears_so() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let media = format!("/v23.0/{NUMBER}/media");
    let body = vec![b'x'; (101 << 20) + 1];
    let content_type = "Content-Type: multipart/form-data; boundary=b7\r\n";
    let got = api.bytes("POST", &media, content_type, &body);
    assert_eq!(
        (got.status, &got.json()["error"]["code"]),
        (413, &json!(100))
    );
    // In chunks, where nothing is announced.
    let head = format!("Connection: close\r\nTransfer-Encoding: chunked\r\n{content_type}");
    let mut stream = api.connect();
    stream
        .write_all(api.head("POST", &media, &head).as_bytes())
        .unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..103 {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(&piece);
        chunk.extend_from_slice(b"\r\n");
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(Got::read(&mut stream).status, 413);
    // What is read whole is shorter.
    let profile = format!("/v23.0/{NUMBER}/whatsapp_business_profile");
    let long = format!(r#"{{"about":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(api.json("POST", &profile, &long).0, 413);
    assert!(graph.calls().is_empty());
    assert!(api.memory_kib() < 100 << 10, "{} KiB", api.memory_kib());
    assert_eq!(api.upload("image/png", b"bytes").0, 200, "and goes on");
}

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
    let api = Api::start(&graph.url, &[]);
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
    let api = Api::start(&graph.url, &[]);
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
    let api = Api::start(&graph.url, &[]);
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
    let api = Api::start(&graph.url, &[]);
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
    let api = Api::start(&graph.url(), &[]);
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
    let api = Api::start(&graph.url, &[]);
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
    let api = Api::start(&graph.url(), &[]);
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

#[test]
fn a_message_is_found_by_its_wamid_however_it_is_written() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    assert_eq!(api.send("15550107001"), 200);
    let wamid = graph.accepted()[0].wamid.clone();
    let encoded: String = wamid
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_string(),
            false => format!("%{:02X}", u32::from(c)),
        })
        .collect();
    assert_ne!(encoded, wamid);
    for id in [&wamid, &encoded] {
        let (status, shown) = api.get(&format!("/v23.0/{id}"));
        assert_eq!((status, &shown["wamid"]), (200, &json!(wamid)));
    }
    assert_eq!(api.get("/v23.0/wamid.A%2FB%2B%3D").0, 404);
    assert!(graph.calls().is_empty(), "ours are not asked of Graph");
}

#[test]
fn certificates_that_cannot_be_used_are_told_at_the_start() {
    let folder = Folder::new();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    let missing = folder.path().join("missing.pem");
    for (path, why) in [
        (&empty, "holds no certificates"),
        (&missing, "cannot be read"),
    ] {
        let setup = Setup::new(folder.path()).set("SSL_CERT_FILE", &path.to_string_lossy());
        for verb in ["serve", "check"] {
            let output = setup.run(&[verb]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(
                said.contains("SSL_CERT_FILE") && said.contains(why),
                "{said}"
            );
        }
    }
}

#[test]
fn a_connection_that_asks_again_as_soon_as_it_is_answered_is_served() {
    let graph = standin();
    let api = Api::start(&graph.url(), &[]);
    let stream = TcpStream::connect(api.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut wire = Wire(BufReader::new(stream));
    for _ in 0..200 {
        wire.send(format!(
            "GET /v23.0/{NUMBER}?fields=id HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
        ));
        let answer = wire.answer().expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
