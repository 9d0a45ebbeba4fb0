//! Refusals of the fleet and faults of a message, as error items.

use fleet::Rejection;

use crate::envelope::{ErrorItem, Level, ReplyCode};
use crate::xml::{DecodeError, Fault};

/// A refusal of the fleet.
#[must_use]
pub fn rejected(rejection: &Rejection) -> ErrorItem {
    let (code, reason) = match rejection {
        Rejection::TooMany { .. } => (ReplyCode::TooMany, "a limit is reached"),
        Rejection::Unknown { what: "group", .. } => {
            (ReplyCode::UnknownGroup, "the group does not exist")
        }
        Rejection::Unknown { .. } => (ReplyCode::UnknownDevice, "an object does not exist"),
        Rejection::Invalid { .. } => (ReplyCode::BusinessRule, "the fleet does not allow it"),
        Rejection::MridTaken(_) => (ReplyCode::BusinessRule, "the mRID is already in use"),
        Rejection::NameTaken(_) => (ReplyCode::BusinessRule, "the name is already in use"),
        Rejection::FunctionMissing { .. } => (
            ReplyCode::BusinessRule,
            "the group has not got this DERFunction",
        ),
        Rejection::ApprovalMissing { .. }
        | Rejection::Terms { .. }
        | Rejection::PermitMissing { .. }
        | Rejection::NeededByGrid { .. }
        | Rejection::IllegalTransition { .. }
        | Rejection::Islanded { .. }
        | Rejection::ContractInForce { .. }
        | Rejection::OwnerErased(_) => (ReplyCode::BusinessRule, "the fleet does not allow it"),
        Rejection::GroupInUse(_) => (ReplyCode::BusinessRule, "the group is being dispatched"),
        Rejection::ShortOfPower { .. } => (ReplyCode::Short, "the group is short of power"),
        Rejection::ShortOfEnergy { .. } => (ReplyCode::Short, "the group is short of energy"),
        Rejection::LimitExceeded { .. } => (ReplyCode::Short, "a limit leaves no room"),
        Rejection::Conflict { short, .. } => {
            return rejected(short).details(rejection.to_string());
        }
        Rejection::LfdiTaken(_)
        | Rejection::LfdiRevoked(_)
        | Rejection::AlreadyRegistered(_)
        | Rejection::DispatchOver(_)
        | Rejection::ChangedSince { .. }
        | Rejection::StalePlan { .. } => (ReplyCode::Failed, "the fleet has moved on; try again"),
    };
    ErrorItem::new(code, Level::Fatal, reason).details(rejection.to_string())
}

/// A message that can't be read.
#[must_use]
pub fn schema_error(error: &DecodeError) -> ErrorItem {
    let (code, reason) = match &error.fault {
        Fault::TooMany { .. } => (ReplyCode::TooMany, "there are too many items"),
        Fault::Missing("DERGroups" | "DERGroupDispatches") => {
            (ReplyCode::PayloadMissing, "the payload is missing")
        }
        _ => (ReplyCode::Schema, "the message does not fit its schema"),
    };
    ErrorItem::new(code, Level::Fatal, reason).details(error.to_string())
}
