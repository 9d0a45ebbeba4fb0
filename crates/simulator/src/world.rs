//! Time passing on a feeder: plants do what they are asked, the meters count.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use units::Timestamp;

use crate::feeder::Feeder;
use crate::plant::{Output, Plant, Request, clear_sky};

/// How often plants are stepped and meters read.
pub const STEP: Duration = Duration::from_millis(100);
/// A step that comes later than this counts as if it had come on time: the machine slept.
const STEP_MAX_S: f64 = 5.0;

/// What a device has of its plant: it asks, and it measures.
#[derive(Debug)]
pub struct Terminal {
    pub request: watch::Sender<Request>,
    pub output: watch::Receiver<Output>,
}

#[derive(Debug)]
struct Place {
    plant: Plant,
    request: watch::Receiver<Request>,
    output: watch::Sender<Output>,
}

/// Plants below a feeder head.
#[derive(Debug)]
pub struct World {
    places: Vec<Place>,
    feeder: Arc<Mutex<Feeder>>,
    hour: f64,
    last: Option<Timestamp>,
}

impl World {
    /// `hour` is the time of day at which the sun starts; it moves on with the clock.
    #[must_use]
    pub fn new(plants: Vec<Plant>, feeder: Feeder, hour: f64) -> (Self, Vec<Terminal>) {
        let mut terminals = Vec::with_capacity(plants.len());
        let places = plants.into_iter().map(|plant| {
            let (request, requested) = watch::channel(Request::default());
            let (measured, output) = watch::channel(Output::default());
            terminals.push(Terminal { request, output });
            Place {
                plant,
                request: requested,
                output: measured,
            }
        });
        let places = places.collect();
        let feeder = Arc::new(Mutex::new(feeder));
        (
            Self {
                places,
                feeder,
                hour,
                last: None,
            },
            terminals,
        )
    }

    /// The feeder, for reading its meters while the world runs.
    #[must_use]
    pub fn meters(&self) -> Meters {
        Meters(Arc::clone(&self.feeder))
    }

    /// Lets time pass up to `now`.
    pub fn step(&mut self, now: Timestamp) {
        let last = self.last.replace(now).unwrap_or(now);
        let dt_s = ((now - last) as f64 / 1000.0).clamp(0.0, STEP_MAX_S);
        self.hour = (self.hour + dt_s / 3600.0) % 24.0;
        let sun = clear_sky(self.hour);
        let mut der_w = 0.0;
        for place in &mut self.places {
            let request = *place.request.borrow_and_update();
            let output = place.plant.step(&request, sun, dt_s);
            der_w += output.p_w;
            place.output.send_replace(output);
        }
        lock(&self.feeder).step(der_w, now, dt_s);
    }

    /// Runs until it is dropped.
    pub async fn run(mut self, clock: fn() -> Timestamp) {
        let mut ticks = tokio::time::interval(STEP);
        loop {
            ticks.tick().await;
            self.step(clock());
        }
    }
}

/// The meters of a feeder head.
#[derive(Clone, Debug)]
pub struct Meters(Arc<Mutex<Feeder>>);

impl Meters {
    pub fn read<R>(&self, read: impl FnOnce(&Feeder) -> R) -> R {
        read(&lock(&self.0))
    }
}

fn lock(feeder: &Mutex<Feeder>) -> MutexGuard<'_, Feeder> {
    feeder.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::feeder::Feeder;
    use crate::noise::Noise;
    use crate::plant::{BaseLoad, EvCharger, EvRating, Plant, Request, Storage, StorageRating};
    use units::Timestamp;

    #[test]
    fn the_feeder_head_sees_what_plants_do() {
        let rating = EvRating {
            p_charge_max_w: 7_000.0,
            capacity_wh: 60_000.0,
            efficiency: 0.9,
            ramp_per_s: 1.0,
        };
        let battery = StorageRating {
            p_discharge_max_w: 5_000.0,
            p_charge_max_w: 5_000.0,
            capacity_wh: 13_500.0,
            efficiency: 0.95,
            reserve_pct: 10.0,
            ramp_per_s: 1.0,
        };
        let plants = vec![
            Plant::EvCharger(EvCharger::new(rating, 20.0)),
            Plant::Storage(Storage::new(battery, 50.0)),
        ];
        let feeder = Feeder::new(20_000.0, BaseLoad::new(0.0, Noise::new(1)));
        let (mut world, terminals) = World::new(plants, feeder, 12.0);
        let meters = world.meters();
        terminals[1].request.send_replace(Request {
            p_w: Some(3_000.0),
            ..Request::default()
        });
        for tick in 0..=40 {
            world.step(Timestamp::from_millis(tick * 100));
        }
        let outputs: Vec<f64> = terminals.iter().map(|t| t.output.borrow().p_w).collect();
        assert!((outputs[0] + 7_000.0).abs() < 1e-9 && (outputs[1] - 3_000.0).abs() < 1e-9);
        let mean_w = meters.read(|feeder| {
            feeder
                .log()
                .mean_der_w(Timestamp::from_millis(2_000), Timestamp::from_millis(4_000))
        });
        assert!((mean_w.unwrap() + 4_000.0).abs() < 1e-6);
    }
}
