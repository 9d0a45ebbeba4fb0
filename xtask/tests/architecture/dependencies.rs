//! Which crate may depend directly on which.

use std::process::Command;

use crate::Violation;

/// A crate, what its product code may use, and what its tests may use beside that.
struct Allowed {
    name: &'static str,
    normal: &'static [&'static str],
    dev: &'static [&'static str],
}

const ALLOWED: [Allowed; 10] = [
    Allowed {
        name: "units",
        normal: &[],
        dev: &["proptest"],
    },
    Allowed {
        name: "fleet",
        normal: &["optimiser", "thiserror", "units"],
        dev: &["expect-test", "proptest"],
    },
    Allowed {
        name: "optimiser",
        normal: &["clarabel", "thiserror"],
        dev: &["proptest", "serde_json", "tempfile"],
    },
    Allowed {
        name: "settings_file",
        normal: &["csv", "fleet", "thiserror"],
        dev: &["proptest"],
    },
    Allowed {
        name: "store",
        normal: &[
            "fleet",
            "postgres",
            "ring",
            "rusqlite",
            "rustls",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "thiserror",
            "tokio-postgres-rustls",
            "tracing",
            "units",
        ],
        dev: &["expect-test", "proptest", "tempfile"],
    },
    Allowed {
        name: "ieee2030_5",
        normal: &["bytes", "fleet", "http", "quick-xml", "thiserror", "units"],
        dev: &["expect-test", "proptest"],
    },
    Allowed {
        name: "iec61968_5",
        normal: &[
            "bytes",
            "fleet",
            "http",
            "jiff",
            "quick-xml",
            "thiserror",
            "units",
            "uuid",
        ],
        dev: &["expect-test", "proptest"],
    },
    Allowed {
        name: "wattfold",
        normal: &[
            "anyhow",
            "argon2",
            "axum",
            "base64",
            "bytes",
            "clap",
            "csv",
            "fleet",
            "getrandom",
            "h2",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "iec61968_5",
            "ieee2030_5",
            "jiff",
            "mdns-sd",
            "openssl",
            "parquet",
            "prometheus-client",
            "qrcode",
            "quick_cache",
            "rustls",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "settings_file",
            "store",
            "subtle",
            "thiserror",
            "tokio",
            "tokio-openssl",
            "tokio-rustls",
            "tokio-stream",
            "toml",
            "tower",
            "tracing",
            "tracing-subscriber",
            "units",
            "ureq",
            "utoipa",
            "uuid",
            "x509-cert",
        ],
        dev: &["expect-test", "postgres", "proptest", "tempfile"],
    },
    Allowed {
        name: "simulator",
        normal: &[
            "anyhow",
            "base64",
            "bytes",
            "clap",
            "fleet",
            "getrandom",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "iec61968_5",
            "ieee2030_5",
            "jiff",
            "quick-xml",
            "serde",
            "serde_json",
            "store",
            "thiserror",
            "tokio",
            "toml",
            "tracing",
            "tracing-subscriber",
            "units",
            "ureq",
            "uuid",
            "wattfold",
        ],
        dev: &["expect-test", "proptest", "tempfile"],
    },
    Allowed {
        name: "xtask",
        normal: &["anyhow", "clap", "serde_json"],
        dev: &[],
    },
];

/// One package of the workspace with its direct dependencies.
pub(crate) struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    is_dev: bool,
}

pub(crate) fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(crate::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| Package {
            name: package["name"].as_str().unwrap().to_owned(),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dependency| Dependency {
                    name: dependency["name"].as_str().unwrap().to_owned(),
                    is_dev: dependency["kind"] == "dev",
                })
                .collect(),
        })
        .collect()
}

pub(crate) fn violations(packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |package: &Package, rule, what: String| {
        found.push(Violation {
            path: format!("{}/Cargo.toml", package.name),
            line: 1,
            rule,
            found: what,
        });
    };
    for package in packages {
        let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.name == package.name) else {
            report(
                package,
                "a crate has a row in the table",
                package.name.clone(),
            );
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let is_allowed =
                allowed.normal.contains(&name) || dependency.is_dev && allowed.dev.contains(&name);
            if !is_allowed {
                let rule = "a direct dependency stands in the table";
                report(package, rule, name.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_outside_the_table_is_reported() {
        let package = |name: &str, dependency: &str, is_dev| Package {
            name: name.to_owned(),
            dependencies: vec![Dependency {
                name: dependency.to_owned(),
                is_dev,
            }],
        };
        let packages = [
            package("fleet", "serde", false),
            package("fleet", "proptest", false),
            package("fleet", "proptest", true),
            package("wattfold", "simulator", false),
            package("newcomer", "units", false),
        ];
        let found: Vec<String> = violations(&packages).into_iter().map(|v| v.found).collect();
        assert_eq!(found, ["serde", "proptest", "simulator", "newcomer"]);
    }

    /// No row of the table lets anything depend on the simulator, or the core on anything outside.
    #[test]
    fn the_table_itself_keeps_the_direction() {
        for row in &ALLOWED {
            assert!(!row.normal.contains(&"simulator"), "{}", row.name);
            assert!(!row.dev.contains(&"simulator"), "{}", row.name);
            for database in ["postgres", "rusqlite"] {
                let names_database = row.normal.contains(&database);
                assert_eq!(names_database, row.name == "store", "{}", row.name);
            }
            let names_anyhow = row.normal.contains(&"anyhow");
            let is_rim = ["wattfold", "simulator", "xtask"].contains(&row.name);
            assert!(!names_anyhow || is_rim, "{}", row.name);
        }
    }
}
