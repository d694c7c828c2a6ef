//! Settings: where they come from, what they mean, and what is wrong with them.
//!
//! Every setting stands once in [`table::SETTINGS`]; help texts, `.env.example`
//! and the checks come from there. A value comes from the environment, then
//! from `.env` in the working folder, then, for a secret, from the file named
//! by `NAME_FILE` and from systemd's credentials. All mistakes are found at
//! once, each with its mend.

mod alarms;
mod command;
mod console;
mod effective;
mod levels;
mod observers;
mod sources;
pub mod table;

pub use alarms::Alarms;
pub use command::Command;
pub use console::Console;
pub use effective::{Effective, Shown, Source};
pub use levels::{Levels, LogFormat, crate_of};
pub use observers::{Observer, ObserverLimits, Selection};
pub use sources::Sources;

use crate::policy::burst::{self, Debounce};
use crate::policy::pacing::Rate;
use crate::policy::stale::{OnStale, Stale};
use crate::policy::upkeep;
use crate::wire::media::Kinds;
use crate::wire::signature::{HubKeys, StandardKey};
use crate::wire::substitute::Substitute;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The highest throughput that Meta grants a number (Meta: throughput page).
const RATE_MAX: u64 = 1_000;

const DAY_MS: i64 = 24 * 3_600_000;

/// A hundred years are for ever, which is 0.
const RETENTION_DAYS_MAX: i64 = 36_500;

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

/// With `KEEP_MEDIA_ORDER`, the most a message waits for the file before it. Meta
/// promises an order only after `delivered` (Meta: messages), but a phone that is
/// off would hold up the rest for days. `sent` comes within a second or two as a
/// rule, once Meta has the file ready; when nothing has come after this, nothing
/// comes soon.
const MEDIA_ORDER_WAIT_MS: i64 = 5_000;

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

/// The settings in `sources`, or everything that is wrong with them.
pub fn load(sources: &Sources) -> Result<Config, Vec<Problem>> {
    let (config, problems) = survey(sources);
    match problems.is_empty() {
        true => Ok(config),
        false => Err(problems),
    }
}

/// Just the database's path, for commands that need nothing else.
pub fn database(sources: &Sources) -> Result<PathBuf, Problem> {
    let url = sources.value("DATABASE_URL");
    let Some(url) = url else {
        let folder = sources.value("STATE_DIRECTORY").unwrap_or_default();
        return Ok(PathBuf::from(folder).join("wabridge.db"));
    };
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Err(Problem(
            "DATABASE_URL names PostgreSQL, which this version does not speak: \
             use sqlite:PATH, or leave it out for wabridge.db in the working folder"
                .into(),
        ));
    }
    let path = url.strip_prefix("sqlite:").unwrap_or(&url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains("://") {
        return Err(Problem(
            "DATABASE_URL is not a database we know: write sqlite:PATH, \
             for example sqlite:/var/lib/wabridge/wabridge.db"
                .into(),
        ));
    }
    Ok(PathBuf::from(path))
}

