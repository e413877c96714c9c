//! The working set of a batch: the rows that its commands named, and what became of them.
//!
//! Rows are changed in place with an undo log, so that a refused command leaves no trace and later
//! commands of the batch see what earlier ones did. Asking for a row that no key named is a
//! programming error and answers [`Missing`], loudly, instead of reading more.

use std::collections::HashMap;
use std::hash::Hash;

use crate::event::{
    Attempt, AuditRow, Delivery, DeliveryAttempt, DeliveryId, Event, UnmatchedNotice,
};
use crate::ledger::{Account, AccountKey, AccountPath, ChainHead, Journal};
use crate::money::Amount;
use crate::payment::{Payment, PaymentId};
use crate::refund::{BatchId, Refund, RefundBatch, RefundId};
use crate::tenant::{
    ApiKey, App, Endpoint, EndpointId, Member, Merchant, MerchantId, MerchantKey, Route, RouteId,
    Tenant,
};
use crate::text::{AppId, ChannelName, ChannelNumber, OrderNo, PublicId, TradeNo, UserId};

/// Names rows to load.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A merchant.
    Merchant(MerchantId),
    /// An app.
    App(MerchantId, AppId),
    /// An API key by its hash.
    ApiKey([u8; 32]),
    /// A merchant's public key by its fingerprint.
    MerchantKey(Tenant, Box<str>),
    /// A route.
    Route(Tenant, RouteId),
    /// One endpoint.
    Endpoint(Tenant, EndpointId),
    /// All endpoints of an app.
    Endpoints(Tenant, AppId),
    /// A wallet user by the merchant's name for it.
    Member(Tenant, AppId, UserId),
    /// A payment.
    Payment(Tenant, PaymentId),
    /// Who owns an order number: the payment, or nobody.
    Order(Tenant, AppId, ChannelName, OrderNo),
    /// Who owns a number at a channel: the payment, or nobody.
    Number(Tenant, RouteId, ChannelNumber),
    /// Who owns a public payment id: the payment, or nobody.
    PublicPayment(Tenant, PublicId),
    /// What was made of one trade at a channel: the money is booked once (INV-15).
    Receipt(Tenant, RouteId, TradeNo),
    /// A refund.
    Refund(Tenant, RefundId),
    /// All refunds of a payment.
    RefundsOf(Tenant, PaymentId),
    /// A batch by the merchant's number.
    Batch(Tenant, AppId, Box<str>),
    /// A batch.
    BatchById(Tenant, BatchId),
    /// All refunds of a batch.
    RefundsOfBatch(Tenant, BatchId),
    /// The hold of a refund.
    Hold(Tenant, RefundId),
    /// A ledger account.
    Account(Tenant, AccountPath),
    /// The end of a tenant's chain of journals.
    Chain(Tenant),
    /// A delivery.
    Delivery(Tenant, DeliveryId),
    /// A parked notice.
    Unmatched(Tenant, Box<str>),
}

/// A row was asked for that no key had named: a programming error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {0} was not loaded for this command")]
pub struct Missing(pub String);

/// Money received for one trade at a channel: who got it. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Whose book.
    pub tenant: Tenant,
    /// By which contract.
    pub route: RouteId,
    /// The channel's number of the trade.
    pub trade_no: TradeNo,
    /// The payment that it was for.
    pub payment: PaymentId,
    /// How much.
    pub amount: Amount,
    /// Whether it came too late and goes back by itself.
    pub late: bool,
}

/// A reservation on an account for one refund, captured or released exactly once (INV-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose book.
    pub tenant: Tenant,
    /// For which refund.
    pub refund: RefundId,
    /// On which account.
    pub path: AccountPath,
    /// How much.
    pub amount: Amount,
    /// Where it stands.
    pub state: HoldState,
    /// Grows by one with every change.
    pub version: i64,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// The money is reserved.
    Open,
    /// It was spent as reserved.
    Captured,
    /// It is free again.
    Released,
}

