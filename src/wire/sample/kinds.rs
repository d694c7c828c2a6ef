//! The table of kinds, and how each is put together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Recipient, Sample, Status, mix, status_value, wamid, wamid_sent};

/// One kind of sample: a row of [`KINDS`].
pub struct SampleKind {
    /// The word for `--kind`.
    pub name: &'static str,
    /// What it is, for `--help`.
    pub help: &'static str,
    build: fn(&Sample) -> Value,
}

impl SampleKind {
    pub(super) fn build(&self, sample: &Sample) -> Value {
        (self.build)(sample)
    }
}

const fn kind(name: &'static str, help: &'static str, build: fn(&Sample) -> Value) -> SampleKind {
    SampleKind { name, help, build }
}

/// Every kind there is, in the order in which they are listed to people.
pub const KINDS: &[SampleKind] = &[
    kind("text", "a text message", |s| {
        user_message(s, "text", json!({"body": s.text}))
    }),
    kind("reply", "a text that quotes an earlier message", |s| {
        user_reply(s, "text", json!({"body": s.text}))
    }),
    kind("image", "an image, the text as its caption", |s| {
        user_message(s, "image", media(s, "image/jpeg", true, json!({})))
    }),
    kind("video", "a video, the text as its caption", |s| {
        user_message(s, "video", media(s, "video/mp4", true, json!({})))
    }),
    kind("audio", "a voice note", |s| {
        let voice = json!({"voice": true});
        user_message(s, "audio", media(s, "audio/ogg; codecs=opus", false, voice))
    }),
    kind("document", "a PDF, the text as its caption", |s| {
        let file = json!({"filename": "sample order.pdf"});
        user_message(s, "document", media(s, "application/pdf", true, file))
    }),
    kind("sticker", "a sticker", |s| {
        let still = json!({"animated": false});
        user_message(s, "sticker", media(s, "image/webp", false, still))
    }),
    kind("location", "a place, the text as its name", |s| {
        let place = json!({"latitude": 52, "longitude": 13.3777, "name": s.text,
            "address": "1 Sample Square/Corner"});
        user_message(s, "location", place)
    }),
    kind("contacts", "a contact card", |s| {
        let card = json!([{"name": {"formatted_name": "Sam Sample", "first_name": "Sam"},
            "phones": [{"phone": "+1 555-010-7002", "wa_id": "15550107002", "type": "CELL"}]}]);
        user_message(s, "contacts", card)
    }),
    kind(
        "button",
        "a quick-reply button of a template, pressed",
        |s| user_reply(s, "button", json!({"payload": s.text, "text": s.text})),
    ),
    kind("list", "a row of a list, chosen", |s| {
        let row = json!({"id": s.choice.unwrap_or("row-1"), "title": s.text, "description": "the first row"});
        user_reply(
            s,
            "interactive",
            json!({"type": "list_reply", "list_reply": row}),
        )
    }),
    kind("button-reply", "a reply button, pressed", |s| {
        let button = json!({"id": s.choice.unwrap_or("button-1"), "title": s.text});
        user_reply(
            s,
            "interactive",
            json!({"type": "button_reply", "button_reply": button}),
        )
    }),
    kind("flow", "a filled-in flow", |s| {
        // JSON within a string, as Meta has it; its keys belong to the flow.
        let answers = json!({"flow_token": "sample-token", "note": s.text}).to_string();
        let reply = json!({"name": "flow", "body": "Sent", "response_json": answers});
        user_reply(
            s,
            "interactive",
            json!({"type": "nfm_reply", "nfm_reply": reply}),
        )
    }),
    kind("reaction", "a thumb up for an earlier message", |s| {
        user_message(
            s,
            "reaction",
            json!({"message_id": about(s), "emoji": "\u{1f44d}\u{1f3fd}"}),
        )
    }),
    kind("order", "a basket sent from the catalogue", |s| {
        let items = json!([{"product_retailer_id": "SKU-1", "quantity": 2, "item_price": 12.5,
            "currency": "USD"}]);
        let order =
            json!({"catalog_id": "900100000000001", "text": s.text, "product_items": items});
        user_message(s, "order", order)
    }),
    kind(
        "system",
        "the customer changed their number (no contacts)",
        |s| {
            let body = format!("User {} changed from {} to 15550107999", s.name, s.from);
            let system =
                json!({"body": body, "wa_id": "15550107999", "type": "user_changed_number"});
            let value = json!({"messages": [message(s, None, "system", Some(system))]});
            envelope(s, None, "messages", with_metadata(s, value))
        },
    ),
    kind(
        "unsupported",
        "a message the API cannot show, such as a poll",
        |s| {
            let errors = json!([{"code": 131051, "title": "Message type unknown",
            "message": "Message type unknown",
            "error_data": {"details": "Message type is currently not supported."}}]);
            let mut poll = message(
                s,
                None,
                "unsupported",
                Some(json!({"type": "poll_creation"})),
            );
            poll["errors"] = errors;
            user_value(s, json!({"messages": [poll]}))
        },
    ),
    kind(
        "request-welcome",
        "the customer opened the chat for the first time",
        |s| {
            user_value(
                s,
                json!({"messages": [message(s, None, "request_welcome", None)]}),
            )
        },
    ),
    kind("edit", "an earlier message, edited", |s| {
        let new = json!({"type": "text", "text": {"body": s.text}});
        user_message(
            s,
            "edit",
            json!({"original_message_id": about(s), "message": new}),
        )
    }),
    kind("revoke", "an earlier message, deleted for everyone", |s| {
        user_message(s, "revoke", json!({"original_message_id": about(s)}))
    }),
    kind("group", "a text in a group", |s| {
        let mut text = message(s, None, "text", Some(json!({"body": s.text})));
        text["group_id"] = json!("c2FtcGxlX2dyb3VwOjE1NTUwMTA5MDAw");
        user_value(s, json!({"messages": [text]}))
    }),
    kind(
        "hidden-number",
        "a text from a user known by BSUID alone",
        |s| {
            let hidden = Sample {
                from: "",
                user_id: Some(s.user_id.unwrap_or("US.10000000000000000001")),
                ..*s
            };
            user_message(&hidden, "text", json!({"body": s.text}))
        },
    ),
    kind("status-sent", "the message left Meta's servers", |s| {
        outcome(s, "sent", None)
    }),
    kind(
        "status-delivered",
        "the message is on the customer's phone",
        |s| outcome(s, "delivered", None),
    ),
    kind("status-read", "the customer opened the message", |s| {
        outcome(s, "read", None)
    }),
    kind(
        "status-failed",
        "the message could not be delivered (131047)",
        |s| outcome(s, "failed", Some((131_047, "Re-engagement message"))),
    ),
    kind("call", "the customer calls", |s| {
        let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
        let call = json!({"id": s.id.replacen("wamid.", "wacid.", 1), "to": s.display,
            "from": s.from, "event": "connect", "timestamp": s.timestamp.to_string(),
            "direction": "USER_INITIATED", "session": {"sdp_type": "offer", "sdp": sdp}});
        envelope(
            s,
            None,
            "calls",
            with_metadata(s, with_contacts(s, json!({"calls": [call]}))),
        )
    }),
    kind("template-status", "a template was rejected", |s| {
        envelope(
            s,
            Some(s.timestamp),
            "message_template_status_update",
            template(s),
        )
    }),
    kind("account-update", "the account is restricted", |s| {
        let restriction = json!([{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING",
            "expiration": s.timestamp + 604_800}]);
        let value = json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": restriction});
        envelope(s, Some(s.timestamp), "account_update", value)
    }),
    kind("quality", "the number's throughput was raised", |s| {
        let value = json!({"display_phone_number": s.display, "event": "THROUGHPUT_UPGRADE",
            "current_limit": "TIER_UNLIMITED", "max_daily_conversations_per_business": "TIER_UNLIMITED"});
        envelope(s, Some(s.timestamp), "phone_number_quality_update", value)
    }),
    kind(
        "batch",
        "two messages, a status and a template change in one POST",
        batch,
    ),
    kind("unknown", "a field nobody knows yet", |s| {
        let value =
            json!({"messaging_product": "whatsapp", "novelty": {"note": s.text, "n": 1e-7}});
        envelope(s, Some(s.timestamp), "sample_future_field", value)
    }),
];

