//! The structural invariants of ARCHITECTURE.md, over `cargo metadata` and the sources.
//!
//! A failure lists every violation as `file:line: rule: what was found`.

#![cfg(test)]

mod dependencies;
mod rules;
mod source;
mod text_rules;

use std::fmt;
use std::path::{Path, PathBuf};

use source::Source;

struct Violation {
    path: String,
    line: usize,
    rule: &'static str,
    found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            rule,
            found,
        } = self;
        write!(f, "{path}:{line}: {rule}: {found}")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of the repository below `dir` that is kept under version control, as a path
/// relative to the root.
fn files(dir: &str) -> Vec<String> {
    const NOT_OURS: [&str; 6] = [
        ".git",
        "target",
        "node_modules",
        "dist",
        "test-results",
        "playwright-report",
    ];
    let mut found = Vec::new();
    let mut pending = vec![root().join(dir)];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    pending.push(path);
                }
            } else {
                let relative = path.strip_prefix(root()).unwrap();
                found.push(relative.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust_sources() -> Vec<Source> {
    let mut sources: Vec<Source> = ["crates", "xtask", "fuzz"]
        .iter()
        .flat_map(|dir| files(dir))
        .filter(|path| Path::new(path).extension().is_some_and(|kind| kind == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            Source::new(path, &text)
        })
        .collect();
    let modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let belongs = |module: &String| {
            source
                .path
                .strip_prefix(module)
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        if modules.iter().any(belongs) {
            source.mark_as_test();
        }
    }
    sources
}

fn assert_none(violations: &[Violation]) {
    let listed: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(listed.is_empty(), "\n{}\n", listed.join("\n"));
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    assert_none(&dependencies::violations(&dependencies::packages()));
}

#[test]
fn sources_keep_the_boundaries() {
    let sources = rust_sources();
    assert!(10 < sources.len(), "the sources were not found");
    let violations: Vec<Violation> = sources.iter().flat_map(rules::violations).collect();
    assert_none(&violations);
}

#[test]
fn files_stay_small() {
    assert_none(&text_rules::length_violations(&rust_sources()));
}

#[test]
fn comments_are_finished_sentences_about_the_code() {
    let violations: Vec<Violation> = rust_sources()
        .iter()
        .flat_map(text_rules::comment_violations)
        .collect();
    assert_none(&violations);
}

#[test]
fn every_markdown_file_has_a_reason() {
    assert_none(&text_rules::markdown_violations(&files(".")));
}

#[test]
fn the_console_leaves_nothing_unfinished() {
    assert_none(&text_rules::console_violations(&files("console")));
}
