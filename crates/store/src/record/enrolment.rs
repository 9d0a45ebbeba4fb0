//! Owners, sites, service points, programmes, contracts, permissions and bindings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::enrolment::interconnection::Discharge;
use fleet::enrolment::{
    Binding, BindingReason, Consent, Contract, Dated, DemandResponseProgram,
    DemandResponseProgramId, Eligibility, Firmness, Fuel, Interconnection, LimitedGeneration,
    MONTHS, OptOut, Owner, OwnerId, PersonId, Purpose, ServicePoint, ServicePointId, Site, SiteId,
    Terms,
};
use fleet::{AssignmentId, DerId, EnrolmentEvent};
use serde::{Deserialize, Serialize};
use units::{Money, Timestamp, Watts};

use super::der::DerKindV1;
use super::field::{millis, text};
use super::settings_profile::CategoryV1;
use super::{RecordError, Unstorable};

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum PurposeV1 {
    Dispatch,
    Telemetry,
    Research,
    ThirdParty,
    Marketing,
}

impl From<Purpose> for PurposeV1 {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Dispatch => Self::Dispatch,
            Purpose::Telemetry => Self::Telemetry,
            Purpose::Research => Self::Research,
            Purpose::ThirdParty => Self::ThirdParty,
            Purpose::Marketing => Self::Marketing,
        }
    }
}

impl From<PurposeV1> for Purpose {
    fn from(purpose: PurposeV1) -> Self {
        match purpose {
            PurposeV1::Dispatch => Self::Dispatch,
            PurposeV1::Telemetry => Self::Telemetry,
            PurposeV1::Research => Self::Research,
            PurposeV1::ThirdParty => Self::ThirdParty,
            PurposeV1::Marketing => Self::Marketing,
        }
    }
}

/// When it was given or withdrawn, in milliseconds.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ConsentV1 {
    Given(i64),
    Withdrawn(i64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerV1<'a> {
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    /// 32 hexadecimal digits.
    #[serde(borrow)]
    person: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    consents: BTreeMap<PurposeV1, ConsentV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_ms: Option<i64>,
}

impl<'a> From<&'a Owner> for OwnerV1<'a> {
    fn from(owner: &'a Owner) -> Self {
        let consent = |(purpose, consent): (&Purpose, &Consent)| {
            let consent = match consent {
                Consent::Given(at) => ConsentV1::Given(at.millis()),
                Consent::Withdrawn(at) => ConsentV1::Withdrawn(at.millis()),
            };
            (PurposeV1::from(*purpose), consent)
        };
        Self {
            mrid: owner.mrid.as_str().into(),
            person: format!("{:032x}", owner.person.0).into(),
            consents: owner.consents.iter().map(consent).collect(),
            erased_ms: owner.erased.map(Timestamp::millis),
        }
    }
}

impl OwnerV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        let consent = |(purpose, consent): (PurposeV1, ConsentV1)| {
            let consent = match consent {
                ConsentV1::Given(at) => Consent::Given(Timestamp::from_millis(at)),
                ConsentV1::Withdrawn(at) => Consent::Withdrawn(Timestamp::from_millis(at)),
            };
            (Purpose::from(purpose), consent)
        };
        let person = u128::from_str_radix(&self.person, 16)
            .map_err(|reason| RecordError::malformed("person", &reason))?;
        Ok(EnrolmentEvent::OwnerPut(Owner {
            mrid: text("mrid", &self.mrid)?,
            person: PersonId(person),
            consents: self.consents.into_iter().map(consent).collect(),
            erased: self.erased_ms.map(Timestamp::from_millis),
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerErasedV1 {
    owner: u32,
    at_ms: i64,
}

impl OwnerErasedV1 {
    pub(super) fn new(owner: OwnerId, at: Timestamp) -> Self {
        Self {
            owner: owner.0,
            at_ms: at.millis(),
        }
    }

    pub(super) fn read(&self) -> EnrolmentEvent {
        EnrolmentEvent::OwnerErased(OwnerId(self.owner), Timestamp::from_millis(self.at_ms))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteV1<'a> {
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    owner: u32,
}

impl<'a> From<&'a Site> for SiteV1<'a> {
    fn from(site: &'a Site) -> Self {
        Self {
            mrid: site.mrid.as_str().into(),
            owner: site.owner.0,
        }
    }
}

impl SiteV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        Ok(EnrolmentEvent::SitePut(Site {
            mrid: text("mrid", &self.mrid)?,
            owner: OwnerId(self.owner),
        }))
    }
}

/// Limits are magnitudes in micro-watts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServicePointV1<'a> {
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    site: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    import_max: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export_max: Option<i64>,
}

