//! The webhook of the real binary: every answer of the contract, and that what
//! was answered 200 is stored. How connections are dealt with is in
//! `listener.rs`.

mod support;

use std::net::Shutdown;
use support::*;
use wabridge::wire::sample::{self, Sample};
use wabridge::wire::signature::HubKeys;

fn handshake(place: &Place, query: &str, expected: (u16, &str)) {
    let answer = place
        .service
        .request("GET", &format!("/webhook?{query}"), &[], b"");
    let seen = (answer.status, answer.body.trim_end());
    if expected.0 == 200 {
        assert_eq!(seen, expected, "{query}");
        assert_eq!(answer.header("Content-Type"), Some("text/plain"), "{query}");
    } else {
        assert_eq!(seen.0, expected.0, "{query}");
    }
}

#[test]
fn the_handshake_gives_the_challenge_back_untouched() {
    let place = Place::new(&[("VERIFY_TOKEN", "one, t/w+o &")]);
    let cases = [
        (
            "hub.mode=subscribe&hub.verify_token=one&hub.challenge=1158201444",
            "1158201444",
        ),
        (
            "hub.challenge=1&hub.verify_token=one&hub.mode=subscribe",
            "1",
        ),
        (
            "a=b&hub.mode=subscribe&&x&hub.verify_token=one&hub.challenge=2&hub.challenges=9",
            "2",
        ),
        (
            "hub.mode=subscribe&hub.verify_token=t%2Fw%2bo+%26&hub.challenge=3",
            "3",
        ),
        (
            "hub%2Emode=subscribe&hub.verify_token=%6Fne&hub.challenge=4",
            "4",
        ),
        (
            "hub.mode=subscribe&hub.verify_token=one&hub.challenge=a%2Bb%20c%26d%3De%25",
            "a+b c&d=e%",
        ),
        (
            "hub.mode=subscribe&hub.verify_token=one&hub.challenge=%3Cscript%3E",
            "<script>",
        ),
        (
            "hub.mode=subscribe&hub.verify_token=one&hub.challenge=%0D%0ASet-Cookie%3A%20a",
            "\r\nSet-Cookie: a",
        ),
        (
            "hub.mode=subscribe&hub.verify_token=one&hub.challenge=%C3%A9",
            "é",
        ),
    ];
    for (query, challenge) in cases {
        handshake(&place, query, (200, challenge));
    }
    assert_eq!(place.inbox().len(), 0);
}

#[test]
fn a_wrong_handshake_is_refused() {
    let place = Place::new(&[]);
    let cases = [
        (
            "hub.mode=subscribe&hub.verify_token=no&hub.challenge=1",
            403,
        ),
        ("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", 403),
        (
            "hub.mode=subscribe&hub.verify_token=test-verify-toke&hub.challenge=1",
            403,
        ),
        (
            "hub.mode=subscribe&hub.verify_token=TEST-VERIFY-TOKEN&hub.challenge=1",
            403,
        ),
        (
            "hub.mode=unsubscribe&hub.verify_token=test-verify-token&hub.challenge=1",
            403,
        ),
        ("hub.verify_token=test-verify-token&hub.challenge=1", 400),
        ("hub.mode=subscribe&hub.challenge=1", 400),
        ("hub.mode=subscribe&hub.verify_token=test-verify-token", 400),
        ("HUB.MODE=subscribe&hub.verify_token=x&hub.challenge=1", 400),
        ("", 400),
    ];
    for (query, status) in cases {
        handshake(&place, query, (status, ""));
    }
    let bare = place.service.request("GET", "/webhook", &[], b"");
    assert_eq!(bare.status, 400);
}

#[test]
fn a_signed_notification_is_stored_and_answered_200() {
    let place = Place::new(&[]);
    let answer = place.service.post(&text_message(1, "15550107001", "hello"));
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let rows = place.inbox();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["kind"], "message");
    assert_eq!(rows[0]["type"], "text");
}

