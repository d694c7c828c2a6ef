//! All is well, but for one thing: what is found, and how to mend it.

use super::*;
use crate::policy::alarm;
use crate::wire::setup::{Refused, Trouble};

const APP: &str = "900";
const ACCOUNT: &str = "102";
const NUMBER: &str = "106";
const URL: &str = "https://a.test/webhook";
const DAY: i64 = 86_400;

/// All is well.
fn well() -> Facts {
    let token = Token {
        app: Some(APP.into()),
        app_name: Some("Sample".into()),
        valid: true,
        scopes: vec![
            "whatsapp_business_messaging".into(),
            "whatsapp_business_management".into(),
        ],
        ..Token::default()
    };
    let subscription = Subscription {
        callback: Some(URL.into()),
        active: true,
        fields: FIELDS.iter().map(|field| (*field).into()).collect(),
    };
    let number = Number {
        display: Some("+1 555".into()),
        name: Some("Shop".into()),
        name_status: Some("APPROVED".into()),
        quality: Some("GREEN".into()),
        status: Some("CONNECTED".into()),
        platform: Some("CLOUD_API".into()),
        throughput: Some("STANDARD".into()),
        limit: Some("TIER_2K".into()),
        ..Number::default()
    };
    Facts {
        now_s: 1_000 * DAY,
        webhook_path: "/webhook".into(),
        plain_http: false,
        verify_token: true,
        tokens: vec![TokenFacts {
            setting: "WHATSAPP_TOKEN".into(),
            told: Ok(token),
            secret_fits: Some(true),
        }],
        app: Some(AppFacts {
            id: APP.into(),
            subscription: Some(Ok(Some(subscription))),
        }),
        accounts: vec![AccountFacts {
            id: ACCOUNT.into(),
            attached: Ok(vec![attached(APP, None)]),
        }],
        numbers: vec![NumberFacts {
            id: NUMBER.into(),
            account: Some(ACCOUNT.into()),
            rate: 80,
            told: Some(Ok(number)),
            health: Some(Health::default()),
        }],
        places: vec![place(URL, Shake::Passed, Some(Taken::Yes))],
        inbox: Inbox::Newest(999 * DAY),
        clock_ahead_s: Some(1),
    }
}

fn attached(app: &str, callback: Option<&str>) -> Attached {
    Attached {
        app: app.into(),
        name: None,
        callback: callback.map(str::to_owned),
    }
}

fn place(url: &str, shake: Shake, taken: Option<Taken>) -> PlaceFacts {
    PlaceFacts {
        place: Place {
            url: url.into(),
            set_at: SetAt::App,
        },
        shake,
        taken,
    }
}

fn error(code: i64, subcode: Option<i64>, message: &str) -> Refused {
    Refused::Error {
        code,
        subcode,
        message: message.into(),
    }
}

fn token(facts: &mut Facts) -> &mut Token {
    facts.tokens[0].told.as_mut().unwrap()
}

fn subscription(facts: &mut Facts) -> &mut Subscription {
    let told = facts.app.as_mut().unwrap().subscription.as_mut().unwrap();
    told.as_mut().unwrap().as_mut().unwrap()
}

fn number(facts: &mut Facts) -> &mut Number {
    facts.numbers[0].told.as_mut().unwrap().as_mut().unwrap()
}

/// What is found when that is not well: all that is not fine, as `level about`,
/// and parts of what is said of the first, its mend among them.
fn check(spoil: impl Fn(&mut Facts), expected: &[&str], parts: &[&str]) {
    let mut facts = well();
    spoil(&mut facts);
    let found = findings(&facts);
    let bad: Vec<&Finding> = found
        .iter()
        .filter(|one| one.level != Level::Fine)
        .collect();
    let heads = bad
        .iter()
        .map(|one| format!("{} {}", one.level.as_str(), one.about));
    assert_eq!(heads.collect::<Vec<_>>(), expected, "{found:#?}");
    if let Some(first) = bad.first() {
        let text = format!(
            "{} {}",
            first.says,
            first.mend.as_deref().unwrap_or_default()
        );
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
    }
}

