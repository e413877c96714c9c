//! A channel that reads notices of three words and plays the payer at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::channel::{
    Channel, Closed, Connectors, News, Notice, NoticeError, Order, OrderError, PayerDeed,
    PaymentFound, PortFuture, Preparation, Prepared, RawNotice, RefundFound, RefundOrder,
    ReversedAs, SettingsError,
};
use domain::money::Money;
use domain::operation::Outcome;
use domain::payment::{Credential, Proof};
use domain::tenant::Route;
use domain::text::{ChannelNumber, TradeNo};
use domain::time::Timestamp;

/// By our number: what is asked for, and whether it was paid.
#[derive(Clone, Debug, Default)]
pub struct FakeChannel(Arc<Mutex<HashMap<String, (Money, bool)>>>);

impl FakeChannel {
    fn proof(&self, number: &str, paid_only: bool) -> Option<Proof> {
        let (money, paid) = self.0.lock().unwrap().get(number).copied()?;
        (paid || !paid_only).then(|| Proof {
            money,
            trade_no: TradeNo::parse(&format!("t{number}")).unwrap(),
            paid_at: Timestamp::from_seconds(crate::world::START),
            details: Vec::new(),
        })
    }
}

fn done<T: Send + 'static>(value: T) -> PortFuture<'static, Outcome<T>> {
    Box::pin(async move { Outcome::Accepted(value) })
}

impl Connectors for FakeChannel {
    fn connect(&self, _: &Route) -> Result<Arc<dyn Channel>, SettingsError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Channel for FakeChannel {
    fn plan(&self, order: &Order, _: &str) -> Result<Preparation, OrderError> {
        self.0.lock().unwrap().insert(order.number.to_string(), (order.money, false));
        Ok(Preparation::Ready(Credential::Page("https://gateway.invalid/gateway.do?no=1".into())))
    }

    fn prepare<'a>(&'a self, _: &'a Order, _: &'a str) -> PortFuture<'a, Outcome<Prepared>> {
        done(Prepared::Paying)
    }

    fn query<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        done(match self.proof(number.as_str(), true) {
            Some(proof) => PaymentFound::Paid { proof },
            None => PaymentFound::Waiting,
        })
    }

    fn close<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        done(Closed::Closed)
    }

    fn reverse<'a>(&'a self, _: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        done(ReversedAs::Closed)
    }

    fn refund<'a>(&'a self, _: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        done(RefundFound::Done { trade_no: None, at: None })
    }

    fn query_refund<'a>(&'a self, _: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        done(RefundFound::Pending)
    }

    /// `paid NUMBER` is true, `break` breaks the reader, everything else is forged.
    fn read_notice(&self, raw: RawNotice<'_>) -> Result<Notice, NoticeError> {
        let text = std::str::from_utf8(raw.body).map_err(|_| NoticeError::Garbled)?;
        assert_ne!(text, "break", "a reader that breaks");
        let number = text.strip_prefix("paid ").ok_or(NoticeError::BadSignature)?;
        Ok(Notice {
            number: ChannelNumber::parse(number).unwrap(),
            news: News::Paid(self.proof(number, false).ok_or(NoticeError::NotOurs)?),
            notice_id: "n1".into(),
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
        number: &'a ChannelNumber,
        _: &'a Credential,
        deed: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        if let Some((_, paid)) = self.0.lock().unwrap().get_mut(number.as_str()) {
            *paid |= deed == PayerDeed::Pay;
        }
        Some(done(()))
    }
}
