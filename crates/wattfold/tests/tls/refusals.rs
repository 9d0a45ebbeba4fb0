//! What CSIP's conformance test COMM-004 has refused, and what must not be.

use std::path::Path;
use std::process::Output;

use wattfold::tls::{CipherPolicy, Refusal, ServerTls};

use super::chains::{self, Leaf};
use super::{CCM8, GCM, Server, files, make_pki, openssl, path};

/// Connects as `name`, sending what is in its file, and answers with what `s_client` said.
fn connect(server: &Server, dir: &Path, name: &str) -> Output {
    let chain = path(dir, &format!("{name}.chain.pem"));
    let mut args = chains::client_args(dir, name);
    args.extend(["-cert_chain".to_owned(), chain]);
    server.s_client(&chains::with_cipher(&args, CCM8))
}

fn assert_refused(server: &Server, dir: &Path, name: &str, reason: Refusal) {
    let output = connect(server, dir, name);
    assert_eq!(server.outcome().refusal(), reason, "{name}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SSL alert number 42"), "{name}: {said}");
    assert!(!output.status.success());
}

/// Appends the certificates of these to what `name` sends.
fn send_along(dir: &Path, name: &str, issuers: &[&str]) {
    let file = dir.join(format!("{name}.chain.pem"));
    let mut chain = std::fs::read_to_string(&file).unwrap();
    for issuer in issuers {
        chain += &std::fs::read_to_string(dir.join(format!("{issuer}.pem"))).unwrap();
    }
    std::fs::write(file, chain).unwrap();
}

#[test]
fn an_authority_with_alien_extensions_is_none() {
    let dir = make_pki("comm-004-authorities");
    let odd = [
        ("eku-critical", "extendedKeyUsage = critical,clientAuth"),
        ("eku", "extendedKeyUsage = clientAuth,serverAuth"),
        ("names", "nameConstraints = permitted;DNS:example"),
        ("mappings", "policyMappings = 1.3.6.1.4.1.40732.1.1:1.2.3.4"),
        (
            "constraints",
            "policyConstraints = critical,requireExplicitPolicy:3",
        ),
    ];
    let server = Server::start(&files(&dir, "server"));
    for (name, extension) in odd {
        let authority = format!("mica-{name}");
        chains::issue_odd_authority(&dir, &authority, "mca", extension);
        chains::issue(&dir, name, &authority, &Leaf::default());
        send_along(&dir, name, &[&authority]);
        assert_refused(&server, &dir, name, Refusal::AuthorityExtension);
    }
}

#[test]
fn a_bad_certificate_is_answered_so() {
    let dir = make_pki("comm-004");
    chains::self_signed(&dir, "alone");
    let leaf = Leaf::default;
    let (p384, sha1, sha384) = ("P-384", "sha1", "sha384");
    let old = "20250601000000Z";
    for (name, leaf) in [
        (
            "p384",
            Leaf {
                curve: p384,
                ..leaf()
            },
        ),
        (
            "sha1",
            Leaf {
                digest: sha1,
                ..leaf()
            },
        ),
        (
            "sha384",
            Leaf {
                digest: sha384,
                ..leaf()
            },
        ),
        (
            "old",
            Leaf {
                not_after: old,
                ..leaf()
            },
        ),
    ] {
        chains::issue(&dir, name, "mica", &leaf);
    }
    // A device that issues a certificate as if it were an authority.
    chains::issue(&dir, "parent", "mca", &leaf());
    std::fs::copy(dir.join("parent.chain.pem"), dir.join("parent.pem")).unwrap();
    chains::issue(&dir, "child", "parent", &leaf());
    send_along(&dir, "child", &["parent"]);
    forge(&dir, "forged");
    chains::issue(&dir, "tampered", "mica", &leaf());
    tamper(&dir, "tampered");

    let server = Server::start(&files(&dir, "server"));
    for (name, reason) in [
        ("alone", Refusal::SelfSigned),
        ("p384", Refusal::Curve),
        ("sha1", Refusal::SignatureAlgorithm),
        ("sha384", Refusal::SignatureAlgorithm),
        ("old", Refusal::Expired),
        ("child", Refusal::NotAnAuthority),
        ("forged", Refusal::UnknownIssuer),
        ("tampered", Refusal::BadSignature),
    ] {
        assert_refused(&server, &dir, name, reason);
    }
    // None of it has left anything behind.
    connect(&server, &dir, "der-001");
    server.outcome().device();
}

