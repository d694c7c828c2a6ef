//! What Meta tells of numbers, templates and accounts, as far as a person must
//! know of it (Meta: webhook fields of WhatsApp Business accounts), and what was
//! heard of tokens.

use super::{Cause, Kind, NEW_TOKEN, TOKEN_MS, span};
use crate::wire::setup::Number;
use serde_json::Value;

/// The fields that are read. The index over them in the store names the same.
pub const FIELDS: &[&str] = &[
    "account_alerts",
    "account_review_update",
    "account_update",
    "message_template_quality_update",
    "message_template_status_update",
    "phone_number_quality_update",
    "security",
];

/// What has no end that Meta would tell of stands for so long.
const STANDS_MS: i64 = 7 * 86_400_000;

/// What Graph told of a number stands for so long, unless it tells again.
const ASKED_STANDS_MS: i64 = 3 * 86_400_000;

/// The most characters of a word of Meta's.
const WORD_MAX: usize = 60;

const MANAGER: &str = "look into business.facebook.com → WhatsApp Manager";

/// Something that stands until Meta, or time, ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is of.
    pub kind: Kind,
    /// Which one.
    pub subject: String,
    /// What is the matter, in our words; of a token it is not used.
    pub says: String,
    /// What to do.
    pub mend: String,
    /// When it ends by itself, in Unix milliseconds; of a token: when that ends.
    pub until: Option<i64>,
}

/// What becomes of notices with one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This one stands from now on.
    Stands(Notice),
    /// What stood of this kind and subject is over.
    Over(Kind, String),
}

impl Notice {
    /// When a token ends, by the setting that it is in.
    pub fn of_token(setting: &str, ends_ms: i64) -> Notice {
        Notice {
            kind: Kind::Token,
            subject: setting.into(),
            says: String::new(),
            mend: NEW_TOKEN.into(),
            until: Some(ends_ms),
        }
    }

    /// What it means at `now`, if anything.
    pub(super) fn stands(&self, now: i64) -> Option<Cause> {
        let says = match (self.kind, self.until) {
            (Kind::Token, None) => return None,
            (Kind::Token, Some(ends)) if ends - now > TOKEN_MS => return None,
            (Kind::Token, Some(ends)) if ends <= now => {
                "the token has ended: nothing is sent".to_owned()
            }
            (Kind::Token, Some(ends)) => {
                format!(
                    "the token ends in {}: nothing is sent then",
                    span((ends - now) / 1_000)
                )
            }
            (_, Some(until)) if until <= now => return None,
            _ => self.says.clone(),
        };
        Some(Cause {
            kind: self.kind,
            subject: self.subject.clone(),
            says,
            mend: self.mend.clone(),
        })
    }
}

/// Reads the envelope of one event, which came at `now`.
pub fn read(body: &str, now: i64) -> Option<News> {
    let body: Value = serde_json::from_str(body).ok()?;
    let entry = &body["entry"][0];
    let change = &entry["changes"][0];
    let value = &change["value"];
    let account = subject(&entry["id"]);
    match change["field"].as_str()? {
        "phone_number_quality_update" => number(value),
        "message_template_status_update" => template(value),
        "message_template_quality_update" => template_quality(value),
        "account_update" => account_update(value, account, now),
        "account_review_update" => match word(&value["decision"]).as_str() {
            "REJECTED" => stands(
                Kind::Account,
                account,
                "Meta's review has rejected the account",
            ),
            "APPROVED" => over(Kind::Account, account),
            _ => None,
        },
        "account_alerts" => account_alert(value, now),
        "security" => match word(&value["event"]).as_str() {
            // Whoever has the PIN can take the number away.
            "PIN_RESET_REQUEST" => passing(
                Kind::Account,
                subject(&value["display_phone_number"]),
                "somebody asked to reset the number's PIN",
                now,
            ),
            _ => None,
        },
        _ => None,
    }
}

/// What Graph, asked at `now`, tells of a number: newer versions notify of neither
/// its quality nor its state.
pub fn of_number(id: &str, told: &Number, now: i64) -> Vec<News> {
    let ends = now + ASKED_STANDS_MS;
    let quality = match told.quality.as_deref() {
        Some("RED") => {
            let says = "the number's quality is RED: people block or report it";
            until(Kind::Quality, id.into(), says, ends)
        }
        Some("GREEN" | "YELLOW") => over(Kind::Quality, id.into()),
        _ => None,
    };
    let subject = format!("number {id}");
    let state = match told.status.as_deref() {
        Some(state @ ("BANNED" | "RESTRICTED" | "RATE_LIMITED" | "DISCONNECTED" | "DELETED")) => {
            let says = format!("the number's status is {state}, not CONNECTED");
            until(Kind::Account, subject, &says, ends)
        }
        Some("CONNECTED" | "FLAGGED") => over(Kind::Account, subject),
        _ => None,
    };
    quality.into_iter().chain(state).collect()
}

