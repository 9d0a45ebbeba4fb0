//! Programmes, their default controls and curves.

use std::time::Duration;

use super::control::Audience;
use super::{Asked, assignments, control, page};
use crate::codec::simple::{AnyUri, Text};
use crate::server::View;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::translate::control::{base, is_active};
use crate::translate::curve::der_curve;
use crate::translate::{CurveId, Der, MridKind, Origin, Program, ProgramId};
use crate::wire::der_control::{DefaultDerControl, DerProgram, DerProgramList};
use crate::wire::der_curve::{DerCurve, DerCurveList};
use crate::wire::link::{Link, ListLink};

/// `program`, which addresses the caller, or what it has.
pub(super) fn get(
    program: &Program,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    match asked.target {
        Target::Program(_) => Ok(asked.reply(&der_program(program, asked, view))),
        Target::DefaultControl(_) => Ok(asked.reply(&default_control(program, asked, view))),
        Target::Controls(_) | Target::ActiveControls(_) => control::list(program, asked, view),
        Target::Control(_, number) => control::get(program, number, asked, view),
        Target::Curves(_) => curves(program, asked, view),
        Target::Curve(_, number) => {
            let mut curves = view.fleet.curves_of(program.id);
            let curve = curves.find(|curve| curve.id.0 == number);
            let curve = curve.ok_or(Refusal::NOT_FOUND)?;
            Ok(asked.reply(&addressed(der_curve(curve), program.id, curve.id)))
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// The programmes that address `der`, or those of them that one of its assignments names: the
/// lowest primacy value first, then the highest mRID.
pub(super) fn list(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut programs = view.fleet.programs_of(der.id);
    if let Target::AssignedPrograms(_, number) = asked.target {
        let set = assignments::find(der, number, view)?;
        programs.retain(|program| set.has_program(program));
    }
    let members: Vec<DerProgram> = programs
        .into_iter()
        .map(|program| der_program(program, asked, view))
        .collect();
    page(asked, &members, |all, results| DerProgramList {
        href: Some(asked.target.into()),
        subscribable: asked.subscribable(asked.target, view),
        all,
        results,
        poll_rate: Some(poll_rate_s(der, asked, view)),
        ..DerProgramList::default()
    })
}

/// How often the programmes of `der` are to be looked at; a list of controls has no rate of its own.
///
/// A control that was cancelled counts until its end, for the device may not know. Envelopes and
/// settings do not: they are made long ahead, and are there all the time.
fn poll_rate_s(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> u32 {
    let (rates, now) = (view.poll_rates(), asked.now);
    let next = now.after(Duration::from_secs(rates.der_program_s.into()));
    let is_urgent = view.fleet.controls_of(der.id).iter().any(|control| {
        matches!(control.origin, Origin::Dispatch { .. } | Origin::Operator)
            && control.interval.start <= next
            && now < control.interval.end()
    });
    match is_urgent && !asked.is_told {
        true => rates.urgent_s.min(rates.der_program_s),
        false => rates.der_program_s,
    }
}

/// An empty list of curves is not linked to.
fn der_program(program: &Program, asked: &Asked<'_>, view: &View<'_>) -> DerProgram {
    let p = program.id.0;
    let controls = Audience::of(program, asked.caller).listed(program, asked, view);
    let active = controls
        .iter()
        .filter(|control| is_active(view.fleet, control, asked.now))
        .count();
    let curves = view.fleet.curves_of(program.id).count();
    DerProgram {
        href: Some(Target::Program(p).into()),
        subscribable: asked.subscribable(Target::Program(p), view),
        mrid: program.mrid.into(),
        description: Some(Text::clipped(program.name.as_str())),
        active_der_control_list_link: Some(ListLink::to(Target::ActiveControls(p), count(active))),
        default_der_control_link: Some(Link::to(Target::DefaultControl(p))),
        der_control_list_link: Some(ListLink::to(Target::Controls(p), count(controls.len()))),
        der_curve_list_link: (0 < curves).then(|| ListLink::to(Target::Curves(p), count(curves))),
        primacy: program.primacy,
        ..DerProgram::default()
    }
}

fn default_control(program: &Program, asked: &Asked<'_>, view: &View<'_>) -> DefaultDerControl {
    let target = Target::DefaultControl(program.id.0);
    let set = &program.default;
    let identity = view.fleet.identity();
    DefaultDerControl {
        href: Some(target.into()),
        subscribable: asked.subscribable(target, view),
        mrid: identity.mrid(MridKind::DefaultControl, program.id.0).into(),
        base: base(&set.base, |id| curve_link(program.id, id)),
        set_grad_w: set.grad_w,
        set_soft_grad_w: set.soft_grad_w,
        updated_time: Some(set.set.into()),
        ..crate::translate::control::enter_service(&set.enter_service)
    }
}

pub(super) fn curve_link(program: ProgramId, curve: CurveId) -> Link {
    Link::to(Target::Curve(program.0, curve.0))
}

fn addressed(curve: DerCurve, program: ProgramId, id: CurveId) -> DerCurve {
    let href: AnyUri = Target::Curve(program.0, id.0).into();
    DerCurve {
        href: Some(href),
        ..curve
    }
}

/// The latest made first, then the highest mRID.
fn curves(program: &Program, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut members: Vec<DerCurve> = view
        .fleet
        .curves_of(program.id)
        .map(|curve| addressed(der_curve(curve), program.id, curve.id))
        .collect();
    members.sort_by_key(|curve| std::cmp::Reverse((curve.creation_time, curve.mrid.value())));
    page(asked, &members, |all, results| DerCurveList {
        href: Some(Target::Curves(program.id.0).into()),
        all,
        results,
        ..DerCurveList::default()
    })
}
