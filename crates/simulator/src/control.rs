//! The control API: plays the payer, sets faults, and opens the book and the journal to tests.
//!
//! Not part of any channel. It has no authentication, so it must only be reachable where a
//! demonstration or a test runs.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sign::rsa::PublicKey;

use crate::Simulator;
use crate::book::Book;
use crate::faults::{self, Faults};
use crate::notice::china;
use crate::refusal::Refusal;
use crate::settings::MerchantApp;
use crate::trade::{LastTry, State as TradeState, Trade};
use crate::wire::yuan;

/// Body of `POST /control/trades/{out_trade_no}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(rename = "do")]
    act: Option<Act>,
    faults: Option<Faults>,
    app_id: Option<String>,
}

/// What can be done to a trade.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    /// The payer pays; a code is scanned first.
    Pay,
    /// The payer's try fails; the trade stays open, except at a scanner.
    Fail,
    /// The payer leaves; the trade stays open, except at a scanner.
    Cancel,
    /// The channel closes an unpaid trade.
    Close,
    /// The time to pay is over now.
    Expire,
    /// The payer scans a code and does not pay yet.
    Scan,
    /// The refund period is over.
    Finish,
    /// Pending refunds fail and new ones are refused.
    RefundFail,
    /// Pending refunds are done and new ones succeed.
    RefundOk,
    /// Unacknowledged notifications go out now, or else the latest news once more.
    Notify,
    /// Nothing but the faults.
    Faults,
}

/// Query of `GET /control/journal`.
#[derive(Deserialize)]
pub(crate) struct JournalQuery {
    since: Option<u64>,
    out_trade_no: Option<String>,
}

/// Body of `POST /control/apps`.
#[derive(Deserialize)]
struct NewApp {
    app_id: String,
    seller_id: String,
    seller_email: Option<String>,
    /// PEM, or the bare base64 of an SPKI key.
    public_key: String,
}

fn error(status: StatusCode, words: &str) -> Response {
    (status, Json(json!({ "error": words }))).into_response()
}

/// `POST /control/trades/{out_trade_no}`.
pub(crate) async fn order(
    State(sim): State<Arc<Simulator>>,
    Path(out_trade_no): Path<String>,
    body: Bytes,
) -> Response {
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(why) => return error(StatusCode::BAD_REQUEST, &why.to_string()),
    };
    let answer = obey(&sim, &out_trade_no, order);
    sim.wake();
    answer
}

fn obey(sim: &Simulator, out_trade_no: &str, order: Order) -> Response {
    let now = sim.now();
    let mut book = sim.book();
    let seller = match &order.app_id {
        None => None,
        Some(app_id) => match book.app(app_id) {
            Some(app) => Some(app.merchant.seller_id.clone()),
            None => return error(StatusCode::NOT_FOUND, "no such app"),
        },
    };
    let found: Vec<u64> = match &seller {
        Some(seller) => book.find(seller, out_trade_no).into_iter().collect(),
        None => book.find_everywhere(out_trade_no),
    };
    let id = match found[..] {
        [id] => Some(id),
        [] => None,
        _ => return error(StatusCode::CONFLICT, "several sellers use this number: give app_id"),
    };
    if let Some(faults) = order.faults {
        let seller = id
            .and_then(|id| book.known(id).map(|trade| trade.seller_id.clone()))
            .or_else(|| seller.clone())
            .unwrap_or_default();
        if book.set_faults(&seller, out_trade_no, faults).is_err() {
            return error(StatusCode::INTERNAL_SERVER_ERROR, "the book cannot be written");
        }
    }
    let act = order.act.unwrap_or(Act::Faults);
    let Some(id) = id else {
        return match act {
            Act::Faults => Json(json!({
                "out_trade_no": out_trade_no,
                "status": "NOT_EXIST",
                "faults": book.faults(seller.as_deref().unwrap_or_default(), out_trade_no),
            }))
            .into_response(),
            _ => error(StatusCode::NOT_FOUND, "no such trade"),
        };
    };
    match perform(&mut book, id, act, now) {
        Ok(()) => match book.trade(id, now).cloned() {
            Ok(trade) => Json(view(sim, &book, id, &trade)).into_response(),
            Err(refusal) => error(StatusCode::INTERNAL_SERVER_ERROR, refusal.sub_code),
        },
        Err(refusal) => error(StatusCode::CONFLICT, refusal.sub_code),
    }
}

fn perform(book: &mut Book, id: u64, act: Act, now: i64) -> Result<(), Refusal> {
    match act {
        Act::Faults => Ok(()),
        Act::Notify => book.notify_again(id, now),
        Act::Pay => book.change(id, now, |trade| Ok(((), trade.pay(now)?))),
        Act::Fail => book.change(id, now, |trade| Ok(((), trade.give_up(LastTry::Failed, now)?))),
        Act::Cancel => {
            book.change(id, now, |trade| Ok(((), trade.give_up(LastTry::Cancelled, now)?)))
        }
        Act::Close => book.change(id, now, |trade| Ok(((), trade.close(now)?))),
        Act::Scan => book.change(id, now, |trade| Ok((trade.scan(now)?, Vec::new()))),
        Act::Finish => book.change(id, now, |trade| Ok((trade.finish()?, Vec::new()))),
        Act::RefundFail => book.change(id, now, |trade| {
            trade.fail_refunds();
            Ok(((), Vec::new()))
        }),
        Act::RefundOk => book.change(id, now, |trade| Ok(((), trade.complete_refunds(now)))),
        Act::Expire => book.change(id, now, |trade| match trade.state {
            TradeState::Coded { .. } => {
                trade.state = TradeState::Coded { code_expires_at: now };
                Ok(((), Vec::new()))
            }
            TradeState::Waiting => {
                trade.expires_at = now;
                Ok(((), trade.expire()))
            }
            TradeState::Paid { .. }
            | TradeState::Finished { .. }
            | TradeState::Refunded { .. }
            | TradeState::Closed { .. } => Err(Refusal::TRADE_STATUS_ERROR),
        }),
    }
}

