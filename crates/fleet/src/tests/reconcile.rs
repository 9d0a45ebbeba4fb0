//! The planner, the ledger and the clock together, without a shell.

mod availability;
mod changed;
mod islands;
mod loads;
mod others;
mod settles;
mod urgent;

use std::time::Duration;

use units::{Percent, Timestamp, WattHours, Watts};

use super::{Rig, mrid, t, target, watts};
use crate::dispatch::assess::{Policy, World};
use crate::dispatch::behaviour::Need;
use crate::dispatch::correction::{Correction, TRY_AGAIN_AFTER, Vain, correction};
use crate::dispatch::reconcile::{Cause, causes, reconcile, replan};
use crate::dispatch::{LinearLimit, Plan, Standing};
use crate::enrolment::{Departure, Flexibility};
use crate::{
    ActivePower, AggregatorId, Client, Command, Conduct, ControlBase, DefaultControl, DerId,
    Dispatch, DispatchId, EnrolmentCommand, Envelope, EnvelopePoint, Event, Evidence, Fallback,
    Ledger, Lfdi, Name, NewAggregator, NewControl, NewDispatch, NewProgram, Observation, Origin,
    Pin, Quality, Reading, Rejection, Scaled, Scope, Setting, Share,
};

struct Scene {
    rig: Rig,
    observations: Vec<Observation>,
    deliveries: Ledger,
    limits: Vec<LinearLimit>,
}

impl Scene {
    /// Three batteries at rest, half full, in one group with one dispatch of 3 × 60 s.
    fn new(p: i64) -> Self {
        let mut rig = Rig::new();
        let members: Vec<DerId> = (0..3).map(|_| rig.storage(5_000, 10_000)).collect();
        rig.group("g", &members);
        let mut scene = Self {
            rig,
            observations: Vec::new(),
            deliveries: Ledger::default(),
            limits: Vec::new(),
        };
        scene.observations = vec![Observation::default(); 3];
        (0..3).for_each(|der| scene.hear(der, 0, 0));
        let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
        let schedule = vec![target(100, 60, p), target(160, 60, p), target(220, 60, p)];
        let ramp = Some(Duration::from_secs(5));
        let new = NewDispatch {
            mrid: mrid("d"),
            name: None,
            group,
            schedule,
            ramp,
            conduct: Conduct::default(),
        };
        scene.must(&Command::CreateDispatch(new), 10);
        let plan = scene.replan(10);
        scene.must(&Command::AdoptPlan(plan), 10);
        scene.must(&Command::PublishDispatch(DispatchId(0)), 10);
        scene
    }

    fn world(&self, now: i64) -> World<'_> {
        World {
            fleet: &self.rig.fleet,
            observations: &self.observations,
            deliveries: &self.deliveries,
            policy: Policy {
                silent_after: Duration::from_secs(30),
                settle: Duration::from_secs(10),
                lead: Duration::from_secs(3),
                tolerance: Percent::from_hundredths(500),
                latency: Duration::from_secs(60),
                latency_aggregated: Duration::from_secs(120),
            },
            now: t(now),
        }
    }

    fn must(&mut self, command: &Command, now: i64) {
        let events = self.rig.must(command, now);
        self.begin(events);
    }

    fn follow(&mut self, command: &Command, now: i64) {
        let events = self.rig.follow(command, now);
        self.begin(events);
    }

    fn begin(&mut self, events: Vec<Event>) {
        for event in events {
            if let Event::ControlIssued(control) = event {
                self.deliveries.begin(&control);
            }
        }
    }

    fn replan(&self, now: i64) -> Plan {
        replan(
            &self.world(now),
            &self.rig.fleet.dispatches()[0],
            &self.limits,
        )
        .unwrap()
    }

    fn reconcile(&mut self, now: i64) -> usize {
        let commands = reconcile(&self.world(now), &self.rig.fleet.dispatches()[0]);
        commands.iter().for_each(|command| self.must(command, now));
        commands.len()
    }

    fn cause(&self, now: i64) -> Option<Cause> {
        let dispatch = &self.rig.fleet.dispatches()[0];
        let causes = causes(&self.world(now), dispatch, &self.limits);
        causes.first().copied()
    }

    fn correct(&self, now: i64, vain: &mut Vain) -> Result<Option<Correction>, Rejection> {
        let dispatch = &self.rig.fleet.dispatches()[0];
        correction(&self.world(now), dispatch, &self.limits, vain)
    }

    fn hear(&mut self, der: usize, p_w: i64, now: i64) {
        let reading = |value| reading(value, now);
        self.observations[der].last_contact = Some(t(now));
        self.observations[der].p = Some(Reading {
            value: watts(p_w),
            at: t(now),
            quality: Quality::Valid,
        });
        self.observations[der].soc_pct = reading(50.0);
    }

    fn respond(&mut self, control: usize, code: u8, now: i64) {
        let control = &self.rig.fleet.controls()[control];
        let der = control.der.unwrap();
        let evidence = Evidence::Response(code);
        if let Some(entry) = self.deliveries.next(control, der, evidence, t(now)) {
            assert!(self.deliveries.push(entry, control.created));
        }
    }

    fn asked(&self, der: u32, now: i64) -> Option<Watts> {
        let control = self
            .rig
            .fleet
            .in_force(DerId(der), Timestamp::from_secs(now))?;
        control.base.active().map(ActivePower::p)
    }
}

