//! Who owns what: merchants, their apps, keys, routes to channels, endpoints and members.

use crate::id::Id;
use crate::ledger::AccountPath;
use crate::money::BasisPoints;
use crate::text::{AppId, ChannelName, UserId};
use crate::time::Timestamp;

/// Live money or test money: two universes that never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Real money.
    Live,
    /// Play money at a simulator or a vendor's sandbox.
    Test,
}

/// The owner of a book: every key of every row begins with it.
///
/// The merchant rather than the app stands first because a Ping++ key belongs to the merchant and
/// names no app when it reads a charge (specs/pingpp.md §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant {
    /// Whose money.
    pub merchant: MerchantId,
    /// In which universe.
    pub mode: Mode,
}

/// Names a merchant.
pub type MerchantId = Id<Merchant>;
/// Names a route.
pub type RouteId = Id<Route>;
/// Names an endpoint.
pub type EndpointId = Id<Endpoint>;
/// Names a member.
pub type MemberId = Id<Member>;

/// A merchant: the account that keys belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// Shown to operators.
    pub name: Box<str>,
    /// When it was made.
    pub created: Timestamp,
    /// Live writes must carry a valid request signature (specs/pingpp.md §1.3).
    pub live_signature_required: bool,
    /// Test writes must carry one.
    pub test_signature_required: bool,
    /// Answers carry the platform's signature (specs/pingpp.md §1.4).
    pub sign_responses: bool,
    /// No call is served while set.
    pub disabled: bool,
}

impl Merchant {
    /// Whether writes in `mode` must be signed.
    pub fn signature_required(&self, mode: Mode) -> bool {
        match mode {
            Mode::Live => self.live_signature_required,
            Mode::Test => self.test_signature_required,
        }
    }
}

/// How the public ids of an app's new objects look (specs/pingpp.md §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdScheme {
    /// `ch_100251103…`: mode, date and digits, as minted since 2020.
    Digits,
    /// `ch_Hm5uTSifDOuTy9iLeLPSurrD`: 24 letters and digits.
    Alphanumeric,
}

/// An app of a merchant: one shop, one set of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its merchant.
    pub merchant: MerchantId,
    /// Its id, unique at the merchant.
    pub id: AppId,
    /// Shown to people.
    pub display_name: Box<str>,
    /// When it was made.
    pub created: Timestamp,
    /// How ids of its objects look.
    pub id_scheme: IdScheme,
    /// What the platform keeps of a live payment.
    pub fee: BasisPoints,
    /// Which channels it may use, in which mode, by which route.
    pub channels: Vec<AppChannel>,
    /// No new object is made while set.
    pub disabled: bool,
}

/// One channel that an app may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppChannel {
    /// In this mode.
    pub mode: Mode,
    /// The way to pay.
    pub channel: ChannelName,
    /// The route that carries it.
    pub route: RouteId,
}

impl App {
    /// The route of a channel, when the app may use it.
    pub fn route(&self, mode: Mode, channel: &ChannelName) -> Option<RouteId> {
        self.channels.iter().find(|c| c.mode == mode && c.channel == *channel).map(|c| c.route)
    }
}

/// An API key, kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// SHA-256 of the key's text. The text holds 142 random bits, so no slow hash is needed.
    pub hash: [u8; 32],
    /// Whose it is.
    pub merchant: MerchantId,
    /// What it opens.
    pub mode: Mode,
    /// The dialect that issued it.
    pub dialect: Dialect,
    /// First characters and last four, for people: `sk_test_…9KC`.
    pub hint: Box<str>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stopped to work.
    pub revoked: Option<Timestamp>,
}

/// A public key with which a merchant signs its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantKey {
    /// Whose it is.
    pub tenant: Tenant,
    /// SHA-256 of its DER in hex: names it.
    pub fingerprint: Box<str>,
    /// The key as SPKI PEM.
    pub pem: Box<str>,
    /// When it was registered.
    pub created: Timestamp,
    /// When it stopped to be accepted.
    pub revoked: Option<Timestamp>,
}

/// A merchant's contract with an upstream: which connector, which credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whose contract.
    pub tenant: Tenant,
    /// Names it, also in the notification URL.
    pub id: RouteId,
    /// The connector: `alipay`, `balance`.
    pub connector: Box<str>,
    /// Shown to operators.
    pub name: Box<str>,
    /// The connector's settings, encrypted; only the connector reads them.
    pub settings: Box<str>,
    /// Grows with every change, so that caches notice.
    pub version: i64,
    /// No new payment goes this way while set.
    pub disabled: bool,
}

/// Where a merchant wants to hear of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose.
    pub tenant: Tenant,
    /// Of which app.
    pub app: AppId,
    /// Names it.
    pub id: EndpointId,
    /// In whose words.
    pub dialect: Dialect,
    /// Where to.
    pub url: Box<str>,
    /// Which event types, in the dialect's words; empty means all.
    pub events: Vec<Box<str>>,
    /// When it was made.
    pub created: Timestamp,
    /// Nothing is sent while set.
    pub disabled: bool,
}

impl Endpoint {
    /// Whether it wants events of this type.
    pub fn wants(&self, event_type: &str) -> bool {
        !self.disabled && (self.events.is_empty() || self.events.iter().any(|e| **e == *event_type))
    }
}

/// A user of a merchant's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whose user.
    pub tenant: Tenant,
    /// Of which app.
    pub app: AppId,
    /// Our id.
    pub id: MemberId,
    /// The merchant's name for the user.
    pub user: UserId,
    /// When it was made.
    pub created: Timestamp,
    /// May not pay while set.
    pub disabled: bool,
}

impl Member {
    /// The account that holds the member's spendable money.
    pub fn wallet(&self, currency: crate::currency::Currency) -> AccountPath {
        AccountPath::member_available(self.id, currency)
    }
}

/// One wire format that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Ping++ charges (specs/pingpp.md).
    Pingpp,
}
