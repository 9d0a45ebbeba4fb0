//! A device at the other end of mutual TLS.

use std::io;
use std::net::SocketAddr;

use fleet::Lfdi;
use tokio::net::TcpStream;
use wattfold::tls::{Connector, TlsError};

use crate::exchange::{Reply, Request, Wire};

const SEP_XML: &str = "application/sep+xml";
const NAMESPACE: &str = "urn:ieee:std:2030.5:ns";

/// A certificate, and where to show it.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) lfdi: Lfdi,
    connector: Connector,
    server: SocketAddr,
}

impl Device {
    pub(crate) fn new(name: String, lfdi: Lfdi, connector: Connector, server: SocketAddr) -> Self {
        Self {
            name,
            lfdi,
            connector,
            server,
        }
    }

    /// The same device, which looks for the server elsewhere.
    pub(crate) fn at(&self, server: SocketAddr) -> Self {
        Self {
            server,
            ..self.clone()
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<Wire> {
        let stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        let shaken = self.connector.connect("localhost", stream).await;
        let stream = shaken.map_err(|error: TlsError| io::Error::other(error))?;
        Ok(Wire::over(stream))
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &Request) -> io::Result<Reply> {
        self.connect().await?.exchange(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> io::Result<Reply> {
        self.ask(&Request::new("GET", path)).await
    }
}

/// A document of the standard's namespace.
pub(crate) fn document(name: &str, content: &str) -> String {
    format!("<{name} xmlns=\"{NAMESPACE}\">{content}</{name}>")
}

pub(crate) fn write(method: &str, path: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new(method, path).body(SEP_XML, body)
}

/// What a battery of 5 kW and 13.5 kWh that charges and discharges says of itself: nameplate and
/// settings, below its first DER.
pub(crate) async fn describe_battery(wire: &mut Wire, end_device: &str) {
    let watts = |name: &str, w: u32| {
        format!("<{name}><multiplier>0</multiplier><value>{w}</value></{name}>")
    };
    // Charge, discharge, connect, fixed and target active power.
    let modes = "00400087";
    let capability = [
        format!("<modesSupported>{modes}</modesSupported>"),
        watts("rtgMaxChargeRateW", 5_000),
        watts("rtgMaxDischargeRateW", 5_000),
        watts("rtgMaxW", 5_000),
        watts("rtgMaxWh", 13_500),
        "<type>82</type>".to_owned(),
    ];
    let settings = [
        format!("<modesEnabled>{modes}</modesEnabled>"),
        "<setGradW>10000</setGradW>".to_owned(),
        watts("setMaxChargeRateW", 5_000),
        watts("setMaxDischargeRateW", 5_000),
        watts("setMaxW", 5_000),
        watts("setMaxWh", 13_500),
        format!(
            "<updatedTime>{}</updatedTime>",
            wattfold::clock::now().secs()
        ),
    ];
    let at = wattfold::clock::now().secs();
    let status = format!(
        "<genConnectStatus><dateTime>{at}</dateTime><value>05</value></genConnectStatus>\
         <readingTime>{at}</readingTime>\
         <stateOfChargeStatus><dateTime>{at}</dateTime><value>5000</value></stateOfChargeStatus>"
    );
    for (path, body) in [
        ("dercap", document("DERCapability", &capability.concat())),
        ("derg", document("DERSettings", &settings.concat())),
        ("ders", document("DERStatus", &status)),
    ] {
        let put = write("PUT", &format!("{end_device}/der/1/{path}"), body);
        let reply = wire.exchange(&put).await.unwrap();
        assert_eq!(reply.status, 204, "{path}: {reply:?}");
    }
}

/// A usage point for the active power of this device, with one mean reading of it.
pub(crate) fn power_meter(lfdi: Lfdi, mrid: u128) -> String {
    let reading_type = "<accumulationBehaviour>12</accumulationBehaviour>\
        <commodity>1</commodity><dataQualifier>2</dataQualifier>\
        <flowDirection>19</flowDirection><kind>37</kind>\
        <powerOfTenMultiplier>0</powerOfTenMultiplier><uom>38</uom>";
    document(
        "MirrorUsagePoint",
        &format!(
            "<mRID>{mrid:032X}</mRID><description>meter</description>\
             <roleFlags>0049</roleFlags><serviceCategoryKind>0</serviceCategoryKind>\
             <status>1</status><deviceLFDI>{lfdi}</deviceLFDI>\
             <MirrorMeterReading><mRID>{:032X}</mRID><description>power</description>\
             <ReadingType>{reading_type}</ReadingType></MirrorMeterReading>",
            mrid + 1
        ),
    )
}

/// Readings of that meter: so many seconds from `start_s`, one watt of injection each.
pub(crate) fn power_readings(mrid: u128, start_s: i64, count: usize) -> String {
    let seconds = (start_s..).take(count);
    let readings: String = seconds
        .map(|at| {
            format!(
                "<Reading><timePeriod><duration>1</duration><start>{at}</start></timePeriod>\
                 <value>1</value></Reading>"
            )
        })
        .collect();
    document(
        "MirrorMeterReading",
        &format!(
            "<mRID>{:032X}</mRID><MirrorReadingSet><mRID>{:032X}</mRID>\
             <timePeriod><duration>{count}</duration><start>{start_s}</start></timePeriod>\
             {readings}</MirrorReadingSet>",
            mrid + 1,
            mrid + 2
        ),
    )
}
