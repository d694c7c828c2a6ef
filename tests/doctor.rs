//! `wabridge check --online` and `wabridge register`, the real binary against the
//! stand-in for Graph: each way in which nothing arrives is named with its mend,
//! and the mend, run as printed, has messages arrive.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;
use wabridge::edge::standin::{App as MetaApp, Number, Options, StandIn};
use wabridge::wire::sample::Sample;

/// A service that nobody sends anything to yet, and Graph.
struct Stage {
    place: Place,
    standin: StandIn,
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let sample = Sample::default();
        let standin = StandIn::start(Options {
            app_secret: APP_SECRET.into(),
            numbers: vec![Number {
                id: sample.number.into(),
                display: sample.display.into(),
                waba: sample.waba.into(),
            }],
            ..Options::default()
        });
        let standin = standin.unwrap();
        let url = standin.url();
        let own = [("WHATSAPP_TOKEN", TOKEN), ("GRAPH_API_URL", url.as_str())];
        let place = Place::new(&[&own, settings].concat());
        Stage { place, standin }
    }

    /// All is well.
    fn well() -> Stage {
        let stage = Stage::new(&[]);
        stage.standin.set_callback(&stage.place.service.url());
        stage
    }

    /// `wabridge check --online`, by these settings.
    fn check_by(&self, setup: &Setup, code: i32, parts: &[&str]) -> String {
        ran(setup, &["check", "--online"], code, parts)
    }

    fn check(&self, code: i32, parts: &[&str]) -> String {
        self.check_by(&self.place.setup, code, parts)
    }

    /// When it is so, this is found wrong.
    fn spoiled(&self, spoil: impl FnOnce(&mut MetaApp), parts: &[&str]) {
        self.standin.set_app(|app| {
            *app = MetaApp::default();
            spoil(app);
        });
        self.check(1, parts);
    }

    /// `wabridge register` with these arguments.
    fn register(&self, args: &[&str], code: i32, parts: &[&str]) {
        let args = [&["register"], args].concat();
        ran(&self.place.setup, &args, code, parts);
    }

    /// A customer's message arrives.
    fn arrives(&self, n: u64) {
        let body = text_message(n, "15550107001", "hello");
        self.standin.deliver(&body).unwrap();
        let stored = self.place.inbox();
        assert!(stored.len() as u64 >= n, "{stored:?}");
    }
}

