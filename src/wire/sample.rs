//! Sample notifications as Meta would send them, for `wabridge simulate`, `wabridge demo`, the
//! stand-in for Graph and the tests.
//!
//! Pure: ids, names, numbers and times come in as values, and the same values give the same bytes.
//! Everything in them is invented (numbers are 1 555 0…). Nothing is signed or sent here, and
//! nothing of ours is parsed by it: a sample is Meta's side of the wire, written independently of
//! the code that reads it.

mod kinds;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize as _;
use serde_json::{Value, json};

pub use kinds::{KINDS, SampleKind};

/// What a sample notification is filled with.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The business number's `phone_number_id`.
    pub number: &'a str,
    /// The business number as a person reads it.
    pub display: &'a str,
    /// The WhatsApp Business Account, `entry[].id`.
    pub waba: &'a str,
    /// The customer's phone number. Empty: left out, as Meta does for users who hide theirs;
    /// `user_id` should then be there.
    pub from: &'a str,
    /// The customer's BSUID, such as `US.13491208655302741918`.
    pub user_id: Option<&'a str>,
    /// The customer's profile name.
    pub name: &'a str,
    /// What the customer wrote; the caption, title or name in kinds that have no text of their own.
    pub text: &'a str,
    /// The message's wamid; of a status, the wamid it is about; of a call, the part after the prefix.
    pub id: &'a str,
    /// The wamid that a reply, reaction, edit or deletion is about. One is made up if there is none.
    pub about: Option<&'a str>,
    /// The id of the button or row that was tapped, in kinds that have one. One is made up if
    /// there is none.
    pub choice: Option<&'a str>,
    /// The look-aside address in media objects. Left out if there is none, as Meta did before
    /// November 2025: so a sample leads nobody to a host on the internet.
    pub media_url: Option<&'a str>,
    /// Unix seconds.
    pub timestamp: i64,
}

impl Default for Sample<'static> {
    fn default() -> Self {
        Sample {
            number: "106540300000001",
            display: "15550109000",
            waba: "102290100000001",
            from: "15550107001",
            user_id: None,
            name: "Robin Sample",
            text: "Hello from a sample",
            id: "wamid.HBgLMTU1NTAxMDcwMDEVAgASGBQzQTAwMDAwMDAwMDAwMDAwMDAwMAA=",
            about: None,
            choice: None,
            media_url: None,
            timestamp: 1_790_000_000,
        }
    }
}

/// The notification of that kind in Meta's wire form ([`wire_json`]); `None` if there is no such
/// kind in [`KINDS`].
pub fn notification(kind: &str, sample: &Sample) -> Option<String> {
    let row = KINDS.iter().find(|row| row.name == kind)?;
    Some(wire_json(&row.build(sample)))
}

/// Whom a message went to.
#[derive(Clone, Copy)]
pub enum Recipient<'a> {
    /// A phone number.
    Phone(&'a str),
    /// A BSUID, its phone number not known.
    User(&'a str),
    /// A group's id.
    Group(&'a str),
}

/// What a status notification is filled with.
#[derive(Clone, Copy)]
pub struct Status<'a> {
    /// The business number's `phone_number_id`.
    pub number: &'a str,
    /// The business number as a person reads it.
    pub display: &'a str,
    /// The WhatsApp Business Account, `entry[].id`.
    pub waba: &'a str,
    /// The message it is about.
    pub wamid: &'a str,
    /// `sent`, `delivered`, `read`, `played` or `failed`.
    pub status: &'a str,
    /// Whom the message went to.
    pub recipient: Recipient<'a>,
    /// The BSUID of a recipient named by phone number: since April 2026 Meta tells both.
    pub user_id: Option<&'a str>,
    /// `biz_opaque_callback_data`, given back as it was sent.
    pub opaque: Option<&'a str>,
    /// Code and title, for `failed`.
    pub error: Option<(i64, &'a str)>,
    /// Unix seconds.
    pub timestamp: i64,
}

/// A notification with one status, in Meta's wire form.
pub fn status(status: &Status) -> String {
    wire_json(&status_value(status))
}

/// The wamid of a customer's message: one for each seed and phone number, always the same.
///
/// Like Meta's it is base64 of a small binary record that holds the phone number and twenty hex
/// digits. Nobody should read it; that one *can* is why it looks as long as the real ones.
pub fn wamid(seed: u64, phone: &str) -> String {
    // A bijection of the seed: two seeds never share an id.
    wamid_of(
        phone,
        0x12,
        &format!("3A{:016X}{:02X}", mix(seed), seed as u8),
    )
}

/// The wamid of a message the business sent: as [`wamid`], and never equal to one.
pub fn wamid_sent(seed: u64, phone: &str) -> String {
    wamid_of(
        phone,
        0x11,
        &format!("{:016X}{:02X}", mix(seed), seed as u8),
    )
}

/// The BSUID of the person behind a phone number: one for each, always the same.
pub fn bsuid(phone: &str) -> String {
    let seed = phone
        .bytes()
        .fold(0, |seed, byte| mix(seed ^ u64::from(byte)));
    format!("US.{seed:020}")
}

/// JSON as Meta writes it on the wire: compact, `/` as `\/`, everything beyond ASCII as `\uXXXX`
/// with lower-case digits (an emoji as a surrogate pair). Signatures are made over these bytes.
pub fn wire_json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, MetaFormatter);
    value
        .serialize(&mut serializer)
        .expect("a Value has string keys and a Vec takes every write");
    String::from_utf8(bytes).expect("the formatter writes ASCII")
}

