//! Each kind of message, in and out, as a bubble, and drawn.

use super::*;
use crate::edge::http::console::render::Render;
use crate::gateway::inbox::{InboxRow, InboxState, MediaRow, MediaState};
use crate::policy::ladder::SendState;
use crate::store::rows::{Event, Media, Message};
use crate::wire::notification::Kind;
use crate::wire::sample::{self, KINDS, Sample};
use minijinja::value::Serde;
use minijinja::{Value, context};

const AT: i64 = 1_790_000_000_000;

fn event(id: i64, body: &str) -> InboxRow {
    InboxRow {
        event: Event {
            id,
            kind: Kind::Message,
            field: "messages".into(),
            type_: "text".into(),
            key: String::new(),
            conversation: 1,
            received_at: AT,
            body: body.into(),
        },
        conversation: "1/2".into(),
        state: InboxState::Done,
        attempts: 1,
        error: None,
        deliveries: Vec::new(),
        media: Vec::new(),
    }
}

fn kind(name: &str, text: &str) -> InboxRow {
    let sample = Sample {
        text,
        name: "Ana",
        ..Sample::default()
    };
    event(1, &sample::notification(name, &sample).unwrap())
}

fn message(body: &str, state: SendState) -> Message {
    Message {
        id: 7,
        number: "1".into(),
        conversation: 1,
        recipient: "2".into(),
        type_: "text".into(),
        body: body.into(),
        state,
        wamid: Some("wamid.out".into()),
        error_code: None,
        error: None,
        tries_max: None,
        uncertain: false,
        resent: 0,
        created_at: AT,
        changed_at: AT,
        cause: None,
        substitute: None,
    }
}

/// A message object of this type that went out.
fn sent(rest: &str) -> Bubble {
    let body = format!(r#"{{"messaging_product":"whatsapp","to":"2",{rest}}}"#);
    ours::bubble(&message(&body, SendState::Sent))
}

/// What a reader gets of a bubble: its page, without tags.
fn read(bubble: &Bubble) -> String {
    let html = drawn(bubble);
    let mut text = String::new();
    for piece in html.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn drawn(bubble: &Bubble) -> String {
    let drawn = Render::built_in().page(
        "bubble.html",
        context! { bubble => Value::from(Serde(bubble)) },
    );
    drawn.unwrap_or_else(|error| panic!("{error:?}: {bubble:?}"))
}

#[test]
fn whatever_comes_is_drawn_and_says_what_it_is() {
    for (name, expected) in [
        ("text", "Hello"),
        ("reply", "They Hello"),
        ("image", "Picture not kept here Hello"),
        ("video", "Film not kept here Hello"),
        ("audio", "Voice note not kept here"),
        ("document", "Document sample order.pdf not kept here Hello"),
        ("sticker", "Sticker not kept here"),
        ("location", "Place Hello 1 Sample Square/Corner 52, 13.3777"),
        ("contacts", "Contact"),
        ("list", "Chose Hello"),
        ("button-reply", "Chose Hello"),
        ("flow", "Form"),
        ("reaction", "Reacted: 👍"),
        ("order", "Order"),
        ("edit", "(changes an earlier message)"),
        ("revoke", "Deleted a message for everyone"),
        ("group", "Ana Hello"),
        ("call", "Calls"),
    ] {
        let said = read(&theirs::bubble(&kind(name, "Hello")));
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn every_sample_is_drawn_whatever_is_written_in_it() {
    let hostile = "<script>alert(1)</script>\u{202e}\"'&";
    for row in KINDS {
        let bubble = theirs::bubble(&kind(row.name, hostile));
        let html = drawn(&bubble);
        assert!(!html.contains("<script"), "{}: {html}", row.name);
        // What turns writing around ends where it began.
        for after in html.split('\u{202e}').skip(1) {
            let text_ends = after.find('<').unwrap();
            let isolated = after[text_ends..].starts_with("</bdi>");
            let in_attribute = after.contains("\" loading=");
            assert!(isolated || in_attribute, "{}: {html}", row.name);
        }
    }
    assert!(KINDS.len() > 15);
}

#[test]
fn whatever_goes_out_is_drawn() {
    for (rest, expected) in [
        (r#""type":"text","text":{"body":"Hi"}"#, "Hi"),
        (r#""text":{"body":"Hi"}"#, "Hi"),
        (
            r#""type":"image","image":{"link":"https://a.example/x.png","caption":"See"}"#,
            "Picture https://a.example/x.png See",
        ),
        (
            r#""type":"document","document":{"id":"1","filename":"a.pdf"}"#,
            "Document a.pdf not kept here",
        ),
        (
            r#""type":"interactive","interactive":{"type":"button","header":{"type":"text","text":"Head"},
               "body":{"text":"Body"},"footer":{"text":"Foot"},"action":{"buttons":[
               {"type":"reply","reply":{"id":"a","title":"Yes"}},{"type":"reply","reply":{"id":"b","title":"No"}}]}}"#,
            "Head Body Foot Yes No",
        ),
        (
            r#""type":"interactive","interactive":{"type":"list","body":{"text":"Body"},"action":{"button":"Menu",
               "sections":[{"title":"Soups","rows":[{"id":"1","title":"Tomato","description":"with basil"}]}]}}"#,
            "Body Menu Rows of the list Soups Tomato with basil",
        ),
        (
            r#""type":"interactive","interactive":{"type":"cta_url","body":{"text":"Body"},"action":{"name":"cta_url",
               "parameters":{"display_text":"Look","url":"https://a.example"}}}"#,
            "Body Look https://a.example",
        ),
        (
            r#""type":"interactive","interactive":{"type":"flow","body":{"text":"Body"},"action":{"name":"flow",
               "parameters":{"flow_cta":"Open","flow_id":"9"}}}"#,
            "Body Open 9",
        ),
        (
            r#""type":"interactive","interactive":{"type":"location_request_message","body":{"text":"Where?"},
               "action":{"name":"send_location"}}"#,
            "Where? Asks for a place",
        ),
        (
            r#""type":"interactive","interactive":{"type":"of_tomorrow","body":{"text":"?"},"action":{"x":1}}"#,
            "Not known here: of_tomorrow",
        ),
        (
            r#""type":"template","template":{"name":"order","language":{"code":"en_US"},"components":[
               {"type":"header","parameters":[{"type":"image","image":{"id":"1"}}]},
               {"type":"body","parameters":[{"type":"text","text":"Ana"},{"type":"text","parameter_name":"no","text":"881"},
               {"type":"currency","currency":{"fallback_value":"€9"}}]}]}"#,
            "Template order en_US body : Ana no : 881 body : €9 Picture not kept here",
        ),
        (
            r#""type":"location","location":{"latitude":1.5,"longitude":"2.5","name":"Here"}"#,
            "Place Here 1.5, 2.5",
        ),
        (
            r#""type":"contacts","contacts":[{"name":{"formatted_name":"Sam"},"phones":[{"phone":"+1 555"}]}]"#,
            "Contact Sam +1 555",
        ),
        (
            r#""type":"of_tomorrow","of_tomorrow":{"x":1}"#,
            "Not known here: of_tomorrow",
        ),
    ] {
        let said = read(&sent(rest));
        assert!(said.contains(expected), "{rest}: {said}");
        assert!(said.contains("sent"), "{said}");
    }
    let broken = ours::bubble(&message("no JSON <b>", SendState::Failed));
    assert!(read(&broken).contains("no JSON &lt;b&gt;"));
}

