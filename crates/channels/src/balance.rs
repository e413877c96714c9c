//! The wallet as a way to pay: the ledger moves the money, no upstream is asked.
//!
//! It is a connector only so that an app enables `balance` like any other channel.

use domain::channel::{
    Channel, Closed, Notice, NoticeError, Order, OrderError, PayerDeed, PaymentFound, PortFuture,
    Preparation, Prepared, RawNotice, RefundFound, RefundOrder, ReversedAs,
};
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::Credential;
use domain::text::ChannelNumber;

pub(crate) struct Balance;

/// The answer to whatever only an upstream could do.
fn refused<'a, T: Send + 'a>() -> PortFuture<'a, Outcome<T>> {
    Box::pin(std::future::ready(Outcome::Refused(ChannelRefusal {
        why: RefusalClass::NotFound,
        code: "no_upstream".into(),
        message: "wallet payments live in the ledger; no upstream knows them".into(),
    })))
}

impl Channel for Balance {
    fn plan(&self, order: &Order, _notify_url: &str) -> Result<Preparation, OrderError> {
        match order.channel.as_str() {
            "balance" => Ok(Preparation::Ready(Credential::Nothing)),
            _ => Err(OrderError::ChannelUnknown),
        }
    }

    fn prepare<'a>(
        &'a self,
        _order: &'a Order,
        _notify_url: &'a str,
    ) -> PortFuture<'a, Outcome<Prepared>> {
        refused()
    }

    fn query<'a>(&'a self, _number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        Box::pin(std::future::ready(Outcome::Accepted(PaymentFound::Nothing)))
    }

    fn close<'a>(&'a self, _number: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        refused()
    }

    fn reverse<'a>(&'a self, _number: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        refused()
    }

    fn refund<'a>(&'a self, _order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        refused()
    }

    fn query_refund<'a>(&'a self, _order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        Box::pin(std::future::ready(Outcome::Accepted(RefundFound::Nothing)))
    }

    fn read_notice(&self, _raw: RawNotice<'_>) -> Result<Notice, NoticeError> {
        Err(NoticeError::NotOurs)
    }

    fn notice_taken(&self) -> &'static str {
        "success"
    }

    fn notice_refused(&self) -> &'static str {
        "fail"
    }

    fn play_payer<'a>(
        &'a self,
        _number: &'a ChannelNumber,
        _credential: &'a Credential,
        _deed: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        None
    }
}
