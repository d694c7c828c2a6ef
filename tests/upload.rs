//! `wabridge send --file` by the real binary: a file goes up once, its message
//! goes the way of all others, and what cannot be sent queues nothing.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use support::*;
use wabridge::edge::standin::{CallSeen, Chance, Faults, Number, Options, StandIn, StatusFault};

const NUMBER: &str = "106540300000001";
const OTHER_NUMBER: &str = "106540300000002";
const ANN: &str = "15550107001";
const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0 not much of a picture";
const PDF: &[u8] = b"%PDF-1.7 not much of a bill";

/// A service, a Graph, and files to send.
struct Stage {
    graph: StandIn,
    place: Place,
}

/// What a command came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let number = |id: &str| Number {
            id: id.into(),
            display: "15550109000".into(),
            waba: "102290100000001".into(),
        };
        let graph = StandIn::start(Options {
            token: TOKEN.into(),
            app_secret: APP_SECRET.into(),
            numbers: vec![number(NUMBER), number(OTHER_NUMBER)],
            ..Options::default()
        });
        let graph = graph.unwrap();
        // What goes out is waited for however busy the machine is.
        let own = [("API_WAIT", "60s")];
        let place = Place::with_graph(&graph, &[&own, settings].concat());
        Stage { graph, place }
    }

    fn write(&self, name: &str, content: &[u8]) -> &Stage {
        fs::write(self.place.folder.path().join(name), content).unwrap();
        self
    }

    fn send_from(&self, number: &str, args: &[&str]) -> Ran {
        let line = [&["send", "--from", number, "--to", ANN], args].concat();
        let output = self.place.setup.run(&line);
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn send(&self, args: &[&str]) -> Ran {
        self.send_from(NUMBER, args)
    }

    /// Sends a file, which goes out; the message as Graph got it.
    fn sent(&self, args: &[&str]) -> Value {
        let before = self.graph.accepted().len();
        let ran = self.send(args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.out.starts_with("wamid."), "{}{}", ran.out, ran.err);
        self.graph.accepted()[before].body.clone()
    }

    /// Sends a file that is not sent; what is said of it.
    fn refused(&self, args: &[&str], code: i32) -> String {
        let ran = self.send(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out, "");
        ran.err
    }

    fn uploads(&self) -> Vec<CallSeen> {
        let calls = self.graph.calls().into_iter();
        calls.filter(|call| call.path.ends_with("/media")).collect()
    }
}

#[test]
fn each_kind_of_file_goes_up_and_is_sent_as_what_it_is() {
    let stage = Stage::new(&[]);
    let mp4 = b"\0\0\0\x18ftypisom\0\0\0\0 film";
    let webp = b"RIFF\0\0\0\0WEBPVP8 sticker";
    let rows: &[(&str, &[u8], &str, &str)] = &[
        ("a.jpg", JPEG, "image", "image/jpeg"),
        ("b.mp4", mp4, "video", "video/mp4"),
        ("c.ogg", b"OggS voice", "audio", "audio/ogg"),
        ("d.pdf", PDF, "document", "application/pdf"),
        ("e.webp", webp, "sticker", "image/webp"),
        ("f.txt", "Grüße".as_bytes(), "document", "text/plain"),
        // What it holds counts.
        (
            "g.pdf",
            b"\xFF\xD8\xFF\xE1 a picture",
            "image",
            "image/jpeg",
        ),
    ];
    for (name, content, kind, mime) in rows {
        stage.write(name, content);
        let message = stage.sent(&["--file", name]);
        assert_eq!(message["type"], *kind, "{name}");
        let id = message[*kind]["id"].as_str().unwrap();
        let media = stage.graph.media(id).unwrap();
        assert_eq!(
            (media.mime.as_str(), media.number.as_str()),
            (*mime, NUMBER)
        );
        assert_eq!(media.bytes, *content, "{name}");
        let name = (*kind == "document").then_some(*name);
        assert_eq!(message[*kind]["filename"].as_str(), name);
    }
    let uploads = stage.uploads();
    assert_eq!(uploads.len(), rows.len());
    for call in &uploads {
        let length = call.body.len().to_string();
        let header = |name: &str| {
            let mut headers = call.headers.iter();
            let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(header("content-length"), Some(length));
        assert!(call.query.contains("appsecret_proof="), "{}", call.query);
    }
}

#[test]
fn a_long_file_passes_through_piece_by_piece() {
    let stage = Stage::new(&[]);
    let content = [PDF, &vec![0x5A; 64 << 20]].concat();
    stage.write("long.pdf", &content);
    // Less memory than the file has bytes.
    let script = format!(
        "ulimit -v 60000 && exec {} send --from {NUMBER} --to {ANN} --file long.pdf",
        env!("CARGO_BIN_EXE_wabridge")
    );
    let mut shell = Command::new("/bin/sh");
    let shell = shell.args(["-c", &script]).env_clear();
    let setup = &stage.place.setup;
    let output = shell.envs(&setup.env).current_dir(&setup.folder).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let sent = &stage.graph.accepted()[0].body["document"];
    let media = stage.graph.media(sent["id"].as_str().unwrap()).unwrap();
    assert!(media.bytes == content, "{} bytes", media.bytes.len());
}

#[test]
fn captions_names_and_kinds_are_as_they_were_said() {
    let stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG).write("b", PDF);
    let message = stage.sent(&["--file", "a.jpg", "--caption", "Your \"order\""]);
    assert_eq!(message["image"]["caption"], "Your \"order\"");
    let as_document = [
        "--file",
        "a.jpg",
        "--as",
        "document",
        "--name",
        "Bild 1.jpg",
    ];
    let message = stage.sent(&as_document);
    assert_eq!(message["document"]["filename"], "Bild 1.jpg");
    let message = stage.sent(&["--file", "b", "--caption", "Your bill"]);
    assert_eq!(message["document"]["filename"], "b.pdf");
    assert_eq!(message["document"]["caption"], "Your bill");
    assert_eq!(message["to"], ANN);
}

