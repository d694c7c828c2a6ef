//! Calls passed on to Graph by the real binary: files, templates, profiles and
//! the rest, against the stand-in for Graph, and against one that misbehaves.

#[path = "relay/bodies.rs"]
mod bodies;
#[path = "relay/rogue.rs"]
mod rogue;
#[path = "relay/stage.rs"]
mod stage;
mod support;

use serde_json::{Value, json};
use stage::*;
use std::io::BufReader;
use std::net::TcpStream;
use support::*;

#[test]
fn a_file_goes_up_is_looked_up_comes_down_and_is_deleted() {
    let graph = standin();
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(
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

    let api = Bridge::with(&[
        ("GRAPH_API_URL", &graph.url()),
        ("WHATSAPP_TOKEN_106540300000009", "another-token"),
        (&own, TOKEN),
    ]);
    // Nothing says whose it is: found by asking.
    assert_eq!(api.get(&format!("/v23.0/{id}")).0, 200);
}

#[test]
fn a_message_is_found_by_its_wamid_however_it_is_written() {
    let graph = standin();
    let api = Bridge::start(&graph.url(), &[]);
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
    let api = Bridge::start(&graph.url(), &[]);
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
