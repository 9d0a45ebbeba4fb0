//! What code of each crate may name.

use crate::Violation;
use crate::source::{Source, numbered};

/// Crates whose functions depend on nothing but their arguments.
const PURE_CRATES: [&str; 6] = ["units", "fleet", "optimiser", "grid", "forecast", "market"];
const PROTOCOL_CRATES: [&str; 5] = ["ieee2030_5", "iec61968_5", "sunspec", "dnp3", "openadr"];

/// Paths that stand for IO, a clock, randomness or global state.
const IMPURE_PATHS: [&str; 19] = [
    "rand",
    "serde",
    "std::cell::LazyCell",
    "std::cell::OnceCell",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::sync::LazyLock",
    "std::sync::Mutex",
    "std::sync::OnceLock",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
];
/// Words that stand for the same where no path does.
const IMPURE_WORDS: [&str; 6] = [
    "async",
    "await",
    "OnceLock",
    "LazyLock",
    "SystemTime",
    "thread_local",
];

/// What the shell alone does: reading the environment and the clock, opening sockets, files and
/// processes, randomness, and the async runtime.
const SHELL_PATHS: [&str; 11] = [
    "getrandom",
    "hyper",
    "openssl",
    "rand",
    "std::env",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
];

const SERVER_SOCKETS: [&str; 4] = [
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "tokio::net::TcpListener",
    "tokio::net::TcpSocket",
];
/// Where the simulator binds listeners for a moment, to find ports that are free.
const FREE_PORTS: &str = "demo/layout.rs";

const BANNED_MODULES: [&str; 7] = [
    "common", "helper", "helpers", "misc", "prelude", "util", "utils",
];

pub(crate) fn violations(source: &Source) -> Vec<Violation> {
    let mut found = Report {
        source,
        violations: Vec::new(),
    };
    let (crate_name, inner) = place(&source.path);
    if PURE_CRATES.contains(&crate_name) {
        found.paths("a pure crate names no IO, clock or runtime", &IMPURE_PATHS);
        found.words("a pure crate names no IO, clock or runtime", &IMPURE_WORDS);
        found.text("a pure crate has no global state", "static mut");
    }
    if PROTOCOL_CRATES.contains(&crate_name) {
        protocol_rules(&mut found, inner);
    }
    if crate_name == "store" {
        found.paths(
            "the store is called, it opens no sockets",
            &["std::net", "tokio", "hyper"],
        );
        found.paths(
            "only wattfold reads environment and clock",
            &SHELL_PATHS[4..5],
        );
        found.paths(
            "only wattfold reads environment and clock",
            &["std::time::SystemTime"],
        );
    } else {
        found.words(
            "only the store names a database",
            &["postgres", "rusqlite", "tokio_postgres_rustls"],
        );
    }
    if crate_name != "simulator" {
        found.words("product code knows no simulator", &["simulator"]);
        found.word_parts(
            "no product code exists for tests",
            &["for_test", "for_tests", "test_only", "mock", "Mock", "Fake"],
        );
    }
    if ["wattfold", "simulator"].contains(&crate_name) && inner != "clock.rs" {
        found.words(
            "only the clock module reads the clock",
            &["SystemTime", "Instant"],
        );
    }
    if crate_name == "simulator" {
        found.paths("only wattfold reads environment and clock", &["std::env"]);
        if inner != FREE_PORTS {
            found.paths("only wattfold opens server sockets", &SERVER_SOCKETS);
        }
    }
    if crate_name == "wattfold" && !is_tls(inner) {
        found.paths(
            "only the tls and pki modules name OpenSSL",
            &["openssl", "tokio_openssl"],
        );
    }
    everywhere(&mut found);
    found.violations
}

/// `crates/NAME/src/…` as its crate and the path within `src`.
fn place(path: &str) -> (&str, &str) {
    let mut parts = path.splitn(4, '/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("crates"), Some(name), Some("src"), Some(inner)) => (name, inner),
        (Some("crates"), Some(name), ..) => (name, ""),
        _ => ("", ""),
    }
}

