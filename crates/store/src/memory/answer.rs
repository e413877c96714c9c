//! Queries over the maps: filter, sort, cut. Plain on purpose, because it says what is right.

use domain::event::{Delivery, DeliveryAttempt, DeliveryId, DeliveryState, Event, EventId};
use domain::ledger::Account;
use domain::operation::OperationState;
use domain::payment::{CloseReason, Payment, PaymentId, PaymentState};
use domain::refund::{BatchId, Refund, RefundBatch};
use domain::tenant::{
    ApiKey, App, Endpoint, EndpointId, Member, Merchant, MerchantId, MerchantKey, Mode, Route,
    RouteId, Tenant,
};
use domain::text::{AppId, ChannelNumber, PublicId, UserId};
use domain::time::Timestamp;

use super::{Books, MemoryQueries, Unique};
use crate::{
    Backlog, BookRow, DueRow, EventFilter, Listed, Page, PaymentFilter, Queries, StoreError,
};

type Read<T> = Result<T, StoreError>;

/// A limit as a length.
fn length(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// One page, newest first, and whether the list goes on in the direction of reading.
fn listed<'a, T: Clone + 'a>(
    rows: impl Iterator<Item = &'a T>,
    place: impl Fn(&T) -> (Timestamp, i64),
    page: &Page,
) -> Listed<T> {
    let mut rows: Vec<&T> = rows
        .filter(|row| page.after.is_none_or(|after| place(row) < after))
        .filter(|row| page.before.is_none_or(|before| place(row) > before))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
    let limit = length(page.limit);
    let has_more = rows.len() > limit;
    // Rows before a cursor are the ones nearest to it: the end of the list.
    let upwards = page.before.is_some() && page.after.is_none();
    let skipped = if upwards { rows.len().saturating_sub(limit) } else { 0 };
    let rows = rows.into_iter().skip(skipped).take(limit).cloned().collect();
    Listed { rows, has_more }
}

fn is_within(at: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
}

fn is_wanted(payment: &Payment, filter: &PaymentFilter) -> bool {
    let reversed = matches!(
        payment.state,
        PaymentState::Reversed { .. } | PaymentState::Closed { why: CloseReason::Reversed, .. }
    );
    filter.app.as_ref().is_none_or(|app| *app == payment.app)
        && filter.channel.as_ref().is_none_or(|channel| *channel == payment.channel)
        && is_within(payment.created, filter.from, filter.to)
        && filter.paid.is_none_or(|paid| paid == payment.receipt().is_some())
        && filter.refunded.is_none_or(|refunded| refunded == (payment.refunds > 0))
        && filter.reversed.is_none_or(|wanted| wanted == reversed)
}

impl Books {
    fn refund_by(&self, unique: &Unique) -> Option<&Refund> {
        let (tenant, id) = self.unique.get(unique)?;
        self.refunds.get(&(*tenant, domain::refund::RefundId::from_raw(*id)))
    }

    /// Operations of payments and refunds, of all tenants, that stand so.
    fn operations(&self, state: OperationState) -> i64 {
        let payments = self.payments.values().filter_map(|p| p.operation.as_ref());
        let refunds = self.refunds.values().filter_map(|r| r.operation.as_ref());
        count(payments.chain(refunds).filter(|o| o.state == state))
    }

    fn largest_id(&self) -> i64 {
        [
            self.merchants.keys().map(|id| id.raw()).max(),
            self.routes.keys().map(|(_, id)| id.raw()).max(),
            self.endpoints.keys().map(|(_, id)| id.raw()).max(),
            self.members.values().map(|member| member.id.raw()).max(),
            self.payments.keys().map(|(_, id)| id.raw()).max(),
            self.refunds.keys().map(|(_, id)| id.raw()).max(),
            self.batches.keys().map(|(_, id)| id.raw()).max(),
            self.events.keys().map(|(_, id)| id.raw()).max(),
            self.deliveries.keys().map(|(_, id)| id.raw()).max(),
            self.journals.values().map(|journal| journal.cause().parts().1).max(),
        ]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(0)
    }
}

fn count<T>(rows: impl Iterator<Item = T>) -> i64 {
    i64::try_from(rows.count()).unwrap_or(i64::MAX)
}

impl Queries for MemoryQueries {
    fn api_key(&self, hash: &[u8; 32]) -> Read<Option<ApiKey>> {
        Ok(self.books().api_keys.get(hash).cloned())
    }

    fn merchant(&self, id: MerchantId) -> Read<Option<Merchant>> {
        Ok(self.books().merchants.get(&id).cloned())
    }

    fn merchants_of_operator(&self) -> Read<Vec<Merchant>> {
        Ok(self.books().merchants.values().cloned().collect())
    }

    fn api_keys(&self, merchant: MerchantId) -> Read<Vec<ApiKey>> {
        let books = self.books();
        let mut keys: Vec<_> =
            books.api_keys.values().filter(|k| k.merchant == merchant).cloned().collect();
        keys.sort_by_key(|k| (k.created, k.hash));
        Ok(keys)
    }

    fn apps(&self, merchant: MerchantId) -> Read<Vec<App>> {
        let books = self.books();
        let mut apps: Vec<_> =
            books.apps.values().filter(|a| a.merchant == merchant).cloned().collect();
        apps.sort_by_key(|a| a.created);
        Ok(apps)
    }

    fn merchant_keys(&self, tenant: Tenant) -> Read<Vec<MerchantKey>> {
        let books = self.books();
        let valid = books.merchant_keys.values().filter(|k| k.revoked.is_none());
        let mut keys: Vec<_> = valid.filter(|k| k.tenant == tenant).cloned().collect();
        keys.sort_by_key(|k| k.created);
        Ok(keys)
    }

    fn routes(&self, tenant: Tenant) -> Read<Vec<Route>> {
        Ok(self.books().routes.values().filter(|r| r.tenant == tenant).cloned().collect())
    }

    fn route_of_notice(&self, id: RouteId) -> Read<Option<Route>> {
        let books = self.books();
        let owner = books.unique.get(&Unique::Route(id));
        Ok(owner.and_then(|(tenant, _)| books.routes.get(&(*tenant, id))).cloned())
    }

    fn endpoints(&self, tenant: Tenant) -> Read<Vec<Endpoint>> {
        Ok(self.books().endpoints.values().filter(|e| e.tenant == tenant).cloned().collect())
    }

    fn endpoint(&self, tenant: Tenant, id: EndpointId) -> Read<Option<Endpoint>> {
        Ok(self.books().endpoints.get(&(tenant, id)).cloned())
    }

    fn member(&self, tenant: Tenant, app: &AppId, user: &UserId) -> Read<Option<Member>> {
        Ok(self.books().members.get(&(tenant, app.clone(), user.clone())).cloned())
    }

    fn payment(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Payment>> {
        Ok(self.books().payment_by(&Unique::PublicPayment(tenant, id.clone())).cloned())
    }

    fn payments_by_id(&self, tenant: Tenant, ids: &[PaymentId]) -> Read<Vec<Payment>> {
        let books = self.books();
        Ok(ids.iter().filter_map(|id| books.payments.get(&(tenant, *id)).cloned()).collect())
    }

    fn payment_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Read<Option<Payment>> {
        Ok(self.books().payment_by(&Unique::Number(tenant, route, number.clone())).cloned())
    }

    fn test_payment(&self, id: &PublicId) -> Read<Option<Payment>> {
        let books = self.books();
        let mut test = books.payments.values().filter(|p| p.tenant.mode == Mode::Test);
        Ok(test.find(|p| p.public_id == *id).cloned())
    }

    fn payments(
        &self,
        tenant: Tenant,
        filter: &PaymentFilter,
        page: &Page,
    ) -> Read<Listed<Payment>> {
        let books = self.books();
        let rows = books.payments.values().filter(|p| p.tenant == tenant && is_wanted(p, filter));
        Ok(listed(rows, |p| (p.created, p.id.raw()), page))
    }

    fn refunds_of(&self, tenant: Tenant, payments: &[PaymentId], limit: u32) -> Read<Vec<Refund>> {
        let page = Page { limit, ..Page::default() };
        let mut found = Vec::new();
        for payment in payments {
            found.extend(self.refunds(tenant, *payment, &page)?.rows);
        }
        Ok(found)
    }

    fn refund(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Refund>> {
        let books = self.books();
        let found = books.refund_by(&Unique::PublicRefund(tenant, id.clone()));
        Ok(found.filter(|refund| refund.is_shown()).cloned())
    }

    fn refund_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Read<Option<Refund>> {
        Ok(self.books().refund_by(&Unique::RefundNumber(tenant, route, number.clone())).cloned())
    }

    fn refunds(&self, tenant: Tenant, payment: PaymentId, page: &Page) -> Read<Listed<Refund>> {
        let books = self.books();
        let of_payment = books.refunds.values();
        let of_payment = of_payment.filter(|r| r.tenant == tenant && r.payment == payment);
        Ok(listed(of_payment.filter(|r| r.is_shown()), |r| (r.created, r.id.raw()), page))
    }

    fn batch(&self, tenant: Tenant, id: &PublicId) -> Read<Option<(RefundBatch, Vec<Refund>)>> {
        let books = self.books();
        let owner = books.unique.get(&Unique::PublicBatch(tenant, id.clone()));
        let id = owner.map(|(_, id)| BatchId::from_raw(*id));
        let batch = id.and_then(|id| books.batches.get(&(tenant, id)));
        Ok(batch.map(|b| (b.clone(), books.refunds_of_batch(tenant, b.id))))
    }

    fn batches(
        &self,
        tenant: Tenant,
        app: Option<&AppId>,
        skip: u32,
        limit: u32,
    ) -> Read<Listed<(RefundBatch, Vec<Refund>)>> {
        let books = self.books();
        let mine = books.batches.values().filter(|b| b.tenant == tenant);
        let mine = mine.filter(|b| app.is_none_or(|app| *app == b.app));
        let left: Vec<_> = mine.rev().skip(length(skip)).collect();
        let rows = left.iter().take(length(limit));
        let rows = rows.map(|b| ((*b).clone(), books.refunds_of_batch(tenant, b.id))).collect();
        Ok(Listed { rows, has_more: left.len() > length(limit) })
    }

    fn batch_by_id(&self, tenant: Tenant, id: BatchId) -> Read<Option<RefundBatch>> {
        Ok(self.books().batches.get(&(tenant, id)).cloned())
    }

    fn event(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Event>> {
        let books = self.books();
        let owner = books.unique.get(&Unique::PublicEvent(tenant, id.clone()));
        Ok(owner.and_then(|(_, id)| books.events.get(&(tenant, EventId::from_raw(*id)))).cloned())
    }

    fn event_by_id(&self, tenant: Tenant, id: EventId) -> Read<Option<Event>> {
        Ok(self.books().events.get(&(tenant, id)).cloned())
    }

    fn events(&self, tenant: Tenant, filter: &EventFilter, page: &Page) -> Read<Listed<Event>> {
        let books = self.books();
        let rows = books.events.values().filter(|e| {
            e.tenant == tenant
                && filter.app.as_ref().is_none_or(|app| *app == e.app)
                && filter.event_type.as_ref().is_none_or(|wanted| *wanted == e.event_type)
                && is_within(e.created, filter.from, filter.to)
        });
        Ok(listed(rows, |e| (e.created, e.id.raw()), page))
    }

    fn deliveries(
        &self,
        tenant: Tenant,
        event: EventId,
    ) -> Read<Vec<(Delivery, Vec<DeliveryAttempt>)>> {
        let books = self.books();
        let of_event = books.deliveries.values().filter(|d| d.tenant == tenant && d.event == event);
        let with_tries = of_event.map(|delivery| {
            let mut tries: Vec<_> = books
                .delivery_attempts
                .iter()
                .filter(|a| a.tenant == tenant && a.delivery == delivery.id)
                .cloned()
                .collect();
            tries.sort_by_key(|a| (a.number, a.at));
            (delivery.clone(), tries)
        });
        Ok(with_tries.collect())
    }

    fn due_work_of_all(&self, now: Timestamp, limit: u32) -> Read<Vec<DueRow>> {
        let books = self.books();
        // At one instant refunds come first: they are few, and somebody waits for each.
        let refunds = books.refunds.values().filter_map(|r| {
            let at = r.operation.as_ref()?.next_at?;
            Some((at, DueRow::Refund(r.tenant, r.id, r.payment)))
        });
        let payments = books.payments.values();
        let payments = payments.filter_map(|p| Some((p.next_at?, DueRow::Payment(p.tenant, p.id))));
        let mut due: Vec<_> = refunds.chain(payments).filter(|(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        due.truncate(length(limit));
        Ok(due.into_iter().map(|(_, row)| row).collect())
    }

    fn due_deliveries_of_all(
        &self,
        now: Timestamp,
        limit: u32,
        busy: &[EndpointId],
    ) -> Read<Vec<(Tenant, DeliveryId, EndpointId)>> {
        let books = self.books();
        let due = books.deliveries.values().filter(|d| d.next_at.is_some_and(|at| at <= now));
        let mut due: Vec<_> = due.filter(|d| !busy.contains(&d.endpoint)).collect();
        due.sort_by_key(|d| (d.next_at, d.endpoint));
        due.truncate(length(limit));
        Ok(due.into_iter().map(|d| (d.tenant, d.id, d.endpoint)).collect())
    }

    fn next_due_of_all(&self) -> Read<Option<Timestamp>> {
        let books = self.books();
        let payments = books.payments.values().filter_map(|p| p.next_at);
        let refunds = books.refunds.values().filter_map(|r| r.operation.as_ref()?.next_at);
        let deliveries = books.deliveries.values().filter_map(|d| d.next_at);
        Ok(payments.chain(refunds).chain(deliveries).min())
    }

    fn accounts(&self, tenant: Tenant) -> Read<Vec<Account>> {
        Ok(self.books().accounts.values().filter(|a| a.key.tenant == tenant).cloned().collect())
    }

    fn walk_books_of_all(&self, each: &mut dyn FnMut(BookRow) -> bool) -> Read<()> {
        let books = self.books();
        let accounts = books.accounts.values().cloned().map(BookRow::Account);
        let journals = books.journals.values().cloned().map(BookRow::Journal);
        let holds = books.holds.values().cloned().map(BookRow::Hold);
        let payments = books.payments.values().cloned().map(BookRow::Payment);
        let refunds = books.refunds.values().cloned().map(BookRow::Refund);
        let receipts = books.receipts.values().cloned().map(BookRow::Receipt);
        let batches = books.batches.values().cloned().map(BookRow::Batch);
        let events = books.events.values().cloned().map(BookRow::Event);
        let first = accounts.chain(journals).chain(holds).chain(payments);
        let _ = first.chain(refunds).chain(receipts).chain(batches).chain(events).all(each);
        Ok(())
    }

    fn largest_id(&self) -> Read<i64> {
        Ok(self.books().largest_id())
    }

    fn backlog_of_all(&self) -> Read<Backlog> {
        let books = self.books();
        let dead = books.deliveries.values().filter(|d| d.state == DeliveryState::Dead);
        Ok(Backlog {
            deliveries_waiting: count(books.deliveries.values().filter_map(|d| d.next_at)),
            deliveries_dead: count(dead),
            operations_unknown: books.operations(OperationState::Unknown),
            operations_in_review: books.operations(OperationState::Review),
            notices_unmatched: count(books.unmatched.values()),
        })
    }

    fn setting(&self, name: &str) -> Read<Option<String>> {
        Ok(self.books().settings.get(name).cloned())
    }

    fn put_setting(&self, name: &str, value: &str) -> Read<()> {
        self.books_mut().settings.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    fn ping(&self) -> Read<()> {
        Ok(())
    }

    fn check_file(&self) -> Read<Vec<String>> {
        Ok(Vec::new())
    }
}