#[test]
fn without_a_right_signature_nothing_is_stored() {
    let place = Place::new(&[]);
    let body = text_message(1, "15550107001", "hello");
    let right = sign(body.as_bytes());
    let foreign = HubKeys::new(["another"]).sign(body.as_bytes()).unwrap();
    let cases: Vec<Option<String>> = vec![
        None,
        Some(String::new()),
        Some("sha256=".into()),
        Some(right.replace("sha256=", "")),
        Some(right.replace("sha256=", "sha1=")),
        Some(right.replace("sha256=", "sha256")),
        Some(right[..right.len() - 1].into()),
        Some(format!("{right}0")),
        Some(format!("{right}, {foreign}")),
        Some(format!("sha256={}", "z".repeat(64))),
        Some(format!("sha256={}", "0".repeat(64))),
        Some("x".repeat(20_000)),
        Some(foreign),
        Some(sign(b"")),
        Some(sign(body.replace("hello", "hallo").as_bytes())),
    ];
    for signature in cases {
        let headers: Vec<(&str, &str)> = signature
            .iter()
            .map(|s| ("X-Hub-Signature-256", s.as_str()))
            .collect();
        let answer = place
            .service
            .request("POST", "/webhook", &headers, body.as_bytes());
        assert_eq!(answer.status, 401, "{signature:?}");
    }
    // SHA-1 alone, which Meta sends too, is not enough.
    let old = [("X-Hub-Signature", right.as_str())];
    let answer = place
        .service
        .request("POST", "/webhook", &old, body.as_bytes());
    assert_eq!(answer.status, 401);
    assert_eq!(place.inbox().len(), 0);
}

#[test]
fn any_of_several_app_secrets_signs() {
    let place = Place::new(&[("APP_SECRET", "new, old")]);
    for (n, (secret, status)) in [("new", 200), ("old", 200), ("new, old", 401), ("", 401)]
        .into_iter()
        .enumerate()
    {
        let body = text_message(n as u64, "15550107001", "hello");
        let signature = match secret {
            "" => "sha256=".to_owned(),
            secret => HubKeys::new([secret]).sign(body.as_bytes()).unwrap(),
        };
        let headers = [("X-Hub-Signature-256", signature.as_str())];
        let answer = place
            .service
            .request("POST", "/webhook", &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{secret:?}");
    }
    assert_eq!(place.inbox().len(), 2);
}

#[test]
fn what_is_signed_but_not_json_is_400_and_any_json_is_200() {
    let place = Place::new(&[]);
    let post = |body: &[u8]| {
        let signature = sign(body);
        let headers = [("X-Hub-Signature-256", signature.as_str())];
        place
            .service
            .request("POST", "/webhook", &headers, body)
            .status
    };
    let broken: [&[u8]; 8] = [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"not json",
        b"{\"entry\":[}",
        b"\"\xff\"",
        b"{'object':1}",
    ];
    for body in broken {
        assert_eq!(post(body), 400, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(place.inbox().len(), 0);
    let odd = [
        "{}",
        "[]",
        "null",
        "1e400",
        r#""text""#,
        r#"{"object":"whatsapp_business_account","entry":null}"#,
        r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"new","value":null}]}]}"#,
        r#"{"object":"page","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[{}]}}]}]}"#,
        r#"{"object":"x","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[7,"a",null]}}]}]}"#,
    ];
    for body in odd {
        let before = place.inbox().len();
        assert_eq!(post(body.as_bytes()), 200, "{body}");
        assert!(place.inbox().len() > before, "{body} was dropped");
    }
}

#[test]
fn the_signature_is_over_the_raw_bytes_and_they_are_what_is_stored() {
    let place = Place::new(&[]);
    let body = text_message(1, "15550107001", "é/😀 \u{2028}\"");
    assert!(body.contains(r"\u00e9\/\ud83d\ude00"), "{body}");
    place.service.take(&body);
    let id = place.inbox()[0]["id"].to_string();
    let shown = place.setup.run(&["inbox", "show", &id, "--json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("\"body\":{body}}}")), "{shown}");
    let again: serde_json::Value = serde_json::from_str(&body).unwrap();
    let headers = [("X-Hub-Signature-256", sign(body.as_bytes()))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let written = again.to_string();
    let answer = place
        .service
        .request("POST", "/webhook", &headers, written.as_bytes());
    assert_eq!(answer.status, 401, "the same JSON in other bytes");
}

