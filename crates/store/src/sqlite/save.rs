//! Saving: every new and changed row of a batch by a prepared statement. The caller commits.
//!
//! A changed row is written only over an older version; anything else is a lost race.

use domain::event::{CourierAnswer, CourierFailure, DeliveryState};
use domain::ledger::Side;
use domain::operation::{Operation, OperationKind, OperationState};
use domain::payment::{CloseReason, Credential, Payment, PaymentState, Receipt};
use domain::refund::{Refund, RefundOrigin, RefundState};
use domain::state::{Fate, HoldState, State};
use domain::tenant::{IdScheme, Tenant};
use domain::time::Timestamp;
use rusqlite::{Connection, ToSql, params};

use super::error_of;
use super::rows::{NOT_ALLOWED, UNREACHABLE, channels_to_text, dialect_word, mode_number};
use crate::StoreError;

type Done = Result<(), StoreError>;

pub(super) fn save(c: &Connection, state: &State) -> Done {
    tenants(c, state)?;
    payments(c, state)?;
    refunds(c, state)?;
    book(c, state)?;
    outbox(c, state)?;
    logs(c, state)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::micros)
}

fn run(c: &Connection, sql: &str, params: &[&dyn ToSql]) -> Done {
    let changed = c
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(error_of)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Race(format!("{changed} rows instead of one by: {sql:.40}")))
    }
}

fn key(tenant: Tenant) -> (i64, i64) {
    (tenant.merchant.raw(), mode_number(tenant.mode))
}

fn tenants(c: &Connection, state: &State) -> Done {
    for (r, _) in state.merchants.dirty() {
        let sql = "INSERT INTO merchant VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
            live_signature_required = excluded.live_signature_required, \
            test_signature_required = excluded.test_signature_required, \
            sign_responses = excluded.sign_responses, disabled = excluded.disabled";
        let row = params![
            r.id.raw(),
            r.name,
            r.created.micros(),
            r.live_signature_required,
            r.test_signature_required,
            r.sign_responses,
            r.disabled
        ];
        run(c, sql, row)?;
    }
    for (r, _) in state.apps.dirty() {
        let scheme = match r.id_scheme {
            IdScheme::Digits => "digits",
            IdScheme::Alphanumeric => "alphanumeric",
        };
        let sql = "INSERT INTO app VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
            ON CONFLICT (merchant, id) DO UPDATE SET display_name = excluded.display_name, \
            id_scheme = excluded.id_scheme, fee_bp = excluded.fee_bp, \
            channels = excluded.channels, disabled = excluded.disabled";
        let row = params![
            r.merchant.raw(),
            r.id.as_str(),
            r.display_name,
            r.created.micros(),
            scheme,
            r.fee.value(),
            channels_to_text(&r.channels),
            r.disabled
        ];
        run(c, sql, row)?;
    }
    for (r, _) in state.api_keys.dirty() {
        let sql = "INSERT INTO api_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
            ON CONFLICT (hash) DO UPDATE SET revoked = excluded.revoked";
        let row = params![
            &r.hash[..],
            r.merchant.raw(),
            mode_number(r.mode),
            dialect_word(r.dialect),
            r.hint,
            r.created.micros(),
            micros(r.revoked)
        ];
        run(c, sql, row)?;
    }
    for (r, _) in state.merchant_keys.dirty() {
        let (m, mode) = key(r.tenant);
        let sql = "INSERT INTO merchant_key VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
            ON CONFLICT (merchant, mode, fingerprint) DO UPDATE SET revoked = excluded.revoked";
        let (created, revoked) = (r.created.micros(), micros(r.revoked));
        run(c, sql, params![m, mode, r.fingerprint, r.pem, created, revoked])?;
    }
    for (r, _) in state.routes.dirty() {
        let (m, mode) = key(r.tenant);
        let sql = "INSERT INTO route VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
            ON CONFLICT (merchant, mode, id) DO UPDATE SET connector = excluded.connector, \
            name = excluded.name, settings = excluded.settings, version = excluded.version, \
            disabled = excluded.disabled";
        let id = r.id.raw();
        let row = params![m, mode, id, r.connector, r.name, r.settings, r.version, r.disabled];
        run(c, sql, row)?;
    }
    for (r, _) in state.endpoints.dirty() {
        let (m, mode) = key(r.tenant);
        let sql = "INSERT INTO endpoint VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
            ON CONFLICT (merchant, mode, id) DO UPDATE SET url = excluded.url, \
            events = excluded.events, disabled = excluded.disabled";
        let row = params![
            m,
            mode,
            r.id.raw(),
            r.app.as_str(),
            dialect_word(r.dialect),
            r.url,
            serde_json::to_string(&r.events).unwrap_or_default(),
            r.created.micros(),
            r.disabled
        ];
        run(c, sql, row)?;
    }
    for (r, _) in state.members.dirty() {
        let (m, mode) = key(r.tenant);
        let sql = "INSERT INTO member VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
            ON CONFLICT (merchant, mode, app, user) DO UPDATE SET disabled = excluded.disabled";
        let (app, user, id) = (r.app.as_str(), r.user.as_str(), r.id.raw());
        run(c, sql, params![m, mode, app, user, id, r.created.micros(), r.disabled])?;
    }
    Ok(())
}

