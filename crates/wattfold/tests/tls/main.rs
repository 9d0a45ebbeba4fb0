//! The IEEE 2030.5 TLS profile against `openssl s_client`, a peer that is not ours.
//!
//! The certificates that a development PKI does not make (expired, unknown root, other chain
//! lengths) are made with the `openssl` command as well.

#![cfg(test)]

mod certificates;
mod chains;
mod refusals;
mod sessions;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, mpsc};

use fleet::Lfdi;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use units::Timestamp;
use wattfold::pki::{self, InitArgs};
use wattfold::tls::{Acceptor, Connector, Peer, Refusal, ServerTls, TlsError, TlsFiles};

const VALID_FROM: Timestamp = Timestamp::from_secs(1_735_689_600);
const CCM8: &str = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0";
const GCM: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";

/// What the server made of one connection.
#[derive(Debug)]
enum Outcome {
    Device {
        lfdi: Lfdi,
        cipher: String,
        is_resumed: bool,
        is_heard: bool,
        peer: Peer,
    },
    Refused(TlsError),
}

impl Outcome {
    fn device(self) -> (Lfdi, String) {
        match self {
            Self::Device { lfdi, cipher, .. } => (lfdi, cipher),
            Self::Refused(error) => panic!("refused: {error:?}"),
        }
    }

    fn refusal(self) -> Refusal {
        match self {
            Self::Refused(error) => error.reason(),
            Self::Device { lfdi, .. } => panic!("accepted {lfdi:?}"),
        }
    }
}

/// A server that answers each connection with one line and reports what it saw.
struct Server {
    address: SocketAddr,
    acceptor: Arc<Acceptor>,
    outcomes: mpsc::Receiver<Outcome>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(files: &TlsFiles) -> Self {
        Self::with(ServerTls::new(files.clone()))
    }

    fn with(config: ServerTls) -> Self {
        let acceptor = Arc::new(Acceptor::with(config).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, outcomes) = mpsc::channel();
        let used = Arc::clone(&acceptor);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let outcome = answer(&used, stream).await;
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            acceptor,
            outcomes,
            runtime,
        }
    }

    fn outcome(&self) -> Outcome {
        self.outcomes
            .recv_timeout(std::time::Duration::from_secs(20))
            .unwrap()
    }

    fn s_client(&self, args: &[&str]) -> Output {
        self.s_client_says(b"hello\n", args)
    }

    fn s_client_says(&self, said: &[u8], args: &[&str]) -> Output {
        let is_chosen = args.iter().any(|arg| arg.starts_with("-tls"));
        let version = if is_chosen { None } else { Some("-tls1_2") };
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &self.address.to_string()])
            .args(["-quiet", "-no_ign_eof", "-verify_return_error"])
            .args(version)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The server closes after its answer, whatever the client still wanted to say.
        let mut stdin = child.stdin.take().unwrap();
        drop(stdin.write_all(said));
        child.wait_with_output().unwrap()
    }
}

async fn answer(acceptor: &Acceptor, stream: TcpStream) -> Outcome {
    match acceptor.accept(stream).await {
        Err(error) => Outcome::Refused(error),
        Ok((mut tls, peer)) => {
            let mut hello = [0; 6];
            let is_heard = tls.read_exact(&mut hello).await.is_ok();
            if is_heard {
                tls.write_all(b"good day\n").await.unwrap();
                tls.shutdown().await.unwrap();
            }
            Outcome::Device {
                lfdi: peer.lfdi,
                cipher: tls.cipher().to_owned(),
                is_resumed: tls.is_resumed(),
                is_heard,
                peer,
            }
        }
    }
}

/// A PKI of one device, in a directory of the calling test's own.
fn make_pki(name: &str) -> PathBuf {
    let dir = empty_dir(name);
    pki::init(&init_args(&dir), VALID_FROM).unwrap();
    dir
}

fn empty_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}"));
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

fn init_args(dir: &Path) -> InitArgs {
    InitArgs {
        dir: dir.to_owned(),
        devices: 1,
        device_names: Vec::new(),
        server_names: vec!["localhost".to_owned()],
        server_ips: vec!["127.0.0.1".parse().unwrap()],
    }
}

fn files(dir: &Path, name: &str) -> TlsFiles {
    TlsFiles {
        cert_chain: dir.join(format!("{name}.chain.pem")),
        key: dir.join(format!("{name}.key.pem")),
        trust: dir.join("ca-chain.pem"),
    }
}

