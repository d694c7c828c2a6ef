//! Customers' files, fetched by the real binary into MEDIA_DIR: from the stand-in
//! for Graph when all goes well, from a server of our own when it does not.

mod support;

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::*;

const NUMBER: &str = "106540300000001";
const PICTURE: &[u8] = b"\xFF\xD8\xFF\xE0 not much of a picture";

/// SHA-256 of the picture.
fn digest() -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, PICTURE);
    wabridge::wire::signature::hex(digest.as_ref())
}

/// A customer's message with a file; `n` makes its wamid.
fn message(n: u64, kind: &str, file: Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
        "field": "messages", "value": {"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
        "messages": [{"from": "15550107001", "id": format!("wamid.file{n}"),
            "timestamp": "1790000000", "type": kind, kind: file}]}}]}]})
    .to_string()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != ".partial").collect();
    names.sort();
    names
}

fn partial(folder: &Path) -> usize {
    fs::read_dir(folder.join(".partial")).unwrap().count()
}

/// A service that fetches files from a Graph at `url`.
struct Stage {
    place: Place,
    folder: PathBuf,
}

impl Stage {
    fn new(url: &str, settings: &[(&str, &str)]) -> Stage {
        let mut all = vec![
            ("WHATSAPP_TOKEN", TOKEN),
            ("GRAPH_API_URL", url),
            ("MEDIA_DIR", "files"),
        ];
        all.extend(settings);
        let place = Place::new(&all);
        let folder = place.folder.path().join("files");
        Stage { place, folder }
    }

    /// The only file of the newest event.
    fn file(&self) -> Value {
        let rows = self.place.inbox();
        rows.last()
            .map_or(Value::Null, |row| row["media"][0].clone())
    }

    fn wait_file(&self, state: &str) -> Value {
        wait_for(state, || {
            self.file()["state"].as_str().unwrap_or_default().into()
        });
        self.file()
    }
}

#[test]
fn a_file_is_fetched_checked_and_shown() {
    let standin = graph();
    let stage = Stage::new(&standin.url(), &[]);
    let id = standin.add_media(NUMBER, "image/jpeg", PICTURE.to_vec());
    let file = json!({"id": id, "mime_type": "image/jpeg", "sha256": digest()});
    stage.place.service.take(&message(1, "image", file));
    let shown = stage.wait_file("fetched");
    let name = format!("{}.jpg", digest());
    let path = stage.folder.join(&name);
    // As it was set: below the folder the command is run in.
    assert_eq!(shown["path"], format!("files/{name}"));
    assert_eq!(shown["bytes"], PICTURE.len());
    assert_eq!(fs::read(&path).unwrap(), PICTURE);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&stage.folder)), (0o600, 0o700));
    assert_eq!(partial(&stage.folder), 0);
    let people = stage.place.setup.run(&["inbox", "show", "1"]);
    let people = String::from_utf8(people.stdout).unwrap();
    assert!(
        people.contains(&format!("image {id} fetched: ")),
        "{people}"
    );
}

#[test]
fn a_hostile_name_and_type_do_nothing_and_the_same_content_is_one_file() {
    let standin = graph();
    let stage = Stage::new(&standin.url(), &[]);
    for n in 1..=2 {
        let id = standin.add_media(NUMBER, "text/html; x=../../y", PICTURE.to_vec());
        let file = json!({"id": id, "mime_type": "../../evil", "filename": "../../../evil.sh"});
        stage.place.service.take(&message(n, "document", file));
        stage.wait_file("fetched");
    }
    assert_eq!(files(&stage.folder), [digest()]);
    assert!(!stage.place.folder.path().join("evil.sh").exists());
}

#[test]
fn a_fetched_file_is_served_though_graph_has_forgotten_it() {
    let standin = graph();
    let mut stage = Stage::new(&standin.url(), &API);
    let api = stage.place.service.api();
    let id = standin.add_media(NUMBER, "text/html", PICTURE.to_vec());
    let file = json!({"id": id, "mime_type": "text/html", "filename": "..\\a\r\nX: y.html"});
    stage.place.service.take(&message(1, "document", file));
    stage.wait_file("fetched");
    drop(standin);

    let get = |path: &str, key: &str| {
        let bearer = format!("Bearer {key}");
        request(api.address, "GET", path, &[("Authorization", &bearer)], b"").unwrap()
    };
    let described = get(&format!("/v26.0/{id}"), API_KEY);
    let described: Value = serde_json::from_str(&described.body).unwrap();
    assert_eq!(described["sha256"], digest());
    assert_eq!(described["file_size"], PICTURE.len());
    let url = described["url"].as_str().unwrap();
    let path = &url[url.find("/files/").unwrap()..];
    assert_eq!(get(path, "wrong").status, 401);
    let served = get(path, API_KEY);
    assert_eq!(served.status, 200, "{}", served.head);
    for (name, value) in [
        ("Content-Type", "application/octet-stream"),
        ("X-Content-Type-Options", "nosniff"),
        (
            "Content-Disposition",
            "attachment; filename=\"aX_ y.html\"; filename*=UTF-8''aX%3A%20y.html",
        ),
    ] {
        assert_eq!(served.header(name), Some(value), "{}", served.head);
    }
    assert_eq!(served.body.len(), String::from_utf8_lossy(PICTURE).len());
    // Deleted by hand: there is nothing left but Graph, which does not answer.
    fs::remove_file(stage.folder.join(digest())).unwrap();
    assert_eq!(get(&format!("/v26.0/{id}"), API_KEY).status, 502);
    assert_eq!(get(path, API_KEY).status, 404);
}

