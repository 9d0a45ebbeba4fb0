//! The sequence of EPRI's client in C (0.2.11), written by hand from what it did: pipelined requests,
//! the namespace of the draft of 2013, hexadecimals in lower case, blanks after `Content-Length`, its
//! certificate without those above it.

use std::fs::File;

use fleet::Lfdi;
use serde_json::json;

use super::{Transcript, answered, judged, with_leaf_only};
use crate::exchange::{Reply, Wire};
use crate::rig::{Rig, shared};

const ACCEPT: &str = "Accept: application/sep+xml; level=-S1\r\n";

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{ACCEPT}\r\n")
}

/// It reserves room for the length of the body and leaves what it does not need blank.
fn send(method: &str, target: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/sep+xml; level=-S1\r\nContent-Length: {:<6}\r\n\r\n{body}",
        body.len()
    )
}

fn draft(name: &str, content: &str) -> String {
    format!("<{name} xmlns=\"http://ieee.org/2030.5\">{content}</{name}>")
}

/// The value of the first attribute of this name after `from`.
fn attribute(text: &str, from: &str, name: &str) -> String {
    let found = text.split_once(from).map(|(_, rest)| rest);
    let found = found.and_then(|rest| rest.split_once(&format!("{name}=\"")));
    let (_, rest) = found.unwrap_or_else(|| panic!("{from} {name}: {text}"));
    rest.split('"').next().unwrap().to_owned()
}

struct Client {
    wire: Wire,
    lfdi: Lfdi,
    transcript: Transcript,
}

impl Client {
    async fn asks(&mut self, bytes: &str, status: u16) -> Reply {
        let reply = answered(&mut self.wire, bytes.as_bytes(), status).await;
        let what = bytes.lines().next().unwrap();
        self.transcript.add(what, &reply);
        reply
    }

    /// Registers in band; gives the address of its end device.
    async fn registers(&mut self) -> String {
        let dcap = self.asks(&get("/dcap"), 200).await.text();
        let time = attribute(&dcap, "<TimeLink", "href");
        let devices = attribute(&dcap, "<EndDeviceListLink", "href");
        // Both at once, before either is answered.
        let both = get(&time) + &get(&devices);
        let time = self.asks(&both, 200).await;
        assert!(time.text().contains("<Time "), "{time:?}");
        let list = self.wire.reply().await.unwrap();
        self.transcript.add("GET EndDeviceList", &list);
        assert!(list.text().contains("<EndDeviceList "), "{list:?}");
        let (lfdi, sfdi) = (self.lfdi.to_string().to_lowercase(), self.lfdi.sfdi());
        let body = draft(
            "EndDevice",
            &format!("<lFDI>{lfdi}</lFDI><sFDI>{sfdi}</sFDI><changedTime>1379905200</changedTime>"),
        );
        let made = self.asks(&send("POST", &devices, &body), 201).await;
        made.header("location").to_owned()
    }

    /// Checks the PIN and walks to its programme; gives the addresses of its DER's list and of the
    /// list of controls.
    async fn walks(&mut self, device: &str) -> (String, String) {
        let device = self.asks(&get(device), 200).await.text();
        let registration = attribute(&device, "<RegistrationLink", "href");
        let pin = self.asks(&get(&registration), 200).await.text();
        let expected = format!("<pIN>{}</pIN>", super::PIN);
        assert!(pin.contains(&expected), "{pin}");
        let ders = attribute(&device, "<DERListLink", "href");
        let fsa = attribute(&device, "<FunctionSetAssignmentsListLink", "href");
        let der = self.asks(&get(&format!("{ders}?l=1")), 200).await.text();
        let fsa = self.asks(&get(&format!("{fsa}?l=1")), 200).await.text();
        let programs = attribute(&fsa, "<DERProgramListLink", "href");
        let programs = self
            .asks(&get(&format!("{programs}?l=1")), 200)
            .await
            .text();
        let default = attribute(&programs, "<DefaultDERControlLink", "href");
        self.asks(&get(&default), 200).await;
        let controls = attribute(&programs, "<DERControlListLink", "href");
        (attribute(&der, "<DER ", "href"), controls)
    }

