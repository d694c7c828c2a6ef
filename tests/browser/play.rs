//! Stories in a browser: where the programs are that play them, and one at work.

use super::support::console::{PASSWORD, Stage};
use super::support::{Folder, skipped};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Debian's, the only one that the stories are tried with.
const CHROMIUM: &str = "/usr/bin/chromium";

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Whether the browser and what drives it are there. Says so when they are not; fails when they
/// must be.
pub fn is_installed() -> bool {
    let installed =
        Path::new(CHROMIUM).exists() && target().join("browser").join("installed").exists();
    if !installed {
        let why = "the browser is not installed: apt-get install chromium, and run \
                   tests/browser/install";
        let required = std::env::var("CLIENTS").is_ok_and(|value| value == "required");
        assert!(!required, "{why}");
        skipped(why);
    }
    installed
}

/// The programs, beside the packages: Node looks for packages from where a program lies.
fn programs() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let programs = target().join("browser/programs");
    std::fs::create_dir_all(&programs).unwrap();
    for entry in std::fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "mjs") {
            std::fs::copy(&path, programs.join(path.file_name().unwrap())).unwrap();
        }
    }
    programs
}

/// A story that is being played. Killed when dropped.
pub struct Play {
    name: String,
    child: Child,
    stdin: ChildStdin,
    steps: BufReader<ChildStdout>,
    /// What it says of its failure.
    complaints: PathBuf,
    /// The browser's home.
    _home: Folder,
    /// A browser keeps a small machine busy: one plays at a time.
    _turn: MutexGuard<'static, ()>,
}

impl Play {
    /// Starts a story of `tests/browser` by its name, on a service's console.
    pub fn start(name: &str, stage: &Stage, settings: &[(&str, &str)]) -> Play {
        static TURN: Mutex<()> = Mutex::new(());
        // A story that failed leaves nothing behind that another would meet.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let home = Folder::new();
        let shots = target().join("browser-shots").join(name);
        std::fs::create_dir_all(&shots).unwrap();
        let complaints = shots.join("complaints.txt");
        let console = format!("http://{}/console", stage.address);
        let mut child = Command::new(target().join("clients/node"))
            .arg(programs().join(format!("{name}.mjs")))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("SHOTS", &shots)
            .envs([
                ("CHROMIUM", CHROMIUM),
                ("CONSOLE", &console),
                ("PASSWORD", PASSWORD),
            ])
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints).unwrap())
            .spawn()
            .unwrap();
        Play {
            name: name.to_owned(),
            stdin: child.stdin.take().unwrap(),
            steps: BufReader::new(child.stdout.take().unwrap()),
            child,
            complaints,
            _home: home,
            _turn: turn,
        }
    }

    /// Waits until the story has come to a step, does what is to happen there, and lets it go on.
    pub fn at(&mut self, step: &str, happens: impl FnOnce()) {
        let mut line = String::new();
        // The story has a limit of its own, after which it says no more.
        self.steps.read_line(&mut line).unwrap();
        if line.trim_end() != step {
            self.fail(&format!("ended before: {step}"));
        }
        happens();
        writeln!(self.stdin, "go on").unwrap();
    }

    /// Waits for its good end.
    pub fn finish(mut self) {
        if !self.child.wait().unwrap().success() {
            self.fail("failed");
        }
    }

    fn fail(&mut self, what: &str) -> ! {
        // It ends by itself, and says why.
        let _ = self.child.wait();
        let complaints = std::fs::read_to_string(&self.complaints).unwrap_or_default();
        panic!("the story {} {what}:\n{complaints}", self.name);
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
