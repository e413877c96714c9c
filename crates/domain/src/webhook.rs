//! The ports by which events become messages and messages travel.

use crate::channel::PortFuture;
use crate::event::{CourierAnswer, Delivery, Event, Happening, Worded};
use crate::id::Fresh;
use crate::tenant::{App, Dialect};
use crate::text::RequestId;
use crate::time::Timestamp;

/// How a dialect words an event. Pure, because it is called between load and commit, so that the
/// body shows the very moment it speaks of.
pub trait WebhookFormat: Send + Sync {
    /// The words for a happening; `None` where the dialect does not tell it.
    fn word(
        &self,
        happening: Happening<'_>,
        app: &App,
        request: Option<&RequestId>,
        now: Timestamp,
        fresh: &mut Fresh,
    ) -> Option<Worded>;

    /// How the deliveries of a happening begin: one entry a message, seconds until it is due.
    /// Nearly always `[0]`; a test mode may ask for doubles or delays.
    fn departures(&self, happening: Happening<'_>) -> Vec<i64>;

    /// Headers of one message: content type and signatures.
    fn headers(&self, delivery: &Delivery, event: &Event, now: Timestamp) -> Vec<(String, String)>;

    /// Seconds from one failed try to the next; past its end the delivery is dead.
    fn schedule(&self) -> &'static [i64];
}

/// All dialects' formats.
pub trait WebhookFormats: Send + Sync {
    /// The format of one dialect.
    fn of(&self, dialect: Dialect) -> &dyn WebhookFormat;
}

/// A finished message on its way.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where to.
    pub url: Box<str>,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The bytes that were signed.
    pub body: Box<str>,
}

/// Carries messages to addresses that it has checked itself. Never follows a redirect, never reads
/// more than a little of the answer, never takes longer than its deadline.
pub trait Courier: Send + Sync {
    /// Sends one message once.
    fn send(&self, message: Message) -> PortFuture<'_, CourierAnswer>;
}
