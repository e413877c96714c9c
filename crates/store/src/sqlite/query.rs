//! Queries: a few readers' connections that never get into the writer's way.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use domain::event::{Delivery, DeliveryAttempt, DeliveryId, Event, EventId};
use domain::id::Id;
use domain::ledger::{Account, AccountPath, Cause, ChainHead, Entry, Journal, Line, Side};
use domain::money::Amount;
use domain::payment::{Payment, PaymentId};
use domain::refund::{BatchId, Refund, RefundBatch};
use domain::tenant::{
    ApiKey, App, Endpoint, EndpointId, Member, Merchant, MerchantId, MerchantKey, Mode, Route,
    RouteId, Tenant,
};
use domain::text::{AppId, ChannelNumber, PublicId, UserId};
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::load::{all, one, select_text};
use super::rows::{self, mode_number};
use super::{error_of, migrate};
use crate::{
    Backlog, BookRow, DueRow, EventFilter, Listed, Page, PaymentFilter, Queries, StoreError,
};

/// Connections kept for later.
const IDLE_CONNECTIONS_MAX: usize = 4;

type Read<T> = Result<T, StoreError>;

/// The readers.
pub struct SqliteQueries {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteQueries {
    pub(super) fn new(path: PathBuf) -> SqliteQueries {
        SqliteQueries { path, idle: Mutex::new(Vec::new()) }
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> Read<T>) -> Read<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(connection);
        }
        result
    }

    fn connect(&self) -> Read<Connection> {
        let connection = Connection::open(&self.path).map_err(error_of)?;
        connection.pragma_update(None, "query_only", "ON").map_err(error_of)?;
        connection.pragma_update(None, "cache_size", -4_000).map_err(error_of)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(error_of)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }
}

fn key(tenant: Tenant) -> (i64, i64) {
    (tenant.merchant.raw(), mode_number(tenant.mode))
}

/// Conditions of a list, built from the filters that are set; every value is a parameter.
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn of_tenant(tenant: Tenant) -> Conditions {
        let (merchant, mode) = key(tenant);
        let values = vec![Value::Integer(merchant), Value::Integer(mode)];
        Conditions { text: "merchant = ? AND mode = ?".into(), values }
    }

    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }

    fn text(&mut self, condition: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.and(condition, [Value::Text(value.into())]);
        }
    }

    fn time(&mut self, condition: &str, value: Option<Timestamp>) {
        if let Some(value) = value {
            self.and(condition, [Value::Integer(value.micros())]);
        }
    }

    fn flag(&mut self, value: Option<bool>, yes: &str, no: &str) {
        match value {
            Some(true) => self.and(yes, []),
            Some(false) => self.and(no, []),
            None => {}
        }
    }
}

