//! A refund: money back to the payer, part or whole.

use crate::id::Id;
use crate::ledger::{AccountKind, AccountPath};
use crate::money::Money;
use crate::operation::Operation;
use crate::payment::{Payment, PaymentId};
use crate::tenant::{RouteId, Tenant};
use crate::text::{AppId, ChannelNumber, Echo, Note, PublicId, RequestId, TradeNo};
use crate::time::Timestamp;

/// Names a refund.
pub type RefundId = Id<Refund>;
/// Names a batch of refunds.
pub type BatchId = Id<RefundBatch>;

/// How many refunds one payment may have: more than any channel allows.
pub const REFUNDS_PER_PAYMENT_MAX: u32 = 1_000;

/// Money back to the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Whose book.
    pub tenant: Tenant,
    /// Our id.
    pub id: RefundId,
    /// Of which app.
    pub app: AppId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Its id as the payment's dialect shows it.
    pub public_id: PublicId,
    /// The contract that carries it.
    pub route: RouteId,
    /// Our number at the channel (`out_request_no`); unique per route and never changed.
    pub number: ChannelNumber,
    /// How much.
    pub money: Money,
    /// Why, in the merchant's words.
    pub description: Note,
    /// What the dialect gives back unread.
    pub echo: Echo,
    /// Who asked for it.
    pub origin: RefundOrigin,
    /// When it was made.
    pub created: Timestamp,
    /// Where it stands.
    pub state: RefundState,
    /// What we are asking the channel, while it is pending.
    pub operation: Option<Operation>,
    /// The API call that made it.
    pub request: Option<RequestId>,
    /// SHA-256 of the whole signed request: the same again is the same refund
    /// (specs/pingpp.md §2.6, guard 1).
    pub exact_request: Option<[u8; 32]>,
    /// SHA-256 of the request's body: the same again, when our answer was lost, is the same refund
    /// (guard 2).
    pub body_hash: [u8; 32],
    /// Grows by one with every change.
    pub version: i64,
}

/// Who asked for a refund, which tells where its money waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOrigin {
    /// The merchant.
    Merchant,
    /// The merchant, as one of a batch.
    Batch(BatchId),
    /// The merchant, by reversing the whole payment: no refund object is shown.
    Reversal,
    /// Nobody: money came after the close and goes back by itself (specs/reliability.md §7.5).
    Late,
    /// History brought along.
    Import,
}

/// Where a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// Asked of the channel, outcome open; its money is held.
    Pending,
    /// Given back.
    Succeeded {
        /// When.
        at: Timestamp,
        /// The channel's number, where it has one.
        trade_no: Option<TradeNo>,
    },
    /// Refused for good; its money is free again.
    Failed {
        /// When.
        at: Timestamp,
        /// In the channel's code.
        code: Box<str>,
        /// In the channel's words.
        message: Box<str>,
    },
}

impl RefundState {
    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        match self {
            RefundState::Pending => false,
            RefundState::Succeeded { .. } | RefundState::Failed { .. } => true,
        }
    }
}

impl Refund {
    /// The account on which its money is held and from which it leaves.
    pub fn from_account(&self) -> AccountPath {
        match self.origin {
            RefundOrigin::Late => AccountPath::platform(AccountKind::Suspense, self.money.currency),
            RefundOrigin::Merchant
            | RefundOrigin::Batch(_)
            | RefundOrigin::Reversal
            | RefundOrigin::Import => AccountPath::merchant_available(self.money.currency),
        }
    }

    /// Whether a merchant sees it among the payment's refunds.
    pub fn is_shown(&self) -> bool {
        match self.origin {
            RefundOrigin::Merchant | RefundOrigin::Batch(_) | RefundOrigin::Import => true,
            RefundOrigin::Reversal | RefundOrigin::Late => false,
        }
    }

    /// Where its money goes.
    pub fn target(&self, payment: &Payment) -> AccountPath {
        payment.source()
    }
}

/// Several refunds asked for together (specs/pingpp.md §2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundBatch {
    /// Whose book.
    pub tenant: Tenant,
    /// Our id.
    pub id: BatchId,
    /// Of which app.
    pub app: AppId,
    /// Its id as the dialect shows it.
    pub public_id: PublicId,
    /// The merchant's number; unique per app.
    pub batch_no: Box<str>,
    /// Why.
    pub description: Note,
    /// What the dialect gives back unread: the list as sent, and metadata.
    pub echo: Echo,
    /// When it was made.
    pub created: Timestamp,
    /// How many refunds it has.
    pub total: u32,
    /// How many succeeded.
    pub succeeded: u32,
    /// How many failed.
    pub failed: u32,
    /// When the last one became final.
    pub finished: Option<Timestamp>,
    /// The API call that made it.
    pub request: Option<RequestId>,
    /// Grows by one with every change.
    pub version: i64,
}
