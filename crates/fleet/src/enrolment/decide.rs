//! Deciding what enrolment is asked.

use units::Timestamp;

use super::admission::{Location, NewContract};
use super::binding::{Binding, BindingReason, is_unbound, unbound};
use super::{
    Admission, Consent, Contract, DemandResponseProgram, DemandResponseProgramId, EnrolmentCommand,
    EnrolmentEvent, Interconnection, Owner, OwnerId, Record, Register, ServicePoint,
    ServicePointId, SiteId,
};
use crate::{Access, CimMrid, Der, DerId, Event, Fleet, Lfdi, Rejection};

impl Fleet {
    pub(crate) fn decide_enrolment(
        &self,
        command: &EnrolmentCommand,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let book = &self.enrolment;
        let event = match command {
            EnrolmentCommand::Admit(admission) => return self.admit(admission, now),
            EnrolmentCommand::PutOwner(owner) => {
                check_owner(book.owners.by_mrid(&owner.mrid), owner)?;
                changed(&book.owners, owner)?.map(EnrolmentEvent::OwnerPut)
            }
            EnrolmentCommand::EraseOwner(mrid) => return self.erase_owner(mrid, now),
            EnrolmentCommand::PutSite(site) => {
                within(&book.owners, site.owner.0)?;
                changed(&book.sites, site)?.map(EnrolmentEvent::SitePut)
            }
            EnrolmentCommand::PutServicePoint(point) => {
                within(&book.sites, point.site.0)?;
                self.check_service_point(point)?;
                changed(&book.service_points, point)?.map(EnrolmentEvent::ServicePointPut)
            }
            EnrolmentCommand::PutProgram(program) => {
                self.check_program(program)?;
                changed(&book.programs, program)?.map(EnrolmentEvent::ProgramPut)
            }
            EnrolmentCommand::PutContract(contract) => {
                self.check_contract(contract)?;
                changed(&book.contracts, contract)?.map(EnrolmentEvent::ContractPut)
            }
            EnrolmentCommand::Place(der, point) => {
                self.known(*der)?;
                if let Some(point) = point {
                    within(&book.service_points, point.0)?;
                }
                let moved = book.placed.get(der) != point.as_ref();
                moved.then_some(EnrolmentEvent::Placed(*der, *point))
            }
            EnrolmentCommand::PutInterconnection(der, record) => {
                self.known(*der)?;
                check_interconnection(record)?;
                let news = book.interconnection(*der) != Some(record);
                news.then(|| EnrolmentEvent::InterconnectionPut(*der, record.clone()))
            }
            EnrolmentCommand::PutFlexibility(der, flexibility) => {
                self.known(*der)?;
                if let Some((field, rule)) = flexibility.broken_rule() {
                    return Err(invalid(field, rule));
                }
                let news = book.flexibility(*der) != Some(flexibility);
                news.then(|| EnrolmentEvent::FlexibilityPut(*der, flexibility.clone()))
            }
            EnrolmentCommand::Bind(der, lfdi, reason) => {
                return self.bind(*der, *lfdi, *reason, now);
            }
            EnrolmentCommand::MoveModule {
                from,
                to,
                replacement,
            } => return self.move_module((*from, *to), *replacement, now),
        };
        Ok(event.map(Event::Enrolment).into_iter().collect())
    }

    /// A contract in force, or one that is agreed for later, needs the person with whom it was made
    /// (GDPR, Art. 6(1)(b) and 17(1)(a)); consents end with the data.
    fn erase_owner(&self, mrid: &CimMrid, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let book = &self.enrolment;
        let owner = find(&book.owners, mrid)?;
        if owner.erased.is_some() {
            return Ok(Vec::new());
        }
        let id = OwnerId(book.owners.index_for(mrid));
        let mut contracts = book.contracts.items().iter();
        let lasts = |c: &&Contract| c.owner == id && c.until.is_none_or(|until| now < until);
        if let Some(contract) = contracts.find(lasts) {
            return Err(Rejection::ContractInForce {
                owner: mrid.clone(),
                contract: contract.mrid.clone(),
            });
        }
        let mut left = owner.clone();
        for consent in left.consents.values_mut() {
            if let Consent::Given(_) = consent {
                *consent = Consent::Withdrawn(now);
            }
        }
        let withdrawn = (left != *owner).then_some(EnrolmentEvent::OwnerPut(left));
        let erased = EnrolmentEvent::OwnerErased(id, now);
        let events = withdrawn.into_iter().chain([erased]);
        Ok(events.map(Event::Enrolment).collect())
    }

