//! Asks Graph and our own webhook for everything that notifications hang on, and
//! changes it: the facts for policy::doctor, the steps of policy::registration.

use super::callback::Caller;
use super::clock;
use super::graph::{Call, Graph, Payload, RootsError, Target};
use crate::config::{Config, Secret};
use crate::gateway::known::Known;
use crate::policy::doctor::{
    AccountFacts, AppFacts, Facts, Inbox, NumberFacts, PlaceFacts, Shake, TokenFacts,
};
use crate::policy::registration::Step;
use crate::wire::retry_after;
use crate::wire::setup::{self, Asked, Attached, Health, Number, Refused, Subscription, Token};
use crate::wire::signature::hex;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::Read;
use std::time::Duration;

/// One question to Graph, or one change.
const WITHIN: Duration = Duration::from_secs(20);

const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// More are not looked at unless they are named.
const ACCOUNTS_MAX: usize = 20;
/// The same for numbers.
pub const NUMBERS_MAX: usize = 50;

/// What to look at: named by the operator, else all that is known.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The app, when no token tells.
    pub app: Option<String>,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Numbers.
    pub numbers: Vec<String>,
}

/// Who asks.
pub struct Doctor<'c> {
    config: &'c Config,
    graph: Graph,
    /// Without the proof of the app's secret, to tell whether that is at fault.
    unproven: Graph,
    caller: Caller,
    /// How far our clock is ahead of Graph's, by the date of its last answer.
    ahead_s: Cell<Option<i64>>,
}

