//! Whatever people call themselves and write, it stays in its place, as it was.

use super::*;
use crate::wire::sample::mix;

/// What people may call themselves and write.
const HOSTILE: [&str; 16] = [
    "{{ 7*7 }}",
    "{% for i in range(9) %}{{ name }}{% endfor %}",
    "{# gone #} {{ text }} {% raw %}",
    "\"}],\"to\":\"15550000\",\"x\":[{\"",
    "\\\" \\n \\u0041 \\",
    "line\nline\r\n\tline\n",
    "👩‍👩‍👧‍👦🇩🇪 é e\u{301}",
    "\u{202e}right to left\u{200f}\u{2066}",
    "\u{0}\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
    "<script>alert('&amp;')</script>",
    "' or 1=1 --",
    "$1 ${name} %s $name",
    "\u{fffd}\u{10ffff}",
    " ",
    "}}",
    "None",
];

#[test]
fn names_and_texts_are_values_and_stay_as_they_are() {
    let rules = rules(
        "[[rule]]\nmatch = '(?s)^(?<all>.*)$'\n\
         reply = { type = 'image', image = { id = '1', caption = '<{{ name }}|{{ text }}|{{ all }}|{{ m1 }}>' } }",
    );
    for name in HOSTILE {
        for words in HOSTILE {
            let sample = Sample {
                name,
                text: words,
                ..Sample::default()
            };
            let replies = replies(&rules, &sample_event("text", &sample));
            let caption = format!("<{name}|{words}|{words}|{words}>");
            let expected = json!({"type": "image", "image": {"id": "1", "caption": caption}});
            assert_eq!(replies, [expected], "{name:?} {words:?}");
        }
    }
}

/// What hostile texts are made of: pieces of templates, JSON, expressions, terminals.
const PIECES: [&str; 32] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    " if ",
    " endif ",
    " raw ",
    "name",
    "text",
    "fields.x",
    "|",
    "upper",
    "\"",
    "'",
    "\\",
    "\\u0022",
    ",",
    ":",
    "}",
    "]",
    "{",
    "[",
    "\n",
    "\r",
    "\t",
    "\u{0}",
    "\u{202e}",
    "\u{d7ff}",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
];

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = mix(self.0);
        (self.0 % limit as u64) as usize
    }

    fn text(&mut self) -> String {
        let pieces = self.below(12);
        (0..pieces)
            .map(|_| PIECES[self.below(PIECES.len())])
            .collect()
    }
}

/// In every place a string can stand; what comes out is the same JSON with the values in their
/// places, and nothing else.
#[test]
fn random_names_texts_and_forms_change_nothing_but_their_place() {
    let rules = rules(
        "[[rule]]\nany = [{ match = '(?s)^(?<all>.*)$' }, { type = 'nfm_reply' }]\n\
         reply = [\n\
           { type = 'x', x = { a = ['<{{ name }}>', { b = '{{ text }}{{ all }}' }], '{{ name }}' = 1 }, y = '{{ fields.x }}|{{ fields[\"y\"] }}' },\n\
           { type = 'x', x = { a = '{% if text == name %}1{% else %}{{ text|upper|lower|trim }}{% endif %}' } },\n\
         ]",
    );
    let mut random = Random(1);
    for _ in 0..1_000 {
        let (name, words, x) = (random.text(), random.text(), random.text());
        let plain = Sample {
            name: &name,
            text: &words,
            ..Sample::default()
        };
        let said = replies(&rules, &sample_event("text", &plain));
        let expected = json!({"type": "x", "x": {"a": [format!("<{name}>"),
            {"b": format!("{words}{words}")}], "{{ name }}": 1}, "y": "|"});
        assert_eq!(said[0], expected, "{name:?} {words:?}");
        let shaped = words.to_uppercase().to_lowercase();
        let shaped = if words == name { "1" } else { shaped.trim() };
        assert_eq!(said[1]["x"]["a"], shaped, "{name:?} {words:?}");

        let form = json!({"flow_token": words, "x": x, "y": [x]}).to_string();
        let response = json!({"name": "flow", "response_json": form});
        let element = json!({"id": "m", "from": "1", "type": "interactive",
            "interactive": {"type": "nfm_reply", "nfm_reply": response}});
        let filled = replies(&rules, &message(&element.to_string()));
        let y = json!([x]).to_string();
        assert_eq!(filled[0]["y"], format!("{x}|{y}"), "{form}");
    }
}

/// None that is taken fails when it is filled in with something it was not tried with.
#[test]
fn random_templates_are_refused_or_filled_in_whatever_is_written() {
    const TEMPLATE: [&str; 22] = [
        "{{ name }}",
        "{{ text",
        "}}",
        "{{ text|upper }}",
        "{{ text|split|first }}",
        "|",
        "{% if text %}",
        "{% else %}",
        "{% endif %}",
        "{{ m1 }}",
        "{{ fields.a }}",
        "{{ fields }}",
        "{{ fields.a|title }}",
        " or ",
        "{{ name or text }}",
        "{{ name|truncate(3) }}",
        "{{ text|length }}",
        "{# a #}",
        "{% raw %}",
        "{% endraw %}",
        "{{ text[0] }}",
        "{{ name|default(\"x\") }}",
    ];
    let mut random = Random(2);
    let mut taken = 0;
    for _ in 0..1_000 {
        let pieces = 1 + random.below(4);
        let piece = |_| TEMPLATE[random.below(TEMPLATE.len())];
        let template: String = (0..pieces).map(piece).collect();
        let file = format!("[[rule]]\nmatch = '(?s)(.*)'\nreply = '''a {template}'''");
        let Ok(rules) = Rules::parse(&file) else {
            continue;
        };
        taken += 1;
        for words in [random.text(), random.text(), String::new()] {
            let sample = Sample {
                name: &words,
                text: &words,
                ..Sample::default()
            };
            let event = sample_event("text", &sample);
            let replies = answer(&rules, &event).map(|answer| answer.replies.is_ok());
            assert_eq!(replies, Some(true), "{template} with {words:?}");
        }
    }
    assert!(taken > 300, "{taken}");
}
