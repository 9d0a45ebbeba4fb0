//! Who is to be looked at when something has changed, or when the clock changes it.
//!
//! What a subscription is about depends on a few subjects; what has happened touches a few. Where
//! the two are hard to match a subject is wide rather than narrow: a look too many costs some
//! microseconds, a look too few leaves a subscriber in the dark.

use std::collections::{BTreeMap, BTreeSet};

use units::Timestamp;

use super::super::href::Target;
use super::super::resources::Owner;
use super::super::subscription::SubscriptionId;
use crate::translate::{
    Client, ControlId, CurveId, EnrolmentEvent, Event, Fleet, ProgramId, only_der,
};

/// Something that resources depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Which end devices a client has, and what they mirror.
    DevicesOf(Client),
    /// What the server says of a client's end device.
    Device(Client),
    /// What a client has put and posted.
    DocumentsOf(Client),
    /// Which programmes there are for more than one DER.
    Programs,
    /// A programme, its controls and its curves.
    Program(ProgramId),
    /// What is hosted for more than one.
    Hosted,
    /// What is hosted at the root for one client alone.
    HostedFor(Client),
    /// The controls for a DER alone.
    ControlsOf(Client),
    /// The controls of programmes for more than one DER.
    SharedControls,
    /// Which programmes and hosted resources reach a client through the hierarchy.
    Reach(Client),
    /// Whether a client may come in.
    Subscriber(Client),
}

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A client or its end device is another, or stands otherwise.
    Client(Client),
    /// A document of this owner; of which kind decides whether end devices show it.
    Document(Owner, Kind),
    /// Which programmes there are.
    Programs,
    /// What a programme is, or what holds when none of its controls is active.
    Definition(ProgramId),
    /// What hangs below a programme.
    Program(ProgramId),
    Control(ControlId),
    Curve(CurveId),
    /// What every resource may depend on.
    Everything,
}

/// Kinds of documents that more depends on than the document itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    EndDevice,
    UsagePoint,
    /// Poll rates and the like.
    Rates,
    /// The subscription of this number.
    Subscription(u32),
    /// Hosted at the root.
    Hosted,
    Other,
}

impl Change {
    /// The change that a document of this path is.
    #[must_use]
    pub fn of_document(owner: Owner, path: &str) -> Self {
        if path.starts_with('/') {
            return Self::Document(owner, kind_of_hosted(path));
        }
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let kind = match first {
            "edev" => Kind::EndDevice,
            "mup" => Kind::UsagePoint,
            "rates" => Kind::Rates,
            "sub" => rest.parse().map_or(Kind::Other, Kind::Subscription),
            _ => Kind::Other,
        };
        Self::Document(owner, kind)
    }
}

/// An end device always shows links to what its client may write below it, and to the rest while
/// it is there.
fn kind_of_hosted(path: &str) -> Kind {
    match super::super::href::hosted(path) {
        Some(path) if path.client.is_none() => Kind::Hosted,
        Some(path) if !path.route.route().is_offered() => Kind::EndDevice,
        _ => Kind::Other,
    }
}

/// What `event` changes that may be subscribed to.
#[must_use]
pub fn change_of(event: &Event) -> Option<Change> {
    match event {
        Event::DerEnrolled(der) | Event::DerChanged(der) => {
            Some(Change::Client(Client::Der(der.id)))
        }
        Event::Enrolment(EnrolmentEvent::Bound(der, _))
        | Event::DerRegistered(der, _)
        | Event::CapabilityReported(der, _)
        | Event::SettingsReported(der, _) => Some(Change::Client(Client::Der(*der))),
        Event::AggregatorEnrolled(aggregator) | Event::AggregatorChanged(aggregator) => {
            Some(Change::Client(Client::Aggregator(aggregator.id)))
        }
        Event::ProgramCreated(program) | Event::ProgramChanged(program) => {
            Some(Change::Definition(program.id))
        }
        Event::AssignmentCreated(_) | Event::AssignmentChanged(_) => Some(Change::Programs),
        Event::CurveCreated(curve) => Some(Change::Program(curve.program)),
        Event::CurveRemoved(curve, _) => Some(Change::Curve(*curve)),
        Event::ControlIssued(control) => Some(Change::Program(control.program)),
        Event::ControlCancelled(control, _) => Some(Change::Control(*control)),
        // Members of a microgrid are shown programmes for many, or no longer.
        Event::FleetFounded(_) | Event::Microgrid(_) => Some(Change::Everything),
        _ => None,
    }
}

/// What every subscription depends on, and when the clock changes it.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    by_subject: BTreeMap<Subject, BTreeSet<SubscriptionId>>,
    subjects: BTreeMap<SubscriptionId, Vec<Subject>>,
    wakes: BTreeSet<(Timestamp, SubscriptionId)>,
    wake: BTreeMap<SubscriptionId, Timestamp>,
}

impl Interest {
    /// Begins to watch what `id` is about; anything it was about before is forgotten.
    pub fn watch(&mut self, id: SubscriptionId, target: Option<Target>, fleet: &Fleet) {
        self.forget(id);
        let about = target.map(|target| subjects(target, id.client, fleet));
        let mut subjects = about.unwrap_or_default();
        subjects.push(Subject::Subscriber(id.client));
        for subject in &subjects {
            self.by_subject.entry(*subject).or_default().insert(id);
        }
        self.subjects.insert(id, subjects);
    }

