//! What `tests/replies` measures with: posts signed notifications to a bot, stands in for Graph, and
//! prints, as a line of JSON, how long it took from each notification to the call that replies.
//!
//! The bot is started by the script and told where this Graph is; an app behind wabridge
//! (`replies/app.rs`) is in this process too. Each message comes from somebody else, so the reply's
//! recipient tells which message it answers.

#[path = "replies/app.rs"]
mod app;
#[allow(dead_code, reason = "what tests/pace alone asks")]
#[path = "pace/graph.rs"]
mod graph;
#[path = "run.rs"]
mod run;

use graph::Graph;
use ring::hmac;
use run::run;
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wabridge::wire::sample::{self, Sample};

const USAGE: &str = "\
usage: replies --hook HOST:PORT/PATH --secret APP_SECRET [options] -- BOT ARGS…

  --rate N          messages a second, evenly; 0: as fast as 64 connections get answers (100)
  --messages N      how many (1000)
  --latency MS      how long Graph takes to answer (20)

In BOT's environment GRAPH is the address of the stand-in for Graph, and APP that of an app that
answers each message with its text.";

/// Connections that post.
const CONNECTIONS: usize = 64;
/// Posted and not counted: what is opened, compiled or looked up at first is over by then.
const WARM_UP: usize = 100;
/// Until the bot takes a post, and for the last reply.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    run("replies", USAGE, Options::from_args(), |options| {
        measure(&options)
    })
}

struct Options {
    hook: SocketAddr,
    path: String,
    secret: hmac::Key,
    rate: u32,
    messages: usize,
    latency: Duration,
    bot: Vec<std::ffi::OsString>,
}

impl Options {
    fn from_args() -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut hook, mut secret, mut bot) = (None, None, Vec::new());
        let (mut rate, mut messages, mut latency_ms) = (100, 1_000, 20);
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("hook") => hook = Some(args.value()?.string()?),
                Long("secret") => secret = Some(args.value()?.string()?),
                Long("rate") => rate = args.value()?.parse()?,
                Long("messages") => messages = args.value()?.parse()?,
                Long("latency") => latency_ms = args.value()?.parse()?,
                Value(first) => {
                    bot.push(first);
                    bot.extend(args.raw_args()?);
                }
                _ => return Err(arg.unexpected()),
            }
        }
        let hook = hook.ok_or("--hook is missing")?;
        let (address, path) = hook.split_once('/').ok_or("--hook is HOST:PORT/PATH")?;
        if bot.is_empty() || messages == 0 || rate > 10_000 {
            return Err("a bot, messages and a rate of at most 10000 are needed".into());
        }
        let secret = secret.ok_or("--secret is missing")?;
        Ok(Options {
            hook: address.parse().map_err(|_| "--hook is HOST:PORT/PATH")?,
            path: path.to_owned(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            rate,
            messages,
            latency: Duration::from_millis(latency_ms),
            bot,
        })
    }
}

fn measure(options: &Options) -> Result<String, Box<dyn Error>> {
    let graph = Graph::start(options.latency)?;
    let app = app::start()?;
    let bot = Bot::start(&options.bot, graph.address, app)?;
    await_bot(options)?;
    post_all(options, 0..WARM_UP, options.rate)?;
    await_replies(&graph, WARM_UP);
    if graph.taken() == 0 {
        return Err("no reply came".into());
    }
    let posted = post_all(options, WARM_UP..WARM_UP + options.messages, options.rate)?;
    await_replies(&graph, WARM_UP + options.messages);
    drop(bot);
    let mut replied: HashMap<String, Vec<Instant>> = HashMap::new();
    for arrival in graph.stop() {
        replied.entry(arrival.to).or_default().push(arrival.at);
    }
    let times = |post: &Posted| {
        let mut names = post.names.iter();
        names.find_map(|name| replied.get(name).map(Vec::as_slice))
    };
    let twice = posted
        .iter()
        .filter(|post| times(post).is_some_and(|at| at.len() > 1));
    let twice = twice.count();
    let begun = posted
        .iter()
        .map(|post| post.begun)
        .min()
        .ok_or("nothing was posted")?;
    let last = posted.iter().filter_map(|post| times(post)?.first()).max();
    let mut waits: Vec<Duration> = posted
        .iter()
        .filter_map(|post| Some(times(post)?.first()?.saturating_duration_since(post.begun)))
        .collect();
    let mut answers: Vec<Duration> = posted
        .iter()
        .map(|post| post.answered - post.begun)
        .collect();
    waits.sort_unstable();
    answers.sort_unstable();
    let took = last.map(|last| (*last - begun).as_secs_f64());
    let report = serde_json::json!({
        "posted": posted.len(),
        "replied": waits.len(),
        "twice": twice,
        "refused": posted.iter().filter(|post| !post.good).count(),
        "per_second": took.map(|took| round(waits.len() as f64 / took)),
        "p50_ms": ms(&waits, 0.5),
        "p99_ms": ms(&waits, 0.99),
        "most_ms": ms(&waits, 1.0),
        "ack_p50_ms": ms(&answers, 0.5),
        "ack_p99_ms": ms(&answers, 0.99),
    });
    Ok(report.to_string())
}

