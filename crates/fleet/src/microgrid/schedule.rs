//! What is to flow through the connection point of a microgrid, and what of it binds a planner.

use units::{Interval, Watts};

use super::{Microgrid, Operation};
use crate::Name;
use crate::dispatch::LinearLimit;

/// What is to flow in one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SchedulePoint {
    /// When; whole seconds.
    pub interval: Interval,
    /// What.
    pub exchange: Exchange,
}

/// What is to flow through the connection point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exchange {
    /// This much, give or take a tolerance.
    Net {
        /// Injection positive.
        p: Watts,
        /// As a magnitude.
        tolerance: Watts,
    },
    /// At most so much either way.
    Limits {
        /// Most import, as a magnitude; `None` without a limit.
        import_max: Option<Watts>,
        /// Most export, as a magnitude; `None` without a limit.
        export_max: Option<Watts>,
    },
}

impl Exchange {
    /// The highest and the lowest net injection that fit.
    const fn bounds(self) -> (Option<Watts>, Option<Watts>) {
        match self {
            Self::Net { p, tolerance } => {
                let (up, down) = (p.micro() + tolerance.micro(), p.micro() - tolerance.micro());
                (Some(Watts::from_micro(up)), Some(Watts::from_micro(down)))
            }
            Self::Limits {
                import_max,
                export_max,
            } => {
                let least = match import_max {
                    Some(import) => Some(Watts::from_micro(-import.micro())),
                    None => None,
                };
                (export_max, least)
            }
        }
    }
}

impl Microgrid {
    /// The rating of the connection point and the schedule, as limits over the members.
    ///
    /// Interpretation: the members stand for all that flows through the connection point. Load behind
    /// it that is no DER is not known here; whoever sets ratings and schedules leaves room for it.
    pub(super) fn limits<'a>(
        &'a self,
        operation: &'a Operation,
    ) -> impl Iterator<Item = LinearLimit> + use<'a> {
        let rating = (None, self.export_max, self.import_max.map(|most| -most));
        let points = operation.schedule.iter().map(|point| {
            let (most, least) = point.exchange.bounds();
            (Some(point.interval), most, least)
        });
        let rows = std::iter::once(rating).chain(points);
        rows.flat_map(|(during, most, least)| {
            let row = |what: &str, coefficient: f64, max: Watts| LinearLimit {
                name: self.name_of(during.map_or(what, |_| "schedule")),
                terms: self.members.iter().map(|m| (m.der, coefficient)).collect(),
                max,
                during,
            };
            let export = most.map(|most| row("export", 1.0, most));
            let import = least.map(|least| row("import", -1.0, -least));
            export.into_iter().chain(import)
        })
    }

    /// What a limit of it is called, cut to what a name may hold.
    fn name_of(&self, what: &str) -> Name {
        let text = format!("{what} of microgrid {}", self.name);
        let cut: String = text.chars().take(Name::MAX_CHARS).collect();
        Name::new(cut.trim_end()).expect("a name and some letters have printable characters only")
    }
}
