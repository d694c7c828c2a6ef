//! What becomes of a panic in a thread of the service's, where a thread that is gone
//! would be missed by nobody.
//!
//! * Messages stand still without it ([`start`], [`watch`]): the process ends. Whoever
//!   looks after it (systemd) starts it again, and the start takes up what was under
//!   way; what was acknowledged is committed.
//! * It comes round again and again ([`round`]): one round is lost, and the next is
//!   made.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::exit;
use std::thread::{Builder, JoinHandle};

/// Starts a thread whose panic ends the process.
///
/// # Errors
/// When the system has no more.
pub fn start(
    name: impl Into<String>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let name = name.into();
    Builder::new().name(name.clone()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            log::error!(
                "msg=\"a thread panicked that nothing goes on without; ending, to be started again\" thread={name}"
            );
            exit(1);
        }
    })
}

/// The same of a thread that runs already. Returns one that ends with it.
///
/// # Errors
/// When the system has no more.
pub fn watch(thread: JoinHandle<()>) -> io::Result<JoinHandle<()>> {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    start(name, move || {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    })
}

/// Makes a round of what comes again, and says it when that panics: then there is no
/// value.
pub fn round<T>(what: &str, run: impl FnOnce() -> T) -> Option<T> {
    let made = catch_unwind(AssertUnwindSafe(run));
    if made.is_err() {
        log::error!("msg=\"a round panicked; the next is made all the same\" of={what}");
    }
    made.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// What runs in a process of its own: this test again, told so by this variable.
    const PLANTED: &str = "WABRIDGE_PLANTED_PANIC";

    fn panic_in(case: &str) {
        let planted = || panic!("planted");
        let thread = match case {
            "started" => start("started", planted),
            _ => Builder::new().spawn(planted).and_then(watch),
        };
        // It does not come back from here.
        let _ = thread.unwrap().join();
    }

    #[test]
    fn a_panic_in_a_thread_that_all_need_ends_the_process() {
        if let Ok(case) = std::env::var(PLANTED) {
            return panic_in(&case);
        }
        let own = std::env::current_exe().unwrap();
        let name = "edge::threads::tests::a_panic_in_a_thread_that_all_need_ends_the_process";
        for case in ["started", "watched"] {
            let mut child = Command::new(&own);
            child.args(["--exact", name]).env(PLANTED, case);
            child.stdout(Stdio::null()).stderr(Stdio::null());
            // 101 is what a failed test ends with.
            assert_eq!(child.status().unwrap().code(), Some(1), "{case}");
        }
    }

    #[test]
    fn a_round_that_panics_is_not_the_last() {
        let rounds =
            [1, 2, 3].map(|n| round("test", || if n == 2 { panic!("planted") } else { n }));
        assert_eq!(rounds, [Some(1), None, Some(3)]);
    }

    #[test]
    fn one_that_ends_by_itself_ends_alone() {
        let ends = Builder::new().spawn(|| {}).and_then(watch);
        for thread in [start("ends", || {}), ends] {
            thread.unwrap().join().unwrap();
        }
    }
}
