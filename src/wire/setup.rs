//! What Graph tells of how things are set up at Meta: the token, the app's
//! subscription, who is attached to an account, how a number is. Read leniently:
//! what is missing or misshapen is absent.

use serde_json::Value;
use std::fmt;

/// Needed to send, and for messages and statuses to be notified of
/// (Meta: permissions).
pub const MESSAGING: &str = "whatsapp_business_messaging";

/// Needed to see and change numbers, accounts and subscriptions (the same).
pub const MANAGEMENT: &str = "whatsapp_business_management";

/// The object of our notifications in an app's subscriptions.
pub const OBJECT: &str = "whatsapp_business_account";

/// Texts of Meta's are shown so far, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// Elements of a list that are read: the others would not be shown anyway.
const LIST_MAX: usize = 500;

/// What Graph was asked, or why it did not tell.
pub type Asked<T> = Result<T, Refused>;

/// Why Graph did not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was not asked: no token is set for it.
    NoToken,
    /// There was no answer, for this reason.
    Unanswered(String),
    /// An answer that is not Graph's, such as a proxy's page.
    Strange(u16),
    /// An error of Graph's.
    Error {
        /// `error.code`, by which errors are told apart.
        code: i64,
        /// Tells kinds of token trouble apart.
        subcode: Option<i64>,
        /// Graph's own words.
        message: String,
    },
}

impl Refused {
    /// Graph's code.
    pub fn code(&self) -> Option<i64> {
        match self {
            Refused::Error { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The proof that goes with a token was not right: it is made with an app's
    /// secret, and the token is of another app. Graph has no code for it.
    pub fn is_of_proof(&self) -> bool {
        matches!(self, Refused::Error { code: 100, message, .. } if message.contains("appsecret_proof"))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refused::NoToken => f.write_str("no token is set for it"),
            Refused::Unanswered(reason) => write!(f, "Graph cannot be reached: {reason}"),
            Refused::Strange(status) => {
                write!(f, "the answer, HTTP {status}, is not one of Graph's")
            }
            Refused::Error { code, message, .. } => write!(f, "Graph says {code}: {message}"),
        }
    }
}

/// Reads an answer: its JSON, or Graph's error.
pub fn answer(status: u16, body: &[u8]) -> Asked<Value> {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return Err(Refused::Strange(status));
    };
    let error = &json["error"];
    match (error["code"].as_i64(), status) {
        (Some(code), _) => Err(Refused::Error {
            code,
            subcode: error["error_subcode"].as_i64(),
            message: text(&error["message"]).unwrap_or_default(),
        }),
        (None, 200) => Ok(json),
        (None, status) => Err(Refused::Strange(status)),
    }
}

/// What `GET /debug_token` tells of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// The app it was made for.
    pub app: Option<String>,
    /// The app's name.
    pub app_name: Option<String>,
    /// `USER`, `SYSTEM_USER`, `APP`, …
    pub kind: Option<String>,
    /// Whether it can be used.
    pub valid: bool,
    /// Why not.
    pub trouble: Option<String>,
    /// When it ends, in Unix seconds; `None`: never.
    pub ends_s: Option<i64>,
    /// What its bearer may do.
    pub scopes: Vec<String>,
    /// The WhatsApp accounts it is for; none: all that its user sees.
    pub accounts: Vec<String>,
}

impl Token {
    /// Reads the answer.
    pub fn read(json: &Value) -> Token {
        let data = &json["data"];
        let mut accounts: Vec<String> = Vec::new();
        let of_whatsapp = |scope: &&Value| {
            [MANAGEMENT, MESSAGING].contains(&scope["scope"].as_str().unwrap_or(""))
        };
        for scope in list(&data["granular_scopes"]).filter(of_whatsapp) {
            for id in list(&scope["target_ids"]).filter_map(id) {
                if !accounts.contains(&id) {
                    accounts.push(id);
                }
            }
        }
        // Both end a token's use; 0 stands for never.
        let ends = ["expires_at", "data_access_expires_at"];
        let ends = ends.iter().filter_map(|key| data[*key].as_i64());
        Token {
            app: id(&data["app_id"]),
            app_name: text(&data["application"]),
            kind: text(&data["type"]),
            valid: data["is_valid"].as_bool() == Some(true),
            trouble: text(&data["error"]["message"]),
            ends_s: ends.filter(|at| *at > 0).min(),
            scopes: list(&data["scopes"]).filter_map(text).collect(),
            accounts,
        }
    }