/// Whether a row must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As loaded.
    Clean,
    /// Not in the store yet.
    New,
    /// In the store, changed.
    Changed,
}

#[derive(Clone, Debug)]
struct Slot<R> {
    row: Option<R>,
    fate: Fate,
}

/// One kind of rows, by key, with undo.
#[derive(Debug)]
pub struct Table<K, R> {
    slots: HashMap<K, Slot<R>>,
    undo: Vec<(K, Option<Slot<R>>)>,
}

impl<K, R> Default for Table<K, R> {
    fn default() -> Self {
        Table { slots: HashMap::new(), undo: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash + std::fmt::Debug, R: Clone> Table<K, R> {
    /// Puts in what the store holds under a key; `None` says that it holds nothing. A key already
    /// there is left alone: an earlier command may have changed it.
    pub fn load(&mut self, key: K, row: Option<R>) {
        self.slots.entry(key).or_insert(Slot { row, fate: Fate::Clean });
    }

    /// Whether the key was loaded or written.
    pub fn knows(&self, key: &K) -> bool {
        self.slots.contains_key(key)
    }

    /// The row, if there is one; an error if nobody loaded the key.
    pub fn get(&self, key: &K) -> Result<Option<&R>, Missing> {
        match self.slots.get(key) {
            Some(slot) => Ok(slot.row.as_ref()),
            None => Err(Missing(format!("{key:?}"))),
        }
    }

    /// The row, if it is loaded and exists.
    pub fn peek(&self, key: &K) -> Option<&R> {
        self.slots.get(key).and_then(|slot| slot.row.as_ref())
    }

    /// Writes a row.
    pub fn put(&mut self, key: K, row: R) {
        let before = self.slots.get(&key).cloned();
        let fate = match &before {
            Some(slot) if slot.row.is_some() && slot.fate != Fate::New => Fate::Changed,
            Some(_) | None => Fate::New,
        };
        self.slots.insert(key.clone(), Slot { row: Some(row), fate });
        self.undo.push((key, before));
    }

    fn mark(&self) -> usize {
        self.undo.len()
    }

    fn keep(&mut self) {
        self.undo.clear();
    }

    fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((key, before)) = self.undo.pop() {
                match before {
                    Some(slot) => {
                        self.slots.insert(key, slot);
                    }
                    None => {
                        self.slots.remove(&key);
                    }
                }
            }
        }
    }

    /// Rows to write, with what to do.
    pub fn dirty(&self) -> impl Iterator<Item = (&R, Fate)> {
        self.slots
            .values()
            .filter(|slot| slot.fate != Fate::Clean)
            .filter_map(|slot| slot.row.as_ref().map(|row| (row, slot.fate)))
    }

    /// Every row that is loaded and exists.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.slots.values().filter_map(|slot| slot.row.as_ref())
    }
}

/// The rows of a batch.
///
/// Plain tables are written by the store as they are; `orders`, `numbers`, `public_payments`,
/// `refunds_of`, `batch_numbers`, `refunds_of_batch` and `endpoints_of` are look-ups that follow
/// from other rows and are never written.
#[derive(Debug, Default)]
pub struct State {
    /// Merchants.
    pub merchants: Table<MerchantId, Merchant>,
    /// Apps.
    pub apps: Table<(MerchantId, AppId), App>,
    /// API keys.
    pub api_keys: Table<[u8; 32], ApiKey>,
    /// Merchants' public keys.
    pub merchant_keys: Table<(Tenant, Box<str>), MerchantKey>,
    /// Routes.
    pub routes: Table<(Tenant, RouteId), Route>,
    /// Endpoints.
    pub endpoints: Table<(Tenant, EndpointId), Endpoint>,
    /// Wallet users.
    pub members: Table<(Tenant, AppId, UserId), Member>,
    /// Payments.
    pub payments: Table<(Tenant, PaymentId), Payment>,
    /// Money received, by trade.
    pub receipts: Table<(Tenant, RouteId, TradeNo), ReceiptRow>,
    /// Refunds.
    pub refunds: Table<(Tenant, RefundId), Refund>,
    /// Batches.
    pub batches: Table<(Tenant, BatchId), RefundBatch>,
    /// Holds.
    pub holds: Table<(Tenant, RefundId), Hold>,
    /// Ledger accounts.
    pub accounts: Table<AccountKey, Account>,
    /// Chain ends.
    pub chains: Table<Tenant, ChainHead>,
    /// Deliveries.
    pub deliveries: Table<(Tenant, DeliveryId), Delivery>,
    /// Parked notices.
    pub unmatched: Table<(Tenant, Box<str>), UnmatchedNotice>,