/// The nullable columns of a payment's state.
#[derive(Default)]
struct StateColumns<'a> {
    state: &'static str,
    credential_kind: Option<&'static str>,
    credential: Option<&'a str>,
    why: Option<&'static str>,
    at: Option<i64>,
    receipt: Option<&'a Receipt>,
    code: Option<&'a str>,
    message: Option<&'a str>,
}

fn state_columns(payment: &Payment) -> StateColumns<'_> {
    let none = StateColumns::default();
    match &payment.state {
        PaymentState::Created => StateColumns { state: "created", ..none },
        PaymentState::Pending { credential } => {
            let (kind, text) = match credential {
                Credential::Nothing => ("nothing", None),
                Credential::Page(text) => ("page", Some(&**text)),
                Credential::OrderString(text) => ("order_string", Some(&**text)),
                Credential::Qr(text) => ("qr", Some(&**text)),
                Credential::Trade(text) => ("trade", Some(&**text)),
            };
            let credential_kind = Some(kind);
            StateColumns { state: "pending", credential_kind, credential: text, ..none }
        }
        PaymentState::Closing { why } => {
            StateColumns { state: "closing", why: Some(why_word(*why)), ..none }
        }
        PaymentState::Paid(receipt) => {
            StateColumns { state: "paid", receipt: Some(receipt), ..none }
        }
        PaymentState::Reversing(receipt) => {
            StateColumns { state: "reversing", receipt: Some(receipt), ..none }
        }
        PaymentState::Closed { why, at } => {
            let (why, at) = (Some(why_word(*why)), Some(at.micros()));
            StateColumns { state: "closed", why, at, ..none }
        }
        PaymentState::Reversed { receipt, at } => {
            let (receipt, at) = (Some(receipt), Some(at.micros()));
            StateColumns { state: "reversed", receipt, at, ..none }
        }
        PaymentState::Failed { code, message, at } => {
            let (code, message, at) = (Some(&**code), Some(&**message), Some(at.micros()));
            StateColumns { state: "failed", code, message, at, ..none }
        }
    }
}

fn why_word(why: CloseReason) -> &'static str {
    match why {
        CloseReason::Expired => "expired",
        CloseReason::Reversed => "reversed",
    }
}

/// The nullable columns of an operation.
#[derive(Default)]
struct OperationColumns<'a> {
    kind: Option<&'static str>,
    state: Option<&'static str>,
    tries: Option<u16>,
    queries: Option<u16>,
    token: Option<u32>,
    next_at: Option<i64>,
    code: Option<&'a str>,
}

fn operation_columns(operation: Option<&Operation>) -> OperationColumns<'_> {
    let Some(o) = operation else { return OperationColumns::default() };
    OperationColumns {
        kind: Some(match o.kind {
            OperationKind::Prepare => "prepare",
            OperationKind::Close => "close",
            OperationKind::Reverse => "reverse",
            OperationKind::Refund => "refund",
        }),
        state: Some(match o.state {
            OperationState::Intent => "intent",
            OperationState::Dispatching => "dispatching",
            OperationState::Unknown => "unknown",
            OperationState::Review => "review",
        }),
        tries: Some(o.tries),
        queries: Some(o.queries),
        token: Some(o.token),
        next_at: micros(o.next_at),
        code: o.last_code.as_deref(),
    }
}

const INSERT_PAYMENT: &str = "INSERT INTO payment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
    ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, \
    ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, ?45)";

