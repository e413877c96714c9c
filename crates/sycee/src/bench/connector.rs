//! An upstream that answers at once: credentials cost nothing, notices are plain words.

use std::sync::Arc;

use domain::channel::{
    Channel, Closed, Connectors, News, Notice, NoticeError, Order, OrderError, PayerDeed,
    PaymentFound, PortFuture, Preparation, Prepared, RawNotice, RefundFound, RefundOrder,
    ReversedAs, SettingsError,
};
use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::operation::Outcome;
use domain::payment::{Credential, Proof};
use domain::tenant::Route;
use domain::text::{ChannelNumber, TradeNo};
use domain::time::Timestamp;

/// Makes the one connector there is.
#[derive(Debug)]
pub struct BenchConnectors;

impl Connectors for BenchConnectors {
    fn connect(&self, _: &Route) -> Result<Arc<dyn Channel>, SettingsError> {
        Ok(Arc::new(BenchChannel))
    }
}

struct BenchChannel;

/// The body of a notice: `number amount`.
pub fn notice(number: &str, fen: i64) -> String {
    format!("{number} {fen}")
}

impl Channel for BenchChannel {
    fn plan(&self, order: &Order, _: &str) -> Result<Preparation, OrderError> {
        let url = format!("https://pay.invalid/cashier?no={}", order.number);
        Ok(Preparation::Ready(Credential::Page(url.into())))
    }

    fn prepare<'a>(&'a self, _: &'a Order, _: &'a str) -> PortFuture<'a, Outcome<Prepared>> {
        Box::pin(async { Outcome::Accepted(Prepared::Credential(Credential::Nothing)) })
    }

    fn query<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        Box::pin(async { Outcome::Accepted(PaymentFound::Waiting) })
    }

    fn close<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        Box::pin(async { Outcome::Accepted(Closed::Closed) })
    }

    fn reverse<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        Box::pin(async { Outcome::Accepted(ReversedAs::Closed) })
    }

    fn refund<'a>(&'a self, _: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        Box::pin(async { Outcome::Accepted(RefundFound::Done { trade_no: None, at: None }) })
    }

    fn query_refund<'a>(&'a self, _: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        Box::pin(async { Outcome::Accepted(RefundFound::Done { trade_no: None, at: None }) })
    }

    fn read_notice(&self, raw: RawNotice<'_>) -> Result<Notice, NoticeError> {
        let text = std::str::from_utf8(raw.body).map_err(|_| NoticeError::Garbled)?;
        let (number, fen) = text.split_once(' ').ok_or(NoticeError::Garbled)?;
        let fen = fen.parse().map_err(|_| NoticeError::Garbled)?;
        let amount = Amount::new(fen).map_err(|_| NoticeError::Garbled)?;
        let proof = Proof {
            money: Money::new(amount, Currency::CNY),
            trade_no: TradeNo::parse(number).map_err(|_| NoticeError::Garbled)?,
            paid_at: Timestamp::from_seconds(1_800_000_000),
            details: Vec::new(),
        };
        Ok(Notice {
            number: ChannelNumber::parse(number).map_err(|_| NoticeError::Garbled)?,
            news: News::Paid(proof),
            notice_id: number.into(),
        })
    }

    fn notice_taken(&self) -> &'static str {
        "success"
    }

    fn notice_refused(&self) -> &'static str {
        "failure"
    }

    fn play_payer<'a>(
        &'a self,
        _: &'a ChannelNumber,
        _: &'a Credential,
        _: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        None
    }
}