fn path(dir: &Path, file: &str) -> String {
    dir.join(file).to_str().unwrap().to_owned()
}

/// SHA-256 of the DER, both by the `openssl` command, cut to twenty bytes.
fn lfdi_by_command(pem: &str) -> Vec<u8> {
    let text = openssl(&["x509", "-in", pem, "-noout", "-fingerprint", "-sha256"]);
    let hex = text.trim().rsplit('=').next().unwrap();
    let bytes = hex
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap());
    bytes.take(20).collect()
}

fn openssl(args: &[&str]) -> String {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_device_with_ccm8_or_gcm_is_known_by_its_lfdi() {
    let dir = make_pki("ciphers");
    let server = Server::start(&files(&dir, "server"));
    let chain = path(&dir, "der-001.chain.pem");
    let expected = lfdi_by_command(&chain);
    for cipher in [CCM8, GCM] {
        let output = server.s_client(&[
            "-cipher",
            cipher,
            "-cert",
            &chain,
            "-cert_chain",
            &chain,
            "-key",
            &path(&dir, "der-001.key.pem"),
            "-CAfile",
            &path(&dir, "serca.pem"),
            "-verify_hostname",
            "localhost",
        ]);
        let (lfdi, negotiated) = server.outcome().device();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "good day\n");
        assert_eq!(lfdi.0.as_slice(), expected);
        assert!(cipher.starts_with(&negotiated), "{negotiated}");
    }
}

/// The worked example of IEEE 2030.5.
#[test]
fn an_sfdi_is_derived_as_in_the_published_example() {
    let example: Lfdi = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5".parse().unwrap();
    assert_eq!(example.sfdi(), 167_261_211_391);
}

#[test]
fn ccm8_is_preferred_when_the_client_offers_both() {
    let dir = make_pki("preference");
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "der-001");
    server.s_client(&chains::with_cipher(
        &client,
        &format!("{GCM}:ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"),
    ));
    let (_, negotiated) = server.outcome().device();
    assert_eq!(negotiated, "ECDHE-ECDSA-AES128-CCM8");
}

#[test]
fn a_client_that_sends_its_leaf_alone_is_accepted() {
    let dir = make_pki("leaf-only");
    let server = Server::start(&files(&dir, "server"));
    // Without -cert_chain the command sends the first certificate of the file only.
    let client = chains::client_args(&dir, "der-001");
    let output = server.s_client(&chains::with_cipher(&client, CCM8));
    let (lfdi, _) = server.outcome().device();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        lfdi.0.as_slice(),
        lfdi_by_command(&path(&dir, "der-001.chain.pem"))
    );
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let dir = make_pki("no-certificate");
    let server = Server::start(&files(&dir, "server"));
    let output = server.s_client(&["-cipher", CCM8, "-CAfile", &path(&dir, "serca.pem")]);
    assert_eq!(server.outcome().refusal(), Refusal::NoCertificate);
    assert!(!output.status.success());
}

#[test]
fn a_certificate_of_an_unknown_root_is_refused() {
    let dir = make_pki("known-root");
    let stranger = make_pki("unknown-root");
    let server = Server::start(&files(&dir, "server"));
    let chain = path(&stranger, "der-001.chain.pem");
    let key = path(&stranger, "der-001.key.pem");
    let ca = path(&dir, "serca.pem");
    let args = [
        "-cipher",
        CCM8,
        "-cert",
        &chain,
        "-cert_chain",
        &chain,
        "-key",
        &key,
        "-CAfile",
        &ca,
    ];
    let output = server.s_client(&args);
    assert_eq!(server.outcome().refusal(), Refusal::UnknownIssuer);
    assert!(!output.status.success());
}

#[test]
fn an_expired_certificate_is_refused() {
    let dir = make_pki("expired");
    chains::issue(
        &dir,
        "old",
        "mica",
        &chains::Leaf {
            not_after: "20250601000000Z",
            ..chains::Leaf::default()
        },
    );
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "old");
    server.s_client(&chains::with_cipher(&client, CCM8));
    assert_eq!(server.outcome().refusal(), Refusal::Expired);
}

