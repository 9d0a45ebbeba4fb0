//! What operators and other systems ask of the fleet, drawn from the seed.

mod event;

use std::time::Duration;

use fleet::{
    ActivePower, AssignmentId, CimMrid, Command, ControlBase, DefaultControl, DerFunction,
    DerFunctions, DerId, DerKind, DispatchId, Envelope, EnvelopePoint, Fallback, Fleet,
    GroupChange, GroupId, Level, Name, NewAssignment, NewControl, NewGroup, NewProgram, Origin,
    ProgramId, Scaled, Scope, Setting, Share, Terms,
};
use units::{Interval, Percent, Timestamp, Watts};

use super::island;
use super::roster::Member;
use super::server::Server;
use crate::noise::Noise;

/// Nothing that is asked ends later than so long from now.
pub(super) const AHEAD: Duration = Duration::from_secs(3_600);
/// Rank of the programmes of areas.
const AREA_PRIMACY: u8 = 1;
/// Nodes of the hierarchy below the first.
const AREAS: u32 = 3;

/// What an outcome has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The fleet may accept it or say why not.
    Either,
    /// It has to be refused.
    Refusal,
}

/// One thing asked.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) what: &'static str,
    pub(super) command: Command,
    pub(super) expected: Expected,
}

/// Draws what is asked.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    noise: Noise,
    count: u32,
    /// Members of the shared limit, which nobody but dispatches sets a power for.
    pub(super) limited: Vec<DerId>,
    everybody: Vec<DerId>,
    by_area: Vec<Vec<DerId>>,
}

impl Operator {
    pub(super) fn new(noise: Noise, members: &[Member]) -> Self {
        let everybody: Vec<DerId> = (0..members.len()).map(DerId::from).collect();
        let all = everybody.iter().copied();
        let area = |area: u32| {
            let own = all.clone().filter(|der| area_of(der.index()) == area);
            own.collect::<Vec<DerId>>()
        };
        let is_storage = |der: &DerId| members[der.index()].kind == DerKind::Storage;
        Self {
            noise,
            count: 0,
            limited: all.clone().filter(is_storage).collect(),
            by_area: (0..AREAS).map(area).collect(),
            everybody,
        }
    }

    /// Founds the fleet: DER, hierarchy, groups and programmes.
    pub(super) fn founding(&self, seed: u64, members: &[Member]) -> Vec<Command> {
        let name = |text: &str| Name::new(text).expect("a few letters");
        let mut commands = vec![Command::FoundFleet(Server::identity(seed))];
        commands.extend((0..=AREAS).map(|number| {
            Command::CreateAssignment(NewAssignment {
                name: name(&format!("area {number}")),
                level: if number == 0 {
                    Level::Feeder
                } else {
                    Level::Segment
                },
                parent: (number != 0).then_some(AssignmentId(0)),
            })
        }));
        for (index, member) in members.iter().enumerate() {
            let mut new = member.enrolment();
            new.assignments = vec![AssignmentId(1 + area_of(index))];
            commands.push(Command::EnrolDer(new));
        }
        commands.extend((0..=AREAS).map(|number| {
            Command::CreateProgram(NewProgram {
                name: name(&format!("area programme {number}")),
                primacy: AREA_PRIMACY,
                scope: Scope::Assignment(AssignmentId(number)),
            })
        }));
        let groups = [&self.everybody, &self.limited];
        let groups = groups.into_iter().chain(&self.by_area).enumerate();
        commands.extend(groups.map(|(number, members)| {
            Command::CreateGroup(NewGroup {
                mrid: CimMrid::new(&format!("group-{number}")).expect("a few letters"),
                names: Vec::new(),
                description: Some(name(&format!("group {number}"))),
                functions: DerFunctions::default().with(DerFunction::RealPowerDispatch),
                members: members.clone(),
                version: None,
            })
        }));
        commands.extend(event::founding(members));
        commands.extend(island::founding(members.len()));
        commands
    }

