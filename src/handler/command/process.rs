//! One run of a program within limits: what it is given to read, how much it
//! may write, how long it may take. What is left of its process group ends with
//! it, and nothing here waits without an end.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between SIGTERM and SIGKILL, for a last word to a log or a database.
const GRACE: Duration = Duration::from_secs(2);

/// The same while the service stops: it has waited already.
const GRACE_AT_STOP: Duration = Duration::from_millis(500);

/// SIGKILL works at once, but for a process that waits for a dead disk, or that
/// is another user's.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// Nothing tells that a process has ended while others hold its output open, or
/// that the service stops; so look this often, and oftener at first.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOK_FIRST: Duration = Duration::from_millis(1);

/// What is kept of standard error: its end, where a program says why it fails.
const SAID_BYTES_MAX: usize = 4 << 10;

/// Read at a time from each of a process's outputs, before anything else gets
/// its turn.
const CHUNK: usize = 16 << 10;

/// Enough to read all that the largest pipe holds (1 MiB, `pipe(7)`).
const LAST_TURNS: u32 = 128;

/// What a process may.
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// How much it may write to standard output.
    pub answer_bytes: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than it may.
    TookTooLong,
    /// It wrote more than it may.
    WroteTooMuch,
    /// The service stops.
    Stopped,
    /// By itself, and the system did not keep how.
    Lost,
}

/// What came of a run.
pub struct Ran {
    pub end: End,
    /// Standard output.
    pub answer: Vec<u8>,
    /// The end of standard error.
    pub said: Vec<u8>,
}

/// Runs a program in a process group of its own; `stop` ends it. `input` is its
/// standard input, of which it may read as much or as little as it likes.
///
/// # Errors
/// When it cannot be started.
pub fn run(
    command: &mut Command,
    input: &[u8],
    limits: &Limits,
    stop: &AtomicBool,
) -> io::Result<Ran> {
    let mut process = Process::start(command, input, limits.answer_bytes)?;
    let begun = Instant::now();
    let mut look = LOOK_FIRST;
    let end = loop {
        look = match process.exchange(look) {
            true => LOOK_FIRST,
            false => (look * 2).min(LOOK_EVERY),
        };
        if process.has_ended() {
            break process.finish();
        }
        if process.wrote_too_much() {
            break process.end(GRACE, End::WroteTooMuch);
        }
        if begun.elapsed() >= limits.time {
            break process.end(GRACE, End::TookTooLong);
        }
        if stop.load(Ordering::SeqCst) {
            break process.end(GRACE_AT_STOP, End::Stopped);
        }
    };
    Ok(Ran {
        end,
        answer: process.answer,
        said: process.said,
    })
}

/// A process under way. Its ends of the pipes are as usual, ours do not block.
struct Process<'i> {
    child: Child,
    /// Its own number is that of its group.
    group: Pid,
    /// Each until it is closed, by whichever side.
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// What it has not been given yet.
    unread: &'i [u8],
    answer: Vec<u8>,
    answer_bytes_max: usize,
    said: Vec<u8>,
}

impl<'i> Process<'i> {
    fn start(command: &mut Command, input: &'i [u8], answer_bytes_max: usize) -> io::Result<Self> {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut process = Process {
            group: Pid::from_child(&child),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            unread: input,
            answer: Vec::new(),
            answer_bytes_max,
            said: Vec::new(),
        };
        match process.unblock() {
            Ok(()) => Ok(process),
            Err(error) => {
                process.end(Duration::ZERO, End::Stopped);
                Err(error)
            }
        }
    }

    fn unblock(&self) -> io::Result<()> {
        for pipe in self.pipes() {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    fn pipes(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        let stdin = self.stdin.as_ref().map(AsFd::as_fd);
        let stdout = self.stdout.as_ref().map(AsFd::as_fd);
        let stderr = self.stderr.as_ref().map(AsFd::as_fd);
        stdin.into_iter().chain(stdout).chain(stderr)
    }

    /// Waits until something can be written or read, at most `wait`, and moves
    /// what can be moved. Whether anything has.
    fn exchange(&mut self, wait: Duration) -> bool {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: wait.subsec_nanos().into(),
        };
        let events = |index| match (index, &self.stdin) {
            (0, Some(_)) => PollFlags::OUT,
            _ => PollFlags::IN,
        };
        let pipes = self.pipes().enumerate();
        let mut polled: Vec<PollFd> = pipes
            .map(|(index, pipe)| PollFd::from_borrowed_fd(pipe, events(index)))
            .collect();
        // An interruption is a turn in which little happens.
        let _ = poll(&mut polled, Some(&wait));
        let written = self.write();
        let answered = read(&mut self.stdout, &mut self.answer);
        if self.wrote_too_much() {
            self.stdout = None;
        }
        let said = read(&mut self.stderr, &mut self.said);
        let over = self.said.len().saturating_sub(SAID_BYTES_MAX);
        self.said.drain(..over);
        written || answered || said
    }

    fn write(&mut self) -> bool {
        let Some(stdin) = &mut self.stdin else {
            return false;
        };
        if !self.unread.is_empty() {
            match stdin.write(self.unread) {
                Ok(count) => self.unread = &self.unread[count..],
                Err(error) if is_passing(&error) => return false,
                // It wants no more of it.
                Err(_) => self.unread = &[],
            }
        }
        if self.unread.is_empty() {
            self.stdin = None;
        }
        true
    }

    fn wrote_too_much(&self) -> bool {
        self.answer.len() > self.answer_bytes_max
    }

    /// Whether it has ended. It is left as it is until [`Process::reap`], so
    /// that its number stays its own and that of its group.
    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.group), look), Ok(None))
    }

    /// After its end: takes what it wrote last.
    fn finish(&mut self) -> End {
        self.signal(Signal::KILL);
        // Somebody who left the group may still write, and go on for ever.
        for _ in 0..LAST_TURNS {
            if !self.exchange(Duration::ZERO) {
                break;
            }
        }
        match (self.reap(), self.wrote_too_much()) {
            (_, true) => End::WroteTooMuch,
            (Some(status), false) => End::Exited(status),
            (None, false) => End::Lost,
        }
    }

    /// Ends it with all of its group, for this reason.
    fn end(&mut self, grace: Duration, why: End) -> End {
        self.signal(Signal::TERM);
        self.wait(grace);
        self.signal(Signal::KILL);
        self.wait(KILLED_WITHIN);
        if self.has_ended() {
            self.reap();
        } else {
            log::warn!(
                "msg=\"the command cannot be ended\" pid={}",
                self.child.id()
            );
        }
        why
    }

    /// Waits for its end; it may still write.
    fn wait(&mut self, most: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < most && !self.has_ended() {
            self.exchange(LOOK_EVERY);
        }
    }

    fn signal(&self, signal: Signal) {
        // Nobody is left, or it is not ours to end.
        let _ = kill_process_group(self.group, signal);
    }

    fn reap(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

/// Reads what is there, a chunk at most; closes `from` at its end. Whether
/// anything was there.
fn read(from: &mut Option<impl Read>, into: &mut Vec<u8>) -> bool {
    let Some(pipe) = from else {
        return false;
    };
    let mut chunk = [0; CHUNK];
    match pipe.read(&mut chunk) {
        Ok(count) if count > 0 => into.extend_from_slice(&chunk[..count]),
        Err(error) if is_passing(&error) => return false,
        Ok(_) | Err(_) => *from = None,
    }
    true
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
