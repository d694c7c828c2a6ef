//! Requests that others than the listener's workers answer, counted, so that a stop can wait
//! for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often somebody who waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How many are under way.
#[derive(Default)]
pub struct UnderWay(Arc<AtomicUsize>);

/// One of them, until this is dropped.
pub struct Counted(Arc<AtomicUsize>);

impl UnderWay {
    /// One more.
    pub fn count(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(&self.0))
    }

    /// Waits until none is, at most `within`.
    pub fn wait(&self, within: Duration) {
        let mut waited = Duration::ZERO;
        while waited < within && self.0.load(Ordering::SeqCst) > 0 {
            thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
