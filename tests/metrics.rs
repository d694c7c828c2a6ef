//! The figures for Prometheus and the readiness page: what is on them after things have happened,
//! who may see them, and that what is built on them names what exists.

mod support;

#[allow(dead_code)] // this program is only listened to
#[path = "clients/program.rs"]
mod program;

use program::{KEY, Program, is_installed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use support::*;
use wabridge::edge::standin::{CallFault, Chance, Faults, StandIn};
use wabridge::store::{Access, Database};

const NUMBER: &str = "106540300000001";
const CUSTOMER: &str = "15550107001";
const METRICS_KEY: &str = "test-metrics-key";

/// A service that answers, and what is around it.
struct Stage {
    place: Place,
    operator: SocketAddr,
    standin: StandIn,
    _app: App,
}

impl Stage {
    fn new() -> Stage {
        let app = App::start(|request| match request.text() {
            "" => says(200, ""),
            "no" => says(422, ""),
            text => says(
                200,
                json!({"messages": [{"text": {"body": text}}]}).to_string(),
            ),
        });
        let standin = graph();
        let app_url = app.url();
        let settings = [
            ("FORWARD_URL", app_url.as_str()),
            ("API_KEY", KEY),
            ("METRICS_KEY", METRICS_KEY),
            ("OPERATOR_LISTEN", "127.0.0.1:0"),
        ];
        let mut place = Place::with_graph(&standin, &settings);
        Stage {
            operator: place.service.api().address,
            place,
            standin,
            _app: app,
        }
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        request(
            self.operator,
            "GET",
            path,
            &[("Authorization", &bearer)],
            b"",
        )
        .unwrap()
    }

    fn page(&self) -> String {
        let answer = self.get("/metrics", METRICS_KEY);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The value of a sample, written with its labels.
    fn value(&self, sample: &str) -> f64 {
        samples(&self.page()).remove(sample).unwrap_or(f64::NAN)
    }

    fn write(&self, n: u64, text: &str) {
        self.place.service.take(&text_message(n, CUSTOMER, text));
    }
}

fn samples(page: &str) -> BTreeMap<String, f64> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        (sample.to_owned(), value.parse().unwrap())
    };
    samples.map(read).collect()
}

/// The names of all families on a page, as they stand in queries.
fn names(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let in_queries = |line: &str| {
        let (name, kind) = line.split_once(' ').unwrap();
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        endings
            .iter()
            .map(|ending| format!("{name}{ending}"))
            .collect::<Vec<_>>()
    };
    types.flat_map(in_queries).collect()
}

