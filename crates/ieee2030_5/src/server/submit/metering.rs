//! Metering mirror: usage points are resources, their readings are telemetry.

use crate::codec::read::{Document, read};
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::resources::{MAX_METER_READINGS, MAX_USAGE_POINTS, next_number};
use crate::server::{DocumentWrite, Submission, View};
use crate::translate::metering::{Measurement, Meter, measurements};
use crate::wire::error::ReasonCode;
use crate::wire::metering::ReadingType;
use crate::wire::metering_mirror::{MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint};

use super::Submitted;

/// A usage point is known by its mRID: posting it again updates it.
pub(super) fn post_usage_point(
    submitted: &Submitted<'_>,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let posted: MirrorUsagePoint = read(submitted.body)?;
    submitted.is_sender(posted.device_lfdi)?;
    let der = submitted.der.id;
    let known = &view.resources.of(der).usage_points;
    let same = known
        .iter()
        .find(|(_, usage_point)| usage_point.mrid == posted.mrid);
    let (number, old) = match same {
        Some((number, old)) => (*number, Some(old)),
        None if known.len() >= MAX_USAGE_POINTS => {
            return Err(Refusal::limit(format!(
                "at most {MAX_USAGE_POINTS} usage points"
            )));
        }
        None => (next_number(known), None),
    };
    let kept_readings = old.map_or(&[][..], |old| &old.mirror_meter_reading[..]);
    let kept = MirrorUsagePoint {
        href: None,
        post_rate: Some(view.config.post_rate_s),
        mirror_meter_reading: merged(kept_readings, &posted.mirror_meter_reading)?,
        ..posted.clone()
    };
    let status = if old.is_some() { 204 } else { 201 };
    let location = Target::UsagePoint(der.0, number).to_string();
    let mut submission = submitted.replying(Response::located(status, location));
    submission.measurements = measured(&kept, &posted.mirror_meter_reading, submitted, view);
    if old != Some(&kept) {
        submission
            .documents
            .push(DocumentWrite::put(der, format!("mup/{number}"), &kept));
    }
    Ok(submission)
}

/// Readings for a usage point.
///
/// Interpretation: the reply to a reading of a new type is 201 with the usage point as its
/// location, since the mirrored meter readings are given there; to one of a known type it is 204.
pub(super) fn post_readings(
    submitted: &Submitted<'_>,
    number: u32,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let der = submitted.der.id;
    let usage_point = view
        .resources
        .of(der)
        .usage_points
        .get(&number)
        .ok_or(Refusal::NOT_FOUND)?;
    let document = Document::open(submitted.body)?;
    let posted = match document.name() {
        "MirrorMeterReading" => vec![document.read::<MirrorMeterReading>()?],
        "MirrorMeterReadingList" => {
            document
                .read::<MirrorMeterReadingList>()?
                .mirror_meter_reading
        }
        _ => {
            let reason = "the root is neither MirrorMeterReading nor its list".to_owned();
            return Err(Refusal::new(400, ReasonCode::INVALID_FORMAT, reason));
        }
    };
    let kept = MirrorUsagePoint {
        mirror_meter_reading: merged(&usage_point.mirror_meter_reading, &posted)?,
        ..usage_point.clone()
    };
    let grown = usage_point.mirror_meter_reading.len() < kept.mirror_meter_reading.len();
    let location = Target::UsagePoint(der.0, number).to_string();
    let reply = if grown {
        Response::located(201, location)
    } else {
        Response::no_content()
    };
    let mut submission = submitted.replying(reply);
    submission.measurements = measured(&kept, &posted, submitted, view);
    if kept != *usage_point {
        submission
            .documents
            .push(DocumentWrite::put(der, format!("mup/{number}"), &kept));
    }
    Ok(submission)
}

/// The meter readings known so far and those posted, without what they read.
fn merged(
    known: &[MirrorMeterReading],
    posted: &[MirrorMeterReading],
) -> Result<Vec<MirrorMeterReading>, Refusal> {
    let mut merged = known.to_vec();
    for new in posted {
        let old = merged.iter_mut().find(|old| old.mrid == new.mrid);
        let known_type = old.as_ref().and_then(|old| old.reading_type.as_ref());
        let Some(reading_type) = new.reading_type.as_ref().or(known_type) else {
            return Err(Refusal::invalid("MirrorMeterReading has no ReadingType"));
        };
        let header = MirrorMeterReading {
            mrid: new.mrid,
            description: new.description.clone(),
            version: new.version,
            reading_type: Some(reading_type.clone()),
            ..MirrorMeterReading::default()
        };
        match old {
            Some(_) if new.reading_type.is_none() => {}
            Some(old) => *old = header,
            None => merged.push(header),
        }
        if merged.len() > MAX_METER_READINGS {
            return Err(Refusal::limit(format!(
                "at most {MAX_METER_READINGS} meter readings"
            )));
        }
    }
    Ok(merged)
}

fn measured(
    kept: &MirrorUsagePoint,
    posted: &[MirrorMeterReading],
    submitted: &Submitted<'_>,
    view: &View<'_>,
) -> Vec<Measurement> {
    let meter = Meter {
        role_flags: kept.role_flags,
        forward: view.config.forward,
    };
    let typed = posted.iter().filter_map(|reading| {
        let known = kept
            .mirror_meter_reading
            .iter()
            .find(|known| known.mrid == reading.mrid)?;
        let reading_type: &ReadingType = known.reading_type.as_ref()?;
        Some((reading_type, reading))
    });
    measurements(meter, typed, submitted.now)
}
