//! Metering mirror: usage points are resources, their readings are telemetry.

use super::{Submitted, reports_for};
use crate::codec::read::Document;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::resources::{MAX_METER_READINGS, MAX_USAGE_POINTS, next_number};
use crate::server::{DocumentWrite, Submission, View};
use crate::translate::Client;
use crate::translate::metering::{Measurement, Meter, measurements};
use crate::wire::error::ReasonCode;
use crate::wire::metering::ReadingType;
use crate::wire::metering_mirror::{MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint};

/// A usage point is known by its mRID: posting it again updates it.
pub(super) fn post_usage_point(
    submitted: &Submitted<'_>,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let posted: MirrorUsagePoint = submitted.read()?;
    submitted.client()?;
    let of = reports_for(submitted, posted.device_lfdi, view)
        .ok_or_else(|| Refusal::forbidden("deviceLFDI is of none that the client answers for"))?;
    let known = &view.resources.of_client(of).usage_points;
    let mut points = known.iter();
    let same = points.find(|(_, usage_point)| usage_point.mrid == posted.mrid);
    let number = match same {
        Some((number, _)) => *number,
        None if known.len() >= MAX_USAGE_POINTS => {
            let reason = format!("at most {MAX_USAGE_POINTS} usage points of one device");
            return Err(Refusal::limit(reason));
        }
        None => next_number(known).max(view.resources.of_client(of).usage_points_deleted + 1),
    };
    let mut submission = keep(submitted, (of, number), &posted, view)?;
    let status = if same.is_some() { 204 } else { 201 };
    let location = Target::MirrorUsagePoint(of, number).to_string();
    submission.reply = Response::located(status, location);
    Ok(submission)
}

/// The usage point as it is from now on.
pub(super) fn put_usage_point(
    submitted: &Submitted<'_>,
    (of, number): (Client, u32),
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let posted: MirrorUsagePoint = submitted.read()?;
    let known = known(of, number, view)?;
    if reports_for(submitted, posted.device_lfdi, view) != Some(of) {
        return Err(Refusal::forbidden(
            "deviceLFDI is not that of the usage point",
        ));
    }
    if known.mrid != posted.mrid {
        return Err(Refusal::conflict(
            "the mRID of a usage point does not change",
        ));
    }
    keep(submitted, (of, number), &posted, view)
}

/// What is known of readings stays unless it is posted anew.
fn keep(
    submitted: &Submitted<'_>,
    (of, number): (Client, u32),
    posted: &MirrorUsagePoint,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let old = view.resources.of_client(of).usage_points.get(&number);
    let kept_readings = old.map_or(&[][..], |old| &old.mirror_meter_reading[..]);
    check_mrids(of, &posted.mirror_meter_reading, view)?;
    let kept = MirrorUsagePoint {
        href: None,
        post_rate: None,
        mirror_meter_reading: merged(kept_readings, &posted.mirror_meter_reading)?,
        ..posted.clone()
    };
    let mut submission = submitted.replying(Response::no_content())?;
    measured(
        &mut submission,
        of,
        &kept,
        (&posted.mirror_meter_reading, submitted),
        view,
    );
    if old != Some(&kept) {
        let document = DocumentWrite::put(of, format!("mup/{number}"), &kept);
        submission.documents.push(document);
    }
    Ok(submission)
}

/// The number is not given again.
pub(super) fn delete_usage_point(
    submitted: &Submitted<'_>,
    (of, number): (Client, u32),
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    known(of, number, view)?;
    let mut submission = submitted.replying(Response::no_content())?;
    submission.documents = removal(of, number, view);
    Ok(submission)
}

fn removal(of: Client, number: u32, view: &View<'_>) -> Vec<DocumentWrite> {
    view.resources.without_usage_points(of, [number])
}

fn known<'a>(of: Client, number: u32, view: &View<'a>) -> Result<&'a MirrorUsagePoint, Refusal> {
    let usage_points = &view.resources.of_client(of).usage_points;
    usage_points.get(&number).ok_or(Refusal::NOT_FOUND)
}

/// Readings for a usage point.
///
/// Interpretation: the reply to a reading of a new type is 201 with the usage point as its
/// location, since the mirrored meter readings are given there; to one of a known type it is 204.
pub(super) fn post_readings(
    submitted: &Submitted<'_>,
    (of, number): (Client, u32),
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let usage_point = known(of, number, view)?;
    let document = Document::open(submitted.body)?.in_profile(submitted.profile);
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
    check_mrids(of, &posted, view)?;
    let kept = MirrorUsagePoint {
        mirror_meter_reading: merged(&usage_point.mirror_meter_reading, &posted)?,
        ..usage_point.clone()
    };
    let grown = usage_point.mirror_meter_reading.len() < kept.mirror_meter_reading.len();
    let location = Target::MirrorUsagePoint(of, number).to_string();
    let reply = if grown {
        Response::located(201, location)
    } else {
        Response::no_content()
    };
    let mut submission = submitted.replying(reply)?;
    measured(&mut submission, of, &kept, (&posted, submitted), view);
    if kept != *usage_point {
        let document = DocumentWrite::put(of, format!("mup/{number}"), &kept);
        submission.documents.push(document);
    }
    Ok(submission)
}

/// The mRID of a meter reading is one client's for as long as it has it and is there.
fn check_mrids(of: Client, posted: &[MirrorMeterReading], view: &View<'_>) -> Result<(), Refusal> {
    let mut owners = posted
        .iter()
        .flat_map(|reading| view.resources.meter_reading(reading.mrid));
    let there = |owner: Client| match owner {
        Client::Der(id) => view.fleet.der(id).is_some_and(|der| der.removed.is_none()),
        Client::Aggregator(_) => true,
    };
    match owners.any(|owner| owner != of && there(owner)) {
        true => Err(Refusal::conflict("the mRID of a meter reading is taken")),
        false => Ok(()),
    }
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

/// What the readings say of the DER, if they are of one.
fn measured(
    submission: &mut Submission,
    of: Client,
    kept: &MirrorUsagePoint,
    (posted, submitted): (&[MirrorMeterReading], &Submitted<'_>),
    view: &View<'_>,
) {
    let Client::Der(der) = of else {
        return;
    };
    let meter = Meter {
        role_flags: kept.role_flags,
        forward: view.config.forward,
    };
    let typed = posted.iter().filter_map(|reading| {
        let mut known = kept.mirror_meter_reading.iter();
        let known = known.find(|known| known.mrid == reading.mrid)?;
        let reading_type: &ReadingType = known.reading_type.as_ref()?;
        Some((reading_type, reading))
    });
    let told: Vec<Measurement> = measurements(meter, typed, submitted.now);
    submission.der = Some(der);
    submission.measurements = told;
}
