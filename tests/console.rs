//! The operator's console in the real binary: in and out, what is refused, and
//! what every answer says to the browser.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use support::console::*;
use support::*;

#[test]
fn without_a_password_there_is_no_console_and_it_says_how_to_have_one() {
    let mut place = Place::new(&API);
    let Api { address } = place.service.api();
    for path in ["/", "/console", "/console/login", "/console/trail"] {
        let answer = request(address, "GET", path, &[], b"").unwrap();
        assert_eq!(answer.status, 404, "{path}");
        for mend in ["CONSOLE_PASSWORD_HASH", "hash-password", "SESSION_SECRET"] {
            assert!(answer.body.contains(mend), "{path}: {}", answer.body);
        }
    }
    assert!(!place.service.log().contains("serving the console"));
}

#[test]
fn the_console_alone_opens_the_listener_and_no_api() {
    let stage = Stage::new(&[]);
    let answer = request(stage.address, "GET", "/healthz", &[], b"").unwrap();
    assert_eq!(answer.status, 200);
    let answer = request(stage.address, "GET", "/v26.0/1", &[], b"").unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("set API_KEY"), "{}", answer.body);
    let answer = request(stage.address, "GET", "/", &[], b"").unwrap();
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some("/console"))
    );
}

#[test]
fn the_settings_are_checked_at_the_start() {
    let folder = Folder::new();
    let run = |settings: &[(&str, &str)]| {
        let least = Setup::new(folder.path());
        let setup = settings
            .iter()
            .fold(least, |setup, (name, value)| setup.set(name, value));
        let output = setup.run(&["check"]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, said) = run(&[("CONSOLE_PASSWORD_HASH", HASH)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("SESSION_SECRET is not set"), "{said}");
    let (code, said) = run(&[
        ("CONSOLE_PASSWORD_HASH", PASSWORD),
        ("SESSION_SECRET", SECRET),
    ]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("wabridge hash-password") && !said.contains(PASSWORD),
        "{said}"
    );
    let (_, said) = run(&[
        ("CONSOLE_PASSWORD_HASH", HASH),
        ("SESSION_SECRET", "short,"),
    ]);
    assert!(said.contains("SESSION_SECRET"), "{said}");
    let settings = [
        ("CONSOLE_PASSWORD_HASH", HASH),
        ("SESSION_SECRET", SECRET),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
    ];
    assert_eq!(run(&settings).0, Some(0));
}

#[test]
fn one_logs_in_looks_and_logs_out_and_is_refused_then() {
    let stage = Stage::new(&[]);
    let mut browser = stage.browser();
    let answer = browser.get("/console/trail?before=9");
    let login = "/console/login?next=%2Ftrail%3Fbefore%3D9";
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some(login))
    );
    browser.get(login);
    let answer = browser.send(
        "/console/login",
        &[("password", PASSWORD), ("next", "/trail?before=9")],
    );
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(answer.header("Location"), Some("/console/trail?before=9"));
    let answer = browser.get("/console");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("All is well"), "{}", answer.body);
    let answer = browser.get("/console/trail");
    assert!(answer.body.contains("logged in"), "{}", answer.body);
    let mut stolen = browser.clone();
    assert_eq!(
        browser.get("/console/login").status,
        303,
        "who is in is not asked"
    );
    browser.get("/console");
    let answer = browser.send("/console/logout", &[]);
    let location = answer.header("Location").unwrap();
    assert_eq!(
        (answer.status, location),
        (303, "/console/login?notice=logged_out")
    );
    assert_eq!(browser.get("/console").status, 303, "its cookie is gone");
    assert_eq!(
        stolen.get("/console").status,
        303,
        "nor is it good any more"
    );
    assert_eq!(stolen.poll("/console").status, 401);
}

