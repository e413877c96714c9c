//! A payment: one demand for money with a final state, and what may happen to it.

use crate::id::Id;
use crate::ledger::AccountPath;
use crate::money::{Amount, Money};
use crate::operation::Operation;
use crate::retry;
use crate::tenant::{Dialect, MemberId, RouteId, Tenant};
use crate::text::{
    AppId, ChannelName, ChannelNumber, Echo, Note, OrderNo, PublicId, RequestId, Subject, TradeNo,
};
use crate::time::Timestamp;

/// Names a payment.
pub type PaymentId = Id<Payment>;

/// One demand for money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Whose book.
    pub tenant: Tenant,
    /// Our id.
    pub id: PaymentId,
    /// Of which app.
    pub app: AppId,
    /// The dialect in which it was born.
    pub dialect: Dialect,
    /// Its id as that dialect shows it.
    pub public_id: PublicId,
    /// The way to pay.
    pub channel: ChannelName,
    /// The contract that carries it.
    pub route: RouteId,
    /// The merchant's number; unique per app and channel.
    pub order_no: OrderNo,
    /// Our number at the channel; unique per route and never changed.
    pub number: ChannelNumber,
    /// What is asked for.
    pub money: Money,
    /// What the platform keeps once it is paid.
    pub fee: Amount,
    /// What is bought.
    pub subject: Subject,
    /// More about it.
    pub body: Note,
    /// A note of the merchant's.
    pub description: Option<Note>,
    /// The payer's address as the merchant told it; never used for a decision.
    pub client_ip: Box<str>,
    /// What the dialect gives back unread: `extra` and `metadata` together, its own JSON.
    pub echo: Echo,
    /// The wallet that pays, for channel `balance`.
    pub payer: Option<MemberId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops to be payable.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: PaymentState,
    /// Sum of the refunds that succeeded.
    pub refunded: Amount,
    /// Sum of the refunds that are pending or unknown.
    pub refunding: Amount,
    /// How many refunds exist, failed ones included.
    pub refunds: u32,
    /// What we are asking the channel right now, if anything.
    pub operation: Option<Operation>,
    /// How many times its fate was asked of the channel without an order to change it.
    pub queries: u16,
    /// When we must look at it again.
    pub next_at: Option<Timestamp>,
    /// The API call that made it.
    pub request: Option<RequestId>,
    /// Grows by one with every change; the store refuses a stale write.
    pub version: i64,
}

/// What the payer's device needs to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: the payer is charged without acting, or has paid already.
    Nothing,
    /// A signed URL of the channel's cashier, all parameters in its query.
    Page(Box<str>),
    /// A signed parameter string for the channel's SDK on the phone.
    OrderString(Box<str>),
    /// The content of a QR code to show to the payer.
    Qr(Box<str>),
    /// The channel's number of a trade that its mini program opens.
    Trade(Box<str>),
}

/// Proof that a channel received the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// How much, as the channel says.
    pub money: Money,
    /// The channel's number.
    pub trade_no: TradeNo,
    /// When, as the channel says.
    pub paid_at: Timestamp,
    /// What the channel tells of the payer and the way of paying: name and value, masked by the
    /// channel. Names are the channel's own.
    pub details: Vec<(Box<str>, Box<str>)>,
}

/// What is known of money received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The channel's number.
    pub trade_no: TradeNo,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// What the channel told of the payer.
    pub details: Vec<(Box<str>, Box<str>)>,
}

/// Why a payment is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Its time ran out.
    Expired,
    /// The merchant took it back.
    Reversed,
}

/// Where a payment stands. Each state owns the facts that exist in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Written down; the channel is being asked for a credential, or its answer is unknown.
    Created,
    /// The payer can pay.
    Pending {
        /// With this.
        credential: Credential,
    },
    /// Being closed at the channel; a payment that arrives now still counts.
    Closing {
        /// Why.
        why: CloseReason,
    },
    /// The money is here.
    Paid(Receipt),
    /// Paid and being given back whole at the channel.
    Reversing(Receipt),
    /// Unpaid for ever.
    Closed {
        /// Why.
        why: CloseReason,
        /// Since when.
        at: Timestamp,
    },
    /// Paid once, given back whole.
    Reversed {
        /// What had been received.
        receipt: Receipt,
        /// When it was given back.
        at: Timestamp,
    },
    /// The channel refused it for good.
    Failed {
        /// In the channel's code.
        code: Box<str>,
        /// In the channel's words.
        message: Box<str>,
        /// When.
        at: Timestamp,
    },
}

