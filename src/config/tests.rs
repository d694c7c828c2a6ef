//! Settings written down as pairs: what they come to, and what each mistake is told
//! with. Where values come from is tested in `sources`.

use super::*;
use crate::policy::pacing::Rate;
use crate::wire::notification::Kind;

const MINIMUM: [(&str, &str); 2] = [("VERIFY_TOKEN", "v"), ("APP_SECRET", "s")];

fn with(pairs: &[(&'static str, &'static str)]) -> Sources {
    Sources::from_pairs(MINIMUM.into_iter().chain(pairs.iter().copied()))
}

/// Each mistake is found, and its text says `mend`.
fn check_problem(pairs: &[(&'static str, &'static str)], mend: &str) {
    let problems = load(&with(pairs)).expect_err("accepted");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].0.contains(mend),
        "{} lacks {mend:?}",
        problems[0]
    );
}

#[test]
fn two_secrets_are_enough_to_start() {
    let config = load(&with(&[])).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.webhook_path, "/webhook");
    assert_eq!(config.graph_url, "https://graph.facebook.com");
    assert_eq!(config.limits.reconcile_window_ms, 120_000);
    assert_eq!(config.database, PathBuf::from("wabridge.db"));
}

#[test]
fn all_mistakes_are_reported_together() {
    let sources = Sources::from_pairs([("LISTEN", "nowhere"), ("ON_UNKNOWN", "maybe")]);
    let problems = load(&sources).unwrap_err();
    let text: String = problems.iter().map(|p| format!("{p}\n")).collect();
    for name in [
        "APP_SECRET is not set",
        "VERIFY_TOKEN is not set",
        "LISTEN=nowhere",
        "ON_UNKNOWN=maybe",
    ] {
        assert!(text.contains(name), "{text}");
    }
}

const CONSOLE_HASH: &str =
    "pbkdf2-sha256:100000:AAECAwQFBgcICQoLDA0ODw:9+WKhfakcTvp2xEZh4nRo/kU1PPJCp1jfa3BP4SQTuk";

#[test]
fn each_mistake_says_its_mend() {
    check_problem(&[("APP_SECRET", "")], "copy it from");
    check_problem(&[("APP_SECRET", "a,,b")], "empty part");
    check_problem(&[("VERIFY_TOKEN", " ")], "choose any random text");
    check_problem(&[("WHATSAPP_TOKEN", "")], "copy the token");
    check_problem(&[("WHATSAPP_TOKEN", "two words")], "copy it again");
    check_problem(&[("WHATSAPP_TOKEN_main", "t")], "digits only");
    check_problem(&[("SESSION_SECRET", "short")], "openssl rand -hex 32");
    check_problem(&[("CONSOLE_PASSWORD_HASH", "hunter2")], "hash-password");
    check_problem(
        &[("CONSOLE_PASSWORD_HASH", CONSOLE_HASH)],
        "SESSION_SECRET is not set",
    );
    check_problem(&[("LISTEN", "0.0.0.0:80")], "ALLOW_PUBLIC_LISTEN=true");
    check_problem(&[("LISTEN", "unix:")], "unix:/run");
    let one_for_both = [("API_KEY", "k"), ("OPERATOR_LISTEN", "127.0.0.1:8080")];
    check_problem(&one_for_both, "set another OPERATOR_LISTEN");
    check_problem(&[("WEBHOOK_PATH", "hook")], "starts with /");
    check_problem(&[("WEBHOOK_PATH", "/healthz")], "not /healthz");
    check_problem(&[("DATABASE_URL", "postgres://db/x")], "sqlite:PATH");
    check_problem(&[("DATABASE_URL", "mysql://db/x")], "sqlite:PATH");
    check_problem(&[("GRAPH_API_URL", "graph.facebook.com")], "https://host");
    check_problem(&[("GRAPH_API_VERSION", "26")], "v26.0");
    check_problem(&[("WINDOW_TEMPLATE", "news")], "NAME/LANGUAGE");
    check_problem(&[("KEEP_MEDIA_ORDER", "maybe")], "neither true nor false");
    check_problem(&[("FORWARD_URL", "localhost:3000")], "http://");
    check_problem(&[("FORWARD_SECRET", "abc")], "openssl rand -base64");
    check_problem(&[("FORWARD_TIMEOUT", "soon")], "90s, 15m");
    check_problem(&[("FORWARD_TIMEOUT", "0")], "90s, 15m");
    check_problem(&[("HANDLER_COMMAND", "bot | tee log")], "sh -c");
    check_problem(&[("HANDLER_COMMAND", "''")], "names no program");
    check_problem(&[("HANDLER_KINDS", "messages")], "some of message");
    check_problem(&[("HANDLER_TIMEOUT", "0")], "90s, 15m");
    check_problem(&[("HANDLER_CONCURRENCY", "0")], "from 1 to 256");
    check_problem(&[("STALE_AFTER", "a while")], "90s, 15m");
    check_problem(&[("ON_STALE", "drop")], "mark, deliver or skip");
    check_problem(&[("DEBOUNCE", "0s")], "90s, 15m");
    check_problem(&[("DEBOUNCE", "6m")], "at most 5m");
    check_problem(&[("RATE_PER_NUMBER", "0")], "from 1 to 1000");
    check_problem(&[("RATE_PER_NUMBER_42", "1001")], "from 1 to 1000");
    check_problem(&[("RATE_PER_NUMBER_+49", "20")], "digits only");
    check_problem(&[("MEDIA_KINDS", "image,pictures")], "image, video");
    check_problem(&[("MEDIA_BYTES_MAX", "big")], "16MB or 1GB");
    check_problem(&[("MEDIA_BYTES_MAX", "0")], "16MB or 1GB");
    check_problem(&[("MEDIA_BYTES_MAX", "99999999999GB")], "16MB or 1GB");
    check_problem(&[("LOG_LEVEL", "loud")], "debug");
    check_problem(&[("LOG_LEVEL", "info,ureq=trace")], "tokens");
    check_problem(&[("LOG_FORMAT", "xml")], "text or json");
    check_problem(&[("ALLOW_UNSIGNED", "perhaps")], "neither true nor false");
}

