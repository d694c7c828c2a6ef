//! What is wrong with a rules file is named with its line and its mend.

use crate::handler::rules::{Problem, Rules};

/// A file with one rule that has these lines is refused for this.
fn check_refused(lines: &str, expected: &str) {
    check_file_refused(&format!("[[rule]]\n{lines}"), &[expected]);
}

fn check_file_refused(text: &str, expected: &[&str]) {
    let problems = Rules::parse(text).expect_err(text);
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let alike = problems.len() == expected.len()
        && problems.iter().zip(expected).all(|(p, e)| p.starts_with(e));
    assert!(
        alike,
        "{text}\ngave {problems:#?}\ninstead of {expected:#?}"
    );
}

#[test]
fn a_mistake_in_a_condition_is_named() {
    for (lines, expected) in [
        (
            "text = ''\nreply = 'x'",
            "line 2: rule 1: text is empty: leave it out",
        ),
        (
            "text = []\nreply = 'x'",
            "line 2: rule 1: text is an empty list, so",
        ),
        (
            "text = ['a',\n 5]\nreply = 'x'",
            "line 3: rule 1: text is a text or a list of texts, and this is a number",
        ),
        (
            "reply_id = true\nreply = 'x'",
            "line 2: rule 1: reply_id is a text or a list of texts, and this is true or false",
        ),
        (
            "match = '(a'\nreply = '{{ b }}'",
            "line 2: rule 1: match is not a regular expression: unclosed group",
        ),
        (
            "match = '(?=a)'\nreply = 'x'",
            "line 2: rule 1: match is not a regular expression: look-around",
        ),
        (
            "match = '(\\w{1000}){1000}'\nreply = 'x'",
            "line 2: rule 1: match is not a regular expression: Compiled regex exceeds",
        ),
        (
            "match = ['a']\nreply = 'x'",
            "line 2: rule 1: match is a regular expression in quotes, and this is a list",
        ),
        ("match = ' '\nreply = 'x'", "line 2: rule 1: match is empty"),
        (
            "match = '(?<name>a)'\nreply = 'x'",
            "line 2: rule 1: the group name would hide",
        ),
        (
            "mach = 'a'\nreply = 'x'",
            "line 2: rule 1: unknown key mach: a rule has name, reply, cooldown, marketing, hand_over, and as conditions text, words, match,",
        ),
    ] {
        check_refused(lines, expected);
    }
}

#[test]
fn a_mistake_in_what_combines_or_limits_conditions_is_named() {
    for (lines, expected) in [
        (
            "words = ['a', '?!']",
            "line 2: rule 1: there is no word in it",
        ),
        (
            "type = 'picture'",
            "line 2: rule 1: there are no messages of type `picture`: there are text, image,",
        ),
        (
            "number = '+1 555 0100'",
            "line 2: rule 1: `+1 555 0100` is no phone_number_id",
        ),
        (
            "first_contact = 'yes'",
            "line 2: rule 1: first_contact is true or false, and this is a text",
        ),
        (
            "stale = 3600",
            "line 2: rule 1: stale is true or false, and this is a number",
        ),
        (
            "referral = 5",
            "line 2: rule 1: referral is a text or a list of texts, and this is a number",
        ),
        (
            "open = true",
            "line 2: rule 1: open takes the name of hours, as in open = \"shop\"",
        ),
        (
            "closed = 'shop'",
            "line 2: rule 1: there are no [hours.shop]: add them",
        ),
        ("any = []", "line 2: rule 1: any is an empty list"),
        (
            "any = ['a']",
            "line 2: rule 1: any takes conditions in braces, as in any = [{ text",
        ),
        ("not = {}", "line 2: rule 1: not has empty braces"),
        (
            "any = [{ text = 'a' },\n { reply = 'a' }]",
            "line 3: rule 1: unknown key reply: a condition is one of text, words,",
        ),
        (
            "not = { not = { not = { not = { not = { not = { text = 'a' } } } } } }",
            "line 2: rule 1: not is nested too deep: at most 5",
        ),
        (
            "not = { match = '(a' }",
            "line 2: rule 1: match is not a regular expression",
        ),
        (
            "cooldown = 5\ntext = 'a'",
            "line 2: rule 1: cooldown is a span of time: write \"90s\"",
        ),
        (
            "cooldown = '1 hour'\ntext = 'a'",
            "line 2: rule 1: cooldown is a span of time",
        ),
        (
            "marketing = false\ntext = 'a'",
            "line 2: rule 1: marketing is \"stop\" when",
        ),
        (
            "hand_over = 'yes'\ntext = 'a'",
            "line 2: rule 1: hand_over is true, or is left out",
        ),
        (
            "name = ''\ntext = 'a'",
            "line 2: rule 1: name is a text of at",
        ),
        (
            "name = '#1'\ntext = 'a'",
            "line 2: rule 1: name is a text of at",
        ),
    ] {
        check_refused(&format!("{lines}\nreply = 'x'"), expected);
    }
    check_refused(
        "not = { match = '(?<x>a)' }\nreply = '{{ x }}'",
        "line 3: rule 1: in the reply: there is no placeholder `x`: known here are name",
    );
}

