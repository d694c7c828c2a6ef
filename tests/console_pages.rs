//! The console's conversations, inbox and outbox in the real binary: what is shown,
//! and what an operator can do.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use support::console::*;
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn};
use wabridge::wire::sample::{self, Sample};

const NUMBER: &str = "106540300000001";
const ANA: &str = "15550107001";

/// A service with a console, a number that sends, and rules that answer.
struct Shop {
    stage: Stage,
    standin: StandIn,
    _rules: Folder,
    browser: Browser,
}

const RULES: &str = r#"
[[rule]]
not = { text = "silence" }
reply = "You said {{ text }}"
"#;

impl Shop {
    fn new(settings: &[(&str, &str)]) -> Shop {
        let (standin, rules) = (graph(), Folder::new());
        let file = rules.path().join("rules.toml");
        std::fs::write(&file, RULES).unwrap();
        let url = standin.url();
        let own = [
            ("WHATSAPP_TOKEN", TOKEN),
            ("GRAPH_API_URL", url.as_str()),
            ("RULES_FILE", file.to_str().unwrap()),
        ];
        let mut all = [&own, settings].concat();
        // With an app behind it there are no rules.
        all.retain(|(name, _)| {
            *name != "RULES_FILE" || settings.iter().all(|s| s.0 != "FORWARD_URL")
        });
        let stage = Stage::new(&all);
        standin.set_callback(&stage.place.service.url());
        let browser = stage.logged_in();
        Shop {
            stage,
            standin,
            _rules: rules,
            browser,
        }
    }

