//! Any bytes as each body that the IEEE 2030.5 server takes. Nothing panics, and what is read is the
//! same after it has been written and read again.
#![no_main]

use ieee2030_5::codec::read::{Complex, Document, read};
use ieee2030_5::codec::table::Edition;
use ieee2030_5::codec::write::write;
use ieee2030_5::wire::der::{DerAvailability, DerCapability, DerSettings, DerStatus};
use ieee2030_5::wire::der_control::{DerControlList, DerProgramList};
use ieee2030_5::wire::device_information::DeviceInformation;
use ieee2030_5::wire::end_device::EndDevice;
use ieee2030_5::wire::log_event::LogEvent;
use ieee2030_5::wire::metering_mirror::{
    MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint,
};
use ieee2030_5::wire::response::Response;
use libfuzzer_sys::fuzz_target;

fn round_trip<T: Complex + PartialEq + std::fmt::Debug>(body: &[u8]) {
    let Ok(document) = Document::open(body) else {
        return;
    };
    let Ok(value) = document.read_as::<T>() else {
        return;
    };
    let written = write(&value, Edition::Y2018);
    assert_eq!(read::<T>(&written).as_ref(), Ok(&value));
}

fuzz_target!(|body: &[u8]| {
    round_trip::<DerAvailability>(body);
    round_trip::<DerCapability>(body);
    round_trip::<DerControlList>(body);
    round_trip::<DerProgramList>(body);
    round_trip::<DerSettings>(body);
    round_trip::<DerStatus>(body);
    round_trip::<DeviceInformation>(body);
    round_trip::<EndDevice>(body);
    round_trip::<LogEvent>(body);
    round_trip::<MirrorMeterReading>(body);
    round_trip::<MirrorMeterReadingList>(body);
    round_trip::<MirrorUsagePoint>(body);
    round_trip::<Response>(body);
});
