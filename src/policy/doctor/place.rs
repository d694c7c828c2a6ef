//! What answers where Meta sends notifications.

use super::{Facts, Finding, Place, PlaceFacts, SetAt, Shake, Taken};

pub(super) fn places(facts: &Facts, found: &mut Vec<Finding>) {
    if !facts.verify_token {
        found.push(Finding::wrong(
            "VERIFY_TOKEN",
            "it is not set: Meta's handshake is refused",
            "choose any random text and set it",
        ));
    }
    for place in &facts.places {
        found.push(told(&facts.webhook_path, facts.plain_http, place));
    }
}

/// What is to be said of one address; `path` is WEBHOOK_PATH, and `plain_http` as
/// in [`Facts`].
pub fn told(path: &str, plain_http: bool, asked: &PlaceFacts) -> Finding {
    let Place { url, set_at } = &asked.place;
    let about = match set_at {
        SetAt::App => url.clone(),
        SetAt::Account(id) => format!("{url} (set for account {id})"),
        SetAt::Number(id) => format!("{url} (set for number {id})"),
    };
    if !plain_http && !url.starts_with("https://") {
        return Finding::wrong(
            about,
            "Meta sends to https only",
            "put nginx with a certificate in front (systemd/nginx.conf), then: wabridge register \
             --url https://…",
        );
    }
    match &asked.shake {
        Shake::Passed => signed(about, asked.taken.as_ref()),
        Shake::NotAsked => Finding::note(about, "not asked, for want of VERIFY_TOKEN"),
        Shake::Distrusted => Finding::wrong(
            about,
            "its certificate does not prove that it is this address: Meta sends nothing there",
            "give nginx a certificate of a public authority, with its whole chain (certbot), for this \
             very name",
        ),
        Shake::Silent(reason) => Finding::wrong(
            about,
            format!("nothing answers there, asked from this machine: {reason}"),
            "see that the name leads to this machine, port 443 is open and nginx runs. Reached from \
             elsewhere (curl -i of the address gives 400) it is well: then a router only does not lead \
             this machine back to itself",
        ),
        Shake::Redirect(to) => Finding::wrong(
            about,
            format!("it leads on to {to}, and Meta does not follow"),
            register(set_at, to),
        ),
        Shake::Otherwise => Finding::wrong(
            about,
            "something else than wabridge answers there: what it says to the handshake is not what this \
             service says",
            elsewhere(path, set_at),
        ),
        Shake::Status(status) => refused(path, about, set_at, *status),
    }
}

/// The handshake passed; a notification came to that.
fn signed(about: String, taken: Option<&Taken>) -> Finding {
    match taken {
        None => Finding::fine(about, "leads here: the handshake passes"),
        Some(Taken::Yes) => Finding::fine(
            about,
            "leads here: the handshake passes, and a signed notification is taken",
        ),
        Some(Taken::Status(401)) => Finding::wrong(
            about,
            "the handshake passes, but a notification signed with APP_SECRET is refused with 401",
            "the service that answers has another APP_SECRET (`systemctl reload wabridge`), or the proxy \
             does not pass X-Hub-Signature-256 and the body on as they are (systemd/nginx.conf)",
        ),
        Some(Taken::Status(status @ 502..=504)) => Finding::wrong(
            about,
            format!("the handshake passes, but a signed notification gets {status}"),
            "the service cannot store: look at `wabridge check` and `journalctl -u wabridge`",
        ),
        Some(Taken::Status(status)) => Finding::wrong(
            about,
            format!("the handshake passes, but a signed notification gets {status}"),
            "let the proxy pass POST on to wabridge as it is (systemd/nginx.conf)",
        ),
        Some(Taken::Silent(reason)) => Finding::wrong(
            about,
            format!("the handshake passes, but a signed notification gets no answer: {reason}"),
            "look at `journalctl -u wabridge` and the proxy's error log",
        ),
    }
}

fn refused(path: &str, about: String, set_at: &SetAt, status: u16) -> Finding {
    let (says, mend) = match status {
        401 | 403 => (
            format!("it refuses our VERIFY_TOKEN ({status})"),
            format!(
                "if that is this service, it runs with another VERIFY_TOKEN: `systemctl reload \
                 wabridge`; if it is another program: {}",
                elsewhere(path, set_at)
            ),
        ),
        404 => (
            "there is nothing at this path (404)".into(),
            format!(
                "the webhook's path is {} (WEBHOOK_PATH), and nginx must pass it on; if the address is \
                 wrong: {}",
                path,
                elsewhere(path, set_at)
            ),
        ),
        502..=504 => (
            format!("a proxy answers, the service behind it does not ({status})"),
            "start it (`systemctl status wabridge`), and see that nginx's upstream is what LISTEN says"
                .into(),
        ),
        _ => (
            format!("it answers the handshake with {status}"),
            format!(
                "see what answers there (curl -i of the address); if it is not wabridge: {}",
                elsewhere(path, set_at)
            ),
        ),
    };
    Finding::wrong(about, says, mend)
}

/// Have Meta send to us instead.
fn elsewhere(path: &str, set_at: &SetAt) -> String {
    let url = format!("https://YOUR.NAME{path}");
    let register = register(set_at, &url);
    match set_at {
        SetAt::App => register,
        SetAt::Account(id) => {
            format!("{register}; or take it back: wabridge register --remove --at waba --waba {id}")
        }
        SetAt::Number(id) => {
            format!(
                "{register}; or take it back: wabridge register --remove --at number --number {id}"
            )
        }
    }
}

fn register(set_at: &SetAt, url: &str) -> String {
    match set_at {
        SetAt::App => format!("wabridge register --url {url}"),
        SetAt::Account(id) => format!("wabridge register --url {url} --at waba --waba {id}"),
        SetAt::Number(id) => format!("wabridge register --url {url} --at number --number {id}"),
    }
}
