//! Hands events to an HTTP app, as Meta would: an app written for Meta's
//! webhooks works behind it unchanged, and may answer with replies.

use super::answer::{ANSWER_BYTES_MAX, replies};
use super::{Delivery, Handled, Handler, Outcome, Wants};
use crate::config::Forward;
use crate::wire::retry_after;
use crate::wire::signature::{HubKeys, StandardKey};
use std::time::Duration;
use ureq::{Agent, Error};

/// The app is near: a connection that takes longer will not come about.
const CONNECT: Duration = Duration::from_secs(5);

/// An HTTP app.
pub struct ForwardHandler {
    agent: Agent,
    url: String,
    hub_keys: HubKeys,
    standard_key: Option<StandardKey>,
}

impl ForwardHandler {
    /// An app by these settings; `hub_keys` sign as Meta does.
    pub fn new(forward: &Forward, hub_keys: &HubKeys) -> ForwardHandler {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(forward.timeout))
            .max_idle_connections_per_host(forward.concurrency)
            // The app is the operator's own and near: proxies that the
            // environment names for the outside world are not asked.
            .proxy(None)
            .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        ForwardHandler {
            agent,
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
            return Ok(refused(status, retry_after));
        }
        let limited = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX as u64);
        match limited.read_to_vec() {
            Ok(answer) => Ok(Outcome::done(replies(&answer))),
            Err(Error::BodyExceedsLimit(_)) => Ok(Outcome::Dead {
                reason: "the app's answer is over 1 MiB".into(),
            }),
            Err(error) => Err(error),
        }
    }
}

impl Handler for ForwardHandler {
    fn wants(&self) -> Wants {
        Wants::All
    }

    fn handle(&self, delivery: &Delivery) -> Handled {
        Handled::Yes(self.call(delivery).unwrap_or_else(|error| Outcome::Retry {
            reason: format!("the app could not be reached: {}", in_words(&error)).into(),
            wait: None,
            down: true,
        }))
    }
}

/// What a status other than 2xx means for the event.
fn refused(status: u16, wait: Option<Duration>) -> Outcome {
    match status {
        300..400 => Outcome::Retry {
            reason: format!("the app redirects ({status}): set FORWARD_URL to the final address")
                .into(),
            wait,
            down: true,
        },
        408 | 429 => Outcome::Retry {
            reason: format!("the app answered {status}").into(),
            wait,
            down: false,
        },
        500.. => Outcome::Retry {
            reason: format!("the app answered {status}").into(),
            wait,
            down: true,
        },
        _ => Outcome::Dead {
            reason: format!("the app refused it with {status}").into(),
        },
    }
}

/// What went wrong with a call, without what was in it.
fn in_words(error: &Error) -> String {
    match error {
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
        let kind = |status| match refused(status, Some(Duration::from_secs(7))) {
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
