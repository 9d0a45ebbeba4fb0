//! Dispatches that are changed once members know of them.

use super::*;
use crate::dispatch::plan::OnShort;
use crate::dispatch::reconcile::{carried, plan_from};
use crate::enrolment::Interconnection;
use crate::enrolment::interconnection::{Discharge, Firmness};
use crate::enrolment::{Dated, DemandResponseProgram, DemandResponseProgramId, Terms};
use crate::{Aim, DispatchChange, EnrolmentCommand, Name, Target};

/// The only dispatch with another schedule, planned as the control loop does.
fn change(scene: &mut Scene, schedule: Vec<Target>, now: i64) {
    let before = scene.rig.fleet.dispatches().last().unwrap().clone();
    let id = before.id;
    let change = DispatchChange {
        schedule: Some(schedule),
        ..DispatchChange::default()
    };
    let events = scene
        .rig
        .fleet
        .decide(&Command::ChangeDispatch(id, change), t(now));
    let [Event::DispatchChanged(changed)] = &events.unwrap()[..] else {
        panic!("a change is one event");
    };
    let next = carried(changed, &before);
    let plan = plan_from(&scene.world(now), &next, &scene.limits, OnShort::Reject).unwrap();
    scene
        .rig
        .fleet
        .apply(&Event::DispatchChanged(changed.clone()));
    scene.must(&Command::AdoptPlan(plan), now);
    scene.bring(id, now);
}

impl Scene {
    /// Another dispatch of the group, let out.
    fn make(&mut self, schedule: Vec<Target>, now: i64) {
        let new = NewDispatch {
            mrid: mrid("other"),
            name: None,
            group: self.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id,
            schedule,
            ramp: Some(Duration::from_secs(5)),
            conduct: Conduct::default(),
        };
        self.must(&Command::CreateDispatch(new), now);
        let made = self.rig.fleet.dispatches().last().unwrap().clone();
        let plan = replan(&self.world(now), &made, &self.limits).unwrap();
        self.must(&Command::AdoptPlan(plan), now);
        self.must(&Command::PublishDispatch(made.id), now);
        self.bring(made.id, now);
    }

    fn bring(&mut self, id: DispatchId, now: i64) {
        let dispatch = self.rig.fleet.dispatch(id).unwrap();
        let commands = reconcile(&self.world(now), dispatch);
        commands.iter().for_each(|command| self.must(command, now));
    }
}

#[test]
fn one_that_is_postponed_is_not_served_at_the_old_time_too() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    change(&mut scene, vec![target(130, 60, 3_000)], 20);
    assert_eq!(scene.asked(0, 110), None, "as it was");
    assert_eq!(scene.asked(0, 135), Some(watts(1_000)), "as it is");
    assert_eq!(scene.asked(0, 195), None);
    assert_eq!(scene.reconcile(21), 0);
}

#[test]
fn one_that_is_moved_ahead_keeps_the_notice_that_its_programme_promises() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let notice = Duration::from_secs(100);
    let terms = Terms {
        notice,
        ..Terms::default()
    };
    let program = DemandResponseProgram {
        mrid: mrid("peak"),
        name: Name::new("Peak").unwrap(),
        terms: Dated::from(Timestamp::default(), terms),
    };
    let put = EnrolmentCommand::PutProgram(program);
    scene.must(&Command::Enrolment(put), 11);
    let new = NewDispatch {
        mrid: mrid("event"),
        name: None,
        group: scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id,
        schedule: vec![target(300, 60, 0)],
        ramp: Some(Duration::from_secs(5)),
        conduct: Conduct {
            program: Some(DemandResponseProgramId(0)),
            ..Conduct::default()
        },
    };
    scene.must(&Command::CreateDispatch(new), 12);
    let made = scene.rig.fleet.dispatches().last().unwrap().clone();
    let plan = replan(&scene.world(12), &made, &scene.limits).unwrap();
    scene.must(&Command::AdoptPlan(plan), 12);
    scene.must(&Command::PublishDispatch(made.id), 12);
    let moved = |start, now| {
        let change = DispatchChange {
            schedule: Some(vec![target(start, 60, 0)]),
            ..DispatchChange::default()
        };
        let change = Command::ChangeDispatch(made.id, change);
        scene.rig.fleet.decide(&change, t(now))
    };
    assert_eq!(
        moved(199, 100).unwrap_err().to_string(),
        "terms of Peak: an event is published 100 s ahead, here 99 s"
    );
    assert!(moved(200, 100).is_ok(), "as much as is promised");
    assert!(moved(310, 250).is_ok(), "a later start needs none");
}

#[test]
fn one_that_is_cut_short_ends_then() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 118));
    // Sooner than members may take to know of it.
    change(&mut scene, vec![target(100, 21, 3_000)], 119);
    assert_eq!(scene.asked(0, 120), Some(watts(1_000)));
    assert_eq!(scene.asked(0, 121), None);
}

