//! A store of maps: the model.
#![allow(unused_variables, unused_imports)]
use domain::event::{Delivery, DeliveryAttempt, DeliveryId, Event, EventId};
use domain::ledger::Account;
use domain::payment::{Payment, PaymentId};
use domain::refund::{BatchId, Refund, RefundBatch};
use domain::state::{Key, State};
use domain::tenant::*;
use domain::text::{AppId, ChannelNumber, PublicId, UserId};
use domain::time::Timestamp;
use std::sync::Arc;
use crate::*;

/// Writer.
pub struct MemoryStore;
/// Readers.
pub struct MemoryQueries;
/// Opens an empty store.
pub fn open() -> (MemoryStore, Arc<MemoryQueries>) { (MemoryStore, Arc::new(MemoryQueries)) }

impl Store for MemoryStore {
    fn load(&mut self, keys: &[Key], state: &mut State) -> Result<(), StoreError> { unimplemented!() }
    fn save(&mut self, state: &State) -> Result<(), StoreError> { unimplemented!() }
}
impl Queries for MemoryQueries {
    fn api_key(&self, hash: &[u8 { unimplemented!() }
    fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> { unimplemented!() }
    fn merchants_of_operator(&self) -> Result<Vec<Merchant>, StoreError> { unimplemented!() }
    fn api_keys(&self, merchant: MerchantId) -> Result<Vec<ApiKey>, StoreError> { unimplemented!() }
    fn apps(&self, merchant: MerchantId) -> Result<Vec<App>, StoreError> { unimplemented!() }
    fn merchant_keys(&self, tenant: Tenant) -> Result<Vec<MerchantKey>, StoreError> { unimplemented!() }
    fn routes(&self, tenant: Tenant) -> Result<Vec<Route>, StoreError> { unimplemented!() }
    fn route_of_notice(&self, id: RouteId) -> Result<Option<Route>, StoreError> { unimplemented!() }
    fn endpoints(&self, tenant: Tenant) -> Result<Vec<Endpoint>, StoreError> { unimplemented!() }
    fn endpoint(&self, tenant: Tenant, id: EndpointId) -> Result<Option<Endpoint>, StoreError> { unimplemented!() }
    fn member( &self, tenant: Tenant, app: &AppId, user: &UserId, ) -> Result<Option<Member>, StoreError> { unimplemented!() }
    fn payment(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Payment>, StoreError> { unimplemented!() }
    fn payments_by_id(&self, tenant: Tenant, ids: &[PaymentId]) -> Result<Vec<Payment>, StoreError> { unimplemented!() }
    fn payment_by_number( &self, tenant: Tenant, route: RouteId, number: &ChannelNumber, ) -> Result<Option<Payment>, StoreError> { unimplemented!() }
    fn test_payment(&self, id: &PublicId) -> Result<Option<Payment>, StoreError> { unimplemented!() }
    fn payments( &self, tenant: Tenant, filter: &PaymentFilter, page: &Page, ) -> Result<Listed<Payment>, StoreError> { unimplemented!() }
    fn refunds_of( &self, tenant: Tenant, payments: &[PaymentId], limit: u32, ) -> Result<Vec<Refund>, StoreError> { unimplemented!() }
    fn refund(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Refund>, StoreError> { unimplemented!() }
    fn refund_by_number( &self, tenant: Tenant, route: RouteId, number: &ChannelNumber, ) -> Result<Option<Refund>, StoreError> { unimplemented!() }
    fn refunds( &self, tenant: Tenant, payment: PaymentId, page: &Page, ) -> Result<Listed<Refund>, StoreError> { unimplemented!() }
    fn batch( &self, tenant: Tenant, id: &PublicId, ) -> Result<Option<(RefundBatch, Vec<Refund>)>, StoreError> { unimplemented!() }
    fn batches( &self, tenant: Tenant, app: Option<&AppId>, skip: u32, limit: u32, ) -> Result<Listed<(RefundBatch, Vec<Refund>)>, StoreError> { unimplemented!() }
    fn batch_by_id(&self, tenant: Tenant, id: BatchId) -> Result<Option<RefundBatch>, StoreError> { unimplemented!() }
    fn event(&self, tenant: Tenant, id: &PublicId) -> Result<Option<Event>, StoreError> { unimplemented!() }
    fn event_by_id(&self, tenant: Tenant, id: EventId) -> Result<Option<Event>, StoreError> { unimplemented!() }
    fn events( &self, tenant: Tenant, filter: &EventFilter, page: &Page, ) -> Result<Listed<Event>, StoreError> { unimplemented!() }
    fn deliveries( &self, tenant: Tenant, event: EventId, ) -> Result<Vec<(Delivery, Vec<DeliveryAttempt>)>, StoreError> { unimplemented!() }
    fn due_work_of_all(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRow>, StoreError> { unimplemented!() }
    fn due_deliveries_of_all( &self, now: Timestamp, limit: u32, busy: &[EndpointId], ) -> Result<Vec<(Tenant, DeliveryId, EndpointId)>, StoreError> { unimplemented!() }
    fn next_due_of_all(&self) -> Result<Option<Timestamp>, StoreError> { unimplemented!() }
    fn accounts(&self, tenant: Tenant) -> Result<Vec<Account>, StoreError> { unimplemented!() }
    fn walk_books_of_all(&self, _each: &mut dyn FnMut(BookRow) -> bool) -> Result<(), StoreError> { unimplemented!() }
    fn largest_id(&self) -> Result<i64, StoreError> { unimplemented!() }
    fn backlog_of_all(&self) -> Result<Backlog, StoreError> { unimplemented!() }
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> { unimplemented!() }
    fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> { unimplemented!() }
    fn ping(&self) -> Result<(), StoreError> { unimplemented!() }
    fn check_file(&self) -> Result<Vec<String>, StoreError> { unimplemented!() }
}
