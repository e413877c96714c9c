//! What Alipay tells of a payment received, in answers and in notices alike.

use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::payment::Proof;
use domain::text::TradeNo;
use domain::time::Timestamp;

/// The longest detail that is kept.
const DETAIL_BYTES_MAX: usize = 2_048;

/// What is kept of the payer and the way of paying, under Alipay's own names.
const DETAILS: &[&str] = &[
    BUYER,
    "buyer_open_id",
    "buyer_logon_id",
    "fund_bill_list",
    "voucher_detail_list",
    "receipt_amount",
    "buyer_pay_amount",
    "invoice_amount",
    "point_amount",
];

/// The payer's number as answers name it; notices say `buyer_id`.
const BUYER: &str = "buyer_user_id";

/// Reads the proof from verified fields; `None` where amount, number or instant are missing or
/// unreadable. `otherwise_at` is taken where no instant of payment is told.
pub(super) fn proof(
    field: impl Fn(&str) -> Option<String>,
    otherwise_at: Option<Timestamp>,
) -> Option<Proof> {
    let currency = match field("trans_currency") {
        Some(code) => Currency::from_code(&code)?,
        None => Currency::CNY,
    };
    let amount = Amount::from_major_text(&field("total_amount")?, currency.exponent()).ok()?;
    let told = field("gmt_payment").or_else(|| field("send_pay_date"));
    let paid_at = match told {
        Some(text) => Timestamp::from_china_text(&text)?,
        None => otherwise_at?,
    };
    let kept = |name: &&'static str| {
        let value = field(name).or_else(|| field("buyer_id").filter(|_| *name == BUYER));
        let value = value.filter(|value| value.len() <= DETAIL_BYTES_MAX)?;
        Some(((*name).into(), value.into()))
    };
    Some(Proof {
        money: Money::new(amount, currency),
        trade_no: TradeNo::parse(&field("trade_no")?).ok()?,
        paid_at,
        details: DETAILS.iter().filter_map(kept).collect(),
    })
}
