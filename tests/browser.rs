//! The console in a real browser, Debian's Chromium without a window: what an operator does there
//! (`tests/browser/*.mjs`), on the real binary and against the stand-in for Graph.
//!
//! All the time a story is played nothing may go against the Content-Security-Policy, no script may
//! fail, no dialog open and no other site be asked. Screenshots stay in `tmp/browser-shots` of the
//! target folder. What the stories need is installed by `tests/browser/install`; without it they are
//! skipped, and say so; with `CLIENTS=required` they fail.

mod support;

#[path = "browser/play.rs"]
mod play;

use play::{Play, is_installed};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::console::*;
use support::*;
use wabridge::edge::standin::{Faults, StandIn};
use wabridge::wire::sample::{self, Sample};

const NUMBER: &str = "106540300000001";
const ANA: &str = "15550107001";
const BEA: &str = "15550107002";

/// A file of 8 by 8 green pixels.
const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x08\x00\x00\x00\x08\x08\x02\x00\x00\x00Km)\xdc\
      \x00\x00\x00\x11IDATx\xdac\xe0\xce\xf6\xc7\x8a\x18\x86\x96\x04\x00-\xe51AU\xdc\xa2(\
      \x00\x00\x00\x00IEND\xaeB`\x82";

/// A service with a console between a customer and an app, which has no place for what is lost.
struct Shop {
    stage: Stage,
    standin: StandIn,
    app: App,
    /// The app has a place for everything from now on.
    is_mended: Arc<AtomicBool>,
    _folder: Folder,
}

impl Shop {
    /// The app is asked about what these rules leave over.
    fn new(rules: &str) -> Shop {
        let (standin, folder) = (graph(), Folder::new());
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let app = App::start(move |got| match got.text() {
            "lost" if !mended.load(Ordering::SeqCst) => says(404, "no place for it"),
            _ => says(200, ""),
        });
        let file = folder.path().join("rules.toml");
        std::fs::write(&file, rules).unwrap();
        let stage = Stage::new(&[
            ("WHATSAPP_TOKEN", TOKEN),
            ("GRAPH_API_URL", &standin.url()),
            ("RULES_FILE", file.to_str().unwrap()),
            ("FORWARD_URL", &app.url()),
            ("MEDIA_DIR", folder.path().join("media").to_str().unwrap()),
        ]);
        standin.set_callback(&stage.place.service.url());
        Shop {
            stage,
            standin,
            app,
            is_mended,
            _folder: folder,
        }
    }

    /// A message of a kind comes.
    fn gets(&self, n: u64, kind: &str, from: &str, name: &str, text: &str) {
        let body = notification(n, kind, from, name, text);
        self.stage.place.service.take(&body.to_string());
    }

    /// A picture comes that can be fetched.
    fn gets_picture(&self, n: u64, from: &str, name: &str, text: &str) {
        let id = self
            .standin
            .add_media(NUMBER, "image/png", PICTURE.to_vec());
        let mut body = notification(n, "image", from, name, text);
        body["entry"][0]["changes"][0]["value"]["messages"][0]["image"] =
            json!({"id": id, "mime_type": "image/png", "caption": text});
        self.stage.place.service.take(&body.to_string());
    }

    /// One message of every kind comes, and all that they bring about is done.
    fn gets_all_kinds(&self, from: &str, name: &str, text: &str) {
        // The first of them is answered; after some of the others people are in charge.
        self.gets(1, "text", from, name, text);
        self.stage.place.wait_outbox("read");
        self.gets_picture(2, from, name, text);
        for (n, kind) in (3..).zip(sample::KINDS) {
            self.gets(n, kind.name, from, name, text);
        }
        wait_until("all is handed over", || {
            !self.stage.place.inbox_words("state").contains("pending")
        });
    }
}

/// The `n`th notification, of that kind.
fn notification(n: u64, kind: &str, from: &str, name: &str, text: &str) -> Value {
    let sample = Sample {
        from,
        name,
        text,
        id: &sample::wamid(n, from),
        timestamp: now_s(),
        ..Sample::default()
    };
    serde_json::from_str(&sample::notification(kind, &sample).unwrap()).unwrap()
}

#[test]
fn passwords_are_tried_and_held_back_and_out_is_out() {
    if !is_installed() {
        return;
    }
    let stage = Stage::new(&[]);
    Play::start("door", &stage, &[]).finish();
}

#[test]
fn an_operator_reads_replies_takes_over_and_mends_as_it_happens() {
    if !is_installed() {
        return;
    }
    let shop = Shop::new("");
    shop.gets(1, "text", ANA, "Ana", "hello");
    shop.gets(2, "text", BEA, "Bea", "lost");
    shop.stage.place.wait_inbox("done dead");
    // Meta's statuses wait.
    let nowhere = Away::new();
    shop.standin.set_callback(&nowhere.url());
    let mut play = Play::start("day", &shop.stage, &[]);
    play.at("replied", || {
        shop.standin.set_callback(&shop.stage.place.service.url());
    });
    play.at("seen as read", || {
        shop.gets(3, "text", ANA, "Ana", "thank you");
    });
    play.at("taken over", || {
        shop.gets(4, "text", ANA, "Ana", "for a person");
    });
    play.at("dead letter found", || {
        shop.is_mended.store(true, Ordering::SeqCst);
    });
    play.finish();

    let heard = shop.app.texts();
    let times = |text: &str| heard.iter().filter(|heard| *heard == text).count();
    assert_eq!((times("lost"), times("for a person")), (2, 0), "{heard:?}");
    let sent = shop.standin.accepted();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body["text"]["body"], "How can I help?");
}

/// It wants to be run, and to turn what follows it around.
const HOSTILE: &str = "\"'><script>window.ran=1;alert(1)</script><img src=x onerror=window.ran=1>\
                       <svg onload=window.ran=1>{{ 7*7 }}\u{202e}fdp.exe";

#[test]
fn hostile_names_and_texts_do_nothing_in_a_browser() {
    if !is_installed() {
        return;
    }
    let shop = Shop::new("[[rule]]\nwords = \"script\"\nreply = \"{{ text }}\"");
    shop.gets_all_kinds(ANA, HOSTILE, HOSTILE);
    shop.gets(100, "text", ANA, HOSTILE, &"😀".repeat(4_096));
    let last = shop.stage.place.inbox().len().to_string();
    let settings = [("HOSTILE", HOSTILE), ("LAST", &last)];
    Play::start("hostile", &shop.stage, &settings).finish();
}

#[test]
fn every_page_can_be_used_by_everybody_in_light_dark_and_on_a_phone() {
    if !is_installed() {
        return;
    }
    let shop = Shop::new("[[rule]]\nwords = \"hello\"\nreply = \"Good morning!\"");
    shop.gets_all_kinds(ANA, "Ana Ødegård", "hello");
    shop.gets(100, "text", BEA, "Bea", "lost");
    wait_until("it is given up", || {
        shop.stage.place.inbox_words("state").ends_with("dead")
    });
    let dead = shop.stage.place.inbox().pop().unwrap()["id"].to_string();
    let mut play = Play::start("pages", &shop.stage, &[("DEAD", &dead)]);
    play.at("seen as it was", || {
        shop.standin.set_faults(Faults::none().expired());
        shop.gets(101, "text", BEA, "Bea", "hello");
    });
    play.finish();
}

#[test]
fn without_javascript_all_is_read_and_done() {
    if !is_installed() {
        return;
    }
    let shop = Shop::new("");
    shop.gets(1, "text", ANA, "Ana", "hello");
    shop.stage.place.wait_inbox("done");
    Play::start("plain", &shop.stage, &[]).finish();
    assert_eq!(shop.standin.accepted().len(), 1);
}