#[test]
fn only_addresses_of_the_web_are_linked() {
    for (address, linked) in [
        ("https://a.example/x", true),
        ("HTTP://a.example", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("https://a.example/\nx", false),
        ("//a.example", false),
        ("ht", false),
        ("", false),
    ] {
        assert_eq!(web(address).is_some(), linked, "{address:?}");
    }
}

#[test]
fn how_far_a_message_got_is_said_with_the_reason() {
    for state in SendState::ALL {
        let mut message = message(r#"{"type":"text","text":{"body":"Hi"}}"#, state);
        message.error_code = Some(131_047);
        let fate = ours::fate(&message);
        let ended_well = state.is_out() && state != SendState::Failed;
        assert_eq!(fate.why.is_none(), ended_well, "{state:?}");
        assert_eq!(
            fate.is_bad,
            matches!(state, SendState::Failed | SendState::Held)
        );
        drawn(&ours::bubble(&message));
    }
    for state in InboxState::ALL {
        let row = InboxRow {
            state,
            error: Some("HTTP 500".into()),
            ..kind("text", "Hello")
        };
        let said = read(&theirs::bubble(&row));
        assert!(said.contains("HTTP 500"), "{said}");
    }
}

fn with_file(name: &str, state: MediaState) -> Bubble {
    let row = kind(name, "Hello");
    let attached = crate::wire::media::attachments(&row.event.body).remove(0);
    let media = Media {
        id: 3,
        event: 1,
        media_id: attached.id,
        number: "1".into(),
        kind: name.into(),
        mime_type: Some("image/jpeg".into()),
        filename: None,
        sha256: None,
        bytes: Some(2_049),
        file: (state == MediaState::Fetched).then(|| "abc.jpg".into()),
        created_at: AT,
    };
    let files = MediaRow {
        media,
        state,
        attempts: 2,
        error: (state == MediaState::Failed).then(|| "too large".into()),
    };
    theirs::bubble(&InboxRow {
        media: vec![files],
        ..row
    })
}

#[test]
fn files_that_are_here_are_shown_and_others_are_told_of() {
    for (name, part) in [
        (
            "image",
            "<img src=\"/console/media/3\" alt=\"Picture: Hello\"",
        ),
        ("sticker", "<img src=\"/console/media/3\" alt=\"Sticker\""),
        ("video", "<video src=\"/console/media/3\""),
        ("audio", "<audio src=\"/console/media/3\""),
        ("document", "href=\"/console/media/3\" download"),
    ] {
        let html = drawn(&with_file(name, MediaState::Fetched));
        let html = html.replace("&#x2f;", "/");
        assert!(html.contains(part), "{name}: {html}");
        assert!(html.contains("3 KiB"), "{html}");
    }
    for (state, expected) in [
        (MediaState::Pending, "being fetched"),
        (MediaState::Failed, "could not be fetched. too large"),
        (MediaState::Deleted, "not kept here"),
    ] {
        let said = read(&with_file("image", state));
        assert!(said.contains(expected), "{said}");
    }
}

/// Bubbles by what is in them: `id text[reactions](later)>quoted`.
fn check(bubbles: Vec<Bubble>, expected: &[&str]) {
    let shown = join(bubbles).into_iter().map(|bubble| {
        let gist = bubble.gist();
        let said = match gist.text.is_empty() {
            true => gist.key.unwrap_or_default().to_owned(),
            false => gist.text,
        };
        let emojis: String = bubble.reactions.iter().map(|r| r.emoji.as_str()).collect();
        let later = bubble.later.map_or("", |later| match later {
            Later::Edited => "(edited)",
            Later::Deleted => "(deleted)",
        });
        let quote = bubble
            .quote
            .map_or(String::new(), |quote| format!(">{}", quote.gist.text));
        format!("{} {said}[{emojis}]{later}{quote}", bubble.id)
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

fn theirs(id: i64, name: &str, wamid: &str, about: &str, text: &str) -> Bubble {
    let sample = Sample {
        text,
        id: wamid,
        about: Some(about),
        ..Sample::default()
    };
    theirs::bubble(&event(id, &sample::notification(name, &sample).unwrap()))
}

fn reaction(emoji: &str, to: &str, state: SendState) -> Bubble {
    let body =
        format!(r#"{{"type":"reaction","reaction":{{"message_id":"{to}","emoji":"{emoji}"}}}}"#);
    ours::bubble(&message(&body, state))
}

#[test]
fn reactions_edits_and_quotes_find_their_message() {
    let text = |id, wamid, text| theirs(id, "text", wamid, "", text);
    check(
        vec![
            text(1, "w1", "one"),
            theirs(2, "reaction", "w2", "w1", ""),
            text(3, "w3", "two"),
            theirs(4, "reply", "w4", "w1", "about one"),
            theirs(5, "revoke", "w5", "w3", ""),
            theirs(6, "edit", "w6", "w1", "ONE"),
            reaction("❤", "w3", SendState::Read),
        ],
        &[
            "e1 one[👍🏽](edited)",
            "e3 two[❤](deleted)",
            "e4 about one[]>one",
            "e5 revoke[]",
            "e6 ONE[]>one",
        ],
    );
}

#[test]
fn the_last_reaction_counts_and_one_may_be_taken_back() {
    let text = || theirs(1, "text", "w1", "", "one");
    let ours = |emoji| reaction(emoji, "w1", SendState::Sent);
    check(vec![text(), ours("👍"), ours("❤")], &["e1 one[❤]"]);
    check(vec![text(), ours("👍"), ours("")], &["e1 one[]"]);
    // To WhatsApp the bot and an operator are one.
    let bots = |emoji| Bubble {
        side: Side::Bot,
        ..ours(emoji)
    };
    check(vec![text(), bots("👍"), ours("❤")], &["e1 one[❤]"]);
    let theirs_too = theirs(2, "reaction", "w2", "w1", "");
    check(vec![text(), ours("❤"), theirs_too], &["e1 one[❤👍🏽]"]);
}

#[test]
fn a_reaction_to_what_is_not_there_or_that_failed_is_a_bubble() {
    check(
        vec![
            theirs(1, "text", "w1", "", "one"),
            reaction("❤", "w9", SendState::Sent),
            reaction("👍", "w1", SendState::Failed),
        ],
        &["e1 one[]", "m7 ❤[]", "m7 👍[]"],
    );
}

#[test]
fn what_answers_an_event_is_the_bots() {
    let mut message = message(r#"{"type":"text","text":{"body":"hi"}}"#, SendState::Sent);
    assert_eq!(ours::bubble(&message).side, Side::Ours);
    message.cause = Some(1);
    assert_eq!(ours::bubble(&message).side, Side::Bot);
}

#[test]
fn a_gist_is_one_short_line() {
    let long = format!("a\n b {}", "😀".repeat(4_096));
    let gist = theirs(1, "text", "w", "", &long).gist();
    assert!(gist.text.starts_with("a b 😀") && gist.text.ends_with('…'));
    assert_eq!(gist.text.chars().count(), GIST_CHARS + 1);
}
