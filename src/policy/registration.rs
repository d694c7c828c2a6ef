//! What is to be changed at Meta so that notifications come to an address, from
//! what is there (policy::doctor) and what is wished. Pure.

use super::doctor::{FIELDS, Facts, Finding, SetAt};
use std::fmt;

/// The longest address for an account or a number
/// (Meta: webhooks, "Override the callback URL").
const OVERRIDE_CHARS_MAX: usize = 200;

/// Where an address is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// For the app: for all its accounts and numbers that have none of their own.
    App,
    /// For accounts.
    Account,
    /// For numbers.
    Number,
}

/// What is wished.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where.
    pub at: At,
    /// The address; `None`: the one that is set there is taken back.
    pub url: Option<String>,
}

/// One call to Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The app subscribes to these fields, to be sent there.
    Subscribe {
        /// The app.
        app: String,
        /// The address.
        url: String,
        /// All fields, those it had among them: others would end.
        fields: Vec<String>,
    },
    /// The app is attached to the account, whose notifications go to that address
    /// or, without one, to the app's.
    Attach {
        /// The account.
        account: String,
        /// The address.
        url: Option<String>,
    },
    /// Notifications of the number go to that address or, without one, to its
    /// account's or the app's.
    Point {
        /// The number.
        number: String,
        /// The address.
        url: Option<String>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Step::Subscribe { app, url, fields } => {
                write!(
                    f,
                    "app {app} subscribes to {}, sent to {url}",
                    fields.join(", ")
                )
            }
            Step::Attach { account, url: None } => {
                write!(
                    f,
                    "account {account} is attached to the app, sent to the app's address"
                )
            }
            Step::Attach {
                account,
                url: Some(url),
            } => write!(f, "account {account} is attached to the app, sent to {url}"),
            Step::Point { number, url: None } => {
                write!(f, "number {number} has no address of its own any more")
            }
            Step::Point {
                number,
                url: Some(url),
            } => write!(f, "number {number} is sent to {url}"),
        }
    }
}

/// The calls that bring it about, in order.
///
/// # Errors
/// What stands in the way.
pub fn plan(facts: &Facts, wish: &Wish) -> Result<Vec<Step>, Finding> {
    if wish.at != At::App
        && let Some(url) = &wish.url
        && url.chars().count() > OVERRIDE_CHARS_MAX
    {
        return Err(Finding::wrong(
            "--url",
            format!(
                "it has more than {OVERRIDE_CHARS_MAX} characters, and Meta takes no more here"
            ),
            "shorten it, or set it for the app: --at app",
        ));
    }
    let mut steps = Vec::new();
    subscribe(facts, wish, &mut steps)?;
    match wish.at {
        At::App => attach_missing(facts, &mut steps),
        At::Account => {
            if facts.accounts.is_empty() {
                return Err(which("account", "--waba ID"));
            }
            steps.extend(facts.accounts.iter().map(|account| Step::Attach {
                account: account.id.clone(),
                url: wish.url.clone(),
            }));
        }
        At::Number => {
            if facts.numbers.is_empty() {
                return Err(which("number", "--number PHONE_NUMBER_ID"));
            }
            if wish.url.is_some() {
                attach_missing(facts, &mut steps);
            }
            steps.extend(facts.numbers.iter().map(|number| Step::Point {
                number: number.id.clone(),
                url: wish.url.clone(),
            }));
        }
    }
    Ok(steps)
}

/// The app's own subscription: the wish itself, or what an account's or a
/// number's address hangs on.
fn subscribe(facts: &Facts, wish: &Wish, steps: &mut Vec<Step>) -> Result<(), Finding> {
    let Some(url) = &wish.url else { return Ok(()) };
    let Some(app) = &facts.app else {
        return Err(Finding::wrong(
            "app",
            "no token tells which app it is",
            "name it: --app ID (App Dashboard, at the top)",
        ));
    };
    let about = format!("app {}", app.id);
    let subscription = match &app.subscription {
        Some(Ok(subscription)) => subscription,
        Some(Err(error)) => {
            return Err(Finding::wrong(
                about,
                error.to_string(),
                "APP_SECRET must be this app's (App Dashboard → App settings → Basic)",
            ));
        }
        None => {
            return Err(Finding::wrong(
                about,
                "its subscription cannot be set without APP_SECRET",
                "set APP_SECRET (App Dashboard → App settings → Basic)",
            ));
        }
    };
    if wish.at != At::App && subscription.is_some() {
        return Ok(());
    }
    let had = subscription.as_ref().map(|own| own.fields.as_slice());
    let mut fields = had.unwrap_or_default().to_vec();
    let missing = FIELDS
        .iter()
        .filter(|field| !fields.iter().any(|own| own == *field));
    let missing: Vec<String> = missing.map(|field| (*field).to_owned()).collect();
    fields.extend(missing);
    steps.push(Step::Subscribe {
        app: app.id.clone(),
        url: url.clone(),
        fields,
    });
    Ok(())
}

/// An attachment that is there is left as it is: to repeat it would take back the
/// account's own address.
fn attach_missing(facts: &Facts, steps: &mut Vec<Step>) {
    for account in &facts.accounts {
        if account.attached.is_ok() && facts.attachment(&account.id).is_none() {
            steps.push(Step::Attach {
                account: account.id.clone(),
                url: None,
            });
        }
    }
}

fn which(what: &str, option: &str) -> Finding {
    Finding::wrong(what, "none is known", format!("name it: {option}"))
}

/// What will still be in the way once all steps are done.
pub fn left_over(facts: &Facts, wish: &Wish) -> Vec<Finding> {
    let mut found = Vec::new();
    let lacks =
        |own: &&crate::wire::setup::Subscription| !own.fields.iter().any(|f| f == "messages");
    if wish.at != At::App && facts.subscription().filter(lacks).is_some() {
        found.push(Finding::wrong(
            "app",
            "it does not subscribe to messages, so none are sent anywhere",
            "wabridge register --url … --at app, or tick messages (App Dashboard → WhatsApp → Configuration)",
        ));
    }
    if wish.at == At::Number {
        return found;
    }
    for number in &facts.numbers {
        let Some(place) = facts.place_of(number) else {
            continue;
        };
        let wins = match &place.set_at {
            SetAt::App => false,
            SetAt::Account(_) => wish.at == At::App,
            SetAt::Number(_) => true,
        };
        if !wins || Some(&place.url) == wish.url.as_ref() {
            continue;
        }
        let (whose, remove) = match place.set_at {
            SetAt::Account(id) => (
                format!("account {id}"),
                format!("wabridge register --remove --at waba --waba {id}"),
            ),
            _ => (
                format!("number {}", number.id),
                format!(
                    "wabridge register --remove --at number --number {}",
                    number.id
                ),
            ),
        };
        let says = format!("has an address of its own, which counts: {}", place.url);
        let finding = Finding::note(whose, says).mended_by(remove);
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

#[cfg(test)]
mod tests;