const UPDATE_PAYMENT: &str = "UPDATE payment SET state = ?4, credential_kind = ?5, \
    credential = ?6, why = ?7, state_at = ?8, trade_no = ?9, paid_at = ?10, details = ?11, \
    code = ?12, message = ?13, refunded = ?14, refunding = ?15, refunds = ?16, op_kind = ?17, \
    op_state = ?18, op_tries = ?19, op_queries = ?20, op_token = ?21, op_next_at = ?22, \
    op_code = ?23, queries = ?24, next_at = ?25, version = ?26 \
    WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND version < ?26";

fn payments(c: &Connection, state: &State) -> Done {
    for (p, fate) in state.payments.dirty() {
        let (m, mode) = key(p.tenant);
        let s = state_columns(p);
        let o = operation_columns(p.operation.as_ref());
        let trade_no = s.receipt.map(|r| r.trade_no.as_str());
        let paid_at = s.receipt.map(|r| r.paid_at.micros());
        let details = s.receipt.and_then(|r| serde_json::to_string(&r.details).ok());
        match fate {
            Fate::Clean => {}
            Fate::New => run(
                c,
                INSERT_PAYMENT,
                params![
                    m,
                    mode,
                    p.id.raw(),
                    p.app.as_str(),
                    dialect_word(p.dialect),
                    p.public_id.as_str(),
                    p.channel.as_str(),
                    p.route.raw(),
                    p.order_no.as_str(),
                    p.number.as_str(),
                    p.money.currency.code(),
                    p.money.amount.minor(),
                    p.fee.minor(),
                    p.subject.as_str(),
                    p.body.as_str(),
                    p.description.as_ref().map(|d| d.as_str()),
                    p.client_ip,
                    p.echo.as_str(),
                    p.payer.map(|id| id.raw()),
                    p.created.micros(),
                    p.expires.micros(),
                    s.state,
                    s.credential_kind,
                    s.credential,
                    s.why,
                    s.at,
                    trade_no,
                    paid_at,
                    details,
                    s.code,
                    s.message,
                    p.refunded.minor(),
                    p.refunding.minor(),
                    p.refunds,
                    o.kind,
                    o.state,
                    o.tries,
                    o.queries,
                    o.token,
                    o.next_at,
                    o.code,
                    p.queries,
                    micros(p.next_at),
                    p.request.as_ref().map(|r| r.as_str()),
                    p.version
                ],
            )?,
            Fate::Changed => run(
                c,
                UPDATE_PAYMENT,
                params![
                    m,
                    mode,
                    p.id.raw(),
                    s.state,
                    s.credential_kind,
                    s.credential,
                    s.why,
                    s.at,
                    trade_no,
                    paid_at,
                    details,
                    s.code,
                    s.message,
                    p.refunded.minor(),
                    p.refunding.minor(),
                    p.refunds,
                    o.kind,
                    o.state,
                    o.tries,
                    o.queries,
                    o.token,
                    o.next_at,
                    o.code,
                    p.queries,
                    micros(p.next_at),
                    p.version
                ],
            )?,
        }
    }
    for (r, _) in state.receipts.dirty() {
        let (m, mode) = key(r.tenant);
        let sql = "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (route, payment) = (r.route.raw(), r.payment.raw());
        let (trade_no, amount) = (r.trade_no.as_str(), r.amount.minor());
        run(c, sql, params![m, mode, route, trade_no, payment, amount, r.late])?;
    }
    Ok(())
}

const INSERT_REFUND: &str = "INSERT INTO refund VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
    ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, \
    ?29, ?30, ?31)";

const UPDATE_REFUND: &str = "UPDATE refund SET state = ?4, state_at = ?5, trade_no = ?6, \
    code = ?7, message = ?8, op_kind = ?9, op_state = ?10, op_tries = ?11, op_queries = ?12, \
    op_token = ?13, op_next_at = ?14, op_code = ?15, version = ?16 \
    WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND version < ?16";

