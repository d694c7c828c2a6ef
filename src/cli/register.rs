//! `wabridge register`: has Meta send its notifications here, step by step.

use super::check::{id, known};
use super::findings::Report;
use super::{Failure, Outcome, output, problems_said};
use crate::config::{self, Config, Sources};
use crate::edge::doctor::{Doctor, Scope};
use crate::policy::doctor::{Finding, Level, Place, PlaceFacts, SetAt, Shake, findings, place};
use crate::policy::registration::{self, At, Wish};
use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
Has Meta send notifications to this service: sets the address and the subscriptions through Graph.

Usage: wabridge register --url https://HOST/webhook [--at app|waba|number] [--dry-run]
       wabridge register --remove --at waba|number [--dry-run]

--url     the webhook as the internet reaches it; the handshake with it is tried first
--at      app (default): for all accounts and numbers that have no address of their own; accounts
          that the app is not attached to yet are attached. waba, number: for these only, and it
          counts before the app's. Templates and accounts are always notified of at the app's
          address
--remove  takes the address of an account or a number back, so that the app's counts again
--waba ID, --number PHONE_NUMBER_ID  those only; may be repeated. Otherwise all that tokens,
          settings and stored events tell of
--app ID  the app, when no token is valid that would tell
--unchecked  registers although the address does not answer from this machine; Meta tries it as well
--dry-run says what would be done, and does not do it

It needs VERIFY_TOKEN, WHATSAPP_TOKEN and, for the app, APP_SECRET, as the service has them. What
was subscribed to before stays so.
";

/// What the arguments say.
struct Order {
    wish: Wish,
    scope: Scope,
    unchecked: bool,
    dry_run: bool,
}

pub fn run(mut parser: Parser) -> Outcome {
    let order = order(&mut parser)?;
    let config = config::load(&Sources::of_this_process()).map_err(|all| problems_said(&all))?;
    let doctor = Doctor::new(&config).map_err(Failure::because)?;
    let mut report = Report::new(false);
    if let Some(url) = &order.wish.url {
        leads_here(&mut report, &doctor, &config, url, &order)?;
    }
    let facts = doctor.ask(&order.scope, &known(&config)?);
    let steps = match registration::plan(&facts, &order.wish) {
        Ok(steps) => steps,
        Err(finding) => {
            // Most often it is the token; then that is what there is to mend.
            for one in findings(&facts) {
                if one.level == Level::Wrong && one.about.contains("TOKEN") {
                    report.say(&one);
                }
            }
            report.say(&finding);
            return Err(Failure::Failed(None));
        }
    };
    for step in &steps {
        if order.dry_run {
            output::print(&format!("would  {}\n", output::inert(&step.to_string())));
            continue;
        }
        if let Err(error) = doctor.take(step, &facts) {
            let finding = Finding::wrong(step.to_string(), error.to_string(), mend(error.code()));
            report.say(&finding);
            return Err(Failure::Failed(None));
        }
        output::print(&format!("done   {}\n", output::inert(&step.to_string())));
    }
    for finding in registration::left_over(&facts, &order.wish) {
        report.say(&finding);
    }
    if !order.dry_run {
        output::print("Try it: write to the number, or: wabridge check --online\n");
    }
    match report.is_sound() {
        true => Ok(()),
        false => Err(Failure::Failed(None)),
    }
}

fn order(parser: &mut Parser) -> Result<Order, Failure> {
    let (mut url, mut at, mut remove) = (None, At::App, false);
    let (mut scope, mut unchecked, mut dry_run) = (Scope::default(), false, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("url") => url = Some(address(parser.value()?.string()?)?),
            Arg::Long("at") => at = level(&parser.value()?.string()?)?,
            Arg::Long("remove") => remove = true,
            Arg::Long("unchecked") => unchecked = true,
            Arg::Long("dry-run") => dry_run = true,
            Arg::Long("app") => scope.app = Some(id("app", parser)?),
            Arg::Long("waba") => scope.accounts.push(id("waba", parser)?),
            Arg::Long("number") => scope.numbers.push(id("number", parser)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let misused = |text: &str| Err(Failure::Misused(text.into()));
    match (&url, remove, at) {
        (None, false, _) => misused("register needs --url https://HOST/webhook, or --remove"),
        (Some(_), true, _) => misused("register takes --url or --remove, not both"),
        (None, true, At::App) => misused("--remove goes with --at waba or --at number"),
        _ => Ok(Order {
            wish: Wish { at, url },
            scope,
            unchecked,
            dry_run,
        }),
    }
}

fn level(word: &str) -> Result<At, Failure> {
    match word {
        "app" => Ok(At::App),
        "waba" => Ok(At::Account),
        "number" => Ok(At::Number),
        other => Err(Failure::Misused(format!(
            "--at takes app, waba or number, not `{other}`"
        ))),
    }
}

fn address(url: String) -> Result<String, Failure> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    match sound && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(url),
        false => Err(Failure::Misused(format!(
            "--url {url} is not an address: write https://HOST/webhook"
        ))),
    }
}

/// Meta tries the handshake too, and says less when it fails.
fn leads_here(
    report: &mut Report,
    doctor: &Doctor<'_>,
    config: &Config,
    url: &str,
    order: &Order,
) -> Outcome {
    if config.verify_tokens.is_empty() {
        return Err(Failure::says(
            "VERIFY_TOKEN is not set: choose any random text and set it, for the service as well",
        ));
    }
    let shake = doctor.shake(url);
    let passed = shake == Shake::Passed;
    let asked = PlaceFacts {
        place: Place {
            url: url.to_owned(),
            set_at: SetAt::App,
        },
        shake,
        taken: None,
    };
    let finding = place::told(&config.webhook_path, config.graph_is_near(), &asked);
    report.say(&finding);
    match passed && finding.level == Level::Fine {
        true => Ok(()),
        false if order.unchecked => {
            *report = Report::new(false);
            Ok(())
        }
        false => Err(Failure::says(
            "nothing was changed; --unchecked registers it all the same",
        )),
    }
}

fn mend(code: Option<i64>) -> &'static str {
    match code {
        // Meta: webhooks, "Callback verification failed".
        Some(2200) => {
            "Meta could not do the handshake with the address: see that it answers from the internet \
             (curl -i), and that the running service has this VERIFY_TOKEN"
        }
        _ => "wabridge check --online tells what is wrong with token, app, account and number",
    }
}
