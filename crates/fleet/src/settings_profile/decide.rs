//! Commands of settings management, and what they lead to.

use units::{Percent, Timestamp};

use super::roll_out::split;
use super::rule::{Violation, violations};
use super::{
    AppliedSettings, Category, Criteria, Decision, Drift, NewRollOut, NewSettingsProfile,
    Parameter, Phase, Realised, Requirement, RollOut, SettingsBook, SettingsProfile, StagePlan,
    Subject,
};
use crate::{DerId, Event, Fleet, Rejection, RollOutId, SettingsProfileId};

/// What settings management is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsCommand {
    /// Make the next version of a profile.
    CreateProfile(NewSettingsProfile),
    /// Require a version, or end what was required.
    Require(Requirement),
    /// Record the category that a DER was approved for.
    SetCategory(DerId, Category),
    /// Begin a roll-out with its first stage.
    BeginRollOut(Box<NewRollOut>),
    /// Take a step of a roll-out.
    StepRollOut(RollOutId, Decision),
    /// The programme of a DER holds what is required, or nothing of it any more.
    Realise(DerId, Option<Box<Realised>>),
    /// Take in what a DER is set to according to a settings file.
    ReportApplied(DerId, Box<AppliedSettings>),
    /// Raise an alarm, or renew it with another value.
    RaiseDrift(Drift),
    /// Clear an alarm.
    ClearDrift(DerId, Parameter),
}

/// What was decided in settings management.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsEvent {
    /// A version exists.
    ProfileCreated(SettingsProfile),
    /// A version is required.
    Required(Requirement),
    /// A DER is of this category.
    CategorySet(DerId, Category),
    /// A roll-out has begun.
    RollOutBegun(Box<RollOut>),
    /// A roll-out has taken a step.
    RollOutStepped(RollOutId, Decision, Timestamp),
    /// The programme of a DER holds this version, or none.
    Realised(DerId, Option<Box<Realised>>),
    /// A DER is set to this according to a file.
    Applied(DerId, Box<AppliedSettings>),
    /// An alarm is open.
    DriftRaised(Drift),
    /// An alarm is over.
    DriftCleared(DerId, Parameter, Timestamp),
}

impl Fleet {
    pub(crate) fn decide_settings(
        &self,
        command: &SettingsCommand,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let event = match command {
            SettingsCommand::CreateProfile(new) => self.create_profile(new, now)?,
            SettingsCommand::Require(requirement) => self.require(requirement)?,
            SettingsCommand::SetCategory(der, category) => {
                self.known(*der)?;
                if self.settings.category(*der) == Some(*category) {
                    return Ok(Vec::new());
                }
                SettingsEvent::CategorySet(*der, *category)
            }
            SettingsCommand::BeginRollOut(new) => self.begin_roll_out(new, now)?,
            SettingsCommand::StepRollOut(id, decision) => {
                self.step_roll_out(*id, *decision, now)?
            }
            SettingsCommand::Realise(der, realised) => {
                SettingsEvent::Realised(*der, realised.clone())
            }
            SettingsCommand::ReportApplied(der, applied) => {
                self.known(*der)?;
                if self.settings.applied(*der) == Some(applied) {
                    return Ok(Vec::new());
                }
                SettingsEvent::Applied(*der, applied.clone())
            }
            SettingsCommand::RaiseDrift(drift) => SettingsEvent::DriftRaised(*drift),
            SettingsCommand::ClearDrift(der, parameter) => {
                SettingsEvent::DriftCleared(*der, *parameter, now)
            }
        };
        Ok(vec![Event::Settings(event)])
    }

    fn create_profile(
        &self,
        new: &NewSettingsProfile,
        now: Timestamp,
    ) -> Result<SettingsEvent, Rejection> {
        let book = &self.settings;
        if book.profiles.len() >= SettingsProfile::MAX_VERSIONS {
            return Err(Rejection::TooMany {
                what: "versions of settings profiles",
                max: SettingsProfile::MAX_VERSIONS,
            });
        }
        if new.values.is_empty() {
            return Err(invalid("values", "at least one setting is required"));
        }
        let broken = violations(new.category, &new.values);
        if !broken.is_empty() {
            let rules: Vec<String> = broken.iter().map(Violation::to_string).collect();
            return Err(invalid("values", rules.join("; ")));
        }
        let newest = book.versions(&new.name).next_back();
        if newest.is_some_and(|newest| newest.category != new.category) {
            return Err(invalid(
                "category",
                "is the same for all versions of a name",
            ));
        }
        let version = newest.map_or(1, |newest| newest.version + 1);
        let profile = SettingsProfile {
            id: SettingsProfileId::from(book.profiles.len()),
            name: new.name.clone(),
            version,
            category: new.category,
            values: new.values.clone(),
            comment: new.comment.clone(),
            author: new.author.clone(),
            created: now,
        };
        Ok(SettingsEvent::ProfileCreated(profile))
    }

    fn require(&self, requirement: &Requirement) -> Result<SettingsEvent, Rejection> {
        let book = &self.settings;
        let profile = requirement
            .profile
            .map(|id| self.known_profile(id))
            .transpose()?;
        match requirement.subject {
            Subject::Der(der) => {
                self.known(der)?;
                self.fits(der, profile)?;
                if let Some(open) = book.open_roll_out_of(der) {
                    let rule = format!("DER {der} is in roll-out {}, which is open", open.name);
                    return Err(invalid("subject", rule));
                }
            }
            Subject::Assignment(node) => {
                let known = self.assignment(node).filter(|node| node.removed.is_none());
                known.ok_or_else(|| Rejection::Unknown {
                    what: "node",
                    id: node.to_string(),
                })?;
            }
            Subject::Category(category) => {
                if profile.is_some_and(|profile| profile.category != category) {
                    return Err(invalid("profile", "is for DER of another category"));
                }
            }
        }
        let present = book.requirements.get(&requirement.subject);
        let ahead = present.map_or(0, |all| {
            all.iter()
                .filter(|each| requirement.from < each.from)
                .count()
        });
        if SettingsBook::MAX_REQUIREMENTS_OF_SUBJECT <= ahead + 1 {
            return Err(Rejection::TooMany {
                what: "requirements of one subject",
                max: SettingsBook::MAX_REQUIREMENTS_OF_SUBJECT,
            });
        }
        Ok(SettingsEvent::Required(requirement.clone()))
    }

