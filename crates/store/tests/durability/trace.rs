//! What a program asks of the disk, in order, as strace(1) saw it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use store::Head;

/// A system call that matters to what is on the disk.
#[derive(Debug)]
pub(crate) enum Call {
    Open {
        path: PathBuf,
    },
    Write {
        path: PathBuf,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        len: usize,
    },
    Sync {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Acknowledge {
        head: Head,
    },
}

/// Runs `append directory count` under strace and returns its calls.
pub(crate) fn trace(append: &Path, directory: &Path, count: usize) -> Vec<Call> {
    let log = directory.with_extension("strace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "1000000", "-o"])
        .arg(&log)
        .args([
            "-e",
            "trace=openat,write,pwrite64,pwritev,fsync,fdatasync,ftruncate,unlink,rename",
        ])
        .arg(append)
        .arg(directory)
        .arg(count.to_string())
        .stdout(Stdio::piped())
        .output()
        .unwrap_or_else(|error| panic!("strace can't be run ({error}): apt-get install strace"));
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let text = std::fs::read_to_string(log).unwrap();
    text.lines()
        .filter_map(|line| parse(line, directory))
        .collect()
}

fn parse(line: &str, directory: &Path) -> Option<Call> {
    assert!(
        !line.contains("unfinished"),
        "more than one thread writes: {line}"
    );
    let (_, call) = line.split_once(' ')?;
    let (name, rest) = call.trim_start().split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ")?;
    if result.starts_with('-') {
        return None;
    }
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let number = |index: usize| arguments[index].parse::<usize>().unwrap();
    if name == "write" && arguments[0].starts_with("1<") {
        let text = String::from_utf8(unescape(arguments[1])).unwrap();
        return Some(Call::Acknowledge {
            head: text.trim().parse().unwrap(),
        });
    }
    let path = match name {
        "openat" | "unlink" | "rename" => arguments.iter().find(|text| text.starts_with('"'))?,
        _ => arguments.first()?,
    };
    let path = PathBuf::from(String::from_utf8(unescape(path)).ok()?);
    if !path.starts_with(directory) {
        return None;
    }
    match name {
        "openat" if line.contains("O_CREAT") => Some(Call::Open { path }),
        "pwrite64" => {
            let bytes = unescape(arguments[1]);
            assert_eq!(
                bytes.len().to_string(),
                result,
                "a short write, or one cut by strace"
            );
            Some(Call::Write {
                path,
                offset: number(3),
                bytes,
            })
        }
        "ftruncate" => Some(Call::Truncate {
            path,
            len: number(1),
        }),
        "fsync" | "fdatasync" => Some(Call::Sync { path }),
        "unlink" => Some(Call::Remove { path }),
        "openat" => None,
        _ => panic!("a call this test does not know how to replay: {line:.100}"),
    }
}

/// The bytes of a string or of the path of a file descriptor, all in the form `\x41`.
fn unescape(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
    let escaped = text
        .find('\\')
        .map_or("", |start| text[start..].trim_end_matches(['"', '>']));
    let pairs = escaped.as_bytes().chunks(4);
    pairs
        .map(|pair| u8::try_from(digit(pair[2]) << 4 | digit(pair[3])).unwrap())
        .collect()
}
