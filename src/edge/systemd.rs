//! The service manager: readiness, watchdog, sockets it holds for us. Without
//! systemd all of this does nothing.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells systemd `state` (such as `READY=1`), if it listens.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let path = path.to_string_lossy().into_owned();
    let sent = UnixDatagram::unbound().and_then(|socket| match path.strip_prefix('@') {
        Some(name) => {
            let address = SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)
        }
        None => socket.send_to(state.as_bytes(), path),
    });
    if let Err(error) = sent {
        log::warn!("msg=\"systemd cannot be told our state\" error=\"{error}\"");
    }
}

/// Tells systemd that settings are being read anew; `READY=1` ends that.
pub fn notify_reloading() {
    let since = super::clock::monotonic_us();
    notify(&format!("RELOADING=1\nMONOTONIC_USEC={since}"));
}

/// How often systemd wants to hear that we are well: half its time-out.
pub fn watchdog_interval() -> Option<Duration> {
    let usec: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(usec / 2))
}