#[test]
fn a_mistake_in_hours_is_named() {
    for (lines, expected) in [
        (
            "daily = '9-17'",
            "line 1: the hours have no timezone: add one",
        ),
        (
            "timezone = 'Berlin'\ndaily = '9-17'",
            "line 2: timezone is none that we know",
        ),
        (
            "timezone = 1\ndaily = '9-17'",
            "line 2: timezone is none that we know",
        ),
        ("timezone = 'UTC'", "line 1: the hours name no day"),
        (
            "timezone = 'UTC'\nmoon = '9-17'",
            "line 1: the hours name no day",
        ),
        (
            "timezone = 'UTC'\nmon-wed = '9-17'\ntuesday = '9-12'",
            "line 4: tuesday has its hours twice",
        ),
        (
            "timezone = 'UTC'\nmon = '9am-5pm'",
            "line 3: `9am-5pm` are no hours: write them as in 9:00-17:30",
        ),
        ("timezone = 'UTC'\nmon = '9'", "line 3: `9` are no hours"),
        (
            "timezone = 'UTC'\nmon = ['9-12', '13:60-17']",
            "line 3: `13:60-17` are no hours",
        ),
        (
            "timezone = 'UTC'\nmon = '9-24:01'",
            "line 3: `9-24:01` are no hours",
        ),
        (
            "timezone = 'UTC'\nmon = '9-9:00'",
            "line 3: `9-9:00` ends when it begins",
        ),
        (
            "timezone = 'UTC'\nmon = '24-9'",
            "line 3: `24-9` begins at 24:00",
        ),
        (
            "timezone = 'UTC'\nmon = 9",
            "line 3: hours are a text as in \"9:00-17:30\", a list",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nholidays = '12-25'",
            "line 4: holidays are a list",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nholidays = ['25.12.']",
            "line 4: `25.12.` is no day",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nholidays = ['2026-02-29']",
            "line 4: `2026-02-29` is no day",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nholidays = ['2026-12-24..2026-12-01']",
            "line 4: `2026-12-24..2026-12-01` ends before it begins",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nholidays = ['2026-12-24..01-02']",
            "line 4: `2026-12-24..01-02` has a year on one side only",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nspecial = ['12-24']",
            "line 4: special are days with their hours",
        ),
        (
            "timezone = 'UTC'\nmon = '9-17'\nspecial = { 'xmas' = '9-12' }",
            "line 4: `xmas` is no day",
        ),
    ] {
        let text = format!("[hours.shop]\n{lines}");
        let problems = Rules::parse(&text).expect_err(&text);
        let first = problems[0].to_string();
        assert!(first.starts_with(expected), "{text}\ngave {first}");
    }
    check_file_refused(
        "[hours]\ntimezone = 'UTC'",
        &["line 2: hours have a name: begin them with [hours.shop]"],
    );
    check_file_refused(
        "hours = 5",
        &["line 1: hours have a name: begin them with [hours.shop]"],
    );
    check_file_refused(
        "[hours.a]\ntimezone = 'UTC'\ndaily = '9-17'\n[[rule]]\nopen = 'b'\nreply = []",
        &["line 5: rule 1: there are no [hours.b]: there are a"],
    );
}

