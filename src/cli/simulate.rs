//! `wabridge simulate`: signed sample notifications, posted as Meta would.

use super::{Failure, Outcome, output};
use crate::config::{self, Listen, Sources};
use crate::edge::clock;
use crate::wire::sample::{self, KINDS, Sample};
use lexopt::{Arg, Parser, ValueExt};
use std::time::Duration;
use ureq::Agent;

pub fn help() -> String {
    let mut text = String::from(
        "\
Sends sample notifications as Meta would, signed with APP_SECRET: tries your rules or your app
without a phone.

Usage: wabridge simulate [TEXT] [--kind KIND] [--count N] [--url URL]
                         [--from PHONE] [--name NAME] [--number PHONE_NUMBER_ID]

TEXT      what the customer writes (\"Hello from a sample\")
--kind    what is sent (text); the kinds are listed below
--count   how many, one after the other (1)
--url     where to (this machine's LISTEN and WEBHOOK_PATH)
--from    the customer's phone number (15550107001)
--name    the customer's name
--number  the phone_number_id of the business number they write to

Prints the answer to each; exit code 0 when all were 200.

Kinds:
",
    );
    for kind in KINDS {
        text.push_str(&format!("  {:<18}{}\n", kind.name, kind.help));
    }
    text
}

struct Options {
    text: Option<String>,
    kind: String,
    count: usize,
    url: Option<String>,
    from: Option<String>,
    name: Option<String>,
    number: Option<String>,
}

pub fn run(parser: Parser) -> Outcome {
    let options = parse(parser)?;
    if !KINDS.iter().any(|kind| kind.name == options.kind) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let kind = &options.kind;
        return Err(Failure::Misused(format!(
            "--kind {kind} is not known; there are: {}",
            known.join(" ")
        )));
    }
    let (config, _) = config::survey(&Sources::of_this_process());
    if config.hub_keys.is_empty() && !config.allow_unsigned {
        return Err(Failure::says(format!(
            "APP_SECRET is not set, and the notification must be signed with the service's: {}",
            config::table::find("APP_SECRET").mend
        )));
    }
    let url = match (&options.url, &config.listen) {
        (Some(url), _) if !url.starts_with("http://") && !url.starts_with("https://") => {
            return Err(Failure::Misused(format!(
                "--url {url} is not an address: write http://HOST:PORT/webhook"
            )));
        }
        (Some(url), _) => url.clone(),
        (None, Listen::Tcp(address)) => format!("http://{address}{}", config.webhook_path),
        (None, Listen::Unix(_)) => {
            return Err(Failure::Misused(
                "LISTEN is a Unix socket: say --url with nginx's address".into(),
            ));
        }
    };
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .build()
        .into();
    let mut refused = 0_usize;
    for _ in 0..options.count {
        let body = notification(&options);
        let mut request = agent.post(&url).header("Content-Type", "application/json");
        if let Some(signature) = config.hub_keys.sign(body.as_bytes()) {
            request = request.header("X-Hub-Signature-256", signature);
        }
        let mut response = request.send(body.as_bytes()).map_err(|error| {
            Failure::says(format!(
                "{url} cannot be reached ({error}): is `wabridge serve` running there?"
            ))
        })?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let text = output::inert(text.trim());
        output::print(&format!("{} → {status} {text}\n", options.kind));
        refused += usize::from(status != 200);
    }
    match refused {
        0 => Ok(()),
        n => Err(Failure::says(format!(
            "{n} of {} were not answered 200",
            options.count
        ))),
    }
}

fn parse(mut parser: Parser) -> Result<Options, Failure> {
    let mut options = Options {
        text: None,
        kind: "text".into(),
        count: 1,
        url: None,
        from: None,
        name: None,
        number: None,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(text) if options.text.is_none() => options.text = Some(text.string()?),
            Arg::Long("kind") => options.kind = parser.value()?.string()?,
            Arg::Long("count") => options.count = super::count("--count", &mut parser)?,
            Arg::Long("url") => options.url = Some(parser.value()?.string()?),
            Arg::Long("from") => options.from = Some(parser.value()?.string()?),
            Arg::Long("name") => options.name = Some(parser.value()?.string()?),
            Arg::Long("number") => options.number = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// A fresh one each time: its id is new, so it is no duplicate.
fn notification(options: &Options) -> String {
    let plain = Sample::default();
    let from = options.from.as_deref().unwrap_or(plain.from);
    let seed = u64::from_le_bytes(clock::random());
    let sample = Sample {
        from,
        user_id: Some(&sample::bsuid(from)),
        name: options.name.as_deref().unwrap_or(plain.name),
        text: options.text.as_deref().unwrap_or(plain.text),
        number: options.number.as_deref().unwrap_or(plain.number),
        id: &sample::wamid(seed, from),
        timestamp: clock::now_ms() / 1_000,
        ..plain
    };
    // The kind was looked up before.
    sample::notification(&options.kind, &sample).unwrap_or_default()
}
