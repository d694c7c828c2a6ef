//! Alarms, the real binary: what needs a person is said as an error, shown by
//! `wabridge status` and told to ALERT_URL, once, and again when it is over.

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::console::Stage;
use support::*;
use wabridge::edge::standin::StandIn;
use wabridge::wire::sample::Sample;
use wabridge::wire::signature::StandardKey;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const ANA: &str = "15550107001";

/// An app that takes everything, or refuses it.
fn moody() -> (App, Arc<AtomicUsize>) {
    let status = Arc::new(AtomicUsize::new(400));
    let answers = Arc::clone(&status);
    let app = App::start(move |_| says(answers.load(Ordering::SeqCst) as u16, ""));
    (app, status)
}

/// What was told; the disk of the machine that tests run on is not looked at.
fn heard(pager: &App) -> Vec<Received> {
    let heard = pager.received().into_iter();
    heard
        .filter(|one| one.body["data"]["alarm"] != "disk")
        .collect()
}

/// The same, once there is so much of it.
fn wait(pager: &App, count: usize) -> Vec<Received> {
    wait_until("the pager hears of it", || heard(pager).len() >= count);
    heard(pager)
}

/// What was told, as `type alarm`.
fn told(pager: &App) -> Vec<String> {
    let heard = heard(pager).into_iter();
    let named = heard.map(|one| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{} {}",
            text(&one.body["type"]),
            text(&one.body["data"]["alarm"])
        )
    });
    named.collect()
}

fn standing(setup: &Setup) -> Vec<String> {
    let status = setup.json(&["status", "--json"]).remove(0);
    let alarms = status["alarms"].as_array().unwrap().iter();
    let alarms = alarms.filter(|alarm| alarm["alarm"] != "disk");
    let words = alarms.map(|alarm| format!("{} {}", alarm["alarm"], alarm["subject"]));
    words.map(|words| words.replace('"', "")).collect()
}

/// A service that tells a pager; the stand-in is Graph.
fn stage(pager: &App, settings: &[(&str, &str)]) -> (Place, StandIn) {
    let standin = graph();
    let alerts = pager.url();
    let own = [("ALERT_URL", alerts.as_str()), ("ALERT_SECRET", SECRET)];
    let place = Place::with_graph(&standin, &[&own, settings].concat());
    (place, standin)
}

/// What Meta tells of a template.
fn template(event: &str, n: u64) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": Sample::default().waba,
        "time": n, "changes": [{"field": "message_template_status_update", "value": {
            "event": event, "message_template_id": 1, "message_template_name": "order_update",
            "message_template_language": "en_US", "reason": null}}]}]})
    .to_string()
}

