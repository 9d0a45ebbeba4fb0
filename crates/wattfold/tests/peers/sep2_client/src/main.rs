//! Runs `sep2_client` 0.1.0, another team's IEEE 2030.5 client in Rust, against a server.
//!
//!     sep2_client_peer URL CERTIFICATE KEY TRUST LFDI
//!
//! Registers in band, walks to the controls of its programme by links, reports what its device has
//! available and responds to each control. Says on each line of its output what it did and what came
//! of it: one word, a blank, and the rest.

use std::env;

use sep2_client::client::{Client, SEPResponse};
use sep2_client::device::SEDevice;
use sep2_client::security::sfdi_gen;
use sep2_common::packages::dcap::DeviceCapability;
use sep2_common::packages::der::{
    DERAvailability, DERControlList, DERCurveList, DERList, DERProgramList, DefaultDERControl,
};
use sep2_common::packages::edev::EndDevice;
use sep2_common::packages::fsa::FunctionSetAssignmentsList;
use sep2_common::packages::identification::ResponseStatus;
use sep2_common::packages::primitives::{HexBinary160, Int64};
use sep2_common::packages::response::DERControlResponse;
use sep2_common::packages::time::Time;
use sep2_common::packages::types::DeviceCategoryType;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, certificate, key, trust, lfdi] = arguments.as_slice() else {
        panic!("URL CERTIFICATE KEY TRUST LFDI");
    };
    let client = Client::new_https(url, certificate, key, trust, None, None).unwrap();
    let lfdi: HexBinary160 = lfdi.parse().unwrap();
    let dcap: DeviceCapability = client.get("/dcap").await.unwrap();
    let time: Time = client.get(&dcap.time_link.unwrap().href).await.unwrap();
    println!("time {}", time.current_time.0);

    let device = SEDevice::new(lfdi, sfdi_gen(&lfdi), DeviceCategoryType::all());
    let devices = dcap.end_device_list_link.unwrap().href;
    let made = client.post(&devices, &device.edev).await.unwrap();
    let SEPResponse::Created(Some(location)) = made else {
        panic!("not registered: {made}");
    };
    println!("registered {location}");
    let own: EndDevice = client.get(&location).await.unwrap();
    assert_eq!(own.lfdi, Some(lfdi));

    available(&client, &own, time.current_time).await;
    let assigned = own.function_set_assignments_list_link.unwrap().href;
    let assigned: FunctionSetAssignmentsList = client.get(&paged(&assigned)).await.unwrap();
    for assignments in assigned.function_set_assignments {
        let programs = assignments.der_program_list_link.unwrap().href;
        let programs: DERProgramList = client.get(&paged(&programs)).await.unwrap();
        for program in programs.der_program {
            let default = program.default_der_control_link.unwrap().href;
            let default: DefaultDERControl = client.get(&default).await.unwrap();
            println!("default {:?}", default.set_grad_w.map(|grad| grad.0));
            let curves = program.der_curve_list_link.unwrap().href;
            let curves: DERCurveList = client.get(&paged(&curves)).await.unwrap();
            for curve in curves.der_curve {
                println!("curve {:?} {}", curve.curve_type, curve.curve_data.len());
            }
            let controls = program.der_control_list_link.unwrap().href;
            controlled(&client, lfdi, &paged(&controls)).await;
        }
    }
}

fn paged(list: &str) -> String {
    format!("{list}?s=0&l=10")
}

async fn available(client: &Client, own: &EndDevice, now: Int64) {
    let list = &own.der_list_link.as_ref().unwrap().href;
    let ders: DERList = client.get(&paged(list)).await.unwrap();
    let path = ders.der[0].der_availability_link.as_ref().unwrap();
    let availability = DERAvailability {
        reading_time: now,
        ..DERAvailability::default()
    };
    let put = client.put(&path.href, &availability).await.unwrap();
    println!("available {put}");
}

async fn controlled(client: &Client, lfdi: HexBinary160, list: &str) {
    let controls: DERControlList = client.get(list).await.unwrap();
    for control in controls.der_control {
        let limit = control
            .der_control_base
            .op_mod_max_lim_w
            .map(|limit| limit.get());
        let (start, duration) = (
            control.interval.start.get(),
            control.interval.duration.get(),
        );
        println!(
            "control {:032X} {limit:?} {start} {duration}",
            control.mrid.0
        );
        let response = DERControlResponse {
            created_date_time: Some(control.creation_time),
            end_device_lfdi: lfdi,
            status: Some(ResponseStatus::EventReceived),
            subject: control.mrid,
            href: None,
        };
        println!("subject {}", response.subject);
        let reply_to = control.reply_to.unwrap();
        let posted = client.post(&reply_to, &response).await.unwrap();
        println!("responded {posted}");
    }
}
