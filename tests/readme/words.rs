//! What README names is there: settings with their defaults, commands with their
//! options, links.

use super::support::{Folder, Setup};
use super::{README, blocks};
use std::collections::BTreeSet;
use std::path::Path;
use wabridge::config::table;

/// README without its blocks.
fn prose() -> String {
    let blocks = blocks();
    let without = blocks.iter().fold(README.to_owned(), |text, block| {
        text.replace(block.text, "")
    });
    without.replace("```", "")
}

/// What stands between backticks, line ends being blanks.
fn code_spans(prose: &str) -> Vec<String> {
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|span| span.replace('\n', " ")).collect()
}

/// Words in capitals that are no settings of ours.
const OTHER_NAMES: &[&str] = &[
    "ALL_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "LANG",
    "NAME",
    "NAME_FILE",
    "NAME/LANGUAGE",
    "NAME/LANGUAGE/text",
    "PATH",
    "SIGHUP",
    "SIM_SEED",
    "TZ",
    "WABRIDGE_ATTEMPT",
    "WABRIDGE_KIND",
    "WABRIDGE_STALE",
    "WABRIDGE_WEBHOOK_ID",
];

#[test]
fn every_setting_it_names_is_one_and_has_the_default_it_says() {
    let prose = prose();
    let mut named = BTreeSet::new();
    for span in code_spans(&prose) {
        let name = span.split(['=', ' ']).next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let looks = name.len() > 3 && name.contains('_') && name.chars().all(is_name);
        // Endings (`_KINDS`) and families (`WHATSAPP_TOKEN_…`) are of names beside them.
        if looks && !name.starts_with('_') && !OTHER_NAMES.contains(&name) {
            assert!(table::is_known(name), "`{span}` is no setting");
            named.insert(name.to_owned());
        }
    }
    assert!(named.len() > 30, "{named:?}");
    let mut defaults = 0;
    for name in &named {
        let Some((_, after)) = prose.split_once(&format!("`{name}` (")) else {
            continue;
        };
        let said = after.split([',', ')']).next().unwrap_or_default();
        let said = said.split(": ").next().unwrap_or_default();
        let said: String = said.replace(" MB", "MB").split(' ').collect();
        if said.starts_with(|c: char| c.is_ascii_digit()) {
            assert_eq!(said.replace("min", "m"), table::default(name), "{name}");
            defaults += 1;
        }
    }
    assert!(defaults >= 5, "{defaults} defaults were found");
}

#[test]
fn what_takes_a_restart_is_told_whole() {
    let text = README.split("take a restart").nth(1).unwrap();
    let text = text.split("\n\n").next().unwrap();
    let text = text.split("have changed:").nth(1).unwrap();
    let told: BTreeSet<String> = code_spans(text).into_iter().collect();
    let fixed = table::settings().filter(|setting| setting.fixed);
    let fixed: BTreeSet<String> = fixed.map(|setting| setting.name.to_owned()).collect();
    assert_eq!(told, fixed);
}

#[test]
fn every_command_and_option_it_prints_is_there() {
    let folder = Folder::new();
    let setup = Setup::new(folder.path());
    let help = |args: &[&str]| String::from_utf8(setup.run(args).stdout).unwrap();
    let overview = help(&["--help"]);
    let commands = overview.split("Commands:\n").nth(1).unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands: BTreeSet<String> = commands
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    let blocks = blocks();
    let blocks = blocks
        .iter()
        .filter(|b| ["sh", "text"].contains(&b.language));
    let lines = blocks.flat_map(|block| block.text.lines().map(str::to_owned));
    let mut met = BTreeSet::new();
    for line in lines.chain(code_spans(&prose())) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (index, word) in words.iter().enumerate() {
            let is_called = ["wabridge", "wabridgectl"].contains(&word.rsplit('/').next().unwrap());
            let Some(verb) = words.get(index + 1).filter(|_| is_called) else {
                continue;
            };
            if !commands.contains(*verb) {
                assert!(
                    !verb.starts_with(|c: char| c.is_ascii_lowercase()) || line.contains("──"),
                    "`{line}`: there is no command {verb}"
                );
                continue;
            }
            met.insert((*verb).to_owned());
            let text = help(&[verb, "--help"]);
            let options = words[index + 1..].iter().take_while(|word| **word != "--");
            for option in options.filter(|word| word.starts_with("--") && **word != "--help") {
                let option = option.trim_end_matches([':', ';', ',']);
                assert!(text.contains(option), "`{line}`: {verb} has no {option}");
            }
        }
    }
    assert_eq!(met, commands, "README names every command");
}

#[test]
fn links_lead_somewhere() {
    let anchors = README.lines().filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> = anchors
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prose = prose();
    let targets = prose
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let mut count = 0;
    for target in targets {
        count += 1;
        match target.strip_prefix('#') {
            Some(anchor) => assert!(anchors.contains(anchor), "no heading #{anchor}"),
            None if target.starts_with("https://") => {}
            None => assert!(root.join(target).exists(), "no file {target}"),
        }
    }
    assert!(count > 50, "{count} links");
}
