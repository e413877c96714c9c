//! What Alipay tells of a payment received, in answers and in notices alike.

use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::payment::Proof;
use domain::text::TradeNo;
use domain::time::Timestamp;

/// The longest detail that is kept.
const DETAIL_BYTES_MAX: usize = 2_048;

/// Alipay's name and ours of what is kept of the payer and the way of paying. Answers and notices
/// name some of it differently; the first that is there counts.
const DETAILS: &[(&str, &str)] = &[
    ("buyer_user_id", "buyer_user_id"),
    ("buyer_id", "buyer_user_id"),
    ("buyer_open_id", "buyer_open_id"),
    ("buyer_logon_id", "buyer_account"),
    ("fund_bill_list", "fund_bill_list"),
    ("voucher_detail_list", "voucher_detail_list"),
    ("receipt_amount", "receipt_amount"),
    ("buyer_pay_amount", "buyer_pay_amount"),
    ("invoice_amount", "invoice_amount"),
    ("point_amount", "point_amount"),
];

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
    let mut details: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (theirs, ours) in DETAILS {
        let value = field(theirs).filter(|v| v.len() <= DETAIL_BYTES_MAX);
        let is_new = !details.iter().any(|(name, _)| **name == **ours);
        if let Some(value) = value.filter(|_| is_new) {
            details.push(((*ours).into(), value.into()));
        }
    }
    Some(Proof {
        money: Money::new(amount, currency),
        trade_no: TradeNo::parse(&field("trade_no")?).ok()?,
        paid_at,
        details,
    })
}