#[test]
fn a_command_and_an_app_exclude_each_other() {
    let both = [("HANDLER_COMMAND", "bot"), ("FORWARD_URL", "http://x")];
    check_problem(&both, "take one of them out");
}

#[test]
fn a_command_gets_no_more_of_the_environment_than_it_needs() {
    let all = [
        ("HANDLER_COMMAND", "bot --fast"),
        ("HANDLER_KINDS", "status, other"),
        ("HANDLER_CONCURRENCY", "7"),
        ("PATH", "/opt:/bin"),
        ("TZ", "America/Lima"),
        ("HOME", "/root"),
    ];
    let config = load(&with(&all)).unwrap();
    let command = config.command.unwrap();
    assert_eq!(config.forward_concurrency, 7);
    assert_eq!(command.program, "bot");
    assert_eq!(command.arguments, ["--fast"]);
    assert_eq!(command.path, "/opt:/bin");
    let environment = [("LANG", "C.UTF-8".into()), ("TZ", "America/Lima".into())];
    assert_eq!(command.environment, environment);
    assert_eq!(command.kinds, [Kind::Status, Kind::Other]);
}

#[test]
fn observers_have_settings_of_their_own_or_those_of_the_app() {
    let config = load(&with(&[
        ("OBSERVERS", "crm, archive"),
        ("OBSERVER_CRM_URL", "http://127.0.0.1:1/hook/"),
        ("OBSERVER_CRM_KINDS", "status,field:account_update"),
        ("OBSERVER_CRM_TIMEOUT", "3s"),
        ("OBSERVER_CRM_CONCURRENCY", "2"),
        ("OBSERVER_CRM_MAX_AGE", "1h"),
        (
            "OBSERVER_CRM_SECRET",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr",
        ),
        ("OBSERVER_ARCHIVE_URL", "https://archive.example/in"),
        ("OBSERVER_OLD_URL", "https://old.example"),
        ("FORWARD_CONCURRENCY", "5"),
        ("FORWARD_TIMEOUT", "50s"),
    ]))
    .unwrap();
    let [crm, archive] = &config.observers[..] else {
        panic!("{:?}", config.observers);
    };
    assert_eq!(&*crm.limits.name, "crm");
    assert_eq!(crm.app.url, "http://127.0.0.1:1/hook/");
    assert!(crm.app.key.is_some() && archive.app.key.is_none());
    let limits = |one: &Observer| (one.limits.concurrency, one.limits.age_max_ms / 1_000);
    assert_eq!((limits(crm), limits(archive)), ((2, 3_600), (5, 86_400)));
    assert_eq!(crm.app.timeout.as_secs(), 3);
    assert_eq!(archive.app.timeout.as_secs(), 50);
    let selection = &crm.limits.selection;
    let cases = [
        (Kind::Status, "messages", true),
        (Kind::Message, "messages", false),
        (Kind::Other, "account_update", true),
        (Kind::Other, "flows", false),
    ];
    for (kind, field, expected) in cases {
        assert_eq!(selection.includes(kind, field), expected, "{field}");
        assert!(archive.limits.selection.includes(kind, field));
    }
    let told = |part: &str| config.warnings.iter().any(|w| w.contains(part));
    assert!(told("OBSERVER_OLD_URL is set") && !told("OBSERVER_CRM"));
    assert!(table::is_secret("OBSERVER_CRM_SECRET") && table::is_known("OBSERVER_CRM_SECRET_FILE"));
    assert!(!table::is_known("OBSERVER_CRM_COLOUR") && !table::is_known("OBSERVER__URL"));
}

