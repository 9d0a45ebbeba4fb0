//! Errors as RFC 9457 problem details.

use axum::response::{IntoResponse, Response};
use fleet::Rejection;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::conflict::ConflictingConstraint;

/// Where the problem types are described; a type is this and the [`Kind`]'s anchor.
const DESCRIBED_AT: &str = "https://github.com/wattfold/wattfold/blob/main/docs/api.md#";

/// The media type of a problem (RFC 9457, 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which an overloaded server may be asked again.
const RETRY_AFTER_S: u64 = 1;

/// What went wrong, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request can't be read at all.
    Malformed,
    /// No or wrong credentials.
    Unauthenticated,
    /// A change asked for by a page of another origin.
    CrossSite,
    /// Not something that this account may do.
    Forbidden,
    /// No such resource.
    NotFound,
    /// The resource does not know this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    Timeout,
    /// It contradicts what exists.
    Conflict,
    /// It was erased for good.
    Erased,
    /// What is kept can't be read.
    Unreadable,
    /// It has another version than the one that the request names.
    PreconditionFailed,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// A field breaks a rule.
    InvalidField,
    /// The members lack the power.
    ShortOfPower,
    /// The members lack the energy.
    ShortOfEnergy,
    /// A limit is exceeded before anything is asked.
    LimitExceeded,
    /// Too many failed attempts to authenticate.
    TooManyAttempts,
    /// The server has more to do than it may queue.
    Overloaded,
    /// Only the node that leads can do it, and this one does not.
    Misdirected,
    /// It is not known whether the change was kept.
    UnknownOutcome,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::CrossSite,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::Erased,
        Self::Unreadable,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidField,
        Self::ShortOfPower,
        Self::ShortOfEnergy,
        Self::LimitExceeded,
        Self::TooManyAttempts,
        Self::Overloaded,
        Self::Misdirected,
        Self::UnknownOutcome,
    ];

    /// Its title, which is also its heading in the documentation.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "Malformed request",
            Self::Unauthenticated => "Not authenticated",
            Self::CrossSite => "Cross-site request",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Timeout => "Request timeout",
            Self::Conflict => "Conflict",
            Self::Erased => "Erased",
            Self::Unreadable => "Unreadable",
            Self::PreconditionFailed => "Precondition failed",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::InvalidField => "Invalid field",
            Self::ShortOfPower => "Short of power",
            Self::ShortOfEnergy => "Short of energy",
            Self::LimitExceeded => "Limit exceeded",
            Self::TooManyAttempts => "Too many attempts",
            Self::Overloaded => "Overloaded",
            Self::Misdirected => "Misdirected request",
            Self::UnknownOutcome => "Unknown outcome",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::CrossSite | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict | Self::Unreadable => StatusCode::CONFLICT,
            Self::Erased => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidField | Self::ShortOfPower | Self::ShortOfEnergy | Self::LimitExceeded => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::UnknownOutcome => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The URI that names it and leads to its description.
    #[must_use]
    pub fn uri(self) -> String {
        format!(
            "{DESCRIBED_AT}{}",
            self.title().to_lowercase().replace(' ', "-")
        )
    }
}

/// An RFC 9457 problem: why a request was not done. Nothing of it has been applied.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// URI of the kind of problem; it leads to a description.
    #[serde(rename = "type", serialize_with = "as_uri")]
    #[schema(value_type = String)]
    pub kind: Kind,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The field at fault, as a path such as `schedule[0].p_w`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// The rule that the field breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Box<str>>,
    /// Every field or row at fault, where there can be several.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: Box<[FieldRule]>,
    /// What is missing, of a dispatch that can't be planned.
    #[serde(flatten)]
    pub shortage: Option<Box<Shortage>>,
    /// A header that goes with the answer.
    #[serde(skip)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// A field, or a row of a file, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldRule {
    /// Which field.
    pub field: String,
    /// Which row of the file, from 1 for its header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The rule that it breaks.
    pub rule: String,
}

/// What is missing to plan a dispatch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Shortage {
    /// Which interval of the schedule falls short, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<usize>,
    /// Net active power asked in that interval, in W, injection positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_w: Option<f64>,
    /// The closest net active power that can be reached, in W, injection positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reachable_w: Option<f64>,
    /// Missing or excess active power, in W, a magnitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_w: Option<f64>,
    /// Missing energy, in Wh, a magnitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_wh: Option<f64>,
    /// Names of the limits that bind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<Vec<String>>,
    /// Constraints that contradict each other; without any one of them the others do not. Where one
    /// target alone is out of reach there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Vec<ConflictingConstraint>>,
}