    /// Somebody writes; waits until it is stored.
    fn says(&self, n: u64, from: &str, name: &str, text: &str) {
        let sample = Sample {
            from,
            name,
            text,
            id: &sample::wamid(n, from),
            timestamp: now_s(),
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        self.stage.place.service.take(&body);
    }

    /// The page, which must be there.
    fn page(&mut self, path: &str) -> String {
        let answer = self.browser.get(&format!("/console{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        // As a browser reads it.
        answer.body.replace("&#x2f;", "/")
    }

    /// Waits until a page holds a text.
    fn wait_page(&mut self, path: &str, part: &str) -> String {
        let mut page = String::new();
        wait_until(&format!("{part} on {path}"), || {
            page = self.page(path);
            page.contains(part)
        });
        page
    }

    /// Sends a form, which must be taken; where it leads.
    fn acts(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.browser.send(&format!("/console{path}"), fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let location = answer.header("Location").unwrap();
        location.strip_prefix("/console").unwrap().to_owned()
    }

    fn texts(&self) -> Vec<Value> {
        let accepted = self.standin.accepted().into_iter();
        accepted
            .map(|one| one.body["text"]["body"].clone())
            .collect()
    }
}

impl Shop {
    /// Sends the form with a file, as a browser does.
    fn sends_file(&mut self, name: &str, content: &[u8], caption: &str, once: &str) -> Answer {
        send_file(&mut self.browser, name, content, caption, once)
    }
}

fn send_file(
    browser: &mut Browser,
    name: &str,
    content: &[u8],
    caption: &str,
    once: &str,
) -> Answer {
    let mut body = Vec::new();
    let token = browser.token.clone();
    for (field, value) in [("token", token.as_str()), ("once", once), ("text", caption)] {
        let part =
            format!("--X1\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--X1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--X1--\r\n");
    let type_ = ("Content-Type", "multipart/form-data; boundary=X1");
    browser.ask("POST", "/console/conversations/1/file", &[type_], &body)
}

/// A Graph that takes files and says nothing to it.
struct Mute {
    url: String,
    taken: Arc<Mutex<Vec<TcpStream>>>,
}

impl Mute {
    fn new() -> Mute {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let taking = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taking = Arc::clone(&taking);
                std::thread::spawn(move || {
                    let mut line = String::new();
                    let mut reader = BufReader::new(&stream);
                    if reader.read_line(&mut line).is_ok() && line.contains("/media") {
                        taking.lock().unwrap().push(stream);
                    }
                });
            }
        });
        Mute { url, taken }
    }

    fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    fn hang_up(&self) {
        self.taken.lock().unwrap().clear();
    }
}

/// What of a page is the thread's bubbles, without tags.
fn said(page: &str) -> String {
    let thread = page.split("<ol class=\"thread\"").nth(1).unwrap();
    let thread = thread.split("</ol>").next().unwrap();
    let mut text = String::new();
    for piece in thread.split('<').skip(1) {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or("", |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_thread_is_read_and_answered_and_the_answer_is_seen_delivered() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "hello");
    let page = shop.wait_page("/conversations", "You said hello");
    assert!(page.contains("href=\"/console/conversations/1\""), "{page}");
    let page = shop.wait_page("/conversations/1", "fate read");
    let heard = said(&page);
    assert!(heard.contains("They hello"), "{heard}");
    assert!(heard.contains("The bot You said hello"), "{heard}");
    assert!(
        page.contains("Anything can be sent for 23 h more."),
        "{page}"
    );
    let to = shop.acts(
        "/conversations/1/text",
        &[("text", "How can I help?\r\nSay."), ("once", "a")],
    );
    assert_eq!(to, "/conversations/1?notice=written");
    let page = shop.wait_page("/conversations/1", "<bdi>How can I help?\nSay.</bdi>");
    assert!(page.contains("id=\"m2\""), "{page}");
    wait_until("the answer is read", || {
        shop.stage.place.outbox_words("state") == "read read"
    });
    let live = shop.browser.poll("/console/conversations/1");
    assert_eq!(live.body.matches("fate read").count(), 2, "{}", live.body);
    assert!(!live.body.contains("<html"), "{}", live.body);
    let sent = shop.standin.accepted().pop().unwrap();
    assert_eq!(sent.body["to"], json!(ANA));
    assert_eq!(sent.body["text"]["body"], "How can I help?\nSay.");
    // A form that is sent twice makes one message.
    shop.acts(
        "/conversations/1/text",
        &[("text", "How can I help?\r\nSay."), ("once", "a")],
    );
    assert_eq!(shop.stage.place.outbox().len(), 2);
    let trail = shop.page("/trail");
    assert!(trail.contains("wrote in a conversation"), "{trail}");
}

#[test]
fn what_cannot_be_sent_is_said_and_nothing_written_is_lost() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    let long = "x".repeat(4_097);
    let path = "/console/conversations/1/text";
    let answer = shop
        .browser
        .send(path, &[("text", long.as_str()), ("once", "a")]);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("It was not sent:"), "{}", answer.body);
    assert!(answer.body.contains("4096"), "{}", answer.body);
    assert!(answer.body.contains(&long), "what was written stays");
    let fields = [("name", "Not A Name"), ("language", ""), ("once", "b")];
    let answer = shop
        .browser
        .send("/console/conversations/1/template", &fields);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("Not A Name"), "{}", answer.body);
    assert!(shop.stage.place.outbox().is_empty());
    assert_eq!(
        shop.browser
            .send("/console/conversations/9/text", &[("text", "x")])
            .status,
        404
    );
}

#[test]
fn a_template_is_sent_by_name_language_and_parameters() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    let fields = [
        ("name", "order_update"),
        ("language", "en_US"),
        ("parameters", "Ana\r\n881"),
        ("once", "a"),
    ];
    shop.acts("/conversations/1/template", &fields);
    wait_until("it is out", || !shop.standin.accepted().is_empty());
    let sent = shop.standin.accepted().pop().unwrap().body;
    assert_eq!(sent["template"]["name"], "order_update");
    assert_eq!(
        sent["template"]["components"][0]["parameters"][1]["text"],
        "881"
    );
    let page = shop.page("/conversations/1");
    assert!(
        said(&page).contains("Template order_update en_US"),
        "{page}"
    );
}

