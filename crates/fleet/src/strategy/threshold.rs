//! A measured power that is beyond a level.

use std::time::Duration;

use units::{Percent, Timestamp, Watts};

use crate::dispatch::LinearLimit;
use crate::dispatch::assess::World;
use crate::microgrid::Coupling;
use crate::{DerId, GroupId, Name, Quality};

/// A measured power and the levels that matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Threshold {
    /// What is measured.
    pub gauge: Gauge,
    /// A dispatch is wanted when it is above this.
    pub above: Level,
    /// It has to have been below this before the next one is wanted; not above `above`.
    pub below: Level,
    /// For how long it has to be above without a break; whole seconds.
    pub lasting: Duration,
    /// Least time between the end of a dispatch, or a refusal, and the next one; whole seconds.
    pub pause: Duration,
}

/// What is measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gauge {
    /// Net active power of the members of a group.
    Group(GroupId, Flow),
    /// What DER contribute to a shared limit, by its name.
    Limit(Name),
}

/// Which way power counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flow {
    /// Injection.
    Export,
    /// Absorption.
    Import,
}

/// How high.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// This much.
    Power(Watts),
    /// This share of the limit.
    Share(Percent),
}

/// What is known of a gauge: it reads something from `lo` to `hi`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// What it reads at least.
    pub lo: Watts,
    /// What it reads at most; as `lo` when every DER is heard.
    pub hi: Watts,
    /// The limit, where it is one.
    pub max: Option<Watts>,
}

/// What a gauge tells about the levels of a threshold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It is above, whatever DER do that are not heard.
    Above,
    /// It is below, whatever they do.
    Below,
    /// It is neither above nor below, whatever they do.
    Between,
    /// It may be above or not.
    Unclear,
}

impl Threshold {
    /// Longest time above.
    pub const MAX_LASTING: Duration = Duration::from_secs(86_400);
    /// Shortest pause.
    pub const MIN_PAUSE: Duration = Duration::from_secs(60);
    /// Longest pause.
    pub const MAX_PAUSE: Duration = Duration::from_secs(7 * 86_400);

    /// What is known of its gauge; `None` where there is no such group or limit, or where a DER that
    /// is not heard has never said what it can do.
    #[must_use]
    pub fn measured(&self, world: &World<'_>, limits: &[LinearLimit]) -> Option<Measured> {
        match &self.gauge {
            Gauge::Group(group, flow) => {
                let members = &world.fleet.group(*group)?.members;
                let coefficient = match flow {
                    Flow::Export => 1.0,
                    Flow::Import => -1.0,
                };
                sum(world, members.iter().map(|der| (*der, coefficient)), None)
            }
            Gauge::Limit(name) => {
                let mut named = limits.iter().filter(|limit| limit.name == *name);
                let limit = named.find(|limit| limit.holds_at(world.now))?;
                sum(world, limit.terms.iter().copied(), Some(limit.max))
            }
        }
    }

    /// How many DER a look at its gauge takes.
    #[must_use]
    pub fn terms(&self, world: &World<'_>, limits: &[LinearLimit]) -> usize {
        match &self.gauge {
            Gauge::Group(group, _) => world.fleet.group(*group).map_or(0, |g| g.members.len()),
            Gauge::Limit(name) => {
                let named = limits.iter().find(|limit| limit.name == *name);
                named.map_or(0, |limit| limit.terms.len())
            }
        }
    }

    /// What its gauge tells.
    #[must_use]
    pub fn told(&self, measured: Option<Measured>) -> Told {
        let Some(measured) = measured else {
            return Told::Unclear;
        };
        let (Some(above), Some(below)) = (self.above.of(&measured), self.below.of(&measured))
        else {
            return Told::Unclear;
        };
        if above < measured.lo {
            Told::Above
        } else if measured.hi < below {
            Told::Below
        } else if measured.hi <= above {
            Told::Between
        } else {
            Told::Unclear
        }
    }
}

impl Level {
    /// In watts; `None` for a share of what is no limit.
    fn of(self, measured: &Measured) -> Option<Watts> {
        match self {
            Self::Power(p) => Some(p),
            Self::Share(share) => measured.max.map(|max| share.of(max)),
        }
    }
}

/// `Σ coefficient · p`. A DER without a reading that is fresh and sound counts with all that it can
/// do, one in an island with nothing.
fn sum(
    world: &World<'_>,
    terms: impl Iterator<Item = (DerId, f64)>,
    max: Option<Watts>,
) -> Option<Measured> {
    let (mut lo, mut hi) = (0.0, 0.0);
    for (id, coefficient) in terms {
        let (least, most) = output(world, id)?;
        let (a, b) = (coefficient * least.as_f64(), coefficient * most.as_f64());
        lo += a.min(b);
        hi += a.max(b);
    }
    let (lo, hi) = (Watts::from_f64(lo), Watts::from_f64(hi));
    Some(Measured { lo, hi, max })
}

/// What `id` injects at least and at most; `None` where it is not heard and has never said what it can
/// do.
fn output(world: &World<'_>, id: DerId) -> Option<(Watts, Watts)> {
    let der = world.fleet.der(id).filter(|der| der.removed.is_none());
    let Some(der) = der.filter(|_| world.coupling(id) != Coupling::Separated) else {
        return Some((Watts::ZERO, Watts::ZERO));
    };
    let fresh = |at: Timestamp| world.now.since(at) <= world.policy.silent_after;
    let reading = world.observation(id).p;
    let sound = reading.filter(|p| fresh(p.at) && p.quality != Quality::Questionable);
    if let Some(p) = sound.filter(|_| world.is_counted(id)) {
        return Some((p.value, p.value));
    }
    let settings = der.settings.as_ref()?;
    Some((-settings.p_absorb_max, settings.p_inject_max))
}