    fn fits(&self, der: DerId, profile: Option<&SettingsProfile>) -> Result<(), Rejection> {
        let approved = self.settings.category(der);
        match (approved, profile) {
            (Some(approved), Some(profile)) if approved != profile.category => {
                let rule = format!("is for a category that DER {der} was not approved for");
                Err(invalid("profile", rule))
            }
            _ => Ok(()),
        }
    }

    fn known_profile(&self, id: SettingsProfileId) -> Result<&SettingsProfile, Rejection> {
        self.settings.profile(id).ok_or_else(|| Rejection::Unknown {
            what: "settings profile",
            id: id.to_string(),
        })
    }

    fn begin_roll_out(&self, new: &NewRollOut, now: Timestamp) -> Result<SettingsEvent, Rejection> {
        let book = &self.settings;
        let profile = self.known_profile(new.profile)?;
        if book
            .roll_outs
            .iter()
            .any(|roll_out| roll_out.name == new.name)
        {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        if SettingsBook::MAX_OPEN_ROLL_OUTS <= book.open_roll_outs().count() {
            return Err(Rejection::TooMany {
                what: "open roll-outs",
                max: SettingsBook::MAX_OPEN_ROLL_OUTS,
            });
        }
        check_criteria(&new.criteria)?;
        let id = RollOutId::from(book.roll_outs.len());
        let stages = stages(&new.plan, id)?;
        let mut seen = std::collections::BTreeSet::new();
        for der in stages.iter().flatten() {
            if !seen.insert(*der) {
                return Err(invalid("stages", format!("name DER {der} twice")));
            }
            if self.known(*der)?.removed.is_some() {
                return Err(invalid("stages", format!("DER {der} was removed")));
            }
            self.fits(*der, Some(profile))?;
            if let Some(open) = book.open_roll_out_of(*der) {
                let rule = format!("DER {der} is in roll-out {}, which is open", open.name);
                return Err(invalid("stages", rule));
            }
        }
        Ok(SettingsEvent::RollOutBegun(Box::new(RollOut {
            id,
            name: new.name.clone(),
            profile: new.profile,
            stages,
            begun: vec![now],
            waiting_since: now,
            criteria: new.criteria,
            phase: Phase::Running,
            comment: new.comment.clone(),
            author: new.author.clone(),
            created: now,
        })))
    }

    fn step_roll_out(
        &self,
        id: RollOutId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<SettingsEvent, Rejection> {
        let roll_out = self
            .settings
            .roll_out(id)
            .ok_or_else(|| Rejection::Unknown {
                what: "roll-out",
                id: id.to_string(),
            })?;
        if !roll_out.admits(decision) {
            let rule = format!("is {}, which admits no such step", roll_out.phase.name());
            return Err(invalid("phase", rule));
        }
        Ok(SettingsEvent::RollOutStepped(id, decision, now))
    }
}

fn check_criteria(criteria: &Criteria) -> Result<(), Rejection> {
    let share = criteria.match_min.hundredths();
    if !(0..=Percent::WHOLE.hundredths()).contains(&share) {
        return Err(invalid("match_min", "is 0 to 100 %"));
    }
    if RollOut::MAX_WAIT < criteria.deadline || criteria.deadline < criteria.wait {
        return Err(invalid(
            "deadline",
            "is no shorter than the wait, and at most 90 days",
        ));
    }
    Ok(())
}

/// The stages of a plan, each sorted.
fn stages(plan: &StagePlan, id: RollOutId) -> Result<Vec<Vec<DerId>>, Rejection> {
    let (ders, count) = match plan {
        StagePlan::Shares(ders, shares) => (ders.len(), shares.len()),
        StagePlan::Lists(lists) => (lists.iter().map(Vec::len).sum(), lists.len()),
    };
    for (what, max, got) in [
        ("stages of one roll-out", RollOut::MAX_STAGES, count),
        ("DER of one roll-out", RollOut::MAX_DERS, ders),
    ] {
        if max < got {
            return Err(Rejection::TooMany { what, max });
        }
    }
    let stages = match plan {
        StagePlan::Shares(ders, shares) => {
            let rising = shares.windows(2).all(|pair| pair[0] < pair[1]);
            let from_nothing = shares.first().is_none_or(|first| first.hundredths() <= 0);
            if !rising || from_nothing || shares.last() != Some(&Percent::WHOLE) {
                return Err(invalid("stages", "rise from above 0 to 100 %"));
            }
            split(ders, shares, u64::from(id.0))
        }
        StagePlan::Lists(lists) => {
            let mut lists = lists.clone();
            lists.iter_mut().for_each(|list| list.sort_unstable());
            lists
        }
    };
    if stages.is_empty() || stages.iter().any(Vec::is_empty) {
        return Err(invalid("stages", "have at least one DER each"));
    }
    Ok(stages)
}

fn invalid(field: &'static str, rule: impl Into<String>) -> Rejection {
    Rejection::Invalid {
        field,
        rule: rule.into(),
    }
}