#[test]
fn a_plan_becomes_controls_once() {
    let mut scene = Scene::new(3_000);
    assert_eq!(scene.reconcile(11), 9);
    assert_eq!(scene.reconcile(11), 0);
    assert_eq!(scene.reconcile(150), 0);
    assert_eq!(scene.asked(0, 110), Some(watts(1_000)));
}

#[test]
fn the_share_of_an_owner_who_opts_out_goes_to_the_others() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 119));
    scene.respond(0, 4, 120);
    scene.hear(0, 0, 120);
    let expected = Cause::Standing {
        der: DerId(0),
        from: Standing::Controllable,
        to: Standing::OptedOut,
    };
    assert_eq!(scene.cause(120), Some(expected));
    let plan = scene.replan(120);
    scene.must(&Command::AdoptPlan(plan), 120);
    assert_eq!(
        scene.reconcile(120),
        3 + 6,
        "three withdrawn, two members in three intervals"
    );
    assert_eq!(scene.asked(1, 125), Some(watts(1_500)));
    assert_eq!(scene.asked(0, 125), None);
    assert_eq!(scene.reconcile(121), 0);
    assert_eq!(scene.cause(124), None);
}

#[test]
fn the_share_of_a_silent_member_that_holds_its_controls_is_not_given_away() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9).for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 130));
    assert_eq!(
        scene.world(130).standing(&scene.rig.fleet.ders()[0], None),
        Standing::Silent
    );
    assert_eq!(scene.cause(130), None);
}

#[test]
fn whoever_is_shut_out_is_not_counted_on_though_it_was_just_heard() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 119));
    scene.must(&Command::SetAccess(Client::Der(DerId(0)), false), 120);
    let cut_off = Cause::Standing {
        der: DerId(0),
        from: Standing::Controllable,
        to: Standing::Silent,
    };
    assert_eq!(scene.cause(120), Some(cut_off));
    let plan = scene.replan(120);
    assert_eq!(plan.unasked, [(DerId(0), Standing::Silent)]);
    scene.must(&Command::SetAccess(Client::Der(DerId(0)), true), 121);
    assert_eq!(scene.cause(121), None);
}

