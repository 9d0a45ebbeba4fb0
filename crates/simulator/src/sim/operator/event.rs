//! Dispatches in all their ways: what is aimed at, how urgent it is, by what members are chosen, who
//! has to approve of it, and how it changes; and the needs of owners that they have to respect.

use std::time::Duration;

use fleet::dispatch::conduct::Publish;
use fleet::enrolment::{Departure, EnrolmentCommand, Flexibility};
use fleet::{
    Aim, ApprovalRule, Capacity, CimMrid, Command, Conduct, DerId, DerKind, Dispatch,
    DispatchChange, DispatchId, Fleet, GroupId, Name, Need, NewDispatch, Objective, Priority,
    Target,
};
use units::{Interval, Percent, Timestamp, Watts};

use super::{AHEAD, Expected, Operator, Wish};
use crate::sim::roster::{EFFICIENCY, Member};

/// From so much on, a dispatch of everybody needs a second person.
const APPROVED_FROM: Watts = Watts::whole(60_000);
/// Who makes dispatches, and who approves of them.
const PERSONS: [&str; 2] = ["first operator", "second operator"];

/// What is known of owners' needs from the start, and who has to approve of what.
pub(super) fn founding(members: &[Member]) -> Vec<Command> {
    let stores = members.iter().enumerate();
    let stores = stores.filter(|(_, member)| member.kind == DerKind::Storage);
    let mut commands: Vec<Command> = stores
        .map(|(index, _)| {
            let flexibility = Flexibility {
                charge_efficiency: EFFICIENCY,
                discharge_efficiency: EFFICIENCY,
                ..Flexibility::default()
            };
            flexible(DerId::from(index), flexibility)
        })
        .collect();
    commands.push(Command::SetApprovalRules(vec![ApprovalRule {
        group: Some(GroupId(0)),
        from: APPROVED_FROM,
        up_to: Priority::Reliability,
        need: Need::SecondPerson,
    }]));
    commands
}

fn flexible(der: DerId, flexibility: Flexibility) -> Command {
    Command::Enrolment(EnrolmentCommand::PutFlexibility(der, Box::new(flexibility)))
}

fn person(number: usize) -> Name {
    Name::new(PERSONS[number]).expect("a few letters")
}

impl Operator {
    /// Of a group; `depth` is how much of its range may be asked for, over one for too much.
    pub(super) fn dispatch(&mut self, fleet: &Fleet, now: Timestamp, depth: f64) -> Option<Wish> {
        let groups: Vec<GroupId> = fleet.groups().map(|group| group.id).collect();
        let id = self.pick(&groups)?;
        let group = fleet.group(id)?;
        let settings = group.members.iter().filter_map(|id| fleet.der(*id));
        let settings = settings.filter_map(|der| der.settings.as_ref());
        let range = settings.fold((0.0, 0.0), |(low, high), settings| {
            let (absorb, inject) = (settings.p_absorb_max, settings.p_inject_max);
            (low - absorb.as_f64(), high + inject.as_f64())
        });
        let count = 1 + self.below(3);
        let mut start = self.interval(now).start;
        let mut schedule = Vec::new();
        for _ in 0..count {
            let duration_s = self.noise.between(300.0, 890.0).round();
            let interval =
                Interval::between(start, start.after(Duration::from_secs_f64(duration_s)));
            let aim = match depth {
                ..=1.0 => self.aim(range, depth),
                depth => Aim::Net(whole((range.1 - range.0 + 1.0) * depth)),
            };
            schedule.push(Target { interval, aim });
            start = interval.end();
        }
        let new = NewDispatch {
            mrid: CimMrid::new(&format!("dispatch-{}", self.count)).expect("a few letters"),
            name: None,
            group: id,
            schedule,
            ramp: Some(Duration::from_secs(60)),
            conduct: self.conduct(),
        };
        let (what, expected) = match depth {
            ..=1.0 => ("dispatch", Expected::Either),
            _ => ("dispatch beyond reach", Expected::Refusal),
        };
        Some(Wish {
            what,
            command: Command::CreateDispatch(new),
            expected,
        })
    }