fn refunds(c: &Connection, state: &State) -> Done {
    for (b, fate) in state.batches.dirty() {
        let (m, mode) = key(b.tenant);
        match fate {
            Fate::Clean => {}
            Fate::New => {
                let sql = "INSERT INTO refund_batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
                    ?10, ?11, ?12, ?13, ?14, ?15)";
                let row = params![
                    m,
                    mode,
                    b.id.raw(),
                    b.app.as_str(),
                    b.public_id.as_str(),
                    b.batch_no,
                    b.description.as_str(),
                    b.echo.as_str(),
                    b.created.micros(),
                    b.total,
                    b.succeeded,
                    b.failed,
                    micros(b.finished),
                    b.request.as_ref().map(|r| r.as_str()),
                    b.version
                ];
                run(c, sql, row)?;
            }
            Fate::Changed => {
                let sql = "UPDATE refund_batch SET succeeded = ?4, failed = ?5, finished = ?6, \
                    version = ?7 WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND version < ?7";
                let id = b.id.raw();
                let finished = micros(b.finished);
                run(c, sql, params![m, mode, id, b.succeeded, b.failed, finished, b.version])?;
            }
        }
    }
    for (r, fate) in state.refunds.dirty() {
        refund(c, r, fate)?;
    }
    for (h, fate) in state.holds.dirty() {
        let (m, mode) = key(h.tenant);
        let word = match h.state {
            HoldState::Open => "open",
            HoldState::Captured => "captured",
            HoldState::Released => "released",
        };
        let refund = h.refund.raw();
        match fate {
            Fate::Clean => {}
            Fate::New => {
                let sql = "INSERT INTO hold VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                let (path, amount) = (h.path.to_text(), h.amount.minor());
                run(c, sql, params![m, mode, refund, path, amount, word, h.version])?;
            }
            Fate::Changed => {
                let sql = "UPDATE hold SET state = ?4, version = ?5 WHERE merchant = ?1 \
                    AND mode = ?2 AND refund = ?3 AND version < ?5";
                run(c, sql, params![m, mode, refund, word, h.version])?;
            }
        }
    }
    Ok(())
}

fn refund(c: &Connection, r: &Refund, fate: Fate) -> Done {
    let (m, mode) = key(r.tenant);
    let o = operation_columns(r.operation.as_ref());
    let (word, at, trade_no, code, message) = match &r.state {
        RefundState::Pending => ("pending", None, None, None, None),
        RefundState::Succeeded { at, trade_no } => {
            ("succeeded", Some(at.micros()), trade_no.as_ref().map(|t| t.as_str()), None, None)
        }
        RefundState::Failed { at, code, message } => {
            ("failed", Some(at.micros()), None, Some(&**code), Some(&**message))
        }
    };
    let (origin, batch) = match r.origin {
        RefundOrigin::Merchant => ("merchant", None),
        RefundOrigin::Batch(id) => ("batch", Some(id.raw())),
        RefundOrigin::Reversal => ("reversal", None),
        RefundOrigin::Late => ("late", None),
        RefundOrigin::Import => ("import", None),
    };
    match fate {
        Fate::Clean => Ok(()),
        Fate::New => run(
            c,
            INSERT_REFUND,
            params![
                m,
                mode,
                r.id.raw(),
                r.app.as_str(),
                r.payment.raw(),
                r.public_id.as_str(),
                r.route.raw(),
                r.number.as_str(),
                r.money.currency.code(),
                r.money.amount.minor(),
                r.description.as_str(),
                r.echo.as_str(),
                origin,
                batch,
                r.created.micros(),
                word,
                at,
                trade_no,
                code,
                message,
                o.kind,
                o.state,
                o.tries,
                o.queries,
                o.token,
                o.next_at,
                o.code,
                r.request.as_ref().map(|id| id.as_str()),
                r.exact_request.as_ref().map(|h| &h[..]),
                &r.body_hash[..],
                r.version
            ],
        ),
        Fate::Changed => run(
            c,
            UPDATE_REFUND,
            params![
                m,
                mode,
                r.id.raw(),
                word,
                at,
                trade_no,
                code,
                message,
                o.kind,
                o.state,
                o.tries,
                o.queries,
                o.token,
                o.next_at,
                o.code,
                r.version
            ],
        ),
    }
}

fn sum(value: i128) -> Result<i64, StoreError> {
    i64::try_from(value)
        .map_err(|_| StoreError::Inconsistent("account: a sum is out of range".into()))
}