fn ms(sorted: &[Duration], share: f64) -> Option<f64> {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    let found = sorted.get(at.max(1) - 1)?;
    Some(round(found.as_secs_f64() * 1e3))
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// The bot's process, with all it started: ended with this value.
struct Bot(Child);

impl Bot {
    fn start(bot: &[std::ffi::OsString], graph: SocketAddr, app: SocketAddr) -> io::Result<Bot> {
        use std::os::unix::process::CommandExt;
        Command::new(&bot[0])
            .args(&bot[1..])
            .env("GRAPH", format!("http://{graph}"))
            .env("APP", format!("http://{app}/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Bot)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// Until something listens.
fn await_bot(options: &Options) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(options.hook).is_err() {
        if Instant::now() > until {
            return Err("the bot does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Until so many have come, or it takes too long: the slowest may be far behind.
fn await_replies(graph: &Graph, count: usize) {
    let until = Instant::now() + PATIENCE;
    while graph.taken() < count && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A message that was posted.
struct Posted {
    /// Whom the reply may be sent to: the number, or the BSUID.
    names: [String; 2],
    /// When its first byte was written; at a rate, when it was to be.
    begun: Instant,
    answered: Instant,
    good: bool,
}

fn post_all(
    options: &Options,
    messages: std::ops::Range<usize>,
    rate: u32,
) -> Result<Vec<Posted>, Box<dyn Error>> {
    let next = AtomicUsize::new(messages.start);
    let start = Instant::now();
    let due = |n: usize| match rate {
        0 => None,
        rate => Some(start + Duration::from_secs(1) * (n - messages.start) as u32 / rate),
    };
    let post_some = || -> io::Result<Vec<Posted>> {
        let mut connection = None;
        let mut posted = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= messages.end {
                return Ok(posted);
            }
            let (names, request) = request(options, n);
            if let Some(due) = due(n) {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let begun = due(n).unwrap_or_else(Instant::now);
            let good = post(options, &mut connection, &request)?;
            let answered = Instant::now();
            posted.push(Posted {
                names,
                begun,
                answered,
                good,
            });
        }
    };
    let threads = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(post_some)).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        ended.collect::<io::Result<Vec<_>>>()
    })?;
    Ok(threads.into_iter().flatten().collect())
}

/// A customer and what they write, signed.
fn request(options: &Options, n: usize) -> ([String; 2], String) {
    let names = [format!("1555{n:07}"), format!("US.{n}")];
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let body = sample::notification(
        "text",
        &Sample {
            from: &names[0],
            user_id: Some(&names[1]),
            text: &format!("Is order {n} on its way?"),
            id: &format!("wamid.REPLIES{n}"),
            timestamp: now.as_secs() as i64,
            ..Sample::default()
        },
    )
    .expect("a kind there is");
    let signature: String = hmac::sign(&options.secret, body.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let request = format!(
        "POST /{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        options.path,
        options.hook,
        body.len()
    );
    (names, request)
}

/// Posts on the connection, or on a new one; whether it was answered 200.
fn post(
    options: &Options,
    connection: &mut Option<BufReader<TcpStream>>,
    request: &str,
) -> io::Result<bool> {
    let kept = connection.take();
    let mut reader = match kept {
        Some(reader) => reader,
        None => {
            let stream = TcpStream::connect(options.hook)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            BufReader::new(stream)
        }
    };
    reader.get_mut().write_all(request.as_bytes())?;
    let (mut line, mut length, mut keep) = (String::new(), 0, true);
    reader.read_line(&mut line)?;
    let good = line.split(' ').nth(1) == Some("200");
    loop {
        line.clear();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        keep &= !lower.starts_with("connection: close");
    }
    io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
    *connection = keep.then_some(reader);
    Ok(good)
}
