//! Settings: where they come from, what they mean, and what is wrong with them.
//!
//! Every setting stands once in [`table::GROUPS`]; help texts and `.env.example`
//! ([`listing`]) and the checks come from there. A value comes from the environment, then
//! from `.env` in the working folder, then, for a secret, from the file named
//! by `NAME_FILE` and from systemd's credentials. All mistakes are found at
//! once, each with its mend.
//!
//! [`survey`] puts together what `values` describes from what `reader` reads.

mod alarms;
mod command;
mod console;
mod effective;
mod levels;
pub mod listing;
mod observers;
mod reader;
mod sources;
pub mod table;
mod values;

pub use alarms::Alarms;
pub use command::Command;
pub use console::Console;
pub use effective::{Effective, Shown, Source};
pub use levels::{Levels, LogFormat, crate_of};
pub use observers::{Observer, ObserverLimits, Selection};
pub use reader::span_of_time;
pub use sources::Sources;
pub use values::{
    Api, Config, Forward, Limits, Listen, Media, OnUnknown, Problem, Rates, Secret, Tokens,
};

use crate::wire::media::Kinds;
use crate::wire::signature::HubKeys;
use reader::Reader;
use std::path::PathBuf;
use std::time::Duration;

/// With `KEEP_MEDIA_ORDER`, the most a message waits for the file before it. Meta
/// promises an order only after `delivered` (Meta: messages), but a phone that is
/// off would hold up the rest for days. `sent` comes within a second or two as a
/// rule, once Meta has the file ready; when nothing has come after this, nothing
/// comes soon.
const MEDIA_ORDER_WAIT_MS: i64 = 5_000;

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
    let operator =
        (api.is_some() || console.is_some() || !metrics_keys.is_empty()).then_some(operator);
    if operator.as_ref() == Some(&listen) && !listen.is_any_port() {
        reader.problem(format!(
            "LISTEN and OPERATOR_LISTEN are both {listen}, and what is for the internet and what is \
             not must be apart: set another OPERATOR_LISTEN"
        ));
    }
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
        operator,
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

#[cfg(test)]
mod tests;