impl<'c> Doctor<'c> {
    /// By these settings.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn new(config: &'c Config) -> Result<Doctor<'c>, RootsError> {
        let graph = Graph::new(config, 1)?;
        Ok(Doctor {
            config,
            unproven: graph.unproven(),
            graph,
            caller: Caller::new(config)?,
            ahead_s: Cell::new(None),
        })
    }

    /// Everything, the addresses not yet called.
    pub fn ask(&self, scope: &Scope, known: &Known) -> Facts {
        let mut facts = Facts {
            now_s: clock::now_ms() / 1_000,
            webhook_path: self.config.webhook_path.clone(),
            plain_http: self.config.graph_is_near(),
            verify_token: !self.config.verify_tokens.is_empty(),
            tokens: self.tokens(scope),
            inbox: match known.newest_event {
                _ if !known.looked => Inbox::Unseen,
                Some(ms) => Inbox::Newest(ms / 1_000),
                None => Inbox::Empty,
            },
            ..Facts::default()
        };
        facts.app = self.app(scope, &facts.tokens);
        self.numbers(scope, known, &mut facts);
        for account in account_ids(scope, known, &facts) {
            let attached = self.attached(&account, &facts);
            facts.accounts.push(AccountFacts {
                id: account,
                attached,
            });
        }
        facts.clock_ahead_s = self.ahead_s.get();
        facts
    }

    /// What answers where notifications go.
    pub fn call(&self, facts: &mut Facts) {
        facts.places = facts
            .all_places()
            .into_iter()
            .map(|place| {
                let shake = self.prove(&place.url);
                let passed = shake == Shake::Passed;
                PlaceFacts {
                    taken: passed
                        .then(|| self.caller.notify(&place.url, &self.config.hub_keys))
                        .flatten(),
                    place,
                    shake,
                }
            })
            .collect();
    }

    /// Meta's handshake with an address that the operator names: it gets the token, as
    /// it will get it from Meta.
    pub fn shake(&self, url: &str) -> Shake {
        self.asked(|token, challenge| self.caller.shake(url, token, challenge))
    }

    /// Whether an address that Meta has leads to a service with our token. It may be
    /// anybody's, and does not get the token.
    fn prove(&self, url: &str) -> Shake {
        self.asked(|token, challenge| self.caller.prove(url, token, challenge))
    }

    fn asked(&self, ask: impl FnOnce(&Secret, &str) -> Shake) -> Shake {
        match self.config.verify_tokens.first() {
            Some(verify_token) => ask(verify_token, &hex(&clock::random::<16>())),
            None => Shake::NotAsked,
        }
    }

    /// Does one step.
    ///
    /// # Errors
    /// What Graph says against it.
    pub fn take(&self, step: &Step, facts: &Facts) -> Asked<()> {
        let verify_token = self.config.verify_tokens.first();
        let verify_token = verify_token.map(Secret::expose).unwrap_or_default();
        let pointed = |url: &Option<String>| match url {
            Some(url) => json!({"override_callback_uri": url, "verify_token": verify_token}),
            None => json!({}),
        };
        let (token, path, body) = match step {
            Step::Subscribe { app, url, fields } => (
                self.app_token(app),
                format!("{app}/subscriptions"),
                json!({"object": setup::OBJECT, "callback_url": url,
                    "verify_token": verify_token, "fields": fields.join(","),
                    "include_values": true}),
            ),
            Step::Attach { account, url } => (
                self.token_of_account(account, &facts.tokens).cloned(),
                format!("{account}/subscribed_apps"),
                pointed(url),
            ),
            Step::Point { number, url } => {
                // Meta: an empty address takes it back.
                let to = match url {
                    Some(_) => pointed(url),
                    None => json!({"override_callback_uri": ""}),
                };
                (
                    self.config.tokens.of(number).cloned(),
                    number.clone(),
                    json!({"webhook_configuration": to}),
                )
            }
        };
        let token = token.ok_or(Refused::NoToken)?;
        // Nothing at all, rather than an empty object, takes an account's address back.
        let body = match body.as_object().is_some_and(serde_json::Map::is_empty) {
            true => None,
            false => Some(&body),
        };
        let answer = ask(&self.graph, &token, "POST", &path, body)?;
        match answer["success"].as_bool() {
            Some(false) => Err(Refused::Strange(200)),
            _ => Ok(()),
        }
    }

    fn get(&self, token: &Secret, path: &str) -> Asked<Value> {
        let note = |ahead_s| self.ahead_s.set(Some(ahead_s));
        ask_noting(&self.graph, token, ("GET", path), None, note)
    }

    fn tokens(&self, scope: &Scope) -> Vec<TokenFacts> {
        let all = self.config.tokens.by_setting().take(NUMBERS_MAX);
        all.map(|(setting, token)| self.token(setting, token, scope))
            .collect()
    }

    fn token(&self, setting: String, token: &Secret, scope: &Scope) -> TokenFacts {
        let path = format!("debug_token?input_token={}", encoded(token.expose()));
        let mut told = self.get(token, &path);
        let mut secret_fits = (told.is_ok() && !self.config.hub_keys.is_empty()).then_some(true);
        if told.as_ref().is_err_and(Refused::is_of_proof) {
            secret_fits = Some(false);
            told = ask(&self.unproven, token, "GET", &path, None);
        }
        // A token that has ended cannot ask about itself; its app can.
        if told.as_ref().is_err_and(|error| error.code() == Some(190))
            && let Some(app) = scope.app.as_ref().and_then(|app| self.app_token(app))
            && let Ok(better) = self.get(&app, &path)
        {
            told = Ok(better);
        }
        TokenFacts {
            setting,
            told: told.map(|json| Token::read(&json)),
            secret_fits,
        }
    }

    fn app(&self, scope: &Scope, tokens: &[TokenFacts]) -> Option<AppFacts> {
        let told = tokens.iter().filter_map(|token| token.told.as_ref().ok());
        let id = scope
            .app
            .clone()
            .or_else(|| told.filter_map(|token| token.app.clone()).next())?;
        let subscription = self.app_token(&id).map(|token| {
            let json = self.get(&token, &format!("{id}/subscriptions"))?;
            Ok(Subscription::read(&json))
        });
        Some(AppFacts { id, subscription })
    }

    /// An app's own token (Meta: "App access tokens").
    fn app_token(&self, app: &str) -> Option<Secret> {
        let secret = self.config.app_secrets.first()?;
        Some(Secret::new(format!("{app}|{}", secret.expose())))
    }

    /// A token that is for this account, or for all.
    fn token_of_account(&self, account: &str, tokens: &[TokenFacts]) -> Option<&Secret> {
        let told = |token: &TokenFacts| token.told.clone().ok().filter(|told| told.valid);
        let is_for = |token: &&TokenFacts| {
            told(token).is_some_and(|told| told.accounts.iter().any(|id| id == account))
        };
        let best = tokens
            .iter()
            .find(is_for)
            .map(|token| token.setting.as_str());
        let own = best.and_then(|setting| setting.strip_prefix("WHATSAPP_TOKEN_"));
        let tokens = &self.config.tokens;
        own.and_then(|number| tokens.by_number.get(number))
            .or(tokens.common.as_ref())
            .or_else(|| tokens.by_number.values().next())
    }

    fn attached(&self, account: &str, facts: &Facts) -> Asked<Vec<Attached>> {
        let token = self.token_of_account(account, &facts.tokens);
        let token = token.ok_or(Refused::NoToken)?;
        let json = self.get(token, &format!("{account}/subscribed_apps"))?;
        Ok(Attached::read(&json))
    }

    fn numbers(&self, scope: &Scope, known: &Known, facts: &mut Facts) {
        let mut numbers: Vec<(String, Option<String>)> = Vec::new();
        let mut add = |id: &str, account: Option<&str>| {
            let account = account.map(str::to_owned);
            match numbers.iter().position(|(known, _)| known == id) {
                Some(at) => numbers[at].1 = numbers[at].1.take().or(account),
                None if setup::is_id(id) && numbers.len() < NUMBERS_MAX => {
                    numbers.push((id.to_owned(), account));
                }
                None => {}
            }
        };
        scope.numbers.iter().for_each(|id| add(id, None));
        if scope.numbers.is_empty() {
            let everything = scope.accounts.is_empty();
            let own = self.config.tokens.by_number.keys();
            let own = own.chain(self.config.limits.rates.by_number.keys());
            own.filter(|_| everything).for_each(|id| add(id, None));
            for (id, account) in &known.numbers {
                let named = account
                    .as_ref()
                    .is_some_and(|id| scope.accounts.contains(id));
                if everything || named {
                    add(id, account.as_deref());
                }
            }
            for account in account_ids(scope, known, facts) {
                for id in self.numbers_of(&account, &facts.tokens) {
                    add(&id, Some(&account));
                }
            }
        }
        facts.numbers = numbers
            .into_iter()
            .map(|(id, account)| self.number(id, account))
            .collect();
    }

    fn numbers_of(&self, account: &str, tokens: &[TokenFacts]) -> Vec<String> {
        let Some(token) = self.token_of_account(account, tokens) else {
            return Vec::new();
        };
        let told = self.get(
            token,
            &format!("{account}/phone_numbers?fields=id&limit={NUMBERS_MAX}"),
        );
        // What is in the way is met again, and said, when the account is asked.
        told.map(|json| setup::ids(&json)).unwrap_or_default()
    }

    fn number(&self, id: String, account: Option<String>) -> NumberFacts {
        let rate = self.config.limits.rates.of(&id).in_a_second();
        let Some(token) = self.config.tokens.of(&id) else {
            return NumberFacts {
                id,
                account,
                rate,
                told: None,
                health: None,
            };
        };
        let told = self.get(token, &format!("{id}?fields={}", Number::FIELDS));
        let health = match told.is_ok() {
            true => self
                .get(token, &format!("{id}?fields={}", Health::FIELDS))
                .ok(),
            false => None,
        };
        let health = health.map(|json| Health::read(&json));
        NumberFacts {
            account: health
                .as_ref()
                .and_then(|own| own.account.clone())
                .or(account),
            id,
            rate,
            told: Some(told.map(|json| Number::read(&json))),
            health,
        }
    }
}

