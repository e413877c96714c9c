//! A store of maps: the model that the SQLite store is compared with, and the store of simulations.
//!
//! Nothing here outlives the process. A save is checked whole before the first row changes, so a
//! refused one leaves nothing behind; a failed one cannot happen.

mod answer;
mod save;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::event::{
    Attempt, AuditRow, Delivery, DeliveryAttempt, DeliveryId, Event, EventId, UnmatchedNotice,
};
use domain::ledger::{Account, AccountKey, AccountPath, Cause, ChainHead, Journal};
use domain::payment::{Payment, PaymentId};
use domain::refund::{BatchId, Refund, RefundBatch, RefundId};
use domain::state::{Hold, Key, ReceiptRow, State};
use domain::tenant::{
    ApiKey, App, Endpoint, EndpointId, Member, Merchant, MerchantId, MerchantKey, Route, RouteId,
    Tenant,
};
use domain::text::{AppId, ChannelName, ChannelNumber, OrderNo, PublicId, TradeNo, UserId};

use crate::{Store, StoreError};

/// What must be unique besides the keys of the maps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Unique {
    /// Channels name a route by its id alone.
    Route(RouteId),
    PublicPayment(Tenant, PublicId),
    /// Free again once the payment failed.
    Order(Tenant, AppId, ChannelName, OrderNo),
    Number(Tenant, RouteId, ChannelNumber),
    PublicRefund(Tenant, PublicId),
    RefundNumber(Tenant, RouteId, ChannelNumber),
    PublicBatch(Tenant, PublicId),
    BatchNo(Tenant, AppId, Box<str>),
    PublicEvent(Tenant, PublicId),
    Cause(Tenant, Cause),
}

/// Whose something unique is: the row's tenant and id (a journal's number).
type Owner = (Tenant, i64);

/// Every row.
#[derive(Default)]
struct Books {
    settings: BTreeMap<String, String>,
    merchants: BTreeMap<MerchantId, Merchant>,
    apps: BTreeMap<(MerchantId, AppId), App>,
    api_keys: BTreeMap<[u8; 32], ApiKey>,
    merchant_keys: BTreeMap<(Tenant, Box<str>), MerchantKey>,
    routes: BTreeMap<(Tenant, RouteId), Route>,
    endpoints: BTreeMap<(Tenant, EndpointId), Endpoint>,
    members: BTreeMap<(Tenant, AppId, UserId), Member>,
    payments: BTreeMap<(Tenant, PaymentId), Payment>,
    receipts: BTreeMap<(Tenant, RouteId, TradeNo), ReceiptRow>,
    refunds: BTreeMap<(Tenant, RefundId), Refund>,
    batches: BTreeMap<(Tenant, BatchId), RefundBatch>,
    holds: BTreeMap<(Tenant, RefundId), Hold>,
    accounts: BTreeMap<(Tenant, String), Account>,
    chains: BTreeMap<Tenant, ChainHead>,
    journals: BTreeMap<(Tenant, i64), Journal>,
    events: BTreeMap<(Tenant, EventId), Event>,
    deliveries: BTreeMap<(Tenant, DeliveryId), Delivery>,
    delivery_attempts: Vec<DeliveryAttempt>,
    unmatched: BTreeMap<(Tenant, Box<str>), UnmatchedNotice>,
    attempts: Vec<Attempt>,
    audit: Vec<AuditRow>,
    unique: HashMap<Unique, Owner>,
}

/// The writer.
pub struct MemoryStore {
    books: Arc<RwLock<Books>>,
}

/// The readers.
pub struct MemoryQueries {
    books: Arc<RwLock<Books>>,
}

/// Opens an empty store.
pub fn open() -> (MemoryStore, Arc<MemoryQueries>) {
    let books = Arc::new(RwLock::new(Books::default()));
    (MemoryStore { books: books.clone() }, Arc::new(MemoryQueries { books }))
}

impl MemoryQueries {
    fn books(&self) -> RwLockReadGuard<'_, Books> {
        self.books.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn books_mut(&self) -> RwLockWriteGuard<'_, Books> {
        self.books.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> {
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if !state.knows(key) {
                books.load(key, state);
            }
        }
        Ok(())
    }

    fn save(&mut self, state: &State) -> Result<(), StoreError> {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        books.save(state)
    }
}

