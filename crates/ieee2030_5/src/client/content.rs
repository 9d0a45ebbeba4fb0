//! What has been read of a resource, as far as it is of use later.

use std::sync::Arc;

use super::event::Listed;
use super::graph::NodeId;
use super::setpoint::Requests;
use crate::wire::demand_response::EndDeviceControl;
use crate::wire::der_control::DefaultDerControl;
use crate::wire::der_curve::DerCurve;
use crate::wire::pricing::{ConsumptionTariffInterval, TimeTariffInterval};

/// A programme as a list of programmes shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) mrid: u128,
    pub(super) primacy: u8,
    pub(super) controls: Option<NodeId>,
    pub(super) default: Option<NodeId>,
}

/// A default control.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DefaultControl {
    pub(super) requests: Requests,
    pub(super) resource: DefaultDerControl,
}

/// A tariff as a list of tariffs shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tariff {
    pub(super) mrid: u128,
    pub(super) primacy: u8,
    pub(super) currency: Option<u16>,
    pub(super) power_of_ten: i8,
    pub(super) components: Option<NodeId>,
}

/// A component of a tariff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) mrid: u128,
    pub(super) role_flags: u16,
    pub(super) intervals: Option<NodeId>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Content {
    #[default]
    Unknown,
    /// The server does not have it, or what it has is not what it should be.
    Refused,
    Programs(Vec<Program>),
    Controls(Vec<Listed<Requests>>),
    Default(Box<DefaultControl>),
    Curve(Arc<DerCurve>),
    Loads(Vec<Listed<Arc<EndDeviceControl>>>),
    Tariffs(Vec<Tariff>),
    Components(Vec<Component>),
    Intervals(Vec<Listed<Arc<TimeTariffInterval>>>),
    Prices(Vec<ConsumptionTariffInterval>),
}
