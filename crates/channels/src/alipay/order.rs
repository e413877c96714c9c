//! Preparing a payment: which method carries a channel, and what it is told
//! (specs/channels.md §1.8, §1.9; parameters of specs/pingpp.md §4.1).

use domain::channel::{Order, OrderError, PayParams, Preparation, Prepared};
use domain::currency::Currency;
use domain::operation::Outcome;
use domain::payment::Credential;
use domain::text::Note;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Alipay;
use super::answer::{Failure, Node};
use super::codes::Verdict;
use super::proof::proof;
use super::request::{Method, Request, json, one_line};

/// The largest amount of one trade, in fen.
const FEN_MAX: i64 = 10_000_000_000;
/// The longest content of a QR code that is handed on.
const CODE_BYTES_MAX: usize = 2_048;

/// How one of our channels is carried.
struct Way {
    channel: &'static str,
    method: Method,
    product_code: Option<&'static str>,
}

const fn way(channel: &'static str, method: Method, product_code: Option<&'static str>) -> Way {
    Way { channel, method, product_code }
}

const WAYS: [Way; 6] = [
    way("alipay", Method::AppPay, Some("QUICK_MSECURITY_PAY")),
    way("alipay_wap", Method::WapPay, Some("QUICK_WAP_WAY")),
    way("alipay_pc_direct", Method::PagePay, Some("FAST_INSTANT_TRADE_PAY")),
    way("alipay_qr", Method::Precreate, Some("FACE_TO_FACE_PAYMENT")),
    way("alipay_scan", Method::Pay, Some("FACE_TO_FACE_PAYMENT")),
    way("alipay_lite", Method::Create, None),
];

fn way_of(order: &Order) -> Result<&'static Way, OrderError> {
    let name = order.channel.as_str();
    WAYS.iter().find(|way| way.channel == name).ok_or(OrderError::ChannelUnknown)
}

/// `biz_content` of every method that opens a trade.
#[derive(Serialize)]
struct TradeContent<'a> {
    out_trade_no: &'a str,
    total_amount: &'a str,
    subject: &'a str,
    body: &'a str,
    time_expire: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quit_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<&'a str>,
    #[serde(flatten)]
    passed_on: PassedOn<'a>,
}

/// What Alipay takes by the name that it comes under, unread. Other names are left out.
#[derive(Serialize)]
struct PassedOn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_pay_mode: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qrcode_width: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_pay_channels: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_pay_channels: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ext_user_info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goods_detail: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extend_params: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_open_id: Option<&'a RawValue>,
}

