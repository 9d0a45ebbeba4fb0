//! What devices in the field send that the schema does not foresee.

use crate::codec::read::{ReadError, read};
use crate::codec::simple::{HexBinary8, HexBinary32, Simple};
use crate::codec::table::{Edition, Extension, Profile};
use crate::codec::write::write;
use crate::wire::control_mode::DoeControlType;
use crate::wire::der::{DerCapability, DerList, DerSettings, DerStatus};
use crate::wire::der_control::DerControlBase;
use crate::wire::der_curve::DerCurve;
use crate::wire::end_device::EndDevice;
use crate::wire::metering_mirror::MirrorMeterReadingList;
use crate::wire::quantity::ActivePower;
use crate::wire::time::Time;

const NS: &str = "urn:ieee:std:2030.5:ns";

fn end_device(attributes: &str, inside: &str) -> Result<EndDevice, ReadError> {
    let body = format!("<EndDevice xmlns=\"{NS}\"{attributes}>{inside}</EndDevice>");
    read(body.as_bytes())
}

const DEVICE: &str = "<sFDI>1</sFDI><changedTime>2</changedTime>";

#[test]
fn bit_maps_of_odd_width_and_small_letters_are_given_back_in_whole_octets() {
    for (came, value, given) in [
        ("01fffd", 0x01_FFFD, "01FFFD"),
        ("1fffd", 0x01_FFFD, "01FFFD"),
        ("3", 3, "03"),
        ("00000003", 3, "00000003"),
        ("DeadBeef", 0xDEAD_BEEF, "DEADBEEF"),
    ] {
        let bits = HexBinary32::read(came).unwrap();
        assert_eq!(bits.value(), value);
        assert_eq!(
            bits,
            HexBinary32::new(value),
            "digits do not make another value"
        );
        let mut out = Vec::new();
        bits.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), given);
    }
    let mut out = Vec::new();
    HexBinary8::new(0).write(&mut out);
    assert_eq!(out, b"00");
}

#[test]
fn blanks_around_values_mean_nothing() {
    let device = end_device(
        " href=\" /edev/1\n\"",
        "<lFDI>\n  3e4f45ab31edfe5b67e343e5e4562e31984e23e5 </lFDI><sFDI> 0167 </sFDI>\
         <changedTime>\t2\r\n</changedTime><enabled> 1 </enabled>",
    );
    let device = device.unwrap();
    assert_eq!(device.href, Some("/edev/1".into()));
    assert_eq!(device.sfdi.0, 167);
    assert_eq!(device.enabled, Some(true));
    assert_eq!(device.lfdi.unwrap().0[0], 0x3E);
}

#[test]
fn attributes_of_others_are_passed_over() {
    let plain = end_device(" href='/a' subscribable='1'", DEVICE).unwrap();
    let busy = end_device(
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:o='urn:other' \
         xsi:schemaLocation='urn:ieee:std:2030.5:ns sep.xsd' schemaVer='2.1' o:href='/b' \
         subscribable='1' href='/a'",
        DEVICE,
    );
    assert_eq!(busy.as_ref(), Ok(&plain));
    let qualified = end_device(
        &format!(" xmlns:s='{NS}' s:href='/a' s:subscribable='1'"),
        DEVICE,
    );
    assert_eq!(qualified, Ok(plain));
    assert_eq!(
        end_device(" href='/a' href='/b'", DEVICE),
        Err(ReadError::Malformed)
    );
    assert_eq!(end_device(" unbound:href='/a'", DEVICE).unwrap().href, None);
}

#[test]
fn comments_and_instructions_are_no_text() {
    let plain = end_device("", DEVICE).unwrap();
    let body = format!(
        "\u{FEFF}<?xml version='1.0'?><!-- a --><?b c?><EndDevice xmlns='{NS}'><!-- d -->\
         <sFDI><!-- e -->1<?f?></sFDI>\n<changedTime><![CDATA[2]]></changedTime><?g?></EndDevice>\
         <!-- h -->"
    );
    assert_eq!(read(body.as_bytes()), Ok(plain));
}

#[test]
fn the_extension_is_known_by_namespace_and_not_by_prefix() {
    let limit =
        "<{}opModImpLimW><s:multiplier>1</s:multiplier><s:value>5</s:value></{}opModImpLimW>";
    let base = |prefix: &str, namespace: &str| {
        let limit = limit.replace("{}", prefix);
        let body = format!(
            "<s:DERControlBase xmlns:s='{NS}' xmlns:csipaus='{namespace}' xmlns:c='{namespace}'>\
             {limit}</s:DERControlBase>"
        );
        read::<DerControlBase>(body.as_bytes())
            .unwrap()
            .op_mod_imp_lim_w
    };
    let expected = ActivePower {
        multiplier: 1,
        value: 5,
    };
    for namespace in [
        "https://csipaus.org/ns",
        "https://csipaus.org/ns/v1.3",
        "https://csipaus.org/ns/v1.3-beta/storage",
    ] {
        assert_eq!(base("c:", namespace).as_ref(), Some(&expected));
        assert_eq!(base("csipaus:", namespace).as_ref(), Some(&expected));
        assert_eq!(
            base("s:", namespace),
            None,
            "the standard has no such element"
        );
    }
    assert_eq!(base("csipaus:", "urn:other"), None);
}

