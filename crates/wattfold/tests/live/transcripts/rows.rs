//! The table: what is peculiar, the bytes, the status, and something that the answer says.

use fleet::Lfdi;

use crate::device::document;

/// What the requests are about.
pub(super) struct Scene {
    pub(super) lfdi: Lfdi,
    pub(super) port: u16,
    /// mRID of a control of the device.
    pub(super) control: String,
}

pub(super) struct Row {
    pub(super) trap: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) says: &'static str,
}

const SEP_XML: &str = "Content-Type: application/sep+xml\r\n";

fn row(trap: &'static str, bytes: impl Into<Vec<u8>>, status: u16, says: &'static str) -> Row {
    Row {
        trap,
        bytes: bytes.into(),
        status,
        says,
    }
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = match body.len() {
        0 => String::new(),
        bytes => format!("Content-Length: {bytes}\r\n"),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}")
}

fn get(target: &str, headers: &str) -> String {
    request("GET", target, headers, "")
}

pub(super) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = reads(scene);
    rows.extend(writes());
    rows.extend(responses(scene));
    rows.extend(meters(scene));
    rows
}

fn reads(scene: &Scene) -> Vec<Row> {
    let absolute = format!("https://localhost:{}/tm", scene.port);
    let accepts = |what: &str| get("/tm", &format!("Accept: {what}\r\n"));
    let (time, devices) = ("<Time ", "<EndDeviceList ");
    vec![
        row("no Accept", get("/tm", ""), 200, time),
        row("Content-Type on a GET", get("/tm", SEP_XML), 200, time),
        row("Accept of everything", accepts("*/*"), 200, time),
        row(
            "Accept of all that is application",
            accepts("application/*"),
            200,
            time,
        ),
        row(
            "Accept with a level",
            accepts("application/sep+xml; level=-S1"),
            200,
            time,
        ),
        row(
            "Accept with both signs",
            accepts("application/sep+xml;level=+S1"),
            200,
            time,
        ),
        row(
            "Accept of EXI or XML",
            accepts("application/sep-exi;level=-S1, application/sep+xml;level=-S1;q=0.5"),
            200,
            time,
        ),
        row(
            "Accept of EXI alone",
            accepts("application/sep-exi"),
            406,
            "",
        ),
        row("a request in absolute form", get(&absolute, ""), 200, time),
        row("a trailing slash", get("/edev/0/", ""), 200, "<EndDevice "),
        row("a list without l", get("/edev", ""), 200, " results=\"1\""),
        row("l of zero", get("/edev?s=0&l=0", ""), 200, " results=\"0\""),
        row(
            "beyond the end of a list",
            get("/edev?s=9&l=9", ""),
            200,
            " results=\"0\"",
        ),
        row(
            "paging in the other order",
            get("/edev?l=5&s=0", ""),
            200,
            devices,
        ),
        row(
            "paging said twice",
            get("/edev?l=5&l=6", ""),
            400,
            "<Error ",
        ),
        row(
            "paging that is no number",
            get("/edev?s=0&l=many", ""),
            400,
            "<Error ",
        ),
        row("HEAD", request("HEAD", "/tm", "", ""), 200, ""),
        row(
            "blanks around a header",
            get("/tm", "Accept:   application/sep+xml  \r\n"),
            200,
            time,
        ),
        row(
            "header names in lower case",
            get("/tm", "accept: application/sep+xml\r\n"),
            200,
            time,
        ),
    ]
}

/// Nameplate of a generator as `name` of `namespace`, with `more` before the required elements.
fn capability(open: &str, close: &str, modes: &str, more: &str) -> String {
    format!(
        "{open}<modesSupported>{modes}</modesSupported>{more}\
         <rtgMaxW><multiplier>0</multiplier><value>5000</value></rtgMaxW><type>4</type>{close}"
    )
}

