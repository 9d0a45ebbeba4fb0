#![expect(clippy::unwrap_in_result, reason = "a test may stop")]
use std::path::Path;

use fleet::Lfdi;
use ieee2030_5::client::MAX_DEVICES;
use ieee2030_5::codec::table::{Edition, Extension};

use super::{ConfigError, RunConfig};

const OWN: Lfdi = Lfdi([0x3E; 20]);

const DEVICE: &str = r#"
[server]
url = "https://server.example/dcap"
edition = "2023"
extension = "csip_aus_1_3"
[tls]
cert = "own.chain.pem"
key = "own.key.pem"
ca = "ca.pem"
[[device]]
pin = 111115
make = { kind = "storage", p_inject_max_w = 5000, p_absorb_max_w = 4000, energy_max_wh = 10000 }
"#;

fn read(directory: &Path, text: &str) -> Result<RunConfig, ConfigError> {
    let path = directory.join("client.toml");
    std::fs::write(&path, text).unwrap();
    RunConfig::read(&path)
}

#[test]
fn a_device_is_itself_unless_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = read(directory.path(), DEVICE).unwrap();
    assert_eq!(config.tls.cert, directory.path().join("own.chain.pem"));
    let profile = config.profile();
    assert_eq!(
        (profile.edition, profile.extension),
        (Edition::Y2023, Extension::CsipAus13)
    );
    let client = config.client(OWN).unwrap();
    assert_eq!((client.lfdi, client.devices[0].lfdi), (OWN.0, OWN.0));
    assert_eq!(client.devices[0].pin, Some(111_115));
}

#[test]
fn an_aggregator_speaks_for_a_list_of_devices_up_to_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let text = DEVICE.split("[[device]]").next().unwrap().to_owned()
        + "[devices]\nfile = \"devices.csv\"\nmake = { kind = \"pv\", p_inject_max_w = 5000 }\n";
    let listed = |count: usize| -> String {
        (0..count)
            .map(|place| format!("{place:040X},111115\n"))
            .collect()
    };
    let file = directory.path().join("devices.csv");
    std::fs::write(
        &file,
        listed(3) + "\n0000000000000000000000000000000000000009\n",
    )
    .unwrap();
    let devices = read(directory.path(), &text)
        .unwrap()
        .client(OWN)
        .unwrap()
        .devices;
    assert_eq!(devices.iter().filter(|it| it.pin.is_some()).count(), 3);
    assert_eq!(devices.len(), 4);
    std::fs::write(&file, listed(MAX_DEVICES + 1)).unwrap();
    let refused = read(directory.path(), &text).unwrap().client(OWN);
    assert!(matches!(refused, Err(ConfigError::TooMany(count)) if count == MAX_DEVICES + 1));
    std::fs::write(&file, "12,111115\n").unwrap();
    let refused = read(directory.path(), &text).unwrap().client(OWN);
    assert!(matches!(refused, Err(ConfigError::List { line: 1, .. })));
}

#[test]
fn what_is_not_known_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let typo = DEVICE.replace("pin =", "pni =");
    assert!(matches!(
        read(directory.path(), &typo),
        Err(ConfigError::Toml { .. })
    ));
    let none = DEVICE.split("[[device]]").next().unwrap();
    let refused = read(directory.path(), none).unwrap().client(OWN);
    assert!(matches!(refused, Err(ConfigError::NoDevice)));
}