impl Shortage {
    /// So much power is missing, or too much, in `interval`.
    fn of(interval: usize, short: units::Watts) -> Self {
        Self {
            interval: Some(interval),
            short_w: Some(short.as_f64()),
            ..Self::default()
        }
    }
}

impl Problem {
    /// A problem of `kind`.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry_after = || (header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        Self {
            kind,
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            field: None,
            rule: None,
            errors: Box::default(),
            shortage: None,
            header: (kind == Kind::Overloaded).then(|| Box::new(retry_after())),
        }
    }

    /// `field` breaks `rule`.
    #[must_use]
    pub fn field(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::at_field(Kind::InvalidField, field.into(), rule.into())
    }

    /// These fields or rows break rules; the first of them stands for all.
    pub(super) fn fields(errors: Vec<FieldRule>) -> Self {
        let first = errors.first();
        let problem = first.map(|first| Self::field(first.field.clone(), first.rule.clone()));
        let problem = problem.unwrap_or_else(|| Self::field("body", "breaks a rule"));
        Self {
            errors: errors.into(),
            ..problem
        }
    }

    /// The text given is no LFDI.
    pub(super) fn lfdi(error: impl std::fmt::Display) -> Self {
        Self::field("lfdi", error.to_string())
    }

    /// There is no `what` of this name.
    #[must_use]
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} {name}"))
    }

    /// The same with a header on its answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The same with the field's path below `parent`.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.field = self.field.map(|field| match field.starts_with('[') {
            true => format!("{parent}{field}").into(),
            false => format!("{parent}.{field}").into(),
        });
        self
    }

    fn short(kind: Kind, detail: String, shortage: Shortage) -> Self {
        Self {
            shortage: Some(Box::new(shortage)),
            ..Self::new(kind, detail)
        }
    }

    pub(super) fn at_field(kind: Kind, field: String, rule: String) -> Self {
        let mut problem = Self::new(kind, format!("{field}: {rule}"));
        problem.field = Some(field.into());
        problem.rule = Some(rule.into());
        problem
    }
}

fn as_uri<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&kind.uri())
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        let field = |kind, field: &str, rule: &str| Self {
            detail: detail.clone(),
            ..Self::at_field(kind, field.to_owned(), rule.to_owned())
        };
        match rejection {
            Rejection::TooMany { .. }
            | Rejection::AlreadyRegistered(_)
            | Rejection::GroupInUse(_)
            | Rejection::DispatchOver(_)
            | Rejection::ApprovalMissing { .. }
            | Rejection::Terms { .. }
            | Rejection::PermitMissing { .. }
            | Rejection::NeededByGrid { .. }
            | Rejection::IllegalTransition { .. }
            | Rejection::Islanded { .. }
            | Rejection::ContractInForce { .. }
            | Rejection::OwnerErased(_)
            | Rejection::ChangedSince { .. }
            | Rejection::StalePlan { .. } => Self::new(Kind::Conflict, detail),
            Rejection::MridTaken(_) => field(Kind::Conflict, "mrid", "is in use"),
            Rejection::NameTaken(_) => field(Kind::Conflict, "name", "is in use"),
            Rejection::LfdiTaken(_) => field(Kind::Conflict, "lfdi", "is enrolled already"),
            Rejection::LfdiRevoked(_) => field(Kind::Conflict, "lfdi", "was revoked"),
            Rejection::Unknown { what, .. } => field(Kind::InvalidField, what, "does not exist"),
            Rejection::Invalid { field: name, rule } => field(Kind::InvalidField, name, &rule),
            Rejection::FunctionMissing { function, .. } => {
                let rule = format!("has no function {function}");
                field(Kind::InvalidField, "group", &rule)
            }
            Rejection::ShortOfPower { .. }
            | Rejection::ShortOfEnergy { .. }
            | Rejection::LimitExceeded { .. }
            | Rejection::Conflict { .. } => Self::infeasible(rejection, detail),
        }
    }
}