    /// How long until something is asked again.
    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_secs_f64(self.noise.between(30.0, 600.0))
    }

    /// What is asked at `now`; nothing when what was drawn makes no sense now.
    pub(super) fn wish(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Wish> {
        self.count += 1;
        let either = |what, command| {
            Some(Wish {
                what,
                command,
                expected: Expected::Either,
            })
        };
        match self.below(26) {
            0..=5 => {
                let depth = [0.15, 0.3, 0.8][self.below(3)];
                self.dispatch(fleet, now, depth)
            }
            6 => self.dispatch(fleet, now, 20.0),
            7 => either("cancel a dispatch", self.cancel_dispatch(fleet, now)?),
            8 => either("cancel a control", self.cancel_control(fleet, now)?),
            9..=10 => either("set a default control", self.default_control(fleet)?),
            11..=13 => either("set an envelope", self.envelope(now)?),
            14 => either("clear an envelope", self.clear_envelope(fleet)?),
            15..=16 => either(
                "issue a control for an area",
                self.area_control(fleet, now)?,
            ),
            17 => either("issue a control for one", self.own_control(fleet, now)?),
            18 => either("change a group", self.change_group(fleet)?),
            19..=20 => either("approve a dispatch", self.approve(fleet, now)?),
            21 => either("publish a dispatch", self.publish(fleet, now)?),
            22..=23 => either("change a dispatch", self.change_dispatch(fleet, now)?),
            24 => either("set a departure", self.departure(fleet, now)?),
            _ => self.stale_plan(fleet, now),
        }
    }

    fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.noise.bits() % count).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = self.below(from.len());
        from.get(index).copied()
    }

    /// Whole seconds, starting some minutes ahead or at once.
    fn interval(&mut self, now: Timestamp) -> Interval {
        let ahead_s = self.noise.between(0.0, 900.0);
        let start = now.after(Duration::from_secs_f64(ahead_s)).ceil_secs();
        let duration_s = self.noise.between(300.0, 1_500.0).round();
        Interval::between(start, start.after(Duration::from_secs_f64(duration_s)))
    }

    fn cancel_dispatch(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let open: Vec<DispatchId> = fleet.open_dispatches(now).map(|it| it.id).collect();
        Some(Command::CancelDispatch(self.pick(&open)?))
    }

    fn cancel_control(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let recent = fleet.controls().iter().rev().take(200);
        let open = recent.filter(|it| it.cancelled.is_none() && now < it.interval.end());
        let open: Vec<_> = open.map(|it| it.id).collect();
        Some(Command::CancelControl(self.pick(&open)?))
    }

    /// Of the programme of one DER: a limit for those that follow the sun, rest for others.
    fn default_control(&mut self, fleet: &Fleet) -> Option<Command> {
        let everybody = self.everybody.clone();
        let der = fleet.der(self.pick(&everybody)?)?;
        let percent = Percent::from_hundredths([2_000, 5_000, 8_000][self.below(3)]);
        let base = match (self.below(4), der.kind) {
            (0, _) => ControlBase::default(),
            (_, DerKind::Pv) => ControlBase::of([Setting::MaxLimW(Share { percent, of: None })]),
            _ => ControlBase::of([Setting::TargetW(Scaled::ZERO)]),
        };
        let default = DefaultControl::asking(base);
        Some(Command::SetDefaultControl(der.program, default))
    }

    fn envelope(&mut self, now: Timestamp) -> Option<Command> {
        let everybody = self.everybody.clone();
        let der = self.pick(&everybody)?;
        let mut start = self.interval(now).start;
        let limit = |noise: &mut Noise| {
            let most_w = Watts::from_f64(noise.between(0.0, 6_000.0).round());
            (noise.unit() < 0.8).then_some(most_w)
        };
        let mut points = Vec::new();
        for _ in 0..=self.below(3) {
            let duration_s = self.noise.between(300.0, 890.0).round();
            let interval =
                Interval::between(start, start.after(Duration::from_secs_f64(duration_s)));
            start = interval.end();
            points.push(EnvelopePoint {
                interval,
                import_max: limit(&mut self.noise),
                export_max: limit(&mut self.noise),
            });
        }
        let fallback = match self.below(2) {
            0 => Fallback::default(),
            _ => Fallback {
                import_max: Some(Watts::whole(4_000)),
                export_max: Some(Watts::whole(3_000)),
            },
        };
        Some(Command::SetEnvelope(Envelope {
            der,
            source: self.source(),
            set: now,
            points,
            fallback,
        }))
    }

    fn source(&mut self) -> Name {
        let source = ["network", "market"][self.below(2)];
        Name::new(source).expect("a few letters")
    }

    fn clear_envelope(&mut self, fleet: &Fleet) -> Option<Command> {
        let enveloped: Vec<DerId> = fleet.enveloped_after(None).collect();
        let der = self.pick(&enveloped)?;
        Some(Command::ClearEnvelope(der, self.source()))
    }

    /// A limit on injection for all of an area, which devices may begin and end at random.
    fn area_control(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let programs = fleet.programs().iter();
        let programs = programs.filter(|it| matches!(it.scope, Scope::Assignment(_)));
        let programs: Vec<ProgramId> = programs.map(|it| it.id).collect();
        let percent = Percent::from_hundredths([0, 3_000, 6_000][self.below(3)]);
        let base = ControlBase::of([Setting::MaxLimW(Share { percent, of: None })]);
        let terms = Terms {
            randomize_start_s: [0, 0, 120, -60][self.below(4)],
            randomize_duration_s: [0, 60][self.below(2)],
            ..Terms::default()
        };
        Some(Command::IssueControl(NewControl {
            der: None,
            program: self.pick(&programs)?,
            origin: Origin::Operator,
            interval: self.interval(now),
            base,
            terms: Some(terms),
        }))
    }

    /// A power for one that no shared limit is about.
    fn own_control(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let everybody = self.everybody.clone();
        let id = self.pick(&everybody)?;
        let der = fleet.der(id).filter(|_| !self.limited.contains(&id))?;
        let settings = der.settings.as_ref()?;
        let percent = Percent::from_hundredths([-5_000, 0, 5_000][self.below(3)]);
        let of = settings.p_max_toward(percent);
        Some(Command::IssueControl(NewControl {
            der: Some(id),
            program: der.program,
            origin: Origin::Operator,
            interval: self.interval(now),
            base: ControlBase::asking(ActivePower::FixedW { percent, of }),
            terms: None,
        }))
    }

    fn change_group(&mut self, fleet: &Fleet) -> Option<Command> {
        let groups: Vec<GroupId> = fleet.groups().map(|group| group.id).collect();
        let id = self.pick(&groups)?;
        let group = fleet.group(id)?;
        let members = group.members.clone();
        let everybody = self.everybody.clone();
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        if self.below(2) == 0 {
            add.extend(self.pick(&everybody));
        } else if 2 < members.len() {
            remove.extend(self.pick(&members));
        }
        let change = GroupChange {
            add,
            remove,
            ..GroupChange::default()
        };
        Some(Command::ChangeGroup(id, change))
    }

    /// A plan that has been adopted once already.
    fn stale_plan(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Wish> {
        let open: Vec<DispatchId> = fleet.open_dispatches(now).map(|it| it.id).collect();
        let plan = fleet.dispatch(self.pick(&open)?)?.plan.clone()?;
        Some(Wish {
            what: "adopt a stale plan",
            command: Command::AdoptPlan(plan),
            expected: Expected::Refusal,
        })
    }
}

/// Areas are as large as one another.
fn area_of(index: usize) -> u32 {
    u32::try_from(index / 3).unwrap_or(0) % AREAS
}