#[test]
fn dead_letters_are_told_once_signed_and_again_when_they_are_replayed() {
    let (app, status) = moody();
    let pager = App::start(|_| says(204, ""));
    let (mut place, _standin) = stage(&pager, &[("FORWARD_URL", &app.url())]);
    place.service.take(&text_message(1, ANA, "hello"));
    place.service.wait_for_log("alarm=dead");
    let heard = wait(&pager, 1).remove(0);
    assert_eq!(heard.body["data"]["subject"], "bot");
    let text = heard.body["text"].as_str().unwrap();
    assert!(text.contains("replay --dead"), "{text}");
    let (id, at) = (
        &heard.headers["webhook-id"],
        &heard.headers["webhook-timestamp"],
    );
    let key = StandardKey::parse(SECRET).unwrap();
    let signature = key.sign(id, at.parse().unwrap(), heard.raw.as_bytes());
    assert_eq!(heard.headers["webhook-signature"], signature);
    assert_eq!(standing(&place.setup), ["dead bot"]);
    let shown = place.setup.run(&["status"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("ALARM     events could not be handed over"),
        "{shown}"
    );

    // Neither another one nor a crash is news.
    place.service.take(&text_message(2, ANA, "hello?"));
    place.wait_inbox("dead dead");
    place.crash();
    status.store(200, Ordering::SeqCst);
    assert!(
        place
            .setup
            .run(&["inbox", "replay", "--dead"])
            .status
            .success()
    );
    wait(&pager, 2);
    assert_eq!(told(&pager), ["alarm.raised dead", "alarm.over dead"]);
    assert_ne!(wait(&pager, 2)[1].headers["webhook-id"], *id);
    place
        .service
        .wait_for_log("msg=\"over: events could not be handed over");
    assert!(standing(&place.setup).is_empty());
    let errors = place.service.log();
    assert_eq!(
        errors.matches("alarm=dead").count(),
        1,
        "after the restart: {errors}"
    );
}

#[test]
fn an_alert_that_is_not_taken_is_told_again_under_the_same_id() {
    let (app, _) = moody();
    let seen = AtomicUsize::new(0);
    let pager = App::start(move |alert| {
        let own = alert.body["data"]["alarm"] == "dead";
        match own && seen.fetch_add(1, Ordering::SeqCst) == 0 {
            true => says(503, ""),
            false => says(200, ""),
        }
    });
    let (mut place, _standin) = stage(&pager, &[("FORWARD_URL", &app.url())]);
    place.service.take(&text_message(1, ANA, "hello"));
    place
        .service
        .wait_for_log("ALERT_URL has not taken an alert");
    let heard = wait(&pager, 2);
    assert_eq!(
        heard[0].headers["webhook-id"],
        heard[1].headers["webhook-id"]
    );
    assert_eq!(heard[0].raw, heard[1].raw);
}

#[test]
fn what_graph_and_meta_tell_is_told_and_is_over_when_they_say_so() {
    let pager = App::start(|_| says(200, ""));
    let (mut place, standin) = stage(&pager, &[]);
    place.service.take(&template("PAUSED", 1));
    place
        .service
        .wait_for_log("alarm=template subject=\"order_update/en_US\"");
    place.service.take(&template("APPROVED", 2));
    wait(&pager, 2);
    // With a reload Graph is asked when the token ends.
    standin.set_app(|app| app.ends_s = now_s() + 3 * 86_400);
    place.service.signal("HUP");
    place
        .service
        .wait_for_log("alarm=token subject=\"WHATSAPP_TOKEN\"");
    assert_eq!(standing(&place.setup), ["token WHATSAPP_TOKEN"]);
    standin.set_app(|app| app.ends_s = 0);
    place.service.signal("HUP");
    wait(&pager, 4);
    // And how the number is, now that there is one.
    place.service.take(&text_message(3, ANA, "hello"));
    let number = Sample::default().number;
    let red = json!({"quality_rating": "RED"});
    standin.set_app(|app| drop(app.numbers.insert(number.into(), red)));
    place.service.signal("HUP");
    wait(&pager, 5);
    assert_eq!(standing(&place.setup), [format!("quality {number}")]);
    standin.set_app(|app| app.numbers.clear());
    place.service.signal("HUP");
    wait(&pager, 6);
    let expected = [
        "alarm.raised template",
        "alarm.over template",
        "alarm.raised token",
        "alarm.over token",
        "alarm.raised quality",
        "alarm.over quality",
    ];
    assert_eq!(told(&pager), expected);
}

#[test]
fn the_console_shows_what_needs_a_person() {
    let mut stage = Stage::new(&[]);
    let mut browser = stage.logged_in();
    browser.get("/console");
    stage.place.service.take(&template("PAUSED", 1));
    stage.place.service.wait_for_log("alarm=template");
    let overview = browser.get("/console").body;
    assert!(overview.contains("Something needs you"), "{overview}");
    assert!(
        overview.contains("Meta has paused the template"),
        "{overview}"
    );
    assert!(overview.contains("order_update/en_US"), "{overview}");
}

#[test]
fn a_halt_is_told_and_is_over_with_a_new_token() {
    let pager = App::start(|_| says(200, ""));
    let env = Folder::new();
    let file = env.path().join("token");
    std::fs::write(&file, "of-yesterday").unwrap();
    let settings = [("WHATSAPP_TOKEN_FILE", file.to_str().unwrap())];
    let standin = graph();
    let (graph, alerts) = (standin.url(), pager.url());
    let own = [
        ("GRAPH_API_URL", graph.as_str()),
        ("ALERT_URL", alerts.as_str()),
    ];
    let mut place = Place::new(&[&own[..], &settings].concat());
    let number = Sample::default().number;
    let send = ["send", "--from", number, "--to", ANA, "hello"];
    assert!(place.setup.run(&send).status.success());
    place.service.wait_for_log("alarm=halt");
    let heard = wait(&pager, 1).remove(0);
    assert!(
        !heard.headers.contains_key("webhook-signature"),
        "no secret is set"
    );
    assert!(
        heard.body["data"]["mend"].as_str().unwrap().len() > 10,
        "{}",
        heard.raw
    );
    std::fs::write(&file, TOKEN).unwrap();
    place.service.signal("HUP");
    wait(&pager, 2);
    assert_eq!(told(&pager), ["alarm.raised halt", "alarm.over halt"]);
}
