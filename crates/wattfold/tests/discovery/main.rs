//! DNS-SD against avahi, which is not ours, both ways; and with py20305's own querier.
//!
//! Avahi needs a message bus. Both are started for a test, with files of its own, and ended.

#![cfg(test)]

mod avahi;

use std::process::Command;
use std::time::Duration;

use tokio::sync::Mutex;
use wattfold::discovery::{self, Announcement, DiscoveryError, FUNCTION_SETS, Found};

use avahi::Avahi;

/// The network is one: a querier that asks for all must not get more than it takes.
static NETWORK: Mutex<()> = Mutex::const_new(());

const WITHIN: Duration = Duration::from_secs(5);

fn announcement(name: &str, port: u16) -> Announcement {
    let sets = FUNCTION_SETS.map(|(subtype, path)| (subtype.to_owned(), path.to_owned()));
    Announcement {
        name: name.to_owned(),
        host: name.to_owned(),
        addresses: Vec::new(),
        port,
        dcap: "/dcap".to_owned(),
        level: "-S1".to_owned(),
        function_sets: sets.into(),
    }
}

fn named<'a>(found: &'a [Found], name: &str) -> &'a Found {
    let server = found.iter().find(|server| server.name == name);
    server.unwrap_or_else(|| panic!("{name} is not among {found:?}"))
}

#[tokio::test]
async fn avahi_finds_our_server_and_each_function_set() {
    let _network = NETWORK.lock().await;
    let avahi = Avahi::start("finds").await;
    let announced = discovery::announce(&announcement("wattfold-a", 8443)).unwrap();
    let found = avahi.browse("_smartenergy._tcp", "wattfold-a").await;
    for expected in [
        "\"txtvers=1\"",
        "\"dcap=/dcap\"",
        "\"https=8443\"",
        "\"level=-S1\"",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    assert!(found.contains(";8443;"), "{found}");
    for (subtype, path) in FUNCTION_SETS {
        let kind = format!("_{subtype}._sub._smartenergy._tcp");
        let found = avahi
            .browse(&kind, &format!("wattfold-a\\032{subtype}"))
            .await;
        let expected = format!("\"path={path}\"");
        assert!(found.contains(&expected), "{expected}: {found}");
    }
    announced.withdraw().await;
    avahi.gone("_smartenergy._tcp", "wattfold-a").await;
}

#[tokio::test]
async fn we_find_what_avahi_publishes() {
    let _network = NETWORK.lock().await;
    let avahi = Avahi::start("publishes").await;
    let _published = avahi.publish(
        "other",
        "_derp._sub._smartenergy._tcp",
        8080,
        &[
            "txtvers=1",
            "dcap=/sep2/dcap",
            "path=/sep2/derp",
            "level=-S2",
            "https=8444",
        ],
    );
    let _plain = avahi.publish(
        "plain",
        "_derp._sub._smartenergy._tcp",
        8081,
        &["txtvers=1", "dcap=nonsense", "https="],
    );
    for found in [
        discovery::browse(WITHIN).await.unwrap(),
        discovery::browse_for("derp", WITHIN).await.unwrap(),
    ] {
        let other = named(&found, "other");
        assert_eq!(other.https, Some(8_444));
        assert_eq!(other.dcap.as_deref(), Some("/sep2/dcap"));
        assert_eq!(other.path.as_deref(), Some("/sep2/derp"));
        assert_eq!(other.level.as_deref(), Some("-S2"));
        let url = other.url().unwrap();
        assert!(url.ends_with(":8444/sep2/dcap"), "{url}");
        let plain = named(&found, "plain");
        assert_eq!((plain.https, plain.url()), (Some(443), None));
    }
    let upt = discovery::browse_for("upt", Duration::from_secs(2)).await;
    assert!(upt.unwrap().iter().all(|server| server.name != "other"));
    let odd = discovery::browse_for("printer", WITHIN).await.unwrap_err();
    assert!(matches!(odd, DiscoveryError::Subtype { .. }), "{odd}");
}

/// What `wattfold der2030 discover` prints.
async fn discovered(arguments: &'static [&'static str]) -> String {
    let said = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattfold"));
        command.args(["der2030", "discover", "--seconds", "5"]);
        command.args(arguments).output().unwrap()
    });
    let said = said.await.unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test]
async fn the_command_line_shows_servers_and_which_of_them_has_what() {
    const LFDI: &str = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5";
    const SUBTYPE: &str = "_edev-167261211391._sub._smartenergy._tcp";
    let _network = NETWORK.lock().await;
    let avahi = Avahi::start("shown").await;
    let text = ["txtvers=1", "dcap=/a/dcap", "level=-S1", "https=8445"];
    let _holder = avahi.publish("holder", SUBTYPE, 8082, &text);
    let derp = ["txtvers=1", "dcap=/b/dcap", "path=/b/derp", "https=8446"];
    let _other = avahi.publish("other", "_derp._sub._smartenergy._tcp", 8083, &derp);
    let all = discovered(&[]).await;
    for expected in [
        ":8445/a/dcap",
        ":8446/b/dcap",
        "level -S1",
        "host avahi-peer.local",
    ] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    let of_device = discovered(&["--lfdi", LFDI]).await;
    assert!(of_device.starts_with("holder  https://"), "{of_device}");
    assert!(!of_device.contains("other"), "{of_device}");
    let of_set = discovered(&["--function-set", "derp"]).await;
    assert!(of_set.contains("at /b/derp"), "{of_set}");
    assert!(!of_set.contains("holder"), "{of_set}");
    let none = discovered(&["--function-set", "upt"]).await;
    assert_eq!(none, "no server answered within 5 s\n");
}

#[tokio::test]
async fn we_find_ourselves() {
    let _network = NETWORK.lock().await;
    let announced = discovery::announce(&announcement("wattfold-b", 9443)).unwrap();
    let found = discovery::browse(WITHIN).await.unwrap();
    let server = named(&found, "wattfold-b");
    assert_eq!(server.https, Some(9_443));
    assert!(!server.addresses.is_empty());
    let found = discovery::browse_for("tm", WITHIN).await.unwrap();
    let time = named(&found, "wattfold-b tm");
    assert_eq!(time.path.as_deref(), Some("/tm"));
    let url = server.url().unwrap();
    assert!(
        url.starts_with("https://") && url.ends_with(":9443/dcap"),
        "{url}"
    );
    announced.withdraw().await;
}

#[test]
fn a_name_too_long_for_a_label_is_refused() {
    let name = "x".repeat(64);
    let refusal = discovery::announce(&announcement(&name, 1))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refusal, DiscoveryError::Name { .. }), "{refusal}");
}

/// Another team's querier asks from a port of its own and is answered there (RFC 6762 6.7).
#[tokio::test]
async fn py20305_finds_our_server() {
    const SCRIPT: &str = "
from py20305.client.dnssd.discover import discover
from py20305.client.dnssd.wire import MDNS
found = discover(MDNS, timeout=5.0)
for server in found:
    print(server.instance, server.dcap_url, server.level)
";
    let _network = NETWORK.lock().await;
    let announced = discovery::announce(&announcement("wattfold-c", 7443)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let python = avahi::peers().join("bin/python");
    let output = tokio::task::spawn_blocking(move || {
        Command::new(&python)
            .args(["-c", SCRIPT])
            .output()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; run `cargo xtask peers`", python.display())
            })
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let line = said.lines().find(|line| line.starts_with("wattfold-c."));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(":7443/dcap -S1"), "{line}");
    announced.withdraw().await;
}
