//! What goes to standard output: text, tables, JSON lines.

use crate::edge::clock;
use crate::store::rows::Attempt;
use serde_json::{Value, json};
use std::io::{Write, stdout};

/// Writes text. A reader that is gone (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// One JSON value a line.
pub fn json_line(value: &serde_json::Value) {
    print(&format!("{}\n", inert_json(&value.to_string())));
}

/// A table with aligned columns; the last column is not padded.
pub fn table(heads: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{:<width$}  ", inert(cell)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    print(&text);
}

/// What an attempt got, on a line.
pub fn attempt(attempt: &Attempt) -> String {
    let at = clock::rfc3339(attempt.ended_at);
    format!("{} at {at}: {}", attempt.attempt, attempt.said)
}

/// What attempts got.
pub fn tries_json(attempts: &[Attempt]) -> Value {
    let shown = attempts.iter().map(|attempt| {
        let at = clock::rfc3339(attempt.ended_at);
        json!({"attempt": attempt.attempt, "at": at, "said": attempt.said})
    });
    shown.collect()
}

/// Text from outside as it may go to a terminal: without control characters,
/// which could move the cursor or worse.
pub fn inert(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

/// The same for JSON, whose meaning stays: the controls that may stand as they
/// are in its strings are escaped.
pub fn inert_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_in_json_are_escaped_and_it_means_the_same() {
        let json = "{\"a\u{9b}2J\": \"\u{7f}é\\u001b\"}\n";
        let inert = inert_json(json);
        assert_eq!(inert, "{\"a\\u009b2J\": \"\\u007fé\\u001b\"}\n");
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&inert), parse(json));
    }
}
