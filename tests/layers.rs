//! What may use what, kept true by reading the sources: the layers of the
//! library, and the few places where a clock is read, SQL is written or HTTP
//! is spoken. Tests inside the sources may do as they like.

#[path = "support/source.rs"]
mod source;

use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which modules a module may name, besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("policy", &["wire"]),
    // Settings are values of these: a rate, a signing key.
    ("config", &["policy", "wire"]),
    ("store", &["policy", "wire"]),
    ("gateway", &["store", "policy", "wire", "config"]),
    ("handler", &["gateway", "wire", "config"]),
    (
        "edge",
        &["handler", "gateway", "store", "policy", "wire", "config"],
    ),
    (
        "service",
        &[
            "edge", "handler", "gateway", "store", "policy", "wire", "config",
        ],
    ),
    (
        "cli",
        &[
            "service", "edge", "handler", "gateway", "store", "policy", "wire", "config",
        ],
    ),
];

/// What is named in few places only.
struct Rule {
    what: &'static str,
    /// What a path begins with.
    paths: &'static [&'static str],
    /// Words of any kind.
    words: &'static [&'static str],
    /// Where it must not be; empty: everywhere.
    within: &'static [&'static str],
    /// But here it may, and why.
    except: &'static [(&'static str, &'static str)],
}

const PURE: &[&str] = &["wire", "policy"];

const RULES: &[Rule] = &[
    Rule {
        what: "reads a clock",
        paths: &[
            "std::time::SystemTime",
            "std::time::Instant",
            "std::time::UNIX_EPOCH",
            "time::OffsetDateTime::now_utc",
            "jiff::Timestamp::now",
            "jiff::Zoned::now",
        ],
        words: &[],
        within: &[],
        except: &[
            ("edge/clock", "it is the clock"),
            (
                "edge/dispatch",
                "how long there is nothing to claim, whatever the clock is set to",
            ),
            ("edge/serve", "the deadline of the drain at a stop"),
            (
                "handler/command/process",
                "how long a program may take, whatever the clock is set to",
            ),
            (
                "edge/waiting",
                "how long a caller waits, whatever the clock is set to",
            ),
            ("edge/standin", "plays Graph, which has a clock of its own"),
            (
                "wire/retry_after",
                "a date in a header comes as a SystemTime; none is asked for",
            ),
        ],
    },
    Rule {
        what: "draws luck",
        paths: &["ring::rand"],
        words: &[],
        within: &[],
        except: &[("edge/clock", "it is the luck")],
    },
    Rule {
        what: "sleeps, or starts a thread",
        paths: &["std::thread"],
        words: &[],
        within: &["wire", "policy", "gateway", "handler", "config"],
        except: &[],
    },
    Rule {
        what: "touches the world from pure code",
        paths: &[
            "std::fs",
            "std::net",
            "std::io",
            "std::env",
            "std::process",
            "std::os",
            "log",
            "rustix",
        ],
        words: &[],
        within: PURE,
        except: &[(
            "wire/sample",
            "serde_json's formatter writes to an io::Write in memory",
        )],
    },
    Rule {
        what: "touches the world from the queue",
        paths: &["std::fs", "std::net", "std::io", "std::env", "std::process"],
        words: &[],
        within: &["gateway"],
        except: &[],
    },
    Rule {
        what: "speaks to the database",
        paths: &["rusqlite"],
        words: &[],
        within: &[],
        except: &[("store", "the only place with SQL")],
    },
    Rule {
        what: "serves HTTP",
        paths: &["tiny_http"],
        words: &[],
        within: &[],
        except: &[("edge/http", "the webhook listener")],
    },
    Rule {
        what: "calls by HTTP",
        paths: &["ureq"],
        words: &[],
        within: &[],
        except: &[
            ("edge/graph", "the only caller of Graph"),
            ("edge/callback", "plays Meta before our own webhook"),
            ("edge/standin", "plays Graph, which calls the webhook"),
            ("handler/forward", "the app behind us"),
            ("cli/simulate", "plays Meta by hand"),
        ],
    },
    Rule {
        what: "unwraps",
        paths: &[],
        words: &["unwrap"],
        within: &[],
        except: &[],
    },
    // `in`: of a `for` loop.
    Rule {
        what: "tries again: the outbox is the only thing that does",
        paths: &[],
        words: &["loop", "while", "in"],
        within: &["edge/graph"],
        except: &[],
    },
];

