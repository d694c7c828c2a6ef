//! The operator's console: the password's hash, and what signs its sessions.

use super::{Reader, Secret, table};
use crate::policy::password::PasswordHash;
use crate::policy::session::{Keys, SECRET_CHARS_MIN};

/// The console, when there is a password to it.
#[derive(Clone, Debug)]
pub struct Console {
    /// `CONSOLE_PASSWORD_HASH`.
    pub password: PasswordHash,
    /// Sign sessions and forms: `SESSION_SECRET`.
    pub sessions: Keys,
}

impl Reader<'_> {
    pub(super) fn console(&mut self) -> Option<Console> {
        let secrets = self.session_secrets();
        let name = "CONSOLE_PASSWORD_HASH";
        let text = self.sources.value(name)?;
        let mend = table::find(name).mend;
        let Some(password) = PasswordHash::parse(&text) else {
            self.problem(format!("{name} is not a password's hash: {mend}"));
            return None;
        };
        if secrets.is_empty() && self.sources.value("SESSION_SECRET").is_none() {
            let mend = table::find("SESSION_SECRET").mend;
            self.problem(format!(
                "SESSION_SECRET is not set, and {name} is: the console signs its sessions with it; {mend}"
            ));
        }
        let sessions = Keys::new(secrets.iter().map(Secret::expose), &text);
        (!secrets.is_empty()).then_some(Console { password, sessions })
    }

    fn session_secrets(&mut self) -> Vec<Secret> {
        let name = "SESSION_SECRET";
        let secrets = self.secrets(name);
        let short = |secret: &Secret| secret.expose().len() < SECRET_CHARS_MIN;
        if secrets.iter().any(short) {
            let mend = table::find(name).mend;
            self.problem(format!(
                "{name} is shorter than {SECRET_CHARS_MIN} characters: {mend}"
            ));
            return Vec::new();
        }
        secrets
    }
}
