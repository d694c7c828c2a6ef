//! A machine to follow README on, in a folder: whole paths lead below it, and what is a
//! machine's own (root, systemd, nginx, cargo) does nothing.

use super::support::{Folder, Setup, Wabridge};
use super::{printed, shell};
use std::path::PathBuf;

/// Where README's steps and systemd/wabridgectl put things.
const FOLDERS: [&str; 4] = ["/etc/", "/usr/local/", "/var/lib/", "/var/backups/"];

/// What is there before the first step.
const THERE: [&str; 7] = [
    "/etc/systemd/system",
    "/etc/nginx/sites-available",
    "/etc/nginx/sites-enabled",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/var/lib/wabridge",
    "/var/backups",
];

const NOTHING: &str =
    "sudo() { \"$@\"; }; systemctl() { :; }; nginx() { :; }; cargo() { :; }; rustup() { :; }\n";

pub struct Machine {
    root: Folder,
}

impl Machine {
    /// As it is before the first step, but for what cargo would have built.
    pub fn new() -> Machine {
        let machine = Machine {
            root: Folder::new(),
        };
        for folder in THERE {
            std::fs::create_dir_all(machine.at(folder)).unwrap();
        }
        let target = format!(
            "target/{}-unknown-linux-musl/release",
            std::env::consts::ARCH
        );
        let target = machine.root.path().join(target);
        std::fs::create_dir_all(&target).unwrap();
        let built = env!("CARGO_BIN_EXE_wabridge");
        std::os::unix::fs::symlink(built, target.join("wabridge")).unwrap();
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn name(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    /// Whole paths, where a word or a value begins with one.
    fn below(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for folder in FOLDERS {
            for before in [" ", "="] {
                let below = format!("{before}{}", self.name(folder));
                text = text.replace(&format!("{before}{folder}"), &below);
            }
        }
        text
    }

    /// Runs a step of README, with the files of the repository.
    pub fn run(&self, step: &str) -> String {
        let mut step = self.below(step);
        for folder in ["systemd/", "examples/"] {
            let whole = format!(" {}/{folder}", env!("CARGO_MANIFEST_DIR"));
            step = step.replace(&format!(" {folder}"), &whole);
        }
        let mut shell = shell(self.root.path(), &format!("{NOTHING}{step}"));
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", self.name("/usr/local/sbin")));
        shell.env("LISTEN", "127.0.0.1:0");
        let text = printed(&shell.output().unwrap());
        self.lead_wabridgectl();
        text
    }

    /// Once it is installed.
    fn lead_wabridgectl(&self) {
        let own = self.at("/usr/local/sbin/wabridgectl");
        let text = std::fs::read_to_string(&own).unwrap_or_default();
        if !text.is_empty() && !text.contains(&self.name("/etc")) {
            std::fs::write(&own, self.below(&text)).unwrap();
        }
    }

    /// Starts the service as its unit does.
    pub fn serve(&self) -> Wabridge {
        Setup::new(&self.at("/etc/wabridge"))
            .unset("VERIFY_TOKEN")
            .unset("APP_SECRET")
            .unset("DATABASE_URL")
            .set("STATE_DIRECTORY", &self.name("/var/lib/wabridge"))
            .set(
                "CREDENTIALS_DIRECTORY",
                &self.name("/etc/wabridge/credentials"),
            )
            .serve()
    }
}
