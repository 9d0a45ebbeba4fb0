//! What outlives a handshake: sessions, revocation, expiry, other files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use units::Timestamp;
use wattfold::clock;
use wattfold::tls::{
    Acceptor, Connector, Peer, Refusal, ServerTls, TICKET_KEY_LIFE, TlsSetupError, lfdi_of_pem,
};

use super::chains::{self, Leaf};
use super::{CCM8, Outcome, Server, files, lfdi_by_command, make_pki, path};

/// Connects as `name`; `session` is a file to take a session from or to put it in.
fn connect(server: &Server, dir: &Path, name: &str, session: &[&str]) -> Outcome {
    let client = chains::client_args(dir, name);
    let mut args = chains::with_cipher(&client, CCM8);
    args.extend(session);
    server.s_client(&args);
    server.outcome()
}

fn peer(outcome: Outcome) -> (Peer, bool) {
    match outcome {
        Outcome::Device {
            peer, is_resumed, ..
        } => (peer, is_resumed),
        Outcome::Refused(error) => panic!("{error:?}"),
    }
}

fn revoking(name: &str) -> (PathBuf, PathBuf, Server) {
    let dir = make_pki(name);
    let revoked = dir.join("revoked.pem");
    std::fs::write(&revoked, "# nobody\n").unwrap();
    let server = Server::with(ServerTls {
        revoked: Some(revoked.clone()),
        ..ServerTls::new(files(&dir, "server"))
    });
    (dir, revoked, server)
}

