//! What operators can ask for. These types are also the wire form of the admin socket.

use domain::tenant::{Mode, Tenant};
use serde::{Deserialize, Serialize};

use super::import::ImportFile;
use super::{AdminDesk, AdminError};

/// Live or test, as operators write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeWord {
    /// Real money.
    Live,
    /// Play money.
    Test,
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Mode {
        match word {
            ModeWord::Live => Mode::Live,
            ModeWord::Test => Mode::Test,
        }
    }
}

/// The word of a mode.
pub(crate) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Test => "test",
    }
}

/// One operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    /// Makes a merchant.
    MerchantAdd(MerchantAdd),
    /// Changes a merchant's switches.
    MerchantSet(MerchantSet),
    /// Lists merchants.
    MerchantList,
    /// Makes an app.
    AppAdd(AppAdd),
    /// Changes an app.
    AppSet(AppSet),
    /// Lists a merchant's apps.
    AppList(OfMerchant),
    /// Makes an API key; its text is in the answer and nowhere else.
    KeyAdd(KeyAdd),
    /// Revokes API keys by their hint.
    KeyRevoke(KeyRevoke),
    /// Lists a merchant's API keys by their hints.
    KeyList(OfMerchant),
    /// Registers a merchant's public key.
    PublicKeyAdd(PublicKeyAdd),
    /// Revokes a merchant's public key.
    PublicKeyRevoke(PublicKeyRevoke),
    /// Makes a route to a channel.
    RouteAdd(RouteAdd),
    /// Changes a route's settings or switch.
    RouteSet(RouteSet),
    /// Lists a tenant's routes, without their settings.
    RouteList(OfTenant),
    /// Lets an app use channels by a route.
    ChannelEnable(ChannelEnable),
    /// Forbids an app some channels.
    ChannelDisable(ChannelDisable),
    /// Registers a webhook endpoint.
    EndpointAdd(EndpointAdd),
    /// Ends a webhook endpoint.
    EndpointRemove(EndpointRemove),
    /// Lists a tenant's webhook endpoints.
    EndpointList(OfTenant),
    /// Makes a wallet user.
    MemberAdd(MemberAdd),
    /// Brings a wallet to a stated balance.
    MemberBalance(MemberBalance),
    /// Lists an event's deliveries with their tries.
    DeliveryList(OfEvent),
    /// Sends an event's undelivered messages again, or all with `all`.
    DeliveryResend(Resend),
    /// Shows a tenant's ledger accounts.
    Balances(OfTenant),
    /// Shows the platform's public key.
    PlatformKey,
    /// Counts what waits, and for whom.
    Backlog,
    /// Brings history along.
    Import(Box<ImportFile>),
}

/// A merchant; may be left out where there is only one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OfMerchant {
    /// Its number.
    #[serde(default)]
    pub merchant: Option<i64>,
}

/// A merchant in one mode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfTenant {
    /// Its number.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Live or test.
    pub mode: ModeWord,
}

/// Makes a merchant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MerchantAdd {
    /// Shown to operators.
    pub name: String,
}

/// Changes a merchant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MerchantSet {
    /// Its number.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Live writes must be signed.
    #[serde(default)]
    pub live_signature_required: Option<bool>,
    /// Test writes must be signed.
    #[serde(default)]
    pub test_signature_required: Option<bool>,
    /// Answers are signed.
    #[serde(default)]
    pub sign_responses: Option<bool>,
    /// No call is served.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Makes an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Its id; made up when left out.
    #[serde(default)]
    pub id: Option<String>,
    /// Shown to people.
    pub name: String,
    /// What the platform keeps, in ten-thousandths.
    #[serde(default)]
    pub fee_bp: Option<u16>,
    /// Public ids as letters and digits instead of digits.
    #[serde(default)]
    pub alphanumeric_ids: bool,
}

/// Changes an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppSet {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Its id.
    pub app: String,
    /// Shown to people.
    #[serde(default)]
    pub name: Option<String>,
    /// What the platform keeps, in ten-thousandths.
    #[serde(default)]
    pub fee_bp: Option<u16>,
    /// Public ids as letters and digits instead of digits.
    #[serde(default)]
    pub alphanumeric_ids: Option<bool>,
    /// Makes no new objects.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Makes an API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// What it opens.
    pub mode: ModeWord,
}

/// Revokes API keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRevoke {
    /// Their merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// The hint that `key list` shows.
    pub hint: String,
}

/// Registers a public key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublicKeyAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// For which mode.
    pub mode: ModeWord,
    /// SPKI or PKCS#1 PEM, or a certificate.
    pub pem: String,
}

/// Revokes a public key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublicKeyRevoke {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// For which mode.
    pub mode: ModeWord,
    /// As told when it was registered.
    pub fingerprint: String,
}

