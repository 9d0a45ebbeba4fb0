//! Sizes, the wording of comments, and stray documents.

use std::collections::BTreeMap;

use crate::Violation;
use crate::source::{Source, numbered};

const MAX_LINES: usize = 800;
/// Tests, and the type tables of a protocol's wire format, are long lists.
const MAX_LINES_OF_LISTS: usize = 1500;

/// Files over the budget, each with a length that may only shrink: `path lines`.
const RATCHET: &str = include_str!("ratchet.txt");

/// Phrases of unfinished work, and of history that belongs in the commit log.
const BANNED_PHRASES: [&str; 13] = [
    "todo",
    "fixme",
    "xxx",
    "hack",
    "for now",
    "simplified",
    "placeholder",
    "stub",
    "in a real",
    "in production code",
    "as requested",
    "as asked",
    "used to be",
];

/// Documents, by name or by the folder that holds them.
const MARKDOWN: [&str; 26] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs/aggregator.md",
    "docs/alarms.md",
    "docs/api.md",
    "docs/audit.md",
    "docs/certificates.md",
    "docs/connect-an-inverter.md",
    "docs/console.md",
    "docs/delivery.md",
    "docs/der2030.md",
    "docs/dispatch.md",
    "docs/enrolment.md",
    "docs/faults.md",
    "docs/history.md",
    "docs/microgrids.md",
    "docs/operating.md",
    "docs/optimiser.md",
    "docs/personal-data.md",
    "docs/postgresql.md",
    "docs/relay.md",
    "docs/settings.md",
    "docs/simulator.md",
    "docs/strategies.md",
];
const MARKDOWN_FOLDERS: [&str; 4] = [
    "docs/standards/",
    "docs/evidence/",
    "docs/guide/",
    "testdata/",
];

pub(crate) fn length_violations(sources: &[Source]) -> Vec<Violation> {
    over_budget(sources, &ratchet(RATCHET))
}

fn ratchet(text: &str) -> BTreeMap<&str, usize> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (path, lines) = line.split_once(' ').expect("`path lines`");
            (path, lines.parse().expect("a number of lines"))
        })
        .collect()
}

fn over_budget(sources: &[Source], ratchet: &BTreeMap<&str, usize>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |path: &str, line, rule, what| {
        found.push(Violation {
            path: path.to_owned(),
            line,
            rule,
            found: what,
        });
    };
    for source in sources {
        let lines = source.code.len();
        let is_list = source.is_test || source.path.contains("/src/wire/");
        let budget = if is_list {
            MAX_LINES_OF_LISTS
        } else {
            MAX_LINES
        };
        match ratchet.get(source.path.as_str()) {
            Some(&exception) if exception < lines => {
                let rule = "an exception to the length budget may only shrink";
                report(&source.path, exception, rule, format!("{lines} lines"));
            }
            Some(&exception) if lines < exception => {
                let rule = "ratchet.txt follows the file as it shrinks";
                report(&source.path, lines, rule, format!("listed as {exception}"));
            }
            None if budget < lines => {
                let rule = "a file stays within its length budget";
                report(&source.path, budget, rule, format!("{lines} lines"));
            }
            _ => {}
        }
    }
    let is_there = |path: &str| sources.iter().any(|source| source.path == path);
    for path in ratchet.keys().filter(|path| !is_there(path)) {
        report(path, 1, "ratchet.txt lists files that exist", String::new());
    }
    found
}

pub(crate) fn comment_violations(source: &Source) -> Vec<Violation> {
    phrases(&source.path, numbered(&source.comments), &BANNED_PHRASES)
}

/// The console's languages are not lexed, so only phrases that code does not use are looked for.
pub(crate) fn console_violations(paths: &[String]) -> Vec<Violation> {
    let is_source = |path: &&String| {
        [".ts", ".svelte", ".css"]
            .iter()
            .any(|kind| path.ends_with(kind))
    };
    paths
        .iter()
        .filter(is_source)
        .flat_map(|path| {
            let text = std::fs::read_to_string(crate::root().join(path)).unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            phrases(path, numbered(&lines), &["todo", "fixme", "for now"])
        })
        .collect()
}

fn phrases<'a>(
    path: &str,
    lines: impl Iterator<Item = (usize, &'a str)>,
    banned: &[&str],
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, text) in lines {
        let text = text.to_lowercase();
        for phrase in banned.iter().filter(|phrase| has_phrase(&text, phrase)) {
            found.push(Violation {
                path: path.to_owned(),
                line,
                rule: "a comment states what is so",
                found: (*phrase).to_owned(),
            });
        }
    }
    found
}

/// Whether the phrase stands in the text between words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(phrase).any(|(at, _)| {
        !is_word(text[..at].chars().next_back())
            && !is_word(text[at + phrase.len()..].chars().next())
    })
}

pub(crate) fn markdown_violations(paths: &[String]) -> Vec<Violation> {
    paths
        .iter()
        .map(|path| path.trim_start_matches("./"))
        .filter(|path| path.ends_with(".md"))
        .filter(|path| {
            let is_listed = MARKDOWN.contains(path);
            !is_listed
                && !MARKDOWN_FOLDERS
                    .iter()
                    .any(|folder| path.starts_with(folder))
        })
        .map(|path| Violation {
            path: path.to_owned(),
            line: 1,
            rule: "a document is one that readers are led to",
            found: "not on the list".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_comments_are_noticed_and_code_is_not() {
        let text =
            "// TODO: later\nlet todo = \"for now\"; // a hackney carriage\n/* good\n for now */\n";
        let source = Source::new("crates/store/src/a.rs".to_owned(), text);
        let found: Vec<(usize, String)> = comment_violations(&source)
            .into_iter()
            .map(|v| (v.line, v.found))
            .collect();
        assert_eq!(found, [(1, "todo".to_owned()), (4, "for now".to_owned())]);
    }

    #[test]
    fn long_files_are_noticed_and_exceptions_only_shrink() {
        let file = |path: &str, lines| Source::new(path.to_owned(), &"\n".repeat(lines));
        let sources = [
            file("crates/store/src/fits.rs", 800),
            file("crates/store/src/long.rs", 801),
            file("crates/store/src/tests.rs", 1500),
            file("crates/ieee2030_5/src/wire/table.rs", 1501),
            file("crates/store/src/grown.rs", 901),
            file("crates/store/src/shrunk.rs", 899),
            file("crates/store/src/same.rs", 900),
        ];
        let exceptions = ratchet(
            "# path lines\ncrates/store/src/grown.rs 900\ncrates/store/src/shrunk.rs 900\n\
             crates/store/src/same.rs 900\ncrates/store/src/gone.rs 900\n",
        );
        let found: Vec<String> = over_budget(&sources, &exceptions)
            .into_iter()
            .map(|v| v.path)
            .collect();
        assert_eq!(
            found,
            [
                "crates/store/src/long.rs",
                "crates/ieee2030_5/src/wire/table.rs",
                "crates/store/src/grown.rs",
                "crates/store/src/shrunk.rs",
                "crates/store/src/gone.rs",
            ]
        );
    }

    #[test]
    fn stray_documents_are_noticed() {
        let paths = [
            "README.md",
            "docs/aggregator.md",
            "docs/api.md",
            "./docs/standards/ieee2030_5.md",
            "SUMMARY.md",
            "docs/notes.md",
        ]
        .map(str::to_owned);
        let found: Vec<String> = markdown_violations(&paths)
            .into_iter()
            .map(|v| v.path)
            .collect();
        assert_eq!(found, ["SUMMARY.md", "docs/notes.md"]);
    }
}
