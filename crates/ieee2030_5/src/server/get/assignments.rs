//! Function set assignments: the group hierarchy of CSIP as a device sees it.
//!
//! All nodes of the topology that a DER belongs to make one assignment; every other group makes one
//! of its own (CSIP 2.1, 5.2.4).

use super::{Asked, page};
use crate::codec::simple::{HexBinary128, Text};
use crate::server::View;
use crate::server::hosted::path::{HostedPath, Part};
use crate::server::hosted::place;
use crate::server::hosted::route::RouteId;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::server::resources::Owner;
use crate::translate::{
    Assignment, AssignmentId, Client, Der, DerId, MridKind, Program, is_topology, program_node,
};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::{Link, ListLink};

/// The number of the assignment that has all of the topology. Other groups follow by their own.
const TOPOLOGY: u32 = 1;

/// One function set assignment of a DER.
#[derive(Clone, Debug)]
pub(super) struct Set<'a> {
    der: DerId,
    number: u32,
    /// Its nodes, widest first.
    nodes: Vec<&'a Assignment>,
}

impl Set<'_> {
    fn has(&self, node: AssignmentId) -> bool {
        self.nodes.iter().any(|own| own.id == node)
    }

    /// Whether programmes of `program`'s scope are among what it names.
    pub(super) fn has_program(&self, program: &Program) -> bool {
        match program_node(program) {
            Some(node) => self.has(node),
            None => self.number == TOPOLOGY,
        }
    }

    /// Whether what is hosted for `owner` is among what it names.
    pub(super) fn names(&self, owner: Owner) -> bool {
        match owner {
            Owner::Assignment(node) => self.has(node),
            Owner::Client(of) => self.number == TOPOLOGY && of == Client::Der(self.der),
            Owner::Everyone => self.number == TOPOLOGY,
        }
    }

    fn mrid(&self, view: &View<'_>) -> HexBinary128 {
        match (self.number, self.nodes.first()) {
            (TOPOLOGY, _) | (_, None) => {
                let identity = view.fleet.identity();
                identity.mrid(MridKind::Assignments, self.der.0).into()
            }
            (_, Some(group)) => group.mrid.into(),
        }
    }

    /// The names of its nodes, as many as there is room for, the most local last.
    fn description(&self) -> Option<Text<32>> {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            let whole = names.join("/");
            let surplus = whole.chars().count().saturating_sub(32);
            let cut: String = whole.chars().skip(surplus).collect();
            Text::clipped(&cut)
        })
    }
}

/// The assignments of `der`.
pub(super) fn of<'a>(der: &Der, view: &View<'a>) -> Vec<Set<'a>> {
    let nodes = view.fleet.assignments_of(der.id);
    let (topology, groups): (Vec<_>, Vec<_>) =
        nodes.into_iter().partition(|node| is_topology(node));
    let mut sets = vec![Set {
        der: der.id,
        number: TOPOLOGY,
        nodes: topology,
    }];
    sets.extend(groups.into_iter().map(|group| Set {
        der: der.id,
        number: group.id.0.saturating_add(TOPOLOGY + 1),
        nodes: vec![group],
    }));
    sets
}

/// One of them by its number.
pub(super) fn find<'a>(der: &Der, number: u32, view: &View<'a>) -> Result<Set<'a>, Refusal> {
    let mut sets = of(der, view).into_iter();
    sets.find(|set| set.number == number)
        .ok_or(Refusal::NOT_FOUND)
}

pub(super) fn get(
    der: &Der,
    number: u32,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let set = find(der, number, view)?;
    Ok(asked.reply(&assignments(&set, asked, view)))
}

/// In order of mRID, the highest first.
pub(super) fn list(der: &Der, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let sets = of(der, view);
    let mut members: Vec<FunctionSetAssignments> = sets
        .iter()
        .map(|set| assignments(set, asked, view))
        .collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.mrid.value()));
    page(asked, &members, |all, results| FunctionSetAssignmentsList {
        href: Some(Target::AssignmentsList(der.id).into()),
        subscribable: asked.subscribable(Target::AssignmentsList(der.id), view),
        all,
        results,
        poll_rate: Some(view.poll_rates().function_set_assignments_s),
        ..FunctionSetAssignmentsList::default()
    })
}

fn assignments(set: &Set<'_>, asked: &Asked<'_>, view: &View<'_>) -> FunctionSetAssignments {
    let target = Target::Assignments(set.der, set.number);
    let programs = view.fleet.programs_of(set.der);
    let named = programs.iter().filter(|program| set.has_program(program));
    let link = |route| list_link(route, set, asked, view);
    FunctionSetAssignments {
        href: Some(target.into()),
        subscribable: asked.subscribable(target, view),
        customer_account_list_link: link(RouteId::CUSTOMER_ACCOUNTS),
        demand_response_program_list_link: link(RouteId::DEMAND_RESPONSE_PROGRAMS),
        der_program_list_link: Some(ListLink::to(
            Target::AssignedPrograms(set.der, set.number),
            count(named.count()),
        )),
        file_list_link: link(RouteId::FILES),
        messaging_program_list_link: link(RouteId::MESSAGING_PROGRAMS),
        prepayment_list_link: link(RouteId::PREPAYMENTS),
        response_set_list_link: Some(ListLink::to(Target::ResponseSets, 1)),
        tariff_profile_list_link: link(RouteId::TARIFF_PROFILES),
        time_link: Some(Link::to(Target::Time)),
        usage_point_list_link: link(RouteId::USAGE_POINTS),
        mrid: set.mrid(view),
        description: set.description(),
        ..FunctionSetAssignments::default()
    }
}

/// A link to those of the hosted documents of `route` that the assignment names.
fn list_link(
    route: RouteId,
    set: &Set<'_>,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Option<ListLink> {
    let list = HostedPath {
        client: Some(Client::Der(set.der)),
        part: Part::Assigned(set.number),
        ..place(None, route)
    };
    let sees = |owner: Owner| set.names(owner) && asked.sight.sees(owner);
    let hosted = view.resources.hosted();
    hosted.list_link(list, asked.now, sees)
}
