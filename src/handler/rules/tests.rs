//! What ships in the rules file does what its notes say. Conditions on the moment and on the
//! conversation are in `conditions`, what customers may do to a reply in `hostile`.

mod bursts;
mod conditions;
mod hostile;
mod hours;

use super::*;
use crate::wire::sample::{self, KINDS, Sample};
use serde_json::{Value, json};

const EXAMPLE: &str = include_str!("../../../examples/rules.toml");

fn rules(text: &str) -> Rules {
    Rules::parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\nin {text}"))
}

fn sample_event(kind: &str, sample: &Sample) -> Event {
    Event::read(&sample::notification(kind, sample).unwrap())
}

fn message(value: &str) -> Event {
    let number = r#""metadata": {"phone_number_id": "42", "display_phone_number": "+1 555-0100"}"#;
    Event::read(&format!(
        r#"{{"entry": [{{"changes": [{{"field": "messages",
            "value": {{{number}, "messages": [{value}]}}}}]}}]}}"#
    ))
}

fn said(text: &str) -> Event {
    let sample = Sample {
        text,
        ..Sample::default()
    };
    sample_event("text", &sample)
}

/// At any moment, to somebody of whom nothing is known.
fn answer(rules: &Rules, event: &Event) -> Option<Answer> {
    rules.answer(event, &Facts::default(), 0)
}

fn replies(rules: &Rules, event: &Event) -> Vec<Value> {
    let answer = answer(rules, event).expect("a rule fits");
    let replies = answer.replies.unwrap();
    let replies = replies.iter().map(|json| serde_json::from_str(json));
    replies.collect::<Result<_, _>>().unwrap()
}

fn body(rules: &Rules, event: &Event) -> String {
    let replies = replies(rules, event);
    let [reply] = replies.as_slice() else {
        panic!("{replies:?}");
    };
    assert_eq!(reply["type"], "text");
    reply["text"]["body"].as_str().unwrap().to_owned()
}

/// One rule with this condition fits these texts, and none of those.
fn check_fits(condition: &str, fits: &[&str], others: &[&str]) {
    let rules = rules(&format!("[[rule]]\n{condition}\nreply = 'x'"));
    for text in fits.iter().chain(others) {
        let answered = answer(&rules, &said(text)).is_some();
        assert_eq!(answered, fits.contains(text), "{condition} and {text:?}");
    }
}

#[test]
fn a_text_is_compared_whole_without_case_and_outer_blanks() {
    check_fits(
        "text = 'Hello'",
        &["hello", "HELLO", "  Hello\n"],
        &["hello you", "hell", ""],
    );
    check_fits("text = ['hi', 'hello']", &["hi", "hello"], &["ho"]);
    check_fits("text = 'Grüße'", &["GRÜßE", "grüße"], &["gruesse"]);
    check_fits("text = 'привет'", &["Привет", "ПРИВЕТ"], &[]);
    check_fits("text = 'a.c'", &["a.c"], &["abc"]);
}

#[test]
fn an_expression_is_searched_in_the_text() {
    check_fits(
        r"match = '\bmenu\b'",
        &["menu", "The MENU, please", "a\nmenu"],
        &["menus", "men"],
    );
    check_fits("match = '(?-i)Menu'", &["Menu"], &["menu"]);
    check_fits("match = '^[0-9]+$'", &["12"], &["12 ", "a12"]);
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    check_fits(
        "match = '^a'\ntext = ['ab', 'cb']",
        &["ab", "AB"],
        &["cb", "ac"],
    );
    check_fits("text = 'hours'\nreply_id = 'hours'", &[], &["hours"]);
}

#[test]
fn a_tap_is_known_by_its_id_and_by_its_label() {
    let tap = |kind: &str| {
        format!(
            r#"{{"id": "m", "from": "1", "type": "interactive", "interactive":
                {{"type": "{kind}", "{kind}": {{"id": "hours", "title": "Opening hours"}}}}}}"#
        )
    };
    let events = [
        message(&tap("button_reply")),
        message(&tap("list_reply")),
        message(
            r#"{"id": "m", "from": "1", "type": "button",
                "button": {"payload": "hours", "text": "Opening hours"}}"#,
        ),
    ];
    for event in &events {
        for (condition, fits) in [
            ("reply_id = 'hours'", true),
            ("reply_id = ['place', 'hours']", true),
            ("reply_id = 'HOURS'", false),
            ("text = 'opening hours'", true),
            ("match = 'hours$'", true),
            ("text = 'hours'", false),
        ] {
            let rules = rules(&format!(
                "[[rule]]\n{condition}\nreply = '{{{{ reply_id }}}}'"
            ));
            let answer = answer(&rules, event).map(|_| body(&rules, event));
            assert_eq!(answer.as_deref(), fits.then_some("hours"), "{condition}");
        }
    }
}