fn book(c: &Connection, state: &State) -> Done {
    for (a, fate) in state.accounts.dirty() {
        let (m, mode) = key(a.key.tenant);
        let path = a.key.path.to_text();
        let (debits, credits) = (sum(a.debits)?, sum(a.credits)?);
        let sql = match fate {
            Fate::Clean => continue,
            Fate::New => "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            Fate::Changed => {
                "UPDATE account SET debits = ?4, credits = ?5, held = ?6, entries = ?7 \
                 WHERE merchant = ?1 AND mode = ?2 AND path = ?3 AND entries <= ?7"
            }
        };
        run(c, sql, params![m, mode, path, debits, credits, a.held.minor(), a.entries])?;
    }
    for (h, _) in state.chains.dirty() {
        let (m, mode) = key(h.tenant);
        let sql = "INSERT INTO chain VALUES (?1, ?2, ?3, ?4) ON CONFLICT (merchant, mode) \
            DO UPDATE SET seq = excluded.seq, hash = excluded.hash WHERE seq < excluded.seq";
        run(c, sql, params![m, mode, h.seq, &h.hash[..]])?;
    }
    for j in &state.journals {
        let (m, mode) = key(j.tenant());
        let (cause, object) = j.cause().parts();
        let sql = "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let (at, day) = (j.at().micros(), j.day().number());
        run(c, sql, params![m, mode, j.seq(), cause, object, at, day, &j.hash()[..]])?;
        for (line, e) in j.entries().iter().enumerate() {
            let sql = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let side = match e.line.side {
                Side::Debit => "D",
                Side::Credit => "C",
            };
            let line = i64::try_from(line).unwrap_or(i64::MAX);
            let (path, amount) = (e.line.path.to_text(), e.line.amount.minor());
            let after = sum(e.balance_after)?;
            let row = params![m, mode, j.seq(), line, path, side, amount, after, e.account_seq];
            run(c, sql, row)?;
        }
    }
    Ok(())
}

fn outbox(c: &Connection, state: &State) -> Done {
    for e in &state.events {
        let (m, mode) = key(e.tenant);
        let (about, object) = e.about.parts();
        let sql = "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let row = params![
            m,
            mode,
            e.id.raw(),
            e.app.as_str(),
            dialect_word(e.dialect),
            e.public_id.as_str(),
            e.event_type,
            about,
            object,
            e.created.micros(),
            e.body
        ];
        run(c, sql, row)?;
    }
    for (d, fate) in state.deliveries.dirty() {
        let (m, mode) = key(d.tenant);
        let word = match d.state {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sending => "sending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        };
        let (id, next_at) = (d.id.raw(), micros(d.next_at));
        match fate {
            Fate::Clean => {}
            Fate::New => {
                let sql =
                    "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
                let row = params![
                    m,
                    mode,
                    id,
                    d.event.raw(),
                    d.endpoint.raw(),
                    word,
                    d.tries,
                    d.token,
                    next_at,
                    d.created.micros(),
                    d.version
                ];
                run(c, sql, row)?;
            }
            Fate::Changed => {
                let sql = "UPDATE delivery SET state = ?4, tries = ?5, token = ?6, next_at = ?7, \
                    version = ?8 WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND version < ?8";
                run(c, sql, params![m, mode, id, word, d.tries, d.token, next_at, d.version])?;
            }
        }
    }
    for (n, _) in state.unmatched.dirty() {
        let (m, mode) = key(n.tenant);
        let sql = "INSERT INTO unmatched_notice VALUES (?1, ?2, ?3, ?4, ?5)";
        run(c, sql, params![m, mode, n.notice_id, n.number.as_str(), n.at.micros()])?;
    }
    Ok(())
}

fn logs(c: &Connection, state: &State) -> Done {
    for a in &state.audit {
        let (m, mode) = key(a.tenant);
        let sql = "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        run(c, sql, params![m, mode, a.at.micros(), a.actor.word(), a.action, a.object])?;
    }
    for a in &state.attempts {
        let (m, mode) = key(a.tenant);
        let (about, object) = a.about.parts();
        let sql = "INSERT INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let at = a.at.micros();
        run(c, sql, params![m, mode, about, object, at, a.token, a.step, a.code])?;
    }
    for a in &state.delivery_attempts {
        let (m, mode) = key(a.tenant);
        let (status, excerpt): (Option<u16>, &str) = match &a.answer {
            CourierAnswer::Answered { status, excerpt } => (Some(*status), excerpt),
            CourierAnswer::Failed(CourierFailure::AddressNotAllowed) => (None, NOT_ALLOWED),
            CourierAnswer::Failed(CourierFailure::Unreachable) => (None, UNREACHABLE),
        };
        let sql = "INSERT INTO delivery_attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (delivery, at) = (a.delivery.raw(), a.at.micros());
        run(c, sql, params![m, mode, delivery, a.number, at, status, excerpt])?;
    }
    Ok(())
}
