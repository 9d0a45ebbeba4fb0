//! What `wattfold pki` makes, judged by the `openssl` command, py20305 and our own listener.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser as _;
use fleet::{Lfdi, Pin};
use wattfold::clock;
use wattfold::pki::{self, InitArgs, Label, PkiArgs, PkiError};
use wattfold::tls::{Refusal, ServerTls};

use super::chains;
use super::{
    CCM8, Outcome, Server, VALID_FROM, empty_dir, files, init_args, lfdi_by_command, make_pki,
    openssl, path, peers,
};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: PkiArgs,
}

/// `wattfold pki TASK DIR MORE…`.
fn run(task: &str, dir: &Path, more: &[&str]) -> Result<String, PkiError> {
    let dir = dir.to_str().unwrap();
    let words = ["pki", task, dir].into_iter().chain(more.iter().copied());
    pki::run(&Line::parse_from(words).args, VALID_FROM)
}

fn server(dir: &Path) -> Server {
    let some = |name: &str| Some(dir.join(name)).filter(|file| file.exists());
    Server::with(ServerTls {
        revoked: some(pki::REVOKED),
        pinned: some(pki::PINNED),
        ..ServerTls::new(files(dir, "server"))
    })
}

/// Connects as `name`, sending its chain.
fn connect(server: &Server, dir: &Path, name: &str) -> Outcome {
    let chain = path(dir, &format!("{name}.chain.pem"));
    let mut args = chains::client_args(dir, name);
    args.extend(["-cert_chain".to_owned(), chain]);
    server.s_client(&chains::with_cipher(&args, CCM8));
    server.outcome()
}

