//! `HANDLER_COMMAND`: a program and its arguments, taken apart without a shell.

use super::{Reader, table};
use crate::wire::notification::Kind;
use std::time::Duration;

/// Where programs are looked for when our own environment does not say.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The language of its messages, when our own environment does not say: none,
/// and texts are UTF-8 as in Meta's JSON.
const LANG: &str = "C.UTF-8";

/// A program that is run for each event.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its name or path.
    pub program: String,
    /// What stands after it.
    pub arguments: Vec<String>,
    /// Where programs are looked for.
    pub path: String,
    /// All else that it gets of our environment.
    pub environment: Vec<(&'static str, String)>,
    /// How long it may take for one event.
    pub timeout: Duration,
    /// Which events it gets.
    pub kinds: Vec<Kind>,
}

impl Reader<'_> {
    /// The program that is run for each event, when there is one.
    pub(super) fn command(&mut self, timeout: Duration) -> Option<Command> {
        let name = "HANDLER_COMMAND";
        let kinds = self.event_kinds("HANDLER_KINDS");
        let text = self.sources.value(name)?;
        if self.sources.value("FORWARD_URL").is_some() {
            self.problem(format!(
                "{name} and FORWARD_URL are both set, and an event has one answer: take one of them out"
            ));
        }
        let mut words = match words(&text) {
            Ok(words) => words.into_iter(),
            Err(mistake) => {
                self.problem(format!("{name}: {mistake}"));
                return None;
            }
        };
        let Some(program) = words.next().filter(|program| !program.is_empty()) else {
            self.problem(format!(
                "{name} names no program: write its path, and its arguments after it"
            ));
            return None;
        };
        let or = |name: &str, default: &str| self.sources.value(name).unwrap_or(default.to_owned());
        let zone = self.sources.value("TZ").map(|zone| ("TZ", zone));
        Some(Command {
            program,
            arguments: words.collect(),
            path: or("PATH", PATH),
            environment: [("LANG", or("LANG", LANG))]
                .into_iter()
                .chain(zone)
                .collect(),
            timeout,
            kinds,
        })
    }

    /// `all`, or some kinds of events, separated by commas.
    fn event_kinds(&mut self, name: &str) -> Vec<Kind> {
        let text = self.value(name);
        if text == "all" {
            return Kind::ALL.into();
        }
        let kind = |word: &str| Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
        let kinds: Option<Vec<Kind>> = text.split(',').map(str::trim).map(kind).collect();
        kinds.unwrap_or_else(|| {
            self.problem(format!(
                "{name}={text} is no list of kinds: write all, or some of message, status, call, \
                 other, separated by commas; leave it out for {}",
                table::default(name)
            ));
            Vec::new()
        })
    }
}

/// Takes a line apart at its blanks. What stands in quotes is one word, or a
/// part of one, and is taken as it is. Whatever a shell would do more is
/// refused, so a line that is taken means the same in a shell.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ if is_for_a_shell(c, quote, word.is_none()) => return Err(needs_a_shell(c)),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!(
            "a quote {open} is not closed: close it, or put it in the other quotes"
        ));
    }
    words.extend(word);
    match words.first().and_then(|first| first.split_once('=')) {
        Some((name, _)) if is_name(name) => Err(format!(
            "it begins with {name}=, which is for a shell: write env {name}=VALUE and then the program"
        )),
        _ => Ok(words),
    }
}

/// Whether a shell would make something else of it there.
fn is_for_a_shell(c: char, quote: Option<char>, begins_word: bool) -> bool {
    match quote {
        None => "|&;<>()$`\\*?[\n".contains(c) || begins_word && "~#".contains(c),
        Some('"') => "$`\\".contains(c),
        Some(_) => false,
    }
}

fn needs_a_shell(c: char) -> String {
    format!(
        "{} is for a shell, and none runs it: put it in single quotes if it is meant as it is, or \
         write sh -c '…'",
        c.escape_debug()
    )
}

fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_is_taken_apart_as_a_shell_would_or_not_at_all() {
        let cases: [(&str, Result<&[&str], &str>); 32] = [
            ("bot", Ok(&["bot"])),
            (
                "  /opt/bot.py  --fast\t-n 3 ",
                Ok(&["/opt/bot.py", "--fast", "-n", "3"]),
            ),
            ("'/opt/my bot' x", Ok(&["/opt/my bot", "x"])),
            ("\"/opt/my bot\" x", Ok(&["/opt/my bot", "x"])),
            (
                "/opt/'my bot'/\"run it\" x",
                Ok(&["/opt/my bot/run it", "x"]),
            ),
            ("bot '' \"\"", Ok(&["bot", "", ""])),
            ("bot 'a\"b' \"c'd\"", Ok(&["bot", "a\"b", "c'd"])),
            (
                "sh -c 'a | b > \"$C\" \\; *'",
                Ok(&["sh", "-c", "a | b > \"$C\" \\; *"]),
            ),
            (
                "bot \"a|b;c<d>(e)&*?[f]~#\"",
                Ok(&["bot", "a|b;c<d>(e)&*?[f]~#"]),
            ),
            ("bot 'one\ntwo'", Ok(&["bot", "one\ntwo"])),
            ("bot a~b c#d e=f é", Ok(&["bot", "a~b", "c#d", "e=f", "é"])),
            (
                "bot --to=x {} ! % , @",
                Ok(&["bot", "--to=x", "{}", "!", "%", ",", "@"]),
            ),
            ("2=3", Ok(&["2=3"])),
            ("''", Ok(&[""])),
            ("", Ok(&[])),
            ("bot | tee log", Err("|")),
            ("bot > log", Err(">")),
            ("bot < in", Err("<")),
            ("bot; other", Err(";")),
            ("bot &", Err("&")),
            ("bot $HOME", Err("$")),
            ("bot \"$HOME\"", Err("$")),
            ("bot `date`", Err("`")),
            ("bot \"`date`\"", Err("`")),
            ("bot a\\ b", Err("\\")),
            ("bot *.json", Err("*")),
            ("~/bot", Err("~")),
            ("bot # fast", Err("#")),
            ("bot\nother", Err("\\n is for a shell")),
            ("bot 'a", Err("is not closed")),
            ("bot a\"", Err("is not closed")),
            ("KEY=x bot", Err("env KEY=VALUE")),
        ];
        for (line, expected) in cases {
            match (words(line), expected) {
                (Ok(words), Ok(expected)) => assert_eq!(words, expected, "{line}"),
                (Err(mistake), Err(part)) => assert!(mistake.contains(part), "{line}: {mistake}"),
                (found, _) => panic!("{line}: {found:?}"),
            }
        }
    }

    /// Asks a shell. Lines of random characters, most of them with a meaning for it.
    #[test]
    fn whatever_is_taken_means_the_same_in_a_shell() {
        const SOME: [char; 20] = [
            'a', 'b', 'é', '/', ' ', ' ', '\t', '\'', '\'', '"', '"', '=', '~', '#', '!', '{', '-',
            '|', '$', '\n',
        ];
        let mut luck: u64 = 1;
        let mut line = || -> String {
            let mut draw = |below: usize| {
                luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (luck >> 33) as usize % below
            };
            (0..draw(12)).map(|_| SOME[draw(SOME.len())]).collect()
        };
        let mut script = String::new();
        let mut expected = Vec::new();
        for line in (0..4_000).map(|_| line()) {
            if let Ok(words) = words(&line) {
                script.push_str(&format!("set -- {line}\nprintf '%s\\0' $# \"$@\"\n"));
                expected.extend([words.len().to_string()].into_iter().chain(words));
            }
        }
        assert!(expected.len() > 1_000, "{}", expected.len());
        let mut shell = std::process::Command::new("/bin/sh");
        let output = shell.arg("-c").arg(&script).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let found: Vec<&str> = found.split_terminator('\0').collect();
        assert_eq!(found, expected);
    }
}