#[test]
fn a_clock_that_is_off_is_wrong_and_one_nearly_right_is_not_spoken_of() {
    for off in [None, Some(0), Some(60), Some(-60)] {
        check(|facts| facts.clock_ahead_s = off, &[], &[]);
    }
    let wrong = &["wrong clock"];
    for (off, said) in [
        (61, "61 seconds ahead of Meta's"),
        (7_200, "2 hours ahead of Meta's"),
        (-300, "5 minutes behind Meta's"),
        (-20_000 * DAY, "20000 days behind"),
    ] {
        let parts = &[said, "timedatectl"];
        check(|facts| facts.clock_ahead_s = Some(off), wrong, parts);
    }
}

#[test]
fn when_all_is_well_everything_is_fine_and_said() {
    check(|_| {}, &[], &[]);
    let found = findings(&well());
    let about: Vec<&str> = found.iter().map(|one| one.about.as_str()).collect();
    let all = [
        "WHATSAPP_TOKEN",
        "app 900",
        "account 102",
        "number 106",
        URL,
        "inbox",
    ];
    assert_eq!(about, all);
    assert!(found[5].says.contains("24 hours ago"), "{}", found[5].says);
}

#[test]
fn a_token_that_does_not_do_is_named_with_what_to_make() {
    let token_is =
        |told: Asked<Token>| move |facts: &mut Facts| facts.tokens[0].told = told.clone();
    let wrong: &[&str] = &["wrong WHATSAPP_TOKEN"];
    check(
        |facts| facts.tokens.clear(),
        wrong,
        &["no token is set", "System users"],
    );
    check(
        token_is(Err(error(190, Some(463), "x"))),
        wrong,
        &["it has ended", "System users", "reload"],
    );
    check(
        token_is(Err(error(190, Some(460), "x"))),
        wrong,
        &["password was changed"],
    );
    check(
        token_is(Err(error(190, None, "Malformed"))),
        wrong,
        &["not valid: Malformed"],
    );
    check(
        token_is(Ok(Token {
            trouble: Some("Session ended".into()),
            ..Token::default()
        })),
        wrong,
        &["not valid: Session ended"],
    );
    check(
        |facts| drop(token(facts).scopes.remove(0)),
        wrong,
        &["lacks the permission whatsapp_business_messaging"],
    );
    check(
        |facts| drop(token(facts).scopes.remove(1)),
        &["note WHATSAPP_TOKEN"],
        &["lacks the permission whatsapp_business_management"],
    );
    check(
        |facts| token(facts).ends_s = Some(1_000 * DAY + 7_200),
        &["note WHATSAPP_TOKEN"],
        &["ends in 2 hours", "one that does not end"],
    );
    check(
        token_is(Err(error(4, None, "Application request limit reached"))),
        &["note WHATSAPP_TOKEN"],
        &["try again"],
    );
}

#[test]
fn graph_out_of_reach_is_said_once() {
    check(
        |facts| {
            let silent = Refused::Unanswered("host name not found".into());
            facts.tokens[0].told = Err(silent.clone());
            facts.app.as_mut().unwrap().subscription = Some(Err(silent.clone()));
            facts.accounts[0].attached = Err(silent.clone());
            facts.numbers[0].told = Some(Err(silent));
        },
        &["wrong Graph"],
        &["host name not found", "HTTPS_PROXY"],
    );
    check(
        |facts| facts.tokens[0].told = Err(Refused::Strange(407)),
        &["wrong Graph"],
        &["HTTP 407"],
    );
}

#[test]
fn another_apps_secret_is_named_once_and_as_such() {
    check(
        |facts| {
            facts.tokens[0].secret_fits = Some(false);
            let refused = error(190, None, "Invalid application secret");
            facts.app.as_mut().unwrap().subscription = Some(Err(refused));
        },
        &["wrong APP_SECRET"],
        &["Sample (900)", "401", "App settings → Basic"],
    );
    check(
        |facts| {
            let refused = error(101, None, "Error validating application");
            facts.app.as_mut().unwrap().subscription = Some(Err(refused));
        },
        &["wrong app 900"],
        &["validating application", "APP_SECRET"],
    );
}