#[test]
fn a_resumed_session_keeps_the_devices_lfdi() {
    let dir = make_pki("resumption");
    let server = Server::start(&files(&dir, "server"));
    let session = path(&dir, "session.pem");
    let (first, _) = peer(connect(&server, &dir, "der-001", &["-sess_out", &session]));
    // The second connection has no certificate to show: only the session can name the device.
    let again = server.s_client(&[
        "-cipher",
        CCM8,
        "-CAfile",
        &path(&dir, "serca.pem"),
        "-sess_in",
        &session,
    ]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(peer(server.outcome()), (first, true));
}

#[test]
fn a_new_ticket_key_ends_old_sessions() {
    let dir = make_pki("ticket-key");
    let server = Server::start(&files(&dir, "server"));
    let session = path(&dir, "session.pem");
    connect(&server, &dir, "der-001", &["-sess_out", &session]);
    let resumed =
        |server: &Server| peer(connect(server, &dir, "der-001", &["-sess_in", &session])).1;
    let now = clock::now();
    let early = now.after(TICKET_KEY_LIFE - Duration::from_secs(60));
    server.acceptor.refresh(early).unwrap();
    assert!(resumed(&server));
    let changes = server.acceptor.changes();
    server.acceptor.refresh(now.after(TICKET_KEY_LIFE)).unwrap();
    assert!(!resumed(&server));
    assert!(!changes.has_changed().unwrap());
}

#[test]
fn a_revoked_lfdi_is_refused_afresh_in_a_resumed_session_and_in_the_middle_of_one() {
    let (dir, revoked, server) = revoking("revoked-lfdi");
    let session = path(&dir, "session.pem");
    let (open, _) = peer(connect(&server, &dir, "der-001", &["-sess_out", &session]));
    let now = clock::now();
    assert_eq!(server.acceptor.stands(&open, now), Ok(()));
    let changes = server.acceptor.changes();

    std::fs::write(&revoked, format!("{}\n", open.lfdi)).unwrap();
    server.acceptor.refresh(now).unwrap();
    assert!(changes.has_changed().unwrap());
    let refusal = server.acceptor.stands(&open, now);
    assert_eq!(refusal, Err(Refusal::Revoked));
    let afresh = connect(&server, &dir, "der-001", &[]);
    assert_eq!(afresh.refusal(), Refusal::Revoked);
    let resumed = connect(&server, &dir, "der-001", &["-sess_in", &session]);
    assert_eq!(resumed.refusal(), Refusal::Revoked);

    std::fs::write(&revoked, "# forgiven\n\n").unwrap();
    server.acceptor.refresh(now).unwrap();
    peer(connect(&server, &dir, "der-001", &[]));
}

/// Lists that the `openssl` command has made.
#[test]
fn revocation_lists_of_authorities_count_for_devices_and_for_authorities() {
    let (dir, revoked, server) = revoking("revoked-crl");
    chains::issue_authority(&dir, "mca", &["second"]);
    chains::issue(&dir, "lost", "mica", &Leaf::default());
    chains::issue(&dir, "child", "second", &Leaf::default());
    server.acceptor.refresh(clock::now()).unwrap();
    for name in ["lost", "child"] {
        peer(connect(&server, &dir, name, &[]));
    }
    chains::revoke(&dir, "lost", "mica");
    chains::revoke(&dir, "second", "mca");
    let lists = ["mica", "mca"].map(|issuer| dir.join(format!("{issuer}.crl.pem")));
    let text = lists.map(|list| std::fs::read_to_string(list).unwrap());
    std::fs::write(&revoked, text.concat()).unwrap();
    server.acceptor.refresh(clock::now()).unwrap();
    for name in ["lost", "child"] {
        let refusal = connect(&server, &dir, name, &[]).refusal();
        assert_eq!(refusal, Refusal::Revoked, "{name}");
    }
    peer(connect(&server, &dir, "der-001", &[]));
}

/// What holds of a new handshake holds of those who are connected already.
#[test]
fn a_session_ends_with_an_authority_above_it_a_root_or_a_pin() {
    let (dir, revoked, _) = revoking("fallen-authorities");
    let pinned = dir.join("pinned.pem");
    chains::self_signed(&dir, "alone");
    std::fs::copy(dir.join("alone.chain.pem"), &pinned).unwrap();
    chains::issue_authority(&dir, "mca", &["second"]);
    chains::issue(&dir, "child", "second", &Leaf::default());
    let server = Server::with(ServerTls {
        revoked: Some(revoked.clone()),
        pinned: Some(pinned.clone()),
        ..ServerTls::new(files(&dir, "server"))
    });
    let names = ["der-001", "child", "alone"];
    let open = names.map(|name| peer(connect(&server, &dir, name, &[])).0);
    let now = clock::now();
    let stand = || {
        server.acceptor.refresh(now).unwrap();
        open.each_ref()
            .map(|peer| server.acceptor.stands(peer, now))
    };
    assert_eq!(stand(), [Ok(()), Ok(()), Ok(())]);

    chains::revoke(&dir, "second", "mca");
    std::fs::copy(dir.join("mca.crl.pem"), &revoked).unwrap();
    assert_eq!(stand(), [Ok(()), Err(Refusal::Revoked), Ok(())]);

    let other = make_pki("fallen-authorities-other");
    chains::self_signed(&other, "other");
    std::fs::copy(other.join("other.chain.pem"), &pinned).unwrap();
    let gone = Err(Refusal::SelfSigned);
    assert_eq!(stand(), [Ok(()), Err(Refusal::Revoked), gone]);

    std::fs::write(&revoked, "# nobody\n").unwrap();
    std::fs::copy(other.join("ca-chain.pem"), dir.join("ca-chain.pem")).unwrap();
    let unknown = Err(Refusal::UnknownIssuer);
    assert_eq!(stand(), [unknown, unknown, gone]);
}

#[test]
fn what_was_revoked_while_another_file_was_broken_is_revoked_once_it_is_mended() {
    let (dir, revoked, server) = revoking("revoked-meanwhile");
    let (open, _) = peer(connect(&server, &dir, "der-001", &[]));
    let now = clock::now();
    let (trust, away) = (dir.join("ca-chain.pem"), dir.join("away.pem"));
    std::fs::rename(&trust, &away).unwrap();
    std::fs::write(&revoked, format!("{}\n", open.lfdi)).unwrap();
    assert!(server.acceptor.refresh(now).is_err());
    assert_eq!(server.acceptor.stands(&open, now), Ok(()));
    // The same file as before, with the same time.
    std::fs::rename(&away, &trust).unwrap();
    server.acceptor.refresh(now).unwrap();
    let refusal = server.acceptor.stands(&open, now);
    assert_eq!(refusal, Err(Refusal::Revoked));
}

/// The server's own certificate is another, and so is that of whoever connects.
#[test]
fn a_certificate_that_is_rolled_over_is_shown_at_the_next_handshake() {
    let dir = make_pki("own-roll-over");
    let next = make_pki("own-roll-over-next");
    let trust = [&dir, &next].map(|dir| dir.join("ca-chain.pem"));
    let both = trust.map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(dir.join("ca-chain.pem"), both.concat()).unwrap();
    let server = Server::start(&files(&dir, "server"));
    let connector = Connector::new(&files(&dir, "der-001")).unwrap();
    let seen = || {
        let connecting = async {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let mut tls = connector.connect("localhost", stream).await.unwrap();
            tls.write_all(b"hello\n").await.unwrap();
            let mut text = String::new();
            tls.read_to_string(&mut text).await.unwrap();
            tls.peer_lfdi().unwrap()
        };
        let theirs = server.runtime.block_on(connecting);
        (theirs, peer(server.outcome()).0.lfdi)
    };
    let expected = |dir: &Path| {
        let of = |name| lfdi_of_pem(&dir.join(format!("{name}.chain.pem"))).unwrap();
        (of("server"), of("der-001"))
    };
    let before = expected(&dir);
    assert_eq!(seen(), before);
    for name in ["server", "der-001"] {
        for end in ["chain.pem", "key.pem"] {
            let file = format!("{name}.{end}");
            std::fs::copy(next.join(&file), dir.join(&file)).unwrap();
        }
    }
    assert_eq!(seen(), before);
    server.acceptor.refresh(clock::now()).unwrap();
    connector.refresh().unwrap();
    assert_eq!(seen(), expected(&next));
}

#[test]
fn a_list_of_a_stranger_or_nonsense_changes_nothing() {
    let (dir, revoked, server) = revoking("revoked-nonsense");
    let (open, _) = peer(connect(&server, &dir, "der-001", &[]));
    let stranger = make_pki("revoked-stranger");
    chains::issue(&stranger, "any", "mica", &Leaf::default());
    chains::revoke(&stranger, "any", "mica");
    let list = std::fs::read_to_string(stranger.join("mica.crl.pem")).unwrap();
    for text in [list, format!("{}\nnonsense\n", open.lfdi)] {
        std::fs::write(&revoked, &text).unwrap();
        let error = server.acceptor.refresh(clock::now()).unwrap_err();
        assert!(matches!(error, TlsSetupError::Revocation(_)), "{error}");
        assert_eq!(server.acceptor.stands(&open, clock::now()), Ok(()));
        // It is said once, not at every look.
        server.acceptor.refresh(clock::now()).unwrap();
        let config = ServerTls {
            revoked: Some(revoked.clone()),
            ..ServerTls::new(files(&dir, "server"))
        };
        assert!(Acceptor::with(config).is_err());
    }
}

#[test]
fn a_certificate_may_expire_in_the_middle_of_a_session() {
    let dir = make_pki("expiring");
    let leaf = Leaf {
        not_after: "20990101000000Z",
        ..Leaf::default()
    };
    chains::issue(&dir, "short", "mica", &leaf);
    let server = Server::start(&files(&dir, "server"));
    let (open, _) = peer(connect(&server, &dir, "short", &[]));
    let end = Timestamp::from_secs(4_070_908_800);
    assert_eq!(open.not_after, end);
    assert_eq!(server.acceptor.stands(&open, end), Ok(()));
    let later = end.after(Duration::from_secs(1));
    assert_eq!(server.acceptor.stands(&open, later), Err(Refusal::Expired));
    let (forever, _) = peer(connect(&server, &dir, "der-001", &[]));
    assert_eq!(forever.not_after, Timestamp::from_secs(253_402_300_799));
    let expected = lfdi_by_command(&path(&dir, "der-001.chain.pem"));
    assert_eq!(forever.lfdi.0.as_slice(), expected);
}

#[test]
fn another_trust_file_ends_what_rested_on_the_old_one() {
    let dir = make_pki("other-trust");
    let other = make_pki("other-trust-new");
    let server = Server::start(&files(&dir, "server"));
    let session = path(&dir, "session.pem");
    connect(&server, &dir, "der-001", &["-sess_out", &session]);
    std::fs::copy(other.join("ca-chain.pem"), dir.join("ca-chain.pem")).unwrap();
    server.acceptor.refresh(clock::now()).unwrap();
    let resumed = connect(&server, &dir, "der-001", &["-sess_in", &session]);
    assert_eq!(resumed.refusal(), Refusal::UnknownIssuer);
}