/// Flagged for quality, or its limit lowered. Newer versions of the field tell
/// rises alone.
fn number(value: &Value) -> Option<News> {
    let number = subject(&value["display_phone_number"]);
    match word(&value["event"]).as_str() {
        "FLAGGED" => stands(
            Kind::Quality,
            number,
            "the number's quality is low: people block or report it",
        ),
        "DOWNGRADE" => stands(
            Kind::Quality,
            number,
            "the number may write to fewer people a day than before",
        ),
        "UNFLAGGED" | "UPGRADE" | "THROUGHPUT_UPGRADE" | "ONBOARDING" => {
            over(Kind::Quality, number)
        }
        _ => None,
    }
}

fn template(value: &Value) -> Option<News> {
    let template = template_subject(value);
    let unpaused = word(&value["other_info"]["title"]) == "UNPAUSE";
    match word(&value["event"]).as_str() {
        _ if unpaused => over(Kind::Template, template),
        "PAUSED" => stands(
            Kind::Template,
            template,
            "Meta has paused the template: it cannot be sent",
        ),
        "DISABLED" => stands(
            Kind::Template,
            template,
            "Meta has disabled the template: it cannot be sent",
        ),
        "REJECTED" => stands(Kind::Template, template, "Meta has rejected the template"),
        "FLAGGED" => stands(
            Kind::Template,
            template,
            "Meta has flagged the template, and may disable it",
        ),
        "APPROVED" | "REINSTATED" | "UNARCHIVED" | "ARCHIVED" | "DELETED" => {
            over(Kind::Template, template)
        }
        _ => None,
    }
}

fn template_quality(value: &Value) -> Option<News> {
    let template = format!("template {}", template_subject(value));
    match word(&value["new_quality_score"]).as_str() {
        "RED" => stands(
            Kind::Quality,
            template,
            "the template's quality is low: Meta may pause it",
        ),
        "GREEN" | "YELLOW" => over(Kind::Quality, template),
        _ => None,
    }
}

fn account_update(value: &Value, account: String, now: i64) -> Option<News> {
    let says = match word(&value["event"]).as_str() {
        "DISABLED_UPDATE" => {
            let state = &value["ban_info"]["waba_ban_state"];
            // Older ones have a list of one.
            let state = state
                .as_array()
                .and_then(|list| list.first())
                .unwrap_or(state);
            match word(state).as_str() {
                "DISABLE" => "Meta has disabled the account",
                "SCHEDULE_FOR_DISABLE" => "Meta is going to disable the account",
                "REINSTATE" => return over(Kind::Account, account),
                _ => return None,
            }
        }
        "ACCOUNT_DELETED" => "the account was deleted",
        "ACCOUNT_OFFBOARDED" | "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" => {
            "the account is not connected any more"
        }
        "ACCOUNT_RESTRICTION" => {
            let says = "Meta restricts what the account may send";
            let ends = &value["restriction_info"][0]["expiration"];
            let ends = ends.as_i64().and_then(|s| s.checked_mul(1_000));
            return match ends.filter(|ends| *ends > now) {
                Some(ends) => until(Kind::Account, account, says, ends),
                None => passing(Kind::Account, account, says, now),
            };
        }
        "ACCOUNT_VIOLATION" => {
            let says = "Meta says that the account has broken its rules";
            return passing(Kind::Account, account, says, now);
        }
        "ACCOUNT_RECONNECTED" | "PARTNER_ADDED" | "PARTNER_APP_INSTALLED" => {
            return over(Kind::Account, account);
        }
        _ => return None,
    };
    stands(Kind::Account, account, says)
}

fn account_alert(value: &Value, now: i64) -> Option<News> {
    // Older ones have it flat.
    let info = match value["alert_info"].is_object() {
        true => &value["alert_info"],
        false => value,
    };
    let what = word(&info["alert_type"]);
    let subject = format!("{} {what}", subject(&value["entity_id"]));
    if word(&info["alert_status"]) == "NONE" {
        return over(Kind::Account, subject);
    }
    match word(&info["alert_severity"]).as_str() {
        "CRITICAL" | "WARNING" => {
            passing(Kind::Account, subject, &format!("Meta alerts: {what}"), now)
        }
        _ => None,
    }
}

fn stands(kind: Kind, subject: String, says: &str) -> Option<News> {
    Some(News::Stands(Notice {
        kind,
        subject,
        says: says.into(),
        mend: MANAGER.into(),
        until: None,
    }))
}

fn until(kind: Kind, subject: String, says: &str, until: i64) -> Option<News> {
    let News::Stands(notice) = stands(kind, subject, says)? else {
        return None;
    };
    Some(News::Stands(Notice {
        until: Some(until),
        ..notice
    }))
}

/// Of what Meta does not tell the end.
fn passing(kind: Kind, subject: String, says: &str, now: i64) -> Option<News> {
    until(kind, subject, says, now + STANDS_MS)
}

fn over(kind: Kind, subject: String) -> Option<News> {
    Some(News::Over(kind, subject))
}

fn template_subject(value: &Value) -> String {
    let name = word(&value["message_template_name"]);
    // Some have a hyphen in the language, some an underscore.
    let language = word(&value["message_template_language"]).replace('-', "_");
    format!("{name}/{language}")
}

fn subject(value: &Value) -> String {
    match value.as_u64() {
        Some(number) => number.to_string(),
        None => word(value),
    }
}

/// A word of Meta's, as far as it is one: it goes into logs.
fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_-+".contains(*c);
    text.chars().filter(plain).take(WORD_MAX).collect()
}
