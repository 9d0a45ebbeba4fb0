//! A Rust file split into code and comments, line by line, without parsing it.

/// One file: `code` has comments and the contents of literals blanked out, `comments` has only
/// the comments. Both keep the line numbers of the text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) code: Vec<String>,
    pub(crate) comments: Vec<String>,
    /// Whether the whole file is test code by its place.
    pub(crate) is_test: bool,
    /// The line of the test module that ends a file, or its number of lines.
    pub(crate) product_lines: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: u32 },
    Text,
    RawText { hashes: usize },
}

impl Source {
    pub(crate) fn new(path: String, text: &str) -> Self {
        let (code, comments) = split(text);
        let is_test = is_test_path(&path);
        let product_lines = if is_test {
            0
        } else {
            test_module(&code).unwrap_or(code.len())
        };
        Self {
            path,
            code,
            comments,
            is_test,
            product_lines,
        }
    }

    /// The modules that this file declares for tests only, as paths without `.rs`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let folder = match stem.rsplit_once('/') {
            Some((folder, "lib" | "main")) => folder,
            _ => stem,
        };
        let declared = |pair: &[String]| {
            let is_test = pair[0].trim() == "#[cfg(test)]";
            let name = pair[1].trim().strip_suffix(';')?;
            let name = name.strip_prefix("pub(crate) ").unwrap_or(name);
            let name = name.strip_prefix("mod ").filter(|_| is_test)?;
            Some(format!("{folder}/{name}"))
        };
        self.code.windows(2).filter_map(declared).collect()
    }

    pub(crate) fn mark_as_test(&mut self) {
        self.is_test = true;
        self.product_lines = 0;
    }

    /// The lines of code that end up in the product, with their numbers from one.
    pub(crate) fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code).take(self.product_lines)
    }

    /// The full paths named in the product's code, those of nested `use` trees included.
    pub(crate) fn product_paths(&self) -> Vec<(usize, String)> {
        let code = self.code[..self.product_lines].join("\n");
        let mut paths = Vec::new();
        collect_paths(&code, &mut paths);
        paths
    }
}

pub(crate) fn numbered(lines: &[String]) -> impl Iterator<Item = (usize, &str)> {
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| (index + 1, line.as_str()))
}

fn is_test_path(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/benches/")
        || path.contains("/examples/")
        || path.starts_with("fuzz/")
}

/// The index of a `#[cfg(test)]` that a module with a body follows.
fn test_module(code: &[String]) -> Option<usize> {
    code.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]"
            && pair[1].trim_start().starts_with("mod ")
            && pair[1].trim_end().ends_with('{')
    })
}

fn split(text: &str) -> (Vec<String>, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut comments = String::new();
    let mut state = State::Code;
    let mut at = 0;
    while let Some(&current) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let (new_state, length) = step(state, &chars, at, current, next);
        for &taken in &chars[at..(at + length).min(chars.len())] {
            let is_comment = is_comment(state) || is_comment(new_state);
            let is_code = state == State::Code && !is_comment;
            let blank = if taken == '\n' { '\n' } else { ' ' };
            code.push(if is_code { taken } else { blank });
            comments.push(if is_comment { taken } else { blank });
        }
        state = new_state;
        at += length;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    (lines(&code), lines(&comments))
}

fn is_comment(state: State) -> bool {
    matches!(state, State::LineComment | State::BlockComment { .. })
}

/// The state after the token at `at`, and the token's length in characters.
fn step(
    state: State,
    chars: &[char],
    at: usize,
    current: char,
    next: Option<char>,
) -> (State, usize) {
    match state {
        State::Code => step_in_code(chars, at, current, next),
        State::LineComment if current == '\n' => (State::Code, 1),
        State::LineComment => (State::LineComment, 1),
        State::BlockComment { depth } => match (current, next) {
            ('*', Some('/')) if depth == 1 => (State::Code, 2),
            ('*', Some('/')) => (State::BlockComment { depth: depth - 1 }, 2),
            ('/', Some('*')) => (State::BlockComment { depth: depth + 1 }, 2),
            _ => (state, 1),
        },
        State::Text => match current {
            '\\' => (State::Text, 2),
            '"' => (State::Code, 1),
            _ => (State::Text, 1),
        },
        State::RawText { hashes } => {
            let closes = current == '"' && run_of_hashes(chars, at + 1) >= hashes;
            if closes {
                (State::Code, 1 + hashes)
            } else {
                (state, 1)
            }
        }
    }
}

