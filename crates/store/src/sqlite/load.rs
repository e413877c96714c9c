//! Loading: one prepared statement for each kind of key, looped. There is no network between us and
//! the data, so a loop of prepared look-ups is the fastest way.

use domain::ledger::{AccountKey, ChainHead};
use domain::payment::Payment;
use domain::state::{Key, State};
use domain::tenant::Tenant;
use rusqlite::{Connection, Params, Row, params};

use super::error_of;
use super::rows::{self, mode_number};
use crate::StoreError;

type Read<T> = Result<T, StoreError>;

/// The first row, decoded.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> Read<T>,
) -> Read<Option<T>> {
    let mut statement = connection.prepare_cached(sql).map_err(error_of)?;
    let mut found = statement.query(params).map_err(error_of)?;
    found.next().map_err(error_of)?.map(decode).transpose()
}

/// All rows, decoded.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut statement = connection.prepare_cached(sql).map_err(error_of)?;
    let mut found = statement.query(params).map_err(error_of)?;
    let mut list = Vec::new();
    while let Some(row) = found.next().map_err(error_of)? {
        list.push(decode(row)?);
    }
    Ok(list)
}

macro_rules! select {
    ($columns:ident, $rest:literal) => {
        &select_text(rows::$columns, $rest)
    };
}

pub(super) fn select_text(columns: &str, rest: &str) -> String {
    format!("SELECT {columns} FROM {rest}")
}

pub(super) fn load(connection: &Connection, keys: &[Key], state: &mut State) -> Read<()> {
    let statements = Statements::new();
    for key in keys {
        if !state.knows(key) {
            load_one(connection, &statements, key, state)?;
        }
    }
    Ok(())
}

/// The texts of the hot statements, put together once a batch.
struct Statements {
    payment: String,
    by_order: String,
    by_number: String,
    by_public: String,
    receipt: String,
    refund: String,
    account: String,
    app: String,
    endpoints: String,
    delivery: String,
}

impl Statements {
    fn new() -> Statements {
        let payment = |rest| select_text(rows::PAYMENT, rest);
        Statements {
            payment: payment("payment WHERE merchant = ?1 AND mode = ?2 AND id = ?3"),
            by_order: payment(
                "payment WHERE merchant = ?1 AND mode = ?2 AND app = ?3 AND channel = ?4 \
                 AND order_no = ?5 AND state <> 'failed'",
            ),
            by_number: payment(
                "payment WHERE merchant = ?1 AND mode = ?2 AND route = ?3 AND number = ?4",
            ),
            by_public: payment("payment WHERE merchant = ?1 AND mode = ?2 AND public_id = ?3"),
            receipt: select_text(
                rows::RECEIPT,
                "receipt WHERE merchant = ?1 AND mode = ?2 AND route = ?3 AND trade_no = ?4",
            ),
            refund: select_text(
                rows::REFUND,
                "refund WHERE merchant = ?1 AND mode = ?2 AND id = ?3",
            ),
            account: select_text(
                rows::ACCOUNT,
                "account WHERE merchant = ?1 AND mode = ?2 AND path = ?3",
            ),
            app: select_text(rows::APP, "app WHERE merchant = ?1 AND id = ?2"),
            endpoints: select_text(
                rows::ENDPOINT,
                "endpoint WHERE merchant = ?1 AND mode = ?2 AND app = ?3 ORDER BY id",
            ),
            delivery: select_text(
                rows::DELIVERY,
                "delivery WHERE merchant = ?1 AND mode = ?2 AND id = ?3",
            ),
        }
    }
}

