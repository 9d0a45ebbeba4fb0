//! What a resource is to those who subscribe to it.

use super::super::hosted::path::{HostedPath, Part};
use super::super::href::Target;
use crate::codec::table::Profile;
use crate::translate::Fleet;
use crate::wire::registry;

/// What lists of readings are called; the schema has conditions on the value of a reading only.
const READINGS: &str = "ReadingList";

/// Which subscriptions a resource takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None at all.
    None,
    /// Those without a condition.
    Unconditional,
    /// Those with a condition too.
    Both,
}

pub(super) fn takes(target: Target) -> Takes {
    let has_attribute = |name: &str| {
        let kind = registry::find(name);
        kind.is_some_and(|kind| {
            Profile::ALL
                .iter()
                .any(|profile| kind.has_attribute("subscribable", *profile))
        })
    };
    match document(target) {
        Some(READINGS) => Takes::Both,
        Some(name) if has_attribute(name) => Takes::Unconditional,
        Some(_) | None => Takes::None,
    }
}

/// The lists that tell when the clock changes `target`, where those are others.
pub(in crate::server) fn schedules(target: Target, fleet: &Fleet) -> Option<Vec<Target>> {
    match target {
        Target::ActiveControls(program) => Some(vec![Target::Controls(program)]),
        Target::Der(der) => {
            let programs = fleet.programs_of(der).into_iter();
            Some(
                programs
                    .map(|program| Target::Controls(program.id.0))
                    .collect(),
            )
        }
        Target::Hosted(path) if path.part == Part::Active => {
            let part = Part::List;
            Some(vec![Target::Hosted(HostedPath { part, ..path })])
        }
        _ => None,
    }
}

/// Whether the standard's order puts the member that changed last in front.
pub(in crate::server) fn has_latest_change_first(target: Target) -> bool {
    matches!(target, Target::EndDevices | Target::LogEvents(_))
}

/// The element that a representation of `target` has as its root; none where nobody subscribes.
fn document(target: Target) -> Option<&'static str> {
    Some(match target {
        Target::EndDevices => "EndDeviceList",
        Target::EndDevice(_) => "EndDevice",
        Target::LogEvents(_) => "LogEventList",
        Target::AssignmentsList(_) => "FunctionSetAssignmentsList",
        Target::Assignments(..) => "FunctionSetAssignments",
        Target::AssignedPrograms(..) | Target::AssociatedPrograms(_) => "DERProgramList",
        Target::Ders(_) => "DERList",
        Target::Der(_) => "DER",
        Target::Settings(_) => "DERSettings",
        Target::Status(_) => "DERStatus",
        Target::Availability(_) => "DERAvailability",
        Target::Program(_) => "DERProgram",
        Target::DefaultControl(_) => "DefaultDERControl",
        Target::Controls(_) | Target::ActiveControls(_) => "DERControlList",
        Target::Control(..) => "DERControl",
        Target::Curves(_) => "DERCurveList",
        Target::MirrorUsagePoints => "MirrorUsagePointList",
        Target::Hosted(path) => match path.part {
            Part::Document => path.route.route().document,
            Part::List | Part::Active | Part::Assigned(_) => path.route.route().list,
            Part::Content => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the schema has it.
    #[test]
    fn what_the_schema_lets_one_subscribe_to() {
        for path in [
            "/edev",
            "/edev/3",
            "/edev/3/fsa",
            "/edev/3/fsa/1/derp",
            "/edev/3/der/1",
            "/edev/3/der/1/derg",
            "/edev/3/der/1/ders",
            "/edev/3/der/1/dera",
            "/edev/3/lel",
            "/derp/1",
            "/derp/1/derc",
            "/derp/1/derc/1",
            "/derp/1/actderc",
            "/derp/1/dderc",
            "/dr",
            "/dr/1/edc",
            "/tp",
            "/tp/1/rc/1/tti",
            "/msg/1/txt",
            "/edev/3/cfg",
        ] {
            let target = Target::parse(path).unwrap();
            assert_eq!(takes(target), Takes::Unconditional, "{path}");
        }
        for path in [
            "/dcap",
            "/tm",
            "/sdev",
            "/edev/3/rg",
            "/edev/3/di",
            "/edev/3/der",
            "/edev/3/lel/1",
            "/edev/3/der/1/dercap",
            "/edev/3/sub",
            "/derp/1/dc",
            "/rsps",
            "/file/1/content",
            "/edev/3/dstat",
        ] {
            let target = Target::parse(path).unwrap();
            assert_eq!(takes(target), Takes::None, "{path}");
        }
        let readings = Target::parse("/upt/1/mr/1/rs/1/r").unwrap();
        assert_eq!(takes(readings), Takes::Both);
    }
}
