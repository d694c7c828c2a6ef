//! One alert, told to ALERT_URL: JSON by the Standard Webhooks specification.

use crate::config::Alarms;
use crate::edge::clock;
use crate::handler::forward;
use crate::store::tx::Alert;
use serde_json::json;
use std::time::Duration;

/// Whoever is told need not do more than take it.
const WITHIN: Duration = Duration::from_secs(10);

/// Tells it, once; why not, in our words, when it is not taken with 2xx.
pub fn tell(url: &str, by: &Alarms, alert: &Alert, instance: &str) -> Result<(), String> {
    let body = body(alert);
    // The same on every attempt: so the other side can tell repeats.
    let id = format!("alert_{instance}_{}", alert.id);
    let timestamp = clock::now_ms() / 1_000;
    let mut request = forward::agent(WITHIN, 1, by.allow_private)
        .post(url)
        .header("Content-Type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", timestamp.to_string());
    if let Some(key) = &by.key {
        let signature = key.sign(&id, timestamp, body.as_bytes());
        request = request.header("webhook-signature", signature);
    }
    match request.send(&body) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
        Err(error) => Err(forward::in_words(&error)),
    }
}

/// `text` is for chats, which show it as it is.
fn body(alert: &Alert) -> String {
    let cause = &alert.cause;
    let about = match cause.subject.is_empty() {
        true => String::new(),
        false => format!(" ({})", cause.subject),
    };
    let (event, text) = match alert.over_at {
        None => (
            "alarm.raised",
            format!(
                "wabridge: {}{about}. To mend it: {}",
                cause.says, cause.mend
            ),
        ),
        Some(_) => (
            "alarm.over",
            format!("wabridge: over{about}: {}", cause.says),
        ),
    };
    json!({
        "type": event,
        "timestamp": clock::rfc3339(alert.created_at),
        "text": text,
        "data": {
            "alarm": cause.kind.as_str(),
            "subject": cause.subject,
            "says": cause.says,
            "mend": cause.mend,
            "since": clock::rfc3339(alert.since),
            "over": alert.over_at.map(clock::rfc3339),
        },
    })
    .to_string()
}
