//! File download: software and other files for devices.

use crate::codec::simple::{AnyUri, HexBinary16, HexBinary160, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::link::Link;

complex! {
    /// A file to be loaded by devices.
    pub struct File("File") {
        @opt href: AnyUri = "href",
        opt activate_time: TimeType = "activateTime",
        one file_uri: AnyUri = "fileURI",
        opt lfdi: HexBinary160 = "lFDI",
        opt mf_hw_ver: Text<32> = "mfHwVer",
        one mf_id: u32 = "mfID",
        one mf_model: Text<32> = "mfModel",
        opt mf_ser_num: Text<32> = "mfSerNum",
        one mf_ver: Text<16> = "mfVer",
        one size: u32 = "size",
        one kind: HexBinary16 = "type",
    }

    /// Files to be loaded.
    pub struct FileList("FileList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many file: File = "File",
    }

    /// How far a device has come with a file.
    pub struct FileStatus("FileStatus") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        opt activate_time: TimeType = "activateTime",
        opt file_link: Link = "FileLink",
        one load_percent: u8 = "loadPercent",
        one next_request_attempt: TimeType = "nextRequestAttempt",
        one request_503_count: u16 = "request503Count",
        one request_fail_count: u16 = "requestFailCount",
        one status: FileState = "status",
        one status_time: TimeType = "statusTime",
    }
}

codes! {
    /// How far a device has come with a file.
    pub struct FileState(u8) {
        IDLE = 0,
        LOADING = 1,
        LOAD_FAILED = 2,
        LOADED = 3,
        SIGNATURE_INVALID = 4,
        SIGNATURE_VALID = 5,
        ACTIVATION_FAILED = 6,
        ACTIVATING = 7,
        ACTIVATED = 8,
    }
}
