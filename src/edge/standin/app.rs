//! The app behind the token: what it may do, what it subscribes to, which accounts it is attached to
//! and where each notification goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::graph::GraphError;
use super::http::{Reply, Request};
use super::rest::success;
use super::serve::{ok, parameter};
use super::{Inner, Number, State};
use crate::wire::setup;

/// How long the handshake may take when a callback is set.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How things are set up at Meta. At the start all is well: every account is attached, and
/// everything is sent to the callback.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the token's bearer may do.
    pub scopes: Vec<String>,
    /// When the token ends, in Unix seconds; 0: never.
    pub ends_s: i64,
    /// Which notifications it subscribes to; `None`: it has no webhook.
    pub fields: Option<Vec<String>>,
    /// Whether that is in force.
    pub active: bool,
    /// Accounts that it is not attached to.
    pub detached: BTreeSet<String>,
    /// Other apps, attached to every account: ids and names.
    pub others: Vec<(String, String)>,
    /// The addresses of accounts and numbers that have one of their own.
    pub overrides: BTreeMap<String, String>,
    /// What is told of a number otherwise than usual: keys and values of its object.
    pub numbers: BTreeMap<String, Value>,
    /// How far Meta's clock, by the date of its answers, is ahead of this machine's.
    pub clock_ahead: Duration,
}

impl Default for App {
    fn default() -> App {
        let fields = ["messages", "account_update"];
        App {
            id: "900000000000001".into(),
            name: "Sample App".into(),
            scopes: vec![setup::MANAGEMENT.into(), setup::MESSAGING.into()],
            ends_s: 0,
            fields: Some(fields.map(String::from).to_vec()),
            active: true,
            detached: BTreeSet::new(),
            others: Vec::new(),
            overrides: BTreeMap::new(),
            numbers: BTreeMap::new(),
            clock_ahead: Duration::ZERO,
        }
    }
}

impl Inner {
    /// The app's own token.
    pub(super) fn app_token(&self, state: &State) -> String {
        format!("{}|{}", state.app.id, self.app_secret)
    }

    /// `GET /debug_token`.
    pub(super) fn debug_token(&self, request: &Request) -> Reply {
        let asked = parameter(&request.query, "input_token").unwrap_or_default();
        let mut accounts: Vec<&str> = self.numbers.iter().map(|one| one.waba.as_str()).collect();
        accounts.dedup();
        let state = self.state();
        let app = &state.app;
        if asked != state.token || state.faults.token_expired {
            let message = "Error validating access token: Session has expired";
            return ok(&json!({"data": {"is_valid": false, "scopes": [],
                "error": {"code": 190, "message": message, "subcode": 463}}}));
        }
        let granted = |scope: &String| json!({"scope": scope, "target_ids": accounts});
        let granular: Vec<Value> = app.scopes.iter().map(granted).collect();
        ok(
            &json!({"data": {"app_id": app.id, "type": "SYSTEM_USER", "application": app.name,
            "data_access_expires_at": 0, "expires_at": app.ends_s, "is_valid": true,
            "scopes": app.scopes, "granular_scopes": granular, "user_id": "100000000000001"}}),
        )
    }