#[test]
fn the_same_content_goes_up_once_for_a_number() {
    let stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG).write("the-same.jpg", JPEG);
    let first = stage.sent(&["--file", "a.jpg"]);
    let again = stage.sent(&["--file", "the-same.jpg", "--caption", "again"]);
    assert_eq!(first["image"]["id"], again["image"]["id"]);
    // As another kind it is the same file.
    let third = stage.sent(&["--file", "a.jpg", "--as", "document"]);
    assert_eq!(first["image"]["id"], third["document"]["id"]);
    assert_eq!(stage.uploads().len(), 1);
    // Ids are a number's own, and other content is another file.
    let ran = stage.send_from(OTHER_NUMBER, &["--file", "a.jpg"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    stage.write("a.jpg", &[JPEG, b"!"].concat());
    let other = stage.sent(&["--file", "a.jpg"]);
    assert_ne!(first["image"]["id"], other["image"]["id"]);
    let paths: Vec<String> = stage.uploads().into_iter().map(|call| call.path).collect();
    let number = |number: &str| format!("/v26.0/{number}/media");
    assert_eq!(
        paths,
        [number(NUMBER), number(OTHER_NUMBER), number(NUMBER)]
    );
    assert_eq!(stage.graph.accepted().len(), 5);
}

#[test]
fn an_id_that_may_not_outlive_its_message_is_not_used() {
    let stage = Stage::new(&[("SEND_MAX_AGE", "30d")]);
    stage.write("a.jpg", JPEG);
    stage.sent(&["--file", "a.jpg"]);
    stage.sent(&["--file", "a.jpg"]);
    assert_eq!(stage.uploads().len(), 2);
}

#[test]
fn a_file_that_meta_has_lost_goes_up_anew_at_the_next_call() {
    let stage = Stage::new(&[]);
    stage
        .write("a.jpg", JPEG)
        .write("b.jpg", &[JPEG, b"!"].concat());
    let first = stage.sent(&["--file", "a.jpg"]);
    let other = stage.sent(&["--file", "b.jpg"]);
    assert!(
        stage
            .graph
            .remove_media(first["image"]["id"].as_str().unwrap())
    );
    let said = stage.refused(&["--file", "a.jpg"], 1);
    assert!(said.contains("media attachment ID"), "{said}");
    let anew = stage.sent(&["--file", "a.jpg"]);
    assert_ne!(anew["image"]["id"], first["image"]["id"]);
    assert_eq!(
        stage.sent(&["--file", "b.jpg"])["image"]["id"],
        other["image"]["id"]
    );
    assert_eq!(stage.uploads().len(), 3);
}

#[test]
fn a_status_that_says_so_makes_it_go_up_anew_too() {
    let stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG);
    // What is about the recipient is not about the file.
    for (code, uploads) in [(131_026, 1), (131_053, 2)] {
        let fault = StatusFault::Failed(code, "failed".into());
        let faults = Faults::none().status(Chance::Next(1), fault);
        stage.graph.set_faults(faults);
        // Accepted, and perhaps known to have failed by now.
        stage.send(&["--file", "a.jpg"]);
        wait_until("it failed", || {
            let rows = stage.place.outbox();
            rows.last().unwrap()["state"] == "failed"
        });
        stage.sent(&["--file", "a.jpg"]);
        assert_eq!(stage.uploads().len(), uploads, "{code}");
    }
}

