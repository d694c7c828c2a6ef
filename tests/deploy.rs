//! What the repository gives to an operator fits together: the systemd units,
//! nginx's file, the table of settings and the binary. The binary is run as
//! systemd would run it: socket, credentials, state folder, notify socket.

mod support;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use support::*;
use wabridge::config::table;

const SERVICE: &str = include_str!("../systemd/wabridge.service");
const SOCKET: &str = include_str!("../systemd/wabridge.socket");
const NGINX: &str = include_str!("../systemd/nginx.conf");
const CTL: &str = include_str!("../systemd/wabridgectl");

/// By `systemd-analyze security`, in tenths.
const EXPOSURE_MAX: &str = "11";

/// What the lines of a unit set `key` to.
fn values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_units_are_well_formed() {
    for (unit, sections) in [
        (SERVICE, ["[Unit]", "[Service]", "[Install]"]),
        (SOCKET, ["[Unit]", "[Socket]", "[Install]"]),
    ] {
        let lines = unit
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        let (heads, rest): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('['));
        assert_eq!(heads, sections);
        for line in rest {
            let (name, value) = line.split_once('=').expect(line);
            assert!(name.bytes().all(|b| b.is_ascii_alphabetic()), "{line}");
            // systemd takes a # after a value for a part of it.
            assert!(!value.contains('#') && value.trim() == value, "{line}");
        }
    }
}

#[test]
fn it_starts_a_command_that_exists() {
    let start = values(SERVICE, "ExecStart");
    let [command] = start[..] else {
        panic!("one ExecStart: {start:?}");
    };
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/wabridge");
    let folder = Folder::new();
    let help = Setup::new(folder.path()).run(&[&words[1..], &["--help"]].concat());
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        text.contains(&format!("Usage: wabridge {}", words[1])),
        "{text}"
    );
}

#[test]
fn every_credential_is_a_secret_in_the_table() {
    let credentials = values(SERVICE, "LoadCredential");
    let mut names = BTreeSet::new();
    for credential in &credentials {
        let (name, path) = credential.split_once(':').expect(credential);
        assert!(table::is_secret(&name.to_uppercase()), "{name}");
        assert_eq!(path, format!("/etc/wabridge/credentials/{name}"));
        names.insert(name);
    }
    let needed = [
        "app_secret",
        "session_secret",
        "verify_token",
        "whatsapp_token",
    ];
    assert_eq!(names, BTreeSet::from(needed));
    // Everything else comes from .env in the working folder, which may be missing.
    // A reload reads it; what systemd put into the environment would win over it.
    assert_eq!(values(SERVICE, "WorkingDirectory"), ["-/etc/wabridge"]);
    for in_the_environment in ["EnvironmentFile", "Environment", "PassEnvironment"] {
        assert_eq!(values(SERVICE, in_the_environment), [""; 0]);
    }
}

/// What it does for root, README's own steps show (tests/readme.rs).
#[test]
fn wabridgectl_has_what_the_service_has_and_is_for_who_may_read_it() {
    let credentials = values(SERVICE, "LoadCredential");
    assert!(credentials[0].contains(":/etc/wabridge/credentials/"));
    let state = format!("/var/lib/{}", values(SERVICE, "StateDirectory")[0]);
    for part in [
        "cd /etc/wabridge\n",
        &format!("STATE_DIRECTORY={state} CREDENTIALS_DIRECTORY=/etc/wabridge/credentials\n"),
        "exec /usr/local/bin/wabridge \"$@\"\n",
    ] {
        assert!(CTL.contains(part), "{part}");
    }
    let elsewhere = CTL.replace("/etc/wabridge", "/nonexistent");
    let refused = Command::new("/bin/sh").args(["-c", &elsewhere]).output();
    let refused = refused.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("run it as root (sudo wabridgectl)"), "{said}");
}

#[test]
fn nginx_the_socket_and_the_default_meet_at_one_address() {
    let listen = table::find("LISTEN").default.unwrap();
    assert_eq!(values(SOCKET, "ListenStream"), [listen]);
    assert_eq!(NGINX.matches(&format!("server {listen} ")).count(), 2);
    let path = table::find("WEBHOOK_PATH").default.unwrap();
    assert!(NGINX.contains(&format!("location = {path} {{")));
}

#[test]
fn the_service_is_restarted_watched_and_confined() {
    let expected = [
        ("Type", "notify"),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("Requires", "wabridge.socket"),
        ("WatchdogSec", "30s"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "wabridge"),
        ("UMask", "0077"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("PrivateUsers", "yes"),
        ("PrivateIPC", "yes"),
        ("PrivateMounts", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectControlGroups", "yes"),
        ("ProtectClock", "yes"),
        ("ProtectHostname", "yes"),
        ("LockPersonality", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictNamespaces", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
    ];
    for (name, value) in expected {
        assert_eq!(values(SERVICE, name), [value], "{name}");
    }
    // In this order: what comes first decides whether the list allows or forbids.
    let calls = values(SERVICE, "SystemCallFilter");
    assert_eq!(calls, ["@system-service", "~@privileged @resources"]);
}

#[test]
fn systemd_finds_little_exposed() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/wabridge.service");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let analyzed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", &threshold, unit])
        .output();
    match analyzed {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let last = said.lines().last().unwrap_or_default();
            assert!(output.status.success(), "{last}");
        }
        Err(_) => skipped("systemd-analyze is not installed"),
    }
}

#[test]
fn it_serves_as_systemd_runs_it() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let notified = UnixDatagram::bind(at("notify")).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    std::fs::create_dir(at("state")).unwrap();
    std::fs::create_dir(at("credentials")).unwrap();
    for (name, value) in [("verify_token", VERIFY_TOKEN), ("app_secret", APP_SECRET)] {
        // With the line end that an editor leaves.
        std::fs::write(at(&format!("credentials/{name}")), format!("{value}\n")).unwrap();
    }
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut service = Setup::new(folder.path())
        .unset("VERIFY_TOKEN")
        .unset("APP_SECRET")
        .unset("LISTEN")
        .unset("DATABASE_URL")
        .set("CREDENTIALS_DIRECTORY", &at("credentials"))
        .set("STATE_DIRECTORY", &at("state"))
        .set("NOTIFY_SOCKET", &at("notify"))
        .set("WATCHDOG_USEC", "200000")
        .serve_on(&socket);
    assert_eq!(service.address, socket.local_addr().unwrap());
    assert_eq!(
        service
            .post(&text_message(1, "15550107001", "hello"))
            .status,
        200
    );
    assert!(Path::new(&at("state/wabridge.db")).exists());
    heard(&notified, "READY=1");
    heard(&notified, "WATCHDOG=1");
    heard(&notified, "WATCHDOG=1");
    service.signal("HUP");
    heard(&notified, "RELOADING=1\nMONOTONIC_USEC=");
    heard(&notified, "READY=1");
    service.signal("TERM");
    heard(&notified, "STOPPING=1");
    assert!(service.wait().success());
}

/// Waits until the service has told what begins so.
fn heard(notified: &UnixDatagram, wanted: &str) {
    let mut words = [0; 256];
    loop {
        let length = notified.recv(&mut words).expect(wanted);
        if words[..length].starts_with(wanted.as_bytes()) {
            return;
        }
    }
}
