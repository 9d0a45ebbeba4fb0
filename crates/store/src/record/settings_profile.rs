//! Settings management: versions, requirements, roll-outs, what was realised, and drift.
#![expect(
    clippy::upper_case_acronyms,
    reason = "the category has this name in IEEE 1547"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use fleet::settings_profile::{
    Abnormal, AppliedSettings, Basis, Category, Criteria, Decimal, Decision, Drift, Excitation,
    HaltReason, Normal, Parameter, Phase, Realised, Requirement, RollOut, Subject, Value, Values,
};
use fleet::{AssignmentId, DerId, RollOutId, SettingsEvent, SettingsProfile, SettingsProfileId};
use serde::{Deserialize, Serialize};
use units::{Percent, Timestamp, Vars, VoltAmperes};

use super::field::{optional_text, text};
use super::program::DefaultControlV1;
use super::{RecordError, Unstorable};

/// Numbers are millionths of the parameter's unit.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ValueV1 {
    Number(i64),
    Enabled(bool),
    Injecting(bool),
}

impl From<Value> for ValueV1 {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number.micro()),
            Value::Enabled(enabled) => Self::Enabled(enabled),
            Value::Excitation(excitation) => Self::Injecting(excitation == Excitation::Injecting),
        }
    }
}

impl From<ValueV1> for Value {
    fn from(value: ValueV1) -> Self {
        match value {
            ValueV1::Number(micro) => Self::Number(Decimal::from_micro(micro)),
            ValueV1::Enabled(enabled) => Self::Enabled(enabled),
            ValueV1::Injecting(true) => Self::Excitation(Excitation::Injecting),
            ValueV1::Injecting(false) => Self::Excitation(Excitation::Absorbing),
        }
    }
}

type ValuesV1<'a> = BTreeMap<Cow<'a, str>, ValueV1>;

fn values_v1(values: &Values) -> ValuesV1<'static> {
    let row = |(parameter, value): (&Parameter, &Value)| {
        (Cow::Borrowed(parameter.name()), (*value).into())
    };
    values.iter().map(row).collect()
}

fn parameter(name: &str) -> Result<Parameter, RecordError> {
    Parameter::by_name(name)
        .ok_or_else(|| RecordError::malformed("parameter", &format!("{name:?} is unknown")))
}