#[test]
fn the_der_of_a_revoked_aggregator_are_shut_out_with_it() {
    let mut rig = Rig::new();
    let new = NewAggregator {
        name: Name::new("a").unwrap(),
        lfdi: Lfdi([101; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        may_enrol: false,
    };
    rig.must(&Command::EnrolAggregator(new), 0);
    let der = rig.managed(AggregatorId(0));
    let heard = Observation {
        last_contact: Some(t(10)),
        ..Observation::default()
    };
    let deliveries = Ledger::default();
    let reachable = |rig: &Rig| {
        let world = World {
            fleet: &rig.fleet,
            observations: &[heard],
            deliveries: &deliveries,
            policy: Policy::default(),
            now: t(11),
        };
        world.is_reachable(der)
    };
    assert!(reachable(&rig));
    let revoke = Command::SetAccess(Client::Aggregator(AggregatorId(0)), false);
    rig.must(&revoke, 11);
    assert!(!reachable(&rig));
}

#[test]
fn what_a_silent_member_never_fetched_is_given_to_others() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9)
        .filter(|control| *control != 6)
        .for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 130));
    assert!(matches!(
        scene.cause(130),
        Some(Cause::Standing {
            to: Standing::Silent,
            ..
        })
    ));
    let plan = scene.replan(130);
    let share = |interval| plan.share(DerId(1), interval).map(ActivePower::p);
    assert_eq!(
        (share(1), share(2)),
        (Some(watts(1_000)), Some(watts(1_500)))
    );
}

#[test]
fn a_member_that_says_yes_and_does_not_move_is_found_out_and_stays_out() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9).for_each(|control| scene.respond(control, 2, 100));
    (1..3).for_each(|der| scene.hear(der, 1_000, 116));
    scene.hear(0, 0, 114);
    assert_eq!(
        scene.cause(116),
        None,
        "the meter has not had time to show anything"
    );
    scene.hear(0, 0, 116);
    assert!(matches!(
        scene.cause(116),
        Some(Cause::Standing {
            to: Standing::NotFollowing,
            ..
        })
    ));
    let plan = scene.replan(116);
    scene.must(&Command::AdoptPlan(plan), 116);
    scene.reconcile(116);
    assert_eq!(scene.asked(2, 120), Some(watts(1_500)));
    scene.hear(0, 0, 125);
    (1..3).for_each(|der| scene.hear(der, 1_500, 125));
    assert_eq!(scene.cause(125), None);
}

#[test]
fn members_that_are_not_asked_are_followed_where_they_go() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 119));
    scene.respond(0, 4, 120);
    let plan = scene.replan(120);
    scene.must(&Command::AdoptPlan(plan), 120);
    scene.reconcile(120);
    assert_eq!(scene.asked(1, 125), Some(watts(1_000)));
    scene.hear(0, 900, 124);
    assert_eq!(scene.cause(124), None, "within tolerance");
    scene.hear(0, -2_000, 125);
    let moved = Cause::UnaskedMoved {
        expected: watts(1_000),
        found: watts(-2_000),
    };
    assert_eq!(scene.cause(125), Some(moved));
    let plan = scene.replan(125);
    scene.must(&Command::AdoptPlan(plan), 125);
    scene.reconcile(125);
    assert_eq!(scene.asked(1, 130), Some(watts(2_500)));
    assert_eq!(scene.cause(130), None);
}

#[test]
fn what_can_not_be_helped_is_planned_for_again_only_when_something_else_changes_or_after_a_while() {
    let mut scene = Scene::new(15_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 5_000, 119));
    let mut vain = Vain::default();
    scene.respond(0, 4, 120);
    let first = scene.correct(120, &mut vain).unwrap().unwrap();
    scene.must(&Command::AdoptPlan(first.plan), 120);
    scene.reconcile(120);
    assert_eq!(vain, Vain::default());
    // The others give all that they can already.
    let drifts = |scene: &mut Scene, now: i64| {
        scene.hear(0, -2_000 - now, now);
        (1..3).for_each(|der| scene.hear(der, 5_000, now));
    };
    drifts(&mut scene, 125);
    assert!(matches!(scene.cause(125), Some(Cause::UnaskedMoved { .. })));
    assert_eq!(scene.correct(125, &mut vain), Ok(None));
    let tried = vain.clone();
    assert_ne!(tried, Vain::default());
    for now in 126..185 {
        drifts(&mut scene, now);
        assert_eq!(scene.correct(now, &mut vain), Ok(None));
        assert_eq!(vain, tried, "planned for again at {now}");
    }
    assert_eq!(TRY_AGAIN_AFTER, Duration::from_secs(60));
    assert_eq!(scene.correct(185, &mut vain), Ok(None));
    assert_ne!(vain, tried, "it is planned for again a minute later");
    let tried = vain.clone();
    // A limit that nobody can keep is another cause, and there is no plan at all.
    scene.limits = vec![LinearLimit {
        name: Name::new("street").unwrap(),
        terms: vec![(DerId(0), -1.0)],
        max: watts(0),
        during: None,
    }];
    let refused = scene.correct(190, &mut vain);
    assert!(
        matches!(refused, Err(Rejection::LimitExceeded { .. })),
        "{refused:?}"
    );
    assert_ne!(vain, tried, "another cause is planned for at once");
    let tried = vain.clone();
    assert_eq!(scene.correct(191, &mut vain), refused, "it is still told");
    assert_eq!(vain, tried);
    scene.limits.clear();
    scene.hear(0, 5_000, 192);
    assert_eq!(scene.correct(192, &mut vain), Ok(None));
    assert_eq!(vain, Vain::default(), "the causes are gone");
}

