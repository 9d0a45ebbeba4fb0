//! Statuses of groups.

use fleet::{Fleet, Group};
use units::{Timestamp, Vars, VoltAmperes, Watts};

use super::group::wire_names;
use crate::wire::der_group_statuses::{DerMonitorableParameter, EndDeviceGroup};
use crate::wire::naming::Status;
use crate::wire::quantity::{DerParameter, UnitMultiplier, UnitSymbol};

/// What a group does and can do, as the shell has added it up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroupStatus {
    /// When that was.
    pub at: Timestamp,
    /// Net active power, injection positive.
    pub p: Option<Watts>,
    /// How much higher the power could go now, as a magnitude.
    pub p_up_available: Option<Watts>,
    /// How much lower the power could go now, as a magnitude.
    pub p_down_available: Option<Watts>,
    /// Net reactive power, injection positive.
    pub q: Option<Vars>,
    /// Voltage at the members' terminals.
    pub voltage: Option<Voltage>,
    /// Members heard recently enough to count.
    pub reporting: usize,
}

/// Voltages of the members, in volts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voltage {
    /// Lowest.
    pub min_v: f64,
    /// Mean.
    pub mean_v: f64,
    /// Highest.
    pub max_v: f64,
}

/// A status as the wire has it.
///
/// Interpretation: values are signed, injection positive, without a flow direction, because the
/// reachable range of a group spans both directions. `yUnitInstalledMax` and `Min` are sums of
/// nameplates, `maxYValue` and `minYValue` what can be reached now.
#[must_use]
pub fn wire_status(group: &Group, fleet: &Fleet, status: &GroupStatus) -> EndDeviceGroup {
    let ratings = Ratings::of(group, fleet);
    let mut parameters = vec![active_power(&ratings, status)];
    let has_reactive = status.q.is_some() || ratings.q_inject > Vars::ZERO;
    if has_reactive {
        parameters.push(DerMonitorableParameter {
            installed_max: Some(ratings.q_inject.as_f64()),
            installed_min: Some((-ratings.q_absorb).as_f64()),
            nominal: status.q.map(Vars::as_f64),
            ..bare(DerParameter::ReactivePower, UnitSymbol::VAr, status.at)
        });
    }
    if let (Some(p), Some(q)) = (status.p, status.q) {
        let installed = (ratings.s > VoltAmperes::ZERO).then(|| ratings.s.as_f64());
        parameters.push(DerMonitorableParameter {
            installed_max: installed,
            nominal: Some(p.as_f64().hypot(q.as_f64())),
            ..bare(DerParameter::ApparentPower, UnitSymbol::VA, status.at)
        });
    }
    if let Some(voltage) = status.voltage {
        parameters.push(DerMonitorableParameter {
            max: Some(voltage.max_v),
            min: Some(voltage.min_v),
            nominal: Some(voltage.mean_v),
            ..bare(DerParameter::Voltage, UnitSymbol::V, status.at)
        });
    }
    EndDeviceGroup {
        mrid: Some(group.mrid.as_str().to_owned()),
        parameters,
        names: wire_names(group),
        status: Some(reachability(group.members.len(), status)),
    }
}

fn active_power(ratings: &Ratings, status: &GroupStatus) -> DerMonitorableParameter {
    let reach = |by: Option<Watts>, sign: i8| {
        let (p, by) = (status.p?, by?);
        Some(if sign > 0 { p + by } else { p - by }.as_f64())
    };
    DerMonitorableParameter {
        installed_max: Some(ratings.p_inject.as_f64()),
        installed_min: Some((-ratings.p_absorb).as_f64()),
        max: reach(status.p_up_available, 1),
        min: reach(status.p_down_available, -1),
        nominal: status.p.map(Watts::as_f64),
        ..bare(DerParameter::ActivePower, UnitSymbol::W, status.at)
    }
}

const fn bare(parameter: DerParameter, unit: UnitSymbol, at: Timestamp) -> DerMonitorableParameter {
    DerMonitorableParameter {
        parameter,
        flow_direction: None,
        multiplier: UnitMultiplier::One,
        unit,
        installed_max: None,
        installed_min: None,
        max: None,
        min: None,
        nominal: None,
        time_stamp: at,
    }
}

/// Interpretation: `Status.value` is free text; `Online` is the word of the interoperability
/// tests, `Partial` and `Offline` are ours.
fn reachability(members: usize, status: &GroupStatus) -> Status {
    let value = match status.reporting {
        0 => "Offline",
        heard if heard < members => "Partial",
        _ => "Online",
    };
    Status {
        date_time: Some(status.at),
        reason: None,
        remark: Some(format!(
            "{} of {members} members reporting",
            status.reporting
        )),
        value: Some(value.to_owned()),
    }
}

#[derive(Default)]
struct Ratings {
    p_inject: Watts,
    p_absorb: Watts,
    q_inject: Vars,
    q_absorb: Vars,
    s: VoltAmperes,
}

impl Ratings {
    fn of(group: &Group, fleet: &Fleet) -> Self {
        let mut sum = Self::default();
        for member in &group.members {
            let Some(rating) = fleet.der(*member).and_then(|der| der.capability.as_ref()) else {
                continue;
            };
            sum.p_inject += rating.p_inject_max;
            sum.p_absorb += rating.p_absorb_max;
            sum.q_inject += rating.q_inject_max.unwrap_or(Vars::ZERO);
            sum.q_absorb += rating.q_absorb_max.unwrap_or(Vars::ZERO);
            sum.s += rating.s_max.unwrap_or(VoltAmperes::ZERO);
        }
        sum
    }
}
