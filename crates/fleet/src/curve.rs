//! Curves (IEEE 2030.5 `DERCurve`): what a device does on its own as a function of what it measures.

use units::Timestamp;

use crate::{CurveId, Mrid, Name, ProgramId};

/// Which function a curve is of (`DERCurveType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum CurveType {
    /// `opModFreqWatt`
    FreqWatt = 0,
    /// `opModHFRTMayTrip`
    HfrtMayTrip = 1,
    /// `opModHFRTMustTrip`
    HfrtMustTrip = 2,
    /// `opModHVRTMayTrip`
    HvrtMayTrip = 3,
    /// `opModHVRTMomentaryCessation`
    HvrtMomentaryCessation = 4,
    /// `opModHVRTMustTrip`
    HvrtMustTrip = 5,
    /// `opModLFRTMayTrip`
    LfrtMayTrip = 6,
    /// `opModLFRTMustTrip`
    LfrtMustTrip = 7,
    /// `opModLVRTMayTrip`
    LvrtMayTrip = 8,
    /// `opModLVRTMomentaryCessation`
    LvrtMomentaryCessation = 9,
    /// `opModLVRTMustTrip`
    LvrtMustTrip = 10,
    /// `opModVoltVar`
    VoltVar = 11,
    /// `opModVoltWatt`
    VoltWatt = 12,
    /// `opModWattPF`
    WattPf = 13,
    /// `opModWattVar`
    WattVar = 14,
}

impl CurveType {
    /// Every type, by its number on the wire.
    pub const ALL: [Self; 15] = [
        Self::FreqWatt,
        Self::HfrtMayTrip,
        Self::HfrtMustTrip,
        Self::HvrtMayTrip,
        Self::HvrtMomentaryCessation,
        Self::HvrtMustTrip,
        Self::LfrtMayTrip,
        Self::LfrtMustTrip,
        Self::LvrtMayTrip,
        Self::LvrtMomentaryCessation,
        Self::LvrtMustTrip,
        Self::VoltVar,
        Self::VoltWatt,
        Self::WattPf,
        Self::WattVar,
    ];
}

/// One point, in the units of the curve's multipliers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurvePoint {
    /// What is measured (or, for ride-through, the time).
    pub x: i32,
    /// What is done (or, for ride-through, the voltage or frequency).
    pub y: i32,
    /// Excitation, where y is a power factor: whether reactive power is injected.
    pub injects_vars: Option<bool>,
}

/// The shape of a curve, without its identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurveShape {
    /// Which function.
    pub kind: CurveType,
    /// 1 to [`CurveShape::MAX_POINTS`], x ascending.
    pub points: Vec<CurvePoint>,
    /// Power of ten of x.
    pub x_multiplier: i8,
    /// Power of ten of y.
    pub y_multiplier: i8,
    /// What y is a percentage of (`DERUnitRefType`).
    pub y_ref_type: u8,
    /// Whether the reference voltage is adjusted autonomously, with its time constant in
    /// hundredths of a second.
    pub autonomous_v_ref_time: Option<u32>,
    /// Open-loop response time, in hundredths of a second.
    pub open_loop_tms: Option<u16>,
    /// Fastest decrease, in hundredths of a percent per second.
    pub ramp_dec_tms: Option<u16>,
    /// Fastest increase, in hundredths of a percent per second.
    pub ramp_inc_tms: Option<u16>,
    /// Time of the first-order lag, in hundredths of a second.
    pub ramp_pt1_tms: Option<u16>,
    /// Reference voltage, in hundredths of a percent of the nominal one.
    pub v_ref: Option<u16>,
}

impl CurveShape {
    /// Most points of one curve (IEEE 2030.5 `DERCurve.CurveData`, 1 to 10).
    pub const MAX_POINTS: usize = 10;

    /// A curve of these points, with all else left to the device.
    #[must_use]
    pub fn new(kind: CurveType, points: Vec<CurvePoint>) -> Self {
        Self {
            kind,
            points,
            x_multiplier: 0,
            y_multiplier: 0,
            y_ref_type: 0,
            autonomous_v_ref_time: None,
            open_loop_tms: None,
            ramp_dec_tms: None,
            ramp_inc_tms: None,
            ramp_pt1_tms: None,
            v_ref: None,
        }
    }
}

/// A curve of a programme; never changed, only replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Curve {
    /// Dense index.
    pub id: CurveId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// Whose curve it is.
    pub program: ProgramId,
    /// What it is called.
    pub name: Option<Name>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was taken out of service.
    pub removed: Option<Timestamp>,
    /// What it says.
    pub shape: CurveShape,
}