#[test]
fn a_silent_member_counts_with_the_control_that_it_has_heard_of() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9).for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 119));
    scene.hear(0, 800, 119);
    scene.respond(2, 4, 120);
    scene.hear(2, 0, 120);
    let plan = scene.replan(120);
    scene.must(&Command::AdoptPlan(plan), 120);
    scene.reconcile(120);
    assert_eq!(scene.asked(0, 125), Some(watts(1_500)));
    scene.hear(1, 1_500, 150);
    scene.hear(2, 0, 150);
    let expected = Cause::Standing {
        der: DerId(0),
        from: Standing::Controllable,
        to: Standing::Silent,
    };
    assert_eq!(scene.cause(150), Some(expected));
    let plan = scene.replan(150);
    scene.must(&Command::AdoptPlan(plan), 150);
    scene.reconcile(150);
    assert_eq!(scene.asked(1, 155), Some(watts(2_000)));
    assert_eq!(scene.cause(155), None);
}

#[test]
fn a_silent_member_counts_at_its_default_control_once_what_it_holds_is_over() {
    let mut scene = Scene::new(3_000);
    let base = ControlBase::asking(ActivePower::TargetW {
        value: 200,
        multiplier: 0,
    });
    let der = scene.rig.fleet.ders()[0].clone();
    let set = Command::SetDefaultControl(der.program, DefaultControl::asking(base));
    scene.must(&set, 11);
    assert!(
        scene.rig.must(&set, 11).is_empty(),
        "the same again is no event"
    );
    scene.reconcile(11);
    (0..3).for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 130));
    let world = scene.world(130);
    assert_eq!(
        world.settled_at(&der),
        Some(t(160)),
        "only its first control was fetched"
    );
    assert_eq!(world.adverse(&der, 1.0), watts(5_000));
    assert_eq!(world.adverse(&der, -1.0), watts(-5_000));
    let later = scene.world(165);
    assert_eq!(later.adverse(&der, 1.0), watts(200));
}

#[test]
fn the_owner_s_reserve_is_not_counted_on() {
    let mut scene = Scene::new(3_000);
    let whole = scene.world(1).energy(&scene.rig.fleet.ders()[0]).unwrap().0;
    assert_eq!(whole, WattHours::whole(5_000), "half of 10 kWh");
    let mut der = scene.rig.fleet.ders()[0].clone();
    der.reserve = Percent::from_hundredths(3_000);
    assert_eq!(
        scene.world(1).energy(&der).unwrap().0,
        WattHours::whole(2_000)
    );
    scene.observations[0].soc_pct = None;
    assert_eq!(scene.world(1).energy(&der).unwrap().0, WattHours::ZERO);
}

#[test]
fn plans_that_are_superseded_are_kept_in_outline_up_to_a_limit() {
    let mut scene = Scene::new(3_000);
    let generations = u32::try_from(Dispatch::MAX_SUPERSEDED).unwrap() + 3;
    for generation in 2..=generations {
        let plan = Plan {
            generation,
            ..scene.rig.fleet.dispatches()[0].plan.clone().unwrap()
        };
        scene.must(&Command::AdoptPlan(plan), 1);
    }
    let superseded = &scene.rig.fleet.dispatches()[0].superseded;
    let kept: Vec<u32> = superseded.iter().map(|plan| plan.generation).collect();
    assert_eq!(kept, (3..generations).collect::<Vec<_>>());
    assert_eq!(superseded[0].asked, 3);
}

