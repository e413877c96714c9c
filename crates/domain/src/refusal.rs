//! Why a command was refused: an enum to branch on. Words are made at the edge, by each dialect.

use crate::ledger::{AccountError, Unbalanced};
use crate::money::{Amount, AmountError};
use crate::payment::Payment;
use crate::state::Missing;

/// A command that changed nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such object in this tenant's book; another tenant's looks the same.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The app makes no new objects.
    #[error("the app is disabled")]
    AppDisabled,
    /// The order number names a payment that this request may not continue.
    #[error("the order number is used")]
    OrderNoUsed(Box<Payment>),
    /// Our number is taken at the channel: choose another and sign again.
    #[error("the number is taken at the channel")]
    NumberTaken,
    /// The wallet user is unknown or may not pay.
    #[error("the wallet user cannot pay")]
    MemberUnknown,
    /// An account holds less than is needed.
    #[error("insufficient balance")]
    InsufficientBalance,
    /// A proof names another amount than was asked for.
    #[error("the amount differs from the payment's")]
    AmountDiffers,
    /// The channel's trade was already booked for another payment.
    #[error("the trade was booked for another payment")]
    TradeUsed,
    /// The payment is closed.
    #[error("the payment is closed")]
    PaymentClosed,
    /// The payment is not paid.
    #[error("the payment is not paid")]
    NotPaid,
    /// The payment cannot be reversed: paid and not of a reversible kind, too long ago, or partly
    /// refunded.
    #[error("the payment cannot be reversed")]
    NotReversible,
    /// Nothing is left to refund.
    #[error("the payment is refunded in full")]
    AlreadyRefunded,
    /// More than what is left to refund.
    #[error("the amount is more than what can be refunded")]
    OverRefundable {
        /// What is left.
        left: Amount,
    },
    /// The payment has as many refunds as it may have.
    #[error("the payment has too many refunds")]
    TooManyRefunds,
    /// The batch number is used.
    #[error("the batch number is used")]
    BatchNoUsed,
    /// One element spoils the batch.
    #[error("element {index} of the batch is refused: {why}")]
    BatchItem {
        /// Its position, from 0.
        index: usize,
        /// Why.
        why: Box<Refusal>,
    },
    /// Somebody else claimed the work meanwhile; the outcome is theirs to record.
    #[error("the claim has passed to somebody else")]
    Stale,
    /// An id or text exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The queue is full: try again later.
    #[error("busy")]
    Busy,
    /// The store could not commit; nothing was changed.
    #[error("the store is not available")]
    Unavailable,
    /// A programming error; the text is for the log, never for a merchant.
    #[error("internal fault: {0}")]
    Fault(String),
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Refusal {
        Refusal::Fault(missing.to_string())
    }
}

impl From<Unbalanced> for Refusal {
    fn from(unbalanced: Unbalanced) -> Refusal {
        Refusal::Fault(unbalanced.to_string())
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Refusal {
        match error {
            AccountError::Insufficient => Refusal::InsufficientBalance,
            AccountError::Amount(error) => error.into(),
        }
    }
}

impl From<AmountError> for Refusal {
    fn from(error: AmountError) -> Refusal {
        Refusal::Fault(error.to_string())
    }
}
