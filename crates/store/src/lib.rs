//! All SQL: load, save, query. SQLite and memory now; PostgreSQL fits the same two traits.
//!
//! This room holds no rule beyond constraints, calls nobody and offers no finder without a tenant,
//! except where an operator's or a timer's query says so by its name.

pub mod memory;
pub mod sqlite;
#[cfg(test)]
mod suite;

use domain::event::{Delivery, DeliveryAttempt, DeliveryId, Event, EventId};
use domain::ledger::{Account, Journal};
use domain::payment::{Payment, PaymentId};
use domain::refund::{BatchId, Refund, RefundBatch, RefundId};
use domain::state::{Hold, Key, ReceiptRow, State};
use domain::tenant::{
    ApiKey, App, Endpoint, EndpointId, Member, Merchant, MerchantId, MerchantKey, Route, RouteId,
    Tenant,
};
use domain::text::{AppId, ChannelName, ChannelNumber, PublicId, UserId};
use domain::time::Timestamp;

/// Why the store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer was faster, or a unique key is taken that the load did not show: load and
    /// decide the whole batch again.
    #[error("the batch lost a race: {0}")]
    Race(String),
    /// A row that no state explains. Names table and column, never a value.
    #[error("inconsistent row: {0}")]
    Inconsistent(String),
    /// The database does not answer, or cannot write. Nothing was changed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A commit or an fsync failed: what is on the disk is not known, and the process must end
    /// (specs/reliability.md D8).
    #[error("a commit failed, the outcome is unknown: {0}")]
    CommitFailed(String),
}

/// The writer's side: one connection, owned by one lane.
pub trait Store: Send {
    /// Puts the rows of the keys into `state`, absent ones as absent. Keys that `state` already
    /// knows are skipped. The first load of a batch begins its transaction.
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError>;

    /// Writes everything new and changed, and commits. All or nothing.
    fn save(&mut self, state: &State) -> Result<(), StoreError>;
}

/// A page of a list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most this many rows.
    pub limit: u32,
    /// Only rows that come after this one in list order (older).
    pub after: Option<(Timestamp, i64)>,
    /// Only rows that come before it (newer): the ones nearest to it, still newest first.
    pub before: Option<(Timestamp, i64)>,
}

/// A part of a list and whether more follows in the direction of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Whether the list goes on.
    pub has_more: bool,
}

/// Which payments to list. Bounds are seconds; `None` bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// Of one app.
    pub app: Option<AppId>,
    /// By one way to pay.
    pub channel: Option<ChannelName>,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
    /// Received money (also if it was reversed later).
    pub paid: Option<bool>,
    /// Has a refund, succeeded or not.
    pub refunded: Option<bool>,
    /// Taken back by the merchant.
    pub reversed: Option<bool>,
}

/// Which events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of one app.
    pub app: Option<AppId>,
    /// Of one type.
    pub event_type: Option<Box<str>>,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
}

/// Work that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueRow {
    /// A payment.
    Payment(Tenant, PaymentId),
    /// A refund and its payment.
    Refund(Tenant, RefundId, PaymentId),
}

/// Figures for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries not yet taken.
    pub deliveries_waiting: i64,
    /// Deliveries given up.
    pub deliveries_dead: i64,
    /// Operations whose outcome is unknown.
    pub operations_unknown: i64,
    /// Operations that wait for people.
    pub operations_in_review: i64,
    /// Notices about unknown payments.
    pub notices_unmatched: i64,
}

/// Rows that `verify` and the tests walk through. Each call passes every row once.
#[derive(Debug)]
pub enum BookRow {
    /// A ledger account.
    Account(Account),
    /// A journal, in order of its tenant's chain.
    Journal(Journal),
    /// A hold.
    Hold(Hold),
    /// A payment.
    Payment(Payment),
    /// A refund.
    Refund(Refund),
    /// Money received.
    Receipt(ReceiptRow),
    /// An event.
    Event(Event),
    /// A batch of refunds.
    Batch(RefundBatch),
}