#[test]
fn three_mebibytes_pass_and_one_byte_more_is_413() {
    let place = Place::new(&[]);
    let padded = |n: u64, length: usize| {
        let body = text_message(n, "15550107001", "long");
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    assert_eq!(place.service.post(&padded(1, 3 << 20)).status, 200);
    assert_eq!(place.service.post(&padded(2, (3 << 20) + 1)).status, 413);
    assert_eq!(place.service.post(&padded(3, 5 << 20)).status, 413);
    let chunked = |body: &str| {
        let mut wire = place.service.connect();
        let signature = sign(body.as_bytes());
        wire.send(format!("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: {signature}\r\nTransfer-Encoding: chunked\r\n\r\n"));
        for part in body.as_bytes().chunks(100_000) {
            wire.send(format!("{:x}\r\n", part.len()));
            wire.send(part);
            wire.send("\r\n");
        }
        wire.send("0\r\n\r\n");
        wire.answer().unwrap().status
    };
    assert_eq!(chunked(&text_message(4, "15550107001", "in pieces")), 200);
    assert_eq!(chunked(&padded(5, 3 << 20)), 200);
    assert_eq!(chunked(&padded(6, (3 << 20) + 1)), 413);
    assert_eq!(place.inbox().len(), 3);
}

#[test]
fn a_body_shorter_than_announced_is_not_stored() {
    let place = Place::new(&[]);
    let body = text_message(1, "15550107001", "cut");
    for (announced, sent) in [(body.len() + 1, body.len()), (2_000, 900), (3 << 20, 10)] {
        let mut wire = place.service.connect();
        wire.send(format!("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: {}\r\nContent-Length: {announced}\r\n\r\n", sign(body.as_bytes())));
        wire.send(&body[..sent.min(body.len())]);
        wire.0.get_ref().shutdown(Shutdown::Write).unwrap();
        let status = wire.answer().map(|answer| answer.status);
        assert!(
            matches!(status, None | Some(400)),
            "{announced}: {status:?}"
        );
    }
    let mut wire = place.service.connect();
    wire.send("POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n");
    assert!(wire.answer().is_none_or(|answer| answer.status == 400));
    place.service.take(&text_message(2, "15550107001", "whole"));
    assert_eq!(place.inbox().len(), 1);
}

#[test]
fn expect_100_continue_is_heard() {
    let place = Place::new(&[]);
    let small = text_message(1, "15550107001", "hello");
    let large = text_message(2, "15550107001", &"long ".repeat(1_000));
    for body in [small, large] {
        let mut wire = place.service.connect();
        let post = signed_post(&body).replace("\r\nHost:", "\r\nExpect: 100-continue\r\nHost:");
        let (head, body) = post.split_once("\r\n\r\n").unwrap();
        wire.send(format!("{head}\r\n\r\n"));
        assert_eq!(wire.answer().unwrap().status, 100);
        wire.send(body);
        assert_eq!(wire.answer().unwrap().status, 200);
    }
    assert_eq!(place.inbox().len(), 2);
}

#[test]
fn other_methods_are_405_with_what_is_allowed_and_other_paths_404() {
    let place = Place::new(&[]);
    let ask = |method: &str, path: &str| {
        let answer = place.service.request(method, path, &[], b"");
        let allow = answer.header("Allow").unwrap_or_default().to_owned();
        (answer.status, allow)
    };
    for method in [
        "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "MADEUP",
    ] {
        assert_eq!(
            ask(method, "/webhook"),
            (405, "GET, POST".into()),
            "{method}"
        );
        assert_eq!(ask(method, "/healthz"), (405, "GET".into()), "{method}");
        assert_eq!(ask(method, "/other").0, 404, "{method}");
    }
    assert_eq!(ask("POST", "/healthz"), (405, "GET".into()));
    assert_eq!(ask("GET", "/healthz").0, 200);
    assert_eq!(ask("GET", "/healthz?x=1").0, 200);
}

#[test]
fn nothing_but_the_webhook_is_on_the_listener() {
    let place = Place::new(&[]);
    let paths = [
        "/",
        "/webhook/",
        "/Webhook",
        "//webhook",
        "/webhook2",
        "/webhook%20",
        "/%77ebhook",
        "/webhook/../webhook",
        "/metrics",
        "/readyz",
        "/console",
        "/login",
        "/api",
        "/inbox",
        "/v25.0/106540300000001/messages",
        "/v25.0/1",
        "/static/app.js",
        "/favicon.ico",
        "*",
        "/healthz/",
        "/.env",
    ];
    for path in paths {
        for method in ["GET", "POST"] {
            let answer = place.service.request(method, path, &[], b"");
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
}

#[test]
fn the_path_is_a_setting() {
    let place = Place::new(&[("WEBHOOK_PATH", "/hooks/meta-1")]);
    place.service.take(&text_message(1, "15550107001", "hello"));
    let query = "hub.mode=subscribe&hub.verify_token=test-verify-token&hub.challenge=7";
    let ask = |path: &str| {
        let target = format!("{path}?{query}");
        place.service.request("GET", &target, &[], b"").status
    };
    assert_eq!(ask("/hooks/meta-1"), 200);
    assert_eq!(ask("/webhook"), 404);
}

#[test]
fn unsigned_posts_are_taken_only_when_allowed_and_loudly() {
    let body = text_message(1, "15550107001", "by hand");
    let folder = Folder::new();
    let setup = Setup::new(folder.path())
        .unset("APP_SECRET")
        .unset("VERIFY_TOKEN")
        .set("ALLOW_UNSIGNED", "true");
    let service = setup.serve();
    let answer = service.request("POST", "/webhook", &[], body.as_bytes());
    assert_eq!(answer.status, 200);
    assert!(
        service
            .log()
            .contains("ALLOW_UNSIGNED=true and no APP_SECRET")
    );

    let place = Place::new(&[("ALLOW_UNSIGNED", "true")]);
    let post = |headers: &[(&str, &str)]| {
        let answer = place
            .service
            .request("POST", "/webhook", headers, body.as_bytes());
        answer.status
    };
    assert_eq!(post(&[("X-Hub-Signature-256", "sha256=00")]), 401);
    assert_eq!(post(&[]), 200);
    assert!(place.service.log().contains("never use this where others"));
}

#[test]
fn a_second_delivery_is_200_and_stored_once() {
    let place = Place::new(&[]);
    let body = text_message(1, "15550107001", "hello");
    for _ in 0..3 {
        place.service.take(&body);
    }
    // The same message in another envelope.
    place.service.take(&body.replacen('{', "{ ", 1));
    assert_eq!(place.inbox().len(), 1);
}

#[test]
fn a_thousand_events_in_one_body_are_each_stored() {
    let place = Place::new(&[]);
    let messages: Vec<String> = (0..1_000)
        .map(|n| {
            let from = format!("1555011{n:04}");
            let id = sample::wamid(n, &from);
            format!(r#"{{"from":"{from}","id":"{id}","timestamp":"1790000000","type":"text","text":{{"body":"{n}"}}}}"#)
        })
        .collect();
    let one = Sample::default();
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{}","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{}","phone_number_id":"{}"}},"messages":[{}]}},"field":"messages"}}]}}]}}"#,
        one.waba,
        one.display,
        one.number,
        messages.join(",")
    );
    place.service.take(&body);
    place.service.take(&body);
    let rows = place.inbox();
    assert_eq!(rows.len(), 1_000);
    let shown = place
        .setup
        .run(&["inbox", "show", &rows[999]["id"].to_string()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(r#""body":"999""#) && !shown.contains(r#""body":"998""#));
}

#[test]
fn every_kind_of_sample_is_stored_once() {
    let place = Place::new(&[]);
    let mut stored = [0; 2];
    for count in &mut stored {
        for kind in sample::KINDS {
            let id = sample::wamid(1, kind.name);
            let sample = Sample {
                id: &id,
                ..Sample::default()
            };
            place
                .service
                .take(&sample::notification(kind.name, &sample).unwrap());
        }
        *count = place.inbox().len();
    }
    assert!(stored[0] >= sample::KINDS.len(), "{stored:?}");
    assert_eq!(stored[0], stored[1]);
}

#[test]
fn what_was_answered_200_is_there_after_a_kill() {
    let mut place = Place::new(&[]);
    for n in 0..20 {
        place.service.take(&text_message(n, "15550107001", "hello"));
    }
    place.crash();
    assert_eq!(place.inbox().len(), 20);
}

#[test]
fn an_answer_is_503_with_retry_after_when_nothing_can_be_stored() {
    let place = Place::new(&[]);
    let database = place.folder.path().join("wabridge.db");
    let other = rusqlite::Connection::open(database).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let body = text_message(1, "15550107001", "hello");
    let answer = place.service.post(&body);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("Retry-After"), Some("5"));
    other.execute_batch("ROLLBACK").unwrap();
    wait_until("it is stored again", || {
        place.service.post(&body).status == 200
    });
    assert_eq!(place.inbox().len(), 1);
}
