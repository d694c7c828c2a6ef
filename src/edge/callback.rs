//! What answers at the webhook's public address: the handshake and a signed
//! notification, played by us from outside.

use super::graph::{Roots, RootsError, in_words, is_distrusted};
use crate::config::{Config, Secret};
use crate::policy::doctor::{Shake, Taken};
use crate::wire::handshake;
use crate::wire::signature::HubKeys;
use std::time::Duration;
use ureq::{Agent, Error, Proxy};

/// Meta waits a few seconds; an answer that takes longer is none.
const WITHIN: Duration = Duration::from_secs(10);

/// A challenge is short; of anything else no more is read.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// A notification without events: it is taken, and leaves no trace.
const NOTHING: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;

/// Somebody outside.
pub struct Caller {
    agent: Agent,
}

impl Caller {
    /// With these settings' authorities.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be used.
    pub fn new(config: &Config) -> Result<Caller, RootsError> {
        let roots = Roots::of(config)?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(WITHIN))
            .max_idle_connections(0)
            .tls_config(roots.tls())
            // The environment's proxy is the way out for TLS; what is plain is near.
            .proxy(Proxy::try_from_env().filter(|_| !config.graph_is_near()))
            .user_agent(concat!("wabridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Caller { agent })
    }

    /// Meta's verification request, with a challenge that nobody can know. Whoever
    /// answers sees the token: this is for an address that Meta is to be told.
    pub fn shake(&self, url: &str, verify_token: &Secret, challenge: &str) -> Shake {
        self.ask(url, verify_token.expose(), challenge, challenge)
    }

    /// Whether a service with this token answers, which nobody else is shown.
    pub fn prove(&self, url: &str, verify_token: &Secret, challenge: &str) -> Shake {
        let token = verify_token.expose();
        let proof = handshake::proof(token, challenge);
        self.ask(url, &proof, challenge, &handshake::answer(token, challenge))
    }

    fn ask(&self, url: &str, verify_token: &str, challenge: &str, expected: &str) -> Shake {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", challenge)
            .append_pair("hub.verify_token", verify_token)
            .finish();
        let joint = if url.contains('?') { '&' } else { '?' };
        let answer = self.agent.get(format!("{url}{joint}{query}")).call();
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(Error::Io(error)) if is_distrusted(&error) => return Shake::Distrusted,
            Err(error) => return Shake::Silent(in_words(&error)),
        };
        match answer.status().as_u16() {
            200 => {
                let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
                match body.read_to_vec() {
                    Ok(body) if body == expected.as_bytes() => Shake::Passed,
                    _ => Shake::Otherwise,
                }
            }
            301..=303 | 307 | 308 => {
                let to = answer.headers().get("Location");
                let to = to.and_then(|to| to.to_str().ok()).unwrap_or_default();
                Shake::Redirect(place_of(to, verify_token))
            }
            status => Shake::Status(status),
        }
    }

    /// A notification without events, signed as Meta does; nothing without a
    /// secret to sign with.
    pub fn notify(&self, url: &str, keys: &HubKeys) -> Option<Taken> {
        let signature = keys.sign(NOTHING)?;
        let answer = self
            .agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Hub-Signature-256", signature)
            .send(NOTHING);
        Some(match answer {
            Ok(answer) if answer.status() == 200 => Taken::Yes,
            Ok(answer) => Taken::Status(answer.status().as_u16()),
            Err(error) => Taken::Silent(in_words(&error)),
        })
    }
}

/// Where a redirect leads, without its query: many pages for logging in are told
/// there where to go on, and with that the verify token, escaped once or twice.
fn place_of(location: &str, verify_token: &str) -> String {
    let place = location.split(['?', '#', ';']).next().unwrap_or_default();
    match place.is_empty() || place.contains("hub.") || place.contains(verify_token) {
        true => "another address".to_owned(),
        false => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(location: &str, expected: &str) {
        assert_eq!(place_of(location, "s3cret"), expected, "{location}");
    }

    #[test]
    fn where_a_redirect_leads_is_told_without_the_verify_token() {
        check("https://b.example/", "https://b.example/");
        check("/webhook/?hub.mode=subscribe&x=1", "/webhook/");
        check("/webhook/?hub.verify_token=s3cret&hub.mode=x", "/webhook/");
        check(
            "https://b.example/login?next=%2Fwebhook%3Fhub.mode%3Dsubscribe%26hub.verify_token%3Ds3cret",
            "https://b.example/login",
        );
        check("/login#/webhook?hub.verify_token=s3cret", "/login");
        check("/login;u=s3cret", "/login");
        check("/go/s3cret", "another address");
        check(
            "/login/%2Fwebhook%3Fhub.verify_token%3Dx",
            "another address",
        );
        check("", "another address");
    }
}
