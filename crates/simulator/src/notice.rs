//! Notifications: what they say, when they are sent again, how they are forged on demand
//! (specs/channels.md §1.11).
//!
//! Never holds an empty field: some receivers drop those before they verify, some do not.

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::faults::Forge;
use crate::settings::MerchantApp;
use crate::trade::{News, Trade};
use crate::wire::{Parameters, yuan};

/// Waits between the eight sends, in seconds, before the time scale.
const WAITS_SECONDS: [i64; 7] = [240, 600, 600, 3_600, 7_200, 21_600, 54_000];

/// The payer of every trade.
pub(crate) const BUYER_ID: &str = "2088102900000001";
/// The payer's masked login.
pub(crate) const BUYER_LOGON_ID: &str = "138****0001";

/// A notification on its way until it is acknowledged or given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Number of the trade in the book.
    pub trade: u64,
    pub notify_id: String,
    pub url: String,
    /// Everything but `notify_time`, `sign_type` and `sign`, which are made at each send.
    pub fields: Parameters,
    /// Sends so far, lost ones included, copies excluded.
    pub attempts: usize,
    /// When the next send is due, microseconds since 1970.
    pub due: i64,
    /// Waits for a later notification of the same trade (fault `out_of_order`).
    pub held: bool,
    /// Copies still to be sent after the acknowledgement (fault `duplicate`).
    pub copies: u32,
    /// The receiver has said `success`.
    pub acknowledged: bool,
}

impl Notice {
    /// When to try again after a failed send, or `None` when all eight are used up.
    pub fn next_due(&self, now: i64, time_scale: u32) -> Option<i64> {
        let wait = WAITS_SECONDS.get(self.attempts.checked_sub(1)?)?;
        Some(now.saturating_add(wait * 1_000_000 / i64::from(time_scale.max(1))))
    }
}

/// What a notification says about the trade.
pub(crate) fn fields(trade: &Trade, news: News, app: &MerchantApp, notify_id: &str) -> Parameters {
    let mut all = Parameters::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            all.insert(name.to_owned(), value.to_owned());
        }
    };
    let total = yuan(trade.total_fen);
    put("notify_type", "trade_status_sync");
    put("notify_id", notify_id);
    put("app_id", &trade.app_id);
    put("auth_app_id", &trade.app_id);
    put("charset", "utf-8");
    put("version", "1.0");
    put("trade_no", &trade.trade_no);
    put("out_trade_no", &trade.out_trade_no);
    put("buyer_id", BUYER_ID);
    put("buyer_logon_id", BUYER_LOGON_ID);
    put("seller_id", &trade.seller_id);
    put("seller_email", &app.seller_email);
    put("trade_status", status(trade, news));
    put("total_amount", &total);
    put("subject", &trade.subject);
    put("body", trade.body.as_deref().unwrap_or_default());
    put("passback_params", trade.passback_params.as_deref().unwrap_or_default());
    put("gmt_create", &china(trade.created_at));
    if let Some(paid_at) = trade.paid_at() {
        put("gmt_payment", &china(paid_at));
        put("receipt_amount", &total);
        put("buyer_pay_amount", &total);
        put("invoice_amount", &total);
        put("point_amount", "0.00");
        put(
            "fund_bill_list",
            &format!(r#"[{{"amount":"{total}","fundChannel":"ALIPAYACCOUNT"}}]"#),
        );
    }
    match news {
        News::Refunded(index) => {
            let refund = &trade.refunds[index];
            put("out_biz_no", &refund.out_request_no);
            put("refund_fee", &yuan(trade.refunded_fen()));
            put("gmt_refund", &format!("{}.000", china(refund.at)));
            if let Some(closed_at) = trade.closed_at() {
                put("gmt_close", &china(closed_at));
            }
        }
        News::Closed => put("gmt_close", &china(trade.closed_at().unwrap_or(trade.expires_at))),
        News::Paid | News::Finished => {}
    }
    all
}

fn status(trade: &Trade, news: News) -> &'static str {
    match news {
        News::Paid => "TRADE_SUCCESS",
        News::Finished => "TRADE_FINISHED",
        News::Closed => "TRADE_CLOSED",
        News::Refunded(_) => trade.status().unwrap_or("TRADE_SUCCESS"),
    }
}

/// Makes the fields lie. `Forge::Signature` is left to the signer.
pub(crate) fn forge(fields: &mut Parameters, how: Forge) {
    let mut set = |name: &str, value: String| {
        if let Some(field) = fields.get_mut(name) {
            *field = value;
        }
    };
    match how {
        Forge::Signature => {}
        Forge::App => {
            set("app_id", "2021999999999999".to_owned());
            set("auth_app_id", "2021999999999999".to_owned());
        }
        Forge::Seller => {
            set("seller_id", "2088999999999999".to_owned());
            set("seller_email", "somebody@example.com".to_owned());
        }
        Forge::Order => set("out_trade_no", "NOBODY-OPENED-THIS".to_owned()),
        Forge::Amount => {
            for name in ["total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount"] {
                let more = fields.get(name).and_then(|text| {
                    domain::money::Amount::from_major_text(text, 2).ok().map(|a| a.minor() + 1)
                });
                if let Some(fen) = more {
                    fields.insert(name.to_owned(), yuan(fen));
                }
            }
        }
    }
}

/// An instant as the channel writes it.
pub(crate) fn china(micros: i64) -> String {
    Timestamp::from_micros(micros).china_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_sends_span_a_day_and_a_bit() {
        let mut notice = Notice {
            trade: 1,
            notify_id: "n".to_owned(),
            url: String::new(),
            fields: Parameters::new(),
            attempts: 0,
            due: 0,
            held: false,
            copies: 0,
            acknowledged: false,
        };
        let mut now = 0;
        let mut waits = Vec::new();
        loop {
            notice.attempts += 1;
            let Some(due) = notice.next_due(now, 1) else { break };
            waits.push((due - now) / 60_000_000);
            now = due;
        }
        assert_eq!(notice.attempts, 8);
        assert_eq!(waits, [4, 10, 10, 60, 120, 360, 900]);
        notice.attempts = 4;
        assert_eq!(notice.next_due(0, 3_600), Some(1_000_000));
    }
}