#[test]
fn a_conversation_is_taken_over_and_given_back() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "one");
    shop.wait_page("/conversations/1", "You said one");
    assert_eq!(
        shop.acts("/conversations/1/take", &[]),
        "/conversations/1?notice=taken"
    );
    let page = shop.page("/conversations/1?notice=taken");
    assert!(page.contains("the bot is silent in it"), "{page}");
    assert!(page.contains("Give back to the bot"), "{page}");
    shop.says(2, ANA, "Ana", "two");
    let page = shop.wait_page("/conversations/1", "passed over");
    assert!(page.contains("the conversation is taken over"), "{page}");
    let taken = shop.page("/conversations?taken=1");
    assert!(taken.contains("taken over, "), "{taken}");
    shop.page("/conversations/1");
    assert_eq!(
        shop.acts("/conversations/1/give", &[]),
        "/conversations/1?notice=given"
    );
    let page = shop.page("/conversations/1");
    assert!(page.contains("The bot answers here."), "{page}");
    assert!(!shop.page("/conversations?taken=1").contains("taken over, "));
    shop.says(3, ANA, "Ana", "three");
    shop.wait_page("/conversations/1", "You said three");
    wait_until("both are out", || shop.texts().len() == 2);
    assert_eq!(shop.texts(), ["You said one", "You said three"]);
    let trail = shop.page("/trail");
    assert!(trail.contains("took a conversation over"), "{trail}");
    assert!(trail.contains("gave a conversation back"), "{trail}");
}

#[test]
fn dead_letters_are_found_and_replayed_one_by_one_and_all() {
    let app = App::start(|got| match got.text() {
        text if text.starts_with("good") => says(200, ""),
        text if text.starts_with("odd") => says(410, "no use"),
        _ => says(404, "not here"),
    });
    let url = app.url();
    let mut shop = Shop::new(&[("FORWARD_URL", &url)]);
    for (n, text) in [(1, "good 1"), (2, "bad 2"), (3, "odd 3"), (4, "bad 4")] {
        shop.says(n, &format!("1555010700{n}"), "Ana", text);
    }
    shop.stage.place.wait_inbox("done dead dead dead");
    let page = shop.page("/inbox?state=dead");
    for id in ["e2", "e3", "e4"] {
        assert!(page.contains(&format!("<tr id=\"{id}\">")), "{page}");
    }
    assert!(!page.contains("<tr id=\"e1\">"), "{page}");
    let page = shop.page("/inbox?state=dead&error=404");
    assert!(!page.contains("<tr id=\"e3\">"), "{page}");
    assert!(
        page.contains("Replay all dead letters like these"),
        "{page}"
    );
    let one = shop.page("/inbox/2");
    for part in ["404", "Attempt 1", "Replay to bot", "&quot;bad 2&quot;"] {
        assert!(one.contains(part), "{part}: {one}");
    }
    let app = App::start(|_| says(200, ""));
    let url = app.url();
    shop.stage.place.setup = shop.stage.place.setup.clone().set("FORWARD_URL", &url);
    shop.stage.restart(&[]);
    shop.browser.address = shop.stage.address;
    shop.page("/inbox/3");
    assert_eq!(
        shop.acts("/inbox/3/replay", &[]),
        "/inbox/3?notice=replayed"
    );
    shop.stage.place.wait_inbox("done dead done dead");
    assert_eq!(app.received().len(), 1);
    shop.page("/inbox?state=dead&error=404");
    let fields = [("error", "404"), ("back", "?state=dead&error=404&from=7")];
    assert_eq!(
        shop.acts("/inbox/all", &fields),
        "/inbox?state=dead&error=404&done=2"
    );
    shop.stage.place.wait_inbox("done done done done");
    let page = shop.page("/inbox?state=dead&done=2");
    assert!(page.contains("2 changed."), "{page}");
    let shown = shop
        .stage
        .place
        .setup
        .json(&["inbox", "show", "2", "--json"]);
    let tries = &shown[0]["deliveries"][0]["tries"];
    assert!(
        tries[0]["said"].as_str().unwrap().contains("404"),
        "{tries}"
    );
    // What an attempt got stays known.
    assert!(shop.page("/inbox/2").contains("404"));
    let to = shop.acts(
        "/inbox/selected",
        &[("do", "replay"), ("id", "1"), ("id", "2")],
    );
    assert_eq!(to, "/inbox?done=2");
    let trail = shop.page("/trail");
    for part in ["replayed events", "replayed dead letters with this error"] {
        assert!(trail.contains(part), "{trail}");
    }
}