#[test]
fn what_cannot_be_sent_is_said_and_neither_goes_up_nor_is_queued() {
    let stage = Stage::new(&[]);
    let big = [JPEG, &vec![b'x'; 5 << 20]].concat();
    stage
        .write("a.jpg", JPEG)
        .write("big.jpg", &big)
        .write("b.ogg", b"OggS voice")
        .write("c.exe", b"MZ\x90\x00")
        .write("d.html", b"<html>")
        .write("empty.jpg", b"")
        .write("\u{1b}[31m.exe", b"MZ\x90\x00");
    let folder = stage.place.folder.path();
    fs::create_dir(folder.join("folder.jpg")).unwrap();
    let pipe = folder.join("pipe.jpg");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let long = "x".repeat(1_025);
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--file", "big.jpg"], 1, "make it smaller"),
        (&["--file", "c.exe"], 1, "no type that WhatsApp takes"),
        (&["--file", "d.html"], 1, "no type that WhatsApp takes"),
        (&["--file", "empty.jpg"], 1, "is empty"),
        (&["--file", "folder.jpg"], 1, "is no file"),
        (&["--file", "pipe.jpg"], 1, "is no file"),
        (&["--file", "missing.jpg"], 1, "missing.jpg cannot be read"),
        (
            &["--file", "\u{1b}[31m.exe"],
            1,
            "\u{fffd}[31m.exe is of no type",
        ),
        (&["--file", "a.jpg", "--as", "video"], 1, "leave out --as"),
        (
            &["--file", "a.jpg", "--as", "voice"],
            2,
            "--as voice is no kind",
        ),
        (&["--file", "a.jpg", "--name", "b.jpg"], 2, "--as document"),
        (
            &["--file", "b.ogg", "--caption", "hi"],
            2,
            "send the text by itself",
        ),
        (&["--file", "a.jpg", "--caption", &long], 1, "caption"),
        (&["--file", "a.jpg", "a text"], 2, "--caption TEXT"),
        (&["--file", "a.jpg", "--json", "x"], 2, "one of a TEXT"),
        (&["--caption", "hi", "a text"], 2, "go with --file"),
        (&["--file"], 2, "--file"),
    ];
    for (args, code, expected) in rows {
        let said = stage.refused(args, *code);
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{args:?}: {said:?}");
    }
    assert!(stage.graph.calls().is_empty());
    assert!(stage.place.outbox().is_empty());
}

#[test]
fn a_file_that_may_not_be_read_is_said() {
    if rustix::process::geteuid().is_root() {
        return skipped("a file that may not be read: root reads all");
    }
    let stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG);
    let path = stage.place.folder.path().join("a.jpg");
    let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(&path, none).unwrap();
    let said = stage.refused(&["--file", "a.jpg"], 1);
    assert!(said.contains("check its name and rights: "), "{said}");
}

