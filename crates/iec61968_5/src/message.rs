//! The typed messages: which root belongs to which operation, and how it is read and written.

mod request;
mod response;

pub use request::{Asked, RequestError, RequestMessage, read_request, write_request};
pub use response::{Payload, ResponseMessage, read_response, write_fault, write_response};

use crate::envelope::{Noun, Verb};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Create groups.
    CreateDerGroups,
    /// Change groups by merging.
    ChangeDerGroups,
    /// Delete groups.
    DeleteDerGroups,
    /// Query groups.
    QueryDerGroups,
    /// Query what groups do and can do.
    QueryDerGroupStatuses,
    /// Dispatch groups.
    CreateDerGroupDispatches,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 6] = [
        Self::CreateDerGroups,
        Self::ChangeDerGroups,
        Self::DeleteDerGroups,
        Self::QueryDerGroups,
        Self::QueryDerGroupStatuses,
        Self::CreateDerGroupDispatches,
    ];

    /// Name of the operation in its WSDL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateDerGroups => "CreateDERGroups",
            Self::ChangeDerGroups => "ChangeDERGroups",
            Self::DeleteDerGroups => "DeleteDERGroups",
            Self::QueryDerGroups => "QueryDERGroups",
            Self::QueryDerGroupStatuses => "QueryDERGroupStatuses",
            Self::CreateDerGroupDispatches => "CreateDERGroupDispatches",
        }
    }

    /// Root element of a request.
    #[must_use]
    pub const fn root(self) -> &'static str {
        match self {
            Self::QueryDerGroups => "DERGroupQueriesRequestMessage",
            Self::QueryDerGroupStatuses => "DERGroupStatusQueriesRequestMessage",
            other => other.name(),
        }
    }

    /// Root element of an answer.
    #[must_use]
    pub const fn response_root(self) -> &'static str {
        match self {
            Self::CreateDerGroups | Self::ChangeDerGroups | Self::DeleteDerGroups => {
                "DERGroupsResponseMessage"
            }
            Self::QueryDerGroups => "DERGroupQueriesResponseMessage",
            Self::QueryDerGroupStatuses => "DERGroupStatusQueriesResponseMessage",
            Self::CreateDerGroupDispatches => "DERGroupDispatchesResponseMessage",
        }
    }

    /// Root element of an answer to a message whose header can't be read.
    #[must_use]
    pub const fn fault_root(self) -> &'static str {
        match self {
            Self::CreateDerGroups | Self::ChangeDerGroups | Self::DeleteDerGroups => {
                "DERGroupsFaultMessage"
            }
            Self::QueryDerGroups => "DERGroupQueriesFaultMessage",
            Self::QueryDerGroupStatuses => "DERGroupStatusQueriesFaultMessage",
            Self::CreateDerGroupDispatches => "DERGroupDispatchesFaultMessage",
        }
    }

    /// The noun whose messages these are.
    #[must_use]
    pub const fn message_noun(self) -> Noun {
        match self {
            Self::CreateDerGroups | Self::ChangeDerGroups | Self::DeleteDerGroups => {
                Noun::DerGroups
            }
            Self::QueryDerGroups => Noun::DerGroupQueries,
            Self::QueryDerGroupStatuses => Noun::DerGroupStatusQueries,
            Self::CreateDerGroupDispatches => Noun::DerGroupDispatches,
        }
    }

    /// `Header.Noun`, and the noun of the payload of an answer.
    #[must_use]
    pub const fn noun(self) -> Noun {
        match self {
            Self::QueryDerGroups => Noun::DerGroups,
            Self::QueryDerGroupStatuses => Noun::DerGroupStatuses,
            other => other.message_noun(),
        }
    }

    /// `Header.Verb`.
    #[must_use]
    pub const fn verb(self) -> Verb {
        match self {
            Self::CreateDerGroups | Self::CreateDerGroupDispatches => Verb::Create,
            Self::ChangeDerGroups => Verb::Change,
            Self::DeleteDerGroups => Verb::Delete,
            Self::QueryDerGroups | Self::QueryDerGroupStatuses => Verb::Get,
        }
    }

    /// `soapAction` of a request.
    #[must_use]
    pub fn soap_action(self, payload_base: &str) -> String {
        format!("{payload_base}{}/{}", self.noun().as_str(), self.name())
    }

    /// Path of the service that offers it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::CreateDerGroups => "/61968-5/create/executeDERGroups",
            Self::ChangeDerGroups | Self::DeleteDerGroups => "/61968-5/change/executeDERGroups",
            Self::QueryDerGroups => "/61968-5/get/queryDERGroups",
            Self::QueryDerGroupStatuses => "/61968-5/get/queryDERGroupStatuses",
            Self::CreateDerGroupDispatches => "/61968-5/create/executeDERGroupDispatches",
        }
    }
}
