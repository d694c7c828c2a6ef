//! `wabridge send`: a message goes into the outbox, and what became of it is told.

mod file;

use super::{Failure, Outcome, output};
use crate::config::{self, Sources, Tokens};
use crate::edge::clock;
use crate::gateway::post::is_settled;
use crate::gateway::{Gateway, Post, Posted, Wants};
use crate::policy::ladder::SendState;
use crate::store::Database;
use crate::store::rows::{Message, OutboxId};
use crate::wire::media::Kind;
use crate::wire::{raw, validate};
use file::{Attached, FileOptions};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub const HELP: &str = "\
Sends a message through the running service: it goes in the outbox, and out in its turn.

Usage: wabridge send --from PHONE_NUMBER_ID --to PHONE TEXT
       wabridge send --from PHONE_NUMBER_ID --to PHONE --file PATH [--caption TEXT]
                     [--as image|video|audio|document|sticker] [--name FILENAME]
       wabridge send --from PHONE_NUMBER_ID [--to PHONE] --json FILE

--from     the phone_number_id of the business number
--to       the recipient's number with country code, or a BSUID such as US.1349...
--file     a picture, film, sound, document or sticker: sent as what it holds
--caption  the text below it (not with sounds and stickers)
--as       what it is sent as, where that is not the usual: any file goes as a document
--name     the name that a document is shown by; without, the file's own
--json     a file with a Cloud API message object (- for standard input)

Prints the message's wamid once Graph has accepted it. When that takes longer than API_WAIT (10s),
prints its number in the outbox; `wabridge outbox show` tells what became of it.

A file is uploaded to Graph before its message is queued, with WHATSAPP_TOKEN; when that fails
nothing is queued. The id that Graph gives it is remembered for as long as it is good (30 days), so
that the same file goes up once for a number. WhatsApp takes pictures of up to 5 MB (JPEG, PNG),
films (MP4, 3GP) and sounds (AAC, AMR, MP3, M4A, OGG) of 16 MB, documents (PDF, Word, Excel,
PowerPoint, text) of 100 MB, and stickers (WebP) of 100 KB, or 500 KB where they move.
";

struct Options {
    from: String,
    to: Option<String>,
    content: Content,
}

/// What is sent.
enum Content {
    Text(String),
    /// The path of a message object.
    Json(String),
    File(FileOptions),
}

pub fn run(parser: Parser) -> Outcome {
    let options = parse(parser)?;
    let mut attached = None;
    let body = match options.content {
        Content::Text(text) => json!({"messaging_product": "whatsapp",
            "recipient_type": "individual", "type": "text", "text": {"body": text}})
        .to_string(),
        Content::Json(path) => read(&path)?,
        // Found wrong before anything goes up, whatever its file's id will be.
        Content::File(file) => attached.insert(Attached::open(file)?).message("1"),
    };
    let mut body = addressed(&body, options.to.as_deref())?;
    let sources = Sources::of_this_process();
    let (config, problems) = config::survey(&sources);
    let mut database = super::visit()?;
    let gateway = database.commit(|tx| {
        let limits = config.limits.clone();
        Gateway::open(tx, limits, Wants::Nothing, &Tokens::default())
    })?;
    let mut new = None;
    if let Some(attached) = &mut attached {
        let given = attached.give(&database, &gateway, &config, &problems, &options.from)?;
        body = addressed(&attached.message(&given.media_id), options.to.as_deref())?;
        new = given
            .new
            .map(|(sha256, mime)| (sha256, mime, given.media_id));
    }
    let now = clock::now_ms();
    let post = Post {
        number: options.from,
        body,
        idempotency_key: None,
    };
    let posted = database.commit(|tx| {
        if let Some((sha256, mime, media_id)) = &new {
            gateway.keep_upload(tx, now, &post.number, sha256, mime, media_id)?;
        }
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
    let (mut from, mut to, mut text, mut json) = (None, None, None, None);
    let (mut path, mut caption, mut kind, mut name) = (None, None, None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("from") => from = Some(parser.value()?.string()?),
            Arg::Long("to") => to = Some(parser.value()?.string()?),
            Arg::Long("json") => json = Some(parser.value()?.string()?),
            Arg::Long("file") => path = Some(PathBuf::from(parser.value()?)),
            Arg::Long("caption") => caption = Some(parser.value()?.string()?),
            Arg::Long("as") => kind = Some(parser.value()?.string()?),
            Arg::Long("name") => name = Some(parser.value()?.string()?),
            Arg::Value(value) if text.is_none() => text = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let misused = |text: &str| Failure::Misused(text.into());
    let from = from.ok_or_else(|| misused("send needs --from PHONE_NUMBER_ID"))?;
    if from.is_empty() || !from.bytes().all(|b| b.is_ascii_digit()) {
        return Err(misused(
            "--from is a phone_number_id: digits only, from API Setup",
        ));
    }
    if path.is_none() && (caption.is_some() || kind.is_some() || name.is_some()) {
        return Err(misused("--caption, --as and --name go with --file PATH"));
    }
    if to.is_none() && json.is_none() {
        return Err(misused("send needs --to PHONE"));
    }
    if let Some(to) = &to
        && !to.bytes().any(|b| b.is_ascii_digit())
    {
        return Err(Failure::Misused(format!(
            "--to {to} is nobody: write a phone number with country code, or a BSUID"
        )));
    }
    let wanted = kind.as_deref().map(kind_named).transpose()?;
    let content = match (text, json, path) {
        (Some(text), None, None) => Content::Text(text),
        (None, Some(json), None) => Content::Json(json),
        (None, None, Some(path)) => Content::File(FileOptions {
            path,
            caption,
            wanted,
            name,
        }),
        (Some(_), None, Some(_)) => {
            return Err(misused("a text beside --file is its --caption TEXT"));
        }
        _ => {
            return Err(misused(
                "send needs one of a TEXT, --file PATH and --json FILE",
            ));
        }
    };
    Ok(Options { from, to, content })
}

fn kind_named(word: &str) -> Result<Kind, Failure> {
    let mut kinds = Kind::ALL.into_iter();
    kinds.find(|kind| kind.as_str() == word).ok_or_else(|| {
        Failure::Misused(format!(
            "--as {word} is no kind of file: image, video, audio, document and sticker are"
        ))
    })
}

/// The message with all it needs, or what Graph would refuse it for.
fn addressed(body: &str, to: Option<&str>) -> Result<String, Failure> {
    let set = |body: &str, key: &str, value: &str| {
        let parts = raw::members(body);
        let parts = parts.ok_or_else(|| {
            let form = r#"{"type": "text", "text": {"body": "Hello"}}"#;
            Failure::says(format!(
                "what --json names is not a JSON object such as {form}"
            ))
        })?;
        Ok::<_, Failure>(raw::with_member(&parts, key, &raw::quote(value)))
    };
    let mut body = set(body, "messaging_product", "whatsapp")?;
    if let Some(to) = to {
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