    /// Everything that an admission says and that is not so yet, in an order in which each event
    /// finds what it refers to.
    fn admit(&self, admission: &Admission, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let known = self.der_by_mrid(&admission.der.mrid);
        let (der, mut events) = match known {
            None => (
                DerId::from(self.ders.len()),
                self.enrol(&admission.der, now)?,
            ),
            Some(der) => (der.id, self.readmit(der, admission, now)?),
        };
        let mut put = |event: Option<EnrolmentEvent>| events.extend(event.map(Event::Enrolment));
        let mut owner = self.enrolment.owner_of(der).map(|(id, _)| id);
        if let Some(location) = &admission.standing_at {
            owner = Some(self.locate(der, location, &mut put)?);
        }
        if let Some(record) = &admission.interconnection {
            check_interconnection(record)?;
            let news = self.enrolment.interconnection(der) != Some(record);
            put(news.then(|| {
                EnrolmentEvent::InterconnectionPut(der, Box::new(Interconnection::clone(record)))
            }));
        }
        for new in &admission.contracts {
            let owner = owner.ok_or_else(|| invalid("owner", "is needed for a contract"))?;
            put(self.join(der, owner, new)?);
        }
        Ok(events)
    }

    /// An enrolled DER that comes again must be the same one.
    fn readmit(
        &self,
        der: &Der,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let new = &admission.der;
        if der.removed.is_some() {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        if der.lfdi != new.lfdi {
            let rule = "differs from that of the enrolled DER; bind the DER to it first";
            return Err(invalid("lfdi", rule));
        }
        if der.kind != new.kind {
            return Err(invalid("kind", "differs from that of the enrolled DER"));
        }
        if let Some(other) = self.der_by_name(&new.name)
            && other.id != der.id
        {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        if let Some(manager) = new.manager {
            self.known_aggregator(manager)?;
        }
        let assignments = match new.assignments.is_empty() {
            true => der.assignments.clone(),
            false => self.check_assignments(&new.assignments)?,
        };
        let changed = Der {
            name: new.name.clone(),
            reserve: new.reserve,
            manager: new.manager.or(der.manager),
            assignments,
            ..der.clone()
        };
        let news = changed != *der;
        let changed = Der {
            changed: now,
            ..changed
        };
        Ok(news
            .then_some(Event::DerChanged(changed))
            .into_iter()
            .collect())
    }

    fn locate(
        &self,
        der: DerId,
        location: &Location,
        put: &mut impl FnMut(Option<EnrolmentEvent>),
    ) -> Result<OwnerId, Rejection> {
        let book = &self.enrolment;
        let known = book.owners.by_mrid(&location.owner.mrid);
        let mut owner = location.owner.clone();
        if let Some(known) = known {
            let mut consents = known.consents.clone();
            consents.extend(owner.consents);
            owner = Owner {
                consents,
                ..known.clone()
            };
        }
        check_erased(&owner)?;
        let owner_id = OwnerId(book.owners.index_for(&owner.mrid));
        put(changed(&book.owners, &owner)?.map(EnrolmentEvent::OwnerPut));

        let site = location.site(owner_id);
        if let Some(other) = book.sites.by_mrid(&site.mrid).filter(|old| **old != site) {
            let rule = format!("{} belongs to another owner", other.mrid);
            return Err(invalid("site", &rule));
        }
        let site_id = SiteId(book.sites.index_for(&site.mrid));
        put(changed(&book.sites, &site)?.map(EnrolmentEvent::SitePut));

        let known = book.service_points.by_mrid(&location.service_point);
        let point = location.service_point(site_id, known);
        self.check_service_point(&point)?;
        let point_id = ServicePointId(book.service_points.index_for(&point.mrid));
        put(changed(&book.service_points, &point)?.map(EnrolmentEvent::ServicePointPut));

        let moved = book.placed.get(&der) != Some(&point_id);
        put(moved.then_some(EnrolmentEvent::Placed(der, Some(point_id))));
        Ok(owner_id)
    }

    fn join(
        &self,
        der: DerId,
        owner: OwnerId,
        new: &NewContract,
    ) -> Result<Option<EnrolmentEvent>, Rejection> {
        let book = &self.enrolment;
        find(&book.programs, &new.program)?;
        let program = DemandResponseProgramId(book.programs.index_for(&new.program));
        let known = book.contracts.by_mrid(&new.mrid);
        let contract = new.contract(owner, program, der, known);
        let news = known != Some(&contract);
        if let Some(owner) = book.owners.get(owner.0).filter(|_| news) {
            check_kept(owner)?;
        }
        check_terms_of(known, &contract)?;
        Ok(changed(&book.contracts, &contract)?.map(EnrolmentEvent::ContractPut))
    }

    fn check_service_point(&self, point: &ServicePoint) -> Result<(), Rejection> {
        if let Some(node) = point.assignment {
            self.known_assignment(node)?;
        }
        let negative = |limit: Option<units::Watts>| limit.is_some_and(|p| p < units::Watts::ZERO);
        if negative(point.import_max) || negative(point.export_max) {
            return Err(invalid(
                "service_point",
                "limits are magnitudes, not negative",
            ));
        }
        Ok(())
    }

    fn check_program(&self, program: &DemandResponseProgram) -> Result<(), Rejection> {
        let entries = program.terms.entries();
        if entries.is_empty() {
            return Err(invalid("terms", "at least one version is needed"));
        }
        if DemandResponseProgram::MAX_TERMS < entries.len() {
            return Err(Rejection::TooMany {
                what: "versions of the terms of one programme",
                max: DemandResponseProgram::MAX_TERMS,
            });
        }
        for (_, terms) in entries {
            if terms
                .max_duration
                .is_some_and(|max| max < terms.min_duration)
            {
                return Err(invalid(
                    "terms",
                    "max_duration is shorter than min_duration",
                ));
            }
            for node in &terms.eligibility.assignments {
                self.known_assignment(*node)?;
            }
        }
        Ok(())
    }

    fn check_contract(&self, contract: &Contract) -> Result<(), Rejection> {
        let book = &self.enrolment;
        let owner = within(&book.owners, contract.owner.0)?;
        within(&book.programs, contract.program.0)?;
        if book.contracts.by_mrid(&contract.mrid) != Some(contract) {
            check_kept(owner)?;
        }
        check_terms_of(book.contracts.by_mrid(&contract.mrid), contract)?;
        for der in &contract.ders {
            self.known(*der)?;
            if book.owner_of(*der).map(|(id, _)| id) != Some(contract.owner) {
                let rule = format!("DER {der} does not stand at a site of this owner");
                return Err(invalid("ders", &rule));
            }
        }
        Ok(())
    }

    pub(crate) fn bind(
        &self,
        id: DerId,
        lfdi: Lfdi,
        reason: BindingReason,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let der = self.known(id)?;
        if matches!(
            reason,
            BindingReason::ModuleMovedHere | BindingReason::ModuleMovedAway
        ) {
            return Err(invalid(
                "reason",
                "a module is moved with both its DER named",
            ));
        }
        self.check_lfdi(lfdi)?;
        Ok(vec![bound(der, lfdi, reason, now)])
    }

    fn move_module(
        &self,
        (from, to): (DerId, DerId),
        replacement: Option<Lfdi>,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let (giver, taker) = (self.known(from)?, self.known(to)?);
        if from == to {
            return Err(invalid("to", "is the DER where the module is"));
        }
        if matches!(giver.access, Access::Revoked(_)) {
            return Err(Rejection::LfdiRevoked(giver.lfdi));
        }
        if is_unbound(giver.lfdi) {
            return Err(invalid("from", "has no module"));
        }
        if let Some(lfdi) = replacement {
            self.check_lfdi(lfdi)?;
        }
        let left_with = replacement.unwrap_or_else(|| unbound(from));
        Ok(vec![
            bound(giver, left_with, BindingReason::ModuleMovedAway, now),
            bound(taker, giver.lfdi, BindingReason::ModuleMovedHere, now),
        ])
    }
}

fn bound(der: &Der, lfdi: Lfdi, reason: BindingReason, since: Timestamp) -> Event {
    let previous = der.lfdi;
    let binding = Binding {
        lfdi,
        previous,
        since,
        reason,
    };
    Event::Enrolment(EnrolmentEvent::Bound(der.id, binding))
}

/// `record` when it is news.
fn changed<T: Record + Clone + PartialEq>(
    register: &Register<T>,
    record: &T,
) -> Result<Option<T>, Rejection> {
    match register.by_mrid(record.mrid()) {
        Some(old) if old == record => Ok(None),
        Some(_) => Ok(Some(record.clone())),
        None if T::MAX <= register.items().len() => Err(Rejection::TooMany {
            what: T::WHAT,
            max: T::MAX,
        }),
        None => Ok(Some(record.clone())),
    }
}

fn find<'a, T: Record>(register: &'a Register<T>, mrid: &CimMrid) -> Result<&'a T, Rejection> {
    register.by_mrid(mrid).ok_or_else(|| Rejection::Unknown {
        what: T::WHAT,
        id: mrid.to_string(),
    })
}

