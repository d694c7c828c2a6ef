//! What is wrong between Meta and us, from what Graph and our own webhook
//! answered: it answers "nothing arrives, why?". Pure; asking is edge::doctor's.
//!
//! A notification's way is gone from its beginning: a token that is valid, an
//! app that subscribes, an account that the app is attached to, a number that is
//! connected, an address that leads to us, a webhook that takes what is signed.
//! What is not well on it is named with its mend.

mod meta;
pub mod place;

pub(super) use meta::NEW_TOKEN;

use crate::wire::setup::{Asked, Attached, Health, Number, Subscription, Token};

/// The notifications that wabridge does something with: besides messages and
/// statuses what a person should know of, and what other modules read.
pub const FIELDS: &[&str] = &[
    "messages",
    "account_alerts",
    "account_review_update",
    "account_update",
    "message_template_quality_update",
    "message_template_status_update",
    "phone_number_quality_update",
    "security",
    "smb_message_echoes",
    "user_preferences",
];

/// What was learned.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Unix time in seconds.
    pub now_s: i64,
    /// `WEBHOOK_PATH`.
    pub webhook_path: String,
    /// Graph is a stand-in nearby, without TLS; so may the webhook be.
    pub plain_http: bool,
    /// Whether VERIFY_TOKEN is set.
    pub verify_token: bool,
    /// The tokens that are set.
    pub tokens: Vec<TokenFacts>,
    /// The app that they belong to.
    pub app: Option<AppFacts>,
    /// Its accounts that are known.
    pub accounts: Vec<AccountFacts>,
    /// Their numbers.
    pub numbers: Vec<NumberFacts>,
    /// What answers where notifications are sent.
    pub places: Vec<PlaceFacts>,
    /// What was stored here.
    pub inbox: Inbox,
    /// By how many seconds our clock is ahead of Graph's; below 0: behind. `None`: it did
    /// not say what time it is.
    pub clock_ahead_s: Option<i64>,
}

/// A token of ours.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// The setting that it is in.
    pub setting: String,
    /// What it is.
    pub told: Asked<Token>,
    /// Whether APP_SECRET is that of its app; `None`: not known.
    pub secret_fits: Option<bool>,
}

/// The app.
#[derive(Clone, Debug)]
pub struct AppFacts {
    /// Its id.
    pub id: String,
    /// Its subscription to notifications; `None`: not asked, for want of
    /// APP_SECRET.
    pub subscription: Option<Asked<Option<Subscription>>>,
}

/// A WhatsApp Business account.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// Its id.
    pub id: String,
    /// The apps that are attached to it.
    pub attached: Asked<Vec<Attached>>,
}

/// A business number.
#[derive(Clone, Debug)]
pub struct NumberFacts {
    /// Its `phone_number_id`.
    pub id: String,
    /// The account it belongs to, if that is known.
    pub account: Option<String>,
    /// Messages a second that it sends by our settings.
    pub rate: usize,
    /// What it is; `None`: not asked, for want of a token.
    pub told: Option<Asked<Number>>,
    /// Whether it can send, if Graph tells.
    pub health: Option<Health>,
}

/// An address to which Meta sends notifications.
#[derive(Clone, Debug)]
pub struct PlaceFacts {
    /// The address.
    pub place: Place,
    /// What it made of the handshake, played by us.
    pub shake: Shake,
    /// What it made of a signed notification without events, if it passed.
    pub taken: Option<Taken>,
}

/// An address, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub url: String,
    /// Where it is set.
    pub set_at: SetAt,
}

/// Where an address for notifications is set. Of these the innermost that is set
/// counts: a number's, then its account's, then the app's
/// (Meta: webhooks, "Override the callback URL").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAt {
    /// For the app.
    App,
    /// For an account, by its id.
    Account(String),
    /// For a number, by its id.
    Number(String),
}

/// What an address makes of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shake {
    /// It answers as a service with our VERIFY_TOKEN does.
    Passed,
    /// Another HTTP status.
    Status(u16),
    /// A redirect, to there.
    Redirect(String),
    /// 200, and something else than that.
    Otherwise,
    /// Nobody proved to be who they should be: the certificate.
    Distrusted,
    /// No answer, for this reason.
    Silent(String),
    /// Not asked: VERIFY_TOKEN is not set.
    NotAsked,
}

/// What an address makes of a signed notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// 200.
    Yes,
    /// Another HTTP status.
    Status(u16),
    /// No answer, for this reason.
    Silent(String),
}

/// What was stored here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inbox {
    /// There is no database to look into.
    #[default]
    Unseen,
    /// Nothing yet.
    Empty,
    /// The newest event came then, in Unix seconds.
    Newest(i64),
}

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// It must be mended.
    Wrong,
}

impl Level {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Fine => "ok",
            Level::Note => "note",
            Level::Wrong => "wrong",
        }
    }
}

