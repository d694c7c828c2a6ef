//! Whether the listeners still answer, asked from outside.

use crate::edge::http::server::HttpServer;
use crate::edge::systemd;
use crate::edge::threads;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the watchdog makes a request, unless systemd wants it oftener.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// How soon it asks again after a probe that failed.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// Failed probes in a row after which the listener is built anew.
const PROBES_FAILED_MAX: u32 = 3;

/// Starts the thread that asks the listeners from outside, as a client would:
/// nothing inside tells when tiny_http has silently stopped accepting.
pub(super) fn start(
    listeners: Vec<Arc<HttpServer>>,
    stopping: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    threads::start("watchdog", move || watch(&listeners, &stopping))
}

fn watch(listeners: &[Arc<HttpServer>], stopping: &AtomicBool) {
    let every = systemd::watchdog_interval().map_or(PROBE_EVERY, |wanted| wanted.min(PROBE_EVERY));
    let mut failed = vec![0; listeners.len()];
    while !stopping.load(Ordering::SeqCst) {
        for (http, failed) in listeners.iter().zip(&mut failed) {
            probe(http, failed);
        }
        let well = failed.iter().all(|failed| *failed == 0);
        if well {
            systemd::notify("WATCHDOG=1");
        }
        thread::park_timeout(if well { every } else { every.min(PROBE_AGAIN) });
    }
}

/// Asks one listener, and builds it anew when it has failed too often.
fn probe(http: &HttpServer, failed: &mut u32) {
    let Err(error) = http.probe() else {
        *failed = 0;
        return;
    };
    *failed += 1;
    log::warn!("msg=\"the listener does not answer\" failed={failed} error=\"{error}\"");
    if *failed < PROBES_FAILED_MAX {
        return;
    }
    *failed = 0;
    log::error!("msg=\"building the listener anew\"");
    if let Err(error) = http.rebuild() {
        log::error!("msg=\"it cannot be built; ending, to be started again\" error=\"{error}\"");
        std::process::exit(1);
    }
}
