//! Controls, to those whom they address.

use units::Timestamp;

use super::Asked;
use super::program::curve_link;
use crate::codec::simple::AnyUri;
use crate::codec::write::{Writer, write};
use crate::server::View;
use crate::server::caller::Caller;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::translate::control::{der_control, in_list_order, is_active, is_listed};
use crate::translate::{Control, ControlId, Der, DerId, Program, only_der};
use crate::wire::der_control::{DerControl, DerControlList};

/// Room for one control, so that a page is written into one allocation.
const CONTROL_BYTES: usize = 768;

/// Whose controls of a programme are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Audience {
    /// Those that one DER is to see.
    Der(DerId),
    /// Those for every DER of the programme, as the one who stands in for some of them sees it.
    All,
}

impl Audience {
    pub(super) fn of(program: &Program, caller: Caller<'_>) -> Self {
        match (only_der(program), caller) {
            (Some(der), _) => Self::Der(der),
            (None, Caller::Der(own)) => Self::Der(own.id),
            (None, _) => Self::All,
        }
    }

    /// The controls of `program` that are served at `now`, in list order: those not over, cancelled
    /// and superseded ones included (they stay until their end).
    pub(super) fn listed<'a>(
        self,
        program: &Program,
        asked: &Asked<'_>,
        view: &View<'a>,
    ) -> Vec<&'a Control> {
        let shown = |control: &&Control| is_listed(control, asked.profile.edition, asked.now);
        let fleet = view.fleet;
        in_list_order(match self {
            Self::Der(der) => fleet
                .controls_under(program.id, der)
                .filter(shown)
                .collect(),
            Self::All => fleet.shared_controls_of(program.id).filter(shown).collect(),
        })
    }
}

/// Whom controls of `program` have been sent to once the caller has them.
fn served(
    shown: &[&Control],
    program: &Program,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Vec<(ControlId, DerId)> {
    let mut addressed: Option<Vec<DerId>> = None;
    let mut served = Vec::with_capacity(shown.len());
    for control in shown {
        match (control.der, asked.caller) {
            (Some(der), _) => served.push((control.id, der)),
            (None, Caller::Der(own)) => served.push((control.id, own.id)),
            (None, caller) => {
                let ders = addressed
                    .get_or_insert_with(|| caller.addressees(program, view.fleet).collect());
                served.extend(ders.iter().map(|der| (control.id, *der)));
            }
        }
    }
    served
}

pub(super) fn get(
    program: &Program,
    number: u32,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let control = Audience::of(program, asked.caller)
        .listed(program, asked, view)
        .into_iter()
        .find(|control| control.id.0 == number)
        .ok_or(Refusal::NOT_FOUND)?;
    let reply_to = reply_to(asked)?;
    let body = write(&addressed(control, &reply_to, asked, view), asked.profile);
    let mut reply = Response::ok(body);
    reply.served = served(&[control], program, asked, view);
    Ok(reply)
}

/// Where the caller posts what became of a control.
fn reply_to(asked: &Asked<'_>) -> Result<AnyUri, Refusal> {
    let client = asked.caller.client().ok_or(Refusal::NOT_FOUND)?;
    Ok(Target::Responses(client).into())
}

/// This is the page that every device asks for again and again, so members are rendered as they are
/// made, and only those that are shown.
pub(super) fn list(
    program: &Program,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let page = asked.page()?;
    let mut members = Audience::of(program, asked.caller).listed(program, asked, view);
    if matches!(asked.target, Target::ActiveControls(..)) {
        members.retain(|control| is_active(view.fleet, control, asked.now));
    }
    let all = count(members.len());
    page.narrow(&mut members, |control| control.interval.start);
    let shown = page.of(&members);
    let head = DerControlList {
        href: Some(asked.target.into()),
        subscribable: asked.subscribable(asked.target, view),
        all,
        results: count(shown.len()),
        ..DerControlList::default()
    };
    let reply_to = reply_to(asked)?;
    let mut out = Writer::new(asked.profile, 256 + CONTROL_BYTES * shown.len());
    let rendered = shown
        .iter()
        .map(|control| addressed(control, &reply_to, asked, view));
    out.list_document(&head, "DERControl", rendered);
    let mut reply = Response::ok(out.into_bytes());
    reply.served = served(shown, program, asked, view);
    Ok(reply)
}

fn addressed(
    control: &Control,
    reply_to: &AnyUri,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> DerControl {
    let link = |curve| curve_link(control.program, curve);
    let edition = asked.profile.edition;
    let made = der_control(view.fleet, control, (edition, asked.now), link);
    let target = Target::Control(control.program.0, control.id.0);
    DerControl {
        href: Some(target.into()),
        reply_to: Some(reply_to.clone()),
        response_required: made
            .response_required
            .or(Some(view.config.response_required)),
        subscribable: asked.subscribable(target, view),
        ..made
    }
}

/// The control that decides the active power of `der`.
pub(super) fn deciding<'a>(der: &Der, now: Timestamp, view: &View<'a>) -> Option<&'a Control> {
    view.fleet.in_force(der.id, now)
}
