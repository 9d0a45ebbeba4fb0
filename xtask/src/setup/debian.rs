//! Libraries and programs from the distribution.

use anyhow::{Result, bail};

use crate::process::{command, output_of, run};

/// A package and a program that shows it is installed, where it has one; on a system without
/// dpkg only the programs can be looked for.
const PACKAGES: [(&str, Option<&str>); 15] = [
    ("avahi-daemon", Some("avahi-daemon")),
    ("avahi-utils", Some("avahi-browse")),
    ("ca-certificates", None),
    ("chromium", Some("chromium")),
    ("curl", Some("curl")),
    ("dbus", Some("dbus-daemon")),
    ("g++", Some("g++")),
    ("gcc", Some("cc")),
    ("jq", Some("jq")),
    ("libssl-dev", None),
    ("libxml2-utils", Some("xmllint")),
    ("openssl", Some("openssl")),
    ("pkg-config", Some("pkg-config")),
    ("postgresql", Some("postgres")),
    ("strace", Some("strace")),
];

/// Installs the packages that are missing, as root on Debian; elsewhere names them and fails.
pub(crate) fn debian_packages() -> Result<()> {
    install_missing(&missing())
}

pub(super) fn install_missing(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    let is_root = output_of(&mut command("id", &["-u"])).is_some_and(|uid| uid == "0");
    if !is_root || !is_debian() {
        bail!(
            "these packages are missing (Debian's names): {wanted}\n\
             install them, for example with: sudo apt-get install {wanted}"
        );
    }
    println!("installing {wanted}");
    run(&mut command("apt-get", &["update", "-qq"]))?;
    let mut install = command(
        "apt-get",
        &["install", "-y", "-qq", "--no-install-recommends"],
    );
    install
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install)
}

fn is_debian() -> bool {
    std::path::Path::new("/etc/debian_version").exists()
}

fn missing() -> Vec<&'static str> {
    let is_missing = |(package, program): &(&str, Option<&str>)| {
        if is_debian() {
            !is_installed(package)
        } else {
            program.is_some_and(|program| !is_on_path(program))
        }
    };
    PACKAGES
        .iter()
        .filter(|entry| is_missing(entry))
        .map(|(package, _)| *package)
        .collect()
}

fn is_installed(package: &str) -> bool {
    output_of(&mut command(
        "dpkg-query",
        &["--show", "--showformat=${db:Status-Status}\\n", package],
    ))
    .is_some_and(|states| states.lines().any(|state| state == "installed"))
}

fn is_on_path(program: &str) -> bool {
    output_of(&mut command(
        "sh",
        &["-c", &format!("command -v {program}")],
    ))
    .is_some()
}
