//! How settings are read, one by one, each with the mend for what is wrong. Those
//! with a module of their own (observers, alarms …) are read there.

use super::{
    Api, Forward, Listen, Media, OnUnknown, Problem, Rates, Secret, Sources, Tokens, database,
    table,
};
use crate::policy::burst::{self, Debounce};
use crate::policy::pacing::Rate;
use crate::policy::stale::{OnStale, Stale};
use crate::policy::upkeep;
use crate::wire::media::Kinds;
use crate::wire::substitute::Substitute;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The highest throughput that Meta grants a number (Meta: throughput page).
const RATE_MAX: u64 = 1_000;

const DAY_MS: i64 = 24 * 3_600_000;

/// A hundred years are for ever, which is 0.
const RETENTION_DAYS_MAX: i64 = 36_500;

/// Reads settings one by one and gathers what is wrong.
pub(super) struct Reader<'s> {
    pub(super) sources: &'s Sources,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(Problem(text.into()));
    }

    /// The value, or its default from the table.
    pub(super) fn value(&self, name: &str) -> String {
        let default = || table::default(name).to_owned();
        self.sources.value(name).unwrap_or_else(default)
    }

    pub(super) fn require(&mut self, name: &str, present: bool) {
        // A value that is there but wrong has been reported already.
        if !present && self.sources.value(name).is_none() {
            let mend = table::find(name).mend;
            self.problem(format!("{name} is not set: {mend}"));
        }
    }

    /// A secret that may name several, separated by commas.
    pub(super) fn secrets(&mut self, name: &str) -> Vec<Secret> {
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

    pub(super) fn tokens(&mut self) -> Tokens {
        let mut tokens = Tokens::default();
        let names: Vec<String> = self.sources.names().map(str::to_owned).collect();
        for name in names {
            let Some(rest) = name.strip_prefix("WHATSAPP_TOKEN") else {
                continue;
            };
            // The name of a file that has one.
            if rest.ends_with("_FILE") {
                continue;
            }
            if !table::is_secret(&name) {
                self.problem(format!(
                    "{name} names no number: write WHATSAPP_TOKEN_ and the phone_number_id, which \
                     has digits only (App Dashboard → WhatsApp → API Setup)"
                ));
                continue;
            }
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

    pub(super) fn rates(&mut self) -> Rates {
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

    pub(super) fn listen(&mut self, name: &str, port: u16) -> Listen {
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

    pub(super) fn webhook_path(&mut self) -> String {
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

    pub(super) fn database(&mut self) -> PathBuf {
        database(self.sources).unwrap_or_else(|problem| {
            self.problems.push(problem);
            PathBuf::new()
        })
    }

    pub(super) fn url(&mut self, name: &str) -> Option<String> {
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

    pub(super) fn graph_version(&mut self) -> String {
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

    pub(super) fn forward(
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

    pub(super) fn api(&mut self) -> Option<Api> {
        let api = Api {
            keys: self.secrets("API_KEY"),
            wait: self.seconds("API_WAIT"),
        };
        (!api.keys.is_empty()).then_some(api)
    }

    pub(super) fn media(&mut self) -> Option<Media> {
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

    pub(super) fn on_unknown(&mut self) -> OnUnknown {
        match self.value("ON_UNKNOWN").as_str() {
            "resend" => OnUnknown::Resend,
            "hold" => OnUnknown::Hold,
            other => {
                self.problem(format!("ON_UNKNOWN={other} is neither resend nor hold"));
                OnUnknown::Hold
            }
        }
    }

    pub(super) fn stale(&mut self) -> Option<Stale> {
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

    pub(super) fn debounce(&mut self) -> Option<Debounce> {
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

    pub(super) fn retention_ms(&mut self) -> Option<i64> {
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

    pub(super) fn service_templates(&mut self) -> Vec<String> {
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

    pub(super) fn window_template(&mut self) -> Option<Substitute> {
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

    pub(super) fn yes_or_no(&mut self, name: &str) -> bool {
        match self.value(name).to_ascii_lowercase().as_str() {
            "" | "false" | "no" | "0" => false,
            "true" | "yes" | "1" => true,
            other => {
                self.problem(format!("{name}={other} is neither true nor false"));
                false
            }
        }
    }

    pub(super) fn number(&mut self, name: &str, least: u64, most: u64) -> u64 {
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
    pub(super) fn seconds(&mut self, name: &str) -> Duration {
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