/// What the `openssl` command prints of a certificate, on one line.
fn text_of(dir: &Path, file: &str) -> String {
    let text = openssl(&[
        "x509",
        "-in",
        &path(dir, file),
        "-noout",
        "-text",
        "-certopt",
        "no_pubkey,no_sigdump",
    ]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn policies(oids: &[&str]) -> String {
    let oids: String = oids
        .iter()
        .map(|oid| format!(" Policy: 1.3.6.1.4.1.40732.{oid}"))
        .collect();
    format!("X509v3 Certificate Policies: critical{oids} X509v3")
}

#[test]
fn a_device_certificate_has_the_form_of_the_standard() {
    let dir = make_pki("form");
    let flat = text_of(&dir, "der-001.chain.pem");
    for expected in [
        "Signature Algorithm: ecdsa-with-SHA256",
        "Not Before: Jan 1 00:00:00 2025 GMT",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "X509v3 Basic Constraints: critical CA:FALSE",
        "X509v3 Key Usage: critical Digital Signature, Key Agreement",
        policies(&["1.1", "2.1"]).as_str(),
        "X509v3 Subject Alternative Name: critical othername: 1.3.6.1.5.5.7.8.4",
        "Issuer: CN = wattfold development MICA",
        "Subject: X509v3",
    ] {
        assert!(flat.contains(expected), "{expected} is not in {flat}");
    }
    let parsed = openssl(&[
        "asn1parse",
        "-in",
        &path(&dir, "der-001.chain.pem"),
        "-strparse",
        &offset_of_alternative_name(&dir),
    ]);
    let fields: Vec<&str> = parsed
        .lines()
        .filter_map(|line| line.rsplit_once(':').map(|(_, value)| value.trim()))
        .collect();
    assert!(fields.contains(&"1.3.6.1.5.5.7.8.4"), "{parsed}");
    assert!(fields.contains(&"1.3.6.1.4.1.32473.1"), "{parsed}");
    assert!(fields.contains(&"der-001"), "{parsed}");
}

/// Where the value of the subjectAltName begins in the certificate.
fn offset_of_alternative_name(dir: &Path) -> String {
    let parsed = openssl(&["asn1parse", "-in", &path(dir, "der-001.chain.pem")]);
    let mut lines = parsed
        .lines()
        .skip_while(|line| !line.contains("X509v3 Subject Alternative Name"));
    let value = lines.find(|line| line.contains("OCTET STRING")).unwrap();
    value.split(':').next().unwrap().trim().to_owned()
}

#[test]
fn each_role_has_its_policies() {
    let dir = make_pki("policies");
    run("device", &dir, &["car", "--type", "mobile", "--production"]).unwrap();
    run("device", &dir, &["late", "--type", "post-manufacture"]).unwrap();
    run("aggregator", &dir, &["agg"]).unwrap();
    run(
        "aggregator",
        &dir,
        &["own", "--self-signed", "--production"],
    )
    .unwrap();
    let server = ["backup", "--server-name", "b.example", "--server-ip", "::1"];
    run("server", &dir, &server).unwrap();
    for (name, oids) in [
        ("der-001", ["1.1", "2.1"].as_slice()),
        ("car", &["1.2"]),
        ("late", &["1.3", "2.1"]),
        ("agg", &["1.1", "2.3", "2.1"]),
        ("own", &["1.1", "2.2", "2.3"]),
        ("backup", &["1.1", "2.1"]),
    ] {
        let text = text_of(&dir, &format!("{name}.chain.pem"));
        let expected = policies(oids);
        assert!(text.contains(&expected), "{name}: {expected}: {text}");
    }
    let text = text_of(&dir, "backup.chain.pem");
    let names = "DNS:b.example, IP Address:0:0:0:0:0:0:0:1";
    assert!(text.contains(names), "{text}");
    // The authorities above may give these policies away.
    for (name, oid) in [
        ("der-001", "1.1"),
        ("car", "1.2"),
        ("late", "1.3"),
        ("agg", "2.3"),
    ] {
        let chain = path(&dir, &format!("{name}.chain.pem"));
        let policy = format!("1.3.6.1.4.1.40732.{oid}");
        openssl(&[
            "verify",
            "-x509_strict",
            "-explicit_policy",
            "-policy",
            &policy,
            "-CAfile",
            &path(&dir, "serca.pem"),
            "-untrusted",
            &chain,
            &chain,
        ]);
    }
}

#[test]
fn each_tree_satisfies_a_strict_verifier() {
    let dir = make_pki("strict");
    let leaf_and_purpose = [
        ("der-001", "serca", "sslclient"),
        ("server", "serca", "sslserver"),
        ("enterprise-server", "enterprise-ca", "sslserver"),
        ("enterprise-client", "enterprise-ca", "sslclient"),
    ];
    for (leaf, root, purpose) in leaf_and_purpose {
        let chain = path(&dir, &format!("{leaf}.chain.pem"));
        let root = path(&dir, &format!("{root}.pem"));
        openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            &root,
            "-untrusted",
            &chain,
            &chain,
        ]);
    }
}

#[test]
fn chains_of_every_length_come_from_one_directory() {
    let dir = make_pki("depths");
    run("authority", &dir, &["mca-2", "--under", "serca"]).unwrap();
    run("authority", &dir, &["mica-2", "--under", "mca-2"]).unwrap();
    let server = server(&dir);
    for (name, issuer, length) in [
        ("of-root", "serca", 1),
        ("of-mca", "mca-2", 2),
        ("of-mica", "mica-2", 3),
    ] {
        run("device", &dir, &[name, "--issuer", issuer]).unwrap();
        let chain = std::fs::read_to_string(dir.join(format!("{name}.chain.pem"))).unwrap();
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), length);
        connect(&server, &dir, name).device();
    }
    for under in ["mica-2", "der-001", "nobody"] {
        let refusal = run("authority", &dir, &["deeper", "--under", under]).unwrap_err();
        let is_right = match under {
            "nobody" => matches!(refusal, PkiError::UnknownName { .. }),
            _ => matches!(refusal, PkiError::NotAnIssuer { .. }),
        };
        assert!(is_right, "{under}: {refusal}");
    }
}

