//! The end devices that a caller may see.

use super::{Asked, device, written};
use crate::codec::simple::UInt40;
use crate::server::View;
use crate::server::caller::Caller;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::translate::{Client, DerId, sfdi};
use crate::wire::end_device::EndDeviceList;
use units::Timestamp;

/// How many end devices the caller sees.
pub(super) fn number(caller: Caller<'_>, view: &View<'_>) -> usize {
    Members::of(caller, view).len()
}

/// Latest change first, then by SFDI: a client's own end device and those of the DER it stands in
/// for. A page of many thousands costs no more than the page.
struct Members<'a> {
    ders: &'a [DerId],
    /// The client's own end device, and its place among the others.
    own: Option<(usize, Client)>,
}

impl<'a> Members<'a> {
    fn of(caller: Caller<'_>, view: &View<'a>) -> Self {
        let ders = match caller {
            Caller::Aggregator(aggregator) => view.fleet.ders_of(aggregator.id),
            _ => &[],
        };
        let own = caller.client().map(|own| {
            let before = |id: &DerId| key(Client::Der(*id), view) < key(own, view);
            (ders.partition_point(before), own)
        });
        Self { ders, own }
    }

    fn len(&self) -> usize {
        self.ders.len() + usize::from(self.own.is_some())
    }

    fn get(&self, index: usize) -> Option<Client> {
        let der = |index: usize| self.ders.get(index).copied().map(Client::Der);
        match self.own {
            Some((place, own)) if index == place => Some(own),
            Some((place, _)) if place < index => der(index - 1),
            _ => der(index),
        }
    }

    /// How many of them changed after `time`: they come first.
    fn changed_after(&self, time: Timestamp, view: &View<'_>) -> usize {
        let after = |member: Client| key(member, view).is_some_and(|(changed, _)| time < changed.0);
        let own = self.own.is_some_and(|(_, own)| after(own));
        self.ders.partition_point(|id| after(Client::Der(*id))) + usize::from(own)
    }
}

type Key = (std::cmp::Reverse<Timestamp>, UInt40);

fn key(member: Client, view: &View<'_>) -> Option<Key> {
    let (changed, lfdi) = match member {
        Client::Der(id) => view.fleet.der(id).map(|der| (der.changed, der.lfdi))?,
        Client::Aggregator(id) => {
            let aggregator = view.fleet.aggregator(id)?;
            (
                crate::translate::aggregator_registered_at(aggregator)?,
                aggregator.lfdi,
            )
        }
    };
    Some((std::cmp::Reverse(changed), sfdi(lfdi)))
}

pub(super) fn list(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let page = asked.page()?;
    let members = Members::of(asked.caller, view);
    let eligible = match page.after() {
        Some(time) => members.changed_after(time, view),
        None => members.len(),
    };
    let shown: Result<Vec<_>, Refusal> = page
        .range(eligible)
        .filter_map(|index| members.get(index))
        .map(|member| device::end_device(member, asked, view))
        .collect();
    let shown = shown?;
    let head = EndDeviceList {
        href: Some(Target::EndDevices.into()),
        subscribable: asked.subscribable(Target::EndDevices, view),
        all: count(members.len()),
        results: count(shown.len()),
        poll_rate: Some(view.poll_rates().end_device_s),
        ..EndDeviceList::default()
    };
    Ok(written(asked, &head, shown.into_iter()))
}