#[test]
fn a_session_lives_through_a_restart_and_an_ended_one_does_not_come_back() {
    let mut stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    let mut other = stage.logged_in();
    other.get("/console");
    let mut copy = other.clone();
    other.send("/console/logout", &[]);
    stage.restart(&[]);
    for one in [&mut browser, &mut copy] {
        one.address = stage.address;
    }
    assert_eq!(browser.get("/console").status, 200);
    assert_eq!(copy.get("/console").status, 303);
    let both = format!("another-secret-another-secret-another,{SECRET}");
    stage.restart(&[("SESSION_SECRET", &both)]);
    browser.address = stage.address;
    assert_eq!(browser.get("/console").status, 200, "while both are named");
    stage.restart(&[("SESSION_SECRET", "another-secret-another-secret-another")]);
    browser.address = stage.address;
    assert_eq!(
        browser.get("/console").status,
        303,
        "another secret ends it"
    );
}

#[test]
fn wrong_passwords_are_refused_and_soon_not_even_looked_at() {
    let stage = Stage::new(&[]);
    let mut browser = stage.browser();
    browser.get("/console/login");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let answer = browser.send("/console/login", &[("password", "guessed guessed")]);
        assert!(!answer.body.contains("guessed guessed"), "{}", answer.body);
        assert!(!answer.head.contains("wabridge_session"), "{}", answer.head);
        seen.push(answer.status);
    }
    assert_eq!(seen, [403, 403, 403, 403, 403, 429]);
    let answer = browser.send("/console/login", &[("password", PASSWORD)]);
    assert_eq!(answer.status, 429, "the right one waits as well");
    assert!(answer.header("Retry-After").is_some());
    let mut elsewhere = stage.browser();
    elsewhere
        .headers
        .push(("X-Real-IP".into(), "192.0.2.7".into()));
    elsewhere.get("/console/login");
    let answer = elsewhere.send("/console/login", &[("password", PASSWORD)]);
    assert_eq!(answer.status, 303, "somebody else does not");
    let log = stage.place.service.log();
    assert!(log.contains("a wrong password"), "{log}");
    assert!(
        !log.contains("guessed guessed") && !log.contains("192.0.2.7"),
        "{log}"
    );
}

#[test]
fn strangers_with_many_addresses_lock_out_nobody_who_can_be_told_from_them() {
    let mut stage = Stage::new(&[]);
    let from = |stage: &Stage, address: &str| {
        let mut browser = stage.browser();
        let header = ("X-Real-IP".to_owned(), address.to_owned());
        browser.headers.push(header);
        browser
    };
    let logs_in = |browser: &mut Browser, password: &str| {
        browser.get("/console/login");
        browser.send("/console/login", &[("password", password)])
    };
    let mut known = from(&stage, "203.0.113.1");
    assert_eq!(logs_in(&mut known, PASSWORD).status, 303);
    // What is remembered of addresses is gone then.
    stage.restart(&[]);
    known.address = stage.address;
    known.cookies.remove("wabridge_session");
    let is_refused = |n: &usize| {
        let mut stranger = from(&stage, &format!("198.51.{}.{}", n / 250, n % 250));
        let answer = logs_in(&mut stranger, "guessed guessed");
        // For long enough for all that follows.
        let wait = answer
            .header("Retry-After")
            .map(|s| s.parse::<u64>().unwrap());
        answer.status == 429 && wait >= Some(10)
    };
    assert!(
        (0..10_000).any(|n| is_refused(&n)),
        "strangers try on and on"
    );
    let answer = logs_in(&mut from(&stage, "203.0.113.1"), PASSWORD);
    assert_eq!(answer.status, 429, "another browser");
    assert!(answer.body.contains("Try again in "), "{}", answer.body);
    assert!(answer.body.contains("ssh -L"), "{}", answer.body);
    let mut forged = from(&stage, "203.0.113.2");
    let cookie = format!("{}0", known.cookies["wabridge_browser"]);
    forged.cookies.insert("wabridge_browser".into(), cookie);
    assert_eq!(logs_in(&mut forged, PASSWORD).status, 429);
    known.headers[0].1 = "203.0.113.99".into();
    assert_eq!(logs_in(&mut known, PASSWORD).status, 303, "wherever it is");
    assert_eq!(logs_in(&mut stage.browser(), PASSWORD).status, 303, "here");
}