#[test]
fn what_is_not_wanted_is_not_fetched() {
    let standin = graph();
    let settings = [("MEDIA_KINDS", "document"), ("MEDIA_BYTES_MAX", "10")];
    let stage = Stage::new(&standin.url(), &settings);
    let id = standin.add_media(NUMBER, "image/jpeg", PICTURE.to_vec());
    let service = &stage.place.service;
    service.take(&message(1, "image", json!({"id": id})));
    assert_eq!(stage.file(), Value::Null);
    service.take(&message(2, "document", json!({"id": id})));
    let shown = stage.wait_file("failed");
    assert!(
        shown["error"].as_str().unwrap().contains("MEDIA_BYTES_MAX"),
        "{shown}"
    );
    assert!(files(&stage.folder).is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_said_at_the_start() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path()).set("MEDIA_DIR", "/nonexistent/files");
    let output = setup.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("MEDIA_DIR"),
        "{said}"
    );
}

/// What a download brings, one after the other; then the picture for ever.
#[derive(Clone, Copy)]
enum Download {
    /// Other bytes than were announced.
    Wrong,
    /// The connection closes in the middle.
    Cut,
    /// The address has expired.
    Expired,
    /// Half of it, and no more until the test says so.
    Stalls,
}

/// A Graph that plays tricks.
struct Tricks {
    url: String,
    looked_up: Arc<AtomicUsize>,
    stalls: Arc<AtomicBool>,
}

impl Tricks {
    fn start(downloads: &[Download], elsewhere: Option<&str>) -> Tricks {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tricks = Tricks {
            url: url.clone(),
            looked_up: Arc::default(),
            stalls: Arc::default(),
        };
        let downloads: Arc<Mutex<VecDeque<Download>>> =
            Arc::new(Mutex::new(downloads.iter().copied().collect()));
        let (looked_up, stalls) = (Arc::clone(&tricks.looked_up), Arc::clone(&tricks.stalls));
        let address = elsewhere.map_or(format!("{url}/file"), str::to_owned);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (downloads, address) = (Arc::clone(&downloads), address.clone());
                let (looked_up, stalls) = (Arc::clone(&looked_up), Arc::clone(&stalls));
                std::thread::spawn(move || {
                    answer(stream, &downloads, &address, &looked_up, &stalls)
                });
            }
        });
        tricks
    }
}

fn answer(
    stream: TcpStream,
    downloads: &Mutex<VecDeque<Download>>,
    address: &str,
    looked_up: &AtomicUsize,
    stalls: &AtomicBool,
) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
    let mut stream = reader.into_inner();
    let mut write = |status: &str, length: usize, body: &[u8]| {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        // A client that was killed does not read it.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
    };
    let authorized = head
        .to_lowercase()
        .contains(&format!("authorization: bearer {TOKEN}"));
    if !authorized {
        return write("401 Unauthorized", 0, b"");
    }
    if !head.starts_with("GET /file") {
        looked_up.fetch_add(1, Ordering::SeqCst);
        let body = json!({"url": address, "mime_type": "image/jpeg", "sha256": digest(),
            "file_size": PICTURE.len(), "id": "77"})
        .to_string();
        return write("200 OK", body.len(), body.as_bytes());
    }
    let next = downloads.lock().unwrap().pop_front();
    let (length, half) = (PICTURE.len(), &PICTURE[..PICTURE.len() / 2]);
    match next {
        None => write("200 OK", length, PICTURE),
        Some(Download::Wrong) => write("200 OK", length, &vec![b'x'; length]),
        Some(Download::Cut) => write("200 OK", length, half),
        Some(Download::Expired) => write("404 Not Found", 0, b""),
        Some(Download::Stalls) => {
            write("200 OK", length, half);
            stalls.store(true, Ordering::SeqCst);
            // Until the other side is gone.
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.read(&mut [0; 1]);
        }
    }
}

#[test]
fn what_comes_wrong_or_in_part_is_never_seen_and_fetched_again() {
    for download in [Download::Wrong, Download::Cut, Download::Expired] {
        let tricks = Tricks::start(&[download], None);
        let stage = Stage::new(&tricks.url, &[]);
        stage
            .place
            .service
            .take(&message(1, "image", json!({"id": "77"})));
        wait_until("a first attempt", || stage.file()["error"].is_string());
        assert!(files(&stage.folder).is_empty());
        stage.wait_file("fetched");
        assert_eq!(files(&stage.folder), [format!("{}.jpg", digest())]);
        // An address is asked for anew each time: it lives for minutes.
        assert_eq!(tricks.looked_up.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn nothing_is_fetched_from_an_address_that_is_not_metas() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}/file", other.local_addr().unwrap());
    let tricks = Tricks::start(&[], Some(&elsewhere));
    let stage = Stage::new(&tricks.url, &[]);
    stage
        .place
        .service
        .take(&message(1, "image", json!({"id": "77"})));
    wait_until("told", || {
        let file = stage.file();
        file["error"]
            .as_str()
            .is_some_and(|error| error.contains("none of Meta's"))
    });
    assert!(other.accept().is_err(), "our token went to another host");
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_and_the_file_comes_after_it() {
    let tricks = Tricks::start(&[Download::Stalls], None);
    let mut stage = Stage::new(&tricks.url, &[]);
    stage
        .place
        .service
        .take(&message(1, "image", json!({"id": "77"})));
    wait_until("half of it came", || {
        tricks.stalls.load(Ordering::SeqCst) && partial(&stage.folder) == 1
    });
    assert!(files(&stage.folder).is_empty());
    stage.place.crash();
    let shown = stage.wait_file("fetched");
    assert_eq!(shown["attempts"], 2);
    assert_eq!(files(&stage.folder), [format!("{}.jpg", digest())]);
    assert_eq!(partial(&stage.folder), 0);
}
