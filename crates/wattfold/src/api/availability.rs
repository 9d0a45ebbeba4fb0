//! What a group can be asked for in a window of time, before anybody asks.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use fleet::dispatch::Standing;
use fleet::dispatch::availability::{Absence, Availability, Offer};
use fleet::enrolment::DemandResponseProgramId;
use serde::{Deserialize, Serialize};
use units::{Interval, Watts};
use utoipa::{IntoParams, ToSchema};

use crate::api::delivery::MemberStanding;
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::site::index;
use crate::api::value::Time;
use crate::api::{Api, group};

/// Which window is asked after.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub to: Time,
    /// mRID of a demand response programme, whose contracts and terms then count.
    pub program: Option<String>,
}

/// Power that can be held for some time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct HeldPower {
    /// For how long, in s.
    pub duration_s: u64,
    /// How much, in W, a magnitude.
    pub p_w: f64,
}

/// What can be had in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OfferView {
    /// Power that can be held, by for how long; what follows is about the first.
    pub held: Vec<HeldPower>,
    /// What of it is delivered on average, by how members have delivered, in W.
    pub expected_w: f64,
    /// What of it is delivered in nine of ten cases, where members fail independently, in W.
    pub firm_w: f64,
    /// The firm part, in percent.
    pub firm_pct: f64,
    /// Time from asking until nine tenths of it are there, in s.
    pub notice_s: f64,
    /// How fast all move together, in W per s; null where any member's ramp has no limit.
    #[schema(required)]
    pub ramp_w_per_s: Option<f64>,
    /// For how long nine tenths of it can be held, in s; at most the longest of `held`.
    pub duration_s: f64,
    /// Time after that until nine tenths of it can be had again, in s.
    pub recovery_s: f64,
}

/// Why members are not counted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeftOut {
    /// How they stand; null for those that a dispatch asks for something in the window.
    #[schema(required)]
    pub standing: Option<MemberStanding>,
    /// How many.
    pub members: u32,
}

/// What a group can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AvailabilityView {
    /// When the window begins.
    pub from: Time,
    /// When it ends.
    pub to: Time,
    /// Upwards: more injection or less absorption.
    pub up: OfferView,
    /// Downwards: less injection or more absorption.
    pub down: OfferView,
    /// Members that are counted.
    pub counted: u32,
    /// Members that are not, by why.
    pub left_out: Vec<LeftOut>,
}

/// Show what a group can be asked for in a window of time: how far up and down, after what notice,
/// for how long, how soon again, and how surely. PV is counted with the sun of now.
#[utoipa::path(get, path = "/api/v1/groups/{mrid}/availability", operation_id = "show_availability", tag = "groups",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"), AvailabilityQuery),
    responses((status = 200, body = AvailabilityView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<AvailabilityQuery>,
) -> Result<Json<AvailabilityView>, Problem> {
    if query.to.0 <= query.from.0 {
        return Err(Problem::field("to", "must be later than from"));
    }
    api.world(|world| {
        let group = group::find(world.fleet, &mrid)?;
        let programs = world.fleet.enrolment().programs();
        let program = query.program.as_deref();
        let program = program
            .map(|mrid| index(programs, "program", mrid))
            .transpose()?;
        let window = Interval::between(query.from.0, query.to.0);
        let program = program.map(DemandResponseProgramId);
        let availability = world.availability(&group.members, window, program);
        Ok(Json(view(&availability)))
    })
}

fn view(availability: &Availability) -> AvailabilityView {
    let mut left_out: BTreeMap<Option<Standing>, u32> = BTreeMap::new();
    for (why, members) in &availability.left_out {
        let standing = match why {
            Absence::Standing(standing) => Some(*standing),
            Absence::Committed => None,
        };
        *left_out.entry(standing).or_default() += members;
    }
    let row = |(standing, members): (Option<Standing>, u32)| LeftOut {
        standing: standing.map(Into::into),
        members,
    };
    AvailabilityView {
        from: availability.window.start.into(),
        to: availability.window.end().into(),
        up: offer(&availability.up),
        down: offer(&availability.down),
        counted: availability.counted,
        left_out: left_out.into_iter().map(row).collect(),
    }
}

fn offer(offer: &Offer) -> OfferView {
    let held = offer.held.iter().map(|(duration, p)| HeldPower {
        duration_s: duration.as_secs(),
        p_w: p.as_f64(),
    });
    OfferView {
        held: held.collect(),
        expected_w: offer.expected.as_f64(),
        firm_w: offer.firm.as_f64(),
        firm_pct: offer.firm_pct().as_f64(),
        notice_s: offer.notice.as_secs_f64(),
        ramp_w_per_s: offer.ramp_w_per_s.map(Watts::as_f64),
        duration_s: offer.duration.as_secs_f64(),
        recovery_s: offer.recovery.as_secs_f64(),
    }
}