fn within<T: Record>(register: &Register<T>, index: u32) -> Result<&T, Rejection> {
    register.get(index).ok_or_else(|| Rejection::Unknown {
        what: T::WHAT,
        id: index.to_string(),
    })
}

/// Where the person's data lie, and that they are gone, is not for a caller to say.
fn check_owner(known: Option<&Owner>, new: &Owner) -> Result<(), Rejection> {
    let kept = known.is_none_or(|known| known.person == new.person && known.erased == new.erased);
    if !kept {
        return Err(invalid("person", "belongs to the record for good"));
    }
    check_erased(new)
}

/// Whose data were erased agrees to nothing any more.
fn check_erased(owner: &Owner) -> Result<(), Rejection> {
    match owner
        .consents
        .keys()
        .any(|purpose| owner.agrees_to(*purpose))
    {
        true => check_kept(owner),
        false => Ok(()),
    }
}

fn check_kept(owner: &Owner) -> Result<(), Rejection> {
    match owner.erased {
        None => Ok(()),
        Some(_) => Err(Rejection::OwnerErased(owner.mrid.clone())),
    }
}

fn check_terms_of(known: Option<&Contract>, contract: &Contract) -> Result<(), Rejection> {
    let other =
        |known: &Contract| known.owner != contract.owner || known.program != contract.program;
    if known.is_some_and(other) {
        return Err(invalid("contract", "is with another owner or programme"));
    }
    if contract.until.is_some_and(|until| until <= contract.from) {
        return Err(invalid("until", "is not later than from"));
    }
    if Contract::MAX_DERS < contract.ders.len() {
        return Err(Rejection::TooMany {
            what: "DER of one contract",
            max: Contract::MAX_DERS,
        });
    }
    if !contract.ders.is_sorted_by(|a, b| a < b) {
        return Err(invalid("ders", "are in order, without repetition"));
    }
    Ok(())
}