/// Words that begin a statement, as SQL is written here.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "PRAGMA ",
];

/// What is wrong with one file, named by its path below `src` without `.rs`.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let source = Source::read(text);
    let mut found = Vec::new();
    layers(file, &source, &mut found);
    for rule in RULES {
        if !rule.within.is_empty() && !rule.within.iter().any(|place| is_in(file, place)) {
            continue;
        }
        if rule.except.iter().any(|(place, _)| is_in(file, place)) {
            continue;
        }
        found.extend(breaches(rule, &source).map(|name| format!("{file} {}: {name}", rule.what)));
    }
    if !is_in(file, "store") {
        let sql = |text: &&String| SQL.iter().any(|word| text.trim_start().starts_with(word));
        let statements = source.strings.iter().filter(sql);
        found.extend(statements.map(|text| format!("{file} holds SQL: {text}")));
    }
    found
}

fn breaches<'s>(rule: &'static Rule, source: &'s Source) -> impl Iterator<Item = &'s String> {
    let path = |path: &&String| rule.paths.iter().any(|first| begins(path, first, "::"));
    let word = |token: &&String| rule.words.contains(&token.as_str());
    let paths = source.paths.iter().filter(path);
    paths.chain(source.tokens.iter().filter(word))
}

/// Whether `name` is `first`, or goes on from it after a `joint`.
fn begins(name: &str, first: &str, joint: &str) -> bool {
    let rest = name.strip_prefix(first);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(joint))
}

fn layers(file: &str, source: &Source, found: &mut Vec<String>) {
    let own = file.split('/').next().unwrap_or_default();
    // The library's map and `main` stand above the layers.
    let Some((_, below)) = LAYERS.iter().find(|(module, _)| *module == own) else {
        if !["lib", "main"].contains(&own) {
            found.push(format!("{file}: no layer is called {own}"));
        }
        return;
    };
    let depth = file.strip_suffix("/mod").unwrap_or(file).split('/').count();
    for path in &source.paths {
        let names: Vec<&str> = path.split("::").collect();
        if names[0] == "crate" && names[1] != own && !below.contains(&names[1]) {
            found.push(format!("{file} uses {path}, which is not below {own}"));
        }
        // `super` as a way around the above.
        if names.iter().filter(|name| **name == "super").count() >= depth {
            found.push(format!("{file} leaves {own} by {path}"));
        }
    }
}

fn is_in(file: &str, place: &str) -> bool {
    begins(file, place, "/")
}