#[test]
fn what_the_standard_has_is_not_taken_from_the_extension() {
    let body = format!(
        "<DERControlBase xmlns='{NS}' xmlns:c='https://csipaus.org/ns'>\
         <c:opModConnect>true</c:opModConnect></DERControlBase>"
    );
    let base: DerControlBase = read(body.as_bytes()).unwrap();
    assert_eq!(base, DerControlBase::default());
}

/// Rows of one edition come to nobody of another one.
#[test]
fn each_profile_gets_its_own_rows() {
    let settings = DerSettings {
        modes_enabled2: Some(Default::default()),
        doe_modes_enabled: Some(DoeControlType::new(3)),
        vpp_modes_enabled: Some(Default::default()),
        ..DerSettings::default()
    };
    for profile in Profile::ALL {
        let written = String::from_utf8(write(&settings, profile)).unwrap();
        let has = [
            ("modesEnabled2", profile.edition == Edition::Y2023),
            (
                "csipaus:doeModesEnabled",
                profile.extension != Extension::None,
            ),
            (
                "csipaus:vppModesEnabled",
                profile.extension == Extension::CsipAus13,
            ),
        ];
        for (name, expected) in has {
            assert_eq!(written.contains(name), expected, "{profile:?} {name}");
        }
    }
    let newer = write(&settings, Profile::EVERYTHING);
    assert_eq!(read(&newer), Ok(settings), "and all of them are read");
}

#[test]
fn a_list_that_is_posted_need_not_count_its_members() {
    let body = format!(
        "<MirrorMeterReadingList xmlns='{NS}'><MirrorMeterReading><mRID>1</mRID>\
         </MirrorMeterReading></MirrorMeterReadingList>"
    );
    let list: MirrorMeterReadingList = read(body.as_bytes()).unwrap();
    assert_eq!((list.all, list.mirror_meter_reading.len()), (0, 1));
    assert!(read::<DerList>(format!("<DERList xmlns='{NS}' all='x'/>").as_bytes()).is_err());
}

#[test]
fn a_curve_has_one_to_ten_points() {
    let curve = |points: usize| {
        let points = "<CurveData><xvalue>1</xvalue><yvalue>2</yvalue></CurveData>".repeat(points);
        let body = format!(
            "<DERCurve xmlns='{NS}'><mRID>1</mRID><creationTime>0</creationTime>{points}\
             <curveType>11</curveType><xMultiplier>0</xMultiplier><yMultiplier>0</yMultiplier>\
             <yRefType>3</yRefType></DERCurve>"
        );
        read::<DerCurve>(body.as_bytes()).map(|curve| curve.curve_data.len())
    };
    assert_eq!(curve(1), Ok(1));
    assert_eq!(curve(10), Ok(10));
    assert_eq!(
        curve(0),
        Err(ReadError::Missing {
            in_type: "DERCurve",
            name: "CurveData"
        })
    );
    assert_eq!(
        curve(11),
        Err(ReadError::Repeated {
            in_type: "DERCurve",
            name: "CurveData",
            max: 10
        })
    );
}

/// EPRI's client has names of a draft in its capability.
#[test]
fn names_of_drafts_are_unknown_elements() {
    let body = "<DERCapability xmlns='http://ieee.org/2030.5'><modesSupported>01fffd</modesSupported>\
        <rtgA><multiplier>0</multiplier><value>7</value></rtgA><rtgAh/><rtgMaxW><multiplier>0\
        </multiplier><value>7000</value></rtgMaxW><type>83</type></DERCapability>";
    let capability: DerCapability = read(body.as_bytes()).unwrap();
    assert_eq!(capability.rtg_max_a, None);
    assert_eq!(capability.modes_supported.value(), 0x01_FFFD);
}

#[test]
fn an_element_without_content_is_an_empty_text() {
    let body = format!(
        "<DERStatus xmlns='{NS}'><manufacturerStatus><dateTime>1</dateTime><value/>\
         </manufacturerStatus><readingTime>1</readingTime></DERStatus>"
    );
    let status: DerStatus = read(body.as_bytes()).unwrap();
    assert_eq!(status.manufacturer_status.unwrap().value.as_str(), "");
    let number = format!("<Time xmlns='{NS}'><currentTime/></Time>");
    assert!(matches!(
        read::<Time>(number.as_bytes()),
        Err(ReadError::Value { .. })
    ));
}