/// What a command says, in which these parts are and no secret.
fn ran(setup: &Setup, args: &[&str], code: i32, parts: &[&str]) -> String {
    let output = setup.run(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    for secret in [TOKEN, APP_SECRET, VERIFY_TOKEN] {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
    text
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn when_all_is_well_it_says_how_things_are() {
    let stage = Stage::well();
    let text = stage.check(
        0,
        &[
            "ok     WHATSAPP_TOKEN: valid, of the app Sample App (900000000000001), never ends",
            "ok     app 900000000000001: subscribes",
            "ok     account ",
            "quality GREEN",
            "the handshake passes, and a signed notification is taken",
            "note   inbox: nothing was ever stored here",
        ],
    );
    assert!(!text.contains("wrong"), "{text}");
    assert_eq!(
        stage.place.inbox(),
        Vec::<Value>::new(),
        "looking leaves no trace"
    );
    stage.arrives(1);
    stage.check(0, &["ok     inbox: the newest event came"]);
    let lines = stage.place.setup.json(&["check", "--online", "--json"]);
    let token = lines
        .iter()
        .find(|line| line["about"] == "WHATSAPP_TOKEN")
        .unwrap();
    assert_eq!(
        (&token["level"], &token["mend"]),
        (&json!("ok"), &Value::Null)
    );
}

#[test]
fn what_is_wrong_at_meta_is_named_with_its_mend() {
    let stage = Stage::well();
    let (number, waba) = (Sample::default().number, Sample::default().waba);
    let url = stage.place.service.url();
    let attach = format!("to mend it: wabridge register --url {url} --waba {waba}");
    stage.spoiled(
        |app| app.detached = [waba.to_owned()].into(),
        &["is not attached to it", &attach],
    );
    let register = format!("to mend it: wabridge register --url {url}");
    stage.spoiled(
        |app| app.fields = Some(vec!["account_update".into()]),
        &["does not subscribe to messages", &register],
    );
    stage.spoiled(
        |app| app.fields = None,
        &[
            "it has no webhook for WhatsApp",
            "wabridge register --url https://YOUR.NAME/webhook",
        ],
    );
    stage.spoiled(|app| app.active = false, &["switched off"]);
    stage.spoiled(
        |app| app.clock_ahead = Duration::from_secs(2 * 3_600 + 600),
        &[
            "clock: this machine's is 2 hours behind Meta's",
            "timedatectl",
        ],
    );
    stage.spoiled(
        |app| drop(app.scopes.pop()),
        &["lacks the permission whatsapp_business_messaging"],
    );
    let tell = |told: Value| move |app: &mut MetaApp| drop(app.numbers.insert(number.into(), told));
    stage.spoiled(
        tell(json!({"platform_type": "NOT_APPLICABLE"})),
        &[
            "not registered with the Cloud API",
            &format!("/{number}/register"),
        ],
    );
    let blocked = json!({"entities": [{"entity_type": "WABA", "id": waba,
        "can_send_message": "BLOCKED", "errors": [{"error_code": 141_006,
        "error_description": "No payment method.", "possible_solution": "Add one."}]}]});
    stage.spoiled(
        tell(json!({"health_status": blocked})),
        &[
            "its account cannot send: No payment method.",
            "to mend it: Add one.",
        ],
    );
    // Where a number has an address of its own, that one counts.
    let elsewhere = format!("{}/elsewhere", stage.standin.url());
    stage.spoiled(
        |app| drop(app.overrides.insert(number.into(), elsewhere.clone())),
        &[
            &format!("{elsewhere} (set for number {number}): there is nothing at this path (404)"),
            &format!("wabridge register --remove --at number --number {number}"),
        ],
    );
}

#[test]
fn what_is_wrong_with_settings_and_service_is_named_too() {
    let mut stage = Stage::well();
    let setup = stage.place.setup.clone();
    let with = |name: &str, value: &str| setup.clone().set(name, value);
    stage.check_by(
        &with("WHATSAPP_TOKEN", "another"),
        1,
        &["wrong  WHATSAPP_TOKEN: it is not valid", "System users"],
    );
    // Meta signs with the app's secret, which is not this one.
    let other = with("APP_SECRET", "another-app-secret");
    let text = stage.check_by(&other, 1, &["wrong  APP_SECRET: it is not the secret of"]);
    assert!(
        text.contains("never ends"),
        "the token is looked at all the same: {text}"
    );
    stage.check_by(
        &with("VERIFY_TOKEN", "another-verify-token"),
        1,
        &["it refuses our VERIFY_TOKEN (403)"],
    );
    stage.check_by(
        &setup.clone().unset("WHATSAPP_TOKEN"),
        1,
        &["wrong  WHATSAPP_TOKEN: no token is set"],
    );
    // The app is known, its own token tells.
    stage.standin.set_app(|app| app.fields = None);
    let bare = setup.clone().unset("WHATSAPP_TOKEN");
    let output = bare.run(&["check", "--online", "--app", "900000000000001"]);
    assert!(
        said(&output).contains("no webhook for WhatsApp"),
        "{}",
        said(&output)
    );
    stage.standin.set_app(|app| *app = MetaApp::default());
    let strange = App::start(|_| says(200, "hello"));
    stage.standin.set_callback(&strange.url());
    stage.check(1, &["something else than wabridge answers there"]);
    stage.standin.set_callback(&stage.place.service.url());
    stage.place.service.kill();
    stage.check(
        1,
        &["nothing answers there, asked from this machine", "nginx"],
    );
    drop(stage.standin);
    let output = setup.run(&["check", "--online"]);
    let text = said(&output);
    assert_eq!(text.matches("Graph cannot be reached").count(), 1, "{text}");
}

#[test]
fn an_address_that_is_not_ours_does_not_get_the_verify_token() {
    let stage = Stage::new(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard: Arc<Mutex<String>> = Arc::default();
    let hearing = Arc::clone(&heard);
    // It gives back any challenge, as whoever collects tokens would.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = String::new();
            let mut lines = BufReader::new(&stream);
            while lines.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let challenge = head.split("hub.challenge=").nth(1).unwrap_or_default();
            let challenge = challenge.split(['&', ' ']).next().unwrap();
            let length = challenge.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{challenge}"
            );
            hearing.lock().unwrap().push_str(&head);
        }
    });
    stage.standin.set_callback(&url);
    stage.check(1, &["something else than wabridge answers there"]);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("hub.challenge="), "{heard}");
    assert!(!heard.contains(VERIFY_TOKEN), "{heard}");
    assert!(
        !heard.contains("POST"),
        "nor anything that is signed: {heard}"
    );
}