#[test]
fn what_waits_for_an_app_that_is_away_is_given_up() {
    let away = Away::new();
    let url = away.url();
    let mut shop = Shop::new(&[("FORWARD_URL", &url)]);
    shop.says(1, ANA, "Ana", "one");
    shop.wait_page("/inbox/1", "Attempt 1");
    // Between two attempts, whenever that is.
    wait_until("it is given up", || {
        shop.page("/inbox/1");
        shop.acts("/inbox/1/give_up", &[]);
        shop.stage.place.inbox_words("state") == "dead"
    });
    assert!(shop.page("/inbox/1").contains("given up by the operator"));
}

#[test]
fn messages_are_held_sent_again_and_taken_back() {
    let graph = Away::new();
    let mut shop = Shop::new(&[("GRAPH_API_URL", &graph.url())]);
    shop.says(1, ANA, "Ana", "one");
    wait_until("it is tried", || {
        let page = shop.browser.get("/console/outbox/1");
        page.body.contains("Attempt 1")
    });
    // Between two attempts, whenever that is.
    wait_until("it is held", || {
        shop.page("/outbox/1");
        let answer = shop
            .browser
            .send("/console/outbox/1/steer", &[("do", "hold")]);
        answer.header("Location") == Some("/console/outbox/1?notice=held")
    });
    let page = shop.page("/outbox?state=held");
    assert!(page.contains("<tr id=\"m1\">"), "{page}");
    assert!(page.contains("You said one"), "{page}");
    let page = shop.page("/outbox/1");
    assert!(
        page.contains("value=\"retry\"") && !page.contains("value=\"hold\""),
        "{page}"
    );
    assert!(page.contains("Attempt 1"), "{page}");
    assert_eq!(
        shop.acts("/outbox/1/steer", &[("do", "hold")]),
        "/outbox/1?notice=not_now"
    );
    let to = shop.acts(
        "/outbox/selected",
        &[("do", "retry"), ("id", "1"), ("back", "?state=held")],
    );
    assert_eq!(to, "/outbox?state=held&done=1");
    wait_until("it is taken back", || {
        shop.page("/outbox/1");
        let answer = shop
            .browser
            .send("/console/outbox/1/steer", &[("do", "cancel")]);
        answer.header("Location") == Some("/console/outbox/1?notice=cancelled")
    });
    shop.stage.place.wait_outbox("cancelled");
    assert_eq!(
        shop.browser
            .send("/console/outbox/1/steer", &[("do", "x")])
            .status,
        404
    );
}

#[test]
fn hostile_names_and_texts_are_inert_on_each_page() {
    let mut shop = Shop::new(&[]);
    let name = "<script>alert('name')</script>\u{202e}gnp.exe";
    let emoji = "😀".repeat(4_096);
    let text = format!("<img src=x onerror=alert(1)>\u{202e}{emoji}");
    shop.says(1, ANA, name, &text);
    shop.says(2, ANA, name, "silence");
    shop.wait_page(
        "/conversations?q=script",
        "href=\"/console/conversations/1\"",
    );
    let outbox = shop.wait_page("/outbox", "<tr id=\"m1\">");
    let mut pages = vec![outbox];
    for path in [
        "/conversations",
        "/conversations/1",
        "/inbox",
        "/inbox/1",
        "/outbox/1",
    ] {
        pages.push(shop.page(path));
    }
    for page in &pages {
        for live in ["<script>alert", "<img src=x", "onerror=alert(1)>"] {
            assert!(!page.contains(live), "{page}");
        }
    }
    assert!(pages[2].contains(&emoji), "all of it is shown");
    let title = pages[2]
        .split("<title>")
        .nth(1)
        .unwrap()
        .split("</title>")
        .next()
        .unwrap();
    assert!(title.contains("&lt;script&gt;"), "{title}");
    assert!(title.contains("gnp.exe&#x2069;"), "isolated: {title}");
}

#[test]
fn people_are_found_by_name_number_and_user_name() {
    let mut shop = Shop::new(&[]);
    shop.says(1, "15550107001", "Ana Silva", "silence");
    shop.says(2, "15550107002", "Bob", "silence");
    shop.wait_page("/conversations?q=sil", "href=\"/console/conversations/1\"");
    let page = shop.page("/conversations?q=sil");
    assert!(!page.contains("/conversations/2\""), "{page}");
    let page = shop.page("/conversations?q=%2B1+555+010-7002");
    assert!(
        page.contains("/conversations/2\"") && !page.contains("/conversations/1\""),
        "{page}"
    );
    let page = shop.page("/conversations?q=nobody");
    assert!(page.contains("Nobody is found."), "{page}");
}

