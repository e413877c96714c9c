//! Alipay's OpenAPI (specs/channels.md §1): the connector of all `alipay*` channels.
//!
//! The simulator reads the same documents by itself; the two share no parsing, or a misreading
//! would agree with itself.

mod answer;
mod codes;
mod notify;
mod order;
mod payer;
mod proof;
mod refund;
mod request;
mod settings;
mod trade;

use std::sync::Arc;

use domain::ambient::Clock;
use domain::channel::{
    Channel, Closed, Notice, NoticeError, Order, OrderError, PayerDeed, PaymentFound, PortFuture,
    Preparation, Prepared, RawNotice, RefundFound, RefundOrder, ReversedAs,
};
use domain::operation::Outcome;
use domain::payment::Credential;
use domain::text::ChannelNumber;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;

pub use self::settings::Settings;

use self::answer::{Failure, Node};
use self::request::{FORM, Method, Request};
use crate::http::{self, Limits};

/// One contract with Alipay.
pub(crate) struct Alipay {
    settings: Settings,
    client: Client,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl Alipay {
    pub(crate) fn new(
        settings: Settings,
        client: Client,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Alipay {
        Alipay { settings, client, clock, limits }
    }

    /// Calls a method that needs no more than its content.
    async fn call(
        &self,
        method: Method,
        number: &ChannelNumber,
        content: &str,
    ) -> Result<Node, Failure> {
        let at = self.clock.now();
        self.send(&Request { method, at, notify_url: None, return_url: None, content }, number)
            .await
    }

    /// Sends a request about our payment `number` once and reads the answer.
    async fn send(&self, request: &Request<'_>, number: &ChannelNumber) -> Result<Node, Failure> {
        let placed = request.to_post(&self.settings);
        let post = self.client.post(placed.url).header(CONTENT_TYPE, FORM).body(placed.form);
        let reply = http::exchange(post, self.limits).await.map_err(Failure::of)?;
        answer::read(&reply, request.method, number, &self.settings)
    }
}

impl Channel for Alipay {
    fn plan(&self, order: &Order, notify_url: &str) -> Result<Preparation, OrderError> {
        self.plan_order(order, notify_url)
    }

    fn prepare<'a>(
        &'a self,
        order: &'a Order,
        notify_url: &'a str,
    ) -> PortFuture<'a, Outcome<Prepared>> {
        Box::pin(self.prepare_order(order, notify_url))
    }

    fn query<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>> {
        Box::pin(self.query_trade(number))
    }

    fn close<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>> {
        Box::pin(self.close_trade(number))
    }

    fn reverse<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>> {
        Box::pin(self.cancel_trade(number))
    }

    fn refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        Box::pin(self.refund_trade(order))
    }

    fn query_refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>> {
        Box::pin(self.query_refunded(order))
    }

    fn read_notice(&self, raw: RawNotice<'_>) -> Result<Notice, NoticeError> {
        notify::read(raw, &self.settings)
    }

    fn notice_taken(&self) -> &'static str {
        "success"
    }

    fn notice_refused(&self) -> &'static str {
        "fail"
    }

    fn play_payer<'a>(
        &'a self,
        number: &'a ChannelNumber,
        credential: &'a Credential,
        deed: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>> {
        let control_url = self.settings.control_url.as_deref()?;
        Some(Box::pin(self.play(control_url, number, credential, deed)))
    }
}

#[cfg(test)]
mod tests;