#[test]
fn an_aim_that_changes_is_planned_and_one_that_stays_keeps_what_it_was_planned_as() {
    let mut scene = Scene::new(3_000);
    let delta = |start, p| Target {
        aim: Aim::Delta(watts(p)),
        ..target(start, 60, 0)
    };
    let schedule = vec![delta(100, 300), delta(160, 600)];
    let late = DispatchChange {
        schedule: Some(schedule.clone()),
        ..DispatchChange::default()
    };
    let late = Command::ChangeDispatch(DispatchId(0), late);
    assert_eq!(
        scene
            .rig
            .fleet
            .decide(&late, t(11))
            .unwrap_err()
            .to_string(),
        "schedule: interval 1 is relative to what members do unasked, and they are asked already"
    );
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    scene.make(schedule, 12);
    let planned = |scene: &Scene| {
        let dispatch = scene.rig.fleet.dispatches().last().unwrap();
        let balances = &dispatch.plan.as_ref().unwrap().balances;
        let targets = balances.iter().map(|balance| balance.target);
        targets.collect::<Vec<_>>()
    };
    assert_eq!(planned(&scene), [watts(300), watts(600)]);
    // What members do unasked is another by now.
    (0..3).for_each(|der| scene.hear(der, 100, 14));
    change(&mut scene, vec![delta(100, 300), delta(160, 900)], 15);
    assert_eq!(planned(&scene), [watts(300), watts(900)]);
    change(
        &mut scene,
        vec![target(40, 60, 30), delta(100, 300), delta(160, 900)],
        16,
    );
    assert_eq!(
        planned(&scene),
        [watts(30), watts(300), watts(900)],
        "whatever place they have"
    );
}

#[test]
fn whoever_was_asked_counts_though_left_out_later_or_called_off() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    let dispatch = |scene: &Scene| scene.rig.fleet.dispatches()[0].clone();
    let asked = |scene: &Scene, der| {
        let times = dispatch(scene).asked_for();
        times.get(&DerId(der)).map(Duration::as_secs)
    };
    assert_eq!(asked(&scene, 0), Some(180));
    (0..3).for_each(|der| scene.hear(der, 1_000, 129));
    scene.respond(0, 4, 130);
    let plan = scene.replan(130);
    scene.must(&Command::AdoptPlan(plan), 130);
    assert_eq!(asked(&scene, 0), Some(33), "up to when the correction acts");
    assert!(dispatch(&scene).asked_for().contains_key(&DerId(0)));
    assert_eq!(asked(&scene, 1), Some(180));
    scene.must(&Command::CancelDispatch(DispatchId(0)), 150);
    assert_eq!(asked(&scene, 1), Some(50));
    assert!(dispatch(&scene).asked_for().contains_key(&DerId(1)));

    let mut early = Scene::new(3_000);
    early.must(&Command::CancelDispatch(DispatchId(0)), 50);
    assert_eq!(dispatch(&early).asked_for().len(), 0);
    assert!(!dispatch(&early).asked_for().contains_key(&DerId(0)));
}

#[test]
fn what_is_no_longer_approved_ahead_is_corrected_now() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 0, 20));
    assert_eq!(scene.cause(20), None);
    let record = Interconnection {
        permission_from: Some(t(0)),
        permission_until: None,
        export_max: Some(watts(990)),
        import_max: None,
        discharge: Discharge::Allowed,
        category: None,
        limited_generation: None,
        firmness: Firmness::Firm,
        fuel: None,
    };
    let put = EnrolmentCommand::PutInterconnection(DerId(1), Box::new(record));
    scene.must(&Command::Enrolment(put), 21);
    let expected = Cause::OutOfReach {
        der: DerId(1),
        asked: watts(1_000),
    };
    assert_eq!(scene.cause(22), Some(expected));
    let plan = scene.replan(22);
    scene.must(&Command::AdoptPlan(plan), 22);
    scene.reconcile(22);
    assert!(scene.asked(1, 110) <= Some(watts(990)));
    assert_eq!(scene.cause(26), None);
}

#[test]
fn the_events_that_have_asked_a_der_are_those_that_each_event_says_it_asked() {
    let scene = Scene::new(3_000);
    let mut fleet = scene.rig.fleet;
    let plan = fleet.dispatches()[0].plan.clone().unwrap();
    let event = Dispatch {
        id: DispatchId(1),
        mrid: mrid("event"),
        conduct: Conduct {
            program: Some(DemandResponseProgramId(0)),
            ..Conduct::default()
        },
        published: None,
        plan: None,
        ..fleet.dispatches()[0].clone()
    };
    let id = event.id;
    let adopt = |generation, effective, ders: &[u32]| {
        let mut plan = Plan {
            dispatch: id,
            generation,
            effective: t(effective),
            ..plan.clone()
        };
        plan.allocations.retain(|a| ders.contains(&a.der.0));
        Event::PlanAdopted(plan)
    };
    let steps = [
        (Event::DispatchCreated(event), vec![]),
        (adopt(1, 20, &[0, 1]), vec![]),
        (Event::DispatchPublished(id, t(20)), vec![0, 1]),
        (adopt(2, 50, &[1, 2]), vec![1, 2]),
        (adopt(3, 130, &[0]), vec![0, 1, 2]),
        (Event::DispatchCancelled(id, t(110)), vec![1, 2]),
    ];
    for (step, expected) in steps {
        fleet.apply(&step);
        let asked = fleet.dispatch(id).unwrap().taking_part();
        let noted = |der: &u32| {
            let events = fleet.events_of.get(&DerId(*der));
            events.is_some_and(|events| *events == [id])
        };
        let noted: Vec<u32> = (0..3).filter(noted).collect();
        assert_eq!(noted, expected, "after {step:?}");
        assert_eq!(asked.iter().map(|der| der.0).collect::<Vec<_>>(), expected);
    }
}
