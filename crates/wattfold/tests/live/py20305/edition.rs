//! The edition of 2023, spoken from the first request on.

use serde_json::json;

use super::client::{Client, Edition, write_evidence};
use super::{enrol, modes};
use crate::rig::{Rig, Setup, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_speaks_the_edition_of_2023() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: "poll_rate_s = 1\npost_rate_s = 1\nforward = \"injected\"\nedition = \"2023\"",
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305-2023", &setup).await;
    let der = enrol(&rig, 1, "in_band").await;
    let program = rig.api().get(&format!("/ders/{der}")).await["program"].take();
    modes::set_default(&rig, &program, 90.0).await;
    let device = rig.device(1);
    let client = Client::start(&rig, &device, Edition::Y2023, &json!({}));
    client.reports(&rig, &der).await;
    modes::assert_default_is_applied(&client).await;
    modes::assert_every_mode_is_applied(&rig, &client, &program).await;
    let scope = (der.as_str(), &program);
    let edition = Edition::Y2023;
    let told = modes::assert_refusals_reach_the_ledger(&rig, &client, scope, edition).await;
    write_evidence("py20305-2023.txt", &format!("{}{told}", client.summary()));
    client.assert_all_is_well().await;
    drop(client);
    rig.stop().await;
    rig.audit();
}
