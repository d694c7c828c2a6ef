//! What the settings of a service are, once they are read and checked.

use super::{
    Alarms, Command, Console, Effective, Levels, LogFormat, Observer, ObserverLimits, Sources,
    survey,
};
use crate::policy::burst::Debounce;
use crate::policy::pacing::Rate;
use crate::policy::stale::Stale;
use crate::wire::media::Kinds;
use crate::wire::signature::{HubKeys, StandardKey, same_secret};
use crate::wire::substitute::Substitute;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A value that must not be shown: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The one of `own` that somebody knows. All are compared, so that time does not
    /// tell which one was close.
    pub fn known<'s>(own: impl IntoIterator<Item = &'s Secret>, given: &str) -> Option<&'s Secret> {
        own.into_iter()
            .fold(None, |found, own| match same_secret(&own.0, given) {
                true => Some(own),
                false => found,
            })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One mistake in the settings: what is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and port; port 0 takes any free one.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Listen {
    /// Whether the system chooses the port: two such are not the same.
    pub(super) fn is_any_port(&self) -> bool {
        matches!(self, Listen::Tcp(address) if address.port() == 0)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What becomes of a message when Graph's answer was lost and no status came
/// within the reconcile window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Send it again: it may arrive twice.
    Resend,
    /// Keep it for the operator: it may not arrive.
    Hold,
}

/// Access tokens for Graph: one for all numbers, and one for a single number
/// where it has its own.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// `WHATSAPP_TOKEN`.
    pub common: Option<Secret>,
    /// `WHATSAPP_TOKEN_<phone_number_id>`.
    pub by_number: BTreeMap<String, Secret>,
}

impl Tokens {
    /// The token to send with from `number`.
    pub fn of(&self, number: &str) -> Option<&Secret> {
        self.by_number.get(number).or(self.common.as_ref())
    }

    /// All of them, each by the name of its setting.
    pub fn by_setting(&self) -> impl Iterator<Item = (String, &Secret)> {
        let common = self.common.iter();
        let common = common.map(|token| ("WHATSAPP_TOKEN".to_owned(), token));
        let own = self.by_number.iter();
        let own = own.map(|(number, token)| (format!("WHATSAPP_TOKEN_{number}"), token));
        common.chain(own)
    }
}

/// How fast numbers send: a rate for all, and one for a single number where it
/// has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// `RATE_PER_NUMBER`.
    pub common: Rate,
    /// `RATE_PER_NUMBER_<phone_number_id>`.
    pub by_number: BTreeMap<String, Rate>,
}

impl Rates {
    /// One rate for every number.
    pub fn all(common: Rate) -> Rates {
        Rates {
            common,
            by_number: BTreeMap::new(),
        }
    }

    /// The rate of `number`.
    pub fn of(&self, number: &str) -> Rate {
        *self.by_number.get(number).unwrap_or(&self.common)
    }
}

/// Where an app of the business's own listens.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Its address.
    pub url: String,
    /// For Standard Webhooks signatures.
    pub key: Option<StandardKey>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many calls may run at once.
    pub concurrency: usize,
    /// A public name may lead into a private network.
    pub allow_private: bool,
}

/// The Graph-compatible API.
#[derive(Clone, Debug)]
pub struct Api {
    /// Any of them lets a caller in.
    pub keys: Vec<Secret>,
    /// How long a caller waits for Graph's answer.
    pub wait: Duration,
}

/// Where customers' files go.
#[derive(Clone, Debug)]
pub struct Media {
    /// `MEDIA_DIR`.
    pub folder: PathBuf,
    /// The longest file that is fetched.
    pub bytes_max: u64,
    /// Which are fetched.
    pub kinds: Kinds,
}

