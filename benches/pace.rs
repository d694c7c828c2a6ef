//! What `tests/pace` measures with: fills an outbox with messages to as many people, stands in for
//! Graph, starts `wabridge serve` between the two, and prints how fast the calls came, as a line of
//! JSON.
//!
//! Graph's part is done by one thread that only counts (`pace/graph.rs`): the stand-in that the
//! tests use reads every body as strictly as Meta's pages do, and would be measured instead. What
//! this one can take is measured first and told.

#[allow(dead_code, reason = "what tests/replies alone asks")]
#[path = "pace/graph.rs"]
mod graph;
#[path = "run.rs"]
mod run;

use graph::{Arrival, Graph};
use run::run;
use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wabridge::config::{Limits, Secret, Tokens};
use wabridge::gateway::{Gateway, Post, Wants};
use wabridge::store::{Access, Database};

const USAGE: &str = "\
usage: pace --wabridge BINARY --folder FOLDER [options]

  --rate N          messages a second that the number may send (80)
  --seconds S       measure for so long (60)
  --warmup S        and not before so much time has passed since the first call (2)
  --latency MS      how long Graph takes to answer (100)
  --concurrency N   SEND_CONCURRENCY (256)";

const NUMBER: &str = "106540300000001";
/// A campaign's transactions: each as large as a busy service's own.
const QUEUED_PER_COMMIT: usize = 256;
/// From the start of the process to its first call.
const START: Duration = Duration::from_secs(60);
/// What is queued beyond the warm-up and the time: the last second is as busy as the first.
const SPARE_S: f64 = 2.0;
/// Linux counts a process's CPU time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> ExitCode {
    run("pace", USAGE, Options::from_args(), |options| {
        measure(&options)
    })
}

struct Options {
    wabridge: PathBuf,
    folder: PathBuf,
    rate: u32,
    seconds: f64,
    warmup: f64,
    latency: Duration,
    concurrency: u32,
}

impl Options {
    fn from_args() -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut wabridge, mut folder) = (None, None);
        let (mut rate, mut latency_ms, mut concurrency) = (80, 100, 256);
        let (mut seconds, mut warmup) = (60.0, 2.0);
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("wabridge") => wabridge = Some(PathBuf::from(args.value()?)),
                Long("folder") => folder = Some(PathBuf::from(args.value()?)),
                Long("rate") => rate = args.value()?.parse()?,
                Long("seconds") => seconds = args.value()?.parse()?,
                Long("warmup") => warmup = args.value()?.parse()?,
                Long("latency") => latency_ms = args.value()?.parse()?,
                Long("concurrency") => concurrency = args.value()?.parse()?,
                _ => return Err(arg.unexpected()),
            }
        }
        let sound = |seconds: f64| (0.0..=3_600.0).contains(&seconds);
        if rate == 0 || !sound(seconds) || !sound(warmup) || seconds < 1.0 {
            return Err("--rate, --seconds and --warmup are sensible numbers".into());
        }
        Ok(Options {
            wabridge: wabridge.ok_or("--wabridge is missing")?,
            folder: folder.ok_or("--folder is missing")?,
            rate,
            seconds,
            warmup,
            latency: Duration::from_millis(latency_ms),
            concurrency,
        })
    }
}

fn measure(options: &Options) -> Result<String, Box<dyn Error>> {
    let graph_can = what_graph_can()?;
    let database = options.folder.join("pace.db");
    let queued = f64::from(options.rate) * (options.warmup + options.seconds + SPARE_S);
    fill(&database, queued as usize)?;

    let graph = Graph::start(options.latency)?;
    let service = Service::start(options, &database, graph.address)?;
    let first = graph
        .await_first(START)
        .ok_or("no call came: see serve.log")?;
    let from = first + Duration::from_secs_f64(options.warmup);
    let until = from + Duration::from_secs_f64(options.seconds);
    sleep_until(from);
    let (own, machine, bench) = (service.cpu_s()?, machine_cpu_s()?, cpu_s("self")?);
    sleep_until(until);
    let own = service.cpu_s()? - own;
    let bench = cpu_s("self")? - bench;
    let others = machine_cpu_s()? - machine - own - bench;
    let peak_mb = service.peak_mb()?;
    drop(service);

    let arrivals = graph.stop();
    let people: HashSet<&str> = arrivals.iter().map(|one| one.to.as_str()).collect();
    let times: Vec<Instant> = arrivals.iter().map(|one| one.at).collect();
    let (start, end) = (
        times.partition_point(|at| *at < from),
        times.partition_point(|at| *at < until),
    );
    let measured = &times[start..end];
    let gaps = measured.windows(2).map(|two| two[1] - two[0]);
    let report = serde_json::json!({
        "asked": options.rate,
        "rate": round(measured.len() as f64 / options.seconds),
        "worst_second": most_in_a_second(measured),
        "longest_gap_ms": round(gaps.max().unwrap_or_default().as_secs_f64() * 1e3),
        "calls": arrivals.len(),
        "twice": arrivals.len() - people.len(),
        "cpu": round(own / options.seconds),
        "peak_mb": round(peak_mb),
        "graph_cpu": round(bench / options.seconds),
        "graph_can": graph_can,
        "others_cpu": round(others / options.seconds),
    });
    Ok(report.to_string())
}