/// The readers' side: never in a lane's way. Cheap to share; calls may block shortly.
pub trait Queries: Send + Sync {
    /// An API key by the SHA-256 of its text. (The key is what names the tenant.)
    fn api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError>;
    /// A merchant.
    fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError>;
    /// All merchants, for operators.
    fn merchants_of_operator(&self) -> Result<Vec<Merchant>, StoreError>;
    /// A merchant's API keys.
    fn api_keys(&self, merchant: MerchantId) -> Result<Vec<ApiKey>, StoreError>;
    /// A merchant's apps, oldest first.
    fn apps(&self, merchant: MerchantId) -> Result<Vec<App>, StoreError>;
    /// A tenant's public keys that are not revoked.
    fn merchant_keys(&self, tenant: Tenant) -> Result<Vec<MerchantKey>, StoreError>;
    /// A tenant's routes.
    fn routes(&self, tenant: Tenant) -> Result<Vec<Route>, StoreError>;
    /// A route by its id alone: a channel's notice names nothing else.
    fn route_of_notice(&self, id: RouteId) -> Result<Option<Route>, StoreError>;
    /// A tenant's endpoints.
    fn endpoints(&self, tenant: Tenant) -> Result<Vec<Endpoint>, StoreError>;
    /// One endpoint.
    fn endpoint(&self, tenant: Tenant, id: EndpointId) -> Result<Option<Endpoint>, StoreError>;
    /// A wallet user.
    fn member(
        &self,
        tenant: Tenant,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError>;

    /// A payment by its public id.
    fn payment(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Payment>, StoreError>;
    /// Payments by ids; absent ones are left out.
    fn payments_by_id(&self, tenant: Tenant, ids: &[PaymentId])
    -> Result<Vec<Payment>, StoreError>;
    /// A payment by our number at a channel.
    fn payment_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Result<Option<Payment>, StoreError>;
    /// A test payment by its public id alone, for the mock cashier of a test mode that names no
    /// tenant (specs/pingpp.md §7). Live payments are never found.
    fn test_payment(&self, id: &PublicId) -> Result<Option<Payment>, StoreError>;
    /// Payments, newest first.
    fn payments(
        &self,
        tenant: Tenant,
        filter: &PaymentFilter,
        page: &Page,
    ) -> Result<Listed<Payment>, StoreError>;

    /// All refunds of these payments that a merchant sees, newest first within each payment, at
    /// most `limit` for each.
    fn refunds_of(
        &self,
        tenant: Tenant,
        payments: &[PaymentId],
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError>;
    /// A refund by its public id.
    fn refund(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Refund>, StoreError>;
    /// A refund by our number at a channel.
    fn refund_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Result<Option<Refund>, StoreError>;
    /// Refunds of one payment that a merchant sees, newest first.
    fn refunds(
        &self,
        tenant: Tenant,
        payment: PaymentId,
        page: &Page,
    ) -> Result<Listed<Refund>, StoreError>;

    /// A batch with its refunds by its public id.
    fn batch(
        &self,
        tenant: Tenant,
        id: &PublicId,
    ) -> Result<Option<(RefundBatch, Vec<Refund>)>, StoreError>;
    /// Batches newest first, `skip` left out, at most `limit`; of one app where given.
    fn batches(
        &self,
        tenant: Tenant,
        app: Option<&AppId>,
        skip: u32,
        limit: u32,
    ) -> Result<Listed<(RefundBatch, Vec<Refund>)>, StoreError>;
    /// A batch by our id.
    fn batch_by_id(&self, tenant: Tenant, id: BatchId) -> Result<Option<RefundBatch>, StoreError>;

    /// An event by its public id.
    fn event(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Event>, StoreError>;
    /// An event by our id.
    fn event_by_id(&self, tenant: Tenant, id: EventId) -> Result<Option<Event>, StoreError>;
    /// Events, newest first.
    fn events(
        &self,
        tenant: Tenant,
        filter: &EventFilter,
        page: &Page,
    ) -> Result<Listed<Event>, StoreError>;
    /// The deliveries of an event with their tries.
    fn deliveries(
        &self,
        tenant: Tenant,
        event: EventId,
    ) -> Result<Vec<(Delivery, Vec<DeliveryAttempt>)>, StoreError>;

    /// Payments and refunds of all tenants that are due, longest due first, for the timers.
    fn due_work_of_all(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRow>, StoreError>;
    /// Deliveries of all tenants that are due, longest due first, for the courier. Those to the
    /// endpoints in `busy` are left out, so that a slow receiver holds up nobody else.
    fn due_deliveries_of_all(
        &self,
        now: Timestamp,
        limit: u32,
        busy: &[EndpointId],
    ) -> Result<Vec<(Tenant, DeliveryId, EndpointId)>, StoreError>;
    /// When the next work or delivery of any tenant is due.
    fn next_due_of_all(&self) -> Result<Option<Timestamp>, StoreError>;

    /// A tenant's ledger accounts.
    fn accounts(&self, tenant: Tenant) -> Result<Vec<Account>, StoreError>;
    /// Walks through every row of every book in one consistent snapshot: all accounts, then all
    /// journals (by tenant, then number), holds, payments, refunds, receipts, batches, events.
    /// Stops when `each` says so by `false`.
    fn walk_books_of_all(&self, each: &mut dyn FnMut(BookRow) -> bool) -> Result<(), StoreError>;
    /// The largest id that any row holds.
    fn largest_id(&self) -> Result<i64, StoreError>;
    /// Counts for operators.
    fn backlog_of_all(&self) -> Result<Backlog, StoreError>;
    /// A named setting of the installation (sealed platform keys, the test clock); `None` if unset.
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;
    /// Writes a named setting. Settings carry no money; they are written at start and by the test
    /// clock only, beside the lane.
    fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
    /// Whether the database answers and can write.
    fn ping(&self) -> Result<(), StoreError>;
    /// Checks the database file itself; an empty list is a clean one.
    fn check_file(&self) -> Result<Vec<String>, StoreError>;
}
