//! Documents of function sets that are hosted: pricing, messages, demand response, files and the
//! rest of what devices read and no dispatch needs.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use fleet::{Client, Fleet};
use http::{StatusCode, header};
use ieee2030_5::codec::MEDIA_TYPE;
use ieee2030_5::server::hosted::host::{HostRefusal, host, withdraw};
use ieee2030_5::server::hosted::path::{HostedPath, Part};
use ieee2030_5::server::hosted::{HostedDocument, MAX_FILE_BYTES};
use ieee2030_5::server::{Owner, View};
use serde::{Deserialize, Serialize};
use store::Actor;
use utoipa::{IntoParams, ToSchema};

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{self, Params};
use crate::api::{Api, aggregator, assignment, der};
use crate::auth::Principal;

/// A hosted document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DocumentView {
    /// Its address on the device listener.
    pub path: String,
    /// Who may read it: `everyone`, `der:` and an mRID, `aggregator:` and a number, or
    /// `assignment:` and an mRID.
    pub scope: String,
    /// Its size in bytes.
    pub size_bytes: usize,
}

/// Who is to read a document.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DocumentQuery {
    /// `everyone`, `der:` and an mRID, `aggregator:` and a number, or `assignment:` and an mRID.
    pub scope: String,
}

/// What a file holds, by the end of its address.
const CONTENT: &str = "/content";
/// Its media type.
const OCTETS: &str = "application/octet-stream";

/// List the hosted documents, by address.
#[utoipa::path(get, path = "/api/v1/documents", operation_id = "list_documents", tag = "documents", params(PageQuery),
    responses((status = 200, body = Page<DocumentView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<DocumentView>>, Problem> {
    api.node.read(|published| {
        let numbered = (0..).zip(published.resources.hosted().iter());
        let slice = Slice::cut(numbered, |(place, _)| *place, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, (path, document))| {
            view(published.fleet, path, document)
        })))
    })
}

/// Show a hosted document as it was hosted.
#[utoipa::path(get, path = "/api/v1/documents/{path}", operation_id = "show_document", tag = "documents",
    params(("path" = String, Path, description = "Address on the device listener, such as msg/1/txt/2")),
    responses((status = 200, description = "The document", body = String, content_type = "application/sep+xml"),
        (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    api.node.read(|published| {
        let mut all = published.resources.hosted().iter();
        let wanted = format!("/{path}");
        let found = all.find(|(address, _)| address.to_string() == wanted);
        let (address, document) = found.ok_or_else(|| Problem::not_found("document", &path))?;
        let media_type = match address.part {
            Part::Content => OCTETS,
            _ => MEDIA_TYPE,
        };
        let headers = [(header::CONTENT_TYPE, media_type)];
        Ok((headers, document.bytes.clone()).into_response())
    })
}

/// Host a document, or replace it. What is above it must be hosted for the same readers already.
///
/// The body is the XML of the resource without addresses and links, which the server adds; below
/// `…/content` of a `File` it is the file itself.
#[utoipa::path(put, path = "/api/v1/documents/{path}", operation_id = "host_document", tag = "documents",
    params(("path" = String, Path, description = "Address on the device listener, such as msg/1/txt/2"),
        DocumentQuery),
    request_body(content = String, content_type = "application/sep+xml"),
    responses((status = 204, description = "Hosted"), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Path(path): Path<String>,
    Params(query): Params<DocumentQuery>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let path = format!("/{path}");
    let media = match path.ends_with(CONTENT) {
        true => OCTETS,
        false => MEDIA_TYPE,
    };
    let body = request::bytes_of(media, request, MAX_FILE_BYTES).await?;
    let write = looking(&api, |view| {
        let owner = owner(view.fleet, &query.scope)?;
        host(owner, &path, &body, view).map_err(Problem::from)
    })?;
    api.node
        .write_documents(Actor::Account(principal.account), vec![write])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a hosted document away, with all that is below it.
#[utoipa::path(delete, path = "/api/v1/documents/{path}", operation_id = "withdraw_document", tag = "documents",
    params(("path" = String, Path, description = "Address on the device listener, such as msg/1")),
    responses((status = 204, description = "Taken away"), (status = 422, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    let path = format!("/{path}");
    let writes = looking(&api, |view| withdraw(&path, view).map_err(Problem::from))?;
    api.node
        .write_documents(Actor::Account(principal.account), writes)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn looking<R>(api: &Api, look: impl FnOnce(&View<'_>) -> R) -> R {
    api.node.read(|published| {
        look(&View {
            fleet: published.fleet,
            resources: published.resources,
            config: api.node.devices(),
        })
    })
}

fn owner(fleet: &Fleet, scope: &str) -> Result<Owner, Problem> {
    let unknown = || {
        let rule = "must be everyone, der:<mRID>, aggregator:<number> or assignment:<mRID>";
        Problem::field("scope", rule)
    };
    match scope.split_once(':') {
        None if scope == "everyone" => Ok(Owner::Everyone),
        Some(("der", mrid)) => {
            let der = der::find(fleet, mrid)?;
            Ok(Owner::Client(Client::Der(der.id)))
        }
        Some(("aggregator", id)) => {
            let one = aggregator::find(fleet, id)?;
            Ok(Owner::Client(Client::Aggregator(one.id)))
        }
        Some(("assignment", mrid)) => {
            let node = assignment::find(fleet, mrid)?;
            Ok(Owner::Assignment(node.id))
        }
        _ => Err(unknown()),
    }
}

fn view(fleet: &Fleet, path: HostedPath, document: &HostedDocument) -> DocumentView {
    let scope = match document.owner {
        Owner::Everyone => "everyone".to_owned(),
        Owner::Client(Client::Der(id)) => {
            let der = fleet.der(id);
            format!("der:{}", der.map_or("", |der| der.mrid.as_str()))
        }
        Owner::Client(Client::Aggregator(id)) => format!("aggregator:{id}"),
        Owner::Assignment(id) => {
            let node = fleet.assignment(id);
            let mrid = node.map_or_else(String::new, |node| node.mrid.to_string());
            format!("assignment:{mrid}")
        }
    };
    DocumentView {
        path: path.to_string(),
        scope,
        size_bytes: document.bytes.len(),
    }
}

impl From<HostRefusal> for Problem {
    fn from(refusal: HostRefusal) -> Self {
        Self::field(refusal.field, refusal.rule)
    }
}