#[test]
fn rules_that_cannot_be_told_apart_are_named() {
    check_file_refused(
        "[[rule]]\nname = 'a'\ntext = 'a'\nreply = []\n[[rule]]\nname = 'a'\nreply = []",
        &["line 5: rule 2: the rule in line 1 has the same name"],
    );
    let rests = "[[rule]]\ntext = 'a'\ncooldown = '1h'\nreply = 'x'\n";
    check_file_refused(
        &rests.repeat(2),
        &["line 5: rule 2: the rule in line 1 has the same conditions and a cooldown too"],
    );
}

#[test]
fn a_mistake_in_a_reply_is_named() {
    for (lines, expected) in [
        (
            "text = 'a'",
            "line 1: rule 1: it has no reply: write reply = ",
        ),
        (
            "reply = ''",
            "line 2: rule 1: the reply is empty: write reply = []",
        ),
        (
            "reply = 5",
            "line 2: rule 1: a reply is a text or a message object, and this is a number",
        ),
        (
            "reply = ['a',\n ['b']]",
            "line 3: rule 1: a reply is a text or a message object, and this is a list",
        ),
        (
            "reply = { text = { body = 'a' } }",
            "line 2: rule 1: the reply has no type: add one, such as type = \"text\"",
        ),
        (
            "reply = { type = 5 }",
            "line 2: rule 1: the type of a reply is a text",
        ),
        (
            "reply = { type = 'txt', text = { body = 'a' } }",
            "line 2: rule 1: the reply is of type \"txt\" but has no txt: add txt = { … }",
        ),
        (
            "reply = { type = 'text', text = 'a' }",
            "line 2: rule 1: text is a table with the message's content, and this is a text",
        ),
        (
            "reply = { type = 'x', x = { y = nan } }",
            "line 2: rule 1: JSON has no such value: write a number in quotes",
        ),
        (
            "reply = { type = 'x', x = { y = 2026-01-01 } }",
            "line 2: rule 1: JSON has no such value: write a date or time in quotes",
        ),
        (
            "reply = { type = 'x', x = { y = 99999999999999999999 } }",
            "line 2: rule 1: ",
        ),
        (
            "reply = 'Hello {{ nmae }}'",
            "line 2: rule 1: in the reply: there is no placeholder `nmae`: known here are name, text, from, id, reply_id",
        ),
        (
            "match = '(?<a>.)'\nreply = '{{ b }}'",
            "line 3: rule 1: in the reply: there is no placeholder `b`: known here are name, text, from, id, reply_id, fields, m1, a",
        ),
        (
            "reply = '{% if name == \"x\" %}{{ nmae }}{% endif %}'",
            "line 2: rule 1: in the reply: there is no placeholder `nmae`",
        ),
        (
            "reply = '{{ name.first }}'",
            "line 2: rule 1: in the reply: undefined value",
        ),
        (
            "reply = '{{ (name|split)[0] }}'",
            "line 2: rule 1: in the reply: undefined value when the placeholders are blank: try",
        ),
        (
            "reply = '{{ name|uper }}'",
            "line 2: rule 1: in the reply: unknown filter: filter uper is unknown; there are capitalize, ",
        ),
        (
            "reply = '{{ range(9) }}'",
            "line 2: rule 1: in the reply: there is no placeholder `range`",
        ),
        (
            "reply = '{{ name'",
            "line 2: rule 1: in the reply: syntax error",
        ),
        (
            "reply = '{% if name %}a'",
            "line 2: rule 1: in the reply: syntax error",
        ),
        (
            "reply = '{%- for c in text %}{% endfor %}'",
            "line 2: rule 1: in the reply: `{% for %}` cannot be used",
        ),
        (
            "reply = '{% %}'",
            "line 2: rule 1: in the reply: `{%  %}` cannot be used",
        ),
        (
            "reply = '{{ \"abcdefgh\" * 40000 }}'",
            "line 2: rule 1: in the reply: it becomes longer than 256 KiB",
        ),
    ] {
        check_refused(lines, expected);
    }
    let many = vec!["'a'"; 21].join(",");
    check_refused(
        &format!("reply = [{many}]"),
        "line 2: rule 1: 21 replies to one message are too many: at most 20",
    );
}