impl<'a> From<&'a ServicePoint> for ServicePointV1<'a> {
    fn from(point: &'a ServicePoint) -> Self {
        Self {
            mrid: point.mrid.as_str().into(),
            site: point.site.0,
            assignment: point.assignment.map(|node| node.0),
            import_max: point.import_max.map(Watts::micro),
            export_max: point.export_max.map(Watts::micro),
        }
    }
}

impl ServicePointV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        Ok(EnrolmentEvent::ServicePointPut(ServicePoint {
            mrid: text("mrid", &self.mrid)?,
            site: SiteId(self.site),
            assignment: self.assignment.map(AssignmentId),
            import_max: self.import_max.map(Watts::from_micro),
            export_max: self.export_max.map(Watts::from_micro),
        }))
    }
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum FuelV1 {
    Diesel,
    Gas,
    Biogas,
    Hydrogen,
    Other,
}

impl From<Fuel> for FuelV1 {
    fn from(fuel: Fuel) -> Self {
        match fuel {
            Fuel::Diesel => Self::Diesel,
            Fuel::Gas => Self::Gas,
            Fuel::Biogas => Self::Biogas,
            Fuel::Hydrogen => Self::Hydrogen,
            Fuel::Other => Self::Other,
        }
    }
}

impl From<FuelV1> for Fuel {
    fn from(fuel: FuelV1) -> Self {
        match fuel {
            FuelV1::Diesel => Self::Diesel,
            FuelV1::Gas => Self::Gas,
            FuelV1::Biogas => Self::Biogas,
            FuelV1::Hydrogen => Self::Hydrogen,
            FuelV1::Other => Self::Other,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum OptOutV1 {
    Always,
    PerYear(u16),
    Never,
}

/// Durations in milliseconds, prices in millionths of the currency.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsV1 {
    from_ms: i64,
    max_events_per_day: Option<u16>,
    max_events_per_year: Option<u16>,
    max_hours_per_year: Option<u16>,
    min_duration: u64,
    max_duration: Option<u64>,
    notice: u64,
    recovery: u64,
    opt_out: OptOutV1,
    price_per_event: Option<i64>,
    price_per_kwh: Option<i64>,
    price_per_kw_year: Option<i64>,
    kinds: Vec<DerKindV1>,
    assignments: Vec<u32>,
    excluded_fuels: Vec<FuelV1>,
    permit_hours_per_year: Option<u16>,
    dual_participation: bool,
}

impl TermsV1 {
    fn new((from, terms): &(Timestamp, Terms)) -> Result<Self, Unstorable> {
        let whole = |field, duration| millis("demand_response_program_put", field, duration);
        let max_duration = terms.max_duration;
        let eligibility = &terms.eligibility;
        Ok(Self {
            from_ms: from.millis(),
            max_events_per_day: terms.max_events_per_day,
            max_events_per_year: terms.max_events_per_year,
            max_hours_per_year: terms.max_hours_per_year,
            min_duration: whole("min_duration", terms.min_duration)?,
            max_duration: max_duration.map(|d| whole("max_duration", d)).transpose()?,
            notice: whole("notice", terms.notice)?,
            recovery: whole("recovery", terms.recovery)?,
            opt_out: match terms.opt_out {
                OptOut::Always => OptOutV1::Always,
                OptOut::PerYear(times) => OptOutV1::PerYear(times),
                OptOut::Never => OptOutV1::Never,
            },
            price_per_event: terms.price_per_event.map(Money::micro),
            price_per_kwh: terms.price_per_kwh.map(Money::micro),
            price_per_kw_year: terms.price_per_kw_year.map(Money::micro),
            kinds: eligibility
                .kinds
                .iter()
                .map(|kind| (*kind).into())
                .collect(),
            assignments: eligibility.assignments.iter().map(|node| node.0).collect(),
            excluded_fuels: eligibility
                .excluded_fuels
                .iter()
                .map(|fuel| (*fuel).into())
                .collect(),
            permit_hours_per_year: eligibility.permit_hours_per_year,
            dual_participation: eligibility.dual_participation,
        })
    }

    fn read(self) -> (Timestamp, Terms) {
        let assignments: BTreeSet<AssignmentId> =
            self.assignments.into_iter().map(AssignmentId).collect();
        let terms = Terms {
            max_events_per_day: self.max_events_per_day,
            max_events_per_year: self.max_events_per_year,
            max_hours_per_year: self.max_hours_per_year,
            min_duration: Duration::from_millis(self.min_duration),
            max_duration: self.max_duration.map(Duration::from_millis),
            notice: Duration::from_millis(self.notice),
            recovery: Duration::from_millis(self.recovery),
            opt_out: match self.opt_out {
                OptOutV1::Always => OptOut::Always,
                OptOutV1::PerYear(times) => OptOut::PerYear(times),
                OptOutV1::Never => OptOut::Never,
            },
            price_per_event: self.price_per_event.map(Money::from_micro),
            price_per_kwh: self.price_per_kwh.map(Money::from_micro),
            price_per_kw_year: self.price_per_kw_year.map(Money::from_micro),
            eligibility: Eligibility {
                kinds: self.kinds.into_iter().map(Into::into).collect(),
                assignments,
                excluded_fuels: self.excluded_fuels.into_iter().map(Into::into).collect(),
                permit_hours_per_year: self.permit_hours_per_year,
                dual_participation: self.dual_participation,
            },
        };
        (Timestamp::from_millis(self.from_ms), terms)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DemandResponseProgramV1<'a> {
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    terms: Vec<TermsV1>,
}

impl<'a> TryFrom<&'a DemandResponseProgram> for DemandResponseProgramV1<'a> {
    type Error = Unstorable;

    fn try_from(program: &'a DemandResponseProgram) -> Result<Self, Unstorable> {
        let terms = program.terms.entries().iter().map(TermsV1::new);
        Ok(Self {
            mrid: program.mrid.as_str().into(),
            name: program.name.as_str().into(),
            terms: terms.collect::<Result<_, _>>()?,
        })
    }
}

impl DemandResponseProgramV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        let terms = self.terms.into_iter().map(TermsV1::read).collect();
        let unordered = || RecordError::malformed("terms", &"are out of order");
        Ok(EnrolmentEvent::ProgramPut(DemandResponseProgram {
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            terms: Dated::new(terms).ok_or_else(unordered)?,
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContractV1<'a> {
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    owner: u32,
    program: u32,
    ders: Vec<u32>,
    from_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<i64>,
}

impl<'a> From<&'a Contract> for ContractV1<'a> {
    fn from(contract: &'a Contract) -> Self {
        Self {
            mrid: contract.mrid.as_str().into(),
            owner: contract.owner.0,
            program: contract.program.0,
            ders: contract.ders.iter().map(|der| der.0).collect(),
            from_ms: contract.from.millis(),
            until_ms: contract.until.map(Timestamp::millis),
            committed: contract.committed.map(Watts::micro),
        }
    }
}

impl ContractV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        Ok(EnrolmentEvent::ContractPut(Contract {
            mrid: text("mrid", &self.mrid)?,
            owner: OwnerId(self.owner),
            program: DemandResponseProgramId(self.program),
            ders: self.ders.into_iter().map(DerId).collect(),
            from: Timestamp::from_millis(self.from_ms),
            until: self.until_ms.map(Timestamp::from_millis),
            committed: self.committed.map(Watts::from_micro),
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacedV1 {
    der: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_point: Option<u32>,
}

impl PlacedV1 {
    pub(super) fn new(der: DerId, point: Option<ServicePointId>) -> Self {
        Self {
            der: der.0,
            service_point: point.map(|point| point.0),
        }
    }

    pub(super) fn read(&self) -> EnrolmentEvent {
        EnrolmentEvent::Placed(DerId(self.der), self.service_point.map(ServicePointId))
    }
}

/// Standard time less UTC in seconds, and most export in micro-watts by month and hour.
#[derive(Serialize, Deserialize)]
struct LimitedGenerationV1(i32, Vec<Vec<i64>>);

impl LimitedGenerationV1 {
    fn new(profile: &LimitedGeneration) -> Self {
        let month = |hours: &[Watts; 24]| hours.iter().map(|p| p.micro()).collect();
        Self(
            profile.utc_offset_s,
            profile.export_max.iter().map(month).collect(),
        )
    }

    fn read(self) -> Result<LimitedGeneration, RecordError> {
        let misshapen = || RecordError::malformed("limited_generation", &"is not 12 times 24");
        let mut export_max = Box::new([[Watts::ZERO; 24]; MONTHS]);
        if self.1.len() != MONTHS || self.1.iter().any(|hours| hours.len() != 24) {
            return Err(misshapen());
        }
        for (month, hours) in export_max.iter_mut().zip(self.1) {
            for (limit, micro) in month.iter_mut().zip(hours) {
                *limit = Watts::from_micro(micro);
            }
        }
        Ok(LimitedGeneration {
            utc_offset_s: self.0,
            export_max,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InterconnectionV1 {
    der: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_from_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_until_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export_max: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    import_max: Option<i64>,
    may_discharge: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<CategoryV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_generation: Option<LimitedGenerationV1>,
    firm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<FuelV1>,
}

impl InterconnectionV1 {
    pub(super) fn new(der: DerId, record: &Interconnection) -> Self {
        Self {
            der: der.0,
            permission_from_ms: record.permission_from.map(Timestamp::millis),
            permission_until_ms: record.permission_until.map(Timestamp::millis),
            export_max: record.export_max.map(Watts::micro),
            import_max: record.import_max.map(Watts::micro),
            may_discharge: record.discharge == Discharge::Allowed,
            category: record.category.map(Into::into),
            limited_generation: record
                .limited_generation
                .as_ref()
                .map(LimitedGenerationV1::new),
            firm: record.firmness == Firmness::Firm,
            fuel: record.fuel.map(Into::into),
        }
    }

    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        let profile = self.limited_generation.map(LimitedGenerationV1::read);
        let record = Interconnection {
            permission_from: self.permission_from_ms.map(Timestamp::from_millis),
            permission_until: self.permission_until_ms.map(Timestamp::from_millis),
            export_max: self.export_max.map(Watts::from_micro),
            import_max: self.import_max.map(Watts::from_micro),
            discharge: match self.may_discharge {
                true => Discharge::Allowed,
                false => Discharge::NotAllowed,
            },
            category: self.category.map(Into::into),
            limited_generation: profile.transpose()?,
            firmness: match self.firm {
                true => Firmness::Firm,
                false => Firmness::Flexible,
            },
            fuel: self.fuel.map(Into::into),
        };
        let der = DerId(self.der);
        Ok(EnrolmentEvent::InterconnectionPut(der, Box::new(record)))
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum BindingReasonV1 {
    DeviceReplaced,
    ModuleReplaced,
    ModuleMovedHere,
    ModuleMovedAway,
    Rekeyed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundV1<'a> {
    der: u32,
    #[serde(borrow)]
    lfdi: Cow<'a, str>,
    #[serde(borrow)]
    previous: Cow<'a, str>,
    since_ms: i64,
    reason: BindingReasonV1,
}

impl BoundV1<'static> {
    pub(super) fn new(der: DerId, binding: &Binding) -> Self {
        Self {
            der: der.0,
            lfdi: binding.lfdi.to_string().into(),
            previous: binding.previous.to_string().into(),
            since_ms: binding.since.millis(),
            reason: match binding.reason {
                BindingReason::DeviceReplaced => BindingReasonV1::DeviceReplaced,
                BindingReason::ModuleReplaced => BindingReasonV1::ModuleReplaced,
                BindingReason::ModuleMovedHere => BindingReasonV1::ModuleMovedHere,
                BindingReason::ModuleMovedAway => BindingReasonV1::ModuleMovedAway,
                BindingReason::Rekeyed => BindingReasonV1::Rekeyed,
            },
        }
    }
}

impl BoundV1<'_> {
    pub(super) fn read(self) -> Result<EnrolmentEvent, RecordError> {
        let binding = Binding {
            lfdi: text("lfdi", &self.lfdi)?,
            previous: text("previous", &self.previous)?,
            since: Timestamp::from_millis(self.since_ms),
            reason: match self.reason {
                BindingReasonV1::DeviceReplaced => BindingReason::DeviceReplaced,
                BindingReasonV1::ModuleReplaced => BindingReason::ModuleReplaced,
                BindingReasonV1::ModuleMovedHere => BindingReason::ModuleMovedHere,
                BindingReasonV1::ModuleMovedAway => BindingReason::ModuleMovedAway,
                BindingReasonV1::Rekeyed => BindingReason::Rekeyed,
            },
        };
        Ok(EnrolmentEvent::Bound(DerId(self.der), binding))
    }
}