    /// Nameplate, settings, status and availability, with the names of the draft.
    async fn describes(&mut self, der: &str) {
        let now = wattfold::clock::now().secs();
        let power = |name: &str, w: u32| {
            format!("<{name}><multiplier>0</multiplier><value>{w}</value></{name}>")
        };
        let rated = format!(
            "<modesSupported>01fffd</modesSupported><rtgA><multiplier>0</multiplier>\
             <value>20</value></rtgA><rtgAh><multiplier>0</multiplier><value>0</value></rtgAh>{}\
             <type>4</type>",
            power("rtgMaxW", 5_000)
        );
        let settings = format!(
            "<modesEnabled>01fffd</modesEnabled><setGradW>100</setGradW>{}\
             <updatedTime>{now}</updatedTime>",
            power("setMaxW", 5_000)
        );
        let status = format!(
            "<genConnectStatus><dateTime>{now}</dateTime><value>07</value></genConnectStatus>\
             <readingTime>{now}</readingTime>"
        );
        let available = format!(
            "<readingTime>{now}</readingTime>{}",
            power("statWAvail", 4_000)
        );
        for (path, name, content) in [
            ("dera", "DERAvailability", available),
            ("dercap", "DERCapability", rated),
            ("derg", "DERSettings", settings),
            ("ders", "DERStatus", status),
        ] {
            let put = send("PUT", &format!("{der}/{path}"), &draft(name, &content));
            self.asks(&put, 204).await;
        }
    }

    /// Takes the one control, and says so: received, begun and done.
    async fn responds(&mut self, controls: &str) {
        let listed = self
            .asks(&get(&format!("{controls}?l=1")), 200)
            .await
            .text();
        let reply_to = attribute(&listed, "<DERControl ", "replyTo");
        let (_, mrid) = listed.split_once("<mRID>").unwrap();
        let mrid = mrid.split('<').next().unwrap().to_lowercase();
        let lfdi = self.lfdi.to_string().to_lowercase();
        for status in [1, 2, 3] {
            let body = draft(
                "DERControlResponse",
                &format!(
                    "<createdDateTime>{}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI>\
                     <status>{status}</status><subject>{mrid}</subject>",
                    wattfold::clock::now().secs()
                ),
            );
            self.asks(&send("POST", &reply_to, &body), 201).await;
        }
    }
}

async fn issue(rig: &Rig, der: &serde_json::Value) -> String {
    let path = format!("/programs/{}/controls", der["program"].as_str().unwrap());
    let body = json!({ "duration_s": 600, "base": { "max_lim_w_pct": 50.0 } });
    let control = rig.api().post(&path, &body).await;
    control["mrid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_epri_registers_and_follows_a_control() {
    let _machine = shared().await;
    let (mut rig, device) = with_leaf_only("epri", "in_band").await;
    let mut client = Client {
        wire: device.connect().await.unwrap(),
        lfdi: device.lfdi,
        transcript: Transcript(File::create(rig.dir.join("replies.jsonl")).unwrap()),
    };
    let own = client.registers().await;
    let der = rig.api().list("/ders").await.remove(0);
    let control = issue(&rig, &der).await;
    let (der_path, controls) = client.walks(&own).await;
    client.describes(&der_path).await;
    client.responds(&controls).await;
    let shown = rig
        .api()
        .get(&format!("/ders/{}", der["mrid"].as_str().unwrap()))
        .await;
    assert_eq!(shown["capability"]["p_inject_max_w"], 5_000.0, "{shown}");
    assert_eq!(shown["settings"]["p_inject_max_w"], 5_000.0, "{shown}");
    assert_eq!(shown["p_available_w"]["value"], 4_000.0, "{shown}");
    assert_eq!(shown["controls"][0]["mrid"], control);
    assert_eq!(
        shown["controls"][0]["delivery_state"], "completed",
        "{shown}"
    );
    judged(&rig).await;
    rig.stop().await;
    rig.audit();
}