#[test]
fn what_graph_would_refuse_is_refused_at_the_start() {
    check_refused(
        "reply = { type = 'image', image = { caption = '{{ name }}' } }",
        "line 2: rule 1: Graph would refuse the reply: image: id or link",
    );
    check_refused(
        "reply = { type = 'image', image = { id = '1', link = 'https://x.example/y' } }",
        "line 2: rule 1: Graph would refuse the reply: image",
    );
}

#[test]
fn a_file_that_is_no_rules_file_is_told_so() {
    for (text, expected) in [
        (
            "[rule]\ntext = 'a'\nreply = 'b'",
            "line 1: there can be many rules: begin each with [[rule]]",
        ),
        (
            "rule = [5]",
            "line 1: rule 1: a rule is a table: begin it with [[rule]]",
        ),
        (
            "\n[[rules]]\nreply = 'b'",
            "line 2: unknown key rules: a rules file has [[rule]] and",
        ),
        ("[[rule]]\nreply = 'b", "line 2: not TOML: "),
        (
            "[[rule]]\nmatch = \"\\d\"",
            "line 2: not TOML: a backslash in double quotes has a meaning of its own: use single",
        ),
        (
            "[[rule]]\nreply = 'a'\nreply = 'b'",
            "line 3: not TOML: duplicate key",
        ),
    ] {
        check_file_refused(text, &[expected]);
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_lines() {
    check_file_refused(
        "verbose = true\n\
         [[rule]]\ntext = 'a'\nreplay = 'b'\n\
         [[rule]]\nmatch = '['\nreply = '{{ x'\n\
         [[rule]]\nreply = 'first'\n\
         [[rule]]\nreply = '{{ y }}'\n",
        &[
            "line 1: unknown key verbose",
            "line 2: rule 1: it has no reply",
            "line 4: rule 1: unknown key replay",
            "line 6: rule 2: match is not a regular expression",
            "line 7: rule 2: in the reply: syntax error",
            "line 8: rule 3: it has no condition and so leaves nothing to the rules after it",
            "line 11: rule 4: in the reply: there is no placeholder `y`",
        ],
    );
    let many = "[[rule]]\nx = 1\n".repeat(1000);
    assert_eq!(Rules::parse(&many).unwrap_err().len(), 50);
}

/// Loading a file with these bytes fails with this text.
fn check_load(name: &str, bytes: Option<&[u8]>, expected: &str) {
    let folder = std::env::temp_dir().join(format!("wabridge-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    if let Some(bytes) = bytes {
        std::fs::write(&path, bytes).unwrap();
    }
    let error = Rules::load(&path).map(|rules| rules.len()).unwrap_err();
    let expected = expected.replace("PATH", &path.display().to_string());
    assert_eq!(error.to_string(), expected);
    let _ = std::fs::remove_file(&path);
}

#[test]
fn a_file_that_cannot_be_loaded_says_why() {
    check_load("missing.toml", None, "the rules file PATH cannot be read");
    check_load(
        "long.toml",
        Some(&[b'#'; 1024 * 1024 + 1]),
        "PATH is longer than 1 MiB: that is no rules file",
    );
    check_load(
        "latin.toml",
        Some(b"[[rule]]\nreply = 'Gr\xfc\xdfe'"),
        "PATH line 2: the text is not UTF-8: save the file in that encoding",
    );
    check_load(
        "two.toml",
        Some(b"[[rule]]\na = 1\n"),
        "PATH line 1: rule 1: it has no reply: write reply = \"\u{2026}\", or reply = [] to answer nothing\n\
         PATH line 2: rule 1: unknown key a: a rule has name, reply, cooldown, marketing, hand_over, and as conditions \
         text, words, match, reply_id, type, referral, number, first_contact, stale, open, closed, any, all, not",
    );
}