/// Makes a route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// For which mode.
    pub mode: ModeWord,
    /// Shown to operators.
    pub name: String,
    /// `alipay` or `balance`.
    pub connector: String,
    /// The connector's settings.
    #[serde(default)]
    pub settings: serde_json::Value,
}

/// Changes a route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteSet {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which mode.
    pub mode: ModeWord,
    /// Its number.
    pub route: i64,
    /// New settings, whole.
    #[serde(default)]
    pub settings: Option<serde_json::Value>,
    /// Carries no new payment.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Lets an app use channels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelEnable {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Which app.
    pub app: String,
    /// In which mode.
    pub mode: ModeWord,
    /// Which channels.
    pub channels: Vec<String>,
    /// By which route.
    pub route: i64,
}

/// Forbids an app some channels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelDisable {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Which app.
    pub app: String,
    /// In which mode.
    pub mode: ModeWord,
    /// Which channels.
    pub channels: Vec<String>,
}

/// Registers an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which app; may be left out where there is only one.
    #[serde(default)]
    pub app: Option<String>,
    /// Of which mode.
    pub mode: ModeWord,
    /// Where to send.
    pub url: String,
    /// Which event types; empty means all.
    #[serde(default)]
    pub events: Vec<String>,
}

/// Ends an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointRemove {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which mode.
    pub mode: ModeWord,
    /// Its number.
    pub endpoint: i64,
}

/// Makes a wallet user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberAdd {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which app; may be left out where there is only one.
    #[serde(default)]
    pub app: Option<String>,
    /// In which mode.
    pub mode: ModeWord,
    /// The merchant's name for it.
    pub user: String,
    /// May not pay.
    #[serde(default)]
    pub disabled: bool,
}

/// Brings a wallet to a balance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberBalance {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which app; may be left out where there is only one.
    #[serde(default)]
    pub app: Option<String>,
    /// In which mode.
    pub mode: ModeWord,
    /// The merchant's name for the user.
    pub user: String,
    /// The balance that it shall have, in minor units.
    pub balance: i64,
    /// Of which currency; `cny` when left out.
    #[serde(default)]
    pub currency: Option<String>,
}

/// An event of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfEvent {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which mode.
    pub mode: ModeWord,
    /// Its public id.
    pub event: String,
}

/// Sends messages again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resend {
    /// Its merchant.
    #[serde(default)]
    pub merchant: Option<i64>,
    /// Of which mode.
    pub mode: ModeWord,
    /// The event's public id.
    pub event: String,
    /// Also those that were taken already.
    #[serde(default)]
    pub all: bool,
}

/// The named merchant, or the only one.
pub(super) async fn merchant(
    desk: &AdminDesk,
    number: Option<i64>,
) -> Result<domain::tenant::Merchant, AdminError> {
    let all = desk.engine.read(|q| q.merchants_of_operator()).await?;
    match number {
        Some(number) => {
            let found = all.into_iter().find(|m| m.id.raw() == number);
            found.ok_or_else(|| {
                AdminError::new(format!(
                    "merchant: there is no merchant {number}; `sycee admin merchant list` shows all"
                ))
            })
        }
        None => {
            let count = all.len();
            let mut all = all.into_iter();
            match (all.next(), count) {
                (Some(only), 1) => Ok(only),
                (None, _) => Err(AdminError::new(
                    "there is no merchant yet; make one with `sycee admin merchant add NAME`",
                )),
                (Some(_), _) => Err(AdminError::new(format!(
                    "merchant: there are {count} merchants; name one with --merchant NUMBER"
                ))),
            }
        }
    }
}

/// The named merchant's book in a mode.
pub(super) async fn tenant(
    desk: &AdminDesk,
    number: Option<i64>,
    mode: ModeWord,
) -> Result<Tenant, AdminError> {
    let merchant = merchant(desk, number).await?;
    Ok(Tenant { merchant: merchant.id, mode: mode.into() })
}

/// The named app of a merchant, or its only one.
pub(super) async fn app(
    desk: &AdminDesk,
    merchant: domain::tenant::MerchantId,
    id: Option<&str>,
) -> Result<domain::tenant::App, AdminError> {
    let apps = desk.engine.read(|q| q.apps(merchant)).await?;
    let count = apps.len();
    match id {
        Some(id) => apps.into_iter().find(|a| a.id.as_str() == id).ok_or_else(|| {
            AdminError::new(format!("app: the merchant has no app {id}; `app list` shows all"))
        }),
        None if count == 1 => {
            apps.into_iter().next().ok_or_else(|| AdminError::new("app: there is none"))
        }
        None => Err(AdminError::new(format!(
            "app: the merchant has {count} apps; name one with --app ID"
        ))),
    }
}