    /// Whether its bearer may do that.
    pub fn permits(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// An app's subscription to our notifications: `GET /{app}/subscriptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Where they go, unless an account or a number says otherwise.
    pub callback: Option<String>,
    /// Whether they are sent at all.
    pub active: bool,
    /// Which there are.
    pub fields: Vec<String>,
}

impl Subscription {
    /// Reads the answer; `None` when there is none to our object.
    pub fn read(json: &Value) -> Option<Subscription> {
        let ours = list(&json["data"]).find(|one| one["object"] == OBJECT)?;
        // Older answers have the names alone.
        let field = |field: &Value| text(&field["name"]).or_else(|| text(field));
        Some(Subscription {
            callback: text(&ours["callback_url"]),
            active: ours["active"].as_bool() != Some(false),
            fields: list(&ours["fields"]).filter_map(field).collect(),
        })
    }
}

/// An app that is attached to an account, by `GET /{waba}/subscribed_apps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its id.
    pub app: String,
    /// Its name.
    pub name: Option<String>,
    /// Where the account's notifications go instead of the app's own place.
    pub callback: Option<String>,
}

impl Attached {
    /// Reads the answer.
    pub fn read(json: &Value) -> Vec<Attached> {
        let attached = |one: &Value| {
            let app = &one["whatsapp_business_api_data"];
            Some(Attached {
                app: id(&app["id"])?,
                name: text(&app["name"]),
                callback: text(&one["override_callback_uri"]),
            })
        };
        list(&json["data"]).filter_map(attached).collect()
    }
}

/// A business number: `GET /{phone_number_id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// As people write it.
    pub display: Option<String>,
    /// The name that people see.
    pub name: Option<String>,
    /// Whether Meta has approved of the name.
    pub name_status: Option<String>,
    /// `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
    pub quality: Option<String>,
    /// `CONNECTED` when it can be used.
    pub status: Option<String>,
    /// `CLOUD_API` when it is registered there.
    pub platform: Option<String>,
    /// `STANDARD` (80 messages a second), `HIGH` (1,000), `NOT_APPLICABLE`.
    pub throughput: Option<String>,
    /// How many people may be written to first within a day.
    pub limit: Option<String>,
    /// Where notifications of this number are sent instead.
    pub callback: Option<String>,
    /// Where those of its account are sent instead.
    pub account_callback: Option<String>,
}

impl Number {
    /// What is asked for.
    pub const FIELDS: &'static str = "display_phone_number,verified_name,name_status,\
        quality_rating,status,platform_type,throughput,\
        whatsapp_business_manager_messaging_limit,webhook_configuration";

    /// Reads the answer.
    pub fn read(json: &Value) -> Number {
        let callbacks = &json["webhook_configuration"];
        Number {
            display: text(&json["display_phone_number"]),
            name: text(&json["verified_name"]),
            name_status: text(&json["name_status"]),
            quality: text(&json["quality_rating"]),
            status: text(&json["status"]),
            platform: text(&json["platform_type"]),
            throughput: text(&json["throughput"]["level"]),
            limit: text(&json["whatsapp_business_manager_messaging_limit"]),
            callback: text(&callbacks["phone_number"]),
            account_callback: text(&callbacks["whatsapp_business_account"]),
        }
    }
}

/// Whether messages can be sent, by Meta's own account of it
/// (Meta: messaging health status): the entities that are not well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The account that the number belongs to.
    pub account: Option<String>,
    /// What is not well.
    pub troubles: Vec<Trouble>,
}

/// A number, an account, a business or an app that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// `PHONE_NUMBER`, `WABA`, `BUSINESS`, `APP`.
    pub entity: String,
    /// Nothing can be sent; otherwise it is limited only.
    pub blocked: bool,
    /// Meta's words.
    pub says: String,
    /// What Meta advises.
    pub advice: Option<String>,
}

impl Health {
    /// What is asked for.
    pub const FIELDS: &'static str = "health_status";

    /// Reads the answer.
    pub fn read(json: &Value) -> Health {
        let mut health = Health::default();
        for entity in list(&json["health_status"]["entities"]) {
            let kind = text(&entity["entity_type"]).unwrap_or_default();
            if kind == "WABA" {
                health.account = id(&entity["id"]);
            }
            let blocked = match entity["can_send_message"].as_str() {
                Some("BLOCKED") => true,
                Some("LIMITED") => false,
                _ => continue,
            };
            let error = list(&entity["errors"]).next().unwrap_or(&Value::Null);
            let info = list(&entity["additional_info"]).next().and_then(text);
            let says = text(&error["error_description"]).or(info);
            health.troubles.push(Trouble {
                entity: kind,
                blocked,
                says: says.unwrap_or_else(|| "no reason given".into()),
                advice: text(&error["possible_solution"]),
            });
        }
        health
    }
}

/// The ids in a list, such as an account's numbers.
pub fn ids(json: &Value) -> Vec<String> {
    let ids = list(&json["data"]).filter_map(|one| id(&one["id"]));
    ids.collect()
}

