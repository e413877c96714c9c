//! Objects as merchants see them: fixed names in a fixed order (specs/pingpp.md §2.1, §2.6, §2.8,
//! §3.1), maps that are always maps, flags that are always there.
//!
//! Reads values only; decides and loads nothing, because webhook bodies are made inside a commit.

use std::borrow::Cow;
use std::collections::HashMap;

use domain::payment::{CloseReason, Payment, PaymentId, PaymentState};
use domain::refund::{Refund, RefundBatch, RefundState};
use domain::tenant::{App, Mode};
use domain::text::Echo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::credential::Envelope;
use super::value::{Map, Value};

/// Refunds that a charge embeds.
pub(super) const EMBEDDED_REFUNDS_MAX: usize = 10;

/// Any object as JSON text.
pub(super) fn to_json(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("texts, numbers and maps with text keys always serialise")
}

/// A list around objects that are JSON already. `url` is a path (R19).
pub(super) fn list(url: &str, has_more: bool, data: &[String]) -> String {
    let data = data.join(",");
    format!(r#"{{"object":"list","url":"{url}","has_more":{has_more},"data":[{data}]}}"#)
}

/// A charge (§3.1).
#[derive(Serialize)]
pub(super) struct Charge<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    livemode: bool,
    paid: bool,
    refunded: bool,
    reversed: bool,
    app: AppField<'a>,
    channel: &'a str,
    order_no: &'a str,
    client_ip: &'a str,
    amount: i64,
    amount_settle: i64,
    currency: String,
    subject: &'a str,
    body: &'a str,
    extra: Box<RawValue>,
    time_paid: Option<i64>,
    time_expire: i64,
    time_settle: Option<i64>,
    transaction_no: Option<&'a str>,
    refunds: RefundList<'a>,
    amount_refunded: i64,
    failure_code: Option<&'static str>,
    failure_msg: Option<String>,
    metadata: Cow<'a, RawValue>,
    credential: Envelope<'a>,
    description: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AppField<'a> {
    Id(&'a str),
    Object(AppObject<'a>),
}

/// An app, for `expand[]=app` (§2.9).
#[derive(Serialize)]
struct AppObject<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    display_name: &'a str,
    notify_url: Option<&'a str>,
    goods_type: i32,
    channels_supported: Vec<&'a str>,
}

#[derive(Serialize)]
struct RefundList<'a> {
    object: &'static str,
    url: Option<String>,
    has_more: bool,
    data: Vec<RefundObject<'a>>,
}

/// A refund (§2.6).
#[derive(Serialize)]
pub(super) struct RefundObject<'a> {
    id: &'a str,
    object: &'static str,
    order_no: &'a str,
    amount: i64,
    currency: String,
    created: i64,
    succeed: bool,
    status: &'static str,
    time_succeed: Option<i64>,
    description: &'a str,
    failure_code: Option<&'static str>,
    failure_msg: Option<String>,
    metadata: Cow<'a, RawValue>,
    charge: &'a str,
    charge_order_no: &'a str,
    transaction_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    funding_source: Option<Cow<'a, str>>,
    extra: Cow<'a, RawValue>,
    app: &'a str,
}

/// What the merchant sent and gets back, as it was put away.
#[derive(Deserialize)]
struct Echoed<'a> {
    #[serde(borrow)]
    extra: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    funding_source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    charges: Option<&'a RawValue>,
}

impl<'a> Echoed<'a> {
    fn of(echo: &'a Echo) -> Echoed<'a> {
        serde_json::from_str(echo.as_str()).unwrap_or_else(|error| {
            tracing::error!(%error, "an echo cannot be read; empty maps are shown in its place");
            Echoed { extra: None, metadata: None, funding_source: None, charges: None }
        })
    }
}

fn map_or_empty(raw: Option<&RawValue>) -> Cow<'_, RawValue> {
    match raw {
        Some(raw) if raw.get().starts_with('{') => Cow::Borrowed(raw),
        _ => Cow::Owned(raw_json("{}".into())),
    }
}

fn raw_json(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("the text was just written as JSON")
}