/// One thing that was found. It holds no secret; numbers are the business's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is to be taken.
    pub level: Level,
    /// What it is about: a setting, `app 123`, `number 456`, an address.
    pub about: String,
    /// What was found.
    pub says: String,
    /// What to do.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well with it.
    pub fn fine(about: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding {
            level: Level::Fine,
            about: about.into(),
            says: says.into(),
            mend: None,
        }
    }

    /// Worth knowing.
    pub fn note(about: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding {
            level: Level::Note,
            ..Finding::fine(about, says)
        }
    }

    /// To be mended.
    pub fn wrong(
        about: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Wrong,
            ..Finding::fine(about, says)
        }
        .mended_by(mend)
    }

    /// With what to do about it.
    pub fn mended_by(mut self, mend: impl Into<String>) -> Finding {
        self.mend = Some(mend.into());
        self
    }
}

/// Everything that is to be said, along a notification's way.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    meta::tokens(facts, &mut found);
    meta::app(facts, &mut found);
    meta::accounts(facts, &mut found);
    meta::numbers(facts, &mut found);
    place::places(facts, &mut found);
    inbox(facts, &mut found);
    clock(facts, &mut found);
    // What several calls met is said once.
    let mut said: Vec<Finding> = Vec::new();
    for finding in found {
        if !said.contains(&finding) {
            said.push(finding);
        }
    }
    said
}

fn inbox(facts: &Facts, found: &mut Vec<Finding>) {
    match facts.inbox {
        Inbox::Unseen => {}
        Inbox::Empty => found.push(
            Finding::note("inbox", "nothing was ever stored here").mended_by(
                "when all of the above is well, write to the number from a phone; an app that is not \
                 published gets only what the dashboard's test button sends (App Dashboard → Publish)",
            ),
        ),
        Inbox::Newest(at) => found.push(Finding::fine(
            "inbox",
            format!("the newest event came {} ago", span(facts.now_s - at)),
        )),
    }
}

/// A clock that is off by no more is right, or nearly: calls take a moment.
const CLOCK_OFF_MAX_S: i64 = 60;

fn clock(facts: &Facts, found: &mut Vec<Finding>) {
    let off = facts.clock_ahead_s;
    let Some(off) = off.filter(|off| off.abs() > CLOCK_OFF_MAX_S) else {
        return;
    };
    let by = span(off.abs());
    let says = match off > 0 {
        true => format!(
            "this machine's is {by} ahead of Meta's: conversations seem to close that much too \
             early, and messages to come late"
        ),
        false => format!(
            "this machine's is {by} behind Meta's: what is too old or too late seems not to be so"
        ),
    };
    let mend = "have it set from the network: timedatectl set-ntp true";
    found.push(Finding::wrong("clock", says, mend));
}

impl Facts {
    /// The app's subscription, when it has one and it is known.
    pub fn subscription(&self) -> Option<&Subscription> {
        let told = self.app.as_ref()?.subscription.as_ref()?;
        told.as_ref().ok()?.as_ref()
    }

    /// How our app is attached to an account; `None`: not, or not known.
    pub fn attachment(&self, account: &str) -> Option<&Attached> {
        let app = self.app.as_ref()?;
        let account = self.accounts.iter().find(|one| one.id == account)?;
        let attached = account.attached.as_ref().ok()?;
        attached.iter().find(|one| one.app == app.id)
    }

    /// Where the notifications of a number go.
    pub fn place_of(&self, number: &NumberFacts) -> Option<Place> {
        let told = number.told.as_ref().and_then(|told| told.as_ref().ok());
        if let Some(url) = told.and_then(|told| told.callback.clone()) {
            let set_at = SetAt::Number(number.id.clone());
            return Some(Place { url, set_at });
        }
        let account = number.account.as_deref();
        let attached = account.and_then(|id| self.attachment(id));
        let url = attached.and_then(|attached| attached.callback.clone());
        if let Some(url) = url.or_else(|| told?.account_callback.clone()) {
            let set_at = SetAt::Account(account.unwrap_or_default().to_owned());
            return Some(Place { url, set_at });
        }
        self.place_of_app()
    }

    /// Where notifications go by the app's own subscription; those of templates
    /// and accounts always do.
    fn place_of_app(&self) -> Option<Place> {
        let url = self.subscription()?.callback.clone()?;
        let set_at = SetAt::App;
        Some(Place { url, set_at })
    }

    /// Every address that notifications go to, each once.
    pub fn all_places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        let numbers = self.numbers.iter().filter_map(|one| self.place_of(one));
        for place in self.place_of_app().into_iter().chain(numbers) {
            if places.iter().all(|known| known.url != place.url) {
                places.push(place);
            }
        }
        places
    }

    /// The command that has Meta send to us: with the address that leads here
    /// already, if one does.
    fn register(&self, more: &str) -> String {
        let ours = |place: &&PlaceFacts| place.shake == Shake::Passed;
        let url = match self.places.iter().find(ours) {
            Some(facts) => facts.place.url.clone(),
            None => format!("https://YOUR.NAME{}", self.webhook_path),
        };
        format!("wabridge register --url {url}{more}")
    }
}

/// A span of time in words.
pub(super) fn span(seconds: i64) -> String {
    let (count, unit) = match seconds.max(0) {
        s if s < 120 => (s, "second"),
        s if s < 7_200 => (s / 60, "minute"),
        s if s < 172_800 => (s / 3_600, "hour"),
        s => (s / 86_400, "day"),
    };
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{s}")
}

#[cfg(test)]
mod tests;
