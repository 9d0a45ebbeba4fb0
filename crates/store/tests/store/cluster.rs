//! A PostgreSQL server for the tests of one process.
//!
//! It runs under a shell that waits for the end of its input, which is a pipe from this process:
//! however the process ends, the server is stopped and its directory removed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};

/// Starts the server, says so, and stops it when there is no more input.
const SCRIPT: &str = r#"
set -eu
cd "$1"
trap '' HUP INT TERM
"$2/initdb" --pgdata=data --username=wattfold --auth-host=scram-sha-256 --auth-local=trust \
    --pwfile=password --encoding=UTF8 --locale=C --no-sync >initdb.log 2>&1
for file in server.crt server.key; do
    if [ -f "$file" ]; then chmod 600 "$file"; fi
done
"$2/postgres" -D data -k "$1" $3 >server.log 2>&1 &
until grep -qs ready data/postmaster.pid; do
    kill -0 $! || exit 1
    sleep 0.05
done
echo ready
cat >/dev/null
"$2/pg_ctl" -D data -m immediate stop >/dev/null
rm -rf "$1"
"#;

/// The superuser's password, for connections by TCP.
pub(crate) const PASSWORD: &str = "s3cret-of-the-test";

/// A running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) directory: PathBuf,
    /// Its input is held open for as long as the server is to run.
    _script: Child,
    databases: AtomicU32,
}

impl Cluster {
    /// The server of this process, started by the first who asks.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("-c listen_addresses=", &[]))
    }

    /// A server of one's own with these options and files.
    pub(crate) fn start(options: &str, files: &[(&str, &Path)]) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("wattfold-pg-")
            .tempdir_in("/tmp")
            .expect("a server for the tests can be started")
            .keep();
        std::fs::write(directory.join("password"), PASSWORD)
            .expect("a server for the tests can be started");
        for (name, path) in files {
            std::fs::copy(path, directory.join(name))
                .expect("a server for the tests can be started");
        }
        let mut command = unprivileged(&directory);
        let mut child = command
            .args(["-c", SCRIPT, "cluster"])
            .arg(&directory)
            .arg(programs())
            .arg(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server for the tests can be started");
        let mut line = String::new();
        let output = child
            .stdout
            .take()
            .expect("a server for the tests can be started");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("a server for the tests can be started");
        let log = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert_eq!(
            line,
            "ready\n",
            "PostgreSQL did not start:\n{}{}",
            log("initdb.log"),
            log("server.log")
        );
        Self {
            _script: child,
            directory,
            databases: AtomicU32::new(0),
        }
    }

    /// URL of a database of this name, by its Unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?user=wattfold&host={}",
            self.directory.display()
        )
    }

    /// URL of a fresh database.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs SQL as the superuser.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        connect(&self.url(database))
            .batch_execute(sql)
            .expect("a server for the tests can be started");
    }
}

/// A plain connection, past the store.
pub(crate) fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).expect("a server for the tests can be started")
}

/// PostgreSQL does not run as root; then it runs as the user that its package has made.
pub(crate) fn unprivileged(directory: &Path) -> Command {
    let id = Command::new("id")
        .arg("-u")
        .output()
        .expect("a server for the tests can be started");
    if id.stdout != b"0\n" {
        return Command::new("sh");
    }
    let given = Command::new("chown")
        .args(["-R", "postgres"])
        .arg(directory)
        .status();
    assert!(
        given
            .expect("a server for the tests can be started")
            .success(),
        "there is no user postgres"
    );
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--", "sh"]);
    command
}

/// Debian keeps the server's programs off the path, by version.
pub(crate) fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .max();
    if let Some((_, programs)) = debian {
        return programs;
    }
    let found = Command::new("sh")
        .args(["-c", "dirname \"$(command -v postgres)\""])
        .output()
        .expect("a server for the tests can be started");
    let path = String::from_utf8(found.stdout).expect("a server for the tests can be started");
    assert!(
        path.starts_with('/'),
        "PostgreSQL is missing: `cargo xtask test` installs it"
    );
    PathBuf::from(path.trim())
}
