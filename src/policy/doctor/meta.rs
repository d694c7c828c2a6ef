//! What is set up at Meta: tokens, app, accounts, numbers.

use super::{FIELDS, Facts, Finding, NumberFacts, Place, SetAt, TokenFacts, span};
use crate::wire::setup::{
    Attached, Health, MANAGEMENT, MESSAGING, Number, Refused, Subscription, Token,
};

pub(in crate::policy) const NEW_TOKEN: &str = "make one that does not end (business.facebook.com → Settings → System users → \
    Generate token, with whatsapp_business_messaging and whatsapp_business_management), set it, and \
    `systemctl reload wabridge`";

const GIVE: &str = "give the token's system user the account (business.facebook.com → Settings → \
    Accounts → WhatsApp accounts), or correct the id";

/// What a token that does not send is told apart by: its subcode.
/// Meta: "Handle access token errors".
fn why_not(subcode: Option<i64>, message: &str) -> String {
    match subcode {
        Some(463) => "it has ended".into(),
        Some(460) => "it ended when its user's password was changed".into(),
        Some(458) => "its user has taken the app's permissions away".into(),
        Some(467) => "it was revoked".into(),
        _ => format!("it is not valid: {message}"),
    }
}

/// What is wrong with a call whoever makes it, for all that is asked.
fn refused(about: &str, refused: &Refused, mend: &str) -> Finding {
    match refused {
        Refused::NoToken => Finding::wrong(about, refused.to_string(), "set WHATSAPP_TOKEN"),
        Refused::Unanswered(_) => Finding::wrong(
            "Graph",
            refused.to_string(),
            "see that this machine reaches the internet and its name server; look at GRAPH_API_URL \
             and HTTPS_PROXY",
        ),
        Refused::Strange(_) => Finding::wrong(
            "Graph",
            refused.to_string(),
            "look at GRAPH_API_URL and HTTPS_PROXY: something else answers; or Graph is down: try again",
        ),
        Refused::Error {
            code: 1 | 2 | 4 | 17 | 32 | 613 | 80_007 | 80_008,
            ..
        } => Finding::note(about, refused.to_string()).mended_by("try again in some minutes"),
        Refused::Error {
            code: 190,
            subcode,
            message,
        } => Finding::wrong(about, why_not(*subcode, message), NEW_TOKEN),
        Refused::Error { .. } => Finding::wrong(about, refused.to_string(), mend),
    }
}

pub(super) fn tokens(facts: &Facts, found: &mut Vec<Finding>) {
    if facts.tokens.is_empty() {
        found.push(Finding::wrong(
            "WHATSAPP_TOKEN",
            "no token is set: Graph tells nothing without one, and nothing can be sent",
            NEW_TOKEN,
        ));
    }
    for one in &facts.tokens {
        match &one.told {
            Err(error) => found.push(refused(&one.setting, error, NEW_TOKEN)),
            Ok(told) => token(facts, one, told, found),
        }
    }
}

fn token(facts: &Facts, one: &TokenFacts, told: &Token, found: &mut Vec<Finding>) {
    let about = one.setting.as_str();
    let app = match (&told.app_name, &told.app) {
        (Some(name), Some(id)) => format!("the app {name} ({id})"),
        (None, Some(id)) => format!("the app {id}"),
        _ => "another app".into(),
    };
    if !told.valid {
        let trouble = told.trouble.as_deref().unwrap_or("Graph says no more");
        found.push(Finding::wrong(about, why_not(None, trouble), NEW_TOKEN));
        return;
    }
    if one.secret_fits == Some(false) {
        found.push(Finding::wrong(
            "APP_SECRET",
            format!(
                "it is not the secret of {app}, which {about} was made for: what Meta signs is \
                 refused with 401, and nothing is stored"
            ),
            format!("copy it from the App Dashboard of {app} → App settings → Basic"),
        ));
    }
    let missing: Vec<&str> = [MESSAGING, MANAGEMENT]
        .into_iter()
        .filter(|scope| !told.permits(scope))
        .collect();
    if let Some(first) = missing.first() {
        let says = format!("it lacks the permission {}", missing.join(" and "));
        found.push(match *first == MESSAGING {
            true => Finding::wrong(about, says, NEW_TOKEN),
            false => Finding::note(
                about,
                format!("{says}: what follows of accounts and numbers may be missing"),
            )
            .mended_by(NEW_TOKEN),
        });
    }
    match told.ends_s {
        Some(at) => found.push(
            Finding::note(
                about,
                format!("valid, of {app}, and ends in {}", span(at - facts.now_s)),
            )
            .mended_by(NEW_TOKEN),
        ),
        None => found.push(Finding::fine(about, format!("valid, of {app}, never ends"))),
    }
}