fn protocol_rules(found: &mut Report<'_>, inner: &str) {
    found.paths(
        "a protocol crate does no IO and reads no clock",
        &SHELL_PATHS,
    );
    found.words(
        "a protocol crate does no IO and reads no clock",
        &["async", "await"],
    );
    if inner != "translate.rs" && !inner.starts_with("translate/") {
        found.paths("only translate names fleet", &["fleet"]);
    }
    let is_wire = ["wire.rs", "codec.rs"].contains(&inner)
        || inner.starts_with("wire/")
        || inner.starts_with("codec/");
    if is_wire {
        let above = ["crate::server", "crate::client", "crate::translate"];
        found.paths("the wire knows only units and its codec", &above);
    }
}

fn is_tls(inner: &str) -> bool {
    ["tls.rs", "pki.rs"].contains(&inner) || inner.starts_with("tls/") || inner.starts_with("pki/")
}

fn everywhere(found: &mut Report<'_>) {
    let path = &found.source.path;
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    if stem == "mod" {
        found.push(1, "a module is named by its file", "mod.rs".to_owned());
    }
    if BANNED_MODULES.contains(&stem) {
        found.push(1, "a module's name says what it is about", stem.to_owned());
    }
    for (line, code) in numbered(&found.source.code) {
        let code = code.trim();
        let declared = code
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ")
            .strip_prefix("mod ")
            .map(|rest| rest.trim_end_matches([';', '{', ' ']));
        if let Some(name) = declared.filter(|name| BANNED_MODULES.contains(name)) {
            found.push(
                line,
                "a module's name says what it is about",
                name.to_owned(),
            );
        }
        if code.contains("#[allow(") || code.contains("#![allow(") {
            found.push(line, "lints are expected with a reason", code.to_owned());
        }
        if code.contains("#[ignore") {
            found.push(line, "no test is ignored", code.to_owned());
        }
        if code.starts_with("pub use ") && code.ends_with("::*;") {
            found.push(line, "re-exports are named", code.to_owned());
        }
    }
}

struct Report<'a> {
    source: &'a Source,
    violations: Vec<Violation>,
}

