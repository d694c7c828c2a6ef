//! The table of settings as text: `.env.example`, and what `--help` says of them.

use super::table::{GROUPS, Setting, settings};

/// As wide as help and `.env.example` are at most: two windows fit beside each other.
const COLUMNS: usize = 100;

/// `.env.example`, as it stands in the repository.
pub fn env_example() -> String {
    let mut out = String::from(
        "# Settings of wabridge. Copy to .env in the folder it runs in (under systemd /etc/wabridge)\n\
         # and fill in; the environment wins over this file.\n\
         # Write values in single quotes when they hold blanks, $ or #. Each secret may instead\n\
         # be in a file named by NAME_FILE, or come from systemd's LoadCredential.\n\
         # `wabridge check` tells what is missing or wrong. SIGHUP (`systemctl reload`) reads this\n\
         # file, the files of secrets and RULES_FILE anew.\n",
    );
    for (group, settings) in GROUPS {
        out.push_str(&format!("\n## {group}\n"));
        for setting in *settings {
            out.push('\n');
            out.push_str(&filled("# ", "# ", &explained(setting)));
            if !setting.mend.is_empty() {
                out.push_str(&filled("# Where from: ", "# ", setting.mend));
            }
            let value = match setting.secret {
                true => "''",
                false => setting.default.unwrap_or_default(),
            };
            out.push_str(&format!("#{}={value}\n", setting.name));
        }
    }
    out
}

/// The settings as shown by `--help`.
pub fn help() -> String {
    let longest = settings().map(|setting| setting.name.len()).max();
    let width = longest.unwrap_or_default();
    let mut out = String::new();
    for (group, settings) in GROUPS {
        out.push_str(&format!("\n{group}:\n"));
        for setting in *settings {
            let default = setting.default.filter(|d| !d.is_empty());
            let default = default.map(|d| format!(" [{d}]")).unwrap_or_default();
            let text = explained(setting) + &default;
            out.push_str(&entry(setting.name, width, &text));
        }
    }
    out
}

fn explained(setting: &Setting) -> String {
    let restart = match setting.fixed {
        true => " Changed by a restart only.",
        false => "",
    };
    format!("{}{restart}", setting.help)
}

/// A name, and what it is beside it.
fn entry(name: &str, width: usize, text: &str) -> String {
    let margin = " ".repeat(2 + width + 1);
    filled(&format!("  {name:<width$} "), &margin, text)
}

/// `text` in lines of at most [`COLUMNS`], the first begun by `first` and the others by
/// `others`. A longer word has a line to itself.
fn filled(first: &str, others: &str, text: &str) -> String {
    let mut out = String::from(first);
    let mut column = first.chars().count();
    for (index, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if index > 0 && column + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(others);
            column = others.chars().count();
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_full_at_a_hundred_and_the_next_stands_under_its_text() {
        let (a, b) = ("ä".repeat(90), "b".repeat(5));
        let margin = " ".repeat(7);
        let check = |text: &str, expected: &str| assert_eq!(entry("NAME", 4, text), expected);
        check("", "  NAME \n");
        check(&format!("{a} cc"), &format!("  NAME {a} cc\n"));
        check(&format!("{a} {b}"), &format!("  NAME {a}\n{margin}{b}\n"));
        let long = "x".repeat(101);
        check(
            &format!("{b} {long} {b}"),
            &format!("  NAME {b}\n{margin}{long}\n{margin}{b}\n"),
        );
    }
}
