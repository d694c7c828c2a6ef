//! Bodies on their way through: large, in chunks, too long, waited for.

use crate::stage::*;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};

#[test]
fn large_files_pass_both_ways_in_little_memory() {
    const LENGTH: usize = 60 << 20;
    let graph = standin();
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
