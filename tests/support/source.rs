//! Reads Rust source as far as the import rules need it: its words, the paths
//! it names (imports spelled out), its string literals. What is only compiled
//! for tests is left out, and comments are.

/// What a file names.
#[derive(Debug, Default)]
pub struct Source {
    /// Identifiers, keywords and single characters of punctuation.
    pub tokens: Vec<String>,
    /// Every path of two names or more, such as `std::time::Instant`; of a
    /// `use` with braces, one for each name.
    pub paths: Vec<String>,
    /// String literals, as written.
    pub strings: Vec<String>,
}

impl Source {
    pub fn read(text: &str) -> Source {
        let (tokens, strings) = lex(text);
        let tokens = without_tests(tokens);
        let mut source = Source {
            paths: paths(&tokens),
            strings: Vec::new(),
            tokens: Vec::new(),
        };
        // A string stands in the tokens by its place in the list.
        for token in tokens {
            match token
                .strip_prefix('"')
                .and_then(|at| at.parse::<usize>().ok())
            {
                Some(at) => source.strings.push(strings[at].clone()),
                None => source.tokens.push(token),
            }
        }
        source
    }
}

/// Tokens; a string literal is `"` and its index among the strings.
fn lex(text: &str) -> (Vec<String>, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut strings) = (Vec::new(), Vec::new());
    let mut at = 0;
    let from = |start: usize, end: usize| chars[start..end].iter().collect::<String>();
    while at < chars.len() {
        let rest = &chars[at..];
        let start = at;
        match rest {
            [c, ..] if c.is_whitespace() => at += 1,
            ['/', '/', ..] => at += rest.iter().take_while(|c| **c != '\n').count(),
            ['/', '*', ..] => at += comment_length(rest),
            _ if raw_string(rest).is_some() => {
                let (open, hashes) = raw_string(rest).unwrap();
                let close: Vec<char> = format!("\"{}", "#".repeat(hashes)).chars().collect();
                let body = &rest[open..];
                let end = body.windows(close.len()).position(|w| w == close);
                let end = end.unwrap_or(body.len());
                tokens.push(format!("\"{}", strings.len()));
                strings.push(body[..end].iter().collect());
                at += open + end + close.len();
            }
            ['"', ..] | ['b', '"', ..] => {
                at += rest.iter().position(|c| *c == '"').unwrap() + 1;
                let body = at;
                while at < chars.len() && chars[at] != '"' {
                    at += 1 + usize::from(chars[at] == '\\');
                }
                tokens.push(format!("\"{}", strings.len()));
                strings.push(from(body, at.min(chars.len())));
                at += 1;
            }
            // A character, not a lifetime.
            ['\'', '\\', ..] => {
                at += 3;
                at += chars[at..].iter().take_while(|c| **c != '\'').count() + 1;
            }
            ['\'', _, '\'', ..] => at += 3,
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let word = |c: &&char| c.is_alphanumeric() || **c == '_';
                at += rest.iter().take_while(word).count();
                tokens.push(from(start, at));
            }
            [':', ':', ..] => {
                at += 2;
                tokens.push("::".into());
            }
            _ => {
                at += 1;
                tokens.push(from(start, at));
            }
        }
        assert!(at > start, "no way on at {start}");
    }
    (tokens, strings)
}

fn comment_length(text: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of what opens a raw string here, and how many `#` close it.
fn raw_string(text: &[char]) -> Option<(usize, usize)> {
    let prefix = match text {
        ['r', ..] => 1,
        ['b', 'r', ..] => 2,
        _ => return None,
    };
    let hashes = text[prefix..].iter().take_while(|c| **c == '#').count();
    (text.get(prefix + hashes) == Some(&'"')).then_some((prefix + hashes + 1, hashes))
}

/// Without the items under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = &tokens[at..];
        if here.len() > CFG_TEST.len() && here.iter().zip(CFG_TEST).all(|(a, b)| a == b) {
            at += CFG_TEST.len() + item_length(&here[CFG_TEST.len()..]);
        } else {
            kept.push(here[0].clone());
            at += 1;
        }
    }
    kept
}

/// Up to the `;` or the closing brace that ends the item.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => continue,
        }
        if depth == 0 && token == "}" {
            return at + 1;
        }
    }
    tokens.len()
}

fn paths(tokens: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // Not the `use<>` of a type.
        if tokens[at] == "use" && tokens.get(at + 1).is_none_or(|next| next != "<") {
            at += 1 + tree(&tokens[at + 1..], "", &mut paths);
            continue;
        }
        let mut path = tokens[at].clone();
        at += 1;
        while is_name(&path) && tokens.get(at).is_some_and(|t| t == "::") {
            match tokens.get(at + 1).filter(|next| is_name(next)) {
                Some(next) => path.push_str(&format!("::{next}")),
                None => break,
            }
            at += 2;
        }
        if path.contains("::") && path != "::" {
            paths.push(path);
        }
    }
    paths
}

/// Reads one tree of a `use`, up to the `,`, `}` or `;` behind it.
fn tree(tokens: &[String], prefix: &str, paths: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "," | "}" | ";" => break,
            "::" => {}
            "as" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t != "}") {
                    at += tree(&tokens[at..], &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|t| t == ","));
                }
                return at + 1;
            }
            name => {
                let joint = if path.is_empty() { "" } else { "::" };
                path.push_str(&format!("{joint}{name}"));
            }
        }
        at += 1;
    }
    if !path.is_empty() {
        paths.push(path);
    }
    at
}

fn is_name(token: &str) -> bool {
    let first = token.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_' || c.is_ascii_digit())
}