#[test]
fn what_is_wrong_with_observers_is_told_with_the_mend() {
    check_problem(&[("OBSERVERS", "CRM")], "small letters");
    check_problem(&[("OBSERVERS", "bot")], "another name");
    check_problem(&[("OBSERVERS", "crm")], "OBSERVER_CRM_URL is not set");
    let wrong = |name, value, part| {
        let url = ("OBSERVER_CRM_URL", "http://x");
        check_problem(&[("OBSERVERS", "crm"), url, (name, value)], part);
    };
    let url = ("OBSERVER_CRM_URL", "http://x");
    check_problem(&[("OBSERVERS", "crm,crm"), url], "take one out");
    wrong("OBSERVER_CRM_KINDS", "mesage", "field:account_update");
    wrong("OBSERVER_CRM_KINDS", "field:", "field:account_update");
    wrong("OBSERVER_CRM_SECRET", "abc", "openssl rand");
    wrong("OBSERVER_CRM_SECRET", "", "openssl rand");
    wrong("OBSERVER_CRM_TIMEOUT", "soon", "90s");
    wrong("OBSERVER_CRM_CONCURRENCY", "0", "from 1 to 256");
    check_problem(
        &[("OBSERVERS", "crm"), ("OBSERVER_CRM_URL", "crm")],
        "http://",
    );
}

#[test]
fn there_is_an_end_to_observers() {
    let names: Vec<String> = (0..17).map(|n| format!("o{n}")).collect();
    let names = names.join(",");
    let pairs = [("OBSERVERS", names.as_str()), ("ALLOW_UNSIGNED", "true")];
    let problems = load(&Sources::from_pairs(pairs)).unwrap_err();
    assert!(problems[0].0.contains("there may be 16"), "{problems:?}");
}

#[test]
fn unsigned_is_for_this_machine_only() {
    let unsigned = [("ALLOW_UNSIGNED", "true")];
    let config = load(&Sources::from_pairs(unsigned)).unwrap();
    assert!(config.allow_unsigned && config.warnings[0].contains("by hand only"));
    let public = [("LISTEN", "0.0.0.0:80"), ("ALLOW_PUBLIC_LISTEN", "true")];
    let problems = load(&Sources::from_pairs(unsigned.into_iter().chain(public))).unwrap_err();
    assert!(problems[0].0.contains("ALLOW_UNSIGNED"));
}

#[test]
fn a_number_may_have_its_own_token() {
    let config = load(&with(&[
        ("WHATSAPP_TOKEN", "all"),
        ("WHATSAPP_TOKEN_42", "own"),
    ]))
    .unwrap();
    assert_eq!(config.tokens.of("42").unwrap().expose(), "own");
    assert_eq!(config.tokens.of("43").unwrap().expose(), "all");
    let of_files = [
        ("WHATSAPP_TOKEN_FILE", "/a"),
        ("WHATSAPP_TOKEN_42_FILE", "/b"),
    ];
    let config = load(&with(&of_files)).unwrap();
    assert!(config.tokens.of("42").is_none(), "a path is no token");
}

#[test]
fn a_number_may_have_its_own_rate() {
    let config = load(&with(&[
        ("RATE_PER_NUMBER", "20"),
        ("RATE_PER_NUMBER_42", "1000"),
        ("RATE_PER_NUMBER_43", ""),
    ]))
    .unwrap();
    let rates = &config.limits.rates;
    assert_eq!(rates.of("42"), Rate::per_second(1_000));
    assert_eq!(rates.of("43"), Rate::per_second(20));
}