#[test]
fn what_a_vehicle_says_it_needs_goes_before_what_its_owner_said() {
    let mut scene = Scene::new(3_000);
    let der = scene.rig.fleet.ders()[0].clone();
    assert_eq!(scene.world(1).charge_need(&der), None);
    let departure = Departure {
        at: t(7_200),
        soc: Percent::from_hundredths(8_000),
    };
    let flexibility = Flexibility {
        departure: Some(departure),
        ..Flexibility::default()
    };
    scene.must(
        &Command::Enrolment(EnrolmentCommand::PutFlexibility(
            der.id,
            Box::new(flexibility),
        )),
        1,
    );
    let need = |scene: &Scene, now| scene.world(now).charge_need(&der);
    let owner = Need {
        energy: WattHours::whole(3_000),
        by: t(7_200),
    };
    assert_eq!(
        need(&scene, 1),
        Some(owner),
        "80 % of 10 kWh, half of which is there"
    );
    scene.observations[0].energy_requested = reading(WattHours::whole(1_200), 0);
    scene.observations[0].charge_needed_by = reading(t(3_600), 0);
    let vehicle = Need {
        energy: WattHours::whole(1_200),
        by: t(3_600),
    };
    assert_eq!(need(&scene, 1), Some(vehicle));
    assert_eq!(
        need(&scene, 3_600),
        Some(owner),
        "the vehicle has left by its own word"
    );
    assert_eq!(need(&scene, 7_200), None);
}

fn reading<T>(value: T, at: i64) -> Option<Reading<T>> {
    Some(Reading {
        value,
        at: t(at),
        quality: Quality::Valid,
    })
}

fn feeder(max_w: i64) -> Vec<LinearLimit> {
    let terms = (0..3).map(|der| (DerId(der), 1.0)).collect();
    vec![LinearLimit {
        name: Name::new("feeder").unwrap(),
        terms,
        max: watts(max_w),
        during: None,
    }]
}

#[test]
fn a_limit_that_a_silent_member_uses_up_curtails_the_others() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9).for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 130));
    scene.limits = feeder(6_995);
    assert_eq!(scene.cause(130), None, "5 W too much are less than 0.1 %");
    scene.limits = feeder(6_990);
    let excess = watts(10);
    assert_eq!(scene.cause(130), Some(Cause::LimitExceeded { excess }));
    scene.limits = feeder(6_500);
    assert_eq!(
        scene.cause(130),
        Some(Cause::LimitExceeded { excess: watts(500) }),
        "5 kW that the silent one could inject and twice 1 kW"
    );
    let plan = scene.replan(130);
    let share = |der| plan.share(DerId(der), 1).unwrap().p();
    assert_eq!(share(1) + share(2), watts(1_500));
    scene.must(&Command::AdoptPlan(plan), 130);
    scene.reconcile(130);
    assert_eq!(scene.cause(134), None);
}

#[test]
fn a_limit_is_kept_whatever_one_that_left_and_fell_silent_does() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    scene.respond(0, 4, 115);
    scene.hear(0, 0, 116);
    (1..3).for_each(|der| scene.hear(der, 1_000, 116));
    let plan = scene.replan(116);
    scene.must(&Command::AdoptPlan(plan), 116);
    scene.reconcile(116);
    (1..3).for_each(|der| scene.hear(der, 1_500, 160));
    scene.limits = feeder(6_500);
    assert_eq!(
        scene.cause(160),
        Some(Cause::LimitExceeded {
            excess: watts(1_500)
        }),
        "5 kW that nobody can see and twice 1.5 kW"
    );
    let plan = scene.replan(160);
    assert_eq!(plan.standing_of(DerId(0)), Some(Standing::OptedOut));
    let share = |der| plan.share(DerId(der), 1).unwrap().p();
    assert_eq!(share(1) + share(2), watts(1_500));
    scene.must(&Command::AdoptPlan(plan), 160);
    scene.reconcile(160);
    assert_eq!(scene.cause(164), None);
}

