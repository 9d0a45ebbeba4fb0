//! Folding what was decided in settings management.

use super::{SettingsBook, SettingsEvent, SettingsProfile};
use crate::Fleet;

impl Fleet {
    pub(crate) fn apply_settings(&mut self, event: &SettingsEvent) {
        self.settings.apply(event);
    }
}

impl SettingsBook {
    fn apply(&mut self, event: &SettingsEvent) {
        match event {
            SettingsEvent::ProfileCreated(profile) => self.apply_profile(profile),
            SettingsEvent::Required(requirement) => {
                let all = self.requirements.entry(requirement.subject).or_default();
                // One that begins at the same instant takes the place of the other.
                all.retain(|each| each.from != requirement.from);
                let at = all.partition_point(|each| each.from < requirement.from);
                all.insert(at, requirement.clone());
                let excess = all.len().saturating_sub(Self::MAX_REQUIREMENTS_OF_SUBJECT);
                all.drain(..excess);
            }
            SettingsEvent::CategorySet(der, category) => {
                self.categories.insert(*der, *category);
            }
            SettingsEvent::RollOutBegun(roll_out) => {
                for der in roll_out.ders() {
                    self.roll_outs_of.entry(der).or_default().push(roll_out.id);
                }
                self.roll_outs.push((**roll_out).clone());
            }
            SettingsEvent::RollOutStepped(id, decision, at) => {
                if let Some(roll_out) = self.roll_outs.get_mut(id.index()) {
                    roll_out.step(*decision, *at);
                }
            }
            SettingsEvent::Realised(der, Some(realised)) => {
                self.realised.insert(*der, (**realised).clone());
            }
            SettingsEvent::Realised(der, None) => {
                self.realised.remove(der);
            }
            SettingsEvent::Applied(der, applied) => {
                self.applied.insert(*der, (**applied).clone());
            }
            SettingsEvent::DriftRaised(drift) => {
                self.drifts.insert((drift.der, drift.parameter), *drift);
            }
            SettingsEvent::DriftCleared(der, parameter, _) => {
                self.drifts.remove(&(*der, *parameter));
            }
        }
    }

    fn apply_profile(&mut self, profile: &SettingsProfile) {
        self.labels.insert(profile.label());
        let versions = self.by_name.entry(profile.name.clone()).or_default();
        versions.push(profile.id);
        self.profiles.push(profile.clone());
    }
}