#[test]
fn files_are_shown_from_their_folder_to_who_is_logged_in_alone() {
    let folder = Folder::new();
    let media = folder.path().join("media");
    let mut shop = Shop::new(&[("MEDIA_DIR", media.to_str().unwrap())]);
    let image = shop
        .standin
        .add_media(NUMBER, "image/png", b"\x89PNG\r\n\x1a\n picture".to_vec());
    let html = shop
        .standin
        .add_media(NUMBER, "text/html", b"<script>alert(1)</script>".to_vec());
    for (n, kind, id, mime) in [
        (1, "image", &image, "image/png"),
        (2, "document", &html, "text/html"),
    ] {
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
            "field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550109000", "phone_number_id": NUMBER},
            "contacts": [{"profile": {"name": "Ana"}, "wa_id": ANA}],
            "messages": [{"from": ANA, "id": format!("wamid.{n}"), "timestamp": now_s().to_string(),
                "type": kind, kind: {"id": id, "mime_type": mime, "filename": "a\".html"}}]}}]}]});
        shop.stage.place.service.take(&body.to_string());
    }
    shop.wait_page("/conversations/1", "media/1");
    let page = shop.wait_page("/conversations/1", "media/2");
    assert!(page.contains("<img src=\"/console/media/1\""), "{page}");
    let answer = shop.browser.get("/console/media/1");
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("image/png"))
    );
    assert_eq!(answer.header("Content-Disposition"), Some("inline"));
    let answer = shop.browser.get("/console/media/2");
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/octet-stream")
    );
    let disposition = answer.header("Content-Disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; filename="),
        "{disposition}"
    );
    for header in ["Content-Security-Policy", "X-Content-Type-Options"] {
        let value = answer.header(header).unwrap();
        assert!(
            value.contains("sandbox") || value == "nosniff",
            "{header}: {value}"
        );
    }
    assert_eq!(shop.browser.get("/console/media/9").status, 404);
    assert_eq!(shop.stage.browser().get("/console/media/1").status, 303);
}

#[test]
fn no_page_is_shown_and_nothing_is_done_without_a_session_or_a_token() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "one");
    shop.wait_page("/conversations/1", "You said one");
    let mut stranger = shop.stage.browser();
    for path in [
        "/conversations",
        "/conversations/1",
        "/inbox",
        "/inbox/1",
        "/outbox",
        "/outbox/1",
        "/media/1",
    ] {
        assert_eq!(
            stranger.get(&format!("/console{path}")).status,
            303,
            "{path}"
        );
    }
    let actions = [
        "/conversations/1/text",
        "/conversations/1/template",
        "/conversations/1/file",
        "/conversations/1/forget",
        "/conversations/1/read",
        "/conversations/1/take",
        "/conversations/1/give",
        "/inbox/selected",
        "/inbox/all",
        "/inbox/drop",
        "/inbox/1/replay",
        "/inbox/1/give_up",
        "/outbox/selected",
        "/outbox/all",
        "/outbox/1/steer",
    ];
    for path in actions {
        let path = format!("/console{path}");
        assert_eq!(stranger.send(&path, &[]).status, 401, "{path}");
        let mut forged = shop.browser.clone();
        forged.token = "0".repeat(64);
        assert_eq!(
            forged
                .send(&path, &[("text", "x"), ("do", "cancel")])
                .status,
            403,
            "{path}"
        );
    }
    assert_eq!(shop.stage.place.outbox().len(), 1);
}

