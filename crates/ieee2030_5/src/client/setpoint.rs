//! What a device is asked to do right now.

mod mode;
mod request;

use std::sync::Arc;

pub use mode::Modes;
pub use request::{Part, Request, Requests, hundredths_of};

use crate::codec::simple::PerCent;
use crate::wire::control_mode::DerControlType;
use crate::wire::der_control::DefaultDerControl;
use crate::wire::der_curve::{DerCurve, DerCurveType};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The `DERControl` with this mRID.
    Event(u128),
    /// The `DefaultDERControl` with this mRID.
    Default(u128),
}

/// One request in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub request: Request,
    /// The mode is to be turned off.
    pub is_disabled: bool,
    pub source: Source,
    /// Hundredths of a second for the transition.
    pub ramp_tms: Option<u16>,
    /// The curve that the request refers to.
    pub curve: Option<Arc<DerCurve>>,
}

/// What holds whether or not an event does: ramp rates and when to enter service, from the default
/// controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Hundredths of a percent of the maximum per second.
    pub grad_w: Option<u16>,
    pub soft_grad_w: Option<u16>,
    /// Hundredths of a second.
    pub es_delay: Option<u32>,
    /// Hundredths of a hertz.
    pub es_high_freq: Option<u16>,
    /// Hundredths of a percent.
    pub es_high_volt: Option<i16>,
    pub es_low_freq: Option<u16>,
    pub es_low_volt: Option<i16>,
    pub es_ramp_tms: Option<u32>,
    pub es_random_delay: Option<u32>,
}

impl Standing {
    /// Takes from `default` what nothing better has set.
    pub(super) fn fill(&mut self, default: &DefaultDerControl) {
        self.grad_w = self.grad_w.or(default.set_grad_w);
        self.soft_grad_w = self.soft_grad_w.or(default.set_soft_grad_w);
        self.es_delay = self.es_delay.or(default.set_es_delay);
        self.es_high_freq = self.es_high_freq.or(default.set_es_high_freq);
        self.es_high_volt = self.es_high_volt.or(default.set_es_high_volt);
        self.es_low_freq = self.es_low_freq.or(default.set_es_low_freq);
        self.es_low_volt = self.es_low_volt.or(default.set_es_low_volt);
        self.es_ramp_tms = self.es_ramp_tms.or(default.set_es_ramp_tms);
        self.es_random_delay = self.es_random_delay.or(default.set_es_random_delay);
    }
}

/// All that is asked of a device at one instant, and by what, in order of mode. What is absent
/// leaves the device to its owner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setpoint {
    pub asked: Vec<Asked>,
    pub standing: Standing,
}

impl Setpoint {
    /// The request in force in one of `modes`, unless it turns its mode off.
    #[must_use]
    pub fn get(&self, modes: Modes) -> Option<&Asked> {
        let in_modes = |asked: &&Asked| modes.has(asked.request.mode()) && !asked.is_disabled;
        self.asked.iter().find(in_modes)
    }

    /// The request for a value of active power.
    #[must_use]
    pub fn active_power(&self) -> Option<&Asked> {
        let bits = DerControlType::FIXED_W | DerControlType::TARGET_W;
        self.get(Modes::of_type(DerControlType::new(bits)))
    }

    /// Inject no more than this many hundredths of a percent of the maximum.
    #[must_use]
    pub fn max_lim_w(&self) -> Option<u16> {
        self.asked.iter().find_map(|asked| match asked.request {
            Request::MaxLimW(PerCent(hundredths)) if !asked.is_disabled => Some(hundredths),
            _ => None,
        })
    }

    /// Whether the device may exchange power with the grid at all.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let forbids = |asked: &Asked| {
            matches!(
                asked.request,
                Request::Connect(false) | Request::Energize(false)
            )
        };
        !self.asked.iter().any(forbids)
    }

    /// Takes the requests in `modes` that exclude nothing better.
    pub(super) fn fill(&mut self, requests: &Requests, modes: Modes, source: Source) {
        let taken = self.asked.iter().map(|asked| asked.request.mode());
        let taken = taken.fold(Modes::default(), Modes::with).exclusive();
        let free = modes.without(taken);
        let wanted = requests.parts.iter();
        let wanted = wanted.filter(|part| free.has(part.request.mode()));
        self.asked.extend(wanted.map(|part| Asked {
            request: part.request.clone(),
            is_disabled: part.is_disabled,
            source,
            ramp_tms: requests.ramp_tms,
            curve: None,
        }));
        self.asked.sort_by_key(|asked| asked.request.mode());
    }

    /// Puts the curves in; a request whose curve cannot be found is not made.
    pub(super) fn resolve(&mut self, find: impl Fn(DerCurveType, &str) -> Option<Arc<DerCurve>>) {
        for asked in &mut self.asked {
            if let Request::Curve(kind, href) = &asked.request {
                asked.curve = find(*kind, href);
            }
        }
        self.asked
            .retain(|asked| asked.curve.is_some() || !matches!(asked.request, Request::Curve(..)));
    }
}
