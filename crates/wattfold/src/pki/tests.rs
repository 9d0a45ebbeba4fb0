use std::path::PathBuf;

use units::Timestamp;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

/// A directory of this test's own under the target directory, empty at first.
fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/tmp/pki")
        .join(format!("{name}-{}", std::process::id()));
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

fn init_args(dir: &Path) -> InitArgs {
    InitArgs {
        dir: dir.to_owned(),
        devices: 2,
        device_names: vec!["house-7".to_owned()],
        server_names: vec!["localhost".to_owned()],
        server_ips: vec![IpAddr::from([127, 0, 0, 1])],
    }
}

fn device_args(dir: &Path) -> DeviceArgs {
    DeviceArgs {
        dir: dir.to_owned(),
        name: "new".to_owned(),
        kind: DeviceType::Generic,
        pin: None,
        issuing: IssuingArgs::default(),
    }
}

#[test]
fn a_pki_is_never_overwritten() {
    let dir = scratch("twice");
    init(&init_args(&dir), NOW).unwrap();
    let before = std::fs::read(dir.join("serca.pem")).unwrap();
    let refusal = init(&init_args(&dir), NOW).unwrap_err();
    assert!(matches!(refusal, PkiError::Exists { .. }), "{refusal}");
    assert_eq!(std::fs::read(dir.join("serca.pem")).unwrap(), before);

    let again = DeviceArgs {
        name: "house-7".to_owned(),
        ..device_args(&dir)
    };
    let refusal = add_device(&again, NOW).unwrap_err();
    assert!(matches!(refusal, PkiError::Exists { .. }), "{refusal}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn private_keys_are_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = scratch("modes");
    init(&init_args(&dir), NOW).unwrap();
    let mut keys = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().ends_with(".key.pem") {
            keys += 1;
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
        }
    }
    // SERCA, MCA, MICA, server; enterprise CA, server, client; three devices.
    assert_eq!(keys, 10);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_roster_lists_every_device_and_grows() {
    let dir = scratch("roster");
    init(&init_args(&dir), NOW).unwrap();
    let late = DeviceArgs {
        name: "late".to_owned(),
        ..device_args(&dir)
    };
    let added = add_device(&late, NOW).unwrap();
    let roster = std::fs::read_to_string(dir.join("devices.csv")).unwrap();
    let names: Vec<&str> = roster
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(names, ["name", "der-001", "der-002", "house-7", "late"]);
    let device = &added.devices[0];
    let row = format!("late,{},{}", device.lfdi, device.lfdi.sfdi());
    assert_eq!(roster.lines().last(), Some(row.as_str()));
    let chain = std::fs::read_to_string(dir.join("late.chain.pem")).unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(
        crate::tls::lfdi_of_pem(&dir.join("late.chain.pem")).unwrap(),
        added.devices[0].lfdi
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn names_that_cannot_be_files_are_refused_before_anything_is_written() {
    let dir = scratch("names");
    let long = "x".repeat(MAX_DEVICE_NAME_LEN + 1);
    for name in ["", "../up", "a/b", "-rf", "server", "mica", "a b", &long] {
        let args = InitArgs {
            device_names: vec![name.to_owned()],
            ..init_args(&dir)
        };
        let refusal = init(&args, NOW).unwrap_err();
        assert!(matches!(refusal, PkiError::DeviceName { .. }), "{refusal}");
    }
    let twice = InitArgs {
        device_names: vec!["der-001".to_owned()],
        ..init_args(&dir)
    };
    let refusal = init(&twice, NOW).unwrap_err();
    assert!(
        matches!(refusal, PkiError::DuplicateName { .. }),
        "{refusal}"
    );
    let crowd = InitArgs {
        devices: MAX_DEVICES,
        ..init_args(&dir)
    };
    let refusal = init(&crowd, NOW).unwrap_err();
    assert!(
        matches!(refusal, PkiError::TooManyDevices { .. }),
        "{refusal}"
    );
    let bad_host = InitArgs {
        server_names: vec!["not a host".to_owned()],
        ..init_args(&dir)
    };
    let refusal = init(&bad_host, NOW).unwrap_err();
    assert!(matches!(refusal, PkiError::ServerName { .. }), "{refusal}");
    assert!(!dir.exists());
}

#[test]
fn a_longest_name_fits_its_certificate() {
    let dir = scratch("longest");
    let args = InitArgs {
        devices: 0,
        device_names: vec!["x".repeat(MAX_DEVICE_NAME_LEN)],
        ..init_args(&dir)
    };
    assert_eq!(init(&args, NOW).unwrap().devices.len(), 1);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_device_needs_a_pki() {
    let args = DeviceArgs {
        name: "der-001".to_owned(),
        ..device_args(&scratch("absent"))
    };
    let refusal = add_device(&args, NOW).unwrap_err();
    assert!(
        matches!(refusal, PkiError::NotInitialised { .. }),
        "{refusal}"
    );
}
