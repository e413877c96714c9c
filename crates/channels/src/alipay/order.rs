//! Preparing a payment: which method carries a channel, and what it is told
//! (specs/channels.md §1.8, §1.9; parameters of specs/pingpp.md §4.1).

use domain::channel::{Order, OrderError, PayParams, Preparation, Prepared};
use domain::currency::Currency;
use domain::operation::Outcome;
use domain::payment::Credential;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Alipay;
use super::answer::{Failure, Node};
use super::codes::Verdict;
use super::proof::proof;
use super::request::{Method, Request, json};

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
    buyer_open_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<&'a str>,
    #[serde(flatten)]
    passed_on: PassedOn<'a>,
}

/// What Alipay takes by the name that the merchant's software uses, unread. Names that are not here
/// are left out.
#[derive(Serialize, Default)]
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
    extend_params: Option<ExtendParams<'a>>,
}

/// `extend_params`, given whole or by its members.
#[derive(Serialize)]
#[serde(untagged)]
enum ExtendParams<'a> {
    Whole(&'a RawValue),
    Members {
        #[serde(skip_serializing_if = "Option::is_none")]
        hb_fq_num: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hb_fq_seller_percent: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sys_service_provider_id: Option<&'a RawValue>,
    },
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
        let members =
            [find("hb_fq_num")?, find("hb_fq_seller_percent")?, find("sys_service_provider_id")?];
        let extend_params = match (find("extend_params")?, members) {
            (Some(whole), _) => Some(ExtendParams::Whole(whole)),
            (None, [None, None, None]) => None,
            (None, [hb_fq_num, hb_fq_seller_percent, sys_service_provider_id]) => {
                Some(ExtendParams::Members {
                    hb_fq_num,
                    hb_fq_seller_percent,
                    sys_service_provider_id,
                })
            }
        };
        Ok(PassedOn {
            qr_pay_mode: find("qr_pay_mode")?,
            qrcode_width: find("qrcode_width")?,
            disable_pay_channels: find("disable_pay_channels")?,
            enable_pay_channels: find("enable_pay_channels")?,
            ext_user_info: find("ext_user_info")?,
            goods_detail: find("goods_detail")?,
            extend_params,
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
    let needed = |value: &'_ Option<Box<str>>, name| match value.as_deref() {
        Some(text) if !text.is_empty() => Ok(()),
        Some(_) | None => Err(OrderError::Missing(name)),
    };
    let (mut quit_url, mut scene, mut auth_code, mut buyer) = (None, None, None, None);
    match way.method {
        Method::WapPay => {
            needed(&params.return_url, "return_url")?;
            quit_url = params.cancel_url.as_deref();
        }
        Method::PagePay => needed(&params.return_url, "return_url")?,
        Method::Pay => {
            needed(&params.scan_code, "scan_code")?;
            auth_code = params.scan_code.as_deref();
            scene = Some("bar_code");
        }
        Method::Create => {
            needed(&params.buyer_id, "buyer_id")?;
            buyer = params.buyer_id.as_deref();
        }
        Method::AppPay
        | Method::Precreate
        | Method::Query
        | Method::Close
        | Method::Cancel
        | Method::Refund
        | Method::RefundQuery => {}
    }
    if auth_code.is_some_and(|code| !(16..=24).contains(&code.len()) || !is_digits(code)) {
        return Err(OrderError::Unacceptable("scan_code"));
    }
    // Old ids of payers are numbers; the ones that replace them are opaque.
    let is_old = buyer.is_some_and(|id| id.len() == 16 && id.starts_with("2088") && is_digits(id));
    let (buyer_id, buyer_open_id) = if is_old { (buyer, None) } else { (None, buyer) };
    Ok(json(&TradeContent {
        out_trade_no: order.number.as_str(),
        total_amount: &order.money.to_major_text(),
        subject: order.subject.as_str(),
        body: order.body.as_str(),
        time_expire: &order.expires.china_text(),
        product_code: way.product_code,
        quit_url,
        scene,
        auth_code,
        buyer_id,
        buyer_open_id,
        terminal_id: params.terminal_id.as_deref(),
        store_id: params.store_id.as_deref(),
        operator_id: params.operator_id.as_deref(),
        passed_on: PassedOn::read(params)?,
    }))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
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
