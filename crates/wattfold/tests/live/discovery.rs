//! A device that knows no address finds the server.

use std::time::Duration;

use wattfold::discovery::{self, FUNCTION_SETS};

use crate::rig::{Rig, Setup, shared};

/// Of a server on which operators host nothing; a device that has no control has nowhere to respond.
const ALWAYS_SERVED: [&str; 6] = ["derp", "edev", "mup", "rsps", "sdev", "tm"];
const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_found_with_the_function_sets_that_it_serves() {
    let _machine = shared().await;
    let setup = Setup {
        control: "tick_ms = 100\nsilent_after_s = 30\nsettle_s = 2\nlead_s = 1\n\
                  [discovery]\nname = \"wattfold live\"\nhost = \"wattfold-live\"",
        ..Setup::default()
    };
    let mut rig = Rig::started("discovery", &setup).await;
    let found = discovery::browse(WITHIN).await.unwrap();
    let server = found.iter().find(|found| found.name == "wattfold live");
    let server = server.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(server.https, Some(rig.devices.port()));
    assert_eq!(server.level.as_deref(), Some("-S1"));
    let device = rig.device(1);
    let dcap = device.get(server.dcap.as_deref().unwrap()).await.unwrap();
    assert_eq!(dcap.status, 200);
    for (subtype, path) in FUNCTION_SETS {
        let name = format!("wattfold live {subtype}");
        let is_found = found.iter().any(|found| found.name == name);
        let is_linked = dcap.text().contains(&format!("href=\"{path}\""));
        assert!(is_found || !is_linked, "{subtype}: {found:?}");
        assert_eq!(is_found, ALWAYS_SERVED.contains(&subtype), "{subtype}");
    }
    let only = discovery::browse_for("tm", WITHIN).await.unwrap();
    let time = only.iter().find(|found| found.name == "wattfold live tm");
    let path = time.unwrap().path.clone().unwrap();
    assert_eq!(device.get(&path).await.unwrap().status, 200);
    rig.stop().await;
}