/// The settings as far as they are right, and what is wrong with the others:
/// for commands that need only some of them.
pub fn survey(sources: &Sources) -> (Config, Vec<Problem>) {
    let mut reader = Reader {
        sources,
        problems: sources.problems.clone(),
    };
    let listen = reader.listen("LISTEN", 8080);
    let allow_unsigned = reader.yes_or_no("ALLOW_UNSIGNED");
    let app_secrets = reader.secrets("APP_SECRET");
    let verify_tokens = reader.secrets("VERIFY_TOKEN");
    if !allow_unsigned {
        reader.require("APP_SECRET", !app_secrets.is_empty());
        reader.require("VERIFY_TOKEN", !verify_tokens.is_empty());
    } else if !is_loopback(&listen) {
        reader.problem(
            "ALLOW_UNSIGNED=true is for trying by hand and needs a LISTEN address of this \
             machine alone (127.0.0.1:8080): set APP_SECRET instead to be reachable",
        );
    }
    let operator = reader.listen("OPERATOR_LISTEN", 8081);
    let (api, console) = (reader.api(), reader.console());
    let metrics_keys = reader.secrets("METRICS_KEY");
    let timeout = reader.seconds("FORWARD_TIMEOUT");
    let command_timeout = reader.seconds("HANDLER_TIMEOUT");
    let command = reader.command(command_timeout);
    let calls = reader.number("FORWARD_CONCURRENCY", 1, 256) as usize;
    let runs = reader.number("HANDLER_CONCURRENCY", 1, 256) as usize;
    let age_max_ms = reader.seconds("FORWARD_MAX_AGE").as_millis() as i64;
    let allow_private = reader.yes_or_no("ALLOW_PRIVATE_TARGETS");
    let observers = reader.observers(&observers::Defaults {
        timeout,
        concurrency: calls,
        age_max_ms,
        allow_private,
    });
    let slowest = observers.iter().map(|observer| observer.app.timeout);
    let slowest = slowest.fold(timeout.max(command_timeout), Duration::max);
    let forward_concurrency = if command.is_some() { runs } else { calls };
    let unread = reader.unread_observers(&observers);
    let media = reader.media();
    let media_kinds = media.as_ref().map_or(Kinds::NONE, |media| media.kinds);
    let config = Config {
        verify_tokens,
        hub_keys: HubKeys::new(app_secrets.iter().map(Secret::expose)),
        app_secrets: app_secrets.clone(),
        allow_unsigned,
        allow_public: reader.yes_or_no("ALLOW_PUBLIC_LISTEN"),
        tokens: reader.tokens(),
        webhook_path: reader.webhook_path(),
        database: reader.database(),
        graph_url: reader.url("GRAPH_API_URL").unwrap_or_default(),
        graph_version: reader.graph_version(),
        root_certificates: sources.value("SSL_CERT_FILE").map(PathBuf::from),
        rules: sources.value("RULES_FILE").map(PathBuf::from),
        forward: reader.forward(timeout, calls, allow_private),
        forward_concurrency,
        command,
        alarms: reader.alarms(allow_private),
        operator: (api.is_some() || console.is_some() || !metrics_keys.is_empty())
            .then_some(operator),
        api,
        console,
        metrics_keys,
        media,
        limits: Limits {
            rates: reader.rates(),
            reconcile_window_ms: reader.seconds("RECONCILE_WINDOW").as_millis() as i64,
            on_unknown: reader.on_unknown(),
            bot_concurrency: forward_concurrency,
            observers: observers.iter().map(|o| o.limits.clone()).collect(),
            delivery_age_max_ms: age_max_ms,
            send_age_max_ms: reader.seconds("SEND_MAX_AGE").as_millis() as i64,
            media_kinds,
            window_template: reader.window_template(),
            service_templates: reader.service_templates(),
            media_order_wait_ms: reader
                .yes_or_no("KEEP_MEDIA_ORDER")
                .then_some(MEDIA_ORDER_WAIT_MS),
            stale: reader.stale(),
            debounce: reader.debounce(),
            handover_ms: reader.seconds("HANDOVER_FOR").as_millis() as i64,
            probe_timeout_ms: slowest.as_millis() as i64 + 30_000,
        },
        send_concurrency: reader.number("SEND_CONCURRENCY", 1, 1_024) as usize,
        retention_ms: reader.retention_ms(),
        log_levels: reader.levels(),
        log_format: reader.log_format(),
        observers,
        effective: reader.effective(),
        warnings: [
            warnings(sources, allow_unsigned, !app_secrets.is_empty()),
            unread,
        ]
        .concat(),
        listen,
    };
    (config, reader.problems)
}

fn warnings(sources: &Sources, allow_unsigned: bool, has_secret: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if allow_unsigned {
        warnings.push(match has_secret {
            true => "ALLOW_UNSIGNED=true: notifications without a signature are taken too; \
                     never use this where others can reach the webhook"
                .to_owned(),
            false => "ALLOW_UNSIGNED=true and no APP_SECRET: anyone who reaches the webhook can \
                      write to it; for trying by hand only"
                .to_owned(),
        });
    }
    let handled = ["RULES_FILE", "HANDLER_COMMAND", "FORWARD_URL"]
        .iter()
        .any(|name| sources.value(name).is_some());
    if !handled && !sources.answered {
        warnings.push(
            "none of RULES_FILE, HANDLER_COMMAND and FORWARD_URL is set: events are stored, and \
             nobody answers them"
                .to_owned(),
        );
    } else if !sources
        .names()
        .any(|name| name.starts_with("WHATSAPP_TOKEN"))
    {
        warnings
            .push("WHATSAPP_TOKEN is not set: replies wait in the outbox until it is".to_owned());
    }
    for name in sources.unknown_in_dotenv() {
        warnings.push(format!(
            ".env sets {name}, which is no setting of wabridge: a typing slip?"
        ));
    }
    warnings
}

