//! Calls that are not about messages, as far as a client library makes them: files, numbers,
//! accounts, templates, profiles. What is changed is acknowledged and not kept, but for files.

use serde_json::{Value, json};

use super::graph::GraphError;
use super::http::{Answer, Reply, Request};
use super::serve::{ok, parameter};
use super::{CallSeen, Inner, Number, media};

/// So many calls are remembered.
const CALLS_MAX: usize = 100_000;
/// A list is given in pages of so many.
const PAGE: usize = 25;
/// An account has so many templates.
const TEMPLATES: usize = 30;

impl Inner {
    /// Anything but a message.
    pub(super) fn other_call(
        &self,
        id: &str,
        edge: &str,
        request: &Request,
    ) -> Result<Reply, GraphError> {
        self.remember(request);
        let unknown = || GraphError::unknown_path(&request.path);
        match (request.method.as_str(), edge) {
            ("POST", "media") => self.upload(&self.number(id)?, request),
            ("GET", "") if id == "debug_token" => Ok(self.debug_token(request)),
            ("GET", "") => self.object(id, request),
            ("DELETE", "") => match self.state().files.remove(id) {
                true => Ok(success()),
                false => Err(GraphError::unknown_object(id)),
            },
            ("GET", "phone_numbers") => self.account(id, edge),
            ("GET" | "POST" | "DELETE", "subscribed_apps") => self.subscribed_apps(id, request),
            ("GET" | "POST", "subscriptions") => self.subscriptions(id, request),
            ("POST", "") => self.set_number(id, request),
            ("GET", "message_templates") => self.templates(id, request),
            ("POST", "message_templates") => {
                self.account(id, "")?;
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let category = &body["category"];
                Ok(ok(
                    &json!({"id": "1300000000000001", "status": "PENDING", "category": category}),
                ))
            }
            ("DELETE", "message_templates") => self.account(id, "").map(|_| success()),
            ("GET", "whatsapp_business_profile") => {
                self.number(id)?;
                Ok(ok(
                    &json!({"data": [{"about": "Sample Shop", "email": "shop@example.test",
                    "messaging_product": "whatsapp", "vertical": "RETAIL"}]}),
                ))
            }
            (
                "POST",
                "whatsapp_business_profile"
                | "register"
                | "deregister"
                | "settings"
                | "request_code"
                | "verify_code",
            ) => self.number(id).map(|_| success()),
            ("GET", "settings") => self.number(id).map(|_| ok(&json!({}))),
            ("POST" | "DELETE", "block_users") => {
                self.number(id)?;
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let key = match request.method.as_str() {
                    "POST" => "added_users",
                    _ => "removed_users",
                };
                let users = body["block_users"].as_array().into_iter().flatten();
                let users: Vec<Value> = users.map(blocked).collect();
                Ok(ok(&json!({"messaging_product": "whatsapp",
                    "block_users": {key: users}})))
            }
            ("GET", "block_users") => self.number(id).map(|_| ok(&json!({"data": []}))),
            _ => Err(unknown()),
        }
    }

    fn remember(&self, request: &Request) {
        let mut state = self.state();
        if state.calls.len() < CALLS_MAX {
            state.calls.push(CallSeen {
                method: request.method.clone(),
                path: request.path.clone(),
                query: request.query.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
            });
        }
    }

    fn object(&self, id: &str, request: &Request) -> Result<Reply, GraphError> {
        let number = parameter(&request.query, "phone_number_id");
        let (base, life) = (self.base(request), self.media_url_life);
        let mut state = self.state();
        if state.files.get(id).is_some() {
            let found = state.files.look_up(id, number.as_deref(), &base, life);
            return found
                .map(|found| ok(&found))
                .ok_or_else(|| GraphError::unknown_object(id));
        }
        drop(state);
        if let Ok(account) = self.account(id, "") {
            return Ok(account);
        }
        Ok(ok(&self.number_object(&self.number(id)?, &request.query)))
    }

    /// Where the caller reaches us.
    fn base(&self, request: &Request) -> String {
        format!("http://{}", request.header("host").unwrap_or("localhost"))
    }

    fn upload(&self, number: &Number, request: &Request) -> Result<Reply, GraphError> {
        let content_type = request.header("content-type").unwrap_or_default();
        let (mime, bytes) = media::check(content_type, &request.query, &request.body)?;
        let id = self.state().files.keep(&number.id, &mime, bytes.to_vec())?;
        Ok(ok(&json!({"id": id})))
    }