fn read_values(values: ValuesV1<'_>) -> Result<Values, RecordError> {
    let row = |(name, value): (Cow<'_, str>, ValueV1)| Ok((parameter(&name)?, value.into()));
    values.into_iter().map(row).collect()
}

/// Normal and abnormal category, such as `A` and `III`.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct CategoryV1(NormalV1, AbnormalV1);

#[derive(Serialize, Deserialize, Clone, Copy)]
enum NormalV1 {
    A,
    B,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
enum AbnormalV1 {
    I,
    II,
    III,
}

impl From<Category> for CategoryV1 {
    fn from(category: Category) -> Self {
        let normal = match category.normal {
            Normal::A => NormalV1::A,
            Normal::B => NormalV1::B,
        };
        let abnormal = match category.abnormal {
            Abnormal::I => AbnormalV1::I,
            Abnormal::II => AbnormalV1::II,
            Abnormal::III => AbnormalV1::III,
        };
        Self(normal, abnormal)
    }
}

impl From<CategoryV1> for Category {
    fn from(CategoryV1(normal, abnormal): CategoryV1) -> Self {
        Self {
            normal: match normal {
                NormalV1::A => Normal::A,
                NormalV1::B => Normal::B,
            },
            abnormal: match abnormal {
                AbnormalV1::I => Abnormal::I,
                AbnormalV1::II => Abnormal::II,
                AbnormalV1::III => Abnormal::III,
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileV1<'a> {
    id: u32,
    #[serde(borrow)]
    name: Cow<'a, str>,
    version: u32,
    category: CategoryV1,
    #[serde(borrow)]
    values: ValuesV1<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    comment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    created_ms: i64,
}

impl<'a> From<&'a SettingsProfile> for ProfileV1<'a> {
    fn from(profile: &'a SettingsProfile) -> Self {
        Self {
            id: profile.id.0,
            name: profile.name.as_str().into(),
            version: profile.version,
            category: profile.category.into(),
            values: values_v1(&profile.values),
            comment: profile.comment.as_ref().map(|text| text.as_str().into()),
            author: profile.author.as_str().into(),
            created_ms: profile.created.millis(),
        }
    }
}

impl ProfileV1<'_> {
    pub(super) fn read(self) -> Result<SettingsEvent, RecordError> {
        Ok(SettingsEvent::ProfileCreated(SettingsProfile {
            id: SettingsProfileId(self.id),
            name: text("name", &self.name)?,
            version: self.version,
            category: self.category.into(),
            values: read_values(self.values)?,
            comment: optional_text("comment", self.comment.as_ref())?,
            author: text("author", &self.author)?,
            created: Timestamp::from_millis(self.created_ms),
        }))
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum SubjectV1 {
    Der(u32),
    Assignment(u32),
    Category(CategoryV1),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequirementV1<'a> {
    subject: SubjectV1,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<u32>,
    from_ms: i64,
    #[serde(borrow)]
    author: Cow<'a, str>,
}

impl<'a> From<&'a Requirement> for RequirementV1<'a> {
    fn from(requirement: &'a Requirement) -> Self {
        Self {
            subject: match requirement.subject {
                Subject::Der(der) => SubjectV1::Der(der.0),
                Subject::Assignment(node) => SubjectV1::Assignment(node.0),
                Subject::Category(category) => SubjectV1::Category(category.into()),
            },
            profile: requirement.profile.map(|id| id.0),
            from_ms: requirement.from.millis(),
            author: requirement.author.as_str().into(),
        }
    }
}

impl RequirementV1<'_> {
    pub(super) fn read(self) -> Result<SettingsEvent, RecordError> {
        Ok(SettingsEvent::Required(Requirement {
            subject: match self.subject {
                SubjectV1::Der(der) => Subject::Der(DerId(der)),
                SubjectV1::Assignment(node) => Subject::Assignment(AssignmentId(node)),
                SubjectV1::Category(category) => Subject::Category(category.into()),
            },
            profile: self.profile.map(SettingsProfileId),
            from: Timestamp::from_millis(self.from_ms),
            author: text("author", &self.author)?,
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CategorySetV1 {
    der: u32,
    category: CategoryV1,
}

impl CategorySetV1 {
    pub(super) fn new(der: DerId, category: Category) -> Self {
        Self {
            der: der.0,
            category: category.into(),
        }
    }

    pub(super) fn read(&self) -> SettingsEvent {
        SettingsEvent::CategorySet(DerId(self.der), self.category.into())
    }
}

/// As it begins: running, with its first stage.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollOutV1<'a> {
    id: u32,
    #[serde(borrow)]
    name: Cow<'a, str>,
    profile: u32,
    stages: Vec<Vec<u32>>,
    wait_s: u64,
    deadline_s: u64,
    match_min_hundredths: i32,
    alarms_max: u32,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    comment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    created_ms: i64,
}

impl<'a> TryFrom<&'a RollOut> for RollOutV1<'a> {
    type Error = Unstorable;

    fn try_from(roll_out: &'a RollOut) -> Result<Self, Unstorable> {
        let unstorable = |field, rule| Unstorable {
            kind: "roll_out_begun",
            field,
            rule,
        };
        let criteria = roll_out.criteria;
        if criteria.wait.subsec_nanos() != 0 || criteria.deadline.subsec_nanos() != 0 {
            return Err(unstorable("criteria", "wait a number of whole seconds"));
        }
        if roll_out.phase != Phase::Running || roll_out.begun != [roll_out.created] {
            return Err(unstorable("phase", "has gone on already"));
        }
        let ids = |stage: &Vec<DerId>| stage.iter().map(|der| der.0).collect();
        Ok(Self {
            id: roll_out.id.0,
            name: roll_out.name.as_str().into(),
            profile: roll_out.profile.0,
            stages: roll_out.stages.iter().map(ids).collect(),
            wait_s: criteria.wait.as_secs(),
            deadline_s: criteria.deadline.as_secs(),
            match_min_hundredths: criteria.match_min.hundredths(),
            alarms_max: criteria.alarms_max,
            comment: roll_out.comment.as_ref().map(|text| text.as_str().into()),
            author: roll_out.author.as_str().into(),
            created_ms: roll_out.created.millis(),
        })
    }
}

impl RollOutV1<'_> {
    pub(super) fn read(self) -> Result<SettingsEvent, RecordError> {
        let created = Timestamp::from_millis(self.created_ms);
        let ids = |stage: Vec<u32>| stage.into_iter().map(DerId).collect();
        Ok(SettingsEvent::RollOutBegun(Box::new(RollOut {
            id: RollOutId(self.id),
            name: text("name", &self.name)?,
            profile: SettingsProfileId(self.profile),
            stages: self.stages.into_iter().map(ids).collect(),
            begun: vec![created],
            waiting_since: created,
            criteria: Criteria {
                wait: Duration::from_secs(self.wait_s),
                deadline: Duration::from_secs(self.deadline_s),
                match_min: Percent::from_hundredths(self.match_min_hundredths),
                alarms_max: self.alarms_max,
            },
            phase: Phase::Running,
            comment: optional_text("comment", self.comment.as_ref())?,
            author: text("author", &self.author)?,
            created,
        })))
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum DecisionV1 {
    Advanced,
    HaltedByOperator,
    HaltedByAlarms(u32),
    HaltedForEvidence { matching: u32, of: u32 },
    Resumed,
    Completed,
    RolledBack,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollOutSteppedV1 {
    roll_out: u32,
    decision: DecisionV1,
    at_ms: i64,
}

impl RollOutSteppedV1 {
    pub(super) fn new(id: RollOutId, decision: Decision, at: Timestamp) -> Self {
        let decision = match decision {
            Decision::Advanced => DecisionV1::Advanced,
            Decision::Halted(HaltReason::Operator) => DecisionV1::HaltedByOperator,
            Decision::Halted(HaltReason::Alarms(ders)) => DecisionV1::HaltedByAlarms(ders),
            Decision::Halted(HaltReason::Evidence { matching, of }) => {
                DecisionV1::HaltedForEvidence { matching, of }
            }
            Decision::Resumed => DecisionV1::Resumed,
            Decision::Completed => DecisionV1::Completed,
            Decision::RolledBack => DecisionV1::RolledBack,
        };
        Self {
            roll_out: id.0,
            decision,
            at_ms: at.millis(),
        }
    }

    pub(super) fn read(&self) -> SettingsEvent {
        let decision = match self.decision {
            DecisionV1::Advanced => Decision::Advanced,
            DecisionV1::HaltedByOperator => Decision::Halted(HaltReason::Operator),
            DecisionV1::HaltedByAlarms(ders) => Decision::Halted(HaltReason::Alarms(ders)),
            DecisionV1::HaltedForEvidence { matching, of } => {
                Decision::Halted(HaltReason::Evidence { matching, of })
            }
            DecisionV1::Resumed => Decision::Resumed,
            DecisionV1::Completed => Decision::Completed,
            DecisionV1::RolledBack => Decision::RolledBack,
        };
        let at = Timestamp::from_millis(self.at_ms);
        SettingsEvent::RollOutStepped(RollOutId(self.roll_out), decision, at)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RealisedV1 {
    der: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    realised: Option<RealisedPartV1>,
}

/// The basis is apparent power, and reactive power injected and absorbed, in micro-units.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RealisedPartV1 {
    profile: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<(i64, i64, i64)>,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<u32>,
    replaced: DefaultControlV1,
}

impl RealisedV1 {
    pub(super) fn new(der: DerId, realised: Option<&Realised>) -> Self {
        let basis = |basis: Basis| {
            (
                basis.s_max.micro(),
                basis.q_inject_max.micro(),
                basis.q_absorb_max.micro(),
            )
        };
        Self {
            der: der.0,
            realised: realised.map(|realised| RealisedPartV1 {
                profile: realised.profile.0,
                basis: realised.basis.map(basis),
                at_ms: realised.at.millis(),
                previous: realised.previous.map(|id| id.0),
                replaced: (&realised.replaced).into(),
            }),
        }
    }

    pub(super) fn read(self) -> Result<SettingsEvent, RecordError> {
        let basis = |(s_max, q_inject_max, q_absorb_max)| Basis {
            s_max: VoltAmperes::from_micro(s_max),
            q_inject_max: Vars::from_micro(q_inject_max),
            q_absorb_max: Vars::from_micro(q_absorb_max),
        };
        let realised = self.realised.map(|part| {
            Ok(Box::new(Realised {
                profile: SettingsProfileId(part.profile),
                basis: part.basis.map(basis),
                at: Timestamp::from_millis(part.at_ms),
                previous: part.previous.map(SettingsProfileId),
                replaced: part.replaced.read()?,
            }))
        });
        Ok(SettingsEvent::Realised(
            DerId(self.der),
            realised.transpose()?,
        ))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppliedV1<'a> {
    der: u32,
    #[serde(borrow)]
    values: ValuesV1<'a>,
    at_ms: i64,
    #[serde(borrow)]
    author: Cow<'a, str>,
}

impl<'a> AppliedV1<'a> {
    pub(super) fn new(der: DerId, applied: &'a AppliedSettings) -> Self {
        Self {
            der: der.0,
            values: values_v1(&applied.values),
            at_ms: applied.at.millis(),
            author: applied.author.as_str().into(),
        }
    }

    pub(super) fn read(self) -> Result<SettingsEvent, RecordError> {
        let applied = AppliedSettings {
            values: read_values(self.values)?,
            at: Timestamp::from_millis(self.at_ms),
            author: text("author", &self.author)?,
        };
        Ok(SettingsEvent::Applied(DerId(self.der), Box::new(applied)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftRaisedV1<'a> {
    der: u32,
    #[serde(borrow)]
    parameter: Cow<'a, str>,
    profile: u32,
    required: ValueV1,
    reported: ValueV1,
    since_ms: i64,
}

impl From<&Drift> for DriftRaisedV1<'_> {
    fn from(drift: &Drift) -> Self {
        Self {
            der: drift.der.0,
            parameter: drift.parameter.name().into(),
            profile: drift.profile.0,
            required: drift.required.into(),
            reported: drift.reported.into(),
            since_ms: drift.since.millis(),
        }
    }
}

impl DriftRaisedV1<'_> {
    pub(super) fn read(&self) -> Result<SettingsEvent, RecordError> {
        Ok(SettingsEvent::DriftRaised(Drift {
            der: DerId(self.der),
            parameter: parameter(&self.parameter)?,
            profile: SettingsProfileId(self.profile),
            required: self.required.into(),
            reported: self.reported.into(),
            since: Timestamp::from_millis(self.since_ms),
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftClearedV1<'a> {
    der: u32,
    #[serde(borrow)]
    parameter: Cow<'a, str>,
    at_ms: i64,
}

impl DriftClearedV1<'_> {
    pub(super) fn new(der: DerId, parameter: Parameter, at: Timestamp) -> Self {
        Self {
            der: der.0,
            parameter: parameter.name().into(),
            at_ms: at.millis(),
        }
    }

    pub(super) fn read(&self) -> Result<SettingsEvent, RecordError> {
        let at = Timestamp::from_millis(self.at_ms);
        let parameter = parameter(&self.parameter)?;
        Ok(SettingsEvent::DriftCleared(DerId(self.der), parameter, at))
    }
}