#[test]
fn what_happened_is_in_the_figures() {
    let stage = Stage::new();
    let refused = CallFault::Refused(400, 131_051, "not this".into());
    stage.write(1, "hello");
    wait_until("the reply is delivered", || {
        stage.value("wabridge_messages_total{state=\"delivered\"}") == 1.0
    });
    stage.write(1, "hello");
    stage.write(2, "no");
    stage
        .standin
        .set_faults(Faults::none().call(Chance::Next(1), refused));
    stage.write(3, "again");
    let forged = [("X-Hub-Signature-256", "sha256=00")];
    let service = &stage.place.service;
    let forged = service.request("POST", "/webhook", &forged, b"{}");
    assert_eq!(forged.status, 401);
    let verdict = |verdict, code| {
        format!(
            "wabridge_verdicts_total{{number=\"{NUMBER}\",verdict=\"{verdict}\",code=\"{code}\"}}"
        )
    };
    wait_until("all of it is through", || {
        let page = samples(&stage.page());
        // What Graph said is counted when it is heard, the state when it is stored.
        page["wabridge_messages_total{state=\"failed\"}"] == 1.0
            && page.get("wabridge_queue_dead_letters{queue=\"deliver\",name=\"bot\"}") == Some(&1.0)
    });

    let page = samples(&stage.page());
    let value = |sample: &str| {
        *page
            .get(sample)
            .unwrap_or_else(|| panic!("no {sample}: {page:#?}"))
    };
    assert_eq!(
        value("wabridge_notifications_total{outcome=\"duplicate\"}"),
        1.0
    );
    assert_eq!(
        value("wabridge_notifications_total{outcome=\"unsigned\"}"),
        1.0
    );
    assert_eq!(value("wabridge_duplicate_events_total"), 1.0);
    assert_eq!(value("wabridge_events_total{kind=\"message\"}"), 3.0);
    // Statuses may still come.
    let stored = value("wabridge_notifications_total{outcome=\"stored\"}");
    assert!(stored >= 4.0);
    assert!(value("wabridge_acknowledge_duration_seconds_count") > stored);
    assert!(value("wabridge_events_total{kind=\"status\"}") >= 1.0);
    let handled = |outcome| {
        value(&format!(
            "wabridge_handle_duration_seconds_count{{consumer=\"bot\",outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!(handled("dead"), 1.0);
    assert!(handled("done") >= 2.0, "statuses are handed over too");
    assert_eq!(value(&verdict("accepted", "")), 1.0);
    assert_eq!(
        value("wabridge_graph_call_duration_seconds_count{call=\"send\",outcome=\"accepted\"}"),
        1.0
    );
    assert_eq!(value("wabridge_messages_total{state=\"queued\"}"), 2.0);
    assert_eq!(value(&verdict("refused", "131051")), 1.0);
    assert!(value("wabridge_commit_sync_duration_seconds_count") >= stored);
    let steps = value("wabridge_commit_steps_sum");
    assert!(steps >= value("wabridge_commit_steps_count"));
    assert_eq!(value("wabridge_failed_commits_total"), 0.0);
    assert!(value("wabridge_database_bytes") + value("wabridge_database_log_bytes") > 4_096.0);
    assert!(value("wabridge_disk_bytes") >= value("wabridge_disk_free_bytes"));
    assert!(value("wabridge_disk_free_bytes") > 0.0);
    for known in [
        "resident_memory_bytes",
        "open_fds",
        "threads",
        "start_time_seconds",
    ] {
        assert!(value(&format!("process_{known}")) > 0.0, "{known}");
    }
    assert!(value("process_cpu_seconds_total") >= 0.0);
    let text = stage.page();
    for private in [CUSTOMER, "Test Person", "hello", TOKEN, APP_SECRET, KEY] {
        assert!(!text.contains(private), "{private} is in the figures");
    }
}

#[test]
fn what_waits_and_what_stands_still_is_in_the_figures() {
    let stage = Stage::new();
    let expired = CallFault::Refused(401, 190, "expired".into());
    stage
        .standin
        .set_faults(Faults::none().call(Chance::Always, expired));
    let before = now_s() as f64;
    stage.write(1, "one");
    let of_number =
        |name: &str| format!("wabridge_queue_{name}{{queue=\"send\",name=\"{NUMBER}\"}}");
    wait_until("it is halted", || stage.value(&of_number("halted")) == 1.0);
    stage.write(2, "two");
    // Now and then one of them is a probe, and under way.
    let mut page = BTreeMap::new();
    wait_until("both wait", || {
        page = samples(&stage.page());
        let queued = page["wabridge_waiting_messages{state=\"queued\"}"];
        (page[&of_number("jobs")], page[&of_number("lanes")], queued) == (2.0, 1.0, 2.0)
    });
    assert!(page[&of_number("oldest_timestamp_seconds")] >= before);
    assert_eq!(page["wabridge_halts{scope=\"token\",code=\"190\"}"], 1.0);
    assert_eq!(page["wabridge_store_readable"], 1.0);
}

#[test]
fn only_who_bears_a_key_sees_the_figures() {
    let stage = Stage::new();
    assert_eq!(stage.get("/metrics", METRICS_KEY).status, 200);
    assert_eq!(stage.get("/metrics", KEY).status, 200);
    assert_eq!(stage.get("/metrics", "guess").status, 401);
    let asked = |method: &str, path: &str| request(stage.operator, method, path, &[], b"").unwrap();
    let answer = asked("GET", "/metrics");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("METRICS_KEY"), "{}", answer.body);
    assert_eq!(asked("POST", "/metrics").status, 405);
    // Who may read figures may do nothing else, and strangers see no figures at all.
    assert_eq!(stage.get("/v26.0/1", METRICS_KEY).status, 401);
    let service = &stage.place.service;
    for path in ["/metrics", "/readyz"] {
        assert_eq!(service.request("GET", path, &[], b"").status, 404);
    }
}

#[test]
fn a_key_to_the_figures_alone_opens_the_listener_and_no_api() {
    let settings = [
        ("METRICS_KEY", METRICS_KEY),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
    ];
    let mut place = Place::new(&settings);
    let line = place.service.wait_for_log("msg=\"serving figures\"");
    let address = line.split("listen=").nth(1).unwrap();
    let operator = address.split(' ').next().unwrap().parse().unwrap();
    let bearer = format!("Bearer {METRICS_KEY}");
    let get = |path| request(operator, "GET", path, &[("Authorization", &bearer)], b"").unwrap();
    assert_eq!(get("/metrics").status, 200);
    assert_eq!(get("/readyz").status, 200);
    assert_eq!(get("/v26.0/1").status, 404);
}

#[test]
fn prometheus_own_parser_reads_every_family() {
    if !is_installed() {
        return;
    }
    let stage = Stage::new();
    stage.write(1, "hello");
    wait_until("the reply is delivered", || {
        stage.value("wabridge_messages_total{state=\"delivered\"}") == 1.0
    });
    let url = format!("http://{}/metrics", stage.operator);
    let settings = [("PAGE", url.as_str()), ("METRICS_KEY", METRICS_KEY)];
    let families = Program::start("metrics.py", &[], &settings).finish();
    let page = stage.page();
    let told: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    assert_eq!(families.len(), told.len());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for family in &families {
        assert_eq!(family["content_type"], kind);
        let name = family["name"].as_str().unwrap();
        assert!(
            name.starts_with("wabridge_") || name.starts_with("process_"),
            "{name}"
        );
        assert_ne!(family["help"], "", "{name}");
        let unit = family["unit"].as_str().unwrap();
        let in_base_units = ["", "seconds", "bytes"].contains(&unit) && name.ends_with(unit);
        assert!(in_base_units, "{name} in {unit}");
    }
    let find = |name: &str| {
        families
            .iter()
            .find(|family| family["name"] == name)
            .unwrap()
    };
    let taken = find("wabridge_acknowledge_duration_seconds");
    assert_eq!(
        (&taken["type"], &taken["unit"]),
        (&json!("histogram"), &json!("seconds"))
    );
    let last = json!(["wabridge_acknowledge_duration_seconds_bucket", {"le": "+Inf"}]);
    let samples = taken["samples"].as_array().unwrap();
    let infinite = samples
        .iter()
        .find(|s| s[0] == last[0] && s[1] == last[1])
        .unwrap();
    assert!(infinite[2].as_f64() >= Some(1.0), "{taken}");
}

/// Names of figures in a text: those of ours, and those of any process.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("wabridge_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_alerts_name_figures_that_exist() {
    let stage = Stage::new();
    let names = names(&stage.page());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();

    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap());
    let queries: Vec<_> = queries.collect();
    assert!(queries.len() >= 10, "{queries:?}");
    let alerts = read("alerts.yml");
    let expressions = alerts.lines().filter(|line| line.contains("expr:")).count();
    assert!(expressions >= 8, "{alerts}");
    for (file, text) in [
        ("dashboard.json", queries.join("\n")),
        ("alerts.yml", alerts),
    ] {
        let named = named(&text);
        let unknown: Vec<_> = named.difference(&names).collect();
        assert!(
            unknown.is_empty(),
            "{file} names {unknown:?}, but there are {names:#?}"
        );
    }
}