/// What a proof of payment does to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It becomes paid.
    Now,
    /// This very proof was applied before.
    Before,
    /// It was closed: the money goes to suspense and back.
    Late,
}

/// Why a proof is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleRefusal {
    /// Another amount or currency than asked for.
    AmountDiffers,
}

impl Payment {
    /// What applying `proof` means now. Channels notify until they hear us, so a repeated proof is
    /// no error; a second trade for a payment already paid is money that must go back.
    pub fn settling(&self, proof: &Proof) -> Result<Settling, SettleRefusal> {
        if proof.money != self.money {
            return Err(SettleRefusal::AmountDiffers);
        }
        Ok(match &self.state {
            PaymentState::Created | PaymentState::Pending { .. } | PaymentState::Closing { .. } => {
                Settling::Now
            }
            PaymentState::Paid(receipt)
            | PaymentState::Reversing(receipt)
            | PaymentState::Reversed { receipt, .. } => {
                if receipt.trade_no == proof.trade_no {
                    Settling::Before
                } else {
                    Settling::Late
                }
            }
            PaymentState::Closed { .. } | PaymentState::Failed { .. } => Settling::Late,
        })
    }

    /// What was received, in the states that have received something.
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.state {
            PaymentState::Paid(receipt)
            | PaymentState::Reversing(receipt)
            | PaymentState::Reversed { receipt, .. } => Some(receipt),
            PaymentState::Created
            | PaymentState::Pending { .. }
            | PaymentState::Closing { .. }
            | PaymentState::Closed { .. }
            | PaymentState::Failed { .. } => None,
        }
    }

    /// Whether the payer can still start to pay.
    pub fn is_payable(&self, now: Timestamp) -> bool {
        matches!(self.state, PaymentState::Created | PaymentState::Pending { .. })
            && now < self.expires
    }

    /// What may still be refunded: pending and unknown refunds count as spent.
    pub fn refundable(&self) -> Amount {
        match self.state {
            PaymentState::Paid(_) => {
                self.money.amount.saturating_minus(self.refunded).saturating_minus(self.refunding)
            }
            PaymentState::Created
            | PaymentState::Pending { .. }
            | PaymentState::Closing { .. }
            | PaymentState::Reversing(_)
            | PaymentState::Closed { .. }
            | PaymentState::Reversed { .. }
            | PaymentState::Failed { .. } => Amount::ZERO,
        }
    }

    /// The account that the payer's money comes from and goes back to.
    pub fn source(&self) -> AccountPath {
        match self.payer {
            Some(member) => AccountPath::member_available(member, self.money.currency),
            None => AccountPath::receivable(self.route, self.money.currency),
        }
    }

    /// When to look at it next, from its state alone (specs/reliability.md §7.4): queries while it
    /// is open, the close at its expiry, queries after the close.
    pub fn watch(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(operation) = &self.operation {
            return operation.next_at;
        }
        match &self.state {
            PaymentState::Created | PaymentState::Pending { .. } => {
                let query = retry::after(retry::OPEN_QUERY_SECONDS, self.queries, now);
                let end = retry::close_at(self.created, self.expires);
                Some(query.map_or(end, |q| q.min(end)))
            }
            PaymentState::Closing { .. } | PaymentState::Reversing(_) => Some(now.plus_seconds(5)),
            PaymentState::Closed { .. } => {
                retry::after(retry::CLOSED_QUERY_SECONDS, self.queries, now)
            }
            PaymentState::Paid(_) | PaymentState::Reversed { .. } | PaymentState::Failed { .. } => {
                None
            }
        }
    }
}