    /// Order number → payment.
    pub orders: Table<(Tenant, AppId, ChannelName, OrderNo), PaymentId>,
    /// Number at a channel → payment.
    pub numbers: Table<(Tenant, RouteId, ChannelNumber), PaymentId>,
    /// Public id → payment.
    pub public_payments: Table<(Tenant, PublicId), PaymentId>,
    /// Payment → its refunds.
    pub refunds_of: Table<(Tenant, PaymentId), Vec<RefundId>>,
    /// The merchant's batch number → batch.
    pub batch_numbers: Table<(Tenant, AppId, Box<str>), BatchId>,
    /// Batch → its refunds.
    pub refunds_of_batch: Table<(Tenant, BatchId), Vec<RefundId>>,
    /// App → its endpoints.
    pub endpoints_of: Table<(Tenant, AppId), Vec<EndpointId>>,

    /// New journals, in order.
    pub journals: Vec<Journal>,
    /// New events.
    pub events: Vec<Event>,
    /// New audit rows.
    pub audit: Vec<AuditRow>,
    /// New steps of outbound operations.
    pub attempts: Vec<Attempt>,
    /// New tries to deliver.
    pub delivery_attempts: Vec<DeliveryAttempt>,
}

/// A point to go back to.
#[derive(Debug)]
pub struct Mark {
    tables: [usize; 23],
    lists: [usize; 5],
}

macro_rules! each_table {
    ($state:expr, $do:ident) => {
        each_table!(@ $state, $do, merchants, apps, api_keys, merchant_keys, routes, endpoints,
            members, payments, receipts, refunds, batches, holds, accounts, chains, deliveries,
            unmatched, orders, numbers, public_payments, refunds_of, batch_numbers,
            refunds_of_batch, endpoints_of)
    };
    (@ $state:expr, mark, $($table:ident),+) => { [$($state.$table.mark()),+] };
    (@ $state:expr, keep, $($table:ident),+) => { $($state.$table.keep();)+ };
    (@ $state:expr, $marks:ident, $($table:ident),+) => {{
        let mut marks = $marks.iter();
        $(if let Some(mark) = marks.next() { $state.$table.roll_back(*mark); })+
    }};
}

impl State {
    /// Remembers where we are.
    pub fn mark(&self) -> Mark {
        Mark {
            tables: each_table!(self, mark),
            lists: [
                self.journals.len(),
                self.events.len(),
                self.audit.len(),
                self.attempts.len(),
                self.delivery_attempts.len(),
            ],
        }
    }

    /// Makes everything so far final; marks taken before are void.
    pub fn keep(&mut self) {
        each_table!(self, keep);
    }

    /// Forgets everything since the mark.
    pub fn roll_back(&mut self, mark: &Mark) {
        let marks = &mark.tables;
        each_table!(self, marks);
        let [journals, events, audit, attempts, delivery_attempts] = mark.lists;
        self.journals.truncate(journals);
        self.events.truncate(events);
        self.audit.truncate(audit);
        self.attempts.truncate(attempts);
        self.delivery_attempts.truncate(delivery_attempts);
    }