    /// `GET` and `POST /{app}/subscriptions`, for the app's own token.
    pub(super) fn subscriptions(&self, id: &str, request: &Request) -> Result<Reply, GraphError> {
        {
            let state = self.state();
            let bearer = request.bearer();
            if id != state.app.id || bearer != Some(self.app_token(&state).as_str()) {
                let title = "An app access token is required to request this resource.";
                return Err(GraphError::new(400, 15, title));
            }
            if request.method == "GET" {
                let Some(fields) = &state.app.fields else {
                    return Ok(ok(&json!({"data": []})));
                };
                let field = |name: &String| json!({"name": name, "version": "v26.0"});
                let fields: Vec<Value> = fields.iter().map(field).collect();
                return Ok(ok(
                    &json!({"data": [{"object": setup::OBJECT, "active": state.app.active,
                    "callback_url": state.callback, "fields": fields}]}),
                ));
            }
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let word = |key: &str| body[key].as_str().unwrap_or_default();
        if word("object") != setup::OBJECT {
            return Err(GraphError::new(400, 100, "Invalid parameter").details("object"));
        }
        self.handshake(word("callback_url"), word("verify_token"))?;
        let mut state = self.state();
        state.callback = Some(word("callback_url").to_owned());
        state.app.fields = Some(word("fields").split(',').map(str::to_owned).collect());
        state.app.active = true;
        Ok(success())
    }

    /// `GET`, `POST` and `DELETE /{waba}/subscribed_apps`.
    pub(super) fn subscribed_apps(
        &self,
        waba: &str,
        request: &Request,
    ) -> Result<Reply, GraphError> {
        self.account(waba, "")?;
        if request.method == "POST" {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            self.set_override(waba, &body)?;
            self.state().app.detached.remove(waba);
            return Ok(success());
        }
        let mut state = self.state();
        let app = &mut state.app;
        if request.method == "DELETE" {
            app.detached.insert(waba.to_owned());
            return Ok(success());
        }
        let mut data: Vec<Value> = Vec::new();
        if !app.detached.contains(waba) {
            let mut own = attached(&app.id, &app.name);
            if let Some(url) = app.overrides.get(waba) {
                own["override_callback_uri"] = json!(url);
            }
            data.push(own);
        }
        data.extend(app.others.iter().map(|(id, name)| attached(id, name)));
        Ok(ok(&json!({"data": data})))
    }

    /// `POST /{phone_number_id}`.
    pub(super) fn set_number(&self, id: &str, request: &Request) -> Result<Reply, GraphError> {
        self.number(id)?;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if let Some(wanted) = body.get("webhook_configuration") {
            self.set_override(id, wanted)?;
        }
        Ok(success())
    }

    /// An address of its own, which must pass the handshake; without one, or with an empty one, it
    /// is taken back.
    fn set_override(&self, id: &str, wanted: &Value) -> Result<(), GraphError> {
        let url = wanted["override_callback_uri"].as_str().unwrap_or_default();
        if url.is_empty() {
            self.state().app.overrides.remove(id);
            return Ok(());
        }
        let token = wanted["verify_token"].as_str().unwrap_or_default();
        self.handshake(url, token)?;
        self.state().app.overrides.insert(id.into(), url.into());
        Ok(())
    }

    fn handshake(&self, url: &str, verify_token: &str) -> Result<(), GraphError> {
        let passed = self.hooks.handshake(url, verify_token, HANDSHAKE);
        passed.map_err(|why| {
            let says = "Callback verification failed with the following errors:";
            GraphError::new(400, 2200, &format!("{says} {why}"))
        })
    }

    /// Where a notification goes, if it is sent at all.
    pub(super) fn callback_of(&self, body: &str) -> Result<String, &'static str> {
        let state = self.state();
        let app = &state.app;
        if !app.detached.is_empty() || !app.overrides.is_empty() {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let account = body["entry"][0]["id"].as_str().unwrap_or_default();
            let metadata = &body["entry"][0]["changes"][0]["value"]["metadata"];
            let number = metadata["phone_number_id"].as_str().unwrap_or_default();
            if app.detached.contains(account) {
                return Err("the app is not attached to the account");
            }
            let own = app
                .overrides
                .get(number)
                .or_else(|| app.overrides.get(account));
            if let Some(url) = own {
                return Ok(url.clone());
            }
        }
        if app.fields.is_none() || !app.active {
            return Err("the app does not subscribe");
        }
        state.callback.clone().ok_or("no callback is set yet")
    }

    /// A number's `webhook_configuration`.
    pub(super) fn callbacks(&self, number: &Number) -> Value {
        let state = self.state();
        let mut callbacks = json!({"application": state.callback});
        let own = [
            ("phone_number", &number.id),
            ("whatsapp_business_account", &number.waba),
        ];
        for (key, id) in own {
            if let Some(url) = state.app.overrides.get(id) {
                callbacks[key] = json!(url);
            }
        }
        callbacks
    }
}

fn attached(id: &str, name: &str) -> Value {
    json!({"whatsapp_business_api_data": {"id": id, "name": name, "link": "https://example.test/"}})
}
