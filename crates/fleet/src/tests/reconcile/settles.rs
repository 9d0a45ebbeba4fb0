//! The loop closed over members that lag, whose meters are noisy, and some of which stall, leave, fall
//! silent or drift: it settles, and does not hunt.

use std::time::Duration;

use proptest::prelude::*;
use units::{Percent, Watts};

use super::{Rig, Scene, mrid, t, target};
use crate::dispatch::assess::{Policy, World};
use crate::dispatch::correction::{Correction, correction};
use crate::dispatch::reconcile::reconcile;
use crate::{Command, Conduct, DerId, DispatchId, Evidence, Ledger, NewDispatch, Observation};

const RATING_W: f64 = 5_000.0;
const STEP_S: i64 = 10;
const END_S: i64 = 2_400;
/// Nothing happens to members any more.
const QUIET_FROM_S: i64 = 1_200;
/// By then the loop has done what there was to do: silence is noticed, effects are metered.
const SETTLED_FROM_S: i64 = QUIET_FROM_S + 120;

/// What happens to a member, and when.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    /// It stays where it is, whatever it is asked.
    Stalls(i64),
    /// Its owner opts out.
    OptsOut(i64),
    /// Nothing is heard of it for so long; it goes on.
    Silent(i64, i64),
}

#[derive(Clone, Debug)]
struct Unit {
    lag_s: f64,
    /// Of its rating; below the tolerance.
    noise: f64,
    event: Event,
    p_w: f64,
}

impl Unit {
    fn stalls(&self, now: i64) -> bool {
        matches!(self.event, Event::Stalls(at) if at <= now)
    }

    fn is_heard(&self, now: i64) -> bool {
        !matches!(self.event, Event::Silent(from, secs) if (from..from + secs).contains(&now))
    }

    fn follow(&mut self, asked: Option<Watts>, now: i64) {
        if !self.stalls(now) {
            let asked_w = asked.map_or(0.0, Watts::as_f64);
            self.p_w += (asked_w - self.p_w) * (1.0 - (-(STEP_S as f64) / self.lag_s).exp());
        }
    }
}

/// Reproducible noise in -1 to 1.
fn noise(unit: usize, now: i64) -> f64 {
    let mut bits = (unit as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ now.cast_unsigned();
    bits ^= bits >> 31;
    bits = bits.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (bits >> 40) as f64 / (1_u64 << 23) as f64 - 1.0
}

fn scene(units: usize, p: i64) -> Scene {
    let mut rig = Rig::new();
    let members: Vec<DerId> = (0..units).map(|_| rig.storage(5_000, 50_000)).collect();
    rig.group("g", &members);
    let mut scene = Scene {
        rig,
        observations: vec![Observation::default(); units],
        deliveries: Ledger::default(),
        limits: Vec::new(),
    };
    (0..units).for_each(|der| scene.hear(der, 0, 0));
    let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let new = NewDispatch {
        mrid: mrid("d"),
        name: None,
        group,
        schedule: (0..8).map(|k| target(k * 300 + 60, 300, p)).collect(),
        ramp: Some(Duration::from_secs(10)),
        conduct: Conduct::default(),
    };
    scene.must(&Command::CreateDispatch(new), 10);
    let plan = scene.replan(10);
    scene.must(&Command::AdoptPlan(plan), 10);
    scene.must(&Command::PublishDispatch(DispatchId(0)), 10);
    scene
}

impl Scene {
    fn looped(&self, now: i64) -> World<'_> {
        let policy = Policy {
            silent_after: Duration::from_secs(60),
            settle: Duration::from_secs(30),
            tolerance: Percent::from_hundredths(500),
            ..self.world(now).policy
        };
        World {
            policy,
            ..self.world(now)
        }
    }

    /// One period of the loop; whether it has corrected the plan.
    fn turn(&mut self, now: i64) -> bool {
        let dispatch = &self.rig.fleet.dispatches()[0];
        let corrected = correction(&self.looped(now), dispatch, &[]).unwrap();
        let has_corrected = corrected.is_some();
        if let Some(Correction { plan, .. }) = corrected {
            self.must(&Command::AdoptPlan(plan), now);
        }
        let dispatch = &self.rig.fleet.dispatches()[0];
        for command in reconcile(&self.looped(now), dispatch) {
            self.must(&command, now);
        }
        has_corrected
    }

    /// The device of `der` fetches and begins what it is to do, or refuses it for its owner.
    fn answer(&mut self, der: usize, unit: &Unit, now: i64) {
        let Some(control) = self
            .rig
            .fleet
            .in_force(DerId(u32::try_from(der).unwrap()), t(now))
        else {
            return;
        };
        let code = match unit.event {
            Event::OptsOut(at) if at <= now => 4,
            _ => 2,
        };
        for evidence in [Evidence::Served, Evidence::Response(code)] {
            let der = control.der.unwrap();
            if let Some(entry) = self.deliveries.next(control, der, evidence, t(now)) {
                assert!(self.deliveries.push(entry, control.created));
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "far below the largest integer"
)]
fn watts_of(p_w: f64) -> i64 {
    p_w.round() as i64
}

fn any_unit() -> impl Strategy<Value = Unit> {
    let event = prop_oneof![
        4 => Just(Event::Nothing),
        1 => (100..QUIET_FROM_S).prop_map(Event::Stalls),
        1 => (100..QUIET_FROM_S).prop_map(Event::OptsOut),
        2 => (100..QUIET_FROM_S - 600, 30..600_i64).prop_map(|(at, secs)| Event::Silent(at, secs)),
    ];
    (1.0..40.0_f64, 0.0..0.02_f64, event).prop_map(|(lag_s, noise, event)| Unit {
        lag_s,
        noise,
        event,
        p_w: 0.0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn the_loop_settles_whatever_members_do(
        mut units in proptest::collection::vec(any_unit(), 3..10),
        share in -0.9..0.9_f64,
    ) {
        let p = watts_of(share * RATING_W * units.len() as f64);
        let mut scene = scene(units.len(), p);
        let (mut corrections, mut late) = (0, 0);
        let mut now = 10;
        while now < END_S {
            for (der, unit) in units.iter_mut().enumerate() {
                let owner_left = matches!(unit.event, Event::OptsOut(at) if at <= now);
                let asked = scene.asked(u32::try_from(der).unwrap(), now);
                unit.follow(asked.filter(|_| !owner_left), now);
                if unit.is_heard(now) {
                    scene.answer(der, unit, now);
                    let metered = unit.p_w + noise(der, now) * unit.noise * RATING_W;
                    scene.hear(der, watts_of(metered), now);
                }
            }
            let corrected = scene.turn(now);
            corrections += usize::from(corrected);
            late += usize::from(corrected && SETTLED_FROM_S <= now);
            now += STEP_S;
        }
        // Members that are not asked may stand just within their tolerances of what is expected of them,
        // until noise shows it. The plan that follows expects them where they are.
        prop_assert!(late <= 1, "{late} late corrections: {units:?}");
        // A member falls silent and comes back, or leaves, once; what it does once it is not asked may
        // move once more.
        prop_assert!(corrections <= 4 * units.len(), "{corrections} corrections: {units:?}");
    }
}