#[test]
fn lists_go_on_from_page_to_page_with_their_filter() {
    let mut shop = Shop::new(&[]);
    for n in 1..=60 {
        shop.says(n, &format!("155501{n:05}"), "Ana", "one");
    }
    // Whoever is answered meanwhile moves to the first page.
    wait_until("all are answered", || shop.stage.place.outbox().len() == 60);
    for (path, row, link) in [
        (
            "/inbox?kind=message",
            "<tr id=\"e",
            "/console/inbox?kind=message",
        ),
        (
            "/conversations",
            "<li id=\"c",
            "/console/conversations?from=",
        ),
        (
            "/conversations?q=155501&number=106540300000001",
            "<li id=\"c",
            "/console/conversations?q=155501&number=106540300000001&from=50",
        ),
    ] {
        let page = shop.page(path);
        assert_eq!(page.matches(row).count(), 50, "{page}");
        let older = page.split(" rel=\"next\"").next().unwrap();
        let older = older
            .rsplit("href=\"")
            .next()
            .unwrap()
            .trim_end_matches('"');
        let older = older.replace("&amp;", "&");
        assert!(older.starts_with(link), "{older}");
        let page = shop.page(older.strip_prefix("/console").unwrap());
        assert_eq!(page.matches(row).count(), 10, "{page}");
        assert!(!page.contains("rel=\"next\""), "{page}");
    }
}

#[test]
fn what_is_answered_on_an_earlier_page_is_quoted_and_linked() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "the first words");
    shop.wait_page("/conversations/1", "You said the first words");
    for n in 2..=50 {
        shop.says(n, ANA, "Ana", "silence");
    }
    let answers = |n: u64, wamid: &str| {
        let sample = Sample {
            from: ANA,
            text: "silence",
            id: &sample::wamid(n, ANA),
            timestamp: now_s(),
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["entry"][0]["changes"][0]["value"]["messages"][0]["context"] =
            json!({"from": ANA, "id": wamid});
        body.to_string()
    };
    let sent = shop.standin.accepted()[0].wamid.clone();
    for body in [
        answers(51, &sample::wamid(1, ANA)),
        answers(52, &sent),
        answers(53, "wamid.of.long.ago"),
    ] {
        shop.stage.place.service.take(&body);
    }
    let page = shop.page("/conversations/1");
    for part in [
        "<a href=\"/console/inbox/1\"><bdi>the first words</bdi></a>",
        "<a href=\"/console/outbox/1\"><bdi>You said the first words</bdi></a>",
        "a message that is not kept here",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_message_that_did_not_go_out_needs_nobody() {
    let mut shop = Shop::new(&[]);
    let undeliverable = CallFault::Refused(400, 131_026, "Message undeliverable".into());
    shop.standin
        .set_faults(Faults::none().call(Chance::Always, undeliverable));
    shop.says(1, ANA, "Ana", "hello");
    shop.stage.place.wait_outbox("failed");
    let page = shop.page("");
    assert!(page.contains("All is well"), "{page}");
    assert!(page.contains("/outbox?state=failed"), "{page}");
}

#[test]
fn a_file_goes_up_once_and_out_with_its_caption() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    picture.extend(0..=255);
    let answer = shop.sends_file("a.png", &picture, "Look", "a");
    assert_eq!(answer.status, 303, "{}", answer.body);
    wait_until("it is out", || !shop.standin.accepted().is_empty());
    let sent = shop.standin.accepted().pop().unwrap().body;
    assert_eq!(sent["image"]["caption"], "Look");
    let id = sent["image"]["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.standin.media(&id).unwrap().bytes, picture);
    assert_eq!(shop.sends_file("b.png", &picture, "", "b").status, 303);
    wait_until("again", || shop.standin.accepted().len() == 2);
    let again = shop.standin.accepted().pop().unwrap().body;
    assert_eq!(again["image"]["id"], id.as_str(), "Meta has it already");
    // Who goes back in the browser, and mends the caption, has sent another message.
    assert_eq!(shop.sends_file("a.png", &picture, "Here", "a").status, 303);
    wait_until("a third", || shop.standin.accepted().len() == 3);
    // And who sends the very same again has not.
    assert_eq!(shop.sends_file("a.png", &picture, "Here", "a").status, 303);
    assert_eq!(shop.stage.place.outbox().len(), 3);
    let page = shop.page("/conversations/1");
    assert!(said(&page).contains("Picture not kept here"), "{page}");
    assert!(
        shop.page("/trail")
            .contains("sent a file in a conversation")
    );
}

#[test]
fn a_file_that_cannot_be_sent_is_refused_with_the_reason() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    let sound = b"#!AMR\n and so on";
    for (name, content, caption, expected) in [
        ("", &b""[..], "my words", "choose a file first."),
        ("a.txt", b"", "my words", "empty"),
        (
            "a.amr",
            sound,
            "my words",
            "no text with a file of this kind",
        ),
    ] {
        let answer = shop.sends_file(name, content, caption, "a");
        assert_eq!(answer.status, 400, "{name}: {}", answer.body);
        assert!(answer.body.contains(expected), "{name}: {}", answer.body);
        assert!(answer.body.contains("my words"), "what was written stays");
    }
    let large = vec![b'x'; 17 << 20];
    assert_eq!(shop.sends_file("a.txt", &large, "", "a").status, 413);
    assert!(shop.stage.place.outbox().is_empty());
}

#[test]
fn who_may_not_send_a_file_is_refused_before_it_is_looked_at() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    // Whoever looked at it first would say that it is too long.
    let large = vec![b'x'; 17 << 20];
    let mut elsewhere = shop.browser.clone();
    elsewhere
        .headers
        .push(("Sec-Fetch-Site".into(), "cross-site".into()));
    let answer = send_file(&mut elsewhere, "a.txt", &large, "", "a");
    assert_eq!(answer.status, 403, "{}", answer.body);
    let mut left = shop.browser.clone();
    shop.acts("/logout", &[]);
    let answer = send_file(&mut left, "a.txt", &large, "", "a");
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.body.contains("not logged in"), "{}", answer.body);
}

