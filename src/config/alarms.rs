//! Who is told that a person is needed, and from when on.

use super::Reader;
use crate::policy::alarm::Limits;
use crate::wire::signature::StandardKey;
use std::time::Duration;

/// What counts as an alarm, and who is told.
#[derive(Clone, Debug)]
pub struct Alarms {
    /// Who is told besides the log, `wabridge status` and the console.
    pub url: Option<String>,
    /// For Standard Webhooks signatures.
    pub key: Option<StandardKey>,
    /// A public name may lead into a private network.
    pub allow_private: bool,
    /// From when on it is too much.
    pub limits: Limits,
}

impl Reader<'_> {
    /// Alarms, which there are always; `allow_private` as for apps.
    pub(super) fn alarms(&mut self, allow_private: bool) -> Alarms {
        let ms = |span: Duration| span.as_millis() as i64;
        let quiet = !self.value("QUIET_AFTER").is_empty();
        Alarms {
            key: self.standard_key("ALERT_SECRET"),
            // The address as given: its path may end in a slash.
            url: self.url("ALERT_URL").map(|_| self.value("ALERT_URL")),
            allow_private,
            limits: Limits {
                waiting_ms: ms(self.seconds("ALERT_WAITING")),
                quiet_ms: quiet.then(|| ms(self.seconds("QUIET_AFTER"))),
            },
        }
    }
}