/// The settings of a service, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Any of them passes Meta's handshake.
    pub verify_tokens: Vec<Secret>,
    /// Any of them may sign a notification; the first signs what we forward.
    pub hub_keys: HubKeys,
    /// The same, as they are: with an app's id the first is the app's own token.
    pub app_secrets: Vec<Secret>,
    /// Requests without a signature are taken, for trying by hand.
    pub allow_unsigned: bool,
    /// Addresses that other machines reach may be listened on.
    pub allow_public: bool,
    /// For calls to Graph.
    pub tokens: Tokens,
    /// Where nginx reaches us.
    pub listen: Listen,
    /// The webhook's path.
    pub webhook_path: String,
    /// The SQLite file.
    pub database: PathBuf,
    /// Graph's base address, without a final slash.
    pub graph_url: String,
    /// The version in Graph's paths, such as `v26.0`.
    pub graph_version: String,
    /// A PEM file of the authorities to trust instead of the built-in ones.
    pub root_certificates: Option<PathBuf>,
    /// The rules file.
    pub rules: Option<PathBuf>,
    /// The app behind us.
    pub forward: Option<Forward>,
    /// Apps that get a copy.
    pub observers: Vec<Observer>,
    /// The program that is run for each event.
    pub command: Option<Command>,
    /// How many events the bot gets at once.
    pub forward_concurrency: usize,
    /// Where the operator's listener is, when anything is served there.
    pub operator: Option<Listen>,
    /// The API for sending, when there is a key to it.
    pub api: Option<Api>,
    /// The operator's console, when there is a password to it.
    pub console: Option<Console>,
    /// Any of them lets a program read the figures, as the API's keys do.
    pub metrics_keys: Vec<Secret>,
    /// Where customers' files go, when they are fetched.
    pub media: Option<Media>,
    /// What counts as an alarm, and who is told.
    pub alarms: Alarms,
    /// The queue's limits.
    pub limits: Limits,
    /// How many calls to Graph may run at once.
    pub send_concurrency: usize,
    /// What is done with and older than this goes; `None`: all is kept.
    pub retention_ms: Option<i64>,
    /// Which lines are logged.
    pub log_levels: Levels,
    /// How they are written.
    pub log_format: LogFormat,
    /// All settings, to be shown.
    pub effective: Vec<Effective>,
    /// What is odd, though not wrong: said at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Graph is a stand-in nearby: what is reached without TLS is not Meta.
    pub fn graph_is_near(&self) -> bool {
        !self.graph_url.starts_with("https://")
    }
}

/// What the queue decides by.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How fast each business number sends.
    pub rates: Rates,
    /// How long an unknown outcome waits for a status.
    pub reconcile_window_ms: i64,
    /// What happens then.
    pub on_unknown: OnUnknown,
    /// How many events the bot gets at once.
    pub bot_concurrency: usize,
    /// Who gets a copy of events.
    pub observers: Vec<ObserverLimits>,
    /// An event older than this is not delivered to the bot any more.
    pub delivery_age_max_ms: i64,
    /// A message older than this is not sent any more.
    pub send_age_max_ms: i64,
    /// Which files are fetched; none when there is nowhere to put them.
    pub media_kinds: Kinds,
    /// What goes out in the place of a message that the customer service window
    /// does not allow any more.
    pub window_template: Option<Substitute>,
    /// Templates that are no marketing.
    pub service_templates: Vec<String>,
    /// How long the next message of a conversation waits for a status of a file
    /// that went before it; `None`: not at all.
    pub media_order_wait_ms: Option<i64>,
    /// From when on a message is late; `None`: never.
    pub stale: Option<Stale>,
    /// How messages that come soon one after the other are handed to the bot
    /// together; `None`: each by itself.
    pub debounce: Option<Debounce>,
    /// How long the bot is silent in a conversation that a person took over, after
    /// the person's last answer.
    pub handover_ms: i64,
    /// How long a probe of a closed queue may take before the next one.
    pub probe_timeout_ms: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        let (config, _) = survey(&Sources::default());
        config.limits
    }
}
