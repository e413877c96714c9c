//! Operators' operations: one request type, executed here, wherever it comes from — the command
//! line on a stopped server's data, or the socket of a running one.
//!
//! Rules stay in the domain: these functions check words, make rows and submit commands.

mod import;
pub mod request;
mod settings;
mod show;
pub mod socket;
mod work;

use std::sync::Arc;

use domain::channel::Connectors;
use domain::refusal::Refusal;
use engine::{Engine, PayError};
use serde_json::Value;
use sign::rsa::PrivateKey;
use sign::seal::Sealer;

pub use import::ImportFile;
pub use request::{AdminRequest, ModeWord};

/// What operators' operations need.
pub struct AdminDesk {
    /// The door to state.
    pub engine: Arc<Engine>,
    /// Seals secrets at rest.
    pub sealer: Arc<Sealer>,
    /// The platform's key, for showing its public half.
    pub platform_key: Arc<PrivateKey>,
    /// Tries settings before they are stored.
    pub connectors: Arc<dyn Connectors>,
}

/// Why an operation was not done. The text is for the operator and says how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AdminError(pub String);

impl AdminError {
    fn new(text: impl Into<String>) -> AdminError {
        AdminError(text.into())
    }
}

impl From<Refusal> for AdminError {
    fn from(refusal: Refusal) -> AdminError {
        AdminError(refusal.to_string())
    }
}

impl From<PayError> for AdminError {
    fn from(error: PayError) -> AdminError {
        AdminError(error.to_string())
    }
}

/// The additional data under which a route's settings are sealed: table, row and column, so that
/// they do not open anywhere else.
pub fn route_settings_place(route: domain::tenant::RouteId) -> String {
    format!("route/{}/settings", route.raw())
}

/// Executes one operation and answers what it made or found, as JSON.
pub async fn execute(desk: &AdminDesk, request: AdminRequest) -> Result<Value, AdminError> {
    match request {
        AdminRequest::MerchantAdd(r) => settings::merchant_add(desk, r).await,
        AdminRequest::MerchantSet(r) => settings::merchant_set(desk, r).await,
        AdminRequest::MerchantList => show::merchants(desk).await,
        AdminRequest::AppAdd(r) => settings::app_add(desk, r).await,
        AdminRequest::AppSet(r) => settings::app_set(desk, r).await,
        AdminRequest::AppList(r) => show::apps(desk, r).await,
        AdminRequest::KeyAdd(r) => settings::key_add(desk, r).await,
        AdminRequest::KeyRevoke(r) => settings::key_revoke(desk, r).await,
        AdminRequest::KeyList(r) => show::keys(desk, r).await,
        AdminRequest::PublicKeyAdd(r) => settings::public_key_add(desk, r).await,
        AdminRequest::PublicKeyRevoke(r) => settings::public_key_revoke(desk, r).await,
        AdminRequest::RouteAdd(r) => settings::route_add(desk, r).await,
        AdminRequest::RouteSet(r) => settings::route_set(desk, r).await,
        AdminRequest::RouteList(r) => show::routes(desk, r).await,
        AdminRequest::ChannelEnable(r) => settings::channel_enable(desk, r).await,
        AdminRequest::ChannelDisable(r) => settings::channel_disable(desk, r).await,
        AdminRequest::EndpointAdd(r) => settings::endpoint_add(desk, r).await,
        AdminRequest::EndpointRemove(r) => settings::endpoint_remove(desk, r).await,
        AdminRequest::EndpointList(r) => show::endpoints(desk, r).await,
        AdminRequest::MemberAdd(r) => work::member_add(desk, r).await,
        AdminRequest::MemberBalance(r) => work::member_balance(desk, r).await,
        AdminRequest::DeliveryList(r) => show::deliveries(desk, r).await,
        AdminRequest::DeliveryResend(r) => work::resend(desk, r).await,
        AdminRequest::Balances(r) => show::balances(desk, r).await,
        AdminRequest::PlatformKey => show::platform_key(desk),
        AdminRequest::Backlog => show::backlog(desk).await,
        AdminRequest::Import(file) => import::import(desk, &file).await,
    }
}