fn check_interconnection(record: &Interconnection) -> Result<(), Rejection> {
    let negative = |limit: Option<units::Watts>| limit.is_some_and(|p| p < units::Watts::ZERO);
    if negative(record.export_max) || negative(record.import_max) {
        return Err(invalid(
            "interconnection",
            "limits are magnitudes, not negative",
        ));
    }
    if let Some(profile) = &record.limited_generation {
        if profile
            .export_max
            .iter()
            .flatten()
            .any(|p| *p < units::Watts::ZERO)
        {
            return Err(invalid(
                "limited_generation",
                "limits are magnitudes, not negative",
            ));
        }
        if profile.utc_offset_s % 900 != 0 || 14 * 3_600 < profile.utc_offset_s.abs() {
            return Err(invalid(
                "utc_offset_s",
                "is a whole quarter of an hour, at most 14 h",
            ));
        }
    }
    let ends_first = record.permission_from.zip(record.permission_until);
    if ends_first.is_some_and(|(from, until)| until <= from) {
        return Err(invalid(
            "permission_until",
            "is not later than permission_from",
        ));
    }
    Ok(())
}

fn invalid(field: &'static str, rule: &str) -> Rejection {
    Rejection::Invalid {
        field,
        rule: rule.to_owned(),
    }
}