    /// Whether a key's rows are here, so that a second round loads only what is new.
    pub fn knows(&self, key: &Key) -> bool {
        match key {
            Key::Merchant(id) => self.merchants.knows(id),
            Key::App(m, id) => self.apps.knows(&(*m, id.clone())),
            Key::ApiKey(hash) => self.api_keys.knows(hash),
            Key::MerchantKey(t, f) => self.merchant_keys.knows(&(*t, f.clone())),
            Key::Route(t, id) => self.routes.knows(&(*t, *id)),
            Key::Endpoint(t, id) => self.endpoints.knows(&(*t, *id)),
            Key::Endpoints(t, app) => self.endpoints_of.knows(&(*t, app.clone())),
            Key::Member(t, app, user) => self.members.knows(&(*t, app.clone(), user.clone())),
            Key::Payment(t, id) => self.payments.knows(&(*t, *id)),
            Key::Order(t, app, channel, no) => {
                self.orders.knows(&(*t, app.clone(), channel.clone(), no.clone()))
            }
            Key::Number(t, route, no) => self.numbers.knows(&(*t, *route, no.clone())),
            Key::PublicPayment(t, id) => self.public_payments.knows(&(*t, id.clone())),
            Key::Receipt(t, route, no) => self.receipts.knows(&(*t, *route, no.clone())),
            Key::Refund(t, id) => self.refunds.knows(&(*t, *id)),
            Key::RefundsOf(t, id) => self.refunds_of.knows(&(*t, *id)),
            Key::Batch(t, app, no) => self.batch_numbers.knows(&(*t, app.clone(), no.clone())),
            Key::BatchById(t, id) => self.batches.knows(&(*t, *id)),
            Key::RefundsOfBatch(t, id) => self.refunds_of_batch.knows(&(*t, *id)),
            Key::Hold(t, id) => self.holds.knows(&(*t, *id)),
            Key::Account(t, path) => self.accounts.knows(&AccountKey { tenant: *t, path: *path }),
            Key::Chain(t) => self.chains.knows(t),
            Key::Delivery(t, id) => self.deliveries.knows(&(*t, *id)),
            Key::Unmatched(t, id) => self.unmatched.knows(&(*t, id.clone())),
        }
    }

    /// Puts a loaded payment in, with the look-ups that follow from it.
    pub fn load_payment(&mut self, payment: Payment) {
        self.payments.load((payment.tenant, payment.id), Some(payment));
    }

    /// The payment if it is here.
    pub fn peek_payment(&self, tenant: Tenant, id: PaymentId) -> Option<&Payment> {
        self.payments.peek(&(tenant, id))
    }

    /// The wallet user if it is here.
    pub fn peek_member(&self, tenant: Tenant, app: &AppId, user: &UserId) -> Option<&Member> {
        self.members.peek(&(tenant, app.clone(), user.clone()))
    }

    /// A batch's refunds that are here.
    pub fn peek_refunds_of_batch(&self, tenant: Tenant, batch: Option<BatchId>) -> Vec<&Refund> {
        let Some(ids) = batch.and_then(|b| self.refunds_of_batch.peek(&(tenant, b))) else {
            return Vec::new();
        };
        ids.iter().filter_map(|id| self.refunds.peek(&(tenant, *id))).collect()
    }

    /// Whether there is nothing to write.
    pub fn is_clean(&self) -> bool {
        self.journals.is_empty()
            && self.events.is_empty()
            && self.audit.is_empty()
            && self.attempts.is_empty()
            && self.delivery_attempts.is_empty()
            && self.merchants.dirty().next().is_none()
            && self.apps.dirty().next().is_none()
            && self.api_keys.dirty().next().is_none()
            && self.merchant_keys.dirty().next().is_none()
            && self.routes.dirty().next().is_none()
            && self.endpoints.dirty().next().is_none()
            && self.members.dirty().next().is_none()
            && self.payments.dirty().next().is_none()
            && self.receipts.dirty().next().is_none()
            && self.refunds.dirty().next().is_none()
            && self.batches.dirty().next().is_none()
            && self.holds.dirty().next().is_none()
            && self.accounts.dirty().next().is_none()
            && self.chains.dirty().next().is_none()
            && self.deliveries.dirty().next().is_none()
            && self.unmatched.dirty().next().is_none()
    }
}
