//! Reads a body posted to `…/messages` as Graph does. Pure.
//!
//! It refuses what Meta documents as refused and lets the rest through: a check that Meta does not
//! make would fail senders for nothing. Lengths are counted in code points.

use std::borrow::Cow;

use serde_json::Value;

use super::graph::GraphError;

/// A body that is in order.
#[derive(Debug, PartialEq)]
pub(super) enum Call {
    Message(Message),
    /// A message of the customer's marked as read, perhaps with typing shown.
    Receipt {
        message_id: String,
        typing: bool,
    },
}

/// What the stand-in needs of a message to answer it and to report on it.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub to: To,
    /// `to` as it was written.
    pub input: String,
    pub kind: String,
    pub opaque: Option<String>,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum To {
    /// Digits only.
    Phone(String),
    User(String),
    Group(String),
}

impl To {
    pub fn id(&self) -> &str {
        match self {
            To::Phone(id) | To::User(id) | To::Group(id) => id,
        }
    }
}

/// Apart by blanks.
const TYPES: &str = "text image video audio document sticker location contacts reaction template \
     interactive pin";

type Checked<T = ()> = Result<T, GraphError>;

/// Reads a body as Graph does: what it asks for, or why it is refused.
pub(super) fn check(body: &[u8]) -> Checked<(Call, Value)> {
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
        return Err(
            GraphError::new(400, 100, "Invalid parameter").details("The body is not a JSON object")
        );
    };
    if text(&body, "/messaging_product") != Some("whatsapp") {
        return Err(required("messaging_product"));
    }
    let call = if body.get("status").is_some() {
        receipt(&body)?
    } else {
        Call::Message(message(&body)?)
    };
    Ok((call, body))
}

fn receipt(body: &Value) -> Checked<Call> {
    if text(body, "/status") != Some("read") {
        return Err(one_of("status", "read"));
    }
    let message_id = needed(body, "/message_id")?.to_owned();
    let typing = body.get("typing_indicator").is_some();
    if typing && text(body, "/typing_indicator/type") != Some("text") {
        return Err(invalid("typing_indicator['type'] must be text"));
    }
    Ok(Call::Receipt { message_id, typing })
}

fn message(body: &Value) -> Checked<Message> {
    let (to, input) = recipient(body)?;
    let kind = match body.get("type") {
        None => "text",
        Some(kind) => kind.as_str().unwrap_or_default(),
    };
    if !TYPES.split(' ').any(|word| word == kind) {
        return Err(one_of("type", TYPES));
    }
    let body = &*spelled_out(body, kind);
    let shaped = match &body[kind] {
        Value::Object(_) => kind != "contacts",
        Value::Array(_) => kind == "contacts",
        _ => false,
    };
    if !shaped {
        return Err(missing(kind));
    }
    at_most(body, "/biz_opaque_callback_data", 512)?;
    if body.get("context").is_some() {
        needed(body, "/context/message_id")?;
    }
    content(body, kind)?;
    let opaque = text(body, "/biz_opaque_callback_data").map(str::to_owned);
    let kind = kind.to_owned();
    Ok(Message {
        to,
        input,
        kind,
        opaque,
    })
}

/// With the content as it is meant: Graph also takes it as a JSON text, as in form posts.
fn spelled_out<'a>(body: &'a Value, kind: &str) -> Cow<'a, Value> {
    let content = body.get(kind).and_then(Value::as_str);
    match content.map(serde_json::from_str::<Value>) {
        Some(Ok(content)) => {
            let mut body = body.clone();
            body[kind] = content;
            Cow::Owned(body)
        }
        _ => Cow::Borrowed(body),
    }
}