impl Report<'_> {
    fn push(&mut self, line: usize, rule: &'static str, found: String) {
        self.violations.push(Violation {
            path: self.source.path.clone(),
            line,
            rule,
            found,
        });
    }

    /// Reports paths that are one of `banned` or lie below one.
    fn paths(&mut self, rule: &'static str, banned: &[&str]) {
        for (line, path) in self.source.product_paths() {
            let is_banned = banned.iter().any(|banned| {
                path.strip_prefix(banned)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            });
            if is_banned {
                self.push(line, rule, path);
            }
        }
    }

    fn words(&mut self, rule: &'static str, banned: &[&str]) {
        self.words_where(rule, |word| banned.contains(&word));
    }

    /// Reports words that have one of `banned` as a part, in camel or snake case.
    fn word_parts(&mut self, rule: &'static str, banned: &[&str]) {
        self.words_where(rule, |word| {
            banned.iter().any(|banned| {
                if banned.starts_with(char::is_uppercase) {
                    word.starts_with(banned)
                } else {
                    word == *banned
                        || word.starts_with(&format!("{banned}_"))
                        || word.ends_with(&format!("_{banned}"))
                }
            })
        });
    }

    fn words_where(&mut self, rule: &'static str, is_banned: impl Fn(&str) -> bool) {
        let lines: Vec<(usize, String)> = self
            .source
            .product_code()
            .flat_map(|(line, code)| {
                code.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .filter(|word| is_banned(word))
                    .map(move |word| (line, word.to_owned()))
            })
            .collect();
        for (line, word) in lines {
            self.push(line, rule, word);
        }
    }

    fn text(&mut self, rule: &'static str, banned: &'static str) {
        let lines: Vec<usize> = self
            .source
            .product_code()
            .filter(|(_, code)| code.contains(banned))
            .map(|(line, _)| line)
            .collect();
        for line in lines {
            self.push(line, rule, banned.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules_broken(path: &str, text: &str) -> Vec<&'static str> {
        let source = Source::new(path.to_owned(), text);
        let mut rules: Vec<&str> = violations(&source).iter().map(|v| v.rule).collect();
        rules.dedup();
        rules
    }

    /// A file, its text, and the rule that it breaks.
    const CROSSINGS: [(&str, &str, &str); 19] = [
        (
            "crates/fleet/src/a.rs",
            "use std::fs;",
            "a pure crate names no IO, clock or runtime",
        ),
        (
            "crates/fleet/src/a.rs",
            "async fn a() {}",
            "a pure crate names no IO, clock or runtime",
        ),
        (
            "crates/units/src/a.rs",
            "static mut A: u8 = 0;",
            "a pure crate has no global state",
        ),
        (
            "crates/ieee2030_5/src/server.rs",
            "use fleet::Fleet;",
            "only translate names fleet",
        ),
        (
            "crates/iec61968_5/src/wire/a.rs",
            "use crate::server::A;",
            "the wire knows only units and its codec",
        ),
        (
            "crates/ieee2030_5/src/client.rs",
            "use tokio::net::TcpStream;",
            "a protocol crate does no IO and reads no clock",
        ),
        (
            "crates/store/src/a.rs",
            "let a = std::env::var(b);",
            "only wattfold reads environment and clock",
        ),
        (
            "crates/wattfold/src/a.rs",
            "use rusqlite::Connection;",
            "only the store names a database",
        ),
        (
            "crates/wattfold/src/a.rs",
            "use openssl::x509::X509;",
            "only the tls and pki modules name OpenSSL",
        ),
        (
            "crates/wattfold/src/a.rs",
            "let start = Instant::now();",
            "only the clock module reads the clock",
        ),
        (
            "crates/simulator/src/a.rs",
            "use std::env;",
            "only wattfold reads environment and clock",
        ),
        (
            "crates/simulator/src/a.rs",
            "use tokio::net::{TcpListener, TcpStream};",
            "only wattfold opens server sockets",
        ),
        (
            "crates/wattfold/src/a.rs",
            "fn reset_for_tests() {}",
            "no product code exists for tests",
        ),
        (
            "crates/store/src/a.rs",
            "use simulator::World;",
            "product code knows no simulator",
        ),
        (
            "crates/store/src/utils.rs",
            "",
            "a module's name says what it is about",
        ),
        (
            "crates/store/src/a/mod.rs",
            "",
            "a module is named by its file",
        ),
        (
            "crates/store/src/a.rs",
            "#[allow(dead_code)]\nfn a() {}",
            "lints are expected with a reason",
        ),
        (
            "crates/store/src/tests.rs",
            "#[ignore]\nfn a() {}",
            "no test is ignored",
        ),
        (
            "crates/store/src/a.rs",
            "pub use journal::*;",
            "re-exports are named",
        ),
    ];

    #[test]
    fn each_boundary_is_noticed_when_crossed() {
        for (path, text, rule) in CROSSINGS {
            assert_eq!(rules_broken(path, text), [rule], "{path}: {text}");
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        let cases = [
            (
                "crates/fleet/src/a.rs",
                "// async and std::fs are only words here\nlet a = \"tokio::spawn\";",
            ),
            ("crates/ieee2030_5/src/translate.rs", "use fleet::Fleet;"),
            (
                "crates/ieee2030_5/src/translate/der.rs",
                "use fleet::Fleet;",
            ),
            ("crates/store/src/a.rs", "use rusqlite::Connection;"),
            ("crates/wattfold/src/tls.rs", "use openssl::ssl::Ssl;"),
            (
                "crates/simulator/src/demo/layout.rs",
                "use std::net::TcpListener;",
            ),
            (
                "crates/ieee2030_5/tests/walk.rs",
                "use fleet::Fleet; use std::env;",
            ),
        ];
        for (path, text) in cases {
            assert!(rules_broken(path, text).is_empty(), "{path}: {text}");
        }
    }
}
