//! What looking for alarms costs a tick of the control loop: nobody silent, then everybody at once,
//! against one pass over when each DER was last heard.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Duration;

use fleet::dispatch::assess::Policy;
use fleet::{
    AssignmentId, CimMrid, Command, DerKind, Identity, Level, Lfdi, Name, NewAssignment, NewDer,
    Observation, Pin,
};
use store::{Actor, Batch};
use units::{Percent, Timestamp};
use wattfold::clock::monotonic;
use wattfold::control_loop::{Inputs, State};

/// DER of one feeder, and feeders of one substation.
const DERS_OF_FEEDER: usize = 1_000;
const FEEDERS_OF_SUBSTATION: usize = 20;
const START: Timestamp = Timestamp::from_secs(1_000_000);

struct Scene {
    state: State,
    observations: Vec<Observation>,
    now: Timestamp,
}

fn main() {
    println!("alarms: a tick while everybody is heard, and the worst one when nobody is any more");
    println!(
        "{:>10} {:>8} {:>12} {:>12} {:>12} {:>14} {:>8}",
        "DER", "ticks", "median ms", "worst ms", "pass ms", "all silent ms", "alarms"
    );
    for count in [10_000, 100_000, 1_000_000] {
        row(count);
    }
}

fn row(count: usize) {
    let mut scene = Scene::new(count);
    let ticks = count.div_ceil(20_000) * 2;
    let mut heard = scene.ticks(ticks);
    heard.sort_unstable();
    let begun = monotonic();
    let latest = scene.observations.iter().map(|seen| seen.last_contact);
    black_box(black_box(latest).max());
    let pass = monotonic().saturating_duration_since(begun);
    scene.now = scene.now.after(Duration::from_secs(7_200));
    let silent = scene.ticks(ticks);
    let alarms = scene.state.fleet.alarms().len();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{count:>10} {ticks:>8} {:>12.2} {:>12.2} {:>12.2} {:>14.2} {alarms:>8}",
        ms(heard[heard.len() / 2]),
        ms(heard[heard.len() - 1]),
        ms(pass),
        ms(silent.into_iter().max().unwrap_or_default()),
    );
}

impl Scene {
    fn new(count: usize) -> Self {
        let mut scene = Self {
            state: State::default(),
            observations: Vec::new(),
            now: START,
        };
        scene.run(&Command::FoundFleet(Identity { seed: 1, pen: 2 }));
        let feeders = count.div_ceil(DERS_OF_FEEDER);
        let substations = feeders.div_ceil(FEEDERS_OF_SUBSTATION);
        for index in 0..substations + feeders {
            let parent = index.checked_sub(substations);
            let parent = parent.map(|feeder| AssignmentId::from(feeder / FEEDERS_OF_SUBSTATION));
            scene.run(&Command::CreateAssignment(NewAssignment {
                name: Name::new(&format!("node {index}")).expect("a short name"),
                level: parent.map_or(Level::Substation, |_| Level::Feeder),
                parent,
            }));
        }
        for index in 0..count {
            let mut lfdi = [0; 20];
            lfdi[..8].copy_from_slice(&index.to_be_bytes());
            let feeder = AssignmentId::from(substations + index / DERS_OF_FEEDER);
            scene.run(&Command::EnrolDer(NewDer {
                mrid: CimMrid::new(&format!("der-{index}")).expect("a short mRID"),
                name: Name::new(&format!("DER {index}")).expect("a short name"),
                kind: DerKind::Storage,
                lfdi: Lfdi(lfdi),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                reserve: Percent::default(),
                manager: None,
                assignments: vec![feeder],
            }));
        }
        scene.observations = vec![
            Observation {
                last_contact: Some(START),
                ..Observation::default()
            };
            count
        ];
        scene
    }

    fn run(&mut self, command: &Command) {
        let inputs = inputs(&[], self.now);
        let mut batch = Batch::default();
        let done = self
            .state
            .execute(&Actor::System, command, &inputs, &mut batch);
        done.expect("an accepted command");
    }

    /// How long each of so many ticks takes.
    fn ticks(&mut self, count: usize) -> Vec<Duration> {
        let mut times = Vec::new();
        for _ in 0..count {
            self.now = self.now.after(Duration::from_secs(1));
            let inputs = inputs(&self.observations, self.now);
            let mut batch = Batch::default();
            let begun = monotonic();
            self.state.tick(&inputs, &mut batch);
            times.push(monotonic().saturating_duration_since(begun));
        }
        times
    }
}

fn inputs(observations: &[Observation], now: Timestamp) -> Inputs<'_> {
    Inputs {
        observations,
        policy: Policy::default(),
        limits: &[],
        zone: &units::UTC,
        now,
    }
}
