//! A PostgreSQL server that ends without a checkpoint.

use std::process::Stdio;

use crate::cluster::{Cluster, programs, unprivileged};

const SCRIPT: &str = r#"
set -eu
cd "$1"
"$2/pg_ctl" -D data -m immediate -l server.log restart >/dev/null
"#;

/// Ends the server as if its processes had been killed, and starts it again: what it has of its
/// memory is lost, and it recovers from its log.
pub(crate) fn crash(cluster: &Cluster) {
    let ended = unprivileged(&cluster.directory)
        .args(["-c", SCRIPT, "crash"])
        .arg(&cluster.directory)
        .arg(programs())
        .stdin(Stdio::null())
        .status()
        .expect("a server for the tests can be started again");
    assert!(ended.success(), "PostgreSQL did not start again: {ended}");
}
