//! The signals by which a running service is stopped, or reads its settings again.

use super::Running;
use crate::edge::systemd;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::mpsc;
use std::thread;

/// Listens for SIGTERM, SIGINT and SIGHUP. Comes before anybody is told that the
/// service runs: from then on a signal means to stop in order.
///
/// # Errors
/// When signals cannot be listened for.
pub fn listen_for_signals() -> io::Result<Signals> {
    Signals::new([SIGHUP, SIGINT, SIGTERM])
}

/// Runs until a signal comes, then stops; a second signal ends at once. A
/// SIGHUP only calls `reread`.
///
/// # Errors
/// When threads cannot be started.
pub fn run_until_signal(
    running: Running,
    mut signals: Signals,
    mut reread: impl FnMut(&Running),
) -> io::Result<()> {
    let (heard, hear) = mpsc::channel();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if heard.send(signal).is_err() {
                    return;
                }
            }
        })?;
    while hear.recv() == Ok(SIGHUP) {
        reread(&running);
    }
    log::info!("msg=\"stopping; a second signal ends at once\"");
    systemd::notify("STOPPING=1");
    thread::Builder::new().name("hurry".into()).spawn(move || {
        if hear.iter().any(|signal| signal != SIGHUP) {
            std::process::exit(1);
        }
    })?;
    running.stop();
    Ok(())
}
