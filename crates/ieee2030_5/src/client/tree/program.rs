//! The programmes of the devices, their controls and defaults, and what follows from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use units::Timestamp;

use crate::client::content::{Content, DefaultControl, Program};
use crate::client::event::{Announced, Extent, Listed, Referred};
use crate::client::graph::{Kind, NodeId, Parent};
use crate::client::schedule::Job;
use crate::client::setpoint::{Requests, Setpoint, Source};
use crate::client::{Client, DeviceIndex};
use crate::codec::read::{ReadError, read};
use crate::wire::der_control::{DefaultDerControl, DerControl, DerProgram};
use crate::wire::der_curve::{DerCurve, DerCurveType};
use crate::wire::function_set_assignments::FunctionSetAssignments;

/// Function set assignments of one list that are followed.
pub const MAX_ASSIGNMENTS: usize = 32;
/// Programmes of one list, and of one device, whose controls are followed.
pub const MAX_PROGRAMS: usize = 32;

/// The controls of a list, and whether these are all.
type Controls = (Vec<Listed<Requests>>, Extent);

impl Client {
    pub(super) fn on_assignments(
        &mut self,
        node: NodeId,
        assigned: &[FunctionSetAssignments],
        now: Timestamp,
    ) {
        let mut children = Vec::new();
        for it in assigned.iter().take(MAX_ASSIGNMENTS) {
            let mut lists = vec![(Kind::Programs, it.der_program_list_link.as_ref())];
            if self.config.follows_loads {
                lists.push((
                    Kind::LoadPrograms,
                    it.demand_response_program_list_link.as_ref(),
                ));
            }
            if self.config.follows_prices {
                lists.push((Kind::Tariffs, it.tariff_profile_list_link.as_ref()));
            }
            for (kind, link) in lists {
                let href = self.list_link(link);
                let href = href.as_deref();
                children.extend(href.and_then(|it| self.follow(Parent::Node(node), kind, it, now)));
            }
        }
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
        self.reassign_all(node, now);
    }

