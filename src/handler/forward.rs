//! Hands events to an HTTP app, as Meta would: an app written for Meta's
//! webhooks works behind it unchanged, and may answer with replies. An observer
//! gets the same, and what it answers is not read.

mod target;

use super::answer::{ANSWER_BYTES_MAX, replies};
use super::{Delivery, Handled, Handler, Outcome, Wants};
use crate::config::{Forward, Observer};
use crate::wire::retry_after;
use crate::wire::signature::{HubKeys, StandardKey};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use target::PublicNames;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Error};

/// The app is near: a connection that takes longer will not come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Of what an observer answers no more is taken off the line; it costs the
/// connection, and nothing else.
const UNREAD_BYTES_MAX: u64 = 64 << 10;

/// An HTTP app.
pub struct ForwardHandler {
    role: Role,
    agent: Agent,
    url: String,
    hub_keys: HubKeys,
    standard_key: Option<StandardKey>,
}

impl ForwardHandler {
    /// The app that answers, by these settings; `hub_keys` sign as Meta does.
    pub fn new(forward: &Forward, hub_keys: &HubKeys) -> ForwardHandler {
        ForwardHandler::of(Role::Bot, forward, hub_keys)
    }

    /// An app that gets a copy.
    pub fn observer(observer: &Observer, hub_keys: &HubKeys) -> ForwardHandler {
        let name = Arc::clone(&observer.limits.name);
        ForwardHandler::of(Role::Observer(name), &observer.app, hub_keys)
    }

    fn of(role: Role, forward: &Forward, hub_keys: &HubKeys) -> ForwardHandler {
        ForwardHandler {
            role,
            agent: agent(forward.timeout, forward.concurrency, forward.allow_private),
            url: forward.url.clone(),
            hub_keys: hub_keys.clone(),
            standard_key: forward.key.clone(),
        }
    }

    fn call(&self, delivery: &Delivery) -> Result<Outcome, Error> {
        let body = delivery.body.as_bytes();
        let timestamp = delivery.started_at / 1_000;
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("webhook-id", &delivery.webhook_id)
            .header("webhook-timestamp", timestamp.to_string());
        if let Some(age_ms) = delivery.facts.stale_ms {
            request = request.header("X-Wabridge-Stale", (age_ms / 1_000).to_string());
        }
        if let Some(signature) = self.hub_keys.sign(body) {
            request = request.header("X-Hub-Signature-256", signature);
        }
        if let Some(key) = &self.standard_key {
            let signature = key.sign(&delivery.webhook_id, timestamp, body);
            request = request.header("webhook-signature", signature);
        }
        let mut response = request.send(body)?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            let retry_after = response
                .headers()
                .get("Retry-After")
                .and_then(|value| value.to_str().ok())
                // Counted from before the call: rather a moment late.
                .and_then(|text| retry_after::read(text, delivery.started_at));
            return Ok(refused(&self.role, status, retry_after));
        }
        let body = response.body_mut().with_config();
        if let Role::Observer(_) = self.role {
            // It is done, whatever comes of this: read to keep the connection.
            let _ = body.limit(UNREAD_BYTES_MAX).read_to_vec();
            return Ok(Outcome::done(Vec::new()));
        }
        match body.limit(ANSWER_BYTES_MAX as u64).read_to_vec() {
            Ok(answer) => Ok(Outcome::done(replies(&answer))),
            Err(Error::BodyExceedsLimit(_)) => Ok(Outcome::Dead {
                reason: "the app's answer is over 1 MiB".into(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// A client for what the operator has named: it follows no redirect, and into a
/// private network only what says so, unless `allow_private`.
pub fn agent(timeout: Duration, concurrency: usize, allow_private: bool) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(timeout))
        .max_idle_connections_per_host(concurrency)
        // It is the operator's own and near: proxies that the environment names
        // for the outside world are not asked.
        .proxy(None)
        .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
        .build();
    match allow_private {
        true => config.into(),
        false => Agent::with_parts(config, DefaultConnector::new(), PublicNames::default()),
    }
}

/// What an app is to us.
enum Role {
    Bot,
    /// By its name.
    Observer(Arc<str>),
}

impl Role {
    /// The setting that holds its address.
    fn setting(&self) -> String {
        match self {
            Role::Bot => "FORWARD_URL".into(),
            Role::Observer(name) => format!("OBSERVER_{}_URL", name.to_ascii_uppercase()),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Role::Bot => f.write_str("the app"),
            Role::Observer(name) => write!(f, "the observer {name}"),
        }
    }
}

impl ForwardHandler {
    /// Calls the app and says what came of it.
    pub fn deliver(&self, delivery: &Delivery) -> Outcome {
        self.call(delivery).unwrap_or_else(|error| Outcome::Retry {
            reason: format!("{} could not be reached: {}", self.role, in_words(&error)).into(),
            wait: None,
            down: true,
        })
    }
}

impl Handler for ForwardHandler {
    fn wants(&self) -> Wants {
        Wants::All
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        Handled::Yes(self.deliver(delivery))
    }
}

/// What a status other than 2xx means for the event.
fn refused(app: &Role, status: u16, wait: Option<Duration>) -> Outcome {
    match status {
        300..400 => Outcome::Retry {
            reason: format!(
                "{app} redirects ({status}): set {} to the final address",
                app.setting()
            )
            .into(),
            wait,
            down: true,
        },
        408 | 429 => Outcome::Retry {
            reason: format!("{app} answered {status}").into(),
            wait,
            down: false,
        },
        500.. => Outcome::Retry {
            reason: format!("{app} answered {status}").into(),
            wait,
            down: true,
        },
        _ => Outcome::Dead {
            reason: format!("{app} refused it with {status}").into(),
        },
    }
}

/// What went wrong with a call, without what was in it.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "its name leads into a private network: write the address itself, or set ALLOW_PRIVATE_TARGETS=true"
                .into()
        }
        Error::Io(error) => error.kind().to_string(),
        Error::Timeout(at) => format!("time-out ({at})"),
        Error::HostNotFound => "host name not found".into(),
        Error::ConnectionFailed => "connection failed".into(),
        _ => "the call failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_again_or_never() {
        let kind = |status| match refused(&Role::Bot, status, Some(Duration::from_secs(7))) {
            Outcome::Retry { wait, down, .. } => {
                assert_eq!(wait, Some(Duration::from_secs(7)));
                if down { "again, app down" } else { "again" }
            }
            Outcome::Dead { .. } => "never",
            Outcome::Done { .. } => "done",
        };
        let cases = [
            (301, "again, app down"),
            (400, "never"),
            (401, "never"),
            (404, "never"),
            (408, "again"),
            (410, "never"),
            (422, "never"),
            (429, "again"),
            (500, "again, app down"),
            (503, "again, app down"),
        ];
        for (status, expected) in cases {
            assert_eq!(kind(status), expected, "{status}");
        }
    }
}