#[expect(clippy::too_many_lines, reason = "a table of rows")]
fn writes() -> Vec<Row> {
    let put = |headers: &str, body: &str| request("PUT", "/edev/0/der/1/dercap", headers, body);
    let plain = |modes: &str, more: &str| {
        let open = "<DERCapability xmlns=\"urn:ieee:std:2030.5:ns\">";
        capability(open, "</DERCapability>", modes, more)
    };
    let draft = capability(
        "<DERCapability xmlns=\"http://ieee.org/2030.5\">",
        "</DERCapability>",
        "01fffd",
        "",
    );
    let prefixed = "<sep:DERCapability xmlns:sep=\"urn:ieee:std:2030.5:ns\">\
        <sep:modesSupported>00100080</sep:modesSupported><sep:rtgMaxW>\
        <sep:multiplier>0</sep:multiplier><sep:value>5000</sep:value></sep:rtgMaxW>\
        <sep:type>4</sep:type></sep:DERCapability>";
    let shuffled = document(
        "DERCapability",
        "<type>4</type><rtgMaxW><value>5000</value><multiplier>0</multiplier></rtgMaxW>\
         <modesSupported>00100080</modesSupported>",
    );
    let chunked = |body: &str| {
        format!(
            "PUT /edev/0/der/1/dercap HTTP/1.1\r\nHost: localhost\r\n{SEP_XML}\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    let modes = "00100080";
    let commented = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<!-- of a gateway -->\n{}\n",
        plain(modes, "<!-- nothing -->")
    );
    let padded = {
        let body = plain(modes, "");
        let (head, body) = (put(SEP_XML, &body), body);
        let length = format!("Content-Length: {}", body.len());
        head.replace(&length, &format!("{length}   "))
    };
    let levelled = "Content-Type: application/sep+xml; level=-S1\r\n";
    let cased = "Content-Type: Application/SEP+XML;charset=utf-8\r\n";
    let exi = "Content-Type: application/sep-exi\r\n";
    let foreign = "<x:vendor xmlns:x=\"urn:vendor\"><x:deep>1</x:deep></x:vendor>";
    vec![
        row("the namespace of the draft", put(SEP_XML, &draft), 204, ""),
        row(
            "a bitmap of odd width, in lower case",
            put(SEP_XML, &plain("1fffd", "")),
            204,
            "",
        ),
        row(
            "a prefix for the namespace",
            put(SEP_XML, prefixed),
            204,
            "",
        ),
        row("elements out of order", put(SEP_XML, &shuffled), 204, ""),
        row(
            "an unknown element",
            put(SEP_XML, &plain(modes, "<rtgNew>1</rtgNew>")),
            204,
            "",
        ),
        row(
            "a vendor's element",
            put(SEP_XML, &plain(modes, foreign)),
            204,
            "",
        ),
        row(
            "names of the draft",
            put(SEP_XML, &plain(modes, "<rtgAh>1</rtgAh>")),
            204,
            "",
        ),
        row(
            "a declaration and comments",
            put(SEP_XML, &commented),
            204,
            "",
        ),
        row("a body in chunks", chunked(&plain(modes, "")), 204, ""),
        row("blanks after the length", padded, 204, ""),
        row(
            "Content-Type with a level",
            put(levelled, &plain(modes, "")),
            204,
            "",
        ),
        row(
            "Content-Type in another case",
            put(cased, &plain(modes, "")),
            204,
            "",
        ),
        row("EXI", put(exi, "\u{80}"), 415, ""),
        row(
            "what came last is there",
            get("/edev/0/der/1/dercap", ""),
            200,
            "<rtgMaxW>",
        ),
        row(
            "settings that do not say when",
            request(
                "PUT",
                "/edev/0/der/1/derg",
                SEP_XML,
                &document(
                    "DERSettings",
                    "<setGradW>100</setGradW><setMaxW><multiplier>0</multiplier>\
                     <value>5000</value></setMaxW>",
                ),
            ),
            400,
            "<Error ",
        ),
    ]
}

fn responses(scene: &Scene) -> Vec<Row> {
    let response = |lfdi: &str, status: u8, subject: &str| {
        let body = document(
            "DERControlResponse",
            &format!(
                "<createdDateTime>{}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI>\
                 <status>{status}</status><subject>{subject}</subject>",
                wattfold::clock::now().secs()
            ),
        );
        request("POST", "/rsps/0/rsp", SEP_XML, &body)
    };
    let lfdi = scene.lfdi.to_string();
    let (small, control) = (scene.control.to_lowercase(), scene.control.as_str());
    let spaced = format!(" {control} ");
    vec![
        row(
            "hexadecimals in lower case",
            response(&lfdi.to_lowercase(), 1, &small),
            201,
            "",
        ),
        row(
            "blanks around a value",
            response(&lfdi, 2, &spaced),
            201,
            "",
        ),
        row(
            "a subject of C",
            response(&lfdi, 1, "0xFFFFFFFF"),
            400,
            "<Error ",
        ),
        row(
            "a status of nobody",
            response(&lfdi, 200, control),
            400,
            "<Error ",
        ),
        row(
            "an LFDI of nobody",
            response("0F423F", 1, control),
            400,
            "<Error ",
        ),
    ]
}

fn meters(scene: &Scene) -> Vec<Row> {
    let post = |to: &str, body: &str| request("POST", to, SEP_XML, body);
    let mup = crate::device::power_meter(scene.lfdi, 0xAB00);
    let (mrid, at) = (
        "0000000000000000000000000000AB01",
        wattfold::clock::now().secs(),
    );
    let reading = format!(
        "<mRID>{mrid}</mRID><Reading><timePeriod><duration>60</duration><start>{at}</start>\
         </timePeriod><value>-3</value></Reading>"
    );
    let alone = document("MirrorMeterReading", &reading);
    let listed = document(
        "MirrorMeterReadingList",
        &format!("<MirrorMeterReading>{reading}</MirrorMeterReading>"),
    );
    let listed = listed.replace("ns\">", "ns\" all=\"1\" results=\"1\">");
    let huge = alone.replace(">-3<", ">3000000000000000<");
    vec![
        row("a new meter", post("/mup", &mup), 201, ""),
        row("the same meter again", post("/mup", &mup), 204, ""),
        row("a reading without a set", post("/mup/0-1", &alone), 204, ""),
        row("readings in a list", post("/mup/0-1", &listed), 204, ""),
        row("more than 48 bits", post("/mup/0-1", &huge), 400, "<Error "),
    ]
}