/// Whether a text can be an id: it becomes part of a path, next to our token.
pub fn is_id(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten().take(LIST_MAX)
}

fn text(json: &Value) -> Option<String> {
    let text = json.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(TEXT_CHARS_MAX).collect())
}

/// An id, which some answers have as a number.
fn id(json: &Value) -> Option<String> {
    let id = match json {
        Value::Number(number) => number.to_string(),
        other => other.as_str()?.to_owned(),
    };
    is_id(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_read_with_the_accounts_it_is_for() {
        let told = json!({"data": {
        "app_id": 670843887433847_u64, "type": "SYSTEM_USER", "application": "Sample",
        "data_access_expires_at": 0, "expires_at": 1_800_000_000, "is_valid": true,
        "scopes": ["whatsapp_business_management", "public_profile"],
        "granular_scopes": [
            {"scope": "business_management", "target_ids": ["1"]},
            {"scope": "whatsapp_business_management", "target_ids": ["102", "103"]},
            {"scope": "whatsapp_business_messaging", "target_ids": ["102", "../x"]},
        ]}});
        let token = Token::read(&told);
        assert_eq!(token.app.as_deref(), Some("670843887433847"));
        assert_eq!(token.accounts, ["102", "103"]);
        assert_eq!(token.ends_s, Some(1_800_000_000));
        assert!(token.valid && token.permits(MANAGEMENT) && !token.permits(MESSAGING));
        let ended = Token::read(&json!({"data": {"is_valid": false,
            "error": {"code": 190, "message": "Session has expired"}}}));
        assert!(!ended.valid);
        assert_eq!(ended.trouble.as_deref(), Some("Session has expired"));
        assert_eq!(Token::read(&json!([])), Token::default());
    }

    #[test]
    fn subscriptions_are_read_in_both_shapes() {
        let one = |fields: Value| {
            json!({"data": [{"object": "page"}, {"object": OBJECT, "active": true,
                "callback_url": "https://a.test/webhook", "fields": fields}]})
        };
        let shapes = [
            json!([{"name": "messages", "version": "v26.0"}]),
            json!(["messages"]),
        ];
        for fields in shapes {
            let read = Subscription::read(&one(fields)).unwrap();
            assert_eq!(read.fields, ["messages"]);
            assert_eq!(read.callback.as_deref(), Some("https://a.test/webhook"));
            assert!(read.active);
        }
        assert_eq!(
            Subscription::read(&json!({"data": [{"object": "page"}]})),
            None
        );
    }

    #[test]
    fn attached_apps_are_read_with_their_override() {
        let told = json!({"data": [
            {"whatsapp_business_api_data": {"id": "7", "name": "Sample"},
             "override_callback_uri": "https://b.test/hook"},
            {"whatsapp_business_api_data": {"link": "no id"}}]});
        let read = Attached::read(&told);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].callback.as_deref(), Some("https://b.test/hook"));
    }

    #[test]
    fn health_names_what_is_not_well_and_the_account() {
        let told = json!({"health_status": {"can_send_message": "BLOCKED", "entities": [
            {"entity_type": "PHONE_NUMBER", "id": "5", "can_send_message": "AVAILABLE"},
            {"entity_type": "WABA", "id": "6", "can_send_message": "BLOCKED", "errors": [
                {"error_code": 141006, "error_description": "No payment method.",
                 "possible_solution": "Add one."}]},
            {"entity_type": "BUSINESS", "id": "7", "can_send_message": "LIMITED",
             "additional_info": ["Not verified."]}]}});
        let health = Health::read(&told);
        assert_eq!(health.account.as_deref(), Some("6"));
        let said: Vec<_> = health
            .troubles
            .iter()
            .map(|t| (t.blocked, t.says.as_str()))
            .collect();
        assert_eq!(
            said,
            [(true, "No payment method."), (false, "Not verified.")]
        );
        assert_eq!(health.troubles[0].advice.as_deref(), Some("Add one."));
    }

    #[test]
    fn an_answer_is_json_or_graphs_error_or_neither() {
        let rows: [(u16, &str, Asked<Value>); 4] = [
            (200, r#"{"a":1}"#, Ok(json!({"a": 1}))),
            (502, "<html>", Err(Refused::Strange(502))),
            (403, "{}", Err(Refused::Strange(403))),
            (
                400,
                r#"{"error":{"code":190,"error_subcode":463,"message":"ended"}}"#,
                Err(Refused::Error {
                    code: 190,
                    subcode: Some(463),
                    message: "ended".into(),
                }),
            ),
        ];
        for (status, body, expected) in rows {
            assert_eq!(answer(status, body.as_bytes()), expected, "{body}");
        }
    }
}