    /// A file where a look-up said it is.
    pub(super) fn attachment(&self, request: &Request) -> Result<Reply, GraphError> {
        self.remember(request);
        let key = parameter(&request.query, "mid").unwrap_or_default();
        let state = self.state();
        let media = state.files.at(&key);
        let media = media.ok_or_else(|| GraphError::new(404, 100, "Not Found"))?;
        Ok(Reply::Answer(Answer {
            status: 200,
            content_type: media.mime.clone(),
            headers: Vec::new(),
            body: media.bytes.clone(),
        }))
    }

    fn templates(&self, waba: &str, request: &Request) -> Result<Reply, GraphError> {
        self.account(waba, "")?;
        let number = |name: &str| parameter(&request.query, name).and_then(|v| v.parse().ok());
        let (after, limit) = (
            number("after").unwrap_or(0),
            number("limit").unwrap_or(PAGE),
        );
        let end = after.saturating_add(limit.max(1)).min(TEMPLATES);
        let template = |n: usize| {
            json!({"id": format!("{}", 1_300_000_000_000_000_u64 + n as u64),
                "name": format!("sample_{n}"), "language": "en_US", "status": "APPROVED",
                "category": "UTILITY",
                "components": [{"type": "BODY", "text": "Hello {{1}}"}]})
        };
        let data: Vec<Value> = (after.min(end)..end).map(template).collect();
        let mut answer = json!({"data": data, "paging": {"cursors":
            {"before": after.to_string(), "after": end.to_string()}}});
        if end < TEMPLATES {
            // As Graph writes it: with the token of whoever asked.
            let (base, token) = (self.base(request), self.state().token.clone());
            answer["paging"]["next"] = json!(format!(
                "{base}{}?access_token={token}&limit={limit}&after={end}",
                request.path
            ));
        }
        Ok(ok(&answer))
    }

    pub(super) fn number_object(&self, number: &Number, query: &str) -> Value {
        let mut object = json!({
            "verified_name": "Sample Shop",
            "code_verification_status": "VERIFIED",
            "display_phone_number": number.display,
            "quality_rating": "GREEN",
            "status": "CONNECTED",
            "name_status": "APPROVED",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_2K",
            "webhook_configuration": self.callbacks(number),
            "health_status": health(number),
        });
        if let Some(Value::Object(own)) = self.state().app.numbers.get(&number.id) {
            for (key, value) in own {
                object[key] = value.clone();
            }
        }
        let fields = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("fields="));
        if let (Some(fields), Some(object)) = (fields, object.as_object_mut()) {
            let fields: Vec<_> = fields
                .split("%2C")
                .flat_map(|part| part.split(','))
                .collect();
            object.retain(|key, _| fields.contains(&key.as_str()));
        }
        // The id comes whether it is asked for or not.
        object["id"] = json!(number.id);
        object
    }

    pub(super) fn account(&self, waba: &str, edge: &str) -> Result<Reply, GraphError> {
        let numbers: Vec<_> = self
            .numbers
            .iter()
            .filter(|number| number.waba == waba)
            .collect();
        if numbers.is_empty() {
            return Err(GraphError::unknown_object(waba));
        }
        if edge.is_empty() {
            return Ok(ok(&json!({"id": waba, "name": "Sample Account"})));
        }
        let numbers = numbers.iter();
        let data: Vec<Value> = numbers
            .map(|number| self.number_object(number, ""))
            .collect();
        Ok(ok(&json!({"data": data})))
    }
}

/// All that a number's messages pass is well.
fn health(number: &Number) -> Value {
    let well = |kind: &str, id: &str| json!({"entity_type": kind, "id": id, "can_send_message": "AVAILABLE"});
    json!({"can_send_message": "AVAILABLE", "entities":
        [well("PHONE_NUMBER", &number.id), well("WABA", &number.waba)]})
}

/// A user who was blocked, as the answer names them: as the caller did, and by their ids.
fn blocked(user: &Value) -> Value {
    let mut blocked = json!({});
    let names = [("user", "wa_id"), ("user_id", "user_id")];
    for (name, key) in names {
        if let Some(id) = user[name].as_str() {
            blocked["input"] = json!(id);
            blocked[key] = json!(id);
        }
    }
    blocked
}

pub(super) fn success() -> Reply {
    ok(&json!({"success": true}))
}