/// Every source file but those of tests, by its name.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files = Vec::new();
    collect(root, &mut files);
    files
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().with_extension("");
            (name.to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn the_sources_keep_to_their_layers() {
    let sources = sources();
    assert!(sources.len() > 40, "the sources were not found");
    let mut found: Vec<String> = sources
        .iter()
        .flat_map(|(file, text)| complaints(file, text))
        .collect();
    found.sort();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_exemption_is_needed_and_every_place_is_there() {
    let sources = sources();
    let within = |place: &'static str| sources.iter().filter(move |(file, _)| is_in(file, place));
    for rule in RULES {
        for place in rule.within {
            assert!(within(place).next().is_some(), "{place} is not there");
        }
        for (place, _) in rule.except {
            let needed =
                |(_, text): &(String, String)| breaches(rule, &Source::read(text)).next().is_some();
            assert!(within(place).any(needed), "{place} never {}", rule.what);
        }
    }
    let modules: BTreeSet<&str> = LAYERS.iter().map(|(module, _)| *module).collect();
    for module in &modules {
        assert!(within(module).next().is_some(), "{module} is not there");
    }
}

#[test]
fn what_is_planted_is_found_and_what_is_fine_is_not() {
    let cases = [
        // file, source, part of the complaint or nothing
        ("wire/event", "use crate::store::Tx;", "not below wire"),
        (
            "wire/event",
            "fn f() { crate::gateway::receive::f() }",
            "not below wire",
        ),
        ("wire/event", "use crate::wire::{raw, status::Status};", ""),
        ("wire", "use super::store;", "leaves wire"),
        ("wire/event", "use super::super::store;", "leaves wire"),
        ("wire/event/lenient", "use super::super::raw;", ""),
        ("wire/mod", "use super::store;", "leaves wire"),
        (
            "policy/retry",
            "use crate::{wire::raw, config};",
            "crate::config",
        ),
        (
            "store/tx",
            "use crate::gateway::Outcome;",
            "not below store",
        ),
        (
            "gateway/claim",
            "use crate::{store::{Tx, rows::*}, edge::clock};",
            "edge::clock",
        ),
        (
            "handler/rules",
            "use crate::edge::clock;",
            "not below handler",
        ),
        ("edge/serve", "use crate::cli::output;", "not below edge"),
        (
            "config/mod",
            "use crate::store::Database;",
            "not below config",
        ),
        ("extra/mod", "", "no layer is called extra"),
        ("cli/demo", "use crate::edge::clock;", ""),
        (
            "gateway/claim",
            "use std::time::{Duration, Instant};",
            "reads a clock",
        ),
        ("gateway/claim", "use std::time::Duration;", ""),
        (
            "cli/status",
            "let now = std::time::SystemTime::now();",
            "reads a clock",
        ),
        ("edge/clock", "use std::time::{SystemTime, UNIX_EPOCH};", ""),
        (
            "policy/retry",
            "use std::{fmt, thread as t};",
            "starts a thread",
        ),
        (
            "policy/retry",
            "let l = ring::rand::SystemRandom::new();",
            "draws luck",
        ),
        (
            "wire/raw",
            "fn f() { log::info!(\"x\") }",
            "touches the world",
        ),
        ("wire/raw", "use std::{fmt, fs::File};", "touches the world"),
        ("wire/sample/kinds", "use std::io;", ""),
        (
            "gateway/finish",
            "use std::net::TcpStream;",
            "touches the world",
        ),
        ("gateway/finish", "fn f(e: ureq::Error) {}", "calls by HTTP"),
        ("gateway/finish", "use tiny_http::Request;", "serves HTTP"),
        (
            "gateway/finish",
            "use rusqlite::params;",
            "speaks to the database",
        ),
        (
            "gateway/finish",
            "const Q: &str = \"SELECT 1\";",
            "holds SQL",
        ),
        (
            "gateway/finish",
            "const Q: &str = r#\"\n UPDATE job\"#;",
            "holds SQL",
        ),
        (
            "store/tx",
            "use rusqlite::params; const Q: &str = \"SELECT 1\";",
            "",
        ),
        ("edge/graph", "for call in 0..3 { send() }", "tries again"),
        ("edge/graph", "loop { send() }", "tries again"),
        ("edge/graph", "impl Call for Graph {}", ""),
        ("handler/forward", "let x = y.unwrap();", "unwraps"),
        (
            "handler/forward",
            "let x = y.unwrap_or_else(|e| e.into_inner());",
            "",
        ),
        // Comments, strings and tests name what they like.
        (
            "wire/raw",
            "// use std::fs;\n/* x.unwrap() /* nested */ */ fn f() {}",
            "",
        ),
        (
            "wire/raw",
            "fn f() -> &'static str { \"std::fs::read \\\" x\" }",
            "",
        ),
        (
            "wire/raw",
            "fn f(c: char) -> bool { c == '\"' || c == '\\'' } // std::fs::x",
            "",
        ),
        (
            "wire/raw",
            "#[cfg(test)] mod tests { use std::fs; fn f() { a.unwrap() } }",
            "",
        ),
        (
            "wire/raw",
            "fn f(&self) -> impl Fn() + use<> { if a { b(); } c() }",
            "",
        ),
        (
            "wire/raw",
            "#[cfg(test)] mod tests; use std::fs;",
            "touches the world",
        ),
        (
            "wire/raw",
            "#[cfg(test)] mod tests { fn f() {} } use std::fs;",
            "touches the world",
        ),
    ];
    for (file, text, expected) in cases {
        let found = complaints(file, text).join("; ");
        match expected {
            "" => assert_eq!(found, "", "{file}: {text}"),
            part => assert!(found.contains(part), "{file}: {text}: found {found:?}"),
        }
    }
}