/// One page, newest first, and whether the list goes on in the direction of reading.
fn listed<T>(
    connection: &Connection,
    columns: &str,
    table: &str,
    mut conditions: Conditions,
    page: &Page,
    decode: impl Fn(&rusqlite::Row<'_>) -> Read<T>,
) -> Read<Listed<T>> {
    let place = |(at, id): (Timestamp, i64)| [Value::Integer(at.micros()), Value::Integer(id)];
    if let Some(after) = page.after {
        conditions.and("(created, id) < (?, ?)", place(after));
    }
    if let Some(before) = page.before {
        conditions.and("(created, id) > (?, ?)", place(before));
    }
    // Rows before a cursor are read from it upwards, then turned round.
    let upwards = page.before.is_some() && page.after.is_none();
    let order = if upwards { "created, id" } else { "created DESC, id DESC" };
    conditions.values.push(Value::Integer(i64::from(page.limit) + 1));
    let sql =
        format!("SELECT {columns} FROM {table} WHERE {} ORDER BY {order} LIMIT ?", conditions.text);
    let mut rows = all(connection, &sql, params_from_iter(conditions.values), decode)?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if upwards {
        rows.reverse();
    }
    Ok(Listed { rows, has_more })
}

const SHOWN: &str = "origin IN ('merchant', 'batch', 'import')";

impl Queries for SqliteQueries {
    fn api_key(&self, hash: &[u8; 32]) -> Read<Option<ApiKey>> {
        let sql = select_text(rows::API_KEY, "api_key WHERE hash = ?1");
        self.with(|c| one(c, &sql, [&hash[..]], rows::api_key))
    }

    fn merchant(&self, id: MerchantId) -> Read<Option<Merchant>> {
        let sql = select_text(rows::MERCHANT, "merchant WHERE id = ?1");
        self.with(|c| one(c, &sql, [id.raw()], rows::merchant))
    }

    fn merchants_of_operator(&self) -> Read<Vec<Merchant>> {
        let sql = select_text(rows::MERCHANT, "merchant ORDER BY id");
        self.with(|c| all(c, &sql, [], rows::merchant))
    }

    fn api_keys(&self, merchant: MerchantId) -> Read<Vec<ApiKey>> {
        let sql = select_text(rows::API_KEY, "api_key WHERE merchant = ?1 ORDER BY created, hash");
        self.with(|c| all(c, &sql, [merchant.raw()], rows::api_key))
    }

    fn apps(&self, merchant: MerchantId) -> Read<Vec<App>> {
        let sql = select_text(rows::APP, "app WHERE merchant = ?1 ORDER BY created, id");
        self.with(|c| all(c, &sql, [merchant.raw()], rows::app))
    }

    fn merchant_keys(&self, tenant: Tenant) -> Read<Vec<MerchantKey>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::MERCHANT_KEY,
            "merchant_key WHERE merchant = ?1 AND mode = ?2 AND revoked IS NULL \
             ORDER BY created, fingerprint",
        );
        self.with(|c| all(c, &sql, params![m, mode], rows::merchant_key))
    }

    fn routes(&self, tenant: Tenant) -> Read<Vec<Route>> {
        let (m, mode) = key(tenant);
        let sql = select_text(rows::ROUTE, "route WHERE merchant = ?1 AND mode = ?2 ORDER BY id");
        self.with(|c| all(c, &sql, params![m, mode], rows::route))
    }

    fn route_of_notice(&self, id: RouteId) -> Read<Option<Route>> {
        let sql = select_text(rows::ROUTE, "route WHERE id = ?1");
        self.with(|c| one(c, &sql, [id.raw()], rows::route))
    }

    fn endpoints(&self, tenant: Tenant) -> Read<Vec<Endpoint>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::ENDPOINT, "endpoint WHERE merchant = ?1 AND mode = ?2 ORDER BY id");
        self.with(|c| all(c, &sql, params![m, mode], rows::endpoint))
    }

    fn endpoint(&self, tenant: Tenant, id: EndpointId) -> Read<Option<Endpoint>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::ENDPOINT, "endpoint WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
        self.with(|c| one(c, &sql, params![m, mode, id.raw()], rows::endpoint))
    }

    fn member(&self, tenant: Tenant, app: &AppId, user: &UserId) -> Read<Option<Member>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::MEMBER,
            "member WHERE merchant = ?1 AND mode = ?2 AND app = ?3 AND user = ?4",
        );
        let params = params![m, mode, app.as_str(), user.as_str()];
        self.with(|c| one(c, &sql, params, rows::member))
    }

    fn payment(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Payment>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::PAYMENT,
            "payment WHERE merchant = ?1 AND mode = ?2 AND public_id = ?3",
        );
        self.with(|c| one(c, &sql, params![m, mode, id.as_str()], rows::payment))
    }

    fn payments_by_id(&self, tenant: Tenant, ids: &[PaymentId]) -> Read<Vec<Payment>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::PAYMENT, "payment WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
        self.with(|c| {
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                found.extend(one(c, &sql, params![m, mode, id.raw()], rows::payment)?);
            }
            Ok(found)
        })
    }

    fn payment_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Read<Option<Payment>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::PAYMENT,
            "payment WHERE merchant = ?1 AND mode = ?2 AND route = ?3 AND number = ?4",
        );
        let params = params![m, mode, route.raw(), number.as_str()];
        self.with(|c| one(c, &sql, params, rows::payment))
    }

    fn test_payment(&self, id: &PublicId) -> Read<Option<Payment>> {
        // One look-up for each merchant on the unique key: test ids need no index of their own.
        let columns = rows::PAYMENT.split(", ").map(|c| format!("p.{}", c.trim()));
        let sql = select_text(
            &columns.collect::<Vec<_>>().join(", "),
            "merchant m JOIN payment p ON p.merchant = m.id AND p.mode = 0 AND p.public_id = ?1 \
             LIMIT 1",
        );
        self.with(|c| one(c, &sql, [id.as_str()], rows::payment))
    }

    fn payments(
        &self,
        tenant: Tenant,
        filter: &PaymentFilter,
        page: &Page,
    ) -> Read<Listed<Payment>> {
        let mut conditions = Conditions::of_tenant(tenant);
        conditions.text("app = ?", filter.app.as_ref().map(|a| a.as_str()));
        conditions.text("channel = ?", filter.channel.as_ref().map(|c| c.as_str()));
        conditions.time("created >= ?", filter.from);
        conditions.time("created < ?", filter.to);
        conditions.flag(filter.paid, "paid_at IS NOT NULL", "paid_at IS NULL");
        conditions.flag(filter.refunded, "refunds > 0", "refunds = 0");
        conditions.flag(
            filter.reversed,
            "(state = 'reversed' OR (state = 'closed' AND why = 'reversed'))",
            "NOT (state = 'reversed' OR (state = 'closed' AND why = 'reversed'))",
        );
        self.with(|c| listed(c, rows::PAYMENT, "payment", conditions, page, rows::payment))
    }

    fn refunds_of(&self, tenant: Tenant, payments: &[PaymentId], limit: u32) -> Read<Vec<Refund>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::REFUND,
            &format!(
                "refund WHERE merchant = ?1 AND mode = ?2 AND payment = ?3 AND {SHOWN} \
                 ORDER BY created DESC, id DESC LIMIT ?4"
            ),
        );
        self.with(|c| {
            let mut found = Vec::new();
            for id in payments {
                found.extend(all(c, &sql, params![m, mode, id.raw(), limit], rows::refund)?);
            }
            Ok(found)
        })
    }

    fn refund(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Refund>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::REFUND,
            &format!("refund WHERE merchant = ?1 AND mode = ?2 AND public_id = ?3 AND {SHOWN}"),
        );
        self.with(|c| one(c, &sql, params![m, mode, id.as_str()], rows::refund))
    }

    fn refund_by_number(
        &self,
        tenant: Tenant,
        route: RouteId,
        number: &ChannelNumber,
    ) -> Read<Option<Refund>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::REFUND,
            "refund WHERE merchant = ?1 AND mode = ?2 AND route = ?3 AND number = ?4",
        );
        let params = params![m, mode, route.raw(), number.as_str()];
        self.with(|c| one(c, &sql, params, rows::refund))
    }

    fn refunds(&self, tenant: Tenant, payment: PaymentId, page: &Page) -> Read<Listed<Refund>> {
        let mut conditions = Conditions::of_tenant(tenant);
        conditions.and("payment = ?", [Value::Integer(payment.raw())]);
        conditions.and(SHOWN, []);
        self.with(|c| listed(c, rows::REFUND, "refund", conditions, page, rows::refund))
    }

    fn batch(&self, tenant: Tenant, id: &PublicId) -> Read<Option<(RefundBatch, Vec<Refund>)>> {
        let (m, mode) = key(tenant);
        let sql = select_text(
            rows::BATCH,
            "refund_batch WHERE merchant = ?1 AND mode = ?2 AND public_id = ?3",
        );
        self.with(|c| {
            let found = one(c, &sql, params![m, mode, id.as_str()], rows::batch)?;
            found.map(|batch| with_refunds(c, batch)).transpose()
        })
    }

    fn batches(
        &self,
        tenant: Tenant,
        app: Option<&AppId>,
        skip: u32,
        limit: u32,
    ) -> Read<Listed<(RefundBatch, Vec<Refund>)>> {
        let mut conditions = Conditions::of_tenant(tenant);
        conditions.text("app = ?", app.map(|a| a.as_str()));
        let more = i64::from(limit) + 1;
        conditions.values.extend([Value::Integer(more), Value::Integer(i64::from(skip))]);
        let sql = format!(
            "SELECT {} FROM refund_batch WHERE {} ORDER BY id DESC LIMIT ? OFFSET ?",
            rows::BATCH,
            conditions.text
        );
        self.with(|c| {
            let found = all(c, &sql, params_from_iter(conditions.values), rows::batch)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let has_more = found.len() > limit;
            let rows = found.into_iter().take(limit).map(|b| with_refunds(c, b));
            Ok(Listed { rows: rows.collect::<Read<_>>()?, has_more })
        })
    }

    fn batch_by_id(&self, tenant: Tenant, id: BatchId) -> Read<Option<RefundBatch>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::BATCH, "refund_batch WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
        self.with(|c| one(c, &sql, params![m, mode, id.raw()], rows::batch))
    }

    fn event(&self, tenant: Tenant, id: &PublicId) -> Read<Option<Event>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::EVENT, "event WHERE merchant = ?1 AND mode = ?2 AND public_id = ?3");
        self.with(|c| one(c, &sql, params![m, mode, id.as_str()], rows::event))
    }

    fn event_by_id(&self, tenant: Tenant, id: EventId) -> Read<Option<Event>> {
        let (m, mode) = key(tenant);
        let sql = select_text(rows::EVENT, "event WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
        self.with(|c| one(c, &sql, params![m, mode, id.raw()], rows::event))
    }

    fn events(&self, tenant: Tenant, filter: &EventFilter, page: &Page) -> Read<Listed<Event>> {
        let mut conditions = Conditions::of_tenant(tenant);
        conditions.text("app = ?", filter.app.as_ref().map(|a| a.as_str()));
        conditions.text("event_type = ?", filter.event_type.as_deref());
        conditions.time("created >= ?", filter.from);
        conditions.time("created < ?", filter.to);
        self.with(|c| listed(c, rows::EVENT, "event", conditions, page, rows::event))
    }

    fn deliveries(
        &self,
        tenant: Tenant,
        event: EventId,
    ) -> Read<Vec<(Delivery, Vec<DeliveryAttempt>)>> {
        let (m, mode) = key(tenant);
        let deliveries = select_text(
            rows::DELIVERY,
            "delivery WHERE merchant = ?1 AND mode = ?2 AND event = ?3 ORDER BY id",
        );
        let attempts = select_text(
            rows::DELIVERY_ATTEMPT,
            "delivery_attempt WHERE merchant = ?1 AND mode = ?2 AND delivery = ?3 \
             ORDER BY number, at",
        );
        self.with(|c| {
            let found = all(c, &deliveries, params![m, mode, event.raw()], rows::delivery)?;
            let mut list = Vec::with_capacity(found.len());
            for delivery in found {
                let id = delivery.id.raw();
                let log = all(c, &attempts, params![m, mode, id], rows::delivery_attempt)?;
                list.push((delivery, log));
            }
            Ok(list)
        })
    }

    fn due_work_of_all(&self, now: Timestamp, limit: u32) -> Read<Vec<DueRow>> {
        let payments = "SELECT merchant, mode, id, 0, next_at FROM payment \
             WHERE next_at IS NOT NULL AND next_at <= ?1 ORDER BY next_at LIMIT ?2";
        let refunds = "SELECT merchant, mode, id, payment, op_next_at FROM refund \
             WHERE op_next_at IS NOT NULL AND op_next_at <= ?1 ORDER BY op_next_at LIMIT ?2";
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(Tenant, i64, i64, i64)> {
            let mode = if row.get::<_, i64>(1)? == 1 { Mode::Live } else { Mode::Test };
            let tenant = Tenant { merchant: Id::from_raw(row.get(0)?), mode };
            Ok((tenant, row.get(2)?, row.get(3)?, row.get(4)?))
        };
        let read = |row: &rusqlite::Row<'_>| read(row).map_err(error_of);
        self.with(|c| {
            let params = params![now.micros(), limit];
            let mut due = Vec::new();
            // Refunds first: they are few, and somebody waits for each.
            for (tenant, id, payment, at) in all(c, refunds, params, read)? {
                let (id, payment) = (Id::from_raw(id), Id::from_raw(payment));
                due.push((at, DueRow::Refund(tenant, id, payment)));
            }
            for (tenant, id, _, at) in all(c, payments, params, read)? {
                due.push((at, DueRow::Payment(tenant, Id::from_raw(id))));
            }
            due.sort_by_key(|(at, _)| *at);
            due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(due.into_iter().map(|(_, row)| row).collect())
        })
    }

    fn due_deliveries_of_all(
        &self,
        now: Timestamp,
        limit: u32,
        busy: &[EndpointId],
    ) -> Read<Vec<(Tenant, DeliveryId, EndpointId)>> {
        let marks = vec!["?"; busy.len()].join(", ");
        let sql = format!(
            "SELECT merchant, mode, id, endpoint FROM delivery \
             WHERE next_at IS NOT NULL AND next_at <= ? AND endpoint NOT IN ({marks}) \
             ORDER BY next_at LIMIT ?"
        );
        let mut values = vec![Value::Integer(now.micros())];
        values.extend(busy.iter().map(|id| Value::Integer(id.raw())));
        values.push(Value::Integer(i64::from(limit)));
        self.with(|c| {
            all(c, &sql, params_from_iter(values), |row| {
                let read = || -> rusqlite::Result<_> {
                    let mode = if row.get::<_, i64>(1)? == 1 { Mode::Live } else { Mode::Test };
                    let tenant = Tenant { merchant: Id::from_raw(row.get(0)?), mode };
                    Ok((tenant, Id::from_raw(row.get(2)?), Id::from_raw(row.get(3)?)))
                };
                read().map_err(error_of)
            })
        })
    }

    fn next_due_of_all(&self) -> Read<Option<Timestamp>> {
        let sql = "SELECT min(at) FROM (SELECT (SELECT next_at FROM payment \
             WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1) AS at \
             UNION ALL SELECT (SELECT op_next_at FROM refund \
             WHERE op_next_at IS NOT NULL ORDER BY op_next_at LIMIT 1) \
             UNION ALL SELECT (SELECT next_at FROM delivery \
             WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1))";
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0).map_err(error_of);
        self.with(|c| Ok(one(c, sql, [], read)?.flatten().map(Timestamp::from_micros)))
    }

    fn accounts(&self, tenant: Tenant) -> Read<Vec<Account>> {
        let (m, mode) = key(tenant);
        let sql =
            select_text(rows::ACCOUNT, "account WHERE merchant = ?1 AND mode = ?2 ORDER BY path");
        self.with(|c| all(c, &sql, params![m, mode], rows::account))
    }

    fn walk_books_of_all(&self, each: &mut dyn FnMut(BookRow) -> bool) -> Read<()> {
        self.with(|c| {
            c.execute_batch("BEGIN").map_err(error_of)?;
            let walked = walk(c, each);
            let _ = c.execute_batch("COMMIT");
            walked.map(|_| ())
        })
    }

    fn largest_id(&self) -> Read<i64> {
        let sql = "SELECT max(id) FROM (SELECT max(id) AS id FROM merchant \
             UNION ALL SELECT max(id) FROM route UNION ALL SELECT max(id) FROM endpoint \
             UNION ALL SELECT max(id) FROM member UNION ALL SELECT max(top) FROM ( \
               SELECT (SELECT max(p.id) FROM payment p \
                 WHERE p.merchant = m.id AND p.mode = x.mode) AS top \
                 FROM merchant m, (SELECT 0 AS mode UNION SELECT 1) x \
               UNION ALL SELECT (SELECT max(e.id) FROM event e \
                 WHERE e.merchant = m.id AND e.mode = x.mode) \
                 FROM merchant m, (SELECT 0 AS mode UNION SELECT 1) x \
               UNION ALL SELECT (SELECT max(d.id) FROM delivery d \
                 WHERE d.merchant = m.id AND d.mode = x.mode) \
                 FROM merchant m, (SELECT 0 AS mode UNION SELECT 1) x \
               UNION ALL SELECT (SELECT max(r.id) FROM refund r \
                 WHERE r.merchant = m.id AND r.mode = x.mode) \
                 FROM merchant m, (SELECT 0 AS mode UNION SELECT 1) x))";
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0).map_err(error_of);
        self.with(|c| Ok(one(c, sql, [], read)?.flatten().unwrap_or(0)))
    }

    fn backlog_of_all(&self) -> Read<Backlog> {
        let count = |c: &Connection, sql: &str| -> Read<i64> {
            let read = |row: &rusqlite::Row<'_>| row.get(0).map_err(error_of);
            Ok(one(c, sql, [], read)?.unwrap_or(0))
        };
        self.with(|c| {
            Ok(Backlog {
                deliveries_waiting: count(
                    c,
                    "SELECT count(*) FROM delivery WHERE next_at IS NOT NULL",
                )?,
                deliveries_dead: count(c, "SELECT count(*) FROM delivery WHERE state = 'dead'")?,
                operations_unknown: count(
                    c,
                    "SELECT (SELECT count(*) FROM refund WHERE op_state = 'unknown') \
                     + (SELECT count(*) FROM payment WHERE op_state = 'unknown')",
                )?,
                operations_in_review: count(
                    c,
                    "SELECT (SELECT count(*) FROM refund WHERE op_state = 'review') \
                     + (SELECT count(*) FROM payment WHERE op_state = 'review')",
                )?,
                notices_unmatched: count(c, "SELECT count(*) FROM unmatched_notice")?,
            })
        })
    }

    fn setting(&self, name: &str) -> Read<Option<String>> {
        self.with(|c| migrate::setting(c, name).map_err(error_of))
    }

    fn put_setting(&self, name: &str, value: &str) -> Read<()> {
        // A connection of its own: readers cannot write, and the lane's is not ours.
        let connection = Connection::open(&self.path).map_err(error_of)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(error_of)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(error_of)?;
        connection
            .execute(
                "INSERT INTO setting VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [name, value],
            )
            .map_err(error_of)?;
        Ok(())
    }

    fn ping(&self) -> Read<()> {
        self.with(|c| {
            c.query_row("SELECT count(*) FROM migration", [], |row| row.get::<_, i64>(0))
                .optional()
                .map_err(error_of)
                .map(|_| ())
        })
    }

    fn check_file(&self) -> Read<Vec<String>> {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0).map_err(error_of);
        self.with(|c| {
            let mut lines = all(c, "PRAGMA integrity_check", [], read)?;
            lines.retain(|line| line != "ok");
            Ok(lines)
        })
    }
}