    fn aim(&mut self, (low, high): (f64, f64), depth: f64) -> Aim {
        let p = whole(self.noise.between(low, high) * depth);
        let percent = self.noise.between(-100.0, 100.0) * depth;
        let hundredths = Watts::from_f64((percent * 100.0).round()).micro() / units::MICRO;
        match self.below(8) {
            0 => Aim::Delta(p),
            1 => Aim::Percent(Percent::from_hundredths(
                i32::try_from(hundredths).unwrap_or_default(),
            )),
            2 => Aim::AtMost(p),
            3 => Aim::AtLeast(p),
            _ => Aim::Net(p),
        }
    }

    fn conduct(&mut self) -> Conduct {
        const PRIORITIES: [Priority; 4] = [
            Priority::Economic,
            Priority::Economic,
            Priority::Reliability,
            Priority::Emergency,
        ];
        const OBJECTIVES: [Objective; 4] = [
            Objective::ProRata,
            Objective::LeastCost,
            Objective::LeastUsed,
            Objective::FewestDevices,
        ];
        Conduct {
            priority: PRIORITIES[self.below(4)],
            objective: OBJECTIVES[self.below(4)],
            publish: match self.below(6) {
                0 => Publish::OnCommand,
                _ => Publish::WhenApproved,
            },
            release: Duration::from_secs([0, 0, 60][self.below(3)]),
            author: Some(person(0)),
            ..Conduct::default()
        }
    }

    /// Somebody else approves of a dispatch that is not let out yet, or who made it tries to.
    pub(super) fn approve(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let id = self.waiting(fleet, now)?;
        let by = person(1.min(self.below(4)));
        Some(Command::ApproveDispatch(id, by, Capacity::Operator))
    }

    pub(super) fn publish(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        Some(Command::PublishDispatch(self.waiting(fleet, now)?))
    }

    fn waiting(&mut self, fleet: &Fleet, now: Timestamp) -> Option<DispatchId> {
        let open = fleet.open_dispatches(now);
        let open = open.filter(|dispatch| dispatch.published.is_none());
        let open: Vec<DispatchId> = open.map(|dispatch| dispatch.id).collect();
        self.pick(&open)
    }

    /// It goes on longer, becomes more or less urgent, or chooses its members otherwise.
    pub(super) fn change_dispatch(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let open: Vec<DispatchId> = fleet.open_dispatches(now).map(|it| it.id).collect();
        let dispatch = fleet.dispatch(self.pick(&open)?)?;
        let other = self.conduct();
        let change = match self.below(4) {
            0 => DispatchChange {
                priority: Some(other.priority),
                ..DispatchChange::default()
            },
            1 => DispatchChange {
                objective: Some(other.objective),
                ..DispatchChange::default()
            },
            _ => DispatchChange {
                schedule: Some(self.extended(dispatch, now)?),
                ..DispatchChange::default()
            },
        };
        Some(Command::ChangeDispatch(dispatch.id, change))
    }

    fn extended(&mut self, dispatch: &Dispatch, now: Timestamp) -> Option<Vec<Target>> {
        let mut schedule = dispatch.schedule.clone();
        let last = schedule.last_mut()?;
        let by_s = self.noise.between(60.0, 600.0).round();
        let end = last.interval.end().after(Duration::from_secs_f64(by_s));
        last.interval = Interval::between(last.interval.start, end);
        (end <= now.after(AHEAD)).then_some(schedule)
    }

    /// A vehicle leaves within hours and has to be charged so far by then.
    pub(super) fn departure(&mut self, fleet: &Fleet, now: Timestamp) -> Option<Command> {
        let chargers = fleet.ders().iter();
        let chargers = chargers.filter(|der| der.kind == DerKind::EvCharger);
        let chargers: Vec<DerId> = chargers.map(|der| der.id).collect();
        let ahead_s = self.noise.between(1_800.0, 4.0 * 3_600.0);
        let flexibility = Flexibility {
            departure: Some(Departure {
                at: now.after(Duration::from_secs_f64(ahead_s)).ceil_secs(),
                soc: Percent::from_hundredths([5_000, 7_000, 9_000][self.below(3)]),
            }),
            charge_efficiency: Percent::from_hundredths(9_200),
            ..Flexibility::default()
        };
        Some(flexible(self.pick(&chargers)?, flexibility))
    }
}

fn whole(p_w: f64) -> Watts {
    Watts::whole(Watts::from_f64(p_w).micro() / units::MICRO)
}