impl<'a> Charge<'a> {
    /// A payment with its newest refunds (newest first; one more than are shown says that there are
    /// more). `app` is given where it is to be expanded.
    pub(super) fn new(
        payment: &'a Payment,
        refunds: &'a [Refund],
        app: Option<&'a App>,
    ) -> Charge<'a> {
        let echoed = Echoed::of(&payment.echo);
        let receipt = payment.receipt();
        let amount = payment.money.amount;
        let (failure_code, failure_msg) = match &payment.state {
            PaymentState::Failed { code, message, .. } => {
                (Some("channel_request_error"), Some(format!("{message} ({code})")))
            }
            _ => (None, None),
        };
        let shown = refunds.iter().take(EMBEDDED_REFUNDS_MAX);
        Charge {
            id: payment.public_id.as_str(),
            object: "charge",
            created: payment.created.seconds(),
            livemode: payment.tenant.mode == Mode::Live,
            paid: receipt.is_some(),
            refunded: payment.refunds > 0,
            reversed: is_reversed(payment),
            app: match app {
                Some(app) => AppField::Object(AppObject::new(app, payment.tenant.mode)),
                None => AppField::Id(payment.app.as_str()),
            },
            channel: payment.channel.as_str(),
            order_no: payment.order_no.as_str(),
            client_ip: &payment.client_ip,
            amount: amount.minor(),
            amount_settle: amount.saturating_minus(payment.fee).minor(),
            currency: payment.money.currency.code().to_ascii_lowercase(),
            subject: payment.subject.as_str(),
            body: payment.body.as_str(),
            extra: extra_of(payment, echoed.extra),
            time_paid: receipt.map(|r| r.paid_at.seconds()),
            time_expire: payment.expires.seconds(),
            time_settle: None,
            transaction_no: receipt.map(|r| r.trade_no.as_str()),
            refunds: RefundList {
                object: "list",
                url: Some(refunds_url(payment)),
                has_more: refunds.len() > EMBEDDED_REFUNDS_MAX,
                data: shown.map(|refund| RefundObject::new(refund, payment)).collect(),
            },
            amount_refunded: payment.refunded.minor(),
            failure_code,
            failure_msg,
            metadata: map_or_empty(echoed.metadata),
            credential: Envelope(payment),
            description: payment.description.as_ref().map(|note| note.as_str()),
        }
    }
}

/// Where the refunds of a charge are.
pub(super) fn refunds_url(payment: &Payment) -> String {
    format!("/v1/charges/{}/refunds", payment.public_id)
}

/// Taken back, whole, and surely so: while the channel is still being asked it is not.
pub(super) fn is_reversed(payment: &Payment) -> bool {
    match &payment.state {
        PaymentState::Closed { why, .. } => *why == CloseReason::Reversed,
        PaymentState::Reversed { .. } => true,
        PaymentState::Created
        | PaymentState::Pending { .. }
        | PaymentState::Closing { .. }
        | PaymentState::Paid(_)
        | PaymentState::Reversing(_)
        | PaymentState::Failed { .. } => false,
    }
}

/// The merchant's `extra`, and after payment what the channel told of it (§4.4).
fn extra_of(payment: &Payment, sent: Option<&RawValue>) -> Box<RawValue> {
    let sent = map_or_empty(sent);
    let details = payment.receipt().map(|r| r.details.as_slice()).unwrap_or_default();
    if details.is_empty() {
        return sent.into_owned();
    }
    let mut extra = match Value::from_json(sent.get()) {
        Ok(Value::Map(map)) => map,
        _ => Map::new(),
    };
    let is_alipay = payment.channel.as_str().starts_with("alipay");
    for (name, value) in details {
        let name = match &**name {
            "buyer_logon_id" if is_alipay => "buyer_account",
            "buyer_id" if is_alipay => "buyer_user_id",
            other => other,
        };
        // Lists arrive as JSON inside a text.
        let list = Some(value).filter(|v| name.ends_with("_list") && v.starts_with('['));
        let list = list.and_then(|text| Value::from_json(text).ok());
        let value = list.unwrap_or_else(|| Value::Text(value.as_ref().to_owned()));
        extra.insert(name.to_owned(), value);
    }
    raw_json(Value::Map(extra).to_json())
}

impl<'a> AppObject<'a> {
    fn new(app: &'a App, mode: Mode) -> AppObject<'a> {
        let channels = app.channels.iter().filter(|channel| channel.mode == mode);
        AppObject {
            id: app.id.as_str(),
            object: "app",
            created: app.created.seconds(),
            display_name: &app.display_name,
            notify_url: None,
            goods_type: 0,
            channels_supported: channels.map(|channel| channel.channel.as_str()).collect(),
        }
    }
}

impl<'a> RefundObject<'a> {
    /// A refund of a payment.
    pub(super) fn new(refund: &'a Refund, payment: &'a Payment) -> RefundObject<'a> {
        let echoed = Echoed::of(&refund.echo);
        let (time_succeed, transaction_no) = match &refund.state {
            RefundState::Succeeded { at, trade_no } => {
                (Some(at.seconds()), trade_no.as_ref().map(|n| n.as_str()))
            }
            RefundState::Pending | RefundState::Failed { .. } => (None, None),
        };
        let failure_msg = failure_of(refund);
        RefundObject {
            id: refund.public_id.as_str(),
            object: "refund",
            order_no: refund.number.as_str(),
            amount: refund.money.amount.minor(),
            currency: refund.money.currency.code().to_ascii_lowercase(),
            created: refund.created.seconds(),
            succeed: matches!(refund.state, RefundState::Succeeded { .. }),
            status: status_of(refund),
            time_succeed,
            description: refund.description.as_str(),
            failure_code: failure_msg.is_some().then_some("refund_refused_msg"),
            failure_msg,
            metadata: map_or_empty(echoed.metadata),
            charge: payment.public_id.as_str(),
            charge_order_no: payment.order_no.as_str(),
            transaction_no,
            funding_source: echoed.funding_source,
            extra: map_or_empty(echoed.extra),
            app: refund.app.as_str(),
        }
    }
}