impl<'a> PassedOn<'a> {
    fn read(params: &'a PayParams) -> Result<PassedOn<'a>, OrderError> {
        let find = |name: &'static str| -> Result<Option<&'a RawValue>, OrderError> {
            let Some((_, text)) = params.passed_on.iter().find(|(n, _)| **n == *name) else {
                return Ok(None);
            };
            let raw: &RawValue =
                serde_json::from_str(text).map_err(|_| OrderError::Unacceptable(name))?;
            Ok(Some(raw).filter(|raw| raw.get() != "null"))
        };
        Ok(PassedOn {
            qr_pay_mode: find("qr_pay_mode")?,
            qrcode_width: find("qrcode_width")?,
            disable_pay_channels: find("disable_pay_channels")?,
            enable_pay_channels: find("enable_pay_channels")?,
            ext_user_info: find("ext_user_info")?,
            goods_detail: find("goods_detail")?,
            extend_params: find("extend_params")?,
            buyer_open_id: find("buyer_open_id")?,
        })
    }
}

/// Checks the order and writes `biz_content`. The same order gives the same text.
fn content(order: &Order, way: &Way) -> Result<String, OrderError> {
    let params = &order.params;
    if order.money.currency != Currency::CNY {
        return Err(OrderError::Unacceptable("currency"));
    }
    if order.money.amount.is_zero() || order.money.amount.minor() > FEN_MAX {
        return Err(OrderError::Unacceptable("amount"));
    }
    let filled = |value: &'_ Option<Box<str>>| value.as_deref().is_some_and(|v| !v.is_empty());
    let passed_on = PassedOn::read(params)?;
    let (mut quit_url, mut scene, mut auth_code, mut buyer_id) = (None, None, None, None);
    match way.method {
        Method::WapPay | Method::PagePay if !filled(&params.return_url) => {
            return Err(OrderError::Missing("return_url"));
        }
        Method::Pay if !filled(&params.scan_code) => return Err(OrderError::Missing("scan_code")),
        Method::Create if !filled(&params.buyer_id) && passed_on.buyer_open_id.is_none() => {
            return Err(OrderError::Missing("buyer_id"));
        }
        Method::WapPay => quit_url = params.cancel_url.as_deref(),
        Method::Pay => {
            scene = Some("bar_code");
            auth_code = params.scan_code.as_deref();
        }
        Method::Create => buyer_id = params.buyer_id.as_deref(),
        Method::AppPay
        | Method::PagePay
        | Method::Precreate
        | Method::Query
        | Method::Close
        | Method::Cancel
        | Method::Refund
        | Method::RefundQuery => {}
    }
    let is_code =
        |code: &str| matches!(code.len(), 16..=24) && code.bytes().all(|b| b.is_ascii_digit());
    if auth_code.is_some_and(|code| !is_code(code)) {
        return Err(OrderError::Unacceptable("scan_code"));
    }
    Ok(json(&TradeContent {
        out_trade_no: order.number.as_str(),
        total_amount: &order.money.to_major_text(),
        subject: order.subject.as_str(),
        body: &one_line(order.body.as_str(), Note::LEN_MAX),
        time_expire: &order.expires.china_text(),
        product_code: way.product_code,
        quit_url,
        scene,
        auth_code,
        buyer_id,
        terminal_id: params.terminal_id.as_deref(),
        store_id: params.store_id.as_deref(),
        operator_id: params.operator_id.as_deref(),
        passed_on,
    }))
}

impl Alipay {
    pub(super) fn plan_order(
        &self,
        order: &Order,
        notify_url: &str,
    ) -> Result<Preparation, OrderError> {
        let way = way_of(order)?;
        let content = content(order, way)?;
        let request = Request {
            method: way.method,
            at: order.created,
            notify_url: Some(notify_url),
            return_url: order.params.return_url.as_deref(),
            content: &content,
        };
        Ok(match way.method {
            Method::AppPay => Preparation::Ready(Credential::OrderString(
                Request { return_url: None, ..request }.to_query(&self.settings).into(),
            )),
            Method::WapPay | Method::PagePay => {
                Preparation::Ready(Credential::Page(request.to_page(&self.settings).into()))
            }
            Method::Precreate
            | Method::Pay
            | Method::Create
            | Method::Query
            | Method::Close
            | Method::Cancel
            | Method::Refund
            | Method::RefundQuery => Preparation::MustAsk,
        })
    }

    pub(super) async fn prepare_order(&self, order: &Order, notify_url: &str) -> Outcome<Prepared> {
        let written = way_of(order).and_then(|way| Ok((way.method, content(order, way)?)));
        let (method, content) = match written {
            Ok(written) => written,
            Err(error) => return Failure::not_made(&error.to_string()).outcome(),
        };
        let request = Request {
            method,
            at: self.clock.now(),
            notify_url: Some(notify_url),
            return_url: None,
            content: &content,
        };
        let answered = self.send(&request, &order.number).await;
        match answered.and_then(|node| prepared(method, &node)) {
            Ok(prepared) => Outcome::Accepted(prepared),
            Err(failure) if failure.verdict == Verdict::Paying => {
                Outcome::Accepted(Prepared::Paying)
            }
            Err(failure) => failure.outcome(),
        }
    }
}

fn prepared(method: Method, node: &Node) -> Result<Prepared, Failure> {
    let missing = || Failure::garbled("the answer lacks what the payer needs");
    match method {
        Method::Precreate => {
            let code = node.text("qr_code").filter(|code| code.len() <= CODE_BYTES_MAX);
            let code = code.ok_or_else(missing)?;
            Ok(Prepared::Credential(Credential::Qr(code.into())))
        }
        Method::Create => {
            let trade_no = node.trade_no().ok_or_else(missing)?;
            Ok(Prepared::Credential(Credential::Trade(trade_no.as_str().into())))
        }
        Method::Pay => proof(|name| node.text(name), None)
            .map(Prepared::Paid)
            .ok_or_else(|| Failure::garbled("the answer tells of a payment without its facts")),
        Method::AppPay
        | Method::WapPay
        | Method::PagePay
        | Method::Query
        | Method::Close
        | Method::Cancel
        | Method::Refund
        | Method::RefundQuery => Err(missing()),
    }
}
