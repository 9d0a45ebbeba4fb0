//! The conformance table of `docs/standards/ieee2030_5.md` is that of `conformance.txt`, whose every
//! row names tests that exist or says why there is none.
#![cfg(test)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const SOURCE: &str = include_str!("conformance.txt");
const HEAD: &str = "| Rule | Clauses | Tests |\n|---|---|---|\n";
/// Where functions are looked for that name no directory.
const HERE: &str = "crates/ieee2030_5/src";
/// The procedures of SunSpec's CSIP conformance tests, version 1.3.
const PROCEDURES: [(&str, &[u32]); 7] = [
    ("COMM", &[1, 2, 3, 4]),
    (
        "CORE",
        &[1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 18, 19, 21, 22, 23],
    ),
    (
        "BASIC",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25, 26, 27, 28, 29,
        ],
    ),
    ("UTIL", &[1, 2, 3, 4]),
    ("AGG", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("ERR", &[1, 2]),
    ("MAINT", &[1, 2, 3, 4, 5]),
];

struct Row {
    rule: &'static str,
    clauses: &'static str,
    tests: Vec<&'static str>,
    reason: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let blocks = SOURCE
        .split("\n\n")
        .filter(|block| block.starts_with("rule "));
    blocks.map(row).collect()
}

fn row(block: &'static str) -> Row {
    let all = |key: &str| -> Vec<&'static str> {
        let lines = block.lines().filter_map(|line| line.split_once(' '));
        let lines = lines.filter(|(name, _)| *name == key);
        lines.map(|(_, value)| value.trim()).collect()
    };
    Row {
        rule: all("rule")[0],
        clauses: all("in").first().unwrap_or_else(|| panic!("{block}")),
        tests: all("test"),
        reason: all("none").first().copied(),
    }
}

fn table() -> String {
    let mut table = HEAD.to_owned();
    for row in rows() {
        let tests: Vec<String> = row.tests.iter().map(|test| format!("`{test}`")).collect();
        let tests = match row.reason {
            Some(reason) => format!("No test: {reason}"),
            None => tests.join(", "),
        };
        writeln!(table, "| {} | {} | {tests} |", row.rule, row.clauses).unwrap();
    }
    table
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether `test` is a function that runs as a test.
fn exists(test: &str) -> bool {
    let (directory, path) = test.split_once(": ").unwrap_or((HERE, test));
    let Some((module, function)) = path.rsplit_once("::") else {
        return false;
    };
    let module = workspace().join(directory).join(module.replace("::", "/"));
    // A module of its own, or the first of an integration test of several.
    let files = [module.with_extension("rs"), module.join("main.rs")];
    files.iter().any(|file| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let head = format!("fn {function}(");
        let before = text.match_indices(&head).map(|(at, _)| &text[..at]);
        before.into_iter().any(|before| {
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            attributes.contains("#[test]") || attributes.contains("#[tokio::test")
        })
    })
}

#[test]
fn every_row_has_tests_that_are_there_or_says_why_not() {
    let rows = rows();
    assert!(rows.len() > 50, "{}", rows.len());
    for Row {
        rule,
        tests,
        reason,
        ..
    } in rows
    {
        assert!(tests.is_empty() == reason.is_some(), "{rule}");
        for test in tests {
            assert!(exists(test), "{rule}: there is no {test}");
        }
    }
    assert!(!exists("server::tests::access::no_such_test"));
    assert!(!exists("server::tests::access"));
}

/// The numbers that a rule names, as `CORE-001`, or as a range of two with `to` between.
fn named(rule: &str, family: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = Vec::new();
    let mut is_range = false;
    for word in rule.split([' ', ',', ':']) {
        let number = word
            .strip_prefix(family)
            .and_then(|rest| rest.strip_prefix('-'));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            let first = numbers
                .last()
                .filter(|_| is_range)
                .map_or(number, |last| last + 1);
            numbers.extend(first..=number);
        }
        is_range = word == "to";
    }
    numbers
}

#[test]
fn every_procedure_has_a_row() {
    for (family, numbers) in PROCEDURES {
        let mut found: Vec<u32> = rows()
            .iter()
            .flat_map(|row| named(row.rule, family))
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, numbers, "{family}");
    }
}

#[test]
fn the_document_has_the_table() {
    let path = workspace().join("docs/standards/ieee2030_5.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(HEAD).unwrap();
    let after = rest.find("\n\n").map_or("", |end| &rest[end + 1..]);
    let current = format!("{before}{}{after}", table());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, current).unwrap();
        return;
    }
    assert!(
        document == current,
        "the table is not that of conformance.txt: run with UPDATE_EXPECT=1"
    );
}
