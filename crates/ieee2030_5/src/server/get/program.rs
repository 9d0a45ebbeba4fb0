//! Function set assignments, programmes and controls.

use super::{Asked, page};
use crate::codec::simple::{AnyUri, HexBinary128};
use crate::codec::write::{Writer, write};
use crate::server::View;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::{Page, count};
use crate::translate::control::{base, der_control, is_active, listed};
use crate::translate::{Control, Der, DerId, MridKind, Program, ProgramId};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgram, DerProgramList,
};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::{Link, ListLink};

/// Room for one control, so that a page is written into one allocation.
const CONTROL_BYTES: usize = 768;

pub(super) fn get(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let edition = view.config.edition;
    match asked.target {
        Target::AssignmentsList(n) => {
            let members = [assignments(der, view)];
            page(asked, view, &members, |all, results| {
                FunctionSetAssignmentsList {
                    href: Some(Target::AssignmentsList(n).into()),
                    all,
                    results,
                    poll_rate: Some(view.config.poll_rates.program_s),
                    ..FunctionSetAssignmentsList::default()
                }
            })
        }
        Target::Assignments(_) => Ok(Response::ok(write(&assignments(der, view), edition))),
        Target::Programs(n) => {
            let programs = view.fleet.programs_of(der.id);
            let members: Vec<DerProgram> = programs
                .into_iter()
                .map(|program| der_program(der, program, asked, view))
                .collect();
            page(asked, view, &members, |all, results| DerProgramList {
                href: Some(Target::Programs(n).into()),
                all,
                results,
                poll_rate: Some(view.config.poll_rates.program_s),
                ..DerProgramList::default()
            })
        }
        Target::Program(_, p) => {
            let program = program(der, p, view)?;
            Ok(Response::ok(write(
                &der_program(der, program, asked, view),
                edition,
            )))
        }
        Target::DefaultControl(_, p) => {
            let program = program(der, p, view)?;
            Ok(Response::ok(write(
                &default_control(der, program, view),
                edition,
            )))
        }
        Target::Controls(_, p) | Target::ActiveControls(_, p) => {
            controls(der, program(der, p, view)?, asked, view)
        }
        Target::Control(_, p, c) => {
            let program = program(der, p, view)?;
            let control = listed(view.fleet, der.id, program, asked.now)
                .into_iter()
                .find(|control| control.id.0 == c)
                .ok_or(Refusal::NOT_FOUND)?;
            let reply_to = Target::Responses(der.id.0).into();
            let mut reply =
                Response::ok(write(&addressed(control, &reply_to, asked, view), edition));
            reply.served.push(control.id);
            Ok(reply)
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// A programme by its number, if it addresses `der`.
fn program<'a>(der: &Der, number: u32, view: &View<'a>) -> Result<&'a Program, Refusal> {
    let wanted = ProgramId(number);
    if wanted == der.program {
        return view.fleet.program(wanted).ok_or(Refusal::NOT_FOUND);
    }
    let programs = view.fleet.programs_of(der.id);
    programs
        .into_iter()
        .find(|program| program.id == wanted)
        .ok_or(Refusal::NOT_FOUND)
}

pub(super) fn assignments_mrid(view: &View<'_>, der: DerId) -> HexBinary128 {
    view.fleet
        .identity()
        .mrid(MridKind::Assignments, der.0)
        .into()
}

fn assignments(der: &Der, view: &View<'_>) -> FunctionSetAssignments {
    let n = der.id.0;
    let programs = count(view.fleet.programs_of(der.id).len());
    FunctionSetAssignments {
        href: Some(Target::Assignments(n).into()),
        der_program_list_link: Some(ListLink::to(Target::Programs(n), programs)),
        response_set_list_link: Some(ListLink::to(Target::ResponseSets, 1)),
        time_link: Some(Link::to(Target::Time)),
        mrid: assignments_mrid(view, der.id),
        ..FunctionSetAssignments::default()
    }
}

fn der_program(der: &Der, program: &Program, asked: &Asked<'_>, view: &View<'_>) -> DerProgram {
    let (n, p) = (der.id.0, program.id.0);
    let controls = listed(view.fleet, der.id, program, asked.now);
    let active = controls
        .iter()
        .filter(|control| is_active(view.fleet, control, asked.now))
        .count();
    DerProgram {
        href: Some(Target::Program(n, p).into()),
        mrid: program.mrid.into(),
        description: Some(crate::codec::simple::Text::clipped(program.name.as_str())),
        active_der_control_list_link: Some(ListLink::to(
            Target::ActiveControls(n, p),
            count(active),
        )),
        default_der_control_link: Some(Link::to(Target::DefaultControl(n, p))),
        der_control_list_link: Some(ListLink::to(Target::Controls(n, p), count(controls.len()))),
        primacy: program.primacy,
        ..DerProgram::default()
    }
}

fn default_control(der: &Der, program: &Program, view: &View<'_>) -> DefaultDerControl {
    DefaultDerControl {
        href: Some(Target::DefaultControl(der.id.0, program.id.0).into()),
        mrid: view
            .fleet
            .identity()
            .mrid(MridKind::DefaultControl, program.id.0)
            .into(),
        base: base(&program.default),
        ..DefaultDerControl::default()
    }
}

/// This is the page that every device asks for again and again, so members are rendered as they are
/// made, and only those that are shown.
fn controls(
    der: &Der,
    program: &Program,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let page = Page::parse(asked.query, view.config.list_limit_max)?;
    let mut members = listed(view.fleet, der.id, program, asked.now);
    if matches!(asked.target, Target::ActiveControls(..)) {
        members.retain(|control| is_active(view.fleet, control, asked.now));
    }
    let all = count(members.len());
    page.narrow(&mut members, |control| control.interval.start);
    let shown = page.of(&members);
    let head = DerControlList {
        href: Some(asked.target.into()),
        all,
        results: count(shown.len()),
        ..DerControlList::default()
    };
    let reply_to = Target::Responses(der.id.0).into();
    let mut out = Writer::new(view.config.edition, 256 + CONTROL_BYTES * shown.len());
    let rendered = shown
        .iter()
        .map(|control| addressed(control, &reply_to, asked, view));
    out.list_document(&head, "DERControl", rendered);
    let mut reply = Response::ok(out.into_bytes());
    reply.served = shown.iter().map(|control| control.id).collect();
    Ok(reply)
}

fn addressed(
    control: &Control,
    reply_to: &AnyUri,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> DerControl {
    DerControl {
        href: Some(Target::Control(control.der.0, control.program.0, control.id.0).into()),
        reply_to: Some(reply_to.clone()),
        response_required: Some(view.config.response_required),
        ..der_control(view.fleet, control, asked.now)
    }
}