fn recipient(body: &Value) -> Checked<(To, String)> {
    let group = match body.get("recipient_type").map(Value::as_str) {
        None | Some(Some("individual")) => false,
        Some(Some("group")) => true,
        Some(_) => return Err(one_of("recipient_type", "individual group")),
    };
    // If both are given, `to` wins.
    let to = match (text(body, "/to"), text(body, "/recipient")) {
        (Some(to), _) if group => (To::Group(to.to_owned()), to),
        (Some(to), _) => {
            let digits: String = to.chars().filter(char::is_ascii_digit).collect();
            let punctuated = |c: char| c.is_ascii_digit() || "+-() .".contains(c);
            if digits.len() < 5 || !to.chars().all(punctuated) {
                return Err(invalid("'to' is not a phone number"));
            }
            (To::Phone(digits), to)
        }
        (None, Some(user_id)) => (To::User(user_id.to_owned()), user_id),
        (None, None) => return Err(required("to")),
    };
    Ok((to.0, to.1.to_owned()))
}

fn content(body: &Value, kind: &str) -> Checked {
    match kind {
        "text" => {
            if text(body, "/text/body").is_none_or(str::is_empty) {
                return Err(required("text['body']"));
            }
            at_most(body, "/text/body", 4096)
        }
        "image" | "video" | "audio" | "document" | "sticker" => media(body, kind),
        "location" => {
            for pointer in ["/location/latitude", "/location/longitude"] {
                let number = match body.pointer(pointer) {
                    None => return Err(missing(pointer)),
                    Some(Value::String(digits)) => digits.parse::<f64>().ok(),
                    Some(other) => other.as_f64(),
                };
                if number.is_none_or(|degrees| degrees.abs() > 180.0) {
                    return Err(invalid(format!("{} is not a place", named(pointer))));
                }
            }
            Ok(())
        }
        "contacts" => {
            let cards = list(body, "/contacts");
            if !(1..=257).contains(&cards.len()) {
                return Err(invalid("contacts must hold 1 to 257"));
            }
            cards
                .iter()
                .try_for_each(|card| needed(card, "/name/formatted_name").map(drop))
        }
        "reaction" => {
            needed(body, "/reaction/message_id")?;
            // An empty emoji takes the reaction back.
            text(body, "/reaction/emoji")
                .map(drop)
                .ok_or_else(|| missing("/reaction/emoji"))
        }
        "template" => {
            needed(body, "/template/name")?;
            needed(body, "/template/language/code").map(drop)
        }
        "interactive" => interactive(&body["interactive"]),
        _ => needed(body, "/pin/message_id").map(drop),
    }
}

fn media(body: &Value, kind: &str) -> Checked {
    let media = &body[kind];
    match (text(media, "/id"), text(media, "/link")) {
        (None, None) => return Err(missing(&format!("/{kind}/id"))),
        (Some(_), Some(_)) => {
            return Err(invalid(format!("{kind} must have one of id and link")));
        }
        (None, Some(link)) if !link.starts_with("http://") && !link.starts_with("https://") => {
            return Err(invalid(format!("{kind}['link'] is not a web address")));
        }
        _ => {}
    }
    if kind == "audio" && media.get("caption").is_some() {
        return Err(GraphError::new(
            400,
            100,
            "Unexpected key \"caption\" on param \"audio\".",
        ));
    }
    at_most(body, &format!("/{kind}/caption"), 1024)
}

fn interactive(interactive: &Value) -> Checked {
    let kind = needed(interactive, "/type")?;
    // Kinds not named below are Meta's to check: they change several times a year.
    if !interactive["action"].is_object() {
        return Err(missing("interactive['action']"));
    }
    match kind {
        "button" => {
            needed(interactive, "/body/text")?;
            at_most(interactive, "/body/text", 1024)?;
            let buttons = list(interactive, "/action/buttons");
            if !(1..=3).contains(&buttons.len()) {
                return Err(invalid(
                    "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3",
                ));
            }
            for button in buttons {
                needed(button, "/reply/id")?;
                at_most(button, "/reply/id", 256)?;
                needed(button, "/reply/title")?;
                at_most(button, "/reply/title", 20)?;
            }
            unique(buttons, "/reply/id")?;
            unique(buttons, "/reply/title")
        }
        "list" => {
            needed(interactive, "/body/text")?;
            at_most(interactive, "/body/text", 4096)?;
            needed(interactive, "/action/button")?;
            at_most(interactive, "/action/button", 20)?;
            let sections = list(interactive, "/action/sections");
            let rows: Vec<Value> = sections
                .iter()
                .flat_map(|section| list(section, "/rows").iter().cloned())
                .collect();
            if !(1..=10).contains(&rows.len()) || sections.len() > 10 {
                return Err(invalid("a list has 1 to 10 rows in at most 10 sections"));
            }
            for row in &rows {
                needed(row, "/id")?;
                at_most(row, "/id", 200)?;
                needed(row, "/title")?;
                at_most(row, "/title", 24)?;
                at_most(row, "/description", 72)?;
            }
            unique(&rows, "/id")
        }
        "cta_url" => {
            needed(interactive, "/body/text")?;
            needed(interactive, "/action/parameters/url")?;
            needed(interactive, "/action/parameters/display_text")?;
            at_most(interactive, "/action/parameters/display_text", 20)
        }
        _ => Ok(()),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// A string that must be there and not be empty.
fn needed<'a>(value: &'a Value, pointer: &str) -> Checked<&'a str> {
    text(value, pointer)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| missing(pointer))
}