fn is_loopback(listen: &Listen) -> bool {
    match listen {
        Listen::Tcp(address) => address.ip().is_loopback(),
        Listen::Unix(_) => true,
    }
}

/// Reads settings one by one and gathers what is wrong.
struct Reader<'s> {
    sources: &'s Sources,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(Problem(text.into()));
    }

    /// The value, or its default from the table.
    fn value(&self, name: &str) -> String {
        let default = || table::default(name).to_owned();
        self.sources.value(name).unwrap_or_else(default)
    }

    fn require(&mut self, name: &str, present: bool) {
        // A value that is there but wrong has been reported already.
        if !present && self.sources.value(name).is_none() {
            let mend = table::find(name).mend;
            self.problem(format!("{name} is not set: {mend}"));
        }
    }

    /// A secret that may name several, separated by commas.
    fn secrets(&mut self, name: &str) -> Vec<Secret> {
        let Some(value) = self.sources.value(name) else {
            return Vec::new();
        };
        let parts: Vec<&str> = value.split(',').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            let mend = table::find(name).mend;
            self.problem(format!(
                "{name} is empty, or has an empty part between commas, and an empty secret \
                 protects nothing: {mend}"
            ));
            return Vec::new();
        }
        parts.into_iter().map(Secret::new).collect()
    }

    fn tokens(&mut self) -> Tokens {
        let mut tokens = Tokens::default();
        let names: Vec<String> = self.sources.names().map(str::to_owned).collect();
        for name in names {
            let Some(rest) = name.strip_prefix("WHATSAPP_TOKEN") else {
                continue;
            };
            let token = self.sources.value(&name).unwrap_or_default();
            let token = token.trim();
            if token.is_empty() {
                self.problem(format!(
                    "{name} is empty: copy the token from WhatsApp → API Setup, or take the line out"
                ));
                continue;
            }
            // It goes into a header: anything else could break out of it.
            if !token.bytes().all(|b| b.is_ascii_graphic()) {
                self.problem(format!(
                    "{name} holds characters no token has (blanks, line breaks): copy it again"
                ));
                continue;
            }
            match rest.strip_prefix('_') {
                Some(number) => {
                    tokens
                        .by_number
                        .insert(number.to_owned(), Secret::new(token));
                }
                None => tokens.common = Some(Secret::new(token)),
            }
        }
        tokens
    }

    fn rates(&mut self) -> Rates {
        let prefix = "RATE_PER_NUMBER_";
        let of_numbers: Vec<String> = self
            .sources
            .names()
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        let mut rates = Rates::all(self.rate("RATE_PER_NUMBER"));
        for name in of_numbers {
            if !table::is_known(&name) {
                self.problem(format!(
                    "{name} names no number: write {prefix} and the phone_number_id, which has \
                     digits only (App Dashboard → WhatsApp → API Setup)"
                ));
            } else if self.sources.value(&name).is_some() {
                let rate = self.rate(&name);
                let number = name[prefix.len()..].to_owned();
                rates.by_number.insert(number, rate);
            }
        }
        rates
    }

    fn rate(&mut self, name: &str) -> Rate {
        Rate::per_second(self.number(name, 1, RATE_MAX) as u32)
    }

    fn listen(&mut self, name: &str, port: u16) -> Listen {
        let text = self.value(name);
        let fallback = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                self.problem(format!(
                    "{name}=unix: names no path: write unix:/run/wabridge/NAME.sock"
                ));
            }
            return Listen::Unix(PathBuf::from(path));
        }
        let Ok(address) = text
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse::<SocketAddr>()
        else {
            self.problem(format!(
                "{name}={text} is not an address: write IP:PORT, such as 127.0.0.1:{port}, or unix:/path"
            ));
            return fallback;
        };
        if !address.ip().is_loopback() && !self.yes_or_no("ALLOW_PUBLIC_LISTEN") {
            self.problem(format!(
                "{name}={text} can be reached from other machines, and the HTTP server inside has \
                 no time-outs against slow or hostile clients: listen on 127.0.0.1 and put nginx \
                 in front (systemd/nginx.conf), or set ALLOW_PUBLIC_LISTEN=true if something \
                 else shields it"
            ));
        }
        Listen::Tcp(address)
    }

    fn webhook_path(&mut self) -> String {
        let path = self.value("WEBHOOK_PATH");
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"/-_.~".contains(&c);
        if !path.starts_with('/') || path == "/healthz" || !path.bytes().all(plain) {
            self.problem(format!(
                "WEBHOOK_PATH={path} cannot be used: it starts with /, is not /healthz, and has \
                 only letters, digits and / - _ . ~"
            ));
        }
        path
    }

    fn database(&mut self) -> PathBuf {
        database(self.sources).unwrap_or_else(|problem| {
            self.problems.push(problem);
            PathBuf::new()
        })
    }

    fn url(&mut self, name: &str) -> Option<String> {
        let url = self.value(name);
        if url.is_empty() {
            return None;
        }
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
        let plain = url.bytes().all(|b| b.is_ascii_graphic());
        if !plain || host.is_none_or(|host| host.is_empty() || host.contains('@')) {
            self.problem(format!(
                "{name} is not an address: write https://host/path (http:// for this machine)"
            ));
            return None;
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    fn graph_version(&mut self) -> String {
        let version = self.value("GRAPH_API_VERSION");
        let number = version.strip_prefix('v').and_then(|v| v.split_once('.'));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !number.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
            self.problem(format!(
                "GRAPH_API_VERSION={version} is not a version: write it as Meta does, such as v26.0"
            ));
        }
        version
    }

    fn forward(
        &mut self,
        timeout: Duration,
        concurrency: usize,
        allow_private: bool,
    ) -> Option<Forward> {
        let key = self.standard_key("FORWARD_SECRET");
        // The address as given: an app's path may end in a slash.
        self.url("FORWARD_URL")?;
        Some(Forward {
            url: self.value("FORWARD_URL"),
            key,
            timeout,
            concurrency,
            allow_private,
        })
    }

    fn api(&mut self) -> Option<Api> {
        let api = Api {
            keys: self.secrets("API_KEY"),
            wait: self.seconds("API_WAIT"),
        };
        (!api.keys.is_empty()).then_some(api)
    }

    fn media(&mut self) -> Option<Media> {
        let words = self.value("MEDIA_KINDS");
        let kinds = Kinds::parse(&words).unwrap_or_else(|word| {
            self.problem(format!(
                "MEDIA_KINDS={words}: {word:?} is no kind of file: write all, or some of image, \
                 video, audio, document, sticker, separated by commas"
            ));
            Kinds::NONE
        });
        let bytes_max = self.bytes("MEDIA_BYTES_MAX");
        let folder = self.sources.value("MEDIA_DIR")?;
        let state = self.sources.value("STATE_DIRECTORY").unwrap_or_default();
        Some(Media {
            // An absolute one stays as it is.
            folder: PathBuf::from(state).join(folder),
            bytes_max,
            kinds,
        })
    }

    /// A number of bytes: `500000`, `500KB`, `16MB` or `1GB`; at most 1 TB.
    fn bytes(&mut self, name: &str) -> u64 {
        let text = self.value(name);
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" | "B" => Some(1),
            "KB" => Some(1_000),
            "MB" => Some(1_000_000),
            "GB" => Some(1_000_000_000_u64),
            _ => None,
        };
        let number = digits.trim_end().parse::<u64>().ok().zip(factor);
        match number.and_then(|(n, factor)| n.checked_mul(factor)) {
            Some(bytes) if (1..=1_000_000_000_000).contains(&bytes) => bytes,
            _ => {
                self.problem(format!(
                    "{name}={text} is not a number of bytes: write 500KB, 16MB or 1GB"
                ));
                1
            }
        }
    }

    fn on_unknown(&mut self) -> OnUnknown {
        match self.value("ON_UNKNOWN").as_str() {
            "resend" => OnUnknown::Resend,
            "hold" => OnUnknown::Hold,
            other => {
                self.problem(format!("ON_UNKNOWN={other} is neither resend nor hold"));
                OnUnknown::Hold
            }
        }
    }

    fn stale(&mut self) -> Option<Stale> {
        let after_ms = self.seconds("STALE_AFTER").as_millis() as i64;
        let then = match self.value("ON_STALE").as_str() {
            "deliver" => return None,
            "mark" => OnStale::Mark,
            "skip" => OnStale::Skip,
            other => {
                self.problem(format!(
                    "ON_STALE={other} is not known: write mark, deliver or skip"
                ));
                OnStale::Mark
            }
        };
        Some(Stale { after_ms, then })
    }

    fn debounce(&mut self) -> Option<Debounce> {
        if self.value("DEBOUNCE").is_empty() {
            return None;
        }
        let silence_ms = self.seconds("DEBOUNCE").as_millis() as i64;
        if silence_ms > burst::WAIT_MAX_MS {
            let most = burst::WAIT_MAX_MS / 60_000;
            self.problem(format!(
                "DEBOUNCE is too long for somebody who waits for an answer: write some seconds, at \
                 most {most}m"
            ));
        }
        Some(Debounce { silence_ms })
    }

    fn retention_ms(&mut self) -> Option<i64> {
        let (name, least) = ("RETENTION_DAYS", upkeep::AGE_MIN_MS / DAY_MS);
        let text = self.value(name);
        match text.parse::<i64>() {
            Ok(0) => None,
            Ok(days) if (least..=RETENTION_DAYS_MAX).contains(&days) => Some(days * DAY_MS),
            _ => {
                self.problem(format!(
                    "{name}={text} is not a number of days from {least} to {RETENTION_DAYS_MAX}: write 90, or 0 to keep everything"
                ));
                None
            }
        }
    }

    fn service_templates(&mut self) -> Vec<String> {
        let setting = self.value("SERVICE_TEMPLATES");
        let names = setting.split(',').map(str::trim);
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if let Some(name) = names.iter().find(|name| !name.chars().all(plain)) {
            self.problem(format!(
                "SERVICE_TEMPLATES: `{name}` is no template's name: those have only small letters, digits and _; separate them by commas"
            ));
        }
        names
    }

    fn window_template(&mut self) -> Option<Substitute> {
        let setting = self.value("WINDOW_TEMPLATE");
        if setting.is_empty() {
            return None;
        }
        match Substitute::parse(&setting) {
            Ok(substitute) => Some(substitute),
            Err(mend) => {
                self.problem(format!("WINDOW_TEMPLATE={setting}: {mend}"));
                None
            }
        }
    }

    fn yes_or_no(&mut self, name: &str) -> bool {
        match self.value(name).to_ascii_lowercase().as_str() {
            "" | "false" | "no" | "0" => false,
            "true" | "yes" | "1" => true,
            other => {
                self.problem(format!("{name}={other} is neither true nor false"));
                false
            }
        }
    }

    fn number(&mut self, name: &str, least: u64, most: u64) -> u64 {
        let text = self.value(name);
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.problem(format!(
                    "{name}={text} is not a number from {least} to {most}"
                ));
                least
            }
        }
    }

    /// A span of time: `90`, `90s`, `15m`, `24h` or `7d`; at most 400 days.
    fn seconds(&mut self, name: &str) -> Duration {
        let text = self.value(name);
        match span_of_time(&text) {
            Some(span) => span,
            None => {
                self.problem(format!(
                    "{name}={text} is not a span of time: write 90s, 15m, 24h or 7d"
                ));
                Duration::from_secs(1)
            }
        }
    }
}

/// Reads a span of time as it is written in settings: `90s`, `15m`, `24h`, `7d`, or seconds; from
/// one second to 400 days.
pub fn span_of_time(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        digits if digits.len() == text.len() => (digits, "s"),
        digits => (digits, &text[digits.len()..]),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    (1..=400 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