#[test]
fn a_self_signed_aggregator_is_honoured_until_it_is_revoked() {
    let dir = make_pki("aggregator");
    run("aggregator", &dir, &["agg", "--self-signed"]).unwrap();
    let server = server(&dir);
    let (lfdi, _) = connect(&server, &dir, "agg").device();
    let expected = lfdi_by_command(&path(&dir, "agg.chain.pem"));
    assert_eq!(lfdi.0.as_slice(), expected);
    run("revoke", &dir, &["agg"]).unwrap();
    server.acceptor.refresh(clock::now()).unwrap();
    let refusal = connect(&server, &dir, "agg").refusal();
    assert_eq!(refusal, Refusal::Revoked);
}

#[test]
fn what_is_revoked_is_refused_and_the_openssl_command_agrees() {
    let dir = make_pki("revoke");
    for name in ["lost", "kept"] {
        run("device", &dir, &[name]).unwrap();
    }
    run("authority", &dir, &["mica-2"]).unwrap();
    run("device", &dir, &["child", "--issuer", "mica-2"]).unwrap();
    let server = server(&dir);
    for name in ["lost", "kept", "child"] {
        connect(&server, &dir, name).device();
    }
    for name in ["lost", "child", "mica-2"] {
        run("revoke", &dir, &[name]).unwrap();
    }
    server.acceptor.refresh(clock::now()).unwrap();
    for name in ["lost", "child"] {
        assert_eq!(
            connect(&server, &dir, name).refusal(),
            Refusal::Revoked,
            "{name}"
        );
    }
    connect(&server, &dir, "kept").device();

    for (name, is_revoked) in [("lost", true), ("kept", false)] {
        let chain = path(&dir, &format!("{name}.chain.pem"));
        let output = Command::new("openssl")
            .args(["verify", "-crl_check", "-x509_strict"])
            .args(["-CRLfile", &path(&dir, pki::REVOKED)])
            .args(["-CAfile", &path(&dir, "serca.pem"), "-untrusted", &chain])
            .arg(&chain)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), !is_revoked, "{name}: {said}");
        assert_eq!(said.contains("certificate revoked"), is_revoked, "{said}");
    }
    let list = run("list", &dir, &[]).unwrap();
    let revoked: Vec<&str> = list
        .lines()
        .skip(1)
        .filter(|row| row.ends_with("yes"))
        .map(|row| row.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(revoked, ["lost", "mica-2", "child"]);
    let by_revoked = run("device", &dir, &["more", "--issuer", "mica-2"]).unwrap_err();
    assert!(matches!(by_revoked, PkiError::NotAnIssuer { .. }));
    let root = run("revoke", &dir, &["serca"]).unwrap_err();
    assert!(matches!(root, PkiError::NotAnIssuer { .. }), "{root}");
}

#[test]
fn a_renewed_certificate_is_another_device_with_the_same_pin() {
    let dir = make_pki("renew");
    let label = run("device", &dir, &["house", "--pin", "111115"]).unwrap();
    assert!(label.contains("PIN:111115"), "{label}");
    let text = run("renew", &dir, &["house"]).unwrap();
    let old = lfdi_by_command(&path(&dir, "house.chain.pem"));
    let new = lfdi_by_command(&path(&dir, "house-2.chain.pem"));
    assert_ne!(old, new);
    for (name, lfdi) in [("house", old), ("house-2", new)] {
        let lfdi = Lfdi(lfdi.try_into().unwrap());
        assert!(text.contains(&format!("{name}: LFDI {lfdi}")), "{text}");
        let label = run("show", &dir, &[name]).unwrap();
        let expected = format!("LFDI:{lfdi} SFDI:{} PIN:111115", lfdi.sfdi());
        assert_eq!(label.lines().next(), Some(expected.as_str()));
    }
    let server = server(&dir);
    for name in ["house", "house-2"] {
        connect(&server, &dir, name).device();
    }
    run("revoke", &dir, &["house"]).unwrap();
    let again = run("renew", &dir, &["house"]).unwrap_err();
    assert!(matches!(again, PkiError::Revoked { .. }), "{again}");
    let third = run("renew", &dir, &["house-2"]).unwrap();
    assert!(third.contains("house-2-2"), "{third}");
    let authority = run("renew", &dir, &["mica"]).unwrap_err();
    assert!(matches!(authority, PkiError::NotRenewable { .. }));
}

