//! Puts the built console, if there is one, into the binary.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let home = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("no manifest")?);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no place for output")?);
    let dist = home.join("../../console/dist");
    // Cargo takes a missing path for one that has changed, and would build again every time.
    fs::create_dir_all(&dist)?;
    let dist = dist.canonicalize()?;
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    files.sort();
    let mut table = format!("static ASSETS: [(&str, &[u8]); {}] = [\n", files.len());
    for file in &files {
        let name = file
            .strip_prefix(&dist)?
            .to_str()
            .ok_or("a file name is no text")?;
        let path = file.to_str().ok_or("a path is no text")?;
        writeln!(
            table,
            "    ({:?}, include_bytes!({path:?})),",
            format!("/{name}")
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("console_assets.rs"), table)?;
    let mut cargo = std::io::stdout().lock();
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    writeln!(cargo, "cargo::rerun-if-changed={}", dist.display())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
