//! The cast: sixty DER below one feeder head.

use ieee2030_5::client::report::Nameplate;
use ieee2030_5::wire::control_mode::DerControlType;
use ieee2030_5::wire::der::DerType;
use units::{Vars, VoltAmperes, WattHours, Watts};

use crate::feeder::Feeder;
use crate::noise::Noise;
use crate::plant::{BaseLoad, EvCharger, EvRating, Plant, Pv, Storage, StorageRating};

pub(super) const PV_COUNT: usize = 24;
pub(super) const STORAGE_COUNT: usize = 22;
pub(super) const EV_COUNT: usize = 14;

/// What the feeder head may carry, either way.
pub(super) const FEEDER_RATING_W: f64 = 220_000.0;
/// What DER together may inject: the load beside them only relieves.
pub(super) const FEEDER_EXPORT_MAX_W: f64 = 220_000.0;
/// What DER together may absorb on top of the largest load beside them.
pub(super) const FEEDER_IMPORT_MAX_W: f64 = 165_000.0;
const BACKGROUND_W: f64 = 42_000.0;

const PV_RATED_W: f64 = 10_000.0;
const PV_RAMP_PER_S: f64 = 0.25;
const STORAGE: StorageRating = StorageRating {
    p_discharge_max_w: 5_000.0,
    p_charge_max_w: 5_000.0,
    capacity_wh: 13_500.0,
    efficiency: 0.95,
    reserve_pct: 10.0,
    ramp_per_s: 0.5,
};
const EV: EvRating = EvRating {
    p_charge_max_w: 7_400.0,
    capacity_wh: 60_000.0,
    efficiency: 0.92,
    ramp_per_s: 0.25,
};

/// What kind of DER one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pv,
    Storage,
    EvCharger,
}

impl Kind {
    /// As the API names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pv => "pv",
            Self::Storage => "storage",
            Self::EvCharger => "ev_charger",
        }
    }
}

/// One DER.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nameplate: Nameplate,
}

/// All DER, and who of them fails.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) seed: u64,
    pub(super) members: Vec<Member>,
    pub(super) inert: usize,
    pub(super) opting_out: usize,
    pub(super) cut_off: usize,
}

impl Roster {
    pub(super) fn new(seed: u64) -> Self {
        let mut members = Vec::new();
        let kinds = [
            (Kind::Pv, PV_COUNT),
            (Kind::Storage, STORAGE_COUNT),
            (Kind::EvCharger, EV_COUNT),
        ];
        for (kind, count) in kinds {
            let stem = match kind {
                Kind::Pv => "pv",
                Kind::Storage => "battery",
                Kind::EvCharger => "charger",
            };
            members.extend((1..=count).map(|number| Member {
                name: format!("{stem}-{number:02}"),
                kind,
                nameplate: nameplate(kind),
            }));
        }
        let mut noise = Noise::new(seed);
        let inert = pick(&mut noise, PV_COUNT, STORAGE_COUNT / 2);
        let cut_off = pick(&mut noise, PV_COUNT + STORAGE_COUNT / 2, STORAGE_COUNT / 2);
        let opting_out = pick(&mut noise, PV_COUNT + STORAGE_COUNT, EV_COUNT);
        Self {
            seed,
            members,
            inert,
            opting_out,
            cut_off,
        }
    }

    /// The plants, each with a state of its own.
    pub(super) fn plants(&self) -> Vec<Plant> {
        let plant = |(index, member): (usize, &Member)| {
            let mut noise = Noise::fork(self.seed, index);
            match member.kind {
                Kind::Pv => Plant::Pv(Pv::new(PV_RATED_W, PV_RAMP_PER_S, noise)),
                Kind::Storage => Plant::Storage(Storage::new(STORAGE, noise.between(45.0, 70.0))),
                Kind::EvCharger => Plant::EvCharger(EvCharger::new(EV, noise.between(20.0, 60.0))),
            }
        };
        self.members.iter().enumerate().map(plant).collect()
    }

    pub(super) fn feeder(&self) -> Feeder {
        let noise = Noise::fork(self.seed, self.members.len());
        Feeder::new(FEEDER_RATING_W, BaseLoad::new(BACKGROUND_W, noise))
    }

    pub(super) fn names(&self, kind: Option<Kind>) -> Vec<&str> {
        let wanted = |member: &&Member| kind.is_none_or(|kind| member.kind == kind);
        self.members
            .iter()
            .filter(wanted)
            .map(|member| member.name.as_str())
            .collect()
    }
}

fn pick(noise: &mut Noise, first: usize, count: usize) -> usize {
    let count = u64::try_from(count).expect("a handful");
    first + usize::try_from(noise.bits() % count).expect("less than a handful")
}

fn nameplate(kind: Kind) -> Nameplate {
    let modes = DerControlType::CONNECT | DerControlType::FIXED_W | DerControlType::TARGET_W;
    let watts = |w: f64| Watts::from_f64(w);
    let base = |der_type, modes, inject_w: f64, absorb_w: f64, ramp_per_s: f64| Nameplate {
        der_type,
        modes: DerControlType::new(modes),
        p_inject_max: watts(inject_w),
        p_absorb_max: watts(absorb_w),
        s_max: VoltAmperes::from_f64(inject_w.max(absorb_w)),
        q_max: Vars::from_f64(0.44 * inject_w.max(absorb_w)),
        energy_max: None,
        gradient_hundredths_per_s: hundredths(ramp_per_s),
    };
    match kind {
        Kind::Pv => {
            let modes = modes | DerControlType::MAX_LIM_W;
            base(DerType::PHOTOVOLTAIC, modes, PV_RATED_W, 0.0, PV_RAMP_PER_S)
        }
        Kind::Storage => Nameplate {
            energy_max: Some(WattHours::from_f64(STORAGE.capacity_wh)),
            ..base(
                DerType::OTHER_STORAGE,
                modes | DerControlType::CHARGE | DerControlType::DISCHARGE,
                STORAGE.p_discharge_max_w,
                STORAGE.p_charge_max_w,
                STORAGE.ramp_per_s,
            )
        },
        Kind::EvCharger => Nameplate {
            energy_max: Some(WattHours::from_f64(EV.capacity_wh)),
            ..base(
                DerType::EVSE,
                modes | DerControlType::CHARGE,
                0.0,
                EV.p_charge_max_w,
                EV.ramp_per_s,
            )
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1"
)]
fn hundredths(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * 10_000.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::Roster;

    #[test]
    fn whatever_the_seed_three_different_members_fail() {
        for seed in 0..500 {
            let roster = Roster::new(seed);
            let mut failing = [roster.inert, roster.cut_off, roster.opting_out];
            failing.sort_unstable();
            assert!(failing[0] < failing[1] && failing[1] < failing[2]);
            assert!(failing[2] < roster.members.len());
        }
        assert_eq!(Roster::new(1).members.len(), 60);
        assert_eq!(Roster::new(1).plants().len(), 60);
    }
}
