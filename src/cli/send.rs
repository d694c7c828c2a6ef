//! `wabridge send`

use super::{Failure, Outcome, output};
use crate::config::{self, Sources, Tokens};
use crate::edge::clock;
use crate::gateway::post::is_settled;
use crate::gateway::{Gateway, Post, Posted, Wants};
use crate::policy::ladder::SendState;
use crate::store::Database;
use crate::store::rows::{Message, OutboxId};
use crate::wire::{raw, validate};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;
use std::io::Read;
use std::thread;
use std::time::Duration;

pub const HELP: &str = "\
Sends a message through the running service: it goes in the outbox, and out in its turn.

Usage: wabridge send --from PHONE_NUMBER_ID --to PHONE TEXT
       wabridge send --from PHONE_NUMBER_ID [--to PHONE] --json FILE

--from  the phone_number_id of the business number
--to    the recipient's number with country code, or a BSUID such as US.1349...
--json  a file with a Cloud API message object (- for standard input)

Prints the message's wamid once Graph has accepted it. When that takes longer than API_WAIT (10s),
prints its number in the outbox; `wabridge outbox show` tells what became of it.
";

struct Options {
    from: String,
    to: Option<String>,
    text: Option<String>,
    file: Option<String>,
}

pub fn run(parser: Parser) -> Outcome {
    let options = parse(parser)?;
    let body = message(&options)?;
    let sources = Sources::of_this_process();
    let (config, _) = config::survey(&sources);
    let mut database = super::visit()?;
    let now = clock::now_ms();
    let post = Post {
        number: options.from,
        body,
        idempotency_key: None,
    };
    let posted = database.commit(|tx| {
        let gateway = Gateway::open(
            tx,
            config.limits.clone(),
            Wants::Nothing,
            &Tokens::default(),
        )?;
        gateway.post(tx, now, &post)
    })?;
    let (Posted::New(id) | Posted::Again(id)) = posted else {
        unreachable!("no idempotency key was given");
    };
    let wait = config.api.map_or(Duration::from_secs(10), |api| api.wait);
    let served = Database::is_served(&config.database);
    let message = await_outcome(&database, id, if served { wait } else { Duration::ZERO })?;
    tell(id, &message, served)
}

fn parse(mut parser: Parser) -> Result<Options, Failure> {
    let (mut from, mut to, mut text, mut file) = (None, None, None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("from") => from = Some(parser.value()?.string()?),
            Arg::Long("to") => to = Some(parser.value()?.string()?),
            Arg::Long("json") => file = Some(parser.value()?.string()?),
            Arg::Value(value) if text.is_none() => text = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let from = from.ok_or_else(|| Failure::Misused("send needs --from PHONE_NUMBER_ID".into()))?;
    if from.is_empty() || !from.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::Misused(
            "--from is a phone_number_id: digits only, from API Setup".into(),
        ));
    }
    if text.is_some() == file.is_some() {
        return Err(Failure::Misused(
            "send needs either a TEXT or --json FILE".into(),
        ));
    }
    if to.is_none() && file.is_none() {
        return Err(Failure::Misused("send needs --to PHONE".into()));
    }
    Ok(Options {
        from,
        to,
        text,
        file,
    })
}

fn message(options: &Options) -> Result<String, Failure> {
    let mut body = match (&options.text, &options.file) {
        (Some(text), _) => json!({"messaging_product": "whatsapp", "recipient_type": "individual",
            "type": "text", "text": {"body": text}})
        .to_string(),
        (None, Some(file)) => read(file)?,
        (None, None) => String::new(),
    };
    let set = |body: &str, key: &str, value: &str| {
        let parts = raw::members(body);
        let parts = parts.ok_or_else(|| Failure::says("the file does not hold a JSON object"))?;
        Ok::<_, Failure>(raw::with_member(&parts, key, &raw::quote(value)))
    };
    body = set(&body, "messaging_product", "whatsapp")?;
    if let Some(to) = &options.to {
        // A BSUID begins with a country's two letters and a dot.
        let is_bsuid = to.as_bytes().get(2) == Some(&b'.');
        body = set(&body, if is_bsuid { "recipient" } else { "to" }, to)?;
    }
    validate::check(&body).map_err(Failure::because)?;
    Ok(body)
}

fn read(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(|_| text),
        path => std::fs::read_to_string(path),
    };
    read.map_err(|error| Failure::says(format!("{file} cannot be read: {error}")))
}

fn await_outcome(
    database: &Database,
    id: OutboxId,
    wait: Duration,
) -> Result<Option<Message>, Failure> {
    let until = clock::now_ms() + wait.as_millis() as i64;
    loop {
        let message = database.read(|tx| tx.message(id))?;
        let settled = message
            .as_ref()
            .is_none_or(|message| is_settled(message.state));
        if settled || clock::now_ms() >= until {
            return Ok(message);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn tell(id: OutboxId, message: &Option<Message>, served: bool) -> Outcome {
    let Some(message) = message else {
        return Err(Failure::says(format!(
            "message {id} is not in the outbox any more"
        )));
    };
    if let Some(wamid) = message
        .wamid
        .as_ref()
        .filter(|_| message.state != SendState::Failed)
    {
        output::print(&format!("{wamid}\n"));
        return Ok(());
    }
    if is_settled(message.state) {
        let why = message.error.as_deref().unwrap_or(message.state.as_str());
        return Err(Failure::says(format!("message {id} was not sent: {why}")));
    }
    output::print(&format!("message {id} is in the outbox\n"));
    if !served {
        eprintln!(
            "wabridge: no service runs on this database; it goes out when `wabridge serve` does"
        );
    }
    Ok(())
}