#[test]
fn what_a_silent_member_never_fetched_is_withdrawn_from_it() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..9)
        .filter(|c| *c != 6)
        .for_each(|control| scene.respond(control, 1, 20));
    (1..3).for_each(|der| scene.hear(der, 1_000, 130));
    let plan = scene.replan(130);
    scene.must(&Command::AdoptPlan(plan), 130);
    scene.reconcile(130);
    let cancelled = |control: usize| scene.rig.fleet.controls()[control].cancelled;
    assert_eq!((cancelled(3), cancelled(6)), (None, Some(t(130))));
}

#[test]
fn two_dispatches_share_one_limit() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    let other = scene.rig.storage(5_000, 10_000);
    scene.observations.push(Observation::default());
    scene.hear(other.index(), 0, 11);
    scene.limits = feeder(5_000);
    scene.limits[0].terms.push((other, 1.0));
    scene.rig.group("h", &[other]);
    let group = scene.rig.fleet.group_by_mrid(&mrid("h")).unwrap().id;
    let dispatch = |p| Dispatch {
        id: DispatchId(1),
        mrid: mrid("e"),
        name: None,
        group,
        schedule: vec![target(100, 60, p)],
        ramp: Duration::from_secs(5),
        conduct: Conduct::default(),
        approvals: Vec::new(),
        published: None,
        created: t(12),
        cancelled: None,
        plan: None,
        superseded: Vec::new(),
        asked_before: std::collections::BTreeMap::new(),
    };
    let fits = replan(&scene.world(12), &dispatch(2_000), &scene.limits);
    assert!(fits.is_ok());
    let refused = replan(&scene.world(12), &dispatch(2_001), &scene.limits);
    assert!(
        matches!(refused, Err(Rejection::ShortOfPower { reachable, .. })
        if reachable == watts(2_000))
    );
}

#[test]
fn only_the_next_generation_is_adopted() {
    let mut scene = Scene::new(3_000);
    let plan = |generation| Plan {
        generation,
        ..scene.replan(20)
    };
    for stale in [1, 3] {
        let adopt = Command::AdoptPlan(plan(stale));
        let refused = scene.rig.fleet.decide(&adopt, t(20)).unwrap_err();
        let expected = Rejection::StalePlan {
            expected: 2,
            got: stale,
        };
        assert_eq!(refused, expected);
    }
    let next = Command::AdoptPlan(plan(2));
    scene.must(&next, 20);
}

#[test]
fn a_plan_keeps_within_the_envelope_of_a_member() {
    let mut scene = Scene::new(9_000);
    let envelope = Envelope {
        der: DerId(0),
        source: Name::new("grid").unwrap(),
        set: t(0),
        points: vec![EnvelopePoint {
            interval: target(150, 100, 0).interval,
            import_max: None,
            export_max: Some(watts(500)),
        }],
        fallback: Fallback::default(),
    };
    scene.rig.knows_envelopes(DerId(0));
    scene.follow(&Command::SetEnvelope(envelope), 12);
    let plan = scene.replan(12);
    for interval in 0..3 {
        let share = plan.share(DerId(0), interval).unwrap().p();
        assert!(share <= watts(500), "{share} in {interval}");
        assert_eq!(plan.balances[interval as usize].residue, watts(0));
    }
}

#[test]
fn short_notice_is_said() {
    let mut scene = Scene::new(3_000);
    (0..3).for_each(|der| scene.hear(der, 0, 65));
    let dispatch = &scene.rig.fleet.dispatches()[0];
    // Made at 10 for 100: 90 s of notice, and devices look every 60 s.
    assert!(dispatch.plan.as_ref().unwrap().late.is_empty());
    let mut hurried = dispatch.clone();
    hurried.plan = None;
    let world = World {
        now: t(70),
        ..scene.world(70)
    };
    let plan = replan(&world, &hurried, &[]).unwrap();
    let late = Duration::from_secs(30);
    assert_eq!(
        plan.late,
        [(DerId(0), late), (DerId(1), late), (DerId(2), late)]
    );
}