impl Books {
    fn load(&self, key: &Key, state: &mut State) {
        match key {
            Key::Merchant(id) => state.merchants.load(*id, self.merchants.get(id).cloned()),
            Key::App(merchant, id) => {
                let key = (*merchant, id.clone());
                let row = self.apps.get(&key).cloned();
                state.apps.load(key, row);
            }
            Key::ApiKey(hash) => state.api_keys.load(*hash, self.api_keys.get(hash).cloned()),
            Key::MerchantKey(tenant, fingerprint) => {
                let key = (*tenant, fingerprint.clone());
                let row = self.merchant_keys.get(&key).cloned();
                state.merchant_keys.load(key, row);
            }
            Key::Route(tenant, id) => {
                let key = (*tenant, *id);
                state.routes.load(key, self.routes.get(&key).cloned());
            }
            Key::Endpoint(tenant, id) => {
                let key = (*tenant, *id);
                state.endpoints.load(key, self.endpoints.get(&key).cloned());
            }
            Key::Endpoints(tenant, app) => {
                let of_app = self.endpoints.values();
                let of_app = of_app.filter(|e| e.tenant == *tenant && e.app == *app);
                let found: Vec<Endpoint> = of_app.cloned().collect();
                let ids = found.iter().map(|e| e.id).collect();
                for endpoint in found {
                    state.endpoints.load((*tenant, endpoint.id), Some(endpoint));
                }
                state.endpoints_of.load((*tenant, app.clone()), Some(ids));
            }
            Key::Member(tenant, app, user) => {
                let key = (*tenant, app.clone(), user.clone());
                let row = self.members.get(&key).cloned();
                state.members.load(key, row);
            }
            Key::Payment(tenant, id) => {
                let key = (*tenant, *id);
                state.payments.load(key, self.payments.get(&key).cloned());
            }
            Key::Order(tenant, app, channel, number) => {
                let key = (*tenant, app.clone(), channel.clone(), number.clone());
                let (t, a, c, n) = key.clone();
                let id = self.payment_of(&Unique::Order(t, a, c, n), state);
                state.orders.load(key, id);
            }
            Key::Number(tenant, route, number) => {
                let id = self.payment_of(&Unique::Number(*tenant, *route, number.clone()), state);
                state.numbers.load((*tenant, *route, number.clone()), id);
            }
            Key::PublicPayment(tenant, id) => {
                let found = self.payment_of(&Unique::PublicPayment(*tenant, id.clone()), state);
                state.public_payments.load((*tenant, id.clone()), found);
            }
            Key::Receipt(tenant, route, trade_no) => {
                let key = (*tenant, *route, trade_no.clone());
                let row = self.receipts.get(&key).cloned();
                state.receipts.load(key, row);
            }
            Key::Refund(tenant, id) => {
                let key = (*tenant, *id);
                state.refunds.load(key, self.refunds.get(&key).cloned());
            }
            Key::RefundsOf(tenant, payment) => {
                let mut found = self.refunds_where(*tenant, |r| r.payment == *payment);
                found.sort_by_key(|r| (r.created, r.id));
                let ids = found.iter().map(|r| r.id).collect();
                load_refunds(found, state);
                state.refunds_of.load((*tenant, *payment), Some(ids));
            }
            Key::Batch(tenant, app, number) => {
                let key = (*tenant, app.clone(), number.clone());
                let owner = Unique::BatchNo(*tenant, app.clone(), number.clone());
                let id = self.unique.get(&owner).map(|(_, id)| BatchId::from_raw(*id));
                if let Some(batch) = id.and_then(|id| self.batches.get(&(*tenant, id))) {
                    state.batches.load((*tenant, batch.id), Some(batch.clone()));
                }
                state.batch_numbers.load(key, id);
            }
            Key::BatchById(tenant, id) => {
                let key = (*tenant, *id);
                state.batches.load(key, self.batches.get(&key).cloned());
            }
            Key::RefundsOfBatch(tenant, batch) => {
                let found = self.refunds_of_batch(*tenant, *batch);
                let ids = found.iter().map(|r| r.id).collect();
                load_refunds(found, state);
                state.refunds_of_batch.load((*tenant, *batch), Some(ids));
            }
            Key::Hold(tenant, refund) => {
                let key = (*tenant, *refund);
                state.holds.load(key, self.holds.get(&key).cloned());
            }
            Key::Account(tenant, path) => {
                let row = self.accounts.get(&account_place(*tenant, *path)).cloned();
                state.accounts.load(AccountKey { tenant: *tenant, path: *path }, row);
            }
            Key::Chain(tenant) => state.chains.load(*tenant, self.chains.get(tenant).cloned()),
            Key::Delivery(tenant, id) => {
                let key = (*tenant, *id);
                state.deliveries.load(key, self.deliveries.get(&key).cloned());
            }
            Key::Unmatched(tenant, notice) => {
                let key = (*tenant, notice.clone());
                let row = self.unmatched.get(&key).cloned();
                state.unmatched.load(key, row);
            }
        }
    }

    /// The payment that owns something unique; its row is put in too.
    fn payment_of(&self, unique: &Unique, state: &mut State) -> Option<PaymentId> {
        let payment = self.payment_by(unique)?;
        state.load_payment(payment.clone());
        Some(payment.id)
    }

    fn payment_by(&self, unique: &Unique) -> Option<&Payment> {
        let (tenant, id) = self.unique.get(unique)?;
        self.payments.get(&(*tenant, PaymentId::from_raw(*id)))
    }

    /// A tenant's refunds by id.
    fn refunds_where(&self, tenant: Tenant, wanted: impl Fn(&Refund) -> bool) -> Vec<Refund> {
        self.refunds.values().filter(|r| r.tenant == tenant && wanted(r)).cloned().collect()
    }

    fn refunds_of_batch(&self, tenant: Tenant, batch: BatchId) -> Vec<Refund> {
        let origin = domain::refund::RefundOrigin::Batch(batch);
        self.refunds_where(tenant, |r| r.origin == origin)
    }
}

fn load_refunds(found: Vec<Refund>, state: &mut State) {
    for refund in found {
        state.refunds.load((refund.tenant, refund.id), Some(refund));
    }
}

/// Accounts are kept by the text of their path, as in a database.
fn account_place(tenant: Tenant, path: AccountPath) -> (Tenant, String) {
    (tenant, path.to_text())
}
