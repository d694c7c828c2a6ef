//! Templates, and the words in them. Everything that is put into a page is
//! escaped; what a template does not know is an error and never empty.

use super::{ROOT, assets, chart, routes};
use crate::edge::clock;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

/// All that a person reads, in one place.
const WORDS: &str = include_str!("words.toml");

/// By the names they have for each other.
const TEMPLATES: &[(&str, &str)] = &[
    ("bubble.html", include_str!("templates/bubble.html")),
    (
        "conversations.html",
        include_str!("templates/conversations.html"),
    ),
    ("door.html", include_str!("templates/door.html")),
    ("event.html", include_str!("templates/event.html")),
    ("frame.html", include_str!("templates/frame.html")),
    ("inbox.html", include_str!("templates/inbox.html")),
    ("layout.html", include_str!("templates/layout.html")),
    ("list.html", include_str!("templates/list.html")),
    ("login.html", include_str!("templates/login.html")),
    ("message.html", include_str!("templates/message.html")),
    ("outbox.html", include_str!("templates/outbox.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("pager.html", include_str!("templates/pager.html")),
    ("part.html", include_str!("templates/part.html")),
    ("rules.html", include_str!("templates/rules.html")),
    ("settings.html", include_str!("templates/settings.html")),
    ("sorry.html", include_str!("templates/sorry.html")),
    ("thread.html", include_str!("templates/thread.html")),
    ("trail.html", include_str!("templates/trail.html")),
];

/// Draws pages.
pub struct Render {
    templates: Environment<'static>,
    words: toml::Table,
}

impl Render {
    /// With all templates.
    ///
    /// # Panics
    /// When a template or the words cannot be read: they are built in, and tests
    /// read them.
    pub fn built_in() -> Render {
        let words: toml::Table = toml::from_str(WORDS).expect("the words are TOML");
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, source) in TEMPLATES {
            let added = templates.add_template(name, source);
            added.expect("the templates are right");
        }
        let sections: Vec<Value> = routes::SECTIONS
            .iter()
            .map(|&(key, path)| context! { key, path })
            .collect();
        templates.add_global("words", Value::from(Serde(&words)));
        templates.add_global("sections", sections);
        templates.add_global("root", ROOT);
        templates.add_global("version", env!("CARGO_PKG_VERSION"));
        templates.add_function("asset", asset);
        templates.add_function("bars", |counts: Vec<i64>, words: &str| {
            chart::bars(&counts, words)
        });
        templates.add_filter("fill", fill);
        templates.add_filter("bdi", bdi);
        templates.add_filter("part", |part: &str| routes::encoded(part));
        templates.add_filter("moment", moment);
        let units = words.get("units").cloned();
        templates.add_filter("span", move |ms: i64| span(units.as_ref(), ms));
        Render { templates, words }
    }

    /// A whole page.
    ///
    /// # Errors
    /// When the template does not fit what it is given.
    pub fn page(&self, template: &str, facts: Value) -> Result<String, Error> {
        self.templates.get_template(template)?.render(facts)
    }

    /// One block of a page alone.
    ///
    /// # Errors
    /// The same, or when it has no such block.
    pub fn block(&self, template: &str, block: &str, facts: Value) -> Result<String, Error> {
        let mut drawn = self
            .templates
            .get_template(template)?
            .render_captured(facts)?;
        drawn.with_state_mut(|state| state.render_block(block))
    }

    /// The field of a form that shows that it is ours.
    pub fn token(&self, token: &str) -> Value {
        // Hexadecimal digits.
        Value::from_safe_string(format!(
            "<input type=\"hidden\" name=\"token\" value=\"{token}\">"
        ))
    }

    /// Words outside of all pages.
    pub fn words(&self, key: &str) -> String {
        let found = self.words.get(key).and_then(toml::Value::as_str);
        found.unwrap_or_default().to_owned()
    }
}

fn asset(name: &str) -> Result<String, Error> {
    let missing = || Error::new(ErrorKind::InvalidOperation, "no such asset");
    assets::address(name).ok_or_else(missing)
}

/// `{{ words.a.b | fill(n=3) }}` puts 3 in the place of `{n}`.
fn fill(text: &str, values: Kwargs) -> Result<String, Error> {
    let mut filled = text.to_owned();
    for name in values.args() {
        let value: Value = values.get(name)?;
        if value.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        filled = filled.replace(&format!("{{{name}}}"), &value.to_string());
    }
    values.assert_all_used()?;
    Ok(filled)
}

/// Text of strangers, isolated: its direction ends with it, and it moves nothing
/// around it. Controls, which have no business in a page, are shown as such.
fn bdi(text: &Value) -> Value {
    let text = text.to_string();
    let shown = text.chars().map(|c| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    let shown: String = shown.collect();
    Value::from_safe_string(format!("<bdi>{}</bdi>", escaped(&shown)))
}

/// A time in Unix milliseconds; the script writes it in the reader's own zone.
fn moment(ms: i64) -> Value {
    let time = clock::rfc3339(ms);
    let shown = match time.get(..19) {
        Some(seconds) => format!("{} UTC", seconds.replace('T', " ")),
        None => time.clone(),
    };
    Value::from_safe_string(format!("<time datetime=\"{time}\">{shown}</time>"))
}

/// A span of milliseconds in its largest unit.
fn span(units: Option<&toml::Value>, ms: i64) -> String {
    const UNITS: [(&str, i64); 4] = [
        ("day", 86_400_000),
        ("hour", 3_600_000),
        ("minute", 60_000),
        ("second", 1_000),
    ];
    let ms = ms.max(0);
    let largest = UNITS.iter().find(|(_, unit)| ms >= *unit);
    let (name, count) = largest.map_or(("second", 0), |(name, unit)| (*name, ms / unit));
    let word = units.and_then(|units| units.get(name));
    let word = word.and_then(toml::Value::as_str).unwrap_or("{n}");
    word.replace("{n}", &count.to_string())
}

/// Text as it may stand in a page, also inside of an attribute's quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &'static str, facts: Value) -> String {
        let mut render = Render::built_in();
        render.templates.add_template("own.html", source).unwrap();
        render.page("own.html", facts).unwrap()
    }

    #[test]
    fn nothing_that_is_put_in_becomes_markup() {
        let hostile = "<script>alert('1')</script>\"&";
        let inert = "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&quot;&amp;";
        let facts = || context! { x => hostile };
        let cases = [
            ("{{ x }}", inert.replace("/", "&#x2f;")),
            ("{{ x | bdi }}", format!("<bdi>{inert}</bdi>")),
            ("{{ '{x}' | fill(x=x) }}", inert.replace("/", "&#x2f;")),
        ];
        for (source, expected) in cases {
            assert_eq!(drawn(source, facts()), expected, "{source}");
        }
    }

    #[test]
    fn text_of_strangers_is_isolated_and_without_controls() {
        let facts = context! { x => "\u{202e}abc\u{1b}[2J\u{9b}\n😀" };
        let expected = "<bdi>\u{202e}abc\u{fffd}[2J\u{fffd}\n😀</bdi>";
        assert_eq!(drawn("{{ x | bdi }}", facts), expected);
    }

    #[test]
    fn times_and_spans_are_written_for_people() {
        let time = "<time datetime=\"2026-09-21T14:13:20.000Z\">2026-09-21 14:13:20 UTC</time>";
        let facts = || context! { x => 1_790_000_000_000_i64, y => i64::MAX };
        assert_eq!(drawn("{{ x | moment }}", facts()), time);
        assert!(drawn("{{ y | moment }}", facts()).contains(&i64::MAX.to_string()));
        for (ms, expected) in [
            (-5, "0 s"),
            (999, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (7_200_000, "2 h"),
            (86_400_000 * 9, "9 d"),
        ] {
            assert_eq!(drawn("{{ x | span }}", context! { x => ms }), expected);
        }
    }

    #[test]
    fn a_name_that_is_not_known_is_an_error() {
        let mut render = Render::built_in();
        let sources = ["{{ y }}", "{{ words.y }}", "{{ '' | fill(x=y) }}"];
        for source in sources {
            render.templates.add_template("own.html", source).unwrap();
            assert!(render.page("own.html", context! {}).is_err(), "{source}");
        }
    }

    /// The words that templates name by a path of their own.
    fn named() -> Vec<String> {
        let mut named = Vec::new();
        for (_, source) in TEMPLATES {
            for after in source.split("words.").skip(1) {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c));
                named.push(after[..end.unwrap_or(after.len())].to_owned());
            }
        }
        named
    }

    #[test]
    fn every_word_that_a_template_names_is_there() {
        let words = Render::built_in().words;
        let named = named();
        assert!(named.len() > 20);
        for path in named {
            let mut at = Some(&toml::Value::Table(words.clone()));
            let owned: Vec<&str> = path.split('.').collect();
            let mut table = at.take().cloned();
            for part in owned {
                table = table.and_then(|found| found.get(part).cloned());
            }
            assert!(table.is_some(), "words.{path}");
        }
    }

    #[test]
    fn no_script_and_no_style_stands_in_a_page() {
        for (name, source) in TEMPLATES {
            for inline in [
                " style=",
                " onclick=",
                "<style",
                "javascript:",
                "http:",
                "https:",
            ] {
                assert!(!source.contains(inline), "{name}: {inline}");
            }
            let scripts = source.matches("<script").count();
            assert_eq!(scripts, source.matches("<script src=").count(), "{name}");
            assert_eq!(source.matches("| safe").count(), 0, "{name}");
        }
    }
}