pub(super) fn app(facts: &Facts, found: &mut Vec<Finding>) {
    let Some(app) = &facts.app else {
        found.push(
            Finding::note("app", "no token tells which app it is")
                .mended_by("name it: --app ID (App Dashboard, at the top)"),
        );
        return;
    };
    let about = format!("app {}", app.id);
    let secret = "APP_SECRET is the app's secret (App Dashboard → App settings → Basic), and ends with \
         the app's: copy it again";
    match &app.subscription {
        None => found.push(
            Finding::note(about, "its subscription cannot be read without APP_SECRET")
                .mended_by("set APP_SECRET (App Dashboard → App settings → Basic)"),
        ),
        // With another app's secret it could not be otherwise, and that is said.
        Some(Err(_)) if misfits(facts) => {}
        // The app's own token is its id and its secret.
        Some(Err(Refused::Error { message, .. })) => {
            found.push(Finding::wrong(&about, message, secret));
        }
        Some(Err(error)) => found.push(refused(&about, error, secret)),
        Some(Ok(None)) => found.push(Finding::wrong(
            about,
            "it has no webhook for WhatsApp: Meta sends nothing",
            facts.register(""),
        )),
        Some(Ok(Some(subscription))) => subscribed(facts, about, subscription, found),
    }
}

/// What the app is sent, and where to.
fn subscribed(facts: &Facts, about: String, subscription: &Subscription, found: &mut Vec<Finding>) {
    if !subscription.active {
        found.push(Finding::wrong(
            &about,
            "its webhook is switched off: Meta sends nothing",
            facts.register(""),
        ));
    }
    let lacks = |field: &&&str| !subscription.fields.iter().any(|own| own == **field);
    let (lacks_messages, others): (Vec<&str>, Vec<&str>) = FIELDS
        .iter()
        .filter(lacks)
        .partition(|field| **field == "messages");
    if !lacks_messages.is_empty() {
        found.push(Finding::wrong(
            &about,
            "it does not subscribe to messages: neither messages nor statuses are sent",
            facts.register(""),
        ));
    }
    if !others.is_empty() {
        found.push(
            Finding::note(
                &about,
                format!("it does not subscribe to {}", others.join(", ")),
            )
            .mended_by(facts.register("")),
        );
    }
    let url = subscription.callback.as_deref().unwrap_or("no address");
    if subscription.active && lacks_messages.is_empty() {
        found.push(Finding::fine(
            about,
            format!("subscribes, to be sent to {url}"),
        ));
    }
}

fn misfits(facts: &Facts) -> bool {
    let misfits = |token: &TokenFacts| token.secret_fits == Some(false);
    facts.tokens.iter().any(misfits)
}

pub(super) fn accounts(facts: &Facts, found: &mut Vec<Finding>) {
    for account in &facts.accounts {
        let about = format!("account {}", account.id);
        let attached = match &account.attached {
            Err(error) => {
                found.push(refused(&about, error, GIVE));
                continue;
            }
            Ok(attached) => attached,
        };
        let Some(app) = &facts.app else { continue };
        let (ours, others): (Vec<&Attached>, Vec<&Attached>) =
            attached.iter().partition(|one| one.app == app.id);
        match ours.is_empty() {
            true => found.push(Finding::wrong(
                &about,
                format!(
                    "the app {} is not attached to it: nothing that happens to its numbers is sent",
                    app.id
                ),
                facts.register(&format!(" --waba {}", account.id)),
            )),
            false => found.push(Finding::fine(&about, "attached to the app")),
        }
        if !others.is_empty() {
            let name = |one: &&Attached| match &one.name {
                Some(name) => format!("{name} ({})", one.app),
                None => one.app.clone(),
            };
            let names: Vec<String> = others.iter().map(name).collect();
            found.push(Finding::note(
                about,
                format!(
                    "attached to it as well: {}: each gets a copy of everything, and may answer too",
                    names.join(", ")
                ),
            ));
        }
    }
}