fn with_refunds(c: &Connection, batch: RefundBatch) -> Read<(RefundBatch, Vec<Refund>)> {
    let (m, mode) = key(batch.tenant);
    let sql = select_text(
        rows::REFUND,
        "refund WHERE merchant = ?1 AND mode = ?2 AND batch = ?3 ORDER BY id",
    );
    let refunds = all(c, &sql, params![m, mode, batch.id.raw()], rows::refund)?;
    Ok((batch, refunds))
}

/// Passes all rows of one statement; false when told to stop.
fn pass<T>(
    c: &Connection,
    sql: &str,
    decode: impl Fn(&rusqlite::Row<'_>) -> Read<T>,
    each: &mut dyn FnMut(BookRow) -> bool,
    wrap: impl Fn(T) -> BookRow,
) -> Read<bool> {
    let mut statement = c.prepare(sql).map_err(error_of)?;
    let mut found = statement.query([]).map_err(error_of)?;
    while let Some(row) = found.next().map_err(error_of)? {
        if !each(wrap(decode(row)?)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn walk(c: &Connection, each: &mut dyn FnMut(BookRow) -> bool) -> Read<bool> {
    let text = |columns, table| select_text(columns, table);
    Ok(pass(c, &text(rows::ACCOUNT, "account"), rows::account, each, BookRow::Account)?
        && journals(c, each)?
        && pass(c, &text(rows::HOLD, "hold"), rows::hold, each, BookRow::Hold)?
        && pass(c, &text(rows::PAYMENT, "payment"), rows::payment, each, BookRow::Payment)?
        && pass(c, &text(rows::REFUND, "refund"), rows::refund, each, BookRow::Refund)?
        && pass(c, &text(rows::RECEIPT, "receipt"), rows::receipt, each, BookRow::Receipt)?
        && pass(c, &text(rows::BATCH, "refund_batch"), rows::batch, each, BookRow::Batch)?
        && pass(c, &text(rows::EVENT, "event"), rows::event, each, BookRow::Event)?)
}

/// Journals with their entries, by tenant and number.
fn journals(c: &Connection, each: &mut dyn FnMut(BookRow) -> bool) -> Read<bool> {
    let bad = |column: &str| StoreError::Inconsistent(column.to_owned());
    let mut statement = c
        .prepare(
            "SELECT merchant, mode, seq, cause, object, at, hash FROM journal \
             ORDER BY merchant, mode, seq",
        )
        .map_err(error_of)?;
    let entries = "SELECT path, side, amount, balance_after, account_seq FROM entry \
         WHERE merchant = ?1 AND mode = ?2 AND seq = ?3 ORDER BY line";
    let mut heads: Option<ChainHead> = None;
    let mut found = statement.query([]).map_err(error_of)?;
    while let Some(row) = found.next().map_err(error_of)? {
        let number = |index: usize| row.get::<_, i64>(index).map_err(error_of);
        let (merchant, mode, seq) = (number(0)?, number(1)?, number(2)?);
        let word: String = row.get(3).map_err(error_of)?;
        let (object, at) = (number(4)?, number(5)?);
        let hash: [u8; 32] = row.get(6).map_err(error_of)?;
        let tenant = Tenant {
            merchant: Id::from_raw(merchant),
            mode: if mode == 1 { Mode::Live } else { Mode::Test },
        };
        let cause = Cause::from_parts(&word, object).ok_or_else(|| bad("journal.cause"))?;
        let at = Timestamp::from_micros(at);
        let lines = all(c, entries, params![merchant, mode, seq], entry)?;
        // The hash before is that of the row before, whatever its number: a gap shows as one.
        let before = match &heads {
            Some(head) if head.tenant == tenant => head.hash,
            Some(_) | None => [0; 32],
        };
        let head = ChainHead { tenant, seq: seq - 1, hash: before };
        let journal = Journal::from_stored(head, cause, at, lines, hash);
        heads = Some(journal.head());
        if !each(BookRow::Journal(journal)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn entry(row: &rusqlite::Row<'_>) -> Read<Entry> {
    let bad = |column: &str| StoreError::Inconsistent(format!("entry.{column}"));
    let text = |index| row.get::<_, String>(index).map_err(error_of);
    let number = |index| row.get::<_, i64>(index).map_err(error_of);
    let path = AccountPath::from_text(&text(0)?).ok_or_else(|| bad("path"))?;
    let side = match text(1)?.as_str() {
        "D" => Side::Debit,
        "C" => Side::Credit,
        _ => return Err(bad("side")),
    };
    let amount = Amount::new(number(2)?).map_err(|_| bad("amount"))?;
    let (balance_after, account_seq) = (i128::from(number(3)?), number(4)?);
    Ok(Entry { line: Line { path, side, amount }, balance_after, account_seq })
}
