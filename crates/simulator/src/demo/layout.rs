//! Where the demo keeps its things.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::error::DemoError;
use super::roster::{FEEDER_EXPORT_MAX_W, FEEDER_IMPORT_MAX_W};

pub(super) const ADMIN: &str = "admin";

/// Directory and addresses of one demo.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) dir: PathBuf,
    pub(super) enterprise: SocketAddr,
    pub(super) devices: SocketAddr,
}

impl Layout {
    /// Removes what an earlier demo left in `dir` and takes two free ports.
    pub(super) fn prepare(dir: &Path) -> Result<Self, DemoError> {
        let file = |what, source| DemoError::File {
            what,
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(|source| file("make", source))?;
        let dir = dir.canonicalize().map_err(|source| file("find", source))?;
        for name in ["pki", "data"] {
            let path = dir.join(name);
            gone(fs::remove_dir_all(&path), path)?;
        }
        for name in ["server.log", "endpoints.json"] {
            let path = dir.join(name);
            gone(fs::remove_file(&path), path)?;
        }
        let [enterprise, devices] = free_ports()?;
        Ok(Self {
            dir,
            enterprise,
            devices,
        })
    }

    pub(super) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("wattfold.toml")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.data().join(wattfold::serve::FIRST_PASSWORD_FILE)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.enterprise)
    }

    /// The password that the server made at its first start.
    pub(super) fn password(&self) -> Result<String, DemoError> {
        let path = self.password_file();
        let text = fs::read_to_string(&path);
        let text = text.map_err(|source| DemoError::File {
            what: "read",
            path,
            source,
        })?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Rates are far quicker than in the field, so that minutes show what takes hours there.
    pub(super) fn write_config(&self) -> Result<(), DemoError> {
        let text = format!(
            r#"[enterprise]
listen = "{enterprise}"

[ieee2030_5]
listen = "{devices}"
cert_chain = "pki/server.chain.pem"
key = "pki/server.key.pem"
trust = "pki/ca-chain.pem"
poll_rate_s = 2
post_rate_s = 2

[control]
tick_ms = 500
silent_after_s = 8
settle_s = 6
lead_s = 3
tolerance_pct = 5.0

[[limits]]
name = "feeder head"
max_export_w = {FEEDER_EXPORT_MAX_W:.1}
max_import_w = {FEEDER_IMPORT_MAX_W:.1}
ders = "all"
"#,
            enterprise = self.enterprise,
            devices = self.devices,
        );
        self.write(self.config(), &text)
    }

    /// What others need to know to take part in the running demo.
    pub(super) fn write_endpoints(&self, password: &str) -> Result<(), DemoError> {
        let pki = self.pki();
        let endpoints = json!({
            "console": format!("{}/", self.url()),
            "api": format!("{}/api/v1", self.url()),
            "soap": self.url(),
            "ieee2030_5": format!("https://{}/dcap", self.devices),
            "user": ADMIN,
            "password": password,
            "pki": pki,
            "trust": pki.join("ca-chain.pem"),
            "serca": pki.join("serca.pem"),
            "devices": pki.join("devices.csv"),
            "config": self.config(),
            "data": self.data(),
            "log": self.log(),
        });
        self.write(self.dir.join("endpoints.json"), &format!("{endpoints:#}\n"))
    }

    fn write(&self, path: PathBuf, text: &str) -> Result<(), DemoError> {
        fs::write(&path, text).map_err(|source| DemoError::File {
            what: "write",
            path,
            source,
        })
    }
}

/// A removal is fine if there was nothing to remove.
fn gone(removed: std::io::Result<()>, path: PathBuf) -> Result<(), DemoError> {
    match removed {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(DemoError::File {
            what: "remove",
            path,
            source,
        }),
        _ => Ok(()),
    }
}

/// Two ports that nobody uses. They are bound together, so that they differ.
fn free_ports() -> Result<[SocketAddr; 2], DemoError> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (
        bind().map_err(DemoError::Port)?,
        bind().map_err(DemoError::Port)?,
    );
    let address = |listener: &TcpListener| listener.local_addr().map_err(DemoError::Port);
    Ok([address(&one)?, address(&other)?])
}
