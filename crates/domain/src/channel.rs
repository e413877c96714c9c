//! The port to upstreams: what a connector can do, in words that no channel owns.
//!
//! A connector fills this port; it touches no store, never retries by itself and never calls a
//! time-out a failure.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::money::{Amount, Money};
use crate::operation::Outcome;
use crate::payment::{Credential, Proof};
use crate::tenant::Route;
use crate::text::{ChannelName, ChannelNumber, Note, Subject, TradeNo};
use crate::time::Timestamp;

/// A future that a port returns; the domain itself awaits nothing.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a connector needs to know of a payment to prepare it.
#[derive(Clone, Debug)]
pub struct Order {
    /// The way to pay.
    pub channel: ChannelName,
    /// Our number for it.
    pub number: ChannelNumber,
    /// What is asked for.
    pub money: Money,
    /// What is bought.
    pub subject: Subject,
    /// More about it.
    pub body: Note,
    /// When it was made: signed as the request's time, so that signing again gives the same text.
    pub created: Timestamp,
    /// When it stops to be payable.
    pub expires: Timestamp,
    /// What depends on the way to pay.
    pub params: PayParams,
}

/// Parameters of single ways to pay, in our words; each dialect maps its own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayParams {
    /// Where the payer's browser returns to after paying.
    pub return_url: Option<Box<str>>,
    /// Where it returns to after giving up.
    pub cancel_url: Option<Box<str>>,
    /// The code that the merchant scanned from the payer's phone.
    pub scan_code: Option<Box<str>>,
    /// The merchant's till.
    pub terminal_id: Option<Box<str>>,
    /// The merchant's shop.
    pub store_id: Option<Box<str>>,
    /// The merchant's cashier.
    pub operator_id: Option<Box<str>>,
    /// The payer's id at the channel, for mini programs.
    pub buyer_id: Option<Box<str>>,
    /// Further parameters that the channel takes by the same name: name and JSON value.
    pub passed_on: Vec<(Box<str>, Box<str>)>,
}

/// Why an order cannot go this way at all; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The connector does not carry this channel.
    #[error("this route does not carry the channel")]
    ChannelUnknown,
    /// A parameter that this way to pay needs is missing.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter is out of the channel's limits.
    #[error("parameter {0} is not acceptable to the channel")]
    Unacceptable(&'static str),
}

/// What preparing a payment takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Signing was enough: here is the credential, nothing needs to be sent.
    Ready(Credential),
    /// The channel must be asked, by [`Channel::prepare`].
    MustAsk,
}

/// What the channel made of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The payer can pay with this.
    Credential(Credential),
    /// The payer has paid already.
    Paid(Proof),
    /// The payer is entering a password; ask again soon.
    Paying,
}

/// A payment's state at the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFound {
    /// The channel knows no such payment (yet).
    Nothing,
    /// Known, unpaid.
    Waiting,
    /// Paid. `refunded` tells how much of it went back, where the channel says so.
    Paid {
        /// The proof.
        proof: Proof,
    },
    /// Ended; unpaid, or given back whole.
    Closed,
}

/// A refund's state at the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundFound {
    /// The channel knows no such refund (yet): no proof that it never will.
    Nothing,
    /// Known, not done.
    Pending,
    /// Done.
    Done {
        /// The channel's number, where it has one.
        trade_no: Option<TradeNo>,
        /// When, where the channel tells.
        at: Option<Timestamp>,
    },
    /// Failed for good.
    Failed {
        /// The channel's code.
        code: Box<str>,
    },
}

/// What came of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nobody can pay any more.
    Closed,
    /// It is paid: query for the proof.
    AlreadyPaid,
}

/// What came of a reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversedAs {
    /// It was unpaid and is closed.
    Closed,
    /// It was paid and the money went back.
    Refunded,
}

/// A refund as the connector needs it.
#[derive(Clone, Debug)]
pub struct RefundOrder {
    /// Of the payment with this number of ours.
    pub payment: ChannelNumber,
    /// Our number for the refund.
    pub number: ChannelNumber,
    /// How much.
    pub money: Money,
    /// Of how much.
    pub total: Amount,
    /// Why.
    pub reason: Note,
}

/// A message from a channel, as raw as it came.
#[derive(Clone, Copy, Debug)]
pub struct RawNotice<'a> {
    /// Header names (lower case) and values.
    pub headers: &'a [(String, String)],
    /// The body's bytes.
    pub body: &'a [u8],
}

/// A message from a channel, verified and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Our number of the payment that it is about.
    pub number: ChannelNumber,
    /// What it says.
    pub news: News,
    /// The channel's id of the message; the same on repeats.
    pub notice_id: Box<str>,
}

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The payment was paid.
    Paid(Proof),
    /// The payment was closed unpaid.
    Closed,
    /// A refund with this number of ours was done.
    Refunded {
        /// Our number of the refund.
        refund: ChannelNumber,
    },
    /// Nothing that changes anything here.
    Nothing,
}

/// Why a notice is refused; it is answered with the channel's word for failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// It cannot be read.
    #[error("the notice cannot be read")]
    Garbled,
    /// Its signature is missing or wrong.
    #[error("the notice's signature is wrong")]
    BadSignature,
    /// It is about another app or seller.
    #[error("the notice is for somebody else")]
    NotOurs,
}

/// One upstream under one contract.
pub trait Channel: Send + Sync {
    /// Signs the order, or says that the channel must be asked. Pure; may cost an RSA signature.
    fn plan(&self, order: &Order, notify_url: &str) -> Result<Preparation, OrderError>;

    /// Asks the channel for a credential or the payment itself.
    fn prepare<'a>(
        &'a self,
        order: &'a Order,
        notify_url: &'a str,
    ) -> PortFuture<'a, Outcome<Prepared>>;

    /// Asks for a payment's state.
    fn query<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<PaymentFound>>;

    /// Ends an unpaid payment.
    fn close<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<Closed>>;

    /// Ends a payment, giving paid money back.
    fn reverse<'a>(&'a self, number: &'a ChannelNumber) -> PortFuture<'a, Outcome<ReversedAs>>;

    /// Gives money back. Asking twice under one number gives once.
    fn refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>>;

    /// Asks for a refund's state.
    fn query_refund<'a>(&'a self, order: &'a RefundOrder) -> PortFuture<'a, Outcome<RefundFound>>;

    /// Verifies and reads a notice. Pure.
    fn read_notice(&self, raw: RawNotice<'_>) -> Result<Notice, NoticeError>;

    /// The body that tells the channel that its notice was taken.
    fn notice_taken(&self) -> &'static str;

    /// The body that asks the channel to send its notice again.
    fn notice_refused(&self) -> &'static str;

    /// Plays the payer, where the upstream is a simulator: opens the payment with its credential
    /// and pays it. `None` where the upstream is not a simulator.
    fn play_payer<'a>(
        &'a self,
        number: &'a ChannelNumber,
        credential: &'a Credential,
        deed: PayerDeed,
    ) -> Option<PortFuture<'a, Outcome<()>>>;
}

/// What a played payer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayerDeed {
    /// Pays.
    Pay,
    /// Tries to pay and fails.
    Fail,
}

/// Why a route's settings make no connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

/// Makes connectors from routes. Filled by `channels`, which alone can read the settings.
pub trait Connectors: Send + Sync + fmt::Debug {
    /// The connector of a route.
    fn connect(&self, route: &Route) -> Result<Arc<dyn Channel>, SettingsError>;
}