fn load_one(c: &Connection, s: &Statements, key: &Key, state: &mut State) -> Read<()> {
    let t = |tenant: &Tenant| (tenant.merchant.raw(), mode_number(tenant.mode));
    match key {
        Key::Merchant(id) => {
            let sql = select!(MERCHANT, "merchant WHERE id = ?1");
            state.merchants.load(*id, one(c, sql, [id.raw()], rows::merchant)?);
        }
        Key::App(merchant, id) => {
            let row = one(c, &s.app, params![merchant.raw(), id.as_str()], rows::app)?;
            state.apps.load((*merchant, id.clone()), row);
        }
        Key::ApiKey(hash) => {
            let sql = select!(API_KEY, "api_key WHERE hash = ?1");
            state.api_keys.load(*hash, one(c, sql, [&hash[..]], rows::api_key)?);
        }
        Key::MerchantKey(tenant, fingerprint) => {
            let (m, mode) = t(tenant);
            let sql = select!(
                MERCHANT_KEY,
                "merchant_key WHERE merchant = ?1 AND mode = ?2 AND fingerprint = ?3"
            );
            let row = one(c, sql, params![m, mode, fingerprint], rows::merchant_key)?;
            state.merchant_keys.load((*tenant, fingerprint.clone()), row);
        }
        Key::Route(tenant, id) => {
            let (m, mode) = t(tenant);
            let sql = select!(ROUTE, "route WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
            let row = one(c, sql, params![m, mode, id.raw()], rows::route)?;
            state.routes.load((*tenant, *id), row);
        }
        Key::Endpoint(tenant, id) => {
            let (m, mode) = t(tenant);
            let sql = select!(ENDPOINT, "endpoint WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
            let row = one(c, sql, params![m, mode, id.raw()], rows::endpoint)?;
            state.endpoints.load((*tenant, *id), row);
        }
        Key::Endpoints(tenant, app) => {
            let (m, mode) = t(tenant);
            let found = all(c, &s.endpoints, params![m, mode, app.as_str()], rows::endpoint)?;
            let ids = found.iter().map(|e| e.id).collect();
            for endpoint in found {
                state.endpoints.load((*tenant, endpoint.id), Some(endpoint));
            }
            state.endpoints_of.load((*tenant, app.clone()), Some(ids));
        }
        Key::Member(tenant, app, user) => {
            let (m, mode) = t(tenant);
            let sql = select!(
                MEMBER,
                "member WHERE merchant = ?1 AND mode = ?2 AND app = ?3 AND user = ?4"
            );
            let row = one(c, sql, params![m, mode, app.as_str(), user.as_str()], rows::member)?;
            state.members.load((*tenant, app.clone(), user.clone()), row);
        }
        Key::Payment(tenant, id) => {
            let (m, mode) = t(tenant);
            let row = one(c, &s.payment, params![m, mode, id.raw()], rows::payment)?;
            state.payments.load((*tenant, *id), row);
        }
        Key::Order(tenant, app, channel, number) => {
            let (m, mode) = t(tenant);
            let params = params![m, mode, app.as_str(), channel.as_str(), number.as_str()];
            let row = one(c, &s.by_order, params, rows::payment)?;
            let key = (*tenant, app.clone(), channel.clone(), number.clone());
            let id = state_payment(state, row);
            state.orders.load(key, id);
        }
        Key::Number(tenant, route, number) => {
            let (m, mode) = t(tenant);
            let params = params![m, mode, route.raw(), number.as_str()];
            let row = one(c, &s.by_number, params, rows::payment)?;
            let key = (*tenant, *route, number.clone());
            let id = state_payment(state, row);
            state.numbers.load(key, id);
        }
        Key::PublicPayment(tenant, id) => {
            let (m, mode) = t(tenant);
            let row = one(c, &s.by_public, params![m, mode, id.as_str()], rows::payment)?;
            let payment = state_payment(state, row);
            state.public_payments.load((*tenant, id.clone()), payment);
        }
        Key::Receipt(tenant, route, trade_no) => {
            let (m, mode) = t(tenant);
            let params = params![m, mode, route.raw(), trade_no.as_str()];
            let row = one(c, &s.receipt, params, rows::receipt)?;
            state.receipts.load((*tenant, *route, trade_no.clone()), row);
        }
        Key::Refund(..)
        | Key::RefundsOf(..)
        | Key::Batch(..)
        | Key::BatchById(..)
        | Key::RefundsOfBatch(..)
        | Key::Hold(..) => load_refunds(c, s, key, state)?,
        Key::Account(tenant, path) => {
            let (m, mode) = t(tenant);
            let row = one(c, &s.account, params![m, mode, path.to_text()], rows::account)?;
            state.accounts.load(AccountKey { tenant: *tenant, path: *path }, row);
        }
        Key::Chain(tenant) => {
            let (m, mode) = t(tenant);
            let sql = "SELECT seq, hash FROM chain WHERE merchant = ?1 AND mode = ?2";
            let row = one(c, sql, params![m, mode], |row| {
                let seq = row.get(0).map_err(error_of)?;
                let hash = row.get(1).map_err(error_of)?;
                Ok(ChainHead { tenant: *tenant, seq, hash })
            })?;
            state.chains.load(*tenant, row);
        }
        Key::Delivery(tenant, id) => {
            let (m, mode) = t(tenant);
            let row = one(c, &s.delivery, params![m, mode, id.raw()], rows::delivery)?;
            state.deliveries.load((*tenant, *id), row);
        }
        Key::Unmatched(tenant, notice) => {
            let (m, mode) = t(tenant);
            let sql = "SELECT number, at FROM unmatched_notice \
                       WHERE merchant = ?1 AND mode = ?2 AND notice_id = ?3";
            let row = one(c, sql, params![m, mode, notice], |row| {
                rows::unmatched(row, *tenant, notice.clone())
            })?;
            state.unmatched.load((*tenant, notice.clone()), row);
        }
    }
    Ok(())
}

type PaymentFound = Option<domain::payment::PaymentId>;

/// Puts a found payment in and tells its id.
fn state_payment(state: &mut State, row: Option<Payment>) -> PaymentFound {
    let payment = row?;
    let id = payment.id;
    state.load_payment(payment);
    Some(id)
}

fn load_refunds(c: &Connection, s: &Statements, key: &Key, state: &mut State) -> Read<()> {
    let t = |tenant: &Tenant| (tenant.merchant.raw(), mode_number(tenant.mode));
    match key {
        Key::Refund(tenant, id) => {
            let (m, mode) = t(tenant);
            let row = one(c, &s.refund, params![m, mode, id.raw()], rows::refund)?;
            state.refunds.load((*tenant, *id), row);
        }
        Key::RefundsOf(tenant, payment) => {
            let (m, mode) = t(tenant);
            let sql = select!(
                REFUND,
                "refund WHERE merchant = ?1 AND mode = ?2 AND payment = ?3 ORDER BY created, id"
            );
            let found = all(c, sql, params![m, mode, payment.raw()], rows::refund)?;
            let ids = found.iter().map(|r| r.id).collect();
            for refund in found {
                state.refunds.load((*tenant, refund.id), Some(refund));
            }
            state.refunds_of.load((*tenant, *payment), Some(ids));
        }
        Key::Batch(tenant, app, number) => {
            let (m, mode) = t(tenant);
            let sql = select!(
                BATCH,
                "refund_batch WHERE merchant = ?1 AND mode = ?2 AND app = ?3 AND batch_no = ?4"
            );
            let row = one(c, sql, params![m, mode, app.as_str(), number], rows::batch)?;
            let id = row.as_ref().map(|b| b.id);
            if let Some(batch) = row {
                state.batches.load((*tenant, batch.id), Some(batch));
            }
            state.batch_numbers.load((*tenant, app.clone(), number.clone()), id);
        }
        Key::BatchById(tenant, id) => {
            let (m, mode) = t(tenant);
            let sql = select!(BATCH, "refund_batch WHERE merchant = ?1 AND mode = ?2 AND id = ?3");
            let row = one(c, sql, params![m, mode, id.raw()], rows::batch)?;
            state.batches.load((*tenant, *id), row);
        }
        Key::RefundsOfBatch(tenant, batch) => {
            let (m, mode) = t(tenant);
            let sql = select!(
                REFUND,
                "refund WHERE merchant = ?1 AND mode = ?2 AND batch = ?3 ORDER BY id"
            );
            let found = all(c, sql, params![m, mode, batch.raw()], rows::refund)?;
            let ids = found.iter().map(|r| r.id).collect();
            for refund in found {
                state.refunds.load((*tenant, refund.id), Some(refund));
            }
            state.refunds_of_batch.load((*tenant, *batch), Some(ids));
        }
        Key::Hold(tenant, refund) => {
            let (m, mode) = t(tenant);
            let sql = select!(HOLD, "hold WHERE merchant = ?1 AND mode = ?2 AND refund = ?3");
            let row = one(c, sql, params![m, mode, refund.raw()], rows::hold)?;
            state.holds.load((*tenant, *refund), row);
        }
        other => {
            return Err(StoreError::Inconsistent(format!("{other:?} is no key of a refund")));
        }
    }
    Ok(())
}