#[test]
fn what_it_advises_mends_it() {
    let stage = Stage::new(&[]);
    let waba = Sample::default().waba;
    stage.standin.set_app(|app| {
        app.fields = None;
        app.detached.insert(waba.into());
    });
    let url = stage.place.service.url();
    stage.register(
        &["--url", &url, "--dry-run"],
        0,
        &["would  app 900000000000001"],
    );
    assert_eq!(stage.standin.callback(), None, "a dry run changes nothing");
    stage.register(
        &["--url", &url],
        0,
        &[
            "done   app 900000000000001 subscribes",
            &format!("done   account {waba} is attached"),
        ],
    );
    assert_eq!(stage.standin.callback(), Some(url));
    assert!(
        stage
            .standin
            .app()
            .fields
            .unwrap()
            .contains(&"messages".into())
    );
    stage.arrives(1);
    stage.check(0, &[]);
    // What is subscribed to besides stays so.
    stage
        .standin
        .set_app(|app| app.fields = Some(vec!["flows".into()]));
    stage.register(&["--url", &stage.place.service.url()], 0, &["flows"]);
    assert!(
        stage
            .standin
            .app()
            .fields
            .unwrap()
            .contains(&"flows".into())
    );
}

#[test]
fn an_account_or_a_number_can_have_an_address_of_its_own() {
    let stage = Stage::new(&[]);
    let strange = App::start(|_| says(200, ""));
    stage.standin.set_callback(&strange.url());
    let (number, waba) = (Sample::default().number, Sample::default().waba);
    let url = stage.place.service.url();
    let overrides = || stage.standin.app().overrides;
    stage.register(
        &["--url", &url, "--at", "waba"],
        0,
        &[&format!("account {waba}")],
    );
    assert_eq!(overrides().get(waba), Some(&url));
    stage.arrives(1);
    stage.register(
        &["--url", &url, "--at", "number", "--number", number],
        0,
        &[&format!("done   number {number} is sent to {url}")],
    );
    stage.register(
        &["--remove", "--at", "waba"],
        0,
        // It still counts.
        &[
            "done   account",
            &format!("--remove --at number --number {number}"),
        ],
    );
    assert_eq!(overrides().keys().collect::<Vec<_>>(), [number]);
    stage.arrives(2);
    stage.register(
        &["--remove", "--at", "number"],
        0,
        &["no address of its own any more"],
    );
    assert!(overrides().is_empty());
    assert_eq!(
        stage.standin.callback(),
        Some(strange.url()),
        "the app's own stays"
    );
}

#[test]
fn an_address_that_does_not_lead_here_is_not_registered() {
    let stage = Stage::well();
    let before = stage.standin.callback();
    let nowhere = format!("{}/nowhere", stage.standin.url());
    stage.register(&["--url", &nowhere], 1, &["404", "nothing was changed"]);
    // Meta asks too.
    stage.register(
        &["--url", &nowhere, "--unchecked"],
        1,
        &["Graph says 2200", "Meta could not do the handshake"],
    );
    assert_eq!(stage.standin.callback(), before);
    let misused: [(&[&str], &str); 5] = [
        (&[], "needs --url"),
        (&["--remove"], "goes with --at"),
        (&["--url", "a.test/webhook"], "is not an address"),
        (
            &["--url", "https://a.test/", "--at", "home"],
            "app, waba or number",
        ),
        (
            &["--url", "https://a.test/", "--waba", "x"],
            "--waba x is not an id",
        ),
    ];
    for (args, part) in misused {
        stage.register(args, 2, &[part]);
    }
}
