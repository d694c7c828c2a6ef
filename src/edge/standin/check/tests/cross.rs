//! Two readings of Meta's pages, made apart: the stand-in's and that of `wire::validate`. What the
//! bridge builds is taken here; what the bridge refuses is refused here too. Where the stand-in
//! alone refuses, each difference is named, with its reason.

use serde_json::{Value, json};

use super::bodies::{NAMES, right};
use super::{change, verdict};
use crate::wire::compose::tests::samples;
use crate::wire::validate::{self, tests::random};

/// As the bridge sends it: pins go to groups, and to groups only.
fn addressed(mut body: Value) -> Value {
    body["to"] = json!("15550107001");
    if body["type"] == "pin" {
        body["recipient_type"] = json!("group");
        body["to"] = json!("R3JvdXA=");
    }
    body
}

#[test]
fn every_sample_of_what_we_build_is_taken() {
    let samples = samples();
    assert!(samples.len() > 20);
    for (name, message, _) in samples {
        let body = addressed(message.to_value());
        // One sample shows that what nobody knows can be put in by hand.
        let by_hand = body.to_string().contains(r#"{"type":"x"}"#);
        let expected = if by_hand { "100" } else { "ok" };
        assert_eq!(verdict(&body), expected, "{name}: {body}");
    }
}

#[test]
fn whatever_we_build_within_the_limits_is_taken() {
    for seed in 0..2_000 {
        let body = addressed(random::Dice(seed).message().to_value());
        assert_eq!(verdict(&body), "ok", "seed {seed}: {body}");
    }
}

/// Right bodies of both sides, spoilt in one to three places.
#[test]
fn whatever_we_refuse_is_refused() {
    let (mut both, mut stricter) = (0, 0);
    for seed in 0..4_000 {
        let mut dice = random::Dice(seed);
        let mut body = match seed % 2 {
            0 => right(NAMES[seed as usize / 2 % NAMES.len()]),
            _ => addressed(dice.message().to_value()),
        };
        for _ in 0..1 + seed % 3 {
            random::spoil(&mut body, &mut dice);
        }
        let ours = validate::check(&body.to_string());
        let graphs = verdict(&body);
        match (&ours, graphs.as_str()) {
            (Err(invalid), "ok") => panic!("seed {seed}: only we refuse, {invalid}: {body}"),
            (Err(_), _) => both += 1,
            (Ok(()), "ok") => {}
            (Ok(()), _) => stricter += 1,
        }
    }
    assert!(both > 1_000, "too tame: {both} refused by both");
    println!("{both} refused by both, {stricter} by the stand-in alone");
}

/// What the bridge leaves to Graph, and why.
#[test]
fn where_the_stand_in_alone_refuses_there_is_a_reason() {
    let long = || json!("x".repeat(16));
    let rows = [
        // Words: Meta adds types and kinds several times a year, and the bridge must not be what
        // keeps a business from using them. Today's Graph knows only its own.
        ("text", "/type", json!("voice"), "100"),
        ("button", "/interactive/type", json!("knob"), "100"),
        (
            "flow",
            "/interactive/action/parameters/mode",
            json!("new"),
            "100",
        ),
        (
            "template",
            "/template/components/0/type",
            json!("footer"),
            "100",
        ),
        (
            "template",
            "/template/components/3/sub_type",
            json!("new"),
            "100",
        ),
        ("text", "/recipient_type", json!("crowd"), "100"),
        // Keys that belong elsewhere: harmless should Meta allow them one day.
        ("sticker", "/sticker/caption", json!("c"), "100"),
        ("image", "/image/filename", json!("f"), "100"),
        // Whom it is for: Graph normalises numbers by rules it does not publish.
        ("text", "/to", json!("nobody"), "131009"),
        ("text", "/to", long(), "131009"),
        ("pin", "/recipient_type", json!(null), "131009"),
        // Asked for by the page, left out by samples and by libraries in use.
        (
            "contacts",
            "/contacts/0/name/first_name",
            json!(null),
            "131009",
        ),
        ("flow", "/interactive/body", json!(null), "131008"),
        (
            "flow",
            "/interactive/action/parameters/flow_message_version",
            json!("4"),
            "131009",
        ),
        (
            "address_message",
            "/interactive/action/parameters/country",
            json!("BR"),
            "131009",
        ),
        // Emoji: what is one of them changes with each version of Unicode.
        ("reaction", "/reaction/emoji", json!("ok"), "131009"),
        (
            "reaction",
            "/context",
            json!({"message_id": "wamid.A"}),
            "131009",
        ),
        // Depends on what was approved, which only Graph knows; the rule comes from other clients.
        (
            "template",
            "/template/name",
            json!("Order Update"),
            "132001",
        ),
        (
            "template",
            "/template/components/1/parameters/0/text",
            json!("two\nlines"),
            "132018",
        ),
        (
            "template",
            "/template/components/1/parameters",
            json!([{"type": "text", "text": "a"},
                {"type": "text", "text": "b", "parameter_name": "n"}]),
            "132012",
        ),
    ];
    for (name, pointer, value, expected) in rows {
        let mut body = right(name);
        change(&mut body, pointer, value);
        assert_eq!(verdict(&body), expected, "{name}: {pointer}");
        assert_eq!(
            validate::check(&body.to_string()),
            Ok(()),
            "{name}: {pointer}"
        );
    }
}