    pub fn forget(&mut self, id: SubscriptionId) {
        for subject in self.subjects.remove(&id).unwrap_or_default() {
            if let Some(ids) = self.by_subject.get_mut(&subject) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_subject.remove(&subject);
                }
            }
        }
        if let Some(at) = self.wake.remove(&id) {
            self.wakes.remove(&(at, id));
        }
    }

    /// Every subscription that is watched.
    pub fn all(&self) -> impl Iterator<Item = SubscriptionId> {
        self.subjects.keys().copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Has `id` looked at again at `at`.
    pub fn wake_at(&mut self, id: SubscriptionId, at: Option<Timestamp>) {
        if !self.subjects.contains_key(&id) || self.wake.get(&id).copied() == at {
            return;
        }
        if let Some(before) = self.wake.remove(&id) {
            self.wakes.remove(&(before, id));
        }
        if let Some(at) = at {
            self.wake.insert(id, at);
            self.wakes.insert((at, id));
        }
    }

    /// When the clock next changes something.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Adds to `touched` what the clock has changed by `now`.
    pub fn woken(&mut self, now: Timestamp, touched: &mut BTreeSet<SubscriptionId>) {
        while let Some((at, id)) = self.wakes.first().copied()
            && at <= now
        {
            self.wakes.pop_first();
            self.wake.remove(&id);
            touched.insert(id);
        }
    }

    /// Adds to `touched` what `change` may have changed.
    pub fn touched(&self, change: Change, fleet: &Fleet, touched: &mut BTreeSet<SubscriptionId>) {
        let mut touch = |subject: Subject| {
            touched.extend(self.by_subject.get(&subject).into_iter().flatten());
        };
        match change {
            Change::Client(client) => {
                touch(Subject::Device(client));
                touch(Subject::Subscriber(client));
                for client in [Some(client), manager(client, fleet)].into_iter().flatten() {
                    touch(Subject::DevicesOf(client));
                    touch(Subject::Reach(client));
                }
            }
            Change::Document(Owner::Client(client), kind) => {
                touch(Subject::DocumentsOf(client));
                for client in [Some(client), manager(client, fleet)].into_iter().flatten() {
                    match kind {
                        Kind::EndDevice | Kind::UsagePoint => touch(Subject::DevicesOf(client)),
                        Kind::Hosted => touch(Subject::HostedFor(client)),
                        _ => {}
                    }
                }
            }
            Change::Document(_, Kind::Rates) | Change::Everything => touched.extend(self.all()),
            Change::Document(..) => touch(Subject::Hosted),
            Change::Programs => touch(Subject::Programs),
            Change::Definition(program) => {
                touch(Subject::Program(program));
                touch(match fleet.program(program).and_then(only_der) {
                    Some(der) => Subject::Device(Client::Der(der)),
                    None => Subject::Programs,
                });
            }
            Change::Program(program) => below(program, fleet).into_iter().for_each(touch),
            Change::Control(control) => {
                let program = fleet.control(control).map(|control| control.program);
                let below = program.map(|program| below(program, fleet));
                below.into_iter().flatten().for_each(touch);
            }
            Change::Curve(curve) => {
                let program = fleet.curve(curve).map(|curve| curve.program);
                program.map(Subject::Program).into_iter().for_each(touch);
            }
        }
    }
}

/// What a change below `program` touches.
fn below(program: ProgramId, fleet: &Fleet) -> [Subject; 2] {
    let controls = match fleet.program(program).and_then(only_der) {
        Some(der) => Subject::ControlsOf(Client::Der(der)),
        None => Subject::SharedControls,
    };
    [Subject::Program(program), controls]
}

/// What `target`, as `client` sees it, depends on.
fn subjects(target: Target, client: Client, fleet: &Fleet) -> Vec<Subject> {
    if let Some(program) = target.program().map(ProgramId) {
        let through = match fleet.program(program).and_then(only_der) {
            Some(der) => Subject::Device(Client::Der(der)),
            None => Subject::Reach(client),
        };
        return vec![Subject::Program(program), through];
    }
    let Some(of) = target.client() else {
        return match target {
            Target::EndDevices | Target::MirrorUsagePoints => vec![Subject::DevicesOf(client)],
            _ => vec![
                Subject::Hosted,
                Subject::HostedFor(client),
                Subject::Reach(client),
            ],
        };
    };
    match target {
        Target::EndDevice(_) => vec![Subject::Device(of), Subject::DocumentsOf(of)],
        Target::AssignmentsList(_)
        | Target::Assignments(..)
        | Target::AssignedPrograms(..)
        | Target::AssociatedPrograms(_) => vec![
            Subject::Device(of),
            Subject::Programs,
            Subject::Hosted,
            Subject::HostedFor(of),
        ],
        Target::Der(_) => vec![
            Subject::Device(of),
            Subject::DocumentsOf(of),
            Subject::Programs,
            Subject::ControlsOf(of),
            Subject::SharedControls,
        ],
        Target::Hosted(_) => vec![
            Subject::Device(of),
            Subject::DocumentsOf(of),
            Subject::Hosted,
            Subject::HostedFor(of),
        ],
        _ => vec![Subject::Device(of), Subject::DocumentsOf(of)],
    }
}

fn manager(client: Client, fleet: &Fleet) -> Option<Client> {
    let Client::Der(der) = client else {
        return None;
    };
    fleet.der(der)?.manager.map(Client::Aggregator)
}
