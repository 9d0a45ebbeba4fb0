//! zeep makes every call of the IEC 61968-5 interface against the running server.

use serde_json::json;

use crate::peers;
use crate::rig::{Rig, Setup, shared};

const MEMBERS: [[&str; 2]; 2] = [["east-1", "east-2"], ["west-1", "west-2"]];
const HTTPS: &str = "tls_cert = \"pki/enterprise-server.chain.pem\"
tls_key = \"pki/enterprise-server.key.pem\"
client_ca = \"pki/enterprise-ca.pem\"";

/// Four batteries that report, so that there is something to dispatch.
async fn enrol_members(rig: &Rig) {
    let mut api = rig.api();
    for (index, mrid) in MEMBERS.as_flattened().iter().enumerate() {
        let device = rig.device(index + 1);
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "mrid": mrid, "registration": "out_of_band",
        });
        api.post("/ders", &enrolment).await;
        let mut wire = device.connect().await.unwrap();
        crate::device::describe_battery(&mut wire, &format!("/edev/{index}")).await;
    }
}

async fn every_call(rig: &Rig, scheme: &str, access: &[String]) {
    let port = rig.enterprise.port();
    let mut arguments = vec![
        "--url".to_owned(),
        format!("{scheme}://localhost:{port}"),
        "--members".to_owned(),
        MEMBERS[0].join(","),
        MEMBERS[1].join(","),
        "--short-watts".to_owned(),
        "50000".to_owned(),
    ];
    arguments.extend_from_slice(access);
    let output = peers::run("zeep_calls.py", &arguments).await;
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{told}\n{errors}\n{}",
        rig.log_tail()
    );
    let passed = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(told.ends_with("0 failed\n"), "{told}");
    println!("zeep over {scheme}: {passed} checks passed");
    // Those that don't depend on how the client authenticates.
    assert!(50 <= passed, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zeep_makes_every_call_with_a_password_and_with_a_certificate() {
    let _machine = shared().await;
    let setup = Setup {
        devices: 4,
        control: "silent_after_s = 600",
        ..Setup::default()
    };
    let mut rig = Rig::started("zeep", &setup).await;
    enrol_members(&rig).await;
    let basic = ["--user", "admin", "--password", &rig.password()].map(str::to_owned);
    every_call(&rig, "http", &basic).await;

    rig.stop().await;
    rig.configure(&Setup {
        enterprise: HTTPS,
        ..setup
    });
    rig.start_https().await;
    let pki = |file: &str| rig.pki().join(file).to_str().unwrap().to_owned();
    let mut mutual = vec!["--names".to_owned(), "north".to_owned(), "south".to_owned()];
    // The members of the first run's group are being dispatched in the first hour.
    mutual.extend(["--start-in", "36000"].map(str::to_owned));
    for (option, file) in [
        ("--ca", "enterprise-ca.pem"),
        ("--cert", "enterprise-client.chain.pem"),
        ("--key", "enterprise-client.key.pem"),
    ] {
        mutual.extend([option.to_owned(), pki(file)]);
    }
    every_call(&rig, "https", &mutual).await;
    rig.stop().await;
    rig.audit();
}