fn status_of(refund: &Refund) -> &'static str {
    match refund.state {
        RefundState::Pending => "pending",
        RefundState::Succeeded { .. } => "succeeded",
        RefundState::Failed { .. } => "failed",
    }
}

fn failure_of(refund: &Refund) -> Option<String> {
    match &refund.state {
        RefundState::Failed { code, message, .. } => Some(format!("{message} ({code})")),
        RefundState::Pending | RefundState::Succeeded { .. } => None,
    }
}

/// A batch of refunds (§2.8).
#[derive(Serialize)]
pub(super) struct Batch<'a> {
    id: &'a str,
    object: &'static str,
    app: &'a str,
    batch_no: &'a str,
    created: i64,
    description: &'a str,
    metadata: Cow<'a, RawValue>,
    charges: Box<RawValue>,
    refunds: RefundList<'a>,
    refund_url: Option<&'a str>,
    status: &'static str,
    time_succeeded: Option<i64>,
    livemode: bool,
}

impl<'a> Batch<'a> {
    /// A batch with its refunds and their payments, in any order.
    pub(super) fn new(
        batch: &'a RefundBatch,
        refunds: &'a [Refund],
        payments: &'a [Payment],
    ) -> Batch<'a> {
        let echoed = Echoed::of(&batch.echo);
        let by_id: HashMap<PaymentId, &Payment> = payments.iter().map(|p| (p.id, p)).collect();
        let pairs: Vec<(&Refund, &Payment)> =
            refunds.iter().filter_map(|r| by_id.get(&r.payment).map(|p| (r, *p))).collect();
        let status = batch_status(batch);
        let succeeded = batch.finished.filter(|_| batch.succeeded > 0);
        Batch {
            id: batch.public_id.as_str(),
            object: "batch_refund",
            app: batch.app.as_str(),
            batch_no: &batch.batch_no,
            created: batch.created.seconds(),
            description: batch.description.as_str(),
            metadata: map_or_empty(echoed.metadata),
            charges: charges_of(echoed.charges, &pairs),
            refunds: RefundList {
                object: "list",
                url: None,
                has_more: false,
                data: pairs.iter().map(|(r, p)| RefundObject::new(r, p)).collect(),
            },
            refund_url: None,
            status,
            time_succeeded: succeeded.map(|at| at.seconds()),
            livemode: batch.tenant.mode == Mode::Live,
        }
    }
}

fn batch_status(batch: &RefundBatch) -> &'static str {
    match batch.finished {
        None => "pending",
        Some(_) if batch.failed == 0 => "succeeded",
        Some(_) if batch.succeeded == 0 => "failed",
        Some(_) => "partially_succeeded",
    }
}

/// The list as it was sent; elements that were sent as maps tell what became of them.
fn charges_of(sent: Option<&RawValue>, pairs: &[(&Refund, &Payment)]) -> Box<RawValue> {
    let mut charges = match sent.map(|raw| Value::from_json(raw.get())) {
        Some(Ok(Value::List(charges))) => charges,
        _ => Vec::new(),
    };
    for element in &mut charges {
        let Value::Map(element) = element else { continue };
        let id = element.get("charge").and_then(Value::scalar_text).unwrap_or("");
        let found = pairs.iter().find(|(_, payment)| payment.public_id.as_str() == id);
        let Some((refund, _)) = found else { continue };
        let text = |text: &str| Value::Text(text.to_owned());
        element.insert("refund".into(), text(refund.public_id.as_str()));
        element.insert("status".into(), text(status_of(refund)));
        let failure = failure_of(refund).map_or(Value::Null, Value::Text);
        element.insert("failure_msg".into(), failure);
    }
    raw_json(Value::List(charges).to_json())
}

#[cfg(test)]
mod tests;
