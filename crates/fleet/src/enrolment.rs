//! Enrolment: who owns a DER, where it stands, on what terms it takes part, and what the utility
//! has permitted.
//!
//! Records are named by mRIDs of the utility's own and are put as a whole: putting a record that is
//! so already changes nothing, so that an import can be repeated. The journal holds these names and
//! random numbers only; whatever tells who a person is lies outside, under [`Owner::person`], and
//! can be erased there.
//!
//! In the words of the CIM an owner is a `Customer`, a site a `ServiceLocation`, a service point a
//! `UsagePoint`, a contract a `CustomerAgreement`.

pub mod admission;
pub mod binding;
pub mod contract;
pub mod demand_response_program;
pub mod flexibility;
pub mod interconnection;
pub mod owner;
pub mod participation;
pub mod site;

mod book;
mod dated;
mod decide;
mod register;

use units::Timestamp;

use crate::{CimMrid, DerId, Lfdi};

pub use admission::Admission;
pub use binding::{Binding, BindingReason};
pub use book::EnrolmentBook;
pub use contract::{Contract, ContractId};
pub use dated::Dated;
pub use demand_response_program::{
    DemandResponseProgram, DemandResponseProgramId, Eligibility, Fuel, OptOut, Terms,
};
pub use flexibility::{Departure, Flexibility, Switching, Thermal};
pub use interconnection::{Firmness, Interconnection, LimitedGeneration, MONTHS};
pub use owner::{Consent, Owner, OwnerId, PersonId, Purpose};
pub use participation::Ineligibility;
pub use register::{Record, Register};
pub use site::{ServicePoint, ServicePointId, Site, SiteId};

/// What enrolment is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnrolmentCommand {
    /// Take in a DER with all that belongs to it, or bring what is known of it to this.
    Admit(Box<Admission>),
    /// Put an owner.
    PutOwner(Owner),
    /// The owner's personal data are erased, unless a contract needs them, and its consents end; the
    /// record stays.
    EraseOwner(CimMrid),
    /// Put a site.
    PutSite(Site),
    /// Put a service point.
    PutServicePoint(ServicePoint),
    /// Put a programme with its terms.
    PutProgram(DemandResponseProgram),
    /// Put a contract.
    PutContract(Contract),
    /// Place a DER at a service point, or take it away from where it is.
    Place(DerId, Option<ServicePointId>),
    /// Put what the utility has permitted for a DER.
    PutInterconnection(DerId, Box<Interconnection>),
    /// Put what the owner of a DER lets it be used for.
    PutFlexibility(DerId, Box<Flexibility>),
    /// Bind a DER to another certificate, saying why.
    Bind(DerId, Lfdi, BindingReason),
    /// Move a communications module, with its certificate, from one DER to another. The first one
    /// is bound to a certificate of its own, or to none.
    MoveModule {
        /// Where the module was.
        from: DerId,
        /// Where it is.
        to: DerId,
        /// The certificate of the module that takes its place.
        replacement: Option<Lfdi>,
    },
}

/// What was decided in enrolment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnrolmentEvent {
    /// An owner is this.
    OwnerPut(Owner),
    /// The personal data of an owner are erased.
    OwnerErased(OwnerId, Timestamp),
    /// A site is this.
    SitePut(Site),
    /// A service point is this.
    ServicePointPut(ServicePoint),
    /// A programme is this.
    ProgramPut(DemandResponseProgram),
    /// A contract is this.
    ContractPut(Contract),
    /// A DER stands at this service point, or at none.
    Placed(DerId, Option<ServicePointId>),
    /// What is permitted for a DER is this.
    InterconnectionPut(DerId, Box<Interconnection>),
    /// What the owner of a DER lets it be used for is this.
    FlexibilityPut(DerId, Box<Flexibility>),
    /// A DER has been bound to a certificate.
    Bound(DerId, Binding),
}