pub(super) fn numbers(facts: &Facts, found: &mut Vec<Finding>) {
    if facts.numbers.is_empty() {
        found.push(Finding::note("numbers", "none is known yet").mended_by(
            "name one: --number PHONE_NUMBER_ID, or its account: --waba ID \
                 (App Dashboard → WhatsApp → API Setup)",
        ));
    }
    for number in &facts.numbers {
        let about = format!("number {}", number.id);
        match &number.told {
            None => found.push(Finding::wrong(
                &about,
                "no token is set for it",
                format!("set WHATSAPP_TOKEN, or WHATSAPP_TOKEN_{}", number.id),
            )),
            Some(Err(error)) => found.push(refused(
                &about,
                error,
                &format!("{GIVE}: it is the phone_number_id and not the phone number"),
            )),
            Some(Ok(told)) => number_told(facts, number, told, &about, found),
        }
        if let Some(health) = &number.health {
            health_told(health, &about, found);
        }
    }
}

fn number_told(
    facts: &Facts,
    number: &NumberFacts,
    told: &Number,
    about: &str,
    found: &mut Vec<Finding>,
) {
    let manager = "look into business.facebook.com → WhatsApp Manager → Phone numbers";
    let unregistered = told.platform.as_deref() == Some("NOT_APPLICABLE");
    match told.status.as_deref() {
        _ if unregistered => found.push(register_number(&number.id, about)),
        Some("PENDING" | "DISCONNECTED" | "UNVERIFIED") => {
            found.push(register_number(&number.id, about));
        }
        None | Some("CONNECTED") => {}
        Some(other) => found.push(Finding::wrong(
            about,
            format!("its status is {other}, not CONNECTED"),
            manager,
        )),
    }
    match told.quality.as_deref() {
        Some("RED") => found.push(Finding::wrong(
            about,
            "its quality is RED: people block or report it, and Meta may restrict it",
            format!("write less, and only to people who expect it; {manager}"),
        )),
        Some("YELLOW") => found.push(
            Finding::note(about, "its quality is YELLOW: people block or report it")
                .mended_by(manager),
        ),
        _ => {}
    }
    if let Some("DECLINED" | "EXPIRED" | "NONE") = told.name_status.as_deref() {
        let says = "its display name is not approved: it can send to few people, or none";
        found.push(Finding::note(about, says).mended_by(manager));
    }
    let fast = match told.throughput.as_deref() {
        Some("HIGH") => 1_000,
        _ => 80,
    };
    if number.rate > fast {
        found.push(
            Finding::note(
                about,
                format!(
                    "by the settings it sends {} messages a second, Meta allows {fast}",
                    number.rate
                ),
            )
            .mended_by(format!("set RATE_PER_NUMBER_{}={fast}", number.id)),
        );
    }
    let place = facts.place_of(number);
    found.push(Finding::fine(about, described(told, place.as_ref())));
}

/// What there is to know of a number, on one line.
fn described(told: &Number, place: Option<&Place>) -> String {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    let goes = match place {
        None => "where its notifications go is not known".into(),
        Some(Place { url, set_at }) => match set_at {
            SetAt::App => format!("its notifications go to {url}"),
            SetAt::Account(_) => format!("its notifications go to {url}, set for its account"),
            SetAt::Number(_) => format!("its notifications go to {url}, set for this number"),
        },
    };
    format!(
        "{} \"{}\", status {}, quality {}, throughput {}, limit {}; {goes}",
        or_unknown(&told.display),
        or_unknown(&told.name),
        or_unknown(&told.status),
        or_unknown(&told.quality),
        or_unknown(&told.throughput),
        or_unknown(&told.limit),
    )
}

fn register_number(id: &str, about: &str) -> Finding {
    Finding::wrong(
        about,
        "it is not registered with the Cloud API: it neither sends nor receives",
        format!(
            "register it, with a PIN of six digits of your choice: curl -X POST \
             http://127.0.0.1:8081/v26.0/{id}/register -H \"Authorization: Bearer $API_KEY\" \
             -H 'Content-Type: application/json' -d '{{\"messaging_product\":\"whatsapp\",\"pin\":\"…\"}}'"
        ),
    )
}

fn health_told(health: &Health, about: &str, found: &mut Vec<Finding>) {
    for trouble in &health.troubles {
        let whose = match trouble.entity.as_str() {
            "PHONE_NUMBER" => "it".to_owned(),
            "WABA" => "its account".to_owned(),
            "BUSINESS" => "its business".to_owned(),
            "APP" => "its app".to_owned(),
            other => other.to_lowercase(),
        };
        let advice = trouble.advice.as_deref();
        let advice = advice.unwrap_or("look into business.facebook.com → WhatsApp Manager");
        found.push(match trouble.blocked {
            true => Finding::wrong(
                about,
                format!("{whose} cannot send: {}", trouble.says),
                advice,
            ),
            false => Finding::note(about, format!("{whose} is limited: {}", trouble.says))
                .mended_by(advice),
        });
    }
}