fn at_most(value: &Value, pointer: &str, max: usize) -> Checked {
    match text(value, pointer) {
        Some(text) if text.chars().count() > max => {
            let title = format!(
                "Param {} must be at most {max} characters long.",
                named(pointer)
            );
            Err(GraphError::new(400, 100, &title))
        }
        _ => Ok(()),
    }
}

fn unique(values: &[Value], pointer: &str) -> Checked {
    let mut texts: Vec<_> = values
        .iter()
        .filter_map(|value| text(value, pointer))
        .collect();
    texts.sort_unstable();
    if texts.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid(format!("{} must be unique", named(pointer))));
    }
    Ok(())
}

fn named(pointer: &str) -> String {
    let mut keys = pointer.trim_start_matches('/').split('/');
    let first = keys.next().unwrap_or_default().to_owned();
    keys.fold(first, |name, key| format!("{name}['{key}']"))
}

fn required(name: &str) -> GraphError {
    GraphError::new(400, 100, &format!("The parameter {name} is required."))
}

fn one_of(name: &str, words: &str) -> GraphError {
    let words = words.replace(' ', ", ").to_uppercase();
    GraphError::new(
        400,
        100,
        &format!("Param {name} must be one of {{{words}}}"),
    )
}

fn missing(pointer: &str) -> GraphError {
    GraphError::new(400, 131_008, "Required parameter is missing")
        .details(format!("{} is required", named(pointer)))
}

