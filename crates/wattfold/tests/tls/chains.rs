//! Certificates made by the `openssl` command, and arguments for its `s_client`.

use std::path::Path;

use super::{openssl, path};

/// How a leaf differs from an ordinary device certificate.
pub(crate) struct Leaf {
    pub(crate) not_after: &'static str,
    pub(crate) curve: &'static str,
    pub(crate) digest: &'static str,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            not_after: "99991231235959Z",
            curve: "P-256",
            digest: "sha256",
        }
    }
}

const CONFIG: &str = "
[ca]
default_ca = any
[any]
new_certs_dir = ISSUED_DIR
database = ISSUED_DIR/index.txt
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = optional
[req]
distinguished_name = names
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyAgreement
certificatePolicies = critical,1.3.6.1.4.1.40732.1.1,1.3.6.1.4.1.40732.2.1
subjectAltName = critical,otherName:1.3.6.1.5.5.7.8.4;SEQUENCE:module
[module]
hwType = OID:1.3.6.1.4.1.32473.1
hwSerialNum = FORMAT:ASCII,OCT:serial
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
";

/// Writes `NAME.chain.pem` (the leaf alone) and `NAME.key.pem`, issued by `ISSUER.pem`.
pub(crate) fn issue(dir: &Path, name: &str, issuer: &str, leaf: &Leaf) {
    let config = write_config(dir);
    sign(dir, &config, name, issuer, "device", leaf);
}

/// Makes an authority with one more extension, a line of the command's configuration, and does not
/// trust it.
pub(crate) fn issue_odd_authority(dir: &Path, name: &str, issuer: &str, extension: &str) {
    let config = write_config(dir);
    let text = std::fs::read_to_string(&config).unwrap();
    let odd = path(dir, "odd.cnf");
    let section = format!("[odd]\n{extension}\nbasicConstraints");
    let text = text.replace("[authority]\nbasicConstraints", &section);
    std::fs::write(&odd, text).unwrap();
    sign(dir, &odd, name, issuer, "odd", &Leaf::default());
    std::fs::copy(
        dir.join(format!("{name}.chain.pem")),
        dir.join(format!("{name}.pem")),
    )
    .unwrap();
}

/// Has `ISSUER` revoke the certificate of `NAME` and writes `ISSUER.crl.pem`.
pub(crate) fn revoke(dir: &Path, name: &str, issuer: &str) {
    let config = write_config(dir);
    let authority = [
        "-config".to_owned(),
        config,
        "-cert".to_owned(),
        path(dir, &format!("{issuer}.pem")),
        "-keyfile".to_owned(),
        path(dir, &format!("{issuer}.key.pem")),
    ];
    let certificate = path(dir, &format!("{name}.chain.pem"));
    let list = path(dir, &format!("{issuer}.crl.pem"));
    for task in [
        vec!["-revoke", &certificate],
        vec!["-gencrl", "-crldays", "30", "-out", &list],
    ] {
        let mut args = vec!["ca"];
        args.extend(authority.iter().map(String::as_str));
        args.extend(task);
        openssl(&args);
    }
}

/// Makes authorities one below the other, and trusts them all.
pub(crate) fn issue_authority(dir: &Path, root: &str, names: &[&str]) {
    let mut issuer = root;
    let mut trusted = std::fs::read_to_string(dir.join("ca-chain.pem")).unwrap();
    for &name in names {
        let config = write_config(dir);
        sign(dir, &config, name, issuer, "authority", &Leaf::default());
        std::fs::copy(
            dir.join(format!("{name}.chain.pem")),
            dir.join(format!("{name}.pem")),
        )
        .unwrap();
        trusted += &std::fs::read_to_string(dir.join(format!("{name}.pem"))).unwrap();
        issuer = name;
    }
    std::fs::write(dir.join("ca-chain.pem"), trusted).unwrap();
}

pub(crate) fn self_signed(dir: &Path, name: &str) {
    let config = write_config(dir);
    openssl(&[
        "req",
        "-config",
        &config,
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=alone",
        "-extensions",
        "device",
        "-keyout",
        &path(dir, &format!("{name}.key.pem")),
        "-out",
        &path(dir, &format!("{name}.chain.pem")),
    ]);
}

/// The arguments with which `s_client` is the device `name` and trusts the PKI's root.
pub(crate) fn client_args(dir: &Path, name: &str) -> Vec<String> {
    vec![
        "-cert".to_owned(),
        path(dir, &format!("{name}.chain.pem")),
        "-key".to_owned(),
        path(dir, &format!("{name}.key.pem")),
        "-CAfile".to_owned(),
        path(dir, "serca.pem"),
    ]
}

pub(crate) fn with_cipher<'a>(args: &'a [String], cipher: &'a str) -> Vec<&'a str> {
    let mut all: Vec<&str> = args.iter().map(String::as_str).collect();
    all.extend(["-cipher", cipher]);
    all
}

fn sign(dir: &Path, config: &str, name: &str, issuer: &str, extensions: &str, leaf: &Leaf) {
    let request = path(dir, &format!("{name}.request.pem"));
    openssl(&[
        "req",
        "-config",
        config,
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        &format!("ec_paramgen_curve:{}", leaf.curve),
        "-nodes",
        "-subj",
        &format!("/CN={name}"),
        "-keyout",
        &path(dir, &format!("{name}.key.pem")),
        "-out",
        &request,
    ]);
    openssl(&[
        "ca",
        "-config",
        config,
        "-batch",
        "-notext",
        "-md",
        leaf.digest,
        "-startdate",
        "20250101000000Z",
        "-enddate",
        leaf.not_after,
        "-extensions",
        extensions,
        "-cert",
        &path(dir, &format!("{issuer}.pem")),
        "-keyfile",
        &path(dir, &format!("{issuer}.key.pem")),
        "-in",
        &request,
        "-out",
        &path(dir, &format!("{name}.chain.pem")),
    ]);
}

fn write_config(dir: &Path) -> String {
    let issued = dir.join("issued");
    std::fs::create_dir_all(&issued).unwrap();
    let index = issued.join("index.txt");
    if !index.exists() {
        std::fs::write(index, "").unwrap();
    }
    let config = path(dir, "openssl.cnf");
    let text = CONFIG.replace("ISSUED_DIR", issued.to_str().unwrap());
    std::fs::write(&config, text).unwrap();
    config
}