fn envelope(s: &Sample, time: Option<i64>, field: &str, value: Value) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [entry(s.waba, time, field, value)]})
}

pub(super) fn entry(waba: &str, time: Option<i64>, field: &str, value: Value) -> Value {
    let mut entry = json!({"id": waba});
    if let Some(time) = time {
        entry["time"] = json!(time);
    }
    entry["changes"] = json!([{"value": value, "field": field}]);
    entry
}

fn with_metadata(s: &Sample, rest: Value) -> Value {
    let metadata = json!({"display_phone_number": s.display, "phone_number_id": s.number});
    joined(
        json!({"messaging_product": "whatsapp", "metadata": metadata}),
        rest,
    )
}

fn with_contacts(s: &Sample, rest: Value) -> Value {
    let mut contact = json!({"profile": {"name": s.name}});
    if !s.from.is_empty() {
        contact["wa_id"] = json!(s.from);
    }
    if let Some(user_id) = s.user_id {
        contact["user_id"] = json!(user_id);
    }
    joined(json!({"contacts": [contact]}), rest)
}

fn joined(first: Value, rest: Value) -> Value {
    let (Value::Object(mut first), Value::Object(rest)) = (first, rest) else {
        unreachable!("both are written as objects above")
    };
    first.extend(rest);
    Value::Object(first)
}