fn invalid(details: impl Into<String>) -> GraphError {
    GraphError::new(400, 131_009, "Parameter value is not valid").details(details)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `ok`, `receipt`, or the code; the body gets the common keys first.
    fn verdict(rest: Value) -> String {
        let mut body = json!({"messaging_product": "whatsapp", "to": "+1 (555) 010-7001"});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        match check(body.to_string().as_bytes()) {
            Ok((Call::Message(_), _)) => "ok".into(),
            Ok((Call::Receipt { typing, .. }, _)) => format!("receipt, typing {typing}"),
            Err(error) => error.code.to_string(),
        }
    }

    fn buttons(titles: &[&str]) -> Value {
        let button =
            |title: &&str| json!({"type": "reply", "reply": {"id": title, "title": title}});
        let buttons: Vec<_> = titles.iter().map(button).collect();
        json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"},
            "action": {"buttons": buttons}}})
    }

    fn rows(n: usize) -> Value {
        let rows: Vec<_> = (0..n)
            .map(|n| json!({"id": n.to_string(), "title": "row"}))
            .collect();
        json!({"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"},
            "action": {"button": "Choose", "sections": [{"title": "all", "rows": rows}]}}})
    }

    #[test]
    fn bodies_are_accepted_and_refused_as_by_graph() {
        let hi = json!({"body": "hi"});
        let long = |n: usize| "\u{e9}".repeat(n);
        let table = [
            (json!({"text": hi}), "ok"),
            (json!({"type": "text", "text": hi}), "ok"),
            (json!({"text": {"body": long(4096)}}), "ok"),
            (json!({"text": {"body": long(4097)}}), "100"),
            (json!({"text": {"body": ""}}), "100"),
            (json!({"text": "hi"}), "131008"),
            (json!({"type": "text"}), "131008"),
            (json!({"type": "voice", "voice": {}}), "100"),
            (json!({"type": 7, "text": hi}), "100"),
            (json!({"messaging_product": "sms", "text": hi}), "100"),
            (json!({"to": null, "text": hi}), "100"),
            (json!({"to": "nobody", "text": hi}), "131009"),
            (json!({"to": null, "recipient": "US.42", "text": hi}), "ok"),
            (
                json!({"recipient_type": "group", "to": "R3JvdXA", "text": hi}),
                "ok",
            ),
            (json!({"recipient_type": "crowd", "text": hi}), "100"),
            (
                json!({"biz_opaque_callback_data": long(512), "text": hi}),
                "ok",
            ),
            (
                json!({"biz_opaque_callback_data": long(513), "text": hi}),
                "100",
            ),
            (
                json!({"context": {"message_id": "wamid.X"}, "text": hi}),
                "ok",
            ),
            (json!({"context": {}, "text": hi}), "131008"),
            (
                json!({"type": "image", "image": {"id": "1", "caption": "c"}}),
                "ok",
            ),
            (
                json!({"type": "image", "image": {"link": "https://example.test/i"}}),
                "ok",
            ),
            (
                json!({"type": "image", "image": {"link": "file:///etc"}}),
                "131009",
            ),
            (
                json!({"type": "image", "image": {"id": "1", "link": "https://e.test"}}),
                "131009",
            ),
            (json!({"type": "image", "image": {}}), "131008"),
            (
                json!({"type": "image", "image": {"id": "1", "caption": long(1025)}}),
                "100",
            ),
            (
                json!({"type": "audio", "audio": {"id": "1", "caption": "c"}}),
                "100",
            ),
            (
                json!({"type": "location", "location": {"latitude": "1.5", "longitude": 2}}),
                "ok",
            ),
            (
                json!({"type": "location", "location": {"latitude": 1.5}}),
                "131008",
            ),
            (
                json!({"type": "location", "location": {"latitude": "x", "longitude": 2}}),
                "131009",
            ),
            (
                json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}}]}),
                "ok",
            ),
            (json!({"type": "contacts", "contacts": []}), "131009"),
            (json!({"type": "contacts", "contacts": {}}), "131008"),
            (
                json!({"type": "contacts", "contacts": "[{\"name\": {\"formatted_name\": \"A\"}}]"}),
                "ok",
            ),
            (json!({"type": "contacts", "contacts": "[]"}), "131009"),
            (
                json!({"type": "reaction", "reaction": {"message_id": "w", "emoji": ""}}),
                "ok",
            ),
            (
                json!({"type": "reaction", "reaction": {"message_id": "w"}}),
                "131008",
            ),
            (
                json!({"type": "template", "template": {"name": "n", "language": {"code": "en"}}}),
                "ok",
            ),
            (
                json!({"type": "template", "template": {"name": "n"}}),
                "131008",
            ),
            (buttons(&[]), "131009"),
            (buttons(&["a", "b", "c"]), "ok"),
            (buttons(&["a", "b", "c", "d"]), "131009"),
            (buttons(&["a", "a"]), "131009"),
            (buttons(&["a title of over twenty"]), "100"),
            (rows(10), "ok"),
            (rows(11), "131009"),
            (
                json!({"type": "interactive", "interactive": {"type": "flow", "action": {}}}),
                "ok",
            ),
            (
                json!({"type": "interactive", "interactive": {"type": "flow"}}),
                "131008",
            ),
            (
                json!({"status": "read", "message_id": "wamid.X"}),
                "receipt, typing false",
            ),
            (
                json!({"status": "read", "message_id": "w", "typing_indicator": {"type": "text"}}),
                "receipt, typing true",
            ),
            (json!({"status": "read"}), "131008"),
            (json!({"status": "seen", "message_id": "wamid.X"}), "100"),
        ];
        for (body, expected) in table {
            assert_eq!(verdict(body.clone()), expected, "{body}");
        }
        for broken in ["", "[]", "{\"to\":"] {
            assert_eq!(check(broken.as_bytes()).unwrap_err().code, 100);
        }
    }
}
