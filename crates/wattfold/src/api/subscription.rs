//! What clients have subscribed to.

use axum::Json;
use axum::extract::State;
use fleet::{Client, Fleet};
use ieee2030_5::server::subscription::Subscribed;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::Params;
use crate::api::value::Time;

/// Who has a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientRef {
    /// A DER, by its IEC 61968 mRID.
    Der(String),
    /// An aggregator, by its number.
    Aggregator(u32),
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Its number at its client.
    pub id: u32,
    /// Who subscribed.
    pub client: ClientRef,
    /// Address of the resource.
    pub resource: String,
    /// Where notifications go.
    pub notification_uri: String,
    /// When it was made or last renewed.
    pub renewed_at: Time,
}

/// List the subscriptions that are in force, client by client.
#[utoipa::path(get, path = "/api/v1/subscriptions", operation_id = "list_subscriptions", tag = "subscriptions", params(PageQuery),
    responses((status = 200, body = Page<SubscriptionView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<SubscriptionView>>, Problem> {
    api.node.read(|published| {
        let clients = published.resources.subscribers();
        let all = clients.flat_map(|(client, subscriptions)| {
            subscriptions
                .iter()
                .map(move |(id, subscribed)| (client, id, subscribed))
        });
        let numbered = (0..).zip(all);
        let slice = Slice::cut(numbered, |(place, _)| *place, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, (client, id, subscribed))| {
            view(published.fleet, client, id, subscribed)
        })))
    })
}

fn view(fleet: &Fleet, client: Client, id: u32, subscribed: &Subscribed) -> SubscriptionView {
    let subscription = &subscribed.subscription;
    SubscriptionView {
        id,
        client: match client {
            Client::Der(id) => {
                let der = fleet.der(id);
                ClientRef::Der(der.map_or_else(String::new, |der| der.mrid.to_string()))
            }
            Client::Aggregator(id) => ClientRef::Aggregator(id.0),
        },
        resource: subscription.subscribed_resource.as_str().to_owned(),
        notification_uri: subscription.notification_uri.as_str().to_owned(),
        renewed_at: subscribed.renewed.into(),
    }
}