/// The accounts to look at: those named; else what tokens, stored notifications
/// and numbers tell of.
fn account_ids(scope: &Scope, known: &Known, facts: &Facts) -> Vec<String> {
    if !scope.accounts.is_empty() {
        return scope.accounts.clone();
    }
    let of_numbers = facts
        .numbers
        .iter()
        .filter_map(|number| number.account.clone());
    let mut all: Vec<String> = of_numbers.collect();
    if scope.numbers.is_empty() {
        let tokens = facts
            .tokens
            .iter()
            .filter_map(|token| token.told.as_ref().ok());
        all.extend(tokens.flat_map(|token| token.accounts.clone()));
        all.extend(
            known
                .numbers
                .iter()
                .filter_map(|(_, account)| account.clone()),
        );
    }
    let mut ids: Vec<String> = Vec::new();
    for id in all {
        if setup::is_id(&id) && !ids.contains(&id) && ids.len() < ACCOUNTS_MAX {
            ids.push(id);
        }
    }
    ids
}

fn ask(
    graph: &Graph,
    token: &Secret,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Asked<Value> {
    ask_noting(graph, token, (method, path), body, |_| ())
}

/// The same; `note` is told by how many seconds our clock is ahead of Graph's.
fn ask_noting(
    graph: &Graph,
    token: &Secret,
    (method, path): (&str, &str),
    body: Option<&Value>,
    note: impl FnOnce(i64),
) -> Asked<Value> {
    let json = body.map(Value::to_string);
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let answered = graph.call(Call {
        method,
        target: Target::Path(path),
        token,
        headers: if json.is_some() { &headers } else { &[] },
        body: match &json {
            Some(json) => Payload::Whole(json.as_bytes()),
            None if method == "POST" => Payload::Whole(b""),
            None => Payload::Nothing,
        },
        within: WITHIN,
    });
    let answered = answered.map_err(|error| Refused::Unanswered(error.reason))?;
    let now_s = clock::now_ms() / 1_000;
    if let Some(date) = answered.header("date").and_then(retry_after::date) {
        note(now_s.saturating_sub_unsigned(date.as_secs()));
    }
    let (status, mut bytes) = (answered.status, Vec::new());
    let read = answered.body.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|_| Refused::Unanswered("the answer broke off".into()))?;
    setup::answer(status, &bytes)
}

/// When a token ends, in Unix seconds, as Graph tells of it to itself; `None`: it
/// does not tell.
pub fn token_ends(graph: &Graph, token: &Secret) -> Option<Option<i64>> {
    let path = format!("debug_token?input_token={}", encoded(token.expose()));
    let told = ask(graph, token, "GET", &path, None).ok()?;
    let told = Token::read(&told);
    told.valid.then_some(told.ends_s)
}

/// A number's quality, state, limit and throughput, as far as Graph tells.
pub fn number_state(graph: &Graph, token: &Secret, id: &str) -> Option<Number> {
    let path = format!("{id}?fields={}", Number::FIELDS);
    let told = ask(graph, token, "GET", &path, None).ok()?;
    Some(Number::read(&told))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
