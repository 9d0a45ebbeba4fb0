//! Who asks, and what of the fleet it may see.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::href::Target;
use super::http::{Refusal, Refused};
use super::resources::Owner;
use crate::translate::{
    Aggregator, AssignmentId, Client, Der, DerId, Fleet, Lfdi, Program, ProgramId,
    aggregator_registered_at, is_revoked, only_der, program_node, registered_at,
};

/// The holder of a client certificate.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller<'a> {
    /// Its certificate is valid but nobody has authorised it.
    Stranger,
    /// It was authorised once. It is answered like a stranger.
    Revoked,
    /// It may register.
    NewDer(&'a Der),
    /// It may register.
    NewAggregator(&'a Aggregator),
    /// It has an end device.
    Der(&'a Der),
    /// It has an end device, and those of the DER it stands in for.
    Aggregator(&'a Aggregator),
}

/// What a caller is to the owner of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The resource belongs to no one client.
    Anyone,
    /// It is its own.
    Own,
    /// It stands in for the owner.
    Manager,
}

impl<'a> Caller<'a> {
    pub(super) fn of(lfdi: Lfdi, fleet: &'a Fleet) -> Self {
        if let Some(der) = fleet.der_by_lfdi(lfdi) {
            return match registered_at(der) {
                _ if is_revoked(der.access) || der.removed.is_some() => Self::Revoked,
                None => Self::NewDer(der),
                Some(_) => Self::Der(der),
            };
        }
        match fleet.aggregator_by_lfdi(lfdi) {
            None if is_revoked(fleet.access_of(lfdi)) => Self::Revoked,
            None => Self::Stranger,
            Some(aggregator) if is_revoked(aggregator.access) => Self::Revoked,
            Some(aggregator) => match aggregator_registered_at(aggregator) {
                None => Self::NewAggregator(aggregator),
                Some(_) => Self::Aggregator(aggregator),
            },
        }
    }

    /// The client, once it is registered.
    pub(super) fn client(self) -> Option<Client> {
        match self {
            Self::Der(der) => Some(Client::Der(der.id)),
            Self::Aggregator(aggregator) => Some(Client::Aggregator(aggregator.id)),
            _ => None,
        }
    }

    /// Whether `der` is the caller's own, or one it stands in for.
    pub(super) fn answers_for(self, der: &Der) -> bool {
        let here = der.removed.is_none() && registered_at(der).is_some();
        here && match self {
            Self::Der(own) => own.id == der.id,
            Self::Aggregator(aggregator) => der.manager == Some(aggregator.id),
            _ => false,
        }
    }

    /// The DER of which the caller may see everything.
    pub(super) fn ders(self, fleet: &'a Fleet) -> impl Iterator<Item = &'a Der> {
        let (own, managed) = match self {
            Self::Der(der) => (Some(der), &[][..]),
            Self::Aggregator(aggregator) => (None, fleet.ders_of(aggregator.id)),
            _ => (None, &[][..]),
        };
        let managed = managed.iter().filter_map(|id| fleet.der(*id));
        own.into_iter()
            .chain(managed.filter(|der| registered_at(der).is_some()))
    }

    /// What the caller is to the owner of `target`; refused alike whether it is absent or another's.
    pub(super) fn role(self, target: Target, fleet: &Fleet) -> Result<Role, Refusal> {
        let Some(owner) = target.client() else {
            return Ok(Role::Anyone);
        };
        if self.client() == Some(owner) {
            return Ok(Role::Own);
        }
        let (Client::Der(id), Self::Aggregator(_)) = (owner, self) else {
            return Err(self.foreign(owner, fleet));
        };
        match fleet.der(id) {
            Some(der) if self.answers_for(der) => Ok(Role::Manager),
            _ => Err(self.foreign(owner, fleet)),
        }
    }

    fn foreign(self, owner: Client, fleet: &Fleet) -> Refusal {
        let there = match owner {
            Client::Der(id) => fleet.der(id).is_some_and(|der| der.removed.is_none()),
            Client::Aggregator(id) => fleet.aggregator(id).is_some(),
        };
        match (self, there) {
            (_, false) => Refusal::NOT_FOUND,
            (Self::Revoked, true) => Refusal::NOT_FOUND.because(Refused::Revoked),
            (_, true) => Refusal::FOREIGN,
        }
    }

    /// A programme that addresses a DER of the caller.
    pub(super) fn program(self, number: u32, fleet: &'a Fleet) -> Result<&'a Program, Refusal> {
        let program = fleet.program(ProgramId(number));
        let program = program.filter(|program| program.removed.is_none());
        let program = program.ok_or(Refusal::NOT_FOUND)?;
        match self.addressed(program, fleet) {
            true => Ok(program),
            false => Err(Refusal::FOREIGN),
        }
    }

    fn addressed(self, program: &Program, fleet: &Fleet) -> bool {
        match only_der(program) {
            Some(der) => fleet.der(der).is_some_and(|der| self.answers_for(der)),
            None => self.addressees(program, fleet).next().is_some(),
        }
    }

    /// Those DER of the caller that a programme for more than one addresses: none whose microgrid is
    /// an island.
    pub(super) fn addressees(
        self,
        program: &Program,
        fleet: &'a Fleet,
    ) -> impl Iterator<Item = DerId> {
        let node = program_node(program);
        self.ders(fleet)
            .filter(|der| !fleet.is_separated(der.id))
            .filter(move |der| node.is_none_or(|node| nodes(der, fleet).any(|own| own == node)))
            .map(|der| der.id)
    }
}

/// The nodes of the hierarchy that `der` belongs to, from its leaves up; some more than once.
fn nodes<'a>(der: &'a Der, fleet: &'a Fleet) -> impl Iterator<Item = AssignmentId> {
    let leaves = der.assignments.iter().copied();
    leaves
        .flat_map(|leaf| std::iter::successors(Some(leaf), |node| fleet.assignment(*node)?.parent))
}

/// What a caller may see while it is answered once.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    caller: Caller<'a>,
    fleet: &'a Fleet,
    /// The nodes of the hierarchy that a DER of the caller belongs to, once somebody asks: for an
    /// aggregator they are looked for in all of its DER.
    nodes: OnceCell<BTreeSet<AssignmentId>>,
}

impl<'a> Sight<'a> {
    pub(super) fn new(caller: Caller<'a>, fleet: &'a Fleet) -> Self {
        Self {
            caller,
            fleet,
            nodes: OnceCell::new(),
        }
    }

    /// Whether the caller may read what belongs to `owner`.
    pub(super) fn sees(&self, owner: Owner) -> bool {
        match owner {
            Owner::Everyone => self.caller.client().is_some(),
            Owner::Client(Client::Der(id)) => {
                let der = self.fleet.der(id);
                der.is_some_and(|der| self.caller.answers_for(der))
            }
            Owner::Client(of) => self.caller.client() == Some(of),
            Owner::Assignment(node) => self.nodes().contains(&node),
        }
    }

    fn nodes(&self) -> &BTreeSet<AssignmentId> {
        self.nodes.get_or_init(|| {
            let ders = self.caller.ders(self.fleet);
            ders.flat_map(|der| nodes(der, self.fleet)).collect()
        })
    }
}