fn step_in_code(chars: &[char], at: usize, current: char, next: Option<char>) -> (State, usize) {
    match (current, next) {
        ('/', Some('/')) => (State::LineComment, 2),
        ('/', Some('*')) => (State::BlockComment { depth: 1 }, 2),
        ('"', _) => (State::Text, 1),
        ('r', Some('"' | '#')) if !follows_word(chars, at) => {
            let hashes = run_of_hashes(chars, at + 1);
            if chars.get(at + 1 + hashes) == Some(&'"') {
                (State::RawText { hashes }, 2 + hashes)
            } else {
                (State::Code, 1)
            }
        }
        // A character literal, as opposed to a lifetime.
        ('\'', Some('\\')) => {
            let rest = &chars[at + 2..];
            let end = rest.iter().skip(1).position(|&c| c == '\'').unwrap_or(0);
            (State::Code, end + 4)
        }
        ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => (State::Code, 3),
        _ => (State::Code, 1),
    }
}

/// Whether the `r` at `at` ends an identifier; the `b` of a raw byte string does not count.
fn follows_word(chars: &[char], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|index| chars.get(index));
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    match before(1) {
        Some('b' | 'c') => is_word(before(2)),
        other => is_word(other),
    }
}

fn run_of_hashes(chars: &[char], at: usize) -> usize {
    chars[at.min(chars.len())..]
        .iter()
        .take_while(|&&c| c == '#')
        .count()
}

/// Finds `a::b::c` and expands `a::{b, c::{d}}`.
fn collect_paths(code: &str, paths: &mut Vec<(usize, String)>) {
    let mut line = 1;
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    let mut chars = code.chars().peekable();
    while let Some(current) = chars.next() {
        if current.is_alphanumeric() || current == '_' {
            path.push(current);
            continue;
        }
        if current == ':' && chars.peek() == Some(&':') && !path.is_empty() {
            chars.next();
            path += "::";
            continue;
        }
        let is_tree = current == '{' && path.ends_with("::");
        if is_tree || current == '{' && !prefixes.is_empty() {
            prefixes.push(std::mem::take(&mut path));
        } else {
            if path.contains("::") || !prefixes.is_empty() && !path.is_empty() {
                paths.push((line, prefixes.concat() + path.trim_end_matches(':')));
            }
            path.clear();
        }
        if current == '}' {
            prefixes.pop();
        }
        if current == '\n' {
            line += 1;
        }
    }
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text = "let a = \"// no\"; // yes \"x\n/* b /* c */ d */ let r#e = r#\"f\"g\"#;\nlet h = '\"'; let i: &'static str = b'\\'';";
    let source = Source::new("crates/x/src/a.rs".to_owned(), text);
    assert_eq!(source.comments[0].trim(), "// yes \"x");
    assert!(source.code[0].starts_with("let a = \""));
    assert!(!source.code[0].contains("no"));
    assert!(source.code[1].contains("let r#e"));
    assert!(!source.code[1].contains('f') && !source.code[1].contains('g'));
    assert!(source.code[2].contains("&'static str"));
}

#[test]
fn paths_are_found_in_use_trees_and_in_expressions() {
    let text = "use std::{\n    fs::{self, File},\n    collections::BTreeMap,\n};\nfn f() { if x { tokio::spawn(a::b) } }\n";
    let source = Source::new("crates/x/src/a.rs".to_owned(), text);
    let paths = source.product_paths();
    for expected in [
        (2, "std::fs::self"),
        (2, "std::fs::File"),
        (3, "std::collections::BTreeMap"),
        (5, "tokio::spawn"),
        (5, "a::b"),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert!(paths.contains(&expected), "{expected:?} in {paths:?}");
    }
}

#[test]
fn a_test_module_at_the_end_is_not_product_code() {
    let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    let source = Source::new("crates/x/src/a.rs".to_owned(), text);
    assert_eq!(source.product_code().count(), 2);
    assert!(source.product_paths().is_empty());
}

#[test]
fn modules_declared_for_tests_are_known_by_path() {
    let text = "#[cfg(test)]\nmod schema;\nmod wire;\n#[cfg(test)]\npub(crate) mod walk;\n";
    let of = |path: &str| Source::new(path.to_owned(), text).test_modules();
    assert_eq!(
        of("crates/x/src/lib.rs"),
        ["crates/x/src/schema", "crates/x/src/walk"]
    );
    assert_eq!(
        of("crates/x/src/a.rs"),
        ["crates/x/src/a/schema", "crates/x/src/a/walk"]
    );
}
