//! A service that passes calls on, and what is asked of it, byte for byte.

use crate::support::*;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use wabridge::edge::standin::{Number, Options, StandIn};

pub const NUMBER: &str = "106540300000001";
pub const WABA: &str = "102290100000001";

/// A service whose API is asked.
pub struct Bridge {
    pub service: Wabridge,
    pub address: SocketAddr,
    _folder: Folder,
}

impl Bridge {
    pub fn start(graph: &str, settings: &[(&str, &str)]) -> Bridge {
        let usual = [("WHATSAPP_TOKEN", TOKEN), ("GRAPH_API_URL", graph)];
        Bridge::with(&[&usual, settings].concat())
    }

    /// With these settings and no token but theirs.
    pub fn with(settings: &[(&str, &str)]) -> Bridge {
        let folder = Folder::new();
        let setup = Setup::new(folder.path());
        let mut service = API
            .iter()
            .chain(settings)
            .fold(setup, |setup, (name, value)| setup.set(name, value))
            .serve();
        let address = service.api().address;
        Bridge {
            service,
            address,
            _folder: folder,
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The head of a request with the key, and whatever else `headers` says.
    pub fn head(&self, method: &str, target: &str, headers: &str) -> String {
        let address = self.address;
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {API_KEY}\r\n{headers}\r\n"
        )
    }

    /// One request on a connection of its own, read to the end.
    pub fn bytes(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Got {
        let length = format!("Connection: close\r\nContent-Length: {}\r\n", body.len());
        self.raw(&self.head(method, target, &(length + headers)), body)
    }

    pub fn raw(&self, head: &str, body: &[u8]) -> Got {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        Got::read(&mut stream)
    }

    pub fn json(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let headers = "Content-Type: application/json\r\n";
        let got = self.bytes(method, target, headers, body.as_bytes());
        (got.status, got.json())
    }

    pub fn get(&self, target: &str) -> (u16, Value) {
        self.json("GET", target, "")
    }

    pub fn upload(&self, mime: &str, bytes: &[u8]) -> (u16, Value) {
        let (content_type, form) = form(mime, bytes, "");
        let target = format!("/v23.0/{NUMBER}/media");
        let got = self.bytes("POST", &target, &content_type, &form);
        (got.status, got.json())
    }

    /// Where we are told to fetch a file, without scheme and host.
    pub fn address_of(&self, media: &str) -> String {
        let (status, found) = self.get(&format!("/v23.0/{media}"));
        assert_eq!(status, 200, "{found}");
        let url = found["url"].as_str().unwrap();
        let ours = format!("http://{}", self.address);
        url.strip_prefix(&ours).expect(url).to_owned()
    }

    pub fn send(&self, to: &str) -> u16 {
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
    pub fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.service.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let digits = line.unwrap().split_whitespace().nth(1).unwrap();
        digits.parse().unwrap()
    }
}

/// An answer, byte for byte.
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn read(stream: &mut TcpStream) -> Got {
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

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// An upload as a client library writes it: its `Content-Type`, its body.
pub fn form(mime: &str, bytes: &[u8], more: &str) -> (String, Vec<u8>) {
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
pub fn noise(length: usize) -> Vec<u8> {
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

pub fn standin() -> StandIn {
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
pub fn check_calls(standin: &StandIn, expected: usize) {
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