#[test]
fn files_that_graph_does_not_answer_for_hold_up_no_page_and_are_few() {
    const AT_ONCE: usize = 4;
    let graph = Mute::new();
    let mut shop = Shop::new(&[("GRAPH_API_URL", &graph.url)]);
    shop.says(1, ANA, "Ana", "silence");
    shop.wait_page("/conversations", "silence");
    shop.page("/conversations/1");
    let senders: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let (mut browser, n) = (shop.browser.clone(), n.to_string());
            std::thread::spawn(move || send_file(&mut browser, "a.txt", n.as_bytes(), "", &n))
        })
        .collect();
    wait_until("all are on their way", || graph.taken() == AT_ONCE);
    assert!(shop.page("/conversations").contains("silence"));
    shop.page("/inbox/1");
    let answer = shop.sends_file("a.txt", b"one too many", "my words", "x");
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("under way already"), "{}", answer.body);
    graph.hang_up();
    for sender in senders {
        let answer = sender.join().unwrap();
        assert_eq!(answer.status, 502, "{}", answer.body);
    }
    // Their places are free again.
    assert_eq!(shop.sends_file("a.amr", b"#!AMR\n", "x", "y").status, 400);
}

#[test]
fn a_person_is_forgotten_and_the_trail_says_what_went() {
    let mut shop = Shop::new(&[]);
    shop.says(1, ANA, "Ana Silva", "my secret");
    shop.says(2, "15550107002", "Ben", "hello");
    shop.wait_page("/conversations/1", "You said my secret");
    shop.wait_page("/conversations?q=silva", "/conversations/1\"");
    // What Meta tells later would name them anew.
    shop.stage.place.wait_outbox("read read");
    shop.page("/conversations/1");
    let answer = shop.browser.send("/console/conversations/1/forget", &[]);
    assert_eq!(answer.status, 400, "not without the box: {}", answer.body);
    shop.page("/conversations/1");
    let to = shop.acts("/conversations/1/forget", &[("sure", "1")]);
    assert_eq!(to, "/conversations?notice=forgetting");
    let trail = shop.wait_page("/trail", "a person was forgotten");
    assert!(trail.contains("messages 1, files 0"), "{trail}");
    assert_eq!(shop.browser.get("/console/conversations/1").status, 404);
    for path in [
        "/conversations",
        "/conversations?q=silva",
        "/inbox",
        "/outbox",
        "/trail",
    ] {
        let page = shop.page(path);
        for trace in ["Silva", "my secret", ANA] {
            // What was searched for stands in its field.
            let traces = page.replace("value=\"silva\"", "");
            assert!(!traces.contains(trace), "{trace} on {path}: {page}");
        }
    }
    assert!(shop.page("/conversations").contains("Ben"));
}
