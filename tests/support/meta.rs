//! Meta's side of the webhook: a notification is delivered again and again,
//! the same bytes, until it is answered 200.

use super::{APP_SECRET, PATIENCE, request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wabridge::wire::signature::HubKeys;

/// Meta waits seconds and then hours; what matters here is that it comes again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How often a delivery met what: a status, or 0 when no answer came.
pub type Met = BTreeMap<u16, usize>;

/// Delivers a signed notification until it is acknowledged, and tells what it
/// met on the way.
pub fn deliver(address: SocketAddr, body: &str) -> Met {
    let deadline = Instant::now() + PATIENCE;
    let mut met = Met::new();
    loop {
        let status = post(address, body, &[]);
        *met.entry(status).or_default() += 1;
        if status == 200 {
            return met;
        }
        assert!(Instant::now() < deadline, "never acknowledged: {met:?}");
        std::thread::sleep(AGAIN_AFTER);
    }
}

/// One signed post; 0 when no answer came.
pub fn post(address: SocketAddr, body: &str, headers: &[(&str, &str)]) -> u16 {
    let signature = HubKeys::new([APP_SECRET]).sign(body.as_bytes()).unwrap();
    let mut all = vec![
        ("X-Hub-Signature-256", signature.as_str()),
        ("Content-Type", "application/json"),
    ];
    all.extend(headers);
    request(address, "POST", "/webhook", &all, body.as_bytes()).map_or(0, |answer| answer.status)
}

/// Adds up what several deliveries met.
pub fn add(all: &mut Met, more: Met) {
    for (status, count) in more {
        *all.entry(status).or_default() += count;
    }
}