#[test]
fn a_wrong_pin_or_name_leaves_nothing_behind() {
    let dir = make_pki("wrong-pin");
    let before = std::fs::read(dir.join("issued.csv")).unwrap();
    let pin = run("device", &dir, &["new", "--pin", "111111"]).unwrap_err();
    assert!(matches!(pin, PkiError::Pin(_)), "{pin}");
    let name = run("aggregator", &dir, &["serca"]).unwrap_err();
    assert!(matches!(name, PkiError::DeviceName { .. }), "{name}");
    let host = run("server", &dir, &["more"]).unwrap_err();
    assert!(matches!(host, PkiError::NoServerName), "{host}");
    assert!(!dir.join("new.key.pem").exists());
    assert_eq!(std::fs::read(dir.join("issued.csv")).unwrap(), before);
}

/// Another team's reader gets the text back from the picture.
#[test]
fn the_code_says_what_the_label_says() {
    let label = Label {
        lfdi: "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5".parse().unwrap(),
        pin: Some(Pin::new(111_115).unwrap()),
    };
    let expected = "LFDI:3E4F45AB31EDFE5B67E343E5E4562E31984E23E5 SFDI:167261211391 PIN:111115";
    assert_eq!(label.text(), expected);
    let modules = modules(&label.qr().unwrap());
    let mut rows = String::new();
    for row in &modules {
        rows.extend(row.iter().map(|dark| if *dark { '1' } else { '0' }));
        rows.push('\n');
    }
    let script = "
import sys, zxingcpp
rows = sys.stdin.read().split()
scale = 8
lines = [bytes(0 if bit == '1' else 255 for bit in row for _ in range(scale)) for row in rows for _ in range(scale)]
image = memoryview(b''.join(lines)).cast('B', (len(lines), len(lines[0])))
print(zxingcpp.read_barcode(image).text)
";
    let python = peers().join("bin/python");
    let mut reader = Command::new(&python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask peers`", python.display()));
    let mut stdin = reader.stdin.take().unwrap();
    stdin.write_all(rows.as_bytes()).unwrap();
    drop(stdin);
    let output = reader.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), expected);
}

/// The dark modules of a code in characters, two modules high each. Terminals are dark: where
/// nothing is drawn a module is dark.
fn modules(code: &str) -> Vec<Vec<bool>> {
    let dark = |character| match character {
        ' ' => [true, true],
        '▀' => [false, true],
        '▄' => [true, false],
        '█' => [false, false],
        other => panic!("{other:?}"),
    };
    let halves = |half: usize| move |row: &str| row.chars().map(|c| dark(c)[half]).collect();
    code.lines()
        .flat_map(|row| [halves(0)(row), halves(1)(row)])
        .collect()
}

/// Another team's client derives the same identifiers from the same files.
#[test]
fn py20305_agrees_on_every_identifier_in_the_roster() {
    const SCRIPT: &str = "
import sys, pathlib
from py20305.security.identity import compute_lfdi, compute_sfdi
for line in sys.stdin.read().splitlines()[1:]:
    name = line.split(',')[0]
    lfdi = compute_lfdi(pathlib.Path(sys.argv[1], name + '.chain.pem').read_text()).upper()
    print(f'{name},{lfdi},{compute_sfdi(lfdi)}')
";
    let dir: PathBuf = empty_dir("roster");
    let args = InitArgs {
        devices: 100,
        ..init_args(&dir)
    };
    assert_eq!(pki::init(&args, VALID_FROM).unwrap().devices.len(), 100);
    let python = peers().join("bin/python");
    let output = Command::new(&python)
        .args(["-c", SCRIPT, dir.to_str().unwrap()])
        .stdin(std::fs::File::open(dir.join("devices.csv")).unwrap())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask peers`", python.display()));
    assert!(output.status.success(), "{output:?}");
    let roster = std::fs::read_to_string(dir.join("devices.csv")).unwrap();
    let (_, ours) = roster.split_once('\n').unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), ours);
}