    pub(super) fn on_programs(&mut self, node: NodeId, programs: &[DerProgram], now: Timestamp) {
        let parent = Parent::Node(node);
        let mut followed = Vec::new();
        for program in programs.iter().take(MAX_PROGRAMS) {
            let mrid = program.mrid.value();
            let controls = self.list_link(program.der_control_list_link.as_ref());
            let default = self.link(program.default_der_control_link.as_ref());
            let controls = controls.as_deref();
            let default = default.as_deref();
            followed.push(Program {
                mrid,
                primacy: program.primacy,
                controls: controls
                    .and_then(|it| self.follow(parent, Kind::Controls(mrid), it, now)),
                default: default
                    .and_then(|it| self.follow(parent, Kind::DefaultControl(mrid), it, now)),
            });
        }
        let children = followed.iter().flat_map(|it| [it.controls, it.default]);
        let gone = self.graph.adopt(node, children.flatten().collect());
        self.forget(gone, now);
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Programs(followed);
        }
        self.reassign_all(node, now);
    }

    pub(super) fn reassign_all(&mut self, node: NodeId, now: Timestamp) {
        for index in self.graph.devices(node) {
            self.reassign(index, now);
        }
    }

    /// Follows what is assigned to the device now and lets go of the rest.
    pub(super) fn reassign(&mut self, index: DeviceIndex, now: Timestamp) {
        self.reassign_controls(index, now);
        if self.config.follows_loads {
            self.reassign_loads(index, now);
        }
        if self.config.follows_prices {
            self.reassign_prices(index, now);
        }
    }

    /// Follows the programmes that are assigned to the device now and lets go of the others, as
    /// soon as all its lists have been read.
    fn reassign_controls(&mut self, index: DeviceIndex, now: Timestamp) {
        let server_now = self.server_now(now);
        let (programs, is_complete) = self.programs_of(index, Kind::Programs);
        let device = &mut self.devices[index.place()];
        let programs = ranked(programs, (!is_complete).then_some(&device.programs));
        if device.programs == programs {
            return;
        }
        let before = std::mem::replace(&mut device.programs, programs.clone());
        let primacy = programs.iter().map(|it| (it.mrid, it.primacy)).collect();
        device.events.assign(&primacy, server_now);
        let new = programs.iter().filter(|it| !before.contains(it));
        for program in new {
            let listed = program.controls.and_then(|node| self.listed(node));
            if let Some((listed, extent)) = listed {
                let events = &mut self.devices[index.place()].events;
                events.learn(program.mrid, (&listed, extent), server_now);
            }
        }
        self.touched(index, now);
    }

    /// The lists of `kind` that are assigned to the device.
    pub(super) fn lists_of(&self, index: DeviceIndex, kind: Kind) -> Vec<NodeId> {
        let of_kind = |id: &NodeId, kind| self.graph.get(*id).is_some_and(|it| it.kind == kind);
        let nodes = self.devices[index.place()].nodes.iter();
        let assignments = nodes.filter(|id| of_kind(id, Kind::Assignments));
        let lists = assignments.flat_map(|id| self.graph.children(*id));
        lists.filter(|id| of_kind(id, kind)).copied().collect()
    }

    /// The programmes of the device as far as they have been read, and whether that is all.
    pub(super) fn programs_of(&self, index: DeviceIndex, kind: Kind) -> (Vec<Program>, bool) {
        let mut programs: BTreeMap<u128, Program> = BTreeMap::new();
        let assignments = self.devices[index.place()].nodes.iter();
        let assignments = assignments.filter_map(|it| self.graph.get(*it));
        let mut assignments = assignments.filter(|it| it.kind == Kind::Assignments);
        let mut is_complete = assignments.all(|it| it.is_loaded);
        for list in self.lists_of(index, kind) {
            let list = self.graph.get(list);
            is_complete &= list.is_some_and(|it| it.is_loaded);
            let Some(Content::Programs(listed)) = list.map(|it| &it.content) else {
                continue;
            };
            for program in listed {
                let slot = programs.entry(program.mrid).or_insert(*program);
                if program.primacy < slot.primacy {
                    *slot = *program;
                }
            }
        }
        (programs.into_values().collect(), is_complete)
    }

    pub(super) fn on_controls(&mut self, node: NodeId, controls: &[DerControl], now: Timestamp) {
        let Some(Kind::Controls(program)) = self.graph.get(node).map(|it| it.kind) else {
            return;
        };
        let listed = controls.iter().map(|control| {
            let event = Announced::der_control(program, control);
            Listed::new(event, &control.event_status)
        });
        let listed: Vec<Listed<Requests>> = listed.collect();
        let requests = listed.iter().map(|it| &it.event.payload);
        self.follow_curves(node, requests, now);
        if let Some(it) = self.graph.get_mut(node) {
            it.content = Content::Controls(listed.clone());
        }
        self.fan_out(node, now);
    }

    fn follow_curves<'a>(
        &mut self,
        node: NodeId,
        requests: impl Iterator<Item = &'a Requests>,
        now: Timestamp,
    ) {
        let mut children = Vec::new();
        for (_, href) in requests.flat_map(Requests::curves) {
            let href = self.home.resolve(href);
            let href = href.as_deref();
            children
                .extend(href.and_then(|it| self.follow(Parent::Node(node), Kind::Curve, it, now)));
        }
        let gone = self.graph.adopt(node, children);
        self.forget(gone, now);
    }

    /// Tells the devices that follow a list of controls what is in it.
    fn fan_out(&mut self, node: NodeId, now: Timestamp) {
        let Some(Kind::Controls(program)) = self.graph.get(node).map(|it| it.kind) else {
            return;
        };
        let Some((listed, extent)) = self.listed(node) else {
            return;
        };
        let server_now = self.server_now(now);
        for index in self.graph.devices(node) {
            let device = &mut self.devices[index.place()];
            let follows = |it: &Program| it.mrid == program && it.controls == Some(node);
            if device.programs.iter().any(follows) {
                let listed = (listed.as_slice(), extent);
                device.events.learn(program, listed, server_now);
                self.touched(index, now);
            }
        }
    }

    /// The controls of a list and how it stands with their curves.
    fn listed(&self, node: NodeId) -> Option<Controls> {
        let node = self.graph.get(node).filter(|it| it.is_loaded)?;
        let Content::Controls(listed) = &node.content else {
            return None;
        };
        let listed = listed.iter().map(|it| {
            let curves = it.event.payload.curves();
            let referred = curves.map(|(kind, href)| self.curve(kind, href).err());
            let event = Arc::clone(&it.event);
            Listed {
                event,
                // It waits until each of them has been read.
                referred: referred.flatten().min().unwrap_or(Referred::Good),
                ..*it
            }
        });
        Some((listed.collect(), node.extent))
    }

    fn curve(&self, kind: DerCurveType, href: &str) -> Result<&Arc<DerCurve>, Referred> {
        let href = self.home.resolve(href).ok_or(Referred::Wrong)?;
        let node = self.graph.find(Kind::Curve, &href);
        match node.and_then(|it| self.graph.get(it)).map(|it| &it.content) {
            Some(Content::Curve(curve)) if curve.curve_type == kind => Ok(curve),
            Some(Content::Unknown) => Err(Referred::Awaited),
            _ => Err(Referred::Wrong),
        }
    }

    pub(super) fn on_curve(
        &mut self,
        node: NodeId,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), ReadError> {
        let curve = match read::<DerCurve>(body) {
            Ok(curve) => curve,
            Err(error) => {
                self.curve_refused(node, now);
                return Err(error);
            }
        };
        self.repeat(node, None, now);
        if self.is_news(node, body) {
            self.curve_is(node, Content::Curve(Arc::new(curve)), now);
        }
        Ok(())
    }

    pub(super) fn curve_refused(&mut self, node: NodeId, now: Timestamp) {
        self.schedule.repeat(Job::Read(node), None, now);
        self.curve_is(node, Content::Refused, now);
    }

    fn curve_is(&mut self, node: NodeId, content: Content, now: Timestamp) {
        let Some(it) = self.graph.get_mut(node) else {
            return;
        };
        if it.content == content {
            return;
        }
        it.content = content;
        for user in self.graph.referrers(node) {
            self.fan_out(user, now);
            let devices = self.graph.devices(user);
            self.changed.extend(devices);
        }
    }

    pub(in crate::client) fn on_default(
        &mut self,
        node: NodeId,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), ReadError> {
        let kept = self.graph.get(node).filter(|it| it.is_repeated(body));
        let is_subscribable =
            |it: &DefaultDerControl| it.subscribable.is_some_and(|bits| bits & 1 != 0);
        if let Some(Content::Default(kept)) = kept.map(|it| &it.content) {
            let is_subscribable = is_subscribable(&kept.resource);
            self.repeat(node, None, now);
            if is_subscribable {
                self.want_subscription(node, now);
            }
            return Ok(());
        }
        let resource: DefaultDerControl = read(body)?;
        self.repeat(node, None, now);
        let is_subscribable = is_subscribable(&resource);
        if self.is_news(node, body) {
            let requests = Requests::of(&resource.base);
            self.follow_curves(node, std::iter::once(&requests), now);
            if let Some(it) = self.graph.get_mut(node) {
                let default = DefaultControl { requests, resource };
                it.content = Content::Default(Box::new(default));
            }
            let devices = self.graph.devices(node);
            self.changed.extend(devices);
        }
        if is_subscribable {
            self.want_subscription(node, now);
        }
        Ok(())
    }

    /// The server has no default control any more.
    pub(super) fn default_gone(&mut self, node: NodeId, now: Timestamp) {
        self.schedule.repeat(Job::Read(node), None, now);
        let Some(it) = self.graph.get_mut(node) else {
            return;
        };
        it.is_loaded = true;
        it.bodies.clear();
        if std::mem::replace(&mut it.content, Content::Refused) != Content::Refused {
            let gone = self.graph.adopt(node, Vec::new());
            self.forget(gone, now);
            let devices = self.graph.devices(node);
            self.changed.extend(devices);
        }
    }

    /// What the events in force and the default controls come to, the best first in each mode.
    pub(in crate::client) fn compose_setpoint(&self, index: DeviceIndex) -> Setpoint {
        let mut setpoint = Setpoint::default();
        let Some(device) = self.devices.get(index.place()) else {
            return setpoint;
        };
        for (event, modes) in device.events.in_force() {
            setpoint.fill(&event.payload, modes, Source::Event(event.mrid.value()));
        }
        let supported = device.config.supported();
        for program in &device.programs {
            let node = program.default.and_then(|it| self.graph.get(it));
            let Some(Content::Default(default)) = node.map(|it| &it.content) else {
                continue;
            };
            setpoint.standing.fill(&default.resource);
            if !device.events.is_opted_out() {
                let source = Source::Default(default.resource.mrid.value());
                let modes = default.requests.modes().common(supported);
                setpoint.fill(&default.requests, modes, source);
            }
        }
        setpoint.resolve(|kind, href| self.curve(kind, href).ok().cloned());
        setpoint
    }
}

/// The programmes found, best first, with those known before where not all have been found.
pub(super) fn ranked(mut found: Vec<Program>, before: Option<&Vec<Program>>) -> Vec<Program> {
    if let Some(before) = before {
        let known: Vec<u128> = found.iter().map(|it| it.mrid).collect();
        let kept = before.iter().filter(|it| !known.contains(&it.mrid));
        found.extend(kept.copied());
    }
    found.sort_by_key(|it| (it.primacy, std::cmp::Reverse(it.mrid)));
    found.truncate(MAX_PROGRAMS);
    found
}