#[test]
fn an_app_that_does_not_subscribe_is_told_to_register() {
    let register = "wabridge register --url https://a.test/webhook";
    let wrong: &[&str] = &["wrong app 900"];
    check(
        |facts| facts.app.as_mut().unwrap().subscription = Some(Ok(None)),
        wrong,
        &["no webhook", register],
    );
    check(
        |facts| subscription(facts).active = false,
        wrong,
        &["off", register],
    );
    check(
        |facts| {
            subscription(facts)
                .fields
                .retain(|field| field != "messages")
        },
        wrong,
        &["subscribe to messages", register],
    );
    check(
        |facts| subscription(facts).fields = vec!["messages".into()],
        &["note app 900"],
        &["account_update", register],
    );
    check(
        |facts| {
            facts.app.as_mut().unwrap().subscription = Some(Ok(None));
            facts.places.clear();
        },
        wrong,
        &["--url https://YOUR.NAME/webhook"],
    );
    check(
        |facts| facts.app.as_mut().unwrap().subscription = None,
        &["note app 900"],
        &["set APP_SECRET"],
    );
    check(|facts| facts.app = None, &["note app"], &["--app ID"]);
}

#[test]
fn an_account_the_app_is_not_attached_to_sends_nothing() {
    check(
        |facts| facts.accounts[0].attached = Ok(vec![]),
        &["wrong account 102"],
        &[
            "not attached",
            "wabridge register --url https://a.test/webhook --waba 102",
        ],
    );
    check(
        |facts| {
            let attached = facts.accounts[0].attached.as_mut().unwrap();
            attached.push(super::tests::attached("901", None));
        },
        &["note account 102"],
        &["901", "copy of everything"],
    );
    check(
        |facts| facts.accounts[0].attached = Err(error(100, Some(33), "Unsupported")),
        &["wrong account 102"],
        &["Unsupported", "give the token's system user the account"],
    );
}

#[test]
fn a_number_that_cannot_be_used_is_named_with_its_mend() {
    let wrong: &[&str] = &["wrong number 106"];
    let note: &[&str] = &["note number 106"];
    check(
        |facts| facts.numbers[0].told = None,
        wrong,
        &["no token", "WHATSAPP_TOKEN_106"],
    );
    check(
        |facts| facts.numbers[0].told = Some(Err(error(100, Some(33), "Unsupported"))),
        wrong,
        &["phone_number_id and not the phone number"],
    );
    check(
        |facts| number(facts).platform = Some("NOT_APPLICABLE".into()),
        wrong,
        &["not registered", "/106/register"],
    );
    check(
        |facts| number(facts).status = Some("PENDING".into()),
        wrong,
        &["not registered"],
    );
    check(
        |facts| number(facts).status = Some("BANNED".into()),
        wrong,
        &["BANNED", "WhatsApp Manager"],
    );
    check(
        |facts| number(facts).quality = Some("RED".into()),
        wrong,
        &["RED"],
    );
    check(
        |facts| number(facts).quality = Some("YELLOW".into()),
        note,
        &["YELLOW"],
    );
    check(
        |facts| number(facts).name_status = Some("DECLINED".into()),
        note,
        &["display name"],
    );
    check(
        |facts| facts.numbers[0].rate = 1_000,
        note,
        &["RATE_PER_NUMBER_106=80"],
    );
    check(
        |facts| {
            facts.numbers[0].rate = 1_000;
            number(facts).throughput = Some("HIGH".into());
        },
        &[],
        &[],
    );
    check(
        |facts| {
            let trouble = |blocked| Trouble {
                entity: "WABA".into(),
                blocked,
                says: "No payment method.".into(),
                advice: Some("Add one.".into()),
            };
            let troubles = vec![trouble(true), trouble(false)];
            facts.numbers[0].health.as_mut().unwrap().troubles = troubles;
        },
        &["wrong number 106", "note number 106"],
        &["its account cannot send: No payment method.", "Add one."],
    );
    check(
        |facts| facts.numbers.clear(),
        &["note numbers"],
        &["--number"],
    );
}

