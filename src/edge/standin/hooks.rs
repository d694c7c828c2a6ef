//! Meta's side of the webhook: signs a notification and posts it, once. Who delivers again, and
//! when, is decided by the caller.

use std::fmt::Write as _;
use std::time::Duration;

use ring::hmac;

/// Posts signed notifications.
pub(super) struct Hooks {
    agent: ureq::Agent,
    key: hmac::Key,
    timeout: Duration,
}

impl Hooks {
    pub fn new(app_secret: &str, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The callback is on this machine, whatever the environment says about proxies.
            .proxy(None)
            // One request a connection, as nginx does it in front of the bridge: tiny_http leaves
            // new connections waiting as long as kept ones hold its threads.
            .max_idle_connections(0)
            .build();
        Hooks {
            agent: config.into(),
            key: hmac::Key::new(hmac::HMAC_SHA256, app_secret.as_bytes()),
            timeout,
        }
    }

    /// Posts the body; `Err` says why it does not count as delivered. Only a 200 counts.
    pub fn post(&self, url: &str, body: &str, within: Duration) -> Result<(), String> {
        let answer = self
            .agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Hub-Signature-256", self.signature(body.as_bytes()))
            .header("User-Agent", "facebookexternalua")
            .header("Connection", "close")
            .config()
            .timeout_global(Some(self.timeout.min(within)))
            .build()
            .send(body);
        match answer {
            Ok(answer) if answer.status() == 200 => Ok(()),
            Ok(answer) => Err(format!(
                "the callback answered {}",
                answer.status().as_u16()
            )),
            Err(error) => Err(format!("the callback did not answer: {error}")),
        }
    }

    /// The handshake of a callback that is about to be set; `Err` says what was wrong, as Graph does.
    pub fn handshake(&self, url: &str, verify_token: &str, within: Duration) -> Result<(), String> {
        // Nobody is to pass by chance; whom it is to be hidden from is not here.
        let challenge = "1158201444";
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", challenge)
            .append_pair("hub.verify_token", verify_token)
            .finish();
        let joint = if url.contains('?') { '&' } else { '?' };
        let answer = self
            .agent
            .get(format!("{url}{joint}{query}"))
            .config()
            .timeout_global(Some(within))
            .build()
            .call();
        let mut answer = answer.map_err(|error| format!("no answer: {error}"))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().unwrap_or_default();
        match status {
            200 if body == challenge => Ok(()),
            200 => Err("the challenge did not come back".into()),
            status => Err(format!("HTTP Status Code = {status}")),
        }
    }

    /// What `appsecret_proof` must be for a token.
    pub fn proof(&self, token: &str) -> String {
        self.hex(token.as_bytes())
    }

    fn signature(&self, body: &[u8]) -> String {
        format!("sha256={}", self.hex(body))
    }

    fn hex(&self, signed: &[u8]) -> String {
        let tag = hmac::sign(&self.key, signed);
        tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_in_lower_case_hex() {
        // RFC 4231, test case 2.
        let hooks = Hooks::new("Jefe", Duration::from_secs(1));
        assert_eq!(
            hooks.signature(b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
