//! Graph is called by HTTPS, and only when it proves who it is: against a
//! server with a certificate of a private authority.

mod support;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::*;

const NUMBER: &str = "106540300000001";
const ANA: &str = "15550107001";

fn file(name: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/files").join(name)
}

/// A Graph that speaks TLS and accepts every message.
struct SecureGraph {
    port: u16,
    connections: Arc<AtomicUsize>,
    /// The request lines that came.
    heard: Arc<Mutex<Vec<String>>>,
}

impl SecureGraph {
    fn start() -> SecureGraph {
        let certificate = CertificateDer::from_pem_file(file("localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("localhost.key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let graph = SecureGraph {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            heard: Arc::default(),
        };
        let (connections, heard) = (Arc::clone(&graph.connections), Arc::clone(&graph.heard));
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                // A client that does not trust us leaves in the handshake.
                let _ = answer(StreamOwned::new(tls, socket), &heard);
            }
        });
        graph
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Answers one request and closes the connection.
fn answer(
    stream: StreamOwned<ServerConnection, TcpStream>,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    stream.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    heard.lock().unwrap().push(request);
    let body = r#"{"messaging_product":"whatsapp","messages":[{"id":"wamid.SECURE"}]}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let stream = stream.get_mut();
    stream.write_all((head + body).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A service that calls Graph at `host`, with one message to send.
fn sending_to(graph: &SecureGraph, host: &str, authority: bool) -> Place {
    let url = format!("https://{host}:{}", graph.port);
    let pem = file("authority.pem");
    let mut settings = vec![
        ("GRAPH_API_URL", url.as_str()),
        ("WHATSAPP_TOKEN", TOKEN),
        ("NO_PROXY", "*"),
        ("API_WAIT", "1s"),
    ];
    if authority {
        settings.push(("SSL_CERT_FILE", pem.to_str().unwrap()));
    }
    let place = Place::new(&settings);
    place
        .setup
        .run(&["send", "--from", NUMBER, "--to", ANA, "hello"]);
    place
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named() {
    let graph = SecureGraph::start();
    let place = sending_to(&graph, "localhost", true);
    place.wait_outbox("accepted");
    assert_eq!(place.outbox()[0]["wamid"], "wamid.SECURE");
    let heard = graph.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(
        heard[0].contains(&format!("/{NUMBER}/messages")),
        "{heard:?}"
    );
}

/// Nothing is said to a server that does not prove who it is, and the message
/// waits for one that does.
fn check_refused(host: &str, authority: bool) {
    let graph = SecureGraph::start();
    let place = sending_to(&graph, host, authority);
    let error = || place.outbox()[0]["error"].as_str().map(str::to_owned);
    wait_until("an attempt has failed", || error().is_some());
    assert!(graph.connections.load(Ordering::SeqCst) > 0);
    assert_eq!(graph.heard(), Vec::<String>::new());
    let row = &place.outbox()[0];
    assert_eq!(row["state"], "queued", "{row}");
    let error = error().unwrap();
    assert!(error.contains("no secure connection"), "{row}");
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    check_refused("localhost", false);
}

#[test]
fn a_certificate_for_another_name_is_not_taken() {
    check_refused("127.0.0.1", true);
}
