//! The state of settings management: versions, requirements, roll-outs, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use units::Timestamp;

use super::{
    AppliedSettings, Category, Drift, Parameter, Phase, Realised, Requirement, RollOut,
    SettingsProfile, Subject,
};
use crate::{AssignmentId, Der, DerId, Fleet, Level, Name, RollOutId, SettingsProfileId};

/// Everything that settings management knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsBook {
    pub(super) profiles: Vec<SettingsProfile>,
    pub(super) by_name: BTreeMap<Name, Vec<SettingsProfileId>>,
    /// How curves made from profiles are called.
    pub(super) labels: BTreeSet<Name>,
    /// By subject, in the order in which they begin.
    pub(super) requirements: BTreeMap<Subject, Vec<Requirement>>,
    /// As approved at interconnection.
    pub(super) categories: BTreeMap<DerId, Category>,
    pub(super) roll_outs: Vec<RollOut>,
    /// By DER: roll-outs that name it, oldest first.
    pub(super) roll_outs_of: BTreeMap<DerId, Vec<RollOutId>>,
    pub(super) realised: BTreeMap<DerId, Realised>,
    pub(super) applied: BTreeMap<DerId, AppliedSettings>,
    pub(super) drifts: BTreeMap<(DerId, Parameter), Drift>,
}

/// Why a version is required.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A requirement of this subject.
    Requirement(Subject),
    /// A roll-out that has reached the DER.
    RollOut(RollOutId),
}

impl SettingsBook {
    /// Most requirements of one subject that are kept: the one in force and those to come.
    pub const MAX_REQUIREMENTS_OF_SUBJECT: usize = 32;
    /// Most roll-outs that are neither completed nor rolled back.
    pub const MAX_OPEN_ROLL_OUTS: usize = 100;

    /// Every version of every profile, by index.
    #[must_use]
    pub fn profiles(&self) -> &[SettingsProfile] {
        &self.profiles
    }

    /// One version.
    #[must_use]
    pub fn profile(&self, id: SettingsProfileId) -> Option<&SettingsProfile> {
        self.profiles.get(id.index())
    }

    /// The versions of this name, oldest first.
    pub fn versions(&self, name: &Name) -> impl DoubleEndedIterator<Item = &SettingsProfile> {
        let ids = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.profile(*id))
    }

    /// Every name, with its newest version.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = (&Name, &SettingsProfile)> {
        self.by_name
            .iter()
            .filter_map(|(name, ids)| Some((name, self.profile(*ids.last()?)?)))
    }

    /// The requirements that are kept, by subject and beginning.
    pub fn requirements(&self) -> impl DoubleEndedIterator<Item = &Requirement> {
        self.requirements.values().flatten()
    }

    /// The category of a DER, as approved at interconnection.
    #[must_use]
    pub fn category(&self, der: DerId) -> Option<Category> {
        self.categories.get(&der).copied()
    }

    /// Every roll-out, by index.
    #[must_use]
    pub fn roll_outs(&self) -> &[RollOut] {
        &self.roll_outs
    }

    /// One roll-out.
    #[must_use]
    pub fn roll_out(&self, id: RollOutId) -> Option<&RollOut> {
        self.roll_outs.get(id.index())
    }

    /// Roll-outs that are neither completed nor rolled back.
    pub fn open_roll_outs(&self) -> impl DoubleEndedIterator<Item = &RollOut> {
        self.roll_outs.iter().filter(|roll_out| roll_out.is_open())
    }

    /// The one roll-out of this DER that is open.
    #[must_use]
    pub fn open_roll_out_of(&self, der: DerId) -> Option<&RollOut> {
        let ids = self.roll_outs_of.get(&der)?;
        ids.iter()
            .rev()
            .filter_map(|id| self.roll_out(*id))
            .find(|roll_out| roll_out.is_open())
    }

    /// What the DER's programme was last brought to.
    #[must_use]
    pub fn realised(&self, der: DerId) -> Option<&Realised> {
        self.realised.get(&der)
    }

    /// What the DER is set to according to a file.
    #[must_use]
    pub fn applied(&self, der: DerId) -> Option<&AppliedSettings> {
        self.applied.get(&der)
    }

    /// Open drift alarms, by DER and parameter.
    pub fn drifts(&self) -> impl DoubleEndedIterator<Item = &Drift> {
        self.drifts.values()
    }

    /// Open drift alarms of one DER.
    pub fn drifts_of(&self, der: DerId) -> impl DoubleEndedIterator<Item = &Drift> {
        let (first, last) = (Parameter::ALL[0], Parameter::ALL[Parameter::ALL.len() - 1]);
        self.drifts
            .range((der, first)..=(der, last))
            .map(|(_, drift)| drift)
    }

    /// Whether nothing is required of anybody and nothing was.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.requirements.is_empty() && self.roll_outs.is_empty() && self.realised.is_empty()
    }

    /// The version required of `der` at `now`, and why: what is said of the DER itself, by a
    /// requirement or by a roll-out that has reached it, whichever came last; or else of the most
    /// local node that it belongs to; or else of its category.
    #[must_use]
    pub fn required(
        &self,
        fleet: &Fleet,
        der: &Der,
        now: Timestamp,
    ) -> Option<(SettingsProfileId, Source)> {
        let own = self.in_force(Subject::Der(der.id), now);
        let laid_over = self.laid_over(der.id, now);
        let by_roll_out = match (own, laid_over) {
            (Some(own), Some((begun, _, _))) => own.from < begun,
            (_, laid_over) => laid_over.is_some(),
        };
        if by_roll_out {
            return laid_over.map(|(_, id, profile)| (profile, Source::RollOut(id)));
        }
        let local = self.nodes(fleet, der).into_iter().map(Subject::Assignment);
        let category = self.category(der.id).map(Subject::Category);
        let mut subjects = std::iter::once(Subject::Der(der.id))
            .chain(local)
            .chain(category);
        subjects.find_map(|subject| {
            let profile = self.in_force(subject, now)?.profile?;
            Some((profile, Source::Requirement(subject)))
        })
    }

    /// The nodes a DER belongs to, most local first.
    fn nodes(&self, fleet: &Fleet, der: &Der) -> Vec<AssignmentId> {
        let first = Subject::Assignment(AssignmentId(0));
        let mut from_nodes_on = self.requirements.range(first..);
        if !matches!(from_nodes_on.next(), Some((Subject::Assignment(_), _))) {
            return Vec::new();
        }
        let mut nodes = fleet.assignments_of(der.id);
        nodes.sort_by_key(|node| {
            let topology = node.level != Level::NonTopology;
            (std::cmp::Reverse((topology, node.level)), node.id)
        });
        nodes.into_iter().map(|node| node.id).collect()
    }

    pub(super) fn is_label(&self, name: &Name) -> bool {
        self.labels.contains(name)
    }

    fn in_force(&self, subject: Subject, now: Timestamp) -> Option<&Requirement> {
        let all = self.requirements.get(&subject)?;
        all.iter().rev().find(|each| each.from <= now)
    }

    /// The last roll-out that has reached the DER and was not taken back.
    fn laid_over(
        &self,
        der: DerId,
        now: Timestamp,
    ) -> Option<(Timestamp, RollOutId, SettingsProfileId)> {
        let ids = self.roll_outs_of.get(&der)?;
        ids.iter().rev().find_map(|id| {
            let roll_out = self.roll_out(*id)?;
            if matches!(roll_out.phase, Phase::RolledBack(_)) {
                return None;
            }
            let begun = roll_out.reached(der).filter(|begun| *begun <= now)?;
            Some((begun, *id, roll_out.profile))
        })
    }
}