impl Problem {
    /// What is short of what, of a plan that can't be made.
    fn infeasible(rejection: Rejection, detail: String) -> Self {
        match rejection {
            Rejection::ShortOfPower {
                interval,
                asked,
                reachable,
                short,
                limited_by,
            } => {
                let names = || limited_by.iter().map(ToString::to_string).collect();
                let shortage = Shortage {
                    asked_w: Some(asked.as_f64()),
                    reachable_w: Some(reachable.as_f64()),
                    limited_by: (!limited_by.is_empty()).then(names),
                    ..Shortage::of(interval, short)
                };
                Self::short(Kind::ShortOfPower, detail, shortage)
            }
            Rejection::ShortOfEnergy {
                interval,
                asked,
                short,
            } => {
                let shortage = Shortage {
                    interval: Some(interval),
                    asked_w: Some(asked.as_f64()),
                    short_wh: Some(short.as_f64()),
                    ..Shortage::default()
                };
                Self::short(Kind::ShortOfEnergy, detail, shortage)
            }
            Rejection::LimitExceeded {
                interval,
                limit,
                excess,
            } => {
                let shortage = Shortage {
                    limited_by: Some(vec![limit.to_string()]),
                    ..Shortage::of(interval, excess)
                };
                Self::short(Kind::LimitExceeded, detail, shortage)
            }
            Rejection::Conflict { short, among } => {
                let mut problem = Self::from(*short);
                problem.detail = detail;
                if let Some(shortage) = &mut problem.shortage {
                    shortage.conflict = Some(among.iter().map(Into::into).collect());
                }
                problem
            }
            _ => Self::new(Kind::Conflict, detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = serde_json::to_vec(&self).expect("a problem holds text and numbers only");
        let mut response = (status, body).into_response();
        let problem_json = HeaderValue::from_static(MEDIA_TYPE);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, problem_json);
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(header) = self.header {
            let (name, value) = *header;
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use fleet::dispatch::Constraint;
    use fleet::{CimMrid, Name};
    use units::{WattHours, Watts};

    use super::*;

    #[test]
    fn every_kind_has_a_heading_in_the_documentation() {
        let docs = include_str!("../../../../docs/api.md");
        for kind in Kind::ALL {
            let heading = format!("### {}\n", kind.title());
            assert!(docs.contains(&heading), "docs/api.md lacks {heading:?}");
        }
    }

    #[test]
    fn a_rejected_plan_says_what_is_short_and_by_how_much() {
        let power = Problem::from(Rejection::ShortOfPower {
            interval: 2,
            asked: Watts::whole(90_000),
            reachable: Watts::whole(72_500),
            short: Watts::whole(17_500),
            limited_by: vec![Name::new("feeder 7").unwrap()],
        });
        let shortage = power.shortage.unwrap();
        assert_eq!((power.status, shortage.interval), (422, Some(2)));
        assert_eq!(shortage.short_w, Some(17_500.0));
        assert_eq!(shortage.limited_by, Some(vec!["feeder 7".to_owned()]));
        let energy = Problem::from(Rejection::ShortOfEnergy {
            interval: 1,
            asked: Watts::whole(-500),
            short: WattHours::whole(30),
        });
        let shortage = energy.shortage.unwrap();
        assert_eq!(
            (shortage.asked_w, shortage.short_wh),
            (Some(-500.0), Some(30.0))
        );
    }

    #[test]
    fn a_conflict_is_what_is_short_and_what_can_not_be_kept_together() {
        let conflict = Problem::from(Rejection::Conflict {
            short: Box::new(Rejection::ShortOfEnergy {
                interval: 2,
                asked: Watts::whole(500),
                short: WattHours::whole(30),
            }),
            among: vec![Constraint::Target { interval: 1 }, Constraint::Members],
        });
        assert_eq!((conflict.kind, conflict.status), (Kind::ShortOfEnergy, 422));
        let json = serde_json::to_value(&conflict).unwrap();
        assert_eq!(
            json["conflict"],
            serde_json::json!([{ "constraint": "target", "interval": 1 }, { "constraint": "members" }])
        );
    }

    #[test]
    fn what_is_taken_is_a_conflict_that_names_the_field() {
        let taken = Problem::from(Rejection::MridTaken(CimMrid::new("a").unwrap()));
        assert_eq!((taken.status, taken.field.as_deref()), (409, Some("mrid")));
    }

    #[test]
    fn an_overloaded_server_says_when_to_come_back() {
        let response = Problem::new(Kind::Overloaded, "the queue is full").into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }

    #[test]
    fn paths_of_nested_fields_join() {
        let problem = Problem::field("lfdi", "x").under("[3]");
        assert_eq!(problem.field.as_deref(), Some("[3].lfdi"));
    }
}
