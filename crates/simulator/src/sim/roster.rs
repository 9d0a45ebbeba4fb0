//! The DER of a run, drawn from its seed.

use fleet::{CimMrid, DerKind, Lfdi, Name, NewDer, Pin};
use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{Config, DeviceConfig};
use ieee2030_5::codec::table::{Edition, Extension, Profile};
use ieee2030_5::wire::control_mode::{DerControlType, DoeControlType};
use ieee2030_5::wire::der::DerType;
use units::{Percent, Vars, VoltAmperes, WattHours, Watts};

use crate::noise::Noise;
use crate::plant::{EvCharger, EvRating, Plant, Pv, Storage, StorageRating};

/// What is spoken: the envelope modes of CSIP-AUS are known to storage and chargers.
pub(super) const PROFILE: Profile = Profile::new(Edition::Y2018, Extension::CsipAus12);
/// Of batteries, one way.
pub(super) const EFFICIENCY: Percent = Percent::from_hundredths(9_500);
/// What owners of batteries keep.
const RESERVE: Percent = Percent::from_hundredths(2_500);
/// Requests that a device has under way at once.
const MAX_IN_FLIGHT: usize = 4;

/// One DER.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: Name,
    pub(super) mrid: CimMrid,
    pub(super) kind: DerKind,
    pub(super) lfdi: Lfdi,
    pub(super) pin: Pin,
    pub(super) nameplate: Nameplate,
    pub(super) plant: Plant,
    /// Most that its terminals can inject and absorb, as magnitudes.
    pub(super) rating_w: (f64, f64),
    /// Share of its energy that its owner keeps.
    pub(super) reserve: Percent,
    seed: u64,
}

impl Member {
    pub(super) fn new(seed: u64, index: usize) -> Self {
        let mut noise = Noise::fork(seed, index);
        let scale = [0.5, 1.0, 1.0, 2.0][index / 3 % 4];
        let (kind, nameplate, plant, rating_w) = match index % 3 {
            0 => pv(6_000.0 * scale, &mut noise),
            1 => storage(5_000.0 * scale, &mut noise),
            _ => charger(7_400.0 * scale, &mut noise),
        };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let mut lfdi = [0; 20];
        for (byte, from) in lfdi.iter_mut().zip(noise.bits().to_be_bytes()) {
            *byte = from;
        }
        lfdi[16..].copy_from_slice(&number.to_be_bytes());
        let text = "a name of letters and digits";
        Self {
            name: Name::new(&format!("DER {index}")).expect(text),
            mrid: CimMrid::new(&format!("der-{index}")).expect(text),
            kind,
            lfdi: Lfdi(lfdi),
            pin: Pin::with_check_digit(number),
            nameplate,
            plant,
            rating_w,
            reserve: match kind {
                DerKind::Storage => RESERVE,
                _ => Percent::default(),
            },
            seed: noise.bits(),
        }
    }

    pub(super) fn enrolment(&self) -> NewDer {
        NewDer {
            mrid: self.mrid.clone(),
            name: self.name.clone(),
            kind: self.kind,
            lfdi: self.lfdi,
            pin: self.pin,
            registered: true,
            reserve: self.reserve,
            manager: None,
            assignments: Vec::new(),
        }
    }

    /// How its client is set up.
    pub(super) fn config(&self) -> Config {
        let mut device = DeviceConfig::new(self.lfdi.0, self.lfdi.sfdi(), self.nameplate);
        device.pin = Some(self.pin.digits());
        if self.kind != DerKind::Pv {
            let modes = DoeControlType::EXP_LIM_W | DoeControlType::IMP_LIM_W;
            device.doe_modes = DoeControlType::new(modes);
        }
        Config {
            profile: PROFILE,
            max_in_flight: MAX_IN_FLIGHT,
            seed: self.seed,
            ..Config::of_device("https://server.example/dcap".to_owned(), device)
        }
    }
}

type Made = (DerKind, Nameplate, Plant, (f64, f64));

fn pv(rated_w: f64, noise: &mut Noise) -> Made {
    let modes = DerControlType::MAX_LIM_W;
    let nameplate = nameplate(DerType::PHOTOVOLTAIC, modes, (rated_w, 0.0), None);
    let plant = Plant::Pv(Pv::new(rated_w, RAMP_PER_S, Noise::new(noise.bits())));
    (DerKind::Pv, nameplate, plant, (rated_w, 0.0))
}

fn storage(rated_w: f64, noise: &mut Noise) -> Made {
    let rating = StorageRating {
        p_discharge_max_w: rated_w,
        p_charge_max_w: rated_w,
        capacity_wh: rated_w * 4.0,
        efficiency: EFFICIENCY.as_f64() / 100.0,
        // What its owner keeps is the server's to know.
        reserve_pct: 0.0,
        ramp_per_s: RAMP_PER_S,
    };
    let modes = DerControlType::CHARGE | DerControlType::DISCHARGE;
    let energy = Some(rating.capacity_wh);
    let nameplate = nameplate(DerType::OTHER_STORAGE, modes, (rated_w, rated_w), energy);
    let plant = Plant::Storage(Storage::new(rating, noise.between(30.0, 80.0)));
    (DerKind::Storage, nameplate, plant, (rated_w, rated_w))
}

fn charger(rated_w: f64, noise: &mut Noise) -> Made {
    let rating = EvRating {
        p_charge_max_w: rated_w,
        capacity_wh: rated_w * 10.0,
        efficiency: 0.92,
        ramp_per_s: RAMP_PER_S,
    };
    let energy = Some(rating.capacity_wh);
    let modes = DerControlType::CHARGE;
    let nameplate = nameplate(DerType::EVSE, modes, (0.0, rated_w), energy);
    let plant = Plant::EvCharger(EvCharger::new(rating, noise.between(10.0, 60.0)));
    (DerKind::EvCharger, nameplate, plant, (0.0, rated_w))
}

/// Share of its rating by which a plant moves in a second.
const RAMP_PER_S: f64 = 0.1;
const GRADIENT_HUNDREDTHS_PER_S: u16 = 1_000;

fn nameplate(
    der_type: DerType,
    modes: u32,
    (inject_w, absorb_w): (f64, f64),
    energy_wh: Option<f64>,
) -> Nameplate {
    let every = DerControlType::CONNECT | DerControlType::FIXED_W | DerControlType::TARGET_W;
    let most_w = inject_w.max(absorb_w);
    Nameplate {
        der_type,
        modes: DerControlType::new(every | modes),
        p_inject_max: Watts::from_f64(inject_w),
        p_absorb_max: Watts::from_f64(absorb_w),
        s_max: VoltAmperes::from_f64(most_w),
        q_max: Vars::from_f64(0.44 * most_w),
        energy_max: energy_wh.map(WattHours::from_f64),
        gradient_hundredths_per_s: GRADIENT_HUNDREDTHS_PER_S,
    }
}