/// The most in any second, wherever it begins.
fn most_in_a_second(times: &[Instant]) -> usize {
    let second = Duration::from_secs(1);
    let ends = |start: usize| times.partition_point(|at| *at < times[start] + second);
    (0..times.len())
        .map(|start| ends(start) - start)
        .max()
        .unwrap_or(0)
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

/// Templates, as in a campaign: nobody has written, so nothing else may be sent.
fn fill(path: &Path, messages: usize) -> Result<(), Box<dyn Error>> {
    let mut database = Database::open(path, Access::Serve)?;
    let tokens = Tokens {
        common: Some(Secret::new("pace-token")),
        ..Tokens::default()
    };
    let gateway =
        database.commit(|tx| Gateway::open(tx, Limits::default(), Wants::Nothing, &tokens))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let all: Vec<usize> = (0..messages).collect();
    for some in all.chunks(QUEUED_PER_COMMIT) {
        database.commit(|tx| {
            for n in some {
                let post = Post {
                    number: NUMBER.into(),
                    body: template(*n),
                    idempotency_key: None,
                };
                gateway.post(tx, now, &post)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn template(n: usize) -> String {
    serde_json::json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": format!("1555{n:07}"),
        "type": "template",
        "template": {
            "name": "order_on_its_way",
            "language": {"code": "en"},
            "components": [{
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "the walnut shelf"},
                    {"type": "text", "text": format!("48-{n}")},
                ],
            }],
        },
    })
    .to_string()
}

/// `wabridge serve`, ended with this value.
struct Service(Child);

impl Service {
    fn start(
        options: &Options,
        database: &Path,
        graph: SocketAddr,
    ) -> Result<Service, Box<dyn Error>> {
        let log = fs::File::create(options.folder.join("serve.log"))?;
        let child = Command::new(options.wabridge.canonicalize()?)
            .arg("serve")
            .current_dir(&options.folder)
            .env_clear()
            .env("LOG_LEVEL", "warn")
            .env("VERIFY_TOKEN", "pace-verify-token")
            .env("APP_SECRET", "pace-app-secret")
            .env("WHATSAPP_TOKEN", "pace-token")
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite:{}", database.display()))
            .env("GRAPH_API_URL", format!("http://{graph}"))
            .env(
                format!("RATE_PER_NUMBER_{NUMBER}"),
                options.rate.to_string(),
            )
            .env("SEND_CONCURRENCY", options.concurrency.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Service(child))
    }

    fn cpu_s(&self) -> Result<f64, Box<dyn Error>> {
        cpu_s(&self.0.id().to_string())
    }

    fn peak_mb(&self) -> Result<f64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next());
        Ok(kb.ok_or("no VmHWM")?.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Its outbox goes away with the folder: nothing has to end in order.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU time of a process up to now, in seconds.
fn cpu_s(process: &str) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it, in brackets, may hold anything.
    let (_, after) = stat.rsplit_once(')').ok_or("an odd /proc/…/stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let [user, system] = [fields.get(11), fields.get(12)];
    let ticks = |field: Option<&&str>| field.and_then(|text| text.parse::<f64>().ok());
    let user = ticks(user).ok_or("an odd /proc/…/stat")?;
    Ok((user + ticks(system).unwrap_or(0.0)) / TICKS_PER_SECOND)
}

/// CPU time that all of the machine's processes have taken, in seconds.
fn machine_cpu_s() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = all.skip(1).filter_map(|text| text.parse().ok()).collect();
    // user, nice, system; then idle and waiting; irq, softirq.
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|n| ticks.get(*n));
    Ok(busy.sum::<f64>() / TICKS_PER_SECOND)
}

/// How many calls a second the counting Graph takes from four plain clients that do nothing else.
fn what_graph_can() -> Result<u64, Box<dyn Error>> {
    let graph = Graph::start(Duration::ZERO)?;
    let until = Instant::now() + Duration::from_secs(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| call_until(graph.address, until));
        }
    });
    let arrivals: Vec<Arrival> = graph.stop();
    Ok(arrivals.len() as u64)
}

fn call_until(graph: SocketAddr, until: Instant) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(graph)?;
    socket.set_nodelay(true)?;
    let body = template(1);
    let head = "POST /v0/1/messages HTTP/1.1\r\nContent-Length: ";
    let request = format!("{head}{}\r\n\r\n{body}", body.len());
    let mut answer = [0; 1024];
    while Instant::now() < until {
        socket.write_all(request.as_bytes())?;
        // The answer is written at once, and is small: it comes in one piece.
        if socket.read(&mut answer)? == 0 {
            break;
        }
    }
    Ok(())
}