/// A certificate of `name` that a stranger, who calls himself MICA, has signed.
fn forge(dir: &Path, name: &str) {
    let stranger = make_pki("comm-004-stranger");
    chains::issue(&stranger, name, "mica", &Leaf::default());
    for end in ["chain.pem", "key.pem"] {
        let file = format!("{name}.{end}");
        std::fs::copy(stranger.join(&file), dir.join(&file)).unwrap();
    }
}

/// Changes the last byte of a certificate, which belongs to its signature.
fn tamper(dir: &Path, name: &str) {
    let pem = path(dir, &format!("{name}.chain.pem"));
    let der = path(dir, &format!("{name}.der"));
    openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
    let mut bytes = std::fs::read(&der).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&der, bytes).unwrap();
    openssl(&["x509", "-inform", "DER", "-in", &der, "-out", &pem]);
}

#[test]
fn issuers_that_only_the_client_has_are_taken_from_it() {
    let dir = make_pki("sent-issuers");
    chains::issue_odd_authority(&dir, "new-mica", "mca", "certificatePolicies = 1.2.3");
    chains::issue(&dir, "whole", "new-mica", &Leaf::default());
    chains::issue(&dir, "lacking", "new-mica", &Leaf::default());
    send_along(&dir, "whole", &["new-mica"]);
    let server = Server::start(&files(&dir, "server"));
    connect(&server, &dir, "whole");
    server.outcome().device();
    assert_refused(&server, &dir, "lacking", Refusal::UnknownIssuer);
    // It is known now, so that it need not send them again.
    let alone = std::fs::read_to_string(dir.join("whole.chain.pem")).unwrap();
    let end = alone.find("-----END CERTIFICATE-----").unwrap();
    let leaf = &alone[..end + "-----END CERTIFICATE-----\n".len()];
    std::fs::write(dir.join("whole.chain.pem"), leaf).unwrap();
    connect(&server, &dir, "whole");
    server.outcome().device();
}

#[test]
fn a_pinned_certificate_may_sign_itself() {
    let dir = make_pki("pinned");
    chains::self_signed(&dir, "pinned");
    chains::self_signed(&dir, "other");
    let config = ServerTls {
        pinned: Some(dir.join("pinned.chain.pem")),
        ..ServerTls::new(files(&dir, "server"))
    };
    let server = Server::with(config);
    let output = connect(&server, &dir, "pinned");
    let (lfdi, _) = server.outcome().device();
    assert!(output.status.success(), "{output:?}");
    let expected = super::lfdi_by_command(&path(&dir, "pinned.chain.pem"));
    assert_eq!(lfdi.0.as_slice(), expected);
    assert_refused(&server, &dir, "other", Refusal::SelfSigned);
}

#[test]
fn a_listener_may_insist_on_ccm8() {
    let dir = make_pki("insists");
    let server = Server::with(ServerTls {
        ciphers: CipherPolicy::Ccm8,
        ..ServerTls::new(files(&dir, "server"))
    });
    let client = chains::client_args(&dir, "der-001");
    server.s_client(&chains::with_cipher(&client, GCM));
    assert_eq!(server.outcome().refusal(), Refusal::Cipher);
    server.s_client(&chains::with_cipher(&client, CCM8));
    let (_, negotiated) = server.outcome().device();
    assert!(CCM8.starts_with(&negotiated), "{negotiated}");
}

#[test]
fn neither_renegotiation_nor_a_downgrade_is_had() {
    let dir = make_pki("downgrade");
    let server = Server::start(&files(&dir, "server"));
    let client = chains::client_args(&dir, "der-001");
    let args = chains::with_cipher(&client, CCM8);
    let output = server.s_client_says(b"R\nhello\n", &args);
    match server.outcome() {
        super::Outcome::Device { is_heard, .. } => assert!(!is_heard, "{output:?}"),
        super::Outcome::Refused(error) => panic!("{error:?}"),
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    for version in ["-tls1", "-tls1_1"] {
        let mut args = chains::with_cipher(&client, "ALL:@SECLEVEL=0");
        args.push(version);
        server.s_client(&args);
        assert_eq!(server.outcome().refusal(), Refusal::Version, "{version}");
    }
}