/// A trade as the control API shows it: amounts as yuan text and as fen, instants in China time.
fn view(sim: &Simulator, book: &Book, id: u64, trade: &Trade) -> Value {
    let refunds: Vec<Value> = trade
        .refunds
        .iter()
        .map(|refund| {
            json!({
                "out_request_no": refund.out_request_no,
                "amount": yuan(refund.fen),
                "fen": refund.fen,
                "done": refund.done,
                "at": china(refund.at),
            })
        })
        .collect();
    json!({
        "app_id": trade.app_id,
        "seller_id": trade.seller_id,
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "status": trade.status().unwrap_or("NOT_SCANNED"),
        "opened_by": trade.opened_by,
        "subject": trade.subject,
        "total_amount": yuan(trade.total_fen),
        "total_fen": trade.total_fen,
        "paid_fen": if trade.paid_at().is_some() { trade.total_fen } else { 0 },
        "refunded_amount": yuan(trade.refunded_fen()),
        "refunded_fen": trade.refunded_fen(),
        "refunds": refunds,
        "created_at": china(trade.created_at),
        "expires_at": china(trade.expires_at),
        "paid_at": trade.paid_at().map(china),
        "closed_at": trade.closed_at().map(china),
        "last_try": trade.last_try,
        "notify_url": trade.notify_url,
        "cashier_url": format!("{}/cashier/{}", sim.base_url(), trade.token),
        "code_url": format!("{}/code/{}", sim.base_url(), trade.token),
        "open_notifications": book.outbox.of_trade(id).count(),
        "faults": book.faults(&trade.seller_id, &trade.out_trade_no),
    })
}

/// `GET /control/trades/{out_trade_no}`: the first trade with this number.
pub(crate) async fn trade(
    State(sim): State<Arc<Simulator>>,
    Path(out_trade_no): Path<String>,
) -> Response {
    let now = sim.now();
    let mut book = sim.book();
    let Some(id) = book.find_everywhere(&out_trade_no).first().copied() else {
        return error(StatusCode::NOT_FOUND, "no such trade");
    };
    match book.trade(id, now).cloned() {
        Ok(trade) => Json(view(&sim, &book, id, &trade)).into_response(),
        Err(refusal) => error(StatusCode::INTERNAL_SERVER_ERROR, refusal.sub_code),
    }
}

/// `GET /control/trades`: the whole book, oldest first.
pub(crate) async fn trades(State(sim): State<Arc<Simulator>>) -> Response {
    let now = sim.now();
    let mut book = sim.book();
    book.expire_due(now);
    let trades: Vec<Value> =
        book.trades().map(|(id, trade)| view(&sim, &book, id, trade)).collect();
    Json(json!({ "trades": trades })).into_response()
}

/// `GET /control/journal`.
pub(crate) async fn journal(
    State(sim): State<Arc<Simulator>>,
    Query(query): Query<JournalQuery>,
) -> Response {
    let journal = sim.journal();
    let entries = journal.read(query.since.unwrap_or(0), query.out_trade_no.as_deref());
    Json(json!({ "entries": entries, "last": journal.last() })).into_response()
}

/// `GET /control/faults`.
pub(crate) async fn faults() -> Response {
    Json(faults::explained()).into_response()
}

/// `GET /control/apps`: the registered apps and the channel's public key.
pub(crate) async fn apps(State(sim): State<Arc<Simulator>>) -> Response {
    let apps: Vec<Value> = sim
        .book()
        .apps()
        .iter()
        .map(|app| {
            json!({
                "app_id": app.merchant.app_id,
                "seller_id": app.merchant.seller_id,
                "seller_email": app.merchant.seller_email,
                "certificate_mode": app.numbers.is_some(),
            })
        })
        .collect();
    let key = sim.alipay_public_key();
    Json(json!({
        "apps": apps,
        "alipay_public_key": key.to_spki_base64(),
        "alipay_public_key_pem": key.to_spki_pem(),
        "gateway_url": format!("{}/alipay/gateway.do", sim.base_url()),
    }))
    .into_response()
}

/// `POST /control/apps`: registers an app, or replaces its key.
pub(crate) async fn register(State(sim): State<Arc<Simulator>>, body: Bytes) -> Response {
    let new: NewApp = match serde_json::from_slice(&body) {
        Ok(new) => new,
        Err(why) => return error(StatusCode::BAD_REQUEST, &why.to_string()),
    };
    let key = PublicKey::from_pem(&new.public_key)
        .or_else(|_| PublicKey::from_base64_der(new.public_key.trim()));
    let Ok(app_public_key) = key else {
        return error(StatusCode::BAD_REQUEST, "public_key is no RSA key of 2048 bits or more");
    };
    let merchant = MerchantApp {
        app_id: new.app_id,
        seller_id: new.seller_id,
        seller_email: new.seller_email.unwrap_or_default(),
        app_public_key,
        certificates: None,
    };
    match sim.register(merchant) {
        Ok(()) => apps(State(sim)).await,
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}
