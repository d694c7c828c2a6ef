//! What the system knows of this process, read from /proc.

use std::fs;

/// Ticks a second in /proc/self/stat: the kernel gives 100 to programs on every machine that
/// wabridge runs on, whatever it counts with itself.
const TICKS: f64 = 100.0;

/// The figures that Prometheus's own clients give of a process, under the same names. What
/// cannot be read is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Time on a processor, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Memory that is in use, in bytes.
    pub resident_bytes: Option<u64>,
    /// Memory that is mapped, in bytes.
    pub virtual_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files and connections.
    pub open_fds: Option<u64>,
    /// How many there may be.
    pub max_fds: Option<u64>,
}

impl Process {
    /// This one, now.
    pub fn now() -> Process {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Process {
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                // Without the folder itself, which is open to be read.
                .map(|fds| fds.count().saturating_sub(1) as u64),
            max_fds: limit.current,
            ..Process::read(&stat, rustix::param::page_size() as u64)
        }
    }

    /// What /proc/self/stat tells (proc_pid_stat(5)).
    fn read(stat: &str, page_bytes: u64) -> Process {
        // The second field is the program's name, and may hold anything.
        let Some((_, rest)) = stat.rsplit_once(')') else {
            return Process::default();
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first of these is the page's third.
        let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
        let ticks = field(14).zip(field(15)).map(|(user, system)| user + system);
        Process {
            cpu_seconds: ticks.map(|ticks| ticks as f64 / TICKS),
            threads: field(20),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * page_bytes),
            ..Process::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_line_is_read_whatever_the_program_is_called() {
        let stat =
            "4242 (wa) b (ridge) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 17 0 777 9437184 512 1";
        let read = Process::read(stat, 4_096);
        assert_eq!(read.cpu_seconds, Some(3.0));
        assert_eq!(read.threads, Some(17));
        assert_eq!(read.virtual_bytes, Some(9_437_184));
        assert_eq!(read.resident_bytes, Some(512 * 4_096));
        assert_eq!(Process::read("", 4_096), Process::default());
        assert_eq!(Process::read("1 (x) S 1", 4_096).threads, None);
    }

    #[test]
    fn this_process_is_known() {
        let own = Process::now();
        assert!(
            own.resident_bytes > Some(0) && own.threads > Some(0),
            "{own:?}"
        );
        assert!(
            own.open_fds > Some(0) && own.max_fds > own.open_fds,
            "{own:?}"
        );
    }
}