/// The finalizer of SplitMix64: spreads a counter over all 64 bits, two inputs never to one output.
pub fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct MetaFormatter;

impl serde_json::ser::Formatter for MetaFormatter {
    // serde_json has dealt with quotes, backslashes and control characters before it gets here.
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            match c {
                '/' => writer.write_all(b"\\/")?,
                c if c.is_ascii() => writer.write_all(&[c as u8])?,
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn wamid_of(phone: &str, direction: u8, digits: &str) -> String {
    let phone = &phone.as_bytes()[..phone.len().min(255)];
    let mut record = vec![0x1c, 0x18, phone.len() as u8];
    record.extend_from_slice(phone);
    record.extend_from_slice(&[0x15, 0x02, 0x00, direction, 0x18, digits.len() as u8]);
    record.extend_from_slice(digits.as_bytes());
    record.push(0);
    format!("wamid.{}", STANDARD.encode(record))
}

fn status_value(s: &Status) -> Value {
    let mut status = json!({"id": s.wamid, "status": s.status,
        "timestamp": s.timestamp.to_string()});
    let mut contact = None;
    match s.recipient {
        Recipient::Phone(phone) => {
            status["recipient_id"] = json!(phone);
            if let Some(user_id) = s.user_id.filter(|_| s.error.is_none()) {
                status["recipient_user_id"] = json!(user_id);
                contact = Some(json!({"wa_id": phone, "user_id": user_id}));
            }
        }
        Recipient::User(user_id) => {
            status["recipient_user_id"] = json!(user_id);
            contact = Some(json!({"user_id": user_id}));
        }
        Recipient::Group(group_id) => {
            status["recipient_id"] = json!(group_id);
            status["recipient_type"] = json!("group");
        }
    }
    if let Some(opaque) = s.opaque {
        status["biz_opaque_callback_data"] = json!(opaque);
    }
    // Meta prints a price on `sent` and on one of `delivered` and `read`.
    if matches!(s.status, "sent" | "delivered") {
        status["pricing"] = json!({"billable": false, "pricing_model": "PMP",
            "type": "free_customer_service", "category": "service"});
    }
    if let Some((code, title)) = s.error {
        status["errors"] = json!([{"code": code, "title": title, "message": title,
            "error_data": {"details": title},
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"}]);
    }
    let metadata = json!({"display_phone_number": s.display, "phone_number_id": s.number});
    let mut value = json!({"messaging_product": "whatsapp", "metadata": metadata});
    // Meta names the user here too since there are BSUIDs, but not of a message that failed.
    if let Some(contact) = contact.filter(|_| s.error.is_none()) {
        value["contacts"] = json!([contact]);
    }
    value["statuses"] = json!([status]);
    json!({"object": "whatsapp_business_account", "entry": [kinds::entry(s.waba, None, "messages", value)]})
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn read(kind: &str, sample: &Sample) -> Value {
        let text = notification(kind, sample).expect("the kind is in the table");
        serde_json::from_str(&text).expect("a sample is JSON")
    }

    fn escaped(text: &str) -> String {
        wire_json(&json!(text))
    }

    /// Messages, statuses, calls and changes that hold none of these.
    fn events(notification: &Value) -> [usize; 4] {
        let mut counts = [0; 4];
        for entry in notification["entry"].as_array().unwrap() {
            for change in entry["changes"].as_array().unwrap() {
                assert!(change["field"].is_string() && change["value"].is_object());
                let lists = ["messages", "statuses", "calls"];
                let lens = lists.map(|list| change["value"][list].as_array().map_or(0, Vec::len));
                for (count, len) in counts.iter_mut().zip(lens) {
                    *count += len;
                }
                counts[3] += usize::from(lens == [0, 0, 0]);
            }
        }
        counts
    }

    #[test]
    fn escapes_are_metas() {
        let rows = [
            ("plain <b>100%</b> a@b", r#""plain <b>100%<\/b> a@b""#),
            ("caf\u{e9} \u{20ac}5", r#""caf\u00e9 \u20ac5""#),
            (
                "\u{1f600}\u{1f44d}\u{1f3fd}",
                r#""\ud83d\ude00\ud83d\udc4d\ud83c\udffd""#,
            ),
            ("\u{ffff}\u{10000}", r#""\uffff\ud800\udc00""#),
            (
                "a\"b\\c\r\n\t\u{1b}\u{7f}",
                "\"a\\\"b\\\\c\\r\\n\\t\\u001b\u{7f}\"",
            ),
            ("", r#""""#),
        ];
        for (text, wire) in rows {
            assert_eq!(escaped(text), wire);
            assert_eq!(serde_json::from_str::<String>(wire).unwrap(), text);
        }
        assert_eq!(
            wire_json(&json!({"/\u{e9}": [1, null]})),
            r#"{"\/\u00e9":[1,null]}"#
        );
    }

    #[test]
    fn every_kind_is_one_event_of_its_sort_and_pure_ascii() {
        let sample = Sample {
            text: "na\u{ef}ve \u{1f44b} a/b",
            ..Sample::default()
        };
        for row in KINDS {
            let text = notification(row.name, &sample).unwrap();
            assert!(
                text.is_ascii() && !text.contains("a/b"),
                "{}: {text}",
                row.name
            );
            let read = read(row.name, &sample);
            assert_eq!(read["object"], "whatsapp_business_account");
            assert!(!row.help.is_empty());
            let expected = match row.name {
                "batch" => [2, 1, 0, 1],
                "call" => [0, 0, 1, 0],
                name if name.starts_with("status-") => [0, 1, 0, 0],
                "template-status" | "account-update" | "quality" | "unknown" => [0, 0, 0, 1],
                _ => [1, 0, 0, 0],
            };
            assert_eq!(events(&read), expected, "{}", row.name);
        }
        assert!(notification("no-such-kind", &sample).is_none());
    }

    #[test]
    fn kinds_are_named_once() {
        let names: HashSet<_> = KINDS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn each_message_kind_carries_metas_type() {
        let rows = [
            ("text", "text", "/text/body"),
            ("reply", "text", "/context/id"),
            ("image", "image", "/image/caption"),
            ("audio", "audio", "/audio/voice"),
            ("document", "document", "/document/filename"),
            ("sticker", "sticker", "/sticker/sha256"),
            ("location", "location", "/location/latitude"),
            ("contacts", "contacts", "/contacts/0/name/formatted_name"),
            ("button", "button", "/button/payload"),
            ("list", "interactive", "/interactive/list_reply/id"),
            (
                "button-reply",
                "interactive",
                "/interactive/button_reply/id",
            ),
            (
                "flow",
                "interactive",
                "/interactive/nfm_reply/response_json",
            ),
            ("reaction", "reaction", "/reaction/message_id"),
            ("order", "order", "/order/product_items/0/quantity"),
            ("system", "system", "/system/wa_id"),
            ("unsupported", "unsupported", "/errors/0/code"),
            ("request-welcome", "request_welcome", "/id"),
            ("edit", "edit", "/edit/message/text/body"),
            ("revoke", "revoke", "/revoke/original_message_id"),
            ("group", "text", "/group_id"),
            ("hidden-number", "text", "/from_user_id"),
        ];
        for (kind, kind_meta, pointer) in rows {
            let read = read(kind, &Sample::default());
            let message = &read["entry"][0]["changes"][0]["value"]["messages"][0];
            assert_eq!(message["type"], kind_meta, "{kind}");
            assert!(message.pointer(pointer).is_some(), "{kind} lacks {pointer}");
        }
    }

    #[test]
    fn a_hidden_number_is_left_out_not_empty() {
        let value = &read("hidden-number", &Sample::default())["entry"][0]["changes"][0]["value"];
        assert!(value["messages"][0].get("from").is_none());
        assert!(value["contacts"][0].get("wa_id").is_none());
        assert_eq!(
            value["contacts"][0]["user_id"],
            value["messages"][0]["from_user_id"]
        );
    }

    #[test]
    fn a_text_is_metas_bytes() {
        let sample = Sample {
            text: "Hi \u{1f642}",
            user_id: Some("US.42"),
            ..Sample::default()
        };
        assert_eq!(
            notification("text", &sample).unwrap(),
            concat!(
                r#"{"object":"whatsapp_business_account","entry":[{"id":"102290100000001","changes":"#,
                r#"[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"#,
                r#""15550109000","phone_number_id":"106540300000001"},"contacts":[{"profile":{"#,
                r#""name":"Robin Sample"},"wa_id":"15550107001","user_id":"US.42"}],"messages":"#,
                r#"[{"from":"15550107001","from_user_id":"US.42","id":"wamid.HBgLMTU1NTAxMDcwMDEV"#,
                r#"AgASGBQzQTAwMDAwMDAwMDAwMDAwMDAwMAA=","timestamp":"1790000000","#,
                r#""text":{"body":"Hi \ud83d\ude42"},"type":"text"}]},"field":"messages"}]}]}"#,
            )
        );
    }

    #[test]
    fn a_status_says_whom_what_and_why() {
        let base = Status {
            number: "1",
            display: "15550109000",
            waba: "2",
            wamid: "wamid.X/Y",
            status: "sent",
            recipient: Recipient::Phone("15550107001"),
            user_id: None,
            opaque: None,
            error: None,
            timestamp: 7,
        };
        let one = |s: Status| {
            let read: Value = serde_json::from_str(&status(&s)).unwrap();
            read["entry"][0]["changes"][0]["value"]["statuses"][0].clone()
        };
        let sent = one(base);
        assert_eq!(sent["id"], "wamid.X/Y");
        assert_eq!(sent["timestamp"], "7");
        assert_eq!(sent["recipient_id"], "15550107001");
        assert!(sent.get("biz_opaque_callback_data").is_none() && sent.get("errors").is_none());

        let failed = Status {
            status: "failed",
            error: Some((131_026, "Undeliverable")),
            ..base
        };
        let failed = one(Status {
            opaque: Some("o;1"),
            ..failed
        });
        assert_eq!(failed["errors"][0]["code"], 131_026);
        assert_eq!(failed["biz_opaque_callback_data"], "o;1");
        assert!(failed.get("pricing").is_none());

        let user = one(Status {
            recipient: Recipient::User("US.1"),
            ..base
        });
        assert!(user.get("recipient_id").is_none());
        assert_eq!(user["recipient_user_id"], "US.1");
        let both = one(Status {
            user_id: Some("US.1"),
            ..base
        });
        assert_eq!(
            [&both["recipient_id"], &both["recipient_user_id"]],
            ["15550107001", "US.1"]
        );
        let group = one(Status {
            recipient: Recipient::Group("G"),
            ..base
        });
        assert_eq!(
            [&group["recipient_id"], &group["recipient_type"]],
            ["G", "group"]
        );
    }

    #[test]
    fn wamids_look_like_metas_and_differ() {
        let ids: HashSet<_> = (0..2_000)
            .flat_map(|seed| [wamid(seed, "15550107001"), wamid_sent(seed, "15550107001")])
            .collect();
        assert_eq!(ids.len(), 4_000);
        for id in ids {
            let record = STANDARD.decode(id.strip_prefix("wamid.").unwrap()).unwrap();
            let text = String::from_utf8_lossy(&record);
            assert!(
                id.starts_with("wamid.HBgLMTU1NTAxMDcwMDEVAgA") && text.contains("15550107001")
            );
            let digits = &record[20..record.len() - 1];
            assert!(digits.len() >= 18 && digits.iter().all(u8::is_ascii_hexdigit));
        }
        assert_eq!(wamid(1, "1555"), wamid(1, "1555"));
    }
}