#[test]
fn files_are_fetched_only_into_a_folder_that_was_named() {
    let off = load(&with(&[("MEDIA_KINDS", "image")])).unwrap();
    assert!(off.media.is_none() && off.limits.media_kinds.is_empty());
    for (state, folder, expected) in [
        ("", "files", "files"),
        ("/var/lib/wabridge", "files", "/var/lib/wabridge/files"),
        ("/var/lib/wabridge", "/srv/files", "/srv/files"),
    ] {
        let pairs = [("STATE_DIRECTORY", state), ("MEDIA_DIR", folder)];
        let sources = Sources::from_pairs(MINIMUM.into_iter().chain(pairs));
        let config = load(&sources).unwrap();
        assert_eq!(config.media.unwrap().folder, PathBuf::from(expected));
        assert_eq!(config.limits.media_kinds, Kinds::parse("all").unwrap());
    }
}

#[test]
fn numbers_of_bytes_are_read() {
    for (text, bytes) in [
        ("7", 7),
        ("7B", 7),
        ("500KB", 500_000),
        ("16 mb", 16_000_000),
        ("1GB", 1_000_000_000),
    ] {
        let pairs = [("MEDIA_DIR", "files"), ("MEDIA_BYTES_MAX", text)];
        let sources = Sources::from_pairs(MINIMUM.into_iter().chain(pairs));
        assert_eq!(
            load(&sources).unwrap().media.unwrap().bytes_max,
            bytes,
            "{text}"
        );
    }
}

#[test]
fn spans_of_time_are_read() {
    for (text, seconds) in [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("24h", 86_400),
        ("7d", 604_800),
    ] {
        let sources = Sources::from_pairs(MINIMUM.into_iter().chain([("FORWARD_MAX_AGE", text)]));
        assert_eq!(
            load(&sources).unwrap().limits.delivery_age_max_ms,
            seconds * 1_000
        );
    }
}

#[test]
fn the_database_is_a_plain_path_or_sqlite_url() {
    for (url, path) in [
        ("sqlite:/var/x.db", "/var/x.db"),
        ("sqlite:///var/x.db", "/var/x.db"),
        ("x.db", "x.db"),
        ("sqlite:x.db", "x.db"),
    ] {
        let sources = Sources::from_pairs([("DATABASE_URL", url)]);
        assert_eq!(database(&sources).unwrap(), PathBuf::from(path), "{url}");
    }
    let state = Sources::from_pairs([("STATE_DIRECTORY", "/var/lib/wabridge")]);
    assert_eq!(
        database(&state).unwrap(),
        PathBuf::from("/var/lib/wabridge/wabridge.db")
    );
}

#[test]
fn secrets_do_not_show_in_debug() {
    let config = load(&with(&[
        ("APP_SECRET", "hush-1"),
        ("WHATSAPP_TOKEN", "hush-2"),
    ]))
    .unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn env_example_is_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, listing::env_example()).unwrap();
    }
    let file = std::fs::read_to_string(path).unwrap();
    assert!(
        file == listing::env_example(),
        "run: UPDATE=1 cargo test env_example"
    );
}

#[test]
fn settings_are_shown_with_their_sources_and_no_secret_is() {
    let sources = Sources::from_pairs([
        ("APP_SECRET", "hush-1,hush-2"),
        ("WHATSAPP_TOKEN_42", "hush-3"),
        ("WHATSAPP_TOKEN_43_FILE", "/run/token"),
        ("FORWARD_URL", "https://app.example/in?key=hush-4"),
        ("ALERT_URL", "https://chat.example/services/hush-5"),
        ("RATE_PER_NUMBER_42", "20"),
        ("PATH", "/usr/bin"),
    ]);
    let (config, _) = survey(&sources);
    let find = |name: &str| {
        let found = config.effective.iter().find(|one| one.name == name);
        found.map(|one| (one.value.clone(), one.source.clone()))
    };
    let value = |text: &str| Shown::Value(text.into());
    for (name, shown, source) in [
        ("APP_SECRET", Shown::Hidden(2), Source::Environment),
        ("VERIFY_TOKEN", Shown::Nothing, Source::Default),
        ("WHATSAPP_TOKEN_42", Shown::Hidden(1), Source::Environment),
        ("LISTEN", value("127.0.0.1:8080"), Source::Default),
        ("RATE_PER_NUMBER_42", value("20"), Source::Environment),
        (
            "FORWARD_URL",
            value("https://app.example/in?…"),
            Source::Environment,
        ),
        (
            "ALERT_URL",
            value("https://chat.example/…"),
            Source::Environment,
        ),
    ] {
        assert_eq!(find(name), Some((shown, source)), "{name}");
    }
    assert_eq!(find("PATH"), None);
    assert_eq!(find("WHATSAPP_TOKEN_43_FILE"), None);
    assert!(!format!("{:?}", config.effective).contains("hush"));
}