#[test]
fn readiness_names_what_fails() {
    let stage = Stage::new();
    let ready = || request(stage.operator, "GET", "/readyz", &[], b"").unwrap();
    let answer = ready();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.body,
        "store: ok\ndisk: ok\nworkers: ok\nlistener: ok\n"
    );

    let held = Held::database(&stage);
    wait_until("it is not ready", || ready().status == 503);
    let answer = ready();
    assert!(
        answer.body.starts_with("store: failed: "),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("\nlistener: ok\n"), "{}", answer.body);
    held.end();
    wait_until("it is ready again", || ready().status == 200);
}

/// Somebody who keeps the database to himself.
struct Held {
    go_on: Sender<()>,
    other: JoinHandle<()>,
}

impl Held {
    fn database(stage: &Stage) -> Held {
        let path = stage.place.folder.path().join("wabridge.db");
        let (held, wait) = channel();
        let (go_on, until) = channel::<()>();
        let other = std::thread::spawn(move || {
            let mut database = Database::open(&path, Access::Visit).unwrap();
            let hold = |_: &wabridge::store::Tx<'_>| {
                held.send(()).unwrap();
                until.recv().unwrap();
                Ok(())
            };
            database.commit(hold).unwrap();
        });
        wait.recv().unwrap();
        Held { go_on, other }
    }

    fn end(self) {
        self.go_on.send(()).unwrap();
        self.other.join().unwrap();
    }
}

#[test]
fn however_many_ask_whether_it_is_ready_few_threads_look() {
    const ASKERS: usize = 60;
    const LOOKERS_MAX: usize = 8;
    let stage = Stage::new();
    let operator = stage.operator;
    let ready = move || request(operator, "GET", "/readyz", &[], b"").unwrap();
    assert_eq!(ready().status, 200);
    let held = Held::database(&stage);
    // While one looks all others that come ask too.
    let mut most = 0;
    wait_until("it is not ready", || {
        let asked: Vec<_> = (0..ASKERS).map(|_| std::thread::spawn(ready)).collect();
        let mut statuses = Vec::new();
        for one in asked {
            most = most.max(lookers(&stage));
            statuses.push(one.join().unwrap().status);
        }
        assert!(
            statuses.iter().all(|s| [200, 503].contains(s)),
            "{statuses:?}"
        );
        statuses.contains(&503)
    });
    held.end();
    assert!((1..=LOOKERS_MAX).contains(&most), "{most} threads looked");
    wait_until("it is ready again", || ready().status == 200);
    // A body is none of a question's parts, however slowly it comes.
    let sent = [("Content-Length", "2000")];
    let answer = request(operator, "GET", "/readyz", &sent, &[b'x'; 2_000]).unwrap();
    assert_eq!(answer.status, 400);
}

/// Threads of the service that look into something for somebody.
fn lookers(stage: &Stage) -> usize {
    let tasks = format!("/proc/{}/task", stage.place.service.child.id());
    let tasks = std::fs::read_dir(tasks).unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "caller").count()
}