fn user_value(s: &Sample, rest: Value) -> Value {
    envelope(
        s,
        None,
        "messages",
        with_metadata(s, with_contacts(s, rest)),
    )
}

fn user_message(s: &Sample, kind: &str, payload: Value) -> Value {
    user_value(
        s,
        json!({"messages": [message(s, None, kind, Some(payload))]}),
    )
}

fn user_reply(s: &Sample, kind: &str, payload: Value) -> Value {
    let context = json!({"from": s.display, "id": about(s)});
    user_value(
        s,
        json!({"messages": [message(s, Some(context), kind, Some(payload))]}),
    )
}

fn message(s: &Sample, context: Option<Value>, kind: &str, payload: Option<Value>) -> Value {
    let mut message = Map::new();
    if let Some(context) = context {
        message.insert("context".into(), context);
    }
    if !s.from.is_empty() {
        message.insert("from".into(), json!(s.from));
    }
    if let Some(user_id) = s.user_id {
        message.insert("from_user_id".into(), json!(user_id));
    }
    message.insert("id".into(), json!(s.id));
    message.insert("timestamp".into(), json!(s.timestamp.to_string()));
    if let Some(payload) = payload {
        message.insert(kind.into(), payload);
    }
    message.insert("type".into(), json!(kind));
    Value::Object(message)
}

fn media(s: &Sample, mime_type: &str, caption: bool, extra: Value) -> Value {
    let seed = digest(s.id);
    let sha256: Vec<u8> = (0..4).flat_map(|n| mix(seed ^ n).to_be_bytes()).collect();
    let mut media = json!({"mime_type": mime_type, "sha256": STANDARD.encode(sha256),
        "id": (1_000_000_000_000_000 + seed % 1_000_000_000_000_000).to_string()});
    if caption && !s.text.is_empty() {
        media["caption"] = json!(s.text);
    }
    if let Some(url) = s.media_url {
        media["url"] = json!(url);
    }
    joined(media, extra)
}

fn outcome(s: &Sample, status: &str, error: Option<(i64, &str)>) -> Value {
    let recipient = match s.user_id {
        Some(user_id) if s.from.is_empty() => Recipient::User(user_id),
        _ => Recipient::Phone(s.from),
    };
    status_value(&Status {
        number: s.number,
        display: s.display,
        waba: s.waba,
        wamid: s.id,
        status,
        recipient,
        user_id: s.user_id,
        opaque: None,
        error,
        timestamp: s.timestamp,
    })
}

fn template(s: &Sample) -> Value {
    // An integer beyond what a 32-bit number holds, as Meta's are.
    json!({"message_template_id": 1_300_000_000_000_001_i64, "message_template_name": "order_update",
        "message_template_language": "en_US", "event": "REJECTED", "reason": "INVALID_FORMAT",
        "message_template_category": "UTILITY",
        "rejection_info": {"reason": s.text, "recommendation": "Put words before the variable."}})
}

fn batch(s: &Sample) -> Value {
    let second_id = wamid(digest(s.id), s.from);
    let second = Sample {
        id: &second_id,
        timestamp: s.timestamp + 1,
        ..*s
    };
    let text = |s: &Sample| message(s, None, "text", Some(json!({"body": s.text})));
    let mut all = user_value(s, json!({"messages": [text(s), text(&second)]}));
    let about = about(s);
    let delivered = outcome(&Sample { id: &about, ..*s }, "delivered", None);
    let field = "message_template_status_update";
    let template = entry(s.waba, Some(s.timestamp), field, template(s));
    if let Some(entries) = all["entry"].as_array_mut() {
        entries.push(delivered["entry"][0].clone());
        entries.push(template);
    }
    all
}

fn about(s: &Sample) -> String {
    let made_up = || wamid_sent(digest(s.id), s.from);
    s.about.map_or_else(made_up, str::to_owned)
}

/// FNV-1a, to make further ids out of the one given.
fn digest(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
