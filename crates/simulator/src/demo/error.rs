//! Why a story ends early.

use std::path::PathBuf;

use wattfold::tls::TlsSetupError;

use wattfold::der2030::link::ExchangeError;

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot find a free port")]
    Port(#[source] std::io::Error),
    #[error("cannot write to the terminal")]
    Terminal(#[source] std::io::Error),
    #[error("cannot start {}", path.display())]
    Start {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`wattfold {command}` failed: {stderr}")]
    Command { command: String, stderr: String },
    #[error("the server ended on its own; its log is {}", log.display())]
    ServerEnded { log: PathBuf },
    #[error("the server is not ready after {seconds} s; its log is {}", log.display())]
    NotReady { seconds: u64, log: PathBuf },
    #[error("{method} {path}")]
    Exchange {
        method: &'static str,
        path: String,
        source: ExchangeError,
    },
    #[error("{method} {path} was answered {status}: {body}")]
    Status {
        method: &'static str,
        path: String,
        status: u16,
        body: String,
    },
    #[error("{what} is not JSON")]
    Json {
        what: String,
        source: serde_json::Error,
    },
    #[error("{what} lacks {field}")]
    Lacks { what: String, field: String },
    #[error("TLS of device {name}")]
    Tls { name: String, source: TlsSetupError },
    #[error("after {seconds} s only {in_service} of {all} devices are in service")]
    NotInService {
        seconds: u64,
        in_service: usize,
        all: usize,
    },
    #[error("after {seconds} s the server has readings of only {metered} of {all} DER")]
    NotMetered {
        seconds: u64,
        metered: usize,
        all: usize,
    },
}