#[test]
fn what_answers_at_the_address_is_told_apart() {
    let at =
        |shake: Shake| move |facts: &mut Facts| facts.places[0] = place(URL, shake.clone(), None);
    let wrong: &[&str] = &["wrong https://a.test/webhook"];
    check(
        at(Shake::Silent("time-out".into())),
        wrong,
        &["time-out", "port 443", "nginx"],
    );
    check(at(Shake::Distrusted), wrong, &["certificate", "certbot"]);
    check(
        at(Shake::Redirect("https://b.test/".into())),
        wrong,
        &["https://b.test/", "register --url https://b.test/"],
    );
    check(at(Shake::Otherwise), wrong, &["something else"]);
    check(at(Shake::Status(403)), wrong, &["VERIFY_TOKEN", "reload"]);
    check(at(Shake::Status(404)), wrong, &["WEBHOOK_PATH", "/webhook"]);
    check(
        at(Shake::Status(502)),
        wrong,
        &["proxy answers", "systemctl status"],
    );
    check(at(Shake::Status(500)), wrong, &["500"]);
    let took = |taken: Taken| {
        move |facts: &mut Facts| {
            facts.places[0] = place(URL, Shake::Passed, Some(taken.clone()));
        }
    };
    check(
        took(Taken::Status(401)),
        wrong,
        &["401", "APP_SECRET", "X-Hub-Signature-256"],
    );
    check(took(Taken::Status(503)), wrong, &["503", "cannot store"]);
    check(took(Taken::Status(405)), wrong, &["405", "POST"]);
    check(took(Taken::Silent("reset".into())), wrong, &["reset"]);
    check(
        |facts| facts.places[0] = place("http://a.test/webhook", Shake::Passed, None),
        &["wrong http://a.test/webhook"],
        &["https only"],
    );
    check(
        |facts| {
            facts.plain_http = true;
            facts.places[0] = place("http://127.0.0.1:1/webhook", Shake::Passed, None);
        },
        &[],
        &[],
    );
    check(
        |facts| facts.verify_token = false,
        &["wrong VERIFY_TOKEN"],
        &["not set"],
    );
}

#[test]
fn an_address_of_ones_own_counts_before_the_apps() {
    let mut facts = well();
    let goes_to = |facts: &Facts| facts.place_of(&facts.numbers[0]).unwrap();
    assert_eq!(goes_to(&facts).set_at, SetAt::App);
    facts.accounts[0].attached = Ok(vec![
        attached("901", Some("https://not-ours.test/")),
        attached(APP, Some("https://account.test/")),
    ]);
    assert_eq!(goes_to(&facts).url, "https://account.test/");
    assert_eq!(goes_to(&facts).set_at, SetAt::Account(ACCOUNT.into()));
    number(&mut facts).callback = Some("https://number.test/".into());
    assert_eq!(goes_to(&facts).url, "https://number.test/");
    assert_eq!(goes_to(&facts).set_at, SetAt::Number(NUMBER.into()));
    let all: Vec<String> = facts.all_places().into_iter().map(|one| one.url).collect();
    assert_eq!(
        all,
        [URL, "https://number.test/"],
        "templates go to the app's"
    );
    facts.places = vec![PlaceFacts {
        place: goes_to(&facts),
        shake: Shake::Status(404),
        taken: None,
    }];
    let found = findings(&facts);
    let wrong = found.iter().find(|one| one.level == Level::Wrong).unwrap();
    let mend = wrong.mend.as_deref().unwrap();
    assert!(
        mend.contains("register --remove --at number --number 106"),
        "{mend}"
    );
}

#[test]
fn an_empty_inbox_is_no_fault_of_its_own() {
    check(
        |facts| facts.inbox = Inbox::Empty,
        &["note inbox"],
        &["from a phone", "published"],
    );
    check(|facts| facts.inbox = Inbox::Unseen, &[], &[]);
}

#[test]
fn what_alarms_are_read_from_is_subscribed_to() {
    let missing = |field: &&&str| !FIELDS.contains(field);
    let missing: Vec<_> = alarm::news::FIELDS.iter().filter(missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
