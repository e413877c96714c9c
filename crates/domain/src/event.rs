//! What happened, in past tense, and its delivery to merchants.

use crate::id::Id;
use crate::payment::{Payment, PaymentId};
use crate::refund::{BatchId, Refund, RefundBatch, RefundId};
use crate::tenant::{Dialect, EndpointId, Tenant};
use crate::text::{AppId, PublicId};
use crate::time::Timestamp;

/// Names an event.
pub type EventId = Id<Event>;
/// Names a delivery.
pub type DeliveryId = Id<Delivery>;

/// Something that happened, with the words in which its dialect tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose book.
    pub tenant: Tenant,
    /// Our id.
    pub id: EventId,
    /// Of which app.
    pub app: AppId,
    /// In whose words.
    pub dialect: Dialect,
    /// Its id as the dialect shows it.
    pub public_id: PublicId,
    /// The dialect's name for what happened: `charge.succeeded`.
    pub event_type: Box<str>,
    /// About which object.
    pub about: About,
    /// When.
    pub created: Timestamp,
    /// The message body, frozen in the commit that it speaks of.
    pub body: Box<str>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// A payment.
    Payment(PaymentId),
    /// A refund.
    Refund(RefundId),
    /// A batch of refunds.
    Batch(BatchId),
}

impl About {
    /// The stored form: a word and the object's id.
    pub const fn parts(self) -> (&'static str, i64) {
        match self {
            About::Payment(id) => ("payment", id.raw()),
            About::Refund(id) => ("refund", id.raw()),
            About::Batch(id) => ("batch", id.raw()),
        }
    }

    /// Reads the stored form.
    pub fn from_parts(word: &str, id: i64) -> Option<About> {
        Some(match word {
            "payment" => About::Payment(Id::from_raw(id)),
            "refund" => About::Refund(Id::from_raw(id)),
            "batch" => About::Batch(Id::from_raw(id)),
            _ => return None,
        })
    }
}

/// What happened, with the objects as they stand at that moment.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// A payment was paid.
    PaymentSucceeded(&'a Payment),
    /// A channel refused a payment for good.
    PaymentFailed(&'a Payment),
    /// Money came for a payment already closed; it goes back by itself.
    PaymentPaidAfterClose(&'a Payment),
    /// A refund was done.
    RefundSucceeded(&'a Refund, &'a Payment),
    /// A refund failed for good.
    RefundFailed(&'a Refund, &'a Payment),
    /// The last refund of a batch became final.
    BatchFinished(&'a RefundBatch, &'a [Refund], &'a [Payment]),
}

/// An event's words, from its dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worded {
    /// The id that the merchant sees.
    pub public_id: PublicId,
    /// The dialect's type name.
    pub event_type: Box<str>,
    /// The message body.
    pub body: Box<str>,
}

/// One message to one endpoint, until it arrives or is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose book.
    pub tenant: Tenant,
    /// Our id.
    pub id: DeliveryId,
    /// What is told.
    pub event: EventId,
    /// To whom.
    pub endpoint: EndpointId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many times it was sent.
    pub tries: u16,
    /// The fencing token of the last claim.
    pub token: u32,
    /// When it must be looked at.
    pub next_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// Grows by one with every change.
    pub version: i64,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent when `next_at` comes.
    Waiting,
    /// Being sent; looked after again when its lease (`next_at`) ends.
    Sending,
    /// Taken by the receiver.
    Delivered,
    /// Given up after the last try; can be sent again by hand.
    Dead,
}

/// What came of one try to deliver. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Whose book.
    pub tenant: Tenant,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which try, from 1.
    pub number: u16,
    /// When it ended.
    pub at: Timestamp,
    /// What the receiver said.
    pub answer: CourierAnswer,
}

/// What the courier brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourierAnswer {
    /// The receiver answered.
    Answered {
        /// With this HTTP status.
        status: u16,
        /// And the beginning of this body (at most 1,024 bytes, lossy UTF-8).
        excerpt: Box<str>,
    },
    /// No answer. The word is one of a few classes, so that nobody can map a network with it
    /// (SEC-62).
    Failed(CourierFailure),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CourierFailure {
    /// The address may not be dialled.
    AddressNotAllowed,
    /// No connection, or it broke, or it took too long.
    Unreachable,
}

impl CourierAnswer {
    /// Any 2xx is success; a redirect is not (specs/pingpp.md §6.3).
    pub fn is_success(&self) -> bool {
        match self {
            CourierAnswer::Answered { status, .. } => (200..300).contains(status),
            CourierAnswer::Failed(_) => false,
        }
    }
}

/// One line of the audit trail: who did what to which object. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Whose book.
    pub tenant: Tenant,
    /// When.
    pub at: Timestamp,
    /// Who: `api`, `channel`, `timer`, `operator`, `import`.
    pub actor: Actor,
    /// What was done, as a word: `payment.settled`.
    pub action: &'static str,
    /// To the object with this id of ours.
    pub object: i64,
}

/// Who caused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A merchant's API call.
    Api,
    /// A channel's notice or answer.
    Channel,
    /// Time.
    Timer,
    /// Somebody with a shell.
    Operator,
}

impl Actor {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Actor::Api => "api",
            Actor::Channel => "channel",
            Actor::Timer => "timer",
            Actor::Operator => "operator",
        }
    }
}

/// One step of an outbound operation. Appended, never changed; the `Sent` row is committed before
/// the first byte leaves (specs/reliability.md §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whose book.
    pub tenant: Tenant,
    /// For which payment or refund.
    pub about: About,
    /// When.
    pub at: Timestamp,
    /// The operation's token at the time.
    pub token: u32,
    /// `sent`, `query`, or what came back: `accepted`, `refused`, `unknown`, `not_sent`.
    pub step: &'static str,
    /// The channel's code, where there was one.
    pub code: Option<Box<str>>,
}

/// A notice with a valid signature about a payment that we do not know: kept for people (REL-34).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedNotice {
    /// Whose route it came by.
    pub tenant: Tenant,
    /// Our number, as the channel named it.
    pub number: crate::text::ChannelNumber,
    /// The channel's id of the message.
    pub notice_id: Box<str>,
    /// When it came first.
    pub at: Timestamp,
}