#[test]
fn forms_that_are_not_ours_change_nothing() {
    let stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    browser.get("/console");
    let token = browser.token.clone();
    let other = stage.logged_in().token;
    for action in actions() {
        let path = format!("/console{action}");
        for (bad, status) in [("", 403), ("00", 403), (other.as_str(), 403)] {
            browser.token = bad.into();
            assert_eq!(browser.send(&path, &[]).status, status, "{path} {bad}");
        }
        browser.token = token.clone();
        for (name, value) in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Origin", "https://evil.example"),
        ] {
            browser.headers.push((name.into(), value.into()));
            assert_eq!(browser.send(&path, &[]).status, 403, "{path} {name}");
            browser.headers.pop();
        }
        let mut nobody = stage.browser();
        nobody.token = token.clone();
        assert_eq!(nobody.send(&path, &[]).status, 401, "{path}");
    }
    let mut visitor = stage.browser();
    visitor.get("/console/login");
    visitor.token = String::new();
    assert_eq!(
        visitor
            .send("/console/login", &[("password", PASSWORD)])
            .status,
        403
    );
    assert_eq!(browser.get("/console").status, 200, "nobody was logged out");
}

#[test]
fn every_answer_keeps_the_browser_in_bounds() {
    let stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    let mut nobody = stage.browser();
    let answers = [
        browser.get("/console"),
        browser.get("/console/trail"),
        browser.get("/console/nothing"),
        browser.get("/console/assets/console.css"),
        nobody.get("/console"),
        nobody.get("/console/login"),
        nobody.send("/console/login", &[("password", "wrong")]),
    ];
    for answer in answers {
        let header = |name| {
            answer
                .header(name)
                .unwrap_or_else(|| panic!("{name}: {}", answer.head))
        };
        let policy = header("Content-Security-Policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("X-Content-Type-Options"), "nosniff");
        assert_eq!(header("Referrer-Policy"), "same-origin");
        assert!(
            ["no-store", "private, max-age=31536000, immutable"].contains(&header("Cache-Control"))
        );
    }
}

#[test]
fn cookies_are_for_this_browser_and_by_tls_for_tls_alone() {
    let stage = Stage::new(&[]);
    for (proto, secure) in [(None, false), (Some("https"), true)] {
        let mut browser = stage.browser();
        if let Some(proto) = proto {
            browser
                .headers
                .push(("X-Forwarded-Proto".into(), proto.into()));
        }
        browser.get("/console/login");
        let answer = browser.send("/console/login", &[("password", PASSWORD)]);
        let cookies: Vec<&str> = answer
            .head
            .lines()
            .filter(|l| l.starts_with("Set-Cookie"))
            .collect();
        assert_eq!(cookies.len(), 3, "{cookies:?}");
        for cookie in cookies {
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
            assert!(cookie.contains("Path=/console;"), "{cookie}");
            assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        }
    }
}

#[test]
fn the_settings_are_shown_and_no_secret_is() {
    let stage = Stage::new(&[("WHATSAPP_TOKEN", "hush-token"), ("API_WAIT", "3s")]);
    let page = stage.logged_in().get("/console/settings").body;
    for shown in [
        "API_WAIT",
        "<bdi>3s</bdi>",
        "set, not shown",
        "the environment",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let secrets = ["hush-token", APP_SECRET, VERIFY_TOKEN, SECRET, HASH];
    assert!(
        secrets.iter().all(|secret| !page.contains(secret)),
        "{page}"
    );
}

#[test]
fn a_text_is_tried_on_the_rules_and_stays_inert() {
    let folder = Folder::new();
    let file = folder.path().join("rules.toml");
    let rules = r#"
        [[rule]]
        name = "<b>hours</b>"
        words = "open"
        reply = "We are open, {{ name }}."
        [[rule]]
        words = "<script>alert(1)</script>"
        reply = "{{ text }}"
    "#;
    std::fs::write(&file, rules).unwrap();
    let stage = Stage::new(&[("RULES_FILE", file.to_str().unwrap())]);
    let mut browser = stage.logged_in();
    let page = browser.get("/console/rules").body;
    assert!(page.contains("&lt;b&gt;hours&lt;/b&gt;"), "{page}");
    let page = browser.send(
        "/console/rules",
        &[("text", "are you open?"), ("type", "text")],
    );
    assert!(page.body.contains("Rule 1 fits"), "{}", page.body);
    assert!(page.body.contains("We are open, "), "{}", page.body);
    let hostile = "\"><script>alert(1)</script>\u{202e}\u{1b}";
    let page = browser
        .send("/console/rules", &[("text", hostile), ("type", "text")])
        .body;
    assert!(page.contains("Rule 2 fits"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    let page = browser
        .send("/console/rules", &[("text", "x"), ("type", "text")])
        .body;
    assert!(
        page.contains("No rule fits") && page.contains("does not fit: words"),
        "{page}"
    );
    std::fs::write(&file, "[[rule]]\nword = 'x'").unwrap();
    let page = browser.get("/console/rules").body;
    assert!(
        page.contains("is wrong. In force is what it said before"),
        "{page}"
    );
    assert_eq!(stage.place.inbox().len(), 0, "nothing came of it");
}

#[test]
fn live_pages_are_fetched_without_their_frame_and_keep_nobody_logged_in() {
    let stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    let whole = browser.get("/console").body;
    assert!(
        whole.contains("<nav") && whole.contains("All is well"),
        "{whole}"
    );
    let answer = browser.poll("/console");
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("All is well") && !answer.body.contains("<nav"),
        "{}",
        answer.body
    );
    assert!(answer.header("Set-Cookie").is_none(), "{}", answer.head);
    stage
        .place
        .service
        .take(&text_message(1, "15550107001", "hi"));
    let drawn = browser.poll("/console").body;
    let received = drawn.split("Received").nth(1).unwrap();
    assert!(received.contains("<dd>1<svg"), "{drawn}");
}

#[test]
fn what_is_too_long_or_not_there_is_refused_plainly() {
    let stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    let long = "x".repeat(100_000);
    assert_eq!(browser.send("/console/logout", &[("a", &long)]).status, 413);
    assert_eq!(browser.send("/console/login", &[("a", &long)]).status, 413);
    assert_eq!(browser.send("/console/nothing", &[]).status, 404);
    assert_eq!(browser.get("/console/logout").status, 404);
    assert_eq!(browser.get("/console/assets/none.css").status, 404);
    let answer = request(stage.address, "DELETE", "/console", &[], b"").unwrap();
    assert_eq!(
        (answer.status, answer.header("Allow")),
        (405, Some("GET, POST"))
    );
    assert_eq!(browser.get("/console").status, 200);
}

/// The paths of all actions; what stands in `{}` does not matter to whoever is
/// refused.
fn actions() -> Vec<String> {
    let actions = wabridge::edge::http::console::routes::ACTIONS.iter();
    actions
        .map(|action| action.path.replace("{}", "1"))
        .collect()
}

#[test]
fn the_demo_opens_its_console_to_the_password_it_prints() {
    let folder = Folder::new();
    let mut command = Setup::new(folder.path()).command(&["demo"]);
    let mut demo = command.stdout(Stdio::piped()).spawn().unwrap();
    // Kept open: it ends when nobody reads what it prints.
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let line = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("console "))
        .expect("a line that names it");
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = words[1].strip_prefix("http://").unwrap();
    let address = address.strip_suffix("/console").unwrap().parse().unwrap();
    let mut browser = Browser::at(address);
    browser.get("/console/login");
    let password = words.last().unwrap().trim_end_matches(')');
    let answer = browser.send("/console/login", &[("password", password)]);
    let page = browser.get("/console");
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert_eq!((answer.status, page.status), (303, 200));
}