#[test]
fn an_upload_that_fails_is_said_with_the_mend_and_queues_nothing() {
    let stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG);
    let without = |name: &str, value: Option<&str>| {
        let setup = stage.place.setup.clone();
        let setup = match value {
            Some(value) => setup.set(name, value),
            None => setup.unset(name),
        };
        let output = setup.run(&["send", "--from", NUMBER, "--to", ANN, "--file", "a.jpg"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    // Nobody listens there any more.
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let rows = [
        ("GRAPH_API_URL", Some(gone.as_str()), "Graph did not answer"),
        ("GRAPH_API_URL", Some("graph"), "GRAPH_API_URL"),
        ("WHATSAPP_TOKEN", Some("wrong"), "make a new one"),
        ("WHATSAPP_TOKEN", None, "WHATSAPP_TOKEN is not set"),
        ("APP_SECRET", Some("wrong"), "appsecret_proof"),
        ("SSL_CERT_FILE", Some("missing.pem"), "SSL_CERT_FILE"),
    ];
    for (name, value, expected) in rows {
        let said = without(name, value);
        assert!(said.contains(expected), "{name} {value:?}: {said}");
        assert!(!said.contains(TOKEN), "{said}");
    }
    assert!(stage.place.outbox().is_empty());
    // None of it is remembered.
    stage.sent(&["--file", "a.jpg"]);
}

#[test]
fn without_a_service_it_waits_in_the_outbox() {
    let mut stage = Stage::new(&[]);
    stage.write("a.jpg", JPEG);
    stage.place.service.kill();
    let ran = stage.send(&["--file", "a.jpg"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("message 1 is in the outbox"),
        "{}",
        ran.out
    );
    assert_eq!(stage.uploads().len(), 1);
    stage.place.service = stage.place.setup.serve();
    assert!(stage.graph.wait_accepted(1, PATIENCE));
}

/// The API of a stage, and a call of it.
fn api(stage: &mut Stage) -> impl Fn(&str, &str) -> (u16, Value) + use<> {
    let api = stage.place.service.api();
    move |method, path| api.call(method, path, "")
}

#[test]
fn what_is_deleted_through_the_api_goes_up_anew() {
    let mut stage = Stage::new(&API);
    let call = api(&mut stage);
    stage.write("a.jpg", JPEG);
    let first = stage.sent(&["--file", "a.jpg"]);
    let path = format!("/v26.0/{}", first["image"]["id"].as_str().unwrap());
    assert_eq!(call("DELETE", &path), (200, json!({"success": true})));
    stage.sent(&["--file", "a.jpg"]);
    assert_eq!(stage.uploads().len(), 2);
    // Nothing is known of it here any more either.
    assert_eq!(call("DELETE", &path).0, 400);
}

fn files(folder: &Path) -> usize {
    let names = fs::read_dir(folder.join("media")).unwrap();
    names
        .filter(|name| name.as_ref().unwrap().file_name() != ".partial")
        .count()
}

#[test]
fn a_customers_file_that_is_deleted_through_the_api_is_deleted_here_too() {
    let settings = [&API[..], &[("MEDIA_DIR", "media")]].concat();
    let mut stage = Stage::new(&settings);
    let call = api(&mut stage);
    // Two have the same content: one file.
    let ids: Vec<String> = (0..3)
        .map(|n| {
            let content = if n < 2 { JPEG } else { PDF };
            let id = stage
                .graph
                .add_media(NUMBER, "image/jpeg", content.to_vec());
            stage.place.service.take(&customers_file(n, &id));
            id
        })
        .collect();
    let states = || {
        let rows = stage.place.inbox();
        let states = rows.iter().map(|row| row["media"][0]["state"].clone());
        states
            .map(|s| s.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    wait_for("fetched fetched fetched", states);
    let folder = stage.place.folder.path().to_owned();
    let path = |n: usize| format!("/v26.0/{}", ids[n]);
    assert_eq!(files(&folder), 2);
    assert_eq!(call("DELETE", &path(0)), (200, json!({"success": true})));
    assert_eq!(
        (states().as_str(), files(&folder)),
        ("deleted fetched fetched", 2)
    );
    assert_eq!(call("GET", &path(0)).0, 400, "neither here nor at Graph");
    assert_eq!(call("GET", &path(1)).0, 200);
    assert_eq!(call("DELETE", &path(1)).0, 200);
    assert_eq!(
        (states().as_str(), files(&folder)),
        ("deleted deleted fetched", 1)
    );
    // One that Graph has forgotten by itself.
    assert!(stage.graph.remove_media(&ids[2]));
    assert_eq!(call("GET", &path(2)).0, 200);
    assert_eq!(call("DELETE", &path(2)), (200, json!({"success": true})));
    assert_eq!(
        (states().as_str(), files(&folder)),
        ("deleted deleted deleted", 0)
    );
    assert_eq!(call("DELETE", &path(2)).0, 400);
    // It stays deleted when its event is given to the app once more.
    stage.place.setup.run(&["inbox", "replay", "1"]);
    assert!(states().starts_with("deleted"));
}

#[test]
fn what_graph_does_not_delete_stays() {
    let settings = [&API[..], &[("MEDIA_DIR", "media")]].concat();
    let mut stage = Stage::new(&settings);
    let call = api(&mut stage);
    let id = stage.graph.add_media(NUMBER, "image/jpeg", JPEG.to_vec());
    stage.place.service.take(&customers_file(0, &id));
    let folder = stage.place.folder.path().to_owned();
    wait_until("it is fetched", || files(&folder) == 1);
    stage.graph.set_token("another");
    assert_eq!(call("DELETE", &format!("/v26.0/{id}")).0, 401);
    assert_eq!(files(&folder), 1);
}

fn customers_file(n: u64, id: &str) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
        "field": "messages", "value": {"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
        "messages": [{"from": ANN, "id": format!("wamid.file{n}"),
            "timestamp": "1790000000", "type": "image", "image": {"id": id}}]}}]}]})
    .to_string()
}