#[test]
fn the_first_rule_that_fits_answers() {
    let rules = rules(
        "[[rule]]\nmatch = 'b'\nreply = 'one'\n\
         [[rule]]\nmatch = 'a'\nreply = 'two'\n\
         [[rule]]\nreply = 'rest'",
    );
    for (text, rule) in [("b", 1), ("a", 2), ("ab", 1), ("c", 3)] {
        assert_eq!(answer(&rules, &said(text)).unwrap().rule, rule, "{text}");
    }
    assert_eq!(rules.len(), 3);
}

#[test]
fn a_rule_without_condition_fits_what_is_said_to_us() {
    let rules = rules("[[rule]]\nreply = 'x'");
    let fitting: Vec<&str> = KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(|kind| answer(&rules, &sample_event(kind, &Sample::default())).is_some())
        .collect();
    assert_eq!(
        fitting.join(" "),
        "text reply image video audio document sticker location contacts \
         button list button-reply flow order hidden-number batch"
    );
}

#[test]
fn nobody_is_answered_who_did_not_write_to_us() {
    let own = r#"{"id": "m", "from": "15550100", "type": "text", "text": {"body": "a"}}"#;
    let theirs = own.replace("15550100", "15550199");
    let in_group = theirs.replace(r#""id""#, r#""group_id": "G", "id""#);
    for (event, by_text, by_nothing) in [
        (message(own), false, false),
        (message(&theirs), true, true),
        (message(&in_group), true, false),
        (
            Event {
                field: "history".into(),
                ..message(&theirs)
            },
            false,
            false,
        ),
        (
            Event {
                field: "smb_message_echoes".into(),
                ..message(&theirs)
            },
            false,
            false,
        ),
    ] {
        let answers = |text: &str| answer(&rules(text), &event).is_some();
        assert_eq!(
            answers("[[rule]]\ntext = 'a'\nreply = 'x'"),
            by_text,
            "{event:?}"
        );
        assert_eq!(answers("[[rule]]\nreply = 'x'"), by_nothing, "{event:?}");
    }
}

/// This reply to the text "order 12, 2 Tea" by Robin Sample comes out as that.
fn check_reply(reply: &str, expected: Value) {
    let pattern = r"order (?<number>\d+)(, (\d) (?<what>\w+)| now)?";
    let rules = rules(&format!("[[rule]]\nmatch = '{pattern}'\nreply = {reply}"));
    let event = said("order 12, 2 Tea");
    assert_eq!(Value::Array(replies(&rules, &event)), expected, "{reply}");
}

fn text(body: &str) -> Value {
    json!({"type": "text", "text": {"body": body}})
}

#[test]
fn a_reply_is_a_text_or_an_object_or_several() {
    check_reply("'Hello'", json!([text("Hello")]));
    check_reply("[]", json!([]));
    check_reply(
        "[{ type = 'read' }, 'a', { type = 'typing' }]",
        json!([{"type": "read"}, text("a"), {"type": "typing"}]),
    );
    check_reply(
        "{ type = 'location', location = { latitude = 52, longitude = -1, z = 0xff, name = '{{ name }}' }, x = [1.5, true, 'n {{ number }}'] }",
        json!([{"type": "location", "location": {"latitude": 52, "longitude": -1, "z": 255, "name": "Robin Sample"}, "x": [1.5, true, "n 12"]}]),
    );
}

#[test]
fn placeholders_are_filled_in_everywhere_but_in_keys() {
    for (reply, expected) in [
        ("{{ name }}", "Robin Sample"),
        ("{{text}}", "order 12, 2 Tea"),
        ("{{ from }}", Sample::default().from),
        ("{{ id }}", Sample::default().id),
        (
            "[{{ reply_id }}{{ reply_id|first }}{{ reply_id|split|last }}]",
            "[]",
        ),
        (
            "{{ number }}/{{ m1 }}/{{ m3 }}/{{ m4 }}/{{ what }}",
            "12/12/2/Tea/Tea",
        ),
        ("{{ name|split|first|upper }} {{ what|lower }}", "ROBIN tea"),
        (
            "{{ name|truncate(6) }} {{ what|truncate(3) }}",
            "Robin… Tea",
        ),
        (
            "{% if reply_id %}a{% elif name == text %}b{% else %}c{% endif %}",
            "c",
        ),
        ("{# a note #}{{ reply_id or \"none\" }}", "none"),
        (
            "{{ \"{{\" }} {% raw %}{{ name }}{% endraw %}",
            "{{ {{ name }}",
        ),
        ("1 { 2 } 100 %", "1 { 2 } 100 %"),
        ("<b>&amp; \"{{ what }}\"", "<b>&amp; \"Tea\""),
    ] {
        check_reply(&format!("'{reply}'"), json!([text(expected)]));
    }
    check_reply(
        "{ type = 'x', x = { '{{ name }}' = '{{ what }}' } }",
        json!([{"type": "x", "x": {"{{ name }}": "Tea"}}]),
    );
}

#[test]
fn what_took_no_part_is_empty() {
    let rules = rules("[[rule]]\nmatch = 'a(b)?(?<c>c)?'\nreply = '[{{ m1 }}{{ c }}]{{ name }}.'");
    let nameless =
        message(r#"{"id": "m", "from_user_id": "US.1", "type": "text", "text": {"body": "xax"}}"#);
    assert_eq!(body(&rules, &nameless), "[].");
}

#[test]
fn a_text_that_comes_out_blank_is_not_sent() {
    let rules = rules("[[rule]]\nreply = ['{{ text }}', '{% if text %}a{% endif %} ', 'b']");
    let sticker = sample_event("sticker", &Sample::default());
    assert_eq!(replies(&rules, &sticker), [text("b")]);
}

#[test]
fn a_text_is_cut_to_what_graph_takes() {
    let rules = rules("[[rule]]\nreply = 'You wrote: {{ text }}'");
    let sent = |text: &str| body(&rules, &said(text));
    assert_eq!(
        sent(&"a".repeat(4085)),
        format!("You wrote: {}", "a".repeat(4085))
    );
    assert_eq!(
        sent(&"a".repeat(4086)),
        format!("You wrote: {}…", "a".repeat(4084))
    );
    assert_eq!(
        sent(&"a".repeat(100_000)),
        format!("You wrote: {}…", "a".repeat(4084))
    );
    assert_eq!(
        sent(&"🙂".repeat(5000)),
        format!("You wrote: {}…", "🙂".repeat(2042))
    );
}

#[test]
fn a_file_without_rules_leaves_all_to_others() {
    for text in ["", "# nothing yet\n", "\u{feff}", "rule = []"] {
        let rules = rules(text);
        assert!(rules.is_empty());
        assert_eq!(answer(&rules, &said("a")), None);
    }
}

/// What the example answers to an event at a moment; the text, or the types of several.
fn check_example(event: &Event, first_contact: bool, at: &str, expected: &str) {
    let rules = rules(EXAMPLE);
    let facts = Facts {
        first_contact,
        ..Facts::default()
    };
    let at: jiff::Timestamp = at.parse().unwrap();
    let answer = rules.answer(event, &facts, at.as_millisecond()).unwrap();
    let replies = answer.replies.unwrap();
    let replies = replies.iter().map(|json| {
        let reply: Value = serde_json::from_str(json).unwrap();
        let body = reply["text"]["body"].as_str();
        let type_ = reply["type"].as_str().unwrap();
        body.unwrap_or(type_).to_owned()
    });
    let replies = replies.collect::<Vec<_>>().join(", ");
    assert_eq!(replies, expected, "{event:?} at {at}");
}

const OPEN: &str = "2026-11-23T12:00:00Z";
const CLOSED: &str = "2026-11-23T20:00:00Z";

#[test]
fn the_example_answers_as_its_notes_say() {
    let hours = "We are open Monday to Friday from 9 to 18, and on Saturday from 10 to 14.";
    let hello = "Hello Robin Sample! Write \"menu\" to see what I can do.";
    let closed = "We are closed just now, and answer as soon as we are back, Robin Sample. \
                  Write \"menu\" to see what I can do meanwhile.";
    let unknown = "Sorry, I did not understand \"asdf\". Write \"menu\" to see what I can do.";
    let order = "Thank you, Robin Sample: order 4711 is on its way.";
    let person = "One moment: somebody will write to you here.";
    let stop = "You get no more offers from us. Write \"start\" if you change your mind.";
    for (text, first, at, expected) in [
        ("Hi", false, OPEN, hello),
        ("Hi", false, CLOSED, hello),
        ("asdf", true, OPEN, hello),
        ("asdf", false, OPEN, unknown),
        ("asdf", false, CLOSED, closed),
        ("asdf", false, "2026-12-25T12:00:00Z", closed),
        ("asdf", false, "2026-12-24T11:00:00Z", unknown),
        ("asdf", false, "2026-12-24T13:00:00Z", closed),
        ("When do you open?", true, CLOSED, hours),
        ("Your address?", false, OPEN, "location"),
        ("Where is my order no. 4711?", false, CLOSED, order),
        ("order #4711", false, OPEN, order),
        ("STOP", true, CLOSED, stop),
        (
            "start",
            false,
            OPEN,
            "Welcome back: you get our offers again.",
        ),
        ("The menu, please", false, OPEN, "read, interactive"),
        ("Thanks!", false, OPEN, "reaction, You are welcome!"),
        ("Can I talk to a person?", false, OPEN, person),
        ("Can I talk to a person?", false, CLOSED, closed),
    ] {
        check_example(&said(text), first, at, expected);
    }
    let sticker = sample_event("sticker", &Sample::default());
    let unseen = "Sorry, I did not understand. Write \"menu\" to see what I can do.";
    check_example(&sticker, false, OPEN, unseen);
    // Every button of the menu has its answer.
    let menu = &replies(&rules(EXAMPLE), &said("menu"))[1];
    let buttons = menu["interactive"]["action"]["buttons"].as_array().unwrap();
    assert_eq!(buttons.len(), 2);
    for (button, expected) in buttons.iter().zip([hours, "location"]) {
        let tap = json!({"id": "m", "from": "1", "type": "interactive",
            "interactive": {"type": "button_reply", "button_reply": button["reply"]}});
        check_example(&message(&tap.to_string()), false, OPEN, expected);
    }
}

fn delivery(kind: Kind, field: &str, body: &str) -> Delivery {
    Delivery {
        job: 1,
        observer: None,
        attempt: 1,
        event: 1,
        webhook_id: "msg_1".into(),
        kind,
        field: field.into(),
        type_: "text".into(),
        received_at: 0,
        started_at: 0,
        facts: crate::gateway::Facts::default(),
        body: body.into(),
        burst: Vec::new(),
    }
}

#[test]
fn the_queue_gets_replies_or_the_next_handler_is_asked() {
    let rules =
        rules("[[rule]]\ntext = 'hi'\nreply = 'Hello'\n[[rule]]\ntext = 'hush'\nreply = []");
    let body = |text| {
        let sample = Sample {
            text,
            ..Sample::default()
        };
        sample::notification("text", &sample).unwrap()
    };
    let done = |replies: &[&str]| {
        let replies = replies.iter().map(|reply| (*reply).to_owned()).collect();
        Handled::Yes(Outcome::done(replies))
    };
    let hello = r#"{"type":"text","text":{"body":"Hello"}}"#;
    for (kind, field, text, expected) in [
        (Kind::Message, "messages", "hi", done(&[hello])),
        (Kind::Message, "messages", "hush", done(&[])),
        (Kind::Message, "messages", "ho", Handled::No),
        (Kind::Message, "history", "hi", Handled::No),
        (Kind::Status, "messages", "hi", Handled::No),
        (Kind::Other, "account_update", "hi", Handled::No),
    ] {
        assert_eq!(
            rules.handle(&delivery(kind, field, &body(text))),
            expected,
            "{field} {text}"
        );
    }
}

#[test]
fn a_reply_that_cannot_be_filled_in_is_a_dead_letter_without_a_word_of_the_customer() {
    let rules = rules(
        "[[rule]]\nreply = '{% if text == \"secret\" %}{{ text|nosuch }}{% else %}{{ text * 100 }}{% endif %}'",
    );
    for (text, why) in [
        ("secret", "cannot be filled in: unknown filter"),
        (&*"secret".repeat(600), "becomes too long"),
    ] {
        let sample = Sample {
            text,
            ..Sample::default()
        };
        let body = sample::notification("text", &sample).unwrap();
        let reason = format!("RULES_FILE: the reply of rule 1 {why}");
        assert_eq!(
            rules.handle(&delivery(Kind::Message, "messages", &body)),
            Handled::Yes(Outcome::Dead {
                reason: reason.into()
            })
        );
    }
}
