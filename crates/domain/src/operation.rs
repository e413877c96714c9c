//! What we ask a channel to do with money: a durable intent, the call, its outcome.
//!
//! An operation is part of the payment or refund that it serves, so that both change in one commit.
//! Its number at the channel is that object's number and never changes (specs/reliability.md §7.2).

use crate::retry;
use crate::time::Timestamp;

/// How long a call may take before another worker may look after it. Longer than every deadline of
/// a call, so that an outcome is never recorded twice.
pub const LEASE_SECONDS: i64 = 30;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A credential, or the payment itself where the merchant scans the payer.
    Prepare,
    /// To end an unpaid payment.
    Close,
    /// To end a payment whether paid or not, giving paid money back.
    Reverse,
    /// To give money back.
    Refund,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// To be sent when `next_at` comes.
    Intent,
    /// Sent, or about to be; nobody else may send it before the lease ends.
    Dispatching,
    /// Sent, outcome not known: the channel is asked, never assumed.
    Unknown,
    /// Out of tries; people decide.
    Review,
}

/// One request to a channel and its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What is asked.
    pub kind: OperationKind,
    /// Where it stands.
    pub state: OperationState,
    /// How many times it was sent.
    pub tries: u16,
    /// How many times its outcome was asked.
    pub queries: u16,
    /// The fencing token: every claim raises it, and an outcome with an old one is refused.
    pub token: u32,
    /// When it must be looked at.
    pub next_at: Option<Timestamp>,
    /// The channel's last code.
    pub last_code: Option<Box<str>>,
}

/// What came back from a channel (specs/reliability.md §7.3). A time-out is `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The channel did it.
    Accepted(T),
    /// The channel refused for good, by a code that its documents call final.
    Refused(ChannelRefusal),
    /// Perhaps done, perhaps not.
    Unknown(ChannelRefusal),
    /// Not a byte left us, or the channel says that it did nothing: it may be sent again.
    NotSent(ChannelRefusal),
}

/// A channel's code and words, or ours where it did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRefusal {
    /// Why, in a word that dialects can map.
    pub why: RefusalClass,
    /// The channel's code, or a word of ours such as `timeout`.
    pub code: Box<str>,
    /// For people; never a secret.
    pub message: Box<str>,
}

/// The kinds of trouble with a channel that dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// No connection, or it broke.
    Connection,
    /// The answer could not be read.
    Garbled,
    /// The answer's signature is missing or wrong.
    BadSignature,
    /// The channel refuses what was asked.
    Business,
    /// The channel refuses our credentials or settings.
    Configuration,
    /// The channel is busy or broken.
    Busy,
    /// There is no such trade at the channel.
    NotFound,
    /// A code that is not in our table.
    Unclassified,
}

impl Operation {
    /// A new operation that its maker sends at once: intent and claim in one commit.
    pub fn dispatched(kind: OperationKind, now: Timestamp) -> Operation {
        Operation {
            kind,
            state: OperationState::Dispatching,
            tries: 1,
            queries: 0,
            token: 1,
            next_at: Some(now.plus_seconds(LEASE_SECONDS)),
            last_code: None,
        }
    }

    /// Claims it for sending.
    pub fn claim_send(&mut self, now: Timestamp) {
        self.state = OperationState::Dispatching;
        self.tries = self.tries.saturating_add(1);
        self.claim_query(now);
    }

    /// Claims it for asking after its outcome: a found `Dispatching` is unknown, not unsent.
    pub fn claim_query(&mut self, now: Timestamp) {
        self.token = self.token.saturating_add(1);
        self.next_at = Some(now.plus_seconds(LEASE_SECONDS));
    }

    /// Notes an outcome that is not known.
    pub fn unknown(&mut self, refusal: &ChannelRefusal, now: Timestamp) {
        self.last_code = Some(refusal.code.clone());
        let schedule = match self.kind {
            OperationKind::Refund | OperationKind::Reverse => retry::REFUND_QUERY_SECONDS,
            OperationKind::Prepare => retry::OPEN_QUERY_SECONDS,
            OperationKind::Close => retry::CLOSE_SECONDS,
        };
        self.next_at = retry::after(schedule, self.queries, now);
        self.queries = self.queries.saturating_add(1);
        self.state = match self.next_at {
            Some(_) => OperationState::Unknown,
            None => OperationState::Review,
        };
    }

    /// Notes that it was not sent: it is tried again up to `tries_max` times.
    pub fn not_sent(&mut self, refusal: &ChannelRefusal, tries_max: u16, now: Timestamp) -> bool {
        self.last_code = Some(refusal.code.clone());
        if self.tries >= tries_max {
            return false;
        }
        self.state = OperationState::Intent;
        self.next_at = retry::after(retry::RESEND_SECONDS, self.tries.saturating_sub(1), now)
            .or(Some(now.plus_seconds(600)));
        true
    }
}
