//! Request bodies: limited, and with lengths that lie.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use tiny_http::Request;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Longer than allowed; the request can be answered.
    TooLong,
    /// It ended early or could not be decoded.
    Broken,
}

/// Bodies of unknown length are read away up to this.
const DRAINED_MAX: usize = 64 << 20;

/// Requests with a longer announced length cannot even be dropped: tiny_http
/// would allocate what was announced, and 10^14 bytes end the process. They
/// are leaked on purpose, up to this many; then the service starts anew.
const LEAKED_MAX: usize = 64;

static LEAKED: AtomicUsize = AtomicUsize::new(0);

/// Takes out of the way a request that must be neither read nor dropped: one
/// that announces more than `longest` bytes. Comes first of all, before
/// anything can fail.
pub fn accept(request: Request, longest: usize) -> Option<Request> {
    if request.body_length().is_none_or(|length| length <= longest) {
        return Some(request);
    }
    std::mem::forget(request);
    let leaked = LEAKED.fetch_add(1, Ordering::Relaxed) + 1;
    log::warn!(
        "msg=\"a request announced an impossible length; its connection is left open\" leaked={leaked}"
    );
    if leaked >= LEAKED_MAX {
        log::error!("msg=\"too many such requests: starting anew; put nginx in front of LISTEN\"");
        // Nothing acknowledged is lost: what was answered is committed.
        std::process::exit(1);
    }
    None
}

/// Reads the whole body, up to `limit` bytes.
pub fn read(request: &mut Request, limit: usize) -> Result<Vec<u8>, Unread> {
    let announced = request.body_length();
    if announced.is_some_and(|length| length > limit) {
        discard(request);
        return Err(Unread::TooLong);
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    let reader = request.as_reader().take(limit as u64 + 1);
    let read = { reader }.read_to_end(&mut body);
    match (read, announced) {
        (Err(_), _) => Err(Unread::Broken),
        (Ok(read), _) if read > limit => {
            discard(request);
            Err(Unread::TooLong)
        }
        (Ok(read), Some(length)) if read < length => Err(Unread::Broken),
        _ => Ok(body),
    }
}

/// Reads away what is left of a body, in small pieces: a request that is
/// dropped or answered with bytes unread makes tiny_http allocate them all at
/// once. What was announced ends by itself and has passed [`accept`]; the rest
/// has a bound.
pub fn discard(request: &mut Request) {
    let mut piece = [0; 16 * 1024];
    let mut left = request.body_length().unwrap_or(DRAINED_MAX);
    let reader = request.as_reader();
    while left > 0 {
        match reader.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => left = left.saturating_sub(read),
        }
    }
}