#[test]
fn chains_of_two_to_four_certificates_are_accepted_and_five_are_not() {
    let dir = make_pki("lengths");
    for issuer in ["serca", "mca", "mica"] {
        chains::issue(&dir, issuer_leaf(issuer), issuer, &chains::Leaf::default());
    }
    chains::issue_authority(&dir, "serca", &["one", "two", "three"]);
    chains::issue(&dir, "too-deep", "three", &chains::Leaf::default());
    let server = Server::start(&files(&dir, "server"));
    for issuer in ["serca", "mca", "mica"] {
        let client = chains::client_args(&dir, issuer_leaf(issuer));
        server.s_client(&chains::with_cipher(&client, CCM8));
        server.outcome().device();
    }
    let client = chains::client_args(&dir, "too-deep");
    server.s_client(&chains::with_cipher(&client, CCM8));
    assert_eq!(server.outcome().refusal(), Refusal::ChainTooLong);
}

fn issuer_leaf(issuer: &str) -> &'static str {
    match issuer {
        "serca" => "of-serca",
        "mca" => "of-mca",
        _ => "of-mica",
    }
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let dir = make_pki("self-signed");
    chains::self_signed(&dir, "alone");
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "alone");
    server.s_client(&chains::with_cipher(&client, CCM8));
    assert_eq!(server.outcome().refusal(), Refusal::SelfSigned);
}

#[test]
fn keys_on_other_curves_are_refused() {
    let dir = make_pki("curve");
    chains::issue(
        &dir,
        "p384",
        "mica",
        &chains::Leaf {
            curve: "P-384",
            ..chains::Leaf::default()
        },
    );
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "p384");
    server.s_client(&chains::with_cipher(&client, CCM8));
    assert_eq!(server.outcome().refusal(), Refusal::Curve);
}

#[test]
fn other_versions_and_ciphers_are_refused() {
    let dir = make_pki("versions");
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "der-001");
    server.s_client(&chains::with_cipher(
        &client,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ));
    assert_eq!(server.outcome().refusal(), Refusal::Cipher);
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &server.address.to_string()])
        .args(["-tls1_3", "-quiet", "-no_ign_eof"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(server.outcome().refusal(), Refusal::Version);
}

#[test]
fn our_connector_checks_the_servers_name_and_root() {
    let dir = make_pki("connector");
    let stranger = make_pki("connector-stranger");
    let server = Server::start(&files(&dir, "server"));
    let connect = |files: TlsFiles, name: &'static str| {
        let connector = Connector::new(&files).unwrap();
        let address = server.address;
        server.runtime.block_on(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut tls = connector.connect(name, stream).await?;
            tls.write_all(b"hello\n").await.unwrap();
            let mut text = String::new();
            tls.read_to_string(&mut text).await.unwrap();
            Ok::<String, TlsError>(text)
        })
    };
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(connect(files(&dir, "der-001"), name).unwrap(), "good day\n");
        let (lfdi, cipher) = server.outcome().device();
        assert_eq!(
            lfdi.0.as_slice(),
            lfdi_by_command(&path(&dir, "der-001.chain.pem"))
        );
        assert_eq!(cipher, "ECDHE-ECDSA-AES128-CCM8");
    }
    for (own, name) in [
        (files(&dir, "der-001"), "elsewhere.example"),
        (files(&dir, "der-001"), "127.0.0.2"),
        (files(&stranger, "der-001"), "localhost"),
    ] {
        let refusal = connect(own, name).unwrap_err();
        assert!(matches!(refusal, TlsError::Refused(_)), "{refusal:?}");
        server.outcome().refusal();
    }
}

#[test]
fn unusable_files_are_named() {
    let dir = make_pki("unusable");
    let good = files(&dir, "server");
    let empty = dir.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let flood = dir.join("flood.pem");
    let root = std::fs::read_to_string(dir.join("serca.pem")).unwrap();
    std::fs::write(
        &flood,
        root.repeat(wattfold::tls::MAX_TRUST_CERTIFICATES + 1),
    )
    .unwrap();
    for (bad, named) in [
        (
            TlsFiles {
                cert_chain: dir.join("absent.pem"),
                ..good.clone()
            },
            "absent.pem",
        ),
        (
            TlsFiles {
                key: dir.join("der-001.key.pem"),
                ..good.clone()
            },
            "der-001.key.pem",
        ),
        (
            TlsFiles {
                trust: empty,
                ..good.clone()
            },
            "empty.pem",
        ),
        (
            TlsFiles {
                trust: flood,
                ..good
            },
            "flood.pem",
        ),
    ] {
        let error = Acceptor::new(&bad).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// The virtual environment that `cargo xtask peers` makes.
fn peers() -> PathBuf {
    std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    )
}
